"""What students get: fresh, repeatable, and nothing of a solution in it."""

import re
import zipfile

import pytest

from grader.bundle import bundle
from grader.errors import GraderError
from grader.lessons import COURSE_ROOT, LessonSource, read_lesson
from grader.release import release, stage
from grader.spec import Case, Lesson, lesson_names, load_lesson


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory):
    target = tmp_path_factory.mktemp("rebuilt")
    release(COURSE_ROOT, target)
    return target


def test_notebooks_are_what_the_lessons_give_to_the_byte(rebuilt):
    committed, made = files(COURSE_ROOT / "notebooks"), files(rebuilt / "notebooks")
    assert committed.keys() == made.keys()
    assert [name for name in made if made[name] != committed[name]] == [], "run `make release` and commit notebooks/"


def test_a_second_release_changes_no_byte(rebuilt):
    before = files(rebuilt)
    release(COURSE_ROOT, rebuilt)
    assert files(rebuilt) == before


def test_notebooks_holds_two_files_a_lesson_and_nothing_else():
    wanted = {f"{name}/{name}{suffix}" for name in lesson_names() for suffix in (".ipynb", ".checks.json")}
    assert files(COURSE_ROOT / "notebooks").keys() == wanted


def secrets():
    """What must not reach students: solution lines, names of mistakes, hidden marks."""
    for name in lesson_names():
        lines = [cell.source.split("### BEGIN SOLUTION")[1].split("### END")[0] for cell in read_lesson(name).cells
                 if "solution" in cell.metadata]  # fmt: skip
        yield from (line.strip() for body in lines for line in body.splitlines() if len(line.strip()) > 12)
        for exercise in load_lesson(name).exercises.values():
            yield from (known.name for known in exercise.misconceptions if "_" in known.name)
            hidden = [case.says for case in exercise.cases(__import__("numpy").random.default_rng(0)) if case.hidden]
            yield from (says for says in hidden if len(says) > 20)
    yield from ("BEGIN SOLUTION", "BEGIN HIDDEN", "grader.stock")


def told_openly():
    """Lines that the lessons' own text or visible code says as well are no secret."""
    cells = [cell for name in lesson_names() for cell in read_lesson(name).cells if "solution" not in cell.metadata]
    return "\n".join(cell.source for cell in cells)


def test_nothing_of_a_solution_is_in_notebooks_or_bundle(tmp_path):
    with zipfile.ZipFile(bundle(target=tmp_path / "bundle.zip")) as archive:
        shipped = {name: archive.read(name).decode() for name in archive.namelist()}
    shipped |= {name: data.decode() for name, data in files(COURSE_ROOT / "notebooks").items()}
    known, checked = told_openly(), 0
    for secret in {secret for secret in secrets() if secret not in known}:
        checked += 1
        for name, text in shipped.items():
            if not (name.startswith("transformer-course/utils/") and secret.isidentifier()):
                assert secret not in text and secret.replace('"', '\\"') not in text, (secret, name)
    assert checked > 50


GOOD = '''
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION
'''


def lesson_of(*names, points=1):
    lesson = Lesson("99_test")
    for name in names:

        def cases(rng):
            yield Case("values", "a number", 1.0)

        cases.__name__ = name
        lesson.exercise(aspects={"values": points})(cases)
    return lesson


def source_of(*cells):
    import nbformat

    made = [nbformat.v4.new_code_cell(text, metadata=metadata) for metadata, text in cells]
    return LessonSource("99_test", made, COURSE_ROOT)


ANSWER, TEST = ({"solution": "double"}, GOOD), ({"tests": "double"}, "check(double)")


def test_a_lesson_that_fits_is_staged_with_full_metadata():
    notebook = stage(source_of(ANSWER, TEST), lesson_of("double", points=3))
    answer, test = (cell.metadata.nbgrader for cell in notebook.cells)
    assert (answer.grade_id, answer.solution, answer.grade) == ("double", True, False)
    assert (test.grade_id, test.grade, test.locked, test.points) == ("test_double", True, True, 3)


@pytest.mark.parametrize(
    "cells, lesson, reason",
    [
        ([ANSWER, TEST], lesson_of(), r'99_test, cell solution="double": .*describes no such exercise'),
        ([ANSWER, TEST], lesson_of("double", "triple"), "99_test, exercise triple: .* has no cell"),
        ([ANSWER], lesson_of("double"), 'no cell tests="double"'),
        ([ANSWER, ANSWER, TEST], lesson_of("double"), "used 2 times"),
        ([({"solution": "double"}, "def double(x):\n    return 2 * x"), TEST], lesson_of("double"), "no markers"),
        ([({"solution": "double"}, GOOD.replace("### END SOLUTION", "")), TEST], lesson_of("double"), "do not pair up"),
        ([({"solution": "double"}, GOOD.replace("def double", "def twice")), TEST], lesson_of("double"), "not define"),
        ([({"solution": "double"}, GOOD.replace("def double(", "def double((")), TEST], lesson_of("double"), "not Python"),
        ([ANSWER, ({"tests": "double"}, "check(twice)")], lesson_of("double"), r"must call check\(double\)"),
        ([ANSWER, TEST], lesson_of("double", points=0), "points above 0"),
        ([ANSWER, TEST, ({}, "### BEGIN SOLUTION\n1")], lesson_of("double"), "markers outside"),
    ],
)
def test_what_does_not_fit_is_refused_with_lesson_cell_and_reason(cells, lesson, reason):
    with pytest.raises(GraderError, match=re.compile(reason, re.DOTALL)) as refused:
        stage(source_of(*cells), lesson)
    assert "99_test" in str(refused.value)


def test_a_lesson_file_without_exercises_is_refused(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "42_unknown.py").write_text("# %%\n1\n")
    with pytest.raises(GraderError, match="42_unknown: the lesson has no exercises"):
        release(tmp_path)
