"""Elementwise polynomials, followed while lowering: they show powers, SiLU and GELU however a model writes
them.

A `Form` says that a node equals  Σ coefficients[i, j] · root^i · gate^j  elementwise, where `root` is an
earlier node and `gate` a sigmoid, tanh or erf of a polynomial of the same root. Order and association of the
factors then do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_DEGREE = 6
"""Products of a higher degree in the root are not followed any more."""

ROUNDING = 2e-15
"""Relative difference of coefficients that float64 arithmetic explains; anything more is another function."""

Coefficients = Mapping[tuple[int, int], float]


@dataclass(frozen=True)
class Form:
    """Σ coefficients[i, j] · root^i · gate^j with i <= MAX_DEGREE and j in {0, 1}; zero coefficients are left
    out.
    """

    root: int
    gate: int | None
    coefficients: Coefficients

    @property
    def plain(self) -> dict[int, float]:
        """Power of the root -> coefficient, without the gate."""
        return {i: c for (i, j), c in self.coefficients.items() if j == 0}

    @property
    def gated(self) -> dict[int, float]:
        """Power of the root -> coefficient, times the gate."""
        return {i: c for (i, j), c in self.coefficients.items() if j == 1}

    @property
    def monomial(self) -> tuple[int, float] | None:
        """(n, c) when this is c · root^n."""
        if self.gate is not None or len(self.coefficients) != 1:
            return None
        ((n, _), c) = next(iter(self.coefficients.items()))
        return n, c


def itself(node: int) -> Form:
    """The form of a node that nothing is known about."""
    return Form(node, None, {(1, 0): 1.0})


def shared_gate(forms: list[Form]) -> tuple[bool, int | None]:
    """(whether the forms have one root and at most one gate, that gate)."""
    gates = {f.gate for f in forms if f.gate is not None}
    same = len({f.root for f in forms}) == 1 and len(gates) <= 1
    return same, next(iter(gates), None)


def weighted_sum(parts: list[tuple[Form, float]], shift: float) -> Form | None:
    """Σ factor · form + shift, or None when the forms do not fit together."""
    same, gate = shared_gate([f for f, _ in parts])
    if not same:
        return None
    total: dict[tuple[int, int], float] = {(0, 0): shift}
    for form, factor in parts:
        for power, c in form.coefficients.items():
            total[power] = total.get(power, 0.0) + factor * c
    return _form(parts[0][0].root, gate, total)


def product(x: Form, y: Form) -> Form | None:
    """x · y, or None when the forms do not fit together or the degree grows too high."""
    same, gate = shared_gate([x, y])
    if not same:
        return None
    total: dict[tuple[int, int], float] = {}
    for (i, j), c in x.coefficients.items():
        for (m, n), d in y.coefficients.items():
            if i + m > MAX_DEGREE or j + n > 1:
                return None
            total[i + m, j + n] = total.get((i + m, j + n), 0.0) + c * d
    return _form(x.root, gate, total)


def ratio(numerator: Mapping[int, float], denominator: Mapping[int, float]) -> float | None:
    """k with numerator = k · denominator as polynomials, every coefficient to float64's rounding, if there
    is one.
    """
    if not denominator or set(numerator) != set(denominator):
        return None
    leading = max(denominator, key=lambda i: abs(denominator[i]))
    k = numerator[leading] / denominator[leading]
    if all(abs(numerator[i] - k * c) <= ROUNDING * abs(numerator[i]) for i, c in denominator.items()):
        return k
    return None


def _form(root: int, gate: int | None, total: dict[tuple[int, int], float]) -> Form:
    kept = {power: c for power, c in total.items() if c != 0.0}
    return Form(root, gate if any(j for _, j in kept) else None, kept)
