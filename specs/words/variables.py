"""Variables of a property and where they come from; the arrays of polynomials that `Terms` are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from genbab.errors import SpecError
from genbab.specs.numbers import polynomials

if TYPE_CHECKING:
    from genbab.specs.words.terms import Network, Terms


class Source:
    """Where variables come from: an input, one run of a network on `arguments`, or a tensor inside of a run.

    inside: the run whose hidden tensor `name` this is, None for the others.
    """

    def __init__(
        self,
        size: int,
        name: str,
        network: Network | None,
        arguments: tuple[Terms, ...],
        inside: Source | None = None,
    ) -> None:
        self.size, self.name, self.network, self.arguments = size, name, network, arguments
        self.inside = inside


class Variable(NamedTuple):
    """Entry number `place` of a source, in flat order."""

    source: Source
    place: int


Polynomial = polynomials.Polynomial[Variable]
"""An exact polynomial in variables."""

ONE: tuple[Variable, ...] = ()
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


def order(variable: Variable) -> tuple[int, int]:
    """What the variables of a product are sorted by."""
    return id(variable.source), variable.place
