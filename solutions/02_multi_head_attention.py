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
# # 02 · Multi-head attention: several questions at once
#
# **What you will be able to do:** let a word ask several questions at once, first in a loop and then all
# of them in one go, and find a mistake that no error message tells you about.
#
# | | |
# |---|---|
# | **Goal** | multi-head attention as in the paper, without a loop over the heads |
# | **You know already** | lesson 01: query, key, value, softmax, scaled dot-product attention; shapes |
# | **You need** | 60 to 120 minutes |
#
# | section | you write |
# |---|---|
# | 1 · One head has one budget | |
# | 2 · Three heads, one after another | `attend_head_by_head` |
# | 3 · No head waits for another | |
# | 4 · Splitting | `split_heads` |
# | 5 · Merging | `merge_heads` |
# | 6 · Broken on purpose | |
# | 7 · All heads at once | `multi_head_attention` |
# | 8 · What heads cost | `count_attention_parameters` |
#
# Run the next two cells first. The second one fetches two functions of lesson 01: your own if they pass
# their checks, else ones that the course provides.

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
softmax, scaled_dot_product_attention = carry("softmax", "scaled_dot_product_attention")

# %% [markdown]
# ## 1. One head has one budget
#
# The sentence is *Jane visite l'Afrique en septembre*, with the hand-made vectors of lesson 01: five words,
# six features.

# %%
np.set_printoptions(precision=3, suppress=True)

words = ["Jane", "visite", "l'Afrique", "en", "septembre"]
features = ["person", "action", "place", "time", "link", "motion"]
x = np.array(
    [  # person action place time link motion
        [1.0, 0.0, 0.1, 0.0, 0.0, 0.0],  # Jane
        [0.0, 1.0, 0.1, 0.0, 0.0, 0.9],  # visite: an action, motion towards
        [0.1, 0.0, 1.0, 0.0, 0.0, 0.0],  # l'Afrique
        [0.0, 0.0, 0.1, 0.2, 1.0, 0.0],  # en: a small word that links
        [0.0, 0.0, 0.0, 1.0, 0.1, 0.0],  # septembre
    ]
)
print("x has shape", x.shape, "= (n, d_model)")

# %% [markdown]
# What you built in lesson 01 is one **attention head**: one set of queries, keys and values, and one row
# of weights for each word. Now suppose that *l'Afrique* wants to know three things:
#
# - **What's happening?** The answer is *visite*.
# - **When?** The answer is *septembre*.
# - **Who?** The answer is *Jane*.
#
# One head can ask all three: its query says "action, time, person". But softmax hands out shares of 1, so
# the three answers must divide one budget. And what if one question is asked more loudly? *Before you run
# the cell:* what will happen to the other two?

# %% slide="One head has one budget"
# The keys of this head, each number doubled as in lesson 01; d_k is 3.
offers = 2 * x[:, [features.index(name) for name in ("action", "time", "person")]]
asks_alike = np.array([3.0, 3.0, 3.0])  # action, time, person
asks_who_loudly = np.array([3.0, 3.0, 6.0])

plots.bars(
    {
        "all three alike": softmax(offers @ asks_alike / np.sqrt(3)),
        "who? twice as loud": softmax(offers @ asks_who_loudly / np.sqrt(3)),
    },
    words,
    ylabel="weight",
    title="l'Afrique asks three questions with one head",
)

# %% [markdown]
# *Picture: two bars a word. When all three are asked alike, Jane, visite and septembre get about a third
# each. When who? is asked twice as loudly, Jane's hatched bar takes nearly everything, and those of visite
# and septembre have almost gone.*
#
# Either the word gets a mixture of three answers, or one answer drives out the others. The paper says it
# so: with a single head, "averaging inhibits this" (section 3.2.2).
#
# The way out is simple. **Give each question a head of its own**, with its own queries, keys and values,
# and its own softmax: three budgets instead of one.

# %% [markdown]
# ## 2. Three heads, one after another
#
# A head is small: here its queries, keys and values have only two numbers each. We write this
# `d_head = 2`, and it plays the role that `d_k` and `d_v` played in lesson 01. Each head has its own three
# matrices of shape `(d_model, d_head)`. We stack them, so `w_q` has shape `(n_heads, d_model, d_head)`, and
# `w_q[0]` belongs to the first head.
#
# As in lesson 01 we write the matrices by hand. In a real network they are learned, and nobody tells a head
# what to ask.
#
# | head | asks | looks for | hands over as well |
# |---|---|---|---|
# | 1 | what's happening? | action | motion |
# | 2 | when? | time | link |
# | 3 | who? | person | place |
#
# Each head asks with its first column only: the second number of every query is 0, so the second number of a key
# never counts in a score. What stands in the second column is handed over when the head has found its word.

# %% slide="Three heads, three subspaces"
questions = ["what's happening?", "when?", "who?"]
columns = [["action", "motion"], ["time", "link"], ["person", "place"]]
n_heads, d_model, d_head = 3, 6, 2

w_q = np.zeros((n_heads, d_model, d_head))
w_k = np.zeros((n_heads, d_model, d_head))
w_v = np.zeros((n_heads, d_model, d_head))

# How loudly each kind of word asks the head's question. Nobody asks much about what it is itself.
#               person action place time link motion
w_q[0, :, 0] = [3.0, 1.0, 3.0, 3.0, 1.0, 0.0]  # what's happening?
w_q[1, :, 0] = [2.0, 3.0, 2.0, 1.0, 3.0, 0.0]  # when?
w_q[2, :, 0] = [1.0, 3.0, 2.5, 3.0, 0.0, 0.0]  # who?

for head, pair in enumerate(columns):
    for column, name in enumerate(pair):
        w_k[head, features.index(name), column] = 2.0  # what a word offers this head
        w_v[head, features.index(name), column] = 1.0  # what it hands over to this head

