# The cross-attention may look at the padding of the source.

# %% solution="Transformer"
class Transformer(nn.Module):
    def __init__(
        self, src_vocab_size, tgt_vocab_size, d_model, n_heads, n_layers, d_ff, dropout=0.0, max_len=512, pad_id=0
    ):
        super().__init__()
        self.pad_id = pad_id
        self.src_embeddings = Embeddings(src_vocab_size, d_model, max_len, dropout=dropout)
        self.tgt_embeddings = Embeddings(tgt_vocab_size, d_model, max_len, dropout=dropout)
        self.encoder = Encoder(n_layers, d_model, n_heads, d_ff, dropout=dropout)
        self.decoder = Decoder(n_layers, d_model, n_heads, d_ff, dropout=dropout)
        self.generator = nn.Linear(in_features=d_model, out_features=tgt_vocab_size)

    def encode(self, src_ids):
        is_real = (src_ids != self.pad_id)[:, None, None, :]  # (batch, 1, 1, n_src)
        return self.encoder(self.src_embeddings(src_ids), is_real)

    def decode(self, tgt_ids, memory, src_ids):
        n_tgt = tgt_ids.shape[1]
        is_past = torch.ones(n_tgt, n_tgt, dtype=torch.bool, device=tgt_ids.device).tril()
        self_mask = (tgt_ids != self.pad_id)[:, None, None, :] & is_past  # (batch, 1, n_tgt, n_tgt)
        return self.decoder(self.tgt_embeddings(tgt_ids), memory, self_mask)

    def forward(self, src_ids, tgt_ids):
        memory = self.encode(src_ids)
        hidden = self.decode(tgt_ids, memory, src_ids)
        return self.generator(hidden)
