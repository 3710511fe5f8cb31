# A known mistake: softmax over the queries.

# %% solution="scaled_dot_product_attention"
def scaled_dot_product_attention(q, k, v):
    weights = softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), axis=-2)
    return weights @ v, weights
