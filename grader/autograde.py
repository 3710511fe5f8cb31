"""Grades a whole class into nbgrader's gradebook: workers run and judge, this process writes.

Built on nbgrader's own `Autograde` converter: which submissions are new or newer, timestamps, late
penalties and manual grades are its business.
"""

from __future__ import annotations

import argparse
import glob
import logging
import os
import sys
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
import nbgrader.api
from nbformat.notebooknode import NotebookNode
from nbgrader.apps import NbGrader
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    LimitOutput,
    OverwriteCells,
    SaveAutoGrades,
)
from sqlalchemy.exc import SAWarning
from tqdm import tqdm

from grader.errors import GraderError
from grader.grading import grade_notebook, new_seed
from grader.options import add_limit_arguments, limits_of
from grader.sandbox import Limits, Sandbox, Unprotected
from grader.sanitise import sanitise
from grader.spec import load_lesson
from grader.submission import read_submission, readable, release_notebook, repair
from grader.transport import careful_with_submissions, files_beside, left_out

# What is left of nbgrader's own steps for a notebook that is repaired and graded already; hidden lines go,
# since feedback shows the notebook as it is then.
STEPS = (OverwriteCells, ClearHiddenTests, LimitOutput, SaveAutoGrades, AssignLatePenalties, CheckCellMetadata)

_sandbox: Sandbox | None = None  # a worker process has one


@dataclass(frozen=True)
class Job:
    """One submission to grade: plain values, so that it can travel to a worker anywhere."""

    student: str
    path: str
    lesson: str
    seed: int


def start_worker(limits: Limits, unprotected: bool) -> None:
    """Opens this worker's sandbox; it closes with the process."""
    global _sandbox
    _sandbox = (Unprotected if unprotected else Sandbox)(limits)
    _sandbox.__enter__()


def grade(job: Job) -> str:
    """The graded notebook as text; a file that is no notebook gives an empty one that says so."""
    release = release_notebook(job.lesson)
    path = Path(job.path)
    try:
        notebook, problem = repair(read_submission(path), release), None
    except GraderError as error:
        notebook, problem = _unreadable(release, str(error)), str(error)
    sanitise(notebook, release)
    grade_notebook(notebook, job.lesson, job.seed, _sandbox, files_beside(path.parent))
    notebook.metadata["grader"]["error"] = problem
    notebook.metadata["grader"]["incidents"] += left_out(path.parent)
    return nbformat.writes(notebook)


