"""With the same weights, the blocks of lesson 05 equal PyTorch's own: outputs and all gradients."""

import pytest
import torch
from torch import nn

from grader.lessons import read_lesson

LESSON = read_lesson("05_transformer_blocks").namespace()
TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-10}
BATCH, N, D_MODEL, N_HEADS, D_FF = 3, 5, 12, 3, 20

precise = pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
real = torch.tensor([[True] * 5, [True, True, True, False, False], [False, True, True, True, True]])
future = ~torch.ones(N, N, dtype=torch.bool).tril()
# our mask, and PyTorch's two, in which True means "hidden"; under the causal one every row sees something
padded_right = real.clone()
padded_right[2] = torch.tensor([True, True, False, False, False])
MASKS = {
    "no mask": (None, None, None),
    "padding": (real[:, None, None], ~real, None),
    "causal": (~future, None, future),
    "padding and causal": (padded_right[:, None, None] & ~future, ~padded_right, future),
}
masked = pytest.mark.parametrize("ours, padding, causal", MASKS.values(), ids=MASKS)


def built(name, *sizes, dtype):
    torch.manual_seed(5)
    module = LESSON[name](*sizes).to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))  # gains and biases too
    return module


def attention_pairs(theirs, ours):
    """PyTorch's parameters, and those of ours that they are made of."""
    three = [ours.w_q, ours.w_k, ours.w_v]
    return [
        (theirs.in_proj_weight, [linear.weight for linear in three]),
        (theirs.in_proj_bias, [linear.bias for linear in three]),
        (theirs.out_proj.weight, [ours.w_o.weight]),
        (theirs.out_proj.bias, [ours.w_o.bias]),
    ]


def layer_pairs(theirs, ours):
    parts = {
        theirs.linear1: ours.feed_forward.linear_1,
        theirs.linear2: ours.feed_forward.linear_2,
        theirs.norm1: ours.norm_1,
        theirs.norm2: ours.norm_2,
    }
    same_names = [(getattr(their, name), [getattr(our, name)]) for their, our in parts.items() for name in ("weight", "bias")]
    return attention_pairs(theirs.self_attn, ours.self_attention) + same_names


def copy_weights(pairs):
    with torch.no_grad():
        for their, ours in pairs:
            their.copy_(torch.cat(ours))


def assert_same(theirs, ours, dtype):
    torch.testing.assert_close(theirs, ours, rtol=0, atol=TOLERANCES[dtype])


def assert_same_gradients(pairs, their_inputs, our_inputs, their_output, our_output, dtype):
    wanted = torch.randn_like(our_output)
    (their_output * wanted).sum().backward()
    (our_output * wanted).sum().backward()
    for their, our in zip(their_inputs, our_inputs, strict=True):
        assert_same(their.grad, our.grad, dtype)
    for their, ours in pairs:
        assert_same(their.grad, torch.cat([one.grad for one in ours]), dtype)


def inputs(*lengths, dtype):
    """The same random words twice, for ours and for theirs."""
    torch.manual_seed(7)
    made = [torch.randn(BATCH, n, D_MODEL, dtype=dtype) for n in lengths]
    return [[x.clone().requires_grad_() for x in made] for _ in range(2)]


@precise
@masked
def test_multi_head_attention_is_pytorchs(ours, padding, causal, dtype):
    module = built("MultiHeadAttention", D_MODEL, N_HEADS, dtype=dtype)
    theirs = nn.MultiheadAttention(D_MODEL, N_HEADS, batch_first=True, dtype=dtype)
    pairs = attention_pairs(theirs, module)
    copy_weights(pairs)
    n_q = N if causal is not None else 4  # other lengths where the mask allows them
    our_inputs, their_inputs = inputs(n_q, N, N, dtype=dtype)
    our_output, our_weights = module(*our_inputs, ours)
    their_output, their_weights = theirs(
        *their_inputs, key_padding_mask=padding, attn_mask=causal, average_attn_weights=False
    )
    assert_same(their_output, our_output, dtype)
    assert_same(their_weights, our_weights, dtype)
    assert_same_gradients(pairs, their_inputs, our_inputs, their_output, our_output, dtype)


