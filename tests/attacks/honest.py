# A right submission, graded before and after each attack. It looks around: what it sees must stay the same.

# %%
import gc
import glob
import os
import resource
import signal
import sys
import threading
import warnings

ours = ("work", ".cache")
print("files", [sorted(set(os.listdir(folder)) - set(ours)) for folder in ("/tmp", "/dev/shm", "/var/tmp", ".") if os.path.isdir(folder)])
print("processes", len([pid for pid in os.listdir("/proc") if pid.isdigit()]), threading.active_count())
print("descriptors", len(os.listdir("/proc/self/fd")))
print("kernel", [len(open(path).readlines()) for path in sorted(glob.glob("/proc/sysvipc/*"))])
print("limits", [resource.getrlimit(getattr(resource, name)) for name in sorted(dir(resource)) if name.startswith("RLIMIT_") and name != "RLIMIT_AS"])
print("process", os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0)), signal.pthread_sigmask(signal.SIG_BLOCK, []), oct(os.umask(0o22)))
print("handlers", [str(signal.getsignal(number)) for number in signal.valid_signals() if number not in (9, 19)])
print("environment", sorted(os.environ.items()))
print("numpy", np.geterr(), np.get_printoptions(), np.random.get_state()[2], np.exp(1.0), np.allclose([1], [2]))
print("python", sys.getrecursionlimit(), sys.getprofile(), sys.gettrace(), gc.get_threshold(), len(warnings.filters), len(sys.path), len(sys.meta_path))
print("names", sorted(name for name in globals() if not name.startswith("_")), len(vars(__builtins__)) if not isinstance(__builtins__, dict) else len(__builtins__))

# %%
note = "CANARY"  # a neighbour's submission, which no other may see
