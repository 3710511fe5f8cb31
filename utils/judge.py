"""From the outcomes of an exercise's calls to a verdict: points, what is wrong, and its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from utils.checkset import UNCHANGED, CheckSet, Mistake, Question
from utils.compare import Mismatch, compare
from utils.readings import read
from utils.values import Tensor

FINAL = ("timeout", "killed", "undefined", "missing")  # no use in asking further


@dataclass(frozen=True)
class Failure:
    """The first question that went wrong: what it looked at, what came of it."""

    says: str
    sentence: str
    mismatch: Mismatch | None = None


@dataclass(frozen=True)
class Verdict:
    """What is known of one answer.

    Attributes:
        status: passed, partial, failed, error, timeout or missing.
        aspects: for each aspect whether it passed; None where that cannot be told, or was not asked.
        failure: the first thing that went wrong, None when all passed.
        mistake: the known wrong solution that gives the same answers, where there is one.
        stood_in: earlier exercises that a stand-in was put in for, so that their mistakes cost once.
    """

    checkset: CheckSet
    score: float
    status: str
    aspects: dict[str, bool | None]
    failure: Failure | None = None
    mistake: Mistake | None = None
    stood_in: list[str] = field(default_factory=list)

    @property
    def message(self) -> str:
        """The verdict's failure in one sentence; empty when all passed."""
        return "" if self.failure is None else f"{self.failure.says}: {self.failure.sentence}"


def judge_answer(
    checkset: CheckSet,
    ask: Callable[[dict[str, Any]], dict[str, Any]],
    earlier: Mapping[str, Verdict | None],
    replaceable: Collection[str],
) -> Verdict:
    """The verdict on one exercise, given those on the lesson's earlier ones.

    Where earlier answers failed, the course's stand-ins take their places in a second try, and the
    better verdict counts, or the one that names a mistake: a mistake costs once. For answers that never came back they do so at once.

    Args:
        checkset: the exercise's questions and answers.
        ask: from a request to an outcome (see `utils.probe`).
        earlier: the verdicts on the lesson's earlier exercises; None for one that did not even get one.
        replaceable: the exercises that there are stand-ins for.
    """
    status = {name: verdict.status if verdict else "error" for name, verdict in earlier.items()}
    failed = [name for name in earlier if status[name] != "passed" and name in replaceable]
    stopped = [name for name in failed if status[name] in ("timeout", "error")]
    verdict = evaluate(checkset, ask, stopped)
    if verdict.status in ("passed", "missing") or failed == stopped:
        return verdict
    again = evaluate(checkset, ask, failed)
    return max(verdict, again, key=lambda one: (one.score, one.mistake is not None))


def evaluate(checkset: CheckSet, ask: Callable[[dict[str, Any]], dict[str, Any]], stand_ins: list[str] = []) -> Verdict:
    """The verdict on an answer that `ask` puts each question's request to.

    After a question that stopped the interpreter or ran out of time, the others are not asked.

    Args:
        checkset: the exercise's questions and answers.
        ask: from a request to an outcome (see `utils.probe`).
        stand_ins: earlier exercises to put the course's stand-ins in for.
    """
    outcomes: list[dict[str, Any]] = []
    for question in checkset.questions:
        if outcomes and outcomes[-1]["status"] in FINAL:
            outcomes.append(outcomes[-1])
        else:
            always = question.request.get("stand_ins", [])
            request = question.request | {"stand_ins": list(dict.fromkeys([*always, *stand_ins]))}
            outcomes.append(read(question.reading, question.key or request["args"], ask(request)))
    return replace(judge(checkset, outcomes), stood_in=list(stand_ins))


def judge(checkset: CheckSet, outcomes: list[dict[str, Any]]) -> Verdict:
    """The verdict on `outcomes`, one for each of the check set's questions.

    An aspect passes when all its questions do; of one that no question is about nothing is known. The first
    aspect is what the exercise is about: where it fails, the score is 0.
    """
    failures = [_failure(q, outcome, checkset) for q, outcome in zip(checkset.questions, outcomes, strict=True)]
    asked = {UNCHANGED, *(question.aspect for question in checkset.questions)}
    passed = {aspect: True if aspect in asked else None for aspect in checkset.aspects}
    for question, outcome, failure in zip(checkset.questions, outcomes, failures):
        if failure is not None:
            passed[question.aspect] = False
        elif outcome.get("changed"):
            passed[UNCHANGED if UNCHANGED in passed else question.aspect] = False
    core = next(iter(passed))
    if passed.get(UNCHANGED) and not passed[core]:
        passed[UNCHANGED] = None  # of calls that failed, or did something else, it says nothing
    score = float(sum(points for name, points in checkset.aspects.items() if passed[name])) if passed[core] else 0.0
    first = next((failure for failure in failures if failure is not None), None)
    if first is None and False in passed.values():
        changing = next(q for q, outcome in zip(checkset.questions, outcomes) if outcome.get("changed"))
        first = Failure(changing.says, "the right result, but the call changed an array it was given: make a new one")
    return Verdict(
        checkset,
        score,
        _status(score, passed, outcomes, failures),
        passed,
        first,
        recognise(checkset, outcomes, failures) if first else None,
    )


