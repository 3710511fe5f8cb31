"""One call of a student's function, from plain data to plain data.

The same code serves three callers: `check` in the student's notebook, the sandbox, and plain
nbgrader. A *request* says what to call and with what:

    {"name": "softmax", "probe": "call", "args": [...], "kwargs": {...},
     "refuse": ["torch", ...],        libraries or operators the answer may not lean on
     "stand_ins": ["project_qkv"]}    names replaced by the course's stand-ins during the call

An *outcome* says what came of it, with one of these as its "status":

    {"status": "value", "value": plain value, "changed": whether the call changed its inputs}
        and, where the probe has something to say about the value, that as its "note"
    {"status": "error", "type": "ValueError", "message": "…"}
    {"status": "missing"}                       it raised NotImplementedError
    {"status": "undefined", "message": "…"}     there is no such function
    {"status": "refused", "message": "…"}       it used what the exercise is to do by hand
    {"status": "unfit", "message": "…"}         a class whose instances cannot even be given their weights

A probe holds no expected value and no verdict: it may be read, and changed, by a student's code,
which can thereby only make up the result of its own function.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from utils import byhand, steps
from utils.needing_torch import part
from utils.values import Tensor, plain

MAX_MESSAGE = 500
_LOCALS = re.compile(r"[\w.]*<locals>\.")  # Python's way of telling where a function was made


class Unfit(Exception):
    """A class makes something that cannot be asked: the text says why."""


@dataclass(frozen=True)
class Noted:
    """What a probe found, and words on it that play no part in any comparison."""

    value: Any
    note: str


def run(namespace: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Calls what `request` names in `namespace`; never raises for what the student's code does."""
    name = request["name"]
    function = namespace.get(name)
    if not callable(function):
        what = "is not defined" if function is None else f"is not a function but {_article(type(function).__name__)}"
        return {"status": "undefined", "message": f"{name} {what}: run the cell that defines it."}
    args = live(request["args"])
    kwargs = live(request.get("kwargs", {}))
    probe = PROBES[request.get("probe", "call")]
    before = plain([args, kwargs])
    before = _copied(before)
    try:
        with (
            _stand_ins(namespace, request.get("stand_ins", [])),
            byhand.watch(name, request.get("refuse", [])) as watch,
            np.errstate(all="ignore"),
        ):
            value = probe(function, args, kwargs)
    except NotImplementedError as error:
        if str(error):  # not a stub's, but some library's
            return {"status": "error", "type": "NotImplementedError", "message": _text_of(error)}
        other = _raiser(error)
        if other == name or not callable(namespace.get(other)):
            return {"status": "missing"}
        return {"status": "error", "type": "NotImplementedError", "message": f"{other} is not answered yet"}
    except byhand.Refused:
        return {"status": "refused", "message": watch.sentence()}
    except Unfit as reason:
        return {"status": "unfit", "message": str(reason)}
    except Exception as error:
        outcome = {"status": "error", "type": type(error).__name__, "message": _text_of(error)}
        return {"status": "refused", "message": watch.sentence()} if watch.seen else outcome
    if watch.seen:
        return {"status": "refused", "message": watch.sentence()}
    value, note = (value.value, value.note) if isinstance(value, Noted) else (value, "")
    outcome = {"status": "value", "value": plain(value), "changed": not _same(before, plain([args, kwargs]))}
    return outcome | ({"note": note} if note else {})


def call(function: Callable, args: list, kwargs: dict) -> Any:
    """What the function returns."""
    return function(*args, **kwargs)


def call_again(function: Callable, args: list, kwargs: dict) -> Any:
    """What the first of two calls returned, looked at after the second (with other numbers).

    Shows a result that lives in memory shared between calls, or a function that remembers.
    """
    first = function(*args, **kwargs)
    function(*[_shifted(arg) for arg in args], **kwargs)
    return first


def work_grows(function: Callable, args: list, kwargs: dict) -> bool | Noted:
    """Whether the function's own Python code has more to do for the last of some sizes than for the first.

    The last of `args` is the list of sizes, of which each call is given one; the others stay the same. So
    a loop over them shows, while one inside NumPy does not (see `utils.steps`). The note quotes the loop.
    """
    *data, sizes = args
    function(*data, sizes[0], **kwargs)  # what is imported or prepared at the first call shall not count
    fewest, most = (steps.count(function, *data, size, **kwargs) for size in (sizes[0], sizes[-1]))
    grows = most.total() > fewest.total()
    return Noted(True, steps.loop(most - fewest)) if grows else False


def product(function: Callable, args: list, kwargs: dict) -> Any:
    """The matrix that the function returns, times the last of `args`, which is not handed to it.

    Asks what a matrix does, not what it is made of. What cannot be multiplied is given back as it is.
    """
    *args, columns = args
    made = function(*args, **kwargs)
    fits = isinstance(made, np.ndarray) and made.ndim == 2 and made.shape[1] == columns.shape[0]
    return made @ columns if fits else made


