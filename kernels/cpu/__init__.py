"""The kernels compiled by numba, and torch where that is the faster of the two (docs/kernels.md).

Compiled code is cached beside the sources or in the user's cache folder. The first call of a session loads or
compiles it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from genbab.kernels.cpu import climbing, loops
from genbab.kernels.cpu.arrays import compact, empty, ends_of, full, full_rows, several, tables_of
from genbab.kernels.cpu.groups import softmax_planes, softmax_ready, softmax_values
from genbab.kernels.cpu.splits import dual, envelope, points, reach, weights
from genbab.kernels.cpu.threads import spread
from genbab.kernels.functions import Function
from genbab.kernels.torch import reference
from genbab.kernels.torch.reference import FUNCTIONS, Box, Concrete, Moments, Pace, Relaxed
from genbab.kernels.torch.sums import Line, Slopes

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

DEFAULT, GIVEN, GIVEN_UNLESS_FLIPPED = 0, 1, 2


@dataclass(frozen=True, eq=False)
class ArrayBoxes:
    """Boxes, with the arrays that loops take.

    ends: per function of one argument (l, u, f(l), f(u)), of a product its boxes; none: where there is no
    line (for one argument: no lower, no upper one); any_open: whether anywhere.
    """

    boxes: tuple[Box, ...]
    ends: Any
    none: Any
    any_open: bool
    seen: dict[int, tuple[Tensor, Any]] = field(default_factory=dict)

    def rows(self, x: Tensor, a: Tensor) -> Any:
        """The array of a tensor (B or 1, 1, N) that comes again with these boxes."""
        if id(x) not in self.seen:
            self.seen[id(x)] = x, full_rows(compact(x, 3), a)  # held, so that no other takes its place
        return self.seen[id(x)][1]


@dataclass(frozen=True, eq=False)
class ArrayRelaxed(Relaxed):
    """A step with the arrays of its slopes, intercept and touching points."""

    arrays: tuple[tuple[Any, ...], Any, tuple[Any, ...]] | None = None


def _arrays(relaxed: Relaxed, a: Tensor) -> tuple[tuple[Any, ...], Any, tuple[Any, ...]]:
    """The arrays of kept slopes, intercept and touching points."""
    if isinstance(relaxed, ArrayRelaxed) and relaxed.arrays is not None:
        return relaxed.arrays
    assert relaxed.intercept is not None
    slopes, touch = (
        tuple(full_rows(compact(t, 3), a) for t in part) for part in (relaxed.slopes, relaxed.touch)
    )
    return slopes, full_rows(compact(relaxed.intercept, 3), a), touch


def prepare(fn: Function, boxes: tuple[Box, ...]) -> ArrayBoxes:
    """`reference.prepare`."""
    if fn.arguments == 2:
        x_box, y_box, unknown = _ends2(boxes)
        return ArrayBoxes(boxes, (x_box, y_box), unknown, bool(unknown.any()))
    return ArrayBoxes(boxes, *ends_of(fn, *boxes[0]))


def relax(
    fn: Function,
    a: Tensor,
    boxes: tuple[Box, ...] | ArrayBoxes,
    slopes: Slopes | None,
    defaults: tuple[Slopes, Slopes],
    before: Tensor | None = None,
    *,
    keep: bool = True,
) -> Relaxed:
    """`reference.relax`."""
    ready = boxes if isinstance(boxes, ArrayBoxes) else prepare(fn, boxes)
    boxes = ready.boxes
    if a.numel() == 0:
        return reference.relax(fn, a, boxes, slopes, defaults, before, keep=keep)
    kind = DEFAULT if slopes is None else GIVEN if before is None else GIVEN_UNLESS_FLIPPED
    coefficients = compact(a, 3)
    given = [coefficients] * fn.arguments if slopes is None else [compact(k, 3) for k in slopes]
    low, high = (tuple(ready.rows(k, a) for k in side) for side in defaults)
    was = coefficients if before is None else compact(before.to(a.dtype), 3)
    arity, rows = fn.arguments, a.shape[0] * a.shape[1]
    made, forms = several(arity + 2 * arity + 2 if keep else arity, a)
    bias, kept = empty(a.shape[:2], a), forms[arity:] if keep else [forms[0]] * (2 * arity + 2)
    taken, touch, intercept, side = kept[:arity], kept[arity : 2 * arity], kept[-2], kept[-1]
    given = [full_rows(x, a) for x in given]
    if arity == 2:
        spread(
            loops.relax_product_rows, rows, 2 * a.shape[2],
            kind, ready.any_open, keep, coefficients, tuple(given), was, low, high, *ready.ends, ready.none,
            tuple(forms[:2]), bias[1], tuple(taken), intercept, tuple(touch), side,
        )  # fmt: skip
    else:
        table, most, reach = tables_of(fn, a)
        spread(
            loops.relax_rows, rows, 4 * a.shape[2],
            fn.code, fn.parameter, table, most, reach, kind, ready.any_open, keep,
            coefficients, given[0], was, low[0], high[0], ready.ends, ready.none,
            forms[0], bias[1], taken[0], intercept, touch[0], side,
        )  # fmt: skip
    if not keep:
        return Relaxed(made[:arity], bias[0])
    arrays = tuple(taken), intercept, tuple(touch)
    first, second = made[arity : 2 * arity], made[2 * arity : 3 * arity]
    return ArrayRelaxed(made[:arity], bias[0], first, made[-2], second, made[-1], arrays)


def _ends2(boxes: tuple[Box, ...]) -> tuple[tuple[Any, Any], tuple[Any, Any], Any]:
    """(box of x, box of y, where there is no line)."""
    ends = [compact(end, 3) for box in boxes for end in box]
    if any(end.shape != ends[0].shape for end in ends):
        ends = [np.ascontiguousarray(end) for end in np.broadcast_arrays(*ends)]
    unknown = ~np.logical_and.reduce([np.isfinite(end) for end in ends])
    if unknown.any():
        ends = [np.where(unknown, end.dtype.type(1.0), end) for end in ends]
    return (ends[0], ends[1]), (ends[2], ends[3]), unknown


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
    weight = full(a.new_ones(()) if to_bias is None else to_bias, tuple(a.shape[:2]))
    slopes, intercept, touch = _arrays(relaxed, a)
    values = tuple(full_rows(compact(t, 3), a) for t in to_forms)
    to_a, to_slopes = empty(a.shape, a), [empty(a.shape, a) for _ in relaxed.slopes]
    spread(
        loops.gradient_rows, a.shape[0] * a.shape[1], len(slopes) * a.shape[2],
        len(slopes), compact(a, 3), slopes, intercept, touch, values,
        weight, to_a[1], tuple(k[1] for k in to_slopes),
    )  # fmt: skip
    return to_a[0], tuple(k[0] for k in to_slopes)


def ascend(
    fn: Function,
    a: Tensor,
    boxes: tuple[Box, ...] | ArrayBoxes,
    relaxed: Relaxed,
    to_forms: Slopes,
    moments: tuple[Moments, ...],
    spans: tuple[Slopes, Slopes],
    pace: Pace,
    free: Slopes | None = None,
    defaults: tuple[Slopes, Slopes] | None = None,
) -> tuple[Tensor, Slopes]:
    """`reference.ascend`."""
    ready = boxes if isinstance(boxes, ArrayBoxes) else prepare(fn, boxes)
    if a.numel() == 0:
        return reference.ascend(fn, a, ready.boxes, relaxed, to_forms, moments, spans, pace, free, defaults)
    slopes, intercept, touch = _arrays(relaxed, a)
    values = tuple(full_rows(compact(t, 3), a) for t in to_forms)
    low, high = (tuple(ready.rows(k, a) for k in side) for side in spans)
    room = low if free is None else tuple(ready.rows(t, a) for t in free)
    ends: Any = (low, low)
    usual: Any = (low, low)
    if free is not None and defaults is not None:
        ends = tuple(tuple(ready.rows(box[i], a) for box in ready.boxes) for i in (0, 1))
        usual = tuple(tuple(ready.rows(k, a) for k in side) for side in defaults)
    made, (value, *out) = several(1 + len(slopes), a)
    spread(
        climbing.ascend_rows, a.shape[0] * a.shape[1], 3 * len(slopes) * a.shape[2],
        len(slopes), free is not None, pace.step, pace.kept, compact(a, 3), slopes, intercept, touch, values,
        tuple(m.numpy() for m, _ in moments), tuple(s.numpy() for _, s in moments), low, high, room, usual,
        ends, value, tuple(out),
    )  # fmt: skip
    return made[0], made[1:]


def lines(
    a: Tensor, lower: Line, upper: Line | None = None, mass: Tensor | None = None
) -> tuple[Slopes, Tensor, Tensor | None]:
    """`reference.lines`."""
    if a.numel() == 0:
        return reference.lines(a, lower, upper, mass)
    high = lower if upper is None else upper
    slopes, others = (tuple(full_rows(compact(k, 3), a) for k in line[0]) for line in (lower, high))
    c_low, c_high = (full_rows(compact(line[1], 3), a) for line in (lower, high))
    forms, bias, size = [empty(a.shape, a) for _ in slopes], empty(a.shape[:2], a), empty(a.shape[:2], a)
    heavy = c_low if mass is None else full_rows(compact(mass, 3), a)
    spread(
        loops.line_rows, a.shape[0] * a.shape[1], 2 * a.shape[2],
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
    low, high = (compact(end[:, None], 3) for end in box)
    bound, wide = empty(form.shape[:2], form), empty(form.shape[:2], form)
    at = empty(form.shape if corner else (1, 1, 1), form)
    batch, rows, inputs = form.shape
    mine = full(form, (batch, rows, inputs))
    spread(
        loops.concretise_rows, batch * rows, inputs, corner, size, mine, low, high, bound[1], at[1], wide[1]
    )
    total = bound[0] if constant is None else bound[0] + constant
    return Concrete(total, at[0] if corner else None, wide[0] if size else None)
