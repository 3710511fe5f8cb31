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
# # 05 · Transformer blocks: attention becomes part of a network
#
# **What you will be able to do:** build the layer that a Transformer is stacked from, in PyTorch, and prove
# it equal to PyTorch's own.
#
# | | |
# |---|---|
# | **Goal** | turn your attention into modules that can learn, and put them together to an encoder layer |
# | **You know already** | lesson 01: attention; lesson 02: heads; lesson 04: masks; Python classes |
# | **You need** | 90 to 120 minutes; no PyTorch so far |
#
# | section | you write |
# |---|---|
# | 1 · Arrays that remember where they came from | `attention` |
# | 2 · Modules: functions that own numbers | `MultiHeadAttention` |
# | 3 · Keep the numbers in their place | `LayerNorm` |
# | 4 · Each word thinks for itself | `FeedForward` |
# | 5 · The encoder layer | `EncoderLayer` |
# | 6 · Many layers: where should the norm stand? | |
# | 7 · Broken on purpose | |
#
# Run the next two cells first. This lesson needs no code from your earlier lessons: you write it anew, in
# PyTorch.

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
import torch
import torch.nn.functional as F
from torch import nn

torch.set_printoptions(precision=3, sci_mode=False)
torch.set_num_threads(1)  # for tensors as small as ours, sharing out the work costs more than it saves

# %% [markdown]
# ## 1. Arrays that remember where they came from
#
# So far you wrote all matrices by hand. A real network *learns* them: it begins with random numbers and
# changes each of them a little, again and again, so that its mistakes shrink. For that it must know, for
# every number, which way to change it. This is the **gradient** you met in lesson 01. There you found it by
# nudging each score up and down. With millions of numbers that would take forever.
#
# PyTorch is a library of arrays, called **tensors**, that keep a record of how they were computed. From the
# record it works out all gradients at once. The rest looks almost like NumPy:
#
# | NumPy | PyTorch |
# |---|---|
# | `np.array([1.0, 2.0])` | `torch.tensor([1.0, 2.0])` |
# | `x.sum(axis=-1, keepdims=True)` | `x.sum(dim=-1, keepdim=True)` |
# | `np.swapaxes(x, -1, -2)` | `x.transpose(-1, -2)` |
# | `np.sqrt(d_k)` of a plain number | `d_k ** 0.5`; `torch.sqrt` wants a tensor |
# | `np.eye(5)`, `np.tril(x)`, `np.linalg.norm(x)` | `torch.eye(5)`, `x.tril()`, `x.norm()` |
# | `x.reshape(2, 3)`, `x[:, None]`, `a @ b`, `~mask`, `a & b` | the same |
# | `np.where(mask, x, -np.inf)` | `torch.where(mask, x, -torch.inf)`, or `x.masked_fill(~mask, -torch.inf)` |
# | `np.concatenate(arrays, axis=-1)` | `torch.cat(tensors, dim=-1)` |
# | your `softmax(x, axis=-1)` | `torch.softmax(x, dim=-1)` |
# | `np.sqrt(d_k)` | `d_k ** 0.5` (`torch.sqrt` wants a tensor) |
#
# Two differences matter. NumPy's numbers are float64, PyTorch's are float32 unless you say otherwise. And
# a method whose name ends in an underscore, such as `masked_fill_`, changes its tensor in place. One without
# underscore makes a new tensor and leaves the old one alone. If you do not give the new one a name, it is
# lost. What softmax gave you should not be changed in place, neither by `masked_fill_` nor by `weights[...] = 0`:
# the way back needs it as it was.
#
# Here are our five words again, with the vectors of lesson 01. The axis in front is the batch: one sentence.

# %%
words = ["Jane", "visite", "l'Afrique", "en", "septembre"]
features = ["person", "action", "place", "time", "link", "motion"]
x = torch.tensor(
    [
        [  # person action place time link motion
            [1.0, 0.0, 0.1, 0.0, 0.0, 0.0],  # Jane
            [0.0, 1.0, 0.1, 0.0, 0.0, 0.9],  # visite
            [0.1, 0.0, 1.0, 0.0, 0.0, 0.0],  # l'Afrique
            [0.0, 0.0, 0.1, 0.2, 1.0, 0.0],  # en
            [0.0, 0.0, 0.0, 1.0, 0.1, 0.0],  # septembre
        ]
    ]
)
print("x has shape", tuple(x.shape), "= (batch, n, d_model), and dtype", x.dtype)

# %% [markdown]
# Now the gradient. We take the five scores that were made up in lesson 01, and ask: if a score moves a
# little, how fast does the weight of *visite* move? `requires_grad=True` says "keep a record for this one".
# `backward()` walks the record backwards, and `.grad` holds the answer. We compare with nudging.

# %%
scores = torch.tensor([1.0, 3.0, 0.0, -1.0, 0.0], dtype=torch.float64, requires_grad=True)
weight_of_visite = torch.softmax(scores, dim=-1)[1]
weight_of_visite.backward()
print("by backward():", scores.grad)

nudge = 1e-4
steps = nudge * torch.eye(5, dtype=torch.float64)
with torch.no_grad():  # keep no record in here
    above = torch.softmax(scores + steps, dim=-1)[:, 1]
    below = torch.softmax(scores - steps, dim=-1)[:, 1]
print("by nudging:   ", (above - below) / (2 * nudge))

# %% [markdown]
# Five rates of change from one walk. *visite* gains weight when its own score rises, and loses when
# another's does. (A tensor that has a record says so when it is printed: `grad_fn=…` names its last step.)
#
# ### Exercise: `attention`
#
# Write the masked attention of lesson 04 in PyTorch. All agreements of that lesson hold: **True means "may
# be looked at"**, the mask broadcasts, `mask=None` hides nothing, hidden keys weigh exactly 0, and a word
# that may look at nothing gets weights and an output of zero. `torch.softmax` is free to use now.
#
# One thing is new. The **gradients** must be right too, with no `nan` among them. They come by themselves as
# long as you compute with tensors only. The conversions `.numpy()`, `.item()`, `.detach()` and `torch.tensor(…)`
# of a result cut the record. And do not write into what softmax gave you, as in `weights[…] = 0` or with
# `masked_fill_`: the way back needs it as it was. Make a new tensor.
#
# <details><summary>Hint 1: the plan</summary>
#
# The plan is that of lesson 04: scores; hide; softmax; mix. Softmax runs over the keys. Which axis of
# `(..., n_q, n_k)` is that? Count from the end, since there may be axes in front.
#
# </details>
# <details><summary>Hint 2: an empty row</summary>
#
# `mask.any(dim=-1, keepdim=True)` tells which rows may look at anything. In lesson 04 an empty row was opened
# for a moment, so that softmax had something to work on, and its weights were put to 0 afterwards. Do the
# same. Do not let a `nan` arise and clear it later: section "A trap" below shows how that can go wrong.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `masked_fill(condition, number)` puts the number where the condition is True. You need it twice: on the
# scores before softmax, with minus infinity, where the mask is False and the row is not empty; and on the
# weights after it, with 0, wherever the mask is False. With `mask=None` you need neither. Give the results
# names: `masked_fill` without underscore changes nothing in place.
#
# </details>

