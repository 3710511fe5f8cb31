"""The command lines that start an interpreter in a bubblewrap sandbox."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

import utils
from grader.errors import GraderError
from grader.sandbox import seccomp

INSIDE = Path(__file__).with_name("inside.py")
ABSENT = INSIDE.with_name("absent.py")
UTILS = Path(utils.__file__).resolve().parent
PROJECT = Path(__file__).resolve().parents[2]
EXCHANGE = Path("/usr/local/share/nbgrader")  # where nbgrader keeps what all students handed in
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
    "COURSE_STEPS": "1",  # of lesson 07's run, where a student's own cells take the model that it trains
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
    if platform.machine() not in seccomp.MACHINES:
        raise SandboxMissing(
            f"the sandbox does not know the system calls of {platform.machine()} processors, only those of "
            f"{' and '.join(seccomp.MACHINES)}: pass --unprotected for submissions that you trust"
        )


def command_lines(control: int, without: Collection[str] = ()) -> Iterator[tuple[list[str], list[int]]]:
    """Ways to start the interpreter, the best first, each with the descriptors that it is to inherit.

    `control` is the one that the interpreter gets; libraries that it is `without` are not there.

    Root needs no user namespace, and is better off without: inside one its processes would still
    count as root's, whom the kernel lets exceed the limit on processes. It gives up its rights inside.
    """
    require()
    python = [sys.executable, "/course/inside.py", str(control), *without]
    world = _world(without)
    if os.geteuid() == 0:
        uid = str(0x70000000 + 2 * os.getpid() + bool(without))  # one for each: they shall not share a count
        spaces = [f"--unshare-{space}" for space in ("pid", "net", "ipc", "uts", "cgroup")]
        rights = ["--cap-drop", "ALL"]
        for right in ("SETUID", "SETGID", "SETPCAP"):
            rights += ["--cap-add", f"CAP_{right}"]
        nobody = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]
        nobody += ["--bounding-set=-all", "--inh-caps=-all"]
        with _system_calls() as calls:
            filtered = ["--seccomp", str(calls.fileno())]
            yield ["bwrap", *spaces, *rights, *filtered, *world, *nobody, *python], [control, calls.fileno()]
    with _system_calls() as calls:
        filtered = ["--seccomp", str(calls.fileno())]
        yield ["bwrap", "--unshare-all", *filtered, *world, *python], [control, calls.fileno()]


def _system_calls() -> IO[bytes]:
    """The filter of system calls, in a file for bubblewrap to read."""
    file = tempfile.TemporaryFile()
    file.write(seccomp.program())
    file.seek(0)
    return file


def _world(without: Collection[str] = ()) -> list[str]:
    """What the sandbox sees: the interpreter and its libraries, `utils`, and two small writable folders."""
    options = ["--die-with-parent", "--new-session", "--as-pid-1", "--proc", "/proc", "--dev", "/dev"]
    for folder in WRITABLE:
        options += ["--size", str(SPACE), "--perms", "1777", "--tmpfs", folder]
    made = {Path("/"), Path("/dev"), *map(Path, WRITABLE)}
    fixed = []
    for target, source in _binds().items():
        for parent in reversed(target.parents):
            if parent in made:
                continue
            # In a writable folder it is a mount of its own, which nobody can rename, with what is below.
            movable = str(parent.parent) in WRITABLE
            fixed += ["--remount-ro", str(parent)] if movable else []
            # bubblewrap would make it for root alone
            options += ["--perms", "0755", "--tmpfs" if movable else "--dir", str(parent)]
            made.add(parent)
        link = target.is_symlink() and len(target.parts) == 2  # /bin -> usr/bin
        options += ["--symlink", os.readlink(target), str(target)] if link else ["--ro-bind", str(source), str(target)]
    for secret in [*_secrets(), *_installed(without)]:
        options += ["--tmpfs", str(secret)]
    options += [*fixed, "--remount-ro", "/", "--remount-ro", "/dev", "--clearenv", "--chdir", "/tmp"]
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
        Path("/course/absent.py"): ABSENT,
        Path("/course/utils"): UTILS,
    }


def _installed(libraries: Collection[str]) -> list[Path]:
    """The folders of libraries, for whichever Python of those that a sandbox sees."""
    tops = {Path(sys.prefix), Path(sys.base_prefix), Path("/usr"), Path("/usr/local")}
    packages = {folder for top in tops for folder in top.glob("lib*/python3*/*-packages")}
    packages |= {Path(path) for path in sys.path if path.endswith("-packages")}
    found = {(folder / name).resolve() for folder in packages for name in libraries if (folder / name).is_dir()}
    return sorted(found)


def _secrets() -> list[Path]:
    """The project's own folders, where one of the binds would show them."""
    own = PROJECT if (PROJECT / "solutions").exists() else PROJECT / "grader"
    secrets = [path for path in (own, EXCHANGE) if path.exists()]
    return [path for path in secrets if any(bind in path.parents for bind in _binds().values())]
