"""Whether y -> P y + Q f(y) + u contracts in some norm, for every u: certified, rounding included.

Norms: the entries are parted into blocks, and

    ||y||  =  max over blocks b of |(y / scale)_b|_2,      scale > 0.

With slopes of f within [c - r, c + r] entry by entry, the part of two images' difference in block b is at
most Σ_j (|P_bj + Q_bj diag(c)|_2 + |Q_bj diag(r)|_2)·||y||, in scaled entries: so ||.|| shrinks by the
greatest of these sums at least, and there is one fixed point (Banach). The scale is searched, what it gives
is certified. Blocks of one entry each give a weighted largest entry, one block a weighted length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SQUARINGS = 7
"""Of M'M: its 2-norm is then known to within a factor n^(2^-8)."""

LARGEST = 0.9999
"""A ratio above this is taken for none: what it says is worth nothing."""

POWERS = 60
"""Steps of the search for scales."""

UNIT = torch.finfo(torch.float64).eps
"""Of float64, in which all of this is computed."""


@dataclass(frozen=True, eq=False)
class Contracting:
    """||.|| of differences shrinks by `ratio` < 1; scale (N,) > 0, block (N,): the number of each entry's."""

    scale: Tensor
    block: Tensor
    ratio: float

    def norm(self, y: Tensor) -> Tensor:
        """An upper bound (...,) of ||y|| for |y| (..., N)."""
        size, block = y / self.scale.to(y), self.block.to(y.device)
        sums = size.new_zeros(*size.shape[:-1], int(block.max()) + 1).index_add(-1, block, size.square())
        room = 1 + 2 * (y.shape[-1] + 16) * torch.finfo(y.dtype).eps
        found: Tensor = sums.amax(-1).sqrt() * room + torch.finfo(y.dtype).tiny ** 0.5
        return found

    def reach(self, norm: Tensor) -> Tensor:
        """How far each entry may be from 0, (..., N), where ||y|| is at most so much, (...,)."""
        return norm[..., None] * self.scale.to(norm) * (1 + 4 * torch.finfo(norm.dtype).eps)


def contraction(
    linear: Tensor | None, matrix: Tensor, slopes: tuple[Tensor, Tensor], blocks: Tensor
) -> Contracting | None:
    """The best certified contraction of y -> P y + Q f(y) + u, None where none is found.

    linear: P, None for 0; matrix: Q (N, N); slopes (N,): bounds of those of f; blocks (N,): a partition to
    be tried beside that into single entries.
    """
    least, most = slopes
    if not all(bool(torch.isfinite(t).all()) for t in (matrix, least, most)):
        return None
    centre = torch.zeros_like(least) if linear is None else (least + most) / 2
    radius = torch.maximum(most - centre, centre - least).clamp_min(0.0) * (1 + 4 * UNIT)
    moved = matrix * centre
    fixed = moved if linear is None else linear + moved
    lost = 4 * UNIT * (moved.abs() if linear is None else linear.abs() + moved.abs())
    whole = fixed.abs() + lost + (matrix * radius).abs() * (1 + 4 * UNIT)
    best: Contracting | None = None
    for block in (torch.arange(len(matrix)), blocks):
        for scale in _scales(whole, block):
            ratio = _ratio(fixed, matrix * radius, lost, scale, block)
            if best is None or ratio < best.ratio:
                best = Contracting(scale, block, ratio)
    return best if best is not None and best.ratio < LARGEST else None


def _ratio(fixed: Tensor, free: Tensor, lost: Tensor, scale: Tensor, block: Tensor) -> float:
    """What ||.|| of differences shrinks by, rounded up; its blocks are then scaled against each other.

    `scale` becomes what that needs.
    """
    count = int(block.max()) + 1
    by = scale / scale[:, None]
    if count == len(block):  # all norms are sizes
        norms = (fixed.abs() + free.abs() + lost) * by * (1 + 16 * UNIT)
    else:
        norms = torch.zeros(count, count, dtype=scale.dtype)
        for i in range(count):
            for j in range(count):
                a, b, c = ((t * by)[block == i][:, block == j] for t in (fixed, free, lost))
                slack = float(c.norm()) + 16 * UNIT * float(a.norm() + b.norm())
                norms[i, j] = (spectral(a) + spectral(b) + slack) * (1 + 1e-12)
    _, weight = _perron(norms)
    scale *= weight[block]
    return float(((norms @ weight) / weight).max()) * (1 + 16 * (count + 8) * UNIT)


def _perron(whole: Tensor) -> tuple[Tensor, Tensor]:
    """About the (left, right) vectors of the largest eigenvalue of a matrix >= 0, kept away from 0."""
    right = left = torch.ones(len(whole), dtype=whole.dtype)
    floor = 1e-6 * float(whole.mean()) + 1e-300
    for _ in range(POWERS):
        right, left = right / right.max(), left / left.max()
        right, left = right + whole @ right + floor * right.sum(), left + whole.mT @ left + floor * left.sum()
    return left / left.max(), right / right.max()


def _scales(whole: Tensor, block: Tensor) -> list[Tensor]:
    """Scales worth trying where the sizes of the matrix are `whole`: none, and that of Perron's vectors."""
    ones = torch.ones(len(whole), dtype=whole.dtype)
    if int(block.max()) + 1 == len(whole):
        return [ones]
    left, right = _perron(whole)
    return [ones, (right / left).sqrt()]


def spectral(matrix: Tensor) -> float:
    """An upper bound of the 2-norm of a float64 matrix: of powers of M'M, with what rounding loses.

    |M|_2 ^ (2^(k+1)) <= |(M'M)^(2^k)|_F.
    """
    size = float(matrix.abs().max()) if matrix.numel() else 0.0
    if size == 0.0 or not math.isfinite(size):
        return size
    scaled = matrix / size
    power = scaled.mT @ scaled
    n = max(matrix.shape)
    error = (n + 8) * UNIT * float(scaled.norm()) ** 2 + n * 1e-300
    logarithm = 0.0  # of what was divided by, as a part of the norm of M'M
    for k in range(SQUARINGS):
        norm = float(power.norm())
        power, error = power / norm, error / norm * (1 + 8 * UNIT) + 2 * UNIT
        logarithm += math.log(norm) / 2**k
        power, error = power @ power, (n + 8) * UNIT * 2 + 2.01 * error + error * error
    last = float(power.norm()) * (1 + (n * n + 8) * UNIT) + error
    return size * math.exp((logarithm + math.log(last) / 2**SQUARINGS) / 2) * (1 + 1e-11)
