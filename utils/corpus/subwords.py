"""Vocabularies for real text: frequent words whole, rare ones in pieces, so that no word is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from utils.corpus.vocabulary import SPECIAL, Vocabulary


class Subwords:
    """A vocabulary of pieces of words, used like one of words (`Vocabulary`).

        english = Subwords.learn(sentences, size=6000)
        english.sentence(english.ids("Jane visits Ouagadougou"))     # "Jane visits Ouagadougou"

    Source: Sennrich, Haddow, Birch (2016), section 3.2, byte-pair encoding; made by the library `tokenizers`, on
    bytes, so that every sentence can be written (but for the names of special tokens, such as `<eos>`).
    """

    pad_id, bos_id, eos_id, unknown_id = Vocabulary.pad_id, Vocabulary.bos_id, Vocabulary.eos_id, Vocabulary.unknown_id

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def learn(cls, sentences: Iterable[str], size: int) -> Subwords:
        """The `size` pieces that write these sentences shortest, found one after the other."""
        library = _library()
        tokenizer = library.Tokenizer(library.models.BPE())
        tokenizer.normalizer = library.normalizers.NFC()
        tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = library.decoders.ByteLevel()
        alphabet = library.pre_tokenizers.ByteLevel.alphabet()
        least = len(SPECIAL) + len(alphabet)
        if size < least:
            raise ValueError(f"expected a vocabulary of at least {least} pieces, one for each byte, got {size}: ask for more")
        trainer = library.trainers.BpeTrainer(
            vocab_size=size, special_tokens=list(SPECIAL), initial_alphabet=sorted(alphabet), show_progress=False
        )
        tokenizer.train_from_iterator(sentences, trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, path: str | Path) -> Subwords:
        """The vocabulary of a file that `save` wrote."""
        return cls(_library().Tokenizer.from_file(str(path)))

    def save(self, path: str | Path) -> None:
        """Writes a JSON file, in the library's own form."""
        self._tokenizer.save(str(path))

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def ids(self, sentence: str) -> list[int]:
        """The ids of a sentence's pieces."""
        return self._tokenizer.encode(sentence, add_special_tokens=False).ids

    def sentence(self, ids: Iterable[int]) -> str:
        """The sentence up to its end, `<eos>`, without special tokens."""
        ids = list(map(int, ids))
        until = ids.index(self.eos_id) if self.eos_id in ids else len(ids)
        return self._tokenizer.decode(ids[:until], skip_special_tokens=True).strip()


def _library() -> Any:
    try:
        import tokenizers
    except ModuleNotFoundError:
        raise ValueError(
            "expected the library `tokenizers`, which cuts real text into pieces, but it is not installed: "
            "`pip install tokenizers`"
        ) from None
    return tokenizers
