"""Functions of one variable as straight-line programs of sums, products and functions of the library.

Everything that is elementwise in one tensor becomes one of these, however a model spelled it; `composed.py`
finds out where it bends. Equal programs are equal values, whatever order they were put together in.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.facts.real import real
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import make

_LONGEST_TEXT = 160


@dataclass(frozen=True)
class Variable:
    """The argument."""


@dataclass(frozen=True)
class Combine:
    """shift + Σ factor · step."""

    terms: tuple[tuple[int, float], ...]
    shift: float


@dataclass(frozen=True)
class Multiply:
    """The product of two steps."""

    a: int
    b: int


@dataclass(frozen=True)
class Apply:
    """A function of the library, of one step."""

    fn: Nonlinearity
    a: int


Step = Variable | Combine | Multiply | Apply


@dataclass(frozen=True)
class Expression:
    """A program: each step reads earlier ones, step 0 is the variable, the last step is the value."""

    steps: tuple[Step, ...]

    @cached_property
    def affine(self) -> tuple[float, float] | None:
        """(factor, shift) when this is factor · x + shift, else None."""
        last = self.steps[-1]
        if isinstance(last, Variable):
            return 1.0, 0.0
        if isinstance(last, Combine) and all(source == 0 for source, _ in last.terms):
            return sum(factor for _, factor in last.terms), last.shift
        return None

    @cached_property
    def functions(self) -> int:
        """How many steps are nonlinear."""
        return sum(isinstance(step, Apply | Multiply) for step in self.steps)

    def value(self, x: Tensor) -> Tensor:
        """The function at x, in the dtype of x; a new tensor."""
        known: list[Tensor] = []
        for step in self.steps:
            if isinstance(step, Variable):
                known.append(x)
            elif isinstance(step, Apply):
                known.append(step.fn.value(known[step.a]))
            elif isinstance(step, Multiply):
                known.append(known[step.a] * known[step.b])
            else:
                known.append(_combined(step, known, step.shift, x))
        return known[-1].clone() if len(known) == 1 else known[-1]

    def derivative(self, x: Tensor) -> Tensor:
        """Its derivative at x, by forward differentiation; either side's value at a kink."""
        values: list[Tensor] = []
        slopes: list[Tensor] = []
        for step in self.steps:
            if isinstance(step, Variable):
                values.append(x)
                slopes.append(torch.ones_like(x))
            elif isinstance(step, Apply):
                inner = values[step.a]
                values.append(step.fn.value(inner))
                slopes.append(step.fn.derivative(inner) * slopes[step.a])
            elif isinstance(step, Multiply):
                a, b = step.a, step.b
                values.append(values[a] * values[b])
                slopes.append(torch.addcmul(slopes[a] * values[b], values[a], slopes[b]))
            else:
                values.append(_combined(step, values, step.shift, x))
                slopes.append(_combined(step, slopes, 0.0, x))
        return slopes[-1]

    @cached_property
    def digest(self) -> str:
        """A hash of what is computed: where it is equal, the same function over the real numbers."""
        return _digests(self.steps)[-1]

    @cached_property
    def spelling(self) -> str:
        """As `digest`, but equal for numbers that are known alike, too; the same in every process."""
        plain: list[Step] = []
        for step in self.steps:
            if isinstance(step, Combine):
                terms = tuple((source, real(w).anonymous) for source, w in step.terms)
                step = Combine(terms, real(step.shift).anonymous)
            plain.append(step)
        return _digests(plain)[-1]

    def __str__(self) -> str:
        texts: list[str] = []
        for step in self.steps:
            if isinstance(step, Variable):
                text = "x"
            elif isinstance(step, Apply):
                text = _call_text(step.fn, texts[step.a])
            elif isinstance(step, Multiply):
                text = f"{_factor_text(texts[step.a])}*{_factor_text(texts[step.b])}"
            else:
                text = _sum_text(step, texts)
            texts.append(text if len(text) <= _LONGEST_TEXT else f"<{len(texts)}>")
        return texts[-1]


def _digests(steps: Sequence[Step], known: Sequence[str] = ()) -> list[str]:
    """Per step a hash of the program that ends there; `known` are those of the first steps."""
    found = list(known)
    for step in steps[len(found) :]:
        if isinstance(step, Apply):
            parts = ["f", step.fn.name, *(p.hex() for p in step.fn.params), found[step.a]]
        elif isinstance(step, Multiply):
            parts = ["*", found[step.a], found[step.b]]
        elif isinstance(step, Combine):
            parts = ["+", step.shift.hex(), *(w.hex() + found[source] for source, w in step.terms)]
        else:
            parts = ["x"]
        found.append(hashlib.sha256(" ".join(parts).encode()).hexdigest())
    return found


def _combined(step: Combine, known: Sequence[Tensor], shift: float, x: Tensor) -> Tensor:
    total = torch.full_like(x, shift)
    for source, factor in step.terms:
        total.add_(known[source], alpha=factor)
    return total


def _call_text(fn: Nonlinearity, argument: str) -> str:
    if fn.name == "power" and fn.params[0].is_integer():
        return f"{_factor_text(argument)}^{int(fn.params[0])}"
    return f"{fn.name}({', '.join([argument, *(f'{p:.6g}' for p in fn.params)])})"


def _factor_text(text: str) -> str:
    """The text in brackets, unless nothing at its outermost level needs them."""
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth == 0 and character == " ":
            return f"({text})"
    return text


