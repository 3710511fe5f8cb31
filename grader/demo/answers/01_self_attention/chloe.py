# Perfect: with einsum.

# %% solution="softmax"
def softmax(x, axis=-1):
    x = x - x.max(axis=axis, keepdims=True)
    return np.exp(x - np.log(np.exp(x).sum(axis=axis, keepdims=True)))


# %% solution="project_qkv"
def project_qkv(x, w_q, w_k, w_v):
    return tuple(np.einsum("...nd,de->...ne", x, w) for w in (w_q, w_k, w_v))


# %% solution="attend_one_word"
def attend_one_word(query, keys, values):
    weights = softmax(np.einsum("d,nd->n", query, keys) / np.sqrt(query.size))
    return np.einsum("n,nv->v", weights, values), weights


# %% solution="scaled_dot_product_attention"
def scaled_dot_product_attention(q, k, v):
    weights = softmax(np.einsum("...id,...jd->...ij", q, k) / np.sqrt(q.shape[-1]))
    return np.einsum("...ij,...jv->...iv", weights, v), weights


# %% solution="self_attention"
def self_attention(x, w_q, w_k, w_v):
    scores = np.einsum("...id,de,fe,...jf->...ij", x, w_q, w_k, x) / np.sqrt(w_q.shape[-1])
    weights = softmax(scores)
    return np.einsum("...ij,...jd,dv->...iv", weights, x, w_v), weights
