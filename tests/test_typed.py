"""What was read from a file is what its class says, or it is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import pytest

from genbab.system.typed import TypeCheck


class Colour(StrEnum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: float


@dataclass
class Thing:
    points: list[Point]
    pair: tuple[str, int]
    several: tuple[float, ...] = ()
    table: Mapping[int, Colour | None] = field(default_factory=dict)
    engine: int = 0
    any_: Any = None


GOOD = Thing(
    [Point(1, 2), Point(0, float("inf"))], ("a", 1), (1.0, 2), {1: Colour.RED, 2: None}, any_=[object]
)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, ""),
        ({"points": [Point(1, 2.0), Point(1, True)]}, "points[1].y: bool"),
        ({"points": [(1, 2.0)]}, "points[0]: tuple in place of Point"),
        ({"points": (Point(1, 2.0),)}, "points: tuple in place of list"),
        ({"pair": ("a", 1, 2)}, "pair: 3 values in place of 2"),
        ({"pair": ("a", True)}, "pair[1]: bool"),
        ({"several": (1.0, "b")}, "several[1]: str"),
        ({"table": {"1": None}}, "key of table: str"),
        ({"table": {1: "red"}}, "table[1]: str"),
        ({"table": []}, "table: list in place of Mapping"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], named: str) -> None:
    thing = Thing(**{**GOOD.__dict__, **changes})
    found = TypeCheck().wrong(thing, Thing)
    assert found.startswith(named) and bool(found) == bool(named)


def test_some_fields_are_not_looked_at() -> None:
    thing = Thing(**{**GOOD.__dict__, "engine": "no number"})
    assert TypeCheck().wrong(thing, Thing) and not TypeCheck(frozenset({"engine"})).wrong(thing, Thing)
    assert TypeCheck().wrong(3, Thing) == "the whole: int in place of Thing"
