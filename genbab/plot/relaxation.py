"""A function with the straight lines that bound it, drawn with matplotlib (the extra `plot`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from genbab.errors import UsageError
from genbab.nonlinear import Expression, Nonlinearity, compose
from genbab.nonlinear.composed import formula as written
from genbab.nonlinear.expressions.tracing import trace
from genbab.nonlinear.identities.known import rewritten
from genbab.nonlinear.lines.describe import number, title, verdict
from genbab.nonlinear.lines.picture import (
    Feature,
    FunctionRelaxation,
    Line,
    checked,
    line,
    places,
    relaxation,
    touches,
)
from genbab.plot import figure
from genbab.plot.figure import INK, LOWER, QUIET, UPPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Function = str | Nonlinearity | Expression | Callable[..., Any]
Slopes = float | Sequence[float] | None

MARKS = {
    "inflection": ("D", "#009E73"),
    "kink": ("^", "#CC79A7"),
    "jump": ("s", "#E69F00"),
    "pole": ("s", "#E69F00"),
}

_POINTS = 800
_MARKED = 60
"""With more breaks than this none is marked."""
_PIECES = 400
"""With more jumps than this the curve is drawn in one go."""


def plot_relaxation(  # noqa: PLR0913 - the question has this many parts
    fn: Function,
    l: float,  # noqa: E741 - the box is [l, u] everywhere
    u: float,
    *,
    lower: Slopes = None,
    upper: Slopes = None,
    path: str | Path | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A drawing of the function around [l, u] with its default lines, their touching points and its range.

    fn: a name ("gelu", "power(3)"), a formula in x ("x*sigmoid(x)"), a `Nonlinearity`, an `Expression` or
    elementwise code on torch tensors. lower, upper: slopes of further lines. path: an image file to write.
    ax: where to draw; a new figure otherwise (one of pyplot's only if there is no path). Raises UsageError,
    also where matplotlib is missing.
    """
    record = understood(fn)
    l, u = checked(l, u)  # noqa: E741
    shown = relaxation(record, l, u)
    further = [line(record, l, u, k, False) for k in _slopes(lower)]
    further += [line(record, l, u, k, True) for k in _slopes(upper)]
    ax = figure.axes(path) if ax is None else ax
    draw(ax, shown, further)
    if path is not None:
        figure.save(ax.get_figure(root=True), path)
    return ax


def understood(fn: Function) -> Nonlinearity:
    """The record of whatever a person names a function by; raises `UsageError` for anything else."""
    if isinstance(fn, Nonlinearity):
        return fn
    if isinstance(fn, str):
        return written.function(fn)
    if isinstance(fn, Expression):
        return compose(rewritten(fn))
    if callable(fn):
        return compose(rewritten(trace(fn)))
    raise UsageError(f"a function is a name, a formula, a record or an expression, not {type(fn).__name__}")


def draw(ax: Axes, shown: FunctionRelaxation, further: Sequence[Line] = ()) -> None:
    """Everything about a relaxation, on axes that are given; `further` lines are dashed."""
    fn, l, u = shown.fn, shown.l, shown.u  # noqa: E741
    pad = 0.12 * (u - l) or 0.5 * max(1.0, abs(l))
    sides = Line(0.0, 0.0, l, False), shown.lower, shown.upper, *further
    low, high = _heights(shown, sides[1:])
    room = 5.0 * (high - low)
    for left, right, style in ((l - pad, l, ":"), (u, u + pad, ":"), (l, u, "-")):
        label = "_" if style == ":" else title(fn) if len(title(fn)) <= 40 else "function"
        for x, f in _curve(fn, left, right):
            f = np.clip(f, low - room, high + room)
            f[:-1][np.abs(np.diff(f)) > 2.0 * room] = np.nan  # a pole that is not on record
            ax.plot(x, f, style, color=INK, lw=2.0 if style == "-" else 1.2, label=label, zorder=4)
            label = "_"
    ax.set_xlim(l - pad, u + pad)
    ax.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
    _lines(ax, shown, further)
    _range(ax, shown)
    for end in (l, u):
        ax.axvline(end, color=QUIET, lw=0.8, ls=(0, (1, 2)), zorder=1)
    _marks(ax, fn, places(fn, l - pad, u + pad))
    _words(ax, shown)


