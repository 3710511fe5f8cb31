"""What lesson 07 says of training holds for its solutions, with PyTorch for an oracle."""

import json
import math
import signal
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from grader.lessons import COURSE_ROOT, read_lesson  # noqa: E402
from grader.spec import load_lesson  # noqa: E402
from utils import corpus, readings  # noqa: E402
from utils.stand_ins import stand_in  # noqa: E402
from utils.training import load_checkpoint  # noqa: E402
from utils.translation import Batch  # noqa: E402

LESSON = load_lesson("07_training")
label_smoothed_loss, warmup_learning_rate, token_budget_batches, train_step = (
    LESSON.reference(name) for name in LESSON.exercises
)
SRC, TGT = torch.tensor([[5, 3, 4], [3, 0, 0]]), torch.tensor([[1, 3, 5, 2], [1, 4, 2, 0]])


@settings(deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 5), st.integers(2, 9), st.floats(0, 1), st.sampled_from([1.0, 30.0, 1000.0]),
    st.integers(0, 2**31), st.data(),
)  # fmt: skip
def test_the_loss_and_its_gradients_are_torchs(batch, n, vocabulary, smoothing, loud, seed, data):
    random = torch.Generator().manual_seed(seed)
    logits = (loud * torch.randn(batch, n, vocabulary, generator=random, dtype=torch.float64)).clamp(-1e3, 1e3)
    labels = torch.randint(vocabulary, (batch, n), generator=random)
    pad_id = data.draw(st.integers(0, vocabulary - 1))
    labels[0, 0] = (pad_id + 1) % vocabulary  # at least one real word
    mine, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    got = label_smoothed_loss(mine, labels, pad_id, smoothing=smoothing)
    wanted = F.cross_entropy(theirs.flatten(0, 1), labels.flatten(), ignore_index=pad_id, label_smoothing=smoothing)
    torch.testing.assert_close(got, wanted, atol=1e-9, rtol=1e-9)
    got.backward()
    wanted.backward()
    torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-9, rtol=1e-9)


@given(st.integers(0, 3))
def test_more_padding_leaves_the_loss_as_it_is(more):
    logits = torch.randn(2, 4, 6, dtype=torch.float64)
    labels = torch.tensor([[3, 4, 2, 0], [5, 2, 0, 0]])
    longer = F.pad(logits, (0, 0, 0, more), value=7.0), F.pad(labels, (0, more))
    torch.testing.assert_close(label_smoothed_loss(*longer, 0), label_smoothed_loss(logits, labels, 0))


@given(st.integers(1, 10**6), st.integers(1, 4096), st.integers(1, 10**5))
def test_the_schedule_is_the_papers(step, d_model, warmup_steps):
    paper = 1 / math.sqrt(d_model) * min(1 / math.sqrt(step), step / warmup_steps**1.5)
    assert warmup_learning_rate(step, d_model, warmup_steps) == pytest.approx(paper, rel=1e-9)


@given(st.integers(1, 4096), st.integers(1, 10**5))
def test_the_schedule_climbs_up_to_the_end_of_the_warm_up_and_falls_after_it(d_model, warmup_steps):
    peak = warmup_learning_rate(warmup_steps, d_model, warmup_steps)
    assert 0 <= warmup_learning_rate(0, d_model, warmup_steps) <= peak * (1 + 1e-9)
    assert warmup_learning_rate(warmup_steps + 1, d_model, warmup_steps) < peak
    assert warmup_steps == 1 or warmup_learning_rate(warmup_steps - 1, d_model, warmup_steps) < peak


@given(st.lists(st.integers(1, 30), max_size=80), st.integers(30, 200))
def test_batches_lose_nothing_and_keep_to_the_budget(lengths, budget):
    batches = token_budget_batches(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) * max(lengths[index] for index in batch) <= budget for batch in batches)
    assert all(readings.batches([lengths, budget], batches)[0].values())