# %% solution="attention"
def attention(q, k, v, mask=None):
    """Let every query look at the keys that the mask shows it; gradients flow through.

    Args:
        q: `(..., n_q, d_k)`, queries.
        k: `(..., n_k, d_k)`, keys.
        v: `(..., n_k, d_v)`, values, one for each key.
        mask: booleans that broadcast to `(..., n_q, n_k)`, True where a query may look at a key; or
            None: every query may look at every key.

    Returns:
        `(output, weights)` of shapes `(..., n_q, d_v)` and `(..., n_q, n_k)`. Hidden keys have
        weight exactly 0. A row with nothing to look at has weights and output 0.

    Example:
        >>> q, k = torch.zeros(2, 2), torch.eye(2)
        >>> v = torch.tensor([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
        >>> attention(q, k, v, torch.tensor([[True, False], [True, True]]))
        (tensor([[2., 0., 0.],
                [1., 2., 0.]]), tensor([[1.000, 0.000],
                [0.500, 0.500]]))

    Source: Vaswani et al. (2017), sections 3.2.1 and 3.2.3.
    """
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5  # (..., n_q, n_k)
    if mask is None:
        weights = torch.softmax(scores, dim=-1)
    else:
        is_empty = ~mask.any(dim=-1, keepdim=True)  # such a row may look everywhere for a moment: no NaN
        scores = scores.masked_fill(~(mask | is_empty), -torch.inf)
        weights = torch.softmax(scores, dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights
    ### END SOLUTION


# %% tests="attention"
check(attention)

# %% [markdown]
# **See.** In lesson 04 you changed a future word and looked at which outputs moved. Gradients answer this
# without changing anything: the gradient of one word's output with respect to another word's vector says how
# strongly the one depends on the other. *Before you run the cell:* which cells will be zero under the causal
# mask?

# %% slide="What depends on what"
def who_moves_whom(x, mask):
    """How strongly the output of each word (row) depends on the vector of each word (column)."""
    rows = []
    for place in range(len(x)):
        vectors = x.clone().requires_grad_()  # a copy that keeps a record from here on
        output, _ = attention(vectors, vectors, vectors, mask)
        output[place].norm().backward()
        rows.append(vectors.grad.norm(dim=-1))
    return torch.stack(rows)


causal = torch.ones(5, 5, dtype=torch.bool).tril()
real = torch.tensor([True, True, True, False, False])[None]  # as if the last two words were <pad>
influence = {"causal mask": who_moves_whom(x[0], causal), "last two hidden": who_moves_whom(x[0], real)}
plots.vectors(influence, words, words, digits=2, title="How outputs (rows) depend on words (columns)")

# %% [markdown]
# *Picture: two grids of five by five numbers. On the left all cells above the diagonal are zero. On the right
# the columns en and septembre are zero but for the diagonal.*
#
# Exactly zero, where the mask is False: nothing that is hidden can be learned from. On the right *en* and
# *septembre* are hidden as keys. As queries they go on looking at the others, so the vector of each still counts
# for its own output: that is what is left on the diagonal.
#
# ### A trap: the `nan` that waits
#
# Two colleagues let the `nan` of an empty row arise, and clear it from the weights with `nan_to_num`. Ada *adds*
# minus infinity to hidden scores. Ben covers them with `masked_fill`. Here is a sentence with `<pad>` on the left,
# where the first word may look at nothing.

# %%
def cleared(scores, v):
    weights = scores.softmax(dim=-1).nan_to_num()
    return weights.matmul(v), weights


def adas_attention(q, k, v, mask):
    to_add = torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
    return cleared(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + to_add, v)


def bens_attention(q, k, v, mask):
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    return cleared(scores.masked_fill(~mask, -torch.inf), v)


left_padded = causal & torch.tensor([False, True, True, True, True])
for name, function in {"Ada's": adas_attention, "Ben's": bens_attention, "yours": attention}.items():
    vectors = x[0].clone().requires_grad_()
    output, _ = function(vectors, vectors, vectors, left_padded)
    output.sum().backward()
    print(f"{name:<6} output has nan: {bool(output.isnan().any())!s:<6}", end="")
    print("gradient has nan:", bool(vectors.grad.isnan().any()))

# %% [markdown]
# All three outputs are right. Ada's gradient is not: the way back leads past the `nan` that was cleared, and 0 times
# `nan` is `nan`. After one step of learning every number of the network would be `nan`. Ben is right, but he
# was lucky: `masked_fill` lets no gradient through where it covers, so the `nan` stops there. Nothing in his
# code tells the next reader that the two lines look so much alike and are not. Where no `nan` arises, none can come back.

# %% [markdown] slide="A linear layer"
# ## 2. Modules: functions that own numbers
#
# In lesson 02 you handed the matrices to `multi_head_attention` at each call. A network has hundreds of them.
# So PyTorch puts a function and its matrices into one object, a **module**. The numbers that are learned are
# its **parameters**.
#
# The simplest module is `nn.Linear(d_in, d_out)`. It multiplies by a matrix and adds a vector, the **bias**.
# Mind how it stores the matrix. You wrote `x @ w` with `w` of shape `(d_in, d_out)`. `nn.Linear` keeps it the
# other way round, `(d_out, d_in)`, like the $W$ of a formula, and computes
#
# $$y = x W^{\top} + b$$

# %%
torch.manual_seed(0)  # the same "random" numbers each time
linear = nn.Linear(6, 2)
print("weight", tuple(linear.weight.shape), " bias", tuple(linear.bias.shape))

by_hand = x @ linear.weight.T + linear.bias
print("x", tuple(x.shape), "-> y", tuple(linear(x).shape))
print("same by hand:", torch.allclose(linear(x), by_hand))

# %% [markdown]
# You call a module like a function: `linear(x)`. It works on the last axis; all axes in front stay.
#
# Modules of your own are classes with two methods. `__init__` makes the parts, and `forward` says what to do
# with them. Here is one that adds two linear maps. How much the second counts is learned as well: a tensor
# that is to be learned is wrapped in `nn.Parameter`.

# %%
class TwoOpinions(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()  # first of all: gets the module ready to take parts
        self.first = nn.Linear(d_in, d_out)
        self.second = nn.Linear(d_in, d_out)
        self.trust = nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return self.first(x) + self.trust * self.second(x)


opinions = TwoOpinions(6, 2)
print("result", tuple(opinions(x).shape))
for name, parameter in opinions.named_parameters():
    print(f"{name:<15} {tuple(parameter.shape)}")

# %% [markdown]
# Nobody told `opinions` which parameters it has. It noticed them when they were assigned to `self`: parameters,
# and modules with all *their* parameters. Their names come from the names of the members. So **the names matter**:
# by them weights are saved, loaded, and, in this course, checked.
#
# **Dropout, and two modes.** `nn.Dropout(p)` is a module without parameters. While a network is trained, it
# puts each number to 0 with probability `p`, at random, and divides the others by `1 - p`, so that the mean
# stays. A network that must do without some of its numbers, never the same ones, cannot rely on any single
# one. When the network is *used*, dropout must do nothing. So every module knows which of two modes it is in:
# `module.train()` and `module.eval()` switch it and all its parts, and `module.training` tells.

# %%
torch.manual_seed(0)
dropout = nn.Dropout(0.5)
ones = torch.ones(2, 8)
dropout.train()
print("training:", dropout(ones), "\nagain:   ", dropout(ones))
dropout.eval()
print("in use:  ", dropout(ones))

# %% [markdown]
# (A caution: the *function* `F.dropout(x, p)` knows no mode. It always drops, unless you pass
# `training=self.training`. The module is safer. Make it in `__init__`: one made in `forward` is always new, and never
# hears of the mode.)
#
# ### The plan of multi-head attention
#
# What you did in lesson 02, with four linear layers in place of four matrices:

# %% slide="The plan of multi-head attention"
wide_q, wide_k = "(batch, n_q, d_model)", "(batch, n_k, d_model)"
heads_q, heads_k = "(batch, n_heads,\nn_q, d_head)", "(batch, n_heads,\nn_k, d_head)"
plots.flow(
    {
        "query": (0, 0, "query"),
        "key": (1.7, 0, "key"),
        "value": (3.4, 0, "value"),
        "w_q": (0, 1.05, "w_q,\nsplit"),
        "w_k": (1.7, 1.05, "w_k,\nsplit"),
        "w_v": (3.4, 1.05, "w_v,\nsplit"),
        "attention": (1.7, 2.4, "attention"),
        "w_o": (1.7, 3.6, "merge,\nw_o"),
        "output": (1.7, 4.65, "output"),
    },
    [
        ("query", "w_q", wide_q),
        ("key", "w_k", wide_k),
        ("value", "w_v", wide_k),
        ("w_q", "attention", heads_q),
        ("w_k", "attention", heads_k),
        ("w_v", "attention", heads_k),
        ("attention", "w_o", heads_q),
        ("w_o", "output", wide_q),
    ],
    title="Multi-head attention",
)

# %% [markdown]
# *Picture: three boxes in a row, query, key and value. From each an arrow leads down to a box of its own: w_q, w_k or w_v,
# and split. On these arrows a word has d_model numbers. Three arrows lead on to attention: there is an axis more, the heads,
# and a word has d_head numbers in each. From attention the way leads down to merge and w_o, and to the output, where a word
# has d_model numbers again.*
#
# Query, key and value may come from different places. In this lesson all three are the same sentence. In lesson
# 06 the queries will be English and the keys and values French, of another length.
#
# **Where dropout goes.** The paper drops some of the attention *weights*: now and then a word must do without
# one that it likes to look at. So dropout acts on the weights before they mix the values. The weights that you
# *return*, for looking at, are those before dropout: they still add up to 1.
#
# ### Exercise: `MultiHeadAttention`
#
# The members `w_q`, `w_k`, `w_v` and `w_o` are `nn.Linear(d_model, d_model)`, all with a bias. Head $h$ has the
# features $h \cdot d_{head}$ to $(h+1) \cdot d_{head} - 1$, as in lesson 02. A mask of shape `(batch, 1, 1, n_k)` or
# `(n_q, n_k)` fits by itself, once the heads stand before the words. What else you keep, such as the number of heads or
# the dropout module, may be called what you like.
#
# <details><summary>Hint 1: the parts</summary>
#
# In `__init__`: check that `n_heads` divides `d_model` (`%` gives the remainder), raise `ValueError` if not,
# remember what `forward` will need, and make five modules: four linear ones, and an `nn.Dropout`.
#
# </details>
# <details><summary>Hint 2: split and merge</summary>
#
# From `(batch, n, d_model)` to `(batch, n_heads, n, d_head)` takes two steps, as in your `split_heads`: cut the
# last axis in two with `reshape`, then exchange two axes with `transpose`. A single `reshape` would give the
# right shape and scramble the words. Merging undoes the two steps in reverse order. The three inputs may have
# different lengths, so take each length from its own tensor, or write -1.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Your `attention` gives you the weights of all heads at once. Hand them to the dropout module, and multiply what
# it gives with the values: that is the output of the heads. (Throw away the output that `attention` gave you: it
# knows nothing of dropout.) Merge, apply `w_o`, and return it with the weights from before dropout.
#
# </details>

# %% solution="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    """Attention by several heads at once, with matrices that can be learned.

    Args:
        d_model: how many numbers a word has.
        n_heads: the number of heads; `ValueError` when it does not divide d_model.
        dropout: the probability that a weight is dropped in training.

    Members: `w_q`, `w_k`, `w_v`, `w_o`, each `nn.Linear(d_model, d_model)` with bias.

    `forward(query, key, value, mask=None)`:
        query is `(batch, n_q, d_model)`, key and value are `(batch, n_k, d_model)`; mask holds booleans
        that broadcast to `(batch, n_heads, n_q, n_k)`, True where a query may look at a key. Returns
        `(output, weights)` of shapes `(batch, n_q, d_model)` and `(batch, n_heads, n_q, n_k)`. Dropout
        acts on the weights that are used; the weights returned are those before it.

    Example:
        >>> output, weights = MultiHeadAttention(6, 3)(x, x, x)
        >>> output.shape, weights.shape
        (torch.Size([1, 5, 6]), torch.Size([1, 3, 5, 5]))

    Source: Vaswani et al. (2017), section 3.2.2; dropout on the weights as in their published code.
    """

    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        ### BEGIN SOLUTION
        if d_model % n_heads != 0:
            raise ValueError(f"{d_model} features cannot be shared out among {n_heads} heads")
        self.n_heads = n_heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(p=dropout)
        ### END SOLUTION

    def forward(self, query, key, value, mask=None):
        ### BEGIN SOLUTION
        q, k, v = (
            projected.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (batch, n_heads, n, d_head)
            for projected in (self.w_q(query), self.w_k(key), self.w_v(value))
        )
        _, weights = attention(q, k, v, mask)  # (batch, n_heads, n_q, n_k)
        found = self.dropout(weights) @ v  # (batch, n_heads, n_q, d_head)
        return self.w_o(found.transpose(1, 2).flatten(start_dim=2)), weights
        ### END SOLUTION


# %% tests="MultiHeadAttention"
check(MultiHeadAttention)

# %% [markdown]
# **See.** Your module starts with random numbers. We give it the three heads of lesson 02 instead: *what's
# happening?*, *when?* and *who?* Those matrices were made for `x @ w`. *Before you run the cell:* what has to be
# done to them before they go into `nn.Linear`?

# %% slide="The heads of lesson 02, as a module"
questions = ["what's happening?", "when?", "who?"]
found = ["action", "motion", "time", "link", "person", "place"]  # two features a head

w_q, w_k = torch.zeros(6, 6), torch.zeros(6, 6)
#                        person action place time link motion
w_q[:, 0] = torch.tensor([3.0, 1.0, 3.0, 3.0, 1.0, 0.0])  # what's happening?
w_q[:, 2] = torch.tensor([2.0, 3.0, 2.0, 1.0, 3.0, 0.0])  # when?
w_q[:, 4] = torch.tensor([1.0, 3.0, 2.5, 3.0, 0.0, 0.0])  # who?
for column, name in enumerate(found):
    w_k[features.index(name), column] = 2.0  # what a word offers
w_v = w_k / 2  # what it hands over
w_o = w_v.T.clone()  # each finding goes back to its feature ...
w_o[found.index("motion"), features.index("person")] = 0.5  # ... and who moves is a traveller


def with_three_heads(module):
    """Put the hand-made matrices into a multi-head attention."""
    with torch.no_grad():
        linears = [module.w_q, module.w_k, module.w_v, module.w_o]
        for linear, matrix in zip(linears, [w_q, w_k, w_v, w_o]):
            linear.weight.copy_(matrix.T)  # nn.Linear multiplies by the transpose
            linear.bias.zero_()
    return module


three_heads = with_three_heads(MultiHeadAttention(d_model=6, n_heads=3))
output, weights = three_heads(x, x, x)
plots.attention(weights[0], words, titles=questions, title="The three heads of lesson 02, now a module")

# %% [markdown]
# *Picture: three grids of five by five weights. In the grid "what's happening?" the column visite is dark, in
# "when?" the column septembre, in "who?" the column Jane.*
#
# ### Is it PyTorch's?
#
# PyTorch has such a module too: `nn.MultiheadAttention`. With the same numbers inside it must give the same
# results. It keeps our first three matrices in one, stacked on top of each other. And now the warning of lesson 04
# becomes serious:
#
# > **In `nn.MultiheadAttention` a `True` in `key_padding_mask` means "hidden".** Ours means "may be looked at".
# > Every mask must be turned round, with `~`.

# %%
torch.manual_seed(0)
batch = torch.randn(2, 5, 6)  # two sentences of five words
ours = MultiHeadAttention(d_model=6, n_heads=3)
theirs = nn.MultiheadAttention(6, 3, batch_first=True)


def same_attention(theirs, ours):
    """Give PyTorch's module the numbers of ours."""
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.w_q.weight, ours.w_k.weight, ours.w_v.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.w_q.bias, ours.w_k.bias, ours.w_v.bias]))
        theirs.out_proj.weight.copy_(ours.w_o.weight)
        theirs.out_proj.bias.copy_(ours.w_o.bias)


