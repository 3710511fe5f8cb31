"""Lesson 07: training, one step at a time, on tiny models."""

import numpy as np
import torch
from torch import nn

from grader.spec import Case, Lesson

LESSON = Lesson("07_training")
HELPERS = ("utils.long_run",)  # the course's own training, which does some of the exercises


def ids(*rows):
    return torch.tensor(rows)


def smoothed(logits, labels, pad_id, smoothing):
    """The right loss, which mistakes below lead astray."""
    _, right, even, real = parts(logits, labels, pad_id)
    return -((1 - smoothing) * right + smoothing * even)[real].mean()


def parts(logits, labels, pad_id):
    """Log-probabilities, those of the labels, their mean over the vocabulary, and what is real."""
    log_p = logits.log_softmax(-1)
    return log_p, log_p.gather(-1, labels[..., None])[..., 0], log_p.mean(-1), labels != pad_id


# ---------------------------------------------------------------------------- label_smoothed_loss


@LESSON.exercise(
    aspects={"values": 2, "padding": 1, "other smoothing": 1, "gradients": 1, "dtype and large logits": 1},
    refuse=("F.cross_entropy", "F.kl_div"),
)
def label_smoothed_loss(rng):
    def logits(*shape, dtype=np.float64, loud=1.0):
        return torch.from_numpy((loud * rng.normal(size=shape)).astype(dtype))

    def labels(*shape, vocabulary):
        return torch.from_numpy(rng.integers(1, vocabulary, size=shape))

    yield Case("values", "one sentence of three words", logits(1, 3, 5), labels(1, 3, vocabulary=5), 0)
    yield Case("values", "two sentences of four words, six in the vocabulary", logits(2, 4, 6), labels(2, 4, vocabulary=6), 0)
    yield Case("values", "three sentences of two words", logits(3, 2, 4), labels(3, 2, vocabulary=4), 0, hidden=True)
    yield Case("values", "one word alone", logits(1, 1, 7), labels(1, 1, vocabulary=7), 0, hidden=True)

    def padded(*rows, pad_id, vocabulary):
        real = np.setdiff1d(np.arange(vocabulary), [pad_id])
        return ids(*([int(rng.choice(real)) if mark == "1" else pad_id for mark in row] for row in rows))

    yield Case("padding", "padding on the right", logits(2, 4, 5), padded("1111", "1000", pad_id=0, vocabulary=5), 0)
    yield Case("padding", "padding has id 3", logits(3, 3, 5), padded("110", "011", "111", pad_id=3, vocabulary=5), 3)
    last = padded("00", "01", "10", pad_id=5, vocabulary=6)
    yield Case("padding", "one row without any word; padding is the last id", logits(3, 2, 6), last, 5, hidden=True)
    yield Case("other smoothing", "smoothing 0", logits(2, 3, 5), labels(2, 3, vocabulary=5), 0, smoothing=0.0)
    half = padded("101", "111", pad_id=0, vocabulary=5)
    yield Case("other smoothing", "smoothing 0.5, with padding", logits(2, 3, 5), half, 0, smoothing=0.5)
    yield Case("other smoothing", "smoothing 1", logits(1, 4, 3), labels(1, 4, vocabulary=3), 0, smoothing=1.0, hidden=True)
    grow = {"probe": "gradients", "smoothing": 0.2}
    one = padded("110", "100", pad_id=0, vocabulary=4)
    yield Case("gradients", "gradients of the logits", logits(2, 3, 4), one, 0, **grow)
    other = padded("11", "01", "10", pad_id=2, vocabulary=4)
    yield Case("gradients", "gradients where padding has id 2", logits(3, 2, 4), other, 2, hidden=True, **grow)
    last = "dtype and large logits"
    yield Case(last, "logits in float32", logits(2, 2, 4, dtype=np.float32), labels(2, 2, vocabulary=4), 0)
    yield Case(last, "logits of the size 1000", logits(2, 3, 4, loud=1e3).clamp(-1e3, 1e3), labels(2, 3, vocabulary=4), 0)
    near = 1000 + logits(1, 3, 4)
    yield Case(last, "logits that are all near 1000", near, labels(1, 3, vocabulary=4), 0)
    yield Case(last, "logits of the size 500", logits(2, 3, 5, loud=500), labels(2, 3, vocabulary=5), 0, hidden=True)
    # by chance padding costs what a word costs on average: hardly in two questions
    third = padded("1100", "1110", pad_id=0, vocabulary=5)
    yield Case("other smoothing", "smoothing 0.3, with padding", logits(2, 4, 5), third, 0, smoothing=0.3, hidden=True)


@label_smoothed_loss.mistake("The label keeps its whole share: no smoothing is done. The rest of the share goes to all words, evenly.")
def labels_not_smoothed(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits, labels, pad_id, 0.0)


@label_smoothed_loss.mistake("The shares are the wrong way round: the label gets `smoothing`, and all words together the rest.")
def shares_swapped(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits, labels, pad_id, 1 - smoothing)


@label_smoothed_loss.mistake("The smoothing is always 0.1, whatever is given as `smoothing`. Use the argument.")
def smoothing_always_a_tenth(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits, labels, pad_id, 0.1)


@label_smoothed_loss.mistake("You take the sum over the vocabulary where the mean is meant: the whole share `smoothing` is divided among all words.")
def smoothing_not_divided_among_the_words(logits, labels, pad_id, smoothing=0.1):
    log_p, right, even, real = parts(logits, labels, pad_id)
    return -((1 - smoothing) * right + smoothing * log_p.sum(-1))[real].mean()


@label_smoothed_loss.mistake("The smoothing is added, but the label still keeps its whole share. It gives some up: all shares add up to 1.")
def label_gives_nothing_up(logits, labels, pad_id, smoothing=0.1):
    log_p, right, even, real = parts(logits, labels, pad_id)
    return -(right + smoothing * even)[real].mean()


