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
# # 06 · The Transformer: reader, writer, and the bridge between them
#
# **What you will be able to do:** put the whole Transformer of the paper together, prove it equal to
# PyTorch's own, and find a slip in one that runs without any error.
#
# | | |
# |---|---|
# | **Goal** | an encoder that reads French, a decoder that writes English, and every mask in its place |
# | **You know already** | lesson 03: positions; lesson 04: the two masks; lesson 05: modules, the encoder layer |
# | **You need** | 90 to 120 minutes |
#
# | section | you write |
# |---|---|
# | 1 · The whole on one page | |
# | 2 · From ids to vectors | `Embeddings` |
# | 3 · A layer that looks at two sentences | `DecoderLayer` |
# | 4 · Stacks | `Encoder`, `Decoder` |
# | 5 · The whole | `Transformer` |
# | 6 · Who can see whom | |
# | 7 · Is it PyTorch's? | |
# | 8 · Every number counted | |
# | 9 · It speaks | |
# | 10 · Broken on purpose | |
#
# Run the next three cells first.

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
from torch import nn

torch.set_printoptions(precision=3, sci_mode=False)

# %% [markdown]
# This lesson builds on your pieces of lesson 05, and on `positional_encoding` of lesson 03, wrapped so that it
# gives a tensor. If a notebook of yours passes its check, you get your own piece. Otherwise you get one that
# the course provides.

# %%
attention, MultiHeadAttention, LayerNorm, FeedForward, EncoderLayer = carry(
    "attention", "MultiHeadAttention", "LayerNorm", "FeedForward", "EncoderLayer"
)
positional_encoding = carry("positional_encoding", tensors=True)

# %% [markdown]
# ## 1. The whole on one page
#
# The task: *Jane visite l'Afrique en septembre* goes in, *Jane visits Africa in September* comes out. Here are
# two pairs of sentences as ids. The second is shorter, so it is padded, as in lesson 04.

# %%
french = ["<pad>", "Jane", "l'Afrique", "en", "septembre", "visite"]
english = ["<pad>", "<bos>", "<eos>", "Africa", "Jane", "September", "in", "visits"]
pad_id = 0


def to_ids(sentences, vocabulary):
    """Lists of words to a tensor of ids `(batch, n)`, padded on the right."""
    n = max(len(words) for words in sentences)
    return torch.tensor([[vocabulary.index(w) for w in words + ["<pad>"] * (n - len(words))] for words in sentences])


src_words = ["Jane", "visite", "l'Afrique", "en", "septembre"]
tgt_words = ["<bos>", "Jane", "visits", "Africa", "in", "September"]  # what the decoder reads
labels = ["Jane", "visits", "Africa", "in", "September", "<eos>"]  # what it must predict
src_ids = to_ids([src_words, ["Jane", "visite", "l'Afrique"]], french)
tgt_ids = to_ids([tgt_words, ["<bos>", "Jane", "visits", "Africa"]], english)
print("src_ids", tuple(src_ids.shape), "= (batch, n_src)\n", src_ids)
print("tgt_ids", tuple(tgt_ids.shape), "= (batch, n_tgt)\n", tgt_ids)

# %% [markdown]
# `src` stands for *source*, the language we read. `tgt` stands for *target*, the language we write. Their lengths
# differ, and nothing may depend on that.
#
# Two parts share the work:
#
# - The **encoder** reads the whole French sentence, once. It is a stack of the layers of lesson 05. Its
#   output, one vector for each French word, is called the **memory**.
# - The **decoder** reads the English words that are written so far. From each of them, and from the memory,
#   it works out what comes next. It is a stack too, of layers with one part more.
#
# At the end stand two small steps. A **Linear** layer turns each vector of the decoder into one score for
# each English word. Scores in front of a softmax are called **logits**. **Softmax** makes probabilities of
# them: this is the output.

# %% slide="The whole Transformer"
src_shape, tgt_shape = "(batch, n_src, d_model)", "(batch, n_tgt, d_model)"
plots.flow(
    {
        "src_ids": (0, 0, "French ids"),
        "src_embeddings": (0, 1, "src_embeddings"),
        "encoder 1": (0, 2, "encoder\nlayer 1"),
        "encoder 2": (0, 3, "encoder\nlayer 2"),
        "memory": (1.7, 2.5, "memory"),
        "tgt_ids": (3.4, 0, "English ids"),
        "tgt_embeddings": (3.4, 1, "tgt_embeddings"),
        "decoder 1": (3.4, 2, "decoder\nlayer 1"),
        "decoder 2": (3.4, 3, "decoder\nlayer 2"),
        "generator": (3.4, 4, "generator\n(Linear)"),
        "logits": (3.4, 5.2, "logits"),
        "output": (1.7, 5.2, "probabilities"),
    },
    [
        ("src_ids", "src_embeddings", "(batch, n_src)"),
        ("src_embeddings", "encoder 1", src_shape),
        ("encoder 1", "encoder 2", src_shape),
        ("encoder 2", "memory", src_shape),
        ("tgt_ids", "tgt_embeddings", "(batch, n_tgt)"),
        ("tgt_embeddings", "decoder 1", tgt_shape),
        ("memory", "decoder 1", src_shape),
        ("memory", "decoder 2", src_shape),
        ("decoder 1", "decoder 2", tgt_shape),
        ("decoder 2", "generator", tgt_shape),
        ("generator", "logits", "(batch, n_tgt,\ntgt_vocab_size)"),
        ("logits", "output", "softmax"),
    ],
    title="The Transformer, here with two layers a stack",
)

# %% [markdown]
# *Picture: two columns of boxes. On the left French ids lead down through src_embeddings and two encoder layers,
# the second of which gives the memory, between the columns. On the right English ids lead down through
# tgt_embeddings, two decoder layers and the generator to logits, and from there softmax leads to probabilities. From
# the memory an arrow leads to each of the two decoder layers. A shape stands at every arrow; softmax changes none.*
#
# Note two things. The memory goes to **every** layer of the decoder, and it is the output of the **last**
# layer of the encoder. And the shape stays `(batch, n, d_model)` from the embeddings to the generator, so
# layers can be stacked as high as you like.

# %% [markdown]
# ## 2. From ids to vectors
#
# Both sides begin alike, with what you wrote in lesson 03 as `embed_with_positions`: look up the row of each
# word in a table, multiply by $\sqrt{d_{model}}$, add the positional encoding. Now it becomes a module. Two
# things are new.
#
# **The table is learned.** `nn.Embedding(vocab_size, d_model)` is a module with such a table for its
# parameter `weight`. You call it with ids.

# %%
torch.manual_seed(0)
table = nn.Embedding(len(french), 4)
print("ids", tuple(src_ids.shape), "-> vectors", tuple(table(src_ids).shape))
print("the same as taking rows of its weight:", torch.equal(table(src_ids), table.weight[src_ids]))

# %% [markdown]
# **The encoding is not learned.** It is made once, and stays. But it must go where the module goes: to
# another dtype (`module.double()`), or to a graphics card (`module.to("cuda")`). An ordinary tensor assigned
# to `self` would stay behind. A parameter would move along, but it would be learned. For such tensors there
# are **buffers**:

# %%
class Clock(nn.Module):
    def __init__(self):
        super().__init__()
        self.left_behind = torch.arange(3.0)
        self.learned = nn.Parameter(torch.arange(3.0))
        self.register_buffer("moves_along", torch.arange(3.0))  # from now on: self.moves_along


clock = Clock().double()
print("parameters:", [name for name, _ in clock.named_parameters()])
for name in ("left_behind", "learned", "moves_along"):
    print(f"{name:<12} {getattr(clock, name).dtype}")