same_attention(theirs, ours)
is_real = torch.tensor([[True, True, True, True, True], [True, True, True, False, False]])
mask = is_real[:, None, None, :]  # (batch, 1, 1, n)
output, weights = ours(batch, batch, batch, mask)
for name, hidden in {"turned round, ~is_real": ~is_real, "handed over as it is": is_real}.items():
    their_output, their_weights = theirs(
        batch, batch, batch, key_padding_mask=hidden, average_attn_weights=False
    )
    same = [torch.allclose(their_output[i], output[i], atol=1e-6) for i in range(2)]
    nan = [bool(their_output[i].isnan().any()) for i in range(2)]
    print(f"mask {name:<22} same output: {same}   nan: {nan}")
    if all(same):
        print(f"{'':<27} same weights:", torch.allclose(their_weights, weights, atol=1e-6))

# %% [markdown]
# Each list speaks of our two sentences. With the mask as it is there is no error and no warning. The first sentence, which
# has no padding, comes back as `nan`, since all its words are hidden. The second looks at its padding only, and comes back
# wrong. In a batch where every sentence has some padding you would not even see a `nan`.

# %% [markdown] slide="Layer normalisation"
# ## 3. Keep the numbers in their place
#
# A Transformer stacks many layers. Each one adds to what comes in. If nobody watches, the numbers grow from layer
# to layer, or one word speaks ten times as loudly as another. Large numbers saturate softmax, as you saw in lesson
# 01, and learning stops.
#
# **Layer normalisation** brings each word's vector back to a standard size. For *each word on its own*: subtract
# the mean of its numbers, and divide by how far they spread. Afterwards they have mean 0 and variance 1. Two vectors
# of parameters, gain and bias, let the network choose another size for each feature where that is useful. For the
# vector $x$ of one word with $d$ numbers:
#
# $$\mu = \frac{1}{d}\sum_{i=1}^{d} x_i \qquad \sigma^2 = \frac{1}{d}\sum_{i=1}^{d}(x_i-\mu)^2 \qquad \mathrm{LayerNorm}(x)_i = \frac{x_i-\mu}{\sqrt{\sigma^2+\epsilon}}\; g_i + b_i$$
#
# Three things to mind:
#
# - The sums run over the features of one word. They do not run over words, and not over sentences. A word's result must
#   not depend on its neighbours, nor on padding.
# - $\sigma^2$ is divided by $d$, the number of features, and not by $d - 1$.
# - $\epsilon$, a tiny number, stands *inside the root*. It is there for a vector whose numbers are all alike. *Which
#   of our tokens has such a vector?* Without it, that one would become 0 divided by 0.
#
# Here are the steps for one word, *en*:

