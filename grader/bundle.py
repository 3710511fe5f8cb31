"""`grader bundle`: the zip that students get, to learn at home or on Colab.

It holds the notebooks, `utils`, and what is needed to install them; no solutions and no grader. The
same course gives the same bytes.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

from grader.errors import GraderError
from grader.lessons import COURSE_ROOT

NAME = "transformer-course"
INSTRUCTOR_PART = "# --- left out of the student bundle ---"
README = f"""# Learn the Transformer by writing one

Unpack this folder, then in a terminal inside it:

    pip install -r requirements.txt
    jupyter lab notebooks/00_welcome/00_welcome.ipynb

Everything then works offline. On Colab or Kaggle upload the zip and run `%pip install {NAME}.zip` in a
cell, restart the kernel, and open a notebook in its own folder beside its `.checks.json` file.
"""


def bundle(root: Path = COURSE_ROOT, target: Path | None = None) -> Path:
    """Writes the zip; returns its path.

    Args:
        root: the course's folder.
        target: the zip, by default build/transformer-course.zip.

    Raises:
        GraderError: the notebooks have not been built.
    """
    target = target or root / "build" / f"{NAME}.zip"
    notebooks = sorted((root / "notebooks").rglob("*.*"))
    if not notebooks:
        raise GraderError("there are no notebooks to bundle: run `grader release` first")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(_contents(root, notebooks).items()):
            entry = zipfile.ZipInfo(f"{NAME}/{name}", (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return target


def _contents(root: Path, notebooks: list[Path]) -> dict[str, bytes]:
    """What goes in, by name; line ends and order do not depend on the machine."""
    utils = [path for path in (root / "utils").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    plain = [*notebooks, *utils, root / "LICENSE"]
    found = {path.relative_to(root).as_posix(): path.read_bytes() for path in plain if path.is_file()}
    project = (root / "pyproject.toml").read_text(encoding="utf-8").partition(INSTRUCTOR_PART)[0]
    requirements = (root / "requirements.txt").read_text(encoding="utf-8")
    texts = {"pyproject.toml": project, "requirements.txt": requirements, "README.md": README}
    return found | {name: text.encode() for name, text in texts.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, metavar="ZIP", help=f"where to write it (default build/{NAME}.zip)")


def main(args: argparse.Namespace) -> int:
    """Writes the zip and says where."""
    print(bundle(target=args.output))
    return 0
