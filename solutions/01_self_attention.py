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
# # 01 · Self-attention: words that look at each other
#
# **What you will be able to do:** write self-attention in NumPy, and say at each step what the numbers
# mean and why they are there.
#
# | | |
# |---|---|
# | **Goal** | turn the vectors of a sentence into new vectors, each of which knows its context |
# | **You know already** | Python functions; NumPy arrays and their shapes; the product of two matrices; what a mean is |
# | **You need** | 60 to 120 minutes; nothing about attention, nothing about neural networks |
#
# | section | you write |
# |---|---|
# | 1 · The problem | |
# | 2 · From scores to weights | `softmax` |
# | 3 · Query, key and value | `project_qkv` |
# | 4 · Why the square root | |
# | 5 · One word looks at all | `attend_one_word` |
# | 6 · All words at once | `scaled_dot_product_attention` |
# | 7 · The whole | `self_attention` |
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
# ## 1. The problem: a vector that knows its sentence
#
# Our sentence is *Jane visite l'Afrique en septembre*. Each word has a vector, as in lesson 00. **We
# made these vectors up by hand**: each of the six columns has a meaning, so that you can read the
# pictures. A real network learns such numbers from text, and its columns have no names.

# %% slide="One vector a word"
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
plots.vectors(x, words, features, title="The sentence: one vector a word")

# %% [markdown]
# *Picture: a grid with five rows, the words, and six columns, the features; darker means larger. Jane is
# dark at "person", visite at "action" and "motion", l'Afrique at "place", en at "link", septembre at
# "time".*
#
# Take the third word, *l'Afrique*. Its vector says "a place". It says the same in "Jane *leaves*
# Africa" or "Africa is large". But you, reading the sentence, know more: here Africa is where somebody
# *goes*. You know it because you looked at another word, *visite*.
#
# We want the same for the vectors. For each word we want a **new vector that says what the word means in
# this sentence**. The simplest way to let vectors take something from each other is to **mix** them:
# some of this word, a lot of that one. So for *l'Afrique* we need five shares, one for each word. They
# should be positive and add up to 1. These shares are called **attention weights**.
#
# The question is only: who chooses the weights?

# %% slide="How much should l'Afrique look at each word?"
plots.looks(words, 2, title="How much should l'Afrique look at each word?")

# %% [markdown]
# *Picture: the five words in a row. From l'Afrique, in a box, dashed arrows lead to every word, one of
# them back to itself. Below each word stands a question mark, where its weight will be.*

# %% [markdown]
# ## 2. From scores to weights
#
# Suppose that somebody has already rated, with any numbers they like, how much each word can tell
# *l'Afrique*. We call such ratings **scores**. A score may be negative, and scores need not add up to
# anything. Here are five, made up for now. In section 4 you meet the real ones.

# %% slide="Scores: any numbers"
scores = np.array([1.0, 3.0, 0.0, -1.0, 0.0])
plots.bars(
    scores,
    words,
    ylabel="score",
    title="Made-up scores: what can each word tell l'Afrique?",
    digits=1,
)

# %% [markdown]
# *Picture: one bar a word. visite has the highest bar, Jane a lower one, en reaches below zero,
# l'Afrique and septembre are at zero.*
#
# How do you make shares out of scores? They must become positive and add up to 1, and a higher score
# must stay a larger share. Two steps do it:
#
# 1. Take the exponential of each score. The result is positive, for negative scores too.
# 2. Divide by the sum. Now they add up to 1.

# %%
positive = np.exp(scores)
print("after step 1:", positive, " sum", positive.sum().round(3))
shares = positive / positive.sum()
print("after step 2:", shares, " sum", shares.sum().round(3))

# %% [markdown] slide="Softmax: from scores to weights"
# This is the **softmax**. In a formula, for scores $s_1, \dots, s_n$:
#
# $$\mathrm{softmax}(s)_i = \frac{e^{s_i}}{\sum_{j=1}^{n} e^{s_j}}$$
#
# There is a trap. Scores can be large, and the exponential grows fast. Look at what happens to a
# computer's numbers:

# %%
with np.errstate(over="ignore", invalid="ignore"):
    huge = np.array([1000.0, 999.0])
    print("exp:", np.exp(huge), " after dividing:", np.exp(huge) / np.exp(huge).sum())

# %% [markdown]
# `inf` divided by `inf` is `nan`: not a number. But the shares themselves are harmless, since only the
# *differences* between scores count. If you add the same number $c$ to every score, each exponential
# gets the same factor $e^{c}$, and the factor cancels:
#
# $$\frac{e^{s_i + c}}{\sum_j e^{s_j + c}} = \frac{e^{c}\, e^{s_i}}{e^{c} \sum_j e^{s_j}} = \frac{e^{s_i}}{\sum_j e^{s_j}}$$
#
# So you are free to choose $c$. Choose it so that no exponential can overflow. It may be different for
# each row of scores: take it from the row itself.
#
# ### Exercise: `softmax`
#
# Your function works on arrays with any number of axes. `axis` says along which axis the results add up
# to 1. With the default `axis=-1` that is the last one: in a table, each row adds up to 1.
#
# It must also cope with a score of minus infinity. That is a polite way to say "never look there", and
# lesson 04 depends on it: such an entry gets weight 0.
#
# <details><summary>Hint 1: where to begin</summary>
#
# Begin with the two steps above, for one row of scores. Then ask: which number can you subtract from every
# score of the row, so that even the largest one has a harmless exponential?
#
# </details>
# <details><summary>Hint 2: one row at a time, without a loop</summary>
#
# `np.max` and `np.sum` take `axis=` and `keepdims=True`. With `keepdims=True` the reduced axis stays,
# with length 1, so that the result fits against the original when you subtract or divide. Try
# `np.max(np.array([[1.0, 2.0], [5.0, 3.0]]), axis=-1, keepdims=True)` in a cell of your own.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Three lines. Subtract from the scores their largest value along `axis`. Take the exponential. Divide by
# the sum along `axis`. Each row needs its *own* largest value: with the largest of the whole table, rows
# far below it would become 0 divided by 0. Minus infinity needs no line of its own, since its
# exponential is 0. Make new arrays: `x -= …` would change the array of whoever called you.
#
# </details>

