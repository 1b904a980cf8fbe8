"""`Einsum` of one or two tensors, as one matrix product between permutations."""

from __future__ import annotations

import numpy as np

from genbab.reader.builder import Builder
from genbab.reader.lower.linear import matmul
from genbab.reader.lower.reductions import reduce_sum
from genbab.reader.lower.table import lowering
from genbab.reader.values import Op, Refused, Value, Var, count, needed


@lowering("Einsum")
def _einsum(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    left, out = _labels(op, len(inputs))
    values = [needed(inputs, i) for i in range(len(inputs))]
    for value, labels in zip(values, left, strict=True):
        if len(labels) != len(value.shape):
            raise ValueError(f"labels '{labels}' for a tensor of shape {tuple(value.shape)}")
    others = [*left[1:], left[0]] if len(left) > 1 else [""]
    kept = [
        "".join(c for c in own if c in out or c in other) for own, other in zip(left, others, strict=True)
    ]
    values = [_summed(b, v, own, keep) for v, own, keep in zip(values, left, kept, strict=True)]
    if len(values) == 1:
        return _ordered(b, values[0], kept[0], out)
    return _product(b, (values[0], values[1]), (kept[0], kept[1]), out)


def _labels(op: Op, number: int) -> tuple[list[str], str]:
    """(labels of each input, labels of the output)."""
    equation = op.text("equation", "").replace(" ", "")
    left, arrow, out = equation.partition("->")
    terms = left.split(",")
    if not arrow:
        out = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    if "." in equation or number > 2 or any(len(set(t)) != len(t) for t in terms):
        raise Refused(f"the equation '{equation}' (an ellipsis, a diagonal, or more than two tensors)")
    return terms, out


def _summed(b: Builder, x: Value, labels: str, keep: str) -> Value:
    """x summed over the axes whose labels are not kept."""
    axes = [i for i, c in enumerate(labels) if c not in keep]
    if not axes:
        return x
    return reduce_sum(b, x, axes, keep=False) if isinstance(x, Var) else x.sum(axis=tuple(axes))


def _ordered(b: Builder, x: Value, labels: str, wanted: str) -> Value:
    """x with its axes in the order of these labels."""
    return b.gather(
        x, np.arange(count(x.shape)).reshape(x.shape).transpose([labels.index(c) for c in wanted])
    )


def _product(b: Builder, values: tuple[Value, Value], labels: tuple[str, str], out: str) -> Value:
    """(batch, I, K) times (batch, K, J)."""
    (x, y), (on_x, on_y) = values, labels
    sizes = dict(zip(on_x + on_y, (*x.shape, *y.shape), strict=True))
    batch = "".join(c for c in on_x if c in on_y and c in out)
    inner = "".join(c for c in on_x if c in on_y and c not in out)
    rows = "".join(c for c in on_x if c not in on_y)
    columns = "".join(c for c in on_y if c not in on_x)

    def matrix(value: Value, own: str, groups: tuple[str, str, str]) -> Value:
        ordered = _ordered(b, value, own, "".join(groups))
        shape = tuple(count([sizes[c] for c in group]) for group in groups)
        return ordered.reshaped(shape) if isinstance(ordered, Var) else ordered.reshape(shape)

    made = matmul(b, matrix(x, on_x, (batch, rows, inner)), matrix(y, on_y, (batch, inner, columns)))
    full = batch + rows + columns
    shape = tuple(sizes[c] for c in full)
    return _ordered(b, made.reshaped(shape) if isinstance(made, Var) else made.reshape(shape), full, out)
