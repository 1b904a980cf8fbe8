"""Functions with jumps: step, positive, sign, floor, ceil, round, sawtooth.

step is 0 below 0 and 1 from 0 on, positive 1 above 0 and else 0, sawtooth(c) x modulo c.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import Operator, register


def _step_value(x: Tensor) -> Tensor:
    return (x >= 0).to(x.dtype)


def _positive_value(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)


def _sawtooth_value(x: Tensor, c: float) -> Tensor:
    return torch.remainder(x, c)


def _jumping(name: str, value: Any, place: float, limits: tuple[float, float], **facts: Any) -> Nonlinearity:
    """Constant but for a jump (per period)."""
    return Nonlinearity(
        name,
        value,
        torch.zeros_like,
        breaks=(place,),
        curvature=(0, 0),
        kinks=(place,),
        jumps=((place, place, *limits),),
        noise=0.0,
        second=torch.zeros_like,
        **facts,
    )


def step() -> Nonlinearity:
    """1 where x >= 0, else 0.

    On [0, u] it is 1; any box that reaches below 0 and up to 0 contains both values.
    """
    return _jumping("step", _step_value, 0.0, (0.0, 1.0), bounds=(0.0, 1.0))


def positive() -> Nonlinearity:
    """1 where x > 0, else 0: 1 - step(-x), as one function that is 0 exactly."""
    return _jumping("positive", _positive_value, 0.0, (0.0, 1.0), bounds=(0.0, 1.0))


def sign() -> Nonlinearity:
    """The facts of sign."""
    return _jumping("sign", torch.sign, 0.0, (-1.0, 1.0), bounds=(-1.0, 1.0))


def floor() -> Nonlinearity:
    """The facts of floor."""
    return _jumping("floor", torch.floor, 0.0, (-1.0, 0.0), period=1.0, rise=1.0)


def ceil() -> Nonlinearity:
    """The facts of ceil."""
    return _jumping("ceil", torch.ceil, 0.0, (0.0, 1.0), period=1.0, rise=1.0)


def nearest() -> Nonlinearity:
    """The nearest integer, halves to the even one; at its jumps either limit counts as a value."""
    return _jumping("round", torch.round, 0.5, (0.0, 1.0), period=1.0, rise=1.0)


def sawtooth(c: float) -> Nonlinearity:
    """x - c*floor(x/c) for a finite c > 0: what is left of x after whole steps of c."""
    c = float(c)
    if not 0.0 < c < math.inf:
        raise UsageError(f"sawtooth({c:g}): the period must be positive and finite")
    return Nonlinearity(
        "sawtooth",
        functools.partial(_sawtooth_value, c=c),
        torch.ones_like,
        params=(c,),
        breaks=(0.0,),
        curvature=(0, 0),
        kinks=(0.0,),
        jumps=((0.0, 0.0, c, 0.0),),
        period=c,
        bounds=(0.0, c),
        noise=8.0 * max(1.0, c),
        second=torch.zeros_like,
    )


register("step", step)
register("positive", positive, definition="1 - step(-x)")
register("sign", sign, onnx=[Operator("Sign")])
register("floor", floor, onnx=[Operator("Floor")])
register("ceil", ceil, onnx=[Operator("Ceil")])
register("round", nearest, onnx=[Operator("Round")])
register("sawtooth", sawtooth, [(1.0,), (0.7,)], definition="x - c*floor(x/c)")
