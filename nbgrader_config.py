"""nbgrader's settings for this course: where things lie, and who runs and grades submissions."""

from pathlib import Path

from nbgrader.converters import Autograde
from nbgrader.preprocessors import DeduplicateIds, Execute

from grader.executor import TwoSidedExecute
from grader.release import STUB
from grader.submission import RepairSubmission

c = get_config()  # noqa: F821 (traitlets defines it)

c.CourseDirectory.root = str(Path(__file__).resolve().parent)
c.CourseDirectory.course_id = "transformer"
c.CourseDirectory.source_directory = "build/source"
c.CourseDirectory.release_directory = "notebooks"
c.ClearSolutions.code_stub = {"python": STUB}


def with_ours(steps: list, ours: dict) -> list:
    """nbgrader's own list of steps, some of them replaced."""
    return [ours.get(step, step) for step in steps]


# Test cells come from the release whatever was done to them, and student code runs in a sandbox.
c.Autograde.sanitize_preprocessors = with_ours(
    Autograde.sanitize_preprocessors.default_args[0], {DeduplicateIds: RepairSubmission}
)
c.Autograde.autograde_preprocessors = with_ours(
    Autograde.autograde_preprocessors.default_args[0], {Execute: TwoSidedExecute}
)
