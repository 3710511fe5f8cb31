"""Lesson 09: what it costs, and how to pay less."""

import numpy as np
import torch
import torch.nn.functional as F

from grader.spec import Case, Lesson

LESSON = Lesson("09_scaling")


# ----------------------------------------------------------------------------------- attention_cost


@LESSON.exercise(aspects={"values": 3, "other sizes": 1}, returns=("flops", "bytes"))
def attention_cost(rng):
    n, heads, width = int(rng.integers(5, 60)), int(rng.integers(2, 7)), int(rng.integers(3, 9))
    yield Case("values", "n 5, d_model 4, 2 heads, 4 bytes a number", 5, 4, 2, 4)
    yield Case("values", "the paper's block with 100 words: d_model 512, 8 heads, 4 bytes", 100, 512, 8, 4)
    yield Case("values", "n 7, d_model 6, 3 heads, 2 bytes a number", 7, 6, 3, 2)
    yield Case("values", f"n {n}, d_model {heads * width}, {heads} heads", n, heads * width, heads, 8, hidden=True)
    yield Case("other sizes", "one word, one head", 1, 3, 1, 2)
    yield Case("other sizes", "n 32768, d_model 4096, 32 heads, 2 bytes", 32768, 4096, 32, 2)
    yield Case("other sizes", "n 9, d_model 10, 10 heads, 4 bytes", 9, 10, 10, 4, hidden=True)


def cost(n, d_model, n_heads, bytes_per_number, projections=8, products=4, weights=None):
    """The right cost, whose parts mistakes below replace."""
    flops = projections * n * d_model**2 + products * n**2 * d_model
    return flops, n_heads * n * n * bytes_per_number if weights is None else weights


@attention_cost.mistake("Each multiplication comes with an addition, and both count: 2 for each pair. You count them as one.")
def multiply_adds_counted_once(*sizes):
    return cost(*sizes, projections=4, products=2)


@attention_cost.mistake("Three projections are counted. There is a fourth: W_O, after the heads.")
def w_o_forgotten(*sizes):
    return cost(*sizes, projections=6)


@attention_cost.mistake("One projection is counted. There are four: for queries, keys, values, and W_O.")
def one_projection_only(*sizes):
    return cost(*sizes, projections=2)


@attention_cost.mistake("One product of attention is counted. There are two: queries with keys, and weights with values.")
def one_product_only(*sizes):
    return cost(*sizes, products=2)


@attention_cost.mistake("The two products are left out: queries with keys, and weights with values. They grow with the square of n.")
def products_left_out(*sizes):
    return cost(*sizes, products=0)


@attention_cost.mistake("The four projections are left out. Each multiplies every word's vector with a matrix (d_model, d_model).")
def projections_left_out(*sizes):
    return cost(*sizes, projections=0)


@attention_cost.mistake("The products are counted in full width for every head. A head has d_model / n_heads features: more heads cost no more.")
def every_head_in_full_width(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, products=4 * n_heads)


@attention_cost.mistake("The products of a single head are counted. All heads together have d_model features.")
def products_of_one_head(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, products=4 / n_heads)


@attention_cost.mistake("The projections are counted for every head in full width. The heads share four matrices (d_model, d_model) among them.")
def projections_for_every_head(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, projections=8 * n_heads)


@attention_cost.mistake("The projections of a single head are counted: (d_model, d_model / n_heads). All heads together have (d_model, d_model).")
def projections_of_one_head(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, projections=8 / n_heads)


@attention_cost.mistake("The way back is counted too. What is asked for is the forward pass.")
def backward_pass_counted_too(*sizes):
    return cost(*sizes, projections=24, products=12)


@attention_cost.mistake("The projections are counted for one word only. There are n of them.")
def projections_of_one_word(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, projections=8 / n)


@attention_cost.mistake("A projection multiplies each word with a whole matrix: d_model squared. You count d_model once.")
def vectors_in_place_of_matrices(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, projections=8 / d_model)


@attention_cost.mistake("The products are counted as if n appeared once. Every query meets every key: n squared.")
def products_linear_in_n(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, products=4 / n)


