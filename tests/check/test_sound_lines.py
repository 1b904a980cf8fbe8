"""Intervals contain values, and lines with any slopes lie below or above, for every formula."""

from __future__ import annotations

import numpy as np
import pytest

from genbab.check.functions.formula import (
    Formula,
    Taylor,
    apply,
    argument,
    constant,
    evaluate,
    number,
    plus,
    times,
)
from genbab.check.functions.lines import Slant, default_slopes, intercepts, ranges
from genbab.check.functions.primitives import PRIMITIVES
from genbab.check.model.operators.activations import FORMULAS
from genbab.check.model.operators.node import Node
from genbab.check.model.program import Fixed, Program

X, Y = argument(0), argument(1)
ABOVE = {"Log": 1e-3, "Sqrt": 1e-3, "Reciprocal": 1e-3, "Acosh": 1.0}
WITHIN_1 = {"Asin", "Acos", "Atanh"}


def exactly(value: float) -> Fixed:
    return Fixed(np.asarray(value), np.asarray(value))


def of_operator(op: str) -> Formula:
    inputs = [None, exactly(-0.5), exactly(0.7)] if op == "Clip" else [None, exactly(3.0)]
    return FORMULAS[op](Node(Program(1), op, op, {}, inputs, 1, 20))


COMPOSED = {
    "sin of square": apply("sin", apply("power", X, np.asarray(2.0))),
    "root": apply("sqrt", plus(number(1.0), times(X, X))),
    "power 1.5": apply("power", apply("absolute", X), np.asarray(1.5)),
    "power -2": apply("power", plus(X, number(7.0)), np.asarray(-2.0)),
    "gate": times(X, apply("sigmoid", X)),
    "angle of inverse": apply("atan", apply("inverse", X)),
    "kinked": plus(apply("absolute", times(X, number(2.0))), apply("sin", X)),
    "steep": apply("tanh", times(X, number(1e3))),
}
PAIRS = {
    "product": times(X, Y),
    "gate": times(Y, apply("sigmoid", X)),
    "quotient": times(Y, apply("inverse", plus(number(2.0), times(X, X)))),
    "plane": plus(times(X, number(3.0)), Y),
    "swapped gate": times(X, apply("tanh", Y)),
}
ONE = {**{op: of_operator(op) for op in FORMULAS}, **COMPOSED}
RNG = np.random.default_rng(7)


def intervals(count: int, above: float) -> tuple[np.ndarray, np.ndarray]:
    """Narrow and wide, close to 0 and far from it."""
    width = 10.0 ** RNG.uniform(-4, 1, count)
    low = RNG.normal(size=count) * 10.0 ** RNG.uniform(-2, 0.7, count)
    low[:3], width[:3] = (0.0, -1.0, -2.0), (1.0, 1.0, 0.0)
    low = low - width / 2 * (RNG.random(count) < 0.5)
    return (np.abs(low) + above, np.abs(low) + above + width) if above else (low, low + width)


@pytest.mark.parametrize("name", sorted(ONE))
def test_lines_and_ranges_of_one_argument(name: str) -> None:
    formula = ONE[name]
    low, high = intervals(60, ABOVE.get(name, 0.0))
    if name in WITHIN_1:
        low, high = np.tanh(low), np.tanh(high)
    entries = np.zeros(60, dtype=np.int64)
    share = np.sort(np.r_[np.linspace(0, 1, 301), RNG.random(100)])[:, None]
    x = np.clip(low + (high - low) * share, low, high)
    with np.errstate(all="ignore"):
        value = np.stack([evaluate(formula, [Taylor((p, p))], entries).value[0] for p in x])
        below, above = ranges(formula, entries, [(low, high)])
    room = 1e-12 * (1 + np.abs(value))
    known = np.isfinite(value)
    assert ((below <= value + room) & (value <= above + room))[known].all()
    for sign in (1.0, -1.0):
        signs = np.full(60, sign)
        slopes = default_slopes(formula, entries, [(low, high)], signs)[0]
        for tried in (slopes, slopes + RNG.normal(size=60), 1e6 * RNG.normal(size=60), 0 * slopes):
            (k,), c = intercepts(Slant(formula, entries, [(low, high)], [tried], signs))
            with np.errstate(all="ignore"):
                gap = sign * (value - k * x - c)
                size = np.abs(value) + np.abs(k * x)
            assert (gap >= -1e-12 * (1 + size))[known].all()


