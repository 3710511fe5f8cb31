# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 · Scaling: what it costs, and how to pay less
#
# **What you will be able to do:** foretell what a Transformer costs before you train it, measure where the time
# goes, make it faster without changing what it computes, and train it on real data with several processors.
#
# | | |
# |---|---|
# | **Goal** | the cost of attention and of training in formulas; four ways to pay less, each one measured |
# | **You know already** | lessons 05 and 06: attention and the Transformer; lesson 07: a step of training |
# | **You need** | 90 to 120 minutes; a graphics card is welcome, and not needed |
#
# | section | you write |
# |---|---|
# | 1 · What does attention cost? | `attention_cost` |
# | 2 · What does training cost? | `training_flops` |
# | 3 · How busy is your machine? | |
# | 4 · Attention that never writes its weights down | `fused_attention` |
# | 5 · Half the bytes: bfloat16 | |
# | 6 · Fewer trips: torch.compile | |
# | 7 · A large batch in small pieces | `accumulate_gradients` |
# | 8 · Several processors | |
# | 9 · The real thing | |
#
# Run the next four code cells first; the fourth gives you `device` and `seconds`, which all measurements need.

# %%
try:
    from utils import carry, check, plots
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "This lesson needs the course's helper package. In a terminal of the course folder run "
        "`make lab`; on Colab or Kaggle upload the student bundle and run "
        "`%pip install transformer-course.zip`, then restart the kernel."
    ) from None
import matplotlib.pyplot as plt
import numpy as np

# %%
import os
import statistics
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

torch.set_printoptions(precision=3, sci_mode=False)

# %%
attention, Transformer = carry("attention", "Transformer")

# %% [markdown]
# Every measurement of this lesson runs on the machine that you sit at, and says which device that is. Times differ
# from machine to machine and from run to run. Look at what is larger than what, not at the digits.

# %%
# NBVAL_IGNORE_OUTPUT
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
name = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} threads"
print(f"device: {device} ({name}), PyTorch {torch.__version__}")


def seconds(function, rounds=5):
    """The time of a call: the median of some rounds, after one to warm up."""
    taken = []
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()  # a GPU is given its orders, and works on when Python is long done
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[1:])


# %% [markdown]
# ## 1. What does attention cost?
#
# Nearly all that a Transformer computes is products of matrices. Their cost is easily counted. Take a matrix
# `(5, 4)` times a matrix `(4, 3)`. The result has 5 · 3 entries. Each is a sum of 4 products: 4 multiplications,
# and 4 additions to sum them up (we count the first one too). So
#
# $$(m, k) \text{ times } (k, p): \quad 2\,m\,k\,p \ \text{ floating-point operations, FLOPs for short.}$$
#
# Now count multi-head attention on *Jane visite l'Afrique en septembre*: `n` = 5 words, each a vector of `d_model`
# numbers.
#
# | step | product | how often |
# |---|---|---|
# | queries, keys, values, and `w_o` at the end | `(n, d_model)` times `(d_model, d_model)` | 4 |
# | queries with keys, in one head | `(n, d_head)` times `(d_head, n)` | `n_heads` |
# | weights with values, in one head | `(n, n)` times `(n, d_head)` | `n_heads` |
#
# *Before you go on:* which of the rows grow with the square of the number of words?
#
# <details><summary>Answer</summary>
#
# The second and the third: `n` is two of the three sizes of their products. In the first row it is one of them.
#
# </details>
#
# The softmax, the scale and the biases are small beside these, and are not counted. Besides operations there is
# **memory**: every head has a matrix of weights, `(n, n)`, and training keeps them all for the way back. A number takes 4
# bytes in float32, 2 bytes in bfloat16.
#
# ### Exercise: `attention_cost`
#
# <details><summary>Hint 1: the projections</summary>
#
# One projection is a product with $m$ = `n`, $k$ = `d_model` and $p$ = `d_model`. There are four.
#
# </details>
# <details><summary>Hint 2: all heads together</summary>
#
# One head has `d_head = d_model / n_heads` features. Its cost, times the number of heads: the number of heads
# falls out. Divide with `//`, which keeps whole numbers whole.
#
# </details>
# <details><summary>Hint 3: the bytes</summary>
#
# How many numbers has one `(n, n)` matrix, how many heads are there, and how many bytes has a number? Multiply.
#
# </details>

