"""An elementwise Python function of torch tensors, run once on a stand-in, as an expression."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch

from genbab.errors import UsageError
from genbab.nonlinear.expressions.expression import Expression, X
from genbab.nonlinear.expressions.traced import (
    CALLS,
    Traced,
    applied,
    condition,
    maximum,
    minimum,
    number,
    power,
    quotient,
    remainder,
    traced,
    truncated,
)

PLAIN = (
    "abs acos acosh asin asinh atan atanh ceil cos cosh erf exp floor log mish reciprocal relu sigmoid "
    "sign silu sin sinh softsign sqrt tan tanh"
).split()
"""Functions of torch that have the same name here."""

SAME = {
    "absolute": "abs",
    "arctan": "atan",
    "arcsin": "asin",
    "arccos": "acos",
    "hardswish": "hard_swish",
    "sgn": "sign",
    "expit": "sigmoid",
}
SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946)
"""The constants of torch, which are not quite those of ONNX."""


def trace(function: Callable[..., Any], *params: float, name: str = "the function") -> Expression:
    """What an elementwise function of torch tensors computes, called as function(x, *params).

    Arithmetic, comparisons, torch.where, and the functions of torch and torch.nn.functional that genbab knows
    may be used; branches of Python on values may not. Raises UsageError saying what was in the way.
    """
    try:
        made = function(Traced(X), *params)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises
        what = f"{type(error).__name__}: {error}"
        raise UsageError(f"{name}: it cannot be followed: {what}") from error
    if isinstance(made, Traced):
        return made.expression
    raise UsageError(f"{name}: it gives {type(made).__name__}, not something made of its argument")


def _fmod(x: Any, divisor: Any) -> Traced:
    """What is left of x after whole steps of the divisor, with the sign of x."""
    c, whole = number(divisor, "the divisor of a remainder"), traced(x)
    return whole - truncated(whole / c) * c


def _round(x: Traced, decimals: int = 0) -> Traced:
    return applied("round", x * 10.0**decimals) * 10.0**-decimals


def _where(first: Any, second: Any, other: Any) -> Traced:
    """torch.where(condition, yes, no), or the method yes.where(condition, no)."""
    method = isinstance(second, Traced) and second.truth and not traced(first).truth
    when, yes = (second, first) if method else (first, second)
    a, b = traced(yes), traced(other)
    return b + Traced(condition(when)) * (a - b)


def _clamp(x: Any, min: Any = None, max: Any = None) -> Traced:  # noqa: A002 - torch's names
    x = traced(x) if min is None or min == -math.inf else maximum(x, min)
    return x if max is None or max == math.inf else minimum(x, max)


def _threshold(x: Any, threshold: Any, value: Any) -> Traced:
    return _where(traced(x) > threshold, x, value)


def _prelu(x: Any, weight: Any) -> Traced:
    return applied("leaky_relu", x, number(weight, "a slope"))


def _heaviside(x: Any, values: Any) -> Traced:
    """0 below 0, 1 above, and at 0 the given value, if it is a limit there or their mean."""
    at_zero = number(values, "the value at 0")
    if at_zero not in (0.0, 0.5, 1.0):
        raise UsageError(f"heaviside with the value {at_zero:g} at 0; it can be 0, 0.5 or 1")
    if at_zero == 0.5:
        return applied("sign", traced(x)) * 0.5 + 0.5
    return Traced((traced(x) >= 0 if at_zero else traced(x) > 0).expression)


def _logaddexp(x: Any, y: Any, base: float = math.e) -> Traced:
    """log(base**x + base**y) in that base."""
    a, b = traced(x), traced(y)
    size = math.log(base)
    return b + applied("softplus", (a - b) * size) * (1.0 / size)


def _lerp(x: Any, end: Any, weight: Any) -> Traced:
    return traced(x) + traced(weight) * (traced(end) - traced(x))


def _added(x: Any, a: Any, b: Any, value: Any = 1.0) -> Traced:
    """x + value·a·b."""
    return traced(x) + traced(value) * traced(a) * traced(b)


def _added_quotient(x: Any, a: Any, b: Any, value: Any = 1.0) -> Traced:
    return traced(x) + traced(value) * traced(a) / traced(b)


def _softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Traced:
    """The true softplus, which torch's own formula leaves by up to exp(-threshold)/beta."""
    if math.exp(-threshold) > 1e-8 * abs(beta):
        raise UsageError(
            f"softplus with beta={beta:g}, threshold={threshold:g} jumps; leave the threshold out"
        )
    return applied("softplus", x * beta) * (1.0 / beta)


def _gelu(x: Any, approximate: str = "none") -> Traced:
    return applied("gelu_tanh" if approximate == "tanh" else "gelu", x)


def _converted(x: Traced, *args: Any, **named: Any) -> Traced:
    """The number itself, in another floating-point type; truth values may become whole numbers."""
    kinds = [a for a in (*args, *named.values()) if isinstance(a, torch.dtype)]
    rounds = any(not kind.is_floating_point for kind in kinds) and not x.truth
    if rounds or any(isinstance(a, str) for a in args):
        raise UsageError("it converts its argument to another type of number")
    return Traced(x.expression)


