"""Notices when an answer leaves the work to a library that the exercise is about.

A profile hook sees every Python and C function that is called, whatever name it was imported or
bound under, and PyTorch's own hooks see its operators (`utils.operators`). They run beside the
student's code, so they stop short-cuts, not a determined attacker; an answer that switches the
profile hook off is refused as well. Not seen are threads started before the call, and what compiled
code (`torch.jit`) is made of.
"""

from __future__ import annotations

import _thread
import gc
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import CodeType
from typing import Any

from utils.needing_torch import part

# The code of the course's stand-ins, by exercise, in its order: `utils.stand_ins` fills this in.
STAND_INS: dict[str, set[CodeType]] = {}

# What an answer may be refused, besides whole libraries, by the names of the operators that do it.
OPERATORS = {
    "F.scaled_dot_product_attention": r"scaled_dot_product_attention|_scaled_dot_product_\w+(?<!_backward)|_safe_softmax|flex_attention",
    "F.multi_head_attention_forward": r"multi_head_attention_forward",
    "nn.MultiheadAttention": r"multi_head_attention_forward|_native_multi_head_attention|_transformer_\w+_fwd",
    "nn.LayerNorm": r"(native_)?layer_norm",
    "nn.GroupNorm": r"(native_)?group_norm",
    "F.cross_entropy": r"cross_entropy(_loss)?",
    "F.kl_div": r"kl_div",
}
_HARMLESS: dict[tuple[str, ...], set[str]] = {}  # by what is refused: operators that were asked about before
MODULES = {"nn.Transformer": "torch.nn.modules.transformer"}  # ... or by the module of its Python code


def is_operator(name: str) -> Callable[[str], bool]:
    """What tells whether an operator is, or does the work of, one of `OPERATORS`."""
    return lambda operator: re.fullmatch(OPERATORS[name], operator) is not None


class Refused(Exception):
    """Raised inside a student's function at the moment it calls something refused."""


class Watch:
    """What is refused while one exercise is checked, and what was seen of it."""

    def __init__(self, exercise: str, refuse: list[str]) -> None:
        self.exercise, self.refuse = exercise, tuple(refuse)
        self.libraries = {MODULES.get(name, name) for name in refuse if name not in OPERATORS}
        self.packages = {name for name in self.libraries if "." not in name}  # C functions know no more of theirs
        self.operators = {name: re.compile(OPERATORS[name]) for name in refuse if name in OPERATORS}
        self.harmless = _HARMLESS.setdefault(self.refuse, set())
        self.seen = ""
        self.free = _earlier_stand_ins(exercise)
        self.files = {code.co_filename for code in self.free}  # to ask first: hashing code takes time
        self.inside = 0  # how many of them are being called

    def sentence(self) -> str:
        """Why the answer was refused, for the student."""
        if self.seen == "sys.setprofile":
            return f"{self.exercise} changed the interpreter's profile hook, which the check needs: leave it alone."
        return (
            f"{self.exercise} called {self.seen}. This exercise is to be written by hand, "
            f"without {' or '.join(self.refuse)}."
        )

    def hook(self, frame: Any, event: str, arg: Any) -> None:
        """Hears of every call and return: thousands a question, so the commonest are done with first."""
        if event == "c_return" or event == "c_exception":
            return
        if event == "return":
            if self.inside and frame.f_code in self.free:
                self.inside -= 1
            return
        if event == "call":
            code = frame.f_code
            if code.co_filename in self.files and code in self.free:
                self.inside += 1
            if self.inside:
                return
            module, name = frame.f_globals.get("__name__"), code.co_name
            if self.operators and module == "torch.nn.functional":  # PyTorch's own hooks can be switched off
                self.operator(name)
            if not self.libraries:
                return
        else:
            if self.inside:
                return
            if arg in _WAYS_ROUND and frame.f_globals is not vars(_WAYS_ROUND[arg]):
                self.seen = self.seen or "sys.setprofile"  # also where the hook is put back afterwards
                raise Refused
            if self.operators:
                self.operator(getattr(arg, "__name__", ""))
            if not self.packages:
                return
            module, name = _module_of(arg), getattr(arg, "__name__", "?")
        if not isinstance(module, str):
            return
        library = module.split(".")[0]
        if library in self.libraries or module in self.libraries or f"{module}.{name}" in self.libraries:
            self.seen = self.seen or (f"{library}'s {name}" if name != "<module>" else f"for {library}")
            raise Refused

    def operator(self, name: str) -> None:
        """Hears of a PyTorch operator that is about to run, `aten::softmax` or `softmax`."""
        if name in self.harmless:
            return
        short = name.split("::")[-1].split(".")[0]
        if not any(pattern.fullmatch(short) for pattern in self.operators.values()):
            self.harmless.add(name)
        elif not self.inside:
            self.seen = self.seen or f"PyTorch's {short}"
            raise Refused

    def torch(self) -> Any:
        """PyTorch's hooks, where operators are refused."""
        return part("operators").watch(self.operator) if self.operators else nullcontext()


# What leads round the hook, and the module that may call it: a bare thread has none.
_WAYS_ROUND = {sys.setprofile: sys.modules[__name__], _thread.start_new_thread: threading}
if hasattr(_thread, "start_joinable_thread"):  # Python 3.13 on
    _WAYS_ROUND[_thread.start_joinable_thread] = threading


@contextmanager
def watch(exercise: str, refuse: list[str]) -> Iterator[Watch]:
    """Watches this thread, and threads started meanwhile, for calls into the libraries `refuse`."""
    seen = Watch(exercise, refuse)
    if not refuse:
        yield seen
        return
    before, hook, collecting = sys.getprofile(), seen.hook, gc.isenabled()
    gc.disable()  # what it collects may run a library's code in the midst of the answer's
    threading.setprofile(hook)
    sys.setprofile(hook)
    try:
        with seen.torch():
            yield seen
        if sys.getprofile() is not hook and not seen.seen:  # Python drops a hook that raised
            seen.seen = "sys.setprofile"
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
        if collecting:
            gc.enable()


def _earlier_stand_ins(exercise: str) -> set[CodeType]:
    """The code of the stand-ins that an answer may call: later ones would give it away."""
    names = list(STAND_INS)
    earlier = names[: names.index(exercise)] if exercise in names else names
    return set().union(*(STAND_INS[name] for name in earlier))


def within_stand_in() -> bool:
    """Whether the caller runs inside one of the course's stand-ins."""
    codes = set().union(*STAND_INS.values())
    frame = sys._getframe(1)
    while frame is not None and frame.f_code not in codes:
        frame = frame.f_back
    return frame is not None


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
