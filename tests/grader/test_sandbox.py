"""Each promise of the sandbox, by code that tries to break it.

Every test uses the same warm interpreter, and leaves it as it found it (see `untouched`).
"""

import hashlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grader.sandbox import Died, Limits, Sandbox, SandboxMissing, Unprotected, bubblewrap
from grader.sandbox.process import rebuilt
from utils.values import Tensor, Unsupported

MIB = 1 << 20
LIMITS = Limits(
    seconds=1, submission_seconds=20, memory_bytes=300 * MIB, processes=12, file_bytes=2 * MIB, output_bytes=50_000
)
SECRET = secrets.token_hex(20)  # planted where no student's code may look
WIRE = """
import os, socket, stat, struct
from utils.values import pack
wire = next(fd for fd in range(3, 256) if os.path.exists(f"/proc/self/fd/{fd}") and stat.S_ISSOCK(os.fstat(fd).st_mode))
"""


@pytest.fixture(scope="module")
def sandbox():
    os.environ["GRADER_TEST_SECRET"] = SECRET
    planted = [bubblewrap.PROJECT / f"{SECRET}.txt", Path(tempfile.gettempdir()) / f"{SECRET}.txt"]
    try:
        for path in planted:
            path.write_text(SECRET)
        with Sandbox(LIMITS) as sandbox:
            sandbox.warm()
            yield sandbox
    finally:
        del os.environ["GRADER_TEST_SECRET"]
        for path in planted:
            path.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def untouched(request):
    """No test but those that say so restarts the warm interpreter."""
    if "sandbox" not in request.fixturenames or "restarts" in request.fixturenames:
        yield
        return
    sandbox = request.getfixturevalue("sandbox")
    before = sandbox.process.pid
    yield
    assert sandbox.process.pid == before


@pytest.fixture
def restarts():
    """Says that the test is one that restarts the interpreter."""


@pytest.fixture
def patient(sandbox, monkeypatch):
    """Gives student code more time, where it has much to look through."""
    monkeypatch.setattr(sandbox, "limits", replace(LIMITS, seconds=20))


@pytest.fixture
def student(sandbox):
    with sandbox.student() as student:
        yield student


def shown(outputs):
    """All text of a cell's outputs."""
    texts = [o.get("text", "") + o.get("data", {}).get("text/plain", "") + o.get("evalue", "") for o in outputs]
    return "".join(texts)


def run(sandbox, *sources):
    """What the last of some cells shows, in a fork of its own."""
    with sandbox.student() as student:
        return [shown(student.run_cell(source)) for source in sources][-1]


def death(sandbox, *sources):
    """How the last of some cells ends its fork."""
    with sandbox.student() as student:
        for source in sources[:-1]:
            student.run_cell(source)
        with pytest.raises(Died) as died:
            student.run_cell(sources[-1])
    return died.value


def call(student, source, *args, **more):
    """The outcome of calling `f` as the source defines it."""
    student.run_cell(source)
    student.hold("f")
    return student.call({"name": "f", "args": list(args), "kwargs": {}} | more)


# --------------------------------------------------------------------------------------- as a notebook


def test_state_is_kept_between_cells(student):
    student.run_cell("x = 20")
    assert student.run_cell("print('sum'); x + 1") == [
        {"output_type": "stream", "name": "stdout", "text": "sum\n"},
        {"output_type": "execute_result", "metadata": {}, "data": {"text/plain": "21"}, "execution_count": None},
    ]


def test_streams_are_merged_in_order(student):
    outputs = student.run_cell("import sys\nprint(1)\nprint(2)\nprint(3, file=sys.stderr)\nprint(4)")
    assert [(o["name"], o["text"]) for o in outputs] == [("stdout", "1\n2\n"), ("stderr", "3\n"), ("stdout", "4\n")]


def test_figures_appear_as_pictures(student):
    student.run_cell("import matplotlib.pyplot as plt")
    (output,) = student.run_cell("plt.plot([1, 2]);")
    assert output["output_type"] == "display_data" and output["data"]["image/png"].startswith("iVBOR")


@pytest.mark.parametrize("name", ["numpy", "matplotlib.pyplot", "torch"])
def test_a_submission_finds_large_libraries_imported(sandbox, name):
    """Before it imports anything, in each fork; not where they are out of its reach."""
    pytest.importorskip(name)
    for _ in range(2):
        assert run(sandbox, f"__import__('sys').modules['{name}'].__name__") == f"'{name}'"
    if name == "torch":
        with sandbox.student(without=["torch"]) as student:
            assert shown(student.run_cell("'torch' in __import__('sys').modules")) == "False"