@label_smoothed_loss.mistake("The share is spread over the other words only. Here it is spread over all of them, the right one too.")
def spread_over_the_other_words_only(logits, labels, pad_id, smoothing=0.1):
    log_p, right, even, real = parts(logits, labels, pad_id)
    others = (log_p.sum(-1) - right) / (logits.shape[-1] - 1)
    return -((1 - smoothing) * right + smoothing * others)[real].mean()


def without_padding(log_p, labels, pad_id, take_out_the_label):
    open_words = torch.ones_like(log_p)
    open_words[..., pad_id] = 0
    if take_out_the_label:
        open_words = open_words.scatter(-1, labels[..., None], 0.0)
    return (log_p * open_words).sum(-1) / open_words.sum(-1)


@label_smoothed_loss.mistake("The share is spread over all words but padding. Here every word of the vocabulary gets its part, padding as well.")
def padding_gets_no_share(logits, labels, pad_id, smoothing=0.1):
    log_p, right, even, real = parts(logits, labels, pad_id)
    return -((1 - smoothing) * right + smoothing * without_padding(log_p, labels, pad_id, False))[real].mean()


@label_smoothed_loss.mistake("The share is spread over all words but padding and the right one. Here every word of the vocabulary gets its part.")
def padding_and_the_label_get_no_share(logits, labels, pad_id, smoothing=0.1):
    log_p, right, even, real = parts(logits, labels, pad_id)
    return -((1 - smoothing) * right + smoothing * without_padding(log_p, labels, pad_id, True))[real].mean()


@label_smoothed_loss.mistake("The whole share goes to padding. It is spread over all words of the vocabulary.")
def padding_gets_the_whole_share(logits, labels, pad_id, smoothing=0.1):
    log_p, right, even, real = parts(logits, labels, pad_id)
    return -((1 - smoothing) * right + smoothing * log_p[..., pad_id])[real].mean()


@label_smoothed_loss.mistake("This is the distance to the smoothed labels (Kullback-Leibler), lower than the cross-entropy by what the labels themselves cost.")
def distance_in_place_of_cross_entropy(logits, labels, pad_id, smoothing=0.1):
    many = logits.shape[-1]
    shares = torch.tensor([1 - smoothing + smoothing / many, *[smoothing / many] * (many - 1)], dtype=logits.dtype)
    return smoothed(logits, labels, pad_id, smoothing) + torch.xlogy(shares, shares).sum()


@label_smoothed_loss.mistake("Padding counts like words. Choose the positions with real labels before you average.")
def padding_in_the_loss(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits, labels, -100, smoothing)


@label_smoothed_loss.mistake("Padding adds nothing to the sum, but it still counts in the number that you divide by. Divide by the number of real words.")
def mean_over_padding_too(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits, labels, pad_id, smoothing) * (labels != pad_id).double().mean().to(logits.dtype)


@label_smoothed_loss.mistake("The mask comes after the mean, when padding is in it already. Choose the real positions first.")
def mask_after_the_mean(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits, labels, -100, smoothing) * (labels != pad_id).double().mean().to(logits.dtype)


@label_smoothed_loss.mistake("Only padding counts, and the words do not. Your mask is the wrong way round.")
def only_padding_counts(logits, labels, pad_id, smoothing=0.1):
    log_p, right, even, real = parts(logits, labels, pad_id)
    return -((1 - smoothing) * right + smoothing * even)[~real].mean()


@label_smoothed_loss.mistake("Padding is always taken to be id 0. Which id it is, `pad_id` says.")
def padding_always_zero(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits, labels, 0, smoothing)


@label_smoothed_loss.mistake("Padding is left out of the label's part only. It has no part in the smoothing either.")
def padding_in_the_smoothing(logits, labels, pad_id, smoothing=0.1):
    log_p, right, even, real = parts(logits, labels, pad_id)
    return -(1 - smoothing) * right[real].mean() - smoothing * even.mean()


@label_smoothed_loss.mistake("You average each sentence, and then the sentences. A word of a short sentence then counts more; take one mean over all real words.")
def mean_of_the_sentences_means(logits, labels, pad_id, smoothing=0.1):
    log_p, right, even, real = parts(logits, labels, pad_id)
    losses = -((1 - smoothing) * right + smoothing * even) * real
    return (losses.sum(-1) / real.sum(-1).clamp(min=1)).mean()


@label_smoothed_loss.mistake("The losses are added up and not averaged. Divide by the number of real words.")
def sum_in_place_of_the_mean(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits, labels, pad_id, smoothing) * (labels != pad_id).sum()


@label_smoothed_loss.mistake("You divide by the number of sentences. Divide by the number of real words.")
def divided_by_the_number_of_sentences(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits, labels, pad_id, smoothing) * (labels != pad_id).sum() / len(labels)


@label_smoothed_loss.mistake("One loss a position comes back. Average those of the real words.")
def losses_not_averaged(logits, labels, pad_id, smoothing=0.1):
    log_p, right, even, real = parts(logits, labels, pad_id)
    return -((1 - smoothing) * right + smoothing * even)[real]


@label_smoothed_loss.mistake("Softmax is applied twice: once before the log-softmax, and once in it. Give it the logits as they are.")
def softmax_before_the_log_softmax(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits.softmax(-1), labels, pad_id, smoothing)


@label_smoothed_loss.mistake("The softmax runs over the positions. The probabilities of one position add up to 1 over the vocabulary, the last axis.")
def softmax_over_positions(logits, labels, pad_id, smoothing=0.1):
    log_p = logits.log_softmax(1)
    right = log_p.gather(-1, labels[..., None])[..., 0]
    return -((1 - smoothing) * right + smoothing * log_p.mean(-1))[labels != pad_id].mean()


@label_smoothed_loss.mistake("The softmax runs over the sentences of the batch. The probabilities of one position add up to 1 over the vocabulary, the last axis.")
def softmax_over_the_batch(logits, labels, pad_id, smoothing=0.1):
    log_p = logits.log_softmax(0)
    right = log_p.gather(-1, labels[..., None])[..., 0]
    return -((1 - smoothing) * right + smoothing * log_p.mean(-1))[labels != pad_id].mean()


