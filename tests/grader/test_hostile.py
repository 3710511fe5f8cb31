"""Notebooks that try for points their code does not earn, to read what is hidden, or to break the run."""

import json
import os
import time

import nbformat
import numpy as np
import pytest

from grader.demo import submission
from grader.errors import GraderError
from grader.grading import grade_file, hidden_checksets
from grader.sandbox import Limits, Sandbox
from grader.submission import read_submission, release_notebook, repair
from utils.values import Unsupported, pack, unpack

LESSON, SEED = "01_self_attention", 7  # one seed: the hidden answers are worked out once
FULL = {"softmax": 6, "project_qkv": 3, "attend_one_word": 4, "scaled_dot_product_attention": 6, "self_attention": 3}

SET_UP = next(cell.source for cell in release_notebook(LESSON).cells if cell.cell_type == "code")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(seconds=3, submission_seconds=60)) as opened:
        yield opened


@pytest.fixture
def grade(sandbox, tmp_path):
    """Grades a notebook as the file it would be submitted as."""

    def graded(notebook):
        path = tmp_path / f"{LESSON}.ipynb"
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return grade_file(path, SEED, sandbox)

    return graded


def cells(_first="", **answers):
    """A perfect submission but for these answers, and a cell before the first of them; without figures."""
    extra = f"\n# %%\n{_first}\n" if _first else ""
    notebook = submission(LESSON, "#\n" + extra + "".join(f'\n# %% solution="{n}"\n{s}\n' for n, s in answers.items()))
    notebook.cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata or cell.source in (SET_UP, _first)]
    return notebook


def scores(result):
    return {name: verdict.score for name, verdict in result.results.items()}


def statuses(result):
    return {name: verdict.status for name, verdict in result.results.items()}


def lost(result):
    """The exercises without full marks, and what they got."""
    return {name: score for name, score in scores(result).items() if score < FULL[name]}


def marked(notebook, kind):
    return [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get(kind)]


def find(notebook, grade_id):
    return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def texts(result):
    """All that the graded notebook shows."""
    return json.dumps([cell.get("outputs", []) for cell in result.notebook.cells], ensure_ascii=False)


WRONG = {name: f"def {name}(*args, **kwargs):\n    return 0" for name in FULL}
TORCH_SOFTMAX = "torch.softmax(torch.from_numpy(np.ascontiguousarray(x)), axis).numpy()"


# ------------------------------------------------------------------------------ the notebook's own data


def without_tests(notebook):
    notebook.cells = [cell for cell in notebook.cells if not cell.metadata.get("nbgrader", {}).get("grade")]


def renamed_tests(notebook):
    for cell in marked(notebook, "grade"):
        cell.metadata.nbgrader.grade_id += "_x"


def doubled_tests(notebook):
    notebook.cells += [nbformat.from_dict(dict(cell)) for cell in marked(notebook, "grade")]


def moved_tests(notebook):
    tests = marked(notebook, "grade")
    notebook.cells = tests + [cell for cell in notebook.cells if cell not in tests]


def edited_tests(notebook):
    for cell in marked(notebook, "grade"):
        cell.source = "1000"
        cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "1000"}, execution_count=1)]


def forged_marks(notebook):
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.update(
                points=1000, schema_version=99, locked=False, task=True, cell_type="raw", checksum="x"
            )


def swapped_tests(notebook):
    one, other = find(notebook, "test_softmax"), find(notebook, "test_self_attention")
    one.metadata.nbgrader.grade_id, other.metadata.nbgrader.grade_id = "test_self_attention", "test_softmax"


def skipped_by_tags(notebook):
    for cell in marked(notebook, "grade"):
        cell.metadata.tags = ["skip-execution", "raises-exception", "remove-cell"]
        cell.metadata.deletable = True


def text_for_tests(notebook):
    for cell in marked(notebook, "grade"):
        cell.cell_type = "markdown"
        cell.pop("outputs", None)


def no_kernelspec(notebook):
    notebook.metadata = {}


def another_kernelspec(notebook):
    notebook.metadata = {"kernelspec": {"name": "../../evil", "display_name": ["x"], "language": "bash"}}


def odd_ids(notebook):
    for cell in notebook.cells:
        cell.id = "<script>"


