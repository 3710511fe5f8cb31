"""The real thing, by one command: train a translator on files of pairs, and let it translate.

    python -m utils.translation train --data multi30k --folder my-run
    python -m utils.translation translate --folder my-run "Deux hommes parlent."
    python -m utils.translation score --data multi30k --split test_2016_flickr --folder my-run

The model is your own Transformer where you work in a lesson's folder of your course and it passes its check,
else the course's. Where the machine has a GPU it is used; several, by `torchrun --nproc-per-node=2 -m
utils.translation train …`, which takes several processes on a machine without one. Whatever stops a run, the
same command goes on from its last checkpoint. Without --data it is the course's own corpus.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields

from torch import nn

from utils import corpus, parallel
from utils.carry import carry
from utils.corpus.files import LANGUAGES, read_pairs
from utils.long_run import Run, Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Does what the command line asks for; a mistake in what was given ends it with one sentence."""
    options = _parser().parse_args(arguments)
    try:
        options.does(options)
    except (ValueError, OSError) as error:
        sys.exit(f"{error}" if parallel.rank() == 0 else 1)
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on from the last checkpoint" if options.does is train else "stopped")


def train(options: argparse.Namespace) -> None:
    """Trains up to the step that is asked for."""
    pairs, validation = _pairs(options, "train"), _pairs(options, "val")
    given = {field.name: value for field in fields(Settings) if (value := getattr(options, field.name)) is not None}
    run = _run(options)
    default = {"pieces": Settings.pieces if options.data else 0, "batches_a_step": parallel.world_size()}
    begun = vars(run.settings()) if run.checkpoint.exists() else default
    run.train(Settings(**begun | given), pairs, validation, options.steps, options.save_every)


def translate(options: argparse.Namespace) -> None:
    """Prints the translations of sentences given, or of the lines of the standard input."""
    sentences = options.sentences or [line.strip() for line in sys.stdin]
    for translation in _run(options).translate(sentences):
        print(translation)


def score(options: argparse.Namespace) -> None:
    """Prints BLEU on a part of the data, as sacreBLEU counts it, with the signature that tells how."""
    try:
        from sacrebleu.metrics import BLEU
    except ModuleNotFoundError:
        raise ValueError("expected the library `sacrebleu`, which counts BLEU, but it is not installed: `pip install sacrebleu`") from None
    run, pairs = _run(options), _pairs(options, options.split)
    too_long = set(run.too_long([source for source, _ in pairs]))
    fitting = [pair for pair in pairs if pair[0] not in too_long]
    if not fitting:
        raise ValueError("expected sentences that are no longer than this run's max_len, found none: give other data")
    sources, targets = zip(*fitting)
    translations = run.translate(sources)
    for source, translation, target in list(zip(sources, translations, targets))[: options.show]:
        print(f"{source}\n    {translation}\n    expected: {target}")
    if too_long:
        print(f"{len(pairs) - len(fitting):,} of {len(pairs):,} sentences are longer than this run's max_len and left out")
    bleu = BLEU()
    print(bleu.corpus_score(translations, [targets]))
    print(bleu.get_signature())


def carried() -> Callable[..., nn.Module]:
    """The learner's own Transformer, or the course's; the first process says which."""
    with contextlib.nullcontext() if parallel.rank() == 0 else contextlib.redirect_stdout(io.StringIO()):
        return carry("Transformer")


def _run(options: argparse.Namespace) -> Run:
    with contextlib.redirect_stdout(sys.stderr):  # so that translations stand alone in what is printed
        return Run(options.folder, carried(), tell=lambda line: print(line, flush=True))


def _pairs(options: argparse.Namespace, split: str) -> list[tuple[str, str]]:
    if options.data:
        return read_pairs(options.data, split, options.languages)
    parts = {"train": corpus.train_pairs, "val": corpus.test_pairs}
    if split not in parts:
        raise ValueError(f"expected 'train' or 'val' for the course's own corpus, got '{split}': give a folder by --data")
    return parts[split]()


def _parser() -> argparse.ArgumentParser:
    first, _, rest = __doc__.partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m utils.translation", description=first, epilog=rest, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for does in (train, translate, score):
        command = commands.add_parser(does.__name__, help=does.__doc__, description=does.__doc__)
        command.set_defaults(does=does)
        command.add_argument("--folder", default="translator", metavar="DIR", help="the folder of the run (%(default)s)")
        if does is not translate:
            command.add_argument("--data", help="a folder with train.fr, train.en, val.fr, …, or a file of pairs; without it, the course's corpus")
            command.add_argument("--languages", nargs=2, default=LANGUAGES, metavar=("FROM", "TO"), help="the files' endings (fr en)")
        if does is train:
            command.add_argument("--steps", type=int, default=2000, help="train up to this step (%(default)s)")
            command.add_argument("--save-every", type=int, default=200, metavar="STEPS", help="steps between checkpoints (%(default)s)")
            for field in fields(Settings):
                name = f"--{field.name.replace('_', '-')}"
                if field.name == "fused":
                    command.add_argument(name, action=argparse.BooleanOptionalAction, help="PyTorch's fused kernels (yes)")
                else:
                    command.add_argument(name, type=type(field.default), metavar="N", help=f"({field.default})")
        if does is translate:
            command.add_argument("sentences", nargs="*", help="what to translate; without any, the lines of the standard input")
        if does is score:
            command.add_argument("--split", default="val", help="the part of the data (%(default)s)")
            command.add_argument("--show", type=int, default=3, help="how many translations to print (%(default)s)")
    return parser


if __name__ == "__main__":
    main()