print("w_q", w_q.shape, " w_k", w_k.shape, " w_v", w_v.shape, "= (n_heads, d_model, d_head)")
plots.vectors(
    {question: x @ w_k[head] for head, question in enumerate(questions)},
    words,
    dict(zip(questions, columns)),
    title="Keys: what each word offers to each head",
)

# %% [markdown]
# *Picture: three grids side by side with the five words as rows and two columns each. For the head "what's
# happening?" only visite is dark. For "when?" septembre is dark at time and en at link. For "who?" Jane is
# dark at person and l'Afrique at place. Only the first column of each grid is asked for.*
#
# The three heads look at the same five words, but each sees other sides of them: **heads are different
# features**. What each head finds is a vector of `d_head` numbers for each word. What becomes of the three
# findings? They are put side by side, head 1 first, which gives `n_heads * d_head` numbers for each word.
# Then one more matrix, $W^O$, turns them back into `d_model` numbers.

# %% slide="Heads side by side, then mixed"
plots.flow(
    {
        "x": (0, 1, "x\n(n, d_model)"),
        "h1": (1.25, 0, "head 1\n(n, d_head)"),
        "h2": (1.25, 1, "head 2\n(n, d_head)"),
        "h3": (1.25, 2, "head 3\n(n, d_head)"),
        "c": (2.5, 1, "side by side\n(n, 3 · d_head)"),
        "o": (3.7, 1, "output\n(n, d_model)"),
    },
    [("x", "h1"), ("x", "h2"), ("x", "h3"), ("h1", "c"), ("h2", "c"), ("h3", "c"), ("c", "o", "$W^O$")],
    title="Multi-head attention with three heads",
)

# %% [markdown] slide="Multi-head attention"
# *Picture: from the box x, arrows lead to three boxes, head 1 to head 3, each with d_head numbers for each
# word. Arrows lead from all three to one box, side by side, and from there an arrow named W^O leads to the
# output with d_model numbers.*
#
# In the paper's formula, with $h$ heads:
#
# $$\mathrm{MultiHead}(X) = \mathrm{Concat}(\mathrm{head}_1, \dots, \mathrm{head}_h)\, W^O \qquad\text{with}\qquad \mathrm{head}_i = \mathrm{Attention}(X W_i^Q,\ X W_i^K,\ X W_i^V)$$
#
# Why $W^O$? Side by side, the findings do not touch each other: the first two numbers come from head 1
# alone. $W^O$ **mixes** them, and it brings the result into the form that the next layer expects. Ours
# mostly puts each finding back into the feature it came from. One entry mixes: motion, found by head 1,
# also counts half for *person*, found by head 3. Somebody who moves is a traveller.

# %%
w_o = np.zeros((n_heads * d_head, d_model))
found = [name for pair in columns for name in pair]  # the features, in the order of the heads
for row, name in enumerate(found):
    w_o[row, features.index(name)] = 1.0
w_o[found.index("motion"), features.index("person")] = 0.5

plots.vectors(w_o, found, features, title="$W^O$: from the heads' findings (rows) to features (columns)")

# %% [markdown]
# *Picture: a grid of six rows, the findings of the three heads, and six columns, the features. Each row has
# a dark cell at its own feature. The row motion has a second, lighter cell at person.*
#
# ### Exercise: `attend_head_by_head`
#
# Write it as the formula says, with a loop over the heads: one head after another. All the attention you
# need is in `scaled_dot_product_attention`, which you have.
#
# The width of a head is whatever the matrices say. `n_heads * d_head` need not be `d_model`.
#
# <details><summary>Hint 1: one head first</summary>
#
# Take head 0 and forget the others. Its three matrices are `w_q[0]`, `w_k[0]` and `w_v[0]`. Project `x` with
# each, and call `scaled_dot_product_attention`. You get an output `(n, d_head)` and weights `(n, n)`.
#
# </details>
# <details><summary>Hint 2: collecting</summary>
#
# Start with two empty lists, one for outputs and one for weights. In the loop, append to both. The number of
# heads is the length of `w_q`.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# After the loop, put the outputs side by side: `np.concatenate` with `axis=-1` makes rows longer (with
# `axis=0` you would get more rows, as if the sentence had more words). Multiply the result with `w_o`. The
# weights are not put side by side but stacked: `np.array(list_of_weights)` has the shape
# `(n_heads, n, n)`.
#
# </details>

# %% solution="attend_head_by_head"
def attend_head_by_head(x, w_q, w_k, w_v, w_o):
    """Multi-head self-attention of one sentence, one head after another.

    Args:
        x: `(n, d_model)`, one vector for each word.
        w_q, w_k, w_v: `(n_heads, d_model, d_head)`, three matrices for each head.
        w_o: `(n_heads * d_head, d_model)`, mixes what the heads found.

    Returns:
        `(output, weights)` of shapes `(n, d_model)` and `(n_heads, n, n)`: the heads' outputs side by
        side, in the order of the heads, times w_o; and the weights of each head.

    Example:
        >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> nothing = np.zeros((2, 2, 1))  # two heads that ask nothing: they see the mean
        >>> w_v = np.array([[[2.0], [4.0]], [[0.0], [8.0]]])
        >>> attend_head_by_head(x, nothing, nothing, w_v, np.eye(2))[0]
        array([[3., 4.],
               [3., 4.]])

    Source: Vaswani et al. (2017), section 3.2.2.
    """
    ### BEGIN SOLUTION
    outputs, weights = [], []
    for head in range(len(w_q)):
        found, looks = scaled_dot_product_attention(x @ w_q[head], x @ w_k[head], x @ w_v[head])
        outputs.append(found)
        weights.append(looks)
    return np.concatenate(outputs, axis=-1) @ w_o, np.array(weights)
    ### END SOLUTION


