"""Where a function has a value at all, as a function that bounds understand: 0 there, nothing elsewhere.

What cancels, what is multiplied by 0 and what a bounded function hides keeps the places where it is
undefined: this function of the same argument is added to the result, and no bound of it is finite on a box
that reaches such a place.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.nonlinear.composed.composed import enclose
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.steps import Apply
from genbab.nonlinear.facts.record import Jump, Nonlinearity
from genbab.nonlinear.lines.product import Product

_MARGIN = 8.0 * torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class Definedness:
    """What `defined(fn)` was made of."""

    fn: Nonlinearity | None


@dataclass(frozen=True)
class Taken(Product):
    """c·d of a truth value c and a sum d of functions of `defined`: undefined where d is and c is not 0."""

    @property
    def name(self) -> str:
        """What texts call it."""
        return "domain where taken"

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        """c·d, and 0 where c is 0."""
        return torch.where(x == 0, 0.0, x * y)


def total(fn: Nonlinearity) -> bool:
    """Whether the function has a value at every real number."""
    if fn.enclose is not None and isinstance(fn.written, Expression):
        return all(total(step.fn) for step in fn.written.steps if isinstance(step, Apply))
    return fn.absent is None and fn.domain == (-math.inf, math.inf) and not _poles(fn)


@functools.lru_cache(maxsize=256)
def defined(fn: Nonlinearity | None) -> Nonlinearity:
    """The function that is 0 where fn has a value and undefined elsewhere; None: 0 at every number."""
    missing = _nowhere if fn is None else functools.partial(absent, fn)
    name, params = ("finite", ()) if fn is None else (f"domain of {fn.name}", fn.params)
    return Nonlinearity(
        name,
        functools.partial(_zero, missing=missing),
        torch.zeros_like,
        params=params,
        curvature=(0,),
        noise=0.0,
        second=torch.zeros_like,
        written=Definedness(fn),
        absent=missing,
    )


def guarded_by(fn: object) -> Nonlinearity | None:
    """The function whose domain this one keeps; None for any that is not made by `defined`, or of nothing."""
    written = getattr(fn, "written", None)
    return written.fn if isinstance(written, Definedness) else None


def keeps_domain(fn: object) -> bool:
    """Whether the function is one of `defined`, or a choice of these."""
    return isinstance(fn, Taken) or isinstance(getattr(fn, "written", None), Definedness)


def absent(fn: Nonlinearity, l: Tensor, u: Tensor) -> Tensor:  # noqa: E741
    """Boxes [l, u] (any shape) in which some real number has no value, as far as the facts can tell."""
    if fn.enclose is not None and isinstance(fn.written, Expression):
        low, high = enclose(fn.written, l, u)
        return ~(torch.isfinite(low) & torch.isfinite(high)).to(l.device)
    closed = _closed(fn)
    first, last = fn.domain
    bad = ~(l <= u)
    if first > -math.inf:
        bad |= (l < first) if closed[0] else (l <= first)
    if last < math.inf:
        bad |= (u > last) if closed[1] else (u >= last)
    for pole in _poles(fn):
        bad |= _meets(fn, pole, l, u)
    return bad if fn.absent is None else bad | fn.absent(l, u)


def _zero(x: Tensor, missing: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    return torch.where(missing(x, x), torch.nan, x * 0.0)


def _nowhere(l: Tensor, u: Tensor) -> Tensor:  # noqa: E741
    return ~(l <= u)


@functools.lru_cache(maxsize=256)
def _closed(fn: Nonlinearity) -> tuple[bool, bool]:
    """Whether fn has a value at the lower (upper) end of its domain."""
    ends = fn.value(torch.tensor(fn.domain, dtype=torch.float64))
    low, high = torch.isfinite(ends).tolist()
    return low, high


def _poles(fn: Nonlinearity) -> tuple[Jump, ...]:
    """The jumps with an infinite limit."""
    return tuple(jump for jump in fn.jumps if not all(map(math.isfinite, jump[2:])))


def _meets(fn: Nonlinearity, pole: Jump, l: Tensor, u: Tensor) -> Tensor:  # noqa: E741
    """Boxes that hold the pole, or a translate of it."""
    first, last = pole[:2]
    if not fn.period:
        return (l <= last) & (u >= first)
    after, before = (l - last) / fn.period, (u - first) / fn.period
    after, before = after - _MARGIN * (1.0 + after.abs()), before + _MARGIN * (1.0 + before.abs())
    return torch.ceil(after) <= torch.floor(before)
