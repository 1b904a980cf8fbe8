"""The facts of an expression, from cells on which it surely bends one way.

Source: adaptive subdivision with second-order interval arithmetic (Moore, Kearfott and Cloud, Introduction
to Interval Analysis, 2009, chapters 5 and 9).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.composed.cells import Cells, CompositionLimits, Kind, cells
from genbab.nonlinear.composed.runs import CellRun, cell_runs, seams_of, stretch
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.jets import jet
from genbab.nonlinear.expressions.outward import size
from genbab.nonlinear.facts.record import Jump

_EPS = torch.finfo(torch.float64).eps
_SMALL = 1e-15
_DRIFT, _NOISIEST = 1e3, 1e6
_PARTS = 8


@dataclass(frozen=True)
class Facts:
    """What `Nonlinearity` needs to know beside value and derivative; written to the user's cache."""

    breaks: tuple[float, ...]
    curvature: tuple[int, ...]
    kinks: tuple[float, ...]
    jumps: tuple[Jump, ...]
    bulges: tuple[float, ...]
    domain: tuple[float, float]
    noise: float
    drift: tuple[float, float]
    clear: float


@dataclass
class _Build:
    """The facts of one stretch of the line, from left to right."""

    breaks: list[float] = field(default_factory=list)
    curvature: list[int] = field(default_factory=list)
    kinks: list[float] = field(default_factory=list)
    jumps: list[Jump] = field(default_factory=list)
    bulges: list[float] = field(default_factory=list)
    excess: float = 0.0
    clear: float = 0.0

    def cut(self, place: float) -> None:
        """End the present segment here."""
        self.breaks.append(place)

    def kink(self, place: float, expression: Expression, width: float) -> None:
        """End the present segment at a kink that may be this far off."""
        self.breaks.append(place)
        self.kinks.append(place)
        self.clear = max(self.clear, _clearance(expression, place, width))

    def segment(self, curvature: int, bulge: float = 0.0) -> None:
        self.curvature.append(curvature)
        self.bulges.append(bulge)


def certified(expression: Expression, effort: CompositionLimits | None = None) -> Facts:
    """The facts of an expression, without the cache."""
    found = cells(expression, effort)
    runs = cell_runs(found)
    low, high = stretch(found, runs)
    chosen = [run for run in runs if run.low >= low and run.high <= high]
    build = _assembled(expression, found, chosen)
    if not any(build.curvature) and not build.kinks:
        raise UsageError(f"'{expression}' is affine wherever its facts are certain")
    inside = (found.low >= low) & (found.high <= high) & (found.kind != Kind.JUMP)
    noise, drift = _noise(expression, found, inside)
    reach = 4.0 * build.clear
    noise += (build.excess + reach * _steepest(found, build.kinks, reach)) / _EPS
    if not noise < 1e9:
        raise UsageError(f"'{expression}' cannot be evaluated accurately enough in float64")
    return Facts(
        tuple(build.breaks),
        tuple(build.curvature),
        tuple(build.kinks),
        tuple(build.jumps),
        tuple(build.bulges),
        (low, high),
        noise,
        drift,
        build.clear,
    )


def _assembled(expression: Expression, found: Cells, runs: list[CellRun]) -> _Build:
    build, doubtful = _Build(), None
    seams = seams_of(found)
    for place, run in enumerate(runs):
        if run.kind in (Kind.LOOSE, Kind.JUMP):
            doubtful = run if doubtful is None else _together(doubtful, run)
        elif doubtful is not None and place == 1:
            build.segment(0, _bulge(found, doubtful))
            build.kink(run.low, expression, 0.0)
            build.segment(int(run.kind))
        elif doubtful is not None:
            _cross(build, expression, found, doubtful, int(run.kind))
        elif build.curvature:
            if seams[run.first]:
                build.kink(run.low, expression, 0.0)
            else:
                build.cut(run.low)
            build.segment(int(run.kind))
        else:
            build.segment(int(run.kind))
        doubtful = doubtful if run.kind in (Kind.LOOSE, Kind.JUMP) else None
    if doubtful is not None:
        build.kink(doubtful.low, expression, 0.0)
        build.segment(0, _bulge(found, doubtful))
    return build


def _together(a: CellRun, b: CellRun) -> CellRun:
    return CellRun(max(a.kind, b.kind), a.first, b.last, a.low, b.high)


def _cross(build: _Build, expression: Expression, found: Cells, run: CellRun, after: int) -> None:
    """Go on behind a doubtful stretch with a segment of curvature `after`."""
    width, middle = run.high - run.low, 0.0 if run.low < 0.0 < run.high else 0.5 * (run.low + run.high)
    if run.kind == Kind.JUMP:
        _jump(build, expression, run, _values(found, run))
        build.segment(after)
        return
    steep, bent, smooth = _slopes(found, run)
    if smooth and bent * width <= 10.0 * _SMALL * (1.0 + steep):
        build.excess += bent * width
        if after == build.curvature[-1]:
            return
        build.cut(middle)
    elif width <= 1e-9 * (1.0 + abs(middle)) and steep * width <= _SMALL * (
        1.0 + abs(_values(found, run)[0])
    ):
        build.excess += steep * width
        build.kink(middle, expression, width)
    else:
        build.kink(run.low, expression, 0.0)
        build.segment(0, _bulge(found, run))
        build.kink(run.high, expression, 0.0)
    build.segment(after)


