"""`grader slides`: a deck a lesson to teach from, and the pages for who teaches.

    build/solutions/<lesson>/<lesson>.ipynb   the executed lesson
    + solutions/notes/<lesson>.md             what is said
      -> build/slides/<lesson>.html           the deck: opens from disk, without the web
      -> build/slides/<lesson>.ipynb          the same for JupyterLab with jupyterlab-rise, and rise.css
      -> docs/instructors/<lesson>.md         the notes, to read beforehand

A cell of a lesson with `slide="TITLE"` becomes a slide. Few words: of a text only formulas, tables and lists
are shown, of code only the pictures, or what was printed where there are none. Each exercise becomes two
slides, the second of which, below the first, has a solution.
"""

from __future__ import annotations

import argparse
import ast
import base64
import copy
import re
import shutil
import struct
import sys
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_markdown_cell
from traitlets.config import Config

from grader.errors import GraderError
from grader.lessons import BEGIN, COURSE_ROOT, END, LessonSource, picture_in_words, read_lesson
from grader.release import executed_solution
from grader.slides.notes import Notes, page, read_notes
from grader.spec import Lesson, lesson_names, load_lesson, require_lesson
from utils.checkset import SUFFIX

HERE = Path(__file__).parent
PACKAGES = Path(sys.prefix) / "slides" / "node_modules"  # where `make slides` installs package.json
ASSETS = [  # what a deck loads; other themes of reveal.js ask the web for their letters
    "reveal.js/dist/reveal.js", "reveal.js/dist/reveal.css",
    "reveal.js/dist/theme/white.css", "reveal.js/dist/theme/fonts/source-sans-pro",
    "reveal.js/plugin/notes/notes.js",
    "mathjax/es5/tex-svg.js",
]  # fmt: skip
SHOWN = re.compile(r"\$\$|\||[-*] |\d+\. ")  # how a block begins that a slide shows
LINES, COLUMNS = 22, 94  # of code in the usual size of letters
FEW_LINES, FEW_COLUMNS = 10, 70  # ... in large letters
SOLUTION = re.compile(rf"{BEGIN}.*?{END}", re.DOTALL)


def slides(names: list[str] | None = None, root: Path = COURSE_ROOT, packages: Path = PACKAGES) -> list[Path]:
    """Builds the decks of some lessons, by default of all, and their pages; returns the decks.

    Raises:
        GraderError: a lesson is not executed, its notes do not fit its slides, or reveal.js is not installed.
    """
    folder = root / "build" / "slides"
    _copy_assets(packages, folder / "assets")
    shutil.copy(HERE / "rise.css", folder)  # where jupyterlab-rise looks for it
    made = []
    for name in names or lesson_names():
        source, lesson = read_lesson(name, root), load_lesson(name)
        notes = read_notes(lesson, root)
        notebook = deck(source, lesson, executed_solution(source, root), notes)
        nbformat.write(notebook, folder / f"{name}.ipynb")
        shutil.copy(root / "build" / "solutions" / name / f"{name}{SUFFIX}", folder)
        made.append(folder / f"{name}.html")
        made[-1].write_text(html(notebook, source.title), encoding="utf-8")
        written = root / "docs" / "instructors" / f"{name}.md"
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(instructors_page(source, lesson, notes), encoding="utf-8")
    return made


