"""A run of training that takes hours: on any data, on one processor or several, and whatever interrupts it.

    run = Run(folder)
    run.train(settings, train_pairs, val_pairs)     # goes on from its checkpoint if there is one
    run.translate(["Deux hommes parlent ."])

All that is random in a step (which sentences, what dropout drops) hangs on the seed, the number of the step
and the place in the step alone. So the same numbers come, up to rounding, whether one process takes all the
batches of a step or several share them; and exactly the same after a stop.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from utils import parallel
from utils.corpus.subwords import Subwords
from utils.corpus.vocabulary import SPECIAL, Vocabulary
from utils.fused import fuse
from utils.training import load_checkpoint, save_checkpoint
from utils.translation import Batch, padded, translate

Pairs = Sequence[tuple[str, str]]
Ids = tuple[list[int], list[int]]  # of a pair: the source, and the target from BOS to EOS
SMOOTHING, MAX_GRAD_NORM = 0.1, 1.0


@dataclass(frozen=True)
class Settings:
    """What a run is, from its first step to its last.

    Attributes:
        d_model, n_heads, n_layers, d_ff, dropout: of the Transformer.
        pieces: the size of each subword vocabulary; 0 for whole words.
        max_tokens: the budget of a batch, padding included.
        batches_a_step: how many batches make one step together, by accumulation or by several processes.
        warmup_steps: the step with the largest learning rate.
        max_len: the longest sentence, in ids; pairs with longer ones are left out.
        fused: whether attention and normalisation are computed by PyTorch's fused kernels.
        seed: of everything random.

    Raises:
        ValueError: a number is out of its range; the text names it.
    """

    d_model: int = 256
    n_heads: int = 8
    n_layers: int = 3
    d_ff: int = 512
    dropout: float = 0.1
    pieces: int = 6000
    max_tokens: int = 2048
    batches_a_step: int = 1
    warmup_steps: int = 1000
    max_len: int = 128
    fused: bool = True
    seed: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            if type(field.default) is int:
                _at_least(field.name, getattr(self, field.name), 0 if field.name in ("pieces", "seed") else 1)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"expected a dropout from 0 to below 1, got {self.dropout}: it is the share that is dropped")

    def learning_rate(self, step: int) -> float:
        """Vaswani et al. (2017), equation 3, for steps from 1."""
        return math.sqrt(1 / self.d_model / max(step, self.warmup_steps)) * min(1.0, step / self.warmup_steps)


def _at_least(name: str, number: int, least: int = 1) -> None:
    """Refuses a number that is too small.

    Raises:
        ValueError: it is; the text names it.
    """
    if number < least:
        raise ValueError(f"expected {name} to be at least {least}, got {number}: ask for more")


class Run:
    """A folder with all that belongs to one run.

    There are `settings.json` (with a checksum of the pairs), `source.json` and `target.json` (the vocabularies), `checkpoint.safetensors` (to go
    on from) and `weights.safetensors` (those with the lowest loss on the validation pairs).

    Args:
        folder: is made where it is missing.
        make: builds the model, with the arguments of lesson 06's `Transformer`.
        tell: is called with each line that is to be shown.
    """

    def __init__(self, folder: str | Path, make: Callable[..., nn.Module], tell: Callable[[str], None] = print) -> None:
        self.folder, self.make = Path(folder), make
        self.tell = tell if parallel.rank() == 0 else lambda line: None
        self.checkpoint, self.weights = (self.folder / f"{name}.safetensors" for name in ("checkpoint", "weights"))

    # ------------------------------------------------------------------------------------ what it is

    def settings(self) -> Settings:
        """Those that the run was begun with.

        Raises:
            ValueError: there is no run in the folder.
        """
        try:
            return Settings(**self._kept()["settings"])
        except (OSError, ValueError, TypeError, KeyError):
            raise ValueError(
                f"expected a run of training in {self.folder}, but it has no settings.json that can be read: "
                f"train first, or give another folder"
            ) from None

    def _kept(self) -> dict[str, Any]:
        return json.loads((self.folder / "settings.json").read_text(encoding="utf-8"))

    def begin(self, settings: Settings, pairs: Pairs, validation: Pairs) -> None:
        """Puts settings and vocabularies into the folder; looks whether they fit where training has begun already.

        Raises:
            ValueError: they do not.
        """
        checksum = hashlib.sha256(json.dumps([pairs, validation]).encode()).hexdigest()
        if self.checkpoint.exists():
            was, now = asdict(self.settings()), asdict(settings)
            if other := [name for name in was if was[name] != now[name]]:
                name = other[0]
                raise ValueError(
                    f"expected {name} {was[name]}, with which the run in {self.folder} was begun, got {now[name]}: "
                    f"leave it as it was, or choose another folder"
                )
            if self._kept().get("pairs") != checksum:
                raise ValueError(
                    f"expected the pairs of sentences with which the run in {self.folder} was begun, got others: "
                    f"give the same data, or choose another folder"
                )
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.weights.unlink(missing_ok=True)  # of a run that was stopped before its first checkpoint
        for name, sentences in zip(("source", "target"), zip(*pairs)):
            path = self.folder / f"{name}.json"
            if settings.pieces:
                Subwords.learn(sentences, settings.pieces).save(path)
            else:
                words = Vocabulary(word for sentence in sentences for word in sentence.split()).words
                path.write_text(json.dumps(words[len(SPECIAL) :], ensure_ascii=False), encoding="utf-8")
        unfinished = self.folder / "settings.json.part"  # comes last: where it is, all is
        kept = {"settings": asdict(settings), "pairs": checksum}
        unfinished.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        os.replace(unfinished, self.folder / "settings.json")

    def vocabularies(self) -> tuple[Any, Any]:
        """Source and target, each a `Subwords` or a `Vocabulary`.

        Raises:
            ValueError: there is no run in the folder, or a part of it is gone.
        """
        paths = [self.folder / f"{name}.json" for name in ("source", "target")]
        if self.settings() and (gone := [path for path in paths if not path.is_file()]):
            raise ValueError(f"expected the run's vocabulary in {gone[0]}, but it is gone: put it back, or train in another folder")
        if self.settings().pieces:
            return tuple(map(Subwords.load, paths))
        return tuple(Vocabulary(json.loads(path.read_text(encoding="utf-8"))) for path in paths)

    def model(self, device: torch.device) -> nn.Module:
        """The model as it is before the first step: the same in each process."""
        settings = self.settings()
        torch.manual_seed(settings.seed)
        model = self.make(
            *map(len, self.vocabularies()), settings.d_model, settings.n_heads, settings.n_layers, settings.d_ff,
            dropout=settings.dropout, max_len=settings.max_len, pad_id=Vocabulary.pad_id,
        )  # fmt: skip
        for parameter in model.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)
        if settings.fused:
            fuse(model, settings.n_heads, settings.dropout)
        return model.to(device)

    # -------------------------------------------------------------------------------------- training

    def train(
        self, settings: Settings, pairs: Pairs, validation: Pairs, n_steps: int, save_every: int = 200,
        tell_every: int = 20,
    ) -> list[float]:  # fmt: skip
        """Trains up to a step; returns the losses of all steps so far, the same in each process.

        Args:
            settings: are kept with the run; those of one that goes on have to be the same.
            pairs, validation: to learn from, and to choose the best weights by.
            n_steps: where to stop. A later call may ask for more.
            save_every, tell_every: steps between two checkpoints, and between two lines.

        Raises:
            ValueError: the settings or the pairs are not those of the run, or do not fit each other or the number of
                processes.
        """
        world, rank = parallel.world_size(), parallel.rank()
        for name, number in (("steps", n_steps), ("save_every", save_every), ("tell_every", tell_every)):
            _at_least(name, number)
        if settings.batches_a_step % world:
            raise ValueError(
                f"expected a number of batches a step that {world} processes can share, got {settings.batches_a_step}: "
                f"ask for {-(-settings.batches_a_step // world) * world}, or for other processes"
            )
        if not pairs or not validation:
            raise ValueError(
                f"expected pairs to learn from and pairs to validate by, got {len(pairs)} and {len(validation)}: give more"
            )
        with parallel.group() as device:
            if rank == 0:
                self.begin(settings, pairs, validation)
            parallel.wait()
            model = self.model(device)
            optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9, fused=device.type == "cuda")
            taken, losses = load_checkpoint(self.checkpoint, model, optimizer) if self.checkpoint.exists() else (0, [])
            sharing = DistributedDataParallel(model) if world > 1 else model
            known, judged = self._ids(pairs), self._ids(validation)
            plan = _Plan([max(len(src), len(tgt)) for src, tgt in known], settings)
            amp = device.type == "cuda" and torch.cuda.is_bf16_supported()
            self.tell(
                f"{sum(weight.numel() for weight in model.parameters()):,} parameters, {len(known):,} pairs, {world} "
                f"process{'es' if world > 1 else ''} on {device.type} in {'bfloat16' if amp else 'float32'}"
                + (f"; {taken} steps were taken before" if taken else "")
            )
            clock = _Clock(taken, n_steps)
            for step in range(taken + 1, n_steps + 1):
                batches = [[known[place] for place in places] for places in plan.step(step)]
                n_words = sum(len(tgt) - 1 for batch in batches for _, tgt in batch)
                for group in optimizer.param_groups:
                    group["lr"] = settings.learning_rate(step)
                optimizer.zero_grad()
                loss = self._gradients(sharing, batches, n_words, (settings.seed, step), device, amp)
                nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
                optimizer.step()
                losses.append(parallel.total(loss).item())
                clock.count(n_words)
                if step % tell_every == 0 or step == n_steps:
                    self.tell(f"step {step:,} of {n_steps:,}, epoch {plan.epoch}, loss {losses[-1]:.3f}, {clock}")
                if rank == 0 and (step % save_every == 0 or step == n_steps):
                    self._keep(model, optimizer, step, losses, judged)
            parallel.wait()
        return losses

    def _gradients(
        self, model: nn.Module, batches: Sequence[Sequence[Ids]], n_words: int, random: tuple[int, int],
        device: torch.device, amp: bool,
    ) -> Tensor:  # fmt: skip
        """Adds up the gradients of this process's share of a step's batches; returns its share of the mean loss."""
        world, loss = parallel.world_size(), torch.zeros((), device=device)
        for place in range(parallel.rank(), len(batches), world):
            is_last = place + world >= len(batches)
            with nullcontext() if is_last or world == 1 else model.no_sync():
                torch.manual_seed(hash((*random, place)))
                one = _summed_loss(model, _batch(batches[place]), device, amp) / n_words
                (one * world).backward()  # the processes' gradients are averaged, and are to be added up
            loss += one.detach()
        return loss

    def _ids(self, pairs: Pairs) -> list[Ids]:
        """The pairs as ids, the target from BOS to EOS, without those that are too long."""
        source, target = self.vocabularies()
        longest = self.settings().max_len
        ids = [(source.ids(fr), [target.bos_id, *target.ids(en), target.eos_id]) for fr, en in pairs]
        kept = [(src, tgt) for src, tgt in ids if len(src) <= longest and len(tgt) <= longest]
        if not kept:
            raise ValueError(f"expected sentences of at most {longest} ids, but all {len(ids):,} pairs have longer ones: ask for a larger max_len")
        if len(kept) < len(ids):
            self.tell(f"{len(ids) - len(kept):,} of {len(ids):,} pairs have more than {longest} ids and are left out")
        return kept

    def _keep(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, losses: list[float], judged: Sequence[Ids]
    ) -> None:
        from safetensors.torch import save_file

        loss = _validation_loss(model, judged)
        if loss <= (before := self.lowest()):
            weights = {name: parameter.detach().cpu().contiguous() for name, parameter in model.named_parameters()}
            unfinished = Path(f"{self.weights}.part")
            save_file(weights, unfinished, {"step": str(step), "validation loss": repr(loss)})
            os.replace(unfinished, self.weights)
        save_checkpoint(self.checkpoint, model, optimizer, step, losses)
        self.tell(f"    saved at step {step:,}; validation loss {loss:.4f}" + ("" if loss <= before else f", best {before:.4f}"))

    def lowest(self) -> float:
        """The lowest loss on the validation pairs so far."""
        from safetensors import safe_open

        if not self.weights.exists():
            return math.inf
        with safe_open(self.weights, framework="pt") as file:
            return float(file.metadata()["validation loss"])

    # ------------------------------------------------------------------------------------ translating

    def best(self) -> nn.Module:
        """The model with the best weights so far, in evaluation mode.

        Raises:
            ValueError: nothing was saved yet, or something else.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        model = self.model(parallel.device())
        try:
            missing = model.load_state_dict(load_file(self.weights), strict=False).missing_keys
        except (OSError, SafetensorError, RuntimeError):
            missing = ["all"]
        if set(missing) & set(dict(model.named_parameters())) or missing == ["all"]:
            raise ValueError(
                f"expected the weights of this run in {self.weights}, found none that fit: train until they are saved"
            )
        return model.eval()

    def translate(self, sentences: Sequence[str]) -> list[str]:
        """The translations of sentences, by greedy decoding with the best weights; of nothing it is nothing.

        Raises:
            ValueError: nothing was trained yet, or a sentence is too long.
        """
        settings = self.settings()
        kept = [" ".join(sentence.split()) for sentence in sentences]
        source, target = self.vocabularies()
        if too_long := self.too_long(kept):
            raise ValueError(f"expected sentences of at most {settings.max_len} ids, got '{too_long[0][:40]} …': cut it")
        asked = [sentence for sentence in kept if sentence]
        found = iter(translate(self.best(), asked, source, target, at_once=64, max_words=settings.max_len - 1))
        return [next(found) if sentence else "" for sentence in kept]

    def too_long(self, sentences: Sequence[str]) -> list[str]:
        """Those of some source sentences that have more ids than the run's `max_len`."""
        source, _ = self.vocabularies()
        longest = self.settings().max_len
        return [sentence for sentence in sentences if len(source.ids(sentence)) > longest]