def test_magics_and_commands_work(student):
    assert "per loop" in shown(student.run_cell("%timeit -n1 -r1 1 + 1"))
    assert "hello" in shown(student.run_cell("!echo hello"))
    assert "Wall time" in shown(student.run_cell("%%time\n1 + 1"))


def test_an_exception_is_an_error_output(student):
    (output,) = student.run_cell("1 / 0")
    assert (output["output_type"], output["ename"]) == ("error", "ZeroDivisionError")
    assert shown(student.run_cell("1 +")).startswith("invalid syntax")
    assert "null" in shown(student.run_cell("x = '\0'"))


def test_input_fails_with_a_sentence(student):
    assert "input() is not available" in shown(student.run_cell("input('name? ')"))
    assert "input() is not available" in shown(student.run_cell("from getpass import getpass; getpass()"))


@pytest.mark.parametrize(
    "source", ["exit()", "quit()", "import sys; sys.exit(3)", "raise SystemExit", "raise KeyboardInterrupt"]
)
def test_leaving_ends_no_more_than_the_cell(student, source):
    student.run_cell("x = 5")
    student.run_cell(source)
    assert shown(student.run_cell("x")) == "5"


def test_files_lie_in_the_working_folder(sandbox):
    with sandbox.student({"data.txt": b"seven"}) as student:
        assert shown(student.run_cell("print(open('data.txt').read())")) == "seven\n"


def test_an_answer_is_held_whatever_later_cells_do(student):
    student.run_cell("def f(x): return x + 1")
    student.hold("f")
    student.run_cell("def f(x): return 0")
    assert student.call({"name": "f", "args": [1], "kwargs": {}})["value"] == 2


def test_what_a_call_prints_is_nobodys(student):
    source = "def f(x):\n    print(x)\n    display(x)\n    import sys; sys.displayhook(5)\n    return x"
    assert call(student, source, 3.5)["value"] == 3.5
    assert student.run_cell("None") == []


@pytest.mark.parametrize("source", ["raise SystemExit(1)", "raise KeyboardInterrupt", "exit()", "raise GeneratorExit"])
def test_leaving_from_a_call_is_an_error(student, source):
    outcome = call(student, f"def f(x):\n    {source}", 1)
    assert outcome["status"] in ("error", "value") and outcome.get("value") is None


# ------------------------------------------------------------------------------- ends of an interpreter


@pytest.mark.parametrize(
    "source, reason, says",
    {
        "os._exit": ("import os; os._exit(3)", "killed", "ended the interpreter (exit status 3)"),
        "segfault": ("import ctypes; ctypes.string_at(0)", "killed", "was killed by signal 11"),
        "abort": ("import os; os.abort()", "killed", "was killed by signal 6"),
        "loop": ("while True: pass", "timeout", "took longer than 1 s"),
        "stubborn loop": ("while True:\n  try:\n    while True: pass\n  except BaseException: pass", "timeout", "took"),
        "loop in C": ("9 ** 9 ** 9", "timeout", "took longer than 1 s"),
        "regex": ("import re; re.match('(a*)*b', 'a' * 50)", "timeout", "took longer than 1 s"),
        "sleep": ("import time; time.sleep(100)", "timeout", "took longer than 1 s"),
        "stopped": ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "timeout", "took longer than 1 s"),
        "kill group": ("import os; os.killpg(0, 9)", "killed", "was killed by signal 9"),
        "fork bomb": ("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", "timeout", "took longer"),
        "memory in several processes": (
            "import os, time\nfor _ in range(6):\n  try: os.fork()\n  except OSError: pass\nx = bytearray(60 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\n"
            "time.sleep(9)", "memory", "used more than 0.29 GiB of memory",
        ),
        "closes its wire": (WIRE + "os.close(wire)\nimport time; time.sleep(9)", "killed", "closed its connection"),
    }.values(),
    ids=lambda value: value[:20] if value in ("killed", "timeout", "memory") else "",
)  # fmt: skip
def test_a_fork_that_ends_says_why(sandbox, source, reason, says):
    died = death(sandbox, source)
    assert died.reason == reason and says in died.sentence
    assert run(sandbox, "1 + 1") == "2"


def test_a_thread_bomb_ends(sandbox):
    source = "import threading, time\nwhile True:\n  try: threading.Thread(target=time.sleep, args=(9,)).start()\n  except RuntimeError: pass"
    assert death(sandbox, source).reason in (
        "timeout",
        "killed",
        "processes",
    )  # what no thread can be made for fails too


def test_killing_everything_reaches_nothing(sandbox):
    assert run(sandbox, "import os\ntry: os.kill(-1, 9)\nexcept ProcessLookupError: print('nobody')") == "nobody\n"


