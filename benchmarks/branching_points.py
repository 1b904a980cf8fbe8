"""How good branching points are: `python benchmarks/branching_points.py [FUNCTION ...]`.

On random intervals of each function, the area that is left between it and its lines (those that bounds
start from) after a split at the table's point, at a kink or else in the middle, in the middle, and at the
best of 127 points and the breaks. For three objectives: area below the function, both, above. Intervals on
which less than a thousandth of the area is left by the middle, too, do not count.

Exit code: 0; 1 when a table leaves in the median more than the middle.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from genbab.lut.fallback import kink_or_middle
from genbab.lut.generate import boxes, library, needs_table, table_of
from genbab.lut.table import OBJECTIVES
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.composed.formula import function
from tests.lut.measuring import left

TRIED = 127
_COUNTS = 1e-3
_SEEN = 1e-6


def best(fn: Nonlinearity, l: Tensor, u: Tensor) -> Tensor:  # noqa: E741
    """(3, M): the least areas that one split leaves, of all points tried."""
    found = torch.full((3, len(l)), torch.inf, dtype=torch.float64)
    points = [torch.lerp(l, u, i / (TRIED + 1)) for i in range(1, TRIED + 1)]
    for place in fn.breaks[:20]:
        turn = torch.round((0.5 * (l + u) - place) / fn.period) if fn.period else torch.zeros_like(l)
        for i in (-1, 0, 1) if fn.period else (0,):
            at = place + (turn + i) * fn.period
            points.append(torch.where((l < at) & (at < u), at, 0.5 * (l + u)))
    for point in points:
        found = torch.minimum(found, left(fn, [l, point, u]))
    return found


def measured(fn: Nonlinearity, count: int, seed: int) -> list[tuple[float, ...]]:
    """Per objective: (share of intervals that count, medians of table/middle, kink/middle, best/middle, worst
    table/middle, median and 99th percentile of table/best).
    """
    table = table_of(fn)
    l, u = boxes(fn, count, seed)  # noqa: E741
    weights = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    unsplit = left(fn, [l, u])
    middle = left(fn, [l, 0.5 * (l + u), u])
    kink = left(fn, [l, kink_or_middle(fn, l, u), u])
    least = best(fn, l, u)
    rows: list[tuple[float, ...]] = []
    for i, weight in enumerate(weights):
        point = table.points(l, u, weight.expand(count, 2)) if table else kink_or_middle(fn, l, u)
        tabled = left(fn, [l, point, u])[i]
        counts = (
            torch.isfinite(middle[i]) & (middle[i] > _COUNTS * unsplit[i]) & (unsplit[i] > _SEEN * (u - l))
        )
        if not bool(counts.any()):
            rows.append((0.0,) * 7)
            continue
        m, t, k, b = (a[counts] for a in (middle[i], tabled, kink[i], least[i]))
        b = torch.minimum(b, torch.minimum(t, m))
        dust = 1e-4 * m
        near = (t + dust) / (b + dust)
        rows.append(
            (
                float(counts.double().mean()),
                *(float((a / m).median()) for a in (t, k, b)),
                float((t / m).max()),
                float(near.median()),
                float(near.quantile(0.99)),
            )
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("functions", nargs="*")
    parser.add_argument("--boxes", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chosen = [function(name) for name in options.functions] or [
        fn for fn in library().values() if needs_table(fn)
    ]
    print(
        "| function | gap | counts | table/middle | kink/middle | best/middle | worst table/middle "
        "| table/best | 99 % |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    bad, start = 0, time.perf_counter()
    for fn in chosen:
        for gap, row in zip(OBJECTIVES, measured(fn, options.boxes, options.seed), strict=True):
            print(f"| {fn} | {gap} | " + " | ".join(f"{value:.3f}" for value in row) + " |", flush=True)
            bad += row[1] > 1.0
    print(f"\nseed {options.seed}, {time.perf_counter() - start:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
