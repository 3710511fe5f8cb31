"""Lesson 08: the trained model writes: greedy decoding, beam search, a cache, translations."""

import math

import torch
from torch import nn

from grader.spec import Case, FilesCase, Lesson, ModuleCase
from utils import decoding
from utils.corpus import fresh_pairs, test_pairs, vocabularies
from utils.corpus.vocabulary import SPECIAL
from utils.translation import padded
from utils.translator import FILE

LESSON = Lesson("08_translation", files=(FILE,))
HELPERS = ("utils.translation.translate", "utils.translation._most_likely")  # the course's own decoding
USUAL = {"pad": 0, "bos": 1, "eos": 2}
UNUSUAL = {"pad": 4, "bos": 0, "eos": 3}
CLEAR = 0.02  # between the two best choices of a model that is asked: rounding shall not decide
CUT = 0  # the length of a translation that does not end


# ------------------------------------------------------------------------------- models worth asking


def drawn(rng, *rows, ids=USUAL, tgt_words=7, max_len=9, more=(), **options):
    """Settings of `utils.decoding.ask`: a model, and source sentences whose greedy translations are as wanted.

    Args:
        rng: a NumPy generator.
        rows: for each sentence a text such as "1101", where there are words and where there is padding, and how
            many ids its translation has, BOS and EOS counted; CUT for one that is cut at max_len.
        ids, tgt_words, max_len, more, options: see there.
    """
    while True:
        settings = {
            "ask": "said", "seed": int(rng.integers(2**31)), "src": None, "ids": ids, "tgt_words": tgt_words,
            "max_len": max_len, "more": list(more), "options": options,
        }  # fmt: skip
        found = [next(fitting(rng, settings, marks, length), None) for marks, length in rows]
        if all(row is not None for row in found):
            return settings | ({"src": torch.stack(found)} if found else {})


def fitting(rng, settings, marks, length):
    """Source sentences drawn at random, `marks` as in `drawn`, whose greedy translations have such a length.

    And at least two different words, each of them a clear choice.
    """
    src = words(rng, settings["ids"], marks, 64)
    for row, said in zip(src, said_greedily(settings, src)):
        ended = said and said[-1] == settings["ids"]["eos"]
        if said and (len(said) if ended else CUT) == length and len(set(said[1:])) >= min(3, len(said) - 1):
            yield row


def words(rng, ids, marks, count):
    """`(count, len(marks))` source ids: words where there is a 1, padding elsewhere."""
    real = [word for word in range(decoding.SRC_WORDS) if word != ids["pad"]]
    is_word = torch.tensor([mark == "1" for mark in marks])
    return torch.from_numpy(rng.choice(real, (count, len(marks)))).masked_fill(~is_word, ids["pad"])


def said_greedily(settings, src):
    """What greedy decoding says of each row, as a list without padding; an empty one where a choice is too close."""
    model, ids = model_of(settings), settings["ids"]
    tgt_ids = LESSON.reference("greedy_decode")(model, src, ids["bos"], ids["eos"], settings["max_len"])
    with torch.no_grad():
        first, second = model(src, tgt_ids[:, :-1]).topk(2).values.unbind(-1)
    clear = ((first - second > CLEAR) | (tgt_ids[:, 1:] == ids["pad"])).all(dim=1)
    rows = ([word for word in row if word != ids["pad"]] for row in tgt_ids.tolist())
    return [row if is_clear else [] for row, is_clear in zip(rows, clear.tolist())]


def model_of(settings):
    return decoding.unwatched_model(settings["seed"], tuple(settings["ids"].items()), settings["tgt_words"])


# ------------------------------------------------------------------------------------ greedy_decode


@LESSON.exercise(
    aspects={"one sentence": 2, "several sentences": 2, "other ids": 1, "mode and gradients": 1, "device": 1},
    refuse=("utils.stand_ins.in_torch", *HELPERS),
)
def greedy_decode(rng):
    def ask(aspect, says, *rows, ask="said", training=False, hidden=False, **settings):
        settings = drawn(rng, *rows, **settings) | {"ask": ask, "training": training}
        return Case(aspect, says, settings, probe="decoding", hidden=hidden)

    yield ask("one sentence", "one sentence, up to its end", ("111", 5))
    yield ask("one sentence", "one sentence that is cut at max_len", ("1111", CUT), max_len=5)
    yield ask("one sentence", "another sentence, up to its end", ("11111", 6), hidden=True)
    yield ask("several sentences", "two sentences that end at different times", ("1111", 4), ("1110", 6))
    yield ask("several sentences", "three sentences, of which one does not end", ("111", 3), ("110", CUT), ("111", 4), max_len=7)
    yield ask("several sentences", "three sentences that all end", ("1110", 6), ("1111", 3), ("1100", 5), hidden=True)
    yield ask("other ids", "other numbers for padding, BOS and EOS", ("1111", 5), ("1110", 3), ids=UNUSUAL)
    yield ask("other ids", "other numbers, one sentence does not end", ("11", 3), ("11", CUT), ids=UNUSUAL, max_len=6, hidden=True)
    yield ask("mode and gradients", "a model in training mode", ("111", 4), ask="manner", training=True)
    yield ask("mode and gradients", "a model in evaluation mode", ("111", 4), ask="manner")
    yield ask("mode and gradients", "ids, by a model in training mode", ("1111", 6), training=True, hidden=True)
    yield ask("device", "all tensors on one device", ("1111", 5), ("1110", 4), ask="elsewhere")


class Greedy:
    """Right greedy decoding in steps, each of which a mistake may replace."""

    def __init__(self, model, src_ids, bos_id, eos_id, max_len):
        self.model, self.src_ids, self.bos_id, self.eos_id, self.max_len = model, src_ids, bos_id, eos_id, max_len
        self.pad_id = model.pad_id

    def begin(self):
        return self.src_ids.new_full((len(self.src_ids), 1), self.bos_id)

    def logits(self, ids, memory):
        return self.model.generator(self.model.decode(ids, memory, self.src_ids)[:, -1])

    def choose(self, logits):
        return logits.argmax(dim=-1)

    def placed(self, new, ended):
        return new.masked_fill(ended, self.pad_id)

    def has_ended(self, ended, new):
        return ended | (new == self.eos_id)

    def is_over(self, ids, ended):
        return ids.shape[1] >= self.max_len or bool(ended.all())

    def loop(self):
        memory, ids = self.model.encode(self.src_ids), self.begin()
        ended = torch.zeros_like(ids[:, 0], dtype=torch.bool)
        while not self.is_over(ids, ended):
            new = self.placed(self.choose(self.logits(ids, memory)), ended)
            ids = torch.cat([ids, new[:, None]], dim=1)
            ended = self.has_ended(ended, new)
        return self.result(ids)

    def result(self, ids):
        return ids

    def run(self):
        mode = self.model.training
        self.model.eval()
        with torch.no_grad():
            ids = self.loop()
        self.model.train(mode)
        return ids


def greedy_mistake(hint):
    """Registers a variation of `Greedy` under its class's name."""

    def register(kind):
        def wrong(model, src_ids, bos_id, eos_id, max_len):
            return kind(model, src_ids, bos_id, eos_id, max_len).run()

        wrong.__name__ = kind.__name__
        greedy_decode.mistake(hint)(wrong)
        return kind

    return register


@greedy_mistake("Dropout is active while you decode. Put the model into evaluation mode first: `model.eval()`.")
class no_evaluation_mode(Greedy):
    def run(self):
        with torch.no_grad():
            return self.loop()


@greedy_mistake("The model stays in evaluation mode, whatever its mode was before. Note `model.training` first, and put it back at the end.")
class left_in_evaluation_mode(Greedy):
    def run(self):
        self.model.eval()
        with torch.no_grad():
            return self.loop()


@greedy_mistake("The model is in training mode afterwards, even if it was not before. Note `model.training` first, and put that back.")
class left_in_training_mode(Greedy):
    def run(self):
        self.model.eval()
        with torch.no_grad():
            ids = self.loop()
        self.model.train()
        return ids


@greedy_mistake("Gradients are recorded at every step, which costs time and memory. Decode under `torch.no_grad()`.")
class gradients_recorded(Greedy):
    def run(self):
        mode = self.model.training
        self.model.eval()
        ids = self.loop()
        self.model.train(mode)
        return ids


@greedy_mistake("Nothing stops at EOS: the sentences go on up to max_len. Look whether a row has said `eos_id`.")
class end_of_sentence_ignored(Greedy):
    def placed(self, new, ended):
        return new

    def is_over(self, ids, ended):
        return ids.shape[1] >= self.max_len


@greedy_mistake("Rows that have ended go on talking while others are not done. From their EOS on they get `model.pad_id`.")
class words_after_the_end(Greedy):
    def placed(self, new, ended):
        return new


@greedy_mistake("The work stops when the first row has ended, so that longer translations are cut. It stops when all have.")
class stops_with_the_first_row(Greedy):
    def is_over(self, ids, ended):
        return ids.shape[1] >= self.max_len or bool(ended.any())


