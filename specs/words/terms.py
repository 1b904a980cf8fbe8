"""The words of a property: arrays of exact polynomials in the inputs and outputs of a network.

`Input(5)` is an unknown input, `Network(3)` a network of three outputs, `f(x)` its outputs at x. Arithmetic
is exact, indexing is numpy's, a comparison is a `Statement` that says it of every entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from genbab.errors import SpecError
from genbab.specs.numbers.arrays import Ints
from genbab.specs.numbers.exact import exact_array
from genbab.specs.numbers.polynomials import plus, times
from genbab.specs.words.statements import Range, Statement, all_of, relation
from genbab.specs.words.variables import (
    ONE,
    Polynomial,
    Source,
    SourceVariable,
    array_of,
    checked_shape,
    no_outputs,
    order,
    single,
)


class Terms:
    """An array of polynomials of some shape; of plain variables where `source` and `index` are given."""

    __array_ufunc__: ClassVar[None] = None  # numpy arrays leave arithmetic with Terms to Terms
    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __init__(self, cells: Any = None, source: Source | None = None, index: Ints | None = None) -> None:
        self.source, self._index, self._cells = source, index, cells

    @staticmethod
    def of(source: Source, shape: tuple[int, ...]) -> Terms:
        """All entries of a source, in this shape."""
        return Terms(source=source, index=np.arange(source.size).reshape(shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape; () for a single number."""
        return tuple((self._cells if self._index is None else self._index).shape)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a single number has no length")
        return self.shape[0]

    @property
    def cells(self) -> Any:
        """The polynomials, as an object array of this shape."""
        if self._index is None:
            return self._cells
        assert self.source is not None
        made = np.empty(self.shape, object)
        one = Fraction(1)
        made.reshape(-1)[:] = [{(SourceVariable(self.source, i),): one} for i in self._index.ravel().tolist()]
        return made

    def variables(self) -> list[SourceVariable] | None:
        """The variables in flat order, where every entry is a plain one, else None."""
        if self._index is not None and self.source is not None:
            return [SourceVariable(self.source, i) for i in self._index.ravel().tolist()]
        found = []
        for cell in self._cells.ravel():
            products = list(cell)
            if len(products) != 1 or len(products[0]) != 1 or cell[products[0]] != 1:
                return None
            found.append(products[0][0])
        return found

    def __iter__(self) -> Iterator[Terms]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Terms:
        array = self._cells if self._index is None else self._index
        try:
            part = array[key]
        except IndexError as problem:
            raise SpecError(f"{problem} (the shape is {self.shape})") from None
        if self._index is None:
            return Terms(array_of(part, part.shape) if isinstance(part, np.ndarray) else single(part))
        return Terms(source=self.source, index=np.asarray(part))

    def reshape(self, *shape: int) -> Terms:
        """The same entries in another shape."""
        if self._index is None:
            return Terms(self._cells.reshape(*shape))
        return Terms(source=self.source, index=self._index.reshape(*shape))

    def replaced(self, key: Any, values: Terms) -> Terms:
        """The same array with other terms at `key`: `f(x.replaced(3, t))` shares all inputs but one."""
        made = self.cells.copy()
        made[key] = values.cells if values.shape else values.cells.item()
        return Terms(made)

    def hidden(self, name: str, *shape: int) -> Terms:
        """A tensor inside the run that gave these outputs, of this shape: `f(x).hidden("relu_1", 64)`.

        name: of a tensor of the model, or of a node, which stands for its first output. Asked for twice, it
        is the same tensor. Raises SpecError for anything but the outputs of a run, and for two shapes.
        """
        if self.source is None or self.size != self.source.size:
            raise no_outputs(name)
        full = checked_shape(shape)
        return Terms.of(self.source.hidden(name, full), full)

    def derivative(self, *by: Terms) -> Terms:
        """The derivative of this output by these inputs, each one number: `y[0].derivative(x[1], x[1])`.

        Raises SpecError for anything but one output of a run, and inputs that it is run on as they are.
        """
        own = self.variables() if self.size == 1 else None
        inputs = [one.variables() for one in by if isinstance(one, Terms) and one.size == 1]
        if own is None or len(inputs) < len(by) or any(one is None for one in inputs):
            raise SpecError("a derivative is of one output by single inputs: y[0].derivative(x[1])")
        (source, entry), plain = own[0], [one[0] for one in inputs if one is not None]
        return Terms.of(source.derivative(entry, plain), ())

    def sum(self) -> Terms:
        """The sum of all entries."""
        total: Polynomial = {}
        for cell in self.cells.ravel():
            total = plus(total, cell)
        return Terms(single(total))

    def __add__(self, other: Any) -> Terms:
        return _zip(self, other, plus)

    def __radd__(self, other: Any) -> Terms:
        return self.__add__(other)

    def __sub__(self, other: Any) -> Terms:
        return _zip(self, other, lambda a, b: plus(a, b, -1))

    def __rsub__(self, other: Any) -> Terms:
        return (-self).__add__(other)

    def __neg__(self) -> Terms:
        return self.__mul__(-1)

    def __mul__(self, other: Any) -> Terms:
        return _zip(self, other, lambda a, b: times(a, b, order))

    def __rmul__(self, other: Any) -> Terms:
        return self.__mul__(other)

    def __truediv__(self, other: Any) -> Terms:
        divisor = constants(other)
        if any(not v for v in divisor.ravel()):
            raise SpecError("a division by zero")
        inverse = np.empty(divisor.shape, object)
        inverse.reshape(-1)[:] = [1 / Fraction(v) for v in divisor.ravel()]
        return self.__mul__(inverse)

    def __pow__(self, exponent: int) -> Terms:
        if not isinstance(exponent, int) or not 1 <= exponent <= 8:
            raise SpecError(f"the exponent {exponent!r} is not one of 1, 2, ..., 8")
        result = self
        for _ in range(exponent - 1):
            result = result * self
        return result

    def __matmul__(self, other: Any) -> Terms:
        shape = other.shape if isinstance(other, Terms) else np.shape(other)
        if len(shape) != 1 or self.shape != shape:
            raise SpecError(f"a @ b takes two vectors of one length, found {self.shape} and {tuple(shape)}")
        return self.__mul__(other).sum()

    def __rmatmul__(self, other: Any) -> Terms:
        return self.__matmul__(other)

    def __le__(self, other: Any) -> Statement:
        return _compared(self, other, "<=")

    def __lt__(self, other: Any) -> Statement:
        return _compared(self, other, "<")

    def __ge__(self, other: Any) -> Statement:
        return _compared(self, other, ">=")

    def __gt__(self, other: Any) -> Statement:
        return _compared(self, other, ">")

    def __eq__(self, other: Any) -> Statement:  # type: ignore[override]
        return _compared(self, other, "<=") & _compared(self, other, ">=")

    def __ne__(self, other: Any) -> Statement:  # type: ignore[override]
        equal: Statement = self == other
        return ~equal


