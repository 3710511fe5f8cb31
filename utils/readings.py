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

from utils.compare import describe

MAX_TEXT = 500  # letters of a translation that are looked at
LESS = 0.8  # of the padding in random order: clearly less, whatever the order


def read(reading: str, known: Any, outcome: dict[str, Any]) -> dict[str, Any]:
    """The outcome of a call with facts in the place of its value; as it is where no reading is asked for.

    Args:
        reading: one of `READINGS`, or "".
        known: what is judged by: the arguments of the request, or a question's key.
        outcome: see `utils.probe`.
    """
    if not reading or outcome["status"] != "value":
        return outcome
    facts, note = READINGS[reading](known, outcome["value"])
    return {**outcome, "value": facts} | ({"note": note} if note else {})


def batches(args: list, value: Any) -> tuple[dict[str, bool], str]:
    """Whether batches of indices lose nothing, repeat nothing and keep to the budget."""
    lengths, budget = args
    known = _indices(value)
    if known is None:
        alone = isinstance(value, list) and any(_whole(item) is not None for item in value)
        facts = dict.fromkeys(_BATCHES, False) | {"something comes back": value is not None, "no index is outside of a list": not alone}
        return facts, "" if value is None else "one list, no lists in it" if alone else describe(value)
    counts = Counter(index for batch in known for index in batch)
    sizes = [sorted(lengths[i] for i in batch if 0 <= i < len(lengths)) or [0] for batch in known]
    lost = [index for index in range(len(lengths)) if not counts[index]]
    twice = [index for index, times in counts.items() if times > 1]
    strange = [index for index in counts if not 0 <= index < len(lengths)]
    large = [size for size in sizes if len(size) * size[-1] > budget]
    notes = [f"index {index} is in none" for index in lost[:1]]
    notes += [f"index {index} is in {counts[index]} places" for index in twice[:1]]
    notes += [f"index {index} of {len(lengths)} sentences" for index in strange[:1]]
    notes += [f"{len(size)} sentences, the longest of {size[-1]} tokens, budget {budget}" for size in large[:1]]
    facts = (
        True, True, True, not lost, not twice, all(len(set(batch)) == len(batch) for batch in known), not strange, all(known),
        not large, all((len(size) - 1) * size[-2] <= budget for size in large if len(size) > 1),
    )  # fmt: skip
    return dict(zip(_BATCHES, facts)), notes[0] if notes else ""


_BATCHES = (
    "something comes back",
    "no index is outside of a list",
    "a list of lists of indices",
    "every index is in a batch",
    "no index is there twice",
    "none is twice in one batch",
    "no index is too large",
    "no batch is empty",
    "no batch exceeds the budget",
    "nor by more than a sentence",
)


