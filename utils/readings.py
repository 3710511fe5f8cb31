"""What a result amounts to, where many different results are right.

A reading turns the value that an answer gave into facts, which are compared with those that the
reference solution gives. Those who judge do it, from plain values: it never runs beside a student's code.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

LESS = 0.8  # of the padding in random order: clearly less, whatever the order


def read(reading: str, request: dict[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
    """The outcome of a call with facts in the place of its value; as it is where no reading is asked for.

    Args:
        reading: one of `READINGS`, or "".
        request, outcome: see `utils.probe`.
    """
    if not reading or outcome["status"] != "value":
        return outcome
    facts, note = READINGS[reading](request["args"], outcome["value"])
    return {**outcome, "value": facts} | ({"note": note} if note else {})


def batches(args: list, value: Any) -> tuple[dict[str, bool], str]:
    """Whether batches of indices lose nothing, repeat nothing and keep to the budget."""
    lengths, budget = args
    known = _indices(value)
    if known is None:
        return dict.fromkeys(_BATCHES, False), ""
    counts = Counter(index for batch in known for index in batch)
    sizes = [(len(batch), max((lengths[i] for i in batch if 0 <= i < len(lengths)), default=0)) for batch in known]
    lost = [index for index in range(len(lengths)) if not counts[index]]
    twice = [index for index, times in counts.items() if times > 1]
    strange = [index for index in counts if not 0 <= index < len(lengths)]
    large = [(many, longest) for many, longest in sizes if many * longest > budget]
    notes = [f"index {index} is in none" for index in lost[:1]]
    notes += [f"index {index} is in {counts[index]} places" for index in twice[:1]]
    notes += [f"index {index} of {len(lengths)} sentences" for index in strange[:1]]
    notes += [f"{many} sentences, the longest of {longest} tokens, budget {budget}" for many, longest in large[:1]]
    facts = (True, not lost, not twice, not strange, all(known), not large)
    return dict(zip(_BATCHES, facts)), notes[0] if notes else ""


_BATCHES = (
    "a list of lists of indices",
    "every index is in a batch",
    "no index is there twice",
    "no index is too large",
    "no batch is empty",
    "no batch exceeds the budget",
)


def padding(args: list, value: Any) -> tuple[dict[str, bool], str]:
    """Whether batches are shared, and padded less than batches of the same budget in random order."""
    lengths, budget = args
    known = _indices(value)
    if known is None or not all(0 <= index < len(lengths) for batch in known for index in batch):
        return {"a list of lists of indices": False, "sentences share batches": False, "little padding": False}, ""
    rng = np.random.default_rng(len(lengths))
    in_random_order = min(_padding(lengths, _filled(lengths, budget, rng.permutation(len(lengths)))) for _ in range(5))
    here = _padding(lengths, known)
    facts = {
        "a list of lists of indices": True,
        "sentences share batches": len(known) <= len(lengths) // 2,
        "little padding": here < LESS * in_random_order,
    }
    note = f"{here} places of padding, {in_random_order} in random order"
    return facts, "" if facts["little padding"] else note


def rate(args: list, value: Any) -> tuple[dict[str, bool], str]:
    """Whether a number can serve as a learning rate."""
    number = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    return {
        "a number": is_number,
        "finite": is_number and math.isfinite(number),
        "not negative": is_number and number >= 0,
    }, ""


READINGS: dict[str, Callable[[list, Any], tuple[dict[str, bool], str]]] = {
    "batches": batches,
    "padding": padding,
    "rate": rate,
}


def _indices(value: Any) -> list[list[int]] | None:
    """Lists of whole numbers, NumPy's too, as lists of ints; None for anything else."""
    if not isinstance(value, list) or not all(isinstance(batch, list) for batch in value):
        return None
    known = [[_whole(index) for index in batch] for batch in value]
    return None if any(index is None for batch in known for index in batch) else known


def _whole(index: Any) -> int | None:
    if isinstance(index, np.ndarray) and index.ndim == 0 and index.dtype.kind in "iu":
        return int(index)
    return index if type(index) is int else None


def _padding(lengths: list[int], batches: list[list[int]]) -> int:
    return sum(len(batch) * max(lengths[i] for i in batch) - sum(lengths[i] for i in batch) for batch in batches if batch)


def _filled(lengths: list[int], budget: int, order: np.ndarray) -> list[list[int]]:
    filled: list[list[int]] = [[]]
    for index in order.tolist():
        together = [*filled[-1], index]
        if len(together) * max(lengths[i] for i in together) > budget and filled[-1]:
            filled.append([index])
        else:
            filled[-1] = together
    return filled
