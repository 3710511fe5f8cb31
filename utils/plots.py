"""Figures for the lessons.

Every function takes the arrays that a learner's own code gave, draws one figure, shows it and
returns nothing. Arrays may be NumPy arrays, nested lists or torch tensors; they are never changed.
A wrong shape raises ``ValueError`` with one sentence: what was expected, what was received.

All figures read the same in grey: cells are the darker the farther their number is from zero,
negative cells and second bars are hatched, lines differ by dash and marker, and small pictures
carry their numbers.

=================  ==============================================================
``attention``      weights as a picture: rows look, columns are looked at
``explore``        the same to point at: choose layer and head, see where a word looks
``masks``          masks as a picture: who may look at whom
``vectors``        one vector a row, one feature a column
``bars``           one number a word
``looks``          one word looking at the others: arcs as thick as the weights
``weighted_sum``   weights, value vectors and the output they add up to
``lines``          curves over a common x axis
``clocks``         a row of clock faces a word, each hand at an angle
``flow``           boxes and arrows, with shapes
=================  ==============================================================
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from IPython import get_ipython
from IPython.display import display
from matplotlib.colors import ListedColormap
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.ticker import FuncFormatter, NullFormatter

__all__ = ["attention", "bars", "clocks", "explore", "flow", "lines", "looks", "masks", "vectors", "weighted_sum"]

_WEIGHTS = "Blues"
_NUMBERS = ListedColormap(  # white at zero, dark at both ends
    np.vstack(
        [
            plt.get_cmap("Oranges_r")(np.linspace(0, 1, 128)),
            plt.get_cmap("GnBu")(np.linspace(0, 1, 128)),
        ]
    ),
    name="numbers",
)
_STEADY = "cividis_r"  # for pictures too large to carry numbers: darker is larger
_INK = "#1f2937"
_SOFT = "#6b7280"
_COLOURS = ("#1d4ed8", "#c2410c", "#111827", "#0f766e", "#9333ea", "#78716c")
_HATCHES = ("", "///", "...", "xx", "\\\\\\", "++")
_DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P")
STYLE = {
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.titlesize": 11.5,
    "axes.titlepad": 9,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.color": _INK,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
}
instead: Callable[[], None] | None = None  # called in the place of drawing; the grader sets it where nobody would look
_MAX_WIDTH = 8.3  # inches at 100 dots an inch: fits a notebook cell on a laptop
_MAX_NUMBERS = 160  # a picture with more cells than this shows colours only
_MAX_TICKS = 24
_STEPS = [digit * 10**power for power in range(9) for digit in (1, 2, 5)]  # between ticks
_BEND = 0.34  # how far an arc bows out, as a part of its length


# ---------------------------------------------------------------------------------------------
# reading what the learner's code gave
# ---------------------------------------------------------------------------------------------
def _plain(value: Any) -> np.ndarray:
    """A NumPy array of anything like one; of a PyTorch tensor wherever it lies, with gradients or not."""
    if not hasattr(value, "detach"):
        return np.asarray(value)
    kept = value.detach().cpu()
    return (kept.float() if kept.is_floating_point() else kept).numpy()  # NumPy has no bfloat16


def _array(where: str, name: str, value: Any, shape: Sequence[int | str]) -> np.ndarray:
    """Return `value` as a float array, or say in one sentence why it is not one of `shape`.

    In `shape` a number must match and a letter stands for any size.
    """
    try:
        array = _plain(value)
        if array.dtype.kind not in "biuf":
            raise TypeError
    except (TypeError, ValueError):
        raise ValueError(
            f"plots.{where}: expected {name} to be an array of real numbers, "
            f"received {_kind(value)}."
        ) from None
    fits = array.ndim == len(shape) and all(
        isinstance(want, str) or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits or array.size == 0:
        raise ValueError(
            f"plots.{where}: expected {name} of shape {_shape_text(shape)}, "
            f"received shape {_shape_text(array.shape)}."
        )
    return array.astype(float)


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype}"
    if value is None:
        return "None (did the function return its result?)"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)} things that do not form one array"
    return f"a value of type {type(value).__name__}"


def _shape_text(shape: Sequence[int | str]) -> str:
    inner = ", ".join(str(size) for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def _labels(where: str, name: str, labels: Sequence[str] | None, count: int) -> list[str] | None:
    if labels is None:
        return None
    labels = [str(label) for label in labels]
    if len(labels) != count:
        raise ValueError(f"plots.{where}: expected {count} {name}, received {len(labels)}.")
    return labels


def _position(where: str, name: str, value: int, count: int) -> int:
    if not 0 <= value < count:
        raise ValueError(
            f"plots.{where}: expected {name} between 0 and {count - 1}, received {value}."
        )
    return value


def _series(where: str, series: Any, shape: Sequence[int | str]) -> dict[str, np.ndarray]:
    if isinstance(series, Mapping):
        if not series:
            raise ValueError(f"plots.{where}: expected at least one series, received none.")
        return {
            str(name): _array(where, f"series '{name}'", value, shape)
            for name, value in series.items()
        }
    return {"": _array(where, "values", series, shape)}


# ---------------------------------------------------------------------------------------------
# drawing
# ---------------------------------------------------------------------------------------------
class _LeftOut(Exception):
    """Nobody will look at this figure: what was to be drawn fits, and that is all."""


def _figure(plot: Callable[..., None]) -> Callable[..., None]:
    """A function that draws one figure: where nobody will look, it checks its arguments and stops at its style."""

    @wraps(plot)
    def draw(*args: Any, **kwargs: Any) -> None:
        try:
            plot(*args, **kwargs)
        except _LeftOut:
            instead()

    return draw


def _style(constrained: bool = True) -> Any:
    """The settings that a figure is drawn with (a context manager)."""
    if instead is not None:
        raise _LeftOut
    return plt.rc_context({**STYLE, "figure.constrained_layout.use": constrained})


def _show(figure: plt.Figure) -> None:
    with warnings.catch_warnings():  # without a screen there is nothing to show, and that is fine
        warnings.filterwarnings("ignore", message=".*non-interactive.*")
        plt.show()
    plt.close(figure)


def _number(value: float, digits: int) -> str:
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def _ticks(axis: Any, labels: list[str] | None, count: int, rotation: float = 0) -> None:
    if labels is not None and count <= _MAX_TICKS:
        axis.set_ticks(range(count), labels)
    else:
        step = next(size for size in _STEPS if count <= 12 * size)
        places = range(0, count, step)
        axis.set_ticks(places, [labels[p] if labels else str(p) for p in places])
    axis.set_tick_params(length=0)
    if rotation:
        for label in axis.get_ticklabels():
            label.set(rotation=rotation, ha="right", rotation_mode="anchor")


def _picture(ax: Any, array: np.ndarray, cmap: Any, low: float, high: float, digits: int) -> Any:
    """Draw a matrix; when it is small with thin white gaps, its numbers and hatched negatives."""
    rows, columns = array.shape
    shown = ax.imshow(array, cmap=cmap, vmin=low, vmax=high, aspect="auto")
    for spine in ax.spines.values():
        spine.set_visible(False)
    if array.size <= _MAX_NUMBERS:
        ax.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
        ax.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
        ax.grid(which="minor", color="white", linewidth=2)
        ax.tick_params(which="minor", length=0)
        for r in range(rows):
            for c in range(columns):
                red, green, blue, _ = shown.cmap(shown.norm(array[r, c]))
                light = 0.299 * red + 0.587 * green + 0.114 * blue
                ink = _INK if light > 0.55 else "white"
                text = _number(array[r, c], digits)
                if text.startswith("−"):
                    _hatch(ax, r, c, ink)
                ax.text(
                    c,
                    r,
                    text,
                    ha="center",
                    va="center",
                    fontsize=9.5,
                    color=ink,
                )
    return shown


def _hatch(ax: Any, row: int, column: int, ink: str) -> None:
    """Mark a cell as negative: strokes along its upper and lower edge, clear of the number."""
    for top in (row - 0.47, row + 0.27):
        ax.add_patch(
            Rectangle(
                (column - 0.47, top),
                0.94,
                0.2,
                facecolor="none",
                edgecolor=ink,
                linewidth=0,
                hatch="////",
            )
        )


def _crowded(labels: list[str] | None, inches: float) -> bool:
    """True when labels set level would touch at this width."""
    if not labels or len(labels) > _MAX_TICKS:
        return False
    return max(map(len, labels)) * 0.08 + 0.06 > inches / len(labels)


def _grid(
    n_panels: int, n_q: int, n_k: int, row_labels: list[str] | None, column_labels: list[str] | None
) -> tuple[int, int, tuple[float, float], bool]:
    """For pictures of one size: how many across and down, inches in all, whether labels must slant."""
    across = 2 if n_panels == 4 else min(n_panels, 3)
    down = -(-n_panels // across)
    left = 0.085 * max([len(label) for label in row_labels or [""]]) + 0.5
    room = (_MAX_WIDTH - left - 0.2) / across
    width = min(room, max(2.2, 0.92 * n_k) if n_k <= _MAX_TICKS else 4.0)
    crowded = _crowded(column_labels, width - 0.15)
    height = max(0.9, 0.5 * n_q) if n_q <= _MAX_TICKS else width
    size = (left + across * width + 0.2, down * (height + (1.35 if crowded else 1.0)) + 0.2)
    return across, down, size, crowded


@_figure
def attention(
    weights: Any,
    words: Sequence[str] | None = None,
    key_words: Sequence[str] | None = None,
    *,
    title: str = "",
    titles: Sequence[str] | None = None,
    xlabel: str = "is looked at (keys)",
    ylabel: str = "looks (queries)",
) -> None:
    """Draw attention weights: row i shows where word i looks.

    Args:
        weights: `(n_q, n_k)`, or `(n_panels, n_q, n_k)` for several pictures side by side (heads,
            sentences). Small pictures carry their numbers, from 0 (white) to 1 (dark); in large
            ones the largest weight is darkest, and a scale says how large it is.
        words: n_q row labels.
        key_words: n_k column labels; `words` again where left out and n_q equals n_k.
        title: one line above the figure.
        titles: n_panels lines, one above each picture.
        xlabel: what the columns are.
        ylabel: what the rows are.

    Raises:
        ValueError: for another shape, or a number of words that does not fit.
    """
    try:
        panels = _array("attention", "weights", weights, ("n_panels", "n_q", "n_k"))
    except ValueError:
        panels = _array("attention", "weights", weights, ("n_q", "n_k"))[None]
    n_panels, n_q, n_k = panels.shape
    if key_words is None and n_q == n_k:
        key_words = words
    row_labels = _labels("attention", "words for the rows (n_q)", words, n_q)
    column_labels = _labels("attention", "words for the columns (n_k)", key_words, n_k)
    panel_titles = _labels("attention", "titles", titles, n_panels) or [""] * n_panels

    with _style():
        _show(_heat_maps(panels, row_labels, column_labels, title, panel_titles, xlabel, ylabel))


def _heat_maps(
    panels: np.ndarray,
    row_labels: list[str] | None,
    column_labels: list[str] | None,
    title: str,
    panel_titles: list[str],
    xlabel: str,
    ylabel: str,
) -> plt.Figure:
    n_panels, n_q, n_k = panels.shape
    is_small = n_q * n_k <= _MAX_NUMBERS
    high = 1.0 if is_small else max(np.nanmax(panels, initial=0.0), 1e-9)
    across, down, size, crowded = _grid(n_panels, n_q, n_k, row_labels, column_labels)
    figure, axes = plt.subplots(down, across, figsize=size, squeeze=False, sharey=True)
    if title:
        figure.suptitle(title, fontsize=12)
    for place, ax in enumerate(axes.flat):
        if place >= n_panels:
            ax.set_visible(False)
            continue
        shown = _picture(ax, panels[place], _WEIGHTS, 0.0, high, 2)
        _ticks(ax.xaxis, column_labels, n_k, 35 if crowded else 0)
        _ticks(ax.yaxis, row_labels, n_q)
        ax.set_title(panel_titles[place])
        ax.set_xlabel(xlabel)
        if place % across == 0:
            ax.set_ylabel(ylabel)
    if not is_small:
        figure.colorbar(shown, ax=axes, fraction=0.04, pad=0.02)
    return figure


@_figure
def explore(
    weights: Any,
    words: Sequence[str],
    key_words: Sequence[str] | None = None,
    *,
    title: str = "",
    heads: Sequence[str] | None = None,
) -> None:
    """Show attention weights to point at: choose layer and head, see where a word looks.

    A widget in a notebook (`utils.explorer`); where no widgets run, a picture of the last layer's heads.

    Args:
        weights: `(n_q, n_k)`, `(n_heads, n_q, n_k)` or `(n_layers, n_heads, n_q, n_k)`.
        words: the n_q words that look.
        key_words: the n_k words that are looked at; `words` again where left out.
        title: one line above.
        heads: what to call the heads; "head 1", "head 2", … where left out.

    Raises:
        ValueError: for another shape, or a number of words that does not fit.
    """
    shape = ("n_layers", "n_heads", "n_q", "n_k")
    try:
        n_axes = min(max(np.ndim(weights), 2), 4)
    except ValueError:  # of several lengths: what follows says so
        n_axes = 4
    array = _array("explore", "weights", weights, shape[-n_axes:])
    array = array.reshape((1,) * (4 - array.ndim) + array.shape)
    n_layers, n_heads, n_q, n_k = array.shape
    row_labels = _labels("explore", "words for the rows (n_q)", words, n_q)
    column_labels = _labels("explore", "words for the columns (n_k)", words if key_words is None else key_words, n_k)
    head_names = _labels("explore", "names of heads", heads, n_heads) or [f"head {n + 1}" for n in range(n_heads)]
    with _style():
        above = " – ".join(filter(None, [title, f"layer {n_layers} of {n_layers}" if n_layers > 1 else ""]))
        figure = _heat_maps(
            array[-1], row_labels, column_labels, above, head_names if n_heads > 1 else [""],
            "is looked at (keys)", "looks (queries)",
        )  # fmt: skip
        if get_ipython() is None:  # no notebook, no widgets
            return _show(figure)
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
        plt.close(figure)
    from utils.explorer import AttentionExplorer  # here: lessons without it need not wait for the widgets

    display(
        AttentionExplorer(
            weights=np.where(np.isfinite(array), array.round(4), None).tolist(),  # JSON has no NaN
            words=row_labels,
            key_words=column_labels,
            heads=head_names,
            title=title,
            picture=picture.getvalue(),
        )
    )


@_figure
def masks(
    mask: Any,
    words: Sequence[str] | None = None,
    key_words: Sequence[str] | None = None,
    *,
    entries: Any = None,
    title: str = "",
    titles: Sequence[str] | None = None,
    xlabel: str = "is looked at (keys)",
    ylabel: str = "looks (queries)",
) -> None:
    """Draw masks: a dark cell with a dot means "may be looked at", a white hatched one "hidden".

    Args:
        mask: booleans `(n_q, n_k)`, or `(n_panels, n_q, n_k)` for several pictures side by side;
            True means "may be looked at".
        words: n_q row labels.
        key_words: n_k column labels; `words` again where left out and n_q equals n_k.
        entries: what stands in the cells in place of dots: for each picture `(n_q, n_k)` booleans
            or numbers, such as the same mask in another library's convention.
        title: one line above the figure.
        titles: n_panels lines, one above each picture.
        xlabel: what the columns are.
        ylabel: what the rows are.

    Raises:
        ValueError: for numbers in place of booleans, another shape, or labels that do not fit.
    """
    try:
        panels = _array("masks", "mask", mask, ("n_panels", "n_q", "n_k"))
    except ValueError:
        panels = _array("masks", "mask", mask, ("n_q", "n_k"))[None]
    if _plain(mask).dtype.kind != "b":
        raise ValueError(f"plots.masks: expected mask to be True and False (bool), received {_kind(_plain(mask))}.")
    n_panels, n_q, n_k = panels.shape
    if entries is not None:
        entries = [_plain(entry) for entry in (entries if np.ndim(mask) == 3 else [entries])]
        if len(entries) != n_panels:
            raise ValueError(f"plots.masks: expected entries for {n_panels} pictures, received {len(entries)}.")
        for entry in entries:
            _array("masks", "entries", entry, (n_q, n_k))
    if key_words is None and n_q == n_k:
        key_words = words
    row_labels = _labels("masks", "words for the rows (n_q)", words, n_q)
    column_labels = _labels("masks", "words for the columns (n_k)", key_words, n_k)
    panel_titles = _labels("masks", "titles", titles, n_panels) or [""] * n_panels

    across, down, size, crowded = _grid(n_panels, n_q, n_k, row_labels, column_labels)
    with _style():
        figure, axes = plt.subplots(down, across, figsize=size, squeeze=False, sharey=True)
        if title:
            figure.suptitle(title, fontsize=12)
        for place, ax in enumerate(axes.flat):
            if place >= n_panels:
                ax.set_visible(False)
                continue
            _mask_picture(ax, panels[place] > 0, None if entries is None else entries[place])
            _ticks(ax.xaxis, column_labels, n_k, 35 if crowded else 0)
            _ticks(ax.yaxis, row_labels, n_q)
            ax.set_title(panel_titles[place])
            ax.set_xlabel(xlabel)
            if place % across == 0:
                ax.set_ylabel(ylabel)
        _show(figure)


def _mask_picture(ax: Any, visible: np.ndarray, entries: np.ndarray | None) -> None:
    n_q, n_k = visible.shape
    ax.set(xlim=(-0.5, n_k - 0.5), ylim=(n_q - 0.5, -0.5))
    for spine in ax.spines.values():
        spine.set_visible(False)
    for r, c in np.ndindex(n_q, n_k):
        seen = visible[r, c]
        ax.add_patch(
            Rectangle(
                (c - 0.47, r - 0.46),
                0.94,
                0.92,
                facecolor=_COLOURS[0] if seen else "white",
                edgecolor=_COLOURS[0] if seen else "#9ca3af",
                hatch="" if seen or entries is not None else "////",
                linewidth=0.8,
            )
        )
        if entries is None and not seen:
            continue
        text = "●" if entries is None else _entry(entries[r, c])
        ax.text(c, r, text, ha="center", va="center", fontsize=9, color="white" if seen else _INK)


def _entry(value: np.generic) -> str:
    return str(bool(value)) if value.dtype == bool else _number(float(value), 0)


@_figure
def vectors(
    rows: Any,
    words: Sequence[str] | None = None,
    features: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    *,
    title: str = "",
    digits: int = 1,
) -> None:
    """Draw vectors as a picture: one row a word, one column a feature.

    Small pictures carry their numbers: white is zero, darker is farther from zero, negative numbers
    are orange and hatched. Large ones are light for low and dark for high numbers.

    Args:
        rows: `(n, d)`, or a dictionary of name -> `(n, d)` for several pictures side by side, which
            then share the words and the colours; their d may differ.
        words: n row labels.
        features: d column labels; for a dictionary one list for all, or a dictionary of lists.
        title: one line above the figure.
        digits: digits after the point.

    Raises:
        ValueError: for another shape, or a number of labels that does not fit.
    """
    named = _series("vectors", rows, ("n", "d"))
    n = next(iter(named.values())).shape[0]
    for name, array in named.items():
        _array("vectors", f"'{name}'", array, (n, "d"))
    row_labels = _labels("vectors", "words", words, n)
    columns = {
        name: _labels(
            "vectors",
            "features" + (f" for '{name}'" if name else ""),
            features.get(name) if isinstance(features, Mapping) else features,
            array.shape[1],
        )
        for name, array in named.items()
    }
    finite = np.concatenate([array[np.isfinite(array)] for array in named.values()] + [[0.0]])
    is_small = all(array.size <= _MAX_NUMBERS for array in named.values())
    low, high = finite.min(), max(finite.max(), finite.min() + 1e-9)
    if is_small:
        low, high = _around_zero(finite)

    left = 0.085 * max([len(label) for label in row_labels or [""]]) + 0.3
    widths = [min(0.72 * array.shape[1], 7.6) for array in named.values()]
    shrink = min(1.0, (_MAX_WIDTH - left) / (sum(widths) + 0.15 * len(widths)))
    widths = [width * shrink for width in widths]
    is_crowded = any(
        _crowded(labels, width) for labels, width in zip(columns.values(), widths, strict=True)
    )
    height = 0.44 * n if n <= _MAX_TICKS else 4.0
    size = (left + sum(widths) + 0.15 * len(widths), height + (1.45 if is_crowded else 1.05))
    with _style():
        figure, axes = plt.subplots(
            1,
            len(named),
            figsize=size,
            squeeze=False,
            sharey=True,
            gridspec_kw={"width_ratios": widths},
        )
        if title:
            figure.suptitle(title, fontsize=12)
        for ax, (name, array) in zip(axes.flat, named.items(), strict=True):
            shown = _picture(ax, array, _NUMBERS if is_small else _STEADY, low, high, digits)
            _ticks(ax.xaxis, columns[name], array.shape[1], 40 if is_crowded else 0)
            _ticks(ax.yaxis, row_labels, n)
            ax.set_title(name)
        if not is_small:
            figure.colorbar(shown, ax=axes, fraction=0.04, pad=0.02)
        _show(figure)


def _around_zero(numbers: np.ndarray) -> tuple[float, float]:
    reach = max(np.abs(numbers[np.isfinite(numbers)]).max(initial=0.0), 1e-9)
    return -reach, reach


@_figure
def bars(
    values: Any,
    words: Sequence[str],
    *,
    title: str = "",
    ylabel: str = "",
    digits: int = 2,
) -> None:
    """Draw one bar a word, its number on top.

    Args:
        values: `(n,)`, or a dictionary of name -> `(n,)` for groups of bars told apart by hatching.
        words: n labels.
        title: one line above the figure.
        ylabel: what the bars measure.
        digits: digits after the point.

    Raises:
        ValueError: for another shape than `(n,)`.
    """
    words = [str(word) for word in words]
    named = _series("bars", values, (len(words),))
    thick = 0.8 / len(named)
    with _style():
        width = min(_MAX_WIDTH, max(4.5, 1.2 + len(words) * max(0.9, 0.55 * len(named))))
        figure, ax = plt.subplots(figsize=(width, 3.1 + (0.3 if len(named) > 1 else 0)))
        for turn, (name, array) in enumerate(named.items()):
            places = np.arange(len(words)) + (turn - (len(named) - 1) / 2) * thick
            drawn = ax.bar(
                places,
                np.nan_to_num(array, posinf=0.0, neginf=0.0),
                width=thick * 0.92,
                label=name,
                color=_COLOURS[turn % len(_COLOURS)] if turn == 0 else "white",
                edgecolor=_COLOURS[turn % len(_COLOURS)],
                hatch=_HATCHES[turn % len(_HATCHES)],
                linewidth=1.2,
            )
            ax.bar_label(
                drawn, [_number(value, digits) for value in array], padding=2, fontsize=9.5
            )
        ax.set_xticks(range(len(words)), words)
        ax.tick_params(axis="x", length=0)
        ax.axhline(0, color=_SOFT, linewidth=0.8)
        ax.margins(y=0.14)
        ax.set_ylabel(ylabel)
        ax.set_title(title)
        if len(named) > 1:
            figure.legend(loc="outside lower center", ncols=min(len(named), 3))
        _show(figure)


@_figure
def looks(
    words: Sequence[str],
    position: int,
    weights: Any = None,
    *,
    title: str = "",
) -> None:
    """Draw one word looking at every word of the sentence, itself included.

    Args:
        words: the n words of the sentence.
        position: which word looks, counted from 0.
        weights: `(n,)`: an arc is the thicker and darker the larger its weight, and the weight is
            written below the word. Left out, all arcs are alike and a question mark stands there.
        title: one line above the figure.

    Raises:
        ValueError: for weights of another shape, or a position outside the sentence.
    """
    words = [str(word) for word in words]
    n = len(words)
    _position("looks", "position", position, n)
    shares = None if weights is None else _array("looks", "weights", weights, (n,))
    apart = min(_MAX_WIDTH / n, 1.65)
    reach = max(position, n - 1 - position, 1.6)  # the longest arc, in words
    top = 0.42 + _BEND / 2 * apart * reach + 0.25
    height = 0.42 + top + (0.3 if title else 0)
    with _style(constrained=False):
        figure = plt.figure(figsize=(apart * n, height))
        ax = figure.add_axes((0, 0, 1, 1))
        ax.axis("off")
        ax.set(xlim=(-0.5, n - 0.5), ylim=(-0.42, height - 0.42))  # upwards one unit is one inch
        if title:
            figure.suptitle(title, fontsize=12, y=1 - 0.08 / height, va="top")
        for place, word in enumerate(words):
            share = 0.35 if shares is None else float(np.clip(np.nan_to_num(shares[place]), 0, 1))
            colour = _SOFT if shares is None else plt.get_cmap(_WEIGHTS)(0.35 + 0.65 * share)
            start, end = (position, 0.42), (place, 0.42)
            if place == position:
                start, end = (position - 0.13, 0.42), (position + 0.13, 0.42)
            ax.add_patch(
                FancyArrowPatch(
                    start,
                    end,
                    connectionstyle=_arc(place - position),
                    arrowstyle="-|>",
                    mutation_scale=13,
                    linewidth=1.2 if shares is None else 0.8 + 7 * share,
                    linestyle="--" if shares is None else "-",
                    color=colour,
                    zorder=2 + share,
                )
            )
            ax.text(
                place,
                0.2,
                word,
                ha="center",
                va="center",
                fontsize=12,
                weight="bold" if place == position else "normal",
                bbox={
                    "boxstyle": "round,pad=0.3",
                    "facecolor": "white",
                    "edgecolor": _INK if place == position else "none",
                },
                zorder=5,
            )
            below = "?" if shares is None else _number(shares[place], 2)
            ax.text(place, -0.22, below, ha="center", va="center", color=_INK)
        _show(figure)


def _arc(step: int) -> str:
    if step == 0:
        return "arc3,rad=-2.2"
    return f"arc3,rad={-_BEND if step > 0 else _BEND}"


@_figure
def weighted_sum(
    weights: Any,
    values: Any,
    output: Any,
    words: Sequence[str],
    features: Sequence[str] | None = None,
    *,
    title: str = "",
) -> None:
    """Draw how weights and value vectors add up to one output vector.

    Args:
        weights: `(n,)`, one weight a word.
        values: `(n, d_v)`, one value vector a word.
        output: `(d_v,)`, the weighted sum.
        words: n row labels.
        features: d_v column labels.
        title: one line above the figure.

    Raises:
        ValueError: for shapes that do not fit together.
    """
    words = [str(word) for word in words]
    n = len(words)
    weights = _array("weighted_sum", "weights", weights, (n,))
    values = _array("weighted_sum", "values", values, (n, "d_v"))
    d_v = values.shape[1]
    output = _array("weighted_sum", "output", output, (d_v,))
    columns = _labels("weighted_sum", "features", features, d_v)
    parts = weights[:, None] * values
    low, high = _around_zero(np.concatenate([values.ravel(), output]))

    wide = max(0.8 * d_v, 1.6)
    scale = min(1.0, (_MAX_WIDTH - 2.6) / (2 * wide + 0.9))
    with _style(constrained=False):
        figure = plt.figure(figsize=(min(_MAX_WIDTH, 2 * wide + 3.5), 0.44 * (n + 1) + 1.7))
        grid = figure.add_gridspec(
            2,
            3,
            width_ratios=[0.9 * scale, wide * scale, wide * scale],
            height_ratios=[n, 1],
            hspace=0.32,
            wspace=0.24,
            left=0.13,
            right=0.98,
            bottom=0.13,
            top=0.8 if title else 0.88,
        )
        if title:
            figure.suptitle(title, fontsize=12, y=0.97)
        left, middle, right = (figure.add_subplot(grid[0, column]) for column in range(3))
        _picture(left, weights[:, None], _WEIGHTS, 0, 1, 2)
        _picture(middle, values, _NUMBERS, low, high, 2)
        _picture(right, parts, _NUMBERS, low, high, 2)
        left.set_title("weight")
        middle.set_title("× value")
        right.set_title("= part of the output")
        below = figure.add_subplot(grid[1, 2])
        _picture(below, output[None], _NUMBERS, low, high, 2)
        for ax in (left, middle, right, below):
            ax.set_xticks([])
            ax.set_yticks([])
        _ticks(left.yaxis, words, n)
        _ticks(middle.xaxis, columns, d_v)
        _ticks(below.xaxis, columns, d_v)
        _ticks(below.yaxis, ["output (sum)"], 1)
        _show(figure)


@_figure
def lines(
    x: Any,
    series: Mapping[str, Any],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    xscale: str = "linear",
    yscale: str = "linear",
) -> None:
    """Draw one or several curves over the same x axis.

    Args:
        x: `(n,)`.
        series: name -> `(n,)`; each curve has its own dash and marker.
        xlabel: what the x axis is.
        ylabel: what the y axis is.
        title: one line above the figure.
        xscale: `"linear"`, `"log"` or `"log2"`.
        yscale: the same.

    Raises:
        ValueError: for a curve that is not as long as x.
    """
    for scale in (xscale, yscale):
        if scale not in ("linear", "log", "log2"):
            raise ValueError(
                f"plots.lines: expected a scale linear, log or log2, received {scale}."
            )
    x = _array("lines", "x", x, ("n",))
    named = _series("lines", series, (len(x),))
    with _style():
        figure, ax = plt.subplots(figsize=(7.4, 3.5))
        for turn, (name, array) in enumerate(named.items()):
            ax.plot(
                x,
                array,
                label=name,
                color=_COLOURS[turn % len(_COLOURS)],
                linestyle=_DASHES[turn % len(_DASHES)],
                linewidth=2,
                marker=_MARKERS[turn % len(_MARKERS)] if len(x) <= 30 else None,
                markersize=6,
            )
        _scale(ax, "x", xscale, x)
        _scale(ax, "y", yscale, np.concatenate(list(named.values())))
        ax.grid(color="#e5e7eb", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
        if any(named):
            ax.legend()
        _show(figure)


def _scale(ax: Any, which: str, scale: str, values: np.ndarray) -> None:
    if scale == "linear":
        return
    getattr(ax, f"set_{which}scale")("log", base=2 if scale == "log2" else 10)
    axis = getattr(ax, f"{which}axis")
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
    if scale == "log2":
        places = sorted(set(values.tolist()))
        if len(places) <= 12:
            axis.set_ticks(places, [f"{place:g}" for place in places])
            axis.set_ticks([], minor=True)


@_figure
def clocks(
    angles: Any,
    words: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    *,
    title: str = "",
) -> None:
    """Draw angles as the hands of clocks: one row a word, one column a clock.

    Args:
        angles: `(n, n_clocks)` in radians, clockwise from the top, so that a hand's tip lies
            `sin(angle)` to the right and `cos(angle)` up.
        words: n row labels.
        columns: n_clocks column labels; "clock 0", "clock 1", … where left out.
        title: one line above the figure.

    Raises:
        ValueError: for another shape, or a number of labels that does not fit.
    """
    angles = _array("clocks", "angles", angles, ("n", "n_clocks"))
    n, n_clocks = angles.shape
    row_labels = _labels("clocks", "words", words, n)
    top_labels = _labels("clocks", "columns", columns, n_clocks)
    top_labels = top_labels or [f"clock {place}" for place in range(n_clocks)]
    left = 0.085 * max([len(label) for label in row_labels or [""]]) + 0.2
    apart = min(0.95, (_MAX_WIDTH - left) / n_clocks)
    wide, high = left + apart * n_clocks, apart * n + 0.35 + (0.35 if title else 0)
    with _style(constrained=False):
        figure = plt.figure(figsize=(wide, high))
        ax = figure.add_axes((left / wide, 0, apart * n_clocks / wide, apart * n / high))
        ax.axis("off")
        ax.set(xlim=(-0.5, n_clocks - 0.5), ylim=(n - 0.5, -0.5))
        if title:
            figure.suptitle(title, fontsize=12, x=0.5, y=1 - 0.08 / high, va="top")
        for row in range(n):
            if row_labels:
                ax.text(-0.55, row, row_labels[row], ha="right", va="center")
            for column in range(n_clocks):
                ax.add_patch(Circle((column, row), 0.42, facecolor="#eff6ff", edgecolor=_SOFT))
                ax.plot([column, column], [row - 0.42, row - 0.35], color=_SOFT, linewidth=1)
                if np.isfinite(angles[row, column]):
                    right, up = np.sin(angles[row, column]), np.cos(angles[row, column])
                    ax.annotate(
                        "",
                        (column + 0.4 * right, row - 0.4 * up),
                        (column, row),
                        arrowprops={
                            "arrowstyle": "-|>",
                            "color": _COLOURS[0],
                            "linewidth": 1.8,
                            "shrinkA": 0,
                            "shrinkB": 0,
                        },
                    )
        for column, label in enumerate(top_labels):
            ax.text(column, -0.55, label, ha="center", va="bottom", fontsize=9.5)
        _show(figure)


@_figure
def flow(
    boxes: Mapping[str, tuple[float, float, str]],
    arrows: Sequence[tuple[str, ...]],
    *,
    title: str = "",
) -> None:
    """Draw boxes joined by arrows: what is computed from what.

    Args:
        boxes: name -> `(column, row, text)`; columns grow to the right and rows downwards, and
            fractions are fine. Text may have several lines and mathtext such as `$q$`.
        arrows: `(from, to)` or `(from, to, text)`, by the names of boxes.
        title: one line above the figure.

    Raises:
        ValueError: for no boxes at all, or an arrow that names none of them.
    """
    if not boxes:
        raise ValueError("plots.flow: expected at least one box, received none.")
    for arrow in arrows:
        for end in arrow[:2]:
            if end not in boxes:
                raise ValueError(
                    f"plots.flow: expected arrows between {', '.join(boxes)}, received '{end}'."
                )
    columns = [place[0] for place in boxes.values()]
    rows = [place[1] for place in boxes.values()]
    across, down = max(columns) - min(columns), max(rows) - min(rows)
    with _style(constrained=False):
        width = min(_MAX_WIDTH, 1.75 * across + 1.8)
        height = 0.95 * down + 1.0 + (0.4 if title else 0)
        figure = plt.figure(figsize=(width, height))
        top = 1 - (0.4 / height if title else 0)
        ax = figure.add_axes((0, 0, 1, top))
        ax.set(
            xlim=(min(columns) - 0.55, max(columns) + 0.55),
            ylim=(max(rows) + 0.52, min(rows) - 0.52),
        )
        ax.axis("off")
        if title:
            figure.suptitle(title, fontsize=12, y=1 - 0.12 / height, va="top")
        patches = {}
        for name, (column, row, text) in boxes.items():
            patches[name] = FancyBboxPatch(
                (column - 0.34, row - 0.29),
                0.68,
                0.58,
                boxstyle="round,pad=0.0,rounding_size=0.08",
                facecolor="#eff6ff",
                edgecolor=_COLOURS[0],
                linewidth=1.2,
            )
            ax.add_patch(patches[name])
            written = ax.text(column, row, text, ha="center", va="center", fontsize=10.5, linespacing=1.35)
            room = 0.9 * patches[name].get_window_extent().width
            written.set_fontsize(10.5 * min(1, room / max(1, written.get_window_extent().width)))
        for start, end, *label in arrows:
            (x0, y0, _), (x1, y1, _) = boxes[start], boxes[end]
            ax.add_patch(
                FancyArrowPatch(
                    (x0, y0),
                    (x1, y1),
                    patchA=patches[start],
                    patchB=patches[end],
                    shrinkA=2,
                    shrinkB=2,
                    arrowstyle="-|>",
                    mutation_scale=12,
                    linewidth=1.3,
                    color=_SOFT,
                )
            )
            if label:
                ax.text(
                    (x0 + x1) / 2,
                    (y0 + y1) / 2,
                    label[0],
                    ha="center",
                    va="center",
                    fontsize=9.5,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                )
        _show(figure)
