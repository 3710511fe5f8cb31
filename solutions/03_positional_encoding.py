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
# # 03 · Positional encoding: telling words where they stand
#
# **What you will be able to do:** give each position of a sentence a vector of its own, and say why it is
# made of sines and cosines of different wavelengths.
#
# | | |
# |---|---|
# | **Goal** | make attention see the order of the words |
# | **You know already** | NumPy arrays; attention (lesson 01); that $\sin$ and $\cos$ of an angle are the two coordinates of a point on a circle |
# | **You need** | 60 to 120 minutes |
#
# | section | you write |
# |---|---|
# | 1 · The problem | |
# | 2 · A row of clocks | `position_angles` |
# | 3 · From angles to the encoding | `positional_encoding` |
# | 4 · Word plus position | `embed_with_positions` |
# | 5 · From one position to another | `shift_matrix` |
# | 6 · Turn instead of add | `rotate_by_position` |
#
# Run the next two cells first.

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
# This lesson looks at your attention from lesson 01. `carry` brings it along: your own function if it
# passes its check there, otherwise one that the course lends you. So you can do this lesson in any case.

# %%
scaled_dot_product_attention = carry("scaled_dot_product_attention")

# %% [markdown]
# ## 1. The problem: who visits whom?
#
# Lesson 01 ended with a surprise: shuffling the words of a sentence only shuffles the outputs of attention.
# Let us see what that means for our sentence, with the made-up word vectors of lesson 00.

# %% slide="Two sentences, one bag of words"
np.set_printoptions(precision=3, suppress=True)

words = ["Jane", "visite", "l'Afrique", "en", "septembre"]
vocabulary = ["en", "Jane", "l'Afrique", "quitte", "septembre", "visite", "<pad>"]
features = ["person", "action", "place", "time", "link", "motion"]
table = np.array(
    [  # person action place time link motion
        [0.0, 0.0, 0.1, 0.2, 1.0, 0.0],  # en
        [1.0, 0.0, 0.1, 0.0, 0.0, 0.0],  # Jane
        [0.1, 0.0, 1.0, 0.0, 0.0, 0.0],  # l'Afrique
        [0.0, 1.0, 0.1, 0.0, 0.0, -0.9],  # quitte
        [0.0, 0.0, 0.0, 1.0, 0.1, 0.0],  # septembre
        [0.0, 1.0, 0.1, 0.0, 0.0, 0.9],  # visite
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # <pad>
    ]
)
token_ids = np.array([vocabulary.index(word) for word in words])
swapped_ids = token_ids[[2, 1, 0, 3, 4]]  # Jane and l'Afrique change places
swapped_words = [vocabulary[token_id] for token_id in swapped_ids]
print("sentence:", " ".join(words))
print("swapped: ", " ".join(swapped_words))

x, swapped_x = table[token_ids], table[swapped_ids]
output, _ = scaled_dot_product_attention(x, x, x)
swapped_output, _ = scaled_dot_product_attention(swapped_x, swapped_x, swapped_x)
plots.vectors(
    {"Jane visite l'Afrique …": output[1:2], "l'Afrique visite Jane …": swapped_output[1:2]},
    ["visite"],
    features,
    title="What attention makes of the verb",
    digits=2,
)

# %% [markdown]
# *Picture: the new vector of visite in the two sentences, side by side, six numbers each. All numbers are the
# same.*
#
# (To keep it short, the vectors serve as queries, keys and values at once. With learned matrices the result
# is the same, since all words share them.)
#
# In one sentence Jane visits Africa, in the other Africa visits Jane. But the verb gets the very same vector,
# so nothing that comes after can tell who visits whom. **Attention sees a bag of words.** The order has to
# be put into the vectors themselves. The Transformer does it like this:
#
# > Give each *position* a vector $p$, and add it to the vector of the word that stands there.
#
# The first word gets $x^{\langle 1\rangle} + p^{\langle 1\rangle}$, the third word gets
# $x^{\langle 3\rangle} + p^{\langle 3\rangle}$, and so on. The same word in another place now is another
# vector. These position vectors are called the **positional encoding**. What should they look like?

# %% [markdown]
# ## 2. A row of clocks
#
# **First idea: number the positions.** Put 0, 1, 2, 3, … into the vectors. But the numbers grow without
# limit: in a long text they drown the words, and a sentence longer than all those seen in training brings
# numbers the network has never met.
#
# **Second idea: divide by the number of the last position.** Now the numbers run from 0 to 1 in every
# sentence. But what does one step mean?

# %%
for length in (5, 11):
    print(f"in a sentence of {length:2d} words the next word is {1 / (length - 1):.2f} farther on")

# %% [markdown]
# The same step has another size in each sentence, so "the word before me" can never be learned.
#
# **Third idea: count with several digits, as a counter does.** In binary:

# %% slide="A clock of bits"
counter = np.array([[position >> digit & 1 for digit in range(3)] for position in range(8)])
plots.vectors(
    counter,
    [f"position {position}" for position in range(8)],
    ["ones", "twos", "fours"],
    title="Counting from 0 to 7 in binary",
    digits=0,
)

