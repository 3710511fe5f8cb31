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
# # 08 · Translation: the model writes by itself
#
# **What you will be able to do:** let a trained Transformer write, word by word; search for better sentences
# than the first that comes; make it fast with a cache; and say in one number how good its translations are.
#
# | | |
# |---|---|
# | **Goal** | from probabilities to sentences: *Jane visits Africa in September*, written by your own code |
# | **You know already** | lesson 06: `encode`, `decode`, `generator`; lesson 07: training, and its weights |
# | **You need** | 90 to 120 minutes |
#
# | section | you write |
# |---|---|
# | 1 · A model that has learned | |
# | 2 · The most probable word, again and again | `greedy_decode` |
# | 3 · More than one way to begin | `beam_search` |
# | 4 · Never compute a key twice | `CachedAttention` |
# | 5 · From text to text | `translate` |
# | 6 · How good is it? | |
# | 7 · Where does it look? | |
# | 8 · A gallery of errors | |
# | 9 · Your own translator | |
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
import os
import time
from collections import Counter
from pathlib import Path

import torch
from torch import nn

from utils.corpus import test_pairs, train_pairs, vocabularies
from utils.translation import padded, to_batch
from utils.translator import load_translator, save_translator

torch.set_printoptions(precision=3, sci_mode=False)

# %% [markdown]
# This lesson works with your `Transformer` of lesson 06 and your `MultiHeadAttention` of lesson 05. If a
# notebook of yours passes its check, you get your own piece. Otherwise you get one that the course provides.

# %%
Transformer, MultiHeadAttention = carry("Transformer", "MultiHeadAttention")

# %% [markdown]
# ## 1. A model that has learned
#
# A model is its code and its weights. The code you have just fetched. Where do the weights come from? The next
# cell looks in three places:
#
# 1. the file `translator.safetensors` that **lesson 07** has written, if its model translates well;
# 2. the file of that name beside **this notebook**, if you were here before;
# 3. if there is neither, it trains a smaller model **now**. That takes less than a minute.
#
# In the first and the third case the weights are written into a file beside this notebook. You hand it in
# together with the notebook (section 9).

# %%
# NBVAL_IGNORE_OUTPUT
french, english = vocabularies()
pad_id, bos_id, eos_id = english.pad_id, english.bos_id, english.eos_id