# %% solution="attention_cost"
def attention_cost(n, d_model, n_heads, bytes_per_number):
    """What multi-head self-attention costs, forward, for one sentence.

    Args:
        n: the number of words.
        d_model: how many numbers a word has.
        n_heads: the number of heads, which divides d_model.
        bytes_per_number: 4 in float32, 2 in bfloat16.

    Returns:
        `(flops, bytes)`: the operations of the four projections and the two products of all heads, where a
        multiplication and its addition count 2, and softmax, scale and biases do not count; and the bytes of
        all heads' attention weights.

    Example:
        >>> attention_cost(5, 4, 2, 4)
        (1040, 200)

    Source: Vaswani et al. (2017), table 1, has the orders of growth.
    """
    ### BEGIN SOLUTION
    projections = 4 * (2 * n * d_model * d_model)
    products = 2 * (2 * n * n * d_model)
    return projections + products, n_heads * n * n * bytes_per_number
    ### END SOLUTION


# %% tests="attention_cost"
check(attention_cost)

# %% [markdown]
# **See.** The paper's block (`d_model` 512, 8 heads) for sentences, pages and books. *Before you run the cell:* from how
# many words on do the two products cost more than the four projections?

# %% slide="What attention costs"
words = [2**power for power in range(4, 16)]
flops = [attention_cost(n, 512, 8, 4)[0] for n in words]
projections = [8 * n * 512**2 for n in words]
plots.lines(
    words,
    {"projections": projections, "products": [all_ - some for all_, some in zip(flops, projections)]},
    xlabel="words",
    ylabel="operations",
    title="What attention computes (d_model 512)",
    xscale="log2",
    yscale="log",
)
crossing = next(n for n in range(1, 10_000) if attention_cost(n, 512, 8, 4)[0] >= 2 * 8 * n * 512**2)
print(f"both cost the same at {crossing} words")
for n in (16, 1024, 32768):
    print(f"{n:>6} words: the weights of one layer take {attention_cost(n, 512, 8, 4)[1] / 2**20:>9,.2f} MiB")

# %% [markdown]
# *Picture: two straight lines on logarithmic axes. The line of the products is twice as steep. It begins far below
# that of the projections, and crosses it on the right half of the picture.*
#
# Where do they cross? Where $8\,n\,d_{model}^2 = 4\,n^2\,d_{model}$, that is $n = 2\,d_{model}$: at twice as many words as
# a word has numbers.
#
# So for sentences attention is cheap: the projections decide. For long texts two things grow with the square of the
# length, the operations and the memory, and memory runs out first. Section 4 does something about that.

# %% [markdown] slide="What training costs"
# ## 2. What does training cost?
#
# Count once more, but roughly, and for a whole model. A parameter of a matrix meets each token once: one
# multiplication and one addition, 2 operations. That is the forward pass. The backward pass needs the gradient of
# the inputs *and* the gradient of the parameters: two products of the same size, 4 operations. So with $N$
# parameters and $D$ tokens
#
# $$C \approx 6\,N\,D$$
#
# The rule leaves out the products of attention, which hold no parameters. For sentences they are small, as you saw.
# Rows of an embedding table are looked up and not multiplied, so $N$ is best counted without them.
#
# ### Exercise: `training_flops`
#
# <details><summary>Hint</summary>
#
# It is one line. Where does the 6 come from: 2 forward, and how many backward?
#
# </details>

# %% solution="training_flops"
def training_flops(n_parameters, n_tokens):
    """What a training run costs, by the 6ND rule.

    Args:
        n_parameters: of the model, without its embedding tables.
        n_tokens: that it is trained on, each counted as often as it is seen.

    Returns:
        The number of floating-point operations, forward and backward.

    Example:
        >>> training_flops(5, 7)
        210

    Source: Kaplan et al. (2020), section 2.1; Hoffmann et al. (2022), appendix F.
    """
    ### BEGIN SOLUTION
    return 6 * n_parameters * n_tokens
    ### END SOLUTION


# %% tests="training_flops"
check(training_flops)

# %% [markdown]
# **See.** Three runs, and how long a machine with 100 billion operations a second would take for each (a good part of
# one processor core), if it did nothing else:

# %%
runs = {
    "lesson 07's translator": (700_000, 500 * 2_000),
    "a small translator on real captions": (5_500_000, 10 * 435_000),
    "the paper's base model": (63_000_000, 100_000 * 25_000),
}
for run, (n_parameters, n_tokens) in runs.items():
    cost = training_flops(n_parameters, n_tokens)
    print(f"{run:<36} {cost:9.1e} operations, {cost / 1e11 / 60:12,.1f} minutes")

# %% [markdown]
# This is why the third was trained on eight GPUs, and why you trained the first. Yours took longer than this? No machine
# does nothing but products all the time. How much of its best it reaches, its utilisation, is the subject of the next
# section.

# %% [markdown]
# ## 3. How busy is your machine?
#
# How many operations a second can your machine do at best? Ask it: one large product of matrices, the thing it is
# best at. And how many does it do while it trains? The share is its **utilisation**. The rest of the time it waits:
# for numbers that come from memory, for small operations, for Python.

