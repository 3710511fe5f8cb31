"""The untrusted side: a warm interpreter that forks once for each submission.

Runs as the first process of a sandbox, where this file and `utils` are all there is of the project.
It knows nothing worth stealing: a submission's cells and the inputs of its calls go from the trusted
side straight to the fork, over a socket that only the fork keeps.

    python inside.py CONTROL_FD [LIBRARY …]    commands on CONTROL_FD: F (fork; a socket comes along), C (clean up)

The libraries named are not there: see `absent`.
"""

from __future__ import annotations

import builtins
import ctypes
import gc
import getpass
import importlib
import io
import os
import resource
import secrets
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import absent

from utils import names, probe, stand_ins
from utils.needing_torch import part
from utils.values import MAX_BYTES, pack, unpack

SANDBOXED = os.getpid() == 1  # else nothing outside our own folder may be killed or wiped
WITHOUT = sys.argv[2:]
WRITABLE = ["/tmp", "/dev/shm"] if SANDBOXED else [tempfile.mkdtemp(prefix="grader-")]
WORK = Path(WRITABLE[0]) / "work"
NO_INPUT = "input() is not available while a notebook is graded: give the value in the code"
NOT_DRAWN = "(A figure of the lesson's own is not drawn while a notebook is graded. It is in yours.)"
ITEM = 100  # what an output counts besides its text
CUT = "\n… output cut here: more than {limit} bytes\n"
PR_SET_DUMPABLE = 4
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Warms up, says so, then obeys until the trusted side goes away."""
    control = socket.socket(fileno=int(sys.argv[1]))
    elsewhere = Elsewhere()
    if WITHOUT:
        absent.stand_in_for(WITHOUT)
        stand_ins.load = elsewhere.stand_ins
    shell = warm_shell()
    give_students_their_own_utils()
    if WITHOUT:
        importlib.import_module("utils.stand_ins").load = elsewhere.stand_ins
    for folder in WRITABLE:
        empty(folder)  # the first submission finds no more there than the others
    gc.collect()
    gc.freeze()
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # no fork may read or write this process
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    os.dup2(1, 2)  # what a fork wrote to the file of complaints, the next one could read
    control.sendall(b"R")
    fork = 0
    while True:
        command, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if command == b"F":
            fork = os.fork()
            if fork == 0:
                control.close()
                elsewhere.wire = socket.socket(fileno=descriptors[0])
                serve_and_exit(elsewhere, shell)
            os.close(descriptors[0])
            control.sendall(b"D")
        elif command == b"C":
            control.sendall(b"D" + struct.pack(">i", clean_up(fork)))
        else:  # the trusted side is gone
            clean_up(fork)
            if not SANDBOXED:
                os.rmdir(WRITABLE[0])
            os._exit(0)


def warm_shell() -> Any:
    """IPython's shell with numpy, matplotlib and torch imported, and a figure drawn."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    InteractiveShell.enable_gui = lambda self, gui=None: None  # %matplotlib asks for it
    shell = InteractiveShell.instance(config=config)
    shell.ask_exit = lambda: None  # what exit() calls: a cell cannot end the interpreter that way
    shell.system = shell.system_piped  # so that the output of !commands is seen
    import matplotlib.pyplot as plt
    import numpy  # noqa: F401

    part("stand_ins")
    try:
        torch = None if "torch" in WITHOUT else importlib.import_module("torch")
    except ImportError:  # lessons 00 to 04 do without
        torch = None
    if torch is not None:
        torch.set_num_threads(1)
        for name in ("operators", "modules", "one_step", "accumulation", "decoding"):
            part(name)
        with part("operators").watch(lambda name: None):
            torch.ones(1)  # for the first operator that is watched PyTorch imports a great deal more
        stand_ins.load()  # those who watch what an answer calls are told which stand-ins it may call
    shell.run_line_magic("matplotlib", "inline")
    figure, axes = plt.subplots()
    axes.plot([0, 1])
    figure.savefig(io.BytesIO())
    plt.close(figure)
    shell.reset(new_session=True)
    return shell


def give_students_their_own_utils() -> None:
    """What a submission patches in the `utils` that it imports is then not what calls its answers."""
    for name in [name for name in sys.modules if name.split(".")[0] == "utils"]:
        del sys.modules[name]
    importlib.import_module("utils.plots")


def clean_up(fork: int) -> int:
    """Kills every other process and empties the writable folders; returns how the fork had ended, or -1."""
    ended = how_it_ended(fork)
    try:
        os.kill(-1, signal.SIGKILL) if SANDBOXED else os.killpg(fork, signal.SIGKILL)
    except ProcessLookupError:
        pass
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    for folder in WRITABLE:
        empty(folder)
    return ended


