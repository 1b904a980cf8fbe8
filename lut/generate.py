"""Which functions have tables, and where they come from: shipped, remembered, or made now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.lut.areas import at, remaining
from genbab.lut.build import TooSlow, build
from genbab.lut.facts import TabledFunction, fingerprint
from genbab.lut.fallback import kink_or_middle
from genbab.lut.store import SHIPPED, load, save
from genbab.lut.table import OBJECTIVES, Table
from genbab.nonlinear import Nonlinearity, functions
from genbab.nonlinear.composed import cache

LIMIT = 1.0
"""Seconds that making a table may take when one is needed; afterwards kink or middle is good enough."""
PROFIT = 0.01
"""A table is shipped if it leaves this part less area than kink or middle, in the mean, or knows of jumps."""

_BOXES = 2000
_WORKERS = 2


def library() -> dict[str, Nonlinearity]:
    """The functions without parameters, by name: those that tables are shipped for."""
    return {fn.name: fn for fn in functions() if not fn.params}


def folder() -> Path:
    """Where tables that were made when needed are kept."""
    return cache.folder().parent / "points"


@lru_cache(maxsize=512)
def table_of(fn: Nonlinearity) -> Table | None:
    """The function's table; None where it needs none, or cannot be had within `LIMIT` seconds."""
    if not needs_table(fn):
        return None
    names = [] if fn.params or not fn.name.isidentifier() else [SHIPPED / f"{fn.name}.npz"]
    own = folder() / f"{fingerprint(fn)}.npz"
    for path in (*names, own):
        table = load(path, fn)
        if table is not None:
            return table
    try:
        table = build(fn, LIMIT)
    except TooSlow:
        return None
    try:
        save(table, own)
    except OSError:
        pass  # without a folder to write to it is made again
    return table


@lru_cache(maxsize=128)
def table_on(fn: Nonlinearity, device: torch.device) -> Table | None:
    """`table_of` with its tensors on the device."""
    table = table_of(fn)
    return table if table is None or device.type == "cpu" else table.to(device)


def needs_table(fn: TabledFunction) -> bool:
    """Whether there is more to know than its only kink: straight pieces that meet once are split there."""
    return any(fn.curvature) or len(fn.breaks) > 1 or fn.period > 0.0


def boxes(fn: TabledFunction, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random (l, u) (count,): near breaks, widths log-uniform from 0.1 to 30 (up to three periods)."""
    random = torch.Generator().manual_seed(seed)
    places = torch.tensor([*fn.breaks[:8], 0.0], dtype=torch.float64)
    pick = torch.randint(len(places), (count,), generator=random)
    spread, share = torch.randn(count, generator=random), torch.rand(count, generator=random)
    widest = min(30.0, 3.0 * fn.period or torch.inf)
    width = widest * (0.1 / 30.0) ** share.double()
    low, high = fn.domain
    width = width.clamp_max(0.98 * (high - low))
    middle = places[pick] + spread * torch.maximum(0.5 * width, torch.ones_like(width))
    half = 0.505 * width
    middle = torch.minimum(torch.maximum(middle, low + half), high - half)
    return middle - 0.5 * width, middle + 0.5 * width


def gains(fn: Nonlinearity, table: Table, seed: int = 0) -> list[tuple[float, float]]:
    """Per objective, the area that the table's points leave, as parts of what others leave.

    The others: (kink or middle, the middle). In all on random intervals, each of which counts as much as any
    other.
    """
    l, u = boxes(fn, _BOXES, seed)  # noqa: E741
    below, above = remaining(fn, l, u)[0]
    areas = (below, below + above, above)
    weights = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    found = []
    for weight, area in zip(weights, areas, strict=True):
        points = table.points(l, u, weight.expand(len(l), 2)), kink_or_middle(fn, l, u), 0.5 * (l + u)
        left = torch.stack([at(area, ((p - l) / (u - l))[:, None]).squeeze(1) for p in points])
        left = left[:, torch.isfinite(left).all(0)].mean(1) + 1e-9
        found.append((float(left[0] / left[1]), float(left[0] / left[2])))
    assert len(found) == len(OBJECTIVES)
    return found


Made = tuple[str, list[tuple[float, float]], Path | None]


def make_shipped(names: Sequence[str], out: Path | None) -> Iterator[Made]:
    """Make the tables of the named library functions, of all that profit without names.

    Yields (function, its `gains`, the file written or None). Raises UsageError for an unknown name, and where
    a file cannot be written.
    """
    known = library()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"no function without parameters is called {', '.join(unknown)}; there are: {', '.join(known)}"
        )
    with ThreadPoolExecutor(_WORKERS) as pool:
        yield from pool.map(lambda name: _made(known[name], bool(names), out or SHIPPED), names or known)


def _made(fn: Nonlinearity, wanted: bool, folder: Path) -> Made:
    if not needs_table(fn):
        return fn.name, [], None
    table = build(fn)
    found = gains(fn, table)
    if not (wanted or fn.jumps or any(kink < 1.0 - PROFIT for kink, _ in found)):
        return fn.name, found, None
    path = folder / f"{fn.name}.npz"
    try:
        save(table, path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error}") from error
    return fn.name, found, path
