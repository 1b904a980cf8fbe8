"""How functions are differentiated: the chain rule of any order, products, softmaxes.

∂_S f(a) = Σ over the partitions π of S of f^(|π|)(a) · Π over the blocks B of π of ∂_B a (Faà di Bruno's
formula as sets have it: Hardy, Combinatorics of partial derivatives, 2006), and Leibniz's rule for products.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import torch

from genbab.errors import UsageError
from genbab.network import Adjoint, Compose, Grouped, Index, LinearMap
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.composed.slopes import continuous
from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.steps import Apply
from genbab.nonlinear.groups.softmax import Softmax
from genbab.nonlinear.identities.meeting import meeting
from genbab.nonlinear.identities.switches import STEPS

Directions = tuple[int, ...]
"""Numbers of the directions in which something is differentiated, ascending, with repetitions."""


def partitions(parts: Sequence[int]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """All partitions of distinct things into blocks."""
    if not parts:
        yield ()
        return
    first, rest = parts[0], parts[1:]
    for smaller in partitions(rest):
        yield ((first,), *smaller)
        for k, block in enumerate(smaller):
            yield (*smaller[:k], (first, *block), *smaller[k + 1 :])


def chain_rule(directions: Directions) -> list[tuple[tuple[Directions, ...], int]]:
    """(blocks, how often) of the partitions of these directions, those that come to the same together."""
    found: Counter[tuple[Directions, ...]] = Counter()
    for one in partitions(range(len(directions))):
        found[tuple(sorted(tuple(sorted(directions[k] for k in block)) for block in one))] += 1
    return sorted(found.items())


def product_rule(directions: Directions) -> list[tuple[Directions, Directions, int]]:
    """(what meets the first factor, what the second one, how often)."""
    found: Counter[tuple[Directions, Directions]] = Counter()
    for chosen in range(1 << len(directions)):
        first = tuple(d for k, d in enumerate(directions) if chosen >> k & 1)
        second = tuple(d for k, d in enumerate(directions) if not chosen >> k & 1)
        found[first, second] += 1
    return [(*pair, count) for pair, count in sorted(found.items())]


def refuse_jumps(fn: Nonlinearity, where: str) -> None:
    """Raises UsageError, naming node and function, for a function that jumps or may jump.

    It has no derivative. A function that is put together of pieces is looked at as a whole.
    """
    if not isinstance(fn.written, Expression):
        if not continuous(fn):
            raise UsageError(f"{where}: '{fn}' jumps, so it has no derivative")
        return
    parts = [step.fn for step in fn.written.steps if isinstance(step, Apply) and not continuous(step.fn)]
    if parts and not (all(part.name in STEPS for part in parts) and meeting(fn.written)):
        raise UsageError(
            f"{where}: '{fn.written}' may jump, so it has no derivative: pieces must meet exactly, "
            "in numbers that float64 holds"
        )


def softmax_rows(node: Grouped, where: str) -> LinearMap:
    """The map that puts the sum of a row into its entries; UsageError for another function of rows."""
    if not isinstance(node.fn, Softmax):
        raise UsageError(f"{where}: the derivative of '{node.fn.name}' is not known")
    rows = node.size // node.fn.length
    into = Index(torch.arange(rows).repeat_interleave(node.fn.length), rows)
    return Compose((Adjoint(into), into))
