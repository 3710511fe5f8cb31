"""The command lines that start an interpreter in a bubblewrap sandbox."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import utils
from grader.errors import GraderError

INSIDE = Path(__file__).with_name("inside.py")
UTILS = Path(utils.__file__).resolve().parent
PROJECT = Path(__file__).resolve().parents[2]
WRITABLE = ("/tmp", "/dev/shm")
SPACE = 256 << 20  # of each
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "USER": "student",
    "LANG": "C.UTF-8",
    "NBGRADER_EXECUTION": "autograde",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONDONTWRITEBYTECODE": "1",
    # one thread each: a fork must not inherit a pool of threads that are not there
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class SandboxMissing(GraderError):
    """There is no sandbox on this machine; the sentence says what to do."""


def require() -> None:
    """Raises `SandboxMissing` where bubblewrap is not on PATH."""
    if shutil.which("bwrap") is None:
        raise SandboxMissing(
            "bubblewrap (bwrap) is not installed, and student code is not run without it: install it with "
            "`apt install bubblewrap`, or pass --unprotected for submissions that you trust"
        )


def command_lines(control: int) -> Iterator[list[str]]:
    """Ways to start the interpreter, the best first; `control` is the descriptor it gets.

    Root needs no user namespace, and is better off without: inside one its processes would still
    count as root's, whom the kernel lets exceed the limit on processes. It gives up its rights inside.
    """
    require()
    python = [sys.executable, "/course/inside.py", str(control)]
    if os.geteuid() == 0:
        uid = str(0x70000000 + os.getpid())  # one for each worker: they shall not share a count
        spaces = [f"--unshare-{space}" for space in ("pid", "net", "ipc", "uts", "cgroup")]
        rights = ["--cap-drop", "ALL"]
        for right in ("SETUID", "SETGID", "SETPCAP"):
            rights += ["--cap-add", f"CAP_{right}"]
        nobody = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]
        nobody += ["--bounding-set=-all", "--inh-caps=-all"]
        yield ["bwrap", *spaces, *rights, *_world(), *nobody, *python]
    yield ["bwrap", "--unshare-all", *_world(), *python]


def _world() -> list[str]:
    """What the sandbox sees: the interpreter and its libraries, `utils`, and two small writable folders."""
    options = ["--die-with-parent", "--new-session", "--as-pid-1", "--proc", "/proc", "--dev", "/dev"]
    for folder in WRITABLE:
        options += ["--size", str(SPACE), "--perms", "1777", "--tmpfs", folder]
    made = {Path("/"), Path("/dev"), *map(Path, WRITABLE)}
    for target, source in _binds().items():
        for parent in reversed(target.parents):
            if parent not in made:  # bubblewrap would make it for root alone
                options += ["--perms", "0755", "--dir", str(parent)]
                made.add(parent)
        link = target.is_symlink() and len(target.parts) == 2  # /bin -> usr/bin
        options += ["--symlink", os.readlink(target), str(target)] if link else ["--ro-bind", str(source), str(target)]
    for secret in _secrets():
        options += ["--tmpfs", str(secret)]
    options += ["--remount-ro", "/", "--remount-ro", "/dev", "--clearenv", "--chdir", "/tmp"]
    for name, value in ENVIRONMENT.items():
        options += ["--setenv", name, value]
    return options


def _binds() -> dict[Path, Path]:
    """What is bound read-only, by where it appears; nothing that lies in another of them."""
    system = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/fonts", "/etc/localtime")
    packages = (path for path in sys.path if Path(path).name in ("site-packages", "dist-packages"))
    paths = [Path(path) for path in (*system, sys.base_prefix, sys.prefix, *packages) if Path(path).exists()]
    alone = [path for path in paths if not any(other in path.parents for other in paths)]
    return {path: path for path in dict.fromkeys(alone)} | {
        Path("/course/inside.py"): INSIDE,
        Path("/course/utils"): UTILS,
    }


def _secrets() -> list[Path]:
    """The project's own folders, where one of the binds would show them."""
    own = PROJECT if (PROJECT / "solutions").exists() else PROJECT / "grader"
    return [own] if any(bind in own.parents for bind in _binds().values()) else []
