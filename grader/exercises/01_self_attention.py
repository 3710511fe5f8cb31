"""Lesson 01: self-attention."""

import numpy as np

from grader.spec import NUMPY_ONLY, Case, Lesson

LESSON = Lesson("01_self_attention", refuse=NUMPY_ONLY)


def right_softmax(x, axis=-1):
    return LESSON.reference("softmax")(x, axis)


def attention(q, k, v, factor=None, softmax=right_softmax):
    """Attention with one thing wrong: what the scores are multiplied by, or their softmax."""
    factor = 1 / np.sqrt(q.shape[-1]) if factor is None else factor
    weights = softmax(q @ np.swapaxes(k, -1, -2) * factor)
    return weights @ v, weights


# ---------------------------------------------------------------------------------------- softmax


@LESSON.exercise(aspects={"values": 2, "any axis": 1, "large numbers": 1, "minus infinity": 1, "inputs unchanged": 1})
def softmax(rng):
    yield Case("values", "one row of numbers", rng.normal(size=5))
    yield Case("values", "four rows of six numbers", rng.normal(size=(4, 6)))
    yield Case("values", "numbers in float32", rng.normal(size=(2, 3)).astype(np.float32), hidden=True)
    yield Case("values", "the same call twice, with other numbers between", rng.normal(size=(3, 4)), probe="call_again")
    yield Case("any axis", "along axis 0", rng.normal(size=(4, 6)), axis=0)
    yield Case("any axis", "three axes, along the last", rng.normal(size=(2, 3, 4)))
    yield Case("any axis", "three axes, along the middle one", rng.normal(size=(2, 5, 3)), axis=-2, hidden=True)
    yield Case("large numbers", "numbers around 10,000", 1e4 + rng.normal(size=(2, 4)))
    far = rng.normal(size=(3, 4)) + np.array([[0.0], [1e4], [-1e4]])
    yield Case("large numbers", "rows that lie 10,000 apart", far)
    hidden = rng.normal(size=(3, 5))
    hidden[np.arange(3), rng.integers(5, size=3)] = -np.inf
    yield Case("minus infinity", "one entry of each row is minus infinity", hidden)
    yield Case("minus infinity", "all entries but one are minus infinity", np.array([-np.inf, 0.5, -np.inf]))


@softmax.mistake(
    "You take the exponentials but do not divide them by their sum, so they do not add up to 1. "
    "A softmax gives shares of a whole."
)
def exp_without_normalising(x, axis=-1):
    return np.exp(x - x.max(axis=axis, keepdims=True))


@softmax.mistake(
    "You divide the numbers themselves by their sum. Negative numbers then get negative shares: what makes "
    "every number positive first?"
)
def shares_without_exp(x, axis=-1):
    return x / x.sum(axis=axis, keepdims=True)


@softmax.mistake(
    "exp of a large number overflows to infinity. The result stays the same when every number of a row is "
    "lowered by the same amount: lower them before exp."
)
def no_maximum_subtracted(x, axis=-1):
    exp = np.exp(x)
    return exp / exp.sum(axis=axis, keepdims=True)


@softmax.mistake(
    "You lower every row by the largest number of the whole array. A row that lies far below it underflows to "
    "0/0: each row has a largest number of its own."
)
def maximum_of_whole_array_subtracted(x, axis=-1):
    exp = np.exp(x - x.max())
    return exp / exp.sum(axis=axis, keepdims=True)


@softmax.mistake(
    "You always normalise along axis 0, so columns add up to 1 where rows should. Look at what `axis` says."
)
def softmax_over_axis_0(x, axis=-1):
    return right_softmax(x, 0)


@softmax.mistake("You always normalise along the last axis, whatever `axis` says.")
def axis_ignored(x, axis=-1):
    return right_softmax(x, -1)


@softmax.mistake(
    "You always normalise along axis 1. With one or three axes that is not the last one: use `axis`."
)
def softmax_over_axis_1(x, axis=-1):
    return right_softmax(x, 1)


@softmax.mistake(
    "You divide by the sum over the whole array, so that all numbers together add up to 1. Each row should: "
    "sum along `axis` only."
)
def normalised_over_whole_array(x, axis=-1):
    exp = np.exp(x - x.max())
    return exp / exp.sum()


