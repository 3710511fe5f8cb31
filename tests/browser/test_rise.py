"""The slides in JupyterLab, by jupyterlab-rise: nothing is cut off, folded code stays away, and cells run."""

import shutil

import pytest

from grader.lessons import COURSE_ROOT
from tests.browser.conftest import EXECUTION_MS
from tests.browser.test_slides import FAULTS, LESSONS, SHORT, SLIDE, built

SHOWN = "section.present > section.present"
PICTURE = "One vector a word"  # the slide of a picture whose code is folded


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The course's lessons in a folder of their own, where slides may be built."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(COURSE_ROOT / "solutions", folder / "solutions")
    return folder


@pytest.fixture(scope="module")
def folder(root):
    """What `make teach` opens, with one lesson."""
    return built(SHORT, root).parent


def opened(page, lab, name=SHORT):
    """The slides alone, on the whole screen."""
    page.set_viewport_size(SLIDE)
    page.goto(lab.address(f"/rise/{name}.ipynb"))
    page.locator(SHOWN).wait_for(timeout=EXECUTION_MS)
    page.wait_for_function("getComputedStyle(document.body).getPropertyValue('--px')")  # the style sheet is read
    page.wait_for_function("document.querySelector('mjx-container')")


def turn_to(page, place):
    """Shows a slide: `place` is its id, or begins its title."""
    name = page.evaluate(
        """place => [...document.querySelectorAll('.slides > section > section')].find(slide =>
            slide.id === place || slide.querySelector('h1, h2').textContent.startsWith(place)).id""",
        place,
    )
    page.wait_for_function(  # again and again: the address of the slide before may still be on its way
        """name => {
            location.hash = name.replace('slide-', '/').replace('-', '/');
            const slide = document.querySelector('section.present > section.present');
            const pictures = slide.querySelectorAll(':not(.reveal-skip) > .jp-Cell-outputWrapper img');
            return slide.id === name && [...pictures].every(picture => picture.width);
        }""",
        arg=name, polling=300,
    )  # fmt: skip
    return page.locator(f"#{name}")


@pytest.mark.parametrize("name", LESSONS)
def test_no_slide_is_cut_off_and_nothing_is_asked_of_the_web(name, root, start_lab, page, screenshot):
    opened(page, start_lab(built(name, root).parent), name)
    names = page.evaluate("[...document.querySelectorAll('.slides > section > section')].map(slide => slide.id)")
    assert len(names) > 5
    found = []
    for place in names:
        slide = turn_to(page, place)
        found += slide.evaluate(FAULTS)
        assert not slide.locator(".jp-PlaceholderText:visible").count(), f"{place} shows a line of folded code"
        if "A solution" in slide.inner_text():
            assert slide.locator(".cm-line:visible").count() > 1, f"{place} hides the solution"
    assert found == []
    assert page.refused == []
    screenshot(f"rise_{name}")


def test_the_dots_open_the_code_and_the_long_slide_scrolls(folder, start_lab, page, screenshot):
    opened(page, start_lab(folder))
    slide = turn_to(page, PICTURE)
    picture = slide.locator("img")
    assert picture.bounding_box()["height"] > 500
    slide.locator(".jp-InputPlaceholder").click()
    slide.locator(".jp-CodeCell .cm-line").first.wait_for()
    below = picture.bounding_box()
    assert below["y"] + below["height"] > SLIDE["height"]
    page.mouse.move(640, 400)
    page.mouse.wheel(0, 1000)
    page.wait_for_function("shown => document.querySelector(shown).scrollTop > 0", arg=SHOWN)
    page.wait_for_timeout(300)  # it glides
    screenshot("rise_scrolled")
    below = picture.bounding_box()
    assert below["y"] + below["height"] <= SLIDE["height"]


def test_a_cell_runs_on_its_slide(folder, start_lab, open_notebook, page, screenshot):
    """By the button in JupyterLab, after all cells have run; the slides stand beside the notebook."""
    notebook = open_notebook(start_lab(folder), f"{SHORT}.ipynb")
    notebook.run_all()
    page.locator("[data-command='RISE:preview']").click()
    page.frame_locator("iframe[src*='/rise/']").locator(SHOWN).wait_for(timeout=EXECUTION_MS)
    slides = next(frame for frame in page.frames if "/rise/" in frame.url)
    slide = turn_to(slides, "A solution: softmax")
    slide.locator(".jp-CodeCell:visible .cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("\nsoftmax(np.zeros(4))")
    page.keyboard.press("Shift+Enter")
    slide.locator(".jp-OutputArea-output", has_text="0.25").wait_for(timeout=EXECUTION_MS)
    screenshot("rise_beside")
