"""What students wrote, made safe to show: in feedback, in formgrader, in reports.

Scripts, styles, event handlers, widgets and anything fetched from elsewhere are taken out, by
nbconvert's own sanitiser (bleach); text, tables and pictures made by their code stay.
"""

from __future__ import annotations

import html
import re

from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat.notebooknode import NotebookNode

_TAGS = (
    "a abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li ol p pre s small span "
    "strong sub summary sup table tbody td tfoot th thead tr ul"
).split()
_SANITISER = SanitizeHTML(
    tags=_TAGS,
    attributes={"a": ["href", "title"], "td": ["colspan", "rowspan"], "th": ["colspan", "rowspan"]},
    strip=True,
    safe_output_keys={"metadata", "text/plain", "text/latex", "text/markdown", "image/png", "image/jpeg"},
    sanitized_output_types={"text/html"},
)
_FORMULA_COMMANDS = re.compile(r"\\(href|url|require|cssId|class|style|html\w*|unicode|includegraphics)\b")
MAX_PIECE, MAX_TEXT = 20_000, 400_000  # characters: to make harmless, or lay out, takes quadratic time at worst
CUT = "\n\n… text cut here\n"
NO_HTML = "(What was shown here is too long to be made harmless.)"


def safe_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs of a student's cell without anything that runs or fetches."""
    for output in outputs:
        data = output.get("data", {})
        for kind in ("text/html", "text/markdown", "text/latex"):
            if len(data.get(kind, "")) > MAX_PIECE:
                del data[kind]
                data.setdefault("text/plain", NO_HTML)
        if "text/markdown" in data:
            data["text/markdown"] = safe_markdown(data["text/markdown"])
        if _FORMULA_COMMANDS.search(data.get("text/latex", "")):
            del data["text/latex"]
    outputs = _SANITISER.sanitize_code_outputs(outputs)
    for output in outputs:
        if shown := output.get("data", {}).get("text/html"):
            output["data"]["text/html"] = without_formulas(shown)
    return outputs


def without_formulas(shown: str) -> str:
    """HTML, well-formed, in which MathJax is to see no formula: a formula can hold links that run."""
    return f'<div class="tex2jax_ignore mathjax_ignore">{shown}</div>'


def safe_markdown(source: str) -> str:
    """Markdown of a student's without HTML tags, pictures, diagrams, links but to the web, commands in formulas."""
    source = _SANITISER.sanitize_html_tags(source) if "<" in source else source
    source = re.sub(r"!+(?=\[)", "", source)  # a picture from elsewhere would be fetched by who reads it
    source = re.sub(r"\](?=:|\((?!https?://|#))", "] ", source)  # a link may be a program, in many spellings
    source = re.sub(r"(`{3,}|~{3,})[ \t]*mermaid", r"\1text", source, flags=re.IGNORECASE)
    source = _FORMULA_COMMANDS.sub(r"\\text{\1}", source)
    if _FORMULA_COMMANDS.search(html.unescape(source)):
        source = source.replace("&", "&amp;")
    return source


def sanitise(notebook: NotebookNode, release: NotebookNode) -> None:
    """Makes the text cells of a submission safe in place; those of the release itself stay as they are."""
    own = {cell.source for cell in release.cells if cell.cell_type != "code"}
    room = MAX_TEXT
    for cell in notebook.cells:
        if cell.cell_type != "code" and cell.source not in own:
            most = min(MAX_PIECE, room)
            room -= min(len(cell.source), most)
            cell.source = safe_markdown(cell.source[:most]) + (CUT if len(cell.source) > most else "")
