"""Where measurements are kept: as numbers in measured.json, as a section of a page in docs/."""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path
from typing import Any

from grader.lessons import COURSE_ROOT

MEASURED = Path(__file__).with_name("measured.json")


def measured() -> dict[str, Any]:
    """All that was measured so far."""
    return json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}


def keep(what: str, numbers: Any) -> None:
    """Puts numbers in the place of those that were measured before."""
    MEASURED.write_text(json.dumps(measured() | {what: numbers}, indent=1) + "\n", encoding="utf-8")


def write_section(page: str, name: str, text: str) -> None:
    """Replaces what stands between `<!-- name -->` and `<!-- end of name -->` in a page of docs/."""
    path = COURSE_ROOT / "docs" / page
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before = path.read_text(encoding="utf-8")
    after, found = re.subn(f"({begin}).*?({end})", lambda marks: f"{marks[1]}{text.strip()}\n{marks[2]}", before, flags=re.S)
    if found != 1:
        raise SystemExit(f"{page} has no section {name}")
    path.write_text(after, encoding="utf-8")


def machine() -> str:
    """The machine in a line."""
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else None
    processor = re.sub(r"\((R|TM)\)", "", model[1]) if model else platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()  # ours, where it is told
    return f"{cores} cores ({processor}), Python {platform.python_version()}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is text, the others numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
