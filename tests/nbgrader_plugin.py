"""A pytest plugin that puts our executor in the place of nbgrader's own: `pytest -p nbgrader_plugin`.

With it nbgrader's own tests run against our executor (`make test-nbgrader`); without it, against the stock one.
"""

from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute

from grader.executor import TwoSidedExecute

_steps = Autograde.autograde_preprocessors.default_args[0]
_steps[_steps.index(Execute)] = TwoSidedExecute