def test_a_call_is_limited_like_a_cell(student):
    with pytest.raises(Died, match="took longer than 1 s"):
        call(student, "def f(x):\n    while True: pass", 1)
    with pytest.raises(Died, match="was not run"):
        student.run_cell("1")


def test_the_submission_has_a_limit_of_its_own(sandbox):
    with sandbox.student(seconds=0.5) as student, pytest.raises(Died, match="submission's time was used up"):
        student.run_cell("while True: pass")


def test_the_number_of_processes_is_limited(sandbox):
    source = "import os, time\nn = 0\ntry:\n  while True:\n    if os.fork() == 0: time.sleep(9); os._exit(0)\n    n += 1\nexcept OSError: print(n)"
    assert 0 < int(run(sandbox, source)) <= LIMITS.processes


def test_one_large_array_is_a_memory_error(sandbox):
    assert "Unable to allocate" in run(sandbox, "import numpy as np; np.ones(10 ** 9)")
    assert run(sandbox, "try:\n    x = bytearray(1 << 33)\nexcept MemoryError: print('refused')") == "refused\n"


def test_memory_that_counts_for_no_process_is_refused(sandbox):
    assert "Operation not permitted" in run(sandbox, "import os; os.memfd_create('x')")
    assert run(sandbox, "import ctypes; ctypes.CDLL(None).shmget(0, 1 << 20, 0o1600)") == "-1"


def test_a_full_disk_is_an_error_in_the_students_code_only(sandbox, patient):
    source = "n = 0\ntry:\n  while True:\n    open(f'/tmp/{n}', 'wb').write(bytes(1 << 20)); n += 1\nexcept OSError as e: print(n, e.strerror)"
    written, why = run(sandbox, source).split(maxsplit=1)
    assert int(written) <= bubblewrap.SPACE // MIB and "No space" in why
    assert run(sandbox, "open('/tmp/x', 'wb').write(bytes(1 << 20))") == str(MIB)


@pytest.mark.parametrize(
    "write", ["f.truncate(1 << 40)", "f.seek(1 << 40); f.write(b'x'); f.flush()", "f.write(bytes(1 << 22)); f.flush()"]
)
def test_large_and_sparse_files_are_refused(sandbox, write):
    assert "File too large" in run(
        sandbox, "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + f"f = open('x', 'wb'); {write}"
    )


@pytest.mark.parametrize(
    "flood",
    [
        "while True: print('x' * 100)",
        "import sys\nfor _ in range(10 ** 4): print(end='1'); print(end='2', file=sys.stderr)",
        "for _ in range(20_000): display({}, raw=True)",
        "for _ in range(900): display('x' * 100)",
        "raise ValueError('x' * 10 ** 6)",
        "x = 'x' * 10 ** 6; x",
    ],
)
def test_output_is_cut_with_a_sentence(sandbox, flood):
    with sandbox.student() as student:
        if flood.startswith("while"):
            with pytest.raises(Died, match="took longer"):
                student.run_cell(flood)
            return
        outputs = student.run_cell(flood)
        assert len(repr(outputs)) < 4 * LIMITS.output_bytes
        assert shown(outputs).count("output cut here: more than 50000 bytes") == 1
        assert student.run_cell("print('more')") == []
        assert call(student, "f = lambda x: x", 1)["value"] == 1  # costs no points


# ----------------------------------------------------------------------------- nothing is left behind


def test_a_daemon_is_gone_afterwards(sandbox):
    source = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            try: open('/tmp/alive', 'a').write('x')
            except OSError: pass
            time.sleep(0.01)
    os._exit(0)
time.sleep(0.1); print(open('/tmp/alive').read()[:1])
"""
    assert run(sandbox, source) == "x\n"
    assert list(sandbox.usage()) == [0, 0]
    assert run(sandbox, "import os, time; time.sleep(0.1); os.path.exists('/tmp/alive')") == "False"


LEFT = """
import os
for top in ("/tmp", "/dev/shm"):
    os.makedirs(f"{top}/locked/inner"); open(f"{top}/locked/inner/note", "w").write("answer")
    os.symlink("/usr", f"{top}/link"); os.mkfifo(f"{top}/pipe"); open(f"{top}/\\udcff\\n", "w").write("answer")
    os.chmod(f"{top}/locked/inner", 0); os.chmod(f"{top}/locked", 0)
    try: os.setxattr(top, "user.note", b"answer")
    except OSError: pass
    try: os.chmod(top, 0)
    except OSError: pass
os.chdir("/dev/shm") if os.access("/dev/shm", 7) else None
"""
DEEP = "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')\nopen('answer', 'w').close()"


@pytest.mark.parametrize("leave", [LEFT, DEEP], ids=["locked", "deep"])
def test_files_of_the_previous_submission_are_gone(sandbox, leave):
    look = """
