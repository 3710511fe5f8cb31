"""`grader release`: from the lesson files to what students get.

    solutions/<lesson>.py            the source: text, code, solutions
      -> build/source/<lesson>/      nbgrader's source: full metadata, hidden test lines, data file
      -> notebooks/<lesson>/         the student version, made by nbgrader's own steps, and the data file
      -> build/solutions/<lesson>/   the same notebook solved and executed, for instructors and tests

The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import math
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)

from grader.errors import GraderError
from grader.lessons import BEGIN, COURSE_ROOT, END, LessonSource, read_lesson, without_markers
from grader.spec import Lesson, lesson_names, load_lesson
from utils.checkset import SUFFIX, write

LOOSE_MARKERS = ("BEGIN SOLUTION", "END SOLUTION")  # what nbgrader looks for in a line
STUB = "# YOUR CODE HERE\nraise NotImplementedError"
HIDDEN = """### BEGIN HIDDEN TESTS
import grader.stock; grader.stock.grade("{lesson}", "{exercise}", globals())
### END HIDDEN TESTS"""
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
# nbgrader's own steps of `generate_assignment`, without the one that writes to the gradebook
STUDENT_STEPS = (
    LockCells, ClearSolutions, ClearOutput, ComputeChecksums, ClearHiddenTests, ClearMarkScheme, ComputeChecksums,
    CheckCellMetadata,
)  # fmt: skip


def release(root: Path = COURSE_ROOT, target: Path | None = None, execute: bool = False) -> list[str]:
    """Builds all lessons; returns their names.

    Args:
        root: the course's folder, which has solutions/.
        target: where notebooks/ and build/ are written, by default the course's folder.
        execute: also execute the solution notebooks (some minutes).

    Raises:
        GraderError: a lesson and its exercises do not fit together; the sentence names lesson, cell, reason.
    """
    names, target = _lessons(root), target or root
    built = {name: _build(name, root) for name in names}  # all of them first: a refusal leaves no half release
    source, notebooks = target / "build" / "source", target / "notebooks"
    for name, (staged, students, data) in built.items():
        for folder, notebook in ((source, staged), (notebooks, students)):
            _write(folder / name / f"{name}.ipynb", _text(notebook))
            _write(folder / name / f"{name}{SUFFIX}", data)
            _remove_others(folder / name, [f"{name}.ipynb", f"{name}{SUFFIX}"])
    _remove_others(source, names)
    _remove_others(notebooks, names)
    for name, (staged, _, data) in built.items() if execute else ():
        execute_solutions(staged, data, target / "build" / "solutions" / name)
    return names


def _build(name: str, root: Path) -> tuple[NotebookNode, NotebookNode, str]:
    """A lesson's staged notebook, its student version, and the text of its data file."""
    with _told_of(name):
        source, lesson = read_lesson(name, root), load_lesson(name)
        staged = stage(source, lesson)
        students = student_version(staged)
    checksets = []
    for exercise in lesson.exercises.values():
        with _told_of(f"{name}, exercise {exercise.name}"):
            checksets.append(exercise.visible_checkset())
    return staged, students, write(checksets)


@contextmanager
def _told_of(where: str) -> Iterator[None]:
    """Turns whatever an author's code or nbgrader raises into a sentence that says where."""
    try:
        yield
    except GraderError:
        raise
    except Exception as error:  # an author's code may raise anything
        raise GraderError(f"{where}: {type(error).__name__}: {error}") from error


def stage(source: LessonSource, lesson: Lesson) -> NotebookNode:
    """nbgrader's source notebook of a lesson: metadata in full, and the hidden line in each test cell.

    Raises:
        GraderError: see `release`.
    """
    _check(source, lesson)
    cells, seen = [], Counter()
    for cell in source.cells:
        made = nbformat.from_dict({"cell_type": cell.cell_type, "source": cell.source, "metadata": {}})
        if cell.cell_type == "code":
            made.update(execution_count=None, outputs=[])
        if exercise := cell.metadata.get("solution"):
            made.metadata["nbgrader"] = _marks(exercise, solution=True)
        elif exercise := cell.metadata.get("tests"):
            made.source += "\n" + HIDDEN.format(lesson=lesson.name, exercise=exercise)
            points = lesson.exercises[exercise].points
            made.metadata["nbgrader"] = _marks(f"test_{exercise}", grade=True, locked=True, points=points)
        made["id"] = _cell_id(made, seen)
        cells.append(made)
    return nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(KERNEL))