@attention_cost.mistake("The products are n times n, without the features. Each score is a sum over features.")
def features_left_out_of_the_products(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, products=4 / d_model)


@attention_cost.mistake("The softmax is counted too. It is small beside the rest, and left out here.")
def softmax_counted_too(n, d_model, n_heads, bytes_per_number):
    flops, size = cost(n, d_model, n_heads, bytes_per_number)
    return flops + 5 * n_heads * n * n, size


@attention_cost.mistake("A feed-forward part is counted as well. The cost of attention alone is asked for.")
def feed_forward_counted_too(*sizes):
    return cost(*sizes, projections=24)


@attention_cost.mistake("The bytes are those of one head's weights. Every head has its own (n, n).")
def bytes_of_one_head(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=n * n * bytes_per_number)


@attention_cost.mistake("These are numbers, not bytes. Each of them takes bytes_per_number.")
def numbers_in_place_of_bytes(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=n_heads * n * n)


@attention_cost.mistake("These are bits. A byte has 8 of them, and bytes are asked for.")
def bits_in_place_of_bytes(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=8 * n_heads * n * n * bytes_per_number)


@attention_cost.mistake("A number is always taken to have 4 bytes. How many it has, `bytes_per_number` says.")
def always_four_bytes(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=4 * n_heads * n * n)


@attention_cost.mistake("The bytes grow with n, not with its square. The weights of one head are an (n, n) matrix.")
def bytes_linear_in_n(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=n_heads * n * bytes_per_number)


@attention_cost.mistake("The bytes are those of queries, keys and values. Those of the attention weights are asked for.")
def bytes_of_queries_keys_and_values(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=3 * n * d_model * bytes_per_number)


@attention_cost.mistake("The bytes are those of one vector for each word. Those of the attention weights are asked for: one for each pair of words, in each head.")
def bytes_of_the_words(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=n * d_model * bytes_per_number)


@attention_cost.mistake("The numbers in one vector for each word are counted. The bytes of the attention weights are asked for: one weight for each pair of words, in each head.")
def numbers_in_the_words(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=n * d_model)


@attention_cost.mistake("The bytes of queries, keys and values are counted as well. Those of the attention weights alone are asked for.")
def queries_keys_and_values_in_the_bytes(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=(n_heads * n * n + 3 * n * d_model) * bytes_per_number)


@attention_cost.mistake("The bytes are those of the parameters. Those of the attention weights are asked for: one for each pair of words, in each head.")
def bytes_of_the_parameters(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=4 * d_model**2 * bytes_per_number)


@attention_cost.mistake("Scores and weights are both counted. The bytes of the weights alone are asked for.")
def scores_and_weights_counted(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=2 * n_heads * n * n * bytes_per_number)


@attention_cost.mistake("The bytes have the features in them. A weight is one number for each pair of words and each head.")
def bytes_with_features(n, d_model, n_heads, bytes_per_number):
    return cost(n, d_model, n_heads, bytes_per_number, weights=n_heads * n * n * d_model * bytes_per_number)


@attention_cost.mistake("The two come in the other order: first the operations, then the bytes.")
def bytes_before_operations(*sizes):
    return cost(*sizes)[::-1]


@attention_cost.mistake("The operations come alone. Return both: `return flops, bytes`.")
def operations_alone(*sizes):
    return cost(*sizes)[0]


# ----------------------------------------------------------------------------------- training_flops


@LESSON.exercise(aspects={"values": 3})
def training_flops(rng):
    parameters, tokens = int(rng.integers(10**4, 10**5)), int(rng.integers(10**5, 10**6))
    yield Case("values", "5 parameters, 7 tokens", 5, 7)
    yield Case("values", "0.9 million parameters, 1 million tokens", 900_000, 1_000_000)
    yield Case("values", "1 parameter, 1 token", 1, 1)
    yield Case("values", f"{parameters} parameters, {tokens} tokens", parameters, tokens, hidden=True)