# %% tests="attend_head_by_head"
check(attend_head_by_head)

# %% [markdown]
# **See.** Three heads on the sentence. *Before you run the cell:* which column will be dark in each picture?

# %% slide="Three heads, three questions"
output, weights = attend_head_by_head(x, w_q, w_k, w_v, w_o)
print("output", output.shape, " weights", weights.shape)
plots.attention(weights, words, titles=questions, title="Three heads, three questions")

# %% [markdown]
# *Picture: three grids of five by five weights, rows look and columns are looked at. In the grid "what's
# happening?" the column visite is dark, in "when?" the column septembre, in "who?" the column Jane.*
#
# Each head has found its answer, for every word. Here is the row of *l'Afrique* in the three pictures. Compare
# it with the first picture of this lesson: three budgets, three clear answers.

# %%
plots.bars(
    {question: weights[head, 2] for head, question in enumerate(questions)},
    words,
    ylabel="weight",
    title="l'Afrique asks three questions with three heads",
)

# %% [markdown]
# *Picture: three bars a word, one a head. The bar of "what's happening?" is high at visite, that of "when?" at
# septembre, that of "who?" at Jane; all others are low.*
#
# And this is what comes out, for every word:

# %%
plots.vectors(
    {"x: before": x, "output: after": output},
    words,
    features,
    title="Each word has heard what, when and who",
    digits=2,
)

# %% [markdown]
# *Picture: two grids with the five words as rows and the six features as columns. On the left each word is
# dark in one or two features only. On the right every word has numbers at person, action, time and motion, whatever
# it was before; at place and link there is little.*
#
# The word *l'Afrique* came in as "a place". It comes out as "somebody travels there, in that month". This is
# the **rich representation** that several heads give. You also see that the words have become alike, and that
# *l'Afrique* is hardly a place any more: the word's own vector is added back in lesson 05.
#
# One caution. We *made* these heads ask these questions. In trained networks some heads can be read like
# this (one looks at the word before, one from a verb to its object), but many cannot, and many can be
# removed with little harm. See the further reading.

# %% [markdown]
# ## 3. No head waits for another
#
# Your loop takes the heads one after another. But does head 3 need anything that head 2 has computed? Try it.
# Turn the second head into another one, from *when?* to *where?*. Its queries stay as they are. Only its keys change,
# the labels with which they are compared: now a place answers. *Before you run the cell:* which of the three pictures
# will change?

# %%
other_k = w_k.copy()
other_k[1] = 0.0
other_k[1, features.index("place"), 0] = 2.0  # a place now answers this head's queries
_, other_weights = attend_head_by_head(x, w_q, other_k, w_v, w_o)

for head in range(n_heads):
    change = np.abs(other_weights[head] - weights[head]).max()
    print(f"head {head + 1}: largest change of a weight {change:.2f}")
other_questions = [questions[0], "where?", questions[2]]
plots.attention(other_weights, words, titles=other_questions, title="Another second head")

# %% [markdown]
# *Picture: the three grids as before, but in the middle one the column l'Afrique is now dark. The first and the
# last have not changed.*
#
# Only the head that was touched has changed. **No head depends on another**, up to the moment when they are put
# side by side. So nothing forces them to wait for each other: they can be computed **in parallel**. A `for`
# loop makes them wait all the same, and a graphics card with thousands of arithmetic units would stand idle.
#
# How do you get rid of the loop? In lesson 01 you went from one word to all words by stacking vectors to a
# matrix. Now you go from one head to all heads, with one more axis. Look at the projections first. Three
# matrices of shape `(d_model, d_head)`, side by side, are *one* matrix `(d_model, n_heads * d_head)`:

# %%
# Lists of three matrices, put side by side: head 1 | head 2 | head 3
w_q_all = np.concatenate(list(w_q), axis=1)
w_k_all = np.concatenate(list(w_k), axis=1)
w_v_all = np.concatenate(list(w_v), axis=1)
print("w_q", w_q.shape, "-> side by side", w_q_all.shape)

q_all = x @ w_q_all  # the queries of all heads in one product
for head in range(n_heads):
    first, end = head * d_head, (head + 1) * d_head
    same = np.allclose(q_all[:, first:end], x @ w_q[head])
    print(f"columns {first} and {first + 1} are the queries of head {head + 1}:", same)

# %% [markdown]
# One product gives the queries of all heads. Each head finds its own in its own columns: head 1 in the first
# `d_head` columns, head 2 in the next, and so on. With `n_heads * d_head = d_model`, as in the paper, all four
# matrices are square: `(d_model, d_model)`. From here on we always keep to that.

# %% [markdown] slide="Split: give each head an axis"
# ## 4. Splitting
#
# `scaled_dot_product_attention` treats axes in front as separate tasks: give it `(3, 5, 2)`, and it works on
# three tables `(5, 2)`, each on its own. That is just what heads are. So we want
#
# $$(n,\ d_{model}) \quad\longrightarrow\quad (n_{heads},\ n,\ d_{head})$$
#
# It takes **two steps**, since the features of a word must be cut up *before* words and heads change places.
# Follow the shapes, and the row of *Jane*, whose numbers we write as 0 to 5:

