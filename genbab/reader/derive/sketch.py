"""A network under construction: sums, products, functions; what is 0 or constant is seen and stays so."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.network import Affine, Diagonal, Identity, Index, Input, LinearMap, Node, Nonlinear
from genbab.network.maps.roundings import LEAST, UNIT, of_error
from genbab.network.uncertainty import Uncertainty, padded
from genbab.nonlinear import Expression, Nonlinearity, Product, make
from genbab.nonlinear.expressions.steps import Apply, Argument, Combine, Multiply, digests
from genbab.nonlinear.facts.real import real
from genbab.reader.fuse.sums import Numbers, Sum
from genbab.reader.fuse.wrapped import WrappedFunction, finite, wrapped_functions

ROOM = 1 + 2.0**-20

Maybe = int | None
"""A node, or None for 0."""


class Sketch:
    """Nodes are appended, never changed; `label` is the name that new nodes get.

    A node that does not depend on the input is an affine node without terms, which products and sums see.
    """

    def __init__(self, entry: Input) -> None:
        self.nodes: list[Node] = [entry]
        self.names: list[str] = ["input"]
        self.label = ""
        self._made: dict[tuple[str, int], int] = {}
        self._products: dict[tuple[int, int], Maybe] = {}
        self._powers: dict[tuple[int, int], int] = {}

    def append(self, node: Node) -> int:
        """The number of a new node."""
        self.nodes.append(node)
        self.names.append(self.label)
        return len(self.nodes) - 1

    def size(self, node: int) -> int:
        """N of a node."""
        return self.nodes[node].size

    def constant(self, value: Tensor, error: Tensor | None = None) -> Maybe:
        """Numbers (N,), known to within `error`; None where all of them are 0."""
        if not bool(value.any()) and (error is None or not bool(error.any())):
            return None
        return self.append(Affine((), value, Uncertainty(0, None if error is None else padded(error))))

    def known(self, node: int) -> tuple[Tensor, Tensor] | None:
        """(numbers, errors) of a constant; None for a node that depends on the input."""
        made = self.nodes[node]
        if not isinstance(made, Affine) or made.terms or made.uncertainty.weights:
            return None
        error = made.uncertainty.constant
        return made.bias, torch.zeros_like(made.bias) if error is None else error

    def affine(
        self,
        terms: Sequence[tuple[int, LinearMap]],
        roundings: int = 0,
        weights: Sequence[tuple[int, LinearMap]] = (),
    ) -> Maybe:
        """Σ map(node) without a bias; the maps went through so many roundings and are off by `weights`."""
        if not terms and not weights:
            return None
        if all(self.known(source) is not None for source, _ in (*terms, *weights)):
            return self._folded(terms, roundings, weights)
        if len(terms) == 1 and isinstance(terms[0][1], Identity) and not roundings and not weights:
            return terms[0][0]
        size = (*terms, *weights)[0][1].out_size
        none = torch.zeros(size, dtype=torch.float64)
        return self.append(Affine(tuple(terms), none, Uncertainty(roundings, None, tuple(weights))))

    def total(self, parts: Sequence[tuple[Maybe, float]]) -> Maybe:
        """Σ number · node, the numbers being small integers."""
        found: dict[int, float] = {}
        for node, number in parts:
            if node is not None:
                found[node] = found.get(node, 0.0) + number
        return self.affine([(node, self._scaled(node, number)) for node, number in found.items() if number])

    def _scaled(self, node: int, number: float) -> LinearMap:
        size = self.size(node)
        return Identity(size) if number == 1.0 else Diagonal(torch.full((size,), number, dtype=torch.float64))

    def product(self, x: Maybe, y: Maybe) -> Maybe:
        """x·y, entry by entry."""
        if x is None or y is None:
            return None
        key = (min(x, y), max(x, y))
        if key not in self._products:
            self._products[key] = self._product(*key)
        return self._products[key]

    def _product(self, x: int, y: int) -> Maybe:
        at_x, at_y = self.known(x), self.known(y)
        if at_x is not None and at_y is not None:
            (a, off), (b, away) = at_x, at_y
            value = a * b
            error = (a.abs() * away + off * b.abs() + off * away + UNIT * value.abs()) * ROOM
            exact = not (bool(off.any()) or bool(away.any())) and bool(
                ((a.abs() == 1) | (b.abs() == 1)).all()
            )
            return self.constant(value, None if exact else error + LEAST)
        if at_x is not None or at_y is not None:
            (factor, error), other = (at_x, y) if at_x is not None else (at_y, x)  # type: ignore[misc]
            return self.scaled(other, factor, error)
        if x == y:
            return self.power(x, 2)
        return self.append(Nonlinear(Product(), (x, y), self.size(x)))

    def power(self, x: Maybe, n: int) -> Maybe:
        """x to the n-th, n from 1."""
        if x is None or n == 1:
            return x
        if self.known(x) is not None:
            made: Maybe = x
            for _ in range(n - 1):
                made = self.product(made, x)
            return made
        if (x, n) not in self._powers:
            self._powers[x, n] = self.append(Nonlinear(make("power", n), (x,), self.size(x)))
        return self._powers[x, n]

    def scaled(self, x: int, factor: Tensor, error: Tensor) -> Maybe:
        """Numbers (N,) known to within `error`, times x, entry by entry."""
        roundings, weights = of_error(factor, error), []
        if roundings is None:
            weights = [(x, Diagonal(error * ROOM + LEAST))]
        terms = [(x, Diagonal(factor))] if bool((factor != 1).any()) else [(x, Identity(factor.numel()))]
        return self.affine(terms, roundings or 0, weights)

    def function(self, expression: Expression, x: int) -> Maybe:
        """An expression of node x: as one function where its facts are certain, else step by step."""
        key = expression.digest, x
        if key not in self._made:
            piece = None if self.known(x) is not None else _piece(expression)
            made = self._steps(expression, x) if piece is None else self._wrapped(piece, x)
            if made is None:
                return None
            self._made[key] = made
        return self._made[key]

    def _wrapped(self, piece: WrappedFunction, x: int) -> Maybe:
        size, total = self.size(x), Sum(_numbers(piece.shift, self.size(x)))
        if piece.slope:
            total.add(x, None, _numbers(piece.slope, size), size)
        if piece.fn is not None:
            inner = Sum(_numbers(piece.offset, size))
            inner.add(x, None, _numbers(piece.inside, size), size)
            argument = x if inner.copies(x) else self.append(inner.node())
            key = " ".join([piece.fn.name, *(p.hex() for p in piece.fn.params)]), argument
            if key not in self._made:
                self._made[key] = self.append(Nonlinear(piece.fn, (argument,), size))
            total.add(self._made[key], None, _numbers(piece.factor, size), size)
        if not total.terms:
            return self.constant(total.shift.value, total.shift.error)
        return next((s for s, _ in total.terms if total.copies(s)), None) or self.append(total.node())

    def _steps(self, expression: Expression, x: int) -> Maybe:
        """An expression of node x, step by step; steps that were made before are not made again."""
        names = digests(expression.steps)
        made: list[Maybe] = []
        for step, name in zip(expression.steps, names, strict=True):
            if isinstance(step, Argument):
                made.append(x)
                continue
            if (name, x) in self._made:
                made.append(self._made[name, x])
                continue
            if isinstance(step, Multiply):
                node = self.product(made[step.a], made[step.b])
            elif isinstance(step, Combine):
                parts = [(made[source], weight) for source, weight in step.terms]
                node = self.combined(parts, step.shift, self.size(x))
            else:
                assert isinstance(step, Apply)
                node = self.applied(step.fn, made[step.a], self.size(x))
            if node is not None:
                self._made[name, x] = node
            made.append(node)
        return made[-1]

    def applied(self, fn: Nonlinearity, x: Maybe, size: int) -> int:
        """A function of a node of this size."""
        if x is None:
            x = self.append(Affine((), torch.zeros(size, dtype=torch.float64)))
        return self.append(Nonlinear(fn, (x,), size))

    def combined(self, parts: Sequence[tuple[Maybe, float]], shift: float, size: int) -> Maybe:
        """shift + Σ number · node, the numbers as real ones; nodes of this size."""
        total = Sum(_numbers(shift, size))
        for node, weight in parts:
            if node is not None:
                total.add(node, None, _numbers(weight, size), size)
        if not total.terms:
            return self.constant(total.shift.value, total.shift.error)
        if len(total.terms) == 1 and total.copies(total.terms[0][0]):
            return total.terms[0][0]
        return self.append(total.node())

    def picked(self, node: Maybe, entry: int) -> Maybe:
        """One entry of a node."""
        if node is None or self.size(node) == 1:
            return node
        return self.affine([(node, Index(torch.tensor([entry]), self.size(node)))])

    def stacked(self, pieces: Sequence[tuple[Maybe, int]]) -> int:
        """The entries (node, entry) one after the other; the last node."""
        places: dict[int, Tensor] = {}
        for row, (node, entry) in enumerate(pieces):
            if node is not None:
                place = places.setdefault(node, torch.full((len(pieces),), -1))
                place[row] = entry
        terms = tuple((node, Index(place, self.size(node))) for node, place in places.items())
        return self.append(Affine(terms, torch.zeros(len(pieces), dtype=torch.float64)))

    def _folded(
        self,
        terms: Sequence[tuple[int, LinearMap]],
        roundings: int,
        weights: Sequence[tuple[int, LinearMap]],
    ) -> Maybe:
        """A sum of maps of constants, with what its numbers are off by."""
        size = (*terms, *weights)[0][1].out_size
        value, error, count = *torch.zeros(2, size, dtype=torch.float64), 0
        for source, one in terms:
            at, off = self._known(source)
            image, lost = _image(one, at, off, roundings)
            count += bool(image.any())
            total = value + image
            error = error + lost + (UNIT * total.abs() if count > 1 else 0.0)
            value = total
        for source, one in weights:
            at, off = self._known(source)
            error = error + one.apply(at.abs() + off) * ROOM + LEAST * one.gain
        return self.constant(value, error * ROOM if bool(error.any()) else None)

    def _known(self, node: int) -> tuple[Tensor, Tensor]:
        found = self.known(node)
        assert found is not None
        return found


def _image(one: LinearMap, at: Tensor, off: Tensor, roundings: int) -> tuple[Tensor, Tensor]:
    """(map(at), what it may be off by) of numbers that are off by so much.

    Nothing is rounded where a matrix meets a single 1, or numbers are only moved.
    """
    reach, gain = at.abs() + off, one.gain
    for part in one.parts:
        absolute = part.absolute()
        single = int((at != 0).sum()) <= 1 and bool(((at == 0) | (at.abs() == 1)).all())
        sharp = single or (part.cost == 0 and part.terms <= 1)
        lost = absolute.apply(off) * ROOM
        if not sharp:
            lost = lost + (part.terms + 3) * (UNIT * absolute.apply(at.abs()) * ROOM + LEAST * part.gain)
        at, off = part.apply(at), lost
    if roundings:
        off = off + roundings * UNIT * one.absolute().apply(reach) * ROOM + LEAST * gain
    return at, off


@functools.lru_cache(maxsize=1024)
def _piece(expression: Expression) -> WrappedFunction | None:
    """The expression as one function; None where its facts are not certain on enough of the line."""
    try:
        made = wrapped_functions([expression], lambda: None)[0]
    except UsageError:
        return None
    return made if finite(made) else None


def _numbers(value: float, size: int) -> Numbers:
    """One real number for every entry."""
    made = real(value)
    full = torch.full((size,), 1.0, dtype=torch.float64)
    return Numbers(full * float(made), full * made.error)
