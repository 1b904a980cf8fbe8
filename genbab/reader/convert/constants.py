"""Constants that nodes compute from constants, as real numbers.

Exact ones stay arrays, others know how far their numbers may be from the real ones. What a runtime makes of
a constant in the type of its tensor is kept beside it, for what must not depend on rounding: shapes,
indices, truth values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product as choices
from typing import Any

import numpy as np
import torch

from genbab.network.interval import propagate
from genbab.network.maps.roundings import LEAST, UNIT
from genbab.reader.convert.fold import fold, spread
from genbab.reader.lower import LOWERINGS
from genbab.reader.tensors import elements
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.casts import ROUNDED
from genbab.reader.tensors.exact import ONE, ROOM, ZERO, Ball, added, ball, known, negative, over, root, times
from genbab.reader.tensors.values import Array, Inexact, Op, Refused, Var

Constant = Array | Inexact

SELECTING = frozenset(
    "Abs Neg Max Min Relu Clip Sign Floor Ceil Round ReduceMax ReduceMin TopK ConstantOfShape EyeLike Where "
    "Identity MaxPool GlobalMaxPool OneHot Trilu Constant IsNaN IsInf Hardmax Unique Compress BitCast "
    "Dropout MaxUnpool".split()
)
"""Operators whose results are among their inputs, or small integers: a float type holds them exactly."""

STAIRS = frozenset("Floor Ceil Round Sign".split())
"""Operators by entries that never fall, whose results are small integers."""

STEADY = frozenset("Abs Neg Max Min Relu Clip ReduceMax ReduceMin MaxPool GlobalMaxPool Identity".split())
"""Operators whose results move by no more than the numbers that they are made of."""

MONOTONE = frozenset("Greater GreaterOrEqual Less LessOrEqual Cast CastLike QuantizeLinear".split())
"""Operators by entries that rise or fall with each number: what they give at both ends they give between."""

SUMS = frozenset(
    "MatMul Gemm Conv ConvTranspose ReduceSum ReduceMean CumSum Einsum Mean Sum AveragePool".split()
)
"""Operators that are sums of products of numbers of their inputs, with weights up to 1."""

WINDOWS = {
    "HannWindow": (0.5, 0.5, 0.0),
    "HammingWindow": (25 / 46, 21 / 46, 0.0),
    "BlackmanWindow": (0.42, 0.5, 0.08),
}
"""Weights of 1, -cos(t) and cos(2t)."""


def folded(op: Op, inputs: Sequence[Constant | None]) -> list[Constant]:
    """The outputs of a node with constant inputs (None: left out).

    Raises `Refused` where the real numbers cannot be enclosed, or where an integer or a truth value depends
    on how the runtime rounds.
    """
    computed = fold(op, [a.computed if isinstance(a, Inexact) else a for a in inputs])
    if not any(fractional(made) for made in computed):
        return [*decided(op, inputs, computed)]
    if op.kind in ("Cast", "CastLike"):
        return [_cast(inputs[0], computed[0])]
    if not all(np.isfinite(made).all() for made in computed if fractional(made)):
        return [*computed]  # refused where they are added or multiplied
    sharp = not any(isinstance(a, Inexact) for a in inputs)
    if sharp and op.kind in SELECTING:
        return [*computed]
    balls = [enclosed(op, inputs)] if len(computed) == 1 else _by_lowering(op, inputs)
    return [
        _constant(value.reshape(made.shape), np.broadcast_to(error, value.shape).reshape(made.shape), made)
        for (value, error), made in zip(balls, computed, strict=False)
    ]


def moved(inputs: Sequence[Any], function: Callable[[list[Any]], list[Any]]) -> list[Constant]:
    """The outputs of a function that only moves the numbers of constants, some of them inexact."""
    parts = [
        function([getattr(a, name) if isinstance(a, Inexact) else other(a) for a in inputs])
        for name, other in (("value", _numbers), ("error", _zeros), ("computed", lambda a: a))
    ]
    return [_constant(value, error, computed) for value, error, computed in zip(*parts, strict=True)]


def fractional(a: Any) -> bool:
    """Whether a tensor has a type of fractions."""
    return isinstance(a, Inexact) or (isinstance(a, np.ndarray) and "float" in a.dtype.name)


def _numbers(a: Any) -> Any:
    return a.astype(np.float64) if fractional(a) else a


def _zeros(a: Any) -> Any:
    return np.zeros(a.shape) if fractional(a) else a


def _constant(value: Array, error: Array, computed: Array) -> Constant:
    """An array, where a runtime has the very numbers."""
    if not error.any() and np.array_equal(value, computed.astype(np.float64), equal_nan=True):
        return computed
    return Inexact(value, error, computed)


def decided(op: Op, inputs: Sequence[Constant | None], computed: list[Array]) -> list[Array]:
    """Results that are no fractions, which must be the same for all real numbers that the inputs may be."""
    loose = [i for i, a in enumerate(inputs) if isinstance(a, Inexact)]
    if not loose or op.kind in ("IsNaN", "IsInf"):
        return computed
    sure = op.kind in MONOTONE
    if op.kind in ("Equal", "NonZero") or (op.kind.startswith("Cast") and computed[0].dtype == np.bool_):
        sure = _distinct(inputs)
    for signs in choices((-1.0, 0.0, 1.0), repeat=len(loose)) if sure else ():
        tried: list[Any] = list(inputs)
        for i, sign in zip(loose, signs, strict=True):
            tried[i] = tried[i].value + sign * tried[i].error
        pairs = zip(fold(op, tried), computed, strict=True)
        sure = sure and all(np.array_equal(made, wanted) for made, wanted in pairs)
    if not sure:
        raise Refused("a constant that depends on how the runtime rounds the numbers it is made of")
    return computed


def _distinct(inputs: Sequence[Constant | None]) -> bool:
    """Whether it is sure of all entries of the first input whether they equal those of the second (or 0)."""
    a, e = ball(inputs[0]) if inputs[0] is not None else ZERO
    c, f = ball(inputs[1]) if len(inputs) > 1 and inputs[1] is not None and fractional(inputs[1]) else ZERO
    return bool(((np.abs(a - c) * (1 - 2.0**-50) > (e + f) * ROOM) | ((e == 0) & (f == 0))).all())


def _cast(a: Constant | None, computed: Array) -> Constant:
    """The number, rounded where the type is a shorter one: a cast of a known number is known."""
    if not isinstance(a, Inexact) or not np.isfinite(computed).all():
        return computed
    target, held = elements.of_dtype(computed.dtype), elements.of_dtype(a.computed.dtype)
    if elements.holds(target, held):
        return Inexact(a.value, a.error, computed)
    if target not in ROUNDED:
        raise Refused(f"a constant that is not known exactly, rounded to {computed.dtype.name}")
    unit, least, most = ROUNDED[target]
    size = np.abs(a.value) + a.error
    if (size > most).any():
        raise Refused(f"a constant that is not known exactly, and may be beyond {computed.dtype.name}")
    rounded = size * unit + least
    return Inexact(a.value, (a.error + rounded) * ROOM, computed)


def enclosed(op: Op, inputs: Sequence[Constant | None]) -> Ball:
    """The real numbers that a node with one output makes."""
    if op.kind in WINDOWS:
        return _window(op, inputs)
    if op.kind in STEADY:
        value = fold(op, [a.value if isinstance(a, Inexact) else _numbers(a) for a in inputs])[0]
        most = max(float(a.error.max(initial=0.0)) for a in inputs if isinstance(a, Inexact))
        return value, np.full(value.shape, most)
    balls = [None if a is None else ball(a) for a in inputs]
    if op.kind in STAIRS and balls[0] is not None:
        return _stairs(op, balls[0])
    if op.kind in ELEMENTWISE:
        return ELEMENTWISE[op.kind]([x for x in balls if x is not None])
    if op.kind in SPECIAL:
        return SPECIAL[op.kind](op, inputs)
    if op.kind in SUMS:
        return _sums(op, inputs, balls)
    return _by_lowering(op, inputs)[0]


ELEMENTWISE: dict[str, Callable[[list[Ball]], Ball]] = {
    "Add": lambda x: added(x[0], x[1]),
    "Sub": lambda x: added(x[0], negative(x[1])),
    "Mul": lambda x: times(x[0], x[1]),
    "Div": lambda x: over(x[0], x[1]),
    "Reciprocal": lambda x: over(ONE, x[0]),
    "Sqrt": lambda x: root(x[0]),
}
"""Arithmetic by entries, with its error."""


def _stairs(op: Op, x: Ball) -> Ball:
    """Between the results at both ends of what the numbers may be."""
    value, error = x
    far = np.where(error > 0, np.nextafter(error * ROOM + np.abs(value) * UNIT, np.inf), 0.0)
    low, high = (fold(op, [value + sign * far])[0] for sign in (-1.0, 1.0))
    return low / 2 + high / 2, (high - low) / 2


def _dequantised(op: Op, inputs: Sequence[Constant | None]) -> Ball:
    """(x - zero point) · scale."""
    x, step, *rest = inputs
    zero = rest[0] if rest else None
    assert isinstance(x, np.ndarray) and not isinstance(zero, Inexact)
    value, error = ball(np.zeros(()) if step is None else step)
    size = spread(op, value, x), spread(op, error, x)
    return times(added(ball(x), negative(ball(spread(op, zero, x)))), size)


def _grid(op: Op, inputs: Sequence[Constant | None]) -> Ball:
    """Sums of numbers of theta times coordinates, which are at most 1 and rounded twice."""
    theta, *rest = inputs
    value, error = known(theta, "its theta")
    made = fold(op, [value, *map(_exact, rest)])[0]
    most = float((np.abs(value) * (UNIT * 64) + error).sum(axis=-1).max(initial=0.0))
    return made, np.full(made.shape, most + LEAST)


def _steps(op: Op, inputs: Sequence[Constant | None]) -> Ball:
    """start + i · delta, as many as the runtime makes."""
    start, _, step = (known(a, "a number that says where it begins or ends") for a in inputs)
    count = fold(op, [a.computed if isinstance(a, Inexact) else a for a in inputs])[0].size
    number = np.arange(count, dtype=np.float64)
    return added(times((number, np.zeros(count)), step), start)


SPECIAL: dict[str, Callable[[Op, Sequence[Constant | None]], Ball]] = {
    "AffineGrid": _grid,
    "DequantizeLinear": _dequantised,
    "Range": _steps,
    "TfIdfVectorizer": lambda op, a: times(
        ball(fold(op, list(map(_exact, a)))[0]), (ONE[0], np.array(2.0**-22))
    ),
}


def _sums(op: Op, inputs: Sequence[Constant | None], balls: Sequence[Ball | None]) -> Ball:
    """Sums of products by the reference in float64, which loses no more than their length in roundings."""

    def folded_with(op: Op, number: Callable[[Ball], Array]) -> Array:
        pairs = zip(inputs, balls, strict=True)
        return fold(op, [number(x) if x is not None and fractional(a) else _exact(a) for a, x in pairs])[0]

    positive = _absolute(op)
    value = folded_with(op, lambda x: x[0])
    mass = folded_with(positive, lambda x: np.abs(x[0]))
    reach = folded_with(positive, lambda x: np.abs(x[0]) + x[1])
    terms = sum(int(x[0].size) for x in balls if x is not None) + 8
    lost = terms * LEAST * max(1.0, abs(op.number("alpha", 1.0)), abs(op.number("beta", 1.0)))
    return value, (reach - mass + terms * UNIT * (mass + reach) + lost) * (1 + terms * UNIT)


def _absolute(op: Op) -> Op:
    """The operator with positive factors."""
    node = type(op.node)()
    node.CopyFrom(op.node)
    for attribute in node.attribute:
        if attribute.name in ("alpha", "beta"):
            attribute.f = abs(attribute.f)
    return Op(node, op.opset)


def _window(op: Op, inputs: Sequence[Constant | None]) -> Ball:
    """A window of the size that the input gives, whose cosines float64 knows to 1e-13."""
    (a, b, c), size = WINDOWS[op.kind], int(np.asarray(inputs[0]).item())
    span = size if op.integer("periodic", 1) else max(size - 1, 1)
    t = np.arange(size) * (2 * np.pi / span)
    return a - b * np.cos(t) + c * np.cos(2 * t), np.full(size, 1e-13)


def _by_lowering(op: Op, inputs: Sequence[Constant | None]) -> list[Ball]:
    """By interval arithmetic on what the operator is lowered to.

    First with its first input as a variable, then with all that are fractions.
    """
    reason = "no rule for real numbers"
    for some in ((0,), tuple(range(len(inputs)))) if op.kind in LOWERINGS else ():
        b = Builder(0)
        try:
            given = [
                b.variable(a) if i in some and a is not None and fractional(a) else _exact(a)
                for i, a in enumerate(inputs)
            ]
            made = LOWERINGS[op.kind](b, op, given)
        except Refused as error:
            reason = str(error)
            continue
        outputs = made if isinstance(made, list) else [made]
        return [_range_of(b, y) if isinstance(y, Var) else ball(y) for y in outputs]
    raise Refused(f"a constant that is not known exactly ({reason})")


def _exact(a: Constant | None) -> Array | None:
    if isinstance(a, Inexact):
        raise Refused("a number that is not known exactly")
    return a


def _range_of(b: Builder, made: Var) -> Ball:
    """The interval of a node that depends on no input, as numbers and distances."""
    point = torch.zeros(1, 0, dtype=torch.float64)
    found = propagate(b.network(made.node), (point, point))[made.node]
    low, high = (end[0].numpy().reshape(made.shape) for end in found)
    if not (np.isfinite(low) & np.isfinite(high)).all():
        raise Refused("a constant that is not a finite number, or may be none")
    middle = np.where(low == high, low, low + (high - low) / 2)
    spread = np.maximum(high - middle, middle - low)
    return middle, np.where(low == high, 0.0, spread * ROOM)
