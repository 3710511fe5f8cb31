"""A made-up class of any size for any lesson: what people hand in, from perfect to broken.

The answers are the lesson's own solutions, the right ones of tests/right_solutions, and its known
mistakes. Nothing here loops or ends its interpreter: plain nbgrader would wait for its time limit there,
which would flatter the comparison.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import random
import re
import textwrap
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType

import nbformat
from nbformat.notebooknode import NotebookNode

from grader.lessons import COURSE_ROOT, read_lesson
from grader.spec import load_lesson
from grader.submission import release_notebook

KINDS = ("perfect",) * 4 + ("partial",) * 2 + ("misconceived",) * 3 + ("broken",)  # of ten
_IMPORTS = {
    "np": "import numpy as np", "math": "import math", "torch": "import torch", "nn": "from torch import nn",
    "F": "import torch.nn.functional as F", "itertools": "import itertools",
}  # fmt: skip


def write_class(folder: Path, lesson: str, size: int) -> None:
    """Writes `size` submissions below `folder`, one a student, always the same ones."""
    for number in range(size):
        target = folder / f"student{number:05}" / lesson
        target.mkdir(parents=True)
        nbformat.write(submission(lesson, number), target / f"{lesson}.ipynb")


def submission(lesson: str, number: int) -> NotebookNode:
    """One submission of the class; every second one has changed one of the lesson's own cells too."""
    rng = random.Random(number)
    answers = _answers(lesson, KINDS[number % len(KINDS)], rng)
    notebook = release_notebook(lesson)
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("solution") and marks["grade_id"] in answers:
            cell.source = answers[marks["grade_id"]]
    if number % 2:
        cell = rng.choice([cell for cell in notebook.cells if "plots." in cell.source and cell.cell_type == "code"])
        cell.source += "\n# I looked at this one for a while"
    return notebook


def _answers(lesson: str, kind: str, rng: random.Random) -> dict[str, str]:
    """The source of each answer that a submission of some kind has."""
    names = list(load_lesson(lesson).exercises)
    answers = {name: rng.choice(right_answers(lesson)[name]) for name in names}
    if kind == "partial":
        for name in names[rng.randrange(len(names)) :]:
            del answers[name]
    elif kind == "misconceived" and wrong_answers(lesson):
        known = wrong_answers(lesson)
        for name in rng.sample(sorted(known), min(len(known), rng.choice((1, 1, 2)))):
            answers[name] = rng.choice(known[name])
    elif kind == "broken":
        name = rng.choice(names)
        answers[name] = rng.choice(
            [f"def {name}(*args:\n    return args", f"def {name}(*args):\n    pass", f"def {name}_1(x):\n    return x",
             f"def {name}(*args):\n    return args[0].no_such_thing", "1 / 0"]
        )  # fmt: skip
    return answers


@lru_cache
def right_answers(lesson: str) -> dict[str, list[str]]:
    """The sources of right answers by exercise."""
    found = {name: [source] for name, source in read_lesson(lesson).solutions.items()}
    path = COURSE_ROOT / "tests" / "right_solutions" / f"{lesson}.py"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for definition in re.findall(r"^(?:def|class) \w+__.*?(?=^[^\s)]|\Z)", text, re.M | re.S):
        name = re.match(r"(?:def|class) (\w+?)__", definition)[1]
        source = re.sub(rf"\b{name}__\w+", name, definition)
        if name in found and (whole := _self_contained(source, lesson, text)):
            found[name].append(whole)
    return found


@lru_cache
def wrong_answers(lesson: str) -> dict[str, list[str]]:
    """The sources of known mistakes by exercise, those that lean on nothing of the grader's."""
    found: dict[str, list[str]] = {}
    text = (COURSE_ROOT / "grader" / "exercises" / f"{lesson}.py").read_text(encoding="utf-8")
    for exercise in load_lesson(lesson).exercises.values():
        for source in _sources(known.wrong for known in exercise.misconceptions):
            renamed = re.sub(r"^(def|class) \w+", rf"\1 {exercise.name}", source, count=1)
            if whole := _self_contained(renamed, lesson, text):
                found.setdefault(exercise.name, []).append(whole)
    return found


def _sources(functions: Iterator[Callable]) -> Iterator[str]:
    """What can be read of some functions, without their decorators."""
    for function in functions:
        source = textwrap.dedent(inspect.getsource(function))
        start = re.search(r"^(def|class) ", source, re.M)
        if start:
            yield source[start.start() :].rstrip()


def _self_contained(source: str, lesson: str, around: str) -> str:
    """The source with all it needs of the file `around` it; empty if it needs what a submission has not."""
    there = _there(lesson)
    parts, defined = [source], _definitions(around)
    added: set[str] = set()
    while missing := set().union(*(_names(compile(part, "answer", "exec")) for part in parts)) - there - added:
        for name in sorted(missing):
            part = _IMPORTS.get(name) or defined.get(name, "LESSON")
            if "LESSON" in part:  # the grader's own
                return ""
            parts.insert(0, part)
            added.add(name)
    return "\n\n".join(dict.fromkeys(parts))


@lru_cache
def _there(lesson: str) -> frozenset[str]:
    """The names that a submission's answers have without defining them."""
    return frozenset({*vars(builtins), *load_lesson(lesson).exercises, *read_lesson(lesson).carried, "__name__"})


@lru_cache
def _definitions(text: str) -> dict[str, str]:
    """The functions, classes and constants of a file by name, but for what is decorated."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.decorator_list:
            found[node.name] = ast.get_source_segment(text, node)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.get_source_segment(text, node)
    return found


def _names(code: CodeType) -> Iterator[str]:
    """The global names that compiled code reads, in inner functions too."""
    import dis

    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
