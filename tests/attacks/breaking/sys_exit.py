# Leaves by sys.exit, in a cell and in an answer.
# earns 19; told: project_qkv: .*SystemExit
# %%
import sys

sys.exit(0)
# %% solution="project_qkv"
import sys

def project_qkv(x, w_q, w_k, w_v):
    sys.exit(0)