def deck(source: LessonSource, lesson: Lesson, executed: NotebookNode, notes: Notes) -> NotebookNode:
    """A lesson's slides as a notebook, with all code cells in it; those that no slide shows are skipped.

    Raises:
        GraderError: an exercise has no notes, or notes have no slide.
    """
    _check(source, lesson, notes)
    cells = [_heading(f"# {source.title}"), _notes(notes.before)]
    for index, (marks, cell) in enumerate(zip(source.cells, executed.cells, strict=True)):
        marks, cell = marks.metadata, copy.deepcopy(cell)
        if name := marks.get("solution"):
            cells += [_heading(f"## Your turn: `{name}`"), _code(new_markdown_cell(_stub(source.cells[index].source)))]
            cells += [_notes(_said(notes, name)), _heading(f"## A solution: `{name}`", "subslide")]
            cell.source = _without_docstrings(cell.source)
            cell.metadata.pop("jupyter", None)  # it was folded; here it is what the slide shows
            cells.append(_code(cell))
        elif cell.cell_type == "code":
            if title := marks.get("slide"):
                layout = _leave_what_is_shown(cell, picture_in_words(executed.cells[index + 1 :]) or title)
                cell.metadata.jupyter = {"source_hidden": True}
                cell.metadata.tags = ["output-only", layout]
                cells += [_heading(f"## {title}"), _typed(cell, "-"), _notes(_said(notes, title))]
            else:
                cells.append(_typed(cell, "skip"))
        elif title := marks.get("slide"):
            text = _typed(new_markdown_cell(shown(cell.source)), "-")
            cells += [_heading(f"## {title}"), text, _notes(_said(notes, title))]
    for index, cell in enumerate(cells):
        cell.id = f"slide-{index}"
    # other themes ask the web for their letters
    live = {"rise": {"theme": "white", "transition": "none", "center": False, "margin": 0}}
    return nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(executed.metadata) | live)


def html(notebook: NotebookNode, title: str) -> str:
    """The deck as a page; what it loads is expected in assets/ beside it."""
    config = Config()
    config.TagRemovePreprocessor.remove_input_tags = {"output-only"}
    exporter = SlidesExporter(
        config=config, template_name="deck", extra_template_basedirs=[str(HERE)], reveal_url_prefix="assets/reveal.js",
        reveal_theme="white", exclude_input_prompt=True,
        exclude_output_prompt=True, exclude_anchor_links=True,
    )  # fmt: skip
    notebook = copy.deepcopy(notebook)
    notebook.metadata.title = title
    return exporter.from_notebook_node(notebook)[0]


def instructors_page(source: LessonSource, lesson: Lesson, notes: Notes) -> str:
    """The text of docs/instructors/<lesson>.md."""
    return page(source.title, slide_titles(source), lesson, notes)


def slide_titles(source: LessonSource) -> list[str]:
    """What has notes, in order: the titles of the marked cells, and the names of the exercises."""
    titles = (cell.metadata.get("slide") or cell.metadata.get("solution") for cell in source.cells)
    return [title for title in titles if title]


def shown(text: str) -> str:
    """What a slide shows of a cell's text: formulas, tables and lists.

    Raises:
        GraderError: there are none.
    """
    blocks = re.split(r"\n\s*\n", re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL))
    kept = [block for block in blocks if SHOWN.match(block)]
    if not kept:
        raise GraderError(f"the cell {text[:40]!r} has no formula, table or list to show on a slide")
    return "\n\n".join(kept)


def _check(source: LessonSource, lesson: Lesson, notes: Notes) -> None:
    titles = slide_titles(source)
    for title in titles:
        if titles.count(title) > 1:
            raise GraderError(f"{source.name}: two slides have the title {title!r}")
        if title in lesson.exercises and title not in notes.by_slide:
            raise GraderError(f"{source.name}: the exercise {title} has no notes in solutions/notes/{source.name}.md")
    for title in notes.by_slide:
        if title not in titles:
            raise GraderError(f"{source.name}: there are notes on {title!r}, but no such slide or exercise")


def _heading(text: str, kind: str = "slide") -> NotebookNode:
    """Where a slide begins, or one below the last."""
    return _typed(new_markdown_cell(text), kind)


def _notes(text: str) -> NotebookNode:
    return _typed(new_markdown_cell(text), "notes")


def _said(notes: Notes, title: str) -> str:
    note = notes.by_slide.get(title)
    return f"**{note.minutes} min.** {note.text}" if note else ""


def _typed(cell: NotebookNode, kind: str) -> NotebookNode:
    cell.metadata.slideshow = {"slide_type": kind}
    return cell


