"""What large classes need: `make scaling`, or `python -m benchmarks.simulate`.

A queue, simulated with the service times that `make bench-scale` measured: submissions come in, workers
run and judge them, one process a gradebook records them. Writes the tables of docs/scaling.md. The same
measurements give the same tables: the seed is fixed.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from benchmarks.report import measured, table, write_section

SEED = 2017
HOUR, DAY = 3600.0, 86400.0
WAIT, IN_TIME = 300.0, 0.95  # a learner's grade is in time after five minutes; so must be 95 of 100
PAGE = "scaling.md"


@dataclass(frozen=True)
class Service:
    """Seconds that things take, as measured.

    Attributes:
        start: from the start of a run to its first recorded submission.
        look: a submission that is graded already, each time that a run begins.
        work: running and judging one, a list to draw from.
        record: writing one down.
    """

    start: float
    look: float
    work: np.ndarray
    record: float


@dataclass(frozen=True)
class Outcome:
    """What became of a day.

    Attributes:
        waited: seconds from handing in to the recorded grade, sorted.
        busy: seconds that all workers together worked.
        recording: seconds that all gradebooks together were written to.
        ended: the second of the day when the last grade was recorded.
    """

    waited: np.ndarray
    busy: float
    recording: float
    ended: float

    def percentile(self, share: float) -> float:
        return float(np.quantile(self.waited, share))


def simulate(arrivals: np.ndarray, workers: int, books: int, service: Service, rng: np.random.Generator) -> Outcome:
    """Grades what arrives: `grader autograde` again and again, in `books` courses of one gradebook each.

    Every course has its share of submissions and of workers. A run takes what has arrived when it begins.
    """
    waited, busy, recording, ended = [], 0.0, 0.0, 0.0
    for book in range(books):
        mine = arrivals[book::books]
        crew = workers // books + (book < workers % books)
        now, done = 0.0, 0
        while done < len(mine):
            now = max(now, mine[done])
            here = int(np.searchsorted(mine, now, side="right"))
            now += service.start + service.look * done
            recorded = finish(now, rng.choice(service.work, here - done), crew, service.record)
            waited.append(recorded - mine[done:here])
            busy += (recorded[-1] - now) * crew
            recording += service.record * (here - done)
            now, done = float(recorded[-1]), here
        ended = max(ended, now)
    return Outcome(np.sort(np.concatenate(waited)), busy, recording, ended)


def finish(begin: float, work: np.ndarray, workers: int, record: float) -> np.ndarray:
    """When each of some submissions is recorded: workers take them in turn, one process records them in turn."""
    free = [begin] * workers
    judged = np.empty(len(work))
    for number, seconds in enumerate(work):
        judged[number] = free[0] + seconds
        heapq.heapreplace(free, judged[number])
    judged.sort()
    recorded, last = np.empty(len(work)), begin
    for number, ready in enumerate(judged):
        last = recorded[number] = max(last, ready) + record
    return recorded


def day(count: int, rng: np.random.Generator) -> np.ndarray:
    """When a day's submissions come: half of them in the evening, from 19 to 23, the others at any time."""
    evening = rng.random(count) < 0.5
    return np.sort(np.where(evening, rng.uniform(19 * HOUR, 23 * HOUR, count), rng.uniform(0, DAY, count)))


def enough(arrivals: np.ndarray, books: int, service: Service) -> int | None:
    """The least number of workers with which grades come in time; None where no number is enough."""

    def well(workers: int) -> bool:
        outcome = simulate(arrivals, workers, books, service, np.random.default_rng(SEED))
        return outcome.percentile(IN_TIME) <= WAIT

    low, high = books, books * (2 + int(service.work.mean() / service.record))  # more than a writer keeps up with
    if not well(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if well(middle) else (middle + 1, high)
    return low


def service() -> tuple[Service, dict]:
    """What was measured.

    Raises:
        SystemExit: nothing was yet.
    """
    numbers = measured().get("scale")
    if numbers is None:
        raise SystemExit("nothing is measured yet: run `make bench-scale` first")
    parts = numbers["parts"]
    work = np.array(parts["work"])
    return Service(numbers["first"] - work.mean(), parts["look"], work, parts["record"]), numbers


def class_of(size: int, times: Service) -> str:
    """All at once, after the deadline: how long it takes."""
    rows = []
    for workers in (1, 2, 4, 8, 16):
        outcome = simulate(np.zeros(size), workers, 1, times, np.random.default_rng(SEED))
        rows.append([str(workers), _time(outcome.ended), f"{outcome.recording / outcome.ended:.0%}"])
    head = ["workers", "until the last grade", "of it the gradebook is written to"]
    return f"## A class of {size:,}, all at the deadline\n\n{table(head, rows)}"


def course_of(count: int, times: Service, numbers: dict) -> str:
    """A day of many submissions: what is enough for one gradebook and for several."""
    arrivals, rows = day(count, np.random.default_rng(SEED)), []
    for books in (1, 2, 4, 8):
        workers = enough(arrivals, books, times)
        if workers is None:
            rows.append([str(books), "no number is enough", "", "", ""])
            continue
        outcome = simulate(arrivals, workers, books, times, np.random.default_rng(SEED))
        waits = f"{_time(outcome.percentile(0.5))}; {_time(outcome.percentile(IN_TIME))}"
        reserved = f"{(workers + books) * 24}"
        rows.append([str(books), str(workers), waits, f"{outcome.busy / 3600:.0f}", reserved])
        if len([row for row in rows if row[2]]) == 2:
            break
    head = ["gradebooks", "workers", f"wait: half; {IN_TIME:.0%}", "core-hours worked", "core-hours if all run all day"]
    kept = count * numbers["parts"]["notebook bytes"] / 1e9
    book = count * numbers["parts"]["gradebook bytes"] / 1e9
    return (
        f"## {count:,} a day\n\n{table(head, rows)}\n\n"
        f"A day leaves {kept:.1f} GB of graded notebooks and {book:.2f} GB of gradebook."
    )


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def main() -> None:
    times, numbers = service()
    work, record = times.work.mean(), times.record
    rate = 1 / record
    told = [
        f"From {len(times.work)} submissions of lesson {numbers['lesson']} on {numbers['machine']}, by `make bench-scale`: "
        f"{work:.3f} s to run and judge one, {record:.3f} s to record it, {1000 * times.look:.2f} ms to see that one is "
        f"graded already, {times.start:.1f} s to start a run. So one gradebook takes {rate:.0f} submissions a second, "
        f"{rate * 3600:,.0f} an hour, and {work / record:.0f} workers keep its writer busy: more are of no use.",
        class_of(300, times),
        course_of(100_000, times, numbers),
        course_of(1_000_000, times, numbers),
    ]
    text = "\n\n".join(told)
    write_section(PAGE, "make scaling", text)
    print(text)


if __name__ == "__main__":
    main()
