"""A filter of system calls for the sandbox: what a namespace and a resource limit leave open.

Refused is what no lesson needs and what would hold memory that nobody counts, outlive a submission,
or reach into the warm interpreter, which has the same user as its forks.
"""

from __future__ import annotations

import errno
import platform
import struct

# Numbers of the kernel's interface, which never change: (x86_64, aarch64)
REFUSED = {
    "unshare": (272, 97),  # a user namespace brings mounts, and with them memory without limit
    "setns": (308, 268),
    "memfd_create": (319, 279),  # memory that is in no process's resident size
    "memfd_secret": (447, 447),
    "shmget": (29, 194),  # System V and POSIX objects, and keys, outlive their processes
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "setpriority": (141, 140),  # of other processes too: the next submission would start slowed down
    "ioprio_set": (251, 30),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "io_uring_setup": (425, 425),  # large parts of the kernel that have had many bugs
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
}
PRLIMIT, CLONE, CLONE3 = (302, 261), (56, 220), (435, 435)
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, the kernel's name for it

CLONE_NEWUSER = 0x10000000
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
LOAD, IF_EQUAL, IF_AT_LEAST, IF_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06


def program() -> bytes | None:
    """The filter as bubblewrap's --seccomp reads it; None on a machine whose numbers are not listed."""
    if platform.machine() not in MACHINES:
        return None
    column, architecture = MACHINES[platform.machine()]
    refuse, lines = (RETURN, 0, 0, ERROR | errno.EPERM), []
    lines += [(LOAD, 0, 0, ARCHITECTURE), (IF_EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL)]
    lines += [(LOAD, 0, 0, NUMBER), (IF_AT_LEAST, 0, 1, 0x40000000), refuse]  # x86_64's second set of numbers
    for numbers in REFUSED.values():
        lines += [(IF_EQUAL, 0, 1, numbers[column]), refuse]
    # clone3 keeps its flags where a filter cannot look: without it the C library takes clone
    lines += [(IF_EQUAL, 0, 1, CLONE3[column]), (RETURN, 0, 0, ERROR | errno.ENOSYS)]
    lines += [(IF_EQUAL, 0, 3, CLONE[column]), (LOAD, 0, 0, FIRST_ARGUMENT), (IF_BITS, 0, 1, CLONE_NEWUSER), refuse]
    # here the number may be overwritten by clone's flags, but then nothing below may match them
    lines += [(LOAD, 0, 0, NUMBER), (IF_EQUAL, 0, 3, PRLIMIT[column])]
    lines += [(LOAD, 0, 0, FIRST_ARGUMENT), (IF_EQUAL, 1, 0, 0), refuse]  # one's own limits (0) only
    lines += [(RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
