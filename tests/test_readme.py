"""What the README and CONTRIBUTING tell people to type or to open is there."""

import re
import subprocess
import sys

import pytest

from grader.__main__ import COMMANDS
from grader.lessons import COURSE_ROOT
from grader.spec import lesson_names, load_lesson

README = (COURSE_ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (COURSE_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BOTH = README + CONTRIBUTING


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|    )make ([a-z0-9-]+)", BOTH))))
def test_make_knows_its_targets(target):
    subprocess.run(["make", "--dry-run", target], cwd=COURSE_ROOT, check=True, capture_output=True)


def test_make_alone_lists_every_command():
    listed = subprocess.run(["make"], cwd=COURSE_ROOT, check=True, capture_output=True, text=True).stdout
    phony = re.search(r"^.PHONY: (.*)", (COURSE_ROOT / "Makefile").read_text(encoding="utf-8"), re.M).group(1).split()
    helpers = {"help", "npm", "bubblewrap", "browser", "postgresql"}  # which the others call
    assert set(re.findall(r"^  make ([a-z0-9-]+)", listed, re.M)) | helpers == {*phony, "help"}


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m grader (\w+)", BOTH)) | set(COMMANDS)))
def test_the_grader_knows_its_commands(command):
    subprocess.run(
        [sys.executable, "-m", "grader", command, "--help"], cwd=COURSE_ROOT, check=True, capture_output=True
    )


def test_a_persons_mistake_is_told_in_a_sentence():
    asked = [sys.executable, "-m", "grader", "autograde", "12_nowhere", "--jobs", "1"]
    answer = subprocess.run(asked, cwd=COURSE_ROOT, capture_output=True, text=True)
    assert answer.returncode != 0 and "Traceback" not in answer.stderr
    assert "there is no lesson '12_nowhere'" in answer.stderr


def test_the_first_example_is_right():
    example = re.search(r"```python\n(.*?)```", README, re.S).group(1)
    code = f"import sys; sys.path.insert(0, {str(COURSE_ROOT)!r})\nfrom utils import check\n{example}"
    lesson = COURSE_ROOT / "notebooks" / "00_welcome"
    subprocess.run([sys.executable, "-c", code], cwd=lesson, check=True, capture_output=True)


def test_the_lesson_table_is_complete():
    for name in lesson_names():
        row = next(line for line in README.splitlines() if line.startswith(f"| {name[:2]} "))
        assert re.findall(r"`(\w+)`", row) == list(load_lesson(name).exercises)


def test_the_map_and_the_links_lead_somewhere():
    drawn = re.search(r"## The house\n\n```\n(.*?)```", README, re.S).group(1)
    places, folder = [], ""
    for line in drawn.splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            folder = name
        elif not line.startswith("   "):
            name = folder + name
        else:
            continue  # the rest of what is said
        places.append(name)
    links = re.findall(r"\]\(([\w./-]+)\)", BOTH)
    for name in {*places, *links} - {"build/"}:
        assert (COURSE_ROOT / name).exists(), name


def test_every_requirement_has_its_reason():
    lines = (COURSE_ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert all("# " in line for line in lines if line)
    needed = re.search(r"^dependencies = \[(.*)\]", (COURSE_ROOT / "pyproject.toml").read_text(), re.M).group(1)
    for name in re.findall(r'"(\w+)', needed):
        assert any(line.startswith(name) for line in lines), f"utils needs {name}, requirements.txt has it not"
