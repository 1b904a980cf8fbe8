"""Input splits beside neuron splits: children tile their parents, no unsafe point is lost, gains are true."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from genbab.bounds import Engine, Steps
from genbab.branch import (
    Domains,
    Mixed,
    Region,
    Retighten,
    Splits,
    bisect,
    bound_by_neurons,
    choose_neuron,
    kink_or_middle,
    line_score,
    neuron_root,
)
from genbab.branch.choose.mixed import Gauge
from genbab.branch.open.domains import INPUT, Bound
from tests.branch.rooted import seen
from tests.branch.test_children import CLAUSES, assert_sound, unsafe, within
from tests.branch.test_retighten import region_of

COUNT = 4
"""Random networks per test; multiply it for a long run."""

FAVOURS: tuple[dict[str, float], ...] = ({}, {"input": 20.0}, {"neuron": 20.0})
"""How much the kinds of split are trusted at first."""


def begun(region: Region, engine: Engine, tighten: bool) -> tuple[Mixed, Bound, Domains]:
    """The parts of a mixed search of a region, and its domains, not yet bounded."""
    output = engine.exact.output
    domains, root = neuron_root(engine, region.query, region.margins, region.intervals, region.warm, output)
    mixed = Mixed.of(engine, region.forms, region.query.rhs.shape[1], 3, tighten)
    choose = choose_neuron(line_score, kink_or_middle, rival=mixed.choose)
    bound = bound_by_neurons(engine, root, Steps.of(3), choose, Retighten(engine, region.forms))
    return mixed, mixed.around(bound), domains


def assert_tiled(parents: Domains, x: Tensor, known: list[Tensor]) -> Domains:
    """The children: every sample of a parent lies in one of them, and in no child without lying in it."""
    children = bisect(parents)
    before, after = within(parents, x, known), within(children, x, known)
    first, second = after.chunk(2)
    assert torch.equal(first | second, before)
    assert parents.splits is not None
    by_input = parents.splits.node == INPUT
    index, size = torch.arange(len(parents)), parents.query.upper - parents.query.lower
    parts = (children.query.upper - children.query.lower).chunk(2)
    widths = [part[index, parents.splits.neuron.clamp(max=size.shape[1] - 1)] for part in parts]
    whole = size[index, parents.splits.neuron.clamp(max=size.shape[1] - 1)]
    assert bool(((widths[0] < whole) & (widths[1] < whole))[by_input].all())
    assert torch.allclose((widths[0] + widths[1])[by_input], whole[by_input])
    return children


@pytest.mark.parametrize("favour", FAVOURS, ids=str)
@pytest.mark.parametrize("tighten", (False, True))
@pytest.mark.parametrize("seed", range(COUNT))
def test_children_tile_and_no_unsafe_point_is_lost(
    seed: int, tighten: bool, favour: dict[str, float]
) -> None:
    region, engine, x, known = region_of(seed + 200, CLAUSES, seed % 2 == 0)
    mixed, bound, domains = begun(region, engine, tighten)
    mixed.gauge.trust |= favour
    wanted = unsafe(domains, x, known[-1])
    clauses = domains.query.clause[:, 0].tolist()
    for _ in range(4):
        narrow = mixed.afresh(domains)
        assert torch.equal(within(narrow, x, known), within(domains, x, known)), "a point was cut off"
        domains = bound(domains)
        assert_sound(domains, x, known)
        open_ = domains.take(~(domains.bound > 0))
        covered = within(open_, x, known) & unsafe(open_, x, known[-1])
        for number, points in zip(clauses, wanted, strict=True):
            mine = covered[open_.query.clause[:, 0] == number]
            assert bool(mine.any(0)[points].all()), "an unsafe point is lost"
        assert open_.splits is not None
        open_ = open_.take(open_.splits.node >= 0)
        if not len(open_) or open_.splits is None:
            break
        if "input" in favour:
            assert bool((open_.splits.node == INPUT).any())
        domains = assert_tiled(open_, x, known)


def test_a_domain_without_neurons_to_split_gets_an_input() -> None:
    region, engine, _, _ = region_of(201, [0], True)
    mixed, _, domains = begun(region, engine, False)
    never = choose_neuron(lambda view: {}, kink_or_middle, rival=mixed.choose)
    _, root = neuron_root(
        engine, region.query, region.margins, region.intervals, region.warm, engine.exact.output
    )
    found = bound_by_neurons(engine, root, Steps.of(3), never)(domains)
    assert found.splits is not None and found.splits.gain is not None
    assert found.splits.node.tolist() == [INPUT] and float(found.splits.gain[0]) > 0
    point = replace(domains, query=replace(domains.query, upper=domains.query.lower))
    stuck = bound_by_neurons(engine, root, Steps.of(3), never)(point)
    assert stuck.splits is not None and stuck.splits.node.tolist() == [-1]


@pytest.mark.parametrize("seed", range(3))
def test_the_part_of_the_form_is_exact(seed: int) -> None:
    """Without hidden neurons, a child gains what the form's minimum over its half is above the whole's."""
    view, forms, engine, _ = seen(seed, rows=2, boxes=2)
    bare = replace(forms, nodes={})
    gains = Mixed(engine, bare, False, 1.0).gains(view)
    low, high = view.box
    form = view.last_pass.coefficients
    least = torch.minimum(form * low[:, None], form * high[:, None])
    middle = (low + high)[:, None] / 2
    halves = (
        torch.minimum(form * low[:, None], form * middle),
        torch.minimum(form * middle, form * high[:, None]),
    )
    for gain, half in zip(gains, halves, strict=True):
        assert torch.allclose(gain, half - least)
    more = Mixed(engine, forms, True, 1.0).gains(view)
    assert all(bool((a >= b - 1e-12).all()) for a, b in zip(more, gains, strict=True))


def test_what_splits_gained_is_learnt_and_forgiven() -> None:
    gauge, bound = Gauge(), torch.full((4,), -2.0, dtype=torch.float64)
    node, nothing = torch.tensor([INPUT, 3] * 2), torch.zeros(4, dtype=torch.long)
    view, *_ = seen(0)
    four = view.domains.take(torch.zeros(4, dtype=torch.long))
    gain = torch.tensor([0.5, 0.5] * 2, dtype=torch.float64)
    children = replace(four, bound=bound, splits=Splits(node, nothing, bound, gain))
    gauge.add(children, torch.tensor([-1.9, -1.0, -1.9, -0.5], dtype=torch.float64))
    assert gauge.scale("input") < 1 < gauge.scale("neuron")
    doubted = gauge.scale("input")
    only = replace(children, splits=Splits(node.clamp(min=3), nothing, bound, gain))
    gauge.add(only, torch.full((4,), torch.nan, dtype=torch.float64))
    assert doubted < gauge.scale("input") < 1 and gauge.scale("neuron") > 0
