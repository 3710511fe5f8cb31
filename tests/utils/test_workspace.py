"""Nothing of a learner's is lost when the course moves on."""

import pytest

from utils.workspace import prepare


@pytest.fixture
def course(tmp_path):
    released = tmp_path / "notebooks"
    for lesson in ("00_first", "01_second"):
        (released / lesson).mkdir(parents=True)
        (released / lesson / f"{lesson}.ipynb").write_text(f"{lesson} v1")
        (released / lesson / f"{lesson}.checks.json").write_text(f"{lesson} data v1")
    return released, tmp_path / "my-course"


def test_the_first_time_everything_is_added(course):
    released, copy = course
    assert len(prepare(released, copy)) == 2
    assert (copy / "00_first/00_first.ipynb").read_text() == "00_first v1"
    assert prepare(released, copy) == []


def test_answers_are_kept_and_the_newer_version_is_told_of(course):
    released, copy = course
    prepare(released, copy)
    (copy / "00_first/00_first.ipynb").write_text("my answers")
    assert prepare(released, copy) == []
    for name in ("00_first/00_first.ipynb", "01_second/01_second.ipynb"):
        (released / name).write_text("v2")
    told = prepare(released, copy)
    assert len(told) == 1 and "00_first" in told[0] and "kept" in told[0]
    assert (copy / "00_first/00_first.ipynb").read_text() == "my answers"
    assert (copy / "01_second/01_second.ipynb").read_text() == "v2"


def test_new_lessons_and_data_files_arrive(course):
    released, copy = course
    prepare(released, copy)
    (released / "02_third").mkdir()
    (released / "02_third/02_third.ipynb").write_text("v1")
    (released / "00_first/00_first.checks.json").write_text("data v2")
    assert prepare(released, copy) == ["02_third/02_third.ipynb: added."]
    assert (copy / "00_first/00_first.checks.json").read_text() == "data v2"


def test_a_notebook_that_was_removed_comes_back(course):
    released, copy = course
    prepare(released, copy)
    (copy / "00_first/00_first.ipynb").unlink()
    assert prepare(released, copy) == ["00_first/00_first.ipynb: added."]


def test_files_of_the_learner_are_left_alone(course):
    released, copy = course
    prepare(released, copy)
    (copy / "00_first/notes.txt").write_text("mine")
    prepare(released, copy)
    assert (copy / "00_first/notes.txt").read_text() == "mine"


def test_running_a_notebook_is_no_change(course):
    released, copy = course
    notebook = '{"cells": [{"source": ["x = 1"], "outputs": %s}]}'
    (released / "00_first/00_first.ipynb").write_text(notebook % "[]")
    prepare(released, copy)
    (copy / "00_first/00_first.ipynb").write_text(notebook % '["ran"]')
    (released / "00_first/00_first.ipynb").write_text("v2")
    assert prepare(released, copy) == []
    assert (copy / "00_first/00_first.ipynb").read_text() == "v2"


def test_a_lost_record_loses_no_answer(course):
    released, copy = course
    prepare(released, copy)
    (copy / "00_first/00_first.ipynb").write_text("my answers")
    (copy / ".handed-out.json").write_text("{")
    prepare(released, copy)
    assert (copy / "00_first/00_first.ipynb").read_text() == "my answers"
