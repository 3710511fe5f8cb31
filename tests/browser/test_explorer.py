"""The attention explorer in JupyterLab: heads and words are chosen by mouse and by keyboard, also in the dark."""

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbconvert.exporters import HTMLExporter

CODE = """import numpy as np
from utils import plots

weights = np.random.default_rng(0).dirichlet(np.full(5, 0.4), size=(2, 3, 5))
words = "Jane visite l'Afrique en septembre".split()
plots.explore(weights, words, title="Who looks where?", heads=["what's happening?", "when?", "who?"])"""
WEIGHTS = np.random.default_rng(0).dirichlet(np.full(5, 0.4), size=(2, 3, 5))
WORDS = "Jane visite l'Afrique en septembre".split()


def said(layer, head, word):
    """What the line below says of one word."""
    row = WEIGHTS[layer, head, word].round(4)
    return f"{WORDS[word]} looks at {', '.join(f'{key} {weight:.2f}' for key, weight in zip(WORDS, row))}"


def written():
    """A notebook with an explorer, not run yet."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)], metadata=kernel)


def lines_shown(explorer):
    """How many lines are drawn. (A level line has no height, and Playwright calls it hidden.)"""
    return explorer.evaluate(
        "root => [...root.querySelectorAll('path')].filter(line => getComputedStyle(line).visibility === 'visible').length"
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_head_and_word_are_chosen_by_mouse_and_by_keyboard(
    theme, tmp_path, start_lab, open_notebook, page, screenshot
):
    nbformat.write(written(), tmp_path / "explore.ipynb")
    notebook = open_notebook(start_lab(tmp_path, dark=theme == "dark"), "explore.ipynb")
    notebook.run_all()
    explorer = page.locator(".attention-explorer")
    explorer.get_by_role("button", name="visite").wait_for()
    below = explorer.get_by_role("status")
    assert lines_shown(explorer) == 25

    explorer.get_by_role("button", name="visite").hover()
    assert below.inner_text() == said(0, 0, 1)
    assert lines_shown(explorer) == 5, "the other words' lines are gone"
    assert explorer.locator(".weight").all_inner_texts() == [f"{weight:.2f}" for weight in WEIGHTS[0, 0, 1]]
    screenshot(f"explorer_lines_{theme}")

    explorer.get_by_label("Layer").select_option("layer 2")
    explorer.get_by_label("Head").select_option("when?")
    explorer.get_by_role("button", name="Jane").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert below.inner_text() == said(1, 1, 2)

    explorer.get_by_role("button", name="show cells").click()
    explorer.get_by_role("button", name="septembre").focus()
    assert below.inner_text() == said(1, 1, 4)
    assert explorer.locator("tr.on td").all_inner_texts() == [f"{weight:.2f}" for weight in WEIGHTS[1, 1, 4]]
    screenshot(f"explorer_cells_{theme}")
    assert notebook.too_wide() == []
    assert page.refused == []


def test_a_saved_page_shows_the_picture(tmp_path, page):
    """nbconvert's HTML, without the network: no widgets run, and a picture stands for them.

    As JupyterLab and `grader release` save notebooks, without the widgets' state. With it nbconvert leaves the
    picture out, and waits for the web's widgets.
    """
    executed = NotebookClient(written(), store_widget_state=False).execute()
    saved = tmp_path / "explore.html"
    saved.write_text(HTMLExporter().from_notebook_node(executed)[0], encoding="utf-8")
    page.goto(saved.as_uri())
    picture = page.locator(".jp-OutputArea-output img")
    assert picture.is_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
