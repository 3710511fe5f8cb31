"""The notebooks themselves: solved ones run and give the same outputs again, students' stop where they should."""

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

pytestmark = pytest.mark.xdist_group("notebooks")  # one process executes them all
SET_UP = "try:\n    from utils import carry, check, plots\nexcept ModuleNotFoundError:"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    target = tmp_path_factory.mktemp("built")
    release(COURSE_ROOT, target, execute=True)
    return target


def test_a_second_run_gives_the_same_text_outputs(built):
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, "."], cwd=built / "build" / "solutions", capture_output=True, text=True)
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize("lesson", lesson_names())
def test_solved_notebooks_write_nothing_to_stderr(built, lesson):
    notebook = nbformat.read(built / "build" / "solutions" / lesson / f"{lesson}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs and not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


@pytest.mark.parametrize("lesson", lesson_names())
def test_a_students_notebook_runs_up_to_its_first_unanswered_exercise(lesson, tmp_path):
    folder = shutil.copytree(COURSE_ROOT / "notebooks" / lesson, tmp_path / lesson)  # files are written beside it
    notebook = nbformat.read(folder / f"{lesson}.ipynb", as_version=4)
    first = next(iter(load_lesson(lesson).exercises))
    with pytest.raises(CellExecutionError, match=f"{first}: not answered yet"):
        NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}).execute()
    failed = [cell.id for cell in notebook.cells if any(o.output_type == "error" for o in cell.get("outputs", []))]
    assert failed == [f"test_{first}"]


@pytest.mark.parametrize("lesson", lesson_names())
def test_every_lesson_begins_with_the_same_set_up_cell(lesson):
    notebook = nbformat.read(COURSE_ROOT / "notebooks" / lesson / f"{lesson}.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert first.source.startswith(SET_UP)
    other = nbformat.read(COURSE_ROOT / "notebooks" / "00_welcome" / "00_welcome.ipynb", as_version=4)
    assert first.source == next(cell for cell in other.cells if cell.cell_type == "code").source


@pytest.mark.parametrize("lesson", lesson_names())
def test_released_notebooks_have_no_outputs(lesson):
    notebook = nbformat.read(COURSE_ROOT / "notebooks" / lesson / f"{lesson}.ipynb", as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
