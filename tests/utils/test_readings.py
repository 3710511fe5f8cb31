"""Facts are read from results as they are; a step of training is asked about without a GPU."""

import numpy as np
import pytest

from utils import probe, readings
from utils.values import Tensor, Unsupported


def told(lengths, budget, value, reading="batches"):
    outcome = readings.read(reading, [lengths, budget], {"status": "value", "value": value})
    return {fact for fact, holds in outcome["value"].items() if not holds}, outcome.get("note", "")


@pytest.mark.parametrize(
    "value, fact, note",
    [
        ([[0, 1]], "every index is in a batch", "index 2 is in none"),
        ([[0, 1], [2, 1]], "no index is there twice", "index 1 is in 2 places"),
        ([[0, 1], [2, 3]], "no index is too large", "index 3 of 3 sentences"),
        ([[0, 1], [2], []], "no batch is empty", ""),
        ([[0, 1, 2]], "no batch exceeds the budget", "3 sentences, the longest of 4 tokens, budget 8"),
    ],
)
def test_each_slip_is_one_fact(value, fact, note):
    assert told([2, 3, 4], 8, value) == ({fact}, note)


def test_twice_in_one_batch_and_far_above_the_budget_are_facts_of_their_own():
    assert told([2, 3, 4], 9, [[0, 0], [1, 2]])[0] == {"no index is there twice", "none is twice in one batch"}
    assert told([3, 3, 3], 3, [[0, 1, 2]])[0] == {"no batch exceeds the budget", "nor by more than a sentence"}


@pytest.mark.parametrize(
    "value, held, note",
    [
        (None, {"no index is outside of a list"}, ""),
        ([0, 1], {"something comes back"}, "one list, no lists in it"),
        (Unsupported("generator"), {"something comes back", "no index is outside of a list"}, "an object of type generator"),
    ],
)
def test_what_came_in_the_place_of_batches_is_told(value, held, note):
    failed, told_as = told([2, 3], 8, value)
    everything = set(readings.batches([[2, 3], 8], [[0, 1]])[0])
    assert (everything - failed, told_as) == (held, note)


@pytest.mark.parametrize("sentences, few", [(1, False), (2, False), (3, False), (12, True)])
def test_batches_far_from_full_are_too_many(sentences, few):
    lengths = [4 + index % 3 for index in range(60)]
    order = sorted(range(60), key=lengths.__getitem__)
    batches = [order[begin : begin + sentences] for begin in range(0, 60, sentences)]
    failed, note = told(lengths, 72, batches, "padding")
    assert ("few batches for so many tokens" not in failed) is few
    assert few or note == f"{-(-60 // sentences)} batches, with 300 tokens in all"


@pytest.mark.parametrize("value", [None, 3, [0, 1], [[0.0]], [[True]], [["a"]], Unsupported("set"), [[-(2**62)]], {"a": []}])
def test_what_is_no_list_of_batches_is_told_without_an_error(value):
    assert told([2, 3], 8, value)[0] and told([2, 3], 8, value, "padding")[0]


def test_an_outcome_without_a_value_stays_as_it_is():
    outcome = {"status": "error", "type": "ValueError", "message": ""}
    assert readings.read("batches", [[9], 8], outcome) is outcome
    assert readings.read("", [], {"status": "value", "value": 3}) == {"status": "value", "value": 3}


@pytest.mark.parametrize("value, bad", [(0.0, set()), (-1.0, {"not negative"}), (float("inf"), {"finite"})])
def test_a_rate_is_finite_and_not_negative(value, bad):
    assert told([0], 1, value, "rate")[0] == bad


def step(move=lambda ids, device: ids.to(device), dtype="bfloat16", **asked):
    torch = pytest.importorskip("torch")

    def train_step(model, batch, optimizer, max_grad_norm, amp=False):
        src, tgt = (move(ids, model.generator.weight.device) for ids in batch)
        with torch.autocast("cpu", dtype and getattr(torch, dtype), enabled=amp):
            loss = model(src, tgt[:, :-1]).double().square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    ids = Tensor(torch.tensor([[1, 3, 2]]).numpy())
    kwargs = {"src": ids, "tgt": ids, "seed": 1, "max_grad_norm": 1.0, **asked}
    return probe.run({"train_step": train_step}, {"name": "train_step", "probe": "training_step", "args": [], "kwargs": kwargs})


