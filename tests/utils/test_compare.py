"""Comparison by value: what passes, what fails, and the sentence it fails with."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from utils.compare import compare
from utils.values import Tensor, Unsupported

FLOATS = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-1e3, 1e3))


@given(FLOATS)
def test_a_value_agrees_with_itself_and_its_float32(wanted):
    assert compare(wanted, wanted) is None
    assert compare(wanted.astype(np.float32), wanted) is None


@given(FLOATS, st.sampled_from([np.nan, np.inf, -np.inf]))
def test_nan_and_infinity_never_pass(wanted, bad):
    got = wanted.copy()
    got.flat[0] = bad
    assert compare(got, wanted) is not None
    assert compare(got, got) is not None


@given(FLOATS)
def test_an_error_of_a_thousandth_is_found_where_it_is(wanted):
    got = wanted.copy()
    got.flat[-1] += 1e-3 * max(1, abs(got.flat[-1]))
    mismatch = compare(got, wanted)
    assert mismatch.index == tuple(n - 1 for n in wanted.shape)


@pytest.mark.parametrize(
    "got, wanted, sentence",
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "expected shape (3, 2), got shape (2, 3)"),
        ([1.0, 2.0], np.zeros(2), "expected a NumPy array of shape (2,), got 2 things in a list or tuple"),
        (None, np.zeros(2), "expected a NumPy array of shape (2,), got None (is there a `return`?)"),
        (Tensor(np.zeros(2)), np.zeros(2), "expected a NumPy array of shape (2,), got a tensor of shape (2,)"),
        (np.zeros(2), Tensor(np.zeros(2)), "expected a tensor of shape (2,), got an array of shape (2,)"),
        (np.zeros(2, int), np.zeros(2), "expected real numbers (a floating dtype), got dtype int64"),
        (np.ones(2), np.ones(2, bool), "expected True and False (bool), got dtype float64"),
        (np.ones(2), np.ones(2, int), "expected integers, got dtype float64"),
        (Tensor(np.ones(2)), Tensor(np.ones(2, np.float32)), "expected dtype float32, got dtype float64"),
        (Unsupported("array", "dtype complex128"), np.ones(2), "got an object of type array (dtype complex128)"),
        (np.ones(2), [np.ones(2), np.ones(2)], "expected 2 results (output, weights), got an array of shape (2,)"),
        ([np.ones(2)], [np.ones(2), np.ones(2)], "expected 2 results (output, weights), got 1"),
        ([np.ones(2), np.zeros(2)], [np.ones(2), np.ones(2)], "weights: 2 of 2 numbers are wrong"),
        (np.array([[0.0, 1.0], [2.0, 5.0]]), np.array([[0.0, 1.0], [2.0, 3.0]]),
         "1 of 4 numbers are wrong; the first is at [1, 1]: expected 3, got 5"),
        (np.array([True]), np.array([False]), "1 of 1 entries are wrong; the first is at [0]: expected False, got True"),
        (1048576, 4, "expected 4, got 1048576"),
        (3, 4, "expected 4, got 3"),
        (True, 1, "expected the number 1, got True"),
        ("four", 4, "expected the number 4, got a text"),
    ],
)  # fmt: skip
def test_the_sentence_names_expected_and_received(got, wanted, sentence):
    assert sentence in compare(got, wanted, ["output", "weights"]).sentence


@pytest.mark.parametrize("got", [7, 7.0, np.array(7), np.array(7.0)])
def test_a_whole_number_may_come_as_int_or_integral_float(got):
    assert compare(got, 7) is None
    assert compare(8, 7) is not None


def test_zeros_can_be_asked_to_be_exact():
    wanted, got = np.array([0.0, 1.0]), np.array([1e-9, 1.0])
    assert compare(got, wanted) is None
    assert compare(got, wanted, zeros_exact=True).index == (0,)


def test_integers_are_compared_exactly():
    assert compare(np.array([10**6 + 1]), np.array([10**6])) is not None
    assert compare(np.array([5], np.int32), np.array([5], np.int64)) is None
