"""Is what came the value that was wanted? If not, the first difference in a plain sentence.

Numbers agree when |got - wanted| <= 1e-4 * max(1, |wanted|). NaN and infinity never agree with
anything. Kind, dtype and shape are looked at first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from utils.values import Tensor, Unsupported

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Mismatch:
    """The first difference found.

    Attributes:
        sentence: what was expected and what came.
        part: which of several results differs ("weights"), or "" where there is one result.
        index: where the first wrong number is, or None where kind, dtype or shape is wrong.
        got, wanted: the two arrays, where there are two to show; `wrong` marks what differs.
        text: what came, where some other text was expected.
    """

    sentence: str
    part: str = ""
    index: tuple[int, ...] | None = None
    got: np.ndarray | None = None
    wanted: np.ndarray | None = None
    wrong: np.ndarray | None = None
    text: str = ""


def compare(got: Any, wanted: Any, parts: list[str] = [], zeros_exact: bool = False) -> Mismatch | None:
    """None where `got` agrees with `wanted`, else the first difference.

    Args:
        got, wanted: plain values (see `utils.values`).
        parts: the names of the results, where there are several: ["output", "weights"].
        zeros_exact: whether a number must be exactly 0 where `wanted` is exactly 0.
    """
    if isinstance(wanted, list):
        return _compare_list(got, wanted, parts, zeros_exact)
    if isinstance(wanted, dict):
        return _compare_dict(got, wanted, zeros_exact)
    if isinstance(wanted, (np.ndarray, Tensor)) and _array_of(wanted).ndim > 0:
        return _compare_array(got, wanted, zeros_exact)
    if wanted is None or isinstance(wanted, (str, bool)):
        if type(got) is type(wanted) and got == wanted:
            return None
        text = got if isinstance(got, str) and isinstance(wanted, str) else ""
        return Mismatch(f"expected {wanted!r}, got {'something else' if text else describe(got)}", text=text)
    return _compare_number(got, wanted)


def describe(value: Any) -> str:
    """A value in a few words: "an array of shape (3, 4)", "a list", "None"."""
    if value is None:
        return "None (is there a `return`?)"
    if isinstance(value, (bool, int, float)):
        return repr(value)
    if isinstance(value, Unsupported):
        return f"an object of type {value.type_name}" + (f" ({value.detail})" if value.detail else "")
    if isinstance(value, Tensor):
        return f"a tensor of shape {value.array.shape}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}" if value.ndim else f"the number {value.item()!r}"
    if isinstance(value, list):
        return f"{len(value)} things in a list or tuple"
    return {str: "a text", dict: "a dict"}[type(value)]


def _compare_list(got: Any, wanted: list, parts: list[str], zeros_exact: bool) -> Mismatch | None:
    names = list(parts) if len(parts) == len(wanted) else [f"result {i}" for i in range(len(wanted))]
    if not isinstance(got, list):
        return Mismatch(f"expected {len(wanted)} results ({', '.join(names)}), got {describe(got)}")
    if len(got) != len(wanted):
        return Mismatch(f"expected {len(wanted)} results ({', '.join(names)}), got {len(got)}")
    for name, one, other in zip(names, got, wanted):
        if difference := compare(one, other, zeros_exact=zeros_exact):
            return replace(difference, sentence=f"{name}: {difference.sentence}", part=name)
    return None


def _compare_dict(got: Any, wanted: dict, zeros_exact: bool) -> Mismatch | None:
    if not isinstance(got, dict) or got.keys() != wanted.keys():
        came = f"the names {str(sorted(got))[:200]}" if isinstance(got, dict) else describe(got)
        return Mismatch(f"expected the names {sorted(wanted)}, got {came}")
    names = list(wanted)
    return _compare_list([got[name] for name in names], [wanted[name] for name in names], names, zeros_exact)


def _compare_array(got: Any, wanted: np.ndarray | Tensor, zeros_exact: bool) -> Mismatch | None:
    kind = "tensor" if isinstance(wanted, Tensor) else "NumPy array"
    article = f"a {kind}"
    target = _array_of(wanted)
    if type(got) is not type(wanted) or _array_of(got).ndim == 0:
        return Mismatch(f"expected {article} of shape {target.shape}, got {describe(got)}")
    array = _array_of(got)
    if sentence := _dtype_problem(array.dtype, target.dtype, exact=isinstance(wanted, Tensor)):
        return Mismatch(sentence)
    if array.shape != target.shape:
        return Mismatch(f"expected shape {target.shape}, got shape {array.shape}", got=array, wanted=target)
    if target.dtype.kind != "f":
        wrong = array != target
    else:
        wrong = ~_close(array, target)
        if zeros_exact:
            wrong |= (target == 0) & (array != 0)
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
    return Mismatch(_wrong_numbers(array, target, wrong, index), "", index, array, target, wrong)


def _compare_number(got: Any, wanted: Any) -> Mismatch | None:
    target = _array_of(wanted).item() if isinstance(wanted, (np.ndarray, Tensor)) else wanted
    if isinstance(got, Tensor) == isinstance(wanted, Tensor) and isinstance(got, (int, float, np.ndarray, Tensor)):
        array = _array_of(got)
        if not isinstance(got, bool) and array.ndim == 0 and array.dtype.kind in "iuf":
            if isinstance(target, int) and array.item() == target:
                return None
            if isinstance(target, float) and _close(array.astype(float), np.asarray(target)):
                return None
            return Mismatch(f"expected {_plainly(target)}, got {_plainly(array.item())}")
    kind = "a tensor with one number" if isinstance(wanted, Tensor) else f"the number {target:.6g}"
    return Mismatch(f"expected {kind}, got {describe(got)}")


def _dtype_problem(got: np.dtype, wanted: np.dtype, exact: bool) -> str:
    names = {"b": "True and False (bool)", "i": "integers", "f": "real numbers (a floating dtype)"}
    if exact:
        return "" if got == wanted else f"expected dtype {wanted.name}, got dtype {got.name}"
    kind = "i" if wanted.kind in "iu" else wanted.kind
    if ("i" if got.kind in "iu" else got.kind) == kind:
        return ""
    return f"expected {names[kind]}, got dtype {got.name}"


def _close(got: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(got.astype(np.float64) - wanted) <= TOLERANCE * np.maximum(1.0, np.abs(wanted))
    return near & np.isfinite(got)


def _wrong_numbers(got: np.ndarray, wanted: np.ndarray, wrong: np.ndarray, index: tuple[int, ...]) -> str:
    where = f"[{', '.join(map(str, index))}]"
    things = "entries" if wanted.dtype.kind == "b" else "numbers"
    exactly = "exactly " if wanted.dtype.kind == "f" and _close(got[index], wanted[index]) else ""
    return (
        f"{int(wrong.sum())} of {wrong.size} {things} are wrong; the first is at {where}: "
        f"expected {exactly}{_short(wanted[index])}, got {_short(got[index])}"
    )


def _plainly(number: int | float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.6g}"


def _short(number: Any) -> str:
    return str(number.item()) if number.dtype.kind != "f" else f"{number.item():.5g}"


def _array_of(value: Any) -> np.ndarray:
    return value.array if isinstance(value, Tensor) else np.asarray(value)