import os
for top in ("/tmp", "/dev/shm"):
    own = [name for name in os.listdir(top) if name not in ("work", ".cache") and not os.path.ismount(f"{top}/{name}")]
    print(own, os.listdir("/tmp/work"), [n for n in os.listxattr(top) if n.startswith("user")], oct(os.stat(top).st_mode)[-3:])
"""
    before = run(sandbox, look)
    run(sandbox, leave)
    assert run(sandbox, look).split("]")[:2] == before.split("]")[:2]
    assert "note" not in run(sandbox, look) and "[" in before


# Finds a text by its start and its hash, so that what looks for it does not hold it.
MEMORY = """
import hashlib, re
def in_memory(start, digest):
    found, pattern = 0, re.compile(start.encode() + b"[0-9a-f]{32}")
    with open("/proc/self/mem", "rb", 0) as memory:
        for line in open("/proc/self/maps"):
            begin, end, rights = re.match(r"(\\w+)-(\\w+) (r?)(w?)", line).group(1, 2, 4)
            if rights != "w": continue
            memory.seek(int(begin, 16))
            try: part = memory.read(int(end, 16) - int(begin, 16))
            except (OSError, ValueError, MemoryError): continue
            found += sum(hashlib.sha256(m.group()).hexdigest() == digest for m in pattern.finditer(part))
    return found