@label_smoothed_loss.mistake("The logits are used as if they were log-probabilities. A log-softmax has to come first.")
def no_softmax(logits, labels, pad_id, smoothing=0.1):
    right = logits.gather(-1, labels[..., None])[..., 0]
    return -((1 - smoothing) * right + smoothing * logits.mean(-1))[labels != pad_id].mean()


@label_smoothed_loss.mistake("You take the probabilities without their logarithm. The loss is minus the log of the probability.")
def no_logarithm(logits, labels, pad_id, smoothing=0.1):
    p = logits.softmax(-1)
    right = p.gather(-1, labels[..., None])[..., 0]
    return -((1 - smoothing) * right + smoothing * p.mean(-1))[labels != pad_id].mean()


@label_smoothed_loss.mistake("The loss has the wrong sign: it is minus the logarithm, so that a larger probability costs less.")
def sign_forgotten(logits, labels, pad_id, smoothing=0.1):
    return -smoothed(logits, labels, pad_id, smoothing)


@label_smoothed_loss.mistake("Only one of the two parts has a minus in front of it. Both are minus logarithms.")
def minus_at_the_label_only(logits, labels, pad_id, smoothing=0.1):
    log_p, right, even, real = parts(logits, labels, pad_id)
    return (-(1 - smoothing) * right + smoothing * even)[real].mean()


@label_smoothed_loss.mistake("A softmax and then a logarithm: a probability that is too small to be stored becomes 0, and its logarithm infinite. `log_softmax` does both at once.")
def log_of_the_softmax(logits, labels, pad_id, smoothing=0.1):
    log_p = logits.softmax(-1).log()
    right = log_p.gather(-1, labels[..., None])[..., 0]
    return -((1 - smoothing) * right + smoothing * log_p.mean(-1))[labels != pad_id].mean()


@label_smoothed_loss.mistake("The exponential of a large logit is too large to be stored. `log_softmax` subtracts the largest logit first.")
def exponential_overflows(logits, labels, pad_id, smoothing=0.1):
    log_p = logits - logits.exp().sum(-1, keepdim=True).log()
    right = log_p.gather(-1, labels[..., None])[..., 0]
    return -((1 - smoothing) * right + smoothing * log_p.mean(-1))[labels != pad_id].mean()


@label_smoothed_loss.mistake("The probability of the label is smoothed, and its logarithm taken then. It is the label that is smoothed: every word's logarithm counts with its share.")
def smoothed_inside_the_logarithm(logits, labels, pad_id, smoothing=0.1):
    p = logits.softmax(-1).gather(-1, labels[..., None])[..., 0]
    return -((1 - smoothing) * p + smoothing / logits.shape[-1])[labels != pad_id].log().mean()


@label_smoothed_loss.mistake("The entry at the label still has its last axis, of length 1, so every position is added to every other. `squeeze(-1)` takes it away.")
def last_axis_not_squeezed(logits, labels, pad_id, smoothing=0.1):
    log_p = logits.log_softmax(-1)
    losses = -(1 - smoothing) * log_p.gather(-1, labels[..., None]) - smoothing * log_p.mean(-1)
    return losses[labels != pad_id].mean()


@label_smoothed_loss.mistake("A small number is added inside the logarithm, so no loss exceeds a certain size. Use `log_softmax`: it needs no such help.")
def small_number_inside_the_logarithm(logits, labels, pad_id, smoothing=0.1):
    log_p = (logits.softmax(-1) + 1e-9).log()
    right = log_p.gather(-1, labels[..., None])[..., 0]
    return -((1 - smoothing) * right + smoothing * log_p.mean(-1))[labels != pad_id].mean()


@label_smoothed_loss.mistake("A plain number comes back. Gradients can only start from a tensor: leave out `.item()` here.")
def loss_as_a_plain_number(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits, labels, pad_id, smoothing).item()


@label_smoothed_loss.mistake("The loss is cut from the record, so no gradient reaches the logits. Leave out `.detach()` and `torch.no_grad()`.")
def record_cut_at_the_loss(logits, labels, pad_id, smoothing=0.1):
    return smoothed(logits.detach(), labels, pad_id, smoothing) + 0.0 * logits.sum()


# --------------------------------------------------------------------------- warmup_learning_rate


@LESSON.exercise(aspects={"values": 2, "step 0": 1}, refuse=HELPERS)
def warmup_learning_rate(rng):
    # small sizes give rates of the order of 1, so that a wrong one is far from the right one
    for step, says in ((1, "the first step"), (3, "in the warm-up"), (5, "at its end"), (9, "after it"), (80, "long after it")):
        yield Case("values", f"d_model 4, 5 warm-up steps, {says}: step {step}", step, 4, 5)
    yield Case("values", "d_model 9, 2 warm-up steps, step 2", 2, 9, 2)
    yield Case("values", "no warm-up to speak of: one step", 7, 2, 1)
    for _ in range(3):
        sizes = [int(number) for number in (rng.integers(1, 30), rng.integers(2, 9), rng.integers(2, 12))]
        yield Case("values", "other steps and sizes", *sizes, hidden=True)
    yield Case("step 0", "step 0 gives a number that can serve", 0, 4, 5, reading="rate")
    yield Case("step 0", "step 0, other sizes", 0, 512, 4000, reading="rate", hidden=True)


def paper(step, d_model, warmup_steps):
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5) if step else 0.0


@warmup_learning_rate.mistake("At step 0 you divide by zero. Treat it as another step, or give 0 there.")
def division_by_zero_at_step_zero(step, d_model, warmup_steps):
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)


@warmup_learning_rate.mistake("At step 0 the rate is infinite. Treat it as another step, or give 0 there.")
def infinite_at_step_zero(step, d_model, warmup_steps):
    return paper(step, d_model, warmup_steps) if step else float("inf")