# %% solution="softmax"
def softmax(x, axis=-1):
    """Turn scores into weights that are positive and add up to 1 along one axis.

    Args:
        x: scores, an array of any shape. They may be as large as 1e4, and -inf in a row that has at
            least one finite entry.
        axis: the axis along which the weights add up to 1.

    Returns:
        Weights, of the shape of x. Where x is -inf the weight is 0.

    Example:
        >>> softmax(np.array([0.0, 0.0]))
        array([0.5, 0.5])
        >>> softmax(np.array([[1e4, 1e4], [0.0, -np.inf]]))
        array([[0.5, 0.5],
               [1. , 0. ]])

    Source: Goodfellow, Bengio, Courville (2016), Deep Learning, section 4.1.
    """
    ### BEGIN SOLUTION
    exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)
    ### END SOLUTION


# %% tests="softmax"
check(softmax)

# %% [markdown]
# **See.** Your softmax on the made-up scores, and on the same scores made four times as large. *Before
# you run the cell:* will the shares change? Only differences count, and the differences have grown.

# %% slide="Larger scores decide more"
plots.bars(
    {"softmax(scores)": softmax(scores), "softmax(4 · scores)": softmax(4 * scores)},
    words,
    ylabel="weight",
    title="The same scores, and four times as large",
)

# %% [markdown]
# *Picture: two bars a word, filled for the scores, hatched for four times the scores. visite has the
# largest filled bar and nearly the whole weight among the hatched ones; the other hatched bars are almost
# gone.*
#
# Larger scores make softmax more decided: in the end the winner takes everything. Keep that in mind. In
# section 4 it becomes a problem.

# %% [markdown]
# ## 3. Query, key and value
#
# Now: where do the scores come from? Not from a person, but from the vectors themselves.
#
# Think of asking around in a library. You come with a **question**. Each book has a **label** on its
# spine. You compare your question with every label, and from the books that fit you take the **content**.
# Question, label and content are three different things. So each word gets three vectors. They are the
# inputs of attention: a word's attention is computed from its own query, and from the keys and values of
# all words.
#
# | vector | role | for *l'Afrique* |
# |---|---|---|
# | **query** $q$ | the question the word asks | "what happens to me, and who does it?" |
# | **key** $k$ | the label others compare their question with | "I am a place" |
# | **value** $v$ | the content the word hands over | "setting: Africa" |
#
# All three are computed from the word's vector $x$, each with a matrix of its own:

# %% slide="Query, key, value"
plots.flow(
    {
        "x": (0, 1, "$x^{\\langle 3\\rangle}$\n(d_model,)"),
        "q": (1.7, 0, "query $q^{\\langle 3\\rangle}$\n(d_k,)"),
        "k": (1.7, 1, "key $k^{\\langle 3\\rangle}$\n(d_k,)"),
        "v": (1.7, 2, "value $v^{\\langle 3\\rangle}$\n(d_v,)"),
    },
    [("x", "q", "$W^Q$"), ("x", "k", "$W^K$"), ("x", "v", "$W^V$")],
    title="Three vectors for the third word, l'Afrique",
)

# %% [markdown] slide="The same three matrices for every word"
# *Picture: a box x<3> on the left. Three arrows, named W^Q, W^K and W^V, lead from it to three boxes:
# query q<3> and key k<3> with d_k numbers each, and value v<3> with d_v numbers.*
#
# In a formula, for word 3 (and the same for every other word, with the *same* three matrices):
#
# $$q^{\langle 3\rangle} = W^Q x^{\langle 3\rangle} \qquad k^{\langle 3\rangle} = W^K x^{\langle 3\rangle} \qquad v^{\langle 3\rangle} = W^V x^{\langle 3\rangle}$$
#
# In a real network the three matrices are *learned*: training finds the questions worth asking. Here we
# write them by hand, again so that you can read them. Queries and keys get the four columns *who, action,
# where, when*. In a query they say what the word asks for. In a key they say what it offers. Each matrix
# has six rows, one for each feature of $x$. Read it row by row for the features, and column by column for
# what is asked, offered or handed over.

# %%
asks = ["who", "action", "where", "when"]
hands_over = ["person", "setting", "motion"]

