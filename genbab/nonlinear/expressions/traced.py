"""A stand-in for a tensor that remembers, as an expression, what is done to it elementwise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from genbab.errors import UsageError
from genbab.nonlinear.expressions.expression import Expression, apply, combine, multiply
from genbab.nonlinear.facts.real import Real
from genbab.nonlinear.facts.registry import REGISTRY, make


class Traced:
    """A stand-in for a tensor: remembers what is done to it."""

    dtype, device, ndim = torch.float64, torch.device("cpu"), 1

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

    def __bool__(self) -> bool:
        raise UsageError("it branches on the value of its argument; write torch.where instead")

    def __float__(self) -> float:
        raise UsageError("it makes its argument a Python number; write torch.sin, not math.sin, and so on")

    __int__ = __index__ = __complex__ = __float__

    def __getitem__(self, index: object) -> Any:
        raise UsageError("it looks at single entries of its argument; an elementwise function cannot")

    def __iter__(self) -> Any:
        return self.__getitem__(0)

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Any) -> Traced:
        return Traced(combine([(self.expression, 1.0), (_expression(other), 1.0)]))

    def __sub__(self, other: Any) -> Traced:
        return Traced(combine([(self.expression, 1.0), (_expression(other), -1.0)]))

    def __rsub__(self, other: Any) -> Traced:
        return Traced(combine([(_expression(other), 1.0), (self.expression, -1.0)]))

    def __mul__(self, other: Any) -> Traced:
        return Traced(multiply(self.expression, _expression(other)))

    def __truediv__(self, other: Any) -> Traced:
        if isinstance(other, Real):
            return Traced(combine([(self.expression, 1.0 / other)]))
        return Traced(multiply(self.expression, _reciprocal(_expression(other))))

    def __rtruediv__(self, other: Any) -> Traced:
        return Traced(multiply(_expression(other), _reciprocal(self.expression)))

    def __neg__(self) -> Traced:
        return Traced(combine([(self.expression, -1.0)]))

    def __pos__(self) -> Traced:
        return self

    def __abs__(self) -> Traced:
        return applied("abs", self)

    def __pow__(self, exponent: Any) -> Traced:
        return power(self, exponent)

    def __rpow__(self, base: Any) -> Traced:
        return power(base, self)

    def __mod__(self, divisor: Any) -> Traced:
        return remainder(self, divisor)

    def __rmod__(self, other: Any) -> Traced:
        return remainder(other, self)

    def __floordiv__(self, divisor: Any) -> Traced:
        return quotient(self, divisor, "floor")

    def __rfloordiv__(self, other: Any) -> Traced:
        return quotient(other, self, "floor")

    def __ge__(self, other: Any) -> Traced:
        return _step(self - other)

    def __le__(self, other: Any) -> Traced:
        return _step(other - self if isinstance(other, Traced) else self.__rsub__(other))

    def __gt__(self, other: Any) -> Traced:
        return ~self.__le__(other)

    def __lt__(self, other: Any) -> Traced:
        return ~self.__ge__(other)

    def __and__(self, other: Any) -> Traced:
        return Traced(multiply(condition(self), condition(other)), truth=True)

    def __or__(self, other: Any) -> Traced:
        return ~(~self & ~traced(other))

    def __xor__(self, other: Any) -> Traced:
        also = traced(other)
        if not self.truth or not also.truth:
            raise UsageError("^ is no power; write **, or ^ between two conditions")
        return (self & ~also) | (~self & also)

    def __invert__(self) -> Traced:
        return Traced(combine([(condition(self), -1.0)], 1.0), truth=True)

    __radd__, __rmul__, __rand__, __ror__, __rxor__ = __add__, __mul__, __and__, __or__, __xor__


CALLS: dict[str, Callable[..., Traced]] = {}
"""What functions and methods of torch do to stand-ins, by name; `tracing` fills it."""


def traced(value: Any) -> Traced:
    """A stand-in, or one for a number."""
    return value if isinstance(value, Traced) else Traced(_expression(value), isinstance(value, bool))


def _expression(value: Any) -> Expression:
    """The expression of a stand-in, of a number, or of a tensor with one entry."""
    if isinstance(value, Traced):
        return value.expression
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, bool | int | float):
        return combine([], value if isinstance(value, Real) else float(value))
    raise UsageError(f"it uses {type(value).__name__} where a number was expected")


def condition(value: Any) -> Expression:
    """The expression, 0 or 1, of a truth value."""
    if isinstance(value, Traced) and not value.truth:
        raise UsageError("it uses a number as a condition")
    return _expression(value)


def number(value: Any, what: str = "a parameter") -> float:
    """A number that does not depend on the argument."""
    found = _expression(value).affine
    if found is None or found[0]:
        raise UsageError(f"it uses its argument as {what}, where only a number is allowed")
    return found[1]


def applied(name: str, x: Traced, *params: float) -> Traced:
    """The library's function of this name."""
    known = x.expression.affine
    if known is not None and not known[0]:
        value = make(name, *params).value(torch.tensor(known[1], dtype=torch.float64))
        return Traced(combine([], float(value)))
    return Traced(apply(make(name, *params), x.expression))