# %% [markdown]
# How long can a sentence be? The encoding is made in advance, for `max_len` positions. A sentence of `n`
# words needs the first `n` of them.
#
# ### Exercise: `Embeddings`
#
# Its member `tokens` is the `nn.Embedding`. Dropout acts on the finished sum.
#
# <details><summary>Hint 1: the parts</summary>
#
# `__init__` makes three things: the table, a buffer with the encoding of `max_len` positions, and an
# `nn.Dropout`. `positional_encoding(n_positions, d_model)` gives a tensor here.
#
# </details>
# <details><summary>Hint 2: positions are columns</summary>
#
# The ids are `(batch, n)`, the vectors `(batch, n, d_model)`. The encoding is `(max_len, d_model)`: cut off
# its first `n` *rows*, where `n` is the *last* axis of the ids. What is left fits against all sentences by
# itself.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `forward` does four things in this order: look up, times the root of `d_model`, plus the rows of the buffer,
# dropout. Only the looked-up vectors are multiplied, not the encoding. The root of a number is `number **
# 0.5`.
#
# </details>

# %% solution="Embeddings"
class Embeddings(nn.Module):
    """Turn ids into vectors that know their word and their position.

    Args:
        vocab_size: the number of different tokens.
        d_model: how many numbers a word has, even.
        max_len: the length of the longest sentence.
        dropout: the probability that a number of the result is dropped in training.

    Members: `tokens`, an `nn.Embedding`; its weight is the only parameter.

    `forward(token_ids)`: token_ids is `(batch, n)`, integers below vocab_size, with n at most max_len.
        Returns `(batch, n, d_model)`: rows of the table times sqrt(d_model), plus the positional
        encoding of lesson 03, positions from 0 in each sentence; then dropout.

    Example:
        >>> Embeddings(vocab_size=6, d_model=4, max_len=10)(src_ids).shape
        torch.Size([2, 5, 4])

    Source: Vaswani et al. (2017), sections 3.4 and 3.5; dropout: section 5.4.
    """

    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__()
        ### BEGIN SOLUTION
        self.tokens = nn.Embedding(num_embeddings=vocab_size, embedding_dim=d_model)
        self.register_buffer("positions", positional_encoding(max_len, d_model))
        self.dropout = nn.Dropout(p=dropout)
        ### END SOLUTION

    def forward(self, token_ids):
        ### BEGIN SOLUTION
        n, d_model = token_ids.shape[-1], self.tokens.embedding_dim
        vectors = self.tokens(token_ids) * d_model**0.5 + self.positions[:n]  # (batch, n, d_model)
        return self.dropout(vectors)
        ### END SOLUTION


# %% tests="Embeddings"
check(Embeddings)

# %% [markdown]
# **See.** A sentence that says *Jane* five times. *Before you run the cell:* what do the five rows have in
# common, and what tells them apart?

# %% slide="From ids to vectors"
torch.manual_seed(0)
embeddings = Embeddings(len(french), d_model=8, max_len=50)
five_janes = to_ids([["Jane"] * 5], french)
plots.vectors(
    {
        "word (times √d_model)": embeddings.tokens(five_janes)[0] * 8**0.5,
        "word and position": embeddings(five_janes)[0],
    },
    [f"Jane, {place}" for place in range(5)],
    [f"{feature}" for feature in range(8)],
    title="The same word at five positions",
)

# %% [markdown]
# *Picture: two grids of five rows. On the left all rows are alike. On the right they differ, most in the
# first columns; the last columns hardly change from row to row.*
#
# The word is in all rows, the position makes them differ. The last columns belong to slow waves (lesson 03),
# which take longer sentences to show.
#
# And why $\sqrt{d_{model}}$? In the paper the same table also serves as the last linear layer. Such a table usually begins
# with small numbers, of variance $1/d_{model}$. Without the factor the encoding would drown the words:

# %%
for d_model in (8, 64, 512):
    word = torch.randn(1000, d_model) / d_model**0.5
    encoding = positional_encoding(1000, d_model)
    small, large, position = (tensor.square().mean().sqrt() for tensor in (word, word * d_model**0.5, encoding))
    print(f"d_model {d_model:>3}: a word {small:.2f}, times the root {large:.2f}, the encoding {position:.2f}")
at_the_start = nn.Embedding(1000, 512).weight.square().mean().sqrt()
print(f"a table of nn.Embedding begins at {at_the_start:.2f}")

# %% [markdown]
# Your own table, an `nn.Embedding`, does not begin that small. There the words are the louder ones at first, and
# training finds the balance. We keep the factor, since this is to be the paper's model, number for number.
#
# ## 3. A layer that looks at two sentences
#
# An encoder layer has two parts: self-attention and feed-forward. A decoder layer has these two as well, and
# a third between them. In order:
#
# 1. **Masked self-attention.** The English words look at each other, but not at the future. (Lesson 04.)
# 2. **Cross-attention.** The English words look at the French ones. This is the bridge.
# 3. **Feed-forward.** Each word thinks for itself. (Lesson 05.)
#
# After each part comes Add & Norm, so there are three norms.
#
# What is new is only where things come from. In self-attention query, key and value are the same. In
# cross-attention
#
# - the **queries** come from the decoder: an English word asks;
# - the **keys and values** come from the memory: French words offer, and hand over.
#
# So there are as many queries as English words, and as many keys as French words. *How many rows and columns
# does the picture of the weights have in our example?* Your `MultiHeadAttention` has taken three inputs all
# along. This is what for.

# %% slide="The decoder layer"
plots.flow(
    {
        "x": (0, 0, "x"),
        "self_attention": (1.6, 0.85, "self_attention"),
        "self_mask": (3.4, 0.85, "self_mask"),
        "add, norm_1": (0, 1.7, "+, then\nnorm_1"),
        "cross_attention": (1.6, 2.55, "cross_attention"),
        "memory": (3.4, 2.1, "memory"),
        "memory_mask": (3.4, 3.0, "memory_mask"),
        "add, norm_2": (0, 3.4, "+, then\nnorm_2"),
        "feed_forward": (1.6, 4.25, "feed_forward"),
        "add, norm_3": (0, 5.1, "+, then\nnorm_3"),
        "out": (0, 6.1, "output"),
    },
    [
        ("x", "add, norm_1", tgt_shape),
        ("x", "self_attention", f"q, k, v {tgt_shape}"),
        ("self_mask", "self_attention", "(batch, 1,\nn_tgt, n_tgt)"),
        ("self_attention", "add, norm_1", f"dropout {tgt_shape}"),
        ("add, norm_1", "add, norm_2", tgt_shape),
        ("add, norm_1", "cross_attention", f"q {tgt_shape}"),
        ("memory", "cross_attention", f"k, v {src_shape}"),
        ("memory_mask", "cross_attention", "(batch, 1, 1, n_src)"),
        ("cross_attention", "add, norm_2", f"dropout {tgt_shape}"),
        ("add, norm_2", "add, norm_3", tgt_shape),
        ("add, norm_2", "feed_forward", tgt_shape),
        ("feed_forward", "add, norm_3", f"dropout {tgt_shape}"),
        ("add, norm_3", "out", tgt_shape),
    ],
    title="Decoder layer",
)