def plot_points(
    heading: str,
    widths: Sequence[float],
    middles: Sequence[float],
    points: Sequence[object],
    *,
    path: str | Path | None = None,
) -> None:
    """A map of branching points for each objective: colour is the point's place in the interval (0 to 1)."""
    whole = figure.figure(path, (11.0, 4.0))
    axes = whole.subplots(1, 3, sharey=True)
    for ax, shares, name in zip(axes, points, ("below", "both", "above"), strict=True):
        image = ax.pcolormesh(middles, widths, shares, vmin=0.0, vmax=1.0, cmap="RdBu", shading="nearest")
        ax.set_title(f"least area {name}", fontsize=10)
        ax.set_xlabel("middle of the interval")
    axes[0].set_ylabel("width")
    whole.colorbar(image, ax=axes, label="where to split, as a share of the interval")
    whole.suptitle(heading, fontsize=11)
    if path is not None:
        figure.save(whole, path)


def _heights(shown: FunctionRelaxation, sides: Sequence[Line]) -> tuple[float, float]:
    """What the drawing must show: the function on the box, without the sky of a pole, and the lines."""
    inside = np.concatenate([f for _, f in _curve(shown.fn, shown.l, shown.u)] or [np.zeros(1)])
    inside = inside[np.isfinite(inside)]
    if inside.size == 0:
        inside = np.zeros(1)
    ends = list(shown.range)
    if math.isinf(ends[0]) or math.isinf(ends[1]):
        typical = np.quantile(inside, [0.1, 0.9])
        grown = [typical[0] - (typical[1] - typical[0]), typical[1] + (typical[1] - typical[0])]
        sky = [max(grown[0], float(inside.min())), min(grown[1], float(inside.max()))]
        ends = [e if math.isfinite(e) and abs(e) < 1e6 else s for e, s in zip(ends, sky, strict=True)]
    ends += [side.at(x) for side in sides if side.finite for x in (shown.l, shown.u)]
    low, high = min(ends), max(ends)
    least = 1e-9 * max(abs(low), abs(high), 1e-300)
    return (
        (low, high)
        if high - low > least
        else (low - 0.5 * max(1.0, abs(low)), high + 0.5 * max(1.0, abs(high)))
    )


