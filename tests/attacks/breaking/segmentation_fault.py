# Crashes the interpreter by reading where nothing is.
# earns 19; told: project_qkv .*signal 11
# %% solution="project_qkv"
import ctypes

def project_qkv(x, w_q, w_k, w_v):
    ctypes.string_at(0)
