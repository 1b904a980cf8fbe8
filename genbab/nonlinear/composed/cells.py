"""Cut the line into cells on which an expression surely bends one way, or hardly at all.

Cells are bisected until the sign of the second derivative is certain (jets.py), or what is left is too small
to matter: around inflections, kinks and jumps. Starts at 0 and reaches out to ±1e6, less far where the
function bends too often.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.jets import Jet, jet
from genbab.nonlinear.expressions.outward import size

REACH = 1e6
_OCTAVES = 32
_PARTS = 4
_LEVELS = 130
_PENDING = 12_000
_FEW = 500
_ACCURATE = 1e4
_LEAST = 1e-30
_EPS = torch.finfo(torch.float64).eps


def _go_on() -> None:
    """Nothing ends the work."""


@dataclass(frozen=True)
class CompositionLimits:
    """How far certain facts must reach, and when to stop looking for them.

    Facts are of no use that do not reach out to ±least; `ask` is called now and then and may raise to end the
    work (it does not count for equality).
    """

    least: float = 0.0
    ask: Callable[[], None] = field(default=_go_on, compare=False)


class Kind(enum.IntEnum):
    """What is known of a cell."""

    CONCAVE = -1
    STRAIGHT = 0
    CONVEX = 1
    LOOSE = 2
    """continuous, and too small or too straight for its bend to matter"""
    JUMP = 3
    OUTSIDE = 4
    """undefined, or beyond what could be certified"""


@dataclass(frozen=True)
class Cells:
    """Cells side by side, ascending; all tensors (C,)."""

    low: Tensor
    high: Tensor
    kind: Tensor
    jet: Jet


def _start() -> tuple[Tensor, Tensor]:
    powers = REACH * 2.0 ** torch.arange(-_OCTAVES, 1, dtype=torch.float64)
    places = [torch.zeros(1, dtype=torch.float64)]
    for a, b in zip(powers, powers[1:], strict=False):
        places.append(torch.linspace(float(a), float(b), _PARTS + 1, dtype=torch.float64)[:-1])
    right = torch.cat([*places, powers[-1:]])
    both = torch.cat([-right.flip(0)[:-1], right])
    return both[:-1], both[1:]


def cells(expression: Expression, effort: CompositionLimits | None = None) -> Cells:
    """Cells that cover [-R, R], R at most 1e6; beyond R the function bent too often. Deterministic.

    Raises UsageError once R is less than is of use.
    """
    effort = effort or CompositionLimits()
    low, high = _start()
    done: list[tuple[Tensor, Tensor, Tensor]] = []
    reach = REACH
    for _ in range(_LEVELS):
        effort.ask()
        kind, settled, flat = _classified(jet(expression, low, high), low, high)
        crowded = 2 * int((~settled).sum()) > _PENDING
        settled = settled | (flat & (crowded | (high - low < 1e-6 * torch.maximum(low.abs(), high.abs()))))
        done.append((low[settled], high[settled], kind[settled]))
        low, high = low[~settled], high[~settled]
        while 2 * low.shape[0] > _PENDING:
            reach *= 0.5
            if reach < effort.least:
                raise UsageError(f"'{expression}' bends or jumps too often on [{-reach:g}, {reach:g}]")
            near = (low < reach) & (high > -reach)
            done.append((low[~near], high[~near], torch.full_like(low[~near], float(Kind.OUTSIDE))))
            low, high = low[near], high[near]
        if not low.shape[0]:
            break
        low, high = _cut(low, high)
    done.append((low, high, torch.full_like(low, float(Kind.OUTSIDE))))
    lows, highs, kinds = (torch.cat(parts) for parts in zip(*done, strict=True))
    order = lows.argsort()
    lows, highs, kinds = lows[order], highs[order], kinds[order]
    return Cells(lows, highs, kinds.to(torch.int64), jet(expression, lows, highs))


def _cut(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Halves of the cells; eighths where they are few: a pass costs as much for few cells as for many."""
    for _ in range(3 if low.shape[0] < _FEW else 1):
        middle = 0.5 * low + 0.5 * high
        low, high = torch.cat([low, middle]), torch.cat([middle, high])
    return low, high


def _classified(found: Jet, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(kind, whether that is final, whether the bend could be left undecided)."""
    width, far = high - low, torch.maximum(low.abs(), high.abs())
    second, first, value = found.second, found.first, found.value
    finite = torch.isfinite(value[0]) & torch.isfinite(value[1]) & torch.isfinite(size(first))
    known = found.defined & found.smooth & finite & torch.isfinite(size(second))
    rising, falling = known & (second[0] >= 0), known & (second[1] <= 0)
    decided = rising | falling
    calm = found.defined & finite & ~found.broken & ~decided
    least = width <= torch.maximum(4.0 * _EPS * far, low.new_tensor(_LEAST))
    small = torch.minimum(size(first) * width, value[1] - value[0]) <= 1e-16 * (1.0 + size(value))
    flat = known & (small | (size(second) * width <= 1e-16 * (1.0 + size(first))))
    loose = calm & ((small & ~known) | least)
    jump = ~decided & found.broken & found.defined & least
    gone = found.outside | least | (~found.broken & found.defined & ~finite & (width < 0.01 * low.abs()))
    kind = torch.full_like(low, float(Kind.OUTSIDE))
    for where, what in (
        (rising, Kind.CONVEX),
        (falling, Kind.CONCAVE),
        (rising & falling, Kind.STRAIGHT),
        (~decided & (flat | loose), Kind.LOOSE),
        (jump, Kind.JUMP),
    ):
        kind = torch.where(where, float(what), kind)
    limit = _ACCURATE * _EPS * (1.0 + torch.minimum(value[0].abs(), value[1].abs())) * (1.0 + far)
    rough = (decided | loose) & (found.error > limit) & (width < 0.01 * far)
    settled = decided | loose | jump | gone
    wide = decided & (found.error > limit) & ~rough
    return torch.where(rough, float(Kind.OUTSIDE), kind), settled & ~wide, ~decided & flat
