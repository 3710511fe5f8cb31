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
# # 04 · Masking: words that must not be looked at
#
# **What you will be able to do:** hide padding and future words from attention, and show that no trace of
# them gets through.
#
# | | |
# |---|---|
# | **Goal** | write masks, and an attention that obeys them; understand how one pass trains every word of a translation |
# | **You know already** | lesson 01: softmax, query, key and value, attention of all words at once |
# | **You need** | 60 to 120 minutes |
#
# | section | you write |
# |---|---|
# | 1 · Two reasons to hide a word | |
# | 2 · Hide the padding | `padding_mask` |
# | 3 · Hide the future | `causal_mask` |
# | 4 · Both at once | `decoder_mask` |
# | 5 · Attention that obeys | `masked_attention` |
# | 6 · One mask, many dialects | |
# | 7 · One pass trains every word | `teacher_forcing` |
# | 8 · Broken on purpose | |
#
# Run the next cell first.

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

# %% [markdown]
# This lesson needs your `softmax` from lesson 01. If your notebook is there and passes its check, you
# get your own function. Otherwise you get one that the course provides.

# %%
softmax = carry("softmax")

# %% [markdown]
# ## 1. Two reasons to hide a word
#
# In lesson 01 every word looked at every word. There are two situations in which that is wrong.
#
# **Reason one: padding.** A network reads many sentences at a time, as one array. An array is a
# rectangle, but sentences differ in length. So short sentences are filled up with a special token,
# `<pad>`. It is not a word. Nobody should listen to it.
#
# Here are two French sentences as token ids. `<pad>` has id 0.

# %%
np.set_printoptions(precision=3, suppress=True)

french = ["<pad>", "en", "Jane", "l'Afrique", "septembre", "visite"]
pad_id = 0
sentences = [
    ["Jane", "visite", "l'Afrique", "en", "septembre"],
    ["Jane", "visite", "l'Afrique", "<pad>", "<pad>"],
]
french_ids = np.array([[french.index(word) for word in sentence] for sentence in sentences])
print(french_ids)
print("shape", french_ids.shape, "= (batch, n)")

# %% [markdown]
# What happens if we do nothing? Below are the vectors and matrices of lesson 01, made up by hand. The
# vector of `<pad>` is all zeros, so it asks nothing and offers nothing. *Before you run the next two
# cells:* how much attention will two vectors of zeros get?

# %%
#              person action place time link motion
vector_of = {
    "Jane": [1.0, 0.0, 0.1, 0.0, 0.0, 0.0],
    "visite": [0.0, 1.0, 0.1, 0.0, 0.0, 0.9],
    "l'Afrique": [0.1, 0.0, 1.0, 0.0, 0.0, 0.0],
    "en": [0.0, 0.0, 0.1, 0.2, 1.0, 0.0],
    "septembre": [0.0, 0.0, 0.0, 1.0, 0.1, 0.0],
}
for word, in_english in zip(sentences[0], ["Jane", "visits", "Africa", "in", "September"]):
    vector_of[in_english] = vector_of[word]  # a word and its translation: the same vector here
vector_of |= {"Paris": [0.0, 0.1, 0.9, 0.0, 0.0, 0.0], "May": [0.0, 0.0, 0.1, 0.8, 0.0, 0.1]}
vector_of |= {"<pad>": [0.0] * 6, "<bos>": [0.0] * 6, "<eos>": [0.0] * 6}

w_q = np.array(
    [  # asks for: who action where when
        [0.0, 3.0, 0.0, 0.0],  # a person asks for the action
        [3.0, 0.0, 3.0, 2.0],  # an action asks who, where and (less) when
        [1.0, 3.0, 0.0, 0.0],  # a place asks for the action and (less) who
        [0.0, 2.0, 0.0, 1.0],  # a time asks for the action
        [0.0, 0.0, 1.0, 3.0],  # a linking word asks when and (less) where
        [0.0, 0.0, 0.0, 0.0],  # motion asks nothing
    ]
)
w_k = np.array(
    [  # offers: who action where when
        [2.0, 0.0, 0.0, 0.0],
        [0.0, 2.0, 0.0, 0.0],
        [0.0, 0.0, 2.0, 0.0],
        [0.0, 0.0, 0.0, 2.0],
        [0.0, 0.0, 0.0, 1.0],
        [0.0, 0.0, 0.0, 0.0],
    ]
)
w_v = np.array([[2.0, 0, 0], [0, 0, 0], [0, 2.0, 0], [0, 1.0, 0], [0, 0, 0], [0, 0, 2.0]])


def queries_keys_values(words):
    """q, k and v of a list of words, or of several lists of the same length."""
    x = np.array([[vector_of[word] for word in sentence] for sentence in np.atleast_2d(words)])
    x = x if np.ndim(words) == 2 else x[0]
    return tuple(x @ w for w in (w_q, w_k, w_v))


# %% slide="Without a mask, padding is looked at"
q, k, v = queries_keys_values(sentences[1])
weights = softmax(q @ k.T / np.sqrt(q.shape[-1]))
print("attention on the two <pad>, word by word:", weights[:3, 3:].sum(axis=-1))
plots.attention(weights, sentences[1], title="Without a mask, <pad> is looked at")

# %% [markdown]
# *Picture: a grid of weights, rows look and columns are looked at. In the rows of Jane, visite and
# l'Afrique the two columns of `<pad>` are pale but not zero. The two rows of `<pad>` have the same pale
# blue everywhere.*
#
# A `<pad>` gets attention although its vector is zero. Its score is 0, and $e^0 = 1$. **A score of zero is
# not a weight of zero.** The more padding, the more attention it takes. So the same sentence would mean
# something else in a batch with longer neighbours.
#
# **Reason two: the future.** The network is to translate *Jane visite l'Afrique en septembre* into *Jane
# visits Africa in September*. It writes the translation one word at a time. To write *Africa* it may look
# at *Jane visits*, which it has written already. It cannot look at *in September*: those words do not exist
# yet.
#
# But in **training** they do exist. The right translation is in hand, in full, as the answer to learn. If
# the network could look at it, it would not learn to translate. It would learn to copy. So we **hide the
# end of the sentence** and imitate what the network must do later, at test time: the first words are
# given, as if they had been translated perfectly, and it must predict the next one.
#
# Both times we need the same tool. It is called a **mask**: a table that says who may look at whom. In
# this course a mask holds `True` and `False`, and
#
# > **True means: may be looked at.**

# %% [markdown]
# ## 2. Hide the padding
#
# Which keys may be looked at? Those that are real words. That does not depend on who looks: *Jane* must
# not look at `<pad>`, and neither must *visite*. So one row of `True` and `False` for each sentence is
# enough:

# %%
for sentence in sentences:
    print("  ".join(f"{word}: {word != '<pad>'}" for word in sentence))

