"""`grader site`: the course to read in a browser, made by Sphinx.

    notebooks/<lesson>/<lesson>.ipynb         what students get: the text, and answers not written yet
    + build/solutions/<lesson>/<lesson>.ipynb the executed lesson: what its own cells show
    + docs/, docs/instructors/, docstrings
      -> build/site/source/                   what Sphinx reads
      -> build/site/html/                     the site: opens from disk, asks nothing of the web

No page holds a solution: they are made from the students' notebooks, to which outputs alone are added.
"""

from __future__ import annotations

import argparse
import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from grader.errors import GraderError
from grader.lessons import COURSE_ROOT, LessonSource, picture_in_words, read_lesson
from grader.release import executed_solution
from grader.site.api import page
from grader.slides import PACKAGES
from grader.spec import lesson_names, load_lesson, require_lesson

HERE = Path(__file__).parent
MATHJAX = "mathjax/es5/tex-svg.js"  # all that draws formulas, in one file
SHOWN = ("image/png", "text/html", "text/plain")  # widgets would ask the web for their code
WITHOUT = {"exercises", "demo"}  # packages of grader/ that are no API


def site(names: list[str] | None = None, root: Path = COURSE_ROOT, packages: Path = PACKAGES) -> Path:
    """Builds the site with some lessons, by default with all; returns its first page.

    Raises:
        GraderError: a lesson is not executed, MathJax is not installed, or Sphinx warns of anything.
    """
    folder, names = root / "build" / "site", names or lesson_names()
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source"
    shutil.copytree(HERE / "pages", source)
    shutil.copytree(COURSE_ROOT / "docs", source / "docs")
    (source / "lessons").mkdir()
    for name in names:
        notebook = to_read(read_lesson(name, root), root)
        nbformat.write(notebook, source / "lessons" / f"{name}.ipynb")
    (source / "exercises.md").write_text(list_of_exercises(names), encoding="utf-8")
    for package in ("utils", "grader"):
        (source / f"{package}.md").write_text(page(package, COURSE_ROOT, WITHOUT), encoding="utf-8")
    for others in set(lesson_names()) - set(names):
        (source / "docs" / "instructors" / f"{others}.md").unlink()
    if not (packages / MATHJAX).exists():
        raise GraderError("MathJax is not installed; make site installs it")
    (source / "static" / "mathjax").mkdir()
    shutil.copy(packages / MATHJAX, source / "static" / "mathjax")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(source), str(folder / "html")]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(COURSE_ROOT)}, capture_output=True, text=True)
    if done.returncode:
        raise GraderError(f"Sphinx does not build the site:\n{done.stderr.strip()}")
    return folder / "html" / "index.html"


def to_read(source: LessonSource, root: Path = COURSE_ROOT) -> NotebookNode:
    """A lesson as students get it, with what the executed one shows; each picture is told in words."""
    path = COURSE_ROOT / "notebooks" / source.name / f"{source.name}.ipynb"
    notebook, executed = nbformat.read(path, as_version=4), executed_solution(source, root)
    for index, (cell, solved) in enumerate(zip(notebook.cells, executed.cells, strict=True)):
        if cell.cell_type == "code":
            cell.outputs = [_to_read(output) for output in solved.outputs]
            words = picture_in_words(executed.cells[index + 1 :]) or source.title
            cell.metadata.mystnb = {"image": {"alt": words}}
    return notebook


def _to_read(output: NotebookNode) -> NotebookNode:
    output = copy.deepcopy(output)
    if "data" in output:
        best = next((kind for kind in SHOWN if kind in output.data), None)
        output.data = {best: output.data[best]} if best else {}
    return output


def list_of_exercises(names: list[str]) -> str:
    """A table of all exercises: where they are, their points, and what for; how many mistakes are known by name."""
    lines = ["# Exercises", "", "What each is worth, and what the points are for. The first is what the exercise is about: without", "it the others earn nothing.", ""]
    for name in names:
        lesson = load_lesson(name)
        points = sum(exercise.points for exercise in lesson.exercises.values())
        lines += [f"## [{read_lesson(name).title}](lessons/{name}.ipynb)", "", f"{points:g} points in all.", ""]
        lines += ["| exercise | points | for | mistakes known by name |", "|---|--:|---|--:|"]
        for exercise in lesson.exercises.values():
            aspects = ", ".join(f"{aspect} {worth:g}" for aspect, worth in exercise.aspects.items())
            lines.append(f"| `{exercise.name}` | {exercise.points:g} | {aspects} | {len(exercise.misconceptions)} |")
        lines.append("")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="which lessons; all if none is named")


def main(args: argparse.Namespace) -> int:
    """Builds the site."""
    for name in args.lessons:
        require_lesson(name)
    print(site(args.lessons))
    return 0
