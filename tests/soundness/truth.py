"""What functions are, to any number of digits: balls of real numbers (Arb) instead of floating-point numbers.

Every function returns a ball that holds the true value at the exact argument; what is not defined there is
not finite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import flint
from flint import arb
from mpmath import mp

from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.composed.formula import definition
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.steps import Apply, Argument, Multiply
from tests.nonlinear.precise import PRECISE

BITS = (200, 6000)
"""Working precision: the first that decides a comparison counts."""

Truth = Callable[[arb], arb]


def precision(bits: int) -> AbstractContextManager[None]:
    """Balls are computed to this many bits inside."""
    return cast(AbstractContextManager[None], flint.ctx.workprec(bits))


def _where(x: arb, place: float, below: Truth, above: Truth) -> arb:
    """below(x) for x < place, above(x) from there on; their hull where x is not known well enough."""
    at = arb(place)
    if x < at:
        return below(x)
    return above(x) if x >= at else below(x).union(above(x))


def _zero(x: arb) -> arb:
    return arb(0)


def _same(x: arb) -> arb:
    return x


def _relu(x: arb) -> arb:
    return _where(x, 0.0, _zero, _same)


def _clip(x: arb, low: float, high: float) -> arb:
    return x.max(arb(low)).min(arb(high))


def _elu(x: arb, alpha: float) -> arb:
    return _where(x, 0.0, lambda x: arb(alpha) * x.expm1(), _same)


def _gelu_tanh(x: arb) -> arb:
    cubic = arb(44715) / 1000000
    return x * _sigmoid(2 * (2 / arb.pi()).sqrt() * (x + cubic * x**3))


def _power(x: arb, p: float) -> arb:
    if p.is_integer():
        return x ** int(p)
    return arb(0) if x.is_zero() and p > 0 else x ** arb(p)


def _round(x: arb) -> arb:
    """To the nearest integer, halves to the even one."""
    whole = (x + arb(0.5)).floor()
    half = whole - x
    if half == arb(0.5) and (whole / 2).floor() * 2 != whole:
        return whole - 1
    return whole if not half >= arb(0.5) or half == arb(0.5) else whole.union(whole - 1)


def _shrink(x: arb, bias: float, threshold: float) -> arb:
    if abs(x) <= arb(threshold):
        return arb(0)
    if x > arb(threshold):
        return x - arb(bias)
    return x + arb(bias) if x < -arb(threshold) else arb.nan()


def _sigmoid(x: arb) -> arb:
    return 1 / (1 + (-x).exp())


def _softplus(x: arb) -> arb:
    return (-abs(x)).exp().log1p() + _relu(x)


def _thresholded(x: arb, alpha: float) -> arb:
    if x <= arb(alpha):
        return arb(0)
    return x if x > arb(alpha) else arb.nan()


def _positive(x: arb) -> arb:
    if x <= 0:
        return arb(0)
    return arb(1) if x > 0 else arb(0).union(arb(1))


BALLS: dict[str, Callable[..., arb]] = {
    "abs": abs,
    "acos": arb.acos,
    "acosh": arb.acosh,
    "asin": arb.asin,
    "asinh": arb.asinh,
    "atan": arb.atan,
    "atanh": arb.atanh,
    "ceil": arb.ceil,
    "celu": lambda x, alpha: _where(x, 0.0, lambda x: arb(alpha) * (x / arb(alpha)).expm1(), _same),
    "at_least": lambda x, c: x.max(arb(c)),
    "at_most": lambda x, c: x.min(arb(c)),
    "clip": _clip,
    "cos": arb.cos,
    "cosh": arb.cosh,
    "elu": _elu,
    "erf": arb.erf,
    "exp": arb.exp,
    "floor": arb.floor,
    "gelu": lambda x: x * (-x / arb(2).sqrt()).erfc() / 2,
    "gelu_tanh": _gelu_tanh,
    "hard_sigmoid": lambda x, alpha, beta: _clip(arb(alpha) * x + arb(beta), 0.0, 1.0),
    "hard_swish": lambda x: x * _clip(x / 6 + arb(0.5), 0.0, 1.0),
    "leaky_relu": lambda x, a: _where(x, 0.0, lambda x: arb(a) * x, _same),
    "log": arb.log,
    "mish": lambda x: x * _softplus(x).tanh(),
    "positive": _positive,
    "power": _power,
    "reciprocal": lambda x: 1 / x,
    "relu": _relu,
    "round": _round,
    "sawtooth": lambda x, c: x - arb(c) * (x / arb(c)).floor(),
    "selu": lambda x, alpha, gamma: arb(gamma) * _elu(x, alpha),
    "shrink": _shrink,
    "sigmoid": _sigmoid,
    "sign": arb.sgn,
    "silu": lambda x: x * _sigmoid(x),
    "sin": arb.sin,
    "sinh": arb.sinh,
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "sqrt": arb.sqrt,
    "step": lambda x: _where(x, 0.0, _zero, lambda x: arb(1)),
    "tan": arb.tan,
    "tanh": arb.tanh,
    "thresholded_relu": _thresholded,
    "within": lambda x, low, high: x,
}
"""Name to the function of (ball, *params); any other is what the library defines it as, or looked up in
`PRECISE`, which is slower and does not do inside a program."""


def _by_mpmath(rule: Callable[..., Any], x: arb, params: tuple[float, ...]) -> arb:
    """A ball from a definition in mpmath, for an exactly known argument; else not a number."""
    if not x.is_exact() or not x.is_finite():
        return arb.nan()
    bits = flint.ctx.prec
    with mp.workprec(bits + 64):
        man, exponent = (int(part) for part in x.man_exp())
        try:
            value = rule(mp.mpf((man, exponent)), *params)
        except (ZeroDivisionError, ValueError):
            return arb.nan()
        if not mp.isfinite(value) or isinstance(value, mp.mpc):
            return arb.nan()
        sign, man, exponent, _ = mp.mpf(value)._mpf_
        exact = arb((-int(man) if sign else int(man), int(exponent)))
    return exact + exact * arb(0, 1) * arb((1, -bits))


def truth(fn: Nonlinearity) -> Truth:
    """The true function of a library record. KeyError if nobody has written it down."""
    params = fn.params
    if fn.name in BALLS:
        ball = BALLS[fn.name]
        return lambda x: ball(x, *params)
    if (of := definition(fn)) is not None:
        return program(of)
    rule = PRECISE[fn.name]
    return lambda x: _by_mpmath(rule, x, params)


def program(of: Expression) -> Truth:
    """The true function that an expression denotes, its numbers taken as they are."""
    rules = {step.fn: truth(step.fn) for step in of.steps if isinstance(step, Apply)}

    def run(x: arb) -> arb:
        known: list[arb] = []
        for step in of.steps:
            if isinstance(step, Argument):
                known.append(x)
            elif isinstance(step, Apply):
                known.append(rules[step.fn](known[step.a]))
            elif isinstance(step, Multiply):
                known.append(known[step.a] * known[step.b])
            else:
                total = arb(step.shift)
                for source, factor in step.terms:
                    total += arb(factor) * known[source]
                known.append(total)
        return known[-1]

    return run


def falls_short(
    value: Callable[..., arb], line: Sequence[float], at: Sequence[float], upper: bool
) -> float | None:
    """By how much a line or plane (slopes, then intercept) is on the wrong side of the function at a point.

    Upper: it should be above. None where it is on the right side, or the function is not defined.
    """
    for bits in BITS:
        with precision(bits):
            place = [arb(x) for x in at]
            gap = value(*place) - arb(line[-1])
            for k, x in zip(line, place, strict=False):
                gap -= arb(k) * x
            gap = -gap if upper else gap
            if gap < 0:
                return max(abs(float(gap.mid())), 5e-324)
            if gap >= 0:
                return None
    return None