# %% [markdown]
# That is a table `(batch, n)`. Attention weights have more axes. In a Transformer they have shape
# `(batch, n_heads, n_q, n_k)`: for every sentence and every head (lesson 02), a grid of lookers and
# looked-at. (If you have not met heads yet, read that axis as one of length 1: everything here holds the
# same.) A mask has to fit against these four axes.
#
# NumPy repeats an axis of length 1 as often as needed. That is called **broadcasting**. So a mask of shape
# `(batch, 1, 1, n)` says all that is to be said:
#
# | axis | length in the mask | means |
# |---|---|---|
# | sentence | `batch` | each sentence has its own padding |
# | head | 1 | the same for all heads |
# | query, who looks | 1 | the same for all who look |
# | key, who is looked at | `n` | this is where the padding is |
#
# Where the 1 stands matters: in the *last* axis are the keys. Try it:

# %%
small = np.array([[True, False, True]])  # (1, 3)
print("(1, 3) against (2, 3):")
print(small & np.ones((2, 3), dtype=bool))
print("the same numbers as (3, 1) against (3, 2):")
print(small.reshape(3, 1) & np.ones((3, 2), dtype=bool))

# %% [markdown]
# ### Exercise: `padding_mask`
#
# Padding usually stands at the end, but not always: some programs pad on the left. Do not count words. Look
# at every token. And do not rely on the padding's id being 0.
#
# <details><summary>Hint 1: from ids to True and False</summary>
#
# Comparing an array with a number gives an array of `True` and `False`, one for each place. Which
# comparison is `True` at the *real* words?
#
# </details>
# <details><summary>Hint 2: two new axes</summary>
#
# `None` between the square brackets makes a new axis of length 1: for an array `a` of shape `(batch, n)`,
# `a[:, None]` has shape `(batch, 1, n)`. The colon stands for an axis that stays.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# One line: compare with "is not equal", then put two new axes between the first and the last. An index that
# does it has four entries, of which two are colons.
#
# </details>

# %% solution="padding_mask"
def padding_mask(token_ids, pad_id):
    """Say which words are real.

    Args:
        token_ids: `(batch, n)`, integers.
        pad_id: the id of the padding token, an integer.

    Returns:
        `(batch, 1, 1, n)`, booleans: True at real words, False at padding. It fits against weights
        of shape `(batch, n_heads, n_q, n)`.

    Example:
        >>> padding_mask(np.array([[7, 8, 9], [7, 0, 0]]), 0)
        array([[[[ True,  True,  True]]],
        <BLANKLINE>
        <BLANKLINE>
               [[[ True, False, False]]]])

    Source: the batching that Vaswani et al. (2017) describe in section 5.1 needs it.
    """
    ### BEGIN SOLUTION
    return (token_ids != pad_id)[:, None, None, :]
    ### END SOLUTION


# %% tests="padding_mask"
check(padding_mask)

# %% [markdown]
# **See.** Your mask of the two sentences, spread out over all who look.

# %%
mask = padding_mask(french_ids, pad_id)
print("mask", mask.shape, "-> for five words that look:", np.broadcast_to(mask, (2, 1, 5, 5)).shape)
for row, sentence in zip(mask, sentences):
    plots.masks(np.broadcast_to(row[0], (5, 5)), sentence)

# %% [markdown]
# *Pictures: two grids, rows look and columns are looked at; a dark cell with a dot may be looked at, a
# hatched one is hidden. In the first grid all cells are dark. In the second the two columns of `<pad>` are
# hatched from top to bottom.*
#
# Whole **columns** are hidden: nobody looks at `<pad>`. The *rows* of `<pad>` are open. `<pad>` may look
# where it likes, since nobody will read what it found.

# %% [markdown]
# ## 3. Hide the future
#
# Now the translation, *Jane visits Africa in September*. Here it does matter who looks. *visits* may look
# at *Jane* and at itself. *in* may look at *Jane, visits, Africa* and itself. In general, position $i$ may
# look at position $j$ when $j \le i$. This is called a **causal** mask: what comes later has no effect on
# what came before.
#
# Why may a word look at itself? Because it is already written. The vector at position $i$ is used to
# predict the word at position $i + 1$. You will see that in section 7.
#
# ### Exercise: `causal_mask`
#
# Make this triangle for any number of positions.
#
# <details><summary>Hint 1: draw it</summary>
#
# Draw the grid for three words on paper. The first row has one `True`, the second two, the third three. What
# shape do they form?
#
# </details>
# <details><summary>Hint 2: two ways</summary>
#
# Either compare positions: a column of row numbers against a row of column numbers. Or let NumPy cut a
# triangle out of an array of ones: look up `np.tril` and `np.triu`, and see which of the two keeps the
# part you want.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `np.ones((n, n), dtype=bool)` is a table of `True`. Keep its lower triangle *with* the diagonal: that is
# what `np.tril` does when you give it nothing else. The result must be boolean, not 0 and 1.
#
# </details>

# %% solution="causal_mask"
def causal_mask(n):
    """Say which positions each of n positions may look at: itself and all before it.

    Args:
        n: the number of positions, an integer.

    Returns:
        `(n, n)`, booleans: True on and below the diagonal. Rows look, columns are looked at.

    Example:
        >>> causal_mask(3)
        array([[ True, False, False],
               [ True,  True, False],
               [ True,  True,  True]])

    Source: Vaswani et al. (2017), section 3.2.3, third point.
    """
    ### BEGIN SOLUTION
    return np.tril(np.ones((n, n), dtype=bool))
    ### END SOLUTION


# %% tests="causal_mask"
check(causal_mask)

# %% [markdown]
# **See.** Your mask on the translation. Read it row by row. The row of *Africa* is the moment after *Africa* is
# written, when the next word is to be predicted.

# %% slide="Who may look at whom"
english_words = ["Jane", "visits", "Africa", "in", "September"]
plots.masks(causal_mask(5), english_words, title="Who may look at whom while translating")

# %% [markdown]
# *Picture: a grid of five by five. The cells on and below the diagonal are dark, a triangle: the row of Jane
# has one dark cell, the row of September five. The cells above the diagonal are hatched.*

# %% [markdown]
# ## 4. Both at once
#
# Translations come in batches too, so they have padding as well. A word may be looked at if it is real
# **and** not in the future.
#
# Two more special tokens appear here. A translation starts with `<bos>` (beginning of sentence) and ends
# with `<eos>` (end of sentence). They are tokens like any other. Section 7 shows what they are for.

# %%
english = ["<pad>", "<bos>", "<eos>", "Africa", "in", "Jane", "September", "visits"]
translations = [
    ["<bos>", "Jane", "visits", "Africa", "in", "September", "<eos>"],
    ["<bos>", "Jane", "visits", "Africa", "<eos>", "<pad>", "<pad>"],
]
english_ids = np.array([[english.index(word) for word in sentence] for sentence in translations])
print(english_ids)

