"""The release builder and the autograder."""

import os

# The checks' tensors are tiny: several threads would only wait for each other. Read when PyTorch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
