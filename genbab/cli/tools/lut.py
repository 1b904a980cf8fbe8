"""`genbab lut build` and `genbab lut show`: tables of branching points, made and looked at."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genbab.lut.table import Table

_COLUMNS = (-0.98, -0.5, -0.3, -0.1, 0.1, 0.3, 0.5, 0.98)
"""Places of the centre of the interval, in widths from the function's own centre, that are printed."""
_ROWS = 9


def command(options: argparse.Namespace) -> int:
    """Do what was asked; returns 0."""
    return _build(options) if options.action == "build" else _show(options)


def _build(options: argparse.Namespace) -> int:
    from genbab.lut.generate import make_shipped
    from genbab.lut.table import OBJECTIVES

    out = Path(options.out) if options.out else None
    start, size, count = time.perf_counter(), 0, 0
    for name, found, path in make_shipped(options.functions, out):
        told = ", ".join(f"{o} {middle:.3f}" for o, (_, middle) in zip(OBJECTIVES, found, strict=False))
        if path is None:
            sys.stdout.write(f"{name:<14} no table: a kink or the middle is as good\n")
            continue
        size, count = size + path.stat().st_size, count + 1
        sys.stdout.write(f"{name:<14} area left, the middle leaving 1: {told}\n")
        sys.stdout.flush()
    took = time.perf_counter() - start
    sys.stdout.write(f"{count} tables, {size / 1024:.0f} KiB, {took:.1f} s\n")
    return 0


def _show(options: argparse.Namespace) -> int:
    from genbab.lut.generate import table_of
    from genbab.nonlinear.composed.formula import function
    from genbab.nonlinear.lines.describe import title

    fn = function(options.function)
    table = table_of(fn)
    if table is None:
        sys.stdout.write(f"{title(fn)}: no table; it is split at a kink, else in the middle\n")
        return 0
    sys.stdout.write(text(table, title(fn)) + "\n")
    if options.plot:
        from genbab.plot.relaxation import plot_points

        plot_points(title(fn), *grid(table), path=options.plot)
    return 0


def grid(table: Table, rows: int = 120, columns: int = 160) -> tuple[list[float], list[float], list[object]]:
    """(widths, middles, per objective a (rows, columns) array of points as shares of the interval)."""
    import torch

    reach = table.period or float(table.centres[-1] - table.centres[0]) + 8.0
    start = float(table.centres[0]) - (0.0 if table.period else 4.0)
    most = min(float(table.widths[-1]), 4.0 * reach)
    widths = torch.linspace(most / rows, most, rows, dtype=torch.float64)
    middles = start + reach * (torch.arange(columns, dtype=torch.float64) + 0.5) / columns
    w, m = torch.meshgrid(widths, middles, indexing="ij")
    l, u = (m - 0.5 * w).clamp_min(table.domain[0]), (m + 0.5 * w).clamp_max(table.domain[1])  # noqa: E741
    found: list[object] = []
    for weight in ((1.0, 0.0), (1.0, 1.0), (0.0, 1.0)):
        points = table.points(l, u, torch.tensor(weight, dtype=torch.float64).expand(*l.shape, 2))
        found.append(torch.where(u > l, (points - l) / (u - l), torch.nan).numpy())
    return widths.tolist(), middles.tolist(), found


def text(table: Table, heading: str) -> str:
    """The table in short: for some widths and middles the points for the three objectives."""
    import torch

    from genbab.lut.table import OBJECTIVES
    from genbab.nonlinear.lines.describe import number

    centres = ", ".join(number(c) for c in table.centres.tolist())
    lines = [
        f"{heading}: where to split [l, u], as a share of its width (0.5: the middle)",
        f"  centres    {centres}",
        f"  widths     {number(float(table.widths[0]))} to {number(float(table.widths[-1]))}, z from "
        f"{number(float(table.places[0]))} to {number(float(table.places[-1]))}",
    ]
    rows = table.widths[torch.linspace(0, len(table.widths) - 1, _ROWS).round().long()]
    centre = table.centres[len(table.centres) // 2]
    w, z = torch.meshgrid(rows, torch.tensor(_COLUMNS, dtype=torch.float64), indexing="ij")
    l = (centre + (z - 0.5) * w).clamp_min(table.domain[0])  # noqa: E741
    u = (centre + (z + 0.5) * w).clamp_max(table.domain[1])
    for objective, weight in zip(OBJECTIVES, ((1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), strict=True):
        points = table.points(l, u, torch.tensor(weight, dtype=torch.float64).expand(*l.shape, 2))
        lines += ["", f"  least area {objective}; columns: (middle - {number(float(centre))}) / width"]
        lines.append(f"  {'width':>10}" + "".join(f"{c:>8.2f}" for c in _COLUMNS))
        for width, row in zip(rows.tolist(), ((points - l) / (u - l)).tolist(), strict=True):
            cells = "".join(f"{c:>8.3f}" if c == c and 0.0 < c < 1.0 else f"{'-':>8}" for c in row)
            lines.append(f"  {number(width):>10}{cells}")
    return "\n".join(lines)
