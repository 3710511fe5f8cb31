"""How fast it learns, and writes: `make bench-training`, or `python -m benchmarks.training`.

In one run, with the same sizes, batches and seeds: the course's Transformer, by hand and with fused kernels,
against `torch.nn.Transformer`; decoding with a cache against without; batches by a token budget against random
ones. Writes docs/training-speed.md.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.report import keep, machine, table, write_section
from benchmarks.torchs import TorchTransformer, same_weights
from grader.spec import load_lesson
from utils import corpus
from utils.corpus.files import read_pairs
from utils.fused import fuse
from utils.translation import to_batch

PAGE = "training-speed.md"
SIZES = {"d_model": 256, "n_heads": 8, "n_layers": 3, "d_ff": 512}
BUDGET, SEED = 2048, 1
Transformer = load_lesson("06_transformer").reference("Transformer")
token_budget_batches = load_lesson("07_training").reference("token_budget_batches")
warmup_learning_rate = load_lesson("07_training").reference("warmup_learning_rate")


# ----------------------------------------------------------------------------------------- training


def models(dropout: float) -> dict[str, nn.Module]:
    """The three that are compared, with the same numbers in them."""
    french, english = corpus.vocabularies()
    torch.manual_seed(SEED)
    by_hand = Transformer(len(french), len(english), dropout=dropout, **SIZES)
    for parameter in by_hand.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
    theirs = TorchTransformer(len(french), len(english), dropout=dropout, **SIZES)
    same_weights(by_hand, theirs)
    fused = fuse(copy.deepcopy(by_hand), SIZES["n_heads"], dropout)
    return {"torch.nn.Transformer": theirs, "the course's, by hand": by_hand, "the course's, fused": fused}


def batches() -> list:
    """The corpus in batches by a token budget, in an order that the seed decides."""
    french, english = corpus.vocabularies()
    pairs = corpus.train_pairs()
    lengths = [len(en.split()) + 2 for _, en in pairs]
    groups = token_budget_batches(lengths, BUDGET)
    random = np.random.default_rng(SEED)
    return [to_batch([pairs[place] for place in groups[turn]], french, english) for turn in random.permutation(len(groups))]


def train(n_steps: int, dropout: float) -> dict[str, dict]:
    """The three in turn, a step each: tokens a second of the middle step, and the last loss."""
    compared, device = models(dropout), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    optimizers = {name: torch.optim.Adam(model.to(device).parameters(), betas=(0.9, 0.98)) for name, model in compared.items()}
    rates, losses = ({name: [] for name in compared} for _ in range(2))
    for step, batch in enumerate(batches()[:n_steps], start=1):
        src, tgt = batch.src.to(device), batch.tgt.to(device)
        for turn in range(len(compared)):  # each comes first, second and last equally often
            name = list(compared)[(step + turn) % len(compared)]
            torch.manual_seed(step)
            seconds, loss = timed(one_step, compared[name], optimizers[name], src, tgt, step)
            rates[name].append((tgt[:, 1:] != 0).sum().item() / seconds)
            losses[name].append(loss)
    return {
        name: {"tokens a second": float(np.median(rates[name])), "loss": float(np.mean(losses[name][-10:]))} for name in compared
    }


def one_step(model: nn.Module, optimizer: torch.optim.Optimizer, src: Tensor, tgt: Tensor, step: int) -> float:
    """Lesson 07's step; the loss by torch's function in all three, so that the models alone are compared."""
    for group in optimizer.param_groups:
        group["lr"] = warmup_learning_rate(step, SIZES["d_model"], 400)
    logits = model(src, tgt[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tgt[:, 1:].flatten(), ignore_index=0, label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()  # which waits for a GPU


def timed(function: Callable, *args: object) -> tuple[float, object]:
    """The seconds that a call takes, and what it returns."""
    begin = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - begin, result


def training_section(n_steps: int) -> tuple[dict, str]:
    """What was measured of training with dropout and without: the numbers, and their table."""
    with_dropout, without = train(n_steps, 0.1), train(n_steps, 0.0)
    theirs = with_dropout["torch.nn.Transformer"]["tokens a second"]
    rows = [
        [name, f"{one['tokens a second']:,.0f}", f"{one['tokens a second'] / theirs:.2f}", f"{one['loss']:.3f}", f"{without[name]['loss']:.4f}"]
        for name, one in with_dropout.items()
    ]
    head = ["model", "tokens a second", "times torch's", f"loss after {n_steps} steps", "the same without dropout"]
    return {"with dropout": with_dropout, "without dropout": without}, table(head, rows)


# ----------------------------------------------------------------------------------------- decoding


@torch.no_grad()
def without_cache(model: nn.Module, src: Tensor, n: int) -> Tensor:
    """Writes n words, each found from all before it; an end does not stop it."""
    memory = model.encode(src)
    ids = torch.ones(len(src), 1, dtype=torch.long)
    for _ in range(n):
        logits = model.generator(model.decode(ids, memory, src)[:, -1:])
        ids = torch.cat([ids, logits.argmax(-1)], dim=1)
    return ids


@torch.no_grad()
def with_cache(model: nn.Module, src: Tensor, n: int, cached_attention: type) -> Tensor:
    """The same with lesson 08's `CachedAttention` in each layer: only the new word goes through the decoder."""
    memory, seen = model.encode(src), (src != model.pad_id)[:, None, None]
    layers, caches = [], [None] * SIZES["n_layers"]
    for layer in model.decoder.layers:
        cached = cached_attention(SIZES["d_model"], SIZES["n_heads"])
        cached.load_state_dict(layer.self_attention.state_dict())
        layers.append((cached, layer))
    ids = torch.ones(len(src), 1, dtype=torch.long)
    for _ in range(n):
        x = model.tgt_embeddings(ids)[:, -1:]  # of all places, so that the last knows which it is
        for number, (cached, layer) in enumerate(layers):
            attended, caches[number] = cached(x, caches[number])
            x = layer.norm_1(x + attended)
            x = layer.norm_2(x + layer.cross_attention(x, memory, memory, seen)[0])
            x = layer.norm_3(x + layer.feed_forward(x))
        ids = torch.cat([ids, model.generator(x).argmax(-1)], dim=1)
    return ids


