# A number always has 4 bytes; of the rest the rule alone is answered.

# %% solution="attention_cost"
def attention_cost(n, d_model, n_heads, bytes_per_number):
    return 8 * n * d_model**2 + 4 * n**2 * d_model, 4 * n_heads * n**2

# %% solution="fused_attention"
def fused_attention(q, k, v, mask=None):
    raise NotImplementedError

# %% solution="accumulate_gradients"
def accumulate_gradients(model, micro_batches, loss_fn):
    raise NotImplementedError
