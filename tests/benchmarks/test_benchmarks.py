"""The benchmarks' class is what it says, and the simulated queue serves as a queue does."""

import numpy as np
import pytest

from benchmarks import report
from benchmarks.simulate import Service, day, finish, simulate
from benchmarks.submissions import KINDS, right_answers, submission, wrong_answers
from grader.grading import grade_notebook
from grader.sandbox import Sandbox
from grader.spec import lesson_names, load_lesson
from grader.submission import release_notebook, repair


@pytest.mark.parametrize("lesson", lesson_names())
def test_every_exercise_has_right_answers(lesson):
    assert list(right_answers(lesson)) == list(load_lesson(lesson).exercises)
    assert set(wrong_answers(lesson)) <= set(load_lesson(lesson).exercises)


@pytest.mark.parametrize("lesson", lesson_names())
def test_the_class_is_the_same_each_time(lesson):
    assert [submission(lesson, number) for number in range(4)] == [submission(lesson, number) for number in range(4)]


def test_perfect_work_gets_full_marks_and_no_other_does():
    lesson = "00_welcome"
    with Sandbox() as sandbox:
        for number, kind in enumerate(KINDS):
            notebook = repair(submission(lesson, number), release_notebook(lesson))
            graded = grade_notebook(notebook, lesson, 5, sandbox)
            assert (graded.score == graded.max_score) == (kind == "perfect"), number


def test_workers_take_turns_and_one_writer_records():
    assert finish(10.0, np.array([4.0, 1.0, 1.0]), 2, 0.5).tolist() == [11.5, 12.5, 14.5]
    assert finish(0.0, np.array([1.0, 1.0, 1.0]), 3, 2.0).tolist() == [3.0, 5.0, 7.0]


def test_everybody_is_served_and_the_seed_decides():
    service = Service(start=2.0, look=0.001, work=np.array([0.1, 0.5]), record=0.05)
    arrivals = day(5000, np.random.default_rng(1))
    one, two = (simulate(arrivals, 3, 2, service, np.random.default_rng(1)) for _ in range(2))
    assert len(one.waited) == 5000 and (one.waited == two.waited).all()
    assert one.waited[0] >= 2.0 and one.recording == pytest.approx(5000 * 0.05)


def test_a_section_of_a_page_is_replaced(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "page.md"
    page.write_text("before\n<!-- x -->\nold\n<!-- end of x -->\nafter\n")
    monkeypatch.setattr(report, "COURSE_ROOT", tmp_path)
    report.write_section("page.md", "x", "new \\1")
    assert page.read_text() == "before\n<!-- x -->\nnew \\1\n<!-- end of x -->\nafter\n"