w_q = np.array(
    [  # asks for: who action where when
        [0.0, 3.0, 0.0, 0.0],  # a person asks for the action
        [3.0, 0.0, 3.0, 2.0],  # an action asks who, where and (less) when
        [1.0, 3.0, 0.0, 0.0],  # a place asks for the action and (less) who
        [0.0, 2.0, 0.0, 1.0],  # a time asks for the action and (less) when
        [0.0, 0.0, 1.0, 3.0],  # a linking word asks when and (less) where
        [0.0, 0.0, 0.0, 0.0],  # motion asks nothing
    ]
)
w_k = np.array(
    [  # offers: who action where when
        [2.0, 0.0, 0.0, 0.0],  # a person offers a who
        [0.0, 2.0, 0.0, 0.0],  # an action offers an action
        [0.0, 0.0, 2.0, 0.0],  # a place offers a where
        [0.0, 0.0, 0.0, 2.0],  # a time offers a when
        [0.0, 0.0, 0.0, 1.0],  # a linking word offers a little when
        [0.0, 0.0, 0.0, 0.0],  # motion offers nothing
    ]
)
w_v = np.array(
    [  # hands over: person setting motion
        [2.0, 0.0, 0.0],  # person
        [0.0, 0.0, 0.0],  # action
        [0.0, 2.0, 0.0],  # place
        [0.0, 1.0, 0.0],  # time
        [0.0, 0.0, 0.0],  # link
        [0.0, 0.0, 2.0],  # motion
    ]
)
for name, matrix in {"w_q": w_q, "w_k": w_k, "w_v": w_v}.items():
    print(name, "has shape", matrix.shape)

# %% [markdown]
# **Rows or columns?** The formula multiplies a matrix by a *column*: $W^Q x$. In code the words are the
# *rows* of `x`, and the matrix stands on the right: `x @ w_q`. It is the same computation, with `w_q` the
# transpose of $W^Q$. That is why `w_q` has shape `(d_model, d_k)`: from `d_model` numbers to `d_k`. See
# for the third word, and mind that Python counts from 0:

# %%
print("formula, W_Q x<3>:", w_q.T @ x[2])
print("code, x[2] @ w_q :", x[2] @ w_q)

# %% [markdown]
# ### Exercise: `project_qkv`
#
# Compute queries, keys and values for *all* words. Do it for any axes `...` in front too: `x` may hold
# one sentence `(n, d_model)`, or a batch of them `(batch, n, d_model)`.
#
# <details><summary>Hint 1: from one word to all</summary>
#
# For one word it is `x[2] @ w_q`. What do you get when you leave out the `[2]`? Look at the shape of the
# result, row by row.
#
# </details>
# <details><summary>Hint 2: further axes</summary>
#
# `a @ b` multiplies the last two axes and repeats the product over any axes in front. Nothing has to be
# added for batches.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Three matrix products, each of `x` with one of the three matrices. Return the three results in the order
# query, key, value, separated by commas.
#
# </details>

# %% solution="project_qkv"
def project_qkv(x, w_q, w_k, w_v):
    """Compute the query, key and value of every word.

    Args:
        x: `(..., n, d_model)`, one vector for each word.
        w_q: `(d_model, d_k)`.
        w_k: `(d_model, d_k)`.
        w_v: `(d_model, d_v)`.

    Returns:
        `(q, k, v)` of shapes `(..., n, d_k)`, `(..., n, d_k)`, `(..., n, d_v)`.

    Example:
        >>> x = np.array([[1.0, 2.0]])
        >>> q, k, v = project_qkv(x, np.eye(2), 2 * np.eye(2), np.array([[1.0], [1.0]]))
        >>> q, k, v
        (array([[1., 2.]]), array([[2., 4.]]), array([[3.]]))

    Source: Vaswani et al. (2017), section 3.2.2, the projections of one head.
    """
    ### BEGIN SOLUTION
    return x @ w_q, x @ w_k, x @ w_v
    ### END SOLUTION


# %% tests="project_qkv"
check(project_qkv)

# %% [markdown]
# **See.** What each word asks, what it offers, and what it hands over.

# %% slide="What is asked, offered, handed over"
q, k, v = project_qkv(x, w_q, w_k, w_v)
plots.vectors(
    {"q: asks for": q, "k: offers": k, "v: hands over": v},
    words,
    {"q: asks for": asks, "k: offers": asks, "v: hands over": hands_over},
)

# %% [markdown]
# *Picture: three grids side by side with the five words as rows. Queries: Jane and l'Afrique ask mostly
# for the action, visite asks who, where and when, en asks when. Keys: each word is dark where it has
# something to offer, Jane at who, visite at action, l'Afrique at where, septembre at when. Values: Jane
# hands over a person, l'Afrique a setting, visite a motion.*
#
# Read the row of *l'Afrique* in the left picture. Which word's row in the middle picture is dark at the
# same place? That word should get a high score.

# %% [markdown]
# ## 4. Scores are dot products, and why they need a square root
#
# A question fits a label when both are large at the same places. The **dot product** measures just that:
# multiply place by place and add up. Here is the query of *l'Afrique* against the key of *visite*, by
# hand:

# %%
terms = q[2] * k[1]
for name, asked, offered, term in zip(asks, q[2], k[1], terms):
    print(f"{name:<7} asked {asked:4.1f} × offered {offered:4.1f} = {term:5.2f}")
