# Leaves error handling, seeds, printing, dtype, gradients, threads and the environment changed.
# earns 22; told: nothing
# %%
import os
import random
import sys
import warnings

np.seterr(all="raise")
np.random.seed(0)
random.seed(0)
np.set_printoptions(precision=0)
warnings.simplefilter("error")
sys.setrecursionlimit(500)
os.environ.clear()
os.environ["OMP_NUM_THREADS"] = "64"
os.umask(0)
os.chdir("/")
