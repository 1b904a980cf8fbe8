"""Nodes below a root as expressions in it: entries with equal constants share one expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.network import Affine, Nonlinear
from genbab.network.maps.roundings import UNIT
from genbab.nonlinear import Gate, Nonlinearity
from genbab.nonlinear.expressions.expression import Expression, X, apply, combine, multiply
from genbab.nonlinear.facts.real import Real
from genbab.reader.fuse.roots import Roots

CLASSES = 1024
"""A node with more different functions of its root than this is not looked at."""

WORK = 8192
"""Nor is one for which more expressions than this would be written."""


@dataclass(frozen=True, eq=False)
class EntryExpressions:
    """Entry j is expressions[labels[j]] of the root's entry; labels (N,), or None when all are the first."""

    expressions: tuple[Expression, ...]
    labels: Tensor | None = None


class RootExpressions:
    """The expressions of nodes below one root; UsageError where there are too many different functions."""

    def __init__(self, roots: Roots, root: int) -> None:
        self.roots = roots
        self.root = root
        self.known: dict[int, EntryExpressions] = {root: EntryExpressions((X,))}
        self.doubtful: dict[int, dict[int, Tensor | None]] = {root: {}}
        self.work = 0

    def of(self, between: Sequence[int]) -> EntryExpressions:
        """The expressions of the last of these nodes: all those between it and the root, in order."""
        for i in between:
            if i not in self.known:
                self.doubtful[i] = self._doubtful(i)
                self.known[i] = self._form(i)
        return self.known[between[-1]]

    def _doubtful(self, i: int) -> dict[int, Tensor | None]:
        """Per node with numbers that are not known exactly: which of its entries each entry is made of.

        -1 for none; None: the same one. Only of nodes of which several entries depend on one of the root.
        UsageError where two meet: their numbers count as one if they look alike, and would cancel.
        """
        found: dict[int, Tensor | None] = {}
        size, total = self.roots.network.nodes[i].size, self.roots.network.affine.get(i)
        for read in self.roots.reads[i] or ():
            dead = read.dead
            for source, entries in self.doubtful[read.source].items():
                here = entries
                if read.index is not None:
                    here = read.index if entries is None else entries[read.index.clamp(min=0)]
                if dead is not None:
                    here = _own(here, size).masked_fill(dead, -1)
                found[source] = _met(found[source], here, size) if source in found else here
        place = self.roots.place(i, self.root)
        shared = place is not None and torch.unique(place).numel() < place.numel()
        if shared and total is not None and not total.uncertainty.exact:
            found[i] = None
        return found

    def _form(self, i: int) -> EntryExpressions:
        total = self.roots.network.affine.get(i)
        return self._function(self.roots.network.nonlinear[i]) if total is None else self._affine(i, total)

    def _function(self, node: Nonlinear) -> EntryExpressions:
        forms = [self.known[a] for a in node.args]
        fn = node.fn
        if isinstance(fn, Nonlinearity):
            single = forms[0]
            return self._made([single.labels], lambda k: _applied(fn, single.expressions[k[0]]))
        x, y = forms
        inner = fn.g if isinstance(fn, Gate) else None

        def times(k: Sequence[int]) -> Expression:
            second = y.expressions[k[1]]
            return multiply(x.expressions[k[0]], second if inner is None else _applied(inner, second))

        return self._made([x.labels, y.labels], times)

    def _affine(self, i: int, node: Affine) -> EntryExpressions:
        reads, doubt = self.roots.reads[i], node.uncertainty
        assert reads is not None
        if doubt.weights:
            raise UsageError("weights that are not known")
        columns: list[Tensor | None] = []
        tables: list[list[Real]] = []
        for read in reads:
            form, dead = self.known[read.source], read.dead
            labels = form.labels
            if labels is not None and read.index is not None:
                labels = labels[read.index.clamp(min=0)]
            weight = torch.ones(node.size, dtype=torch.float64) if read.weight is None else read.weight
            if dead is not None:
                weight = weight.masked_fill(dead, 0.0)
            numbers, table = _numbered(weight, doubt.roundings, (i, len(tables)))
            columns += [labels, numbers]
            tables.append(table)
        off = 0.0 if doubt.constant is None else float(doubt.constant.max())
        numbers, table = _numbered(node.bias, doubt.roundings, (i, -1), off)
        columns.append(numbers)
        forms = [self.known[read.source] for read in reads]

        def total(k: Sequence[int]) -> Expression:
            parts = [(form.expressions[k[2 * n]], tables[n][k[2 * n + 1]]) for n, form in enumerate(forms)]
            return combine([(e, w) for e, w in parts if w != 0.0], table[k[-1]])

        return self._made(columns, total)

    def _made(
        self, columns: Sequence[Tensor | None], make: Callable[[Sequence[int]], Expression]
    ) -> EntryExpressions:
        """One expression for every different row of the columns; None is a column of zeros."""
        given = [(n, c) for n, c in enumerate(columns) if c is not None]
        if not given:
            self._count(1)
            return EntryExpressions((make([0] * len(columns)),))
        rows = given[0][1]
        for _, column in given[1:]:  # one number per row, counted afresh so that it stays small
            rows = torch.unique(rows * (int(column.max()) + 1) + column, return_inverse=True)[1]
        kinds, labels = torch.unique(rows, return_inverse=True)
        self._count(kinds.numel())
        first = torch.full((kinds.numel(),), labels.numel(), dtype=torch.long)
        first.scatter_reduce_(0, labels, torch.arange(labels.numel()), "amin")
        picked = torch.zeros(kinds.numel(), len(columns), dtype=torch.long)
        for n, column in given:
            picked[:, n] = column[first]
        return _merged([make(k) for k in picked.tolist()], labels)

    def _count(self, classes: int) -> None:
        self.work += classes
        if classes > CLASSES or self.work > WORK:
            raise UsageError("too many different functions of one variable")