# %%
# NBVAL_IGNORE_OUTPUT
size = 4096 if device.type == "cuda" else 768
one, other = torch.randn(size, size, device=device), torch.randn(size, size, device=device)


def operations_a_second():
    """What the machine can do: the fastest of ten products counts, since other programs only slow it down."""
    return 2 * size**3 / min(seconds(lambda: one @ other, rounds=1) for _ in range(10))


best = operations_a_second()
print(f"{device}: at best {best / 1e9:,.0f} billion operations a second in float32")

# %% [markdown]
# Now a step of training, on tokens drawn at random. (What they say does not matter for the time.)

# %%
def small_model(d_model=128, dropout=0.0):
    torch.manual_seed(0)
    model = Transformer(1000, 1000, d_model=d_model, n_heads=4, n_layers=2, d_ff=2 * d_model, dropout=dropout)
    return model.to(device)


def random_batch(batch, n):
    random = torch.Generator().manual_seed(1)
    return torch.randint(4, 1000, (2, batch, n), generator=random).to(device)


def step(model, src, tgt, amp=False):
    """Forward and backward, without the optimizer; returns the mean loss."""
    model.zero_grad(set_to_none=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=amp):
        logits = model(src, tgt[:, :-1])
    loss = F.cross_entropy(logits.float().flatten(0, 1), tgt[:, 1:].flatten())
    loss.backward()
    return float(loss.detach())


def working_parameters(model):
    """All but the embedding tables, whose rows are looked up and not multiplied."""
    return sum(weight.numel() for name, weight in model.named_parameters() if "tokens" not in name)


# %% slide="How busy is the machine?"
# NBVAL_IGNORE_OUTPUT
by_width = {}
for d_model in (32, 128, 256):
    model = small_model(d_model)
    src, tgt = random_batch(32, 16)
    taken = seconds(lambda: step(model, src, tgt), rounds=3)
    tokens = tgt[:, 1:].numel()
    by_width[d_model] = tokens / taken, training_flops(working_parameters(model), tokens) / taken
    best = max(best, operations_a_second())  # it may be less busy with other things by now
for d_model, (tokens_a_second, operations) in by_width.items():
    print(f"{device}, d_model {d_model:>3}: {tokens_a_second:>8,.0f} tokens a second, utilisation {operations / best:.0%}")
plots.bars(
    [100 * operations / best for _, operations in by_width.values()], [f"d_model {d_model}" for d_model in by_width],
    title=f"Utilisation, {device}", ylabel="percent of the best", digits=0,
)

# %% [markdown]
# *Picture: three bars. The wider the model, the higher the bar.*
#
# A wide model does more operations for each number that it fetches, so it keeps the machine busier. Two ways lead to
# a shorter run: fewer operations, or a higher utilisation. The following sections are mostly about the second.

# %% [markdown]
# ## 4. Attention that never writes its weights down
#
# Your `attention` makes a matrix of scores `(n, n)`, writes it to memory, reads it for the softmax, writes the
# weights, and reads them again for the product with the values. On a fast device it is this traffic that takes the time.
# And for the way back all of it is kept.
#
# **Fused** attention does the three steps in one go, block by block: a few keys at a time, their scores, their part
# of the output. Only the output is ever written. But a softmax needs the sum over *all* keys. How can it begin before it
# has seen them? It keeps two numbers for each query, the largest score so far and the sum so far. When a larger score
# turns up, it rescales what it has:

# %%
torch.manual_seed(0)
scores, values = torch.randn(6), torch.randn(6, 2)
largest, sum_so_far, output = torch.tensor(-torch.inf), torch.tensor(0.0), torch.zeros(2)
for begin in (0, 2, 4):  # two keys at a time
    some = scores[begin : begin + 2]
    new_largest = torch.maximum(largest, some.max())
    shrink, parts = (largest - new_largest).exp(), (some - new_largest).exp()
    sum_so_far = shrink * sum_so_far + parts.sum()
    output = shrink * output + parts @ values[begin : begin + 2]
    largest = new_largest
print("block by block: ", output / sum_so_far)
print("all at once:    ", torch.softmax(scores, dim=0) @ values)

