"""Backward linear bounds (CROWN; Zhang et al., NeurIPS 2018) with slopes given per row.

For rows C of a target node t, walking the graph backwards keeps the invariant

    C·t(x)  >=  Σ_v <A_v, v(x)> + d        for every x in the box,

A_v (B, S, N_v), d (B, S). At an affine node A goes through the adjoint of each map; at a nonlinear node every
entry picks the lower line (A >= 0) or the upper line (A < 0) of its neuron: `slope * arg + intercept`. Any
slope is sound because the intercept is computed for it. At the input the form is minimised over the box.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from genbab.bounds.passes.concretise import initial_forms, minimum
from genbab.bounds.passes.taken import Pass, Rows, Start, Starts, TakenLine, TakenPlanes
from genbab.bounds.relax.lines import Lines, Slopes
from genbab.bounds.relax.relaxation import Relaxation
from genbab.kernels.torch.sums import dot, side_of
from genbab.network import Affine, Grouped, Meaning, Nonlinear, backward
from genbab.network.roundoff import Interval
from genbab.nonlinear.groups.grouped import KernelPlanes, group_planes
from genbab.nonlinear.groups.kind import CertainPlanes, GroupBox

Sources = Iterable[tuple[int, Tensor]]
"""(source, form of its values) of one step."""


def descend(relaxation: Relaxation, rows: Rows, box: Interval, start: Starts) -> Pass:
    """A backward pass without rounding account: for searching slopes, never for verdicts.

    In the relaxation's dtype. Where a side has changed since the pass that `start` is of, or a node is
    missing, the default slope is taken.
    """
    forms, constant = initial_forms(relaxation, rows, box)
    step = _Descent(relaxation, start, constant)
    form = backward(relaxation.network, forms, step, relaxation.ask)
    end = minimum(relaxation, form, constant, box)
    bound = step.constant + end.least
    return Pass(relaxation, end.form, step.constant, bound, end.corner, step.lines, step.planes)


class _Descent(Meaning[Tensor, Sources]):
    """One pass under way: the constant (B, S) so far, and what was taken at the nodes behind."""

    def __init__(self, relaxation: Relaxation, start: Starts, constant: Tensor) -> None:
        self.relaxation, self.start, self.constant = relaxation, start, constant
        self.lines: dict[int, TakenLine] = {}
        self.planes: dict[int, TakenPlanes] = {}

    def affine(self, i: int, node: Affine, x: Tensor) -> Sources:
        self.constant = self.constant + x @ node.bias
        return [(source, one.pull(x)) for source, one in node.terms]

    def nonlinear(self, i: int, node: Nonlinear, x: Tensor) -> Sources:
        self.lines[i], forms, bias = _through_lines(self.relaxation, i, x, self.start.get(i))
        self.constant = self.constant + bias
        return zip(node.args, forms, strict=True)

    def grouped(self, i: int, node: Grouped, x: Tensor) -> Sources:
        self.planes[i], form, bias = _through_planes(self.relaxation, i, x, self.start.get(i))
        self.constant = self.constant + bias
        return [(node.args[0], form)]


def _through_lines(
    relaxation: Relaxation, i: int, a: Tensor, start: Start | None
) -> tuple[TakenLine, Slopes, Tensor]:
    """(the lines that a takes at nonlinear node i, the form it becomes per argument, Σ a·intercept)."""
    lines, kernels = relaxation.lines(i), relaxation.kernels
    if lines.hot is None:
        taken = take_lines(lines, a, start, rigorous=False)
        return taken, tuple(a * k for k in taken.slopes), dot(a, taken.intercept)
    slopes = None if start is None else tuple(k.to(a.dtype) for k in start.slopes)
    before = None if start is None else start.upper
    step = kernels.relax(lines.hot, a, relaxation.ready(i), slopes, lines.defaults, before)
    assert step.upper is not None and step.intercept is not None, "kept"
    taken = TakenLine(a, step.upper, step.slopes, step.intercept, step.touch, step=step)
    return taken, step.forms, step.bias


def _through_planes(
    relaxation: Relaxation, i: int, a: Tensor, start: Start | None
) -> tuple[TakenPlanes, Tensor, Tensor]:
    """(the planes that a takes at grouped node i, the form it becomes, the sum of their constants)."""
    box, kernels = relaxation.groups(i), relaxation.kernels
    if box.fn.name not in kernels.FUNCTIONS:
        planes = take_planes(box, a, start, rigorous=False)
        upper = planes.upper.flatten(-2).to(a.dtype)
        taken = TakenPlanes(a, upper, planes.at.expand(a.shape), planes)
        return taken, planes.form, planes.constants.sum(-1)
    ready, at = relaxation.ready(i), box.middle if start is None else start.slopes[0].to(a.dtype)
    found = kernels.softmax_planes(ready, a, at)
    followed = KernelPlanes(kernels, ready, found)
    return TakenPlanes(a, found.upper, found.at, followed), found.form, found.bias


def take_lines(lines: Lines, a: Tensor, start: Start | None, rigorous: bool) -> TakenLine:
    """The line each entry of a (B, S, N) takes: the side by its sign, the slopes by `start` or by default."""
    upper = side_of(a)
    if start is None:
        slopes = lines.default(upper)
    else:
        before = start.upper.to(a.dtype)
        slopes = tuple(k.to(a.dtype) for k in start.slopes)
        if not torch.equal(before, upper):
            flipped = (upper - before).abs_()
            slopes = tuple(
                torch.lerp(k, d, flipped) for k, d in zip(slopes, lines.default(upper), strict=True)
            )
    intercept, touch = lines.intercept(slopes, upper, rigorous)
    return TakenLine(a, upper, slopes, intercept, touch)


def take_planes(box: GroupBox, a: Tensor, start: Start | None, rigorous: bool) -> CertainPlanes:
    """The planes for coefficients a (B, S, N), with the parameters of `start` or the default ones."""
    return group_planes(box, a, None if start is None else start.slopes[0].to(a.dtype), rigorous=rigorous)
