"""What products and squares add up to, as one quadratic form of the input.

With default slopes every product loses its own |A|·r_p·r_q (half widths of its arguments), although the sum
may be convex. Where forward bounds give the arguments as affine functions p = P·t + a ± e of the inputs t
(from the centre of the box, |t| <= radius), the sum is

    Σ A(p·q - k_p·p - k_q·q) = t'Mt + Σ A(terms of e and of a - k) - Σ A·k_p·k_q,    M = Σ A·sym(P Q'),

and t'Mt is at least Σ λ·(|v|·radius)² over M's negative eigenvalues. The linear part does not change, so what
this is better by is added to the constant of a pass. Where the sum is convex nothing is lost at the centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.network import Network
from genbab.network.roundoff import Interval, gamma
from genbab.nonlinear import Nonlinearity, Product

Forms = tuple[Tensor, Tensor]
"""(lower, upper), each (B, D+1, N): coefficients of the D varying inputs, and a constant."""

LIMIT = 4_000_000
"""Largest number of entries P·Q' of one node; above, its products are bounded one by one."""

EIGEN = 256.0
"""How many n·eps·|S| the eigenvalues and eigenvectors of a symmetric n by n matrix S may be off by."""


@dataclass(frozen=True, eq=False)
class Linearised:
    """Arguments of products as affine functions of the varying inputs.

    active (D,): these inputs; radius (B, D): of the boxes. Node a is within error[a] (B, N) of slope[a] (B,
    D, N) applied to t plus constant[a] (B, N).
    """

    active: Tensor
    radius: Tensor
    slope: dict[int, Tensor]
    constant: dict[int, Tensor]
    error: dict[int, Tensor]

    def take(self, which: Tensor) -> Linearised:
        """The boxes selected."""
        parts = ({a: t[which] for a, t in part.items()} for part in (self.slope, self.constant, self.error))
        return Linearised(self.active, self.radius[which], *parts)


def factors(network: Network, i: int) -> tuple[int, int] | None:
    """The nodes whose product node i is, or None if it is something else."""
    node = network.nonlinear.get(i)
    if node is None:
        return None
    if isinstance(node.fn, Product):
        return node.args[0], node.args[1]
    square = isinstance(node.fn, Nonlinearity) and node.fn.key == ("power", (2.0,))
    return (node.args[0], node.args[0]) if square else None


def linearised(network: Network, forms: list[Forms], active: Tensor, radius: Tensor) -> Linearised | None:
    """The arguments of the network's products from the forward forms of all nodes; None without products.

    The forms hold for |t| <= radius (B, D), t the varying inputs `active`.
    """
    found = [pair for i in range(len(network.nodes)) if (pair := factors(network, i)) is not None]
    count = radius.shape[1]
    if not count or not any(p != q for p, q in found):
        return None
    wide = radius * (1 + 8 * torch.finfo(radius.dtype).eps)
    known = Linearised(active, wide, {}, {}, {})
    for a in {a for pair in found for a in pair}:
        lower, upper = forms[a]
        mean = (lower + upper) / 2
        # each computed mean is off by an ulp of its terms, each half difference too
        rounding = gamma(count + 1, mean.dtype) * torch.maximum(lower.abs(), upper.abs())
        half = (upper - lower).abs() / 2 + 2 * rounding
        spread = torch.einsum("bdn,bd->bn", half[:, :-1], wide) + half[:, -1]
        known.slope[a], known.constant[a] = mean[:, :-1], mean[:, -1]
        known.error[a] = spread * (1 + gamma(count + 1, mean.dtype))
    return known