print(f"dot product q<3> · k<2> = {terms.sum():.2f}")

# %% [markdown]
# The third word asks all five words, itself too. So $q^{\langle 3\rangle}$ meets $k^{\langle 1\rangle}$
# to $k^{\langle 5\rangle}$, and five dot products come out. They tell how word 3 relates to every word:

# %%
for word, key in zip(words, k):
    print(f"q<3> · key of {word:<10} = {np.dot(q[2], key):5.2f}")

# %% [markdown]
# These could be our scores. But there is a problem, and it shows when $d_k$ is large: $d_k$ is **how many
# numbers a query holds** (and a key, too). Our hand-made queries hold only 4. The models of the paper use
# 64 (its section 3.2.2). A dot product is a sum over these numbers, so **the more numbers a query holds,
# the larger the dot products**.
#
# Let us measure it. The **variance** of some numbers is the mean of their squared distances from their
# mean; it says how far they spread. Draw many random queries and keys whose numbers have variance 1, and
# look at the variance of their dot products.

# %% slide="Why a square root? Scores grow"
rng = np.random.default_rng(0)
sizes = np.array([4, 16, 64, 256, 1024])
variances, scaled_variances = [], []
for size in sizes:
    queries, keys = rng.normal(size=(2, 4000, size))
    dots = np.sum(queries * keys, axis=-1)
    variances.append(dots.var())
    scaled_variances.append((dots / np.sqrt(size)).var())

for size, plain, scaled in zip(sizes, variances, scaled_variances):
    print(f"d_k = {size:4d}   variance of q·k: {plain:7.1f}   divided: {scaled:.2f}")
plots.lines(
    sizes,
    {"q · k": variances, "q · k / sqrt(d_k)": scaled_variances, "the line variance = d_k": sizes},
    xlabel="d_k",
    ylabel="variance",
    xscale="log2",
    yscale="log",
    title="The more numbers a query holds, the larger the dot products",
)

# %% [markdown]
# *Picture: variance against d_k, both on logarithmic axes. The curve of the plain dot products rises
# steadily and lies on the line variance = d_k. The curve of the divided ones stays flat at one.*
#
# So the variance of plain dot products is about $d_k$. The typical size of numbers with mean 0 is the root
# of their variance. So plain dot products have typical size $\sqrt{d_k}$, and **dividing by $\sqrt{d_k}$
# brings them back to size 1, whatever $d_k$ is**.
#
# <details><summary>Optional: why the variance is <code>d_k</code></summary>
#
# Let all numbers be independent (none says anything about another), with mean 0 and variance 1. Each of
# the $d_k$ products $q_i k_i$ then has mean 0 and variance 1, and variances of independent numbers add up:
#
# $$\mathrm{Var}(q \cdot k) = \mathrm{Var}\Big(\sum_{i=1}^{d_k} q_i k_i\Big) = d_k$$
#
# </details>
#
# Why does size matter? You saw it in section 2: large scores make softmax all or nothing. Watch it on
# five words with random keys, and a random query that looks at them. From row to row the query holds more
# numbers. It does not matter which word wins, since that is chance. Look at how decided each row is.

# %% slide="Large scores: all or nothing"
plain, divided = [], []
for size in sizes:
    rng = np.random.default_rng(4)
    random_query, random_keys = rng.normal(size=size), rng.normal(size=(5, size))
    dots = random_keys @ random_query
    plain.append(softmax(dots))
    divided.append(softmax(dots / np.sqrt(size)))

plots.attention(
    np.array([plain, divided]),
    [f"d_k = {size}" for size in sizes],
    [f"word {place}" for place in range(1, 6)],
    titles=["softmax(q · k)", "softmax(q · k / sqrt(d_k))"],
    ylabel="",
)

# %% [markdown]
# *Picture: two grids, one row for each d_k, one column a word; the cells are weights. On the left one cell
# is darkest in every row. In the first two rows some weight is left for the others; in the lower three that
# one cell has all of it, and the others are empty. On the right the weights stay spread in every row.*
#
# On the left, when a query holds many numbers, a word looks at one single word and ignores the rest.
# Worse, **it hardly learns any more**. A network learns by small changes: if this score moves a little,
# how much do the weights move? That rate of change is the *gradient*. Let us measure it with your softmax:
# nudge each score up and down a little, and see how far the weights go.

# %% slide="... and nothing is learned"
def sensitivity(scores, nudge=1e-4):
    """How much the weights move when a score moves: the mean size of all rates of change."""
    steps = nudge * np.eye(len(scores))
    rates = (softmax(scores + steps) - softmax(scores - steps)) / (2 * nudge)
    return np.abs(rates).mean()


plain, divided = [], []
for size in sizes:
    rng = np.random.default_rng(0)
    queries, keys = rng.normal(size=(300, size)), rng.normal(size=(300, 5, size))
    dots = np.einsum("td,tnd->tn", queries, keys)  # 300 times one query against five keys
    plain.append(np.mean([sensitivity(row) for row in dots]))
    divided.append(np.mean([sensitivity(row / np.sqrt(size)) for row in dots]))

