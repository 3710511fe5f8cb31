"""A thousand submissions in one run: `make bench-scale`, or `python -m benchmarks.scale [--size N]`.

Runs `grader autograde` on a made-up class and watches it from outside: how many are recorded, how much
memory its processes hold. Then times the parts of one submission, for the plan of docs/scaling.md.
Writes docs/grading-speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.grading import ENVIRONMENT, PAGE, make_course
from benchmarks.report import keep, machine, table, write_section
from grader.lessons import COURSE_ROOT
from grader.release import release

PARTS = 10  # of the run, each told in a line


def watch(root: Path, lesson: str, size: int, jobs: int) -> dict[str, Any]:
    """Grades the class: a sample whenever another tenth of it is recorded, and what the progress bar says half-way."""
    with tempfile.TemporaryFile("w+") as told:
        # a bar is drawn on a terminal only: `script` is one
        grade = f"{sys.executable} -m grader autograde {lesson} --jobs {jobs}"
        run = subprocess.Popen(
            ["script", "--quiet", "--return", "--command", grade, "/dev/null"],
            cwd=root, env=ENVIRONMENT, stdout=told, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        begin, samples, first = time.monotonic(), [], 0.0
        while run.poll() is None:
            recorded = sum(1 for _ in (root / "autograded").glob(f"*/{lesson}/{lesson}.ipynb"))
            first = first or (time.monotonic() - begin if recorded else 0.0)
            if recorded >= size * (len(samples) + 1) / PARTS:
                samples.append({"recorded": recorded, "seconds": time.monotonic() - begin, **memory(run.pid)})
            time.sleep(0.5)
        told.seek(0)
        text = told.read()
    if run.returncode:
        raise SystemExit(f"grading failed:\n{text[-2000:]}")
    bars = [line for line in re.split(r"[\r\n]", text) if "submission/s" in line or "s/submission" in line]
    return {"samples": samples, "first": first, "bar": bars[len(bars) // 2].strip() if bars else ""}


def memory(pid: int) -> dict[str, float]:
    """Mebibytes held: by the process that writes the gradebook, and by all below `pid` together."""
    below = descendants(pid)
    shares = {one: proportional(one) for one in below}
    writer = next((one for one in below if "grader" in command(one) and "autograde" in command(one)), pid)
    return {"writer": shares.get(writer, 0.0), "all": sum(shares.values())}


def descendants(pid: int) -> list[int]:
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in _read(task).split()
    ]  # fmt: skip
    return [one for child in children for one in (child, *descendants(child))]


def command(pid: int) -> list[str]:
    return _read(Path(f"/proc/{pid}/cmdline")).split("\0")


def proportional(pid: int) -> float:
    """Mebibytes, what is shared shared out."""
    found = re.search(r"^Pss:\s+(\d+)", _read(Path(f"/proc/{pid}/smaps_rollup")), re.M)
    return int(found[1]) / 1024 if found else 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has just ended, or is the sandbox's own
        return ""


def parts(root: Path, lesson: str, count: int) -> dict[str, Any]:
    """What one submission takes, in seconds and bytes, once the whole class is graded.

    Its `work` is where it is run and judged (a list, one a submission), `record` where it is written down,
    `look` what a later run takes to see that it is graded.
    """
    program = f"""
import json, time
from pathlib import Path
import nbformat
import grader.autograde as grading
course = grading.open_course(Path.cwd())
begin = time.perf_counter()
assert not course.pending({lesson!r})
look = time.perf_counter() - begin
course.force = True
work, record, processor = [], [], []
for student, folder in course.pending({lesson!r})[:{count} + 1]:
    path = folder / "{lesson}.ipynb"
    begin = time.perf_counter()
    text = grading.grade(grading.Job({lesson!r}, 1, path.read_bytes()))
    middle, before = time.perf_counter(), time.process_time()
    course.record(student, path, nbformat.reads(text, as_version=4))
    work.append(middle - begin)
    record.append(time.perf_counter() - middle)
    processor.append(time.process_time() - before)
print(json.dumps([look, work[1:], sum(record[1:]) / {count}, sum(processor[1:]) / {count}]))  # the first one warms up
"""
    size = sum(1 for _ in root.glob("submitted/*"))
    kept = sum(path.stat().st_size for path in root.glob("autograded/**/*.ipynb")) / size
    database = (root / "gradebook.db").stat().st_size / size
    done = subprocess.run([sys.executable, "-c", program], cwd=root, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    look, work, record, processor = json.loads(done.stdout)
    return {
        "look": look / size, "work": work, "record": record, "record, processor": processor,
        "notebook bytes": kept, "gradebook bytes": database,
    }  # fmt: skip


def described(numbers: dict[str, Any]) -> str:
    """The run as a section of the page."""
    rows, before = [], {"recorded": 0, "seconds": 0.0}
    for sample in numbers["samples"]:
        rate = (sample["recorded"] - before["recorded"]) / (sample["seconds"] - before["seconds"])
        rows.append([f"{sample['recorded']:.0f}", f"{sample['seconds']:.0f}", f"{rate:.2f}", f"{sample['writer']:.0f}", f"{sample['all']:.0f}"])
        before = sample
    head = ["recorded", "s", "a second, in this tenth", "MiB, gradebook's writer", "MiB, all processes"]
    one = numbers["parts"]
    return f"""{numbers["size"]} submissions of lesson {numbers["lesson"]}, {numbers["jobs"]} workers, on {numbers["machine"]}.

{table(head, rows)}

The bar half-way: `{numbers["bar"]}`

One submission alone takes {mean(one["work"]):.3f} s where it is run and judged, and {one["record"]:.3f} s where it is recorded
({one["record, processor"]:.3f} s of them processor time). It leaves {one["notebook bytes"] / 1000:.0f} kB of notebook and {one["gradebook bytes"] / 1000:.1f} kB of gradebook. The first one was
recorded {numbers["first"]:.1f} s after the start; a later run takes {1000 * one["look"]:.2f} ms to see that one is graded."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lesson", default="01_self_attention", metavar="LESSON", help="default 01_self_attention")
    parser.add_argument("--size", type=int, default=1000, metavar="N", help="submissions (default 1000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="workers (default: all cores)")
    args = parser.parse_args()
    release(COURSE_ROOT)
    with tempfile.TemporaryDirectory() as folder:
        make_course(Path(folder), args.lesson, args.size, ours=True)
        numbers = {"lesson": args.lesson, "size": args.size, "jobs": args.jobs, "machine": machine()}
        numbers |= watch(Path(folder), args.lesson, args.size, args.jobs)
        numbers["parts"] = parts(Path(folder), args.lesson, min(40, args.size - 1))
    keep("scale", numbers)
    write_section(PAGE, "make bench-scale", described(numbers))
    print(described(numbers))


if __name__ == "__main__":
    main()
