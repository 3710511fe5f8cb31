"""The figures: every one is drawn, prints nothing, leaves its inputs alone, and says what it cannot draw."""

import inspect
import re

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest

from utils import plots

WORDS = ["Jane", "visite", "l'Afrique", "en", "septembre"]
WEIGHTS = np.full((5, 5), 0.2)
MASK = np.eye(5, dtype=bool)
VALUES = np.arange(15.0).reshape(5, 3) - 7

GOOD = {
    "attention": lambda: plots.attention(WEIGHTS, WORDS),
    "attention, two queries": lambda: plots.attention(WEIGHTS[:2], WORDS[:2], WORDS),
    "attention, four heads": lambda: plots.attention(
        np.full((4, 5, 5), 0.2), WORDS, titles=["a", "b", "c", "d"], title="heads"
    ),
    "attention, long": lambda: plots.attention(np.full((60, 60), 1 / 60)),
    "attention, one word": lambda: plots.attention([[1.0]], ["Jane"]),
    "attention, not a number": lambda: plots.attention(np.full((2, 2), np.nan)),
    "explore": lambda: plots.explore(WEIGHTS, WORDS),
    "explore, layers and heads": lambda: plots.explore(
        np.full((2, 3, 5, 5), 0.2), WORDS, title="heads", heads=["a", "b", "c"]
    ),
    "explore, two queries": lambda: plots.explore(np.full((4, 2, 5), 0.2), WORDS[:2], WORDS),
    "explore, not a number": lambda: plots.explore(np.full((2, 2), np.nan), WORDS[:2]),
    "masks": lambda: plots.masks(MASK, WORDS, title="mask"),
    "masks, two queries": lambda: plots.masks(MASK[:2], WORDS[:2], WORDS),
    "masks, dialects": lambda: plots.masks(
        [MASK, MASK], WORDS, entries=[~MASK, np.where(MASK, 0.0, -np.inf)], titles=["a", "b"]
    ),
    "masks, one with entries": lambda: plots.masks(MASK, entries=MASK.astype(int)),
    "masks, large": lambda: plots.masks(np.ones((40, 40), dtype=bool)),
    "vectors": lambda: plots.vectors(VALUES, WORDS, ["a", "b", "c"], title="values"),
    "vectors, several": lambda: plots.vectors(
        {"q": VALUES, "k": WEIGHTS}, WORDS, {"q": ["a", "b", "c"], "k": WORDS}
    ),
    "vectors, large": lambda: plots.vectors(np.random.default_rng(0).normal(size=(50, 128))),
    "vectors, infinite": lambda: plots.vectors(np.array([[np.inf, -np.inf, np.nan]])),
    "bars": lambda: plots.bars(VALUES[:, 0], WORDS, ylabel="score"),
    "bars, several": lambda: plots.bars({"a": VALUES[:, 0], "b": VALUES[:, 1]}, WORDS),
    "looks": lambda: plots.looks(WORDS, 2),
    "looks, weights": lambda: plots.looks(WORDS, 0, WEIGHTS[0], title="Jane looks"),
    "weighted_sum": lambda: plots.weighted_sum(
        WEIGHTS[0], VALUES, WEIGHTS[0] @ VALUES, WORDS, ["a", "b", "c"], title="sum"
    ),
    "lines": lambda: plots.lines(
        [1, 2, 4], {"a": [1, 2, 3], "b": [3, 2, 1]}, xlabel="x", ylabel="y", xscale="log2", yscale="log"
    ),
    "clocks": lambda: plots.clocks(VALUES, WORDS, ["a", "b", "c"], title="clocks"),
    "clocks, many": lambda: plots.clocks(np.full((6, 16), np.pi)),
    "clocks, not a number": lambda: plots.clocks([[np.nan, np.inf]], ["Jane"]),
    "flow": lambda: plots.flow(
        {"x": (0, 0, "$x$"), "y": (1, 1, "é")}, [("x", "y", "f"), ("x", "y")], title="flow"
    ),
}

