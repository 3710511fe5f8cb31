"""A class on this machine, to try it out: accounts, an environment, the course, an exchange, JupyterHub. Needs root.

    make hub            sets it up and starts it
    make hub-remove     takes all of it away again

Each step is what README.md beside this file tells to do on a real host.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from grader.bundle import bundle
from grader.errors import GraderError
from grader.lessons import COURSE_ROOT

DEPLOY = Path(__file__).resolve().parent
ENVIRONMENT = Path("/opt/transformer-class")  # not in the checkout: students have no business there
PORTS = (8000, 8001, 8081)  # what people open, the proxy's and the hub's own
OURS = "transformer class"  # marks the accounts that were made here
STAGED = "build/source"  # what nbgrader releases from
PARTS = ("solutions", "grader", "utils", "notebooks", "nbgrader_config.py", "pyproject.toml", "requirements.txt")


@dataclass(frozen=True)
class Classroom:
    """Who is in a class, and the folder with its settings and its exchange."""

    folder: Path = Path("/srv/transformer-class")
    instructor: str = "instructor"
    students: tuple[str, ...] = ("ada", "boris", "chloe")

    @property
    def people(self) -> tuple[str, ...]:
        return (self.instructor, *self.students)

    @property
    def exchange(self) -> Path:
        return self.folder / "exchange"

    @property
    def course(self) -> Path:
        """Readable for the instructor alone."""
        return Path(pwd.getpwnam(self.instructor).pw_dir) / "transformer"


def set_up(room: Classroom, staged: Path = COURSE_ROOT / STAGED) -> None:
    """Makes all that a class needs; submissions and grades that are there stay, the course's own files are laid anew.

    Args:
        room: who and where.
        staged: the lessons as `make release` stages them.

    Raises:
        GraderError: this is not root, or somebody else has one of the names.
    """
    if os.name != "posix" or os.getuid() != 0:
        raise GraderError("a class needs accounts of its own, which only root may make: run `sudo make hub`")
    make_environment()
    make_accounts(room)
    put_settings(room)
    make_exchange(room)
    put_course(room, staged)
    enter_names(room)


def make_environment() -> None:
    """A virtual environment that all can read: JupyterHub, the course's requirements, `utils`; neither grader nor solutions."""
    python = ENVIRONMENT / "bin" / "python"
    wanted = [line for line in (COURSE_ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("-e")]
    wanted += (DEPLOY / "requirements.txt").read_text().splitlines()
    if _is_new("installed", "\n".join(wanted)):
        print(f"Installing what a class needs into {ENVIRONMENT} (once, some minutes) ...", flush=True)
        _run(_python_for_all(), "-m", "venv", ENVIRONMENT)
        list_of_all = ENVIRONMENT / "requirements.txt"
        list_of_all.write_text("\n".join(wanted) + "\n", encoding="utf-8")
        _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", list_of_all)
        _keep("installed", "\n".join(wanted))
    package = (DEPLOY / "package.json").read_text()
    if _is_new("proxy/installed", package):
        (ENVIRONMENT / "proxy").mkdir(exist_ok=True)
        shutil.copy(DEPLOY / "package.json", ENVIRONMENT / "proxy")
        options = "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"
        _run("npm", "install", "--prefix", ENVIRONMENT / "proxy", *options)
        _keep("proxy/installed", package)
    students_zip = bundle()
    if _is_new("bundled", students_zip.read_bytes().hex()):
        options = "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--force-reinstall"
        _run(python, "-m", "pip", "install", *options, students_zip)
        _keep("bundled", students_zip.read_bytes().hex())


def make_accounts(room: Classroom) -> None:
    """System accounts whose homes nobody else can enter."""
    for name in room.people:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            _run("useradd", "--create-home", "--shell", "/bin/bash", "--comment", OURS, name)
            account = pwd.getpwnam(name)
        if account.pw_gecos != OURS:
            raise GraderError(
                f"there is an account {name} on this machine already: this class is to try it out elsewhere"
            )
        Path(account.pw_dir).chmod(0o700)


def put_settings(room: Classroom) -> None:
    """The hub's configuration, each role's settings, and who is who."""
    room.folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(DEPLOY / "jupyterhub_config.py", room.folder)
    for role in ("student", "instructor"):
        shutil.copytree(DEPLOY / role, room.folder / role, dirs_exist_ok=True)
    (room.folder / "instructors.txt").write_text(f"{room.instructor}\n", encoding="utf-8")
    (room.folder / "students.txt").write_text("\n".join(room.students) + "\n", encoding="utf-8")
    state = room.folder / "state"  # the hub's secrets
    state.mkdir(mode=0o700, exist_ok=True)


def make_exchange(room: Classroom) -> None:
    """nbgrader's exchange, open where it must be. Sticky: only its owner may move or remove what is there."""
    course = room.exchange / "transformer"
    inbound = course / "inbound"
    inbound.mkdir(parents=True, exist_ok=True)
    for path in (course, inbound):
        shutil.chown(path, room.instructor, room.instructor)
    room.exchange.chmod(0o1777)
    course.chmod(0o755)
    inbound.chmod(0o1733)  # students put in, and cannot look


def put_course(room: Classroom, staged: Path) -> None:
    """The course in the instructor's home, with what only the instructor may read."""
    room.course.mkdir(exist_ok=True)
    room.course.chmod(0o700)
    for name, source in {STAGED: staged, **{name: COURSE_ROOT / name for name in PARTS}}.items():
        target = room.course / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    _run("chown", "--recursive", f"{room.instructor}:", room.course)


def enter_names(room: Classroom) -> None:
    """The students' names in the gradebook, for formgrader to show."""
    roster = room.course / "students.csv"
    rows = [f"{name},{name.title()},Student" for name in room.students]
    roster.write_text("\n".join(["id,first_name,last_name", *rows]) + "\n", encoding="utf-8")
    shutil.chown(roster, room.instructor, room.instructor)
    programs = ENVIRONMENT / "bin"
    account = pwd.getpwnam(room.instructor)
    _run(
        programs / "nbgrader", "db", "student", "import", roster,
        user=account.pw_uid, group=account.pw_gid, extra_groups=[], cwd=room.course,
        env={"HOME": account.pw_dir, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(room.course)},
    )  # fmt: skip


def hub(room: Classroom, password: str, *options: str) -> subprocess.Popen:
    """Starts JupyterHub, with one password for all."""
    env = os.environ | {"CLASS_PASSWORD": password, "PATH": f"{ENVIRONMENT}/bin:{os.environ['PATH']}"}
    command = [ENVIRONMENT / "bin" / "jupyterhub", "--config", room.folder / "jupyterhub_config.py", *options]
    return subprocess.Popen(command, cwd=room.folder / "state", env=env)


def remove(room: Classroom) -> None:
    """Takes the class away: its hub, its accounts with their homes, its folder. The environment stays."""
    its_hub = "--full", f"^{ENVIRONMENT}/bin/python.* --config {room.folder}/"
    subprocess.run(["pkill", *its_hub])  # asked to end, it ends its proxy too
    for _ in range(100):
        if subprocess.run(["pgrep", *its_hub], stdout=subprocess.DEVNULL).returncode:
            break
        time.sleep(0.1)
    for name in room.people:
        try:
            is_ours = pwd.getpwnam(name).pw_gecos == OURS
        except KeyError:
            continue
        if is_ours:
            subprocess.run(["pkill", "-KILL", "-u", name])
            _run("userdel", "--force", "--remove", name)
    shutil.rmtree(room.folder, ignore_errors=True)


def _python_for_all() -> Path:
    """A Python that every account may run: the one this is, unless it lies in somebody's home; else the system's."""
    for python in (Path(sys.executable).resolve(), Path("/usr/bin/python3").resolve()):
        if python.exists() and all(folder.stat().st_mode & 0o001 for folder in (python, *python.parents)):
            return python
    raise GraderError(
        f"{sys.executable} can only be run by its owner: students need one of the system, /usr/bin/python3"
    )


def _is_new(stamp: str, text: str) -> bool:
    file = ENVIRONMENT / stamp
    return not file.exists() or file.read_text() != _checksum(text)


def _keep(stamp: str, text: str) -> None:
    (ENVIRONMENT / stamp).write_text(_checksum(text))


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _run(*command: str | Path, **options: object) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    if done.returncode:
        raise GraderError(
            f"`{' '.join(map(str, command[:3]))} …` failed: {(done.stderr or done.stdout).strip()[-500:]}"
        )


def main(what: str) -> int:
    room = Classroom()
    try:
        if what == "remove":
            if os.getuid() != 0:
                raise GraderError("accounts can only be removed by root: run `sudo make hub-remove`")
            remove(room)
            shutil.rmtree(ENVIRONMENT, ignore_errors=True)
            print("The class is gone: its accounts, their homes, its folder and its environment.")
            return 0
        for port in PORTS:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    raise GraderError(
                        f"something listens at port {port} already: stop it, or the hub that runs, and try again"
                    )
        set_up(room)
        password = secrets.token_urlsafe(9)
        print("\n  http://127.0.0.1:8000")
        print(f"  log in as {room.instructor}, or as a student: {', '.join(room.students)}")
        print(f"  with the password {password}\n\nCtrl-C stops it; `make hub-remove` removes it.\n", flush=True)
        running = hub(room, password, "--log-level=WARN")
        try:
            return running.wait()
        except KeyboardInterrupt:
            return running.wait()
    except GraderError as error:
        print(f"{error}.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or ["up"]))
