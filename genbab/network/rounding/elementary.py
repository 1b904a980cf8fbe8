"""How far a runtime's elementary functions are from the functions that they are named after.

A table holds for one runtime, or for every one whose functions stay within so many units in the last place.
Tables are made by `benchmarks/elementary.py`, over all float32 numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.network.rounding.formats import Format

TABLES = ("onnxruntime", "torch")
"""The tables that come with the package."""

ULPS = "ulp"
"""The other tables are a number followed by this: "4ulp" is any runtime within 4 units in the last place."""


@dataclass(frozen=True)
class Piece:
    """From low to high a function is computed to within absolute + relative · |its value|."""

    low: float
    high: float
    absolute: float
    relative: float


SMALL_ENOUGH = 4e-6
"""An absolute error up to this one may stand for the whole line."""

Pieces = tuple[Piece, ...]
"""Pieces that ascend; between two of them, and beyond the last, nothing is known."""


@dataclass(frozen=True)
class ElementaryTable:
    """Errors of functions by name, as `str` of their records gives it; about: what the table holds for.

    every: the pieces of functions that are not named; () if these are unknown. inside: absolute errors of
    functions inside recurrent operators, where the runtime has others.
    """

    name: str
    about: str
    functions: Mapping[str, Pieces]
    every: Pieces = ()
    inside: Mapping[str, float] = field(default_factory=dict)

    def pieces(self, name: str) -> Pieces:
        """What is known of the function, () for nothing."""
        return self.functions.get(name, self.every)

    def recurrent(self, name: str) -> Pieces:
        """What is known of the function inside recurrent operators, () for nothing."""
        if name in self.inside:
            return (Piece(-math.inf, math.inf, self.inside[name], 0.0),)
        return self.every


def known_table(name: str) -> bool:
    """Whether there is a table of this name, for some format."""
    number = name.removesuffix(ULPS)
    return name in TABLES or (name.endswith(ULPS) and number.isdigit() and 1 <= int(number) <= 999)


def table(name: str, form: Format) -> ElementaryTable:
    """The table of this name; `UsageError` where there is none for the format."""
    if not known_table(name):
        raise UsageError(
            f"elementary = {name!r}: must be one of {', '.join(TABLES)}, or a number of ulp as 4ulp"
        )
    if name in TABLES:
        if form.wide.name != "float32":
            raise UsageError(
                f"the table of {name} is of float32 functions: for {form.name} name a number of ulp, as 4ulp"
            )
        return _shipped(name)
    ulps = int(name.removesuffix(ULPS))
    every = Piece(-math.inf, math.inf, (ulps + 1) * form.tiny, ulps * 2 * form.unit)
    return ElementaryTable(name, f"every function within {ulps} units in the last place", {}, (every,))


@cache
def _shipped(name: str) -> ElementaryTable:
    text = resources.files("genbab.network.rounding").joinpath(f"tables/{name}.json").read_text()
    data: dict[str, Any] = json.loads(text)
    functions = {
        fn: tuple(
            Piece(*(float(p[k]) for k in ("low", "high", "absolute", "relative"))) for p in known["pieces"]
        )
        for fn, known in data["functions"].items()
    }
    versions = " ".join(f"{k} {v}" for k, v in data["versions"].items())
    inside = {name: float(known["absolute"]) for name, known in data.get("recurrent", {}).items()}
    return ElementaryTable(data["name"], f"{versions} on {data['cpu']}", functions, (), inside)


def everywhere(pieces: Pieces) -> Piece | None:
    """One piece for all float32 numbers; None where some are in none, or where it would be far too wide."""
    whole = torch.tensor([[torch.finfo(torch.float32).max]], dtype=torch.float64)
    if not bool(torch.isfinite(of_pieces(pieces, -whole, whole, torch.ones_like(whole))).all()):
        return None
    absolute, relative = (max(getattr(p, name) for p in pieces) for name in ("absolute", "relative"))
    return Piece(-math.inf, math.inf, absolute, relative) if absolute <= SMALL_ENOUGH else None


def of_pieces(pieces: Sequence[Piece], low: Tensor, high: Tensor, size: Tensor) -> Tensor:
    """The error (B, N) of a function, its argument in [low, high], its value of at most this size.

    Infinite where some float32 number between low and high is in no piece.
    """
    error = torch.zeros_like(size)
    covered = torch.full_like(low, -math.inf)  # everything from `low` up to here is in some piece
    for piece in pieces:
        meets = (low <= piece.high) & (high >= piece.low)
        more = piece.absolute + torch.where(size < math.inf, piece.relative * size, math.inf)
        error = torch.where(meets, torch.maximum(error, more), error)
        start = piece.low - abs(piece.low) * 2.0**-23 - 2.0**-149  # the float32 number before
        follows = torch.maximum(covered, low) >= start
        covered = torch.where(follows, covered.clamp_min(piece.high), covered)
    return torch.where(covered >= high, error, math.inf)
