"""Box conjugates of the hot functions, in plain torch: every point at which the minimum can lie is compared.

For a slope k, c(k) = min over [l, u] of f(x) - k·x (upper side: max) lies at an end of the box, at a kink, or
where f' = k. This is the definition that compiled kernels are tested against; it is for searching slopes and
promises nothing about rounding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbab.kernels.functions import CUBIC, POINTS, SCALE, SMALLEST, Function, gate

TINY = 1e-36
_TURN = 2.0 * math.pi


def value(fn: Function, x: Tensor) -> Tensor:
    """f(x)."""
    match fn.name:
        case "relu":
            return x.clamp_min(0.0)
        case "leaky_relu":
            return torch.where(x > 0, x, fn.parameter * x)
        case "square":
            return x * x
        case "softplus":
            return x.clamp_min(0.0) + torch.log1p(torch.exp(-x.abs()))
        case "gelu":
            return 0.5 * x * torch.erfc(-math.sqrt(0.5) * x)
        case "gelu_tanh":
            return x * torch.sigmoid(2.0 * SCALE * x * (1.0 + CUBIC * x * x))
        case "silu":
            return x * torch.sigmoid(x)
        case "sigmoid" | "tanh" | "sin" | "cos" | "exp" | "reciprocal":
            found: Tensor = getattr(torch, fn.name)(x)
            return found
        case name:
            raise NotImplementedError(f"no value of '{name}'")


def candidates(fn: Function, k: Tensor, l: Tensor, u: Tensor, upper: Tensor) -> list[Tensor]:  # noqa: E741
    """Kinks, and points of slope k on the convex (upper: concave) parts of f; not clipped to the box."""
    eps = torch.finfo(k.dtype).eps
    match fn.name:
        case "relu" | "leaky_relu":
            return [torch.zeros_like(k)]
        case "sigmoid":
            inside = k.clamp(TINY, 0.25 * (1.0 - eps))
            x = torch.log(inside / (0.5 + (0.25 - inside).sqrt()).square())
            return [torch.where(upper, -x, x)]
        case "tanh":
            inside = k.clamp(TINY, 1.0 - eps)
            x = 0.5 * torch.log(inside / (1.0 + (1.0 - inside).sqrt()).square())
            return [torch.where(upper, -x, x)]
        case "sin" | "cos":
            arc = torch.acos(k.clamp(-1.0, 1.0))
            x = torch.where(upper, arc, -arc) - (0.5 * math.pi if fn.name == "cos" else 0.0)
            return [
                x + _TURN * torch.ceil((l - x) / _TURN),
                x + _TURN * torch.floor((u - x) / _TURN),
            ]
        case "exp":
            return [torch.log(k.clamp_min(TINY))]
        case "square":
            return [0.5 * k]
        case "softplus":
            inside = k.clamp(TINY, 1.0 - eps)
            return [torch.log(inside / (1.0 - inside))]
        case "reciprocal":
            return [torch.where(upper, -1.0, 1.0) * (-k).clamp_min(TINY).rsqrt()]
        case "gelu" | "gelu_tanh" | "silu":
            return [_gated(fn, k, upper)]
        case name:
            raise NotImplementedError(f"no point of given slope of '{name}'")


def _gated(fn: Function, k: Tensor, upper: Tensor) -> Tensor:
    one = gate(fn.name, k.dtype, k.device)
    distance = k - 0.5
    side, distance = torch.where(distance < 0, -1.0, 1.0), distance.abs()
    most = one.steepest - 0.5
    inner = _read(one.convex, ((most - distance).clamp_min(0.0) / most).sqrt() * (POINTS - 1))
    excess = ((distance - 0.5) / (one.steepest - 1.0)).clamp(SMALLEST, 1.0)
    outer = _read(one.tail, (-torch.log(excess)).sqrt() * ((POINTS - 1) / one.reach))
    return side * torch.where(upper, outer, inner)


def _read(table: Tensor, place: Tensor) -> Tensor:
    """The table (POINTS,) at `place` in entries, between them linear; at its last entry where that is NaN."""
    cell = place.clamp(0.0, POINTS - 2.0).nan_to_num(POINTS - 2.0).floor()
    left, right = (table[cell.long() + i] for i in (0, 1))
    return left + (place - cell).nan_to_num(1.0).clamp(0.0, 1.0) * (right - left)


def conjugate(
    fn: Function,
    k: Tensor,
    l: Tensor,  # noqa: E741
    u: Tensor,
    upper: Tensor,
) -> tuple[Tensor, Tensor]:
    """(c, x*) for slopes k and sides `upper` (bool), all of one shape; x* in [l, u], finite.

    c = -inf (upper: +inf) where the box is not finite or f has no bound on it.
    """
    unknown = ~(torch.isfinite(l) & torch.isfinite(u))
    l, u = l.masked_fill(unknown, 1.0), u.masked_fill(unknown, 1.0)  # noqa: E741
    unbounded = unknown
    if fn.name == "reciprocal":
        hit = (l <= 0) & (u >= 0)
        unbounded = unknown | (hit & torch.where(upper, u > 0, l < 0)) | ((l == 0) & (u == 0))
    best, where = _against(fn, k, l, upper), l
    for x in (u, *(torch.minimum(torch.maximum(x, l), u) for x in candidates(fn, k, l, u, upper))):
        g = _against(fn, k, x, upper)
        better = torch.where(upper, g > best, g < best)
        best, where = torch.where(better, g, best), torch.where(better, x, where)
    nothing = torch.where(upper, torch.inf, -torch.inf).to(k.dtype)
    return torch.where(unbounded, nothing, best), where


def _against(fn: Function, k: Tensor, x: Tensor, upper: Tensor) -> Tensor:
    """f(x) - k·x; at a pole what never wins."""
    g = value(fn, x) - k * x
    if fn.name != "reciprocal":
        return g
    return torch.where(x == 0, torch.where(upper, -torch.inf, torch.inf).to(k.dtype), g)


Pair = tuple[Tensor, Tensor]


def product_conjugate(k: Pair, x: Pair, y: Pair, upper: Tensor) -> tuple[Tensor, Pair]:
    """(c, (x*, y*)) of x·y for slopes k = (kx, ky): the best of the four corners; infinite as `conjugate`."""
    unknown = ~torch.stack([torch.isfinite(end) for end in (*x, *y)]).all(0)
    (lx, ux), (ly, uy) = ([end.masked_fill(unknown, 1.0) for end in pair] for pair in (x, y))
    best, at_x, at_y = lx * ly - k[0] * lx - k[1] * ly, lx, ly
    for one, other in ((lx, uy), (ux, ly), (ux, uy)):
        g = one * other - k[0] * one - k[1] * other
        better = torch.where(upper, g > best, g < best)
        best = torch.where(better, g, best)
        at_x, at_y = torch.where(better, one, at_x), torch.where(better, other, at_y)
    nothing = torch.where(upper, torch.inf, -torch.inf).to(best.dtype)
    return torch.where(unknown, nothing, best), (at_x, at_y)