class ClassAutograde(Autograde):
    """nbgrader's converter for submissions that workers have graded already."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.graded: dict[str, NotebookNode] = {}

    def pending(self, lesson: str) -> list[tuple[str, str]]:
        """(student, file) of each submission that is not graded yet, or newer than its grade."""
        submitted = self.coursedir.format_path(self.coursedir.submitted_directory, "*", lesson)
        found = []
        for path in sorted(glob.glob(f"{submitted}/{lesson}.ipynb")):
            student = Path(path).parent.parent.name
            if self.init_destination(lesson, student):
                found.append((student, path))
        return found

    def record(self, student: str, path: str, notebook: NotebookNode) -> None:
        """Writes one graded submission into the gradebook and the autograded folder."""
        self.graded[path] = notebook
        self.coursedir.student_id = student
        self.start()

    def convert_single_notebook(self, notebook_filename: str) -> None:
        resources = self.init_single_notebook_resources(notebook_filename)
        self.exporter._preprocessors = []
        for step in STEPS:
            self.exporter.register_preprocessor(step, enabled=True)
        text, resources = self.exporter.from_notebook_node(self.graded.pop(notebook_filename), resources=resources)
        self._sanitizing = False
        try:
            self.write_single_notebook(text, resources)
        finally:
            self._sanitizing = True


def autograde(lesson: str, converter: ClassAutograde, pool: Executor, seed: int) -> dict[str, NotebookNode]:
    """Grades what is missing or newer; returns the graded notebooks by student.

    Each submission is recorded as soon as its worker is done, so that what is interrupted keeps what
    was done. A submission that cannot be recorded is reported, and the rest goes on.
    """
    jobs: dict[Future, Job] = {}
    for student, path in converter.pending(lesson):
        job = Job(student, path, lesson, seed)
        jobs[pool.submit(grade, job)] = job
    graded: dict[str, NotebookNode] = {}
    for future in tqdm(as_completed(jobs), total=len(jobs), unit="submission", disable=None):
        job = jobs[future]
        try:
            notebook = nbformat.reads(future.result(), as_version=4)
            converter.record(job.student, job.path, notebook)
        except Exception as error:
            told = readable(f"{job.student}: not graded ({type(error).__name__}: {error})")
            print(told, file=sys.stderr)
        else:
            graded[job.student] = notebook
    return graded


def open_course(folder: Path, directories: dict[str, str] = {}) -> ClassAutograde:
    """The converter for a course.

    Args:
        folder: has the course's nbgrader_config.py.
        directories: `CourseDirectory` settings that differ from the configured ones.

    Raises:
        GraderError: there is no nbgrader_config.py.
    """
    if not (folder / "nbgrader_config.py").exists():
        raise GraderError(f"no nbgrader_config.py in {folder}: run this in the course's folder")
    _mend_nbgrader()
    careful_with_submissions()
    app = NbGrader(config_file=str(folder / "nbgrader_config"))
    app.load_config_file()
    app.config.CourseDirectory.update(directories)
    logging.getLogger("traitlets").setLevel(logging.ERROR)  # nbgrader tells every step; the bar says enough
    coursedir = CourseDirectory(config=app.config)
    return ClassAutograde(coursedir=coursedir, config=app.config)


def release_into_gradebook(lesson: str, course: ClassAutograde) -> None:
    """Makes the gradebook know the lesson, from its staged source in build/source."""
    source = Path(course.coursedir.format_path(course.coursedir.source_directory, ".", lesson))
    if not source.exists():
        raise GraderError(f"{lesson} is not staged in {source.parent.name}: run `grader release` first")
    course.coursedir.assignment_id = lesson
    with nbgrader.api.Gradebook(course.coursedir.db_url, course.coursedir.course_id) as gradebook:
        known = {assignment.name for assignment in gradebook.assignments}
    if lesson not in known:
        student, course.coursedir.student_id = course.coursedir.student_id, "."
        GenerateAssignment(coursedir=course.coursedir, config=course.config, force=True).start()
        course.coursedir.student_id = student


@lru_cache(maxsize=1)
def _mend_nbgrader() -> None:
    """Three habits of nbgrader that cost a database, time and the reader's patience.

    It calls a bare `alembic` when it first makes a gradebook, which must be found; and each
    `Gradebook` makes an engine of its own, which compiles every SQL statement anew; and SQLAlchemy
    warns of how it adds submissions, which is harmless.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    nbgrader.api.create_engine = lru_cache(nbgrader.api.create_engine)
    warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")


def _unreadable(release: NotebookNode, problem: str) -> NotebookNode:
    notebook = repair(nbformat.v4.new_notebook(), release)
    text = f"**This submission could not be graded.** {problem}."
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text, id="problem"))
    return notebook


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="e.g. 01_self_attention")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="worker processes (default: all cores)")
    parser.add_argument("--force", action="store_true", help="grade again what is graded already")
    parser.add_argument("--seed", type=int, help="repeat a run: the seed its graded notebooks tell")
    add_limit_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Grades a class; exit status 1 when a submission could not be graded."""
    lesson = load_lesson(args.lesson)
    course = open_course(Path.cwd())
    course.force = args.force
    release_into_gradebook(args.lesson, course)
    seed = new_seed() if args.seed is None else args.seed
    with worker_pool(args.jobs, limits_of(args), args.unprotected) as pool:
        graded = autograde(args.lesson, course, pool, seed)
    broken = [student for student, notebook in graded.items() if notebook.metadata["grader"]["error"]]
    print(f"{len(graded)} submissions of {lesson.name} graded (seed {seed}), {len(broken)} unreadable {broken or ''}")
    return int(bool(broken))


def worker_pool(jobs: int, limits: Limits, unprotected: bool) -> ProcessPoolExecutor:
    """Local worker processes, each with a sandbox of its own."""
    import multiprocessing

    if not unprotected:
        Sandbox.require()  # one sentence here, not a broken pool later
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, spawn, start_worker, (limits, unprotected))