# %%
en = x[0, 3]
print("en:              ", en)
print("minus its mean:  ", en - en.mean())
spread = ((en - en.mean()) ** 2).mean().sqrt()
print("over its spread: ", (en - en.mean()) / spread)

# %% [markdown]
# ### Exercise: `LayerNorm`
#
# Its parameters are `weight` (the gain, which starts as ones) and `bias` (which starts as zeros), both of shape
# `(d_model,)`. It works on the last axis of a tensor with any axes in front.
#
# <details><summary>Hint 1: parameters</summary>
#
# `nn.Parameter(…)` around a tensor makes it learnable, once it is assigned to `self`. `torch.ones` and
# `torch.zeros` make the tensors. `eps` is no parameter: an ordinary number to remember.
#
# </details>
# <details><summary>Hint 2: means that fit</summary>
#
# Tensors have the methods `mean` and `var`, which take `dim=` and `keepdim=True`. Read in the documentation of
# `var` what it divides by if you say nothing, or compute the mean of squares yourself.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Mean over the last axis, kept. Subtract it. The mean of the squares of that is the variance. Divide by the root of
# variance plus `eps`. Multiply by `self.weight`, add `self.bias`: both fit against the last axis by themselves.
#
# </details>

# %% solution="LayerNorm"
class LayerNorm(nn.Module):
    """Give each word's vector mean 0 and variance 1, then a learned gain and bias for each feature.

    Args:
        d_model: how many numbers a word has.
        eps: is added to the variance, inside the root.

    Members: the parameters `weight` and `bias`, each `(d_model,)`, which start as ones and zeros.

    `forward(x)`: x is `(..., d_model)`, and so is the result. The variance is the mean of the squared
    distances from the mean (divided by d_model).

    Example:
        >>> LayerNorm(2)(torch.tensor([[1.0, 3.0], [5.0, 5.0]]))
        tensor([[-1.000,  1.000],
                [ 0.000,  0.000]], grad_fn=<AddBackward0>)

    Source: Ba, Kiros, Hinton (2016), Layer Normalization, equation (4).
    """

    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        ### BEGIN SOLUTION
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = (centred**2).mean(dim=-1, keepdim=True)
        return centred / torch.sqrt(variance + self.eps) * self.weight + self.bias
        ### END SOLUTION


# %% tests="LayerNorm"
check(LayerNorm)

# %% [markdown]
# **See.** Four words: *Jane*, *Jane* ten times as loud, *Jane* with 5 added to every number, and `<pad>`, whose
# vector is all zeros. *Before you run the cell:* which rows will be alike afterwards?

# %% slide="Before and after"
norm = LayerNorm(6)
jane = x[0, 0]
loud = torch.stack([jane, 10 * jane, jane + 5, torch.zeros(6)])
plots.vectors(
    {"before": loud, "after LayerNorm": norm(loud)},
    ["Jane", "10 · Jane", "Jane + 5", "<pad>"],
    features,
    title="Each word is brought to the same size",
)

