"""nbgrader's configuration of this course: `nbgrader …` and formgrader read it from here."""

from pathlib import Path

from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    IgnorePattern,
    LimitOutput,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)

from grader.executor import TwoSidedExecute
from grader.release import STUB
from grader.submission import RepairSubmission
from grader.transport import CarefulCollect, CarefulCsvExport, CarefulExtractor, careful_with_submissions

c = get_config()  # noqa: F821

c.CourseDirectory.root = str(Path(__file__).resolve().parent)
c.CourseDirectory.course_id = "transformer"
c.CourseDirectory.source_directory = "build/source"
c.CourseDirectory.release_directory = "notebooks"
c.ClearSolutions.code_stub = {"python": STUB}

# nbgrader's own steps, with two replaced: ours repairs whatever was done to a submission's metadata,
# and runs the student's code in a sandbox, away from the tests.
c.Autograde.sanitize_preprocessors = [
    ClearOutput,
    RepairSubmission,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    TwoSidedExecute,
    IgnorePattern,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]

# Whatever comes with a notebook is chosen by who hands it in.
careful_with_submissions()
c.ZipCollectApp.extractor_plugin = CarefulExtractor
# An archive is named by its student, whatever is in it; lesson 08's weights are handed in beside the notebook.
c.FileNameCollectorPlugin.named_regexp = r".*?/downloaded/[^/]+/extracted/(?P<student_id>[^/]+)/(?:.*/)?(?P<file_id>[^/]+)"
c.FileNameCollectorPlugin.valid_ext = [".ipynb", ".safetensors"]
c.ExchangeFactory.collect = CarefulCollect
c.ExportApp.plugin_class = CarefulCsvExport