# %% [markdown] slide="Three sublayers"
# *Picture: a straight road leads down from x to the output over three boxes, each a plus sign, then a norm. Beside
# it stand self_attention with self_mask, cross_attention with memory and memory_mask, and feed_forward. Each
# takes from the road and gives back to the next plus sign; only cross_attention also takes from the memory,
# its keys and values.*
#
# In a formula, with $m$ for the memory:
#
# $$h_1 = \mathrm{LN}_1\big(x + \mathrm{SelfAttention}(x)\big) \qquad h_2 = \mathrm{LN}_2\big(h_1 + \mathrm{CrossAttention}(h_1, m)\big) \qquad y = \mathrm{LN}_3\big(h_2 + \mathrm{FFN}(h_2)\big)$$
#
# ### Exercise: `DecoderLayer`
#
# The members are `self_attention`, `cross_attention`, `feed_forward`, `norm_1`, `norm_2` and `norm_3`. The
# layer returns its output alone.
#
# <details><summary>Hint 1: begin with what you have</summary>
#
# Take your `EncoderLayer` of lesson 05 and put one more part in the middle, with a norm of its own. It is
# post-norm again: dropout on what a part found, add the part's input, then the norm.
#
# </details>
# <details><summary>Hint 2: cross-attention</summary>
#
# `MultiHeadAttention` takes query, key, value and mask. The query is the English side *as it is at this
# point*, after the first Add & Norm. Key and value are the memory, as it is.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# Three lines of Add & Norm, each starting from the result of the one before. In each, the residual is the
# English side. The memory appears in one place only: as key and value. `self_mask` goes to the first part and
# `memory_mask` to the second.
#
# </details>

# %% solution="DecoderLayer"
class DecoderLayer(nn.Module):
    """One layer of the decoder: self-attention, cross-attention, feed-forward, with Add & Norm after each.

    Args:
        d_model: how many numbers a word has.
        n_heads: the number of heads, in both attentions.
        d_ff: how many numbers a word has inside the feed-forward part.
        dropout: the probability of dropping, in all parts and on what each of them found.

    Members: `self_attention`, `cross_attention`, `feed_forward`, `norm_1`, `norm_2`, `norm_3`.

    `forward(x, memory, self_mask=None, memory_mask=None)`:
        x is `(batch, n_tgt, d_model)`, and so is the result; memory is `(batch, n_src, d_model)`.
        self_mask holds booleans that broadcast to `(batch, n_heads, n_tgt, n_tgt)`, memory_mask to
        `(batch, n_heads, n_tgt, n_src)`; True where a word may look. Queries of the cross-attention come
        from the decoder, keys and values from the memory. Post-norm, as in lesson 05.

    Example:
        >>> DecoderLayer(6, 3, 24)(torch.ones(2, 6, 6), torch.ones(2, 5, 6)).shape
        torch.Size([2, 6, 6])

    Source: Vaswani et al. (2017), section 3.1, figure 1 (right); section 3.2.3, first point.
    """

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        ### BEGIN SOLUTION
        self.self_attention = MultiHeadAttention(d_model, n_heads, dropout=dropout)
        self.cross_attention = MultiHeadAttention(d_model, n_heads, dropout=dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=dropout)
        self.norm_1, self.norm_2, self.norm_3 = (LayerNorm(d_model) for _ in range(3))
        self.dropout = nn.Dropout(p=dropout)
        ### END SOLUTION

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        ### BEGIN SOLUTION
        attended, _ = self.self_attention(x, x, x, self_mask)
        x = self.norm_1(x + self.dropout(attended))
        found, _ = self.cross_attention(x, memory, memory, memory_mask)  # English asks, French answers
        x = self.norm_2(x + self.dropout(found))
        return self.norm_3(x + self.dropout(self.feed_forward(x)))
        ### END SOLUTION


# %% tests="DecoderLayer"
check(DecoderLayer)

# %% [markdown]
# **See.** The bridge at work. We make the layer's numbers by hand. A word and its translation get the same
# vector, and in cross-attention each word asks for what it is itself. Nothing else happens: self-attention
# adds zero. Your layer runs, and we listen to its cross-attention.

# %% slide="English looks at French"
#              person action place time link motion
vector_of = {
    "Jane": [1.0, 0.0, 0.1, 0.0, 0.0, 0.0],
    "visite": [0.0, 1.0, 0.1, 0.0, 0.0, 0.9],
    "l'Afrique": [0.1, 0.0, 1.0, 0.0, 0.0, 0.0],
    "en": [0.0, 0.0, 0.1, 0.2, 1.0, 0.0],
    "septembre": [0.0, 0.0, 0.0, 1.0, 0.1, 0.0],
    "<bos>": [0.0] * 6,
}
for word, in_english in zip(src_words, labels):
    vector_of[in_english] = vector_of[word]
memory = torch.tensor([[vector_of[word] for word in src_words]])
x = torch.tensor([[vector_of[word] for word in tgt_words]])

torch.manual_seed(0)
layer = DecoderLayer(d_model=6, n_heads=1, d_ff=24).eval()
with torch.no_grad():
    for part in (layer.self_attention.w_o, layer.cross_attention.w_q, layer.cross_attention.w_k):
        part.bias.zero_()
    layer.self_attention.w_o.weight.zero_()  # finds nothing
    layer.cross_attention.w_q.weight.copy_(3 * torch.eye(6))  # asks for what it is
    layer.cross_attention.w_k.weight.copy_(torch.eye(6))


def weights_inside(part, run):
    """The attention weights that a part of a model finds while `run()` runs the whole."""
    heard = []
    hook = part.register_forward_hook(lambda part, inputs, result: heard.append(result[1].detach()))
    run()
    hook.remove()
    return heard[-1]


weights = weights_inside(layer.cross_attention, lambda: layer(x, memory))
print("weights", tuple(weights.shape), "= (batch, n_heads, n_tgt, n_src)")
plots.attention(
    weights[0, 0],
    tgt_words,
    src_words,
    title="English words look at French ones",
    xlabel="is looked at (keys, from the memory)",
    ylabel="looks (queries, from the decoder)",
)

# %% [markdown]
# *Picture: a grid of six English rows and five French columns. The row of `<bos>` has 0.20 everywhere. In
# each other row the column of the word's translation is dark.*
#
# Each English word finds the French word it came from. `<bos>` asks for nothing, so it looks at all alike. A
# trained layer asks better: to predict *visits*, the word to look at is *visite*, and the one who has to ask
# is *Jane*, which stands before it. You will see that in lesson 08.

# %% [markdown]
# ## 4. Stacks
#
# One layer lets each word hear once what the others say. In a second layer it hears what the others *have
# heard*. So we stack them: the output of one layer is the input of the next.
#
# Every layer needs weights **of its own**. And the stack must know its layers. Look what happens to a plain
# Python list:

# %%
class PlainList(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = [nn.Linear(2, 2), nn.Linear(2, 2)]


class ListOfModules(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])