def _failure(question: Question, outcome: dict[str, Any], checkset: CheckSet) -> Failure | None:
    wanted, status = question.expected, outcome["status"]
    if wanted["status"] == "error":
        if status == "error" and outcome["type"] == wanted["type"]:
            return None
        came = f"{outcome['type']} was raised" if status == "error" else "nothing was raised"
        if status == "value" and getattr(outcome["value"], "type_name", "") == wanted["type"]:
            came = "it was returned: write `raise` in the place of `return`"
        if status in ("value", "error"):
            return Failure(question.says, f"expected {wanted['type']} to be raised, but {came}")
    if status == "value":
        mismatch = compare(outcome["value"], wanted["value"], checkset.returns, question.zeros_exact)
        if mismatch is None:
            return None
        note = f": `{outcome['note']}`" if outcome.get("note") else ""
        return Failure(question.says, (question.otherwise or mismatch.sentence) + note, mismatch)
    if status == "error":
        text = f"your code raised {outcome['type']}: {in_plain_words(outcome['message'])}"
        return Failure(question.says, text.removesuffix(": "))
    if status == "missing":
        return Failure(question.says, "not answered yet: replace `raise NotImplementedError` by your code")
    return Failure(question.says, outcome["message"])


def in_plain_words(message: str) -> str:
    """NumPy's complaint about a matrix product, which talks of gufunc signatures, for people."""
    found = re.search(r"matmul: Input operand 1 .* \(size (\d+) is different from (\d+)\)", message)
    if not found:
        return message
    return (
        f"`@` needs the last axis of the left array to be as long as the second-last of the right one; here they "
        f"are {found[2]} and {found[1]}"
    )


def _status(score: float, passed: dict[str, bool | None], outcomes: list[dict], failures: list[Failure | None]) -> str:
    if False not in passed.values():
        return "passed"
    if score > 0:
        return "partial"
    kinds = [outcome["status"] for outcome, failure in zip(outcomes, failures) if failure is not None]
    if "missing" in kinds:
        return "missing"
    if "timeout" in kinds:
        return "timeout"
    if kinds and kinds[0] in ("error", "undefined", "killed"):
        return "error"
    return "failed"


def recognise(checkset: CheckSet, outcomes: list[dict], failures: list[Failure | None]) -> Mistake | None:
    """The mistake that answers as these outcomes do.

    One that agrees on every question comes first; then one that agrees on every question that went
    wrong; then on those of the first aspect that went wrong (a second, different slip may hide the
    agreement elsewhere). At last what an error says may differ, where a wrong result agrees: an answer
    that fails inside a piece the learner wrote fails in that piece's words.
    """
    wrong = [i for i, (o, f) in enumerate(zip(outcomes, failures)) if f is not None or o.get("changed")]
    if all(outcomes[i]["status"] in FINAL for i in wrong):
        return None
    aspects = [question.aspect for question in checkset.questions]
    first_aspect = [i for i in wrong if aspects[i] == aspects[wrong[0]]]
    everywhere = [*wrong, *(i for i in range(len(outcomes)) if i not in wrong)]  # what tells most apart comes first
    for where, in_its_words in ((everywhere, True), (wrong, True), (everywhere, False), (wrong, False), (first_aspect, True)):
        for mistake in checkset.mistakes:
            if any(
                mistake.outcomes[i] is not None and (in_its_words or outcomes[i]["status"] == "value")
                for i in where
                if i in wrong
            ) and all(
                (i not in wrong and mistake.outcomes[i] is None)  # both right, an error in other words too
                or agree(outcomes[i], mistake.outcomes[i] or checkset.questions[i].expected, in_its_words)
                for i in where
            ):
                return mistake
    return None


def agree(outcome: dict[str, Any], known: dict[str, Any], in_its_words: bool = True) -> bool:
    """Whether two outcomes are the same, their errors in the same words or not."""
    if outcome["status"] != known["status"]:
        return False
    if known["status"] == "error":
        return outcome["type"] == known["type"] and (outcome["message"] == known["message"] or not in_its_words)
    if known["status"] == "unfit":
        return outcome["message"] == known["message"]
    if known["status"] != "value":
        return False
    if bool(outcome.get("changed")) != bool(known.get("changed")):
        return False
    return _alike(outcome["value"], known["value"])


def _alike(got: Any, known: Any) -> bool:
    """Same kind, same shape, same numbers up to rounding; NaN is like NaN here, infinity like infinity."""
    if isinstance(known, list):
        return isinstance(got, list) and len(got) == len(known) and all(map(_alike, got, known))
    if isinstance(known, dict):
        return isinstance(got, dict) and got.keys() == known.keys() and all(_alike(got[k], known[k]) for k in known)
    if isinstance(known, Tensor):
        return isinstance(got, Tensor) and got.array.dtype == known.array.dtype and _alike(got.array, known.array)
    if isinstance(known, (np.ndarray, float, int)) and isinstance(got, (np.ndarray, float, int)):
        one, other = np.asarray(got), np.asarray(known)
        if one.shape != other.shape or (one.dtype.kind == "b") != (other.dtype.kind == "b"):
            return False
        if one.dtype.kind == "b":
            return bool((one == other).all())
        return bool(np.allclose(one.astype(float), other.astype(float), rtol=1e-4, atol=1e-4, equal_nan=True))
    return type(got) is type(known) and got == known