EDITS = [
    without_tests, renamed_tests, doubled_tests, moved_tests, edited_tests, forged_marks, swapped_tests,
    skipped_by_tags, text_for_tests, no_kernelspec, another_kernelspec, odd_ids,
]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_edits_change_neither_a_good_nor_a_bad_grade(edit, grade):
    notebook = cells(softmax=WRONG["softmax"], project_qkv="raise NotImplementedError")
    edit(notebook)
    result = grade(notebook)
    assert lost(result) == {"softmax": 0, "project_qkv": 0}, [v.message for v in result.results.values()]
    assert result.max_score == sum(FULL.values())
    points = {c.metadata.nbgrader.grade_id: c.metadata.nbgrader.points for c in marked(result.notebook, "grade")}
    assert points == {f"test_{name}": points for name, points in FULL.items()}
    assert len(marked(result.notebook, "grade")) == len(FULL)


def test_stripped_marks_mean_missing(grade):
    notebook = cells()
    for cell in notebook.cells:
        cell.metadata = {}
    assert set(statuses(grade(notebook)).values()) == {"missing"}


def test_an_answer_as_text_is_missing(grade):
    notebook = cells()
    cell = find(notebook, "softmax")
    cell.cell_type = "markdown"
    del cell["outputs"], cell["execution_count"]
    result = grade(notebook)
    assert lost(result) == {"softmax": 0} and statuses(result)["softmax"] == "missing"


def test_the_first_of_two_answers_counts(grade):
    notebook = cells(softmax=WRONG["softmax"])
    right = nbformat.from_dict(dict(find(cells(), "softmax")))
    notebook.cells.insert(notebook.cells.index(find(notebook, "softmax")) + 1, right)
    assert lost(grade(notebook)) == {"softmax": 0}


def test_a_moved_failure_gives_no_earlier_answer_away(grade):
    """Its stand-in would take its place, and an earlier answer could call that."""
    notebook = cells(
        scaled_dot_product_attention=WRONG["scaled_dot_product_attention"],
        softmax="def softmax(x, axis=-1):\n    x = np.moveaxis(x, axis, -1)[..., None]\n"
        "    weights = scaled_dot_product_attention(np.ones((*x.shape[:-2], 1, 1)), x, x)[1][..., 0, :]\n"
        "    return np.moveaxis(weights, -1, axis)",
    )  # fmt: skip
    moved = find(notebook, "scaled_dot_product_attention")
    notebook.cells.remove(moved)
    notebook.cells.insert(notebook.cells.index(find(notebook, "softmax")), moved)
    assert lost(grade(notebook)) == {"softmax": 0, "scaled_dot_product_attention": 0}


# ------------------------------------------------------------------------------------ forged results


LIAR = """
class Liar(BASE):
    __eq__ = __le__ = __lt__ = __ge__ = __gt__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __sub__ = __rsub__ = __abs__ = lambda self, *other: Liar(0) if BASE is not np.ndarray else self
    __array_priority__ = 1e9
    def __array_function__(self, *args): return True
    def __array_ufunc__(self, *args, **kwargs): return True
"""
RESULTS = {
    "nan": "np.full(np.shape(x), np.nan)",
    "infinity": "np.full(np.shape(x), np.inf)",
    "true": "True",
    "points": "6.0",
    "object array": "np.full(np.shape(x), Liar(0), dtype=object)",
    "liar": "Liar(0)",
    "array subclass": "np.asarray(x).view(type('A', (np.ndarray,), {'__eq__': lambda s, o: True}))",
    "stride 0": "np.broadcast_to(0.2, np.shape(x))",
    "giant": "np.broadcast_to(0.2, (1 << 40,))",
    "nested": "[[[[x]]]]",
    "empty": "np.empty((0,) * 20)",
    "outcome": "{'status': 'value', 'value': x, 'changed': False, 'score': 6}",
    "verdict": "type('Verdict', (), {'score': 6.0, 'status': 'passed'})()",
    "missing": "NotImplemented",
    "generator": "(number for number in x)",
    "class named as HTML": "type('<img src=http://x onerror=alert(1)>\\x1b[2J', (), {})()",
}


@pytest.mark.parametrize("value", RESULTS.values(), ids=RESULTS)
def test_a_result_that_is_no_answer_earns_nothing(value, grade):
    first = LIAR.replace("BASE", "float")
    result = grade(cells(first, softmax=f"def softmax(x, axis=-1):\n    return {value}"))
    assert scores(result)["softmax"] == 0
    shown = [output["data"]["text/html"] for cell in marked(result.notebook, "grade") for output in cell.outputs[:1]]
    assert len(shown) == len(FULL) and "<img" not in "".join(shown)
    assert "\\u001b" not in json.dumps(result.exercises())