@training_flops.mistake("This is the forward pass alone. The backward pass costs twice as much again.")
def forward_pass_alone(n_parameters, n_tokens):
    return 2 * n_parameters * n_tokens


@training_flops.mistake("This is the backward pass alone. The forward pass comes before it.")
def backward_pass_alone(n_parameters, n_tokens):
    return 4 * n_parameters * n_tokens


@training_flops.mistake("A multiplication and its addition are counted as one. They count 2.")
def multiply_adds_counted_once_in_training(n_parameters, n_tokens):
    return 3 * n_parameters * n_tokens


@training_flops.mistake("The forward pass is counted twice. Count it once; the backward pass costs twice as much as that.")
def forward_pass_counted_twice(n_parameters, n_tokens):
    return 8 * n_parameters * n_tokens


@training_flops.mistake("The 6 is missing: each parameter does 6 operations for each token.")
def six_forgotten(n_parameters, n_tokens):
    return n_parameters * n_tokens


@training_flops.mistake("Parameters and tokens are added. Every token meets every parameter: multiply them.")
def parameters_and_tokens_added(n_parameters, n_tokens):
    return 6 * (n_parameters + n_tokens)


@training_flops.mistake("This is the cost of one token. Multiply by their number.")
def cost_of_one_token(n_parameters, n_tokens):
    return 6 * n_parameters


@training_flops.mistake("The parameters come in squared. Each of them works once for each token.")
def parameters_squared(n_parameters, n_tokens):
    return 6 * n_parameters**2 * n_tokens


@training_flops.mistake("The tokens come in squared. Only the products of attention grow so, and the rule leaves them out.")
def tokens_squared(n_parameters, n_tokens):
    return 6 * n_parameters * n_tokens**2


# ---------------------------------------------------------------------------------- fused_attention


@LESSON.exercise(aspects={"values": 2, "mask": 2, "PyTorch's call": 1, "hidden rows": 1, "gradients": 1})
def fused_attention(rng):
    def some(*shape, dtype=np.float64):
        return torch.from_numpy(rng.normal(size=shape).astype(dtype))

    def three(lead, n_q, n_k, d_k, dtype=np.float64):  # values as wide as keys: some kernels of PyTorch need it
        return some(*lead, n_q, d_k, dtype=dtype), some(*lead, n_k, d_k, dtype=dtype), some(*lead, n_k, d_k, dtype=dtype)

    def mask(*rows):
        return torch.tensor([[mark == "1" for mark in row] for row in rows])

    yield Case("values", "two queries, three keys", *three((2, 1), 2, 3, 4))
    yield Case("values", "three sentences, two heads", *three((3, 2), 4, 3, 2))
    yield Case("values", "float32", *three((1, 2), 3, 5, 6, dtype=np.float32))
    yield Case("values", "no axes before the words", *three((), 3, 2, 5), hidden=True)
    yield Case("values", "one query", *three((2, 3), 1, 4, 8), hidden=True)
    yield Case("mask", "a mask for all heads", *three((2, 2), 3, 4, 2), mask("1101", "0111", "1000"))
    yield Case("mask", "the future hidden", *three((1, 2), 3, 3, 4), mask("100", "110", "111"))
    padding = mask("1110", "1011")[:, None, None]
    yield Case("mask", "padding, a mask for each sentence", *three((2, 3), 2, 4, 2), padding)
    yield Case("mask", "a mask for each head", *three((1, 2), 2, 3, 4), torch.stack([mask("110", "011"), mask("001", "101")])[None], hidden=True)
    yield Case("PyTorch's call", "who does the work", *three((1, 2), 2, 3, 4), probe="calls_fused")
    yield Case("PyTorch's call", "who does the work, with a mask", *three((1, 1), 2, 2, 4), mask("10", "11"), probe="calls_fused")
    yield Case("hidden rows", "a row with nothing to look at", *three((2, 2), 3, 4, 2), mask("1100", "0000", "0001"), zeros_exact=True)
    nothing = torch.stack([mask("111"), mask("000")])[:, None]
    yield Case("hidden rows", "a sentence with nothing to look at", *three((2, 1), 2, 3, 4), nothing, hidden=True, zeros_exact=True)
    yield Case("gradients", "gradients", *three((1, 2), 2, 3, 4), probe="gradients")
    yield Case("gradients", "gradients where a row has nothing to look at", *three((1, 2), 2, 3, 2), mask("000", "110"), probe="gradients")
    yield Case("gradients", "another one", *three((2, 1), 3, 2, 4), mask("10", "00", "11"), probe="gradients", hidden=True)