def _values(found: Cells, run: CellRun) -> tuple[float, float]:
    """The range of the function on a run."""
    here = slice(run.first, run.last + 1)
    return float(found.jet.value[0][here].min()), float(found.jet.value[1][here].max())


def _slopes(found: Cells, run: CellRun) -> tuple[float, float, bool]:
    """(largest |slope|, largest |second derivative|, whether there is no kink) on a run."""
    here = slice(run.first, run.last + 1)
    smooth = bool(found.jet.smooth[here].all()) and not bool(seams_of(found)[run.first : run.last + 2].any())
    return float(size(found.jet.first)[here].max()), float(size(found.jet.second)[here].max()), smooth


def _bulge(found: Cells, run: CellRun) -> float:
    """How far the function may leave its chord on a run."""
    width = run.high - run.low
    low, high = _values(found, run)
    steep, bent, smooth = _slopes(found, run)
    return min(steep * width, high - low, bent * width**2 / 8.0 if smooth else math.inf)


def _jump(build: _Build, expression: Expression, run: CellRun, value: tuple[float, float]) -> None:
    """A stretch on which the value jumps, perhaps without limit."""
    ends = torch.tensor([run.low, run.high], dtype=torch.float64)
    low, high = (end.tolist() for end in jet(expression, ends, ends).value)
    bulge = 0.0
    if math.isfinite(value[0]) and math.isfinite(value[1]):
        left, right = (0.5 * (a + b) for a, b in zip(low, high, strict=True))
        bulge = max(max(left, right) - value[0], value[1] - min(left, right)) - abs(right - left)
        bulge = max(bulge, high[0] - low[0], high[1] - low[1], 0.0)
    else:
        left, right = value
    build.kink(run.low, expression, 0.0)
    build.segment(0, bulge)
    build.kink(run.high, expression, 0.0)
    build.jumps.append((run.low, run.high, left, right))


def _clearance(expression: Expression, place: float, width: float) -> float:
    """How far from a kink float64 surely computes the derivative of the right side."""
    step = max(width, abs(place) * _EPS, 1e-300)
    steps = step * 2.0 ** torch.arange(40, dtype=torch.float64)
    clear = torch.ones(40, dtype=torch.bool)
    for points in (place + steps, place - steps):
        thin = jet(expression, points, points)
        clear &= thin.smooth & ~thin.touch | ~thin.defined
    return float(steps[int(clear.to(torch.int64).argmax())]) if bool(clear.any()) else float(steps[-1])


def _steepest(found: Cells, kinks: list[float], reach: float) -> float:
    """The largest slope within some distance of a kink."""
    steep = torch.where((found.kind == Kind.LOOSE) | (found.kind == Kind.JUMP), 0.0, size(found.jet.first))
    most = 0.0
    for place in kinks:
        near = (found.low <= place + reach) & (found.high >= place - reach) & torch.isfinite(steep)
        most = max(most, float(torch.where(near, steep, 0.0).max()))
    return most


def _parts() -> tuple[Tensor, Tensor]:
    edges = torch.arange(_PARTS + 1, dtype=torch.float64)
    return edges[:-1], edges[1:]


def _noise(expression: Expression, cells: Cells, inside: Tensor) -> tuple[float, tuple[float, float]]:
    """(noise, drift): value and derivative err by at most eps * (noise * (1 + size) + drift[i] * |x|).

    On loose cells the derivative is not used.
    """
    whole = cells.low[inside, None], cells.high[inside, None]
    low, high = (torch.lerp(*whole, end / _PARTS).reshape(-1) for end in _parts())
    found = jet(expression, low, high)
    loose = (cells.kind[inside] == Kind.LOOSE).repeat_interleave(_PARTS)
    far = torch.maximum(low.abs(), high.abs()) > 1.0
    near_by = torch.minimum(low.abs(), high.abs())
    errors, sizes = [], []
    used = torch.where(loose, 0.0, found.slope_error)
    for error, ends in ((found.error, found.value), (used, found.first)):
        errors.append(error / _EPS)
        least = torch.maximum(ends[0], -ends[1]).clamp_min(0.0)
        sizes.append(1.0 + torch.where(torch.isfinite(least), least, 0.0))
    noise = 8.0 + max(float(torch.where(far, 0.0, e / s).max()) for e, s in zip(errors, sizes, strict=True))
    while True:  # what grows faster than x is better told by noise than by drift
        rest = [torch.where(far, e - noise * s, 0.0) / near_by for e, s in zip(errors, sizes, strict=True)]
        value, slope = (max(0.0, float(r.nan_to_num(0.0).max())) for r in rest)
        if max(value, slope) <= _DRIFT or noise > _NOISIEST:
            return noise, (value, slope)
        noise *= 2.0
