"""What must hold of lesson 02's reference solutions on any input, and what a loop over heads costs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.spec import load_lesson
from utils import probe
from utils.card import Card
from utils.judge import evaluate
from utils.stand_ins import stand_in

LESSON = load_lesson("02_multi_head_attention")
EXERCISE = LESSON.exercises["multi_head_attention"]
attend_head_by_head, split_heads, merge_heads, multi_head_attention = map(
    LESSON.reference, ["attend_head_by_head", "split_heads", "merge_heads", "multi_head_attention"]
)
SIZES = st.integers(1, 5)


@settings(max_examples=30, deadline=None)
@given(n=SIZES, n_heads=SIZES, d_head=SIZES, batch=st.lists(st.integers(1, 3), max_size=2), seed=st.integers(0, 99))
def test_merging_undoes_splitting(n, n_heads, d_head, batch, seed):
    x = np.random.default_rng(seed).normal(size=(*batch, n, n_heads * d_head))
    assert np.array_equal(merge_heads(split_heads(x, n_heads)), x)


@settings(max_examples=30, deadline=None)
@given(n_q=SIZES, n_k=SIZES, n_heads=SIZES, d_head=SIZES, seed=st.integers(0, 99))
def test_loop_and_parallel_heads_agree_and_order_does_not_matter(n_q, n_k, n_heads, d_head, seed):
    rng = np.random.default_rng(seed)
    d_model = n_heads * d_head
    x, x_kv = rng.normal(size=(n_q, d_model)), rng.normal(size=(n_k, d_model))
    w_q, w_k, w_v, w_o = rng.normal(size=(4, d_model, d_model))
    of_heads = [np.array(np.split(w, n_heads, axis=1)) for w in (w_q, w_k, w_v)]
    for one, other in zip(
        attend_head_by_head(x, *of_heads, w_o), multi_head_attention(x, x, w_q, w_k, w_v, w_o, n_heads)
    ):
        np.testing.assert_allclose(one, other, atol=1e-9)
    output, weights = multi_head_attention(x, x_kv, w_q, w_k, w_v, w_o, n_heads)
    order = rng.permutation(n_k)
    again, shuffled = multi_head_attention(x[::-1], x_kv[order], w_q, w_k, w_v, w_o, n_heads)
    np.testing.assert_allclose(again, output[::-1], atol=1e-9)
    np.testing.assert_allclose(shuffled, weights[:, ::-1][:, :, order], atol=1e-9)


@pytest.mark.parametrize("exercise", LESSON.exercises.values(), ids=lambda exercise: exercise.name)
def test_stand_ins_answer_their_exercises(exercise):
    def ask(request):
        return probe.run({exercise.name: stand_in(exercise.name)}, request | {"refuse": []})

    found = evaluate(exercise.checkset(3), ask)
    assert (found.status, found.message) == ("passed", "")


def test_a_loop_over_heads_costs_that_aspect_alone_and_the_card_says_so():
    loop = next(known.wrong for known in EXERCISE.misconceptions if known.name == "loop_over_the_heads")
    for checkset in (EXERCISE.visible_checkset(), EXERCISE.checkset(7)):
        found = evaluate(checkset, lambda request: probe.run({EXERCISE.name: loop}, request))
        assert [aspect for aspect, passed in found.aspects.items() if not passed] == ["no loop over heads"]
        assert found.score == EXERCISE.points - 1
        assert "more steps the more heads there are" in found.message
        assert "goes through the heads one by one" in Card(found).text()


def test_a_loop_in_split_heads_is_not_held_against_multi_head_attention():
    """Splitting by a loop is a right answer there; here only the one function is looked at."""
    source = """
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError
    d_head = x.shape[-1] // n_heads
    return np.stack([x[..., h * d_head : (h + 1) * d_head] for h in range(n_heads)], axis=-3)

def multi_head_attention(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    q, k, v = split_heads(x_q @ w_q, n_heads), split_heads(x_kv @ w_k, n_heads), split_heads(x_kv @ w_v, n_heads)
    output, weights = scaled_dot_product_attention(q, k, v)
    return merge_heads(output) @ w_o, weights
"""
    attention = stand_in("scaled_dot_product_attention")
    namespace = {"np": np, "merge_heads": merge_heads, "scaled_dot_product_attention": attention}
    exec(source, namespace)
    found = evaluate(EXERCISE.checkset(5), lambda request: probe.run(namespace, request))
    assert (found.status, found.message) == ("passed", "")