def fused(q, k, v, mask=None, scale=None, **options):
    """A right answer, for mistakes below to lead astray."""
    if mask is None:
        return F.scaled_dot_product_attention(q, k, v, scale=scale, **options)
    is_seeing = mask.any(-1, keepdim=True)
    return F.scaled_dot_product_attention(q, k, v, mask | ~is_seeing, scale=scale, **options) * is_seeing


@fused_attention.mistake("The mask is the wrong way round: what it shows is hidden. True means the same for PyTorch's call as in this course.")
def mask_turned_round(q, k, v, mask=None):
    return fused(q, k, v, None if mask is None else ~mask)


@fused_attention.mistake("The mask is not used. Hand it on as `attn_mask`.")
def mask_ignored(q, k, v, mask=None):
    return fused(q, k, v)


@fused_attention.mistake("The mask is handed on as numbers, and those are added to the scores. Hand it on as it is, with booleans.")
def mask_added_as_numbers(q, k, v, mask=None):
    if mask is None:
        return fused(q, k, v)
    return F.scaled_dot_product_attention(q, k, v, mask.to(q.dtype))


@fused_attention.mistake("The future is hidden, whatever the mask says: leave out `is_causal`.")
def future_always_hidden(q, k, v, mask=None):
    past = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    return fused(q, k, v, past if mask is None else mask & past)


@fused_attention.mistake("The future is hidden in the place of what the mask hides. Hand on the mask as `attn_mask`, and leave out `is_causal`.")
def future_hidden_in_place_of_the_mask(q, k, v, mask=None):
    return F.scaled_dot_product_attention(q, k, v, is_causal=mask is not None)


@fused_attention.mistake("Without a mask `mask` is None, which has no `any`. Treat that case first.")
def no_mask_not_minded(q, k, v, mask=None):
    is_seeing = mask.any(-1, keepdim=True)
    return F.scaled_dot_product_attention(q, k, v, mask | ~is_seeing) * is_seeing


@fused_attention.mistake("The rows that see something are put to 0, and the empty ones are kept: the booleans are the wrong way round.")
def seeing_rows_put_to_zero(q, k, v, mask=None):
    return fused(q, k, v) if mask is None else fused(q, k, v, mask | ~mask.any(-1, keepdim=True)) * ~mask.any(-1, keepdim=True)


@fused_attention.mistake("A row is taken for empty when one key is hidden from it. It is empty when all are: `any`, and not `all`.")
def one_hidden_key_empties_a_row(q, k, v, mask=None):
    if mask is None:
        return fused(q, k, v)
    sees_all = mask.all(-1, keepdim=True)
    return F.scaled_dot_product_attention(q, k, v, mask | ~sees_all) * sees_all


@fused_attention.mistake("`any` takes the axis of the keys away, and its result no longer fits the mask. `keepdim=True` keeps it, with length 1.")
def axis_of_the_keys_not_kept(q, k, v, mask=None):
    if mask is None:
        return fused(q, k, v)
    is_seeing = mask.any(-1)
    return F.scaled_dot_product_attention(q, k, v, mask | ~is_seeing).masked_fill(~is_seeing, 0.0)


@fused_attention.mistake("The future is hidden where no mask is given. Without a mask every query looks at every key.")
def future_hidden_without_a_mask(q, k, v, mask=None):
    return fused(q, k, v, torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril() if mask is None else mask)


@fused_attention.mistake("The scores are divided by the root of d_k twice, which is d_k. PyTorch's call divides by the root for you.")
def scaled_twice(q, k, v, mask=None):
    return fused(q / q.shape[-1] ** 0.5, k, v, mask)


