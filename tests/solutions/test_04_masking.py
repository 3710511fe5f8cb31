"""What lesson 04 says of masks holds for its solutions, on generated inputs."""

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from grader.lessons import read_lesson

LESSON = read_lesson("04_masking").namespace()
padding_mask, causal_mask, decoder_mask = (LESSON[name] for name in ("padding_mask", "causal_mask", "decoder_mask"))
masked_attention, teacher_forcing = LESSON["masked_attention"], LESSON["teacher_forcing"]
sizes = st.integers(1, 6)
seeds = st.integers(0, 2**32 - 1)
loudness = st.sampled_from([0.0, 1.0, 100.0])


def inputs(rng, batch, n_heads, n_q, n_k, d_k=3, d_v=2, loud=1.0):
    q, k = loud * rng.normal(size=(batch, n_heads, n_q, d_k)), rng.normal(size=(batch, n_heads, n_k, d_k))
    return q, k, rng.normal(size=(batch, n_heads, n_k, d_v))


@st.composite
def questions(draw):
    """q, k, v and a mask of any pattern, each of its axes full or 1, rows that see nothing among them."""
    batch, n_heads, n_q, n_k = (draw(sizes) for _ in range(4))
    rng = np.random.default_rng(draw(seeds))
    shape = [size if draw(st.booleans()) else 1 for size in (batch, n_heads, n_q, n_k)]
    mask = rng.random(shape[draw(st.integers(0, 2)) :]) < draw(st.floats(0, 1))
    return *inputs(rng, batch, n_heads, n_q, n_k, loud=draw(loudness)), mask


@given(questions())
def test_hidden_keys_weigh_exactly_nothing_and_the_others_add_up_to_one(question):
    *qkv, mask = question
    output, weights = masked_attention(*qkv, mask)
    may_look = np.broadcast_to(mask, weights.shape)
    sees = may_look.any(axis=-1)
    assert (weights[~may_look] == 0).all()
    assert (output[~sees] == 0).all() and not np.isnan(output).any() and not np.isnan(weights).any()
    np.testing.assert_allclose(weights.sum(axis=-1), sees, atol=1e-12)


@given(questions())
def test_attention_equals_that_of_torch(question):
    *qkv, mask = question
    output, weights = masked_attention(*qkv, mask)
    may_look = np.broadcast_to(mask, weights.shape)
    sees = may_look.any(axis=-1)
    theirs = F.scaled_dot_product_attention(*map(torch.from_numpy, qkv), attn_mask=torch.tensor(may_look)).numpy()
    np.testing.assert_allclose(output[sees], theirs[sees], atol=1e-9)
    unmasked = F.scaled_dot_product_attention(*map(torch.from_numpy, qkv)).numpy()
    np.testing.assert_allclose(masked_attention(*qkv)[0], unmasked, atol=1e-9)


@given(questions(), seeds)
def test_what_stands_at_hidden_keys_makes_no_difference(question, seed):
    q, k, v, mask = question
    rng = np.random.default_rng(seed)
    hidden = ~np.broadcast_to(mask, (*q.shape[:-1], k.shape[-2])).any(axis=-2)  # from all that look
    other_k, other_v = k.copy(), v.copy()
    other_k[hidden], other_v[hidden] = 1e4 * rng.normal(size=k[hidden].shape), rng.normal(size=v[hidden].shape)
    for mine, other in zip(masked_attention(q, k, v, mask), masked_attention(q, other_k, other_v, mask)):
        np.testing.assert_allclose(mine, other, atol=1e-12)


@given(sizes, sizes, st.integers(1, 8), seeds, st.data())
def test_a_changed_future_word_never_changes_an_earlier_output(batch, n_heads, n, seed, data):
    rng = np.random.default_rng(seed)
    before = inputs(rng, batch, n_heads, n, n)
    first = data.draw(st.integers(0, n - 1))  # this word is another, and all that follow
    after = [array.copy() for array in before]
    for array in after:
        array[..., first:, :] = 100 * rng.normal(size=array[..., first:, :].shape)
    for mine, other in zip(masked_attention(*before, causal_mask(n)), masked_attention(*after, causal_mask(n))):
        np.testing.assert_allclose(mine[..., :first, :], other[..., :first, :], atol=1e-12)


@given(sizes, sizes, st.integers(1, 8), seeds)
def test_one_masked_pass_equals_word_by_word(batch, n_heads, n, seed):
    rng = np.random.default_rng(seed)
    q, k, v = inputs(rng, batch, n_heads, n, n)
    token_ids = rng.integers(0, 3, size=(batch, n))  # 0 is padding, at any place
    in_one_pass, _ = masked_attention(q, k, v, decoder_mask(token_ids, 0))
    for known in range(1, n + 1):
        real = padding_mask(token_ids[:, :known], 0)
        word_by_word, _ = masked_attention(q[..., :known, :], k[..., :known, :], v[..., :known, :], real)
        np.testing.assert_allclose(in_one_pass[..., known - 1, :], word_by_word[..., -1, :], atol=1e-12)


@given(sizes, st.integers(1, 8), st.integers(0, 4), seeds)
def test_masks_say_of_each_place_what_they_should(batch, n, pad_id, seed):
    token_ids = np.random.default_rng(seed).integers(0, 5, size=(batch, n))
    padding, causal, decoder = padding_mask(token_ids, pad_id), causal_mask(n), decoder_mask(token_ids, pad_id)
    assert (padding.shape, causal.shape, decoder.shape) == ((batch, 1, 1, n), (n, n), (batch, 1, n, n))
    for b, i, j in np.ndindex(batch, n, n):
        assert padding[b, 0, 0, j] == (token_ids[b, j] != pad_id)
        assert causal[i, j] == (j <= i)
        assert decoder[b, 0, i, j] == (padding[b, 0, 0, j] and causal[i, j])


@given(sizes, st.integers(2, 9), seeds)
def test_each_label_is_the_word_after_the_input_and_nothing_is_lost(batch, n, seed):
    target_ids = np.random.default_rng(seed).integers(0, 9, size=(batch, n))
    decoder_input, labels = teacher_forcing(target_ids)
    np.testing.assert_array_equal(np.concatenate([decoder_input, labels[:, -1:]], axis=1), target_ids)
    np.testing.assert_array_equal(decoder_input[:, 1:], labels[:, :-1])
