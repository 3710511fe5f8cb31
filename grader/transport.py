"""What comes with a submission besides its notebook: files, archives, times, names. All of it is chosen by who hands in.

Set in `nbgrader_config.py`, so that nbgrader's own commands and formgrader's buttons are as careful:
`careful_with_submissions()`, `CarefulExtractor`, `CarefulCollect` and `CarefulCsvExport`.
"""

from __future__ import annotations

import csv
import datetime
import mimetypes
import os
import pwd
import secrets
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from functools import wraps
from pathlib import Path, PurePosixPath
from typing import IO, Any

import nbgrader.converters.base
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError
from nbgrader.exchange.default import ExchangeCollect
from nbgrader.plugins import ExportPlugin
from nbgrader.plugins.zipcollect import ExtractorPlugin
from nbgrader.utils import parse_utc

from grader.errors import GraderError
from grader.submission import MAX_NOTEBOOK_BYTES, read_regular_file, readable

MAX_FILES, MAX_FILES_BYTES = 1000, 64 << 20  # beside one notebook
MAX_SENTENCES = 10
MAX_ARCHIVE_BYTES, MAX_MEMBERS, MAX_DEPTH = 200 << 20, 2000, 3  # of one archive, with those in it
MAX_TIMESTAMP_BYTES = 200
CHUNK = 1 << 20


# ---------------------------------------------------------------------------- files beside a notebook


def files_beside(folder: Path) -> dict[str, bytes]:
    """What a submission's code may read: the regular files of a folder (not of its folders) but the notebooks."""
    kept, _ = sort_out(folder)
    return {path.name: read_regular_file(path, MAX_FILES_BYTES) for path in kept if path.parent == folder}


def left_out(folder: Path) -> list[str]:
    """A sentence for each file beside a notebook that is not used, and why."""
    return sort_out(folder)[1]


def sort_out(folder: Path) -> tuple[list[Path], list[str]]:
    """The regular files below a folder, notebooks aside, up to a size; and sentences on what is left out."""
    kept, sentences, room, too_many = [], [], MAX_FILES_BYTES, 0
    for path in _below(folder):
        status = path.lstat()
        if path.suffix == ".ipynb":
            continue
        if problem := _problem(status):
            sentences.append(f"{readable(str(path.relative_to(folder)))} was left out: {problem}")
        elif status.st_size > room or len(kept) == MAX_FILES:
            too_many += 1
        else:
            room -= status.st_size
            kept.append(path)
    if too_many or len(sentences) > MAX_SENTENCES:
        more = max(0, len(sentences) - MAX_SENTENCES)
        most = f"at most {MAX_FILES} regular files of {MAX_FILES_BYTES >> 20} MB together are used"
        sentences = [*sentences[:MAX_SENTENCES], f"{too_many + more} other files beside the notebook were left out: {most}"]
    return kept, sentences


def _below(folder: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if (Path(top) / name).is_symlink()]
        yield from (Path(top) / name for name in sorted([*names, *links]))


def _problem(status: os.stat_result) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        return f"it is {kinds.get(kind, 'a device')}"
    return "it is a hard link" if status.st_nlink > 1 else ""


# ------------------------------------------------------------------- nbgrader's own way with submissions


def careful_with_submissions() -> None:
    """Mends three habits of nbgrader's with what students hand in.

    It copies what lies beside a notebook by following links and emptying pipes and devices; it grades a
    notebook that is a link to another's; and it reads `timestamp.txt`, whatever it is.
    """
    if not hasattr(Autograde.init_assignment, "__wrapped__"):
        Autograde.init_assignment = _carefully(Autograde.init_assignment)
        CourseDirectory.get_existing_timestamp = _timestamp


def _carefully(init_assignment: Callable) -> Callable:
    @wraps(init_assignment)
    def careful(self: Autograde, assignment_id: str, student_id: str) -> None:
        for path in map(Path, self.notebooks):
            if problem := _problem(path.lstat()):
                raise GraderError(f"{readable(path.name)} is not graded: {problem}")
        with _copying_harmless_files_only():
            init_assignment(self, assignment_id, student_id)

    return careful