def _reciprocal(x: Expression) -> Expression:
    if x.affine == (0.0, 0.0):
        raise UsageError("it divides by zero")
    return applied("reciprocal", Traced(x)).expression


def _step(x: Traced) -> Traced:
    """1 where x >= 0."""
    return Traced(applied("step", x).expression, truth=True)


def maximum(x: Any, y: Any) -> Traced:
    """y + relu(x - y)."""
    a, b = traced(x), traced(y)
    return b + applied("relu", a - b)


def minimum(x: Any, y: Any) -> Traced:
    """y - relu(y - x)."""
    a, b = traced(x), traced(y)
    return b - applied("relu", b - a)


def power(x: Any, exponent: Any) -> Traced:
    """x ** exponent, one of which is a number."""
    if isinstance(exponent, Traced):
        base = number(x, "the base of a power whose exponent depends on the argument")
        if base <= 0.0:
            raise UsageError(f"it raises {base:g} to a power; the base must be positive")
        return applied("exp", exponent * math.log(base))
    p = number(exponent, "the exponent")
    if p in (0.0, 1.0):
        return traced(x) if p else traced(1.0)
    return applied({0.5: "sqrt", -1.0: "reciprocal"}.get(p, "power"), x, *(() if p in (0.5, -1.0) else (p,)))


def remainder(x: Any, divisor: Any) -> Traced:
    """What is left of x after whole steps of the divisor, with the divisor's sign."""
    c = number(divisor, "the divisor of a remainder")
    if not c:
        raise UsageError("it takes a remainder of a division by zero")
    return applied("sawtooth", traced(x), c) if c > 0 else -applied("sawtooth", -traced(x), -c)


def truncated(x: Any) -> Traced:
    """x without what is behind its point."""
    whole = traced(x)
    return applied("floor", maximum(whole, 0.0)) - applied("floor", maximum(-whole, 0.0))


def quotient(x: Any, y: Any, rounding_mode: str | None = None) -> Traced:
    """x / y, as it is or rounded ("floor", "trunc")."""
    exact = traced(x) / traced(y)
    if rounding_mode is None:
        return exact
    return applied("floor", exact) if rounding_mode == "floor" else truncated(exact)


def _called(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
    """What a function or method of torch gives, some of its arguments being stand-ins."""
    if (name.endswith("_") and not name.startswith("__")) or kwargs.get("inplace"):
        raise UsageError(f"it changes its argument in place ('{name}')")
    plain = name.strip("_").removeprefix("r") if name.startswith("__r") else name.strip("_")
    plain = plain.removeprefix("special_")
    if plain in ("eq", "ne"):
        raise UsageError("it asks whether its argument equals something; write it with >= and <=")
    if name in ("__rsub__", "rsub", "__rtruediv__", "__rdiv__"):
        args = args[::-1]
        plain = "sub" if "sub" in name else "div"
    plain = _DUNDER.get(plain, plain)
    given = {k: v for k, v in kwargs.items() if k != "inplace"}
    try:
        if plain in CALLS:
            return CALLS[plain](*args, **given)
        if plain in REGISTRY and len(args) == 1 and not given:
            return applied(plain, args[0])
    except TypeError as error:
        raise UsageError(f"it calls '{name}' in a way that genbab cannot follow ({error})") from error
    raise UsageError(f"it calls '{name}', which genbab cannot follow")


_DUNDER = {
    "truediv": "div",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "invert": "logical_not",
    "and": "logical_and",
    "or": "logical_or",
    "xor": "logical_xor",
}
