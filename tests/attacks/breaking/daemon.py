# Leaves a daemon running, forked twice and in a session of its own.
# earns 22; told: nothing
# %%
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            try:
                open("/tmp/left_behind_by_a_daemon", "a").write("x")
                open("/dev/shm/left_behind_by_a_daemon", "a").write("x")
            except OSError:
                pass
            time.sleep(0.01)
    os._exit(0)
time.sleep(0.05)