BAD = [
    (
        lambda: plots.attention(np.ones((5, 3)), WORDS, WORDS),
        "plots.attention: expected 3 words for the columns (n_k), received 5.",
    ),
    (
        lambda: plots.attention(np.ones(5), WORDS),
        "plots.attention: expected weights of shape (n_q, n_k), received shape (5,).",
    ),
    (
        lambda: plots.attention(None, WORDS),
        "plots.attention: expected weights to be an array of real numbers, "
        "received None (did the function return its result?).",
    ),
    (
        lambda: plots.attention((np.ones((5, 3)), np.ones((5, 5))), WORDS),
        "plots.attention: expected weights to be an array of real numbers, "
        "received a tuple of 2 things that do not form one array.",
    ),
    (
        lambda: plots.explore(np.ones(5), WORDS),
        "plots.explore: expected weights of shape (n_q, n_k), received shape (5,).",
    ),
    (
        lambda: plots.explore(np.ones((1, 2, 3, 5, 5)), WORDS),
        "plots.explore: expected weights of shape (n_layers, n_heads, n_q, n_k), received shape (1, 2, 3, 5, 5).",
    ),
    (
        lambda: plots.explore([[0.5, 0.5], [1.0]], WORDS[:2]),
        "plots.explore: expected weights to be an array of real numbers, "
        "received a list of 2 things that do not form one array.",
    ),
    (
        lambda: plots.explore(WEIGHTS, WORDS[:4]),
        "plots.explore: expected 5 words for the rows (n_q), received 4.",
    ),
    (
        lambda: plots.explore(WEIGHTS, WORDS, heads=["a", "b"]),
        "plots.explore: expected 1 names of heads, received 2.",
    ),
    (
        lambda: plots.masks(WEIGHTS, WORDS),
        "plots.masks: expected mask to be True and False (bool), received an array of dtype float64.",
    ),
    (
        lambda: plots.masks(None, WORDS),
        "plots.masks: expected mask to be an array of real numbers, "
        "received None (did the function return its result?).",
    ),
    (
        lambda: plots.masks(MASK[None, None], WORDS),
        "plots.masks: expected mask of shape (n_q, n_k), received shape (1, 1, 5, 5).",
    ),
    (
        lambda: plots.masks(MASK, WORDS, entries=np.ones((5, 4))),
        "plots.masks: expected entries of shape (5, 5), received shape (5, 4).",
    ),
    (
        lambda: plots.masks([MASK, MASK], WORDS, entries=[MASK]),
        "plots.masks: expected entries for 2 pictures, received 1.",
    ),
    (
        lambda: plots.vectors(np.ones((2, 5, 3)), WORDS),
        "plots.vectors: expected values of shape (n, d), received shape (2, 5, 3).",
    ),
    (
        lambda: plots.vectors({"q": VALUES, "k": VALUES[:4]}, WORDS),
        "plots.vectors: expected 'k' of shape (5, d), received shape (4, 3).",
    ),
    (
        lambda: plots.vectors(VALUES, WORDS, ["a", "b"]),
        "plots.vectors: expected 3 features, received 2.",
    ),
    (
        lambda: plots.bars(WEIGHTS, WORDS),
        "plots.bars: expected values of shape (5,), received shape (5, 5).",
    ),
    (
        lambda: plots.bars({"a": np.array(["x"] * 5)}, WORDS),
        "plots.bars: expected series 'a' to be an array of real numbers, received an array of dtype <U1.",
    ),
    (
        lambda: plots.looks(WORDS, 5),
        "plots.looks: expected position between 0 and 4, received 5.",
    ),
    (
        lambda: plots.looks(WORDS, 0, np.ones(4)),
        "plots.looks: expected weights of shape (5,), received shape (4,).",
    ),
    (
        lambda: plots.weighted_sum(WEIGHTS[0], VALUES, VALUES[:, 0], WORDS),
        "plots.weighted_sum: expected output of shape (3,), received shape (5,).",
    ),
    (
        lambda: plots.lines([1, 2], {"a": [1, 2, 3]}, xlabel="x", ylabel="y"),
        "plots.lines: expected series 'a' of shape (2,), received shape (3,).",
    ),
    (
        lambda: plots.lines([1], {}, xlabel="x", ylabel="y"),
        "plots.lines: expected at least one series, received none.",
    ),
    (
        lambda: plots.lines([1], {"a": [1]}, xlabel="x", ylabel="y", xscale="root"),
        "plots.lines: expected a scale linear, log or log2, received root.",
    ),
    (
        lambda: plots.clocks(np.ones(5), WORDS),
        "plots.clocks: expected angles of shape (n, n_clocks), received shape (5,).",
    ),
    (
        lambda: plots.clocks(VALUES, WORDS, WORDS),
        "plots.clocks: expected 3 columns, received 5.",
    ),
    (
        lambda: plots.flow({"x": (0, 0, "x")}, [("x", "z")]),
        "plots.flow: expected arrows between x, received 'z'.",
    ),
]


