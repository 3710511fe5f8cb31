"""What one exercise is checked with: questions, right answers, and the answers of known mistakes.

A `CheckSet` is numbers and sentences only, no code. The grader makes one from fresh random inputs
whenever it grades; the one made for fixed inputs is the data file that lies beside each student
notebook (`01_self_attention.checks.json`), which `check` reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from utils.values import Tensor

SUFFIX = ".checks.json"
UNCHANGED = "inputs unchanged"


@dataclass(frozen=True)
class Question:
    """One call: which aspect it counts for, what it looks at in words, the request, the right outcome.

    `otherwise` tells what is wrong with any other value, where "expected False, got True" would not.
    `reading` says which facts of a value are compared, where many values are right (see `utils.readings`);
    `key` is what it judges by, where the request must not tell.
    """

    aspect: str
    says: str
    request: dict[str, Any]
    expected: dict[str, Any]
    zeros_exact: bool = False
    otherwise: str = ""
    reading: str = ""
    key: Any = None


@dataclass(frozen=True)
class Mistake:
    """A known wrong solution by what it answers: one outcome per question, None where it is right."""

    title: str
    hint: str
    outcomes: Sequence[dict[str, Any] | None]
    name: str = ""  # known to the grader alone


@dataclass(frozen=True)
class CheckSet:
    """All of an exercise's questions.

    Attributes:
        exercise: the name of the function or class.
        aspects: points by aspect, the first being what the exercise is about: without it the others
            earn nothing.
        returns: the names of the results, where there are several.
    """

    exercise: str
    aspects: dict[str, float]
    questions: list[Question]
    mistakes: Sequence[Mistake]
    returns: list[str] = field(default_factory=list)

    @property
    def max_score(self) -> float:
        return sum(self.aspects.values())


def write(checksets: list[CheckSet]) -> str:
    """The text of a data file, a line an exercise; the same check sets give the same bytes."""
    lines = [json.dumps(_jsonable(_entry(checkset)), ensure_ascii=False) for checkset in checksets]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def read(path: Path) -> dict[str, CheckSet]:
    """The check sets of a data file, by exercise.

    Raises:
        ValueError: the file is not one that `write` made.
    """
    try:
        entries = [_restored(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
        return {
            entry["exercise"]: CheckSet(
                **entry
                | {
                    "questions": [Question(**question) for question in entry["questions"]],
                    "mistakes": [Mistake(**mistake) for mistake in entry["mistakes"]],
                }
            )
            for entry in entries
        }
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path.name} is damaged ({error}): copy it anew from the course's notebooks folder") from None


def _entry(checkset: CheckSet) -> dict[str, Any]:
    """A check set as a dict; a `Tensor` in it, which is a dataclass too, stays what it is."""
    rare = ("reading", "key")
    questions = [{name: part for name, part in vars(one).items() if name not in rare or part} for one in checkset.questions]
    parts = {"questions": questions, "mistakes": list(map(vars, checkset.mistakes))}
    return vars(checkset) | parts


def _jsonable(value: Any, rounded: bool = False) -> Any:
    """Inputs in full; results to eight digits, as more would differ in the last place between machines."""
    if isinstance(value, dict):
        return {key: _jsonable(item, rounded or key in ("expected", "outcomes")) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item, rounded) for item in value]
    if isinstance(value, (np.ndarray, Tensor)):
        kind, array = ("array", value) if isinstance(value, np.ndarray) else ("tensor", value.array)
        numbers = array.ravel().tolist()
        if rounded and array.dtype.kind == "f":
            numbers = [float(f"{number:.8g}") + 0.0 for number in numbers]  # + 0.0: no -0.0
        return {f"__{kind}__": array.dtype.name, "shape": list(array.shape), "data": numbers}
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return [_restored(item) for item in value]
    if isinstance(value, dict):
        for kind, make in (("__array__", np.asarray), ("__tensor__", lambda array: Tensor(array))):
            if kind in value:
                return make(np.array(value["data"], dtype=value[kind]).reshape(value["shape"]))
        return {key: _restored(item) for key, item in value.items()}
    return value
