"""`NegativeLogLikelihoodLoss` and `SoftmaxCrossEntropyLoss` of constant classes: affine after the softmax."""

from __future__ import annotations

import numpy as np

from genbab.reader.lower.layers.softmax import softmax_of_rows
from genbab.reader.lower.numbers.reductions import reduce_sum
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import divide, multiply, scale
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.exact import ball, summed
from genbab.reader.tensors.values import Array, Masked, Op, Refused, Value, Var, constant, given, needed


@lowering("NegativeLogLikelihoodLoss", how="affine")
def _likelihood(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return _loss(b, op, b.variable(needed(inputs, 0)), inputs)


@lowering("SoftmaxCrossEntropyLoss", how="log softmax, then affine")
def _cross_entropy(b: Builder, op: Op, inputs: list[Value | None]) -> list[Value]:
    """The loss, and the log softmax along axis 1 that it is taken of."""
    x = b.variable(needed(inputs, 0))
    rows = np.moveaxis(np.arange(x.size).reshape(x.shape), 1, -1).reshape(-1, x.shape[1])
    made = softmax_of_rows(b, x, rows, np.zeros(x.shape, dtype=bool), log=True)
    assert not isinstance(made, Masked)
    return [_loss(b, op, b.variable(made), inputs), made]


def _loss(b: Builder, op: Op, x: Var, inputs: list[Value | None]) -> Value:
    """-weight[class] · x[class] of every place, or their sum, or that over the sum of the weights."""
    classes = constant(needed(inputs, 1), "its classes")
    assert classes is not None
    classes = classes.astype(np.int64)
    counted = classes != op.attributes.get("ignore_index", np.iinfo(np.int64).min)
    if ((classes[counted] < 0) | (classes[counted] >= x.shape[1])).any():
        raise ValueError(f"classes beyond the {x.shape[1]} that there are")
    entry = np.moveaxis(np.arange(x.size).reshape(x.shape), 1, -1)
    at = np.take_along_axis(entry, np.where(counted, classes, 0)[..., None], -1)[..., 0]
    likelihood = b.gather(x, np.where(counted, at, -1))
    weights = _weights(b, given(inputs, 2), classes, counted)
    each = multiply(b, scale(b, likelihood, -1.0), weights)
    reduction = op.text("reduction", "mean")
    if reduction == "none":
        return each
    if reduction not in ("mean", "sum"):
        raise Refused(f"the reduction '{reduction}'")
    total = _total(b, each)
    return total if reduction == "sum" else divide(b, total, _total(b, weights))


def _weights(b: Builder, weight: Value | None, classes: Array, counted: Array) -> Value:
    if weight is None:
        return counted.astype(np.float64)
    return b.gather(weight, np.where(counted, classes, -1))


def _total(b: Builder, x: Value) -> Value:
    """The sum of all entries, without axes."""
    axes = list(range(len(x.shape)))
    if isinstance(x, Var):
        return reduce_sum(b, x, axes, keep=False)
    return b.number(summed(ball(x), tuple(axes)))
