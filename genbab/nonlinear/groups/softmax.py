"""Softmax of rows of equal length, and what is known of it on boxes before any plane is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from genbab.kernels import Apart, SoftmaxFacts
from genbab.nonlinear.facts.registry import make
from genbab.nonlinear.lines.box import make_box
from genbab.nonlinear.lines.conjugate import Prepared, prepare
from genbab.nonlinear.lines.interval import interval
from genbab.nonlinear.lines.lean import Searcher

Pair = tuple[Tensor, Tensor]

FLOOR = {torch.float32: 1e-30, torch.float64: 1e-250}
"""Powers below this are taken for 0, sums of powers for this."""

_LARGEST = {torch.float32: 60.0, torch.float64: 300.0}
"""Differences above this have no chord."""

_FAR = 1e30
"""Logits above this are as good as infinite."""


@dataclass(frozen=True)
class Softmax:
    """Rows of `length` entries, one after the other, each turned into shares of 1.

    A second argument, if there is one, has the differences x_i - x_j (i < j) of each row: the value does not
    need it, the planes use its interval.
    """

    length: int

    @property
    def name(self) -> str:
        """What texts call it."""
        return "softmax"

    def value(self, x: Tensor, *_: Tensor) -> Tensor:
        """The softmax of each row, x (..., N)."""
        return by_rows(x, self.length).softmax(-1).flatten(-2)

    def sizes(self, size: int) -> tuple[int, int]:
        """The sizes of the two arguments of a node of this size."""
        return size, size * (self.length - 1) // 2


@dataclass(frozen=True, eq=False)
class Chords:
    """start + slope·(x - origin) >= exp(x - shift) on boxes; start > 0, slope >= 0."""

    start: Tensor
    slope: Tensor
    origin: Tensor

    @staticmethod
    def of(l: Tensor, u: Tensor, shift: Tensor | float) -> Chords:  # noqa: E741
        """The chords from l to u, rounded up; u - shift must not be large."""
        eps, tiny = torch.finfo(l.dtype).eps, 1e-5 * FLOOR[l.dtype]
        ends = [
            torch.exp(d) * (1 + 4 * eps * (2 + d.abs().clamp_max(1e4))) + tiny for d in (l - shift, u - shift)
        ]
        steep = (ends[1] - ends[0]) / (u - l) * (1 + 8 * eps) + tiny
        steep = torch.where(u > l, torch.minimum(steep, ends[1]), 0.0)
        return Chords(ends[0], steep.clamp_min(0.0), l)

    def at(self, x: Tensor) -> Tensor:
        """The chords' values."""
        return torch.addcmul(self.start, self.slope, x - self.origin)


