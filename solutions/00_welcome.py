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
# # 00 · Welcome: from words to vectors
#
# **What you will be able to do:** answer an exercise of this course, check it, and turn a sentence
# into a table of vectors.
#
# | | |
# |---|---|
# | **Goal** | learn how the course works by answering one real exercise |
# | **You know already** | Python functions; a little NumPy (an array has a `.shape`) |
# | **You need** | about 20 minutes, no internet |
#
# In this course you write a Transformer yourself, piece by piece. In the end your own code
# translates French into English. One sentence goes with you all the way:
#
# > **Jane visite l'Afrique en septembre** → Jane visits Africa in September
#
# This first lesson is short. You turn that sentence into numbers, and you learn the one routine that
# every later lesson uses: *read, write, check, see*.

# %% [markdown]
# ## 1. Run a cell
#
# This page is a **notebook**. It is made of **cells**. A cell holds either text, like this one, or
# Python code, like the next one.
#
# Click on the next cell and press **Shift + Enter**. That runs the cell and moves on. A number such
# as `[1]` appears beside it: the cell has run. A star `[*]` means that it is still running.
#
# Every lesson starts with this same cell. It fetches three things: `check` looks at your answers,
# `plots` draws, and `carry` (from lesson 02 on) brings your earlier answers along.

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
# Cells share one memory. What one cell defines, the cells below can use. So run them **from top to
# bottom**. If you get lost, choose *Run › Restart Kernel and Run All Cells…* from the menu: it starts
# afresh and stops at the first exercise that is not answered yet.

# %% [markdown]
# ## 2. The idea: a word is a row of a table
#
# A network computes with numbers, not with words. So each word of the vocabulary first gets a number,
# its **token id**. (A *token* is a piece of text that the network treats as one unit. Here a token is
# a word.)

# %%
vocabulary = ["en", "Jane", "l'Afrique", "quitte", "septembre", "visite", "<pad>"]
words = ["Jane", "visite", "l'Afrique", "en", "septembre"]

token_ids = np.array([vocabulary.index(word) for word in words])

for word, token_id in zip(words, token_ids):
    print(f"{word:<10} has token id {token_id}")

# %% [markdown]
# The ids say nothing about meaning. *visite* is not more than *Jane* because its id is larger. So each
# id gets a **vector**: several numbers that describe the word. All vectors together form a table, with
# one row for each word of the vocabulary.
#
# Below is such a table. **We made it up by hand**, so that you can read it: each column has a meaning.
# In a real network nobody chooses these numbers. They are learned from text (lesson 07), and the
# columns have no names.

# %% slide="The table: one row a word"
features = ["person", "action", "place", "time", "link", "motion"]
table = np.array(
    [  # person action place time link motion
        [0.0, 0.0, 0.1, 0.2, 1.0, 0.0],  # en: a small word that links
        [1.0, 0.0, 0.1, 0.0, 0.0, 0.0],  # Jane
        [0.1, 0.0, 1.0, 0.0, 0.0, 0.0],  # l'Afrique
        [0.0, 1.0, 0.1, 0.0, 0.0, -0.9],  # quitte (leaves): motion away
        [0.0, 0.0, 0.0, 1.0, 0.1, 0.0],  # septembre
        [0.0, 1.0, 0.1, 0.0, 0.0, 0.9],  # visite (visits): motion towards
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # <pad>: fills up short sentences
    ]
)
print(f"the table has shape {table.shape}: {len(table)} words, {table.shape[1]} numbers for each")
plots.vectors(table, vocabulary, features, title="The table: one row a word")

# %% [markdown] slide="An id picks a row"
# *Picture: a grid with one row for each word of the vocabulary and one column for each feature. Darker
# cells are farther from zero; the only negative number, the motion of quitte, is hatched. The row of Jane
# is darkest at "person", the row of l'Afrique at "place".*
#
# Now the sentence. *Jane* has id 1, as you saw, so its vector is row 1 of the table. *visite* has id 5, so
# its vector is row 5, and so on. (Rows are counted from 0, as always in Python.) **To embed a sentence is
# to pick rows of the table.** That is all.
#
# In a formula, with $T$ for the table, $t^{\langle i\rangle}$ for the id of the $i$-th word and
# $x^{\langle i\rangle}$ for its vector:
#
# $$x^{\langle i\rangle} = T[t^{\langle i\rangle}]$$

