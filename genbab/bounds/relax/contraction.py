"""A backward step through a matrix product of two variable tensors, without its elementwise products.

With the default planes of x·y on a box, of centres m and half widths r,

    x·y = m_y·x + m_x·y - m_x·m_y + (x - m_x)(y - m_y),   |(x - m_x)(y - m_y)| <= r_x·r_y,

a row that has the coefficients a of the sums C = Σ_k x·y has a·m_y at x, m_x·a at y and the constant
-<a, Σ m_x·m_y> - <|a|, Σ r_x·r_y>: products of matrices. The same planes, taken one by one, need every
elementary product of every row.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.network import Contraction
from genbab.network.roundoff import Interval, gamma


@dataclass(frozen=True, eq=False)
class Contracted:
    """A matrix product on boxes.

    left, right: centres of the operands (B, 1, H, I, K) and (B, 1, H, J, K); of the sums,
    centre and reach (B, 1, H·I·J): Σ m_x·m_y and more than Σ r_x·r_y, and the scale of rounding errors, mass.
    """

    of: Contraction
    left: Tensor
    right: Tensor
    centre: Tensor
    reach: Tensor
    mass: Tensor

    def pull(self, a: Tensor) -> tuple[Tensor, Tensor]:
        """The coefficients of both operands, for those of the sums (B, S, H·I·J).

        (B, S, H·I·K) and (B, S, H·J·K).
        """
        heads, rows, columns, _ = self.of.shape
        cube = a.reshape(*a.shape[:2], heads, rows, columns)
        return (cube @ self.right).flatten(2), (cube.mT @ self.left).flatten(2)

    def constant(self, a: Tensor) -> Tensor:
        """What is added to the rows, (B, S)."""
        return -(a @ self.centre.mT + a.abs() @ self.reach.mT).squeeze(-1)


def contracted(
    of: Contraction,
    left: Interval,
    right: Interval,
    doubts: tuple[Tensor | None, Tensor | None] = (None, None),
) -> Contracted | None:
    """The matrix product where its operands' nodes have these intervals (B, N).

    None where copies of a number differ or something is not finite. doubts (B, N): how far the operands' true
    values may be from the ones as written; so much, twice, may copies of one number differ.
    """
    for interval, first in ((left, True), (right, False)):
        for end in interval:
            if not bool(torch.isfinite(end).all()) or not of.repeats(end, first):
                return None
    x, y = (
        tuple(end[:, factor.places.reshape(-1)].reshape(-1, 1, *factor.places.shape) for end in interval)
        for factor, interval in ((of.left, left), (of.right, right))
    )
    eps = torch.finfo(left[0].dtype).eps
    centres = [0.5 * low + 0.5 * high for low, high in (x, y)]
    sizes = [torch.maximum(low.abs(), high.abs()) for low, high in (x, y)]
    radii = [
        0.5 * (high - low) * (1 + 4 * eps) + 4 * eps * size + torch.finfo(low.dtype).tiny
        for (low, high), size in zip((x, y), sizes, strict=True)
    ]
    (m, n), (r, t), (u, v) = centres, radii, sizes
    wide = 1 + gamma(of.shape[3], left[0].dtype)
    reach = (r @ t.mT) * wide + torch.finfo(left[0].dtype).tiny
    mass = (m.abs() @ (v + n.abs()).mT + u @ n.abs().mT + reach) * wide
    share = 2 * wide**2 / gamma(of.shape[3], left[0].dtype)  # mass is multiplied by more than this gamma
    for doubt, centre in zip(doubts, (n.abs()[..., None, :, :], m.abs()[..., None, :]), strict=True):
        if doubt is not None:
            mass = mass + share * (doubt.reshape(-1, 1, *of.shape) * centre).sum(-1)
    return Contracted(of, m, n, *(total.flatten(2) for total in (m @ n.mT, reach, mass)))
