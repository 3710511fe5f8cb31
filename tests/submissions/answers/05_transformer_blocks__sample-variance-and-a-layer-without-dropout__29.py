# The norm divides by one too few; the layer itself drops nothing.

# %% solution="attention"
def attention(q, k, v, mask=None):
    scores = torch.einsum("...id,...jd->...ij", q, k) * k.shape[-1] ** -0.5  # (..., n_q, n_k)
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    lowest = torch.finfo(scores.dtype).min
    weights = torch.softmax(torch.where(mask, scores, lowest), dim=-1) * mask
    return torch.einsum("...ij,...jd->...id", weights, v), weights

# %% solution="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        self.d_head, left_over = divmod(d_model, n_heads)
        if left_over:
            raise ValueError(f"{n_heads} heads do not divide {d_model} features")
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))
        self.dropout = nn.Dropout(p=dropout)

    def heads_of(self, x):
        return x.unflatten(-1, (-1, self.d_head)).transpose(-3, -2)  # (batch, n_heads, n, d_head)

    def forward(self, query, key, value, mask=None):
        q, k, v = self.heads_of(self.w_q(query)), self.heads_of(self.w_k(key)), self.heads_of(self.w_v(value))
        weights = attention(q, k, v, mask)[1]
        mixed = self.dropout(weights) @ v
        return self.w_o(mixed.transpose(-3, -2).flatten(start_dim=-2)), weights

# %% solution="LayerNorm"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = x.var(dim=-1, keepdim=True)  # divides by d_model - 1
        return torch.rsqrt(variance + self.eps) * centred * self.weight + self.bias

# %% solution="FeedForward"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__()
        self.linear_1 = nn.Linear(in_features=d_model, out_features=d_ff)
        self.linear_2 = nn.Linear(in_features=d_ff, out_features=d_model)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x):
        hidden = self.linear_1(x).clamp(min=0)  # (..., d_ff)
        return self.linear_2(self.dropout(hidden))

# %% solution="EncoderLayer"
class EncoderLayer(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, n_heads, dropout=dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=dropout)
        self.norm_1, self.norm_2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        attended, _ = self.self_attention(x, x, x, mask)
        x = self.norm_1(x + attended)
        return self.norm_2(x + self.feed_forward(x))
