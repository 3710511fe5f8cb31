"""Lesson 07 is graded without its training, and by what a submission cannot change."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from grader.demo import submission  # noqa: E402
from grader.grading import NOT_NEEDED, grade_notebook, hidden_checksets  # noqa: E402
from grader.sandbox import Limits, Sandbox  # noqa: E402
from grader.submission import release_notebook, repair  # noqa: E402
from utils import modules, one_step, probe  # noqa: E402
from utils.judge import evaluate  # noqa: E402

LESSON, SEED = "07_training", 3
ANSWERS = Path(__file__).parents[1] / "submissions" / "answers" / "07_training__perfect__22.py"
TRAINS = ("overfit(", "train(", "train_step(untrained")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits()) as opened:
        yield opened


def graded(sandbox, answers, edit=lambda source: source):
    notebook = submission(LESSON, answers)
    for cell in notebook.cells:
        cell.source = edit(cell.source)
    return grade_notebook(repair(notebook, release_notebook(LESSON)), LESSON, SEED, sandbox)


def outputs(graded, *parts):
    """What the lesson's cells show that have one of these parts in them, but for cells that answer or test."""
    cells = [cell for cell in graded.notebook.cells if cell.cell_type == "code" and not cell.metadata.get("nbgrader")]
    return ["".join(out.get("text", out.output_type) for out in cell.outputs) for cell in cells if any(part in cell.source for part in parts)]


def test_no_cell_that_trains_is_run(sandbox):
    result = graded(sandbox, ANSWERS.read_text(encoding="utf-8"))
    assert result.score == result.max_score
    shown = outputs(result, *TRAINS)
    assert len(shown) >= 6 and set(shown) == {NOT_NEEDED}


def test_where_a_students_cell_takes_the_trained_model_one_step_is_taken(sandbox):
    def edit(source):
        return source.replace('mine = ["Jane visite', 'mine = ["Jane quitte')

    result = graded(sandbox, ANSWERS.read_text(encoding="utf-8"), edit)
    (run,), (said,) = outputs(result, "losses = train("), outputs(result, "mine = [")
    assert result.score == result.max_score
    assert " 1 steps\n" in run and "Jane quitte l'Afrique en septembre" in said


NOT_SHIFTED = '''
def right(model, batch, optimizer, max_grad_norm, amp=False):
    device = model.generator.weight.device
    src, tgt = batch.src.to(device), batch.tgt.to(device)
    model.train()
    with torch.autocast(device.type, torch.bfloat16, enabled=amp):
        logits = model(src, tgt[:, :-1])
    loss = torch.nn.functional.cross_entropy(
        logits.to(model.generator.weight.dtype).flatten(0, 1), tgt[:, 1:].flatten(), ignore_index=model.pad_id,
        label_smoothing=0.1,
    )
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    return loss.item()

def train_step(model, batch, optimizer, max_grad_norm, amp=False):
    return right(model, batch._replace(tgt=batch.tgt[:, 1:]), optimizer, max_grad_norm, amp)
'''
NOT_MOVED = NOT_SHIFTED.partition("def train_step")[0].replace("def right", "def train_step").replace(".to(device)", "")
ASKS_ANOTHER = """
from utils import one_step
asks = one_step.ask
one_step.ask = lambda train_step, **asked: asks(right, **asked)
"""
NEVER_COMPLAINS = """
from utils import modules
modules.OtherDevice.__torch_function__ = lambda self, function, types, args=(), kwargs=None: function(*args, **kwargs or {})
"""


@pytest.mark.parametrize(
    "answer, patch, lost",
    [(NOT_SHIFTED, ASKS_ANOTHER, 7), (NOT_MOVED, NEVER_COMPLAINS, 1)],
    ids=["utils.one_step", "utils.modules"],
)
def test_what_asks_about_a_step_cannot_be_patched(sandbox, monkeypatch, answer, patch, lost):
    found = graded(sandbox, f'#\n\n# %% solution="train_step"\nimport torch\n{patch}{answer}').results["train_step"]
    assert found.score == found.checkset.max_score - lost
    monkeypatch.setattr(one_step, "ask", one_step.ask)  # here the patch works, and is taken back
    monkeypatch.setattr(modules.OtherDevice, "__torch_function__", modules.OtherDevice.__torch_function__)
    names = {"torch": torch}
    exec(f"{patch}{answer}", names)
    here = evaluate(hidden_checksets(LESSON, SEED)["train_step"], lambda request: probe.run(names, request))
    assert here.score == here.checkset.max_score
