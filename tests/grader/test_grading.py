"""Whole notebooks, graded end to end: scores, statuses, and what protects them."""

import json
from pathlib import Path

import nbformat
import pytest

from benchmarks.submissions import submission as class_submission
from grader import grading
from grader.__main__ import main
from grader.demo import submission
from grader.grading import NOT_NEEDED, Session, grade_file, grade_notebook, hidden_checksets, new_seed
from grader.lessons import read_lesson
from grader.sandbox import Limits, Sandbox
from grader.submission import read_submission, release_notebook, repair

SUBMISSIONS = sorted((Path(__file__).parents[1] / "submissions").glob("*.ipynb"))
LESSON = "01_self_attention"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(seconds=3, submission_seconds=60)) as opened:
        yield opened


def graded(sandbox, answers, seed=None):
    notebook = repair(submission(LESSON, answers), release_notebook(LESSON))
    return grade_notebook(notebook, LESSON, seed or new_seed(), sandbox)


def cells(**answers):
    return "#\n\n" + "\n\n".join(f'# %% solution="{name}"\n{source}' for name, source in answers.items())


@pytest.mark.parametrize("path", SUBMISSIONS, ids=lambda path: path.stem)
def test_a_notebook_gets_the_score_in_its_name(path, sandbox):
    assert grade_file(path, new_seed(), sandbox).score == float(path.stem.rpartition("__")[2])


def test_the_same_seed_gives_the_same_verdicts(sandbox):
    wrong = cells(softmax="def softmax(x, axis=-1):\n    return x")
    one, two = (graded(sandbox, wrong, seed=5).exercises() for _ in range(2))
    assert one == two
    assert graded(sandbox, wrong, seed=6).exercises()[0]["message"] != one[0]["message"]


def test_an_endless_loop_costs_its_exercise_only(sandbox):
    result = graded(sandbox, cells(project_qkv="def project_qkv(x, w_q, w_k, w_v):\n    while True: pass"))
    verdict = result.results["project_qkv"]
    assert (verdict.status, verdict.score) == ("timeout", 0) and "longer than 3 s" in verdict.message
    assert result.score == result.max_score - verdict.checkset.max_score


def test_a_cell_that_ends_the_interpreter_costs_its_exercise_only(sandbox):
    result = graded(sandbox, cells(softmax="import os\nos._exit(7)"))
    verdict = result.results["softmax"]
    assert verdict.status == "error" and "its cell ended the interpreter (exit status 7)" in verdict.message
    assert result.score == result.max_score - verdict.checkset.max_score


def test_a_cell_that_does_not_parse_is_told_as_such(sandbox):
    verdict = graded(sandbox, cells(softmax="def softmax(x, axis=-1:\n    return x")).results["softmax"]
    assert verdict.status == "error" and "SyntaxError" in verdict.message


def test_a_mistake_costs_once_and_the_card_says_so(sandbox):
    result = graded(sandbox, cells(softmax="def softmax(x, axis=-1):\n    return x"))
    assert [name for name, verdict in result.results.items() if verdict.status != "passed"] == ["softmax"]
    assert result.results["attend_one_word"].stood_in == ["softmax"]
    cell = next(c for c in result.notebook.cells if c.id == "test_attend_one_word")
    assert "checked with the course's own softmax in the place of yours" in cell.outputs[0].data["text/plain"]


def test_a_later_cell_cannot_take_the_answers_place(sandbox):
    later = cells(self_attention="softmax = None\ndef self_attention(x, w_q, w_k, w_v):\n    return x")
    assert graded(sandbox, later).results["softmax"].status == "passed"


def test_hidden_inputs_cannot_be_printed(sandbox):
    spying = cells(
        softmax="SEEN = []\ndef softmax(x, axis=-1):\n    SEEN.append(x.tolist())\n    raise ValueError(str(SEEN[-1]))",
        project_qkv="try:\n    softmax(np.array([1.0, 3.0]))\nexcept ValueError:\n    pass",
        self_attention="print('SEEN', SEEN)\ndef self_attention(*args):\n    return SEEN",
    )
    result = graded(sandbox, spying, seed=5)
    hidden = hidden_checksets(LESSON, 5)["softmax"].questions[0].request["args"][0]
    shown = json.dumps(result.notebook)
    assert "SEEN [[1.0, 3.0" in shown  # what the student's own cell gave it
    assert not any(f"{number:.4f}"[:-1] in shown for number in hidden.tolist())