# %% [markdown]
# ### Exercise: `decoder_mask`
#
# The part of the network that writes the translation is called the **decoder**. This is its mask.
#
# <details><summary>Hint 1: what you have</summary>
#
# You have written both parts: one has shape `(batch, 1, 1, n)`, the other `(n, n)`. Only the way to combine
# them is missing.
#
# </details>
# <details><summary>Hint 2: combine</summary>
#
# `&` is "and", place by place, and `|` is "or". Both broadcast. Which shape comes out when
# `(batch, 1, 1, n)` meets `(n, n)`? Write the shapes below each other, aligned at the right.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Call your two functions and put the "and" between them. The length for the causal one is
# `token_ids.shape[-1]`. No new axes are needed.
#
# </details>

# %% solution="decoder_mask"
def decoder_mask(token_ids, pad_id):
    """Say which words each word of a translation may look at: real ones that are not in the future.

    Args:
        token_ids: `(batch, n)`, integers.
        pad_id: the id of the padding token, an integer.

    Returns:
        `(batch, 1, n, n)`, booleans. Rows look, columns are looked at.

    Example:
        >>> decoder_mask(np.array([[7, 8, 0]]), 0)
        array([[[[ True, False, False],
                 [ True,  True, False],
                 [ True,  True, False]]]])

    Source: Vaswani et al. (2017), section 3.2.3, third point.
    """
    ### BEGIN SOLUTION
    return padding_mask(token_ids, pad_id) & causal_mask(token_ids.shape[-1])
    ### END SOLUTION


# %% tests="decoder_mask"
check(decoder_mask)

# %% [markdown]
# **See.** The masks of the two translations.

# %% slide="Both masks at once"
mask = decoder_mask(english_ids, pad_id)
print("mask", mask.shape)
for row, sentence in zip(mask, translations):
    plots.masks(row[0], sentence)

# %% [markdown]
# *Pictures: two grids of seven by seven. The first is the triangle. The second is the triangle with the
# two last columns, those of `<pad>`, hatched.*
#
# Now with the padding on the left. *Before you run the cell:* what do the first two rows look like?

# %%
left_padded = ["<pad>", "<pad>", "<bos>", "Jane", "visits"]
left_ids = np.array([[english.index(word) for word in left_padded]])
plots.masks(decoder_mask(left_ids, pad_id)[0, 0], left_padded)

# %% [markdown]
# *Picture: a grid of five by five. The two columns of `<pad>` are hatched, and so is all above the diagonal.
# The first two rows have no dark cell at all.*
#
# The two `<pad>` in front have nothing to look at: they may not see the future, and what is not future is
# padding. Keep these rows in mind. They need care in a moment.

# %% [markdown]
# ## 5. Attention that obeys
#
# A mask is only a table. Attention has to obey it: a hidden key must get weight **exactly 0**, and the
# other weights must still add up to 1.
#
# Three ideas come to mind. Here is the row of scores of one word, with the last two keys hidden. Let us
# try the three, and measure.

# %%
scores = np.array([1.0, 2.0, 0.5, 3.0, 1.5])
may_look = np.array([True, True, True, False, False])
ideas = {
    "multiply the scores by the mask": softmax(scores * may_look),
    "multiply the weights by the mask": softmax(scores) * may_look,
    "take 10 off the hidden scores": softmax(scores - 10.0 * ~may_look),
}
for idea, row in ideas.items():
    hidden = row[~may_look].sum()
    print(f"{idea:<33} weights {row}  hidden {hidden:.1e}  sum {row.sum():.3f}")

loud = np.array([1.0, 2.0, 0.5, 10000.0, 1.5])  # the same, but a hidden key has a very large score
print("\nnow with a hidden score of 10,000:")
print("multiply the weights by the mask ", softmax(loud) * may_look)
print("take 10 off the hidden scores    ", softmax(loud - 10.0 * ~may_look))

# %% [markdown]
# - **Multiply the scores by the mask:** a score of 0 is an ordinary score. The hidden keys weigh.
# - **Multiply the weights by the mask:** nothing hidden is left, but the row no longer adds up to 1. You
#   could divide by the sum again. But where a hidden score is very large, softmax has already given it
#   everything. The others are 0, and 0 divided by 0 is `nan`.
# - **Take a large number off:** better. The hidden weights are printed as `0.`, but that is rounded to three
#   digits, and **small is not 0**: the number after *hidden* tells. (`e-05` says: shift the point five places
#   to the left.) And a very large score does not even notice.
#
# The last idea is right if the number is large enough, and the largest of all is infinity. Lesson 01 said
# that a score of **minus infinity** is a polite way to say "never look there": $e^{-\infty} = 0$. So
# hidden scores become $-\infty$ *before* softmax, and softmax does the rest:

# %% slide="Zero is not hidden"
row = softmax(np.where(may_look, scores, -np.inf))
hidden = row[~may_look].sum()
print(f"minus infinity before softmax: weights {row}  hidden {hidden:.1e}  sum {row.sum():.3f}")
print("with a hidden score of 10,000: weights", softmax(np.where(may_look, loud, -np.inf)))
plots.bars(
    {"all may be looked at": softmax(scores), "two are hidden": row},
    ["key 1", "key 2", "key 3", "key 4", "key 5"],
    ylabel="weight",
    title="What the hidden keys had is shared out among the others",
)

# %% [markdown] slide="Minus infinity before softmax"
# *Picture: two bars a key. Hidden keys 4 and 5 drop to zero; the hatched bars of keys 1, 2 and 3 are
# higher than their filled ones, in the same proportions.*
#
# In a formula, with a matrix $M$ that is added to the scores:
#
# $$\mathrm{softmax}\left(\frac{Q K^{\top}}{\sqrt{d_k}} + M\right) V \qquad\text{with}\qquad M_{ij} = \begin{cases} 0 & \text{if } i \text{ may look at } j \\ -\infty & \text{if not} \end{cases}$$
#
# **A row with nothing to look at.** What if *all* scores of a row are $-\infty$? Then every exponential is
# 0, and 0 divided by 0 is `nan`. One such row is enough to spoil a training run: a `nan` that gets into
# the loss gets into every weight of the network. So we agree:
#
# > **A word that may look at nothing gets weights of zero and an output of zero.**
#
# ### Exercise: `masked_attention`
#
# As your attention of lesson 01, with a mask. The mask has at least two axes, each of full length or 1. It
# may have fewer axes than the scores. With `mask=None` everything may be looked at.
#
# Two tables of weights may look alike, and one of them be wrong: a tiny weight and a weight of 0 are both
# printed as 0.00. The check asks for an exact 0. So can you, with `weights == 0`.
#
# <details><summary>Hint 1: hide</summary>
#
# Begin with the scores as in lesson 01: products of queries and keys, divided by the root of `d_k`. There
# may be axes in front: exchange only the last two axes of `k`.
# `np.where(condition, a, b)` takes from `a` where the condition is True, and from `b` elsewhere. It
# broadcasts, and it makes a new array. Where in the list of steps does it belong?
#
# </details>
# <details><summary>Hint 2: find the empty rows</summary>
#
# `mask.any(axis=-1, keepdims=True)` tells for each row whether it may look at anything. With `~` in front
# it tells which rows are empty. What could you do with an empty row *before* softmax so that no `nan`
# arises, and what *after* it so that its weights are 0?
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Let the empty rows look at everything for a moment: hide only where `mask` is False and the row is not
# empty. Take the softmax. Then set to 0 all weights at which `mask` is False (`np.where` again). That
# clears the empty rows, and changes nothing in the others. The output comes last, from these weights. For
# `mask=None` make a mask of your own first: `np.ones((1, 1), dtype=bool)` fits everything.
#
# </details>

