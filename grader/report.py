"""`grader report LESSON`: one HTML page for the instructor, made from a graded class.

Scores come from the gradebook (manual grades and late penalties counted), all else from what grading
left in the autograded notebooks. The page is self-contained: it asks for nothing and runs nothing.
"""

from __future__ import annotations

import argparse
import base64
import io
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from markupsafe import Markup
from matplotlib.figure import Figure
from nbgrader.api import Gradebook, MissingEntry

from grader.autograde import ClassAutograde, open_course
from grader.errors import GraderError
from grader.spec import Exercise, load_lesson
from utils.card import with_code
from utils.values import printable

TEMPLATE = Path(__file__).with_name("report.html")
INK, GREYS = "#333333", ("#2f6690", "#8fb8d6", "#d9d9d9", "#ffffff")  # legible in grey: dark to light
KINDS = ("full points", "some points", "no points", "not answered")


@dataclass(frozen=True)
class Graded:
    """One graded submission: its score in the gradebook, and what grading recorded (see `grader.grading`)."""

    student: str
    score: float
    record: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One exercise over the whole class."""

    name: str
    points: float
    mean: float
    counts: tuple[int, ...]  # of submissions by KINDS
    seconds: float  # of checking it, the median
    slowest: float


@dataclass(frozen=True)
class Seen:
    """One known mistake, how many made it in which exercise, and the hint it earns."""

    title: str
    exercise: str
    count: int
    hint: str


def graded_class(lesson: str, course: ClassAutograde) -> list[Graded]:
    """All graded submissions of a lesson.

    Raises:
        GraderError: none is graded yet, or one was graded by something else than this grader.
    """
    found = []
    with Gradebook(course.coursedir.db_url, course.coursedir.course_id) as gradebook:
        try:
            submissions = gradebook.assignment_submissions(lesson)
        except MissingEntry:
            submissions = []
        for submission in sorted(submissions, key=lambda one: one.student.id):
            student = submission.student.id
            folder = course.coursedir.format_path(course.coursedir.autograded_directory, student, lesson)
            path = Path(folder) / f"{lesson}.ipynb"
            if path.exists():
                record = nbformat.read(path, as_version=4).metadata.get("grader", {})
                if "exercises" not in record:
                    raise GraderError(f"{path} was not graded by `grader autograde` or its executor: grade it again")
                found.append(Graded(student, submission.score, record))
    if not found:
        raise GraderError(f"no graded submission of {lesson}: run `grader autograde {lesson}` first")
    return found


def rows(exercises: Iterable[Exercise], graded: list[Graded]) -> list[Row]:
    """Each exercise: how many got how far, and how long checking it took."""
    made = []
    for exercise in exercises:
        entries = [entry for one in graded for entry in one.record["exercises"] if entry["name"] == exercise.name]
        seconds = [one.record["seconds"].get(exercise.name, 0.0) for one in graded]
        counts = Counter(_kind(entry) for entry in entries)
        made.append(
            Row(
                exercise.name,
                exercise.points,
                statistics.mean(entry["score"] for entry in entries) if entries else 0.0,
                tuple(counts[kind] for kind in KINDS),
                statistics.median(seconds),
                max(seconds),
            )
        )
    return made


def mistakes(exercises: Iterable[Exercise], graded: list[Graded]) -> list[Seen]:
    """The known mistakes that were made, the commonest first."""
    known = {(exercise.name, one.name): one for exercise in exercises for one in exercise.misconceptions}
    counts = Counter(
        (entry["name"], entry["misconception"])
        for one in graded
        for entry in one.record["exercises"]
        if (entry["name"], entry["misconception"]) in known
    )
    return [
        Seen(known[key].title, key[0], count, known[key].hint)
        for key, count in sorted(counts.items(), key=lambda item: (-item[1], list(known).index(item[0])))
    ]


def need_eyes(graded: list[Graded]) -> list[tuple[str, list[str]]]:
    """Submissions that were unreadable, crashed, ran out of time or tried something: student and sentences."""
    told = []
    for one in graded:
        sentences = [one.record["error"]] if one.record.get("error") else []
        sentences += one.record.get("incidents", [])
        if sentences:
            told.append((one.student, [printable(sentence)[:300] for sentence in sentences]))
    return told


def page(lesson: str, graded: list[Graded], course_id: str = "") -> str:
    """The page as HTML. Every text that a student could have written is escaped."""
    spec = load_lesson(lesson)
    exercises = list(spec.exercises.values())
    table = rows(exercises, graded)
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["with_code"] = lambda text: Markup(with_code(text))
    scores = [one.score for one in graded]
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        lesson=lesson,
        course=course_id,
        made=datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
        count=len(graded),
        points=spec.points,
        mean=statistics.mean(scores),
        median=statistics.median(scores),
        scores_picture=_picture(_histogram(scores, spec.points)),
        exercises_picture=_picture(_bars(table)),
        kinds=KINDS,
        rows=table,
        slowest=sorted(table, key=lambda row: -row.slowest)[:3],
        mistakes=mistakes(exercises, graded),
        eyes=need_eyes(graded),
    )


def _kind(entry: dict[str, Any]) -> str:
    if entry["status"] == "missing":
        return KINDS[3]
    return KINDS[0] if entry["score"] >= entry["max_score"] else KINDS[1] if entry["score"] > 0 else KINDS[2]


def _histogram(scores: list[float], points: float) -> Figure:
    """How many submissions reached how many points."""
    figure = Figure(figsize=(7, 2.4), layout="constrained")
    axes = figure.subplots()
    edges = [points * i / 10 for i in range(11)]
    counts = [sum(_bin(score, points) == i for score in scores) for i in range(10)]
    bars = axes.bar(edges[:-1], counts, width=points / 10, align="edge", color=GREYS[0], edgecolor="white")
    axes.bar_label(bars, labels=[str(count) if count else "" for count in counts], color=INK)
    axes.set(xlabel=f"points, of {points:g}", ylabel="submissions", xlim=(0, points))
    axes.margins(y=0.15)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _bin(score: float, points: float) -> int:
    return max(0, min(9, int(10 * score / points)))


def _bars(table: list[Row]) -> Figure:
    """For each exercise the shares of the class that got full, some or no points, or did not answer."""
    figure = Figure(figsize=(7, 0.8 + 0.38 * len(table)), layout="constrained")
    axes = figure.subplots()
    names, left = [row.name for row in table], [0.0] * len(table)
    for i, (kind, shade) in enumerate(zip(KINDS, GREYS)):
        shares = [100 * row.counts[i] / (sum(row.counts) or 1) for row in table]
        bars = axes.barh(names, shares, left=left, color=shade, edgecolor=INK, linewidth=0.6, label=kind)
        colour = "white" if i == 0 else INK
        axes.bar_label(bars, [str(row.counts[i] or "") for row in table], label_type="center", color=colour, fontsize=9)
        left = [one + share for one, share in zip(left, shares)]
    axes.set(xlim=(0, 100), xlabel="% of submissions (numbers: how many)")
    axes.invert_yaxis()
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.4, 1), frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _picture(figure: Figure) -> str:
    """The figure as the address of an image that holds it."""
    data = io.BytesIO()
    figure.savefig(data, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(data.getvalue()).decode()


def write_report(lesson: str, course: ClassAutograde, folder: Path) -> Path:
    """Writes `<folder>/<lesson>.html`.

    Raises:
        GraderError: see `graded_class`.
    """
    text = page(lesson, graded_class(lesson, course), course.coursedir.course_id)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{lesson}.html"
    target.write_text(text, encoding="utf-8")
    return target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="e.g. 01_self_attention")
    parser.add_argument(
        "--folder", type=Path, default=Path("build/reports"), help="where the page goes (default build/reports)"
    )


def main(args: argparse.Namespace) -> int:
    """Writes the page and says where."""
    load_lesson(args.lesson)
    print(f"wrote {write_report(args.lesson, open_course(Path.cwd()), args.folder)}")
    return 0
