"""Grades a whole class into nbgrader's gradebook: workers run and judge, this process writes.

Built on nbgrader's own `Autograde` converter: which submissions are new or newer, timestamps, late
penalties and manual grades are its business.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import shutil
import sys
import warnings
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
import nbgrader.api
from nbformat.notebooknode import NotebookNode
from nbgrader.apps import NbGrader
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    LimitOutput,
    OverwriteCells,
    SaveAutoGrades,
)
from sqlalchemy import inspect, make_url, text
from sqlalchemy.exc import ArgumentError, InterfaceError, NoSuchModuleError, OperationalError, SAWarning
from tqdm import tqdm

from grader.cluster import Cluster
from grader.errors import GraderError
from grader.grading import new_seed
from grader.options import add_limit_arguments, limits_of
from grader.sandbox import Limits, Sandbox, SandboxMissing
from grader.sandbox.limits import STANDARD
from grader.spec import require_lesson
from grader.submission import MAX_NOTEBOOK_BYTES, read_regular_file, readable
from grader.transport import careful_with_submissions, files_beside, left_out
from grader.workers import Job, LocalWorkers, get_ready, grade

# What is left of nbgrader's own steps for a notebook that is repaired and graded already; hidden lines go,
# since feedback shows the notebook as it is then.
STEPS = (OverwriteCells, ClearHiddenTests, LimitOutput, SaveAutoGrades, AssignLatePenalties, CheckCellMetadata)

AHEAD = 4  # submissions for each worker that are with it, or back from it and not recorded yet
QUIET_SECONDS = 15.0  # without any result before the workers are looked after
LOCKED_SECONDS = 60.0  # that another program may keep the gradebook to itself
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


class ClassAutograde(Autograde):
    """nbgrader's converter for submissions that workers have graded already.

    A submission counts as graded once its notebook is in the autograded folder: that comes last, in one
    step, so that whatever ends a run, the next one grades what is not finished.
    """

    def pending(self, lesson: str) -> list[tuple[str, Path]]:
        """(student, folder) of each submission that is not graded yet, or newer than its grade."""
        submitted = Path(self.coursedir.format_path(self.coursedir.submitted_directory, "*", lesson))
        folders = sorted(submitted.parents[1].glob(f"*/{lesson}"))
        return [(folder.parent.name, folder) for folder in folders if self._is_due(folder.parent.name, lesson)]

    def record(self, student: str, path: Path, notebook: NotebookNode) -> None:
        """Writes one graded submission into the gradebook and the autograded folder."""
        self.coursedir.student_id = student
        self.student, self.path, self.graded = student, path, notebook
        self.start()

    def _is_due(self, student: str, lesson: str) -> bool:
        if student in self.coursedir.student_id_exclude.split(","):
            return False
        graded = Path(self._format_dest(lesson, student))
        if self.force or not (graded / f"{lesson}.ipynb").exists():
            return True
        new = self.coursedir.get_existing_timestamp(self._format_source(lesson, student))
        old = self.coursedir.get_existing_timestamp(str(graded))
        return new is not None and old is not None and new > old

    def init_notebooks(self) -> None:
        self.notebooks = [str(self.path)]
        self.assignments = {str(self.path.parent): self.notebooks}

    def convert_notebooks(self) -> None:
        lesson = self.path.stem
        target = Path(self._format_dest(lesson, self.student))
        try:
            shutil.rmtree(target, ignore_errors=True)  # from here on it counts as not graded
            self.run_pre_convert_hook()
            self.init_assignment(lesson, self.student)
            self.convert_single_notebook(str(self.path))
            self.set_permissions(lesson, self.student)
            self.run_post_convert_hook()
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise

    def convert_single_notebook(self, notebook_filename: str) -> None:
        resources = self.init_single_notebook_resources(notebook_filename)
        self.exporter.optimistic_validation = True  # once at the end, not after each step
        self.exporter._preprocessors = []
        for step in STEPS:
            self.exporter.register_preprocessor(step, enabled=True)
        text, resources = self.exporter.from_notebook_node(self.graded, resources=resources)
        name, resources["unique_key"] = resources["unique_key"], f".{resources['unique_key']}"
        self._sanitizing = False
        try:
            self.write_single_notebook(text, resources)
        finally:
            self._sanitizing = True
        folder = Path(self.writer.build_directory)
        os.replace(folder / f".{name}.ipynb", folder / f"{name}.ipynb")


@dataclass
class Run:
    """What became of the submissions of one run.

    Attributes:
        graded: the students whose submissions are recorded.
        unreadable: those of them whose file is no notebook, and why; they got no points.
        failed: students whose submissions are not recorded, and why.
    """

    graded: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def autograde(
    lesson: str,
    course: ClassAutograde,
    workers: LocalWorkers | Cluster,
    seed: int,
    limits: Limits = STANDARD,
    unprotected: bool = False,
) -> Run:
    """Grades what is missing or newer.

    Each submission is recorded as soon as its worker is done, so that what is interrupted keeps what
    was done, and then forgotten: memory does not grow with the class. A submission that cannot be
    recorded is reported, and the rest goes on.

    Raises:
        GraderError: nothing can be recorded any more, or no worker is left.
    """
    run, waiting = Run(), deque(course.pending(lesson))
    jobs: dict[Future, tuple[str, Path]] = {}
    with tqdm(total=len(waiting), unit="submission", disable=None) as bar:

        def failed(student: str, error: Exception) -> None:
            told = str(error) if isinstance(error, GraderError) else f"{type(error).__name__}: {error}"
            run.failed[student] = readable(told)
            bar.write(f"{readable(student)}: not graded ({readable(told)})", file=sys.stderr)
            bar.update()

        while waiting or jobs:
            for student, folder in _taken(waiting, AHEAD * workers.count - len(jobs)):
                path = folder / f"{lesson}.ipynb"
                try:
                    job = job_for(path, seed, limits, unprotected)
                except (GraderError, OSError) as error:
                    failed(student, error)
                else:
                    jobs[workers.submit(grade, job)] = student, path
            done = wait(jobs, QUIET_SECONDS, FIRST_COMPLETED).done
            if not done:
                workers.check()
            for future in done:
                student, path = jobs.pop(future)
                try:
                    text = future.result()
                except SandboxMissing:
                    raise
                except Exception as error:
                    workers.check()
                    failed(student, error)
                    continue
                try:
                    notebook = nbformat.reads(text, as_version=4)
                    course.record(student, path, notebook)
                except Exception as error:
                    if obstacle := _obstacle(course, error):
                        raise GraderError(
                            f"{obstacle}; what was graded is kept, the same command grades the rest"
                        ) from error
                    failed(student, error)
                else:
                    run.graded.append(student)
                    if problem := notebook.metadata["grader"]["error"]:
                        run.unreadable[student] = problem
                    bar.update()
    return run


def _taken(waiting: deque, count: int) -> list:
    return [waiting.popleft() for _ in range(min(len(waiting), max(count, 0)))]


def job_for(path: Path, seed: int, limits: Limits = STANDARD, unprotected: bool = False) -> Job:
    """What a worker needs to grade the notebook in a submission's folder.

    Raises:
        GraderError: it is not there.
    """
    if not os.path.lexists(path):
        raise GraderError(f"there is no {path.name} in its folder")
    data, problem = None, None
    try:
        data = read_regular_file(path, MAX_NOTEBOOK_BYTES)
    except GraderError as error:
        problem = str(error)
    return Job(path.stem, seed, data, problem, files_beside(path.parent), left_out(path.parent), limits, unprotected)


def _obstacle(course: ClassAutograde, error: BaseException | None) -> str | None:
    """What keeps anything from being recorded, in a sentence; None if an error is one submission's own."""
    while error is not None:
        if isinstance(error, (OperationalError, InterfaceError)):
            return f"the gradebook {_url(course)} cannot be used ({_first_line(error.orig)})"
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return f"{error.filename or 'a file'} cannot be written ({error.strerror})"
        error = error.__cause__ or error.__context__
    return None