# %% solution="masked_attention"
def masked_attention(q, k, v, mask=None):
    """Let every query look at the keys that the mask shows it.

    Args:
        q: `(..., n_q, d_k)`, queries.
        k: `(..., n_k, d_k)`, keys.
        v: `(..., n_k, d_v)`, values, one for each key.
        mask: booleans that broadcast to `(..., n_q, n_k)`, True where a query may look at a key; or
            None: every query may look at every key.

    Returns:
        `(output, weights)` of shapes `(..., n_q, d_v)` and `(..., n_q, n_k)`. Hidden keys have
        weight exactly 0 and the rest of a row adds up to 1. A row with nothing to look at has
        weights and output 0.

    Example:
        >>> q = np.zeros((2, 2))  # two queries ...
        >>> k = np.array([[1.0, 0.0], [0.0, 1.0]])  # ... and two keys
        >>> v = np.array([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
        >>> masked_attention(q, k, v, np.array([[True, False], [True, True]]))
        (array([[2., 0., 0.],
               [1., 2., 0.]]), array([[1. , 0. ],
               [0.5, 0.5]]))

    Source: Vaswani et al. (2017), sections 3.2.1 and 3.2.3.
    """
    ### BEGIN SOLUTION
    if mask is None:
        mask = np.ones((1, 1), dtype=bool)
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
    is_empty = ~mask.any(axis=-1, keepdims=True)  # for a moment such a row may look everywhere: no NaN
    weights = softmax(np.where(mask | is_empty, scores, -np.inf))
    weights = np.where(mask, weights, 0.0)
    return weights @ v, weights
    ### END SOLUTION


# %% tests="masked_attention"
check(masked_attention)

# %% [markdown]
# **See.** The attention of *Jane visits Africa in September*, without and with the causal mask. *Before
# you run the cell:* *visits* asks who, where and when. Whom can it still ask?

# %% slide="Attention that obeys"
q, k, v = queries_keys_values(english_words)
_, open_weights = masked_attention(q, k, v)
output, weights = masked_attention(q, k, v, causal_mask(5))
print("each row adds up to:", weights.sum(axis=-1))
plots.attention(
    np.array([open_weights, weights]), english_words, titles=["no mask", "causal mask"]
)

# %% [markdown]
# *Picture: two grids of weights. On the left all cells may carry weight. On the right everything above the
# diagonal is 0.00. Jane looks at itself alone; visits gives nearly everything to Jane.*
#
# *visits* now shares out among *Jane* and itself what it gave to later words before. *Jane* has no
# choice: only itself.
#
# Padding on the left, with the rows that may look at nothing:

# %%
q, k, v = queries_keys_values(left_padded)
_, weights = masked_attention(q, k, v, decoder_mask(left_ids, pad_id)[0, 0])
print("each row adds up to:", weights.sum(axis=-1), "  any nan:", bool(np.isnan(weights).any()))
plots.attention(weights, left_padded)

# %% [markdown]
# *Picture: a grid of weights. The two rows of `<pad>` are 0.00 throughout, and so are the two columns of
# `<pad>`.*
#
# ### Change a future word
#
# Now a test that you should keep for life. If the mask works, **an earlier output cannot depend on a later
# word**. So change a later word, and look at what the earlier outputs do. We write *in May* instead of
# *in September*, and measure how far each word's output moves.

# %% slide="Change a future word"
def how_far_outputs_move(words, changed_words, mask):
    """How far each word's output moves when the sentence changes."""
    before, _ = masked_attention(*queries_keys_values(words), mask)
    after, _ = masked_attention(*queries_keys_values(changed_words), mask)
    return np.abs(after - before).max(axis=-1)


changed_words = ["Jane", "visits", "Africa", "in", "May"]
moved_open = how_far_outputs_move(english_words, changed_words, None)
moved_causal = how_far_outputs_move(english_words, changed_words, causal_mask(5))
print("with the mask, the first four outputs moved by", moved_causal[:4])
plots.bars(
    {"no mask": moved_open, "causal mask": moved_causal},
    english_words[:4] + ["September / May"],
    ylabel="the output moves by",
    title="The last word changes: whose output moves?",
    digits=3,
)

# %% [markdown]
# *Picture: two bars a word. Without a mask the output of in moves most of the first four, that of visits a little.
# With the causal mask only the output of the last word moves; the bars of all others are exactly zero.*
#
# The earlier outputs stay put: not nearly, but *exactly*. **Guess first:** the next cell has *Paris* in
# the place of *Africa*. Whose output may move now?

# %%
my_words = ["Jane", "visits", "Paris", "in", "September"]
for word, moved in zip(my_words, how_far_outputs_move(english_words, my_words, causal_mask(5))):
    print(f"{word:<10} moved by {moved:.3f}")

# %% [markdown] slide="Which mask goes where"
# Only *Paris* and the words after it could move. What came before never looked at it.
#
# ### Which mask goes where
#
# A Transformer has three places for attention. You will build them in lessons 05 and 06. Each place has its
# own mask:
#
# | attention | who looks | is looked at | mask |
# |---|---|---|---|
# | in the encoder | French words | French words | `padding_mask(french_ids, pad_id)` |
# | in the decoder, to itself | English words | English words | `decoder_mask(english_ids, pad_id)` |
# | from decoder to encoder | English words | French words | `padding_mask(french_ids, pad_id)` |
#
# Look at the last row. English words look, but the mask is made from the **French** ids: what has to be
# hidden is padding among the *keys*. And it is not causal: the French sentence is there from the
# beginning, all of it. Now you see why the query axis of `padding_mask` has length 1. Seven English tokens
# or five, it fits. (If the two languages have different ids for padding, take that of the keys' language.)

# %%
q, _, _ = queries_keys_values(translations)
_, k, v = queries_keys_values(sentences)
mask = padding_mask(french_ids, pad_id)[:, 0]  # (batch, 1, n_k): no heads here
output, weights = masked_attention(q, k, v, mask)
print("q", q.shape, " k", k.shape, " mask", mask.shape, " weights", weights.shape)
plots.attention(weights[1], translations[1], sentences[1], title="English words look at French ones")