plots.lines(
    sizes,
    {"softmax(q · k)": plain, "softmax(q · k / sqrt(d_k))": divided},
    xlabel="d_k",
    ylabel="mean rate of change",
    xscale="log2",
    title="The gradient of softmax vanishes when scores are large",
)
ratio = divided[-1] / plain[-1]
print(f"d_k = {sizes[-1]}: with the root the weights move {ratio:.0f} times as much")

# %% [markdown] slide="So divide by the root"
# *Picture: the mean rate of change against d_k. Without the root the curve falls towards zero as d_k
# grows. With the root it stays level.*
#
# When one weight is nearly 1 and the others are nearly 0, softmax is called **saturated**: its gradient
# has vanished.
#
# <details><summary>Optional: why the gradient vanishes</summary>
#
# The rate of change of weight $i$ with score $j$ is
#
# $$\frac{\partial w_i}{\partial s_j} = w_i\,(\delta_{ij} - w_j)$$
#
# where $\delta_{ij}$ is 1 for $i = j$ and 0 otherwise. When one weight is nearly 1 and the others are
# nearly 0, every such product is nearly 0.
#
# </details>
#
# So we divide. The scores of word 3 are
#
# $$s_j = \frac{q^{\langle 3\rangle} \cdot k^{\langle j\rangle}}{\sqrt{d_k}} \qquad j = 1, \dots, 5$$
#
# Mind what stands under the root: how many numbers a *query* (or key) holds, that is, the number of its
# entries. Not its norm, not the number of words, and not `d_model`.

# %% [markdown]
# ## 5. One word looks at all: $A^{\langle 3\rangle}$
#
# You have every part now. The word's query meets all keys, softmax turns the scores into weights, and the
# weights mix the values:

# %% slide="One word looks at all"
plots.flow(
    {
        "q": (0, 0, "query $q^{\\langle 3\\rangle}$\n(d_k,)"),
        "k": (0, 1, "all keys\n(n, d_k)"),
        "s": (1.25, 0.5, "scores\n(n,)"),
        "w": (2.6, 0.5, "weights\n(n,)"),
        "v": (2.6, 1.6, "all values\n(n, d_v)"),
        "a": (4.0, 1.05, "$A^{\\langle 3\\rangle}$\n(d_v,)"),
    },
    [("q", "s"), ("k", "s"), ("s", "w", "softmax"), ("w", "a"), ("v", "a")],
    title="Attention of the third word",
)

# %% [markdown]
# *Picture: boxes and arrows. The query q<3> and all keys lead to n scores; softmax leads from the scores
# to n weights; weights and all values lead to the output A<3> with d_v numbers.*
#
# In a formula, for the third word:
#
# $$A^{\langle 3\rangle} = \sum_{j=1}^{5} w_j\, v^{\langle j\rangle} \qquad\text{with}\qquad w = \mathrm{softmax}\left(\frac{q^{\langle 3\rangle}\cdot k^{\langle 1\rangle}}{\sqrt{d_k}}, \dots, \frac{q^{\langle 3\rangle}\cdot k^{\langle 5\rangle}}{\sqrt{d_k}}\right)$$
#
# ### Exercise: `attend_one_word`
#
# One query comes in, and it looks at `n` words. Return two things: the output and the weights, in this
# order.
#
# <details><summary>Hint 1: five dot products at once</summary>
#
# You want the dot product of `query` with every *row* of `keys`. A matrix times a vector does exactly
# that. Which of the two has to stand on the left so that the shapes `(n, d_k)` and `(d_k,)` fit?
#
# </details>
# <details><summary>Hint 2: the order of the steps</summary>
#
# Dot products, divide by the root of how many numbers the query holds, your `softmax`, then mix. The
# division comes *before* softmax: after it, the weights would no longer add up to 1. How many numbers the
# query holds is `query.shape[-1]`.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Mixing multiplies each row of `values` by its weight and adds the rows up. That is a product too, of a
# vector `(n,)` with a matrix `(n, d_v)`, and the result has shape `(d_v,)`. Mix the *values*: the keys
# have done their work when the scores are there.
#
# </details>

# %% solution="attend_one_word"
def attend_one_word(query, keys, values):
    """Let one word look at n words; for the third word of a sentence this gives A<3>.

    Args:
        query: `(d_k,)`, the question of the word that looks.
        keys: `(n, d_k)`, one label for each word looked at.
        values: `(n, d_v)`, what each of these words hands over.

    Returns:
        `(output, weights)` of shapes `(d_v,)` and `(n,)`: softmax of the dot products divided by
        sqrt(d_k), and the sum of the values with these weights.

    Example:
        >>> query = np.array([0.0, 0.0])  # asks nothing, so every word fits equally well
        >>> keys = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> values = np.array([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
        >>> attend_one_word(query, keys, values)
        (array([1., 2., 0.]), array([0.5, 0.5]))

    Source: Vaswani et al. (2017), section 3.2.1, for one query.
    """
    ### BEGIN SOLUTION
    weights = softmax(keys @ query / query.shape[-1] ** 0.5)
    return weights @ values, weights
    ### END SOLUTION


# %% tests="attend_one_word"
check(attend_one_word)

# %% [markdown]
# **See.** *Before you run the cell:* which word does *l'Afrique* look at most?

# %% slide="Where l'Afrique looks"
a_3, weights_3 = attend_one_word(q[2], k, v)
plots.looks(words, 2, weights_3, title="Where l'Afrique looks")
plots.weighted_sum(
    weights_3, v, a_3, words, hands_over, title="How $A^{\\langle 3\\rangle}$ comes about"
)

