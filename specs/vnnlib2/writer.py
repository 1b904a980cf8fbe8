"""Writing VNN-LIB 2: typed tensors, several runs of a network, products of variables, Euclidean balls.

Numbers are those of the 1.0 writer, in full (the language has no exponents).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import prod

import numpy as np

from genbab.errors import SpecError
from genbab.specs.form.elements import Ball, Hidden
from genbab.specs.form.spec import Spec
from genbab.specs.vnnlib1.writer import Notation, refuse_networks, write_text

Shapes = Sequence[Sequence[int]]
"""Shapes of tensors, one after the other in the flat order."""


def write_vnnlib2(
    spec: Spec, path: str | os.PathLike[str], inputs: Shapes | None = None, outputs: Shapes | None = None
) -> None:
    """Write a specification as VNN-LIB 2 (see `format_vnnlib2`), compressed when the name ends in .gz."""
    write_text(format_vnnlib2(spec, inputs, outputs), path)


def format_vnnlib2(spec: Spec, inputs: Shapes | None = None, outputs: Shapes | None = None) -> str:
    """The VNN-LIB 2.0 text over real numbers; reading it gives an equal specification.

    inputs, outputs: the shapes of the model's tensors; flat vectors where they are not given. Exceptions: a
    row on one input only is read back as a bound, a vacuous spec without its boxes, a ball whose centre
    has no short form as one with the same points; `premises` are not told apart. Raises SpecError for what
    the language cannot say: balls of norm 1, runs that are not made of plain inputs.
    """
    refuse_networks(spec)
    runs = _columns(spec)
    sizes = len(runs[0]), spec.output_size // len(runs) - sum(one.size for one in spec.hidden)
    shapes = [
        _shapes(given, size, what)
        for given, size, what in zip((inputs, outputs), sizes, ("inputs", "outputs"), strict=True)
    ]
    names = _Names(shapes[0], shapes[1], _quotable(spec.hidden))
    lines = [line for note in spec.notes for line in (f"; {part}" for part in note.splitlines())]
    lines.append("(vnnlib-version <2.0>)")
    inside: dict[int, str] = {}
    same: list[str] = []
    out: list[str] = []
    for run, columns in enumerate(runs):
        lines.extend(names.declaration(run))
        for column, name in zip(columns.tolist(), names.variables("X", run), strict=True):
            if inside.setdefault(column, name) is not name:
                same.append(f"(assert (== {name} {inside[column]}))")
        out.extend(names.variables("Y", run) + names.variables("H", run))
    if lost := sorted(set(range(spec.input_size)) - set(inside)):
        raise SpecError(f"input {lost[0]} is not an input of any run; VNN-LIB has no other variables")
    flat = [inside[i] for i in range(spec.input_size)]
    both = flat + out
    out += [f"(* {' '.join(both[c] for c in columns)})" for columns in spec.products]
    return "\n".join([*lines, *same, *_Typed(flat, out).assertions(spec)]) + "\n"


@dataclass(frozen=True)
class _Typed(Notation):
    """The notation of VNN-LIB 2: numbers in full and with a point; balls as quadratic relations."""

    def number(self, text: str) -> str:
        plain = format(Decimal(text), "f")
        return plain if "." in plain else f"{plain}.0"

    def region(self, spec: Spec, box: int) -> Iterator[str]:
        yield from super().region(spec, box)
        for ball in spec.balls[box] if spec.balls else ():
            yield self._ball(ball)

    def _ball(self, ball: Ball) -> str:
        if ball.norm != 2:
            raise SpecError("VNN-LIB cannot say that a point lies in a ball of norm 1 (no absolute values)")
        squares = []
        for column, value in zip(ball.columns.tolist(), ball.centre.tolist(), strict=True):
            name, centre = self.inputs[column], self.number(str(Decimal(value)))
            offset = name if value == 0.0 else f"(- {name} {centre})"
            squares.append(f"(* {offset} {offset})")
        total = f"(+ {' '.join(squares)})" if len(squares) > 1 else squares[0]
        top, bottom = ball.radius.numerator, ball.radius.denominator
        scaled = total if bottom == 1 else f"(* {bottom * bottom}.0 {total})"
        return f"(<= {scaled} {top * top}.0)"


@dataclass(frozen=True)
class _Names:
    """Names of networks, tensors and their entries; the first run has no number."""

    inputs: Shapes
    outputs: Shapes
    hidden: tuple[Hidden, ...]

    def _tensors(self, kind: str, run: int) -> list[tuple[str, Sequence[int]]]:
        flat = [[one.size] for one in self.hidden]
        shapes = {"X": self.inputs, "Y": self.outputs, "H": flat}[kind]
        tail = f"_run{run + 1}" if run else ""
        return [(f"{kind}{k if len(shapes) > 1 else ''}{tail}", shape) for k, shape in enumerate(shapes)]

    def declaration(self, run: int) -> Iterator[str]:
        """The lines that declare a run of the network."""
        yield f"(declare-network f{f'_run{run + 1}' if run else ''}"
        if run:
            yield "  (equal-to f)"
        for kind, word in (("X", "input"), ("H", "hidden"), ("Y", "output")):
            for k, (name, shape) in enumerate(self._tensors(kind, run)):
                inside = f' "{self.hidden[k].name}"' if kind == "H" else ""
                yield f"  (declare-{word} {name} real [{', '.join(map(str, shape))}]{inside})"
        yield ")"

    def variables(self, kind: str, run: int) -> list[str]:
        """The entries of all input or output tensors of a run, in flat order."""
        found = []
        for name, shape in self._tensors(kind, run):
            if not shape:
                found.append(name)
                continue
            places = np.stack(np.unravel_index(np.arange(prod(shape)), tuple(shape)), 1).tolist()
            found.extend(f"{name}[{','.join(map(str, place))}]" for place in places)
        return found


def _quotable(hidden: tuple[Hidden, ...]) -> tuple[Hidden, ...]:
    """These hidden tensors; raises SpecError where a name cannot stand between quotes."""
    if bad := [
        one.name for one in hidden if not one.name.isprintable() or '"' in one.name or "\\" in one.name
    ]:
        raise SpecError(f"the name {bad[0]!r} of a hidden tensor cannot be written between quotes")
    return hidden


def _columns(spec: Spec) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The spec's columns that are the inputs of each run; raises SpecError for runs on other terms."""
    if not spec.runs:
        return [np.arange(spec.input_size)]
    for run in spec.runs:
        plain = np.array_equal(np.sort(run.row), np.arange(len(run.offset)))
        if not plain or (run.value != 1).any() or run.offset.any():
            raise SpecError("VNN-LIB cannot say that a network is run on sums; only on plain inputs")
    return [run.column[np.argsort(run.row)] for run in spec.runs]


def _shapes(given: Shapes | None, size: int, what: str) -> Shapes:
    shapes = [[size]] if given is None else [list(shape) for shape in given]
    if sum(prod(shape) for shape in shapes) != size:
        raise SpecError(f"the shapes {shapes} do not hold {size} {what}")
    return shapes
