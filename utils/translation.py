"""From pairs of sentences to batches of ids, and from a trained model to translations.

On real data, by one command: `python -m utils.translation --help`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from utils.corpus.vocabulary import Vocabulary

MAX_WORDS = 30  # that a translation may have


class Batch(NamedTuple):
    """Some pairs as ids, padded on the right.

    Attributes:
        src: `(batch, n_src)`, the words of the source.
        tgt: `(batch, n_tgt)`, rows `BOS … EOS PAD…`.
    """

    src: Tensor
    tgt: Tensor


def to_batch(pairs: Sequence[tuple[str, str]], source: Vocabulary, target: Vocabulary) -> Batch:
    """The batch of some pairs of sentences."""
    src = [source.ids(one) for one, _ in pairs]
    tgt = [[target.bos_id, *target.ids(other), target.eos_id] for _, other in pairs]
    return Batch(padded(src, source.pad_id), padded(tgt, target.pad_id))


def padded(rows: Sequence[Sequence[int]], pad_id: int) -> Tensor:
    """Rows of ids as one tensor `(len(rows), the longest)`."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows])


def translate(
    model: nn.Module, sentences: Sequence[str], source: Vocabulary, target: Vocabulary, at_once: int = 256,
    max_words: int = MAX_WORDS,
) -> list[str]:  # fmt: skip
    """What a model makes of some sentences, each word the one with the largest logit after those before it.

    Args:
        model: a `Transformer` of lesson 06. Its mode is left as it was.
        sentences: in the source language.
        source, target: the vocabularies that it was trained with.
        at_once: how many sentences share a batch.
        max_words: the length that a translation is cut off at.
    """
    device, mode = next(model.parameters()).device, model.training
    model.eval()
    order = sorted(range(len(sentences)), key=lambda place: len(sentences[place].split()))
    found = [""] * len(sentences)
    for begin in range(0, len(order), at_once):
        places = order[begin : begin + at_once]
        src = padded([source.ids(sentences[place]) for place in places], source.pad_id).to(device)
        for place, row in zip(places, _most_likely(model, src, target, max_words).tolist()):
            found[place] = target.sentence(row)
    model.train(mode)
    return found


@torch.no_grad()
def _most_likely(model: nn.Module, src: Tensor, target: Vocabulary, max_words: int) -> Tensor:
    """All words are guessed at once, and again from the last guess, until none changes any more.

    Each round settles at least one more word from the left, as a word hangs on those before it only. So
    it ends with the very words that come one after the other, most often after fewer rounds.
    """
    memory = model.encode(src)
    begin = torch.full((len(src), 1), target.bos_id, device=src.device)
    guess = torch.full((len(src), max_words), target.eos_id, device=src.device)
    for _ in range(max_words):
        read = torch.cat([begin, guess[:, :-1]], dim=1)
        better = model.generator(model.decode(read, memory, src)).argmax(dim=-1)
        ended = (better == target.eos_id).cumsum(dim=1) > 0
        better = better.masked_fill(ended, target.eos_id)  # what follows an end is nobody's concern
        if better.equal(guess):
            break
        guess = better
    return guess


if __name__ == "__main__":
    from utils.command import main

    main()
