"""Counts the steps of an answer's own Python code, so that a loop shows, however it is written.

A trace hook sees every line that runs and every function that is called. Work inside libraries is not
counted, nor what happens inside a piece of another lesson: calling such a piece is one step.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from typing import Any

PIECES = ("carried", "utils")  # modules of what `carry` gives: a learner's earlier answers, stand-ins


class Steps:
    """The trace hook of one call of `function`, and how many steps it has seen."""

    def __init__(self, function: Callable) -> None:
        here = getattr(inspect.unwrap(function), "__globals__", None)
        self.own = vars(sys.modules["__main__"]) if here is None else here
        self.seen = 0

    def hook(self, frame: Any, event: str, arg: Any) -> Callable | None:
        if frame.f_globals is self.own:
            self.seen += 1
            return self.hook
        if _is_piece(frame) and not self._is_inside_a_piece(frame):
            self.seen += 1
        return None

    def _is_inside_a_piece(self, frame: Any) -> bool:
        while (frame := frame.f_back) is not None and frame.f_globals is not self.own:
            if _is_piece(frame):
                return True
        return False


def count(function: Callable, *args: Any, **kwargs: Any) -> int:
    """How many steps the call `function(*args, **kwargs)` takes, in threads it starts too.

    A line counts each time it runs, on one line a loop counts each turn, and so does each call.

    Raises:
        RuntimeError: the call took the trace hook away.
    """
    steps = Steps(function)
    hook, before, before_in_threads = steps.hook, sys.gettrace(), threading.gettrace()
    threading.settrace(hook)
    sys.settrace(hook)
    try:
        function(*args, **kwargs)
        if sys.gettrace() is not hook:
            raise RuntimeError("the interpreter's trace hook, which the check needs, was changed: leave it alone")
    finally:
        sys.settrace(before)
        threading.settrace(before_in_threads)
    return steps.seen


def _is_piece(frame: Any) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in PIECES
