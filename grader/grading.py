"""Grades one notebook on two sides: the student's code in a sandbox, the verdict here.

with Sandbox() as sandbox:
    graded = grade_notebook(notebook, "01_self_attention", seed, sandbox)
    graded.results            # one Verdict an exercise
    graded.notebook           # executed, with a card and a score in each test cell
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from grader.errors import GraderError
from grader.needed import needed
from grader.options import add_limit_arguments, open_sandbox
from grader.sandbox import Died, Sandbox, SandboxMissing, Student
from grader.sandbox.process import cut
from grader.sanitise import safe_outputs, without_formulas
from grader.spec import load_lesson
from grader.submission import is_copy, lesson_of, read_files, read_submission, release_notebook, repair
from utils import stand_ins
from utils.card import Card
from utils.checkset import CheckSet
from utils.judge import Verdict, judge_answer
from utils.values import Unsupported, printable

NOT_RUN = "This cell repeats an answer that came before. The first one counts, so it was not run."

NOT_NEEDED = "This cell is the lesson's own. No answer needs it, so it was not run while grading."

_PARTS = {  # of an outcome, besides its value
    "value": {"changed": bool},
    "error": {"type": str, "message": str},
    "missing": {},
    "undefined": {"message": str},
    "refused": {"message": str},
    "unfit": {"message": str},
}


@dataclass
class Graded:
    """A graded notebook: the verdicts by exercise, and how long each took in seconds."""

    notebook: NotebookNode
    lesson: str
    seed: int
    results: dict[str, Verdict] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        return sum(verdict.score for verdict in self.results.values())

    @property
    def max_score(self) -> float:
        return sum(verdict.checkset.max_score for verdict in self.results.values())

    def exercises(self) -> list[dict[str, Any]]:
        """The verdicts as plain data, as `grader grade --json` prints them."""
        return [
            {
                "name": name,
                "score": verdict.score,
                "max_score": verdict.checkset.max_score,
                "status": verdict.status,
                "misconception": verdict.mistake.name if verdict.mistake else None,
                "hint": verdict.mistake.hint if verdict.mistake else None,
                "message": verdict.message,
            }
            for name, verdict in self.results.items()
        ]


def new_seed() -> int:
    """A seed that no submission can foresee; it is stored with the results, so that they can be repeated."""
    return secrets.randbits(53)  # a whole number that JSON keeps exactly


def grade_file(path: Path, seed: int, sandbox: Sandbox) -> Graded:
    """Grades a submitted file; the lesson is told by its name.

    Raises:
        GraderError: the name belongs to no lesson, or the file is no notebook.
    """
    lesson = lesson_of(path.name)
    notebook = repair(read_submission(path), release_notebook(lesson))
    return grade_notebook(notebook, lesson, seed, sandbox, read_files(path.parent, load_lesson(lesson).files))


def grade_notebook(
    notebook: NotebookNode, lesson: str, seed: int, sandbox: Sandbox, files: Mapping[str, bytes] = {}
) -> Graded:
    """Runs a repaired notebook cell by cell and judges its answers; `notebook` is filled with outputs.

    Args:
        notebook: as `grader.submission.repair` gave it.
        lesson: the lesson's name.
        seed: gives the hidden inputs.
        sandbox: where the student's code runs.
        files: what lies beside the notebook, by name.
    """
    checksets = hidden_checksets(lesson, seed)
    own = own_sources(lesson)
    graded = Graded(notebook, lesson, seed)
    tests = {exercise: cell for cell in notebook.cells if (exercise := _tested(cell, checksets))}
    answered = {_answered(cell) for cell in notebook.cells}
    with Session(sandbox, files, out_of_reach(lesson)) as session:
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        sources = [cell.source for cell in code if not (_tested(cell, checksets) or is_copy(cell))]
        to_run = session.needed(sources, own)
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            if exercise := _tested(cell, checksets):
                session.hold(exercise)
            elif is_copy(cell):
                cell.outputs = [_remark(NOT_RUN)]
            elif cell.source in own and cell.source not in to_run:
                cell.outputs = [_remark(NOT_NEEDED)]
            else:
                cell.outputs = safe_outputs(session.run(cell.source, _answered(cell), figures=cell.source not in own))
        # Hidden inputs appear only now, when no cell of the student's is left that could print them.
        # In the lesson's order, whatever the notebook's: stand-ins come in for earlier exercises only.
        for exercise in (name for name in checksets if name in tests):
            begin = time.monotonic()
            ask = session.ask if exercise in answered else _nothing
            verdict = judge_answer(checksets[exercise], ask, graded.results, stand_ins.NAMES)
            graded.results[exercise], graded.seconds[exercise] = verdict, time.monotonic() - begin
            tests[exercise].outputs = _outputs(verdict)
    notebook.metadata["grader"] = {
        "seed": seed,
        "exercises": graded.exercises(),
        "seconds": graded.seconds,
        "incidents": list(session.incidents),
    }
    return graded


@lru_cache(maxsize=8)
def hidden_checksets(lesson: str, seed: int) -> dict[str, CheckSet]:
    """All questions of a lesson for one seed: the same for every submission of a grading run."""
    return {name: exercise.checkset(seed, files=True) for name, exercise in load_lesson(lesson).exercises.items()}


@lru_cache(maxsize=8)
def own_sources(lesson: str) -> frozenset[str]:
    """The sources of the cells that are the lesson's own."""
    return frozenset(cell.source for cell in release_notebook(lesson).cells if not cell.metadata.get("nbgrader"))


