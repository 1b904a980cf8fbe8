"""Boxes on which bounds go wrong: all widths and offsets, breaks give or take an ulp, points, denormals, ends
of the domain, infinite ends, poles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.nonlinear import Nonlinearity

Box = tuple[Tensor, Tensor]

_SPECIAL = (0.0, -1.0, 1.0, 0.5, -0.5)
_FAR = (9.0, 17.0, 37.0, 88.7, 103.9, 709.78, 745.1, 1e4, 1e6)


@dataclass(frozen=True)
class Source:
    """Random numbers from one seed."""

    seed: torch.Generator
    count: int

    def uniform(self, low: float, high: float) -> Tensor:
        x = torch.rand(self.count, generator=self.seed, dtype=torch.float64)
        return low + (high - low) * x

    def normal(self, scale: float) -> Tensor:
        return torch.randn(self.count, generator=self.seed, dtype=torch.float64) * scale

    def power(self, low: float, high: float) -> Tensor:
        """Log-uniform, from 10**low to 10**high."""
        return 10.0 ** self.uniform(low, high)

    def integer(self, low: int, high: int) -> Tensor:
        """In [low, high]."""
        return torch.randint(low, high + 1, (self.count,), generator=self.seed)

    def sign(self) -> Tensor:
        return 2.0 * self.integer(0, 1) - 1.0

    def among(self, places: tuple[float, ...]) -> Tensor:
        return torch.tensor(places, dtype=torch.float64)[self.integer(0, len(places) - 1)]


def ulps(x: Tensor, count: Tensor) -> Tensor:
    """x moved by so many (-3 to 3) neighbours in its own dtype."""
    end = torch.where(count > 0, torch.inf, -torch.inf).to(x.dtype)
    for i in range(3):
        x = torch.where(count.abs() > i, torch.nextafter(x, end), x)
    return x


def special(fn: Nonlinearity) -> tuple[float, ...]:
    """Places where something happens to fn, of one period."""
    ends = tuple(end for end in fn.domain if math.isfinite(end))
    jumps = tuple(place for low, high, _, _ in fn.jumps for place in (low, high))
    return (*fn.breaks, *fn.breaks, *fn.turns, *jumps, *ends, *_SPECIAL)


def _near(fn: Nonlinearity, random: Source, dtype: torch.dtype) -> Tensor:
    """A special place (of any period), or a few neighbours or a tiny bit beside it."""
    place = random.among(special(fn))
    if fn.period:
        turns = torch.where(random.uniform(0, 1) < 0.7, random.integer(-3, 3).double(), random.normal(1e4))
        place = place + fn.period * turns.round()
    by = torch.where(random.uniform(0, 1) < 0.5, 0.0, random.sign() * random.power(-18, 1))
    exact = ulps(place.to(dtype), random.integer(-2, 2)).double()
    return torch.where(by == 0.0, exact, place + by)


def _families(fn: Nonlinearity, random: Source, dtype: torch.dtype) -> list[tuple[float, Tensor, Tensor]]:
    """(weight, ends of a box in any order) of every kind of box."""
    tiny = torch.finfo(dtype).smallest_normal
    centre, width, share = random.sign() * random.power(-12, 6), random.power(-12, 6), random.uniform(0, 1)
    usual, wide, split = random.normal(3.0), random.power(-4, 1.3), random.uniform(0, 1)
    near, other = _near(fn, random, dtype), _near(fn, random, dtype)
    point = torch.where(random.uniform(0, 1) < 0.5, near, usual)
    denormal = [random.sign() * tiny * random.power(-16, 2) for _ in range(2)]
    far = [random.sign() * random.among(_FAR) * random.uniform(0.98, 1.02) for _ in range(2)]
    most = torch.finfo(dtype).max
    extreme = torch.where(
        random.uniform(0, 1) < 0.5,
        random.sign() * random.among((math.inf, most, 1e30, 1e15)),
        random.sign() * random.power(-30, 38),
    )
    return [
        (0.25, centre - share * width, centre + (1.0 - share) * width),
        (0.22, usual - split * wide, usual + (1.0 - split) * wide),
        (0.15, near, near + random.sign() * random.power(-12, 3)),
        (0.13, near, other),
        (
            0.08,
            ulps(point.to(dtype), random.integer(-1, 0)).double(),
            ulps(point.to(dtype), random.integer(0, 1)).double(),
        ),
        (0.05, denormal[0], torch.where(split < 0.5, denormal[1], random.power(-12, 3))),
        (0.08, far[0], torch.where(split < 0.5, far[1], far[0] + random.normal(3.0))),
        (0.04, extreme, torch.where(split < 0.5, usual, -extreme)),
    ]


def _fold(fn: Nonlinearity, x: Tensor) -> Tensor:
    """x mirrored into the domain."""
    low, high = fn.domain
    if math.isfinite(low) and math.isfinite(high):
        width = high - low
        turn = torch.remainder(x.clamp(-1e15, 1e15) - low, 2.0 * width)
        turn = torch.minimum(turn, 2.0 * width - turn)
        return torch.where((x >= low) & (x <= high), x, low + turn)
    if math.isfinite(low):
        return torch.where(x < low, 2.0 * low - x, x)
    return torch.where(x > high, 2.0 * high - x, x) if math.isfinite(high) else x


def boxes(fn: Nonlinearity, dtype: torch.dtype, count: int, seed: torch.Generator) -> Box:
    """(l, u) with l <= u, (N,) each, in `dtype`; a few of them leave the domain of fn."""
    random = Source(seed, count)
    families = _families(fn, random, dtype)
    weights = torch.tensor([weight for weight, _, _ in families])
    kind = torch.multinomial(weights, count, replacement=True, generator=seed)
    ends = []
    leaves = random.uniform(0, 1) < 0.01
    for drawn in ([first for _, first, _ in families], [second for _, _, second in families]):
        x = torch.stack(drawn).gather(0, kind[None])[0]
        x = torch.where(leaves, x, _fold(fn, x)).to(dtype)
        inside = x.double().clamp(*fn.domain).to(dtype)
        ends.append(torch.where(leaves, x, inside))
    return torch.minimum(*ends), torch.maximum(*ends)


def points(fn: Nonlinearity, l: Tensor, u: Tensor, random: Source) -> Tensor:  # noqa: E741
    """(M, N) float64 numbers in [l, u], ascending: the ends, breaks, crowded at the ends, even and random."""
    low, high = (end.double().clamp(-1e300, 1e300) for end in (l, u))
    width = high - low
    rows: list[Tensor] = [
        low,
        high,
        low + width * random.power(-16, -1),
        high - width * random.power(-16, -1),
    ]
    rows += [low + width * (i / 10) for i in range(1, 10)]
    rows += [torch.lerp(low, high, random.uniform(0, 1)) for _ in range(4)]
    # of huge boxes the middle decades, too
    rows += [random.sign() * random.power(-9, 3) for _ in range(2)]
    places = special(fn)
    for _ in range(4):
        place = random.among(places)
        if fn.period:
            turns = torch.lerp(
                torch.ceil((low - place) / fn.period),
                torch.floor((high - place) / fn.period),
                random.uniform(0, 1),
            )
            place = place + fn.period * turns.round()
        rows.append(ulps(place, random.integer(-1, 1)))
    inside = torch.minimum(torch.maximum(torch.stack(rows).nan_to_num(0.0), low), high)
    return inside.sort(dim=0).values