@warmup_learning_rate.mistake("Steps are counted from 0 here, so each gets the rate of the next one. The first step has number 1.")
def one_step_ahead(step, d_model, warmup_steps):
    return paper(step + 1, d_model, warmup_steps)


@warmup_learning_rate.mistake("You subtract 1 from the step, so each gets the rate of the one before. The first step has number 1.")
def one_step_behind(step, d_model, warmup_steps):
    return paper(step - 1, d_model, warmup_steps) if step > 1 else 0.0


@warmup_learning_rate.mistake("The larger of the two is taken. The smaller one makes the curve climb first and fall later.")
def maximum_in_place_of_the_minimum(step, d_model, warmup_steps):
    return d_model**-0.5 * max(max(step, 1) ** -0.5, step * warmup_steps**-1.5)


@warmup_learning_rate.mistake("The factor with d_model is missing, or one of the two branches does without it. It multiplies both: a wider model takes smaller steps.")
def no_factor_of_d_model(step, d_model, warmup_steps):
    return paper(step, 1, warmup_steps)


@warmup_learning_rate.mistake("The factor with d_model is missing in the warm-up: only the branch that falls has it. It multiplies both, so that they still meet at `warmup_steps`.")
def no_factor_of_d_model_in_the_warm_up(step, d_model, warmup_steps):
    return min((d_model * max(step, 1)) ** -0.5, step * warmup_steps**-1.5)


@warmup_learning_rate.mistake("The factor with d_model is missing after the warm-up: only the branch that climbs has it. It multiplies both, so that they still meet at `warmup_steps`.")
def no_factor_of_d_model_after_the_warm_up(step, d_model, warmup_steps):
    return paper(step, d_model, warmup_steps) if step < warmup_steps else max(step, 1) ** -0.5


@warmup_learning_rate.mistake("You multiply by the root of d_model. The exponent is minus 0.5: divide by it.")
def multiplied_by_the_root(step, d_model, warmup_steps):
    return paper(step, d_model, warmup_steps) * d_model


@warmup_learning_rate.mistake("You divide by d_model itself. It is its square root that is wanted.")
def divided_by_d_model(step, d_model, warmup_steps):
    return paper(step, d_model, warmup_steps) * d_model**-0.5


@warmup_learning_rate.mistake("After the warm-up the rate stays where it is. It falls from there, with the root of the step.")
def constant_after_the_warm_up(step, d_model, warmup_steps):
    return paper(min(step, warmup_steps), d_model, warmup_steps)


@warmup_learning_rate.mistake("The rate only falls: there is no warm-up. Before `warmup_steps` the second number in the brackets is the smaller one.")
def no_warm_up(step, d_model, warmup_steps):
    return (d_model * max(step, 1)) ** -0.5


@warmup_learning_rate.mistake("The rate only climbs, in a straight line for ever. After `warmup_steps` the first number in the brackets is the smaller one.")
def never_falls(step, d_model, warmup_steps):
    return d_model**-0.5 * step * warmup_steps**-1.5


@warmup_learning_rate.mistake("The exponent of `warmup_steps` is -0.5. With -1.5 the two branches meet at the end of the warm-up.")
def warm_up_to_the_power_of_a_half(step, d_model, warmup_steps):
    return d_model**-0.5 * min(max(step, 1) ** -0.5, step * warmup_steps**-0.5)


@warmup_learning_rate.mistake("The two exponents are swapped: the step has -1.5 and the warm-up -0.5. It is the other way round.")
def exponents_swapped(step, d_model, warmup_steps):
    return d_model**-0.5 * min(max(step, 1) ** -1.5, step * warmup_steps**-0.5)


@warmup_learning_rate.mistake("The rate stays where it begins: the second number in the brackets has no `step` in it, which makes it climb.")
def step_left_out_of_the_warm_up(step, d_model, warmup_steps):
    return d_model**-0.5 * min(max(step, 1) ** -0.5, warmup_steps**-1.5)


@warmup_learning_rate.mistake("After the warm-up the rate falls with the step itself, and not with its square root.")
def falls_with_the_step(step, d_model, warmup_steps):
    return d_model**-0.5 * min(1 / max(step, 1), step * warmup_steps**-1.5)


@warmup_learning_rate.mistake("The rate climbs to 1 and is not scaled to the paper's size: at the end of the warm-up it is (d_model times warmup_steps) to the power of -0.5.")
def climbs_to_one(step, d_model, warmup_steps):
    return min(step / warmup_steps, (warmup_steps / max(step, 1)) ** 0.5)


