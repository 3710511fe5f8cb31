# Warns on stderr from right answers, for which nbgrader would take all points: they must keep them.
# earns 22; told: nothing
# %%
import sys
import warnings

warnings.warn("beware")
print("oh", file=sys.stderr)
