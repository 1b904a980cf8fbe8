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

from genbab.kernels import DEFAULT, Kernels
from genbab.kernels.torch.splitting import Grid

WHOLE = 20000
"""Table entries are whole numbers of this part of an interval."""

BELOW, BOTH, ABOVE = 0, 1, 2
OBJECTIVES = ("below", "both", "above")
MOST_STOPS = 240


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
        """(C * (W-1) * (Z-1) * 3, 5): the four corners of each cell and its rule.

        The corners are (w, z), (w, z'), (w', z), (w', z').
        """
        share = self.data.double() / WHOLE
        low, high = share[:, :-1], share[:, 1:]
        corners = (low[:, :, :-1], low[:, :, 1:], high[:, :, :-1], high[:, :, 1:], self.rules.double())
        return torch.stack(corners, -1).reshape(-1, 5).contiguous()

    @cached_property
    def grid(self) -> Grid:
        """The table as kernels read it; breaks with those of the next periods."""
        breaks = self.breaks
        if self.period:
            breaks = torch.cat([breaks - self.period, breaks, breaks + self.period])
        size = self.first, self.step, self.reach, self.period, self.domain, self.data.shape[1] - 1
        return Grid(self.centres, self.places, self.cells, breaks, self.stops, *size)

    def to(self, device: torch.device) -> Table:
        """The table with its tensors on the device."""
        tensors = ("centres", "places", "data", "rules", "stops", "breaks", "probe")
        moved = {name: getattr(self, name).to(device) for name in tensors}
        return Table(**{**{n: getattr(self, n) for n in self.__dataclass_fields__}, **moved})

    def points(
        self,
        l: Tensor,  # noqa: E741
        u: Tensor,
        weight: Tensor,
        kernels: Kernels = DEFAULT,
    ) -> Tensor:
        """Where to split [l, u] (..., N), float64: strictly inside wherever a number lies strictly inside.

        weight (..., N, 2) >= 0: how much the areas (below, above) the function matter. Infinite or empty
        intervals, and those that the table does not reach, give their middle. kernels: what computes it.
        """
        return kernels.points(self.grid, l, u, weight)


def beside(stops: Tensor, turn: Tensor | float) -> Tensor:
    """Stops (..., 2) as points (...).

    The place moved by `turn`, or the number before (-1) or after (1) it.
    """
    place, side = stops[..., 0] + turn, stops[..., 1]
    return torch.where(
        side == 0, place, torch.nextafter(place, torch.copysign(torch.full_like(side, torch.inf), side))
    )