# %% [markdown]
# *Picture: a grid with seven English rows and five French columns. The two columns of `<pad>` are zero in
# every row.*

# %% [markdown]
# ## 6. One mask, many dialects
#
# Every library has masks, and they do not agree on what a `True` means. Here is the third row of a decoder
# mask: what *Africa* may look at in `Jane visits Africa in <pad>`. **Your** mask fills the table.

# %%
words = ["Jane", "visits", "Africa", "in", "<pad>"]
ids = np.array([[english.index(word) for word in words]])
ours = decoder_mask(ids, pad_id)[0, 0]  # (n, n)
real = padding_mask(ids, pad_id)[0, 0, 0]  # (n,)

dialects = {
    "this course": ours,
    "F.scaled_dot_product_attention, attn_mask": ours,
    "nn.MultiheadAttention, attn_mask": ~ours,
    "nn.MultiheadAttention, key_padding_mask": np.broadcast_to(~real, ours.shape),
    "additive (added to the scores)": np.where(ours, 0.0, -np.inf),
    "Keras MultiHeadAttention, attention_mask": ours,
}
print(f"{'what Africa may look at':<42}", *(f"{word:>7}" for word in words))
for dialect, mask in dialects.items():
    print(f"{dialect:<42}", *(f"{str(entry):>7}" for entry in mask[2]))

plots.masks(
    np.array([ours, ours, ours]),
    words,
    entries=[ours, ~ours, np.where(ours, 0.0, -np.inf)],
    titles=["ours, F.sdpa, Keras", "nn.MultiheadAttention", "additive"],
)

# %% [markdown]
# *Picture: the same mask three times; dark cells may be looked at. In the first grid dark cells say True
# and light ones False. In the second it is the other way round. In the third dark cells say 0 and light
# ones minus infinity.*
#
# Look at the second picture again. **In `nn.MultiheadAttention` a `True` means "hidden"**, the opposite of
# ours, although it belongs to the same library as `F.scaled_dot_product_attention`. (`F.sdpa` in the
# picture is short for that name.) Its `key_padding_mask` carries the padding alone; the future has to go
# into `attn_mask` as well.
#
# | library | `True` means | shape |
# |---|---|---|
# | this course | may be looked at | broadcasts to `(..., n_q, n_k)` |
# | PyTorch, `F.scaled_dot_product_attention(attn_mask=…)` | may be looked at | broadcasts to `(..., n_q, n_k)` |
# | PyTorch, `nn.MultiheadAttention(attn_mask=…)` | **hidden** | `(n_q, n_k)` or `(batch * n_heads, n_q, n_k)` |
# | PyTorch, `nn.MultiheadAttention(key_padding_mask=…)` | **hidden** | `(batch, n_k)` |
# | additive: a number is added to each score | 0: may be looked at, $-\infty$: hidden | that of the scores |
# | Keras, `MultiHeadAttention(attention_mask=…)` | may be looked at | `(batch, n_q, n_k)` |
#
# Does the translation hold? We ask PyTorch itself. Each of its two functions gets your mask in its own
# dialect, and must find the same outputs as your `masked_attention`. (Keras is not needed for this course.
# Its row is taken from its documentation.)

# %%
import torch
import torch.nn.functional as F
from torch import nn

x = np.random.default_rng(0).normal(size=(1, 5, 4))  # one sentence of five words, d_model 4
mine, _ = masked_attention(x, x, x, ours)
t = torch.from_numpy(x)

module = nn.MultiheadAttention(4, num_heads=1, bias=False, batch_first=True, dtype=torch.float64)
with torch.no_grad():  # projections that change nothing, so that attention alone is compared
    module.in_proj_weight.copy_(torch.eye(4).repeat(3, 1))
    module.out_proj.weight.copy_(torch.eye(4))

future = torch.from_numpy(~causal_mask(5))  # True at what is hidden
theirs = {
    "F.scaled_dot_product_attention, boolean": F.scaled_dot_product_attention(
        t, t, t, attn_mask=torch.from_numpy(ours)
    ),
    "F.scaled_dot_product_attention, additive": F.scaled_dot_product_attention(
        t, t, t, attn_mask=torch.from_numpy(np.where(ours, 0.0, -np.inf))
    ),
    "nn.MultiheadAttention, attn_mask": module(t, t, t, attn_mask=torch.from_numpy(~ours))[0],
    "nn.MultiheadAttention, both masks": module(
        t, t, t, key_padding_mask=torch.from_numpy(~real[None]), attn_mask=future
    )[0],
}
for name, result in theirs.items():
    print(f"{name:<42} same as yours: {np.allclose(result.detach().numpy(), mine)}")

wrong = F.scaled_dot_product_attention(t, t, t, attn_mask=torch.from_numpy(~ours)).numpy()
print(f"{'F.scaled_dot_product_attention, wrong way':<42} same as yours: {np.allclose(wrong, mine)}")

# %% [markdown]
# Note what the last line did **not** say: no error, no warning. A mask the wrong way round runs as
# smoothly as a right one. Section 8 shows where that leads.
#
# <details><summary>Aside: why so much code says <code>-1e9</code> instead of minus infinity</summary>
#
# With a large negative number in place of $-\infty$, a row with nothing to look at does not become `nan`:
# all its scores are equally low, and it spreads its attention evenly, over padding or future. That is no
# `nan`, but it is not nothing either. And numbers of half precision do not reach that far
# (`np.finfo(np.float16).max` is their largest), so there `-1e9` becomes minus infinity again. A much
# smaller number, such as `-10`, still lets some weight through, as you measured above. And the slip `-1e-9`,
# a minus too many, hides nothing.
#
# </details>

# %% [markdown]
# ## 7. One pass trains every word
#
# Back to training. The right translation is in hand: `<bos> Jane visits Africa in September <eos>`. From
# this *one* sentence we get *six* tasks:

# %%
sentence = translations[0]
for position in range(1, len(sentence)):
    print(f"given {' '.join(sentence[:position]):<38} predict {sentence[position]}")

# %% [markdown]
# `<bos>` is what is given when nothing has been written yet, and `<eos>` is what the network predicts to say
# "I am done".
#
# To train on these tasks, we give the decoder the right words as its input, and ask at each position for
# the next word. The network is not fed its own words, which are bad in the beginning. It is fed the
# teacher's. So this is called **teacher forcing**. Two arrays are needed, and the second is the first one
# shifted by one place:
#
# | position | 1 | 2 | 3 | 4 | 5 | 6 |
# |---|---|---|---|---|---|---|
# | **decoder input**, what it reads | `<bos>` | Jane | visits | Africa | in | September |
# | **labels**, what it must predict | Jane | visits | Africa | in | September | `<eos>` |
#
# ### Exercise: `teacher_forcing`
#
# Cut both rows of this table out of a batch of whole sentences. All rows are cut alike, padded ones too.
#
# <details><summary>Hint 1: compare with the table</summary>
#
# Hold both rows of the table against the whole sentence, `<bos> … <eos>`. What is missing in the first row?
# What is missing in the second?
#
# </details>
# <details><summary>Hint 2: slices</summary>
#
# Sentences are rows, positions are columns. A slice of columns is `array[:, start:stop]`. A negative stop
# counts from the end.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# All columns but the last, and all columns but the first. The colon makes a slice: without it, you get a
# single column.
#
# </details>

