"""Values of elementary functions in float64, within 2^-44 of their size where that is normal in float32.

numpy's and scipy's own functions are good to a few units of 2^-53. What loses digits by cancellation or by
a large argument of exp is rewritten; the tests compare all of them with mpmath.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

UNCERTAINTY = 2.0**-44
"""Of the values below, relative to their size; it is added to every error."""

WHOLE = (-math.inf, math.inf)
_ROOT_HALF, _SCALE, _CUBIC = math.sqrt(0.5), math.sqrt(2.0 / math.pi), 0.044715
SELU = 1.67326319217681884765625, 1.05070102214813232421875
QUICK, FIFTH = float(np.float32(1.702)), float(np.float32(0.2))


@dataclass(frozen=True)
class Exact:
    """A function in float64, NaN outside its domain, and where it rises.

    `turns` are the places where it changes direction; right of the last one it goes in `direction`.
    `judged`: where neighbours' order is compared; outside, float32 numbers lie too far apart for it.
    """

    value: Callable[[Array], Array]
    direction: int = 1
    turns: tuple[float, ...] = ()
    judged: tuple[float, float] = WHOLE

    def at(self, x: NDArray[np.float32]) -> Array:
        """The values; NaN outside the domain, infinite at poles."""
        with np.errstate(all="ignore"):
            return self.value(x.astype(np.float64))

    def heading(self, low: float, high: float) -> int:
        """1 or -1 where it rises or falls on [low, high]; 0: not judged; 2: it turns, or may."""
        if low < self.judged[0] or high > self.judged[1]:
            return 0
        if math.isfinite(self.judged[0]) or any(low <= t <= high for t in self.turns):
            return 2
        return self.direction if sum(t > high for t in self.turns) % 2 == 0 else -self.direction


def _by_sign(x: Array, left: Callable[[Array], Array], right: Callable[[Array], Array]) -> Array:
    """`left` at negative numbers, `right` at others; arrays of one sign cost one of them only."""
    negative = x < 0
    if not negative.any():
        return right(x)
    return left(x) if negative.all() else np.where(negative, left(x), right(x))


def _rising(x: Array) -> Array:
    e = np.exp(x)
    return e / (1.0 + e)


def sigmoid(x: Array) -> Array:
    """1/(1 + exp(-x)), from the exponential that does not overflow."""
    return _by_sign(x, _rising, lambda z: 1.0 / (1.0 + np.exp(-z)))


def softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    return _by_sign(x, lambda z: np.log1p(np.exp(z)), lambda z: z + np.log1p(np.exp(-z)))


def gelu(x: Array) -> Array:
    """x*Phi(x); left of 0 by exp(-x*x/2), whose argument is exact, and the scaled erfc."""
    return _by_sign(
        x,
        lambda z: 0.5 * z * (np.exp(-0.5 * z * z) * special.erfcx(-_ROOT_HALF * z)),
        lambda z: 0.5 * z * (1.0 + special.erf(_ROOT_HALF * z)),
    )


def gelu_tanh(x: Array) -> Array:
    """x*(1 + tanh u)/2 = x*sigmoid(2u)."""
    return x * sigmoid(2.0 * _SCALE * (x + _CUBIC * x * x * x))


def mish(x: Array) -> Array:
    """x*tanh(softplus(x)), by tanh(log(1 + t)) = t(t + 2)/(t(t + 2) + 2) with t = exp(x), or 1/t."""
    return _by_sign(x, _mish_left, _mish_right)


def _mish_left(x: Array) -> Array:
    t = np.exp(x)
    top = t * (t + 2.0)
    return x * (top / (top + 2.0))


def _mish_right(x: Array) -> Array:
    n = np.exp(-x)
    top = 1.0 + 2.0 * n
    return x * (top / (top + 2.0 * (n * n)))


def silu(x: Array, alpha: float = 1.0) -> Array:
    """x*sigmoid(alpha*x)."""
    return x * sigmoid(alpha * x)


def elu(x: Array, left: float = 1.0, right: float = 1.0) -> Array:
    """right*x for x > 0, left*(exp(x) - 1) otherwise."""
    return _by_sign(x, lambda z: left * np.expm1(np.minimum(z, 0.0)), lambda z: right * z)


def hard_sigmoid(x: Array) -> Array:
    """min(max(0.2*x + 0.5, 0), 1) with the float32 number next to 0.2."""
    return np.clip(FIFTH * x + 0.5, 0.0, 1.0)


def hard_swish(x: Array) -> Array:
    """x*min(max(x/6 + 1/2, 0), 1), from (x + 3)/6."""
    return x * (np.clip(x + 3.0, 0.0, 6.0) / 6.0)


def softsign(x: Array) -> Array:
    """x/(1 + |x|)."""
    return x / (1.0 + np.abs(x))


POWERS: dict[float, Callable[[Array], Array]] = {
    2.0: np.square,
    3.0: lambda x: x * x * x,
    0.5: np.sqrt,
    -0.5: lambda x: 1.0 / np.sqrt(x),
    -1.0: np.reciprocal,
    1.5: lambda x: x * np.sqrt(x),
}
"""x**p by p."""

_WAVES = (-1024.0, 1024.0)
EXACT: dict[str, Exact] = {
    "exp": Exact(np.exp),
    "log": Exact(np.log),
    "tanh": Exact(np.tanh),
    "sigmoid": Exact(sigmoid),
    "erf": Exact(special.erf),
    "gelu": Exact(gelu, turns=(-0.751791524693564457457904947,)),
    "gelu_tanh": Exact(gelu_tanh, turns=(-0.7524614220710162,)),
    "softplus": Exact(softplus),
    "silu": Exact(silu, turns=(-1.27846454276107379510935873,)),
    "quick_gelu(1.702)": Exact(functools.partial(silu, alpha=QUICK), turns=(-1.2784645427610738 / QUICK,)),
    "mish": Exact(mish, turns=(-1.1924312145154137,)),
    "elu(1)": Exact(elu),
    "selu(1.67326, 1.0507)": Exact(functools.partial(elu, left=SELU[1] * SELU[0], right=SELU[1])),
    "celu(1)": Exact(elu),
    "hard_sigmoid(0.2, 0.5)": Exact(hard_sigmoid),
    "hard_swish": Exact(hard_swish, turns=(-1.5,)),
    "softsign": Exact(softsign),
    "sin": Exact(np.sin, judged=_WAVES),
    "cos": Exact(np.cos, judged=_WAVES),
    "tan": Exact(np.tan, judged=_WAVES),
    "asin": Exact(np.arcsin),
    "acos": Exact(np.arccos, direction=-1),
    "atan": Exact(np.arctan),
    "sinh": Exact(np.sinh),
    "cosh": Exact(np.cosh, turns=(0.0,)),
    "asinh": Exact(np.arcsinh),
    "acosh": Exact(np.arccosh),
    "atanh": Exact(np.arctanh),
    "sqrt": Exact(np.sqrt),
    "reciprocal": Exact(np.reciprocal, direction=-1),
    "power(2)": Exact(POWERS[2.0], turns=(0.0,)),
    "power(3)": Exact(POWERS[3.0]),
    "power(0.5)": Exact(POWERS[0.5]),
    "power(-0.5)": Exact(POWERS[-0.5], direction=-1),
    "power(-1)": Exact(POWERS[-1.0], direction=-1),
    "power(1.5)": Exact(POWERS[1.5]),
}
"""By the names that genbab prints for its functions."""
