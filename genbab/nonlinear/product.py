"""Functions of two arguments: x*y and x*g(y), with exact planes on a box for any two slopes.

c(kx, ky) = min over the box of f(x, y) - kx*x - ky*y (upper: max). Both functions are linear in x for fixed
y, so x* is an end of its interval, and what remains is the conjugate of s*g at the two scales s = lx, ux (for
x*y: g(y) = y, whose best y is an end too, so the four corners are enough; McCormick's planes are four of
these).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.nonlinear.conjugate import Prepared, Side, prepare
from genbab.nonlinear.interval import interval
from genbab.nonlinear.record import Nonlinearity
from genbab.nonlinear.rounding import common_shape, round_outward

Pair = tuple[Tensor, Tensor]
Triple = tuple[Tensor, Tensor, Tensor]

_EPS = torch.finfo(torch.float64).eps
_TINY = torch.finfo(torch.float64).tiny


@dataclass(frozen=True)
class Product:
    """x*y."""

    @property
    def name(self) -> str:
        return "product"

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y


@dataclass(frozen=True)
class Gate:
    """x*g(y)."""

    g: Nonlinearity

    @property
    def name(self) -> str:
        return f"gate[{self.g}]"

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        return x * self.g.value(y)


Bivariate = Product | Gate


def _better(c: Tensor, other: Tensor, side: Side) -> Tensor:
    """1.0 where `other` is the better candidate (smaller, for the upper side larger), else 0.0."""
    mask = other.new_empty(common_shape(c.shape, other.shape))
    if isinstance(side, bool):
        return torch.gt(other, c, out=mask) if side else torch.lt(other, c, out=mask)
    return torch.ne(torch.lt(other, c, out=mask), side, out=mask)


@dataclass(frozen=True)
class Prepared2:
    """A function of two arguments on a box, ready for many slopes; box tensors (..., N) broadcast against the
    slopes."""

    fn: Bivariate
    x: Pair
    y: Pair
    prepared_y: Prepared | None

    @cached_property
    def exact(self) -> Prepared2:
        """The same in float64."""
        if self.x[0].dtype == torch.float64:
            return self
        lx, ux, ly, uy = (end.double() for end in (*self.x, *self.y))
        return prepare2(self.fn, (lx, ux), (ly, uy))

    def intercept(self, kx: Tensor, ky: Tensor, upper: Side, *, rigorous: bool = True) -> Triple:
        """(c, x*, y*) with f(x, y) >= kx*x + ky*y + c on the box (<= where upper); dc/dkx = -x*, dc/dky =
        -y*.

        Otherwise as `Prepared.intercept`.
        """
        kx, ky = kx.detach(), ky.detach()
        if not rigorous:
            side = upper if isinstance(upper, bool) or upper.dtype == kx.dtype else upper.to(kx.dtype)
            return (
                self._corners(kx, ky, side)
                if isinstance(self.fn, Product)
                else self._edges(kx, ky, side, False)
            )
        mask = upper if isinstance(upper, bool) or upper.dtype == torch.bool else upper > 0.5
        c, x, y = self.exact._certain(kx.double(), ky.double(), mask)
        return round_outward(c, mask, kx.dtype), x.to(kx.dtype), y.to(kx.dtype)

    def _corners(self, kx: Tensor, ky: Tensor, side: Side) -> Triple:
        """Best corner of x*y: for each end of x the end of y that the sign of x - ky tells."""
        (lx, ux), (ly, uy) = self.x, self.y
        found = []
        for x in (lx, ux):
            falling = _better(x, ky, True) if isinstance(side, bool) else _better(ky, x, 0.0 * side)
            if isinstance(side, bool):
                y = torch.lerp(uy, ly, falling) if side else torch.lerp(ly, uy, falling)
            else:
                torch.ne(falling, side, out=falling)
                y = torch.lerp(ly, uy, 1.0 - falling)
            found.append((torch.addcmul((x - ky) * y, kx, x, value=-1), y))
        return self._choose(found[0], found[1], side)

    def _edges(self, kx: Tensor, ky: Tensor, side: Side, rigorous: bool) -> Triple:
        assert self.prepared_y is not None
        found = []
        for x in self.x:
            c, y = self.prepared_y.intercept(ky, side, rigorous=rigorous, scale=x)
            found.append((torch.addcmul(c, kx, x, value=-1), y))
        return self._choose(found[0], found[1], side)

    def _choose(self, at_l: Pair, at_u: Pair, side: Side) -> Triple:
        mask = _better(at_l[0], at_u[0], side)
        (lx, ux), c = self.x, torch.lerp(at_l[0], at_u[0], mask)
        return c, torch.lerp(lx, ux, mask), torch.lerp(at_l[1].expand_as(c), at_u[1].expand_as(c), mask)

    def _certain(self, kx: Tensor, ky: Tensor, upper: Tensor | bool) -> Triple:
        """Float64: the better end of x, less the rounding of a few products, nothing where that is not
        finite."""
        sign = 1.0 - 2.0 * torch.as_tensor(upper, device=kx.device).to(kx.dtype)
        (ly, uy), found = self.y, []
        for x in self.x:
            if self.prepared_y is not None:
                c, y = self.prepared_y.intercept(ky, upper, scale=x)
            else:
                at_l, at_u = (x - ky) * ly, (x - ky) * uy
                c, y = (
                    sign * torch.minimum(sign * at_l, sign * at_u),
                    torch.where(sign * at_l <= sign * at_u, ly, uy),
                )
            found.append((sign * (c - kx * x), y))
        (g, y), (other, its) = found
        mask, best = other < g, torch.minimum(g, other)
        reach_x, reach_y = (torch.maximum(l.abs(), u.abs()) for l, u in (self.x, self.y))  # noqa: E741
        size = best.abs() + 2.0 * kx.abs() * reach_x + ky.abs() * reach_y
        if self.prepared_y is None:
            size = size + reach_x * reach_y
        best = best - 8.0 * _EPS * size - _TINY
        best = torch.where(torch.isnan(best) | torch.isinf(reach_x), -torch.inf, best)
        return sign * best, torch.where(mask, self.x[1], self.x[0]), torch.where(mask, its, y)


def prepare2(fn: Bivariate, x: Pair, y: Pair) -> Prepared2:
    """What depends on the box x = (lx, ux), y = (ly, uy) only; all four of one shape and dtype."""
    (lx, ux), (ly, uy) = ((l.detach(), u.detach()) for l, u in (x, y))  # noqa: E741
    return Prepared2(fn, (lx, ux), (ly, uy), prepare(fn.g, ly, uy) if isinstance(fn, Gate) else None)


def intercept2(
    fn: Bivariate, slopes: Pair, x: Pair, y: Pair, upper: Side, *, rigorous: bool = True
) -> Triple:
    """`Prepared2.intercept` at slopes = (kx, ky) on a box used once."""
    return prepare2(fn, x, y).intercept(*slopes, upper, rigorous=rigorous)


def interval2(fn: Bivariate, x: Pair, y: Pair) -> Pair:
    """(lo, hi) of f on the box, tight to a few ulp: the products of the ends of x and of g(y)."""
    low, high = y if isinstance(fn, Product) else interval(fn.g, *y)
    ends = [(a.double() * b.double()) for a in x for b in (low, high)]
    ends = [torch.where(torch.isnan(end), 0.0, end) for end in ends]
    stacked = torch.stack(ends)
    lo, hi = stacked.amin(0), stacked.amax(0)
    if x[0].dtype == torch.float64:
        lo, hi = lo - _EPS * lo.abs(), hi + _EPS * hi.abs()
    bad = torch.stack([torch.isnan(end) for end in (*x, low, high)]).any(0)
    lo, hi = torch.where(bad, -torch.inf, lo), torch.where(bad, torch.inf, hi)
    return round_outward(lo, False, x[0].dtype), round_outward(hi, True, x[0].dtype)
