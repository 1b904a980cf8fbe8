"""Formulas of linear relations in rational numbers: printed as VNN-LIB 1.0, judged at points, decided.

Variables are X_0 ... and Y_0 ...; Fourier-Motzkin elimination decides conjunctions, strict ones too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

OPPOSITE = {"<=": ">=", ">=": "<=", "<": ">", ">": "<", "=": "="}


@dataclass(frozen=True)
class Atom:
    """Σ factor · variable, compared with a number whose decimal is `text`."""

    terms: tuple[tuple[str, str], ...]
    relation: str
    text: str

    def holds(self, point: Mapping[str, Fraction]) -> bool:
        """Whether it is true at a point."""
        left = sum((Fraction(f) * point[v] for v, f in self.terms), Fraction(0))
        right = Fraction(self.text)
        return {
            "<=": left <= right,
            "<": left < right,
            ">=": left >= right,
            ">": left > right,
            "=": left == right,
        }[self.relation]

    def __str__(self) -> str:
        parts = [v if f == "1" else f"(* {f} {v})" for v, f in self.terms]
        left = parts[0] if len(parts) == 1 else f"(+ {' '.join(parts)})"
        return f"({self.relation} {left} {self.text})"


@dataclass(frozen=True)
class Both:
    """All parts, or (any) at least one of them."""

    any: bool
    parts: tuple[Formula, ...]

    def holds(self, point: Mapping[str, Fraction]) -> bool:
        """Whether it is true at a point."""
        return (any if self.any else all)(part.holds(point) for part in self.parts)

    def __str__(self) -> str:
        return f"({'or' if self.any else 'and'} {' '.join(map(str, self.parts))})"


Formula = Atom | Both
Row = tuple[tuple[Fraction, ...], Fraction, bool]
"""Coefficients, right-hand side, strict: Σ coefficient · x <= (<) right-hand side."""


def cases_of(formula: Formula) -> list[tuple[Atom, ...]]:
    """The conjunctions of which one must hold."""
    if isinstance(formula, Atom):
        return [(formula,)]
    parts = [cases_of(part) for part in formula.parts]
    if formula.any:
        return [case for part in parts for case in part]
    return [tuple(a for piece in pick for a in piece) for pick in product(*parts)]


def rows_of(atom: Atom, forms: Mapping[str, tuple[tuple[Fraction, ...], Fraction]]) -> list[Row]:
    """The atom about x alone: every variable is an affine form (coefficients, constant) of x."""
    size = len(next(iter(forms.values()))[0])
    left, constant = [Fraction(0)] * size, Fraction(0)
    for variable, factor in atom.terms:
        coefficients, shift = forms[variable]
        left = [a + Fraction(factor) * b for a, b in zip(left, coefficients, strict=True)]
        constant += Fraction(factor) * shift
    right, strict = Fraction(atom.text) - constant, atom.relation in ("<", ">")
    rows: list[Row] = []
    if atom.relation in ("<=", "<", "="):
        rows.append((tuple(left), right, strict))
    if atom.relation in (">=", ">", "="):
        rows.append((tuple(-a for a in left), -right, strict))
    return rows


def satisfiable(rows: Sequence[Row]) -> bool:
    """Whether some rational x meets all rows."""
    left = list(set(rows))
    for k in range(len(rows[0][0]) if rows else 0):
        upper = [r for r in left if r[0][k] > 0]
        lower = [r for r in left if r[0][k] < 0]
        left = [r for r in left if r[0][k] == 0]
        for (a, b, s), (c, d, t) in product(upper, lower):
            one, two = -c[k], a[k]
            joined = tuple(one * p + two * q for p, q in zip(a, c, strict=True))
            left.append((joined, one * b + two * d, s or t))
        left = list(set(left))
    return all(0 < right if strict else 0 <= right for _, right, strict in left)
