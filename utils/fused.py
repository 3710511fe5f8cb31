"""The same Transformer by faster kernels: attention and normalisation as one call of PyTorch each.

    model = fuse(Transformer(…), n_heads)

The weights are the very same tensors under the same names, so a model may be fused or not at any time, and
its file fits either.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ATTENTIONS = ("self_attention", "cross_attention")  # the members of lessons 05 and 06
NORMS = ("norm_1", "norm_2", "norm_3")


def fuse(model: nn.Module, n_heads: int, dropout: float = 0.0) -> nn.Module:
    """Puts fused parts in the place of those written by hand; returns the model, which is changed.

    Args:
        model: a `Transformer` of lesson 06.
        n_heads, dropout: as it was built with; they cannot be told from its weights.
    """
    for layer in [*model.encoder.layers, *model.decoder.layers]:
        for name in ATTENTIONS:
            if hasattr(layer, name):
                setattr(layer, name, FusedAttention(getattr(layer, name), n_heads, dropout))
        for name in NORMS:
            if hasattr(layer, name):
                setattr(layer, name, _fused_norm(getattr(layer, name)))
    return model


class FusedAttention(nn.Module):
    """Multi-head attention with the weights of another one, which never writes the scores down.

    Members: `w_q`, `w_k`, `w_v`, `w_o`, those of `attention`.

    `forward(query, key, value, mask=None)`: as `MultiHeadAttention` of lesson 05; there are no weights to be
        returned, so None stands in their place.
    """

    def __init__(self, attention: nn.Module, n_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.w_q, self.w_k, self.w_v, self.w_o = attention.w_q, attention.w_k, attention.w_v, attention.w_o
        self.n_heads, self.dropout = n_heads, dropout
        self.train(attention.training)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, None]:
        q = self._heads(self._together(query, self.w_q)[0])
        k, v = map(self._heads, self._together(key, self.w_k, self.w_v) if key is value else
                   (self.w_k(key), self.w_v(value)))  # fmt: skip
        found = F.scaled_dot_product_attention(q, k, v, mask, self.dropout if self.training else 0.0)
        return self.w_o(found.transpose(1, 2).flatten(2)), None

    def _together(self, x: Tensor, *layers: nn.Linear) -> tuple[Tensor, ...]:
        """What several layers make of one input, in one product: a large one is faster than two small ones."""
        if len(layers) == 1:
            return (layers[0](x),)
        weight, bias = (torch.cat([getattr(layer, name) for layer in layers]) for name in ("weight", "bias"))
        return F.linear(x, weight, bias).chunk(len(layers), dim=-1)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (batch, n_heads, n, d_head)


def _fused_norm(norm: nn.Module) -> nn.LayerNorm:
    fused = nn.LayerNorm(len(norm.weight), eps=getattr(norm, "eps", 1e-5)).train(norm.training)
    fused.weight, fused.bias = norm.weight, norm.bias
    return fused