@greedy_mistake("You stop when all rows say EOS in the same step. Remember for each row that it has ended earlier.")
class forgets_which_rows_have_ended(Greedy):
    def has_ended(self, ended, new):
        return new == self.eos_id


@greedy_mistake("Padding goes on up to max_len though all rows have ended. The result is as long as the longest translation in it.")
class always_max_len_long(Greedy):
    def is_over(self, ids, ended):
        return ids.shape[1] >= self.max_len


@greedy_mistake("There is one step too many: a last column that holds only padding. Look whether all have ended before the next step.")
class one_column_of_padding_too_many(Greedy):
    def result(self, ids):
        has_room = ids.shape[1] < self.max_len
        return torch.cat([ids, torch.full_like(ids[:, :1], self.pad_id)], dim=1) if has_room else ids


@greedy_mistake("The result begins with the first word. It begins with `bos_id`, which counts as one of the ids.")
class begins_without_bos(Greedy):
    def result(self, ids):
        return ids[:, 1:]


@greedy_mistake("The loop is left before its last words are appended, so that the longest sentence has no EOS. Append first, then look whether all have ended.")
class left_before_the_end_is_appended(Greedy):
    def loop(self):
        memory, ids = self.model.encode(self.src_ids), self.begin()
        ended = torch.zeros_like(ids[:, 0], dtype=torch.bool)
        while ids.shape[1] < self.max_len:
            new = self.placed(self.choose(self.logits(ids, memory)), ended)
            ended = self.has_ended(ended, new)
            if ended.all():
                break
            ids = torch.cat([ids, new[:, None]], dim=1)
        return self.result(ids)


@greedy_mistake("EOS is cut off. It belongs to the result.")
class end_of_sentence_cut_off(Greedy):
    def result(self, ids):
        return ids.masked_fill(ids == self.eos_id, self.pad_id)


@greedy_mistake("One id more than max_len may come out. BOS counts too.")
class max_len_without_bos(Greedy):
    def is_over(self, ids, ended):
        return ids.shape[1] > self.max_len or bool(ended.all())


@greedy_mistake("You stop one id before max_len.")
class one_id_too_few(Greedy):
    def is_over(self, ids, ended):
        return ids.shape[1] >= self.max_len - 1 or bool(ended.all())


@greedy_mistake("The decoder gets the last id alone, so it has forgotten what it said, and takes every word for the first. It needs all ids so far.")
class last_id_alone(Greedy):
    def logits(self, ids, memory):
        return super().logits(ids[:, -1:], memory)


@greedy_mistake("You read what the first position predicts, at every step. The next word is predicted at the last position.")
class scores_of_the_first_position(Greedy):
    def logits(self, ids, memory):
        return self.model.generator(self.model.decode(ids, memory, self.src_ids)[:, 0])


@greedy_mistake("The ids are filled up with padding to max_len, and you read what the last of these places predicts. Read at the last real id.")
class scores_read_at_padding(Greedy):
    def logits(self, ids, memory):
        room = ids.new_full((len(ids), self.max_len - ids.shape[1]), self.pad_id)
        return super().logits(torch.cat([ids, room], dim=1), memory)


@greedy_mistake("You take the least probable word. `argmax`, not `argmin`.")
class least_probable_word(Greedy):
    def choose(self, logits):
        logits = logits.clone()
        logits[:, [self.pad_id, self.bos_id]] = torch.inf
        return logits.argmin(dim=-1)


@greedy_mistake("The largest entry of the whole array gives one word, and all rows get it. Each row has its own: look along the last axis.")
class largest_of_the_whole_array(Greedy):
    def choose(self, logits):
        return (logits.argmax() % logits.shape[-1]).expand(len(logits))


@greedy_mistake("`argmax()` without an axis looks at all rows at once, and gives one place of the flattened array. Each row needs a word of its own.")
class argmax_without_an_axis(Greedy):
    def choose(self, logits):
        return logits.argmax()


@greedy_mistake("The largest entry is looked for along the batch: that gives a row for each word. A word for each row is wanted. Look at the axis.")
class largest_along_the_batch(Greedy):
    def choose(self, logits):
        return logits.argmax(dim=0)


@greedy_mistake("The generator is left out: you take the largest feature of the decoder's vector. `model.generator` makes logits of it.")
class generator_left_out(Greedy):
    def logits(self, ids, memory):
        return self.model.decode(ids, memory, self.src_ids)[:, -1]


@greedy_mistake("After EOS you put EOS again and again. From there on the result has `model.pad_id`.")
class padded_with_eos(Greedy):
    def placed(self, new, ended):
        return new.masked_fill(ended, self.eos_id)


@greedy_mistake("After EOS you put 0, whatever number stands for padding. The model knows it: `model.pad_id`.")
class padded_with_zero(Greedy):
    def placed(self, new, ended):
        return new.masked_fill(ended, 0)


@greedy_mistake("max_len is not looked at: rows that do not end go on and on. Stop when the ids are max_len long.")
class max_len_ignored(Greedy):
    def is_over(self, ids, ended):
        return bool(ended.all())


@greedy_mistake("Every row is begun with 1 and ends at 2, whatever `bos_id` and `eos_id` are.")
class ids_taken_for_granted(Greedy):
    def __init__(self, model, src_ids, bos_id, eos_id, max_len):
        super().__init__(model, src_ids, 1, 2, max_len)


@greedy_mistake("Every row is begun with 1, whatever `bos_id` is.")
class bos_taken_for_granted(Greedy):
    def __init__(self, model, src_ids, bos_id, eos_id, max_len):
        super().__init__(model, src_ids, 1, eos_id, max_len)


@greedy_mistake("Every row ends at 2, whatever `eos_id` is.")
class eos_taken_for_granted(Greedy):
    def __init__(self, model, src_ids, bos_id, eos_id, max_len):
        super().__init__(model, src_ids, bos_id, 2, max_len)


@greedy_mistake("Your translations begin with EOS. They begin with `bos_id`.")
class begins_with_eos(Greedy):
    def begin(self):
        return self.src_ids.new_full((len(self.src_ids), 1), self.eos_id)


@greedy_mistake("The decoder reads the source in the place of what it has said. It reads its own ids, from BOS on.")
class reads_the_source(Greedy):
    def logits(self, ids, memory):
        return super().logits(self.src_ids.clamp(max=self.model.generator.out_features - 1), memory)


@greedy_mistake("Only the first sentence is translated, and stands in every row. Each row has a source of its own.")
class first_sentence_for_all(Greedy):
    def loop(self):
        self.src_ids = self.src_ids[:1].expand(len(self.src_ids), -1)
        return super().loop()


@greedy_mistake("The end is only looked for in the first row. Each row ends by itself.")
class end_of_the_first_row_only(Greedy):
    def has_ended(self, ended, new):
        return (ended | (new == self.eos_id))[:1].expand(len(new))


@greedy_mistake("Source and target are handed to the decoder in each other's place as the last argument: `decode(tgt_ids, memory, src_ids)`.")
class target_in_the_place_of_the_source(Greedy):
    def logits(self, ids, memory):
        return self.model.generator(self.model.decode(ids, memory, ids)[:, -1])


@greedy_mistake("Something is made on the CPU, wherever the model lies: the ids, or what notes which rows have ended. A graphics card needs `device=src_ids.device`.")
class made_on_the_cpu(Greedy):
    def begin(self):
        return torch.full((len(self.src_ids), 1), self.bos_id)


# -------------------------------------------------------------------------------------- beam_search


@LESSON.exercise(
    aspects={"beam of one": 2, "best of all": 2, "length penalty": 1, "list of hypotheses": 1, "mode and gradients": 1},
)
def beam_search(rng):
    def ask(aspect, says, settings, reading="", hidden=False, **changes):
        return Case(aspect, says, settings | changes, probe="decoding", reading=reading, hidden=hidden)

    one = {"more": [1]}
    yield ask("beam of one", "one hypothesis, up to its end", drawn(rng, ("111", 5), **one), "best")
    yield ask("beam of one", "one hypothesis that is cut at max_len", drawn(rng, ("1111", CUT), max_len=5, **one), "best")
    longer = drawn(rng, ("11111", 6), **one)
    yield ask("beam of one", "another hypothesis, up to its end", longer, "best", True)
    unusual = drawn(rng, ("1111", 4), ids=UNUSUAL, **one)
    yield ask("beam of one", "one hypothesis, other numbers for padding, BOS and EOS", unusual, "best")
    yield ask("beam of one", "one hypothesis that ends while others would go on", going_on(rng), "best")
    for hidden in (False, True):
        settings = searched(rng, hangs_on_the_penalty)
        for power in (0.0, 2.0):
            says = f"all continuations, length_penalty {power:g}"
            yield ask("length penalty", says, settings, "best", hidden, options={"length_penalty": power})
        wide = "a beam as wide as all continuations"
        yield ask("best of all", wide, searched(rng, needs_a_search), "best", hidden)
        yield ask("best of all", f"{wide}, the best one begins with the second choice", searched(rng, begins_otherwise), "best", hidden)
        yield ask("best of all", f"{wide}, the best one does not end", searched(rng, is_cut), "best", hidden)
    for beam_size, marks, ids, hidden in ((2, "1111", USUAL, False), (3, "11", USUAL, False), (4, "111", UNUSUAL, True)):
        settings = of_several_lengths(rng, beam_size, marks, ids)
        yield ask("list of hypotheses", f"{beam_size} hypotheses", settings, "beam", hidden)
    steps = drawn(rng, ("111", CUT), max_len=7, more=[5])
    yield ask("list of hypotheses", "5 hypotheses, for some more steps", steps, "beam")
    manner = settings | {"ask": "manner"}
    yield ask("mode and gradients", "a model in training mode", manner, training=True)
    yield ask("mode and gradients", "a model in evaluation mode", manner)
    yield ask("mode and gradients", "hypotheses, by a model in training mode", settings, "best", True, training=True)


