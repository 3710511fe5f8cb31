"""A small grammar of French with its English translation: every sentence has exactly one.

    sentence(rng).fr, .en    "Jane visite l'Afrique en septembre", "Jane visits Africa in September"

Words are what stands between spaces, so that `l'Afrique` is one, as in the course's running example.
Elision, gender and number, contractions, the prepositions before places, tenses and negation are right.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from utils.corpus.words import (
    ADJECTIVES,
    PEOPLE,
    PLACES,
    SUBJECTS,
    THINGS,
    TIMES,
    VERBS,
    VOWELS,
    Adjective,
    Noun,
    Place,
    Subject,
    Time,
    Verb,
)

AVOIR = ("ai", "as", "a", "avons", "avez", "ont")
ETRE = ("suis", "es", "est", "sommes", "êtes", "sont")
FUTURE = ("ai", "as", "a", "ons", "ez", "ont")
# mon, ton, son …: masculine, feminine, plural; and the English word, which for il and elle hangs on the subject
POSSESSIVES = (
    ("mon", "ma", "mes", "my"),
    ("ton", "ta", "tes", "your"),
    ("son", "sa", "ses", ""),
    ("notre", "notre", "nos", "our"),
    ("votre", "votre", "vos", "your"),
    ("leur", "leur", "leurs", "their"),
)


@dataclass(frozen=True)
class Sentence:
    """A sentence in both languages, and the combination of what and when that it tells of."""

    fr: str
    en: str
    combination: tuple[str, str]


def sentence(rng: random.Random) -> Sentence:
    """A sentence drawn at random."""
    subject, verb = _one(rng, SUBJECTS), _one(rng, VERBS)
    tense = _one(rng, "pnnf")
    negated = rng.random() < 0.2
    time = _one(rng, [time for time in TIMES if tense in time.tenses]) if rng.random() < 0.75 else Time("", "")
    fr_object, en_object, what = _object(rng, verb, subject, negated)
    fr = f"{_french_verb(subject, verb, tense, negated)} {fr_object} {time.fr}"
    en = f"{subject.en} {_english_verb(subject, verb, tense, negated)} {en_object} {time.en}"
    return Sentence(fr.strip(), en.strip(), (what, time.fr))


def _one(rng: random.Random, things: Sequence) -> Any:
    """One of some things; `random.choice` could draw others in another Python."""
    return things[int(rng.random() * len(things))]


def _joined(word: str, following: str) -> str:
    """Two words, elided where French does so: "l'Afrique", "je vois"."""
    if following[0].lower() in VOWELS and word in ("le", "la", "je", "ne", "de"):
        return f"{word[0]}'{following}"
    return f"{word} {following}"


# ------------------------------------------------------------------------------------------ verbs


def _french_verb(subject: Subject, verb: Verb, tense: str, negated: bool) -> str:
    """The subject and its verb: "je n'ai pas visité", "elle est allée", "Jane visitera"."""
    who, last = subject.person - 1, ""
    if tense == "p":
        finite, last = (ETRE if verb.with_etre else AVOIR)[who], verb.participle
        if verb.with_etre:  # then the participle agrees with the subject
            last += "e" * subject.feminine + "s" * (who >= 3)
    else:
        finite = verb.present[who] if tense == "n" else verb.future + FUTURE[who]
    words = f"{_joined('ne', finite)} pas" if negated else finite
    return f"{_joined(subject.fr, words)} {last}".strip()


def _english_verb(subject: Subject, verb: Verb, tense: str, negated: bool) -> str:
    third = subject.person == 3
    if tense == "f":
        return f"will {'not ' * negated}{verb.en}"
    if negated:
        return f"{'did' if tense == 'p' else 'does' if third else 'do'} not {verb.en}"
    return verb.en_past if tense == "p" else verb.en_third if third else verb.en


# ---------------------------------------------------------------------------------------- objects


def _object(rng: random.Random, verb: Verb, subject: Subject, negated: bool) -> tuple[str, str, str]:
    """What follows the verb, in French and English, and what it is about."""
    if verb.takes.endswith("places"):
        place = _one(rng, PLACES)
        return _PLACED[verb.takes](place), place.en, place.fr
    noun = _one(rng, PEOPLE if verb.takes.endswith("people") else THINGS)
    adjective = _one(rng, ADJECTIVES) if verb.takes == "things" and rng.random() < 0.4 else None
    plural, kind = rng.random() < 0.3, _one(rng, ("definite", "indefinite", "possessive", "this"))
    fr, en = _noun_phrase(noun, adjective, plural, kind, subject, negated and verb.takes != "to people")
    if verb.takes == "to people":
        fr = _contracted(f"à {fr}")
    return fr, en, noun.fr


def _with_article(place: Place) -> str:
    return _joined(place.article, place.fr) if place.article else place.fr


def _in(place: Place) -> str:
    return {"la": "en", "le": "au", "les": "aux", "": "à"}[place.article] + f" {place.fr}"


def _from(place: Place) -> str:
    return {"le": f"du {place.fr}", "les": f"des {place.fr}"}.get(place.article, _joined("de", place.fr))


_PLACED = {"places": _with_article, "in places": _in, "from places": _from}


def _contracted(phrase: str) -> str:
    """"à le voisin" is "au voisin"."""
    for apart, together in (("à le ", "au "), ("à les ", "aux ")):
        if phrase.startswith(apart):
            return together + phrase.removeprefix(apart)
    return phrase


def _noun_phrase(
    noun: Noun, adjective: Adjective | None, plural: bool, kind: str, subject: Subject, negated: bool
) -> tuple[str, str]:
    """The noun with its determiner and adjective: "sa vieille maison", "her old house"."""
    fr, en = noun.fr_plural if plural else noun.fr, noun.en_plural if plural else noun.en
    if adjective:
        form = _agreeing(adjective, noun, plural)
        fr, en = f"{form} {fr}" if adjective.before else f"{fr} {form}", f"{adjective.en} {en}"
    before = bool(adjective and adjective.before)
    return _french_determiner(fr, noun, plural, kind, subject, negated, before), _english_determiner(en, plural, kind, subject)


def _agreeing(adjective: Adjective, noun: Noun, plural: bool) -> str:
    if plural:
        return adjective.feminine_plural if noun.feminine else adjective.masculine_plural
    if noun.feminine:
        return adjective.feminine
    return adjective.before_vowel if adjective.before_vowel and noun.fr[0] in VOWELS else adjective.masculine


def _french_determiner(
    words: str, noun: Noun, plural: bool, kind: str, subject: Subject, negated: bool, adjective_before: bool
) -> str:
    vowel = words[0] in VOWELS
    if kind == "definite":
        return f"les {words}" if plural else _joined("la" if noun.feminine else "le", words)
    if kind == "this":
        return f"{'ces' if plural else 'cette' if noun.feminine else 'cet' if vowel else 'ce'} {words}"
    if kind == "possessive":
        masculine, feminine, many, _ = POSSESSIVES[subject.person - 1]
        return f"{many if plural else feminine if noun.feminine and not vowel else masculine} {words}"
    if negated or (plural and adjective_before):  # "pas de voiture", "de petites maisons"
        return _joined("de", words)
    return f"{'des' if plural else 'une' if noun.feminine else 'un'} {words}"


def _english_determiner(words: str, plural: bool, kind: str, subject: Subject) -> str:
    if kind == "definite":
        return f"the {words}"
    if kind == "this":
        return f"{'these' if plural else 'this'} {words}"
    if kind == "possessive":
        return f"{POSSESSIVES[subject.person - 1][3] or ('her' if subject.feminine else 'his')} {words}"
    return words if plural else f"{'an' if words[0] in 'aeio' else 'a'} {words}"
