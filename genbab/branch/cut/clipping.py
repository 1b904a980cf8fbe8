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
from types import ModuleType

import torch
from torch import Tensor

from genbab.bounds import Interval
from genbab.branch.open.domains import HalfSpaces
from genbab.network.interval import gamma

GUARD = 1e-12
"""Relative widening that covers the rounding of the few float64 operations on a box."""

STEPS = 3
"""Steps of the search for the weight of one half-space."""

ENTRIES = 1 << 18
"""Numbers in one (B, R, D) tensor of the search: about what stays in a processor's cache."""


def both(a: HalfSpaces | None, b: HalfSpaces | None) -> HalfSpaces | None:
    """All half-spaces of two families."""
    if a is None or b is None:
        return a if b is None else b
    return HalfSpaces(torch.cat([a.normal, b.normal], 1), torch.cat([a.level, b.level], 1))


def cut_box(box: Interval, halves: HalfSpaces) -> Interval:
    """The boxes (B, D) cut to the hull of what each half-space leaves; lower > upper where one leaves
    nothing.
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
    """The dtype in which weights are searched, and the implementation of `genbab.kernels` that does the work
    (None: torch operations).
    """

    dtype: torch.dtype
    kernels: ModuleType | None = None


def lowest(
    form: Tensor, constant: Tensor, mass: Tensor, box: Interval, halves: HalfSpaces, means: Means
) -> Tensor:
    """Lower bounds (B, R) of <form, x> + constant on each box and inside its half-spaces.

    form (1 or B, R, D), constant (1 or B, R), mass (1 or B, R) at least Σ|form|·|x| + |constant|; float64.
    """
    batch, (rows, inputs) = box[0].shape[0], form.shape[1:]
    if not rows or not batch:
        return form.new_zeros(batch, rows)
    if means.kernels is not None:  # which keep nothing of size B·R·D
        return _lowest(form, constant, mass, box, halves, means)
    width = max(1, min(rows, ENTRIES // inputs))
    height = max(1, ENTRIES // (width * inputs))
    parts = []
    for b in torch.split(torch.arange(batch, device=form.device), height):
        some, of = (box[0][b], box[1][b]), halves.take(b)
        own = [t if t.shape[0] == 1 else t[b] for t in (form, constant, mass)]
        cells = [[t[:, r : r + width] for t in own] for r in range(0, rows, width)]
        parts.append(torch.cat([_lowest(f, c, m, some, of, means) for f, c, m in cells], 1))
    return torch.cat(parts)


def _lowest(
    form: Tensor, constant: Tensor, mass: Tensor, box: Interval, halves: HalfSpaces, means: Means
) -> Tensor:
    weights = search_weights(form, box, halves, means).to(form.dtype)
    if means.kernels is None:
        return evaluated(form, constant, mass, box, halves, weights)
    return summed(means.kernels, form, constant, box, halves, weights)


def search_weights(form: Tensor, box: Interval, halves: HalfSpaces, means: Means) -> Tensor:
    """Weights λ >= 0 (B, R, H) that nearly maximise the dual, one half-space after the other."""
    dtype = means.dtype
    if means.kernels is not None:
        low, high, normal, level = (t.to(dtype) for t in (*box, halves.normal, halves.level))
        return _usable(means.kernels.weights(form.to(dtype), (low, high), normal, level))
    middle, radius = ((box[0] + box[1]) / 2).to(dtype), ((box[1] - box[0]) / 2).to(dtype)
    scaled = form.to(dtype) * radius[:, None]
    found = [torch.zeros(len(middle), 0, scaled.shape[1], dtype=dtype, device=form.device)]
    for h in range(halves.level.shape[1]):
        normal = halves.normal[:, h].to(dtype)
        offset = (normal * middle).sum(-1) - halves.level[:, h].to(dtype)
        side = normal * radius
        weight = _ascend(scaled, side, offset)
        scaled = torch.addcmul(scaled, weight[..., None], side[:, None])
        found.append(weight[:, None])
    return _usable(torch.cat(found, 1).mT)


def _usable(weights: Tensor) -> Tensor:
    return torch.nan_to_num(weights, nan=0.0, posinf=0.0).clamp(min=0)


def _ascend(scaled: Tensor, side: Tensor, offset: Tensor) -> Tensor:
    """λ (B, R) that nearly maximises λ·offset - Σ|scaled + λ·side|, concave and piecewise linear in λ >= 0.

    By tangents: each point of the unit box gives a line a + λ·s above the dual; the next λ is where the best
    line of either slope cross.
    """
    column = side[..., None]
    left, left_slope = -scaled.abs().sum(-1), offset[:, None] - (scaled.sign() @ column).squeeze(-1)
    right = -(scaled @ side.sign()[..., None]).squeeze(-1)
    right_slope = (offset - side.abs().sum(-1))[:, None].expand_as(right)
    best, value = torch.zeros_like(left), left
    rising = (left_slope > 0) & (right_slope < 0)
    if not bool(rising.any()):
        return best
    for _ in range(STEPS):
        weight = torch.where(rising, (right - left) / (left_slope - right_slope), 0.0).clamp_(min=0)
        moved = torch.addcmul(scaled, weight[..., None], side[:, None])
        slope = offset[:, None] - (moved.sign() @ column).squeeze(-1)
        now = torch.addcmul(-moved.abs_().sum(-1), weight, offset[:, None])
        better = now > value
        best, value = torch.where(better, weight, best), torch.where(better, now, value)
        start, up = now - weight * slope, slope > 0
        left, left_slope = torch.where(up, start, left), torch.where(up, slope, left_slope)
        right, right_slope = torch.where(up, right, start), torch.where(up, right_slope, slope)
    return best


def evaluated(
    form: Tensor, constant: Tensor, mass: Tensor, box: Interval, halves: HalfSpaces, weights: Tensor
) -> Tensor:
    """The dual (B, R) at the weights (B, R, H), rounded down; -inf where arithmetic gave no number."""
    middle, radius = (box[0] + box[1]) / 2, (box[1] - box[0]) / 2
    reach = torch.maximum(box[0].abs(), box[1].abs())
    side_mass = (halves.normal.abs() @ reach[..., None]).squeeze(-1) + halves.level.abs()
    joint = form + weights @ halves.normal if halves.level.shape[1] else form.expand(len(middle), -1, -1)
    value = constant + (joint @ middle[..., None]).squeeze(-1) - (joint.abs() @ radius[..., None]).squeeze(-1)
    value = value - (weights @ halves.level[..., None]).squeeze(-1)
    whole = mass + (weights @ side_mass[..., None]).squeeze(-1)
    return _rounded_down(value, whole, form.shape[-1] + 2 * halves.level.shape[1])


def summed(
    kernels: ModuleType, form: Tensor, constant: Tensor, box: Interval, halves: HalfSpaces, weights: Tensor
) -> Tensor:
    """`evaluated` by kernels, which find the size of what they add up as well."""
    value, size = kernels.dual(form, box, halves.normal, halves.level, weights)
    terms = form.shape[-1] + 2 * halves.level.shape[1]
    return _rounded_down(constant + value, constant.abs() + size, terms)


def _rounded_down(value: Tensor, size: Tensor, terms: int) -> Tensor:
    """Sums of so many products, less what they may have lost; -inf where arithmetic gave no number."""
    value = value - gamma(terms + 8, value.dtype) * size
    return torch.nan_to_num(value, nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)