def out_of_reach(lesson: str) -> tuple[str, ...]:
    """The libraries that a lesson's answers cannot call, whatever they try."""
    refused = load_lesson(lesson).refuse
    return tuple(refused) if "torch" in refused else ()


class Session:
    """One submission's code in its fork; a fork that died is replaced by one that took the same steps.

    A step runs a cell or holds an answer, as it is defined at that point, for the calls at the end.
    """

    def __init__(self, sandbox: Sandbox, files: Mapping[str, bytes], without: tuple[str, ...] = ()) -> None:
        self.sandbox, self.files, self.without = sandbox, files, without
        sandbox.warm(without)
        self.deadline = time.monotonic() + sandbox.limits.submission_seconds
        self.room = 2 * sandbox.limits.output_bytes + 4096  # for what all cells show, as it is written down
        self.student: Student | None = None
        self.steps: list[tuple[str, tuple]] = []
        self.troubles: dict[str, dict[str, Any]] = {}  # exercise -> what became of the cell that answers it
        self.incidents: dict[str, None] = {}  # sentences for an instructor's eyes, in order

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def needed(self, sources: list[str], own: Collection[str]) -> set[str]:
        """Those of the lesson's `own` cells that the student's cells need, by their sources."""
        theirs = [place for place, source in enumerate(sources) if source not in own]
        try:
            told = self._open().names([sources[place] for place in theirs])
        except Died:
            self._close()
            return set(own)
        run = needed(sources, dict(zip(theirs, told)))
        return {source for source, is_run in zip(sources, run) if is_run} & set(own)

    def run(self, source: str, exercise: str | None = None, figures: bool = True) -> list[NotebookNode]:
        """The outputs of a cell, which answers `exercise` if that is given; with the lesson's figures or without."""
        try:
            outputs = self._shown(self._step("run_cell", source, figures))
        except Died as death:
            trouble, outputs = _outcome(death, "its cell"), [_error(death)]
            self.incidents[f"a cell {death.sentence}"] = None
        else:
            error = next((output for output in outputs if output.output_type == "error"), None)
            trouble = error and _undefined(exercise, error)
        if exercise and trouble:
            self.troubles[exercise] = trouble
        return outputs

    def made(self) -> dict[str, bytes]:
        """The files that the cells have made, by name; none where the fork is gone."""
        try:
            return self._open().made()
        except Died:
            self._close()
            return {}

    def hold(self, exercise: str) -> None:
        """Keeps the answer as it is now: a later cell may give its name to something else."""
        try:
            self._step("hold", exercise)
        except Died as death:
            self.troubles.setdefault(exercise, _outcome(death, exercise))

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The outcome of one call of an answer."""
        trouble = self.troubles.get(request["name"])
        if trouble and trouble["status"] in ("timeout", "killed"):
            return trouble
        try:
            outcome = self._open().call(request)
        except Died as death:
            self._close()
            self.incidents[f"{request['name']} {death.sentence}"] = None
            return _outcome(death, request["name"])
        outcome = _rebuilt(outcome)
        if outcome is not None and outcome["status"] == "refused":
            self.incidents[outcome["message"]] = None
        if outcome is None:
            self._close()  # what else it may have sent shall not answer for others
            problem = f"{request['name']} sent back something that is no result"
            self.incidents[problem] = None
            return {"status": "killed", "message": problem}
        if trouble and outcome["status"] == "undefined":
            return trouble
        return outcome

    def _step(self, what: str, *arguments: Any) -> Any:
        try:
            result = getattr(self._open(), what)(*arguments)
        except Died:
            self._close()
            raise
        self.steps.append((what, arguments))
        return result

    def _shown(self, outputs: list[dict[str, Any]]) -> list[NotebookNode]:
        kept = cut(outputs, self.room)
        self.room -= sum(len(repr(output)) for output in kept)
        return [nbformat.from_dict(output) for output in kept]

    def _open(self) -> Student:
        """The live fork, or a new one that takes all steps again, but those that kill it this time."""
        while self.student is None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise Died("timeout", f"was stopped: the submission took longer than {self._allowed()} in all")
            self.student = self.sandbox.student(self.files, seconds=left, without=self.without)
            self.student.__enter__()
            for step in list(self.steps):
                what, arguments = step
                try:
                    getattr(self.student, what)(*arguments)
                except Died:
                    self.steps.remove(step)
                    self._close()
                    break
        return self.student

    def _allowed(self) -> str:
        return f"{self.sandbox.limits.submission_seconds:g} s"

    def _close(self) -> None:
        if self.student is not None:
            student, self.student = self.student, None
            student.__exit__(None, None, None)


def _nothing(request: dict[str, Any]) -> dict[str, Any]:
    """The outcome where no cell of the submission is marked as the answer."""
    return {"status": "missing"}


def _tested(cell: NotebookNode, checksets: dict[str, CheckSet]) -> str | None:
    marks = cell.metadata.get("nbgrader", {})
    name = marks.get("grade_id", "").removeprefix("test_")
    return name if marks.get("grade") and name in checksets else None


def _answered(cell: NotebookNode) -> str | None:
    marks = cell.metadata.get("nbgrader", {})
    return marks.get("grade_id") if marks.get("solution") else None


def _outcome(death: Died, what: str) -> dict[str, Any]:
    return {"status": "timeout" if death.reason == "timeout" else "killed", "message": f"{what} {death.sentence}"}


def _undefined(exercise: str | None, error: NotebookNode) -> dict[str, Any]:
    told = re.sub(r"<ipython-input[^>]*>, ", "", error.evalue)  # IPython's name for the cell, in a SyntaxError
    text = f"{exercise} is not defined, because its cell raised {error.ename}: {told}"
    return {"status": "undefined", "message": _redacted(text.removesuffix(": "))}


def _redacted(text: str) -> str:
    """A student's message without what could carry hidden numbers out, or drive a terminal."""
    text = re.sub(r"-?\d+\.(?!e[a-z_]|[a-df-z_])\d*(e[-+]?\d+)?|\d{5,}", "…", printable(text[:1000]))
    return re.sub(r"(?:\d\W*){10,}", "…", text)[:300]  # spelled out digit by digit