def empty(folder: str) -> None:
    """Removes all that a fork left in a folder, however deep, and whatever rights it took away."""
    if os.stat(folder).st_uid == os.getuid():  # else it is root's, and no fork could change it
        os.chmod(folder, 0o700)
        for name in os.listxattr(folder):
            os.removexattr(folder, name)
    left = [entry.path for entry in os.scandir(folder) if not os.path.ismount(entry.path)]
    while left:
        path = left.pop()
        if os.path.islink(path) or not os.path.isdir(path):
            os.unlink(path)
            continue
        os.chmod(path, 0o700)
        for entry in list(os.scandir(path)):
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)
            left.append(f"{folder}/{secrets.token_hex(16)}")  # moved up, so that no path grows too long
            os.rename(entry.path, left[-1])
        os.rmdir(path)


def how_it_ended(fork: int) -> int:
    """The fork's wait status; -1 if it still runs. One that sees its wire closed ends at once."""
    for _ in range(50):
        try:
            pid, status = os.waitpid(fork, os.WNOHANG)
        except ChildProcessError:
            return -1
        if pid:
            return status
        time.sleep(0.002)
    return -1


# ------------------------------------------------------------------------------------- in the fork


class Elsewhere:
    """A fork's wire to the trusted side, which also asks the course's stand-ins where they cannot run here."""

    def __init__(self) -> None:
        self.wire: socket.socket | None = None
        self.lock = threading.Lock()  # an answer's threads may ask, too

    def stand_ins(self) -> dict[str, Any]:
        return absent.asking(stand_ins.MODULES["in_numpy"], self.ask)

    def ask(self, name: str, args: tuple, kwargs: dict[str, Any]) -> Any:
        with self.lock:
            self.send({"stand_in": name, "args": args, "kwargs": kwargs})
            outcome = self.receive()
        if outcome["status"] == "value":
            value = outcome["value"]
            return tuple(value) if isinstance(value, list) else value
        raise getattr(builtins, outcome.get("type", ""), RuntimeError)(outcome.get("message", ""))

    def send(self, value: Any) -> None:
        data = pack(value)
        self.wire.sendall(struct.pack(">I", len(data)) + data)

    def receive(self) -> Any:
        (size,) = struct.unpack(">I", self._exactly(4))
        return unpack(self._exactly(min(size, MAX_BYTES)))

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.wire.recv(size - len(data))
            if not part:
                os._exit(0)  # the trusted side is done with this submission
            data += part
        return bytes(data)


def serve_and_exit(wire: Elsewhere, shell: Any) -> None:
    """Never returns, whatever a student's code raises: the code below it is the warm parent's."""
    try:
        serve(wire, shell)
    except BaseException:  # noqa: BLE001
        pass
    finally:
        os._exit(1)