# %% [markdown]
# ## 3. Your first exercise: `embed`
#
# Two letters appear everywhere in this course: `n` is the number of positions (words) in a sentence,
# and `d_model` is how many numbers describe one word. Three dots `...` stand for any further axes in
# front, for example one for several sentences at a time. They are called *batch axes*. There may be none.
#
# **How to answer.** The next cell holds a function without its inside: a signature, a description, and
# the lines `# YOUR CODE HERE` and `raise NotImplementedError`. **Replace these two lines by your own
# code** and run the cell with Shift + Enter. Then run the cell below it, which checks your answer. (You
# may also run both before you answer: then the card says "not answered yet".)
#
# Stuck? Open a hint. They become more direct as you go down. Using them costs nothing.
#
# <details><summary>Hint 1: what to look at</summary>
#
# You know how to get one row of an array: `table[1]`. Try it in a cell of your own (press `Esc`,
# then `B`, for a new cell below).
#
# </details>
# <details><summary>Hint 2: a NumPy rule</summary>
#
# NumPy lets you put a whole array of row numbers between the square brackets, not only one number.
# Try `table[np.array([1, 5])]` and look at its shape.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# No loop is needed. Index the table with all token ids at once, and return the result. It works
# unchanged for ids of any shape: NumPy puts one row in the place of each id.
#
# </details>

# %% solution="embed"
def embed(token_ids, table):
    """Look up the vector of every token.

    Args:
        token_ids: `(..., n)`, integers from 0 to vocab - 1.
        table: `(vocab, d_model)`, one row for each word of the vocabulary.

    Returns:
        `(..., n, d_model)`: at the place of each id, that row of the table.

    Example:
        >>> table = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
        >>> embed(np.array([2, 1, 2]), table)
        array([[3., 4.],
               [1., 2.],
               [3., 4.]])

    Source: Vaswani et al. (2017), section 3.4, without the factor, which comes in lesson 03.
    """
    ### BEGIN SOLUTION
    return table[token_ids]
    ### END SOLUTION


# %% tests="embed"
check(embed)

# %% [markdown]
# **Reading the card.** The cell above shows a card.
#
# - **Green, with ✓ in front:** all checks pass. Go on.
# - **Red or amber, with ✗ in front:** not yet, or only in part. That is normal, and you can try as often
#   as you like. The card lists each aspect that was checked (such as values, batch axes) with ✓ or ✗.
#   Some aspects count only once the first one passes. *Checked* says what your function was given.
#   *Found* describes the first thing that fails, with the first wrong number; there may be more. Below
#   stand two small tables, *expected* and *got*, with the wrong cells framed. If your mistake is a
#   well-known one, the card names it and says what to look at.
#
# Such a card also prints an error under the cell and stops *Run All*. Nothing is broken: change your
# code, run its cell again, then run the check again. Three more things happen to everybody:
#
# - **The cell of your function shows an error itself,** such as `SyntaxError`. Then Python still has the
#   old version of the function, or none. Mend that error first.
# - **The check says `name … is not defined`.** Run the cell above it first.
# - **The star `[*]` does not go away.** Press the ■ button (interrupt) above the notebook: it stops the
#   cell. Perhaps a loop never ends.

# %% [markdown]
# ## 4. See what your function made
#
# After every exercise there is something to see, made with your own code. Here are the five words of
# the sentence as vectors.

# %% slide="A sentence as vectors"
x = embed(token_ids, table)
print("token_ids has shape", token_ids.shape, "and x has shape", x.shape, "= (n, d_model)")
plots.vectors(x, words, features, title="The sentence, as your embed gives it")

# %% [markdown]
# *Picture: the same kind of grid with five rows, in the order of the sentence: Jane, visite,
# l'Afrique, en, septembre. Each row is a copy of that word's row in the table.*
#
# Look at *visite*. It is an action, and it has motion towards something. Now embed two sentences at
# once. The second one says that Jane *leaves* Africa.

# %%
both = np.array([token_ids, token_ids])
both[1, 1] = vocabulary.index("quitte")
x_both = embed(both, table)
print("two sentences:", both.shape, "->", x_both.shape, "= (sentences, n, d_model)")
plots.vectors(
    {"Jane visite …": x_both[0], "Jane quitte …": x_both[1]},
    ["Jane", "visite / quitte", "l'Afrique", "en", "septembre"],
    features,
)

# %% [markdown]
# *Picture: two grids side by side. They differ in the second row only, in the column "motion": above zero
# for visite, below zero and hatched for quitte.*
#
# The row of *l'Afrique* is the same in both pictures. But in one sentence Africa is where Jane goes,
# and in the other it is what she leaves. A look-up cannot know that: it sees one word at a time. This
# is the problem that **attention** solves, in lesson 01.

