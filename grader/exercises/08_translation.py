"""Lesson 08: the trained model writes: greedy decoding, beam search, a cache, translations."""

import torch

from grader.spec import Case, FilesCase, Lesson, ModuleCase
from utils import decoding
from utils.corpus import test_pairs
from utils.translator import FILE

LESSON = Lesson("08_translation", files=(FILE,))
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
            return settings | {"src": torch.stack(found)}


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
    return decoding.tiny_model(settings["seed"], settings["ids"], settings["tgt_words"])


# ------------------------------------------------------------------------------------ greedy_decode


@LESSON.exercise(
    aspects={"one sentence": 2, "several sentences": 2, "other ids": 1, "mode and gradients": 1, "device": 1},
    refuse=("utils.stand_ins.in_torch",),
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


@greedy_mistake("The largest entry is looked for along the batch, or in the whole array. It is one word for each row: the last axis.")
class largest_of_the_whole_array(Greedy):
    def choose(self, logits):
        return (logits.argmax() % logits.shape[-1]).expand(len(logits))


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


@greedy_mistake("Every row is begun with 1, or ends at 2, whatever `bos_id` and `eos_id` are.")
class ids_taken_for_granted(Greedy):
    def __init__(self, model, src_ids, bos_id, eos_id, max_len):
        super().__init__(model, src_ids, 1, 2, max_len)


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


@greedy_mistake("The ids are made on the CPU, wherever the model lies. On a graphics card this fails: make them with `device=src_ids.device`.")
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
    for hidden in (False, True):
        settings = worth_searching(rng)
        for power in (0.0, 2.0):
            says = f"all continuations, length_penalty {power:g}"
            yield ask("length penalty", says, settings, "best", hidden, options={"length_penalty": power})
        yield ask("best of all", "a beam as wide as all continuations", settings, "best", hidden)
    for beam_size, marks, ids, hidden in ((2, "1111", USUAL, False), (3, "11", USUAL, False), (4, "111", UNUSUAL, True)):
        settings = of_several_lengths(rng, beam_size, marks, ids)
        yield ask("list of hypotheses", f"{beam_size} hypotheses", settings, "beam", hidden)
    manner = settings | {"ask": "manner"}
    yield ask("mode and gradients", "a model in training mode", manner, training=True)
    yield ask("mode and gradients", "a model in evaluation mode", manner)
    yield ask("mode and gradients", "hypotheses, by a model in training mode", settings, "best", True, training=True)


def worth_searching(rng):
    """Settings for a beam as wide as all continuations. What it finds has an end, is longer the larger the length
    penalty, and takes a word that is not the most probable one after a first word has been chosen.
    """
    while True:
        settings = drawn(rng, ("111", 3), tgt_words=6, max_len=4, more=[6**3])
        sums = hypotheses(settings, length_penalty=0.0)
        found = [
            sorted(((total / ((4 + len(ids)) / 6) ** power, ids) for ids, total in sums), reverse=True)
            for power in (0.0, 0.6, 2.0)
        ]
        clear = all(first[0] - second[0] > CLEAR for first, second, *_ in found)
        short, usual, long = (ids for (_, ids), *_ in found)
        ended = all(ids[-1] == settings["ids"]["eos"] for ids in (short, usual, long))
        if clear and ended and 2 < len(short) < len(long) and not follows_the_most_probable(settings, usual):
            return settings


def follows_the_most_probable(settings, ids):
    """Whether each word after the first is the most probable one there."""
    with torch.no_grad():
        logits = model_of(settings)(settings["src"], torch.tensor([ids[:-1]]))[0]
    return logits[1:].argmax(dim=-1).tolist() == ids[2:]


def of_several_lengths(rng, beam_size, marks, ids):
    """Settings for which a search finds hypotheses of several lengths; at least one of them ends."""
    while True:
        settings = drawn(rng, (marks, CUT), ids=ids, max_len=6, more=[beam_size])
        found = hypotheses(settings)
        ended = [ids[-1] == settings["ids"]["eos"] for ids, _ in found]
        if len({len(ids) for ids, _ in found}) > 1 and any(ended) and not ended[0]:
            return settings


def hypotheses(settings, **options):
    ids, (beam_size,) = settings["ids"], settings["more"]
    return LESSON.reference("beam_search")(
        model_of(settings), settings["src"], ids["bos"], ids["eos"], settings["max_len"], beam_size, **options
    )


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


@beam_mistake("Probabilities are multiplied, and the product is the score. The score is the sum of their logarithms.")
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


@beam_mistake("One hypothesis is followed, whatever beam_size is. Keep the beam_size best continuations at each step.")
class beam_of_one_always(Beam):
    def best(self, totals):
        return super().best(totals)[:1]


@beam_mistake("Each hypothesis is continued by its own best word only. All continuations of all hypotheses compete for the places in the beam.")
class each_continued_by_its_best_word(Beam):
    def continued(self, alive, totals):
        if len(alive) == 1:  # else there would be one for ever
            return super().continued(alive, totals)
        best = totals.max(dim=1)
        return [([*ids, word], total) for (ids, _), word, total in zip(alive, best.indices.tolist(), best.values.tolist())]


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


@beam_mistake("One id more than max_len may come out. BOS counts too.")
class max_len_does_not_count_bos(Beam):
    def is_over(self, alive, finished):
        return not alive or len(alive[0][0]) > self.max_len


@beam_mistake("You stop one id before max_len.")
class stops_one_id_early(Beam):
    def is_over(self, alive, finished):
        return not alive or len(alive[0][0]) >= self.max_len - 1


@beam_mistake("Every hypothesis begins with 1, or ends at 2, whatever `bos_id` and `eos_id` are.")
class bos_and_eos_taken_for_granted(Beam):
    def __init__(self, model, src_ids, bos_id, eos_id, max_len, beam_size, length_penalty=0.6):
        super().__init__(model, src_ids, 1, 2, max_len, beam_size, length_penalty)


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


# ---------------------------------------------------------------------------------------- translate


@LESSON.exercise(aspects={"sentences": 2, "other sentences": 1, "BLEU of 30": 1, "BLEU of 60": 1, "BLEU of 90": 1})
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
    yield given("other sentences", "one sentence alone", [pairs[int(rng.integers(len(pairs)))][0]])
    yield given("other sentences", "a sentence with words that are not known", ["Jane visite la Lune", "Zoé adore Jane en mai"])
    yield given("other sentences", "five sentences", some(5), hidden=True)
    seed = int(rng.integers(2**31))
    for least in (30, 60, 90):
        settings = {"seed": seed, "count": 64, "at_least": least}
        facts = {"a list of texts, one for each sentence": True, f"BLEU of {least} or more": True}
        yield FilesCase(
            f"BLEU of {least}", "64 sentences by your own weights", settings, probe="own_weights", reading="bleu", facts=facts
        )
