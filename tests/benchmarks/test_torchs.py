"""What is compared with PyTorch's own Transformer is the same function, with the same numbers to learn."""

import pytest

torch = pytest.importorskip("torch")

from benchmarks.torchs import TorchTransformer, same_weights  # noqa: E402
from grader.spec import load_lesson  # noqa: E402

SRC = torch.tensor([[4, 5, 6, 7], [8, 9, 0, 0]])
TGT = torch.tensor([[1, 5, 6], [1, 7, 0]])


def both():
    torch.manual_seed(0)
    ours = load_lesson("06_transformer").reference("Transformer")(10, 9, 8, 2, 3, 12)
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # gains and biases too
    theirs = TorchTransformer(10, 9, 8, 2, 3, 12)
    same_weights(ours, theirs)
    return ours, theirs


@pytest.mark.parametrize("training", [True, False])
def test_torchs_gives_what_ours_gives(training):
    ours, theirs = (model.train(training) for model in both())
    is_real = TGT != 0
    torch.testing.assert_close(theirs(SRC, TGT)[is_real], ours(SRC, TGT)[is_real], atol=1e-5, rtol=1e-4)


def test_both_learn_the_same():
    ours, theirs = both()
    for model in (ours, theirs):
        logits = model(SRC, TGT)
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor([5, 6, 2, 7, 2, 0]), ignore_index=0).backward()
    assert sum(one.numel() for one in ours.parameters()) == sum(one.numel() for one in theirs.parameters())
    for name in ("src_embeddings", "tgt_embeddings", "generator"):
        for one, other in zip(ours.get_submodule(name).parameters(), theirs.get_submodule(name).parameters()):
            torch.testing.assert_close(other.grad, one.grad, atol=1e-5, rtol=1e-4)