def searched(rng, is_fit):
    """Settings for a beam as wide as all continuations: a model, and a source sentence for which `is_fit` holds."""
    while True:
        settings = drawn(rng, tgt_words=6, max_len=4, more=[6**3])
        src = words(rng, settings["ids"], "111", 64)
        for row, translations in zip(src, every_translation(settings, src)):
            if is_fit(*translations):
                return settings | {"src": row[None]}


def hangs_on_the_penalty(totals, lengths, has_end, most_probable):
    """Whether the best translation is longer with a larger length penalty (for the arguments see `every_translation`)."""
    short, long = (best_place(totals, lengths, power) for power in (0.0, 2.0))
    if short is None or long is None or not (has_end[short] and has_end[long]):
        return False
    return 1 < lengths[short] < lengths[long]


def needs_a_search(totals, lengths, has_end, most_probable):
    """Whether the best translation takes a word that is not the most probable one after a first word has been chosen;
    and if only the most probable ones were taken there, another first word would be better than the most probable one.
    """
    scores, follows, greedy = with_penalty(totals, lengths), most_probable[:, 1:].all(dim=1), most_probable.all(dim=1)
    if not has_end[greedy].all() or scores[follows].max() - scores[greedy] < CLEAR:
        return False
    place = best_place(totals, lengths)
    return place is not None and has_end[place] and not follows[place]


def begins_otherwise(totals, lengths, has_end, most_probable):
    """Whether the best translation begins with a word that is not the most probable one; neither is the end."""
    place, first = best_place(totals, lengths), most_probable[:, 0]
    return place is not None and has_end[place] and min(lengths[place], lengths[first].min()) > 1 and not first[place]


def is_cut(totals, lengths, has_end, most_probable):
    """Whether the best translation is one that does not end."""
    place = best_place(totals, lengths)
    return place is not None and not has_end[place]


def with_penalty(totals, lengths, power=0.6):
    return totals / ((5 + lengths) / 6) ** power


def best_place(totals, lengths, power=0.6):
    """The place of the best translation; None where another one is nearly as good."""
    (first, second), (place, _) = with_penalty(totals, lengths, power).topk(2)
    return place if first - second > CLEAR else None


def every_translation(settings, src):
    """For each source sentence all that can be said, in tensors: the sums of log-probabilities, the numbers of ids
    after BOS, whether they end, and at each place whether the word is the most probable one there (or none).
    """
    special, n_words, room = settings["ids"], settings["tgt_words"], settings["max_len"] - 1
    said = torch.cartesian_prod(*[torch.arange(n_words)] * room)
    is_end = (said == special["eos"]).long()
    behind = (is_end.cumsum(1) - is_end) > 0
    alike = (~behind | (said == special["eos"])).all(dim=1)  # what stands behind an end is nothing: keep one of these
    said, behind, has_end = said[alike], behind[alike], is_end[alike].any(dim=1)
    tgt_ids = torch.cat([torch.full_like(said[:, :1], special["bos"]), said[:, :-1]], dim=1)
    tgt_ids, place = tgt_ids.unique(dim=0, return_inverse=True)  # many differ in the last word alone, which is not read
    many, model = len(tgt_ids), model_of(settings)
    with torch.no_grad():
        memory, read = (one.repeat_interleave(many, dim=0) for one in (model.encode(src), src))
        logits = model.generator(model.decode(tgt_ids.repeat(len(src), 1), memory, read))
    for log_p in logits.log_softmax(dim=-1).unflatten(0, (len(src), many)):
        log_p = log_p[place]
        totals = log_p.gather(-1, said[..., None])[..., 0].masked_fill(behind, 0).sum(dim=1)
        yield totals, (~behind).sum(dim=1), has_end, (log_p.argmax(dim=-1) == said) | behind


def going_on(rng):
    """Settings for a beam of one that ends, where a search that did not end with it, or a wider one, would find
    something better.
    """
    while True:
        settings = drawn(rng, ("111", 3), more=[1], length_penalty=2.0)
        (right, _), *_ = hypotheses(settings)
        (longer, _), *_ = searched_by(ended_ones_take_no_place, settings)
        (wider, _), *_ = searched_by(twice_as_many_kept, settings)
        if right not in (longer, wider) and longer != wider:
            return settings


def of_several_lengths(rng, beam_size, marks, ids):
    """Settings for which a search finds hypotheses of several lengths; at least one of them ends. And of two it would
    hand in one half done if it stopped as soon as two have ended.
    """
    while True:
        settings = drawn(rng, (marks, CUT), ids=ids, max_len=6, more=[beam_size])
        found = hypotheses(settings)
        ended = [ids[-1] == settings["ids"]["eos"] for ids, _ in found]
        if len({len(ids) for ids, _ in found}) > 1 and any(ended) and not ended[0]:
            stopped = searched_by(stops_half_done_when_as_many_have_ended, settings)
            if beam_size > 2 or any(settings["ids"]["eos"] not in ids and len(ids) < 6 for ids, _ in stopped):
                return settings


def hypotheses(settings):
    return LESSON.reference("beam_search")(*arguments(settings), **settings["options"])


def searched_by(kind, settings):
    """What a wrong variation of `Beam` finds."""
    return kind(*arguments(settings), **settings["options"]).run()


def arguments(settings):
    ids, (beam_size,) = settings["ids"], settings["more"]
    return model_of(settings), settings["src"], ids["bos"], ids["eos"], settings["max_len"], beam_size


