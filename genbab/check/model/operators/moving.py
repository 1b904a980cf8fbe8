"""Operators that put entries in other places, and those that compute with integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from genbab.check.intervals import Indices, Pair
from genbab.check.model.operators.node import Node, Rule
from genbab.check.model.program import MOST_ENTRIES, Fixed, Move, Numbers, Tensor, Wire, moved, real

DTYPES = {**dict.fromkeys((1, 10, 11, 16), np.float64), 6: np.int64, 7: np.int64, 9: np.bool_}
LARGEST = 2**62
WORD = 2**31
COUNTED = ("Add", "Sub", "Mul", "Div", "Neg", "Range", "Max", "Min")


def _one(move: Callable[[Node, Sequence[int]], Move]) -> Rule:
    def rule(node: Node) -> Sequence[Tensor]:
        x = node.tensor()
        return [moved(node.program, x, move(node, x.shape))]

    return rule


def _bounded(node: Node, shape: Sequence[int]) -> list[int]:
    size = 1
    for n in shape:
        size *= max(int(n), 1)
    if size > MOST_ENTRIES or min(shape, default=0) < 0:
        raise node.fail(f"the shape {list(shape)[:8]}")
    return [int(n) for n in shape]


def _reshape(node: Node, shape: Sequence[int]) -> Move:
    asked = node.integers(1, "shape") or []
    if not node.get("allowzero", 0):
        asked = [shape[i] if n == 0 and i < len(shape) else n for i, n in enumerate(asked)]
    return lambda a: a.reshape(asked)


def _transpose(node: Node, shape: Sequence[int]) -> Move:
    order = node.get("perm", None)
    return lambda a: a.transpose(order)


def _slice(node: Node, shape: Sequence[int]) -> Move:
    starts, ends = node.integers(1, "starts") or [], node.integers(2, "ends") or []
    axes = node.integers(3, "axes") or list(range(len(starts)))
    steps = node.integers(4, "steps") or [1] * len(starts)
    cut = [slice(None)] * len(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        n = shape[axis]
        if not step or (step < 0 and (start < -n or n < end)):
            raise node.fail("a step of 0, or one backwards from or to beyond the ends")
        stop: int | None = (
            max(-n - 1, min(end, n)) if abs(end) < LARGEST else (None if end * step > 0 else end)
        )
        if step < 0 and (stop is None or stop < -n):
            stop = None
        cut[axis] = slice(max(-n - 1, min(start, n)), stop, step)
    return lambda a: a[tuple(cut)]


def _gather(node: Node, shape: Sequence[int]) -> Move:
    index, axis = node.fixed(1).low, node.axis(len(shape), 0)
    if index.dtype != np.int64 or not ((index >= -shape[axis]) & (index < shape[axis])).all():
        raise node.fail("indices out of range")
    return lambda a: np.take(a, index, axis)


def _dropout(node: Node, shape: Sequence[int]) -> Move:
    if node.optional(2) is not None and node.fixed(2).low.any():
        raise node.fail("training mode")
    return lambda a: a


def _squeeze(node: Node, shape: Sequence[int]) -> Move:
    axes = node.integers(1, "axes")
    if axes is not None and not axes:
        raise node.fail("no axes where some are given")
    return lambda a: np.squeeze(a, None if axes is None else tuple(axes))


def _unsqueeze(node: Node, shape: Sequence[int]) -> Move:
    axes = tuple(node.integers(1, "axes") or ())
    return lambda a: np.expand_dims(a, axes)


def _flatten(node: Node, shape: Sequence[int]) -> Move:
    axis = int(node.get("axis", 1))
    before = int(np.prod(shape[: axis + len(shape) if axis < 0 else axis]))
    return lambda a: a.reshape(before, -1)


def _expand(node: Node, shape: Sequence[int]) -> Move:
    wide = np.broadcast_shapes(tuple(shape), tuple(_bounded(node, node.integers(1, "shape") or [])))
    _bounded(node, wide)
    return lambda a: np.broadcast_to(a, wide)


def _tile(node: Node, shape: Sequence[int]) -> Move:
    repeats = node.integers(1, "repeats") or []
    _bounded(node, [n * r for n, r in zip(shape, repeats, strict=True)])
    return lambda a: np.tile(a, repeats)


def _pad(node: Node) -> Sequence[Tensor]:
    x, pads = node.tensor(), node.integers(1, "pads") or []
    if node.get("mode", b"constant") != b"constant" or node.number(2, "value", 0.0) != 0:
        raise node.fail("pads other than constant 0")
    axes = node.integers(3, "axes") or list(range(len(x.shape)))
    half = len(pads) // 2
    pairs = [(0, 0)] * len(x.shape)
    for i, axis in enumerate(axes):
        pairs[axis] = pads[i], pads[i + half]
    if min(pads, default=0) < 0:
        raise node.fail("negative pads")
    _bounded(node, [n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True)])
    fill = -1 if isinstance(x, Wire) else 0
    return [moved(node.program, x, lambda a: np.pad(a, pairs, constant_values=fill))]


def _split(node: Node) -> Sequence[Tensor]:
    x = node.tensor()
    axis = node.axis(len(x.shape), 0)
    sizes = node.integers(1, "split")
    if sizes is None:
        most = -(-x.shape[axis] // node.outputs)
        sizes = [min(most, x.shape[axis] - i * most) for i in range(node.outputs)]
    if sum(sizes) != x.shape[axis] or min(sizes) < 0:
        raise node.fail(f"parts {sizes} of {x.shape[axis]}")
    stops = np.cumsum(sizes)

    def part(i: int) -> Move:
        return lambda a: np.take(a, np.arange(stops[i] - sizes[i], stops[i]), axis)

    return [moved(node.program, x, part(i)) for i in range(len(sizes))]


def _concat(node: Node) -> Sequence[Tensor]:
    parts = [node.tensor(i) for i in range(len(node.inputs))]
    axis = node.axis(len(parts[0].shape), 0)
    if not any(isinstance(x, Wire) for x in parts):
        fixed = [x for x in parts if isinstance(x, Fixed)]
        lows = np.concatenate([x.low for x in fixed], axis)
        return [Fixed(lows, np.concatenate([x.high for x in fixed], axis))]
    places = np.concatenate([np.full(x.shape, i) for i, x in enumerate(parts)], axis)
    wires: list[tuple[Wire, Indices]] = []
    low, high = np.zeros(places.size), np.zeros(places.size)
    for i, x in enumerate(parts):
        mine = places.ravel() == i
        if isinstance(x, Wire):
            index = np.full(places.size, -1)
            index[mine] = np.arange(int(mine.sum()))
            wires.append((x, index))
        else:
            rest: Pair = real(x)
            low[mine], high[mine] = rest[0].ravel(), rest[1].ravel()
    return [node.program.join(wires, places.shape, (low, high))]


SHORTER = {1: np.float32, 10: np.float16}
DOUBLE = 11


def _cast(node: Node) -> Sequence[Tensor]:
    x, to = node.tensor(), DTYPES.get(int(node.get("to", 0)))
    if isinstance(x, Wire):
        if to is not np.float64 or node.get("to", 0) in (10, 16):
            raise node.fail("a cast that loses digits")
        return [x]
    if to is None or (to is not np.float64 and not (x.low == x.high).all()):
        raise node.fail(f"a cast to type {node.get('to', 0)}")
    if to is np.int64 and x.low.size and not (np.abs(x.low.astype(np.float64)) < WORD).all():
        raise node.fail("integers of more than 32 bits")
    low = np.trunc(x.low).astype(to) if to is np.int64 else x.low.astype(to)
    if to is np.float64 and node.get("to", 0) != DOUBLE:
        if node.get("to", 0) not in SHORTER or not (x.low == x.high).all():
            raise node.fail("a cast that loses digits")
        with np.errstate(over="ignore"):
            low = x.low.astype(SHORTER[node.get("to", 0)]).astype(np.float64)
        if (np.isinf(low) & np.isfinite(x.low)).any():
            raise node.fail("a cast beyond the largest number")
    return [Fixed(low, low if x.high is x.low or to is not np.float64 else np.maximum(low, x.high))]


def _exact(function: Callable[..., Any]) -> Rule:
    """Computed by numpy on exact integers and booleans."""

    def rule(node: Node) -> Sequence[Tensor]:
        fixed = [node.fixed(i) for i in range(len(node.inputs))]
        if any(x.is_float and not (x.low == x.high).all() for x in fixed):
            raise node.fail("numbers that are not exact")
        result: Numbers = np.asarray(function(*(x.low for x in fixed)))
        arrays = [x.low for x in fixed] if node.op in COUNTED else []
        if any(a.dtype.kind == "i" and a.size and np.abs(a).max() >= WORD for a in (*arrays, result)):
            raise node.fail("integers of more than 32 bits")
        return [Fixed(result, result)]

    return rule


def _shape(node: Node) -> Sequence[Tensor]:
    shape = np.asarray(node.tensor().shape, dtype=np.int64)[node.get("start", 0) : node.get("end", None)]
    return [Fixed(shape, shape)]


def _constant_of_shape(node: Node) -> Sequence[Tensor]:
    value = node.get("value", None)
    one = value.reshape(()) if value is not None else np.zeros((), dtype=np.float64)
    made: Numbers = np.full(_bounded(node, node.integers(0, "shape") or []), one)
    if made.dtype.kind == "u" and made.size and int(made.max()) >= LARGEST:
        raise node.fail("integers of more than 62 bits")
    if made.dtype.kind == "f" and not np.isfinite(made).all():
        raise node.fail("a constant that is not finite")
    if made.dtype.kind != "b":
        made = made.astype(np.float64 if made.dtype.kind == "f" else np.int64)
    return [Fixed(made, made)]


def _range(start: Numbers, limit: Numbers, step: Numbers) -> Numbers:
    if not step.item() or abs((float(limit) - float(start)) / float(step)) >= MOST_ENTRIES:
        raise ValueError("a range without an end, or too long")
    return np.arange(start.item(), limit.item(), step.item())


def _division(a: Numbers, b: Numbers) -> Numbers:
    if not b.all():
        raise ValueError("a division by 0")
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


def _every(function: Callable[[Numbers, Numbers], Numbers]) -> Callable[..., Numbers]:
    return lambda *arrays: reduce(function, arrays)


ONE: dict[str, Callable[[Node, Sequence[int]], Move]] = {"Identity": lambda node, shape: lambda a: a}
ONE |= {"Reshape": _reshape, "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze}
ONE |= {"Transpose": _transpose, "Slice": _slice, "Gather": _gather, "Expand": _expand, "Tile": _tile}
ONE |= {"Dropout": _dropout}
MOVES: dict[str, Rule] = {
    **{op: _one(move) for op, move in ONE.items()},
    **{"Pad": _pad, "Split": _split, "Concat": _concat, "Cast": _cast, "Shape": _shape},
    "ConstantOfShape": _constant_of_shape,
}
NUMPY: dict[str, Callable[..., Numbers]] = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}
NUMPY |= {"Neg": np.negative, "Where": np.where, "Equal": np.equal, "Less": np.less, "Greater": np.greater}
NUMPY |= {"LessOrEqual": np.less_equal, "GreaterOrEqual": np.greater_equal, "Xor": np.logical_xor}
NUMPY |= {"Not": np.logical_not, "And": np.logical_and, "Or": np.logical_or}
INTEGERS: dict[str, Rule] = {
    **{op: _exact(function) for op, function in NUMPY.items()},
    **{"Div": _exact(_division), "Range": _exact(_range)},
    **{"Max": _exact(_every(np.maximum)), "Min": _exact(_every(np.minimum))},
}