PATCHES = {
    "numpy": "np.allclose = np.array_equal = np.isclose = lambda *a, **k: True\nnp.abs = lambda *a: np.zeros(())\nnp.testing.assert_allclose = print",
    "verdict": "import utils.judge, utils.compare\nutils.compare.compare = lambda *a, **k: None\nutils.judge.compare = lambda *a, **k: None\nutils.judge._failure = lambda *a: None",
    "tolerance": "import utils.compare\nutils.compare.TOLERANCE = 1e9",
    "check": "check = lambda answer: None\nimport utils.check as c",
    "display hook": "import sys\nsys.displayhook = lambda value: print('6.0')\nsys.displayhook(5)",
    "shell": "get_ipython().run_cell = lambda *a, **k: None",
    "transformer": "import ast\nclass T(ast.NodeTransformer):\n    def visit_Assert(self, node): return None\nget_ipython().ast_transformers.append(T())",
    "exceptions": "get_ipython().set_custom_exc((Exception,), lambda *a, **k: None)",
    "hooks": "import sys, atexit\nsys.excepthook = print\natexit.register(print, '6.0')",
    "frames": "import sys\nframe = sys._getframe()\nwhile frame:\n    frame.f_globals.update(score=6.0, expected=0); frame = frame.f_back",
    "collector": "import gc\nfor o in gc.get_objects():\n    if type(o) is dict and 'status' in o: o['status'] = 'passed'",
    "events": "get_ipython().events.register('post_run_cell', lambda *a: print('6.0'))",
    "numpy state": "np.seterr(all='raise'); np.random.seed(0); np.set_printoptions(precision=0)",
    "environment": "import os\nos.environ.clear(); os.chdir('/')",
}  # fmt: skip


@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES)
def test_patches_change_no_grade(patch, grade):
    wrong = {name: WRONG[name] for name in ("softmax", "project_qkv")}
    assert {"softmax": 0, "project_qkv": 0}.items() <= lost(grade(cells(patch, **wrong))).items()


def test_visible_answers_by_heart_earn_nothing(grade):
    data = (release_path().parent / f"{LESSON}.checks.json").read_text()
    questions = next(e for e in json.loads(data) if e["exercise"] == "softmax")["questions"]
    pairs = [
        (q["request"]["args"][0], q["expected"].get("value"))
        for q in questions
        if isinstance(q["request"]["args"][0], dict)
    ]
    learnt = [(a["data"], v["data"], v["shape"]) for a, v in pairs]
    by_value = f"ANSWERS = {learnt!r}\ndef softmax(x, axis=-1):\n    return next((np.array(v).reshape(s) for a, v, s in ANSWERS if len(a) == x.size and np.allclose(a, x.ravel())), x)"
    by_count = f"ANSWERS, calls = {learnt!r}, []\ndef softmax(x, axis=-1):\n    calls.append(1)\n    a, v, s = ANSWERS[(len(calls) - 1) % len(ANSWERS)]\n    return np.array(v).reshape(s)"
    inf = "from math import inf\n"
    for source in (by_value, by_count):
        result = grade(cells(softmax=(inf + source).replace("Infinity", "inf")))
        assert scores(result)["softmax"] == 0 and result.results["softmax"].status == "failed"


def release_path():
    from grader.lessons import COURSE_ROOT

    return COURSE_ROOT / "notebooks" / LESSON / f"{LESSON}.ipynb"


@pytest.mark.parametrize("patch", ["", "import utils.probe\nutils.probe._same = lambda *a: True"])
def test_changing_inputs_in_place_earns_what_it_should(patch, grade):
    source = "def softmax(x, axis=-1):\n    x -= x.max(axis=axis, keepdims=True)\n    np.exp(x, out=x)\n    x /= x.sum(axis=axis, keepdims=True)\n    return x"
    result = grade(cells(patch, softmax=source))
    assert scores(result)["softmax"] < FULL["softmax"]
    assert result.results["softmax"].mistake.name == "input_changed_in_place"


