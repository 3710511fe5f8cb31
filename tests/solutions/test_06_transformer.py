"""Lesson 06's solutions are PyTorch's own, leak nothing, and have the numbers that are counted by hand."""

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from grader.spec import load_lesson  # noqa: E402

LESSON = load_lesson("06_transformer")
PAD = 0
SIZES = {"d_model": 8, "n_heads": 2, "d_ff": 12}
# words as ids: padding on the right, on the left, in the middle; another length in source and target
SRC = torch.tensor([[5, 3, 8, 2, 6], [7, 1, 4, 0, 0], [0, 0, 9, 2, 1], [3, 0, 0, 4, 8]])
TGT = torch.tensor([[1, 4, 6, 2], [1, 9, 0, 0], [1, 0, 0, 3], [1, 0, 5, 0]])
PRECISION = [(torch.float32, 1e-5), (torch.float64, 1e-10)]
precisely = pytest.mark.parametrize("dtype, atol", PRECISION, ids=["float32", "float64"])


def copied(target, source):
    target.load_state_dict(source.state_dict())


def copied_attention(theirs, ours):
    theirs.in_proj_weight.data = torch.cat([ours.w_q.weight, ours.w_k.weight, ours.w_v.weight]).detach()
    theirs.in_proj_bias.data = torch.cat([ours.w_q.bias, ours.w_k.bias, ours.w_v.bias]).detach()
    copied(theirs.out_proj, ours.w_o)


def copied_layer(theirs, ours):
    copied_attention(theirs.self_attn, ours.self_attention)
    copied(theirs.linear1, ours.feed_forward.linear_1)
    copied(theirs.linear2, ours.feed_forward.linear_2)
    copied(theirs.norm1, ours.norm_1)
    copied(theirs.norm2, ours.norm_2)
    if hasattr(ours, "cross_attention"):
        copied_attention(theirs.multihead_attn, ours.cross_attention)
        copied(theirs.norm3, ours.norm_3)


def pairs_of_gradients(theirs, ours):
    """By name: the gradients of a layer's parameters, PyTorch's and ours."""
    for their_attention, name in ((theirs.self_attn, "self_attention"), (getattr(theirs, "multihead_attn", None), "cross_attention")):
        if their_attention is not None:
            our_attention = getattr(ours, name)
            three = (our_attention.w_q, our_attention.w_k, our_attention.w_v)
            yield f"{name} in", their_attention.in_proj_weight.grad, torch.cat([part.weight.grad for part in three])
            yield f"{name} in bias", their_attention.in_proj_bias.grad, torch.cat([part.bias.grad for part in three])
            yield f"{name} out", their_attention.out_proj.weight.grad, our_attention.w_o.weight.grad
            yield f"{name} out bias", their_attention.out_proj.bias.grad, our_attention.w_o.bias.grad
    for their_name, part in {
        "linear1": ours.feed_forward.linear_1, "linear2": ours.feed_forward.linear_2, "norm1": ours.norm_1,
        "norm2": ours.norm_2, "norm3": getattr(ours, "norm_3", None),
    }.items():  # fmt: skip
        if part is not None:
            for kind in ("weight", "bias"):
                yield f"{their_name} {kind}", getattr(getattr(theirs, their_name), kind).grad, getattr(part, kind).grad


def spread(module):
    """Gains and biases start as ones and zeros: other numbers tell more."""
    for name, parameter in module.named_parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, mean=float("norm" in name and name.endswith("weight")), std=0.5)
    return module


