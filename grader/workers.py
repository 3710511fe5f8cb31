"""What a worker does, and the worker processes of this machine.

    with LocalWorkers(2) as workers:           # or grader.cluster.Cluster: both are `concurrent.futures` executors
        future = workers.submit(grade, job)
        text = future.result()                 # the graded notebook

A worker that dies is replaced, and its submission is tried once more; nothing else is lost with it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from grader.errors import GraderError
from grader.grading import grade_notebook, hidden_checksets, out_of_reach
from grader.sandbox import Limits, Sandbox, Unprotected
from grader.sandbox.limits import STANDARD
from grader.sanitise import sanitise
from grader.submission import parse_submission, release_notebook, repair

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # workers share cores
_mine = threading.local()  # a sandbox ends with the thread that started it


@dataclass(frozen=True)
class Job:
    """One submission to grade: plain values, so that it can travel to a worker anywhere.

    Attributes:
        data: what is in the submitted file; None if that cannot be read, for the reason in `problem`.
        files: what lies beside it, by name.
        left_out: a sentence on each file that is not used.
    """

    lesson: str
    seed: int
    data: bytes | None
    problem: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    limits: Limits = STANDARD
    unprotected: bool = False


def grade(job: Job) -> str:
    """The graded notebook as text; a file that is no notebook gives an empty one that says so."""
    release = release_notebook(job.lesson)
    problem = job.problem
    try:
        notebook = None if problem else repair(parse_submission(job.data, f"{job.lesson}.ipynb"), release)
    except GraderError as error:
        problem = str(error)
    if problem:
        notebook = _unreadable(release, problem)
    sanitise(notebook, release)
    grade_notebook(notebook, job.lesson, job.seed, sandbox(job.limits, job.unprotected), job.files)
    notebook.metadata["grader"]["error"] = problem
    notebook.metadata["grader"]["incidents"] += job.left_out
    return nbformat.writes(notebook)


def get_ready(lesson: str, seed: int, limits: Limits = STANDARD, unprotected: bool = False) -> None:
    """Does what the first submission of a run would otherwise wait for."""
    sandbox(limits, unprotected).warm(out_of_reach(lesson))
    hidden_checksets(lesson, seed)


class LocalWorkers(ThreadPoolExecutor):
    """Worker processes of this machine, each run by a thread of this process.

    Where it is known which lesson they will grade, that is imported once for all of them.
    Leaving it by an exception ends the workers at once; leaving it otherwise waits for them.
    """

    def __init__(self, count: int, lesson: str | None = None) -> None:
        super().__init__(count)
        self.count = count
        os.environ.update(ONE_THREAD)
        self._server = multiprocessing.get_context("forkserver")  # imports what workers need once for all of them
        self._server.set_forkserver_preload([__name__, *([f"grader.exercises.{lesson}"] if lesson else [])])
        self._own = threading.local()  # each thread's worker
        self._workers: list[_Worker] = []
        self._stopped = False

    def submit(self, work: Callable[..., Any], /, *arguments: Any) -> Future:
        return super().submit(self._in_a_worker, work, *arguments)

    def check(self) -> None:
        """Raises GraderError when there is no hope of a result; here there always is."""

    def __exit__(self, kind: type | None, *exception: object) -> None:
        if kind:
            self._stopped = True
            for worker in self._workers:
                worker.kill()
        self.shutdown(cancel_futures=bool(kind))
        for worker in self._workers:
            worker.kill()

    def _in_a_worker(self, work: Callable[..., Any], *arguments: Any) -> Any:
        for _ in range(2):
            if self._stopped:
                break
            try:
                return self._worker().run(work, *arguments)
            except (EOFError, OSError):
                self._own.worker.kill()
                del self._own.worker
        raise GraderError("its worker process was killed, and so was the next one that tried")

    def _worker(self) -> _Worker:
        if not hasattr(self._own, "worker"):
            self._own.worker = _Worker(self._server)
            self._workers.append(self._own.worker)
            if self._stopped:
                self._own.worker.kill()
        return self._own.worker


class _Worker:
    """One worker process, and the wire to it."""

    def __init__(self, server: Any) -> None:
        self.wire, theirs = server.Pipe()
        self.process = server.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """What `work` returns over there.

        Raises:
            EOFError, OSError: the process has died.
            GraderError: the work raised an exception.
        """
        self.wire.send((work, arguments))
        done, result = self.wire.recv()
        if not done:
            raise result
        return result

    def kill(self) -> None:
        """Ends the process; its sandbox goes with it."""
        self.process.kill()
        self.process.join()


def _serve(wire: Any) -> None:
    """What a worker process does until the grader ends, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's business
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process().sentinel,), daemon=True).start()
    while True:
        try:
            work, arguments = wire.recv()
        except EOFError:
            return
        try:
            answer = True, work(*arguments)
        except Exception as error:
            answer = False, error if isinstance(error, GraderError) else GraderError(f"{type(error).__name__}: {error}")
        wire.send(answer)


def _end_with(parent: int) -> None:
    wait([parent])
    os._exit(1)


def sandbox(limits: Limits, unprotected: bool) -> Sandbox:
    """This thread's sandbox for these limits, started when first needed and kept warm."""
    wanted = (limits, unprotected)
    if getattr(_mine, "wanted", None) != wanted:
        if hasattr(_mine, "sandbox"):
            _mine.sandbox.__exit__(None, None, None)
        _mine.sandbox = (Unprotected if unprotected else Sandbox)(limits)
        _mine.sandbox.__enter__()
        _mine.wanted = wanted
    return _mine.sandbox


def _unreadable(release: NotebookNode, problem: str) -> NotebookNode:
    notebook = repair(nbformat.v4.new_notebook(), release)
    text = f"**This submission could not be graded.** {problem}."
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text, id="problem"))
    return notebook
