"""Nothing that students must not see is in notebooks/ or in the bundle."""

import json
import re

import pytest

from grader.bundle import collect
from grader.lessons import BEGIN, COURSE_ROOT, END, read_lesson
from grader.release import STUB
from grader.spec import lesson_names, load_lesson

NOTEBOOKS = COURSE_ROOT / "notebooks"


def handed_out():
    """The text of every file that students get, by name."""
    released = {path.relative_to(COURSE_ROOT).as_posix(): path.read_bytes() for path in NOTEBOOKS.rglob("*.*")}
    bundled = {f"bundle: {name}": data for name, data in collect(COURSE_ROOT).items()}
    return {name: data.decode("utf-8") for name, data in (released | bundled).items()}


# What every PyTorch program has, and what lessons show themselves.
COMMON = {
    "model.train()", "model.zero_grad()", "optimizer.zero_grad()", "loss.backward()", "optimizer.step()",
    "for parameter in model.parameters():", "with torch.no_grad():", "french, english = vocabularies()",
}  # fmt: skip


def solution_lines(lesson):
    """The lines of code between the markers, but for those too plain to tell anything."""
    for cell in read_lesson(lesson).cells:
        inside = False
        for line in map(str.strip, cell.source.splitlines()):
            if line in (BEGIN, END):
                inside = line == BEGIN
            elif inside and line not in COMMON and len(re.sub(r"\W", "", line)) >= 10:
                yield line


def test_only_notebooks_and_data_files_are_handed_out():
    found = {path.relative_to(NOTEBOOKS).as_posix() for path in NOTEBOOKS.rglob("*") if path.is_file()}
    assert found == {f"{name}/{name}{end}" for name in lesson_names() for end in (".ipynb", ".checks.json")}


@pytest.mark.parametrize("lesson", lesson_names())
def test_no_solution_line_is_handed_out(lesson):
    lines = set(solution_lines(lesson))
    assert lines
    for name, text in handed_out().items():
        if name.endswith(".ipynb"):  # as people read it: JSON escapes quotes
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        found = [line for line in lines if line in text]
        assert not found, f"{name} tells the solution of {lesson}"


@pytest.mark.parametrize("lesson", lesson_names())
def test_each_answer_is_the_stub(lesson):
    notebook = json.loads((NOTEBOOKS / lesson / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    answers = [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")]
    assert [cell["metadata"]["nbgrader"]["grade_id"] for cell in answers] == list(load_lesson(lesson).exercises)
    for cell in answers:
        lines = [line.strip() for line in "".join(cell["source"]).splitlines()]
        assert lines[-2:] == STUB.splitlines()


def test_no_misconceptions_name_is_handed_out():
    names = {
        misconception.name
        for lesson in lesson_names()
        for exercise in load_lesson(lesson).exercises.values()
        for misconception in exercise.misconceptions
    }
    assert names
    for file, text in handed_out().items():
        found = names.intersection(re.findall(r"\w+", text))
        assert not found, f"{file} names {found}"


def test_no_hidden_question_is_in_a_data_file():
    """By exercise: what one hides, in these words, another may ask openly."""
    told = []
    for lesson in lesson_names():
        entries = json.loads((NOTEBOOKS / lesson / f"{lesson}.checks.json").read_text(encoding="utf-8"))
        for entry, exercise in zip(entries, load_lesson(lesson).exercises.values(), strict=True):
            visible = {question.says for question in exercise.visible_checkset().questions}
            hidden = {question.says for question in exercise.checkset(seed=1).questions} - visible
            assert hidden, f"{exercise.name} hides nothing"
            told += [says for says in hidden if json.dumps(says, ensure_ascii=False) in json.dumps(entry, ensure_ascii=False)]
    assert not told


@pytest.mark.parametrize("words", ["BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "END HIDDEN", "grader.stock"])
def test_no_marker_is_handed_out(words):
    assert not [name for name, text in handed_out().items() if words in text]
