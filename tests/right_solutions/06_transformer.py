"""Right solutions written in different ways: none may lose a point or be accused of a mistake."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from utils.carry import on_tensors
from utils.stand_ins import stand_in

MultiHeadAttention, LayerNorm, FeedForward, EncoderLayer = (
    stand_in(name) for name in ("MultiHeadAttention", "LayerNorm", "FeedForward", "EncoderLayer")
)
positional_encoding = on_tensors(stand_in("positional_encoding"))


class Embeddings__plain(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.register_buffer("pe", positional_encoding(max_len, d_model))
        self.dropout = nn.Dropout(dropout)
        self.d_model = d_model

    def forward(self, token_ids):
        x = self.tokens(token_ids) * math.sqrt(self.d_model)
        x = x + self.pe[: token_ids.size(1)]
        return self.dropout(x)


class Embeddings__buffer_with_a_batch_axis(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__()
        self.scale = torch.sqrt(torch.tensor(float(d_model)))
        self.dropout = dropout
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.register_buffer("encoding", positional_encoding(max_len, d_model).unsqueeze(0), persistent=False)

    def forward(self, token_ids):
        x = self.tokens(token_ids)
        x *= self.scale.item()
        x += self.encoding[:, : x.shape[1], :]
        return F.dropout(x, self.dropout, training=self.training)


class Embeddings__one_hot_and_frozen_table(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.register_buffer("positions", positional_encoding(max_len, d_model))
        self.drop = nn.Dropout(p=dropout)

    def forward(self, token_ids):
        vocab_size, d_model = self.tokens.weight.shape
        one_hot = F.one_hot(token_ids, vocab_size).to(self.tokens.weight.dtype)
        places = torch.arange(token_ids.shape[-1], device=token_ids.device)
        return self.drop((one_hot @ self.tokens.weight) * d_model**0.5 + F.embedding(places, self.positions))


class Embeddings__encoding_made_on_the_way(nn.Module):
    """The encoding needs no buffer if it is moved to where the words are."""

    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, token_ids):
        x = self.tokens(token_ids)
        encoding = positional_encoding(x.shape[1], x.shape[2]).to(x)
        return self.dropout(torch.sqrt(torch.tensor(x.shape[2])) * x + encoding)


class DecoderLayer__plain(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm_1 = LayerNorm(d_model)
        self.norm_2 = LayerNorm(d_model)
        self.norm_3 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        attended, _ = self.self_attention(x, x, x, self_mask)
        x = self.norm_1(x + self.dropout(attended))
        attended, _ = self.cross_attention(x, memory, memory, memory_mask)
        x = self.norm_2(x + self.dropout(attended))
        return self.norm_3(x + self.dropout(self.feed_forward(x)))


class DecoderLayer__three_dropouts_and_a_helper(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.feed_forward = FeedForward(d_model=d_model, d_ff=d_ff, dropout=dropout)
        self.norm_3, self.norm_2, self.norm_1 = (LayerNorm(d_model) for _ in range(3))
        self.dropouts = nn.ModuleList(nn.Dropout(dropout) for _ in range(3))
        for name in ("cross_attention", "self_attention"):
            setattr(self, name, MultiHeadAttention(d_model, n_heads, dropout=dropout))

    def add_and_norm(self, place, x, found):
        return getattr(self, f"norm_{place}")(self.dropouts[place - 1](found) + x)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        h = self.add_and_norm(1, x, self.self_attention(query=x, key=x, value=x, mask=self_mask)[0])
        h = self.add_and_norm(2, h, self.cross_attention(query=h, key=memory, value=memory, mask=memory_mask)[0])
        return self.add_and_norm(3, h, self.feed_forward(h))


class DecoderLayer__an_encoder_layer_with_more(EncoderLayer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.cross_attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.norm_3 = LayerNorm(d_model)
        self.p = dropout

    def drop(self, x):
        return F.dropout(x, self.p, self.training)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = torch.add(x, self.drop(self.self_attention(x, x, x, self_mask)[0]))
        x = self.norm_1(x)
        x = torch.add(x, self.drop(self.cross_attention(x, memory, memory, memory_mask)[0]))
        x = self.norm_2(x)
        x = torch.add(x, self.drop(self.feed_forward(x)))
        return self.norm_3(x)


class Encoder__loop(nn.Module):
    def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(n_layers):
            self.layers.append(EncoderLayer(d_model, n_heads, d_ff, dropout=dropout))

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
        return x


class Encoder__copies(nn.Module):
    def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        layer = EncoderLayer(d_model, n_heads, d_ff, dropout)
        self.layers = nn.ModuleList([copy.deepcopy(layer) for _ in range(n_layers)])

    def forward(self, x, mask=None):
        result = x
        for i in range(len(self.layers)):
            result = self.layers[i](result, mask=mask)
        return result


class Encoder__recursion(nn.Module):
    def __init__(self, n_layers, *sizes, **options):
        super().__init__()
        self.layers = nn.ModuleList(map(lambda _: EncoderLayer(*sizes, **options), range(n_layers)))

    def forward(self, x, mask=None, done=0):
        return x if done == len(self.layers) else self.forward(self.layers[done](x, mask), mask, done + 1)


class Decoder__loop(nn.Module):
    def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.layers = nn.ModuleList([DecoderLayer__plain(d_model, n_heads, d_ff, dropout) for _ in range(n_layers)])

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        for layer in self.layers:
            x = layer(x, memory, self_mask, memory_mask)
        return x


class Decoder__copies(nn.Module):
    def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        layer = DecoderLayer__three_dropouts_and_a_helper(d_model, n_heads, d_ff, dropout)
        self.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(n_layers))

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        for place in range(len(self.layers)):
            x = self.layers[place](x, memory, memory_mask=memory_mask, self_mask=self_mask)
        return x


class Decoder__layers_by_name(nn.Module):
    """A dictionary numbers its layers as a list does."""

    def __init__(self, n_layers, *sizes, dropout=0.0):
        super().__init__()
        kind = DecoderLayer__an_encoder_layer_with_more
        self.layers = nn.ModuleDict({str(i): kind(*sizes, dropout=dropout) for i in range(n_layers)})

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        masks = {"self_mask": self_mask, "memory_mask": memory_mask}
        for layer in self.layers.values():
            x = layer(x, memory, **masks)
        return x


class Transformer__plain(nn.Module):
    def __init__(
        self, src_vocab_size, tgt_vocab_size, d_model, n_heads, n_layers, d_ff, dropout=0.0, max_len=512, pad_id=0
    ):  # fmt: skip
        super().__init__()
        self.src_embeddings = Embeddings__plain(src_vocab_size, d_model, max_len, dropout)
        self.tgt_embeddings = Embeddings__plain(tgt_vocab_size, d_model, max_len, dropout)
        self.encoder = Encoder__loop(n_layers, d_model, n_heads, d_ff, dropout)
        self.decoder = Decoder__loop(n_layers, d_model, n_heads, d_ff, dropout)
        self.generator = nn.Linear(d_model, tgt_vocab_size)
        self.pad_id = pad_id

    def padding_mask(self, ids):
        return (ids != self.pad_id)[:, None, None, :]

    def encode(self, src_ids):
        return self.encoder(self.src_embeddings(src_ids), self.padding_mask(src_ids))

    def decode(self, tgt_ids, memory, src_ids):
        n = tgt_ids.shape[1]
        causal = torch.tril(torch.ones(n, n, dtype=torch.bool, device=tgt_ids.device))
        mask = self.padding_mask(tgt_ids) & causal
        return self.decoder(self.tgt_embeddings(tgt_ids), memory, mask, self.padding_mask(src_ids))

    def forward(self, src_ids, tgt_ids):
        return self.generator(self.decode(tgt_ids, self.encode(src_ids), src_ids))


class Transformer__all_in_forward(nn.Module):
    """Masks in full, from comparing positions; everything by name."""

    def __init__(
        self, src_vocab_size, tgt_vocab_size, d_model, n_heads, n_layers, d_ff, dropout=0.0, max_len=512, pad_id=0
    ):  # fmt: skip
        super().__init__()
        self.pad_id = pad_id
        sizes = {"n_layers": n_layers, "d_model": d_model, "n_heads": n_heads, "d_ff": d_ff, "dropout": dropout}
        self.generator = nn.Linear(d_model, tgt_vocab_size)
        self.decoder, self.encoder = Decoder__copies(**sizes), Encoder__copies(**sizes)
        words = {"d_model": d_model, "max_len": max_len, "dropout": dropout}
        self.tgt_embeddings = Embeddings__buffer_with_a_batch_axis(vocab_size=tgt_vocab_size, **words)
        self.src_embeddings = Embeddings__buffer_with_a_batch_axis(vocab_size=src_vocab_size, **words)

    def encode(self, src_ids):
        batch, n = src_ids.shape
        mask = src_ids.ne(self.pad_id).view(batch, 1, 1, n).expand(batch, 1, n, n)
        return self.encoder(x=self.src_embeddings(src_ids), mask=mask)

    def decode(self, tgt_ids, memory, src_ids):
        (batch, n_tgt), n_src = tgt_ids.shape, src_ids.shape[1]
        places = torch.arange(n_tgt, device=tgt_ids.device)
        past = places[:, None] >= places
        own = torch.logical_and(tgt_ids.ne(self.pad_id).view(batch, 1, 1, n_tgt), past)
        others = src_ids.ne(self.pad_id).view(batch, 1, 1, n_src).expand(batch, 1, n_tgt, n_src)
        return self.decoder(x=self.tgt_embeddings(tgt_ids), memory=memory, self_mask=own, memory_mask=others)

    def forward(self, src_ids, tgt_ids):
        memory = self.encode(src_ids)
        hidden = self.decode(tgt_ids, memory, src_ids)
        return F.linear(hidden, self.generator.weight, self.generator.bias)


class Transformer__triangle_kept_as_a_buffer(nn.Module):
    def __init__(
        self, src_vocab_size, tgt_vocab_size, d_model, n_heads, n_layers, d_ff, dropout=0.0, max_len=512, pad_id=0
    ):  # fmt: skip
        super().__init__()
        self.src_embeddings = Embeddings__one_hot_and_frozen_table(src_vocab_size, d_model, max_len, dropout)
        self.tgt_embeddings = Embeddings__encoding_made_on_the_way(tgt_vocab_size, d_model, max_len, dropout)
        self.encoder = Encoder__recursion(n_layers, d_model, n_heads, d_ff, dropout=dropout)
        self.decoder = Decoder__layers_by_name(n_layers, d_model, n_heads, d_ff, dropout=dropout)
        self.generator = nn.Linear(d_model, tgt_vocab_size)
        self.pad_id = pad_id
        self.register_buffer("past", ~torch.ones(max_len, max_len, dtype=torch.bool).triu(diagonal=1))

    def encode(self, src_ids):
        return self.encoder(self.src_embeddings(src_ids), ~(src_ids == self.pad_id)[:, None, None])

    def decode(self, tgt_ids, memory, src_ids):
        n = tgt_ids.shape[1]
        own = self.past[:n, :n] & ~(tgt_ids == self.pad_id)[:, None, None]
        return self.decoder(self.tgt_embeddings(tgt_ids), memory, own, ~(src_ids == self.pad_id)[:, None, None])

    def forward(self, src_ids, tgt_ids):
        return self.generator(self.decode(tgt_ids, self.encode(src_ids), src_ids))
