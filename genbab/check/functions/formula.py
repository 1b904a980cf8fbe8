"""Formulas of one entry of one or two tensors, with their values and derivatives in intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from genbab.check.functions.primitives import OUTSIDE, PRIMITIVES
from genbab.check.intervals import Array, Indices, Mask, Pair, add, mul, negative, point

MOST_NODES = 300
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Formula:
    """An argument, a constant for each entry, a sum, a product, or a primitive of another formula."""

    op: str
    kids: tuple[Formula, ...] = ()
    number: int = 0  # of an argument
    values: tuple[Array, ...] = ()  # ends of a constant, or parameters of a primitive


class Taylor(NamedTuple):
    """Intervals of value, first and second derivative; None is a derivative that is 0."""

    value: Pair
    first: Pair | None = None
    second: Pair | None = None


def argument(number: int = 0) -> Formula:
    """The argument of this number."""
    return Formula("argument", number=number)


def constant(low: Array, high: Array | None = None) -> Formula:
    """A number for every entry, or one for all."""
    return Formula("constant", values=(low, low if high is None else high))


def number(value: float) -> Formula:
    """One number for all entries."""
    return constant(np.asarray(value, dtype=np.float64))


def plus(a: Formula, b: Formula) -> Formula:
    """The sum."""
    return Formula("add", (a, b))


def times(a: Formula, b: Formula) -> Formula:
    """The product; of a formula with itself, the square."""
    return apply("power", a, np.asarray(2.0)) if a is b else Formula("mul", (a, b))


def apply(name: str, a: Formula, *values: Array) -> Formula:
    """A primitive of a formula."""
    return Formula(name, (a,), values=values)


def _upward(f: Formula, found: Callable[[Formula, list[T]], T]) -> dict[int, T]:
    """By the id of every node of a formula what is found for it, from what was found for its kids."""
    done: dict[int, T] = {}

    def inner(g: Formula) -> T:
        if id(g) not in done:
            done[id(g)] = found(g, [inner(kid) for kid in g.kids])
        return done[id(g)]

    inner(f)
    return done


def substitute(f: Formula, arguments: Sequence[Formula]) -> Formula:
    """The formula of other formulas; what it shares stays shared."""

    def found(g: Formula, kids: list[Formula]) -> Formula:
        return arguments[g.number] if g.op == "argument" else Formula(g.op, tuple(kids), g.number, g.values)

    return _upward(f, found)[id(f)]


def pick_values(f: Formula, index: Indices) -> Formula:
    """The formula whose entry i is entry index[i] of this one."""

    def found(g: Formula, kids: list[Formula]) -> Formula:
        return Formula(g.op, tuple(kids), g.number, tuple(v if v.ndim == 0 else v[index] for v in g.values))

    return _upward(f, found)[id(f)]


def nodes(f: Formula) -> list[Formula]:
    """Every node of the formula once."""
    seen: dict[int, Formula] = {}
    waiting = [f]
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen[id(node)] = node
            waiting.extend(node.kids)
    return list(seen.values())


def factors(f: Formula) -> tuple[int, int] | None:
    """Which two arguments a formula is the product of; None if it is something else."""
    if f.op == "mul" and {kid.op for kid in f.kids} == {"argument"}:
        return f.kids[0].number, f.kids[1].number
    square = f.op == "power" and f.kids[0].op == "argument" and bool((f.values[0] == 2.0).all())
    return (f.kids[0].number,) * 2 if square else None


def degree(f: Formula, number: int) -> int:
    """0 without the argument, 1 affine in it, 2 anything else, as the formula is written."""
    return _degrees(f, number)[id(f)]


def _degrees(f: Formula, number: int) -> dict[int, int]:
    """The degree of every node of a formula, by its id."""

    def found(g: Formula, kids: list[int]) -> int:
        if g.op == "argument":
            return int(g.number == number)
        if g.op in ("add", "mul"):
            return max(kids) if g.op == "add" else min(2, sum(kids))
        return 2 if any(kids) else 0

    return _upward(f, found)


def kinks(f: Formula, number: int) -> list[Array] | None:
    """Where the formula is not affine in the argument; None if it is not piecewise affine as written."""
    degrees, done = _degrees(f, number), dict[int, list[Array] | None]()

    def inner(g: Formula) -> list[Array] | None:
        if id(g) not in done:
            done[id(g)] = found(g)
        return done[id(g)]

    def found(g: Formula) -> list[Array] | None:
        if degrees[id(g)] <= 1:
            return []
        if g.op in ("hinge", "absolute", "clip") and g.kids[0].op == "argument":
            return [np.zeros(())] if g.op != "clip" else list(g.values)
        if g.op != "add" and (g.op != "mul" or all(degrees[id(kid)] for kid in g.kids)):
            return None
        parts = [inner(kid) for kid in g.kids]
        whole = {id(k): k for some in parts if some for k in some}  # what is shared counts once
        return None if None in parts or len(whole) > MOST_NODES else list(whole.values())

    return inner(f)


def evaluate(f: Formula, arguments: Sequence[Taylor], entries: Indices, order: int = 0) -> Taylor:
    """Value, and derivatives up to the order, at the entries of the arguments' intervals."""

    def found(g: Formula, kids: list[Taylor]) -> Taylor:
        if g.op == "argument":
            return arguments[g.number]
        values = [v if v.ndim == 0 else v[entries] for v in g.values]
        if g.op == "constant":
            return Taylor((values[0], values[1]))
        if g.op in ("add", "mul"):
            return (_sum if g.op == "add" else _product)(*kids)
        return _chain(PRIMITIVES[g.op](kids[0].value, values, order), kids[0])

    return _upward(f, found)[id(f)]


