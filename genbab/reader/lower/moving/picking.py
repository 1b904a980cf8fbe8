"""`Gather`, `GatherElements` and `GatherND` by numbers that depend on the input: a staircase of differences.

An entry at a place p among c_0 .. c_n is c_0 + Σ_k [p >= k] · (c_k - c_(k-1)); where p is the number of a
winner, whose truth values are known, it is Σ_k [k wins] · c_k.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genbab.reader.lower.numbers.comparison import equal
from genbab.reader.lower.numbers.reductions import reduce_sum
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import add, apply, combine, maximum, minimum, multiply, scale
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.functions import function
from genbab.reader.tensors.spans import entries
from genbab.reader.tensors.values import Array, Op, Refused, Value, Var, count, needed, positive_axis

PAIRS = 1 << 21
"""The most pairs of an output and an entry that it may be."""

HOW = "affine: numbers are moved; at places that depend on the input by steps per place"


@lowering("Gather", how=HOW)
def _gather(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, index = needed(inputs, 0), _places(inputs)
    axis = positive_axis(op.integer("axis", 0), len(x.shape))
    entry = np.moveaxis(np.arange(count(x.shape)).reshape(x.shape), axis, -1)
    rows = entry.reshape(-1, x.shape[axis])  # (whatever else, along the axis)
    which = np.repeat(np.arange(index.size), len(rows))
    made = picked(b, x, (index, which), np.tile(rows, (index.size, 1)))
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    grid = np.arange(count(made.shape)).reshape(*index.shape, *before, *after)
    order = (*range(len(index.shape), len(index.shape) + axis), *range(len(index.shape)))
    order += tuple(range(len(index.shape) + axis, grid.ndim))
    return b.gather(made, grid.transpose(order))


@lowering("GatherElements", how=HOW)
def _gather_elements(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, index = needed(inputs, 0), _places(inputs)
    axis = positive_axis(op.integer("axis", 0), len(x.shape))
    return _shaped(
        picked(b, x, (index, np.arange(index.size)), along(x.shape, index.shape, axis)), index.shape
    )


@lowering("GatherND", how=HOW)
def _gather_nd(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """The places of several axes are one number each, first of all of them together."""
    x, index, batch = needed(inputs, 0), _places(inputs), op.integer("batch_dims", 0)
    depth = index.shape[-1]
    heads, tail = x.shape[batch : batch + depth], x.shape[batch + depth :]
    parts = [b.gather(index, np.arange(index.size).reshape(-1, depth)[:, k]) for k in range(depth)]
    at = b.variable(parts[0])
    for k, part in enumerate(parts[1:], start=1):
        first, then = _counted(b, at, count(heads[:k])), _counted(b, b.variable(part), heads[k])
        made = b.variable(combine(b, [(first, float(heads[k])), (then, 1.0)]))
        b.integral.add(made.node)
        at = replace(made, element=index.element)
    lead = np.arange(count(x.shape)).reshape(count(x.shape[:batch]), count(heads), count(tail))
    each = index.size // depth // len(lead)
    rows = np.repeat(np.moveaxis(lead, 1, 2), each, axis=0).reshape(-1, count(heads))
    which = np.repeat(np.arange(index.size // depth), count(tail))
    return _shaped(picked(b, x, (at, which), rows), (*index.shape[:-1], *tail))


def _places(inputs: list[Value | None]) -> Var:
    index = needed(inputs, 1)
    if not isinstance(index, Var):
        raise Refused("constant places")
    return index


def _shaped(x: Value, shape: tuple[int, ...]) -> Value:
    return x.reshaped(shape) if isinstance(x, Var) else x.reshape(shape)


def along(shape: tuple[int, ...], index: tuple[int, ...], axis: int) -> Array:
    """(index entries, length of the axis): the entries of a tensor that an index along the axis may mean."""
    places = np.arange(count(shape)).reshape(shape)
    cut = tuple(slice(None) if i == axis else slice(n) for i, n in enumerate(index))
    rows = np.moveaxis(places[cut], axis, -1)
    return np.broadcast_to(np.expand_dims(rows, axis), (*index, shape[axis])).reshape(-1, shape[axis])


def _counted(b: Builder, index: Var, length: int) -> Var:
    """The places counted from the front, which must lie in the axis: elsewhere there is no value."""
    low, high = (end.numpy() for end in entries(b, index))
    if (low < -length).any() or (high > length - 1).any():
        kept = b.nonlinear(function("within", -length - 0.5, length - 0.5), index)
        index = replace(index, node=kept.node)
        b.integral.add(kept.node)
    if (low >= 0).all() or index.node in b.winners:
        return index
    negative = apply(b, "step", combine(b, [(index, -1.0), (np.array(-0.5), 1.0)]))
    made = b.variable(combine(b, [(index, 1.0), (negative, float(length))]))
    b.integral.add(made.node)
    b.known[made.node] = 0.0, length - 1.0
    return replace(made, element=index.element)


def place_hits(b: Builder, index: Var, length: int) -> Value:
    """(index entries, length): 1 where it is the place, counted from the end where it is negative, else 0."""
    won = hits(b, index, length)
    if won is not None:
        return won
    if not index.whole:
        raise Refused("places that are no whole numbers")
    at = _counted(b, index, length)
    return equal(b, at.reshaped((at.size, 1)), np.arange(length))


def hits(b: Builder, index: Var, length: int) -> Value | None:
    """(index entries, length): 1 where it is the place, else 0, if the places are those of winners.

    None also where there are more of these than places: some mean nothing.
    """
    if index.node not in b.winners or b.winners[index.node].shape[-1] > length:
        return None
    won = b.winners[index.node]
    choices = won.shape[-1]
    number = np.arange(won.size).reshape(-1, choices)
    wide = np.full((len(number), length), -1)
    wide[:, :choices] = number
    return b.gather(won, wide)


def picked(b: Builder, x: Value, places: tuple[Var, Array], rows: Array) -> Value:
    """(outputs,): the entry rows[o, p] of x, where p is the place number which[o] of the index."""
    index, which = places
    length = rows.shape[1]
    if rows.size > PAIRS:
        raise Refused(f"more than {PAIRS} pairs of an output and an entry that it may be")
    won = hits(b, index, length)
    if won is not None:
        number = which[:, None] * length + np.arange(length)
        return _within(b, _weighted(b, b.gather(won, number), b.gather(x, rows)), x, rows)
    if not index.whole:
        raise Refused("places that are no whole numbers")
    at = _counted(b, index, length)
    low, high = (end.numpy() for end in entries(b, at))
    first, last = int(max(low.min(), 0)), int(min(high.max(), length - 1))
    begin = b.gather(x, rows[:, first])
    if last == first:  # which has no value either where the place is not in the axis
        return add(b, begin, b.gather(scale(b, at, 0.0), which)) if at.node in b.partial else begin
    limits = np.arange(first + 1, last + 1)
    flat = at.reshaped((at.size, 1))
    above = apply(b, "step", combine(b, [(flat, 1.0), (0.5 - limits, 1.0)]))
    number = which[:, None] * len(limits) + np.arange(len(limits))
    later, earlier = b.gather(x, rows[:, first + 1 : last + 1]), b.gather(x, rows[:, first:last])
    change = _weighted(b, b.gather(above, number), combine(b, [(later, 1.0), (earlier, -1.0)]))
    return _within(b, add(b, begin, change), x, rows[:, first : last + 1])


def _weighted(b: Builder, truths: Value, numbers: Value) -> Value:
    """Σ_k truth · number of each row."""
    return reduce_sum(b, b.variable(multiply(b, truths, numbers)), [1], keep=False)


def _within(b: Builder, made: Value, x: Value, rows: Array) -> Value:
    """The entries, known to lie between the least and the largest that they may be, if those are constant."""
    if isinstance(x, Var) or rows.shape[1] < 3 or x.dtype.kind not in "fiu":
        return made
    numbers = x.reshape(-1).astype(np.float64)[rows]
    low, high = numbers.min(1), numbers.max(1)
    if not np.isfinite(numbers).all() or np.abs(numbers).max(initial=0.0) >= 2.0**52:
        return made
    return minimum(b, maximum(b, made, low), high)