@fused_attention.mistake("The scores are not scaled. PyTorch's call divides by the root of d_k unless told otherwise: leave out `scale`.")
def scale_switched_off(q, k, v, mask=None):
    return fused(q, k, v, mask, scale=1.0)


@fused_attention.mistake("Keys and values are swapped. The order is: queries, keys, values.")
def keys_and_values_swapped(q, k, v, mask=None):
    return fused(q, v, k, mask)


@fused_attention.mistake("The keys are handed on as values too. The third argument is v.")
def keys_in_place_of_values(q, k, v, mask=None):
    return fused(q, k, k, mask)


@fused_attention.mistake("Some weights are dropped. Attention alone drops nothing: leave out `dropout_p`.")
def weights_dropped(q, k, v, mask=None):
    return fused(q, k, v, mask) * 2 - fused(q, k, v, mask, dropout_p=1.0) * 2


@fused_attention.mistake("The output comes with something beside it. Return the output alone.")
def output_and_weights(q, k, v, mask=None):
    return fused(q, k, v, mask), torch.softmax(q @ k.transpose(-1, -2), -1)


@fused_attention.mistake("The output comes with None beside it. There are no weights: return the output alone.")
def output_and_none(q, k, v, mask=None):
    return fused(q, k, v, mask), None


def by_hand(q, k, v, mask, hidden):
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, hidden)
    return torch.softmax(scores, -1) @ v


@fused_attention.mistake("The result is right, and the work was done by hand, here or in `attention`. This exercise is about handing it over: call `F.scaled_dot_product_attention` yourself.")
def attention_written_out(q, k, v, mask=None):
    if mask is None:
        return by_hand(q, k, v, None, 0)
    return by_hand(q, k, v, mask | ~mask.any(-1, keepdim=True), -torch.inf) * mask.any(-1, keepdim=True)


@fused_attention.mistake("A row with nothing to look at becomes NaN. Let it look everywhere for the call, and set its output to 0 afterwards.")
def empty_rows_not_a_number(q, k, v, mask=None):
    output = fused(q, k, v, mask)
    return output if mask is None else torch.where(mask.any(-1, keepdim=True), output, torch.nan)


@fused_attention.mistake("A row with nothing to look at looks at everything. Its output is to be 0.")
def empty_rows_look_everywhere(q, k, v, mask=None):
    if mask is None:
        return fused(q, k, v)
    return F.scaled_dot_product_attention(q, k, v, mask | ~mask.any(-1, keepdim=True))


@fused_attention.mistake("NaN is replaced in the output, but it is still in the gradients. Keep it from coming up: let such a row look everywhere first.")
def not_a_number_in_the_gradients(q, k, v, mask=None):
    if mask is None:
        return fused(q, k, v)
    F.scaled_dot_product_attention(q, k, v)
    return by_hand(q, k, v, mask, -torch.inf).nan_to_num(0.0)


@fused_attention.mistake("No gradient flows: the result is cut from the record. Leave out `.detach()` and `torch.no_grad()`.")
def record_cut(q, k, v, mask=None):
    return fused(q.detach(), k.detach(), v.detach(), mask)


@fused_attention.mistake("The result is computed in float32, whatever came in. It has the dtype of q.")
def always_float32(q, k, v, mask=None):
    return fused(q.float(), k.float(), v.float(), mask)


# ----------------------------------------------------------------------------- accumulate_gradients


