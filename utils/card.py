"""A verdict as people read it: an HTML card, and the same in plain text."""

from __future__ import annotations

import re
from html import escape

import numpy as np

from utils.checkset import UNCHANGED
from utils.compare import Mismatch
from utils.judge import Verdict
from utils.values import printable

MAX_ROWS, MAX_COLUMNS, MAX_TEXT = 8, 9, 200
_COLOURS = {"passed": "#278743", "partial": "#9d6c00"}  # as dark as 4.5 to 1 on white asks, no darker: for black
_MARKS = {True: "✓", False: "✗", None: "–"}


class Card:
    """Shows a verdict in a notebook.

    Args:
        verdict: what is known of the answer.
        graded: whether the card tells points, and shows no arrays: the inputs were hidden ones.
    """

    def __init__(self, verdict: Verdict, graded: bool = False) -> None:
        self.verdict, self.graded = verdict, graded

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}

    def __repr__(self) -> str:
        return self.text()

    def headline(self) -> str:
        """The verdict in one line: "softmax: 3 of 4 aspects pass"."""
        verdict = self.verdict
        name = verdict.checkset.exercise
        if verdict.status == "missing":
            told = "not answered yet"
        elif verdict.status == "passed":
            told = "all checks pass"
        else:
            known = [passed for passed in verdict.aspects.values() if passed is not None]
            told = f"{sum(known)} of {len(known)} aspects pass"
            if verdict.score == 0:
                told = f"not right yet, “{self._first()}” comes first"
        points = f" ({verdict.score:g} of {verdict.checkset.max_score:g} points)" if self.graded else ""
        return f"{name}: {told}{points}"

    def text(self) -> str:
        """The card in plain text."""
        lines = [f"{_MARKS[self.verdict.status == 'passed']} {self.headline()}"]
        if self.verdict.status != "missing":
            lines += [f"  {_MARKS[passed]} {aspect}" for aspect, passed in self.verdict.aspects.items()]
        lines += [f"  {label}: {sentence}" for label, sentence in self._notes()]
        if mismatch := self._shown():
            lines += ["  expected", _indented(mismatch.wanted), "  got", _indented(mismatch.got, mismatch.wanted)]
        return "\n".join(lines)

    def html(self) -> str:
        """The card as HTML: no script, no class names, nothing fetched; legible on dark and light."""
        verdict = self.verdict
        colour = _COLOURS.get(verdict.status, "#d0453b")
        mark = _MARKS[verdict.status == "passed"]
        parts = [f'<div style="font-weight:600;color:{colour}">{mark} {escape(self.headline())}</div>']
        if verdict.status != "missing":
            items = " ".join(  # the space is where the row may be broken
                f'<span style="margin-right:1em;white-space:nowrap">{_MARKS[passed]} {escape(aspect)}</span>'
                for aspect, passed in verdict.aspects.items()
            )
            parts.append(f'<div style="margin-top:.3em">{items}</div>')
        for label, sentence in self._notes():
            parts.append(f'<div style="margin-top:.4em"><b>{escape(label)}:</b> {with_code(sentence)}</div>')
        if mismatch := self._shown():
            parts.append(
                '<div style="display:flex;flex-wrap:wrap;gap:1.5em;margin-top:.5em;overflow-x:auto">'
                + _table("expected", mismatch.wanted, mismatch)
                + _table("got", mismatch.got, mismatch)
                + "</div>"
            )
        return (
            f'<div style="border:1px solid {colour};border-left:6px solid {colour};border-radius:4px;'
            f'padding:.6em .9em;margin:.3em 0;max-width:56em">{"".join(parts)}</div>'
        )

    def _notes(self) -> list[tuple[str, str]]:
        verdict, notes = self.verdict, []
        if verdict.failure:
            if verdict.status != "missing":
                notes.append(("Checked", f"{verdict.failure.says}."))
            notes.append(("Found", _as_sentence(verdict.failure.sentence)))
            if text := self._text():
                notes.append(("Yours", f"“{printable(text)[:MAX_TEXT]}”"))
        if verdict.mistake:
            notes.append((f"This looks like “{verdict.mistake.title}”", verdict.mistake.hint))
        if verdict.status != "missing" and (later := self._not_asked()):
            notes.append(("Not asked here", f"{', '.join(later)}. That comes when your notebook is graded."))
        if verdict.stood_in:
            names = " and ".join(verdict.stood_in)
            told = f"yours does not pass its own check, and a mistake costs once. Look at {names} first"
            notes.append(("Note", f"checked with the course's own {names} in the place of yours: {told}."))
        return notes

    def _not_asked(self) -> list[str]:
        """The aspects that no question is about."""
        asked = {question.aspect for question in self.verdict.checkset.questions} | {UNCHANGED}
        return [aspect for aspect in self.verdict.aspects if aspect not in asked]

    def _first(self) -> str:
        """The aspect of the question that went wrong first: the card tells of that one."""
        failure, questions = self.verdict.failure, self.verdict.checkset.questions
        asked = (question.aspect for question in questions if failure and question.says == failure.says)
        return next(asked, next(iter(self.verdict.aspects)))

    def _text(self) -> str:
        """The answer's text where another was expected; where inputs were hidden ones it could tell them."""
        mismatch = self.verdict.failure.mismatch
        return mismatch.text if mismatch and not self.graded else ""

    def _shown(self) -> Mismatch | None:
        failure = self.verdict.failure
        if self.graded or failure is None or failure.mismatch is None or failure.mismatch.got is None:
            return None
        return failure.mismatch