@softmax.mistake(
    "Sum and maximum lose an axis here, so they no longer line up with the rows they came from. NumPy can keep "
    "that axis with length 1."
)
def axis_lost_by_the_sum(x, axis=-1):
    exp = np.exp(x - x.max(axis=axis))
    return exp / exp.sum(axis=axis)


@softmax.mistake("This is the logarithm of the softmax: undo the logarithm, or never take it.")
def log_softmax_returned(x, axis=-1):
    return np.log(right_softmax(x, axis))


@softmax.mistake(
    "The result is right, but `-=` or `/=` writes into the array you were given, which its owner still needs. "
    "Compute a new array instead."
)
def input_changed_in_place(x, axis=-1):
    x -= x.max(axis=axis, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=axis, keepdims=True)
    return x


@softmax.mistake(
    "Minus infinity is turned into an ordinary number before exp, so a hidden entry still gets a share. "
    "exp(-inf) is exactly 0 all by itself."
)
def minus_infinity_replaced_by_zero(x, axis=-1):
    return right_softmax(np.where(np.isinf(x), 0.0, x), axis)


@softmax.mistake(
    "You divide by the sum of the whole array. Each row is to add up to 1 on its own: sum along `axis` only. And "
    "a large number will overflow before you divide."
)
def whole_array_normalised_and_no_maximum_subtracted(x, axis=-1):
    return np.exp(x) / np.exp(x).sum()


@softmax.mistake(
    "You lower each row by its mean, its smallest number or the like, so a number far above that still overflows: "
    "which number of a row makes sure that none is left above 0?"
)
def something_else_than_the_maximum_subtracted(x, axis=-1):
    exp = np.exp(x - x.mean(axis=axis, keepdims=True))
    return exp / exp.sum(axis=axis, keepdims=True)


@softmax.mistake(
    "Replacing nan hides the overflow but does not undo it: the shares are lost by then. Keep exp from overflowing."
)
def overflow_hidden_by_nan_to_num(x, axis=-1):
    exp = np.exp(x)
    return np.nan_to_num(exp / exp.sum(axis=axis, keepdims=True))


@softmax.mistake(
    "You divide by the largest number instead of subtracting it, which changes the shares."
)
def divided_by_the_maximum(x, axis=-1):
    exp = np.exp(x / x.max(axis=axis, keepdims=True))
    return exp / exp.sum(axis=axis, keepdims=True)


# ------------------------------------------------------------------------------------ project_qkv


@LESSON.exercise(aspects={"values": 2, "batch axes": 1}, returns=("q", "k", "v"))
def project_qkv(rng):
    def inputs(*axes, d_model=4, d_k=3, d_v=2):
        sizes = [(*axes, d_model), (d_model, d_k), (d_model, d_k), (d_model, d_v)]
        return [rng.normal(size=size) for size in sizes]

    yield Case("values", "five words, d_model 4, d_k 3, d_v 2", *inputs(5))
    yield Case("values", "three words, all widths 3", *inputs(3, d_model=3, d_k=3, d_v=3))
    yield Case("values", "the same call twice, with other numbers between", *inputs(2), probe="call_again")
    yield Case("batch axes", "two sentences at once", *inputs(2, 5))
    yield Case("batch axes", "two batch axes", *inputs(2, 3, 4, d_model=5, d_k=2, d_v=6), hidden=True)


@project_qkv.mistake(
    "Queries, keys and values all come from W_Q. A word asks one thing, is found by another and hands out a "
    "third: each has a matrix of its own."
)
def one_shared_projection(x, w_q, w_k, w_v):
    return x @ w_q, x @ w_q, x @ w_q


@project_qkv.mistake("Keys and values have changed places: look at which matrix makes which, and at the order of the results.")
def keys_and_values_swapped(x, w_q, w_k, w_v):
    return x @ w_q, x @ w_v, x @ w_k


@project_qkv.mistake("Queries and keys have changed places: look at which matrix makes which.")
def queries_and_keys_swapped(x, w_q, w_k, w_v):
    return x @ w_k, x @ w_q, x @ w_v


@project_qkv.mistake(
    "You multiply with the transposed matrices. Here a word is a row of `x`, so the matrices stand to its right as they are."
)
def matrices_transposed(x, w_q, w_k, w_v):
    return x @ w_q.T, x @ w_k.T, x @ w_v.T


