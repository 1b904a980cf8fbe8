"""Re-tightening and regions: no unsafe point is ever lost, and what they decide is true."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from genbab.bounds import Engine, Question, Rows, Steps, Tightening, answer, cheap_intervals, tighten_all
from genbab.branch import (
    DomainSearch,
    HiddenForms,
    NeuronBranching,
    Region,
    RegionSearch,
    Retighten,
    SearchSetup,
    bisect,
    bound_by_neurons,
    choose_neuron,
    kink_or_middle,
    line_score,
    neuron_root,
    root_domains,
)
from genbab.branch.regions import search as search_module
from genbab.branch.regions.bounding import bounded, costliest_split
from genbab.branch.regions.forecast import leaves
from genbab.errors import DeadlineReached
from tests.branch.test_children import CLAUSES, assert_sound, setting, unsafe, within

COUNT = 6
"""Random networks per test; multiply it for a long run."""

INF = float("inf")


def region_of(seed: int, clauses: list[int], tame: bool) -> tuple[Region, Engine, Tensor, list[Tensor]]:
    """(region of the whole box, engine, samples (M, D), values of every node there), nothing refuted."""
    engine, query, x, known = setting(seed, clauses, tame)
    box = (query.lower, query.upper)
    forms = HiddenForms(engine, 1 << 24, box)
    how = Tightening(Steps(4), record=forms.keep)
    relaxations = tighten_all(engine, box, cheap_intervals(engine, box), how)
    rows = Rows(engine.exact.output, query.matrix, query.on_input)
    found = answer(engine, Question(rows, box, relaxations), Steps(3))
    forms.complete(relaxations)
    margins = torch.full(query.rhs.shape, -INF, dtype=torch.float64)
    warm, weights = found.certificate, found.weights
    return Region(query, margins, relaxations.intervals, (), warm, weights, forms), engine, x, known


@pytest.mark.parametrize("seed", range(COUNT))
def test_forms_lie_below_their_rows(seed: int) -> None:
    region, _, x, known = region_of(seed, [0], seed % 2 == 0)
    for i, kept in region.forms.nodes.items():
        size = len(kept.place) // 2
        value = torch.cat([known[i], -known[i]], -1)[:, kept.rows]
        slack = 1e-9 * (1 + value.abs())
        assert bool((x @ kept.form.T + kept.constant <= value + slack).all())
        assert torch.equal(kept.place[kept.rows], torch.arange(len(kept.rows)))
        assert bool((kept.rows < 2 * size).all())


def test_forms_fit_their_memory() -> None:
    region, engine, _, _ = region_of(3, [0], True)
    rows = sum(len(kept.rows) for kept in region.forms.nodes.values())
    box = (region.query.lower, region.query.upper)
    small = HiddenForms(engine, 8 * (engine.exact.input_size + 4) * max(2, rows // 2), box)
    tighten_all(engine, box, cheap_intervals(engine, box), Tightening(record=small.keep))
    assert sum(len(kept.rows) for kept in small.nodes.values()) <= max(2, rows // 2)


@pytest.mark.parametrize("tame", (False, True))
@pytest.mark.parametrize("seed", range(COUNT))
def test_clipping_loses_no_unsafe_point(seed: int, tame: bool) -> None:
    """Unsafe samples stay in an open domain through rounds of cutting, bounding and splitting."""
    region, engine, x, known = region_of(seed + 60, CLAUSES, tame)
    domains, root = neuron_root(
        engine, region.query, region.margins, region.intervals, region.warm, engine.exact.output
    )
    retighten = Retighten(engine, region.forms)
    bound = bound_by_neurons(engine, root, Steps.of(5), choose_neuron(line_score, kink_or_middle), retighten)
    wanted = unsafe(domains, x, known[-1])
    numbers = domains.query.clause[:, 0].tolist()
    domains = bound(domains)
    for _ in range(5):
        domains = bound(domains) if not bool(domains.depth.any()) else domains
        assert_sound(domains, x, known)
        open_ = domains.take(~(domains.bound > 0))
        covered = within(open_, x, known) & unsafe(open_, x, known[-1])
        for number, points in zip(numbers, wanted, strict=True):
            mine = covered[open_.query.clause[:, 0] == number]
            assert bool(mine.any(0)[points].all()), "an unsafe point is lost"
        assert open_.splits is not None
        open_ = open_.take(open_.splits.node >= 0)
        if not len(open_):
            break
        domains = bound(bisect(open_))


@pytest.mark.parametrize("seed", range(COUNT))
def test_clipping_cuts_what_follows_from_a_split(seed: int) -> None:
    """Samples on the child's side of a split stay; without the unsafe set's rows nothing else is used."""
    region, engine, x, known = region_of(seed + 90, [0], True)
    domains, root = neuron_root(
        engine, region.query, region.margins, region.intervals, region.warm, engine.exact.output
    )
    bound = bound_by_neurons(engine, root, Steps.of(2), choose_neuron(line_score, kink_or_middle))
    domains = bound(domains)
    if domains.splits is None or int(domains.splits.node[0]) <= 0:
        return
    children = bisect(domains)
    cut = Retighten(engine, region.forms).before(children)
    before, after = within(children, x, known), within(cut, x, known)
    assert bool((after | ~before).all()), "a point that satisfies the split was cut off"
    for i in children.hidden:
        assert bool((cut.hidden[i][0] >= children.hidden[i][0]).all())
        assert bool((cut.hidden[i][1] <= children.hidden[i][1]).all())


SETUP = SearchSetup(lambda domains: False, lambda progress: None, 1 << 30, 16)


def branching(engine: Engine) -> NeuronBranching:
    return NeuronBranching(
        engine, lambda root: choose_neuron(line_score, kink_or_middle), Steps.of(4), clip=True
    )


class Clock:
    """Seconds that pass with each question."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    def __call__(self) -> float:
        self.left -= 1.0
        return self.left


