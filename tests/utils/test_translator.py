"""A translator travels in a file of names and numbers; what is no such file is told in a sentence.

Files that are damaged or of something else are tried in tests/grader/test_capstone.py, as submissions.
"""

import json

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from utils.stand_ins import stand_in  # noqa: E402
from utils.translator import FILE, heads_of, load_translator, save_translator  # noqa: E402

Transformer = stand_in("Transformer")


@pytest.mark.parametrize("sizes", [(7, 9, 8, 2, 1, 12), (5, 6, 12, 3, 2, 10), (9, 9, 4, 1, 3, 4)])
def test_a_translator_comes_back_as_it_was(sizes, tmp_path):
    torch.manual_seed(0)
    model = Transformer(*sizes)
    assert save_translator(model, tmp_path / FILE) == (tmp_path / FILE).stat().st_size
    again = load_translator(Transformer, tmp_path / FILE)
    src, tgt = torch.randint(1, 5, (2, 4)), torch.randint(1, 5, (2, 3))
    assert not again.training and heads_of(again) == sizes[3] == heads_of(model)
    torch.testing.assert_close(again(src, tgt), model.eval()(src, tgt))


def test_numbers_of_less_precision_are_read_too(tmp_path):
    save_translator(Transformer(7, 9, 8, 2, 1, 12).to(torch.bfloat16), tmp_path / FILE)
    assert {one.dtype for one in load_translator(Transformer, tmp_path / FILE).parameters()} == {torch.float32}


def test_a_file_with_too_many_layers_builds_nothing(tmp_path):
    save_translator(Transformer(5, 5, 4, 1, 13, 4), tmp_path / FILE)
    with pytest.raises(ValueError, match="holds no Transformer that can be built"):
        load_translator(Transformer, tmp_path / FILE)


@pytest.mark.parametrize("name", ["tgt_embeddings.tokens.weight", "encoder.layers.0.feed_forward.linear_1.weight"])
def test_a_small_file_cannot_ask_for_a_huge_model(name, tmp_path):
    save_translator(Transformer(7, 9, 8, 2, 1, 12), tmp_path / FILE)
    weights = load_file(tmp_path / FILE)
    weights[name] = torch.zeros(10**12, 0)  # no number in it, many rows
    save_file(weights, tmp_path / FILE, {"n_heads": "2"})
    with pytest.raises(ValueError, match="sizes that do not fit together"):
        load_translator(Transformer, tmp_path / FILE)


def test_where_there_is_no_file_a_sentence_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=f"there is no {FILE} beside the notebook: run the cell that saves it"):
        load_translator(Transformer, tmp_path / FILE)


def test_a_file_that_says_nothing_beside_its_numbers_is_read(tmp_path):
    save_translator(Transformer(7, 9, 8, 4, 1, 12), tmp_path / FILE)
    data = (tmp_path / FILE).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + size]) | {"__metadata__": None}).encode()
    (tmp_path / FILE).write_bytes(len(header).to_bytes(8, "little") + header + data[8 + size :])
    assert heads_of(load_translator(Transformer, tmp_path / FILE)) == 4
