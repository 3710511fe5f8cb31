"""The stand-ins for module exercises: torch.nn's numbers, the answers' members, and no use as answers."""

import numpy as np
import pytest

from utils import probe
from utils.stand_ins import MODULES, stand_in
from utils.values import plain

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from utils import modules  # noqa: E402

SRC = torch.tensor([[5, 3, 8, 2, 0], [7, 1, 0, 0, 0]])
TGT = torch.tensor([[1, 4, 6, 2], [1, 9, 2, 0]])


def copied(target, source):
    """Weights from one module to another, matched by order and shape."""
    with torch.no_grad():
        for one, other in zip(target.parameters(), source.parameters(), strict=True):
            one.copy_(other)


def test_multi_head_attention_is_torchs():
    ours, theirs = stand_in("MultiHeadAttention")(8, 2).double(), nn.MultiheadAttention(8, 2, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.w_q.weight, ours.w_k.weight, ours.w_v.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.w_q.bias, ours.w_k.bias, ours.w_v.bias]))
        theirs.out_proj.weight.copy_(ours.w_o.weight)
        theirs.out_proj.bias.copy_(ours.w_o.bias)
    query, key = torch.randn(2, 3, 8).double(), torch.randn(2, 5, 8).double()
    real = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    output, weights = ours(query, key, key, real[:, None, None])
    wanted = theirs(query, key, key, key_padding_mask=~real, average_attn_weights=False)
    torch.testing.assert_close((output, weights), tuple(wanted))


def test_a_row_that_sees_nothing_gets_zeros():
    q = torch.randn(1, 2, 4, requires_grad=True)
    output, weights = stand_in("attention")(q, q, q, torch.tensor([[True, False], [False, False]]))
    output.sum().backward()
    assert not output[0, 1].any() and not weights[0, 1].any() and q.grad.isfinite().all()


@pytest.mark.parametrize("training", [False, True])
def test_the_whole_is_torchs(training):
    ours = stand_in("Transformer")(10, 11, 8, 2, 2, 16).double().train(training)
    theirs = nn.Transformer(8, 2, 2, 2, 16, dropout=0.0, batch_first=True).double().train(training)
    theirs.encoder.norm = theirs.decoder.norm = None
    theirs.encoder.enable_nested_tensor = False
    for stack in ("encoder", "decoder"):
        for one, other in zip(getattr(theirs, stack).layers, getattr(ours, stack).layers):
            for name, attention in ((("self_attn", other.self_attention)), ("multihead_attn", getattr(other, "cross_attention", None))):
                if attention is None:
                    continue
                torchs = getattr(one, name)
                with torch.no_grad():
                    torchs.in_proj_weight.copy_(torch.cat([attention.w_q.weight, attention.w_k.weight, attention.w_v.weight]))
                    torchs.in_proj_bias.copy_(torch.cat([attention.w_q.bias, attention.w_k.bias, attention.w_v.bias]))
                copied(torchs.out_proj, attention.w_o)
            copied(one.linear1, other.feed_forward.linear_1)
            copied(one.linear2, other.feed_forward.linear_2)
            for i in (1, 2, 3):
                if hasattr(other, f"norm_{i}"):
                    copied(getattr(one, f"norm{i}"), getattr(other, f"norm_{i}"))
    wanted = ours.generator(
        theirs(
            ours.src_embeddings(SRC), ours.tgt_embeddings(TGT), src_key_padding_mask=SRC == 0,
            memory_key_padding_mask=SRC == 0, tgt_key_padding_mask=TGT == 0,
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(4) < 0,
        )
    )  # fmt: skip
    torch.testing.assert_close(ours(SRC, TGT)[TGT != 0], wanted[TGT != 0])


def module_request(name, *inputs, build, refuse):
    parameters = modules.shapes(stand_in(name)(*build))
    kwargs = {
        "ask": "output", "build": list(build), "options": {}, "parameters": parameters, "seed": 1, "training": False,
        "inputs": list(inputs), "named": {},
    }  # fmt: skip
    return {"name": name, "probe": "module", "args": [], "kwargs": plain(kwargs), "refuse": refuse}


X = torch.randn(2, 3, 8)


@pytest.mark.parametrize(
    "name, build, inputs, refuse",
    [
        ("MultiHeadAttention", (8, 2), (X, X, X), ["F.scaled_dot_product_attention", "nn.MultiheadAttention"]),
        ("LayerNorm", (8,), (X,), ["nn.LayerNorm"]),
        ("EncoderLayer", (8, 2, 16), (X,), ["nn.Transformer"]),
        ("DecoderLayer", (8, 2, 16), (X, X), ["nn.Transformer"]),
        ("Encoder", (2, 8, 2, 16), (X,), ["nn.Transformer"]),
        ("Decoder", (2, 8, 2, 16), (X, X), ["nn.Transformer"]),
        ("Transformer", (10, 11, 8, 2, 2, 16), (SRC, TGT), ["nn.Transformer"]),
    ],
)
def test_handed_in_as_an_answer_it_is_refused(name, build, inputs, refuse):
    request = module_request(name, *inputs, build=build, refuse=refuse)
    assert probe.run({name: stand_in(name)}, request | {"refuse": []})["status"] == "value"
    assert probe.run({name: stand_in(name)}, request)["status"] == "refused"


def test_a_later_answer_may_use_it():
    class Encoder(nn.Module):
        def __init__(self, n_layers, *sizes):
            super().__init__()
            self.layers = nn.ModuleList(stand_in("EncoderLayer")(*sizes) for _ in range(n_layers))

        def forward(self, x, mask=None):
            for layer in self.layers:
                x = layer(x, mask)
            return x

    request = module_request("Encoder", X, build=(2, 8, 2, 16), refuse=["nn.Transformer"])
    assert probe.run({"Encoder": Encoder}, request)["status"] == "value"


@pytest.mark.parametrize("keys, values, told", [((5, 3), (5, 2), "equally wide"), ((5, 4), (6, 4), "one value for each")])
def test_shapes_that_do_not_fit_are_told_without_pytorch(keys, values, told):
    with pytest.raises(ValueError, match=told):
        stand_in("scaled_dot_product_attention")(np.ones((2, 4)), np.ones(keys), np.ones(values))


def test_each_is_where_it_says():
    for names in MODULES.values():
        assert all(callable(stand_in(name)) for name in names)


def test_one_that_is_not_there_is_told_of():
    with pytest.raises(ValueError, match="there is no stand-in for nothing; there is one for embed, "):
        stand_in("nothing")