@project_qkv.mistake(
    "Each result comes with words and features exchanged: it should have one row for every word."
)
def words_in_columns(x, w_q, w_k, w_v):
    return tuple(np.swapaxes(x @ w, -1, -2) for w in (w_q, w_k, w_v))


@project_qkv.mistake(
    "The formula writes a word as a column. Here words are the rows of `x`, so the matrix stands on the other side."
)
def matrix_before_the_words(x, w_q, w_k, w_v):
    return w_q @ x, w_k @ x, w_v @ x


@project_qkv.mistake(
    "That works for one word alone. Of all words, which are the rows of `x`, each product has to take the rows: "
    "let `x` stand first."
)
def transposed_matrix_before_the_words(x, w_q, w_k, w_v):
    return w_q.T @ x, w_k.T @ x, w_v.T @ x


@project_qkv.mistake("Keys are made from the queries, and values from the keys. All three are made from `x`.")
def projections_chained(x, w_q, w_k, w_v):
    q = x @ w_q
    k = q @ w_k
    return q, k, k @ w_v


@project_qkv.mistake("`*` multiplies number by number. A projection is a matrix product.")
def multiplied_elementwise(x, w_q, w_k, w_v):
    return x * w_q, x * w_k, x * w_v


@project_qkv.mistake("The three results are glued into one array. Return them as three, in the order q, k, v.")
def results_glued_together(x, w_q, w_k, w_v):
    return np.concatenate([x @ w_q, x @ w_k, x @ w_v], axis=-1)


@project_qkv.mistake(
    "`.T` and np.dot treat several sentences at once in their own way. The `@` operator takes the last two axes of each."
)
def axes_of_a_batch_reversed(x, w_q, w_k, w_v):
    return tuple((w.T @ x.T).T if x.ndim == 2 else w.T @ x.T for w in (w_q, w_k, w_v))


# -------------------------------------------------------------------------------- attend_one_word


@LESSON.exercise(aspects={"values": 2, "no overflow": 1, "inputs unchanged": 1}, returns=("output", "weights"))
def attend_one_word(rng):
    def inputs(n=5, d_k=4, d_v=3, size=1.0):
        return size * rng.normal(size=d_k), rng.normal(size=(n, d_k)), rng.normal(size=(n, d_v))

    yield Case("values", "one query, five keys and values", *inputs())
    yield Case("values", "keys and values of the same width", *inputs(n=3, d_k=6, d_v=6))
    yield Case("values", "nine keys", *inputs(n=9, d_k=2, d_v=5), hidden=True)
    yield Case("values", "the same call twice, with other numbers between", *inputs(), probe="call_again")
    yield Case("no overflow", "scores in the thousands", *inputs(size=3000.0))


@LESSON.exercise(
    aspects={"values": 3, "batch axes": 1, "no overflow": 1, "inputs unchanged": 1}, returns=("output", "weights")
)
def scaled_dot_product_attention(rng):
    def inputs(*batch, n_q=3, n_k=5, d_k=4, d_v=2, size=1.0):
        shapes = [(*batch, n_q, d_k), (*batch, n_k, d_k), (*batch, n_k, d_v)]
        q, k, v = (rng.normal(size=shape) for shape in shapes)
        return size * q, k, v

    yield Case("values", "three queries, five keys and values", *inputs())
    yield Case("values", "all sizes equal", *inputs(n_q=3, n_k=3, d_k=3, d_v=3))
    yield Case("values", "more queries than keys", *inputs(n_q=6, n_k=2, d_k=3, d_v=5), hidden=True)
    yield Case("values", "the same call twice, with other numbers between", *inputs(), probe="call_again")
    yield Case("batch axes", "two sentences at once", *inputs(2))
    yield Case("batch axes", "two batch axes", *inputs(2, 3, n_q=4, n_k=6, d_k=2, d_v=5), hidden=True)
    yield Case("no overflow", "scores in the thousands", *inputs(size=3000.0))
    q, k, v = inputs(n_q=3, n_k=4)
    yield Case("no overflow", "queries of very different size", q * np.array([[1.0], [3000.0], [0.01]]), k, v)


def both(hint):
    """A mistake of attention that one word's attention shows as well, under the same name."""

    def register(wrong):
        def for_one_word(query, keys, values):
            output, weights = wrong(query[None], keys, values)
            return output[0], weights[0]

        for_one_word.__name__ = wrong.__name__
        attend_one_word.mistake(hint)(for_one_word)
        return scaled_dot_product_attention.mistake(hint)(wrong)

    return register