# %% [markdown]
# The same numbers, and never more than two scores at once. This is the idea of FlashAttention. You need not write
# it: PyTorch has it as `F.scaled_dot_product_attention(q, k, v, attn_mask=mask)`. Its boolean masks mean what ours
# mean, True may be looked at. It chooses the fastest way that your device, dtypes and shapes allow.
#
# It gives no weights back. There are none: that is the point.
#
# **A row with nothing to look at** is the one thing to mind. What comes of it is not the same in all versions and on all
# devices: 0, or NaN. In this course it is 0, and no gradient is NaN. Of such rows the check sees only what
# comes out: where the bare call gives 0, it passes. Do not rely on that, as it may fail on the next machine.
#
# ### Exercise: `fused_attention`
#
# `F.scaled_dot_product_attention` must do the work here. The check looks whether it is called.
#
# <details><summary>Hint 1: without a mask</summary>
#
# It is one call, and its result is what you return. The scale is in it already.
#
# </details>
# <details><summary>Hint 2: rows with nothing to look at</summary>
#
# `mask.any(dim=-1, keepdim=True)` tells which rows see something. In lesson 05 you let the others look everywhere for a
# moment. That keeps NaN from coming up, in the output and in the gradients.
#
# </details>
# <details><summary>Hint 3: and afterwards</summary>
#
# Put the output of these rows to 0: `masked_fill`, or a product with the booleans. Both stop their gradients too.
#
# </details>

# %% solution="fused_attention"
def fused_attention(q, k, v, mask=None):
    """Attention by PyTorch's one call for it: the output of lesson 05, without weights.

    Args:
        q: `(..., n_q, d_k)`, queries.
        k: `(..., n_k, d_k)`, keys.
        v: `(..., n_k, d_k)`, values, one for each key.
        mask: booleans that broadcast to `(..., n_q, n_k)`, True where a query may look at a key; or None.

    Returns:
        The output alone, `(..., n_q, d_k)`. A row with nothing to look at is 0; no gradient is NaN.

    Example:
        >>> q, k = torch.zeros(1, 2, 2), torch.eye(2)[None]
        >>> fused_attention(q, k, 4 * k, torch.tensor([[True, True], [False, False]]))
        tensor([[[2., 2.],
                 [0., 0.]]])

    Source: Dao et al. (2022), algorithm 1; PyTorch documentation of F.scaled_dot_product_attention.
    """
    ### BEGIN SOLUTION
    if mask is None:
        return F.scaled_dot_product_attention(q, k, v)
    is_seeing = mask.any(dim=-1, keepdim=True)  # (..., n_q, 1)
    output = F.scaled_dot_product_attention(q, k, v, attn_mask=mask | ~is_seeing)
    return output.masked_fill(~is_seeing, 0.0)
    ### END SOLUTION


# %% tests="fused_attention"
check(fused_attention)

# %% [markdown]
# **See.** What is kept for the way back? PyTorch tells, if one listens while it saves. *Before you run the cell:* how
# does each curve grow when the number of words doubles?

# %% slide="What is kept for the way back"
class Kept:
    def __init__(self, tensor):
        self.tensor = tensor


def kept_bytes(function, *inputs):
    """The bytes that a call keeps for its backward pass; memory that tensors share is counted once."""
    alive = weakref.WeakSet()  # what is let go leaves it by itself

    def listen(tensor):
        alive.add(one := Kept(tensor.detach()))  # with its history it would keep itself alive
        return one

    with torch.autograd.graph.saved_tensors_hooks(listen, lambda one: one.tensor):
        result = function(*inputs)
    storages = [one.tensor.untyped_storage() for one in alive]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def heads(n, n_heads=4, d_head=32):
    torch.manual_seed(0)
    return [torch.randn(1, n_heads, n, d_head, device=device, requires_grad=True) for _ in range(3)]


lengths = [64, 128, 256, 512, 1024]
kept = {
    "by hand": [kept_bytes(lambda *qkv: attention(*qkv)[0], *heads(n)) / 2**20 for n in lengths],
    "fused": [kept_bytes(fused_attention, *heads(n)) / 2**20 for n in lengths],
    "the weights alone": [attention_cost(n, 128, 4, 4)[1] / 2**20 for n in lengths],
}
plots.lines(lengths, kept, xlabel="words", ylabel="MiB kept", title="What is kept for the backward pass", xscale="log2", yscale="log")

# %% [markdown]
# *Picture: three curves on logarithmic axes. That of the attention by hand lies at the top or near it and is as steep as
# that of the weights alone; the fused one lies far below on the right, and is half as steep.*
#
# And the time, forward and backward together?

# %% slide="... and how long it takes"
# NBVAL_IGNORE_OUTPUT
def there_and_back(function, inputs):
    return lambda: function(*inputs).sum().backward()


taken = {
    "by hand": [1000 * seconds(there_and_back(lambda *qkv: attention(*qkv)[0], heads(n)), 3) for n in lengths],
    "fused": [1000 * seconds(there_and_back(fused_attention, heads(n)), 3) for n in lengths],
}
plots.lines(lengths, taken, xlabel="words", ylabel="milliseconds", title=f"Forward and backward, {device}", xscale="log2", yscale="log")
print(f"{device}: at {lengths[-1]} words fused attention is {taken['by hand'][-1] / taken['fused'][-1]:.1f} times as fast")