@pytest.mark.parametrize("seed", range(COUNT))
def test_regions_verify_only_what_holds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sample in the unsafe set a search over regions never says verified; with room it may."""
    monkeypatch.setattr(search_module, "FIRST", 0.01)
    region, engine, x, known = region_of(seed + 120, [0, 1, 1], True)
    wanted = unsafe(root_domains(region.query, region.margins), x, known[-1])
    stands: list[float] = []

    def stop(bound: float) -> None:
        stands.append(bound)
        if len(stands) > 8:
            raise DeadlineReached

    search = RegionSearch(branching(engine), SETUP, 1 << 24, Clock(1e6), 0.01, stop, (3, 6))
    outcome = search.run(region)
    assert outcome.status != "verified" or not bool(wanted.any())


@pytest.mark.parametrize("seed", range(COUNT))
def test_parts_of_a_region_tile_it(seed: int) -> None:
    """Every sample of the region lies in one of both parts, whose intervals and forms hold there."""
    region, engine, x, known = region_of(seed + 150, CLAUSES, True)
    split = costliest_split(engine, region)
    if split is None:
        return
    node, neuron, point = split
    parts = [bounded(engine, region.half(split, upper), (3, 6), 1 << 24) for upper in (False, True)]
    value = known[node][:, neuron]
    for part, mine in zip(parts, (value <= point - 1e-9, value >= point + 1e-9), strict=True):
        if not bool(mine.any()):
            continue
        assert part is not None
        for i, (low, high) in enumerate(part.intervals):
            here = known[i][mine]
            slack = 1e-9 * (1 + here.abs())
            assert bool(((low <= here + slack) & (here - slack <= high)).all())
        seen = unsafe(root_domains(part.query, part.margins), x[mine], known[-1][mine])
        assert not bool(seen.any()) or part.worst <= 0


def test_a_paused_search_goes_on_where_it_was() -> None:
    region, engine, _, _ = region_of(7, [0], True)
    domains, root = neuron_root(
        engine, region.query, region.margins, region.intervals, region.warm, engine.exact.output
    )
    bound = bound_by_neurons(engine, root, Steps.of(2), choose_neuron(line_score, kink_or_middle))

    search = DomainSearch(bound, replace(SETUP, batch=4))
    first, rounds = bound(domains), iter(range(3))
    state = search.begin(first)
    outcome = search.proceed(state, lambda: next(rounds) > 1)
    rest, visited = state.pool, outcome.progress.visited
    assert (outcome.status == "paused") == (len(rest) > 0)
    if outcome.status == "paused":
        assert visited > 0 and len(rest) and not rest.worst > 0
        assert rest.worst >= float(first.bound.min())
        assert int(rest.pop(len(rest)).depth.max()) >= 1


def test_the_size_of_a_tree_follows_from_its_gains() -> None:
    assert leaves(3.0, 1.0, 1.0) == pytest.approx(8.0)
    assert leaves(2.0, 1.0, 2.0) == pytest.approx(((1 + math.sqrt(5)) / 2) ** 2)
    assert leaves(1.0, 0.0, 5.0) == INF and leaves(0.0, 0.0, 0.0) == 1.0
    assert leaves(1.0, 1e6, INF) == pytest.approx(1.0, rel=1e-3)