def _own(entries: Tensor | None, size: int) -> Tensor:
    return torch.arange(size) if entries is None else entries


def _met(one: Tensor | None, other: Tensor | None, size: int) -> Tensor | None:
    """The entries that two ways lead to; UsageError where they differ."""
    if one is other:
        return one
    a, b = _own(one, size), _own(other, size)
    if bool(((a >= 0) & (b >= 0) & (a != b)).any()):
        raise UsageError("numbers that are not known meet others that look alike")
    return torch.maximum(a, b)


def _applied(fn: Nonlinearity, u: Expression) -> Expression:
    if u.affine is not None and u.affine[0] == 0.0:
        raise UsageError("a function of a constant is no function of x")
    return apply(fn, u)


def _numbered(
    values: Tensor, roundings: int, origin: tuple[int, int], off: float = 0.0
) -> tuple[Tensor | None, list[Real]]:
    """(per entry the number of its value in the list, the list); None when all are the first.

    The numbers went through so many roundings and are off by so much beside; `origin` tells what they belong
    to.
    """

    def number(place: int, value: float) -> Real:
        error = (roundings * UNIT * abs(value) + off) * (1 + 2.0**-30)
        return Real(value, error, hash((*origin, place)))

    if values.numel() and bool((values == values[0]).all()):
        return None, [number(0, float(values[0]))]
    table, numbers = torch.unique(values, return_inverse=True)
    return numbers, [number(n, float(v)) for n, v in enumerate(table)]


def _merged(expressions: Sequence[Expression], labels: Tensor) -> EntryExpressions:
    """Equal expressions become one."""
    number: dict[str, int] = {}
    kept: list[Expression] = []
    new = []
    for expression in expressions:
        if expression.digest not in number:
            number[expression.digest] = len(kept)
            kept.append(expression)
        new.append(number[expression.digest])
    if len(kept) == 1:
        return EntryExpressions((kept[0],))
    return EntryExpressions(tuple(kept), torch.tensor(new)[labels])
