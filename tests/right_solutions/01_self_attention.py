"""Right solutions written in different ways: none may lose a point or be accused of a mistake."""

import math

import numpy as np


def softmax__numpy(x, axis=-1):
    exp = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return exp / np.sum(exp, axis=axis, keepdims=True)


def softmax__loops(x, axis=-1):
    moved = np.moveaxis(x, axis, -1)
    result = np.empty(moved.shape)
    for index in np.ndindex(moved.shape[:-1]):
        row = [float(number) for number in moved[index]]
        largest = max(row)
        exps = [math.exp(number - largest) for number in row]
        result[index] = [number / math.fsum(exps) for number in exps]
    return np.moveaxis(result, -1, axis)


def softmax__logarithm(x, axis=-1):
    x = x.copy()
    x -= x.max(axis=axis, keepdims=True)
    return np.exp(x - np.log(np.exp(x).sum(axis=axis, keepdims=True)))


def softmax__float32(x, axis=-1):
    x = (x - x.max(axis=axis, keepdims=True)).astype(np.float32)
    exp = np.exp(x)
    return exp / exp.sum(axis=axis, keepdims=True)


def project_qkv__matmul(x, w_q, w_k, w_v):
    return x @ w_q, x @ w_k, x @ w_v


def project_qkv__einsum_as_list(x, w_q, w_k, w_v):
    return [np.einsum("...nd,de->...ne", x, w) for w in (w_q, w_k, w_v)]


def project_qkv__one_product(x, w_q, w_k, w_v):
    everything = x @ np.concatenate([w_q, w_k, w_v], axis=1)
    return tuple(np.split(everything, [w_q.shape[1], w_q.shape[1] + w_k.shape[1]], axis=-1))


def project_qkv__loops(x, w_q, w_k, w_v):
    def project(w):
        result = np.zeros((*x.shape[:-1], w.shape[1]))
        for index in np.ndindex(x.shape[:-1]):
            for column in range(w.shape[1]):
                result[(*index, column)] = sum(a * b for a, b in zip(x[index], w[:, column]))
        return result

    return project(w_q), project(w_k), project(w_v)


def attend_one_word__numpy(query, keys, values):
    weights = softmax__numpy(keys @ query / np.sqrt(len(query)))
    return weights @ values, weights


def attend_one_word__loops(query, keys, values):
    scores = [sum(a * b for a, b in zip(query, key)) / math.sqrt(len(query)) for key in keys]
    largest = max(scores)
    exps = [math.exp(score - largest) for score in scores]
    weights = np.array(exps) / sum(exps)
    output = np.zeros(values.shape[1])
    for weight, value in zip(weights, values):
        output += weight * value
    return output, weights


def attend_one_word__einsum(query, keys, values):
    weights = softmax__numpy(np.einsum("d,nd->n", query, keys) / query.size**0.5)
    return [np.einsum("n,nv->v", weights, values), weights]


def scaled_dot_product_attention__matmul(q, k, v):
    weights = softmax__numpy(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights


def scaled_dot_product_attention__einsum(q, k, v):
    weights = softmax__numpy(np.einsum("...id,...jd->...ij", q, k) / math.sqrt(k.shape[-1]))
    return np.einsum("...ij,...jv->...iv", weights, v), weights


def scaled_dot_product_attention__loops(q, k, v):
    output = np.zeros((*q.shape[:-1], v.shape[-1]))
    weights = np.zeros((*q.shape[:-1], k.shape[-2]))
    for index in np.ndindex(q.shape[:-1]):
        batch = index[:-1]
        output[index], weights[index] = attend_one_word__loops(q[index], k[batch], v[batch])
    return output, weights


def scaled_dot_product_attention__scaled_queries(q, k, v):
    q = q.copy()
    q /= q.shape[-1] ** 0.5
    weights = softmax__logarithm(np.matmul(q, k.swapaxes(-2, -1)))
    return np.matmul(weights, v), weights


def self_attention__composed(x, w_q, w_k, w_v):
    return scaled_dot_product_attention__matmul(*project_qkv__matmul(x, w_q, w_k, w_v))


def self_attention__einsum(x, w_q, w_k, w_v):
    scores = np.einsum("...id,de,fe,...jf->...ij", x, w_q, w_k, x) / np.sqrt(w_q.shape[1])
    weights = softmax__numpy(scores)
    return np.einsum("...ij,...jd,dv->...iv", weights, x, w_v), weights


def self_attention__word_by_word(x, w_q, w_k, w_v):
    q, k, v = project_qkv__matmul(x, w_q, w_k, w_v)
    return scaled_dot_product_attention__loops(q, k, v)