# %% solution="teacher_forcing"
def teacher_forcing(target_ids):
    """Split right translations into what the decoder reads and what it must predict.

    Args:
        target_ids: `(batch, n)`, integers; each row is BOS … EOS and then padding, if any.

    Returns:
        `(decoder_input, labels)`, both `(batch, n - 1)`: the label at a position is the word that
        follows the input at that position.

    Example:
        >>> teacher_forcing(np.array([[1, 7, 8, 2], [1, 9, 2, 0]]))
        (array([[1, 7, 8],
               [1, 9, 2]]), array([[7, 8, 2],
               [9, 2, 0]]))

    Source: Williams, Zipser (1989); "shifted right" in Vaswani et al. (2017), figure 1.
    """
    ### BEGIN SOLUTION
    return target_ids[:, :-1], target_ids[:, 1:]
    ### END SOLUTION


# %% tests="teacher_forcing"
check(teacher_forcing)

# %% [markdown]
# **See.** Both translations, and below them a picture of the first one's tasks: the causal mask, with the
# label written at each row.

# %% slide="One pass, every word a lesson"
decoder_input, labels = teacher_forcing(english_ids)
for reads, predicts in zip(decoder_input, labels):
    print("reads   ", *(f"{english[i]:<10}" for i in reads))
    print("predicts", *(f"{english[i]:<10}" for i in predicts), "\n")

read_words = [english[i] for i in decoder_input[0]]
plots.masks(
    causal_mask(6),
    [f"{english[i]} → {english[j]}" for i, j in zip(decoder_input[0], labels[0])],
    read_words,
    title="Each row is one task: from the dark words, predict the word after the arrow",
    ylabel="reads → predicts",
)

# %% [markdown]
# *Picture: the triangle of six by six. The rows are named `<bos>` → Jane to September → `<eos>`, the columns
# `<bos>` to September. In each row, the words up to the one before the arrow are dark.*
#
# In every row the word after the arrow is hidden, and it is the very next column. That is why a word may
# look at itself, and why it must not look one place further.
#
# Look at the printed rows of the second sentence once more. There `<eos>` is read, and `<pad>` is to be
# predicted. That looks like a mistake, but it is none. In a shorter sentence the last column holds padding,
# so cutting it off leaves `<eos>` in what is read. What follows `<eos>` is nobody's concern: the loss of
# lesson 07 does not count labels that are padding. So nothing is learned there, and nothing has to be taken
# out.
#
# ### One masked pass equals six passes word by word
#
# At test time, the network works word by word: it sees `<bos>`, then `<bos> Jane`, then `<bos> Jane visits`.
# Nothing has to be hidden, since what comes later does not exist. In training, all positions are computed
# in **one** pass, and the mask imitates that. Do the two really agree? Let us do both.

# %% slide="One pass is as good as six"
q, k, v = queries_keys_values(read_words)

in_one_pass, _ = masked_attention(q, k, v, causal_mask(6))

word_by_word = []
for known in range(1, 7):  # so many words exist at this moment
    outputs, _ = masked_attention(q[:known], k[:known], v[:known])  # no mask: there is nothing to hide
    word_by_word.append(outputs[-1])  # the newest word's output, from which the next word is predicted

print("passes:", 1, "against", len(word_by_word))
print("same outputs:", np.allclose(in_one_pass, word_by_word))
plots.vectors(
    {"one masked pass": in_one_pass, "six passes, word by word": np.array(word_by_word)},
    read_words,
    ["person", "setting", "motion"],
)

# %% [markdown]
# *Picture: two grids side by side, six words by three features, with the same numbers.*
#
# This is the point of masked attention: **training does in one pass what test time must do step by step.**
# All six tasks are trained at once. A sentence of a hundred words gives a hundred tasks, still in one pass.
#
# ### Does the mask matter in training only?
#
# It is often said so, and you have just seen why: word by word, there was no mask, and the newest word's
# output was right. Is that still so with two layers, one on top of the other? In the second layer the
# newest word looks at the *outputs* of the earlier words. Think about who those have looked at. Then run:

# %%
def stack(x, n_layers, mask_of):
    """Layers of attention on top of each other; each adds what it found to its input."""
    for _ in range(n_layers):
        found, _ = masked_attention(x @ w_q, x @ w_k, x, mask_of(len(x)))
        x = x + found
    return x


x = np.array([vector_of[word] for word in read_words])
for n_layers in (1, 2):
    training = stack(x, n_layers, causal_mask)
    for name, mask_of in {"with the mask": causal_mask, "without": lambda n: None}.items():
        steps = [stack(x[:known], n_layers, mask_of)[-1] for known in range(1, 7)]
        same = np.allclose(training, steps)
        print(f"{n_layers} layer(s), word by word {name:<14} same as in training: {same}")

# %% [markdown]
# With one layer the mask makes no difference at test time. With two it does. Without it, *Jane* would look
# at *visits* as soon as *visits* is written, and hand on something that it never had in training. So real
# programs **keep the mask at test time too**, or they keep the vectors of earlier words as they were and
# compute the newest only (lesson 08). The mask is *needed* in training, because only there the future is in
# hand. At test time it keeps everything as it was in training.
#
# One difference remains. In training the first words are always right, "as if translated perfectly". At
# test time they are the network's own, and may be wrong. That is the price of teacher forcing (Ranzato and
# others, in "Further reading").

# %% [markdown]
# ## 8. Broken on purpose
#
# You join a small team. Their task: predict the next word of travel plans like *Jane visits Africa in
# September*. There are four people, and each travels in a month of their own. Verb and place are free.
# There are two candidates for the model, and they differ in one line: the mask.
#
# First the texts, and a tiny model that learns by gradient descent. You need not read every line. The
# attention in it is your `masked_attention`: each position learns where to look, and turns what it sees
# there into a guess for the next word.

# %%
month_of = {"Jane": "September", "Paul": "May", "Lea": "July", "Tom": "March"}
texts = [
    ["<bos>", person, verb, place, "in", month, "<eos>"]
    for person, month in month_of.items()
    for verb in ["visits", "leaves"]
    for place in ["Africa", "Paris", "Rome"]
]
vocabulary = sorted({word for text in texts for word in text})
plan_ids = np.array([[vocabulary.index(word) for word in text] for text in texts])
reads, predicts = teacher_forcing(plan_ids)
n, n_words = reads.shape[1], len(vocabulary)
print(len(texts), "texts,", n_words, "different words,", n, "positions")