"""


def test_nothing_of_ours_or_of_the_previous_submission_is_in_memory(sandbox, patient):
    earlier = secrets.token_hex(20)
    run(sandbox, f"note = '{earlier}'")
    for secret in (SECRET, earlier):
        look = f"in_memory({secret[:8]!r}, {hashlib.sha256(secret.encode()).hexdigest()!r})"
        assert run(sandbox, MEMORY, look) == "0"
    assert int(run(sandbox, MEMORY, f"note = '{earlier}'", look)) > 0  # it would be found


@pytest.mark.parametrize(
    "way",
    [
        "libc.syscall(248, b'user', b'note', b'answer', 6, -4)",  # add_key to the user's keyring
        "libc.shmget(1234, 4096, 0o1600)",
        "libc.semget(1234, 1, 0o1600)",
        "libc.msgget(1234, 0o1600)",
        "ctypes.CDLL('librt.so.1').mq_open(b'/note', 0o102, 0o600, None)",
    ],
)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="a system call by number")
def test_the_kernel_keeps_nothing_for_the_next_submission(sandbox, way):
    assert run(sandbox, f"import ctypes; libc = ctypes.CDLL(None); {way}") == "-1"


def test_the_descriptors_of_a_fork_hold_nothing(sandbox):
    run(sandbox, "import os\nfor fd in range(3):\n  try: os.write(fd, b'answer')\n  except OSError: pass")
    source = "import os\nprint({os.readlink(f'/proc/self/fd/{fd}').split(':')[0] for fd in os.listdir('/proc/self/fd') if os.path.lexists(f'/proc/self/fd/{fd}')})"
    assert eval(run(sandbox, source)) <= {"/dev/null", "socket"}


# ------------------------------------------------------------------------- the warm interpreter is safe


@pytest.mark.parametrize("number", [*range(1, 32), 34, 64])
def test_no_signal_reaches_the_warm_interpreter(sandbox, number):
    assert run(sandbox, f"import os; os.kill(1, {number})") == ""
    assert run(sandbox, "1 + 1") == "2"


@pytest.mark.parametrize(
    "reach",
    [
        "open('/proc/1/mem', 'r+b')",
        "open('/proc/1/environ').read()",
        "open('/proc/1/maps').read(1)",
        "os.listdir('/proc/1/fd')",
        "os.listdir('/proc/1/cwd/')",
        "open('/proc/1/oom_score_adj', 'w').write('1000')",
        "resource.prlimit(1, resource.RLIMIT_NPROC, (1, 1))",
        "resource.prlimit(os.getppid(), resource.RLIMIT_AS, (1 << 30, 1 << 30))",
        "os.setpriority(os.PRIO_PROCESS, 1, 19)",
        "os.sched_setaffinity(1, {0})",
        "os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0))",
        "os.setuid(0)",
    ],
)
def test_nothing_reaches_into_the_warm_interpreter(sandbox, reach):
    found = run(sandbox, f"import os, resource; {reach}")
    assert any(refusal in found for refusal in ("not permitted", "denied", "Invalid argument"))


def test_ptrace_does_not_attach(sandbox):
    assert run(sandbox, "import ctypes; ctypes.CDLL(None).ptrace(16, 1, 0, 0)") == "-1"


def test_no_namespace_can_be_made(sandbox):
    assert run(sandbox, "import ctypes; ctypes.CDLL(None).unshare(0x10000000)") == "-1"
    assert "not permitted" in run(sandbox, "!unshare --user true")


def test_a_fork_can_lower_its_own_limits_only(sandbox):
    ask = "import resource; resource.getrlimit(resource.RLIMIT_NOFILE)"
    before = run(sandbox, ask)
    assert (
        run(
            sandbox,
            "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)); resource.getrlimit(resource.RLIMIT_NOFILE)",
        )
        == "(20, 20)"
    )
    assert run(sandbox, ask) == before
    assert "not allowed" in run(sandbox, "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))")


def test_modules_that_one_submission_patches_are_whole_for_the_next(sandbox):
    run(sandbox, "import numpy, utils.probe, builtins; numpy.exp = utils.probe.run = builtins.abs = None")
    with sandbox.student() as student:
        assert call(student, "import numpy\ndef f(x): return numpy.exp(x) + abs(-2)", 0.0)["value"] == 3.0


def test_what_a_torch_lesson_needs_is_imported_once_for_all_submissions(sandbox):
    before, after = "import sys; before = set(sys.modules); 'torch' in before", "sorted(set(sys.modules) - before)"
    answer = "import torch\nfrom torch import nn\ndef f(x): return LayerNorm(2)(torch.ones(1, 2)).shape[-1]"
    with sandbox.student() as student:
        assert shown(student.run_cell(before)) == "True"
        outcome = call(student, answer, 0.0, stand_ins=["LayerNorm"], refuse=["nn.GroupNorm"])
        assert outcome["status"] == "value" and shown(student.run_cell(after)) == "[]"


def test_modules_that_a_submission_patches_do_not_ask_its_own_answers(sandbox):
    patched = "import sys, utils.modules, utils.operators, utils.stand_ins as s, utils.stand_ins.in_torch as t\n"
    patched += "utils.modules.ask = utils.operators.watch = s.load = s.stand_in = t.LayerNorm = None"
    answer = "import torch\nclass Two(torch.nn.Linear): pass\ndef f(x): return LayerNorm(2)(torch.ones(1, 2)).shape[-1]"
    request = {"name": "Two", "args": [], "probe": "module", "kwargs": {}}
    request["kwargs"] = {
        "build": [2, 1], "options": {}, "parameters": {"weight": "(9, 9)", "bias": "(1,)"},
        "seed": 0, "training": False, "inputs": [], "named": {}, "ask": "output",
    }  # fmt: skip
    with sandbox.student() as student:
        student.run_cell(f"{patched}\n{answer}")
        for name in ("Two", "f"):
            student.hold(name)
        unfit = student.call(request)
        with_stand_in = student.call({"name": "f", "args": [0.0], "stand_ins": ["LayerNorm"], "refuse": ["nn.GroupNorm"]})
    assert unfit == {"status": "unfit", "message": "expected the parameter `weight` to have shape (9, 9), got (1, 2)"}
    assert with_stand_in["status"] == "value" and with_stand_in["value"] == 2


def test_it_starts_again_when_it_is_killed_from_outside(sandbox, restarts):
    inner = max(sandbox.warm_pids)
    os.kill(inner, signal.SIGKILL)
    assert run(sandbox, "1 + 1") == "2"
    with sandbox.student() as student:
        os.kill(max(sandbox.warm_pids), signal.SIGKILL)
        with pytest.raises(Died):
            student.run_cell("import time; time.sleep(1)")
    assert run(sandbox, "1 + 1") == "2"


@pytest.mark.parametrize("kind", ["Sandbox", "Unprotected"])
def test_it_ends_when_the_trusted_side_goes(kind):
    source = f"""
import sys, time
from grader.sandbox import {kind}
from grader.sandbox.process import _descendants
sandbox = {kind}(); sandbox.__enter__()
student = sandbox.student().__enter__()
student.run_cell("import os, time\\nif os.fork() == 0: time.sleep(100)")
print(*({{sandbox.process.pid, *_descendants(sandbox.process.pid)}}), flush=True)
time.sleep(100)
"""
    env = os.environ | {"PYTHONPATH": str(bubblewrap.PROJECT)}
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, env=env) as trusted:
        pids = trusted.stdout.readline().split()
        assert len(pids) >= 3
        trusted.kill()
    until = time.monotonic() + 5
    while (left := [pid for pid in pids if _runs(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# ----------------------------------------------------------------------------------- nothing is visible


def test_no_file_of_the_project_is_visible(sandbox, patient):
    source = """