def serve(wire: Elsewhere, shell: Any) -> None:
    """Serves one submission: its limits first, then cells and calls until the wire closes."""
    _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    os.setpgid(0, 0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings = wire.receive()
    limit(settings)
    WORK.mkdir()
    os.environ["HOME"] = str(WORK)
    os.chdir(WORK)
    sys.path.insert(0, "")  # as in a notebook: modules beside it can be imported
    runner = Runner(shell, settings["output_bytes"])
    wire.send(None)
    while True:
        request = wire.receive()
        wire.send(getattr(runner, request["do"])(request["what"]))


def limit(settings: dict[str, Any]) -> None:
    """The limits that the kernel keeps; time and the sum of memory are watched from outside."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = {
        resource.RLIMIT_AS: size + settings["memory_bytes"],  # torch alone maps several GiB
        resource.RLIMIT_FSIZE: settings["file_bytes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 256,  # what sockets and pipes hold counts for no process
    }
    if settings["limit_processes"]:
        most[resource.RLIMIT_NPROC] = settings["processes"] + 1  # the warm parent counts too
    for kind, number in most.items():
        resource.setrlimit(kind, (number, number))


class Runner:
    """Runs cells in IPython and calls answers, in one namespace."""

    def __init__(self, shell: Any, output_bytes: int) -> None:
        self.shell, self.outputs = shell, Outputs(output_bytes)
        self.plots = importlib.import_module("utils.plots")
        self.held: dict[str, Any] = {}
        shell.display_pub.publish = self.outputs.display
        shell.displayhook.write_format_data = lambda data, metadata=None: self.outputs.result(data, metadata or {})
        shell.displayhook.write_output_prompt = shell.displayhook.finish_displayhook = lambda: None
        shell.display_pub.clear_output = lambda wait=False: None
        shell._showtraceback = self.outputs.error
        builtins.input = getpass.getpass = refuse_input
        sys.stdout, sys.stderr = Stream("stdout", self.outputs), Stream("stderr", self.outputs)
        sys.stdin = open(os.devnull)

    def run_cell(self, cell: dict[str, Any]) -> list[dict]:
        """Runs one cell; returns its outputs as a notebook would hold them, the lesson's figures if they are wanted."""
        self.outputs.begin()
        self.plots.instead = None if cell["figures"] else self.outputs.not_drawn
        result = self.shell.run_cell(cell["source"], store_history=True)
        error = result.error_in_exec if result.error_before_exec is None else result.error_before_exec
        if error is not None and not self.outputs.has_error():  # also where a cell did away with showing errors
            self.outputs.error(type(error), error, traceback.format_exception(error))
        return self.outputs.taken()

    def names(self, sources: list[str]) -> list[dict[str, Any]]:
        """The names of cells that have not run yet (see `utils.names`)."""
        found = [names.names(self.shell.transform_cell(source))._asdict() for source in sources]
        return [{key: sorted(part) if isinstance(part, set) else part for key, part in cell.items()} for cell in found]

    def write(self, part: dict[str, Any]) -> None:
        """Adds to a file in the working folder."""
        with open(WORK / part["name"], "ab") as file:
            file.write(part["data"].tobytes())

    def made(self, known: list[str]) -> dict[str, Any]:
        """The bytes of the files in the working folder but for the known ones, as long as they are not too large."""
        from numpy import fromfile, uint8

        found, room = {}, MAX_BYTES // 2
        for entry in sorted(os.scandir(WORK), key=lambda entry: entry.name):
            if entry.name not in known and entry.is_file(follow_symlinks=False):
                room -= entry.stat().st_size
                if room >= 0:
                    found[entry.name] = fromfile(entry.path, uint8)
        return found

    def hold(self, name: str) -> None:
        """Keeps what a name stands for now; calls use it whatever later cells do to the name."""
        if name in self.shell.user_ns:
            self.held[name] = self.shell.user_ns[name]

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """One call of a held answer; what it prints or shows is nobody's."""
        self.shell.user_ns.update(self.held)
        try:
            return probe.run(self.shell.user_ns, request)
        except BaseException as error:  # SystemExit, KeyboardInterrupt and the like
            return {"status": "error", "type": type(error).__name__, "message": text_of(error)[:200]}
        finally:
            self.outputs.taken()


class Outputs:
    """The outputs of one cell at a time, cut at a limit over all cells."""

    def __init__(self, limit: int) -> None:
        self.limit = self.left = limit
        self.said = False  # that something was cut
        self.items: list[dict] = []

    def begin(self) -> None:
        self.items = []

    def taken(self) -> list[dict]:
        items, self.items = self.items, []
        return [item | {"text": "".join(item["text"])} if "text" in item else item for item in items]

    def has_error(self) -> bool:
        return any(item["output_type"] == "error" for item in self.items)

    def stream(self, name: str, text: str) -> None:
        goes_on = bool(self.items) and self.items[-1].get("name") == name
        room = max(0, self.left if goes_on else self.left - ITEM)
        self.left = room - len(text)
        if self.left < 0:
            text = text[:room] + self._cut()
        if text and goes_on:
            self.items[-1]["text"].append(text)  # joined at the end: cells may print a million times
        elif text:
            self.items.append({"output_type": "stream", "name": name, "text": [text]})

    def display(self, data: dict, metadata: dict | None = None, **_: Any) -> None:
        self._add({"output_type": "display_data", "data": bundle(data), "metadata": {}})

    def not_drawn(self) -> None:
        self.display({"text/plain": NOT_DRAWN})

    def result(self, data: dict, metadata: dict) -> None:
        self._add({"output_type": "execute_result", "data": bundle(data), "metadata": {}})

    def error(self, kind: type, error: BaseException, trace: list[str]) -> None:
        self._add(
            {
                "output_type": "error",
                "ename": kind.__name__,
                "evalue": text_of(error),
                "traceback": [str(t) for t in trace],
            }
        )

    def _add(self, item: dict) -> None:
        size = ITEM + sum(len(part) for part in [*item.get("data", {}).values(), *item.get("traceback", [])])
        self.left -= size
        if self.left >= 0:
            self.items.append(item)
        elif note := self._cut():
            self.items.append({"output_type": "stream", "name": "stdout", "text": [note]})

    def _cut(self) -> str:
        """The sentence that something was left out, once."""
        said, self.said = self.said, True
        return "" if said else CUT.format(limit=self.limit)


class Stream(io.TextIOBase):
    """What sys.stdout and sys.stderr are in a fork."""

    encoding = "utf-8"

    def __init__(self, name: str, outputs: Outputs) -> None:
        self.name, self.outputs = name, outputs

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.outputs.stream(self.name, str(text))
        return len(text)


def bundle(data: Any) -> dict[str, str]:
    """The parts of a mime bundle that are text; pictures as base64."""
    from base64 import b64encode

    parts = {key: b64encode(part).decode() if isinstance(part, bytes) else part for key, part in dict(data).items()}
    return {str(key): str(part) for key, part in parts.items() if isinstance(part, str)}


def text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def refuse_input(prompt: object = "") -> str:
    raise RuntimeError(NO_INPUT)


if __name__ == "__main__":
    main()
