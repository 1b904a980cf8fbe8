"""Lean intercepts for searching slopes: few passes over (B, S, N), the dtype of the box, no promise.

Whole tensors are blended with float masks (0 lower, 1 upper; comparisons write floats), because a select by a
random boolean mask costs ten times an addition on CPUs. Convex and concave functions and S-shaped ones know
from the slope alone which candidate wins; the others compare candidates.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbab.nonlinear.facts.extended import FAR
from genbab.nonlinear.facts.shape import Shape, kink_slopes, one_piece, shape
from genbab.nonlinear.lines import lookup
from genbab.nonlinear.lines.blending import Side, better, blend, blend_infinite, flip_, less
from genbab.nonlinear.lines.box import Box

_TINY_SCALE = 1e-15
_PUSH = 1e15
_TIE_STEPS = 5
_STEEPEST = {torch.float32: 1e22, torch.float64: 1e290}
"""Of tie lines, where values are infinite: finite still when pushed."""

Found = tuple[Tensor, Tensor]
"""(c, x*)"""


def _clip_(x: Tensor, box: Box) -> Tensor:
    return torch.clamp(x, box.l, box.u, out=x)


def _keep_better_(kept: Found, place: Tensor, g: Tensor, side: Side) -> Found:
    """Of two candidates the better one; overwrites `kept`."""
    c, x = kept
    mask = better(c, g, side)
    return c.lerp_(g, mask), x.lerp_(place.expand_as(g), mask)


@dataclass(frozen=True)
class Searcher:
    """A box with what the search derives from it once."""

    box: Box

    def intercept(self, k: Tensor, upper: Side, scale: Tensor | None = None) -> Found:
        """About (c, x*) of scale*f for slopes k (B, S, N); see `Prepared.intercept`."""
        side = upper if isinstance(upper, bool) or upper.dtype == k.dtype else upper.to(k.dtype)
        if scale is None:
            return self._plain(k, side)
        scale = torch.where(scale.abs() < _TINY_SCALE, _TINY_SCALE, scale)
        negative = less(scale, torch.zeros_like(scale))
        if isinstance(side, bool):
            side = 1.0 - negative if side else negative
        else:
            side = torch.ne(side, negative, out=torch.empty_like(side + negative))
        k = k / scale
        c, x = self._plain(k, side.expand_as(k))
        return c * scale, x

    def _plain(self, k: Tensor, side: Side) -> Found:
        c, x = self._way(k, side)
        if self.box.undefined is not None:
            c = torch.where(self.box.undefined, self._outer(k, side), c)
        return c, x

    def _outer(self, k: Tensor, side: Side) -> Tensor:
        """What holds where the facts end: from the range of the function, if that is known."""
        box = self.box
        if box.outer is None:
            return torch.as_tensor((side - 0.5) * torch.inf, dtype=k.dtype, device=k.device)
        low, high = (end.to(k.dtype) for end in box.outer)
        at_l, at_u = (torch.where(k == 0, 0.0, k * end) for end in (box.given_l, box.given_u))
        lower, upper = low - torch.maximum(at_l, at_u), high - torch.minimum(at_l, at_u)
        return blend_infinite(lower, upper, side)

    @cached_property
    def _way(self) -> Callable[[Tensor, Side], Found]:
        if one_piece(self.box.fn):
            return self._bowl
        return self._s_shaped if shape(self.box.fn) is Shape.S else self._general

    def _at(self, k: Tensor, x: Tensor) -> Found:
        return self.box.fn.value(x).addcmul_(k, x, value=-1), x

    @cached_property
    def chord(self) -> Tensor:
        """Slope from end to end; the derivative where the box is a point."""
        box = self.box
        width = box.u - box.l
        return torch.where(width > 0, (box.fu - box.fl) / width, box.fn.derivative(box.l)).nan_to_num_()

    # Convex or concave: one side touches where f' = k, the other at the end that the chord tells.

    def _touch(self, k: Tensor) -> Tensor:
        fn = self.box.fn
        if fn.stationary is not None:
            return fn.stationary(k, 0)
        left, right = self._bend
        inside = k.clamp(min(left, right), max(left, right))
        beyond = torch.sub(k, inside, out=inside)
        return beyond.mul_(FAR if self._convex else -FAR).add_(fn.breaks[0])

    @cached_property
    def _bend(self) -> tuple[float, float]:
        return kink_slopes(self.box.fn, self.box.fn.breaks[0])

    @cached_property
    def _convex(self) -> bool:
        return shape(self.box.fn) is Shape.CONVEX

    def _bowl(self, k: Tensor, side: Side) -> Found:
        box = self.box
        convex = self._convex
        if isinstance(side, bool) and side != convex:
            return self._at(k, _clip_(self._touch(k), box))
        below = less(k, self.chord)
        first, last = (box.l, box.u) if convex else (box.u, box.l)
        end = torch.lerp(first.expand_as(below), last.expand_as(below), below, out=below)
        if isinstance(side, bool):
            return self._at(k, end)
        touch = _clip_(self._touch(k), box)
        return self._at(k, touch.lerp_(end, side) if convex else end.lerp_(touch, side))

    # S-shaped: the lower side touches the convex half up to the slope of a tie line, then the far end wins.

    @cached_property
    def ties(self) -> tuple[Found, Found]:
        """Per side (lower, upper), slope and touching point of the line from the far end to the other half.

        The slope is far off (1e30) where the box has no far half.
        """
        return self._tie(upper=False), self._tie(upper=True)

    def _tie(self, upper: bool) -> Found:
        """Newton's iteration on the touching point: there the slope is that of the chord to the far end."""
        box, fn = self.box, self.box.fn
        assert fn.stationary is not None
        centre, left_half = fn.breaks[0], (fn.curvature[0] == 1) != upper
        far, ffar, near = (box.u, box.fu, box.l) if left_half else (box.l, box.fl, box.u)
        half = torch.clamp_max(box.u, centre) if left_half else torch.clamp_min(box.l, centre)
        low, high = (box.l, torch.maximum(half, box.l)) if left_half else (torch.minimum(half, box.u), box.u)
        slope, touch, steep = self.chord, near, _STEEPEST[box.l.dtype]
        for _ in range(_TIE_STEPS):
            touch = torch.clamp(fn.stationary(slope, 0 if left_half else 1), low, high)
            step = (ffar - fn.value(touch)) / (far - touch)
            known = (far != touch) & ~step.isnan()
            slope = torch.where(known, step, slope).clamp(-steep, steep)
        none = far <= centre if left_half else far >= centre
        return torch.where(none, FAR if fn.curvature[0] == 1 else -FAR, slope), touch

    @cached_property
    def _last(self) -> tuple[Tensor, Tensor]:
        """Slopes past which the far end wins: the tie's, or without a far half that of the centre."""
        peak = self.box.fn.derivative(torch.full_like(self.box.l, self.box.fn.breaks[0]))
        lower, upper = (torch.where(tie.abs() >= FAR, peak, tie) for tie, _ in self.ties)
        return lower, upper

    @cached_property
    def _zero(self) -> Tensor:
        return torch.zeros_like(self.box.l)

    def _s_shaped(self, k: Tensor, side: Side) -> Found:
        box, fn = self.box, self.box.fn
        assert fn.stationary is not None
        tie = blend(*self._last, side)
        rising = fn.curvature[0] == 1
        if rising:
            beyond = torch.clamp(k, self._zero, tie)
            beyond = torch.sub(k, beyond, out=beyond)
        else:
            beyond = (tie - k).clamp_min_(0.0)
        reach = fn.stationary(k, 0)
        if fn.breaks[0]:
            reach = reach.sub_(fn.breaks[0])
        reach = reach.add_(beyond, alpha=_PUSH)
        x = flip_(reach if rising else reach.neg_(), side)
        return self._at(k, _clip_(x.add_(fn.breaks[0]) if fn.breaks[0] else x, box))

    # Everything else: compare candidates.

    @cached_property
    def _fixed(self) -> list[Found]:
        """Ends, kinks and limits, with infinite values made merely huge."""
        return [(place, value.clamp(-FAR, FAR)) for place, value in (*self.box.ends, *self.box.points)]

    def _general(self, k: Tensor, side: Side) -> Found:
        if self.box.fn.jumps:  # beside a pole slopes may be so steep that k*x overflows
            k = k.clamp(-FAR, FAR)
        (place, value), *others = self._fixed
        kept = torch.addcmul(value, k, place, value=-1), place.expand_as(k).clone()
        for place, value in others:
            kept = _keep_better_(kept, place, torch.addcmul(value, k, place, value=-1), side)
        for x in self._moving(k, side):
            g, place = self._at(k, _clip_(x, self.box))
            kept = _keep_better_(kept, place, g.clamp_(-FAR, FAR), side)
        return kept

    def _moving(self, k: Tensor, side: Side) -> list[Tensor]:
        """Stationary points, at least all that can win."""
        fn = self.box.fn
        if fn.stationary is None:
            points = []
            for slot in lookup.slots(fn):
                self.box.ask()
                points.append(lookup.point(fn, slot, k, side))
            return points
        found = [self._closed(k, slot, side) for slot in _closed_slots(fn.segments(1), fn.segments(-1))]
        if not fn.period:
            return found
        translates = []
        for x in found:
            translates.append(torch.ceil((self.box.l - x).div_(fn.period)).mul_(fn.period).add_(x))
            translates.append(torch.floor((self.box.u - x).div_(fn.period)).mul_(fn.period).add_(x))
        return translates

    def _closed(self, k: Tensor, slot: tuple[int, int], side: Side) -> Tensor:
        fn = self.box.fn
        assert fn.stationary is not None
        convex, concave = slot
        if isinstance(side, bool) or convex == concave:
            return fn.stationary(k, concave if side is True else convex)
        if fn.symmetric and slot in ((0, 1), (1, 0)):
            centre = fn.breaks[0]
            offset = fn.stationary(k, convex).sub_(centre)
            return flip_(offset, side).add_(centre)
        found = [fn.stationary(k, segment).clamp_(-FAR, FAR) for segment in slot]
        return blend(found[0], found[1], side)


@functools.lru_cache(maxsize=256)
def _closed_slots(convex: tuple[int, ...], concave: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Pairs (convex segment, concave segment); where one side has none left, the other's serves both."""
    count = max(len(convex), len(concave))
    pairs = []
    for i in range(count):
        low = convex[i] if i < len(convex) else concave[i]
        high = concave[i] if i < len(concave) else convex[i]
        pairs.append((low, high))
    return tuple(pairs)