def test_each_test_cell_has_a_card_and_one_number(sandbox):
    for cell in graded(sandbox, cells(softmax="def softmax(x, axis=-1):\n    return x")).notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            card, number = cell.outputs
            assert card.output_type == "display_data" and "<div" in card.data["text/html"]
            assert number.output_type == "execute_result"
            assert 0 <= float(number.data["text/plain"]) <= cell.metadata.nbgrader.points


def test_figures_and_text_of_student_cells_are_kept_but_scripts_are_not(sandbox):
    shown = cells(
        softmax="from IPython.display import HTML, display\n"
        "display(HTML('<script>alert(1)</script><b onclick=\"x()\">bold</b>'))\nprint('hello')\n"
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])"
    )
    outputs = json.dumps([c.get("outputs", []) for c in graded(sandbox, shown).notebook.cells])
    assert "hello" in outputs and "<b>bold</b>" in outputs and "image/png" in outputs
    assert "<script" not in outputs and "onclick" not in outputs


def own_cells(notebook, text):
    """The lesson's own code cells that hold a text."""
    return [c for c in notebook.cells if c.cell_type == "code" and text in c.source and not c.metadata.get("nbgrader")]


def test_the_lessons_own_cells_are_run_where_they_are_needed_and_figures_drawn_where_cells_were_changed(sandbox):
    notebook = submission(LESSON, "#")
    setup, made, shown, changed = (
        own_cells(notebook, text)[0] for text in ("import carry", "x = np.array(", "plots.looks(words, 2", "plots.bars(")
    )
    changed.source += "\nprint(words)"
    whole = grade_notebook(repair(notebook, release_notebook(LESSON)), LESSON, new_seed(), sandbox).notebook
    setup, made, shown, changed = (own_cells(whole, cell.source)[0].outputs for cell in (setup, made, shown, changed))
    assert setup == [] and shown[0].text == NOT_NEEDED  # run, and nothing to show; not run
    assert "x has shape" in made[0].text and "is not drawn while a notebook is graded" in made[1].data["text/plain"]
    assert list(changed[0].data) == ["text/plain", "image/png"] and changed[1].text.startswith("['Jane'")


@pytest.mark.parametrize(
    "leaning",
    [
        "def softmax(x, axis=-1):\n    assert len(features) == 6\n    return right(x, axis)",
        "def softmax(x, axis=-1):\n    assert len(globals()['fea' + 'tures']) == 6\n    return right(x, axis)",
        "%time n = len(features)\ndef softmax(x, axis=-1):\n    assert n == 6\n    return right(x, axis)",
        "import __main__\ndef softmax(x, axis=-1):\n    assert len(__main__.features) == 6\n    return right(x, axis)",
        "class Six:\n    n = len(features)\n\n    def __call__(self, x, axis=-1):\n        return right(x, axis)\n\nsoftmax = Six()",
        "softmax = lambda x, axis=-1: right(x, axis) if w_q.shape == (6, 4) else None  # made in a later cell",
    ],
    ids=["global", "globals()", "magic", "__main__", "class", "later"],
)
def test_an_answer_may_lean_on_what_the_lesson_made(sandbox, leaning):
    right = read_lesson(LESSON).solutions["softmax"].replace("def softmax", "def right")
    assert graded(sandbox, cells(softmax=f"{right}\n\n{leaning}")).results["softmax"].status == "passed"


@pytest.mark.parametrize("number", range(10))
def test_running_all_cells_gives_the_same_grades(sandbox, number, monkeypatch):
    def run():
        notebook = repair(class_submission(LESSON, number), release_notebook(LESSON))
        return grade_notebook(notebook, LESSON, 5, sandbox).exercises()

    some = run()
    monkeypatch.setattr(Session, "needed", lambda self, sources, own: set(own))
    assert run() == some


@pytest.mark.parametrize(
    "theirs, are_run",
    [
        ("def f(x): return x", False),
        ("%matplotlib inline", True),
        ("f = " + "(" * 100_000, False),  # no Python: it cannot be run either
        ("-" * 1_000_000 + "1", None),  # some versions of Python end the interpreter at this
    ],
    ids=["plain", "magic", "deep", "deeper"],
)
def test_all_cells_are_run_where_it_cannot_be_told_what_is_needed(sandbox, theirs, are_run):
    own = [cell.source for cell in own_cells(release_notebook(LESSON), "")]
    with Session(sandbox, {}) as session:
        found = session.needed([*own, theirs], set(own))
        assert found == (set(own) if are_run else set()) or are_run is None
        assert session.run("print(1 + 1)")[0].text == "2\n"


