"""Arithmetic on tensors under construction, with numpy's broadcasting; constants stay constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from genbab.network import Adjoint, Compose, Diagonal, Identity, LinearMap
from genbab.network.maps.roundings import LEAST, UNIT, of_error
from genbab.network.uncertainty import Uncertainty
from genbab.nonlinear import Product, interval
from genbab.reader.tensors.builder import Builder, flat, index_map, uncertain
from genbab.reader.tensors.exact import ROOM, Ball, ball, over, times, total
from genbab.reader.tensors.functions import function
from genbab.reader.tensors.values import Array, Inexact, Refused, Value, Var, count, room, uniform

HUGE = 1e3
"""A truth value times a number from here on is a function that is 0 exactly where the truth value is: no sum
that is 0 but for rounding.
"""


LIMITS = 64
"""The most different limits of one tensor that are far from 0."""


def combine(b: Builder, parts: Sequence[tuple[Value | Inexact, float]], roundings: int = 0) -> Value:
    """Σ factor · value; the factors went through so many roundings."""
    shape = np.broadcast_shapes(*(v.shape for v, _ in parts))
    room(shape)
    zero = np.zeros(shape)
    constants: list[Ball] = [(zero, zero)]
    variables: list[tuple[Var, float]] = []
    for value, factor in parts:
        if isinstance(value, Var):
            variables.append((value, factor))
        else:
            by = np.array(factor)
            constants.append(times(ball(value), (by, roundings * UNIT * np.abs(by) * ROOM)))
    bias, error = total(constants)
    if not variables:
        return b.number((bias, error))
    if not np.isfinite(bias).all():
        raise Refused("it adds a constant that is not a finite number")
    plain = not bias.any() and not error.any()
    if len(variables) == 1 and variables[0][1] == 1.0 and plain and variables[0][0].size == bias.size:
        return variables[0][0].reshaped(shape)
    rounded = roundings if any(factor not in (1.0, -1.0) for _, factor in variables) else 0
    made = b.affine(
        shape, [_term(b, v, f, shape) for v, f in variables], bias, uncertain(error, shape, rounded)
    )
    if len(variables) == 1 and variables[0][1] == -1.0 and (bias == 1.0).all() and not error.any():
        b.truths.update({made.node} if variables[0][0].node in b.truths else ())
    return made


def add(b: Builder, x: Value | Inexact, y: Value | Inexact) -> Value:
    """x + y."""
    return combine(b, [(x, 1.0), (y, 1.0)])


def subtract(b: Builder, x: Value | Inexact, y: Value | Inexact) -> Value:
    """x - y."""
    return combine(b, [(x, 1.0), (y, -1.0)])


def shift(b: Builder, x: Value, by: float) -> Value:
    """x + by."""
    return combine(b, [(x, 1.0), (np.array(by), 1.0)])


def scale(b: Builder, x: Value | Inexact, by: Array | Inexact | float) -> Value:
    """x · by, with a constant of any shape that broadcasts."""
    return _scaled(b, x, ball(by if isinstance(by, Inexact) else np.asarray(by)))


def _scaled(b: Builder, x: Value | Inexact, by: Ball) -> Value:
    factor, error = by
    if not isinstance(x, Var):
        return b.number(times(ball(x), by))
    shape = np.broadcast_shapes(x.shape, factor.shape)
    room(shape)
    if not np.isfinite(error).all():
        raise Refused("a factor that may be no finite number: it is infinite, or divides and may be 0")
    if not factor.any() and not error.any() and x.node not in b.partial:
        return np.zeros(shape)
    if x.node in b.truths and bool((np.abs(factor) >= HUGE).any()):
        x = _switched(b, x)
    roundings = of_error(flat(factor, shape), flat(error, shape))
    same = uniform(factor)
    if same is not None and roundings is not None:
        return _scale_uniformly(b, x, same, shape, roundings)
    node, moved = b.spread(x, shape)
    weights = []
    if roundings is None:
        weights = [(node, _after(moved, Diagonal(flat(error * ROOM + LEAST, shape))))]
    uncertainty = Uncertainty(roundings or 0, None, tuple(weights))
    return b.affine(shape, [(node, _after(moved, Diagonal(flat(factor, shape))))], None, uncertainty)


def multiply(b: Builder, x: Value | Inexact, y: Value | Inexact) -> Value:
    """x · y; the product of a tensor with itself is its square."""
    if not isinstance(x, Var):
        return scale(b, y, x)
    if not isinstance(y, Var):
        return scale(b, x, y)
    shape = np.broadcast_shapes(x.shape, y.shape)
    if x.node == y.node and x.size == y.size == count(shape):
        return b.nonlinear(function("power", 2), x.reshaped(shape))
    left, right = b.expand(x, shape), b.expand(y, shape)
    assert isinstance(left, Var) and isinstance(right, Var)
    return b.nonlinear(Product(), left, right)


def divide(b: Builder, x: Value | Inexact, y: Value | Inexact) -> Value:
    """x / y."""
    if isinstance(y, Var):
        return multiply(b, x, apply(b, "reciprocal", y))
    if not isinstance(x, Var):
        return b.number(over(ball(x), ball(y)))
    one = np.ones(())
    return _scaled(b, x, over((one, np.zeros(())), ball(y)))


def apply(b: Builder, name: str, x: Value, *parameters: float) -> Value:
    """The library's function of this name, elementwise."""
    if not isinstance(x, Var):
        return b.number(applied(name, ball(x), *parameters))
    return b.nonlinear(function(name, *parameters), x)