@warmup_learning_rate.mistake("The result is rounded down to a whole number (`//`). Divide with `/`, or use powers.")
def rounded_to_a_whole_number(step, d_model, warmup_steps):
    return float(paper(step, d_model, warmup_steps) // 1)


# ---------------------------------------------------------------------------- token_budget_batches


@LESSON.exercise(
    aspects={"legal batches": 2, "little padding": 2, "a sentence that is too long": 1, "nothing to batch": 1}, refuse=HELPERS
)
def token_budget_batches(rng):
    def shuffled(*lengths):
        return [int(length) for length in rng.permutation(lengths)]

    def legal(says, lengths, budget, **options):
        return Case("legal batches", says, lengths, budget, reading="batches", **options)

    yield legal("six sentences, budget 18", [5, 9, 4, 9, 5, 4], 18)
    yield legal("eight sentences of two to nine tokens, budget 20", shuffled(2, 3, 4, 5, 6, 7, 8, 9), 20)
    yield legal("seven sentences of four tokens, budget 12", [4] * 7, 12)
    yield legal("seven sentences of one token, budget 3", [1] * 7, 3)
    yield legal("two sentences, of two tokens and of three, budget 4", [2, 3], 4)
    yield legal("from the shortest to the longest already, budget 9", [1, 2, 2, 3, 4, 4, 6], 9)
    yield legal("each sentence as long as the budget", [6, 6, 6], 6)
    yield legal("one sentence alone", [5], 16)
    yield legal("from the longest to the shortest, budget 24", [12, 9, 9, 7, 5, 5, 3, 2], 24)
    many = [int(length) for length in rng.integers(3, 15, size=120)]
    yield legal("a hundred and twenty sentences, budget 64", many, 64, hidden=True)
    yield legal("a sentence as long as the budget among others", shuffled(12, 3, 4, 5, 6, 7, 3, 4), 12, hidden=True)
    yield legal("nine sentences of five tokens, budget 16", [5] * 9, 16, hidden=True)

    def padding(says, n, longest, budget, **options):
        lengths = [int(length) for length in rng.integers(1, longest, size=n)]
        return Case("little padding", says, lengths, budget, reading="padding", **options)

    # few lengths beside many sentences: so whoever takes one length at a time needs few batches, too
    yield padding("eighty sentences of up to ten tokens, budget 120", 80, 11, 120)
    yield padding("two hundred sentences of up to twenty tokens, budget 400", 200, 21, 400, hidden=True)
    for says, lengths, budget, hidden in (
        ("nine tokens, budget 8", [3, 9, 4], 8, False),
        ("one sentence of seven tokens, budget 6", [7], 6, False),
        ("twenty tokens at the end, budget 19", [19, 4, 20], 19, True),
    ):
        yield Case("a sentence that is too long", says, lengths, budget, reading="batches", hidden=hidden)
    yield Case("nothing to batch", "no lengths", [], 10)
    yield Case("nothing to batch", "no lengths, another budget", [], 1, hidden=True)


def in_order(lengths, max_tokens, order=None, size=lambda batch: len(batch) * max(batch), check=True):
    """Right batches from indices in some order; `size` tells that of a batch from its lengths."""
    if check and max(lengths, default=0) > max_tokens:
        raise ValueError("a sentence exceeds the budget")
    batches = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]) if order is None else order:
        if batches and size([lengths[j] for j in [*batches[-1], i]]) <= max_tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


@token_budget_batches.mistake("Nothing comes back. Return the list of batches.")
def no_batches_returned(lengths, max_tokens):
    in_order(lengths, max_tokens)


@token_budget_batches.mistake("`lengths` itself was sorted: `sort` works in place, and the indices are then places in the sorted list. Leave the list that you are given as it is.")
def given_list_sorted(lengths, max_tokens):
    lengths.sort()
    return in_order(lengths, max_tokens, range(len(lengths)))


@token_budget_batches.mistake("`lengths` itself was sorted, from the longest on: `sort` works in place, and the indices are then places in the sorted list. Leave the list that you are given as it is.")
def given_list_sorted_downwards(lengths, max_tokens):
    lengths.sort(reverse=True)
    return in_order(lengths, max_tokens, range(len(lengths)))


@token_budget_batches.mistake("Sentences of equal length get the same index, and the others are lost: looking for a length finds only one of them.")
def one_index_for_equal_lengths(lengths, max_tokens):
    return [[lengths.index(lengths[i]) for i in batch] for batch in in_order(lengths, max_tokens)]


@token_budget_batches.mistake("The last batch is left out. After the loop there is still one in hand.")
def last_batch_thrown_away(lengths, max_tokens):
    return in_order(lengths, max_tokens)[:-1]


@token_budget_batches.mistake("Batches that are not full are thrown away. Every sentence belongs into one, also where a batch stays small.")
def small_batches_thrown_away(lengths, max_tokens):
    return [batch for batch in in_order(lengths, max_tokens) if (len(batch) + 1) * lengths[batch[-1]] > max_tokens]


@token_budget_batches.mistake("The sentence that no longer fits is lost. It begins the next batch.")
def sentence_that_does_not_fit_is_lost(lengths, max_tokens):
    batches, batch = [], []
    if max(lengths, default=0) > max_tokens:
        raise ValueError
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if (len(batch) + 1) * lengths[i] > max_tokens:
            batches.append(batch)
            batch = []
        else:
            batch.append(i)
    return batches + [batch] if batch else batches


@token_budget_batches.mistake("The sentence that no longer fits is in two batches: it closes one and begins the next.")
def sentence_that_does_not_fit_is_twice(lengths, max_tokens):
    batches = in_order(lengths, max_tokens)
    return [batch + following[:1] for batch, following in zip(batches, batches[1:])] + batches[-1:]


@token_budget_batches.mistake("You compare the sum of the lengths with the budget. What counts is the padded size: the number of sentences times the longest.")
def budget_counted_on_the_sum(lengths, max_tokens):
    return in_order(lengths, max_tokens, size=sum)


@token_budget_batches.mistake("The budget is taken for a number of sentences. It is a number of tokens, padding included.")
def budget_counts_sentences(lengths, max_tokens):
    return in_order(lengths, max_tokens, size=len)


@token_budget_batches.mistake("You multiply by the shortest sentence of the batch. All are padded up to the longest.")
def budget_counted_by_the_shortest(lengths, max_tokens):
    return in_order(lengths, max_tokens, size=lambda batch: len(batch) * min(batch))


@token_budget_batches.mistake("From the longest on, the newest sentence is the shortest of its batch, and you multiply by that one. All are padded up to the longest.")
def longest_first_and_measured_by_the_newest(lengths, max_tokens):
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    return in_order(lengths, max_tokens, order, size=lambda batch: len(batch) * batch[-1])


@token_budget_batches.mistake("All batches are one and the same list, which is emptied and filled again. Begin a new one each time: `batch = []`.")
def one_list_again_and_again(lengths, max_tokens):
    batches = in_order(lengths, max_tokens)
    return batches[-1:] * len(batches)


@token_budget_batches.mistake("All sentences of one length are in one batch, however many they are. The budget is not looked at.")
def one_batch_for_each_length(lengths, max_tokens):
    if max(lengths, default=0) > max_tokens:
        raise ValueError
    return [[i for i, n in enumerate(lengths) if n == length] for length in sorted(set(lengths))]


@token_budget_batches.mistake("The new sentence is counted, but not its length: it may be the longest of its batch, up to which all are padded.")
def length_of_the_newest_left_out(lengths, max_tokens):
    return in_order(lengths, max_tokens, size=lambda batch: len(batch) * max(batch[:-1]))


