# Makes a path so deep that removing it would need one longer than the kernel allows.
# earns 22; told: nothing
# %%
import os

for _ in range(3000):
    os.mkdir("left_behind")
    os.chdir("left_behind")
os.chmod(".", 0)