def constants(value: Any) -> Any:
    """Numbers as an array of float64 or Fractions; raises SpecError."""
    if isinstance(value, Terms):
        raise SpecError("expected numbers here, found variables")
    return exact_array(value)


def _zip(left: Terms, other: Any, how: Callable[[Polynomial, Polynomial], Polynomial]) -> Terms:
    """how, entry by entry, with numpy's broadcasting."""
    if isinstance(other, Statement):
        raise SpecError("a statement is not a number; join statements by & and |, in parentheses")
    if isinstance(other, Terms):
        right = other.cells
    else:
        numbers = constants(other)
        right = np.empty(numbers.shape, object)
        right.reshape(-1)[:] = [{ONE: Fraction(v)} if v else {} for v in numbers.ravel().tolist()]
    try:
        a, b = np.broadcast_arrays(left.cells, right)
    except ValueError:
        raise SpecError(f"the shapes {left.shape} and {right.shape} do not fit") from None
    made = np.empty(a.shape, object)
    made.reshape(-1)[:] = [how(p, q) for p, q in zip(a.ravel(), b.ravel(), strict=True)]
    return Terms(made)


def _compared(left: Terms, other: Any, operator: str) -> Statement:
    """The statement that the relation holds in every entry."""
    if not isinstance(other, Terms) and left.source is not None and not left.source.computed:
        variables = left.variables()
        assert variables is not None
        try:
            numbers = np.broadcast_to(constants(other), left.shape).reshape(-1)
        except ValueError:
            raise SpecError(f"{np.shape(other)} numbers do not fit the shape {left.shape}") from None
        return Range(tuple(variables), numbers, operator[0] == "<", operator in "<>")
    difference = left - other if operator[0] == "<" else -left + other
    return all_of([relation(cell, operator in "<>") for cell in difference.cells.ravel()])
