"""A loop over heads shows however it is written; work inside NumPy or a carried piece does not."""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from utils import probe, steps
from utils.carry import definitions
from utils.stand_ins import stand_in

DATA = np.arange(24.0).reshape(2, 12)
attend = stand_in("scaled_dot_product_attention")


def split(x, n):
    return np.swapaxes(x.reshape(len(x), n, -1), 0, 1)


def double(part):
    return 2 * part


def turns(x, n):
    result = []
    for part in split(x, n):
        result.append(2 * part)
    return result


def turns_on_one_line(x, n):
    for _ in split(x, n): double  # noqa: B018, E701


def while_(x, n):
    while n: n -= 1  # noqa: E701


def comprehension(x, n):
    return [2 * part for part in split(x, n)]


def generator(x, n):
    return sum(part.sum() for part in split(x, n))


def mapped(x, n):
    return list(map(double, split(x, n)))


def recursive(x, n):
    return n and recursive(x, n - 1)


def vectorised(x, n):
    return np.vectorize(double, signature="(q,d)->(q,d)")(split(x, n))


def along_an_axis(x, n):
    return np.apply_along_axis(lambda part: 2 * part, 1, split(x, n).reshape(n, -1))


def pieces_mapped(x, n):
    return list(map(attend, split(x, n), split(x, n), split(x, n)))


def pieces_vectorised(x, n):
    parts = split(x, n)
    return np.vectorize(attend, signature="(q,d),(k,d),(k,e)->(q,e),(q,k)")(parts, parts, parts)


def in_threads(x, n):
    with ThreadPoolExecutor(1) as pool:
        return list(pool.map(double, split(x, n)))


LOOPS = [
    turns, turns_on_one_line, while_, comprehension, generator, mapped, recursive, vectorised, along_an_axis,
    pieces_mapped, pieces_vectorised, in_threads,
]  # fmt: skip


def at_once(x, n):
    if x.shape[-1] % n != 0:
        raise ValueError
    parts = split(x, n)
    return attend(parts, parts, parts)


def einsum(x, n):
    return np.einsum("qhd,khd->hqk", x.reshape(len(x), n, -1), x.reshape(len(x), n, -1))


def numpy_splits_and_stacks(x, n):
    return np.stack(np.split(x, n, axis=-1))


def over_the_rows(x, n):
    return [row.reshape(n, -1) for row in x]


def imports_at_the_first_call(x, n):
    import colorsys  # noqa: F401

    return einsum(x, n)


NO_LOOPS = [at_once, einsum, numpy_splits_and_stacks, over_the_rows, imports_at_the_first_call, partial(at_once)]


def outcome(answer, refuse=("torch", "scipy")):
    request = {"name": "multi_head_attention", "probe": "work_grows", "args": [DATA, [2, 6]], "refuse": list(refuse)}
    return probe.run({"multi_head_attention": answer}, request)


@pytest.mark.parametrize("refuse", [("torch", "scipy"), ()], ids=["watched", "unwatched"])
@pytest.mark.parametrize("answer", LOOPS, ids=lambda answer: answer.__name__)
def test_a_loop_shows(answer, refuse):
    assert outcome(answer, refuse) == {"status": "value", "value": True, "changed": False}


@pytest.mark.parametrize("refuse", [("torch", "scipy"), ()], ids=["watched", "unwatched"])
@pytest.mark.parametrize("answer", NO_LOOPS, ids=lambda answer: getattr(answer, "__name__", "partial"))
def test_work_elsewhere_does_not_show(answer, refuse):
    assert outcome(answer, refuse) == {"status": "value", "value": False, "changed": False}


def test_a_loop_inside_a_learners_earlier_answer_does_not_show(tmp_path):
    source = "def own(parts):\n    return [one(part) for part in parts]\n\n\ndef one(part):\n    return 2 * part\n"
    cell = f'{{"cells": [{{"cell_type": "code", "source": {source!r}}}]}}'.replace("'", '"')
    (tmp_path / "01.ipynb").write_text(cell)
    own = definitions(tmp_path / "01.ipynb")["own"]

    def answer(x, n):
        return own(split(x, n))

    assert len(answer(DATA, 3)) == 3
    assert outcome(answer)["value"] is False


def test_a_library_that_is_refused_is_still_refused():
    torch = pytest.importorskip("torch")
    assert outcome(lambda x, n: torch.from_numpy(x).sum())["status"] == "refused"


def test_hooks_are_put_back():
    def failing(x, n):
        raise KeyError(n)

    before = sys.gettrace(), sys.getprofile()
    assert outcome(failing)["type"] == "KeyError"
    assert (sys.gettrace(), sys.getprofile()) == before


def test_taking_the_hook_away_is_told():
    def quiet(x, n):
        sys.settrace(None)
        return comprehension(x, n)

    assert "leave it alone" in outcome(quiet)["message"]


def test_the_same_call_takes_the_same_steps():
    assert steps.count(comprehension, DATA, 4) == steps.count(comprehension, DATA, 4)
