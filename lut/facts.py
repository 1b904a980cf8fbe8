"""What a table must know of a function, and how it tells that it was made for the one at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

VERSION = 1
"""Count this up whenever tables are made or read in another way; older files are then as good as none."""

_PROBES = 24


class TabledFunction(Protocol):
    """The facts of one function of one variable that matter here (genbab.nonlinear has such records)."""

    @property
    def name(self) -> str:
        """What tables are kept by."""

    @property
    def params(self) -> tuple[float, ...]:
        """The parameters, of a family."""

    @property
    def breaks(self) -> tuple[float, ...]:
        """Where the curvature changes, ascending; of one period."""

    @property
    def curvature(self) -> tuple[int, ...]:
        """+1, -1 or 0 on each segment."""

    @property
    def kinks(self) -> tuple[float, ...]:
        """Breaks at which slope or value jumps."""

    @property
    def jumps(self) -> tuple[tuple[float, float, float, float], ...]:
        """(low, high, left limit, right limit) of those at which the value does."""

    @property
    def period(self) -> float:
        """The period; 0: none."""

    @property
    def rise(self) -> float:
        """What a period adds to the value."""

    @property
    def domain(self) -> tuple[float, float]:
        """Where there are values, a closed interval."""

    @property
    def turns(self) -> tuple[float, ...]:
        """Where the second derivative turns."""

    @property
    def value(self) -> Callable[[Tensor], Tensor]:
        """f(x) as a new tensor."""


def fingerprint(fn: TabledFunction) -> str:
    """A hash of the facts and of the version of tables."""
    facts = (fn.name, fn.params, fn.breaks, fn.curvature, fn.kinks, fn.jumps, fn.period, fn.rise, fn.domain)
    return hashlib.sha256(repr((VERSION, *facts)).encode()).hexdigest()


def probes(fn: TabledFunction, centres: Tensor) -> tuple[Tensor, Tensor]:
    """(x, fn(x)) at fixed places around the centres: two functions with equal facts need not be equal."""
    step = torch.linspace(-3.0, 3.0, _PROBES, dtype=torch.float64)
    around = torch.stack([centres.min(), centres.max(), 0.1 * centres.min()])
    x = (around[:, None] + step).reshape(-1).clamp(*fn.domain)
    return x, fn.value(x)


def same(f: Tensor, g: Tensor) -> bool:
    """Whether values agree as far as different machines let them."""
    return f.shape == g.shape and bool(torch.isclose(f, g, rtol=1e-6, atol=1e-9, equal_nan=True).all())