@LESSON.exercise(aspects={"gradients": 3, "old gradients": 1, "the loss": 1, "one graph at a time": 1, "uneven batches": 1})
def accumulate_gradients(rng):
    def micro_batches(*marks):
        """One for each text: 1 stands for a real row, 0 for padding."""
        return [
            [
                torch.from_numpy(rng.normal(size=(len(text), 3))),
                torch.from_numpy(np.where([mark == "1" for mark in text], rng.normal(size=len(text)), np.nan)),
            ]
            for text in marks
        ]

    def ask(aspect, says, marks, ask="gradients", hidden=False, old=False):
        seed = int(rng.integers(2**31))
        return Case(
            aspect, says, probe="accumulation", ask=ask, micro_batches=micro_batches(*marks), seed=seed, old=old, hidden=hidden
        )

    yield ask("gradients", "two micro batches of two", ["11", "11"])
    yield ask("gradients", "three micro batches of two", ["11", "11", "11"])
    yield ask("gradients", "one micro batch", ["111"])
    yield ask("gradients", "four micro batches of three", ["111"] * 4, hidden=True)
    yield ask("old gradients", "gradients of a step before", ["11", "11"], old=True)
    yield ask("old gradients", "more of them", ["111", "111", "111"], old=True, hidden=True)
    yield ask("the loss", "what comes back, and whether the weights stay", ["11", "11", "11"], ask="manner")
    yield ask("the loss", "the same for one micro batch", ["111"], ask="manner", hidden=True)
    yield ask("one graph at a time", "how many graphs are alive at once, of four", ["11"] * 4, ask="manner")
    yield ask("one graph at a time", "how many, of six", ["1"] * 6, ask="manner", hidden=True)
    yield ask("uneven batches", "one real token, then four", ["1", "1111"])
    yield ask("uneven batches", "padding: three real tokens, one, two", ["111", "100", "0110"])
    yield ask("uneven batches", "a micro batch of padding alone", ["11", "00", "111"])
    yield ask("uneven batches", "others", ["10000", "111", "01", "1111111"], hidden=True)


def accumulated(
    model, micro_batches, loss_fn, clear=True, share=lambda number, tokens, total, count: 1 / total,
    result=lambda sums, counts: sum(sums) / sum(counts), used=lambda batches: batches,
):  # fmt: skip
    """A right accumulation, parts of which a mistake may replace."""
    with torch.no_grad():
        counts = [loss_fn(model, micro)[1] for micro in micro_batches]
    if clear:
        model.zero_grad()
    sums = []
    for number, micro in enumerate(used(micro_batches)):
        loss, tokens = loss_fn(model, micro)
        (loss * share(number, tokens, sum(counts), len(counts))).backward()
        sums.append(loss.item())
    return result(sums, counts)


def average(loss, tokens):
    """What dividing a tensor by a number of tokens gives, also by 0."""
    return loss / tokens if tokens else float("nan")


@accumulate_gradients.mistake("Each micro batch is averaged by itself, and then all of them. A token in a short one then counts more: divide by the number of all tokens.")
def mean_of_the_means(model, micro_batches, loss_fn):
    return accumulated(
        model, micro_batches, loss_fn, share=lambda number, tokens, total, count: 1 / max(tokens, 1) / count,
        result=lambda sums, counts: sum(one / max(tokens, 1) for one, tokens in zip(sums, counts)) / len(counts),
    )  # fmt: skip


@accumulate_gradients.mistake("Each micro batch is averaged by itself, and one without real tokens gives 0 divided by 0. Add up sums, and divide once, by the number of all tokens.")
def mean_of_the_means_and_of_nothing(model, micro_batches, loss_fn):
    return accumulated(
        model, micro_batches, loss_fn, share=lambda number, tokens, total, count: average(1, tokens) / count,
        result=lambda sums, counts: sum(map(average, sums, counts)) / len(counts),
    )  # fmt: skip


@accumulate_gradients.mistake("The gradient averages each micro batch by itself, and then all of them; only the loss is divided by all tokens. A token in a short micro batch counts more.")
def gradients_of_the_mean_of_means(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, share=lambda number, tokens, total, count: 1 / max(tokens, 1) / count)


@accumulate_gradients.mistake("The gradient is right, but the loss is the mean of the micro batches' means. Divide the sum of all by the number of all tokens.")
def loss_as_the_mean_of_means(model, micro_batches, loss_fn):
    def result(sums, counts):
        return sum(one / max(tokens, 1) for one, tokens in zip(sums, counts)) / len(counts)

    return accumulated(model, micro_batches, loss_fn, result=result)


