# A loop where none is to be.

# %% solution="multi_head_attention"
def multi_head_attention(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    q, k, v = split_heads(x_q @ w_q, n_heads), split_heads(x_kv @ w_k, n_heads), split_heads(x_kv @ w_v, n_heads)
    outputs, weights = [], []
    for head in range(n_heads):
        output, looks = scaled_dot_product_attention(q[..., head, :, :], k[..., head, :, :], v[..., head, :, :])
        outputs.append(output)
        weights.append(looks)
    return np.concatenate(outputs, axis=-1) @ w_o, np.stack(weights, axis=-3)
