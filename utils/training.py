"""What a run of training needs around its steps: checkpoints to resume from, and something to watch."""

from __future__ import annotations

import base64
import html
import io
import os
import time
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import nn

from utils.plots import STYLE

# -------------------------------------------------------------------------------------- checkpoints


def save_checkpoint(
    path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, losses: Sequence[float]
) -> None:
    """Writes all that a run needs to go on as if it had never stopped, in the safetensors format.

    These are the weights, the optimizer's memory, the state of the random numbers, the number of steps
    taken and the losses so far. The file appears whole or not at all, also where the process is killed.
    """
    from safetensors.torch import save_file

    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for place, memory in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{place}.{key}": tensor for key, tensor in memory.items() if tensor is not None}
    tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    unfinished = Path(f"{path}.part")
    save_file({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, unfinished, {"step": str(step)})
    os.replace(unfinished, path)


def load_checkpoint(
    path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, list[float]]:
    """Puts a run back to where it was when its checkpoint was written.

    Returns:
        The number of steps taken, and their losses.

    Raises:
        ValueError: the file is no checkpoint, or one of another model.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            step = int(file.metadata()["step"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        model.load_state_dict(_below("model.", tensors))
    except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} is no checkpoint of this model: delete it to begin afresh ({type(error).__name__})") from None
    memories: dict[int, dict] = {}
    for name, tensor in _below("optimizer.", tensors).items():
        place, _, key = name.partition(".")
        memories.setdefault(int(place), {})[key] = tensor
    optimizer.load_state_dict({"state": memories, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.set_rng_state(tensors["random.cpu"])
    if torch.cuda.is_available() and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"])
    return step, tensors["losses"].tolist()


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


# -------------------------------------------------------------------------------- something to watch


class Live:
    """A run to watch: progress bar, loss, learning rate and samples, in one output that is renewed.

        live = Live(n_steps=500)
        live.show(losses, rates, {"Jane visite Rome": "Jane visits Rome"})

    Args:
        n_steps: how many steps the run will have.
    """

    def __init__(self, n_steps: int) -> None:
        self.n_steps, self.first = n_steps, 0
        self.begin, self.display = time.perf_counter(), None
        self.losses, self.rates, self.samples = [], [], {}

    def show(self, losses: Sequence[float], rates: Sequence[float], samples: dict[str, str]) -> None:
        """Shows how far the run has come.

        Args:
            losses, rates: loss and learning rate of each step so far.
            samples: some sentences and what the model makes of them by now.
        """
        self.losses, self.rates, self.samples = list(losses), list(rates), dict(samples)
        if self.display is None:
            from IPython.display import display

            self.first, self.begin = len(self.losses), time.perf_counter()  # a resumed run has steps behind it
            self.display = display(self, display_id=True)
        else:
            self.display.update(self)

    def line(self) -> str:
        """Steps, loss and time, in one line."""
        step, seconds = len(self.losses), time.perf_counter() - self.begin
        taken = step - self.first
        left = f", about {seconds / taken * (self.n_steps - step):.0f} s left" if 0 < taken and step < self.n_steps else ""
        loss = f", loss {self.losses[-1]:.3f}" if self.losses else ""
        return f"step {step} of {self.n_steps}{loss}, {seconds:.0f} s{left}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        rows = "".join(
            f"<tr><td style='text-align:left;padding-right:1.5em'>{html.escape(one)}</td>"
            f"<td style='text-align:left'><b>{html.escape(_short(other))}</b></td></tr>"
            for one, other in self.samples.items()
        )
        picture = base64.b64encode(self._picture()).decode()
        alt = f"The loss falls from {self.losses[0]:.2f} to {self.losses[-1]:.2f}." if self.losses else "No step yet."
        told = [self.line(), *(f"{one} -> {_short(other)}" for one, other in self.samples.items())]
        return {
            "text/plain": "\n".join(told),
            "text/html": (
                f"<progress value='{len(self.losses)}' max='{self.n_steps}' style='width:60%'></progress> {self.line()}"
                f"<br><img alt='{alt}' src='data:image/png;base64,{picture}'><table>{rows}</table>"
            ),
        }

    def _picture(self) -> bytes:
        steps, buffer = range(1, len(self.losses) + 1), io.BytesIO()
        with plt.rc_context(STYLE):
            figure, axes = plt.subplots(1, 2, figsize=(8.3, 2.7), width_ratios=(3, 2), layout="constrained")
            for ax, numbers, name in zip(axes, (self.losses, self.rates), ("loss", "learning rate")):
                ax.plot(steps, numbers, color="#1d4ed8", linewidth=1.5)
                ax.set(xlabel="step", title=name, xlim=(0, self.n_steps), ylim=(0, None))
                ax.grid(color="#e5e7eb", linewidth=0.8)
            figure.savefig(buffer, format="png")
            plt.close(figure)
        return buffer.getvalue()


def _short(sentence: str, most: int = 60) -> str:
    """Before a model knows where a sentence ends, it goes on and on."""
    return sentence if len(sentence) <= most else sentence[:most] + " …"