# %% [markdown]
# *Picture: two grids with four rows. On the left the rows differ in size: the second has a ten, the third has
# numbers from five to six. On the right the first three rows are the same, and the row of `<pad>` is zero.*
#
# Only the *pattern* of a vector is left. Now compare with PyTorch's own, with random gains and biases inside, and
# see that neighbours do not matter:

# %%
torch.manual_seed(0)
ours, theirs = LayerNorm(6), nn.LayerNorm(6)
with torch.no_grad():
    ours.weight.normal_()
    ours.bias.normal_()
theirs.load_state_dict(ours.state_dict())  # the names are the same, so this is all
print("same as nn.LayerNorm:", torch.allclose(ours(batch), theirs(batch), atol=1e-6))
print("each word alone, the same:", torch.allclose(ours(batch)[:, :2], ours(batch[:, :2]), atol=1e-6))

# %% [markdown] slide="Each word thinks for itself"
# ## 4. Each word thinks for itself
#
# In attention words *exchange* what they know. But mixing is all that happens there: an output is a weighted mean of
# values. To work out something new from what a word has heard, each word gets a small network of its own. It is the
# same one for all words, and no word sees another in it. It has two linear layers, with a **ReLU** between them:
#
# $$\mathrm{FFN}(x) = \max(0,\; x W_1^{\top} + b_1)\, W_2^{\top} + b_2$$
#
# The maximum is taken number by number: ReLU puts negative numbers to 0. It is the function `torch.relu(h)`. Why is it needed? Say that a word is a *destination* if it
# is a place **and** motion leads to it. A linear map cannot say "and": whatever a place adds to its result, it adds with motion or
# without. But cut off at 0 what is negative, and it can:

# %%
cases = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # place, motion
linear_sum = cases @ torch.tensor([1.0, 1.0]) - 1.0
plots.bars(
    {"place + motion − 1": linear_sum, "the same after ReLU": torch.relu(linear_sum)},
    ["neither", "a place", "motion", "place and motion"],
    digits=0,
    title="ReLU makes an “and”",
)

# %% [markdown]
# *Picture: two bars for each of four cases. Before ReLU the bar is −1 for neither, 0 for a place and for motion, 1 for
# both. After ReLU only the bar for both is left.*
#
# The paper uses `d_ff` four times as large as `d_model`: many such questions for each word.

# %% slide="Wide, then narrow"
plots.flow(
    {
        "x": (0, 0, "x\n(…, d_model)"),
        "wide": (1.35, 0, "wide\n(…, d_ff)"),
        "cut": (2.7, 0, "cut at 0\n(…, d_ff)"),
        "y": (4.05, 0, "output\n(…, d_model)"),
    },
    [("x", "wide", "linear_1"), ("wide", "cut", "ReLU,\ndropout"), ("cut", "y", "linear_2")],
    title="Feed-forward: for each word on its own",
)

# %% [markdown]
# *Picture: four boxes in a row. linear_1 leads from x with d_model numbers a word to d_ff numbers, ReLU and dropout to as many,
# linear_2 to the output with d_model numbers.*
#
# ### Exercise: `FeedForward`
#
# The members are `linear_1` and `linear_2`, both with bias. Dropout acts after ReLU, on the `d_ff` numbers.
#
# <details><summary>Hint 1: sizes</summary>
#
# `linear_1` leads from `d_model` to `d_ff` numbers, `linear_2` back. Both work on the last axis of whatever they are
# given, so there is nothing to do for words and sentences.
#
# </details>
# <details><summary>Hint 2: nearly there</summary>
#
# `forward` is four calls nested in each other: first linear layer, ReLU, dropout, second linear layer. Nothing follows
# the last one.
#
# </details>

# %% solution="FeedForward"
class FeedForward(nn.Module):
    """The same small network for each word on its own: widen, ReLU, dropout, narrow.

    Args:
        d_model: how many numbers a word has.
        d_ff: how many it has in between.
        dropout: the probability that one of the d_ff numbers is dropped in training.

    Members: `linear_1`, from d_model to d_ff, and `linear_2`, back; both with bias.

    `forward(x)`: x is `(..., d_model)`, and so is the result.

    Example:
        >>> FeedForward(6, 24)(x).shape
        torch.Size([1, 5, 6])

    Source: Vaswani et al. (2017), section 3.3, equation (2).
    """

    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__()
        ### BEGIN SOLUTION
        self.linear_1 = nn.Linear(d_model, d_ff)
        self.linear_2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(p=dropout)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        wide = torch.relu(self.linear_1(x))  # (..., d_ff)
        return self.linear_2(self.dropout(wide))
        ### END SOLUTION


# %% tests="FeedForward"
check(FeedForward)

# %% [markdown]
# **See.** Change one word, *visite*, and look at whose output moves. *Before you run the cell:* in attention it was
# everybody's. And now?

# %%
torch.manual_seed(0)
feed_forward = FeedForward(6, 24)
changed = x.clone()
changed[0, 1] = torch.tensor([0.0, 1.0, 0.1, 0.0, 0.0, -0.9])  # quitte
moved_feed_forward = (feed_forward(changed) - feed_forward(x))[0].norm(dim=-1)
moved_attention = (three_heads(changed, changed, changed)[0] - three_heads(x, x, x)[0])[0].norm(dim=-1)
plots.bars(
    {"attention": moved_attention, "feed-forward": moved_feed_forward},
    ["Jane", "visite / quitte", "l'Afrique", "en", "septembre"],
    ylabel="the output moves by",
    title="One word changes: whose output moves?",
)

# %% [markdown]
# *Picture: two bars a word. The bars of attention are well above zero for all five words. Those of feed-forward are
# zero but for the word that was changed.*
#
# Attention is where words talk to each other. Feed-forward is where each one thinks about what it heard.

# %% [markdown]
# ## 5. The encoder layer
#
# The **encoder** is the part of a Transformer that reads the French sentence. It is a stack of equal layers. Each
# consists of the two parts you have: first multi-head attention, then feed-forward. After each part comes a step that the
# paper's picture calls **Add & Norm**:
#
# - **Add:** what the part has found is *added* to what went in. This is a **residual connection**.
# - **Norm:** the sum goes through a LayerNorm.
#
# Why add? In lesson 02 *l'Afrique* came out of attention as "somebody travels there, in that month", and was hardly a
# place any more. Its own vector had been lost among what it had heard. Added to it, nothing is lost: the part only has to find what is *new*. Gradients
# profit as well. On the way back they have a straight road past every part.

# %% slide="The encoder layer"
shape = "(batch, n, d_model)"
plots.flow(
    {
        "x": (0, 0, "x"),
        "attention": (1.8, 0.85, "self_attention,\nthen dropout"),
        "add, norm 1": (0, 1.7, "+, then\nnorm_1"),
        "feed forward": (1.8, 2.55, "feed_forward,\nthen dropout"),
        "add, norm 2": (0, 3.4, "+, then\nnorm_2"),
        "out": (0, 4.4, "output"),
    },
    [
        ("x", "add, norm 1", shape),
        ("x", "attention", shape),
        ("attention", "add, norm 1", shape),
        ("add, norm 1", "add, norm 2", shape),
        ("add, norm 1", "feed forward", shape),
        ("feed forward", "add, norm 2", shape),
        ("add, norm 2", "out", shape),
    ],
    title="Encoder layer",
)

