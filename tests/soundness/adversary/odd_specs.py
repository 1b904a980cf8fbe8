"""Odd specifications of small networks that are exact in float32: every one is decided in rational numbers.

Strict relations, equalities, or of and of or, couplings of inputs and outputs, bounds given twice or against
each other, boxes as wide as a unit in the last place, decimals that are no floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from genbab.errors import GenbabError
from genbab.result import Result

from .cases import Case, row_of
from .linear import Atom, Both, Formula, Row, cases_of, rows_of, satisfiable
from .writing import Graph

Form = tuple[tuple[Fraction, ...], Fraction]
NEAREST = Fraction(1, 2**23)
"""How far, relatively, a witness may lie outside of the region if the real property is violated, too."""


class Net:
    """relu(x A + a) B + b, or x B + b, with weights of few bits."""

    def __init__(self, random: Any) -> None:
        self.inputs, self.outputs = (int(v) for v in random.integers(1, 3, 2))
        self.hidden = int(random.integers(0, 3))
        self.weights = [
            (random.integers(-8, 9, (n, m)) / 4, random.integers(-8, 9, m) / 4) for n, m in self._sizes()
        ]
        self.dtype = np.float32 if random.random() < 0.8 else np.float64

    def _sizes(self) -> list[tuple[int, int]]:
        if not self.hidden:
            return [(self.inputs, self.outputs)]
        return [(self.inputs, self.hidden), (self.hidden, self.outputs)]

    def model(self) -> bytes:
        """The ONNX file."""
        graph = Graph(self.dtype)
        name = graph.input("x", 1, self.inputs)
        for k, (weight, bias) in enumerate(self.weights):
            name = graph.op("Relu", name) if k else name
            name = graph.op("Gemm", name, graph.constant(weight), graph.constant(bias))
        return bytes(graph.model([name]).SerializeToString())

    def at(self, x: Sequence[Fraction]) -> list[Fraction]:
        """The exact outputs."""
        values = list(x)
        for k, (weight, bias) in enumerate(self.weights):
            values = [max(v, Fraction(0)) for v in values] if k else values
            columns = zip(weight.T, bias, strict=True)
            values = [
                sum((Fraction(w) * v for w, v in zip(column, values, strict=True)), Fraction(shift))
                for column, shift in columns
            ]
        return values

    def pieces(self) -> list[tuple[list[Row], dict[str, Form]]]:
        """Where which neurons are on, and what the outputs are there, as affine forms of x."""
        unit = [tuple(Fraction(i == k) for i in range(self.inputs)) for k in range(self.inputs)]
        start: dict[str, Form] = {f"X_{k}": (u, Fraction(0)) for k, u in enumerate(unit)}
        forms = [start[f"X_{k}"] for k in range(self.inputs)]
        first = [
            _combined(forms, w, b) for w, b in zip(self.weights[0][0].T, self.weights[0][1], strict=True)
        ]
        if not self.hidden:
            return [([], {**start, **{f"Y_{k}": f for k, f in enumerate(first)}})]
        found = []
        for on in product((False, True), repeat=self.hidden):
            rows: list[Row] = []
            kept: list[Form] = []
            for active, (coefficients, constant) in zip(on, first, strict=True):
                sign = -1 if active else 1
                rows.append((tuple(sign * c for c in coefficients), -sign * constant, False))
                kept.append((coefficients, constant) if active else (unit[0][:0], Fraction(0)))
            last = zip(self.weights[1][0].T, self.weights[1][1], strict=True)
            outputs = {f"Y_{k}": _combined(kept, w, b, self.inputs) for k, (w, b) in enumerate(last)}
            found.append((rows, {**start, **outputs}))
        return found


def _combined(forms: Sequence[Form], weights: Any, bias: float, size: int = 0) -> Form:
    size = size or len(forms[0][0])
    total, constant = [Fraction(0)] * size, Fraction(bias)
    for (coefficients, shift), weight in zip(forms, weights, strict=True):
        for k, c in enumerate(coefficients):
            total[k] += Fraction(weight) * c
        constant += Fraction(weight) * shift
    return tuple(total), constant


def odd_specs(seed: int) -> Case:
    """A case with a text in VNN-LIB 1.0; either verdict may be the wrong one."""
    random = np.random.default_rng(seed)
    net = Net(random)
    centre = random.integers(-16, 17, net.inputs) / 8
    asserted = [*_bounds(random, centre), _claim(random, net, centre, 2)]
    whole = Both(False, tuple(asserted))
    possible = any(
        satisfiable([*rows, *(r for atom in atoms for r in rows_of(atom, forms))])
        for atoms in cases_of(whole)
        for rows, forms in net.pieces()
    )
    names = [f"X_{k}" for k in range(net.inputs)] + [f"Y_{k}" for k in range(net.outputs)]
    lines = [f"(declare-const {name} Real)" for name in names] + [f"(assert {a})" for a in asserted]
    return Case(
        "odd_specs",
        seed,
        net.model(),
        "\n".join(lines) + "\n",
        ("verified",) if possible else (),
        "some point violates it" if possible else "no point violates it",
        seconds=0.2,
        settings={"attack_restarts": int(random.choice([0, 16]))},
        judge=_judge(whole, possible),
    )


def _decimal(value: float, random: Any) -> str:
    """A decimal of the number, or one next to it that is no float."""
    text = f"{Fraction(value).numerator / Fraction(value).denominator:.12f}".rstrip("0")
    text = text + "0" if text.endswith(".") else text
    return text + "0" * 8 + "1" if random.random() < 0.1 else text


def _bounds(random: Any, centre: Any) -> list[Formula]:
    found: list[Formula] = []
    for k, c in enumerate(centre):
        width = float(random.choice([0.0, 2.0**-23, 2.0**-40, 0.1, 0.5, 2.0]))
        for sign, relations in ((-1, (">=", ">")), (1, ("<=", "<"))):
            end = c + sign * width * float(random.random() < 0.8)
            strict = int(random.random() < 0.25)
            found.append(Atom(((f"X_{k}", "1"),), relations[strict], _decimal(end, random)))
            if random.random() < 0.3:  # once more, weaker, tighter, or against the other
                move = float(random.choice([0.0, 0.25, -0.125, -(2.0**-30)]))
                again = _decimal(end + sign * move, random)
                found.append(Atom(((f"X_{k}", "1"),), relations[int(random.random() < 0.5)], again))
        if random.random() < 0.08:
            found.append(Atom(((f"X_{k}", "1"),), "=", _decimal(c, random)))
    return found


def _claim(random: Any, net: Net, centre: Any, depth: int) -> Formula:
    if depth and random.random() < 0.6:
        parts = tuple(_claim(random, net, centre, depth - 1) for _ in range(int(random.integers(1, 4))))
        return Both(bool(random.random() < 0.5), parts)
    return _atom(random, net, centre)


def _atom(random: Any, net: Net, centre: Any) -> Atom:
    """A relation of outputs, at times with inputs, whose edge goes through a point near the centre."""
    terms = {f"Y_{int(random.integers(net.outputs))}": "1"}
    if random.random() < 0.4:
        terms[f"X_{int(random.integers(net.inputs))}"] = str(random.choice(["1", "-1", "2.0", "-0.5"]))
    if random.random() < 0.3:
        terms[f"Y_{int(random.integers(net.outputs))}"] = str(random.choice(["1", "-1", "0.25"]))
    if random.random() < 0.15:
        terms = {f"X_{int(random.integers(net.inputs))}": "1"}
    x = row_of(centre + random.choice([-0.25, 0.0, 0.0, 0.5]))
    point = {f"X_{k}": v for k, v in enumerate(x)} | {f"Y_{k}": v for k, v in enumerate(net.at(x))}
    edge = sum((Fraction(f) * point[v] for v, f in terms.items()), Fraction(0))
    edge += Fraction(float(random.choice([0.0, 0.0, 2.0**-20, -(2.0**-20), 0.5, -0.5])))
    relation = str(random.choice(["<=", ">=", "<", ">", "="], p=[0.3, 0.3, 0.15, 0.15, 0.1]))
    return Atom(tuple(terms.items()), relation, _decimal(float(edge), random))


def _judge(whole: Formula, possible: bool) -> Callable[[Result | GenbabError], str]:
    """What is wrong with a witness, or with the claim that there is nothing to verify."""

    def judge(said: Result | GenbabError) -> str:
        if isinstance(said, GenbabError):
            return f"refused as empty: {said}" if possible and "empty" in str(said) else ""
        found = said.counterexample
        if found is None:
            return ""
        point = {f"X_{k}": Fraction(v) for k, v in enumerate(found.x.tolist())}
        point |= {f"Y_{k}": Fraction(v) for k, v in enumerate(found.y.tolist())}
        if whole.holds(point) or (possible and _close(whole, point)):
            return ""
        return f"falsified by {found.x.tolist()} with {found.y.tolist()}, which does not violate the text"

    return judge


def _close(whole: Formula, point: dict[str, Fraction]) -> bool:
    """Whether every bound of one input holds at the point, but for the distance of neighbouring floats."""
    assert isinstance(whole, Both)
    for part in whole.parts:
        if isinstance(part, Atom) and len(part.terms) == 1 and part.terms[0][0].startswith("X"):
            value = point[part.terms[0][0]]
            room = NEAREST * (abs(value) + 1)
            near = [dict(point) | {part.terms[0][0]: value + move} for move in (-room, room)]
            if not any(part.holds(p) for p in (point, *near)) and part.relation != "=":
                return False
    return True