@both(
    "The scores are not scaled. The wider the vectors, the larger their products: look at what the formula "
    "divides by before the softmax."
)
def no_scaling(q, k, v):
    return attention(q, k, v, factor=1.0)


@both("You divide the scores by d_k itself. Their typical size is its square root.")
def divided_by_d_k(q, k, v):
    return attention(q, k, v, factor=1 / q.shape[-1])


@both("You multiply by the square root of d_k, which makes large scores larger still. It belongs in the denominator.")
def multiplied_by_the_root_of_d_k(q, k, v):
    return attention(q, k, v, factor=np.sqrt(q.shape[-1]))


@both(
    "You divide by the square root of the number of keys. What grows the products is the width of the vectors, "
    "not the length of the sentence."
)
def divided_by_the_root_of_the_number_of_keys(q, k, v):
    return attention(q, k, v, factor=1 / np.sqrt(k.shape[-2]))


@both("You scale by the width of the values. The products are between queries and keys: it is their width that counts.")
def divided_by_the_root_of_d_v(q, k, v):
    return attention(q, k, v, factor=1 / np.sqrt(v.shape[-1]))


@both("You divide by the root of 4 whatever the sizes are. Take d_k from the arrays you are given.")
def d_k_fixed_at_4(q, k, v):
    return attention(q, k, v, factor=1 / 2)


@both(
    "You divide by the norm of the query. What grows the products is how many numbers a query holds, not how "
    "large they are."
)
def divided_by_the_norm_of_the_query(q, k, v):
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    weights = right_softmax(q @ np.swapaxes(k, -1, -2) / norm)
    return weights @ v, weights


@both(
    "You scale after the softmax, so the weights of a word no longer add up to 1. The scores are to be scaled "
    "before they become shares."
)
def scaled_after_the_softmax(q, k, v):
    weights = right_softmax(q @ np.swapaxes(k, -1, -2)) / np.sqrt(q.shape[-1])
    return weights @ v, weights


@both("There is no softmax: the scores themselves serve as weights, so they can be negative and do not add up to 1.")
def softmax_missing(q, k, v):
    return attention(q, k, v, softmax=lambda scores: scores)


@both("The exponentials are not divided by their sum, so the weights of a word do not add up to 1.")
def weights_not_normalised(q, k, v):
    return attention(q, k, v, softmax=np.exp)


@both("The weights are applied to the keys. Keys are for finding, values are what is handed out.")
def weights_applied_to_the_keys(q, k, v):
    weights = attention(q, k, v)[1]
    return weights @ k, weights


@both("Output and weights are returned in the wrong order: the output comes first.")
def output_and_weights_swapped(q, k, v):
    return attention(q, k, v)[::-1]


@both("The softmax overflows: exp of a large score is infinite. Use the stable softmax that you wrote first.")
def softmax_overflows(q, k, v):
    def softmax(scores):
        exp = np.exp(scores)
        return exp / exp.sum(axis=-1, keepdims=True)

    return attention(q, k, v, softmax=softmax)


@both("The word looks at its best match alone. The softmax lets it look at every word, at some more than at others.")
def best_match_only(q, k, v):
    scores = q @ np.swapaxes(k, -1, -2)
    weights = np.eye(k.shape[-2])[scores.argmax(axis=-1)]
    return weights @ v, weights


@both("The output is the plain mean of the values: the weights you computed are not used for it.")
def weights_not_used(q, k, v):
    weights = attention(q, k, v)[1]
    return np.broadcast_to(v.mean(axis=-2, keepdims=True), (*q.shape[:-1], v.shape[-1])), weights


@both(
    "The weights multiply the scores once more before they meet the values. After the softmax the scores have "
    "done their work."
)
def weights_times_scores(q, k, v):
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    weights = right_softmax(scores)
    return (weights * scores) @ v, weights


@both("You return the scores where the weights are wanted: those that the values were mixed with.")
def scores_returned_instead_of_weights(q, k, v):
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    return right_softmax(scores) @ v, scores


@both("Only the output is returned. The weights are wanted as well: return both, the output first.")
def weights_missing_from_the_result(q, k, v):
    return [attention(q, k, v)[0]]


