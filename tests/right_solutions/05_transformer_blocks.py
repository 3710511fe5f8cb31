"""Right solutions written in different ways: none may lose a point or be accused of a mistake."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def attention__open_empty_rows(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
    if mask is None:
        mask = torch.ones(1, 1, dtype=torch.bool, device=q.device)
    nothing = ~mask.any(-1, keepdim=True)
    weights = scores.masked_fill(~mask & ~nothing, float("-inf")).softmax(-1).masked_fill(~mask, 0)
    return weights @ v, weights


def attention__where_and_einsum(q, k, v, mask=None):
    scores = torch.einsum("...qd,...kd->...qk", q, k) * k.shape[-1] ** -0.5
    if mask is not None:
        scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
    weights = F.softmax(scores, dim=-1)
    if mask is not None:
        weights = weights * mask
    return [torch.einsum("...qk,...kd->...qd", weights, v), weights]


def attention__by_hand(q, k, v, mask=None):
    scores = torch.matmul(q / q.shape[-1] ** 0.5, k.mT)
    shown = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask.expand(scores.shape)
    largest = scores.detach().masked_fill(~shown, -1e300 if scores.dtype == torch.float64 else -1e30).amax(-1, keepdim=True)
    exp = torch.where(shown, torch.exp(torch.where(shown, scores - largest, 0.0)), 0.0)
    weights = exp / exp.sum(-1, keepdim=True).clamp(min=1e-30)
    return weights.matmul(v), weights


def attention__nan_cleared_where_it_hurts_nobody(q, k, v, mask=None):
    scores = q.matmul(k.swapaxes(-1, -2)).div(q.shape[-1] ** 0.5)
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), -torch.inf)
    weights = torch.nan_to_num(scores.softmax(dim=-1), nan=0.0)
    return weights @ v, weights


def attention__a_loop_over_queries(q, k, v, mask=None):
    rows = []
    for i in range(q.shape[-2]):
        scores = (k * q[..., i : i + 1, :]).sum(-1) / q.shape[-1] ** 0.5
        if mask is None:
            rows.append(torch.softmax(scores, -1))
            continue
        shown = mask[..., min(i, mask.shape[-2] - 1), :].expand(scores.shape)
        rows.append(torch.softmax(scores.masked_fill(~shown, torch.finfo(scores.dtype).min), -1).masked_fill(~shown, 0.0))
    weights = torch.stack(rows, -2)
    return weights @ v, weights


class MultiHeadAttention__view(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        if d_model % n_heads != 0:
            raise ValueError("n_heads must divide d_model")
        self.d_model, self.h, self.d_k = d_model, n_heads, d_model // n_heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        batch = query.size(0)
        q = self.w_q(query).view(batch, -1, self.h, self.d_k).transpose(1, 2)
        k = self.w_k(key).view(batch, -1, self.h, self.d_k).transpose(1, 2)
        v = self.w_v(value).view(batch, -1, self.h, self.d_k).transpose(1, 2)
        output, weights = attention__open_empty_rows(q, k, v, mask)
        x = torch.matmul(self.dropout(weights), v)
        x = x.transpose(1, 2).contiguous().view(batch, -1, self.d_model)
        return self.w_o(x), weights


class MultiHeadAttention__einsum(nn.Module):
    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        d_head, rest = divmod(d_model, n_heads)
        if rest:
            raise ValueError
        for name in ("w_q", "w_k", "w_v", "w_o"):
            setattr(self, name, nn.Linear(d_model, d_model))
        self.sizes, self.p = (n_heads, d_head), dropout
        self.register_buffer("scale", torch.tensor(d_head**-0.5))

    def forward(self, query, key, value, mask=None):
        q, k, v = (
            layer(x).unflatten(-1, self.sizes)
            for layer, x in zip((self.w_q, self.w_k, self.w_v), (query, key, value))
        )
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * self.scale
        weights = scores.softmax(-1)
        if mask is not None:
            weights = torch.where(mask, scores, torch.finfo(scores.dtype).min).softmax(-1) * mask
        used = F.dropout(weights, self.p, training=self.training)
        return self.w_o(torch.einsum("bhqk,bkhd->bqhd", used, v).flatten(-2)), weights


class MultiHeadAttention__a_loop_over_heads(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        if n_heads * (d_model // n_heads) != d_model:
            raise ValueError(f"d_model={d_model} is not a multiple of n_heads={n_heads}")
        self.n_heads = n_heads
        self.w_o, self.w_v, self.w_k, self.w_q = [nn.Linear(d_model, d_model) for _ in range(4)]
        self.drop = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        outputs, weights = [], []
        parts = [layer.chunk(self.n_heads, dim=-1) for layer in (self.w_q(query), self.w_k(key), self.w_v(value))]
        for head, (q, k, v) in enumerate(zip(*parts)):
            shown = None
            if mask is not None:
                shown = mask if mask.ndim < 3 else mask[:, min(head, mask.shape[1] - 1)] if mask.ndim == 4 else mask[0]
            _, looks = attention__where_and_einsum(q, k, v, shown)
            outputs.append(self.drop(looks) @ v)
            weights.append(looks)
        return self.w_o(torch.cat(outputs, dim=-1)), torch.stack(weights, dim=1)


class LayerNorm__var(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, keepdim=True, unbiased=False)
        return self.weight * (x - mean) / torch.sqrt(var + self.eps) + self.bias


class LayerNorm__mean_of_squares(nn.Module):
    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        self.bias, self.weight = nn.Parameter(torch.zeros(d_model)), nn.Parameter(torch.ones(d_model))
        self.register_buffer("eps", torch.tensor(eps))

    def forward(self, x):
        x = x - x.mean(dim=-1)[..., None]
        return torch.addcmul(self.bias, x * (x.square().mean(dim=-1)[..., None] + self.eps).rsqrt(), self.weight)


class LayerNorm__sums(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.d, self.eps = d_model, eps
        self.weight = nn.Parameter(torch.empty(d_model).fill_(1.0))
        self.bias = nn.Parameter(torch.empty(d_model).fill_(0.0))

    def forward(self, x):
        mean = torch.sum(x, -1, True) / self.d
        variance = torch.sum((x - mean) ** 2, -1, True) / self.d
        return (x - mean).div((variance + self.eps) ** 0.5).mul(self.weight).add(self.bias)


class LayerNorm__var_mean(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.ones(d_model)))
        self.register_parameter("bias", nn.Parameter(torch.zeros(d_model)))
        self.eps = eps

    def forward(self, x):
        var, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return torch.rsqrt(var + self.eps) * (x - mean) * self.weight + self.bias


class FeedForward__relu(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__()
        self.linear_1 = nn.Linear(d_model, d_ff)
        self.linear_2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.linear_2(self.dropout(torch.relu(self.linear_1(x))))


class FeedForward__functions(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__()
        self.linear_2, self.linear_1 = nn.Linear(d_ff, d_model), nn.Linear(d_model, d_ff)
        self.p = dropout

    def forward(self, x):
        x = F.linear(x, self.linear_1.weight, self.linear_1.bias).clamp(min=0)
        return F.linear(F.dropout(x, self.p, self.training), self.linear_2.weight, self.linear_2.bias)


class FeedForward__dropout_before_relu(nn.Module):
    """The same: what is dropped is 0 before ReLU and after it."""

    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__()
        self.linear_1 = nn.Linear(d_model, d_ff)
        self.linear_2 = nn.Linear(d_ff, d_model)
        self.between = nn.Sequential(nn.Dropout(dropout), nn.ReLU(inplace=True))

    def forward(self, x):
        return self.between(x @ self.linear_1.weight.T + self.linear_1.bias) @ self.linear_2.weight.T + self.linear_2.bias


class FeedForward__one_sequence(nn.Sequential):
    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__()
        self.add_module("linear_1", nn.Linear(d_model, d_ff))
        self.add_module("activation", nn.ReLU())
        self.add_module("dropout", nn.Dropout(p=dropout))
        self.add_module("linear_2", nn.Linear(d_ff, d_model))


class EncoderLayer__one_dropout(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention = MultiHeadAttention__view(d_model, n_heads, dropout)
        self.feed_forward = FeedForward__relu(d_model, d_ff, dropout)
        self.norm_1 = LayerNorm__var(d_model)
        self.norm_2 = LayerNorm__var(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        x = self.norm_1(x + self.dropout(self.self_attention(x, x, x, mask)[0]))
        x = self.norm_2(x + self.dropout(self.feed_forward(x)))
        return x


class EncoderLayer__two_dropouts(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.norm_2, self.norm_1 = LayerNorm__sums(d_model), LayerNorm__mean_of_squares(d_model)
        self.dropouts = nn.ModuleList([nn.Dropout(dropout), nn.Dropout(dropout)])
        self.feed_forward = FeedForward__functions(d_model, d_ff, dropout=dropout)
        self.self_attention = MultiHeadAttention__einsum(d_model, n_heads, dropout=dropout)

    def forward(self, x, mask=None):
        heard, _ = self.self_attention(query=x, key=x, value=x, mask=mask)
        h = self.norm_1(self.dropouts[0](heard) + x)
        return self.norm_2(torch.add(h, self.dropouts[1](self.feed_forward(h))))


class EncoderLayer__a_method_for_add_and_norm(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention = MultiHeadAttention__a_loop_over_heads(d_model, n_heads, dropout)
        self.feed_forward = FeedForward__one_sequence(d_model, d_ff, dropout)
        self.norm_1, self.norm_2 = LayerNorm__var_mean(d_model), LayerNorm__var_mean(d_model)
        self.p = dropout

    def around(self, part, norm, x):
        return norm(x + F.dropout(part(x), p=self.p, training=self.training))

    def forward(self, x, mask=None):
        x = self.around(lambda x: self.self_attention(x, x, x, mask)[0], self.norm_1, x)
        return self.around(self.feed_forward, self.norm_2, x)
