"""The kernels in Triton, for GPUs.

They run on CPU tensors in Triton's interpreter, if that was asked for when Triton was imported.

Block sizes are tried once per kernel, dtype and size class on the first call, and remembered for the process.
Nothing here multiplies matrices, so the reduced precision of tensor cores never enters.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.kernels.functions import LEAST_SQUARE, Function
from genbab.kernels.gpu.groups import softmax_planes, softmax_ready, softmax_values
from genbab.kernels.gpu.launching import grid, keys, laid_out, mask_of, on, shares, tables_of, total
from genbab.kernels.gpu.relaxing import ascend_kernel, gradient_kernel, relax_kernel, relax_product_kernel
from genbab.kernels.gpu.splits import dual, envelope, points, reach, weights
from genbab.kernels.gpu.summing import concretise_kernel, lines_kernel
from genbab.kernels.torch import reference
from genbab.kernels.torch.reference import FUNCTIONS, Box, Concrete, Moments, Pace, Relaxed, prepare
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
    """`reference.relax`."""
    if a.numel() == 0:
        return reference.relax(fn, a, boxes, slopes, defaults, before, keep=keep)
    shape = (batch, rows, size) = tuple(a.shape)
    kind = 0 if slopes is None else 1 if before is None else 2
    own = [laid_out(k, shape) for k in (defaults[0] if slopes is None else slopes)]
    was = laid_out(a if before is None else mask_of(before), shape)
    low, high = ([laid_out(k, shape) for k in side] for side in defaults)
    ends = [laid_out(end, shape) for box in boxes for end in box]
    mine = laid_out(a, shape)
    cut = shares(batch, rows, size)
    partial = a.new_empty(cut, batch, rows)
    forms = [a.new_empty(shape) for _ in boxes]
    kept = [a.new_empty(shape if keep else 1) for _ in range(2 * len(boxes) + 1)]
    sizes, chosen = (batch, rows, size), keys(rows, size)
    with on(a):
        if fn.arguments == 2:
            pairs = [own[0], own[1], was, low[0], low[1], high[0], high[1], *ends]
            relax_product_kernel[grid(batch, rows, cut)](
                mine[0], *(t[0] for t in pairs), *forms, partial, *kept, *sizes,
                *mine[1:], *own[0][1:], *own[1][1:], *was[1:], *(t[1] for t in pairs[3:]),
                **chosen, KIND=kind, KEEP=keep,
            )  # fmt: skip
        else:
            table, steepest, reach = tables_of(fn, a)
            relax_kernel[grid(batch, rows, cut)](
                mine[0], own[0][0], was[0], low[0][0], high[0][0], ends[0][0], ends[1][0], table,
                forms[0], partial, *kept, *sizes, *mine[1:], *own[0][1:], *was[1:],
                low[0][1], high[0][1], ends[0][1], ends[1][1],
                p=fn.parameter, steepest=steepest, reach=reach, **chosen, CODE=fn.code, KIND=kind, KEEP=keep,
            )  # fmt: skip
    if not keep:
        return Relaxed(tuple(forms), total(partial))
    arity = len(boxes)
    lines = tuple(kept[:arity]), kept[arity], tuple(kept[arity + 1 :])
    return Relaxed(tuple(forms), total(partial), *lines, (a < 0).to(a.dtype))


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
    if relaxed.intercept is None and fn.arguments == 2:
        whole = relax(fn, a, boxes, relaxed.slopes, (relaxed.slopes, relaxed.slopes))
        relaxed = Relaxed(whole.forms, whole.bias, relaxed.slopes, whole.intercept, whole.touch)
    shape = (batch, rows, size) = tuple(a.shape)
    kept = relaxed.intercept is not None
    mine, none = laid_out(a, shape), laid_out(a, shape)
    c = none if relaxed.intercept is None else laid_out(relaxed.intercept, shape)
    weight = a.new_ones(batch, rows) if to_bias is None else to_bias.expand(batch, rows).contiguous()
    table, steepest, reach = tables_of(fn, a)
    to_a, to_slopes = a.new_empty(shape), [a.new_empty(shape) for _ in relaxed.slopes]
    cut = shares(batch, rows, size)
    for i, out in enumerate(to_slopes):
        k, v = laid_out(relaxed.slopes[i], shape), laid_out(to_forms[i], shape)
        x = laid_out(relaxed.touch[i], shape) if kept else none
        l, u = (laid_out(end, shape) for end in boxes[i])  # noqa: E741
        with on(a):
            gradient_kernel[grid(batch, rows, cut)](
                mine[0], k[0], c[0], x[0], v[0], weight, l[0], u[0], table, to_a, out, batch, rows, size,
                *mine[1:], *k[1:], *c[1:], *x[1:], *v[1:], l[1], u[1],
                p=fn.parameter, steepest=steepest, reach=reach, **keys(rows, size),
                CODE=fn.code, KEPT=kept, ADD=i > 0,
            )  # fmt: skip
    return to_a, tuple(to_slopes)


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
    """`reference.ascend`."""
    if a.numel() == 0:
        return reference.ascend(fn, a, boxes, relaxed, to_forms, moments, spans, pace, free, defaults)
    shape = (batch, rows, size) = tuple(a.shape)
    assert relaxed.intercept is not None
    mine, c = laid_out(a, shape), laid_out(relaxed.intercept, shape)
    value, moved = a.new_empty(shape), [a.new_empty(shape) for _ in relaxed.slopes]
    step = float(torch.tensor(pace.step, dtype=torch.float32))
    cut = shares(batch, rows, size)
    for i, out in enumerate(moved):
        own = [laid_out(t[i], shape) for t in (relaxed.slopes, relaxed.touch, to_forms)]
        usual = spans if defaults is None else defaults
        room = spans[0][i] if free is None else free[i]
        per_neuron = (spans[0][i], spans[1][i], room, usual[0][i], usual[1][i], *boxes[i])
        thin = [laid_out(t, shape) for t in per_neuron]
        k, x, v = own
        with on(a):
            ascend_kernel[grid(batch, rows, cut)](
                mine[0], k[0], c[0], x[0], v[0], *(t[0] for t in thin), *moments[i], value, out,
                batch, rows, size, *mine[1:], *k[1:], *c[1:], *x[1:], *v[1:], *(t[1] for t in thin),
                step, pace.step - step, **keys(rows, size), MEAN_KEPT=pace.kept[0], SQUARE_KEPT=pace.kept[1],
                ADD=i > 0, FREE=free is not None, LEAST=LEAST_SQUARE,
            )  # fmt: skip
    return value, tuple(moved)


def lines(
    a: Tensor, lower: Line, upper: Line | None = None, mass: Tensor | None = None
) -> tuple[Slopes, Tensor, Tensor | None]:
    """`reference.lines`."""
    if a.numel() == 0:
        return reference.lines(a, lower, upper, mass)
    shape = (batch, rows, size) = tuple(a.shape)
    high = lower if upper is None else upper
    mine, last = laid_out(a, shape), len(lower[0]) - 1
    read = [laid_out(line[0][i], shape) for i in (0, last) for line in (lower, high)]
    read += [laid_out(t, shape) for t in (lower[1], high[1], a if mass is None else mass)]
    forms = [a.new_empty(shape) for _ in lower[0]]
    cut = shares(batch, rows, size)
    partial, sizes = a.new_empty(cut, batch, rows), a.new_empty(cut, batch, rows)
    with on(a):
        lines_kernel[grid(batch, rows, cut)](
            mine[0], *(t[0] for t in read), forms[0], forms[-1], partial, sizes, batch, rows, size,
            *mine[1:], *(stride for t in read for stride in t[1:]), **keys(rows, size),
            TWO=last > 0, UPPER=upper is not None, MASS=mass is not None,
        )  # fmt: skip
    return tuple(forms), total(partial), None if mass is None else total(sizes)


def concretise(
    form: Tensor, box: Box, constant: Tensor | None = None, *, corner: bool = False, size: bool = False
) -> Concrete:
    """`reference.concretise`."""
    if form.numel() == 0:
        return reference.concretise(form, box, constant, corner=corner, size=size)
    shape = (batch, rows, inputs) = tuple(form.shape)
    low, high = (laid_out(end[:, None], shape) for end in box)
    mine = laid_out(form, shape)
    cut = shares(batch, rows, inputs)
    partial, sizes = form.new_empty(cut, batch, rows), form.new_empty(cut, batch, rows)
    at = form.new_empty(shape if corner else 1)
    with on(form):
        concretise_kernel[grid(batch, rows, cut)](
            mine[0], low[0], high[0], partial, at, sizes, batch, rows, inputs,
            *mine[1:], low[1], high[1], **keys(rows, inputs), CORNER=corner, SIZE=size,
        )  # fmt: skip
    bound = total(partial) if constant is None else total(partial) + constant
    return Concrete(bound, at if corner else None, total(sizes) if size else None)
