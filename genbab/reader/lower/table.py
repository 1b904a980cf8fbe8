"""The two tables of lowerings: operators that only move numbers, and all others; filled when this package is
imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genbab.reader.builder import Builder
from genbab.reader.values import Op, Value

Lowering = Callable[[Builder, Op, list[Value | None]], Value | list[Value]]
Mover = Callable[[Op, list[Any]], Any]


@dataclass(frozen=True)
class Move:
    """An operator that only moves numbers, as a numpy function of its inputs.

    `data` are the positions of the inputs that are moved (None: all); the others must be constant.
    """

    function: Mover
    data: tuple[int, ...] | None


LOWERINGS: dict[str, Lowering] = {}
MOVES: dict[str, Move] = {}


def lowering(*operators: str) -> Callable[[Lowering], Lowering]:
    """Registers a function that appends what these operators mean to a network."""

    def register(function: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(operators, function))
        return function

    return register


def moves(*operators: str, data: tuple[int, ...] | None = (0,)) -> Callable[[Mover], Mover]:
    """Registers a numpy function that moves numbers (see `Move`); it serves constants and variables alike."""

    def register(function: Mover) -> Mover:
        MOVES.update(dict.fromkeys(operators, Move(function, data)))
        return function

    return register