LIBRARY = {
    "plain": f"import torch\ndef softmax(x, axis=-1):\n    return {TORCH_SOFTMAX}",
    "renamed": f"import torch\ntorch = __import__('tor' + 'ch')\ndef softmax(x, axis=-1):\n    return {TORCH_SOFTMAX}",
    "from modules": f"import sys, torch\ndef softmax(x, axis=-1):\n    torch = sys.modules['torch']\n    return {TORCH_SOFTMAX}",
    "scipy's": "def softmax(x, axis=-1):\n    from scipy.special import softmax\n    return softmax(x, axis)",
    "hook off and on": f"import sys, torch\ndef softmax(x, axis=-1):\n    hook = sys.getprofile()\n    sys.setprofile(None)\n    y = {TORCH_SOFTMAX}\n    sys.setprofile(hook)\n    return y",
    "stand-in": "from utils import carry\nsoftmax = carry('softmax')",
    "later stand-in": "from utils import carry\nlater = carry('scaled_dot_product_attention')\ndef softmax(x, axis=-1):\n    x = np.moveaxis(x, axis, -1)[..., None]\n    return np.moveaxis(later(np.ones((*x.shape[:-2], 1, 1)), x, x)[1][..., 0, :], -1, axis)",
    "thread": f"import threading, torch\ndef softmax(x, axis=-1):\n    out = []\n    t = threading.Thread(target=lambda: out.append({TORCH_SOFTMAX})); t.start(); t.join()\n    return out[0]",
    "bare thread": f"import _thread, time, torch\ndef softmax(x, axis=-1):\n    out = []\n    _thread.start_new_thread(lambda: out.append({TORCH_SOFTMAX}), ())\n    while not out: time.sleep(0.001)\n    return out[0]",
    "patched hook": f"import torch, utils.byhand\nutils.byhand.Watch.hook = lambda *a: None\ndef softmax(x, axis=-1):\n    return {TORCH_SOFTMAX}",
}  # fmt: skip


@pytest.mark.parametrize("source", LIBRARY.values(), ids=LIBRARY)
def test_a_library_that_does_the_work_earns_nothing(source, grade):
    pytest.importorskip("torch")
    assert scores(grade(cells(softmax=source)))["softmax"] == 0


def test_a_library_called_by_an_earlier_thread_earns_nothing(grade):
    pytest.importorskip("torch")
    worker = f"import queue, threading, torch\nask, tell = queue.Queue(), queue.Queue()\ndef work():\n    while True:\n        x, axis = ask.get(); tell.put({TORCH_SOFTMAX})\nthreading.Thread(target=work, daemon=True).start()"
    result = grade(cells(worker, softmax="def softmax(x, axis=-1):\n    ask.put((x, axis)); return tell.get()"))
    assert scores(result)["softmax"] == 0


# ---------------------------------------------------------------------------------- reading what is hidden


def test_the_solutions_are_not_beside_a_submission(grade):
    source = """
import glob, os
def softmax(x, axis=-1):
    here = [*glob.glob('/**/solutions/*.py', recursive=False), *glob.glob('../solutions/*'), *glob.glob('../../*/solutions/*.py')]
    try:
        from grader.lessons import read_lesson
        here.append('grader')
    except ImportError:
        pass
    raise ValueError(' '.join(here) or 'nothing found')
"""
    result = grade(cells(softmax=source))
    assert scores(result)["softmax"] == 0 and "nothing found" in result.results["softmax"].message


def test_no_later_cell_prints_hidden_inputs(grade):
    stash = "seen = []\ndef softmax(x, axis=-1):\n    seen.append(x)\n    print('stashed', x)\n    open('/tmp/seen', 'w').write(str(x))\n    return x"
    notebook = cells(softmax=stash)
    show = "import os\nprint('seen', len(seen), os.path.exists('/tmp/seen'))\ntest = 1"
    notebook.cells.append(nbformat.v4.new_code_cell(show))
    result = grade(notebook)
    assert result.notebook.cells[-1].outputs[0].text in ("seen 0 False\n",)
    assert "stashed" not in texts(result)


def test_messages_carry_no_hidden_numbers(grade):
    source = "def softmax(x, axis=-1):\n    raise type('E' + str(x.ravel()[0]), (ValueError,), {})(f'{x.ravel()[0]!r} {x.tolist()} \\x1b]0;title\\x07\\n6/6 passed')"
    result = grade(cells(softmax=source))
    question = hidden_checksets(LESSON, SEED)["softmax"].questions[0].request["args"][0]
    shown = texts(result) + json.dumps(result.exercises(), ensure_ascii=False)
    assert not any(repr(float(number)) in shown or f"{number:.6f}" in shown for number in question.ravel())
    message = result.results["softmax"].message
    assert "\x1b" not in message and "\n" not in message and "\x07" not in message


