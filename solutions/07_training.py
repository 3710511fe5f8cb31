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
# # 07 · Training: from random numbers to a translator
#
# **What you will be able to do:** train your Transformer until it translates sentences that it has never
# seen, watch it learn, stop it and go on, and tell from a loss curve what is wrong.
#
# | | |
# |---|---|
# | **Goal** | *Jane visite l'Afrique en septembre* comes out as *Jane visits Africa in September*, unseen |
# | **You know already** | lesson 04: teacher forcing; lesson 06: the Transformer and its logits |
# | **You need** | 90 to 120 minutes, of which the training itself takes a few |
#
# | section | you write |
# |---|---|
# | 1 · What there is to learn from | |
# | 2 · How wrong is it? | `label_smoothed_loss` |
# | 3 · How large a step? | `warmup_learning_rate` |
# | 4 · Which sentences share a batch? | `token_budget_batches` |
# | 5 · One step | `train_step` |
# | 6 · Overfit one batch, on purpose | |
# | 7 · Broken on purpose | |
# | 8 · Stop, and go on | |
# | 9 · The run | |
# | 10 · Does it translate? | |
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
import itertools
import os
import time
from pathlib import Path

import torch
from torch import nn

from utils import corpus
from utils.training import Live, load_checkpoint, save_checkpoint
from utils.translation import to_batch, translate

torch.set_printoptions(precision=3, sci_mode=False)

# %% [markdown]
# This lesson trains your `Transformer` of lesson 06, and cuts sentences with your `teacher_forcing` of
# lesson 04, wrapped so that it takes tensors. If a notebook of yours passes its check, you get your own
# piece. Otherwise you get one that the course provides.

# %%
Transformer = carry("Transformer")
teacher_forcing = carry("teacher_forcing", tensors=True)

# %% [markdown]
# ## 1. What there is to learn from
#
# A fresh Transformer is a heap of random numbers. It knows no French, no English, and not even that there
# are sentences. All that it will ever know comes from examples. Here they are: pairs of sentences, made by a
# small grammar, so that they are there without a download.

# %%
train_pairs, test_pairs = corpus.train_pairs(), corpus.test_pairs()
print(f"{len(train_pairs):,} pairs to learn from, {len(test_pairs):,} pairs for the test\n")
for french_sentence, english_sentence in train_pairs[:6]:
    print(f"{french_sentence:<44} {english_sentence}")

# %% [markdown]
# Look closely, for the model has to find all this out by itself: *je n'ai pas* and *did not*, adjectives that
# stand behind their noun, *en*, *au* and *aux* that all become *in*.
#
# The **test pairs** are kept away from the training. In them things and times meet that never meet in the
# training pairs. Our sentence is one of them:

# %%
notes_french, notes_english = test_pairs[0]
print(notes_french, "->", notes_english)
both = [french for french, _ in train_pairs if "Afrique" in french and "septembre" in french]
print("training sentences with Africa:", sum("Afrique" in french for french, _ in train_pairs))
print("training sentences with September:", sum("septembre" in french for french, _ in train_pairs))
print("training sentences with both:", len(both))

# %% [markdown]
# So it cannot be known by heart. It can only be *understood*, from parts that were seen in other company.
#
# **Words become ids** by a vocabulary for each language. Four ids are the same in both: padding, begin, end,
# and words that are not known.

# %%
french, english = corpus.vocabularies()
print(len(french), "French words,", len(english), "English words")
print("the first English ones:", english.words[:8])
print(notes_english, "->", english.ids(notes_english))

# %% [markdown]
# **Sentences become batches.** `to_batch` gives two tensors: `batch.src` with the French ids, `batch.tgt`
# with the English ones. Rows of `tgt` begin with `<bos>` and end with `<eos>`. Both are padded on the right.

# %%
batch = to_batch([test_pairs[0], train_pairs[0]], french, english)
print("src", tuple(batch.src.shape), "= (batch, n_src)\n", batch.src)
print("tgt", tuple(batch.tgt.shape), "= (batch, n_tgt)\n", batch.tgt)

# %% [markdown]
# Now the whole of training on one page. It is a circle, and each turn is one **step**:

# %% slide="What goes in, what should come out"
plots.flow(
    {
        "batch": (0, 0, "a batch"),
        "forced": (0, 1.2, "teacher_forcing"),
        "model": (0, 2.4, "model"),
        "loss": (0, 3.6, "label_\nsmoothed_loss"),
        "gradients": (2.2, 3.6, "gradients"),
        "clip": (2.2, 2.4, "clip"),
        "step": (2.2, 1.2, "optimizer"),
        "rate": (2.2, 0, "warmup_\nlearning_rate"),
    },
    [
        ("batch", "forced", "tgt (batch, n_tgt)"),
        ("forced", "model", "all words but the last"),
        ("model", "loss", "logits (batch, n, vocab)"),
        ("loss", "gradients", "backward"),
        ("gradients", "clip", ""),
        ("clip", "step", ""),
        ("rate", "step", ""),
        ("step", "model", "new weights"),
    ],
    title="One step of training",
)

# %% [markdown]
# *Picture: a circle of boxes. A batch goes through teacher_forcing into the model, whose logits go into
# label_smoothed_loss. From there backward gives gradients, which are clipped and handed to the optimizer. It
# also gets a learning rate, and gives new weights to the model.*
#
# (Two arrows are left out: the French ids go straight into the model, and `teacher_forcing` hands the labels, all
# words but the first, to the loss.)
#
# You write the loss, the learning rate, what makes the batches, and the whole circle. All are short. Each is also a
# place where training can go wrong *without any error*, and that is what this lesson is about.

