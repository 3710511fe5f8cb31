"""Pairs of sentences from files: a folder as Multi30k comes in, or one file with a tab in each line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

LANGUAGES = ("fr", "en")
HELD_BACK = 20  # of a file of pairs, one in so many is kept for validation


def read_pairs(data: str | Path, split: str, languages: Sequence[str] = LANGUAGES) -> list[tuple[str, str]]:
    """The pairs of one part of the data.

    Args:
        data: a folder with `train.fr` and `train.en`, `val.fr` and so on, line N of one translating line N
            of the other; or a file with lines `sentence<tab>translation`, of which one in twenty is "val" and
            the rest "train". Either may be compressed (`.gz`).
        split: "train", "val", or what else the files of the folder are called.
        languages: the endings of the files, source and target.

    Raises:
        ValueError: no such files, or not what was expected; the text says what to do.
    """
    data = Path(data)
    if data.is_dir():
        return _aligned(*(_file(data, split, language) for language in languages))
    if not data.exists():
        raise ValueError(f"expected a folder or a file with pairs of sentences, but there is no {data}: check the path")
    pairs = _separated(data)
    parts = {
        "train": [pair for place, pair in enumerate(pairs) if place % HELD_BACK],
        "val": [pair for place, pair in enumerate(pairs) if place % HELD_BACK == 0],
    }
    if split not in parts:
        raise ValueError(f"expected 'train' or 'val' for a file of pairs, got '{split}': give a folder for other parts")
    return parts[split]


def _file(folder: Path, split: str, language: str) -> Path:
    for ending in ("", ".gz"):
        if (path := folder / f"{split}.{language}{ending}").is_file():
            return path
    there = sorted(path.name for path in folder.iterdir())[:8]
    raise ValueError(
        f"expected {split}.{language} or {split}.{language}.gz in {folder}, found {', '.join(there) or 'nothing'}: "
        f"give the folder that has these files"
    )


def _aligned(source: Path, target: Path) -> list[tuple[str, str]]:
    one, other = _lines(source), _lines(target)
    if len(one) != len(other):
        raise ValueError(
            f"expected as many lines in {source.name} as in {target.name}, got {len(one):,} and {len(other):,}: "
            f"line N of one has to translate line N of the other"
        )
    pairs = [(fr, en) for fr, en in zip(one, other) if fr and en]
    if not pairs:
        raise ValueError(f"expected sentences in the same lines of {source.name} and {target.name}, found none: check the files")
    return pairs


def _separated(path: Path) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(_lines(path), start=1):
        parts = [part.strip() for part in line.split("\t")]
        if not line:
            continue
        if len(parts) < 2 or not (parts[0] and parts[1]):
            raise ValueError(
                f"expected a sentence, a tab and its translation in line {number} of {path.name}, got {line[:60]!r}: "
                f"mend the line or take it out"
            )
        pairs.append((parts[0], parts[1]))  # further columns are somebody's remarks
    return pairs


def _lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except (UnicodeDecodeError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(
            f"expected text in UTF-8 in {path.name}, got other bytes ({type(error).__name__}): convert the file"
        ) from None
    if not text.strip():
        raise ValueError(f"expected sentences in {path.name}, but it is empty: check the download")
    return [line.strip() for line in text.removesuffix("\n").split("\n")]