def padding(args: list, value: Any) -> tuple[dict[str, bool], str]:
    """Whether batches are shared, not far from full, and padded less than batches of the same budget in random order.

    Not far from full: whoever takes each length for itself needs up to two batches for each budget of words, and
    one for each length, that of a remainder. Whoever takes sentences of several lengths together needs fewer.
    """
    lengths, budget = args
    known = _indices(value)
    if known is None or not all(0 <= index < len(lengths) for batch in known for index in batch):
        return dict.fromkeys(_PADDING, False), ""
    rng = np.random.default_rng(len(lengths))
    in_random_order = min(_padding(lengths, _filled(lengths, budget, rng.permutation(len(lengths)))) for _ in range(5))
    here = _padding(lengths, known)
    few = len(known) <= 2 * sum(lengths) / budget + len(set(lengths))
    facts = (True, len(known) <= len(lengths) // 2, few, here < LESS * in_random_order)
    notes = [f"{len(known)} batches, with {sum(lengths)} tokens in all"] if not few else []
    notes += [f"{here} places of padding, {in_random_order} in random order"] if not facts[-1] else []
    return dict(zip(_PADDING, facts)), notes[0] if notes else ""


_PADDING = ("a list of lists of indices", "sentences share batches", "few batches for so many tokens", "little padding")


def rate(args: list, value: Any) -> tuple[dict[str, bool], str]:
    """Whether a number can serve as a learning rate."""
    number = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    return {
        "a number": is_number,
        "finite": is_number and math.isfinite(number),
        "not negative": is_number and number >= 0,
    }, ""


def best(args: list, value: Any) -> tuple[dict[str, Any], str]:
    """The first of some hypotheses `(ids, score)`."""
    ids, score = (_hypotheses(value) or [([], 0.0)])[0]
    return {"what comes back": _form(value), "the best ids": " ".join(map(str, ids)), "its score": score}, ""


def beam(args: list, value: Any) -> tuple[dict[str, Any], str]:
    """Whether hypotheses are what a beam search may return, with the scores that the model gives them."""
    from utils import decoding  # needs torch

    settings, known = args[0], _hypotheses(value)
    (beam_size,), special, max_len = settings["more"], settings["ids"], settings["max_len"]
    words, power = range(settings["tgt_words"]), settings["options"].get("length_penalty", 0.6)

    def is_whole(ids: list[int]) -> bool:
        end = ids.index(special["eos"]) + 1 if special["eos"] in ids else max_len
        return 1 < len(ids) == end <= max_len and all(word in words for word in ids)

    def distance(ids: list[int], score: float) -> float:
        right = sum(decoding.log_probabilities(settings, ids)) / ((5 + len(ids) - 1) / 6) ** power
        return abs(score - right)

    scores, all_ids = [score for _, score in known], [ids for ids, _ in known]
    whole = bool(known) and all(map(is_whole, all_ids))
    return {
        "what comes back": _form(value),
        "no more of them than beam_size": len(known) <= beam_size,
        "each begins with BOS": all(ids[0] == special["bos"] for ids in all_ids),
        "each ends with its first EOS, or has max_len ids": whole,
        "no ids are there twice": len(set(map(tuple, all_ids))) == len(all_ids),
        "the best comes first": scores == sorted(scores, reverse=True),
        "how far a score is from what the model gives": max(map(distance, all_ids[:beam_size], scores)) if whole else 0.0,
    }, ""


def bleu(key: dict[str, Any], value: Any) -> tuple[dict[str, bool], str]:
    """Whether translations are as good as is asked for, by references that the answer never saw.

    The model said other words than it meant (see `decoding.own_weights`): `key` has what is meant by each.
    """
    from sacrebleu import corpus_bleu

    wanted, meant = key["references"], key["meant"]
    texts = isinstance(value, list) and len(value) == len(wanted) and all(type(text) is str for text in value)
    said = [" ".join(meant.get(word, word) for word in text[:MAX_TEXT].split()) for text in value] if texts else []
    score = corpus_bleu(said, [wanted]).score if texts else 0.0
    enough = score >= key["at_least"]
    facts = {"a list of texts, one for each sentence": texts, f"BLEU of {key['at_least']} or more": enough}
    return facts, "" if enough or not texts else f"BLEU {score:.1f}"


READINGS: dict[str, Callable[[Any, Any], tuple[dict[str, Any], str]]] = {
    "best": best,
    "beam": beam,
    "bleu": bleu,
    "batches": batches,
    "padding": padding,
    "rate": rate,
}


def _hypotheses(value: Any) -> list[tuple[list[int], float]]:
    """The pairs of a list of ints and a finite number, also a tensor's; none if there is anything else."""
    known = []
    for pair in value if isinstance(value, list) else []:
        ids, score = pair if isinstance(pair, list) and len(pair) == 2 else (None, None)
        number = getattr(score, "array", score)  # a tensor's
        number = number.item() if isinstance(number, np.ndarray) and number.ndim == 0 else number
        if _form(ids) != "ids" or type(number) not in (int, float) or not math.isfinite(number):
            return []
        known.append((ids, float(number)))
    return known


def _form(value: Any) -> str:
    """What hypotheses are made of, in words, as far as the first one tells."""
    if isinstance(value, list) and value:
        if all(type(one) is int for one in value):
            return "ids"
        if all(_whole(getattr(one, "array", one)) is not None for one in value):
            return "ids that are not all plain ints"
        parts = [_form(one) for one in value[:2]]
        return f"({', '.join(parts)})" if len(value) == 2 and parts[0] != parts[1] else f"a list of {parts[0]}"
    array = getattr(value, "array", value)
    if isinstance(array, (int, float)) or (isinstance(array, np.ndarray) and array.ndim == 0):
        return "score"
    return "array" if isinstance(array, np.ndarray) else type(value).__name__


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
