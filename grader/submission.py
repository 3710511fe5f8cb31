"""Submitted notebooks: read without trust, and put back into the shape of the release.

Whatever was done to a submission's metadata, its test cells are those of the release, each right
after its answer; an answer is the first code cell that carries the exercise's grade id.
"""

from __future__ import annotations

import copy
import json
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import DeduplicateIds

from grader.errors import GraderError
from grader.spec import lesson_names
from utils.values import printable

MAX_NOTEBOOK_BYTES = 50 * 1024 * 1024
MAX_FILE_BYTES = 32 * 1024 * 1024  # of one file beside a notebook
MAX_CELLS = 2000
MAX_PARTS = 1_000_000  # of lists and dicts: an empty one is two bytes in a file and sixty in memory
COPY = "copy of an answer"


def read_submission(path: Path) -> NotebookNode:
    """The notebook in a submitted file.

    Raises:
        GraderError: it is no regular file, too large, or no notebook.
    """
    return parse_submission(read_regular_file(path, MAX_NOTEBOOK_BYTES), path.name)


def parse_submission(data: bytes, name: str) -> NotebookNode:
    """The notebook in the bytes of a submitted file of that name.

    Raises:
        GraderError: they are no notebook.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise GraderError(f"{readable(name)} is not a notebook: it is not UTF-8 text") from None
    try:
        cells = [_clean_cell(cell, index) for index, cell in enumerate(_cells(text))]
    except GraderError as error:
        raise GraderError(f"{readable(name)} {error}") from None
    except (RecursionError, Exception) as error:  # nbformat raises many types on damaged files
        reason = "nested too deeply" if isinstance(error, RecursionError) else type(error).__name__
        raise GraderError(f"{readable(name)} is not a notebook that can be read ({reason})") from None
    return nbformat.v4.new_notebook(cells=cells, metadata=_kernelspec())


def lesson_of(filename: str) -> str:
    """The longest lesson name that the file name starts with.

    Raises:
        GraderError: there is none.
    """
    names = [name for name in lesson_names() if Path(filename).name.startswith(name)]
    if not names:
        raise GraderError(
            f"{readable(Path(filename).name)} belongs to no lesson: its name must start with one of {', '.join(lesson_names())}"
        )
    return max(names, key=len)


def repair(submitted: NotebookNode, release: NotebookNode) -> NotebookNode:
    """The submitted notebook with the release's own test cells and trustworthy metadata.

    Args:
        submitted: what `read_submission` gave.
        release: the student version of the lesson.
    """
    answers = {cell.metadata.nbgrader.grade_id: cell for cell in release.cells if _is(cell, "solution")}
    tests = {cell.metadata.nbgrader.grade_id: cell for cell in release.cells if _is(cell, "grade")}
    answer_of = _preceding(release)
    cells: list[NotebookNode] = []
    places: dict[str, int] = {}  # where each answer and each test was first found
    for cell in submitted.cells:
        grade_id = _grade_id(cell)
        kept = nbformat.from_dict(copy.deepcopy(dict(cell)))
        kept.metadata = NotebookNode()
        if grade_id in tests:
            places.setdefault(grade_id, len(cells))
            continue
        if grade_id in answers and cell.cell_type == "code":
            if grade_id in places:
                kept.metadata["grader"] = COPY
            else:
                places[grade_id] = len(cells)
                kept.metadata = copy.deepcopy(answers[grade_id].metadata)
                kept.id = answers[grade_id].id
        cells.append(kept)
    return nbformat.v4.new_notebook(
        cells=_with_tests(cells, tests, answer_of, places), metadata=copy.deepcopy(release.metadata)
    )


def is_copy(cell: NotebookNode) -> bool:
    """Whether the cell repeats an answer that came before; only the first counts and is run."""
    return cell.metadata.get("grader") == COPY


class RepairSubmission(DeduplicateIds):
    """nbgrader's `DeduplicateIds`, but for the course's own lessons the whole repair."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        lesson = resources["nbgrader"]["notebook"]
        if lesson not in lesson_names():
            return super().preprocess(nb, resources)
        submitted = nbformat.v4.new_notebook(cells=[_clean_cell(cell, i) for i, cell in enumerate(nb.cells)])
        return repair(submitted, release_notebook(lesson)), resources


def release_notebook(lesson: str) -> NotebookNode:
    """The student version of a lesson, as committed in notebooks/.

    Raises:
        GraderError: it has not been built.
    """
    from grader.lessons import COURSE_ROOT

    path = COURSE_ROOT / "notebooks" / lesson / f"{lesson}.ipynb"
    if not path.exists():
        raise GraderError(f"{lesson} has no released notebook: run `grader release` first")
    return nbformat.read(path, as_version=4)


