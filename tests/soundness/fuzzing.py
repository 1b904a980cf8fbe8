"""Lines and ranges of the library tried on random boxes against the true functions.

Floating-point numbers only select: what comes within their error of a violation, and a random sample of
everything, is decided with balls of real numbers (truth.py).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import torch
from flint import arb
from torch import Tensor

from genbab.nonlinear import Nonlinearity, Prepared, default_slopes, interval, prepare, slope_range

from .places import Box, Source, boxes, points, ulps
from .truth import Truth, falls_short, precision

CHUNK = 4096
KINDS = ("default", "zero", "inside", "optimised", "wild")
_EPS = 2.0**-52
_KEPT = 10
_STEPS = 3
_ZOOMS = 2
_INNER = 6
_SAMPLED = 0.003
"""The part of all boxes on which every claim is decided with balls, however far from a violation."""


@dataclass(frozen=True)
class Case:
    """A record and what it should be."""

    name: str
    fn: Nonlinearity
    truth: Truth


@dataclass(frozen=True)
class Violation:
    """A claim about a function on [l, u] that is false at x, by so much."""

    case: str
    dtype: str
    box: tuple[float, ...]
    claim: str
    line: tuple[float, ...]
    x: tuple[float, ...]
    by: float

    def __str__(self) -> str:
        return (
            f"{self.case} in {self.dtype} on {self.box}: {self.claim} (slope, intercept) = {self.line}"
            f" is wrong at {self.x} by {self.by:.3g}"
        )


@dataclass
class Report:
    """What was tried and what was found."""

    case: str
    dtype: str
    boxes: int = 0
    checks: int = 0
    precise: int = 0
    seconds: float = 0.0
    violations: int = 0
    worst: float = 0.0
    examples: list[Violation] = field(default_factory=list)

    def add(self, found: Violation) -> None:
        """Count it; the worst are kept."""
        self.violations += 1
        self.worst = max(self.worst, found.by)
        self.examples = sorted([*self.examples, found], key=lambda v: -v.by)[:_KEPT]


@dataclass(frozen=True)
class Claims:
    """f >= k*x + c (upper: <=) on the boxes; k, c and points near which it may fail: (S, N)."""

    upper: bool
    kinds: tuple[str, ...]
    k: Tensor
    c: Tensor
    near: Tensor


def float_error(case: Case, count: int, random: torch.Generator) -> tuple[float, float, float]:
    """Errors found of the record's value in float64: (largest in units of eps * (1 + |f|), largest excess
    over what the record admits in the same units, where that was)."""
    ends = torch.cat(boxes(case.fn, torch.float64, count, random))
    low, high = case.fn.domain
    x = ends[torch.isfinite(ends) & (ends >= low) & (ends <= high)]
    worst, excess, where = 0.0, -math.inf, 0.0
    for at, value in zip(x.tolist(), case.fn.value(x).tolist(), strict=True):
        with precision(200):
            true = case.truth(arb(at))
            if not math.isfinite(value) or not true.is_finite():
                continue
            error = float(((arb(value) - true) / (1 + abs(true))).abs_lower()) / _EPS
        worst = max(worst, error)
        over = error - case.fn.noise - case.fn.drift[0] * abs(at) / (1.0 + abs(value))
        if over > excess:
            excess, where = over, at
    return worst, excess, where


def _slopes(prepared: Prepared, upper: bool, random: Source) -> Tensor:
    """One row of slopes per kind: (S, N)."""
    box = prepared.box
    fn, l, u = box.fn, box.given_l, box.given_u  # noqa: E741
    start = default_slopes(fn, l, u)[int(upper)]
    low, high = slope_range(fn, l, u)
    inside = torch.lerp(low, high, random.uniform(0.0, 1.0).to(l.dtype))
    k, target = start, torch.lerp(box.l, box.u, random.uniform(0.0, 1.0).to(l.dtype))
    for i in range(_STEPS):
        touch = prepared.intercept(k, upper, rigorous=False)[1]
        move = (target - touch) / (box.u - box.l) * (high - low) / (2.0 + i)
        k = (k + (-move if upper else move).nan_to_num(0.0, 0.0, 0.0)).nan_to_num(0.0)
    span = (high - low + start.abs()).double()
    far = start + random.normal(1e3) * span
    huge = random.sign() * random.power(-45, 38)
    wild = torch.where(random.uniform(0.0, 1.0) < 0.6, far, huge).to(l.dtype)
    rows = torch.stack([start, torch.zeros_like(l), inside, k, wild])
    most = torch.finfo(l.dtype).max
    return rows.nan_to_num(0.0, most, -most)


@dataclass(frozen=True)
class Trial:
    """One chunk of boxes of a case; `error` is what float64 may miss of f, in eps * (1 + |f|)."""

    case: Case
    box: Box
    error: float
    random: Source
    report: Report

    def run(self) -> None:
        """Try lines and ranges of all boxes."""
        fn, (l, u) = self.case.fn, self.box  # noqa: E741
        prepared = prepare(fn, l, u)
        x = points(fn, l, u, self.random)
        shared = x, fn.value(x)
        for upper in (False, True):
            k = _slopes(prepared, upper, self.random)
            c, near = prepared.intercept(k, upper)
            self._outside(c, upper)
            self._check(Claims(upper, tuple(f"line of {kind} slope" for kind in KINDS), k, c, near), shared)
            zero, ends = k[1:2], interval(fn, l, u)
            self._check(Claims(upper, ("range",), zero, ends[int(upper)][None], near[1:2]), shared)
        self.report.boxes += l.numel()

    def _outside(self, c: Tensor, upper: bool) -> None:
        """Nothing may be claimed on boxes that are infinite or leave the domain, unless the record knows a
        range there."""
        if self.case.fn.enclose is not None:
            return
        l, u = self.box  # noqa: E741
        low, high = self.case.fn.domain
        beyond = (l < low) | (u > high) | ~(torch.isfinite(l) & torch.isfinite(u))
        nothing = torch.inf if upper else -torch.inf
        for row, column in (beyond & (c != nothing)).nonzero().tolist():
            self._add("a line outside the domain", column, (math.nan, float(c[row, column])), l, math.inf)

    def _check(self, claims: Claims, shared: tuple[Tensor, Tensor]) -> None:
        x, worst = self._weakest(claims, shared)
        low, high = (end.double().clamp(-1e300, 1e300) for end in self.box)
        sampled = self.random.uniform(0.0, 1.0) < _SAMPLED
        chosen = ((worst < 1.0) | sampled).nonzero(as_tuple=True)
        self._settle(claims, x, chosen)
        drawn = sampled.expand_as(worst).nonzero(as_tuple=True)
        for place in (low, high, torch.lerp(low, high, self.random.uniform(0.0, 1.0))):
            self._settle(claims, place.expand_as(x), drawn)
        near = torch.minimum(torch.maximum(claims.near.double(), low), high)
        self._settle(claims, near, drawn)
        self.report.checks += claims.k.shape[0] * (shared[0].numel() + 3 * _INNER * low.numel())

    def _margin(self, claims: Claims, x: Tensor, fx: Tensor) -> Tensor:
        """Distance from a violation in units of the error of float64 (below 1: perhaps one); x (S, P, N)."""
        k, c = claims.k.double()[:, None], claims.c.double()[:, None]
        steep = k * x
        gap = (steep + c - fx) if claims.upper else (fx - steep - c)
        doubt = self.error * _EPS * (1.0 + fx.abs()) if self.error else torch.zeros_like(fx)
        doubt = doubt + 4.0 * _EPS * (fx.abs() + steep.abs() + c.abs()) + 1e-320
        nothing = torch.inf if claims.upper else -torch.inf
        ratio = (gap / doubt).masked_fill(torch.isnan(fx), torch.inf)
        return ratio.nan_to_num(-torch.inf, torch.inf, -torch.inf).masked_fill(c == nothing, torch.inf)

    def _weakest(self, claims: Claims, shared: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """(x, margin) where each claim is nearest to a violation: (S, N)."""
        value = self.case.fn.value
        x, fx = (part[None].expand(claims.k.shape[0], *part.shape) for part in shared)
        low, high = x[:, 0], x[:, -1]
        near = torch.minimum(torch.maximum(claims.near.double(), low), high)
        width = high - low
        around = [near, ulps(near, torch.ones(())), ulps(near, -torch.ones(()))]
        around += [near + part * width for part in (-1e-3, 1e-3, -1e-7, 1e-7)]
        close = torch.minimum(torch.maximum(torch.stack(around, 1), low[:, None]), high[:, None])
        best_x, best = self._least(claims, close, value(close), near)[:2]
        share = torch.linspace(0.0, 1.0, _INNER + 2, dtype=torch.float64)[1:-1, None]
        for _ in range(_ZOOMS + 1):
            at, margin, left, right = self._least(claims, x, fx, near)
            best_x, best = torch.where(margin < best, at, best_x), torch.minimum(margin, best)
            x = torch.lerp(left[:, None], right[:, None], share)
            fx = value(x)
        return best_x, best

    def _least(self, claims: Claims, x: Tensor, fx: Tensor, near: Tensor) -> tuple[Tensor, ...]:
        """(x of the least margin, that margin, the points left and right of it)."""
        margin, index = self._margin(claims, x, fx).min(1, keepdim=True)
        count = x.shape[1]
        found = [x.gather(1, (index + i).clamp(0, count - 1))[:, 0] for i in (0, -1, 1)]
        return found[0], margin[:, 0], found[1], found[2]

    def _settle(self, claims: Claims, x: Tensor, chosen: tuple[Tensor, ...]) -> None:
        """Decide with balls whether the chosen claims (row, column) hold at x (S, N)."""
        nothing = math.inf if claims.upper else -math.inf
        numbers = [part[chosen].double().tolist() for part in (claims.k, claims.c, x)]
        for row, column, k, c, at in zip(*(i.tolist() for i in chosen), *numbers, strict=True):
            if c == nothing:
                continue
            self.report.precise += 1
            by: float | None = math.inf
            if math.isfinite(c):
                by = falls_short(self.case.truth, (k, c), (at,), claims.upper)
            if by is not None:
                side = "upper" if claims.upper else "lower"
                self._add(f"{side} {claims.kinds[row]}", column, (k, c), x[row], by)

    def _add(self, claim: str, column: int, line: tuple[float, float], x: Tensor, by: float) -> None:
        box = float(self.box[0][column]), float(self.box[1][column])
        found = Violation(self.case.name, self.report.dtype, box, claim, line, (float(x[column]),), by)
        self.report.add(found)


def fuzz(case: Case, dtype: torch.dtype, count: int, seed: int) -> Report:
    """What `count` boxes drawn from `seed` show."""
    begin = time.perf_counter()
    random = torch.Generator().manual_seed(seed)
    report = Report(case.name, str(dtype).removeprefix("torch."))
    error, excess, where = float_error(case, min(count, 1000), random)
    if excess > 0.0:
        line = (case.fn.noise, case.fn.noise + excess)
        report.add(Violation(case.name, "float64", (where, where), "noise", line, (where,), excess * _EPS))
    while report.boxes < count:
        size = min(CHUNK, count - report.boxes)
        box = boxes(case.fn, dtype, size, random)
        Trial(case, box, 2.0 * error, Source(random, size), report).run()
    report.seconds = time.perf_counter() - begin
    return report