@pytest.fixture
def shown(monkeypatch):
    """The figures open at the moment of plt.show, as widths in inches."""
    widths = []
    monkeypatch.setattr(
        plt, "show", lambda: widths.extend(plt.figure(n).get_figwidth() for n in plt.get_fignums())
    )
    plt.close("all")
    return widths


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", GOOD)
def test_draws_one_figure_that_fits_and_prints_nothing(name, shown, capsys):
    assert GOOD[name]() is None
    assert len(shown) == 1
    assert shown[0] <= 8.4
    assert plt.get_fignums() == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.filterwarnings("error")
def test_without_a_screen_nothing_is_shown_and_nothing_is_said(capsys):
    plots.bars([1.0, 2.0], ["Jane", "visite"])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", GOOD)
def test_where_nobody_looks_something_else_is_done_instead(name, shown, capsys, monkeypatch):
    done = []
    monkeypatch.setattr(plots, "instead", lambda: done.append("instead"))
    monkeypatch.setattr(plt, "figure", None)  # none is even begun
    assert GOOD[name]() is None
    assert done == ["instead"] and shown == [] and capsys.readouterr() == ("", "")


@pytest.mark.parametrize("instead", [None, lambda: None], ids=["drawn", "not drawn"])
@pytest.mark.parametrize(("draw", "sentence"), BAD)
def test_says_what_was_expected_and_what_was_received(draw, sentence, instead, shown, monkeypatch):
    monkeypatch.setattr(plots, "instead", instead)
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        draw()
    assert plt.get_fignums() == []


def test_takes_torch_tensors(shown):
    torch = pytest.importorskip("torch")
    plots.attention(torch.full((5, 5), 0.2, requires_grad=True), WORDS)
    plots.attention(torch.full((5, 5), 0.2, dtype=torch.bfloat16), WORDS)
    plots.attention(torch.full((2, 5, 5), 0.2, requires_grad=True), WORDS)
    assert len(shown) == 3


@pytest.mark.parametrize("columns", [2, 9])
def test_what_a_box_says_stays_in_it(columns, monkeypatch):
    texts = []

    def measure():
        (ax,) = plt.gcf().axes
        texts.extend(ax.texts)
        for box, text in zip(ax.patches, ax.texts, strict=True):
            assert text.get_window_extent().width < box.get_window_extent().width

    monkeypatch.setattr(plt, "show", measure)
    said = ["mmmmmmmmm", "src_embeddings", "$q$", "", "é\nfinished", "n", "<eos>", "September", "0.156"][:columns]
    plots.flow({str(place): (place, 0, text) for place, text in enumerate(said)}, [])
    assert len(texts) == columns


def test_leaves_inputs_and_settings_alone(shown):
    weights, before = WEIGHTS.copy(), plt.rcParams.copy()
    plots.attention(weights, WORDS)
    assert np.array_equal(weights, WEIGHTS)
    assert plt.rcParams == before


def test_every_public_function_is_listed_and_described():
    public = {
        name
        for name, thing in vars(plots).items()
        if inspect.isfunction(thing) and thing.__module__ == plots.__name__ and name[0] != "_"
    }
    assert public == set(plots.__all__) == {name.split(",")[0] for name in GOOD}
    for name in public:
        assert "ValueError" in getattr(plots, name).__doc__
        assert f"``{name}``" in plots.__doc__
