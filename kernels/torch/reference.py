"""The definition of every kernel, in plain torch; the other backends agree with it.

Shapes: B domains, S rows, N neurons, D inputs, R forms, H half-spaces. Tensors of a call share one dtype
(float32 or float64) and one device. Where (B, S, N) is asked for, every axis may also be 1 or expanded
(stride 0); any strides are read. Results are new tensors, contiguous, that alias nothing; arguments are not
written to. Nothing here tracks gradients: those are kernels of their own.

NaN in a coefficient, slope or intercept makes the sums that it takes part in NaN. 0 times infinity counts 0
in every sum over coefficients: a neuron without a coefficient takes no part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genbab.kernels.functions import HOT, LEAST_SQUARE, Function
from genbab.kernels.torch.conjugates import conjugate, product_conjugate
from genbab.kernels.torch.envelopes import envelope
from genbab.kernels.torch.softmax import softmax_planes, softmax_ready, softmax_values
from genbab.kernels.torch.splitting import dual, points, reach, weights
from genbab.kernels.torch.sums import Line, Slopes, dot, picked

__all__ = [
    "FUNCTIONS",
    "ascend",
    "concretise",
    "dual",
    "envelope",
    "gradient",
    "lines",
    "points",
    "prepare",
    "reach",
    "relax",
    "softmax_planes",
    "softmax_ready",
    "softmax_values",
    "weights",
]

Box = tuple[Tensor, Tensor]
"""(lower, upper) ends."""

FUNCTIONS = frozenset((*HOT, "softmax"))


@dataclass(frozen=True, eq=False)
class Relaxed:
    """A step of a backward pass through a nonlinear node: A·f(z) >= Σ forms·z + bias in exact arithmetic.

    forms (B, S, N) per argument, bias (B, S); slopes, intercept, touch (points where the lines touch) and
    upper (1 where the line is an upper one, else 0), (B, S, N) each, where they were to be kept.
    """

    forms: Slopes
    bias: Tensor
    slopes: Slopes = ()
    intercept: Tensor | None = None
    touch: Slopes = ()
    upper: Tensor | None = None


Moments = tuple[Tensor, Tensor]
"""Running averages (B, S, N) of the gradient to a slope and of its square; contiguous."""


@dataclass(frozen=True)
class Pace:
    """A step of slopes: how far it goes, in spans, and the shares that moments keep of what they were."""

    step: float
    kept: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Concrete:
    """The least of <form, x> + constant over the box, (B, S).

    Where they were asked for, the corner (B, S, D) that attains it and size (B, S) = Σ|form|·max|x|.
    """

    bound: Tensor
    corner: Tensor | None = None
    size: Tensor | None = None


def prepare(fn: Function, boxes: tuple[Box, ...]) -> Any:
    """What to give to `relax` instead of boxes that come many times; here the boxes."""
    return boxes


def relax(
    fn: Function,
    a: Tensor,
    boxes: tuple[Box, ...],
    slopes: Slopes | None,
    defaults: tuple[Slopes, Slopes],
    before: Tensor | None = None,
    *,
    keep: bool = True,
) -> Relaxed:
    """The step for coefficients a (B, S, N): lower lines where a >= 0, upper lines where a < 0.

    boxes: per argument its ends, (B or 1, 1, N), or what `prepare` made of them; slopes (B, S, N) of the
    lines, or None: the default ones; defaults: slopes of the (lower, upper) lines, (B or 1, 1, N); before:
    where not 0, `slopes` belong to upper lines: an entry that has changed sides since takes the default
    slope. None: none has.

    The intercept is exact for the slope (up to rounding: for searching slopes, not for verdicts), so every
    slope gives a bound. It is -inf (upper lines: +inf) where the box is not finite or has a pole there.
    """
    upper = a < 0
    usual = tuple(torch.where(upper, high, low) for low, high in zip(*defaults, strict=True))
    if slopes is None:
        taken = usual
    elif before is None:
        taken = tuple(k.expand_as(a) for k in slopes)
    else:
        same = (before != 0) == upper
        taken = tuple(torch.where(same, k, d) for k, d in zip(slopes, usual, strict=True))
    intercept, touch = intercepts(fn, taken, boxes, upper)
    bias = torch.where(a == 0, 0.0, a * intercept).sum(-1)
    forms = tuple(a * k for k in taken)
    if not keep:
        return Relaxed(forms, bias)
    return Relaxed(forms, bias, tuple(k.clone() for k in taken), intercept, touch, upper.to(a.dtype))


def intercepts(
    fn: Function, slopes: Slopes, boxes: tuple[Box, ...], upper: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """(intercept, touching points), (B, S, N) each, of lines of these slopes on the sides `upper` (bool)."""
    ends = [[end.expand_as(upper) for end in box] for box in boxes]
    if fn.arguments == 2:
        x, y = ends
        return product_conjugate((slopes[0], slopes[1]), (x[0], x[1]), (y[0], y[1]), upper)
    c, touch = conjugate(fn, slopes[0].expand_as(upper), ends[0][0], ends[0][1], upper)
    return c, (touch,)


def gradient(
    fn: Function,
    a: Tensor,
    boxes: tuple[Box, ...],
    relaxed: Relaxed,
    to_forms: Slopes,
    to_bias: Tensor | None = None,
) -> tuple[Tensor, Slopes]:
    """The adjoint of `relax` at its kept slopes: (gradient to a, gradients to the slopes), (B, S, N) each.

    to_forms (B, S, N) per argument and to_bias (B, S) are gradients to its results; None: ones. By the
    envelope theorem the intercept's derivative by its slope is -x*. With the arguments' values at the
    minimising input as to_forms, the first result is the value of the lines there: a backward pass's own
    adjoint is the forward sweep along its lines. Touching points and intercept are computed again where
    `relaxed` has none.
    """
    intercept, touch = relaxed.intercept, relaxed.touch
    if intercept is None:
        intercept, touch = intercepts(fn, relaxed.slopes, boxes, (a < 0).expand_as(relaxed.slopes[0]))
    weight = a.new_ones(()) if to_bias is None else to_bias[..., None]
    to_a = weight * intercept
    for v, k in zip(to_forms, relaxed.slopes, strict=True):
        to_a = to_a + v * k
    return to_a, tuple(a * (v - weight * t) for v, t in zip(to_forms, touch, strict=True))


def ascend(
    fn: Function,
    a: Tensor,
    boxes: tuple[Box, ...],
    relaxed: Relaxed,
    to_forms: Slopes,
    moments: tuple[Moments, ...],
    spans: tuple[Slopes, Slopes],
    pace: Pace,
    free: Slopes | None = None,
    defaults: tuple[Slopes, Slopes] | None = None,
) -> tuple[Tensor, Slopes]:
    """The first result of `gradient` at kept lines, and the slopes moved uphill by a step of Adam.

    The moments, one pair per argument, are brought up to date in place. The step is `pace.step` times the
    span of the slope's side (`spans`: lower, upper; (B or 1, 1, N)) times the mean gradient over the root of
    its mean square; a gradient that is no finite number counts 0. free (B or 1, 1, N): a span where it is the
    larger; then a slope whose own span is 0 goes back to the default (`defaults`: lower, upper) where the
    argument's value, in to_forms, lies inside the box. boxes may be what `prepare` made of them.
    """
    value, partials = gradient(fn, a, boxes, relaxed, to_forms)
    upper, found = a < 0, []
    for i, partial in enumerate(partials):
        (mean, square), kept = moments[i], pace.kept
        partial = torch.nan_to_num(partial, nan=0.0, posinf=0.0, neginf=0.0)
        mean.mul_(kept[0]).add_(partial, alpha=1.0 - kept[0])
        square.mul_(kept[1]).addcmul_(partial, partial, value=1.0 - kept[1])
        span = torch.where(upper, spans[1][i], spans[0][i])
        size = span if free is None else torch.maximum(span, free[i])
        slope = relaxed.slopes[i] + pace.step * size * mean / (square + LEAST_SQUARE).sqrt()
        if free is not None and defaults is not None:
            low, high = boxes[i]
            idle = (span <= 0) & (to_forms[i] >= low) & (to_forms[i] <= high)
            slope = torch.where(idle, torch.where(upper, defaults[1][i], defaults[0][i]), slope)
        found.append(slope)
    return value, tuple(found)


def lines(
    a: Tensor, lower: Line, upper: Line | None = None, mass: Tensor | None = None
) -> tuple[Slopes, Tensor, Tensor | None]:
    """(forms, bias (B, S), size (B, S)) of coefficients a (B, S, N) with lines read from memory.

    An entry takes `lower` where a >= 0 and `upper` where a < 0 (None: `lower` as well). Bias: Σ a·intercept,
    size: Σ |a|·mass where a mass is given. No rounding is accounted for: sums are of N products, in any
    order, so the caller's γ_N·size covers them.
    """
    slopes, intercept = lower if upper is None else picked(a, lower, upper)
    size = None if mass is None else dot(a.abs(), mass)
    return tuple(a * k for k in slopes), dot(a, intercept), size


def concretise(
    form: Tensor, box: Box, constant: Tensor | None = None, *, corner: bool = False, size: bool = False
) -> Concrete:
    """The least of <form, x> + constant over boxes (B or 1, D); form (B, S, D), constant (B, S).

    Where a coefficient is 0 or NaN the corner is the upper end. Rounding is not accounted for: the sums are
    of D products of numbers as given, in any order.
    """
    low, high = box[0][:, None], box[1][:, None]
    at = torch.where(form > 0, low, high)
    bound = torch.where(form == 0, 0.0, form * at).sum(-1)
    reach = torch.maximum(low.abs(), high.abs())
    return Concrete(
        bound if constant is None else bound + constant,
        at if corner else None,
        torch.where(form == 0, 0.0, form.abs() * reach).sum(-1) if size else None,
    )
