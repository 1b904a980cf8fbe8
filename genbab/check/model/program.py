"""A model as steps over flat tensors: the inputs, affine steps, and elementwise formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from genbab.check.failures import Unusable
from genbab.check.functions.formula import Formula
from genbab.check.intervals import Array, Indices, Pair, add, negative
from genbab.check.model.maps import EntryScale, Gather, Map, Matrix, Transposed, same
from genbab.check.model.whole import Whole

Numbers = npt.NDArray[Any]
MOST_ENTRIES = 1 << 24


class Moment(NamedTuple):
    """Where the next step is charged: what is known of those before it, and its values over the reals."""

    program: Program
    ranges: Sequence[Pair]
    errors: Mapping[int, Array]
    number: int
    exact: Pair

    @property
    def step(self) -> Step:
        """The step."""
        found = self.program.steps[self.number]
        assert found is not None
        return found


class Charge(Protocol):
    """How far the numbers of an execution may be from what a step says of those before it."""

    def __call__(self, at: Moment) -> Array:
        """(B, N); infinite where a number that is computed on the way may not be finite."""


@dataclass(frozen=True)
class Term:
    """A linear map of an earlier step; each weight may lie its radius away."""

    source: int
    map: Map
    radius: Map | None = None


@dataclass(frozen=True)
class AffineStep:
    """A sum of linear maps of earlier steps, and a constant in an interval."""

    terms: tuple[Term, ...]
    low: Array
    high: Array
    exact: bool = False  # each entry is one entry of one source
    charge: Charge | None = None  # of a tensor of the file, where an execution is asked about

    @property
    def sources(self) -> tuple[int, ...]:
        """The steps it takes from."""
        return tuple(term.source for term in self.terms)

    @property
    def size(self) -> int:
        """How many entries it has."""
        return len(self.low)


@dataclass(frozen=True)
class ElementwiseStep:
    """A formula of the entries of one or two earlier steps of the same size."""

    formula: Formula
    sources: tuple[int, ...]
    size: int
    charge: Charge | None = None


@dataclass(frozen=True)
class SoftmaxStep:
    """The softmax of rows of an earlier step, of `length` entries one after the other.

    differences: a step of x_i - x_j of each row, i < j, if their intervals are of use.
    """

    source: int
    differences: int | None
    length: int
    size: int
    charge: Charge | None = None

    @property
    def sources(self) -> tuple[int, ...]:
        """The steps whose intervals it needs."""
        return (self.source,) if self.differences is None else (self.source, self.differences)


@dataclass(frozen=True)
class NormedStep:
    """Rows of an earlier step over the root of their sum of squares, a step too, and a floor of 0 or more."""

    source: int
    squares: int
    floor: float
    length: int
    size: int
    charge: Charge | None = None

    @property
    def sources(self) -> tuple[int, ...]:
        """The steps whose intervals it needs."""
        return self.source, self.squares


RowStep = SoftmaxStep | NormedStep
Step = AffineStep | ElementwiseStep | RowStep


@dataclass(frozen=True)
class Wire:
    """A tensor that varies: the step that computes it, and its shape."""

    step: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Fixed:
    """A constant tensor, in an interval where it was computed; integers and booleans are exact."""

    low: Numbers
    high: Numbers

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.low.shape

    @property
    def is_float(self) -> bool:
        """Whether it holds real numbers."""
        return self.low.dtype == np.float64


Tensor = Wire | Fixed
Move = Callable[[Numbers], Numbers]


@dataclass
class Program:
    """The steps, of which the first is the D inputs; and the tensors by their names in the file."""

    inputs: int
    steps: list[Step | None] = field(default_factory=lambda: [None])
    tensors: dict[str, Tensor] = field(default_factory=dict)
    products: dict[int, Wire] = field(default_factory=dict)  # what matrix products of two tensors add up
    outputs: list[str] = field(default_factory=list)
    aside: frozenset[int] = frozenset()  # steps that only say how far joins are from what is executed
    whole: Whole | None = None  # inputs of integers

    def size(self, step: int) -> int:
        """How many entries a step has."""
        found = self.steps[step]
        return self.inputs if found is None else found.size

    def add(self, step: Step) -> int:
        """The number of a new step."""
        if step.size > MOST_ENTRIES:
            raise Unusable(f"the model has a tensor of {step.size} numbers; at most {MOST_ENTRIES} are read")
        self.steps.append(step)
        return len(self.steps) - 1

    def affine(self, terms: Sequence[Term], shape: Sequence[int], constant: Pair | None = None) -> Wire:
        """A new tensor: maps of others, and a constant."""
        zeros = np.zeros(int(np.prod(shape)))
        low, high = constant or (zeros, zeros)
        return Wire(self.add(AffineStep(tuple(terms), low.ravel(), high.ravel())), tuple(shape))

    def move(self, x: Wire, function: Move) -> Wire:
        """A tensor of the entries of another one, in the places where the function puts them; -1 is 0."""
        size = self.size(x.step)
        index = np.asarray(function(np.arange(size).reshape(x.shape)), dtype=np.int64)
        if index.size == size and (index.ravel() == np.arange(size)).all():
            return Wire(x.step, index.shape)
        return self.join([(x, index.ravel())], index.shape)

    def join(
        self, parts: Sequence[tuple[Wire, Indices]], shape: Sequence[int], rest: Pair | None = None
    ) -> Wire:
        """A tensor of entries of others; -1 where another part, or the rest, has the entry."""
        terms = tuple(Term(x.step, Gather(self.size(x.step), index)) for x, index in parts)
        low, high = rest or (np.zeros(int(np.prod(shape))),) * 2
        return Wire(self.add(AffineStep(terms, low, high, exact=True)), tuple(shape))

    def broadcast(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The tensor repeated to a shape."""
        return moved(self, x, lambda a: np.broadcast_to(a, shape))

    def sum(self, a: Tensor, b: Tensor, sign: float = 1.0) -> Wire:
        """a + b, or a - b with sign -1; one of them varies."""
        shape = np.broadcast_shapes(a.shape, b.shape)
        terms: list[Term] = []
        constant: Pair | None = None
        for x, weight in ((self.broadcast(a, shape), 1.0), (self.broadcast(b, shape), sign)):
            if isinstance(x, Wire):
                size = self.size(x.step)
                terms.append(Term(x.step, same(size) if weight > 0 else EntryScale(-np.ones(size))))
            else:
                more = real(x) if weight > 0 else negative(real(x))
                constant = more if constant is None else add(constant, more)
        return self.affine(terms, shape, constant)

    def scale(self, x: Wire, factor: Fixed) -> Wire:
        """The tensor times a constant."""
        shape = np.broadcast_shapes(x.shape, factor.shape)
        wide, constant = self.broadcast(x, shape), self.broadcast(factor, shape)
        assert isinstance(wide, Wire) and isinstance(constant, Fixed)
        centre, radius = centred(real(constant))
        spread = EntryScale(radius.ravel()) if radius.any() else None
        return self.affine([Term(wide.step, EntryScale(centre.ravel()), spread)], shape)

    def elementwise(self, formula: Formula, arguments: Sequence[Wire]) -> Wire:
        """A formula of tensors of one shape."""
        shape = arguments[0].shape
        step = ElementwiseStep(formula, tuple(a.step for a in arguments), int(np.prod(shape)))
        return Wire(self.add(step), shape)

    def total(self, x: Wire, axes: Sequence[int], keep: bool) -> Wire:
        """The sum along axes."""
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        size = int(np.prod(kept))
        where = np.broadcast_to(np.arange(size).reshape(kept), x.shape)
        shape = kept if keep else tuple(n for i, n in enumerate(x.shape) if i not in axes)
        return self.affine([Term(x.step, Transposed(Gather(size, where.ravel())))], shape)

    def matrix(self, x: Wire, weight: Fixed, axis: int) -> Wire:
        """The tensor with one axis multiplied by a matrix (K, M)."""
        centre, radius = centred(real(weight))
        before, after = int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis + 1 :]))
        spread = Matrix(before, after, radius) if radius.any() else None
        shape = (*x.shape[:axis], centre.shape[1], *x.shape[axis + 1 :])
        return self.affine([Term(x.step, Matrix(before, after, centre), spread)], shape)


def real(x: Fixed) -> Pair:
    """The constant as an interval of real numbers."""
    return x.low.astype(np.float64), x.high.astype(np.float64)


def centred(x: Pair) -> Pair:
    """A number in the middle of each interval, and how far its ends are at most."""
    centre = x[0] / 2 + x[1] / 2
    exact = x[0] == x[1]
    centre = np.where(exact, x[0], centre)
    return centre, np.where(exact, 0.0, np.nextafter(np.maximum(x[1] - centre, centre - x[0]), np.inf))


def moved(program: Program, x: Tensor, function: Move) -> Tensor:
    """A tensor, varying or not, with its entries in other places."""
    if isinstance(x, Wire):
        return program.move(x, function)
    low = function(x.low)
    return Fixed(low, low if x.high is x.low else function(x.high))
