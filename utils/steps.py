"""Counts the steps of an answer's own Python code, so that a loop shows, however it is written.

A trace hook sees every line that runs and every function that is called. Work inside libraries is not
counted, nor what happens inside a piece of another lesson: calling such a piece is one step. The turns
of `map` count as well, whatever it is that is mapped. Which loop it was, the syntax tree tells.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from types import CodeType
from typing import Any

Line = tuple[CodeType, int]  # a line of some function's code
PIECES = ("carried", "utils")  # modules of what `carry` gives: a learner's earlier answers, stand-ins
LONGEST = 80  # of a loop that is quoted


class Steps:
    """The trace hook of one call of `function`, and how many steps it has seen, line by line."""

    def __init__(self, function: Callable) -> None:
        here = getattr(inspect.unwrap(function), "__globals__", None)
        self.own = vars(sys.modules["__main__"]) if here is None else here
        self.seen: Counter[Line] = Counter()

    def hook(self, frame: Any, event: str, arg: Any) -> Callable | None:
        if frame.f_globals is self.own:
            self.seen[frame.f_code, frame.f_lineno] += 1
            return self.hook
        if _is_piece(frame) and not self._is_inside_a_piece(frame):
            self.seen[self._line_that_called(frame)] += 1
        return None

    def _is_inside_a_piece(self, frame: Any) -> bool:
        while (frame := frame.f_back) is not None and frame.f_globals is not self.own:
            if _is_piece(frame):
                return True
        return False

    def _line_that_called(self, frame: Any) -> Line:
        """Of the answer's own lines; where a thread began, there is none."""
        caller = frame
        while caller is not None and caller.f_globals is not self.own:
            caller = caller.f_back
        return (frame if caller is None else caller).f_code, 0 if caller is None else caller.f_lineno


def count(function: Callable, *args: Any, **kwargs: Any) -> Counter[Line]:
    """How many steps the call `function(*args, **kwargs)` takes on each line, in threads it starts too.

    A line counts each time it runs, on one line a loop counts each turn, and so does each call.

    Raises:
        RuntimeError: the call took the trace hook away.
    """
    steps = Steps(function)
    hook, before, before_in_threads = steps.hook, sys.gettrace(), threading.gettrace()
    own_map = "map" in steps.own  # a `map` of the answer's own shows by its lines
    if not own_map:
        steps.own["map"] = _map
    threading.settrace(hook)
    sys.settrace(hook)
    try:
        function(*args, **kwargs)
        if sys.gettrace() is not hook:
            raise RuntimeError("the interpreter's trace hook, which the check needs, was changed: leave it alone")
    finally:
        sys.settrace(before)
        threading.settrace(before_in_threads)
        if not own_map:
            steps.own.pop("map", None)
    return steps.seen


def loop(lines: Iterable[Line]) -> str:
    """The head of the loop that one of these lines, in the order in which they ran, belongs to.

    Empty where the source shows none, or more than one, or is not at hand. Only what was typed is quoted,
    in a notebook say: code that lies in a file is not the learner's.
    """
    for code, number in lines:
        source = "" if os.path.exists(code.co_filename) else "".join(linecache.getlines(code.co_filename))
        try:
            nodes = [node for node in ast.walk(ast.parse(source)) if _loops(node)]
        except SyntaxError:
            continue
        around = [node for node in nodes if node.lineno <= number <= node.end_lineno]
        begin = [node for node in around if isinstance(node, ast.stmt) and node.lineno == number]
        inside = [node for node in around if isinstance(node, ast.expr)]
        if len(found := begin or inside) == 1:
            head = found[0].generators[0] if hasattr(found[0], "generators") else found[0]
            text = ast.unparse(head).strip().splitlines()[0]
            return text if len(text) <= LONGEST else text[:LONGEST] + "…"
    return ""


def _loops(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "map"
    return isinstance(node, (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp))


def _map(function: Callable, *iterables: Iterable) -> Iterator:
    """`map`, in Python, so that the hook sees each turn: it is called anew for each."""
    for items in zip(*iterables):
        yield function(*items)


def _is_piece(frame: Any) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in PIECES