import os, sys
names, texts = set(), []
def look(top):
    for folder, below, files in os.walk(top):
        if folder in ("/proc", "/sys"): below.clear()
        names.update(below, files)
        if not folder.startswith(("/usr", "/lib", sys.prefix, sys.base_prefix)) and "site-packages" not in folder:
            for name in files:
                path = os.path.join(folder, name)
                try: texts.append(open(path, errors="replace").read(100_000) if os.path.isfile(path) else "")
                except OSError: pass
look("/")
"""
    own = ["solutions", "submissions", "exercises", "01_self_attention.py", "grading.py", "submission.py", ".git"]
    assert all(list(bubblewrap.PROJECT.rglob(name)) for name in own if name != ".git")
    with sandbox.student() as student:
        assert student.run_cell(source) == []
        found = call(student, "f = lambda wanted: [name for name in wanted if name in names]", own)["value"]
        assert found == []
        assert call(student, "f = lambda secret: sum(secret in text for text in texts)", SECRET)["value"] == 0
        assert call(student, "f = lambda secret: sum(secret in name for name in names)", SECRET)["value"] == 0
        assert shown(student.run_cell("'inside.py' in names")) == "True"  # it did look


def test_no_environment_or_command_line_of_ours_is_visible(sandbox):
    source = """
import os, glob
texts = [str(dict(os.environ))]
for path in glob.glob("/proc/[0-9]*/*") + glob.glob("/proc/*"):
    if os.path.basename(path) in ("environ", "cmdline", "mounts", "keys", "comm"):
        try: texts.append(open(path, errors="replace").read())
        except OSError: pass
"""
    with sandbox.student() as student:
        student.run_cell(source)
        assert call(student, "f = lambda secret: sum(secret in text for text in texts)", SECRET)["value"] == 0
        assert set(eval(shown(student.run_cell("sorted(os.environ)")))) <= set(bubblewrap.ENVIRONMENT) | {
            "PWD", "MPLCONFIGDIR", "PAGER", "CLICOLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "GIT_PAGER", "LC_CTYPE",
            "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "TORCHINDUCTOR_CACHE_DIR", "COLUMNS", "LINES", "SHLVL", "_", "OLDPWD",
        }  # fmt: skip


def test_no_other_process_is_visible(sandbox):
    pids = run(sandbox, "import os; print(*[pid for pid in os.listdir('/proc') if pid.isdigit()])").split()
    assert "1" in pids and len(pids) == 2


@pytest.mark.parametrize(
    "path", ["/", "/course", "/course/utils", "/usr", "/usr/bin/python3", sys.prefix, "/etc", "/dev"]
)
def test_nothing_but_the_writable_folders_can_be_written(sandbox, path):
    source = f"import os; os.access({path!r}, os.W_OK)"
    assert run(sandbox, source) == "False"


@pytest.mark.parametrize("address", ["('1.1.1.1', 53)", "('127.0.0.1', {port})", "('localhost', {port})"])
def test_no_network_and_no_loopback(sandbox, address):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = address.format(port=server.getsockname()[1])
        found = run(sandbox, f"import socket; socket.create_connection({address}, 1)")
    assert any(reason in found for reason in ("unreachable", "refused", "resolution", "not known"))


def test_no_abstract_socket_of_ours_is_reached(sandbox):
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + SECRET)
        server.listen()
        with sandbox.student() as student:
            outcome = call(
                student, "import socket\ndef f(name): socket.socket(socket.AF_UNIX).connect('\\0' + name)", SECRET
            )
    assert outcome["type"] == "ConnectionRefusedError"


# ----------------------------------------------------------------------------- what comes over the wire


@pytest.mark.parametrize(
    "data",
    {
        "giant": "struct.pack('>I', 0xffffffff)",
        "garbage": "struct.pack('>I', 3) + b'\\xc1\\xc1\\xc1'",
        "no outputs": "struct.pack('>I', 1) + b'\\xc0'",
        "pickle": "struct.pack('>I', 20) + b'\\x80\\x04\\x95' + bytes(17)",
        "deep": "struct.pack('>I', 100_000) + b'\\x91' * 100_000",
        "many": "struct.pack('>I', 30 << 20) + (b'\\xdd' + struct.pack('>I', (30 << 20) - 5) + b'\\x90' * (30 << 20))[: 30 << 20]",
        "wide": "struct.pack('>I', 5) + b'\\xdd\\x7f\\xff\\xff\\xff'",
    }.values(),
)
def test_a_forged_frame_ends_the_fork(sandbox, data):
    begin = time.monotonic()
    source = WIRE + f"data = {data}\nwhile data: data = data[os.write(wire, data):]\nimport time; time.sleep(9)"
    assert death(sandbox, source).reason == "protocol"
    assert time.monotonic() - begin < 2
    assert run(sandbox, "1 + 1") == "2"


def test_a_frame_that_comes_byte_by_byte_is_stopped_in_time(sandbox):
    begin = time.monotonic()
    source = (
        WIRE
        + "import time\nos.write(wire, struct.pack('>I', 1000))\nwhile True: os.write(wire, b'x'); time.sleep(0.01)"
    )
    assert death(sandbox, source).reason == "timeout"
    assert time.monotonic() - begin < 2 * LIMITS.seconds


def test_a_busy_wire_does_not_hide_memory(sandbox):
    source = (
        WIRE
        + "import time\nos.write(wire, struct.pack('>I', 100_000))\nx = []\nwhile True:\n  x.append(b'x' * (4 << 20)); os.write(wire, b'x')"
    )
    with_processes = "import os\nfor _ in range(3): os.fork()\n" + source
    assert death(sandbox, with_processes).reason in ("memory", "timeout")


def test_forged_outputs_are_rebuilt_from_known_fields():
    forged = {
        "output_type": "display_data",
        "data": {"text/html": "<b>", "application/javascript": "x", "text/plain": 5},
        "metadata": {"a": 1},
        "transient": 3,
    }
    assert rebuilt(forged) == {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/html": "<b>", "text/plain": ""},
    }
    assert rebuilt({"output_type": "stream", "name": "stdin", "text": "x"}) is None
    assert (
        rebuilt({"output_type": ["stream"]}) is None
        and rebuilt("stream") is None
        and rebuilt({"output_type": "update"}) is None
        and rebuilt({"output_type": np.zeros(2)}) is None
        and rebuilt({"output_type": "stream", "name": np.zeros(2), "text": "x"}) is None
    )
    assert (
        rebuilt({"output_type": "stream", "name": "stdout", "text": "\x1b]0;title\x07\x1b[31mred\x1b[0m\x9b2J\r\n"})[
            "text"
        ]
        == "]0;title\x1b[31mred\x1b[0m2J\n"
    )
    assert rebuilt({"output_type": "error", "ename": 1, "evalue": None, "traceback": [1, "a\x00"]})["traceback"] == [
        "",
        "a",
    ]


def test_an_extra_frame_is_no_way_out(sandbox):
    """It makes up results of the student's own code; nothing on our side is reached."""
    with sandbox.student() as student:
        forged = "data = pack([{'output_type': 'stream', 'name': 'stdout', 'text': 'forged'}])\nos.write(wire, struct.pack('>I', len(data)) + data)"
        assert shown(student.run_cell(WIRE + forged)) == "forged"