@given(st.lists(st.integers(1, 20), max_size=9), st.integers(1, 20), st.integers(1, 9))
def test_a_sentence_above_the_budget_is_refused(lengths, budget, more):
    with pytest.raises(ValueError):
        token_budget_batches([*lengths, budget + more], budget)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_batches_of_like_length_are_padded_less(seed):
    lengths = torch.randint(1, 40, (300,), generator=torch.Generator().manual_seed(seed)).tolist()
    assert all(readings.padding([lengths, 500], token_budget_batches(lengths, 500))[0].values())


def model(**options):
    torch.manual_seed(0)
    return stand_in("Transformer")(7, 6, 8, 2, 1, 8, **options).double()


@pytest.mark.parametrize("bound", [0.05, 1e3])
def test_a_step_is_the_one_that_torch_would_take(bound):
    ours, theirs = model(), model()
    optimizers = [torch.optim.Adam(one.parameters(), lr=0.01) for one in (ours, theirs)]
    for _ in range(3):
        loss = train_step(ours, Batch(SRC, TGT), optimizers[0], bound)
        logits = theirs(SRC, TGT[:, :-1])
        wanted = F.cross_entropy(logits.transpose(1, 2), TGT[:, 1:], ignore_index=0, label_smoothing=0.1)
        optimizers[1].zero_grad()
        wanted.backward()
        nn.utils.clip_grad_norm_(theirs.parameters(), bound)
        optimizers[1].step()
        assert loss == pytest.approx(wanted.item())
    for one, other in zip(ours.parameters(), theirs.parameters()):
        torch.testing.assert_close(one, other)


def test_a_step_in_bfloat16_is_nearly_the_same_and_leaves_the_weights_in_float32():
    losses = []
    for amp in (False, True):
        one = model().float()
        losses.append(train_step(one, Batch(SRC, TGT), torch.optim.SGD(one.parameters(), lr=0.1), 1.0, amp=amp))
        assert {parameter.dtype for parameter in one.parameters()} == {torch.float32}
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.02)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("amp", [False, True])
def test_a_step_on_a_gpu_takes_batches_from_the_cpu(amp):
    one = model().float().cuda()
    loss = train_step(one, Batch(SRC, TGT), torch.optim.Adam(one.parameters()), 1.0, amp=amp)
    assert math.isfinite(loss)


RUN = """
import json, sys
from pathlib import Path
import torch
from tests.solutions.test_07_training import lessons_run

train, model = lessons_run()
losses = train(model, int(sys.argv[2]), 20, Path(sys.argv[1]), show=lambda losses: print(len(losses), flush=True), every=5)
print(json.dumps(losses))
"""


def lessons_run():
    """The lesson's `train` on small batches, and a small model with dropout."""
    lesson = read_lesson("07_training")
    names = lesson.namespace()
    names |= {"max_tokens": 64, "train_pairs": corpus.train_pairs()[:200]}
    names["french"], names["english"] = corpus.vocabularies()
    for cell in lesson.cells:
        if cell.source.startswith(("def stream(", "def train(")) or "import itertools" in cell.source:
            exec(cell.source, names)
    torch.manual_seed(4)
    sizes = len(names["french"]), len(names["english"]), 8, 2, 1, 8
    return names["train"], stand_in("Transformer")(*sizes, dropout=0.2)


def run_to(n_steps, checkpoint, kill_at=None):
    """The losses of a run in a process of its own; nothing where it is killed at some step."""
    command = [sys.executable, "-c", RUN, str(checkpoint), str(n_steps)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=COURSE_ROOT) as process:
        for line in process.stdout:
            if line.startswith("["):
                return json.loads(line)
            if int(line) == kill_at:
                process.kill()
    assert process.returncode == -signal.SIGKILL
    return None


def test_a_run_that_is_killed_goes_on_to_the_same_losses(tmp_path):
    pytest.importorskip("safetensors")
    in_one_go = run_to(220, tmp_path / "one")
    assert run_to(220, tmp_path / "other", kill_at=150) is None
    _, model = lessons_run()
    taken, losses = load_checkpoint(tmp_path / "other", model, torch.optim.Adam(model.parameters()))
    assert 100 <= taken < 220 and losses == in_one_go[:taken]
    assert run_to(220, tmp_path / "other") == in_one_go