def _url(course: ClassAutograde) -> str:
    return make_url(course.coursedir.db_url).render_as_string(hide_password=True)


def _first_line(error: object) -> str:
    return " ".join(str(error).split("\n")[0].split())


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
    coursedir = CourseDirectory(config=app.config)
    return ClassAutograde(coursedir=coursedir, config=app.config)


def release_into_gradebook(lesson: str, course: ClassAutograde) -> None:
    """Makes the gradebook know the lesson, from its staged source in build/source.

    Raises:
        GraderError: the lesson is not staged, or the gradebook cannot be used.
    """
    source = Path(course.coursedir.format_path(course.coursedir.source_directory, ".", lesson))
    if not source.exists():
        raise GraderError(f"{lesson} is not staged in {source.parent.name}: run `grader release` first")
    course.coursedir.assignment_id = lesson
    try:
        if not _is_known(lesson, course, source):
            GenerateAssignment(coursedir=course.coursedir, config=course.config, force=True).start()
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise GraderError(
            f"the gradebook's address, CourseDirectory.db_url, cannot be used ({_first_line(error)}): expected one "
            "like sqlite:////folder/gradebook.db or, with pip install 'transformer-course[postgres]', "
            "postgresql+psycopg://user@host/database"
        ) from None
    except NbGraderException:
        raise GraderError(
            f"the gradebook does not take {lesson} as it is now: its exercises are others than those of the "
            "submissions that it holds"
        ) from None
    except Exception as error:
        if obstacle := _obstacle(course, error):
            raise GraderError(obstacle) from error
        raise


