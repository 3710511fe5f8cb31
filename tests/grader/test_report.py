"""The instructor's page: what it counts, and that nothing in it can do anything."""

import re

import nbformat
import pytest

from grader.autograde import autograde, local_workers, release_into_gradebook
from grader.demo import open_demo, submission
from grader.errors import GraderError
from grader.report import KINDS, Graded, mistakes, need_eyes, page, rows, write_report
from grader.spec import load_lesson

LESSON = load_lesson("00_welcome")
EMBED = LESSON.exercises["embed"]
KNOWN = EMBED.misconceptions[0]


def graded(student, score, status, misconception=None, seconds=0.1, **record):
    entry = {
        "name": "embed", "score": score, "max_score": EMBED.points, "status": status, "misconception": misconception,
        "hint": None, "message": "",
    }  # fmt: skip
    return Graded(student, score, {"exercises": [entry], "seconds": {"embed": seconds}} | record)


CLASS = [
    graded("ada", 5.0, "passed"),
    graded("bob", 3.0, "partial"),
    graded("cy", 0.0, "failed", KNOWN.name, seconds=0.7),
    graded("dee", 0.0, "failed", KNOWN.name, incidents=["a cell ended the interpreter (exit status 0)"]),
    graded("eve", 0.0, "missing", error="<script>alert(1)</script>.ipynb is no notebook"),
]


def test_an_exercise_counts_how_far_the_class_got():
    (row,) = rows([EMBED], CLASS)
    assert dict(zip(KINDS, row.counts)) == {"full points": 1, "some points": 1, "no points": 2, "not answered": 1}
    assert (row.mean, row.seconds, row.slowest) == (1.6, 0.1, 0.7)


def test_mistakes_are_counted_with_their_hints():
    (seen,) = mistakes([EMBED], CLASS)
    assert (seen.count, seen.exercise, seen.title, seen.hint) == (2, "embed", KNOWN.title, KNOWN.hint)


def test_only_the_conspicuous_need_eyes():
    assert [student for student, _ in need_eyes(CLASS)] == ["dee", "eve"]


def test_the_page_runs_and_fetches_nothing():
    text = page("00_welcome", CLASS)
    assert "<script" not in text and "&lt;script&gt;" in text
    assert not re.search(r"""(src|href)=["'](?!data:)""", text) and "default-src 'none'" in text
    assert KNOWN.title in text and text.count('alt="') == text.count("<img")


def test_a_name_that_drives_a_terminal_or_a_reader_is_made_printable():
    (_, (sentence,)) = need_eyes([graded("x", 0.0, "failed", incidents=["a\x1b[2J\u202eb"])])[0]
    assert sentence == "a [2J b"


def test_a_graded_class_gets_its_page(tmp_path, staged):
    answers = {
        "ada": "", "cy": '\n# %% solution="embed"\ndef embed(token_ids, table):\n    import os\n    os._exit(0)\n',
    }  # fmt: skip
    for student, text in answers.items():
        folder = tmp_path / "submitted" / student / "00_welcome"
        folder.mkdir(parents=True)
        nbformat.write(submission("00_welcome", text), folder / "00_welcome.ipynb")

    course = open_demo(tmp_path, staged)
    release_into_gradebook("00_welcome", course)
    with pytest.raises(GraderError, match="no graded submission of 00_welcome: run `grader autograde 00_welcome`"):
        write_report("00_welcome", course, tmp_path)
    with local_workers(1) as workers:
        autograde("00_welcome", course, workers, seed=1)
    text = write_report("00_welcome", course, tmp_path / "reports").read_text(encoding="utf-8")
    assert "2 graded submissions" in text and "embed ended the interpreter (exit status 0)" in text
