"""Lesson 06: the whole Transformer."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from grader.spec import Lesson, ModuleCase
from utils.stand_ins import stand_in

LESSON = Lesson("06_transformer", refuse=("nn.Transformer",))
Norm, Feed = stand_in("LayerNorm"), stand_in("FeedForward")


def numbers(rng, *shape, dtype=np.float32):
    return torch.from_numpy(rng.normal(size=shape).astype(dtype))


def triangle(n_q, n_k=None, diagonal=0):
    return torch.ones(n_q, n_k or n_q, dtype=torch.bool).tril(diagonal)


def padded(*rows):
    """A padding mask `(batch, 1, 1, n)`, from rows such as "110"."""
    return torch.tensor([[mark == "1" for mark in row] for row in rows])[:, None, None, :]


def words(rng, *rows, pad_id=0, vocabulary=4):
    """Ids `(batch, n)`: real words drawn at random where a row such as "110" has a 1."""
    real = np.setdiff1d(np.arange(vocabulary), [pad_id])
    return torch.tensor([[int(rng.choice(real)) if mark == "1" else pad_id for mark in row] for row in rows])


class Heads(nn.Module):
    """Right multi-head attention; what does not fit raises, as in a learner's own."""

    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))
        self.n_heads, self.drop = n_heads, nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        q, k, v = (
            layer(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for layer, x in ((self.w_q, query), (self.w_k, key), (self.w_v, value))
        )
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        if mask is None:
            weights = scores.softmax(dim=-1)
        else:
            empty = ~mask.any(dim=-1, keepdim=True)
            weights = scores.masked_fill(~(mask | empty), -torch.inf).softmax(dim=-1).masked_fill(~mask, 0.0)
        return self.w_o((self.drop(weights) @ v).transpose(1, 2).flatten(2)), weights


def asking(rng):
    """How the cases below are written: a `ModuleCase` with a seed of its own."""

    def ask(aspect, says, build, *inputs, **options):
        return ModuleCase(aspect, says, build, inputs, seed=int(rng.integers(2**31)), **options)

    return ask


# ------------------------------------------------------------------------------------- Embeddings


@LESSON.exercise(
    aspects={"values": 2, "members": 1, "other lengths": 1, "gradients": 1, "dropout": 1, "dtype and device": 1}
)
def Embeddings(rng):
    ask, ids = asking(rng), lambda *shape: torch.from_numpy(rng.integers(0, 5, size=shape))
    yield ask("members", "names and shapes of the parameters", (5, 4, 6), ask="parameters")
    yield ask("values", "two sentences of three words", (5, 4, 6), ids(2, 3))
    yield ask("values", "three sentences of two words", (5, 6, 7), ids(3, 2))
    yield ask("values", "four sentences of five words", (5, 8, 9), ids(4, 5), hidden=True)
    yield ask("values", "the same call twice, with other words between", (5, 4, 6), ids(2, 3), ask="again", hidden=True)
    yield ask("members", "names and shapes for other sizes", (11, 6, 20), ask="parameters", hidden=True)
    yield ask("other lengths", "one word alone", (5, 4, 6), ids(1, 1))
    yield ask("other lengths", "sentences as long as max_len, longer than the vocabulary", (3, 4, 5), ids(2, 5) % 3)
    yield ask("other lengths", "more sentences than positions", (5, 4, 3), ids(6, 2), hidden=True)
    yield ask("gradients", "gradients, where one word occurs twice", (4, 4, 6), torch.tensor([[0, 2, 2], [1, 0, 3]]), ask="gradients")
    yield ask("gradients", "gradients for other words", (5, 6, 6), ids(3, 2), ask="gradients", hidden=True)
    yield ask("dropout", "rate 1, in training", (5, 4, 6), ids(2, 3), options={"dropout": 1.0}, training=True)
    yield ask("dropout", "rate 1, in evaluation mode", (5, 4, 6), ids(2, 3), options={"dropout": 1.0})
    yield ask("dropout", "rate 0, in training", (5, 4, 6), ids(2, 3), training=True, hidden=True)
    yield ask("dtype and device", "the dtype of the result, for float32 and float64", (5, 4, 6), ids(2, 3), ask="dtypes")
    yield ask("dtype and device", "all tensors on one device", (5, 4, 6), ids(2, 3), ask="elsewhere")


def encoding(n_positions, d_model):
    return torch.tensor(stand_in("positional_encoding")(n_positions, d_model), dtype=torch.float32)


class Words(nn.Module):
    """Right embeddings in steps, each of which a mistake may replace."""

    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.root = d_model**0.5
        self.keep(encoding(max_len, d_model))
        self.drop = nn.Dropout(dropout)

    def keep(self, encoding):
        self.register_buffer("encoding", encoding)

    def rows(self, ids):
        return self.encoding[: ids.shape[1]]

    def add(self, vectors, rows):
        return vectors * self.root + rows

    def forward(self, ids):
        return self.drop(self.add(self.tokens(ids), self.rows(ids)))


@Embeddings.mistake("The vectors are not multiplied by the square root of d_model, so the encoding drowns them.")
class not_multiplied_by_the_root_of_d_model(Words):
    def add(self, vectors, rows):
        return vectors + rows


@Embeddings.mistake("The encoding is multiplied by the square root of d_model too. Only the looked-up vectors are: multiply first, then add.")
class encoding_multiplied_too(Words):
    def add(self, vectors, rows):
        return (vectors + rows) * self.root


@Embeddings.mistake("The encoding is multiplied by the square root of d_model, and the vectors are not. It is the other way round.")
class encoding_multiplied_instead_of_the_vectors(Words):
    def add(self, vectors, rows):
        return vectors + rows * self.root


@Embeddings.mistake("You divide by the square root of d_model. The vectors are to become larger, not smaller.")
class divided_by_the_root_of_d_model(Words):
    def add(self, vectors, rows):
        return vectors / self.root + rows


@Embeddings.mistake("You multiply by d_model itself. It is its square root that is wanted.")
class multiplied_by_d_model(Words):
    def add(self, vectors, rows):
        return vectors * self.root**2 + rows


@Embeddings.mistake("You multiply by the square root of the number of words. What counts is how many numbers a word has: d_model.")
class multiplied_by_the_root_of_the_vocabulary(Words):
    def add(self, vectors, rows):
        return vectors * self.tokens.num_embeddings**0.5 + rows


@Embeddings.mistake("The positional encoding is never added, so the same word is the same wherever it stands.")
class encoding_never_added(Words):
    def add(self, vectors, rows):
        return vectors * self.root


@Embeddings.mistake("The encoding is multiplied in. It is added: a position must not put out the word where a sine is 0.")
class encoding_multiplied_in(Words):
    def add(self, vectors, rows):
        return vectors * self.root * rows


@Embeddings.mistake("The encoding is subtracted. It is added.")
class encoding_subtracted(Words):
    def add(self, vectors, rows):
        return vectors * self.root - rows


@Embeddings.mistake("The encoding is added twice. Once is enough.")
class encoding_added_twice(Words):
    def add(self, vectors, rows):
        return vectors * self.root + 2 * rows


@Embeddings.mistake("Position 0 is left out: the first word gets the encoding of the second position. Positions count from 0.")
class positions_from_one(Words):
    def rows(self, ids):
        return self.encoding[1 : ids.shape[1] + 1]


@Embeddings.mistake("All words of a sentence get the same encoding, that of the sentence's number in the batch. Positions run along the words.")
class positions_run_along_the_batch(Words):
    def rows(self, ids):
        return self.encoding[: ids.shape[0], None]


@Embeddings.mistake("You take as many positions as there are sentences. It is the words that are counted, the last axis of the ids.")
class as_many_positions_as_sentences(Words):
    def rows(self, ids):
        return self.encoding[: ids.shape[0]]


@Embeddings.mistake("Every word gets the encoding of the last position. The first n rows of the encoding belong to the n words.")
class all_words_at_the_last_position(Words):
    def rows(self, ids):
        return self.encoding[ids.shape[1] - 1]


@Embeddings.mistake("Every word gets the encoding of position 0. The first n rows of the encoding belong to the n words.")
class all_words_at_the_first_position(Words):
    def rows(self, ids):
        return self.encoding[0]


@Embeddings.mistake("You add the encoding of all max_len positions. A sentence of n words needs the first n of them.")
class encoding_not_cut_to_length(Words):
    def rows(self, ids):
        return self.encoding


@Embeddings.mistake("The encoding is looked up by the words' ids, as if they were positions. A position is where a word stands.")
class ids_taken_for_positions(Words):
    def rows(self, ids):
        return self.encoding[ids % len(self.encoding)]


@Embeddings.mistake("Sine and cosine stand in two halves. Columns take turns: sine in even ones, cosine in odd ones, as `positional_encoding` gives them.")
class sine_half_and_cosine_half(Words):
    def keep(self, encoding):
        super().keep(torch.cat([encoding[:, 0::2], encoding[:, 1::2]], dim=-1))


@Embeddings.mistake("The encoding is a parameter, so training would change it. What moves along without being learned is a buffer.")
class encoding_is_a_parameter(Words):
    def keep(self, encoding):
        self.encoding = nn.Parameter(encoding)


@Embeddings.mistake("The positions have a table that is learned, an nn.Embedding. Here they get the fixed encoding of lesson 03.")
class positions_learned(Words):
    def keep(self, encoding):
        self.positions = nn.Embedding(*encoding.shape)

    def rows(self, ids):
        return self.positions(torch.arange(ids.shape[1], device=ids.device))


@Embeddings.mistake("You make as many positions as there are words in the vocabulary. A sentence has at most max_len of them.")
class as_many_positions_as_words_in_the_vocabulary(Words):
    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__(vocab_size, d_model, vocab_size, dropout)


@Embeddings.mistake("The encoding's sizes have changed places: it has max_len rows, d_model wide.")
class sizes_of_the_encoding_swapped(Words):
    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__(vocab_size, d_model, max_len, dropout)
        self.keep(encoding(d_model, max_len))


@Embeddings.mistake("The last rows of the encoding are added. A sentence begins at position 0.")
class last_rows_of_the_encoding(Words):
    def rows(self, ids):
        return self.encoding[-ids.shape[1] :]


@Embeddings.mistake("Every word gets row n of the encoding, one after the last. It is the rows 0 to n - 1 that are added, one for each word.")
class row_n_for_all_words(Words):
    def rows(self, ids):
        return self.encoding[ids.shape[1]]


@Embeddings.mistake("The encoding is cut along its columns. It has positions down and features across: cut rows.")
class encoding_cut_along_its_columns(Words):
    def rows(self, ids):
        return self.encoding[:, : ids.shape[1]]


@Embeddings.mistake("The encoding stays on the CPU when the module moves to a graphics card: it is an ordinary tensor, or made at each call. Register it as a buffer.")
class encoding_is_not_a_buffer(Words):
    def keep(self, encoding):
        self.encoding = encoding


@Embeddings.mistake("There is no dropout. It acts on the finished sum.")
class no_dropout(Words):
    def forward(self, ids):
        return self.add(self.tokens(ids), self.rows(ids))


@Embeddings.mistake("Dropout acts on the words alone, before the encoding is added. It acts on the finished sum.")
class dropout_before_the_encoding(Words):
    def forward(self, ids):
        return self.drop(self.tokens(ids)) * self.root + self.rows(ids)


@Embeddings.mistake("Dropout acts on the encoding alone. It acts on the finished sum.")
class dropout_on_the_encoding_alone(Words):
    def forward(self, ids):
        return self.add(self.tokens(ids), self.drop(self.rows(ids)))


@Embeddings.mistake(
    "Dropout is active in evaluation mode too. `F.dropout` knows no mode unless you pass `training=self.training`; `nn.Dropout` does it "
    "by itself."
)
class dropout_without_a_mode(Words):
    def forward(self, ids):
        return F.dropout(self.add(self.tokens(ids), self.rows(ids)), self.drop.p)


@Embeddings.mistake("Id 0 is taken for padding and never learns (`padding_idx=0`). Which id is padding is not known here; leave it out.")
class word_zero_never_learns(Words):
    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__(vocab_size, d_model, max_len, dropout)
        self.tokens = nn.Embedding(vocab_size, d_model, padding_idx=0)


@Embeddings.mistake("The table has max_len rows. It needs one for each word of the vocabulary.")
class table_of_max_len_words(Words):
    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__(vocab_size, d_model, max_len, dropout)
        self.tokens = nn.Embedding(max_len, d_model)


@Embeddings.mistake("The table is turned round: rows of vocab_size numbers. `nn.Embedding` takes the number of words first, then d_model.")
class sizes_of_the_table_swapped(Words):
    def __init__(self, vocab_size, d_model, max_len, dropout=0.0):
        super().__init__(vocab_size, d_model, max_len, dropout)
        self.tokens = nn.Embedding(d_model, vocab_size)


@Embeddings.mistake("The result is cut from the record, so the table gets no gradient and never learns. Leave out `.detach()` and `.data`.")
class record_cut_at_the_table(Words):
    def forward(self, ids):
        return self.drop(self.add(self.tokens(ids).detach(), self.rows(ids)))


@Embeddings.mistake("The result is float32 even where the module is float64. Leave out the conversion.")
class result_in_float32(Words):
    def forward(self, ids):
        return super().forward(ids).float()


# ----------------------------------------------------------------------------------- DecoderLayer

LAYER = {"values": 2, "members": 1, "masks": 1, "gradients": 1, "dropout": 1, "dtype and device": 1}


@LESSON.exercise(aspects=LAYER)
def DecoderLayer(rng):
    ask = asking(rng)

    def pair(batch, n_tgt, n_src, d_model, dtype=np.float32):
        return numbers(rng, batch, n_tgt, d_model, dtype=dtype), numbers(rng, batch, n_src, d_model, dtype=dtype)

    yield ask("members", "names and shapes of the parameters", (4, 2, 6), ask="parameters")
    yield ask("values", "one sentence, two words and three in the memory", (4, 2, 6), *pair(1, 2, 3, 4))
    yield ask("values", "as many words as in the memory, two and two", (4, 2, 3), *pair(1, 2, 2, 4))
    yield ask("values", "three sentences, four words and one in the memory", (6, 3, 8), *pair(3, 4, 1, 6), hidden=True)
    yield ask("values", "the same call twice, with other numbers between", (4, 2, 5), *pair(3, 2, 4, 4), ask="again", hidden=True)
    yield ask("members", "names and shapes for other sizes", (6, 3, 10), ask="parameters", hidden=True)
    yield ask("masks", "a causal mask", (4, 2, 5), *pair(1, 3, 3, 4), self_mask=triangle(3))
    yield ask("masks", "padding in the memory", (4, 2, 5), *pair(3, 1, 4, 4), memory_mask=padded("1110", "0111", "1011"))
    both = {"self_mask": padded("110", "111", "011") & triangle(3), "memory_mask": padded("10", "01", "11")}
    yield ask("masks", "both masks, and a word that may look at nothing", (4, 2, 5), *pair(3, 3, 2, 4), **both)
    both = {"self_mask": padded("1101", "1011"), "memory_mask": padded("1100", "0110")}
    yield ask("masks", "both masks, as many words as in the memory", (6, 3, 8), *pair(2, 4, 4, 6), hidden=True, **both)
    yield ask("gradients", "gradients of inputs and parameters", (3, 1, 1), *pair(1, 2, 3, 3), ask="gradients")
    yield ask("gradients", "gradients under both masks", (4, 2, 5), *pair(2, 4, 4, 4), ask="gradients", hidden=True, **both)
    x, memory = pair(1, 1, 2, 4)
    yield ask("dropout", "rate 1, in training", (4, 2, 6), x, memory, options={"dropout": 1.0}, training=True)
    rate = {"options": {"dropout": 1.0}, "training": True, "ask": "part"}
    yield ask("dropout", "rate 1, in training, `self_attention` alone", (4, 2, 6), x, x, x, part="self_attention", **rate)
    yield ask("dropout", "rate 1, in training, `cross_attention` alone", (4, 2, 6), x, memory, memory, part="cross_attention", **rate)
    yield ask("dropout", "rate 1, in training, `feed_forward` alone", (4, 2, 6), x, part="feed_forward", **rate)
    yield ask("dropout", "rate 1, in evaluation mode", (4, 2, 6), x, memory, options={"dropout": 1.0})
    yield ask("dropout", "rate 0, in training", (4, 2, 6), x, memory, training=True, hidden=True)
    yield ask("dtype and device", "the dtype of the result, for float32 and float64", (4, 2, 6), x, memory, ask="dtypes")
    yield ask("dtype and device", "all tensors on one device", (4, 2, 6), x, memory, ask="elsewhere")
    yield ask("dtype and device", "numbers in float64", (4, 2, 6), *pair(2, 3, 2, 4, np.float64), hidden=True)


class Layer(nn.Module):
    """A right decoder layer in steps, each of which a mistake may replace."""

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention, self.cross_attention = Heads(d_model, n_heads, dropout), Heads(d_model, n_heads, dropout)
        self.feed_forward = Feed(d_model, d_ff, dropout)
        self.norm_1, self.norm_2, self.norm_3 = Norm(d_model), Norm(d_model), Norm(d_model)
        self.drop = nn.Dropout(dropout)

    def listen(self, x, mask):
        return self.self_attention(x, x, x, mask)[0]

    def cross(self, x, memory, mask):
        return self.cross_attention(x, memory, memory, mask)[0]

    def add_and_norm(self, x, found, norm):
        return norm(x + self.drop(found))

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        x = self.add_and_norm(x, self.cross(x, memory, memory_mask), self.norm_2)
        return self.add_and_norm(x, self.feed_forward(x), self.norm_3)


@DecoderLayer.mistake("The cross-attention's query is the layer's input. It should be the result of the first Add & Norm.")
class cross_attention_query_bypasses_add_and_norm(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        h = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        h = self.add_and_norm(h, self.cross(x, memory, memory_mask), self.norm_2)
        return self.add_and_norm(h, self.feed_forward(h), self.norm_3)


@DecoderLayer.mistake("The cross-attention's query is what self-attention found, before it was added and normed. It should be the result of Add & Norm.")
class cross_attention_query_without_add_and_norm(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        found = self.listen(x, self_mask)
        h = self.add_and_norm(x, found, self.norm_1)
        h = self.add_and_norm(h, self.cross(found, memory, memory_mask), self.norm_2)
        return self.add_and_norm(h, self.feed_forward(h), self.norm_3)


@DecoderLayer.mistake("In cross-attention the memory asks and the decoder answers. It is the decoder that asks: queries come from it.")
class query_and_memory_swapped(Layer):
    def cross(self, x, memory, mask):
        return self.cross_attention(memory, x, x, mask)[0]


@DecoderLayer.mistake("Query, key and value of the cross-attention all come from the memory. The queries come from the decoder.")
class memory_asks_itself(Layer):
    def cross(self, x, memory, mask):
        return self.cross_attention(memory, memory, memory, mask)[0]


@DecoderLayer.mistake("The memory is never used: query, key and value of the cross-attention all come from the decoder. Whom should it look at?")
class memory_never_used(Layer):
    def cross(self, x, memory, mask):
        return self.cross_attention(x, x, x, mask)[0]


@DecoderLayer.mistake("The keys come from the memory but the values from the decoder. Both come from the memory.")
class values_from_the_decoder(Layer):
    def cross(self, x, memory, mask):
        return self.cross_attention(x, memory, x, mask)[0]


@DecoderLayer.mistake("The values come from the memory but the keys from the decoder. Both come from the memory.")
class keys_from_the_decoder(Layer):
    def cross(self, x, memory, mask):
        return self.cross_attention(x, x, memory, mask)[0]


@DecoderLayer.mistake("`self_attention` looks at the memory as well. Cross-attention has weights of its own, in `cross_attention`.")
class self_attention_used_twice(Layer):
    def cross(self, x, memory, mask):
        return self.self_attention(x, memory, memory, mask)[0]


@DecoderLayer.mistake("`self_attention` and `cross_attention` have changed places: the names say which looks where.")
class attentions_swapped(Layer):
    def listen(self, x, mask):
        return self.cross_attention(x, x, x, mask)[0]

    def cross(self, x, memory, mask):
        return self.self_attention(x, memory, memory, mask)[0]


@DecoderLayer.mistake("Cross-attention comes before self-attention. The order is: masked self-attention, cross-attention, feed-forward.")
class cross_attention_first(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.add_and_norm(x, self.cross(x, memory, memory_mask), self.norm_1)
        x = self.add_and_norm(x, self.listen(x, self_mask), self.norm_2)
        return self.add_and_norm(x, self.feed_forward(x), self.norm_3)


@DecoderLayer.mistake("Feed-forward comes before cross-attention. The order is: masked self-attention, cross-attention, feed-forward.")
class feed_forward_before_cross_attention(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        x = self.add_and_norm(x, self.feed_forward(x), self.norm_2)
        return self.add_and_norm(x, self.cross(x, memory, memory_mask), self.norm_3)


@DecoderLayer.mistake("There is no cross-attention, so the decoder knows nothing of the source.")
class cross_attention_left_out(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        return self.add_and_norm(x, self.feed_forward(x), self.norm_3)


@DecoderLayer.mistake("There is no self-attention, so the target's words do not hear of each other.")
class self_attention_left_out(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.add_and_norm(x, self.cross(x, memory, memory_mask), self.norm_2)
        return self.add_and_norm(x, self.feed_forward(x), self.norm_3)


@DecoderLayer.mistake("There is no feed-forward part: the layer ends after the second Add & Norm.")
class feed_forward_left_out(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        return self.add_and_norm(x, self.cross(x, memory, memory_mask), self.norm_2)


@DecoderLayer.mistake("The residual around cross-attention is the memory. It is the English side that goes on: add what went in as the query.")
class residual_from_the_encoder_output(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        x = self.add_and_norm(memory, self.cross(x, memory, memory_mask), self.norm_2)
        return self.add_and_norm(x, self.feed_forward(x), self.norm_3)


@DecoderLayer.mistake("There are no residual connections: what went into a part is never added to what it found.")
class no_residual(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(self.drop(found))


@DecoderLayer.mistake("The residual around self-attention is missing: `x` has to be added to what it found.")
class no_residual_around_self_attention(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.norm_1(self.drop(self.listen(x, self_mask)))
        x = self.add_and_norm(x, self.cross(x, memory, memory_mask), self.norm_2)
        return self.add_and_norm(x, self.feed_forward(x), self.norm_3)


@DecoderLayer.mistake("The residual around cross-attention is missing: what went in as the query has to be added to what it found.")
class no_residual_around_cross_attention(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        x = self.norm_2(self.drop(self.cross(x, memory, memory_mask)))
        return self.add_and_norm(x, self.feed_forward(x), self.norm_3)


@DecoderLayer.mistake("The residual around feed-forward is missing: what went into it has to be added to what it found.")
class no_residual_around_feed_forward(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        x = self.add_and_norm(x, self.cross(x, memory, memory_mask), self.norm_2)
        return self.norm_3(self.drop(self.feed_forward(x)))


@DecoderLayer.mistake("The input is added twice to what each part found. Once is enough.")
class residual_doubled(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x + x + self.drop(found))


@DecoderLayer.mistake("All residuals start from the layer's input. Each starts from what went into its own part, the result of the norm before it.")
class all_residuals_from_the_layers_input(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        h = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        h = self.add_and_norm(x, self.cross(h, memory, memory_mask), self.norm_2)
        return self.add_and_norm(x, self.feed_forward(h), self.norm_3)


@DecoderLayer.mistake("The residual around cross-attention starts from the layer's input. It starts from the result of the first norm.")
class second_residual_from_the_layers_input(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        h = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        h = self.add_and_norm(x, self.cross(h, memory, memory_mask), self.norm_2)
        return self.add_and_norm(h, self.feed_forward(h), self.norm_3)


@DecoderLayer.mistake("The last residual skips a step: it starts from the first norm. It starts from what went into feed-forward, the result of the second.")
class last_residual_from_the_first_norm(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        h_1 = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        h_2 = self.add_and_norm(h_1, self.cross(h_1, memory, memory_mask), self.norm_2)
        return self.add_and_norm(h_1, self.feed_forward(h_2), self.norm_3)


@DecoderLayer.mistake("Feed-forward reads the result of the first norm. It should read that of the second, after cross-attention.")
class feed_forward_reads_the_first_norm(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        h_1 = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        h_2 = self.add_and_norm(h_1, self.cross(h_1, memory, memory_mask), self.norm_2)
        return self.add_and_norm(h_2, self.feed_forward(h_1), self.norm_3)


@DecoderLayer.mistake("Feed-forward reads the layer's input. It should read the result of the second Add & Norm.")
class feed_forward_reads_the_layers_input(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        h = self.add_and_norm(x, self.listen(x, self_mask), self.norm_1)
        h = self.add_and_norm(h, self.cross(h, memory, memory_mask), self.norm_2)
        return self.add_and_norm(h, self.feed_forward(x), self.norm_3)


@DecoderLayer.mistake("The norm comes before each part: that is pre-norm. Here it comes after the addition, as in the paper.")
class pre_norm(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.drop(self.listen(self.norm_1(x), self_mask))
        x = x + self.drop(self.cross(self.norm_2(x), memory, memory_mask))
        return x + self.drop(self.feed_forward(self.norm_3(x)))


@DecoderLayer.mistake("The norm is applied to what a part found, before the addition. First add, then norm.")
class norm_before_the_addition(Layer):
    def add_and_norm(self, x, found, norm):
        return x + norm(self.drop(found))


@DecoderLayer.mistake("The input is normed and then added to what the part found. First add, then norm the sum.")
class residual_normed_before_the_addition(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x) + self.drop(found)


@DecoderLayer.mistake("`norm_1` is used three times. Each sum has a norm of its own.")
class one_norm_for_all(Layer):
    def add_and_norm(self, x, found, norm):
        return self.norm_1(x + self.drop(found))


@DecoderLayer.mistake("`norm_2` is used twice, and `norm_3` never. Each sum has a norm of its own.")
class second_norm_used_twice(Layer):
    def add_and_norm(self, x, found, norm):
        return super().add_and_norm(x, found, self.norm_2 if norm is self.norm_3 else norm)


@DecoderLayer.mistake("`norm_1` is used twice, and `norm_2` never. Each sum has a norm of its own.")
class first_norm_used_twice(Layer):
    def add_and_norm(self, x, found, norm):
        return super().add_and_norm(x, found, self.norm_1 if norm is self.norm_2 else norm)


@DecoderLayer.mistake("The three norms are one and the same. Each has its own gain and bias: make three.")
class one_norm_under_three_names(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.norm_3 = self.norm_2 = self.norm_1


@DecoderLayer.mistake("`norm_2` and `norm_3` have changed places: `norm_2` belongs to cross-attention, `norm_3` to feed-forward.")
class norms_swapped(Layer):
    def add_and_norm(self, x, found, norm):
        other = {self.norm_1: self.norm_1, self.norm_2: self.norm_3, self.norm_3: self.norm_2}
        return super().add_and_norm(x, found, other[norm])


@DecoderLayer.mistake("The sums are not normed. A norm changes nothing in place: is its result thrown away?")
class result_of_the_norms_thrown_away(Layer):
    def add_and_norm(self, x, found, norm):
        return x + self.drop(found) + 0 * norm(x)


@DecoderLayer.mistake("The sum after self-attention is not normed. Add & Norm comes after every part.")
class first_norm_missing(Layer):
    def add_and_norm(self, x, found, norm):
        return x + self.drop(found) if norm is self.norm_1 else super().add_and_norm(x, found, norm)


@DecoderLayer.mistake("The sum after cross-attention is not normed. Add & Norm comes after every part.")
class second_norm_missing(Layer):
    def add_and_norm(self, x, found, norm):
        return x + self.drop(found) if norm is self.norm_2 else super().add_and_norm(x, found, norm)


@DecoderLayer.mistake("The last sum is not normed. Add & Norm comes after every part.")
class last_norm_missing(Layer):
    def add_and_norm(self, x, found, norm):
        return x + self.drop(found) if norm is self.norm_3 else super().add_and_norm(x, found, norm)


@DecoderLayer.mistake("The memory is normed once more before it is looked at. It comes ready from the encoder.")
class memory_normed_once_more(Layer):
    def cross(self, x, memory, mask):
        return super().cross(x, self.norm_2(memory), mask)


@DecoderLayer.mistake("Self-attention looks at the memory too, glued to the sentence. The two attentions are separate: one looks at the sentence alone.")
class memory_glued_to_the_sentence(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        both = torch.cat([memory, x], dim=1)
        x = self.add_and_norm(x, self.self_attention(x, both, both, self_mask)[0], self.norm_1)
        x = self.add_and_norm(x, self.cross(x, memory, memory_mask), self.norm_2)
        return self.add_and_norm(x, self.feed_forward(x), self.norm_3)


@DecoderLayer.mistake("The two masks have changed places: `self_mask` belongs to self-attention, `memory_mask` to cross-attention.")
class masks_swapped(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, memory_mask, self_mask)


@DecoderLayer.mistake("`self_mask` is not handed on, so words look at the future and at padding.")
class self_mask_forgotten(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, None, memory_mask)


@DecoderLayer.mistake("`memory_mask` is not handed on, so words look at the source's padding.")
class memory_mask_forgotten(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, self_mask, None)


@DecoderLayer.mistake("Neither mask is handed on to its attention.")
class both_masks_forgotten(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory)


@DecoderLayer.mistake("Cross-attention gets `self_mask`. It looks at other words, so it has a mask of its own, `memory_mask`.")
class self_mask_in_both(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, self_mask, self_mask)


@DecoderLayer.mistake("Self-attention gets `memory_mask`. It has a mask of its own, `self_mask`.")
class memory_mask_in_both(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, memory_mask, memory_mask)


@DecoderLayer.mistake("The masks are turned round: words look at what is hidden. True means “may be looked at” here, in your attention too.")
class masks_the_wrong_way_round(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        turned = (None if mask is None else ~mask for mask in (self_mask, memory_mask))
        return super().forward(x, memory, *turned)


@DecoderLayer.mistake("The layer makes a causal mask of its own. What is hidden is told by `self_mask`, and None hides nothing.")
class causal_mask_of_its_own(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        past = triangle(x.shape[1]).to(x.device)
        return super().forward(x, memory, past if self_mask is None else self_mask & past, memory_mask)


@DecoderLayer.mistake("Cross-attention is causal: a word sees no more of the source than it has words before it. The source is known to its end.")
class cross_attention_made_causal(Layer):
    def cross(self, x, memory, mask):
        past = triangle(x.shape[1], memory.shape[1]).to(x.device)
        return super().cross(x, memory, past if mask is None else mask & past)


@DecoderLayer.mistake("The masks get two more axes. They come as they are to be used, and fit the weights by themselves.")
class axes_added_to_the_masks(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        more = (None if mask is None else mask[:, None, None] for mask in (self_mask, memory_mask))
        return super().forward(x, memory, *more)


@DecoderLayer.mistake("Attention gives back two things, output and weights, and you add both as one. Take the first.")
class attentions_pair_not_unpacked(Layer):
    def listen(self, x, mask):
        return self.self_attention(x, x, x, mask)


@DecoderLayer.mistake("The layer returns the attention weights as well. Only the output is wanted, so that layers can be stacked.")
class weights_returned_as_well(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, self_mask, memory_mask), self.cross_attention(x, memory, memory)[1]


@DecoderLayer.mistake("The layer returns the memory as well. Only the output is wanted.")
class memory_returned_as_well(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, self_mask, memory_mask), memory


@DecoderLayer.mistake("The layer has no dropout of its own: what each part found goes through dropout before it is added.")
class no_dropout_of_its_own(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x + found)


@DecoderLayer.mistake("Dropout acts on the sum, so the word's own vector is dropped as well. It acts on what the part found, before it is added.")
class dropout_after_the_addition(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(self.drop(x + found))


@DecoderLayer.mistake("Dropout acts on the result of the norm. It acts on what the part found, before it is added.")
class dropout_after_the_norm(Layer):
    def add_and_norm(self, x, found, norm):
        return self.drop(norm(x + found))


@DecoderLayer.mistake("What cross-attention found goes past dropout. It acts on what each of the three parts found.")
class no_dropout_after_cross_attention(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x + found) if norm is self.norm_2 else super().add_and_norm(x, found, norm)


@DecoderLayer.mistake("What self-attention found goes past dropout. It acts on what each of the three parts found.")
class no_dropout_after_self_attention(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x + found) if norm is self.norm_1 else super().add_and_norm(x, found, norm)


@DecoderLayer.mistake("What feed-forward found goes past dropout. It acts on what each of the three parts found.")
class no_dropout_after_feed_forward(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x + found) if norm is self.norm_3 else super().add_and_norm(x, found, norm)


@DecoderLayer.mistake(
    "Dropout is active in evaluation mode too. `F.dropout` knows no mode unless you pass `training=self.training`; `nn.Dropout` does it "
    "by itself."
)
class dropout_without_a_mode(Layer):  # noqa: F811
    def add_and_norm(self, x, found, norm):
        return norm(x + F.dropout(found, self.drop.p))


@DecoderLayer.mistake("The dropout rate is not passed on, so nothing is dropped at all. Hand it to the three parts and to an nn.Dropout of the layer's own.")
class dropout_rate_ignored(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff)


@DecoderLayer.mistake("The attentions are made without the dropout rate. They take one, beside the layer's own dropout.")
class attentions_without_the_rate(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.self_attention, self.cross_attention = Heads(d_model, n_heads), Heads(d_model, n_heads)


@DecoderLayer.mistake("`cross_attention` is made without the dropout rate. All three parts take one.")
class cross_attention_without_the_rate(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.cross_attention = Heads(d_model, n_heads)


@DecoderLayer.mistake("`feed_forward` is made without the dropout rate. It takes one, beside the layer's own dropout.")
class feed_forward_without_the_rate(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.feed_forward = Feed(d_model, d_ff)


@DecoderLayer.mistake("None of the three parts is made with the dropout rate. All take one, beside the layer's own dropout.")
class parts_without_the_rate(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.self_attention, self.cross_attention = Heads(d_model, n_heads), Heads(d_model, n_heads)
        self.feed_forward = Feed(d_model, d_ff)


@DecoderLayer.mistake("`cross_attention` looks at the sentence too, where `self_attention` should. Each has weights of its own.")
class cross_attention_used_twice(Layer):
    def listen(self, x, mask):
        return self.cross_attention(x, x, x, mask)[0]


@DecoderLayer.mistake("`norm_1` and `norm_2` have changed places: `norm_1` belongs to self-attention, `norm_2` to cross-attention.")
class first_two_norms_swapped(Layer):
    def add_and_norm(self, x, found, norm):
        other = {self.norm_1: self.norm_2, self.norm_2: self.norm_1, self.norm_3: self.norm_3}
        return super().add_and_norm(x, found, other[norm])


@DecoderLayer.mistake("`memory_mask` is turned round: words look at the source's padding. True means “may be looked at” here.")
class memory_mask_the_wrong_way_round(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, self_mask, None if memory_mask is None else ~memory_mask)


@DecoderLayer.mistake("`self_attention` and `cross_attention` are one and the same module. Each has weights of its own: make two.")
class one_attention_under_two_names(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.cross_attention = self.self_attention


@DecoderLayer.mistake("`cross_attention` is missing. A decoder layer has two attentions, each with weights of its own.")
class no_member_for_cross_attention(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        del self.cross_attention


@DecoderLayer.mistake("`norm_3` is missing. There are three parts, and a norm after each.")
class only_two_norms(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        del self.norm_3


@DecoderLayer.mistake("The parts are hidden in a plain list, where nn.Module does not look, so the layer has no parameters. Assign each to `self`.")
class parts_in_a_plain_list(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        nn.Module.__init__(self)


@DecoderLayer.mistake("There is a fourth norm. A decoder layer has three: one after each part.")
class a_fourth_norm(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.norm_4 = Norm(d_model)


@DecoderLayer.mistake("The sizes of feed-forward have changed places: it widens from d_model to d_ff, and narrows back.")
class feed_forward_inside_out(Layer):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__(d_model, n_heads, d_ff, dropout)
        self.feed_forward = Feed(d_ff, d_model, dropout)


@DecoderLayer.mistake("The memory is cut from the record, so the encoder would never learn. Leave out `.detach()` and `no_grad`.")
class memory_cut_from_the_record(Layer):
    def cross(self, x, memory, mask):
        return super().cross(x, memory.detach(), mask)


@DecoderLayer.mistake("The residual is cut from the record, so gradients have no straight road past the parts. Leave out `.detach()` and `.data`.")
class residual_cut_from_the_record(Layer):
    def add_and_norm(self, x, found, norm):
        return norm(x.detach() + self.drop(found))


@DecoderLayer.mistake("A result is float32 even where the input is float64. Leave out the conversion.")
class result_in_float32(Layer):  # noqa: F811
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, self_mask, memory_mask).float()


@DecoderLayer.mistake("The result is right, but you add to the tensor you were given in place (`+=`). Its owner still needs it: make a new one.")
class input_added_to_in_place(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        before = x.clone()
        x += self.listen(before, self_mask)
        return super().forward(before, memory, self_mask, memory_mask)


@DecoderLayer.mistake("A mask made on the way lies on the CPU, wherever the input lies. None will do: it hides nothing.")
class open_mask_made_on_the_cpu(Layer):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        n = x.shape[1]
        open_mask = torch.ones(n, n, dtype=torch.bool)
        return super().forward(x, memory, open_mask if self_mask is None else self_mask, memory_mask)


# ---------------------------------------------------------------------------------------- Encoder


@LESSON.exercise(aspects={"values": 2, "members": 1, "mask": 1, "gradients": 1, "dropout": 1, "dtype and device": 1})
def Encoder(rng):
    ask = asking(rng)
    yield ask("members", "names and shapes of the parameters", (2, 4, 2, 6), ask="parameters")
    yield ask("values", "two layers, one sentence of three words", (2, 4, 2, 6), numbers(rng, 1, 3, 4))
    yield ask("values", "three layers, two sentences of two words", (3, 4, 2, 5), numbers(rng, 2, 2, 4))
    yield ask("values", "one layer alone", (1, 6, 3, 8), numbers(rng, 2, 3, 6), hidden=True)
    yield ask("values", "the same call twice, with other numbers between", (2, 4, 2, 5), numbers(rng, 3, 2, 4), ask="again", hidden=True)
    yield ask("members", "names and shapes for other sizes", (3, 6, 3, 10), ask="parameters", hidden=True)
    mask = padded("110", "011", "101")
    yield ask("mask", "three sentences with padding", (2, 4, 2, 5), numbers(rng, 3, 3, 4), mask=mask)
    mask = padded("0111", "1100")
    yield ask("mask", "three layers, two sentences with padding", (3, 6, 3, 4), numbers(rng, 2, 4, 6), mask=mask, hidden=True)
    yield ask("gradients", "gradients of input and parameters", (2, 3, 1, 1), numbers(rng, 1, 2, 3), ask="gradients")
    yield ask("gradients", "gradients under a mask", (2, 4, 2, 3), numbers(rng, 2, 3, 4), mask=padded("110", "101"), ask="gradients", hidden=True)
    x = numbers(rng, 1, 2, 4)
    yield ask("dropout", "rate 1, in training", (2, 4, 2, 6), x, options={"dropout": 1.0}, training=True)
    yield ask("dropout", "rate 1, in evaluation mode", (2, 4, 2, 6), x, options={"dropout": 1.0})
    yield ask("dropout", "rate 0, in training", (2, 4, 2, 6), x, training=True, hidden=True)
    yield ask("dtype and device", "the dtype of the result, for float32 and float64", (2, 4, 2, 6), x, ask="dtypes")
    yield ask("dtype and device", "all tensors on one device", (2, 4, 2, 6), x, ask="elsewhere")
    yield ask("dtype and device", "numbers in float64", (2, 4, 2, 6), numbers(rng, 2, 3, 4, dtype=np.float64), hidden=True)


class Reading(nn.Module):
    """A right encoder layer."""

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention, self.feed_forward = Heads(d_model, n_heads, dropout), Feed(d_model, d_ff, dropout)
        self.norm_1, self.norm_2 = Norm(d_model), Norm(d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        x = self.norm_1(x + self.drop(self.self_attention(x, x, x, mask)[0]))
        return self.norm_2(x + self.drop(self.feed_forward(x)))


class Stack(nn.Module):
    """A right encoder or decoder in steps, each of which a mistake may replace."""

    kind = Reading

    def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
        super().__init__()
        self.layers = nn.ModuleList([self.kind(d_model, n_heads, d_ff, dropout) for _ in range(n_layers)])

    def forward(self, x, *others, **named):
        for layer in self.layers:
            x = layer(x, *others, **named)
        return x


class Writing(Stack):
    """A right decoder."""

    kind = Layer


def of_both(hint):
    """Registers a mistake that a stack of either kind may have: a function from the right stack to the wrong one."""

    def register(make):
        for exercise, stack in ((Encoder, Stack), (Decoder, Writing)):
            wrong = make(stack)
            wrong.__name__ = make.__name__
            exercise.mistake(hint)(wrong)
        return make

    return register


@LESSON.exercise(aspects=LAYER)
def Decoder(rng):
    ask = asking(rng)

    def pair(batch, n_tgt, n_src, d_model, dtype=np.float32):
        return numbers(rng, batch, n_tgt, d_model, dtype=dtype), numbers(rng, batch, n_src, d_model, dtype=dtype)

    yield ask("members", "names and shapes of the parameters", (2, 4, 2, 6), ask="parameters")
    yield ask("values", "two layers, two words and three in the memory", (2, 4, 2, 6), *pair(1, 2, 3, 4))
    yield ask("values", "three layers, as many words as in the memory", (3, 4, 2, 2), *pair(1, 2, 2, 4))
    yield ask("values", "one layer alone", (1, 6, 3, 8), *pair(2, 3, 1, 6), hidden=True)
    yield ask("values", "the same call twice, with other numbers between", (2, 4, 2, 5), *pair(3, 2, 4, 4), ask="again", hidden=True)
    yield ask("members", "names and shapes for other sizes", (3, 6, 3, 10), ask="parameters", hidden=True)
    yield ask("masks", "a causal mask", (2, 4, 2, 5), *pair(1, 3, 3, 4), self_mask=triangle(3))
    yield ask("masks", "padding in the memory", (2, 4, 2, 5), *pair(3, 1, 4, 4), memory_mask=padded("1110", "0111", "1011"))
    both = {"self_mask": padded("110", "111", "011") & triangle(3), "memory_mask": padded("10", "01", "11")}
    yield ask("masks", "both masks, and a word that may look at nothing", (2, 4, 2, 5), *pair(3, 3, 2, 4), **both)
    both = {"self_mask": padded("1101", "1011"), "memory_mask": padded("1100", "0110")}
    yield ask("masks", "three layers, both masks", (3, 6, 3, 8), *pair(2, 4, 4, 6), hidden=True, **both)
    yield ask("gradients", "gradients of inputs and parameters", (2, 3, 1, 1), *pair(1, 2, 3, 3), ask="gradients")
    yield ask("gradients", "gradients under both masks", (2, 4, 2, 5), *pair(2, 4, 4, 4), ask="gradients", hidden=True, **both)
    x, memory = pair(1, 1, 2, 4)
    yield ask("dropout", "rate 1, in training", (2, 4, 2, 6), x, memory, options={"dropout": 1.0}, training=True)
    yield ask("dropout", "rate 1, in evaluation mode", (2, 4, 2, 6), x, memory, options={"dropout": 1.0})
    yield ask("dropout", "rate 0, in training", (2, 4, 2, 6), x, memory, training=True, hidden=True)
    yield ask("dtype and device", "the dtype of the result, for float32 and float64", (2, 4, 2, 6), x, memory, ask="dtypes")
    yield ask("dtype and device", "all tensors on one device", (2, 4, 2, 6), x, memory, ask="elsewhere")
    yield ask("dtype and device", "numbers in float64", (2, 4, 2, 6), *pair(2, 3, 2, 4, np.float64), hidden=True)


@of_both("Every layer gets the first `x`, so only the last layer's result is used. Each is to get what the one before it made.")
def first_x_to_every_layer(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            for layer in self.layers:
                result = layer(x, *others, **named)
            return result

    return wrong


@of_both("The loop ends after the first layer. Does `return` stand inside it?")
def return_inside_the_loop(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            return self.layers[0](x, *others, **named)

    return wrong


@of_both("The layers' results are thrown away and the input is returned as it came. A layer changes nothing in place.")
def results_of_the_layers_thrown_away(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            return x + 0 * super().forward(x, *others, **named)

    return wrong


@of_both("The last layer is left out. All n_layers take part.")
def last_layer_left_out(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            for layer in self.layers[:-1]:
                x = layer(x, *others, **named)
            return x

    return wrong


@of_both("The first layer is left out. All n_layers take part.")
def first_layer_left_out(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            for layer in self.layers[1:]:
                x = layer(x, *others, **named)
            return x

    return wrong


@of_both("The layers come in reverse. The first in the list is the first to read.")
def layers_in_reverse(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            for layer in reversed(self.layers):
                x = layer(x, *others, **named)
            return x

    return wrong


@of_both("What goes into a layer is added to what comes out. The residuals are inside the layers already.")
def residual_around_each_layer(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            for layer in self.layers:
                x = x + layer(x, *others, **named)
            return x

    return wrong


@of_both("What goes into the stack is added to what comes out. The residuals are inside the layers already.")
def residual_around_the_stack(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            return x + super().forward(x, *others, **named)

    return wrong


@of_both("All layers read the same input and their results are added up. Each is to read what the one before it made.")
def results_of_the_layers_added_up(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            return sum(layer(x, *others, **named) for layer in self.layers)

    return wrong


@of_both("You return what every layer made, as a list. Only the last layer's result is wanted.")
def all_results_returned(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            results = [x]
            for layer in self.layers:
                results.append(layer(results[-1], *others, **named))
            return results[1:]

    return wrong


@of_both("The first layer does all the work, again and again. Each layer has weights of its own: use them in turn.")
def first_layer_used_again_and_again(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            for _ in self.layers:
                x = self.layers[0](x, *others, **named)
            return x

    return wrong


@of_both("All layers share one set of weights: `[layer] * n_layers` is the same layer n times. Call the class once for each.")
def one_layer_many_times(stack):
    class wrong(stack):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
            nn.Module.__init__(self)
            self.layers = nn.ModuleList([self.kind(d_model, n_heads, d_ff, dropout)] * n_layers)

    return wrong


@of_both("The layers are in a plain list, where nn.Module does not look, so the stack has no parameters. nn.ModuleList shows them.")
def layers_in_a_plain_list(stack):
    class wrong(stack):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
            nn.Module.__init__(self)
            self.layers = [self.kind(d_model, n_heads, d_ff, dropout) for _ in range(n_layers)]

    return wrong


@of_both("There is one layer too many. `range(n_layers)` counts them rightly by itself.")
def one_layer_too_many(stack):
    class wrong(stack):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
            super().__init__(n_layers + 1, d_model, n_heads, d_ff, dropout)

    return wrong


@of_both("There is one layer too few. `range(n_layers)` counts them rightly by itself.")
def one_layer_too_few(stack):
    class wrong(stack):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
            super().__init__(n_layers - 1, d_model, n_heads, d_ff, dropout)

    return wrong


@of_both("There is a norm after the stack. Each layer ends with one already; the paper's stacks have none of their own.")
def norm_after_the_stack(stack):
    class wrong(stack):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout)
            self.norm = Norm(d_model)

    return wrong


@of_both("`n_heads` and `d_ff` have changed places. A layer takes d_model, n_heads, d_ff.")
def heads_and_d_ff_swapped(stack):
    class wrong(stack):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
            nn.Module.__init__(self)
            kind = self.kind
            self.layers = nn.ModuleList([kind(d_model, n_heads, n_heads, dropout) for _ in range(n_layers)])

    return wrong


@of_both("The dropout rate is not passed on to the layers, so nothing is dropped.")
def dropout_rate_not_passed_on(stack):
    class wrong(stack):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
            super().__init__(n_layers, d_model, n_heads, d_ff)

    return wrong


@of_both("Dropout acts once more after each layer. It is inside the layers already.")
def dropout_after_each_layer(stack):
    class wrong(stack):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout)
            self.drop = nn.Dropout(dropout)

        def forward(self, x, *others, **named):
            for layer in self.layers:
                x = self.drop(layer(x, *others, **named))
            return x

    return wrong


@of_both("The record is cut between the layers, so only the last one learns. Leave out `.detach()`.")
def record_cut_between_the_layers(stack):
    class wrong(stack):
        def forward(self, x, *others, **named):
            for layer in self.layers:
                x = layer(x.detach(), *others, **named)
            return x

    return wrong


@of_both("A result is float32 even where the input is float64. Leave out the conversion.")
def result_in_float32(stack):  # noqa: F811
    class wrong(stack):
        def forward(self, x, *others, **named):
            return super().forward(x, *others, **named).float()

    return wrong


@Encoder.mistake("The mask is not handed on to the layers, so padding is looked at.")
class mask_forgotten(Stack):
    def forward(self, x, mask=None):
        return super().forward(x)


@Encoder.mistake("Only the first layer gets the mask. Padding has to be hidden in every layer.")
class mask_for_the_first_layer_alone(Stack):
    def forward(self, x, mask=None):
        for layer in self.layers:
            x, mask = layer(x, mask), None
        return x


@Encoder.mistake("The mask is turned round: words look at padding. True means “may be looked at” here, in your layers too.")
class mask_the_wrong_way_round(Stack):
    def forward(self, x, mask=None):
        return super().forward(x, None if mask is None else ~mask)


@Encoder.mistake("The encoder hides the future. It reads a sentence that is known to its end: only `mask` says what is hidden.")
class future_hidden_in_the_encoder(Stack):
    def forward(self, x, mask=None):
        past = triangle(x.shape[1]).to(x.device)
        return super().forward(x, past if mask is None else mask & past)


@Encoder.mistake("The mask gets two more axes. It comes as it is to be used, and fits the weights by itself.")
class axes_added_to_the_mask(Stack):
    def forward(self, x, mask=None):
        return super().forward(x, None if mask is None else mask[:, None, None])


@Encoder.mistake("The encoder returns the mask as well. Only the last layer's result is wanted.")
class mask_returned_as_well(Stack):
    def forward(self, x, mask=None):
        return super().forward(x, mask), mask


@Encoder.mistake("A mask made on the way lies on the CPU, wherever the input lies. None will do: it hides nothing.")
class open_mask_made_on_the_cpu(Stack):  # noqa: F811
    def forward(self, x, mask=None):
        n = x.shape[1]
        return super().forward(x, torch.ones(n, n, dtype=torch.bool) if mask is None else mask)


@Decoder.mistake("The masks have changed places: layers take `self_mask` first, then `memory_mask`.")
class masks_swapped(Writing):  # noqa: F811
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, memory_mask, self_mask)


@Decoder.mistake("`self_mask` is not handed on to the layers, so words look at the future and at padding.")
class self_mask_forgotten(Writing):  # noqa: F811
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, None, memory_mask)


@Decoder.mistake("`memory_mask` is not handed on to the layers, so words look at the source's padding.")
class memory_mask_forgotten(Writing):  # noqa: F811
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, self_mask)


@Decoder.mistake("Neither mask is handed on to the layers.")
class both_masks_forgotten(Writing):  # noqa: F811
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory)


@Decoder.mistake("Only the first layer gets the masks. Every layer needs them.")
class masks_for_the_first_layer_alone(Writing):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        masks = (self_mask, memory_mask)
        for layer in self.layers:
            x, masks = layer(x, memory, *masks), (None, None)
        return x


@Decoder.mistake("Only the first layer gets `self_mask`. Every layer needs it.")
class self_mask_for_the_first_layer_alone(Writing):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        for layer in self.layers:
            x, self_mask = layer(x, memory, self_mask, memory_mask), None
        return x


@Decoder.mistake("Only the first layer gets `memory_mask`. Every layer needs it.")
class memory_mask_for_the_first_layer_alone(Writing):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        for layer in self.layers:
            x, memory_mask = layer(x, memory, self_mask, memory_mask), None
        return x


@Decoder.mistake("Each layer gets the memory in the place of `x`, and `x` in the place of the memory.")
class x_and_memory_swapped_in_each_layer(Writing):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        for layer in self.layers:
            x = layer(memory, x, self_mask, memory_mask)
        return x


@Decoder.mistake("The masks are turned round: words look at what is hidden. True means “may be looked at” here, in your layers too.")
class masks_the_wrong_way_round(Writing):  # noqa: F811
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, *(None if mask is None else ~mask for mask in (self_mask, memory_mask)))


@Decoder.mistake("The decoder hides the future by itself. What is hidden is told by `self_mask`, and None hides nothing.")
class causal_mask_of_its_own(Writing):  # noqa: F811
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        past = triangle(x.shape[1]).to(x.device)
        return super().forward(x, memory, past if self_mask is None else self_mask & past, memory_mask)


@Decoder.mistake("`x` and `memory` have changed places: the decoder's words come first, the memory second.")
class x_and_memory_swapped(Writing):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(memory, x, self_mask, memory_mask)


@Decoder.mistake("The memory is replaced by what a layer made. It is the same for all layers; it is `x` that changes.")
class memory_replaced_by_each_layer(Writing):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        for layer in self.layers:
            memory = layer(x, memory, self_mask, memory_mask)
        return memory


@Decoder.mistake("From the second layer on, the memory is what the layer before made. It is the encoder's output for every layer.")
class memory_for_the_first_layer_alone(Writing):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        for layer in self.layers:
            x = memory = layer(x, memory, self_mask, memory_mask)
        return x


@Decoder.mistake("The words look at themselves in place of the memory: each layer gets `x` twice.")
class x_in_the_place_of_the_memory(Writing):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        for layer in self.layers:
            x = layer(x, x, self_mask, memory_mask)
        return x


@Decoder.mistake("The memory is cut from the record, so the encoder would never learn. Leave out `.detach()` and `no_grad`.")
class memory_cut_from_the_record(Writing):  # noqa: F811
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory.detach(), self_mask, memory_mask)


@Decoder.mistake("The decoder returns the memory as well. Only the last layer's result is wanted.")
class memory_returned_as_well(Writing):  # noqa: F811
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, self_mask, memory_mask), memory


@Decoder.mistake("The layers are encoder layers, which know no memory. A decoder is a stack of DecoderLayer.")
class encoder_layers_in_the_decoder(Writing):
    kind = Reading


@Encoder.mistake("The layers are decoder layers, which want a memory. An encoder is a stack of EncoderLayer.")
class decoder_layers_in_the_encoder(Stack):
    kind = Layer


# ------------------------------------------------------------------------------------ Transformer


@LESSON.exercise(
    aspects={
        "values": 2,
        "members": 1,
        "future": 1,
        "padding": 1,
        "padding id": 1,
        "gradients": 1,
        "dropout": 1,
        "dtype and device": 1,
    }
)
def Transformer(rng):
    ask, small = asking(rng), (7, 4, 4, 2, 1, 3)  # source words, target words, d_model, heads, layers, d_ff

    def pair(src, tgt, pad_id=0):
        return words(rng, *src, pad_id=pad_id, vocabulary=7), words(rng, *tgt, pad_id=pad_id)

    yield ask("members", "names and shapes of the parameters", (7, 4, 4, 2, 2, 3), ask="parameters")
    yield ask("values", "two layers, three words and one", (7, 4, 4, 2, 2, 3), *pair(["111"], ["1"]))
    src, tgt = words(rng, *["1111"] * 2, vocabulary=5), words(rng, *["1"] * 2)  # here each table has all the ids
    yield ask("values", "two sentences of four words, and of one", (5, 7, 6, 3, 1, 5), src, tgt)
    yield ask("values", "three layers", (7, 4, 4, 2, 3, 6), *pair(["11"], ["1"]), hidden=True)
    yield ask("values", "the same call twice, with other words between", small, *pair(["11"] * 3, ["1"] * 3), ask="again", hidden=True)
    yield ask("members", "names and shapes for other sizes", (9, 12, 6, 3, 3, 10), ask="parameters", hidden=True)
    src, tgt, memory = *pair(["111"] * 2, ["11"] * 2), numbers(rng, 2, 3, 4)
    yield ask("members", "`encode` alone gives the memory", small, src, ask="part", part="encode")
    yield ask("members", "`decode` alone gives vectors, d_model wide", small, tgt, memory, src, ask="part", part="decode")
    yield ask("members", "`pad_id` is kept", small, ask="part", part="pad_id", options={"pad_id": 3})
    long = torch.from_numpy(rng.integers(1, 7, size=(1, 520)))
    yield ask("members", "a sentence of 520 words, max_len=520", (7, 2, 4, 2, 1, 3), long, words(rng, "1", vocabulary=2), options={"max_len": 520})

    yield ask("future", "no padding, three words and two", small, *pair(["111"], ["11"]))
    yield ask("future", "no padding, three sentences of three words, and of three", small, *pair(["111"] * 3, ["111"] * 3))
    yield ask("future", "no padding, two words and five", small, *pair(["11"] * 2, ["11111"] * 2), hidden=True)
    yield ask("padding", "padding in the source", small, *pair(["1110", "0111", "1011"], ["11"] * 3))
    yield ask("padding", "padding in the target", small, *pair(["11"] * 3, ["110", "011", "101"]))
    yield ask("padding", "padding in both, of the same length", small, *pair(["110", "010", "101"], ["101", "011", "100"]))
    yield ask("padding", "padding in both, of other lengths", small, *pair(["11000", "00111", "11011"], ["111", "011", "100"]), hidden=True)
    options = {"pad_id": 3}
    yield ask("padding id", "the padding's id is 3, and 0 is a word", small, *pair(["1110", "0111", "1011"], ["110", "011", "101"], 3), options=options)
    yield ask("padding id", "the padding's id is 3, longer target", small, *pair(["110", "111"], ["11110", "10111"], 3), options=options, hidden=True)

    yield ask("gradients", "gradients of the parameters", (3, 2, 4, 1, 1, 1), torch.tensor([[1, 2, 1]]), torch.tensor([[1, 1]]), ask="gradients")
    yield ask("gradients", "gradients where there is padding", small, *pair(["110", "011"], ["1110", "0101"]), ask="gradients", hidden=True)
    both = pair(["111"], ["1"])
    yield ask("dropout", "rate 1, in training", small, *both, options={"dropout": 1.0}, training=True)
    rate = {"options": {"dropout": 1.0}, "training": True, "ask": "part"}
    x = numbers(rng, 1, 2, 4)
    yield ask("dropout", "rate 1, in training, `src_embeddings` alone", small, both[0], part="src_embeddings", **rate)
    yield ask("dropout", "rate 1, in training, `encoder` alone", small, x, part="encoder", **rate)
    yield ask("dropout", "rate 1, in training, `decoder` alone", small, x, x, part="decoder", **rate)
    yield ask("dropout", "rate 1, in evaluation mode", small, *both, options={"dropout": 1.0})
    yield ask("dropout", "rate 0, in training", small, *both, training=True, hidden=True)
    yield ask("dtype and device", "the dtype of the result, for float32 and float64", small, *pair(["11"], ["11"]), ask="dtypes")
    yield ask("dtype and device", "all tensors on one device", small, *pair(["11"], ["11"]), ask="elsewhere")


class Whole(nn.Module):
    """A right Transformer in steps, each of which a mistake may replace."""

    def __init__(
        self, src_vocab_size, tgt_vocab_size, d_model, n_heads, n_layers, d_ff, dropout=0.0, max_len=512, pad_id=0
    ):  # fmt: skip
        super().__init__()
        self.src_embeddings = Words(src_vocab_size, d_model, max_len, dropout)
        self.tgt_embeddings = Words(tgt_vocab_size, d_model, max_len, dropout)
        self.encoder = Stack(n_layers, d_model, n_heads, d_ff, dropout)
        self.decoder = Writing(n_layers, d_model, n_heads, d_ff, dropout)
        self.generator = nn.Linear(d_model, tgt_vocab_size)
        self.pad_id = pad_id

    def real(self, ids):
        return (ids != self.pad_id)[:, None, None]

    def past(self, n, device):
        return triangle(n).to(device)

    def encoder_mask(self, src_ids):
        return self.real(src_ids)

    def self_mask(self, tgt_ids, src_ids):
        return self.real(tgt_ids) & self.past(tgt_ids.shape[1], tgt_ids.device)

    def memory_mask(self, tgt_ids, src_ids):
        return self.real(src_ids)

    def encode(self, src_ids):
        return self.encoder(self.src_embeddings(src_ids), self.encoder_mask(src_ids))

    def decode(self, tgt_ids, memory, src_ids):
        masks = self.self_mask(tgt_ids, src_ids), self.memory_mask(tgt_ids, src_ids)
        return self.decoder(self.tgt_embeddings(tgt_ids), memory, *masks)

    def forward(self, src_ids, tgt_ids):
        return self.generator(self.decode(tgt_ids, self.encode(src_ids), src_ids))


# ... what comes out


@Transformer.mistake("You return probabilities. Logits are wanted: softmax is not part of the module, the loss of lesson 07 does it.")
class softmax_already_in_forward(Whole):
    def forward(self, src_ids, tgt_ids):
        return super().forward(src_ids, tgt_ids).softmax(dim=-1)


@Transformer.mistake("You return logarithms of probabilities. Logits are wanted, as the generator gives them.")
class log_softmax_already_in_forward(Whole):
    def forward(self, src_ids, tgt_ids):
        return super().forward(src_ids, tgt_ids).log_softmax(dim=-1)


@Transformer.mistake("The generator is not applied: you return the decoder's vectors, with d_model numbers each.")
class generator_not_applied(Whole):
    def forward(self, src_ids, tgt_ids):
        return self.decode(tgt_ids, self.encode(src_ids), src_ids)


@Transformer.mistake("You return ids of words. Logits are wanted: a score for each word of the vocabulary.")
class ids_returned(Whole):
    def forward(self, src_ids, tgt_ids):
        return super().forward(src_ids, tgt_ids).argmax(dim=-1)


@Transformer.mistake("Only the last position's logits are returned. Each position of the target has logits of its own.")
class only_the_last_position_returned(Whole):
    def forward(self, src_ids, tgt_ids):
        return super().forward(src_ids, tgt_ids)[:, -1]


@Transformer.mistake("The last word of the target is cut off inside. Whoever calls the model cuts (teacher forcing); here all words take part.")
class target_cut_inside(Whole):
    def forward(self, src_ids, tgt_ids):
        return super().forward(src_ids, tgt_ids[:, :-1])


@Transformer.mistake("You return the memory as well. Only the logits are wanted.")
class memory_returned_as_well(Whole):  # noqa: F811
    def forward(self, src_ids, tgt_ids):
        return super().forward(src_ids, tgt_ids), self.encode(src_ids)


@Transformer.mistake("ReLU cuts off negative logits. They come from the generator as they are.")
class relu_on_the_logits(Whole):
    def forward(self, src_ids, tgt_ids):
        return super().forward(src_ids, tgt_ids).relu()


@Transformer.mistake("`decode` gives logits. It gives the decoder's vectors; the generator comes in `forward`, after it.")
class generator_inside_decode(Whole):
    def decode(self, tgt_ids, memory, src_ids):
        return self.generator(super().decode(tgt_ids, memory, src_ids))

    def forward(self, src_ids, tgt_ids):
        return self.decode(tgt_ids, self.encode(src_ids), src_ids)


@Transformer.mistake("`decode` takes its arguments in another order. It takes the target's ids, the memory, the source's ids.")
class arguments_of_decode_in_another_order(Whole):
    def decode(self, src_ids, memory, tgt_ids):
        return super().decode(tgt_ids, memory, src_ids)

    def forward(self, src_ids, tgt_ids):
        return self.generator(self.decode(src_ids, self.encode(src_ids), tgt_ids))


# ... what goes where


@Transformer.mistake("The target's words are looked up in the source's table. Each language has embeddings of its own.")
class source_embeddings_used_for_the_target(Whole):
    def decode(self, tgt_ids, memory, src_ids):
        masks = self.self_mask(tgt_ids, src_ids), self.memory_mask(tgt_ids, src_ids)
        return self.decoder(self.src_embeddings(tgt_ids), memory, *masks)


@Transformer.mistake("The source's words are looked up in the target's table. Each language has embeddings of its own.")
class target_embeddings_used_for_the_source(Whole):
    def encode(self, src_ids):
        return self.encoder(self.tgt_embeddings(src_ids), self.encoder_mask(src_ids))


@Transformer.mistake("Source and target have changed places: the encoder reads the source, the decoder the target.")
class source_and_target_swapped(Whole):
    def forward(self, src_ids, tgt_ids):
        return super().forward(tgt_ids, src_ids)


@Transformer.mistake("The encoder is skipped: the decoder looks at the source's bare embeddings. The memory is what the encoder makes of them.")
class encoder_skipped(Whole):
    def encode(self, src_ids):
        return self.src_embeddings(src_ids)


@Transformer.mistake("The decoder starts from the memory instead of from the target's embeddings.")
class decoder_starts_from_the_memory(Whole):
    def decode(self, tgt_ids, memory, src_ids):
        masks = self.self_mask(tgt_ids, src_ids), self.memory_mask(tgt_ids, src_ids)
        return self.decoder(memory, memory, *masks)


@Transformer.mistake("The decoder never sees the source: in place of the memory it gets the target's own embeddings.")
class target_in_the_place_of_the_memory(Whole):
    def decode(self, tgt_ids, memory, src_ids):
        x = self.tgt_embeddings(tgt_ids)
        return self.decoder(x, x, self.self_mask(tgt_ids, src_ids), self.real(tgt_ids))


@Transformer.mistake("Decoder layer i looks at what encoder layer i made. Every decoder layer looks at the memory, the output of the last encoder layer.")
class decoder_layer_i_reads_encoder_layer_i(Whole):
    def forward(self, src_ids, tgt_ids):
        read, written = self.src_embeddings(src_ids), self.tgt_embeddings(tgt_ids)
        masks = self.self_mask(tgt_ids, src_ids), self.memory_mask(tgt_ids, src_ids)
        for reader, writer in zip(self.encoder.layers, self.decoder.layers):
            read = reader(read, self.encoder_mask(src_ids))
            written = writer(written, read, *masks)
        return self.generator(written)


@Transformer.mistake("The decoder looks at what the first encoder layer made. The memory is the output of the last one.")
class memory_from_the_first_encoder_layer(Whole):
    def encode(self, src_ids):
        return self.encoder.layers[0](self.src_embeddings(src_ids), self.encoder_mask(src_ids))


@Transformer.mistake("The encoder runs twice, and reads its own memory. Once is enough.")
class encoder_runs_twice(Whole):
    def encode(self, src_ids):
        return self.encoder(super().encode(src_ids), self.encoder_mask(src_ids))


@Transformer.mistake("The vectors are multiplied by the square root of d_model once more. Your `Embeddings` have done it.")
class multiplied_once_more(Whole):
    def encode(self, src_ids):
        return self.encoder(self.src_embeddings(src_ids) * self.src_embeddings.root, self.encoder_mask(src_ids))

    def decode(self, tgt_ids, memory, src_ids):
        masks = self.self_mask(tgt_ids, src_ids), self.memory_mask(tgt_ids, src_ids)
        return self.decoder(self.tgt_embeddings(tgt_ids) * self.tgt_embeddings.root, memory, *masks)


@Transformer.mistake("The encoder gets the bare table rows, without factor and positions. Call the embeddings, not only their `tokens`.")
class source_without_positions(Whole):
    def encode(self, src_ids):
        return self.encoder(self.src_embeddings.tokens(src_ids), self.encoder_mask(src_ids))


@Transformer.mistake("Only the source has positions; the target gets bare table rows. Call the embeddings, not only their `tokens`.")
class target_without_positions(Whole):
    def decode(self, tgt_ids, memory, src_ids):
        masks = self.self_mask(tgt_ids, src_ids), self.memory_mask(tgt_ids, src_ids)
        return self.decoder(self.tgt_embeddings.tokens(tgt_ids), memory, *masks)


# ... the future


@Transformer.mistake("The future is open: words of the target look at those after them. Padding alone is hidden.")
class causal_mask_forgotten(Whole):
    def self_mask(self, tgt_ids, src_ids):
        return self.real(tgt_ids)


@Transformer.mistake("Target and causal mask are joined by “or”, so padding of the past and real words of the future are seen. Both must hold.")
class causal_or_padding(Whole):
    def self_mask(self, tgt_ids, src_ids):
        return self.real(tgt_ids) | self.past(tgt_ids.shape[1], tgt_ids.device)


@Transformer.mistake("Where nothing is padded the future is open. The causal mask is needed whether there is padding or not.")
class causal_mask_dropped_when_nothing_is_padded(Whole):
    def self_mask(self, tgt_ids, src_ids):
        return None if self.real(tgt_ids).all() else super().self_mask(tgt_ids, src_ids)


@Transformer.mistake("Words see only what comes after them: the triangle lies on the wrong side.")
class causal_mask_upside_down(Whole):
    def past(self, n, device):
        return triangle(n).T.to(device)


@Transformer.mistake("Only the future is visible, and the past is hidden. True means “may be looked at” here.")
class only_the_future_visible(Whole):
    def past(self, n, device):
        return ~triangle(n).to(device)


@Transformer.mistake("Every word also sees the one after it, which it has to predict: one diagonal too many.")
class one_future_word_leaks(Whole):
    def past(self, n, device):
        return triangle(n, diagonal=1).to(device)


@Transformer.mistake("Words may not look at themselves: the diagonal is hidden, and the first word sees nothing.")
class diagonal_hidden(Whole):
    def past(self, n, device):
        return triangle(n, diagonal=-1).to(device)


@Transformer.mistake("The encoder is causal too. It reads a sentence that is known to its end: only padding is hidden there.")
class causal_mask_in_the_encoder(Whole):
    def encoder_mask(self, src_ids):
        return self.real(src_ids) & self.past(src_ids.shape[1], src_ids.device)


@Transformer.mistake("Cross-attention is causal too: a word sees no more of the source than it has words before it. The source is known to its end.")
class causal_mask_in_cross_attention(Whole):
    def memory_mask(self, tgt_ids, src_ids):
        return self.real(src_ids) & triangle(tgt_ids.shape[1], src_ids.shape[1]).to(src_ids.device)


@Transformer.mistake("The causal mask went to cross-attention, and the decoder's self-attention sees the future. It is the other way round.")
class causal_mask_in_cross_attention_alone(Whole):
    def self_mask(self, tgt_ids, src_ids):
        return self.real(tgt_ids)

    def memory_mask(self, tgt_ids, src_ids):
        return self.real(src_ids) & triangle(tgt_ids.shape[1], src_ids.shape[1]).to(src_ids.device)


# ... padding


@Transformer.mistake("The encoder gets no mask, so the source's words look at padding.")
class padding_not_hidden_in_the_encoder(Whole):
    def encoder_mask(self, src_ids):
        return None


@Transformer.mistake("Cross-attention gets no mask, so the target's words look at the source's padding.")
class padding_not_hidden_in_cross_attention(Whole):
    def memory_mask(self, tgt_ids, src_ids):
        return None


@Transformer.mistake("The source's padding is hidden nowhere: neither in the encoder nor in cross-attention.")
class padding_of_the_source_not_hidden(Whole):
    def encoder_mask(self, src_ids):
        return None

    def memory_mask(self, tgt_ids, src_ids):
        return None


@Transformer.mistake("The target's padding is not hidden: the decoder's mask is the triangle alone.")
class padding_of_the_target_not_hidden(Whole):
    def self_mask(self, tgt_ids, src_ids):
        return self.past(tgt_ids.shape[1], tgt_ids.device)


@Transformer.mistake("No padding is hidden anywhere. All three attentions need a padding mask.")
class no_padding_hidden(Whole):
    def real(self, ids):
        return torch.ones_like(ids, dtype=torch.bool)[:, None, None]


@Transformer.mistake("Cross-attention is masked by the target's padding. It is the source that is looked at, so its padding counts.")
class cross_attention_masked_by_target_padding(Whole):
    def memory_mask(self, tgt_ids, src_ids):
        return self.real(tgt_ids)


@Transformer.mistake("Cross-attention hides the target's padding as the one that looks. It is the source's padding, as looked-at, that has to be hidden.")
class padding_hides_queries_in_cross_attention(Whole):
    def memory_mask(self, tgt_ids, src_ids):
        return self.real(tgt_ids).transpose(-1, -2)


@Transformer.mistake("The decoder's self-attention is masked by the source's padding. The target's words look at each other, so their padding counts.")
class source_padding_used_for_the_target(Whole):
    def self_mask(self, tgt_ids, src_ids):
        return self.real(src_ids) & self.past(tgt_ids.shape[1], tgt_ids.device)


@Transformer.mistake("The decoder's own mask is used in cross-attention too. There it is the source's padding that has to be hidden.")
class self_mask_used_in_cross_attention(Whole):
    def memory_mask(self, tgt_ids, src_ids):
        return self.self_mask(tgt_ids, src_ids)


@Transformer.mistake("The decoder's two masks have changed places: first that of its own words, then that of the memory.")
class decoders_masks_swapped(Whole):
    def decode(self, tgt_ids, memory, src_ids):
        masks = self.memory_mask(tgt_ids, src_ids), self.self_mask(tgt_ids, src_ids)
        return self.decoder(self.tgt_embeddings(tgt_ids), memory, *masks)


@Transformer.mistake("Padding is visible and the words are hidden. True means “may be looked at” here.")
class padding_masks_the_wrong_way_round(Whole):
    def real(self, ids):
        return (ids == self.pad_id)[:, None, None]


@Transformer.mistake("Padding is hidden as the one that looks. It is as looked-at that it has to be hidden: the last axis of the mask.")
class padding_hides_queries(Whole):
    def real(self, ids):
        return (ids != self.pad_id)[:, None, :, None]

    def memory_mask(self, tgt_ids, src_ids):
        return self.real(tgt_ids)


@Transformer.mistake("The target's padding is hidden as the one that looks. It is as looked-at that it has to be hidden: the last axis of the mask.")
class padding_of_the_target_hides_queries(Whole):
    def self_mask(self, tgt_ids, src_ids):
        return (tgt_ids != self.pad_id)[:, None, :, None] & self.past(tgt_ids.shape[1], tgt_ids.device)


@Transformer.mistake("You compare with 0, whatever `pad_id` says.")
class padding_id_taken_for_zero(Whole):
    def real(self, ids):
        return (ids != 0)[:, None, None]


@Transformer.mistake("You compare with 0 in the target, whatever `pad_id` says. Both languages use the same id.")
class padding_id_of_the_target_taken_for_zero(Whole):
    def self_mask(self, tgt_ids, src_ids):
        return (tgt_ids != 0)[:, None, None] & self.past(tgt_ids.shape[1], tgt_ids.device)


@Transformer.mistake("Every id below that of the padding counts as padding too. Only one id is padding.")
class smaller_ids_taken_for_padding(Whole):
    def real(self, ids):
        return (ids > self.pad_id)[:, None, None]


@Transformer.mistake("You count the words and open as many places from the left. Padding may stand on the left or between words.")
class padding_assumed_at_the_end(Whole):
    def real(self, ids):
        lengths = (ids != self.pad_id).sum(dim=1, keepdim=True)
        return (torch.arange(ids.shape[1], device=ids.device) < lengths)[:, None, None]


@Transformer.mistake("The padding mask lacks the axis for the heads, so the batch stands in its place. It is (batch, 1, 1, n).")
class axis_for_heads_missing(Whole):
    def real(self, ids):
        return (ids != self.pad_id)[:, None]


@Transformer.mistake("The padding mask has no axes for heads and queries, so sentences are taken for words that look. It is (batch, 1, 1, n).")
class axes_for_heads_and_queries_missing(Whole):
    def real(self, ids):
        return ids != self.pad_id


@Transformer.mistake("All sentences get the mask of the first one. Each has padding of its own.")
class mask_of_the_first_sentence_for_all(Whole):
    def real(self, ids):
        return (ids[:1] != self.pad_id)[:, None, None]


# ... members


@Transformer.mistake("Both languages share one table of embeddings. Their words differ, so each has its own.")
class one_embedding_for_both_languages(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, *sizes, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, *sizes, **options)
        self.tgt_embeddings = self.src_embeddings


@Transformer.mistake("The generator shares its matrix with the target's table. The paper does so; here each has weights of its own.")
class generator_shares_the_targets_table(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, *sizes, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, *sizes, **options)
        self.generator.weight = self.tgt_embeddings.tokens.weight


@Transformer.mistake("The generator gives scores for the source's words. It writes in the target's language.")
class generator_for_the_source_vocabulary(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, *sizes, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, d_model, *sizes, **options)
        self.generator = nn.Linear(d_model, src_vocab_size)


@Transformer.mistake("The vocabularies have changed places: the source's embeddings have as many rows as the target has words.")
class vocabularies_swapped(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, *sizes, **options):
        super().__init__(tgt_vocab_size, src_vocab_size, d_model, *sizes, **options)
        self.generator = nn.Linear(d_model, tgt_vocab_size)


@Transformer.mistake("The generator has no bias. `nn.Linear` has one unless told otherwise.")
class generator_without_bias(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, *sizes, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, d_model, *sizes, **options)
        self.generator = nn.Linear(d_model, tgt_vocab_size, bias=False)


@Transformer.mistake("The generator holds a softmax too. It is one nn.Linear: the loss of lesson 07 does the softmax.")
class softmax_inside_the_generator(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, *sizes, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, d_model, *sizes, **options)
        self.generator = nn.Sequential(nn.Linear(d_model, tgt_vocab_size), nn.Softmax(dim=-1))


@Transformer.mistake("`pad_id` is kept under another name. Training and translation will ask the model for it: write `self.pad_id`.")
class pad_id_kept_under_another_name(Whole):
    def __init__(self, *sizes, pad_id=0, **options):
        super().__init__(*sizes, pad_id=pad_id, **options)
        self.pad = pad_id
        del self.pad_id

    def real(self, ids):
        return (ids != self.pad)[:, None, None]


@Transformer.mistake("The generator goes from words to features: its two numbers have changed places. It takes d_model numbers and gives one a word.")
class generator_turned_round(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, *sizes, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, d_model, *sizes, **options)
        self.generator = nn.Linear(tgt_vocab_size, d_model)


@Transformer.mistake("`max_len` is not handed on to the embeddings, so longer sentences have no positions.")
class max_len_not_handed_on(Whole):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options | {"max_len": 512})


@Transformer.mistake("The layers of each stack share one set of weights. Every layer needs its own.")
class layers_tied(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, n_layers, d_ff, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, d_model, n_heads, n_layers, d_ff, **options)
        for stack in (self.encoder, self.decoder):
            stack.layers = nn.ModuleList([stack.layers[0]] * n_layers)


@Transformer.mistake("There is a norm after the encoder. In the paper each layer ends with one, and the stacks have none of their own.")
class norm_after_the_stacks(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, *sizes, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, d_model, *sizes, **options)
        self.norm = Norm(d_model)


# ... training


@Transformer.mistake("The dropout rate is not handed on, so nothing is dropped. Four members take it.")
class dropout_rate_ignored(Whole):  # noqa: F811
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options | {"dropout": 0.0})


@Transformer.mistake("The target's embeddings do not get the dropout rate. Both embeddings and both stacks take it.")
class no_dropout_in_the_targets_embeddings(Whole):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.tgt_embeddings.drop.p = 0.0


@Transformer.mistake("The source's embeddings do not get the dropout rate. Both embeddings and both stacks take it.")
class no_dropout_in_the_sources_embeddings(Whole):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.src_embeddings.drop.p = 0.0


@Transformer.mistake("The encoder does not get the dropout rate. Both embeddings and both stacks take it.")
class no_dropout_in_the_encoder(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, n_layers, d_ff, dropout=0.0, **more):
        super().__init__(src_vocab_size, tgt_vocab_size, d_model, n_heads, n_layers, d_ff, dropout, **more)
        self.encoder = Stack(n_layers, d_model, n_heads, d_ff)


@Transformer.mistake("The decoder does not get the dropout rate. Both embeddings and both stacks take it.")
class no_dropout_in_the_decoder(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, *sizes, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, *sizes, **options)
        d_model, n_heads, n_layers, d_ff = sizes
        self.decoder = Writing(n_layers, d_model, n_heads, d_ff)


@Transformer.mistake("The stacks do not get the dropout rate. Both embeddings and both stacks take it.")
class no_dropout_in_the_stacks(Whole):
    def __init__(self, src_vocab_size, tgt_vocab_size, *sizes, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, *sizes, **options)
        d_model, n_heads, n_layers, d_ff = sizes
        self.encoder, self.decoder = Stack(n_layers, d_model, n_heads, d_ff), Writing(n_layers, d_model, n_heads, d_ff)


@Transformer.mistake("Dropout acts on the logits. The last one acts inside the decoder.")
class dropout_on_the_logits(Whole):
    def forward(self, src_ids, tgt_ids):
        return F.dropout(super().forward(src_ids, tgt_ids), self.src_embeddings.drop.p, self.training)


@Transformer.mistake("The memory is cut from the record, so the encoder never learns. Leave out `.detach()` and `no_grad`.")
class memory_cut_from_the_record(Whole):  # noqa: F811
    def encode(self, src_ids):
        return super().encode(src_ids).detach()


@Transformer.mistake("The logits are float32 even where the model is float64. Leave out the conversion.")
class result_in_float32(Whole):  # noqa: F811
    def forward(self, src_ids, tgt_ids):
        return super().forward(src_ids, tgt_ids).float()


@Transformer.mistake("The causal mask is made on the CPU, wherever the ids lie. Make it with `device=tgt_ids.device`.")
class causal_mask_made_on_the_cpu(Whole):
    def past(self, n, device):
        return triangle(n)
