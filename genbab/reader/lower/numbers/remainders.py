"""`Mod`: what is left after whole steps, towards zero for numbers, downward for integers."""

from __future__ import annotations

import numpy as np

from genbab.reader.lower.table import lowering
from genbab.reader.tensors import elements
from genbab.reader.tensors.arithmetic import apply, combine, divide, multiply, scale, subtract
from genbab.reader.tensors.arrange import arrange
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.spans import span
from genbab.reader.tensors.values import Array, Op, Refused, Value, Var, element, needed

DIVISORS = 64
"""The most different divisors in one tensor."""


@lowering("Mod", how="a sawtooth per sign, by a constant; else x less whole steps")
def _mod(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, step = needed(inputs, 0), needed(inputs, 1)
    shape = np.broadcast_shapes(x.shape, step.shape)
    whole = elements.is_integer(element(x))
    if not op.integer("fmod", 0):
        if not whole:
            raise Refused("fmod=0, which is for integers; numbers need fmod=1")
        return _downward(b, b.expand(x, shape), b.expand(step, shape))
    if isinstance(step, Var):
        return _towards_zero(b, b.expand(x, shape), b.expand(step, shape))
    return _by_constants(b, b.variable(b.expand(x, shape)), np.broadcast_to(step, shape))


def _by_constants(b: Builder, x: Var, step: Array) -> Value:
    """s(max(x, 0)) - s(max(-x, 0)) with a sawtooth s per divisor: the sign is that of x."""
    sizes = np.abs(step.astype(np.float64))
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise Refused("a divisor that is 0 or not a finite number")
    each, group = np.unique(sizes, return_inverse=True)
    if len(each) > DIVISORS:
        raise Refused(f"more than {DIVISORS} different divisors")
    members = [np.flatnonzero(group.reshape(-1) == g) for g in range(len(each))]
    parts: list[Value] = []
    for at, size in zip(members, each, strict=True):
        part = b.gather(x, at)
        halves = (apply(b, "relu", part), apply(b, "relu", scale(b, part, -1.0)))
        right, left = (apply(b, "sawtooth", half, float(size)) for half in halves)
        parts.append(subtract(b, right, left))
    order = np.argsort(np.concatenate(members)).reshape(x.shape)
    made = arrange(b, parts, lambda values: [np.concatenate(values)[order]])[0]
    assert isinstance(made, Var | np.ndarray)
    return made


def _towards_zero(b: Builder, x: Value, step: Value) -> Value:
    """x - step · trunc(x / step), with the whole part as floor(max(q, 1/2)) - floor(max(-q, 1/2))."""
    quotient = divide(b, x, step)
    parts = [
        (apply(b, "floor", apply(b, "at_least", scale(b, quotient, sign), 0.5)), sign) for sign in (1.0, -1.0)
    ]
    return subtract(b, x, multiply(b, step, combine(b, parts)))


def _downward(b: Builder, x: Value, step: Value) -> Value:
    """x - step · floor(x / step) of integers: floor(x / step + 1 / (2 |step|)) is never at a jump."""
    low, high = _ends(b, step)
    if low <= 0.0 <= high and (isinstance(step, Var) or (step == 0).any()):
        raise Refused("a divisor that may be 0")
    if isinstance(step, Var):
        sign: Value = np.array(np.sign(low))
    else:
        sign = np.sign(step.astype(np.float64))
    quotient = divide(b, combine(b, [(x, 1.0), (sign, 0.5)]), step)
    made = b.variable(subtract(b, x, multiply(b, step, apply(b, "floor", quotient))))
    b.known[made.node] = min(low + 1.0, 0.0), max(high - 1.0, 0.0)
    return made


def _ends(b: Builder, step: Value) -> tuple[float, float]:
    if isinstance(step, Var):
        return span(b, step)
    return float(step.min(initial=1)), float(step.max(initial=1))