@token_budget_batches.mistake("A batch ends only when it has reached the budget, and by then it may be too large. Before a sentence is added, ask whether it still fits.")
def ends_only_when_the_budget_is_reached(lengths, max_tokens):
    return in_order(lengths, max_tokens, size=lambda batch: (len(batch) - 1) * max(batch) + 1)


@token_budget_batches.mistake("You look whether the batch is full before the new sentence is in it, and then add it all the same: one too many.")
def one_sentence_too_many(lengths, max_tokens):
    return in_order(lengths, max_tokens, size=lambda batch: (len(batch) - 1) * max(batch[:-1]))


@token_budget_batches.mistake("There is an empty batch among them: a sentence that fills the budget alone, or the first one, found nothing to close.")
def empty_batch_among_them(lengths, max_tokens):
    return [[], *in_order(lengths, max_tokens)] if lengths else []


@token_budget_batches.mistake("The batches hold lengths. They are to hold indices: the places of the sentences in the list.")
def lengths_in_place_of_indices(lengths, max_tokens):
    return [[lengths[i] for i in batch] for batch in in_order(lengths, max_tokens)]


@token_budget_batches.mistake("The indices are places in the sorted list. They are to be places in `lengths`, as it was given.")
def places_in_the_sorted_list(lengths, max_tokens):
    return in_order(sorted(lengths), max_tokens, range(len(lengths)))


@token_budget_batches.mistake("The indices count from 1. They count from 0.")
def indices_from_one(lengths, max_tokens):
    return [[i + 1 for i in batch] for batch in in_order(lengths, max_tokens)]


@token_budget_batches.mistake("All batches are in one flat list. It is to be a list of lists.")
def one_flat_list(lengths, max_tokens):
    return [i for batch in in_order(lengths, max_tokens) for i in batch]


@token_budget_batches.mistake("The sentences are taken in the order they come in, so long ones meet short ones. Sort by length first.")
def sentences_not_sorted(lengths, max_tokens):
    return in_order(lengths, max_tokens, range(len(lengths)))


@token_budget_batches.mistake("Every sentence is alone. No padding, but no batch either: as many share one as the budget allows.")
def one_sentence_a_batch(lengths, max_tokens):
    return in_order(lengths, max_tokens, size=lambda batch: max_tokens + 1)


@token_budget_batches.mistake("Batches end long before the budget is used up. As many sentences share one as it allows, padding included.")
def batches_far_from_full(lengths, max_tokens):
    return in_order(lengths, max_tokens, size=lambda batch: max(len(batch) * max(batch), (len(batch) > 2) * (max_tokens + 1)))


@token_budget_batches.mistake("A sentence that exceeds the budget gets a batch of its own, which exceeds it too. Raise a ValueError.")
def too_long_sentence_let_through(lengths, max_tokens):
    return in_order(lengths, max_tokens, check=False)


@token_budget_batches.mistake("A sentence that exceeds the budget is left out without a word. Raise a ValueError.")
def too_long_sentence_left_out(lengths, max_tokens):
    return in_order(lengths, max_tokens, sorted((i for i, n in enumerate(lengths) if n <= max_tokens), key=lambda i: lengths[i]), check=False)


@token_budget_batches.mistake("A sentence that is exactly as long as the budget is refused. It fits, alone.")
def sentence_as_long_as_the_budget_refused(lengths, max_tokens):
    if max(lengths, default=0) >= max_tokens:
        raise ValueError("a sentence exceeds the budget")
    return in_order(lengths, max_tokens)


@token_budget_batches.mistake("Without lengths there is one empty batch. There should be none: `[]`.")
def empty_batch_for_nothing(lengths, max_tokens):
    return in_order(lengths, max_tokens) if lengths else [[]]


@token_budget_batches.mistake("Without lengths it raises an error. There is nothing to batch then, and `[]` is the answer.")
def error_for_nothing(lengths, max_tokens):
    if not lengths:
        return lengths[0]
    return in_order(lengths, max_tokens)


@token_budget_batches.mistake("Without lengths nothing comes back. An empty list is the answer.")
def none_for_nothing(lengths, max_tokens):
    return in_order(lengths, max_tokens) if lengths else None


# -------------------------------------------------------------------------------------- train_step


@LESSON.exercise(
    aspects={"one step": 2, "gradients cleared": 1, "clipping": 1, "mode": 1, "device": 1, "bfloat16": 1},
)
def train_step(rng):
    def pairs(*lengths, pad_id=0):
        """A batch of sentences with n_src and n_tgt words each, padded on the right."""
        words = np.setdiff1d(np.arange(3, 6), [pad_id])
        n_src, n_tgt = (max(one) for one in zip(*lengths))
        src = [[*rng.choice(words, size=n), *[pad_id] * (n_src - n)] for n, _ in lengths]
        tgt = [[1, *rng.choice(words, size=n), 2, *[pad_id] * (n_tgt - n)] for _, n in lengths]
        return {"src": ids(*src), "tgt": ids(*tgt), "pad_id": pad_id}

    def ask(aspect, says, batch, bound=1e3, ask="weights", rate=20.0, hidden=False, **asked):
        seed = int(rng.integers(2**31))
        return Case(
            aspect, says, probe="training_step", ask=ask, seed=seed, max_grad_norm=bound, rate=rate, hidden=hidden,
            **batch, **asked,
        )  # fmt: skip

    yield ask("one step", "two pairs of one length", pairs((3, 2), (3, 2)))
    yield ask("one step", "three pairs, padded in both languages", pairs((1, 3), (4, 1), (2, 2)))
    yield ask("one step", "padding has id 4", pairs((2, 1), (1, 3), pad_id=4))
    yield ask("one step", "one pair", pairs((5, 3)), hidden=True)
    yield ask("one step", "four pairs, padding has id 5", pairs((2, 4), (3, 1), (1, 1), (2, 2), pad_id=5), hidden=True)
    yield ask("gradients cleared", "two steps on the same batch", pairs((2, 3), (3, 1)), n_steps=2, rate=1.0)
    yield ask("gradients cleared", "three steps on another one", pairs((3, 2), (2, 2)), n_steps=3, rate=1.0, hidden=True)
    yield ask("clipping", "a gradient that is far too long", pairs((2, 2), (3, 3)), bound=0.1, rate=20.0)
    yield ask("clipping", "one that is longer still", pairs((1, 2), (2, 4)), bound=0.05, rate=30.0, hidden=True)
    yield ask("mode", "the mode, after an evaluation", pairs((2, 2)), ask="mode", training=False)
    yield ask("mode", "the mode, in the midst of training", pairs((1, 2)), ask="mode")
    yield ask("mode", "the mode of another model", pairs((2, 1)), ask="mode", training=False, hidden=True)
    device = pairs((3, 1), (2, 2))
    yield ask("device", "the model lies on another device than the batch", device, ask="elsewhere")
    yield ask("bfloat16", "amp=True", pairs((2, 3), (3, 2)), ask="precision", options={"amp": True})
    yield ask("bfloat16", "amp=False", pairs((2, 3), (3, 2)), ask="precision", options={"amp": False})
    yield ask("bfloat16", "amp left out", pairs((1, 2), (2, 1)), ask="precision", hidden=True)


