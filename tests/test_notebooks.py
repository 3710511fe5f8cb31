"""The notebooks as they are run: solved ones twice alike, students' ones up to the first open exercise."""

import shutil
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from grader.lessons import COURSE_ROOT
from grader.release import release
from grader.spec import lesson_names, load_lesson


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """The executed solution notebooks."""
    root = tmp_path_factory.mktemp("solved")
    release(target=root, execute=True)
    return root / "build" / "solutions"


@pytest.mark.parametrize("lesson", lesson_names())
def test_a_second_run_of_the_solutions_gives_the_same(solved, lesson):
    again = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", f"{lesson}.ipynb"],
        cwd=solved / lesson, capture_output=True, text=True,
    )  # fmt: skip
    assert again.returncode == 0, again.stdout[-3000:]


@pytest.mark.parametrize("lesson", lesson_names())
def test_solved_notebooks_show_no_error_and_keep_no_solution_marker(solved, lesson):
    notebook = nbformat.read(solved / lesson / f"{lesson}.ipynb", as_version=4)
    nbformat.validate(notebook)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs and not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"], "a warning would puzzle learners"


@pytest.mark.parametrize("lesson", lesson_names())
def test_a_students_notebook_runs_up_to_the_first_open_exercise(tmp_path, lesson):
    folder = tmp_path / lesson
    shutil.copytree(COURSE_ROOT / "notebooks" / lesson, folder)
    notebook = nbformat.read(folder / f"{lesson}.ipynb", as_version=4)
    with pytest.raises(CellExecutionError):
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    stopped = next(
        cell for cell in notebook.cells if any(output.output_type == "error" for output in cell.get("outputs", []))
    )
    first = next(iter(load_lesson(lesson).exercises))
    assert stopped.metadata.nbgrader.grade_id == f"test_{first}"
    assert stopped.outputs[-1].ename == "CheckFailed"
