"""The learner's working copy of the notebooks: `python -m utils.workspace notebooks my-course`.

A new version of the course never overwrites an answer. Notebooks that are as they were handed out are
refreshed, those that the learner changed are kept, new lessons are added, and data files, which are not
the learner's, are always those of the course.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

RECORD = ".handed-out.json"  # hash of each notebook's cells as they were handed out


def prepare(released: Path, copy: Path) -> list[str]:
    """Brings a working copy up to date; returns what a learner should know, a sentence each.

    Args:
        released: the course's notebooks folder.
        copy: the learner's folder, made if it is not there.
    """
    copy.mkdir(exist_ok=True)
    handed_out = _read(copy / RECORD)
    told = []
    for source in sorted(path for path in released.rglob("*") if path.is_file()):
        name = source.relative_to(released).as_posix()
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix != ".ipynb":
            shutil.copyfile(source, target)
            continue
        if target.exists() and _hash(target) != handed_out.get(name):
            if handed_out.get(name) != _hash(source):
                told.append(
                    f"{name}: the course has a newer version. Yours, with your answers, was kept; to get the new "
                    f"one, rename yours and run `make lab` again."
                )
            continue
        if not target.exists():
            told.append(f"{name}: added.")
        shutil.copyfile(source, target)
        handed_out[name] = _hash(source)
    (copy / RECORD).write_text(json.dumps(handed_out, indent=1, sort_keys=True), encoding="utf-8")
    return told


def _read(record: Path) -> dict[str, str]:
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _hash(path: Path) -> str:
    """Of what the cells say: running a notebook is no change."""
    data = path.read_bytes()
    try:
        cells = json.loads(data)["cells"]
        data = json.dumps(["".join(cell["source"]) for cell in cells]).encode()
    except (ValueError, KeyError, TypeError):
        pass  # no notebook any more: its bytes then
    return hashlib.sha256(data).hexdigest()


def main(released: str, copy: str) -> None:
    """Prepares the working copy and says what was done."""
    for sentence in prepare(Path(released), Path(copy)):
        print(sentence)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m utils.workspace RELEASED COPY")
    main(*sys.argv[1:])