@dataclass(frozen=True, eq=False)
class SoftmaxBox:
    """Softmax on boxes: l, u (B, 1, N), and the box of the differences, if known. R rows of K entries."""

    fn: Softmax
    l: Tensor  # noqa: E741
    u: Tensor
    differences: Pair | None = None

    @cached_property
    def given(self) -> Pair:
        """(l, u) by rows, (B, 1, R, K)."""
        return by_rows(self.l, self.fn.length), by_rows(self.u, self.fn.length)

    @cached_property
    def finite(self) -> Tensor:
        """Rows (B, 1, R, 1) whose box is bounded."""
        return (torch.isfinite(self.given[0]) & torch.isfinite(self.given[1])).all(-1, keepdim=True)

    @cached_property
    def ends(self) -> Pair:
        """(l, u) by rows (B, 1, R, K), 0 where a row is unbounded."""
        l, u = self.given  # noqa: E741
        return torch.where(self.finite, l, 0.0), torch.where(self.finite, u, 0.0)

    @cached_property
    def middle(self) -> Tensor:
        """The centre of the box, (B, 1, N)."""
        l, u = self.ends  # noqa: E741
        return (l + (u - l) / 2).flatten(-2)

    @cached_property
    def places(self) -> Pair:
        """(i, j) of each difference x_i - x_j of a row."""
        length = self.fn.length
        first, second = torch.triu_indices(length, length, 1, device=self.l.device)
        return first, second

    @cached_property
    def pairs(self) -> Pair | None:
        """Bounds of x_j - x_k (B, 1, R, K, K) at [..., j, k]; None if no differences are known."""
        if self.differences is None:
            return None
        first, second = self.places
        ends = [by_rows(d, first.numel()) for d in self.differences]
        l, u = self.ends  # noqa: E741
        low, high = l[..., :, None] - u[..., None, :], u[..., :, None] - l[..., None, :]
        room = torch.finfo(l.dtype).eps
        low, high = low - room * low.abs(), high + room * high.abs()
        known = torch.full_like(low, -torch.inf), torch.full_like(high, torch.inf)
        for side, other, one in ((ends[0], ends[1], known[0]), (ends[1], ends[0], known[1])):
            one[..., first, second] = side
            one[..., second, first] = -other
        hidden = torch.eye(self.fn.length, dtype=torch.bool, device=l.device)
        low, high = torch.maximum(low, known[0]), torch.minimum(high, known[1])
        return low.masked_fill(hidden, 0.0), high.masked_fill(hidden, 0.0)

    @cached_property
    def logits(self) -> Pair:
        """Bounds (B, 1, R, K) of s_k = x_k - log Σ_{j≠k} exp(x_j), the logit of the softmax's entry k."""
        l, u = self.given  # noqa: E741
        eps = 4 * (self.fn.length + 8) * torch.finfo(l.dtype).eps
        found = []
        for own, other, sign in ((l, u, -1.0), (u, l, 1.0)):
            top, rest = _others(other)
            s = (own - top) - rest
            found.append(s + sign * eps * (1 + (own - top).abs() + rest.abs()))
        low, high = found[0].nan_to_num(-torch.inf, torch.inf), found[1].nan_to_num(torch.inf, torch.inf)
        if self.pairs is None:
            return low, high
        hidden = torch.eye(self.fn.length, dtype=torch.bool, device=l.device)
        ends = [-d.masked_fill(hidden, -torch.inf).logsumexp(-2) for d in self.pairs]
        tight = [s + sign * eps * (1 + s.abs()) for s, sign in ((ends[1], -1.0), (ends[0], 1.0))]
        low = torch.where(self.finite, torch.maximum(low, tight[0]), low)
        return low, torch.where(self.finite, torch.minimum(high, tight[1]), high)

    @cached_property
    def range(self) -> Pair:
        """Rigorous bounds (B, 1, R, K) of the softmax."""
        return interval(make("sigmoid"), *self.logits)

    @cached_property
    def sigmoid_ends(self) -> Pair:
        """The bounds of s, flat (B, 1, N), 0 where a row is unbounded."""
        low, high = (torch.where(self.finite, s, 0.0).flatten(-2) for s in self.logits)
        return low, high

    @cached_property
    def sigmoid(self) -> Prepared:
        """The sigmoid on the bounds of s, flat (B, 1, N)."""
        return prepare(make("sigmoid"), *self.sigmoid_ends)

    @cached_property
    def steepest(self) -> Tensor:
        """The largest slope of the sigmoid's concave envelope, (B, 1, R, K)."""
        box = self.sigmoid.box
        slope = Searcher(make_box(box.fn, box.l, box.u)).ties[1][0].clamp(0.0, 0.25)
        return by_rows(torch.where(box.u > box.l, slope, 0.25), self.fn.length)

    @cached_property
    def chords(self) -> tuple[Tensor, Chords]:
        """The largest u of each row, and the chords of exp(x - it)."""
        l, u = self.ends  # noqa: E741
        top = u.amax(-1, keepdim=True)
        return top, Chords.of(l, u, top)

    @cached_property
    def own_chords(self) -> tuple[Tensor, Chords] | None:
        """Per entry k whether the chords of all x_j - x_k are usable, and these (B, 1, R, K, K)."""
        if self.pairs is None:
            return None
        usable = (self.pairs[1].amax(-2) < _LARGEST[self.l.dtype]) & self.finite
        low, high = (torch.where(usable[..., None, :], d, 0.0) for d in self.pairs)
        return usable, Chords.of(low, high, 0.0)

    @cached_property
    def facts(self) -> SoftmaxFacts:
        """The same for kernels, which search the planes' points."""
        top, chords = self.chords
        l, u = self.ends  # noqa: E741
        wide = [*self.ends, self.finite.expand_as(l), top.expand_as(l), chords.start, chords.slope]
        low, high, known, *rest = (t.flatten(-2) for t in (*wide, *self.range, self.steepest))
        top, start, slope, least, most, steepest = rest
        ends, values, (s_low, s_high) = (low, high), (least, most), self.sigmoid_ends
        logits = s_low.clamp(-_FAR, _FAR), s_high.clamp(-_FAR, _FAR)
        facts = SoftmaxFacts(self.fn.length, ends, known, top, start, slope, logits, values, steepest)
        if self.own_chords is None:
            return facts
        usable, pairs = self.own_chords
        others = 1 - torch.eye(self.fn.length, dtype=l.dtype, device=l.device)
        slopes, starts = pairs.slope * others, (pairs.start - pairs.slope * pairs.origin) * others
        usable, fixed, down = (t.flatten(-2) for t in (usable, starts.sum(-2), slopes.sum(-2)))
        return replace(facts, apart=Apart(usable, fixed, down, slopes[:, 0]))

    @cached_property
    def curved(self) -> tuple[Tensor, ...]:
        """About how much the softmax changes with each number of each argument, (B, size of the argument)."""
        low, high = self.range
        l, u = self.given  # noqa: E741
        found = [(high * (1 - low) * (u - l).clamp(0.0, 1.0)).flatten(1)]
        if self.pairs is not None:
            first, second = self.places
            wide = (self.pairs[1] - self.pairs[0]).clamp(0.0, 1.0)[..., first, second]
            found.append((high[..., first] * high[..., second] * wide).flatten(1))
        return tuple(torch.nan_to_num(f, nan=torch.inf) for f in found)


def by_rows(x: Tensor, length: int) -> Tensor:
    """(..., N) as (..., R, K)."""
    return x.reshape(*x.shape[:-1], x.shape[-1] // length, length)


def _others(x: Tensor) -> Pair:
    """(largest entry of each row, log Σ_{j≠k} exp(x_j) less it)."""
    top, place = x.max(-1, keepdim=True)
    e = torch.exp(x - top)
    rest = torch.log(e.sum(-1, keepdim=True) - e)
    hidden = (x - top).scatter(-1, place, -torch.inf)
    return top, rest.scatter(-1, place, hidden.logsumexp(-1, keepdim=True))
