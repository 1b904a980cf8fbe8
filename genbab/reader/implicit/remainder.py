"""How far turns of an equation are from its fixed point: followed turn by turn, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.network.roundoff import Interval, magnitude
from genbab.reader.implicit.equations import Equation, Variable

STILL = 1e-3
"""A distance that shrinks by a smaller part in a turn is near its limit."""

STOPPED = 12
"""Turns of numbers in which the distance of a loop that stopped is narrowed."""

LEAST = 1e-290
"""More than underflow takes in a turn."""


@dataclass(frozen=True, eq=False)
class _Facts:
    """Within `away` of the box: r of slopes in [c - r, c + r]; the greatest |y| and |f(y)|; (B, N) each."""

    box: Interval
    away: Tensor
    radius: Tensor
    size: Tensor
    image: Tensor


@dataclass(frozen=True, eq=False)
class Remainder:
    """|y_k - y|, or |f(y_k) - f(y)|, after k = `turns`, or where a loop stopped: an `ErrorBound`.

    y is the fixed point, y_0 anything, y_{k+1} the file's turn of y_k. Sources: y; the variables' parts of
    y_0; what the doubts are of. If |y_k - y| <= e, both lie within y ± e, so that

        |y_{k+1} - y|  <=  (|P + Q diag(c)| + |Q| diag(r)) e + doubts

    with slopes of f in [c - r, c + r] there, and the norm in which turns contract gives a second bound.

    stop (N,): a loop stopped after k turns, k <= turns if that is not None, and where k is less, one more
    turn would change y_k by so much at most: |y_k - y| is at most that and |y_{k+1} - y|.
    """

    equation: Equation
    turns: int | None
    of_functions: bool = False
    stop: Tensor | None = None

    def to(self, device: torch.device) -> Remainder:
        """Itself: its numbers follow those that it is given."""
        return self

    def __call__(self, intervals: Sequence[Interval]) -> Tensor:
        """Distances (B, N) for the sources' intervals; infinite where one of these is."""
        count = len(self.equation.variables)
        (low, high), first = intervals[0], intervals[1 : 1 + count]
        outer = [magnitude(one) for one in intervals[1 + count :]]
        start = [torch.cat(ends, -1) for ends in zip(*first, strict=True)]
        away = torch.maximum(high - start[0], start[1] - low).clamp_min(0.0)
        usable = torch.isfinite(away).all(-1, keepdim=True) & torch.isfinite(low + high).all(-1, keepdim=True)
        usable = usable & torch.stack([torch.isfinite(m).all(-1, keepdim=True) for m in [away, *outer]]).all(
            0
        )
        box = torch.where(usable, low, 0.0), torch.where(usable, high, 0.0)
        fixed = self.equation.constant.to(away) + self._doubts(outer, away)
        fixed = torch.where(usable, fixed, 0.0)
        found = torch.zeros_like(away)
        if self.turns is not None:
            found = self._followed(box, torch.where(usable, away, 0.0), fixed)
        if self.stop is not None:
            found = torch.maximum(found, self._stopped(box, self.stop.to(away), fixed))
        if self.of_functions:
            least, most = self.equation.point.entries.slopes(*_around(box, found))
            found = torch.maximum(-least, most) * found * self._room
        return torch.where(usable & torch.isfinite(found), found, torch.inf)

    def _doubts(self, outer: Sequence[Tensor], like: Tensor) -> Tensor:
        """What is uncertain of what the variables read from before the chain, (B, N)."""
        parts, given = [], iter(outer)
        for variable in self.equation.variables:
            total = torch.zeros_like(like[:, variable.rows])
            for doubt in variable.doubts:
                total = total + doubt.factor * doubt.map.to(like.dtype, like.device).apply(next(given))
            parts.append(total)
        return torch.cat(parts, -1) * self._room

    def _stopped(self, box: Interval, change: Tensor, fixed: Tensor) -> Tensor:
        """The distances (B, N) of a y_k that one more turn would change by `change` at most."""
        contraction, entries = self.equation.point.contraction, self.equation.point.entries
        everywhere = torch.full_like(self.equation.bias, torch.inf)
        least, most = entries.slopes(-everywhere, everywhere)
        unsure = self.equation.linear + self.equation.matrix * torch.maximum(-least, most)
        ratio = contraction.ratio + float(contraction.norm(unsure @ contraction.scale)) * self._room
        here = self._facts(box, torch.zeros_like(fixed))
        linear, matrix = self.equation.linear.to(change), self.equation.matrix.to(change)
        doubt = fixed + (here.size @ linear.mT + here.image @ matrix.mT) * self._room
        if ratio >= 1:
            return torch.full_like(doubt, torch.inf)
        away = contraction.reach(contraction.norm(change + doubt) / (1 - ratio) * self._room) * self._room
        for _ in range(STOPPED):
            new, _ = self._turn(self._facts(box, away), away, fixed + change)
            away = torch.minimum(away, new)
        return away

    def _followed(self, box: Interval, away: Tensor, fixed: Tensor) -> Tensor:
        """The distances (B, N) after all turns, those at first being `away`."""
        assert self.turns is not None
        contraction = self.equation.point.contraction
        norm, facts = contraction.norm(away), self._facts(box, away)
        for turn in range(1, self.turns + 1):
            seldom = not turn & (turn - 1)  # what holds further out holds, but says less
            if seldom or not bool((away <= facts.away).all()):
                facts = self._facts(box, away)
            new, doubt = self._turn(facts, away, fixed)
            lost, ratio = contraction.norm(doubt), contraction.ratio
            after = torch.maximum(ratio * norm + lost, lost / (1 - ratio)) * self._room
            new = torch.minimum(new, contraction.reach(after))
            shrinks = bool((new <= away).all()) and bool((after <= norm).all())
            slow = bool((away - new <= STILL * away).all())
            away, norm = new, after
            if shrinks and slow:  # so does every further turn: the steps are monotone in both
                break
        return away

    def _turn(self, facts: _Facts, away: Tensor, fixed: Tensor) -> tuple[Tensor, Tensor]:
        """The distances (B, N) after one turn, and what doubts are of them; the variables in their order.

        Each step goes through with distances that are not greater than those of the facts.
        """
        new, doubt = away, fixed.expand(away.shape).clone()
        for variable in self.equation.variables:
            rows, read = variable.rows, away
            if variable.early:
                facts = (
                    facts
                    if bool((new <= facts.away).all())
                    else self._facts(facts.box, torch.maximum(facts.away, new))
                )
                read = self._read(variable, away, new)
            weights = (*self._sizes, self.equation.linear, self.equation.matrix)
            reach = (read, facts.radius * read * self._room, facts.size, facts.image)
            moved, through, size, image = (r @ w[rows].to(r).mT for r, w in zip(reach, weights, strict=True))
            doubt[..., rows] += (size + image) * self._room
            new = new.clone()
            new[..., rows] = (moved + through + doubt[..., rows]) * self._room + LEAST
        return new, doubt

    def _read(self, variable: Variable, old: Tensor, new: Tensor) -> Tensor:
        """The distances of what a variable reads: of variables that it reads from this turn the new ones."""
        found = old.clone()
        for k in variable.early:
            rows = self.equation.variables[k].rows
            both = torch.maximum(old[..., rows], new[..., rows])
            found[..., rows] = both if k in variable.late else new[..., rows]
        return found

    def _facts(self, box: Interval, away: Tensor) -> _Facts:
        """What holds where y and y_k lie no further than so much from the box."""
        entries, centre = self.equation.point.entries, self._centre.to(away)
        low, high = _around(box, away)
        least, most = entries.slopes(low, high)
        radius = torch.maximum(most - centre, centre - least).clamp_min(0.0)
        return _Facts(box, away, radius, magnitude((low, high)), magnitude(entries.range(low, high)))

    @cached_property
    def _room(self) -> float:
        """A factor for the roundings of a step."""
        return 1 + 4 * (len(self.equation.bias) + 16) * float(torch.finfo(torch.float64).eps)

    @cached_property
    def _centre(self) -> Tensor:
        """c (N,): 0 where P is."""
        point = self.equation.point
        if point.linear is None:
            return torch.zeros_like(self.equation.bias)
        everywhere = torch.full_like(self.equation.bias, torch.inf)
        least, most = point.entries.slopes(-everywhere, everywhere)
        return (least + most) / 2

    @cached_property
    def _sizes(self) -> tuple[Tensor, Tensor]:
        """(|P + Q diag(c)|, |Q|)."""
        point = self.equation.point
        if point.linear is None:
            return torch.zeros_like(point.matrix), point.matrix.abs()
        moved = point.matrix * self._centre
        lost = 2 * float(torch.finfo(torch.float64).eps) * (point.linear.abs() + moved.abs())
        return (point.linear + moved).abs() + lost, point.matrix.abs()


def _around(box: Interval, away: Tensor) -> Interval:
    """The box and all that is no farther from it than so much, rounded outward."""
    low, high = box[0] - away, box[1] + away
    return torch.nextafter(low, low - torch.inf), torch.nextafter(high, high + torch.inf)
