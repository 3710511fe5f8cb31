# Writes without end to the descriptors, past Python's own streams.
# earns 22; told: a cell took longer than 1.5 s
# %%
import os

while True:
    os.write(1, b"x" * 65536)
