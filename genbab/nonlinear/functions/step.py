"""Functions with jumps: step (0 below 0, 1 from 0 on), sign, floor."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.nonlinear.record import Nonlinearity
from genbab.nonlinear.registry import register


def _step_value(x: Tensor) -> Tensor:
    return (x >= 0).to(x.dtype)


def _flat(x: Tensor) -> Tensor:
    return torch.zeros_like(x)


def step() -> Nonlinearity:
    """1 where x >= 0, else 0. On [0, u] it is 1; any box that reaches below 0 and up to 0 contains both
    values."""
    return Nonlinearity(
        "step",
        _step_value,
        _flat,
        breaks=(0.0,),
        curvature=(0, 0),
        kinks=(0.0,),
        jumps=((0.0, 0.0, 0.0, 1.0),),
        bounds=(0.0, 1.0),
        noise=0.0,
    )


def sign() -> Nonlinearity:
    return Nonlinearity(
        "sign",
        torch.sign,
        _flat,
        breaks=(0.0,),
        curvature=(0, 0),
        kinks=(0.0,),
        jumps=((0.0, 0.0, -1.0, 1.0),),
        bounds=(-1.0, 1.0),
        noise=0.0,
    )


def floor() -> Nonlinearity:
    return Nonlinearity(
        "floor",
        torch.floor,
        _flat,
        breaks=(0.0,),
        curvature=(0, 0),
        kinks=(0.0,),
        jumps=((0.0, 0.0, -1.0, 0.0),),
        period=1.0,
        rise=1.0,
        noise=0.0,
    )


register("step", step)
register("sign", sign)
register("floor", floor)
