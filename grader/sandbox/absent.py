"""What stands in a sandbox in the places of libraries that the answers are to do without.

The libraries themselves are not there, so that no thread, process or trick can call them. Importing one
still works, since an answer may do so and not use it; calling anything of it is refused. The course's
stand-ins, which call such libraries, are asked elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any


def stand_in_for(libraries: Collection[str]) -> None:
    """From here on these can be imported, but are hollow."""
    sys.meta_path.insert(0, _Finder(libraries))


def asking(names: Collection[str], ask: Callable[[str, tuple, dict], Any]) -> dict[str, Callable]:
    """Functions of these names that leave the work to `ask`."""
    # to who counts the steps of an answer they are what they stand for (see utils.steps)
    return {
        name: FunctionType(_asking.__code__, {"__name__": "utils.stand_ins", "ask": ask, "exercise": name}, name)
        for name in names
    }


def _asking(*args: Any, **kwargs: Any) -> Any:
    return ask(exercise, args, kwargs)  # noqa: F821 (its globals are those given above)


class Hollow:
    """Something of a library that is not there: it can be named, but not called."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __getattr__(self, name: str) -> Hollow:
        if name.startswith("__"):
            raise AttributeError(name)
        return Hollow(f"{self.module}.{self.name}", name)

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        # under its own name and its library's, by which those who watch an answer know what it called
        FunctionType(_called.__code__.replace(co_name=self.name), {"__name__": self.module, **_BUILTINS})()

    def __instancecheck__(self, instance: Any) -> bool:
        return False

    def __mro_entries__(self, bases: tuple) -> tuple:
        return ()


def _called() -> None:
    library = __name__.partition(".")[0]
    raise RuntimeError(f"{library} is not there while this lesson is graded: its exercises are written by hand")


_BUILTINS = {"__builtins__": __builtins__}


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Hollow:
        if name.startswith("__"):
            raise AttributeError(name)
        return Hollow(self.__name__, name)


class _Finder(MetaPathFinder, Loader):
    def __init__(self, libraries: Collection[str]) -> None:
        self.libraries = frozenset(libraries)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in self.libraries else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Has nothing to run."""