@pytest.mark.parametrize("name", ["Relu", "Sigmoid", "Gelu", "Mish", "sin of square", "gate", "Elu"])
def test_intercepts_are_tight(name: str) -> None:
    formula = ONE[name]
    low, high = intervals(60, 0.0)
    entries, signs = np.zeros(60, dtype=np.int64), np.ones(60)
    k = RNG.normal(size=60)
    _, c = intercepts(Slant(formula, entries, [(low, high)], [k], signs))
    x = low + (high - low) * np.linspace(0, 1, 2001)[:, None]
    value = np.stack([evaluate(formula, [Taylor((p, p))], entries).value[1] for p in x])
    gap = (value - k * x).min(0) - c
    assert (gap <= 1e-4 * (1 + np.abs(k)) * (high - low) + 1e-7).all()


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_planes_of_two_arguments(name: str) -> None:
    formula = PAIRS[name]
    pairs = [intervals(40, 0.0), intervals(40, 0.0)]
    entries = np.zeros(40, dtype=np.int64)
    x, y = (low + (high - low) * RNG.random((500, 1)) for low, high in pairs)
    value = np.stack(
        [
            evaluate(formula, [Taylor((p, p)), Taylor((q, q))], entries).value[0]
            for p, q in zip(x, y, strict=True)
        ]
    )
    below, above = ranges(formula, entries, pairs)
    assert ((below <= value + 1e-9) & (value <= above + 1e-9)).all()
    for sign in (1.0, -1.0):
        signs = np.full(40, sign)
        slopes = default_slopes(formula, entries, pairs, signs)
        for tried in (slopes, [s + RNG.normal(size=40) for s in slopes], [1e4 * s for s in slopes]):
            k, c = intercepts(Slant(formula, entries, pairs, tried, signs))
            size = np.abs(value) + np.abs(k[0] * x) + np.abs(k[1] * y)
            assert (sign * (value - k[0] * x - k[1] * y - c) >= -1e-12 * (1 + size)).all()


def test_uncertain_constants_are_paid_for() -> None:
    formula = times(constant(np.array([0.9]), np.array([1.1])), apply("sin", X))
    low, high, entries = np.array([0.5]), np.array([1.5]), np.zeros(1, dtype=np.int64)
    x = np.linspace(0.5, 1.5, 101)
    for sign, factor in ((1.0, 0.9), (-1.0, 1.1)):
        (k,), c = intercepts(Slant(formula, entries, [(low, high)], [np.zeros(1)], np.array([sign])))
        assert (sign * (factor * np.sin(x) - k * x - c) >= 0).all()


def test_every_primitive_is_drawn() -> None:
    def names(f: Formula) -> set[str]:
        return {f.op}.union(*map(names, f.kids))

    drawn = set().union(*map(names, (*ONE.values(), *PAIRS.values())))
    assert set(PRIMITIVES) <= drawn


def test_exponents_that_are_rounded_are_paid_for() -> None:
    """x^(p - 1) of x = 2^200 is 2^-200 times 2^(200 p), which is 1 where p - 1 is rounded to -1."""
    x, p = np.array([2.0**200]), 2.0**-54
    first = PRIMITIVES["power"]((x, x), (np.asarray(p),), 2)[1]
    assert first[0][0] <= p * 2.0**-200 and first[1][0] >= p * 2.0**-200 * (1 + 7e-15)