class TheSameTwice(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([nn.Linear(2, 2)] * 2)


for kind in (PlainList, ListOfModules, TheSameTwice):
    print(f"{kind.__name__:<14} parameters: {[name for name, _ in kind().named_parameters()]}")

# %% [markdown]
# - A plain list hides its parts. Nobody finds their parameters, so they would never learn, never be saved,
#   never move to a graphics card.
# - `nn.ModuleList` shows them, numbered from 0.
# - `[part] * 2` is *one* part, twice in a list. Both places would share one set of weights.
#
# ### Exercises: `Encoder` and `Decoder`
#
# The member of both is `layers`, an `nn.ModuleList` of `n_layers` layers. There is no further norm after the
# last layer: in the paper's Transformer each layer ends with one already.
#
# In the decoder, every layer gets the **same** memory and the same masks. Only `x` changes from layer to layer.
#
# <details><summary>Hint 1: many layers of their own</summary>
#
# Call the class once for each layer. `nn.ModuleList` takes a list, and a list can be written as `[… for _ in
# range(n_layers)]`. The first argument, `n_layers`, is for the stack; all others are for the layers, the
# dropout too.
#
# </details>
# <details><summary>Hint 2: one after the other</summary>
#
# A loop over `self.layers`, in which a variable is replaced by what the layer makes of it. Which one, if each
# layer is to get what the one before has made?
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# In the loop `x` becomes the layer's result for `x`, and after the loop `x` is returned. Mind the line of
# `return`: inside the loop it would stop after the first layer. The decoder's loop hands over `memory` and
# both masks each time.
#
# </details>

# %% solution="Encoder"
class Encoder(nn.Module):
    """A stack of encoder layers.

    Args:
        n_layers: the number of layers, each with weights of its own.
        d_model, n_heads, d_ff, dropout: for each layer.

    Members: `layers`, an `nn.ModuleList` of `EncoderLayer`.

    `forward(x, mask=None)`: x is `(batch, n, d_model)`, and so is the result, the memory; mask holds
        booleans that broadcast to `(batch, n_heads, n, n)`, the same for all layers. No norm follows the
        last layer.

    Example:
        >>> Encoder(2, 6, 3, 24)(torch.ones(2, 5, 6)).shape
        torch.Size([2, 5, 6])

    Source: Vaswani et al. (2017), section 3.1, first paragraph.
    """

    def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        ### BEGIN SOLUTION
        self.layers = nn.ModuleList([EncoderLayer(d_model, n_heads, d_ff, dropout=dropout) for _ in range(n_layers)])
        ### END SOLUTION

    def forward(self, x, mask=None):
        ### BEGIN SOLUTION
        for layer in self.layers:
            x = layer(x, mask)
        return x
        ### END SOLUTION


# %% tests="Encoder"
check(Encoder)

# %% [markdown]
# And the decoder, which hands more things on:

# %% solution="Decoder"
class Decoder(nn.Module):
    """A stack of decoder layers, all of which look at the same memory.

    Args:
        n_layers: the number of layers, each with weights of its own.
        d_model, n_heads, d_ff, dropout: for each layer.

    Members: `layers`, an `nn.ModuleList` of `DecoderLayer`.

    `forward(x, memory, self_mask=None, memory_mask=None)`: as for `DecoderLayer`; memory and masks are
        the same for all layers. No norm follows the last layer.

    Example:
        >>> Decoder(2, 6, 3, 24)(torch.ones(2, 6, 6), torch.ones(2, 5, 6)).shape
        torch.Size([2, 6, 6])

    Source: Vaswani et al. (2017), section 3.1, second paragraph.
    """

    def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        ### BEGIN SOLUTION
        self.layers = nn.ModuleList([DecoderLayer(d_model, n_heads, d_ff, dropout=dropout) for _ in range(n_layers)])
        ### END SOLUTION

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        ### BEGIN SOLUTION
        for layer in self.layers:
            x = layer(x, memory, self_mask, memory_mask)
        return x
        ### END SOLUTION


# %% tests="Decoder"
check(Decoder)

# %% [markdown]
# **See.** What is a stack good for? Let each English word see only itself and the word just before it, and
# follow how far news travels. *Before you run the cell:* with one layer *September* hears of *in*. How far
# does it hear with two, with three?

# %% slide="Every layer, one mask"
def depends(output, x):
    """Which rows of the output depend on which rows of x: booleans `(n_out, n_in)`."""
    rows = [torch.autograd.grad(row.norm(), x, retain_graph=True)[0][0] for row in output[0]]
    return torch.stack(rows).abs().sum(dim=-1) > 0


torch.manual_seed(0)
one_back = torch.ones(6, 6, dtype=torch.bool).tril() & torch.ones(6, 6, dtype=torch.bool).triu(-1)
x = torch.randn(1, 6, 8).requires_grad_()
memory = torch.randn(1, 5, 8)
reach = [depends(Decoder(n_layers, 8, 2, 16)(x, memory, one_back), x) for n_layers in (1, 2, 3)]
plots.masks(
    torch.stack(reach).numpy(),
    tgt_words,
    titles=["1 layer", "2 layers", "3 layers"],
    title="Whose output depends on whom, if a layer looks back by one word",
    xlabel="input",
    ylabel="output",
)

# %% [markdown]
# *Picture: three grids of six by six. With one layer two cells are dark in each row, the word itself and the
# one before it. With two layers it is three cells, with three layers four.*
#
# Each layer hands on what the one below has gathered. Real layers look at all earlier words at once, so news
# need not travel. But *what has been understood* travels in the same way: what *visits* makes of *Jane* in
# the first layer, *September* can use in the second.

# %% [markdown]
# ## 5. The whole
#
# All parts are there. What is missing is the place where they meet, and the masks. Until now, masks came from
# outside. The Transformer makes them itself, from the ids. There are three places of attention, and you know
# from lesson 04 who gets which:
#
# | attention | who looks | is looked at | mask |
# |---|---|---|---|
# | in the encoder | French | French | padding of the **French** ids |
# | in the decoder, to itself | English | English | padding of the **English** ids **and** causal |
# | from decoder to encoder | English | French | padding of the **French** ids |
#
# In the last row English words look, but it is French words that are hidden. What counts is always the
# padding among those who are *looked at*. Nothing is causal there: the French sentence is known to its end.
#
# The work is cut in three methods, because lesson 08 will need them one by one. To translate, you encode
# *once*, and decode again and again, for each new word.
#
# | method | makes | of |
# |---|---|---|
# | `encode(src_ids)` | memory, `(batch, n_src, d_model)` | the French ids |
# | `decode(tgt_ids, memory, src_ids)` | hidden vectors, `(batch, n_tgt, d_model)` | English ids and memory; the French ids tell what is padding |
# | `forward(src_ids, tgt_ids)` | logits, `(batch, n_tgt, tgt_vocab_size)` | both; with the generator at the end |
#
# And softmax? It is **not** part of the module. The loss in lesson 07 is better computed from logits, and the
# word with the largest logit is also the one with the largest probability. Whoever needs probabilities takes
# the softmax of the logits.
#
# ### Exercise: `Transformer`
#
# The members are `src_embeddings`, `tgt_embeddings`, `encoder`, `decoder` and `generator`, an
# `nn.Linear(d_model, tgt_vocab_size)`. `pad_id` is kept as an attribute. Both languages use the same id for
# padding. Do not rely on its being 0, nor on padding being on the right.
#
# <details><summary>Hint 1: the parts</summary>
#
# Five members in `__init__`, each with the sizes that it needs. Two embeddings: the languages have different
# words. Mind the order of the arguments: `Embeddings` wants `max_len`, the stacks begin with `n_layers`.
# Dropout goes to all four that take it.
#
# </details>
# <details><summary>Hint 2: the masks in PyTorch</summary>
#
# The padding mask of lesson 04 works as it did: compare, then `[:, None, None, :]`. For the triangle there is
# the method `.tril()`. A new tensor lies on the processor unless you say otherwise, and must not meet one on
# the graphics card: make it with `device=tgt_ids.device`.
#
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `encode` puts the French ids through their embeddings and the encoder, with the French padding mask.
# `decode` puts the English ids through theirs, and the decoder gets that, the memory, the English mask
# (padding & causal), and the French padding mask. `forward` calls the two, then the generator.
#
# </details>

# %% solution="Transformer"
class Transformer(nn.Module):
    """An encoder that reads, a decoder that writes.

    Args:
        src_vocab_size, tgt_vocab_size: the number of different tokens in source and target.
        d_model, n_heads, d_ff, dropout: for every layer.
        n_layers: the number of layers of the encoder, and of the decoder.
        max_len: the length of the longest sentence.
        pad_id: the id of the padding token, in both languages; kept as an attribute.

    Members: `src_embeddings`, `tgt_embeddings`, `encoder`, `decoder`, and `generator`, an
    `nn.Linear(d_model, tgt_vocab_size)`.

    `encode(src_ids)`: `(batch, n_src)` -> memory, `(batch, n_src, d_model)`.
    `decode(tgt_ids, memory, src_ids)`: `(batch, n_tgt)` and the memory -> `(batch, n_tgt, d_model)`;
        src_ids tell which places of the memory are padding.
    `forward(src_ids, tgt_ids)`: -> logits, `(batch, n_tgt, tgt_vocab_size)`. At each position, scores
        for the next word, which depend on no later word and on no padding.

    Example:
        >>> Transformer(6, 8, d_model=4, n_heads=2, n_layers=2, d_ff=8)(src_ids, tgt_ids).shape
        torch.Size([2, 6, 8])

    Source: Vaswani et al. (2017), section 3 and figure 1.
    """

    def __init__(
        self, src_vocab_size, tgt_vocab_size, d_model, n_heads, n_layers, d_ff, dropout=0.0, max_len=512, pad_id=0
    ):
        super().__init__()
        ### BEGIN SOLUTION
        self.pad_id = pad_id
        self.src_embeddings = Embeddings(src_vocab_size, d_model, max_len, dropout=dropout)
        self.tgt_embeddings = Embeddings(tgt_vocab_size, d_model, max_len, dropout=dropout)
        self.encoder = Encoder(n_layers, d_model, n_heads, d_ff, dropout=dropout)
        self.decoder = Decoder(n_layers, d_model, n_heads, d_ff, dropout=dropout)
        self.generator = nn.Linear(in_features=d_model, out_features=tgt_vocab_size)
        ### END SOLUTION

    def encode(self, src_ids):
        ### BEGIN SOLUTION
        is_real = (src_ids != self.pad_id)[:, None, None, :]  # (batch, 1, 1, n_src)
        return self.encoder(self.src_embeddings(src_ids), is_real)
        ### END SOLUTION

    def decode(self, tgt_ids, memory, src_ids):
        ### BEGIN SOLUTION
        n_tgt = tgt_ids.shape[1]
        is_past = torch.ones(n_tgt, n_tgt, dtype=torch.bool, device=tgt_ids.device).tril()
        self_mask = (tgt_ids != self.pad_id)[:, None, None, :] & is_past  # (batch, 1, n_tgt, n_tgt)
        memory_mask = (src_ids != self.pad_id)[:, None, None, :]  # (batch, 1, 1, n_src)
        return self.decoder(self.tgt_embeddings(tgt_ids), memory, self_mask, memory_mask)
        ### END SOLUTION

    def forward(self, src_ids, tgt_ids):
        ### BEGIN SOLUTION
        memory = self.encode(src_ids)
        hidden = self.decode(tgt_ids, memory, src_ids)
        return self.generator(hidden)
        ### END SOLUTION


# %% tests="Transformer"
check(Transformer)

# %% [markdown]
# **See.** First the shapes, measured. Compare them with the picture of section 1.

# %%
torch.manual_seed(0)
model = Transformer(len(french), len(english), d_model=8, n_heads=2, n_layers=2, d_ff=16).eval()


def shapes_inside(model, *inputs):
    """Run a model and print the shape of what its larger parts make, in the order in which they finish."""

    def hook_for(name):
        return lambda part, given, result: print(f"{name:<20} {tuple(result.shape)}")

    names = ["src_embeddings", "encoder.layers.0", "encoder.layers.1", "encoder"]
    names += ["tgt_embeddings", "decoder.layers.0", "decoder.layers.1", "decoder", "generator"]
    hooks = [model.get_submodule(name).register_forward_hook(hook_for(name)) for name in names]
    model(*inputs)
    for hook in hooks:
        hook.remove()


with torch.no_grad():
    shapes_inside(model, src_ids, tgt_ids)

# %% [markdown]
# Now the three masks, as your model really uses them. We listen to the weights of the first layers, and ask
# where they are not zero. They are those of the second pair of sentences, which is padded.

# %%
def weights_of(part):
    with torch.no_grad():
        return weights_inside(part, lambda: model(src_ids, tgt_ids))


padded_src, padded_tgt = src_words[:3] + ["<pad>"] * 2, tgt_words[:4] + ["<pad>"] * 2
first_encoder, first_decoder = model.encoder.layers[0], model.decoder.layers[0]
for title, part, looks, is_looked_at in [
    ("In the encoder: padding of the source", first_encoder.self_attention, padded_src, padded_src),
    ("In the decoder: padding of the target, and the future", first_decoder.self_attention, padded_tgt, padded_tgt),
    ("From decoder to encoder: padding of the source", first_decoder.cross_attention, padded_tgt, padded_src),
]:
    plots.masks((weights_of(part)[1, 0] > 0).numpy(), looks, is_looked_at, title=title)

# %% [markdown]
# *Pictures: three grids. In the encoder's the two columns of `<pad>` are hatched. In the decoder's own it is
# the triangle, and the columns of `<pad>` are hatched too. In the one from decoder to encoder six English
# rows look at five French columns, of which the last two are hatched.*
#
# And the output, **Linear and Softmax**. The logits become probabilities for the next word, at each position.
# The model has learned nothing yet.

# %%
with torch.no_grad():
    logits = model(src_ids, tgt_ids)
print("logits", tuple(logits.shape), "= (batch, n_tgt, tgt_vocab_size)")
probabilities = torch.softmax(logits, dim=-1)
print("each row adds up to 1:", torch.allclose(probabilities.sum(dim=-1), torch.ones(2, 6)))
plots.attention(
    probabilities[0],
    [f"{read} → ?" for read in tgt_words],
    english,
    title="Probabilities of the next word, before any training",
    xlabel="the next word",
    ylabel="reads",
)

# %% [markdown]
# *Picture: a grid of six rows by eight words. The probabilities are spread over all words.*

# %% [markdown]
# ## 6. Who can see whom
#
# A model with a wrong mask runs. It even trains, and its loss may look better than it should. So test it, as
# in lesson 04: **change something, and see what moves.** We change each word in turn, French and English, and
# note which logits move.

# %%
def what_moves(model, src_ids, tgt_ids):
    """Which logits move when a word changes; both ids are one sentence, `(1, n)`.

    Returns two tables of booleans: `(n_tgt, n_src)` for changes in the source, `(n_tgt, n_tgt)` for the target.
    """

    def with_one_changed(ids):
        """`(n, n)`: n copies of the sentence, in copy i the word i is another one."""
        n = ids.shape[1]
        another = ids % 4 + 1  # never padding, never the same
        return torch.where(torch.eye(n, dtype=torch.bool), another, ids)

    with torch.no_grad():
        before = model(src_ids, tgt_ids)
        src_changed, tgt_changed = with_one_changed(src_ids), with_one_changed(tgt_ids)
        after_src = model(src_changed, tgt_ids.expand(len(src_changed), -1))
        after_tgt = model(src_ids.expand(len(tgt_changed), -1), tgt_changed)
    return [((after - before).abs().amax(dim=-1) > 1e-5).T.numpy() for after in (after_src, after_tgt)]


def show_what_moves(model, title):
    from_src, from_tgt = what_moves(model, src_ids[:1], tgt_ids[:1])
    tasks = [f"{read} → {label}" for read, label in zip(tgt_words, labels)]
    axes = {"xlabel": "is changed", "ylabel": "these logits move"}
    plots.masks(from_src, tasks, src_words, title=f"{title}: French words", **axes)
    plots.masks(from_tgt, tasks, tgt_words, title=f"{title}: English words", **axes)


show_what_moves(model, "Your model")

# %% [markdown]
# *Pictures: two grids. Changes of a French word move the logits at every English position: all cells are
# dark. Changes of an English word move only the logits at this word and after it: the triangle.*
#
# Every English position knows all the French words, and its own past. The future has no effect: not a small
# one, none.
#
# **And padding?** A sentence must mean the same alone as in a batch with longer neighbours. We run the second
# pair alone, without its padding, and compare.
#
# Then a harder test. We give `<pad>` quite another vector, with huge numbers. If it is hidden everywhere, no
# real word may notice, wherever the padding stands.

# %%
with torch.no_grad():
    alone = model(src_ids[1:, :3], tgt_ids[1:, :4])
    in_batch = model(src_ids, tgt_ids)[1:, :4]
print("the same alone and in a batch:", torch.allclose(alone, in_batch, atol=1e-6))


def logits_with_another_pad(embeddings, src_ids, tgt_ids):
    """The logits while the vector of <pad> in these embeddings has huge numbers."""
    row = embeddings.tokens.weight[pad_id]
    kept = row.clone()
    row.fill_(100.0)
    logits = model(src_ids, tgt_ids)
    row.copy_(kept)
    return logits


padded = {
    "on the right": (["Jane", "visite", "l'Afrique", "<pad>", "<pad>"], ["<bos>", "Jane", "visits", "<pad>"]),
    "in the middle": (["Jane", "visite", "<pad>", "<pad>", "l'Afrique"], ["<bos>", "Jane", "<pad>", "visits"]),
    "on the left": (["<pad>", "<pad>", "Jane", "visite", "l'Afrique"], ["<pad>", "<bos>", "Jane", "visits"]),
}
for where, (src, tgt) in padded.items():
    src, tgt = to_ids([src], french), to_ids([tgt], english)
    is_real = tgt != pad_id
    for language, embeddings in [("French", model.src_embeddings), ("English", model.tgt_embeddings)]:
        with torch.no_grad():
            moved = (logits_with_another_pad(embeddings, src, tgt) - model(src, tgt))[is_real].abs().max()
        print(f"{language:<8} padding {where:<14} real words move by {moved:.6f}")

# %% [markdown]
# Not a trace. (What the model gives *at* a `<pad>` may well move. Nobody reads it: the loss of lesson 07
# leaves it out.)

# %% [markdown]
# ## 7. Is it PyTorch's?
#
# PyTorch has the whole as well: `nn.Transformer`. It contains the two stacks, but neither embeddings nor
# generator. With the same numbers inside, it must give the same results. Three things differ, and they are
# worth knowing:
#
# - It puts one more LayerNorm after each stack. The paper does not. So we set these two to `None`.
# - Its masks speak the other dialect: True means **hidden**. And it makes none of them itself.
# - It calls the members otherwise, and keeps three matrices of attention in one, as you saw in lesson 05.

# %%
def same_attention(theirs, ours):
    """Give PyTorch's attention the numbers of ours."""
    theirs.in_proj_weight.copy_(torch.cat([ours.w_q.weight, ours.w_k.weight, ours.w_v.weight]))
    theirs.in_proj_bias.copy_(torch.cat([ours.w_q.bias, ours.w_k.bias, ours.w_v.bias]))
    theirs.out_proj.load_state_dict(ours.w_o.state_dict())


def same_layer(theirs, ours):
    """Give PyTorch's encoder or decoder layer the numbers of ours."""
    same_attention(theirs.self_attn, ours.self_attention)
    if hasattr(ours, "cross_attention"):
        same_attention(theirs.multihead_attn, ours.cross_attention)
        theirs.norm3.load_state_dict(ours.norm_3.state_dict())
    theirs.norm1.load_state_dict(ours.norm_1.state_dict())
    theirs.norm2.load_state_dict(ours.norm_2.state_dict())
    theirs.linear1.load_state_dict(ours.feed_forward.linear_1.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.linear_2.state_dict())


theirs = nn.Transformer(
    d_model=8, nhead=2, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=16, dropout=0.0, batch_first=True
)
theirs.encoder.norm = theirs.decoder.norm = None  # the paper has no norm after the stacks
with torch.no_grad():
    for stack in ("encoder", "decoder"):
        for their_layer, our_layer in zip(getattr(theirs, stack).layers, getattr(model, stack).layers):
            same_layer(their_layer, our_layer)

model.train()
theirs.train()
future = torch.ones(6, 6, dtype=torch.bool).triu(1)  # True at what is hidden
hidden = theirs(
    model.src_embeddings(src_ids),
    model.tgt_embeddings(tgt_ids),
    tgt_mask=future,
    src_key_padding_mask=src_ids == pad_id,
    tgt_key_padding_mask=tgt_ids == pad_id,
    memory_key_padding_mask=src_ids == pad_id,
)
their_logits, our_logits = model.generator(hidden), model(src_ids, tgt_ids)
print("same logits:", torch.allclose(their_logits, our_logits, atol=1e-5))

# %% [markdown]
# A model is made to learn, so the gradients must agree as well. We take those of a few parameters from the
# bottom to the top. (The sum of the logits' squares serves as a loss: any function of them will do.)

# %%
our_logits.square().sum().backward()
our_gradients = {
    "encoder layer 1, w_o": model.encoder.layers[0].self_attention.w_o.weight.grad.clone(),
    "encoder layer 2, linear_1": model.encoder.layers[1].feed_forward.linear_1.weight.grad.clone(),
    "decoder layer 1, cross w_o": model.decoder.layers[0].cross_attention.w_o.weight.grad.clone(),
    "decoder layer 2, norm_3": model.decoder.layers[1].norm_3.weight.grad.clone(),
    "French word vectors": model.src_embeddings.tokens.weight.grad.clone(),
}
model.zero_grad()
their_logits.square().sum().backward()
their_gradients = [
    theirs.encoder.layers[0].self_attn.out_proj.weight.grad,
    theirs.encoder.layers[1].linear1.weight.grad,
    theirs.decoder.layers[0].multihead_attn.out_proj.weight.grad,
    theirs.decoder.layers[1].norm3.weight.grad,
    model.src_embeddings.tokens.weight.grad,
]
for (name, ours), other in zip(our_gradients.items(), their_gradients):
    print(f"{name:<27} same gradient: {torch.allclose(ours, other, rtol=1e-4, atol=1e-4)}")

# %% [markdown]
# You have built the real thing, from a dot product upwards.

# %% [markdown]
# ## 8. Every number counted
#
# How large is the paper's model? Its sizes are `d_model=512, n_heads=8, n_layers=6, d_ff=2048`. Before we ask
# the model, count by hand. Write $d$ for $d_{model}$ and $f$ for $d_{ff}$.
#
# | part | consists of | numbers |
# |---|---|---|
# | Linear from $a$ to $b$ | a matrix and a bias | $ab + b$ |
# | multi-head attention | four Linear from $d$ to $d$ | $4(d^2 + d)$ |
# | feed-forward | Linear from $d$ to $f$, and back | $(df + f) + (fd + d) = 2df + f + d$ |
# | LayerNorm | gain and bias | $2d$ |
# | encoder layer | 1 attention, feed-forward, 2 norms | $4(d^2+d) + (2df+f+d) + 2 \cdot 2d$ |
# | decoder layer | 2 attentions, feed-forward, 3 norms | $2 \cdot 4(d^2+d) + (2df+f+d) + 3 \cdot 2d$ |
# | embeddings | one row for each word; positions are not learned | $d$ times the words |
# | generator | Linear from $d$ to the words | $(d + 1)$ times the words |
#
# The number of heads does not occur: they share out the same $d$ features. (Lesson 02.)
#
# Put in the numbers, and compare with your model, part by part. The paper's vocabulary has about 37,000
# tokens. The next cell makes the whole model, for a moment.

# %%
d, f, n_layers, vocabulary = 512, 2048, 6, 37000

attention_by_hand = 4 * (d * d + d)
feed_forward_by_hand = 2 * d * f + f + d
norm_by_hand = 2 * d
encoder_layer_by_hand = attention_by_hand + feed_forward_by_hand + 2 * norm_by_hand
decoder_layer_by_hand = 2 * attention_by_hand + feed_forward_by_hand + 3 * norm_by_hand

large = Transformer(vocabulary, vocabulary, d_model=512, n_heads=8, n_layers=6, d_ff=2048)


def count(part):
    return sum(parameter.numel() for parameter in part.parameters())


encoder_layer, decoder_layer = large.encoder.layers[0], large.decoder.layers[0]
rows = [  # part, counted by hand, in the model
    ("attention", attention_by_hand, count(encoder_layer.self_attention)),
    ("feed-forward", feed_forward_by_hand, count(encoder_layer.feed_forward)),
    ("LayerNorm", norm_by_hand, count(encoder_layer.norm_1)),
    ("encoder layer", encoder_layer_by_hand, count(encoder_layer)),
    ("decoder layer", decoder_layer_by_hand, count(decoder_layer)),
    ("encoder, 6 layers", n_layers * encoder_layer_by_hand, count(large.encoder)),
    ("decoder, 6 layers", n_layers * decoder_layer_by_hand, count(large.decoder)),
    ("source embeddings", d * vocabulary, count(large.src_embeddings)),
    ("target embeddings", d * vocabulary, count(large.tgt_embeddings)),
    ("generator", (d + 1) * vocabulary, count(large.generator)),
]
total = sum(by_hand for _, by_hand, _ in rows[5:])
rows.append(("the whole", total, count(large)))
del large, encoder_layer, decoder_layer  # their memory is free again

print(f"{'part':<20} {'by hand':>12} {'in the model':>14}")
for name, by_hand, counted in rows:
    print(f"{name:<20} {by_hand:>12,} {counted:>14,}")
print(f"at 4 bytes a number: {4 * total / 1e6:.0f} megabytes")

# %% slide="Where the numbers are"
both_stacks = n_layers * (encoder_layer_by_hand + decoder_layer_by_hand)
print(f"both stacks:            {both_stacks:>12,}")
print(f"with one table for all: {both_stacks + d * vocabulary:>12,}")
plots.bars(
    {"millions": [counted / 1e6 for _, _, counted in rows[5:-1]]},
    ["encoder", "decoder", "source\nembeddings", "target\nembeddings", "generator"],
    ylabel="parameters, in millions",
    title="Where the numbers are",
    digits=1,
)

# %% [markdown]
# *Picture: five bars. That of the decoder is the tallest, the other four are about equally tall.*
#
# The paper gives 65 million for this model (table 3). It lets source, target and generator share *one* table,
# which is possible when both languages are cut into the same pieces (its section 3.4). The second line above
# counts it that way and lands close by.

# %% [markdown]
# ## 9. It speaks
#
# Training is the subject of lesson 07. Here is a taste of it, so that you see your model say something. The
# texts are travel plans of four people: in French, with the month in front, at the end, or without one. In
# English the month always comes last. So the model must find its words at changing places. Our sentence,
# *Jane visite l'Afrique en septembre*, is left out, in both orders.

# %%
plans = []
for person in ["Jane", "Léa", "Paul", "Tom"]:
    for verb, its_verb in {"visite": "visits", "quitte": "leaves"}.items():
        for place, its_place in {"l'Afrique": "Africa", "Paris": "Paris", "Rome": "Rome"}.items():
            plans.append(([person, verb, place], [person, its_verb, its_place]))
            for month, its_month in {"septembre": "September", "mai": "May", "mars": "March"}.items():
                translation = [person, its_verb, its_place, "in", its_month]
                plans.append(([person, verb, place, "en", month], translation))
                plans.append((["en", month, person, verb, place], translation))
left_out = ["Jane", "visits", "Africa", "in", "September"]
plans = [(words, translation) for words, translation in plans if translation != left_out]

french_words = ["<pad>", *sorted({word for words, _ in plans for word in words})]
english_words = ["<pad>", "<bos>", "<eos>", *sorted({word for _, words in plans for word in words})]
all_src = to_ids([words for words, _ in plans], french_words)
all_tgt = to_ids([["<bos>", *words, "<eos>"] for _, words in plans], english_words)
print(len(plans), "pairs,", len(french_words), "French tokens,", len(english_words), "English tokens")
print(" ".join(plans[2][0]), "->", " ".join(plans[2][1]))

# %% [markdown]
# One step of training: take some pairs, compute the logits, compare them with the words that should follow,
# and change each parameter a little, so that the right words get more probable. The decoder reads all words
# but the last, and must predict all but the first (lesson 04).

# %% slide="It learns one sentence"
torch.manual_seed(0)
speaker = Transformer(len(french_words), len(english_words), d_model=32, n_heads=4, n_layers=2, d_ff=64)
optimizer = torch.optim.Adam(speaker.parameters(), lr=0.003)
losses = []
for step in range(100):
    chosen = torch.randint(len(plans), (32,))
    logits = speaker(all_src[chosen], all_tgt[chosen, :-1])
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), all_tgt[chosen, 1:].flatten(), ignore_index=pad_id)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
plots.lines(range(1, 101), losses, xlabel="training step", ylabel="loss", title="Your Transformer learns")