class _Plan:
    """Which pairs each step takes: batches of like length, as many as the budget lets in, in an order by chance."""

    def __init__(self, lengths: Sequence[int], settings: Settings) -> None:
        self.lengths, self.settings = np.array(lengths), settings
        if self.lengths.max() > settings.max_tokens:
            raise ValueError(
                f"expected a budget of at least {max(lengths)} tokens, the longest sentence, got "
                f"{settings.max_tokens}: ask for more, or for a smaller max_len"
            )
        self.epoch, self._first, self._batches = 0, 0, []

    def step(self, step: int) -> list[list[int]]:
        """The batches of a step, counted from 1; steps are to be asked for in order, from any one on."""
        wanted = range((step - 1) * self.settings.batches_a_step, step * self.settings.batches_a_step)
        return [self._batch(number) for number in wanted]

    def _batch(self, number: int) -> list[int]:
        while number >= self._first + len(self._batches):
            self._first += len(self._batches)
            self.epoch += 1
            self._batches = self._of_epoch(self.epoch)
        return self._batches[number - self._first]

    def _of_epoch(self, epoch: int) -> list[list[int]]:
        random = np.random.default_rng([self.settings.seed, epoch])
        order = random.permutation(len(self.lengths))
        order = order[np.argsort(self.lengths[order], kind="stable")]  # by length, those of one length by chance
        batches = list(_cut(order, self.lengths, self.settings.max_tokens))
        return [batches[turn] for turn in random.permutation(len(batches))]


