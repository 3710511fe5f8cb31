"""Hostile submissions: where they come from, and a worker that grades each between two honest ones.

An attack is a file in one of the folders here, named by what it tries, or a function in `made.py` where
more than a notebook's cells is tampered with. It says what it tries, what its honest code earns, and what
the instructor must be told.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat.notebooknode import NotebookNode

from grader import workers
from grader.autograde import job_for
from grader.demo import submission
from grader.grading import hidden_checksets
from grader.sandbox import Limits, Sandbox
from grader.submission import release_notebook

HERE = Path(__file__).parent
GROUPS = {
    "forging": "Forging the verdict",
    "stealing": "Stealing answers",
    "breaking": "Breaking the run",
    "files": "Files and transport",
    "people": "Against people",
}
LESSON, POINTS, SEED = "01_self_attention", 22, 7  # one seed: the hidden answers are worked out once
LIMITS = Limits(
    seconds=1.5, submission_seconds=7, memory_bytes=400 << 20, processes=24, file_bytes=8 << 20, output_bytes=50_000
)
MAX_GROWTH = 4 << 20  # bytes of the warm interpreters, after all attacks
LEFT_BEHIND = "left_behind"  # in the names of what attacks leave
SET_UP = next(cell.source for cell in release_notebook(LESSON).cells if cell.cell_type == "code")
HEADER = re.compile(r"# (?P<tries>.+)\n# earns (?P<earns>\d+); told: (?P<told>.+)\n")


@dataclass(frozen=True)
class Attack:
    """One way to cheat.

    Attributes:
        group: one of GROUPS.
        name: what it tries, in short.
        tries: the same in a sentence.
        earns: what the honest code in it earns, and no more.
        told: a pattern that the sentences for the instructor must match; "nothing" where all is well.
        put: writes the submission into a folder.
    """

    group: str
    name: str
    tries: str
    earns: float
    told: str
    put: Callable[[Path], None]


@dataclass(frozen=True)
class Outcome:
    """What became of an attack: its points, the sentences for the instructor, and all that its notebook shows."""

    score: float
    sentences: list[str]
    shown: str


def attacks() -> list[Attack]:
    """All of them, by group and name."""
    from tests.attacks import made

    found = [*map(from_file, HERE.glob("*/*.py")), *made.ATTACKS]
    return sorted(found, key=lambda attack: (list(GROUPS).index(attack.group), attack.name))


def from_file(path: Path) -> Attack:
    text = path.read_text(encoding="utf-8")
    header = HEADER.match(text)
    assert header, f"{path.name} does not begin with what it tries, earns and is told"
    told = header["told"].strip()
    return Attack(
        path.parent.name, path.stem, header["tries"], float(header["earns"]), told,
        lambda folder: write(notebook(text), folder),
    )  # fmt: skip


def notebook(text: str) -> NotebookNode:
    """A perfect submission but for the cells in `text`, without figures; a cell marked at="end" comes last."""
    made = submission(LESSON, text)
    cells = jupytext.reads(text, fmt="py:percent").cells
    last = [cell.source for cell in cells if cell.metadata.get("at") == "end"]
    theirs = {SET_UP, *(cell.source for cell in cells)}
    kept = [cell for cell in made.cells if "nbgrader" in cell.metadata or cell.source in theirs]
    made.cells = sorted(kept, key=lambda cell: cell.source in last)
    return made


def write(made: NotebookNode, folder: Path) -> None:
    """Not by nbformat, which would put right what is wrong with it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{LESSON}.ipynb").write_text(json.dumps(made), encoding="utf-8")


