"""The students' zip: what is in it, that it installs, and that it is the same each time."""

import subprocess
import sys
import zipfile

import pytest

from grader.bundle import NAME, bundle
from grader.lessons import COURSE_ROOT


@pytest.fixture(scope="module")
def zipped(tmp_path_factory):
    return bundle(target=tmp_path_factory.mktemp("bundle") / f"{NAME}.zip")


def test_the_same_course_gives_the_same_bytes(zipped, tmp_path):
    assert bundle(target=tmp_path / "again.zip").read_bytes() == zipped.read_bytes()


def test_it_holds_the_notebooks_and_utils_only(zipped):
    names = [name.removeprefix(f"{NAME}/") for name in zipfile.ZipFile(zipped).namelist()]
    allowed = {"README.md", "LICENSE", "requirements.txt", "pyproject.toml"}
    assert {name for name in names if name.split("/")[0] not in ("notebooks", "utils")} == allowed
    assert {name.rsplit(".", 2)[-1] for name in names if name.startswith("notebooks/")} == {"ipynb", "json"}
    for lesson in (COURSE_ROOT / "notebooks").iterdir():
        assert f"notebooks/{lesson.name}/{lesson.name}.ipynb" in names


def test_it_installs_by_pip_and_its_lessons_check(zipped, tmp_path):
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", tmp_path / "site", str(zipped)], check=True, capture_output=True)
    assert (tmp_path / "site" / "utils" / "check.py").exists() and not (tmp_path / "site" / "grader").exists()
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(tmp_path)
    script = "import numpy as np\nfrom utils import check\ndef embed(ids, table):\n    return table[ids]\ncheck(embed)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / NAME / "notebooks" / "00_welcome", capture_output=True,
        text=True, env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert "embed: all checks pass" in done.stdout, done.stderr
