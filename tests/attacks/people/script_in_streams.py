# Prints script and HTML entities to both streams, and raises an exception full of them.
# earns 22; told: nothing
# %%
import sys

evil = "<script>window.evil = 1</script><img src=http://evil.test/x.png onerror=window.evil=1>"
print(evil, evil.replace("<", "&lt;"))
print(evil, file=sys.stderr)
# %% at="end"
raise type(evil, (Exception,), {})(evil)
