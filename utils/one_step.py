"""One step of training asked through data alone: a tiny model, a batch, an optimizer, and what comes of them.

The model is the course's stand-in for `Transformer`, with numbers from a seed (see `utils.modules`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from utils import modules
from utils.stand_ins import stand_in
from utils.translation import Batch

SIZES = (7, 6, 4, 2, 1, 4)  # source and target vocabulary, d_model, n_heads, n_layers, d_ff
STAYED = (
    "a tensor on the CPU met one on the model's device: on a GPU this fails. Move the batch there first, and make "
    "tensors of your own with `device=`"
)


def ask(
    train_step: Callable, *, ask: str, src: Tensor, tgt: Tensor, seed: int, max_grad_norm: float, pad_id: int = 0,
    rate: float = 1.0, n_steps: int = 1, training: bool = True, options: dict[str, Any] | None = None,
) -> Any:  # fmt: skip
    """What a training step does to a tiny model.

    Args:
        train_step: the student's function.
        ask: one of `QUESTIONS`.
        src, tgt: the ids of the batch.
        seed: gives the model's numbers.
        max_grad_norm, options: handed on to `train_step`, positional and named.
        pad_id: the model's.
        rate: the learning rate.
        n_steps: how many steps are taken, all on the same batch; where there are several, gradients of a step
            before are there from the start.
        training: the model's mode before.
    """
    dtype = torch.float32 if ask == "precision" else torch.float64
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        model = modules.made(_watched(), list(SIZES), {"pad_id": pad_id}, {}, seed, training, dtype)
        for parameter in model.parameters() if n_steps > 1 else ():
            parameter.grad = torch.ones_like(parameter)  # what some step before has left
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)

        batch = Batch(src, tgt)

        def step() -> Any:
            return train_step(model, batch, optimizer, max_grad_norm, **(options or {}))

        return QUESTIONS[ask](model, batch, step, n_steps)


def weights(model: nn.Module, batch: Batch, step: Callable, n_steps: int) -> dict[str, Any]:
    """The losses, and how far the parts of the model have moved."""
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    losses = {f"loss of step {number}": step() for number in range(1, n_steps + 1)}
    moved = {name: parameter.detach() - before[name] for name, parameter in model.named_parameters()}
    parts = dict.fromkeys(name.partition(".")[0] for name in moved)
    lengths = {
        f"length of the step of {part}": torch.cat(
            [change.flatten() for name, change in moved.items() if name.startswith(part)]
        ).norm().item()
        for part in parts
    }  # fmt: skip
    return {**losses, "step of generator.bias": moved["generator.bias"], **lengths}


def mode(model: nn.Module, batch: Batch, step: Callable, n_steps: int) -> dict[str, bool]:
    """Whether the model computes in training mode, and is left in it."""
    step()
    return {"training mode within": model.seen["training"], "training mode afterwards": model.training}


def precision(model: nn.Module, batch: Batch, step: Callable, n_steps: int) -> dict[str, Any]:
    """What the model computes in, what its weights are afterwards, and whether they have moved.

    Where autocast is not told a dtype, it takes float16, as it does on a GPU.
    """
    before, default = model.generator.bias.detach().clone(), torch.get_autocast_dtype("cpu")
    torch.set_autocast_dtype("cpu", torch.float16)
    try:
        loss = step()
    finally:
        torch.set_autocast_dtype("cpu", default)
    return {
        "the model computes in bfloat16": model.seen["precision"] == torch.bfloat16,
        "the model computes in float16": model.seen["precision"] == torch.float16,
        "its weights stay in float32": model.generator.bias.dtype == torch.float32,
        "its weights have moved": bool((model.generator.bias.detach() != before).any()),
        "the loss is a float": isinstance(loss, float) and loss == loss,
    }


def elsewhere(model: nn.Module, batch: Batch, step: Callable, n_steps: int) -> Any:
    """The loss, where the model lies on another device than the batch (simulated)."""
    with modules.OtherDevice(STAYED) as device:
        for tensor in batch:
            tensor.made_here = True
        device.arrived([*model.parameters(), *model.buffers()])
        return step()


QUESTIONS: dict[str, Callable] = {question.__name__: question for question in (weights, mode, precision, elsewhere)}


def _watched() -> type:
    class Transformer(stand_in("Transformer")):
        """Notes how it is called, wherever a call comes from."""

        def encode(self, src_ids: Tensor) -> Tensor:
            is_on = torch.is_autocast_enabled("cpu")
            precision = torch.get_autocast_dtype("cpu") if is_on else self.generator.weight.dtype
            self.seen = {"training": self.training, "precision": precision}
            return super().encode(src_ids)

    return Transformer
