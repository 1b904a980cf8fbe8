"""What a program rounds at a node, and what becomes of errors of the values that a node reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.network.interval import affine_range, nonlinear_range
from genbab.network.maps.algebra import Identity, nonnegative
from genbab.network.maps.base import LinearMap
from genbab.network.maps.index import Index
from genbab.network.maps.weighted import Diagonal
from genbab.network.nodes import Affine, Grouped, Input, Meaning, Nonlinear
from genbab.network.rounding.elementary import Pieces, of_pieces
from genbab.network.roundoff import Interval, magnitude
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.groups.softmax import Softmax
from genbab.nonlinear.lines.steepest import jumped, steepest

HOMOGENEOUS = frozenset({"relu", "abs", "leaky_relu"})
"""Functions with f(c·x) = c·f(x) for c > 0: a relative error stays what it is."""


@dataclass(frozen=True, eq=False)
class Rounding:
    """What a program adds at one node, to exact results from the numbers that it has.

    At most sums · (|bias| + Σ |map|(|source|)) + unit · |value| + absolute, and for a function of one number
    what its pieces say; nothing is known where a source reaches `largest`. sums (N,), unit a number or (N,).
    """

    sums: Tensor | None = None
    unit: Tensor | float = 0.0
    absolute: Tensor | float = 0.0
    function: Pieces = ()
    largest: float = math.inf

    def to(self, device: torch.device) -> Rounding:
        """The same on another device."""
        sums = None if self.sums is None else self.sums.to(device)
        unit, absolute = (v.to(device) if isinstance(v, Tensor) else v for v in (self.unit, self.absolute))
        return Rounding(sums, unit, absolute, self.function, self.largest)


@dataclass(frozen=True, eq=False)
class Computed:
    """Where exact values of a node lie, and how far what is computed is from them, all (B, N).

    It is within `error`, and within relative · |value| + floor.
    """

    interval: Interval
    error: Tensor
    relative: Tensor
    floor: Tensor

    @property
    def size(self) -> Tensor:
        """The largest exact value."""
        return magnitude(self.interval)

    @property
    def off(self) -> Tensor:
        """The lesser of both bounds."""
        return torch.minimum(self.error, _times(self.relative, self.size) + self.floor)


class ErrorSteps(Meaning[Sequence[Computed], Computed]):
    """What is computed at each node of a network whose input is given, node by node as `roundings` says.

    lost (B,): where some number may leave the range below `largest`, as far as nodes were met.
    """

    def __init__(self, box: Interval, roundings: dict[int, Rounding], largest: float) -> None:
        self.box, self.roundings, self.largest = box, roundings, largest
        self.lost = torch.zeros(len(box[0]), dtype=torch.bool, device=box[0].device)

    def input(self, i: int, node: Input, x: Sequence[Computed]) -> Computed:
        """What is given."""
        none = torch.zeros_like(self.box[0])
        return Computed(self.box, none, none, none)

    def affine(self, i: int, node: Affine, x: Sequence[Computed]) -> Computed:
        """A sum: errors of its terms, and what it rounds itself."""
        sources = x[: len(node.terms)]
        interval = affine_range(node, [c.interval for c in x]) if x else _constant(node, self.box)
        error = floor = torch.zeros_like(interval[0])
        size = _constants(node)[None]
        for (_, one), c in zip(node.terms, sources, strict=True):
            most = one.absolute()
            error, floor = error + _mapped(most, c.off), floor + _mapped(most, c.floor)
            size = size + _mapped(most, c.size + c.off)
        uncertain = x[len(node.terms) :]
        for (_, one), c in zip(node.uncertainty.weights, uncertain, strict=False):
            error, floor = error + _mapped(one, c.off), floor + _mapped(one, c.off)
            size = size + _mapped(one, c.size + c.off)
        relative = _kept(node, sources, interval)
        here = self.roundings.get(i)
        if here is not None and here.largest < math.inf:
            size = _beyond(node, sources, here.largest, size)
        if here is not None and here.sums is not None:
            error = error + here.sums * size
            relative = (
                _more(relative, here.sums) if _same_sign(node, sources) else torch.full_like(error, math.inf)
            )
        return self._rounded(i, Computed(interval, error, relative, floor), size)

    def nonlinear(self, i: int, node: Nonlinear, x: Sequence[Computed]) -> Computed:
        """A function or a product of numbers that are off."""
        interval = nonlinear_range(node, [c.interval for c in x])
        if isinstance(node.fn, Nonlinearity):
            made, here = _of_one(node.fn, interval, x[0]), self.roundings.get(i)
            if here is not None and here.function:
                made = self._function(here.function, made, x[0])
            return self._rounded(i, made, made.size)
        assert len(x) == 2, "a product"
        a, b = x
        error = _times(a.size, b.off) + _times(b.size, a.off) + _times(a.off, b.off)
        relative = _more(a.relative, b.relative)
        floor = _times(a.size + a.off, b.floor) + _times(b.size + b.off, a.floor)
        made = Computed(interval, error, relative, floor)
        return self._rounded(i, made, made.size)

    def grouped(self, i: int, node: Grouped, x: Sequence[Computed]) -> Computed:
        """A softmax of numbers that are off; the file's operators are made of no other grouped function."""
        interval = nonlinear_range(node, [c.interval for c in x])
        assert isinstance(node.fn, Softmax), "what the file's operators are made of"
        rows = x[0].off.reshape(*x[0].off.shape[:-1], -1, node.fn.length)
        # entry i moves by the factor exp(d_i) / Σ p_j exp(d_j), all |d| <= the row's largest
        factor = torch.expm1(2.0 * rows.amax(-1, keepdim=True)).expand_as(rows).reshape(x[0].off.shape)
        none = torch.zeros_like(factor)
        made = Computed(interval, _times(factor, magnitude(interval)), factor, none)
        return self._rounded(i, made, made.size)

    def _function(self, pieces: Pieces, made: Computed, argument: Computed) -> Computed:
        """With what the runtime's own function adds, at arguments that may be off."""
        low, high = argument.interval[0] - argument.off, argument.interval[1] + argument.off
        size = made.size + made.off
        fixed = of_pieces(pieces, low, high, torch.zeros_like(size))
        slope = torch.where(torch.isfinite(fixed), max(p.relative for p in pieces), math.inf)
        error = made.error + of_pieces(pieces, low, high, size)
        return Computed(made.interval, error, _more(made.relative, slope), made.floor * (1 + slope) + fixed)

    def _rounded(self, i: int, made: Computed, size: Tensor) -> Computed:
        """With what the program rounds at node i; nothing is known of what may leave the format's range."""
        here, error, relative, floor = self.roundings.get(i), made.error, made.relative, made.floor
        if here is not None:
            if isinstance(here.unit, Tensor) or here.unit:
                error = error + here.unit * (made.size + made.off)
                relative, floor = _more(relative, here.unit), floor * (1 + here.unit)
            error, floor = error + here.absolute, floor + here.absolute
        limit = self.largest if here is None else min(self.largest, here.largest)
        lost = ~((size < limit) & (made.size + error < self.largest))
        if bool(lost.any()):
            self.lost = self.lost | lost.any(-1)
            error, floor = error.masked_fill(lost, math.inf), floor.masked_fill(lost, math.inf)
        return Computed(made.interval, error, relative, floor)


