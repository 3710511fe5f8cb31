"""Answers that leave the work to a library are refused, whatever name they call it by."""

import sys

import numpy as np
import pytest

from utils import probe
from utils.carry import STAND_INS, stand_in

torch = pytest.importorskip("torch")
REQUEST = {"name": "softmax", "args": [np.array([1.0, 2.0])], "kwargs": {}, "refuse": ["torch", "scipy"]}
renamed, make = torch.softmax, torch.tensor


def by_torch(x):
    return torch.softmax(torch.from_numpy(x), -1).numpy()


def under_another_name(x):
    return renamed(make(x), -1).numpy()


def imported_inside(x):
    return __import__("importlib").import_module("torch").softmax(x, -1)


def caught(x):
    try:
        return by_torch(x)
    except BaseException:
        return np.exp(x) / np.exp(x).sum()


def switched_off(x):
    sys.setprofile(None)
    return by_torch(x)


def switched_off_and_on(x):
    hook = sys.getprofile()
    sys.setprofile(None)
    try:
        return by_torch(x)
    finally:
        sys.setprofile(hook)


def a_later_stand_in(x):
    return stand_in("scaled_dot_product_attention")(np.ones((1, 1)), x[:, None], x[:, None])[1][0]


def in_a_thread(x):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(by_torch, x).result()


def the_stand_in_itself(x):
    return STAND_INS["softmax"](x)


CHEATS = [
    by_torch, under_another_name, imported_inside, caught, switched_off, switched_off_and_on, in_a_thread, the_stand_in_itself,
    a_later_stand_in,
    stand_in("softmax"),
]  # fmt: skip


@pytest.mark.parametrize("answer", CHEATS, ids=lambda answer: answer.__name__)
def test_refused(answer):
    outcome = probe.run({"softmax": answer}, REQUEST)
    assert outcome["status"] == "refused" and outcome["message"].endswith(".")


def test_numpy_is_free_and_the_hook_is_gone_afterwards():
    outcome = probe.run({"softmax": lambda x: np.exp(x) / np.exp(x).sum()}, REQUEST)
    assert outcome["status"] == "value" and sys.getprofile() is None


def test_a_stand_in_for_another_exercise_may_be_called():
    namespace = {"softmax": lambda x: namespace["helper"](x), "helper": stand_in("softmax")}
    helper_of_other = namespace | {"attend": lambda x: namespace["helper"](x)}
    assert probe.run(helper_of_other, REQUEST | {"name": "attend"})["status"] == "value"


def test_an_earlier_stand_in_is_free_only_while_it_runs():
    def attend(x):
        stand_in("softmax")(x)
        return by_torch(x)

    request = REQUEST | {"name": "attend_one_word"}
    assert probe.run({"attend_one_word": stand_in("softmax")}, request)["status"] == "value"
    assert probe.run({"attend_one_word": attend}, request)["status"] == "refused"
