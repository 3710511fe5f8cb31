"""The file that a learner's own translator travels in: `translator.safetensors`, names and numbers, nothing that runs.

    save_translator(model)                      # the weights of a Transformer, and its number of heads
    model = load_translator(Transformer)        # built anew with the sizes that the weights tell
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

FILE = "translator.safetensors"
MAX_BYTES = 20_000_000
MAX_LAYERS = 12
N_HEADS = 4  # where a file does not say: lesson 07's


def save_translator(model: nn.Module, path: str | Path = FILE) -> int:
    """Writes a Transformer's weights; returns the size of the file in bytes.

    Only parameters are kept: buffers are made anew, and may be called something else in another's Transformer.
    """
    from safetensors.torch import save_file

    weights = {name: parameter.detach().cpu().contiguous() for name, parameter in model.named_parameters()}
    save_file(weights, path, {"n_heads": str(heads_of(model))})
    return Path(path).stat().st_size


def heads_of(model: nn.Module) -> int:
    """The number of heads of a Transformer: it is in the shape of its attention weights, not in that of a parameter."""
    device = next(model.parameters()).device
    with torch.no_grad():
        word = model.src_embeddings(torch.ones(1, 1, dtype=torch.long, device=device))
        return model.encoder.layers[0].self_attention(word, word, word)[1].shape[1]


def load_translator(transformer: Callable[..., nn.Module], path: str | Path = FILE) -> nn.Module:
    """A Transformer with the weights of a file, in evaluation mode.

    Args:
        transformer: the class, of lesson 06.
        path: a file that `save_translator` wrote, or one with the same names in it.

    Raises:
        ValueError: there is no such file, or it is too large, damaged, or that of something else.
    """
    path = Path(path)
    weights, told = _read(path)
    try:
        src_vocab_size, d_model = weights["src_embeddings.tokens.weight"].shape
        english = weights["tgt_embeddings.tokens.weight"].shape
        wide = weights["encoder.layers.0.feed_forward.linear_1.weight"].shape
        square = weights["encoder.layers.0.self_attention.w_q.weight"].shape
        n_layers = len({name.split(".")[2] for name in weights if name.startswith("encoder.layers.")})
        n_heads = int(told.get("n_heads", N_HEADS))
        fits = square == (d_model, d_model) and english[1:] == wide[1:] == (d_model,)
        if not fits or n_layers > MAX_LAYERS:  # else a small file could ask for a huge model
            raise ValueError("sizes that do not fit together")
        model = transformer(src_vocab_size, english[0], d_model, n_heads, n_layers, wide[0])
        own = dict(model.named_parameters())
        if missing := sorted(own.keys() - weights.keys()):
            raise KeyError(missing[0])
        model.load_state_dict({name: weights[name] for name in own}, strict=False)
    except KeyError as error:
        raise ValueError(f"{path.name} holds no Transformer of lesson 06: there is no {error}") from None
    except (ValueError, TypeError, RuntimeError, ZeroDivisionError) as error:
        first = str(error).split("\n")[0][:100]
        raise ValueError(f"{path.name} holds no Transformer that can be built ({first})") from None
    return model.eval()


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors of a file by name, as float32, and the texts beside them."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not path.is_file():
        raise ValueError(f"there is no {path.name} beside the notebook: run the cell that saves it, and hand it in too")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} is too large: at most {MAX_BYTES:,} bytes are read")
    data = path.read_bytes()
    try:
        weights = {name: tensor.float() for name, tensor in load(data).items()}
        told = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path.name} is no safetensors file ({type(error).__name__})") from None
    return weights, told
