"""What ends a run half-way loses no finished grade, and the next run grades what is missing or newer, once."""

import fcntl
import os
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path

import pytest
from nbgrader.api import Base, Gradebook, create_engine

from grader import autograde
from grader.errors import GraderError

KEPT = "what was graded is kept, the same command grades the rest"


def below(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        children += map(int, task.read_text().split())
    return children + [one for child in children for one in below(child)]


def wait_for(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.parametrize("count, half", [(12, 4), pytest.param(200, 100, marks=pytest.mark.long)])
def test_a_killed_grader_leaves_nothing_behind_and_the_same_command_goes_on(pupils, count, half):
    pupils.fill(count)
    grader = pupils.start()
    wait_for(lambda: len(pupils.finished()) >= half, 600)
    started = below(grader.pid)
    grader.kill()
    grader.wait()
    before = pupils.finished()
    assert half <= len(before) < count
    wait_for(lambda: not any(map(alive, started)), 20)
    status, told, _ = pupils.grade()
    assert status == 0 and told.startswith(f"{count - len(before)} submissions")
    after = pupils.finished()
    assert {student: after[student] for student in before} == before  # graded once
    assert pupils.scores() == pupils.points


def test_progress_tells_rate_and_time_left(pupils):
    pupils.fill(4)
    terminal, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    grader = pupils.start(stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(terminal, 1000):
            shown += part
    except OSError:  # its other end has closed
        pass
    os.close(terminal)
    assert grader.wait(60) == 0
    assert re.search(rb"%.* [1-3]/4 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+(submission/s|s/submission)", shown), shown


def test_a_killed_worker_is_replaced(pupils):
    pupils.fill(9)
    grader = pupils.start()
    wait_for(lambda: len(pupils.finished()) >= 2)
    workers = [pid for pid in below(grader.pid) if any("bwrap" in command(child) for child in below(pid)[:1])]
    os.kill(workers[0], signal.SIGKILL)
    told, complaints = grader.communicate(timeout=300)
    assert grader.returncode == 0, complaints
    assert told.startswith("9 submissions") and pupils.scores() == pupils.points


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_what_kills_its_worker_twice_fails_alone(workers):
    deadly = workers.submit(signal.raise_signal, signal.SIGKILL)
    with pytest.raises(GraderError, match="worker process was killed"):
        deadly.result(timeout=120)
    assert workers.submit(abs, -1).result(timeout=120) == 1


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk can be made by root only")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk_stops_the_run_in_a_sentence_and_loses_nothing(small_disk, make_class, workers):
    pupils = make_class(small_disk)
    pupils.hand_in("first")
    run = pupils.grade_here(workers)
    assert run.graded == ["first"], run
    before = pupils.finished()
    pupils.fill(6)
    room = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(room.f_bavail * room.f_frsize - 120_000))
    with pytest.raises(GraderError, match=KEPT) as stopped:
        pupils.grade_here(workers)
    assert "full" in str(stopped.value) or "No space left" in str(stopped.value)
    between = pupils.finished()
    assert len(between) < 7 and between.items() >= before.items()
    (small_disk / "ballast").unlink()
    assert len(pupils.grade_here(workers).graded) == 7 - len(between)
    assert pupils.finished().items() >= between.items() and pupils.scores() == pupils.points


def locked(db: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(db, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def test_a_gradebook_that_stays_locked_stops_the_run_in_a_sentence(pupils, workers, monkeypatch):
    monkeypatch.setattr(autograde, "LOCKED_SECONDS", 0.5)
    pupils.fill(4)
    record, held = autograde.ClassAutograde.record, []

    def record_then_lock(course, *arguments):
        if len(pupils.finished()) == 2 and not held:
            held.append(locked(pupils.root / "gradebook.db"))
        record(course, *arguments)

    monkeypatch.setattr(autograde.ClassAutograde, "record", record_then_lock)
    with pytest.raises(GraderError, match="database is locked.*" + KEPT):
        pupils.grade_here(workers)
    before = pupils.finished()
    assert len(before) == 2
    held[0].close()
    assert len(pupils.grade_here(workers).graded) == 2
    assert pupils.finished().items() >= before.items() and pupils.scores() == pupils.points


def test_a_gradebook_that_is_locked_for_a_moment_is_waited_for(pupils, workers):
    pupils.fill(2)
    pupils.grade_here(workers)
    pupils.hand_in("late")
    connection = locked(pupils.root / "gradebook.db")
    threading.Timer(6, connection.close).start()  # longer than SQLite's own patience
    assert pupils.grade_here(workers).graded == ["late"]
    assert pupils.scores() == pupils.points


def test_a_gradebook_left_half_made_is_completed(pupils, workers):
    Base.metadata.create_all(create_engine(pupils.db_url))
    with Gradebook(pupils.db_url, "transformer") as gradebook:
        gradebook.add_assignment(pupils.lesson)  # known, but none of its cells
    pupils.fill(2)
    assert len(pupils.grade_here(workers).graded) == 2 and pupils.scores() == pupils.points
    with sqlite3.connect(pupils.root / "gradebook.db") as connection:
        assert len(connection.execute("SELECT version_num FROM alembic_version").fetchall()) == 1


def test_manual_grades_and_comments_survive_a_regrade(pupils, workers):
    pupils.hand_in("ada", "from-one")
    pupils.grade_here(workers)
    with pupils.gradebook() as gradebook:
        (notebook,) = gradebook.find_submission(pupils.lesson, "ada").notebooks
        notebook.grades[0].manual_score, notebook.grades[0].extra_credit = 4.0, 0.5
        notebook.comments[0].manual_comment = "Almost: count from zero."
        gradebook.db.commit()
    assert pupils.grade_here(workers, force=True).graded == ["ada"]
    with pupils.gradebook() as gradebook:
        (notebook,) = gradebook.find_submission(pupils.lesson, "ada").notebooks
        grade = notebook.grades[0]
        assert (grade.auto_score, grade.manual_score, grade.extra_credit) == (0.0, 4.0, 0.5)
        assert grade.needs_manual_grade and grade.score == 4.5
        assert notebook.comments[0].comment == "Almost: count from zero."


def test_only_a_newer_submission_is_graded_again(pupils, workers):
    for student in ("newer", "older", "same"):
        pupils.hand_in(student, "from-one", "2026-01-02 10:00:00 UTC")
    pupils.grade_here(workers)
    for student, when in {"newer": "2026-01-03 10:00:00", "older": "2026-01-01 10:00:00"}.items():
        pupils.hand_in(student, "perfect", f"{when} UTC")
    assert pupils.grade_here(workers).graded == ["newer"]
    assert pupils.scores() == {"newer": 5, "older": 0, "same": 0}
    assert pupils.grade_here(workers).graded == []


def test_a_late_submission_gets_the_penalty_that_the_course_sets(pupils, workers):
    pupils.hand_in("in-time", "perfect", "2026-01-02 10:00:00 UTC")
    pupils.hand_in("too-late", "perfect", "2026-01-02 10:00:01 UTC")
    pupils.configure('c.LateSubmissionPlugin.penalty_method = "zero"\n')
    with Gradebook(pupils.db_url, "transformer") as gradebook:
        gradebook.add_assignment(pupils.lesson, duedate="2026-01-02 10:00:00 UTC")
    pupils.grade_here(workers)
    assert penalties(pupils) == {"in-time": (0, 0), "too-late": (1, 5)}
    pupils.configure()  # the course takes it back
    pupils.grade_here(workers, force=True)
    assert penalties(pupils) == {"in-time": (0, 0), "too-late": (1, 0)}
    assert pupils.scores() == pupils.points  # nbgrader subtracts it in its exports


def penalties(pupils) -> dict[str, tuple[float, float]]:
    """(seconds late, points less) by student."""
    with pupils.gradebook() as gradebook:
        found = gradebook.assignment_submissions(pupils.lesson)
        return {one.student.id: (one.total_seconds_late, one.late_submission_penalty or 0) for one in found}


def test_of_what_a_student_submits_twice_the_last_counts(pupils, workers, tmp_path_factory):
    exchange, home = tmp_path_factory.mktemp("exchange"), tmp_path_factory.mktemp("home")
    exchange.chmod(0o777)
    pupils.configure(f'c.Exchange.root = {str(exchange)!r}\nc.ExchangeCollect.check_owner = False\n')
    pupils.grade_here(workers)  # so that there is a release
    pupils.nbgrader("release_assignment", pupils.lesson)
    config = (pupils.root / "nbgrader_config.py").read_text()
    (home / "nbgrader_config.py").write_text(config.replace(str(pupils.root), str(home)))

    def submit(kind: str) -> None:
        pupils.hand_in("ada", kind).rename(home / pupils.lesson)
        pupils.nbgrader("submit", pupils.lesson, "--student=ada", "--course=transformer", cwd=home)
        shutil.rmtree(home / pupils.lesson)

    submit("from-one")
    submit("one-sentence-only")
    pupils.nbgrader("collect", pupils.lesson)
    assert pupils.grade_here(workers).graded == ["ada"] and pupils.scores() == {"ada": 3}
    submit("perfect")
    pupils.nbgrader("collect", pupils.lesson, "--update")
    assert pupils.grade_here(workers).graded == ["ada"] and pupils.scores() == {"ada": 5}


def test_odd_submissions_are_told_and_the_rest_goes_on(pupils, workers):
    pupils.hand_in("fine")
    pupils.hand_in("timeless", time="yesterday, perhaps")
    os.mkfifo(pupils.hand_in("piping") / "timestamp.txt")
    (pupils.hand_in("misnamed") / "00_welcome.ipynb").rename(pupils.root / "submitted/misnamed/00_welcome/00.ipynb")
    (pupils.hand_in("more") / "extra.ipynb").write_text("{}")
    run = pupils.grade_here(workers)
    assert sorted(run.graded) == ["fine", "more", "piping", "timeless"]
    assert run.failed == {"misnamed": "there is no 00_welcome.ipynb in its folder"}
    del pupils.points["misnamed"]
    assert pupils.scores() == pupils.points
    assert (pupils.grade_here(workers).graded, set(run.failed)) == ([], {"misnamed"})


@pytest.mark.parametrize(
    "url, told",
    [
        ("sqlite:////nowhere/at/all/gradebook.db", "unable to open database file"),
        ("no address", "expected one like sqlite"),
        ("mysteries://host/book", "expected one like sqlite"),
    ],
)
def test_a_gradebook_that_cannot_be_opened_is_told_in_a_sentence(pupils, workers, url, told):
    pupils.db_url = url
    pupils.configure()
    with pytest.raises(GraderError, match=told) as error:
        pupils.grade_here(workers)
    assert "\n" not in str(error.value)
