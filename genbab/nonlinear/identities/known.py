"""Known functions, found in expressions that spell them out: every rewriting is exact over the real numbers.

Constants stay what a file's float32 made of them: k·a·(1 + erf a) = k·√2·gelu(√2·a) whatever a is, so a √2
that is slightly off inside leaves no error outside. What float64 rounds on the way stays with the numbers
(`Real`), as does what the cubic coefficient of a tanh-GELU is off by.
"""

from __future__ import annotations

from collections.abc import Callable

from genbab.errors import UsageError
from genbab.nonlinear.expressions.expression import Expression, X, apply, combine, multiply
from genbab.nonlinear.expressions.steps import Apply, Argument, Multiply
from genbab.nonlinear.facts.real import real, root
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import make
from genbab.nonlinear.identities.gated import gated
from genbab.nonlinear.identities.polynomial import ONE, ROUNDING, expanded, opened, outermost
from genbab.nonlinear.identities.switches import of_step, switched

FAR = 1e3
"""How far from 0, in x and in value, the vertex of a parabola is written out."""


def rewritten(expression: Expression) -> Expression:
    """The same function, with silu, gelu, softplus, sigmoid, powers … in place of their spellings."""
    parts: list[Expression] = []
    for step in switched(expression).steps:
        if isinstance(step, Argument):
            parts.append(X)
        elif isinstance(step, Apply):
            parts.append(_applied(step.fn, parts[step.a]))
        elif isinstance(step, Multiply):
            parts.append(_known(_multiplied(parts[step.a], parts[step.b])))
        else:
            parts.append(_known(combine([(parts[source], w) for source, w in step.terms], step.shift)))
    return parts[-1]


def _scaled(expression: Expression, factor: float) -> Expression:
    return combine([(expression, factor)])


def _single(expression: Expression) -> tuple[str, Expression, float, float] | None:
    """(name, u, factor, shift) when the expression is shift + factor · name(u).

    name: without parameters, or a power.
    """
    parts, shift = opened(expression)
    found = outermost(parts[0][0]) if len(parts) == 1 else None
    return (found[0].name, found[1], parts[0][1], shift) if found is not None else None


def _power(u: Expression, p: float) -> Expression:
    if p == 1.0:
        return u
    return apply(make({0.5: "sqrt", -1.0: "reciprocal"}[p]) if p in (0.5, -1.0) else make("power", p), u)


def _exponent(expression: Expression) -> tuple[Expression, float] | None:
    """(u, p) when the expression is the p-th power of u."""
    found = outermost(expression)
    if found is None or found[0].name not in ("power", "sqrt", "reciprocal"):
        return None
    fn, u = found
    return u, {"sqrt": 0.5, "reciprocal": -1.0}.get(fn.name) or fn.params[0]


def _applied(fn: Nonlinearity, u: Expression) -> Expression:
    """fn(u); UsageError where u does not depend on x."""
    if u.affine is not None and u.affine[0] == 0.0:
        raise UsageError("a function of a constant is no function of x")
    rule = _OF.get(fn.name)
    return (rule(fn, u) if rule is not None else None) or apply(fn, u)


def _of_power(fn: Nonlinearity, u: Expression) -> Expression | None:
    """Powers of powers, where both sides have one domain: 1/√u, (uⁿ)ᵐ, (1/u)ⁿ, |u|²ⁿ, √(u²), exp(u)ⁿ."""
    p = _exponent(apply(fn, X))
    parts, shift = opened(u)
    assert p is not None
    if shift or len(parts) != 1:
        return _logistic(fn, parts, shift)
    (inner, c), outer = parts[0], p[1]
    whole = outer == int(outer)
    found = outermost(inner)
    if found is not None and found[0].name == "exp" and (whole or c > 0.0):
        return _scaled(apply(found[0], _scaled(found[1], outer)), _raised(c, outer))
    if found is not None and found[0].name == "abs" and whole and outer % 2 == 0:
        return _scaled(_power(found[1], outer), _raised(c, outer))
    base = _exponent(inner)
    if base is None:
        return None
    v, q = base
    if outer == 0.5 and q == 2.0 and c > 0.0:
        return _scaled(apply(make("abs"), v), root(c))
    integers = whole and q == int(q) and (outer > 0 or q > 0)
    inverse = outer == -1.0 and q > 0
    return _scaled(_power(v, real(outer) * q), _raised(c, outer)) if integers or inverse else None


