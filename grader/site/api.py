"""The docstrings of a package as a page in Markdown, read by griffe, which imports nothing."""

from __future__ import annotations

import textwrap
from pathlib import Path

import griffe
from griffe import Docstring, DocstringSectionKind, Object

QUIET = {"warn_unknown_params": False, "warn_missing_types": False}  # two parameters in one line, types in the signature
PARAGRAPH, CODE = DocstringSectionKind.text, DocstringSectionKind.examples
TITLES = {
    DocstringSectionKind.parameters: "Takes",
    DocstringSectionKind.attributes: "Has",
    DocstringSectionKind.returns: "Returns",
    DocstringSectionKind.yields: "Yields",
    DocstringSectionKind.raises: "Raises",
}


def page(package: str, root: Path, without: set[str]) -> str:
    """A package's modules with their public classes and functions.

    Args:
        package: its name.
        root: the folder that it lies in.
        without: its parts that are left out.
    """
    module = griffe.load(package, search_paths=[root], docstring_parser="google", docstring_options=QUIET, try_relative_path=False)
    lines = [f"# The code of `{package}`", ""]
    for one in _modules(module, without):
        lines += [f"## {one.path}", "", *_docstring(one.docstring)]
        for member in _public(one):
            lines += _member(member)
    return "\n".join(lines) + "\n"


def _modules(module: Object, without: set[str]) -> list[Object]:
    below = [part for name, part in sorted(module.modules.items()) if not (part.is_alias or name in without or name == "__main__")]
    return [module, *(one for part in below for one in _modules(part, without))]


def _public(parent: Object) -> list[Object]:
    """What has a docstring and no leading underscore, where it is defined, in the order of the source."""
    named = (member for name, member in parent.members.items() if not name.startswith("_") and not member.is_alias)
    return [one for one in named if (one.is_class or one.is_function) and one.docstring]


def _member(member: Object) -> list[str]:
    lines = [f"### {member.path}", ""]
    for one in [member, *(_public(member) if member.is_class else [])]:
        signature = one.signature() if one.is_function else f"class {one.name}"
        lines += ["```python", *textwrap.wrap(signature, 100, subsequent_indent="    "), "```", "", *_docstring(one.docstring)]
    return lines


def _docstring(docstring: Docstring | None) -> list[str]:
    lines = []
    for section in docstring.parsed if docstring else []:
        if section.kind is PARAGRAPH:
            lines += [section.value, ""]
        elif section.kind is CODE:
            lines += ["```pycon", *(text for _, text in section.value), "```", ""]
        elif section.kind in TITLES:
            lines += [f"**{TITLES[section.kind]}**", "", *map(_item, section.value), ""]
        else:  # a heading of our own, such as Source
            lines += [f"**{section.title or section.kind.value}**", "", str(getattr(section.value, "contents", section.value)), ""]
    return lines


def _item(part: object) -> str:
    name = getattr(part, "name", "") or str(getattr(part, "annotation", "") or "")
    text = " ".join(part.description.split())
    return f"- `{name}`: {text}" if name else f"- {text}"
