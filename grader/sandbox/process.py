"""The trusted side of the sandbox: starts it, watches it, takes nothing from it but plain values."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from grader.sandbox import bubblewrap
from grader.sandbox.bubblewrap import SandboxMissing
from grader.sandbox.limits import STANDARD, Limits
from utils import stand_ins
from utils.names import Names
from utils.values import MAX_BYTES, BadValue, pack, unpack

POLL = 0.05
PART = 16 << 20  # of a file, in one message
MAX_FILES = 100_000  # in the writable folders: empty ones take room in no folder, but the kernel's memory
START_SECONDS, CLEAN_SECONDS = 120.0, 20.0
MIME_TYPES = (
    "text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg", "image/svg+xml"
)  # fmt: skip
_FILE_NAME = re.compile(r"[\w][\w .()+-]{0,200}", re.ASCII)
_CONTROL_CHARACTERS = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


class Died(Exception):
    """The fork is gone.

    Attributes:
        reason: timeout, memory, processes, files, killed or protocol.
        sentence: what happened, to be read after "the cell" or a function's name.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason, self.sentence = reason, sentence


class Sandbox:
    """A warm interpreter in a bubblewrap sandbox, started when first needed; one worker has one.

    Args:
        limits: what each submission may use.
        without: libraries that are not there.

    Raises:
        SandboxMissing: on entering where bubblewrap is missing, later where it is not allowed to make a sandbox.
    """

    limit_processes = limit_files = True

    def __init__(self, limits: Limits = STANDARD, without: Collection[str] = ()) -> None:
        self.limits, self.without = limits, tuple(without)
        self.poorer: dict[tuple[str, ...], Sandbox] = {}  # the same without some libraries, started when needed
        self.process: subprocess.Popen | None = None
        self.control: socket.socket | None = None

    @staticmethod
    def require() -> None:
        """Raises `SandboxMissing` where student code cannot be run protected."""
        bubblewrap.require()

    def __enter__(self) -> Sandbox:
        self.require()
        return self

    def __exit__(self, *exception: object) -> None:
        for sandbox in self.poorer.values():
            sandbox.__exit__(*exception)
        self.poorer.clear()
        self._stop()

    def student(
        self, files: Mapping[str, bytes] = {}, seconds: float | None = None, without: Collection[str] = ()
    ) -> Student:
        """A fresh fork for one submission (a context manager).

        Args:
            files: written into its working folder, by name.
            seconds: wall-clock time that the submission has left; by default the limit's.
            without: libraries that shall be out of its reach; the course's stand-ins still work.
        """
        seconds = self.limits.submission_seconds if seconds is None else seconds
        return Student(self._without(tuple(without)), files, seconds, helper=self if without else None)

    def warm(self, without: Collection[str] = (), meanwhile: Callable[[], Any] = lambda: None) -> None:
        """Starts the interpreter if it is not there: that takes seconds, which shall be no submission's.

        Args:
            without: as for `student`.
            meanwhile: called again and again; what it raises ends the start.
        """
        sandbox = self._without(tuple(without))
        if sandbox.control is None:
            sandbox._start(meanwhile)

    def fork(self) -> socket.socket:
        """Our end of a new fork's wire; starts the interpreter if it is not there, or gone."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._command(b"F", theirs)
            except OSError:
                self._stop()
                self._start()
                self._command(b"F", theirs)
        return ours

    def clean(self) -> int | None:
        """Kills all that a submission started; returns how its fork had ended by then, None if it had not."""
        try:
            (status,) = struct.unpack(">i", self._command(b"C", answer=5)[1:])
        except (OSError, struct.error):
            self._stop()
            self._start()
            return None
        return None if status < 0 else status

    def usage(self) -> tuple[int, int]:
        """(processes, resident bytes) of the sandbox besides the warm interpreter."""
        others = self._others()
        resident = sum(_resident(pid) for pid in others)
        if resident > self.limits.memory_bytes:  # shared pages counted many times: look closer
            resident = sum(_proportional(pid) for pid in others)
        return len(others), resident

    def files(self) -> int:
        """How many files the writable folders hold."""
        for pid in self._others():
            try:
                spaces = [os.statvfs(f"/proc/{pid}/root{folder}") for folder in bubblewrap.WRITABLE]
            except OSError:  # it has ended
                continue
            return sum(space.f_files - space.f_ffree for space in spaces)
        return 0

    def _without(self, libraries: tuple[str, ...]) -> Sandbox:
        if not libraries:
            return self
        if libraries not in self.poorer:
            self.poorer[libraries] = type(self)(self.limits, libraries).__enter__()
        return self.poorer[libraries]

    def _command_lines(self, control: int) -> Iterator[tuple[list[str], list[int]]]:
        return bubblewrap.command_lines(control, self.without)

    def _others(self) -> list[int]:
        """The processes of the sandbox besides those of the warm interpreter."""
        return [pid for pid in _descendants(self.process.pid) if pid not in self.warm_pids]

    def _start(self, meanwhile: Callable[[], Any] = lambda: None) -> None:
        ours, theirs = socket.socketpair()
        complaint = ""
        for command, descriptors in self._command_lines(theirs.fileno()):
            errors = tempfile.TemporaryFile()
            self.process = subprocess.Popen(
                command, pass_fds=descriptors, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=errors, env=self._environment(), start_new_session=True,
            )  # fmt: skip
            try:
                if self._came_up(ours, meanwhile):
                    self.control = ours
                    self.warm_pids = {self.process.pid, *_descendants(self.process.pid)}
                    return
            finally:
                if self.control is None:
                    _kill(self.process)
                else:
                    theirs.close()
            errors.seek(0)
            complaint = errors.read().decode(errors="replace").strip() or "it did not answer"
        theirs.close()
        ours.close()
        raise SandboxMissing(f"the sandbox does not start: {complaint.splitlines()[-1]}")

    def _came_up(self, control: socket.socket, meanwhile: Callable[[], Any]) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            meanwhile()
            if select.select([control], [], [], POLL)[0]:
                return control.recv(1) == b"R"
        return False

    def _command(self, command: bytes, descriptor: socket.socket | None = None, answer: int = 1) -> bytes:
        if self.control is None:
            raise OSError("the interpreter is not running")
        self.control.settimeout(CLEAN_SECONDS)
        socket.send_fds(self.control, [command], [descriptor.fileno()] if descriptor else [])
        reply = self.control.recv(answer)
        if not reply.startswith(b"D"):
            raise OSError("the interpreter is gone")
        return reply

    def _stop(self) -> None:
        if self.control is not None:
            self.control.close()
            self.control = None
        if self.process is not None:
            _kill(self.process)
            self.process = None

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin")}


class Unprotected(Sandbox):
    """The same interpreter without a sandbox: for submissions that are trusted, and said so explicitly."""

    limit_processes = limit_files = False

    @staticmethod
    def require() -> None:
        """Nothing is needed."""

    def _command_lines(self, control: int) -> Iterator[tuple[list[str], list[int]]]:
        yield [sys.executable, str(bubblewrap.INSIDE), str(control), *self.without], [control]

    def _environment(self) -> dict[str, str]:
        return dict(os.environ) | bubblewrap.ENVIRONMENT | {"PYTHONPATH": str(bubblewrap.PROJECT)}


class Student:
    """One submission's fork: runs cells and calls answers until it is closed or dies.

    Where its sandbox is without some libraries, stand-ins run in a fork of a `helper` that has them.
    """

    def __init__(
        self, sandbox: Sandbox, files: Mapping[str, bytes], seconds: float, helper: Sandbox | None = None
    ) -> None:
        self.sandbox, self.files, self.helper = sandbox, files, helper
        self.helping: Student | None = None
        self.leant_on = ""  # a stand-in that the call under way asked for, and may not
        self.deadline = time.monotonic() + seconds
        self.wire: socket.socket | None = None
        self.watched = 0.0

    def __enter__(self) -> Student:
        self.wire = self.sandbox.fork()
        limits = self.sandbox.limits
        settings = {
            "memory_bytes": limits.memory_bytes,
            "file_bytes": limits.file_bytes,
            "output_bytes": limits.output_bytes,
            "processes": limits.processes,
            "limit_processes": self.sandbox.limit_processes,
        }
        self._ask(settings)
        for name, data in self.files.items():
            for start in range(0, len(data) or 1, PART):
                part = np.frombuffer(data[start : start + PART], np.uint8)
                self._ask({"do": "write", "what": {"name": name, "data": part}})
        return self

    def __exit__(self, *exception: object) -> None:
        if self.wire is not None:
            self._close()

    def run_cell(self, source: str, figures: bool = True) -> list[dict[str, Any]]:
        """The outputs of a cell, as a notebook holds them.

        Args:
            source: the cell's.
            figures: whether to draw what `utils.plots` is asked for; a sentence stands there if not.

        Raises:
            Died: it ended the fork, or had to be ended.
        """
        outputs = self._ask({"do": "run_cell", "what": {"source": source, "figures": figures}})
        if not isinstance(outputs, list):
            raise self._end("protocol")
        return [output for item in outputs if (output := rebuilt(item))]

    def names(self, sources: list[str]) -> list[Names]:
        """The names of cells; to be asked before any of them has run.

        Raises:
            Died: reading them ended the fork.
        """
        told = self._ask({"do": "names", "what": sources})
        if not (isinstance(told, list) and len(told) == len(sources)):
            raise self._end("protocol")
        try:
            parts = [[set(map(str, cell[part])) for part in ("now", "later", "bound")] for cell in told]
            return [Names(*sets, bool(cell["anything"])) for sets, cell in zip(parts, told)]
        except (TypeError, KeyError):
            raise self._end("protocol") from None

    def made(self) -> dict[str, bytes]:
        """The files that it has made in its working folder, by name.

        Raises:
            Died: it ended the fork, or had to be ended.
        """
        told = self._ask({"do": "made", "what": list(self.files)})
        if not isinstance(told, dict):
            raise self._end("protocol")
        good = {name: data for name, data in told.items() if _FILE_NAME.fullmatch(name) and name not in self.files}
        return {name: data.tobytes() for name, data in good.items() if isinstance(data, np.ndarray)}

    def hold(self, name: str) -> None:
        """Keeps what a name stands for now, for calls to come."""
        self._ask({"do": "hold", "what": name})

    def call(self, request: dict[str, Any]) -> Any:
        """What `utils.probe.run` made of a request in there: a plain value, of whatever shape.

        Raises:
            Died: it ended the fork, or had to be ended.
        """
        self.leant_on, exercise = "", request["name"]
        outcome = self._ask({"do": "call", "what": request}, exercise)
        if self.leant_on:
            text = f"{exercise} called the course's {self.leant_on}. This exercise is to be written by hand."
            return {"status": "refused", "message": text}
        return outcome

    def _ask(self, message: Any, exercise: str = "") -> Any:
        """What the fork answers; on the way it may ask for stand-ins."""
        if self.wire is None:
            raise Died("killed", "was not run: the interpreter had ended")
        if select.select([self.wire], [], [], 0)[0]:  # it speaks without being asked, or has ended
            raise self._end("protocol" if self.wire.recv(1, socket.MSG_PEEK) else "killed")
        until = min(time.monotonic() + self.sandbox.limits.seconds, self.deadline)
        reply = self._exchange(message, until)
        while self.helper is not None and isinstance(reply, dict) and "stand_in" in reply:
            begin = time.monotonic()
            self.helper.warm(meanwhile=self._watch)
            started = time.monotonic() - begin
            until, self.deadline = until + started, self.deadline + started
            reply = self._exchange(self._stood_in(reply, exercise), until)
        return reply

    def _stood_in(self, asked: dict[str, Any], exercise: str) -> dict[str, Any]:
        """What a stand-in makes of an answer's arguments; one of a later exercise would give the answer away."""
        name, args, kwargs = asked["stand_in"], asked.get("args"), asked.get("kwargs")
        known = list(stand_ins.MODULES["in_numpy"])
        if not (isinstance(name, str) and name in known and isinstance(args, list) and isinstance(kwargs, dict)):
            raise self._end("protocol")
        if exercise in known and known.index(name) >= known.index(exercise):
            self.leant_on = name
            return {"status": "refused", "message": f"{name} may not be called here"}
        try:
            if self.helping is None:
                self.helping = self.helper.student().__enter__()
                self.helping.run_cell("from utils.stand_ins import load\n\nglobals().update(load())")
            return self.helping.call({"name": name, "args": args, "kwargs": kwargs})
        except Died as death:
            self.helping = None
            return {"status": "error", "type": "RuntimeError", "message": f"the course's {name} {death.sentence}"}

    def _exchange(self, message: Any, until: float) -> Any:
        data = pack(message)
        try:
            self._send(struct.pack(">I", len(data)) + data, until)
            (size,) = struct.unpack(">I", self._receive(4, until))
            if size > MAX_BYTES:
                raise self._end("protocol")
            return unpack(self._receive(size, until))
        except BadValue:
            raise self._end("protocol") from None
        except OSError:
            raise self._end("killed") from None

    def _send(self, data: bytes, until: float) -> None:
        view = memoryview(data)
        while view:
            self._wait(until, write=True)
            view = view[self.wire.send(view, socket.MSG_DONTWAIT) :]

    def _receive(self, size: int, until: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._wait(until)
            part = self.wire.recv(min(size - len(data), 1 << 20), socket.MSG_DONTWAIT)
            if not part:
                raise self._end("killed")
            data += part
        return bytes(data)

    def _wait(self, until: float, write: bool = False) -> None:
        """Waits until the wire is ready; minds time, memory and processes even if it always is."""
        while True:
            now = time.monotonic()
            if now > until:
                raise self._end("timeout")
            if now > self.watched + POLL:
                self._watch()
                self.watched = now
            ready = select.select([] if write else [self.wire], [self.wire] if write else [], [], POLL)
            if ready[0] or ready[1]:
                return

    def _watch(self) -> None:
        processes, resident = self.sandbox.usage()
        if resident > self.sandbox.limits.memory_bytes:
            raise self._end("memory")
        if processes > self.sandbox.limits.processes + 1:
            raise self._end("processes")
        if self.sandbox.limit_files and self.sandbox.files() > MAX_FILES:
            raise self._end("files")

    def _end(self, reason: str) -> Died:
        """Ends the fork for a reason; the exception that says so."""
        overdue = time.monotonic() > self.deadline
        status = self._close()
        limits = self.sandbox.limits
        sentences = {
            "timeout": f"took longer than {limits.seconds:g} s and was stopped",
            "memory": f"used more than {limits.memory_bytes / (1 << 30):.2g} GiB of memory and was stopped",
            "processes": f"started more than {limits.processes} processes and was stopped",
            "files": f"made more than {MAX_FILES} files and was stopped",
            "protocol": "sent back something that is no result and was stopped",
            "killed": _ended(status),
        }
        if overdue:
            sentences["timeout"] = "was stopped: the submission's time was used up"
        return Died(reason, sentences[reason])

    def _close(self) -> int | None:
        self.wire.close()
        self.wire = None
        if self.helping is not None:
            self.helping.__exit__(None, None, None)
            self.helping = None
        return self.sandbox.clean()


def rebuilt(item: Any) -> dict[str, Any] | None:
    """An output made anew from what a fork sent: known fields of known types only; None if it is no output."""
    if not isinstance(item, dict):
        return None
    kind, name = item.get("output_type"), item.get("name")
    if type(kind) is not str:  # an array would be compared number by number
        return None
    if kind == "stream" and type(name) is str and name in ("stdout", "stderr"):
        return {"output_type": kind, "name": name, "text": clean(item.get("text"))}
    if kind in ("display_data", "execute_result"):
        data = item.get("data") if isinstance(item.get("data"), dict) else {}
        output = {"output_type": kind, "metadata": {}, "data": {m: clean(data[m]) for m in MIME_TYPES if m in data}}
        return output | ({"execution_count": None} if kind == "execute_result" else {})
    if kind == "error":
        lines = item.get("traceback") if isinstance(item.get("traceback"), list) else []
        texts = {field: clean(item.get(field)) for field in ("ename", "evalue")}
        return {"output_type": kind, **texts, "traceback": [clean(line) for line in lines]}
    return None


def clean(text: Any) -> str:
    """A text without control characters, but for line ends, tabs and colours."""
    if not isinstance(text, str):
        return ""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))  # what a terminal would still show
    return _CONTROL_CHARACTERS.sub("", "\n".join(lines))


