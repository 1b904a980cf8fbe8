"""`Einsum`, as matrix products between permutations, two tensors at a time."""

from __future__ import annotations

from string import ascii_letters

import numpy as np

from genbab.reader.lower.algebra.linear import matmul
from genbab.reader.lower.numbers.reductions import reduce_sum
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.exact import ball, summed
from genbab.reader.tensors.values import Op, Value, Var, count, needed


@lowering("Einsum", how="affine; products of variable tensors: multiply, sum")
def _einsum(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    values = [needed(inputs, i) for i in range(len(inputs))]
    terms, out = _labels(op.text("equation", ""), [len(v.shape) for v in values])
    parts = [_diagonal(b, value, labels) for value, labels in zip(values, terms, strict=True)]
    while len(parts) > 1:
        later = "".join(labels for _, labels in parts[2:]) + out
        parts = [_pair(b, parts[0], parts[1], later), *parts[2:]]
    value, labels = _summed(b, *parts[0], out)
    return _ordered(b, value, labels, out)


def _labels(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """(labels of each input, labels of the output), an ellipsis written out in letters of its own."""
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"the equation '{equation}' for {len(ranks)} tensors")
    free = [c for c in ascii_letters if c not in equation]
    spare = [
        rank - len(t.replace("...", "")) if "..." in t else 0 for t, rank in zip(terms, ranks, strict=True)
    ]
    most = max(spare)
    if min(spare) < 0 or most > len(free):
        raise ValueError(f"the equation '{equation}' for tensors of ranks {ranks}")
    letters = "".join(free[:most])
    if not arrow:
        single = sorted(c for c in set(left) - set(",.") if left.count(c) == 1)
        out = ("..." if most else "") + "".join(single)
    spelled = [t.replace("...", letters[most - n :]) for t, n in zip(terms, spare, strict=True)]
    for labels, rank in zip(spelled, ranks, strict=True):
        if len(labels) != rank:
            raise ValueError(f"labels '{labels}' for a tensor of rank {rank}")
    return spelled, out.replace("...", letters)


def _diagonal(b: Builder, x: Value, labels: str) -> tuple[Value, str]:
    """(the entries where axes of one label have one coordinate, its labels, each once)."""
    once = "".join(dict.fromkeys(labels))
    if once == labels:
        return x, labels
    numbers = [once.index(c) for c in labels]
    places = np.einsum(np.arange(count(x.shape)).reshape(x.shape), numbers, list(range(len(once))))
    return b.gather(x, places), once


def _summed(b: Builder, x: Value, labels: str, keep: str) -> tuple[Value, str]:
    """(x summed over the axes whose labels are not kept, the labels that are left)."""
    axes = [i for i, c in enumerate(labels) if c not in keep]
    left = "".join(c for c in labels if c in keep)
    if not axes:
        return x, left
    made = (
        reduce_sum(b, x, axes, keep=False) if isinstance(x, Var) else b.number(summed(ball(x), tuple(axes)))
    )
    return made, left


def _ordered(b: Builder, x: Value, labels: str, wanted: str) -> Value:
    """x with its axes in the order of these labels."""
    return b.gather(
        x, np.arange(count(x.shape)).reshape(x.shape).transpose([labels.index(c) for c in wanted])
    )


def _pair(b: Builder, one: tuple[Value, str], two: tuple[Value, str], later: str) -> tuple[Value, str]:
    """The product of two tensors, summed over the labels that nothing later has."""
    x, on_x = _summed(b, *one, two[1] + later)
    y, on_y = _summed(b, *two, on_x + later)
    x, y = _broadcast(b, (x, on_x), (y, on_y)), _broadcast(b, (y, on_y), (x, on_x))
    sizes = dict(zip(on_x + on_y, (*x.shape, *y.shape), strict=True))
    batch = "".join(c for c in on_x if c in on_y and c in later)
    inner = "".join(c for c in on_x if c in on_y and c not in later)
    rows = "".join(c for c in on_x if c not in on_y)
    columns = "".join(c for c in on_y if c not in on_x)

    def matrix(value: Value, own: str, groups: tuple[str, str, str]) -> Value:
        ordered = _ordered(b, value, own, "".join(groups))
        shape = tuple(count([sizes[c] for c in group]) for group in groups)
        return ordered.reshaped(shape) if isinstance(ordered, Var) else ordered.reshape(shape)

    made = matmul(b, matrix(x, on_x, (batch, rows, inner)), matrix(y, on_y, (batch, inner, columns)))
    full = batch + rows + columns
    shape = tuple(sizes[c] for c in full)
    return (made.reshaped(shape) if isinstance(made, Var) else made.reshape(shape)), full


def _broadcast(b: Builder, one: tuple[Value, str], two: tuple[Value, str]) -> Value:
    """The first tensor with axes of size 1 (under an ellipsis) repeated to the size in the second."""
    (x, on_x), (y, on_y) = one, two
    other = dict(zip(on_y, y.shape, strict=True))
    return b.expand(x, tuple(other.get(c, n) if n == 1 else n for c, n in zip(on_x, x.shape, strict=True)))
