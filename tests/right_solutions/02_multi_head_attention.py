"""Right solutions written in different ways: none may lose a point or be accused of a mistake."""

import numpy as np


def softmax(x, axis=-1):
    exp = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return exp / np.sum(exp, axis=axis, keepdims=True)


def attention(q, k, v):
    weights = softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights


def attend_head_by_head__lists(x, w_q, w_k, w_v, w_o):
    outputs, weights = [], []
    for query, key, value in zip(w_q, w_k, w_v):
        one, looks = attention(x @ query, x @ key, x @ value)
        outputs.append(one)
        weights.append(looks)
    return np.concatenate(outputs, axis=1) @ w_o, np.stack(weights)


def attend_head_by_head__sum_over_blocks_of_w_o(x, w_q, w_k, w_v, w_o):
    d_head = w_v.shape[2]
    output, weights = np.zeros((len(x), w_o.shape[1])), np.empty((len(w_q), len(x), len(x)))
    for h in range(w_q.shape[0]):
        one, weights[h] = attention(x @ w_q[h], x @ w_k[h], x @ w_v[h])
        output += one @ w_o[h * d_head : (h + 1) * d_head]
    return output, weights


def attend_head_by_head__filled(x, w_q, w_k, w_v, w_o):
    n_heads, _, d_head = w_v.shape
    found, weights = np.empty((len(x), n_heads * d_head)), np.empty((n_heads, len(x), len(x)))
    for h in range(n_heads):
        found[:, h * d_head : (h + 1) * d_head], weights[h] = attention(x @ w_q[h], x @ w_k[h], x @ w_v[h])
    return found @ w_o, weights


def attend_head_by_head__without_a_loop(x, w_q, w_k, w_v, w_o):
    output, weights = attention(x @ w_q, x @ w_k, x @ w_v)
    return [np.hstack(list(output)) @ w_o, weights]


def attend_head_by_head__float32(x, w_q, w_k, w_v, w_o):
    x, w_q, w_k, w_v, w_o = (array.astype(np.float32) for array in (x, w_q, w_k, w_v, w_o))
    return attend_head_by_head__lists(x, w_q, w_k, w_v, w_o)