@pytest.mark.parametrize(
    "value, wanted",
    {
        "giant": ("np.broadcast_to(np.float64(1), (1 << 20, 1 << 20))", "array"),
        "object": ("np.array([object()])", "array"),
        "text array": ("np.array(['a'])", "array"),
        "subclass": ("type('A', (np.ndarray,), {'__eq__': lambda s, o: True})((2,))", "__main__.A"),
        "float subclass": ("type('F', (float,), {'__eq__': lambda s, o: True})(1)", "__main__.F"),
        "reduce": ("type('R', (), {'__reduce__': lambda s: (eval, ('1/0',))})()", "__main__.R"),
        "function": ("f", "function"),
        "huge number": ("10 ** 30", "int"),
        "complex": ("1j", "complex"),
        "masked": ("np.ma.array([1])", "numpy.ma.MaskedArray"),
    }.values(),
)  # fmt: skip
def test_other_objects_come_as_their_type_only(student, value, wanted):
    outcome = call(student, f"import numpy as np\ndef f(x): return {value}", 1)
    assert type(outcome["value"]) is Unsupported and outcome["value"].type_name == wanted


def test_small_views_come_as_what_they_show(student):
    outcome = call(student, "import numpy as np\ndef f(x): return np.broadcast_to(x[::-1], (2, 3)).T", np.arange(3))
    assert outcome["value"].tolist() == [[2, 2], [1, 1], [0, 0]]


def test_lists_that_hold_themselves_end(student):
    outcome = call(student, "def f(x):\n    x = []; x.append(x); return x", 1)
    assert outcome["status"] == "value"


def test_tensors_come_as_numbers(student):
    pytest.importorskip("torch")
    outcome = call(student, "import torch\ndef f(x): return (x * 2).requires_grad_()", Tensor(np.ones(2, np.float32)))
    assert type(outcome["value"]) is Tensor and outcome["value"].array.tolist() == [2, 2]


# -------------------------------------------------------------------- libraries that are out of reach


