"""Right solutions written in different ways: none may lose a point or be accused of a mistake."""

import heapq
import math
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import nn

from utils.corpus import vocabularies
from utils.translation import padded


def greedy_decode__rows_as_lists(model, src_ids, bos_id, eos_id, max_len):
    mode = model.training
    model.eval()
    rows = [[bos_id] for _ in src_ids]
    with torch.no_grad():
        memory = model.encode(src_ids)
        while len(rows[0]) < max_len and not all(eos_id in row for row in rows):
            logits = model.generator(model.decode(torch.tensor(rows, device=src_ids.device), memory, src_ids))
            for row, scores in zip(rows, logits[:, -1]):
                row.append(model.pad_id if eos_id in row else scores.argmax().item())
    if mode:
        model.train()
    return torch.tensor(rows, device=src_ids.device)


@torch.inference_mode()
def greedy_decode__filled_in_place(model, src_ids, bos_id, eos_id, max_len):
    mode, batch = model.training, src_ids.size(0)
    model.train(False)
    memory = model.encode(src_ids)
    ids = torch.full((batch, max_len), model.pad_id, dtype=torch.long, device=src_ids.device)
    ids[:, 0] = bos_id
    going = torch.ones(batch, dtype=torch.bool, device=src_ids.device)
    n = 1
    while n < max_len and going.any():
        hidden = model.decode(ids[:, :n], memory, src_ids)
        best = F.softmax(model.generator(hidden)[:, -1, :], dim=-1).max(-1).indices
        ids[:, n] = torch.where(going, best, ids[:, n])
        going &= best != eos_id
        n += 1
    model.train(mode)
    return ids[:, :n].clone()


def greedy_decode__forward_and_cut_afterwards(model, src_ids, bos_id, eos_id, max_len):
    """The whole model at each step; ends are looked for when all is said."""
    was_training = model.training
    try:
        model.eval()
        with torch.no_grad():
            ids = torch.full_like(src_ids[:, :1], bos_id)
            for _ in range(1, max_len):
                next_word = model(src_ids, ids)[:, -1].topk(1).indices
                ids = torch.hstack([ids, next_word])
                if (ids == eos_id).any(dim=1).all():
                    break
    finally:
        model.train(was_training)
    is_end = (ids == eos_id).long()
    behind = (is_end.cumsum(1) - is_end) > 0
    return ids.masked_fill(behind, model.pad_id)


def greedy_decode__only_the_rows_that_go_on(model, src_ids, bos_id, eos_id, max_len):
    """Rows that have ended are not decoded any more."""
    mode = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(src_ids)
        ids = src_ids.new_full((src_ids.shape[0], 1), bos_id)
        open_rows = torch.arange(len(src_ids), device=src_ids.device)
        while len(open_rows) and ids.shape[1] < max_len:
            hidden = model.decode(ids[open_rows], memory[open_rows], src_ids[open_rows])
            said = model.generator(hidden[:, -1]).log_softmax(-1).argmax(-1)
            column = ids.new_full((len(ids),), model.pad_id)
            column[open_rows] = said
            ids = torch.cat((ids, column.unsqueeze(1)), 1)
            open_rows = open_rows[said != eos_id]
    model.train(mode)
    return ids


@contextmanager
def looking_on(model):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        yield
    model.train(was_training)


