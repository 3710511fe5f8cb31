"""An instructor's way through formgrader: generate, autograde by its button, read a submission."""

import json
import subprocess
import sys

import nbformat
import pytest

from grader.demo import ANSWERS, submission
from grader.lessons import COURSE_ROOT

LESSON, STUDENT = "01_self_attention", "emil"
CONFIG = """
load_subconfig("nbgrader_config.py", path={project!r})
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.source_directory = {source!r}
c.CourseDirectory.release_directory = "release"
c.CourseDirectory.db_url = "sqlite:///" + {root!r} + "/gradebook.db"
"""


@pytest.fixture
def course(tmp_path, staged):
    """A course folder with the lessons staged and one submission."""
    root = tmp_path / "course"
    folder = root / "submitted" / STUDENT / LESSON
    folder.mkdir(parents=True)
    config = CONFIG.format(project=str(COURSE_ROOT), root=str(root), source=str(staged))
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    answers = (ANSWERS / LESSON / f"{STUDENT}.py").read_text(encoding="utf-8")
    nbformat.write(submission(LESSON, answers), folder / f"{LESSON}.ipynb")
    return root


def told_by_grader(path):
    command = [sys.executable, "-m", "grader", "grade", "--json", str(path)]
    done = subprocess.run(command, cwd=COURSE_ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)[0]


def accept(page):
    """Waits for formgrader to say that it succeeded, and closes what it says."""
    said = page.locator("#success-modal.in, #error-modal.in")
    said.wait_for(timeout=60_000)
    assert said.get_attribute("id") == "success-modal", said.inner_text()
    said.get_by_text("OK", exact=True).click()
    page.locator(".modal-backdrop").wait_for(state="hidden")


def test_formgrader_grades_as_grader_does(course, start_lab, page, screenshot):
    expected = told_by_grader(course / "submitted" / STUDENT / LESSON / f"{LESSON}.ipynb")
    lab = start_lab(course)
    page.goto(lab.address("/lab"))  # logs in
    page.locator("#jp-top-panel, #jp-main-dock-panel").first.wait_for()

    page.goto(f"{lab.url}/formgrader/manage_assignments")
    row = page.locator("tr", has=page.locator("td.name", has_text=LESSON))
    row.locator("td.assign a").click()
    accept(page)

    row.locator("td.num-submissions a").click()
    row = page.locator("tr", has=page.locator("td.student-id", has_text=STUDENT))
    row.locator("td.autograde a").click()
    accept(page)
    screenshot("formgrader_autograded")
    score = f"{expected['score']:g} / {expected['max_score']:g}"
    assert row.locator("td.score").inner_text() == score
    graded = nbformat.read(course / "autograded" / STUDENT / LESSON / f"{LESSON}.ipynb", as_version=4)
    assert "seed" in graded.metadata["grader"], "it was our executor that graded"

    page.goto(f"{lab.url}/formgrader/gradebook/{LESSON}/{LESSON}")
    page.locator("td.name a").first.click()
    card = page.locator(".output_html", has_text="softmax: ").first
    card.scroll_into_view_if_needed()
    screenshot("formgrader_submission")
    assert "This looks like “Softmax over axis 0”" in card.inner_text()
    fields = page.locator("input.score").all()
    points = [float(field.input_value() or field.get_attribute("placeholder")) for field in fields]
    assert points == [entry["score"] for entry in expected["exercises"]]
