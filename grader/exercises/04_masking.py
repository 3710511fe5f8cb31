"""Lesson 04: masking."""

import numpy as np

from grader.spec import NUMPY_ONLY, Case, Lesson

LESSON = Lesson("04_masking", refuse=NUMPY_ONLY)


def softmax(x, axis=-1):
    exp = np.exp(x - x.max(axis=axis, keepdims=True))
    return exp / exp.sum(axis=axis, keepdims=True)


def scores_of(q, k):
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])


def as_mask(mask):
    return np.ones((1, 1), dtype=bool) if mask is None else mask


def triangle(n, diagonal=0):
    return np.tril(np.ones((n, n), dtype=bool), k=diagonal)


def sentences(rng, lengths, n, pad_id, where="right", vocabulary=20):
    """Token ids `(batch, n)` with real words drawn at random, padded at one place."""
    words = np.setdiff1d(np.arange(vocabulary), [pad_id])
    ids = np.full((len(lengths), n), pad_id)
    for row, length in zip(ids, lengths):
        start = {"right": 0, "left": n - length}.get(where)
        places = np.sort(rng.permutation(n)[:length]) if start is None else np.arange(start, start + length)
        row[places] = rng.choice(words, size=length)
    return ids


def gap(rng, n, pad_id, vocabulary=20):
    """One sentence with padding in the middle alone."""
    ids = sentences(rng, [n], n, pad_id, vocabulary=vocabulary)
    ids[0, 1 + n // 3] = pad_id
    return ids


# ----------------------------------------------------------------------------------- padding_mask


@LESSON.exercise(aspects={"values": 2, "padding anywhere": 1, "any padding id": 1})
def padding_mask(rng):
    yield Case("values", "three sentences of five, two of them padded at the end", sentences(rng, [5, 3, 2], 5, 0), 0)
    yield Case("values", "four sentences of four", sentences(rng, [4, 1, 3, 2], 4, 0), 0)
    yield Case("values", "one sentence without padding", sentences(rng, [6], 6, 0), 0)
    yield Case("values", "ids of dtype int32", sentences(rng, [4, 7], 7, 0).astype(np.int32), 0, hidden=True)
    yield Case(
        "values", "the same call twice, with other ids between", sentences(rng, [2, 4], 4, 0), 0, probe="call_again"
    )
    yield Case("padding anywhere", "padding on the left", sentences(rng, [3, 5], 5, 0, "left"), 0)
    yield Case("padding anywhere", "padding in the middle", gap(rng, 6, 0), 0)
    yield Case("padding anywhere", "padding at many places", sentences(rng, [2, 5, 4], 8, 0, "mixed"), 0, hidden=True)
    ids = sentences(rng, [6, 3], 6, 7)
    ids[0, :3] = [0, 3, 9]
    yield Case("any padding id", "the padding's id is 7, and 0 is a word", ids, 7)
    yield Case("any padding id", "the padding's id is 19", sentences(rng, [2, 6], 6, 19), 19, hidden=True)


@padding_mask.mistake("True stands at the padding here. In this course True means “may be looked at”.")
def true_at_the_padding(token_ids, pad_id):
    return (token_ids == pad_id)[:, None, None, :]


@padding_mask.mistake(
    "`not` asks a whole array whether it is true, which has no answer. Look for a comparison that works place by place."
)
def not_before_a_whole_array(token_ids, pad_id):
    return not token_ids == pad_id


@padding_mask.mistake("You compare with 0, whatever `pad_id` says. Another vocabulary may keep its padding at another id.")
def padding_id_taken_for_zero(token_ids, pad_id):
    return (token_ids != 0)[:, None, None, :]


@padding_mask.mistake(
    "Every id below that of the padding counts as padding too. Only one id is padding: which comparison asks for just that?"
)
def smaller_ids_taken_for_padding(token_ids, pad_id):
    return (token_ids > pad_id)[:, None, None, :]


@padding_mask.mistake(
    "True and False are right, but the two axes for heads and queries are missing. Weights have four axes: which "
    "of them does yours fill?"
)
def axes_for_heads_and_queries_missing(token_ids, pad_id):
    return token_ids != pad_id


@padding_mask.mistake("There is one axis too few: the mask needs one for the heads and one for the queries.")
def axis_for_heads_missing(token_ids, pad_id):
    return (token_ids != pad_id)[:, None, :]


@padding_mask.mistake(
    "The words stand on the axis of those who look, so this hides the padding as a looker. It is the keys, the "
    "last axis, that must be hidden."
)
def padding_hides_queries(token_ids, pad_id):
    return (token_ids != pad_id)[:, None, :, None]


@padding_mask.mistake(
    "The two new axes stand at the wrong place, so the sentences are no longer on the first axis. Batch first, keys last."
)
def new_axes_in_front(token_ids, pad_id):
    return (token_ids != pad_id)[None, None]


@padding_mask.mistake(
    "The new axes stand behind the words, so the words are on the axis of the heads. The last axis belongs to the keys."
)
def new_axes_at_the_end(token_ids, pad_id):
    return (token_ids != pad_id)[:, :, None, None]


@padding_mask.mistake(
    "You hide padding as looker and as looked-at. It is enough that nobody looks at it, so the axis of the queries "
    "has length 1."
)
def padding_hidden_as_looker_too(token_ids, pad_id):
    real = token_ids != pad_id
    return real[:, None, :, None] & real[:, None, None, :]


@padding_mask.mistake(
    "The numbers are right but repeated for every query. An axis of length 1 says the same, and fits any number of queries."
)
def repeated_for_every_query(token_ids, pad_id):
    return np.repeat((token_ids != pad_id)[:, None, None, :], token_ids.shape[-1], axis=2)


@padding_mask.mistake("This is a mask of the numbers 0 and 1. A mask here is boolean: a comparison gives that by itself.")
def ones_and_zeros_for_true_and_false(token_ids, pad_id):
    return (token_ids != pad_id).astype(int)[:, None, None, :]


@padding_mask.mistake(
    "This is an additive mask, 0 and minus infinity. Here a mask is True and False; attention turns it into "
    "scores later."
)
def minus_infinity_for_false(token_ids, pad_id):
    return np.where(token_ids != pad_id, 0.0, -np.inf)[:, None, None, :]


@padding_mask.mistake("You count the words and open as many places from the left. Padding may stand on the left or between words.")
def padding_assumed_at_the_end(token_ids, pad_id):
    lengths = (token_ids != pad_id).sum(axis=1, keepdims=True)
    return (np.arange(token_ids.shape[1]) < lengths)[:, None, None, :]


@padding_mask.mistake("After the first padding everything is hidden, real words too. Look at every token for itself.")
def all_after_the_first_padding_hidden(token_ids, pad_id):
    return (np.cumsum(token_ids == pad_id, axis=1) == 0)[:, None, None, :]


@padding_mask.mistake("All sentences get the mask of the first one. Each has padding of its own.")
def mask_of_the_first_sentence_for_all(token_ids, pad_id):
    return np.broadcast_to(token_ids[:1] != pad_id, token_ids.shape)[:, None, None, :]


@padding_mask.mistake("You return the ids themselves where words are real. A mask says only True or False.")
def ids_kept_in_the_mask(token_ids, pad_id):
    return np.where(token_ids != pad_id, token_ids, 0)[:, None, None, :]


# ------------------------------------------------------------------------------------ causal_mask


@LESSON.exercise(aspects={"values": 2, "one position": 1})
def causal_mask(rng):
    yield Case("values", "five positions", 5)
    yield Case("values", "two positions", 2)
    yield Case("values", "another number of positions", int(rng.integers(6, 20)), hidden=True)
    yield Case("one position", "one position alone", 1)


@causal_mask.mistake(
    "Only the future is visible here, and the past is hidden. Read your first row: what may the first word look at?"
)
def only_the_future_visible(n):
    return ~triangle(n)


@causal_mask.mistake("The diagonal is hidden, so the first word may look at nothing. Every word may look at itself.")
def diagonal_hidden(n):
    return triangle(n, -1)


@causal_mask.mistake(
    "Every word may also look at the one after it: one diagonal too many. That very word is what it has to predict."
)
def one_future_word_leaks(n):
    return triangle(n, 1)


@causal_mask.mistake("The triangle lies on the wrong side: each word may look at itself and what comes after it.")
def looks_forward_instead_of_back(n):
    return triangle(n).T


@causal_mask.mistake("The last word of the sentence sees least and the first sees all. Rows are the words that look, from the first down.")
def rows_upside_down(n):
    return triangle(n)[::-1]


@causal_mask.mistake("Everything is visible: nothing of the future is hidden.")
def nothing_hidden(n):
    return np.ones((n, n), dtype=bool)


@causal_mask.mistake("Each word sees itself alone. It may look at all words before it as well.")
def only_itself_visible(n):
    return np.eye(n, dtype=bool)


@causal_mask.mistake("Each word sees itself and one word before. It may look at all words before it, as far back as they go.")
def only_one_word_back(n):
    return triangle(n) & ~triangle(n, -2)


@causal_mask.mistake("These are the numbers 0 and 1. A mask here is boolean: give the array a dtype, or compare.")
def ones_and_zeros_for_true_and_false(n):  # noqa: F811
    return np.tril(np.ones((n, n)))


@causal_mask.mistake("This is an additive mask, 0 and minus infinity. Here a mask is True and False.")
def minus_infinity_for_false(n):  # noqa: F811
    return np.where(triangle(n), 0.0, -np.inf)


@causal_mask.mistake("There are axes too many: a causal mask is the same for all sentences and heads, so it has shape (n, n).")
def axes_for_batch_and_heads_added(n):
    return triangle(n)[None, None]


@causal_mask.mistake("You return a list of lists. Masks here are NumPy arrays.")
def list_instead_of_array(n):
    return triangle(n).tolist()


@causal_mask.mistake("The mask is typed in for three words. Another sentence has another length: let the table grow with n.")
def typed_in_for_three_words(n):
    return np.array([[True, False, False], [True, True, False], [True, True, True]])


# ----------------------------------------------------------------------------------- decoder_mask


@LESSON.exercise(aspects={"values": 2, "no padding": 1, "padding anywhere": 1, "any padding id": 1})
def decoder_mask(rng):
    yield Case("values", "three sentences of five, padded at the end", sentences(rng, [4, 3, 2], 5, 0), 0)
    yield Case("values", "four sentences of four", sentences(rng, [4, 1, 3, 2], 4, 0), 0)
    yield Case("values", "six sentences of three", sentences(rng, [3, 1, 2, 2, 3, 1], 3, 0), 0, hidden=True)
    yield Case(
        "values", "the same call twice, with other ids between", sentences(rng, [2, 4], 4, 0), 0, probe="call_again"
    )
    yield Case("no padding", "two sentences, neither padded", sentences(rng, [6, 6], 6, 0), 0)
    yield Case("padding anywhere", "padding on the left", sentences(rng, [3, 5], 5, 0, "left"), 0)
    yield Case("padding anywhere", "padding in the middle", gap(rng, 6, 0), 0)
    yield Case("padding anywhere", "padding at many places", sentences(rng, [2, 5, 4], 8, 0, "mixed"), 0, hidden=True)
    ids = sentences(rng, [5, 3], 5, 7)
    ids[0, :3] = [0, 3, 9]
    yield Case("any padding id", "the padding's id is 7, and 0 is a word", ids, 7)


def both_masks(token_ids, pad_id, diagonal=0):
    """The right decoder mask's two parts: real keys `(batch, 1, 1, n)`, and a triangle `(n, n)`."""
    return (token_ids != pad_id)[:, None, None, :], triangle(token_ids.shape[-1], diagonal)


@decoder_mask.mistake(
    "The two masks are joined by “or”, so a real word of the future may be looked at, and padding of the past too. "
    "Which word joins two conditions that must both hold?"
)
def causal_or_padding(token_ids, pad_id):
    real, past = both_masks(token_ids, pad_id)
    return real | past


@decoder_mask.mistake("Only the padding is hidden; the future is open. Join the causal mask as well.")
def future_not_hidden(token_ids, pad_id):
    real, past = both_masks(token_ids, pad_id)
    return real & np.ones_like(past)


@decoder_mask.mistake("This is the padding mask alone: the axis of the queries has length 1, so all see the same, future included.")
def padding_mask_alone(token_ids, pad_id):
    return both_masks(token_ids, pad_id)[0]


@decoder_mask.mistake("Only the future is hidden; padding may be looked at.")
def padding_not_hidden(token_ids, pad_id):
    real, past = both_masks(token_ids, pad_id)
    return np.ones_like(real) & past


@decoder_mask.mistake("This is the causal mask alone, one for all sentences. Each sentence has padding of its own to hide.")
def causal_mask_alone(token_ids, pad_id):
    return both_masks(token_ids, pad_id)[1]


@decoder_mask.mistake(
    "The padding is hidden as a looker: whole rows are False. It is the columns of padding that must be, "
    "since nobody may look there."
)
def padding_hides_queries(token_ids, pad_id):  # noqa: F811
    real, past = both_masks(token_ids, pad_id)
    return np.swapaxes(real, -1, -2) & past


@decoder_mask.mistake("The rows of padding are hidden as well as its columns. Padding may look: nobody reads what it finds.")
def padding_hidden_as_looker_too(token_ids, pad_id):  # noqa: F811
    real, past = both_masks(token_ids, pad_id)
    return np.swapaxes(real, -1, -2) & real & past


@decoder_mask.mistake(
    "Padding may look at itself: the diagonal is open in every row. Nobody may look at padding, not even padding; a row "
    "that is left with nothing is no fault here."
)
def padding_may_look_at_itself(token_ids, pad_id):
    real, past = both_masks(token_ids, pad_id)
    return (real & past) | np.eye(token_ids.shape[-1], dtype=bool)


@decoder_mask.mistake("Everything is the wrong way round: True stands where a word must not look. True means “may be looked at”.")
def true_where_hidden(token_ids, pad_id):
    real, past = both_masks(token_ids, pad_id)
    return ~(real & past)


@decoder_mask.mistake("Words see the future and not the past: the causal part is the wrong way round.")
def only_the_future_visible(token_ids, pad_id):  # noqa: F811
    real, past = both_masks(token_ids, pad_id)
    return real & ~past


@decoder_mask.mistake("Each word sees itself and what comes after it: the triangle lies on the wrong side.")
def looks_forward_instead_of_back(token_ids, pad_id):  # noqa: F811
    real, past = both_masks(token_ids, pad_id)
    return real & past.T


@decoder_mask.mistake("Only padding may be looked at: the padding part is the wrong way round.")
def only_the_padding_visible(token_ids, pad_id):
    real, past = both_masks(token_ids, pad_id)
    return ~real & past


@decoder_mask.mistake("Words may not look at themselves: the diagonal is hidden.")
def diagonal_hidden(token_ids, pad_id):  # noqa: F811
    real, past = both_masks(token_ids, pad_id, diagonal=-1)
    return real & past


@decoder_mask.mistake("Each word may look at the next one, which is what it has to predict: one diagonal too many.")
def one_future_word_leaks(token_ids, pad_id):  # noqa: F811
    real, past = both_masks(token_ids, pad_id, diagonal=1)
    return real & past


@decoder_mask.mistake(
    "Where nothing is padded the future is open as well. The causal part is needed whether there is padding or not."
)
def causal_mask_dropped_when_nothing_is_padded(token_ids, pad_id):
    real, past = both_masks(token_ids, pad_id)
    return real & np.ones_like(past) if real.all() else real & past


@decoder_mask.mistake("True and False are right, but the axis for the heads is missing: the shape is (batch, 1, n, n).")
def axis_for_heads_missing(token_ids, pad_id):  # noqa: F811
    real, past = both_masks(token_ids, pad_id)
    return (real & past)[:, 0]


@decoder_mask.mistake(
    "The words' table (batch, n) meets the triangle (n, n) directly, so sentences are taken for words that look. "
    "Give it its axes first."
)
def sentences_taken_for_queries(token_ids, pad_id):
    return (token_ids != pad_id) & triangle(token_ids.shape[-1])


@decoder_mask.mistake(
    "`and` asks each whole array whether it is true, which has no answer. Look for the operator that works place by place."
)
def and_between_whole_arrays(token_ids, pad_id):
    real, past = both_masks(token_ids, pad_id)
    return real and past


@decoder_mask.mistake(
    "The triangle is as large as the number of sentences. It should be as large as the number of words in one: which "
    "axis is that?"
)
def sentences_counted_for_words(token_ids, pad_id):
    return (token_ids != pad_id)[:, None, None, :] & triangle(len(token_ids))


@decoder_mask.mistake(
    "The causal mask is given the whole shape of the ids, two numbers. It wants one: how many words a sentence has."
)
def causal_mask_of_the_whole_shape(token_ids, pad_id):
    return (token_ids != pad_id)[:, None, None, :] & triangle(token_ids.shape)


@decoder_mask.mistake(
    "Only the first sentence's mask is returned: its axes of sentences and heads are gone. Every sentence needs its own, "
    "in shape (batch, 1, n, n)."
)
def mask_of_the_first_sentence_alone(token_ids, pad_id):
    real, past = both_masks(token_ids, pad_id)
    return (real & past)[0, 0]


@decoder_mask.mistake("This is a mask of the numbers 0 and 1. A mask here is boolean: join the two with a logical “and”.")
def ones_and_zeros_for_true_and_false(token_ids, pad_id):  # noqa: F811
    real, past = both_masks(token_ids, pad_id)
    return real.astype(int) * past.astype(int)


@decoder_mask.mistake("This is an additive mask, 0 and minus infinity. Here a mask is True and False.")
def minus_infinity_for_false(token_ids, pad_id):  # noqa: F811
    real, past = both_masks(token_ids, pad_id)
    return np.where(real & past, 0.0, -np.inf)


@decoder_mask.mistake("You compare with 0, whatever `pad_id` says.")
def padding_id_taken_for_zero(token_ids, pad_id):  # noqa: F811
    real, past = both_masks(token_ids, 0)
    return real & past


@decoder_mask.mistake("You count the words and hide the rest from the right. Padding may stand on the left or between words.")
def padding_assumed_at_the_end(token_ids, pad_id):  # noqa: F811
    lengths = (token_ids != pad_id).sum(axis=1)[:, None, None, None]
    return (np.arange(token_ids.shape[1]) < lengths) & triangle(token_ids.shape[1])


@decoder_mask.mistake("All sentences get the mask of the first one. Each has padding of its own.")
def mask_of_the_first_sentence_for_all(token_ids, pad_id):  # noqa: F811
    real, past = both_masks(np.broadcast_to(token_ids[:1], token_ids.shape), pad_id)
    return real & past


# ------------------------------------------------------------------------------- masked_attention


@LESSON.exercise(
    aspects={
        "hidden keys": 2,
        "no mask": 1,
        "broadcast masks": 1,
        "nothing to look at": 1,
        "large scores": 1,
        "inputs unchanged": 1,
    },
    returns=("output", "weights"),
)
def masked_attention(rng):
    def inputs(*batch, n_q=3, n_k=5, d_k=4, d_v=2):
        shapes = [(*batch, n_q, d_k), (*batch, n_k, d_k), (*batch, n_k, d_v)]
        return [rng.normal(size=shape) for shape in shapes]

    def some(*shape):
        """A mask in which every row has something to look at, and something hidden."""
        visible = rng.integers(1, shape[-1], size=(*shape[:-1], 1))  # so many in each row, at any places
        return rng.random(shape).argsort(axis=-1) < visible

    def ask(aspect, says, q, k, v, mask, zeros_exact=True, **options):
        return Case(aspect, says, q, k, v, mask=mask, zeros_exact=zeros_exact, **options)

    # hidden keys
    q, k, v = inputs(n_q=5, n_k=5, d_v=3)
    yield ask("hidden keys", "five words under a causal mask", q, k, v, triangle(5))
    q, k, v = (np.concatenate([array[:-1], rng.normal(size=(1, array.shape[1]))]) for array in (q, k, v))
    yield ask("hidden keys", "the same words, but the last one is another", q, k, v, triangle(5))
    yield ask("hidden keys", "three queries, five keys, some of them hidden", *inputs(), some(3, 5))
    yield ask("hidden keys", "two sentences, each with a mask of its own", *inputs(2), some(2, 3, 5))
    q, k, v = inputs(2, n_q=6, n_k=6)
    yield ask("hidden keys", "two sentences of six words, causal", q, k, v, triangle(6)[None], hidden=True)
    k, v = k.copy(), v.copy()
    k[:, 3:], v[:, 3:] = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 2))
    yield ask("hidden keys", "the same, but all words from the fourth on are others", q, k, v, triangle(6)[None], hidden=True)
    single = [array.astype(np.float32) for array in inputs(n_q=2, n_k=4)]
    yield ask("hidden keys", "numbers in float32", *single, some(2, 4), hidden=True)
    yield ask(
        "hidden keys", "the same call twice, with other numbers between", *inputs(n_q=4, n_k=6), some(4, 6),
        probe="call_again",
    )
    # no mask
    yield Case("no mask", "no mask at all", *inputs())
    yield Case("no mask", "mask=None, two sentences", *inputs(2, n_q=4, n_k=3), mask=None)
    yield ask("no mask", "a mask that hides nothing", *inputs(n_q=4, n_k=4), np.ones((4, 4), dtype=bool))
    # masks with axes of length 1, or fewer axes
    real = np.array([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 0, 1]], dtype=bool)[:, None, None, :]
    yield ask("broadcast masks", "padding right, left and middle, the same for two heads", *inputs(3, 2, n_q=4), real)
    yield ask("broadcast masks", "one row of a mask for four queries", *inputs(n_q=4), some(1, 5))
    yield ask("broadcast masks", "one causal mask for two sentences of three heads", *inputs(2, 3, n_q=4, n_k=4), triangle(4))
    real = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], dtype=bool)[:, None, None, :]
    yield ask("broadcast masks", "decoder masks", *inputs(2, 3, n_q=4, n_k=4), real & triangle(4), hidden=True)
    yield ask("broadcast masks", "one mask a head", *inputs(2, 3, n_q=4, n_k=6), some(1, 3, 1, 6), hidden=True)
    # rows with nothing to look at
    mask = some(4, 5)
    mask[[0, 2]] = False
    yield ask("nothing to look at", "the first and the third query may look at nothing", *inputs(n_q=4), mask)
    left = np.array([False, False, True, True]) & triangle(4)
    yield ask("nothing to look at", "causal, with padding on the left", *inputs(2, n_q=4, n_k=4), left[None])
    whole = np.array([True, False, True])[:, None]
    yield ask("nothing to look at", "a mask with one column: whole queries are hidden", *inputs(n_q=3), whole)
    yield ask("nothing to look at", "everything is hidden", *inputs(2), np.zeros((2, 1, 1), dtype=bool), hidden=True)
    # scores among which a number that is not low enough hides nothing
    for visible, hidden in [(-35.0, 0.0), (-600.0, 0.0), (-900.0, -100.0)]:
        q, k, v = inputs(n_q=4, n_k=6)
        mask = some(1, 6)
        q[:, 0], k[:, 0] = [2.0, 2.0, 2.0, -2.0], np.where(mask[0], visible, hidden)  # divided by sqrt(4)
        says = f"three rows with visible scores around {visible:.0f}, hidden ones around {hidden:.0f}, and one the other way round"
        yield ask("large scores", says, q, k, v, mask)
    # scores of 10,000
    q, k, v = inputs(n_q=3, n_k=5)
    q[:, 0], k[:, 0] = 1.0, 0.0
    mask = some(1, 5)
    k[~mask[0], 0] = 2e4  # divided by sqrt(4)
    yield ask("large scores", "hidden keys with scores around 10,000", q, k, v, mask)
    k = np.where(mask.T, [-2e4, 0.0, 0.0, 0.0], k)
    k[~mask[0], 0] = 0.0
    yield ask("large scores", "visible keys with scores of -10,000", q, k, v, mask)
    q, k, v = inputs(n_q=4, n_k=6)
    yield ask("large scores", "scores in the thousands", 2000 * q, k, v, some(4, 6), zeros_exact=False, hidden=True)


