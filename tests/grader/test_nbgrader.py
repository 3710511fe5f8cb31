"""The course inside nbgrader: with its stock executor, and with ours."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook

from grader.demo import submission
from grader.lessons import COURSE_ROOT, read_lesson

LESSON = "01_self_attention"
ANSWERS = COURSE_ROOT / "grader" / "demo" / "answers" / LESSON
SCORES = {"ada": 22, "dana": 20, "emil": 16, "ivan": 16}  # perfect, partly right, a known mistake, no Python

STOCK = """
c = get_config()
c.CourseDirectory.course_id = "transformer"
c.CourseDirectory.db_url = "sqlite:///{root}/gradebook.db"
c.CourseDirectory.root = "{root}"
"""
OURS = """
exec(open({config!r}).read(), {{"get_config": get_config, "__file__": {config!r}}})
c = get_config()
c.CourseDirectory.db_url = "sqlite:///{root}/gradebook.db"
c.CourseDirectory.root = "{root}"
c.CourseDirectory.source_directory = "source"
c.CourseDirectory.release_directory = "release"
"""


def nbgrader(root: Path, *arguments: str) -> None:
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["nbgrader", *arguments], cwd=root, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def graded_by_nbgrader(root: Path, staged: Path, config: str) -> dict[str, float]:
    """The scores in the gradebook after nbgrader's own commands."""
    config = config.format(root=root, config=str(COURSE_ROOT / "nbgrader_config.py"))
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    shutil.copytree(staged / LESSON, root / "source" / LESSON)
    nbgrader(root, "generate_assignment", LESSON)
    for student in SCORES:
        folder = root / "submitted" / student / LESSON
        folder.mkdir(parents=True)
        text = (ANSWERS / f"{student}.py").read_text(encoding="utf-8")
        nbformat.write(submission(LESSON, text), folder / f"{LESSON}.ipynb")
    nbgrader(root, "autograde", LESSON)
    with Gradebook(f"sqlite:///{root}/gradebook.db", "transformer") as gradebook:
        return {s.student.id: s.score for s in gradebook.assignment_submissions(LESSON)}


def test_stock_nbgrader_gives_the_same_scores(tmp_path, staged):
    assert graded_by_nbgrader(tmp_path, staged, STOCK) == SCORES


def test_nbgrader_with_our_executor_gives_these_scores_and_safe_feedback(tmp_path, staged):
    assert graded_by_nbgrader(tmp_path, staged, OURS) == SCORES
    nbgrader(tmp_path, "generate_feedback", LESSON)
    page = (tmp_path / "feedback" / "emil" / LESSON / f"{LESSON}.html").read_text(encoding="utf-8")
    assert "Softmax over axis 0" in page
    assert "grader.stock" not in page and "HIDDEN" not in page


def test_plain_nbgrader_takes_the_courses_pieces_for_none_of_the_students():
    """A model to decode with is the course's, made of the library calls that a student may not make."""
    answer = read_lesson("08_translation").solutions["greedy_decode"]
    program = f"import grader.stock\n{answer}\nassert grader.stock.grade('08_translation', 'greedy_decode', globals()) == 7"
    done = subprocess.run([sys.executable, "-c", f"import torch\n{program}"], cwd=COURSE_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout
