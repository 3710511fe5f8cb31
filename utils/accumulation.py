"""Accumulated gradients asked through data alone: a tiny model, some micro batches, and what becomes of its gradients."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from utils import modules


def ask(accumulate: Callable, *, ask: str, micro_batches: list, seed: int, old: bool = True) -> Any:
    """What a way of accumulating gradients does.

    Args:
        accumulate: the student's function.
        ask: one of `QUESTIONS`.
        micro_batches: pairs of inputs `(n, 3)` and what should come `(n,)`, NaN at padding.
        seed: gives the model's numbers.
        old: whether there are gradients of some step before.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(modules.numbers(name, tuple(parameter.shape), seed))
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter) if old else None
        loss = _Loss()
        return QUESTIONS[ask](model, loss, lambda: accumulate(model, micro_batches, loss))


class _Kept:
    """What a graph keeps of a tensor for the way back."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class _Loss:
    """The squared error of real rows, and their number; notes how many graphs are alive when it is called.

    A graph is alive while any of what it keeps is: `backward` lets that go, and so does who forgets the loss.
    """

    def __init__(self) -> None:
        self.graphs: list[weakref.WeakSet[_Kept]] = []
        self.most = 0

    def __call__(self, model: nn.Module, micro_batch: Any) -> tuple[Tensor, int]:
        x, wanted = micro_batch
        is_real = ~wanted.isnan()
        graph: weakref.WeakSet[_Kept] = weakref.WeakSet()

        def keep(tensor: Tensor) -> _Kept:
            graph.add(kept := _Kept(tensor.detach()))  # with its own history it would keep itself alive
            return kept

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept.tensor):
            result = ((model(x)[:, 0] - wanted.nan_to_num()) ** 2 * is_real).sum()
        self.graphs.append(graph)
        self.most = max(self.most, sum(map(bool, self.graphs)))
        return result, int(is_real.sum())


def gradients(model: nn.Module, loss: _Loss, run: Callable) -> dict[str, Any]:
    """What it returns, and the gradients that it leaves."""
    result = run()
    return {"mean loss": result} | {f"gradient of {name}": one.grad for name, one in model.named_parameters()}


def manner(model: nn.Module, loss: _Loss, run: Callable) -> dict[str, Any]:
    """How many graphs are there at once, what kind of result it is, and whether weights move."""
    before = [parameter.detach().clone() for parameter in model.parameters()]
    result = run()
    moved = any((now.detach() != then).any() for now, then in zip(model.parameters(), before))
    return {
        "graphs alive at once": loss.most,
        "the loss is a float": isinstance(result, float),
        "the weights have moved": bool(moved),
    }


QUESTIONS: dict[str, Callable] = {question.__name__: question for question in (gradients, manner)}