class Curvature:
    """The quadratic forms of rows (B, S) of one pass with default slopes, as its nodes add to them."""

    def __init__(self, linear: Linearised) -> None:
        self.linear = linear
        self.matrix: Tensor | None = None
        self.gain: Tensor | None = None

    def add(self, pair: tuple[int, int], a: Tensor, slopes: tuple[Tensor, ...], intercept: Tensor) -> None:
        """Σ a·(p·q - the planes that the pass took), for coefficients a, slopes and intercept (B, S, N)."""
        p, q = pair
        known, radius = self.linear, self.linear.radius
        if known.slope[p].numel() * radius.shape[1] > LIMIT:
            return
        if self.gain is None or self.matrix is None:
            self.gain = a.new_zeros(a.shape[:2])
            self.matrix = a.new_zeros(*a.shape[:2], radius.shape[1], radius.shape[1])
        some = (a != 0).any(-1).any(0).nonzero().squeeze(-1)
        if not some.numel():
            return
        a, intercept = a[:, some], intercept.expand(a.shape)[:, some]
        taken = (slopes[0] / 2, slopes[0] / 2) if p == q else slopes
        at_q, at_p = (k.expand(*self.gain.shape, -1)[:, some] for k in taken)
        size = a.shape[-1] + radius.shape[1] + len(known.slope)
        wide_p, off_p = self._distance(p, at_p)
        wide_q, off_q = self._distance(q, at_q)
        rest = off_p * wide_q + off_q * wide_p + off_p * off_q
        mass = (at_p.abs() + wide_p + off_p) * (at_q.abs() + wide_q + off_q) + intercept.abs()
        lost = a.abs() * (rest + gamma(size, a.dtype) * mass + torch.finfo(a.dtype).tiny)
        outer = known.slope[p][:, :, None] * known.slope[q][:, None, :]
        matrix = (a @ outer.flatten(1, 2).mT).reshape(*a.shape[:2], *outer.shape[1:3])
        self.gain[:, some] += -(a * (at_p * at_q + intercept)).sum(-1) - lost.sum(-1)
        self.matrix[:, some] += matrix

    def _distance(self, p: int, at: Tensor) -> tuple[Tensor, Tensor]:
        """How far node p's linear part reaches (B, 1, N), and how far its rest may be from `at` (B, S, N)."""
        known = self.linear
        wide = torch.einsum("bdn,bd->bn", known.slope[p].abs(), known.radius)[:, None]
        constant = known.constant[p][:, None]
        rounding = 4 * torch.finfo(at.dtype).eps * (constant.abs() + at.abs())
        return wide, (constant - at).abs() + known.error[p][:, None] + rounding

    def improvement(self) -> Tensor | float:
        """What may be added to the constant (B, S): never negative."""
        if self.gain is None or self.matrix is None:
            return 0.0
        gain = torch.nan_to_num(self.gain, nan=0.0, posinf=0.0, neginf=0.0)
        where = gain > 0
        scaled = _scaled(self.matrix[where], self.linear.radius[where.nonzero()[:, 0]])
        finite = torch.isfinite(scaled).all(-1).all(-1)
        least = torch.full_like(gain[where], -torch.inf)
        least[finite] = _least(scaled[finite])
        better = torch.zeros_like(gain)
        better[where] = (gain[where] + least).clamp(min=0.0)
        return better

    def shares(self, box: Interval) -> Tensor | None:
        """How much each input of the boxes takes part in the quadratic form of a row, (B, S, D)."""
        if self.matrix is None:
            return None
        radius = self.linear.radius
        shares = self.matrix.new_zeros(*self.matrix.shape[:2], box[0].shape[1])
        shares[..., self.linear.active] = _scaled(self.matrix, radius[:, None]).abs().sum(-1)
        return shares


def _scaled(matrix: Tensor, radius: Tensor) -> Tensor:
    """The symmetric part of matrices (..., D, D) in units of the radius (..., D)."""
    scaled = matrix * radius[..., :, None] * radius[..., None, :]
    return (scaled + scaled.mT) / 2


def _least(scaled: Tensor) -> Tensor:
    """A lower bound (R,) of s'Ss over |s| <= 1 for symmetric matrices S (R, D, D)."""
    count, eps = scaled.shape[-1], torch.finfo(scaled.dtype).eps
    unit = scaled.abs().amax((-1, -2)).clamp(min=torch.finfo(scaled.dtype).tiny)
    scaled = scaled / unit[:, None, None]
    try:
        values, vectors = torch.linalg.eigh(scaled)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        return torch.full_like(unit, -torch.inf)
    reach = vectors.abs().sum(-2).square()
    least = (values.clamp(max=0.0) * reach).sum(-1)
    size = scaled.square().sum((-1, -2)).sqrt()
    bound: Tensor = unit * (least - EIGEN * count * count * eps * size)
    return bound