def moved_in_vain(ids, device):
    ids.to(device)  # gives a new tensor
    return ids


def test_a_batch_that_stays_behind_is_found_without_a_gpu():
    assert step(ask="elsewhere")["status"] == "value"
    for stays in (lambda ids, device: ids, moved_in_vain):
        outcome = step(move=stays, ask="elsewhere")
        assert outcome["status"] == "error" and "device" in outcome["message"]


@pytest.mark.parametrize(
    "amp, dtype, bfloat16, float16",
    [(True, "bfloat16", True, False), (True, "float16", False, True), (True, None, False, True), (False, "bfloat16", False, False)],
)
def test_what_the_model_computes_in_is_seen_and_is_as_on_a_gpu_where_no_dtype_is_given(amp, dtype, bfloat16, float16):
    found = step(dtype=dtype, ask="precision", options={"amp": amp})["value"]
    assert found["the model computes in bfloat16"] is bfloat16 and found["the model computes in float16"] is float16
    assert found["its weights stay in float32"]


def test_the_stand_in_for_the_loss_is_no_answer():
    torch = pytest.importorskip("torch")
    from utils.stand_ins import stand_in

    args = [Tensor(torch.zeros(1, 2, 4).numpy()), Tensor(torch.tensor([[3, 0]]).numpy()), 0]
    request = {"name": "label_smoothed_loss", "args": args, "refuse": ["F.cross_entropy", "F.kl_div"]}
    assert probe.run({"label_smoothed_loss": stand_in("label_smoothed_loss")}, request)["status"] == "refused"


@pytest.mark.parametrize("value", [None, 3, [], [[1, 2]], [[[1, 2.5], 0.1]], [[[1], float("nan")]], [[[1], "a"]], Unsupported("set")])
def test_what_is_no_list_of_hypotheses_has_no_best_one(value):
    facts = readings.best([{}], value)[0]
    assert facts["the best ids"] == "" and facts["its score"] == 0.0


@pytest.mark.parametrize("ids", [[1, Tensor(np.array(4))], [Tensor(np.array(1)), Tensor(np.array(4))], [1, np.array(4)]])
def test_ids_that_are_no_plain_ints_are_told_in_words(ids):
    found = readings.best([{}], [[ids, -0.5]])[0]["what comes back"]
    assert found == "a list of (ids that are not all plain ints, score)"


def test_the_best_hypothesis_is_the_first_and_its_score_may_be_a_tensor():
    value = [[[1, 4, 2], Tensor(np.array(-0.5))], [[1, 2], -0.75]]
    assert readings.best([{}], value)[0] == {
        "what comes back": "a list of (ids, score)", "the best ids": "1 4 2", "its score": -0.5
    }  # fmt: skip


KEY = {
    "references": ["Jane visits Africa in September", "the cat sleeps in the house"], "at_least": 60,
    "meant": {"May": "September", "September": "May"},
}  # fmt: skip
RENAMED = ["Jane visits Africa in May", "the cat sleeps in the house"]


@pytest.mark.parametrize(
    "value, texts, enough",
    [
        (RENAMED, True, True),
        (["Jane visits Africa in May", "the dog sleeps in the house"], True, True),
        (["Jane", "the"], True, False),
        (["", ""], True, False),
        (RENAMED[::-1], True, False),
        (RENAMED[:1], False, False),
        ([1, 2], False, False),
        (None, False, False),
        (" ".join(RENAMED), False, False),
    ],
)  # fmt: skip
def test_translations_are_judged_by_bleu(value, texts, enough):
    facts, note = readings.bleu(KEY, value)
    assert list(facts.values()) == [texts, enough]
    assert note.startswith("BLEU") == (texts and not enough)


def test_words_that_the_model_did_not_say_are_no_translation():
    facts, _ = readings.bleu(KEY | {"at_least": 90}, KEY["references"])
    assert not facts["BLEU of 90 or more"]
