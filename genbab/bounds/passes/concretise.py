"""Both ends of a backward pass: the forms it begins with, and the least value of the form it ends with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.bounds.passes.taken import Rows
from genbab.bounds.relax.relaxation import Relaxation
from genbab.network.roundoff import Interval, gamma
from genbab.network.walk import Forms


@dataclass(frozen=True, eq=False)
class Minimum:
    """The least value of a form (B, S, D) over the input's set.

    At the point `corner` (B, S, D) it is `least` (B, S); where asked for, `size` (B, S) = Σ |form|·max|x|;
    `rounding` (B, S) pays for balls.

    The point is a corner of the box, and in the columns of a ball the ball's own least point where the form
    is larger there: the minimum over both sets is at least that.
    """

    form: Tensor
    corner: Tensor
    least: Tensor
    size: Tensor | None
    rounding: Tensor | float


def initial_forms(relaxation: Relaxation, rows: Rows, box: Interval) -> tuple[Forms, Tensor]:
    """(forms by node, constant (B, S)) of a pass that has not yet taken a step."""
    batch = max(relaxation.batch, rows.matrix.shape[0], box[0].shape[0])
    forms: Forms = {rows.target: rows.matrix.expand(batch, -1, -1)}
    if rows.on_input is not None:
        on_input = rows.on_input.expand(batch, -1, -1)
        forms[0] = on_input if rows.target else forms[0] + on_input
    return forms, rows.matrix.new_zeros(batch, rows.matrix.shape[1])


def minimum(
    relaxation: Relaxation, form: Tensor | None, like: Tensor, box: Interval, size: bool = False
) -> Minimum:
    """The least value of the form over the box and the input's balls.

    like (B, S): gives dtype and shape where there is no form. The sums have D terms in any order, and no
    account of their rounding.
    """
    if form is None:
        form = like.new_zeros(*like.shape, box[0].shape[1])
    balls = relaxation.network.entry.within
    found = relaxation.kernels.concretise(form, box, corner=True, size=size)
    corner = found.corner
    assert corner is not None, "asked for"
    if not balls:
        return Minimum(form, corner, found.bound, found.size, 0.0)
    rounding: Tensor | float = 0.0
    for ball in balls:
        part, square = form[..., ball.columns], corner[..., ball.columns]
        point = ball.least(part)
        better = (part * point).sum(-1, keepdim=True) > (part * square).sum(-1, keepdim=True)
        corner = corner.index_copy(-1, ball.columns, torch.where(better, point, square))
        terms = 4 * part.shape[-1] + 64
        rounding = rounding + gamma(terms, form.dtype) * (part.abs() * ball.reach()).sum(-1)
    return Minimum(form, corner, (form * corner).sum(-1), found.size, rounding)
