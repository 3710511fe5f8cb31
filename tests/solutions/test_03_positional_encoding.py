"""What lesson 03 says of positions holds for its solutions, on generated inputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.lessons import read_lesson

LESSON = read_lesson("03_positional_encoding").namespace()
encoding, shift, rotate = (LESSON[name] for name in ("positional_encoding", "shift_matrix", "rotate_by_position"))
even = st.integers(1, 12).map(lambda clocks: 2 * clocks)
bases = st.floats(2, 20000)
anywhere = st.floats(-50, 50)
seeds = st.integers(0, 2**32 - 1)


@given(even, bases, st.integers(0, 60), st.integers(-60, 60))
def test_a_shift_leads_from_every_position_by_its_offset(d_model, base, start, offset):
    p = encoding(130, d_model, base)
    first = max(start, -offset)
    positions = np.arange(first, 130 - max(0, offset))
    np.testing.assert_allclose(p[positions] @ shift(offset, d_model, base).T, p[positions + offset], atol=1e-9)


@given(even, bases, st.integers(-60, 60), st.integers(-60, 60))
def test_shifts_add_up_and_back_undoes_on(d_model, base, one, other):
    both = shift(one, d_model, base) @ shift(other, d_model, base)
    np.testing.assert_allclose(both, shift(one + other, d_model, base), atol=1e-9)
    np.testing.assert_allclose(shift(one, d_model, base) @ shift(-one, d_model, base), np.eye(d_model), atol=1e-9)


@given(even, bases)
def test_similarity_is_a_matter_of_distance_and_largest_at_none(d_model, base):
    p = encoding(40, d_model, base)
    similarity = p @ p.T
    np.testing.assert_allclose(similarity[:-1, :-1], similarity[1:, 1:], atol=1e-9)
    np.testing.assert_allclose(np.diag(similarity), d_model / 2)
    assert (similarity <= d_model / 2 + 1e-9).all()


@given(even, bases, seeds, anywhere, anywhere, anywhere)
def test_rotation_keeps_norms_and_scores_depend_on_the_offset_alone(d_head, base, seed, m, n, moved):
    q, k = np.random.default_rng(seed).normal(size=(2, 1, d_head))

    def score(at_q, at_k):
        return (rotate(q, np.array([at_q]), base) @ rotate(k, np.array([at_k]), base).T).item()

    assert np.isclose(np.linalg.norm(rotate(q, np.array([m]), base)), np.linalg.norm(q))
    assert np.isclose(score(m, n), score(m + moved, n + moved), atol=1e-9)


@settings(max_examples=20)
@given(st.integers(0, 6).map(lambda half: 2 * half + 1))
def test_every_function_refuses_an_odd_width(odd):
    calls = {
        "position_angles": (3, odd),
        "positional_encoding": (3, odd),
        "embed_with_positions": (np.array([1, 0]), np.ones((2, odd))),
        "shift_matrix": (1, odd),
        "rotate_by_position": (np.ones((2, odd)), np.arange(2)),
    }
    assert list(calls) == list(read_lesson("03_positional_encoding").solutions)
    for name, arguments in calls.items():
        with pytest.raises(ValueError, match="even"):
            LESSON[name](*arguments)
