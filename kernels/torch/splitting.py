"""The definition of the kernels of branch and bound, in plain torch.

Weights of half-spaces, reach of forms, branching points. Conventions as in `reference`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

STEPS = 3
"""Steps of the search for the weight of one half-space."""

ENTRIES = 1 << 18
"""Numbers in one (B, R, D) tensor of half-spaces: about what stays in a processor's cache."""

INTERPOLATE, NEAREST, MIDDLE, CORNERS, FIRST_STOP = 0, 1, 2, 3, 7
"""Rules of a table's cell; from CORNERS on one of the four corners, from FIRST_STOP on that stop."""

SNAP, ON, ONE_SIDED = 0.006, 1e-12, 4.0

Box = tuple[Tensor, Tensor]


def weights(form: Tensor, middle: Tensor, radius: Tensor, normal: Tensor, level: Tensor) -> Tensor:
    """λ >= 0 (B, R, H) that nearly maximise `dual`, one half-space after the other; finite.

    form (B or 1, R, D), middle and radius (B, D) of the boxes, normal (B, H, D), level (B, H). Each weight's
    dual is concave and piecewise linear; the search goes where the best tangents of either slope cross (STEPS
    times).
    """

    def searched(form: Tensor, middle: Tensor, radius: Tensor, normal: Tensor, level: Tensor) -> Tensor:
        scaled = form * radius[:, None]
        found = form.new_empty(*scaled.shape[:2], level.shape[1])
        for h in range(level.shape[1]):
            side, offset = normal[:, h] * radius, (normal[:, h] * middle).sum(-1) - level[:, h]
            found[..., h] = _weight(scaled, side, offset)
            scaled = torch.addcmul(scaled, found[..., h, None], side[:, None])
        return found

    return _in_parts(searched, form, (middle, radius, normal, level))


def _weight(scaled: Tensor, side: Tensor, offset: Tensor) -> Tensor:
    """λ (B, R) that nearly maximises λ·offset - Σ|scaled + λ·side|, concave and piecewise linear in λ >= 0.

    By tangents: each point of the unit box gives a line a + λ·s above the dual; the next λ is where the best
    lines of either slope cross.
    """
    column = side[..., None]
    left, left_slope = -scaled.abs().sum(-1), offset[:, None] - (scaled.sign() @ column).squeeze(-1)
    right = -(scaled @ side.sign()[..., None]).squeeze(-1)
    right_slope = (offset - side.abs().sum(-1))[:, None].expand_as(right)
    best, value = torch.zeros_like(left), left
    rising = (left_slope > 0) & (right_slope < 0)
    if not bool(rising.any()):
        return best
    for _ in range(STEPS):
        weight = torch.where(rising, (right - left) / (left_slope - right_slope), 0.0).clamp_(min=0)
        moved = torch.addcmul(scaled, weight[..., None], side[:, None])
        slope = offset[:, None] - (moved.sign() @ column).squeeze(-1)
        now = torch.addcmul(-moved.abs_().sum(-1), weight, offset[:, None])
        better = now > value
        best, value = torch.where(better, weight, best), torch.where(better, now, value)
        start, up = now - weight * slope, slope > 0
        left, left_slope = torch.where(up, start, left), torch.where(up, slope, left_slope)
        right, right_slope = torch.where(up, right, start), torch.where(up, right_slope, slope)
    return best


