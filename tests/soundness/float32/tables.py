"""Errors of functions as they are stated: a table of pieces in a file, or so many units in the last place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .styles import Array

WORDS = {"gelu tanh": "gelu_tanh", "pow": "power"}
"""Functions whose names in a table are not those of ONNX in lower case."""


@dataclass(frozen=True)
class InUlps:
    """So many units of the last place, where such a unit is largest compared with the result."""

    count: int

    def __call__(self, name: str, x: Array) -> tuple[float, float]:
        """The absolute and the relative error."""
        return self.count * 2.0**-149, self.count * 2.0**-23


@dataclass(frozen=True)
class InTable:
    """What the pieces in a JSON file say; nothing where x is in none of them, or the function not there."""

    path: Path

    def __call__(self, name: str, x: Array) -> tuple[Array, Array]:
        """The absolute and the relative error at each x."""
        absolute, relative = np.zeros(x.shape), np.zeros(x.shape)
        for low, high, *error in _pieces(self.path).get(named(name), ()):
            where = (low <= x) & (x <= high)
            absolute, relative = (
                np.where(where, e, known) for e, known in zip(error, (absolute, relative), strict=True)
            )
        return absolute, relative


@cache
def _pieces(path: Path) -> dict[str, list[list[float]]]:
    keys = ("low", "high", "absolute", "relative")
    known = json.loads(path.read_text())["functions"]
    return {
        name: [[float(piece[key]) for key in keys] for piece in fn["pieces"]] for name, fn in known.items()
    }


def named(name: str) -> str:
    """A function's name in a table: "power(2)" for "Pow(2)"."""
    word, bracket, parameters = name.lower().partition("(")
    return WORDS.get(word, word) + bracket + parameters