# %% [markdown]
# *Picture: the loss against training steps. It falls steeply at first, then levels off close to zero.*
#
# Now the sentence that it has never seen. The English words so far are given, and we look at the **output**:
# Linear and Softmax.

# %% slide="... and it looks"
speaker.eval()
sentence = "Jane visite l'Afrique en septembre"
one_src = to_ids([sentence.split()], french_words)
one_tgt = to_ids([tgt_words], english_words)
with torch.no_grad():
    probabilities = torch.softmax(speaker(one_src, one_tgt), dim=-1)[0]
for read, row in zip(tgt_words, probabilities):
    print(f"{read:<10} -> {english_words[row.argmax()]}")

some_words = ["Jane", "Paul", "visits", "leaves", "Africa", "Rome", "in", "September", "May", "<eos>"]
shown = [english_words.index(word) for word in some_words]
plots.attention(
    probabilities[:, shown],
    [f"{read} → ?" for read in tgt_words],
    some_words,
    title="Probabilities of the next word, after training (some of the words)",
    xlabel="the next word",
    ylabel="reads",
)

# %% [markdown]
# *Picture: a grid of six rows by ten words. In each row one cell is dark, the right next word; all others are
# close to zero.*
#
# *Jane visits Africa in September.* **Play:** write `en septembre Jane visite l'Afrique`, and run the cell again.
# Then let *Tom* travel, and look at the first row only: the English words below it still tell of Jane. (The
# model knows only the words in `french_words`.)
#
# And *where does it look* while it translates? Nobody told the heads which word belongs to which.