# %% [markdown]
# *First picture: arrows from l'Afrique to every word, as thick as the weights, which stand below the
# words. The thickest arrow leads to visite, a thinner one to Jane. Second picture: a column of weights,
# the grid of values, and the grid of their products; below it their sum, the output. Nearly all of the
# output's motion comes from the row of visite.*
#
# The vector $x^{\langle 3\rangle}$ said "a place". $A^{\langle 3\rangle}$ says: something one moves
# *towards*. The word has been read in the sense of the sentence. But that *l'Afrique* is itself a place
# has almost gone from its new vector: it gives itself very little weight. A later lesson (05) adds the
# word's own vector back.
#
# Is it really the sentence that did it? Put another verb there. *quitte* (leaves) has the same vector as
# *visite*, but its motion points away:

# %% slide="One word, two sentences"
x_leaves = x.copy()
x_leaves[1] = [0.0, 1.0, 0.1, 0.0, 0.0, -0.9]  # quitte
q_leaves, k_leaves, v_leaves = project_qkv(x_leaves, w_q, w_k, w_v)
a_3_leaves, _ = attend_one_word(q_leaves[2], k_leaves, v_leaves)

print("x<3> in both sentences the same:", np.array_equal(x[2], x_leaves[2]))
plots.bars(
    {"Jane visite l'Afrique …": a_3, "Jane quitte l'Afrique …": a_3_leaves},
    hands_over,
    title="$A^{\\langle 3\\rangle}$: the same word, read in two sentences",
)

# %% [markdown]
# *Picture: two bars for each of the three numbers of A<3>. Person and setting are nearly equal in the two
# sentences. Motion is far above zero with visite, and as far below zero with quitte.*

# %% [markdown]
# ## 6. All words at once
#
# $A^{\langle 1\rangle}, A^{\langle 2\rangle}, \dots, A^{\langle 5\rangle}$ are computed in the same way.
# You could call `attend_one_word` five times:

# %%
by_loop = np.array([attend_one_word(query, k, v)[0] for query in q])
print("five outputs, one row a word:", by_loop.shape)

# %% [markdown] slide="All words at once"
# But no word has to wait for another. All dot products together are *one* matrix product. Stack the
# queries as rows of $Q$ and the keys as rows of $K$. Then the number in row $i$ and column $j$ of
# $QK^{\top}$ is the dot product of query $i$ with key $j$:
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\left(\frac{Q K^{\top}}{\sqrt{d_k}}\right) V$$
#
# This is equation (1) of the paper that introduced the Transformer. Follow the shapes:

# %% slide="Follow the shapes"
plots.flow(
    {
        "q": (0, 0, "Q\n(n_q, d_k)"),
        "k": (0, 1, "K\n(n_k, d_k)"),
        "s": (1.35, 0.5, "scores\n(n_q, n_k)"),
        "w": (2.8, 0.5, "weights\n(n_q, n_k)"),
        "v": (2.8, 1.6, "V\n(n_k, d_v)"),
        "a": (4.2, 1.05, "output\n(n_q, d_v)"),
    },
    [("q", "s"), ("k", "s"), ("s", "w", "softmax"), ("w", "a"), ("v", "a")],
    title="Attention of all words at once",
)

# %% [markdown]
# *Picture: the same boxes and arrows as before, now with matrices. Q with n_q rows and K with n_k rows
# lead to scores with n_q rows and n_k columns; softmax leads to weights of that shape; weights and V lead
# to the output with n_q rows and d_v columns.*
#
# **How many look, how many are looked at.** The words that look ($n_q$ queries) need not be the words that
# are looked at ($n_k$ keys). In this lesson they are the same five. In lesson 06 English words will look at
# French ones, and the two sentences differ in length. Your function should not care.
#
# ### Exercise: `scaled_dot_product_attention`
#
# <details><summary>Hint 1: the transpose</summary>
#
# To multiply `(n_q, d_k)` by `(n_k, d_k)` you have to turn the second one round. With axes in front,
# `k.T` turns *all* axes round, which is too much. Only the last two may change places.
#
# </details>
# <details><summary>Hint 2: which way does softmax run?</summary>
#
# Each *query* shares out its attention among the keys. So for each query the weights over all keys add up
# to 1. In `(..., n_q, n_k)`, which axis is that?
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `np.swapaxes(array, -1, -2)` exchanges the last two axes. The scores are `q` times the keys turned
# round, divided by the root of how many numbers a query holds, `q.shape[-1]`. Then your `softmax`, with
# its default axis. Then one more matrix product, with `v`. Output first, weights second.
#
# </details>

# %% solution="scaled_dot_product_attention"
def scaled_dot_product_attention(q, k, v):
    """Let every query look at every key.

    Args:
        q: `(..., n_q, d_k)`, queries.
        k: `(..., n_k, d_k)`, keys.
        v: `(..., n_k, d_v)`, values, one for each key.

    Returns:
        `(output, weights)` of shapes `(..., n_q, d_v)` and `(..., n_q, n_k)`. Each row of the
        weights adds up to 1.

    Example:
        >>> q = np.array([[0.0, 0.0]])  # one query ...
        >>> k = np.array([[1.0, 0.0], [0.0, 1.0]])  # ... looks at two words
        >>> v = np.array([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
        >>> scaled_dot_product_attention(q, k, v)
        (array([[1., 2., 0.]]), array([[0.5, 0.5]]))

    Source: Vaswani et al. (2017), section 3.2.1, equation (1).
    """
    ### BEGIN SOLUTION
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
    weights = softmax(scores)
    return weights @ v, weights
    ### END SOLUTION


