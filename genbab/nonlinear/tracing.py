"""An elementwise Python function of torch tensors, run once on a stand-in, as an expression."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch

from genbab.errors import UsageError
from genbab.nonlinear.expression import Expression, X, apply, combine, multiply
from genbab.nonlinear.registry import REGISTRY, make

PLAIN = (
    "abs acos acosh asin asinh atan atanh ceil cos cosh erf exp floor log mish reciprocal relu round sigmoid "
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
}


def trace(function: Callable[..., Any], *params: float, name: str = "the function") -> Expression:
    """What an elementwise function of torch tensors computes, called as function(x, *params).

    Arithmetic, comparisons, torch.where, and the functions of torch and torch.nn.functional that genbab knows
    may be used; branches of Python on values may not. Raises UsageError saying what was in the way.
    """
    try:
        made = function(Traced(X), *params)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    except (TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{name}: it cannot be followed: {error}") from error
    if isinstance(made, Traced):
        return made.expression
    raise UsageError(f"{name}: it gives {type(made).__name__}, not something made of its argument")


class Traced:
    """A stand-in for a tensor: remembers what is done to it."""

    def __init__(self, expression: Expression, truth: bool = False) -> None:
        self.expression, self.truth = expression, truth

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _called(getattr(function, "__name__", str(function)), args, kwargs or {})

    def __getattr__(self, method: str) -> Any:
        if method.startswith("__"):
            raise AttributeError(method)
        if method not in CALLS and method not in REGISTRY and not method.endswith("_"):
            raise UsageError(f"it asks for '{method}' of its argument, which genbab cannot follow")
        return lambda *args, **kwargs: _called(method, (self, *args), kwargs)

    def __eq__(self, other: object) -> bool:
        raise UsageError("it asks whether its argument equals something; write it with >= and <=")

    def __ne__(self, other: object) -> bool:
        return self.__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise UsageError("it branches on the value of its argument; write torch.where instead")

    def __add__(self, other: Any) -> Traced:
        return Traced(combine([(self.expression, 1.0), (_expression(other), 1.0)]))

    def __sub__(self, other: Any) -> Traced:
        return Traced(combine([(self.expression, 1.0), (_expression(other), -1.0)]))

    def __rsub__(self, other: Any) -> Traced:
        return Traced(combine([(_expression(other), 1.0), (self.expression, -1.0)]))

    def __mul__(self, other: Any) -> Traced:
        return Traced(multiply(self.expression, _expression(other)))

    def __truediv__(self, other: Any) -> Traced:
        return Traced(multiply(self.expression, _reciprocal(_expression(other))))

    def __rtruediv__(self, other: Any) -> Traced:
        return Traced(multiply(_expression(other), _reciprocal(self.expression)))

    def __neg__(self) -> Traced:
        return Traced(combine([(self.expression, -1.0)]))

    def __pos__(self) -> Traced:
        return self

    def __abs__(self) -> Traced:
        return _apply("abs", self)

    def __pow__(self, exponent: Any) -> Traced:
        return _power(self, exponent)

    def __ge__(self, other: Any) -> Traced:
        return _step(self - other)

    def __le__(self, other: Any) -> Traced:
        return _step(other - self if isinstance(other, Traced) else self.__rsub__(other))

    def __gt__(self, other: Any) -> Traced:
        return ~self.__le__(other)

    def __lt__(self, other: Any) -> Traced:
        return ~self.__ge__(other)

    def __and__(self, other: Any) -> Traced:
        return Traced(multiply(_condition(self), _condition(other)), truth=True)

    def __or__(self, other: Any) -> Traced:
        return ~(~self & ~_traced(other))

    def __invert__(self) -> Traced:
        return Traced(combine([(_condition(self), -1.0)], 1.0), truth=True)

    __radd__, __rmul__, __rand__, __ror__ = __add__, __mul__, __and__, __or__


def _traced(value: Any) -> Traced:
    return value if isinstance(value, Traced) else Traced(_expression(value), isinstance(value, bool))


def _expression(value: Any) -> Expression:
    """The expression of a stand-in, of a number, or of a tensor with one entry."""
    if isinstance(value, Traced):
        return value.expression
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, bool | int | float):
        return combine([], float(value))
    raise UsageError(f"it uses {type(value).__name__} where a number was expected")


def _condition(value: Any) -> Expression:
    if isinstance(value, Traced) and not value.truth:
        raise UsageError("it uses a number as a condition")
    return _expression(value)


def _number(value: Any) -> float:
    found = _expression(value).affine
    if found is None or found[0]:
        raise UsageError("it uses its argument where only a number is allowed")
    return found[1]


def _apply(name: str, x: Traced, *params: float) -> Traced:
    known = x.expression.affine
    if known is not None and not known[0]:
        value = make(name, *params).value(torch.tensor(known[1], dtype=torch.float64))
        return Traced(combine([], float(value)))
    return Traced(apply(make(name, *params), x.expression))


def _reciprocal(x: Expression) -> Expression:
    return _apply("reciprocal", Traced(x)).expression


def _step(x: Traced) -> Traced:
    """1 where x >= 0."""
    return Traced(_apply("step", x).expression, truth=True)


def _power(x: Any, exponent: Any) -> Traced:
    p = _number(exponent)
    if p in (0.0, 1.0):
        return _traced(x) if p else _traced(1.0)
    return _apply({0.5: "sqrt", -1.0: "reciprocal"}.get(p, "power"), x, *(() if p in (0.5, -1.0) else (p,)))


def _maximum(x: Any, y: Any) -> Traced:
    a, b = _traced(x), _traced(y)
    return b + _apply("relu", a - b)


def _minimum(x: Any, y: Any) -> Traced:
    a, b = _traced(x), _traced(y)
    return b - _apply("relu", b - a)


def _where(condition: Any, yes: Any, no: Any) -> Traced:
    a, b = _traced(yes), _traced(no)
    return b + Traced(_condition(condition)) * (a - b)


def _clamp(x: Any, low: Any = None, high: Any = None, **named: Any) -> Traced:
    low, high = named.get("min", low), named.get("max", high)
    x = _traced(x) if low is None else _maximum(x, low)
    return x if high is None else _minimum(x, high)


def _softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Traced:
    """The true softplus, which torch's own formula leaves by up to exp(-threshold)/beta."""
    if math.exp(-threshold) > 1e-8 * abs(beta):
        raise UsageError(
            f"softplus with beta={beta:g}, threshold={threshold:g} jumps; leave the threshold out"
        )
    return _apply("softplus", x * beta) * (1.0 / beta)


