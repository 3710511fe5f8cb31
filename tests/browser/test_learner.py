"""A learner's way through a lesson, in JupyterLab: a mistake named, an answer right, the notebook valid."""

import shutil

import nbformat
import pytest

from grader.lessons import COURSE_ROOT, read_lesson

LESSON = "01_self_attention"
PATH = f"{LESSON}/{LESSON}.ipynb"

WRONG = """def softmax(x, axis=-1):
    exp = np.exp(x - x.max(axis=0, keepdims=True))
    return exp / exp.sum(axis=0, keepdims=True)"""
RIGHT = WRONG.replace("axis=0", "axis=axis")


@pytest.fixture
def course(tmp_path):
    """A learner's working copy."""
    return shutil.copytree(COURSE_ROOT / "notebooks", tmp_path / "my-course")


def answer(path, solutions):
    """Writes right answers into a notebook's file."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("solution"):
            cell.source = solutions[marks["grade_id"]]
    nbformat.write(notebook, path)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_mistake_is_named_and_a_right_answer_is_green(theme, course, start_lab, open_notebook, page, screenshot):
    notebook = open_notebook(start_lab(course, learner=True, dark=theme == "dark"), PATH)
    answer_cell, check_cell = notebook.cell("def softmax("), notebook.cell("check(softmax)")

    notebook.type(answer_cell, WRONG)
    notebook.run_with_all_above(answer_cell)
    card, error = notebook.run(check_cell).all()
    card.scroll_into_view_if_needed()
    screenshot(f"card_red_{theme}")
    text = card.inner_text()
    assert "✗ softmax: " in text
    assert "This looks like “Softmax over axis 0”: You always normalise along axis 0" in text
    assert error.inner_text().strip().count("\n") == 0, "the card tells what is wrong; no traceback under it"

    notebook.type(answer_cell, RIGHT)
    notebook.run(answer_cell)
    (card,) = notebook.run(check_cell).all()
    card.scroll_into_view_if_needed()
    screenshot(f"card_green_{theme}")
    assert "✓ softmax: all checks pass" in card.inner_text()
    assert page.refused == []


def test_right_answers_run_through_and_validate(course, start_lab, open_notebook, page, screenshot):
    answer(course / PATH, read_lesson(LESSON).solutions)
    notebook = open_notebook(start_lab(course, learner=True), PATH)
    notebook.run_all()
    assert page.locator(".jp-OutputArea-output[data-mime-type*=error]").all_inner_texts() == []
    assert page.locator(".jp-OutputArea-output img").count() > 5
    assert notebook.too_wide() == []
    text = "\n".join(page.locator(".jp-RenderedMarkdown").all_inner_texts())
    assert "\\frac" not in text and "$" not in text, "formulas are drawn, not spelled"

    page.locator(".validate-button").click()
    answer_of_nbgrader = page.locator(".jp-Dialog .validation-success, .jp-Dialog .validation-failed").first
    answer_of_nbgrader.wait_for(timeout=90_000)
    screenshot("validate")
    assert "Success! Your notebook passes all the tests." in page.locator(".jp-Dialog").inner_text()


def test_the_first_lesson_opens(course, start_lab, open_notebook, page, screenshot):
    open_notebook(start_lab(course, learner=True), "00_welcome/00_welcome.ipynb")
    page.locator(".jp-Notebook h1").first.wait_for()
    screenshot("lesson_00")
    assert page.refused == []
