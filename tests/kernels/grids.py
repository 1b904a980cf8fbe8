"""Tables of branching points in the layout of the kernels."""

from __future__ import annotations

import torch

from genbab.kernels.splitting import Grid
from genbab.lut.table import Table


def grid_of(table: Table) -> Grid:
    """The table as `points` reads it."""
    breaks = table.breaks
    if table.period:
        breaks = torch.cat([breaks - table.period, breaks, breaks + table.period])
    size = table.first, table.step, table.reach, table.period, table.domain, table.data.shape[1] - 1
    return Grid(table.centres, table.places, table.cells, breaks, table.stops, *size)
