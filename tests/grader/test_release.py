"""The builder: what it makes of a lesson, and what it refuses, saying where and why."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from grader.errors import GraderError
from grader.lessons import COURSE_ROOT, read_lesson
from grader.release import STUB, execute_solutions, release, stage, student_version
from grader.spec import Case, Lesson

TEXT = '''\
# %% [markdown]
# # A tiny lesson

# %%
x = 1

# %%
x = 1

# %% solution="double"
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return x + x
    ### END SOLUTION

# %% tests="double"
check(double)
'''


@pytest.fixture
def tiny(tmp_path):
    """Stages a lesson text with a lesson of the exercises given."""

    def build(text=TEXT, exercises=("double",), aspects=None):
        (tmp_path / "solutions").mkdir(exist_ok=True)
        (tmp_path / "solutions" / "99_tiny.py").write_text(text, encoding="utf-8")
        lesson = Lesson("99_tiny")
        for name in exercises:

            def cases(rng):
                yield Case("values", "a number", 2)

            cases.__name__ = name
            lesson.exercise(aspects={"values": 3} if aspects is None else aspects)(cases)
        return stage(read_lesson("99_tiny", tmp_path), lesson)

    return build


def test_staged_cells_have_nbgraders_metadata(tiny):
    answer, test = tiny().cells[-2:]
    assert answer.metadata.nbgrader == {
        "cell_type": "code", "grade": False, "grade_id": "double", "locked": False, "schema_version": 3,
        "solution": True, "task": False,
    }  # fmt: skip
    assert test.metadata.nbgrader.points == 3 and test.metadata.nbgrader.grade_id == "test_double"
    assert test.metadata.nbgrader.grade and test.metadata.nbgrader.locked
    assert 'grader.stock.grade("99_tiny", "double", globals())' in test.source
    nbformat.validate(tiny())


def test_cell_ids_are_unique_and_the_same_again(tiny):
    ids = [cell.id for cell in tiny().cells]
    assert len(set(ids)) == len(ids) and ids[-2:] == ["double", "test_double"]
    assert [cell.id for cell in tiny().cells] == ids


def test_students_get_the_stub_and_no_hidden_test(tiny):
    answer, test = student_version(tiny()).cells[-2:]
    stub = "\n".join("    " + line for line in STUB.splitlines())
    assert answer.source == f'def double(x):\n    """Twice x."""\n{stub}'
    assert test.source == "check(double)"
    assert not test.metadata.editable and not test.metadata.deletable


BEGIN, END = "    ### BEGIN SOLUTION\n", "    ### END SOLUTION\n"
TEST_CELL = '\n# %% tests="double"\ncheck(double)\n'


@pytest.mark.parametrize(
    ("text", "cell", "reason"),
    [
        (TEXT.replace(TEST_CELL, ""), "exercise double", "has no cell tests="),
        (TEXT.replace(BEGIN, "").replace(END, ""), 'cell solution="double"', "no markers"),
        (TEXT.replace(END, ""), 'cell solution="double"', "in turn"),
        (TEXT.replace(BEGIN, "").replace(END, END + BEGIN), 'cell solution="double"', "in turn"),
        (TEXT.replace(END, "    # END SOLUTION\n    more\n" + END), 'cell solution="double"', "in turn"),
        (TEXT.replace("return x + x", "return x +"), 'cell solution="double"', "not Python"),
        (TEXT.replace("def double", "def twice"), 'cell solution="double"', "does not define double"),
        (TEXT.replace("check(double)", "# check(double)"), 'cell tests="double"', "must call check(double)"),
        (TEXT.replace("check(double)", "check(x)"), 'cell tests="double"', "must call check(double)"),
        (TEXT + TEST_CELL, 'cell tests="double"', "used 2 times"),
        (TEXT + '\n# %% solution="other"\npass\n', 'cell solution="other"', "describes no such exercise"),
        (TEXT.replace('solution="double"', ""), "exercise double", "no cell solution="),
        (TEXT + "\n# %%\n# BEGIN SOLUTION\n", "cell '# BEGIN SOLUTION'", "outside a cell marked as a solution"),
        (TEXT + "\n# %%\n### BEGIN HIDDEN TESTS\n", "HIDDEN", "by the builder alone"),
        (TEST_CELL + TEXT.replace(TEST_CELL, ""), 'cell tests="double"', "before the answer"),
    ],
)
def test_a_lesson_that_does_not_fit_is_refused(tiny, text, cell, reason):
    with pytest.raises(GraderError) as refusal:
        tiny(text)
    sentence = str(refusal.value)
    assert sentence.startswith("99_tiny") and cell in sentence and reason in sentence and "\n" not in sentence


def test_an_exercise_without_cells_is_refused(tiny):
    with pytest.raises(GraderError, match='exercise triple: it is described .* has no cell solution="triple"'):
        tiny(exercises=("double", "triple"))


@pytest.mark.parametrize("aspects", [{}, {"values": 0}, {"values": -1, "shape": 4}, {"values": float("nan")}, {"values": "3"}])
def test_points_that_do_not_add_up_are_refused(tiny, aspects):
    with pytest.raises(GraderError, match="exercise double: its points do not add up"):
        tiny(aspects=aspects)


def test_solutions_are_executed_without_the_hidden_line(tiny, tmp_path):
    text = TEXT.replace("check(double)", "check = print\ncheck(double)\nprint(double(21))")
    execute_solutions(tiny(text), "[\n]\n", tmp_path / "99_tiny")
    made = nbformat.read(tmp_path / "99_tiny" / "99_tiny.ipynb", as_version=4)
    assert made.cells[-1].outputs[0].text.endswith("42\n") and "grader" not in made.cells[-1].source
    assert (tmp_path / "99_tiny" / "99_tiny.checks.json").exists()


def test_solutions_are_executed_without_what_an_earlier_run_left(tiny, tmp_path):
    left = tmp_path / "99_tiny" / "checkpoints"
    left.mkdir(parents=True)
    execute_solutions(tiny(TEXT.replace("check(double)", "check = print\ncheck(double)")), "[\n]\n", left.parent)
    assert sorted(path.name for path in left.parent.iterdir()) == ["99_tiny.checks.json", "99_tiny.ipynb"]


def test_a_solution_notebook_that_fails_is_told_of(tiny, tmp_path):
    with pytest.raises(GraderError, match="99_tiny: its solution notebook does not run: .*ZeroDivisionError"):
        execute_solutions(tiny(TEXT.replace("x = 1", "x = 1 / 0", 1)), "[\n]\n", tmp_path / "99_tiny")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course's lessons, released."""
    root = tmp_path_factory.mktemp("course")
    shutil.copytree(COURSE_ROOT / "solutions", root / "solutions")
    release(root)
    return root


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_releasing_again_changes_no_byte_and_removes_what_is_left_over(course):
    before = contents(course)
    (course / "notebooks" / "00_welcome" / "00_welcome.py").write_text("all the answers")
    (course / "build" / "source" / "77_renamed").mkdir()
    release(course)
    assert contents(course) == before
    assert not (course / "build" / "source" / "77_renamed").exists()