def guess(model, word_ids, mask):
    """Probabilities of the next word at each position, and what attention did on the way."""
    batch, length = word_ids.shape
    q = np.broadcast_to(model["q"][:length], (batch, length, n))
    k = np.broadcast_to(np.eye(n)[:length], (batch, length, n))
    v = np.eye(n_words)[word_ids]
    mixed, weights = masked_attention(q, k, v, mask)
    return softmax(mixed @ model["w"] + model["b"]), mixed, weights


def mean_loss(probabilities, labels):
    """Minus the logarithm of the probability given to the right word, averaged: 0 is perfect."""
    return -np.log(np.take_along_axis(probabilities, labels[..., None], axis=-1)).mean()


def train(mask, steps=400, rate=10.0):
    """Gradient descent on all texts, from a model that knows nothing; the losses on the way too."""
    model = {"q": np.zeros((n, n)), "w": np.zeros((n_words, n_words)), "b": np.zeros(n_words)}
    losses = []
    for _ in range(steps):
        probabilities, mixed, weights = guess(model, reads, mask)
        losses.append(mean_loss(probabilities, predicts))
        d_logits = (probabilities - np.eye(n_words)[predicts]) / predicts.size
        d_weights = d_logits @ model["w"].T @ np.swapaxes(np.eye(n_words)[reads], -1, -2)
        d_scores = weights * (d_weights - (weights * d_weights).sum(axis=-1, keepdims=True))
        gradient = {
            "q": d_scores.sum(axis=0) / np.sqrt(n),
            "w": np.einsum("bti,btj->ij", mixed, d_logits),
            "b": d_logits.sum(axis=(0, 1)),
        }
        model = {name: model[name] - rate * gradient[name] for name in model}
    return model, losses


# %% [markdown]
# Model A uses your `causal_mask`. Model B was made by a colleague, who copied the line for the mask from
# another project. Both are trained on the same texts.

# %% slide="Which model cheats?"
def colleagues_mask(n):
    return np.triu(np.ones((n, n), dtype=bool), k=1)


model_a, losses_a = train(causal_mask(n))
model_b, losses_b = train(colleagues_mask(n))
print(f"loss after training   A: {losses_a[-1]:.2f}   B: {losses_b[-1]:.2f}")
plots.lines(
    np.arange(1, len(losses_a) + 1),
    {"model A": losses_a, "model B": losses_b},
    xlabel="training step",
    ylabel="loss",
    title="Two models: which one would you take?",
)

# %% [markdown]
# *Picture: loss against training step. Both curves fall steeply. That of model A levels off well above
# zero. That of model B goes on to almost zero.*
#
# B looks wonderful. The team wants to ship it. You are asked to have a look first. **Stop here and think:**
# is there a reason to doubt a loss that low?
#
# ### Clue 1: how good can anybody be?
#
# After `<bos>` any of four people may follow, all equally often. Nobody can know which, so the best anyone
# can do is to give each the probability 1/4. That costs a loss of $\ln 4$. The verb costs at least $\ln 2$
# and the place $\ln 3$. The other three words can be known: *in* always follows the place, the month
# follows from the person, and then it is over.

# %%
best_possible = (np.log(4) + np.log(2) + np.log(3) + 0 + 0 + 0) / 6
print(f"best possible loss: {best_possible:.2f}   A: {losses_a[-1]:.2f}   B: {losses_b[-1]:.2f}")

# %% [markdown]
# Model A has come close to the best possible. Model B has *beaten* it. That cannot be done by predicting.
#
# ### Clue 2: where do they look?

# %% slide="Look where they look"
_, _, weights_a = guess(model_a, reads[:1], causal_mask(n))
_, _, weights_b = guess(model_b, reads[:1], colleagues_mask(n))
read_words = [vocabulary[i] for i in reads[0]]
tasks = [f"{vocabulary[i]} → {vocabulary[j]}" for i, j in zip(reads[0], predicts[0])]
for name, weights in {"Model A": weights_a[0], "Model B": weights_b[0]}.items():
    plots.attention(weights, tasks, read_words, title=f"{name}: where it looks", ylabel="reads → predicts")

# %% [markdown]
# *Pictures: two grids of weights; rows are named by what is read and what is to be predicted, columns by
# what is looked at. Model A: all weight lies on and below the diagonal; the row "in → September" looks at
# Jane. Model B: all weight lies above the diagonal, nearly all of it right beside it: the row "visits →
# Africa" looks at Africa. Its last row is empty.*
#
# Compare, in the picture of model B, the word after the arrow with the word that is looked at.
#
# ### Clue 3: the test
#
# At test time only the first words exist. Let both models predict each word from the words before it, and
# measure the loss there. Then let both write a text that begins with *Jane*.

# %%
def test_loss(model, mask_of):
    """The loss when only the words up to each position exist, as at test time."""
    losses = []
    for known in range(1, n + 1):
        probabilities, _, _ = guess(model, reads[:, :known], mask_of(known))
        losses.append(mean_loss(probabilities[:, -1], predicts[:, known - 1]))
    return np.mean(losses)


def write(model, mask_of, words):
    """Go on with a text, always with the most probable word, until <eos> or the text is full."""
    words = list(words)
    while words[-1] != "<eos>" and len(words) <= n:
        word_ids = np.array([[vocabulary.index(word) for word in words]])
        probabilities, _, _ = guess(model, word_ids, mask_of(len(words)))
        words.append(vocabulary[probabilities[0, -1].argmax()])
    return " ".join(words)


print(f"{'know nothing at all':<20} loss {np.log(n_words):.2f}")
for name, model, losses, mask_of in [
    ("model A", model_a, losses_a, causal_mask),
    ("model B", model_b, losses_b, colleagues_mask),
]:
    print(f"{name:<20} training loss {losses[-1]:.2f}   test loss {test_loss(model, mask_of):.2f}")
    print(f"{'':<20} writes: {write(model, mask_of, ['<bos>', 'Jane'])}")

# %% [markdown]
# Model A is as good in the test as in training. (You know why: one masked pass equals word by word.) It
# even knows when Jane travels. Model B is worse than a model that knows nothing, and stops at once.
#
# **Your turn:** say in two sentences what model B has learned, and which slip made it so. Then mend model B
# by *one character* in the first line of the next cell, and see its losses change. Look at the test loss above
# all. Open the answer when you have tried.

# %%
mask_b = lambda n: colleagues_mask(n)  # mend it here

mended_b, losses_mended = train(mask_b(n))
print(f"training loss {losses_mended[-1]:.2f}   test loss {test_loss(mended_b, mask_b):.2f}")
print(write(mended_b, mask_b, ["<bos>", "Jane"]))

