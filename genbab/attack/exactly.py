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

from genbab.network import Affine, Input, LinearMap, Network, Nonlinear
from genbab.network.maps.algebra import Compose
from genbab.specs import Clause, Spec

CLAUSES = 256
"""The most clauses that are tried at a time."""

LARGEST = 40_000
"""Products of rational numbers in all affine maps, and entries of their matrices, at most."""


@dataclass
class Form:
    """constant + Σ factors[v] · variable v."""

    factors: dict[int, Fraction] = field(default_factory=dict)
    constant: Fraction = Fraction(0)

    def add(self, other: Form, factor: Fraction) -> None:
        """Add factor * other in place."""
        self.constant += factor * other.constant
        for v, value in other.factors.items():
            self.factors[v] = self.factors.get(v, Fraction(0)) + factor * value


@dataclass(frozen=True)
class Variable:
    """A real number between low and high; whether it may be either of them."""

    low: Fraction
    high: Fraction
    low_open: bool = False
    high_open: bool = False


class TooLarge(Exception):  # noqa: N818 - ends an attempt
    """The network is too large, or has nodes that are not understood here."""


class Exactly:
    """Refutes clauses of a spec about a network in rational arithmetic."""

    def __init__(self, network: Network, spec: Spec) -> None:
        self.network, self.spec = network, spec

    def refuted(self, clauses: Sequence[int]) -> frozenset[int]:
        """Those of these clauses that no real point of their boxes satisfies, as far as is known here."""
        if len(clauses) > CLAUSES or not self._small:
            return frozenset()
        found, forms = set(), dict[int, tuple[list[Variable], list[Form]] | None]()
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
        nodes = self.network.nodes
        if not all(isinstance(n, Input | Affine) or _is_relu(n) for n in nodes):
            return False
        affine = [n for n in nodes if isinstance(n, Affine)]
        if not all(n.uncertainty.exact for n in affine):
            return False
        maps = [one for n in affine for _, one in n.terms]
        parts = [part for one in maps for part in (one.maps if isinstance(one, Compose) else (one,))]
        sizes = sum(part.in_size * part.out_size for part in parts)
        return sizes <= LARGEST and sum(part.cost for part in parts) * self.spec.input_size <= LARGEST

    def _outputs(self, box: int) -> tuple[list[Variable], list[Form]] | None:
        """The variables, and the outputs as forms of them, on a box."""
        spec = self.spec
        ends = (end[box].tolist() for end in (spec.lower, spec.upper))
        flags = ([False] * spec.input_size if one is None else one[box].tolist() for one in spec.open_ends)
        pairs = zip(*ends, *flags, strict=True)
        variables = [Variable(Fraction(a), Fraction(b), c, d) for a, b, c, d in pairs]
        known: list[list[Form]] = []
        try:
            for node in self.network.nodes:
                if isinstance(node, Input):
                    known.append([Form({i: Fraction(1)}) for i in range(node.size)])
                elif isinstance(node, Affine):
                    known.append(_affine(node, known))
                else:
                    assert isinstance(node, Nonlinear)
                    known.append([_relu(form, variables) for form in known[node.args[0]]])
        except TooLarge:
            return None
        return variables, known[self.network.output]


def _is_relu(node: object) -> bool:
    return isinstance(node, Nonlinear) and len(node.args) == 1 and node.fn.name == "relu"


def _affine(node: Affine, known: list[list[Form]]) -> list[Form]:
    total = [Form(constant=Fraction(v)) for v in node.bias.tolist()]
    for source, one in node.terms:
        for into, form in zip(total, _mapped(one, known[source]), strict=True):
            into.add(form, Fraction(1))
    return total


def _mapped(one: LinearMap, forms: list[Form]) -> list[Form]:
    """The image of the forms; parts of a composition one after the other, so that no product is rounded."""
    for part in one.maps if isinstance(one, Compose) else (one,):
        matrix, image = part.dense().cpu().double().numpy(), list[Form]()
        if sum(len(forms[j].factors) for j in np.nonzero(matrix)[1]) > LARGEST:
            raise TooLarge
        for row in matrix:
            total = Form()
            for j in np.flatnonzero(row).tolist():
                total.add(forms[j], Fraction(float(row[j])))
            image.append(total)
        forms = image
    return forms


def _relu(form: Form, variables: list[Variable]) -> Form:
    low = _least(form, variables)[0]
    if low >= 0:
        return form
    high = -_least(_scaled(form, Fraction(-1)), variables)[0]
    if high <= 0:
        return Form()
    variables.append(Variable(Fraction(0), high))
    return Form({len(variables) - 1: Fraction(1)})


def _scaled(form: Form, factor: Fraction) -> Form:
    total = Form()
    total.add(form, factor)
    return total


def _least(form: Form, variables: list[Variable]) -> tuple[Fraction, bool]:
    """(the greatest number that the form is never below, whether the form is always above it)."""
    total, never = form.constant, False
    for v, factor in form.factors.items():
        one = variables[v]
        if factor > 0:
            total, never = total + factor * one.low, never or one.low_open
        elif factor < 0:
            total, never = total + factor * one.high, never or one.high_open
    return total, never


def _above(clause: Clause, r: int, variables: list[Variable], outputs: list[Form]) -> bool:
    """Whether row r of the clause holds nowhere."""
    total, strict = Form(), False
    if (row := clause.written.get(r)) is not None:
        total.constant, strict = -row.rhs, row.strict
        for name, value in row.coefficients.items():
            i = int(name[2:])
            total.add(outputs[i] if name[0] == "Y" else Form({i: Fraction(1)}), value)
    else:
        total.constant = -Fraction(float(clause.rhs[r]))
        strict = any(flags is not None and bool(flags[r]) for flags in (clause.strict, clause.rounded))
        for j in np.flatnonzero(clause.outputs[r]).tolist():
            total.add(outputs[j], Fraction(float(clause.outputs[r, j])))
        own = np.zeros(0) if clause.inputs is None else clause.inputs[r]
        for i in np.flatnonzero(own).tolist():
            total.add(Form({i: Fraction(1)}), Fraction(float(own[i])))
    least, never = _least(total, variables)
    return least > 0 or (least == 0 and (strict or never))
