"""Lesson 02: multi-head attention."""

import numpy as np

from grader.spec import NUMPY_ONLY, Case, Lesson

LESSON = Lesson("02_multi_head_attention", refuse=NUMPY_ONLY)
TWICE = "the same call twice, with other numbers between"


def softmax(x, axis=-1):
    exp = np.exp(x - x.max(axis=axis, keepdims=True))
    return exp / exp.sum(axis=axis, keepdims=True)


def attention(q, k, v, width=None, axis=-1):
    """Attention with one thing wrong: the number whose root divides the scores, or the softmax's axis."""
    weights = softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(width or q.shape[-1]), axis)
    return weights @ v, weights


def unpacked(x, n_axes):
    """Fails as `a, b = x.shape` does where x has not `n_axes` axes; in the same words on any Python."""
    if x.ndim > n_axes:
        raise ValueError(f"too many values to unpack (expected {n_axes})")
    if x.ndim < n_axes:
        raise ValueError(f"not enough values to unpack (expected {n_axes}, got {x.ndim})")


def split(x, n_heads):
    return LESSON.reference("split_heads")(x, n_heads)


def merge(x):
    return LESSON.reference("merge_heads")(x)


# ---------------------------------------------------------------------------- attend_head_by_head


@LESSON.exercise(aspects={"values": 3, "any width of the heads": 1}, returns=("output", "weights"))
def attend_head_by_head(rng):
    def inputs(n=4, d_model=6, n_heads=3, d_head=2):
        shapes = [(n, d_model), *[(n_heads, d_model, d_head)] * 3, (n_heads * d_head, d_model)]
        return [rng.normal(size=shape) for shape in shapes]

    yield Case("values", "four words, three heads of width 2", *inputs())
    yield Case("values", "one head alone", *inputs(n=3, n_heads=1, d_head=6))
    yield Case("values", "five words, two heads of width 4", *inputs(n=5, d_model=8, n_heads=2, d_head=4), hidden=True)
    yield Case("values", TWICE, *inputs(n=3, d_model=4, n_heads=2), probe="call_again")
    yield Case("any width of the heads", "two heads of width 5, d_model 3", *inputs(n=4, d_model=3, n_heads=2, d_head=5))
    yield Case(
        "any width of the heads", "four heads of width 1, d_model 6", *inputs(n=3, n_heads=4, d_head=1), hidden=True
    )


def heads_of(x, w_q, w_k, w_v, width=None, axis=-1):
    """What the heads find, `(n_heads, n, d_head)`, and their weights."""
    return attention(x @ w_q, x @ w_k, x @ w_v, width, axis)


