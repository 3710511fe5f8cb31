"""Lesson 05: the blocks of a Transformer, as PyTorch modules."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from grader.spec import Case, Lesson, ModuleCase

LESSON = Lesson("05_transformer_blocks")
BY_HAND = ("F.scaled_dot_product_attention", "F.multi_head_attention_forward", "nn.MultiheadAttention")


def numbers(rng, *shape, dtype=np.float32):
    return torch.from_numpy(rng.normal(size=shape).astype(dtype))


def some(rng, *shape):
    """A mask in which every row has something to look at, and something hidden."""
    visible = rng.integers(1, shape[-1], size=(*shape[:-1], 1))  # so many in each row, at any places
    return torch.from_numpy(rng.random(shape).argsort(axis=-1) < visible)


def triangle(n):
    return torch.ones(n, n, dtype=torch.bool).tril()


def padded(*rows):
    """A padding mask `(batch, 1, 1, n)`, from rows such as "110"."""
    return torch.tensor([[mark == "1" for mark in row] for row in rows])[:, None, None, :]


def seed_of(rng):
    return int(rng.integers(2**31))


# -------------------------------------------------------------------------------------- attention


@LESSON.exercise(
    aspects={
        "values": 2,
        "mask": 1,
        "nothing to look at": 1,
        "gradients": 1,
        "float64 and large scores": 1,
        "inputs unchanged": 1,
    },
    returns=("output", "weights"),
    refuse=BY_HAND,
)
def attention(rng):
    def inputs(*batch, n_q=3, n_k=4, d_k=4, d_v=2, dtype=np.float32):
        shapes = [(*batch, n_q, d_k), (*batch, n_k, d_k), (*batch, n_k, d_v)]
        return [numbers(rng, *shape, dtype=dtype) for shape in shapes]

    def ask(aspect, says, q, k, v, mask, zeros_exact=True, **options):
        return Case(aspect, says, q, k, v, mask=mask, zeros_exact=zeros_exact, **options)

    yield Case("values", "two queries, three keys, no mask", *inputs(n_q=2, n_k=3))
    yield Case("values", "two sentences", *inputs(2, n_q=2, n_k=3, d_k=3, d_v=1))
    yield Case("values", "two sentences of three heads, mask=None", *inputs(2, 3, n_q=1, n_k=2, d_k=3), mask=None, hidden=True)
    yield Case("values", "one query, seven keys", *inputs(n_q=1, n_k=7, d_k=5), hidden=True)
    yield Case("values", "three axes in front", *inputs(2, 1, 3, n_q=4, n_k=5), hidden=True)
    again = "the same call twice, with other numbers between"
    yield Case("values", again, *inputs(n_q=2, n_k=3), probe="call_again", hidden=True)

    yield ask("mask", "three words under a causal mask", *inputs(n_k=3, d_k=2, d_v=1), triangle(3))
    yield ask("mask", "three queries, five keys, some of them hidden", *inputs(n_k=5), some(rng, 3, 5), hidden=True)
    real = padded("110", "011")
    yield ask("mask", "two sentences of three heads, each with padding", *inputs(2, 3, n_q=1, n_k=3, d_k=2, d_v=1), real)
    yield ask("mask", "two sentences, each with a mask of its own", *inputs(2, n_k=5), some(rng, 2, 3, 5), hidden=True)
    masks = padded("1110", "0111", "1101") & triangle(4)
    masks[1, :, 0] = torch.tensor([True, False, False, False])  # left padding would leave it nothing
    yield ask("mask", "decoder masks", *inputs(3, 2, n_q=4), masks, hidden=True)

    mask = some(rng, 2, 3)
    mask[1] = False
    yield ask("nothing to look at", "the second query may look at nothing", *inputs(n_q=2, n_k=3, d_v=1), mask)
    left = padded("011") & triangle(3)
    yield ask("nothing to look at", "causal, with padding on the left", *inputs(1, 1, n_q=3, n_k=3, d_k=2, d_v=1), left)
    everything = torch.zeros(2, 1, 1, dtype=torch.bool)
    yield ask("nothing to look at", "everything is hidden", *inputs(2), everything, hidden=True)

    def gradients(says, args, mask, **options):
        return Case("gradients", f"gradients {says}", *args, mask=mask, probe="gradients", **options)

    yield gradients("under a mask", inputs(n_q=2, n_k=3, d_k=2, d_v=1, dtype=np.float64), some(rng, 2, 3))
    mask = some(rng, 2, 3)
    mask[0] = False
    yield gradients("where the first query may look at nothing", inputs(n_q=2, n_k=3, d_k=2, d_v=1, dtype=np.float64), mask)
    yield gradients("without a mask", inputs(2, n_q=3, n_k=5), None, hidden=True)
    left = padded("011", "001") & triangle(3)
    yield gradients("with padding on the left", inputs(2, 2, n_q=3, n_k=3), left, hidden=True)

    last = "float64 and large scores"
    yield ask(last, "numbers in float64", *inputs(n_q=1, n_k=3, dtype=np.float64), some(rng, 1, 3))
    q, k, v = inputs(n_q=2, d_v=1, dtype=np.float64)
    mask = some(rng, 1, 4)
    q[:, 0], k[:, 0] = 1.0, 0.0
    k[~mask[0], 0] = 2e4  # divided by sqrt(4)
    yield ask(last, "hidden keys with scores around 10,000", q, k, v, mask)
    k = torch.where(mask.T, torch.tensor([-2e4, 0.0, 0.0, 0.0], dtype=k.dtype), k)
    k[~mask[0], 0] = 0.0
    yield ask(last, "visible keys with scores of -10,000", q, k, v, mask)
    q, k, v = inputs(n_q=4, n_k=6, dtype=np.float64)
    yield ask(last, "scores in the thousands", 2000 * q, k, v, some(rng, 4, 6), zeros_exact=False, hidden=True)


def scores_of(q, k):
    return q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5


def weights_of(scores, mask, dim=-1):
    if mask is None:
        return torch.softmax(scores, dim=dim)
    shown = mask.expand(scores.shape) if mask.ndim <= scores.ndim else mask
    empty = ~shown.any(dim=dim, keepdim=True)
    return torch.softmax(scores.masked_fill(~(shown | empty), -torch.inf), dim=dim).masked_fill(~shown, 0.0)


def right_attention(q, k, v, mask=None):
    weights = weights_of(scores_of(q, k), mask)
    return weights @ v, weights


def hiding(hide):
    """An attention of which only this differs: from scores and mask to weights."""

    def attend(q, k, v, mask=None):
        scores = scores_of(q, k)
        weights = torch.softmax(scores, dim=-1) if mask is None else hide(scores, mask)
        return weights @ v, weights

    return attend


def scaling(scale):
    """An attention of which only this differs: from q, k, v to what scores are multiplied with."""

    def attend(q, k, v, mask=None):
        return right_attention(q * q.shape[-1] ** 0.5 * scale(q, k, v), k, v, mask)

    return attend


def along(dim_of):
    """An attention whose softmax runs along another axis, found from the number of axes."""

    def attend(q, k, v, mask=None):
        scores = scores_of(q, k)
        weights = weights_of(scores, mask, dim_of(scores.ndim))
        return weights @ v, weights

    return attend


@attention.mistake("The scores are not scaled: divide them by the square root of d_k.")
def no_scaling(q, k, v, mask=None):
    return scaling(lambda q, k, v: 1)(q, k, v, mask)


@attention.mistake("You divide by d_k itself. It is its square root that the scores are divided by.")
def divided_by_d_k(q, k, v, mask=None):
    return scaling(lambda q, k, v: 1 / q.shape[-1])(q, k, v, mask)


@attention.mistake("You multiply by the square root of d_k. Scores are to become smaller, not larger.")
def multiplied_by_the_root_of_d_k(q, k, v, mask=None):
    return scaling(lambda q, k, v: q.shape[-1] ** 0.5)(q, k, v, mask)


@attention.mistake("You scale by the number of keys. What counts is how many numbers a query holds: d_k.")
def divided_by_the_root_of_n_k(q, k, v, mask=None):
    return scaling(lambda q, k, v: 1 / k.shape[-2] ** 0.5)(q, k, v, mask)


@attention.mistake("You scale by the width of the values. The products are between queries and keys: it is d_k that counts.")
def divided_by_the_root_of_d_v(q, k, v, mask=None):
    return scaling(lambda q, k, v: 1 / v.shape[-1] ** 0.5)(q, k, v, mask)


@attention.mistake("You divide after the softmax, so rows no longer add up to 1. The scores are to be divided, before it.")
def scaled_after_the_softmax(q, k, v, mask=None):
    weights = weights_of(q @ k.transpose(-1, -2), mask) / q.shape[-1] ** 0.5
    return weights @ v, weights


@attention.mistake("The softmax runs over the queries: columns add up to 1. Each query shares out its attention among the keys.")
def softmax_over_the_queries(q, k, v, mask=None):
    return along(lambda ndim: -2)(q, k, v, mask)


@attention.mistake(
    "`dim=1` is the axis of the keys only where nothing stands in front of it. Count the axis from the end."
)
def softmax_over_dim_1(q, k, v, mask=None):
    return along(lambda ndim: 1)(q, k, v, mask)


@attention.mistake("The softmax runs over the first axis, which is that of the queries or of the sentences. The keys come last.")
def softmax_over_dim_0(q, k, v, mask=None):
    return along(lambda ndim: 0)(q, k, v, mask)


@attention.mistake("Without `dim` PyTorch guesses an axis, and not always the same. Say which one: that of the keys.")
def softmax_without_dim(q, k, v, mask=None):
    return along(lambda ndim: 0 if ndim == 3 else 1)(q, k, v, mask)


@attention.mistake("All weights together add up to 1. Each query has a budget of its own: softmax runs over the keys alone.")
def softmax_over_everything(q, k, v, mask=None):
    scores = scores_of(q, k)
    hidden = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    weights = torch.softmax(hidden.flatten(), dim=0).reshape(scores.shape).nan_to_num()
    return weights @ v, weights


@attention.mistake("Exponentials are taken but not divided by their sum, so rows do not add up to 1.")
def not_normalised(q, k, v, mask=None):
    weights = torch.exp(scores_of(q, k))
    weights = weights if mask is None else weights.masked_fill(~mask, 0.0)
    return weights @ v, weights


@attention.mistake("This softmax overflows where scores are large: exp of 10,000 is infinite. torch.softmax is free to use.")
def softmax_overflows(q, k, v, mask=None):
    exp = torch.exp(scores_of(q, k))
    exp = exp if mask is None else exp.masked_fill(~mask, 0.0)
    total = exp.sum(dim=-1, keepdim=True)
    weights = exp / total.masked_fill(total == 0, 1.0)
    return weights @ v, weights


@attention.mistake(
    "You subtract one number from all scores, the largest of the whole tensor. Rows far below it become 0 divided by 0. "
    "torch.softmax takes each row's own."
)
def maximum_of_everything_subtracted(q, k, v, mask=None):
    scores = scores_of(q, k)
    exp = torch.exp(scores - scores.max())
    exp = exp if mask is None else exp.masked_fill(~mask, 0.0)
    total = exp.sum(dim=-1, keepdim=True)
    empty = False if mask is None else ~mask.any(dim=-1, keepdim=True)
    weights = exp / torch.where(torch.as_tensor(empty), 1.0, total)
    return weights @ v, weights


@attention.mistake("`torch.sqrt` wants a tensor, and a size is a plain number. `number ** 0.5` is the root of a number.")
def torch_sqrt_of_a_plain_number(q, k, v, mask=None):
    return torch.softmax(q @ k.transpose(-1, -2) / torch.sqrt(k.shape[-1]), dim=-1)


@attention.mistake("`.T` turns round all axes, those of sentences and heads too. Exchange only the last two axes of the keys.")
def transpose_reverses_all_axes(q, k, v, mask=None):
    q @ k.permute(*reversed(range(k.ndim)))  # fails where there are axes in front
    return right_attention(q, k, v, mask)


@attention.mistake("You exchange the axes 0 and 1 of the keys. That is right for one sentence alone; count the axes from the end.")
def axes_0_and_1_exchanged(q, k, v, mask=None):
    weights = weights_of(q @ k.transpose(0, 1) / q.shape[-1] ** 0.5, mask)
    return weights @ v, weights


@attention.mistake("You exchange the axes 1 and 2 of the keys. That is right for a batch without heads; count the axes from the end.")
def axes_1_and_2_exchanged(q, k, v, mask=None):
    weights = weights_of(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5, mask)
    return weights @ v, weights


@attention.mistake("You exchange the axes 2 and 3 of the keys. That is right for a batch with heads; count the axes from the end.")
def axes_2_and_3_exchanged(q, k, v, mask=None):
    weights = weights_of(q @ k.transpose(2, 3) / q.shape[-1] ** 0.5, mask)
    return weights @ v, weights


@attention.mistake("The keys are reshaped where they should be transposed: the numbers stay in order, and words are mixed up.")
def keys_reshaped_instead_of_transposed(q, k, v, mask=None):
    weights = weights_of(q @ k.reshape(*k.shape[:-2], k.shape[-1], k.shape[-2]) / q.shape[-1] ** 0.5, mask)
    return weights @ v, weights


@attention.mistake("The keys are not turned round, so their shape does not fit that of the queries. Which two axes must change places?")
def keys_not_transposed(q, k, v, mask=None):
    weights = weights_of(q @ k / q.shape[-1] ** 0.5, mask)
    return weights @ v, weights


@attention.mistake("The weights mix the keys. Keys have done their work when the scores are there; it is the values that are mixed.")
def weights_applied_to_the_keys(q, k, v, mask=None):
    weights = weights_of(scores_of(q, k), mask)
    return weights @ k, weights


@attention.mistake("You hide what may be looked at, and show what is hidden. True means “may be looked at”, so turn the mask round for `masked_fill`.")
def mask_inverted(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores.masked_fill(mask, -torch.inf), dim=-1))(q, k, v, mask)


@attention.mistake("Your very low number goes to the keys that may be looked at. Where does `masked_fill` put it: where the mask is True, or False?")
def minus_a_billion_at_visible_keys(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores.masked_fill(mask, -1e9), dim=-1))(q, k, v, mask)


@attention.mistake("Keys at which the mask is True get weight 0, and the others are looked at. In which PyTorch module does True mean “hidden”?")
def true_taken_for_hidden(q, k, v, mask=None):
    return right_attention(q, k, v, None if mask is None else ~mask)


@attention.mistake(
    "Hidden keys still weigh: the mask changes nothing. `masked_fill` makes a new tensor; is it thrown away? Or do you add next "
    "to nothing (-1e-9)?"
)
def result_of_masked_fill_thrown_away(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores, dim=-1))(q, k, v, mask)


@attention.mistake("You hide after the softmax alone, so the weights of a row no longer add up to 1. Hide the scores, before it.")
def hidden_after_the_softmax(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores, dim=-1) * mask)(q, k, v, mask)


@attention.mistake(
    "You hide after the softmax and divide by the sum again. Where a hidden score is very large, the softmax has left nothing "
    "for the others: hide before it."
)
def hidden_after_the_softmax_and_rescaled(q, k, v, mask=None):
    def hide(scores, mask):
        weights = torch.softmax(scores, dim=-1) * mask
        total = weights.sum(dim=-1, keepdim=True)
        return weights / total.masked_fill(total == 0, 1.0)

    return hiding(hide)(q, k, v, mask)


@attention.mistake(
    "You hide after the softmax and divide by the sum again. Where that sum is 0 you get NaN: for rows with nothing to look at, "
    "and where a hidden score is very large."
)
def rescaled_by_a_sum_of_zero(q, k, v, mask=None):
    def hide(scores, mask):
        weights = torch.softmax(scores, dim=-1) * mask
        return weights / weights.sum(dim=-1, keepdim=True)

    return hiding(hide)(q, k, v, mask)


@attention.mistake("You add the mask to the scores as it is, so keys that may be looked at gain 1. Hidden ones must lose everything.")
def ones_and_zeros_added_to_the_scores(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores + mask, dim=-1))(q, k, v, mask)


@attention.mistake(
    "Hidden scores become 0 (times the mask comes to the same). That is an ordinary score: what is e to the power of 0? "
    "Which score has weight 0?"
)
def hidden_scores_set_to_zero(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores * mask, dim=-1))(q, k, v, mask)


@attention.mistake(
    "Hidden scores become 0, an ordinary score, so hidden keys take their share in the softmax. Clearing their weights afterwards "
    "comes too late: rows no longer add up to 1."
)
def scores_set_to_zero_and_weights_too(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores * mask, dim=-1) * mask)(q, k, v, mask)


@attention.mistake(
    "You hide the scores of keys that may be looked at, and then clear the weights of the others: nothing is left. Where does "
    "`masked_fill` put its number: where the mask is True, or False?"
)
def mask_inverted_at_the_scores(q, k, v, mask=None):
    def hide(scores, mask):
        empty = ~mask.any(dim=-1, keepdim=True)
        return torch.softmax(scores.masked_fill(mask & ~empty, -torch.inf), dim=-1).masked_fill(~mask, 0.0)

    return hiding(hide)(q, k, v, mask)


@attention.mistake("Hidden scores become -10, which leaves hidden keys a small weight. The weight must be exactly 0.")
def fill_of_minus_ten(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores.masked_fill(~mask, -10.0), dim=-1))(q, k, v, mask)


@attention.mistake(
    "Hidden scores become -10,000. Scores of visible keys can be as low as that, and then the hidden ones weigh the same."
)
def fill_of_minus_ten_thousand(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores.masked_fill(~mask, -1e4), dim=-1))(q, k, v, mask)


@attention.mistake("You take 10,000 off hidden scores. A hidden score may be just as large, and is then back among the others.")
def ten_thousand_taken_off(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores - 1e4 * ~mask, dim=-1))(q, k, v, mask)


@attention.mistake("You multiply infinity by the mask, and 0 times infinity is NaN. Choose between two numbers instead of multiplying.")
def zero_times_infinity(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores + -torch.inf * ~mask, dim=-1))(q, k, v, mask)


@attention.mistake(
    "Where a row may look at nothing you get NaN: all its exponentials are 0, and 0/0 is not a number. Such a row is to have "
    "weights and output 0."
)
def empty_row_gives_nan(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1))(q, k, v, mask)


@attention.mistake("NaN is cleared from the weights only, after they have gone into the output. Let no NaN arise in the first place.")
def empty_row_cleared_after_the_output(q, k, v, mask=None):
    output, weights = empty_row_gives_nan(q, k, v, mask)
    return output, weights.nan_to_num()


@attention.mistake(
    "A row with nothing to look at shares its attention evenly among hidden keys, since all its scores are equally low. Its "
    "weights and output should be 0."
)
def empty_row_spreads_evenly(q, k, v, mask=None):
    return hiding(lambda scores, mask: torch.softmax(scores.masked_fill(~mask, -1e9), dim=-1))(q, k, v, mask)


@attention.mistake(
    "A row with nothing to look at looks at everything, as if it had no mask. It may be opened for the softmax, but after that its "
    "weights should be 0."
)
def empty_row_looks_at_everything(q, k, v, mask=None):
    def hide(scores, mask):
        empty = ~mask.any(dim=-1, keepdim=True)
        return torch.softmax(scores.masked_fill(~(mask | empty), -torch.inf), dim=-1)

    return hiding(hide)(q, k, v, mask)


@attention.mistake(
    "Output and weights are right, but gradients are NaN: one arises in an empty row and is cleared, and on the way back 0 times "
    "NaN is NaN. Let none arise."
)
def nan_in_the_gradients(q, k, v, mask=None):
    def hide(scores, mask):
        to_add = torch.zeros_like(scores).masked_fill(~mask, -torch.inf)
        return torch.softmax(scores + to_add, dim=-1).nan_to_num()

    return hiding(hide)(q, k, v, mask)


@attention.mistake(
    "You change in place what softmax gave you (`weights[…] = 0`, or a method that ends in `_`). `backward` still needs it as it "
    "was: make a new tensor with `masked_fill` or `torch.where`."
)
def softmax_changed_in_place(q, k, v, mask=None):
    def hide(scores, mask):
        empty = ~mask.any(dim=-1, keepdim=True)
        weights = torch.softmax(scores.masked_fill(~(mask | empty), -torch.inf), dim=-1)
        return weights.masked_fill_(~mask, 0.0)

    return hiding(hide)(q, k, v, mask)


@attention.mistake(
    "A row with nothing to look at has weights of 0, but an output: you mix the values before those weights are cleared. Mix them last."
)
def output_from_before_the_weights_are_cleared(q, k, v, mask=None):
    if mask is None:
        return right_attention(q, k, v)
    empty = ~mask.any(dim=-1, keepdim=True)
    return right_attention(q, k, v, mask | empty)[0], right_attention(q, k, v, mask)[1]


@attention.mistake("`any` without `keepdim=True` loses the axis of the keys, and what it gives no longer fits the mask. Keep the axis.")
def keepdim_of_any_forgotten(q, k, v, mask=None):
    return hiding(lambda scores, mask: weights_of(scores, mask | ~mask.any(dim=-1)))(q, k, v, mask)


@attention.mistake("`np.exp` and its like make NumPy arrays, which keep no record, so no gradient can come back. Use PyTorch's: `torch.softmax`.")
def softmax_by_numpy(q, k, v, mask=None):
    def exp(scores):
        return torch.as_tensor(np.exp(scores))

    scores = scores_of(q, k)
    if mask is None:
        exps = exp(scores - scores.amax(dim=-1, keepdim=True))
        return exps / exps.sum(dim=-1, keepdim=True) @ v, exps / exps.sum(dim=-1, keepdim=True)
    empty = ~mask.any(dim=-1, keepdim=True)
    scores = scores.masked_fill(~(mask | empty), -torch.inf)
    exps = exp(scores - scores.amax(dim=-1, keepdim=True))
    weights = (exps / exps.sum(dim=-1, keepdim=True)).masked_fill(~mask, 0.0)
    return weights @ v, weights


@attention.mistake("Output and weights are right, but the record is cut at the weights, so queries and keys get no gradient. Leave out `.detach()` and the like.")
def record_cut_at_the_weights(q, k, v, mask=None):
    _, weights = right_attention(q, k, v, mask)
    return weights.detach() @ v, weights.detach()


@attention.mistake("The numbers are right, but the record is cut, so no gradient comes back at all. Stay with tensors, without `.detach()` and `no_grad`.")
def record_cut_altogether(q, k, v, mask=None):
    with torch.no_grad():
        return right_attention(q, k, v, mask)


@attention.mistake("Queries and keys have changed places in the mask: rows are those who look, columns those who are looked at.")
def mask_transposed(q, k, v, mask=None):
    return right_attention(q, k, v, None if mask is None else mask.transpose(-1, -2))


@attention.mistake("Output and weights tell different stories: the output obeys the mask, the weights you return are from before it.")
def weights_from_before_the_mask(q, k, v, mask=None):
    return right_attention(q, k, v, mask)[0], torch.softmax(scores_of(q, k), dim=-1)


@attention.mistake("Output and weights tell different stories: the weights obey the mask, but the output is made from weights from before it.")
def output_from_before_the_mask(q, k, v, mask=None):
    return torch.softmax(scores_of(q, k), dim=-1) @ v, right_attention(q, k, v, mask)[1]


@attention.mistake("Without a mask the code stops: `~` turns a tensor round, but None is no tensor. mask=None means that everything may be looked at.")
def none_turned_round(q, k, v, mask=None):
    hidden = ~mask
    return right_attention(q, k, v, ~hidden)


@attention.mistake("Without a mask the code stops: None has no method `any`. mask=None means that everything may be looked at.")
def none_taken_for_a_tensor(q, k, v, mask=None):
    mask.any(dim=-1, keepdim=True)
    return right_attention(q, k, v, mask)


@attention.mistake("`if mask` asks a whole tensor whether it is true, which has no answer. Ask whether it is None.")
def if_mask_asks_a_whole_tensor(q, k, v, mask=None):
    return right_attention(q, k, v, mask if mask else None)


@attention.mistake("The mask gets an axis for the heads once more. It comes as it is to be used, and fits the scores by itself.")
def axis_for_heads_added_again(q, k, v, mask=None):
    return right_attention(q, k, v, mask if mask is None else mask.unsqueeze(1))


@attention.mistake("Weights and output come in the wrong order: the output comes first.")
def weights_returned_first(q, k, v, mask=None):
    return right_attention(q, k, v, mask)[::-1]


@attention.mistake("Only the output is returned. The weights are wanted as well.")
def weights_not_returned(q, k, v, mask=None):
    return right_attention(q, k, v, mask)[0]


@attention.mistake("The numbers come back as NumPy arrays. Stay with tensors from beginning to end: only they remember how they were computed.")
def numpy_arrays_returned(q, k, v, mask=None):
    return [result.detach().numpy() for result in right_attention(q, k, v, mask)]


@attention.mistake("The result is right, but you write into the mask you were given, and its owner still needs it. Make a new one.")
def mask_changed_in_place(q, k, v, mask=None):
    result = right_attention(q, k, v, mask)
    if mask is not None:
        mask |= ~mask.any(dim=-1, keepdim=True)
    return result


@attention.mistake("The result is right, but you scale the queries you were given in place (`/=`, or a method that ends in `_`). Their owner still needs them.")
def queries_changed_in_place(q, k, v, mask=None):
    scale = q.shape[-1] ** 0.5
    q /= scale
    return right_attention(q * scale, k, v, mask)


# ----------------------------------------------------------------------------- MultiHeadAttention


@LESSON.exercise(
    aspects={
        "values": 2,
        "members": 1,
        "other lengths": 1,
        "mask": 1,
        "gradients": 1,
        "dropout": 1,
        "dtype and device": 1,
    },
    returns=("output", "weights"),
    refuse=BY_HAND,
)
def MultiHeadAttention(rng):
    def ask(aspect, says, build, *inputs, **options):
        return ModuleCase(aspect, says, build, inputs, seed=seed_of(rng), **options)

    yield ask("members", "names and shapes of the parameters", (6, 3), ask="parameters")
    x = numbers(rng, 1, 3, 6)
    yield ask("values", "one sentence of three words, two heads", (6, 2), x, x, x)
    x = numbers(rng, 2, 2, 3)
    yield ask("values", "two sentences of two words, one head", (3, 1), x, x, x, hidden=True)
    x = numbers(rng, 4, 5, 12)
    yield ask("values", "four sentences of five words, three heads", (12, 3), x, x, x, hidden=True)
    x = numbers(rng, 2, 3, 4)
    yield ask("values", "the same call twice, with other numbers between", (4, 2), x, x, x, ask="again", hidden=True)

    yield ask("members", "names and shapes for another size", (8, 4), ask="parameters", hidden=True)
    yield ask("members", "six features for four heads", (6, 4), ask="parameters")

    query, key, value = numbers(rng, 2, 1, 4), numbers(rng, 2, 3, 4), numbers(rng, 2, 3, 4)
    yield ask("other lengths", "one word looks at three, in two sentences", (4, 2), query, key, value)
    query, key, value = numbers(rng, 2, 7, 8), numbers(rng, 2, 3, 8), numbers(rng, 2, 3, 8)
    yield ask("other lengths", "seven words look at three", (8, 4), query, key, value, hidden=True)

    x = numbers(rng, 3, 2, 2)
    yield ask("mask", "three sentences, two of them padded", (2, 2), x, x, x, mask=padded("10", "01", "11"), zeros_exact=True)
    x, mask = numbers(rng, 2, 4, 6), some(rng, 4, 4)
    yield ask("mask", "one mask for all sentences", (6, 3), x, x, x, mask=mask, hidden=True, zeros_exact=True)
    x = numbers(rng, 3, 4, 6)
    mask = padded("1111", "1100", "0011") & triangle(4)
    yield ask("mask", "decoder masks, a row with nothing to look at", (6, 3), x, x, x, mask=mask, hidden=True, zeros_exact=True)

    query, key, value = numbers(rng, 1, 2, 2), numbers(rng, 1, 3, 2), numbers(rng, 1, 3, 2)
    yield ask("gradients", "gradients of inputs and parameters", (2, 2), query, key, value, mask=padded("110"), ask="gradients")
    query, key, value = numbers(rng, 2, 4, 6), numbers(rng, 2, 3, 6), numbers(rng, 2, 3, 6)
    yield ask("gradients", "gradients for two sentences", (6, 3), query, key, value, ask="gradients", hidden=True)
    x = numbers(rng, 2, 3, 6)
    mask = padded("011", "110") & triangle(3)
    yield ask("gradients", "gradients where a word may look at nothing", (6, 2), x, x.flip(0), x, mask=mask, ask="gradients", hidden=True)

    x, rate = numbers(rng, 1, 2, 2), {"dropout": 1.0}
    yield ask("dropout", "rate 1, in training", (2, 2), x, x, x, options=rate, training=True)
    x = numbers(rng, 1, 1, 2)
    yield ask("dropout", "rate 1, in evaluation mode", (2, 2), x, x, x, options=rate)
    yield ask("dropout", "rate 0, in training", (2, 2), x, x, x, training=True, hidden=True)
    query, key = numbers(rng, 20, 1, 6).sign() + 3, numbers(rng, 20, 1, 6).sign() + 3
    yield ask(
        "dropout", "rate 0.5, in training: which heads are left, by which factor", (6, 2), query, key, key,
        options={"dropout": 0.5}, ask="dropped_heads", n_heads=2,
    )  # fmt: skip

    x = numbers(rng, 1, 1, 2)
    yield ask("dtype and device", "the dtype of the results, for float32 and float64", (2, 2), x, x, x, ask="dtypes")
    yield ask("dtype and device", "all tensors on one device", (2, 2), x, x, x, ask="elsewhere")
    x = numbers(rng, 2, 3, 4)
    mask = padded("110", "111")
    yield ask("dtype and device", "all tensors on one device, with a mask", (4, 2), x, x, x, mask=mask, ask="elsewhere", hidden=True)
    x = numbers(rng, 2, 3, 4, dtype=np.float64)
    yield ask("dtype and device", "numbers in float64", (4, 2), x, x, x, hidden=True)


class Heads(nn.Module):
    """A right multi-head attention in steps, each of which a mistake may replace."""

    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"{n_heads} does not divide {d_model}")
        self.n_heads, self.d_head = n_heads, d_model // n_heads
        self.build(d_model)
        self.drop = nn.Dropout(dropout)

    def build(self, d_model):
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def project(self, query, key, value):
        return self.w_q(query), self.w_k(key), self.w_v(value)

    def split(self, x):
        return x.reshape(*x.shape[:-1], self.n_heads, self.d_head).transpose(1, 2)

    def merge(self, x):
        return x.transpose(1, 2).flatten(2)

    def weights(self, q, k, v, mask):
        return right_attention(q, k, v, mask)[1]

    def mix(self, weights, v):
        return self.drop(weights) @ v

    def finish(self, merged, weights):
        return self.w_o(merged), weights

    def forward(self, query, key, value, mask=None):
        q, k, v = (self.split(x) for x in self.project(query, key, value))
        weights = self.weights(q, k, v, mask)
        return self.finish(self.merge(self.mix(weights, v)), weights)


@MultiHeadAttention.mistake(
    "A single reshape or view cuts the heads out: the shape is right, but words and features are scrambled. Cut the last axis first, "
    "then exchange two axes."
)
class view_instead_of_transpose(Heads):
    def split(self, x):
        return x.reshape(x.shape[0], self.n_heads, x.shape[1], self.d_head)


@MultiHeadAttention.mistake(
    "Heads are cut out rightly, but merged by reshaping alone, which scrambles words and features. Bring the words back to the "
    "front of the heads first."
)
class merged_without_transposing_back(Heads):
    def merge(self, x):
        return x.reshape(x.shape[0], x.shape[2], -1)


@MultiHeadAttention.mistake(
    "Heads are cut out and merged by reshaping alone. The shapes are right, but words and features are scrambled both times. "
    "Two axes have to change places."
)
class view_both_times(view_instead_of_transpose):
    def merge(self, x):
        return x.reshape(x.shape[0], x.shape[2], -1)


@MultiHeadAttention.mistake("The heads take turns: head 0 has every n_heads-th feature. Each head is to have neighbouring features.")
class features_dealt_out_in_turn(Heads):
    def split(self, x):
        return x.reshape(*x.shape[:-1], self.d_head, self.n_heads).permute(0, 3, 1, 2)

    def merge(self, x):
        return x.permute(0, 2, 3, 1).flatten(2)


@MultiHeadAttention.mistake("Heads are cut out rightly, but merged in turn: the first feature of each head, then the second. Each head's features stay together.")
class merged_in_turn(Heads):
    def merge(self, x):
        return x.permute(0, 2, 3, 1).flatten(2)


@MultiHeadAttention.mistake("Every head gets the first features. Head h has those from h * d_head on.")
class every_head_gets_the_first_features(Heads):
    def split(self, x):
        return x[..., None, : self.d_head].expand(*x.shape[:-1], self.n_heads, self.d_head).transpose(1, 2)


@MultiHeadAttention.mistake("The axis of the heads comes after the words, so attention takes heads for words. Heads have to stand before the words.")
class heads_left_behind_the_words(Heads):
    def split(self, x):
        return x.reshape(*x.shape[:-1], self.n_heads, self.d_head)

    def merge(self, x):
        return x.flatten(2)


@MultiHeadAttention.mistake(
    "The heads stay behind the words when you split (the exchange of two axes is forgotten), so attention takes heads for words. "
    "Bring them before the words."
)
class axes_exchanged_only_in_merging(Heads):
    def split(self, x):
        return x.reshape(*x.shape[:-1], self.n_heads, self.d_head)


@MultiHeadAttention.mistake(
    "You exchange the last two axes, and so take features for words. Which two axes hold words and heads after the `reshape`? "
    "Those have to change places."
)
class last_two_axes_exchanged(Heads):
    def split(self, x):
        return x.reshape(*x.shape[:-1], self.n_heads, self.d_head).transpose(-1, -2)

    def merge(self, x):
        return x.transpose(-1, -2).flatten(2)


@MultiHeadAttention.mistake("n_heads and d_head have changed places in your `reshape`, so the features are cut into d_head heads. The heads come first.")
class n_heads_and_d_head_swapped(Heads):
    def split(self, x):
        return x.reshape(*x.shape[:-1], self.d_head, self.n_heads).transpose(1, 2)


@MultiHeadAttention.mistake("There are no heads at all: attention gets `(batch, n, d_model)` as it comes from the linear layers. Split the features first.")
class heads_never_made(Heads):
    def split(self, x):
        return x

    def merge(self, x):
        return x


@MultiHeadAttention.mistake("There is one head of full width: the features are never split.")
class not_split_at_all(Heads):
    def split(self, x):
        return x[:, None]


@MultiHeadAttention.mistake("The heads are folded into the batch, as if there were more sentences: masks no longer fit, and weights lose their axis for the heads.")
class heads_folded_into_the_batch(Heads):
    def split(self, x):
        return super().split(x).flatten(0, 1)

    def merge(self, x):
        return super().merge(x.unflatten(0, (-1, self.n_heads)))


@MultiHeadAttention.mistake("The heads' outputs are averaged. They are to be put side by side, in the order of the heads.")
class heads_averaged(Heads):
    def merge(self, x):
        return x.mean(dim=1).repeat(1, 1, self.n_heads)


@MultiHeadAttention.mistake("The heads are put one below the other, as if there were more words. They are to be put side by side: join features, not words.")
class heads_joined_along_the_words(Heads):
    def merge(self, x):
        return x.flatten(1, 2)


@MultiHeadAttention.mistake("What the heads found is returned as it is. `w_o` has still to mix it.")
class w_o_not_applied(Heads):
    def finish(self, merged, weights):
        return merged, weights


def by_weight(linear, bias):
    """What comes of `x @ linear.weight`, with or without the bias."""
    return lambda x: x @ linear.weight + (linear.bias if bias else 0)


@MultiHeadAttention.mistake("You multiply by `weight` as it is, and nn.Linear keeps it the other way round. Call the layer instead, `self.w_q(query)`: that adds the bias too.")
class multiplied_by_the_weight_as_it_is(Heads):
    bias = False

    def project(self, query, key, value):
        layers = (self.w_q, self.w_k, self.w_v)
        return [by_weight(layer, self.bias)(x) for layer, x in zip(layers, (query, key, value))]

    def finish(self, merged, weights):
        return by_weight(self.w_o, self.bias)(merged), weights


@MultiHeadAttention.mistake("You multiply by `weight` as it is, and nn.Linear keeps it the other way round. Call the layer instead: `self.w_q(query)`.")
class weight_as_it_is_plus_bias(multiplied_by_the_weight_as_it_is):
    bias = True


@MultiHeadAttention.mistake("`w_o` is applied to the values, before attention mixes them. It comes last, on the merged heads.")
class w_o_applied_to_the_values(Heads):
    def project(self, query, key, value):
        return self.w_q(query), self.w_k(key), self.w_o(self.w_v(value))

    def finish(self, merged, weights):
        return merged, weights


@MultiHeadAttention.mistake("You scale by the square root of d_model. A head's queries hold only d_head numbers.")
class scaled_by_the_root_of_d_model(Heads):
    def weights(self, q, k, v, mask):
        return right_attention(q / self.n_heads**0.5, k, v, mask)[1]


@MultiHeadAttention.mistake("The scores are not scaled: your `attention` does that for you, if you let it.")
class scores_not_scaled(Heads):
    def weights(self, q, k, v, mask):
        return right_attention(q * self.d_head**0.5, k, v, mask)[1]


@MultiHeadAttention.mistake("The softmax runs over dim 1, and that is the axis of the heads here. Each query shares out its attention among the keys.")
class softmax_over_the_heads(Heads):
    def weights(self, q, k, v, mask):
        return weights_of(scores_of(q, k), mask, dim=1)


@MultiHeadAttention.mistake("The softmax runs over the queries. Each query shares out its attention among the keys, the last axis.")
class softmax_over_queries(Heads):
    def weights(self, q, k, v, mask):
        return weights_of(scores_of(q, k), mask, dim=-2)


@MultiHeadAttention.mistake("Keys and values are made from `query`. They have inputs of their own, which may be other words.")
class keys_and_values_from_the_query(Heads):
    def project(self, query, key, value):
        return self.w_q(query), self.w_k(query), self.w_v(query)


@MultiHeadAttention.mistake("The values are made from `key`. They have an input of their own.")
class values_from_the_key(Heads):
    def project(self, query, key, value):
        return self.w_q(query), self.w_k(key), self.w_v(key)


@MultiHeadAttention.mistake("Queries are made from `key` and keys from `query`. Those who look are the queries.")
class query_and_key_swapped(Heads):
    def project(self, query, key, value):
        return self.w_q(key), self.w_k(query), self.w_v(query)


@MultiHeadAttention.mistake("`w_k` makes the values and `w_v` the keys. The names say which is for which.")
class w_k_and_w_v_swapped(Heads):
    def project(self, query, key, value):
        return self.w_q(query), self.w_v(key), self.w_k(value)


@MultiHeadAttention.mistake("`w_q` and `w_k` have changed places. The names say which is for which.")
class w_q_and_w_k_swapped(Heads):
    def project(self, query, key, value):
        return self.w_k(query), self.w_q(key), self.w_v(value)


@MultiHeadAttention.mistake("One linear layer makes queries, keys and values alike. Each has a layer of its own.")
class w_q_used_for_all_three(Heads):
    def project(self, query, key, value):
        return self.w_q(query), self.w_q(key), self.w_q(value)


@MultiHeadAttention.mistake("The values go into the mixture as they came. `w_v` has to be applied to them first.")
class w_v_not_applied(Heads):
    def project(self, query, key, value):
        return self.w_q(query), self.w_k(key), value


@MultiHeadAttention.mistake("Query, key and value are split as they came: none of the first three linear layers is applied.")
class inputs_not_projected(Heads):
    def project(self, query, key, value):
        return query, key, value


@MultiHeadAttention.mistake("The output has its input added. That is the residual connection, which the encoder layer adds, not this module.")
class residual_added_inside(Heads):
    def forward(self, query, key, value, mask=None):
        output, weights = super().forward(query, key, value, mask)
        return output + query, weights


@MultiHeadAttention.mistake("All inputs are taken to be as long as the query. Keys and values may have another length: take it from them.")
class all_taken_as_long_as_the_query(Heads):
    def forward(self, query, key, value, mask=None):
        n = query.shape[1]
        self.split = lambda x: x.reshape(x.shape[0], n, self.n_heads, self.d_head).transpose(1, 2)
        return super().forward(query, key, value, mask)


@MultiHeadAttention.mistake("The mask is not handed on to attention, so hidden words are looked at.")
class mask_not_handed_on(Heads):
    def weights(self, q, k, v, mask):
        return right_attention(q, k, v)[1]


@MultiHeadAttention.mistake("The mask is turned round: words look at padding. True means “may be looked at” here, and your `attention` knows that.")
class mask_turned_round(Heads):
    def weights(self, q, k, v, mask):
        return right_attention(q, k, v, None if mask is None else ~mask)[1]


@MultiHeadAttention.mistake("The mask gets an axis for the heads once more. `(batch, 1, 1, n_k)` has it already.")
class axis_for_heads_added_once_more(Heads):
    def weights(self, q, k, v, mask):
        return right_attention(q, k, v, mask if mask is None else mask.unsqueeze(1))[1]


@MultiHeadAttention.mistake("Dropout acts on the values, or on what the heads found, so single numbers go. It is to act on the weights, before they mix the values.")
class dropout_after_the_values(Heads):
    def mix(self, weights, v):
        return self.drop(weights @ v)


@MultiHeadAttention.mistake("Dropout acts on the output, after `w_o`. It is to act on the weights, before they mix the values.")
class dropout_on_the_output(Heads):
    def mix(self, weights, v):
        return weights @ v

    def finish(self, merged, weights):
        return self.drop(self.w_o(merged)), weights


@MultiHeadAttention.mistake("The weights you return have been through dropout. They are for looking at: return those from before it.")
class dropped_weights_returned(Heads):
    def forward(self, query, key, value, mask=None):
        q, k, v = (self.split(x) for x in self.project(query, key, value))
        weights = self.drop(self.weights(q, k, v, mask))
        return self.finish(self.merge(weights @ v), weights)


@MultiHeadAttention.mistake("There is no dropout. In training it acts on the weights, before they mix the values. The output that `attention` gives you knows nothing of it.")
class no_dropout(Heads):
    def mix(self, weights, v):
        return weights @ v


@MultiHeadAttention.mistake(
    "Dropout is active in evaluation mode too. Make an `nn.Dropout` in `__init__`, where it hears of the mode; one made in `forward`, "
    "and `F.dropout`, do not."
)
class dropout_in_evaluation_too(Heads):
    def mix(self, weights, v):
        return F.dropout(weights, self.drop.p) @ v


@MultiHeadAttention.mistake("Weights are dropped, but those that are left are not divided by 1 - rate, so the mean shrinks. nn.Dropout does it by itself.")
class dropout_without_making_up_for_it(Heads):
    def mix(self, weights, v):
        keep = torch.rand_like(weights) >= self.drop.p
        return (weights * keep if self.training else weights) @ v


@MultiHeadAttention.mistake("Dropout has a rate of its own: `nn.Dropout()` drops half if you say nothing. Hand it the rate.")
class dropout_at_a_rate_of_its_own(Heads):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__(d_model, n_heads)
        self.drop = nn.Dropout()


@MultiHeadAttention.mistake("Dropout acts on the scores, where a 0 is an ordinary score. It is to act on the weights, after the softmax.")
class dropout_on_the_scores(Heads):
    def forward(self, query, key, value, mask=None):
        q, k, v = (self.split(x) for x in self.project(query, key, value))
        weights = weights_of(self.drop(scores_of(q, k)), mask)
        return self.finish(self.merge(weights @ v), right_attention(q, k, v, mask)[1])


@MultiHeadAttention.mistake("Only the output is returned. The weights are wanted as well.")
class only_the_output_returned(Heads):
    def finish(self, merged, weights):
        return self.w_o(merged)


@MultiHeadAttention.mistake("Weights and output come in the wrong order: the output comes first.")
class weights_come_first(Heads):
    def finish(self, merged, weights):
        return weights, self.w_o(merged)


@MultiHeadAttention.mistake("The weights are averaged over the heads. Return those of each head: (batch, n_heads, n_q, n_k).")
class weights_averaged_over_the_heads(Heads):
    def finish(self, merged, weights):
        return self.w_o(merged), weights.mean(dim=1)


@MultiHeadAttention.mistake("When n_heads does not divide d_model, you go on with a rounded width. Raise ValueError.")
class indivisible_d_model_accepted(Heads):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__(d_model, 1, dropout)
        self.n_heads, self.d_head = n_heads, d_model // n_heads


@MultiHeadAttention.mistake("`assert` raises AssertionError, and can be switched off. Here a ValueError is wanted: `if …: raise ValueError(…)`.")
class assert_instead_of_value_error(Heads):
    def __init__(self, d_model, n_heads, dropout=0.0):
        assert d_model % n_heads == 0
        super().__init__(d_model, n_heads, dropout)


@MultiHeadAttention.mistake("The linear layers have no bias. Here all four have one.")
class linear_layers_without_bias(Heads):
    def build(self, d_model):
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model, bias=False) for _ in range(4))


@MultiHeadAttention.mistake("The output layer `w_o` has no bias. Here all four have one.")
class w_o_without_bias(Heads):
    def build(self, d_model):
        super().build(d_model)
        self.w_o = nn.Linear(d_model, d_model, bias=False)


@MultiHeadAttention.mistake("The module has no parameters: the layers are hidden in a plain list or dict, where nn.Module does not look. Assign each to `self`.")
class layers_in_a_plain_list(Heads):
    def build(self, d_model):
        self.layers = [nn.Linear(d_model, d_model) for _ in range(4)]


@MultiHeadAttention.mistake("The work is left to PyTorch's nn.MultiheadAttention. Here you write it yourself, from four linear layers and your `attention`.")
class pytorchs_own_inside(Heads):
    def build(self, d_model):
        self.mha = nn.MultiheadAttention(d_model, self.n_heads, batch_first=True)


@MultiHeadAttention.mistake("One layer makes queries, keys and values together. Here they are three, `w_q`, `w_k` and `w_v`.")
class one_layer_for_q_k_v(Heads):
    def build(self, d_model):
        self.w_qkv, self.w_o = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)


@MultiHeadAttention.mistake("Each of `w_q`, `w_k` and `w_v` is a list of small layers, one a head. Make each a single nn.Linear(d_model, d_model), and split its result.")
class a_layer_for_each_head(Heads):
    def build(self, d_model):
        self.w_q, self.w_k, self.w_v = (
            nn.ModuleList(nn.Linear(d_model, self.d_head) for _ in range(self.n_heads)) for _ in range(3)
        )
        self.w_o = nn.Linear(d_model, d_model)


@MultiHeadAttention.mistake("The layers lead from d_model to d_head. Each leads from d_model to d_model: that is room for all heads side by side.")
class layers_as_narrow_as_one_head(Heads):
    def build(self, d_model):
        super().build(d_model)
        self.w_q, self.w_k, self.w_v = (nn.Linear(d_model, self.d_head) for _ in range(3))


@MultiHeadAttention.mistake("Two of the layers are one and the same. Make a new nn.Linear for each.")
class one_layer_under_several_names(Heads):
    def build(self, d_model):
        self.w_q = self.w_k = self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)


@MultiHeadAttention.mistake("A mask made on the way lies on the CPU, wherever the inputs lie. Pass `device=query.device`, or do without: None will do.")
class mask_made_on_the_cpu(Heads):
    def weights(self, q, k, v, mask):
        return right_attention(q, k, v, torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool) if mask is None else mask)[1]


@MultiHeadAttention.mistake("The weights come back as float32 even where everything else is float64. Leave out the conversion.")
class weights_returned_as_float32(Heads):
    def finish(self, merged, weights):
        return self.w_o(merged), weights.float()


@MultiHeadAttention.mistake("Output and weights are right, but the record is cut at the weights: queries and keys learn nothing. Leave out `.detach()`.")
class weights_cut_from_the_record(Heads):
    def mix(self, weights, v):
        return self.drop(weights.detach()) @ v


# -------------------------------------------------------------------------------------- LayerNorm


@LESSON.exercise(
    aspects={"values": 2, "members": 1, "eps": 1, "other axes": 1, "gradients": 1, "dtype and device": 1},
    refuse=("nn.LayerNorm", "nn.GroupNorm"),
)
def LayerNorm(rng):
    def ask(aspect, says, build, *inputs, **options):
        return ModuleCase(aspect, says, build, inputs, seed=seed_of(rng), **options)

    yield ask("members", "names and shapes of the parameters", (6,), ask="parameters")
    yield ask("values", "two sentences of three words", (4,), 2 * numbers(rng, 2, 3, 4) + 1)
    yield ask("values", "four sentences of two words", (8,), 3 * numbers(rng, 4, 2, 8) - 2, hidden=True)
    yield ask("values", "the same call twice, with other numbers between", (4,), numbers(rng, 3, 2, 4), ask="again", hidden=True)
    yield ask("values", "in training mode", (4,), numbers(rng, 3, 2, 4), training=True, hidden=True)
    yield ask("members", "the numbers that gain and bias start with", (3,), ask="start_values")
    yield ask("members", "names and shapes for another size", (3,), ask="parameters", hidden=True)
    yield ask("eps", "eps = 0.5", (4,), numbers(rng, 1, 2, 4), options={"eps": 0.5})
    x = numbers(rng, 1, 2, 4)
    x[0, 0] = 2.0
    yield ask("eps", "a word whose numbers are all the same", (4,), x)
    yield ask("eps", "small numbers", (6,), 0.005 * numbers(rng, 2, 3, 6), hidden=True)
    yield ask("eps", "eps = 3", (7,), numbers(rng, 2, 3, 7), options={"eps": 3.0}, hidden=True)
    yield ask("other axes", "one word alone, (d_model,)", (4,), numbers(rng, 4))
    yield ask("other axes", "one sentence, (n, d_model)", (4,), numbers(rng, 3, 4), hidden=True)
    yield ask("other axes", "four axes", (3,), numbers(rng, 2, 1, 2, 3))
    yield ask("other axes", "as many words as features", (4,), numbers(rng, 4, 4, 4), hidden=True)
    yield ask("gradients", "gradients of input, gain and bias", (3,), numbers(rng, 1, 2, 3), ask="gradients")
    yield ask("gradients", "gradients with eps = 0.5", (5,), numbers(rng, 2, 2, 5), options={"eps": 0.5}, ask="gradients", hidden=True)
    yield ask("dtype and device", "the dtype of the result, for float32 and float64", (4,), numbers(rng, 1, 2, 4), ask="dtypes")
    yield ask("dtype and device", "all tensors on one device", (4,), numbers(rng, 1, 2, 4), ask="elsewhere")
    yield ask("dtype and device", "numbers in float64", (6,), numbers(rng, 2, 3, 6, dtype=np.float64), hidden=True)


class Norm(nn.Module):
    """A right layer norm in steps, each of which a mistake may replace."""

    over = (-1,)
    unbiased = False

    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight, self.bias, self.eps = nn.Parameter(torch.ones(d_model)), nn.Parameter(torch.zeros(d_model)), eps

    def mean(self, x):
        return x.mean(dim=self.over, keepdim=True)

    def variance(self, x):
        return x.var(dim=self.over, unbiased=self.unbiased, keepdim=True)

    def spread(self, x):
        return torch.sqrt(self.variance(x) + self.eps)

    def finish(self, x):
        return x * self.weight + self.bias

    def forward(self, x):
        return self.finish((x - self.mean(x)) / self.spread(x))


@LayerNorm.mistake("Mean and variance run over the words of a sentence (dim 1). Each word stands alone: they run over its own features.")
class norm_over_the_words(Norm):
    over = (1,)


@LayerNorm.mistake(
    "Mean and variance run over words and features together, so words, and padding, have a say in each other. Each word stands "
    "alone."
)
class norm_over_words_and_features(Norm):
    over = (1, 2)


@LayerNorm.mistake("Mean and variance run over the batch, as in batch normalisation. Each word stands alone: they run over its own features.")
class norm_over_the_batch(Norm):
    over = (0,)


@LayerNorm.mistake("Mean and variance run over batch and words, for each feature: that is batch normalisation. Each word stands alone, with all its features.")
class norm_over_batch_and_words(Norm):
    over = (0, 1)


@LayerNorm.mistake("There is one mean and one variance for everything. Say over which axis: each word has its own.")
class norm_over_everything(Norm):
    def mean(self, x):
        return x.mean()

    def variance(self, x):
        return x.var(unbiased=False)


@LayerNorm.mistake("Mean and variance run over dim 2, which is the axis of the features only where there are three. Count from the end.")
class norm_over_dim_2(Norm):
    over = (2,)


@LayerNorm.mistake("The variance is divided by d_model - 1: that is what `var` and `std` do if you say nothing. Here it is divided by d_model.")
class unbiased_variance(Norm):
    unbiased = True


@LayerNorm.mistake("`eps` stands outside the root. It is added to the variance, inside.")
class eps_outside_the_root(Norm):
    def spread(self, x):
        return torch.sqrt(self.variance(x)) + self.eps


@LayerNorm.mistake("`x.std()` divides by d_model - 1, and `eps` is added to it outside the root. Start from the variance, divided by d_model.")
class std_plus_eps(Norm):
    unbiased = True

    def spread(self, x):
        return torch.sqrt(self.variance(x)) + self.eps


@LayerNorm.mistake("`eps` is squared before it is added. It is added to the variance as it is.")
class eps_squared(Norm):
    def spread(self, x):
        return torch.sqrt(self.variance(x) + self.eps**2)


@LayerNorm.mistake("`eps` is not used. Without it, a word whose numbers are all the same becomes 0 divided by 0.")
class eps_not_used(Norm):
    def spread(self, x):
        return torch.sqrt(self.variance(x))


@LayerNorm.mistake("`eps` is always the same tiny number, whatever the caller asked for. Remember the argument.")
class eps_argument_ignored(Norm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model)


@LayerNorm.mistake("You divide by the variance. It is its square root that brings the variance to 1.")
class divided_by_the_variance(Norm):
    def spread(self, x):
        return self.variance(x) + self.eps


@LayerNorm.mistake("You divide by the length of the vector (its norm), which grows with d_model. Take the mean of the squares, not their sum.")
class divided_by_the_length(Norm):
    def variance(self, x):
        return super().variance(x) * x.shape[-1]


@LayerNorm.mistake("You multiply by the spread. Divide by it, so that the variance becomes 1.")
class multiplied_by_the_spread(Norm):
    def spread(self, x):
        return 1 / super().spread(x)


@LayerNorm.mistake("The mean is not subtracted from what you divide. Afterwards the mean must be 0.")
class mean_not_subtracted(Norm):
    def forward(self, x):
        return self.finish(x / self.spread(x))


@LayerNorm.mistake("This is the root of the mean square, without any mean subtracted (RMSNorm). Subtract the mean first, also for the variance.")
class root_mean_square_norm(Norm):
    def forward(self, x):
        return self.finish(x / torch.sqrt((x**2).mean(dim=-1, keepdim=True) + self.eps))


@LayerNorm.mistake("You subtract the mean, and divide by nothing.")
class spread_not_divided_by(Norm):
    def spread(self, x):
        return 1.0


@LayerNorm.mistake("The gain is not used: multiply by `weight` at the end, before the bias is added.")
class gain_not_used(Norm):
    def finish(self, x):
        return x + self.bias


@LayerNorm.mistake("The bias is not used: add it at the end.")
class bias_not_used(Norm):
    def finish(self, x):
        return x * self.weight


@LayerNorm.mistake("Neither gain nor bias is used. Multiply by `weight`, then add `bias`.")
class gain_and_bias_not_used(Norm):
    def finish(self, x):
        return x


@LayerNorm.mistake("Gain and bias have changed places: multiply by `weight`, add `bias`.")
class gain_and_bias_swapped(Norm):
    def finish(self, x):
        return x * self.bias + self.weight


@LayerNorm.mistake("The bias is added before the gain is applied, and so multiplied with it. Multiply first, then add.")
class bias_added_before_the_gain(Norm):
    def finish(self, x):
        return (x + self.bias) * self.weight


@LayerNorm.mistake("Gain and bias are applied first, and then normalised away. They come last.")
class gain_and_bias_before_the_norm(Norm):
    def forward(self, x):
        x = x * self.weight + self.bias
        return (x - self.mean(x)) / self.spread(x)


@LayerNorm.mistake("The means lose their axis, and are then matched with the wrong one, or with none. `keepdim=True` keeps it.")
class keepdim_forgotten(Norm):
    def mean(self, x):
        return x.mean(dim=-1)

    def spread(self, x):
        return torch.sqrt(x.var(dim=-1, unbiased=False) + self.eps)


@LayerNorm.mistake("`weight` and `bias` are plain tensors, so the module has no parameters and nothing is learned. Wrap each in nn.Parameter.")
class gain_and_bias_no_parameters(Norm):
    def __init__(self, d_model, eps=1e-5):
        nn.Module.__init__(self)
        self.weight, self.bias, self.eps = torch.ones(d_model), torch.zeros(d_model), eps


@LayerNorm.mistake("The gain starts as zeros, so every word becomes 0, whatever it was. What leaves a number as it is when you multiply by it?")
class gain_starts_as_zeros(Norm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps)
        self.weight = nn.Parameter(torch.zeros(d_model))


@LayerNorm.mistake("The bias starts as ones, which moves every word away from mean 0. What leaves a number as it is when you add it?")
class bias_starts_as_ones(Norm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps)
        self.bias = nn.Parameter(torch.ones(d_model))


@LayerNorm.mistake("Gain and bias have changed places at the start: the gain begins as zeros and the bias as ones.")
class start_values_swapped(Norm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps)
        self.weight, self.bias = nn.Parameter(torch.zeros(d_model)), nn.Parameter(torch.ones(d_model))


@LayerNorm.mistake("The gain starts with random numbers. It starts as ones, so that at first the norm is all that happens.")
class gain_starts_at_random(Norm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps)
        self.weight = nn.Parameter(torch.randn(d_model))


@LayerNorm.mistake("Gain and bias start with random numbers. They start as ones and zeros, so that at first the norm is all that happens.")
class gain_and_bias_start_at_random(Norm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps)
        self.weight, self.bias = nn.Parameter(torch.randn(d_model)), nn.Parameter(torch.randn(d_model))


@LayerNorm.mistake("The work is left to PyTorch's nn.LayerNorm. Here you write it yourself, with two parameters of your own.")
class pytorchs_layer_norm_inside(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.norm = nn.LayerNorm(d_model, eps)


@LayerNorm.mistake("Gain and bias are one number each. Each feature has its own: the shape is (d_model,).")
class one_gain_for_all_features(Norm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(1, eps)


@LayerNorm.mistake("`eps` is a parameter, so it would be learned. It is an ordinary number.")
class eps_a_parameter(Norm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model)
        self.eps = nn.Parameter(torch.tensor(eps))


@LayerNorm.mistake("There is no bias. Make both parameters: `weight` and `bias`.")
class no_bias_at_all(Norm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps)
        self.bias = None


@LayerNorm.mistake("Mean and variance are cut from the record (`detach`, `item`, `no_grad`), so gradients miss that they depend on x as well.")
class mean_and_variance_cut_from_the_record(Norm):
    def forward(self, x):
        return self.finish((x - self.mean(x).detach()) / self.spread(x).detach())


@LayerNorm.mistake("The variance is cut from the record (`detach`, `item`, `no_grad`), so gradients miss that it depends on x as well.")
class variance_cut_from_the_record(Norm):
    def forward(self, x):
        return self.finish((x - self.mean(x)) / self.spread(x).detach())


@LayerNorm.mistake("Gain and bias are cut from the record (`.data`, `.detach()`), so they get no gradient and never learn. Use them as they are.")
class gain_and_bias_cut_from_the_record(Norm):
    def finish(self, x):
        return x * self.weight.data + self.bias.data


@LayerNorm.mistake("The result is float32 even where the input is float64. Leave out the conversion.")
class normalised_in_float32(Norm):
    def forward(self, x):
        return self.finish((x - self.mean(x)) / self.spread(x)).float()


@LayerNorm.mistake("The result is right, but you change the tensor you were given in place (`-=`, `/=`). The residual still needs it: make a new one.")
class input_changed_in_place(Norm):
    def forward(self, x):
        x -= self.mean(x)
        return self.finish(x / self.spread(x))


# ------------------------------------------------------------------------------------ FeedForward


@LESSON.exercise(aspects={"values": 2, "members": 1, "other axes": 1, "gradients": 1, "dropout": 1, "dtype and device": 1})
def FeedForward(rng):
    def ask(aspect, says, build, *inputs, **options):
        return ModuleCase(aspect, says, build, inputs, seed=seed_of(rng), **options)

    yield ask("members", "names and shapes of the parameters", (4, 7), ask="parameters")
    yield ask("values", "two sentences of three words", (4, 6), numbers(rng, 2, 3, 4))
    yield ask("values", "three sentences of five words", (6, 24), numbers(rng, 3, 5, 6), hidden=True)
    yield ask("values", "d_ff smaller than d_model", (6, 2), numbers(rng, 2, 3, 6), hidden=True)
    yield ask("values", "the same call twice, with other numbers between", (4, 5), numbers(rng, 3, 2, 4), ask="again", hidden=True)
    yield ask("members", "names and shapes for another size", (3, 12), ask="parameters", hidden=True)
    yield ask("other axes", "one word alone, (d_model,)", (4, 6), numbers(rng, 4))
    yield ask("other axes", "four axes", (3, 5), numbers(rng, 2, 1, 2, 3))
    yield ask("other axes", "one sentence, (n, d_model)", (4, 8), numbers(rng, 4, 4), hidden=True)
    yield ask("gradients", "gradients of input and parameters", (2, 3), numbers(rng, 1, 2, 2), ask="gradients")
    yield ask("gradients", "gradients for two sentences", (4, 8), numbers(rng, 2, 3, 4), ask="gradients", hidden=True)
    x = numbers(rng, 1, 2, 4)
    yield ask("dropout", "rate 1, in training", (4, 6), x, options={"dropout": 1.0}, training=True)
    yield ask("dropout", "rate 1, in evaluation mode", (4, 6), x, options={"dropout": 1.0})
    yield ask("dropout", "rate 0, in training", (4, 6), x, training=True, hidden=True)
    yield ask("dtype and device", "the dtype of the result, for float32 and float64", (4, 6), numbers(rng, 1, 2, 4), ask="dtypes")
    yield ask("dtype and device", "all tensors on one device", (4, 6), numbers(rng, 1, 2, 4), ask="elsewhere")
    yield ask("dtype and device", "numbers in float64", (4, 6), numbers(rng, 2, 3, 4, dtype=np.float64), hidden=True)


class Feed(nn.Module):
    """A right feed-forward network in steps, each of which a mistake may replace."""

    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.drop = nn.Dropout(dropout)

    def wide(self, x):
        return torch.relu(self.linear_1(x))

    def forward(self, x):
        return self.linear_2(self.drop(self.wide(x)))


@FeedForward.mistake("There is no ReLU between the two layers, so both together are only one linear map.")
class relu_missing(Feed):
    def wide(self, x):
        return self.linear_1(x)


@FeedForward.mistake("ReLU comes at the end. It belongs between the two layers; the output may be negative.")
class relu_at_the_end(Feed):
    def forward(self, x):
        return torch.relu(self.linear_2(self.drop(self.linear_1(x))))


@FeedForward.mistake("There is a second ReLU at the end. Only one is wanted, between the two layers; the output may be negative.")
class relu_twice(Feed):
    def forward(self, x):
        return torch.relu(super().forward(x))


@FeedForward.mistake("ReLU is applied to the input. It belongs behind the first layer.")
class relu_before_the_first_layer(Feed):
    def wide(self, x):
        return self.linear_1(torch.relu(x))


@FeedForward.mistake("This is GELU, as in many newer networks. The paper, and this exercise, have ReLU.")
class gelu_for_relu(Feed):
    def wide(self, x):
        return F.gelu(self.linear_1(x))


@FeedForward.mistake("Small negative numbers get through: that is a leaky ReLU. ReLU puts them to 0.")
class leaky_relu(Feed):
    def wide(self, x):
        return F.leaky_relu(self.linear_1(x))


@FeedForward.mistake("The sigmoid squeezes numbers between 0 and 1. ReLU leaves positive numbers as they are.")
class sigmoid_for_relu(Feed):
    def wide(self, x):
        return torch.sigmoid(self.linear_1(x))


@FeedForward.mistake("tanh squeezes numbers between -1 and 1. ReLU leaves positive numbers as they are.")
class tanh_for_relu(Feed):
    def wide(self, x):
        return torch.tanh(self.linear_1(x))


@FeedForward.mistake("There is a softmax between the layers. Here numbers are not shares of anything: ReLU is wanted.")
class softmax_for_relu(Feed):
    def wide(self, x):
        return torch.softmax(self.linear_1(x), dim=-1)


@FeedForward.mistake("The absolute value keeps what is negative. ReLU puts it to 0.")
class absolute_value_for_relu(Feed):
    def wide(self, x):
        return self.linear_1(x).abs()


@FeedForward.mistake("ReLU keeps the negative numbers and drops the positive ones: it is the maximum of 0 and the number, not the minimum.")
class minimum_for_maximum(Feed):
    def wide(self, x):
        return self.linear_1(x).clamp(max=0)


@FeedForward.mistake("Python's `max` asks a whole tensor whether it is larger than 0, which has no answer. `torch.relu` works on each number.")
class pythons_max(Feed):
    def wide(self, x):
        return max(0, self.linear_1(x))


@FeedForward.mistake("`torch.max` and `torch.maximum` compare two tensors, and 0 is a plain number. `torch.relu` does what you want.")
class torch_max_with_a_number(Feed):
    def wide(self, x):
        return torch.max(0, self.linear_1(x))


@FeedForward.mistake("`torch.max` and `torch.maximum` compare two tensors, and 0 is a plain number. `torch.relu` does just what you want.")
class torch_maximum_with_a_number(Feed):
    def wide(self, x):
        return torch.maximum(self.linear_1(x), 0)


@FeedForward.mistake("`nn.ReLU` is a module: `nn.ReLU(h)` makes one, and applies it to nothing. Write `torch.relu(h)`, or `nn.ReLU()(h)`.")
class relu_module_built_instead_of_called(Feed):
    def wide(self, x):
        return nn.ReLU(self.linear_1(x))


@FeedForward.mistake("The output has its input added. That is the residual connection, which the encoder layer adds, not this module.")
class residual_inside(Feed):
    def forward(self, x):
        return x + super().forward(x)


@FeedForward.mistake("The words are turned over to the feature axis by a view, which scrambles them. No word sees another here: leave the axes alone.")
class words_scrambled_by_a_view(Feed):
    def forward(self, x):
        scrambled = x.reshape(*x.shape[:-2], x.shape[-1], x.shape[-2]).transpose(-1, -2) if x.ndim > 1 else x
        return super().forward(scrambled)


@FeedForward.mistake("Words are averaged on the way, so each depends on the others. No word sees another in feed-forward.")
class words_mixed(Feed):
    def forward(self, x):
        return super().forward(x.mean(dim=-2, keepdim=True).expand_as(x) if x.ndim > 1 else x)


@FeedForward.mistake("Dropout acts on the output, be it alone or a second time. It belongs between ReLU and the second layer, and nothing follows that.")
class dropout_at_the_end(Feed):
    def forward(self, x):
        return self.drop(self.linear_2(self.wide(x)))


@FeedForward.mistake("Dropout acts on the input. It belongs between ReLU and the second layer.")
class dropout_at_the_beginning(Feed):
    def forward(self, x):
        return self.linear_2(self.wide(self.drop(x)))


@FeedForward.mistake("Dropout has a rate of its own: `nn.Dropout()` drops half if you say nothing. Hand it the rate.")
class dropout_at_a_rate_of_its_own(Feed):
    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__(d_model, d_ff)
        self.drop = nn.Dropout()


@FeedForward.mistake("Dropout is not used. It belongs between ReLU and the second layer.")
class dropout_not_used(Feed):
    def forward(self, x):
        return self.linear_2(self.wide(x))


@FeedForward.mistake(
    "Dropout is active in evaluation mode too. Make an `nn.Dropout` in `__init__`, where it hears of the mode; one made in `forward`, "
    "and `F.dropout`, do not."
)
class dropout_active_in_evaluation(Feed):
    def forward(self, x):
        return self.linear_2(F.dropout(self.wide(x), self.drop.p))


@FeedForward.mistake("The linear layers have no bias. Here both have one.")
class layers_without_bias(Feed):
    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__(d_model, d_ff, dropout)
        self.linear_1.bias = self.linear_2.bias = None


@FeedForward.mistake("The sizes have changed places: `linear_1` leads from d_model to d_ff, `linear_2` back.")
class sizes_swapped(Feed):
    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__(d_ff, d_model, dropout)


@FeedForward.mistake("The layers are members of an nn.Sequential only, which gives them other names. Assign them to `self.linear_1` and `self.linear_2`.")
class layers_in_a_sequential(Feed):
    def __init__(self, d_model, d_ff, dropout=0.0):
        nn.Module.__init__(self)
        self.net = nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Dropout(dropout), nn.Linear(d_ff, d_model))


@FeedForward.mistake("The module has no parameters: the layers are in a plain list or dict, where nn.Module does not look, or made only in `forward`. Assign each to `self` in `__init__`.")
class layers_hidden_from_the_module(Feed):
    def __init__(self, d_model, d_ff, dropout=0.0):
        nn.Module.__init__(self)
        self.layers = [nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)]


@FeedForward.mistake("The record is cut after ReLU, so the first layer learns nothing. Leave out `.detach()` and the like.")
class first_layer_cut_from_the_record(Feed):
    def wide(self, x):
        return super().wide(x).detach()


@FeedForward.mistake("The result is float32 even where the input is float64. Leave out the conversion.")
class output_in_float32(Feed):
    def forward(self, x):
        return super().forward(x).float()


@FeedForward.mistake("ReLU compares with zeros that lie on the CPU, wherever the input lies. `torch.relu` needs none.")
class zeros_made_on_the_cpu(Feed):
    def wide(self, x):
        hidden = self.linear_1(x)
        return torch.maximum(hidden, torch.zeros(hidden.shape, dtype=hidden.dtype))


# ----------------------------------------------------------------------------------- EncoderLayer


@LESSON.exercise(
    aspects={"values": 2, "members": 1, "other lengths": 1, "mask": 1, "gradients": 1, "dropout": 1, "dtype and device": 1},
    refuse=("nn.Transformer",),
)
def EncoderLayer(rng):
    def ask(aspect, says, build, *inputs, **options):
        return ModuleCase(aspect, says, build, inputs, seed=seed_of(rng), **options)

    yield ask("members", "names and shapes of the parameters", (4, 2, 6), ask="parameters")
    yield ask("values", "one sentence of three words", (4, 2, 6), numbers(rng, 1, 3, 4))
    yield ask("values", "four sentences of five words", (6, 3, 8), numbers(rng, 4, 5, 6), hidden=True)
    yield ask("values", "the same call twice, with other numbers between", (4, 2, 5), numbers(rng, 3, 2, 4), ask="again", hidden=True)
    yield ask("members", "names and shapes for other sizes", (6, 3, 10), ask="parameters", hidden=True)
    yield ask("other lengths", "two sentences of two words", (4, 2, 5), numbers(rng, 2, 2, 4))
    yield ask("other lengths", "two sentences of one word", (6, 2, 7), numbers(rng, 2, 1, 6), hidden=True)
    mask = padded("110", "011")
    yield ask("mask", "two sentences with padding", (4, 2, 5), numbers(rng, 2, 3, 4), mask=mask)
    yield ask("mask", "a causal mask", (6, 3, 8), numbers(rng, 2, 4, 6), mask=triangle(4), hidden=True)
    mask = padded("0111", "1100") & triangle(4)
    yield ask("mask", "a word that may look at nothing", (6, 2, 8), numbers(rng, 2, 4, 6), mask=mask, hidden=True)
    yield ask("gradients", "gradients of input and parameters", (3, 1, 2), numbers(rng, 1, 2, 3), ask="gradients")
    yield ask("gradients", "gradients under a mask", (4, 2, 6), numbers(rng, 2, 3, 4), mask=padded("110", "101"), ask="gradients", hidden=True)
    x = numbers(rng, 1, 1, 4)
    yield ask("dropout", "rate 1, in training", (4, 2, 6), x, options={"dropout": 1.0}, training=True)
    yield ask("dropout", "rate 1, in evaluation mode", (4, 2, 6), x, options={"dropout": 1.0})
    yield ask("dropout", "rate 0, in training", (4, 2, 6), x, training=True, hidden=True)
    for part, args in {"self_attention": (x, x, x), "feed_forward": (x,)}.items():
        says = f"rate 1, in training: what `{part}` returns by itself"
        yield ask("dropout", says, (4, 2, 6), *args, options={"dropout": 1.0}, training=True, ask="part", part=part)
    yield ask("dtype and device", "the dtype of the result, for float32 and float64", (4, 2, 6), x, ask="dtypes")
    yield ask("dtype and device", "all tensors on one device", (4, 2, 6), x, ask="elsewhere")
    yield ask("dtype and device", "numbers in float64", (4, 2, 6), numbers(rng, 2, 3, 4, dtype=np.float64), hidden=True)


Heads.forward.__qualname__ = "MultiHeadAttention.forward"  # as an error about its arguments names the learner's


class Layer(nn.Module):
    """A right encoder layer in steps, each of which a mistake may replace."""

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention, self.feed_forward = Heads(d_model, n_heads, dropout), Feed(d_model, d_ff, dropout)
        self.norm_1, self.norm_2 = Norm(d_model), Norm(d_model)
        self.drop = nn.Dropout(dropout)

    def attend(self, x, mask):
        return self.self_attention(x, x, x, mask)[0]

    def add_and_norm(self, x, found, norm):
        return norm(x + self.drop(found))

    def forward(self, x, mask=None):
        x = self.add_and_norm(x, self.attend(x, mask), self.norm_1)
        return self.add_and_norm(x, self.feed_forward(x), self.norm_2)


@EncoderLayer.mistake("There are no residual connections: what went into a part is never added to what it found. Does the residual start from the right tensor?")
class no_residual(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(self.drop(found))


@EncoderLayer.mistake("The residual around attention is missing: `x` has to be added to what attention found.")
class no_residual_around_attention(Layer):
    def forward(self, x, mask=None):
        x = self.norm_1(self.drop(self.attend(x, mask)))
        return self.add_and_norm(x, self.feed_forward(x), self.norm_2)


@EncoderLayer.mistake("The residual around feed-forward is missing: what went into it has to be added to what it found.")
class no_residual_around_feed_forward(Layer):
    def forward(self, x, mask=None):
        x = self.add_and_norm(x, self.attend(x, mask), self.norm_1)
        return self.norm_2(self.drop(self.feed_forward(x)))


@EncoderLayer.mistake("The input is added twice to what each part found. Once is enough.")
class residual_doubled(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x + x + self.drop(found))


@EncoderLayer.mistake("The second residual starts from the layer's input. It starts from what went into feed-forward, the result of the first norm.")
class second_residual_from_the_layers_input(Layer):
    def forward(self, x, mask=None):
        h = self.add_and_norm(x, self.attend(x, mask), self.norm_1)
        return self.norm_2(x + self.drop(self.feed_forward(h)))


@EncoderLayer.mistake("The second line starts from the layer's input, and what attention found is lost. It starts from the result of the first line.")
class second_line_starts_from_the_layers_input(Layer):
    def forward(self, x, mask=None):
        self.add_and_norm(x, self.attend(x, mask), self.norm_1)
        return self.add_and_norm(x, self.feed_forward(x), self.norm_2)


@EncoderLayer.mistake("Feed-forward reads the layer's input. It should read the result of the first Add & Norm.")
class feed_forward_reads_the_layers_input(Layer):
    def forward(self, x, mask=None):
        h = self.add_and_norm(x, self.attend(x, mask), self.norm_1)
        return self.add_and_norm(h, self.feed_forward(x), self.norm_2)


@EncoderLayer.mistake("Both parts read the layer's input, side by side. Feed-forward comes after attention, and reads the result of the first Add & Norm.")
class parts_side_by_side(Layer):
    def forward(self, x, mask=None):
        self.norm_1(x)
        return self.norm_2(x + self.attend(x, mask) + self.feed_forward(x))


@EncoderLayer.mistake("Feed-forward comes first and attention second. It is the other way round: first hear, then think.")
class feed_forward_first(Layer):
    def forward(self, x, mask=None):
        x = self.add_and_norm(x, self.feed_forward(x), self.norm_1)
        return self.add_and_norm(x, self.attend(x, mask), self.norm_2)


@EncoderLayer.mistake("The norm comes before each part: that is pre-norm. Here it comes after the addition, as in the paper.")
class pre_norm(Layer):
    def forward(self, x, mask=None):
        x = x + self.drop(self.attend(self.norm_1(x), mask))
        return x + self.drop(self.feed_forward(self.norm_2(x)))


@EncoderLayer.mistake("The norm is applied to what a part found, before the addition. First add, then norm.")
class norm_before_the_addition(Layer):
    def add_and_norm(self, x, found, norm):
        return x + norm(self.drop(found))


@EncoderLayer.mistake("The input is normed and then added to what the part found. First add, then norm the sum.")
class residual_normed_before_the_addition(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x) + self.drop(found)


@EncoderLayer.mistake("`norm_1` is used both times. The second sum has a norm of its own, `norm_2`.")
class first_norm_used_twice(Layer):
    def forward(self, x, mask=None):
        x = self.add_and_norm(x, self.attend(x, mask), self.norm_1)
        return self.add_and_norm(x, self.feed_forward(x), self.norm_1)


@EncoderLayer.mistake("`norm_1` and `norm_2` are one and the same. Each has its own gain and bias: make two.")
class one_norm_under_two_names(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.norm_2 = self.norm_1


@EncoderLayer.mistake("The norms have changed places: `norm_1` belongs to attention, `norm_2` to feed-forward.")
class norms_swapped(Layer):
    def forward(self, x, mask=None):
        x = self.add_and_norm(x, self.attend(x, mask), self.norm_2)
        return self.add_and_norm(x, self.feed_forward(x), self.norm_1)


@EncoderLayer.mistake("The sums are not normed. A norm changes nothing in place: is its result thrown away?")
class result_of_the_norms_thrown_away(Layer):
    def add_and_norm(self, x, found, norm):
        x = x + self.drop(found)
        norm(x)
        return x


@EncoderLayer.mistake("The first sum is not normed. Add & Norm comes after every part.")
class first_norm_missing(Layer):
    def forward(self, x, mask=None):
        x = x + self.drop(self.attend(x, mask))
        return self.add_and_norm(x, self.feed_forward(x), self.norm_2)


@EncoderLayer.mistake("The second sum is not normed. Add & Norm comes after every part.")
class second_norm_missing(Layer):
    def forward(self, x, mask=None):
        x = self.add_and_norm(x, self.attend(x, mask), self.norm_1)
        return x + self.drop(self.feed_forward(x))


@EncoderLayer.mistake("There is no feed-forward part: the layer ends after the first Add & Norm, or norms twice.")
class feed_forward_left_out(Layer):
    def forward(self, x, mask=None):
        return self.add_and_norm(x, self.attend(x, mask), self.norm_1)


@EncoderLayer.mistake("Attention gives back two things, output and weights, and you add both as one. Take the first.")
class attentions_pair_not_unpacked(Layer):
    def attend(self, x, mask):
        return self.self_attention(x, x, x, mask)


@EncoderLayer.mistake("You add the attention weights to the words. Attention gives back output and weights, in this order: take the first, `[0]`.")
class weights_taken_for_the_output(Layer):
    def attend(self, x, mask):
        return self.self_attention(x, x, x, mask)[1]


@EncoderLayer.mistake("Attention gets `x` once, and wants it three times: as query, as key and as value.")
class words_given_only_once(Layer):
    def attend(self, x, mask):
        return self.self_attention(x, mask=mask)[0]


@EncoderLayer.mistake("Attention gets `x` once, and takes the mask for the key. It wants `x` three times: as query, as key and as value.")
class mask_taken_for_the_key(Layer):
    def attend(self, x, mask):
        return self.self_attention(x, mask)[0]


@EncoderLayer.mistake("The layer returns the attention weights as well. Only the output is wanted, so that layers can be stacked.")
class weights_returned_as_well(Layer):
    def forward(self, x, mask=None):
        return super().forward(x, mask), self.self_attention(x, x, x, mask)[1]


@EncoderLayer.mistake("The mask is not handed on to attention, so padding is looked at.")
class mask_forgotten(Layer):
    def attend(self, x, mask):
        return self.self_attention(x, x, x)[0]


@EncoderLayer.mistake("The mask is turned round: words look at padding. True means “may be looked at” here, in your attention too.")
class mask_the_wrong_way_round(Layer):
    def attend(self, x, mask):
        return self.self_attention(x, x, x, None if mask is None else ~mask)[0]


@EncoderLayer.mistake("The mask gets two more axes. It comes as it is to be used, and fits the weights by itself.")
class axes_added_to_the_mask(Layer):
    def attend(self, x, mask):
        return self.self_attention(x, x, x, None if mask is None else mask[:, None, None])[0]


@EncoderLayer.mistake("The layer has no dropout of its own: what each part found goes through dropout before it is added.")
class no_dropout_of_its_own(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x + found)


@EncoderLayer.mistake("Dropout acts on the sum, so the word's own vector is dropped as well. It acts on what the part found, before it is added.")
class dropout_after_the_addition(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(self.drop(x + found))


@EncoderLayer.mistake("Dropout acts on the result of the norm. It acts on what the part found, before it is added.")
class dropout_after_the_norm(Layer):
    def add_and_norm(self, x, found, norm):
        return self.drop(norm(x + found))


@EncoderLayer.mistake("Dropout acts on what attention found, but not on what feed-forward found. It acts on both, before they are added.")
class dropout_after_attention_alone(Layer):
    def forward(self, x, mask=None):
        x = self.add_and_norm(x, self.attend(x, mask), self.norm_1)
        return self.norm_2(x + self.feed_forward(x))


@EncoderLayer.mistake("Dropout acts on what feed-forward found, but not on what attention found. It acts on both, before they are added.")
class dropout_after_feed_forward_alone(Layer):
    def forward(self, x, mask=None):
        x = self.norm_1(x + self.attend(x, mask))
        return self.add_and_norm(x, self.feed_forward(x), self.norm_2)


@EncoderLayer.mistake(
    "Dropout is active in evaluation mode too. Make an `nn.Dropout` in `__init__`, where it hears of the mode; one made in `forward`, "
    "and `F.dropout`, do not."
)
class dropout_without_a_mode(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x + F.dropout(found, self.drop.p))


@EncoderLayer.mistake("The dropout rate is not passed on, so nothing is dropped at all. Hand it to both parts and to an nn.Dropout of the layer's own.")
class dropout_rate_ignored(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff)


@EncoderLayer.mistake(
    "The dropout rate does not reach the parts: neither attention nor feed-forward drops anything by itself. Hand it on to both when "
    "you make them."
)
class dropout_rate_not_handed_on(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.self_attention, self.feed_forward = Heads(d_model, n_heads), Feed(d_model, d_ff)


@EncoderLayer.mistake("The dropout rate does not reach attention, which drops nothing by itself. Hand it on when you make it.")
class dropout_rate_not_handed_on_to_attention(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.self_attention = Heads(d_model, n_heads)


@EncoderLayer.mistake("The dropout rate does not reach feed-forward, which drops nothing by itself. Hand it on when you make it.")
class dropout_rate_not_handed_on_to_feed_forward(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.feed_forward = Feed(d_model, d_ff)


@EncoderLayer.mistake("The norms get the dropout rate, and take it for `eps`. Norms drop nothing: give them d_model alone.")
class dropout_rate_taken_for_eps(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.norm_1, self.norm_2 = Norm(d_model, dropout), Norm(d_model, dropout)


@EncoderLayer.mistake("The norms are hidden in a plain list, where nn.Module does not look. Assign each to `self`: `norm_1`, `norm_2`.")
class norms_in_a_plain_list(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        del self.norm_1, self.norm_2
        self.norms = [Norm(d_model), Norm(d_model)]


@EncoderLayer.mistake("The parts are hidden in a plain list, where nn.Module does not look, so the layer has no parameters. Assign each to `self`.")
class parts_in_a_plain_list(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        nn.Module.__init__(self)
        self.parts = [Heads(d_model, n_heads), Feed(d_model, d_ff), Norm(d_model), Norm(d_model)]


@EncoderLayer.mistake("There is a third norm. An encoder layer has two: one after each part.")
class a_third_norm(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.norm_3 = Norm(d_model)


@EncoderLayer.mistake("The sizes of feed-forward have changed places: it widens from d_model to d_ff, and narrows back.")
class feed_forward_inside_out(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.feed_forward = Feed(d_ff, d_model, dropout)


@EncoderLayer.mistake("The residual is cut from the record, so gradients have no straight road past the parts. Leave out `.detach()` and `.data`.")
class residual_cut_from_the_record(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x.detach() + self.drop(found))


@EncoderLayer.mistake("A result is float32 even where the input is float64. Leave out the conversion.")
class result_in_float32(Layer):
    def forward(self, x, mask=None):
        return super().forward(x, mask).float()


@EncoderLayer.mistake("The result is right, but you add to the tensor you were given in place (`+=`). Its owner still needs it: make a new one.")
class input_added_to_in_place(Layer):
    def forward(self, x, mask=None):
        before = x.clone()
        found = self.attend(before, mask)
        x += found
        return super().forward(before, mask)


@EncoderLayer.mistake("A mask made on the way lies on the CPU, wherever the input lies. None will do: it hides nothing.")
class open_mask_made_on_the_cpu(Layer):
    def attend(self, x, mask):
        n = x.shape[1]
        return self.self_attention(x, x, x, torch.ones(n, n, dtype=torch.bool) if mask is None else mask)[0]
