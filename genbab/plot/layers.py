"""How wide the layers of a network are on a box, and where its bound is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genbab.plot import figure
from genbab.plot.figure import INK, LOWER, QUIET, SKY, UPPER


def plot_layers(
    layers: Sequence[Mapping[str, Any]], widths: Sequence[Sequence[float]], title: str, path: str | Path
) -> None:
    """Write an image: per layer the widths of its arguments as a box plot, and what it loses of the bound.

    layers: as in a result's statistics; widths: those of every neuron. Raises `UsageError` where it cannot be
    written, or matplotlib is missing.
    """
    whole = figure.figure(path, (9.0, 1.8 + 0.34 * max(len(layers), 2)))
    left, right = whole.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    places = list(range(1, len(layers) + 1))
    if layers:
        low, first, middle, third, high = np.array([_quartiles(one) for one in widths]).T
        left.hlines(places, low, high, color=INK, lw=1.2)
        left.barh(places, third - first, left=first, height=0.6, color=SKY, edgecolor=LOWER)
        left.plot(middle, places, "|", color=UPPER, ms=14, mew=2)
        right.barh(places, [e.get("gap", 0.0) for e in layers], height=0.6, color=LOWER)
        left.set_yticks(
            places, [f"{e['name']}\n{e['function']}, {e['neurons']:,}" for e in layers], fontsize=8
        )
        left.set_ylim(len(layers) + 0.6, 0.4)
    left.set_title("widths of the arguments: all, middle half, median", loc="left", fontsize=9)
    right.set_title("lost of the bound", loc="left", fontsize=9)
    if not any("gap" in e for e in layers):
        right.text(0.5, 0.5, "not known", ha="center", va="center", color=QUIET, transform=right.transAxes)
    for ax in (left, right):
        ax.set_xlim(left=0)
        ax.grid(axis="x", color="#DDDDDD", lw=0.5)
        ax.set_axisbelow(True)
        for edge in ("top", "right"):
            ax.spines[edge].set_visible(False)
    whole.suptitle(title, fontsize=11)
    figure.save(whole, path)


def _quartiles(widths: Sequence[float]) -> list[float]:
    """Least, quarter, median, three quarters, greatest of the finite ones."""
    finite = [w for w in widths if np.isfinite(w)] or [0.0]
    return [float(q) for q in np.quantile(finite, (0, 0.25, 0.5, 0.75, 1))]
