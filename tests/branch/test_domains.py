"""Domains, pool and loop: children tile their parent, nothing is lost, verdicts follow from bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genbab.bounds import Start, WarmStart
from genbab.branch import (
    Domains,
    DomainSearch,
    SearchOutcome,
    SearchProgress,
    SearchSetup,
    Splits,
    bisect,
    join,
)
from genbab.errors import DeadlineReached
from genbab.problem import Query

INF = float("inf")


def query(lower: Tensor, upper: Tensor, on_input: bool = False) -> Query:
    """Boxes with one row each."""
    count = lower.shape[0]
    ones = torch.ones(count, 1, 1, dtype=torch.float64)
    rows = torch.ones(count, 1, lower.shape[1], dtype=torch.float64) if on_input else None
    return Query(lower, upper, ones, rows, ones[..., 0] * 0, torch.zeros(count, 1, dtype=torch.long))


def batch(count: int, seed: int = 0, hidden_input: bool = False) -> Domains:
    """Random domains of 2 inputs, with intervals of nodes 1 and 3 and warm slopes of node 2."""
    generator = torch.Generator().manual_seed(seed)

    def interval(size: int) -> tuple[Tensor, Tensor]:
        low = torch.randn(count, size, generator=generator, dtype=torch.float64)
        return low, low + torch.rand(count, size, generator=generator, dtype=torch.float64)

    box = interval(2)
    hidden = {1: interval(3), 3: interval(4)} | ({0: box} if hidden_input else {})
    lines = Start((interval(3)[0][:, None], interval(3)[1][:, None]), torch.zeros(count, 1, 3))
    warm = WarmStart({2: lines})
    bound = -torch.rand(count, generator=generator, dtype=torch.float64)
    return Domains(query(*box), bound, torch.arange(count), None, hidden, warm)


def split(domains: Domains, nodes: list[int], seed: int) -> Domains:
    """The domains with a random split of one of the nodes each, at a point inside the interval."""
    random = np.random.default_rng(seed)
    count = len(domains)
    node = torch.tensor([nodes[random.integers(len(nodes))] for _ in range(count)])
    neuron, point = torch.zeros(count, dtype=torch.long), torch.zeros(count, dtype=torch.float64)
    for b, i in enumerate(node.tolist()):
        low, high = (domains.query.lower, domains.query.upper) if i == 0 else domains.hidden[i]
        neuron[b] = int(random.integers(low.shape[1]))
        part = random.random()
        point[b] = (1 - part) * low[b, neuron[b]] + part * high[b, neuron[b]]
    return replace(domains, splits=Splits(node, neuron, point))


def everything(domains: Domains) -> dict[int, tuple[Tensor, Tensor]]:
    """All intervals, the input's as node 0."""
    return {**domains.hidden, 0: (domains.query.lower, domains.query.upper)}


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(0, 10**6), st.sampled_from(([0], [1], [0, 1, 3])), st.booleans())
def test_children_tile_their_parent(count: int, seed: int, nodes: list[int], hidden_input: bool) -> None:
    parents = split(batch(count, seed, hidden_input), nodes, seed)
    children = bisect(parents)
    assert len(children) == 2 * count and children.splits is not None and parents.splits is not None
    assert torch.equal(children.splits.neuron, parents.splits.neuron.repeat(2))
    before, after = everything(parents), everything(children)
    for b in range(count):
        cut, neuron = int(parents.splits.node[b]), int(parents.splits.neuron[b])
        for i, (low, high) in before.items():
            (left_low, right_low), (left_high, right_high) = (side[[b, b + count]] for side in after[i])
            whole = torch.ones(low.shape[1], dtype=torch.bool)
            if i == cut:
                whole[neuron] = False
                point = parents.splits.point[b]
                assert left_high[neuron] == right_low[neuron] == point
                assert left_low[neuron] == low[b, neuron] <= point <= right_high[neuron] == high[b, neuron]
            for one, side in ((left_low, low), (right_low, low), (left_high, high), (right_high, high)):
                assert torch.equal(one[whole], side[b][whole])
    if hidden_input:
        assert torch.equal(children.hidden[0][0], children.query.lower)
        assert torch.equal(children.hidden[0][1], children.query.upper)
    assert torch.equal(children.bound, parents.bound.repeat(2))
    assert torch.equal(children.depth, parents.depth.repeat(2) + 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_repeated_splits_of_one_neuron_tile_the_whole(seed: int) -> None:
    """The intervals of the leaves are disjoint, ordered, and fill up the parent's."""
    domains = batch(1, seed)
    low, high = (float(side[0, 1]) for side in domains.hidden[1])
    for level in range(4):
        count = len(domains)
        ends = domains.hidden[1]
        part = torch.rand(count, generator=torch.Generator().manual_seed(seed + level), dtype=torch.float64)
        point = torch.lerp(ends[0][:, 1], ends[1][:, 1], part)
        ones = torch.ones(count, dtype=torch.long)
        domains = bisect(replace(domains, splits=Splits(ones, ones, point)))
    pieces = sorted(zip(*(side[:, 1].tolist() for side in domains.hidden[1]), strict=True))
    assert pieces[0][0] == low and pieces[-1][1] == high and len(pieces) == 16
    assert all(a[1] == b[0] for a, b in zip(pieces, pieces[1:], strict=False))


def test_the_parent_is_not_touched() -> None:
    parents = split(batch(5), [0, 1, 3], 0)
    kept = {i: (low.clone(), high.clone()) for i, (low, high) in everything(parents).items()}
    bisect(parents)
    for i, pair in everything(parents).items():
        assert all(torch.equal(a, b) for a, b in zip(pair, kept[i], strict=True))


def test_taking_and_joining_are_inverse() -> None:
    whole = split(batch(7, hidden_input=True), [0, 1], 3)
    whole = replace(whole, query=query(whole.query.lower, whole.query.upper, on_input=True))
    parts = [whole.take(torch.tensor(which)) for which in ([0, 1, 2], [3], [4, 5, 6])]
    again = join(parts)
    assert again.splits is not None and whole.splits is not None and again.query.on_input is not None
    assert whole.query.on_input is not None
    for one, other in (
        (again.bound, whole.bound),
        (again.depth, whole.depth),
        (again.splits.point, whole.splits.point),
        (again.splits.node, whole.splits.node),
        (again.splits.neuron, whole.splits.neuron),
        (again.query.lower, whole.query.lower),
        (again.query.on_input, whole.query.on_input),
        (again.hidden[3][1], whole.hidden[3][1]),
        (again.warm.starts[2].slopes[1], whole.warm.starts[2].slopes[1]),
        (again.warm.starts[2].upper, whole.warm.starts[2].upper),
    ):
        assert torch.equal(one, other)
    mask = whole.bound < whole.bound.median()
    assert torch.equal(whole.take(mask).bound, whole.bound[mask])


def test_the_memory_counts_what_grows() -> None:
    one, two = batch(10), batch(20)
    assert two.nbytes == 2 * one.nbytes > 0
    with_rows = replace(one, query=query(one.query.lower, one.query.upper, on_input=True))
    assert with_rows.nbytes == one.nbytes + 10 * 2 * 8
    assert replace(one, hidden={}).nbytes < one.nbytes > replace(one, warm=WarmStart()).nbytes


def line(low: float = 0.0, high: float = 1.0, boxes: int = 1) -> Domains:
    """Domains [low, high] of one input, open and splittable."""
    ends = torch.full((2, boxes, 1), low, dtype=torch.float64)
    ends[1] = high
    bound = torch.full((boxes,), -1.0, dtype=torch.float64)
    return halved(Domains(query(ends[0], ends[1]), bound, torch.zeros(boxes, dtype=torch.long)))


def halved(domains: Domains, least: float = 0.0) -> Domains:
    """The next split: the input's middle, none where the box is not wider than `least`."""
    low, high = domains.query.lower[:, 0], domains.query.upper[:, 0]
    middle = (low + high) / 2
    node = torch.where((high - low > least) & (middle > low) & (middle < high), 0, -1)
    return replace(domains, splits=Splits(node, torch.zeros_like(node), middle))


def run(
    root: Domains,
    worth: Callable[[Tensor, Tensor], Tensor],
    least: float = 0.0,
    memory: int = 1 << 40,
    falsify: Callable[[Domains], bool] = lambda _: False,
) -> tuple[SearchOutcome, list[float]]:
    """A search whose bounds are worth(low, high), and the bounds that it reported."""
    reported: list[float] = []

    def bound(children: Domains) -> Domains:
        new = worth(children.query.lower[:, 0], children.query.upper[:, 0])
        return halved(replace(children, bound=torch.maximum(new, children.bound)), least)

    def report(progress: SearchProgress) -> None:
        reported.append(progress.bound)
        assert len(reported) < 2000, "the search does not end"

    return DomainSearch(bound, SearchSetup(falsify, report, memory, 4)).run(root), reported


def test_a_search_that_refutes_everything_has_verified() -> None:
    outcome, reported = run(line(), lambda low, high: 0.1 - (high - low))
    assert outcome.status == "verified" and outcome.progress.open == 0
    assert 0 < outcome.progress.bound <= 0.1 and outcome.progress.depth == 4
    assert reported == sorted(reported) and outcome.progress.visited == 2 + 4 + 8 + 16


def test_a_spot_that_stays_open_is_never_verified() -> None:
    """x = 0.3 keeps every domain around it open, down to the resolution of float64 or a least width."""
    for least in (0.0, 1e-6):
        outcome, _ = run(
            line(), lambda low, high: torch.where((low <= 0.3) & (high >= 0.3), -0.5, 1.0), least
        )
        assert outcome.status == "stuck" and outcome.progress.bound == -0.5


@pytest.mark.parametrize("bad", (float("nan"), -INF, -1.0, 0.0))
def test_domains_that_cannot_be_split_and_are_not_refuted_are_not_verified(bad: float) -> None:
    root = line(boxes=3)
    bound = torch.tensor([1.0, bad, INF], dtype=torch.float64)
    outcome, _ = run(halved(replace(root, bound=bound), least=5.0), lambda low, high: low + 1)
    assert outcome.status == "stuck" and not outcome.progress.bound > 0


def test_what_the_root_refutes_is_not_split() -> None:
    root = replace(line(boxes=3), bound=torch.tensor([0.25, INF, 0.5], dtype=torch.float64))
    for domains in (root, halved(root, least=5.0), root.take(torch.tensor([], dtype=torch.long))):
        outcome, _ = run(domains, lambda low, high: low - INF)
        assert outcome.status == "verified" and outcome.progress.visited == 0
        assert outcome.progress.bound == (0.25 if len(domains) else INF)


def test_children_without_a_number_are_never_refuted() -> None:
    outcome, _ = run(line(), lambda low, high: low * float("nan"), least=0.1)
    assert outcome.status == "stuck"


def test_a_counterexample_or_the_time_ends_the_search() -> None:
    outcome, _ = run(line(), lambda low, high: low - 1.0, falsify=lambda d: len(d) == 4)
    assert outcome.status == "falsified" and outcome.progress.depth == 1
    deadline = 0

    def late(low: Tensor, high: Tensor) -> Tensor:
        nonlocal deadline
        deadline += 1
        if deadline == 3:
            raise DeadlineReached
        return low - 1.0

    outcome, reported = run(line(), late)
    assert outcome.status == "timeout" and len(reported) == 2


@pytest.mark.parametrize(("worth", "status"), ((1.0, "verified"), (-1.0, "timeout")))
def test_a_search_with_nothing_open_is_finished_when_it_hears_the_time(worth: float, status: str) -> None:
    told: list[int] = []

    def bound(children: Domains) -> Domains:
        return halved(replace(children, bound=torch.full_like(children.bound, worth)))

    def late(progress: SearchProgress) -> None:
        told.append(progress.open)
        raise DeadlineReached

    outcome = DomainSearch(bound, SearchSetup(lambda _: False, late, 1 << 20, 4)).run(line())
    assert outcome.status == status and told == [0 if status == "verified" else 2]
    assert outcome.progress.bound == worth