@attend_head_by_head.mistake("The heads' outputs are put side by side but not multiplied with `w_o`, which mixes them.")
def w_o_missing(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return merge(found), weights


@attend_head_by_head.mistake(
    "`w_o` met rows that are only as long as one head. Either the heads are not side by side yet (but added up, averaged, "
    "put one below the other), or a line that belongs after the loop stands inside it."
)
def w_o_met_the_rows_of_one_head(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return found.sum(axis=0) @ w_o, weights


@attend_head_by_head.mistake(
    "What the heads found is stacked, so that the heads are an axis of their own. Put it side by side: `w_o` needs the "
    "numbers of all heads in one row."
)
def heads_stacked_but_not_joined(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return found @ w_o, weights


@attend_head_by_head.mistake(
    "A head works on what the head before it has found. No head depends on another: each of them sees `x`."
)
def heads_one_behind_the_other(x, w_q, w_k, w_v, w_o):
    outputs, weights = [], []
    for query, key, value in zip(w_q, w_k, w_v):
        x, looks = attention(x @ query, x @ key, x @ value)
        outputs.append(x)
        weights.append(looks)
    return np.concatenate(outputs, axis=-1) @ w_o, np.array(weights)


@attend_head_by_head.mistake("The outputs are put side by side inside the loop, which makes an array of the list. Do it once, after the loop.")
def joined_inside_the_loop(x, w_q, w_k, w_v, w_o):
    outputs, weights = [], []
    for query, key, value in zip(w_q, w_k, w_v):
        found, looks = attention(x @ query, x @ key, x @ value)
        outputs.append(found)
        weights.append(looks)
        outputs = np.concatenate(outputs, axis=-1)
    return outputs @ w_o, np.array(weights)


@attend_head_by_head.mistake(
    "The heads' outputs are stacked and then reshaped, which puts findings of different words into one row. They "
    "belong side by side, word for word."
)
def heads_stacked_and_reshaped(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return found.reshape(len(x), -1) @ w_o, weights


@attend_head_by_head.mistake(
    "The outputs alternate between the heads, number by number. First come all the numbers of head 1, then all of head 2."
)
def numbers_of_the_heads_interleaved(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return np.stack(list(found), axis=-1).reshape(len(x), -1) @ w_o, weights


@attend_head_by_head.mistake(
    "The heads' outputs are averaged and multiplied with a part of `w_o`. It has rows for every head: put the outputs side by side."
)
def heads_averaged(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return found.mean(axis=0) @ w_o[: found.shape[-1]], weights


@attend_head_by_head.mistake("The heads are put side by side in reverse order: head 1 comes first.")
def heads_in_reverse_order(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return merge(found[::-1]) @ w_o, weights


@attend_head_by_head.mistake("Every head uses the matrices of head 1, so all of them ask the same question. Look at the index.")
def every_head_gets_the_first_matrices(x, w_q, w_k, w_v, w_o):
    first = np.zeros(len(w_q), dtype=int)
    found, weights = heads_of(x, w_q[first], w_k[first], w_v[first])
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("All queries are made with the matrix of head 1. Look at the index of `w_q`.")
def every_head_gets_the_first_queries(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q[[0] * len(w_q)], w_k, w_v)
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("All keys are made with the matrix of head 1. Look at the index of `w_k`.")
def every_head_gets_the_first_keys(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k[[0] * len(w_k)], w_v)
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("All values are made with the matrix of head 1. Look at the index of `w_v`.")
def every_head_gets_the_first_values(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v[[0] * len(w_v)])
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("Only the last head is left: each turn of the loop replaces what the one before has found. Collect them.")
def only_the_last_head_kept(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return found[-1] @ w_o[-found.shape[-1] :], weights[-1]


@attend_head_by_head.mistake(
    "Only the first head is there. Either no loop takes the others, or the `return` stands inside it: look at how far it "
    "is indented."
)
def the_first_head_only(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return found[0] @ w_o[: found.shape[-1]], weights[:1]


@attend_head_by_head.mistake("Only one head is computed, and `w_o` has rows for all of them. Let a loop take one head after another.")
def one_head_for_the_whole_of_w_o(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return found[0] @ w_o, weights[0]


@attend_head_by_head.mistake("One head is missing: the loop makes one turn too few.")
def one_head_left_out(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return np.concatenate(list(found[:-1]), axis=-1) @ w_o, weights[:-1]


@attend_head_by_head.mistake(
    "The loop makes three turns, however many heads there are. (The notebook's `n_heads` is 3 as well.) What in the "
    "arguments tells how many there are?"
)
def always_three_heads(x, w_q, w_k, w_v, w_o):
    found, weights = zip(*(attention(x @ w_q[head], x @ w_k[head], x @ w_v[head]) for head in range(3)))
    return np.concatenate(found, axis=-1) @ w_o, np.array(weights)


@attend_head_by_head.mistake(
    "There is one attention over all heads together: one table of weights, so one budget. Each head has a softmax of its own."
)
def one_attention_over_all_heads(x, w_q, w_k, w_v, w_o):
    found, weights = attention(*(x @ np.concatenate(list(w), axis=1) for w in (w_q, w_k, w_v)))
    return found @ w_o, weights


@attend_head_by_head.mistake("Keys and values have changed places: look at the order in which the attention function wants them.")
def keys_and_values_swapped(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_v, w_k)
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("Queries and keys have changed places: each word asks with its label.")
def queries_and_keys_swapped(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_k, w_q, w_v)
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("Queries, keys and values all come from `w_q`. Each has a matrix of its own.")
def one_projection_for_all(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_q, w_q)
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("The values are made with `w_k`. They have a matrix of their own.")
def w_k_used_for_the_values_too(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_k)
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("The values are made with `w_q`. They have a matrix of their own.")
def w_q_used_for_the_values_too(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_q)
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("The keys are made with `w_q`. They have a matrix of their own.")
def w_q_used_for_the_keys_too(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_q, w_v)
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("The word's own vector is added to the output. That will come in lesson 05; here it is not asked for.")
def own_vector_added_to_the_output(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return x + merge(found) @ w_o, weights


@attend_head_by_head.mistake(
    "You divide by the root of d_model. The products are between queries and keys of one head: it is the head's width that counts."
)
def scaled_by_the_root_of_d_model(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v, width=x.shape[-1])
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("The scores are not divided by the root of d_head. The attention function of lesson 01 does it for you.")
def not_scaled(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v, width=1)
    return merge(found) @ w_o, weights


@attend_head_by_head.mistake("The weights of the heads are averaged. Each head's weights are wanted, stacked in the order of the heads.")
def weights_averaged_over_the_heads(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return merge(found) @ w_o, weights.mean(axis=0)


@attend_head_by_head.mistake("The weights of the heads are added up. Each head's weights are wanted, stacked in the order of the heads.")
def weights_added_up_over_the_heads(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return merge(found) @ w_o, weights.sum(axis=0)


@attend_head_by_head.mistake(
    "Only the weights of the last head are returned. Collect those of all heads, as you do with the outputs, and stack them."
)
def weights_of_the_last_head_only(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return merge(found) @ w_o, weights[-1]


@attend_head_by_head.mistake(
    "Outputs and weights have changed places before `w_o`: the attention function returns the output first, then the weights."
)
def weights_taken_for_outputs(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return merge(weights) @ w_o, found


@attend_head_by_head.mistake("The heads' weights are put side by side. Stack them instead: the first axis says which head.")
def weights_side_by_side(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return merge(found) @ w_o, np.concatenate(list(weights), axis=-1)


@attend_head_by_head.mistake("The heads' weights are put one below the other. Stack them instead: the first axis says which head.")
def weights_one_below_the_other(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return merge(found) @ w_o, np.concatenate(list(weights), axis=0)


@attend_head_by_head.mistake("The heads stand last in the weights. Stack them so that the first axis says which head.")
def heads_last_in_the_weights(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return merge(found) @ w_o, np.stack(list(weights), axis=-1)


@attend_head_by_head.mistake("Output and weights are returned in the wrong order: the output comes first.")
def weights_returned_first(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return weights, merge(found) @ w_o


@attend_head_by_head.mistake("The weights are missing: return the output and the weights of all heads.")
def weights_not_returned(x, w_q, w_k, w_v, w_o):
    return merge(heads_of(x, w_q, w_k, w_v)[0]) @ w_o


@attend_head_by_head.mistake(
    "The weights come as a Python list of arrays, one a head. Make one array of them."
)
def weights_left_in_a_list(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return merge(found) @ w_o, list(weights)


@attend_head_by_head.mistake(
    "You multiply with `w_o` transposed. The findings of a word are a row, so `w_o` stands to their right as it is."
)
def w_o_transposed(x, w_q, w_k, w_v, w_o):
    found, weights = heads_of(x, w_q, w_k, w_v)
    return merge(found) @ w_o.T, weights


@attend_head_by_head.mistake(
    "You take each head's width to be d_model / n_heads and cut its columns down to that. The width is what the matrices say."
)
def width_taken_from_d_model(x, w_q, w_k, w_v, w_o):
    d_head = x.shape[-1] // len(w_q)
    found, weights = heads_of(x, w_q[..., :d_head], w_k[..., :d_head], w_v[..., :d_head])
    return merge(found) @ w_o[: d_head * len(w_q)], weights


def filled(room, d_head, x, w_q, w_k, w_v, w_o):
    """The heads' outputs are written into `room`, `d_head` columns each."""
    found, weights = heads_of(x, w_q, w_k, w_v)
    for head, one in enumerate(found):
        room[:, head * d_head : (head + 1) * d_head] = one
    return room @ w_o, weights


@attend_head_by_head.mistake(
    "You make room for d_model numbers a word, and the heads' outputs do not fit in. Side by side they are n_heads * d_head "
    "long, which need not be d_model."
)
def room_for_d_model_numbers_only(x, w_q, w_k, w_v, w_o):
    return filled(np.zeros(x.shape), w_v.shape[-1], x, w_q, w_k, w_v, w_o)


@attend_head_by_head.mistake(
    "You take each head's width to be d_model / n_heads, and what a head finds does not fit in. The width is what the matrices say."
)
def slices_as_wide_as_d_model_allows(x, w_q, w_k, w_v, w_o):
    return filled(np.zeros(x.shape), x.shape[-1] // len(w_q), x, w_q, w_k, w_v, w_o)


# ------------------------------------------------------------------------------------ split_heads


@LESSON.exercise(aspects={"values": 2, "batch axes": 1, "indivisible d_model": 1, "inputs unchanged": 1})
def split_heads(rng):
    yield Case("values", "five words, six features, three heads", rng.normal(size=(5, 6)), 3)
    yield Case("values", "four words, eight features, two heads", rng.normal(size=(4, 8)), 2)
    yield Case("values", "as many heads as words", rng.normal(size=(3, 6)), 3)
    yield Case("values", "one head", rng.normal(size=(3, 4)), 1, hidden=True)
    yield Case("values", "as many heads as features", rng.normal(size=(4, 3)).astype(np.float32), 3, hidden=True)
    yield Case("values", TWICE, rng.normal(size=(4, 6)), 2, probe="call_again")
    yield Case("batch axes", "two sentences at once", rng.normal(size=(2, 6, 12)), 3)
    yield Case("batch axes", "two batch axes", rng.normal(size=(2, 6, 5, 9)), 3, hidden=True)
    yield Case("indivisible d_model", "six features for four heads", rng.normal(size=(4, 6)), 4)
    yield Case("indivisible d_model", "ten features for three heads", rng.normal(size=(2, 3, 10)), 3, hidden=True)


def cut(x, n_heads):
    """`(..., n, n_heads, d_head)`: the first of the two steps."""
    if x.shape[-1] % n_heads:
        raise ValueError("no")
    return x.reshape(*x.shape[:-1], n_heads, -1)


@split_heads.mistake(
    "You reshape straight to the wanted shape. Reshape moves no number, so each head gets a few words whole, not "
    "a part of every word: cut first, then swap axes."
)
def reshaped_instead_of_swapped(x, n_heads):
    *batch, n, d_model = x.shape
    if d_model % n_heads:
        raise ValueError("no")
    return x.reshape(*batch, n_heads, n, d_model // n_heads)


@split_heads.mistake(
    "The features are cut, but the heads still stand behind the words: two axes have yet to change places."
)
def heads_not_brought_to_the_front(x, n_heads):
    return cut(x, n_heads)


@split_heads.mistake("Head h gets every n_heads-th feature. It should get neighbours: d_head features that follow each other.")
def features_dealt_out_in_turn(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError("no")
    return np.stack([x[..., head::n_heads] for head in range(n_heads)], axis=-3)


@split_heads.mistake("Every head gets the first features. Head h begins at feature h * d_head.")
def every_head_gets_the_first_features(x, n_heads):
    first = cut(x, n_heads)[..., :1, :]
    return np.swapaxes(np.repeat(first, n_heads, axis=-2), -2, -3)


@split_heads.mistake("It is the words that are shared out among the heads, not the features. Every head sees every word.")
def words_shared_out(x, n_heads):
    *batch, n, d_model = x.shape
    return x.reshape(*batch, n_heads, n // n_heads, d_model)


@split_heads.mistake("Words and features have changed places within each head: its table should have one row for every word.")
def words_in_columns(x, n_heads):
    return np.swapaxes(split(x, n_heads), -1, -2)


@split_heads.mistake(
    "The features are cut into pieces as long as there are heads, and the pieces taken for heads: n_heads and d_head have changed places."
)
def heads_and_width_swapped(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError("no")
    return split(x, x.shape[-1] // n_heads)


@split_heads.mistake(
    "You swap the axes 0 and 1, which are words and heads for one sentence only. Count the axes from the end."
)
def swapped_the_first_two_axes(x, n_heads):
    return np.swapaxes(cut(x, n_heads), 0, 1)


@split_heads.mistake(
    "You swap the axes 1 and 2, which are words and heads only with exactly one batch axis. Count the axes from the end."
)
def swapped_axes_1_and_2(x, n_heads):
    return np.swapaxes(cut(x, n_heads), 1, 2)


@split_heads.mistake(
    "The last two axes are swapped, the heads and the features of a head. It is words and heads that change places."
)
def heads_swapped_with_features(x, n_heads):
    return np.swapaxes(cut(x, n_heads), -1, -2)


@split_heads.mistake(
    "The last axis and the third from the end are swapped, features and words. It is words and heads that change places."
)
def words_swapped_with_features(x, n_heads):
    return np.swapaxes(cut(x, n_heads), -1, -3)


@split_heads.mistake("All axes come in reverse order, as `.T` makes them. Only words and heads may change places.")
def all_axes_reversed(x, n_heads):
    return cut(x, n_heads).T


@split_heads.mistake("The heads come before the batch. Axes in front of the words stay in front; the heads stand right before the words.")
def heads_before_the_batch(x, n_heads):
    return np.moveaxis(cut(x, n_heads), -2, 0)


@split_heads.mistake("The batch is folded into the heads. Axes in front stay as they are.")
def batch_folded_into_the_heads(x, n_heads):
    heads = split(x, n_heads)
    return heads.reshape(-1, *heads.shape[-2:])


@split_heads.mistake(
    "There are names for two sizes, which is right for one sentence only. `x.shape[-1]` and `x.shape[:-1]` tell them "
    "whatever stands in front."
)
def sizes_unpacked_for_one_sentence(x, n_heads):
    unpacked(x, 2)
    return split(x, n_heads)


@split_heads.mistake("There are names for three sizes, which is right with exactly one batch axis. One sentence has two, a batch of batches four.")
def sizes_unpacked_for_a_batch(x, n_heads):
    unpacked(x, 3)
    return split(x, n_heads)


@split_heads.mistake(
    "You transpose three axes, which is right for one sentence only. `np.swapaxes` swaps two of them, counted from the "
    "end, whatever stands in front."
)
def transposed_for_one_sentence(x, n_heads):
    return cut(x, n_heads).transpose(1, 0, 2)


@split_heads.mistake(
    "You transpose four axes, which is right with exactly one batch axis. `np.swapaxes` swaps two of them, counted from "
    "the end, whatever stands in front."
)
def transposed_for_a_batch(x, n_heads):
    return cut(x, n_heads).transpose(0, 2, 1, 3)


@split_heads.mistake("You take d_model from axis 1. With a batch in front that is the number of words: count from the end.")
def d_model_taken_from_axis_1(x, n_heads):
    if x.shape[1] % n_heads:
        raise ValueError("no")
    return np.swapaxes(x.reshape(*x.shape[:-1], n_heads, x.shape[1] // n_heads), -2, -3)


@split_heads.mistake("`/` always makes a float, and a size must be an int. Use `//`.")
def width_as_a_float(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError("no")
    return np.swapaxes(x.reshape(*x.shape[:-1], n_heads, x.shape[-1] / n_heads), -2, -3)


@split_heads.mistake("Words and features are swapped before the cut, so that it goes through the words. First cut, then swap.")
def swapped_before_the_cut(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError("no")
    return np.swapaxes(x, -1, -2).reshape(*x.shape[:-2], n_heads, x.shape[-2], x.shape[-1] // n_heads)


def sliced(x, n_heads, end):
    """Head h holds the features from h * d_head up to `end(h, d_head)`."""
    if x.shape[-1] % n_heads:
        raise ValueError("no")
    d_head = x.shape[-1] // n_heads
    return np.stack([x[..., h * d_head : end(h, d_head)] for h in range(n_heads)], axis=-3)


@split_heads.mistake("The last number of each head is lost: a slice ends *before* its second number, so no 1 needs to be taken off.")
def last_number_of_each_head_lost(x, n_heads):
    return sliced(x, n_heads, lambda h, d_head: (h + 1) * d_head - 1)


@split_heads.mistake("The heads have different widths. Is it `h + 1 * d_head` that ends your slice? Multiplication comes first: use brackets.")
def brackets_forgotten(x, n_heads):
    return sliced(x, n_heads, lambda h, d_head: h + 1 * d_head)


@split_heads.mistake("The sizes are taken from the first two axes, which are words and features for one sentence only.")
def sizes_taken_from_the_first_two_axes(x, n_heads):
    n, d_model = x.shape[0], x.shape[1]
    if d_model % n_heads:
        raise ValueError("no")
    return np.swapaxes(x.reshape(n, n_heads, d_model // n_heads), 0, 1)


@split_heads.mistake("Features that are left over are dropped without a word. Say so with a ValueError.")
def leftover_features_dropped(x, n_heads):
    d_head = x.shape[-1] // n_heads
    return split(x[..., : n_heads * d_head], n_heads)


@split_heads.mistake("Where the features cannot be shared out you return nothing (None). The caller would not notice: `raise` a ValueError.")
def nothing_raised_but_none_returned(x, n_heads):
    return None if x.shape[-1] % n_heads else split(x, n_heads)


@split_heads.mistake("You raise an error, but not a ValueError: that is the kind for a value that does not fit.")
def assertion_in_place_of_a_value_error(x, n_heads):
    assert x.shape[-1] % n_heads == 0
    return split(x, n_heads)


@split_heads.mistake("The heads come as a Python list of arrays. Make one array of them, with the heads as an axis.")
def heads_left_in_a_list(x, n_heads):
    return list(np.split(x, n_heads, axis=-1))


@split_heads.mistake(
    "Setting `x.shape` changes the array you were given, which its owner still needs. `x.reshape` leaves it as it is."
)
def reshaped_in_place(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError("no")
    x.shape = (*x.shape[:-1], n_heads, x.shape[-1] // n_heads)
    return np.swapaxes(x, -2, -3)


# ------------------------------------------------------------------------------------ merge_heads


@LESSON.exercise(aspects={"values": 2, "batch axes": 1})
def merge_heads(rng):
    yield Case("values", "three heads, five words, two features a head", rng.normal(size=(3, 5, 2)))
    yield Case("values", "two heads, four words, five features a head", rng.normal(size=(2, 4, 5)))
    yield Case("values", "as many heads as words", rng.normal(size=(3, 3, 2)))
    yield Case("values", "one head", rng.normal(size=(1, 4, 3)), hidden=True)
    yield Case("values", "one word", rng.normal(size=(3, 1, 2)), hidden=True)
    there = split(rng.normal(size=(5, 8)), 4)
    yield Case("values", "what split_heads has split comes back", there, hidden=True)
    yield Case("values", TWICE, rng.normal(size=(2, 3, 4)), probe="call_again")
    yield Case("batch axes", "two sentences at once", rng.normal(size=(2, 3, 5, 4)))
    yield Case("batch axes", "two batch axes", rng.normal(size=(2, 3, 4, 5, 2)), hidden=True)


@merge_heads.mistake(
    "You reshape without bringing the words back to the front. Reshape moves no number, so parts of different words end up in one row."
)
def merged_without_transposing_back(x):
    *batch, n_heads, n, d_head = x.shape
    return x.reshape(*batch, n, n_heads * d_head)


@merge_heads.mistake("The heads are averaged. Put them side by side, so that each word gets the numbers of every head.")
def heads_averaged_away(x):
    return x.mean(axis=-3)


@merge_heads.mistake("The heads are added up. Put them side by side, so that each word gets the numbers of every head.")
def heads_summed(x):
    return x.sum(axis=-3)


@merge_heads.mistake("The heads are put one below the other, as if there were more words. Each word's parts belong side by side in one row.")
def merged_along_the_sentence(x):
    *batch, n_heads, n, d_head = x.shape
    return x.reshape(*batch, n_heads * n, d_head)


@merge_heads.mistake(
    "The numbers of the heads alternate in each row. First come all the numbers of head 1, then all of head 2."
)
def heads_interleaved(x):
    turned = np.moveaxis(x, -3, -1)
    return turned.reshape(*turned.shape[:-2], -1)


@merge_heads.mistake("Words and heads are back in their places, but the two parts of the features are not joined yet.")
def last_axes_not_joined(x):
    return np.swapaxes(x, -2, -3)


@merge_heads.mistake("Only the first head is left. Each word gets the numbers of every head, side by side.")
def only_the_first_head(x):
    return x[..., 0, :, :]


@merge_heads.mistake("The heads are put side by side in reverse order: head 1 comes first.")
def heads_merged_in_reverse_order(x):
    return merge(x[..., ::-1, :, :])


@merge_heads.mistake("The last two axes are swapped, words and features of a head. It is words and heads that change places.")
def swapped_the_last_two_axes(x):
    turned = np.swapaxes(x, -1, -2)
    *batch, n_heads, d_head, n = turned.shape
    return turned.reshape(*batch, n, n_heads * d_head)


@merge_heads.mistake(
    "The sizes are those of `x`, but the axes have changed places since. Take them from the array that you reshape."
)
def sizes_taken_before_the_swap(x):
    return np.swapaxes(x, -2, -3).reshape(*x.shape[:-2], -1)


@merge_heads.mistake(
    "The words are not back in front when you reshape. `np.swapaxes` leaves its array as it is and *returns* a swapped one: "
    "keep that."
)
def swap_thrown_away(x):
    return x.reshape(*x.shape[:-2], -1)


@merge_heads.mistake("Heads and words are joined first and swapped then. Undo the last step of the split first: swap, then join.")
def joined_before_the_swap(x):
    return np.swapaxes(x.reshape(*x.shape[:-2], -1), -1, -2)


@merge_heads.mistake(
    "The last axis and the third from the end are swapped, features and heads. It is words and heads that change places."
)
def heads_swapped_with_features(x):  # noqa: F811
    turned = np.swapaxes(x, -1, -3)
    return turned.reshape(*turned.shape[:-2], -1)


@merge_heads.mistake("There are names for three sizes, which is right for one sentence only. Take sizes from the end: `shape[:-2]`, `shape[-1]`.")
def unpacked_for_one_sentence(x):
    unpacked(x, 3)
    return merge(x)


@merge_heads.mistake("There are names for four sizes, which is right with exactly one batch axis. One sentence has three.")
def unpacked_for_a_batch(x):
    unpacked(x, 4)
    return merge(x)


@merge_heads.mistake(
    "You transpose three axes, which is right for one sentence only. `np.swapaxes` swaps two of them, counted from the "
    "end, whatever stands in front."
)
def three_axes_transposed(x):
    turned = x.transpose(1, 0, 2)
    return turned.reshape(*turned.shape[:-2], -1)


@merge_heads.mistake(
    "You transpose four axes, which is right with exactly one batch axis. `np.swapaxes` swaps two of them, counted from "
    "the end, whatever stands in front."
)
def four_axes_transposed(x):
    turned = x.transpose(0, 2, 1, 3)
    return turned.reshape(*turned.shape[:-2], -1)


@merge_heads.mistake("With a batch in front, all words of a sentence end up in one row: only the first size is kept. Keep all but the last two.")
def a_row_for_each_entry_of_the_first_axis(x):
    turned = np.swapaxes(x, -2, -3)
    return turned.reshape(len(turned), -1)


@merge_heads.mistake("With a batch in front, different sentences end up in one row: only the number of words is kept. Keep all but the last two sizes.")
def a_row_for_each_word(x):
    return np.swapaxes(x, -2, -3).reshape(x.shape[-2], -1)


@merge_heads.mistake("`np.hstack` joins along axis 1, which is right without a batch only. Count from the end.")
def joined_along_axis_1(x):
    return np.hstack(list(x))


@merge_heads.mistake(
    "Each row gets six numbers, whatever the heads hold. (In the notebook `n_heads * d_head` is 6 as well.) Take the sizes from `x`."
)
def always_six_numbers_a_word(x):
    turned = np.swapaxes(x, -2, -3)
    return turned.reshape(*turned.shape[:-2], 6)


@merge_heads.mistake("All axes come in reverse order, as `.T` makes them. Only words and heads may change places.")
def every_axis_reversed(x):
    turned = x.T
    return turned.reshape(*x.shape[:-3], x.shape[-2], -1)


@merge_heads.mistake("You swap the axes 0 and 1, which are heads and words for one sentence only. Count the axes from the end.")
def first_two_axes_swapped(x):
    turned = np.swapaxes(x, 0, 1)
    return turned.reshape(*turned.shape[:-2], -1)


@merge_heads.mistake("You swap the axes 1 and 2, which are heads and words only with exactly one batch axis. Count the axes from the end.")
def axes_1_and_2_swapped(x):
    turned = np.swapaxes(x, 1, 2)
    return turned.reshape(*turned.shape[:-2], -1)


@merge_heads.mistake("You put the entries of the first axis side by side. With a batch in front these are sentences, not heads.")
def entries_of_the_first_axis_side_by_side(x):
    return np.concatenate(list(x), axis=-1)


@merge_heads.mistake("The batch is folded into the words. Axes in front of the heads stay as they are.")
def batch_folded_into_the_words(x):
    merged = merge(x)
    return merged.reshape(-1, merged.shape[-1])


# --------------------------------------------------------------------------- multi_head_attention

NO_LOOP = (
    "the Python code takes more steps the more heads there are, though all are to be computed at once; somewhere it goes "
    "through the heads one by one"
)


@LESSON.exercise(
    aspects={
        "values": 2, "two inputs": 1, "batch axes": 1, "indivisible d_model": 1, "no loop over heads": 1, "inputs unchanged": 1
    },
    returns=("output", "weights"),
)  # fmt: skip
def multi_head_attention(rng):
    def inputs(*batch, n_q=4, n_k=None, d_model=6):
        """Without `n_k`, words that look at themselves."""
        x_q = rng.normal(size=(*batch, n_q, d_model))
        x_kv = x_q.copy() if n_k is None else rng.normal(size=(*batch, n_k, d_model))
        return [x_q, x_kv, *rng.normal(size=(4, d_model, d_model))]

    yield Case("values", "four words look at themselves, three heads of width 2", *inputs(), 3)
    yield Case("values", "five words, eight features, two heads", *inputs(n_q=5, d_model=8), 2)
    yield Case("values", "as many heads as words", *inputs(n_q=3), 3)
    yield Case("values", "one head", *inputs(n_q=3, d_model=4), 1)
    yield Case("values", "as many heads as features", *inputs(n_q=5, d_model=4), 4, hidden=True)
    yield Case("values", TWICE, *inputs(n_q=3), 2, probe="call_again")
    yield Case("two inputs", "two words look at five others", *inputs(n_q=2, n_k=5), 3)
    yield Case("two inputs", "as many words look as are looked at", *inputs(n_q=4, n_k=4, d_model=8), 2)
    yield Case("two inputs", "seven words look at three others", *inputs(n_q=7, n_k=3, d_model=8), 4, hidden=True)
    x_q, x_kv, *matrices = inputs(n_q=3, n_k=5)
    yield Case("two inputs", "three words look at five others", x_q, x_kv, *matrices, 2, hidden=True)
    yield Case("two inputs", "the same five others in another order", x_q, x_kv[::-1].copy(), *matrices, 2, hidden=True)
    yield Case("batch axes", "two sentences at once", *inputs(2, n_q=3, n_k=5), 3)
    yield Case("batch axes", "two batch axes", *inputs(2, 3, n_q=4, n_k=5, d_model=8), 2, hidden=True)
    yield Case("indivisible d_model", "six features for four heads", *inputs(), 4)
    yield Case("indivisible d_model", "ten features for three heads", *inputs(2, n_q=3, n_k=2, d_model=10), 3, hidden=True)
    for sizes, hidden in (([2, 6], False), ([4, 12], True)):
        says = f"the steps that your Python code takes, with {sizes[0]} and with {sizes[1]} heads on the same data"
        data = inputs(d_model=12)  # one sentence: what fails for batches is no loop
        yield Case(
            "no loop over heads", says, *data, sizes, probe="work_grows", hidden=hidden, otherwise=NO_LOOP,
            stand_ins=("split_heads", "merge_heads"),
        )  # fmt: skip


def attention_of_the_stand_in(q, k, v):
    """The stand-in for lesson 01 refuses in its own words what NumPy refuses in others."""
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"queries and keys must be equally wide, got shapes {q.shape} and {k.shape}")
    if k.shape[:-1] != v.shape[:-1]:
        raise ValueError(f"there must be one value for each key, got shapes {k.shape} and {v.shape}")
    return attention(q, k, v)


def parts(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return split(x_q @ w_q, n_heads), split(x_kv @ w_k, n_heads), split(x_kv @ w_v, n_heads)


@multi_head_attention.mistake(
    "The result is right, but the code runs once for every head: a loop, a comprehension or a function that is mapped. "
    "Give the heads an axis of their own and let NumPy take all of them at once."
)
def loop_over_the_heads(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    outputs, weights = [], []
    for query, key, value in zip(*(np.split(w, n_heads, axis=1) for w in (w_q, w_k, w_v))):
        found, looks = attention(x_q @ query, x_kv @ key, x_kv @ value)
        outputs.append(found)
        weights.append(looks)
    return np.concatenate(outputs, axis=-1) @ w_o, np.stack(weights, axis=-3)


@multi_head_attention.mistake("Features that are left over are dropped without a word. Say so with a ValueError.")
def leftover_features_dropped_silently(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    used = x_q.shape[-1] // n_heads * n_heads
    found, weights = attention(*parts(x_q, x_kv, w_q[:, :used], w_k[:, :used], w_v[:, :used], n_heads))
    return merge(found) @ w_o[:used], weights


def wrong_somewhere(hint):
    """Registers what gives findings `(..., n_heads, n_q, d_head)` and weights; merging and w_o are done for it."""

    def register(wrong):
        def whole(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
            found, weights = wrong(x_q, x_kv, w_q, w_k, w_v, n_heads)
            return merge(found) @ w_o, weights

        whole.__name__ = wrong.__name__
        multi_head_attention.mistake(hint)(whole)
        return wrong

    return register


@wrong_somewhere(
    "Keys and values come from `x_q`, so the words look at themselves whatever `x_kv` holds. Look at which input is looked at."
)
def keys_and_values_from_the_query_input(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_q, w_q, w_k, w_v, n_heads))


@wrong_somewhere("The values come from `x_q`. They are to come from the words that are looked at, as the keys do.")
def values_from_the_query_input(x_q, x_kv, w_q, w_k, w_v, n_heads):
    q, k, _ = parts(x_q, x_kv, w_q, w_k, w_v, n_heads)
    return attention(q, k, split(x_q @ w_v, n_heads))


@wrong_somewhere("The values come from `x_q`, so there are as many as words that look. They are to come from `x_kv`, as the keys do.")
def values_from_the_words_that_look(x_q, x_kv, w_q, w_k, w_v, n_heads):
    q, k, _ = parts(x_q, x_kv, w_q, w_k, w_v, n_heads)
    return attention_of_the_stand_in(q, k, split(x_q @ w_v, n_heads))


@wrong_somewhere("The keys come from `x_q`. They are to come from the words that are looked at, as the values do.")
def keys_from_the_query_input(x_q, x_kv, w_q, w_k, w_v, n_heads):
    q, _, v = parts(x_q, x_kv, w_q, w_k, w_v, n_heads)
    return attention(q, split(x_q @ w_k, n_heads), v)


@wrong_somewhere("The keys come from `x_q`, so there are as many as words that look. They are to come from `x_kv`, as the values do.")
def keys_from_the_words_that_look(x_q, x_kv, w_q, w_k, w_v, n_heads):
    q, _, v = parts(x_q, x_kv, w_q, w_k, w_v, n_heads)
    return attention_of_the_stand_in(q, split(x_q @ w_k, n_heads), v)


@wrong_somewhere("The two inputs have changed places: `x_q` holds the words that look, `x_kv` those that are looked at.")
def the_two_inputs_swapped(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_kv, x_q, w_q, w_k, w_v, n_heads))


@wrong_somewhere("Queries, keys and values all come from `x_kv`. The queries belong to the words that look.")
def queries_from_the_key_input(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_kv, x_kv, w_q, w_k, w_v, n_heads))


@wrong_somewhere(
    "The scores are divided by the root of d_model. Each product adds up the features of one head only: it is d_head that counts."
)
def scaled_by_the_root_of_d_model_for_every_head(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_kv, w_q, w_k, w_v, n_heads), width=x_q.shape[-1])


@wrong_somewhere("The scores are divided by the root of the number of heads. It is the width of a head that counts.")
def scaled_by_the_root_of_the_number_of_heads(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_kv, w_q, w_k, w_v, n_heads), width=n_heads)


@wrong_somewhere("The scores are not divided by the root of d_head. The attention function of lesson 01 does it for you.")
def scores_not_scaled(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_kv, w_q, w_k, w_v, n_heads), width=1)


@wrong_somewhere("The scores are divided twice: scaled_dot_product_attention has already done it.")
def scaled_twice(x_q, x_kv, w_q, w_k, w_v, n_heads):
    q, k, v = parts(x_q, x_kv, w_q, w_k, w_v, n_heads)
    return attention(q, k, v, width=q.shape[-1] ** 2)


@wrong_somewhere(
    "The softmax runs over the heads: the heads share out one budget, which is what they were meant to end. Each query "
    "shares out its attention among the keys."
)
def softmax_over_the_heads(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_kv, w_q, w_k, w_v, n_heads), axis=-3)


@wrong_somewhere("The softmax runs over the words that look: each row of the weights is to add up to 1.")
def softmax_over_the_looking_words(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_kv, w_q, w_k, w_v, n_heads), axis=-2)


@wrong_somewhere("Keys and values have changed places: look at the order in which the attention function wants them.")
def keys_swapped_with_values(x_q, x_kv, w_q, w_k, w_v, n_heads):
    q, k, v = parts(x_q, x_kv, w_q, w_k, w_v, n_heads)
    return attention(q, v, k)


@wrong_somewhere("The attention function gets the keys first. It wants the queries first: those ask, and the keys are compared with them.")
def keys_asked_in_place_of_queries(x_q, x_kv, w_q, w_k, w_v, n_heads):
    q, k, v = parts(x_q, x_kv, w_q, w_k, w_v, n_heads)
    return attention(k, q, v)


@wrong_somewhere("`w_q` and `w_k` have changed places: the words that look are projected with `w_q`.")
def w_q_and_w_k_exchanged(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_kv, w_k, w_q, w_v, n_heads))


@wrong_somewhere("The values are made with `w_k`. They have a matrix of their own.")
def values_made_with_w_k(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_kv, w_q, w_k, w_k, n_heads))


@wrong_somewhere("The values are made with `w_q`. They have a matrix of their own.")
def values_made_with_w_q(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_kv, w_q, w_k, w_q, n_heads))


@wrong_somewhere("The keys are made with `w_q`. They have a matrix of their own.")
def keys_made_with_w_q(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_kv, w_q, w_q, w_v, n_heads))


@wrong_somewhere("Queries, keys and values are all made with `w_q`. Each has a matrix of its own.")
def one_projection_for_queries_keys_and_values(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_kv, w_q, w_q, w_q, n_heads))


@wrong_somewhere("The words are split among the heads as they are. Project them first, with `w_q`, `w_k` and `w_v`.")
def projections_left_out(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(split(x_q, n_heads), split(x_kv, n_heads), split(x_kv, n_heads))


@wrong_somewhere(
    "The words are split before they are projected, so each head sees only a part of each word. Project with the whole matrix, then split."
)
def split_before_the_projection(x_q, x_kv, w_q, w_k, w_v, n_heads):
    def project(x, w):
        blocks = split(w, n_heads)  # (n_heads, d_model, d_head)
        d_head = blocks.shape[-1]
        own = np.stack([block[head * d_head : (head + 1) * d_head] for head, block in enumerate(blocks)])
        return split(x, n_heads) @ own

    return attention(project(x_q, w_q), project(x_kv, w_k), project(x_kv, w_v))


@wrong_somewhere(
    "The words are split before they are projected, and all heads share the first corner of the matrices. Project with the whole "
    "matrix, then split."
)
def split_first_and_one_projection_for_all_heads(x_q, x_kv, w_q, w_k, w_v, n_heads):
    if x_q.shape[-1] % n_heads:
        raise ValueError("no")
    d_head = x_q.shape[-1] // n_heads
    q, k, v = (split(x, n_heads) @ w[:d_head, :d_head] for x, w in ((x_q, w_q), (x_kv, w_k), (x_kv, w_v)))
    return attention(q, k, v)


@wrong_somewhere("Every head gets the first d_head columns, so all heads ask the same question.")
def every_head_gets_the_first_columns(x_q, x_kv, w_q, w_k, w_v, n_heads):
    def first(part):
        return np.repeat(part[..., :1, :, :], n_heads, axis=-3)

    return attention(*map(first, parts(x_q, x_kv, w_q, w_k, w_v, n_heads)))


@wrong_somewhere(
    "The projected words are reshaped straight to heads, so each head gets a few words whole, not a part of every word. "
    "Use split_heads."
)
def heads_made_by_reshape_alone(x_q, x_kv, w_q, w_k, w_v, n_heads):
    def reshaped(x):
        if x.shape[-1] % n_heads:
            raise ValueError("no")
        return x.reshape(*x.shape[:-2], n_heads, x.shape[-2], -1)

    return attention(reshaped(x_q @ w_q), reshaped(x_kv @ w_k), reshaped(x_kv @ w_v))


@wrong_somewhere(
    "The features are cut, but the words still stand before the heads: the heads of one word attend to each other, and no "
    "word sees another. Use split_heads, which brings the heads to the front."
)
def heads_attend_to_each_other(x_q, x_kv, w_q, w_k, w_v, n_heads):
    if x_q.shape[-1] % n_heads:
        raise ValueError("no")
    q, k, v = (x.reshape(*x.shape[:-1], n_heads, -1) for x in (x_q @ w_q, x_kv @ w_k, x_kv @ w_v))
    found, weights = attention(q, k, v)
    return np.swapaxes(found, -2, -3), weights


@wrong_somewhere(
    "The matrices are reshaped to one for each head. Reshape moves no number, so a head gets whole rows. It is columns that "
    "belong to it: project with the whole matrix, then split."
)
def matrices_reshaped_for_the_heads(x_q, x_kv, w_q, w_k, w_v, n_heads):
    def reshaped(w):
        if len(w) % n_heads:
            raise ValueError("no")
        return w.reshape(n_heads, len(w), -1)

    return attention(x_q @ reshaped(w_q), x_kv @ reshaped(w_k), x_kv @ reshaped(w_v))


@wrong_somewhere(
    "You split the matrices. That works for one sentence, but with a batch in front NumPy sets the sentences against the heads. "
    "Project with the whole matrix, then split what comes out."
)
def matrices_split_in_place_of_words(x_q, x_kv, w_q, w_k, w_v, n_heads):
    w_q, w_k, w_v = (split(w, n_heads) for w in (w_q, w_k, w_v))
    return attention(x_q @ w_q, x_kv @ w_k, x_kv @ w_v)


@wrong_somewhere("The features are dealt out to the heads in turn. Each head gets neighbours: d_head columns that follow each other.")
def columns_dealt_out_in_turn(x_q, x_kv, w_q, w_k, w_v, n_heads):
    def dealt(x):
        if x.shape[-1] % n_heads:
            raise ValueError("no")
        return np.moveaxis(x.reshape(*x.shape[:-1], -1, n_heads), -1, -3)

    return attention(dealt(x_q @ w_q), dealt(x_kv @ w_k), dealt(x_kv @ w_v))


@wrong_somewhere("You multiply with the transposed matrices. Here words are rows, so the matrices stand to their right as they are.")
def matrices_transposed(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention(*parts(x_q, x_kv, w_q.T, w_k.T, w_v.T, n_heads))


@wrong_somewhere(
    "There is one softmax for the whole width, and its weights serve every head. Split queries and keys before the attention."
)
def one_table_of_weights_for_all_heads(x_q, x_kv, w_q, w_k, w_v, n_heads):
    weights = attention(x_q @ w_q, x_kv @ w_k, x_kv @ w_v)[1][..., None, :, :]
    v = split(x_kv @ w_v, n_heads)
    return weights @ v, np.repeat(weights, n_heads, axis=-3)


@multi_head_attention.mistake(
    "There is one attention over the whole width: `n_heads` plays no part. Split before the attention, merge after it."
)
def one_head_over_the_whole_width(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    found, weights = attention(x_q @ w_q, x_kv @ w_k, x_kv @ w_v)
    return found @ w_o, weights


@wrong_somewhere(
    "`w_o` met rows n_heads times too long: what each head found is as wide as the whole model. Are the values split, as "
    "queries and keys are?"
)
def every_head_found_d_model_numbers(x_q, x_kv, w_q, w_k, w_v, n_heads):
    q, k, _ = parts(x_q, x_kv, w_q, w_k, w_v, n_heads)
    return attention(q, k, x_kv @ w_v)


@wrong_somewhere("Only queries and keys are split, so each head finds no values of its own. Split queries, keys and values alike.")
def only_queries_and_keys_split(x_q, x_kv, w_q, w_k, w_v, n_heads):
    q, k, _ = parts(x_q, x_kv, w_q, w_k, w_v, n_heads)
    return attention_of_the_stand_in(q, k, x_kv @ w_v)


@wrong_somewhere("Only the queries are split. Split queries, keys and values alike.")
def only_the_queries_split(x_q, x_kv, w_q, w_k, w_v, n_heads):
    return attention_of_the_stand_in(split(x_q @ w_q, n_heads), x_kv @ w_k, x_kv @ w_v)


@multi_head_attention.mistake("`.T` reverses all axes of the keys. Only the last two may change places; the attention function of lesson 01 does it for you.")
def all_axes_of_the_keys_reversed(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    q, k, v = parts(x_q, x_kv, w_q, w_k, w_v, n_heads)
    weights = softmax(q @ k.T / np.sqrt(q.shape[-1]))
    return merge(weights @ v) @ w_o, weights


def wrong_at_the_end(hint):
    """Registers what makes the result of `(found, weights, w_o)`; all before is right."""

    def register(wrong):
        def whole(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
            return wrong(*attention(*parts(x_q, x_kv, w_q, w_k, w_v, n_heads)), w_o)

        whole.__name__ = wrong.__name__
        multi_head_attention.mistake(hint)(whole)
        return wrong

    return register


@wrong_at_the_end("The merged heads are not multiplied with `w_o`, which mixes them.")
def last_projection_missing(found, weights, w_o):
    return merge(found), weights


@wrong_at_the_end("You multiply with `w_o` transposed. Words are rows, so it stands to their right as it is.")
def last_matrix_transposed(found, weights, w_o):
    return merge(found) @ w_o.T, weights


@wrong_at_the_end(
    "The heads are reshaped without bringing the words back to the front, so parts of different words end up in one row. Use merge_heads."
)
def words_scrambled_by_the_merge(found, weights, w_o):
    *batch, n_heads, n, d_head = found.shape
    return found.reshape(*batch, n, n_heads * d_head) @ w_o, weights


@multi_head_attention.mistake(
    "Words become heads and heads become words by reshape alone, both ways. Reshape moves no number, so parts of different "
    "words are mixed: use split_heads and merge_heads."
)
def heads_split_and_merged_by_reshape_alone(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    def reshaped(x):
        if x.shape[-1] % n_heads:
            raise ValueError("no")
        return x.reshape(*x.shape[:-2], n_heads, x.shape[-2], -1)

    found, weights = attention(reshaped(x_q @ w_q), reshaped(x_kv @ w_k), reshaped(x_kv @ w_v))
    return found.reshape(x_q.shape) @ w_o, weights


@wrong_at_the_end("The heads are not merged before `w_o`, which needs the numbers of all heads side by side in one row.")
def heads_not_merged(found, weights, w_o):
    return found @ w_o, weights


@wrong_at_the_end("The output still has an axis for the heads. Merge them, then multiply with `w_o`.")
def heads_neither_merged_nor_mixed(found, weights, w_o):
    return found, weights


@wrong_at_the_end(
    "Somewhere `@` met rows as long as one head, and a matrix as long as d_model. Project before you split; split queries, "
    "keys and values alike; merge before `w_o`, side by side."
)
def rows_of_one_head_met_a_whole_matrix(found, weights, w_o):
    return found.mean(axis=-3) @ w_o, weights


@wrong_at_the_end("The heads' outputs are averaged and multiplied with the first rows of `w_o`. Merge them side by side.")
def mean_of_the_heads_times_the_first_rows(found, weights, w_o):
    return found.mean(axis=-3) @ w_o[: found.shape[-1]], weights


@wrong_at_the_end("The weights are averaged over the heads, as some libraries do. Here each head's weights are wanted.")
def mean_weights_returned(found, weights, w_o):
    return merge(found) @ w_o, weights.mean(axis=-3)


@wrong_at_the_end("The weights are added up over the heads. Each head's weights are wanted, as they are.")
def sum_of_the_weights_returned(found, weights, w_o):
    return merge(found) @ w_o, weights.sum(axis=-3)


@wrong_at_the_end("In the weights the words that look and those that are looked at have changed places. Rows are those that look.")
def weights_transposed(found, weights, w_o):
    return merge(found) @ w_o, np.swapaxes(weights, -1, -2)


@wrong_at_the_end("The entries of the first axis are put side by side. With a batch in front these are sentences, not heads: use merge_heads.")
def first_axis_joined_in_place_of_the_heads(found, weights, w_o):
    return np.concatenate(list(found), axis=-1) @ w_o, weights


@multi_head_attention.mistake("The words' own vectors are added to the output. That will come in lesson 05; here it is not asked for.")
def own_vectors_added(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    found, weights = attention(*parts(x_q, x_kv, w_q, w_k, w_v, n_heads))
    return merge(found) @ w_o + x_q, weights


@wrong_at_the_end("The weights are merged like the outputs. They are wanted as they are, one table for each head.")
def weights_merged_too(found, weights, w_o):
    return merge(found) @ w_o, merge(weights)


@wrong_at_the_end("Output and weights are returned in the wrong order: the output comes first.")
def output_returned_last(found, weights, w_o):
    return weights, merge(found) @ w_o


@wrong_at_the_end("Only the output is returned. The weights are wanted as well: return both.")
def only_the_output_returned(found, weights, w_o):
    return merge(found) @ w_o


@multi_head_attention.mistake("In the weights the heads come before the batch. They stand right before the words that look.")
def heads_before_the_batch_in_the_weights(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    found, weights = attention(*parts(x_q, x_kv, w_q, w_k, w_v, n_heads))
    return merge(found) @ w_o, np.moveaxis(weights, -3, 0)


@multi_head_attention.mistake(
    "The result is right, but an operator with `=` in it (`/=`, `*=`, `@=`) changes an array you were given, which its owner "
    "still needs. Compute a new one instead."
)
def inputs_changed_in_place(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    x_q @= w_q
    found, weights = attention(split(x_q, n_heads), split(x_kv @ w_k, n_heads), split(x_kv @ w_v, n_heads))
    return merge(found) @ w_o, weights


@multi_head_attention.mistake("You raise an error, but not a ValueError: that is the kind for a value that does not fit.")
def assertion_instead_of_a_value_error(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    assert x_q.shape[-1] % n_heads == 0
    return LESSON.reference("multi_head_attention")(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads)


@multi_head_attention.mistake("The sizes are right for one sentence only: with a batch in front, `len(x_q)` is not the number of words.")
def length_taken_for_the_number_of_words(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    if x_q.shape[-1] % n_heads:
        raise ValueError("no")

    def heads(x):
        return x.reshape(len(x), n_heads, x_q.shape[-1] // n_heads).transpose(1, 0, 2)

    found, weights = attention(heads(x_q @ w_q), heads(x_kv @ w_k), heads(x_kv @ w_v))
    return found.transpose(1, 0, 2).reshape(len(x_q), -1) @ w_o, weights


@multi_head_attention.mistake(
    "The axes are counted from the front, which is right without a batch only. Count them from the end."
)
def axes_counted_from_the_front(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    if x_q.shape[-1] % n_heads:
        raise ValueError("no")

    def heads(x):
        return np.swapaxes(x.reshape(*x.shape[:-1], n_heads, -1), 0, 1)

    found, weights = attention(heads(x_q @ w_q), heads(x_kv @ w_k), heads(x_kv @ w_v))
    turned = np.swapaxes(found, 0, 1)
    return turned.reshape(*turned.shape[:-2], -1) @ w_o, weights


# --------------------------------------------------------------------- count_attention_parameters


@LESSON.exercise(aspects={"without a bias": 2, "with a bias": 1})
def count_attention_parameters(rng):
    d_model = int(rng.integers(2, 9)) * 12
    for n_heads in (1, 4, 6):
        yield Case("without a bias", f"d_model {d_model}, n_heads {n_heads}, no bias", d_model, n_heads, False)
    yield Case("without a bias", "the paper's block: d_model 512, 8 heads", 512, 8, False)
    yield Case("without a bias", "d_model 30, 5 heads", 30, 5, False, hidden=True)
    yield Case("with a bias", "d_model 20, 2 heads, with biases", 20, 2, True)
    yield Case("with a bias", "d_model 40, 8 heads, with biases", 40, 8, True, hidden=True)


@count_attention_parameters.mistake(
    "You count W_O out. Four matrices are trained: three that make queries, keys and values, and one that mixes the heads."
)
def w_o_not_counted(d_model, n_heads, bias):
    return 3 * d_model * (d_model + bool(bias))


@count_attention_parameters.mistake(
    "You count full-sized matrices for every head. More heads are narrower heads: what is the shape of one head's matrix?"
)
def every_head_as_wide_as_the_model(d_model, n_heads, bias):
    return 4 * n_heads * d_model * (d_model + bool(bias))


@count_attention_parameters.mistake(
    "You count full-sized matrices W_Q, W_K and W_V for every head. More heads are narrower heads: what is the shape of one "
    "head's matrix?"
)
def three_full_matrices_for_every_head(d_model, n_heads, bias):
    return (3 * n_heads + 1) * d_model * (d_model + bool(bias))


@count_attention_parameters.mistake("You count the matrices of one head only. There are n_heads of them, side by side.")
def only_one_head_counted(d_model, n_heads, bias):
    d_head = d_model // n_heads
    return 3 * (d_model * d_head + (d_head if bias else 0)) + d_model * d_model + (d_model if bias else 0)


@count_attention_parameters.mistake(
    "You get four times d_model * d_head. Either one head only is counted, or the matrices of a head are taken for squares: "
    "each has d_model rows and d_head columns."
)
def all_matrices_as_narrow_as_a_head(d_model, n_heads, bias):
    d_head = d_model // n_heads
    return 4 * (d_model * d_head + (d_head if bias else 0))


@count_attention_parameters.mistake("You count W_O once for every head. It comes after the heads and is there once.")
def w_o_counted_for_every_head(d_model, n_heads, bias):
    return (3 + n_heads) * d_model * (d_model + bool(bias))


@count_attention_parameters.mistake("You count one matrix only. How many does a block have?")
def one_matrix_only(d_model, n_heads, bias):
    return d_model * (d_model + bool(bias))


@count_attention_parameters.mistake("You count the numbers of a vector where there are matrices: rows times columns.")
def vectors_in_place_of_matrices(d_model, n_heads, bias):
    return 4 * (d_model + (d_model if bias else 0))


@count_attention_parameters.mistake("`^` is no power in Python. Write `**`, or multiply d_model by itself.")
def caret_in_place_of_a_power(d_model, n_heads, bias):
    return 4 * d_model ^ 2


@count_attention_parameters.mistake("Matrices and biases come as two numbers. One is wanted: their sum.")
def matrices_and_biases_counted_apart(d_model, n_heads, bias):
    return 4 * d_model * d_model, (4 * d_model if bias else 0)


@count_attention_parameters.mistake("The biases are left out, whatever `bias` says.")
def biases_left_out(d_model, n_heads, bias):
    return 4 * d_model * d_model


@count_attention_parameters.mistake("The biases are counted even when `bias` is False.")
def biases_always_counted(d_model, n_heads, bias):
    return 4 * d_model * (d_model + 1)


@count_attention_parameters.mistake("The biases are counted when `bias` is False, and left out when it is True.")
def bias_the_wrong_way_round(d_model, n_heads, bias):
    return 4 * d_model * (d_model + (not bias))


@count_attention_parameters.mistake("Queries, keys and values get a bias, but W_O does not. Each of the four has one.")
def bias_of_w_o_forgotten(d_model, n_heads, bias):
    return 4 * d_model * d_model + (3 * d_model if bias else 0)


@count_attention_parameters.mistake("You count one bias for the whole block. Each of the four matrices has one.")
def one_bias_for_the_block(d_model, n_heads, bias):
    return 4 * d_model * d_model + (d_model if bias else 0)


@count_attention_parameters.mistake(
    "A bias counts as a single number here. It is a vector, with a number for each column of its matrix."
)
def biases_counted_as_single_numbers(d_model, n_heads, bias):
    return 4 * d_model * d_model + (4 if bias else 0)


@count_attention_parameters.mistake("`bias` itself is added, which counts as 1. It says *whether* there are biases: how many numbers are they?")
def bias_added_as_a_number(d_model, n_heads, bias):
    return 4 * d_model * d_model + bias


@count_attention_parameters.mistake("With a bias the count doubles. A bias is one number for each column of its matrix, not a second matrix.")
def biases_as_large_as_the_matrices(d_model, n_heads, bias):
    return 4 * d_model * d_model * (2 if bias else 1)


@count_attention_parameters.mistake(
    "You count four numbers for each head. A bias has one for each column of its matrix, whatever the heads."
)
def four_numbers_for_each_head(d_model, n_heads, bias):
    return 4 * d_model * d_model + (4 * n_heads if bias else 0)


@count_attention_parameters.mistake(
    "A bias of full width is counted for every head. The bias of a head is as narrow as the head."
)
def full_bias_for_every_head(d_model, n_heads, bias):
    return 4 * d_model * d_model + (4 * n_heads * d_model if bias else 0)


@count_attention_parameters.mistake(
    "The biases are only as long as one head. Side by side the heads' biases are as long as the matrix is wide."
)
def bias_of_one_head_only(d_model, n_heads, bias):
    return 4 * d_model * d_model + (4 * (d_model // n_heads) if bias else 0)
