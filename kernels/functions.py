"""The functions whose lines kernels compute by themselves, with the few numbers that this takes.

A function is one member of `Code`, its value and its points of given slope in `torch/conjugates.py`,
`cpu/values.py`, `cpu/touching.py` and `gpu/conjugates.py` (a test names what is missing), and the argument
`kernel` where the library registers it.

gelu, its tanh form and silu have no closed form of the point of given slope. All three satisfy
f(x) - f(-x) = x, hence f'(x) + f'(-x) = 1, so two tables serve both sides: the convex half [0, x0] up to the
inflection x0, where f' is steepest, and the tail behind it. Their abscissae are such that x is smooth in
them: it moves like a square root of the distance to the steepest slope, in the tail like a root of the
logarithm of f' - 1.
"""

from __future__ import annotations

import enum
import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor


class Code(enum.IntEnum):
    """What compiled kernels know a function by; its name, in small letters, is the function's."""

    RELU = 0
    LEAKY_RELU = 1
    SIGMOID = 2
    TANH = 3
    SIN = 4
    COS = 5
    EXP = 6
    RECIPROCAL = 7
    SQUARE = 8
    SOFTPLUS = 9
    GELU = 10
    GELU_TANH = 11
    SILU = 12
    PRODUCT = 13


HOT = tuple(code.name.lower() for code in Code)
"""Names of the functions."""

GATED = ("gelu", "gelu_tanh", "silu")

POINTS = 2049
"""Entries of a table of points of given slope."""

SMALLEST = 1e-30
"""Part of the steepest slope's excess over 1 at which the tail's table ends."""

LEAST_SQUARE = 1e-37
"""Added to averages of squared gradients: no square root is taken of a denormal number, which is slow."""

SCALE, CUBIC = math.sqrt(2.0 / math.pi), 0.044715


@dataclass(frozen=True)
class Function:
    """One of HOT; parameter: the slope left of 0 of leaky_relu."""

    name: str
    parameter: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in HOT:
            raise ValueError(f"kernels: no hot function '{self.name}'; there are {', '.join(HOT)}")

    @property
    def code(self) -> int:
        """What compiled kernels know it by."""
        return int(Code[self.name.upper()])

    @property
    def arguments(self) -> int:
        """How many arguments it has."""
        return 2 if self.name == "product" else 1


@dataclass(frozen=True, eq=False)
class GateTable:
    """Where gelu and its like have a given slope.

    steepest: f' at the inflection x0. convex (POINTS,): x of slope 1/2 + (steepest - 1/2)·(1 - q²) at
    q = i/(POINTS - 1). tail (POINTS,): x of slope 1 + (steepest - 1)·exp(-q²) at q = reach·i/(POINTS - 1).
    """

    steepest: float
    reach: float
    convex: Tensor
    tail: Tensor


def gate_slope(name: str, x: Tensor) -> Tensor:
    """f'(x) - 1 for x >= 0, without cancellation."""
    if name == "gelu":
        density = math.sqrt(0.5 / math.pi) * torch.exp(-0.5 * x * x)
        return x * density - 0.5 * torch.erfc(math.sqrt(0.5) * x)
    if name == "silu":
        return torch.sigmoid(-x) * (x * torch.sigmoid(x) - 1.0)
    double = 2.0 * SCALE * x * (1.0 + CUBIC * x * x)
    rise = 2.0 * SCALE * x * (1.0 + 3.0 * CUBIC * x * x)
    return torch.sigmoid(-double) * (rise * torch.sigmoid(double) - 1.0)


_INFLECTION = {"gelu": math.sqrt(2.0), "gelu_tanh": 1.4185040087908283, "silu": 2.3993572805154675}
_FAR = 200.0


@functools.cache
def _gate(name: str) -> GateTable:
    turn = torch.tensor([_INFLECTION[name]], dtype=torch.float64)
    excess = float(gate_slope(name, turn))
    reach = math.sqrt(-math.log(SMALLEST))
    q = torch.linspace(0.0, 1.0, POINTS, dtype=torch.float64)
    inner = (excess + 0.5) * (1.0 - q * q) - 0.5
    convex = _solved(name, inner, torch.zeros_like(q), turn.expand_as(q))
    outer = excess * torch.exp(-((reach * q) ** 2))
    tail = _solved(name, outer, turn.expand_as(q), torch.full_like(q, _FAR))
    convex[0] = tail[0] = turn
    return GateTable(1.0 + excess, reach, convex, tail)


def _solved(name: str, target: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """x between low and high with gate_slope(x) = target, by bisection."""
    rising = bool((gate_slope(name, high) > gate_slope(name, low)).all())
    for _ in range(90):
        middle = 0.5 * (low + high)
        before = (gate_slope(name, middle) < target) == rising
        low, high = torch.where(before, middle, low), torch.where(before, high, middle)
    return 0.5 * (low + high)


@functools.lru_cache(maxsize=64)
def gate(name: str, dtype: torch.dtype, device: torch.device) -> GateTable:
    """The tables of one of GATED."""
    one = _gate(name)
    convex, tail = (t.to(device=device, dtype=dtype) for t in (one.convex, one.tail))
    return GateTable(one.steepest, one.reach, convex, tail)