def test_outputs_tell_no_seed_and_no_hidden_test(grade):
    notebook = cells(
        "print(In if 'In' in globals() else '', globals().keys())\nimport linecache, inspect\nprint(linecache.cache.keys())"
    )
    result = grade(notebook)
    student = [
        cell
        for cell in result.notebook.cells
        if cell.cell_type == "code" and not cell.metadata.get("nbgrader", {}).get("grade")
    ]
    assert "grader.stock" not in json.dumps([cell.outputs for cell in student])


# ------------------------------------------------------------------------------------- over the wire


WIRE = """
import os, socket, stat, struct
from utils.values import pack
wire = next(fd for fd in range(3, 256) if os.path.exists(f"/proc/self/fd/{fd}") and stat.S_ISSOCK(os.fstat(fd).st_mode))
def forge(value, raw=None):
    data = pack(value) if raw is None else raw
    os.write(wire, struct.pack(">I", len(data)) + data)
"""
FORGED = {
    "passed": "{'status': 'passed', 'score': 6}",
    "no status": "{}",
    "text": "'value'",
    "status list": "{'status': ['value'], 'value': x}",
    "status array": "{'status': np.zeros(3), 'value': x}",
    "flag array": "{'status': 'value', 'value': x, 'changed': np.zeros(3)}",
    "no value": "{'status': 'value', 'changed': False}",
    "type list": "{'status': 'error', 'type': [1], 'message': ''}",
    "message": "{'status': 'undefined', 'message': 5}",
    "bytes": "None, bytes([0x83, 0xa6]) + b'status' + bytes([0xa5]) + b'value' + bytes([0xa5]) + b'value' + bytes([0xc4, 1, 0, 0xa7]) + b'changed' + bytes([0xc2])",
    "nested": "None, __import__('msgpack').packb({'status': 'value', 'changed': False, 'value': __import__('functools').reduce(lambda one, _: [one], range(900), 1)})",
    "timestamp": "None, bytes([0xd6, 0xff, 0, 0, 0, 0])",
    "missing": "{'status': 'missing', 'value': x}",
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_forged_outcomes_earn_nothing_and_break_nothing(forged, grade):
    source = f"def softmax(x, axis=-1):\n    forge({forged})\n    return x"
    result = grade(cells(WIRE, softmax=source))
    assert scores(result)["softmax"] == 0
    assert set(scores(result)) == set(FULL)


@pytest.mark.parametrize(
    "data", [b"\xc4\x01x", b"\x91\xc4\x01x", b"\x81\xc4\x01x\x01", b"\xd6\xff\0\0\0\0", b"\x91\xd6\xff\0\0\0\0"]
)
def test_bytes_and_times_are_no_plain_values(data):
    with pytest.raises(ValueError):
        unpack(data)


def test_a_type_name_cannot_drive_a_terminal():
    assert unpack(pack(Unsupported("a\x1b[2J\n\u202eb"))).type_name == "a [2J  b"


# ------------------------------------------------------------------------------------- breaking the run


KILLERS = {
    "exit": "import os; os._exit(0)",
    "segfault": "import ctypes; ctypes.string_at(0)",
    "kill": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "recursion": "import sys; sys.setrecursionlimit(10 ** 9)\n    (lambda f: f(f))(lambda f: f(f))",
    "memory": "x = np.ones(1 << 36)",
    "interrupt": "raise KeyboardInterrupt",
    "loop": "while True: pass",
    "parent": "import os; [os.kill(1, n) for n in (2, 9, 15)]; os._exit(1)",
}


@pytest.mark.parametrize("how", KILLERS.values(), ids=KILLERS)
def test_a_killed_interpreter_loses_that_exercise_only(how, grade):
    result = grade(cells(project_qkv=f"def project_qkv(x, w_q, w_k, w_v):\n    {how}"))
    assert lost(result) == {"project_qkv": 0}
    assert statuses(result)["project_qkv"] in ("error", "timeout") and result.results["project_qkv"].message


def test_a_late_thread_writes_into_no_test_cell(grade):
    late = "import threading, time\ndef late():\n    while True:\n        print('late'); display('late'); time.sleep(0.001)\nthreading.Thread(target=late, daemon=True).start()"
    result = grade(cells(late))
    assert lost(result) == {}
    for cell in marked(result.notebook, "grade"):
        assert [output.output_type for output in cell.outputs] == ["display_data", "execute_result"]
        assert "late" not in json.dumps(cell.outputs)


def test_warnings_cost_nothing(grade):
    assert lost(grade(cells("import warnings, sys\nwarnings.warn('beware'); print('oh', file=sys.stderr)"))) == {}


def test_one_submission_changes_nothing_for_the_next(grade):
    grade(
        cells(
            "import utils.probe, numpy\nutils.probe.run = numpy.matmul = None",
            softmax="import os; os.kill(1, 15); os._exit(1)",
        )
    )
    assert lost(grade(cells())) == {}


def test_half_a_surrogate_pair_is_graded_and_written(grade, tmp_path):
    result = grade(cells("x = '\ud800'\nprint(x)"))
    assert lost(result) == {}
    nbformat.write(result.notebook, tmp_path / "graded.ipynb")


def test_a_null_character_is_an_error_of_its_cell_only(grade):
    assert lost(grade(cells("x = 1\0"))) == {}


EMPTY = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
CELL = {"cell_type": "code", "source": "x", "metadata": {}, "outputs": [], "execution_count": None}
FILES = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "number": b"5",
    "not UTF-8": b"\xff\xfe{}",
    "nested": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": ' + b"[" * 10**5 + b"]" * 10**5 + b', "cells": []}',
    "version": b'{"nbformat": 99, "nbformat_minor": 5, "metadata": {}, "cells": []}',
    "huge number": b'{"nbformat": ' + b"9" * 10**5 + b"}",
    "no cells": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    "cells of numbers": json.dumps(EMPTY | {"cells": [1, 2]}).encode(),
    "cell without type": json.dumps(EMPTY | {"cells": [{"source": "x"}]}).encode(),
    "unknown cell type": json.dumps(EMPTY | {"cells": [CELL | {"cell_type": "\x1b[2J"}]}).encode(),
    "source of numbers": json.dumps(EMPTY | {"cells": [CELL | {"source": 5}]}).encode(),
    "zip": b"PK\x03\x04" + bytes(100),
    "python": b"print('hello')",
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_a_damaged_file_is_refused_in_one_sentence(data, tmp_path):
    path = tmp_path / f"{LESSON}.ipynb"
    path.write_bytes(data)
    with pytest.raises(GraderError) as refused:
        read_submission(path)
    assert str(refused.value).startswith(path.name) and str(refused.value).isprintable()


@pytest.mark.parametrize("make", ["link", "broken link", "pipe", "folder", "device link", "large"])
def test_only_regular_files_are_read(make, tmp_path):
    path = tmp_path / f"{LESSON}.ipynb"
    {
        "link": lambda: path.symlink_to(release_path()),
        "broken link": lambda: path.symlink_to(tmp_path / "nothing"),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "device link": lambda: path.symlink_to("/dev/zero"),
        "large": lambda: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40),
    }[make]()
    begin = time.monotonic()
    with pytest.raises(GraderError, match=LESSON):
        read_submission(path)
    assert time.monotonic() - begin < 1


def test_a_notebook_of_very_many_cells_is_read_soon(tmp_path):
    path = tmp_path / f"{LESSON}.ipynb"
    path.write_text(json.dumps(EMPTY | {"cells": [CELL] * 50_000}))
    begin = time.monotonic()
    assert len(read_submission(path).cells) <= 2000
    assert time.monotonic() - begin < 10


def test_odd_marks_are_no_marks():
    odd = [
        {"grade_id": 5},
        {"grade_id": ["softmax"]},
        "softmax",
        ["grade_id"],
        None,
        {"grade_id": "test_softmax", "solution": True},
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("x = 1", metadata={"nbgrader": mark}) for mark in odd]
    )
    repaired = repair(notebook, release_notebook(LESSON))
    assert len(marked(repaired, "grade")) == len(FULL) and not marked(repaired, "solution")


def test_the_hidden_inputs_are_not_the_visible_ones():
    one, other = hidden_checksets(LESSON, SEED), hidden_checksets(LESSON, SEED + 1)
    inputs = [checksets["softmax"].questions[0].request["args"][0] for checksets in (one, other)]
    assert not np.allclose(*inputs)
