"""The kernels compiled by numba, and torch where that is the faster of the two (docs/kernels.md).

Compiled code is cached beside the sources or in the user's cache folder. The first call of a session loads or
compiles it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genbab.kernels import reference
from genbab.kernels.cpu import loops
from genbab.kernels.cpu.arrays import compact, empty, ends_of, full, full_rows, share_threads, tables_of
from genbab.kernels.cpu.splits import children, dual, form_gains, free_gains, points, weights
from genbab.kernels.functions import Function
from genbab.kernels.reference import Box, Concrete, Line, Relaxed, Slopes

__all__ = [
    "children",
    "concretise",
    "dual",
    "form_gains",
    "free_gains",
    "gradient",
    "lines",
    "points",
    "prepare",
    "relax",
    "weights",
]

DEFAULT, GIVEN, GIVEN_UNLESS_FLIPPED = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Ready:
    """Boxes, with the arrays that loops take: per function of one argument (l, u, f(l), f(u)), of a product
    its boxes; where there is no line (for one argument: no lower, no upper one), and whether anywhere.
    """

    boxes: tuple[Box, ...]
    ends: Any
    none: Any
    any_open: bool


def prepare(fn: Function, boxes: tuple[Box, ...]) -> Ready:
    """`reference.prepare`."""
    if fn.arguments == 2:
        x_box, y_box, unknown = _ends2(boxes)
        return Ready(boxes, (x_box, y_box), unknown, bool(unknown.any()))
    ends, none = ends_of(fn, *boxes[0])
    return Ready(boxes, ends, none, bool(none[0].any() or none[1].any()))


def relax(
    fn: Function,
    a: Tensor,
    boxes: tuple[Box, ...] | Ready,
    slopes: Slopes | None,
    defaults: tuple[Slopes, Slopes],
    before: Tensor | None = None,
    *,
    keep: bool = True,
) -> Relaxed:
    """`reference.relax`."""
    ready = boxes if isinstance(boxes, Ready) else prepare(fn, boxes)
    boxes = ready.boxes
    if a.numel() == 0:
        return reference.relax(fn, a, boxes, slopes, defaults, before, keep=keep)
    share_threads()
    kind = DEFAULT if slopes is None else GIVEN if before is None else GIVEN_UNLESS_FLIPPED
    coefficients = compact(a, 3)
    given = [coefficients] * fn.arguments if slopes is None else [compact(k, 3) for k in slopes]
    low, high = ([compact(k, 3) for k in side] for side in defaults)
    was = coefficients if before is None else compact(before.to(a.dtype), 3)
    forms, bias = [empty(a.shape, a) for _ in boxes], empty(a.shape[:2], a)
    shape = a.shape if keep else (1, 1, 1)
    taken, touch = [empty(shape, a) for _ in boxes], [empty(shape, a) for _ in boxes]
    intercept = empty(shape, a)
    given, low, high = ([full_rows(x, a) for x in side] for side in (given, low, high))
    if fn.arguments == 2:
        x_box, y_box = ready.ends
        loops.relax_product_rows(
            kind, ready.any_open, keep, coefficients, tuple(given), was, tuple(low), tuple(high),
            x_box, y_box, ready.none, tuple(f[1] for f in forms), bias[1], tuple(k[1] for k in taken),
            intercept[1], tuple(x[1] for x in touch),
        )  # fmt: skip
    else:
        table, most, reach = tables_of(fn, a)
        loops.relax_rows(
            fn.code, fn.parameter, table, most, reach, kind, ready.any_open, keep,
            coefficients, given[0], was, low[0], high[0], ready.ends, ready.none,
            forms[0][1], bias[1], taken[0][1], intercept[1], touch[0][1],
        )  # fmt: skip
    made = tuple(f[0] for f in forms), bias[0]
    if not keep:
        return Relaxed(*made)
    return Relaxed(*made, tuple(k[0] for k in taken), intercept[0], tuple(x[0] for x in touch))


def _ends2(boxes: tuple[Box, ...]) -> tuple[tuple[Any, Any], tuple[Any, Any], Any]:
    """(box of x, box of y, where there is no line)."""
    ends = torch.broadcast_tensors(*(end for box in boxes for end in box))
    unknown = ~torch.stack([torch.isfinite(end) for end in ends]).all(0)
    lx, ux, ly, uy = (compact(end.masked_fill(unknown, 1.0), 3) for end in ends)
    return (lx, ux), (ly, uy), compact(unknown, 3)


def gradient(
    fn: Function,
    a: Tensor,
    boxes: tuple[Box, ...],
    relaxed: Relaxed,
    to_forms: Slopes,
    to_bias: Tensor | None = None,
) -> tuple[Tensor, Slopes]:
    """`reference.gradient`."""
    if a.numel() == 0:
        return reference.gradient(fn, a, boxes, relaxed, to_forms, to_bias)
    if relaxed.intercept is None:
        whole = relax(fn, a, boxes, relaxed.slopes, (relaxed.slopes, relaxed.slopes))
        relaxed = Relaxed(whole.forms, whole.bias, relaxed.slopes, whole.intercept, whole.touch)
    share_threads()
    assert relaxed.intercept is not None
    weight = full(a.new_ones(()) if to_bias is None else to_bias, tuple(a.shape[:2]))
    slopes, touch, values = (
        tuple(full_rows(compact(t, 3), a) for t in part) for part in (relaxed.slopes, relaxed.touch, to_forms)
    )
    to_a, to_slopes = empty(a.shape, a), [empty(a.shape, a) for _ in relaxed.slopes]
    loops.gradient_rows(
        len(slopes), compact(a, 3), slopes, full_rows(compact(relaxed.intercept, 3), a), touch, values,
        weight, to_a[1], tuple(k[1] for k in to_slopes),
    )  # fmt: skip
    return to_a[0], tuple(k[0] for k in to_slopes)


def lines(
    a: Tensor, lower: Line, upper: Line | None = None, mass: Tensor | None = None
) -> tuple[Slopes, Tensor, Tensor | None]:
    """`reference.lines`."""
    if a.numel() == 0:
        return reference.lines(a, lower, upper, mass)
    share_threads()
    high = lower if upper is None else upper
    slopes, others = (tuple(full_rows(compact(k, 3), a) for k in line[0]) for line in (lower, high))
    c_low, c_high = (full_rows(compact(line[1], 3), a) for line in (lower, high))
    forms, bias, size = [empty(a.shape, a) for _ in slopes], empty(a.shape[:2], a), empty(a.shape[:2], a)
    heavy = c_low if mass is None else full_rows(compact(mass, 3), a)
    loops.line_rows(
        upper is not None, mass is not None, len(slopes), compact(a, 3), slopes, others, c_low, c_high,
        heavy, tuple(f[1] for f in forms), bias[1], size[1],
    )  # fmt: skip
    return tuple(f[0] for f in forms), bias[0], None if mass is None else size[0]


def concretise(
    form: Tensor, box: Box, constant: Tensor | None = None, *, corner: bool = False, size: bool = False
) -> Concrete:
    """`reference.concretise`."""
    if form.numel() == 0:
        return reference.concretise(form, box, constant, corner=corner, size=size)
    share_threads()
    low, high = (compact(end[:, None], 3) for end in box)
    bound, wide = empty(form.shape[:2], form), empty(form.shape[:2], form)
    at = empty(form.shape if corner else (1, 1, 1), form)
    loops.concretise_rows(corner, size, full(form, tuple(form.shape)), low, high, bound[1], at[1], wide[1])
    total = bound[0] if constant is None else bound[0] + constant
    return Concrete(total, at[0] if corner else None, wide[0] if size else None)
