"""Functions written out, as models write them."""

from __future__ import annotations

from genbab.nonlinear import Expression, make
from genbab.nonlinear.expressions.expression import X, apply, combine, multiply


def call(name: str, x: Expression = X, *params: float) -> Expression:
    """The library's function of this name, of an expression."""
    return apply(make(name, *params), x)


def affine(x: Expression, factor: float, shift: float = 0.0) -> Expression:
    return combine([(x, factor)], shift)


def plus(*parts: Expression) -> Expression:
    return combine([(part, 1.0) for part in parts])


def _cats(threshold: float) -> Expression:
    """silu(x) where it is at least the threshold in size, else 0."""
    silu = multiply(X, call("sigmoid"))
    return multiply(silu, call("step", affine(call("abs", silu), 1.0, -threshold)))


def _written() -> dict[str, Expression]:
    half = affine(X, 0.5)
    cubic = combine([(X, 0.7978845608), (call("power", X, 3), 0.044715 * 0.7978845608)])
    square = call("power", X, 2)
    return {
        "silu": multiply(X, call("sigmoid")),
        "tanh gelu": multiply(half, affine(call("tanh", cubic), 1.0, 1.0)),
        "erf gelu": multiply(half, affine(call("erf", affine(X, 0.70710678)), 1.0, 1.0)),
        "softplus": call("log", affine(call("exp"), 1.0, 1.0)),
        "softsign": multiply(X, call("reciprocal", affine(call("abs"), 1.0, 1.0))),
        "mish": multiply(X, call("tanh", call("softplus"))),
        "polyrelu": combine(
            [
                (call("power", call("relu"), 3), 0.3),
                (call("power", call("relu"), 2), -1.0),
                (call("relu"), 0.5),
            ],
            0.1,
        ),
        "sin squared": plus(call("power", call("sin"), 2), X),
        "sin of square": call("sin", square),
        "double well": combine([(call("power", X, 4), 1.0), (square, -1.0)]),
        "touching": call("power", affine(X, 1.0, -1.5), 4),
        "clip": combine([(call("relu"), 1.0), (call("relu", affine(X, 1.0, -1.0)), -1.0)]),
        "hat": combine(
            [(call("relu", affine(X, 1.0, s)), w) for s, w in ((1.0, 1.0), (0.0, -2.0), (-1.0, 1.0))]
        ),
        "bell": call("exp", affine(square, -1.0)),
        "wave packet": multiply(call("cos", affine(X, 3.0)), call("exp", affine(square, -1.0))),
        "witch": call("reciprocal", affine(square, 1.0, 1.0)),
        "poles at 1": call("reciprocal", affine(square, -1.0, 1.0)),
        "entropy": multiply(X, call("log")),
        "cats": _cats(0.2),
        "threshold": multiply(X, affine(call("step", affine(X, -1.0, 1.0)), -1.0, 1.0)),
        "saw": combine([(X, 1.0), (call("floor", affine(X, 0.1)), -10.0)]),
        "root": call("sqrt", affine(square, 1.0, 0.25)),
        "flat tail": multiply(
            call("sigmoid"), call("power", call("hard_sigmoid", X, 0.1666666716337204, 0.5), 2)
        ),
    }


WRITTEN = _written()
"""By name: functions that need facts found."""
