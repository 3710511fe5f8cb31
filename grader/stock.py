"""What the hidden line of a test cell calls under plain nbgrader: graded, but not protected.

    import grader.stock; grader.stock.grade("01_self_attention", "softmax", globals())

The student's code runs in the same process as the tests here. The course's own executor never runs
this line: it grades from outside.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from typing import Any

from IPython.display import display

from grader.grading import hidden_checksets, new_seed
from utils import probe, stand_ins
from utils.card import Card
from utils.judge import Verdict, judge_answer

_seed = new_seed()
_verdicts: dict[tuple[str, str], Verdict] = {}


def grade(lesson: str, exercise: str, namespace: dict[str, Any]) -> float:
    """Shows the card of an answer and returns its points, which nbgrader reads as the cell's grade."""
    checksets = hidden_checksets(lesson, _seed)
    before = itertools.takewhile(lambda name: name != exercise, checksets)
    earlier = {name: _verdicts.get((lesson, name)) for name in before}

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        silence = io.StringIO()  # nbgrader takes anything on stderr for a failure
        with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
            return probe.run(namespace, request)

    verdict = judge_answer(checksets[exercise], ask, earlier, stand_ins.NAMES)
    _verdicts[lesson, exercise] = verdict
    display(Card(verdict, graded=True))
    return float(verdict.score)