def _rebuilt(outcome: Any) -> dict[str, Any] | None:
    """The parts of an outcome that are known, of the right types; None if it is no outcome.

    A fork may send anything.
    """
    status = outcome.get("status") if isinstance(outcome, dict) else None
    parts = _PARTS.get(status) if isinstance(status, str) else None
    if parts is None or not all(isinstance(outcome.get(part), kind) for part, kind in parts.items()):
        return None
    if status == "value" and "value" not in outcome:
        return None
    made = {part: outcome[part] for part in ("status", "value", *parts) if part in outcome}
    if "value" in made:
        made["value"] = _nameless(made["value"])
    return made | {part: _redacted(made[part]) for part in ("type", "message") if part in parts}


def _nameless(value: Any) -> Any:
    """A result in which no name of a type or a key, which code chooses, carries hidden numbers out."""
    if isinstance(value, Unsupported):
        return Unsupported(_redacted(value.type_name), _redacted(value.detail))
    if isinstance(value, list):
        return [_nameless(item) for item in value]
    if isinstance(value, dict):
        return {_redacted(key): _nameless(item) for key, item in value.items()}
    return value


def _error(death: Died) -> NotebookNode:
    text = f"This cell {death.sentence}."
    return nbformat.v4.new_output("error", ename="Stopped", evalue=text, traceback=[text])


