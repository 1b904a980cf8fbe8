"""A record for any expression: where it bends, is cut or jumps is found out rigorously, not assumed."""

from __future__ import annotations

import functools
from dataclasses import replace

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.composed import cache
from genbab.nonlinear.composed.cells import CompositionLimits
from genbab.nonlinear.composed.certified import Facts, certified
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.jets import jet
from genbab.nonlinear.expressions.steps import Apply
from genbab.nonlinear.facts.inverse import slope_ends
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.lines.interval import interval


def compose(expression: Expression, effort: CompositionLimits | None = None) -> Nonlinearity:
    """The expression as a nonlinearity; its domain is the part of the line on which the facts are certain.

    On boxes that reach beyond, its lines are the constants of a rigorous range. The name is the expression's
    text and digest. Raises UsageError for an affine expression, for one whose bends cannot be certified
    anywhere (or surely not as far as the effort asks for), for one whose derivative is infinite at an end of
    a segment, and for a part that has no second derivative on record.
    """
    if expression.affine is not None:
        raise UsageError(f"'{expression}' is affine")
    if len(expression.steps) == 2 and isinstance(expression.steps[1], Apply):
        return expression.steps[1].fn
    return _compose(expression, effort or CompositionLimits())


def symbolic(expression: Expression) -> Nonlinearity:
    """The expression as a record that has no facts and no bounds: it counts as undefined on every box."""
    name = f"written {expression.digest[:24]}"
    value, derivative = expression.value, expression.derivative
    return Nonlinearity(name, value, derivative, written=expression, absent=_everywhere)


def _everywhere(l: Tensor, u: Tensor) -> Tensor:  # noqa: E741
    return torch.ones_like(l, dtype=torch.bool)


@functools.lru_cache(maxsize=1024)
def _compose(expression: Expression, effort: CompositionLimits) -> Nonlinearity:
    facts = cache.recall(expression, Facts)
    if facts is None:
        facts = certified(expression, effort)
        cache.remember(expression, facts)
    record = Nonlinearity(
        f"{expression} #{expression.spelling[:12]}",
        expression.value,
        expression.derivative,
        breaks=facts.breaks,
        curvature=facts.curvature,
        kinks=facts.kinks,
        jumps=facts.jumps,
        bulges=facts.bulges if any(facts.bulges) else (),
        domain=facts.domain,
        noise=facts.noise,
        drift=facts.drift,
        clear=facts.clear,
    )
    for i, bend in enumerate(record.curvature):
        if bend:
            slope_ends(record, i)
    return replace(record, written=expression, enclose=functools.partial(_enclose, expression, record))


def _enclose(
    expression: Expression,
    record: Nonlinearity,
    l: Tensor,  # noqa: E741
    u: Tensor,
) -> tuple[Tensor, Tensor]:
    """A rigorous range on boxes [l, u] (any shape) that may reach beyond the record's domain.

    Beyond it by interval arithmetic; infinite where the expression is undefined.
    """
    low, high = record.domain
    middle = interval(record, l.clamp(low, high), u.clamp(low, high))
    parts = [(l, u.clamp(max=low), l < low), (l.clamp(min=high), u, u > high)]
    ranges = [
        (torch.where((l <= high) & (u >= low), end, side * torch.inf))
        for end, side in zip(middle, (1, -1), strict=True)
    ]
    lower, upper = ranges
    for a, b, there in parts:
        least, most = enclose(expression, torch.where(there, a, low), torch.where(there, b, low))
        lower = torch.where(there, torch.minimum(lower, least), lower)
        upper = torch.where(there, torch.maximum(upper, most), upper)
    known = ~(torch.isnan(l) | torch.isnan(u))
    return torch.where(known, lower, -torch.inf), torch.where(known, upper, torch.inf)


def enclose(expression: Expression, l: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:  # noqa: E741
    """A rigorous range on boxes [l, u] (any shape) by interval arithmetic, infinite where it is undefined."""
    flat = l.reshape(-1).double(), u.reshape(-1).double()
    good = ~(torch.isnan(flat[0]) | torch.isnan(flat[1]) | (flat[0] > flat[1]))
    found = jet(expression, torch.where(good, flat[0], 0.0), torch.where(good, flat[1], 0.0))
    good &= found.defined
    low = torch.where(good, found.value[0], -torch.inf).nan_to_num(-torch.inf, torch.inf, -torch.inf)
    high = torch.where(good, found.value[1], torch.inf).nan_to_num(torch.inf, torch.inf, -torch.inf)
    return low.reshape(l.shape), high.reshape(l.shape)
