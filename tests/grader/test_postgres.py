"""The gradebook in PostgreSQL: a real server on a socket of its own."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from grader.errors import GraderError


def program(name: str) -> str | None:
    """Where a program of PostgreSQL's server is; Debian keeps them off PATH."""
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))[::-1]), None)
    return found and os.path.realpath(found)


pytestmark = [
    pytest.mark.skipif(program("initdb") is None, reason="PostgreSQL is not installed: apt install postgresql"),
    pytest.mark.skipif(
        importlib.util.find_spec("psycopg") is None,
        reason="psycopg is not installed: pip install 'transformer-course[postgres]'",
    ),
]


class Server:
    """A PostgreSQL server in a folder; as root it runs as the user postgres, which it insists on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            shutil.chown(folder, "postgres", "postgres")
        self.run("initdb", "--auth=trust", "--username=grader", "--no-sync", f"--pgdata={folder}/data")
        self.start()

    def run(self, name: str, *arguments: str) -> None:
        command = [program(name), *arguments]
        done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, **self.user)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        log = f"--log={self.folder}/log"
        self.run("pg_ctl", "start", "--wait", f"--pgdata={self.folder}/data", log, f"--options={options}")

    def stop(self, how: str = "fast") -> None:
        self.run("pg_ctl", "stop", "--wait", f"--mode={how}", f"--pgdata={self.folder}/data")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://grader:secret@/postgres?host={self.folder}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path must be short
    opened = Server(folder)
    yield opened
    opened.stop("immediate")
    shutil.rmtree(folder)


@pytest.fixture
def pupils(tmp_path, make_class, server):
    import psycopg

    with psycopg.connect(host=str(server.folder), user="grader", dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return make_class(tmp_path, server.url)


def test_a_class_is_graded_into_postgresql(pupils):
    pupils.fill(6)
    status, told, complaints = pupils.grade()
    assert status == 0 and told.startswith("6 submissions"), complaints
    assert pupils.scores() == pupils.points
    assert pupils.grade()[1].startswith("0 submissions")
    assert not (pupils.root / "gradebook.db").exists()


def test_nbgraders_own_commands_use_it_too(pupils):
    pupils.hand_in("ada")
    pupils.nbgrader("generate_assignment", pupils.lesson)
    pupils.nbgrader("autograde", pupils.lesson)
    pupils.nbgrader("generate_feedback", pupils.lesson)
    pupils.nbgrader("export", "--to=grades.csv")
    assert "00_welcome" in (pupils.root / "grades.csv").read_text() and pupils.scores() == {"ada": 5}


def test_a_server_that_stops_half_way_loses_no_grade(pupils, server, workers, monkeypatch):
    from grader import autograde

    pupils.fill(4)
    record = autograde.ClassAutograde.record

    def record_then_stop(course, *arguments):
        record(course, *arguments)
        if len(pupils.finished()) == 2:
            server.stop("immediate")

    monkeypatch.setattr(autograde.ClassAutograde, "record", record_then_stop)
    with pytest.raises(GraderError, match="the gradebook postgresql.*what was graded is kept") as stopped:
        pupils.grade_here(workers)
    assert "secret" not in str(stopped.value) and "\n" not in str(stopped.value)
    monkeypatch.undo()
    server.start()
    before = pupils.finished()
    assert len(before) == 2 and len(pupils.grade_here(workers).graded) == 2
    assert pupils.finished().items() >= before.items() and pupils.scores() == pupils.points


def test_manual_grades_survive_a_regrade(pupils, workers):
    pupils.hand_in("ada", "from-one")
    pupils.grade_here(workers)
    with Gradebook(pupils.db_url, "transformer") as gradebook:
        (notebook,) = gradebook.find_submission(pupils.lesson, "ada").notebooks
        notebook.grades[0].manual_score = 4.0
        gradebook.db.commit()
    pupils.grade_here(workers, force=True)
    assert pupils.scores() == {"ada": 4}


@pytest.mark.parametrize("address", ["grader:secret@127.0.0.1:9/book", "grader:secret@no.such.host.invalid/book"])
def test_a_refused_database_is_told_in_a_sentence(pupils, address):
    pupils.db_url = f"postgresql+psycopg://{address}"
    pupils.configure()
    status, _, complaints = pupils.grade()
    assert status == 2 and len(complaints.splitlines()) == 1
    assert "the gradebook postgresql+psycopg://grader:***@" in complaints and "secret" not in complaints


def test_without_psycopg_a_sentence_says_what_to_install(pupils, workers, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    pupils.db_url += "&application_name=another"  # an engine that has not loaded it
    pupils.configure()
    with pytest.raises(GraderError, match=r"pip install .*\[postgres\]"):
        pupils.grade_here(workers)
