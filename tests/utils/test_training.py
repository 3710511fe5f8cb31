"""Checkpoints put a run back exactly; what is shown of a run; batches and translations."""

import pytest

torch = pytest.importorskip("torch")

from utils import corpus, training  # noqa: E402
from utils.corpus.vocabulary import Vocabulary  # noqa: E402
from utils.stand_ins import stand_in  # noqa: E402
from utils.training import Live, load_checkpoint, save_checkpoint  # noqa: E402
from utils.translation import to_batch, translate  # noqa: E402

PAIRS = corpus.train_pairs()[:12]
FRENCH, ENGLISH = corpus.vocabularies()


def made(seed, d_model=8):
    torch.manual_seed(seed)
    model = stand_in("Transformer")(len(FRENCH), len(ENGLISH), d_model, 2, 1, 8, dropout=0.2)
    return model, torch.optim.Adam(model.parameters(), lr=0.01)


def steps(model, optimizer, number):
    batch, losses = to_batch(PAIRS, FRENCH, ENGLISH), []
    for _ in range(number):
        loss = stand_in("label_smoothed_loss")(model(batch.src, batch.tgt[:, :-1]), batch.tgt[:, 1:], 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_resumed_run_has_the_same_numbers(tmp_path):
    pytest.importorskip("safetensors")
    model, optimizer = made(seed=1)
    first = steps(model, optimizer, 3)
    save_checkpoint(tmp_path / "run.safetensors", model, optimizer, 3, first)
    rest = steps(model, optimizer, 3)
    other, its_optimizer = made(seed=2)
    taken, losses = load_checkpoint(tmp_path / "run.safetensors", other, its_optimizer)
    assert (taken, losses) == (3, first)
    assert steps(other, its_optimizer, 3) == rest
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]


def test_a_checkpoint_of_another_model_is_told(tmp_path):
    pytest.importorskip("safetensors")
    save_checkpoint(tmp_path / "run", *made(seed=1), 0, [])
    with pytest.raises(ValueError, match="no checkpoint of this model"):
        load_checkpoint(tmp_path / "run", *made(seed=1, d_model=4))
    (tmp_path / "run").write_bytes(b"no checkpoint at all")
    with pytest.raises(ValueError, match="no checkpoint of this model"):
        load_checkpoint(tmp_path / "run", *made(seed=1))


def test_a_run_tells_where_it_is_and_escapes_what_it_shows():
    live = Live(n_steps=10)
    live.losses, live.rates, live.samples = [3.0, 2.5], [0.1, 0.2], {"Jane <b>": "unk " * 40}
    shown = live._repr_mimebundle_()
    assert shown["text/plain"].startswith("step 2 of 10, loss 2.500")
    assert "Jane &lt;b&gt;" in shown["text/html"] and "unk  …</b>" in shown["text/html"]
    assert Live(n_steps=5).line() == "step 0 of 5, 0 s"


def test_what_is_shown_is_renewed_in_one_place_and_counts_from_where_a_run_goes_on(monkeypatch):
    from IPython import display as shown

    class Place:
        updates = 0

        def update(self, live):
            self.updates += 1

    place, now = Place(), iter(range(100, 1000, 10))
    monkeypatch.setattr(shown, "display", lambda live, display_id: place)
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(now))
    live = Live(n_steps=40)
    live.show([3.0] * 10, [0.1] * 10, {})  # goes on after ten steps
    live.show([3.0] * 20, [0.1] * 20, {"Jane visite Rome": "Jane visits Rome"})
    assert place.updates == 1 and live.samples == {"Jane visite Rome": "Jane visits Rome"}
    assert live.line() == "step 20 of 40, loss 3.000, 10 s, about 20 s left"


def test_a_vocabulary_gives_back_what_it_was_given():
    english = Vocabulary(["visits", "Jane"])
    assert english.ids("Jane visits Rome") == [4, 5, 3]
    assert english.sentence([1, 4, 5, 2, 4, 0]) == "Jane visits"
    for fr, en in PAIRS:
        assert FRENCH.sentence(FRENCH.ids(fr)) == fr and ENGLISH.sentence(ENGLISH.ids(en)) == en


def test_batches_have_their_special_tokens():
    batch = to_batch([("Jane visite Rome", "Jane visits Rome"), ("je", "I")], FRENCH, ENGLISH)
    assert batch.src.shape == (2, 3) and batch.tgt.shape == (2, 5)
    assert batch.src[1, 1:].tolist() == [0, 0]
    assert batch.tgt[:, 0].tolist() == [1, 1] and batch.tgt[0, -1] == 2 and batch.tgt[1, 2:].tolist() == [2, 0, 0]


def test_translations_are_those_of_one_word_after_the_other():
    model, optimizer = made(seed=3)
    steps(model, optimizer, 25)
    for fr, got in zip([fr for fr, _ in PAIRS], translate(model, [fr for fr, _ in PAIRS], FRENCH, ENGLISH, at_once=5)):
        model.eval()
        ids = [ENGLISH.bos_id]
        while len(ids) <= 30 and ids[-1] != ENGLISH.eos_id:
            ids.append(model(torch.tensor([FRENCH.ids(fr)]), torch.tensor([ids]))[0, -1].argmax().item())
        model.train()
        assert got == ENGLISH.sentence(ids)
    assert model.training