def practise(n_steps, seed=0):
    """Lesson 07 in small: a model of one layer after `n_steps` steps of training."""
    torch.manual_seed(seed)
    model = Transformer(len(french), len(english), d_model=64, n_heads=4, n_layers=1, d_ff=128)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98))
    pairs = train_pairs()
    for step in range(n_steps):
        for group in optimizer.param_groups:  # a short warm-up, then down to almost nothing
            group["lr"] = 0.004 * min(1, (step + 1) / 50) * max(0.05, 1 - step / n_steps)
        batch = to_batch([pairs[place] for place in torch.randint(len(pairs), (64,)).tolist()], french, english)
        logits = model(batch.src, batch.tgt[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch.tgt[:, 1:].flatten(), ignore_index=pad_id)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


def loss_on_test(model):
    """The mean loss a word, with the right words before it given."""
    batch = to_batch(test_pairs()[:200], french, english)
    with torch.no_grad():
        logits = model(batch.src, batch.tgt[:, :-1])
    return nn.functional.cross_entropy(logits.flatten(0, 1), batch.tgt[:, 1:].flatten(), ignore_index=pad_id).item()


from_lesson_07, beside = Path("../07_training/translator.safetensors"), Path("translator.safetensors")
is_graded = os.environ.get("NBGRADER_EXECUTION") == "autograde"  # then nothing is trained
model = load_translator(Transformer, from_lesson_07) if from_lesson_07.exists() else None
if model is not None and loss_on_test(model) < 1:
    print("weights: from lesson 07")
    save_translator(model)
elif beside.exists():
    print("weights: from beside this notebook")
    model = load_translator(Transformer)
else:
    print("weights: a small model, trained just now")
    model = practise(n_steps=0 if is_graded else 300)
    if not is_graded:
        save_translator(model)
print(f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters, test loss {loss_on_test(model):.3f}")

# %% [markdown]
# For comparison we also want a model that is *not* good: one that was taken away from its lessons much too
# early. Call it the **hurried** one. It knows some words and guesses at others, and you will see most of this
# lesson's effects more clearly on it.

# %%
# NBVAL_IGNORE_OUTPUT
hurried = practise(n_steps=0 if is_graded else 150)
print(f"the hurried one: test loss {loss_on_test(hurried):.3f}")

# %% [markdown]
# ## 2. The most probable word, again and again
#
# In training the right English words were given, and the causal mask hid what comes after. That was a
# rehearsal: *given the first words, as if translated perfectly, predict the next*. Now is the performance. No
# English word is there but `<bos>`. So the model has to read **its own** words.
#
# 1. The encoder reads the French sentence, once. It gives the memory.
# 2. The decoder reads `<bos>`. Linear and softmax give a probability for each English word.
# 3. Take the most probable one, say *Jane*, and put it behind: `<bos> Jane`.
# 4. The decoder reads both. Take the most probable next word. And so on, until that is `<eos>`.
#
# This is called **greedy decoding**: at each step it takes what is best now, and never regrets it.

# %% slide="Word by word"
plots.flow(
    {
        "src_ids": (0, 0, "French ids"),
        "encode": (0, 1, "encode"),
        "memory": (0, 2, "memory"),
        "tgt_ids": (1.8, 0, "ids so far"),
        "decode": (1.8, 2, "decode"),
        "generator": (1.8, 3, "generator"),
        "argmax": (1.8, 4.2, "argmax"),
        "append": (3.6, 2, "append"),
    },
    [
        ("src_ids", "encode", "once"),
        ("encode", "memory"),
        ("memory", "decode", "at every step"),
        ("tgt_ids", "decode", "(batch, n)"),
        ("decode", "generator", "last position (batch, d_model)"),
        ("generator", "argmax", "(batch, tgt_vocab_size)"),
        ("argmax", "append", "(batch,)"),
        ("append", "tgt_ids", "one id longer"),
    ],
    title="One step of greedy decoding",
)

# %% [markdown]
# *Picture: on the left French ids go through encode into the memory, once. In the middle the ids so far go
# through decode, which also gets the memory, then generator and argmax. From argmax an arrow leads over append
# on the right back to the ids so far: a circle.*
#
# What must be minded when several sentences are translated together?
#
# - They end at different times. A row that has said `<eos>` gets `pad_id` from then on, whatever the model says.
# - The work stops as soon as **every** row has ended, or when the rows are `max_len` ids long. `<bos>` counts.
# - Dropout must be off: `model.eval()`. But the model belongs to somebody else. Leave it in the mode in which
#   you found it: `model.training` tells.
# - Nobody asks for gradients here: `torch.no_grad()` saves time and memory.
#
# ### Exercise: `greedy_decode`
#
# You need three things of the model: `model.encode(src_ids)` gives the memory, `model.decode(tgt_ids, memory,
# src_ids)` gives one vector for each position, `model.generator(...)` makes logits of vectors.
#
# <details><summary>Hint 1: the loop</summary>
#
# Begin with a column of `bos_id`, of shape `(batch, 1)`. `src_ids.new_full((batch, 1), bos_id)` makes it with
# the dtype and on the device of `src_ids`. Each turn makes it one column longer: `torch.cat([ids, column],
# dim=1)`.
#
# </details>
# <details><summary>Hint 2: which position tells?</summary>
#
# The decoder gives a vector for *every* position. The one that predicts the next word is the last: `[:, -1]`.
# Still the decoder needs *all* words so far, not the last alone.
#
# </details>
# <details><summary>Hint 3: rows that have ended</summary>
#
# Keep `ended`, one bool a row, all False at first. In each turn: find the new ids; put `pad_id` where `ended`
# (`masked_fill`); append; then `ended = ended | (new == eos_id)`. Leave the loop when `ended.all()`.
#
# </details>

# %% solution="greedy_decode"
def greedy_decode(model, src_ids, bos_id, eos_id, max_len):
    """Translate by taking the most probable word at each step.

    Args:
        model: a `Transformer`; its mode is the same afterwards.
        src_ids: `(batch, n_src)`, sentences of the source, padded with `model.pad_id`.
        bos_id: the id that every translation begins with.
        eos_id: the id that ends a translation.
        max_len: how many ids a translation has at most, the first one counted.

    Returns:
        `(batch, n)` ids, with n at most max_len: `bos_id`, the words, `eos_id`, and `model.pad_id` from there on.
        It is as long as the longest translation in it.

    Example:
        >>> greedy_decode(model, torch.tensor([french.ids("Jane visite Rome")]), bos_id, eos_id, 20).shape
        torch.Size([1, 5])
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(src_ids)
        tgt_ids = src_ids.new_full((len(src_ids), 1), bos_id)
        ended = torch.zeros_like(tgt_ids[:, 0], dtype=torch.bool)
        while tgt_ids.shape[1] < max_len and not ended.all():
            hidden = model.decode(tgt_ids, memory, src_ids)[:, -1]  # (batch, d_model)
            next_ids = model.generator(hidden).argmax(dim=-1)
            next_ids = next_ids.masked_fill(ended, model.pad_id)
            tgt_ids = torch.cat([tgt_ids, next_ids[:, None]], dim=1)
            ended = ended | (next_ids == eos_id)
    model.train(was_training)
    return tgt_ids
    ### END SOLUTION


# %% tests="greedy_decode"
check(greedy_decode)

# %% [markdown]
# **See.** Our sentence, which no training pair contains. The picture shows the probabilities at each step.
# *Before you run the cell:* at which steps will the model be least sure?

# %% slide="Where greedy decoding looks"
# NBVAL_IGNORE_OUTPUT
sentence = "Jane visite l'Afrique en septembre"
src_ids = torch.tensor([french.ids(sentence)])
tgt_ids = greedy_decode(model, src_ids, bos_id, eos_id, max_len=20)
said = [english.words[place] for place in tgt_ids[0]]
print(sentence, "->", " ".join(said))


def next_word_probabilities(model, src_ids, tgt_ids):
    """At each position the probabilities of what comes next: `(n, vocab)`."""
    with torch.no_grad():
        return torch.softmax(model.eval()(src_ids, tgt_ids), dim=-1)[0]


def show_steps(model, title):
    ids = greedy_decode(model, src_ids, bos_id, eos_id, max_len=9)
    probabilities = next_word_probabilities(model, src_ids, ids[:, :-1])
    # the words that are said come first, then those that came nearest to being said
    likely = probabilities.amax(dim=0).argsort(descending=True)
    shown = list(dict.fromkeys([*ids[0, 1:].tolist(), *likely.tolist()]))[:10]
    words = [english.words[place] for place in ids[0]]
    plots.attention(
        probabilities[:, shown],
        [f"{read} → {then}" for read, then in zip(words, words[1:])],
        [english.words[place] for place in shown],
        title=title,
        xlabel="the next word",
        ylabel="reads → says",
    )


show_steps(model, "Greedy, step by step")
show_steps(hurried, "The hurried model, step by step")

# %% [markdown]
# *Picture: two grids, a row for each step; the columns are the words that are said, in their order, then some that
# came near. In the first each row has one dark cell, on the diagonal: the word that is said. In the second the rows
# in which the verb and the place are said are pale: the word on the diagonal has a small share, and others have
# some too.*
#
# Read a row as: *after these words, what next?* In the upper picture the model is nearly certain everywhere. The
# hurried model is not: it is least sure of the verb and of the place. There many words would make a sentence, and only
# the French one tells which. Of *in* after *Africa* it is nearly as sure as the other. And a word that it has said
# stays, even if it was close.
#
# Three classical slips at this point, none of which raises an error: no `eval()`, so that dropout makes each
# translation another one; only the *last* id handed to the decoder, so that it has forgotten what it said; the
# logits read at a place of padding.

# %% [markdown]
# ## 3. More than one way to begin
#
# Greedy decoding never regrets. That can be a mistake, and it does not take a bad model for it. Here is a toy
# model that is easy to look into: its next word depends on the last word alone, by a table of probabilities.

# %%
after = {
    "<bos>": {"Jane": 1.0},
    "Jane": {"is": 0.5, "visits": 0.4, "in": 0.1},
    "is": {"going": 0.55, "visiting": 0.45},
    "going": {"to": 1.0},
    "to": {"visit": 1.0},
    "visit": {"Africa": 0.9, "in": 0.1},
    "visiting": {"Africa": 0.9, "in": 0.1},
    "visits": {"Africa": 0.9, "in": 0.1},
    "Africa": {"in": 0.7, "<eos>": 0.3},
    "in": {"September": 0.9, "<eos>": 0.1},
    "September": {"<eos>": 1.0},
}
toy_words = ["<pad>", "<bos>", "<eos>", *(word for word in after if word != "<bos>")]
toy_bos, toy_eos = 1, 2


class Toy(nn.Module):
    """Has the members of a Transformer, and a table inside."""

    def __init__(self):
        super().__init__()
        table = torch.full((len(toy_words), len(toy_words)), 1e-9)
        for word, row in after.items():
            for other, p in row.items():
                table[toy_words.index(word), toy_words.index(other)] = p
        self.pad_id = 0
        self.generator = nn.Linear(len(toy_words), len(toy_words), bias=False)
        self.generator.weight.data = table.log().T

    def encode(self, src_ids):
        return torch.zeros(*src_ids.shape, len(toy_words))

    def decode(self, tgt_ids, memory, src_ids):
        return nn.functional.one_hot(tgt_ids, len(toy_words)).float()

    def forward(self, src_ids, tgt_ids):
        return self.generator(self.decode(tgt_ids, self.encode(src_ids), src_ids))


def probability(words):
    """Of a whole sentence: all its words' probabilities multiplied."""
    return np.prod([after[word][other] for word, other in zip(words, words[1:])])


toy, nothing = Toy(), torch.tensor([[3]])
found = [toy_words[place] for place in greedy_decode(toy, nothing, toy_bos, toy_eos, max_len=12)[0]]
better = "<bos> Jane visits Africa in September <eos>".split()
print(f"greedy: {' '.join(found):<60} {probability(found):.3f}")
print(f"better: {' '.join(better):<60} {probability(better):.3f}")

# %% [markdown] slide="Long against short"
# After *Jane* the word *is* has the edge. But what comes after *is* splits in two, and both halves are worth less
# than *Jane visits Africa*. To see that, one would have to try both.
#
# All sentences cannot be tried: every further word multiplies their number by the size of the vocabulary.
# **Beam search** is the compromise. It follows the `beam_size` most probable beginnings at once:
#
# 1. Begin with one hypothesis: `<bos>`, with the sum 0.
# 2. Continue **each** hypothesis with **each** word. The sum of the logarithms grows by the word's $\log p$.
#    (Products of probabilities become sums of logarithms, which do not underflow.)
# 3. Of all these continuations together keep the `beam_size` best: those with the largest sums. If there are fewer,
#    as there may be at first in a wide beam, keep all. Among them one that ends with `<eos>` is **finished** and set
#    aside. The others go on.
# 4. Stop when none is left that goes on, or at `max_len`. What is unfinished then counts as it is.
#
# The next step keeps `beam_size` again. (Some let the beam get narrower with each finished one. That is right
# here, too.)
#
# At the end the hypotheses compete. A longer sentence has more factors below 1, so its sum is lower, good or
# not. To be fair, the sum is divided by a **length penalty** (Wu and others, 2016):
#
# $$\mathrm{score} = \frac{\sum \log p}{\left(\dfrac{5+L}{6}\right)^{\alpha}}$$
#
# $L$ counts the ids after `<bos>`, with `<eos>`. With $\alpha = 0$ the sum stays as it is. The larger
# $\alpha$, the better for long sentences. Here is the toy, by hand:

# %%
for alpha in (0.0, 0.6, 1.5):
    for words in (better, found):
        total, length = np.log(probability(words)), len(words) - 1
        score = total / ((5 + length) / 6) ** alpha
        print(f"alpha {alpha}: sum {total:.3f}, L {length}, score {score:.3f}  {' '.join(words[1:-1])}")

# %% [markdown]
# ### Exercise: `beam_search`
#
# One sentence at a time. The hypotheses that go on can share a batch.
#
# <details><summary>Hint 1: what to keep</summary>
#
# Two lists of pairs `(ids, total)`: `alive`, at first `[([bos_id], 0.0)]`, and `finished`, at first empty. All of
# `alive` have the same length, so `torch.tensor([ids for ids, _ in alive])` is a batch for the decoder. The memory
# has one row: `memory.expand(len(alive), -1, -1)` lends it to all, and so for `src_ids`.
#
# </details>
# <details><summary>Hint 2: the best continuations</summary>
#
# `torch.log_softmax(logits, dim=-1)` is `(len(alive), vocab)`. Add the totals, as a column. Flatten, and take the
# `topk`. Place `p` of the flat tensor means hypothesis `p // vocab` and word `p % vocab`. There may be fewer
# continuations than `beam_size`: `topk` needs the smaller of the two.
#
# </details>
# <details><summary>Hint 3: the end</summary>
#
# Pairs of `finished` and what is still `alive` compete together. Divide each total by `((5 + L) / 6) **
# length_penalty` with `L = len(ids) - 1`. `sorted(pairs, key=lambda pair: pair[1], reverse=True)[:beam_size]` is
# the answer. `.tolist()` makes Python numbers of tensors. The model's mode, and the gradients: as in
# `greedy_decode`.
#
# </details>

# %% solution="beam_search"
def beam_search(model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
    """Translate one sentence by following the most probable beginnings together.

    Args:
        model: a `Transformer`; its mode is the same afterwards.
        src_ids: `(1, n_src)`, a sentence of the source.
        bos_id: the id that every translation begins with.
        eos_id: the id that ends a translation.
        max_len: how many ids a translation has at most, the first one counted.
        beam_size: how many hypotheses are followed, and returned at most.
        length_penalty: the power alpha in the score; 0 leaves sums as they are.

    Returns:
        A list of pairs `(ids, score)`, the best first. ids is a list of ints from bos_id to eos_id, or one
        of max_len ids that has not ended. score is a number: the sum of the log-probabilities of all ids after
        bos_id, divided by ((5 + L) / 6) ** length_penalty, where L is the number of these ids.

    Example:
        >>> [ids for ids, score in beam_search(toy, nothing, toy_bos, toy_eos, max_len=3, beam_size=2)]
        [[1, 3, 4], [1, 3, 9]]

    Source: Wu et al. (2016), section 7, equation 14, without the coverage penalty.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    alive, finished = [([bos_id], 0.0)], []
    with torch.no_grad():
        memory = model.encode(src_ids)
        for _ in range(max_len - 1):
            tgt_ids = torch.tensor([ids for ids, _ in alive], device=src_ids.device)
            many = len(alive)
            hidden = model.decode(tgt_ids, memory.expand(many, -1, -1), src_ids.expand(many, -1))
            log_p = torch.log_softmax(model.generator(hidden[:, -1]), dim=-1)  # (many, vocab)
            totals = log_p + torch.tensor([[total] for _, total in alive], device=log_p.device)
            best = totals.flatten().topk(min(beam_size, totals.numel()))
            continued = [
                (alive[place // log_p.shape[1]][0] + [place % log_p.shape[1]], total)
                for place, total in zip(best.indices.tolist(), best.values.tolist())
            ]
            finished += [pair for pair in continued if pair[0][-1] == eos_id]
            alive = [pair for pair in continued if pair[0][-1] != eos_id]
            if not alive:
                break
    model.train(was_training)
    scored = [(ids, total / ((4 + len(ids)) / 6) ** length_penalty) for ids, total in finished + alive]
    return sorted(scored, key=lambda pair: pair[1], reverse=True)[:beam_size]
    ### END SOLUTION


# %% tests="beam_search"
check(beam_search)

# %% [markdown]
# **See.** The search on the toy, with two hypotheses. To draw it, we ask your function for longer and longer
# beginnings. *Before you run the cell:* in which column does the road of greedy decoding fall behind?

# %% slide="Two hypotheses at a time"
boxes, arrows, seen = {}, [], set()
for max_len in range(2, 10):
    row = 0
    for ids, score in beam_search(toy, nothing, toy_bos, toy_eos, max_len, beam_size=2, length_penalty=0.0):
        name = " ".join(map(str, ids))
        if name in seen or np.exp(score) < 1e-6:
            continue  # one that is finished comes again; one that the table knows nothing of
        seen.add(name)
        boxes[name] = (len(ids) - 2, 1.4 * row, f"{toy_words[ids[-1]]}\n{np.exp(score):.3f}")
        parent = " ".join(map(str, ids[:-1]))
        if parent in boxes:
            arrows.append((parent, name))
        row += 1
plots.flow(boxes, arrows, title="Two hypotheses at a time, with the probability so far")
for ids, score in beam_search(toy, nothing, toy_bos, toy_eos, 12, beam_size=2):
    print(f"{score:.3f}  {' '.join(toy_words[place] for place in ids[1:-1])}")

# %% [markdown]
# *Picture: a tree that grows to the right from Jane. It has two boxes in almost every column, each with a word and the
# probability of the sentence up to there, the larger number above. The branch over is and going is above at first, and
# below in the third column; the branch over visits and Africa ends first, and with more than the other has at its end.*
#
# In the third column the road of greedy decoding falls behind: 0.275 for *is going*, 0.360 for *visits Africa*. A beam
# of one has dropped *visits* by then. One column later *to* is above *in* again, since nothing else follows *going*,
# while *Africa* may be the last word. To be ahead half-way says little. So both are followed to their ends.
#
# Now the hurried model, on a sentence of the test. How the hypotheses differ shows where it wavers.

# %%
# NBVAL_IGNORE_OUTPUT
for fr, en in test_pairs()[1:4]:
    print(f"{fr}\n    expected: {en}")
    for ids, score in beam_search(hurried, torch.tensor([french.ids(fr)]), bos_id, eos_id, 20, beam_size=3):
        print(f"    {score:.3f}  {english.sentence(ids)}")

# %% [markdown]
# **Play:** try `length_penalty=3.0`, and then `-3.0`. What happens to the length of the sentences?
#
# A wider beam finds sentences that the *model* finds more probable. Whether they are *better* is another
# question: a model may well give a high probability to a bad, short sentence. With very wide beams translations
# often get worse again (Koehn and Knowles, 2017). Four or five is a usual width; the paper took 4, with
# $\alpha = 0.6$.

# %% [markdown]
# ## 4. Never compute a key twice
#
# Look at what your loops do. For the fifth word the decoder reads four, for the sixth it reads five. Each time it
# makes keys and values of **all** of them, though those of the first four have not changed: the causal mask sees
# to it that nothing which comes later has any influence on them.
#
# So keep them. The **cache** of a layer holds keys and values of all positions so far. For a new position there
# is one query, one new key, one new value:

# %% slide="What is computed twice"
n = 8
made_anew = np.tril(np.ones((n, n)))
plots.attention(
    np.stack([made_anew, np.eye(n)]),
    [f"step {step}" for step in range(1, n + 1)],
    [f"{place}" for place in range(1, n + 1)],
    titles=[f"without a cache: {int(made_anew.sum())}", f"with a cache: {n}"],
    title="Keys and values that are computed",
    xlabel="position",
    ylabel="",
)

# %% [markdown]
# *Picture: two grids, a row for each step, a column for each position. On the left all cells on and below the
# diagonal are dark, on the right only the diagonal.*
#
# The work for keys and values of a whole sentence grows with the square of its length without a cache, and in
# proportion to its length with one. The new query still looks at all keys, so each *step* costs a little more
# than the one before.
#
# Shapes, for one step:
#
# | | shape |
# |---|---|
# | `x`, the new position | `(batch, 1, d_model)` |
# | its query, key, value, split into heads | `(batch, n_heads, 1, d_head)` |
# | keys and values of the cache, each | `(batch, n_heads, n_past, d_head)` |
# | keys and values with the new one | `(batch, n_heads, n_past + 1, d_head)` |
# | weights | `(batch, n_heads, 1, n_past + 1)` |
#
# *And the mask?* The new position is the last. All that is in the cache lies before it. So there is nothing to
# hide. (A known trap: `is_causal=True` with a single query means the first row of the triangle, which sees key 0
# alone.)
#
# ### Exercise: `CachedAttention`
#
# Its members are those of your `MultiHeadAttention`: four linear layers `w_q`, `w_k`, `w_v`, `w_o`. The given
# cache must stay as it is: in a beam search several hypotheses continue the same one.
#
# <details><summary>Hint 1: heads</summary>
#
# `w_q(x)` is `(batch, 1, d_model)`. `.unflatten(-1, (n_heads, -1))` makes `(batch, 1, n_heads, d_head)` of it, and
# `.transpose(1, 2)` what you need. The way back is `.transpose(1, 2).flatten(2)`.
#
# </details>
# <details><summary>Hint 2: one position longer</summary>
#
# `torch.cat([old, new], dim=2)` puts the new key behind the old ones, along the axis of positions, in a new
# tensor. When `cache` is None there are no old ones.
#
# </details>
# <details><summary>Hint 3: the rest is lesson 05</summary>
#
# Scores are `q @ k.transpose(-1, -2)`, divided by the root of `d_head`; softmax over the last axis; times `v`;
# heads merged; `w_o`. Return the output and the pair `(k, v)` in full length.
#
# </details>

# %% solution="CachedAttention"
class CachedAttention(nn.Module):
    """Self-attention of one new position, over itself and all before it.

    Args:
        d_model: how many numbers a word has.
        n_heads: the number of heads, a divisor of d_model.

    Members: `w_q`, `w_k`, `w_v`, `w_o`, each an `nn.Linear(d_model, d_model)`.

    `forward(x, cache=None)`: x is `(batch, 1, d_model)`, the new position. cache is None at the first position,
        then what the last call returned: a pair `(keys, values)`, each `(batch, n_heads, n_past, d_head)`.
        Returns the output `(batch, 1, d_model)` and a new cache, one position longer. The given one is unchanged.

    Example:
        >>> output, cache = CachedAttention(d_model=8, n_heads=2)(torch.ones(3, 1, 8))
        >>> output.shape, cache[0].shape
        (torch.Size([3, 1, 8]), torch.Size([3, 2, 1, 4]))
    """

    def __init__(self, d_model, n_heads):
        super().__init__()
        ### BEGIN SOLUTION
        self.w_q, self.w_k = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.w_v, self.w_o = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.n_heads = n_heads
        ### END SOLUTION

    def forward(self, x, cache=None):
        ### BEGIN SOLUTION
        layers = (self.w_q, self.w_k, self.w_v)
        q, k, v = (layer(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for layer in layers)
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5  # (batch, n_heads, 1, n_past + 1)
        output = torch.softmax(scores, dim=-1) @ v
        return self.w_o(output.transpose(1, 2).flatten(2)), (k, v)
        ### END SOLUTION


# %% tests="CachedAttention"
check(CachedAttention)

# %% [markdown]
# **See.** Is it the same? Your `MultiHeadAttention` on a whole sentence with a causal mask, against your
# `CachedAttention` with the same weights, fed word by word:

# %%
torch.manual_seed(0)
whole, cached = MultiHeadAttention(64, 4), CachedAttention(64, 4)
for name in ("w_q", "w_k", "w_v", "w_o"):
    getattr(cached, name).load_state_dict(getattr(whole, name).state_dict())


def word_by_word(x):
    outputs, cache = [], None
    for place in range(x.shape[1]):
        output, cache = cached(x[:, place : place + 1], cache)
        outputs.append(output)
    return torch.cat(outputs, dim=1)


x = torch.randn(2, 12, 64)
with torch.no_grad():
    at_once = whole(x, x, x, torch.ones(12, 12, dtype=torch.bool).tril())[0]
    print("the same to 1e-5:", torch.allclose(at_once, word_by_word(x), atol=1e-5))

# %% [markdown]
# And the time? Without a cache each step sends all positions through the module. *Before you run the cell:* which
# shape will the two curves have?

# %% slide="With and without a cache"
lengths = [16, 64, 128, 192, 256, 384, 512]
seconds = {"without a cache": [], "with a cache": []}
with torch.no_grad():
    for n in lengths:
        x = torch.randn(1, n, 64)
        causal = torch.ones(n, n, dtype=torch.bool).tril()
        past = (torch.randn(1, 4, n - 1, 16), torch.randn(1, 4, n - 1, 16))
        for name, step in {
            "without a cache": lambda: whole(x, x, x, causal)[0][:, -1],
            "with a cache": lambda: cached(x[:, -1:], past)[0],
        }.items():
            step()  # not counted: the first time is always slower
            began = time.perf_counter()
            for _ in range(5):
                step()
            seconds[name].append((time.perf_counter() - began) / 5 * 1e3)
plots.lines(
    lengths, seconds, xlabel="words so far", ylabel="milliseconds", title="One layer, one new word", yscale="log"
)

# %% [markdown]
# *Picture: two curves of the time for one new word against the number of words so far. Without a cache it climbs
# steeply. With a cache it lies lower and stays almost level.*
#
# A whole decoder has such a cache in each layer. Three things to mind when you build one:
#
# - **Cross-attention** has a cache too, but it never grows: keys and values come from the memory, which stays the
#   same. They are computed once. (To append to it at every step is a known slip.)
# - **Positions:** the new word stands at place `n_past`, and needs *that* row of the positional encoding. With
#   the cache the decoder sees a sentence of one word, and may take it for the first.
# - **Beam search:** hypotheses are dropped and doubled. Their rows of the cache must move along with them.
#
# The price is memory: two numbers for each position, layer and feature. Lesson 09 counts such things.

# %% [markdown]
# ## 5. From text to text
#
# All is there. What is left is to put text in and to get text out.
#
# `french.ids("Jane visite Rome")` gives a list of ids, `padded(rows, pad_id)` makes one tensor of several such
# lists, `english.sentence(ids)` makes text of ids: it stops at `<eos>` and leaves special tokens out.
#
# In training French sentences had neither `<bos>` nor `<eos>`. So they must not have them here. What a model was
# trained with, it needs to be used with.
#
# ### Exercise: `translate`
#
# Translate all sentences together, with your `greedy_decode`. No translation needs more than 30 ids.
#
# When you hand in your notebook, `translate` is also called with **your own weights**, on sentences that you
# have not seen. Section 9 tells more. The check below cannot ask that, so its card has a – there.
#
# <details><summary>Hint 1: four lines</summary>
#
# The vocabularies: `vocabularies()` gives both. Then: sentences to ids to one tensor; `greedy_decode`; each row to
# text.
#
# </details>
# <details><summary>Hint 2: which vocabulary is for what?</summary>
#
# French words become ids by the French vocabulary; `padded` needs its `pad_id`. What comes out is English: `bos_id`
# and `eos_id` are of the English vocabulary, and so are the words.
#
# </details>

# %% solution="translate"
def translate(model, sentences):
    """Translate French sentences into English.

    Args:
        model: a `Transformer` that was trained with the vocabularies of `utils.corpus`.
        sentences: a list of French sentences, words and spaces.

    Returns:
        A list of English sentences, as many and in the same order, without special tokens.

    Example:
        >>> translate(model, ["Jane visite l'Afrique en septembre"])
        ['Jane visits Africa in September']
    """
    ### BEGIN SOLUTION
    french, english = vocabularies()
    src_ids = padded([french.ids(sentence) for sentence in sentences], french.pad_id)
    src_ids = src_ids.to(model.generator.weight.device)
    tgt_ids = greedy_decode(model, src_ids, english.bos_id, english.eos_id, max_len=30)
    return [english.sentence(row) for row in tgt_ids.tolist()]
    ### END SOLUTION


# %% tests="translate"
check(translate)

# %% [markdown]
# **See.** Write sentences of your own, from the words of the corpus.

# %%
# NBVAL_IGNORE_OUTPUT
mine = [
    "Jane visite l'Afrique en septembre",
    "nous visiterons l'Afrique en septembre",
    "Marie n'a pas vendu sa petite voiture",
    "Jane visite la Lune",
]
for fr, en in zip(mine, translate(model, mine)):
    print(f"{fr:<40} {en}")

# %% [markdown]
# *la Lune* is in no training pair. The vocabulary makes `<unk>` of an unknown word, and the model has to say
# *something*. It does not know that it does not know.

# %% [markdown]
# ## 6. How good is it?
#
# In lesson 07 you counted the sentences that were right to the last word. That is strict: *Jane will visit
# Africa in September* is then as wrong as *the cat buys a hat*. The usual measure since 2002 is **BLEU**. It asks:
# of the pieces of the translation, how many are in the right one too?
#
# Pieces are **n-grams**: single words, pairs of neighbours, threes and fours. For each length the share of pieces
# that also occur in the reference is the **precision**. No piece counts more often than the reference has it.

# %%
reference = "Jane visits Africa in September".split()
candidate = "Jane visits Africa in the September".split()


def pieces(words, length):
    return Counter(tuple(words[place : place + length]) for place in range(len(words) - length + 1))


precisions = []
for length in (1, 2, 3, 4):
    of_candidate, of_reference = pieces(candidate, length), pieces(reference, length)
    common = (of_candidate & of_reference).total()
    precisions.append(common / of_candidate.total())
    print(f"{length}-grams: {common} of {of_candidate.total()} are in the reference")
mean = np.prod(precisions) ** (1 / 4)
print(f"their geometric mean: {mean:.4f}")

# %% [markdown]
# Precision alone rewards those who say little: *Jane* would be perfect. So there is a **brevity penalty**. If
# the translations together have $c$ words, fewer than the $r$ words of the references, the mean is multiplied by
# $e^{1-r/c}$. Here the translation is not too short.
#
# BLEU is counted over a **whole test set**: all pieces of all sentences first, then the shares. A mean of BLEUs of
# single sentences is something else.
#
# Small choices (how text is cut into words, capital letters, smoothing) move the number by whole points. So never
# write your own for a comparison. **sacreBLEU** does it for all in the same way, and tells how, in a
# **signature**, which belongs beside every number:

# %%
from sacrebleu.metrics import BLEU

bleu = BLEU()
by_library = bleu.corpus_score([" ".join(candidate)], [[" ".join(reference)]])
print(f"by hand {100 * mean:.2f}, by sacreBLEU {by_library.score:.2f}")
print(bleu.get_signature())

# %% [markdown]
# `nrefs:1` one reference a sentence; `case:mixed` capitals count; `tok:13a` how words are cut; `smooth:exp` what
# happens where a precision is 0; `eff:no` always up to fours; and the version.
#
# Now both models, greedy and with a beam, on sentences of the test. *Before you run the cell:* for which model
# will the beam matter more?

# %% slide="Greedy against beam"
# NBVAL_IGNORE_OUTPUT
some = test_pairs()[:100]
sources, references = [fr for fr, _ in some], [en for _, en in some]


def with_beam(model, beam_size):
    best = (beam_search(model, torch.tensor([french.ids(fr)]), bos_id, eos_id, 20, beam_size)[0] for fr in sources)
    return [english.sentence(ids) for ids, _ in best]


scores = {}
for name, one in {"trained": model, "hurried": hurried}.items():
    translations = {"greedy": translate(one, sources), "beam of 4": with_beam(one, 4)}
    scores[name] = [bleu.corpus_score(texts, [references]).score for texts in translations.values()]
plots.bars(scores, ["greedy", "beam of 4"], ylabel="BLEU", title="100 sentences of the test", digits=1)
print(bleu.get_signature())

# %% [markdown]
# *Picture: bars of BLEU for greedy decoding and a beam of four. Those of the trained model are close to 100, those
# of the hurried one clearly lower; greedy and beam differ by a few points at most.*
#
# A model that is sure of itself has nothing to search for. On real texts, where there are many good ways to say
# a thing, a beam is commonly worth a point or so.
#
# Three warnings about BLEU. It compares *words*, so a good translation in other words scores low. It can be
# compared on the same test set only. And it must be counted on what the model **wrote by itself**: under teacher
# forcing, with the right words before given, it would tell almost nothing.

# %% [markdown]
# ## 7. Where does it look?
#
# The cross-attention of the decoder looks at French words before each English one. Which ones? A **hook** is a
# function that PyTorch calls whenever a module has computed something. With one we catch the weights that your
# modules have returned all along.

# %% slide="Where it looks"
def cross_attention_heads(model, src_ids, tgt_ids):
    """Weights of all decoder layers for one sentence: `(n_layers, n_heads, n_tgt, n_src)`."""
    caught = []
    hooks = [
        layer.cross_attention.register_forward_hook(lambda module, inputs, result: caught.append(result[1][0]))
        for layer in model.decoder.layers
    ]
    with torch.no_grad():
        model(src_ids, tgt_ids)
    for hook in hooks:
        hook.remove()
    return torch.stack(caught)


def show_alignment(text):
    src_ids = torch.tensor([french.ids(text)])
    tgt_ids = greedy_decode(model, src_ids, bos_id, eos_id, max_len=20)
    words = [english.words[place] for place in tgt_ids[0]]
    weights = cross_attention_heads(model, src_ids, tgt_ids[:, :-1])[-1].mean(dim=0)  # the last layer's, all heads
    labels = [f"{read} → {then}" for read, then in zip(words, words[1:])]
    plots.attention(weights, labels, text.split(), title=text, xlabel="French", ylabel="reads → says")
    return weights, words[1:]


weights, words = show_alignment("Jane visite l'Afrique en septembre")

# %%
# NBVAL_IGNORE_OUTPUT
if "September" in words:
    row = weights[words.index("September")]
    place = row.argmax().item()
    print(f"to say September it looks most at {sentence.split()[place]}, with weight {row[place]:.2f}")

# %% [markdown]
# *Picture: a grid with a row for each English word that is said and a column for each French word. In most rows
# one cell is dark: that of the French word which is being translated.*
#
# Nobody told the model which word belongs to which. It found the **alignment** of *septembre* and *September* by
# itself, since looking there made its predictions better. This picture, in Bahdanau and others (2015), made
# attention famous.
#
# Read the labels with care. The row that looks at *septembre* is the position that **reads** *in* and **says**
# *September*: a position looks for what it is about to say.
#
# Now a sentence in which the words change places. *Before you run the cell:* what will the picture look like?

# %%
_ = show_alignment("Sophie a vendu la voiture rouge en mai")

# %% [markdown]
# *Picture: as before; but the dark cells of the car and its colour change places: red is said first and stands
# last in French.*
#
# The mean hides that heads differ. Here is each of them, to point at:

# %%
src_ids = torch.tensor([french.ids(sentence)])
tgt_ids = greedy_decode(model, src_ids, bos_id, eos_id, max_len=20)
words = [english.words[place] for place in tgt_ids[0]]
steps = [f"{read} → {then}" for read, then in zip(words, words[1:])]
plots.explore(
    cross_attention_heads(model, src_ids, tgt_ids[:, :-1]), steps, sentence.split(), title="Cross-attention, head by head"
)

# %% [markdown]
# *Picture: the steps of the translation on the left, the French words on the right, lines as thick as the weights.
# Choose layer and head, and point at a step. On a saved page there is a grid for each head instead.*
#
# A caution: weights show where information *may* come from. Several layers mix the words before. An alignment is a
# hint, not an explanation.

# %% [markdown]
# ## 8. A gallery of errors
#
# A number says how good. Only reading says *what* is wrong. Here are sentences that the hurried model gets wrong,
# sorted by what happened to their words:

# %%
# NBVAL_IGNORE_OUTPUT
def kind_of_error(said, right):
    """What happened, roughly: by which words are missing, and which are too many."""
    said, right = said.split(), right.split()
    missing, extra = Counter(right) - Counter(said), Counter(said) - Counter(right)
    if not missing and not extra:
        return "right words in another order"
    if any(said[place] == said[place + 1] for place in range(len(said) - 1)):
        return "a word twice in a row"
    if missing and not extra:
        return "something left out"
    if extra and not missing:
        return "something added"
    return "another word" if sum(missing.values()) == 1 else "several other words"


gallery = {}
for fr, right, said in zip(sources, references, translate(hurried, sources)):
    if said != right:
        gallery.setdefault(kind_of_error(said, right), []).append((fr, right, said))
for kind, found in sorted(gallery.items(), key=lambda item: -len(item[1])):
    print(f"\n{kind}: {len(found)} of {len(sources)} sentences")
    for fr, right, said in found[:2]:
        print(f"   {fr}\n      expected: {right}\n      got:      {said[:80]}")

# %% [markdown]
# **Your turn:** look at the *other words*. Are they of the same kind as the right ones: a month for a month, a
# name for a name? Then the model has understood the grammar before the words.
#
# | what you read | where to look |
# |---|---|
# | another translation at each call | `eval()` forgotten |
# | one word again and again, to the end | only the last id is handed on; position always 0; a model that has learned little |
# | sentences that go on after their end | `<eos>` is not looked for |
# | right alone, wrong in a batch | padding is looked at, or rows stop together |
# | a beam that is worse than greedy | totals without log-softmax; no length penalty; the first finished one is returned |
# | fine at first, nonsense after some words, with a cache | positions; rows of the cache not moved with their hypotheses |
# | words missing at the end | `max_len` too small |

# %% [markdown]
# ## 9. Your own translator
#
# The last points of `translate` are for the whole way: your weights, your decoding, your text. When your notebook
# is graded, sentences are drawn that you have not seen. Your `translate` gets them with a model that has the
# weights of **`translator.safetensors`**, the file beside this notebook. What counts is BLEU: from 30 on there is
# one point, from 60 on two, from 90 on three.
#
# This is what you would get now, on the whole test set:

# %%
# NBVAL_IGNORE_OUTPUT
mine = load_translator(Transformer) if beside.exists() else model
translations = translate(mine, [fr for fr, _ in test_pairs()])
result = bleu.corpus_score(translations, [[en for _, en in test_pairs()]])
exact = np.mean([one == en for one, (_, en) in zip(translations, test_pairs())])
print(f"BLEU {result.score:.1f}, exact {exact:.1%} of {len(translations)} sentences: {translations[0]}")
print(f"points: {sum(result.score >= least for least in (30, 60, 90))} of 3")
if beside.exists():
    print(f"translator.safetensors has {beside.stat().st_size:,} bytes; at most 20,000,000 are read")

# %% [markdown]
# - **Hand in both files**, the notebook and `translator.safetensors`, from the same folder.
# - **Is it not good enough?** Train longer in lesson 07, then run this notebook again.
# - **Why safetensors?** The file holds names and numbers, nothing that runs. A pickle, as `torch.save` writes
#   it by default, can run anything when it is opened. So it is not read here.
# - Only the parameters are in it, and the number of heads, which no shape tells.

# %% [markdown] slide="What to take home"
# ## Summary
#
# - The model gives **probabilities of the next word**. How sentences are made of them is a choice: decoding.
# - **Greedy:** the best word, again and again. Evaluation mode, no gradients, rows that have ended are padded.
# - **Beam search** follows several beginnings. Sums of $\log p$, divided by a length penalty, make sentences of
#   different lengths comparable.
# - A **cache** keeps keys and values. A step computes those of one new position, and looks at all.
# - **BLEU** compares n-grams over a test set, with a brevity penalty. Use sacreBLEU, and give its signature.
# - **Cross-attention** aligns words, without having been told to.
# - **Read** what your model writes. No number replaces it.

# %% [markdown]
# ## Check yourself
#
# Answer in your head, then open.
#
# <details><summary>1. Why can training compute all positions at once, and decoding cannot?</summary>
#
# In training all English words are known, and the mask hides the later ones. In decoding the next word is not
# known before this one is chosen.
#
# </details>
# <details><summary>2. A beam as wide as the vocabulary, and sentences of at most one word after <code>&lt;bos&gt;</code>.
# What does beam search find?</summary>
#
# The best of all: every continuation fits into the beam. For longer sentences that takes a width which grows with
# every word.
#
# </details>
# <details><summary>3. With <code>length_penalty=0</code> a beam search returns very short sentences. Why?</summary>
#
# Each further word adds a negative number to the sum. Without the division nothing makes up for it.
#
# </details>
# <details><summary>4. Batch 2, 4 heads, <code>d_model</code> 64, six layers, 100 words so far. How many numbers does
# the cache of the decoder's self-attention hold?</summary>
#
# Keys and values: 2. Times batch 2, times 6 layers, times 100 positions, times 64 features (4 heads of 16):
# 153,600.
#
# </details>
# <details><summary>5. A colleague reports a BLEU of 41, another one of 39, for different test sets. Who has the better
# model?</summary>
#
# Nobody can tell. BLEU compares on the same test set, with the same signature.
#
# </details>

# %% [markdown]
# ## Further reading
#
# - A. Vaswani and others, *Attention Is All You Need*, NeurIPS 2017. Section 6.1: beam of 4, penalty 0.6.
# - Y. Wu and others, *Google's Neural Machine Translation System*, 2016. Section 7: decoding; equation 14: the
#   length penalty.
# - P. Koehn, R. Knowles, *Six Challenges for Neural Machine Translation*, 2017. Section 3.6: wide beams.
# - K. Papineni and others, *BLEU: a Method for Automatic Evaluation of Machine Translation*, ACL 2002.
# - M. Post, *A Call for Clarity in Reporting BLEU Scores*, WMT 2018: sacreBLEU and its signature.
# - D. Bahdanau, K. Cho, Y. Bengio, *Neural Machine Translation by Jointly Learning to Align and Translate*, ICLR
#   2015. Figure 3: alignments.
# - N. Shazeer, *Fast Transformer Decoding: One Write-Head is All You Need*, 2019: what a cache costs.
#
# **Next:** lesson 09, where everything gets larger.