@contextmanager
def _copying_harmless_files_only() -> Iterator[None]:
    """Regular files, and none that formgrader would show as a page of its own, with all an instructor's rights."""
    module = nbgrader.converters.base
    find = module.find_all_files

    def find_harmless(path: str, exclude: list[str] | None = None) -> list[str]:
        kept = {str(file) for file in sort_out(Path(path))[0] if not _runs_in_a_browser(file.name)}
        return [file for file in find(path, exclude) if file in kept]

    module.find_all_files = find_harmless
    try:
        yield
    finally:
        module.find_all_files = find


def _runs_in_a_browser(name: str) -> bool:
    kind = mimetypes.guess_type(name, strict=False)[0] or ""
    return any(word in kind for word in ("html", "xml", "svg", "script"))


def _timestamp(self: CourseDirectory, dest_path: str) -> Any:
    """nbgrader's `get_existing_timestamp`, which takes no more than a time from a small regular file."""
    path = Path(dest_path) / "timestamp.txt"
    if not os.path.lexists(path):
        return None
    try:
        text = read_regular_file(path, MAX_TIMESTAMP_BYTES).decode().strip()
        return parse_utc(text) if text else None
    except Exception as error:  # dateutil raises many types on odd texts
        told = error if isinstance(error, GraderError) else f"{path.name} tells no time"
        self.log.warning("%s: %s, so the submission has none", readable(str(dest_path)), told)
        return None


# ------------------------------------------------------------------------------------------- archives


class CarefulExtractor(ExtractorPlugin):
    """nbgrader's extractor for `zip_collect`, for archives that may be traps.

    Only regular files come out, each inside its archive's own folder; no more of them, and no larger,
    than a class hands in; archives in archives up to a depth. One that is refused is told, and the rest goes on.
    """

    def extract(self, archive_path: str, extracted_path: str) -> None:
        top = Path(archive_path)
        for path in sorted(_below(top)):
            target = Path(extracted_path) / path.relative_to(top).parent
            try:
                if problem := _problem(path.lstat()):
                    raise GraderError(f"it was left out: {problem}")
                target.mkdir(parents=True, exist_ok=True)
                if path.suffix in self.zip_ext:
                    unpack(path, target / path.name.removesuffix(path.suffix).removesuffix(".tar"))
                else:
                    (target / path.name).write_bytes(path.read_bytes())
            except (GraderError, OSError, zipfile.BadZipFile, tarfile.TarError, EOFError, ValueError) as error:
                self.log.error("%s: %s", readable(path.name), readable(str(error)))


def unpack(archive: Path, target: Path) -> None:
    """Unpacks an archive, and those in it, into a folder of its own.

    Raises:
        GraderError: it is no archive, or holds too much; what came out by then stays.
    """
    room = [MAX_ARCHIVE_BYTES, MAX_MEMBERS]
    waiting = [(archive, target, 1)]
    while waiting:
        path, folder, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise GraderError(f"archives in archives are unpacked to a depth of {MAX_DEPTH}")
        for name, source in _members(path):
            room[1] -= 1
            if room[1] < 0:
                raise GraderError(f"it holds more than {MAX_MEMBERS} files")
            file = folder.joinpath(*name.parts)
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(file, "wb") as out:
                while part := source.read(CHUNK):
                    room[0] -= len(part)
                    if room[0] < 0:
                        raise GraderError(f"it holds more than {MAX_ARCHIVE_BYTES >> 20} MB")
                    out.write(part)
            if file.suffix in (".zip", ".gz"):
                waiting.append((file, file.with_name(file.name.removesuffix(file.suffix).removesuffix(".tar")), depth + 1))


