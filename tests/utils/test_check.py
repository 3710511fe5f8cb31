"""`check` and `carry` as a learner meets them: beside the released notebooks."""

import json
import os
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import pytest

from grader.lessons import COURSE_ROOT, read_lesson
from grader.spec import lesson_names
from utils import carry, check
from utils.check import CheckFailed

LESSON = "01_self_attention"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A learner's copy of the notebooks, with lesson 01 as the working folder."""
    shutil.copytree(COURSE_ROOT / "notebooks", tmp_path / "course")
    monkeypatch.chdir(tmp_path / "course" / LESSON)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    return tmp_path / "course" / LESSON


def run(source, **names):
    """Runs source as a notebook cell would be: with a namespace of its own."""
    namespace = {"np": np, "check": check, **names}
    exec(source, namespace)
    return namespace


def solutions():
    return read_lesson(LESSON).solutions


def test_every_solution_passes_its_own_check(folder, capsys):
    namespace = {}
    for name, source in solutions().items():
        namespace = run(f"{source}\n\n\ncheck({name})", **namespace)
        assert f"✓ {name}: all checks pass" in capsys.readouterr().out


def test_a_wrong_answer_is_met_with_the_name_of_the_mistake(folder, capsys):
    with pytest.raises(CheckFailed, match="softmax: .*The card above"):
        run("def softmax(x, axis=-1):\n    return np.exp(x - x.max(0)) / np.exp(x - x.max(0)).sum(0)\ncheck(softmax)")
    assert "This looks like “Softmax over axis 0”" in capsys.readouterr().out


def test_an_unanswered_exercise_is_not_called_a_mistake(folder, capsys):
    with pytest.raises(CheckFailed):
        run("def softmax(x, axis=-1):\n    raise NotImplementedError\ncheck(softmax)")
    told = capsys.readouterr().out
    assert "not answered yet" in told and "looks like" not in told


def test_an_answer_that_fails_for_an_earlier_one_passes_and_says_so(folder, capsys):
    pytest.importorskip("torch")
    wrong = "def softmax(x, axis=-1):\n    return np.exp(x) / np.exp(x).sum()"
    run(f"{wrong}\n\n\n{solutions()['attend_one_word']}\ncheck(attend_one_word)")
    assert "Look at softmax first" in capsys.readouterr().out


def test_a_lambda_bound_to_the_exercise_is_found(folder, capsys):
    run("embed = lambda x, axis=-1: np.exp(x - x.max(axis, keepdims=True)) / "
        "np.exp(x - x.max(axis, keepdims=True)).sum(axis, keepdims=True)\nsoftmax = embed\ncheck(softmax)")  # fmt: skip
    assert "✓ softmax" in capsys.readouterr().out


@pytest.mark.parametrize("source, told", [
    ("check(print)", "check expects one of this lesson's exercises (softmax, project_qkv, "),
    ("check(5)", "got int"),
])  # fmt: skip
def test_something_else_is_told_in_a_sentence(folder, source, told):
    with pytest.raises(ValueError) as raised:
        run(source)
    assert told in str(raised.value)


def test_a_missing_or_damaged_data_file_is_told_in_a_sentence(folder):
    data = folder / f"{LESSON}.checks.json"
    data.write_text(data.read_text()[:500])
    with pytest.raises(ValueError, match="is damaged .* copy it anew"):
        run("check(print)")
    data.unlink()
    with pytest.raises(ValueError, match="no data file"):
        run("check(print)")


def test_while_a_submission_is_graded_the_check_keeps_still(folder, monkeypatch, capsys):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    run("check(print)")
    assert capsys.readouterr().out == ""


def answer(folder, **answers):
    """Writes answers into the learner's notebook."""
    path = folder / f"{LESSON}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.id in answers:
            cell.source = answers[cell.id]
    nbformat.write(notebook, path)


def test_carry_brings_the_learners_own_piece_where_it_passes(folder, monkeypatch, capsys):
    answer(folder, softmax="MINE = 1\n" + solutions()["softmax"])
    (folder.parent / "02_next").mkdir()
    monkeypatch.chdir(folder.parent / "02_next")
    softmax = carry("softmax")
    assert "softmax: your own" in capsys.readouterr().out and softmax.__globals__["MINE"] == 1


@pytest.mark.parametrize("source", ["def softmax(x, axis=-1):\n    return x", "def softmax(", "%magic\nx = 1"])
def test_carry_falls_back_to_a_stand_in(folder, monkeypatch, capsys, source):
    pytest.importorskip("torch")
    answer(folder, softmax=source)
    monkeypatch.chdir(folder.parent / "00_welcome")
    softmax, attention = carry("softmax", "scaled_dot_product_attention")
    assert "stand-in" in capsys.readouterr().out
    np.testing.assert_allclose(softmax(np.array([0.0, 0.0])), [0.5, 0.5])
    output, weights = attention(np.zeros((1, 2)), np.eye(2), np.array([[2.0], [4.0]]))
    np.testing.assert_allclose(output, [[3.0]])


def test_carry_runs_nothing_but_definitions(folder, monkeypatch, capsys):
    answer(folder, softmax=solutions()["softmax"] + "\nprint('ran')\nopen('made.txt', 'w').write('x')")
    (folder.parent / "02_next").mkdir()
    monkeypatch.chdir(folder.parent / "02_next")
    carry("softmax")
    assert "ran" not in capsys.readouterr().out.splitlines()
    assert not list(folder.parent.rglob("made.txt"))


def test_a_name_that_cannot_be_carried_is_told_in_a_sentence(folder):
    with pytest.raises(ValueError, match="no stand-in for soft_max"):
        carry("soft_max")


def test_the_data_file_holds_numbers_and_hints_only(folder):
    entries = json.loads((folder / f"{LESSON}.checks.json").read_text())
    assert all(mistake["name"] == "" for entry in entries for mistake in entry["mistakes"])
    assert "grader" not in sys.modules.get("utils.check").__dict__


def test_a_wrong_text_is_shown(folder, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.chdir(folder.parent / "08_translation")
    with pytest.raises(CheckFailed):
        run("def translate(model, sentences):\n    return ['the cat\x1b[31m'] * len(sentences)\n\ncheck(translate)")
    assert "got something else." in (shown := capsys.readouterr().out) and "Yours: “the cat [31m”" in shown


@pytest.mark.parametrize("lesson", [name for name in lesson_names() if name > "05"])
def test_answers_pass_where_nothing_was_carried_that_is_the_courses(lesson, tmp_path):
    """Who has solved all earlier lessons has loaded no stand-in before the first check."""
    pytest.importorskip("torch")
    source = read_lesson(lesson)
    earlier = "\n".join(f"{name} = EARLIER[{name!r}]" for name in source.carried)
    solved = "\n\n".join(f"{text}\n\ncheck({name})" for name, text in source.solutions.items())
    (tmp_path / "solved.py").write_text(
        "import sys\nfrom grader.lessons import read_lesson\nfrom utils import check\n"
        f"EARLIER = read_lesson({lesson!r}).namespace()\n{source.imports}\n{earlier}\n"
        f"assert not any('stand_ins.in_' in name for name in sys.modules)\n\n{solved}\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "solved.py"], cwd=COURSE_ROOT / "notebooks" / lesson, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(COURSE_ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
