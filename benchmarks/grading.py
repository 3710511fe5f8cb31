"""How fast a class is graded: `make bench-grading`, or `python -m benchmarks.grading [LESSON…]`.

The same submissions are graded by plain nbgrader, by the grader with one worker and with two, and run
by a bare warm interpreter, one after the other, in several rounds. Writes docs/grading-speed.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook

from benchmarks.report import keep, machine, measured, table, write_section
from benchmarks.submissions import write_class
from grader.lessons import COURSE_ROOT
from grader.release import release
from grader.spec import lesson_names

PAGE = "grading-speed.md"
CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "transformer"
c.CourseDirectory.root = "{root}"
c.CourseDirectory.db_url = "sqlite:///{root}/gradebook.db"
c.CourseDirectory.source_directory = "source"
c.CourseDirectory.release_directory = "release"
"""
OURS = """
exec(open({config!r}).read(), {{"get_config": get_config, "__file__": {config!r}}})
"""
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(COURSE_ROOT),
}


def make_course(root: Path, lesson: str, size: int, ours: bool) -> None:
    """A course with one lesson and a class that has handed it in."""
    write_class(root / "submitted", lesson, size)
    shutil.copytree(COURSE_ROOT / "build" / "source" / lesson, root / "source" / lesson)
    config = (OURS.format(config=str(COURSE_ROOT / "nbgrader_config.py")) if ours else "") + CONFIG.format(root=root)
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    timed([sys.executable, "-m", "nbgrader", "generate_assignment", lesson], root)


def timed(command: list[str], root: Path) -> float:
    """Seconds that a command takes.

    Raises:
        SystemExit: it failed.
    """
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=root, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return time.perf_counter() - begin


def steady(root: Path) -> float:
    """Seconds a submission from the first that was recorded to the last, as the files' times tell."""
    times = sorted(path.stat().st_mtime for path in root.glob("autograded/*/*/*.ipynb"))
    return (times[-1] - times[0]) / (len(times) - 1)


def ways(lesson: str, size: int, folder: Path) -> dict[str, Callable[[], tuple[float, float]]]:
    """Each way to grade or run the class: what gives (seconds in all, seconds a submission once started)."""
    for name in ("stock", "ours"):
        make_course(folder / name, lesson, size, name == "ours")
    paths = [str(path) for path in sorted(folder.glob(f"ours/submitted/*/{lesson}/*.ipynb"))]

    def graded(root: Path, *command: str) -> tuple[float, float]:
        seconds = timed([sys.executable, "-m", *command, lesson, "--force"], root)
        return seconds, steady(root)

    def floor(cells: str) -> tuple[float, float]:
        command = [sys.executable, "-m", "benchmarks.floor", cells, *paths]
        seconds = float(subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True).stdout)
        return seconds, seconds / size

    return {
        "plain nbgrader": lambda: graded(folder / "stock", "nbgrader", "autograde"),
        "grader, 1 worker": lambda: graded(folder / "ours", "grader", "autograde", "--jobs", "1"),
        "grader, 2 workers": lambda: graded(folder / "ours", "grader", "autograde", "--jobs", "2"),
        "floor, all cells": lambda: floor("all"),
        "floor": lambda: floor("needed"),
    }


def scores(root: Path, lesson: str) -> dict[str, float]:
    """The gradebook's scores by student."""
    with Gradebook(f"sqlite:///{root}/gradebook.db", "transformer") as gradebook:
        return {submission.student.id: submission.score for submission in gradebook.assignment_submissions(lesson)}


def compare(lesson: str, size: int, rounds: int) -> dict[str, Any]:
    """Everything measured for one lesson: by way a list of (whole, steady), one a round."""
    with tempfile.TemporaryDirectory() as folder:
        all_ways = ways(lesson, size, Path(folder))
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in all_ways}
        loads: list[float] = []
        for number in range(rounds):
            for name, run in all_ways.items():
                found[name].append(run())
                seconds, load = found[name][-1][0] / size, os.getloadavg()[0]
                loads.append(load)
                print(f"{lesson}, round {number + 1}, {name}: {seconds:.3f} s a submission (load {load:.1f})", flush=True)
        differ = {
            student: (score, scores(Path(folder, "ours"), lesson)[student])
            for student, score in scores(Path(folder, "stock"), lesson).items()
            if score != scores(Path(folder, "ours"), lesson)[student]
        }
        if differ:
            print(f"{lesson}: scores differ (plain nbgrader, grader): {differ}")
    return {"size": size, "ways": found, "loads": loads, "scores that differ": len(differ)}


def described(lesson: str, numbers: dict[str, Any]) -> str:
    """One lesson's numbers as a section of the page."""
    size, found, loads = numbers["size"], numbers["ways"], numbers["loads"]
    whole = {name: [seconds / size for seconds, _ in rounds] for name, rounds in found.items()}
    once = {name: [seconds for _, seconds in rounds] for name, rounds in found.items()}
    stock, floor = min(whole["plain nbgrader"]), min(whole["floor"])
    rows = [
        [name, spread(whole[name]), spread(once[name]), f"{stock / min(whole[name]):.1f}", f"{min(once[name]) / floor:.2f}"]
        for name in found
    ]
    head = ["way", "s a submission", "once started", "times as fast as plain nbgrader", "times the floor"]
    same = "All scores were the same." if not numbers["scores that differ"] else (
        f"{numbers['scores that differ']} of {size} scores differed."
    )  # fmt: skip
    rounds = len(whole["floor"])
    return f"### Lesson {lesson}\n\n{size} submissions, {rounds} round{'s' if rounds > 1 else ''}. {same} The machine's load was {min(loads):.1f} to {max(loads):.1f}.\n\n{table(head, rows)}"


def spread(values: list[float]) -> str:
    """The fastest round and, where there are several, the slowest."""
    return f"{min(values):.3f}" + (f" to {max(values):.3f}" if len(values) > 1 else "")


def main() -> None:
    default = [name for name in lesson_names() if re.match("0[15]_", name)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", default=default, metavar="LESSON", help=f"default: {' '.join(default)}")
    parser.add_argument("--size", type=int, default=40, metavar="N", help="submissions (default 40)")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="default 1")
    args = parser.parse_args()
    release(COURSE_ROOT)
    numbers: dict[str, Any] = measured().get("grading", {})  # those of other lessons stay
    for lesson in args.lessons:
        numbers[lesson] = compare(lesson, args.size, args.rounds)
        keep("grading", numbers)
        told = "\n\n".join(described(name, found) for name, found in numbers.items())
        write_section(PAGE, "make bench-grading", f"Measured on {machine()}.\n\n{told}")
    print(told)


if __name__ == "__main__":
    main()
