"""What a bounding method is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genbab.bounds.engine import Engine
from genbab.network.roundoff import Interval

Hidden = Callable[[Engine, Interval, int, bool], list[Interval]]
"""(engine, boxes (B, D), slope steps, whether the outputs matter) -> sound intervals (B, N) of every node."""


@dataclass(frozen=True)
class Method:
    """How hidden intervals are bounded, and rows of the outputs given these.

    synonyms: other names that people know it by, in small letters; about: one sentence for people; hidden:
    what bounds the nodes; rows: slope steps (of those asked for) of backward passes for the outputs' rows;
    None: their rows are bounded by the outputs' intervals, and no linear function of the input is kept.
    """

    name: str
    synonyms: tuple[str, ...]
    about: str
    hidden: Hidden
    rows: Callable[[int], int] | None