# %% [markdown] slide="How things are written here"
# ## 5. Conventions you will meet everywhere
#
# **Letters for shapes.** Every description gives shapes with these letters.
#
# | letter | stands for |
# |---|---|
# | `n`; `n_q`, `n_k` | positions (words); those that look (queries), those that are looked at (keys) |
# | `d_model` | numbers that describe a word |
# | `d_k`, `d_v` | numbers in a query or key; numbers in a value (lesson 01) |
# | `n_heads`, `d_head` | attention heads, numbers in each (lesson 02) |
# | `d_ff` | inner width of the feed-forward network (lesson 05) |
# | `...` | batch axes: any number of further axes in front (sentences, heads), also none |
#
# **Counting.** Formulas count words from 1, Python counts from 0. The third word is $x^{\langle
# 3\rangle}$ in a formula and `x[2]` in code.

# %%
third = 3
print(f"x<{third}> is x[{third - 1}], the vector of {words[third - 1]}: {x[third - 1]}")

# %% [markdown]
# **Masks.** A mask (lesson 04) is an array of `True` and `False`. In this course **`True` always means
# "may be looked at"**.
#
# **Inputs stay as they are.** A function never changes the arrays it is given. It makes new ones.
#
# **Which tools.** Lessons 00 to 04 use NumPy only. PyTorch comes in lesson 05. Where an exercise asks
# you to build something by hand, a library call that does the whole job is not accepted, and the card
# says so.

# %% [markdown]
# ## 6. How the course works
#
# **The routine.** Each lesson takes one to two hours. Each idea comes in words, then as a picture, then
# as a formula, then as code that you write. You may do the exercises in several sittings.
#
# **If you skip a lesson,** you can still do the next one. `carry` brings along those of your earlier
# answers that pass their check. For every other one it takes a stand-in of the course, and tells you so.
#
# **Where your work is saved.** This notebook is *your own copy*. **Ctrl + S** (on a Mac ⌘ + S) saves
# it, and JupyterLab also saves by itself every couple of minutes. Getting a newer version of the course
# never overwrites your answers. Keep the small `.checks.json` file in the folder of the notebook: the
# check reads it.
#
# **Offline.** Once the course is set up, you need no internet. The checks run on your own machine, and
# nothing is sent anywhere.
#
# **Validate.** When a lesson is done, press **Validate** above the notebook (where your JupyterLab has
# that button). It runs the whole notebook afresh from top to bottom, as grading does, and tells you
# which cells fail. This catches the usual surprise: code that only worked because of a cell that you
# have deleted since. Without the button, *Run › Restart Kernel and Run All Cells…* does the same.
#
# **How you are graded,** if you take the course in a class:
#
# - Your functions are run on *other numbers and other sizes* than those of the check. An answer that
#   only fits the examples does not get all points. A right answer gets them, however you wrote it.
# - Each exercise is graded by aspects. Part of it right is part of the points.
# - A mistake costs once. If a later function fails only because it calls an earlier one that is wrong,
#   it is checked again with a correct one in its place.
# - The check cells are put back as they were, so editing them changes nothing.
# - Hints, tries and how long you take cost nothing; only a cell that runs past the time limit does.

# %% [markdown] slide="What to take home"
# ## Summary
#
# - A sentence becomes numbers in two steps: words to token ids, ids to vectors.
# - `embed` picks rows of a table: `(..., n)` ids become `(..., n, d_model)` numbers.
# - A looked-up vector does not depend on the other words of the sentence.
# - The routine: read, replace `raise NotImplementedError`, run, check, see.

# %% [markdown]
# ## Check yourself
#
# Answer in your head, then open.
#
# <details><summary>1. Token ids have shape (3, 8) and the table has shape (1000, 64). What shape does
# <code>embed</code> return?</summary>
#
# `(3, 8, 64)`. Each of the 3 × 8 ids is replaced by a row of 64 numbers. The 1000 does not appear: it
# only says which ids are allowed.
#
# </details>
# <details><summary>2. A word occurs twice in a sentence. How do its two vectors differ?</summary>
#
# Not at all. The look-up sees the id alone: not the place, not the neighbours. Lesson 01 brings in the
# neighbours, lesson 03 the place.
#
# </details>
# <details><summary>3. Your check is red, you change your code, run only the check again, and it is
# still red in the same way. Why?</summary>
#
# The cell with your function has not run since you changed it, so Python still knows the old one. Run
# the function's cell first, then the check.
#
# </details>

# %% [markdown]
# ## Further reading
#
# - Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, *A Neural Probabilistic Language Model*, JMLR 3
#   (2003), section 2: words as learned rows of a table.
# - A. Vaswani and others, *Attention Is All You Need*, NeurIPS 2017, section 3.4: the table in the
#   Transformer.
# - NumPy user guide, *Indexing on ndarrays*, section *Integer array indexing*: the rule behind `embed`.
#
# **Next:** lesson 01, where the words begin to look at each other.
