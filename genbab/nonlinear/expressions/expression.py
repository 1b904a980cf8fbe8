"""Functions of one variable as straight-line programs of sums, products and functions of the library.

Everything that is elementwise in one tensor becomes one of these, however a model spelled it; `composed.py`
finds out where it bends. Equal programs are equal values, whatever order they were put together in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.expressions.steps import (
    Apply,
    Argument,
    Combine,
    Multiply,
    Step,
    digests,
    renumbered,
    sources,
)
from genbab.nonlinear.expressions.text import text
from genbab.nonlinear.facts.real import real
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import make


@dataclass(frozen=True)
class Expression:
    """A program: each step reads earlier ones, step 0 is the variable, the last step is the value."""

    steps: tuple[Step, ...]

    @cached_property
    def affine(self) -> tuple[float, float] | None:
        """(factor, shift) when this is factor · x + shift, else None."""
        last = self.steps[-1]
        if isinstance(last, Argument):
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
            if isinstance(step, Argument):
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
            if isinstance(step, Argument):
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
        return digests(self.steps)[-1]

    @cached_property
    def spelling(self) -> str:
        """As `digest`, but equal for numbers that are known alike, too; the same in every process."""
        plain: list[Step] = []
        for step in self.steps:
            if isinstance(step, Combine):
                terms = tuple((source, real(w).anonymous) for source, w in step.terms)
                step = Combine(terms, real(step.shift).anonymous)
            plain.append(step)
        return digests(plain)[-1]

    def __str__(self) -> str:
        return text(self.steps)


def _combined(step: Combine, known: Sequence[Tensor], shift: float, x: Tensor) -> Tensor:
    total = torch.full_like(x, shift)
    for source, factor in step.terms:
        total.add_(known[source], alpha=factor)
    return total


X = Expression((Argument(),))
"""The variable itself."""


class _Program:
    """Steps under construction; an equal step is never appended twice."""

    def __init__(self) -> None:
        self.steps: list[Step] = [Argument()]
        self.digests = digests(self.steps)
        self._known: dict[Step, int] = {self.steps[0]: 0}

    def add(self, step: Step) -> int:
        if step not in self._known:
            self._known[step] = len(self.steps)
            self.steps.append(step)
            self.digests = digests(self.steps, self.digests)
        return self._known[step]

    def include(self, expression: Expression) -> int:
        """Append another program; the place of its value."""
        place: list[int] = []
        for step in expression.steps:
            place.append(0 if isinstance(step, Argument) else self.add(renumbered(step, place)))
        return place[-1]

    def upto(self, last: int) -> Expression:
        """The program that ends at a step, without the steps it does not need, in an order of its own."""
        order: list[int] = [0]
        place = {0: 0}
        waiting = [last]
        while waiting:
            i = waiting[-1]
            missing = [source for source in sources(self.steps[i]) if source not in place]
            if i in place or not missing:
                waiting.pop()
            if i not in place and not missing:
                place[i] = len(order)
                order.append(i)
            waiting += reversed(missing)
        return X if last == 0 else Expression(tuple(renumbered(self.steps[i], place) for i in order))


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
        if isinstance(step, Argument):
            parts.append(inner)
        elif isinstance(step, Apply):
            parts.append(apply(step.fn, parts[step.a]))
        elif isinstance(step, Multiply):
            parts.append(multiply(parts[step.a], parts[step.b]))
        else:
            parts.append(combine([(parts[source], w) for source, w in step.terms], step.shift))
    return parts[-1]