def _members(path: Path) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    """The regular files of an archive by name, opened one after the other."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if not info.is_dir() and kind in (0, stat.S_IFREG) and (name := _inside(info.filename)):
                    with archive.open(info) as source:
                        yield name, source
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isreg() and (name := _inside(member.name)):
                    yield name, archive.extractfile(member)


def _inside(name: str) -> PurePosixPath | None:
    """The name if it stays in its folder and can be shown; a time that an archive brings along is not taken."""
    path = PurePosixPath(name.replace("\\", "/"))
    plain = name.isprintable() and ":" not in name and len(name) <= 500 and len(path.parts) <= 20
    stays = not path.is_absolute() and ".." not in path.parts
    return path if plain and stays and path.name != "timestamp.txt" else None


# ------------------------------------------------------------------------------------------- exchange


class CarefulCollect(ExchangeCollect):
    """nbgrader's `collect`, for an exchange where anybody may put in what he likes.

    A submission counts for the account that owns its folder, whatever name stands on it: nbgrader would only warn.
    Of the files those are taken that are regular and the student's own; what cannot be read costs nobody else.
    """

    def _path_to_record(self, path: str) -> dict[str, Any]:
        try:
            record = super()._path_to_record(path)
            if not self.check_owner or _owner(Path(path)) == record["username"]:
                return record
            problem = f"it is not a folder of {record['username']}'s"
        except (ExchangeError, ValueError, OverflowError):
            problem = "its name tells no student and no time"
        name = os.path.basename(path)
        self.log.warning("%s was passed over: %s", readable(name), readable(problem))
        return {"username": "", "filename": name, "timestamp": datetime.datetime.min}

    def copy_files(self) -> None:
        self.src_records = [record for record in self.src_records if record["username"]]
        super().copy_files()

    def do_copy(self, src: str, dest: str, log: Any = None) -> None:
        target = Path(dest)
        target.mkdir(parents=True)
        try:
            owner = os.lstat(src).st_uid if self.check_owner else None
            for sentence in _take(Path(src), target, owner, self.coursedir.ignore):
                self.log.warning("%s: %s", readable(src), sentence)
        except (OSError, RecursionError) as error:
            self.log.warning("%s was not collected as a whole: %s", readable(src), readable(str(error)))
        # nbgrader gives no feedback to anybody where one submission is without these
        for name, text in {"timestamp.txt": Path(src).name.split("+")[2], "submission_secret.txt": secrets.token_hex(64)}.items():
            if not (target / name).exists():
                (target / name).write_text(text, encoding="utf-8")


def _owner(folder: Path) -> str:
    """The account that a folder belongs to; none for what is no folder."""
    status = folder.lstat()
    try:
        return pwd.getpwuid(status.st_uid).pw_name if stat.S_ISDIR(status.st_mode) else ""
    except KeyError:
        return ""


def _take(folder: Path, target: Path, owner: int | None, ignored: list[str]) -> Iterator[str]:
    """Copies the notebooks of a folder and the files beside them; a sentence on each that is left out."""
    kept, sentences = sort_out(folder)
    yield from sentences
    room = MAX_FILES_BYTES + MAX_NOTEBOOK_BYTES
    notebooks = [path for path in _below(folder) if path.suffix == ".ipynb"]
    for path in [*notebooks[:MAX_FILES], *kept]:
        name = path.relative_to(folder)
        if any(fnmatch(part, pattern) for part in name.parts for pattern in ignored):
            continue
        try:
            data = read_regular_file(path, min(room, MAX_NOTEBOOK_BYTES), owner)
        except GraderError as error:
            yield str(error)
            continue
        room -= len(data)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(data)


# --------------------------------------------------------------------------------------------- export

COLUMNS = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
    "late_submission_penalty", "score", "max_score",
)  # fmt: skip


class CarefulCsvExport(ExportPlugin):
    """nbgrader's CSV export, in which no name breaks out of its cell or becomes a spreadsheet's formula."""

    def export(self, gradebook: Gradebook) -> None:
        with open(self.to or "grades.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for assignment in gradebook.assignments:
                for student in gradebook.students:
                    wanted = not self.assignment or assignment.name in self.assignment
                    if wanted and (not self.student or student.id in map(str, self.student)):
                        table.writerow(map(harmless_cell, _row(gradebook, assignment, student)))


def _row(gradebook: Gradebook, assignment: Any, student: Any) -> tuple:
    try:
        submission = gradebook.find_submission(assignment.name, student.id)
        time, score, penalty = submission.timestamp, submission.score, submission.late_submission_penalty or 0.0
    except MissingEntry:
        time, score, penalty = None, 0.0, 0.0
    return (
        assignment.name, assignment.duedate, time, student.id, student.last_name, student.first_name, student.email,
        score, penalty, max(0.0, score - penalty), assignment.max_score,
    )  # fmt: skip


def harmless_cell(value: Any) -> str:
    """A value as a spreadsheet shows it: a text that would be a formula gets an apostrophe in front."""
    if value is None:
        return ""
    text = readable(str(value))
    return f"'{text}" if isinstance(value, str) and text.lstrip()[:1] in tuple("=+-@|") and text.strip() else text
