"""Numbers of expressions: real numbers, each within a known distance of a float64 one.

Rewriting an expression computes with its constants. A `Real` is the float that the computation gives, so it
is used like one, and it carries how far the real number may be from it.
"""

from __future__ import annotations

import math
from typing import Any

from genbab.error_free import product_error, sum_error

SAFE = (1e-140, 1e140)
ROOM = 1.0 + 2.0**-48
LEAST = 5e-324


class Real(float):
    """A real number within `error` of this float.

    Arithmetic with any numbers gives `Real` again. Comparisons are true only where they are certain. Numbers
    that are not exact are equal when they were computed in the same way from the same numbers, which `origin`
    tells.
    """

    __slots__ = ("error", "origin")
    error: float
    origin: int

    def __new__(cls, value: float, error: float = 0.0, origin: int = 0) -> Real:
        made = super().__new__(cls, value)
        made.error = error if math.isfinite(value) and error == error else math.inf
        made.origin = origin if made.error else 0
        return made

    def __getnewargs__(self) -> tuple[float, float, int]:  # type: ignore[override]
        return float(self), self.error, self.origin

    @property
    def exact(self) -> bool:
        """Whether the real number is this float."""
        return self.error == 0.0

    def __add__(self, other: float) -> Real:
        if not isinstance(other, float | int):
            return NotImplemented
        y = real(other)
        if not y or not self:
            return y if not self else self
        a, b = float(self), float(y)
        return _made(a + b, _lost_by_sum(a, b) + self.error + y.error, 1, self, y)

    def __radd__(self, other: float) -> Real:
        if not isinstance(other, float | int):
            return NotImplemented
        return real(other) + self

    def __neg__(self) -> Real:
        return Real(-float(self), self.error, -self.origin)

    def __sub__(self, other: float) -> Real:
        if not isinstance(other, float | int):
            return NotImplemented
        return self + (-real(other))

    def __rsub__(self, other: float) -> Real:
        if not isinstance(other, float | int):
            return NotImplemented
        return real(other) + (-self)

    def __mul__(self, other: float) -> Real:
        if not isinstance(other, float | int):
            return NotImplemented
        y = real(other)
        for one, by in ((self, y), (y, self)):
            if by.exact and abs(float(by)) == 1.0:
                return one if by > 0.0 else -one
        a, b = float(self), float(y)
        if not self or not y:
            return Real(0.0 if math.isfinite(a) and math.isfinite(b) else math.nan)
        carried = abs(a) * y.error + abs(b) * self.error + self.error * y.error
        carried = carried + LEAST if self.error or y.error else 0.0  # these products may underflow
        return _made(a * b, _lost_by_product(a, b) + carried, 3, self, y)

    def __rmul__(self, other: float) -> Real:
        if not isinstance(other, float | int):
            return NotImplemented
        return real(other) * self

    def __truediv__(self, other: float) -> Real:
        if not isinstance(other, float | int):
            return NotImplemented
        y = real(other)
        a, b = float(self), float(y)
        least = abs(b) - y.error
        if not least > 0.0:
            return Real(math.copysign(math.inf, b) if b else math.nan, math.inf)
        quotient = a / b
        rest = abs(a - quotient * b) + _lost_by_product(quotient, b) if math.isfinite(quotient) else math.inf
        sharp = rest == 0.0 and not self.error and not y.error
        error = 0.0 if sharp else (rest + self.error + abs(quotient) * y.error) / least + LEAST
        return _made(quotient, error, 4, self, y)

    def __rtruediv__(self, other: float) -> Real:
        if not isinstance(other, float | int):
            return NotImplemented
        return real(other) / self

    def __pow__(self, other: Any, modulo: None = None) -> Real:
        if float(other).is_integer() and 0 < other <= 64:
            made = self
            for _ in range(int(other) - 1):
                made = made * self
            return made
        low, high = float(self) - self.error * ROOM, float(self) + self.error * ROOM
        if low <= 0.0 <= high:
            return Real(0.0, 0.0 if self.exact and float(other) > 0.0 else math.inf)
        ends = [float(end ** float(other)) for end in (low, float(self), high)]
        spread = max(abs(ends[0] - ends[1]), abs(ends[2] - ends[1]))
        return _made(ends[1], spread + 4.0 * math.ulp(max(map(abs, ends))), 5, self, real(other))

    def __abs__(self) -> Real:
        return -self if float(self) < 0.0 else self

    def __bool__(self) -> bool:
        return float(self) != 0.0 or self.error != 0.0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, float | int):
            return NotImplemented
        y = real(other)
        return float(self) == float(y) and self.error == y.error and self.origin == y.origin

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(float(self))

    def __lt__(self, other: float) -> bool:
        y = real(other)
        return float(self) + self.error * ROOM < float(y) - y.error * ROOM

    def __gt__(self, other: float) -> bool:
        return real(other) < self

    def __le__(self, other: float) -> bool:
        y = real(other)
        return float(self) + self.error * ROOM <= float(y) - y.error * ROOM

    def __ge__(self, other: float) -> bool:
        return real(other) <= self

    def hex(self) -> str:
        """The float's digits, with error and origin where it is not exact."""
        return float(self).hex() + (f"±{self.error.hex()}:{self.origin}" if self.error else "")

    @property
    def anonymous(self) -> Real:
        """The same number without its origin."""
        return Real(self, self.error)


def real(value: float) -> Real:
    """The number as a `Real`; a plain float is exact."""
    return value if isinstance(value, Real) else Real(value)


def root(value: float) -> Real:
    """The square root of a positive number."""
    x = real(value)
    made = math.sqrt(x)
    rest = abs(float(x) - made * made) + _lost_by_product(made, made)
    if rest == 0.0 and not x.error:
        return Real(made)
    least = math.sqrt(max(float(x) - x.error * ROOM, 0.0)) or LEAST
    return _made(made, (rest + x.error) / least + LEAST, 6, x, x)


def exact(*values: float) -> bool:
    """Whether all of these numbers are known exactly."""
    return all(not isinstance(value, Real) or value.exact for value in values)


def _made(value: float, error: float, rule: int, x: Real, y: Real) -> Real:
    if error == 0.0 and x.exact and y.exact and math.isfinite(value):
        return Real(value)
    origin = hash((rule, float(x), x.error, x.origin, float(y), y.error, y.origin))
    return Real(value, error * ROOM + LEAST, origin)


def _lost_by_sum(a: float, b: float) -> float:
    """|a + b - fl(a + b)|, exactly."""
    return abs(sum_error(a, b, a + b))


def _lost_by_product(a: float, b: float) -> float:
    """|a·b - fl(a·b)|: exactly where sizes allow, else a bound."""
    product = a * b
    if a in (0.0, 1.0, -1.0) or b in (0.0, 1.0, -1.0):
        return 0.0
    if not (SAFE[0] <= abs(a) <= SAFE[1] and SAFE[0] <= abs(b) <= SAFE[1]):
        return math.ulp(product) if math.isfinite(product) else math.inf
    return abs(product_error(a, b, product))
