"""Workers of a Dask cluster: `grader autograde LESSON --cluster tcp://host:8786`.

They need this course as it is here (the same files), and bubblewrap; submissions and graded notebooks
travel over the wire, so no folder has to be shared. Whoever reaches a scheduler can run code on its
workers: keep it on a network of your own.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from grader.errors import GraderError
from grader.lessons import COURSE_ROOT
from grader.sandbox import Sandbox, Unprotected

CONNECTING, JOINING = 10.0, 30.0  # seconds to wait for a scheduler, and for a first worker


class Cluster(Executor):
    """The workers of a running Dask cluster.

    Args:
        address: the scheduler's, e.g. tcp://host:8786.
        unprotected: student code is to run without bubblewrap.

    Raises:
        GraderError: dask.distributed is not installed, no scheduler answers, no worker joins, or a worker
            is not ready to grade.
    """

    def __init__(self, address: str, unprotected: bool = False) -> None:
        try:
            import distributed
        except ModuleNotFoundError:
            raise GraderError("--cluster needs dask.distributed: pip install 'transformer-course[cluster]'") from None
        for name in ("distributed", "distributed.client", "distributed.core", "distributed.comm"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # a sentence of ours says what went wrong
        self.address = address
        try:
            self.client = distributed.Client(address, timeout=CONNECTING, set_as_default=False)
        except (OSError, ValueError, asyncio.TimeoutError) as error:
            told = str(error).partition("\n")[0] or "no answer"
            raise GraderError(f"no Dask scheduler at {address} ({told}): start one with `dask scheduler`") from None
        try:
            self.check()
            self._compare(unprotected)
        except BaseException:
            self.client.close()
            raise
        self.executor = self.client.get_executor(pure=False)

    @property
    def count(self) -> int:
        """How many submissions the workers grade at a time."""
        try:
            return sum(self.client.nthreads().values())
        except Exception:
            raise self._gone() from None

    def submit(self, work: Callable[..., Any], /, *arguments: Any) -> Future:
        if self.client.status != "running":
            raise self._gone()
        return self.executor.submit(work, *arguments)

    def check(self) -> None:
        """Raises GraderError when there is no hope of a result: no scheduler, or no worker for a while."""
        if self.client.status != "running":
            raise self._gone()
        try:
            self.client.wait_for_workers(1, timeout=JOINING)
        except (TimeoutError, asyncio.TimeoutError):
            raise GraderError(
                f"no worker has joined {self.address} for {JOINING:g} s: start one with `dask worker {self.address}`"
            ) from None
        except Exception:
            raise self._gone() from None

    def _gone(self) -> GraderError:
        return GraderError(f"the Dask scheduler at {self.address} has gone; what was graded is kept")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.executor.shutdown(wait=wait and not cancel_futures)
        self.client.close()

    def __exit__(self, kind: type | None, *exception: object) -> None:
        self.shutdown(cancel_futures=bool(kind))

    def _compare(self, unprotected: bool) -> None:
        """Sees that each worker has this course, as it is here, and a sandbox."""
        here = fingerprint()
        for worker, answer in self.client.run(readiness, unprotected, on_error="return").items():
            if answer == here:
                continue
            if isinstance(answer, GraderError):
                told = str(answer)
            elif isinstance(answer, Exception):
                told = f"it cannot import the course ({type(answer).__name__}: {answer})"
            else:
                told = "its copy of the course differs from the one here"
            raise GraderError(f"the worker {worker} is not ready to grade: {told}")


def readiness(unprotected: bool) -> str:
    """Run on a worker: its course's fingerprint.

    Raises:
        GraderError: there is no sandbox.
    """
    (Unprotected if unprotected else Sandbox).require()
    return fingerprint()


def fingerprint() -> str:
    """What tells two versions of the course apart: a hash of all files that decide a grade."""
    found = hashlib.sha256()
    for pattern in ("grader/**/*.py", "utils/**/*.py", "solutions/*.py", "notebooks/*/*"):
        for path in sorted(COURSE_ROOT.glob(pattern)):
            found.update(f"{path.relative_to(COURSE_ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()
