# Raises its own alarm and resource limits, so that the kernel ends it at an odd moment.
# earns 22; told: a cell (took longer|was killed)
# %%
import resource

resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
while True:
    pass