# %%
with torch.no_grad():
    cross_weights = [
        weights_inside(layer.cross_attention, lambda: speaker(one_src, one_tgt)) for layer in speaker.decoder.layers
    ]
plots.explore(torch.cat(cross_weights), tgt_words, sentence.split(), title="Where each English word looks")

# %% [markdown]
# *Picture: six English words on the left, five French words on the right, lines as thick as the weights. Choose
# layer and head, and point at a word. The heads differ; in several of them Jane looks most at visite, and visits at
# l'Afrique. On a saved page there is a grid for each head instead.*
#
# A word on the left stands for what the decoder has *read* last; it looks for what it is about to *write*.
#
# Here the right English words were given each time. In real use the model has only its own. To let it write
# by itself, one word after the other, is the subject of lesson 08.

# %% [markdown]
# ## 10. Broken on purpose
#
# Four colleagues have built a Transformer each. Every one of them runs, raises no error, and gives logits of
# the right shape. Each has one slip. The next cell makes them, from your own model. **Run it without reading
# it.** You are to find the slips from outside, with instruments.

# %%
class Overheard(nn.Module):
    def __init__(self, inside, change):
        super().__init__()
        self.inside, self.change = inside, change

    def forward(self, query, key, value, mask=None):
        return self.inside(query, key, value, self.change(mask))