def _code(cell: NotebookNode) -> NotebookNode:
    """Marks a cell that shows code: in small letters where there is much of it, in large ones where there is little."""
    lines = cell.source.splitlines()
    long, wide = len(lines), max(map(len, lines))
    if long > LINES or wide > COLUMNS:
        cell.metadata.tags = ["much"]
    elif long <= FEW_LINES and wide <= FEW_COLUMNS:
        cell.metadata.tags = ["little"]
    return _typed(cell, "-")


def _without_docstrings(source: str) -> str:
    """A solution's source without what stands on the slide above it."""
    lines = source.splitlines()
    for first, last in reversed(_docstrings(source)):
        del lines[first:last]
    return "\n".join(lines)


def _stub(source: str) -> str:
    """An exercise as learners get it, in Markdown: of the docstrings all but examples and sources, or if that is long,
    the first line."""
    text = SOLUTION.sub("...", source)
    full, short = (_with_docstrings(text, until) for until in (r"(Example|Source|Raises)s?:", r"$"))
    return "\n".join(["```python", full if len(full.splitlines()) <= LINES else short, "```"])


def _with_docstrings(source: str, until: str) -> str:
    """The source, each docstring cut at the first line that begins so."""
    lines = source.splitlines()
    for first, last in reversed(_docstrings(source)):
        text = lines[first:last]
        cut = next((index for index, line in enumerate(text) if index and re.match(rf"\s*{until}", line)), None)
        if cut:
            kept = "\n".join(text[:cut]).rstrip()
            lines[first:last] = [*kept.splitlines(), f"{text[-1][: -len(text[-1].lstrip())]}\"\"\""] if "\n" in kept else [f'{kept}"""']
    return "\n".join(lines)


def _docstrings(source: str) -> list[tuple[int, int]]:
    """The lines of each docstring, from the first (counted from 0) to before the last."""
    named = (node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.FunctionDef, ast.ClassDef)))
    found = (node.body[0] for node in named if ast.get_docstring(node) is not None)
    return sorted((text.lineno - 1, text.end_lineno) for text in found)


def _leave_what_is_shown(cell: NotebookNode, alt: str) -> str:
    """Leaves of a cell's outputs the pictures alone, if there are any.

    Returns:
        How they share the slide: two wide pictures are stacked, others stand side by side.

    Raises:
        GraderError: there are more than two, or nothing at all.
    """
    pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
    if len(pictures) > 2 or not cell.outputs:
        raise GraderError(f"the cell {cell.source[:40]!r} has {len(pictures)} pictures; a slide shows one or two, or a text")
    for output in pictures:
        output.data = {"image/png": output.data["image/png"]}  # not the widget that it stands for
        output.metadata = {"image/png": {"alt": alt}}
    cell.outputs = pictures or cell.outputs
    if len(pictures) < 2:
        return "alone"
    if not all(wide > 2 * high for wide, high in map(_size, pictures)):
        return "side-by-side"
    for output in pictures:
        output.metadata["image/png"].unconfined = True  # what rise.css knows them by: JupyterLab shows no tags
    return "stacked"


def _size(output: NotebookNode) -> tuple[int, int]:
    """Width and height of a picture, from the head of its PNG file."""
    return struct.unpack(">II", base64.b64decode(output.data["image/png"])[16:24])


def _copy_assets(packages: Path, folder: Path) -> None:
    for asset in ASSETS:
        found, place = packages / asset, folder / asset
        if not found.exists():
            raise GraderError("reveal.js and MathJax are not installed; make slides installs them")
        place.parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            shutil.copytree(found, place, dirs_exist_ok=True)
        else:
            shutil.copy(found, place)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="which lessons; all if none is named")


def main(args: argparse.Namespace) -> int:
    """Builds the decks and the instructors' pages."""
    for name in args.lessons:
        require_lesson(name)
    for path in slides(args.lessons):
        print(path)
    return 0
