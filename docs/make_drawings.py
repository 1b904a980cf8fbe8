"""Writes the drawings of the pages in docs/drawings: `python docs/make_drawings.py [NAME...]`.

Everything is drawn by genbab's own plots, or shows what genbab computed; needs `genbab[plot]`, half a minute.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import matplotlib
import numpy as np
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import genbab
from genbab.cli.tools.lut import grid
from genbab.lut.generate import table_of
from genbab.network import evaluate
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.composed.formula import function
from genbab.nonlinear.lines.picture import relaxation
from genbab.plot.figure import GREEN, INK, LOWER, SKY, UPPER
from genbab.plot.relaxation import plot_points
from genbab.specs import Input, Network, always, classified, linf

FOLDER = Path(__file__).resolve().with_name("drawings")
MODELS = Path(__file__).resolve().parent.parent / "examples" / "onnx"
LARGEST = 60_000  # bytes of one drawing
DIGIT = """
0 0 9 16 13 1 0 0    0 8 16 8 11 8 0 0    0 11 10 0 8 10 0 0    0 1 5 0 11 11 0 0
0 0 0 0 13 9 0 0     0 0 0 4 16 2 0 0     0 0 4 14 15 7 4 1     0 0 8 16 16 16 16 12
"""
"""A two, 8 by 8 pixels from 0 to 16."""


def gallery() -> Figure:
    """Four functions between their lines."""
    whole = Figure((11.0, 5.8), layout="constrained")
    shown = (("gelu", -3, 2), ("sin", -1, 5), ("mish", -4, 2), ("round", -1.2, 1.9))
    for ax, (name, low, high) in zip(whole.subplots(2, 2).flat, shown, strict=True):
        genbab.plot_relaxation(name, low, high, ax=ax)
        ax.get_legend().remove()
        ax.set_xlabel("")
    return whole


def slopes() -> Figure:
    """One function, its default lines and lines of other slopes."""
    ax = _axes()
    genbab.plot_relaxation("gelu", -3, 2, lower=[-0.1, 0.0, 0.6], upper=[0.2, 0.8], ax=ax)
    return _whole(ax)


def fusion() -> Figure:
    """x·sigmoid(x) as one function, and the interval of its product where it is taken for two."""
    ax = _axes()
    low, high = -4.0, 3.0
    s = torch.sigmoid(torch.tensor([low, high], dtype=torch.float64)).tolist()
    ends = [x * y for x in (low, high) for y in s]
    genbab.plot_relaxation("x*sigmoid(x)", low, high, ax=ax)
    label = f"interval of the product: {min(ends):.2f} to {max(ends):.2f}"
    ax.axhspan(min(ends), max(ends), color=UPPER, alpha=0.10, lw=0, label=label, zorder=-1)
    ax.set_ylim(min(ends) - 0.3, ax.get_ylim()[1])
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncol=2, frameon=False, fontsize=8)
    return _whole(ax)


def methods() -> Figure:
    """Samples of the controller's outputs, the bounds of two methods, and what branching adds."""
    model = genbab.load(MODELS / "controller.onnx")
    lower, upper = np.array([0.3, -0.2], np.float32), np.array([0.7, 0.2], np.float32)
    x = np.random.default_rng(0).uniform(lower, upper, (300, 2))
    y = evaluate(model.network, torch.from_numpy(x)).numpy()
    found = {
        name: [b[0].tolist() for b in genbab.output_bounds(model, lower, upper, name)]
        for name in ("CROWN", "alpha-CROWN")
    }
    exact = genbab.output_range(model, lower, upper, timeout=60)
    found["branch and bound"] = [[o.lower for o in exact.outputs], [o.upper for o in exact.outputs]]
    ax = _axes()
    for (name, (low, high)), colour in zip(found.items(), (SKY, LOWER, GREEN), strict=True):
        size = (high[0] - low[0], high[1] - low[1])
        ax.add_patch(Rectangle((low[0], low[1]), *size, fill=False, ec=colour, lw=2, label=name))
    ax.plot(y[:, 0], y[:, 1], ".", ms=3, color=INK, label="samples")
    ax.set(xlabel="position after four steps", ylabel="speed")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncol=5, frameon=False, fontsize=8)
    return _whole(ax)


