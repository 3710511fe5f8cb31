"""The lesson files in solutions/: their cells, exercises and reference solutions."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
from nbformat.notebooknode import NotebookNode

from grader.errors import GraderError
from utils.carry import on_tensors

COURSE_ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
LIBRARIES = ("math", "numpy", "torch")  # what solutions may build on
PARTS = ("utils.corpus", "utils.translation")  # ... and of the course's own modules


@dataclass(frozen=True)
class LessonSource:
    """One lesson file.

    Attributes:
        name: the lesson's name.
        cells: its cells, as jupytext reads them; metadata `solution` or `tests` names an exercise.
        root: the folder that has solutions/.
    """

    name: str
    cells: list[NotebookNode]
    root: Path

    @property
    def title(self) -> str:
        """The lesson's heading."""
        return self.cells[0].source.splitlines()[0].removeprefix("# ")

    @property
    def solutions(self) -> dict[str, str]:
        """The source of each exercise's solution cell, without markers, in order."""
        marked = (cell for cell in self.cells if "solution" in cell.metadata)
        return {cell.metadata["solution"]: without_markers(cell.source) for cell in marked}

    @property
    def carried(self) -> dict[str, bool]:
        """The exercises of earlier lessons that this one asks `carry` for, and whether on tensors."""
        calls = (
            node
            for cell in self.cells
            if cell.cell_type == "code" and "carry(" in cell.source
            for node in ast.walk(ast.parse(cell.source))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "carry"
        )
        return {argument.value: bool(call.keywords) for call in calls for argument in call.args}

    @property
    def imports(self) -> str:
        """The lesson's imports of what solutions may build on."""
        nodes = (
            node
            for cell in self.cells
            if cell.cell_type == "code" and "import" in cell.source
            for node in ast.walk(ast.parse(cell.source))
        )
        return "\n".join(
            ast.unparse(node)
            for node in nodes
            if (isinstance(node, ast.Import) and node.names[0].name.split(".")[0] in LIBRARIES)
            or (isinstance(node, ast.ImportFrom) and (node.module.split(".")[0] in LIBRARIES or node.module in PARTS))
        )

    def namespace(self) -> dict[str, Any]:
        """What the solution cells define: the reference implementations, on those of earlier lessons."""
        names: dict[str, Any] = {"__name__": f"solutions.{self.name}"}
        exec(self.imports, names)
        for name, tensors in self.carried.items():
            solution = _earlier(name, self).namespace()[name]
            names[name] = on_tensors(solution) if tensors else solution
        for source in self.solutions.values():
            exec(compile(source, f"{self.name}.py", "exec"), names)
        return names


def read_lesson(name: str, root: Path = COURSE_ROOT) -> LessonSource:
    """The lesson file solutions/<name>.py below `root`.

    Raises:
        GraderError: there is no such file.
    """
    path = root / "solutions" / f"{name}.py"
    if not path.exists():
        raise GraderError(f"there is no lesson file solutions/{name}.py in {root}")
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    return LessonSource(name, notebook.cells, root)


def _earlier(exercise: str, lesson: LessonSource) -> LessonSource:
    """The last lesson before `lesson` that has the exercise."""
    names = sorted(path.stem for path in lesson.root.glob("solutions/*.py") if path.stem < lesson.name)
    for source in (read_lesson(name, lesson.root) for name in reversed(names)):
        if exercise in source.solutions:
            return source
    raise GraderError(f"{lesson.name} carries {exercise}, which no earlier lesson has as an exercise")


def picture_in_words(following: list[NotebookNode]) -> str:
    """What a lesson says of a picture in the text below it.

    Args:
        following: the cells behind the one that draws.
    """
    text = next((cell.source for cell in following if cell.cell_type == "markdown"), "")
    described = re.match(r"\*(Pictures?: .*?)\*(\n\n|$)", text, re.DOTALL)
    return " ".join(described[1].split()) if described else ""


def without_markers(source: str) -> str:
    """A solution cell's source as a learner would have written it."""
    return "\n".join(line for line in source.splitlines() if line.strip() not in (BEGIN, END))
