"""A class exercise asked through data alone: build the module, give it weights, run it, look at what comes.

Weights are never sent. Both sides fill the parameters by the same recipe from name, shape and a seed,
so what a module answers does not hang on the order in which it was built.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from utils.probe import Unfit


def ask(
    kind: type, *, ask: str, build: list, options: dict, parameters: dict[str, str], seed: int, training: bool,
    inputs: list, named: dict,
) -> Any:  # fmt: skip
    """What a module of this kind answers.

    Args:
        kind: the student's class.
        ask: one of `QUESTIONS`.
        build, options: the constructor's positional and named arguments.
        parameters: the shape of each parameter by name, as text, as they ought to be.
        seed: gives the parameters' numbers.
        training: whether the module is in training mode.
        inputs, named: forward's positional and named arguments.

    Raises:
        Unfit: it is no nn.Module, or its parameters have other names or shapes.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        _seed(seed)

        def make(dtype: torch.dtype, filled: bool = True) -> nn.Module:
            return made(kind, build, options, parameters, seed, training, dtype, filled)

        return QUESTIONS[ask](make, inputs, named)


def made(
    kind: type, build: list, options: dict, parameters: dict[str, str], seed: int, training: bool, dtype: torch.dtype,
    filled: bool = True,
) -> nn.Module:  # fmt: skip
    """A module of this kind with the recipe's numbers for its weights; with its own where it is not to be filled."""
    module = kind(*build, **options)
    if not isinstance(module, nn.Module):
        raise Unfit(f"{kind.__name__} must be an nn.Module: write `class {kind.__name__}(nn.Module):`")
    if sentence := _strange(shapes(module), parameters, module):
        raise Unfit(sentence)
    module.to(dtype)
    with torch.no_grad():
        for name, parameter in module.named_parameters() if filled else ():
            parameter.copy_(numbers(name, tuple(parameter.shape), seed))
    _seed(seed)  # so that what dropout does hangs on no random number that building took
    return module.train(training)


def _seed(seed: int) -> None:
    """Seeds PyTorch's numbers on the CPU. `torch.manual_seed`, on a machine without a GPU, writes down the whole
    stack each time besides, for the day that one is found: that took longer than most questions."""
    torch.default_generator.manual_seed(seed)


def shapes(module: nn.Module) -> dict[str, str]:
    """The shape of each parameter, by name, as text."""
    return {name: str(tuple(parameter.shape)) for name, parameter in module.named_parameters()}


