"""Jumps and poles of periodic functions, to the last place."""

from __future__ import annotations

import math

import pytest
import torch
from mpmath import mp

from genbab.nonlinear import intercept, interval, make

from .test_intercept import edge


@pytest.mark.parametrize("turns", [0, 1, -3, 1000, 318309, 10**9])
def test_poles_of_tan_are_seen_to_the_last_place(turns: int) -> None:
    """A box that has the pole between its ends is unbounded; a few places off, it is bounded."""
    with mp.workdps(60):
        pole = (turns + mp.mpf(0.5)) * mp.pi
        near = float(pole)
        below = near if mp.mpf(near) < pole else math.nextafter(near, -math.inf)
        above = math.nextafter(below, math.inf)
        assert mp.mpf(below) < pole < mp.mpf(above)
    for low, high in (
        (below, above),
        (below - 1e-3, above),
        (below, above + 1e-3),
        (below - 9.0, above + 9.0),
    ):
        bounds = edge(make("tan"), low, high, torch.float64)[0]
        assert bounds == (-math.inf, math.inf)
    gap = 1e-13 * (1.0 + abs(near))
    lo, hi = edge(make("tan"), below - 2e-3 * (1.0 + gap), below - 10.0 * gap, torch.float64)[0]
    assert lo <= math.tan(below - 2e-3 * (1.0 + gap)) and math.tan(below - 10.0 * gap) <= hi < math.inf


@pytest.mark.parametrize("c", [0.7, 0.1, 3.0, 1e-3])
def test_jumps_that_are_no_floating_point_numbers(c: float) -> None:
    """Whatever side of n*c the number next to it lies on, a box up to it or from it holds the right value."""
    random = torch.Generator().manual_seed(0)
    turns = torch.randint(-(10**6), 10**6, (200,), generator=random).tolist()
    beside = [(math.nextafter(n * c, -math.inf), n * c, math.nextafter(n * c, math.inf)) for n in turns]
    places = torch.tensor(beside, dtype=torch.float64).flatten()
    with mp.workdps(60):
        exact = [mp.mpf(x) - mp.mpf(c) * mp.floor(mp.mpf(x) / mp.mpf(c)) for x in places.tolist()]
    for low, high in ((places, places + 0.3 * c), (places - 0.3 * c, places), (places, places)):
        lower, upper = interval(make("sawtooth", c), low, high)
        for lo, truth, hi in zip(lower.tolist(), exact, upper.tolist(), strict=True):
            assert lo <= truth <= hi


def test_ceil_and_round_jump_right_of_integers_and_halves() -> None:
    """The limit right of the left end counts: on (0, 1] ceil is 1, though it is 0 at 0."""
    for name, start in (("ceil", 0.0), ("round", 0.5), ("round", 1.5)):
        for width in (0.5, 1.0, 3.0):
            low, high = torch.tensor([start], dtype=torch.float64), torch.tensor([start + width])
            fn, inside = make(name), low + 1e-9
            k = torch.full_like(low, 2.0)
            c, _ = intercept(fn, k, low, high.double(), True)
            assert bool((fn.value(inside) <= k * inside + c).all())