def applied(name: str, x: Ball, *parameters: float) -> Ball:
    """The library's function of a constant, from a rigorous range."""
    fn = function(name, *parameters)
    value, error = (np.atleast_1d(part) for part in x)
    with np.errstate(all="ignore"):
        least, most = (torch.from_numpy(np.array(end)) for end in (value - error, value + error))
        if error.any():
            least = torch.nextafter(least, torch.full_like(least, -torch.inf))
            most = torch.nextafter(most, torch.full_like(most, torch.inf))
        low, high = (end.numpy().reshape(x[0].shape) for end in interval(fn, least, most))
        middle = np.where(low == high, low, low + (high - low) / 2)
        spread = np.maximum(high - middle, middle - low)
        return middle, np.where(low == high, 0.0, spread * ROOM + LEAST)


def raised(b: Builder, x: Value, exponent: float) -> Value:
    """x ** exponent."""
    if exponent == 0:
        return shift(b, scale(b, x, 0.0), 1.0) if isinstance(x, Var) else np.ones(x.shape)
    if exponent == 1:
        return x if isinstance(x, Var) else b.number(ball(x))
    special = {0.5: "sqrt", -1.0: "reciprocal"}
    if exponent in special:
        return apply(b, special[exponent], x)
    return apply(b, "power", x, exponent)


def maximum(b: Builder, x: Value, y: Value) -> Value:
    """max(x, y) = y + relu(x - y); a function of its own where y is a constant far from 0."""
    if not isinstance(x, Var) and not isinstance(y, Var):
        return np.asarray(np.maximum(x, y))
    x, y = (y, x) if not isinstance(x, Var) else (x, y)
    if isinstance(x, Var) and not isinstance(y, Var):
        return _limited(b, x, y, "at_least")
    return add(b, y, apply(b, "relu", subtract(b, x, y)))


def minimum(b: Builder, x: Value, y: Value) -> Value:
    """min(x, y) = y - relu(y - x); a function of its own where y is a constant far from 0."""
    if not isinstance(x, Var) and not isinstance(y, Var):
        return np.asarray(np.minimum(x, y))
    x, y = (y, x) if not isinstance(x, Var) else (x, y)
    if isinstance(x, Var) and not isinstance(y, Var):
        return _limited(b, x, y, "at_most")
    return subtract(b, y, apply(b, "relu", subtract(b, y, x)))


def _limited(b: Builder, x: Var, limits: Array, name: str) -> Value:
    """x with constant limits, equal ones together; without those that no number of their type passes."""
    shape = np.broadcast_shapes(x.shape, limits.shape)
    number, sign = np.broadcast_to(limits.astype(np.float64), shape), 1.0 if name == "at_most" else -1.0
    if (number == -sign * np.inf).any():
        raise Refused(f"{'max' if sign < 0 else 'min'}(x, {-sign * np.inf:g})")
    none = sign * number >= (np.finfo(np.float32).max if limits.dtype == np.float32 else np.inf)
    kind = np.where(none, np.inf, np.where(np.abs(number) < HUGE, 0.0, number))
    kinds = np.unique(kind)
    if len(kinds) > LIMITS:
        raise Refused(f"more than {LIMITS} different limits")
    terms: list[tuple[int, LinearMap]] = []
    for one in kinds:
        index = np.where(kind == one, np.cumsum(kind == one).reshape(shape) - 1, -1)
        part = b.gather(b.expand(x, shape), np.flatnonzero(kind == one))
        made = part if np.isinf(one) else apply(b, name, part, one) if one else None
        if made is None:
            near = number[kind == one]
            moved = combine(b, [(part, -sign), (near, sign)])
            made = combine(b, [(near, 1.0), (apply(b, "relu", moved), -sign)])
        assert isinstance(made, Var)
        if len(kinds) == 1:
            return made.reshaped(shape)
        terms.append((made.node, index_map(index, made.size)))
    return b.affine(shape, terms)


def clip(b: Builder, x: Value, low: float, high: float) -> Value:
    """min(max(x, low), high), as ONNX has it: where low > high, high wins."""
    return minimum(b, maximum(b, x, np.array(low)), np.array(high))


def sum_groups(b: Builder, x: Var, groups: Array, shape: Sequence[int]) -> Var:
    """A tensor of this shape whose entry g is the sum of the entries i of x with groups.ravel()[i] == g."""
    return b.affine(shape, [(x.node, Adjoint(index_map(groups, count(shape))))])


def difference(b: Builder, x: Var, plus: Array, minus: Array) -> Var:
    """x.ravel()[plus] - x.ravel()[minus]."""
    negative = Diagonal(torch.full((minus.size,), -1.0, dtype=torch.float64))
    terms = [(x.node, index_map(plus, x.size)), (x.node, Compose((index_map(minus, x.size), negative)))]
    return b.affine(plus.shape, terms)


def _scale_uniformly(b: Builder, x: Var, by: float, shape: Sequence[int], roundings: int) -> Var:
    if by == 1.0 and not roundings:
        made = b.expand(x, shape)
        assert isinstance(made, Var)
        return made
    return b.affine(shape, [_term(b, x, by, shape)], None, Uncertainty(roundings))


def _term(b: Builder, x: Var, factor: float, shape: Sequence[int]) -> tuple[int, LinearMap]:
    node, moved = b.spread(x, shape)
    if factor == 1.0:
        return node, moved
    return node, _after(moved, Diagonal(torch.full((count(shape),), factor, dtype=torch.float64)))


def _after(first: LinearMap, then: LinearMap) -> LinearMap:
    return then if isinstance(first, Identity) else Compose((first, then))


def _switched(b: Builder, x: Var) -> Var:
    """A truth value that is a sum, as a step."""
    if x.node not in b.sums:
        return x
    moved = shift(b, x, -0.5)
    assert isinstance(moved, Var)
    return b.nonlinear(function("step"), moved)
