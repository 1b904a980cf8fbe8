"""Value, derivative and second derivative of every registered function against mpmath."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from mpmath import mp, mpf
from torch import Tensor

from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.composed.formula import definition
from genbab.nonlinear.expressions.steps import Apply
from genbab.nonlinear.facts.registry import DEFINITIONS, REGISTRY

from .boxes import FUNCTIONS
from .precise import PRECISE, precise

each = pytest.mark.parametrize("fn", FUNCTIONS, ids=str)
RELATIVE, EPS = 1e-12, torch.finfo(torch.float64).eps
LARGEST, LEAST = 1e300, 1e-290
TAILS = (25.0, 38.0, 50.0, 90.0, 170.0, 300.0, 460.0, 700.0, 1e4, 1e8, 1e40, 1e75)


def usable(fn: Nonlinearity, x: float) -> bool:
    """In the interior of the domain and off every break, so that differences do not cross one."""
    if not fn.domain[0] < x < fn.domain[1]:
        return False
    places = (*fn.breaks, *(end for end in fn.domain if math.isfinite(end)))
    if fn.period:
        return all(abs((x - p) / fn.period - round((x - p) / fn.period)) > 1e-9 for p in places)
    return all(abs(x - p) > 1e-13 * abs(p) for p in places)


def points(fn: Nonlinearity) -> list[float]:
    """Random ones, tails, and ones close to breaks, turns and the ends of the domain."""
    random = torch.Generator().manual_seed(5)
    found = torch.randn(60, generator=random, dtype=torch.float64).mul(4.0).tolist()
    near = [*fn.breaks, *fn.turns, *(end for end in fn.domain if math.isfinite(end)), 0.0, 1.0, -1.0]
    for place in near:
        found += [place + sign * 10.0**-n for n in (1, 3, 6, 9, 12) for sign in (-1.0, 1.0)]
    if not fn.period:
        found += [sign * x for x in TAILS for sign in (-1.0, 1.0)]
    if math.isfinite(fn.domain[1]):
        found += torch.linspace(fn.domain[0], fn.domain[1], 40, dtype=torch.float64).tolist()
    return [x for x in dict.fromkeys(found) if usable(fn, x)]


def derivatives(truth: Callable[[mpf], Any], x: float) -> list[mpf]:
    """Value and three derivatives, by central differences with digits to spare."""
    with mp.workdps(800):
        at = mpf(x)
        step = mpf(10) ** -40 * min(1, abs(at)) if x else mpf(10) ** -40
        far = [truth(at + n * step) for n in (-2, -1, 0, 1, 2)]
        first = (far[3] - far[1]) / (2 * step)
        second = (far[3] - 2 * far[2] + far[1]) / step**2
        third = (far[4] - 2 * far[3] + 2 * far[1] - far[0]) / (2 * step**3)
        return [far[2], first, second, third]


@each
def test_value_derivative_and_second_are_accurate(fn: Nonlinearity) -> None:
    assert fn.second is not None
    x = points(fn)
    at = torch.tensor(x, dtype=torch.float64)
    found = [rule(at).tolist() for rule in (fn.value, fn.derivative, fn.second)]
    for i, place in enumerate(x):
        wanted = derivatives(lambda t: PRECISE[fn.name](t, *fn.params), place)
        for order, row in enumerate(found):
            if abs(wanted[order]) > LARGEST:
                continue
            allowed = RELATIVE * abs(wanted[order]) + EPS * abs(place) * abs(wanted[order + 1]) + LEAST
            gap = abs(mpf(row[i]) - wanted[order])
            assert gap <= allowed, (
                f"derivative {order} at {place!r}: {row[i]!r}, not {mp.nstr(wanted[order], 17)}"
            )


def pieces(fn: Nonlinearity) -> list[tuple[float, float]]:
    """Consecutive turns and breaks, with the outermost finite places at the sides."""
    places = sorted({*fn.breaks, *fn.turns})
    if fn.period:
        first = min(places)
        start = sorted({first + (p - first) % fn.period for p in places})
        return list(zip(start, [*start[1:], first + fn.period], strict=True))
    low, high = max(fn.domain[0], -60.0), min(fn.domain[1], 60.0)
    ends = [low, *(p for p in places if low < p < high), high]
    return list(zip(ends, ends[1:], strict=False))


@each
def test_second_is_monotone_between_turns(fn: Nonlinearity) -> None:
    assert fn.second is not None
    share = torch.linspace(0.0, 1.0, 4001, dtype=torch.float64)[1:-1]
    share = torch.cat([share, torch.logspace(-9.0, -3.0, 50, dtype=torch.float64)]).sort().values
    for low, high in pieces(fn):
        bend: Tensor = fn.second(low + (high - low) * share)
        rise, noise = bend.diff(), 1e-13 * (bend.abs()[1:] + bend.abs().max().clamp_max(1.0) * 1e-2)
        assert bool((rise >= -noise).all() or (rise <= noise).all()), f"not monotone on ({low}, {high})"


@each
def test_no_turn_is_superfluous(fn: Nonlinearity) -> None:
    """Second rises on one side of a turn and falls on the other."""
    assert fn.second is not None
    for turn in fn.turns:
        around = torch.tensor([turn - 1e-3, turn, turn + 1e-3], dtype=torch.float64)
        left, middle, right = fn.second(around).tolist()
        assert (middle - left) * (right - middle) < 0.0


@each
def test_nothing_is_nan_inside_the_domain(fn: Nonlinearity) -> None:
    assert fn.second is not None
    for dtype in (torch.float64, torch.float32):
        most = 37.0 if dtype == torch.float32 else 300.0
        size = torch.logspace(-most, most, 149, dtype=dtype)
        x = torch.cat([-size, torch.zeros(1, dtype=dtype), size, torch.tensor(fn.breaks, dtype=dtype)])
        x = x[(x >= fn.domain[0]) & (x <= fn.domain[1])]
        assert not bool(fn.value(x).isnan().any())
        if not fn.kinks:
            assert not bool(fn.derivative(x).isnan().any())
            assert not bool(fn.second(x).isnan().any())


def test_every_function_has_a_definition() -> None:
    assert set(PRECISE) <= set(REGISTRY) == set(PRECISE) | set(DEFINITIONS)


@pytest.mark.parametrize("fn", [fn for fn in FUNCTIONS if fn.name in DEFINITIONS], ids=str)
def test_a_definition_is_the_function(fn: Nonlinearity) -> None:
    """To many digits against the definition written once more, or else against the values of the record."""
    written = definition(fn)
    assert written is not None
    assert fn.name not in {step.fn.name for step in written.steps if isinstance(step, Apply)}
    with mp.workdps(60):
        for x in (-37.3, -2.5, -1.0, -0.3, -1e-9, 0.0, 1e-9, 0.2, 0.75, 1.5, 8.0, 40.0):
            known = dict(PRECISE).get(fn.name)
            truth = (
                known(mpf(x), *fn.params) if known else float(fn.value(torch.tensor(x, dtype=torch.float64)))
            )
            assert abs(precise(written, mpf(x)) - truth) <= mpf(1e-14) * (1 + abs(truth))