def _raised(c: float, p: float) -> float:
    try:
        return real(c) ** p
    except (OverflowError, ZeroDivisionError) as error:
        raise UsageError("an expression needs finite numbers") from error


def _logistic(fn: Nonlinearity, parts: list[tuple[Expression, float]], shift: float) -> Expression | None:
    """1 / (s + s·exp(u)) = sigmoid(-u) / s."""
    found = outermost(parts[0][0]) if len(parts) == 1 else None
    if fn.name != "reciprocal" or found is None or found[0].name != "exp" or parts[0][1] != shift:
        return None
    return _scaled(apply(make("sigmoid"), _scaled(found[1], -1.0)), 1.0 / shift)


def _of_log(fn: Nonlinearity, u: Expression) -> Expression | None:
    """log(1 + exp(v)) = softplus(v), log(sigmoid(v)) = -softplus(-v), log(exp(v)) = v."""
    found = _single(u)
    if found is None or found[2] != 1.0:
        return None
    name, v, _, shift = found
    if name == "exp" and shift in (0.0, 1.0):
        return apply(make("softplus"), v) if shift else v
    if name == "sigmoid" and not shift:
        return _scaled(apply(make("softplus"), _scaled(v, -1.0)), -1.0)
    return None


def _of_itself(fn: Nonlinearity, u: Expression) -> Expression | None:
    """relu(relu(v)) = relu(v), |relu(v)| = relu(v), ||v|| = |v|, relu(|v|) = |v|, and with factors c > 0."""
    parts, shift = opened(u)
    found = outermost(parts[0][0]) if len(parts) == 1 else None
    plain = found is not None and not shift and found[0].name in ("relu", "abs", "softplus", "sigmoid", "exp")
    return u if plain and parts[0][1] > 0.0 else None


def _of_relu(fn: Nonlinearity, u: Expression) -> Expression | None:
    """relu(c - d·relu(v)) = c - d·clip(v, 0, c/d) for c, d > 0, or as `_of_itself`."""
    parts, shift = opened(u)
    found = outermost(parts[0][0]) if len(parts) == 1 else None
    if found is not None and found[0].name == "relu" and shift > 0.0 > parts[0][1]:
        d = -parts[0][1]
        return combine([(apply(make("clip", 0.0, shift / d), found[1]), -d)], shift)
    return _of_itself(fn, u)


_OF: dict[str, Callable[[Nonlinearity, Expression], Expression | None]] = {
    "power": _of_power,
    "sqrt": _of_power,
    "reciprocal": _of_power,
    "log": _of_log,
    "relu": _of_relu,
    "abs": _of_itself,
    "step": of_step,
    "positive": of_step,
}


def _multiplied(x: Expression, y: Expression) -> Expression:
    """x · y; exp(u) · exp(v) = exp(u + v)."""
    product = multiply(x, y)
    parts, shift = opened(product)
    last = parts[0][0].steps[-1] if parts else None
    if not isinstance(last, Multiply) or shift:
        return product
    pair = [outermost(Expression(parts[0][0].steps[: i + 1])) for i in (last.a, last.b)]
    if not all(found is not None and found[0].name == "exp" for found in pair):
        return product
    inner = combine([(found[1], 1.0) for found in pair if found is not None])
    return _scaled(apply(make("exp"), inner) if inner.affine != (0.0, 0.0) else combine([], 1.0), parts[0][1])


def _known(expression: Expression) -> Expression:
    return gated(expression) or _square(expression)


def _square(expression: Expression) -> Expression:
    """A quadratic polynomial as c·(x + h)² + d, when it is written with a product.

    As c·x² + b·x + d where that would lose accuracy.
    """
    parts, _ = opened(expression)
    if not any(isinstance(part.steps[-1], Multiply) for part, _ in parts) or expression.functions != 1:
        return expression
    polynomial = expanded(expression)
    x = X.digest
    if polynomial is None or not set(polynomial.terms) <= {ONE, ((x, 1),), ((x, 2),)}:
        return expression
    b, c = polynomial.terms.get(((x, 1),), 0.0), polynomial.terms.get(((x, 2),), 0.0)
    if abs(c) <= ROUNDING * abs(b):
        return expression
    half = b / (2.0 * c)
    if abs(half) > FAR or abs(half * b) > FAR * (abs(b) + abs(c) + abs(polynomial.terms.get(ONE, 0.0))):
        return polynomial.expression()  # the square would be so large that rounding shows
    square = apply(make("power", 2), combine([(X, 1.0)], half))
    return combine([(square, c)], polynomial.terms.get(ONE, 0.0) - c * half * half)
