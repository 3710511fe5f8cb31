"""Grades every attack and writes what became of it to docs/attacks.md: `make attacks`."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from grader.lessons import COURSE_ROOT
from tests.attacks.harness import GROUPS, MAX_GROWTH, Attack, Outcome, Worker, attacks
from tests.attacks.threats import THREATS

PAGE = COURSE_ROOT / "docs" / "attacks.md"
HEAD = """# What submissions try

This page is written by `make attacks`, which grades every submission of `tests/attacks/`. Each does in
earnest what it says. It is graded by one worker between two honest submissions, whose graded notebooks must
stay the same to the last letter. It held if no point was gained beyond what the honest code in the
submission earns, no secret planted around it and no hidden input was read, no process, file or memory was
left behind, the submission was not changed, and the instructor is told what happened, in a plain sentence.
"""


def main() -> int:
    """Exit status 1 where an attack was not held."""
    outcomes: list[tuple[Attack, Outcome | str]] = []
    with tempfile.TemporaryDirectory() as folder, Worker(Path(folder)) as worker:
        for attack in attacks():
            try:
                outcome = worker.hold(attack)
                problem = complaint(attack, outcome)
            except AssertionError as error:
                problem = str(error).splitlines()[0] or "not held"
            outcomes.append((attack, problem or outcome))
            print(f"{'NOT HELD' if problem else 'held'}: {attack.group}/{attack.name} {problem}", flush=True)
        grown = worker.grown()
    PAGE.write_text(page(outcomes, grown), encoding="utf-8")
    broken = sum(isinstance(outcome, str) for _, outcome in outcomes) + (grown > MAX_GROWTH)
    print(f"{len(outcomes)} attacks, {broken} not held: {PAGE.relative_to(COURSE_ROOT)}")
    return int(bool(broken))


def complaint(attack: Attack, outcome: Outcome) -> str:
    """What is wrong with an outcome, in a sentence; empty where nothing is."""
    if outcome.score != attack.earns:
        return f"{outcome.score:g} points in the place of {attack.earns:g}: {outcome.sentences}"
    if not all(sentence.isprintable() and len(sentence) < 500 for sentence in outcome.sentences):
        return f"a sentence cannot be read: {outcome.sentences}"
    told, may_be_silent = "\n".join(outcome.sentences), attack.told.startswith(("nothing", "perhaps "))
    if may_be_silent and not told:
        return ""
    if attack.told == "nothing" or not re.search(attack.told.removeprefix("perhaps "), told):
        return f"the instructor is told {outcome.sentences}"
    return ""


def page(outcomes: list[tuple[Attack, Outcome | str]], grown: int) -> str:
    held = sum(isinstance(outcome, Outcome) for _, outcome in outcomes)
    memory = f"After all of them the warm interpreters held {grown / (1 << 20):.1f} MiB more than at the beginning."
    parts = [HEAD, f"{held} of {len(outcomes)} attacks held. {memory}\n"]
    for group, title in GROUPS.items():
        lines = [f"## {title}\n", "| what is tried | by |", "| --- | --- |"]
        lines += [f"| {threat} | {', '.join(names.split())} |" for threat, names in THREATS[group].items()]
        lines += ["", "| attack | what it does | honest code earns | it got | told |", "| --- | --- | ---: | ---: | --- |"]
        lines += [row(attack, outcome) for attack, outcome in outcomes if attack.group == group]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def row(attack: Attack, outcome: Outcome | str) -> str:
    got, told = ("", f"NOT HELD: {outcome}")
    if isinstance(outcome, Outcome):
        got, told = f"{outcome.score:g}", " ".join(f"{sentence.rstrip('.')}." for sentence in outcome.sentences[:2])
    told = re.sub(r"([|<>*_`\[\]$])", r"\\\1", told if len(told) < 300 else told[:299] + "…")
    return f"| {attack.name} | {attack.tries} | {attack.earns:g} | {got} | {told or '–'} |"


if __name__ == "__main__":
    sys.exit(main())
