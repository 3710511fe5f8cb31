# Partly right: overflows, and works for one sentence only.

# %% solution="softmax"
def softmax(x, axis=-1):
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


# %% solution="scaled_dot_product_attention"
def scaled_dot_product_attention(q, k, v):
    weights = softmax(q @ k.T / np.sqrt(k.shape[-1]))
    return weights @ v, weights