def _sum_text(step: Combine, texts: Sequence[str]) -> str:
    parts = [
        texts[source] if factor == 1.0 else f"{factor:.6g}*{_factor_text(texts[source])}"
        for source, factor in step.terms
    ]
    if step.shift or not parts:
        parts.append(f"{step.shift:.6g}")
    return " + ".join(parts).replace("+ -", "- ")


X = Expression((Variable(),))
"""The variable itself."""


class _Program:
    """Steps under construction; an equal step is never appended twice."""

    def __init__(self) -> None:
        self.steps: list[Step] = [Variable()]
        self.digests = _digests(self.steps)
        self._known: dict[Step, int] = {self.steps[0]: 0}

    def add(self, step: Step) -> int:
        if step not in self._known:
            self._known[step] = len(self.steps)
            self.steps.append(step)
            self.digests = _digests(self.steps, self.digests)
        return self._known[step]

    def include(self, expression: Expression) -> int:
        """Append another program; the place of its value."""
        place: list[int] = []
        for step in expression.steps:
            place.append(0 if isinstance(step, Variable) else self.add(_renumbered(step, place)))
        return place[-1]

    def upto(self, last: int) -> Expression:
        """The program that ends at a step, without the steps it does not need, in an order of its own."""
        order: list[int] = [0]
        place = {0: 0}
        waiting = [last]
        while waiting:
            i = waiting[-1]
            missing = [source for source in _sources(self.steps[i]) if source not in place]
            if i in place or not missing:
                waiting.pop()
            if i not in place and not missing:
                place[i] = len(order)
                order.append(i)
            waiting += reversed(missing)
        return X if last == 0 else Expression(tuple(_renumbered(self.steps[i], place) for i in order))


def _sources(step: Step) -> tuple[int, ...]:
    if isinstance(step, Apply):
        return (step.a,)
    if isinstance(step, Multiply):
        return step.a, step.b
    return tuple(source for source, _ in step.terms) if isinstance(step, Combine) else ()


def _renumbered(step: Step, place: Sequence[int] | Mapping[int, int]) -> Step:
    if isinstance(step, Apply):
        return Apply(step.fn, place[step.a])
    if isinstance(step, Multiply):
        return Multiply(place[step.a], place[step.b])
    if isinstance(step, Combine):
        return Combine(tuple((place[source], factor) for source, factor in step.terms), step.shift)
    return step


def constant(value: float) -> Expression:
    """A function that does not depend on its argument."""
    return combine([], value)


def combine(parts: Sequence[tuple[Expression, float]], shift: float = 0.0) -> Expression:
    """shift + Σ factor · expression; sums inside sums are opened, equal terms are added up.

    Raises UsageError for a number that is not finite.
    """
    program = _Program()
    total: dict[int, float] = {}
    shift = real(shift)
    for expression, number in parts:
        factor = real(number)
        last = program.include(expression)
        step = program.steps[last]
        inner = step if isinstance(step, Combine) else Combine(((last, 1.0),), 0.0)
        shift += factor * inner.shift
        for source, weight in inner.terms:
            total[source] = total.get(source, 0.0) + factor * weight
    if not all(math.isfinite(v) and math.isfinite(real(v).error) for v in (shift, *total.values())):
        raise UsageError("an expression needs finite numbers")
    terms = [(source, factor) for source, factor in total.items() if factor != 0.0]
    if not shift and len(terms) == 1 and terms[0][1] == 1.0:
        return program.upto(terms[0][0])
    terms.sort(key=lambda term: program.digests[term[0]])
    return program.upto(program.add(Combine(tuple(terms), shift + 0.0)))


def multiply(x: Expression, y: Expression) -> Expression:
    """x · y; constant factors move out, powers of one thing become one power."""
    program = _Program()
    factor: float = real(1.0)
    kept = []
    for expression, other in ((x, y), (y, x)):
        last = program.include(expression)
        step = program.steps[last]
        if isinstance(step, Combine) and not step.terms:
            return combine([(other, step.shift)])
        if isinstance(step, Combine) and len(step.terms) == 1 and not step.shift:
            ((last, weight),) = step.terms
            factor *= weight
        kept.append(last)
    (base, n), (other_base, m) = (_whole_power(program, i) for i in kept)
    if base == other_base:
        made: Step = Apply(make("power", n + m), base)
    else:
        a, b = sorted(kept, key=lambda i: program.digests[i])
        made = Multiply(a, b)
    return combine([(program.upto(program.add(made)), factor)])


def _whole_power(program: _Program, i: int) -> tuple[int, int]:
    """(base, n) with step i = base ** n, n a positive integer."""
    step = program.steps[i]
    if isinstance(step, Apply) and step.fn.name == "power":
        p = step.fn.params[0]
        if p.is_integer() and p > 0:
            return step.a, int(p)
    return i, 1


def apply(fn: Nonlinearity, x: Expression = X) -> Expression:
    """fn(x), x being no constant; a composed function is opened."""
    if isinstance(fn.written, Expression):
        return substitute(fn.written, x)
    program = _Program()
    return program.upto(program.add(Apply(fn, program.include(x))))


def substitute(outer: Expression, inner: Expression) -> Expression:
    """outer(inner(x)), put together anew, so that what becomes equal is seen."""
    parts: list[Expression] = []
    for step in outer.steps:
        if isinstance(step, Variable):
            parts.append(inner)
        elif isinstance(step, Apply):
            parts.append(apply(step.fn, parts[step.a]))
        elif isinstance(step, Multiply):
            parts.append(multiply(parts[step.a], parts[step.b]))
        else:
            parts.append(combine([(parts[source], w) for source, w in step.terms], step.shift))
    return parts[-1]
