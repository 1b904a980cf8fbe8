"""Constants that nodes compute from constants, as programs compute them in the numbers of the file.

Where every program in IEEE arithmetic gets the same numbers, these are known; where programs may add up in
another order, the constant is known to within what that may change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from genbab.network.rounding.formats import FORMATS, Format
from genbab.reader.convert.constants import SELECTING, STEADY, Constant, decided, enclosed, fractional
from genbab.reader.convert.fold import fold
from genbab.reader.lower import MOVES
from genbab.reader.tensors import elements
from genbab.reader.tensors.exact import ROOM, ball
from genbab.reader.tensors.values import Array, Inexact, Op, Refused

ROUNDED_ONCE = frozenset("Add Sub Mul Div Reciprocal".split())
"""Operators by entries whose exact result is rounded to the nearest number: all programs agree."""

NEARLY = {"Sqrt": 2.0}
"""Operators by entries that some programs round to a number beside the nearest one: by so many units."""

CASTS = frozenset({"Cast", "CastLike"})
"""Conversions."""

PLAIN_SUMS = frozenset("MatMul Conv ConvTranspose ReduceSum CumSum Sum".split())
"""Operators that add up products of numbers of their inputs, without factors of their own."""

UNIT, TINY = 2.0**-24, 2.0**-126


def computed(op: Op, inputs: Sequence[Constant | None]) -> list[Constant]:
    """The outputs of a node with constant inputs, as every program in IEEE arithmetic computes them.

    Raises `Refused` where it is not known how far programs may be apart: for elementary functions, say.
    """
    made = fold(op, [a.computed if isinstance(a, Inexact) else a for a in inputs])
    if not any(fractional(a) for a in made):
        return [*decided(op, inputs, made)]
    sharp = not any(isinstance(a, Inexact) for a in inputs)
    chosen = op.kind in SELECTING or op.kind in ROUNDED_ONCE or op.kind in CASTS
    moves = op.kind in MOVES or op.kind in ("ScatterND", "ScatterElements", "Range", "Tile")
    form = FORMATS.get(made[0].dtype.name)
    if form is not None and form.short and not (sharp and op.kind in SELECTING):
        same = sharp and moves and _among(made, inputs)
        return [*made] if same else [_shortened(op, inputs, made[0], form)]
    if op.kind in CASTS and isinstance(inputs[0], Inexact) and _holds(inputs[0], made[0]):
        return [Inexact(*ball(inputs[0]), made[0])]
    if sharp and (chosen or (moves and _among(made, inputs))):
        if op.kind in ROUNDED_ONCE and any(map(_small, (*made, *inputs))):
            raise Refused("a constant below the normal numbers, which some programs take for 0")
        return [*made]
    if len(made) == 1 and made[0].dtype == np.float32:
        if op.kind in PLAIN_SUMS:
            return [_any_order(op, inputs, made[0])]
        if op.kind in ROUNDED_ONCE or op.kind in STEADY or op.kind in NEARLY:
            return [_rounded_again(op, inputs, made[0])]
    raise Refused("a constant that it computes from constants: programs may round it in different ways")


def _holds(a: Inexact, made: Array) -> bool:
    """Whether a conversion makes the same numbers."""
    return elements.holds(elements.of_dtype(made.dtype), elements.of_dtype(a.computed.dtype))


def _shortened(op: Op, inputs: Sequence[Any], made: Array, form: Format) -> Constant:
    """A constant of a short type, as programs compute it that round it to this type or to a wider one."""
    if op.kind in CASTS:
        value, error = ball(inputs[0])
    elif op.kind in PLAIN_SUMS:
        value, error = ball(_any_order(op, inputs, made))
    elif op.kind in ROUNDED_ONCE or op.kind in STEADY:
        value, error = enclosed(op, inputs)
    elif op.kind in NEARLY:
        value, error = ball(_rounded_again(op, inputs, made))
    else:
        raise Refused("a constant that it computes from constants: programs may round it in different ways")
    size = np.abs(value) + error
    if not bool((size < form.largest).all()):
        raise Refused(f"a constant that may be beyond {form.name}")
    value, error, size = (a.reshape(made.shape) for a in np.broadcast_arrays(value, error, size))
    known = (error == 0) & (made.astype(np.float64) == value) & ((size >= form.tiny) | (size == 0))
    off = np.where(known, 0.0, (error + form.unit * size + form.tiny) * ROOM)
    return Inexact(value, off, made) if off.any() else made


def _small(a: Any) -> bool:
    """Whether a float32 constant has numbers other than 0 below the normal ones."""
    if not isinstance(a, np.ndarray) or a.dtype != np.float32:
        return False
    size = np.abs(a)
    return bool(((size > 0) & (size < TINY)).any())


def _among(made: Sequence[Array], inputs: Sequence[Constant | None]) -> bool:
    """Whether all results are among the numbers that go in, or 0: these are only moved."""
    given = [a.ravel() for a in inputs if isinstance(a, np.ndarray) and fractional(a)]
    pool = np.concatenate([*given, np.zeros(1)]) if given else np.zeros(1)
    return all(bool(np.isin(a, pool).all()) for a in made)


def _any_order(op: Op, inputs: Sequence[Constant | None], made: Array) -> Constant:
    """Sums of products, as programs compute them that add in any order."""
    value, error = enclosed(op, inputs)
    size, many = _folded(op, inputs, lambda a: a), _folded(op, inputs, lambda a: a != 0)
    units = (many + 1.0) * UNIT
    rounded = size * units / (1.0 - np.minimum(units, 0.5)) + 2 * TINY * (many + 1.0)
    return Inexact(value.reshape(made.shape), ((error + rounded) * ROOM).reshape(made.shape), made)


def _folded(op: Op, inputs: Sequence[Any], of: Callable[[Array], Array]) -> Array:
    """What the node makes of something of the sizes of its inputs' numbers."""
    sizes = [np.abs(ball(a)[0]) + ball(a)[1] if a is not None and fractional(a) else a for a in inputs]
    made = fold(op, [of(s).astype(np.float64) if fractional(s) else s for s in sizes])[0]
    return made.astype(np.float64)


def _rounded_again(op: Op, inputs: Sequence[Constant | None], made: Array) -> Constant:
    """One operation on numbers that are known to within something."""
    value, error = enclosed(op, inputs)
    off = (error + NEARLY.get(op.kind, 1.0) * UNIT * (np.abs(value) + error) + TINY) * ROOM
    return Inexact(value.reshape(made.shape), np.broadcast_to(off, value.shape).reshape(made.shape), made)