# %% [markdown]
# *Picture: two curves that climb with the number of words. For long texts the fused one lies below the other.*
#
# Fused attention does the same number of operations (even a few more, as it computes scores anew on the way back). It is
# faster because it moves fewer bytes.

# %% [markdown]
# ## 5. Half the bytes: bfloat16
#
# A float32 has 32 bits. Half of them would move in half the time, and many processors have units that multiply short
# numbers much faster. There are two ways to spend 16 bits:

# %%
print(f"{'':<10} {'bytes':>5} {'largest':>10} {'smallest':>14} {'step after 1':>14}")
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    info = torch.finfo(dtype)
    print(f"{str(dtype)[6:]:<10} {info.bits // 8:>5} {info.max:>10.1e} {info.smallest_normal:>14.1e} {info.eps:>14.1e}")

# %% [markdown]
# (Between 0 and the smallest there are some more numbers, with fewer and fewer digits.)
#
# `float16` is finer, but ends early: large scores become infinite, small gradients 0. Who trains with it must multiply the
# loss by a large number before `backward` and divide the gradients afterwards (`torch.amp.GradScaler`). `bfloat16`
# reaches as far as float32 and is coarse. It needs no scaling, but look:

# %%
count = torch.tensor(0.0, dtype=torch.bfloat16)
for _ in range(1000):
    count += 1
print("1000 times plus 1 in bfloat16:", count.item())
weight = torch.tensor(1.0, dtype=torch.bfloat16)
print("1 plus a step of 0.001:       ", (weight + 0.001).item())

# %% [markdown]
# Sums come to a halt, and small steps of an optimizer are lost. So the **weights stay in float32**, and so do long sums.
# The products of matrices run in bfloat16. `torch.autocast` decides for each operation: products in bfloat16, a loss in
# float32, and much in between in the dtype that comes in. (On a GPU it computes a softmax in float32 too.)

# %%
with torch.autocast("cpu", torch.bfloat16):
    layer, x = nn.Linear(4, 4), torch.randn(2, 4)
    print("a linear layer gives ", layer(x).dtype, "from a weight in", layer.weight.dtype)
    print("a softmax gives      ", torch.softmax(layer(x), dim=-1).dtype)
    print("a loss gives         ", F.cross_entropy(layer(x), torch.tensor([0, 1])).dtype)

# %%
# NBVAL_IGNORE_OUTPUT
model = small_model(256)
src, tgt = random_batch(32, 32)
for amp in (False, True):
    loss, taken = step(model, src, tgt, amp), seconds(lambda: step(model, src, tgt, amp), 3)
    print(f"{device}, {'bfloat16' if amp else 'float32':<9} loss {loss:.4f}, {tgt[:, 1:].numel() / taken:>9,.0f} tokens a second")

# %% [markdown]
# The loss is nearly the same. Whether it is faster hangs on the device. GPUs of recent years, and some processors, have
# units for bfloat16. Where there are none, it is emulated and may well be slower. Measure before you switch it on.

# %% [markdown]
# ## 6. Fewer trips: torch.compile
#
# Your `LayerNorm` reads its input from memory, subtracts, writes, reads again, squares, writes, … Each operation is a trip
# to memory and back. `torch.compile` watches a function run, and writes one new program that does all its
# operations in one trip. It takes a while, once; and a compiler must be installed.
#
# An example is *GELU*, which newer Transformers have where yours has ReLU. It is made of small operations:

# %%
# NBVAL_IGNORE_OUTPUT
def gelu(x):
    return 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


x = torch.randn(2048, 512, device=device)
eager = seconds(lambda: gelu(x))
try:
    compiled = torch.compile(gelu)
    begin = time.perf_counter()
    same = torch.allclose(compiled(x), gelu(x), atol=1e-5)
    print(f"{device}: compiled in {time.perf_counter() - begin:.0f} s, the same numbers: {same}")
    fast = seconds(lambda: compiled(x))
    print(f"{device}: one by one {1000 * eager:.2f} ms, compiled {1000 * fast:.2f} ms, {eager / fast:.1f} times as fast")
except Exception as error:  # no compiler, or one that does not serve here
    print(f"{device}: torch.compile does not work on this machine ({type(error).__name__}). One by one: {1000 * eager:.2f} ms")

# %% [markdown]
# A whole model is compiled in the same way, `model = torch.compile(model)`. Mind that each new shape may cause another
# compilation. Batches of sentences have many shapes. `dynamic=True` asks for one program for all of them.

# %% [markdown]
# ## 7. A large batch in small pieces
#
# Large batches have steadier gradients, and use a machine better. But all that is kept for the way back must fit into
# memory. If 64 sentences do not, take four times 16: **accumulate** their gradients, then take one step.
# Remember that `backward` *adds* to what is in `grad`. In lesson 07 this was a trap. Here it is the tool.
#
# What do you divide by? The loss of the large batch is a mean over all its real tokens. Say there are two
# micro batches, one with 1 token of loss 6, one with 3 tokens of loss 2 each:

# %%
sums, tokens = [6.0, 3 * 2.0], [1, 3]
print("mean over all tokens:  ", sum(sums) / sum(tokens))
print("mean of the two means: ", sum(one / count for one, count in zip(sums, tokens)) / len(sums))

# %% [markdown]
# The second is another number, with another gradient. This mistake was in well-known libraries for years. No error
# told of it. So: **sums first, and one division at the end.**
#
# ### Exercise: `accumulate_gradients`
#
# `loss_fn(model, micro_batch)` gives you a pair: the *sum* of the losses over the real tokens (a tensor), and their
# number. Only one micro batch's graph may be alive at a time, else nothing would be saved.
#
# <details><summary>Hint 1: when is a graph let go?</summary>
#
# `backward` frees it. So call `backward` for each micro batch, before the next one goes through the model.
#
# </details>
# <details><summary>Hint 2: dividing by what you do not know yet</summary>
#
# The number of all tokens is known only after the last micro batch. But gradients may be divided afterwards: those of
# a sum, divided by a number, are those of the sum divided by the number.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Clear the gradients. For each micro batch: loss and count, `backward`, add up `loss.item()` and the count. Then divide
# `parameter.grad` of all parameters, and return the mean.
#
# </details>

# %% solution="accumulate_gradients"
def accumulate_gradients(model, micro_batches, loss_fn):
    """The gradients of one large batch, from its pieces, one after the other.

    Args:
        model: an `nn.Module`. Gradients that it has already are discarded.
        micro_batches: a list of pieces of the batch.
        loss_fn: `loss_fn(model, micro_batch)` gives the sum of the losses over the real tokens of a piece,
            a tensor, and the number of these tokens, which may be 0 in a piece but not in all.

    Returns:
        The mean loss of a token in all micro batches, a float. Every parameter's `grad` is the gradient of
        that mean. No step is taken.

    Example:
        >>> def loss_fn(model, x):
        ...     return (x * model.weight).sum(), len(x)
        >>> line = nn.Linear(1, 1)
        >>> _ = nn.init.ones_(line.weight)
        >>> accumulate_gradients(line, [torch.tensor([6.0]), torch.tensor([2.0, 2.0, 2.0])], loss_fn)
        3.0

    Source: PyTorch's notes on automatic mixed precision, "Gradient accumulation".
    """
    ### BEGIN SOLUTION
    model.zero_grad()
    loss_of_all, n_tokens = 0.0, 0
    for micro_batch in micro_batches:
        loss, count = loss_fn(model, micro_batch)
        loss.backward()  # adds to the gradients, and lets go of the graph
        loss_of_all, n_tokens = loss_of_all + loss.item(), n_tokens + count
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad /= n_tokens
    return loss_of_all / n_tokens
    ### END SOLUTION


# %% tests="accumulate_gradients"
check(accumulate_gradients)

# %% [markdown]
# **See.** A batch of 32 sentences with padding, as a whole and in pieces. The gradients agree, and what is kept at a
# time shrinks. *Before you run the cell:* by how much, with 8 pieces?

# %%
def summed_loss(model, micro_batch):
    src, tgt = micro_batch
    labels = tgt[:, 1:]
    loss = F.cross_entropy(model(src, tgt[:, :-1]).flatten(0, 1), labels.flatten(), ignore_index=0, reduction="sum")
    return loss, int((labels != 0).sum())


model = small_model(64)
src, tgt = random_batch(32, 16)
for row in range(32):
    tgt[row, 4 + row % 12 :] = 0  # sentences of many lengths
whole = accumulate_gradients(model, [(src, tgt)], summed_loss)
wanted = [parameter.grad.clone() for parameter in model.parameters()]
in_one_go = kept_bytes(lambda: summed_loss(model, (src, tgt))[0])
for pieces in (1, 2, 8):
    micro_batches = list(zip(src.chunk(pieces), tgt.chunk(pieces)))
    loss = accumulate_gradients(model, micro_batches, summed_loss)
    apart = max((parameter.grad - one).abs().max().item() for parameter, one in zip(model.parameters(), wanted))
    most = max(kept_bytes(lambda: summed_loss(model, micro)[0]) for micro in micro_batches)
    print(f"pieces: {pieces}, loss {loss:.4f}, gradients within 1e-5: {apart < 1e-5}, kept {most / in_one_go:.2f} of the whole")

# %% [markdown]
# It does not fall to an eighth: the weights are kept as well, and they are the same for each piece.