# %% [markdown] slide="Add, then normalise"
# *Picture: a straight road leads down from x to the output, over two boxes: a plus sign, then norm_1; a plus sign, then
# norm_2. From x a side road leads over self_attention and dropout to the first box, from there another over feed_forward
# and dropout to the second. At every arrow stands the same shape, (batch, n, d_model).*
#
# The shape is the same at every arrow. So layers can be stacked without any glue.
#
# In a formula:
#
# $$h = \mathrm{LayerNorm}_1\big(x + \mathrm{SelfAttention}(x)\big) \qquad y = \mathrm{LayerNorm}_2\big(h + \mathrm{FFN}(h)\big)$$
#
# The norm stands *after* the addition. This is the paper's way, called **post-norm**. Dropout acts on what each part has
# found, before it is added. It also acts inside both parts.
#
# ### Exercise: `EncoderLayer`
#
# The members are `self_attention`, `feed_forward`, `norm_1` and `norm_2`. The layer returns its output alone, without the
# weights.
#
# <details><summary>Hint 1: parts</summary>
#
# Four members are modules that you have written. The dropout rate goes to those two that take one, and to an `nn.Dropout` of
# the layer's own. Two norms, not one used twice: each has its own gain and bias.
#
# </details>
# <details><summary>Hint 2: self-attention</summary>
#
# Self-attention means that query, key and value are the same `x`. Your module takes all three, and the mask, and returns two
# things, of which you need the first here.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Two lines that look alike. A part is applied; dropout is applied to what it found; the part's *input* is added; the norm
# is applied to the sum. The second line starts from the result of the first, for its residual too.
#
# </details>

# %% solution="EncoderLayer"
class EncoderLayer(nn.Module):
    """One layer of the encoder: self-attention, then feed-forward, with Add & Norm after each.

    Args:
        d_model: how many numbers a word has.
        n_heads: the number of heads.
        d_ff: how many numbers a word has inside the feed-forward part.
        dropout: the probability of dropping, in both parts and on what each of them found.

    Members: `self_attention`, `feed_forward`, `norm_1`, `norm_2`.

    `forward(x, mask=None)`: x is `(batch, n, d_model)`, and so is the result; mask holds booleans that
    broadcast to `(batch, n_heads, n, n)`, True where a word may look at another. Post-norm:
    `norm_1(x + dropout(self_attention))`, then `norm_2(… + dropout(feed_forward))`.

    Example:
        >>> EncoderLayer(6, 3, 24)(x).shape
        torch.Size([1, 5, 6])

    Source: Vaswani et al. (2017), section 3.1, figure 1 (left); dropout: section 5.4.
    """

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        ### BEGIN SOLUTION
        self.self_attention = MultiHeadAttention(d_model, n_heads, dropout=dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=dropout)
        self.norm_1 = LayerNorm(d_model)
        self.norm_2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(p=dropout)
        ### END SOLUTION

    def forward(self, x, mask=None):
        ### BEGIN SOLUTION
        attended, _ = self.self_attention(x, x, x, mask)
        x = self.norm_1(x + self.dropout(attended))
        return self.norm_2(x + self.dropout(self.feed_forward(x)))
        ### END SOLUTION


# %% tests="EncoderLayer"
check(EncoderLayer)

# %% [markdown]
# **See.** The shapes once more, this time measured: PyTorch lets us listen to every part while your layer runs.

# %%
torch.manual_seed(0)
layer = EncoderLayer(d_model=6, n_heads=3, d_ff=24).eval()
with_three_heads(layer.self_attention)


def listen(layer, *inputs):
    """Run a layer; the name, first input and first output of each part, in the order of the calls."""
    heard = []

    def hook_for(name):
        def hook(part, args, kwargs, result):
            first = result[0] if isinstance(result, (tuple, list)) else result
            heard.append((name, [*args, *kwargs.values()][0].detach(), first.detach()))

        return hook

    parts = [(name, part) for name, part in layer.named_modules() if name]
    hooks = [part.register_forward_hook(hook_for(name), with_kwargs=True) for name, part in parts]
    layer(*inputs)
    for hook in hooks:
        hook.remove()
    return heard


for name, given, result in listen(layer, batch):
    print(f"{name:<24} {tuple(given.shape)} -> {tuple(result.shape)}")

# %% [markdown]
# Between the inputs and outputs of `feed_forward.linear_1` and `feed_forward.linear_2` you see where the words are wide. Now
# the same with our sentence, and the numbers in place of the shapes. The heads are those of lesson 02, the feed-forward part
# has random numbers. Look at the row of *l'Afrique*, at *place*.

# %%
heard = {name: (given[0], result[0]) for name, given, result in listen(layer, x)}
plots.vectors(
    {
        "x": x[0],
        "self_attention": heard["self_attention"][1],
        "+": heard["norm_1"][0],
    },
    words,
    features,
    title="Add: nothing is lost",
)
plots.vectors(
    {
        "norm_1": heard["norm_1"][1],
        "feed_forward": heard["feed_forward"][1],
        "norm_2": heard["norm_2"][1],
    },
    words,
    features,
    title="Norm, think, Add & Norm",
)

# %% [markdown]
# *Pictures: grids with the five words as rows and the six features as columns. x: each word is dark in one or two
# features. self_attention: all words look alike, dark at person, action, time and motion; the column place is nearly
# empty. Their sum: what every word has heard, and again its own feature, l'Afrique at place. norm_1: the same pattern, with negative numbers where there was
# little. feed_forward: small random numbers. norm_2: nearly the picture of norm_1.*
#
# After attention *l'Afrique* had lost its *place*. After Add it has it again, and it also knows who travels there and when. This is what one
# layer of the encoder is for.
#
# **Play.** Take a word out of the sentence by the mask, and see what the others no longer hear.

# %% slide="Who mixes words?"
my_mask = torch.tensor([True, False, True, True, True])  # visite is hidden
heard_less = {name: result[0] for name, _, result in listen(layer, x, my_mask[None, :])}
plots.vectors(
    {"all words": heard["self_attention"][1], "visite hidden": heard_less["self_attention"]},
    words,
    features,
    title="What self_attention finds",
)

# %% [markdown]
# *Picture: on the left the columns action and motion are dark for all words. On the right they are nearly empty.*
#
# ### Is it PyTorch's?
#
# `nn.TransformerEncoderLayer` is the same layer, under other names. We copy the numbers and compare the outputs, and, since a layer
# is made to learn, the gradients. There is padding in the second sentence. Mind the `~` again.

# %%
torch.manual_seed(0)
ours = EncoderLayer(d_model=6, n_heads=3, d_ff=24)
theirs = nn.TransformerEncoderLayer(6, 3, dim_feedforward=24, dropout=0.0, batch_first=True)
same_attention(theirs.self_attn, ours.self_attention)
pairs = {
    "linear1": ours.feed_forward.linear_1,
    "linear2": ours.feed_forward.linear_2,
    "norm1": ours.norm_1,
    "norm2": ours.norm_2,
}
for name, part in pairs.items():
    getattr(theirs, name).load_state_dict(part.state_dict())

our_input, their_input = batch.clone().requires_grad_(), batch.clone().requires_grad_()
our_output = ours(our_input, mask)
their_output = theirs(their_input, src_key_padding_mask=~is_real)
wanted = torch.randn(2, 5, 6)  # any function of the output will do, to have gradients of something
(our_output * wanted).sum().backward()
(their_output * wanted).sum().backward()
print("same output:                   ", torch.allclose(our_output, their_output, atol=1e-5))
print("same gradient of the words:    ", torch.allclose(our_input.grad, their_input.grad, atol=1e-5))
for name, part in pairs.items():
    same = torch.allclose(part.weight.grad, getattr(theirs, name).weight.grad, atol=1e-5)
    print(f"same gradient of {name + '.weight:':<15}", same)