def step_with(
    model, batch, optimizer, max_grad_norm, amp=False, *, cut=lambda tgt: (tgt[:, :-1], tgt[:, 1:]),
    loss_of=lambda logits, labels, pad_id: smoothed(logits, labels, pad_id, 0.1), clip=nn.utils.clip_grad_norm_,
    clear=lambda optimizer: optimizer.zero_grad(), precision=torch.bfloat16, move=lambda tensor, device: tensor.to(device),
    mode=lambda model: model.train(), result=lambda loss: loss.item(),
):  # fmt: skip
    """A right step, each part of which a mistake may replace."""
    weight = next(model.parameters())
    mode(model)
    src, tgt = move(batch.src, weight.device), move(batch.tgt, weight.device)
    read, labels = cut(tgt)
    with torch.autocast("cpu", precision, enabled=amp):
        logits = model(src, read)
    loss = loss_of(logits.to(weight.dtype), labels, model.pad_id)
    clear(optimizer)
    loss.backward()
    clip(model.parameters(), max_grad_norm)
    optimizer.step()
    return result(loss)


@train_step.mistake("The decoder reads the very words that it must say: inputs and labels are the same. `teacher_forcing` shifts them against each other.")
def labels_not_shifted(*args, **options):
    return step_with(*args, cut=lambda tgt: (tgt[:, 1:], tgt[:, 1:]), **options)


@train_step.mistake("Inputs and labels are both all words but the last. `teacher_forcing` shifts them against each other.")
def labels_are_the_inputs(*args, **options):
    return step_with(*args, cut=lambda tgt: (tgt[:, :-1], tgt[:, :-1]), **options)


@train_step.mistake("The labels are shifted twice: each position shall say the word after the next. `teacher_forcing` has shifted them already.")
def labels_shifted_twice(*args, **options):
    return step_with(*args, cut=lambda tgt: (tgt[:, :-2], tgt[:, 2:]), **options)


@train_step.mistake("Inputs and labels are swapped: the decoder reads what it should say. `teacher_forcing` gives the inputs first.")
def inputs_and_labels_swapped(*args, **options):
    return step_with(*args, cut=lambda tgt: (tgt[:, 1:], tgt[:, :-1]), **options)


@train_step.mistake("The decoder reads the whole target and is to say it again. Cut it with `teacher_forcing` first.")
def target_not_cut(*args, **options):
    return step_with(*args, cut=lambda tgt: (tgt, tgt), **options)


@train_step.mistake("The last column is cut off both: the model never learns to say <eos>. The labels keep it.")
def end_cut_off(*args, **options):
    return step_with(*args, cut=lambda tgt: (tgt[:, :-2], tgt[:, 1:-1]), **options)


@train_step.mistake("The target loses its first word, `<bos>`, before it is cut: it is shifted twice. `teacher_forcing` gets the whole target, once.")
def begin_cut_off(*args, **options):
    return step_with(*args, cut=lambda tgt: (tgt[:, 1:-1], tgt[:, 2:]), **options)


@train_step.mistake("Source and target are swapped: the model reads English and is to write French.")
def source_and_target_swapped(model, batch, *args, **options):
    return step_with(model, type(batch)(batch.tgt, batch.src), *args, **options)


@train_step.mistake("The model is called with its two arguments in the other order. The French ids come first, then what the decoder reads.")
def arguments_of_the_model_swapped(model, batch, *args, **options):
    class Swapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.model, self.pad_id = model, model.pad_id

        def forward(self, src_ids, tgt_ids):
            return self.model(tgt_ids, src_ids)

    return step_with(Swapped(), batch, *args, **options)


@train_step.mistake("The labels are not smoothed. The loss is to have a smoothing of 0.1.")
def loss_without_smoothing(*args, **options):
    return step_with(*args, loss_of=lambda logits, labels, pad_id: smoothed(logits, labels, pad_id, 0.0), **options)


@train_step.mistake("Padding is always taken to be id 0. Which id it is, the model tells: `model.pad_id`.")
def padding_taken_for_zero(*args, **options):
    return step_with(*args, loss_of=lambda logits, labels, pad_id: smoothed(logits, labels, 0, 0.1), **options)


@train_step.mistake("Padding counts in the loss. Give `model.pad_id` to `label_smoothed_loss`.")
def padding_counts(*args, **options):
    return step_with(*args, loss_of=lambda logits, labels, pad_id: smoothed(logits, labels, -100, 0.1), **options)


@train_step.mistake("The model's logits go through a softmax before the loss, which applies one itself. Hand on the logits as they are.")
def softmax_before_the_loss(*args, **options):
    return step_with(*args, loss_of=lambda logits, labels, pad_id: smoothed(logits.softmax(-1), labels, pad_id, 0.1), **options)


