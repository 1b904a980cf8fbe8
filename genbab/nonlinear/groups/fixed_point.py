"""The fixed point of a contraction as a function of what is added in it, and what is known of it on boxes.

    y = P y + Q f(y) + u,    f one function per entry, or none

Equilibrium networks, mean fields, implicit steps of ODEs are this, with y the arguments of their activations
(and numbers that are no such arguments, in damped iterations). Only contractions are made such a node
(`contracting.py`): y is there for every u, and there is one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from genbab.nonlinear.groups.contracting import Contracting
from genbab.nonlinear.groups.entries import EntryFunctions, LinesOfEntries

Pair = tuple[Tensor, Tensor]

FOLLOWED = 20
"""Turns at most through which gradients of values go."""

NARROWED = 30
"""Turns of interval arithmetic at most."""

SLOW = 0.01
"""Intervals that lose a smaller part of their width in a turn are left as they are."""


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """One row of y's, all entries of the node, for a row of u's. linear: P, None for 0; matrix: Q (N, N)."""

    linear: Tensor | None
    matrix: Tensor
    entries: EntryFunctions
    contraction: Contracting
    _kept: dict[tuple[torch.dtype, torch.device], tuple[Tensor | None, Tensor]] = field(
        default_factory=dict, repr=False
    )

    @property
    def name(self) -> str:
        """What texts call it."""
        return "fixed point"

    def __str__(self) -> str:
        return f"fixed point({', '.join(str(fn) for fn, _ in self.entries.functions)})"

    @property
    def length(self) -> int:
        """N."""
        return len(self.matrix)

    def sizes(self, size: int) -> tuple[int]:
        """The size of the only argument."""
        return (size,)

    def weights(self, like: Tensor) -> tuple[Tensor | None, Tensor]:
        """(P, Q) in the dtype and on the device of a tensor."""
        key = like.dtype, like.device
        if key not in self._kept:
            linear = None if self.linear is None else self.linear.to(like)
            self._kept[key] = linear, self.matrix.to(like)
        return self._kept[key]

    def turn(self, y: Tensor, u: Tensor) -> Tensor:
        """P y + Q f(y) + u, (..., N)."""
        linear, matrix = self.weights(u)
        image = self.entries.value(y) @ matrix.mT + u
        return image if linear is None else image + y @ linear.mT

    def turns(self, part: float) -> int:
        """After so many turns ||y_k - y|| is at most this part of what it was at first."""
        return 1 + math.ceil(math.log(part) / math.log(max(self.contraction.ratio, 1e-6)))

    def value(self, u: Tensor, *_: Tensor) -> Tensor:
        """About y, (..., N), at u (..., N); NaN where u is not finite."""
        eps = torch.finfo(u.dtype).eps
        y = torch.zeros_like(u)
        with torch.no_grad():
            for _turn in range(self.turns(eps / 8)):
                before, y = y, self.turn(y, u)
                if not bool(((y - before).abs() > 2 * eps * (1 + y.abs())).any()):
                    break
        if torch.is_grad_enabled() and u.requires_grad:
            for _turn in range(min(FOLLOWED, self.turns(0.01))):
                y = self.turn(y, u)
        return y


@dataclass(frozen=True, eq=False)
class FixedPointBox:
    """A fixed point where u lies in the box [l, u] (B, 1, N), and y in `own`, where that is known."""

    fn: FixedPoint
    l: Tensor  # noqa: E741
    u: Tensor
    own: Pair | None = None

    @cached_property
    def usable(self) -> Tensor:
        """Boxes (B, 1, 1) of which anything can be said: u is finite there, and so is y."""
        ends = (self.l, self.u, *(self.own or ()))
        return torch.stack([torch.isfinite(end).all(-1, keepdim=True) for end in ends]).all(0)

    @cached_property
    def known(self) -> Tensor:
        """Usable boxes (B, 1, 1) in which a finite interval of y was found: elsewhere planes say nothing."""
        ends = self._found if self.own is None else self.own
        return self.usable & torch.stack([torch.isfinite(e).all(-1, keepdim=True) for e in ends]).all(0)

    @cached_property
    def y(self) -> Pair:
        """An interval (B, 1, N) of y; 0 in boxes where none is known."""
        low, high = self._found if self.own is None else self.own
        low = torch.where(self.known, low, 0.0)
        return low, torch.maximum(low, torch.where(self.known, high, 0.0))

    @property
    def range(self) -> Pair:
        """Rigorous bounds (B, 1, 1, N) of y."""
        low, high = self._found if self.own is None else self.own
        return low[:, :, None], high[:, :, None]

    @property
    def middle(self) -> Tensor:
        """Where parameters of planes begin, slopes that they have by default: those of lower lines."""
        return self.lines.defaults[0]

    @property
    def curved(self) -> tuple[Tensor, ...]:
        """0: planes depend on the interval of y alone, whose rows are those of functions that read it."""
        return (torch.zeros_like(self.l[:, 0]),)

    @cached_property
    def lines(self) -> LinesOfEntries:
        """Lines of f where y is."""
        return self.fn.entries.lines(*self.y)

    @cached_property
    def size(self) -> Tensor:
        """|y| at most, (B, 1, N)."""
        return torch.maximum(self.y[0].abs(), self.y[1].abs())

    @cached_property
    def image(self) -> Tensor:
        """|f(y)| at most, (B, 1, N)."""
        low, high = self.fn.entries.range(*self.y)
        return torch.maximum(low.abs(), high.abs())

    @cached_property
    def _found(self) -> Pair:
        """The interval of y from that of u: around an approximate solution, then by interval arithmetic."""
        u = torch.where(self.usable, self.l, 0.0), torch.where(self.usable, self.u, 0.0)
        contraction = self.fn.contraction
        near = self.fn.value((u[0] + u[1]) / 2)
        below, above = self._image((near, near), u)
        missed = torch.maximum((below - near).abs(), (above - near).abs())
        room = 1 + 16 * torch.finfo(near.dtype).eps
        missed = missed * room + torch.finfo(near.dtype).eps * near.abs()
        reach = contraction.reach(contraction.norm(missed) / (1 - contraction.ratio) * room) * room
        low, high = near - reach, near + reach
        for _ in range(NARROWED):
            below, above = self._image((low, high), u)
            narrow = torch.maximum(low, below), torch.minimum(high, above)
            gained = (high - low) - (narrow[1] - narrow[0]) > SLOW * (high - low)
            low, high = narrow
            if not bool(gained.any()):
                break
        known = self.usable & ~torch.isnan(low) & ~torch.isnan(high)
        return torch.where(known, low, -torch.inf), torch.where(known, high, torch.inf)

    def _image(self, y: Pair, u: Pair) -> Pair:
        """Rigorous bounds of P y + Q f(y) + u on intervals."""
        linear, matrix = self.fn.weights(self.l)
        parts = [(matrix, self.fn.entries.range(*y))] + ([] if linear is None else [(linear, y)])
        middle, radius = (u[0] + u[1]) / 2, (u[1] - u[0]) / 2
        mass = torch.maximum(u[0].abs(), u[1].abs())
        for weight, (low, high) in parts:
            half, centre, sizes = (high - low) / 2, (high + low) / 2, weight.abs().mT
            middle, radius = middle + centre @ weight.mT, radius + half @ sizes
            mass = mass + torch.maximum(low.abs(), high.abs()) @ sizes
        slack = 4 * (2 * self.fn.length + 16) * torch.finfo(mass.dtype).eps * mass
        slack = slack + torch.finfo(mass.dtype).tiny
        return middle - radius - slack, middle + radius + slack
