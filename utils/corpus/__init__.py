"""The course's French-English corpus: a grammar makes it, so it is there offline and the same everywhere.

    train, test = corpus.train_pairs(), corpus.test_pairs()     # (French, English)
    french, english = corpus.vocabularies()
"""

from __future__ import annotations

import random
from functools import cache

from utils.corpus.grammar import Sentence, sentence
from utils.corpus.vocabulary import Vocabulary

SEED = 2014  # the year of sequence to sequence; any fixed number serves
SIZE = 24_000
NOTES = ("Jane visite l'Afrique en septembre", "Jane visits Africa in September")
HELD_OUT_SHARE = 0.08


def train_pairs() -> list[tuple[str, str]]:
    """French and English sentences to learn from; none tells of a combination held out for the test."""
    return [(one.fr, one.en) for one in _sentences() if one.combination not in _held_out()]


def test_pairs() -> list[tuple[str, str]]:
    """French and English sentences of held-out combinations, the notes' own first; each word is one to learn."""
    known = {word for pair in train_pairs() for text in pair for word in text.split()}
    pairs = [(one.fr, one.en) for one in _sentences() if one.combination in _held_out() and one.fr != NOTES[0]]
    return [NOTES] + [(fr, en) for fr, en in pairs if known.issuperset(fr.split() + en.split())]


def fresh_pairs(seed: int, count: int) -> list[tuple[str, str]]:
    """Other sentences than those to learn from, made of the same words."""
    rng, seen, found = random.Random(seed), {fr for fr, _ in train_pairs()}, {}
    known = [set(vocabulary.words) for vocabulary in vocabularies()]
    while len(found) < count:
        one = sentence(rng)
        if one.fr not in seen and all(words.issuperset(text.split()) for words, text in zip(known, (one.fr, one.en))):
            found[one.fr] = one.en
    return list(found.items())


@cache
def vocabularies() -> tuple[Vocabulary, Vocabulary]:
    """The French and the English words of the training pairs."""
    french, english = ([text.split() for text in side] for side in zip(*train_pairs()))
    return tuple(Vocabulary(word for words in side for word in words) for side in (french, english))


@cache
def _sentences() -> list[Sentence]:
    """Distinct sentences, in a fixed order."""
    rng, found = random.Random(SEED), {}
    while len(found) < SIZE:
        one = sentence(rng)
        found.setdefault(one.fr, one)
    return list(found.values())


@cache
def _held_out() -> frozenset[tuple[str, str]]:
    """What and when, as the test alone combines them: Africa in September among them."""
    combinations = sorted({one.combination for one in _sentences() if one.combination[1]})
    rng = random.Random(SEED)
    chosen = {combination for combination in combinations if rng.random() < HELD_OUT_SHARE}
    return frozenset(chosen | {("Afrique", "en septembre")})