def beam_search__by_sorting_lists(model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
    """One hypothesis at a time, in plain Python."""
    alive, done = [(0.0, [bos_id])], []
    with looking_on(model):
        memory = model.encode(src_ids)
        while alive and len(alive[0][1]) < max_len:
            longer = []
            for total, ids in alive:
                hidden = model.decode(torch.tensor([ids], device=src_ids.device), memory, src_ids)
                log_p = F.log_softmax(model.generator(hidden[0, -1]), dim=0)
                longer += [(total + p, ids + [word]) for word, p in enumerate(log_p.tolist())]
            longer.sort(key=lambda pair: -pair[0])
            alive = []
            for total, ids in longer[:beam_size]:
                (done if ids[-1] == eos_id else alive).append((total, ids))

    def score(total, ids):
        return total / math.pow((5 + len(ids) - 1) / 6, length_penalty)

    scored = [(ids, score(total, ids)) for total, ids in done + alive]
    return sorted(scored, key=lambda pair: -pair[1])[:beam_size]


def beam_search__tensors_and_a_heap(model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
    """A tensor of ids and one of totals, both put in order at each step."""
    found = []
    with looking_on(model):
        ids = torch.full((1, 1), bos_id, dtype=torch.long, device=src_ids.device)
        totals = torch.zeros(1, dtype=torch.float64, device=src_ids.device)
        memory = model.encode(src_ids)
        while ids.size(1) < max_len and len(ids):
            many = len(ids)
            logits = model.generator(model.decode(ids, memory.repeat(many, 1, 1), src_ids.repeat(many, 1)))[:, -1]
            grown = totals[:, None] + logits - logits.logsumexp(dim=-1, keepdim=True)
            totals, place = grown.reshape(-1).sort(descending=True)
            totals, place = totals[:beam_size], place[:beam_size]
            origin = torch.div(place, logits.size(1), rounding_mode="floor")
            ids = torch.cat([ids[origin], (place % logits.size(1))[:, None]], dim=1)
            has_ended = ids[:, -1] == eos_id
            found += zip(ids[has_ended].tolist(), totals[has_ended].tolist())
            ids, totals = ids[~has_ended], totals[~has_ended]
    found += zip(ids.tolist(), totals.tolist())
    scored = [(one, total * (6 / (4 + len(one))) ** length_penalty) for one, total in found]
    return heapq.nlargest(beam_size, scored, key=lambda pair: pair[1])


def beam_search__a_fixed_number_of_rows(model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
    """As libraries do it: beam_size rows from the start, all but one of them with the sum -inf."""
    finished = []
    with looking_on(model):
        memory = model.encode(src_ids).expand(beam_size, -1, -1)
        src = src_ids.expand(beam_size, -1)
        ids = torch.full((beam_size, 1), bos_id, device=src_ids.device)
        totals = torch.full((beam_size,), -torch.inf, dtype=torch.float64, device=src_ids.device)
        totals[0] = 0.0
        for _ in range(max_len - 1):
            log_p = torch.log_softmax(model.generator(model.decode(ids, memory, src)[:, -1]), -1)
            vocab = log_p.shape[-1]
            grown = (totals.unsqueeze(1) + log_p).flatten()
            totals, best = grown.topk(beam_size)
            ids = torch.cat([ids[best // vocab], (best % vocab).unsqueeze(1)], dim=1)
            for row in range(beam_size):
                if ids[row, -1] == eos_id and totals[row] > -torch.inf:
                    finished.append((ids[row].tolist(), totals[row].item()))
            totals = totals.masked_fill(ids[:, -1] == eos_id, -torch.inf)
        finished += [(row, total) for row, total in zip(ids.tolist(), totals.tolist()) if total > -math.inf]
    answer = [(row, total / ((5 + len(row[1:])) / 6) ** length_penalty) for row, total in finished]
    answer.sort(key=lambda pair: pair[1], reverse=True)
    return answer[:beam_size]


def beam_search__finished_ones_keep_their_places(model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
    """Those that have ended stay in the beam as they are, and compete by their sums."""
    beam = [([bos_id], 0.0)]
    with looking_on(model):
        memory = model.encode(src_ids)
        for _ in range(max_len - 1):
            if all(ids[-1] == eos_id for ids, _ in beam):
                break
            candidates = []
            for ids, total in beam:
                if ids[-1] == eos_id:
                    candidates.append((ids, total))
                    continue
                hidden = model.decode(torch.tensor([ids], device=src_ids.device), memory, src_ids)
                log_p = model.generator(hidden)[0, -1].log_softmax(-1)
                values, words = log_p.topk(min(beam_size, len(log_p)))
                candidates += [([*ids, w], total + v) for v, w in zip(values.tolist(), words.tolist())]
            beam = sorted(candidates, key=lambda pair: pair[1], reverse=True)[:beam_size]
    scored = [(ids, total / ((5 + len(ids) - 1) / 6) ** length_penalty) for ids, total in beam]
    return sorted(scored, key=lambda pair: pair[1], reverse=True)


def beam_search__narrower_with_every_end(model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
    """One that has ended keeps its place for good, so that fewer and fewer go on."""
    alive, finished = [([bos_id], 0.0)], []
    with looking_on(model):
        memory = model.encode(src_ids)
        for _ in range(max_len - 1):
            candidates = []
            for ids, total in alive:
                hidden = model.decode(torch.tensor([ids], device=src_ids.device), memory, src_ids)
                log_p = model.generator(hidden)[0, -1].log_softmax(-1).tolist()
                candidates += [([*ids, word], total + p) for word, p in enumerate(log_p)]
            candidates.sort(key=lambda pair: pair[1], reverse=True)
            alive = []
            for ids, total in candidates[: beam_size - len(finished)]:
                (finished if ids[-1] == eos_id else alive).append((ids, total))
            if not alive:
                break
    scored = [(ids, total / ((5 + len(ids) - 1) / 6) ** length_penalty) for ids, total in finished + alive]
    return sorted(scored, key=lambda pair: pair[1], reverse=True)


def beam_search__each_continuation_looked_at_as_a_whole(
    model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6
):
    """Many rows: the whole model is asked about each continuation in full."""

    def totals(rows):
        ids = torch.tensor(rows, device=src_ids.device)
        log_p = model(src_ids.expand(len(ids), -1), ids[:, :-1]).log_softmax(-1)
        return log_p.gather(-1, ids[:, 1:, None]).sum(dim=(1, 2)).tolist()

    alive, finished = [(0.0, [bos_id])], []
    with looking_on(model):
        for _ in range(max_len - 1):
            longer = [[*ids, word] for _, ids in alive for word in range(model.generator.out_features)]
            best = sorted(zip(totals(longer), longer), reverse=True)[:beam_size] if longer else []
            finished += [pair for pair in best if pair[1][-1] == eos_id]
            alive = [pair for pair in best if pair[1][-1] != eos_id]
    scored = [(ids, total / ((5 + len(ids) - 1) / 6) ** length_penalty) for total, ids in finished + alive]
    return sorted(scored, key=lambda pair: pair[1], reverse=True)[:beam_size]


def beam_search__rows_filled_up_from_the_start(model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
    """Every row has max_len places at every step, and those that have ended are decoded along."""
    vocab = model.generator.out_features
    with looking_on(model):
        ids = torch.full((1, max_len), model.pad_id, device=src_ids.device)
        ids[0, 0], totals = bos_id, torch.zeros(1, dtype=torch.float64, device=src_ids.device)
        for n in range(1, max_len):
            over = (ids == eos_id).any(dim=1)
            log_p = model(src_ids.expand(len(ids), -1), ids)[:, n - 1].log_softmax(-1)
            stay = torch.full_like(log_p, -torch.inf)
            stay[:, model.pad_id] = 0.0
            grown = (totals[:, None] + torch.where(over[:, None], stay, log_p)).flatten()
            totals, best = grown.topk(min(beam_size, int(grown.isfinite().sum())))
            ids, words = ids[best // vocab].clone(), best % vocab
            ids[:, n] = words
            was_over = over[best // vocab]
            ids[was_over, n] = model.pad_id
    answer = []
    for row, total in zip(ids.tolist(), totals.tolist()):
        row = row[: row.index(eos_id) + 1] if eos_id in row else row
        answer.append((row, total / ((5 + len(row) - 1) / 6) ** length_penalty))
    return sorted(answer, key=lambda pair: pair[1], reverse=True)


class CachedAttention__einsum_and_lists(nn.Module):
    """Layers in a loop; a cache that is a list."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.heads, self.width = n_heads, d_model // n_heads
        for letter in "qkvo":
            setattr(self, f"w_{letter}", nn.Linear(d_model, d_model))

    def forward(self, x, cache=None):
        def heads(layer):
            return torch.stack(layer(x).split(self.width, dim=-1), dim=1)

        q, new = heads(self.w_q), [heads(self.w_k), heads(self.w_v)]
        if cache:
            new = [torch.cat(pair, -2) for pair in zip(cache, new)]
        scores = torch.einsum("bhqd,bhkd->bhqk", q, new[0]) / math.sqrt(self.width)
        mixed = torch.einsum("bhqk,bhkd->bqhd", F.softmax(scores, -1), new[1])
        return self.w_o(mixed.reshape(x.shape)), new


class CachedAttention__room_for_one_more(nn.Module):
    """New tensors with room for one position more, written into place by place."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)

    def forward(self, x, cache=None):
        batch, _, d_model = x.shape
        shape = (batch, self.n_heads, 1, d_model // self.n_heads)
        q = self.w_q(x).view(shape)
        n_past = 0 if cache is None else cache[0].size(2)
        grown = []
        for number, layer in enumerate((self.w_k, self.w_v)):
            one = x.new_empty(batch, self.n_heads, n_past + 1, shape[-1])
            if n_past:
                one[:, :, :n_past] = cache[number]
            one[:, :, n_past:] = layer(x).view(shape)
            grown.append(one)
        keys, values = grown
        weights = ((q * shape[-1] ** -0.5) @ keys.mT).softmax(dim=-1)
        return self.w_o((weights @ values).view(batch, 1, d_model)), (keys, values)


class CachedAttention__an_empty_past(nn.Module):
    """There is always a past; at first it is empty."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))
        self.n_heads = n_heads

    def split(self, x):
        batch, n, d_model = x.shape
        return x.reshape(batch, n, self.n_heads, d_model // self.n_heads).permute(0, 2, 1, 3)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.w_q(x)), self.split(self.w_k(x)), self.split(self.w_v(x))
        past_k, past_v = (k[:, :, :0], v[:, :, :0]) if cache is None else cache
        k, v = torch.concat((past_k, k), axis=2), torch.concat((past_v, v), axis=2)
        scores = torch.matmul(q, k.transpose(2, 3)) / torch.tensor(float(k.shape[3])).sqrt().item()
        scores = scores - scores.amax(dim=-1, keepdim=True)
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        output = torch.matmul(weights, v).permute(0, 2, 1, 3).reshape(x.shape)
        return self.w_o(output), (k, v)


def translate__one_after_another(model, sentences):
    """Each sentence by itself, without padding."""
    french, english = vocabularies()
    texts = []
    for sentence in sentences:
        ids = greedy_decode__rows_as_lists(model, torch.tensor([french.ids(sentence)]), english.bos_id, english.eos_id, 30)
        texts.append(english.sentence(ids[0]))
    return texts


def translate__words_by_hand(model, sentences):
    """Neither `padded` nor `sentence`."""
    french, english = vocabularies()
    rows = [french.ids(text) for text in sentences]
    src_ids = torch.full((len(rows), max(len(row) for row in rows)), french.pad_id)
    for place, row in enumerate(rows):
        src_ids[place, : len(row)] = torch.tensor(row)
    special = {english.pad_id, english.bos_id, english.eos_id}
    said = greedy_decode__rows_as_lists(model, src_ids, english.bos_id, english.eos_id, max_len=30)
    return [" ".join(english.words[i] for i in row.tolist() if i not in special) for row in said]


def translate__in_small_batches(model, sentences, at_once=2):
    """Sorted by length, a few at a time, and put back in order."""
    french, english = vocabularies()
    order = sorted(range(len(sentences)), key=lambda place: len(sentences[place].split()))
    found = {}
    for start in range(0, len(order), at_once):
        places = order[start : start + at_once]
        src_ids = padded([french.ids(sentences[place]) for place in places], french.pad_id)
        rows = greedy_decode__rows_as_lists(model, src_ids, english.bos_id, english.eos_id, 30)
        found |= {place: english.sentence(row.tolist()) for place, row in zip(places, rows)}
    return [found[place] for place in range(len(sentences))]


def translate__with_room_for_more(model, sentences):
    """More ids than are needed do no harm."""
    french, english = vocabularies()
    src_ids = padded([french.ids(text) for text in sentences], french.pad_id)
    rows = greedy_decode__filled_in_place(model, src_ids, english.bos_id, english.eos_id, src_ids.size(1) + 40)
    return list(map(english.sentence, rows))