# First those that fail on rows with nothing to look at alone, then ever weaker ways to hide: where two mistakes
# explain what went wrong, the first is named.


@masked_attention.mistake(
    "You hide what may be looked at, and show what is hidden. Look at what True means in this course."
)
def mask_inverted(q, k, v, mask=None):
    scores = scores_of(q, k)
    weights = softmax(scores if mask is None else np.where(mask, -np.inf, scores))
    return weights @ v, weights


@masked_attention.mistake(
    "Your very low number goes to the keys that may be looked at, and hidden keys keep their scores. Look at the order "
    "of the two choices in np.where, and at what True means."
)
def minus_a_billion_at_visible_keys(q, k, v, mask=None):
    scores = scores_of(q, k)
    weights = softmax(scores if mask is None else np.where(mask, -1e9, scores))
    return weights @ v, weights


@masked_attention.mistake(
    "Keys at which the mask is True get weight 0, and the others are looked at. In which library does True mean “hidden”?"
)
def true_taken_for_hidden(q, k, v, mask=None):
    return right_attention(q, k, v, None if mask is None else ~mask)


@masked_attention.mistake(
    "Hidden keys still weigh: the mask changes nothing. Is the result of np.where thrown away, or what you add next to "
    "nothing (-1e-9)?"
)
def mask_without_effect(q, k, v, mask=None):
    weights = softmax(scores_of(q, k))
    return weights @ v, weights


