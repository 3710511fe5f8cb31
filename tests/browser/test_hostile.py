"""Pages about submissions full of script, in a real browser: nothing runs, nothing is fetched."""

import re

import pytest

from grader.autograde import autograde, local_workers, open_course, release_into_gradebook
from grader.demo import write_feedback
from grader.lessons import COURSE_ROOT
from grader.report import write_report
from tests.attacks.harness import LESSON, attacks

HOSTILE = [attack for attack in attacks() if attack.group == "people" and "long" not in attack.name]
OTHERS = re.compile(r"https?://(?!127\.0\.0\.1|cdnjs\.cloudflare\.com/|cdn\.jsdelivr\.net/npm/(?:mathjax|mermaid))")  # nbconvert's own
CONFIG = """
load_subconfig("nbgrader_config.py", path={project!r})
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.source_directory = {source!r}
c.CourseDirectory.release_directory = "release"
c.CourseDirectory.db_url = "sqlite:///" + {root!r} + "/gradebook.db"
"""
# What would run, or fetch, sooner or later: also what only a click or a formula would set off.
DANGERS = """() => {
    const found = [];
    if (window.evil || document.title === 'evil') found.push('it ran');
    for (const element of document.querySelectorAll('*')) {
        for (const {name, value} of element.attributes) {
            if (/^on/.test(name) && /evil/.test(value)) found.push(name);
            if (/^\\s*(javascript|data:text|vbscript)/i.test(value)) found.push(`${name}=${value}`);
            if (/^(src|srcset|background|data|action|poster|style)$/.test(name) && /evil/.test(value)) found.push(`${name}=${value}`);
        }
        if (/^(SCRIPT|STYLE|IFRAME|OBJECT|EMBED|FORM|BASE|META|LINK|SVG)$/i.test(element.tagName) && /evil/.test(element.outerHTML))
            found.push(element.outerHTML.slice(0, 200));
    }
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const place = texts.currentNode.parentElement;
        if (/\\\\(href|require|style|class|unicode|includegraphics)\\b/.test(texts.currentNode.data)
            && !place.closest('pre, code, script, style, textarea, .tex2jax_ignore')) found.push(texts.currentNode.data);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def course(tmp_path_factory, staged):
    """A class of nobody else, graded, with feedback and a report."""
    root = tmp_path_factory.mktemp("hostile")
    config = CONFIG.format(project=str(COURSE_ROOT), root=str(root), source=str(staged))
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    for attack in HOSTILE:
        attack.put(root / "submitted" / attack.name / LESSON)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)  # nbgrader reads the configuration that lies there
        course = open_course(root)
        release_into_gradebook(LESSON, course)
        with local_workers(1) as workers:
            run = autograde(LESSON, course, workers, seed=1)
        assert len(run.graded) == len(HOSTILE)
        write_feedback(LESSON, course)
        write_report(LESSON, course, root / "reports")
    return root


def look(page, address: str) -> str:
    """Opens a page and tries to set off what is on it; returns its text."""
    page.refused.clear()
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
    page.goto(address, wait_until="load")
    page.mouse.move(400, 300)
    page.wait_for_timeout(300)
    assert page.evaluate(DANGERS) == []
    assert not [asked for asked in page.refused if OTHERS.match(asked)]
    assert len(page.context.pages) == 1 and page.url.split("?")[0].rstrip("/") == address
    return page.locator("body").inner_text()


def test_feedback_runs_and_fetches_nothing(course, page):
    for attack in HOSTILE:
        told = look(page, (course / "feedback" / attack.name / LESSON / f"{LESSON}.html").as_uri())
        assert "of 6 points" in told, attack.name


def test_the_report_runs_and_fetches_nothing(course, page):
    (report,) = (course / "reports").rglob("*.html")
    assert "softmax" in look(page, report.as_uri())


def test_formgrader_runs_and_fetches_nothing(course, start_lab, page, screenshot):
    lab = start_lab(course)
    page.goto(lab.address("/lab"))  # logs in
    page.locator("#jp-top-panel, #jp-main-dock-panel").first.wait_for()
    seen = set()
    page.goto(f"{lab.url}/formgrader/gradebook/{LESSON}/{LESSON}")
    page.locator("td.name a").first.wait_for()
    links = {link.get_attribute("href") for link in page.locator("td.name a").all()}
    for link in links:
        told = look(page, link if link.startswith("http") else lab.url + link)
        seen.add("of 6 points" in told)
    assert len(links) == len(HOSTILE) and seen == {True}
    screenshot("formgrader_hostile")
    for attack in HOSTILE:  # what lies beside a notebook is shown by formgrader, with an instructor's rights
        kept = (course / "autograded" / attack.name / LESSON).rglob("*")
        assert not [path for path in kept if path.suffix in (".html", ".htm", ".xhtml", ".svg", ".xml", ".js")]