@accumulate_gradients.mistake("The means of the micro batches are added up, and not averaged. More micro batches then mean longer steps.")
def means_added_up(model, micro_batches, loss_fn):
    return accumulated(
        model, micro_batches, loss_fn, share=lambda number, tokens, total, count: 1 / max(tokens, 1),
        result=lambda sums, counts: sum(one / max(tokens, 1) for one, tokens in zip(sums, counts)),
    )  # fmt: skip


@accumulate_gradients.mistake("The gradients of the means are added up; only the loss is divided by all tokens. More micro batches then mean longer steps.")
def gradients_of_the_means_added_up(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, share=lambda number, tokens, total, count: 1 / max(tokens, 1))


@accumulate_gradients.mistake("The gradients are those of the sum. Divide them by the number of all tokens.")
def gradients_not_divided(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, share=lambda *_: 1.0)


@accumulate_gradients.mistake("Neither gradients nor loss are divided: both are sums. Divide them by the number of all tokens.")
def nothing_divided(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, share=lambda *_: 1.0, result=lambda sums, counts: sum(sums))


@accumulate_gradients.mistake("You divide by the number of micro batches. Divide by the number of tokens in all of them.")
def divided_by_the_number_of_micro_batches(model, micro_batches, loss_fn):
    return accumulated(
        model, micro_batches, loss_fn, share=lambda number, tokens, total, count: 1 / count,
        result=lambda sums, counts: sum(sums) / len(counts),
    )  # fmt: skip


@accumulate_gradients.mistake("The gradients are divided by the number of micro batches. Divide them by the number of tokens in all of them, as the loss.")
def gradients_divided_by_the_number_of_micro_batches(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, share=lambda number, tokens, total, count: 1 / count)


@accumulate_gradients.mistake("The gradients are right, but the loss is divided by the number of micro batches. Divide it by the number of all tokens too.")
def loss_divided_by_the_number_of_micro_batches(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, result=lambda sums, counts: sum(sums) / len(counts))


@accumulate_gradients.mistake("Each micro batch is divided by its own tokens, and the whole by all tokens once more. One division at the end is enough.")
def divided_by_its_own_tokens_and_by_all(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, share=lambda number, tokens, total, count: average(1, tokens) / total)


@accumulate_gradients.mistake("You divide by the tokens of the last micro batch alone: the number is overwritten in each round. Add them up: `+=`.")
def divided_by_the_last_ones_tokens(model, micro_batches, loss_fn):
    with torch.no_grad():
        _, last = loss_fn(model, micro_batches[-1])
    return accumulated(
        model, micro_batches, loss_fn, share=lambda *_: 1 / last, result=lambda sums, counts: sum(sums) / last,
    )  # fmt: skip


@accumulate_gradients.mistake("You divide by tokens and by micro batches. The number of all tokens is enough.")
def divided_twice(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, share=lambda number, tokens, total, count: 1 / total / count)


@accumulate_gradients.mistake("Each micro batch is divided by the tokens counted so far, and so the first ones by too few. Divide by all tokens, after the last one.")
def divided_by_the_tokens_so_far(model, micro_batches, loss_fn):
    so_far = []

    def share(number, tokens, total, count):
        so_far.append(tokens)
        return 1 / max(sum(so_far), 1)

    return accumulated(model, micro_batches, loss_fn, share=share)


@accumulate_gradients.mistake("The gradients are divided after each micro batch, the first one's again and again. Divide once, after the last: the lines stand too far to the right.")
def divided_in_every_round(model, micro_batches, loss_fn):
    model.zero_grad()
    loss_of_all, total = 0.0, 0
    for micro in micro_batches:
        loss, tokens = loss_fn(model, micro)
        loss.backward()
        loss_of_all, total = loss_of_all + loss.item(), total + tokens
        for parameter in model.parameters():
            parameter.grad /= max(total, 1)
    return loss_of_all / total


@accumulate_gradients.mistake("Only the last micro batch is left in the gradients: they are cleared before each one. Clear them once, at the beginning.")
def cleared_before_each(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, share=lambda number, tokens, total, count: (number == count - 1) / total)


