"""Decoding asked through data alone: a tiny model with numbers from a seed, and what an answer has it say.

The model is the course's stand-in for `Transformer`. It is made in here from the same few numbers by all who
ask or judge (see `utils.modules`), so that no weights are sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from utils import corpus, modules
from utils.probe import Unfit
from utils.stand_ins import stand_in
from utils.translator import FILE, load_translator

SRC_WORDS, D_MODEL, N_HEADS, N_LAYERS, D_FF = 9, 8, 2, 1, 12
NEVER = -30.0  # the logit of padding and of BOS: no decoder is asked what to do if it meets them


# ------------------------------------------------------------------------- greedy decoding and beam search


def ask(
    decode: Callable, *, ask: str, seed: int, src: Tensor, ids: dict[str, int], tgt_words: int, max_len: int,
    more: list, options: dict[str, Any], training: bool = False,
) -> Any:  # fmt: skip
    """What a tiny model says, by a student's way of decoding.

    Args:
        decode: the student's function.
        ask: one of `QUESTIONS`.
        seed: gives the model's numbers.
        src: `(batch, n_src)`, what is to be translated.
        ids: those of "pad", "bos" and "eos".
        tgt_words: the size of the target vocabulary.
        max_len: the most ids that are asked for.
        more, options: further arguments, positional and named.
        training: the model's mode before.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        model = tiny_model(seed, ids, tgt_words, training)
        if more:
            model.beam_size, model.most_rows = more[0], most_rows(more[0], tgt_words, max_len)

        def decoded() -> Any:
            return decode(model, src, ids["bos"], ids["eos"], max_len, *more, **options)

        return QUESTIONS[ask](model, decoded)


def tiny_model(seed: int, ids: dict[str, int], tgt_words: int, training: bool = False) -> nn.Module:
    """A Transformer whose next word hangs on all that it is shown; it drops half of everything in training.

    It notes how it is called.
    """
    sizes = [SRC_WORDS, tgt_words, D_MODEL, N_HEADS, N_LAYERS, D_FF]
    model = _watched()(*sizes, dropout=0.5, max_len=64, pad_id=ids["pad"]).double()
    model.generator.__class__ = _Sensitive
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.copy_(modules.numbers(name, tuple(parameter.shape), seed))
            elif "norm" not in name:
                parameter.zero_()
        model.generator.weight *= 3
        model.generator.bias[[ids["pad"], ids["bos"]]] = NEVER
    return model.train(training)


def most_rows(beam_size: int, tgt_words: int, max_len: int) -> int:
    """More rows than any beam search has decoded, were each continuation looked at from its beginning on.

    One that never cuts the number of its hypotheses soon exceeds it.
    """
    return beam_size * (tgt_words + 1) * max_len**2 // 2