@lru_cache(maxsize=10_000)
def numbers(name: str, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """The recipe, in float64: uniform random numbers, those of a matrix with variance 1 / (its last axis)."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return torch.as_tensor(rng.uniform(-1, 1, shape) * (np.sqrt(3 / shape[-1]) if len(shape) > 1 else 1))


def output(make: Callable, inputs: list, named: dict) -> Any:
    """What forward returns."""
    return make(_dtype(inputs))(*inputs, **named)


def again(make: Callable, inputs: list, named: dict) -> Any:
    """What the first of two calls returned, looked at after the second (with the batch in reverse)."""
    module = make(_dtype(inputs))
    first = module(*inputs, **named)
    module(*[tensor.flip(0) if isinstance(tensor, torch.Tensor) else tensor for tensor in inputs], **named)
    return first


def parameters(make: Callable, inputs: list, named: dict) -> dict[str, str]:
    """The shapes of the parameters, by name."""
    return shapes(make(torch.float32))


def start_values(make: Callable, inputs: list, named: dict) -> dict[str, torch.Tensor]:
    """The numbers that the parameters have before anybody fills them."""
    return {name: parameter.detach() for name, parameter in make(torch.float32, filled=False).named_parameters()}


def part(make: Callable, inputs: list, named: dict) -> Any:
    """What a member or method, whose path is `part`, returns (first) when it is called by itself; a number as it is."""
    found = attrgetter(named["part"])(make(_dtype(inputs)))
    result = found(*inputs) if callable(found) else found
    return result[0] if isinstance(result, (tuple, list)) else result


def gradients(make: Callable, inputs: list, named: dict) -> dict[str, Any]:
    """The gradient of a weighted sum of the (first) output, for each real input and each parameter.

    Of a parameter's gradient its sum weighted with the recipe's numbers, which tells it as well and is short.
    """
    module = make(_dtype(inputs))
    found = _gradients(module, inputs, named, dict(module.named_parameters()))
    for name, parameter in module.named_parameters():
        gradient = found[f"gradient of {name}"]
        weights = numbers(f"gradient of {name}", tuple(parameter.shape), 0).to(gradient.dtype)
        found[f"gradient of {name}"] = round((gradient * weights).sum().item(), 6)
    return found


def dtypes(make: Callable, inputs: list, named: dict) -> dict[str, list[str]]:
    """The dtypes of the results, for a module and inputs in float32 and in float64."""
    return {
        str(dtype): [str(tensor.dtype) for tensor in _tensors(make(dtype)(*_cast(inputs, dtype), **named))]
        for dtype in (torch.float32, torch.float64)
    }


def elsewhere(make: Callable, inputs: list, named: dict) -> Any:
    """What forward returns, where the module and its inputs lie on another device (simulated).

    What is made without `device=`, and does not move along as a parameter or buffer does, must not meet them.
    """
    with OtherDevice() as device:
        module = make(_dtype(inputs))
        device.arrived([*module.parameters(), *module.buffers()])
        return module(*inputs, **named)


def dropped_heads(make: Callable, inputs: list, named: dict) -> dict[str, Any]:
    """What dropout leaves of each head's output, where each query sees one key and w_o hands heads through.

    The distinct ratios to the output without dropout, and whether a head goes as a whole.
    """
    module, n_heads = make(_dtype(inputs)), named["n_heads"]
    with torch.no_grad():
        module.w_o.weight.copy_(torch.eye(len(module.w_o.weight)))
        module.w_o.bias.zero_()
        module.eval()
        whole = module(*inputs)[0]
        module.train()
        left = module(*inputs)[0]
    ratios = (left / whole).unflatten(-1, (n_heads, -1)).round(decimals=3)
    return {"ratios": ratios.unique().double(), "whole heads": bool((ratios == ratios[..., :1]).all())}


def steps(make: Callable, inputs: list, named: dict) -> dict[str, Any]:
    """What a module with a cache makes of the positions of x, one after another: outputs, and the last cache."""
    x, *cache = inputs
    outputs, cache = _fed(make(_dtype(inputs)), x, tuple(cache) or None)
    return {"outputs": torch.cat(outputs, dim=1), "keys": cache[0], "values": cache[1]}


def branches(make: Callable, inputs: list, named: dict) -> dict[str, Any]:
    """What a module with a cache makes of the last two positions of x, when each is given the same cache."""
    x, module = inputs[0], make(_dtype(inputs))
    _, cache = _fed(module, x[:, :-2], None)
    (one, _), (other, after) = module(x[:, -2:-1], cache), module(x[:, -1:], cache)
    return {"one": one, "the other": other, "positions in the cache": after[0].shape[2]}


def work_by_length(make: Callable, inputs: list, named: dict) -> dict[str, bool]:
    """Whether a step's work, in numbers computed, grows faster than the number of positions in the cache."""
    (x,), counts = inputs, []
    module = make(_dtype(inputs))
    for n_past in named["lengths"]:
        keys = x.new_ones(len(x), named["n_heads"], n_past, x.shape[-1] // named["n_heads"])
        with _Work() as work:
            module(x, (keys, keys.clone()))
        counts.append(work.numbers)
    (n_1, n_2, n_3), (first, second, third) = named["lengths"], counts
    return {"faster than the length": (third - second) / (n_3 - n_2) > 1.01 * (second - first) / (n_2 - n_1)}


def _fed(module: nn.Module, x: torch.Tensor, cache: tuple | None) -> tuple[list[torch.Tensor], Any]:
    outputs = []
    for place in range(x.shape[1]):
        output, cache = module(x[:, place : place + 1], cache)
        outputs.append(output)
    return outputs, cache


class _Work(TorchDispatchMode):
    """Counts the numbers that PyTorch's operators write."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self.numbers += sum(tensor.numel() for tensor in _tensors(result))
        return result


QUESTIONS: dict[str, Callable] = {
    question.__name__: question
    for question in (
        output, again, parameters, start_values, part, gradients, dtypes, elsewhere, dropped_heads,
        steps, branches, work_by_length,
    )
}  # fmt: skip


def function_gradients(function: Callable, args: list, kwargs: dict) -> dict[str, Any]:
    """As `gradients`, for a function."""
    with torch.enable_grad():
        return _gradients(function, args, kwargs, {})


_MADE_HERE = (
    "a tensor made without `device=` met one that lies on the module's device: on a GPU this fails. "
    "Make it with `device=x.device`, or let the module register it as a buffer"
)


class OtherDevice(TorchFunctionMode):
    """Pretends that all tensors lie on another device but those made without saying where.

    Mixing the two raises, as it does on a real one. Numbers without axes may be mixed, and an index (`x[index]`)
    may lie on the CPU whatever it looks into.

    Args:
        complaint: what the error says.
    """

    def __init__(self, complaint: str = _MADE_HERE) -> None:
        super().__init__()
        self.complaint = complaint
        self.strict = False
        self.from_numpy = torch.from_numpy

    def __enter__(self) -> OtherDevice:
        torch.from_numpy = torch.as_tensor  # which modes hear of
        return super().__enter__()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        torch.from_numpy = self.from_numpy

    def arrived(self, tensors: Iterable[torch.Tensor]) -> None:
        """What moved along; from now on mixing raises."""
        for tensor in tensors:
            tensor.made_here = False
        self.strict = True

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        given = [tensor for tensor in _tensors(_meeting(name, args, kwargs)) if tensor.ndim > 0]
        here = [tensor for tensor in given if getattr(tensor, "made_here", False)]
        moved = kwargs.get("device") is not None or any(isinstance(arg, torch.device) for arg in args)
        if self.strict and here and len(here) < len(given) and name not in _MIXES:
            raise RuntimeError(self.complaint)
        result = function(*args, **kwargs)
        if name == "to" and result is args[0]:
            result = result.view_as(result)  # on the way to another device it is a new tensor
        if len(here) == len(given):
            for tensor in _tensors(result):
                tensor.made_here = not moved
        elif name == "to":
            for tensor in _tensors(result):
                tensor.made_here = False
        return result


_MIXES = {"to", "type_as", "copy_", "expand_as", "view_as", "reshape_as"}


def _meeting(name: str, args: tuple, kwargs: dict) -> Any:
    """Those arguments of an operator that have to lie on one device."""
    if name == "__getitem__":
        x, _ = args
        return x
    if name == "__setitem__":
        x, index, value = args
        by_tensor = any(True for _ in _tensors(index))
        return [x, value] if by_tensor else x  # `x[:, 2:] = value` copies from any device
    return [args, kwargs]


def _gradients(function: Callable, args: list, kwargs: dict, weights: dict[str, nn.Parameter]) -> dict[str, Any]:
    real = {
        f"input {name}": tensor.requires_grad_()
        for name, tensor in [*enumerate(args, start=1), *kwargs.items()]
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point()
    }
    result = function(*args, **kwargs)
    first = result[0] if isinstance(result, (tuple, list)) else result
    weighted = first * numbers("output", tuple(first.shape), 0).to(first.dtype)
    sources = real | weights
    found = torch.autograd.grad(weighted.sum(), list(sources.values()), allow_unused=True)
    for tensor in real.values():
        tensor.requires_grad_(False)
    return {
        f"gradient of {name}": torch.zeros_like(source) if gradient is None else gradient
        for (name, source), gradient in zip(sources.items(), found)
    }


def _strange(got: dict[str, str], wanted: dict[str, str], module: nn.Module) -> str:
    """What is wrong with a module's parameters, in a sentence; empty where nothing is."""
    if got == wanted or not wanted:  # it should not have been possible to build it: that is asked about
        return ""
    names = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    if tied := sorted((names - got.keys()) & wanted.keys()):
        return f"`{tied[0]}` is the very same parameter as another one: every layer needs weights of its own"
    strange = sorted(got.keys() - wanted.keys())
    if missing := [name for name in wanted if name not in got]:
        instead = f"it has {_listed(strange)} instead" if strange else "it has nothing instead"
        return f"there is no parameter {_listed(missing)}; {instead}"
    if strange:
        return f"there is a parameter {_listed(strange)} that this module should not have"
    name = next(name for name in wanted if got[name] != wanted[name])
    return f"expected the parameter `{name}` to have shape {wanted[name]}, got {got[name]}"


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:4]) + (", …" if len(names) > 4 else "")


def _dtype(inputs: list) -> torch.dtype:
    """The dtype of the first real input; float32 where there are only ids."""
    real = [tensor.dtype for tensor in inputs if isinstance(tensor, torch.Tensor) and tensor.is_floating_point()]
    return real[0] if real else torch.float32


def _cast(inputs: list, dtype: torch.dtype) -> list:
    return [
        tensor.to(dtype) if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() else tensor
        for tensor in inputs
    ]


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
