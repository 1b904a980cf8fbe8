"""Exact range of a function on a box."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from genbab.nonlinear.facts.record import Nonlinearity
from genbab.nonlinear.lines.box import go_on
from genbab.nonlinear.lines.conjugate import prepare


def interval(
    fn: Nonlinearity,
    l: Tensor,  # noqa: E741
    u: Tensor,
    ask: Callable[[], None] = go_on,
) -> tuple[Tensor, Tensor]:
    """(lo, hi) with lo <= fn(x) <= hi for all x of [l, u], tight to a few ulp; the intercepts at slope 0.

    An infinite end counts with the limit of fn there, where the record's value() knows it. Outside the
    domain, or at a pole, the undefined side is infinite; never NaN. `ask` as for `prepare`.
    """
    l, u = l.detach(), u.detach()  # noqa: E741
    largest = torch.finfo(l.dtype).max
    inner = prepare(fn, l.clamp(-largest, largest), u.clamp(-largest, largest), ask)
    zero = torch.zeros_like(l)
    lo, hi = inner.intercept(zero, False)[0], inner.intercept(zero, True)[0]
    bounds = _outward(fn.bounds, l.dtype)
    lo, hi = lo.clamp(*bounds), hi.clamp(*bounds)
    beyond = torch.isinf(l) | torch.isinf(u) | torch.isnan(l) | torch.isnan(u)
    if bool(beyond.any()):
        for end in (l, u):
            limit = torch.where(torch.isfinite(end), 0.5 * lo + 0.5 * hi, fn.value(end))
            lo = torch.where(
                beyond, torch.minimum(lo, limit.nan_to_num(-torch.inf, torch.inf, -torch.inf)), lo
            )
            hi = torch.where(
                beyond, torch.maximum(hi, limit.nan_to_num(torch.inf, torch.inf, -torch.inf)), hi
            )
    return lo.clamp(*bounds), hi.clamp(*bounds)


@functools.lru_cache(maxsize=256)
def _outward(bounds: tuple[float, float], dtype: torch.dtype) -> tuple[float, float]:
    """Bounds in a dtype: as they are where it has them, else the next number outside."""
    near = torch.tensor(bounds, dtype=dtype)
    far = torch.nextafter(near, torch.tensor([-torch.inf, torch.inf], dtype=dtype))
    low, high = (
        (n if (n - b) * side >= 0 else f)
        for n, f, b, side in zip(near.tolist(), far.tolist(), bounds, (-1.0, 1.0), strict=True)
    )
    return low, high