class Worker:
    """A worker as `grader autograde` has one, in a course in which every secret is a canary."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.canary = "CANARY" + secrets.token_hex(12)

    def __enter__(self) -> Worker:
        os.environ["GRADER_CANARY"] = self.canary
        text = (HERE / "honest.py").read_text(encoding="utf-8").replace("CANARY", self.canary)
        write(notebook(text), self.folder("honest"))
        for name in ("gradebook.db", "solution.py", "submitted/honest/notes.txt"):
            (self.root / name).write_text(self.canary)
        self.sandbox.warm()
        self.honest = None
        self.honest = self.graded("honest")
        self.memory = self.warm_memory()
        return self

    def __exit__(self, *exception: object) -> None:
        del os.environ["GRADER_CANARY"]
        self.sandbox.__exit__(*exception)

    def folder(self, student: str) -> Path:
        return self.root / "submitted" / student / LESSON

    def hold(self, attack: Attack) -> Outcome:
        """Grades an attack, then the honest submission; asserts all that holds for every attack."""
        folder = self.folder(attack.name)
        attack.put(folder)
        before = self.listing(folder)
        graded = self.graded(attack.name)
        assert self.listing(folder) == before, "the submission was changed"
        shutil.rmtree(folder)
        self.nothing_is_left()
        outcome = told(graded)
        self.nothing_was_read(outcome)
        if self.honest is not None:
            assert self.graded("honest") == self.honest, "the neighbour sees or gets something else"
        return outcome

    def graded(self, student: str) -> dict[str, Any]:
        """A submission's graded notebook, but for how long it took."""
        path = self.folder(student) / f"{LESSON}.ipynb"
        made = json.loads(workers.grade(job_for(path, SEED, LIMITS)))
        del made["metadata"]["grader"]["seconds"]
        return made

    def listing(self, folder: Path) -> list[tuple[str, int]]:
        return sorted((str(path), path.lstat().st_size) for path in folder.rglob("*"))

    def nothing_is_left(self) -> None:
        assert all(sandbox.usage() == (0, 0) for sandbox in self.sandboxes()), "processes are left"
        for top in {Path("/tmp"), Path("/dev/shm"), Path("/var/tmp"), Path.home(), Path.cwd(), self.root}:
            assert not list(top.glob(f"*{LEFT_BEHIND}*")), f"a file is left in {top}"

    def nothing_was_read(self, outcome: Outcome) -> None:
        shown = outcome.shown + json.dumps(outcome.sentences, ensure_ascii=False)
        assert self.canary not in shown, "a secret was read"
        for words in ("BEGIN SOLUTION", "BEGIN HIDDEN", "grader.stock", "GRADER_CANARY="):
            assert words not in shown, f"{words} was read"
        digits = [re.sub(r"[^0-9]", "", sentence) for sentence in outcome.sentences]
        for number in hidden_numbers():
            assert number not in shown, "a hidden input was read"
            assert not any(number.lstrip("-0.").replace(".", "") in text for text in digits), "a hidden input was spelled"

    def grown(self) -> int:
        """Bytes that the warm interpreters have taken since the beginning."""
        return max(0, self.warm_memory() - self.memory)

    def warm_memory(self) -> int:
        """Resident bytes of the warm interpreters."""
        pids = [max(sandbox.warm_pids) for sandbox in self.sandboxes()]
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def sandbox(self) -> Sandbox:
        return workers.sandbox(LIMITS, False)

    def sandboxes(self) -> list[Sandbox]:
        return [self.sandbox, *self.sandbox.poorer.values()]


def told(graded: dict[str, Any]) -> Outcome:
    record = graded["metadata"]["grader"]
    lost = [entry for entry in record["exercises"] if entry["score"] < entry["max_score"]]
    sentences = [f"{entry['name']}: {entry['message']}" for entry in lost] + record["incidents"]
    sentences += [record["error"]] if record["error"] else []
    outputs = [cell.get("outputs", []) for cell in graded["cells"]]
    score = sum(entry["score"] for entry in record["exercises"])
    return Outcome(score, sentences, json.dumps(outputs, ensure_ascii=False))


def hidden_numbers() -> Iterator[str]:
    """Hidden inputs as they would be printed, by more digits than a card ever tells."""
    for checkset in hidden_checksets(LESSON, SEED).values():
        for number in checkset.questions[0].request["args"][0].ravel().tolist():
            if len(repr(number)) > 12:
                yield repr(number)[:11]


def marked(made: NotebookNode, kind: str) -> list[NotebookNode]:
    """The cells that nbgrader's marks say to be a "solution", or to "grade"."""
    return [cell for cell in made.cells if cell.metadata.get("nbgrader", {}).get(kind)]


def find(made: NotebookNode, grade_id: str) -> NotebookNode:
    return next(cell for cell in made.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def fresh_copy(cell: NotebookNode) -> NotebookNode:
    return nbformat.from_dict(json.loads(json.dumps(cell)))
