"""What half-spaces of the input say about linear forms and boxes, sound over the reals.

A split z <= p of a hidden neuron and a row of the unsafe set both become half-spaces <normal, x> <= level
once the row has a linear form below it. A form's minimum over a box and half-spaces is bounded by weak
duality (the complete clip of Clip-and-Verify, NeurIPS 2025): for any weights λ >= 0

    min f(x) over {box, <g_h, x> <= h_h}  >=  min over the box of f(x) + Σ λ_h·(<g_h, x> - h_h),

so the weights may be searched in any precision; one evaluation in float64 pays for its roundings.
Shapes: B boxes, R forms, H half-spaces, D inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.bounds import Interval
from genbab.branch.open.domains import HalfSpaces
from genbab.kernels import DEFAULT, Kernels
from genbab.network.roundoff import gamma

GUARD = 1e-12
"""Relative widening that covers the rounding of the few float64 operations on a box."""


def both(a: HalfSpaces | None, b: HalfSpaces | None) -> HalfSpaces | None:
    """All half-spaces of two families."""
    if a is None or b is None:
        return a if b is None else b
    return HalfSpaces(torch.cat([a.normal, b.normal], 1), torch.cat([a.level, b.level], 1))


def cut_box(box: Interval, halves: HalfSpaces) -> Interval:
    """The boxes (B, D) cut to the hull of what each half-space leaves.

    Lower > upper where one leaves nothing.
    """
    low, high = row_limits(box, halves.normal, halves.level)
    return low.amax(1), high.amin(1)


def row_limits(box: Interval, normal: Tensor, level: Tensor) -> Interval:
    """Per half-space, the ends (B, H, D) of each x_d when the others are at their best, rounded outward.

    Lower > upper in every input where a half-space does not meet the box.
    """
    low, high = box[0][:, None], box[1][:, None]
    reach = normal.abs() * torch.maximum(low.abs(), high.abs())
    least = (normal * torch.where(normal > 0, low, high)).sum(-1)
    size = level.abs() + reach.sum(-1)
    slack = (GUARD + gamma(normal.shape[-1], normal.dtype)) * size
    left = level - least + slack
    span = torch.nan_to_num(left.clamp(min=0)[..., None] / normal.abs(), nan=torch.inf)
    span = span + GUARD * (span + high.abs() + low.abs())
    row_low = torch.where(normal < 0, torch.maximum(high - span, low), low)
    row_high = torch.where(normal > 0, torch.minimum(low + span, high), high)
    empty = (left < 0)[..., None]
    return torch.where(empty, torch.inf, row_low), torch.where(empty, -torch.inf, row_high)


@dataclass(frozen=True)
class Means:
    """The dtype in which weights are searched, and the kernels that do the work."""

    dtype: torch.dtype
    kernels: Kernels = DEFAULT


def lowest(form: Tensor, constant: Tensor, box: Interval, halves: HalfSpaces, means: Means) -> Tensor:
    """Lower bounds (B, R) of <form, x> + constant on each box and inside its half-spaces.

    form (1 or B, R, D), constant (1 or B, R); float64.
    """
    if not form.shape[1] or not len(box[0]):
        return form.new_zeros(len(box[0]), form.shape[1])
    weights = search_weights(form, box, halves, means).to(form.dtype)
    return evaluated(form, constant, box, halves, weights, means.kernels)


def search_weights(form: Tensor, box: Interval, halves: HalfSpaces, means: Means) -> Tensor:
    """Weights λ >= 0 (B, R, H) that nearly maximise the dual, one half-space after the other."""
    middle, radius = (box[0] + box[1]) / 2, (box[1] - box[0]) / 2
    given = (t.to(means.dtype) for t in (form, middle, radius, halves.normal, halves.level))
    return torch.nan_to_num(means.kernels.weights(*given), nan=0.0, posinf=0.0).clamp(min=0)


def evaluated(
    form: Tensor,
    constant: Tensor,
    box: Interval,
    halves: HalfSpaces,
    weights: Tensor,
    kernels: Kernels = DEFAULT,
) -> Tensor:
    """The dual (B, R) at the weights (B, R, H), rounded down; -inf where arithmetic gave no number."""
    value, size = kernels.dual(form, box, halves.normal, halves.level, weights)
    terms, size = form.shape[-1] + 2 * halves.level.shape[1] + 8, constant.abs() + size
    value = constant + value - gamma(terms, value.dtype) * size
    return torch.nan_to_num(value, nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)