@masked_attention.mistake(
    "Where a row may look at nothing you get NaN: all its exponentials are 0, and 0/0 is not a number. Such a row is "
    "to have weights and output 0."
)
def empty_row_gives_nan(q, k, v, mask=None):
    weights = softmax(np.where(as_mask(mask), scores_of(q, k), -np.inf))
    return weights @ v, weights


@masked_attention.mistake(
    "NaN is cleared from the weights only, after they have gone into the output. Clear them before they meet the values."
)
def empty_row_cleared_after_the_output(q, k, v, mask=None):
    weights = softmax(np.where(as_mask(mask), scores_of(q, k), -np.inf))
    return weights @ v, np.nan_to_num(weights)


@masked_attention.mistake(
    "NaN is cleared from the output only, and the weights you return still have it. Clear the weights, before they meet "
    "the values."
)
def nan_cleared_from_the_output_only(q, k, v, mask=None):
    weights = softmax(np.where(as_mask(mask), scores_of(q, k), -np.inf))
    return np.nan_to_num(weights @ v), weights


@masked_attention.mistake(
    "A row with nothing to look at was opened for a moment, and the output is made before its weights are cleared. Look "
    "at the order of the last steps."
)
def output_made_before_the_weights_are_cleared(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = softmax(np.where(mask | ~mask.any(axis=-1, keepdims=True), scores_of(q, k), -np.inf))
    return weights @ v, np.where(mask, weights, 0.0)


@masked_attention.mistake(
    "A row with nothing to look at has weights 0, but its output is still the mean of hidden values: it was made "
    "before the weights were cleared. Look at the order of the last steps."
)
def mean_of_hidden_values_left_in_the_output(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = softmax(np.where(mask, scores_of(q, k), -1e9))
    return weights @ v, np.where(mask, weights, 0.0)


@masked_attention.mistake(
    "A row with nothing to look at has output 0, but the weights you return are those of the row opened for a moment. "
    "Both results must come from the same, cleared weights."
)
def weights_returned_before_they_are_cleared(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = softmax(np.where(mask | ~mask.any(axis=-1, keepdims=True), scores_of(q, k), -np.inf))
    return np.where(mask, weights, 0.0) @ v, weights


@masked_attention.mistake(
    "A row with nothing to look at has output 0, but the weights you return still spread evenly over hidden keys. Both "
    "results must come from the same, cleared weights."
)
def output_cleared_but_weights_spread_evenly(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = softmax(np.where(mask, scores_of(q, k), -1e9))
    return np.where(mask, weights, 0.0) @ v, weights


@masked_attention.mistake(
    "A row with nothing to look at shares its attention evenly among hidden keys, since all its scores are equally low. "
    "Its weights and output should be 0."
)
def empty_row_spreads_evenly(q, k, v, mask=None):
    weights = softmax(np.where(as_mask(mask), scores_of(q, k), -1e9))
    return weights @ v, weights


@masked_attention.mistake(
    "A row with nothing to look at looks at everything, as if it had no mask: all its scores are lowered alike, or it was "
    "opened to avoid NaN. Its weights and output should be 0."
)
def empty_row_looks_at_everything(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = softmax(np.where(mask | ~mask.any(axis=-1, keepdims=True), scores_of(q, k), -np.inf))
    return weights @ v, weights


@masked_attention.mistake(
    "One row with nothing to look at clears all the others too. Ask row by row whether there is anything to look at."
)
def one_empty_row_clears_everything(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = softmax(np.where(mask, scores_of(q, k), -1e9)) * mask.any(axis=-1).all()
    return weights @ v, weights


@masked_attention.mistake(
    "`any` runs along axis 1. That is the axis of the keys only where nothing stands in front of it. Which axis is it, "
    "counted from the end?"
)
def any_along_axis_1(q, k, v, mask=None):
    mask = as_mask(mask)
    empty = ~mask.any(axis=1, keepdims=True)
    weights = np.where(mask, softmax(np.where(mask | empty, scores_of(q, k), -np.inf)), 0.0)
    return weights @ v, weights


@masked_attention.mistake(
    "`any` without `keepdims` drops the axis of the keys, so its answers no longer stand beside their rows. Compare the "
    "shapes of the mask and of what `any` returns."
)
def any_without_keepdims(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = np.where(mask, softmax(np.where(mask | ~mask.any(axis=-1), scores_of(q, k), -np.inf)), 0.0)
    return weights @ v, weights


@masked_attention.mistake(
    "`any` without `keepdims` drops the axis of the keys, so its answers do not stand beside the rows of weights. Compare "
    "the two shapes."
)
def keepdims_forgotten_at_the_weights(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = softmax(np.where(mask, scores_of(q, k), -1e9))
    weights = np.where(mask.any(axis=-1), weights, 0.0)
    return weights @ v, weights


@masked_attention.mistake(
    "`any` without `keepdims` drops the axis of the keys, so its answers do not stand beside the rows of the output. "
    "Compare the two shapes, and clear the weights as well."
)
def keepdims_forgotten_at_the_output(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = softmax(np.where(mask, scores_of(q, k), -1e9))
    return np.where(mask.any(axis=-1), weights @ v, 0.0), weights


@masked_attention.mistake(
    "You hide after the softmax, so the weights of a row no longer add up to 1. Hide the scores, before it. Or is a "
    "`~` missing before `any`? Only empty rows may be opened for a moment."
)
def hidden_after_the_softmax(q, k, v, mask=None):
    weights = softmax(scores_of(q, k)) * as_mask(mask)
    return weights @ v, weights


@masked_attention.mistake(
    "You hide after the softmax and divide by the sum again. Where a hidden score is very large, the softmax has "
    "left nothing for the others: hide before it."
)
def hidden_after_the_softmax_and_rescaled(q, k, v, mask=None):
    weights = softmax(scores_of(q, k)) * as_mask(mask)
    total = weights.sum(axis=-1, keepdims=True)
    weights = weights / np.where(total == 0, 1.0, total)
    return weights @ v, weights


@masked_attention.mistake(
    "You hide after the softmax and divide by the sum again. Where that sum is 0 you get NaN: for rows with "
    "nothing to look at, and where a hidden score is very large."
)
def rescaled_by_a_sum_of_zero(q, k, v, mask=None):
    weights = softmax(scores_of(q, k)) * as_mask(mask)
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return weights @ v, weights


@masked_attention.mistake(
    "You put minus infinity in after the softmax, among the weights. It belongs among the scores: the softmax makes a "
    "weight of 0 out of it."
)
def minus_infinity_put_in_after_the_softmax(q, k, v, mask=None):
    weights = np.where(as_mask(mask), softmax(scores_of(q, k)), -np.inf)
    return weights @ v, weights


@masked_attention.mistake(
    "You take the softmax, hide, and take the softmax again: weights serve as scores the second time, and all come out "
    "nearly alike. Hide the scores, then take one softmax."
)
def softmax_taken_twice(q, k, v, mask=None):
    weights = np.nan_to_num(softmax(np.where(as_mask(mask), softmax(scores_of(q, k)), -np.inf)))
    return weights @ v, weights


@masked_attention.mistake(
    "You add the mask to the scores as it is, so keys that may be looked at gain 1. Hidden ones must lose everything."
)
def ones_and_zeros_added_to_the_scores(q, k, v, mask=None):
    weights = softmax(scores_of(q, k) + as_mask(mask))
    return weights @ v, weights


@masked_attention.mistake(
    "Hidden scores become 0 (times the mask, or -1e-9, comes to the same). That is an ordinary score: what is e to the "
    "power of 0? Which score has weight 0?"
)
def hidden_scores_set_to_zero(q, k, v, mask=None):
    weights = softmax(np.where(as_mask(mask), scores_of(q, k), 0.0))
    return weights @ v, weights


@masked_attention.mistake(
    "Hidden scores become -10,000. Scores of visible keys can be as low as that, and then the hidden ones weigh the same."
)
def fill_of_minus_ten_thousand(q, k, v, mask=None):
    weights = softmax(np.where(as_mask(mask), scores_of(q, k), -1e4))
    return weights @ v, weights


@masked_attention.mistake(
    "Hidden scores become a number like -1,000. That will do among ordinary scores, but where visible scores are lower "
    "the hidden keys get everything."
)
def fill_of_minus_a_thousand(q, k, v, mask=None):
    weights = softmax(np.where(as_mask(mask), scores_of(q, k), -1e3))
    return weights @ v, weights


@masked_attention.mistake(
    "Hidden scores become a number like -1,000, and their weights 0 later. Where visible scores are lower than that, the "
    "softmax has given everything away by then: the row adds up to 0."
)
def fill_of_minus_a_thousand_cleared_later(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = np.where(mask, softmax(np.where(mask, scores_of(q, k), -1e3)), 0.0)
    return weights @ v, weights


@masked_attention.mistake(
    "Hidden scores become a number like -50 or -100. The weights of hidden keys look like 0 in print, but small is not "
    "0; and visible scores can be far lower."
)
def fill_of_minus_fifty(q, k, v, mask=None):
    weights = softmax(np.where(as_mask(mask), scores_of(q, k), -50.0))
    return weights @ v, weights


@masked_attention.mistake(
    "Hidden scores become a number like -50 or -100, and their weights 0 later. Where visible scores are lower than that, "
    "the softmax has given everything away by then: the row adds up to 0."
)
def fill_of_minus_fifty_cleared_later(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = np.where(mask, softmax(np.where(mask, scores_of(q, k), -50.0)), 0.0)
    return weights @ v, weights


@masked_attention.mistake(
    "Hidden scores become about -10. That leaves hidden keys a small weight, and small is not 0; and visible scores can "
    "be lower than that."
)
def fill_of_minus_ten(q, k, v, mask=None):
    weights = softmax(np.where(as_mask(mask), scores_of(q, k), -10.0))
    return weights @ v, weights


@masked_attention.mistake(
    "You take 10,000 off hidden scores. A hidden score may be just as large, and is then back among the others."
)
def ten_thousand_taken_off(q, k, v, mask=None):
    weights = softmax(scores_of(q, k) - 1e4 * ~as_mask(mask))
    return weights @ v, weights


@masked_attention.mistake(
    "You take a number like 1,000 off hidden scores. That will do among ordinary scores, but a hidden score of 10,000 "
    "is still the largest of all."
)
def a_thousand_taken_off(q, k, v, mask=None):
    weights = softmax(scores_of(q, k) - 1e3 * ~as_mask(mask))
    return weights @ v, weights


@masked_attention.mistake(
    "You take a number like 1,000 off hidden scores and set their weights to 0 later. A hidden score of 10,000 has taken "
    "everything by then: the row adds up to 0."
)
def a_thousand_taken_off_cleared_later(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = np.where(mask, softmax(scores_of(q, k) - 1e3 * ~mask), 0.0)
    return weights @ v, weights


@masked_attention.mistake(
    "You take a number like 50 or 100 off hidden scores. Their weights look like 0 in print, but small is not 0; and a "
    "score of 10,000 does not notice."
)
def fifty_taken_off(q, k, v, mask=None):
    weights = softmax(scores_of(q, k) - 50.0 * ~as_mask(mask))
    return weights @ v, weights


@masked_attention.mistake(
    "You take a number like 50 or 100 off hidden scores and set their weights to 0 later. A much larger hidden score has "
    "taken everything by then: the row adds up to 0."
)
def fifty_taken_off_cleared_later(q, k, v, mask=None):
    mask = as_mask(mask)
    weights = np.where(mask, softmax(scores_of(q, k) - 50.0 * ~mask), 0.0)
    return weights @ v, weights


@masked_attention.mistake(
    "You take about 10 off hidden scores. That makes their weights small, and small is not 0; a hidden score that is "
    "larger by 25 does not even notice."
)
def ten_taken_off(q, k, v, mask=None):
    weights = softmax(scores_of(q, k) - 10.0 * ~as_mask(mask))
    return weights @ v, weights


@masked_attention.mistake(
    "Hidden scores become plus infinity, the largest score of all, and infinity minus infinity is NaN. Look at its sign."
)
def plus_infinity_for_minus_infinity(q, k, v, mask=None):
    weights = softmax(np.where(as_mask(mask), scores_of(q, k), np.inf))
    return weights @ v, weights


@masked_attention.mistake(
    "You multiply infinity by the mask, and 0 times infinity is NaN. Choose between two numbers instead of multiplying."
)
def zero_times_infinity(q, k, v, mask=None):
    scores = scores_of(q, k)
    weights = softmax(scores if mask is None else scores + (1.0 - mask) * -np.inf)
    return weights @ v, weights


@masked_attention.mistake(
    "Queries and keys have changed places in the mask: rows are those who look, columns those who are looked at. "
    "There is nothing to turn round."
)
def mask_transposed(q, k, v, mask=None):
    mask = np.swapaxes(as_mask(mask), -1, -2)
    empty = ~mask.any(axis=-1, keepdims=True)
    weights = np.where(mask, softmax(np.where(mask | empty, scores_of(q, k), -np.inf)), 0.0)
    return weights @ v, weights


@masked_attention.mistake(
    "Output and weights tell different stories: the output obeys the mask, the weights you return are from before it."
)
def weights_from_before_the_mask(q, k, v, mask=None):
    right, _ = right_attention(q, k, v, mask)
    return right, softmax(scores_of(q, k))


@masked_attention.mistake(
    "Output and weights tell different stories: the weights obey the mask, but the output is made from weights "
    "from before it."
)
def output_from_before_the_mask(q, k, v, mask=None):
    _, weights = right_attention(q, k, v, mask)
    return softmax(scores_of(q, k)) @ v, weights


@masked_attention.mistake(
    "The mask serves as an index, which must have the full shape of the scores. np.where repeats axes of length 1 by itself."
)
def mask_used_as_an_index(q, k, v, mask=None):
    scores = scores_of(q, k)
    scores[~mask] = -np.inf
    weights = softmax(scores)
    return weights @ v, weights


@masked_attention.mistake(
    "Without a mask nothing may be looked at: np.where takes None for False. mask=None means that everything may be."
)
def no_mask_hides_everything(q, k, v, mask=None):
    weights = np.nan_to_num(softmax(np.where(mask, scores_of(q, k), -np.inf)))
    return weights @ v, weights


@masked_attention.mistake(
    "Without a mask everything is NaN: np.where takes None for False, so all scores become minus infinity. mask=None "
    "means that everything may be looked at."
)
def no_mask_gives_nan(q, k, v, mask=None):
    weights = softmax(np.where(mask, scores_of(q, k), -np.inf))
    return weights @ v, weights


@masked_attention.mistake(
    "Without a mask the code stops: `~` turns an array round, but None is no array. mask=None means that everything may "
    "be looked at."
)
def none_turned_round(q, k, v, mask=None):
    weights = softmax(np.where(~mask, -np.inf, scores_of(q, k)))
    return weights @ v, weights


@masked_attention.mistake(
    "`if mask` and `not mask` ask a whole array whether it is true, which has no answer. Compare with None by `is`; "
    "turn a mask round, place by place, with `~`."
)
def whole_array_asked_whether_it_is_true(q, k, v, mask=None):
    scores = scores_of(q, k)
    if mask:
        scores = np.where(mask, scores, -np.inf)
    weights = np.nan_to_num(softmax(scores))
    return weights @ v, weights


@masked_attention.mistake(
    "`not` asks a whole array whether it is true, which has no answer, and makes True of None. Turn a mask round, place by "
    "place, with `~`, and compare with None by `is`."
)
def not_before_a_whole_array(q, k, v, mask=None):  # noqa: F811
    weights = softmax(np.where(not mask, -np.inf, scores_of(q, k)))
    return weights @ v, weights


@masked_attention.mistake(
    "The mask that you make for None has the first axes of q and k. In a batch these count sentences, not words: which "
    "axis of q counts its words, whatever stands in front?"
)
def mask_for_none_made_from_the_first_axes(q, k, v, mask=None):
    if mask is None:
        mask = np.ones((q.shape[0], k.shape[0]), dtype=bool)
    return right_attention(q, k, v, mask)


@masked_attention.mistake(
    "The mask that you make for None holds numbers, and `|` works on True and False. Give the array a dtype."
)
def mask_for_none_not_boolean(q, k, v, mask=None):
    return right_attention(q, k, v, np.ones((1, 1)) if mask is None else mask)


@masked_attention.mistake("Without a mask the code stops: None has no axes. mask=None means that everything may be looked at.")
def none_taken_for_an_array(q, k, v, mask=None):
    empty = ~mask.any(axis=-1, keepdims=True)
    weights = np.where(mask, softmax(np.where(mask | empty, scores_of(q, k), -np.inf)), 0.0)
    return weights @ v, weights


@masked_attention.mistake(
    "The mask gets an axis for the heads once more. It comes as it is to be used, and NumPy fits it to the scores."
)
def axis_for_heads_added_again(q, k, v, mask=None):
    return right_attention(q, k, v, mask if mask is None else mask[:, None])


@masked_attention.mistake("The scores are not scaled: divide them by the square root of d_k, as in lesson 01.")
def no_scaling(q, k, v, mask=None):
    return right_attention(q * np.sqrt(q.shape[-1]), k, v, mask)


@masked_attention.mistake("You divide the scores by d_k. They are to be divided by its square root, as in lesson 01.")
def divided_by_d_k(q, k, v, mask=None):
    return right_attention(q / np.sqrt(q.shape[-1]), k, v, mask)


@masked_attention.mistake("You scale by the number of keys. It is the width of queries and keys that counts, d_k.")
def divided_by_the_root_of_the_number_of_keys(q, k, v, mask=None):
    return right_attention(q * np.sqrt(q.shape[-1] / k.shape[-2]), k, v, mask)


@masked_attention.mistake(
    "`.T` turns round all axes, those of sentences and heads too. Exchange only the last two axes of the keys."
)
def transpose_reverses_all_axes(q, k, v, mask=None):
    q @ k.T  # fails where there are axes in front
    return right_attention(q, k, v, mask)


@masked_attention.mistake("You scale by the width of the values. The products are between queries and keys: it is d_k that counts.")
def divided_by_the_root_of_d_v(q, k, v, mask=None):
    return right_attention(q * np.sqrt(q.shape[-1] / v.shape[-1]), k, v, mask)


@masked_attention.mistake(
    "The softmax runs over the queries: columns add up to 1. Each query shares out its own attention among the keys."
)
def softmax_over_queries(q, k, v, mask=None):
    mask = as_mask(mask)
    scores = np.where(mask, scores_of(q, k), -np.inf)
    empty = np.isneginf(scores).all(axis=-2, keepdims=True)
    weights = np.where(empty, 0.0, softmax(np.where(empty, 0.0, scores), axis=-2))
    return weights @ v, weights


@masked_attention.mistake(
    "Your softmax does not take off the largest score first: exp of 10,000 is infinite, and exp of -10,000 is 0. The "
    "softmax of lesson 01 has neither trouble."
)
def softmax_overflows(q, k, v, mask=None):
    exp = np.exp(np.where(as_mask(mask), scores_of(q, k), -np.inf))
    weights = np.nan_to_num(exp / exp.sum(axis=-1, keepdims=True))
    return weights @ v, weights


@masked_attention.mistake(
    "You take exp and divide by the sum without taking the largest score off first. Where all visible scores are very low, "
    "or there are none, that is 0/0. Use the softmax of lesson 01, and think of the empty rows."
)
def softmax_by_hand_without_the_maximum(q, k, v, mask=None):
    exp = np.exp(np.where(as_mask(mask), scores_of(q, k), -np.inf))
    weights = exp / exp.sum(axis=-1, keepdims=True)
    return weights @ v, weights


@masked_attention.mistake(
    "Your softmax takes off the largest score of the whole array. A row far below it is left with zeros only: each row "
    "has a largest score of its own."
)
def maximum_of_the_whole_array_taken_off(q, k, v, mask=None):
    scores = np.where(as_mask(mask), scores_of(q, k), -np.inf)
    exp = np.exp(scores - scores.max())
    weights = np.nan_to_num(exp / exp.sum(axis=-1, keepdims=True))
    return weights @ v, weights


@masked_attention.mistake(
    "You multiply exponentials by the mask. Where a hidden score is very large its exponential is infinite, and 0 times "
    "infinity is NaN. Hide the scores, then use the softmax of lesson 01."
)
def exponentials_times_the_mask(q, k, v, mask=None):
    exp = np.exp(scores_of(q, k)) * as_mask(mask)
    weights = exp / exp.sum(axis=-1, keepdims=True)
    return weights @ v, weights


@masked_attention.mistake("Weights and output come in the wrong order: the output comes first.")
def weights_returned_first(q, k, v, mask=None):
    return right_attention(q, k, v, mask)[::-1]


@masked_attention.mistake("Only the output is returned. The weights are wanted as well.")
def weights_not_returned(q, k, v, mask=None):
    return right_attention(q, k, v, mask)[0]


@masked_attention.mistake(
    "The result is right, but you write into the mask you were given, and its owner still needs it. Make a new one."
)
def mask_changed_in_place(q, k, v, mask=None):
    result = right_attention(q, k, v, mask)
    if mask is not None:
        mask |= ~mask.any(axis=-1, keepdims=True)
    return result


@masked_attention.mistake(
    "The result is right, but `/=` scales the queries you were given in place, and their owner still needs them."
)
def queries_changed_in_place(q, k, v, mask=None):
    result = right_attention(q, k, v, mask)
    q /= np.sqrt(q.shape[-1])
    return result


def right_attention(q, k, v, mask):
    mask = as_mask(mask)
    empty = ~mask.any(axis=-1, keepdims=True)
    weights = np.where(mask, softmax(np.where(mask | empty, scores_of(q, k), -np.inf)), 0.0)
    return weights @ v, weights


# -------------------------------------------------------------------------------- teacher_forcing


@LESSON.exercise(aspects={"values": 2, "padded sentences": 1}, returns=("decoder_input", "labels"))
def teacher_forcing(rng):
    bos, eos, pad = 1, 2, 0

    def targets(lengths, n):
        ids = np.full((len(lengths), n), pad)
        for row, length in zip(ids, lengths):
            row[:length] = [bos, *rng.integers(3, 30, size=length - 2), eos]
        return ids

    yield Case("values", "two sentences of seven tokens", targets([7, 7], 7))
    yield Case("padded sentences", "four sentences, three of them padded", targets([6, 3, 5, 4], 6))
    yield Case("padded sentences", "one sentence that is padded", targets([4], 7))
    yield Case("values", "ids of dtype int32", targets([5, 3, 4], 5).astype(np.int32), hidden=True)
    yield Case("padded sentences", "five sentences of three tokens", targets([3, 2, 3, 3, 2], 3), hidden=True)
    yield Case("values", "the same call twice, with other ids between", targets([5, 4], 5), probe="call_again")


@teacher_forcing.mistake(
    "Input and labels are the same, so each position is to predict the word it reads. Labels are one place ahead."
)
def not_shifted(target_ids):
    return target_ids, target_ids


@teacher_forcing.mistake(
    "Input and labels are cut alike, so each position is to predict the word it reads. Labels are one place ahead."
)
def labels_not_shifted(target_ids):
    return target_ids[:, :-1], target_ids[:, :-1]


@teacher_forcing.mistake("The first word is cut off from both, so the decoder never reads BOS, from which it must start.")
def beginning_cut_from_both(target_ids):
    return target_ids[:, 1:], target_ids[:, 1:]


@teacher_forcing.mistake("The labels are shifted by two places, so each position has to predict the word after the next.")
def labels_shifted_twice(target_ids):
    return target_ids[:, :-2], target_ids[:, 2:]


@teacher_forcing.mistake("Input and labels have changed places: the decoder would read the answers and predict what came before.")
def input_and_labels_swapped(target_ids):
    return target_ids[:, 1:], target_ids[:, :-1]


@teacher_forcing.mistake(
    "The end is cut off from the labels, so the network is never asked to predict EOS and cannot learn to stop."
)
def end_cut_from_the_labels(target_ids):
    return target_ids[:, :-2], target_ids[:, 1:-1]


@teacher_forcing.mistake("The whole sentence is read, so there is one input more than there are labels. After the last word nothing is to be predicted.")
def input_not_shortened(target_ids):
    return target_ids, target_ids[:, 1:]


@teacher_forcing.mistake("BOS is among the labels. It is given, nobody has to predict it: the labels begin with the first word.")
def beginning_kept_among_the_labels(target_ids):
    return target_ids[:, :-1], target_ids


@teacher_forcing.mistake(
    "Rolling brings the first word round to the end, as a label of the last position, and nothing is cut off."
)
def labels_rolled_round(target_ids):
    return target_ids, np.roll(target_ids, -1, axis=1)


@teacher_forcing.mistake(
    "The labels are rolled but not cut: the first word stands at their end, and there is one label more than there are "
    "inputs."
)
def labels_rolled_but_not_cut(target_ids):
    return target_ids[:, :-1], np.roll(target_ids, -1, axis=1)


@teacher_forcing.mistake(
    "The input is rolled, so it begins with the end of the sentence and nothing is cut off. The decoder reads BOS first "
    "and never the last word."
)
def input_rolled_round(target_ids):
    return np.roll(target_ids, 1, axis=1), target_ids


@teacher_forcing.mistake(
    "The input is rolled, so it begins with the end of the sentence instead of BOS. Compare both rows of your result "
    "with the table."
)
def input_rolled_and_labels_not_shifted(target_ids):
    return np.roll(target_ids, 1, axis=1)[:, :-1], target_ids[:, :-1]


@teacher_forcing.mistake(
    "The input is rolled without an axis, so each sentence begins with the end of the one before, and nothing is cut off. "
    "The decoder reads BOS first and never the last word."
)
def input_rolled_on_from_sentence_to_sentence(target_ids):
    return np.roll(target_ids, 1), target_ids


@teacher_forcing.mistake(
    "A colon is missing: `[:, -1]` and `[:, 1]` are one column each. To take all columns up to one, or from one on, a "
    "slice is needed."
)
def colons_forgotten(target_ids):
    return target_ids[:, -1], target_ids[:, 1]


@teacher_forcing.mistake("A colon is missing in the input: `[:, -1]` is the last column alone. All but the last is a slice.")
def colon_forgotten_in_the_input(target_ids):
    return target_ids[:, -1], target_ids[:, 1:]


@teacher_forcing.mistake("A colon is missing in the labels: `[:, 1]` is a single column. From the second on is a slice.")
def colon_forgotten_in_the_labels(target_ids):
    return target_ids[:, :-1], target_ids[:, 1]


@teacher_forcing.mistake(
    "EOS is taken out of the input of padded sentences. Leave it there: its label is padding, and padding is not counted "
    "in the loss."
)
def end_taken_out_of_padded_inputs(target_ids):
    decoder_input = target_ids[:, :-1].copy()
    decoder_input[decoder_input == 2] = 0
    return decoder_input, target_ids[:, 1:]


@teacher_forcing.mistake(
    "Sentences are cut off instead of words: the slice runs over the first axis. Sentences are rows, positions are columns."
)
def sentences_cut_instead_of_words(target_ids):
    return target_ids[:-1], target_ids[1:]


@teacher_forcing.mistake("The two results are glued into one array. Return them as two: decoder input, then labels.")
def results_glued_together(target_ids):
    return np.stack([target_ids[:, :-1], target_ids[:, 1:]])


@teacher_forcing.mistake("Only the labels are returned. The decoder's input is wanted first.")
def decoder_input_not_returned(target_ids):
    return target_ids[:, 1:]
