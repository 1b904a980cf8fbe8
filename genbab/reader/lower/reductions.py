"""Reductions over axes: sums and means are affine, maxima are trees, the others are functions of sums."""

from __future__ import annotations

import numpy as np

from genbab.reader.arithmetic import apply, multiply, scale, sum_groups
from genbab.reader.builder import Builder
from genbab.reader.lower.pooling import tree_max
from genbab.reader.lower.table import lowering
from genbab.reader.values import Op, Refused, Value, Var, count, given, integers, needed, positive_axis


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
    mean = scale(b, total, total.size / x.size)
    assert isinstance(mean, Var)
    return mean


def _shapes(shape: tuple[int, ...], axes: list[int], keep: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(shape of the result, the same with the reduced axes kept as 1)."""
    full = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return (full if keep else tuple(n for i, n in enumerate(shape) if i not in axes)), full


def _reduce_max(b: Builder, x: Var, axes: list[int], keep: bool) -> Var:
    shape, full = _shapes(x.shape, axes, keep)
    order = [i for i in range(len(x.shape)) if i not in axes] + axes
    groups = np.arange(x.size).reshape(x.shape).transpose(order).reshape(count(full), -1)
    return tree_max(b, x, groups, shape)


def _negated(b: Builder, x: Var) -> Var:
    made = scale(b, x, -1.0)
    assert isinstance(made, Var)
    return made


KINDS = (
    "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd "
    "ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp"
).split()


@lowering(*KINDS)
def _reduce(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("a reduction of a constant")
    given_axes = integers(given(inputs, 1), "its axes") if len(inputs) > 1 else op.integers("axes")
    if not given_axes and op.integer("noop_with_empty_axes", 0):
        return x
    axes = sorted({positive_axis(a, len(x.shape)) for a in given_axes or range(len(x.shape))})
    return _reduced(b, op.kind, x, axes, bool(op.integer("keepdims", 1)))


def _reduced(b: Builder, kind: str, x: Var, axes: list[int], keep: bool) -> Value:
    if kind == "ReduceMean":
        return reduce_mean(b, x, axes, keep)
    if kind == "ReduceMax":
        return _reduce_max(b, x, axes, keep)
    if kind == "ReduceMin":
        return _negated(b, _reduce_max(b, _negated(b, x), axes, keep))
    if kind == "ReduceProd":
        return _reduce_product(b, x, axes, keep)
    before = {"ReduceL1": "abs", "ReduceL2": "square", "ReduceSumSquare": "square", "ReduceLogSumExp": "exp"}
    after = {"ReduceL2": "sqrt", "ReduceLogSum": "log", "ReduceLogSumExp": "log"}
    inner: Value = x
    if kind in before:
        inner = multiply(b, x, x) if before[kind] == "square" else apply(b, before[kind], x)
    assert isinstance(inner, Var)
    total = reduce_sum(b, inner, axes, keep)
    return apply(b, after[kind], total) if kind in after else total


def _reduce_product(b: Builder, x: Var, axes: list[int], keep: bool) -> Value:
    """A balanced tree of products."""
    shape, full = _shapes(x.shape, axes, keep)
    order = [i for i in range(len(x.shape)) if i not in axes] + axes
    groups = np.arange(x.size).reshape(x.shape).transpose(order).reshape(count(full), -1)
    values = [b.gather(x, column.reshape(shape)) for column in groups.T]
    while len(values) > 1:
        pairs = [multiply(b, p, q) for p, q in zip(values[0::2], values[1::2], strict=False)]
        values = pairs + values[len(values) - len(values) % 2 :]
    return values[0]


@lowering("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("pooling of a constant")
    return _reduced(
        b, "ReduceMean" if "Average" in op.kind else "ReduceMax", x, list(range(2, len(x.shape))), True
    )