# %% slide="Reshape, then turn"
plots.flow(
    {
        "x": (0, 0, "x\n(5, 6)"),
        "cut": (1.5, 0, "cut\n(5, 3, 2)"),
        "heads": (3.3, 0, "heads in front\n(3, 5, 2)"),
        "jx": (0, 1.9, "Jane\n0 1 2 3 4 5"),
        "jcut": (1.5, 1.9, "Jane\n0 1 | 2 3 | 4 5"),
        "j1": (3.3, 1.1, "head 1\nJane 0 1 …"),
        "j2": (3.3, 1.9, "head 2\nJane 2 3 …"),
        "j3": (3.3, 2.7, "head 3\nJane 4 5 …"),
    },
    [
        ("x", "cut", "reshape"),
        ("cut", "heads", "swap axes"),
        ("jx", "jcut"),
        ("jcut", "j1"),
        ("jcut", "j2"),
        ("jcut", "j3"),
    ],
    title="Two steps: cut each row, then bring the heads to the front",
)

# %% [markdown]
# *Picture: three boxes from left to right, x with the shape (5, 6), then cut with (5, 3, 2), then heads in front with
# (3, 5, 2); the arrows say "reshape" and "swap axes". Below, Jane's row 0 1 2 3 4 5 is cut into 0 1, 2 3 and 4 5, and
# three arrows lead from there to head 1 with 0 1, head 2 with 2 3 and head 3 with 4 5. The dots stand for the other
# four words, whose parts come below Jane's in each head.*
#
# ### Exercise: `split_heads`
#
# Further axes may stand in front: `(batch, n, d_model)` becomes `(batch, n_heads, n, d_head)`. Head `h` gets the
# features from `h * d_head` up to, but not including, `(h + 1) * d_head`. When the features cannot be divided
# evenly among the heads, raise a `ValueError` that says so. (One that NumPy raises by itself will do.)
#
# <details><summary>Hint 1: cutting</summary>
#
# `np.arange(6).reshape(3, 2)` cuts six numbers into three pairs. For `x` only the last axis is to be cut, and all
# others stay: `x.shape[:-1]` are their sizes, and `x.reshape(*x.shape[:-1], …, …)` keeps them. The star lays out a
# tuple as single arguments: with `x.shape[:-1]` equal to `(4, 5)`, `x.reshape(*x.shape[:-1], 3, 2)` means
# `x.reshape(4, 5, 3, 2)`.
#
# </details>
# <details><summary>Hint 2: changing places</summary>
#
# After the cut the axes are `(..., n, n_heads, d_head)`. Two of them must change places. Counted from the end they
# are the same whatever stands in front: `np.swapaxes` takes the array and two axes. Reshaping again would *not*
# do it: reshape never moves a number, it only puts the brackets elsewhere.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# First test the remainder: `d_model % n_heads` is 0 when the division comes out even. Else `raise
# ValueError("…")` with both numbers in the text. Then `d_head = d_model // n_heads`, one `reshape` to
# `(..., n, n_heads, d_head)`, and one `np.swapaxes` of the axes -2 and -3.
#
# </details>