def _remark(text: str) -> NotebookNode:
    """An output; there are dozens a notebook, so nbformat does not validate each by itself."""
    return nbformat.from_dict({"output_type": "stream", "name": "stdout", "text": text})


def _outputs(verdict: Verdict) -> list[NotebookNode]:
    """What a test cell shows: the card, then the one number that nbgrader takes as its grade."""
    shown = Card(verdict, graded=True)._repr_mimebundle_()
    shown["text/html"] = without_formulas(shown["text/html"])  # it may quote a student
    return [
        nbformat.v4.new_output("display_data", data=shown),
        nbformat.v4.new_output("execute_result", data={"text/plain": repr(float(verdict.score))}, execution_count=None),
    ]


def add_arguments(parser) -> None:
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK", help="submitted notebooks")
    parser.add_argument("--json", action="store_true", help="print the results as JSON, and nothing else")
    add_limit_arguments(parser)


def main(args) -> int:
    """Grades notebooks on the spot; exit status 1 when one of them cannot be graded."""
    import json

    seed, entries = new_seed(), []
    with open_sandbox(args) as sandbox:
        for path in args.notebooks:
            entries.append(_entry(path, seed, sandbox))
            if not args.json:
                _print(entries[-1])
    if args.json:
        print(json.dumps(entries, indent=2, ensure_ascii=False))
    return int(any(entry["error"] for entry in entries))


def _entry(path: Path, seed: int, sandbox: Sandbox) -> dict[str, Any]:
    entry = {"file": str(path), "lesson": None, "score": 0.0, "max_score": 0.0, "error": None, "exercises": []}
    try:
        entry["lesson"] = lesson_of(path.name)
        entry["max_score"] = float(load_lesson(entry["lesson"]).points)
        graded = grade_file(path, seed, sandbox)
    except SandboxMissing:
        raise
    except GraderError as error:
        return entry | {"error": f"{error}."}
    except Exception as error:  # whatever is wrong with one file, the others are graded
        return entry | {"error": f"The grader failed on this file ({type(error).__name__}: {error}): grade it by hand."}
    return entry | {"score": graded.score, "max_score": graded.max_score, "exercises": graded.exercises()}


def _print(entry: dict[str, Any]) -> None:
    print(f"{entry['file']}: {entry['error'] or '{score:g} of {max_score:g}'.format(**entry)}")
    for exercise in entry["exercises"]:
        known = f" [{exercise['misconception']}]" if exercise["misconception"] else ""
        print(f"  {exercise['score']:g}/{exercise['max_score']:g}  {exercise['name']}: {exercise['status']}{known}")
        for line in filter(None, (exercise["message"], exercise["hint"])):
            print(f"      {line}")
