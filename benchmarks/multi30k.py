"""Multi30k, French to English: `make bench-multi30k DATA=FOLDER`, or `python -m benchmarks.multi30k FOLDER`.

The course's Transformer and `torch.nn.Transformer` are trained in turn, some steps each, on the same batches
with the same settings; so they are equally far whenever it is stopped. The same command goes on, to as many
steps as it is asked for. Writes docs/multi30k.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from sacrebleu.metrics import BLEU
from torch import nn

from benchmarks.report import keep, machine, measured, table, write_section
from benchmarks.torchs import TorchTransformer, same_weights
from grader.lessons import COURSE_ROOT
from grader.spec import load_lesson
from utils.corpus.files import read_pairs
from utils.long_run import Run, Settings

PAGE, TEST = "multi30k.md", "test_2016_flickr"
NAMES = {"course": "the course's Transformer", "torch": "torch.nn.Transformer"}
SENTENCES = [
    "Deux hommes parlent devant une maison.",
    "Une petite fille court sur la plage avec son chien.",
    "Un vieil homme joue de la guitare dans le métro.",
    "Jane visite l'Afrique en septembre.",
]
SETTINGS = Settings(
    d_model=128, n_heads=4, n_layers=2, d_ff=512, dropout=0.1, pieces=4000, max_tokens=2048, warmup_steps=400, max_len=96
)  # small, for two cores


class TorchRun(Run):
    """The same run with torch's model, which begins with the same numbers."""

    def model(self, device: torch.device) -> nn.Module:
        ours, settings = super().model(device), self.settings()
        theirs = TorchTransformer(
            *map(len, self.vocabularies()), settings.d_model, settings.n_heads, settings.n_layers, settings.d_ff,
            dropout=settings.dropout, max_len=settings.max_len,
        )  # fmt: skip
        same_weights(ours, theirs)
        return theirs.to(device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="the folder with train.fr, train.en, val.fr, …")
    parser.add_argument("--folder", type=Path, default=COURSE_ROOT / "build" / "multi30k", help="the runs (%(default)s)")
    parser.add_argument("--steps", type=int, default=4000, help="train both up to this step (%(default)s)")
    parser.add_argument("--slice", type=int, default=200, help="steps until it is the other's turn (%(default)s)")
    options = parser.parse_args()
    try:
        pairs, validation, test = (read_pairs(options.data, split) for split in ("train", "val", TEST))
    except (ValueError, OSError) as error:
        raise SystemExit(f"{error}") from None
    make = load_lesson("06_transformer").reference("Transformer")
    runs = {
        name: kind(options.folder / name, make, lambda line: print(line, flush=True))
        for name, kind in (("course", Run), ("torch", TorchRun))
    }
    for until in [*range(options.slice, options.steps, options.slice), options.steps]:
        for name, run in runs.items():
            if steps_of(run) >= until:
                continue
            print(NAMES[name], flush=True)
            wall, cpu, before = time.perf_counter(), time.process_time(), steps_of(run)
            run.train(SETTINGS, pairs, validation, until, save_every=options.slice)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            with (run.folder / "seconds.tsv").open("a", encoding="utf-8") as file:
                file.write(f"{until - before}\t{wall:.1f}\t{cpu:.1f}\n")
    report(runs, test)


def steps_of(run: Run) -> int:
    """How far a run has come."""
    from safetensors import safe_open

    if not run.checkpoint.exists():
        return 0
    with safe_open(run.checkpoint, framework="pt") as file:
        return int(file.metadata()["step"])


def report(runs: dict[str, Run], test: list[tuple[str, str]]) -> None:
    """Translates the test with the best weights of each run, and writes the page."""
    sources, targets = zip(*test)
    numbers, bleu = {}, BLEU()
    for name, run in runs.items():
        translations = run.translate(sources)
        result = bleu.corpus_score(translations, [targets])
        seconds = [list(map(float, line.split("\t"))) for line in (run.folder / "seconds.tsv").read_text(encoding="utf-8").splitlines()]
        _, wall, cpu = map(sum, zip(*seconds))
        numbers[name] = {
            "bleu": result.score, "steps": steps_of(run), "wall": wall, "cpu": cpu, "validation loss": run.lowest(),
            "parameters": sum(weight.numel() for weight in run.best().parameters()),
            "samples": run.translate(SENTENCES),
        }  # fmt: skip
        print(f"{NAMES[name]}: {result}")
    keep("multi30k", numbers | {"signature": str(bleu.get_signature())})
    write_section(PAGE, "make bench-multi30k", page(measured()["multi30k"]))


def page(numbers: dict) -> str:
    """The section of the page."""
    rows = [
        [
            NAMES[name], f"{one['parameters']:,}", f"{one['steps']:,}", f"{one['validation loss']:.3f}", f"**{one['bleu']:.1f}**",
            f"{one['wall'] / 60:.0f}", f"{one['cpu'] / 60:.0f}",
        ]
        for name, one in numbers.items() if name in NAMES
    ]  # fmt: skip
    samples = [
        f"- {source}\n  - course: {ours}\n  - torch: {theirs}"
        for source, ours, theirs in zip(SENTENCES, numbers["course"]["samples"], numbers["torch"]["samples"])
    ]
    settings = ", ".join(f"{name} {value}" for name, value in vars(SETTINGS).items() if name != "fused")
    return "\n".join(
        [
            f"Measured on {machine()}, PyTorch {torch.__version__.partition('+')[0]}, {torch.get_num_threads()} thread"
            f"{'s' if torch.get_num_threads() > 1 else ''}.",
            "",
            f"Settings: {settings}.",
            "",
            table(["model", "parameters", "steps", "validation loss", "BLEU", "minutes", "minutes of CPU"], rows),
            "",
            f"BLEU on {TEST} by sacreBLEU, `{numbers['signature']}`, greedy decoding, the weights of the lowest",
            "validation loss. Some sentences of our own:",
            "",
            *samples,
        ]
    )


if __name__ == "__main__":
    main()
