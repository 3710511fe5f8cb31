"""Stand-ins for the answers of lessons 05 to 08: modules with the members of the answers, torch.nn's own inside."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from utils.stand_ins import in_numpy


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    return _attend(q, k, v, mask), _attend(q, k, torch.eye(k.shape[-2]).to(v).expand(*k.shape[:-1], -1), mask)


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float = 0.0) -> Tensor:
    seeing = torch.ones((), device=q.device) if mask is None else mask.any(dim=-1, keepdim=True)
    everywhere = None if mask is None else mask | ~seeing  # a row that sees nothing looks everywhere, and is put to 0
    with sdpa_kernel(SDPBackend.MATH):  # the fast ones write past their memory where keys and values differ in number
        return F.scaled_dot_product_attention(q, k, v, everywhere, dropout) * seeing


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"n_heads must divide d_model, got {n_heads} and {d_model}")
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))
        self.n_heads, self.dropout = n_heads, nn.Dropout(dropout)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        q, k, v = (
            layer(x).unflatten(-1, (self.n_heads, -1)).movedim(-2, -3)
            for layer, x in ((self.w_q, query), (self.w_k, key), (self.w_v, value))
        )
        output = _attend(q, k, v, mask, self.dropout.p if self.training else 0.0)
        return self.w_o(output.movedim(-3, -2).flatten(-2)), attention(q, k, v, mask)[1]


class LayerNorm(nn.LayerNorm):
    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__(d_model, eps)


class FeedForward(nn.Sequential):
    def __init__(self, d_model: int, d_ff: int, dropout: float = 0.0) -> None:
        parts = {"linear_1": nn.Linear(d_model, d_ff), "relu": nn.ReLU(), "dropout": nn.Dropout(dropout)}
        super().__init__(OrderedDict(parts, linear_2=nn.Linear(d_ff, d_model)))


class EncoderLayer(nn.Module):
    def __init__(self, d_model: int, n_heads: int, d_ff: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm_1, self.norm_2 = map(LayerNorm, [d_model] * 2)
        self.sizes = (d_model, n_heads, d_ff, dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        layer = _empty(nn.TransformerEncoderLayer, self.training, *self.sizes)
        layer.self_attn = _Attending(self.self_attention, mask)
        layer.linear1, layer.linear2 = self.feed_forward.linear_1, self.feed_forward.linear_2
        layer.norm1, layer.norm2 = self.norm_1, self.norm_2
        return layer(x)


class Embeddings(nn.Module):
    def __init__(self, vocab_size: int, d_model: int, max_len: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.register_buffer("encoding", torch.from_numpy(in_numpy.positional_encoding(max_len, d_model)).float())
        self.dropout = nn.Dropout(dropout)

    def forward(self, token_ids: Tensor) -> Tensor:
        scale = self.tokens.embedding_dim**0.5
        return self.dropout(torch.add(self.encoding[: token_ids.shape[-1]], self.tokens(token_ids), alpha=scale))


class DecoderLayer(nn.Module):
    def __init__(self, d_model: int, n_heads: int, d_ff: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm_1, self.norm_2, self.norm_3 = map(LayerNorm, [d_model] * 3)
        self.sizes = (d_model, n_heads, d_ff, dropout)

    def forward(
        self, x: Tensor, memory: Tensor, self_mask: Tensor | None = None, memory_mask: Tensor | None = None
    ) -> Tensor:
        layer = _empty(nn.TransformerDecoderLayer, self.training, *self.sizes)
        layer.self_attn = _Attending(self.self_attention, self_mask)
        layer.multihead_attn = _Attending(self.cross_attention, memory_mask)
        layer.linear1, layer.linear2 = self.feed_forward.linear_1, self.feed_forward.linear_2
        layer.norm1, layer.norm2, layer.norm3 = self.norm_1, self.norm_2, self.norm_3
        return layer(x, memory)


class Encoder(nn.Module):
    def __init__(self, n_layers: int, d_model: int, n_heads: int, d_ff: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(d_model, n_heads, d_ff, dropout) for _ in range(n_layers))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        encoder = nn.TransformerEncoder(nn.Identity(), 0, enable_nested_tensor=False)
        encoder.layers = nn.ModuleList(_Passing(layer, mask) for layer in self.layers)
        return encoder(x)


class Decoder(nn.Module):
    def __init__(self, n_layers: int, d_model: int, n_heads: int, d_ff: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(d_model, n_heads, d_ff, dropout) for _ in range(n_layers))

    def forward(
        self, x: Tensor, memory: Tensor, self_mask: Tensor | None = None, memory_mask: Tensor | None = None
    ) -> Tensor:
        decoder = nn.TransformerDecoder(nn.Identity(), 0)
        decoder.layers = nn.ModuleList(_Passing(layer, self_mask, memory_mask) for layer in self.layers)
        return decoder(x, memory)


class Transformer(nn.Module):
    def __init__(
        self, src_vocab_size: int, tgt_vocab_size: int, d_model: int, n_heads: int, n_layers: int, d_ff: int,
        dropout: float = 0.0, max_len: int = 512, pad_id: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.src_embeddings = Embeddings(src_vocab_size, d_model, max_len, dropout)
        self.tgt_embeddings = Embeddings(tgt_vocab_size, d_model, max_len, dropout)
        self.encoder = Encoder(n_layers, d_model, n_heads, d_ff, dropout)
        self.decoder = Decoder(n_layers, d_model, n_heads, d_ff, dropout)
        self.generator = nn.Linear(d_model, tgt_vocab_size)
        self.d_model, self.n_heads, self.pad_id = d_model, n_heads, pad_id

    def encode(self, src_ids: Tensor) -> Tensor:
        return self.encoder(self.src_embeddings(src_ids), self._real(src_ids))

    def decode(self, tgt_ids: Tensor, memory: Tensor, src_ids: Tensor) -> Tensor:
        future = nn.Transformer.generate_square_subsequent_mask(tgt_ids.shape[1], device=tgt_ids.device)
        seen = self._real(tgt_ids) & future.isfinite()
        return self.decoder(self.tgt_embeddings(tgt_ids), memory, seen, self._real(src_ids))

    def forward(self, src_ids: Tensor, tgt_ids: Tensor) -> Tensor:
        return self.generator(self.decode(tgt_ids, self.encode(src_ids), src_ids))

    def _real(self, ids: Tensor) -> Tensor:
        return torch.isin(ids, self.pad_id, invert=True)[:, None, None]


def label_smoothed_loss(logits: Tensor, labels: Tensor, pad_id: int, smoothing: float = 0.1) -> Tensor:
    return F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=pad_id, label_smoothing=smoothing)


@torch.no_grad()
def greedy_decode(model: nn.Module, src_ids: Tensor, bos_id: int, eos_id: int, max_len: int) -> Tensor:
    """All ids are guessed at once, and again from the last guess, until none changes: each round settles one more."""
    mode = model.training
    memory = model.eval().encode(src_ids)
    guess = torch.full((len(src_ids), max_len), eos_id, device=src_ids.device)
    guess[:, 0] = bos_id
    for _ in range(max_len):
        said = model.generator(model.decode(guess, memory, src_ids)).argmax(-1)
        over = (said == eos_id).long().cumsum(1).cumsum(1) > 1  # from the second place after an end on
        guess = torch.cat([guess[:, :1], said.masked_fill(over, eos_id)[:, :-1]], 1)
    over = (guess == eos_id).long().cumsum(1).cumsum(1) > 1
    model.train(mode)
    return guess.masked_fill(over, model.pad_id)[:, : int((~over).sum(1).max())]


@lru_cache
def _empty(kind: type[nn.Module], training: bool, *sizes: float) -> nn.Module:
    """One of torch.nn's layers without numbers; its parts are put in whenever it is called, and keep their own mode."""
    return kind(*sizes, batch_first=True, device="meta").train(training)


class _Attending(nn.Module):
    """An answer's attention, in the place of torch.nn's own in one of its layers."""

    batch_first = False  # keeps torch.nn from a short cut that knows its own attention alone

    def __init__(self, attention: nn.Module, mask: Tensor | None) -> None:
        super().__init__()
        self.attention, self.mask = attention, mask

    def forward(self, query: Tensor, key: Tensor, value: Tensor, **_: object) -> tuple[Tensor, None]:
        return self.attention(query, key, value, self.mask)[0], None


class _Passing(nn.Module):
    """A layer with its masks, in one of torch.nn's stacks."""

    self_attn = SimpleNamespace(batch_first=True)  # which the stacks ask for

    def __init__(self, layer: nn.Module, *masks: Tensor | None) -> None:
        super().__init__()
        self.layer, self.masks = layer, masks

    def forward(self, *inputs: Tensor, **_: object) -> Tensor:
        return self.layer(*inputs, *self.masks)