def test_a_refusal_leaves_the_release_as_it_was(course, tmp_path):
    root = tmp_path / "course"
    shutil.copytree(course, root)
    lesson = root / "solutions" / "01_self_attention.py"
    lesson.write_text(lesson.read_text(encoding="utf-8").replace("### END SOLUTION", "", 1), encoding="utf-8")
    first = root / "solutions" / "00_welcome.py"
    first.write_text(first.read_text(encoding="utf-8") + "\n# %% [markdown]\n# new\n", encoding="utf-8")
    before = contents(root / "notebooks")
    with pytest.raises(GraderError, match="^01_self_attention, cell solution="):
        release(root)
    assert contents(root / "notebooks") == before


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.with_name("55_new.py").write_text("")])
def test_lessons_and_exercises_must_match(course, tmp_path, change):
    shutil.copytree(course / "solutions", tmp_path / "solutions")
    change(tmp_path / "solutions" / "01_self_attention.py")
    with pytest.raises(GraderError, match="01_self_attention: there are exercises|55_new: the lesson has no exercises"):
        release(tmp_path)


def test_nbgrader_itself_makes_the_same_notebooks(course, tmp_path):
    """An instructor's `nbgrader generate_assignment` must give what is committed in notebooks/."""
    root = tmp_path / "course"
    shutil.copytree(course / "build" / "source", root / "build" / "source")
    shutil.copy(COURSE_ROOT / "nbgrader_config.py", root)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # nbgrader calls a bare `alembic`
    for lesson in sorted(folder.name for folder in (course / "notebooks").iterdir()):
        subprocess.run(
            [sys.executable, "-m", "nbgrader", "generate_assignment", lesson],
            cwd=root, check=True, capture_output=True, env=os.environ | {"PATH": path},
        )  # fmt: skip
    assert contents(root / "notebooks") == contents(course / "notebooks")


def test_a_notebook_is_clean(course):
    for path in (course / "notebooks").rglob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert notebook["metadata"] == {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        }
        assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook["cells"])