@precisely
@pytest.mark.parametrize("masks", ["none", "causal", "padding", "both"])
def test_the_decoder_layer_is_torchs(dtype, atol, masks):
    torch.manual_seed(0)
    ours = spread(LESSON.reference("DecoderLayer")(**SIZES)).to(dtype)
    theirs = nn.TransformerDecoderLayer(8, 2, 12, dropout=0.0, batch_first=True).to(dtype)
    copied_layer(theirs, ours)
    inputs = [torch.randn(2, n, 8, dtype=dtype) for n in (4, 5)]
    future = torch.ones(4, 4, dtype=torch.bool).triu(1) if masks in ("causal", "both") else None
    padded_tgt, padded_src = (TGT[:2] == PAD, SRC[:2] == PAD) if masks in ("padding", "both") else (None, None)

    own = torch.ones(1, 4, dtype=torch.bool) if future is None else ~future
    others = None
    if padded_tgt is not None:
        own, others = own & ~padded_tgt[:, None, None], ~padded_src[:, None, None]
    mine = [tensor.clone().requires_grad_() for tensor in inputs]
    their = [tensor.clone().requires_grad_() for tensor in inputs]
    our_output = ours(*mine, own, others)
    their_output = theirs(*their, tgt_mask=future, tgt_key_padding_mask=padded_tgt, memory_key_padding_mask=padded_src)
    torch.testing.assert_close(our_output, their_output, atol=atol, rtol=0)

    weights = torch.randn(our_output.shape, dtype=dtype)
    for output in (our_output, their_output):
        (output * weights).sum().backward()
    for one, other in zip(mine, their):
        torch.testing.assert_close(one.grad, other.grad, atol=atol, rtol=atol)
    for name, wanted, got in pairs_of_gradients(theirs, ours):
        torch.testing.assert_close(got, wanted, atol=atol, rtol=atol, msg=lambda text, name=name: f"{name}: {text}")


def whole(dtype=torch.float64, n_layers=3, pad_id=PAD):
    torch.manual_seed(1)
    sizes = (10, 11, 8, 2, n_layers, 12)
    return spread(LESSON.reference("Transformer")(*sizes, pad_id=pad_id)).to(dtype)


def torchs_whole(ours, dtype, n_layers=3):
    theirs = nn.Transformer(8, 2, n_layers, n_layers, 12, dropout=0.0, batch_first=True).to(dtype)
    theirs.encoder.norm = theirs.decoder.norm = None
    for stack in ("encoder", "decoder"):
        for one, other in zip(getattr(theirs, stack).layers, getattr(ours, stack).layers, strict=True):
            copied_layer(one, other)
    return theirs


@precisely
@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
def test_the_whole_is_torchs(dtype, atol, padded):
    """Outputs at real words, and all gradients, with the causal mask; in training mode, so without the fast path."""
    src, tgt = (SRC, TGT) if padded else (SRC[:1].expand(2, -1), TGT[:1].expand(2, -1))
    ours = whole(dtype)
    theirs = torchs_whole(ours, dtype)
    embedded = [ours.src_embeddings(src).detach(), ours.tgt_embeddings(tgt).detach()]
    mine = [tensor.clone().requires_grad_() for tensor in embedded]
    their = [tensor.clone().requires_grad_() for tensor in embedded]
    real_src, real_tgt = src != PAD, tgt != PAD
    past = torch.ones(4, 4, dtype=torch.bool).tril()

    memory = ours.encoder(mine[0], real_src[:, None, None])
    our_output = ours.decoder(mine[1], memory, real_tgt[:, None, None] & past, real_src[:, None, None])
    their_output = theirs(
        *their, tgt_mask=~past, src_key_padding_mask=~real_src, tgt_key_padding_mask=~real_tgt,
        memory_key_padding_mask=~real_src,
    )  # fmt: skip
    torch.testing.assert_close(our_output[real_tgt], their_output[real_tgt], atol=atol, rtol=0)
    torch.testing.assert_close(ours.generator(our_output)[real_tgt], ours(src, tgt)[real_tgt], atol=atol, rtol=0)

    weights = torch.randn(our_output.shape, dtype=dtype) * real_tgt[..., None]
    for output in (our_output, their_output):
        (output * weights).sum().backward()
    for one, other in zip(mine, their):
        torch.testing.assert_close(one.grad, other.grad, atol=atol, rtol=atol)
    for stack in ("encoder", "decoder"):
        for place, (their_layer, our_layer) in enumerate(zip(getattr(theirs, stack).layers, getattr(ours, stack).layers)):
            for name, wanted, got in pairs_of_gradients(their_layer, our_layer):
                where = f"{stack} {place} {name}"
                torch.testing.assert_close(got, wanted, atol=atol, rtol=atol, msg=lambda text, where=where: f"{where}: {text}")


