"""How far elementary functions of runtimes are from the real ones.

One table holds for both runtimes that were measured (docs/elementary.md): up to each piece's end, what is
computed is within absolute + relative * |f(x)| of f(x). Below the first number and above the last nothing is
known. It was made from the measured pieces: neighbours put together, numbers rounded up.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from genbab.check.executed.single import HALF_ULP, NORMAL, ROOM
from genbab.check.intervals import Array, Pair

MOST = float(np.finfo(np.float32).max)
MEASURED = ("onnxruntime", "torch")
ULPS = re.compile(r"([1-9][0-9]{0,2})ulp")


class Stretch(NamedTuple):
    """Up to this number the error is at most absolute + relative * |value|."""

    high: float
    absolute: float
    relative: float


class Known(NamedTuple):
    """What is known of a function from `low` on; pole: nothing is of numbers next to 0."""

    low: float
    pieces: tuple[Stretch, ...]
    pole: bool = False

    def error(self, x: Pair, size: Array) -> Array:
        """The error on intervals of the argument, the values at most of this size; infinite if not known."""
        low, found = self.low, np.zeros_like(size)
        for high, absolute, relative in self.pieces:
            meets = (x[0] <= high) & (x[1] >= low)
            found = np.where(meets, np.maximum(found, absolute + relative * size), found)
            low = high
        known = (x[0] >= self.low) & (x[1] <= low)
        if self.pole:
            known &= (x[0] >= NORMAL) | (x[1] <= -NORMAL)
        return np.where(known, found * ROOM, np.inf)


def _of(low: float, *pieces: tuple[float, float, float], pole: bool = False) -> Known:
    return Known(low, tuple(Stretch(*piece) for piece in pieces), pole)


_LOWEST = -MOST
TABLE = {
    "exp": _of(_LOWEST, (88.72, 1.2e-38, 9.9e-8)),
    "log": _of(NORMAL, (0.75, 2.1e-7, 1.1e-7), (1.375, 0, 4.1e-7), (MOST, 3.4e-7, 1.1e-7)),
    "tanh": _of(_LOWEST, (-9, 3.1e-8, 0), (9, 2e-34, 3.3e-7), (MOST, 3.1e-8, 0)),
    "sigmoid": _of(_LOWEST, (-22, 2.8e-10, 0), (-1.75, 1.8e-7, 0), (0.25, 1.1e-7, 0), (MOST, 1.8e-7, 0)),
    "erf": _of(_LOWEST, (MOST, 2e-38, 1.4e-7)),
    "softplus": _of(
        _LOWEST,
        (-1.25, 3e-35, 3.5e-7),
        (0.25, 1.8e-7, 0),
        (2, 3.1e-7, 0),
        (8, 4.8e-7, 0),
        (MOST, 5.5e-7, 1e-11),
    ),
    "gelu": _of(
        _LOWEST,
        *((-7.5, 2.4e-13, 0), (-6.5, 2.7e-10, 0), (-2, 1.2e-6, 0), (-1, 1.6e-7, 0), (-0.3125, 4.1e-8, 0)),
        *((1.625, 5e-8, 1.1e-7), (5.5, 1.4e-6, 0), (1.7e38, 1e-10, 2e-8)),
    ),
    "gelu_tanh": _of(
        _LOWEST,
        *((-6.5, 6.3e-13, 0), (-2, 8e-7, 0), (-0.5625, 1.8e-7, 0), (5.5, 6e-8, 2e-7), (MOST, 3e-7, 2e-9)),
    ),
    "mish": _of(
        _LOWEST, (-2.25, 4e-13, 5.5e-7), (-0.25, 1.5e-7, 0), (10, 2e-38, 3.5e-7), (MOST, 4.8e-7, 6e-9)
    ),
    "elu": _of(_LOWEST, (0, 7.6e-8, 0), (MOST, 1.2e-10, 1.9e-8)),
    "celu": _of(_LOWEST, (0, 8.6e-8, 0), (MOST, 1.5e-10, 1.9e-8)),
    "selu": _of(_LOWEST, (0, 2.1e-7, 0), (3.2e38, 3e-10, 7.6e-8)),
    "hard_swish": _of(_LOWEST, (-3, 2e-38, 1.7e-7), (3, 6.2e-8, 3e-7), (5.5e37, 0, 2e-7)),
    "softsign": _of(_LOWEST, (-4.2e37, 1.3, 0), (4.2e37, 2e-38, 2.3e-7), (MOST, 1.3, 0)),
    "sin": _of(_LOWEST, (MOST, 1.2e-38, 2.1e-7)),
    "cos": _of(_LOWEST, (MOST, 1.2e-38, 1.8e-7)),
    "tan": _of(_LOWEST, (-176, 1.2e-7, 1.2e-7), (176, 2e-38, 1.2e-7), (MOST, 4.3e-7, 1.2e-7)),
    "atan": _of(_LOWEST, (-0.40625, 2.3e-7, 0), (0.40625, 2e-38, 1.8e-7), (MOST, 2.3e-7, 0)),
    "sqrt": _of(0.0, (MOST, 3e-17, 9.1e-8)),
    "reciprocal": _of(_LOWEST, (MOST, 2e-38, 7.6e-8), pole=True),
    "power(2)": _of(-1.844e19, (1.844e19, 2e-38, 7.6e-8)),
    "power(3)": _of(-6.98e12, (6.98e12, 2e-38, 1.5e-7)),
    "power(0.5)": _of(0.0, (MOST, 3e-17, 1.2e-7)),
    "power(-0.5)": _of(NORMAL, (MOST, 0, 1.2e-7)),
    "power(-1)": _of(_LOWEST, (MOST, 2e-38, 7.6e-8), pole=True),
    "power(1.5)": _of(0.0, (4.87e25, 2e-38, 7.6e-8)),
}


def is_table(name: object) -> bool:
    """Whether there is a table of this name."""
    return isinstance(name, str) and (name in MEASURED or ULPS.fullmatch(name) is not None)


def known(table: str, function: str) -> Known | None:
    """What a table says of a function; None for nothing."""
    found = TABLE.get(function)
    ulps = ULPS.fullmatch(table)
    if ulps is None:
        return found
    most = int(ulps[1])
    every = Stretch(MOST, (most + 1) * NORMAL, most * 2 * HALF_ULP)
    pole = function == "reciprocal" or function.startswith("power(-")
    return Known(NORMAL if function == "log" else _LOWEST, (every,), pole)
