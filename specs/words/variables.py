"""Variables of a property and where they come from; the arrays of polynomials that `Terms` are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from genbab.errors import SpecError
from genbab.specs.numbers import polynomials


class Source:
    """An array of unknowns of which a property speaks: an input, unless a subclass says more.

    size: how many numbers it has; name: what people call it. Two sources are the same only where they are
    one object.
    """

    computed: ClassVar[bool] = False
    """Whether a network computes it; an input is given."""

    def __init__(self, size: int, name: str) -> None:
        self.size, self.name = size, name

    def hidden(self, name: str, shape: tuple[int, ...]) -> Source:
        """The tensor of this name and shape inside the run whose outputs these are; raises SpecError."""
        raise no_outputs(name)

    def derivative(self, entry: int, by: Sequence[SourceVariable]) -> Source:
        """The derivative of this entry of the outputs of a run by inputs of it; raises SpecError."""
        raise SpecError("only an output of a run has derivatives: f(x)[0].derivative(x[1])")


def no_outputs(name: str) -> SpecError:
    """What is wrong with a hidden tensor, of this name, of anything but the outputs of a run."""
    return SpecError(f"'{name}': hidden tensors belong to the outputs of a run: f(x).hidden(name, 64)")


class SourceVariable(NamedTuple):
    """Entry number `place` of a source, in flat order."""

    source: Source
    place: int


Polynomial = polynomials.Polynomial[SourceVariable]
"""An exact polynomial in variables."""

ONE: tuple[SourceVariable, ...] = ()
"""The product of no variables, to which the constant of a polynomial belongs."""


def single(cell: Polynomial) -> Any:
    """An array () of one polynomial."""
    made = np.empty((), object)
    made[()] = cell
    return made


def array_of(cells: Any, shape: tuple[int, ...]) -> Any:
    """These polynomials as an array of this shape of its own."""
    made = np.empty(shape, object)
    made.reshape(-1)[:] = list(cells.ravel())
    return made


def checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape; raises SpecError unless it is made of whole numbers from 1 on."""
    if any(not isinstance(n, int | np.integer) or n < 1 for n in shape):
        raise SpecError(f"the shape {tuple(shape)} is not made of whole numbers from 1 on")
    return tuple(int(n) for n in shape)


def order(variable: SourceVariable) -> tuple[int, int]:
    """What the variables of a product are sorted by."""
    return id(variable.source), variable.place
