# One encoder layer many times; memory asks, the decoder answers; vectors not multiplied.

# %% solution="Encoder"
class Encoder(nn.Module):
    def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.layers = nn.ModuleList([EncoderLayer(d_model, n_heads, d_ff, dropout=dropout)] * n_layers)

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
        return x

# %% solution="DecoderLayer"
class DecoderLayer(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, n_heads, dropout=dropout)
        self.cross_attention = MultiHeadAttention(d_model, n_heads, dropout=dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=dropout)
        self.norm_1, self.norm_2, self.norm_3 = (LayerNorm(d_model) for _ in range(3))
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        attended, _ = self.self_attention(x, x, x, self_mask)
        x = self.norm_1(x + self.dropout(attended))
        found, _ = self.cross_attention(memory, x, x, memory_mask)
        x = self.norm_2(x + self.dropout(found))
        return self.norm_3(x + self.dropout(self.feed_forward(x)))

# %% solution="Embeddings"
class Embeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__()
        self.tokens = nn.Embedding(num_embeddings=vocab_size, embedding_dim=d_model)
        self.register_buffer("positions", positional_encoding(max_len, d_model))
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, token_ids):
        n, d_model = token_ids.shape[-1], self.tokens.embedding_dim
        vectors = self.tokens(token_ids) + self.positions[:n]  # (batch, n, d_model)
        return self.dropout(vectors)
