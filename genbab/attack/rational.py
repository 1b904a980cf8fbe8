"""Clauses that are refuted in rational arithmetic: small networks of affine maps and relu, up to equality.

Every neuron is an affine form of the inputs, with rational coefficients; a relu whose argument may have
either sign is a new variable between 0 and its largest value. The least value of a row over its box is then
exact, and so is where it is attained: a bound that floating-point numbers cannot show to be above 0, because
it is 0, refutes a strict row, and one that is attained only at an excluded end of the box refutes any row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np

from genbab.network import Affine, Input, LinearMap, Meaning, Network, Nonlinear, forward
from genbab.network.maps.algebra import Compose
from genbab.specs import Clause, Spec

CLAUSES = 256
"""The most clauses that are tried at a time."""

LARGEST = 40_000
"""Products of rational numbers in all affine maps, and entries of their matrices, at most."""


@dataclass
class RationalForm:
    """constant + Σ factors[v] · variable v."""

    factors: dict[int, Fraction] = field(default_factory=dict)
    constant: Fraction = Fraction(0)

    def add(self, other: RationalForm, factor: Fraction) -> None:
        """Add factor * other in place."""
        self.constant += factor * other.constant
        for v, value in other.factors.items():
            self.factors[v] = self.factors.get(v, Fraction(0)) + factor * value


Forms = list[RationalForm]
"""One form per number of a node."""


@dataclass(frozen=True)
class RationalVariable:
    """A real number between low and high; whether it may be either of them."""

    low: Fraction
    high: Fraction
    low_open: bool = False
    high_open: bool = False


class TooComplex(Exception):  # ends an attempt
    """The network is too large, or has nodes that are not understood here."""


class RationalRefuter:
    """Refutes clauses of a spec about a network in rational arithmetic."""

    def __init__(self, network: Network, spec: Spec) -> None:
        self.network, self.spec = network, spec

    def refuted(self, clauses: Sequence[int]) -> frozenset[int]:
        """Those of these clauses that no real point of their boxes satisfies, as far as is known here."""
        if len(clauses) > CLAUSES or not self._small:
            return frozenset()
        found, forms = set(), dict[int, tuple[list[RationalVariable], Forms] | None]()
        for k in clauses:
            clause = self.spec.clauses[k]
            if clause.box not in forms:
                forms[clause.box] = self._outputs(clause.box)
            known = forms[clause.box]
            if known is not None and any(_above(clause, r, *known) for r in range(len(clause.rhs))):
                found.add(k)
        return frozenset(found)

    @cached_property
    def _small(self) -> bool:
        """Whether it is worth an attempt."""
        network = self.network
        relus = all(len(node.args) == 1 and node.fn.name == "relu" for node in network.nonlinear.values())
        if network.grouped or not relus:
            return False
        affine = network.affine.values()
        if not all(node.uncertainty.exact for node in affine):
            return False
        parts = [part for node in affine for _, one in node.terms for part in _parts(one)]
        sizes = sum(part.in_size * part.out_size for part in parts)
        return sizes <= LARGEST and sum(part.cost for part in parts) * self.spec.input_size <= LARGEST

    def _outputs(self, box: int) -> tuple[list[RationalVariable], Forms] | None:
        """The variables, and the outputs as forms of them, on a box."""
        spec = self.spec
        ends = (end[box].tolist() for end in (spec.lower, spec.upper))
        flags = ([False] * spec.input_size if one is None else one[box].tolist() for one in spec.open_ends)
        pairs = zip(*ends, *flags, strict=True)
        variables = [RationalVariable(Fraction(a), Fraction(b), c, d) for a, b, c, d in pairs]
        try:
            return variables, forward(self.network, _Forms(variables))[self.network.output]
        except TooComplex:
            return None


class _Forms(Meaning[Sequence[Forms], Forms]):
    """The forms of each node; a relu of either sign becomes one more of the variables."""

    def __init__(self, variables: list[RationalVariable]) -> None:
        self.variables = variables

    def input(self, i: int, node: Input, x: Sequence[Forms]) -> Forms:
        return [RationalForm({k: Fraction(1)}) for k in range(node.size)]

    def affine(self, i: int, node: Affine, x: Sequence[Forms]) -> Forms:
        total = [RationalForm(constant=Fraction(v)) for v in node.bias.tolist()]
        for (_, one), known in zip(node.terms, x, strict=True):
            for into, form in zip(total, _mapped(one, known), strict=True):
                into.add(form, Fraction(1))
        return total

    def nonlinear(self, i: int, node: Nonlinear, x: Sequence[Forms]) -> Forms:
        return [_relu(form, self.variables) for form in x[0]]


def _parts(one: LinearMap) -> tuple[LinearMap, ...]:
    return one.maps if isinstance(one, Compose) else (one,)


def _mapped(one: LinearMap, forms: Forms) -> Forms:
    """The image of the forms; parts of a composition one after the other, so that no product is rounded."""
    for part in _parts(one):
        matrix, image = part.dense().cpu().double().numpy(), Forms()
        if sum(len(forms[j].factors) for j in np.nonzero(matrix)[1]) > LARGEST:
            raise TooComplex
        for row in matrix:
            total = RationalForm()
            for j in np.flatnonzero(row).tolist():
                total.add(forms[j], Fraction(float(row[j])))
            image.append(total)
        forms = image
    return forms


def _relu(form: RationalForm, variables: list[RationalVariable]) -> RationalForm:
    low = _least(form, variables)[0]
    if low >= 0:
        return form
    high = -_least(_scaled(form, Fraction(-1)), variables)[0]
    if high <= 0:
        return RationalForm()
    variables.append(RationalVariable(Fraction(0), high))
    return RationalForm({len(variables) - 1: Fraction(1)})


def _scaled(form: RationalForm, factor: Fraction) -> RationalForm:
    total = RationalForm()
    total.add(form, factor)
    return total


def _least(form: RationalForm, variables: list[RationalVariable]) -> tuple[Fraction, bool]:
    """(the greatest number that the form is never below, whether the form is always above it)."""
    total, never = form.constant, False
    for v, factor in form.factors.items():
        one = variables[v]
        if factor > 0:
            total, never = total + factor * one.low, never or one.low_open
        elif factor < 0:
            total, never = total + factor * one.high, never or one.high_open
    return total, never


def _above(clause: Clause, r: int, variables: list[RationalVariable], outputs: Forms) -> bool:
    """Whether row r of the clause holds nowhere."""
    total, strict = RationalForm(), False
    if (row := clause.written.get(r)) is not None:
        total.constant, strict = -row.rhs, row.strict
        for name, value in row.coefficients.items():
            i = int(name[2:])
            total.add(outputs[i] if name[0] == "Y" else RationalForm({i: Fraction(1)}), value)
    else:
        total.constant = -Fraction(float(clause.rhs[r]))
        strict = any(flags is not None and bool(flags[r]) for flags in (clause.strict, clause.rounded))
        for j in np.flatnonzero(clause.outputs[r]).tolist():
            total.add(outputs[j], Fraction(float(clause.outputs[r, j])))
        own = np.zeros(0) if clause.inputs is None else clause.inputs[r]
        for i in np.flatnonzero(own).tolist():
            total.add(RationalForm({i: Fraction(1)}), Fraction(float(own[i])))
    least, never = _least(total, variables)
    return least > 0 or (least == 0 and (strict or never))