def _cut(order: np.ndarray, lengths: np.ndarray, max_tokens: int) -> Iterator[list[int]]:
    """Cuts an order by growing length into batches that are as large as the budget allows."""
    while len(order):
        sizes = np.arange(1, len(order) + 1) * lengths[order]  # of the first, the first two, … padded
        fit = int(np.searchsorted(sizes, max_tokens, side="right"))
        yield order[:fit].tolist()
        order = order[fit:]


def _batch(pairs: Sequence[Ids]) -> Batch:
    return Batch(*(padded(rows, Vocabulary.pad_id) for rows in zip(*pairs)))


def _summed_loss(model: nn.Module, batch: Batch, device: torch.device, amp: bool, smoothing: float = SMOOTHING) -> Tensor:
    src, tgt = (ids.to(device, non_blocking=True) for ids in batch)
    with torch.autocast(device.type, torch.bfloat16, enabled=amp):
        logits = model(src, tgt[:, :-1])
    return F.cross_entropy(
        logits.float().flatten(0, 1), tgt[:, 1:].flatten(), ignore_index=Vocabulary.pad_id, label_smoothing=smoothing,
        reduction="sum",
    )  # fmt: skip


@torch.no_grad()
def _validation_loss(model: nn.Module, pairs: Sequence[Ids]) -> float:
    """The cross-entropy of a word, without smoothing, in evaluation mode."""
    device, mode = next(model.parameters()).device, model.training
    model.eval()
    known = sorted(pairs, key=lambda pair: len(pair[1]))
    sums = [
        _summed_loss(model, _batch(known[begin : begin + 64]), device, False, smoothing=0.0).item()
        for begin in range(0, len(known), 64)
    ]
    model.train(mode)
    return sum(sums) / sum(len(tgt) - 1 for _, tgt in known)


class _Clock:
    """How fast it goes, and how long it will take."""

    def __init__(self, taken: int, n_steps: int) -> None:
        self.begin, self.steps, self.left, self.words = time.perf_counter(), 0, n_steps - taken, 0

    def count(self, words: int) -> None:
        self.steps, self.left, self.words = self.steps + 1, self.left - 1, self.words + words

    def __str__(self) -> str:
        seconds = time.perf_counter() - self.begin
        minutes = seconds / max(self.steps, 1) * self.left / 60
        return f"{self.words / seconds:,.0f} words a second, about {minutes:.0f} min left"
