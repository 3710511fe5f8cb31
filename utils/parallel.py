"""One run by several processes: what `torchrun` starts, and what they tell each other.

Without torchrun it is one process, and nothing here has anything to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """The number of this process, from 0; the first one writes files and speaks."""
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", 1))


def device() -> torch.device:
    """Where this process computes: on a GPU of its own where there are GPUs, else on the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
    return torch.device("cpu")


@contextmanager
def group() -> Iterator[torch.device]:
    """Joins the processes for a while: over gloo on CPUs, over nccl on GPUs. Yields this one's device."""
    here = device()
    if here.type == "cuda":
        torch.cuda.set_device(here)
    if world_size() == 1:
        yield here
        return
    dist.init_process_group("nccl" if here.type == "cuda" else "gloo", timeout=timedelta(hours=1))
    try:
        yield here
    finally:
        dist.destroy_process_group()


def total(number: Tensor) -> Tensor:
    """The sum of all processes' numbers, the same in each of them."""
    if world_size() > 1:
        dist.all_reduce(number)
    return number


def wait() -> None:
    """Goes on when all processes have come here."""
    if world_size() > 1:
        dist.barrier()
