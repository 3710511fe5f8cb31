"""Lesson files as the grader reads them."""

import pytest

from grader.errors import GraderError
from grader.lessons import BEGIN, END, read_lesson, without_markers

TEXT = '''\
# %% [markdown]
# # A lesson

# %%
import numpy as np

# %%
raise RuntimeError("lesson code is not run to get at the solutions")

# %% solution="double"
def double(x):
    ### BEGIN SOLUTION
    return np.add(x, x)
    ### END SOLUTION

# %% tests="double"
check(double)

# %% solution="quadruple"
def quadruple(x):
    ### BEGIN SOLUTION
    return double(double(x))
    ### END SOLUTION
'''


@pytest.fixture
def lesson(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "99_tiny.py").write_text(TEXT, encoding="utf-8")
    return read_lesson("99_tiny", tmp_path)


def test_solutions_come_in_order_and_without_markers(lesson):
    assert list(lesson.solutions) == ["double", "quadruple"]
    assert lesson.solutions["double"] == "def double(x):\n    return np.add(x, x)"


def test_only_solution_cells_are_run_and_later_ones_see_earlier_ones(lesson):
    assert lesson.namespace()["quadruple"](3) == 12


def test_each_namespace_is_a_new_one(lesson):
    assert lesson.namespace()["double"] is not lesson.namespace()["double"]


def test_markers_go_and_all_else_stays():
    assert without_markers(f"a\n    {BEGIN}\n    b\n    {END}\nc  # {BEGIN}") == f"a\n    b\nc  # {BEGIN}"


def test_a_lesson_that_is_not_there_is_told_of(tmp_path):
    with pytest.raises(GraderError, match="there is no lesson file solutions/12_nowhere.py"):
        read_lesson("12_nowhere", tmp_path)


def test_what_is_carried_on_tensors_takes_them(tmp_path):
    torch = pytest.importorskip("torch")
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "98_tiny.py").write_text(TEXT, encoding="utf-8")
    later = 'import torch\ndouble = carry("double", tensors=True)\n# %% solution="zero"\ndef zero(x):\n    return double(x)'
    (tmp_path / "solutions" / "99_tiny.py").write_text(f"# %%\n{later}\n", encoding="utf-8")
    doubled = read_lesson("99_tiny", tmp_path).namespace()["zero"](torch.tensor([1.5]))
    assert doubled.dtype == torch.float32 and doubled.tolist() == [3.0]


def test_the_course_is_found_by_name_alone():
    assert list(read_lesson("00_welcome").solutions) == ["embed"]
