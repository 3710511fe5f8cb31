# Interrupts whoever runs it, in a cell and in an answer.
# earns 19; told: project_qkv: .*KeyboardInterrupt
# %% solution="project_qkv"
def project_qkv(x, w_q, w_k, w_v):
    raise KeyboardInterrupt
# %% at="end"
raise KeyboardInterrupt
