"""What a submission may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of one submission; times are wall clock.

    Attributes:
        seconds: for one cell or one call.
        submission_seconds: for the whole submission.
        memory_bytes: resident memory of all its processes together.
        processes: at one time.
        file_bytes: of one file.
        output_bytes: of all cells together; more is cut, with a sentence.
    """

    seconds: float = 30.0
    submission_seconds: float = 300.0
    memory_bytes: int = 4 << 30
    processes: int = 64
    file_bytes: int = 64 << 20
    output_bytes: int = 1 << 20


STANDARD = Limits()