# %% [markdown]
# ## 2. How wrong is it?
#
# The model reads `<bos> Jane visits` and gives one logit for each English word. The right next word, the
# **label**, is *Africa*. How wrong was it, in one number?
#
# Softmax turns the logits into probabilities. If *Africa* got the probability $p$, the loss of this
# position is $-\log p$, the **cross-entropy**: 0 if the model was certain and right, and the larger the more
# it is surprised. A model that knows nothing bets evenly: each of the $V$ words of the vocabulary gets the
# probability $1/V$, and whichever comes, the loss is $\log V$. An untrained model favours some words, at random. By luck
# a position costs it less than even bets or more; on average it is mostly somewhat more:

# %%
torch.manual_seed(0)
untrained = Transformer(len(french), len(english), d_model=32, n_heads=4, n_layers=2, d_ff=64)
alone = to_batch([test_pairs[0]], french, english)
decoder_input, labels = teacher_forcing(alone.tgt)
log_p = torch.log_softmax(untrained(alone.src, decoder_input), dim=-1)  # (1, n, vocab)
for word, label, row in zip(decoder_input[0], labels[0], log_p[0]):
    print(f"reads {english.words[word]:<10} shall say {english.words[label]:<10} loss {-row[label].item():.2f}")
mean = -log_p[0].gather(-1, labels[0][:, None]).mean().item()
print(f"on average {mean:.2f}; even bets on {len(english)} words would cost {np.log(len(english)):.2f} each")

# %% [markdown]
# All these positions were judged in **one** pass, with the right translation in hand. This is what teacher
# forcing and the causal mask were made for. The mask hides the end of the sentence, so the model imitates at
# every position what it must do later, when there is no translation yet: it is given the first words, as if it
# had translated them perfectly, and has to find the next one. *Before you run the cell:* the same model is now
# given only the first word, then the first two, and so on. Which losses will change?

# %%
print("in one pass: ", " ".join(f"{-row[label].item():.2f}" for label, row in zip(labels[0], log_p[0])))
last = [untrained(alone.src, decoder_input[:, : n + 1])[0, -1] for n in range(labels.shape[1])]  # logits of the last position
word_by_word = torch.log_softmax(torch.stack(last), dim=-1)
print("word by word:", " ".join(f"{-row[label].item():.2f}" for label, row in zip(labels[0], word_by_word)))

# %% [markdown]
# None. One pass of training is worth as many as there are words. (Lesson 04 showed why.)
#
# **Label smoothing.** A loss of 0 needs a probability of exactly 1, hence an infinite logit. A model that
# is pushed there becomes too sure of itself. So the label is made a little soft: it keeps the share
# $1 - \varepsilon$, and the rest $\varepsilon$ is spread evenly over **all** $V$ words of the vocabulary, the right
# one among them. With five words, of which the third is right, and $\varepsilon = 0.1$, this is what the model
# should say:

# %%
smoothed_label = torch.full((5,), 0.1 / 5)
smoothed_label[2] += 1 - 0.1
print(smoothed_label, "adds up to", f"{smoothed_label.sum().item():.1f}")

# %% [markdown] slide="The smoothed loss"
# The loss of one position is the surprise at each word, $-\log p_v$, weighted with these shares:
#
# $$\ell = -(1-\varepsilon)\,\log p_{\text{label}} \;-\; \varepsilon \cdot \frac{1}{V}\sum_{v=1}^{V} \log p_v$$
#
# The paper takes $\varepsilon = 0.1$ (section 5.4).
#
# **Padding** is no word. What the model says there is of no concern, so these positions count neither in
# the sum nor in the number by which it is divided.
#
# ### Exercise: `label_smoothed_loss`
#
# Write it by hand, on `torch.log_softmax`. `F.cross_entropy` and `F.kl_div` are refused here.
#
# <details><summary>Hint 1: from logits to two numbers a position</summary>
#
# `torch.log_softmax(logits, dim=-1)` is `(batch, n, vocab)`. You need two things of it, each `(batch, n)`: the
# entry at the label, and the mean over the last axis.
#
# </details>
# <details><summary>Hint 2: the entry at the label</summary>
#
# `tensor.gather(-1, index)` picks entries along the last axis. `index` needs as many axes as the tensor:
# `labels` gets one more at the end, `labels.unsqueeze(-1)`, and the result loses it again by `.squeeze(-1)`.
#
# </details>
# <details><summary>Hint 3: the mean over real words</summary>
#
# `losses` is `(batch, n)`, `labels != pad_id` is a mask of the same shape. `losses[mask]` is a flat tensor of
# the real ones alone. Choose first, average then.
#
# </details>

# %% solution="label_smoothed_loss"
def label_smoothed_loss(logits, labels, pad_id, smoothing=0.1):
    """Cross-entropy with smoothed labels, averaged over real words.

    Args:
        logits: `(batch, n, vocab)`, scores of the next word; as large as 1000.
        labels: `(batch, n)`, ids of the words that should come; at least one is not padding.
        pad_id: the id of padding; positions with this label do not count.
        smoothing: the share of each label that is spread evenly over all words of the vocabulary.

    Returns:
        A tensor without axes, which gradients can start from.

    Example:
        >>> label_smoothed_loss(torch.zeros(1, 2, 4), torch.tensor([[3, 0]]), pad_id=0)
        tensor(1.386)

    Source: Vaswani et al. (2017), section 5.4; Szegedy et al. (2016), section 7.
    """
    ### BEGIN SOLUTION
    log_p = torch.log_softmax(logits, dim=-1)  # (batch, n, vocab)
    of_labels = log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1)  # (batch, n)
    losses = -(1 - smoothing) * of_labels - smoothing * log_p.mean(dim=-1)
    return losses[labels != pad_id].mean()
    ### END SOLUTION


