"""The widget behind `plots.explore`: attention weights to point at, in the browser.

`explorer.js` draws, `explorer.css` dresses. Neither asks anything of the web.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import anywidget
import traitlets

__all__ = ["AttentionExplorer"]

_HERE = Path(__file__).parent


class AttentionExplorer(anywidget.AnyWidget):
    """Attention weights: choose layer and head, point at a word to see where it looks.

    Attributes:
        weights: `[n_layers][n_heads][n_q][n_k]`, a number or None (shown as "?") each.
        words, key_words, heads: what to call queries, keys and heads.
        title: one line above; may be empty.
        picture: PNG, shown where no widget runs (GitHub, slides, saved HTML).
        layer, head: what is shown, counted from 0.
        word: the position of the query that is pointed at, or -1.
        view: "lines" or "cells".

    Source: https://anywidget.dev, "AnyWidget"; the picture is the bundle's other half (IPython's
    `_repr_mimebundle_`).
    """

    _esm = _HERE / "explorer.js"
    _css = _HERE / "explorer.css"
    weights = traitlets.List().tag(sync=True)
    words = traitlets.List(traitlets.Unicode()).tag(sync=True)
    key_words = traitlets.List(traitlets.Unicode()).tag(sync=True)
    heads = traitlets.List(traitlets.Unicode()).tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    word = traitlets.Int(-1).tag(sync=True)
    view = traitlets.Enum(["lines", "cells"], "lines").tag(sync=True)
    picture = traitlets.Bytes()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"image/png": base64.b64encode(self.picture).decode(), "text/plain": repr(self)}, metadata

    def __repr__(self) -> str:
        n_layers, n_heads = len(self.weights), len(self.heads)
        return f"AttentionExplorer({n_layers=}, {n_heads=}, words={self.words}, key_words={self.key_words})"