def test_a_cell_whose_figure_is_not_drawn_still_runs(sandbox):
    setup = next(cell.source for cell in release_notebook(LESSON).cells if cell.cell_type == "code")
    drawing = "plots.bars([1.0], ['a'])\nlast = plots.bars([2.0], ['b'])\nlast_words = 'b'"
    with Session(sandbox, {}) as session:
        session.run(setup)
        (told,) = session.run(drawing + "\nplots.bars([1.0], [])", figures=False)[-1:]
        assert told.output_type == "error" and "expected" in told.evalue
        assert session.run("print(last, last_words)")[0].text == "None b\n"


@pytest.fixture
def odd_files(tmp_path):
    good = tmp_path / f"{LESSON}-good.ipynb"
    nbformat.write(submission(LESSON, "#"), good)
    (tmp_path / f"{LESSON}-text.ipynb").write_text("no notebook")
    (tmp_path / f"{LESSON}-empty.ipynb").write_text("")
    (tmp_path / f"{LESSON}-latin.ipynb").write_bytes(b'{"cells": "\xe9"}')
    (tmp_path / f"{LESSON}-deep.ipynb").write_text('{"cells": ' + "[" * 100_000)
    (tmp_path / f"{LESSON}-folder.ipynb").mkdir()
    (tmp_path / f"{LESSON}-link.ipynb").symlink_to(good)
    (tmp_path / "unknown.ipynb").write_text("{}")
    return sorted(tmp_path.iterdir())


def test_one_file_that_the_grader_fails_on_keeps_none_from_its_grade(tmp_path, monkeypatch, capsys):
    for name in ("one", "two"):
        nbformat.write(submission(LESSON, "#"), tmp_path / f"{LESSON}-{name}.ipynb")
    real = grading.grade_file
    monkeypatch.setattr(grading, "grade_file", lambda path, *rest: 1 / 0 if "one" in path.name else real(path, *rest))
    assert main(["grade", "--json", *map(str, sorted(tmp_path.iterdir()))]) == 1
    one, two = json.loads(capsys.readouterr().out)
    assert one["error"] == "The grader failed on this file (ZeroDivisionError: division by zero): grade it by hand."
    assert one["score"] == 0 and two["error"] is None and two["score"] == two["max_score"] > 0


def test_json_has_an_entry_for_every_file(odd_files, capsys):
    missing = odd_files[0].with_name(f"{LESSON}-missing.ipynb")
    assert main(["grade", "--json", *map(str, odd_files), str(missing)]) == 1
    entries = {Path(entry["file"]).stem.rpartition("-")[2]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries["good"]["score"] == 22 and entries["good"]["error"] is None
    assert [e["name"] for e in entries["good"]["exercises"]][0] == "softmax"
    for name, entry in entries.items():
        assert set(entry) == {"file", "lesson", "score", "max_score", "error", "exercises"}
        if name != "good":
            assert entry["score"] == 0 and entry["exercises"] == []
            assert entry["error"].endswith(".") and "Traceback" not in entry["error"]
    assert entries["unknown"]["lesson"] is None and entries["text"]["lesson"] == LESSON


def test_without_bubblewrap_grading_refuses_in_one_sentence(odd_files, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["grade", str(odd_files[0])]) != 0
    told = capsys.readouterr().err
    assert "bubblewrap" in told and "--unprotected" in told and len(told.splitlines()) == 1


def test_unprotected_grades_the_same_when_told_to(odd_files, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    good = next(str(path) for path in odd_files if "good" in path.name)
    assert main(["grade", "--unprotected", "--json", good]) == 0
    assert json.loads(capsys.readouterr().out)[0]["score"] == 22


def test_repair_puts_tests_back_whatever_was_done_to_them():
    release = release_notebook(LESSON)
    cells = read_submission(SUBMISSIONS[[p.stem for p in SUBMISSIONS].index(f"{LESSON}__edited-test-cells__22")])
    repaired = repair(cells, release)
    tests = [cell for cell in repaired.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    wanted = [cell for cell in release.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert [(t.source, t.metadata) for t in tests] == [(w.source, w.metadata) for w in wanted]
