"""Runs student code where it can reach nothing: one bubblewrap sandbox with a warm interpreter.

    with Sandbox() as sandbox:                  # starts the interpreter: seconds, once a worker
        with sandbox.student() as student:      # a fresh fork: milliseconds, once a submission
            outputs = student.run_cell("x = 1")
            outcome = student.call(request)     # see utils.probe

What it covers: a fork sees no network, no other process, no environment of ours, no file but the
interpreter's own, `utils` and its working folder; it cannot change the warm interpreter; its time,
memory, processes, files and output are limited; when it is done, everything it started is killed and
everything it wrote is gone. All that comes back is plain values, rebuilt from bytes.

What it does not: bugs of the kernel, what the timing of other processes tells, and a student's code
making up what its own functions return. `Unprotected` covers nothing but time and accidents.
"""

from grader.sandbox.limits import Limits
from grader.sandbox.process import Died, Sandbox, SandboxMissing, Student, Unprotected

__all__ = ["Died", "Limits", "Sandbox", "SandboxMissing", "Student", "Unprotected"]