def _with_tests(
    cells: list[NotebookNode], tests: dict[str, NotebookNode], answer_of: dict[str, str], places: dict[str, int]
) -> list[NotebookNode]:
    """Puts each test where it stood after its answer and before the next one, else right after the answer."""
    starts = sorted(places[answer] for answer in answer_of.values() if answer in places)
    inserts: dict[int, list[NotebookNode]] = {}
    for name, test in tests.items():
        answer = places.get(answer_of[name])
        if answer is None:
            where = len(cells)
        else:
            following = next((start for start in starts if start > answer), len(cells))
            where = places.get(name, -1)
            where = where if answer < where <= following else answer + 1
        inserts.setdefault(where, []).append(copy.deepcopy(test))
    repaired: list[NotebookNode] = []
    for index in range(len(cells) + 1):
        repaired += inserts.get(index, [])
        repaired += cells[index : index + 1]
    return repaired


def _preceding(release: NotebookNode) -> dict[str, str]:
    """For each test the answer it belongs to: the one that stands before it."""
    answer, pairs = "", {}
    for cell in release.cells:
        if _is(cell, "solution"):
            answer = cell.metadata.nbgrader.grade_id
        if _is(cell, "grade"):
            pairs[cell.metadata.nbgrader.grade_id] = answer
    return pairs


def _is(cell: NotebookNode, kind: str) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get(kind))


def _grade_id(cell: NotebookNode) -> str | None:
    marks = cell.metadata.get("nbgrader")
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    return grade_id if isinstance(grade_id, str) else None


def _cells(text: str) -> list[Any]:
    """The first cells of a notebook, as they are in the file: nothing else of it is looked at.

    nbformat would read all of it, and validate, which may take minutes.
    """
    if sum(map(text.count, "[{,")) > MAX_PARTS:  # many of these may stand in texts
        if sum(map(re.sub(r'"(?:[^"\\]|\\.)*"', "", text).count, "[{,")) > MAX_PARTS:
            raise GraderError(f"has more than {MAX_PARTS} parts")
    data = json.loads(text)
    if data["nbformat"] == 4:
        return data["cells"][:MAX_CELLS]
    for sheet in data["worksheets"]:  # as it was before 2014
        sheet["cells"] = [cell | {"outputs": []} for cell in sheet["cells"][:MAX_CELLS]]
    return nbformat.convert(nbformat.reader.reads(json.dumps(data)), 4).cells[:MAX_CELLS]


_MORE = {"code": {"execution_count": None, "outputs": []}, "markdown": {}, "raw": {}}  # what a kind of cell has besides


def _clean_cell(cell: Any, index: int) -> NotebookNode:
    """A cell of which only type, source and nbgrader's marks are kept."""
    kind, source = cell["cell_type"], cell["source"]
    if isinstance(source, list):
        source = "".join(source)
    if not isinstance(source, str):
        raise ValueError("a cell's source is no text")
    source = source.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be written to a file
    marks = cell["metadata"].get("nbgrader") if isinstance(cell.get("metadata"), dict) else None
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    metadata = {"nbgrader": {"grade_id": grade_id}} if isinstance(grade_id, str) else {}
    made = {"cell_type": kind, "id": f"cell-{index}", "metadata": metadata, "source": source}
    return nbformat.from_dict(made | _MORE[kind])


def read_regular_file(path: Path, most: int, owner: int | None = None) -> bytes:
    """A file's bytes, read without following a link and without waiting for a pipe's other end.

    Args:
        path: the file.
        most: how many bytes it may have.
        owner: whose it has to be, as a user id; None: anybody's.

    Raises:
        GraderError: it is no regular file of its own, somebody else's, or larger.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        reason = "is a link" if path.is_symlink() else f"cannot be opened ({error.strerror})"
        raise GraderError(f"{readable(path.name)} {reason}: expected a regular file") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise GraderError(f"{readable(path.name)} is no regular file")
        if status.st_nlink > 1:
            raise GraderError(f"{readable(path.name)} is a hard link: expected a file of its own")
        if owner not in (None, status.st_uid):
            raise GraderError(f"{readable(path.name)} belongs to somebody else")
        if status.st_size > most:
            raise GraderError(f"{readable(path.name)} is too large: {status.st_size} bytes, at most {most} are read")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(descriptor)


def readable(name: str) -> str:
    """A name as it may be shown in a terminal or a log: whoever hands in chooses it."""
    return printable(name.encode("utf-8", "replace").decode())[:200]


def read_files(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Those files of a folder that a lesson takes beside its notebook; no links, and of a large one the beginning."""
    found = {}
    for name in names:
        try:
            descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        with open(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                found[name] = file.read(MAX_FILE_BYTES)
    return found


def _kernelspec() -> dict[str, Any]:
    return {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