class Stuck(nn.Module):
    def __init__(self, inside, kept, is_first):
        super().__init__()
        self.inside, self.kept, self.is_first = inside, kept, is_first

    def forward(self, given, *others, **named):
        if self.is_first:
            self.kept["given"] = given
        return self.inside(self.kept["given"], *others, **named)


def colleagues_model(name):
    torch.manual_seed(1)
    model = Transformer(len(french_words), len(english_words), d_model=32, n_heads=4, n_layers=3, d_ff=64)
    layers = model.decoder.layers
    if name == "Ada":
        model.encoder.layers = nn.ModuleList([model.encoder.layers[0]] * 3)
    elif name == "Boris":
        for part in layers:
            part.cross_attention = Overheard(part.cross_attention, lambda mask: None)
    elif name == "Chloe":
        kept = {}
        model.decoder.layers = nn.ModuleList([Stuck(part, kept, part is layers[0]) for part in layers])
    elif name == "Dana":
        for part in layers:
            part.self_attention = Overheard(part.self_attention, lambda mask: mask[..., -1:, :])
    return model.eval()


models = {name: colleagues_model(name) for name in ("you", "Ada", "Boris", "Chloe", "Dana")}

# %% [markdown]
# Your four instruments:
#
# 1. **Count** the parameters.
# 2. **Change the future:** does a logit move that comes before the changed word?
# 3. **Add padding:** is a sentence the same alone as in a batch?
# 4. **Follow the gradient:** which layers get any? A layer without a gradient never learns.