def partial(f: Formula) -> list[Formula]:
    """The primitives of the formula that do not have a value everywhere."""
    return [g for g in nodes(f) if g.op in OUTSIDE and not (g.op == "power" and _whole(g))]


def undefined(some: Sequence[Formula], intervals: Sequence[Pair], entries: Indices) -> Mask:
    """Where one of these primitives may have no value."""
    outside: Mask = np.zeros(len(entries), dtype=np.bool_)
    for g in some:
        value = evaluate(g.kids[0], [Taylor(x) for x in intervals], entries).value
        values = [v if v.ndim == 0 else v[entries] for v in g.values]
        outside = outside | OUTSIDE[g.op](value, values)
    return outside


def _whole(g: Formula) -> bool:
    return float(g.values[0].min()) >= 0 and bool((g.values[0] == np.trunc(g.values[0])).all())


def _sum(a: Taylor, b: Taylor) -> Taylor:
    return Taylor(add(a.value, b.value), _plus(a.first, b.first), _plus(a.second, b.second))


def _plus(*terms: Pair | None) -> Pair | None:
    total: Pair | None = None
    for term in terms:
        if term is not None:
            total = term if total is None else add(total, term)
    return total


def _times(a: Pair | None, b: Pair | None) -> Pair | None:
    return None if a is None or b is None else mul(a, b)


def _product(a: Taylor, b: Taylor) -> Taylor:
    twice = _times(a.first, b.first)
    return Taylor(
        mul(a.value, b.value),
        _plus(_times(a.first, b.value), _times(a.value, b.first)),
        _plus(
            _times(a.second, b.value),
            _times(a.value, b.second),
            None if twice is None else (2.0 * twice[0], 2.0 * twice[1]),
        ),
    )


def _chain(outer: Sequence[Pair], inner: Taylor) -> Taylor:
    if len(outer) == 1 or inner.first is None:
        return Taylor(outer[0])
    pole = ~(np.isfinite(outer[0][0]) & np.isfinite(outer[0][1]))  # the derivative says nothing there
    first, second = ((np.where(pole, -np.inf, low), np.where(pole, np.inf, high)) for low, high in outer[1:])
    return Taylor(
        outer[0],
        mul(first, inner.first),
        _plus(mul(second, mul(inner.first, inner.first)), _times(first, inner.second)),
    )


def minus(a: Pair, b: Pair) -> Pair:
    """All differences."""
    return add(a, negative(b))


def at(x: Array) -> Taylor:
    """The jet of a number that does not vary."""
    return Taylor(point(x))
