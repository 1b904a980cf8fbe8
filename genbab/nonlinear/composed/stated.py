"""The derivative of a function that is known by its facts only, as facts: nothing need be said again.

Between two neighbouring breaks and turns of a record its second derivative is monotone, so the derivative is
convex or concave there; which of the two, the second derivative at both ends tells.
"""

from __future__ import annotations

import functools
import math
from itertools import pairwise

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear.composed.checking import problems
from genbab.nonlinear.facts.inverse import slope_ends
from genbab.nonlinear.facts.record import Jump, Nonlinearity

_NOISE = 1e4
"""In units of 2^-52, what a record promises of its derivatives: 1e-12."""
_SAMPLES = 33
_REACH = 40.0
_FLAT = 1e-9


@functools.lru_cache(maxsize=256)
def stated_slope(fn: Nonlinearity) -> Nonlinearity:
    """The facts of the derivative.

    Raises UsageError for a function that jumps or has a period, for one without a second derivative, and
    where the derivative is infinitely steep at an end.
    """
    name = f"slope of {fn.name}"
    if fn.second is None:
        raise UsageError(
            f"'{fn}' is known by its facts, without a second derivative: its derivative is not known well "
            "enough; register it as code or as a formula"
        )
    if fn.period or fn.bulges or fn.jumps:
        raise UsageError(f"'{fn}' is known by its facts and jumps or has a period: it has no derivative here")
    breaks = tuple(sorted({*fn.breaks, *fn.turns}))
    ends = [-math.inf, *breaks, math.inf]
    curvature = tuple(_curvature(fn, low, high) for low, high in pairwise(ends))
    made = Nonlinearity(
        name,
        fn.derivative,
        fn.second,
        params=fn.params,
        breaks=breaks,
        curvature=curvature,
        kinks=tuple(fn.breaks),
        jumps=tuple(_jump(fn, place) for place in fn.kinks),
        domain=fn.domain,
        noise=max(_NOISE, fn.noise),
        drift=(fn.drift[1], fn.drift[1]),
        clear=fn.clear,
    )
    for segment, bend in enumerate(made.curvature):
        if bend:
            slope_ends(made, segment)
    if wrong := problems(made):
        raise UsageError(f"the derivative of '{fn}', by its facts: " + "; ".join(wrong))
    return made


def _curvature(fn: Nonlinearity, low: float, high: float) -> int:
    """The sign of the third derivative between two neighbouring breaks and turns."""
    assert fn.second is not None
    low, high = max(low, fn.domain[0]), min(high, fn.domain[1])
    if low >= high:
        return 0
    start = low if math.isfinite(low) else min(high, 0.0) - _REACH
    stop = high if math.isfinite(high) else max(low, 0.0) + _REACH
    inside = torch.linspace(0.0, 1.0, _SAMPLES + 2, dtype=torch.float64)[1:-1]
    bent: Tensor = fn.second(torch.lerp(torch.tensor(start).double(), torch.tensor(stop).double(), inside))
    bent = bent[torch.isfinite(bent)]
    if not bent.numel() or bool((bent == bent[0]).all()):
        return 0
    change = float(bent[-1] - bent[0])
    if abs(change) <= _FLAT * float(bent.abs().max()):
        raise UsageError(
            f"'{fn}': which way its derivative bends between {low:g} and {high:g} cannot be told"
        )
    return 1 if change > 0.0 else -1


def _jump(fn: Nonlinearity, place: float) -> Jump:
    """The derivative's limits on both sides of a kink."""
    near = [math.nextafter(place + side * fn.clear, side * math.inf) for side in (-1.0, 1.0)]
    left, right = fn.derivative(torch.tensor(near, dtype=torch.float64)).tolist()
    return place, place, left, right
