"""Graphs are counted while they keep something; attention by a stand-in is nobody's call of PyTorch's."""

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

from utils import probe  # noqa: E402
from utils.stand_ins import stand_in  # noqa: E402
from utils.values import Tensor  # noqa: E402


def most_graphs(first, then=lambda model, micro, loss_fn: None):
    """How many graphs are alive at once, where all micro batches go through one function, and then through another."""

    def accumulate(model, micro_batches, loss_fn):
        held = None  # what a name in a loop still holds in the next round
        for work in (first, then):
            for micro in micro_batches:
                held = work(model, micro, loss_fn)
            del held

    micro_batches = [[Tensor(torch.ones(2, 3).double().numpy()), Tensor(torch.ones(2).double().numpy())] for _ in range(4)]
    kwargs = {"ask": "manner", "micro_batches": micro_batches, "seed": 1}
    request = {"name": "f", "probe": "accumulation", "args": [], "kwargs": kwargs}
    return probe.run({"f": accumulate}, request)["value"]["graphs alive at once"]


def backward(model, micro, loss_fn):
    loss = loss_fn(model, micro)[0]
    loss.backward()
    return loss


def kept_all(model, micro, loss_fn, graphs=[]):  # noqa: B006
    graphs.append(loss_fn(model, micro)[0])


@pytest.mark.parametrize(
    "first, then, most",
    [
        (backward, backward, 1),
        (lambda model, micro, loss_fn: loss_fn(model, micro)[1], backward, 1),
        (torch.no_grad()(lambda model, micro, loss_fn: loss_fn(model, micro)), backward, 1),
        (lambda model, micro, loss_fn: loss_fn(model, micro), backward, 2),
        (lambda model, micro, loss_fn: (loss := loss_fn(model, micro)[0]).backward(retain_graph=True) or loss, backward, 2),
        (kept_all, backward, 5),
    ],
    ids=["backward", "tokens counted", "without a graph", "held until the next", "retained", "all kept"],
)
def test_graphs_alive_at_once(first, then, most):
    assert most_graphs(first, then) == most


@pytest.mark.parametrize(
    "answer, is_called",
    [(F.scaled_dot_product_attention, True), (stand_in("attention"), False), (lambda q, k, v: q, False)],
    ids=["PyTorch's", "the stand-in's", "nobody's"],
)
def test_who_calls_fused_attention(answer, is_called):
    args = [Tensor(torch.ones(2, 3).numpy())] * 3
    found = probe.run({"f": lambda *args: answer(*args)}, {"name": "f", "probe": "calls_fused", "args": args})
    assert found["value"] == {"F.scaled_dot_product_attention is called": is_called}
