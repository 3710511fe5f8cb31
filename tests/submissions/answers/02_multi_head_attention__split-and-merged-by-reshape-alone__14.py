# Heads are cut and merged by reshape alone.

# %% solution="split_heads"
def split_heads(x, n_heads):
    *batch, n, d_model = x.shape
    if d_model % n_heads:
        raise ValueError(f"{d_model} features, {n_heads} heads")
    return x.reshape(*batch, n_heads, n, d_model // n_heads)

# %% solution="merge_heads"
def merge_heads(x):
    *batch, n_heads, n, d_head = x.shape
    return x.reshape(*batch, n, n_heads * d_head)
