"""Activations whose parameters are none that the library's function takes: negative, zero or huge ones.

They are put together of others, and their facts are found as those of any formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from genbab.errors import UsageError
from genbab.reader.tensors.arithmetic import add, apply, clip, combine, divide, scale, shift
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.functions import function
from genbab.reader.tensors.values import Refused, Value

HUGE = 2.0**20
"""Beyond, a function of one piece pays on all of its domain for what rounding does to the other piece."""

LARGEST = float(np.finfo(np.float32).max)


def by_parts(b: Builder, kind: str, name: str, x: Value, parameters: list[float]) -> Value | None:
    """The activation of x put together of others; None where the library's function takes the parameters."""
    rule = PARTS.get(kind)
    if rule is None or not all(map(math.isfinite, parameters)):
        return None
    try:
        function(name, *parameters)
    except UsageError:
        return rule(b, x, *parameters)
    return rule(b, x, *parameters) if kind in SIZED and max(map(abs, parameters)) > HUGE else None


def _below(b: Builder, x: Value) -> Value:
    return apply(b, "at_most", x, 0.0)


def _elu(b: Builder, x: Value, alpha: float) -> Value:
    """The sum of relu(x) and of alpha times elu(1) of min(x, 0)."""
    left = apply(b, "elu", _below(b, x), 1.0)
    return combine(b, [(apply(b, "relu", x), 1.0), (left, alpha)])


def _selu(b: Builder, x: Value, alpha: float, gamma: float) -> Value:
    if abs(alpha * gamma) > LARGEST:
        raise Refused(f"alpha={alpha:g} and gamma={gamma:g}: their product is infinite in float32")
    return scale(b, _elu(b, x, alpha), gamma)


def _celu(b: Builder, x: Value, alpha: float) -> Value:
    """Below 0 alpha * (exp(x / alpha) - 1), which falls without end for a negative alpha."""
    if alpha == 0:
        raise Refused("alpha=0: it divides by alpha")
    curve = apply(b, "exp", divide(b, _below(b, x), np.array(alpha)))
    return add(b, apply(b, "relu", x), scale(b, shift(b, curve, -1.0), alpha))


def _hard_sigmoid(b: Builder, x: Value, alpha: float, beta: float) -> Value:
    return clip(b, shift(b, scale(b, x, alpha), beta), 0.0, 1.0)


def _shrink(b: Builder, x: Value, bias: float, lambd: float) -> Value:
    """For lambd below 0: x + bias below -lambd, and x - bias from there on."""
    far = apply(b, "step", shift(b, x, lambd))
    return combine(b, [(shift(b, x, bias), 1.0), (far, -2.0 * bias)])


def swish(b: Builder, x: Value, alpha: float) -> Value:
    """The product of x and sigmoid(alpha · x): x/2 for alpha = 0."""
    if alpha == 0:
        return scale(b, x, 0.5)
    return divide(b, apply(b, "silu", scale(b, x, alpha)), np.array(alpha))


PARTS: dict[str, Callable[..., Value]] = {
    "Elu": _elu,
    "Selu": _selu,
    "Celu": _celu,
    "HardSigmoid": _hard_sigmoid,
    "Shrink": _shrink,
}
SIZED = frozenset(("Elu", "Selu"))
"""Those that are put together for huge parameters, too."""