def _is_known(lesson: str, course: ClassAutograde, source: Path) -> bool:
    """Whether the gradebook holds all of the lesson as it is staged: a run may have ended half-way."""
    staged = nbformat.read(source / f"{lesson}.ipynb", as_version=4)
    marks = [cell.metadata.nbgrader for cell in staged.cells if "nbgrader" in cell.metadata]
    points = {mark.grade_id: float(mark.points) for mark in marks if mark.grade}
    with nbgrader.api.Gradebook(course.coursedir.db_url, course.coursedir.course_id) as gradebook:
        if not inspect(gradebook.engine).has_table("alembic_version"):  # ended while it was made
            version = nbgrader.api.get_alembic_version()
            gradebook.db.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
            gradebook.db.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": version})
            gradebook.db.commit()
        try:
            notebook = gradebook.find_notebook(lesson, lesson)
        except nbgrader.api.MissingEntry:
            return False
        held = {cell.name: float(cell.max_score) for cell in notebook.grade_cells}
        return held == points and {cell.name for cell in notebook.source_cells} == {mark.grade_id for mark in marks}


@lru_cache(maxsize=1)
def _mend_nbgrader() -> None:
    """Habits of nbgrader that cost a database, time and the reader's patience.

    It calls a bare `alembic` when it first makes a gradebook, which must be found; each `Gradebook`
    makes an engine of its own, which compiles every SQL statement anew; and it shows tracebacks of what
    is told here in a sentence, and warnings of what is harmless.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    create_engine = nbgrader.api.create_engine

    @lru_cache
    def one_engine(url: str, **options: Any) -> Any:
        patience = {"connect_args": {"timeout": LOCKED_SECONDS}} if url.startswith("sqlite") else {}
        return create_engine(url, **patience, **options)

    nbgrader.api.create_engine = one_engine
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)  # nbgrader tells every step; the bar says enough
    logging.getLogger("tornado.application").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="e.g. 01_self_attention")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="worker processes (default: all cores)")
    parser.add_argument("--force", action="store_true", help="grade again what is graded already")
    parser.add_argument("--seed", type=int, help="repeat a run: the seed its graded notebooks tell")
    parser.add_argument(
        "--cluster", metavar="URL", help="let the workers of a Dask cluster grade, e.g. tcp://host:8786 (its scheduler's)"
    )
    add_limit_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Grades a class; exit status 1 when a submission could not be graded."""
    require_lesson(args.lesson)
    seed, limits = new_seed() if args.seed is None else args.seed, limits_of(args)
    with _workers(args) as workers:
        for _ in range(workers.count):  # they get ready while the gradebook is opened here
            workers.submit(get_ready, args.lesson, seed, limits, args.unprotected)
        course = open_course(Path.cwd())
        course.force = args.force
        release_into_gradebook(args.lesson, course)
        run = autograde(args.lesson, course, workers, seed, limits, args.unprotected)
    told = f"{len(run.graded)} submissions of {args.lesson} graded (seed {seed})"
    for what, students in (("unreadable", run.unreadable), ("not graded", run.failed)):
        told += f", {len(students)} {what}" + (f": {', '.join(map(readable, students))}" if students else "")
    print(told)
    return int(bool(run.unreadable or run.failed))


def _workers(args: argparse.Namespace) -> LocalWorkers | Cluster:
    if args.cluster:
        return Cluster(args.cluster, args.unprotected)
    return local_workers(args.jobs, args.unprotected, args.lesson)


def local_workers(count: int, unprotected: bool = False, lesson: str | None = None) -> LocalWorkers:
    """Worker processes of this machine.

    Args:
        count: how many.
        unprotected: they run submissions without a sandbox.
        lesson: what they will grade: imported once for all of them.

    Raises:
        GraderError: there is no sandbox, or no worker is wanted.
    """
    if count < 1:
        raise GraderError(f"--jobs is {count}: expected 1 or more worker processes")
    if not unprotected:
        Sandbox.require()  # one sentence here, not one a submission
    return LocalWorkers(count, lesson)
