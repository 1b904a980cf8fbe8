"""Derivatives of functions as functions: of expressions by the chain rule, of parts by what they are made of.

A function that the library defines in terms of others, or that a user wrote, needs no line here. The
functions that are made of no others have theirs in `PRIMITIVES`, as in any table of derivatives. A function
that is known by its facts alone has a derivative that is known by facts, too (`stated.py`).

Where a function has a kink, its derivative has the value of one of the sides, or one between them.
"""

from __future__ import annotations

import functools
import inspect

from genbab.nonlinear.composed.formula import defined_exactly, exactly
from genbab.nonlinear.composed.stated import stated_slope
from genbab.nonlinear.expressions.expression import (
    Expression,
    X,
    apply,
    combine,
    constant,
    multiply,
    substitute,
)
from genbab.nonlinear.expressions.steps import Apply, Argument, Multiply
from genbab.nonlinear.facts.real import Real, real
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import REGISTRY, make

PRIMITIVES = {
    "abs": "sign(x)",
    "acos": "-(1 - x**2)**(-0.5)",
    "acosh": "(x - 1)**(-0.5)*(x + 1)**(-0.5)",
    "asin": "(1 - x**2)**(-0.5)",
    "asinh": "(x**2 + 1)**(-0.5)",
    "at_least": "step(x - c)",
    "at_most": "positive(c - x)",
    "atan": "1/(x**2 + 1)",
    "atanh": "1/(1 - x**2)",
    "clip": "step(x - low)*positive(high - x)",
    "cos": "-sin(x)",
    "elu": "alpha*exp(min(x, 0)) + (1 - alpha)*step(x)",
    "erf": "2/pi**0.5*exp(-x**2)",
    "exp": "exp(x)",
    "hard_sigmoid": "alpha*step(alpha*x + beta)*positive(1 - alpha*x - beta)",
    "hard_swish": "(x/3 + 0.5)*step(x + 3)*positive(3 - x) + step(x - 3)",
    "leaky_relu": "a + (1 - a)*step(x)",
    "log": "1/x",
    "reciprocal": "-x**(-2)",
    "relu": "step(x)",
    "shrink": "positive(abs(x) - threshold)",
    "sigmoid": "sigmoid(x)*sigmoid(-x)",
    "sin": "cos(x)",
    "softplus": "sigmoid(x)",
    "softsign": "(1 + abs(x))**(-2)",
    "sqrt": "0.5*x**(-0.5)",
    "tan": "1 + tan(x)**2",
    "tanh": "1 - tanh(x)**2",
    "within": "1",
}
"""Derivatives of functions that are made of no others, and of some that are smoother than their formula."""

CONSTANT = frozenset({"step", "positive", "sign", "floor", "ceil", "round"})
"""Functions that are constant but for jumps."""


def differentiated(expression: Expression) -> Expression:
    """The derivative of an expression, everywhere but at kinks and jumps of its parts.

    Raises UsageError where a part has none, or where its numbers leave the range of float64.
    """
    values: list[Expression] = []
    slopes: list[Expression] = []
    for step in expression.steps:
        if isinstance(step, Argument):
            values.append(X)
            slopes.append(constant(1.0))
        elif isinstance(step, Apply):
            inner = values[step.a]
            values.append(apply(step.fn, inner))
            slopes.append(multiply(substitute(slope(step.fn), inner), slopes[step.a]))
        elif isinstance(step, Multiply):
            a, b = step.a, step.b
            values.append(multiply(values[a], values[b]))
            parts = multiply(slopes[a], values[b]), multiply(values[a], slopes[b])
            slopes.append(combine([(part, 1.0) for part in parts]))
        else:
            values.append(combine([(values[source], w) for source, w in step.terms], step.shift))
            slopes.append(combine([(slopes[source], w) for source, w in step.terms]))
    return slopes[-1]


@functools.lru_cache(maxsize=1024)
def slope(fn: Nonlinearity, order: int = 1) -> Expression:
    """The derivative of a function of this order, 0 being the function itself, as an expression.

    Raises UsageError for a function that is known by its facts only, from the second order on.
    """
    if order == 0:
        return apply(fn)
    if order > 1:
        return differentiated(slope(fn, order - 1))
    if isinstance(fn.written, Expression):
        return differentiated(fn.written)
    if fn.name in CONSTANT:
        return constant(0.0)
    if fn.name == "power":
        return _of_power(fn.params[0])
    if fn.name in PRIMITIVES:
        names = inspect.signature(REGISTRY[fn.name]).parameters
        return exactly(PRIMITIVES[fn.name], dict(zip(names, map(real, fn.params), strict=True)))
    made = defined_exactly(fn)
    return differentiated(made) if made is not None else apply(stated_slope(fn))


def _of_power(p: float) -> Expression:
    """p·x^(p - 1); where p - 1 is no float64 number, p·x^p/x."""
    less = Real(p) - 1.0
    if not less.exact:
        raised = multiply(apply(make("power", p)), apply(make("reciprocal")))
    elif float(less) in (0.0, 1.0):
        raised = X if less else constant(1.0)
    else:
        known = {0.5: "sqrt", -1.0: "reciprocal"}.get(float(less))
        raised = apply(make("power", float(less)) if known is None else make(known))
    return combine([(raised, p)])


def continuous(fn: Nonlinearity) -> bool:
    """Whether the function jumps nowhere but at poles, where it has no value."""
    return all(not (abs(left) < float("inf") and abs(right) < float("inf")) for _, _, left, right in fn.jumps)