def with_code(sentence: str) -> str:
    """A sentence as HTML, what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(sentence))


def _as_sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."


def _indented(array: np.ndarray, other: np.ndarray | None = None) -> str:
    """An array's numbers; in full where they would else look like those of `other`, which differ."""
    text, same = (_numbers(one, suppress_small=True) for one in (array, array if other is None else other))
    if other is not None and text == same:
        text = _numbers(array, formatter={"float_kind": lambda number: f"{number:.3g}"})
    return "\n".join("    " + line for line in text.splitlines())


def _numbers(array: np.ndarray, **how: object) -> str:
    return np.array2string(array, precision=3, threshold=80, edgeitems=3, **how)


def _table(title: str, array: np.ndarray, mismatch: Mismatch) -> str:
    """A small picture of an array: numbers on a shade by size, the wrong ones framed.

    Of more than two axes the last two are shown, at the place of the first wrong number.
    """
    lead = mismatch.index[:-2] if mismatch.index and len(mismatch.index) > 2 else (0,) * max(0, array.ndim - 2)
    place = f" [{', '.join(map(str, lead))}]" if lead else ""
    try:
        matrix = np.atleast_2d(array[lead])
    except IndexError:
        return ""
    rows, columns = matrix.shape[:2]
    shown = matrix[:MAX_ROWS, :MAX_COLUMNS]
    wrong = _wrong_cells(mismatch, lead, shown.shape)
    scale = np.abs(np.where(np.isfinite(shown), shown, 0)).max(initial=0) or 1.0
    body = "".join(
        "<tr>" + "".join(_cell(shown[r, c], scale, wrong[r, c]) for c in range(shown.shape[1])) + "</tr>"
        for r in range(shown.shape[0])
    )
    cut = f" (first {shown.shape[0]} × {shown.shape[1]})" if shown.shape != (rows, columns) else ""
    shape = "×".join(map(str, array.shape))
    return (
        f'<div><div style="font-size:.9em">{title}{place}, shape {shape}{cut}</div>'
        f'<table style="border-collapse:collapse;font-family:monospace;font-size:.85em">{body}</table></div>'
    )


def _wrong_cells(mismatch: Mismatch, lead: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    if mismatch.wrong is None:
        return np.zeros(shape, bool)
    return np.atleast_2d(mismatch.wrong[lead])[: shape[0], : shape[1]]


def _cell(number: np.generic, scale: float, wrong: bool) -> str:
    value = number.item()
    shade = 0.0 if not np.isfinite(value) else abs(value) / scale
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    frame = "outline:2px solid #d0453b;outline-offset:-2px;font-weight:700;" if wrong else ""
    return (
        f'<td style="{frame}background:rgba(110,140,190,{0.55 * shade:.2f});padding:.15em .45em;text-align:right">'
        f"{text}</td>"
    )