# %% tests="label_smoothed_loss"
check(label_smoothed_loss)

# %% [markdown]
# **See.** One position. The model gives the label the probability $p$, and shares the rest evenly among the
# other words. *Before you run the cell:* where is the lowest point of each curve?

# %% slide="What certainty costs"
p = torch.linspace(0.02, 0.998, 400)
others = ((1 - p) / (len(english) - 1))[:, None].expand(-1, len(english) - 1)
logits = torch.cat([p[:, None], others], dim=1).log()[:, None]  # (400, 1, vocab): the label is word 0


def loss_by_p(smoothing):
    return torch.stack([label_smoothed_loss(row[None], torch.tensor([[0]]), -1, smoothing=smoothing) for row in logits])


curves = {f"smoothing {smoothing}": loss_by_p(smoothing) for smoothing in (0.0, 0.1, 0.3)}
plots.lines(p, curves, xlabel="probability of the right word", ylabel="loss", title="What certainty is worth")
for name, curve in curves.items():
    print(f"{name}: lowest, {curve.min().item():.2f}, at p = {p[curve.argmin()].item():.2f}")

# %% [markdown]
# *Picture: three curves over the probability of the right word. Without smoothing it falls all the way to
# 0. With smoothing it falls, turns shortly before 1, and rises again; the more smoothing, the higher the
# lowest point.*
#
# With smoothing the best a model can do is not 0. Keep the middle number in mind: **this is the floor.** A
# training loss that comes near it is perfect. No model can get below it, not even one that cheats: a loss that
# does is computed wrongly.

# %%
floor = curves["smoothing 0.1"].min().item()

# %% [markdown] slide="How large a step?"
# ## 3. How large a step?
#
# After `backward` each parameter has a gradient, which tells how the loss changes with it. The **optimizer**
# moves all parameters a little against it. We use Adam, as the paper does. It keeps two running means for each
# parameter: of its gradients, and of their squares. The step is one divided by the root of the other. How
# far it goes is set by the **learning rate**.
#
# In the first steps these means are made of very few gradients, so they tell little; and a post-norm
# Transformer takes large early steps badly (you saw the gradients by depth in lesson 05). So the rate begins
# near 0, grows in a straight line for `warmup_steps` steps, and then falls with the root of the step:
#
# $$\mathit{rate} = d_{model}^{-0.5} \cdot \min\left(\mathit{step}^{-0.5},\ \mathit{step} \cdot \mathit{warmup\_steps}^{-1.5}\right)$$
#
# With `d_model` = 128 and 400 warm-up steps, step 1 has $128^{-0.5} \cdot 1 \cdot 400^{-1.5}$. *Which of the two in the
# brackets is smaller before step 400, and which after?*
#
# <details><summary>Answer</summary>
#
# Before it the second, which climbs with the step; after it the first, which falls. At step 400 they are equal, so the
# curve has no jump.
#
# </details>
#
# ### Exercise: `warmup_learning_rate`
#
# Steps count from 1. Some code asks for step 0 as well, before anything was learned. There, too, give a
# finite number that is not negative; which one is up to you.
#
# <details><summary>Hint 1: powers</summary>
#
# $x^{-0.5}$ is `x ** -0.5` in Python: one divided by the root. `min(a, b)` is the smaller of two numbers.
#
# </details>
# <details><summary>Hint 2: step 0</summary>
#
# `0 ** -0.5` raises a `ZeroDivisionError`. Either treat step 0 as another step, or choose which branch is
# computed before computing it.
#
# </details>

# %% solution="warmup_learning_rate"
def warmup_learning_rate(step, d_model, warmup_steps):
    """The paper's learning rate: up in a straight line, then down with the root of the step.

    Args:
        step: the number of the step, from 1. At 0 the result is finite and not negative.
        d_model: how many numbers a word has.
        warmup_steps: the number of the step with the largest rate, at least 1.

    Returns:
        A number.

    Example:
        >>> warmup_learning_rate(400, 256, 400)
        0.003125

    Source: Vaswani et al. (2017), section 5.3, equation 3.
    """
    ### BEGIN SOLUTION
    step = max(step, 1)
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)
    ### END SOLUTION


# %% tests="warmup_learning_rate"
check(warmup_learning_rate)

# %% [markdown]
# **See.** *Before you run the cell:* if the warm-up is longer, is the peak higher or lower?

# %% slide="Up, then down"
steps = range(0, 1501, 5)
plots.lines(
    list(steps),
    {f"{warmup} warm-up steps": [warmup_learning_rate(step, 128, warmup) for step in steps] for warmup in (100, 400, 1000)},
    xlabel="step",
    ylabel="learning rate",
    title="Warm-up, then a slow fall (d_model 128)",
)

# %% [markdown]
# *Picture: three curves. Each climbs in a straight line and falls in a slow bend after its peak. The shorter
# the warm-up, the earlier and higher the peak. Far to the right all three are the same.*
#
# The schedule counts **steps**, not epochs. Called once an epoch it would stay near 0 for hundreds of epochs.
# No error would tell you; the loss would just hardly move.

# %% [markdown]
# ## 4. Which sentences share a batch?
#
# A batch has one length, that of its longest sentence. All others are padded up to it, and padding costs as
# much work as words do. How long are our sentences? Lengths are those of the longer side of a pair, with
# `<bos>` and `<eos>` in English.

# %% slide="Sentences differ in length"
lengths = [max(len(fr.split()), len(en.split()) + 2) for fr, en in train_pairs]
shown = range(min(lengths), max(lengths) + 1)
counts = [lengths.count(length) for length in shown]
plots.bars(counts, [f"{length}" for length in shown], title="Pairs by length", ylabel="pairs", digits=0)