def _curve(fn: Nonlinearity, l: float, u: float) -> Iterator[tuple[Array, Array]]:  # noqa: E741
    """(x, fn(x)) on [l, u], one stretch between jumps after the other; never across a jump."""
    jumps = [p.x for p in places(fn, l, u, _PIECES) if p.kind in ("jump", "pole")]
    jumps = jumps if len(jumps) <= _PIECES else []
    ends = [l, *jumps, u]
    for left, right in zip(ends[:-1], ends[1:], strict=True):
        first = math.nextafter(left, right) if left in jumps else left
        last = math.nextafter(right, left) if right in jumps else right
        if left in jumps and right in jumps and right - left <= 1e-9 * (u - l):
            continue  # one jump whose place is not known exactly
        x = np.linspace(first, last, max(2, _POINTS * 2 // len(ends)))
        if first < last:
            near = np.geomspace(1e-6, 1e-2, 25) * (last - first)
            inner = [p.x for p in places(fn, first, last, _PIECES)]
            inner += [end for end in fn.domain if first <= end <= last]
            x = np.unique(np.concatenate([x, first + near, last - near, inner]))
        f = fn.value(torch.from_numpy(x)).numpy()
        yield x, np.where(np.isfinite(f), f, np.nan)


def _lines(ax: Axes, shown: FunctionRelaxation, further: Sequence[Line]) -> None:
    ends = np.array([shown.l, shown.u])
    own = (shown.lower, shown.upper)
    if shown.lower.finite and shown.upper.finite:
        low, high = (np.array([side.at(float(x)) for x in ends]) for side in own)
        ax.fill_between(ends, low, high, color="#56B4E9", alpha=0.16, lw=0, zorder=0)
    for side in (*own, *further):
        colour, name = (UPPER, "upper") if side.upper else (LOWER, "lower")
        if not side.finite:
            continue
        at = np.array([side.at(float(x)) for x in ends])
        usual = side in own
        label = f"{name} line {equation(side)}"
        ax.plot(
            ends, at, "-" if usual else "--", color=colour, lw=1.8 if usual else 1.2, label=label, zorder=3
        )
        touch = touches(shown.fn, side, shown.l, shown.u) if usual else [side.touch]
        ax.plot(
            touch,
            [side.at(x) for x in touch],
            "o",
            color=colour,
            ms=7,
            mec="white",
            mew=1.2,
            ls="none",
            label="_",
            zorder=6,
        )


def equation(side: Line) -> str:
    """The line's formula, rounded for reading."""
    slope, shift = (0.0 if abs(v) < 1e-9 else v for v in (side.slope, side.intercept))
    if slope == 0.0:
        return number(shift)
    text = "x" if number(slope) == "1" else f"{number(slope)} x"
    return text + (f" {'-' if shift < 0 else '+'} {number(abs(shift))}" if shift else "")


def _range(ax: Axes, shown: FunctionRelaxation) -> None:
    """Least and largest value as thin lines over the box, with their numbers beside it."""
    low, high = ax.get_ylim()
    tight = shown.range[1] - shown.range[0] < 0.05 * (high - low)
    for end, name, side in zip(shown.range, ("min", "max"), ("top", "bottom"), strict=True):
        if math.isfinite(end):
            ax.plot([shown.l, shown.u], [end, end], color=QUIET, lw=0.9, ls=(0, (4, 3)), label="_", zorder=2)
            ax.annotate(
                f"{name} {number(end)}",
                (1.0, end),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va=side if tight else "center",
                fontsize=8,
                color=QUIET,
            )


def _marks(ax: Axes, fn: Nonlinearity, found: list[Feature]) -> None:
    """Inflections, kinks and jumps on the curve, jumps at both limits with a thread between them; poles."""
    for kind, (shape, colour) in MARKS.items() if len(found) <= _MARKED else ():
        x = np.array([p.x for p in found if p.kind == kind])
        if kind == "pole":
            for i, at in enumerate(x):
                ax.axvline(at, color=colour, ls="-.", lw=1.2, label="_" if i else kind, zorder=3)
            continue
        f = [fn.value(torch.from_numpy(x)).numpy()]
        if kind == "jump":
            f = [fn.value(torch.from_numpy(np.nextafter(x, to))).numpy() for to in (-np.inf, np.inf)]
            for at, a, b in zip(x, *f, strict=True):
                ax.plot([at, at], [a, b], ls=":", lw=1.0, color=colour, label="_", zorder=3)
        if x.size:
            at, f_at = np.tile(x, len(f)), np.concatenate(f)
            (marks,) = ax.plot(at, f_at, shape, ls="none", ms=6, label=kind, zorder=5)
            marks.set(markerfacecolor="white", markeredgecolor=colour, markeredgewidth=1.5)


def _words(ax: Axes, shown: FunctionRelaxation) -> None:
    """Title, axes, legend, and a word where there is no line."""
    name = title(shown.fn)
    name = name if len(name) <= 60 else name[:57] + "…"
    ax.set_title(
        f"{name} on [{number(shown.l)}, {number(shown.u)}]\n{verdict(shown)}", loc="left", fontsize=10
    )
    ax.set_xlabel("x")
    for edge in ("top", "right"):
        ax.spines[edge].set_visible(False)
    ax.grid(color="#DDDDDD", lw=0.5, zorder=0)
    ax.set_axisbelow(True)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncol=3, frameon=False, fontsize=8)


def _slopes(given: Slopes) -> list[float]:
    if given is None:
        return []
    try:
        return [float(k) for k in given] if isinstance(given, Sequence) else [float(given)]
    except (TypeError, ValueError, RuntimeError):
        raise UsageError(f"slopes of lines: a number or several are needed, not {given!r}") from None
