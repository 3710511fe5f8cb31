"""Accumulated gradients asked through data alone: a tiny model, some micro batches, and what becomes of its gradients."""

from __future__ import annotations

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


class _Loss:
    """The squared error of real rows, and their number; notes how many graphs are alive when it is called."""

    def __init__(self) -> None:
        self.alive, self.most, self.calls = set(), 0, 0

    def __call__(self, model: nn.Module, micro_batch: Any) -> tuple[Tensor, int]:
        x, wanted = micro_batch
        is_real = ~wanted.isnan()
        found = model(x)[:, 0]
        if found.requires_grad:  # else nothing is recorded, and there is no graph
            self.calls += 1
            number = self.calls
            self.alive.add(number)
            self.most = max(self.most, len(self.alive))
            found.register_hook(lambda gradient: self.alive.discard(number))
        return ((found - wanted.nan_to_num()) ** 2 * is_real).sum(), int(is_real.sum())


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