# %% [markdown]
# *Picture: bars for each length. Most pairs are in the middle, a few are short, a few are long.*
#
# If sentences of like length share a batch, little is padded. And if short ones come in larger batches than
# long ones, each batch is about the same amount of work. So batches are measured in tokens, **padding
# included**: the number of sentences times the length of the longest. That product may not exceed a budget,
# `max_tokens`. The paper did the same, with 25,000 tokens a side (section 5.1).
#
# Six sentences of lengths 5, 9, 4, 9, 5, 4 and a budget of 18:
#
# | batch | lengths | padded size |
# |---|---|---|
# | 2, 5, 0 | 4, 4, 5 | 3 · 5 = 15 |
# | 4, 1 | 5, 9 | 2 · 9 = 18 |
# | 3 | 9 | 1 · 9 = 9 |
#
# *Why is sentence 4 not in the first batch? Would it be wrong to leave it alone, and put 1 and 3 together?*
#
# <details><summary>Answer</summary>
#
# The first batch would then have four sentences of length 5, a padded size of 20. And no, that would be as good:
# 1 · 5 and 2 · 9 are within the budget as well.
#
# </details>
#
# ### Exercise: `token_budget_batches`
#
# Which batch comes first does not matter, nor does the order within one. Every index is in exactly one
# batch, so that nothing is lost and nothing counts twice. Sentences are to *share* batches: one or two in each would
# waste the machine. (The check counts generously. Any way that comes near the budget passes.)
#
# <details><summary>Hint 1: a plan</summary>
#
# Sort the indices by length. Then go through them and fill one batch after the other.
#
# </details>
# <details><summary>Hint 2: sorting indices</summary>
#
# `sorted(range(len(lengths)), key=lambda index: lengths[index])` gives the indices from the shortest to the
# longest.
#
# </details>
# <details><summary>Hint 3: when is a batch full?</summary>
#
# In sorted order the newest sentence is the longest of its batch. With it the batch would have one sentence
# more, and each would be as long as the newest. If this is too much, a new batch begins. And after the last
# sentence there is still a batch in hand.
#
# </details>

# %% solution="token_budget_batches"
def token_budget_batches(lengths, max_tokens):
    """Group sentences of like length, as many as a budget of tokens allows.

    Args:
        lengths: a list of whole numbers, the length of each sentence, at least 1.
        max_tokens: the largest padded size of a batch: its number of sentences times its longest length.

    Returns:
        A list of batches, each a list of indices into lengths. Every index is in exactly one of them.
        Without lengths: `[]`.

    Raises:
        ValueError: one sentence alone exceeds the budget.

    Example:
        >>> token_budget_batches([5, 9, 4, 9, 5, 4], 18)
        [[2, 5, 0], [4, 1], [3]]

    Source: Vaswani et al. (2017), section 5.1.
    """
    ### BEGIN SOLUTION
    if lengths and max(lengths) > max_tokens:
        raise ValueError(f"a sentence of {max(lengths)} tokens exceeds the budget of {max_tokens}")
    batches, batch = [], []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if (len(batch) + 1) * lengths[index] > max_tokens:  # in this order the newest is the longest
            batches.append(batch)
            batch = []
        batch.append(index)
    return batches + [batch] if batch else batches
    ### END SOLUTION


# %% tests="token_budget_batches"
check(token_budget_batches)

# %% [markdown]
# **See.** The same pairs in batches of the same budget: in random order, and yours. First one batch of each
# kind: that with the longest sentence of all. It is drawn on top, and below it eleven others of its batch. A dark cell
# is a word, a hatched one is padding.

# %% slide="Less padding, same words"
max_tokens = 2048


def random_batches(lengths, max_tokens):
    """For comparison: in random order, as many in each as fit whatever their lengths."""
    order, many = np.random.default_rng(0).permutation(len(lengths)), max_tokens // max(lengths)
    return [order[begin : begin + many].tolist() for begin in range(0, len(lengths), many)]


def padding_share(batches):
    size = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
    return 1 - sum(lengths) / size


ways = {"random": random_batches(lengths, max_tokens), "yours": token_budget_batches(lengths, max_tokens)}
chosen = [max(([lengths[index] for index in batch] for batch in batches), key=max) for batches in ways.values()]
rows = min(12, *map(len, chosen))
for its_lengths in chosen:
    its_lengths.insert(0, its_lengths.pop(its_lengths.index(max(its_lengths))))
ends = np.array([its_lengths[:rows] for its_lengths in chosen])  # (2, rows)
plots.masks(np.arange(max(lengths)) < ends[..., None], titles=list(ways), xlabel="position", ylabel="sentence")
for name, batches in ways.items():
    print(f"{name:<7} {len(batches)} batches, {padding_share(batches):.1%} of their size is padding")

# %% [markdown]
# *Picture: two grids with sentences as rows, as wide as the longest sentence of the batch. On the left the words
# end at different places, and much is hatched. On the right they end at the same place or nearly so.*
#
# Less padding, so fewer batches for the same words. But beware of a trap: if each epoch made the very same
# batches, from the shortest to the longest, the model would see the same company in the same order again and
# again. So for each epoch of the run we shuffle the sentences first, and shuffle the batches after.

# %% [markdown]
# ## 5. One step
#
# You have all parts of the circle. Before you close it, five things about it. Who forgets one seldom gets an
# error message.
#
# **Mode.** A model that was just evaluated is in evaluation mode, without dropout. A training step begins with
# `model.train()`.
#
# **Device.** The model may live on a graphics card. A batch is made on the CPU, and the two cannot meet.
# Where the model lives, any of its parameters tells: `next(model.parameters()).device`. A tensor moves by
# `tensor.to(device)`, which gives a *new* tensor.
#
# **Gradients add up.** `backward` adds to the `grad` of each parameter what it finds. What the last step
# left must be cleared first, by `optimizer.zero_grad()`. The derivative of $3x$ is 3, and yet:

