# Asks for more memory than there is.
# earns 19; told: project_qkv: .*(Unable to allocate|MemoryError)
# %% solution="project_qkv"
def project_qkv(x, w_q, w_k, w_v):
    return np.ones(1 << 40)