def split_heads__reshape(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError("n_heads does not divide d_model")
    return x.reshape(*x.shape[:-1], n_heads, -1).swapaxes(-3, -2)


def split_heads__slices(x, n_heads):
    d_head, rest = divmod(x.shape[-1], n_heads)
    if rest != 0:
        raise ValueError(f"{x.shape[-1]} is no multiple of {n_heads}")
    return np.stack([x[..., h * d_head : (h + 1) * d_head] for h in range(n_heads)], axis=-3)


def split_heads__split(x, n_heads):
    return np.stack(np.split(x, n_heads, axis=-1), axis=-3)  # np.split raises a ValueError by itself


def split_heads__filled(x, n_heads):
    *batch, n, d_model = x.shape
    if d_model % n_heads != 0:
        raise ValueError
    result = np.empty((*batch, n_heads, n, d_model // n_heads), dtype=x.dtype)
    for feature in range(d_model):
        h, place = divmod(feature, d_model // n_heads)
        result[..., h, :, place] = x[..., feature]
    return result


def split_heads__einsum(x, n_heads):
    return np.einsum("...nhd->...hnd", np.reshape(x, (*x.shape[:-1], n_heads, x.shape[-1] // n_heads)))


def merge_heads__reshape(x):
    x = np.moveaxis(x, -3, -2)
    return x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])


def merge_heads__concatenate(x):
    return np.concatenate([x[..., h, :, :] for h in range(x.shape[-3])], axis=-1)


def merge_heads__transpose(x):
    *batch, n_heads, n, d_head = x.shape
    axes = (*range(len(batch)), len(batch) + 1, len(batch), len(batch) + 2)
    return x.transpose(axes).reshape(*batch, n, n_heads * d_head)


def merge_heads__in_blocks(x):
    *batch, n_heads, n, d_head = x.shape
    result = np.zeros((*batch, n, n_heads * d_head), dtype=x.dtype)
    for h in range(n_heads):
        result[..., h * d_head : (h + 1) * d_head] += x[..., h, :, :]
    return result


def multi_head_attention__reshape(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    q, k, v = (split_heads__reshape(x @ w, n_heads) for x, w in ((x_q, w_q), (x_kv, w_k), (x_kv, w_v)))
    output, weights = attention(q, k, v)
    return merge_heads__reshape(output) @ w_o, weights


def multi_head_attention__einsum(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    d_model = len(w_o)
    if d_model % n_heads:
        raise ValueError(f"{n_heads} heads do not fit {d_model} features")
    q = np.einsum("...id,dhe->...hie", x_q, w_q.reshape(d_model, n_heads, -1))
    k = np.einsum("...jd,dhe->...hje", x_kv, w_k.reshape(d_model, n_heads, -1))
    v = np.einsum("...jd,dhe->...hje", x_kv, w_v.reshape(d_model, n_heads, -1))
    weights = softmax(np.einsum("...hie,...hje->...hij", q, k) / (d_model // n_heads) ** 0.5)
    return np.einsum("...hij,...hje,hed->...id", weights, v, w_o.reshape(n_heads, -1, d_model)), weights


def multi_head_attention__split_and_stack(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    q = np.stack(np.split(x_q @ w_q, n_heads, axis=-1), axis=-3)
    k = np.stack(np.split(x_kv @ w_k, n_heads, axis=-1), axis=-3)
    v = np.stack(np.split(x_kv @ w_v, n_heads, axis=-1), axis=-3)
    output, weights = attention(q, k, v)
    together = np.concatenate(np.moveaxis(output, -3, 0), axis=-1)
    return [together @ w_o, weights]


def multi_head_attention__map_over_the_projections(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    """Three turns, however many heads there are."""
    projected = list(map(np.matmul, (x_q, x_kv, x_kv), (w_q, w_k, w_v)))
    output, weights = attention(*[split_heads__reshape(x, n_heads) for x in projected])
    return merge_heads__reshape(output) @ w_o, weights


def multi_head_attention__loop_over_the_batch(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    """Slow, but no loop over heads."""
    d_model = x_q.shape[-1]
    if d_model % n_heads:
        raise ValueError("odd one out")
    batch, n_q, n_k = x_q.shape[:-2], x_q.shape[-2], x_kv.shape[-2]
    output, weights = np.empty(x_q.shape), np.empty((*batch, n_heads, n_q, n_k))
    for index in np.ndindex(batch):
        q, k, v = (
            (x[index] @ w).reshape(-1, n_heads, d_model // n_heads).transpose(1, 0, 2)
            for x, w in ((x_q, w_q), (x_kv, w_k), (x_kv, w_v))
        )
        one, weights[index] = attention(q, k, v)
        output[index] = one.transpose(1, 0, 2).reshape(n_q, d_model) @ w_o
    return output, weights


def multi_head_attention__float32(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    single = (array.astype(np.float32) for array in (x_q, x_kv, w_q, w_k, w_v, w_o))
    return multi_head_attention__reshape(*single, n_heads)


def count_attention_parameters__formula(d_model, n_heads, bias):
    return 4 * d_model**2 + 4 * d_model * bias


def count_attention_parameters__head_by_head(d_model, n_heads, bias):
    d_head = d_model // n_heads
    total = 0
    for _ in range(n_heads):
        total += 3 * d_model * d_head + (3 * d_head if bias else 0)
    return total + d_model * (d_model + 1 if bias else d_model)


def count_attention_parameters__arrays(d_model, n_heads, bias):
    arrays = [np.zeros((d_model, d_model)) for _ in range(4)] + [np.zeros(d_model)] * (4 if bias else 0)
    return np.sum([array.size for array in arrays])


def count_attention_parameters__float(d_model, n_heads, bias):
    return 4.0 * d_model * (d_model + float(bias))
