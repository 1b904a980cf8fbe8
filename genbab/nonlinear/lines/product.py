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

from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.lines import certain
from genbab.nonlinear.lines.blending import Side, better, common_shape, less, round_down, round_up, signed
from genbab.nonlinear.lines.conjugate import Prepared, prepare
from genbab.nonlinear.lines.interval import interval

Pair = tuple[Tensor, Tensor]
Triple = tuple[Tensor, Tensor, Tensor]

_EPS = torch.finfo(torch.float64).eps
_TINY = torch.finfo(torch.float64).tiny


@dataclass(frozen=True)
class Product:
    """x*y."""

    @property
    def name(self) -> str:
        """What texts call it."""
        return "product"

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        """x·y, entry by entry."""
        return x * y


@dataclass(frozen=True)
class Gate:
    """x*g(y)."""

    g: Nonlinearity

    @property
    def name(self) -> str:
        """What texts call it."""
        return f"gate[{self.g}]"

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        """x·g(y), entry by entry."""
        return x * self.g.value(y)


Bivariate = Product | Gate


@dataclass(frozen=True)
class Prepared2:
    """A function of two arguments on a box, ready for many slopes.

    Box tensors (..., N) broadcast against the slopes.
    """

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
        """(c, x*, y*) with f(x, y) >= kx*x + ky*y + c on the box (<= where upper).

        dc/dkx = -x*, dc/dky = -y*.

        Otherwise as `Prepared.intercept`.
        """
        sides = () if isinstance(upper, bool) else upper.shape
        full = common_shape(kx.shape, ky.shape, self.x[0].shape, sides)
        kx, ky = kx.detach().expand(full), ky.detach().expand(full)
        if not isinstance(upper, bool):
            upper = upper.expand(full)
        if not rigorous:
            side = upper if isinstance(upper, bool) or upper.dtype == kx.dtype else upper.to(kx.dtype)
            return (
                self._corners(kx, ky, side)
                if isinstance(self.fn, Product)
                else self._edges(kx, ky, side, False)
            )
        side = upper if isinstance(upper, bool) else upper.double()
        bound, x, y = self.exact._certain(kx.double(), ky.double(), side)
        return signed(round_down(bound, kx.dtype), side), x.to(kx.dtype), y.to(kx.dtype)

    def _corners(self, kx: Tensor, ky: Tensor, side: Side) -> Triple:
        """Best corner of x*y: for each end of x the end of y that the sign of x - ky tells."""
        (lx, ux), (ly, uy) = self.x, self.y
        found = []
        for x in (lx, ux):
            rest = torch.sub(x, ky)
            other = torch.lt(rest, 0.0, out=torch.empty_like(rest))
            if not isinstance(side, bool):
                torch.ne(other, side, out=other)
            first, last = (uy, ly) if side is True else (ly, uy)
            y = torch.lerp(first.expand_as(rest), last.expand_as(rest), other, out=other)
            found.append((rest.mul_(y).addcmul_(kx, x, value=-1.0), y))
        return self._choose(found[0], found[1], side)

    def _edges(self, kx: Tensor, ky: Tensor, side: Side, rigorous: bool) -> Triple:
        assert self.prepared_y is not None
        found = []
        for x in self.x:
            c, y = self.prepared_y.intercept(ky, side, rigorous=rigorous, scale=x)
            found.append((c.addcmul_(kx, x, value=-1.0), y))
        return self._choose(found[0], found[1], side)

    def _choose(self, at_l: Pair, at_u: Pair, side: Side) -> Triple:
        (c, y), (c_u, y_u) = at_l, at_u
        mask = better(c, c_u, side)
        lx, ux = (x.expand_as(mask) for x in self.x)
        c, y = c.lerp_(c_u, mask), y.lerp_(y_u, mask)
        return c, torch.lerp(lx, ux, mask, out=mask), y

    def _certain(self, kx: Tensor, ky: Tensor, side: Side) -> Triple:
        """A lower bound of f - kx*x - ky*y (upper: of its negative), -inf where nothing holds; x*, y*."""
        sign = signed(torch.ones((), dtype=kx.dtype, device=kx.device), side)
        (ly, uy), found = self.y, []
        for x in self.x:
            if self.prepared_y is not None:
                bound, y = certain.intercept(self.prepared_y.exact, ky, side, x)
            else:
                at_l, at_u = sign * (x - ky) * ly, sign * (x - ky) * uy
                mask = less(at_u, at_l)
                bound, y = torch.minimum(at_l, at_u), torch.lerp(ly.expand_as(mask), uy.expand_as(mask), mask)
                bound = bound.masked_fill(torch.isinf(x - ky), -torch.inf)
            found.append((bound - sign * kx * x, y))
        (g, y), (other, its) = found
        mask, best = less(other, g), torch.minimum(g, other)
        reach_x, reach_y = (torch.maximum(l.abs(), u.abs()) for l, u in (self.x, self.y))  # noqa: E741
        size = best.abs() + 2.0 * kx.abs() * reach_x + ky.abs() * reach_y
        if self.prepared_y is None:
            size = size + reach_x * reach_y
        best = (best - 8.0 * _EPS * size - _TINY).nan_to_num_(-torch.inf, torch.inf, -torch.inf)
        best = best.masked_fill(~torch.isfinite(reach_x + reach_y), -torch.inf)
        at_x = torch.lerp(self.x[0].expand_as(mask), self.x[1].expand_as(mask), mask)
        return best, at_x, torch.lerp(y, its, mask)


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
    pairs = [(a.double(), b.double()) for a in x for b in (low, high)]
    ends = torch.stack([a * b for a, b in pairs])
    faint = torch.stack([(a != 0.0) & (b != 0.0) for a, b in pairs]) & (ends.abs() < _TINY)
    ends = torch.where(torch.isnan(ends), 0.0, ends)
    largest, denormal = torch.finfo(torch.float64).max, 1e-322 * faint.any(0).double()
    lo, hi = ends.amin(0).clamp_max(largest), ends.amax(0).clamp_min(-largest)
    lo, hi = lo - (_EPS * lo.abs() + denormal), hi + (_EPS * hi.abs() + denormal)
    bad = torch.stack([torch.isnan(end) for end in (*x, low, high)]).any(0)
    lo, hi = torch.where(bad, -torch.inf, lo), torch.where(bad, torch.inf, hi)
    return round_down(lo, x[0].dtype), round_up(hi, x[0].dtype)
