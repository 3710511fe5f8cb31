"""`check(softmax)`: the learner's own check, from the data file that lies beside the notebook."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from utils import probe, stand_ins
from utils.card import Card
from utils.checkset import SUFFIX, CheckSet, read
from utils.judge import Verdict, evaluate, judge_answer


class CheckFailed(AssertionError):
    """An answer that is not right yet. In a notebook it shows one line, since the card tells the rest."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def check(answer: Callable) -> None:
    """Checks an exercise's answer on recorded inputs and shows a card that says what was found.

    Args:
        answer: the function or class you wrote, e.g. `check(softmax)`.

    Raises:
        CheckFailed: the answer is not right yet (an `AssertionError`, so that nbgrader's Validate sees it).
        ValueError: `answer` is no exercise of this notebook, or the data file is missing or damaged.
    """
    if os.environ.get("NBGRADER_EXECUTION") == "autograde":
        return  # a submission is being graded: on other inputs, elsewhere
    namespace = sys._getframe(1).f_globals
    checksets = _checksets(Path.cwd())
    if "torch" in sys.modules:
        stand_ins.load()  # those who watch what an answer calls are told which stand-ins it may call
    name = _name_of(answer, namespace, checksets)
    if namespace.get(name) is not answer:  # else the answer's own globals, where stand-ins can take effect
        namespace = {**namespace, name: answer}
    card = Card(_verdict(name, checksets, namespace))
    _show(card)
    if card.verdict.status != "passed":
        raise CheckFailed(f"{card.headline()}. The card above says more.")


def _verdict(name: str, checksets: dict[str, CheckSet], namespace: dict[str, Any]) -> Verdict:
    """The verdict on one answer; the lesson's earlier ones are looked at only where it fails."""

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        return probe.run(namespace, request)

    verdict = evaluate(checksets[name], ask)
    if verdict.status in ("passed", "missing"):
        return verdict
    before = itertools.takewhile(lambda other: other != name, checksets)
    earlier = {other: evaluate(checksets[other], ask) for other in before if other in namespace}
    return judge_answer(checksets[name], ask, earlier, stand_ins.NAMES)


def _checksets(folder: Path) -> dict[str, CheckSet]:
    installed = Path(__file__).with_name("checks")  # in the bundle installed on Colab, where nothing lies around
    files = sorted(folder.glob(f"*{SUFFIX}")) or sorted(installed.glob(f"*{SUFFIX}"))
    if not files:
        raise ValueError(
            f"no data file (*{SUFFIX}) in {folder}: keep the notebook in its lesson's folder, "
            "beside the data file it came with."
        )
    return {name: checkset for file in files for name, checkset in read(file).items()}


def _name_of(answer: Any, namespace: dict[str, Any], checksets: dict[str, CheckSet]) -> str:
    name = getattr(answer, "__name__", None)
    if name in checksets:
        return name
    for candidate in checksets:  # a lambda, or a function bound to the exercise's name
        if namespace.get(candidate) is answer:
            return candidate
    came = name or type(answer).__name__
    raise ValueError(f"check expects one of this lesson's exercises ({', '.join(checksets)}), got {came}.")


def _show(card: Card) -> None:
    try:
        from IPython.display import display
    except ImportError:
        print(card.text())
    else:
        display(card)