@precise
@masked
@pytest.mark.parametrize("training", [True, False])
def test_the_encoder_layer_is_pytorchs(training, ours, padding, causal, dtype):
    module = built("EncoderLayer", D_MODEL, N_HEADS, D_FF, dtype=dtype).train(training)
    theirs = nn.TransformerEncoderLayer(
        D_MODEL, N_HEADS, D_FF, dropout=0.0, activation="relu", batch_first=True, norm_first=False, dtype=dtype
    ).train(training)  # with gradients on it takes no fast path, so padded positions can be compared too
    pairs = layer_pairs(theirs, module)
    assert len(pairs) == len(list(theirs.parameters()))
    copy_weights(pairs)
    our_inputs, their_inputs = inputs(N, dtype=dtype)
    our_output = module(*our_inputs, ours)
    their_output = theirs(*their_inputs, src_key_padding_mask=padding, src_mask=causal)
    assert_same(their_output, our_output, dtype)
    assert_same_gradients(pairs, their_inputs, our_inputs, their_output, our_output, dtype)


@precise
@pytest.mark.parametrize("eps", [1e-5, 0.3])
def test_layer_norm_is_pytorchs(eps, dtype):
    module = LESSON["LayerNorm"](D_MODEL, eps=eps).to(dtype)
    with torch.no_grad():
        module.weight.normal_(), module.bias.normal_()
    theirs = nn.LayerNorm(D_MODEL, eps=eps, dtype=dtype)
    pairs = [(theirs.weight, [module.weight]), (theirs.bias, [module.bias])]
    copy_weights(pairs)
    our_inputs, their_inputs = inputs(N, dtype=dtype)
    our_output, their_output = module(*our_inputs), theirs(*their_inputs)
    assert_same(their_output, our_output, dtype)
    assert_same_gradients(pairs, their_inputs, our_inputs, their_output, our_output, dtype)


@precise
@pytest.mark.parametrize("mask", [None, ~future, real[:, None, None]], ids=["no mask", "causal", "padding"])
def test_attention_is_pytorchs(mask, dtype):
    our_inputs, their_inputs = inputs(N, N, N, dtype=dtype)
    ours, theirs = ([x.unflatten(-1, (N_HEADS, -1)).transpose(1, 2) for x in made] for made in (our_inputs, their_inputs))
    our_output, _ = LESSON["attention"](*ours, mask)
    their_output = nn.functional.scaled_dot_product_attention(*theirs, attn_mask=mask)
    assert_same(their_output, our_output, dtype)
    assert_same_gradients([], their_inputs, our_inputs, their_output, our_output, dtype)


@precise
def test_words_that_may_look_at_nothing_give_zeros_and_finite_gradients(dtype):
    mask = real[:, None, None] & ~future  # the third sentence begins with padding
    module = built("EncoderLayer", D_MODEL, N_HEADS, D_FF, dtype=dtype)
    (x,), _ = inputs(N, dtype=dtype)
    output, weights = module.self_attention(x, x, x, mask)
    assert not weights[2, :, 0].any() and torch.equal(output[2, 0], module.self_attention.w_o.bias)
    module(x, mask).square().sum().backward()
    assert all(tensor.grad.isfinite().all() for tensor in (x, *module.parameters()))


def test_what_a_word_hears_never_depends_on_hidden_words():
    module = built("EncoderLayer", D_MODEL, N_HEADS, D_FF, dtype=torch.float64).eval()
    (x,), _ = inputs(N, dtype=torch.float64)
    before = module(x, real[:, None, None])
    other = torch.where(real[..., None], x, torch.full_like(x, 7.0))
    torch.testing.assert_close(module(other, real[:, None, None])[real], before[real], rtol=0, atol=0)
    before = module(x, ~future)
    for place in range(N):
        changed = x.detach().clone()
        changed[:, place] += 1
        torch.testing.assert_close(module(changed, ~future)[:, :place], before[:, :place], rtol=0, atol=0)


def test_dropout_acts_in_training_alone_and_in_every_part():
    module = LESSON["EncoderLayer"](D_MODEL, N_HEADS, D_FF, dropout=0.5)
    rates = [part.p for part in module.modules() if isinstance(part, nn.Dropout)]
    assert rates == [0.5] * 3  # of attention's weights, inside feed-forward, on what each part found
    (x,), _ = inputs(N, dtype=torch.float32)
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))
