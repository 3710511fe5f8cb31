"""The built-in corpus: enough of it, right French, one translation each, and nothing of the test in the training."""

import random
import re

import pytest

from utils import corpus
from utils.corpus.grammar import sentence
from utils.corpus.words import VOWELS

TRAIN, TEST = corpus.train_pairs(), corpus.test_pairs()


def test_there_is_enough_and_no_sentence_twice():
    french = [fr for fr, _ in TRAIN + TEST]
    assert len(set(french)) == len(french) >= 20_000 and len(TEST) >= 1000


@pytest.mark.parametrize("side", [0, 1])
def test_both_vocabularies_have_two_hundred_words_all_of_them_in_training(side):
    words = [{word for pair in pairs for word in pair[side].split()} for pairs in (TRAIN, TEST)]
    assert len(words[0]) >= 200 and words[1] <= words[0]


def test_the_notes_sentence_is_for_the_test_alone():
    assert TEST[0] == ("Jane visite l'Afrique en septembre", "Jane visits Africa in September")
    assert not [fr for fr, _ in TRAIN if "Afrique" in fr and "septembre" in fr]


def test_no_combination_of_the_test_is_trained():
    def places_and_months(pairs):
        return {
            (place, month)
            for fr, _ in pairs
            for place in re.findall("Japon|Italie|Paris|Maroc|Afrique", fr)
            for month in re.findall(r"en (\w+(?:bre|vier|let|til))$", fr)
        }

    assert places_and_months(TEST) and not places_and_months(TEST) & places_and_months(TRAIN)


def test_french_is_elided_and_contracted_wherever_it_must_be():
    for fr, _ in TRAIN + TEST:
        assert not re.search(rf"\b(le|la|je|ne|de|ce|ma|ta|sa) [{VOWELS}]", fr, re.I), fr
        assert not re.search(rf"\b(un|le|ce|[mts]on|leur|[nv]otre) (beau|vieux|nouveau) [{VOWELS}]", fr), fr
        assert not re.search(r"\bà les?\b|\bde les?\b|\bd'le", fr), fr


@pytest.mark.parametrize(
    "fr, en",
    [
        ("je suis allé", "I went to"), ("elle est allée", "she went to"), ("elles sont allées", "they went to"),
        ("Jane voit sa ", "Jane sees her "), ("Paul voit sa ", "Paul sees his "), ("au Japon", "Japan"),
        ("en France", "France"), ("aux États-Unis", "the United States"), ("du Canada", "from Canada"),
        ("d'Italie", "from Italy"), ("n'a pas visité", "did not visit"), ("visitera l", "will visit"),
        ("un vieil ", "an old "), ("de petites ", " small "), ("aux enfants", "to the children"),
    ],
)  # fmt: skip
def test_what_french_does_and_english_says(fr, en):
    found = [pair for pair in TRAIN + TEST if fr in pair[0]]
    assert found and all(en in pair[1] for pair in found)


def test_the_same_seed_gives_the_same_sentences():
    one, other = ([sentence(random.Random(seed)).fr for seed in range(50)] for _ in range(2))
    assert one == other
    assert TRAIN[0] == corpus.train_pairs()[0]


@pytest.mark.parametrize("seed", [0, 11])
def test_fresh_sentences_are_none_to_learn_from_and_made_of_known_words(seed):
    pairs, french, english = corpus.fresh_pairs(seed, 64), *corpus.vocabularies()
    assert pairs == corpus.fresh_pairs(seed, 64) != corpus.fresh_pairs(seed + 1, 64)
    assert len(dict(pairs)) == 64 and not dict(pairs).keys() & dict(corpus.train_pairs()).keys()
    assert set(" ".join(fr for fr, _ in pairs).split()) <= set(french.words)
    assert set(" ".join(en for _, en in pairs).split()) <= set(english.words)