def decoding_section(n: int = 128, sentences: int = 32) -> tuple[dict, str]:
    """How long it takes to write n words for some sentences, without a cache and with one."""
    cached_attention = load_lesson("08_translation").reference("CachedAttention")
    model = models(0.0)["the course's, by hand"].eval()
    src = to_batch(corpus.test_pairs()[:sentences], *corpus.vocabularies()).src
    ways = {
        "without a cache": lambda: without_cache(model, src, n),
        "with a cache": lambda: with_cache(model, src, n, cached_attention),
    }
    ids = {name: way() for name, way in ways.items()}
    assert ids["with a cache"].equal(ids["without a cache"]), "the cache changes what is written"
    seconds = {name: min(timed(way)[0] for _ in range(3)) for name, way in ways.items()}
    slowest = seconds["without a cache"]
    rows = [[name, f"{one:.2f}", f"{1000 * one / n:.1f}", f"{slowest / one:.1f}"] for name, one in seconds.items()]
    text = table(["way", "seconds", "milliseconds a word", "times as fast"], rows)
    return seconds, f"{text}\n\n{sentences} sentences at once, {n} words each; both write the same words."


# ------------------------------------------------------------------------------------------ batches


def padding(lengths: list[int]) -> tuple[float, float]:
    """The share of padding among all that is computed: batches by a token budget, and random ones of that budget."""
    random = np.random.default_rng(SEED)
    by_budget = token_budget_batches(lengths, BUDGET)
    by_chance, batch = [], []
    for place in random.permutation(len(lengths)).tolist():
        if (len(batch) + 1) * max(lengths[one] for one in [*batch, place]) > BUDGET:
            by_chance.append(batch)
            batch = []
        batch.append(place)
    return tuple(
        1 - sum(lengths) / sum(len(batch) * max(lengths[place] for place in batch) for batch in some)
        for some in (by_budget, [*by_chance, batch])
    )


def padding_section(real: list[tuple[str, str]] | None) -> tuple[dict, str]:
    """The share of padding in batches by a budget and by chance, of the course's corpus and, where given, of Multi30k."""
    sources = {"the course's corpus": corpus.train_pairs()} | ({"Multi30k": real} if real else {})
    found = {name: padding([len(en.split()) + 2 for _, en in pairs]) for name, pairs in sources.items()}
    rows = [[name, f"{ours:.2%}", f"{theirs:.1%}", f"{ours / theirs:.1%}"] for name, (ours, theirs) in found.items()]
    return found, table(["English side of", "padding, by budget", "padding, by chance", "one of the other"], rows)


# --------------------------------------------------------------------------------------------- page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a folder with Multi30k's files, for the padding of real sentences")
    parser.add_argument("--steps", type=int, default=60, help="of training (%(default)s)")
    options = parser.parse_args()
    try:
        real = read_pairs(options.data, "train") if options.data else None
    except (ValueError, OSError) as error:
        raise SystemExit(f"{error}") from None
    sections = {
        "Training": training_section(options.steps),
        "Decoding": decoding_section(),
        "Padding": padding_section(real),
    }
    keep("training", {name: numbers for name, (numbers, _) in sections.items()})
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    threads = torch.get_num_threads()
    sizes = ", ".join(f"{name} {size}" for name, size in SIZES.items())
    head = (
        f"Measured on {machine()}, {device}, PyTorch {torch.__version__.partition('+')[0]}, {threads} "
        f"thread{'s' if threads > 1 else ''}. Sizes: {sizes}; batches of {BUDGET} tokens; seed {SEED}."
    )
    text = "\n\n".join([head, *(f"## {name}\n\n{text}" for name, (_, text) in sections.items())])
    write_section(PAGE, "make bench-training", text)
    print(text)


if __name__ == "__main__":
    main()
