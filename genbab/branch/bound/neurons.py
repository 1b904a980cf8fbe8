"""Bounding children of neuron splits.

A child has the intervals of its parent with one neuron cut, and starts from its parent's slopes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.bounds import (
    NEARLY,
    Answer,
    Engine,
    Freedom,
    Interval,
    Masses,
    PremiseOutputs,
    Question,
    Relaxation,
    Rows,
    Slopes,
    Steps,
    WarmStart,
    answer,
    output_premises,
    with_premise,
    without_premises,
)
from genbab.bounds.nominal import AROUND, STEP
from genbab.branch.cut.conjunction import clip, combine, minimiser
from genbab.branch.cut.retighten import Retighten
from genbab.branch.cut.single import at_points, without_points
from genbab.branch.open.domains import INPUT, Bound, Domains, Path, Splits, cut_inputs
from genbab.problem import Query

Choose = Callable[[Relaxation, Answer, Domains, Tensor], Splits]
"""(relaxation of the search, answer about the rows, domains, margins (B, S)) -> the next split of each."""


@dataclass(frozen=True, eq=False)
class Root:
    """What all domains share: the root's intervals (1, N), the rounding scales of its affine nodes, lines."""

    intervals: list[Interval]
    masses: Masses
    lines: Relaxation
    output: int


def question(engine: Engine, root: Root, domains: Domains) -> Question:
    """What is asked of the domains: their rows, on their boxes, with what splits set free and premises."""
    query, output = domains.query, root.output
    return Question(
        Rows(output, query.matrix, query.on_input),
        (query.lower, query.upper),
        engine.relaxed(child_intervals(root, domains), root.masses),
        freedom(engine, root, domains),
        output_premises(engine.exact),
    )


def bound_by_neurons(
    engine: Engine, root: Root, steps: Steps, choose: Choose, retighten: Retighten | None = None
) -> Bound:
    """A `Bound` that optimises slopes for each child's rows, certifies them and chooses its split.

    `retighten` first cuts boxes and hidden intervals by what the domain is known to satisfy.
    """

    def bound(children: Domains) -> Domains:
        engine.check()
        children = cut_inputs(children, engine.exact.entry)
        if retighten is not None:
            children = retighten.before(children)
        query, asked = children.query, question(engine, root, children)

        def decided(bounds: Tensor) -> bool:
            engine.check()
            return bool((query.worst(query.margins(bounds.to(query.rhs.dtype))) > NEARLY).all())

        known = answer(engine, asked, steps, children.warm, decided)
        form, constant = known.certified.form, known.certified.constant
        margins = combine(query, query.margins(known.bound), form, constant)
        worst = torch.maximum(query.worst(margins), children.bound)
        search = asked.relaxations.search
        if retighten is not None:
            children = retighten.after(children, search, known, margins)
            children = cut_inputs(_clipped(children, worst, margins, known), engine.exact.entry)
        worst = torch.where(_empty(children), torch.inf, worst)
        worst = at_points(engine, children.query, worst)
        engine.worked(STEP, asked.size, root.output, AROUND)
        splits = without_points(choose(search, known, children, margins), children.query)
        corner = minimiser(children.query, margins, form)
        return replace(children, bound=worst, splits=splits, warm=known.certificate, corner=corner)

    return bound


def _clipped(domains: Domains, worst: Tensor, margins: Tensor, known: Answer) -> Domains:
    """The open domains (`worst` not above 0) with their boxes cut to where all rows of a clause can hold."""
    query = domains.query
    lower, upper = clip(query, margins, known.certified.form, known.certified.constant)
    done = (worst > 0)[:, None]
    lower, upper = torch.where(done, query.lower, lower), torch.where(done, query.upper, upper)
    hidden = {**domains.hidden, INPUT: (lower, upper)} if INPUT in domains.hidden else domains.hidden
    return replace(domains, query=replace(query, lower=lower, upper=upper), hidden=hidden)


def child_intervals(root: Root, domains: Domains) -> list[Interval]:
    """The root's intervals with the domains' own where they have some."""
    return [domains.hidden.get(i, interval) for i, interval in enumerate(root.intervals)]


def freedom(engine: Engine, root: Root, domains: Domains) -> Freedom:
    """Room for multipliers at every argument whose interval is cut.

    In steps of the range of f' at the root; not where they are found apart from the slopes (`Multipliers`).
    """
    steps: dict[int, Slopes] = {}
    outputs = engine.exact.once(PremiseOutputs.of)
    apart = set() if outputs is None else set(outputs.node.tolist())
    for i, node in engine.search.nonlinear.items():
        cut = [None if a in apart else domains.released.get(a) for a in node.args]
        cut = [c if c is not None and bool(c.any()) else None for c in cut]
        if any(c is not None for c in cut):
            ranges = root.lines.lines(i).ranges
            steps[i] = tuple(
                torch.zeros_like(r) if c is None else c[:, None].to(r.dtype) * r
                for c, r in zip(cut, ranges, strict=True)
            )
    return Freedom(steps)


def _empty(domains: Domains) -> Tensor:
    """Domains in which some interval is empty: no input leads there."""
    empty = (domains.query.lower > domains.query.upper).any(-1)
    for low, high in domains.hidden.values():
        empty = empty | (low > high).any(-1)
    return empty


def neuron_root(
    engine: Engine,
    query: Query,
    margins: Tensor,
    intervals: list[Interval],
    warm: WarmStart,
    output: int,
) -> tuple[Domains, Root]:
    """One domain per open clause of a single box, and what they share.

    query, margins and intervals have batch size 1; warm is of its rows. Shorter clauses are filled up with
    their first row.
    """
    shared = engine.relaxed(intervals).exact
    masses = {i: shared.mass(i) for i in engine.exact.affine}
    index, numbers = open_rows(query, margins)
    count = index.shape[0]

    def rows(t: Tensor) -> Tensor:
        return t.expand(1, query.rhs.shape[1], -1)[0][index] if t.dim() == 3 else t[0][index]

    boxes = Query(
        query.lower.expand(count, -1),
        query.upper.expand(count, -1),
        rows(query.matrix),
        None if query.on_input is None else rows(query.on_input),
        rows(query.rhs),
        numbers[:, None].expand(-1, index.shape[1]),
    )
    hidden = {
        i: (intervals[i][0].repeat(count, 1), intervals[i][1].repeat(count, 1)) for i in engine.exact.relaxed
    }
    bound = boxes.worst(rows(margins))
    depth = torch.zeros(count, dtype=torch.long, device=bound.device)
    released = {i: with_premise(engine.exact, i).repeat(count, 1) for i in hidden}
    path = Path.none(count, bound.device)
    loose = without_premises(engine.exact, (query.lower, query.upper), intervals)
    domains = Domains(boxes, bound, depth, None, hidden, warm.mapped(rows), path, released)
    return domains, Root(intervals, masses, engine.relaxed(loose).search, output)


def open_rows(query: Query, margins: Tensor) -> tuple[Tensor, Tensor]:
    """(rows of each open clause (C, R), numbers of these clauses (C,))."""
    best = query.clause_margins(margins)[0]
    clause = query.clause[0]
    numbers = torch.unique(clause[~(best > 0) & (clause >= 0)])
    members = [(clause == n).nonzero().squeeze(-1) for n in numbers]
    longest = max(m.numel() for m in members)
    padded = [torch.cat([m, m[:1].expand(longest - m.numel())]) for m in members]
    return torch.stack(padded), numbers
