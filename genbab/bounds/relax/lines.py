"""The lines of one function on boxes of its arguments: conjugates, default slopes, natural steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from genbab.kernels import DEFAULT, S_SHAPED, Function, Kernels
from genbab.network.interval import Ask
from genbab.network.roundoff import Interval
from genbab.nonlinear import (
    Gate,
    Nonlinearity,
    Prepared,
    Prepared2,
    Product,
    default_slopes2,
    kernel_of,
    prepare,
    prepare2,
    slope_range2,
)
from genbab.nonlinear.lines.box import go_on
from genbab.nonlinear.lines.envelope import defaults_of, range_of, spans_of

Slopes = tuple[Tensor, ...]
"""One slope tensor per argument of a nonlinear node, each (B, S, N) or broadcastable to it."""


@dataclass(frozen=True, eq=False)
class Lines:
    """What one function offers on its arguments' boxes; all tensors are (B, 1, N).

    Computed when asked for.
    """

    fn: Nonlinearity | Product | Gate
    boxes: tuple[Interval, ...]
    kernels: Kernels = DEFAULT
    ask: Ask = field(default=go_on, compare=False)

    @cached_property
    def hot(self) -> Function | None:
        """The function as kernels know it; None where they do not, or a box is not finite."""
        if isinstance(self.fn, Gate):
            return None
        found = Function("product") if isinstance(self.fn, Product) else kernel_of(self.fn)
        known = found is not None and found.name in self.kernels.FUNCTIONS
        return found if known and self.bounded else None

    @cached_property
    def envelope(self) -> tuple[Interval, Interval] | None:
        """Default slopes and spans by kernels; None where these have none."""
        if self.hot is None or self.hot.name not in S_SHAPED:
            return None
        return self.kernels.envelope(self.hot, self.boxes[0])

    @cached_property
    def prepared(self) -> Prepared | Prepared2:
        """The conjugate, ready to be evaluated at many slopes."""
        if isinstance(self.fn, Nonlinearity):
            return prepare(self.fn, *self.boxes[0], self.ask)
        return prepare2(self.fn, self.boxes[0], self.boxes[1])

    @cached_property
    def defaults(self) -> tuple[Slopes, Slopes]:
        """Slopes of the (lower, upper) lines of least area."""
        if self.envelope is not None:
            (low, high), _ = self.envelope
            return (low,), (high,)
        if isinstance(self.prepared, Prepared):
            lower, upper = defaults_of(self.prepared.searcher, self.range)
            return (lower,), (upper,)
        assert not isinstance(self.fn, Nonlinearity)
        return default_slopes2(self.fn, self.boxes[0], self.boxes[1])

    @cached_property
    def spans(self) -> tuple[Slopes, Slopes]:
        """The natural steps of slopes of the (lower, upper) lines: how far undominated ones reach."""
        if self.envelope is not None:
            _, (low, high) = self.envelope
            return (low,), (high,)
        if isinstance(self.prepared, Prepared):
            lower, upper = spans_of(self.prepared.searcher, self.range)
            return (lower,), (upper,)
        return self.ranges, self.ranges

    @cached_property
    def range(self) -> Interval:
        """The range of the derivative of a function of one variable."""
        assert isinstance(self.prepared, Prepared)
        return range_of(self.prepared.searcher)

    @cached_property
    def ranges(self) -> Slopes:
        """Width of the range of the derivative over the box, per argument."""
        if isinstance(self.fn, Nonlinearity):
            found = [self.range]
        else:
            found = list(slope_range2(self.fn, self.boxes[0], self.boxes[1]))
        return tuple(torch.nan_to_num(high - low) for low, high in found)

    def scale(self, upper: Tensor) -> Slopes:
        """The natural steps for the side that the mask `upper` (B, S, N; 0.0 or 1.0) selects."""
        return tuple(_picked(k, u, upper) for k, u in zip(*self.spans, strict=True))

    @cached_property
    def default_lines(self) -> tuple[Slopes, Slopes, Tensor, Tensor, Tensor]:
        """(lower slopes, upper slopes, lower intercept, upper intercept, rounding scale), rigorous.

        The rounding scale is the larger side's |intercept| + Σ|slope|·max|arg|, for the error account of a
        pass.
        """
        lower, upper = self.defaults
        low, _ = self.intercept(lower, False, rigorous=True)
        high, _ = self.intercept(upper, True, rigorous=True)
        return lower, upper, low, high, torch.maximum(self.mass(lower, low), self.mass(upper, high))

    def mass(self, slopes: Slopes, intercept: Tensor) -> Tensor:
        """|intercept| + Σ|slope|·max|arg|, where a slope of 0 counts 0."""
        size = intercept.abs()
        for k, (low, high) in zip(slopes, self.boxes, strict=True):
            size = torch.addcmul(size, k.abs(), torch.maximum(low.abs(), high.abs()))
        return size if self.bounded else torch.nan_to_num(size, nan=torch.inf, posinf=torch.inf)

    @cached_property
    def bounded(self) -> bool:
        """Whether every argument's interval is finite."""
        return all(bool(torch.isfinite(end).all()) for box in self.boxes for end in box)

    def default(self, upper: Tensor) -> Slopes:
        """The slopes of least area for the side that the mask `upper` (B, S, N; 0.0 or 1.0) selects."""
        return tuple(_picked(k, u, upper) for k, u in zip(*self.defaults, strict=True))

    def intercept(
        self, slopes: Slopes, upper: Tensor | bool, rigorous: bool
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The exact intercept for these slopes, and where the line touches (one point per argument)."""
        if isinstance(self.prepared, Prepared2):
            c, x, y = self.prepared.intercept(slopes[0], slopes[1], upper, rigorous=rigorous)
            return c, (x, y)
        c, x = self.prepared.intercept(slopes[0], upper, rigorous=rigorous)
        return c, (x,)


def _picked(lower: Tensor, upper: Tensor, side: Tensor) -> Tensor:
    """Numbers of the side that the mask tells, broadcast to it or not; both sides may have the same."""
    return lower if lower is upper else torch.lerp(lower, upper, side)


def shaped(interval: Interval, dtype: torch.dtype) -> Interval:
    """(B, N) ends as (B, 1, N) in dtype, rounded outward."""
    return _cast(interval[0], dtype, False)[:, None, :], _cast(interval[1], dtype, True)[:, None, :]


def _cast(end: Tensor, dtype: torch.dtype, up: bool) -> Tensor:
    cast = end.to(dtype)
    if dtype == end.dtype:
        return cast
    wrong = (cast.to(end.dtype) < end) if up else (cast.to(end.dtype) > end)
    return torch.where(
        wrong, torch.nextafter(cast, torch.full_like(cast, torch.inf if up else -torch.inf)), cast
    )