# %%
def future_moves_something(model):
    _, from_tgt = what_moves(model, one_src, one_tgt)
    return bool(np.triu(from_tgt, k=1).any())


def same_in_a_batch(model):
    with torch.no_grad():
        longer = torch.nn.functional.pad(one_src, (0, 3), value=pad_id)
        return torch.allclose(model(longer, one_tgt), model(one_src, one_tgt), atol=1e-6)


def layers_with_gradient(stack, model):
    model.zero_grad()
    model(one_src, one_tgt).square().sum().backward()
    has = [any(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters()) for layer in stack.layers]
    return " ".join("yes" if one else "NO" for one in has)


print(f"{'':<7}{'parameters':>10}   {'future moves':<14}{'same in batch':<15}{'encoder layers':<16}decoder layers")
for name, theirs in models.items():
    print(
        f"{name:<7}{count(theirs):>10,}   {future_moves_something(theirs)!s:<14}{same_in_a_batch(theirs)!s:<15}"
        f"{layers_with_gradient(theirs.encoder, theirs):<16}{layers_with_gradient(theirs.decoder, theirs)}"
    )

# %% [markdown]
# **Your turn:** in each of the four last rows something differs from yours. Write down, for each colleague,
# what slipped, before you open the answers.
#
# <details><summary>Ada</summary>
#
# She has too few parameters. Count how many are missing: it is two encoder layers. Her encoder has `[layer] *
# 3`, one layer three times. All else looks healthy. It would even train, only worse than it should.
#
# </details>
# <details><summary>Boris</summary>
#
# With padding his translations change. His future is well hidden, so it is not the decoder's own mask. What
# is left is padding of the source: he gave no `memory_mask` to the cross-attention. The longer the neighbours
# in the batch, the more his model listens to nothing.
#
# </details>
# <details><summary>Chloe</summary>
#
# Two of her decoder layers get no gradient. They have parameters, but nothing depends on them. In her loop
# every layer gets the *first* `x`, so only the last layer's result is ever used. Three layers are paid for,
# and one works.
#
# </details>
# <details><summary>Dana</summary>
#
# Words see the future: her decoder has only the padding mask. In training her loss will fall to almost
# nothing, and she will be proud of it. You know from lesson 04 what happens then.
#
# </details>
#
# None of these slips raises an error. Each instrument takes a second. Keep them.

# %% [markdown] slide="What to take home"
# ## Summary
#
# - The **encoder** reads the source into a **memory**; the **decoder** reads the memory and the target so
#   far, and tells at each position what comes next.
# - A **decoder layer** has three parts: masked self-attention, cross-attention, feed-forward. Add & Norm
#   follows each.
# - In **cross-attention** the queries come from the decoder, the keys and values from the memory.
# - **Three masks:** source padding in the encoder; target padding *and* causal in the decoder; source padding
#   between them. What counts is who is *looked at*.
# - **Linear and Softmax** come last: logits for each word of the vocabulary, then probabilities. The module
#   gives logits.
# - Embeddings are multiplied by $\sqrt{d_{model}}$, the encoding is added, as a **buffer**: it moves along
#   and is not learned.
# - A stack is an `nn.ModuleList` of layers with weights of their own.
# - Your model *is* `nn.Transformer`, with the same outputs and gradients.

# %% [markdown]
# ## Check yourself
#
# Answer in your head, then open.
#
# <details><summary>1. A batch holds 3 pairs, with 9 French and 7 English tokens. Which shape have the weights
# of the cross-attention, with 8 heads?</summary>
#
# `(3, 8, 7, 9)`: seven words ask, nine are asked.
#
# </details>
# <details><summary>2. Why does the cross-attention get no causal mask?</summary>
#
# A mask hides what does not exist yet when the model is used. The French sentence is there in full before the
# first English word.
#
# </details>
# <details><summary>3. You translate one sentence into 20 words. How often does the encoder run, how often the
# decoder?</summary>
#
# The encoder once: the memory does not depend on the English words. The decoder once for each new word. (In
# training the decoder, too, runs only once: lesson 04.)
#
# </details>
# <details><summary>4. A classmate registers the encoding as <code>nn.Parameter</code>. All shapes fit. What
# changes?</summary>
#
# It is learned, and no longer sine and cosine after the first step. There are `max_len` times
# `d_model` parameters more, and those of positions that never occur in training stay untrained.
#
# </details>
# <details><summary>5. What would the model lose if the residual in the decoder's second step came from the
# memory instead of from the decoder?</summary>
#
# The shapes do not even fit when the sentences differ in length. Where they happen to fit, the English words
# would be thrown away at that point: the third French word is not the third English one.
#
# </details>

# %% [markdown]
# ## Further reading
#
# - A. Vaswani and others, *Attention Is All You Need*, NeurIPS 2017. Figure 1 is this lesson. Section 3.1:
#   encoder and decoder; 3.2.3: the three uses of attention; 3.4: embeddings, their factor, and the shared
#   table; 5.4: where dropout acts; table 3: sizes and parameters.
# - D. Bahdanau, K. Cho, Y. Bengio, *Neural Machine Translation by Jointly Learning to Align and Translate*,
#   ICLR 2015: a decoder that looks back at the source, three years before.
# - O. Press, L. Wolf, *Using the Output Embedding to Improve Language Models*, EACL 2017: one table for
#   reading and writing.
# - PyTorch documentation of `torch.nn.Transformer`, `torch.nn.ModuleList` and `torch.nn.Module.register_buffer`.
#
# **Next:** lesson 07, where your Transformer is trained in earnest.
