"""Right solutions written in different ways: none may lose a point or be accused of a mistake."""

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.functional import scaled_dot_product_attention


def attention_cost__head_by_head(n, d_model, n_heads, bytes_per_number):
    d_head = d_model / n_heads
    flops, numbers = 0, 0
    for _ in range(n_heads):
        flops += 3 * 2 * n * d_model * d_head  # queries, keys, values
        flops += 2 * n * n * d_head + 2 * n * d_head * n
        numbers += n**2
    return flops + 2 * n * d_model**2, numbers * bytes_per_number


def attention_cost__factored(n, d_model, n_heads, bytes_per_number):
    return [4 * n * d_model * (2 * d_model + n), n * n * n_heads * bytes_per_number]


def attention_cost__numpy_integers(n, d_model, n_heads, bytes_per_number):
    n, d = np.int64(n), np.int64(d_model)
    return 8 * n * d * d + 4 * n * n * d, np.prod([n, n, np.int64(n_heads), np.int64(bytes_per_number)])


def training_flops__pass_by_pass(n_parameters, n_tokens):
    forward = 2 * n_parameters * n_tokens
    return forward + 2 * forward


def training_flops__a_float(n_parameters, n_tokens):
    return 6.0 * n_parameters * n_tokens


def training_flops__numpy(n_parameters, n_tokens):
    return np.multiply(6, n_parameters) * np.int64(n_tokens)


def accumulate_gradients__tokens_counted_first(model, micro_batches, loss_fn):
    with torch.no_grad():
        total = sum(loss_fn(model, one)[1] for one in micro_batches)
    for parameter in model.parameters():
        parameter.grad = None
    mean = 0.0
    for one in micro_batches:
        part = loss_fn(model, one)[0] / total
        part.backward()
        mean += part.item()
    return mean


def accumulate_gradients__tokens_counted_with_a_graph_each(model, micro_batches, loss_fn):
    n_tokens = sum(loss_fn(model, micro_batch)[1] for micro_batch in micro_batches)
    model.zero_grad()
    mean = 0.0
    for micro_batch in micro_batches:
        loss = loss_fn(model, micro_batch)[0] / n_tokens
        loss.backward()
        mean += loss.item()
    return mean


def accumulate_gradients__autograd_grad(model, micro_batches, loss_fn):
    parameters = list(model.parameters())
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    losses, counts = [], []
    for one in micro_batches:
        loss, count = loss_fn(model, one)
        for so_far, gradient in zip(sums, torch.autograd.grad(loss, parameters)):
            so_far += gradient
        losses.append(loss.item())
        counts.append(count)
    for parameter, gradient in zip(parameters, sums):
        parameter.grad = gradient / sum(counts)
    return sum(losses) / sum(counts)


def accumulate_gradients__zeros_in_place(model, micro_batches, loss_fn):
    model.zero_grad(set_to_none=False)
    losses, total = torch.zeros((), dtype=torch.float64), 0
    for one in micro_batches:
        loss, count = loss_fn(model, one)
        loss.backward()
        losses += loss.detach()
        total += count
    for parameter in model.parameters():
        parameter.grad.mul_(1 / total)
    return (losses / total).item()


def fused_attention__where(q, k, v, mask=None):
    if mask is None:
        return F.scaled_dot_product_attention(q, k, v)
    seeing = mask.any(dim=-1, keepdim=True)
    output = F.scaled_dot_product_attention(q, k, v, torch.where(seeing, mask, torch.ones_like(mask)))
    return torch.where(seeing, output, torch.zeros_like(output))


def fused_attention__a_float_mask(q, k, v, mask=None):
    if mask is None:
        mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool)
    blind = ~mask.any(-1, keepdim=True)
    added = torch.zeros(mask.shape, dtype=q.dtype).masked_fill(~(mask | blind), float("-inf"))
    return scaled_dot_product_attention(q, k, v, attn_mask=added) * (~blind).to(q.dtype)


def fused_attention__one_head_at_a_time(q, k, v, mask=None):
    shape = q.shape[:-1] + k.shape[-2:-1]
    mask = torch.ones(shape, dtype=torch.bool) if mask is None else mask.expand(shape)
    lead = q.shape[:-2]
    rows = []
    for one_q, one_k, one_v, one_mask in zip(*(x.reshape(-1, *x.shape[-2:]) for x in (q, k, v, mask))):
        see = one_mask.sum(-1, keepdim=True) > 0
        found = F.scaled_dot_product_attention(one_q[None], one_k[None], one_v[None], attn_mask=(one_mask | ~see)[None])
        rows.append(found[0] * see)
    return torch.stack(rows).reshape(*lead, *rows[0].shape)
