"""The box conjugate: for every slope k, the best c with f(x) >= k*x + c (or <=) on [l, u].

c(k) = min over [l, u] of f(x) - k*x is attained at l, at u, at a kink or jump, or where f' = k on a convex
segment (for the upper side: max, concave). dc/dk = -x*, with x* the point that attains it.

`prepare` does what depends on the box only; its `intercept` may then be called for many slopes. Two ways
share the facts: the rigorous one (certain.py) computes in float64 and rounds outward, the other (search.py)
is lean, in the dtype of the box, and promises nothing: it is for searching slopes, whose intercepts are made
rigorous afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.lines import certain
from genbab.nonlinear.lines.blending import Side, common_shape, round_down, signed
from genbab.nonlinear.lines.box import Box, go_on, make_box
from genbab.nonlinear.lines.lean import Searcher


@dataclass(frozen=True)
class Prepared:
    """A function on a box, ready for many slopes; l and u have shape (..., N) and broadcast against k."""

    box: Box

    @cached_property
    def exact(self) -> Box:
        """The same box in float64."""
        box = self.box
        return (
            box
            if box.l.dtype == torch.float64
            else make_box(box.fn, box.given_l.double(), box.given_u.double(), box.ask)
        )

    @cached_property
    def searcher(self) -> Searcher:
        """The lean way, in the dtype of the box."""
        return Searcher(self.box)

    def intercept(
        self, k: Tensor, upper: Side, *, rigorous: bool = True, scale: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(c, x*) with s*f(x) >= k*x + c on the box (<= where upper), s = scale or 1; dc/dk = -x*.

        Rigorous: holds in real arithmetic for the slopes as given; where the box is infinite, leaves the
        domain or has a pole on that side, c = -inf (+inf). Never NaN for finite k. Results carry no gradient.
        """
        k = k.detach()
        sides = () if isinstance(upper, bool) else upper.shape
        if k.shape != (full := common_shape(k.shape, self.box.l.shape, sides)):
            k = k.expand(full)
        if not isinstance(upper, bool) and upper.shape != full:
            upper = upper.expand(full)
        if not rigorous:
            return self.searcher.intercept(k, upper, scale)
        side = upper if isinstance(upper, bool) else upper.double()
        bound, x = certain.intercept(self.exact, k.double(), side, None if scale is None else scale.double())
        return signed(round_down(bound, k.dtype), side), x.to(k.dtype)


def prepare(
    fn: Nonlinearity,
    l: Tensor,  # noqa: E741 - the box is [l, u] everywhere
    u: Tensor,
    ask: Callable[[], None] = go_on,
) -> Prepared:
    """Values of fn at the ends and breaks of the box [l, u] (equal shapes, l <= u, float32 or float64).

    `ask` is called between pieces of long work; what it raises ends it.
    """
    return Prepared(make_box(fn, l.detach(), u.detach(), ask))


def intercept(
    fn: Nonlinearity,
    k: Tensor,
    l: Tensor,  # noqa: E741
    u: Tensor,
    upper: Side,
    rigorous: bool = True,
) -> tuple[Tensor, Tensor]:
    """`Prepared.intercept` on a box used once."""
    return prepare(fn, l, u).intercept(k, upper, rigorous=rigorous)