# %% [markdown]
# ## 8. Several processors
#
# The pieces of a batch need not come one after the other. Give each to another processor, with its own copy of the model.
# Each goes forward and backward on its piece. Then they **add up their gradients** (all-reduce), and all take the same
# step. So the copies stay equal for ever. This is data parallel training, `DistributedDataParallel` in PyTorch.

# %% slide="Several processors"
plots.flow(
    {
        "batch": (1.5, 0, "a batch"),
        "one": (0, 1.2, "process 0:\nforward, backward"),
        "two": (3, 1.2, "process 1:\nforward, backward"),
        "sum": (1.5, 2.4, "sum of all gradients,\ndivided by all tokens"),
        "step one": (0, 3.6, "process 0: step"),
        "step two": (3, 3.6, "process 1: step"),
    },
    [
        ("batch", "one", "one half"),
        ("batch", "two", "the other half"),
        ("one", "sum", "gradients"),
        ("two", "sum", "gradients"),
        ("sum", "step one", "the same"),
        ("sum", "step two", "the same"),
    ],
    title="Two processes, one step",
)

# %% [markdown]
# *Picture: a batch is split between two boxes, process 0 and process 1. Their gradients meet in one box, the sum of all
# gradients divided by all tokens. From there the same goes to both processes, and each takes its step.*
#
# `DistributedDataParallel` *averages* the gradients over the processes. With uneven pieces this is the mean of means
# again, the mistake of section 7. So each process divides its sum by the tokens of **all**, and multiplies by the number of
# processes.
#
# A program is started once for each processor by `torchrun`. They talk to each other by a library, *nccl* on GPUs and *gloo*
# on processors. The course's own command for real data, `python -m utils.translation`, is such a program. Here it trains
# a tiny model on the course's corpus for a few steps: first one process that takes two batches a step, then two processes
# that take one each. *Before you run the cell:* which losses will they report?

# %%
# NBVAL_IGNORE_OUTPUT
def train_with(processes, folder):
    """The lines that the command prints, and the seconds it took."""
    start = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    sizes = "--d-model 32 --n-heads 2 --n-layers 1 --d-ff 64 --batches-a-step 2 --max-tokens 1024 --warmup-steps 20".split()
    command = [sys.executable, *start, "-m", "utils.translation", "train", "--folder", str(folder), *sizes, "--steps", "40"]
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    lines = [line for line in done.stdout.splitlines() if "step" in line or "process" in line]
    return lines or [done.stderr[-400:]], time.perf_counter() - begin


with tempfile.TemporaryDirectory() as folder:
    for processes in (1, 2):
        lines, taken = train_with(processes, Path(folder) / f"{processes}")
        print(f"{processes} started, {taken:.0f} s in all (most of it is the start):", *lines, sep="\n    ")

# %% [markdown]
# The same losses: what is random in a step hangs on the seed and the place in the batch, not on who computes it. Are
# two processes twice as fast? For a model as small as this, no. Starting takes longest, and on one machine both share the
# memory. The larger the model and its pieces, the better it pays.
#
# | on | start it with |
# |---|---|
# | one processor, or one GPU | `python -m utils.translation train …` |
# | four GPUs of one machine | `torchrun --nproc-per-node=4 -m utils.translation train …` |
# | two machines | `torchrun --nnodes=2 --rdzv-backend=c10d --rdzv-endpoint=HOST:29500 --nproc-per-node=4 …` on both |

# %% [markdown]
# ## 9. The real thing
#
# The corpus of this course is made by a grammar. Now for real sentences. **Multi30k** has 29,000 captions of photographs in
# English, French and German. Get the files of its task 1 (search for *Multi30k dataset*; they are free for research
# and teaching), put `train.fr`, `train.en`, `val.fr`, `val.en` and `test_2016_flickr.fr` and `.en` into a folder, and in a
# terminal, in the folder of this notebook:
#
# ```
# python -m utils.translation train --data FOLDER --folder captions
# python -m utils.translation translate --folder captions "Deux hommes parlent devant une maison."
# python -m utils.translation score --data FOLDER --split test_2016_flickr --folder captions
# ```
#
# `python` has to be the course's. In a terminal that JupyterLab opens after `make lab` it is; in any other, or where your
# shell puts another one first (`command -v python` tells), run `source .venv/bin/activate` in the course's folder before.
#
# It is your own `Transformer`, where it passes its check. What the command adds is in this lesson or the two before:
#
# - **Subwords.** Real text has too many words, and tomorrow there are new ones. The vocabulary is of frequent *pieces* of
#   words, found by byte-pair encoding. A rare word is spelled from pieces, and no word is unknown.
# - **Fused** attention and normalisation with your weights (`utils.fused`), bfloat16 where the GPU has it.
# - Batches by a **token budget**, a **warm-up**, **checkpoints**: stop it at any time, and the same command goes on.
# - **Accumulation and several processes**, with the same losses either way.
#
# Any other pairs do as well: a file with a sentence, a tab and its translation in each line. `--help` tells all options.
# What the course's model reached on a processor core, and how it compares with `torch.nn.Transformer` on the same
# batches, is in the project's `docs/multi30k.md`.
#
# Before you start a long run, foretell its cost. You have all that it takes:

