"""Right solutions written in different ways: none may lose a point or be accused of a mistake."""

import math
from collections import defaultdict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def label_smoothed_loss__shares_as_a_tensor(logits, labels, pad_id, smoothing=0.1):
    vocabulary = logits.size(-1)
    shares = torch.full_like(logits, smoothing / vocabulary)
    shares.scatter_add_(-1, labels.unsqueeze(-1), torch.full_like(shares[..., :1], 1 - smoothing))
    losses = -(shares * F.log_softmax(logits, dim=-1)).sum(-1)
    real = labels.ne(pad_id)
    return losses.masked_fill(~real, 0.0).sum() / real.sum()


def label_smoothed_loss__one_hot_and_logsumexp(logits, labels, pad_id, smoothing=0.1):
    keep = labels.reshape(-1) != pad_id
    rows, right = logits.reshape(-1, logits.shape[-1])[keep], labels.reshape(-1)[keep]
    log_p = rows - torch.logsumexp(rows, dim=1, keepdim=True)
    one_hot = F.one_hot(right, rows.shape[1]).to(rows.dtype)
    target = one_hot * (1 - smoothing) + smoothing / rows.shape[1]
    return torch.einsum("nv,nv->n", target, log_p).mean().neg()


def label_smoothed_loss__nll_loss(logits, labels, pad_id, smoothing=0.1):
    log_p = logits.log_softmax(dim=-1).flatten(0, 1)
    hard = F.nll_loss(log_p, labels.flatten(), ignore_index=pad_id)
    weights = (labels != pad_id).flatten().to(log_p.dtype)
    even = -(log_p.mean(-1) * weights).sum() / weights.sum()
    return (1 - smoothing) * hard + smoothing * even


def label_smoothed_loss__a_loop_over_sentences(logits, labels, pad_id, smoothing=0.1):
    total, words = 0.0, 0
    for scores, wanted in zip(logits, labels):
        for row, label in zip(torch.log_softmax(scores, -1), wanted.tolist()):
            if label == pad_id:
                continue
            total = total - (1 - smoothing) * row[label] - smoothing * row.sum() / len(row)
            words += 1
    return total / words


def label_smoothed_loss__index_by_arange(logits, labels, pad_id, smoothing=0.1):
    batch, n, vocab = logits.shape
    shifted = logits - logits.max(dim=-1, keepdim=True).values
    log_p = shifted - shifted.exp().sum(-1, keepdim=True).log()
    right = log_p[torch.arange(batch)[:, None], torch.arange(n), labels]
    losses = -(right * (1 - smoothing) + log_p.sum(-1) * (smoothing / vocab))
    return torch.masked_select(losses, labels != pad_id).mean()


def warmup_learning_rate__one_branch_at_a_time(step, d_model, warmup_steps):
    if step <= warmup_steps:
        return step / math.sqrt(d_model) / warmup_steps**1.5
    return 1 / math.sqrt(d_model * step)


def warmup_learning_rate__numpy(step, d_model, warmup_steps):
    step = np.maximum(step, 1)
    return np.power(float(d_model), -0.5) * np.minimum(np.power(float(step), -0.5), step * np.power(float(warmup_steps), -1.5))


def warmup_learning_rate__from_the_peak(step, d_model, warmup_steps):
    peak = (d_model * warmup_steps) ** -0.5
    if step == 0:
        return peak / 1000
    return peak * min(step / warmup_steps, (warmup_steps / step) ** 0.5)


def warmup_learning_rate__zero_at_zero(step, d_model, warmup_steps):
    return 0 if not step else d_model ** (-1 / 2) * min(1 / step**0.5, step / (warmup_steps * warmup_steps**0.5))


def token_budget_batches__from_the_longest(lengths, max_tokens):
    order = np.argsort(lengths, kind="stable")[::-1]
    batches = []
    place = 0
    while place < len(order):
        longest = lengths[order[place]]
        if longest > max_tokens:
            raise ValueError("too long")
        many = max_tokens // longest
        batches.append(list(order[place : place + many]))
        place += many
    return batches


def token_budget_batches__a_batch_for_each_length(lengths, max_tokens):
    if any(length > max_tokens for length in lengths):
        raise ValueError(f"{max(lengths)} > {max_tokens}")
    places = defaultdict(list)
    for index, length in enumerate(lengths):
        places[length].append(index)
    batches = []
    for length, indices in places.items():
        many = max_tokens // length
        batches.extend(indices[begin : begin + many] for begin in range(0, len(indices), many))
    return batches


def token_budget_batches__pairs_and_tuples(lengths, max_tokens):
    batches, batch, longest = [], (), 0
    for length, index in sorted((length, index) for index, length in enumerate(lengths)):
        if length > max_tokens:
            raise ValueError(length)
        longest = max(longest, length)
        if batch and longest * (len(batch) + 1) > max_tokens:
            batches.append(batch)
            batch, longest = (), length
        batch = (*batch, index)
    if batch:
        batches.append(batch)
    return batches


def token_budget_batches__sorted_within_pools(lengths, max_tokens):
    """In pools of a hundred, each sorted, as data loaders do."""
    if lengths and max(lengths) > max_tokens:
        raise ValueError
    batches = []
    for begin in range(0, len(lengths), 100):
        pool = sorted(range(begin, min(begin + 100, len(lengths))), key=lengths.__getitem__)
        current = []
        for index in pool:
            if lengths[index] * (len(current) + 1) > max_tokens:
                batches.append(current)
                current = []
            current.append(index)
        batches.append(current)
    return [batch for batch in batches if batch]


