"""Forward linear bounds: every node between two affine functions of the input, in one sweep.

Worth it when few inputs vary: a node costs 2·(D+1) vectors, whatever the number of rows asked for later. Each
form is (B, D+1, N): row d < D the coefficient of the d-th *varying* input measured from the box's centre, the
last row the constant. Kept together as mean and half difference, an affine node is W·mean ± |W|·half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.bounds.relax.curvature import Forms, Linearised, linearised
from genbab.bounds.relax.lines import Lines, shaped
from genbab.network import Affine, Grouped, Input, Meaning, Network, Nonlinear, walk
from genbab.network.interval import Ask, affine_range, cut, halved, intersect, known_below, nonlinear_range
from genbab.network.roundoff import Interval, gamma, magnitude, uncertain, underflow
from genbab.nonlinear.groups.grouped import group_box, group_planes, group_roundings
from genbab.nonlinear.groups.softmax import by_rows
from genbab.nonlinear.lines.box import go_on


def varying(box: Interval) -> Tensor:
    """Indices of the inputs whose interval has a width in some domain, a few ulps left aside."""
    width = box[1] - box[0]
    rounding = 8 * torch.finfo(width.dtype).eps * torch.maximum(box[0].abs(), box[1].abs())
    return (width > rounding).any(0).nonzero().squeeze(-1)


def forward(
    network: Network, box: Interval, known: dict[int, Interval] | None = None, ask: Ask = go_on
) -> list[Interval]:
    """Sound intervals (B, N) of every node from forward linear bounds.

    They are cut with interval arithmetic and with `known`.
    """
    return forward_forms(network, box, known, ask)[0]


def forward_forms(
    network: Network, box: Interval, known: dict[int, Interval] | None = None, ask: Ask = go_on
) -> tuple[list[Interval], Linearised | None]:
    """The intervals of `forward`, and the arguments of products as affine functions of the varying inputs."""
    active = varying(box)
    sweep = _Sweep(network, box, known or {}, active, ask)
    found = walk.forward(network, sweep, ask=ask).values()
    forms, intervals = [form for form, _ in found], [interval for _, interval in found]
    return intervals, linearised(network, forms, active, sweep.radius)


Bounds = tuple[Forms, Interval]
"""Affine functions around a node, and its interval."""


@dataclass(frozen=True, eq=False)
class _Sweep(Meaning[Sequence[Bounds], Bounds]):
    """Affine functions around every node, and intervals, from those of its sources."""

    network: Network
    box: Interval
    known: dict[int, Interval]
    active: Tensor
    ask: Ask

    @cached_property
    def radius(self) -> Tensor:
        """Half widths (B, D) of the varying inputs, rounded up."""
        return halved(self.box[1] - self.box[0])[:, self.active]

    def _cut(self, i: int, form: Forms, interval: Interval) -> Bounds:
        return form, cut(self.network, i, interval, self.known)

    def input(self, i: int, node: Input, x: Sequence[Bounds]) -> Bounds:
        return self._cut(i, _input_forms(self.box, self.active), self.box)

    def affine(self, i: int, node: Affine, x: Sequence[Bounds]) -> Bounds:
        intervals = [interval for _, interval in x]
        plain = affine_range(node, intervals)
        doubt = uncertain(node, intervals, magnitude(plain)) if node.uncertainty.more else None
        form = _affine_forms(node, [form for form, _ in x[: len(node.terms)]], self.radius, doubt)
        return self._cut(i, form, intersect(concretise(form, self.radius), plain))

    def nonlinear(self, i: int, node: Nonlinear, x: Sequence[Bounds]) -> Bounds:
        return self._function(i, node, x, _nonlinear_forms(node, x, self.radius, self.ask))

    def grouped(self, i: int, node: Grouped, x: Sequence[Bounds]) -> Bounds:
        return self._function(i, node, x, _grouped_forms(node, x, self.radius))

    def _function(self, i: int, node: Nonlinear | Grouped, x: Sequence[Bounds], form: Forms) -> Bounds:
        plain = nonlinear_range(node, [interval for _, interval in x], self.ask)
        return self._cut(i, form, intersect(concretise(form, self.radius), plain))


def concretise(forms: Forms, radius: Tensor) -> Interval:
    """The least value of the lower form and the greatest of the upper, over |x - centre| <= radius (B, D)."""
    bounds = []
    for sign, form in zip((-1.0, 1.0), forms, strict=True):
        wide = torch.einsum("bdn,bd->bn", form[:, :-1].abs(), radius)
        mass = wide + form[:, -1].abs()
        slack = gamma(form.shape[1], form.dtype) * mass + _tiny(form.shape[1], radius)
        bounds.append(form[:, -1] + sign * (wide + slack))
    return known_below(bounds[0]), -known_below(-bounds[1])


def _input_forms(box: Interval, active: Tensor) -> Forms:
    """The input itself.

    Unit rows and the centre for varying entries (less half an ulp), the bounds for the others.
    """
    batch, size = box[0].shape
    sides = []
    for sign, end in zip((-1.0, 1.0), box, strict=True):
        form = box[0].new_zeros(batch, active.numel() + 1, size)
        form[:, torch.arange(active.numel(), device=active.device), active] = 1.0
        far = torch.maximum(box[0].abs(), box[1].abs())
        middle = (box[0] + box[1]) / 2 + sign * (gamma(1, form.dtype) * far + underflow(0, form.dtype))
        form[:, -1] = end
        form[:, -1, active] = middle[:, active]
        sides.append(form)
    return sides[0], sides[1]


def _affine_forms(node: Affine, sources: list[Forms], radius: Tensor, doubt: Tensor | None) -> Forms:
    mean: Tensor | None = None
    half: Tensor | None = None
    mass = node.bias.abs()[None, None, :]
    terms = len(sources) + node.uncertainty.roundings
    for (_, one), (lower, upper) in zip(node.terms, sources, strict=True):
        spread = _mass(torch.maximum(lower.abs(), upper.abs()), radius)
        mapped = one.apply((lower + upper) / 2)
        widened = one.absolute().apply(torch.cat([(upper - lower) / 2, spread], 1))
        mean = mapped if mean is None else mean + mapped
        half = widened[:, :-1] if half is None else half + widened[:, :-1]
        mass = mass + widened[:, -1:]
        terms += one.terms
    if mean is None or half is None:
        mean = half = node.bias.new_zeros(radius.shape[0], radius.shape[1] + 1, node.size)
    gain = max([1.0, *(one.gain for _, one in node.terms)])
    slack = 2 * (gamma(terms, mass.dtype) * mass[:, 0] + gain * _tiny(terms, radius))
    slack = slack if doubt is None else slack + doubt
    lower, upper = mean - half, mean + half
    lower[:, -1] += node.bias - slack
    upper[:, -1] += node.bias + slack
    return lower, upper


def _tiny(terms: int, radius: Tensor) -> Tensor:
    """What underflow may take from a form whose coefficients are sums of so many products, (B, 1)."""
    return underflow(terms, radius.dtype) * (1 + radius.sum(-1, keepdim=True))


def _mass(form: Tensor, radius: Tensor) -> Tensor:
    """Σ|coefficient|·radius + |constant|, (B, 1, N)."""
    return torch.einsum("bdn,bd->bn", form[:, :-1].abs(), radius)[:, None] + form[:, -1:].abs()


def _nonlinear_forms(node: Nonlinear, x: Sequence[Bounds], radius: Tensor, ask: Ask) -> Forms:
    boxes = tuple(shaped(interval, radius.dtype) for _, interval in x)
    lines = Lines(node.fn, boxes, ask=ask)
    sides: list[Tensor] = []
    for upper, slopes in zip((False, True), lines.defaults, strict=True):
        constant, _ = lines.intercept(slopes, upper, rigorous=True)
        total = torch.zeros_like(x[0][0][0])
        mass = constant.abs()
        for k, ((low, high), _) in zip(slopes, x, strict=True):
            picked = torch.where((k >= 0) != upper, low, high)
            total = total + torch.where(k == 0, 0.0, k * picked)
            mass = mass + torch.where(k == 0, 0.0, k.abs() * _mass(picked, radius))
        slack = gamma(4, mass.dtype) * mass + _tiny(4, radius)[:, None]
        total[:, -1:] += constant + slack if upper else constant - slack
        sides.append(total)
    return sides[0], sides[1]


def _grouped_forms(node: Grouped, x: Sequence[Bounds], radius: Tensor) -> Forms:
    """Every entry's own default plane, below and above."""
    length = node.fn.length
    box = group_box(node.fn, [shaped(interval, radius.dtype) for _, interval in x])
    forms = x[0][0]
    unit = torch.eye(length, dtype=radius.dtype, device=radius.device).repeat(1, node.size // length)
    low, high = (by_rows(form, length) for form in forms)  # (B, D+1, R, K)
    reach = by_rows(torch.maximum(*(_mass(form, radius) for form in forms))[:, 0], length)
    sides: list[Tensor] = []
    for sign in (1.0, -1.0):
        rows = (sign * unit)[None].expand(radius.shape[0], -1, -1)
        found = group_planes(box, rows, None, rigorous=True)
        assert found.masses is not None
        form = by_rows(found.form, length)  # (B, K, R, K)
        total = torch.einsum("bkrj,bdrj->bdrk", form.clamp(min=0), low)
        total = total + torch.einsum("bkrj,bdrj->bdrk", form.clamp(max=0), high)
        mass = torch.einsum("bkrj,brj->brk", form.abs(), reach) + found.constants.abs().mT
        slack = gamma(2 * length + 4, mass.dtype) * mass
        slack = slack + gamma(group_roundings(node.fn), mass.dtype) * found.masses.mT
        slack = slack + _tiny(2 * length + 4, radius)[:, None]
        total[:, -1] += found.constants.mT - slack
        sides.append(sign * total.flatten(-2))
    return sides[0], sides[1]
