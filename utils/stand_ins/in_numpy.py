"""Stand-ins for the answers of lessons 00 to 04: NumPy arrays in and out, PyTorch inside."""

from __future__ import annotations

import numpy as np
import torch


def embed(token_ids: np.ndarray, table: np.ndarray) -> np.ndarray:
    return torch.nn.functional.embedding(torch.from_numpy(token_ids).long(), torch.from_numpy(table)).numpy()


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    return torch.softmax(torch.from_numpy(np.ascontiguousarray(x)), dim=axis).numpy()


def project_qkv(x: np.ndarray, w_q: np.ndarray, w_k: np.ndarray, w_v: np.ndarray) -> tuple[np.ndarray, ...]:
    linear = torch.nn.functional.linear
    return tuple(linear(torch.from_numpy(x), torch.from_numpy(w).T).numpy() for w in (w_q, w_k, w_v))


def scaled_dot_product_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"queries and keys must be equally wide, got shapes {q.shape} and {k.shape}")
    if k.shape[:-1] != v.shape[:-1]:
        raise ValueError(f"there must be one value for each key, got shapes {k.shape} and {v.shape}")
    q, k, v = (torch.from_numpy(np.ascontiguousarray(array)) for array in (q, k, v))
    identity = torch.eye(k.shape[-2], dtype=v.dtype).expand(*k.shape[:-1], k.shape[-2])
    attention = torch.nn.functional.scaled_dot_product_attention  # values = identity gives the weights
    return attention(q, k, v).numpy(), attention(q, k, identity).numpy()


def attend_one_word(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    output, weights = scaled_dot_product_attention(query[None], keys, values)
    return output[0], weights[0]


def self_attention(x: np.ndarray, w_q: np.ndarray, w_k: np.ndarray, w_v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    projected = project_qkv(x, w_q, w_k, w_v)
    return scaled_dot_product_attention(*projected)


def attend_head_by_head(
    x: np.ndarray, w_q: np.ndarray, w_k: np.ndarray, w_v: np.ndarray, w_o: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    output, weights = scaled_dot_product_attention(*(np.matmul(x, w) for w in (w_q, w_k, w_v)))
    blocks = torch.from_numpy(w_o).unflatten(0, (len(w_q), -1))
    return torch.tensordot(torch.from_numpy(output), blocks, ([0, 2], [0, 1])).numpy(), weights


def split_heads(x: np.ndarray, n_heads: int) -> np.ndarray:
    try:
        return torch.from_numpy(np.ascontiguousarray(x)).unflatten(-1, (n_heads, -1)).movedim(-2, -3).numpy()
    except RuntimeError as error:
        raise ValueError(str(error)) from None


def merge_heads(x: np.ndarray) -> np.ndarray:
    return torch.from_numpy(np.ascontiguousarray(x)).movedim(-3, -2).flatten(-2).numpy()


def multi_head_attention(
    x_q: np.ndarray, x_kv: np.ndarray, w_q: np.ndarray, w_k: np.ndarray, w_v: np.ndarray, w_o: np.ndarray, n_heads: int
) -> tuple[np.ndarray, np.ndarray]:
    x_q, x_kv, w_q, w_k, w_v, w_o = (torch.from_numpy(array.copy()) for array in (x_q, x_kv, w_q, w_k, w_v, w_o))
    try:
        attention = torch.nn.MultiheadAttention(x_q.shape[-1], n_heads, bias=False, batch_first=True, dtype=x_q.dtype)
    except AssertionError as error:
        raise ValueError(str(error)) from None
    parameters = {"in_proj_weight": torch.cat([w_q.T, w_k.T, w_v.T]), "out_proj.weight": w_o.T}
    attention.load_state_dict(parameters)
    keys = x_kv.reshape(-1, *x_kv.shape[-2:])
    with torch.no_grad():
        output, weights = attention(x_q.reshape(-1, *x_q.shape[-2:]), keys, keys, average_attn_weights=False)
    batch = x_q.shape[:-2]
    return output.reshape(x_q.shape).numpy(), weights.reshape(*batch, *weights.shape[1:]).numpy()


def count_attention_parameters(d_model: int, n_heads: int, bias: bool) -> int:
    attention = torch.nn.MultiheadAttention(d_model, n_heads, bias=bias, device="meta")
    return sum(parameter.numel() for parameter in attention.parameters())


def position_angles(n_positions: int, d_model: int, base: float = 10000.0) -> np.ndarray:
    if d_model % 2:
        raise ValueError(f"d_model must be even, got {d_model}")
    paces = torch.logspace(0, 2 / d_model - 1, d_model // 2, base=base, dtype=torch.float64)
    return torch.outer(torch.arange(n_positions, dtype=torch.float64), paces).numpy()


def positional_encoding(n_positions: int, d_model: int, base: float = 10000.0) -> np.ndarray:
    angles = torch.from_numpy(position_angles(n_positions, d_model, base))
    tips = torch.polar(torch.ones_like(angles), torch.pi / 2 - angles)  # clockwise from the top
    return torch.view_as_real(tips).flatten(1).numpy()


def padding_mask(token_ids: np.ndarray, pad_id: int) -> np.ndarray:
    ids = torch.from_numpy(np.ascontiguousarray(token_ids))
    return torch.isin(ids, pad_id, invert=True).reshape(len(ids), 1, 1, -1).numpy()


def causal_mask(n: int) -> np.ndarray:
    return torch.nn.Transformer.generate_square_subsequent_mask(n).isfinite().numpy()


def teacher_forcing(target_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ids = torch.from_numpy(np.ascontiguousarray(target_ids))
    decoder_input, labels = ids.unfold(1, ids.shape[1] - 1, 1).unbind(1)
    return decoder_input.numpy(), labels.numpy()