# %% [markdown]
# <details><summary>What model B has learned, and why</summary>
#
# It has learned to look one place to the right and to copy. The word there *is* the label: the decoder input
# is the labels shifted by one. So it sees the answer, and its training loss goes to zero without any
# knowledge of who travels when. At test time the place to the right is empty. The newest word may look at
# nothing, its output is zero, and only one habit is left: after nothing comes `<eos>`, since that was
# the only position in training that saw nothing either.
#
# The slip: the copied line speaks another dialect. It is made for `nn.MultiheadAttention`, where True means
# "hidden". In our dialect it says: look at the future only. One `~` mends it: `~colleagues_mask(n)`.
#
# This has really happened. A user of TensorFlow's Transformer tutorial put Keras's attention in the place
# of the tutorial's own, whose masks mean the opposite, and reported 100 % accuracy and a loss near zero
# (see "Further reading").
#
# </details>
#
# ### Nearly mended
#
# Did you think of another letter, `tril` for `triu` in the colleague's line? That turns the triangle over, and
# it is one character as well. The `k=1` stays. The next cell trains a third model, C, with that mask. *Before
# you run it:* which cells does `np.tril(…, k=1)` leave open?

# %%
def one_place_too_far(n):
    return np.tril(np.ones((n, n), dtype=bool), k=1)


model_c, losses_c = train(one_place_too_far(n))
print(f"training loss {losses_c[-1]:.2f}   test loss {test_loss(model_c, one_place_too_far):.2f}")
print(write(model_c, one_place_too_far, ["<bos>", "Jane"]))
plots.masks(one_place_too_far(n), tasks, read_words, title="Model C: who may look at whom", ylabel="reads → predicts")

# %% [markdown]
# *Picture: a triangle of six by six with one diagonal more. In every row but the last, the word after the arrow
# is dark too.*
#
# Nearly all of this mask is right, and one leaking diagonal is enough to copy the answer. The training loss is
# again better than the best possible. At test time there is no next word to copy, so model C copies a word that
# it has. The mask of a decoder ends *on* the diagonal.
#
# ### Catch it in one second
#
# You do not need to train a model to find such a slip. The changed-future test of section 5 finds it at
# once. Here it is as a function. It changes the last word and looks at whether any earlier output moves:

# %%
def sees_the_future(mask):
    return bool(how_far_outputs_move(english_words, changed_words, mask)[:-1].any())


for name, mask in {
    "causal mask": causal_mask(5),
    "the colleague's mask": colleagues_mask(5),
    "one place too far": one_place_too_far(5),
    "no mask": None,
}.items():
    print(f"{name:<22} sees the future: {sees_the_future(mask)}")

# %% [markdown]
# **Play:** train a model of your own, in a new cell. `train(mask)` returns a pair: the model, and its loss at
# every step. `guess(model, reads[:1], mask)` returns three things for the first text, and the last of them is
# where the model looks. This mask, for example, hides the past too, all but the latest two words. Which of the
# six tasks must get worse?
#
# ```python
# my_mask = causal_mask(n) & ~np.tril(np.ones((n, n), dtype=bool), k=-2)
# my_model, my_losses = train(my_mask)
# print(my_losses[-1])
# _, _, my_weights = guess(my_model, reads[:1], my_mask)
# plots.attention(my_weights[0], tasks, read_words, ylabel="reads → predicts")
# ```

# %% [markdown] slide="What to take home"
# ## Summary
#
# - A **mask** says who may look at whom: True means "may be looked at".
# - The **padding mask** hides columns, for all who look: `(batch, 1, 1, n)`. The **causal mask** hides the
#   future: the triangle `(n, n)`. The decoder needs both, joined by **and**.
# - Hidden scores become $-\infty$ before softmax, so hidden keys weigh exactly 0 and the rest still adds up
#   to 1. A row with nothing to look at gives zeros, never `nan`.
# - With **teacher forcing** the decoder reads the right words and predicts each next one. Thanks to the
#   causal mask **one pass** in training does the work of all passes word by word at test time.
# - Libraries disagree on what True means. A wrong mask raises no error: training looks wonderful, and the
#   model is useless. Change a future word, and see whether earlier outputs stay put.

# %% [markdown]
# ## Check yourself
#
# Answer in your head, then open.
#
# <details><summary>1. A batch holds 3 sentences of 7 tokens, and there are 8 heads. Which shapes have
# <code>padding_mask</code>, <code>decoder_mask</code> and the weights?</summary>
#
# `(3, 1, 1, 7)`, `(3, 1, 7, 7)` and `(3, 8, 7, 7)`. The axes of length 1 are repeated.
#
# </details>
# <details><summary>2. A classmate hides padding by setting the vectors of <code>&lt;pad&gt;</code> to zero.
# Is that enough?</summary>
#
# No. Its score is then 0, and $e^0 = 1$, so it still takes a share of every row, the more so the more padding
# there is. Its values add nothing, but the real words get less than they should.
#
# </details>
# <details><summary>3. Why is the mask between decoder and encoder not causal?</summary>
#
# It hides what does not exist at test time. The French sentence exists in full before the first English
# word is written, so nothing of it has to be hidden but its padding.
#
# </details>
# <details><summary>4. The decoder input and the labels are by mistake the same array, not shifted. The
# causal mask is right. What does the training loss do?</summary>
#
# It goes to zero. Each position is asked to predict the word it reads, and it may look at itself. That is
# copying again, by another slip.
#
# </details>
# <details><summary>5. Why does <code>decoder_mask</code> join its two parts by "and", not by "or"?</summary>
#
# A word must be real *and* not in the future. With "or" a real word of the future could be looked at, and
# padding of the past as well.
#
# </details>
# <details><summary>6. A training run shows a loss far below what you thought possible. What do you do
# first?</summary>
#
# Change a future word and see whether an earlier output moves. If it does, the model sees the answer.
#
# </details>

# %% [markdown]
# ## Further reading
#
# - A. Vaswani and others, *Attention Is All You Need*, NeurIPS 2017. Section 3.2.3, third point: masking
#   in the decoder, by minus infinity before softmax; section 3.1: the outputs "offset by one position";
#   figure 1: "shifted right".
# - R. Williams, D. Zipser, *A Learning Algorithm for Continually Running Fully Recurrent Neural Networks*,
#   Neural Computation 1 (1989): teacher forcing, under this name.
# - M. Ranzato, S. Chopra, M. Auli, W. Zaremba, *Sequence Level Training with Recurrent Neural Networks*,
#   ICLR 2016: what goes wrong when a network meets its own words only at test time (exposure bias).
# - PyTorch documentation of `torch.nn.functional.scaled_dot_product_attention` and
#   `torch.nn.MultiheadAttention`; Keras documentation of `MultiHeadAttention`: the dialects of section 6.
# - GitHub, pull request *tensorflow/text#894*: the inverted mask in the wild; issue *pytorch/pytorch#41508*:
#   a row with nothing to look at, and its `nan`.
#
# **Next:** lesson 05, where attention becomes part of a block, now in PyTorch.
