"""The students' zip: what is in it, that it repeats to the byte, that pip takes it as it is."""

import shutil
import subprocess
import sys
import zipfile

import pytest

from grader.bundle import bundle, collect
from grader.errors import GraderError
from grader.lessons import COURSE_ROOT


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundle") / "course"
    root.mkdir()
    for name in ("solutions", "notebooks", "utils"):
        shutil.copytree(COURSE_ROOT / name, root / name)
    for name in ("requirements.txt", "LICENSE", "pyproject.toml"):
        shutil.copy(COURSE_ROOT / name, root)
    return root


def test_it_holds_lessons_and_helpers_and_nothing_else(course):
    names = set(collect(course))
    assert {"README.md", "LICENSE", "pyproject.toml", "requirements.txt", "utils/check.py"} <= names
    assert "notebooks/01_self_attention/01_self_attention.ipynb" in names
    assert {name.split("/")[0] for name in names if "/" in name} == {"notebooks", "utils"}
    assert not any("grader" in name or "solution" in name or "__pycache__" in name for name in names)


def test_the_grader_command_is_left_out(course):
    text = collect(course)["pyproject.toml"].decode()
    assert 'name = "transformer-course"' in text and "[project.scripts]" not in text and "pytest" not in text


def test_the_same_course_gives_the_same_bytes(course):
    first = bundle(course).read_bytes()
    for path in course.rglob("*.py"):
        path.touch()
    assert bundle(course).read_bytes() == first


def test_an_unreleased_lesson_is_refused(course, tmp_path):
    shutil.copytree(course, tmp_path / "course")
    (tmp_path / "course" / "solutions" / "55_new.py").write_text("")
    with pytest.raises(GraderError, match="notebooks/55_new/55_new.ipynb is missing: run `grader release` first"):
        bundle(tmp_path / "course")


def test_pip_builds_it_as_it_is(course, tmp_path):
    """As `pip install transformer-course.zip` does; with the setuptools at hand, since tests run offline."""
    pytest.importorskip("setuptools", minversion="77")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
        + ["--wheel-dir", str(tmp_path), str(bundle(course))],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"utils/check.py", "utils/plots.py", "utils/checks/01_self_attention.checks.json"} <= set(names)
    assert not any(name.startswith("grader") or name.endswith("entry_points.txt") for name in names)


def test_unpacked_it_works_beside_no_course(course, tmp_path):
    zipfile.ZipFile(bundle(course)).extractall(tmp_path)
    lesson = tmp_path / "transformer-course" / "notebooks" / "00_welcome"
    answer = (
        "from utils import check\n"
        "import numpy as np\n"
        "def embed(token_ids, table): return table[token_ids]\n"
        "check(embed)\n"
        "import sys; assert 'grader' not in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(lesson.parents[1])!r})\n{answer}"],
        cwd=lesson, check=True, capture_output=True,
    )  # fmt: skip
