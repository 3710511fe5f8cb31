"""Notices when an answer leaves the work to a library that the exercise is about.

A profile hook sees every Python and C function that is called, whatever name it was imported or
bound under. It runs beside the student's code, so it stops short-cuts, not a determined attacker;
an answer that switches the hook off is refused as well.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Refused(Exception):
    """Raised inside a student's function at the moment it calls something refused."""


class Watch:
    """What is refused while one exercise is checked, and what was seen of it."""

    def __init__(self, exercise: str, refuse: list[str]) -> None:
        self.exercise, self.refuse = exercise, tuple(refuse)
        self.seen = ""

    def sentence(self) -> str:
        """Why the answer was refused, for the student."""
        if self.seen == "sys.setprofile":
            return f"{self.exercise} changed the interpreter's profile hook, which the check needs: leave it alone."
        return (
            f"{self.exercise} called {self.seen}. This exercise is to be written by hand, "
            f"without {' or '.join(self.refuse)}."
        )

    def hook(self, frame: Any, event: str, arg: Any) -> None:
        if event == "call":
            module, name = frame.f_globals.get("__name__"), frame.f_code.co_name
        elif event == "c_call":
            module, name = _module_of(arg), getattr(arg, "__name__", "?")
        else:
            return
        if isinstance(module, str) and module.split(".")[0] in self.refuse:
            library = module.split(".")[0]
            self.seen = self.seen or (f"{library}'s {name}" if name != "<module>" else f"for {library}")
            raise Refused


_current: Watch | None = None


@contextmanager
def watch(exercise: str, refuse: list[str]) -> Iterator[Watch]:
    """Watches this thread, and threads started meanwhile, for calls into the libraries `refuse`."""
    global _current
    seen = Watch(exercise, refuse)
    if not refuse:
        yield seen
        return
    before, hook = sys.getprofile(), seen.hook
    _current = seen
    threading.setprofile(hook)
    sys.setprofile(hook)
    try:
        yield seen
        if sys.getprofile() is not hook and not seen.seen:  # Python drops a hook that raised
            seen.seen = "sys.setprofile"
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
        _current = None


def unwatched(name: str, function: Callable) -> Callable:
    """`function`, free to use any library, except as the answer to the exercise `name` itself."""

    def stand_in(*args: Any, **kwargs: Any) -> Any:
        if _current is not None and _current.exercise == name:
            return function(*args, **kwargs)
        hook = sys.getprofile()
        sys.setprofile(None)
        try:
            return function(*args, **kwargs)
        finally:
            sys.setprofile(hook)

    stand_in.__name__ = name
    stand_in.__doc__ = function.__doc__
    return stand_in


def _module_of(function: Any) -> str | None:
    """The module a C function comes from; methods and static C functions know it by their owner."""
    module = getattr(function, "__module__", None)
    if module:
        return module
    owner = getattr(function, "__self__", None)
    if owner is None:
        return None
    kind = owner if isinstance(owner, type) else type(owner)
    if kind.__module__ == "builtins":
        return getattr(owner, "__name__", None)
    return kind.__module__