# %% [markdown]
# It is. You have built the real thing.
#
# <details><summary>Aside: when PyTorch's layer gives zeros at padded words</summary>
#
# In evaluation mode, without gradients, PyTorch may take a faster way for such layers. It then leaves padded words out and fills in zeros.
# Nobody reads the outputs of padded words, so both are right. But compare such outputs at real words only.
#
# </details>

# %% [markdown] slide="Before or after?"
# ## 6. Many layers: where should the norm stand?
#
# The paper stacks six layers. Today's networks stack dozens, and most of them put the norm elsewhere: *before* each part
# instead of after the addition. This is called **pre-norm**:
#
# $$\text{post-norm: } \mathrm{LayerNorm}\big(x + \mathrm{part}(x)\big) \qquad\qquad \text{pre-norm: } x + \mathrm{part}\big(\mathrm{LayerNorm}(x)\big)$$
#
# It looks like a matter of taste. Let us measure. Below is a pre-norm layer made of your parts, and a small network that
# reads six tokens and has to say them backwards. Its tower of layers can be of either kind. (A pre-norm tower gets one more
# norm on top, since nothing else has brought the sum to size.) You need not understand every line: `PreNormLayer` is what
# matters.

# %%
class PreNormLayer(EncoderLayer):
    """The parts of an EncoderLayer, each with its norm in front."""

    def forward(self, x, mask=None):
        parts = [lambda normed: self.self_attention(normed, normed, normed, mask)[0], self.feed_forward]
        for norm, part in zip([self.norm_1, self.norm_2], parts):
            x = x + part(norm(x))
        return x


class Reverser(nn.Module):
    """Token ids `(batch, 6)` -> for each place a score for each of ten tokens `(batch, 6, 10)`."""

    def __init__(self, kind, n_layers, d_model=32):
        super().__init__()
        self.token_vectors = nn.Parameter(torch.randn(10, d_model))
        self.place_vectors = nn.Parameter(torch.randn(6, d_model))
        self.tower = nn.Sequential(*[kind(d_model, 4, 64) for _ in range(n_layers)])
        self.last_norm = LayerNorm(d_model) if kind is PreNormLayer else nn.Identity()
        self.to_scores = nn.Linear(d_model, 10)

    def forward(self, ids):
        x = self.token_vectors[ids] + self.place_vectors
        return self.to_scores(self.last_norm(self.tower(x)))


def loss_of(model, ids):
    """Minus the logarithm of the probability given to the right token, averaged (as in lesson 04)."""
    return F.cross_entropy(model(ids).flatten(0, 1), ids.flip(1).flatten())


# %% [markdown]
# First, how large is the gradient that arrives at each layer, in a tower of 24 that has not learned anything yet? We take
# the norm of the gradient of all its parameters together, averaged over a few random towers. *Before you run the cell:*
# the gradient comes from the top. In which kind of tower will it change more from top to bottom?

# %% slide="The gradient in a deep stack"
def gradient_sizes(kind, n_layers):
    """The norm of the gradient of each layer's parameters in towers that have not learned anything."""
    sizes = []
    for seed in range(4):
        torch.manual_seed(seed)
        model = Reverser(kind, n_layers)
        loss_of(model, torch.randint(10, (16, 6))).backward()
        gradients = [torch.cat([p.grad.flatten() for p in layer.parameters()]) for layer in model.tower]
        sizes.append(torch.stack(gradients).norm(dim=-1))
    return torch.stack(sizes).mean(dim=0)


kinds = {"post-norm": EncoderLayer, "pre-norm": PreNormLayer}
plots.lines(
    range(1, 25),
    {name: gradient_sizes(kind, 24) for name, kind in kinds.items()},
    xlabel="layer (24 is the last, nearest to the loss)",
    ylabel="norm of the gradient",
    title="Before any training: how large is each layer's gradient?",
)
print("the last layer's gradient in towers of")
print(f"{'':<12}{'6 layers':>10}{'12':>8}{'24':>8}")
for name, kind in kinds.items():
    last = [gradient_sizes(kind, n_layers)[-1] for n_layers in (6, 12, 24)]
    print(f"{name:<12}{last[0]:>10.2f}{last[1]:>8.2f}{last[2]:>8.2f}")

# %% [markdown]
# *Picture: two curves over the 24 layers. Post-norm rises from the first layer to the last. Pre-norm lies below it, is nearly
# level, and lies far below it at the last layer.*
#
# In the post-norm tower the last layers are pushed hardest, and harder still in a taller tower. Two norms of each layer stand
# on the straight road itself, so a gradient on its way down has to pass all those above. In the pre-norm tower the road is free: all
# layers are pushed about alike, and the height of the tower changes little. What comes out on top there is a sum, in which one layer
# more or less counts for little. (Xiong and others measure and prove it: see "Further reading".)
#
# Does it matter? Train both, with the same large learning rate: how far each number is moved in one step. And a third
# time post-norm, with a **warm-up**: the learning rate starts near zero and grows over the first 50 steps. Again you need not
# understand every line; lesson 07 is about them. This cell takes longest of all: about half a minute.

# %% slide="Learning, both ways"
def train(kind, warmup, n_layers=12, steps=100, learning_rate=0.008):
    torch.manual_seed(0)
    model, losses = Reverser(kind, n_layers), []
    optimizer = torch.optim.Adam(model.parameters())  # moves the parameters along their gradients
    for step in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = learning_rate * min(1.0, step / warmup)
        loss = loss_of(model, torch.randint(10, (16, 6)))
        optimizer.zero_grad()  # forget the old gradients
        loss.backward()  # find the new ones
        optimizer.step()  # take a step
        losses.append(loss.item())
    return losses


runs = {
    "post-norm": train(EncoderLayer, warmup=1),
    "post-norm, warm-up": train(EncoderLayer, warmup=50),
    "pre-norm": train(PreNormLayer, warmup=1),
}
plots.lines(
    range(1, 101),
    runs,
    xlabel="training step",
    ylabel="loss",
    title="Twelve layers learn to say a sentence backwards",
)
print(f"guessing blindly costs {np.log(10):.2f}")
for name, losses in runs.items():
    print(f"{name:<20} has learned it: {np.mean(losses[-20:]) < 1}")

# %% [markdown]
# *Picture: loss against training step. Post-norm stays level, at what blind guessing costs. Post-norm with warm-up and
# pre-norm fall far below that, pre-norm first; with warm-up the curve rises a little again at its end.*
#
# Post-norm is thrown off by its first large steps and never comes back. With small first steps it learns as well. That is why the paper has a
# warm-up, and you will write it in lesson 07. Pre-norm does not need it. Our course stays with the paper's post-norm.

# %% [markdown]
# ## 7. Broken on purpose
#
# Five colleagues have stacked three of your layers on top of each other. All five stacks run. All give the right
# shape. One is right. Read what the others did:

# %%
class Stack(nn.Module):
    def __init__(self, floors):
        super().__init__()
        self.floors = floors

    def forward(self, x, mask=None):
        for floor in self.floors:
            x = floor(x, mask)
        return x


