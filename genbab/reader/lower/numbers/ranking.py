"""`TopK`: the largest or least of each row in order, by a network of exchanges; their places, by counting.

Values: Batcher's odd-even merge sort (Knuth, The Art of Computer Programming, volume 3, 5.2.2, algorithm M),
of whose exchanges only those are kept that the first k depend on; max(a, b) = a + relu(b - a) and
min(a, b) = b - relu(b - a). Places: entry i comes after as many others as are larger, or equal and earlier.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genbab.reader.lower.numbers.argmax import PAIRS_LIMIT
from genbab.reader.lower.numbers.reductions import reduce_sum
from genbab.reader.lower.table import lowering
from genbab.reader.tensors import elements
from genbab.reader.tensors.arithmetic import (
    add,
    apply,
    clip,
    combine,
    difference,
    scale,
    subtract,
    sum_groups,
)
from genbab.reader.tensors.arrange import arrange
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import (
    Array,
    Op,
    Refused,
    Value,
    Var,
    known_integers,
    needed,
    positive_axis,
)

Exchange = tuple[int, int]


@lowering(
    "TopK",
    how="values: exchanges a + relu(b - a), b - relu(b - a); places: steps of the differences of all pairs",
)
def _top_k(b: Builder, op: Op, inputs: list[Value | None]) -> list[Value]:
    """Values and places along the axis; in the order of size, whether that is asked for or not."""
    x = needed(inputs, 0)
    if not isinstance(x, Var):
        raise Refused("an order of constants")
    axis = positive_axis(op.integer("axis", -1), len(x.shape))
    many = known_integers(needed(inputs, 1), "its k")[0] if op.opset >= 10 else op.integer("k", 1)
    if not 0 < many <= x.shape[axis]:
        raise ValueError(f"the first {many} of {x.shape[axis]}")
    if not op.integer("sorted", 1) and many > 1:
        raise Refused("sorted=0: in which order the entries come is left open")
    rows = np.moveaxis(np.arange(x.size).reshape(x.shape), axis, -1)
    lead = rows.shape[:-1]
    flat, least = rows.reshape(-1, x.shape[axis]), not op.integer("largest", 1)
    back = np.moveaxis(np.arange(len(flat) * many).reshape(*lead, many), -1, axis)
    values = b.gather(_sorted(b, x, flat, many, least), back)
    wanted = len(op.node.output) > 1 and bool(op.node.output[1])
    return [values, _places(b, x, flat, (many, least), (back, axis))] if wanted else [values]


def exchanges(length: int, many: int) -> list[Exchange]:
    """Pairs (i, j), i < j, that are exchanged in turn to have the largest first, as far as `many` need."""
    found: list[Exchange] = []
    p = 1
    while p < length:
        k = p
        while k >= 1:
            for j in range(k % p, length - k, 2 * k):
                for i in range(j, min(j + k, length - k)):
                    if i // (2 * p) == (i + k) // (2 * p):
                        found.append((i, i + k))
            k //= 2
        p *= 2
    live, kept = set(range(many)), []
    for pair in reversed(found):
        if live.intersection(pair):
            live.update(pair)
            kept.append(pair)
    return kept[::-1]


def _layers(pairs: list[Exchange]) -> list[list[Exchange]]:
    """The same pairs, those together that meet different entries."""
    ready: dict[int, int] = {}
    made: list[list[Exchange]] = []
    for i, j in pairs:
        turn = max(ready.get(i, 0), ready.get(j, 0))
        ready[i] = ready[j] = turn + 1
        if turn == len(made):
            made.append([])
        made[turn].append((i, j))
    return made


def _sorted(b: Builder, x: Var, rows: Array, many: int, least: bool) -> Value:
    """(rows, many): the largest entries of each row, or the least ones, in order."""
    number, length = rows.shape
    value: Value = b.gather(x, rows)
    for layer in _layers(exchanges(length, many)):
        first, second = (np.array(ends) for ends in zip(*layer, strict=True))
        grid = np.arange(rows.size).reshape(number, length)
        a, c = b.gather(value, grid[:, first]), b.gather(value, grid[:, second])
        gain = apply(b, "relu", subtract(b, a, c) if least else subtract(b, c, a))
        ends = subtract(b, a, gain) if least else add(b, a, gain)
        other = add(b, c, gain) if least else subtract(b, c, gain)

        def placed(parts: list[Array], first: Array = first, second: Array = second) -> list[Array]:
            out = np.array(parts[0])
            out[:, first], out[:, second] = parts[1], parts[2]
            return [out]

        made = arrange(b, [value, ends, other], placed)[0]
        assert isinstance(made, Var | np.ndarray)
        value = made
    return b.gather(value, np.arange(rows.size).reshape(number, length)[:, :many])


def _places(b: Builder, x: Var, rows: Array, asked: tuple[int, bool], order: tuple[Array, int]) -> Value:
    """The places of the first of each row, whose truth values are kept."""
    (many, least), (number, length), (back, axis) = asked, rows.shape, order
    if number * length * (length - 1) // 2 + number * length * many > PAIRS_LIMIT:
        raise Refused(f"more than {PAIRS_LIMIT} comparisons")
    behind = _behind(b, x, rows, least)
    grid = np.arange(rows.size).reshape(number, 1, length)
    spread = b.gather(behind, np.broadcast_to(grid, (number, many, length)))
    turn = np.arange(many).reshape(-1, 1)
    sides = [apply(b, "step", combine(b, [(spread, s), (0.5 - s * turn, 1.0)])) for s in (1.0, -1.0)]
    hit = b.variable(combine(b, [(sides[0], 1.0), (sides[1], 1.0), (np.array(-1.0), 1.0)]))
    b.truths.add(hit.node)
    weighted = b.variable(scale(b, hit, np.arange(length, dtype=np.float64)))
    found = b.gather(clip(b, reduce_sum(b, weighted, [2], keep=False), 0.0, length - 1.0), back)
    won = b.gather(hit, np.arange(hit.size).reshape(number * many, length)[back.reshape(-1)])
    made = b.variable(found)
    assert isinstance(won, Var)
    b.known[made.node] = 0.0, length - 1.0
    b.integral.add(made.node)
    b.winners[made.node] = won
    b.distinct[made.node] = axis
    return replace(made, element=elements.INT64)


def _behind(b: Builder, x: Var, rows: Array, least: bool) -> Value:
    """(rows, K): how many entries of its row each comes after."""
    number, length = rows.shape
    if length == 1:
        return np.zeros(rows.shape)
    first, second = np.triu_indices(length, 1)
    a, c = rows[:, first], rows[:, second]
    ahead = b.variable(apply(b, "step", difference(b, x, c, a) if least else difference(b, x, a, c)))
    owner = np.arange(number)[:, None] * length
    losses = sum_groups(b, ahead, owner + second, rows.shape)
    gains = sum_groups(b, ahead, owner + first, rows.shape)
    later = np.broadcast_to(length - 1.0 - np.arange(length), rows.shape)
    made = b.variable(combine(b, [(losses, 1.0), (gains, -1.0), (later, 1.0)]))
    b.integral.add(made.node)
    b.known[made.node] = 0.0, length - 1.0
    return made