# %% tests="scaled_dot_product_attention"
check(scaled_dot_product_attention)

# %% [markdown]
# **See.** The attention of the whole sentence. *Before you run the cell:* which two words will *visite*
# look at? And *en*?

# %% slide="Who looks at whom"
output, weights = scaled_dot_product_attention(q, k, v)
print("each row adds up to:", weights.sum(axis=-1))
print("same as word by word:", np.allclose(output, by_loop))
plots.attention(weights, words, title="Who looks at whom")

# %% [markdown]
# *Picture: a grid of five by five weights. Rows are the words that look, columns the words that are looked
# at. In the row of visite, Jane and l'Afrique are darkest. In the rows of Jane, l'Afrique and septembre it
# is visite, in the row of en it is septembre.*
#
# Read it **row by row**: a row is one word sharing out its attention. Each word gives out 1 in all, but
# words receive different amounts: columns need not add up to 1. Compare the column sums of *visite* and
# *en*:

# %%
for word, received in zip(words, weights.sum(axis=0)):
    print(f"{word:<10} receives {received:.2f}")

# %% [markdown]
# Now two words look at five. Nothing in your function has to change:

# %%
two_outputs, two_weights = scaled_dot_product_attention(q[[1, 2]], k, v)
print("n_q = 2, n_k = 5: weights", two_weights.shape, "output", two_outputs.shape)
plots.attention(two_weights, ["visite", "l'Afrique"], words)

# %% [markdown]
# *Picture: two rows of the grid above, those of visite and l'Afrique, unchanged.*

# %% [markdown]
# ## 7. The whole: self-attention
#
# When the words of a sentence look at the words of the *same* sentence, it is called **self-attention**:
# queries, keys and values all come from one `x`. Vectors go in, one for each word. Vectors come out, one
# for each word, and each has seen the whole sentence.
#
# ### Exercise: `self_attention`
#
# <details><summary>Hint 1</summary>
#
# You have written everything already. This function needs no NumPy of its own.
#
# </details>
# <details><summary>Hint 2: nearly there</summary>
#
# First make queries, keys and values from `x`. Then hand the three to your attention function, and return
# what it returns.
#
# </details>

# %% solution="self_attention"
def self_attention(x, w_q, w_k, w_v):
    """Let every word of a sentence look at every word of it.

    Args:
        x: `(..., n, d_model)`, one vector for each word.
        w_q: `(d_model, d_k)`.
        w_k: `(d_model, d_k)`.
        w_v: `(d_model, d_v)`.

    Returns:
        `(output, weights)` of shapes `(..., n, d_v)` and `(..., n, n)`.

    Example:
        >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> self_attention(x, np.zeros((2, 3)), np.zeros((2, 3)), np.array([[2.0], [4.0]]))
        (array([[3.],
               [3.]]), array([[0.5, 0.5],
               [0.5, 0.5]]))

    Source: Vaswani et al. (2017), sections 3.2.1 and 3.2.3.
    """
    ### BEGIN SOLUTION
    return scaled_dot_product_attention(*project_qkv(x, w_q, w_k, w_v))
    ### END SOLUTION


# %% tests="self_attention"
check(self_attention)

# %% [markdown]
# **See.** Two sentences in one call. The only difference between them is the verb, yet all five rows of
# the output differ, since every word gives the verb some weight. The verb's own row differs least: it
# hardly looks at itself.

# %%
both = np.array([x, x_leaves])
outputs, both_weights = self_attention(both, w_q, w_k, w_v)
print("input", both.shape, "-> output", outputs.shape, "weights", both_weights.shape)

both_words = ["Jane", "visite / quitte", "l'Afrique", "en", "septembre"]
for word, change in zip(both_words, np.abs(outputs[0] - outputs[1]).max(axis=-1)):
    print(f"{word:<15} differs by up to {change:.2f}")
plots.vectors(
    {"Jane visite …": outputs[0], "Jane quitte …": outputs[1]},
    both_words,
    hands_over,
    digits=2,
)

# %% [markdown]
# *Picture: the outputs for the two sentences side by side, five words as rows. The columns person and
# setting agree. The column motion is above zero on the left, and below zero and hatched on the right: far
# from zero for Jane, l'Afrique and septembre, close to it for en, and closest for the verb itself.*
#
# **Play.** The matrices are yours to change. Here a verb asks *when* more strongly than before. Change
# other numbers, guess what the picture will do, and run the cell again.

# %% slide="Change the questions"
my_w_q = w_q.copy()
my_w_q[features.index("action"), asks.index("when")] = 6.0
_, my_weights = self_attention(x, my_w_q, w_k, w_v)
plots.explore(
    [both_weights[0], my_weights],
    words,
    title="Where each word looks",
    heads=["questions as given", "your own questions"],
)

