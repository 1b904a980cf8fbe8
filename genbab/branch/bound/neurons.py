"""Bounding children of neuron splits: intervals of the parent with one neuron cut, slopes started from its
own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.bounds import (
    Chosen,
    Engine,
    Freedom,
    Interval,
    Multipliers,
    Relaxation,
    Rows,
    Slopes,
    Steps,
    certify,
    constrained,
    loosened,
    optimise,
)
from genbab.branch.cut.conjunction import clip, combine, minimiser
from genbab.branch.cut.retighten import Retighten
from genbab.branch.open.domains import INPUT, Bound, Domains, Path, Splits, Warm, start_from, warm_from
from genbab.network import Affine, Nonlinear
from genbab.problem import Query

Choose = Callable[[Relaxation, dict[int, Chosen], Domains, Tensor], Splits]
"""(relaxation, lines of the last pass, domains, margins (B, S)) -> the next split of each domain."""


@dataclass(frozen=True, eq=False)
class Root:
    """What all domains share: the root's intervals (1, N) and the rounding scales of its affine nodes."""

    intervals: list[Interval]
    mass: dict[int, tuple[int, Tensor]]
    lines: Relaxation
    output: int


def bound_by_neurons(
    engine: Engine, root: Root, steps: Steps, choose: Choose, retighten: Retighten | None = None
) -> Bound:
    """A `Bound` that optimises the slopes of each child's rows, evaluates them in float64 and chooses its
    split; `retighten` first cuts boxes and hidden intervals by what the domain is known to satisfy.
    """

    def bound(children: Domains) -> Domains:
        engine.check()
        if retighten is not None:
            children = retighten.before(children)
        asked = query = children.query
        box = (query.lower, query.upper)
        rows = Rows(root.output, query.matrix, query.on_input)
        intervals = child_intervals(root, children)
        start = start_from(children.warm)
        given = engine.multipliers(intervals, rows, start.get(root.output))
        search = engine.searching(intervals, root.mass)
        exact = engine.certifying(intervals, root.mass)

        def decided(bounds: Tensor) -> bool:
            engine.check()
            return bool((query.worst(query.margins(bounds.to(query.rhs.dtype))) > 1e-4).all())

        chosen = optimise(
            engine.search,
            search,
            rows.to(engine.dtype),
            engine.cast(box),
            steps,
            start,
            decided,
            freedom(engine, root, children),
            given,
        )
        if given is not None:
            query, rows = pressed(query, rows, given)
            children = replace(children, query=query)
        bounds, form, constant = certify(engine.exact, exact, rows, box, chosen)
        margins = combine(query, query.margins(bounds), form, constant)
        worst = torch.maximum(query.worst(margins), children.bound)
        if retighten is not None:
            children = retighten.after(children, search, chosen, margins, form, constant)
            children = _clipped(children, worst, margins, form, constant)
        empty = _empty(children)
        worst = torch.where(empty, torch.inf, worst)
        splits = choose(search, chosen, children, margins)
        corner = minimiser(children.query, margins, form)
        if given is not None:
            chosen = {**chosen, root.output: given.line()}
            own = replace(children.query, matrix=asked.matrix, rhs=asked.rhs)
            children = replace(children, query=own)
        return replace(children, bound=worst, splits=splits, warm=warm_from(chosen), corner=corner)

    return bound


def pressed(query: Query, rows: Rows, given: Multipliers) -> tuple[Query, Rows]:
    """The query, and its rows, with every row weakened by multiples of what is given of hidden neurons: what
    every unsafe point that follows that satisfies, too.
    """
    rhs = query.rhs + given.certain_price(rows)
    rows = given.added(rows)
    return replace(query, matrix=rows.matrix, rhs=torch.nextafter(rhs, torch.full_like(rhs, torch.inf))), rows


def _clipped(domains: Domains, worst: Tensor, margins: Tensor, form: Tensor, constant: Tensor) -> Domains:
    """The open domains (`worst` not above 0) with their boxes cut to where all rows of a clause can hold."""
    query = domains.query
    lower, upper = clip(query, margins, form, constant)
    done = (worst > 0)[:, None]
    lower, upper = torch.where(done, query.lower, lower), torch.where(done, query.upper, upper)
    hidden = {**domains.hidden, INPUT: (lower, upper)} if INPUT in domains.hidden else domains.hidden
    return replace(domains, query=replace(query, lower=lower, upper=upper), hidden=hidden)


def child_intervals(root: Root, domains: Domains) -> list[Interval]:
    """The root's intervals with the domains' own where they have some."""
    return [domains.hidden.get(i, interval) for i, interval in enumerate(root.intervals)]


def freedom(engine: Engine, root: Root, domains: Domains) -> Freedom:
    """Room for multipliers at every argument whose interval is cut, in steps of the range of f' at the
    root; not where they are found apart from the slopes (`Multipliers`).
    """
    steps: dict[int, Slopes] = {}
    apart = set() if engine.shown is None else set(engine.shown.node.tolist())
    for i, node in enumerate(engine.search.nodes):
        if not isinstance(node, Nonlinear):
            continue
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
    slopes: dict[int, Chosen],
    output: int,
) -> tuple[Domains, Root]:
    """One domain per open clause of a single box, and what they share.

    query, margins and intervals have batch size 1; slopes are those of its rows. Shorter clauses are filled
    up with their first row.
    """
    shared = engine.certifying(intervals)
    mass = {i: shared.mass(i) for i, node in enumerate(engine.exact.nodes) if isinstance(node, Affine)}
    index, numbers = _open_rows(query, margins)
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
    warm = {i: Warm(tuple(rows(k) for k in c.slopes), rows(c.upper)) for i, c in slopes.items()}
    bound = boxes.worst(rows(margins))
    depth = torch.zeros(count, dtype=torch.long, device=bound.device)
    released = {i: constrained(engine.exact, i).repeat(count, 1) for i in hidden}
    path = Path.none(count, bound.device)
    loose = loosened(engine.exact, (query.lower, query.upper), intervals)
    return Domains(boxes, bound, depth, None, hidden, warm, path, released), Root(
        intervals, mass, engine.searching(loose), output
    )


def _open_rows(query: Query, margins: Tensor) -> tuple[Tensor, Tensor]:
    """(rows of each open clause (C, R), numbers of these clauses (C,))."""
    best = query.clause_margins(margins)[0]
    clause = query.clause[0]
    numbers = torch.unique(clause[~(best > 0) & (clause >= 0)])
    members = [(clause == n).nonzero().squeeze(-1) for n in numbers]
    longest = max(m.numel() for m in members)
    padded = [torch.cat([m, m[:1].expand(longest - m.numel())]) for m in members]
    return torch.stack(padded), numbers
