"""Chains that leave the range of floating-point numbers and come back: denormals, huge and tiny weights."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from genbab.specs import Clause, Spec

from .affine import rounded_up
from .cases import Case, Known, exactly
from .chain import Chain, moved, row
from .numbers import Undecided

TINY = {np.float32: 2.0**-149, np.float64: 2.0**-1074}
REACH = {np.float32: 120, np.float64: 1000}


def range_ends(seed: int) -> Case:
    """A case whose own point lies in the unsafe set."""
    for attempt in range(20):
        try:
            return _case(seed, seed + 1_000_003 * attempt)
        except (Undecided, OverflowError):
            continue
    raise Undecided(f"no case for seed {seed}")


def _case(seed: int, drawn: int) -> Case:
    random = np.random.default_rng(drawn)
    dtype: Any = np.float64 if random.random() < 0.6 else np.float32
    size = int(random.integers(1, 3))
    scale = (TINY[dtype] * 2.0 ** int(random.integers(0, 20)), 1.0, 2.0 ** -(REACH[dtype] // 2))
    x = np.round(random.normal(size=size) * 16) * scale[int(random.integers(3))]
    chain = Chain(drawn, dtype, 1.0, np.where(x == 0, scale[0], x))
    for _ in range(int(random.integers(1, 7))):
        RULES[int(random.integers(len(RULES)))](chain)
    if random.random() < 0.5:
        _back(chain)
    _ended(chain)
    return _asked(seed, chain)


def _power(c: Chain) -> None:
    """Multiply or divide by a power of two."""
    reach = REACH[c.graph.dtype.type]
    factor = 2.0 ** int(c.random.integers(-reach, reach + 1))
    if c.random.random() < 0.7:
        c.op("Mul", *c._either(c.name, c.constant(factor)))
    else:
        c.op("Div", c.name, c.constant(factor))


def _weighed(c: Chain) -> None:
    """A layer of huge or tiny weights."""
    reach = REACH[c.graph.dtype.type]
    size, made = c.value.shape[1], int(c.random.integers(1, 3))
    weight = c.random.normal(size=(size, made)) * 2.0 ** int(c.random.integers(-reach, reach))
    if c.random.random() < 0.5:
        c.op("MatMul", c.name, c.constant(weight))
    else:
        c.op("Gemm", c.name, c.constant(weight), c.constant(np.zeros(made)))


def _small(c: Chain) -> None:
    """Multiply by an ordinary number that is no power of two."""
    c.op("Mul", c.name, c.constant(c.draw(0.3, -0.3, 0.1, 1.5, -3.0, 7.0)))


def _near(c: Chain) -> None:
    """Subtract about the value at the point, or add what is far smaller or far larger."""
    factor = c.draw(1.0, 1.0, 1.0 + 2.0**-20, 2.0**-60, 2.0**60, -1.0)
    by = mapped_floats(c) * factor
    fitting(by, c)
    c.op("Sub", c.name, c.constant(by))


def mapped_floats(c: Chain) -> Any:
    """The values at the point, rounded to floats; OverflowError where they are too large."""
    return np.array([float(v) for v in c.value.flat]).reshape(c.value.shape)


def fitting(values: Any, c: Chain) -> Any:
    """The values in the graph's type; Undecided where they are too large for it."""
    with np.errstate(over="ignore"):
        found = values.astype(c.graph.dtype)
    if not np.isfinite(found).all():
        raise Undecided("out of range")
    return found


def _doubled(c: Chain) -> None:
    """Add the input times a power of two, where it fits."""
    if c.value.shape == c.known["x"].shape:
        reach = REACH[c.graph.dtype.type]
        now = c.name
        c.op("Add", now, c.op("Mul", "x", c.constant(2.0 ** int(c.random.integers(-reach, reach)))))


RULES: tuple[Callable[[Chain], None], ...] = (
    _power,
    _power,
    _power,
    _weighed,
    _small,
    _near,
    _doubled,
    moved,
)


def _back(c: Chain) -> None:
    """Multiply by powers of two until the largest value at the point is near 1."""
    reach = REACH[c.graph.dtype.type]
    while True:
        most = max(abs(v) for v in c.value.flat)
        if most == 0:
            return
        exponent = most.denominator.bit_length() - most.numerator.bit_length()
        if abs(exponent) <= 2:
            return
        c.op("Mul", c.name, c.constant(2.0 ** max(-reach, min(reach, exponent))))


def _ended(c: Chain) -> None:
    """A function that tells numbers apart from 0, or from the value at the point where that is a float."""
    kind = c.draw("Floor", "Ceil", "Sign", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Relu", "None")
    if kind in ("Floor", "Ceil") and max(abs(v) for v in c.value.flat) > 1e15:
        kind = "Sign"
    if kind in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
        place = fitting(mapped_floats(c), c) if c.random.random() < 0.5 else np.zeros(1)
        c.op("Cast", c.op(kind, c.name, c.constant(place)), to=c.graph.kind)
    elif kind != "None":
        c.op(kind, c.name)


def _asked(seed: int, c: Chain) -> Case:
    """Unsafe: an output is where it is at the chain's own point, or further from where it is elsewhere."""
    random, x = c.random, c.x
    unit = TINY[c.graph.dtype.type]
    other = c.draw(np.zeros(x.size), -x, x + unit, 2 * x, x - unit, 1.5 * x, x)
    other = other.astype(c.graph.dtype).astype(np.float64)
    y, far = c.value.reshape(-1), c.at(other, c.name)[0].reshape(-1)
    entry = int(random.integers(y.size))
    sign = Fraction(1 if y[entry] < far[entry] or (y[entry] == far[entry] and random.random() < 0.5) else -1)
    weights = row(np.zeros(y.size))
    weights[entry] = sign
    clause = Clause(0, weights.astype(np.float64)[None], None, np.array([rounded_up(sign * y[entry])]))
    low, high = np.minimum(x, other), np.maximum(x, other)
    known = tuple(Known(tuple(p.tolist()), exactly(v)) for p, v in ((x, y), (other, far)))
    return Case(
        "range_ends",
        seed,
        c.model(c.name).SerializeToString(),
        Spec(low[None], high[None], (clause,), y.size),
        ("verified",),
        f"violated at {x.tolist()}, where the outputs are {[_shown(v) for v in y]}",
        known=known,
        check=False,
        seconds=0.1,
    )


def _shown(value: Fraction) -> str:
    return f"{float(value)!r}"