def dual(form: Tensor, box: Box, normal: Tensor, level: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """(value, size), (B, R) each: <form, x> + Σ λ_h·(<normal_h, x> - level_h) at its least over each box.

    For weights λ >= 0 (B, R, H) the value is, up to rounding, below <form, x> inside the half-spaces
    <normal, x> <= level (weak duality). form (B or 1, R, D), box (B, D) finite, normal (B, H, D), level (B,
    H). size: the sum of what is added up, each term's absolute value at its largest over the box:
    γ_n·size covers the rounding for n = D + 2H + 8.
    """

    def valued(
        form: Tensor, low: Tensor, high: Tensor, normal: Tensor, level: Tensor, weights: Tensor
    ) -> Tensor:
        middle, radius, far = (low + high) / 2, (high - low) / 2, torch.maximum(low.abs(), high.abs())
        joint = form + weights @ normal if level.shape[1] else form
        value = _times(joint, middle) - _times(joint.abs(), radius) - _times(weights, level)
        heavy = _times(normal.abs(), far) + level.abs()
        return torch.stack([value, _times(form.abs(), far) + _times(weights, heavy)], -1)

    value, size = _in_parts(valued, form, (*box, normal, level), weights).unbind(-1)
    return value, size


def _times(form: Tensor, x: Tensor) -> Tensor:
    """<form, x> (B, R); form (B or 1, R, D), x (B, D)."""
    return x @ form[0].mT if len(form) == 1 else (form @ x[..., None]).squeeze(-1)


def _in_parts(
    call: Callable[..., Tensor], form: Tensor, domains: tuple[Tensor, ...], *rows: Tensor
) -> Tensor:
    """What `call` says of all domains and rows, so many at a time that its tensors stay in a cache.

    form (B or 1, R, D), domains (B, ...), rows (B, R, ...).
    """
    batch, (count, inputs) = len(domains[0]), form.shape[1:]
    width = max(1, min(count, ENTRIES // max(1, inputs)))
    height = max(1, ENTRIES // max(1, width * inputs))
    found = []
    for b in range(0, max(1, batch), height):
        own, some = form if len(form) == 1 else form[b : b + height], [t[b : b + height] for t in domains]
        parts = [
            call(own[:, r : r + width], *some, *(t[b : b + height, r : r + width] for t in rows))
            for r in range(0, max(1, count), width)
        ]
        found.append(torch.cat(parts, 1))
    return torch.cat(found)


def reach(form: Tensor, below: Tensor, above: Tensor, weight: Tensor) -> Tensor:
    """Σ |form + max(w, 0)·below + min(w, 0)·above| for each weight w (P, S, M) of P candidates; (P, S, M).

    form (P, S, D), below and above (P, D): linear functions on the box [-1, 1]^D, on which a form reaches
    that far from its value at the centre. M weights cost one read of each; nothing of size P·S·D is kept.
    """
    found = []
    for w in weight.unbind(-1):
        moved = torch.addcmul(form, w.clamp_min(0.0)[..., None], below[:, None])
        if bool((w < 0).any()):
            moved.addcmul_(w.clamp_max(0.0)[..., None], above[:, None])
        found.append(moved.abs_().sum(-1))
    return torch.stack(found, -1) if found else weight.new_zeros(weight.shape)


@dataclass(frozen=True, eq=False)
class Grid:
    """A table of branching points, laid out for reading; float64.

    centres (C,), places (Z,), cells (C·(W-1)·(Z-1)·3, 5): shares at the corners (w, z), (w, z'), (w', z),
    (w', z') and the rule; widths are 2**(first + step·i), i <= rows. aims: breaks of all periods in reach,
    stops (K, 2): place and side, jumps: places of the stops beside which there is something else. All
    ascending. The period is 0 where there is none; domain: ends.
    """

    centres: Tensor
    places: Tensor
    cells: Tensor
    aims: Tensor
    stops: Tensor
    first: float
    step: float
    reach: float
    period: float
    domain: tuple[float, float]
    rows: int
    jumps: Tensor = field(init=False)
    between: Tensor = field(init=False)

    def __post_init__(self) -> None:
        centres = self.centres
        if self.period:
            centres = torch.cat([centres, centres[:1] + self.period])
        object.__setattr__(self, "between", 0.5 * (centres[:-1] + centres[1:]))
        object.__setattr__(self, "jumps", torch.unique(self.stops[self.stops[:, 1] != 0, 0]))

    @property
    def columns(self) -> int:
        """Cells along z."""
        return len(self.places) - 1

    @property
    def widest(self) -> float:
        """The largest width of a periodic function's table."""
        return float(2.0 ** (self.first + self.step * self.rows)) if self.period else torch.inf


def points(grid: Grid, l: Tensor, u: Tensor, weight: Tensor) -> Tensor:  # noqa: E741
    """Where to split [l, u] (..., N): strictly inside wherever a number lies strictly inside; float64.

    weight (..., N, 2) >= 0: how much the areas (below, above) the function matter. Infinite or empty
    intervals, and those that the table does not reach, give their middle.
    """
    low, high = l.clamp_min(grid.domain[0]), u.clamp_max(grid.domain[1])
    width = high - low
    known = torch.isfinite(width) & (width > 0)
    width = torch.where(known, width, 1.0)
    centre = torch.where(known, 0.5 * low + 0.5 * high, 0.0)
    known &= (centre.abs() <= grid.reach) & (width <= grid.widest)
    reduced, turn = _reduced(grid, centre)
    share, rule, wrapped = _share(grid, reduced, width, _objective(weight))
    point = torch.where(known, low + share * width, 0.0)
    if grid.aims.numel():
        reduced, back = _reduced(grid, point)
        aim = _nearest(reduced, grid.aims) + back
        point = torch.where(((aim - point).abs() <= SNAP * width) & (low < aim) & (aim < high), aim, point)
    if grid.stops.numel():
        stop = _beside(grid.stops[(rule - FIRST_STOP).clamp_min(0).long()], turn + wrapped)
        stopped = (rule >= FIRST_STOP) & (low < stop) & (stop < high)
        point = torch.where(stopped, stop, _off_jumps(grid, point, low, high))
    return torch.where(known & (l < point) & (point < u), point, _middle(l, u))


def _reduced(grid: Grid, x: Tensor) -> tuple[Tensor, Tensor]:
    if not grid.period:
        return x, torch.zeros_like(x)
    turn = torch.floor((x - grid.centres[0]) / grid.period) * grid.period
    return x - turn, turn


def _share(grid: Grid, centre: Tensor, width: Tensor, objective: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    nearest = torch.bucketize(centre, grid.between)
    wrapped = grid.period * (nearest == len(grid.centres)).to(centre.dtype)
    nearest = nearest % len(grid.centres)
    unit = width.clamp_max(grid.period) if grid.period else width
    z = (centre - (grid.centres[nearest] + wrapped)) / unit
    column = torch.bucketize(z, grid.places[1:-1])
    left, right = grid.places[column], grid.places[column + 1]
    across = ((z - left) / (right - left)).clamp(0.0, 1.0)
    height = ((torch.log2(width) - grid.first) / grid.step).clamp(0.0, float(grid.rows))
    row = height.long().clamp_max(grid.rows - 1)
    up = height - row
    cell = grid.cells[((nearest * grid.rows + row) * grid.columns + column) * 3 + objective]
    a, b, c, d, rule = cell.unbind(-1)
    mixed = torch.lerp(torch.lerp(a, b, across), torch.lerp(c, d, across), up)
    above = (rule == CORNERS + 2) | (rule == CORNERS + 3) | ((rule == NEAREST) & (up >= 0.5))
    beyond = (rule == CORNERS + 1) | (rule == CORNERS + 3) | ((rule == NEAREST) & (across >= 0.5))
    corner = torch.where(above, torch.where(beyond, d, c), torch.where(beyond, b, a))
    share = torch.where((rule == INTERPOLATE) | (rule >= FIRST_STOP), mixed, corner)
    return torch.where(rule == MIDDLE, 0.5, share), rule, wrapped


def _off_jumps(grid: Grid, point: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """On a jump both parts would have it; beside it the shorter one does."""
    if grid.jumps.numel() == 0:
        return point
    reduced, turn = _reduced(grid, point)
    jump = _nearest(reduced, grid.jumps) + turn
    side = torch.where(jump - low < high - jump, torch.inf, -torch.inf).to(point.dtype)
    on = (jump - point).abs() <= ON * torch.maximum(high - low, jump.abs())
    return torch.where(on, torch.nextafter(jump, side), point)


def _beside(stops: Tensor, turn: Tensor) -> Tensor:
    place, side = stops[..., 0] + turn, stops[..., 1]
    away = torch.copysign(torch.full_like(side, torch.inf), side)
    return torch.where(side == 0, place, torch.nextafter(place, away))


def _nearest(x: Tensor, ascending: Tensor) -> Tensor:
    return ascending[torch.bucketize(x, 0.5 * (ascending[:-1] + ascending[1:]))]


def _objective(weight: Tensor) -> Tensor:
    """0: the gap below alone, where it matters much more, 2: above, 1: both."""
    below, above = weight.unbind(-1)
    return 1 - (below > ONE_SIDED * above).long() + (above > ONE_SIDED * below).long()


def _middle(l: Tensor, u: Tensor) -> Tensor:  # noqa: E741
    point = 0.5 * l + 0.5 * u
    point = torch.where(torch.isinf(u), l + l.abs().clamp_min(1.0), point)
    point = torch.where(torch.isinf(l), u - u.abs().clamp_min(1.0), point)
    return torch.where(torch.isfinite(point), point, 0.0)
