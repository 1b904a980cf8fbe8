"""What a function of rows is to bounds: what is known of it on boxes, and planes below forms of its values.

Shapes: B domains, S rows of the specification, R rows of K entries, N = R·K numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

Pair = tuple[Tensor, Tensor]


class GroupFunction(Protocol):
    """A function of rows of equal length, one after the other; further arguments are redundant."""

    @property
    def name(self) -> str:
        """Its name, as kernels and people know it."""

    @property
    def length(self) -> int:
        """How many entries a row has."""

    def value(self, x: Tensor, *further: Tensor) -> Tensor:
        """Its values (..., N) at x (..., N)."""

    def sizes(self, size: int) -> tuple[int, ...]:
        """The sizes of all arguments of a node of this size."""


class GroupBox(Protocol):
    """A function of rows on boxes of its arguments."""

    @property
    def fn(self) -> Any:
        """The function."""

    @property
    def range(self) -> Pair:
        """Rigorous bounds (B, 1, R, K) of the values."""

    @property
    def middle(self) -> Tensor:
        """The centres of the boxes, by rows or not."""

    @property
    def curved(self) -> tuple[Tensor, ...]:
        """About how far from linear it is in each number of each argument, (B, its size)."""


class GroupPlanes(Protocol):
    """A plane below Σ A·y for every row of a specification.

    masses (B, S, R): what rounding errors are relative to, those of adding the form to others included; None
    unless rigorous.
    """

    @property
    def form(self) -> Tensor:
        """The coefficients (B, S, N) of the first argument."""

    @property
    def constants(self) -> Tensor:
        """The constants (B, S, R), or their sum (B, S, 1)."""

    def along(self, v: Tensor) -> Tensor:
        """The entries' lines at arguments v (B, S, N): the derivative by A of the form at v."""

    def moved(self, at: Tensor, v: Tensor, rate: float, direction: Callable[[Tensor], Tensor]) -> Tensor:
        """The parameters `at` (B, S, N) after a step towards a higher bound.

        v: where the whole form is least; direction: the normalised ascent direction for a gradient.
        """


class CertainPlanes(GroupPlanes, Protocol):
    """Planes with their parameters, and with what their rounding is relative to."""

    @property
    def masses(self) -> Tensor | None:
        """(B, S, R), None unless the planes are rigorous."""

    @property
    def upper(self) -> Tensor:
        """(B, S, R, K): which entries took their upper line."""

    @property
    def at(self) -> Tensor:
        """The parameters, (B, S or 1, N)."""


@dataclass(frozen=True)
class GroupKind:
    """What bounds need of one class of functions of rows.

    box: the function on boxes (B, 1, N) of its arguments; planes: below Σ a·y on a box, for a (B, S, N) and
    parameters (B, S, N; None: the default), rigorous or not; roundings: how many units of rounding error,
    relative to their masses, planes have for rows of this length; lost: roughly what the relaxation of each
    number of each argument costs Σ a·y at v, >= 0, given planes for a, if they are there. own: whether the
    node's own interval, where it is known, is one more box, and `lost` speaks of its numbers last.
    """

    function: type
    box: Callable[[Any, list[Pair]], GroupBox]
    planes: Callable[[Any, Tensor, Tensor | None, bool], CertainPlanes]
    roundings: Callable[[int], int]
    lost: Callable[[Any, Tensor, Tensor, Tensor, GroupPlanes | None], tuple[Tensor, ...]]
    own: bool = False
