"""Which names a cell's code takes from other cells: told from its text, without running it."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType

_LOADS = {"LOAD_NAME", "LOAD_GLOBAL", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_GLOBALS", "LOAD_FROM_DICT_OR_DEREF"}
# Names of what may lead to any other name; IPython's magics become calls of the first.
_WAYS_ROUND = set(
    "get_ipython eval exec globals locals vars __main__ __globals__ f_globals f_locals f_back In Out _ih _oh".split()
)


def reads(source: str) -> tuple[set[str], set[str]] | None:
    """The names that a cell takes from elsewhere: when it runs, and when what it defines is called.

    None where the code may take anything, by ways that its text does not tell. No names where it is no
    Python: it cannot run either.
    """
    try:
        code = compile(source, "cell", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return set(), set()
    now, bound, later = set(), set(), set()
    for part in _parts(code):
        if _WAYS_ROUND & {*part.co_names, *(text for text in part.co_consts if isinstance(text, str))}:
            return None
        for step in dis.get_instructions(part):
            if part is not code and step.opname in _LOADS:
                later.add(step.argval)
            elif step.opname in _LOADS and step.argval not in bound:
                now.add(step.argval)
            elif step.opname == "STORE_NAME" and part is code:
                bound.add(step.argval)
    return now, later - bound


def _parts(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant)
