"""Bounding and choosing for input splits: every child box gets all its intervals afresh."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.bounds import (
    Engine,
    Interval,
    Rows,
    Tightening,
    certify,
    cheap_forms,
    contradicted,
    tighten_all,
)
from genbab.bounds.nominal import PASS
from genbab.branch.cut.conjunction import clip, combine, minimiser
from genbab.branch.cut.single import at_points
from genbab.branch.open.domains import INPUT, Bound, Domains, Splits, cut_inputs
from genbab.network import Input
from genbab.problem import Query

RETRY = 16
"""Rounds after which bounding hidden rows is tried once more where it did not pay."""

STRAIGHT = 0.3
"""Weight of an input's share in a row's linear form, against its share in the curvature."""


@dataclass
class Balance:
    """Whether bounding hidden rows in every child pays, from the rounds in which it was done.

    If it raises the bounds by as much as δ levels of splitting do, it saves a factor of 2^δ in the tree, and
    it pays while that exceeds what it multiplies the cost of a child by.
    """

    cheap: float = 0.0
    tight: float = 0.0
    by_rows: float = 0.0
    by_split: float = 0.0

    def add(self, seconds: tuple[float, float], by_rows: Tensor, by_split: Tensor) -> None:
        """Count a round; older ones fade.

        seconds: without and for the hidden rows; by_rows, by_split (B,): margins gained by the rows, and by
        the split that made the children.
        """
        self.cheap, self.tight = 0.7 * self.cheap + seconds[0], 0.7 * self.tight + seconds[1]
        self.by_rows = 0.7 * self.by_rows + _typical(by_rows)
        self.by_split = 0.7 * self.by_split + _typical(by_split)

    @property
    def pays(self) -> bool:
        """Whether the last rounds say that hidden rows should be bounded in the next one."""
        if not self.cheap:
            return True
        levels = self.by_rows / max(self.by_split, 1e-12)
        return 2 ** min(levels, 30.0) > 1 + self.tight / self.cheap


def _typical(gains: Tensor) -> float:
    finite = gains[gains.isfinite()]
    return float(finite.clamp(min=0).median()) if finite.numel() else 0.0


def bound_by_inputs(engine: Engine, output: int, tighten: bool) -> Bound:
    """A `Bound` that rebuilds the intervals of each child box.

    Hidden rows are bounded, too (`tighten`), while that pays.
    """
    balance, entry = Balance(), engine.exact.entry
    count = 0

    def bound(children: Domains) -> Domains:
        nonlocal count
        engine.check()
        count += 1
        children = cut_inputs(children, entry)
        tight = tighten and (balance.pays or count % RETRY == 0)
        margins, form, constant, curved = _margins(engine, children, output, balance if tight else None)
        margins = combine(children.query, margins, form, constant)
        worst = torch.maximum(children.query.worst(margins), children.bound)
        lower, upper = entry.cut(*clip(children.query, margins, form, constant))
        worst = torch.where((lower > upper).any(-1) & ~(worst > 0), torch.inf, worst)
        query = replace(children.query, lower=lower, upper=upper)
        clipped = replace(children, query=query, bound=at_points(engine, query, worst))
        corner = minimiser(clipped.query, margins, form)
        return replace(clipped, splits=choose_input(clipped, margins, form, curved, entry), corner=corner)

    return bound


def _margins(
    engine: Engine, domains: Domains, output: int, balance: Balance | None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """(margins (B, S), coefficients (B, S, D), constant (B, S), curvature (B, S, D) or None).

    With default slopes; `<coefficients, x> + constant` lies below the rows on each box. With a balance,
    hidden rows are bounded backwards in the boxes still open, and it is told the cost and the gain.
    """
    query, clock = domains.query, engine.clock
    started = clock.now()
    box: Interval = (query.lower, query.upper)
    intervals, linear = cheap_forms(engine, box)
    rows, place = _distinct(query, output)
    known = certify(engine.relaxed(intervals, None, linear).exact, rows, box, {}).rows(place)
    engine.worked(PASS, rows.matrix.shape[1] * len(query))
    form, constant, curved = known.form, known.constant, known.curvature
    margins = _emptied(engine, query.margins(known.bound), intervals)
    undecided = (~(query.worst(margins) > 0)).nonzero().squeeze(-1)
    if balance is None or not undecided.numel():
        return margins, form, constant, curved
    between, before = clock.now(), query.worst(margins)[undecided]
    some = query.take(undecided)
    box = (some.lower, some.upper)
    intervals = [(low[undecided], high[undecided]) for low, high in intervals]
    tight = tighten_all(engine, box, intervals, Tightening(), linear and linear.take(undecided)).exact
    rows, place = _distinct(some, output)
    better = certify(tight, rows, box, {}).rows(place)
    engine.worked(PASS, rows.matrix.shape[1] * len(some))
    found = _emptied(engine, some.margins(better.bound), tight.intervals)
    margins[undecided] = torch.maximum(margins[undecided], found)
    form, constant = form.clone(), constant.clone()
    form[undecided], constant[undecided] = better.form, better.constant
    seconds = (between - started, clock.now() - between)
    after = query.worst(margins)[undecided]
    balance.add(seconds, after - before, after - domains.bound[undecided])
    return margins, form, constant, curved


def _emptied(engine: Engine, margins: Tensor, intervals: list[Interval]) -> Tensor:
    """Margins (B, S), +inf on boxes in which no input has the hidden values that are taken as given."""
    return torch.where(contradicted(engine.exact, intervals)[:, None], torch.inf, margins)


def _distinct(query: Query, output: int) -> tuple[Rows, Tensor]:
    """(rows, place): row s of the query is row place[s] of these, each of which is there only once."""
    whole = query.matrix if query.on_input is None else torch.cat([query.matrix, query.on_input], -1)
    if not bool((whole == whole[:1]).all()):
        return Rows(output, query.matrix, query.on_input), torch.arange(whole.shape[1], device=whole.device)
    found, place = torch.unique(whole[0], dim=0, return_inverse=True)
    size = query.matrix.shape[-1]
    on_input = None if query.on_input is None else found[None, :, size:]
    return Rows(output, found[None, :, :size], on_input), place


def choose_input(
    domains: Domains, margins: Tensor, form: Tensor, curved: Tensor | None = None, entry: Input | None = None
) -> Splits:
    """The input that weighs most in the rows still open, split in the middle.

    It weighs |coefficient| · width or, where products make up the rows, mostly its part in their curvature
    (B, S, D): the corner where a linear form is least is a corner of one child too, the gap above it shrinks.
    Splits that float64 cannot express (no number strictly between the ends) are not offered. entry: which
    inputs are integers; these are split between two.
    """
    query = domains.query
    width = query.upper - query.lower
    still = (~(margins > 0)).to(form.dtype)
    part = form.abs() * width[:, None]
    if curved is not None:
        bent = curved.sum(-1, keepdim=True)
        share = curved / bent + STRAIGHT * part / part.sum(-1, keepdim=True)
        part = torch.where((bent > 0).any(1, keepdim=True), torch.nan_to_num(share, nan=0.0), part)
    weight = torch.einsum("bs,bsd->bd", still, part)
    weight = torch.nan_to_num(weight, nan=0.0) + 1e-12 * width
    middle = query.lower + width / 2
    middle = middle if entry is None else entry.apart(middle)
    weight = torch.where((middle > query.lower) & (middle < query.upper), weight, -1.0)
    best, neuron = weight.max(-1)
    node = torch.where(best > 0, INPUT, -1)
    point = middle.gather(1, neuron[:, None]).squeeze(1)
    return Splits(node, neuron, point)
