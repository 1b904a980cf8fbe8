"""How much area default lines leave against the least possible: `python benchmarks/tightness.py`.

For random boxes of every function of one variable: the area between the function and its default line over
the area between the function and the best line of all. A line below f is best when it is highest at the
midpoint, which is at most the height of the convex envelope there, and that is found from 2 000 points of
the function alone (nothing of the library but its values), so that the ratio can only be too large by what
lies between the points. Boxes on which the function is as good as straight, or infinite, are skipped.

Exit code: 0; 1 when a median is above 1.001.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from genbab.errors import GenbabError
from genbab.nonlinear import Nonlinearity, compose, default_slopes, functions, intercept
from tests.nonlinear.expressions import WRITTEN

POINTS = 1501
MOST_ROUNDS = 60
REACH = 24
"""Periods on either side of the midpoint whose breaks are among the points."""
BAR = 1.001
NEAR = 100.0
"""Breaks and ends of the domain further out are not looked at."""
_STRAIGHT = 1e-9
_CLOSE = 1e-14


@dataclass(frozen=True)
class Row:
    """One side of one function: ratios of areas over the boxes that count."""

    function: str
    side: str
    boxes: int
    median: float
    share_above: float
    worst: float
    where: tuple[float, float]


def random_boxes(fn: Nonlinearity, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """(l, u): near the places where something happens and off poles; widths of 0.01 to 30, log-uniform."""
    random = torch.Generator().manual_seed(seed)
    places = torch.tensor([*(place for place in fn.breaks if abs(place) < NEAR), 0.0], dtype=torch.float64)
    pick = torch.randint(len(places), (count,), generator=random)
    centre = places[pick] + 2.0 * torch.randn(count, generator=random, dtype=torch.float64)
    width = 10.0 ** (torch.rand(count, generator=random, dtype=torch.float64) * 3.5 - 2.0)
    low, high = centre - 0.5 * width, centre + 0.5 * width
    least, most = fn.domain
    if most - least < NEAR:
        ends = least + (most - least) * torch.rand(2, count, generator=random, dtype=torch.float64)
        return ends.amin(0), ends.amax(0)
    if least > -NEAR:
        low = least + (low - least).abs()
        return low, low + width
    return low, high


def envelope_height(fn: Nonlinearity, l: Tensor, u: Tensor, upper: bool) -> tuple[Tensor, Tensor]:  # noqa: E741
    """(height of the best line at the midpoint, integral of fn), from dense values; (N,) each.

    The best line touches the hull of the points in its edge over the midpoint.
    """
    sign = -1.0 if upper else 1.0
    middle = 0.5 * (l + u)
    share = torch.linspace(0.0, 1.0, POINTS, dtype=torch.float64)[:, None]
    # the points are crowded at both ends and the midpoint, too, where derivatives may be infinite
    edge = torch.logspace(-14.0, -3.0, 100, dtype=torch.float64)[:, None]
    share = torch.cat([share, edge, 1.0 - edge, 0.5 - edge, 0.5 + edge]).sort(0).values
    x = _with_breaks(fn, torch.lerp(l, u, share))
    f = sign * fn.value(x)
    for low, high, left, right in fn.jumps:
        f = torch.where(x == low, torch.minimum(f, torch.full_like(f, min(sign * left, sign * right))), f)
        f = torch.where(x == high, torch.minimum(f, torch.full_like(f, min(sign * left, sign * right))), f)
    height = _hull_at(x, f, middle)
    return sign * height, torch.trapezoid(sign * f, x, dim=0)


def _hull_at(x: Tensor, f: Tensor, middle: Tensor) -> Tensor:
    """Height at `middle` of the lower convex hull of the points (x, f), each (M, N), x ascending."""
    (a, fa), (b, fb) = (x[0], f[0]), (x[-1], f[-1])
    height = torch.full_like(middle, -torch.inf)
    for _ in range(MOST_ROUNDS):
        k = torch.where(b > a, (fb - fa) / (b - a), 0.0)
        gap = f - k * x
        low, place = gap.min(0)
        reached = low + k * middle
        height = torch.maximum(height, reached)
        above = fa + k * (middle - a)
        if bool((above - height <= _CLOSE * (above.abs() + 1e-300)).all()):
            break
        at, value = (part.gather(0, place[None])[0] for part in (x, f))
        left = at <= middle
        a, fa = torch.where(left, at, a), torch.where(left, value, fa)
        b, fb = torch.where(left, b, at), torch.where(left, fb, value)
    return height


def _with_breaks(fn: Nonlinearity, x: Tensor) -> Tensor:
    """The points, with the breaks and what is just beside them among them."""
    rows = [x]
    for place in fn.breaks:
        for turn in range(-REACH, REACH + 1) if fn.period else (0,):
            nearest = torch.round((0.5 * (x[:1] + x[-1:]) - place) / fn.period) if fn.period else 0.0
            at = torch.zeros_like(x[:1]) + place + (turn + nearest) * fn.period
            rows += [at - 1e-9, at, at + 1e-9]
    return torch.minimum(torch.maximum(torch.cat(rows), x[:1]), x[-1:]).sort(0).values


def measured(name: str, fn: Nonlinearity, count: int, seed: int) -> Iterator[Row]:
    """A row per side."""
    for upper, side in ((False, "lower"), (True, "upper")):
        ratios, places = [], []
        for start in range(0, count, 200):
            l, u = random_boxes(fn, min(200, count - start), seed + start)  # noqa: E741
            slope = default_slopes(fn, l, u)[int(upper)]
            c = intercept(fn, slope, l, u, upper)[0]
            height, integral = envelope_height(fn, l, u, upper)
            best = ((u - l) * height - integral).abs()
            left = ((u - l) * (slope * 0.5 * (l + u) + c) - integral).abs()
            size = (u - l) * (1.0 + integral.abs() / (u - l) + slope.abs() * torch.maximum(l.abs(), u.abs()))
            counts = torch.isfinite(best) & torch.isfinite(left) & (best > _STRAIGHT * size)
            ratios.append((left / best)[counts])
            places.append(torch.stack([l, u])[:, counts])
        ratio, where = torch.cat(ratios), torch.cat(places, 1)
        if ratio.numel():
            worst = int(ratio.argmax())
            yield Row(
                name,
                side,
                ratio.numel(),
                float(ratio.median()),
                float((ratio > BAR).double().mean()),
                float(ratio[worst]),
                (float(where[0, worst]), float(where[1, worst])),
            )


def main() -> int:
    """Run from the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="*", metavar="FUNCTION")
    parser.add_argument("--boxes", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write all numbers there")
    options = parser.parse_args()
    records = [(str(fn), fn) for fn in functions()]

    for name, expression in WRITTEN.items():
        try:
            records.append((name, compose(expression)))
        except GenbabError as error:
            print(f"{name}: refused: {error}")
    names = options.functions
    records = [(n, fn) for n, fn in records if not names or n in names or n.split("(")[0] in names]
    print(f"{'function':26} {'side':6} {'boxes':>6} {'median':>9} {'above bar':>9} {'worst':>9}  worst box")
    rows = []
    for name, fn in records:
        for row in measured(name, fn, options.boxes, options.seed):
            rows.append(row)
            mark = " <--" if row.median > BAR else ""
            print(
                f"{row.function:26} {row.side:6} {row.boxes:>6} {row.median:>9.6f} {row.share_above:>9.2%}"
                f" {row.worst:>9.4f}  [{row.where[0]:.6g}, {row.where[1]:.6g}]{mark}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return 1 if any(row.median > BAR for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
