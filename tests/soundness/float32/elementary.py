"""Functions of one number with errors: exact values in float64, moved to the edge of what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .arithmetic import Arithmetic
from .styles import STEERED, Array

STEP = 1 / 16
"""Distance of the points from which Erf is expanded."""
END = 6.5
"""From here on Erf is 1 in float64."""
DEGREE = 11
TERMS = 48
"""Of the continued fraction of 1 - Erf, which starts at 2."""


def _erf_table() -> Array:
    """Taylor coefficients (DEGREE, points) of Erf at multiples of STEP, by Hermite polynomials."""
    rows = []
    for place in np.arange(0.0, END + STEP, STEP).tolist():
        hermite = [1.0, 2.0 * place]
        for k in range(1, DEGREE):
            hermite.append(2.0 * place * hermite[k] - 2.0 * k * hermite[k - 1])
        slope = 2.0 / math.sqrt(math.pi) * math.exp(-place * place)
        taylor = [(-1) ** k * slope * hermite[k] / math.factorial(k + 1) for k in range(DEGREE - 1)]
        rows.append([math.erf(place), *taylor])
    return np.array(rows).T


_TAYLOR = _erf_table()


def erf(x: Array) -> Array:
    """The error function of float64 numbers, to a few units of float64's last place."""
    size = np.minimum(np.nan_to_num(np.abs(x), nan=END), END)
    place = np.rint(size / STEP).astype(np.intp)
    h = size - place * STEP
    value = np.zeros_like(size)
    for row in _TAYLOR[::-1]:
        value = value * h + row[place]
    return np.where(np.isnan(x), np.nan, np.copysign(value, x))


def _complement(z: Array) -> Array:
    """1 - erf(z) for z >= 0, by the continued fraction where digits would cancel."""
    large = np.maximum(z, 2.0)
    part = large
    for k in range(TERMS, 0, -1):
        part = large + 0.5 * k / part
    tail = np.exp(-large * large) / (math.sqrt(math.pi) * part)
    return np.where(z < 2.0, 1.0 - erf(z), tail)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) in float64."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def gelu(x: Array) -> Array:
    """x times the normal distribution, in float64."""
    below = 0.5 * _complement(np.abs(x) / math.sqrt(2.0))
    return np.asarray(x * np.where(x < 0, below, 1.0 - below))


def gelu_by_tanh(x: Array) -> Array:
    """The approximation of gelu by Tanh, in float64: x · sigmoid(2·sqrt(2/π)·(x + 0.044715·x³))."""
    return np.asarray(x * sigmoid(2.0 * math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def mish(x: Array) -> Array:
    """x times the Tanh of softplus, in float64: with n = exp(-|x|), a ratio of sums of positive numbers."""
    n = np.exp(-np.abs(x))
    left, right = (n * n + 2.0 * n) / (n * n + 2.0 * n + 2.0), (1.0 + 2.0 * n) / (1.0 + 2.0 * n + 2.0 * n * n)
    return np.asarray(x * np.where(x < 0, left, right))


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) in float64."""
    return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))))


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "Exp": np.exp,
    "Log": np.log,
    "Tanh": np.tanh,
    "Sigmoid": sigmoid,
    "Softplus": softplus,
    "Gelu": gelu,
    "Gelu tanh": gelu_by_tanh,
    "Mish": mish,
    "Erf": erf,
    "Sin": np.sin,
    "Cos": np.cos,
}
"""Name to the exact value, with 14 correct digits; `Pow` is the one function of two numbers."""

RANGES = {
    "Exp": (0.0, np.inf),
    "Tanh": (-1.0, 1.0),
    "Sigmoid": (0.0, 1.0),
    "Softplus": (0.0, np.inf),
    "Erf": (-1.0, 1.0),
    "Sin": (-1.0, 1.0),
    "Cos": (-1.0, 1.0),
}


def function(m: Arithmetic, name: str, x: Array) -> Array:
    """The named function of x, float32, in the style."""
    if x.dtype != np.float32:
        raise TypeError(f"{name} of {x.dtype}: only float32 is emulated")
    return near(m, name, FUNCTIONS[name](x.astype(np.float64)), x)


def power(m: Arithmetic, x: Array, exponent: Array) -> Array:
    """x to the power of `exponent`, as one function."""
    first = float(exponent.reshape(-1)[0])
    name = f"Pow({first:g})" if (exponent == np.float32(first)).all() else "Pow"
    x, exponent = np.broadcast_arrays(x, exponent)
    return near(m, name, np.power(x.astype(np.float64), exponent.astype(np.float64)), x)


def near(m: Arithmetic, name: str, exact: Array, x: Array) -> Array:
    """A float32 number in the allowed error of the exact value, where the style wants it."""
    edges = m.style.edges
    seed = m.draw().randrange(2**32)
    nearest: Array = exact.astype(np.float32)
    if edges == "nearest":
        return m.result(nearest)
    side = np.broadcast_to(m.signs(x.shape[1:]), x.shape) if edges == STEERED else _sides(edges, x, seed)
    absolute, relative = m.style.allowed(name, x)
    error = (absolute + relative * np.abs(exact)) * (1.0 - 2.0**-20)  # exact has 13 digits
    edge = exact + side * error
    found = towards(edge, np.where(side > 0, -np.inf, np.inf))
    kept = np.isfinite(exact) & ((found - exact) * side >= 0)
    found = np.where(kept, found, nearest)
    if m.style.ranges and name in RANGES:
        low, high = RANGES[name]
        found = np.clip(found, np.float32(low), np.float32(high))
    return m.result(found)


def towards(edge: Array, goal: Array) -> Array:
    """The float32 number nearest to the edge on its side of the goal (infinity of either sign)."""
    found: Array = edge.astype(np.float32)
    passed = np.where(goal > 0, found < edge, found > edge)
    return np.where(passed, np.nextafter(found, goal.astype(np.float32)), found)


def _sides(edges: str, x: Array, seed: int) -> Array:
    """Where in the allowed error results lie, from -1 to 1; chance depends on x and on the place in it."""
    if edges in ("up", "down"):
        return np.full(x.shape, 1.0 if edges == "up" else -1.0)
    places = np.arange(math.prod(x.shape[1:]), dtype=np.uint64).reshape(1, *x.shape[1:])
    bits = np.ascontiguousarray(x).view(np.uint32).astype(np.uint64)
    mixed = bits * np.uint64(0x9E3779B97F4A7C15) + places * np.uint64(0xD1B54A32D192ED03) + np.uint64(seed)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    share = (mixed >> np.uint64(40)).astype(np.float64) / 2.0**24
    return np.where(share < 0.5, -1.0, 1.0) if edges == "random" else 2.0 * share - 1.0
