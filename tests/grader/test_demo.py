"""The demo class: a teacher's scores, and table, gradebook, feedback and export that agree."""

import csv
import re

import nbformat
import pytest

from grader.__main__ import main

WANTED = {
    "00_welcome": {"ada": 5, "boris": 5, "chloe": 5, "dana": 3, "emil": 0, "nora": 0, "omar": 0},
    "01_self_attention": {
        "ada": 22, "boris": 22, "chloe": 22, "dana": 20, "emil": 16, "fatou": 12, "goran": 16, "hana": 19, "ivan": 16,
        "jana": 18, "kofi": 18, "lena": 16, "marc": 0, "nora": 6, "omar": 0,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    import contextlib
    import io

    folder, told = tmp_path_factory.mktemp("demo") / "class", io.StringIO()
    with contextlib.redirect_stdout(told):
        assert main(["demo", "--folder", str(folder)]) == 0
    return folder, told.getvalue()


def test_the_table_tells_a_teachers_scores_and_why(demo):
    _, table = demo
    lines = re.findall(r"^  (\w+) +([\d.]+)/(\d+)", table, re.MULTILINE)
    assert lines == [
        (student, str(score), "5" if lesson == "00_welcome" else "22")
        for lesson, students in WANTED.items()
        for student, score in students.items()
    ]
    for reason in ("softmax_over_axis_0", "no_scaling", "attend_one_word: timeout", "not a notebook", "SyntaxError"):
        assert reason in table, reason


def test_the_export_agrees(demo):
    folder, _ = demo
    with open(folder / "grades.csv", newline="") as file:
        rows = {(row["assignment"], row["student_id"]): float(row["score"]) for row in csv.DictReader(file)}
    for lesson, students in WANTED.items():
        for student, score in students.items():
            assert rows[lesson, student] == score


def test_feedback_agrees_and_shows_no_hidden_test(demo):
    folder, _ = demo
    for lesson, students in WANTED.items():
        for student, score in students.items():
            page = (folder / "feedback" / student / lesson / f"{lesson}.html").read_text(encoding="utf-8")
            assert f"(Score: {float(score)} / " in page, student
            assert "grader.stock" not in page and "BEGIN HIDDEN" not in page
    assert "could not be graded" in (folder / "feedback/omar/00_welcome/00_welcome.html").read_text(encoding="utf-8")


def test_the_seed_is_kept_with_the_result(demo):
    folder, _ = demo
    graded = folder / "autograded" / "emil" / "01_self_attention" / "01_self_attention.ipynb"
    record = nbformat.read(graded, as_version=4).metadata["grader"]
    assert isinstance(record["seed"], int) and record["exercises"][0]["misconception"] == "softmax_over_axis_0"


def test_a_second_run_grades_nothing_twice(demo, monkeypatch, capsys):
    from grader import autograde
    from grader.demo import open_demo

    folder, _ = demo
    course = open_demo(folder)
    assert course.pending("01_self_attention") == []
    newer = folder / "submitted" / "emil" / "01_self_attention" / "timestamp.txt"
    graded = folder / "autograded" / "emil" / "01_self_attention" / "timestamp.txt"
    graded.chmod(0o644) if graded.exists() else None
    graded.write_text("2026-01-01 10:00:00 UTC")
    newer.write_text("2026-01-02 10:00:00 UTC")
    course.coursedir.assignment_id = "01_self_attention"
    with autograde.local_workers(1) as workers:
        run = autograde.autograde("01_self_attention", course, workers, seed=7)
    assert (run.graded, run.unreadable, run.failed) == (["emil"], {}, {})
    notebook = graded.with_name("01_self_attention.ipynb")
    assert nbformat.read(notebook, as_version=4).metadata["grader"]["seed"] == 7