@pytest.fixture
def by_hand(sandbox, patient):
    """A submission whose answers are to do without PyTorch."""
    pytest.importorskip("torch")
    with sandbox.student(without=("torch", "scipy")) as student:
        yield student


def test_a_library_that_is_out_of_reach_can_be_imported_but_not_called(by_hand):
    sources = ["import torch", "import torch.nn.functional as F", "from scipy.special import softmax; from torch import nn"]
    assert [by_hand.run_cell(source) for source in sources] == [[], [], []]
    assert "torch is not there while this lesson is graded" in shown(by_hand.run_cell("F.softmax(torch.ones(3))"))
    assert "scipy is not there" in shown(by_hand.run_cell("softmax([1])"))
    assert shown(by_hand.run_cell("isinstance(5, torch.Tensor)")) == "False"
    assert call(by_hand, "def f(x): return F.softmax(x)", 1.0, refuse=["torch"])["message"].startswith("f called torch's softmax")


def test_no_process_finds_it_either(by_hand):
    look = "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'import torch; torch.ones(3)'], capture_output=True, text=True).stderr)"
    assert "Error" in shown(by_hand.run_cell(look))
    source = "import glob, sys; [*glob.glob(sys.prefix + '/lib/python*/*-packages/torch/*'), *glob.glob('/usr/lib/python3*/*-packages/torch/*')]"
    assert shown(by_hand.run_cell(source)) == "[]"


def test_stand_ins_work_nevertheless(by_hand):
    by_hand.run_cell("import numpy as np; from utils import carry; softmax, project_qkv, split_heads = carry('softmax', 'project_qkv', 'split_heads')")
    assert shown(by_hand.run_cell("softmax(np.zeros(4), axis=0)")) == "array([0.25, 0.25, 0.25, 0.25])"
    assert shown(by_hand.run_cell("[type(x).__name__ for x in project_qkv(*[np.eye(2)] * 4)]")) == "['ndarray', 'ndarray', 'ndarray']"
    assert "ValueError" in shown(by_hand.run_cell("try: split_heads(np.ones((2, 5)), 2)\nexcept ValueError as error: print(repr(error))"))
    assert "memory" in shown(by_hand.run_cell("project_qkv(np.ones((1 << 18, 1)), *[np.ones((1, 1 << 18))] * 3)"))
    assert shown(by_hand.run_cell("softmax(np.zeros(1))")) == "array([1.])"


def test_an_answer_may_call_the_stand_ins_of_earlier_exercises_only(by_hand):
    by_hand.run_cell("from utils import carry; softmax, self_attention = carry('softmax', 'self_attention')")
    by_hand.run_cell("import threading\ndef attend_one_word(x): return softmax(x)\nproject_qkv = self_attention")
    for name in ("attend_one_word", "project_qkv"):
        by_hand.hold(name)
    x = np.zeros((2, 2))
    assert by_hand.call({"name": "attend_one_word", "args": [x]})["value"].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    refused = by_hand.call({"name": "project_qkv", "args": [x] * 4})
    assert refused == {"status": "refused", "message": "project_qkv called the course's self_attention. This exercise is to be written by hand."}


def test_who_speaks_without_being_asked_is_stopped(sandbox):
    with sandbox.student() as student:
        student.run_cell(WIRE + "f = lambda x: os.write(wire, (struct.pack('>I', 1) + b'\\xc0') * 2) and None")
        student.hold("f")
        student.call({"name": "f", "args": [1]})
        with pytest.raises(Died, match="no result"):
            student.call({"name": "f", "args": [1]})


# --------------------------------------------------------------------------------- where there is none


def test_without_bubblewrap_it_refuses_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxMissing) as missing, Sandbox():
        pass
    text = str(missing.value)
    assert "apt install bubblewrap" in text and "--unprotected" in text and "\n" not in text and ". " not in text
    with pytest.raises(SandboxMissing):
        Sandbox.require()


def test_a_bubblewrap_that_may_make_no_sandbox_says_so(monkeypatch, tmp_path):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SandboxMissing, match="does not start: bwrap: No permissions"):
        with Sandbox() as sandbox, sandbox.student():
            pass


def test_a_processor_whose_system_calls_are_unknown_is_refused(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "vax")
    with pytest.raises(SandboxMissing, match="vax"):
        Sandbox.require()


def test_unprotected_keeps_time_and_cleans_up():
    with Unprotected(LIMITS) as sandbox:
        assert run(sandbox, "open('x', 'w').write('1'); import os; os.listdir()") == "['x']"
        assert run(sandbox, "import os; os.listdir()") == "[]"
        assert death(sandbox, "while True: pass").reason == "timeout"
