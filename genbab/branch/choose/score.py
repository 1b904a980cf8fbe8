"""What a score is: numbers that say, per neuron, what a split is worth; and how gains become one.

A score estimates what both children gain on every row; `worth` makes one number of that. Nothing that is
proved depends on a score. Those that users can name are in `scores`, one file each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.bounds import Engine
from genbab.branch.bound.neurons import Root
from genbab.branch.choose.candidates import Reading
from genbab.branch.choose.view import DomainView
from genbab.branch.cut.forms import HiddenForms
from genbab.problem import Query

Gains = tuple[Tensor, Tensor]
"""What the lower and the upper child of every neuron gain on every row; (B, S, N) each, >= 0."""

Score = Callable[[DomainView], dict[int, Tensor]]
"""What a split of each neuron is worth: node -> (B, N), >= 0."""

Combine = Callable[[Tensor, Tensor], Tensor]
"""The gains of both children (B, N) -> the worth of the split."""


@dataclass(frozen=True, eq=False)
class Scoring:
    """What a score may be made from: the engine, the root, forms of hidden rows, a seed for chance."""

    engine: Engine
    root: Root
    forms: HiddenForms
    seed: int = 0


@dataclass(frozen=True)
class NamedScore:
    """A score that users can name.

    make: the score of one search; gains: whether its numbers are meant as gains, to be compared with what
    comes of them.
    """

    make: Callable[[Scoring], Score]
    gains: bool = True


def weaker(first: Tensor, second: Tensor) -> Tensor:
    """The gain of the worse child."""
    return torch.minimum(first, second)


def summed(
    view: DomainView,
    node: int,
    gain: Callable[[Reading], Tensor],
    readings: list[list[Reading]] | None = None,
) -> Gains:
    """What each child gains in all: that of every function that reads the node, and of rows of numbers."""
    found: list[Tensor] = []
    extra = view.grouped(node)
    start = view.last_pass.coefficients.new_zeros(1, 1, 1) if extra is None else extra
    for side in readings or [view.readings(node, cut) for cut in view.cuts(node)]:
        found.append(sum((gain(one) for one in side), start))
    return found[0], found[1]


def score_by(gains: Callable[[DomainView, int], Gains], combine: Combine) -> Score:
    """A score from gains per row."""

    def score(view: DomainView) -> dict[int, Tensor]:
        query = view.domains.query
        found = {}
        for node in view.nodes:
            first, second = (worth(query, view.margins, gain) for gain in gains(view, node))
            found[node] = combine(first, second)
        return found

    return score


def worth(query: Query, margins: Tensor, gains: Tensor) -> Tensor:
    """How much nearer (B, N) the clauses come to being refuted if each row gains (B, S, N).

    A clause is refuted by its best row, so what counts is the rise of its best margin, up to what it needs;
    the rows' mean, a tenth of it, decides between equals. Refuted clauses do not count.
    """
    before = torch.nan_to_num(margins, nan=-1e6, posinf=1e6, neginf=-1e6).to(gains.dtype)[..., None]
    gains = gains.expand(*before.shape[:2], -1)
    gains = torch.minimum(gains, 1e6 + 0 * before)
    open_ = (~(query.clause_margins(margins) > 0) & (query.clause >= 0)).to(gains.dtype)[..., None]
    after = before + gains
    if before.shape[1] == 1:
        return torch.minimum(gains, -before)[:, 0].clamp(min=0) * open_[:, 0]
    same = (query.clause[:, :, None] == query.clause[:, None, :])[..., None]
    counts = same.sum(2).to(gains.dtype)
    lowest = torch.full((), -torch.inf, dtype=gains.dtype, device=gains.device)
    total = torch.zeros_like(gains[:, 0])
    for s in range(before.shape[1]):
        mine = same[:, s]
        rise = torch.where(mine, after, lowest).amax(1).clamp(max=0) - torch.where(mine, before, lowest).amax(
            1
        )
        mean = (gains * mine).sum(1) / counts[:, s]
        total = total + open_[:, s] * (rise.clamp(min=0) + 0.1 * mean) / counts[:, s]
    return total