@pytest.mark.parametrize("place", range(1, TGT.shape[1]))
def test_no_logit_depends_on_a_later_word(place):
    model = whole().eval()
    before = model(SRC, TGT)
    for new in (2, 7, PAD):
        changed = TGT.clone()
        changed[:, place:] = new
        after = model(SRC, changed)
        torch.testing.assert_close(after[:, :place], before[:, :place], atol=1e-12, rtol=0)
        real = (TGT[:, place] != PAD) & (TGT[:, place] != new)
        assert ((after - before)[real, place].abs().amax(dim=-1) > 1e-6).all()  # the test sees a change where there is one


@pytest.mark.parametrize("side", ["src_embeddings", "tgt_embeddings"])
def test_no_logit_of_a_word_depends_on_padding(side):
    """For each place of padding on its own: its vector becomes quite another one."""
    model = whole().eval()
    before, embeddings = model(SRC, TGT), getattr(model, side)
    ids = SRC if side == "src_embeddings" else TGT
    for place in range(ids.shape[1]):
        here = ids[:, place] == PAD

        def loud(module, inputs, result, here=here, place=place):
            result = result.clone()
            result[here, place] = 100.0
            return result

        hook = embeddings.register_forward_hook(loud)
        after = model(SRC, TGT)
        hook.remove()
        real = TGT != PAD
        torch.testing.assert_close(after[real], before[real], atol=1e-12, rtol=0)


def test_a_sentence_is_the_same_alone_and_in_a_batch():
    model = whole().eval()
    alone = model(SRC[1:2, :3], TGT[1:2, :2])
    torch.testing.assert_close(model(SRC, TGT)[1:2, :2], alone, atol=1e-12, rtol=0)


def test_padding_may_have_any_id():
    """The same words under other ids, those of padding and of word 3 exchanged, tables and all."""
    one, other = whole().eval(), whole(pad_id=3).eval()
    exchange = torch.tensor([3, 1, 2, 0, *range(4, 11)])
    with torch.no_grad():
        other.src_embeddings.tokens.weight.copy_(one.src_embeddings.tokens.weight[exchange[:10]])
        other.tgt_embeddings.tokens.weight.copy_(one.tgt_embeddings.tokens.weight[exchange])
    assert other.pad_id == 3
    torch.testing.assert_close(other(exchange[SRC], exchange[TGT]), one(SRC, TGT), atol=1e-12, rtol=0)


def test_each_parameter_is_counted():
    d, f, n_layers, n_src, n_tgt = 512, 2048, 6, 37000, 36000
    with torch.device("meta"):
        encoder = LESSON.reference("Encoder")(n_layers, d, 8, f)
        decoder = LESSON.reference("Decoder")(n_layers, d, 8, f)
    attention, feed_forward, norm = 4 * (d * d + d), 2 * d * f + f + d, 2 * d
    parts = {
        "encoder": (encoder, n_layers * (attention + feed_forward + 2 * norm)),
        "decoder": (decoder, n_layers * (2 * attention + feed_forward + 3 * norm)),
    }
    for name, (part, by_hand) in parts.items():
        assert sum(parameter.numel() for parameter in part.parameters()) == by_hand, name
    model = LESSON.reference("Transformer")(n_src, n_tgt, d_model=8, n_heads=2, n_layers=1, d_ff=12)
    d, f = 8, 12
    attention, feed_forward, norm = 4 * (d * d + d), 2 * d * f + f + d, 2 * d
    by_hand = 3 * attention + 2 * feed_forward + 5 * norm + d * n_src + d * n_tgt + (d + 1) * n_tgt
    assert sum(parameter.numel() for parameter in model.parameters()) == by_hand


def test_the_base_model_has_the_numbers_that_the_lesson_prints():
    """As in section 8 of the lesson, for the paper's sizes and 37,000 words."""
    model = LESSON.reference("Transformer")(37000, 37000, d_model=512, n_heads=8, n_layers=6, d_ff=2048)
    assert {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()} == {
        "src_embeddings": 18_944_000,
        "tgt_embeddings": 18_944_000,
        "encoder": 18_914_304,
        "decoder": 25_224_192,
        "generator": 18_981_000,
    }