class Beam:
    """Right beam search in steps, each of which a mistake may replace."""

    def __init__(self, model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
        self.model, self.src_ids, self.bos_id, self.eos_id, self.max_len = model, src_ids, bos_id, eos_id, max_len
        self.beam_size, self.power = beam_size, length_penalty

    def log_p(self, alive, memory):
        """`(len(alive), vocab)`"""
        many = len(alive)
        tgt_ids = torch.tensor([ids for ids, _ in alive])
        hidden = self.model.decode(tgt_ids, memory.expand(many, -1, -1), self.src_ids.expand(many, -1))
        return self.of_logits(self.model.generator(hidden[:, -1]))

    def of_logits(self, logits):
        return torch.log_softmax(logits, dim=-1)

    def added(self, log_p, alive):
        return log_p + torch.tensor([[total] for _, total in alive])

    def best(self, totals):
        """Places of the flat totals."""
        return totals.flatten().topk(min(self.beam_size, totals.numel())).indices.tolist()

    def continued(self, alive, totals):
        flat, vocab = totals.flatten(), totals.shape[1]
        return [([*alive[place // vocab][0], place % vocab], flat[place].item()) for place in self.best(totals)]

    def parted(self, pairs):
        """Those that have ended, and the others."""
        return [pair for pair in pairs if pair[0][-1] == self.eos_id], [pair for pair in pairs if pair[0][-1] != self.eos_id]

    def is_over(self, alive, finished):
        return not alive or len(alive[0][0]) >= self.max_len

    def length(self, ids):
        return len(ids) - 1

    def score(self, ids, total):
        return total / ((5 + self.length(ids)) / 6) ** self.power

    def competing(self, finished, alive):
        return finished + alive

    def ordered(self, scored):
        return sorted(scored, key=lambda pair: pair[1], reverse=True)

    def begin(self):
        return [([self.bos_id], 0.0)]

    def loop(self):
        memory = self.model.encode(self.src_ids)
        alive, finished = self.begin(), []
        while not self.is_over(alive, finished):
            ended, alive = self.parted(self.continued(alive, self.added(self.log_p(alive, memory), alive)))
            finished = finished + ended
        scored = [(ids, self.score(ids, total)) for ids, total in self.competing(finished, alive)]
        return self.result(self.ordered(scored))

    def result(self, pairs):
        return pairs[: self.beam_size]

    def run(self):
        mode = self.model.training
        self.model.eval()
        with torch.no_grad():
            found = self.loop()
        self.model.train(mode)
        return found


def beam_mistake(hint):
    """Registers a variation of `Beam` under its class's name."""

    def register(kind):
        def wrong(model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
            return kind(model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty).run()

        wrong.__name__ = kind.__name__
        beam_search.mistake(hint)(wrong)
        return kind

    return register


# ------------------------------------------------------------------------ ... mistakes: what is summed


@beam_mistake("Logits are summed as they are. They are no logarithms of probabilities before `log_softmax` has made them so.")
class logits_summed(Beam):
    def of_logits(self, logits):
        return logits


@beam_mistake("Probabilities are summed. It is their logarithms that are summed, as the probabilities themselves are multiplied.")
class probabilities_summed(Beam):
    def of_logits(self, logits):
        return torch.softmax(logits, dim=-1)


@beam_mistake("The score is made of the product of the probabilities. It is made of the sum of their logarithms: no `exp` is needed.")
class product_in_the_place_of_the_sum_of_logarithms(Beam):
    def of_logits(self, logits):
        return torch.softmax(logits, dim=-1)

    def added(self, log_p, alive):
        return log_p * torch.tensor([[total] for _, total in alive])

    def begin(self):
        return [([self.bos_id], 1.0)]


@beam_mistake("The sums are of the negative logarithm, so that the least probable beginnings have the largest ones. Look at the sign.")
class sign_turned(Beam):
    def of_logits(self, logits):
        return -super().of_logits(logits)


@beam_mistake("The softmax is taken over the hypotheses. Each hypothesis has its own probabilities: over the words, the last axis.")
class softmax_over_the_hypotheses(Beam):
    def of_logits(self, logits):
        return torch.log_softmax(logits, dim=0)


@beam_mistake("Only the last word's log-probability counts. A hypothesis carries the sum of all its words along.")
class last_word_alone_counts(Beam):
    def added(self, log_p, alive):
        return log_p


@beam_mistake("The decoder gets the last id alone, so it has forgotten the beginning. It needs all ids of a hypothesis.")
class last_id_alone_goes_in(Beam):
    def log_p(self, alive, memory):
        return super().log_p([(ids[-1:], total) for ids, total in alive], memory)


@beam_mistake("You read what the first position predicts. The next word is predicted at the last position.")
class first_position_is_read(Beam):
    def log_p(self, alive, memory):
        many = len(alive)
        tgt_ids = torch.tensor([ids for ids, _ in alive])
        hidden = self.model.decode(tgt_ids, memory.expand(many, -1, -1), self.src_ids.expand(many, -1))
        return self.of_logits(self.model.generator(hidden[:, 0]))


# ----------------------------------------------------------------------- ... mistakes: what is followed


@beam_mistake("What comes back as the best is what greedy decoding says, whatever beam_size is. Keep the beam_size best continuations at each step, and go on while there are any.")
class beam_of_one_always(Beam):
    def best(self, totals):
        return super().best(totals)[:1]


@beam_mistake("The hypotheses are not cut to beam_size while the search goes on, so that each step multiplies their number. To cut the list at the end is too late.")
class each_keeps_as_many_as_the_beam(Beam):
    def best(self, totals):
        places = torch.arange(totals.numel()).view_as(totals)
        kept = totals.topk(min(self.beam_size, totals.shape[1])).indices
        return places.gather(1, kept).flatten().tolist()


@beam_mistake("All continuations are kept while the search goes on: each step multiplies their number by the size of the vocabulary. Only beam_size of them are followed.")
class all_continuations_kept(Beam):
    def best(self, totals):
        return totals.flatten().argsort(descending=True).tolist()


@beam_mistake("More than beam_size continuations are kept at a step: twice as many. Cut them to beam_size before those that end are set aside.")
class twice_as_many_kept(Beam):
    def best(self, totals):
        return totals.flatten().topk(min(2 * self.beam_size, totals.numel())).indices.tolist()


@beam_mistake("Each hypothesis is continued by its own best word only. All continuations of all hypotheses compete for the places in the beam.")
class each_continued_by_its_best_word(Beam):
    def continued(self, alive, totals):
        if len(alive) == 1:  # else there would be one for ever
            return super().continued(alive, totals)
        best = totals.max(dim=1)
        return [([*ids, word], total) for (ids, _), word, total in zip(alive, best.indices.tolist(), best.values.tolist())]


@beam_mistake("Only the best hypothesis is continued at each step. All of them are: `p // vocab` tells whose continuation a place is.")
class best_one_alone_continued(Beam):
    def continued(self, alive, totals):
        return super().continued(alive[:1], totals[:1])


@beam_mistake("Continuations that end take no place in the beam, so that others come in behind them. The beam_size best are kept first; then those that end are set aside.")
class ended_ones_take_no_place(Beam):
    def continued(self, alive, totals):
        flat, vocab, kept, going = totals.flatten(), totals.shape[1], [], 0
        for place in flat.argsort(descending=True).tolist():
            if going == self.beam_size:
                break
            kept.append(([*alive[place // vocab][0], place % vocab], flat[place].item()))
            going += place % vocab != self.eos_id
        return kept


@beam_mistake("The beam begins with BOS several times, so that all hypotheses stay alike. Begin with one: `[bos_id]`.")
class begins_with_copies(Beam):
    def begin(self):
        return [([self.bos_id], 0.0)] * self.beam_size


@beam_mistake("`topk` is asked for more words than there are: a beam may be wider than the vocabulary. Take the smaller of the two numbers.")
class topk_of_more_words_than_there_are(Beam):
    def best(self, totals):
        return totals.flatten().topk(self.beam_size).indices.tolist()


@beam_mistake("Hypothesis and word are taken from the flat place with the wrong number: divide by the size of the vocabulary, not by the number of hypotheses.")
class place_divided_by_the_number_of_hypotheses(Beam):
    def continued(self, alive, totals):
        flat, many = totals.flatten(), len(alive)
        pairs = [(place % many, place // many, flat[place].item()) for place in self.best(totals)]
        return [([*alive[which][0], word], total) for which, word, total in pairs]


@beam_mistake("Hypothesis and word are in each other's place. Of a flat place, the quotient by the size of the vocabulary tells which row it is in, the remainder which column.")
class hypothesis_and_word_swapped(Beam):
    def continued(self, alive, totals):
        flat, vocab = totals.flatten(), totals.shape[1]
        return [([*alive[place % vocab][0], place // vocab], flat[place].item()) for place in self.best(totals)]


@beam_mistake("Rows and words are in each other's place. Of a flat place, the quotient by the size of the vocabulary tells which row it is in, the remainder which column.")
class rows_and_words_swapped(Beam):
    def continued(self, alive, totals):
        flat, vocab, ids = totals.flatten(), totals.shape[1], torch.tensor([ids for ids, _ in alive])
        best = torch.tensor(self.best(totals))
        longer = torch.cat([ids[best % vocab], (best // vocab)[:, None]], dim=1)
        return list(zip(longer.tolist(), flat[best].tolist()))


@beam_mistake("The continuations of a hypothesis share one list, and `append` changes it for all who hold it. Each continuation needs a list of its own.")
class one_list_for_all_continuations(Beam):
    def loop(self):
        memory = self.model.encode(self.src_ids)
        alive, finished = self.begin(), []
        for _ in range(self.max_len - 1):
            totals, going = self.added(self.log_p(alive, memory), alive), []
            for place in self.best(totals):
                ids, word = alive[place // totals.shape[1]][0], place % totals.shape[1]
                ids.append(word)
                (finished if word == self.eos_id else going).append((ids, totals.flatten()[place].item()))
            alive = going
            if not alive:
                break
        return self.result(self.ordered([(ids, self.score(ids, total)) for ids, total in finished + alive]))


@beam_mistake("A word goes behind another hypothesis than the one it was found for: the ids are not put into the order of the new totals. Take each one's own beginning along.")
class beginnings_not_reordered(Beam):
    def continued(self, alive, totals):
        found = super().continued(alive, totals)
        return [([*alive[min(place, len(alive) - 1)][0], ids[-1]], total) for place, (ids, total) in enumerate(found)]


@beam_mistake("Hypotheses that have ended go on, with words behind their EOS. Set them aside.")
class finished_ones_go_on(Beam):
    def parted(self, pairs):
        return [], pairs


@beam_mistake("Hypotheses that have ended are thrown away. Keep them: they compete at the end.")
class finished_ones_thrown_away(Beam):
    def competing(self, finished, alive):
        return alive or finished


@beam_mistake("The search stops as soon as one hypothesis has ended, so that the shortest wins. Others may become better: go on while there are any.")
class stops_at_the_first_end(Beam):
    def is_over(self, alive, finished):
        return bool(finished) or super().is_over(alive, finished)

    def competing(self, finished, alive):
        return finished or alive


@beam_mistake("The search stops as soon as one hypothesis has ended, and those that have not are handed in half done. Go on while there are any.")
class stops_half_done(Beam):
    def is_over(self, alive, finished):
        return bool(finished) or super().is_over(alive, finished)


@beam_mistake("The search stops when beam_size hypotheses have ended, and those that have not are handed in half done. Go on while there are any.")
class stops_half_done_when_as_many_have_ended(Beam):
    def is_over(self, alive, finished):
        return len(finished) >= self.beam_size or super().is_over(alive, finished)


@beam_mistake("The search stops when a finished hypothesis is ahead of those that go on, and these are handed in half done. With the length penalty they may still win: go on while there are any.")
class stops_when_a_finished_one_leads(Beam):
    def is_over(self, alive, finished):
        leads = finished and alive and max(total for _, total in finished) >= alive[0][1]
        return bool(leads) or super().is_over(alive, finished)


@beam_mistake("When all hypotheses have ended, the search goes on with none: an empty batch reaches the decoder. Look whether any is left.")
class goes_on_with_none(Beam):
    def loop(self):
        memory = self.model.encode(self.src_ids)
        alive, finished = self.begin(), []
        for _ in range(self.max_len - 1):
            ended, alive = self.parted(self.continued(alive, self.added(self.log_p(alive, memory), alive)))
            finished = finished + ended
        return self.result(self.ordered([(ids, self.score(ids, total)) for ids, total in finished + alive]))


@beam_mistake("EOS is not looked for: everything goes on up to max_len.")
class end_not_looked_for(Beam):
    def parted(self, pairs):
        return [], pairs

    def length(self, ids):
        return ids.index(self.eos_id) if self.eos_id in ids else len(ids) - 1


@beam_mistake("A hypothesis that has not ended at max_len is dropped. It counts as it is.")
class unfinished_ones_dropped(Beam):
    def competing(self, finished, alive):
        return finished


@beam_mistake("Those that have not ended are dropped when others have. Let them go on up to max_len; there they compete as they are.")
class unfinished_ones_dropped_for_finished_ones(Beam):
    def competing(self, finished, alive):
        return finished or alive


@beam_mistake("One id more than max_len may come out. BOS counts too.")
class max_len_does_not_count_bos(Beam):
    def is_over(self, alive, finished):
        return not alive or len(alive[0][0]) > self.max_len


@beam_mistake("You stop one id before max_len.")
class stops_one_id_early(Beam):
    def is_over(self, alive, finished):
        return not alive or len(alive[0][0]) >= self.max_len - 1


@beam_mistake("Every hypothesis begins with 1 and ends at 2, whatever `bos_id` and `eos_id` are.")
class bos_and_eos_taken_for_granted(Beam):
    def __init__(self, model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
        super().__init__(model, src_ids, 1, 2, max_len, beam_size, length_penalty)


@beam_mistake("Every hypothesis begins with 1, whatever `bos_id` is.")
class bos_always_1(Beam):
    def __init__(self, model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
        super().__init__(model, src_ids, 1, eos_id, max_len, beam_size, length_penalty)


@beam_mistake("Every hypothesis ends at 2, whatever `eos_id` is.")
class eos_always_2(Beam):
    def __init__(self, model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
        super().__init__(model, src_ids, bos_id, 2, max_len, beam_size, length_penalty)


# ------------------------------------------------------------------------ ... mistakes: how it is scored


@beam_mistake("BOS is counted in the length. L is the number of ids after it.")
class length_counts_bos(Beam):
    def length(self, ids):
        return len(ids)


@beam_mistake("EOS is not counted in the length. L is the number of all ids after BOS.")
class length_without_eos(Beam):
    def length(self, ids):
        return len(ids) - 1 - (ids[-1] == self.eos_id)


@beam_mistake("The sum is returned without its length penalty. Divide it by ((5 + L) / 6) ** length_penalty.")
class no_length_penalty(Beam):
    def score(self, ids, total):
        return total


@beam_mistake("The power is left out: you divide by (5 + L) / 6, whatever length_penalty is.")
class power_left_out(Beam):
    def score(self, ids, total):
        return total / ((5 + self.length(ids)) / 6)


@beam_mistake("The power is 0.6, whatever length_penalty is.")
class power_always_the_same(Beam):
    def score(self, ids, total):
        return total / ((5 + self.length(ids)) / 6) ** 0.6


@beam_mistake("The sum is multiplied by the penalty. As sums are negative, that punishes long sentences twice. Divide.")
class multiplied_by_the_penalty(Beam):
    def score(self, ids, total):
        return total * ((5 + self.length(ids)) / 6) ** self.power


@beam_mistake("You divide by L ** length_penalty. It is ((5 + L) / 6) ** length_penalty.")
class divided_by_a_power_of_the_length(Beam):
    def score(self, ids, total):
        return total / self.length(ids) ** self.power


@beam_mistake("You divide by the mean length, L, whatever length_penalty is. It is ((5 + L) / 6) ** length_penalty.")
class divided_by_the_length(Beam):
    def score(self, ids, total):
        return total / self.length(ids)


@beam_mistake("The 6 is left out, or stands outside: it is ((5 + L) / 6) ** length_penalty, the power over the whole fraction.")
class power_of_the_numerator_alone(Beam):
    def score(self, ids, total):
        return total / ((5 + self.length(ids)) ** self.power / 6)


@beam_mistake("You divide by (5 + L / 6) ** length_penalty: a pair of brackets is missing around 5 + L.")
class brackets_missing(Beam):
    def score(self, ids, total):
        return total / (5 + self.length(ids) / 6) ** self.power


@beam_mistake("Hypotheses that have not ended are not divided by the penalty, so that they compete with the others on other terms.")
class unfinished_ones_without_penalty(Beam):
    def score(self, ids, total):
        return super().score(ids, total) if ids[-1] == self.eos_id else total


@beam_mistake("The score comes back as a probability. It stays a sum of logarithms, divided by the penalty: there is no `exp` in it.")
class exp_of_the_score(Beam):
    def score(self, ids, total):
        return math.exp(super().score(ids, total))


@beam_mistake("The score is the probability of the whole sentence. It is the sum of the logarithms, without `exp`, divided by the length penalty.")
class probability_of_the_sentence(Beam):
    def score(self, ids, total):
        return math.exp(total)


@beam_mistake("The sum that is divided by the penalty goes on as the total, so that it is divided again and again. Divide once, at the end.")
class divided_at_every_step(Beam):
    def continued(self, alive, totals):
        return [(ids, super(divided_at_every_step, self).score(ids, total)) for ids, total in super().continued(alive, totals)]

    def score(self, ids, total):
        return total


# ------------------------------------------------------------------------- ... mistakes: what comes back


@beam_mistake("The worst comes first. Scores are negative: the best is the largest, the one nearest to 0.")
class worst_first(Beam):
    def ordered(self, scored):
        return sorted(scored, key=lambda pair: pair[1])

    def loop(self):
        memory = self.model.encode(self.src_ids)
        alive, finished = self.begin(), []
        while not self.is_over(alive, finished):
            ended, alive = self.parted(self.continued(alive, self.added(self.log_p(alive, memory), alive)))
            finished = finished + ended
        scored = [(ids, self.score(ids, total)) for ids, total in self.competing(finished, alive)]
        return self.ordered(super().ordered(scored)[: self.beam_size])


@beam_mistake("The hypotheses are in the order in which they ended. Sort them by their scores, the largest first.")
class not_sorted(Beam):
    def ordered(self, scored):
        return scored


@beam_mistake("They are sorted by their sums, before the length penalty is applied. The scores decide.")
class sorted_before_the_penalty(Beam):
    def ordered(self, scored):
        undone = sorted(scored, key=lambda pair: pair[1] * ((5 + self.length(pair[0])) / 6) ** self.power, reverse=True)
        return undone


@beam_mistake("More hypotheses than beam_size come back. Cut the list.")
class more_than_beam_size(Beam):
    def result(self, pairs):
        return pairs


@beam_mistake("Only the best hypothesis comes back, not in a list. The result is a list of pairs (ids, score).")
class best_alone_returned(Beam):
    def result(self, pairs):
        return pairs[0]


@beam_mistake("Score and ids are in each other's place: the pairs are (ids, score).")
class score_first(Beam):
    def result(self, pairs):
        return [(score, ids) for ids, score in super().result(pairs)]


@beam_mistake("The ids come back without their scores. The result is a list of pairs (ids, score).")
class ids_without_scores(Beam):
    def result(self, pairs):
        return [ids for ids, _ in super().result(pairs)]


@beam_mistake("The ids come back as tensors. They are lists of ints: `.tolist()`.")
class ids_as_tensors(Beam):
    def result(self, pairs):
        return [(torch.tensor(ids), score) for ids, score in super().result(pairs)]


@beam_mistake("BOS is cut off. It belongs to the ids.")
class bos_cut_off(Beam):
    def result(self, pairs):
        return [(ids[1:], score) for ids, score in super().result(pairs)]


@beam_mistake("EOS is cut off. It belongs to the ids.")
class eos_cut_off(Beam):
    def result(self, pairs):
        return [(ids[:-1] if ids[-1] == self.eos_id else ids, score) for ids, score in super().result(pairs)]


@beam_mistake("A hypothesis that ends is set aside without its EOS, which belongs to the ids and counts in their length.")
class set_aside_without_eos(Beam):
    def parted(self, pairs):
        ended, others = super().parted(pairs)
        return [(ids[:-1], total) for ids, total in ended], others


@beam_mistake("The ids are numbers of PyTorch or NumPy, all or some of them. They are plain ints: `.item()` of one, `.tolist()` of many.")
class ids_left_in_tensors(Beam):
    def result(self, pairs):
        return [([ids[0], *torch.tensor(ids[1:])], score) for ids, score in super().result(pairs)]


# --------------------------------------------------------------------------- ... mistakes: mode, gradients


@beam_mistake("Dropout is active while you decode. Put the model into evaluation mode first: `model.eval()`.")
class dropout_active(Beam):
    def run(self):
        with torch.no_grad():
            return self.loop()


@beam_mistake("The model stays in evaluation mode, whatever its mode was before. Note `model.training` first, and put it back at the end.")
class mode_not_put_back(Beam):
    def run(self):
        self.model.eval()
        with torch.no_grad():
            return self.loop()


@beam_mistake("The model is in training mode afterwards, even if it was not before. Note `model.training` first, and put that back.")
class training_mode_afterwards(Beam):
    def run(self):
        self.model.eval()
        with torch.no_grad():
            found = self.loop()
        self.model.train()
        return found


@beam_mistake("Gradients are recorded at every step, which costs time and memory. Search under `torch.no_grad()`.")
class gradients_on(Beam):
    def run(self):
        mode = self.model.training
        self.model.eval()
        found = self.loop()
        self.model.train(mode)
        return found


# ---------------------------------------------------------------------------------- CachedAttention


@LESSON.exercise(
    aspects={"values": 2, "members": 1, "cache": 1, "work": 1, "dtype and device": 1},
    refuse=("F.scaled_dot_product_attention", "nn.MultiheadAttention"),
)
def CachedAttention(rng):
    def numbers(*shape):
        return torch.from_numpy(rng.normal(size=shape).astype("float32"))

    def ask(aspect, says, build, *inputs, **options):
        return ModuleCase(aspect, says, build, inputs, seed=int(rng.integers(2**31)), **options)

    def past(batch, n_heads, n_past, d_head):
        return numbers(batch, n_heads, n_past, d_head), numbers(batch, n_heads, n_past, d_head)

    yield ask("values", "one position, without a cache", (4, 2), numbers(3, 1, 4), ask="steps")
    yield ask("values", "three positions, one after another", (6, 2), numbers(2, 3, 6), ask="steps")
    yield ask("values", "one position behind three others", (4, 2), numbers(2, 1, 4), *past(2, 2, 3, 2), ask="steps")
    yield ask("values", "five positions, three heads", (6, 3), numbers(4, 5, 6), ask="steps", hidden=True)
    yield ask("values", "two positions behind two others", (8, 2), numbers(3, 2, 8), *past(3, 2, 2, 4), ask="steps", hidden=True)
    yield ask("members", "names and shapes of the parameters", (4, 2), ask="parameters")
    yield ask("members", "names and shapes for other sizes", (6, 3), ask="parameters", hidden=True)
    yield ask("cache", "two positions that continue the same cache", (4, 2), numbers(2, 4, 4), ask="branches")
    yield ask("cache", "two positions that continue the same longer cache", (6, 3), numbers(1, 6, 6), ask="branches", hidden=True)
    yield ask("cache", "the same call twice, with other numbers between", (4, 2), numbers(2, 1, 4), ask="again", hidden=True)
    lengths = {"lengths": [8, 16, 32], "n_heads": 2}
    says = "the work of one step, by the number of positions before it"
    otherwise = "it grows faster than the number of positions: compute query, key and value of the new position only"
    yield ask("work", says, (4, 2), numbers(1, 1, 4), ask="work_by_length", otherwise=otherwise, **lengths)
    yield ask("dtype and device", "the dtypes of the results, for float32 and float64", (4, 2), numbers(2, 1, 4), ask="dtypes")
    yield ask("dtype and device", "all tensors on one device", (4, 2), numbers(2, 1, 4), ask="elsewhere")


class Cached(nn.Module):
    """Right attention with a cache in steps, each of which a mistake may replace."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.w_q, self.w_k = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.w_v, self.w_o = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.n_heads = n_heads

    def split(self, x):
        """`(batch, n, d_model)` -> `(batch, n_heads, n, d_head)`"""
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)

    def merged(self, x):
        return x.transpose(1, 2).flatten(2)

    def grown(self, old, new):
        return torch.cat([old, new], dim=2)

    def with_past(self, cache, k, v):
        return (k, v) if cache is None else (self.grown(cache[0], k), self.grown(cache[1], v))

    def weights(self, q, k):
        return torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)

    def kept(self, cache, k, v):
        """The new cache."""
        return self.with_past(cache, k, v)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.w_q(x)), self.split(self.w_k(x)), self.split(self.w_v(x))
        keys, values = self.with_past(cache, k, v)
        return self.w_o(self.merged(self.weights(q, keys) @ values)), self.kept(cache, k, v)


# ----------------------------------------------------------------------------- ... mistakes: the cache


@CachedAttention.mistake("The new position looks at itself alone: the cache is never used. Put the old keys and values in front of the new ones.")
class past_not_looked_at(Cached):
    def forward(self, x, cache=None):
        q, k, v = self.split(self.w_q(x)), self.split(self.w_k(x)), self.split(self.w_v(x))
        return self.w_o(self.merged(self.weights(q, k) @ v)), self.kept(cache, k, v)


@CachedAttention.mistake("The cache is neither used nor continued: each call begins anew. Put the old keys and values in front of the new ones.")
class every_call_begins_anew(Cached):
    def with_past(self, cache, k, v):
        return k, v


@CachedAttention.mistake("The new position does not look at itself: it needs its own key and value as well as those of the cache.")
class does_not_look_at_itself(Cached):
    def forward(self, x, cache=None):
        q, k, v = self.split(self.w_q(x)), self.split(self.w_k(x)), self.split(self.w_v(x))
        keys, values = (k, v) if cache is None else cache
        return self.w_o(self.merged(self.weights(q, keys) @ values)), self.kept(cache, k, v)


@CachedAttention.mistake("You return the cache that you were given. Return the one with the new key and value in it, one position longer.")
class old_cache_returned(Cached):
    def kept(self, cache, k, v):
        return (k, v) if cache is None else cache


@CachedAttention.mistake("You return key and value of the new position alone. Return those of all positions, one more than were given.")
class new_position_alone_returned(Cached):
    def kept(self, cache, k, v):
        return k, v


@CachedAttention.mistake("Keys and values are returned in each other's place: the cache is `(keys, values)`.")
class values_before_keys(Cached):
    def kept(self, cache, k, v):
        return self.with_past(cache, k, v)[::-1]


@CachedAttention.mistake("The new key and value are put in front of the old ones. Positions stand in the order of the words: the new one comes last.")
class new_position_in_front(Cached):
    def grown(self, old, new):
        return torch.cat([new, old], dim=2)


@CachedAttention.mistake("The new key is put in front of the old ones, the new value behind. A weight must find the value that belongs to its key: the new ones come last, both.")
class new_key_in_front(Cached):
    def with_past(self, cache, k, v):
        return (k, v) if cache is None else (self.grown(k, cache[0]), self.grown(cache[1], v))


@CachedAttention.mistake("The new value is put in front of the old ones, the new key behind. A weight must find the value that belongs to its key: the new ones come last, both.")
class new_value_in_front(Cached):
    def with_past(self, cache, k, v):
        return (k, v) if cache is None else (self.grown(cache[0], k), self.grown(v, cache[1]))


@CachedAttention.mistake("The new key is appended along the axis of heads. Positions are on axis 2: `(batch, n_heads, n, d_head)`.")
class appended_along_the_heads(Cached):
    def grown(self, old, new):
        return torch.cat([old, new], dim=1)


@CachedAttention.mistake("The new key is appended along the axis of features. Positions are on axis 2: `(batch, n_heads, n, d_head)`.")
class appended_along_the_features(Cached):
    def grown(self, old, new):
        return torch.cat([old, new], dim=-1)


@CachedAttention.mistake("The new key is appended along the axis of the batch. Positions are on axis 2: `(batch, n_heads, n, d_head)`.")
class appended_along_the_batch(Cached):
    def grown(self, old, new):
        return torch.cat([old, new], dim=0)


@CachedAttention.mistake("The new key is added to the old ones. It stands behind them: `torch.cat`.")
class added_to_the_old_ones(Cached):
    def grown(self, old, new):
        return old + new


@CachedAttention.mistake("The new key and value take the place of the last ones, so that the cache never grows. Append them.")
class last_position_overwritten(Cached):
    def grown(self, old, new):
        return torch.cat([old[:, :, :-1], new], dim=2)


@CachedAttention.mistake("Keys grow, values do not. Both need the past.")
class values_without_their_past(Cached):
    def with_past(self, cache, k, v):
        return (k, v) if cache is None else (self.grown(cache[0], k), v)


@CachedAttention.mistake("The cached keys are taken for values too: `cache[0]` holds keys, `cache[1]` values.")
class cached_keys_for_values(Cached):
    def with_past(self, cache, k, v):
        return (k, v) if cache is None else (self.grown(cache[0], k), self.grown(cache[0], v))


@CachedAttention.mistake("What is in the cache is projected by w_k and w_v once more. It has been through them already: the cache holds keys and values.")
class cache_projected_again(Cached):
    def with_past(self, cache, k, v):
        if cache is None:
            return k, v
        keys, values = (self.split(layer(self.merged(one))) for layer, one in zip((self.w_k, self.w_v), cache))
        return self.grown(keys, k), self.grown(values, v)


@CachedAttention.mistake("The keys in the cache are projected by w_k once more. They have been through it already: the cache holds keys.")
class cached_keys_projected_again(Cached):
    def with_past(self, cache, k, v):
        if cache is None:
            return k, v
        return self.grown(self.split(self.w_k(self.merged(cache[0]))), k), self.grown(cache[1], v)


@CachedAttention.mistake("The cache lives in the module, and the one that is handed in is not looked at. Two hypotheses that continue the same beginning then disturb each other.")
class cache_kept_in_the_module(Cached):
    own = None

    def forward(self, x, cache=None):
        output, self.own = super().forward(x, None if cache is None else self.own)
        return output, self.own


@CachedAttention.mistake("The given cache is changed: a list that grows is shared by all who hold it. Make new tensors: `torch.cat`.")
class given_cache_changed(Cached):
    def with_past(self, cache, k, v):
        if cache is None:
            return [k, v]
        for old, new in zip(cache, (k, v)):
            if old.shape[2] > 1:  # as with room that was made before: written into the last place
                old[:, :, -1] = new[:, :, 0]
        return [self.grown(cache[0], k), self.grown(cache[1], v)]


@CachedAttention.mistake("Keys are in the cache before they are split into heads. Its parts are `(batch, n_heads, n, d_head)`.")
class cache_without_heads(Cached):
    def kept(self, cache, k, v):
        return tuple(self.merged(one) for one in self.with_past(cache, k, v))

    def with_past(self, cache, k, v):
        return super().with_past(cache and tuple(self.split(one) if one.ndim == 3 else one for one in cache), k, v)


@CachedAttention.mistake("The vectors x are in the cache, and keys and values of all of them are made anew at every step. Keep what w_k and w_v have made.")
class vectors_kept_in_the_place_of_keys(Cached):
    def forward(self, x, cache=None):
        past = x if cache is None else torch.cat([cache[0], x], dim=1)
        q, k, v = self.split(self.w_q(x)), self.split(self.w_k(past)), self.split(self.w_v(past))
        return self.w_o(self.merged(self.weights(q, k) @ v)), (past, past)


@CachedAttention.mistake("The result comes back without the cache. Return both: the output, and the pair of keys and values.")
class output_alone_returned(Cached):
    def forward(self, x, cache=None):
        return super().forward(x, cache)[0]


@CachedAttention.mistake("Three things come back: output, keys, values. It is two: the output, and the cache, which is a pair.")
class three_results_returned(Cached):
    def forward(self, x, cache=None):
        output, (keys, values) = super().forward(x, cache)
        return output, keys, values


# ------------------------------------------------------------------------- ... mistakes: the attention


@CachedAttention.mistake("The scores are not divided by the root of d_head.")
class scores_not_scaled(Cached):
    def weights(self, q, k):
        return torch.softmax(q @ k.transpose(-1, -2), dim=-1)


@CachedAttention.mistake("The scores are divided by the root of d_model. A head has d_head features: that is the number.")
class scaled_by_the_root_of_d_model(Cached):
    def weights(self, q, k):
        return torch.softmax(q @ k.transpose(-1, -2) / (q.shape[-1] * self.n_heads) ** 0.5, dim=-1)


@CachedAttention.mistake("The scores are divided by d_head itself. It is the root of it.")
class scaled_by_d_head(Cached):
    def weights(self, q, k):
        return torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1], dim=-1)


@CachedAttention.mistake("The scores are divided by the root of the number of positions. It is the root of d_head, the last axis of q.")
class scaled_by_the_number_of_positions(Cached):
    def weights(self, q, k):
        return torch.softmax(q @ k.transpose(-1, -2) / k.shape[-2] ** 0.5, dim=-1)


@CachedAttention.mistake("The softmax goes over the axis of queries, of which there is one, so that every weight is 1. It goes over the keys: the last axis.")
class softmax_over_the_query(Cached):
    def weights(self, q, k):
        return torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-2)


@CachedAttention.mistake("There is no softmax: values are mixed by the scores as they are.")
class no_softmax(Cached):
    def weights(self, q, k):
        return q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5


@CachedAttention.mistake("A causal mask is made for one query, and its first row lets it see key 0 alone. All that is in the cache lies before: nothing is to be hidden.")
class causal_mask_for_a_single_query(Cached):
    def weights(self, q, k):
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        mask = torch.ones_like(scores[0, 0], dtype=torch.bool).tril()
        return torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)


@CachedAttention.mistake("Queries and keys of all positions are multiplied again, and one row of the result is used. The new position has one query.")
class all_positions_ask_again(Cached):
    def weights(self, q, k):
        queries = torch.cat([k[:, :, :-1], q], dim=2)
        return super().weights(queries, k)[:, :, -1:]


@CachedAttention.mistake("Keys are taken for values: the weights mix what w_v has made.")
class keys_are_mixed(Cached):
    def forward(self, x, cache=None):
        q, k, v = self.split(self.w_q(x)), self.split(self.w_k(x)), self.split(self.w_v(x))
        keys, _ = self.with_past(cache, k, v)
        return self.w_o(self.merged(self.weights(q, keys) @ keys)), self.kept(cache, k, v)


@CachedAttention.mistake("Keys are made by w_q. They have a layer of their own: w_k.")
class keys_made_by_w_q(Cached):
    def forward(self, x, cache=None):
        q, k, v = self.split(self.w_q(x)), self.split(self.w_q(x)), self.split(self.w_v(x))
        keys, values = self.with_past(cache, k, v)
        return self.w_o(self.merged(self.weights(q, keys) @ values)), self.kept(cache, k, v)


@CachedAttention.mistake("The vector itself asks: it has to go through w_q first.")
class w_q_left_out(Cached):
    def forward(self, x, cache=None):
        q, k, v = self.split(x), self.split(self.w_k(x)), self.split(self.w_v(x))
        keys, values = self.with_past(cache, k, v)
        return self.w_o(self.merged(self.weights(q, keys) @ values)), self.kept(cache, k, v)


@CachedAttention.mistake("The heads are merged, but not sent through w_o.")
class w_o_left_out(Cached):
    def forward(self, x, cache=None):
        q, k, v = self.split(self.w_q(x)), self.split(self.w_k(x)), self.split(self.w_v(x))
        keys, values = self.with_past(cache, k, v)
        return self.merged(self.weights(q, keys) @ values), self.kept(cache, k, v)


@CachedAttention.mistake("Features are dealt out to the heads like cards: neighbours belong to one head. `(n_heads, d_head)`, in this order.")
class features_dealt_out(Cached):
    def split(self, x):
        return x.unflatten(-1, (-1, self.n_heads)).permute(0, 3, 1, 2)


@CachedAttention.mistake("There is one head, whatever n_heads is. Split into heads: `(batch, n_heads, n, d_head)`.")
class one_head_only(Cached):
    def __init__(self, d_model, n_heads):
        super().__init__(d_model, 1)


@CachedAttention.mistake("The output has lost its axis of positions: it is `(batch, 1, d_model)`, as x is.")
class axis_of_positions_lost(Cached):
    def forward(self, x, cache=None):
        output, cache = super().forward(x, cache)
        return output[:, 0], cache


@CachedAttention.mistake("The linear layers have no bias. Those of `MultiHeadAttention` have one.")
class layers_without_bias(Cached):
    def __init__(self, d_model, n_heads):
        super().__init__(d_model, n_heads)
        for name in ("w_q", "w_k", "w_v", "w_o"):
            setattr(self, name, nn.Linear(d_model, d_model, bias=False))


@CachedAttention.mistake("The layers have other names. The weights of a `MultiHeadAttention` are to fit: `w_q`, `w_k`, `w_v`, `w_o`.")
class layers_with_other_names(Cached):
    def __init__(self, d_model, n_heads):
        nn.Module.__init__(self)
        self.query, self.key = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.value, self.output = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)


@CachedAttention.mistake("An empty cache is made on the CPU, wherever x lies. Make it with `device=x.device`, or do without one.")
class empty_cache_on_the_cpu(Cached):
    def with_past(self, cache, k, v):
        if cache is None:
            cache = torch.zeros(*k.shape[:2], 0, k.shape[-1]), torch.zeros(*v.shape[:2], 0, v.shape[-1])
        return super().with_past(cache, k, v)


# ---------------------------------------------------------------------------------------- translate


LONG = (
    "Paul et Sophie n'ont pas regardé ces grands vélos la semaine dernière "
    "et Jane et Marie ne regardent pas leur vélo blanc en juin"
)


@LESSON.exercise(
    aspects={"sentences": 2, "other sentences": 1, "BLEU of 30": 1, "BLEU of 60": 1, "BLEU of 90": 1}, refuse=HELPERS
)
def translate(rng):
    pairs = test_pairs()

    def given(aspect, says, sentences, hidden=False):
        return Case(
            aspect, f"{says}, by a model that knows a dictionary only", {"seed": int(rng.integers(2**31)), "sentences": sentences},
            probe="word_for_word", hidden=hidden,
        )  # fmt: skip

    def some(count):
        chosen = [pairs[int(place)][0] for place in rng.choice(len(pairs), 40, replace=False)]
        return sorted(chosen, key=lambda text: -len(text.split()))[: count - 1][::-1] + [min(chosen, key=len)]

    yield given("sentences", "two sentences", ["Jane visite l'Afrique en septembre", "Paul aime sa voiture"])
    yield given("sentences", "three sentences", some(3), hidden=True)
    yield given("sentences", "a long sentence and a short one", [LONG, "Jane habite au Canada"])
    yield given("other sentences", "one sentence alone", [pairs[int(rng.integers(len(pairs)))][0]])
    yield given("other sentences", "a sentence with words that are not known", ["Jane visite la Lune", "Zoé adore Jane en mai"])
    yield given("other sentences", "five sentences", some(5), hidden=True)
    pairs = fresh_pairs(int(rng.integers(2**31)), 64)
    words, special = vocabularies()[1].words, len(SPECIAL)
    order = [*range(special), *(special + rng.permutation(len(words) - special)).tolist()]
    asked = {"sentences": [fr for fr, _ in pairs], "order": order}
    key = {"references": [en for _, en in pairs], "meant": {words[said]: words[meant] for said, meant in enumerate(order)}}
    for least in (30, 60, 90):
        facts = {"a list of texts, one for each sentence": True, f"BLEU of {least} or more": True}
        yield FilesCase(
            f"BLEU of {least}", f"{len(pairs)} sentences by your own weights", asked,
            probe="own_weights", reading="bleu", key=key | {"at_least": least}, facts=facts,
        )  # fmt: skip


class Interpreter:
    """A right translation in steps, each of which a mistake may replace."""

    max_len = 30

    def __init__(self):
        self.french, self.english = vocabularies()

    def ids(self, sentence):
        return self.french.ids(sentence)

    def together(self, rows):
        return padded(rows, self.french.pad_id)

    def said(self, model, src_ids):
        return LESSON.reference("greedy_decode")(
            model, src_ids, self.english.bos_id, self.english.eos_id, self.max_len
        ).tolist()

    def text(self, row):
        return self.english.sentence(row)

    def run(self, model, sentences):
        src_ids = self.together([self.ids(sentence) for sentence in sentences])
        return self.result([self.text(row) for row in self.said(model, src_ids)])

    def result(self, texts):
        return texts


def translate_mistake(hint):
    """Registers a variation of `Interpreter` under its class's name."""

    def register(kind):
        def wrong(model, sentences):
            return kind().run(model, sentences)

        wrong.__name__ = kind.__name__
        translate.mistake(hint)(wrong)
        return kind

    return register


# ------------------------------------------------------------------------------ ... mistakes: the source


@translate_mistake("The source begins with `<bos>` and ends with `<eos>`. In training French sentences had neither.")
class source_with_bos_and_eos(Interpreter):
    def ids(self, sentence):
        return [self.french.bos_id, *self.french.ids(sentence), self.french.eos_id]


@translate_mistake("The source ends with `<eos>`. In training French sentences did not.")
class source_with_eos(Interpreter):
    def ids(self, sentence):
        return [*self.french.ids(sentence), self.french.eos_id]


@translate_mistake("The source begins with `<bos>`. In training French sentences did not.")
class source_with_bos(Interpreter):
    def ids(self, sentence):
        return [self.french.bos_id, *self.french.ids(sentence)]


@translate_mistake("French words are looked up in the English vocabulary. `vocabularies()` gives French first.")
class source_by_the_english_vocabulary(Interpreter):
    def ids(self, sentence):
        return self.english.ids(sentence)


@translate_mistake("The two vocabularies are in each other's place: `french, english = vocabularies()`.")
class vocabularies_swapped(Interpreter):
    def __init__(self):
        self.english, self.french = vocabularies()


@translate_mistake("The padding stands in front of the words. It goes behind them: `padded` does it.")
class padding_in_front(Interpreter):
    def together(self, rows):
        longest = max(map(len, rows))
        return torch.tensor([[self.french.pad_id] * (longest - len(row)) + row for row in rows])


@translate_mistake("Longer sentences are cut to the length of the shortest. Shorter ones are padded to that of the longest.")
class cut_to_the_shortest(Interpreter):
    def together(self, rows):
        return torch.tensor([row[: min(map(len, rows))] for row in rows])


@translate_mistake("The sentences differ in length, and a tensor has rows of one length. Shorter ones need padding at their end: `padded` makes the tensor.")
class rows_of_different_lengths(Interpreter):
    def together(self, rows):
        return torch.tensor(rows)


@translate_mistake("The sentences differ in length, and only tensors of one length can be stacked. Shorter ones need padding at their end: `padded` makes the tensor.")
class rows_stacked_unpadded(Interpreter):
    def together(self, rows):
        return torch.stack([torch.tensor(row) for row in rows])


@translate_mistake("Short sentences are filled up with `<eos>`. They are filled up with padding, which nobody looks at.")
class filled_up_with_eos(Interpreter):
    def together(self, rows):
        return padded(rows, self.french.eos_id)


@translate_mistake("The sentences go to small letters first. The vocabulary tells *Jane* from *jane*.")
class small_letters(Interpreter):
    def ids(self, sentence):
        return self.french.ids(sentence.lower())


@translate_mistake("Words that are not known are left out. The vocabulary gives `<unk>` for them, and the model has learned to live with that.")
class unknown_words_left_out(Interpreter):
    def ids(self, sentence):
        return [place for place in self.french.ids(sentence) if place != self.french.unknown_id]


@translate_mistake("Words stand in reverse order. The model was trained with French sentences as they are.")
class words_reversed(Interpreter):
    def ids(self, sentence):
        return self.french.ids(sentence)[::-1]


# ---------------------------------------------------------------------------- ... mistakes: the translation


@translate_mistake("Special tokens are in the text: `<bos>`, `<eos>`, padding. `english.sentence(ids)` leaves them out.")
class special_tokens_in_the_text(Interpreter):
    def text(self, row):
        return " ".join(self.english.words[place] for place in row)


@translate_mistake("`<bos>` is left out, but `<eos>` and padding are in the text. `english.sentence(ids)` leaves all three out.")
class eos_in_the_text(Interpreter):
    def text(self, row):
        return " ".join(self.english.words[place] for place in row[1:])


@translate_mistake("English ids are made into words by the French vocabulary.")
class text_by_the_french_vocabulary(Interpreter):
    def text(self, row):
        return " ".join(self.french.words[place % len(self.french)] for place in row if place > self.english.eos_id)


@translate_mistake("Ids come back. Make text of them: `english.sentence(ids)`.")
class ids_in_the_place_of_texts(Interpreter):
    def text(self, row):
        return row


@translate_mistake("Lists of words come back. A translation is one text: `english.sentence(ids)`, or `\" \".join`.")
class lists_of_words(Interpreter):
    def text(self, row):
        return self.english.sentence(row).split()


@translate_mistake("Words follow one another without spaces.")
class words_without_spaces(Interpreter):
    def text(self, row):
        return self.english.sentence(row).replace(" ", "")


@translate_mistake("The last word is cut off: the row has been cut before its end, and `english.sentence` stops at `<eos>` by itself.")
class last_word_cut_off(Interpreter):
    def text(self, row):
        return self.english.sentence(row).rpartition(" ")[0]


@translate_mistake("The first word is cut off. `english.sentence` leaves `<bos>` out by itself.")
class first_word_cut_off(Interpreter):
    def text(self, row):
        return self.english.sentence(row).partition(" ")[2]


@translate_mistake("The translations end too soon: no translation needs more than 30 ids, but 5 are too few.")
class five_ids_at_most(Interpreter):
    max_len = 5


@translate_mistake("Longer translations are cut: 10 ids are too few. Let them have up to 30.")
class ten_ids_at_most(Interpreter):
    max_len = 10


@translate_mistake("Long translations are cut: 20 ids are too few. Let them have up to 30.")
class twenty_ids_at_most(Interpreter):
    max_len = 20


@translate_mistake("A translation gets as many ids as its source has, and `<bos>` is one of them. Let it have up to 30.")
class as_many_ids_as_the_source(Interpreter):
    def said(self, model, src_ids):
        self.max_len = src_ids.shape[1]
        return super().said(model, src_ids)


@translate_mistake("Only the first translation comes back. There is one for each sentence.")
class first_translation_alone(Interpreter):
    def result(self, texts):
        return texts[:1]


@translate_mistake("One text comes back, not a list: it is a list with one text for each sentence.")
class one_long_text(Interpreter):
    def result(self, texts):
        return " ".join(texts)


@translate_mistake("The sentences are sorted by length, and come back in that order. Put them into the order in which they came.")
class sorted_by_length(Interpreter):
    def run(self, model, sentences):
        return super().run(model, sorted(sentences, key=lambda text: len(text.split())))


@translate_mistake("Pairs come back, each sentence with its translation. Return the translations alone.")
class pairs_returned(Interpreter):
    def run(self, model, sentences):
        return list(zip(sentences, super().run(model, sentences)))