def afresh(probe: Callable) -> Callable:
    """`probe`, where each call comes after an equal one whose result was overwritten.

    Shows a result that is kept, and handed out again, between calls.
    """

    def probe_afresh(function: Callable, args: list, kwargs: dict) -> Any:
        def second(*args: Any, **kwargs: Any) -> Any:
            _overwrite(function(*_copied(list(args)), **_copied(kwargs)))
            return function(*args, **kwargs)

        return probe(second, args, kwargs)

    return probe_afresh


def module(function: Callable, args: list, kwargs: dict) -> Any:
    """What an instance of a class answers (see `utils.modules`)."""
    return part("modules").ask(function, **kwargs)


def gradients(function: Callable, args: list, kwargs: dict) -> dict[str, Any]:
    """The gradient of the function's (first) result, for each real argument."""
    return part("modules").function_gradients(function, args, kwargs)


def training_step(function: Callable, args: list, kwargs: dict) -> Any:
    """What a step of training does to a tiny model (see `utils.one_step`)."""
    return part("one_step").ask(function, **kwargs)


def accumulation(function: Callable, args: list, kwargs: dict) -> Any:
    """What a way of accumulating gradients does (see `utils.accumulation`)."""
    return part("accumulation").ask(function, **kwargs)


def calls_fused(function: Callable, args: list, kwargs: dict) -> dict[str, bool]:
    """Whether the function leaves attention to PyTorch's one call for it; what a stand-in calls is not its own."""
    name, seen = "F.scaled_dot_product_attention", []
    is_it = byhand.is_operator(name)

    def saw(operator: str) -> None:
        if is_it(operator) and not byhand.within_stand_in():
            seen.append(operator)

    with part("operators").watch(saw):
        function(*args, **kwargs)
    return {f"{name} is called": bool(seen)}


def decoding(function: Callable, args: list, kwargs: dict) -> Any:
    """What a tiny model says by a student's way of decoding (see `utils.decoding`); the settings are one argument."""
    return part("decoding").ask(function, **args[0])


def word_for_word(function: Callable, args: list, kwargs: dict) -> Any:
    """Translations by a given small model (see `utils.decoding`)."""
    return part("decoding").word_for_word(function, **args[0])


def own_weights(function: Callable, args: list, kwargs: dict) -> Any:
    """Translations by the weights that lie beside the notebook (see `utils.decoding`)."""
    return part("decoding").own_weights(function, **args[0])


PROBES: dict[str, Callable] = {
    "call": call,
    "call_again": call_again,
    "call_afresh": afresh(call),
    "work_grows": work_grows,
    "product": product,
    "product_afresh": afresh(product),
    "module": module,
    "gradients": gradients,
    "training_step": training_step,
    "accumulation": accumulation,
    "calls_fused": calls_fused,
    "decoding": decoding,
    "word_for_word": word_for_word,
    "own_weights": own_weights,
}


def live(value: Any) -> Any:
    """A plain value as the student's code meets it: fresh arrays, tensors as torch tensors."""
    if isinstance(value, list):
        return [live(item) for item in value]
    if isinstance(value, dict):
        return {key: live(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Tensor):
        import torch

        return torch.from_numpy(value.array.copy())
    return value


def _shifted(arg: Any) -> Any:
    """Another input of the same kind: the rows of an array in reverse order."""
    if isinstance(arg, np.ndarray) and arg.ndim > 0:
        return arg[::-1].copy()
    return arg.flip(0) if hasattr(arg, "flip") else arg  # a tensor


def _overwrite(value: Any) -> None:
    """Changes every number of a result in place, where it may be changed."""
    if isinstance(value, (list, tuple)):
        for item in value:
            _overwrite(item)
    elif isinstance(value, np.ndarray) and value.flags.writeable:
        value[...] = 77
    elif hasattr(value, "detach"):  # a tensor
        value.detach().fill_(77)


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(item) for item in value]
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Tensor):
        return Tensor(value.array.copy())
    return value.clone() if hasattr(value, "clone") else value  # a tensor


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, Tensor):
        return _same(one.array, other.array)
    if isinstance(one, np.ndarray):
        equal_nan = one.dtype.kind == "f"
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=equal_nan)
    return one == other


class _stand_ins:
    """Puts the course's stand-ins in the place of the student's own functions for a while."""

    def __init__(self, namespace: dict[str, Any], names: list[str]) -> None:
        self.namespace, self.names = namespace, names

    def __enter__(self) -> None:
        if not self.names:
            return
        stand_in = part("stand_ins").stand_in
        self.own = {name: self.namespace[name] for name in self.names if name in self.namespace}
        self.namespace.update({name: stand_in(name) for name in self.names})

    def __exit__(self, *exception: object) -> None:
        if self.names:
            for name in self.names:
                del self.namespace[name]
            self.namespace.update(self.own)


def _raiser(error: BaseException) -> str:
    """The name of the function or class whose code raised an error."""
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    name = getattr(code, "co_qualname", code.co_name)  # from Python 3.11 on a method's class comes first
    return name.rpartition("<locals>.")[2].split(".")[0]


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # an exception class of the student's own may fail here
        text = ""
    return _LOCALS.sub("", text)[:MAX_MESSAGE] if type(text) is str else ""


def _article(noun: str) -> str:
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"