# %%
parameter = nn.Parameter(torch.tensor(2.0))
for _ in range(3):
    (3 * parameter).backward()
    print("grad is", parameter.grad.item())

# %% [markdown]
# **Clipping.** Now and then a batch has a huge gradient, and one step along it can undo a thousand good ones.
# All gradients of all parameters together form one long vector. If its length exceeds `max_grad_norm`, the
# whole vector is shortened to that length: the direction stays. `nn.utils.clip_grad_norm_(parameters,
# max_norm)` does this in place. It has something to clip after `backward`, and it helps before the step.
#
# **bfloat16.** Graphics cards multiply matrices much faster in numbers of 16 bits. Inside
#
# ```python
# with torch.autocast(device_type, dtype=torch.bfloat16, enabled=amp):
# ```
#
# PyTorch computes matrix products in `bfloat16`, while the weights stay in float32. `device_type` is `"cpu"` or
# `"cuda"`, or `device.type`. Only the forward pass goes inside. The loss wants more digits than these numbers
# have:

# %%
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    number = torch.tensor(2.345, dtype=dtype).item()
    print(f"{str(dtype):<15} 2.345 becomes {number:.4f}, the largest is {torch.finfo(dtype).max:.1e}")

# %% [markdown]
# So the logits are turned back before the loss is computed: `logits.float()` is the same tensor in float32. (The
# check lets a loss in bfloat16 pass, too. It is no error, only coarse.)
#
# (`float16` has more digits, but its numbers end early: large scores and sums overflow to infinity, and small
# gradients become 0. Training in it needs a further trick, scaling the loss. `bfloat16` reaches as far as float32
# and needs none.)
#
# ### Exercise: `train_step`
#
# One turn of the circle. It uses your `label_smoothed_loss`, with `model.pad_id` and a smoothing of 0.1, and
# `teacher_forcing`. The learning rate is set elsewhere.
#
# <details><summary>Hint 1: the order</summary>
#
# Training mode; move the ids; cut the target; logits; loss; clear the old gradients; backward; clip; step.
# One line each.
#
# </details>
# <details><summary>Hint 2: who gets what</summary>
#
# `teacher_forcing(tgt)` gives two tensors. The model is called with the French ids and the first of them. The
# loss compares its logits with the second.
#
# </details>
# <details><summary>Hint 3: what comes back</summary>
#
# `loss` is a tensor with the record of all that made it. `loss.item()` is the plain number. It was computed
# before the weights changed, so there is nothing to compute again.
#
# </details>

