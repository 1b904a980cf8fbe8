"""Known functions in sums P + Q·gate, where P and Q are polynomials: silu, gelu, mish, softsign, hard_swish.

Every replacement is exact over the real numbers for the constants as they are; where Q is no multiple of the
gate's argument nothing is replaced.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from genbab.nonlinear.expressions.expression import Expression, apply, combine
from genbab.nonlinear.expressions.steps import Apply
from genbab.nonlinear.facts.real import Real, real, root
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import make
from genbab.nonlinear.identities.polynomial import ONE, Polynomial, expanded, opened, outermost, uncertain

CUBIC = 1.5e-7
"""Relative difference of a tanh-GELU's cubic coefficient that is still one: float32's rounding of 0.044715,
of √(2/π) and of their product (docs/decisions.md, 10).
"""

_UNIT = Real(math.sqrt(2.0 / math.pi), 4e-16, 1)
_ROOT = root(2.0)

STEEP = 1.5
"""More than the largest t⁴·(1 - tanh(s)²) for s near √(2/π)·(t + 0.044715 t³)."""

Gated = tuple[Expression, float, int, float]
"""(g, c, n, e): Q·gate = c·g + n·Q, but for e at most."""

Rule = Callable[[Nonlinearity, Expression, Polynomial], list[Gated]]
"""(f, u, Q) to the ways of writing Q·f(u)."""


def gated(expression: Expression) -> Expression | None:
    """P + Q·gate with a known function in place of Q·gate, for every gate that has one; None: for none."""
    names = {step.fn.name for step in expression.steps if isinstance(step, Apply)}
    polynomial = expanded(expression) if names & _GATES.keys() else None
    if polynomial is None:
        return None
    changed = False
    for digest, atom in list(polynomial.atoms.items()):
        better = _with_known(polynomial, digest, atom)
        if better is not None:
            polynomial, changed = better, True
    return polynomial.expression() if changed else None


def _with_known(polynomial: Polynomial, digest: str, atom: Expression) -> Polynomial | None:
    """The polynomial with Q·atom replaced, in the way that leaves fewest other terms."""
    found = outermost(atom)
    rule = _GATES.get(found[0].name) if found is not None else None
    factor = polynomial.divided(digest) if rule is not None else None
    if rule is None or found is None or factor is None or not factor.terms or set(factor.terms) == {ONE}:
        return None
    best: Polynomial | None = None
    for g, c, n, error in rule(found[0], found[1], factor):
        rest = polynomial.without(digest).plus(factor, float(n))
        rest = rest.plus(uncertain(error), 1.0) if error else rest
        made = expanded(g)
        total = rest.plus(made, c) if made is not None else None
        if total is not None and (best is None or len(total.terms) < len(best.terms)):
            best = total
    return best


def _scaled(expression: Expression, factor: float) -> Expression:
    return combine([(expression, factor)])


def _mirrored(name: str, u: Expression, scale: float, c: float, n: int, error: float = 0.0) -> list[Gated]:
    """Q·gate = c·f(scale·u) + n·Q, c·scale·u = (1 - n)·Q and f(t) - f(-t) = t: with f(-t), n becomes 1."""
    fn = make(name)
    return [(apply(fn, _scaled(u, scale)), c, n, error), (apply(fn, _scaled(u, -scale)), c, 1, error)]


def _by_sigmoid(fn: Nonlinearity, u: Expression, factor: Polynomial) -> list[Gated]:
    """k·u·sigmoid(u) = k·silu(u); with u = 2√(2/π)(v + 0.044715 v³), r·sigmoid(u) = (r/v)·gelu_tanh(v)."""
    inner = expanded(u)
    if inner is None:
        return []
    k = factor.over(inner)
    return _cubic(inner, factor, 2.0, 0) if k is None else _mirrored("silu", u, 1.0, k, 0)


def _by_tanh(fn: Nonlinearity, u: Expression, factor: Polynomial) -> list[Gated]:
    """k·u·tanh(u) = k·silu(2u) - k·u; r·tanh(√(2/π)(v + 0.044715 v³)) = (2r/v)·gelu_tanh(v) - r; k·mish."""
    inner = expanded(u)
    if inner is None:
        return []
    k = factor.over(inner)
    if k is not None:
        return _mirrored("silu", u, 2.0, k, -1)
    found = outermost(u)
    base = expanded(found[1]) if found is not None and found[0].name == "softplus" else None
    if found is None or base is None:
        return _cubic(inner, factor, 1.0, -1)
    k = factor.over(base)
    return [] if k is None else [(apply(make("mish"), found[1]), k, 0, 0.0)]


def _by_erf(fn: Nonlinearity, u: Expression, factor: Polynomial) -> list[Gated]:
    """k·u·erf(u) = k·√2·gelu(√2·u) - k·u."""
    inner = expanded(u)
    k = factor.over(inner) if inner is not None else None
    return [] if k is None else _mirrored("gelu", u, _ROOT, k * _ROOT, -1)


def _cubic(inner: Polynomial, factor: Polynomial, times: float, n: int) -> list[Gated]:
    """The tanh-GELU, when factor = q·A and inner = times·√(2/π)·(αA + 0.044715 (αA)³) for an atom A."""
    linear = next(iter(factor.terms))
    cube = tuple((a, 3) for a, _ in linear)
    if len(factor.terms) != 1 or len(linear) != 1 or linear[0][1] != 1 or set(inner.terms) != {linear, cube}:
        return []
    unit, first, third = times * _UNIT, inner.terms[linear], inner.terms[cube]
    alpha = first / unit
    off = abs(third - unit * 0.044715 * alpha**3)
    if not inner.clean or float(off) > CUBIC * abs(float(third)):
        return []
    q = factor.terms[linear]
    lost = STEEP * (float(off) + off.error) * abs(q) / (abs(alpha) ** 4 * times * times)
    error = float(lost) + lost.error
    return _mirrored("gelu_tanh", inner.atoms[linear[0][0]], alpha, 2.0 * q / (alpha * times), n, error)


def _by_reciprocal(fn: Nonlinearity, u: Expression, factor: Polynomial) -> list[Gated]:
    """k·v/(c + d|v|) = (k/d)·softsign(dv/c); k·(eᵘ - e⁻ᵘ)/(eᵘ + e⁻ᵘ) = k·tanh(u)."""
    parts, shift = opened(u)
    found = [(*inner, weight) for part, weight in parts if (inner := outermost(part)) is not None]
    names = [f.name for f, _, _ in found]
    if len(found) != len(parts):
        return []
    if names == ["abs"] and shift > 0.0 and found[0][2] > 0.0:
        _, v, d = found[0]
        base = expanded(v)
        k = factor.over(base) if base is not None else None
        return [] if k is None else [(apply(make("softsign"), _scaled(v, d / shift)), k / d, 0, 0.0)]
    if names == ["exp", "exp"] and not shift and found[0][2] == found[1][2]:
        (_, v, d), (_, w, _) = found
        difference = expanded(combine([(parts[0][0], 1.0), (parts[1][0], -1.0)]))
        opposite = combine([(v, 1.0), (w, 1.0)]).affine == (0.0, 0.0)
        k = factor.over(difference) if opposite and difference is not None else None
        return [] if k is None else [(apply(make("tanh"), v), k / d, 0, 0.0)]
    return []


def _by_clip(fn: Nonlinearity, u: Expression, factor: Polynomial) -> list[Gated]:
    """k·a·v·clip(a·v + b, 0, 2b) = k·(2b²/3)·hard_swish(3a·v/b)."""
    low, high = fn.params if fn.name == "clip" else (0.0, 1.0)
    inner = expanded(u if fn.name == "clip" else combine([(u, fn.params[0])], fn.params[1]))
    b = inner.terms.get(ONE, real(0.0)) if inner is not None else real(0.0)
    if inner is None or low != 0.0 or b <= 0.0 or high != 2.0 * b:
        return []
    base = inner.only(lambda m: m != ONE)
    k = factor.over(base)
    swish = apply(make("hard_swish"), _scaled(base.expression(), 3.0 / b)) if k is not None else None
    return [] if k is None or swish is None else [(swish, k * b * b / 1.5, 0, 0.0)]


_GATES: dict[str, Rule] = {
    "sigmoid": _by_sigmoid,
    "tanh": _by_tanh,
    "erf": _by_erf,
    "reciprocal": _by_reciprocal,
    "clip": _by_clip,
    "hard_sigmoid": _by_clip,
}
