"""Every function of the library written once more, in mpmath: what the tests take for the truth.

Those that the library defines in terms of others need no line here: the definition is the truth.

`PRECISE[name](x, *params)` is exact to mpmath's working precision at every point of the domain, jumps
included (there it is the value, not a limit). At a pole it raises ZeroDivisionError or gives an infinity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

from genbab.nonlinear import Expression, make
from genbab.nonlinear.composed.formula import definition
from genbab.nonlinear.expressions.steps import Apply, Combine, Multiply
from genbab.nonlinear.facts.registry import DEFINITIONS

Truth = Callable[..., Any]


def _clip(x: mpf, low: float, high: float) -> mpf:
    return min(max(x, mpf(low)), mpf(high))


def _elu(x: mpf, alpha: float = 1.0) -> mpf:
    return x if x > 0 else mpf(alpha) * mp.expm1(x)


def _gelu(x: mpf) -> mpf:
    return x * mp.erfc(-x / mp.sqrt(2)) / 2


def _gelu_tanh(x: mpf) -> mpf:
    return x * _sigmoid(2 * mp.sqrt(2 / mp.pi) * (x + mpf("0.044715") * x**3))


def _power(x: mpf, p: float) -> mpf:
    return x ** int(p) if float(p).is_integer() else mp.power(x, mpf(p))


def _round(x: mpf) -> mpf:
    """To the nearest integer, halves to the even one."""
    below = mp.floor(x)
    up = x - below > mpf(0.5) or (x - below == mpf(0.5) and int(below) % 2 == 1)
    return below + 1 if up else below


def _shrink(x: mpf, bias: float = 0.0, threshold: float = 0.5) -> mpf:
    if x < -mpf(threshold):
        return x + mpf(bias)
    return x - mpf(bias) if x > mpf(threshold) else mpf(0)


def _sigmoid(x: mpf) -> mpf:
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def _softplus(x: mpf) -> mpf:
    return max(x, mpf(0)) + mp.log1p(mp.exp(-abs(x)))


class _Truths(dict[str, Truth]):
    """A dictionary in which the library's own definitions are found as well."""

    def __missing__(self, name: str) -> Truth:
        if name not in DEFINITIONS:
            raise KeyError(name)

        def defined(x: mpf, *params: float) -> Any:
            meaning = definition(make(name, *params))
            assert meaning is not None
            return precise(meaning, x)

        return defined


def precise(expression: Expression, x: mpf) -> Any:
    """The expression at x, to mpmath's working precision."""
    known: list[Any] = []
    for step in expression.steps:
        if isinstance(step, Apply):
            known.append(PRECISE[step.fn.name](known[step.a], *step.fn.params))
        elif isinstance(step, Multiply):
            known.append(known[step.a] * known[step.b])
        elif isinstance(step, Combine):
            known.append(mpf(step.shift) + mp.fsum(mpf(w) * known[source] for source, w in step.terms))
        else:
            known.append(x)
    return known[-1]


PRECISE: dict[str, Truth] = _Truths(
    {
        "abs": abs,
        "acos": mp.acos,
        "acosh": mp.acosh,
        "asin": mp.asin,
        "asinh": mp.asinh,
        "atan": mp.atan,
        "atanh": mp.atanh,
        "ceil": mp.ceil,
        "celu": lambda x, alpha=1.0: mpf(alpha) * _elu(x / mpf(alpha)),
        "at_least": lambda x, c: max(x, mpf(c)),
        "at_most": lambda x, c: min(x, mpf(c)),
        "clip": _clip,
        "cos": mp.cos,
        "cosh": mp.cosh,
        "elu": _elu,
        "erf": mp.erf,
        "exp": mp.exp,
        "floor": mp.floor,
        "gelu": _gelu,
        "gelu_tanh": _gelu_tanh,
        "hard_sigmoid": lambda x, alpha=0.2, beta=0.5: _clip(mpf(alpha) * x + mpf(beta), 0.0, 1.0),
        "hard_swish": lambda x: x * _clip(x / 6 + mpf(0.5), 0.0, 1.0),
        "leaky_relu": lambda x, a=0.01: x if x > 0 else mpf(a) * x,
        "log": mp.log,
        "mish": lambda x: x * mp.tanh(_softplus(x)),
        "power": _power,
        "reciprocal": lambda x: 1 / x,
        "relu": lambda x: max(x, mpf(0)),
        "round": _round,
        "sawtooth": lambda x, c: x - mpf(c) * mp.floor(x / mpf(c)),
        "selu": lambda x, alpha=1.6732632423543772, gamma=1.0507009873554805: mpf(gamma) * _elu(x, alpha),
        "shrink": _shrink,
        "sigmoid": _sigmoid,
        "positive": lambda x: mpf(1) if x > 0 else mpf(0),
        "sign": mp.sign,
        "silu": lambda x: x * _sigmoid(x),
        "sin": mp.sin,
        "sinh": mp.sinh,
        "softplus": _softplus,
        "softsign": lambda x: x / (1 + abs(x)),
        "sqrt": mp.sqrt,
        "step": lambda x: mpf(1) if x >= 0 else mpf(0),
        "tan": mp.tan,
        "tanh": mp.tanh,
        "within": lambda x, low, high: x,
        "thresholded_relu": lambda x, alpha=1.0: x if x > mpf(alpha) else mpf(0),
    }
)
"""Name of a function to its definition; arguments as its factory in the registry takes them."""
