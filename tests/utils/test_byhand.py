"""Answers that leave the work to a library are refused, whatever name they call it by."""

import sys

import numpy as np
import pytest

from utils import probe
from utils.stand_ins import load, stand_in

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
    return load()["softmax"](x)


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


# ------------------------------------------------------------------------------------- operators


def operator_request(*refuse):
    from utils.values import Tensor

    return {"name": "f", "args": [Tensor(np.ones((1, 2, 4), np.float32))], "kwargs": {}, "refuse": list(refuse)}


bound_before = torch.nn.functional.scaled_dot_product_attention
ATTENTION = ["F.scaled_dot_product_attention", "nn.MultiheadAttention"]


def deaf(operator, *args):
    """Calls an operator while none of PyTorch's own hooks hears of it."""
    with torch._C.DisableTorchFunction(), torch.utils._python_dispatch._disable_current_modes():
        return operator(*args)


def elsewhere(operator, *args):
    """Calls an operator in a thread, which PyTorch's own hooks do not reach."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(operator, *args).result()


OPERATOR_CHEATS = [
    (lambda x: torch.nn.functional.scaled_dot_product_attention(x, x, x), ATTENTION),
    (lambda x: bound_before(x, x, x), ATTENTION),
    (lambda x: getattr(torch._C._nn, "scaled_dot_" + "product_attention")(x, x, x), ATTENTION),
    (lambda x: torch.ops.aten.scaled_dot_product_attention(x, x, x), ATTENTION),
    (lambda x: torch.nn.MultiheadAttention(4, 2, batch_first=True)(x, x, x)[0], ATTENTION),
    (lambda x: torch.nn.LayerNorm(4)(x), ["nn.LayerNorm"]),
    (lambda x: torch.nn.functional.layer_norm(x, (4,)), ["nn.LayerNorm"]),
    (lambda x: torch.native_layer_norm(x, (4,), None, None, 1e-5)[0], ["nn.LayerNorm"]),
    (lambda x: torch.jit.trace(lambda y: torch.layer_norm(y, (4,)), x)(x), ["nn.LayerNorm"]),
    (lambda x: torch.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)(x), ["nn.Transformer"]),
    (lambda x: torch.nn.functional.cross_entropy(x[0], torch.tensor([1, 2])), ["F.cross_entropy"]),
    (lambda x: torch.nn.CrossEntropyLoss()(x[0], torch.tensor([1, 2])), ["F.cross_entropy"]),
    (lambda x: torch.nn.functional.kl_div(x, x), ["F.kl_div"]),
    (lambda x: deaf(torch.nn.functional.cross_entropy, x[0], torch.tensor([1, 2])), ["F.cross_entropy"]),
    (lambda x: deaf(torch._C._nn.cross_entropy_loss, x[0], torch.tensor([1, 2])), ["F.cross_entropy"]),
    (lambda x: deaf(torch.layer_norm, x, (4,)), ["nn.LayerNorm"]),
    (lambda x: elsewhere(bound_before, x, x, x), ATTENTION),
    (lambda x: elsewhere(torch.nn.functional.cross_entropy, x[0], torch.tensor([1, 2])), ["F.cross_entropy"]),
]


@pytest.mark.parametrize("answer, refuse", OPERATOR_CHEATS)
def test_operators_are_seen_under_any_name(answer, refuse):
    outcome = probe.run({"f": answer}, operator_request(*refuse))
    assert outcome["status"] == "refused" and refuse[-1] in outcome["message"]


def test_a_function_of_a_module_may_be_refused_alone():
    import string

    request = REQUEST | {"refuse": ["string.capwords"]}
    assert probe.run({"softmax": lambda x: string.capwords("a")}, request)["status"] == "refused"
    assert probe.run({"softmax": lambda x: string.Template("a").substitute()}, request)["status"] == "value"


def test_an_operator_caught_with_its_error_is_refused_too():
    def answer(x):
        try:
            return torch.nn.functional.layer_norm(x, (4,))
        except BaseException:
            return x

    assert probe.run({"f": answer}, operator_request("nn.LayerNorm"))["status"] == "refused"


def test_other_operators_are_free():
    def answer(x):
        return torch.nn.Linear(4, 4)(torch.softmax(x, -1) / x.var(-1, keepdim=True).add(1))

    every = ["F.scaled_dot_product_attention", "nn.MultiheadAttention", "nn.LayerNorm", "nn.Transformer", "F.kl_div"]
    assert probe.run({"f": answer}, operator_request(*every))["status"] == "value"
