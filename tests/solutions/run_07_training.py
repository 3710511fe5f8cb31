"""Lesson 07's own run, for several seeds: `make train-lesson` writes docs/training.md from it.

The lesson's cells run as they stand, with the course's own answers and on the course's own Transformer;
only the seed is another one. Nothing is read from, or left in, the lesson's folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import platform
import tempfile
import time
from typing import Any

import matplotlib
import torch

from grader.lessons import COURSE_ROOT, read_lesson, without_markers

PAGE = COURSE_ROOT / "docs" / "training.md"
LESSON = "07_training"
SEED = "seed = 1\n"  # as the lesson has it


def train(seed: int) -> dict[str, Any]:
    """What the lesson's cells define, once they have run with this seed, and the seconds of the run."""
    lesson = read_lesson(LESSON)
    answers = lesson.namespace()
    sources = [without_markers(cell.source) for cell in lesson.cells if cell.cell_type == "code"]
    assert sum(SEED in source for source in sources) == 1, "the lesson's run has its seed elsewhere"
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for source in sources:
            if source.startswith("check("):
                continue
            wall, cpu = time.perf_counter(), time.process_time()
            exec(compile(source.replace(SEED, f"seed = {seed}\n"), LESSON, "exec"), space)
            if "losses = train(" in source:
                space["wall"], space["cpu"] = time.perf_counter() - wall, time.process_time() - cpu
            space.update({name: answers[name] for name in lesson.carried if name in space})
    return space


def row(seed: int) -> str:
    """A line of the table."""
    space = train(seed)
    right, of = sum(space["exact"]), len(space["exact"])
    first = space["translations"][0]
    print(f"seed {seed}: {right} of {of} exact, {space['wall']:.0f} s, {space['cpu']:.0f} s of CPU time, {first}", flush=True)
    return (
        f"| {seed} | {len(space['losses'])} | {space['losses'][-1]:.3f} | {right} of {of} | {right / of:.1%} "
        f"| {first} | {space['wall']:.0f} | {space['cpu']:.0f} |"
    )


def page(rows: list[str]) -> str:
    """The whole page."""
    return "\n".join(
        [
            "# Lesson 07's run",
            "",
            "Written by `make train-lesson`: the run of lesson 07 as the lesson has it, for other seeds as well. *Exact* are",
            "the held-out test sentences that greedy decoding translates word for word as they should be. The seconds",
            "are those of the run's cell, the samples on the way included; CPU time is that of all threads together.",
            "",
            f"PyTorch {torch.__version__.partition('+')[0]}, {torch.get_num_threads()} threads, {platform.machine()}, "
            f"{'a GPU' if torch.cuda.is_available() else 'no GPU'}.",
            "",
            "| seed | steps | last loss | exact | share | *Jane visite l'Afrique en septembre* | seconds | CPU seconds |",
            "|--:|--:|--:|--:|--:|---|--:|--:|",
            *rows,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[1, 2, 3])
    seeds = parser.parse_args().seeds
    matplotlib.use("Agg")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        rows = [row(seed) for seed in seeds]
    PAGE.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
