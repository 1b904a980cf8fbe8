"""Reductions over axes: sums and means are affine, maxima are trees, the others are functions of sums."""

from __future__ import annotations

import numpy as np

from genbab.reader.lower.numbers.maxima import tree_max
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import add, apply, divide, multiply, raised, scale, subtract, sum_groups
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import (
    Array,
    Masked,
    Op,
    Refused,
    Value,
    Var,
    count,
    given,
    integers,
    needed,
    positive_axis,
)


def reduce_sum(b: Builder, x: Var, axes: list[int], keep: bool = True) -> Var:
    """The sum over these axes."""
    shape, full = _shapes(x.shape, axes, keep)
    if count(full) == x.size:
        return x.reshaped(shape)
    groups = np.broadcast_to(np.arange(count(full)).reshape(full), x.shape)
    return sum_groups(b, x, groups, shape)


def reduce_mean(b: Builder, x: Var, axes: list[int], keep: bool = True) -> Var:
    """The mean over these axes."""
    total = reduce_sum(b, x, axes, keep)
    mean = divide(b, total, np.array(x.size // max(total.size, 1)))
    assert isinstance(mean, Var)
    return mean


def _shapes(shape: tuple[int, ...], axes: list[int], keep: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(shape of the result, the same with the reduced axes kept as 1)."""
    full = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return (full if keep else tuple(n for i, n in enumerate(shape) if i not in axes)), full


def _rows(shape: tuple[int, ...], axes: list[int]) -> Array:
    """(entries of the result, entries that are reduced to one): flat indices."""
    order = [i for i in range(len(shape)) if i not in axes] + axes
    return (
        np.arange(count(shape)).reshape(shape).transpose(order).reshape(-1, count([shape[a] for a in axes]))
    )


def maxima(b: Builder, x: Var, axes: list[int], keep: bool, hidden: Array | None = None) -> Value | Masked:
    """The largest entries over these axes; entries where `hidden` is true are minus infinity."""
    shape, _ = _shapes(x.shape, axes, keep)
    rows = _rows(x.shape, axes)
    if hidden is None:
        return tree_max(b, x, rows, shape)
    out = hidden.reshape(-1)[rows]
    first = rows[np.arange(len(rows)), out.argmin(axis=1)]  # an entry of the row stands in for the hidden
    made = tree_max(b, x, np.where(out, first[:, None], rows), shape)
    none = out.all(axis=1)
    return Masked(made, none.reshape(shape)) if none.any() else made


def negated(b: Builder, x: Var) -> Var:
    """-x."""
    made = scale(b, x, -1.0)
    assert isinstance(made, Var)
    return made


def reduced_axes(op: Op, inputs: list[Value | None]) -> tuple[list[int], bool]:
    """(axes to be reduced, whether they are kept as 1); no axes where the node does nothing."""
    rank = len(needed(inputs, 0).shape)
    given_axes = integers(given(inputs, 1), "its axes") if len(inputs) > 1 else op.integers("axes")
    keep = bool(op.integer("keepdims", 1))
    if not given_axes and op.integer("noop_with_empty_axes", 0):
        return [], keep
    return sorted({positive_axis(a, rank) for a in given_axes or range(rank)}), keep


AFFINE = ("ReduceSum", "ReduceMean")
TREES = ("ReduceMax", "ReduceMin", "ReduceProd")


@lowering(*AFFINE, how="affine")
@lowering("ReduceMax", "ReduceMin", how="balanced tree of max(a, b) = a + relu(b - a)")
@lowering("ReduceProd", how="balanced tree of products")
@lowering("ReduceL1", how="sum of abs")
@lowering("ReduceL2", how="sqrt of a sum of squares")
@lowering("ReduceSumSquare", how="sum of squares")
@lowering("ReduceLogSum", how="log of a sum")
@lowering("ReduceLogSumExp", how="log of a sum of exp, shifted by the mean")
def _reduce(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("a reduction of a constant")
    axes, keep = reduced_axes(op, inputs)
    if not axes and op.kind in AFFINE + TREES:
        return x
    return _reduced(b, op.kind, x, axes, keep)


def _reduced(b: Builder, kind: str, x: Var, axes: list[int], keep: bool) -> Value:
    if kind == "ReduceMean":
        return reduce_mean(b, x, axes, keep)
    if kind == "ReduceMax":
        return tree_max(b, x, _rows(x.shape, axes), _shapes(x.shape, axes, keep)[0])
    if kind == "ReduceMin":
        return negated(b, tree_max(b, negated(b, x), _rows(x.shape, axes), _shapes(x.shape, axes, keep)[0]))
    if kind == "ReduceProd":
        return _reduce_product(b, x, axes, keep)
    if kind == "ReduceLogSumExp":
        return _log_sum_exp(b, x, axes, keep)
    inner: Value = x
    if kind == "ReduceL1":
        inner = apply(b, "abs", x)
    elif kind in ("ReduceL2", "ReduceSumSquare"):
        inner = raised(b, x, 2)
    assert isinstance(inner, Var)
    total = reduce_sum(b, inner, axes, keep)
    after = {"ReduceL2": "sqrt", "ReduceLogSum": "log"}
    return apply(b, after[kind], total) if kind in after else total


def _log_sum_exp(b: Builder, x: Var, axes: list[int], keep: bool) -> Value:
    """m + log(sum of exp(x - m)) with the mean m of the entries, which is exact and affine."""
    mean = reduce_mean(b, x, axes)
    shifted = apply(b, "exp", subtract(b, x, mean))
    assert isinstance(shifted, Var)
    total = reduce_sum(b, shifted, axes, keep)
    return add(b, apply(b, "log", total), mean.reshaped(total.shape))


def _reduce_product(b: Builder, x: Var, axes: list[int], keep: bool) -> Value:
    """A balanced tree of products."""
    shape, _ = _shapes(x.shape, axes, keep)
    values = [b.gather(x, column.reshape(shape)) for column in _rows(x.shape, axes).T]
    while len(values) > 1:
        pairs = [multiply(b, p, q) for p, q in zip(values[0::2], values[1::2], strict=False)]
        values = pairs + values[len(values) - len(values) % 2 :]
    return values[0]