@train_step.mistake("The loss is the sum over all words. It is their mean.")
def sum_of_the_losses(*args, **options):
    def added(logits, labels, pad_id):
        return smoothed(logits, labels, pad_id, 0.1) * (labels != pad_id).sum()

    return step_with(*args, loss_of=added, **options)


@train_step.mistake("The old gradients are never cleared, so what steps before have left is added. Clear them before `backward`.")
def gradients_not_cleared(*args, **options):
    return step_with(*args, clear=lambda optimizer: None, **options)


@train_step.mistake("The gradients are cleared after the step. Whatever is in them before the first one is still added: clear them before `backward`.")
def gradients_cleared_afterwards_only(model, batch, optimizer, *args, **options):
    loss = step_with(model, batch, optimizer, *args, clear=lambda optimizer: None, **options)
    optimizer.zero_grad()
    return loss


@train_step.mistake("The weights do not move. Either no step is taken, or the gradients that it goes along are cleared: clear, backward, clip, step.")
def weights_stay_as_they_are(model, batch, optimizer, *args, **options):
    return step_with(model, batch, torch.optim.SGD(model.parameters(), lr=0.0), *args, **options)


@train_step.mistake("The gradients are not clipped when the step is taken. `clip_grad_norm_` has its place after `backward` and before `step`.")
def gradients_not_clipped(*args, **options):
    return step_with(*args, clip=lambda parameters, bound: None, **options)


@train_step.mistake("Each number of the gradient is clipped for itself, which turns its direction. It is the length of the whole that is bounded.")
def each_number_clipped(*args, **options):
    return step_with(*args, clip=nn.utils.clip_grad_value_, **options)


@train_step.mistake("Each parameter's gradient is clipped for itself, which turns the direction of the whole. All together they are one long vector.")
def each_parameter_clipped(*args, **options):
    def clip(parameters, bound):
        for parameter in parameters:
            nn.utils.clip_grad_norm_([parameter], bound)

    return step_with(*args, clip=clip, **options)


@train_step.mistake("Short gradients are made longer: every gradient gets the length `max_grad_norm`. Only longer ones are to be shortened.")
def gradients_always_scaled(*args, **options):
    def clip(parameters, bound):
        gradients = [parameter.grad for parameter in parameters]
        length = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        for gradient in gradients:
            gradient.mul_(bound / length)

    return step_with(*args, clip=clip, **options)


@train_step.mistake("The bound is always 1. It is given as `max_grad_norm`.")
def bound_always_one(*args, **options):
    return step_with(*args, clip=lambda parameters, bound: nn.utils.clip_grad_norm_(parameters, 1.0), **options)


@train_step.mistake("The loss after the step comes back, computed anew. Return the one that the step was made from.")
def loss_after_the_step(model, batch, optimizer, max_grad_norm, amp=False):
    step_with(model, batch, optimizer, max_grad_norm, amp=amp)
    with torch.no_grad():
        logits = model(batch.src.to(model.generator.weight.device), batch.tgt[:, :-1].to(model.generator.weight.device))
        return smoothed(logits, batch.tgt[:, 1:].to(logits.device), model.pad_id, 0.1).item()


@train_step.mistake("The loss comes back as a tensor, with the whole record of the step. `.item()` makes a plain number of it.")
def loss_as_a_tensor(*args, **options):
    return step_with(*args, result=lambda loss: loss.float(), **options)


@train_step.mistake("The perplexity comes back, the exponential of the loss. Return the loss.")
def perplexity_returned(*args, **options):
    return step_with(*args, result=lambda loss: loss.exp().item(), **options)


@train_step.mistake("Nothing comes back. Return the loss as a float.")
def nothing_returned(*args, **options):
    return step_with(*args, result=lambda loss: None, **options)


@train_step.mistake("The model stays in whatever mode it was, so after an evaluation it trains without dropout. Begin with `model.train()`.")
def mode_not_set(*args, **options):
    return step_with(*args, mode=lambda model: None, **options)


@train_step.mistake("The model is put into evaluation mode, where dropout is off. Training wants `model.train()`.")
def evaluation_mode(*args, **options):
    return step_with(*args, mode=lambda model: model.eval(), **options)


@train_step.mistake("The model is left in evaluation mode. Who evaluates next sets the mode himself; a training step leaves it in training mode.")
def evaluation_mode_afterwards(model, *args, **options):
    loss = step_with(model, *args, **options)
    model.eval()
    return loss


@train_step.mistake("The batch, or a tensor that you made, stays on the CPU. Everything that meets the model has to be moved to its device: `next(model.parameters()).device`. `.to` gives a new tensor.")
def batch_not_moved(*args, **options):
    return step_with(*args, move=lambda tensor, device: tensor, **options)


@train_step.mistake("`amp` has no effect: the model computes in float32 all the time. `torch.autocast` takes it as `enabled`, and the kind of device that the model lies on, whichever it is.")
def amp_without_effect(model, batch, optimizer, max_grad_norm, amp=False):
    return step_with(model, batch, optimizer, max_grad_norm)


@train_step.mistake("The model computes in bfloat16 all the time, also where `amp` is False.")
def always_in_bfloat16(model, batch, optimizer, max_grad_norm, amp=False):
    return step_with(model, batch, optimizer, max_grad_norm, amp=next(model.parameters()).dtype == torch.float32)


@train_step.mistake("With `amp` the model computes in float16, whose numbers end at 65504. Give autocast `dtype=torch.bfloat16`.")
def float16_in_place_of_bfloat16(*args, **options):
    return step_with(*args, precision=torch.float16, **options)


@train_step.mistake("The weights themselves become bfloat16, and small steps are lost in rounding. `torch.autocast` leaves the weights as they are.")
def weights_turned_to_bfloat16(model, batch, optimizer, max_grad_norm, amp=False):
    return step_with(model.bfloat16() if amp else model, batch, optimizer, max_grad_norm)