@both(
    "The result is right, but `/=` scales the query you were given in place, and its owner still needs it. "
    "Compute a new array instead."
)
def input_changed_in_place(q, k, v):  # noqa: F811
    q /= np.sqrt(q.shape[-1])
    return attention(q, k, v, factor=1.0)


@attend_one_word.mistake(
    "The query stands before the keys, so its numbers meet words instead of features. Each key is a row: let the "
    "keys stand first."
)
def query_before_the_keys(query, keys, values):
    weights = right_softmax(query @ keys / np.sqrt(len(query)))
    return weights @ values, weights


@attend_one_word.mistake("The query is dotted with the values. It is the keys that say how well a word fits the question.")
def query_dotted_with_values(query, keys, values):
    weights = right_softmax(values @ query / np.sqrt(len(query)))
    return weights @ values, weights


@attend_one_word.mistake("Every value is weighted, but not summed: the output is one vector, the sum over all words.")
def values_not_summed(query, keys, values):
    weights = right_softmax(keys @ query / np.sqrt(len(query)))
    return weights[:, None] * values, weights


@scaled_dot_product_attention.mistake(
    "You multiply queries with keys as they lie. Each query is to be dotted with each key: exchange the last two "
    "axes of the keys first."
)
def keys_not_transposed(q, k, v):
    weights = right_softmax(q @ k / np.sqrt(q.shape[-1]))
    return weights @ v, weights


