"""What students wrote, made safe to show: in feedback, in formgrader, in reports.

Scripts, styles, event handlers, widgets and anything fetched from elsewhere are taken out, by
nbconvert's own sanitiser (bleach); text, tables and pictures made by their code stay.
"""

from __future__ import annotations

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


def safe_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs of a student's cell without anything that runs or fetches."""
    for output in outputs:
        data = output.get("data", {})
        if "text/markdown" in data:
            data["text/markdown"] = safe_markdown(data["text/markdown"])
        if _FORMULA_COMMANDS.search(data.get("text/latex", "")):
            del data["text/latex"]
    return _SANITISER.sanitize_code_outputs(outputs)


def safe_markdown(source: str) -> str:
    """Markdown of a student's without HTML tags, pictures and formula commands that reach outside."""
    source = source.replace("![", "[")  # a picture from elsewhere would be fetched by who reads it
    source = _FORMULA_COMMANDS.sub(r"\\text{\1}", source)
    return _SANITISER.sanitize_html_tags(source) if "<" in source else source


def sanitise(notebook: NotebookNode, release: NotebookNode) -> None:
    """Makes the text cells of a submission safe in place; those of the release itself stay as they are."""
    own = {cell.source for cell in release.cells if cell.cell_type != "code"}
    for cell in notebook.cells:
        if cell.cell_type != "code" and cell.source not in own:
            cell.source = safe_markdown(cell.source)
