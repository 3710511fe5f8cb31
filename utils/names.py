"""Which names a cell's code takes from other cells, and binds: told from its text, without running it."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType
from typing import NamedTuple

_LOADS = {"LOAD_NAME", "LOAD_GLOBAL", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_GLOBALS", "LOAD_FROM_DICT_OR_DEREF"}
# What may lead to any name; IPython's magics become calls of the first.
_WAYS_ROUND = set("get_ipython eval exec globals locals vars __main__ In Out _ih _oh".split())
_ATTRIBUTES_ROUND = set("__main__ __globals__ f_globals f_locals f_back".split())


class Names(NamedTuple):
    """The names of a cell.

    Attributes:
        now: taken from elsewhere when it runs.
        later: taken when what it defines is called.
        bound: what the cell binds itself.
        anything: whether it may take others too, by ways that its text does not tell.
    """

    now: set[str]
    later: set[str]
    bound: set[str]
    anything: bool


def names(source: str) -> Names:
    """The names of a cell; none where it is no Python, since it cannot run either."""
    now, later, bound, loaded, anything = set(), set(), set(), set(), False
    try:
        code = compile(source, "cell", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return Names(now, later, bound, anything)
    for part in _parts(code):
        texts = {constant for constant in part.co_consts if isinstance(constant, str)}
        anything |= bool(_ATTRIBUTES_ROUND & {*texts, *part.co_names})
        for step in dis.get_instructions(part):
            if step.opname == "STORE_GLOBAL" or (part is code and step.opname == "STORE_NAME"):
                bound.add(step.argval)
            elif step.opname in _LOADS:
                loaded.add(step.argval)
                if part is not code:
                    later.add(step.argval)
                elif step.argval not in bound:
                    now.add(step.argval)
    return Names(now, later - bound, bound, anything or bool(loaded & _WAYS_ROUND))


def _parts(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant)