# %% solution="split_heads"
def split_heads(x, n_heads):
    """Cut each vector into one part for each head, and bring the heads in front of the words.

    Args:
        x: `(..., n, d_model)`.
        n_heads: how many heads.

    Returns:
        `(..., n_heads, n, d_head)` with d_head = d_model / n_heads. Head h holds the features from
        `h * d_head` up to `(h + 1) * d_head - 1`.

    Raises:
        ValueError: n_heads does not divide d_model.

    Example:
        >>> x = np.array([[0, 1, 2, 3], [10, 11, 12, 13]])  # two words
        >>> split_heads(x, 2)
        array([[[ 0,  1],
                [10, 11]],
        <BLANKLINE>
               [[ 2,  3],
                [12, 13]]])

    Source: Vaswani et al. (2017), section 3.2.2: d_k = d_v = d_model / h.
    """
    ### BEGIN SOLUTION
    d_model = x.shape[-1]
    if d_model % n_heads != 0:
        raise ValueError(f"{d_model} features cannot be shared out evenly among {n_heads} heads")
    cut = x.reshape(*x.shape[:-1], n_heads, d_model // n_heads)
    return np.swapaxes(cut, -2, -3)
    ### END SOLUTION


# %% tests="split_heads"
check(split_heads)

# %% [markdown]
# **See.** The queries of all heads in one table, and split.

# %%
q_heads = split_heads(q_all, n_heads)
print(q_all.shape, "->", q_heads.shape)
plots.vectors(q_all, words, range(d_model), title="x @ w_q_all: the queries of all heads")
plots.vectors(
    {f"head {head + 1}": q_heads[head] for head in range(n_heads)},
    words,
    {f"head {head + 1}": [head * d_head, head * d_head + 1] for head in range(n_heads)},
    title="Split: a table for each head",
)

# %% [markdown]
# *Pictures: above, one grid of five words and six columns, 0 to 5; only the columns 0, 2 and 4 hold numbers. Below,
# three grids with the same five words: head 1 with the columns 0 and 1, head 2 with 2 and 3, head 3 with 4 and 5.*
#
# Six heads would fit six features as well, with one number for each head. Four would not:

# %%
print("6 heads:", split_heads(q_all, 6).shape)
try:
    split_heads(q_all, 4)
except ValueError:
    print("4 heads: a ValueError, as it should be")

# %% [markdown] slide="Merge: the way back"
# ## 5. Merging
#
# After attention each head has an output of its own: `(n_heads, n, d_head)`. To put them side by side is splitting
# backwards:
#
# $$(n_{heads},\ n,\ d_{head}) \quad\longrightarrow\quad (n,\ n_{heads} \cdot d_{head})$$
#
# ### Exercise: `merge_heads`
#
# It undoes `split_heads`: for every `x`, `merge_heads(split_heads(x, n_heads))` is `x` again.
#
# <details><summary>Hint 1: which step comes first?</summary>
#
# To undo two steps, undo the last one first. Socks and shoes: you put on socks first, but take off shoes first.
#
# </details>
# <details><summary>Hint 2: nearly there</summary>
#
# Let words and heads change places again: `(..., n, n_heads, d_head)`. Now the parts of a word lie next to each
# other, and a reshape may join the last two axes. A size of `-1` in `reshape` means "whatever is left". Take the
# sizes of the axes in front from the array *after* the swap.
#
# </details>

# %% solution="merge_heads"
def merge_heads(x):
    """Put the parts of each word side by side again, in the order of the heads.

    Args:
        x: `(..., n_heads, n, d_head)`.

    Returns:
        `(..., n, n_heads * d_head)`, so that `merge_heads(split_heads(x, n_heads))` equals x.

    Example:
        >>> merge_heads(np.array([[[0, 1], [10, 11]], [[2, 3], [12, 13]]]))  # two heads, two words
        array([[ 0,  1,  2,  3],
               [10, 11, 12, 13]])

    Source: Vaswani et al. (2017), section 3.2.2, "Concat".
    """
    ### BEGIN SOLUTION
    words_first = np.swapaxes(x, -2, -3)
    return words_first.reshape(*words_first.shape[:-2], -1)
    ### END SOLUTION


# %% tests="merge_heads"
check(merge_heads)

# %% [markdown]
# **See.** There and back again, for the sentence and for a whole batch:

# %%
print("the sentence comes back:", np.array_equal(merge_heads(split_heads(x, 3)), x))
batch = np.random.default_rng(0).normal(size=(4, 7, 12))
for heads in (1, 2, 6):
    print(f"a batch, {heads} heads:", np.array_equal(merge_heads(split_heads(batch, heads)), batch))

# %% [markdown]
# ## 6. Broken on purpose
#
# A colleague found `merge_heads` too long. "The shape is all that counts," they said, and wrote this. *Before you run
# the cell:* read the function. Do you trust it?

# %% slide="Broken on purpose: reshape alone"
def shorter_merge(x):
    n_heads, n, d_head = x.shape
    return x.reshape(n, n_heads * d_head)


found_by_heads, _ = scaled_dot_product_attention(
    split_heads(x @ w_q_all, 3), split_heads(x @ w_k_all, 3), split_heads(x @ w_v_all, 3)
)
yours, shorter = merge_heads(found_by_heads), shorter_merge(found_by_heads)
one_word, one_head = found_by_heads[:, :1], found_by_heads[:1]
print("same shape:             ", yours.shape == shorter.shape)
print("same numbers in all:    ", np.array_equal(np.sort(yours.ravel()), np.sort(shorter.ravel())))
print("one word alone, same:   ", np.array_equal(merge_heads(one_word), shorter_merge(one_word)))
print("one head alone, same:   ", np.array_equal(merge_heads(one_head), shorter_merge(one_head)))
plots.vectors(
    {"merge_heads": yours, "shorter_merge": shorter},
    words,
    found,
    title="The heads' outputs, merged in two ways",
    digits=2,
)

# %% [markdown]
# *Picture: two grids of five words and six columns. On the left all rows are alike: numbers at action, motion, time and
# person, little at link and place. On the right the numbers are as large, but high and low ones lie elsewhere
# from row to row.*
#
# No error. The right shape. The same numbers, all of them. For one word or one head it is even correct. This very
# mistake has stood in public code, in a Transformer written to teach others, and the test that trained the network
# passed all the same: the task was easy enough to be learned in spite of it (jsbaan/transformer-from-scratch on
# GitHub, pull request 6).
#
# **Find out what went wrong.** A good method: put in numbers that say *where they come from*. Here 23 stands for head 2
# and word 3, which is *l'Afrique*; every number of a head's row for a word is marked so. After merging, all numbers in
# the row of Jane should end in 1: 11 11 21 21 31 31. *Before you run the cell:* what will be in the row of Jane with
# `shorter_merge`?

# %%
tags = np.array([[[10 * head + word] * d_head for word in range(1, 6)] for head in range(1, 4)])
print("tags has shape", tags.shape, "= (n_heads, n, d_head)")
plots.vectors(
    {"merge_heads": merge_heads(tags), "shorter_merge": shorter_merge(tags)},
    words,
    range(n_heads * d_head),
    title="Which head, which word?",
    digits=0,
)

# %% [markdown]
# *Picture: two grids of five words and six columns. On the left the row of Jane holds 11 11 21 21 31 31, that of visite
# 12 12 22 22 32 32, and so on. On the right the row of Jane holds 11 11 12 12 13 13, that of visite 14 14 15 15 21 21,
# and so on.*
#
# Answer for yourself, then open:
#
# <details><summary>Whose numbers are in the row of Jane? And how many heads do they come from?</summary>
#
# Those of Jane, visite and l'Afrique (11, 12, 13), and all of them from **head 1**. The row has the "what's happening?"
# of three words, and nothing of "when?" and "who?".
#
# </details>
# <details><summary>Why? Think of how the numbers lie in memory, one after another.</summary>
#
# An array lies in memory as one long line, the last axis running fastest. For `(n_heads, n, d_head)` this line is:
# head 1 of Jane, head 1 of visite, head 1 of l'Afrique, … then head 2 of Jane, and so on. **Reshape does not move
# anything in this line.** It only cuts it anew, every six numbers, so that the first row gets the first three parts.
# What belongs to Jane lies far apart in this line. To bring it together, numbers must move, and that is what swapping
# axes does before the reshape.
#
# </details>
# <details><summary>Your colleague wants a test that would have caught it. Which?</summary>
#
# Change one word and see which rows change: merging alone must not carry anything from word to word. Or:
# `merge(split_heads(x, 3))` must be `x`, **with a `split_heads` that is right**: if both only reshape, the way there and
# back succeeds, and the heads have seen scrambled words all the same. Both tests need more than one word and more than
# one head. (And unequal sizes: with as many heads as words, confused axes give no error.)
#
# </details>
#
# The first of these tests, on the sentence. Only *septembre* is changed:

# %%
before = split_heads(x, 3)
after = before.copy()
after[:, 4] += 1.0  # the parts of septembre, in every head
for name, merge in {"merge_heads": merge_heads, "shorter_merge": shorter_merge}.items():
    changed = np.any(merge(after) != merge(before), axis=-1)
    print(f"{name:<14} rows that changed:", [word for word, different in zip(words, changed) if different])

# %% [markdown]
# The same trap waits in `split_heads`: `x.reshape(n_heads, n, d_head)` has the right shape and scrambles the words. With
# `shorter_merge` after it everything is back in its place, so the way there and back shows nothing:

# %%
there = x.reshape(n_heads, len(words), d_head)
print("there and back again:", np.array_equal(shorter_merge(there), x))
print("but split correctly: ", np.array_equal(there, split_heads(x, n_heads)))

# %% [markdown]
# ## 7. All heads at once
#
# You have all the parts. Follow the shapes once more, now with the two lengths $n_q$ and $n_k$ of lesson 01:

# %% slide="All heads in one product"
plots.flow(
    {
        "xq": (0, 0, "x_q\n(n_q, d_model)"),
        "xkv": (0, 1.5, "x_kv\n(n_k, d_model)"),
        "q": (1.3, 0, "Q (n_heads,\nn_q, d_head)"),
        "k": (1.3, 1, "K (n_heads,\nn_k, d_head)"),
        "v": (1.3, 2, "V (n_heads,\nn_k, d_head)"),
        "a": (2.7, 1, "A (n_heads,\nn_q, d_head)"),
        "w": (2.7, 2, "weights\n(…, n_q, n_k)"),
        "m": (3.9, 1, "merged\n(n_q, d_model)"),
        "o": (3.9, 2, "output\n(n_q, d_model)"),
    },
    [
        ("xq", "q", "$W^Q$, split"),
        ("xkv", "k", "$W^K$, split"),
        ("xkv", "v", "$W^V$, split"),
        ("q", "a"),
        ("k", "a", "attention"),
        ("v", "a"),
        ("a", "w"),
        ("a", "m", "merge"),
        ("m", "o", "$W^O$"),
    ],
    title="Multi-head attention without a loop",
)

# %% [markdown]
# *Picture: x_q leads by W^Q and a split to Q. x_kv leads by W^K and a split to K, and by W^V and a split to V. Q, K
# and V have the axis n_heads in front. Three arrows, together the attention, lead from them to A, what the heads find; it
# comes with the weights, one table (n_q, n_k) a head. A is merged to n_q rows of d_model numbers. W^O leads from there
# to the output.*
#
# In the paper's formula, $\mathrm{MultiHead}(Q, K, V)$ with $Q = X_q$ and $K = V = X_{kv}$:
#
# $$\mathrm{MultiHead}(X_q, X_{kv}) = \mathrm{merge}\Big(\mathrm{Attention}\big(\mathrm{split}(X_q W^Q),\ \mathrm{split}(X_{kv} W^K),\ \mathrm{split}(X_{kv} W^V)\big)\Big)\, W^O$$
#
# **Two inputs.** `x_q` are the words that look, `x_kv` the words that are looked at: keys and values both come from
# them. For self-attention you pass the same array twice. In lesson 06 the words of the translation will look at those
# of the French sentence.
#
# ### Exercise: `multi_head_attention`
#
# Write it **without a loop over the heads**: no `for`, no comprehension, nothing that runs once for each head in
# Python. The check looks at it in two ways. First by what the code does: it runs your function with few heads and with
# many, on the same sentence, and counts the steps that your Python code takes, each turn of a loop, a comprehension or a
# `map`. They may not become more. Where they do, it reads your source, and shows you which loop it is. (Work inside NumPy
# does not count, nor does a loop over the three projections. A loop over heads costs only the point for this.)
#
# <details><summary>Hint 1: the plan</summary>
#
# Read the picture from left to right. Every name at an arrow is a matrix to multiply with, or a function that you have;
# the three arrows into A are one call.
#
# </details>
# <details><summary>Hint 2: where do the heads go?</summary>
#
# Project first, with the whole matrix, then split. With `(..., n_heads, n_q, d_head)` the heads are an axis in front,
# and `scaled_dot_product_attention` treats such axes by itself. It also divides by the right root, as it sees `d_head`
# numbers for each query. The `ValueError` comes from `split_heads`: you need not raise it again.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Six lines at most. Queries: `x_q` times `w_q`, split. Keys and values: `x_kv` times `w_k` and `w_v`, split. Attention
# of the three gives an output and the weights. Merge the *output*, multiply with `w_o`. Return it, and the weights as
# they are.
#
# </details>

# %% solution="multi_head_attention"
def multi_head_attention(x_q, x_kv, w_q, w_k, w_v, w_o, n_heads):
    """Multi-head attention: the words of x_q look at those of x_kv, with all heads at once.

    Args:
        x_q: `(..., n_q, d_model)`, the words that look.
        x_kv: `(..., n_k, d_model)`, the words that are looked at; x_q again for self-attention.
        w_q, w_k, w_v, w_o: `(d_model, d_model)` each. The columns of w_q, w_k and w_v belong to the
            heads in order, d_head columns each; so do the rows of w_o.
        n_heads: how many heads.

    Returns:
        `(output, weights)` of shapes `(..., n_q, d_model)` and `(..., n_heads, n_q, n_k)`.

    Raises:
        ValueError: n_heads does not divide d_model.

    Example:
        >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> nothing = np.zeros((2, 2))  # two heads that ask nothing: they see the mean
        >>> output, weights = multi_head_attention(x, x, nothing, nothing, 2 * np.eye(2), np.eye(2), 2)
        >>> output
        array([[1., 1.],
               [1., 1.]])
        >>> weights.shape
        (2, 2, 2)

    Source: Vaswani et al. (2017), section 3.2.2.
    """
    ### BEGIN SOLUTION
    q = split_heads(x_q @ w_q, n_heads)
    k = split_heads(x_kv @ w_k, n_heads)
    v = split_heads(x_kv @ w_v, n_heads)
    findings, weights = scaled_dot_product_attention(q, k, v)
    return merge_heads(findings) @ w_o, weights
    ### END SOLUTION


# %% tests="multi_head_attention"
check(multi_head_attention)

# %% [markdown]
# **See.** The loop and the parallel version, on the same sentence with the same numbers:

# %%
parallel_output, parallel_weights = multi_head_attention(x, x, w_q_all, w_k_all, w_v_all, w_o, n_heads)
print("same output: ", np.allclose(parallel_output, output))
print("same weights:", np.allclose(parallel_weights, weights))

# %% [markdown]
# And now to what it was for: speed. We measure both on your computer, with random numbers. The model stays as wide
# as it is, and is shared out among more and more heads. So the number of multiplications stays the same. *Before
# you run the cell:* how will the time of the loop grow when the number of heads doubles? And that of the other?

# %%
# NBVAL_IGNORE_OUTPUT
from time import perf_counter


def milliseconds(function, *args):
    start = perf_counter()
    function(*args)
    return 1000 * (perf_counter() - start)


rng = np.random.default_rng(0)
width, length = 256, 10
sentence = rng.normal(size=(length, width))
matrices = rng.normal(size=(4, width, width)) / np.sqrt(width)
numbers_of_heads = [1, 2, 4, 8, 16, 32, 64, 128]
loop_times, parallel_times = np.full((2, len(numbers_of_heads)), np.inf)
for _ in range(20):  # of 20 rounds the fastest counts: other work only makes one slower
    for i, heads in enumerate(numbers_of_heads):
        of_heads = [np.stack(np.split(matrix, heads, axis=1)) for matrix in matrices[:3]]
        loop_time = milliseconds(attend_head_by_head, sentence, *of_heads, matrices[3])
        parallel_time = milliseconds(multi_head_attention, sentence, sentence, *matrices, heads)
        loop_times[i] = min(loop_times[i], loop_time)
        parallel_times[i] = min(parallel_times[i], parallel_time)

plots.lines(
    numbers_of_heads,
    {"loop: attend_head_by_head": loop_times, "parallel: multi_head_attention": parallel_times},
    xlabel="number of heads",
    ylabel="milliseconds",
    xscale="log2",
    yscale="log2",
    title="The same attention, in a loop and in parallel",
)

# %% [markdown]
# *Picture: milliseconds against the number of heads, both on logarithmic axes. The curve of the loop rises: from some
# point on it doubles when the heads double. The curve of the parallel version rises much less. With one head both have
# the same to do.*
#
# Does a point leap out, or a whole curve? Something else kept your computer busy: run the cell again. The course's
# stand-ins for lesson 01 leap more often than your own functions would: PyTorch works in them, in several threads at once,
# and for so little work waiting for each other takes longer than the work.
#
# The loop pays for every head: several calls of Python and NumPy, whatever little there is to compute. The parallel
# version makes the same few calls for any number of heads. To be exact: on this processor, NumPy still goes through
# the heads one by one, but in compiled code. A graphics card really computes them at the same time. The longer the
# sentences, the more the multiplications themselves count, and the closer the two curves lie *here*.
#
# **See.** Two words of the translation look at the French sentence. Nothing in your function has to change.

# %% slide="English looks at French"
english = ["visits", "September"]
x_english = np.array(
    [  # person action place time link motion
        [0.0, 1.0, 0.1, 0.0, 0.0, 0.9],  # visits
        [0.0, 0.0, 0.0, 1.0, 0.1, 0.0],  # September
    ]
)
cross_output, cross_weights = multi_head_attention(x_english, x, w_q_all, w_k_all, w_v_all, w_o, n_heads)
print("output", cross_output.shape, " weights", cross_weights.shape, "= (n_heads, n_q, n_k)")
title = "Two English words look at five French ones"
plots.attention(cross_weights, english, words, titles=questions, title=title)

# %% [markdown]
# *Picture: three grids with the two English words as rows and the five French words as columns. In "what's happening?"
# the column visite is dark, in "when?" septembre, in "who?" Jane.*
#
# **Play.** Make a head of your own: a question, the feature it looks for, and how loudly each kind of word asks. It
# takes the place of head 3. The question lies in two matrices: `w_q` says how loudly a word asks, `w_k` which words answer.

# %%
my_question, my_feature = "where?", "place"
my_loudness = [1.0, 3.0, 1.0, 2.0, 3.0, 0.0]  # person, action, place, time, link, motion

my_q, my_k = w_q_all.copy(), w_k_all.copy()
my_q[:, 4] = my_loudness  # column 4 is the first of head 3
my_k[:, 4:] = 0.0
my_k[features.index(my_feature), 4] = 2.0  # what has this feature will answer
_, my_weights = multi_head_attention(x, x, my_q, my_k, w_v_all, w_o, n_heads)
plots.explore(my_weights, words, heads=[*questions[:2], my_question], title="With a head of your own")

# %% [markdown]
# *Picture: the words in two columns, a line from each word on the left to each on the right, as thick as the weight
# is large. Choose a head, and point at a word. In the third head, where?, most lines lead to l'Afrique. On a saved
# page there is a grid for each head instead.*

# %% [markdown]
# ## 8. What heads cost
#
# Three heads instead of one: is the model three times as large? Count what training has to learn, the **parameters**.
# A multi-head attention block has the four matrices $W^Q$, $W^K$, $W^V$ and $W^O$. In many models (and from lesson 05
# on in ours) each of the four has a **bias** as well: a vector that is added to the product, with one number for each
# column of the matrix.
#
# ### Exercise: `count_attention_parameters`
#
# How many trainable numbers are there in one block with `n_heads` heads of width `d_model / n_heads`? `bias` says
# whether the four matrices have a bias each.
#
# <details><summary>Hint 1: count one head</summary>
#
# $W_i^Q$ of one head has the shape `(d_model, d_head)`. Write down how many numbers that makes, times the number of
# heads. Then put `d_model / n_heads` in the place of `d_head`.
#
# </details>
# <details><summary>Hint 2: nearly there</summary>
#
# The heads' matrices side by side are one `(d_model, d_model)`. That holds for $W^Q$, $W^K$, $W^V$, and $W^O$ has
# this shape anyway. A bias adds one number for each of its columns.
#
# </details>

# %% solution="count_attention_parameters"
def count_attention_parameters(d_model, n_heads, bias):
    """How many trainable numbers one multi-head attention block has.

    Args:
        d_model: the width of the model, an int.
        n_heads: how many heads, an int that divides d_model.
        bias: whether each of the four projections has a bias.

    Returns:
        A number, an int.

    Example:
        >>> count_attention_parameters(1, 1, False)
        4
        >>> count_attention_parameters(1, 1, True)
        8

    Source: Vaswani et al. (2017), section 3.2.2, whose projections have no bias.
    """
    ### BEGIN SOLUTION
    one_projection = d_model * d_model + (d_model if bias else 0)
    return 4 * one_projection
    ### END SOLUTION


# %% tests="count_attention_parameters"
check(count_attention_parameters)

# %% [markdown]
# **See.** The model of the paper has `d_model = 512` and 8 heads. Count it with other numbers of heads too:

# %%
print("n_heads   d_head   parameters")
for heads in (1, 2, 4, 8, 16, 32):
    print(f"{heads:7d}  {512 // heads:7d}   {count_attention_parameters(512, heads, False):10,.0f}")
total = sum(array.size for array in (w_q_all, w_k_all, w_v_all, w_o))
ours = count_attention_parameters(d_model, n_heads, False)
print(f"our block, counted and computed: {total} and {ours:.0f}")

# %% [markdown] slide="Heads cost nothing extra"
# The number does not depend on `n_heads`. **Why?** More heads are *narrower* heads. The number of heads and the width of
# each multiply to `d_model`, so the heads' matrices, side by side, are always the same `(d_model, d_model)`:
#
# $$n_{heads} \cdot (d_{model} \cdot d_{head}) = n_{heads} \cdot d_{model} \cdot \frac{d_{model}}{n_{heads}} = d_{model}^2$$
#
# So heads cost no parameters. But they are not free of choice either: with many heads each has few numbers to say what
# it looks for. The paper tried it out: with the same total width, a single head was worse than eight, and too many
# were worse again (Table 3, rows A).

# %% [markdown] slide="What to take home"
# ## Summary
#
# - **One head is one question**, with its own queries, keys, values and softmax. With one head for three questions, the
#   answers share one budget.
# - The heads' outputs are put **side by side** and mixed by $W^O$. Together they give each word a rich representation.
# - No head depends on another. So heads are **an axis, not a loop**: project once, split, attend, merge, project.
# - To split is to cut the features, then swap axes; to merge is to swap axes, then join. **Reshape never moves a number**,
#   so a forgotten swap scrambles words without an error.
# - More heads are narrower heads: the number of parameters stays the same.
#
# One thing is still missing: attention does not know in which order the words stand. That is **lesson 03**.

# %% [markdown]
# ## Check yourself
#
# Answer in your head, then open.
#
# <details><summary>1. Eight heads, <code>d_model = 512</code>, a batch of 32 sentences with 10 words. Which shapes do the
# queries have after the split, and the weights?</summary>
#
# `(32, 8, 10, 64)` and `(32, 8, 10, 10)`.
#
# </details>
# <details><summary>2. By the root of which number are the scores divided: 512, 64 or 8?</summary>
#
# 64, that is `d_head`: each dot product adds up 64 products. With the root of 512 the scores would be too small, and
# every head too undecided.
#
# </details>
# <details><summary>3. Someone leaves out $W^O$. Which information can no longer meet?</summary>
#
# That of different heads. Each feature of the output then comes from one head alone. (A later layer can still mix them.)
#
# </details>
# <details><summary>4. Someone averages the heads' outputs instead of putting them side by side. What is lost?</summary>
#
# Which head said what. "Jane" from *who?* and "septembre" from *when?* are added up in the same places, as with a single
# head.
#
# </details>
# <details><summary>5. <code>x.reshape(n_heads, n, d_head)</code> gives the shape that <code>split_heads</code> should give.
# For which inputs does it even give the right numbers?</summary>
#
# For a single word, or for a single head: then there is nothing to be moved. For all others parts of different words end
# up in one row.
#
# </details>

# %% [markdown]
# ## Further reading
#
# - A. Vaswani and others, *Attention Is All You Need*, NeurIPS 2017. Section 3.2.2 is this lesson; Table 3, rows A, varies
#   the number of heads.
# - E. Voita and others, *Analyzing Multi-Head Self-Attention: Specialized Heads Do the Heavy Lifting, the Rest Can Be
#   Pruned*, ACL 2019: some heads have a readable role, most can be removed.
# - P. Michel, O. Levy, G. Neubig, *Are Sixteen Heads Really Better than One?*, NeurIPS 2019.
# - K. Clark and others, *What Does BERT Look At? An Analysis of BERT's Attention*, BlackboxNLP 2019: pictures like ours,
#   from a trained network.
