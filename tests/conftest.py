"""What tests of several folders share; and lesson 07's run takes a few steps only."""

import os
from pathlib import Path

import pytest

from grader.lessons import COURSE_ROOT
from grader.release import release

os.environ.setdefault("COURSE_STEPS", "20")


@pytest.fixture(scope="session")
def staged(tmp_path_factory) -> Path:
    """A folder with each lesson's staged source, built once for all tests; they copy what they change."""
    target = tmp_path_factory.mktemp("staged")
    release(COURSE_ROOT, target)
    return target / "build" / "source"
