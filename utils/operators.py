"""Sees PyTorch's operators, whatever name or module leads to them.

The function mode sees every function that is called on tensors from Python, the dispatch mode what
PyTorch's own C++ code then runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


@contextmanager
def watch(saw: Callable[[str], None]) -> Iterator[None]:
    """Calls `saw` with the name of each operator that is called, before it runs."""
    with _Functions(saw), _Dispatched(saw):
        yield


class _Functions(TorchFunctionMode):
    def __init__(self, saw: Callable[[str], None]) -> None:
        super().__init__()
        self.saw = saw

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        self.saw(getattr(function, "__name__", "").split(".")[0])
        return function(*args, **(kwargs or {}))


class _Dispatched(TorchDispatchMode):
    def __init__(self, saw: Callable[[str], None]) -> None:
        super().__init__()
        self.saw = saw

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else PyTorch imports its compiler at the first call, which takes seconds

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        self.saw(function._schema.name.split("::")[-1])
        return function(*args, **(kwargs or {}))