class _Sensitive(nn.Linear):
    """Makes much of small differences: a small Transformer with numbers drawn at random would say one word for ever."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.sin(6 * x))


def said(model: nn.Module, decoded: Callable) -> Any:
    """What the function returns."""
    return decoded()


def manner(model: nn.Module, decoded: Callable) -> dict[str, bool]:
    """In which mode the model computes, and is left; whether gradients are recorded."""
    decoded()
    return {
        "training mode while it decodes": any(call["training"] for call in model.calls),
        "gradients are recorded": any(call["gradients"] for call in model.calls),
        "training mode afterwards": model.training,
    }


def elsewhere(model: nn.Module, decoded: Callable) -> Any:
    """What the function returns, where the model and its input lie on another device (simulated)."""
    with modules.OtherDevice() as device:
        device.arrived([*model.parameters(), *model.buffers()])
        return decoded()


QUESTIONS: dict[str, Callable] = {question.__name__: question for question in (said, manner, elsewhere)}


def _watched() -> type:
    class Transformer(stand_in("Transformer")):
        """Notes how its parts are called; stops a search that has too many rows decoded."""

        beam_size, rows, most_rows = 0, 0, math.inf

        def encode(self, src_ids: Tensor) -> Tensor:
            self._note()
            return super().encode(src_ids)

        def decode(self, tgt_ids: Tensor, memory: Tensor, src_ids: Tensor) -> Tensor:
            self._note()
            self.rows += len(tgt_ids)
            if self.rows > self.most_rows:
                raise Unfit(f"far more hypotheses go through the model than a beam of {self.beam_size} ever has")
            return super().decode(tgt_ids, memory, src_ids)

        def _note(self) -> None:
            call = {"training": self.training, "gradients": torch.is_grad_enabled()}
            self.calls = [*getattr(self, "calls", []), call]

    return Transformer


@lru_cache(maxsize=32)
def unwatched_model(seed: int, ids: tuple[tuple[str, int], ...], tgt_words: int) -> nn.Module:
    """The tiny model, for those who ask it often."""
    return tiny_model(seed, dict(ids), tgt_words)


def log_probabilities(settings: dict[str, Any], ids: list[int]) -> list[float]:
    """What the tiny model of `ask` gives each id after the first, in view of those before it."""
    model = unwatched_model(settings["seed"], tuple(settings["ids"].items()), settings["tgt_words"])
    with torch.no_grad():
        logits = model(torch.as_tensor(settings["src"].array), torch.tensor([ids[:-1]]))[0]
    return torch.log_softmax(logits, dim=-1).gather(-1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()


# ------------------------------------------------------------------------------------------ translating


def word_for_word(translate: Callable, *, seed: int, sentences: list[str]) -> Any:
    """The translations of sentences by a model that looks each word up in a dictionary drawn at random."""
    return translate(WordForWord(seed), list(sentences))


def own_weights(translate: Callable, *, sentences: list[str], order: list[int]) -> Any:
    """The translations of sentences by the weights that lie beside the notebook, its English words renamed.

    So who translates by other means than the model says other words than the model would.

    Args:
        translate: the answer.
        sentences: in French.
        order: for each id the one whose place it takes.

    Raises:
        Unfit: there are no weights, or none that can be used.
    """
    try:
        model = load_translator(stand_in("Transformer"))
    except ValueError as error:
        raise Unfit(str(error)) from None
    renamed = [model.generator.weight, model.generator.bias, model.tgt_embeddings.tokens.weight]
    if any(len(rows) != len(order) for rows in renamed):
        raise Unfit(f"{FILE} has {len(renamed[0]):,} English words, `vocabularies()` has {len(order):,}")
    with torch.no_grad():
        for rows in renamed:
            rows.copy_(rows[order])
    return translate(model, list(sentences))


class WordForWord(nn.Module):
    """Has the members of a Transformer; translates each word by itself, in the order of the source."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        french, english = corpus.vocabularies()
        self.pad_id, self.eos_id = french.pad_id, english.eos_id
        random = torch.Generator().manual_seed(seed)
        self.register_buffer("meaning", torch.randint(4, len(english), (len(french),), generator=random))
        self.generator = nn.Linear(len(english), len(english))
        with torch.no_grad():
            self.generator.weight.copy_(20 * torch.eye(len(english)))
            self.generator.bias.zero_()

    def encode(self, src_ids: Tensor) -> Tensor:
        meant = self.meaning[src_ids].masked_fill(src_ids == self.pad_id, self.eos_id)
        return nn.functional.one_hot(meant, self.generator.in_features).to(self.generator.weight.dtype)

    def decode(self, tgt_ids: Tensor, memory: Tensor, src_ids: Tensor) -> Tensor:
        end = torch.zeros_like(memory[:, :1])
        end[..., self.eos_id] = 1
        length = tgt_ids.shape[1]
        return torch.cat([memory, end.expand(-1, length, -1)], dim=1)[:, :length]

    def forward(self, src_ids: Tensor, tgt_ids: Tensor) -> Tensor:
        return self.generator(self.decode(tgt_ids, self.encode(src_ids), src_ids))
