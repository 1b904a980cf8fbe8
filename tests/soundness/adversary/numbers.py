"""Three kinds of number that graphs are evaluated in: rational numbers, balls of real numbers, masses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb

from tests.soundness.truth import BALLS


class Undecided(Exception):  # noqa: N818 - an event
    """A comparison that balls of this precision do not decide, or a number that is not of this kind."""


@dataclass(frozen=True)
class Field:
    """A kind of number: how a float becomes one, functions by ONNX operator, and how two are compared."""

    number: Callable[[Any], Any]
    functions: Mapping[str, Callable[..., Any]]
    less: Callable[[Any, Any], bool]
    less_equal: Callable[[Any, Any], bool]


@dataclass(frozen=True)
class Mass:
    """Σ |terms| of a number: signs are dropped, so that nothing cancels."""

    size: float

    def __add__(self, other: Mass) -> Mass:
        return Mass(self.size + other.size)

    __sub__ = __add__

    def __mul__(self, other: Mass) -> Mass:
        return Mass(self.size * other.size)

    def __truediv__(self, other: Mass) -> Mass:
        return Mass(self.size / other.size)

    def __neg__(self) -> Mass:
        return self


def root(value: Fraction) -> Fraction:
    """The square root; `Undecided` unless it is rational."""
    over, under = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if over * over != value.numerator or under * under != value.denominator:
        raise Undecided(f"the root of {value} is not rational")
    return Fraction(over, under)


def _ball_less(a: arb, b: arb) -> bool:
    if not (a < b or a >= b):
        raise Undecided("balls overlap")
    return bool(a < b)


def _as_it_is(x: Mass, *_: Any) -> Mass:
    return x


def _together(*parts: Mass) -> Mass:
    return Mass(sum(part.size for part in parts))


ZERO = Fraction(0)

RATIONAL: dict[str, Callable[..., Any]] = {
    "Relu": lambda x: max(x, ZERO),
    "Floor": lambda x: Fraction(math.floor(x)),
    "Ceil": lambda x: Fraction(math.ceil(x)),
    "Round": lambda x: Fraction(round(x)),
    "Sign": lambda x: Fraction((x > 0) - (x < 0)),
    "Abs": abs,
    "LeakyRelu": lambda x, alpha: x if x >= 0 else x * Fraction(alpha),
    "ThresholdedRelu": lambda x, alpha: x if x > Fraction(alpha) else ZERO,
    "Reciprocal": lambda x: 1 / x,
    "Sqrt": root,
}
"""Functions that stay within the rational numbers."""

_SAME_NAME = (
    "abs acos acosh asin asinh atan atanh ceil cos cosh erf exp floor log mish reciprocal relu round sigmoid "
    "sign sin sinh softplus softsign sqrt tan tanh elu celu selu"
).split()

BALL: dict[str, Callable[..., Any]] = {
    **{name.capitalize(): BALLS[name] for name in _SAME_NAME},
    "HardSwish": BALLS["hard_swish"],
    "LeakyRelu": BALLS["leaky_relu"],
    "HardSigmoid": BALLS["hard_sigmoid"],
    "ThresholdedRelu": BALLS["thresholded_relu"],
    "Gelu": lambda x, approximate: BALLS["gelu_tanh" if approximate == b"tanh" else "gelu"](x),
}
"""Functions in balls; their parameters are the node's attributes, in the order of `ATTRIBUTES`."""

ATTRIBUTES = {
    "LeakyRelu": ("alpha",),
    "ThresholdedRelu": ("alpha",),
    "Elu": ("alpha",),
    "Celu": ("alpha",),
    "Selu": ("alpha", "gamma"),
    "HardSigmoid": ("alpha", "beta"),
    "Gelu": ("approximate",),
}
"""What a node has to say about its function; defaults are not known here."""

EXACT = Field(Fraction, RATIONAL, lambda a, b: bool(a < b), lambda a, b: bool(a <= b))
REAL = Field(
    lambda v: v if isinstance(v, arb) else arb(float(v)),
    BALL,
    _ball_less,
    lambda a, b: not _ball_less(b, a),
)
MASSES = Field(
    lambda v: Mass(abs(float(v))),
    {
        **dict.fromkeys(("Relu", "Floor", "Ceil", "Round", "Abs", "LeakyRelu", "ThresholdedRelu"), _as_it_is),
        **dict.fromkeys(("Max", "Min", "Clip"), _together),
        "Sign": lambda x: Mass(1.0),
        "Sqrt": lambda x: Mass(math.sqrt(x.size)),
    },
    lambda a, b: True,
    lambda a, b: True,
)
