"""Planes and ranges of functions of two arguments tried on random boxes of the plane against the truth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from flint import arb
from torch import Tensor

from genbab.nonlinear import (
    Bivariate,
    Gate,
    Prepared2,
    default_slopes2,
    interval2,
    make,
    prepare2,
    slope_range2,
)

from .fuzzing import CHUNK, KINDS, Report, Violation
from .places import Box, Source, boxes, points
from .truth import falls_short, truth

_EPS = 2.0**-52
_ERROR = 16.0
"""What float64 may miss of x*g(y), in units of eps * (|x| + |x*g(y)|)."""
_SAMPLED = 0.003
_STEPS = 3
_INNER = 6

Slopes = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class PlaneCase:
    """A function of two arguments and what it should be."""

    name: str
    fn: Bivariate
    truth: Callable[[arb, arb], arb]


def plane_case(fn: Bivariate) -> PlaneCase:
    """x*y or x*g(y)."""
    if not isinstance(fn, Gate):
        return PlaneCase(fn.name, fn, lambda x, y: x * y)
    g = truth(fn.g)
    return PlaneCase(fn.name, fn, lambda x, y: x * g(y))


@dataclass(frozen=True)
class Planes:
    """f >= kx*x + ky*y + c (upper: <=) on the boxes; all (S, N)."""

    upper: bool
    kinds: tuple[str, ...]
    k: Slopes
    c: Tensor
    near: Slopes


def _slopes(prepared: Prepared2, upper: bool, random: Source) -> Slopes:
    """A row of slopes per kind, for x and for y: (S, N) each."""
    fn, sides = prepared.fn, (prepared.x, prepared.y)
    start = default_slopes2(fn, *sides)[int(upper)]
    ranges = slope_range2(fn, *sides)
    dtype = start[0].dtype
    inside = [torch.lerp(low, high, random.uniform(0.0, 1.0).to(dtype)) for low, high in ranges]
    targets = [torch.lerp(low, high, random.uniform(0.0, 1.0).to(dtype)) for low, high in sides]
    k = list(start)
    for i in range(_STEPS):
        touch = prepared.intercept(k[0], k[1], upper, rigorous=False)[1:]
        for j in range(2):
            move = (targets[j] - touch[j]) / (sides[j][1] - sides[j][0]) * (ranges[j][1] - ranges[j][0])
            k[j] = (k[j] + ((-move if upper else move) / (2.0 + i)).nan_to_num(0.0, 0.0, 0.0)).nan_to_num(0.0)
    rows = []
    most = torch.finfo(dtype).max
    for j in range(2):
        span = (ranges[j][1] - ranges[j][0] + start[j].abs()).double()
        far = torch.where(
            random.uniform(0, 1) < 0.7,
            start[j] + random.normal(1e3) * span,
            random.sign() * random.power(-45, 38),
        )
        row = torch.stack([start[j], torch.zeros_like(start[j]), inside[j], k[j], far.to(dtype)])
        rows.append(row.nan_to_num(0.0, most, -most))
    return rows[0], rows[1]


@dataclass(frozen=True)
class PlaneTrial:
    """One chunk of boxes of a case."""

    case: PlaneCase
    x: Box
    y: Box
    random: Source
    report: Report

    def run(self) -> None:
        """Try planes and ranges of all boxes."""
        prepared = prepare2(self.case.fn, self.x, self.y)
        usual = make("relu")
        across = points(self.case.fn.g if isinstance(self.case.fn, Gate) else usual, *self.y, self.random)
        low, high = (end.double().clamp(-1e300, 1e300) for end in self.x)
        along = torch.stack([low, torch.lerp(low, high, self.random.uniform(0.0, 1.0)), high])
        ends = interval2(self.case.fn, self.x, self.y)
        for upper in (False, True):
            k = _slopes(prepared, upper, self.random)
            c, *near = prepared.intercept(*k, upper)
            kinds = tuple(f"plane of {kind} slopes" for kind in KINDS)
            self._check(Planes(upper, kinds, k, c, (near[0], near[1])), along, across)
            zero = k[0][1:2], k[1][1:2]
            touch = near[0][1:2], near[1][1:2]
            self._check(Planes(upper, ("range",), zero, ends[int(upper)][None], touch), along, across)
        self.report.boxes += low.numel()

    def _check(self, planes: Planes, along: Tensor, across: Tensor) -> None:
        m, p = along.shape[0], across.shape[0]
        x = along.repeat_interleave(p, 0)[None]
        y = across.repeat(m, 1)[None]
        margin, index = self._margin(planes, x, y).min(1)
        lines = margin.shape[0]
        at_x = x.expand(lines, -1, -1).gather(1, index[:, None])[:, 0]
        row = index % p
        at_y, left, right = (
            across[None].expand(lines, -1, -1).gather(1, (row + i).clamp(0, p - 1)[:, None])[:, 0]
            for i in (0, -1, 1)
        )
        share = torch.linspace(0.0, 1.0, _INNER + 2, dtype=torch.float64)[1:-1, None]
        inner = torch.lerp(left[:, None], right[:, None], share)
        touch = [
            torch.minimum(torch.maximum(part.double(), ends[0].double()), ends[1].double())[:, None].clamp(
                -1e300, 1e300
            )
            for part, ends in zip(planes.near, (self.x, self.y), strict=True)
        ]
        for ax, ay in (
            (at_x[:, None].expand_as(inner), inner),
            (touch[0], touch[1]),
            (at_x[:, None], touch[1]),
        ):
            found, place = self._margin(planes, ax, ay).min(1, keepdim=True)
            better = found[:, 0] < margin
            margin = torch.where(better, found[:, 0], margin)
            at_x = torch.where(better, ax.gather(1, place)[:, 0], at_x)
            at_y = torch.where(better, ay.gather(1, place)[:, 0], at_y)
        sampled = self.random.uniform(0.0, 1.0) < _SAMPLED
        self._settle(planes, (at_x, at_y), (margin < 1.0) | sampled)
        self._settle(planes, (touch[0][:, 0], touch[1][:, 0]), sampled.expand_as(margin))
        self.report.checks += lines * (m * p + _INNER + 2) * along.shape[1]

    def _margin(self, planes: Planes, x: Tensor, y: Tensor) -> Tensor:
        """Distance from a violation in units of the error of float64; x, y (S, P, N)."""
        kx, ky, c = (part.double()[:, None] for part in (*planes.k, planes.c))
        f = self.case.fn.value(x, y)
        along, across = kx * x, ky * y
        gap = (along + across + c - f) if planes.upper else (f - along - across - c)
        doubt = _ERROR * _EPS * (x.abs() + f.abs() + along.abs() + across.abs() + c.abs()) + 1e-320
        nothing = torch.inf if planes.upper else -torch.inf
        ratio = (gap / doubt).masked_fill(torch.isnan(f), torch.inf)
        return ratio.nan_to_num(-torch.inf, torch.inf, -torch.inf).masked_fill(c == nothing, torch.inf)

    def _settle(self, planes: Planes, at: Slopes, mask: Tensor) -> None:
        """Decide with balls whether the chosen claims hold at the points; all (S, N)."""
        chosen = mask.nonzero(as_tuple=True)
        numbers = [part[chosen].double().tolist() for part in (*planes.k, planes.c, *at)]
        nothing = math.inf if planes.upper else -math.inf
        for row, column, kx, ky, c, x, y in zip(*(i.tolist() for i in chosen), *numbers, strict=True):
            if c == nothing:
                continue
            self.report.precise += 1
            by: float | None = math.inf
            if math.isfinite(c):
                by = falls_short(self.case.truth, (kx, ky, c), (x, y), planes.upper)
            if by is not None:
                box = tuple(float(end[column]) for end in (*self.x, *self.y))
                claim = f"{'upper' if planes.upper else 'lower'} {planes.kinds[row]}"
                self.report.add(
                    Violation(self.case.name, self.report.dtype, box, claim, (kx, ky, c), (x, y), by)
                )


def fuzz_planes(case: PlaneCase, dtype: torch.dtype, count: int, seed: int) -> Report:
    """What `count` boxes of the plane drawn from `seed` show."""
    begin = time.perf_counter()
    random = torch.Generator().manual_seed(seed)
    report = Report(case.name, str(dtype).removeprefix("torch."))
    usual = make("relu")
    while report.boxes < count:
        size = min(CHUNK // 2, count - report.boxes)
        x = boxes(usual, dtype, size, random)
        y = boxes(case.fn.g if isinstance(case.fn, Gate) else usual, dtype, size, random)
        PlaneTrial(case, x, y, Source(random, size), report).run()
    report.seconds = time.perf_counter() - begin
    return report