def _whole(x: Traced) -> Traced:
    return _converted(x, torch.int64)


def _logit(x: Any, eps: float | None = None) -> Traced:
    inside = traced(x) if eps is None else _clamp(x, eps, 1.0 - eps)
    return applied("log", inside) - applied("log", 1.0 - inside)


def _rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Traced:
    if training:
        raise UsageError("it is random (rrelu in training mode)")
    return applied("leaky_relu", x, (lower + upper) / 2)


ARITHMETIC: dict[str, Callable[..., Traced]] = {
    "add": lambda x, y, alpha=1.0: traced(x) + traced(y) * alpha,
    "sub": lambda x, y, alpha=1.0: traced(x) - traced(y) * alpha,
    "mul": lambda x, y: traced(x) * traced(y),
    "div": quotient,
    "floor_divide": lambda x, y: quotient(x, y, "floor"),
    "neg": lambda x: -x,
    "positive": lambda x: x,
    "pow": power,
    "square": lambda x: power(x, 2.0),
    "rsqrt": lambda x: applied("power", x, -0.5),
    "remainder": remainder,
    "fmod": _fmod,
    "frac": lambda x: _fmod(x, 1.0),
    "trunc": truncated,
    "round": _round,
    "lerp": _lerp,
    "addcmul": _added,
    "addcdiv": _added_quotient,
    "deg2rad": lambda x: x * (math.pi / 180.0),
    "rad2deg": lambda x: x * (180.0 / math.pi),
    "maximum": maximum,
    "minimum": minimum,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": lambda x, max: _clamp(x, None, max),  # noqa: A006
    "where": _where,
    "heaviside": _heaviside,
    "ge": lambda x, y: traced(x) >= y,
    "le": lambda x, y: traced(x) <= y,
    "gt": lambda x, y: traced(x) > y,
    "lt": lambda x, y: traced(x) < y,
    "logical_and": lambda x, y: traced(x) & y,
    "logical_or": lambda x, y: traced(x) | y,
    "logical_xor": lambda x, y: traced(x) ^ y,
    "logical_not": lambda x: ~x,
}
FUNCTIONS: dict[str, Callable[..., Traced]] = {
    **{name: functools.partial(applied, name) for name in PLAIN},
    **{name: functools.partial(applied, ours) for name, ours in SAME.items()},
    "exp2": lambda x: applied("exp", x * math.log(2.0)),
    "expm1": lambda x: applied("exp", x) - 1.0,
    "log1p": lambda x: applied("log", x + 1.0),
    "log2": lambda x: applied("log", x) * (1.0 / math.log(2.0)),
    "log10": lambda x: applied("log", x) * (1.0 / math.log(10.0)),
    "logit": _logit,
    "erfc": lambda x: 1.0 - applied("erf", x),
    "logaddexp": _logaddexp,
    "logaddexp2": lambda x, y: _logaddexp(x, y, 2.0),
    "log_sigmoid": lambda x: -applied("softplus", -x),
    "softplus": _softplus,
    "gelu": _gelu,
    "relu6": lambda x: _clamp(x, 0.0, 6.0),
    "hardtanh": lambda x, min_val=-1.0, max_val=1.0: _clamp(x, min_val, max_val),
    "leaky_relu": lambda x, negative_slope=0.01: applied("leaky_relu", x, negative_slope),
    "prelu": _prelu,
    "rrelu": _rrelu,
    "elu": lambda x, alpha=1.0: applied("elu", x, alpha),
    "celu": lambda x, alpha=1.0: applied("celu", x, alpha),
    "selu": lambda x: applied("selu", x, *SELU),
    "hardshrink": lambda x, lambd=0.5: applied("shrink", x, 0.0, lambd),
    "softshrink": lambda x, lambd=0.5: applied("shrink", x, lambd, lambd),
    "tanhshrink": lambda x: x - applied("tanh", x),
    "threshold": _threshold,
    "hardsigmoid": lambda x: applied("hard_sigmoid", x, 1.0 / 6.0, 0.5),
}
TENSORS: dict[str, Callable[..., Traced]] = {
    "to": _converted,
    "type": _converted,
    "int": _whole,
    "long": _whole,
    "float": _converted,
    "double": _converted,
    "type_as": lambda x, y: Traced(x.expression),
    "clone": lambda x, **k: x,
    "contiguous": lambda x, **k: x,
    "zeros_like": lambda x, **k: traced(0.0),
    "ones_like": lambda x, **k: traced(1.0),
    "full_like": lambda x, value, **k: traced(value),
}
OTHERWISE = {
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "negative": "neg",
    "float_power": "pow",
    "fix": "trunc",
    "max": "maximum",
    "min": "minimum",
    "fmax": "maximum",
    "fmin": "minimum",
    "clip": "clamp",
    "greater_equal": "ge",
    "less_equal": "le",
    "greater": "gt",
    "less": "lt",
    "logsigmoid": "log_sigmoid",
}
"""Second names."""

CALLS.update(ARITHMETIC | FUNCTIONS | TENSORS)
CALLS.update({second: CALLS[name] for second, name in OTHERWISE.items()})
