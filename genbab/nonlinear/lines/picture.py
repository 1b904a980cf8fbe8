"""The relaxation of one function on one interval, in plain numbers: for people to look at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.lines.box import make_box
from genbab.nonlinear.lines.conjugate import intercept
from genbab.nonlinear.lines.envelope import default_slopes
from genbab.nonlinear.lines.interval import interval

_POINTS = 4097
_ROUNDS = 200
_DUST, _CLOSE = 1e-6, 1e-5


@dataclass(frozen=True)
class Line:
    """slope·x + intercept, nowhere above the function on the interval (nowhere below it, where `upper`).

    It comes closest at `touch`. An infinite intercept: the function is unbounded there, or not defined.
    """

    slope: float
    intercept: float
    touch: float
    upper: bool

    @property
    def finite(self) -> bool:
        """Whether there is such a line."""
        return math.isfinite(self.intercept)

    def at(self, x: float) -> float:
        """Its height at x."""
        return self.slope * x + self.intercept


@dataclass(frozen=True)
class FunctionRelaxation:
    """A function on [l, u]: a rigorous range, the default lines, and the least area any two lines leave."""

    fn: Nonlinearity
    l: float  # noqa: E741 - the box is [l, u] everywhere
    u: float
    range: tuple[float, float]
    lower: Line
    upper: Line
    least_area: float

    @property
    def area(self) -> float:
        """The area between the two lines."""
        if not (self.lower.finite and self.upper.finite):
            return math.inf
        middle = 0.5 * self.l + 0.5 * self.u
        return (self.u - self.l) * (self.upper.at(middle) - self.lower.at(middle))

    @property
    def excess(self) -> float:
        """By what part the area is larger than the least one; 0 where both are as good as nothing."""
        if self.l == self.u:
            return 0.0
        if math.isinf(self.area):
            return 0.0 if math.isinf(self.least_area) else math.inf
        scale = (self.u - self.l) * max(1e-300, *map(abs, self.range))
        return max(0.0, self.area - self.least_area) / max(self.least_area, _DUST * scale)


@dataclass(frozen=True)
class Feature:
    """Where something happens: an "inflection", a "kink", a "jump" or a "pole"."""

    x: float
    kind: str


def relaxation(fn: Nonlinearity, l: float, u: float) -> FunctionRelaxation:  # noqa: E741
    """The function on [l, u] with its default lines; UsageError unless l <= u are finite numbers."""
    l, u = checked(l, u)  # noqa: E741
    low, high = _tensors(l, u)
    slopes = [float(k) for k in default_slopes(fn, low, high)]
    least, most = (float(end) for end in interval(fn, low, high))
    lower, upper = (line(fn, l, u, k, side) for k, side in zip(slopes, (False, True), strict=True))
    return FunctionRelaxation(fn, l, u, (least, most), lower, upper, least_area(fn, l, u))


def line(fn: Nonlinearity, l: float, u: float, slope: float, upper: bool) -> Line:  # noqa: E741
    """The best line of this slope below (above) the function on [l, u]; its intercept is rigorous."""
    l, u = checked(l, u)  # noqa: E741
    if not math.isfinite(slope):
        raise UsageError(f"the slope {slope:g} of a line must be a finite number")
    c, touch = intercept(fn, torch.tensor([slope], dtype=torch.float64), *_tensors(l, u), upper)
    return Line(slope, float(c), min(max(float(touch), l), u), upper)


def checked(l: float, u: float) -> tuple[float, float]:  # noqa: E741
    """(l, u) as they are; UsageError unless they are finite numbers and l <= u."""
    try:
        l, u = float(l), float(u)  # noqa: E741
    except (TypeError, ValueError, RuntimeError):
        raise UsageError(f"the interval [{l!r}, {u!r}]: both ends must be finite numbers") from None
    wrong = [f"{name} = {end}" for name, end in (("l", l), ("u", u)) if not math.isfinite(end)]
    if wrong:
        raise UsageError(f"the interval [{l}, {u}]: both ends must be finite numbers ({', '.join(wrong)})")
    if l > u:
        raise UsageError(f"the interval [{l}, {u}] is empty: its lower end is above its upper end")
    if not math.isfinite(u - l):
        raise UsageError(f"the interval [{l}, {u}] is too wide")
    return l, u


def least_area(fn: Nonlinearity, l: float, u: float) -> float:  # noqa: E741
    """The area between the best lower and the best upper line, from dense values of the function alone.

    The best lines touch the convex and the concave hull over the midpoint. What lies between the points makes
    the true area a little larger. Infinite where the function is infinite or undefined.
    """
    if l == u:
        return 0.0
    x, f = _samples(fn, l, u)
    if not bool(torch.isfinite(f).all()):
        return math.inf
    middle = 0.5 * l + 0.5 * u
    return (u - l) * max(0.0, -_hull(x, -f, middle) - _hull(x, f, middle))


def _samples(fn: Nonlinearity, l: float, u: float) -> tuple[Tensor, Tensor]:  # noqa: E741
    """(x, f) with x ascending: points of [l, u], crowded at its ends and midpoint, and limits at jumps."""
    share = torch.linspace(0.0, 1.0, _POINTS, dtype=torch.float64)
    edge = torch.logspace(-14.0, -3.0, 100, dtype=torch.float64)
    share = torch.cat([share, edge, 1.0 - edge, 0.5 - edge, 0.5 + edge])
    known = torch.tensor([p.x for p in places(fn, l, u)], dtype=torch.float64)
    x = torch.cat([torch.lerp(*_tensors(l, u), share).clamp(l, u), known])
    f = fn.value(x)
    box = make_box(fn, *_tensors(l, u))
    if fn.jumps and box.undefined is None:
        jumps = torch.tensor(
            [p.x for p in places(fn, l, u) if p.kind in ("jump", "pole")], dtype=torch.float64
        )
        kept = ~torch.isin(x, jumps)
        x = torch.cat([x[kept], *(place.reshape(-1) for place, _ in box.points)])
        f = torch.cat([f[kept], *(limit.reshape(-1) for _, limit in box.points)])
    order = torch.argsort(x, stable=True)
    return x[order], f[order]


def _hull(x: Tensor, f: Tensor, middle: float) -> float:
    """Height at `middle` of the lower convex hull of the points (x, f), x ascending."""
    a, b, height = 0, len(x) - 1, -math.inf
    for _ in range(_ROUNDS):
        run = float(x[b] - x[a])
        slope = float(f[b] - f[a]) / run if run > 0.0 else 0.0
        gap = f - slope * x
        lowest = int(gap.argmin())
        height = max(height, float(gap[lowest]) + slope * middle)
        if float(gap[lowest]) >= min(float(gap[a]), float(gap[b])):
            break
        if float(x[lowest]) <= middle:
            a = lowest
        else:
            b = lowest
    return height


def touches(fn: Nonlinearity, side: Line, l: float, u: float) -> list[float]:  # noqa: E741
    """Where the line comes closest, and where else it touches as far as dense values tell.

    Both ends of a stretch along which it lies on the function.
    """
    if not side.finite or l == u:
        return [side.touch] if side.finite else []
    x, f = _samples(fn, l, u)
    gap = (side.slope * x + side.intercept - f) * (1.0 if side.upper else -1.0)
    inside = f[torch.isfinite(f)]
    if inside.numel() == 0 or float(gap.min()) > _CLOSE * (scale := float(inside.max() - inside.min())):
        return [side.touch]
    near = torch.nonzero(gap <= _CLOSE * scale).reshape(-1)
    apart = x[near[1:]] - x[near[:-1]] > 0.01 * (u - l)
    found = []
    for run in torch.tensor_split(near, (torch.nonzero(apart).reshape(-1) + 1).tolist()):
        first, last = float(x[run[0]]), float(x[run[-1]])
        long = last - first > 0.05 * (u - l)
        found += [first, last] if long else [float(x[run[int(gap[run].argmin())]])]
    close = any(abs(at - side.touch) <= 0.02 * (u - l) for at in found)
    return sorted(found if close else [*found, side.touch])


def places(fn: Nonlinearity, l: float, u: float, most: int = 1000) -> list[Feature]:  # noqa: E741
    """Breaks inside [l, u], ascending; of a periodic function with more than `most` of them, none."""
    kinds = {**dict.fromkeys(fn.breaks, "inflection"), **dict.fromkeys(fn.kinks, "kink")}
    for low, high, left, right in fn.jumps:
        kind = "jump" if math.isfinite(left) and math.isfinite(right) else "pole"
        kinds.update({low: kind, high: kind})
    found = []
    for at, kind in kinds.items():
        if not fn.period:
            found.append(Feature(at, kind))
            continue
        first, last = math.ceil((l - at) / fn.period), math.floor((u - at) / fn.period)
        if last - first > most:
            return []
        found += [Feature(at + turn * fn.period, kind) for turn in range(first, last + 1)]
    return sorted((p for p in found if l <= p.x <= u), key=lambda p: p.x)


def _tensors(l: float, u: float) -> tuple[Tensor, Tensor]:  # noqa: E741
    return torch.tensor([l], dtype=torch.float64), torch.tensor([u], dtype=torch.float64)