def student_version(staged: NotebookNode) -> NotebookNode:
    """What `nbgrader generate_assignment` makes of a staged notebook."""
    notebook, resources = copy.deepcopy(staged), {}
    for step in STUDENT_STEPS:
        options = {"code_stub": {"python": STUB}} if step is ClearSolutions else {}
        notebook, resources = step(**options).preprocess(notebook, resources)
    return notebook


def execute_solutions(staged: NotebookNode, data: str, folder: Path) -> None:
    """Executes a lesson with its solutions in, in `folder`, which is emptied first, beside its data file.

    Raises:
        GraderError: a cell of the lesson fails.
    """
    shutil.rmtree(folder, ignore_errors=True)  # an old checkpoint would be taken up, and nothing be trained
    notebook = copy.deepcopy(staged)
    for cell in notebook.cells:
        cell.source = without_markers(cell.source.partition("\n### BEGIN HIDDEN TESTS")[0])
    name = folder.name
    _write(folder / f"{name}{SUFFIX}", data)
    try:
        NotebookClient(
            notebook, timeout=900, resources={"metadata": {"path": str(folder)}}, extra_arguments=["--log-level=ERROR"],
            store_widget_state=False,  # saved pages would wait for the web's widgets, and show no picture meanwhile
        ).execute()  # fmt: skip
    except Exception as error:
        reason = str(error).strip().splitlines()[-1]
        raise GraderError(f"{name}: its solution notebook does not run: {reason}") from None
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.metadata.jupyter = {"source_hidden": True}  # opened before a class, exercise by exercise
    _write(folder / f"{name}.ipynb", _text(notebook))


def executed_solution(source: LessonSource, root: Path = COURSE_ROOT) -> NotebookNode:
    """A lesson with its solutions in, as `make release` executed it.

    Raises:
        GraderError: it was not executed, or has changed since.
    """
    path = root / "build" / "solutions" / source.name / f"{source.name}.ipynb"
    if path.exists():
        executed = nbformat.read(path, as_version=4)
        if [cell.source for cell in executed.cells] == [without_markers(cell.source) for cell in source.cells]:
            return executed
    raise GraderError(f"{source.name}: the lesson has changed since it was executed; run make release first")


def _check(source: LessonSource, lesson: Lesson) -> None:
    def refuse(where: str, reason: str) -> None:
        raise GraderError(f"{source.name}, {where}: {reason}")

    answers = [cell.metadata["solution"] for cell in source.cells if "solution" in cell.metadata]
    tests = [cell.metadata["tests"] for cell in source.cells if "tests" in cell.metadata]
    for kind, names in (("solution", answers), ("tests", tests)):
        for name, times in Counter(names).items():
            if times > 1:
                refuse(f'cell {kind}="{name}"', f"the name is used {times} times; each exercise has one such cell")
            if name not in lesson.exercises:
                refuse(f'cell {kind}="{name}"', f"grader/exercises/{lesson.name}.py describes no such exercise")
    for name, exercise in lesson.exercises.items():
        if name not in answers:
            refuse(f"exercise {name}", f'it is described in grader/exercises but has no cell solution="{name}"')
        if name not in tests:
            refuse(f"exercise {name}", f'it has no cell tests="{name}", so nothing would be graded')
        if not exercise.aspects or not all(_is_points(points) for points in exercise.aspects.values()):
            refuse(f"exercise {name}", f"its points do not add up: each aspect needs some above 0, got {exercise.aspects}")
    for cell in source.cells:
        if name := cell.metadata.get("solution"):
            if complaint := _answer_complaint(cell.source, name):
                refuse(f'cell solution="{name}"', complaint)
        elif name := cell.metadata.get("tests"):
            if not _calls_check(cell.source, name):
                refuse(f'cell tests="{name}"', f"it must call check({name})")
        elif any(marker in cell.source for marker in LOOSE_MARKERS):
            refuse(f"cell {cell.source.splitlines()[0]!r}", "solution markers outside a cell marked as a solution")
        if "HIDDEN TESTS" in cell.source or "MARK SCHEME" in cell.source:
            refuse(f"cell {cell.source.splitlines()[0]!r}", "nbgrader's hidden regions are written by the builder alone")
    for name in lesson.exercises:
        if _place(source, "tests", name) < _place(source, "solution", name):
            refuse(f'cell tests="{name}"', "it stands before the answer that it checks")
    order = [name for name in answers if name in lesson.exercises]
    if order != list(lesson.exercises):
        refuse("exercises", f"the lesson has the order {order}, grader/exercises {list(lesson.exercises)}")