# %% [markdown]
# *Picture: the words in two columns, a line from each word on the left to each on the right, as thick as the
# weight is large. Point at a word, and only its lines are left, with the weights beside them. With the
# questions as given visite looks most at Jane and l'Afrique; with your own it looks most at septembre. Where
# nothing can be pointed at, as on a page that was saved, the same weights stand in grids.*
#
# ### What self-attention cannot see
#
# One last experiment. Shuffle the words of the sentence. *Before you run the cell:* what will happen to
# the weights and to the outputs?

# %% slide="Shuffle the sentence"
order = np.array([4, 2, 0, 3, 1])
shuffled_words = [words[place] for place in order]
output, weights = self_attention(x, w_q, w_k, w_v)
shuffled_output, shuffled_weights = self_attention(x[order], w_q, w_k, w_v)

print("sentence:", " ".join(words))
print("shuffled:", " ".join(shuffled_words))
print("same weights, shuffled:", np.allclose(shuffled_weights, weights[order][:, order]))
print("same outputs, shuffled:", np.allclose(shuffled_output, output[order]))
plots.vectors({"in order": output}, words, hands_over)
plots.vectors({"shuffled": shuffled_output}, shuffled_words, hands_over)

# %% [markdown]
# *Pictures: the outputs of the sentence, and below them the outputs of the shuffled sentence. Each word has
# exactly the same row of numbers in both; only the order of the rows differs.*
#
# Shuffling the words only shuffles the outputs. Each word gets the very same vector, wherever it stands.
# For attention, a sentence is a bag of words: "Jane visite Paul" and "Paul visite Jane" look alike to it.
#
# In a formula, with a permutation matrix $P$ that shuffles rows:
#
# $$\mathrm{SelfAttention}(P x) = P\ \mathrm{SelfAttention}(x)$$
#
# That cannot stay so, since the order of words carries meaning. **Lesson 03** gives each position a vector
# of its own and adds it to the word's.

# %% [markdown] slide="What to take home"
# ## Summary
#
# - Each word gets a **query** (what it asks), a **key** (what it offers) and a **value** (what it hands
#   over), by three matrices that all words share.
# - Query · key for every pair of words gives **scores**. Divided by $\sqrt{d_k}$ they keep their size,
#   however many numbers a query holds. Otherwise softmax saturates, and its gradient vanishes.
# - **Softmax** along the keys turns each row of scores into weights that add up to 1.
# - The **output** of a word is the sum of all values with its weights: $A^{\langle 3\rangle}$ for the
#   third word, all rows at once in $\mathrm{softmax}(QK^{\top}/\sqrt{d_k})\,V$.
# - Self-attention does not see the order of the words.
#
# What you built is called one **attention head**. It asks several questions at once (*visite* asks who,
# where and when). In **lesson 02** each question gets a head of its own.

# %% [markdown]
# ## Check yourself
#
# Answer in your head, then open.
#
# <details><summary>1. Three English words look at five French ones. Which shape do the weights have, and
# along which axis do they add up to 1?</summary>
#
# `(3, 5)`, that is `(n_q, n_k)`. They add up to 1 along the last axis: each of the three looking words
# shares out its attention among the five.
#
# </details>
# <details><summary>2. Why not use <code>x</code> itself for query, key and value?</summary>
#
# Then the score of two words would be $x^{\langle i\rangle} \cdot x^{\langle j\rangle}$. That is the same in
# both directions, so *en* would be as interesting for *septembre* as *septembre* for *en*. It would also be
# large for *similar* words, so each word would usually look most at itself. But what a verb needs is its
# subject, which is not similar to it. With separate matrices a word can ask for something other than what
# it is.
#
# </details>
# <details><summary>3. You make <code>d_k</code> four times as large and leave out the division. What happens
# to the typical size of a score, and to the training?</summary>
#
# The variance becomes four times as large, the typical size twice as large (its root). Softmax becomes more
# decided, its gradient smaller, and training slower.
#
# </details>
# <details><summary>4. A classmate divides by the root of <code>d_k</code> after softmax. What do the rows of
# the weights add up to? And which problem is left unsolved?</summary>
#
# To $1/\sqrt{d_k}$ instead of 1. And softmax has already seen the large scores, so it is saturated all the
# same.
#
# </details>
# <details><summary>5. A query of zeros looks at n words. What is its output?</summary>
#
# All scores are 0, so all weights are $1/n$, and the output is the plain mean of the values.
#
# </details>

# %% [markdown]
# ## Further reading
#
# - A. Vaswani and others, *Attention Is All You Need*, NeurIPS 2017. Section 3.2.1 and equation (1) are
#   this lesson. The footnote on dot products in that section gives the argument for $\sqrt{d_k}$; section
#   3.5 starts from the order that attention cannot see.
# - D. Bahdanau, K. Cho, Y. Bengio, *Neural Machine Translation by Jointly Learning to Align and
#   Translate*, ICLR 2015, section 3.1: the weighted sum, before queries and keys had their names.
# - I. Goodfellow, Y. Bengio, A. Courville, *Deep Learning*, MIT Press 2016, section 4.1: overflow,
#   underflow and softmax; section 6.2.2.3: how softmax saturates.
# - C. Bishop, *Pattern Recognition and Machine Learning*, Springer 2006, equation (4.106): the
#   derivative of softmax.