def cut(outputs: list[dict[str, Any]], room: int) -> list[dict[str, Any]]:
    """Outputs up to a size; a fork cuts them itself, unless it was tampered with."""
    kept = []
    for output in outputs:
        room -= len(repr(output))
        if room < 0:
            return [*kept, {"output_type": "stream", "name": "stdout", "text": "… output cut here\n"}]
        kept.append(output)
    return kept


def _ended(status: int | None) -> str:
    if status is None:
        return "closed its connection to the grader and was stopped"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"was killed by signal {number} ({signal.strsignal(number)})"
    return f"ended the interpreter (exit status {os.WEXITSTATUS(status)})"


def _descendants(pid: int) -> Iterator[int]:
    """The processes that one has started, and theirs; asked for many times a second."""
    children = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                children += map(int, file.read().split())
    except OSError:  # it has just ended
        return
    for child in children:
        yield child
        yield from _descendants(child)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    """Resident bytes with shared pages shared out; where that may not be read, all of them."""
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return int(found[1]) << 10 if found else _resident(pid)


def _kill(process: subprocess.Popen) -> None:
    """Ends the interpreter with all it started: in a sandbox its first process takes the others along.

    It hears that its control socket closed, and gets a moment to remove what it made.
    """
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        pass
    for pid in [*_descendants(process.pid), process.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    process.wait()
