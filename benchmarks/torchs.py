"""`torch.nn.Transformer` with the members of lesson 06's, to be trained and asked in the same way."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from grader.spec import load_lesson

Embeddings = load_lesson("06_transformer").reference("Embeddings")


class TorchTransformer(nn.Module):
    """Arguments, `encode`, `decode` and `forward` are those of `Transformer` in lesson 06.

    Embeddings and generator are the course's; all between them is PyTorch's, without the norms that it puts
    after the two stacks.
    """

    def __init__(
        self, src_vocab_size: int, tgt_vocab_size: int, d_model: int, n_heads: int, n_layers: int, d_ff: int,
        dropout: float = 0.0, max_len: int = 512, pad_id: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.src_embeddings = Embeddings(src_vocab_size, d_model, max_len, dropout)
        self.tgt_embeddings = Embeddings(tgt_vocab_size, d_model, max_len, dropout)
        self.inner = nn.Transformer(d_model, n_heads, n_layers, n_layers, d_ff, dropout, batch_first=True)
        self.inner.encoder.norm = self.inner.decoder.norm = None
        self.inner.encoder.use_nested_tensor = False  # else its memory may be shorter than its input
        self.generator = nn.Linear(d_model, tgt_vocab_size)
        self.pad_id = pad_id

    def encode(self, src_ids: Tensor) -> Tensor:
        hidden = src_ids == self.pad_id  # True where nothing may look: the other way round than in the course
        return self.inner.encoder(self.src_embeddings(src_ids), src_key_padding_mask=hidden)

    def decode(self, tgt_ids: Tensor, memory: Tensor, src_ids: Tensor) -> Tensor:
        n_tgt = tgt_ids.shape[1]
        future = torch.ones(n_tgt, n_tgt, dtype=torch.bool, device=tgt_ids.device).triu(1)
        return self.inner.decoder(
            self.tgt_embeddings(tgt_ids), memory, tgt_mask=future, tgt_key_padding_mask=tgt_ids == self.pad_id,
            memory_key_padding_mask=src_ids == self.pad_id,
        )  # fmt: skip

    def forward(self, src_ids: Tensor, tgt_ids: Tensor) -> Tensor:
        return self.generator(self.decode(tgt_ids, self.encode(src_ids), src_ids))


def same_weights(ours: nn.Module, theirs: TorchTransformer) -> None:
    """Gives torch's model the numbers of one of lesson 06."""
    with torch.no_grad():
        for name, layer in theirs.named_modules():
            if isinstance(layer, nn.MultiheadAttention):
                own = ours.get_submodule(_own_name(name))
                layer.in_proj_weight.copy_(torch.cat([own.w_q.weight, own.w_k.weight, own.w_v.weight]))
                layer.in_proj_bias.copy_(torch.cat([own.w_q.bias, own.w_k.bias, own.w_v.bias]))
                layer.out_proj.load_state_dict(own.w_o.state_dict())
            elif isinstance(layer, (nn.Linear, nn.LayerNorm, nn.Embedding)) and "attn" not in name:
                layer.load_state_dict(dict(ours.get_submodule(_own_name(name)).named_parameters()))


def _own_name(name: str) -> str:
    """The course's name of a part that torch calls otherwise."""
    for theirs, own in (
        ("inner.", ""), ("self_attn", "self_attention"), ("multihead_attn", "cross_attention"),
        ("linear", "feed_forward.linear_"), ("norm", "norm_"),
    ):  # fmt: skip
        name = name.replace(theirs, own)
    return name
