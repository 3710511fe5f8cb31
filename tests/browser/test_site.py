"""The site to read: complete, without solutions, and made for everybody; nothing is asked of the web."""

import html
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from grader.errors import GraderError
from grader.lessons import COURSE_ROOT
from grader.site import site
from grader.spec import lesson_names
from tests.browser.conftest import execute_lesson
from tests.test_leaks import solution_lines

# The Web Content Accessibility Guidelines' rules, and headings in order; how the theme lays out its frame is its own.
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "rules": {"heading-order": {"enabled": True}},
}
SHORT = ["00_welcome", "01_self_attention"]
WHOLE = pytest.param("whole", marks=pytest.mark.long)


def built(names, root):
    """The site with some lessons, from lessons executed anew."""
    shutil.copytree(COURSE_ROOT / "solutions", root / "solutions")
    for name in names:
        execute_lesson(name, root)
    return site(names, root).parent


@pytest.fixture(scope="module", params=["short", WHOLE])
def pages(request, tmp_path_factory):
    """The folder of the site; Sphinx has built it without a warning."""
    return built(SHORT if request.param == "short" else lesson_names(), tmp_path_factory.mktemp(request.param))


class Links(HTMLParser):
    """Where a page leads to, what it loads, and what in it can be led to."""

    def __init__(self, path: Path):
        super().__init__()
        self.to, self.ids = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        marks = dict(attrs)
        self.ids |= {marks.get("id"), marks.get("name")} - {None}
        self.to += [(tag, marks[name]) for name in ("href", "src") if marks.get(name)]


def test_every_link_leads_somewhere(pages):
    found = {path: Links(path) for path in pages.rglob("*.html") if "_static" not in path.parts}
    assert len(found) > 15
    for path, links in found.items():
        for tag, link in links.to:
            parts = urlsplit(link)
            if tag == "img" and parts.scheme == "data":
                continue  # the picture itself
            if parts.scheme or parts.netloc:
                assert parts.scheme == "https" and tag == "a", link[:200]  # cited pages: nothing is loaded
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name}: {link}"
            if parts.fragment and target in found and parts.fragment != "#":
                assert unquote(parts.fragment) in found[target].ids, f"{path.name}: {link}"


def test_no_solution_is_in_any_file(pages):
    """Neither on a page nor in what the search reads."""
    texts = {path: path.read_text(encoding="utf-8", errors="ignore") for path in pages.parent.rglob("*") if path.is_file()}
    assert not telling(texts)
    assert not any("BEGIN SOLUTION" in text or "HIDDEN TESTS" in text for text in texts.values())


def telling(texts):
    """Which of some files have a line of a solution: by file, lesson and line."""
    plain = {path: as_read(path, text) for path, text in texts.items()}
    lines = [(name, line) for name in lesson_names() for line in set(solution_lines(name))]
    return [(path.name, name, line) for name, line in lines for path, text in plain.items() if line in text]


def as_read(path, text):
    """A file as people read it: HTML without tags, JSON without escapes."""
    if path.suffix == ".html":
        return html.unescape(re.sub(r"<[^>]+>", "", text))
    return text.replace('\\"', '"') if path.suffix in (".ipynb", ".json") else text


def test_a_solution_on_a_page_would_be_found():
    """Every line of every solution, highlighted as on the site, and as in a notebook."""
    lines = sorted({line for name in lesson_names() for line in solution_lines(name)})
    pages = {Path("page.html"): highlight("\n".join(lines), PythonLexer(), HtmlFormatter())}
    pages |= {Path("page.ipynb"): json.dumps(lines, ensure_ascii=False)}
    found = {(file, line) for file, _, line in telling(pages)}
    assert found == {(path.name, line) for path in pages for line in lines}


def test_pages_are_readable_by_everybody_and_load_nothing_from_the_web(pages, page):
    """axe-core's rules: texts for pictures, headings in order, contrast, labels, landmarks."""
    paths = ["index.html", "exercises.html", "utils.html", "grader.html", "docs/protection.html", "docs/mistakes.html"]
    paths += [str(path.relative_to(pages)) for folder in ("lessons", "docs/instructors") for path in (pages / folder).glob("*.html")]
    for path in paths:
        page.goto((pages / path).as_uri())
        page.wait_for_function("!window.MathJax || window.MathJax.startup?.promise")
        page.evaluate("window.MathJax?.startup?.promise")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= page.viewport_size["width"], f"{path} is {wide} wide"
        text = page.locator("main").inner_text()
        assert not re.search(r"\$\$|\\frac|\\mathrm|\\begin", text), f"{path} shows LaTeX"
        found = Axe().run(page, options=RULES).response["violations"]
        told = [f"{path}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]
        assert not told, "\n".join(told)
    assert page.refused == []


def test_the_footer_tells_whose_it_is_as_the_licence_does(pages, page):
    page.goto((pages / "index.html").as_uri())
    whose = re.search(r"Copyright \(c\) (.+)", (COURSE_ROOT / "LICENSE").read_text(encoding="utf-8"))[1]
    assert page.locator("footer.bd-footer-content").inner_text().strip() == f"© Copyright {whose}, MIT licence."


def test_what_lessons_draw_is_shown_and_told_in_words(pages, page):
    page.goto((pages / "lessons" / "01_self_attention.html").as_uri())
    pictures = page.locator(".cell_output img")
    assert pictures.count() > 10
    for picture in pictures.all():
        assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
        assert len(picture.get_attribute("alt")) > 20
    explorer = page.locator(".cell", has_text="plots.explore(").last.locator(".cell_output img")
    assert explorer.count() == 1  # a picture where no widgets run


def test_a_lesson_that_was_not_executed_is_refused(tmp_path):
    shutil.copytree(COURSE_ROOT / "solutions", tmp_path / "solutions")
    with pytest.raises(GraderError, match="make release"):
        site(["00_welcome"], tmp_path)


def test_what_sphinx_warns_of_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("grader.site.list_of_exercises", lambda names: "# Exercises\n\n[nowhere](nowhere.md)\n")
    with pytest.raises(GraderError, match="nowhere"):
        built(["00_welcome"], tmp_path)