@accumulate_gradients.mistake("Only the first micro batch reaches the gradients. Call `backward` for each of them.")
def first_micro_batch_only(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, share=lambda number, tokens, total, count: (number == 0) / total)


@accumulate_gradients.mistake("The last micro batch is left out.")
def last_micro_batch_left_out(model, micro_batches, loss_fn):
    return accumulated(
        model, micro_batches, loss_fn, used=lambda batches: batches[:-1] if len(batches) > 1 else batches,
    )  # fmt: skip


@accumulate_gradients.mistake("What a step before has left is still in the gradients. Clear them at the beginning.")
def old_gradients_kept(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, clear=False)


@accumulate_gradients.mistake("What a step before has left is still in the gradients, and divided along with the new ones. Clear them at the beginning.")
def old_gradients_kept_and_divided(model, micro_batches, loss_fn):
    counts = 0
    loss_of_all = 0.0
    for micro in micro_batches:
        loss, tokens = loss_fn(model, micro)
        loss.backward()
        counts, loss_of_all = counts + tokens, loss_of_all + loss.item()
    for parameter in model.parameters():
        parameter.grad /= counts
    return loss_of_all / counts


@accumulate_gradients.mistake("All graphs are alive at once: the losses are added up, and `backward` comes at the very end. So the memory is that of the large batch. Call it for each micro batch.")
def backward_at_the_end(model, micro_batches, loss_fn):
    found = [loss_fn(model, micro) for micro in micro_batches]
    total = sum(tokens for _, tokens in found)
    model.zero_grad()
    mean = sum(loss for loss, _ in found) / total
    mean.backward()
    return mean.item()


@accumulate_gradients.mistake("Two graphs are alive at once: one is still held when the next micro batch goes through the model, by a name or by `retain_graph`. Let it go first.")
def two_graphs_at_once(model, micro_batches, loss_fn):
    total = 0
    for micro in micro_batches:
        _, tokens = loss_fn(model, micro)  # with its graph, which `_` holds until the next is there
        total += tokens
    del _
    return accumulated(model, micro_batches, loss_fn, share=lambda *_: 1 / total)


@accumulate_gradients.mistake("The gradients are empty: there is no `backward`, or they are cleared after it.")
def gradients_cleared_at_the_end(model, micro_batches, loss_fn):
    loss = accumulated(model, micro_batches, loss_fn)
    model.zero_grad()
    return loss


@accumulate_gradients.mistake("A step is taken: the weights have moved. Here the gradients are only gathered.")
def weights_moved(model, micro_batches, loss_fn):
    loss = accumulated(model, micro_batches, loss_fn)
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    return loss


@accumulate_gradients.mistake("The gradients are clipped to a length of 1. Here they are only gathered.")
def gradients_clipped(model, micro_batches, loss_fn):
    loss = accumulated(model, micro_batches, loss_fn)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
    return loss


@accumulate_gradients.mistake("The loss comes back as a tensor. `.item()` makes a plain number of it, and lets go of the graph.")
def loss_as_a_tensor(model, micro_batches, loss_fn):
    return torch.tensor(accumulated(model, micro_batches, loss_fn), dtype=torch.float64)


@accumulate_gradients.mistake("Nothing comes back. Return the mean loss as a float.")
def nothing_returned(model, micro_batches, loss_fn):
    accumulated(model, micro_batches, loss_fn)


@accumulate_gradients.mistake("The sum of the losses comes back. Return it divided by the number of all tokens.")
def sum_returned(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, result=lambda sums, counts: sum(sums))


@accumulate_gradients.mistake("The last micro batch's loss comes back. Return the mean over all tokens of all of them.")
def loss_of_the_last_one(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, result=lambda sums, counts: sums[-1] / max(counts[-1], 1))


@accumulate_gradients.mistake("The gradients are right, but only the last micro batch's loss comes back: the sum is overwritten in each round. Add up: `+=`.")
def last_loss_divided_by_all_tokens(model, micro_batches, loss_fn):
    return accumulated(model, micro_batches, loss_fn, result=lambda sums, counts: sums[-1] / sum(counts))
