"""Which of a lesson's own cells a submission needs: those that make what the student's code names.

A lesson's own cells show and try things: they draw, they train. The student has seen what they say. So
where a submission is graded, one of them is run only if it binds or changes a name that a student's cell
takes from elsewhere, or that another needed cell takes. In doubt it is needed.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping, Sequence
from functools import lru_cache

from utils.names import Names, names


def needed(sources: Sequence[str], students: Mapping[int, Names]) -> list[bool]:
    """For each code cell whether it is to be run.

    Args:
        sources: of the code cells, in order.
        students: the names of the student's cells, by their places; the others are the lesson's own.
    """
    run = [place in students for place in range(len(sources))]
    if not all(is_his or _is_python(source) for source, is_his in zip(sources, run)):
        return [True] * len(run)
    known = [students[place] if place in students else _names(source) for place, source in enumerate(sources)]
    modules = frozenset().union(*(_imported(source) for source, is_his in zip(sources, run) if not is_his))
    makes = [frozenset() if is_his else made(source, modules) for source, is_his in zip(sources, run)]
    before: list[bool] = []
    while run != before:
        before = list(run)
        if any(is_run and cell.anything for cell, is_run in zip(known, run)):
            return [True] * len(run)
        wanted = set().union(*(cell.later for cell, is_run in zip(known, run) if is_run))
        for place in reversed(range(len(run))):  # what a cell takes at once comes from those before it
            run[place] = run[place] or bool(makes[place] & wanted)
            if run[place]:
                wanted |= known[place].now
    return run


@lru_cache(maxsize=1000)
def made(source: str, modules: frozenset[str]) -> frozenset[str]:
    """The names that one of a lesson's cells binds, or whose things it may change.

    It may change what it assigns to a part of, what it calls a method of, and what it hands to a function,
    but for functions of imported `modules` and Python's own.
    """
    changed = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            changed.add(_base(node))
        elif isinstance(node, ast.Call) and _base(node.func) not in modules and _base(node.func) not in vars(builtins):
            handed = [*node.args, *(keyword.value for keyword in node.keywords)]
            changed |= {_base(part) for part in handed}
            if isinstance(node.func, ast.Attribute):
                changed.add(_base(node.func))
    cell = _names(source)
    return frozenset(cell.bound | changed & (cell.now | cell.later))


@lru_cache(maxsize=1000)
def _imported(source: str) -> frozenset[str]:
    imports = (node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom)))
    return frozenset(alias.asname or alias.name.split(".")[0] for node in imports for alias in node.names)


_names = lru_cache(maxsize=1000)(names)


@lru_cache(maxsize=1000)
def _is_python(source: str) -> bool:
    """False for a cell with a magic: its text does not tell what it takes and makes."""
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _base(node: ast.expr) -> str:
    """`a` of `a`, `a.b[c].d` and `*a`; empty for anything else."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
