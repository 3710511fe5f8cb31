"""The course's stand-ins for answers that are missing or wrong: library calls do the work, so no solution is given away.

A stand-in that is handed in as the answer itself is refused for what it calls; a later exercise may use it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache
from types import CodeType, FunctionType

from utils import byhand

# By the module here that has them, in the order of the course.
MODULES = {
    "in_numpy": (
        "embed",
        "softmax",
        "project_qkv",
        "attend_one_word",
        "scaled_dot_product_attention",
        "self_attention",
        "attend_head_by_head",
        "split_heads",
        "merge_heads",
        "multi_head_attention",
        "count_attention_parameters",
        "position_angles",
        "positional_encoding",
        "padding_mask",
        "causal_mask",
        "teacher_forcing",
    ),
    "in_torch": (
        "attention",
        "MultiHeadAttention",
        "LayerNorm",
        "FeedForward",
        "EncoderLayer",
        "Embeddings",
        "DecoderLayer",
        "Encoder",
        "Decoder",
        "Transformer",
        "label_smoothed_loss",
        "greedy_decode",
    ),
}
NAMES = tuple(name for names in MODULES.values() for name in names)


def stand_in(name: str) -> Callable:
    """The course's stand-in for an exercise; needs PyTorch.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in NAMES:
        raise ValueError(f"there is no stand-in for {name}; there is one for {', '.join(NAMES)}")
    return load()[name]


@lru_cache(maxsize=1)
def load() -> dict[str, Callable]:
    """All stand-ins by name; those who watch for library calls are told which code is theirs."""
    found = {
        name: getattr(importlib.import_module(f"utils.stand_ins.{module}"), name)
        for module, names in MODULES.items()
        for name in names
    }
    byhand.STAND_INS.update({name: _code(thing) for name, thing in found.items()})
    return found


def _code(thing: Callable) -> set[CodeType]:
    functions = [thing] if isinstance(thing, FunctionType) else list(vars(thing).values())
    return {function.__code__ for function in functions if isinstance(function, FunctionType)}
