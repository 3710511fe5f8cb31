"""`grader demo`: a small class of real submissions, graded end to end into a gradebook of its own.

Each file in `answers/<lesson>/` is a student: the cells in it replace those of a perfect submission.
"""

from __future__ import annotations

import argparse
import shutil
import textwrap
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateFeedback

from grader.autograde import ClassAutograde, autograde, local_workers, open_course, release_into_gradebook
from grader.grading import new_seed
from grader.lessons import COURSE_ROOT, read_lesson
from grader.options import add_limit_arguments, limits_of
from grader.report import write_report
from grader.submission import release_notebook
from grader.transport import CarefulCsvExport

ANSWERS = Path(__file__).parent / "answers"
LESSONS = sorted(folder.name for folder in ANSWERS.iterdir() if folder.is_dir())


def submission(lesson: str, answers: str) -> NotebookNode:
    """A submitted notebook: the release with the lesson's own solutions, but for the cells in `answers`.

    Args:
        lesson: the lesson's name.
        answers: py:percent text; a cell marked solution="name" replaces that answer, other code cells
            are put before the first answer.
    """
    sources = dict(read_lesson(lesson).solutions)
    extra = []
    _, _, cells = answers.partition("\n# %%")  # what stands before the first cell describes the student
    for cell in jupytext.reads("# %%" + cells, fmt="py:percent").cells if cells else []:
        if "solution" in cell.metadata:
            sources[cell.metadata["solution"]] = cell.source
        elif cell.cell_type == "code":
            extra.append(nbformat.v4.new_code_cell(cell.source))
    notebook = release_notebook(lesson)
    first = None
    for index, cell in enumerate(notebook.cells):
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("solution"):
            first = index if first is None else first
            cell.source = sources[marks["grade_id"]]
    notebook.cells[first:first] = extra
    return notebook


def make_class(root: Path) -> dict[str, dict[str, str]]:
    """Writes every student's submissions below `root`; returns what each is, by lesson and student."""
    told: dict[str, dict[str, str]] = {lesson: {} for lesson in LESSONS}
    for lesson in LESSONS:
        for file in sorted((ANSWERS / lesson).iterdir()):
            folder = root / "submitted" / file.stem / lesson
            folder.mkdir(parents=True)
            target = folder / f"{lesson}.ipynb"
            if file.suffix == ".ipynb":
                shutil.copy(file, target)
                told[lesson][file.stem] = "A file that is no notebook."
            else:
                text = file.read_text(encoding="utf-8")
                nbformat.write(submission(lesson, text), target)
                told[lesson][file.stem] = text.splitlines()[0].removeprefix("# ")
    return told


def open_demo(root: Path, staged: Path = COURSE_ROOT / "build" / "source") -> ClassAutograde:
    """A course in `root` with the project's configuration, its staged sources and nothing else of it."""
    directories = {
        "root": str(root),
        "source_directory": str(staged),
        "release_directory": "release",
        "db_url": f"sqlite:///{root / 'gradebook.db'}",
    }
    return open_course(COURSE_ROOT, directories)


def why(course: ClassAutograde, lesson: str, student: str) -> str:
    """What a graded submission lost points for, in a line."""
    folder = course.coursedir.format_path(course.coursedir.autograded_directory, student, lesson)
    record = nbformat.read(Path(folder) / f"{lesson}.ipynb", as_version=4).metadata["grader"]
    if record["error"]:
        return record["error"]
    reasons: dict[str, list[dict[str, Any]]] = {}
    for entry in record["exercises"]:
        if entry["score"] < entry["max_score"]:
            reasons.setdefault(entry["misconception"] or entry["status"], []).append(entry)
    told = []
    for reason, entries in reasons.items():
        names = ", ".join(entry["name"] for entry in entries)
        known = entries[0]["misconception"] or reason == "missing"
        told.append(f"{names}: {reason}" + ("" if known else f" ({entries[0]['message']})"))
    return "; ".join(told) or "all right"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="worker processes (default 2)")
    parser.add_argument(
        "--folder", type=Path, default=COURSE_ROOT / "build" / "demo",
        help="where the class is made, anew each time (default build/demo)",
    )
    add_limit_arguments(parser)
    parser.set_defaults(seconds=3.0)  # one of the class never ends


def main(args: argparse.Namespace) -> int:
    """Releases, makes the class, grades it, writes feedback, reports and the export, prints the table."""
    from grader.release import release

    root = args.folder.resolve()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    release(COURSE_ROOT)
    told = make_class(root)
    course = open_demo(root)
    with local_workers(args.jobs, args.unprotected) as workers:
        seed = new_seed()
        for lesson in LESSONS:
            release_into_gradebook(lesson, course)
            autograde(lesson, course, workers, seed, limits_of(args), args.unprotected)
            write_feedback(lesson, course)
            write_report(lesson, course, root / "reports")
    write_export(course, root / "grades.csv")
    print_table(told, course)
    print(f"\nGradebook, feedback, reports and grades.csv: {args.folder}")
    return 0


def write_feedback(lesson: str, course: ClassAutograde) -> None:
    """nbgrader's feedback pages, one a student."""
    course.coursedir.assignment_id, course.coursedir.student_id = lesson, "*"
    GenerateFeedback(coursedir=course.coursedir, config=course.config).start()


def write_export(course: ClassAutograde, target: Path) -> None:
    """The CSV export of all grades."""
    export = CarefulCsvExport(config=course.config, to=str(target))
    with Gradebook(course.coursedir.db_url, course.coursedir.course_id) as gradebook:
        export.export(gradebook)


def gradebook_scores(course: ClassAutograde) -> dict[tuple[str, str], tuple[float, float]]:
    """(score, max score) in the gradebook by lesson and student."""
    with Gradebook(course.coursedir.db_url, course.coursedir.course_id) as gradebook:
        return {
            (assignment.name, submission.student.id): (submission.score, submission.max_score)
            for assignment in gradebook.assignments
            for submission in assignment.submissions
        }


def print_table(told: dict[str, dict[str, str]], course: ClassAutograde) -> None:
    """One line a submission: what it is, its grade in the gradebook, what it lost points for."""
    scores = gradebook_scores(course)
    for lesson, students in told.items():
        print(f"\n{lesson}")
        for student, description in students.items():
            score, most = scores[lesson, student]
            print(f"  {student:<6} {score:>4g}/{most:<4g} {description}")
            reason = why(course, lesson, student)
            if reason != "all right":
                print(textwrap.fill(reason, 100, initial_indent=" " * 19, subsequent_indent=" " * 19))
