"""Words and their ids."""

from __future__ import annotations

from collections.abc import Iterable

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")  # the same first ids in every vocabulary


class Vocabulary:
    """The words of a language, each with an id; words are what stands between spaces.

        english = Vocabulary(["visits", "Jane"])
        english.ids("Jane visits Rome")        # [4, 5, 3]: Rome is not known
        english.sentence([1, 4, 5, 2, 0])      # "Jane visits"

    Attributes:
        words: all of them by id, the special ones first.
    """

    pad_id, bos_id, eos_id, unknown_id = range(len(SPECIAL))

    def __init__(self, words: Iterable[str]) -> None:
        self.words = [*SPECIAL, *sorted(set(words))]
        self._ids = {word: place for place, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def ids(self, sentence: str) -> list[int]:
        """The ids of a sentence's words."""
        return [self._ids.get(word, self.unknown_id) for word in sentence.split()]

    def sentence(self, ids: Iterable[int]) -> str:
        """The words up to the end of the sentence, `<eos>`, without special ones but `<unk>`."""
        words = []
        for place in map(int, ids):
            if place == self.eos_id:
                break
            if place not in (self.pad_id, self.bos_id):
                words.append(self.words[place])
        return " ".join(words)