class StillDropping(EncoderLayer):
    def forward(self, x, mask=None):
        return F.dropout(super().forward(x, mask), 0.1)


class NormOfTheSentence(LayerNorm):
    def forward(self, x):
        mean, spread = x.mean(dim=(1, 2), keepdim=True), x.std(dim=(1, 2), keepdim=True)
        return (x - mean) / spread * self.weight + self.bias


def with_other_norms(layer):
    layer.norm_1, layer.norm_2 = NormOfTheSentence(6), NormOfTheSentence(6)
    return layer


torch.manual_seed(0)
stacks = {
    "Ada": Stack(nn.ModuleList([EncoderLayer(6, 3, 24) for _ in range(3)])),
    "Ben": Stack([EncoderLayer(6, 3, 24) for _ in range(3)]),
    "Cleo": Stack(nn.ModuleList([EncoderLayer(6, 3, 24)] * 3)),
    "Dan": Stack(nn.ModuleList([StillDropping(6, 3, 24) for _ in range(3)])),
    "Eve": Stack(nn.ModuleList([with_other_norms(EncoderLayer(6, 3, 24)) for _ in range(3)])),
}
for name, stack in stacks.items():
    print(f"{name:<5} {tuple(stack(batch, mask).shape)}")

# %% [markdown]
# You do not need to train any of them to find out. Three short tests do it:
#
# 1. **Count** the parameters. How many should there be?
# 2. **Ask twice.** In evaluation mode the same sentence must get the same answer.
# 3. **Change the padding.** Hidden words get other vectors. The outputs of real words must stay put.
#
# *Before you run the cell:* who fails which test?

# %%
def count(stack):
    return sum(parameter.numel() for parameter in stack.parameters())


def answers_alike(stack):
    stack.eval()
    return torch.equal(stack(batch, mask), stack(batch, mask))


def padding_is_hidden(stack):
    stack.eval()
    torch.manual_seed(1)  # so that chance plays no part in this test
    before = stack(batch, mask)
    other_padding = torch.where(is_real[..., None], batch, 5.0)
    torch.manual_seed(1)
    after = stack(other_padding, mask)
    return torch.allclose(before[is_real], after[is_real], atol=1e-5)


print("parameters of one layer:", count(EncoderLayer(6, 3, 24)))
print(f"{'':<6}{'parameters':>12}{'asked twice, alike':>21}{'padding hidden':>17}")
for name, stack in stacks.items():
    print(f"{name:<6}{count(stack):>12}{answers_alike(stack)!s:>21}{padding_is_hidden(stack)!s:>17}")

# %% [markdown]
# <details><summary>Who did what</summary>
#
# - **Ben** put the layers into a plain Python list. A module looks for parameters among its members, but not inside lists. So it has
#   none: nothing would be learned, nothing saved, and `.to("cuda")` would leave the layers behind. `nn.ModuleList` is a list that
#   is looked into.
# - **Cleo** wrote `[layer] * 3`. That is a list of three names for *one* layer, so there are a third of the parameters. The three
#   floors will always be the same.
# - **Dan** used `F.dropout` without telling it the mode. It goes on dropping in evaluation mode.
# - **Eve** takes mean and spread over words and features together. So every word depends on all others, padding included, whatever the mask says.
# - **Ada** is right.
#
# </details>
#
# Keep the three tests. You need them again in lesson 06, for a whole Transformer.

# %% [markdown] slide="What to take home"
# ## Summary
#
# - PyTorch's **tensors** remember how they were computed; `backward()` finds all gradients from that. A `nan` that is
#   cleared may come back in the gradients: let none arise.
# - A **module** owns parameters, in members whose names matter. `nn.Linear` computes $xW^{\top} + b$. **Dropout**
#   acts in training mode and not in evaluation mode.
# - **Multi-head attention** lets words exchange what they know. **Feed-forward** lets each word work on its own.
#   **LayerNorm** brings each word's vector to a standard size, on its own.
# - An **encoder layer** is attention, then feed-forward, with **Add & Norm** after each. The residual keeps what the word
#   was. Shapes stay `(batch, n, d_model)`, so layers can be stacked.
# - Yours equals `nn.TransformerEncoderLayer`, number for number. In `nn.MultiheadAttention` True means "hidden".
# - **Post-norm** pushes the last layers hard and needs a warm-up when it is deep. **Pre-norm** does not.

# %% [markdown]
# ## Check yourself
#
# Answer in your head, then open.
#
# <details><summary>1. <code>nn.Linear(6, 24)</code>: which shape has its weight, and how many parameters are there?</summary>
#
# `(24, 6)`, and 24 biases: 24 · 6 + 24 = 168.
#
# </details>
# <details><summary>2. A classmate has no residual connections. All shapes are right, and attention is right. What does the
# layer lose?</summary>
#
# Each word's own vector. What comes out of attention is a mixture of values; what the word was itself survives only as far as it looks at
# itself. And gradients lose the straight road past the parts.
#
# </details>
# <details><summary>3. The batch holds a sentence of five words and one of three with two <code>&lt;pad&gt;</code>. The mask is right. Where
# could padding still have an effect on real words: in attention, LayerNorm, feed-forward?</summary>
#
# Nowhere, if LayerNorm works on each word alone. Attention does not look at `<pad>`. Feed-forward and LayerNorm see one word at a time.
# A norm over the whole sentence would let padding in.
#
# </details>
# <details><summary>4. You hand our mask to <code>nn.MultiheadAttention</code> as <code>key_padding_mask</code>. What happens?</summary>
#
# Real words are hidden and padding is looked at. There is no error. For a sentence without padding all keys would be hidden, and
# the result is `nan`: that one you would notice.
#
# </details>
# <details><summary>5. Your network gives another translation each time you ask. What have you forgotten?</summary>
#
# `model.eval()`, or dropout that knows no mode.
#
# </details>
# <details><summary>6. Why do the weights that you return not show dropout?</summary>
#
# They are for looking at. After dropout they would not add up to 1, and would differ from call to call.
#
# </details>

# %% [markdown]
# ## Further reading
#
# - A. Vaswani and others, *Attention Is All You Need*, NeurIPS 2017. Section 3.1 and figure 1: the layer; section 3.3, equation (2):
#   feed-forward; section 5.4: dropout.
# - J. L. Ba, J. R. Kiros, G. E. Hinton, *Layer Normalization*, 2016 (arXiv 1607.06450), equation (4).
# - K. He, X. Zhang, S. Ren, J. Sun, *Deep Residual Learning for Image Recognition*, CVPR 2016: why adding helps deep networks.
# - R. Xiong and others, *On Layer Normalization in the Transformer Architecture*, ICML 2020: post-norm, pre-norm and warm-up, measured
#   and proved; section 3 and theorem 1 are our section 6.
# - N. Srivastava and others, *Dropout: A Simple Way to Prevent Neural Networks from Overfitting*, JMLR 15 (2014).
# - PyTorch documentation of `nn.Module`, `nn.Linear`, `nn.MultiheadAttention`, `nn.TransformerEncoderLayer`.
# - GitHub, issue *pytorch/pytorch#41508*: a row with nothing to look at, and its `nan`.
#
# **Next:** lesson 06, where layers become an encoder and a decoder, and both a Transformer.
