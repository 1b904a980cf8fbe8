"""What programs round in operators of several steps that they take in various ways."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from genbab.network.rounding.counts import REACH
from genbab.network.rounding.elementary import Pieces
from genbab.network.rounding.formats import Format
from genbab.network.rounding.steps import Rounding
from genbab.reader.convert.convert import Lowered
from genbab.reader.rounding.ends import normalising, size_of
from genbab.reader.rounding.known import below_zero
from genbab.reader.tensors.builder import flat
from genbab.reader.tensors.values import Masked, Refused, Var

STEPS = 12.0
"""More roundings than a batch normalisation has of any of its terms."""

SMALL = 2.0**-100
"""A variance that is far above the numbers which some programs take for 0."""

ROOM = 1.01
"""Room for products of errors."""


def of_batch_norm(step: Lowered, form: Format, shape: Sequence[int]) -> Rounding:
    """(x - mean) · scale / sqrt(variance + ε) + bias, in any order, constants combined before or not.

    The lowered sum is factor · x + (bias - factor · mean): what cancels in its constant is charged for here.
    """
    if step.op.integer("training_mode", 0):
        raise Refused("training mode: what it rounds is not known")
    scale, bias, mean, _ = (size_of(v) for v in step.inputs[1:5])
    factor, root = normalising(step)
    parts = np.stack(np.broadcast_arrays(scale, root, factor, mean, mean * scale, mean * factor + bias))
    if not bool((parts < form.largest / 8.0).all()):
        raise Refused("constants next to the end of the range: what is made of them may be infinite")
    if (
        step.op.number("epsilon", 1e-5) < SMALL
        and float(np.nanmin(size_of(step.inputs[4]), initial=1.0)) < SMALL
    ):
        raise Refused("a variance next to 0, which some programs take for 0")
    constant = flat((bias + mean * factor).reshape(-1, *[1] * (len(shape) - 2)), shape)
    gamma = float(form.gamma(STEPS))
    most = max(1.0, float(parts[:3].max(initial=0.0)))
    absolute = 2 * gamma * constant + 16 * form.tiny * most * REACH  # also where a constant counts as 0
    limit = min(REACH, form.largest / (8.0 * most))  # of what the mean is subtracted from
    return Rounding(sums=torch.full_like(constant, gamma), absolute=absolute, largest=limit)


def of_softmax(step: Lowered, form: Format, exp: Pieces, log: Pieces | None) -> Rounding:
    """exp(x - m) / Σ exp(x - m), or x - m - log Σ exp(x - m) if log is given, with the row's largest entry m.

    An entry's t = m - x is rounded by u·t: of p = exp(-t) / Σ, p·t <= 1/e, and Σ p·t is at most log K, since
    the entropy of p is Σ p·t + log Σ exp(-t).
    """
    length = _row(step)
    if length < 2:
        raise Refused("rows of a single number, which become a constant")
    absolute, relative = below_zero(exp)
    whole, count = math.log(length), float(length)
    total = form.unit * (whole + 2.0) + relative + count * absolute + float(form.gamma(count))
    if log is None:
        fixed = form.unit / math.e + absolute + (count + 4.0) * form.tiny
        return Rounding(unit=(total + relative + 2.0 * form.unit) * ROOM, absolute=fixed * ROOM)
    used = [p for p in log if p.high >= 1.0 and p.low <= count]
    off = max(p.absolute + p.relative * whole for p in used)
    fixed = total * ROOM + off + 3.0 * form.unit * whole + 4.0 * form.tiny
    return Rounding(unit=3.0 * form.unit, absolute=fixed)


def _row(step: Lowered) -> int:
    """How many numbers a row of a softmax has."""
    x = step.inputs[0]
    assert isinstance(x, Var | Masked)
    axis = step.op.integer("axis", -1 if step.op.opset >= 13 else 1)
    return x.shape[axis] if step.op.opset >= 13 else math.prod(x.shape[axis:])
