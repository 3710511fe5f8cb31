"""What lesson 08 says of decoding holds for its solutions, with PyTorch and exhaustive search for oracles."""

import itertools

import pytest

torch = pytest.importorskip("torch")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.utils.rnn import pad_sequence  # noqa: E402

from grader.spec import load_lesson  # noqa: E402
from utils.corpus import vocabularies  # noqa: E402
from utils.decoding import WordForWord, tiny_model  # noqa: E402

LESSON = load_lesson("08_translation")
greedy_decode, beam_search, CachedAttention, translate = (LESSON.reference(name) for name in LESSON.exercises)
IDS = st.sampled_from([(0, 1, 2), (4, 0, 3), (3, 2, 0)])
SEED = st.integers(0, 2**31)


def drawn(ids, seed, tgt_words=6):
    """A tiny model, in training mode with dropout, and a source sentence; then pad, bos and eos."""
    pad, bos, eos = ids
    random = torch.Generator().manual_seed(seed)
    src = torch.randint(5, 9, (1, 4), generator=random)
    return tiny_model(seed, {"pad": pad, "bos": bos, "eos": eos}, tgt_words, training=True), src, pad, bos, eos


def next_log_p(model, src, ids):
    """What the model gives each word after some ids: by its `forward`, in evaluation mode."""
    with torch.no_grad():
        return torch.log_softmax(model.eval()(src, torch.tensor([ids]))[0, -1], dim=-1)


@settings(deadline=None, max_examples=40)
@given(IDS, SEED, st.integers(1, 8))
def test_each_greedy_word_is_the_models_most_probable_one(ids, seed, max_len):
    model, src, _, bos, eos = drawn(ids, seed)
    (said,) = greedy_decode(model, src, bos, eos, max_len).tolist()
    assert model.training
    assert said[0] == bos and len(said) <= max_len
    assert all(word == next_log_p(model, src, said[:place]).argmax() for place, word in enumerate(said) if place)
    assert eos not in said[:-1] and (said[-1] == eos or len(said) == max_len)


@settings(deadline=None, max_examples=40)
@given(IDS, SEED, st.lists(st.integers(1, 5), min_size=2, max_size=5))
def test_a_sentence_is_translated_in_a_batch_as_alone(ids, seed, lengths):
    model, _, pad, bos, eos = drawn(ids, seed)
    random = torch.Generator().manual_seed(seed)
    rows = [torch.randint(5, 9, (length,), generator=random) for length in lengths]
    together = greedy_decode(model, pad_sequence(rows, batch_first=True, padding_value=pad), bos, eos, 7)
    alone = [greedy_decode(model, row[None], bos, eos, 7)[0] for row in rows]
    assert torch.equal(together, pad_sequence(alone, batch_first=True, padding_value=pad))


def test_nothing_is_recorded_for_gradients():
    model, src, _, bos, eos = drawn((0, 1, 2), 3)
    greedy_decode(model, src, bos, eos, 5)
    beam_search(model, src, bos, eos, 5, 2)
    assert model.calls and not any(call["gradients"] or call["training"] for call in model.calls)


@settings(deadline=None, max_examples=40)
@given(IDS, SEED, st.integers(2, 8), st.sampled_from([0.0, 0.6, 2.0]))
def test_a_beam_of_one_is_greedy(ids, seed, max_len, power):
    model, src, _, bos, eos = drawn(ids, seed)
    ((found, _),) = beam_search(model, src, bos, eos, max_len, 1, length_penalty=power)
    assert found == greedy_decode(model, src, bos, eos, max_len)[0].tolist()


def every_sentence(bos, eos, words, max_len):
    """All that can be said: those that end, and those that are cut at max_len."""
    for length in range(1, max_len):
        for rest in itertools.product(words, repeat=length):
            if eos not in rest[:-1] and (rest[-1] == eos or length == max_len - 1):
                yield [bos, *rest]


@settings(deadline=None, max_examples=15)
@given(IDS, SEED, st.integers(2, 4), st.sampled_from([0.0, 0.6, 1.0, -1.0]))
def test_a_beam_as_wide_as_all_there_is_finds_the_exhaustive_best(ids, seed, max_len, power):
    model, src, _, bos, eos = drawn(ids, seed, tgt_words=5)
    found = beam_search(model, src, bos, eos, max_len, 5**max_len, length_penalty=power)
    after = {}

    def score(said):
        total = 0.0
        for place in range(1, len(said)):
            before = tuple(said[:place])
            if before not in after:
                after[before] = next_log_p(model, src, list(before))
            total += after[before][said[place]].item()
        return total / ((5 + len(said) - 1) / 6) ** power

    wanted = sorted(((score(said), said) for said in every_sentence(bos, eos, range(5), max_len)), reverse=True)
    assert sorted(said for said, _ in found) == sorted(said for _, said in wanted)
    assert [value for _, value in found] == pytest.approx([value for value, _ in wanted])


@settings(deadline=None, max_examples=30)
@given(IDS, SEED, st.integers(2, 7), st.integers(1, 6))
def test_a_beam_returns_at_most_its_size_without_repetition_the_best_first(ids, seed, max_len, beam_size):
    model, src, _, bos, eos = drawn(ids, seed)
    found = beam_search(model, src, bos, eos, max_len, beam_size)
    scores = [score for _, score in found]
    assert 1 <= len(found) <= beam_size and scores == sorted(scores, reverse=True)
    assert len({tuple(said) for said, _ in found}) == len(found)
    assert model.training


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), SEED)
def test_word_by_word_is_pytorchs_attention_with_a_causal_mask(batch, n_heads, d_head, n, seed):
    torch.manual_seed(seed)
    d_model = n_heads * d_head
    theirs, mine = nn.MultiheadAttention(d_model, n_heads, batch_first=True).double(), CachedAttention(d_model, n_heads).double()
    with torch.no_grad():
        for name, weight, bias in zip(
            ("w_q", "w_k", "w_v"), theirs.in_proj_weight.chunk(3), theirs.in_proj_bias.normal_().chunk(3)
        ):
            getattr(mine, name).weight.copy_(weight)
            getattr(mine, name).bias.copy_(bias)
        mine.w_o.load_state_dict(theirs.out_proj.state_dict())
    x = torch.randn(batch, n, d_model, dtype=torch.float64)
    wanted, _ = theirs(x, x, x, attn_mask=torch.ones(n, n).triu(1).bool())
    cache = None
    for place in range(n):
        before = None if cache is None else [part.clone() for part in cache]
        output, longer = mine(x[:, place : place + 1], cache)
        torch.testing.assert_close(output, wanted[:, place : place + 1])
        assert [part.shape for part in longer] == [(batch, n_heads, place + 1, d_head)] * 2
        assert cache is None or all(torch.equal(now, then) for now, then in zip(cache, before))
        cache = longer


@settings(deadline=None, max_examples=20)
@given(SEED, st.lists(st.sampled_from(["Jane visite Rome", "Paul aime sa voiture", "Zoé dort"]), min_size=1, max_size=4))
def test_texts_are_translated_in_order_and_without_special_tokens(seed, sentences):
    french, english = vocabularies()
    model = WordForWord(seed)

    def by_hand(sentence):
        meant = model.meaning[french.ids(sentence)].tolist()
        return " ".join(english.words[place] for place in meant)

    assert translate(model, sentences) == [by_hand(sentence) for sentence in sentences]
