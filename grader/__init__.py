"""The autograder and the release builder."""

import os
import sys

# The checks' tensors are tiny: several threads would only wait for each other. Read when PyTorch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# jsonschema would build a parser for international web addresses whenever nbformat is imported; no notebook
# needs it, and it takes half of the time that a command takes to start.
sys.modules.setdefault("rfc3987_syntax", None)
