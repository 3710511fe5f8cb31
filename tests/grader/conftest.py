"""A small class in a course of its own, graded by the command line as an instructor would."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from grader.autograde import Run, autograde, local_workers, open_course, release_into_gradebook
from grader.lessons import COURSE_ROOT
from grader.workers import LocalWorkers

LESSON = "00_welcome"
POINTS = {"perfect": 5.0, "one-sentence-only": 3.0, "from-one": 0.0}  # what tests/submissions says
CONFIG = """
exec(open({project!r}).read(), {{"get_config": get_config, "__file__": {project!r}}})
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.db_url = {db_url!r}
c.CourseDirectory.source_directory = "source"
c.CourseDirectory.release_directory = "release"
"""
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(COURSE_ROOT),
}


class Class:
    """A course folder with submissions of one lesson, and what its gradebook says of them."""

    environment = ENVIRONMENT

    def __init__(self, root: Path, source: Path, db_url: str | None = None) -> None:
        self.root, self.lesson, self.points = root, LESSON, {}
        self.db_url = db_url or f"sqlite:///{root}/gradebook.db"
        shutil.copytree(source, root / "source" / LESSON)
        self.configure()

    def configure(self, more: str = "") -> None:
        text = CONFIG.format(project=str(COURSE_ROOT / "nbgrader_config.py"), root=str(self.root), db_url=self.db_url)
        (self.root / "nbgrader_config.py").write_text(text + more, encoding="utf-8")

    def hand_in(self, student: str, kind: str = "perfect", time: str | None = None) -> Path:
        """One student's submission; returns its folder."""
        self.points[student] = POINTS[kind]
        folder = self.root / "submitted" / student / LESSON
        folder.mkdir(parents=True, exist_ok=True)
        file = COURSE_ROOT / "tests" / "submissions" / f"{LESSON}__{kind}__{POINTS[kind]:g}.ipynb"
        shutil.copy(file, folder / f"{LESSON}.ipynb")
        if time:
            (folder / "timestamp.txt").write_text(time)
        return folder

    def fill(self, count: int) -> None:
        for number in range(count):
            self.hand_in(f"s{number:03d}", list(POINTS)[number % len(POINTS)])

    def start(self, *options: str, stderr: int = subprocess.PIPE) -> subprocess.Popen:
        """The grader, on its way."""
        command = [sys.executable, "-m", "grader", "autograde", LESSON, "--jobs", "2", *options]
        return subprocess.Popen(
            command, cwd=self.root, env=self.environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        )  # fmt: skip

    def grade(self, *options: str) -> tuple[int, str, str]:
        """(exit status, stdout, stderr) of the grader."""
        process = self.start(*options)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def grade_here(self, workers: LocalWorkers, force: bool = False) -> Run:
        """The same in this process."""
        before = os.getcwd()
        os.chdir(self.root)  # nbgrader reads a configuration that lies there, too
        try:
            course = open_course(self.root)
            course.force = force
            release_into_gradebook(LESSON, course)
            return autograde(LESSON, course, workers, seed=7)
        finally:
            os.chdir(before)

    def nbgrader(self, *arguments: str, cwd: Path | None = None) -> None:
        command = [sys.executable, "-m", "nbgrader", *arguments]
        done = subprocess.run(command, cwd=cwd or self.root, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    def notebook(self, student: str) -> Path:
        return self.root / "autograded" / student / LESSON / f"{LESSON}.ipynb"

    def finished(self) -> dict[str, int]:
        """When each graded notebook was written, by student."""
        found = (self.root / "autograded").glob(f"*/{LESSON}/{LESSON}.ipynb")
        return {path.parent.parent.name: path.stat().st_mtime_ns for path in found}

    @contextmanager
    def gradebook(self) -> Iterator[Gradebook]:
        with Gradebook(self.db_url, "transformer") as gradebook:
            yield gradebook

    def scores(self) -> dict[str, float]:
        """The scores in the gradebook; sees that nobody is there twice, and that no grade is open."""
        with self.gradebook() as gradebook:
            found = [(one.student.id, one.score) for one in gradebook.assignment_submissions(LESSON)]
            for one in gradebook.assignment_submissions(LESSON):
                for notebook in one.notebooks:
                    assert len(notebook.grades) == len({grade.name for grade in notebook.grades}) > 0
                    assert all(grade.auto_score is not None for grade in notebook.grades)
        assert len(found) == len(dict(found))
        return dict(found)


@pytest.fixture(scope="session")
def workers() -> Iterator[LocalWorkers]:
    with local_workers(2) as opened:
        yield opened


@pytest.fixture
def make_class(staged) -> Callable[..., Class]:
    """Makes a class in a folder, and with a gradebook elsewhere if its address is given."""
    return lambda root, db_url=None: Class(root, staged / LESSON, db_url)


@pytest.fixture
def pupils(tmp_path, make_class) -> Class:
    return make_class(tmp_path)