# %% [markdown] slide="An angle for each position"
# *Picture: eight rows, the positions 0 to 7, and three columns of zeros and ones. The column of ones changes
# at every step, the column of twos at every second step, the column of fours only once.*
#
# That is nearly it. The numbers stay small, every row is different, and the length of the sentence does not
# matter. The secret: **each column has its own pace**. The first changes all the time and tells neighbours
# apart. The last changes rarely and tells the beginning from the end.
#
# Only one flaw is left: digits jump. From position 3 to position 4 all three flip at once, though the two are
# neighbours. We want the same thing, but smooth. You know such a thing: a **clock**. The second hand is fast,
# the minute hand slow, the hour hand slower still. Each moves on evenly, and the hands together tell the time.
#
# So let every position have a row of small clocks, each with one hand. At angle 0 a hand points straight up, and
# it turns clockwise from there. Clock $i$ shows the **angle**
#
# $$\mathrm{angle}(pos, i) = \frac{pos}{base^{\,2i/d_{model}}} \qquad i = 0, 1, \dots, \frac{d_{model}}{2} - 1$$
#
# - $pos$ is the **position**, counted from 0. So the first word, with $p^{\langle 1\rangle}$, stands at
#   $pos = 0$, and the third at $pos = 2$.
# - $i$ is the **index within** the encoding: which clock. Each clock will take up two columns of the encoding,
#   so for `d_model` columns there are `d_model / 2` clocks, and `d_model` must be even.
# - $base$ says how slow the slowest clocks are. The paper takes 10000.
#
# Angles are in radians: a full turn is $2\pi$. At $i = 0$ we divide by $base^0 = 1$, so the first hand moves
# on by one radian with each word. Each following hand is slower than the one before, always by the same
# factor.
#
# ### Exercise: `position_angles`
#
# Return a table of angles: one row for each position 0, 1, …, `n_positions - 1`, one column for each clock.
# When `d_model` is odd, raise a `ValueError`. (That holds for all functions of this lesson. Those that call this
# one do it by themselves.)
#
# <details><summary>Hint 1: by hand, for one number</summary>
#
# For `d_model = 4` there are two clocks, $i = 0$ and $i = 1$. What stands in the row of $pos = 3$? Compute
# $3 / 10000^{0/4}$ and $3 / 10000^{2/4}$, and compare with the example in the description. Mind that the
# exponent counts $0, 2, 4, \dots$ over $d_{model}$, while the clocks count $0, 1, 2, \dots$
#
# </details>
# <details><summary>Hint 2: all at once</summary>
#
# `np.arange(n)` gives 0, 1, …, n-1. You need one for the positions and one for the clocks. If the positions
# stand in a column, of shape `(n_positions, 1)`, and the clocks in a row, of shape `(d_model // 2,)`, then
# NumPy combines each with each. Indexing with `[:, None]` turns a row into a column.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Three steps. If `d_model % 2` is 1, raise `ValueError("…")` with a sentence of yours. Compute the divisors,
# `base` to the power of twice the clock's number over `d_model` (a true division `/`, since `//` would make
# every exponent 0). Divide the column of positions by the row of divisors.
#
# </details>

