"""Our executor with notebooks that are no lesson of the course: as nbgrader would have it (see docs/nbgrader.md)."""

import nbformat
import pytest
from jupyter_client.kernelspec import NoSuchKernel
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.utils import determine_grade

from grader.executor import TwoSidedExecute


@pytest.fixture(scope="module")
def executor():
    return TwoSidedExecute()


def run(executor, folder, *sources, kernel="python3"):
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    notebook.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
    resources = {"nbgrader": {"notebook": "mine"}, "metadata": {"path": str(folder)}}
    return executor.preprocess(notebook, resources)[0]


def test_files_that_cells_make_are_kept_but_none_is_changed(executor, tmp_path):
    (tmp_path / "data.csv").write_text("1,2")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    run(
        executor, tmp_path,
        "for name in ('made.txt', 'data.csv', 'link', 'mine.ipynb', '.hidden'):\n    open(name, 'w').write('new')",
        "import os; os.symlink('/etc/passwd', 'stolen'); os.mkdir('folder')",
    )  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "link", "made.txt"]
    assert (tmp_path / "made.txt").read_text() == "new" and (tmp_path / "data.csv").read_text() == "1,2"


def test_an_error_counts_even_where_showing_errors_was_switched_off(executor, tmp_path):
    off = "from IPython.core.interactiveshell import InteractiveShell as S\nS.showtraceback = lambda *args, **more: None"
    cell = run(executor, tmp_path, off, "assert 1 == 2").cells[1]
    cell.metadata["nbgrader"] = {"grade": True, "solution": False, "points": 3}
    assert cell.outputs[0].ename == "AssertionError" and determine_grade(cell) == (0, 3)
    nbformat.validate(new_notebook(cells=[cell]))


@pytest.mark.parametrize("kernel", ["no-such-kernel", "../../etc"])
def test_a_notebook_for_another_language_is_refused(executor, tmp_path, kernel):
    with pytest.raises(NoSuchKernel):
        run(executor, tmp_path, "1", kernel=kernel)


def test_the_kernel_python_is_python(executor, tmp_path):
    assert run(executor, tmp_path, "6 * 7", kernel="python").cells[0].outputs[0].data["text/plain"] == "42"
