"""Command-line options that say how student code is run."""

from __future__ import annotations

import argparse
from dataclasses import fields

from grader.sandbox import Limits, Sandbox, Unprotected

_HELP = {
    "seconds": "wall-clock seconds for one cell or call",
    "submission_seconds": "wall-clock seconds for a whole submission",
    "memory_bytes": "resident memory of a submission, in bytes",
    "processes": "processes at a time",
    "file_bytes": "size of one file, in bytes",
    "output_bytes": "output of a submission that is kept, in bytes",
}


def add_limit_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds an option for each limit, and the one that gives up the protection."""
    for limit in fields(Limits):
        kind = type(limit.default)
        parser.add_argument(
            f"--{limit.name.replace('_', '-')}", type=kind, default=limit.default, metavar="N",
            help=f"{_HELP[limit.name]} (default {limit.default})",
        )
    parser.add_argument(
        "--unprotected", action="store_true",
        help="run student code without bubblewrap: only for submissions that you trust",
    )


def limits_of(args: argparse.Namespace) -> Limits:
    """The limits that the options give."""
    return Limits(**{limit.name: getattr(args, limit.name) for limit in fields(Limits)})


def open_sandbox(args: argparse.Namespace) -> Sandbox:
    """The sandbox that the options ask for (a context manager)."""
    return (Unprotected if args.unprotected else Sandbox)(limits_of(args))
