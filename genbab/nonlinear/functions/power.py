"""x**p for every real p but 0 and 1; on x >= 0 when p is no integer."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.kernels import Function
from genbab.nonlinear.facts import extended
from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.facts.registry import register


def _value(x: Tensor, p: float) -> Tensor:
    return torch.pow(x, p)


def _derivative(x: Tensor, p: float) -> Tensor:
    return p * torch.pow(x, p - 1.0)


def _second(x: Tensor, p: float) -> Tensor:
    return p * (p - 1.0) * torch.pow(x, p - 2.0)


def _root(k: Tensor, p: float) -> Tensor:
    """The x >= 0 with p*x**(p-1) = k, for k/p clipped to be positive."""
    base = (k / p).clamp_min_(extended.TINY)
    return base.sqrt_() if p == 3.0 else torch.pow(base, 1.0 / (p - 1.0)).clamp_max_(extended.FAR)


def _half_line(k: Tensor, segment: int, p: float) -> Tensor:
    return _root(k, p)


def _odd(k: Tensor, segment: int, p: float) -> Tensor:
    return -_root(k, p) if segment == 0 else _root(k, p)


def _even(k: Tensor, segment: int, p: float) -> Tensor:
    return 0.5 * k if p == 2.0 else _root(k.abs(), p).copysign_(k)


def _even_pole(k: Tensor, segment: int, p: float) -> Tensor:
    return -_root(-k, p) if segment == 0 else _root(k, p)


def _facts(p: float) -> dict[str, Any]:
    positive = {"domain": (0.0, math.inf), "bounds": (0.0, math.inf)}
    if not p.is_integer():
        return {
            "curvature": (-1 if 0.0 < p < 1.0 else 1,),
            "stationary": functools.partial(_half_line, p=p),
            **positive,
        }
    if p > 0:
        if p % 2 == 0:
            return {"stationary": functools.partial(_even, p=p), "bounds": (0.0, math.inf)}
        return {
            "breaks": (0.0,),
            "curvature": (-1, 1),
            "stationary": functools.partial(_odd, p=p),
            "symmetric": True,
        }
    pole = {"breaks": (0.0,), "kinks": (0.0,)}
    if p % 2 == 0:
        jumps = ((0.0, 0.0, math.inf, math.inf),)
        rule = functools.partial(_even_pole, p=p)
        return {"curvature": (1, 1), "jumps": jumps, "stationary": rule, "bounds": (0.0, math.inf), **pole}
    jumps = ((0.0, 0.0, -math.inf, math.inf),)
    return {
        "curvature": (-1, 1),
        "jumps": jumps,
        "stationary": functools.partial(_odd, p=p),
        "symmetric": True,
        **pole,
    }


def power(p: float) -> Nonlinearity:
    """x**p; UsageError for p = 0, 1 (affine) and for p that is not finite."""
    p = float(p)
    if not math.isfinite(p) or p in (0.0, 1.0):
        raise UsageError(f"power({p:g}) is affine or undefined; the exponent must be finite, not 0 and not 1")
    value, derivative = functools.partial(_value, p=p), functools.partial(_derivative, p=p)
    turns = (0.0,) if p > 2.0 and p % 2.0 == 0.0 else ()
    facts = {"second": functools.partial(_second, p=p), "turns": turns, **_facts(p)}
    return Nonlinearity("power", value, derivative, params=(p,), **facts)


def _kernel(p: float) -> Function | None:
    return Function("square") if p == 2.0 else None


register("power", power, [(2,), (3,), (4,), (5,), (-2,), (-3,), (1.5,), (0.5,), (-0.5,)], kernel=_kernel)
