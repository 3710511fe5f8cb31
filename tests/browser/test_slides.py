"""Every slide fits on 1280 x 720, its formulas are drawn, and nothing is asked of the web."""

import shutil

import pytest

from grader.errors import GraderError
from grader.lessons import COURSE_ROOT, read_lesson
from grader.slides import instructors_page, shown, slides
from grader.slides.notes import read_notes
from grader.spec import lesson_names, load_lesson
from tests.browser.conftest import execute_lesson

SLIDE = {"width": 1280, "height": 720}
SHORT = "01_self_attention"
LESSONS = [pytest.param(name, marks=[] if name == SHORT else pytest.mark.long) for name in lesson_names()]
# What does not fit, is not drawn or is still LaTeX on a slide that is shown.
FAULTS = r"""slide => {
    const faults = [];
    for (const part of slide.querySelectorAll('h1, h2, p, li, td, pre, img, svg, mjx-container, .cm-line')) {
        if (part.closest('.notes, .reveal-skip, mjx-assistive-mml')) continue;
        const {left, top, right, bottom, width} = part.getBoundingClientRect();
        const told = `${part.tagName} ${part.innerText ?? ''}`.slice(0, 60);
        if (left < -1 || top < -1 || right > 1281 || bottom > 721) faults.push(`cut off: ${told}`);
        if (part.clientWidth && part.scrollWidth > part.clientWidth + 2) faults.push(`too wide: ${told}`);
        if (part.tagName === 'IMG' && !(part.complete && part.naturalWidth && width)) faults.push(`no picture: ${told}`);
    }
    const text = [...slide.querySelectorAll('.jp-RenderedMarkdown')].filter(part => !part.closest('.notes'));
    if (text.some(part => /\$|\\[a-zA-Z]{2,}/.test(part.innerText)) || slide.querySelector('mjx-merror'))
        faults.push('raw LaTeX');
    if (!slide.querySelector('h1, h2')) faults.push('no title');
    return faults.map(fault => `${slide.querySelector('h1, h2')?.innerText}: ${fault}`);
}"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The course's lessons in a folder of their own, where decks may be built."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(COURSE_ROOT / "solutions", folder / "solutions")
    return folder


def built(name, root):
    """A lesson's deck, from the lesson executed anew."""
    execute_lesson(name, root)
    return slides([name], root)[0]


def opened(page, address):
    page.set_viewport_size(SLIDE)
    page.goto(address)
    page.wait_for_function("window.Reveal?.isReady()")


def faults(page):
    """Those of all slides of the deck that is open."""
    places = page.evaluate("Reveal.getSlides().map(slide => Reveal.getIndices(slide)).map(({h, v}) => [h, v ?? 0])")
    assert len(places) > 5
    found = []
    for h, v in places:
        page.evaluate("([h, v]) => Reveal.slide(h, v)", [h, v])
        page.evaluate("() => new Promise(requestAnimationFrame)")
        found += page.evaluate(f"({FAULTS})(Reveal.getCurrentSlide())")
    return found


@pytest.mark.parametrize("name", LESSONS)
def test_every_slide_fits_and_nothing_is_asked_of_the_web(name, root, page):
    opened(page, built(name, root).as_uri())
    assert faults(page) == []
    assert page.refused == []
    assert page.complaints == []


def test_a_slide_that_does_not_fit_is_found(root, page):
    """The measure can fail: a list that is too long, and a formula that nobody draws."""
    deck = built("00_welcome", root)
    broken = deck.read_text(encoding="utf-8").replace("</h2>", "</h2><p style='height: 800px'>\\frac</p>", 1)
    deck.with_name("broken.html").write_text(broken, encoding="utf-8")
    opened(page, deck.with_name("broken.html").as_uri())
    found = faults(page)
    assert any("cut off" in fault for fault in found)
    assert any("raw LaTeX" in fault for fault in found)


def test_the_solution_is_below_its_exercise_and_the_notes_are_the_speakers(root, page):
    opened(page, built("00_welcome", root).as_uri())
    titles = page.evaluate("Reveal.getSlides().map(slide => [slide.querySelector('h1, h2').innerText, Reveal.getIndices(slide).v ?? 0])")
    assert ["Your turn: embed", 0] in titles
    assert ["A solution: embed", 1] in titles
    assert "return table[token_ids]" not in page.locator("section", has_text="Your turn").last.inner_text()
    assert not page.locator("aside.notes").first.is_visible()
    assert "Let everybody run one cell" in page.locator("aside.notes").first.text_content()


@pytest.mark.parametrize("name", lesson_names())
def test_the_instructors_pages_are_those_of_the_notes(name):
    written = (COURSE_ROOT / "docs" / "instructors" / f"{name}.md").read_text(encoding="utf-8")
    lesson = load_lesson(name)
    assert written == instructors_page(read_lesson(name), lesson, read_notes(lesson)), "run make slides"


def test_an_unknown_mistake_in_the_notes_is_refused(root, tmp_path):
    shutil.copytree(root / "solutions" / "notes", tmp_path / "solutions" / "notes")
    path = tmp_path / "solutions" / "notes" / "00_welcome.md"
    path.write_text(path.read_text().replace("`columns_instead_of_rows`", "`no_such_mistake`"))
    with pytest.raises(GraderError, match="no_such_mistake"):
        read_notes(load_lesson("00_welcome"), tmp_path)


def test_a_text_without_anything_to_show_is_refused():
    with pytest.raises(GraderError, match="no formula, table or list"):
        shown("Only words.\n\n<details>\n\n- hidden\n\n</details>")


def test_a_lesson_that_was_not_executed_is_refused(root, tmp_path):
    shutil.copytree(root / "solutions", tmp_path / "solutions")
    with pytest.raises(GraderError, match="make release"):
        slides(["00_welcome"], tmp_path)
