"""nbgrader's `Execute`, with the student's code in a sandbox and the verdict on this side.

Set in `nbgrader_config.py`, so that `nbgrader autograde`, formgrader's button and everything built
on them grade this way.
"""

from __future__ import annotations

import atexit
import os
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager, NoSuchKernel
from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, Execute
from traitlets import Bool, Integer

from grader.grading import Graded, Session, grade_notebook, new_seed
from grader.sandbox import Limits, Sandbox, Unprotected
from grader.sanitise import safe_outputs, sanitise
from grader.spec import lesson_names
from grader.submission import release_notebook
from grader.transport import files_beside

_sandboxes: dict[tuple[Limits, bool], Sandbox] = {}


class TwoSidedExecute(Execute):
    """Executes and grades a submission on two sides.

    For the course's lessons the score of each test cell is decided here. A notebook of anybody else's
    runs in the sandbox too, but under nbgrader's own rules: there student code can reach the tests.
    """

    seed = Integer(
        default_value=None, allow_none=True,
        help="Gives the hidden inputs; a new one for each run unless set (a graded notebook's metadata tells its own).",
    ).tag(config=True)
    submission_timeout = Integer(300, help="Seconds that a whole submission may take.").tag(config=True)
    unprotected = Bool(False, help="Run student code without bubblewrap.").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, km: Any = None
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Fills the notebook with outputs, cards and scores."""
        resources = resources if resources is not None else {}
        lesson = resources.get("nbgrader", {}).get("notebook", "")
        folder = Path(resources.get("metadata", {}).get("path") or ".")
        files = files_beside(folder)
        if lesson in lesson_names():
            self.grade(nb, lesson, files)
        else:
            self.log.warning("%s is no lesson of the course: graded by its own test cells, unprotected", lesson)
            self.run_by_its_own_tests(nb, files, folder)
        return nb, resources

    def grade(self, nb: NotebookNode, lesson: str, files: dict[str, bytes]) -> Graded:
        """Grades one of the course's lessons."""
        if self.seed is None:
            self.seed = new_seed()
        sanitise(nb, release_notebook(lesson))
        graded = grade_notebook(nb, lesson, self.seed, self.sandbox(), files)
        ClearHiddenTests().preprocess(nb, {})  # feedback shows the notebook as it leaves here
        return graded

    def run_by_its_own_tests(self, nb: NotebookNode, files: dict[str, bytes], folder: Path) -> None:
        """Runs every cell in the sandbox; leaves the outputs for nbgrader to judge, and new files in the folder.

        Raises:
            NoSuchKernel: the notebook is not for Python.
        """
        kernel = nb.metadata.get("kernelspec", {}).get("name", NATIVE_KERNEL_NAME)
        if kernel != "python" and KernelSpecManager().get_kernel_spec(kernel).language != "python":
            raise NoSuchKernel(kernel)
        with Session(self.sandbox(), files) as session:
            for cell in nb.cells:
                if cell.cell_type == "code":
                    cell.outputs = safe_outputs(session.run(cell.source))
            for name, data in session.made().items():
                if not os.path.lexists(folder / name) and not name.endswith(".ipynb"):
                    (folder / name).write_bytes(data)
        nb.metadata["grader"] = {"unprotected": True}

    def sandbox(self) -> Sandbox:
        """This process's sandbox for these limits, started when first needed and kept warm."""
        limits = Limits(seconds=self.timeout or 30, submission_seconds=self.submission_timeout)
        key = (limits, self.unprotected)
        if key not in _sandboxes:
            sandbox = (Unprotected if self.unprotected else Sandbox)(limits)
            sandbox.__enter__()
            atexit.register(sandbox.__exit__, None, None, None)
            _sandboxes[key] = sandbox
        return _sandboxes[key]