# %% solution="position_angles"
def position_angles(n_positions, d_model, base=10000.0):
    """The angles that the clocks of each position show.

    Args:
        n_positions: how many positions, counted from 0.
        d_model: numbers in an encoding, twice the number of clocks.
        base: how slow the slowest clocks are.

    Returns:
        `(n_positions, d_model // 2)`: `pos / base**(2i / d_model)` in row `pos`, column `i`.

    Raises:
        ValueError: d_model is odd.

    Example:
        >>> position_angles(4, 4)
        array([[0.  , 0.  ],
               [1.  , 0.01],
               [2.  , 0.02],
               [3.  , 0.03]])

    Source: Vaswani et al. (2017), section 3.5, what stands inside sin and cos.
    """
    ### BEGIN SOLUTION
    if d_model % 2 != 0:
        raise ValueError(f"expected an even d_model, received {d_model}")
    clocks = np.arange(d_model // 2)
    return np.arange(n_positions)[:, None] / base ** (2 * clocks / d_model)
    ### END SOLUTION


# %% tests="position_angles"
check(position_angles)

# %% [markdown]
# **See.** The clocks of our five words. Here `base` is 100 instead of 10000, so that the slow hands can be
# seen moving within five words.

# %% slide="Four clocks for each word"
angles = position_angles(5, 8, base=100.0)
plots.clocks(angles, words, title="Four clocks for each word (base 100)")

# %% [markdown]
# *Picture: a grid of clocks, one row for each word, one column for each clock. For Jane, at position 0, all
# hands point straight up. From row to row the hand of clock 0 moves on by about a sixth of a turn. Clock 1
# moves about a third as fast, clock 2 a tenth as fast. The hand of clock 3 hardly moves.*
#
# Read a row: that is how a position tells its time. Read a column: one clock, going at its own pace.
#
# How many words does a hand need for a full turn? That is its **wavelength**. The angle grows by
# $1/base^{2i/d_{model}}$ with each word, so the wavelength is $2\pi \cdot base^{2i/d_{model}}$. With the
# paper's base:

# %%
step = position_angles(2, 512)[1]  # the angles at position 1: how far each hand moves with a word
for clock in (0, 64, 128, 192, 255):
    print(f"clock {clock:3d} of 256: a full turn takes {2 * np.pi / step[clock]:8.1f} words")

# %% [markdown]
# The fast hands turn once in a few words. The slowest would need a whole book.

# %% [markdown] slide="Sine and cosine of each angle"
# ## 3. From angles to the encoding
#
# An angle itself is no good as a number in the vector: it grows without limit, just as the position did. What
# we want is where the **hand points**. The tip of a hand of length 1 has two coordinates, and both stay
# between -1 and 1. On a clock, with the angle measured clockwise from the top:
#
# - the tip lies $\sin(\mathrm{angle})$ to the right,
# - the tip lies $\cos(\mathrm{angle})$ upwards.
#
# Why both? One alone is ambiguous: a hand is equally high on its way up and on its way down. The two together
# tell exactly where it points.
#
# So each clock $i$ gives two neighbouring columns of the encoding, the sine in the even column $2i$ and the
# cosine in the odd column $2i + 1$:
#
# $$PE_{(pos,\,2i)} = \sin\left(\frac{pos}{base^{2i/d_{model}}}\right) \qquad PE_{(pos,\,2i+1)} = \cos\left(\frac{pos}{base^{2i/d_{model}}}\right)$$
#
# Mind that $i$ counts clocks, not columns: the two columns of one clock have the *same* angle.
#
# ### Exercise: `positional_encoding`
#
# <details><summary>Hint 1: start from the angles</summary>
#
# Your `position_angles` gives one angle for each position and clock (and refuses an odd `d_model`). Take the
# sine of the whole table, and the cosine of the whole table. What remains is to put the columns in order:
# sine, cosine, sine, cosine, …
#
# </details>
# <details><summary>Hint 2: every second column</summary>
#
# A slice can take steps. With `a = np.zeros((2, 6))`, try `a[:, 0::2] = 1` and look at `a`. What does
# `a[:, 1::2]` select?
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Make an empty table of shape `(n_positions, d_model)`, for example with `np.zeros`. Fill its even columns
# (from 0 in steps of 2) with the sines and its odd columns (from 1 in steps of 2) with the cosines. Pass
# `base` on to `position_angles`.
#
# </details>

# %% solution="positional_encoding"
def positional_encoding(n_positions, d_model, base=10000.0):
    """One vector for each position: sines and cosines of its clocks' angles.

    Args:
        n_positions: how many positions, counted from 0.
        d_model: numbers in an encoding.
        base: how slow the slowest clocks are.

    Returns:
        `(n_positions, d_model)`: in row `pos` the sine of clock i's angle stands in column `2i`, its
        cosine in column `2i + 1`.

    Raises:
        ValueError: d_model is odd.

    Example:
        >>> positional_encoding(2, 4).round(2)
        array([[0.  , 1.  , 0.  , 1.  ],
               [0.84, 0.54, 0.01, 1.  ]])

    Source: Vaswani et al. (2017), section 3.5.
    """
    ### BEGIN SOLUTION
    angles = position_angles(n_positions, d_model, base)
    encoding = np.empty((n_positions, d_model))
    encoding[:, 0::2] = np.sin(angles)
    encoding[:, 1::2] = np.cos(angles)
    return encoding
    ### END SOLUTION


# %% tests="positional_encoding"
check(positional_encoding)

# %% [markdown]
# **See.** The encoding of our five positions. *Before you run the cell:* which columns will hardly change
# from word to word?

# %% slide="The encoding of our sentence"
columns = ["sin 0", "cos 0", "sin 1", "cos 1", "sin 2", "cos 2"]
p = positional_encoding(5, 6)
labels = [f"p<{place}>  {word}" for place, word in enumerate(words, start=1)]
plots.vectors(p, labels, columns, title="The positional encoding of the sentence", digits=2)

# %% [markdown]
# *Picture: five rows, p<1> to p<5>, and six columns, the sine and cosine of the clocks 0, 1 and 2. The first
# two columns change a lot from row to row and turn negative. In the third column the numbers grow slowly. The
# last three hardly change: the cosines stay near 1, the last sine near 0.*
#
# Now compare two positions. $p^{\langle 1\rangle}$ belongs to *Jane* and $p^{\langle 3\rangle}$ to
# *l'Afrique*. Names count from 1, positions and rows from 0: $p^{\langle 1\rangle} = p_0$, in code `p[0]`, and
# $p^{\langle 3\rangle} = p_2$, in code `p[2]`.

# %%
plots.bars(
    {"p<1>, where Jane stands": p[0], "p<3>, where l'Afrique stands": p[2]},
    columns,
    title="Two positions, two vectors",
)

# %% [markdown]
# *Picture: two bars for each of the six numbers. At p<1> all sines are 0 and all cosines 1. At p<3> the first
# sine is large, the first cosine is negative, the second sine is a little above zero; the other three bars are
# as in p<1>.*
#
# They come out different, and that is the point: **the same word would now be told apart in the two places.**
# Most of the difference lies in the first two columns, in the fast hand. The slow hands have hardly moved
# after two words. They are there for larger distances.
#
# Here is a longer text with a wider encoding:

# %% slide="A hundred positions"
wide = positional_encoding(100, 64)
plots.vectors(wide, title="100 positions (down), 64 columns (across)")

# %% [markdown]
# *Picture: a large grid, light yellow for -1, grey for 0, dark blue for 1. On the left the columns flicker from row
# to row. Towards the middle the stripes become longer and longer. On the right the columns alternate between an even
# grey, the sines near 0, and dark blue, the cosines near 1.*
#
# The binary counter again, but smooth: fast columns on the left, slow ones on the right.
#
# ### Why different wavelengths?
#
# Try it with one clock. How far is each position from position 0, as the distance between the two vectors? We
# ask it for the fastest clock alone, for the slowest alone, and for all of them.

# %% slide="Fast and slow columns"
def distance_from_start(encoding):
    """The distance of each row from the first one."""
    return np.linalg.norm(encoding - encoding[0], axis=-1)


places = np.arange(100)
fast, slow = distance_from_start(wide[:, :2]), distance_from_start(wide[:, -2:])
everything = distance_from_start(wide)
plots.lines(
    places,
    {"fastest clock alone": fast, "slowest clock alone": slow, "all 32 clocks": everything},
    xlabel="position",
    ylabel="distance from position 0",
    title="One clock is not enough",
)
closest = 1 + np.argmin(fast[1:])
print(f"fastest clock: position {closest} is nearly position 0 again, distance {fast[closest]:.3f}")
print(f"slowest clock: position 1 is nearly position 0, distance {slow[1]:.4f}")
nearest = 1 + np.argmin(everything[1:])
print(f"all clocks: the closest is position {nearest}, distance {everything[nearest]:.2f}")

# %% [markdown]
# *Picture: distance from position 0 against position. The curve of the fastest clock goes up and down all the
# time and comes back to zero again and again. The curve of the slowest clock lies on zero. The curve of all
# clocks rises quickly and then stays high.*
#
# The fast clock tells neighbours apart, but after each turn it starts again, and far positions get mixed up.
# The slow clock never gets mixed up, but neighbours look the same to it. **Together they do both**, as on a
# clock in your kitchen: the second hand alone does not know the hour.
#
# ### Close positions look alike
#
# One more property. Measure how similar two positions are by their dot product, the same measure that
# attention uses.

# %% slide="Close positions look alike"
similarity = wide @ wide.T
plots.lines(
    places - 50,
    {"position 50 · position 50 + offset": similarity[50]},
    xlabel="offset",
    ylabel="dot product",
    title="On the whole, similarity falls with the distance",
)
print("each position with itself:", similarity[0, 0].round(3), similarity[50, 50].round(3))
print("10 words on, from 0 and from 50:", similarity[0, 10].round(3), similarity[50, 60].round(3))

# %% [markdown]
# *Picture: dot product against offset, from -50 to 49. The highest point is at offset 0. To both sides the
# curve falls steeply at first, then slowly, in waves. It is the same to the left and to the right.*
#
# On the whole, two positions are the more similar the closer they are. (The waves are the fastest hands, which
# come round again. The slower ones carry the fall.)
#
# And the print-out shows more: **only the distance counts**, not where in the text it is measured. The reason is a
# rule for angles, $\sin a \sin b + \cos a \cos b = \cos(a - b)$. Applied to every clock, with
# $\omega_i = 1/base^{2i/d_{model}}$ for its pace:
#
# $$p_{pos} \cdot p_{pos + k} = \sum_{i} \cos(k\, \omega_i)$$
#
# No $pos$ is left on the right. At $k = 0$ every cosine is 1, which is the largest it can be.

# %% [markdown] slide="Word plus position"
# ## 4. Word plus position
#
# Now put the two together. Each word's row of the table, plus the encoding of its position. One detail comes
# with it. The paper multiplies the word vectors by $\sqrt{d_{model}}$ first (its section 3.4):
#
# $$x_{pos} = \sqrt{d_{model}}\ T[t_{pos}] + p_{pos}$$
#
# $T$ is the table, and $t_{pos}$ the token id of the word that stands at $pos$, so $T[t_{pos}]$ is that word's row.
#
# Why the factor? The paper gives no reason. The usual one is size. A table is often filled, before training, with
# random numbers of typical size $1/\sqrt{d_{model}}$. The numbers in the encoding are much larger than that:

# %%
def typical_size(array):
    """The root of the mean square."""
    return np.sqrt(np.mean(array**2))


rng = np.random.default_rng(0)
for width in (64, 256, 1024):
    random_table = rng.normal(size=(1000, width)) / np.sqrt(width)
    print(
        f"d_model = {width:4d}   word {typical_size(random_table):.3f}"
        f"   word · sqrt(d_model) {typical_size(random_table * np.sqrt(width)):.3f}"
        f"   encoding {typical_size(positional_encoding(100, width)):.3f}"
    )

# %% [markdown]
# Without the factor the position would drown the word, the more so the wider the model. With it the two have
# about the same size. (The factor belongs to the word alone. The encoding is added as it is.)
#
# ### Exercise: `embed_with_positions`
#
# It works for one sentence `(n,)` and for any batch of sentences `(..., n)`. **Positions start from 0 in each
# sentence**: the first word of the second sentence stands at position 0, too.
#
# <details><summary>Hint 1: three parts</summary>
#
# Look up the words, as in lesson 00. Multiply by the root of `d_model`. Add the encoding of the positions,
# which your function from above makes.
#
# </details>
# <details><summary>Hint 2: which sizes?</summary>
#
# How many positions are there? As many as words in *one* sentence: the last axis of `token_ids`. And
# `d_model` is how many numbers a row of the table holds. Both come from a `.shape`.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# With `token_ids` of shape `(..., n)`, the looked-up words have shape `(..., n, d_model)` and the encoding
# `(n, d_model)`. When NumPy adds them, it repeats the encoding for every sentence by itself. Do not use
# `table *= …`: it would change the array of whoever called you.
#
# </details>

# %% solution="embed_with_positions"
def embed_with_positions(token_ids, table):
    """Look up the words and add where they stand.

    Args:
        token_ids: `(..., n)`, integers from 0 to vocab - 1.
        table: `(vocab, d_model)`, one row for each word of the vocabulary.

    Returns:
        `(..., n, d_model)`: each word's row times sqrt(d_model), plus the positional encoding (base
        10000) of its position, counted from 0 in each sentence.

    Raises:
        ValueError: d_model is odd.

    Example:
        >>> table = np.array([[0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0]])
        >>> embed_with_positions(np.array([1, 0]), table).round(2)
        array([[2.  , 5.  , 6.  , 9.  ],
               [0.84, 0.54, 0.01, 1.  ]])

    Source: Vaswani et al. (2017), sections 3.4 and 3.5.
    """
    ### BEGIN SOLUTION
    n, d_model = token_ids.shape[-1], table.shape[-1]
    return table[token_ids] * np.sqrt(d_model) + positional_encoding(n, d_model)
    ### END SOLUTION


# %% tests="embed_with_positions"
check(embed_with_positions)

# %% [markdown]
# **See.** What goes into the vectors of our sentence:

# %%
both = embed_with_positions(np.array([token_ids, swapped_ids]), table)
print("two sentences in one call:", both.shape)
plots.vectors(
    {"word · sqrt(6)": both[0] - p, "+ position": p, "= what attention gets": both[0]},
    words,
    title="Jane visite l'Afrique en septembre",
)

# %% [markdown]
# *Picture: three grids of five rows and six columns side by side. On the left the words, mostly zeros with one or two
# large numbers a row. In the middle the encoding of the five positions, as above. On the right their sum.*
#
# Now both sentences, ours and the one where Africa visits Jane. *Before you run the cell:* which rows will
# be the same?

# %%
plots.vectors(
    {"Jane visite l'Afrique …": both[0], "l'Afrique visite Jane …": both[1]},
    ["1st word", "2nd, visite", "3rd word", "4th, en", "5th, septembre"],
    title="What attention gets of the two sentences",
)

# %% [markdown]
# *Picture: the vectors of the two sentences side by side. The rows of visite, en and septembre are the same in both.
# The other two rows differ. And Jane has one row of numbers at the first place of the left sentence, and another one
# at the third place of the right sentence.*
#
# *visite* stands at the same place in both, so its vector is the same. *Jane* does not: at the first place she gets
# $p^{\langle 1\rangle}$ added, at the third place $p^{\langle 3\rangle}$. And now the question from the beginning: does
# attention notice? (The queries are shrunk to a fifth here. Otherwise each word would look at hardly anything but
# itself, and there would be little to see.)

# %%
new_output, _ = scaled_dot_product_attention(both / 5, both, both)
verb, swapped_verb = new_output[:, 1:2]
plots.vectors(
    {"Jane visite l'Afrique …": verb, "l'Afrique visite Jane …": swapped_verb},
    ["visite"],
    title="What attention makes of the verb, with positions",
    digits=2,
)
for word, place in (("visite", 1), ("en", 3), ("septembre", 4)):
    before = np.abs(output[place] - swapped_output[place]).max()
    after = np.abs(new_output[0, place] - new_output[1, place]).max()
    print(f"{word:<10} its output changes by {before:.2f} without positions, by {after:.2f} with them")

# %% [markdown]
# *Picture: the new vector of visite in the two sentences, six numbers each. The first and the third number differ the
# most.*
#
# It does. All three words that stayed where they were have noticed that two others changed places. **Attention itself
# is as it was**: only what goes into it is different.

# %% [markdown] slide="A step is a rotation"
# ## 5. From one position to another
#
# Why sines and cosines, of all things that are smooth? The paper gives a reason (section 3.5). A word often
# needs to find another by how far away it is: "the word before me", "two words on". Suppose you know $p_{pos}$,
# but not $pos$ itself. Can you compute $p_{pos+k}$?
#
# Think of the clocks. You look at a clock without knowing how often its hand has gone round. What does it show
# $k$ words later? **Turn the hand on by $k$ steps.** It does not matter where it stands now: the turn is always
# the same. And a turn is a matrix product. For one clock with pace $\omega$ it follows from the rules for the
# sine and cosine of a sum:
#
# $$\begin{aligned} \sin(pos\,\omega + k\omega) &= \phantom{-}\cos(k\omega)\,\sin(pos\,\omega) + \sin(k\omega)\,\cos(pos\,\omega) \\ \cos(pos\,\omega + k\omega) &= -\sin(k\omega)\,\sin(pos\,\omega) + \cos(k\omega)\,\cos(pos\,\omega) \end{aligned}$$
#
# On the right, $\sin(pos\,\omega)$ and $\cos(pos\,\omega)$ are two numbers of $p_{pos}$. They are multiplied
# by numbers that contain $k$, but not $pos$. As a matrix:
#
# $$\begin{pmatrix} \sin((pos+k)\,\omega) \\ \cos((pos+k)\,\omega) \end{pmatrix} = \begin{pmatrix} \cos(k\omega) & \sin(k\omega) \\ -\sin(k\omega) & \cos(k\omega) \end{pmatrix} \begin{pmatrix} \sin(pos\,\omega) \\ \cos(pos\,\omega) \end{pmatrix}$$
#
# Every clock has such a block of two by two numbers, with its own $\omega_i$. Put the blocks on the diagonal of
# a large matrix and zeros everywhere else, so that no clock disturbs another. That is the **shift matrix** $M_k$:
#
# $$M_k\, p_{pos} = p_{pos + k} \qquad\text{for every } pos$$
#
# For $k = 0$ no hand turns. Then the matrix has ones on the diagonal and zeros elsewhere, and leaves every vector as
# it is. That is the **identity matrix**; NumPy makes it with `np.eye`.
#
# ### Exercise: `shift_matrix`
#
# Build $M_k$ for any whole number `offset`, negative ones and 0 too. It is checked by just this property: your
# matrix is multiplied with encodings of many positions.
#
# <details><summary>Hint 1: how far does each hand turn?</summary>
#
# Hand $i$ turns by $k\,\omega_i$. You have a function that knows the paces: at position 1, each hand has turned
# by exactly one step. So `position_angles(2, d_model, base)[1]` holds all $\omega_i$ (and an odd `d_model` is
# refused on the way). Why not ask for position `offset` itself? Because `offset` may be negative.
#
# </details>
# <details><summary>Hint 2: where do the blocks stand?</summary>
#
# Block $i$ takes rows and columns $2i$ and $2i+1$, the places of the sine and the cosine of clock $i$ in the
# encoding. Take `d_model = 4` and draw the matrix on paper, with `c0, s0, c1, s1` for the cosines and sines.
# The row says which number comes out, the column which number goes in.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Start from `np.zeros((d_model, d_model))`. Go through the turns with `for i, turn in enumerate(...)`, and fill
# the rows and columns `2 * i` to `2 * i + 1` with the block of the formula above. Mind where the minus sign
# stands: with it on the other sine, the hand turns back instead of on.
#
# </details>

# %% solution="shift_matrix"
def shift_matrix(offset, d_model, base=10000.0):
    """The matrix that leads from the encoding of any position to the encoding `offset` words on.

    Args:
        offset: how many words on, any int; negative for back.
        d_model: numbers in an encoding.
        base: the base of the encoding.

    Returns:
        `(d_model, d_model)`: a matrix M such that `M @ p[pos]` is `p[pos + offset]` for every
        position, where `p` is the positional encoding.

    Raises:
        ValueError: d_model is odd.

    Example:
        >>> p = positional_encoding(9, 4)
        >>> shift_matrix(3, 4).shape
        (4, 4)
        >>> np.allclose(shift_matrix(3, 4) @ p[2], p[5])
        True

    Source: Vaswani et al. (2017), section 3.5: PE(pos + k) is a linear function of PE(pos).
    """
    ### BEGIN SOLUTION
    turns = offset * position_angles(2, d_model, base)[1]
    sines, cosines = np.arange(0, d_model, 2), np.arange(1, d_model, 2)
    blocks = np.zeros((d_model, d_model))
    blocks[sines, sines] = blocks[cosines, cosines] = np.cos(turns)
    blocks[sines, cosines] = np.sin(turns)
    blocks[cosines, sines] = -np.sin(turns)
    return blocks
    ### END SOLUTION


# %% tests="shift_matrix"
check(shift_matrix)

# %% [markdown]
# **See.** The matrix that leads two words on, from *Jane* to *l'Afrique*, from *visite* to *en*, and from
# anywhere to anywhere.

# %%
two_on = shift_matrix(2, 6)
plots.vectors(two_on, columns, columns, title="Two words on: one block for each clock", digits=2)

print("p<3> from p<1>:", np.allclose(two_on @ p[0], p[2]))
print("p<4> from p<2>:", np.allclose(two_on @ p[1], p[3]))
longer = positional_encoding(100, 6)
reached = [two_on @ longer[position] for position in range(98)]
print("the same matrix at 98 positions:", np.allclose(reached, longer[2:]))
print("two on, then two back:", np.allclose(shift_matrix(-2, 6) @ two_on, np.eye(6)))
five_on = shift_matrix(3, 6) @ two_on
print("two on, then three on, is five on:", np.allclose(five_on, shift_matrix(5, 6)))

# %% [markdown]
# *Picture: a grid of six by six numbers. Three blocks of two by two stand along the diagonal, everything else
# is 0. The first block is far from the identity and has negative numbers. The second is close to the identity,
# the third is nearly the identity.*
#
# What is it good for? A matrix is just what attention has: $W^Q$ and $W^K$. Let a word's query be "the encoding
# of the position one back", by the matrix $M_{-1}$, and let its key be its own encoding. The dot product is
# largest where both are the same, that is, at the word before. (In code the positions are rows, so $M$ stands on the
# right, transposed: row `pos` of `p @ M.T` is `M @ p[pos]`.)

# %% slide="A head that looks one word back"
p_wide = positional_encoding(5, 64)
queries = p_wide @ shift_matrix(-1, 64).T
_, weights = scaled_dot_product_attention(12 * queries, p_wide, p_wide)
plots.attention(weights, words, title="A head that looks at the word before")

# %% [markdown]
# *Picture: five by five weights. Each word looks at the word before it: visite at Jane, l'Afrique at visite, en
# at l'Afrique, septembre at en. Jane, with no word before her, looks at herself.*
#
# (The factor 12 makes the head decided, as large scores do in lesson 01.) So a head can *learn* to look one
# word back, and it is the same at the beginning and at the end of a text. Trained Transformers do have
# such heads (Voita and others, under *Further reading*).

# %% [markdown] slide="Turn instead of add"
# ## 6. Turn instead of add
#
# Section 5 suggests another way. If positions are turns of hands, why add them to the word at all? We could
# **turn the word itself**: take the numbers of a query or key in pairs, see each pair as a hand, and turn it
# according to the position. This is the **rotary embedding**, "RoPE". Many large language models use it, the
# LLaMA models among them.
#
# A pair $(a, b)$, in the columns $2i$ and $2i+1$, of a word at position $m$ becomes
#
# $$\begin{pmatrix} a' \\ b' \end{pmatrix} = \begin{pmatrix} \cos t & -\sin t \\ \sin t & \phantom{-}\cos t \end{pmatrix} \begin{pmatrix} a \\ b \end{pmatrix} \qquad t = m \cdot base^{-2i/d_{head}}$$
#
# Three things to note:
#
# - **Only queries and keys** are turned. Values keep what they say: positions should decide *where* to look,
#   not *what* is found there.
# - It is done in every head, so there are $d_{head}$ numbers a word instead of $d_{model}$.
# - The positions are **given**, and may be any numbers. When a text is written word by word, only the newest
#   word comes in, and one must say at which position. And to read longer texts than in training, one can
#   squeeze the positions: 0, 0.5, 1, 1.5, …
#
# The minus sign stands elsewhere than in section 5. On the clocks there, the two numbers were (sine, cosine), and
# the hand went clockwise. Here $(a, b)$ means $a$ to the right and $b$ up, and the hand goes anticlockwise, as is
# usual in mathematics.
#
# ### Exercise: `rotate_by_position`
#
# <details><summary>Hint 1: the angles</summary>
#
# You need one angle for each position and pair: shape `(n, d_head // 2)`. The paces of the pairs are those of
# the clocks, at position 1, as in the last exercise. Multiply a column of positions by a row of paces.
#
# </details>
# <details><summary>Hint 2: the pairs</summary>
#
# `x[..., 0::2]` holds the first number of every pair, `x[..., 1::2]` the second. Both have shape
# `(..., n, d_head // 2)`. That fits the angles: the axes in front are repeated by NumPy.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Make an array with `np.zeros(x.shape)`, and fill the even and odd places of its last axis with the two
# formulas. Both formulas need the *old* `a` and `b`: if you overwrite `a` in `x` first, the second formula gets
# the new one, and the input is changed as well.
#
# </details>

# %% solution="rotate_by_position"
def rotate_by_position(x, positions, base=10000.0):
    """Rotary embedding: turn each pair of numbers by an angle that grows with the position.

    Args:
        x: `(..., n, d_head)`, queries or keys.
        positions: `(n,)`, the position of each of the n words; any numbers.
        base: how slow the slowest pairs turn.

    Returns:
        `(..., n, d_head)`: the pair (a, b) in columns `2i` and `2i + 1` becomes
        `(a cos t - b sin t, a sin t + b cos t)` with `t = position * base**(-2i / d_head)`.

    Raises:
        ValueError: d_head is odd.

    Example:
        >>> x = np.array([[1.0, 0.0], [1.0, 0.0]])
        >>> rotate_by_position(x, np.array([0.0, np.pi / 2])).round(2)
        array([[1., 0.],
               [0., 1.]])

    Source: Su et al. (2021), section 3.2.2, equations (14) and (15).
    """
    ### BEGIN SOLUTION
    angles = positions[:, None] * position_angles(2, x.shape[-1], base)[1]
    a, b = x[..., 0::2], x[..., 1::2]
    turned = np.empty(x.shape)
    turned[..., 0::2] = a * np.cos(angles) - b * np.sin(angles)
    turned[..., 1::2] = a * np.sin(angles) + b * np.cos(angles)
    return turned
    ### END SOLUTION


# %% tests="rotate_by_position"
check(rotate_by_position)

# %% [markdown]
# **See.** Put one and the same query at five positions. Its eight numbers are four pairs, so four hands. (Again
# with `base` 100, to see the slow ones move.) *Before you run the cell:* what will happen to the norms of the
# vectors, that is, to how long they are as arrows?

# %% slide="Rotary: words turned by their place"
rng = np.random.default_rng(3)
query, key = rng.normal(size=(2, 8))
positions = np.arange(5)
turned_queries = rotate_by_position(np.tile(query, (5, 1)), positions, base=100.0)
turned_keys = rotate_by_position(np.tile(key, (5, 1)), positions, base=100.0)

pointing = np.arctan2(turned_queries[:, 0::2], turned_queries[:, 1::2])  # clockwise from the top
plots.clocks(
    pointing,
    [f"at position {position}" for position in positions],
    [f"pair {pair}" for pair in range(4)],
    title="The same query at five positions",
)
p_8 = positional_encoding(5, 8, base=100.0)
print("norm of the query:            ", np.linalg.norm(query).round(3))
print("turned, at five positions:    ", np.linalg.norm(turned_queries, axis=-1))
print("with the encoding added:      ", np.linalg.norm(query + p_8, axis=-1))

# %% [markdown]
# *Picture: a grid of clocks, one row for each position, one column for each pair. In each column the hand starts
# in some direction and turns anticlockwise from row to row, fastest in pair 0, hardly at all in pair 3.*
#
# A hand that turns stays as long as it is. So **rotation keeps norms**: no word becomes larger or smaller by where
# it stands. With addition it does.
#
# Now the best part. Take the score of a query at position $m$ with a key at position $m'$. Both hands have been
# turned, one by $m$ steps, the other by $m'$ steps. What counts for the dot product is only the angle *between*
# them, and that has changed by $m' - m$ steps. So **the score depends on the offset alone**. See it with the same
# query and the same key at all pairs of positions, once with the encoding added, once with rotation:

# %%
added_scores = (query + p_8) @ (key + p_8).T
turned_scores = turned_queries @ turned_keys.T
plots.vectors(
    {"encoding added": added_scores, "rotated": turned_scores},
    [f"query at {position}" for position in positions],
    [f"key {position}" for position in positions],
    title="Scores of one query and one key at all positions",
    digits=2,
)

# %% [markdown]
# *Picture: two grids of five by five scores. On the left all numbers differ. On the right all numbers along each
# diagonal from the upper left to the lower right are equal.*
#
# On the right, go down a diagonal: query at 0 and key at 1, query at 1 and key at 2, and so on. Always one word on,
# always the same score. Where the two words stand does not matter, not even far off, nor between whole numbers:

# %%
for start in (10, 1000, 0.5, -3.75):
    moved = (
        rotate_by_position(np.tile(query, (5, 1)), positions + start, base=100.0)
        @ rotate_by_position(np.tile(key, (5, 1)), positions + start, base=100.0).T
    )
    print(f"all positions moved by {start:>7}: same scores {np.allclose(moved, turned_scores)}")

# %% [markdown]
# And our sentence? Turn the queries and keys, leave the values as they are, and swap *Jane* and *l'Afrique* once
# more:

# %%
def attention_with_rotation(x):
    """Attention of a sentence whose queries and keys are turned by position."""
    turned = rotate_by_position(x, np.arange(len(x)))
    return scaled_dot_product_attention(turned, turned, x)


rotated_output, _ = attention_with_rotation(x)
rotated_swapped, _ = attention_with_rotation(swapped_x)
plots.vectors(
    {"Jane visite l'Afrique …": rotated_output[1:2], "l'Afrique visite Jane …": rotated_swapped[1:2]},
    ["visite"],
    features,
    title="What attention with rotation makes of the verb",
    digits=2,
)

# %% [markdown]
# *Picture: the new vector of visite in the two sentences, side by side. The number for person is larger when Jane
# comes after the verb; the others differ a little.*
#
# The two vectors differ: what the verb becomes depends on who stands before it and who after it.

# %% [markdown] slide="What to take home"
# ## Summary
#
# - Attention alone does not see the order of words. A vector for each **position** puts it in.
# - The **positional encoding** is a row of clocks: clock $i$ goes at the pace $1/base^{2i/d_{model}}$, and its sine
#   and cosine fill the columns $2i$ and $2i + 1$. $pos$ is the position, counted from 0; $i$ is the index within.
# - Fast clocks tell neighbours apart, slow ones tell far places apart. On the whole, close positions look alike, and
#   only the distance counts.
# - Words are multiplied by $\sqrt{d_{model}}$, then the encoding is **added**.
# - $p_{pos+k}$ comes from $p_{pos}$ by a matrix that depends on $k$ alone.
# - The **rotary embedding** turns queries and keys instead. Norms stay, and scores depend on the offset alone.
#
# **Lesson 04** deals with what words must *not* see: padding, and the words to come.

# %% [markdown]
# ## Check yourself
#
# Answer in your head, then open.
#
# <details><summary>1. In a classmate's batch, all words of the first sentence got the encoding of position 0, all words
# of the second sentence that of position 1. What went wrong, and what can attention see?</summary>
#
# The encoding was indexed by the batch axis instead of the axis of the words. All words of a sentence get the same
# vector, so inside a sentence nothing tells their places apart: attention sees a bag of words, as without positions.
#
# </details>
# <details><summary>2. Why are there a sine <i>and</i> a cosine for each clock?</summary>
#
# One of them alone has the same value for two places of the hand. And the shift by $k$ words needs both: the new sine
# is made of the old sine and the old cosine.
#
# </details>
# <details><summary>3. Somebody takes <code>base = 1</code>. What do the clocks do, and what is lost?</summary>
#
# $1$ to any power is 1, so all clocks go at the same pace, the fastest. They all show the same, and after one turn
# positions get mixed up.
#
# </details>
# <details><summary>4. Is position a matter of the vector's <i>norm</i>?</summary>
#
# No. In the encoding each clock adds $\sin^2 + \cos^2 = 1$ to the squared norm. So every position's vector has
# the norm $\sqrt{d_{model}/2}$. Only the direction differs. And rotation leaves the norm of a query or key as it is.
#
# </details>
# <details><summary>5. A Transformer was trained on sentences of up to 50 words, with the encoding of this lesson. Can
# it be given 80 words?</summary>
#
# The encoding can be computed for any position, and its numbers stay between -1 and 1. No row is missing, as it
# would be in a learned table of 50 rows. Whether the *network* does well at places it has never seen is another
# matter: often it does not.
#
# </details>

# %% [markdown]
# ## Further reading
#
# - A. Vaswani and others, *Attention Is All You Need*, NeurIPS 2017. Section 3.5 is this lesson, section 3.4 has the
#   factor $\sqrt{d_{model}}$. Table 3, row (E) compares with learned position vectors.
# - J. Gehring and others, *Convolutional Sequence to Sequence Learning*, ICML 2017, section 3.1: position vectors that
#   are learned like those of words.
# - J. Su and others, *RoFormer: Enhanced Transformer with Rotary Position Embedding*, 2021 (arXiv 2104.09864). Section
#   3.2.2, equations (14) to (16): the rotation, and why only the offset is left.
# - S. Chen and others, *Extending Context Window of Large Language Models via Positional Interpolation*, 2023
#   (arXiv 2306.15595): positions squeezed to fractions.
# - E. Voita and others, *Analyzing Multi-Head Self-Attention*, ACL 2019, section 5.1: heads that look at
#   a neighbouring word.
