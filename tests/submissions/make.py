"""Writes the notebooks of this folder: `python tests/submissions/make.py`.

Each is named LESSON__what-it-is__SCORE.ipynb by the score it must get; the scores are a teacher's, not
the grader's. They hold the answers alone, as a learner who deleted all else would hand them in. Those of
lessons 00 and 01 are of the demo's students, the others are written in answers/, under the notebook's name.
"""

import json
from pathlib import Path

from grader.demo import submission
from grader.submission import release_notebook

HERE = Path(__file__).parent
LESSON = "01_self_attention"
ANSWERS = Path(__file__).parents[2] / "grader" / "demo" / "answers"


def answers_only(lesson, text):
    """The cells of a submission that are the learner's own, with what nbgrader needs to know its answers.

    Of the lesson's cells there are those that set up: one that imports what answers need, and what is carried.
    """
    theirs = {cell.source for cell in release_notebook(lesson).cells}
    cells = [cell for cell in submission(lesson, text).cells if cell.cell_type == "code"]
    kept = [
        cell
        for cell in cells
        if cell.metadata.get("nbgrader", {}).get("solution") or cell.source not in theirs or "= carry(" in cell.source
    ]
    libraries = "from utils import carry\nimport numpy as np" + "\nimport torch\nfrom torch import nn" * (lesson > "05")
    start = {"cell_type": "code", "source": libraries, "metadata": {}, "outputs": [], "execution_count": None}
    return [start] + [
        {
            "cell_type": "code",
            "source": cell.source,
            "metadata": {key: dict(marks) for key, marks in cell.metadata.items() if key == "nbgrader"},
            "outputs": [],
            "execution_count": None,
        }
        for cell in kept
    ]


def write(lesson, what, score, cells):
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (HERE / f"{lesson}__{what}__{score}.ipynb").write_text(json.dumps(notebook, indent=1) + "\n", encoding="utf-8")


def demo(lesson, student):
    return (ANSWERS / lesson / f"{student}.py").read_text(encoding="utf-8")


def test_cell(name, source, points):
    marks = {"grade": True, "grade_id": f"test_{name}", "points": points, "locked": False, "solution": False}
    return {
        "cell_type": "code", "source": source, "metadata": {"nbgrader": marks}, "outputs": [], "execution_count": 9
    }  # fmt: skip


def main():
    for old in HERE.glob("*.ipynb"):
        old.unlink()
    for student, what, score in [
        ("ada", "perfect", 22), ("boris", "perfect-loops", 22), ("chloe", "perfect-einsum", 22),
        ("dana", "overflows-and-one-sentence-only", 20), ("emil", "softmax-over-axis-0", 16),
        ("fatou", "not-scaled", 12), ("hana", "keys-and-values-swapped", 19), ("nora", "softmax-only", 6),
        ("kofi", "ends-its-interpreter", 18), ("marc", "forged", 0),
    ]:  # fmt: skip
        write(LESSON, what, score, answers_only(LESSON, demo(LESSON, student)))
    perfect = answers_only(LESSON, demo(LESSON, "ada"))
    write(LESSON, "answers-in-reverse-order", 22, [perfect[0], *reversed(perfect[1:])])
    forged = [test_cell("softmax", "1e9", 1e9), test_cell("project_qkv", "import os; os._exit(0)", 50)]
    write(LESSON, "edited-test-cells", 22, perfect + forged)
    stripped = [cell | {"metadata": {}} for cell in perfect]
    write(LESSON, "metadata-stripped", 0, stripped)
    again = perfect[1] | {"source": "def softmax(x, axis=-1):\n    return x"}
    write(LESSON, "a-second-softmax", 22, perfect + [again])
    write(LESSON, "nothing", 0, [])
    for student, what, score in [("ada", "perfect", 5), ("dana", "one-sentence-only", 3), ("emil", "from-one", 0)]:
        write("00_welcome", what, score, answers_only("00_welcome", demo("00_welcome", student)))
    for file in sorted((HERE / "answers").glob("*.py")):
        lesson, what, score = file.stem.split("__")
        write(lesson, what, score, answers_only(lesson, file.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