def token_budget_batches__a_shelf_for_three_lengths(lengths, max_tokens):
    """Sentences of up to 3, 6, 9, … tokens each on a shelf of their own, in the order in which they came."""
    if any(length > max_tokens for length in lengths):
        raise ValueError
    shelves = defaultdict(list)
    for index, length in enumerate(lengths):
        shelves[-(-length // 3)].append(index)
    batches = []
    for indices in shelves.values():
        many = max_tokens // max(lengths[index] for index in indices)
        batches += [indices[begin : begin + many] for begin in range(0, len(indices), many)]
    return batches


def token_budget_batches__as_many_in_each(lengths, max_tokens):
    """All batches have as many sentences as the longest of all allow."""
    if not lengths:
        return []
    many = max_tokens // max(lengths)
    if many == 0:
        raise ValueError
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], -index))
    return [order[begin : begin + many] for begin in range(0, len(order), many)]


def token_budget_batches__halved_until_they_fit(lengths, max_tokens):
    if lengths and max(lengths) > max_tokens:
        raise ValueError

    def halves(indices):
        if len(indices) * lengths[indices[-1]] <= max_tokens:
            return [indices]
        return halves(indices[: len(indices) // 2]) + halves(indices[len(indices) // 2 :])

    return halves(sorted(range(len(lengths)), key=lengths.__getitem__)) if lengths else []


def token_budget_batches__into_the_first_that_has_room(lengths, max_tokens):
    if lengths and max(lengths) > max_tokens:
        raise ValueError
    batches = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        for batch in batches:
            if (len(batch) + 1) * lengths[batch[0]] < max_tokens:  # never quite full: allowed
                batch.append(index)
                break
        else:
            batches.append([index])
    return batches


def _loss(logits, labels, pad_id):
    return label_smoothed_loss__shares_as_a_tensor(logits, labels, pad_id, smoothing=0.1)


def train_step__by_the_book(model, batch, optimizer, max_grad_norm, amp=False):
    device = next(model.parameters()).device
    model.train()
    optimizer.zero_grad(set_to_none=True)
    src, tgt = batch.src.to(device), batch.tgt.to(device)
    with torch.autocast(device_type=device.type, dtype=torch.bfloat16, enabled=amp):
        logits = model(src, tgt[:, :-1])
        loss = _loss(logits, tgt[:, 1:], model.pad_id)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=max_grad_norm)
    optimizer.step()
    return loss.item()


def train_step__clipped_by_hand(model, batch, optimizer, max_grad_norm, amp=False):
    model.train(True)
    src, tgt = (ids.to(model.generator.weight.device, non_blocking=True) for ids in batch)
    if amp:
        with torch.autocast(src.device.type, torch.bfloat16):
            logits = model(src, tgt[:, :-1]).float()
    else:
        logits = model(src, tgt[:, :-1])
    loss = F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), tgt[:, 1:].reshape(-1), ignore_index=model.pad_id, label_smoothing=0.1
    )
    for parameter in model.parameters():
        parameter.grad = None
    loss.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    length = sum(float(gradient.pow(2).sum()) for gradient in gradients) ** 0.5
    if length > max_grad_norm:
        for gradient in gradients:
            gradient *= max_grad_norm / length
    optimizer.step()
    return float(loss)


def train_step__in_parts_and_cleared_afterwards(model, batch, optimizer, max_grad_norm, amp=False):
    parameters = list(model.parameters())
    where = parameters[0].device
    src, tgt = batch.src.to(where), batch.tgt.to(where)
    was = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    model.train()
    model.zero_grad()
    with torch.autocast(str(where).split(":")[0], torch.bfloat16, amp):
        memory = model.encode(src)
        logits = model.generator(model.decode(tgt[:, :-1], memory, src))
    loss = label_smoothed_loss__nll_loss(logits.to(parameters[0].dtype), tgt[:, 1:].contiguous(), model.pad_id)
    before = loss.detach().cpu().numpy().item()
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, max_grad_norm, error_if_nonfinite=True)
    optimizer.step()
    optimizer.zero_grad()
    torch.set_grad_enabled(was)
    return before


def train_step__shares_set_by_places_on_the_cpu(model, batch, optimizer, max_grad_norm, amp=False):
    src, tgt = (ids.to(model.generator.bias.device) for ids in (batch.src, batch.tgt))
    model.train()
    with torch.autocast(device_type=src.device.type, dtype=torch.bfloat16, enabled=amp):
        logits = model(src, tgt[:, :-1])
    logits = logits.to(model.generator.bias.dtype).flatten(0, 1)
    labels = tgt[:, 1:].flatten()
    shares = torch.full_like(logits, 0.1 / logits.shape[1])
    shares[torch.arange(len(labels)), labels] += 0.9
    shares[labels == model.pad_id] = 0
    loss = -(shares * logits.log_softmax(1)).sum() / (labels != model.pad_id).sum()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    return loss.item()


def train_step__always_in_float32(model, batch, optimizer, max_grad_norm, amp=False):
    where = next(model.parameters())
    src, tgt = batch.src.to(where.device), batch.tgt.to(where.device)
    model.train()
    with torch.autocast(where.device.type, dtype=torch.bfloat16, enabled=amp):
        logits = model(src, tgt[:, :-1])
    loss = label_smoothed_loss__index_by_arange(logits.float(), tgt[:, 1:], model.pad_id)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    return loss.item()