def _gelu(x: Any, approximate: str = "none") -> Traced:
    return _apply("gelu_tanh" if approximate == "tanh" else "gelu", x)


def _converted(x: Traced, *args: Any, **named: Any) -> Traced:
    """The number itself, in another floating-point type."""
    kinds = [a for a in (*args, *named.values()) if isinstance(a, torch.dtype)]
    if any(not kind.is_floating_point for kind in kinds) or any(isinstance(a, str) for a in args):
        raise UsageError("it converts its argument to another type of number")
    return Traced(x.expression)


CALLS: dict[str, Callable[..., Traced]] = {
    **{name: functools.partial(_apply, name) for name in PLAIN},
    **{name: functools.partial(_apply, ours) for name, ours in SAME.items()},
    "add": lambda x, y, alpha=1.0: _traced(x) + _traced(y) * alpha,
    "sub": lambda x, y, alpha=1.0: _traced(x) - _traced(y) * alpha,
    "mul": lambda x, y: _traced(x) * _traced(y),
    "div": lambda x, y: _traced(x) / _traced(y),
    "true_divide": lambda x, y: _traced(x) / _traced(y),
    "neg": lambda x: -x,
    "pow": _power,
    "square": lambda x: _power(x, 2.0),
    "rsqrt": lambda x: _apply("power", x, -0.5),
    "exp2": lambda x: _apply("exp", x * math.log(2.0)),
    "expm1": lambda x: _apply("exp", x) - 1.0,
    "log1p": lambda x: _apply("log", x + 1.0),
    "logsigmoid": lambda x: -_apply("softplus", -x),
    "where": _where,
    "maximum": _maximum,
    "minimum": _minimum,
    "max": _maximum,
    "min": _minimum,
    "clamp": _clamp,
    "clip": _clamp,
    "softplus": _softplus,
    "gelu": _gelu,
    "relu6": lambda x, *a: _clamp(x, 0.0, 6.0),
    "hardtanh": lambda x, min_val=-1.0, max_val=1.0, *a: _clamp(x, min_val, max_val),
    "leaky_relu": lambda x, negative_slope=0.01, *a: _apply("leaky_relu", x, negative_slope),
    "elu": lambda x, alpha=1.0, *a: _apply("elu", x, alpha),
    "special_expit": lambda x: _apply("sigmoid", x),
    "ge": lambda x, y: _traced(x) >= y,
    "le": lambda x, y: _traced(x) <= y,
    "gt": lambda x, y: _traced(x) > y,
    "lt": lambda x, y: _traced(x) < y,
    "logical_and": lambda x, y: _traced(x) & y,
    "logical_or": lambda x, y: _traced(x) | y,
    "logical_not": lambda x: ~x,
    "to": _converted,
    "type": _converted,
    "float": lambda x: Traced(x.expression),
    "double": lambda x: Traced(x.expression),
    "type_as": lambda x, y: Traced(x.expression),
    "clone": lambda x, **k: x,
    "contiguous": lambda x, **k: x,
    "zeros_like": lambda x, **k: _traced(0.0),
    "ones_like": lambda x, **k: _traced(1.0),
    "full_like": lambda x, value, **k: _traced(value),
}


def _called(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
    if (name.endswith("_") and not name.startswith("__")) or kwargs.get("inplace"):
        raise UsageError(f"it changes its argument in place ('{name}')")
    plain = name.strip("_").removeprefix("r") if name.startswith("__r") else name.strip("_")
    if plain in ("eq", "ne"):
        raise UsageError("it asks whether its argument equals something; write it with >= and <=")
    if name in ("__rsub__", "rsub", "__rtruediv__", "__rdiv__"):
        args = args[::-1]
        plain = "sub" if "sub" in name else "div"
    plain = {"truediv": "div", "invert": "logical_not", "and": "logical_and", "or": "logical_or"}.get(
        plain, plain
    )
    if plain in CALLS:
        return CALLS[plain](*args, **{k: v for k, v in kwargs.items() if k != "inplace"})
    if plain in REGISTRY and len(args) == 1 and not kwargs:
        return _apply(plain, args[0])
    raise UsageError(f"it calls '{name}', which genbab does not know as an elementwise function")