def _answer_complaint(source: str, name: str) -> str:
    # nbgrader takes any line that has the words for a marker: one that we do not read as such could end
    # its region early, and publish the rest of the solution
    markers = [line.strip() for line in source.splitlines() if any(marker in line for marker in LOOSE_MARKERS)]
    if not markers:
        return f"it has no markers '{BEGIN}' and '{END}', so its solution would be published"
    if markers != [BEGIN, END] * (len(markers) // 2):
        return f"its markers must be '{BEGIN}', '{END}' in turn, got {markers}"
    try:
        defined = {getattr(node, "name", None) for node in ast.parse(source).body}
    except SyntaxError as error:
        return f"it is not Python: {error.msg} (line {error.lineno})"
    return "" if name in defined else f"it does not define {name}"


def _calls_check(source: str, name: str) -> bool:
    """Whether it really calls `check(name)`: a comment that says so does not."""
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    except SyntaxError:
        return False
    return any(ast.unparse(call) == f"check({name})" for call in calls)


def _is_points(points: object) -> bool:
    return isinstance(points, (int, float)) and math.isfinite(points) and points > 0


def _place(source: LessonSource, kind: str, name: str) -> int:
    return next(index for index, cell in enumerate(source.cells) if cell.metadata.get(kind) == name)


def _marks(grade_id: str, solution: bool = False, grade: bool = False, locked: bool = False, points: float = 0) -> dict:
    marks = {
        "cell_type": "code", "grade": grade, "grade_id": grade_id, "locked": locked, "schema_version": 3,
        "solution": solution, "task": False,
    }  # fmt: skip
    return marks | ({"points": points} if grade else {})


def _cell_id(cell: NotebookNode, seen: Counter) -> str:
    """The grade id, else a hash of the source; equal sources are told apart by a number."""
    if "nbgrader" in cell.metadata:
        return cell.metadata.nbgrader.grade_id
    digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
    seen[digest] += 1
    return digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _text(notebook: NotebookNode) -> str:
    """The text that nbgrader's exporter would write."""
    return NotebookExporter().from_notebook_node(notebook)[0]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _lessons(root: Path) -> list[str]:
    written = sorted(path.stem for path in (root / "solutions").glob("*.py"))
    for name in written:
        if name not in lesson_names():
            raise GraderError(f"{name}: the lesson has no exercises in grader/exercises/{name}.py")
    for name in lesson_names():
        if name not in written:
            raise GraderError(f"{name}: there are exercises, but no lesson file solutions/{name}.py")
    return written


def _remove_others(folder: Path, names: list[str]) -> None:
    """What a renamed lesson left behind would still be handed out."""
    for stale in (entry for entry in folder.iterdir() if entry.name not in names):
        shutil.rmtree(stale) if stale.is_dir() else stale.unlink()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-execute", action="store_true", help="do not execute the solution notebooks")


def main(args: argparse.Namespace) -> int:
    """Builds all lessons of the course."""
    names = release(execute=not args.no_execute)
    print(f"released {', '.join(names)} into notebooks/")
    return 0
