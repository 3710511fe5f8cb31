"""`grader bundle`: the zip that students get. Lessons and `utils`; no solutions, no grader.

Unpacked it is a folder to work in; given to pip as it is, it installs `utils` with the lessons' data
files, which is what Colab and Kaggle need. The same course gives the same bytes.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

from grader.errors import GraderError
from grader.lessons import COURSE_ROOT
from utils.checkset import SUFFIX

NAME = "transformer-course"
README = Path(__file__).with_name("bundle_readme.md")
LEFT_OUT = "# --- left out of the student bundle ---"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of every file: a zip's earliest


def bundle(root: Path = COURSE_ROOT) -> Path:
    """Writes build/transformer-course.zip of the course in `root`; returns where it is.

    Raises:
        GraderError: the course is not released.
    """
    files = collect(root)
    target = root / "build" / f"{NAME}.zip"
    target.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{NAME}/{name}", EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, wherever it is made: the line above counts there
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return target


def collect(root: Path) -> dict[str, bytes]:
    """What goes into the bundle, by name.

    Raises:
        GraderError: the course is not released.
    """
    lessons = sorted(path.stem for path in (root / "solutions").glob("*.py"))
    files = {}
    for lesson in lessons:
        for name in (f"{lesson}.ipynb", f"{lesson}{SUFFIX}"):
            path = root / "notebooks" / lesson / name
            if not path.exists():
                raise GraderError(f"{path.relative_to(root).as_posix()} is missing: run `grader release` first")
            files[f"notebooks/{lesson}/{name}"] = path.read_bytes()
        # once more within the package: on Colab no folder lies around the notebook
        files[f"utils/checks/{lesson}{SUFFIX}"] = files[f"notebooks/{lesson}/{lesson}{SUFFIX}"]
    for path in sorted((root / "utils").rglob("*")):
        if path.suffix in (".py", ".json", ".js", ".css"):
            files[path.relative_to(root).as_posix()] = path.read_bytes()
    for name in ("requirements.txt", "LICENSE"):
        files[name] = (root / name).read_bytes()
    files["pyproject.toml"] = (root / "pyproject.toml").read_text(encoding="utf-8").partition(LEFT_OUT)[0].encode()
    files["README.md"] = README.read_bytes()
    return files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Has none."""


def main(args: argparse.Namespace) -> int:
    """Makes the bundle of this course."""
    print(f"wrote {bundle().relative_to(COURSE_ROOT)}")
    return 0
