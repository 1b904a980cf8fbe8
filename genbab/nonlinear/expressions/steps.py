"""Steps of expressions: the argument, sums, products, functions of the library."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genbab.nonlinear.facts.record import Nonlinearity


@dataclass(frozen=True)
class Argument:
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


Step = Argument | Combine | Multiply | Apply


def digests(steps: Sequence[Step], known: Sequence[str] = ()) -> list[str]:
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


def sources(step: Step) -> tuple[int, ...]:
    """The steps that this one reads."""
    if isinstance(step, Apply):
        return (step.a,)
    if isinstance(step, Multiply):
        return step.a, step.b
    return tuple(source for source, _ in step.terms) if isinstance(step, Combine) else ()


def renumbered(step: Step, place: Sequence[int] | Mapping[int, int]) -> Step:
    """The same of steps that stand at these places."""
    if isinstance(step, Apply):
        return Apply(step.fn, place[step.a])
    if isinstance(step, Multiply):
        return Multiply(place[step.a], place[step.b])
    if isinstance(step, Combine):
        return Combine(tuple((place[source], factor) for source, factor in step.terms), step.shift)
    return step