# %% solution="train_step"
def train_step(model, batch, optimizer, max_grad_norm, amp=False):
    """One step of training on one batch.

    Args:
        model: a `Transformer`, in any mode, on any device; has `pad_id`.
        batch: has `src`, `(batch, n_src)`, and `tgt`, `(batch, n_tgt)`, rows `BOS … EOS PAD…`; on any
            device.
        optimizer: a `torch.optim` optimizer of the model's parameters.
        max_grad_norm: the largest length of all gradients together; longer ones are shortened to it.
        amp: whether the model computes in bfloat16, by `torch.autocast`.

    Returns:
        The loss before the step, as a float: `label_smoothed_loss` with smoothing 0.1.

    Afterwards the model is in training mode and has new weights.

    Example:
        >>> train_step(model, batch, torch.optim.Adam(model.parameters()), max_grad_norm=1.0)
        5.736…

    Source: Vaswani et al. (2017), section 5; clipping: Pascanu et al. (2013).
    """
    ### BEGIN SOLUTION
    weight = next(model.parameters())
    model.train()
    src, tgt = batch.src.to(weight.device), batch.tgt.to(weight.device)
    decoder_input, labels = teacher_forcing(tgt)
    with torch.autocast(weight.device.type, dtype=torch.bfloat16, enabled=amp):
        logits = model(src, decoder_input)
    loss = label_smoothed_loss(logits.to(weight.dtype), labels, model.pad_id, smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %% tests="train_step"
check(train_step)


# %% [markdown]
# **See.** Three steps on the same batch, with a small model. *Before you run the cell:* what should the numbers
# do?

# %%
torch.manual_seed(0)
optimizer = torch.optim.Adam(untrained.parameters(), lr=0.003)
for step in (1, 2, 3):
    print(f"step {step}: loss {train_step(untrained, batch, optimizer, max_grad_norm=1.0):.2f}")

# %% [markdown]
# ## 6. Overfit one batch, on purpose
#
# The run takes minutes. Before you start it, spend seconds on a test that finds most mistakes: take **one** small
# batch and train on it again and again. A sound model with a sound step must learn it by heart. If it cannot do
# that, more data will not help.

# %% slide="Overfit one batch"
few_pairs = [test_pairs[0], *train_pairs[:7]]
one_batch = to_batch(few_pairs, french, english)
n_overfit = 120


def small_model(seed=0):
    torch.manual_seed(seed)
    return Transformer(len(french), len(english), d_model=64, n_heads=4, n_layers=2, d_ff=128)


def overfit(model, adam=torch.optim.Adam):
    """Losses of `n_overfit` steps on one batch."""
    optimizer = adam(model.parameters(), lr=0.001)
    return [train_step(model, one_batch, optimizer, max_grad_norm=1.0) for _ in range(n_overfit)]


model = small_model()
losses = overfit(model)
curve = {"loss": losses, "floor": [floor] * n_overfit}
plots.lines(range(1, n_overfit + 1), curve, xlabel="step", ylabel="loss", title="One batch, learned by heart")
right = translate(model, [fr for fr, _ in few_pairs], french, english)
print(sum(one == en for one, (_, en) in zip(right, few_pairs)), "of", len(few_pairs), "translated exactly")
print(notes_french, "->", right[0])

# %% [markdown]
# *Picture: the loss falls steeply, then creeps down onto the dashed line, the floor of section 2, and stays
# above it.*
#
# All by heart, and the loss stops at the floor. Our sentence was in this batch, so here it was *not* unseen. That does no
# harm: this model is thrown away, and the run of section 9 begins with a new one, without the test pairs.
#
# `translate` is a helper: it lets the model write by itself, always the most likely word next. You write your own in
# lesson 08.

# %% [markdown]
# ## 7. Broken on purpose
#
# Four colleagues overfit the same batch, with the same model. Each has one slip in the training step. The
# next cell makes the slips, around your own step. **Run it without reading it.**

# %%
class Sabotaged(nn.Module):
    def __init__(self, inside, name):
        super().__init__()
        self.inside, self.name = inside, name
        self.pad_id = -1 if name == "Hugo" else inside.pad_id

    def __getattr__(self, name):  # all else is the inner model's
        inside = super().__getattr__("inside")
        return inside if name == "inside" else getattr(inside, name)

    def forward(self, src_ids, tgt_ids):
        if self.name == "Elif":
            tgt_ids = one_batch.tgt[:, 1:]
        logits = self.inside(src_ids, tgt_ids)
        return logits.softmax(dim=-1) if self.name == "Finn" else logits


class Forgetful(torch.optim.Adam):
    def zero_grad(self, set_to_none=True):
        pass


curves, said = {"you": losses}, {"you": right}
for name in ("Elif", "Finn", "Grace", "Hugo"):
    inside = small_model()
    adam = Forgetful if name == "Grace" else torch.optim.Adam
    curves[name] = overfit(Sabotaged(inside, name), adam)
    said[name] = translate(inside, [fr for fr, _ in few_pairs], french, english)

# %% slide="Broken on purpose"
plots.lines(range(1, n_overfit + 1), curves, xlabel="step", ylabel="loss", title="Five training steps, four of them broken")
for name, translations in said.items():
    exact = sum(one == en for one, (_, en) in zip(translations, few_pairs))
    begin = " ".join(translations[0].split()[:6])
    print(f"{name:<6} last loss {curves[name][-1]:.3f}, {exact} of {len(few_pairs)} exact: {begin}")

# %% [markdown]
# *Picture: five curves. One falls only a little and then stays level, far above the others. The other four
# fall together to the floor; Elif's falls a little faster than yours, Grace's a little slower.*
#
# **Your turn:** what slipped? Write down a guess for each before you open the answers.
#
# <details><summary>Elif</summary>
#
# Her loss is as good as yours, and she can translate nothing. She did not shift: the decoder reads the very
# word that it shall say, and copies it. In training this looks like success. Only letting the model write by
# itself shows it. The opposite slip, to shift twice, makes a model that leaves out words.
#
# </details>
# <details><summary>Finn</summary>
#
# His loss falls a little below that of even bets, and stays there, far above the floor; and yet nearly all of his
# sentences are right. He applied softmax before the loss, which applies it again. Probabilities lie between 0 and 1, so
# the second softmax sees scores that hardly differ: even when he is certain and right, the loss is near that of even
# bets. One small batch can be learned even so. A large corpus will be learned badly.
#
# </details>
# <details><summary>Grace</summary>
#
# She never clears the gradients. Each step goes along the sum of all gradients so far, so it turns too late and
# overshoots. On one batch this hardly shows: her last loss is a little higher than yours. On changing batches
# she steps along sentences that are long gone.
#
# </details>
# <details><summary>Hugo</summary>
#
# He trains on padding: the loss counts positions whose label is `<pad>`. From his curve and his translations
# you can *not* tell. With much padding his loss would even look better than yours, as padding is easy to
# foretell. This slip is found by a test of the loss alone: a batch with more padding must have the same loss.
# (Your check of section 2 did that.)
#
# </details>
#
# | what you see | where to look |
# |---|---|
# | the loss soon is level, nearer to that of even bets than to the floor | softmax twice, no `step`, learning rate near 0 (schedule by epochs) |
# | it falls faster than it can have learned, and the translations are nonsense | labels not shifted, a mask that shows the future |
# | it falls below the floor | the loss: smoothing forgotten, divided by a number with padding in it |
# | it falls, and the translations are bad | shifted twice, `<eos>` cut off, evaluation mode forgotten |
# | it jumps and stays up, or becomes `nan` | no warm-up, no clipping, gradients not cleared, `float16` without scaling |
# | fine alone, bad in batches | padding in the loss, or looked at |

# %% [markdown]
# ## 8. Stop, and go on
#
# A run can be interrupted: a closed laptop, a full disk, a machine that is needed elsewhere. So it writes a
# **checkpoint** now and then. What belongs into it? Everything that the next step hangs on:
#
# - the weights of the model;
# - the memory of the optimizer: Adam's two means for each parameter, and its number of steps;
# - the number of steps taken: the learning rate needs it, and so does the order of the batches;
# - the state of the random numbers, which dropout draws from.
#
# `save_checkpoint` writes them into one file in the **safetensors** format: numbers and names, nothing that
# runs. (A pickle, which `torch.save` writes by default, can run code when it is opened. Open one only if you
# trust who made it.)
#
# The batches: an endless stream that only the seed decides. Whoever wants to go on at step 300 takes the same
# stream and passes over the first 300.

# %%
def stream(pairs, max_tokens, seed):
    """Batches without end: in each epoch all pairs, in an order that seed and epoch decide."""
    lengths = [max(len(fr.split()), len(en.split()) + 2) for fr, en in pairs]
    for epoch in itertools.count():
        random = torch.Generator().manual_seed(1000 * seed + epoch)
        order = torch.randperm(len(pairs), generator=random).tolist()
        batches = token_budget_batches([lengths[place] for place in order], max_tokens)
        for turn in torch.randperm(len(batches), generator=random).tolist():
            yield [pairs[order[place]] for place in batches[turn]]


# %% [markdown]
# And this is the whole training. All that is special in it, you have written:

# %%
def train(model, n_steps, warmup_steps, checkpoint, seed=0, amp=False, show=None, every=20):
    """Train up to step `n_steps`, from the checkpoint if there is one; returns the losses of all steps."""
    d_model = model.generator.in_features
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)
    taken, losses = load_checkpoint(checkpoint, model, optimizer) if checkpoint.exists() else (0, [])
    batches = itertools.islice(stream(train_pairs, max_tokens, seed), taken, None)
    for step in range(taken + 1, n_steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = warmup_learning_rate(step, d_model, warmup_steps)
        batch = to_batch(next(batches), french, english)
        losses.append(train_step(model, batch, optimizer, max_grad_norm=1.0, amp=amp))
        if show is not None and step % every == 0:
            show(losses)
        if step % 100 == 0 or step == n_steps:
            save_checkpoint(checkpoint, model, optimizer, step, losses)
    return losses


# %% [markdown]
# Does it hold what it promises? A small model, with dropout: eight steps in one go; then four, a stop, a
# *new* model with other numbers, and four more from the checkpoint.

# %%
def tiny_model(seed):
    torch.manual_seed(seed)
    return Transformer(len(french), len(english), d_model=32, n_heads=2, n_layers=1, d_ff=64, dropout=0.1)


folder = Path("checkpoints")
folder.mkdir(exist_ok=True)
for old in folder.glob("small-*.safetensors"):
    old.unlink()

in_one_go = train(tiny_model(seed=5), 8, 4, folder / "small-one.safetensors")
train(tiny_model(seed=5), 4, 4, folder / "small-two.safetensors")
resumed = train(tiny_model(seed=99), 8, 4, folder / "small-two.safetensors")
print("in one go:", " ".join(f"{loss:.4f}" for loss in in_one_go))
print("resumed:  ", " ".join(f"{loss:.4f}" for loss in resumed))
print("the same numbers:", in_one_go == resumed)

# %% [markdown]
# The same to the last digit. (That the loss jumps up on the way, in both, is not a fault of going on: a warm-up of so few
# steps makes the rate far too large, which a test this short does not mind.)
#
# **Play:** let the resumed run forget one thing, for instance the state of the
# random numbers: put `torch.manual_seed(1)` into `train`, before the line `for step in …`, and run both cells
# again. Which is the first loss that differs?
#
# The same **seed** gives the same run again, on the same machine with the same version of PyTorch. On another
# machine sums may be rounded in another order, and the curves drift apart, though they look alike.

# %% [markdown]
# ## 9. The run
#
# Now in earnest. The sizes are small, as the vocabulary is. On two processor cores the run takes a few minutes,
# on a graphics card less.
#
# - `n_steps` says how long it lasts. (The course's tests and its grader set `COURSE_STEPS` to a few steps only.
#   You need not.) Make it larger, run the cells again, and the run goes on from its checkpoint.
# - To begin afresh, delete the file in the folder `checkpoints`.
# - Matrices begin with random numbers of a size that keeps the scale from layer to layer (Glorot and Bengio).
#   This makes the rows of the embedding tables small, which is what the $\sqrt{d_{model}}$ of lesson 06 is for.

# %%
seed = 1
n_steps, warmup_steps = int(os.environ.get("COURSE_STEPS", 500)), 400
sizes = {"d_model": 128, "n_heads": 4, "n_layers": 2, "d_ff": 256, "dropout": 0.1}
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
amp = device.type == "cuda" and torch.cuda.is_bf16_supported()
checkpoint = folder / f"run-{seed}.safetensors"

torch.manual_seed(seed)
model = Transformer(len(french), len(english), **sizes)
for parameter in model.parameters():
    if parameter.ndim > 1:
        nn.init.xavier_uniform_(parameter)
model.to(device)
print(f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters")

# %%
# NBVAL_IGNORE_OUTPUT
print(f"on {device}, {'bfloat16' if amp else 'float32'}, {torch.get_num_threads()} threads, {n_steps} steps")
watched = [notes_french, *(fr for fr, _ in test_pairs[1:4])]
live = Live(n_steps)


def show(losses):
    rates = [warmup_learning_rate(step, sizes["d_model"], warmup_steps) for step in range(1, len(losses) + 1)]
    live.show(losses, rates, dict(zip(watched, translate(model, watched, french, english))))


began = time.perf_counter()
losses = train(model, n_steps, warmup_steps, checkpoint, seed=seed, amp=amp, show=show)
show(losses)
print(f"{time.perf_counter() - began:.0f} seconds")

# %% [markdown]
# *Picture, renewed as the run goes on: a progress bar; on the left the loss, on the right the learning rate; below
# them four French sentences of the test, and what the model makes of them by now.*
#
# The loss has spikes on its way down. Most of them are batches of the shortest sentences, which are few, and unlike the
# others. This is healthy: a step or two later the loss is down again, and goes on falling. A loss that jumps and *stays*
# up is not.
#
# Watch the samples. At first every sentence gets the same few frequent words. Then come English sentences, but
# other ones: a name or a month is right, the rest is made up. Then verbs and places find their places. Last come the
# small words, and some of those stay wrong.

# %% [markdown]
# ## 10. Does it translate?
#
# The loss of the training pairs is no answer. What counts are sentences that the model has not seen. How many of
# the test come out *exactly* as they should, word for word?

# %%
# NBVAL_IGNORE_OUTPUT
translations = translate(model, [fr for fr, _ in test_pairs], french, english)
exact = [one == en for one, (_, en) in zip(translations, test_pairs)]
print(f"{sum(exact)} of {len(exact)} test sentences are exact: {sum(exact) / len(exact):.1%}")
print(notes_french, "->", translations[0])

print("\nsome that are not:")
missed = [place for place, good in enumerate(exact) if not good]
for place in missed[:5]:
    print(f"  {test_pairs[place][0]}\n      {translations[place][:60]}\n      expected: {test_pairs[place][1]}")

# %% [markdown]
# **Play:** write sentences of your own, from the words of the corpus.

# %%
# NBVAL_IGNORE_OUTPUT
mine = ["Jane visite l'Afrique en septembre", "nous visiterons l'Afrique en septembre", "Jane vend sa petite voiture"]
for one, other in zip(mine, translate(model, mine, french, english)):
    print(f"{one:<40} {other}")

# %% [markdown]
# What was learned, and what not? In training, wherever the loss looks, the model was given the right words
# before. Here it has only its own. One wrong word, and all that follows stands on it. That the two agree so
# well is the reward for teacher forcing with the right mask. How to measure translations that are nearly
# right, and how to search for better ones, is the subject of lesson 08.
#
# It needs your weights, so keep them:

# %%
from safetensors.torch import save_file

save_file({name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}, "translator.safetensors")
size = Path("translator.safetensors").stat().st_size
print(f"translator.safetensors: {size / 1e6:.1f} million bytes")

# %% [markdown]
# <details><summary>Aside: slips that show only at a larger scale</summary>
#
# - **Schedule by epochs.** The learning rate hangs on the step. See section 3.
# - **Accumulated gradients.** Where several small batches stand in for a large one, the sum of their losses must
#   be divided by the number of all their words. Lesson 09.
# - **float16 without scaling.** Small gradients become 0, large scores infinite.
# - **A score under teacher forcing.** Who counts right words while the right words before are given, measures
#   the loss once more, not the translation. Let the model write by itself.
# - **A remainder thrown away.** Some data loaders drop the last, smaller batch of each epoch. With a fixed order
#   the same sentences are never seen.
#
# </details>

# %% [markdown] slide="What to take home"
# ## Summary
#
# - **One step:** teacher forcing, logits, loss, gradients, clip, optimizer. Training mode before, cleared
#   gradients in between.
# - The **loss** is the surprise at the right word, $-\log p$, averaged over real words alone. **Smoothed labels**
#   give it a floor above 0.
# - The **learning rate** climbs in a straight line and falls with the root of the step. It counts steps.
# - **Batches** are filled by a budget of tokens, padding included, with sentences of like length.
# - The **mask** and teacher forcing let one pass train every position as if it were the next word.
# - **Overfit one batch first.** It takes seconds and finds most slips.
# - A **checkpoint** holds all that the next step hangs on, the random numbers too.
# - What counts is the **test**, written by the model itself.

# %% [markdown]
# ## Check yourself
#
# Answer in your head, then open.
#
# <details><summary>1. A vocabulary of 264 words. A fresh model has a loss of about 5.6. After 50 steps it is still
# 5.5. Which slips fit?</summary>
#
# Even bets cost log 264, which is about 5.6. So it hardly learns: softmax before the loss, a learning rate near
# 0, `step` forgotten, or gradients cleared after `backward`.
#
# </details>
# <details><summary>2. Why is the loss divided by the number of real words, and not by the number of
# sentences?</summary>
#
# So that a word counts the same in short and long sentences, and the loss means the same whatever the batch.
#
# </details>
# <details><summary>3. A batch has sentences of 3, 3 and 12 tokens. The budget is 20. Does it fit?</summary>
#
# No. It is padded to 3 times 12, which is 36. The sum of the lengths, 18, is not what the machine works on.
#
# </details>
# <details><summary>4. A colleague resumes from weights alone. The loss jumps up and takes many steps to come back.
# Why?</summary>
#
# Adam begins with empty means, and perhaps the schedule at step 1. Dropout and the order of batches are others
# as well.
#
# </details>
# <details><summary>5. With smoothing 0.1 a training loss of 0.4 is reported. Congratulations?</summary>
#
# No. It is below the floor, and no model gets there, not even one that sees the label. So the loss is not the one
# that was meant: the labels were not smoothed, say, or the sum was divided by a number with padding in it.
#
# </details>

# %% [markdown]
# ## Further reading
#
# - A. Vaswani and others, *Attention Is All You Need*, NeurIPS 2017. Section 5: training; 5.1 batches; 5.3 the
#   optimizer and equation 3; 5.4 dropout and label smoothing.
# - C. Szegedy and others, *Rethinking the Inception Architecture for Computer Vision*, CVPR 2016, section 7:
#   label smoothing.
# - D. Kingma, J. Ba, *Adam: A Method for Stochastic Optimization*, ICLR 2015, algorithm 1.
# - R. Pascanu, T. Mikolov, Y. Bengio, *On the difficulty of training recurrent neural networks*, ICML 2013:
#   clipping by the norm.
# - X. Glorot, Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS
#   2010: how weights should begin.
# - R. Xiong and others, *On Layer Normalization in the Transformer Architecture*, ICML 2020: why post-norm needs
#   a warm-up.
# - A. Karpathy, *A Recipe for Training Neural Networks*, 2019: overfit one batch, and much more.
# - PyTorch documentation of `torch.autocast`, `torch.nn.utils.clip_grad_norm_` and `torch.optim.Adam`.
#
# **Next:** lesson 08, where the model writes by itself, and you write how.
