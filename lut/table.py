"""A table of branching points of one function, and how it is read.

An interval is told by its centre (the nearest break, or another place where something happens), its width w
and z = (middle - centre)/min(w, period). A cell of the table spans two widths and two z and holds the best
points at its corners, as shares of the interval, for three objectives: least area below the function, both,
above. Its rule says how to read between them, as a best point may jump: interpolate, take the nearest corner
or one of them everywhere, the middle, or a kink of the function itself (a stop).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.lut.fallback import middle

WHOLE = 20000
"""Table entries are whole numbers of this part of an interval."""

BELOW, BOTH, ABOVE = 0, 1, 2
OBJECTIVES = ("below", "both", "above")
INTERPOLATE, NEAREST, MIDDLE, CORNERS, FIRST_STOP = 0, 1, 2, 3, 7
"""Rules of a cell: how to read it. From CORNERS on one of the four corners, from FIRST_STOP on that stop."""
MOST_STOPS = 240

Triple = tuple[Tensor, Tensor, Tensor]

_SNAP, _ON = 0.006, 1e-12
"""A best point as close to a break as this part of the interval is put on it."""
_ONE_SIDED = 4.0
"""A gap that weighs this much more than the other is looked at alone."""


@dataclass(frozen=True, eq=False)
class Table:
    """Where to split intervals of one function: data of the file, read by `points`.

    centres (C,), places (Z,) of z: ascending; the widths are 2**(first + step*i), i < W; data (C, W, Z, 3) in
    1/WHOLE; rules (C, W - 1, Z - 1, 3). breaks (K,): inflections and kinks, of one period if period > 0.
    stops (K', 2): see `beside`, kinks and jumps that rules name. The
    middles of intervals are at most `reach` from 0.
    """

    name: str
    fingerprint: str
    centres: Tensor
    places: Tensor
    first: float
    step: float
    reach: float
    data: Tensor
    rules: Tensor
    stops: Tensor
    breaks: Tensor
    period: float
    domain: tuple[float, float]
    probe: Tensor

    @property
    def widths(self) -> Tensor:
        """The widths of the grid (W,)."""
        return 2.0 ** (self.first + self.step * torch.arange(self.data.shape[1], dtype=torch.float64))

    @cached_property
    def cells(self) -> Tensor:
        """(C * (W-1) * (Z-1) * 3, 5): the corners (w, z), (w, z'), (w', z), (w', z') of a cell and its
        rule."""
        share = self.data.double() / WHOLE
        low, high = share[:, :-1], share[:, 1:]
        corners = (low[:, :, :-1], low[:, :, 1:], high[:, :, :-1], high[:, :, 1:], self.rules.double())
        return torch.stack(corners, -1).reshape(-1, 5).contiguous()

    @cached_property
    def _origin(self) -> float:
        """Where the period that everything is moved to begins."""
        return float(self.centres[0])

    @cached_property
    def _between(self) -> Tensor:
        """Where the nearest centre changes."""
        centres = self.centres
        if self.period:
            centres = torch.cat([centres, centres[:1] + self.period])
        return 0.5 * (centres[:-1] + centres[1:])

    @cached_property
    def _aims(self) -> Tensor:
        """The breaks, with those of the next periods."""
        if not self.period:
            return self.breaks
        return torch.cat([self.breaks - self.period, self.breaks, self.breaks + self.period])

    def to(self, device: torch.device) -> Table:
        """The table with its tensors on the device."""
        tensors = ("centres", "places", "data", "rules", "stops", "breaks", "probe")
        moved = {name: getattr(self, name).to(device) for name in tensors}
        return Table(**{**{n: getattr(self, n) for n in self.__dataclass_fields__}, **moved})

    def points(self, l: Tensor, u: Tensor, weight: Tensor) -> Tensor:  # noqa: E741
        """Where to split [l, u] (..., N), float64: strictly inside wherever a number lies strictly inside.

        weight (..., N, 2) >= 0: how much the areas (below, above) the function matter. Infinite or empty
        intervals, and those that the table does not reach, give `middle`.
        """
        low, high = l.clamp_min(self.domain[0]), u.clamp_max(self.domain[1])
        width = high - low
        known = torch.isfinite(width) & (width > 0)
        width = torch.where(known, width, 1.0)
        centre = torch.where(known, 0.5 * low + 0.5 * high, 0.0)
        known &= centre.abs() <= self.reach
        if self.period:
            known &= width <= 2.0 ** (self.first + self.step * (self.data.shape[1] - 1))
        centre, turn = self._reduced(centre)
        share, rule, wrapped = self._share(centre, width, _objective(weight))
        point = torch.where(known, low + share * width, 0.0)
        point = self._snapped(point, low, high, width)
        if self.stops.numel():
            stop = beside(self.stops[(rule - FIRST_STOP).clamp_min(0).long()], turn + wrapped)
            stopped = (rule >= FIRST_STOP) & (low < stop) & (stop < high)
            point = torch.where(stopped, stop, self._off_jumps(point, low, high))
        fallback = middle(l, u)
        return torch.where(known & (l < point) & (point < u), point, fallback)

    def _reduced(self, x: Tensor) -> tuple[Tensor, Tensor | float]:
        """(x moved into one period, by how much)."""
        if not self.period:
            return x, 0.0
        turn = torch.floor((x - self._origin) / self.period) * self.period
        return x - turn, turn

    def _share(self, centre: Tensor, width: Tensor, objective: Tensor) -> Triple:
        """(the best point as a share of the interval with this centre and width, the cell's rule, how far the
        cell's stops are from there).
        """
        count, rows, columns = len(self.centres), self.data.shape[1] - 1, len(self.places) - 1
        nearest = torch.bucketize(centre, self._between)
        wrapped = (nearest == count).to(centre.dtype) * self.period
        nearest = nearest % count
        at = self.centres[nearest] + wrapped
        unit = width.clamp_max(self.period) if self.period else width
        z = (centre - at) / unit
        column = torch.bucketize(z, self.places[1:-1])
        left, right = self.places[column], self.places[column + 1]
        across = ((z - left) / (right - left)).clamp(0.0, 1.0)
        height = ((torch.log2(width) - self.first) / self.step).clamp(0.0, float(rows))
        row = height.long().clamp_max(rows - 1)
        up = height - row
        cell = self.cells[((nearest * rows + row) * columns + column) * 3 + objective]
        a, b, c, d, rule = cell.unbind(-1)
        share = torch.lerp(torch.lerp(a, b, across), torch.lerp(c, d, across), up)
        above = (rule == CORNERS + 2) | (rule == CORNERS + 3) | ((rule == NEAREST) & (up >= 0.5))
        right = (rule == CORNERS + 1) | (rule == CORNERS + 3) | ((rule == NEAREST) & (across >= 0.5))
        corner = torch.where(above, torch.where(right, d, c), torch.where(right, b, a))
        share = torch.where((rule == INTERPOLATE) | (rule >= FIRST_STOP), share, corner)
        return torch.where(rule == MIDDLE, 0.5, share), rule, wrapped

    def _off_jumps(self, point: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """The points, moved off jumps: on a jump both parts would have it, beside it the shorter one does."""
        jumps = torch.unique(self.stops[self.stops[:, 1] != 0, 0])
        if jumps.numel() == 0:
            return point
        reduced, turn = self._reduced(point)
        jump = _nearest(reduced, jumps) + turn
        side = torch.where(jump - low < high - jump, torch.inf, -torch.inf)
        on = (jump - point).abs() <= _ON * torch.maximum(high - low, jump.abs())
        return torch.where(on, torch.nextafter(jump, side), point)

    def _snapped(self, point: Tensor, low: Tensor, high: Tensor, width: Tensor) -> Tensor:
        """The nearest break instead of the point where it is close and strictly inside."""
        if self._aims.numel() == 0:
            return point
        reduced, turn = self._reduced(point)
        aim = _nearest(reduced, self._aims) + turn
        close = ((aim - point).abs() <= _SNAP * width) & (low < aim) & (aim < high)
        return torch.where(close, aim, point)


def beside(stops: Tensor, turn: Tensor | float) -> Tensor:
    """Stops (..., 2) as points (...): the place moved by `turn`, or the number before (-1) or after (1)
    it.
    """
    place, side = stops[..., 0] + turn, stops[..., 1]
    return torch.where(
        side == 0, place, torch.nextafter(place, torch.copysign(torch.full_like(side, torch.inf), side))
    )


def _nearest(x: Tensor, ascending: Tensor) -> Tensor:
    """The number of those ascending that is nearest to x."""
    return ascending[torch.bucketize(x, 0.5 * (ascending[:-1] + ascending[1:]))]


def _objective(weight: Tensor) -> Tensor:
    """The objective per element: one gap alone where it matters much more than the other."""
    below, above = weight.unbind(-1)
    objective = torch.full(below.shape, BOTH, device=weight.device)
    objective.masked_fill_(below > _ONE_SIDED * above, BELOW)
    return objective.masked_fill_(above > _ONE_SIDED * below, ABOVE)
