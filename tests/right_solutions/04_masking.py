"""Right solutions written in different ways: none may lose a point or be accused of a mistake."""

import math

import numpy as np


def softmax(x, axis=-1):
    exp = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return exp / np.sum(exp, axis=axis, keepdims=True)


def padding_mask__new_axes(token_ids, pad_id):
    return (token_ids != pad_id)[:, None, None, :]


def padding_mask__reshaped(token_ids, pad_id):
    batch, n = token_ids.shape
    return ~np.equal(token_ids, pad_id).reshape(batch, 1, 1, n)


def padding_mask__loops(token_ids, pad_id):
    mask = np.zeros((len(token_ids), 1, 1, token_ids.shape[1]), dtype=bool)
    for row in range(len(token_ids)):
        for column in range(token_ids.shape[1]):
            mask[row, 0, 0, column] = token_ids[row, column] != pad_id
    return mask


def padding_mask__expand_dims(token_ids, pad_id):
    return np.expand_dims(np.where(token_ids == pad_id, False, True), axis=(1, 2))


def causal_mask__tril(n):
    return np.tril(np.ones((n, n), dtype=bool))


def causal_mask__positions(n):
    positions = np.arange(n)
    return positions[None, :] <= positions[:, None]


def causal_mask__not_the_future(n):
    return ~np.triu(np.ones((n, n), dtype=bool), k=1)


def causal_mask__lists(n):
    return np.array([[column <= row for column in range(n)] for row in range(n)])


def causal_mask__tri(n):
    return np.tri(n, dtype=np.bool_)


def decoder_mask__combined(token_ids, pad_id):
    return padding_mask__new_axes(token_ids, pad_id) & causal_mask__tril(token_ids.shape[1])


def decoder_mask__multiplied(token_ids, pad_id):
    return padding_mask__new_axes(token_ids, pad_id) * causal_mask__tri(token_ids.shape[-1])


def decoder_mask__loops(token_ids, pad_id):
    batch, n = token_ids.shape
    mask = np.zeros((batch, 1, n, n), dtype=bool)
    for sentence in range(batch):
        for query in range(n):
            for key in range(query + 1):
                mask[sentence, 0, query, key] = token_ids[sentence, key] != pad_id
    return mask


def decoder_mask__one_sentence_at_a_time(token_ids, pad_id):
    return np.stack([np.tril(np.tile(row != pad_id, (len(row), 1)))[None] for row in token_ids])


def masked_attention__let_empty_rows_look(q, k, v, mask=None):
    if mask is None:
        mask = np.ones((1, 1), dtype=bool)
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    weights = softmax(np.where(mask | ~mask.any(axis=-1, keepdims=True), scores, -np.inf))
    weights = np.where(mask, weights, 0.0)
    return weights @ v, weights


def masked_attention__nan_to_num(q, k, v, mask=None):
    scores = np.matmul(q, k.swapaxes(-1, -2)) / math.sqrt(k.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    weights = np.nan_to_num(softmax(scores))
    return [np.matmul(weights, v), weights]


def masked_attention__large_negative(q, k, v, mask=None):
    scores = np.einsum("...id,...jd->...ij", q, k) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = np.where(mask, scores, -1e9)
    weights = softmax(scores)
    if mask is not None:
        weights = weights * mask
    return np.einsum("...ij,...jv->...iv", weights, v), weights


def masked_attention__additive(q, k, v, mask=None):
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
    if mask is not None:
        scores += (1.0 - mask) * -1e9
    weights = softmax(scores)
    if mask is not None:
        weights *= mask.any(axis=-1, keepdims=True)
    return weights @ v, weights


def masked_attention__cleared_at_the_end(q, k, v, mask=None):
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
    if mask is None:
        mask = np.full((q.shape[-2], k.shape[-2]), True)
    weights = softmax(np.where(mask, scores, -1e9))
    sees = np.expand_dims(mask.any(axis=-1), -1)
    return np.where(sees, weights @ v, 0.0), np.where(sees, weights, 0.0)


def masked_attention__smallest_number(q, k, v, mask=None):
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
    if mask is None:
        mask = np.ones(scores.shape, dtype=bool)
    weights = np.where(mask, softmax(np.where(mask, scores, np.finfo(scores.dtype).min)), 0)
    return weights @ v, weights


def masked_attention__index(q, k, v, mask=None):
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
    mask = np.broadcast_to(True if mask is None else mask, scores.shape)
    scores[~mask] = -np.inf
    weights = np.zeros_like(scores)
    rows = mask.any(axis=-1)
    weights[rows] = softmax(scores[rows])
    return weights @ v, weights


def masked_attention__own_softmax(q, k, v, mask=None):
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
    mask = np.broadcast_to(True if mask is None else mask, scores.shape)
    largest = np.max(scores, axis=-1, keepdims=True, where=mask, initial=-1e300)
    exp = np.exp(np.where(mask, scores - largest, 0.0)) * mask
    total = exp.sum(axis=-1, keepdims=True)
    weights = np.divide(exp, total, out=np.zeros_like(exp), where=total > 0)
    return weights @ v, weights


def masked_attention__loops(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    mask = np.broadcast_to(True if mask is None else mask, shape)
    output, weights = np.zeros((*q.shape[:-1], v.shape[-1])), np.zeros(shape)
    for index in np.ndindex(q.shape[:-1]):
        batch, keys = index[:-1], [j for j in range(shape[-1]) if mask[(*index, j)]]
        scores = [float(q[index] @ k[(*batch, j)]) / math.sqrt(q.shape[-1]) for j in keys]
        exps = [math.exp(score - max(scores)) for score in scores]
        for j, exp in zip(keys, exps):
            weights[(*index, j)] = exp / math.fsum(exps)
            output[index] += weights[(*index, j)] * v[(*batch, j)]
    return output, weights


def masked_attention__float32(q, k, v, mask=None):
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
    if mask is None:
        mask = np.ones((1, 1), dtype=bool)
    scores = np.where(mask, scores, -np.inf)
    largest = scores.max(axis=-1, keepdims=True)
    exp = np.exp((scores - np.where(np.isfinite(largest), largest, 0.0)).astype(np.float32))
    weights = exp / np.maximum(exp.sum(axis=-1, keepdims=True), np.float32(1e-30))
    return weights @ v.astype(np.float32), weights


def teacher_forcing__slices(target_ids):
    return target_ids[:, :-1], target_ids[:, 1:]


def teacher_forcing__list_of_copies(target_ids):
    n = target_ids.shape[1]
    return [target_ids[:, : n - 1].copy(), np.array(target_ids[:, 1:n])]


def teacher_forcing__deleted(target_ids):
    return np.delete(target_ids, -1, axis=1), np.delete(target_ids, 0, axis=1)


def teacher_forcing__rolled_and_cut(target_ids):
    labels = np.roll(target_ids, -1, axis=1)
    return target_ids[:, :-1], labels[:, :-1]


def teacher_forcing__lists(target_ids):
    rows = target_ids.tolist()
    return np.array([row[:-1] for row in rows]), np.array([row[1:] for row in rows])