def _beyond(node: Affine, sources: Sequence[Computed], largest: float, size: Tensor) -> Tensor:
    """The sizes (B, N) of a sum, infinite where a source may reach `largest`."""
    for (_, one), c in zip(node.terms, sources, strict=True):
        far = ~(c.size + c.off < largest)
        if bool(far.any()):
            size = size.masked_fill(one.reached(far), math.inf)
    return size


def _constants(node: Affine) -> Tensor:
    """The largest sizes of a sum's constants."""
    size, doubt = node.bias.abs(), node.uncertainty.constant
    return size if doubt is None else size + doubt


def _constant(node: Affine, box: Interval) -> Interval:
    bias = node.bias.expand(len(box[0]), -1)
    return bias, bias


def _times(a: Tensor, b: Tensor) -> Tensor:
    """a · b for sizes, where 0 times anything is 0."""
    return torch.where((a == 0) | (b == 0), 0.0, a * b)


def _more(relative: Tensor, also: Tensor | float) -> Tensor:
    """Two relative errors one after the other."""
    return relative + also + _times(relative, torch.as_tensor(also, dtype=relative.dtype))


def _mapped(one: LinearMap, size: Tensor) -> Tensor:
    """Sizes through a map without negative weights; infinite ones reach what reads them."""
    lost = ~torch.isfinite(size)
    if not bool(lost.any()):
        return one.apply(size)
    finite = one.apply(size.masked_fill(lost, 0.0))
    return finite.masked_fill(one.reached(lost), math.inf)


def _kept(node: Affine, sources: Sequence[Computed], interval: Interval) -> Tensor:
    """The relative error of the sum: the largest of its terms', where these have the same sign."""
    found = torch.full_like(interval[0], 0.0)
    if not sources:
        return found
    if not _same_sign(node, sources):
        return torch.full_like(found, math.inf)
    for (_, one), c in zip(node.terms, sources, strict=True):
        found = torch.maximum(found, _largest(one, c.relative))
    return found


def _largest(one: LinearMap, relative: Tensor) -> Tensor:
    """The largest of the relative errors that each output reads."""
    if isinstance(one, Identity | Diagonal):
        return relative
    if isinstance(one, Index):
        return one.apply(relative)
    return relative.amax(-1, keepdim=True)


def _same_sign(node: Affine, sources: Sequence[Computed]) -> bool:
    """Whether nothing can cancel: one number alone is moved and scaled, or all that is added is >= 0."""
    if node.uncertainty.more:
        return False
    if (
        not bool(node.bias.any())
        and len(node.terms) == 1
        and isinstance(node.terms[0][1], Identity | Index | Diagonal)
    ):
        return True
    if bool((node.bias < 0).any()):
        return False
    return all(
        nonnegative(one) and bool((c.interval[0] >= 0).all())
        for (_, one), c in zip(node.terms, sources, strict=True)
    )


def _of_one(fn: Nonlinearity, interval: Interval, x: Computed) -> Computed:
    """The values of a function at arguments that are off."""
    off = x.off
    low, high = x.interval[0] - off, x.interval[1] + off
    slope = steepest(fn, low, high)
    error = _times(slope, off) + jumped(fn, low, high, off)
    relative, floor = torch.full_like(error, math.inf), _times(slope, x.floor)
    power = {"sqrt": 0.5, "reciprocal": -1.0}.get(fn.name, fn.params[0] if fn.name == "power" else None)
    if fn.name in HOMOGENEOUS:
        relative = x.relative
    elif fn.name == "exp":
        relative, floor = torch.expm1(off), torch.zeros_like(floor)
    elif power is not None:
        safe = (x.interval[0] > 0) | (x.interval[1] < 0)
        grown = torch.expm1(abs(power) * -torch.log1p(-x.relative.clamp(max=0.5)))
        relative = torch.where((x.relative < 0.5) & safe, grown, math.inf)
    moved = off > 0
    return Computed(
        interval,
        torch.where(moved, error, 0.0),
        torch.where(moved, relative, 0.0),
        torch.where(moved, floor, 0.0),
    )