def splits() -> Figure:
    """An interval whole, halved in the middle, and split where least area is left."""
    fn, low, high = function("gelu"), -5.0, 2.0
    table = table_of(fn)
    assert table is not None
    ends = (torch.tensor([end], dtype=torch.float64) for end in (low, high))
    best = float(table.points(*ends, torch.ones(1, 2, dtype=torch.float64)))
    middle = 0.5 * (low + high)
    whole = Figure((11.0, 3.6), layout="constrained")
    named = (("not split", []), ("split in the middle", [middle]), (f"split at {best:.2f}", [best]))
    for ax, (title, cut) in zip(whole.subplots(1, 3, sharey=True), named, strict=True):
        area = _between(ax, fn, [low, *cut, high])
        ax.set_title(f"{title}: area {area:.3g}", loc="left", fontsize=10)
    return whole


def _between(ax: Axes, fn: Nonlinearity, stops: list[float]) -> float:
    """The function with its lines on each part; returns the area between them."""
    area = 0.0
    for left, right in zip(stops[:-1], stops[1:], strict=True):
        shown = relaxation(fn, left, right)
        area += shown.area
        low, high = ([side.at(x) for x in (left, right)] for side in (shown.lower, shown.upper))
        ax.fill_between([left, right], low, high, color=SKY, alpha=0.2, lw=0)
        ax.plot([left, right], low, color=LOWER, lw=1.6)
        ax.plot([left, right], high, color=UPPER, lw=1.6)
    x = torch.linspace(stops[0], stops[-1], 200, dtype=torch.float64)
    ax.plot(x, fn.value(x), color=INK, lw=2)
    ax.spines[["top", "right"]].set_visible(False)
    return area


def points() -> Figure:
    """The table of branching points of gelu, as `genbab lut show gelu --plot` draws it."""
    table = table_of(function("gelu"))
    assert table is not None
    plot_points("gelu", *grid(table, 60, 80))
    whole = pyplot.gcf()
    for ax in whole.axes:
        for mesh in ax.collections:
            mesh.set_rasterized(True)
    return whole


def trace() -> Figure:
    """The record of a run that needs branching."""
    x = Input(64)
    image = np.array(DIGIT.split(), float) / 16
    claim = always(classified(Network(10)(x), 2), on=linf(x, image, "0.085", clip=(0, 1)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digit.jsonl"
        settings = genbab.Config(timeout=30, branching="neuron", attack_restarts=64)
        genbab.verify(MODELS / "digits_tanh.onnx", claim, settings, trace=file)
        return genbab.plot_trace(file)


def _axes() -> Axes:
    return Figure((7.2, 4.8), layout="constrained").add_subplot()


def _whole(ax: Axes) -> Figure:
    whole = ax.get_figure(root=True)
    assert isinstance(whole, Figure)
    return whole


DRAWINGS: tuple[Callable[[], Figure], ...] = (gallery, slopes, fusion, methods, splits, points, trace)


def write(draw: Callable[[], Figure]) -> int:
    """Draw into docs/drawings/NAME.svg, coordinates to a hundredth of a point; returns its size in bytes."""
    path = FOLDER / f"{draw.__name__}.svg"
    draw().savefig(path, dpi=60, metadata={"Date": None, "Creator": None})
    text = path.read_text(encoding="utf-8")
    text = re.sub(r' d="[^"]*"', lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d[0]), text)
    text = re.sub(r" *\n +", "\n", text)
    path.write_text(text, encoding="utf-8")
    return len(text.encode())


def main(names: list[str]) -> int:
    """Write the drawings named, all if none is; 1 where one is too large."""
    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {"svg.hashsalt": "genbab", "svg.fonttype": "none", "path.simplify_threshold": 0.7}
    )
    sizes = {draw.__name__: write(draw) for draw in DRAWINGS if not names or draw.__name__ in names}
    for name, size in sizes.items():
        sys.stdout.write(f"{name:<10} {size:>7,} bytes\n")
    return int(max(sizes.values(), default=0) > LARGEST)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
