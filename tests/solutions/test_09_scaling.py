"""What lesson 09 says of cost and scale holds for its solutions, with PyTorch for an oracle."""

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from grader.spec import load_lesson  # noqa: E402

LESSON = load_lesson("09_scaling")
attention_cost, training_flops, fused_attention, accumulate_gradients = (LESSON.reference(name) for name in LESSON.exercises)
attention = load_lesson("05_transformer_blocks").reference("attention")
MultiHeadAttention = load_lesson("05_transformer_blocks").reference("MultiHeadAttention")


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 5))
def test_the_cost_of_attention_is_what_pytorch_counts(n, n_heads, d_head):
    d_model = n_heads * d_head
    part, x = MultiHeadAttention(d_model, n_heads), torch.zeros(1, n, d_model)
    with FlopCounterMode(display=False) as counter:
        _, weights = part(x, x, x)
    flops, size = attention_cost(n, d_model, n_heads, 4)
    # lesson 05 multiplies weights and values twice: in `attention`, and once more after dropout
    assert counter.get_total_flops() == flops + 2 * n * n * d_model
    assert size == weights.numel() * weights.element_size()


def test_training_costs_six_operations_for_each_parameter_and_token():
    model, x = nn.Sequential(nn.Linear(7, 9, bias=False), nn.Linear(9, 5, bias=False)), torch.zeros(11, 7, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    assert counter.get_total_flops() == training_flops(sum(weight.numel() for weight in model.parameters()), 11)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**31))
def test_fused_attention_and_its_gradients_are_those_of_lesson_05(batch, n_heads, n_q, n_k, d, seed):
    random = torch.Generator().manual_seed(seed)
    sizes = ((n_q, d), (n_k, d), (n_k, d))
    mine = [torch.randn(batch, n_heads, *size, generator=random, dtype=torch.float64).requires_grad_() for size in sizes]
    theirs = [one.detach().clone().requires_grad_() for one in mine]
    mask = torch.rand(batch, 1, n_q, n_k, generator=random) < 0.5  # some rows see nothing
    got, wanted = fused_attention(*mine, mask=mask), attention(*theirs, mask=mask)[0]
    torch.testing.assert_close(got, wanted)
    got.square().sum().backward()
    wanted.square().sum().backward()
    for one, other in zip(mine, theirs):
        torch.testing.assert_close(one.grad, other.grad)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=5).filter(any), st.integers(0, 2**31))
def test_pieces_give_the_gradients_of_the_whole(sizes, seed):
    torch.manual_seed(seed)
    model = nn.Linear(3, 4).double()
    pieces = [(torch.randn(size, 3, dtype=torch.float64), torch.randint(4, (size,))) for size in sizes]
    whole = [torch.cat(column) for column in zip(*pieces)]

    def loss_fn(model, piece):
        return F.cross_entropy(model(piece[0]), piece[1], reduction="sum"), len(piece[1])

    wanted = F.cross_entropy(model(whole[0]), whole[1])
    gradients = torch.autograd.grad(wanted, list(model.parameters()))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    assert accumulate_gradients(model, pieces, loss_fn) == pytest.approx(wanted.item())
    for parameter, gradient in zip(model.parameters(), gradients):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_fused_attention_on_a_gpu(dtype):
    q, k, v = (torch.randn(2, 4, 9, 32, device="cuda", dtype=dtype, requires_grad=True) for _ in range(3))
    mask = torch.rand(2, 1, 9, 9, device="cuda") < 0.5
    mask[0, 0, 3] = False
    got, wanted = fused_attention(q, k, v, mask=mask), attention(q, k, v, mask)[0]
    torch.testing.assert_close(got, wanted, atol=0.05, rtol=0.05)
    assert not got[0, :, 3].any()
    got.sum().backward()
    assert all(one.grad.isfinite().all() for one in (q, k, v))