# %%
# NBVAL_IGNORE_OUTPUT
model = Transformer(6000, 6000, d_model=256, n_heads=8, n_layers=3, d_ff=512).to(device)
src, tgt = torch.randint(4, 6000, (2, 64, 20), device=device)
n_parameters, tokens = working_parameters(model), tgt[:, 1:].numel()
measured = tokens / seconds(lambda: step(model, src, tgt), rounds=2)
epoch = 29_000 * 15  # about so many tokens are in the captions
print(f"{n_parameters:,} working parameters: {training_flops(n_parameters, 10 * epoch):.1e} operations for 10 epochs")
print(f"{device}: {measured:,.0f} tokens a second, so {10 * epoch / measured / 60:,.0f} minutes;")
print(f"at full utilisation it would be {training_flops(n_parameters, 10 * epoch) / best / 60:,.0f}")

# %% [markdown] slide="What to take home"
# ## Summary
#
# - A product of matrices $(m, k)$ times $(k, p)$ costs $2mkp$ operations. Attention costs $8 n d^2 + 4 n^2 d$, and its weights
#   take $n^2$ numbers in each head.
# - **Training** costs about $6ND$: 2 forward, 4 backward, for each parameter and token.
# - **Utilisation** is what you reach, divided by the best the machine can do. Measure it first.
# - **Fused** attention computes the same block by block. It moves and keeps fewer bytes.
# - **bfloat16** halves the bytes of products; weights and sums stay in float32.
# - **torch.compile** joins many small trips to memory into one.
# - **Accumulation** and **data parallel** training cut a batch into pieces: sums first, one division by all tokens.

# %% [markdown]
# ## Check yourself
#
# Answer in your head, then open.
#
# <details><summary>1. A text becomes four times as long. What happens to the memory of the attention weights?</summary>
#
# It grows sixteenfold, in each head and layer. With fused attention what is kept grows fourfold.
#
# </details>
# <details><summary>2. You double the number of heads and leave d_model as it is. How do operations and bytes
# change?</summary>
#
# The operations stay: heads become narrower. The bytes of the weights double: each head has a matrix of its own.
#
# </details>
# <details><summary>3. Why does fused attention not return the weights?</summary>
#
# It never has them all. It sees a block of scores at a time, and forgets it.
#
# </details>
# <details><summary>4. A run in bfloat16 keeps its weights in bfloat16 too, and after a while the loss stops falling.
# Why?</summary>
#
# The steps have become smaller than half the distance between two neighbouring numbers. They are rounded away.
#
# </details>
# <details><summary>5. Two processes, one with 100 real tokens, one with 300. Each averages its own loss, and
# DistributedDataParallel averages the gradients. What is wrong?</summary>
#
# It is the mean of two means. A token of the first process counts three times as much as one of the second.
#
# </details>

# %% [markdown]
# ## Further reading
#
# - A. Vaswani and others, *Attention Is All You Need*, NeurIPS 2017. Table 1: orders of growth; section 5.2: hardware.
# - J. Kaplan and others, *Scaling Laws for Neural Language Models*, 2020. Section 2.1: the 6ND rule.
# - J. Hoffmann and others, *Training Compute-Optimal Large Language Models*, 2022. Appendix F: FLOPs counted in full.
# - D. Hendrycks, K. Gimpel, *Gaussian Error Linear Units (GELUs)*, 2016, section 2: the formula of section 6.
# - T. Dao and others, *FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness*, NeurIPS 2022.
# - M. Milakov, N. Gimelshein, *Online normalizer calculation for softmax*, 2018: the two running numbers of section 4.
# - P. Micikevicius and others, *Mixed Precision Training*, ICLR 2018: weights in float32, and loss scaling.
# - S. Li and others, *PyTorch Distributed: Experiences on Accelerating Data Parallel Training*, VLDB 2020.
# - R. Sennrich, B. Haddow, A. Birch, *Neural Machine Translation of Rare Words with Subword Units*, ACL 2016.
# - D. Elliott and others, *Multi30K: Multilingual English-German Image Descriptions*, 2016; the French side: *Findings of
#   the Second Shared Task on Multimodal Machine Translation*, WMT 2017.
#
# **You have reached the end of the course.** You wrote every part of a Transformer, trained it, let it write, and know
# what it costs. What would you like it to learn next?
