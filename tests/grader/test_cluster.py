"""Grading on a Dask cluster: a real scheduler and two worker processes."""

import importlib.util
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader import cluster
from grader.errors import GraderError

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None,
    reason="dask.distributed is not installed: pip install 'transformer-course[cluster]'",
)


class Dask:
    """A scheduler, and the workers that it is given."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.scheduler = self.start("scheduler", "--host=127.0.0.1", "--port=0", f"--scheduler-file={folder}/scheduler")
        self.wait_for(lambda: (folder / "scheduler").exists() and (folder / "scheduler").read_text().endswith("}"))
        self.address = json.loads((folder / "scheduler").read_text())["address"]
        self.workers: list[subprocess.Popen] = []

    def start(self, *command: str) -> subprocess.Popen:
        with open(self.folder / f"{command[0]}.log", "a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *command, "--no-dashboard"],
                cwd=self.folder, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip

    def add_worker(self) -> None:
        worker = self.start("worker", self.address, "--nthreads=1", "--no-nanny", f"--local-directory={self.folder}")
        self.workers.append(worker)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 600
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.05)

    def close(self) -> None:
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()


@pytest.fixture
def dask(tmp_path_factory, pupils) -> Iterator[Dask]:
    opened = Dask(tmp_path_factory.mktemp("dask"), pupils.environment)
    yield opened
    opened.close()


@pytest.mark.parametrize("count", [8, pytest.param(200, marks=pytest.mark.long)])
def test_two_workers_grade_a_class_and_one_may_be_killed(dask, pupils, count):
    dask.add_worker()
    dask.add_worker()
    pupils.fill(count)
    grader = pupils.start("--cluster", dask.address)
    dask.wait_for(lambda: len(pupils.finished()) >= count // 2 or grader.poll() is not None)
    dask.workers[0].send_signal(signal.SIGKILL)
    told, complaints = grader.communicate(timeout=600)
    assert grader.returncode == 0, complaints
    assert told.startswith(f"{count} submissions") and pupils.scores() == pupils.points
    assert pupils.grade("--cluster", dask.address)[1].startswith("0 submissions")


@pytest.mark.long
def test_a_killed_grader_goes_on_with_the_same_command(dask, pupils):
    dask.add_worker()
    pupils.fill(6)
    grader = pupils.start("--cluster", dask.address)
    dask.wait_for(lambda: len(pupils.finished()) >= 2 or grader.poll() is not None)
    grader.kill()
    grader.communicate()
    before = pupils.finished()
    assert pupils.grade("--cluster", dask.address)[1].startswith(f"{6 - len(before)} submissions")
    assert pupils.finished().items() >= before.items() and pupils.scores() == pupils.points


@pytest.mark.long
def test_a_scheduler_that_goes_is_told_in_a_sentence(dask, pupils):
    dask.add_worker()
    pupils.fill(12)
    grader = pupils.start("--cluster", dask.address)
    dask.wait_for(lambda: len(pupils.finished()) >= 2 or grader.poll() is not None)
    dask.scheduler.kill()
    _, complaints = grader.communicate(timeout=300)
    assert grader.returncode == 2, complaints
    assert "has gone" in complaints and "Traceback" not in complaints
    before = pupils.finished()
    assert pupils.grade()[0] == 0
    assert pupils.finished().items() >= before.items() and pupils.scores() == pupils.points


def test_no_scheduler_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECTING", 1.0)
    for address in ("tcp://127.0.0.1:9", "nowhere://x", "tcp://no.such.host.invalid:8786", ""):
        with pytest.raises(GraderError, match="no Dask scheduler at") as error:
            cluster.Cluster(address)
        assert "\n" not in str(error.value)


def test_no_worker_is_told_in_a_sentence(dask, monkeypatch):
    monkeypatch.setattr(cluster, "JOINING", 1.0)
    with pytest.raises(GraderError, match=f"no worker has joined.*dask worker {dask.address}"):
        cluster.Cluster(dask.address)


def test_a_worker_with_another_course_or_without_a_sandbox_is_told(dask, monkeypatch):
    dask.environment = dask.environment | {"PATH": "/nowhere"}
    dask.add_worker()
    with pytest.raises(GraderError, match="is not ready to grade: bubblewrap"):
        cluster.Cluster(dask.address)
    monkeypatch.setattr(cluster, "fingerprint", lambda: "other")
    with pytest.raises(GraderError, match="its copy of the course differs"):
        cluster.Cluster(dask.address, unprotected=True)


def test_a_worker_without_the_course_is_told(dask):
    dask.environment = {key: value for key, value in dask.environment.items() if key != "PYTHONPATH"}
    dask.add_worker()
    if subprocess.run([sys.executable, "-c", "import grader"], cwd="/", env=dask.environment).returncode == 0:
        pytest.skip("the course is installed in this Python, so every worker has it")
    with pytest.raises(GraderError, match="it cannot import the course"):
        cluster.Cluster(dask.address)


def test_without_dask_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(GraderError, match=r"pip install .*\[cluster\]"):
        cluster.Cluster("tcp://127.0.0.1:8786")
