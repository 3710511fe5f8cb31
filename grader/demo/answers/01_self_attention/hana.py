# A known mistake: keys and values change places.

# %% solution="project_qkv"
def project_qkv(x, w_q, w_k, w_v):
    return x @ w_q, x @ w_v, x @ w_k