@scaled_dot_product_attention.mistake(
    "The scores are turned round: rows belong to keys, columns to queries. A row of the weights should tell where "
    "one query looks."
)
def scores_transposed(q, k, v):
    weights = right_softmax(k @ np.swapaxes(q, -1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights


@scaled_dot_product_attention.mistake(
    "The softmax runs over the queries: each column of the weights adds up to 1. Each query shares out its own "
    "attention among the keys."
)
def softmax_over_queries(q, k, v):
    return attention(q, k, v, softmax=lambda scores: right_softmax(scores, axis=-2))


@scaled_dot_product_attention.mistake(
    "The softmax runs over the first axis: over the queries of one sentence, over the sentences of a batch. Each "
    "query shares out its own attention among the keys."
)
def softmax_over_the_first_axis(q, k, v):
    return attention(q, k, v, softmax=lambda scores: right_softmax(scores, axis=0))


@scaled_dot_product_attention.mistake(
    "The softmax runs over all scores at once, so all weights together add up to 1. Each query's row should."
)
def softmax_over_everything(q, k, v):
    return attention(q, k, v, softmax=lambda s: right_softmax(s.reshape(-1)).reshape(s.shape))


@scaled_dot_product_attention.mistake(
    "The largest score of all is subtracted from every row. A query whose scores lie far below it ends in 0/0: "
    "subtract row by row."
)
def maximum_of_all_rows_subtracted(q, k, v):
    def softmax(scores):
        exp = np.exp(scores - scores.max())
        return exp / exp.sum(axis=-1, keepdims=True)

    return attention(q, k, v, softmax=softmax)


@scaled_dot_product_attention.mistake(
    "`.T` reverses all axes, so with several sentences it moves the batch as well. Exchange only the last two axes."
)
def transpose_reverses_all_axes(q, k, v):
    weights = right_softmax(q @ k.T / np.sqrt(q.shape[-1]))
    return weights @ v, weights


@scaled_dot_product_attention.mistake(
    "The output has as many rows as there are keys. There is one output for each query; the two numbers can differ."
)
def output_sized_by_the_keys(q, k, v):
    right, weights = attention(q, k, v)
    output = np.zeros((*k.shape[:-1], v.shape[-1]))
    n = min(q.shape[-2], k.shape[-2])
    output[..., :n, :] = right[..., :n, :]
    return output, weights


@scaled_dot_product_attention.mistake(
    "You divide by the root of the first axis, which is how many queries (or sentences) there are. It is the last "
    "axis of `q` that holds d_k numbers."
)
def divided_by_the_root_of_the_first_axis(q, k, v):
    return attention(q, k, v, factor=1 / np.sqrt(len(q)))


@scaled_dot_product_attention.mistake(
    "You take d_k from axis 1, which is the last axis for one sentence only. Count from the end instead."
)
def d_k_taken_from_axis_1(q, k, v):
    return attention(q, k, v, factor=1 / np.sqrt(q.shape[1]))


@scaled_dot_product_attention.mistake(
    "You go through the queries one by one, which takes one sentence apart. With axes in front, the first axis is "
    "not the words: let matrix products do all at once."
)
def one_query_at_a_time(q, k, v):
    outputs, weights = zip(*[LESSON.reference("attend_one_word")(query, k, v) for query in q])
    return np.array(outputs), np.array(weights)


# --------------------------------------------------------------------------------- self_attention


@LESSON.exercise(aspects={"values": 2, "batch axes": 1}, returns=("output", "weights"))
def self_attention(rng):
    def inputs(*axes, d_model=6, d_k=4, d_v=3):
        shapes = [(*axes, d_model), (d_model, d_k), (d_model, d_k), (d_model, d_v)]
        return [rng.normal(size=shape) for shape in shapes]

    yield Case("values", "a sentence of five words", *inputs(5))
    yield Case("values", "all widths equal", *inputs(3, d_model=4, d_v=4))
    yield Case("values", "one word alone", *inputs(1), hidden=True)
    x, *matrices = inputs(7, d_model=5, d_k=2, d_v=3)
    yield Case("values", "seven words", x, *matrices, hidden=True)
    yield Case("values", "the same seven words shuffled", rng.permutation(x), *matrices, hidden=True)
    yield Case("values", "the same call twice, with other numbers between", *inputs(4), probe="call_again")
    yield Case("batch axes", "two sentences at once", *inputs(2, 5))
    yield Case("batch axes", "two batch axes", *inputs(2, 3, 4, d_model=5, d_k=2, d_v=6), hidden=True)


@self_attention.mistake(
    "The words attend to each other as they are, without their queries, keys and values. Project them first."
)
def projections_left_out(x, w_q, w_k, w_v):
    return attention(x, x, x)


@self_attention.mistake("Queries, keys and values all come from W_Q. Each has a matrix of its own.")
def one_projection_for_all(x, w_q, w_k, w_v):
    return attention(x @ w_q, x @ w_q, x @ w_q)


@self_attention.mistake(
    "The words' vectors are handed out unprojected: the values are to be made by W_V."
)
def values_not_projected(x, w_q, w_k, w_v):
    return attention(x @ w_q, x @ w_k, x)


@self_attention.mistake("Queries and keys have changed places: each word asks with its label and is compared with the others' questions.")
def queries_and_keys_exchanged(x, w_q, w_k, w_v):
    return attention(x @ w_k, x @ w_q, x @ w_v)


@self_attention.mistake(
    "You divide by the square root of d_model. The scores are products of queries and keys: it is their width, "
    "d_k, that counts."
)
def divided_by_the_root_of_d_model(x, w_q, w_k, w_v):
    return attention(x @ w_q, x @ w_k, x @ w_v, factor=1 / np.sqrt(x.shape[-1]))


@self_attention.mistake("The scores are not scaled by the square root of d_k.")
def scores_not_scaled(x, w_q, w_k, w_v):
    return attention(x @ w_q, x @ w_k, x @ w_v, factor=1.0)


@self_attention.mistake("Only the output is returned. The weights are wanted as well: return both.")
def weights_not_returned(x, w_q, w_k, w_v):
    return attention(x @ w_q, x @ w_k, x @ w_v)[0]


@self_attention.mistake("Weights and output are returned in the wrong order: the output comes first.")
def weights_returned_first(x, w_q, w_k, w_v):
    return attention(x @ w_q, x @ w_k, x @ w_v)[::-1]


@self_attention.mistake("Keys and values have changed places: look at the order of what project_qkv returns.")
def keys_and_values_exchanged(x, w_q, w_k, w_v):
    return attention(x @ w_q, x @ w_v, x @ w_k)


@self_attention.mistake("The words themselves are added to the output. That is a later part of the Transformer, not of attention.")
def input_added_to_the_output(x, w_q, w_k, w_v):
    output, weights = attention(x @ w_q, x @ w_k, x @ w_v)
    return (x + output if x.shape == output.shape else output), weights


@self_attention.mistake(
    "The softmax runs over the words that ask instead of the words that are looked at: rows of the weights should add up to 1."
)
def softmax_over_the_asking_words(x, w_q, w_k, w_v):
    return attention(x @ w_q, x @ w_k, x @ w_v, softmax=lambda scores: right_softmax(scores, axis=-2))
