"""Bounding and choosing for both kinds of split: what a child's bound claims is true inside the child."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from genbab.bounds import (
    Engine,
    Interval,
    Question,
    Relaxation,
    Rows,
    Steps,
    WarmStart,
    answer,
    cheap_intervals,
)
from genbab.branch import (
    Domains,
    Root,
    bisect,
    bound_by_inputs,
    bound_by_neurons,
    choose_neuron,
    kink_or_middle,
    line_score,
    neuron_root,
    root_domains,
)
from genbab.branch.bound.inputs import Balance
from genbab.network import Input, Network, Nonlinear
from genbab.network.computed.values import values
from genbab.nonlinear import functions, make
from genbab.problem import Query
from tests.branch.rooted import answered
from tests.soundness.graphs import random_box, random_network

CPU = torch.device("cpu")
INF = float("inf")
COUNT = 4
"""Random networks per test; multiply it for a long run."""

CLAUSES = [0, 0, 1, 2, 2, 2]


def setting(seed: int, clauses: list[int], tame: bool) -> tuple[Engine, Query, Tensor, list[Tensor]]:
    """(engine, query of one box, samples (M, D), values of every node there); some samples are unsafe."""
    only = [f for f in functions() if f.name in {"tanh", "relu", "sin", "gelu", "sigmoid"}] if tame else ()
    network = random_network(seed, inputs=2, depth=3, only=only)
    low, high = random_box(seed, 2)
    generator = torch.Generator().manual_seed(seed)
    x = low + torch.rand(3000, 2, generator=generator, dtype=torch.float64) * (high - low)
    known = values(network, x)
    matrix = torch.randn(1, len(clauses), network.output_size, generator=generator, dtype=torch.float64)
    on_input = torch.randn(1, len(clauses), 2, generator=generator, dtype=torch.float64) if seed % 2 else None
    rows = row_values(matrix, on_input, known[-1], x)[0]
    rhs = torch.nan_to_num(rows.quantile(0.3, 0), nan=0.0, posinf=0.0, neginf=0.0)[None]
    query = Query(low[None], high[None], matrix, on_input, rhs, torch.tensor([clauses]))
    return Engine(network, network.to(torch.float32, CPU), 1 << 28), query, x, known


def row_values(matrix: Tensor, on_input: Tensor | None, y: Tensor, x: Tensor) -> Tensor:
    """Rows (B, M, S) at outputs y (M, O) and inputs x (M, D)."""
    total = y @ matrix.mT
    return total if on_input is None else total + x @ on_input.mT


def within(domains: Domains, x: Tensor, known: list[Tensor]) -> Tensor:
    """Which samples (M,) lead into each domain (B,): inside its box and its hidden intervals; (B, M)."""
    inside = ((domains.query.lower[:, None] <= x) & (x <= domains.query.upper[:, None])).all(-1)
    for i, (low, high) in domains.hidden.items():
        slack = 1e-9 * (1 + known[i].abs())
        inside &= ((low[:, None] <= known[i] + slack) & (known[i] - slack <= high[:, None])).all(-1)
    return inside


def unsafe(domains: Domains, x: Tensor, y: Tensor) -> Tensor:
    """Which samples satisfy all rows of some clause of the domain, with room for rounding; (B, M)."""
    query = domains.query
    holds = row_values(query.matrix, query.on_input, y, x) < query.rhs[:, None] - 1e-7
    found = torch.zeros(holds.shape[:2], dtype=torch.bool)
    for n in sorted(set(query.clause.flatten().tolist())):
        mine = (query.clause == n)[:, None]
        found |= (holds | ~mine).all(-1) & mine.any(-1)
    return found


def assert_sound(domains: Domains, x: Tensor, known: list[Tensor]) -> None:
    """No refuted domain holds an unsafe sample."""
    seen = within(domains, x, known) & unsafe(domains, x, known[-1])
    assert not bool((seen.any(-1) & (domains.bound > 0)).any())


@pytest.mark.parametrize("tame", (False, True))
@pytest.mark.parametrize("seed", range(COUNT))
def test_input_splits_lose_no_unsafe_point(seed: int, tame: bool) -> None:
    """Every unsafe sample stays in an open domain through rounds of bounding, cutting and splitting."""
    engine, query, x, known = setting(seed, CLAUSES, tame)
    bound = bound_by_inputs(engine, engine.exact.output, tighten=seed % 3 > 0)
    margins = torch.full((1, len(CLAUSES)), -INF, dtype=torch.float64)
    domains = bound(root_domains(query, margins))
    wanted = unsafe(root_domains(query, margins), x, known[-1])[0]
    for _ in range(5):
        assert_sound(domains, x, known)
        open_ = domains.take(~(domains.bound > 0))
        assert bool(within(open_, x, known).any(0)[wanted].all()), "an unsafe point is lost"
        assert open_.splits is not None
        open_ = open_.take(open_.splits.node >= 0)
        if not len(open_) or open_.splits is None:
            break
        index = torch.arange(len(open_))
        low, high = (end[index, open_.splits.neuron] for end in (open_.query.lower, open_.query.upper))
        assert bool((low < open_.splits.point).all() and (open_.splits.point < high).all())
        children = bisect(open_)
        domains = bound(children)
        assert bool((domains.bound >= children.bound).all())


@pytest.mark.parametrize("tame", (False, True))
@pytest.mark.parametrize("seed", range(COUNT))
def test_neuron_splits_lose_no_unsafe_point(seed: int, tame: bool) -> None:
    engine, query, x, known = setting(seed + 30, CLAUSES, tame)
    domains, root = rooted(engine, query)
    assert_clauses(domains, query)
    chooser = choose_neuron(line_score, kink_or_middle)
    bound = bound_by_neurons(engine, root, Steps.of(5), chooser)
    wanted = unsafe(domains, x, known[-1])
    for _ in range(4):
        domains = bound(domains)
        assert_sound(domains, x, known)
        open_ = domains.take(~(domains.bound > 0))
        covered = within(open_, x, known) & unsafe(open_, x, known[-1])
        for number, points in zip(sorted(set(query.clause.flatten().tolist())), wanted, strict=True):
            mine = covered[open_.query.clause[:, 0] == number]
            assert bool(mine.any(0)[points].all()), "an unsafe point is lost"
        assert open_.splits is not None
        open_ = open_.take(open_.splits.node >= 0)
        if not len(open_) or open_.splits is None:
            break
        for b in range(len(open_)):
            low, high = open_.hidden[int(open_.splits.node[b])]
            neuron, point = int(open_.splits.neuron[b]), float(open_.splits.point[b])
            assert float(low[b, neuron]) < point < float(high[b, neuron])
        domains = bisect(open_)


def rooted(engine: Engine, query: Query) -> tuple[Domains, Root]:
    """Domains and root after a few steps, nothing refuted."""
    box = (query.lower, query.upper)
    intervals = cheap_intervals(engine, box)
    rows = Rows(engine.exact.output, query.matrix, query.on_input)
    warm = answer(engine, Question(rows, box, engine.relaxed(intervals)), Steps(3)).certificate
    margins = torch.full(query.rhs.shape, -INF, dtype=torch.float64)
    return neuron_root(engine, query, margins, intervals, warm, engine.exact.output)


def assert_clauses(domains: Domains, query: Query) -> None:
    """One domain per clause, its rows those of the clause, short ones filled up with their first."""
    clause = query.clause[0]
    assert domains.query.clause[:, 0].tolist() == sorted(set(clause.tolist()))
    for b in range(len(domains)):
        number = int(domains.query.clause[b, 0])
        rows = (clause == number).nonzero().squeeze(-1).tolist()
        rows += rows[:1] * (domains.query.clause.shape[1] - len(rows))
        assert set(domains.query.clause[b].tolist()) == {number}
        assert torch.equal(domains.query.matrix[b], query.matrix[0, rows])
        assert torch.equal(domains.query.rhs[b], query.rhs[0, rows])
        if query.on_input is not None and domains.query.on_input is not None:
            assert torch.equal(domains.query.on_input[b], query.on_input[0, rows])


def test_refuted_clauses_and_padding_have_no_domain() -> None:
    engine, query, _, _ = setting(1, [0, 0, 1, 2, 2, -1], True)
    _, root = rooted(engine, query)
    margins = torch.tensor([[-1.0, 2.0, -1.0, -2.0, -3.0, INF]], dtype=torch.float64)
    intervals = cheap_intervals(engine, (query.lower, query.upper))
    domains, _ = neuron_root(engine, query, margins, intervals, WarmStart(), engine.exact.output)
    assert domains.query.clause.tolist() == [[1, 1], [2, 2]] and domains.bound.tolist() == [-1.0, -2.0]


def test_an_empty_child_is_refuted() -> None:
    engine, query, _, _ = setting(1, CLAUSES, True)
    domains, root = rooted(engine, query)
    node = next(iter(domains.hidden))
    low, high = (end.clone() for end in domains.hidden[node])
    low[1, 0], high[1, 0] = 1.0, 0.5
    chooser = choose_neuron(line_score, kink_or_middle)
    bound = bound_by_neurons(engine, root, Steps(1), chooser)
    found = bound(replace(domains, hidden={**domains.hidden, node: (low, high)})).bound
    assert float(found[1]) == INF and float(found[0]) < INF


def test_splits_are_at_kinks_or_in_the_middle() -> None:
    nodes = (Input(3), Nonlinear(make("relu"), (0,), 3), Nonlinear(make("tanh"), (1,), 3))
    network = Network(nodes, 2)
    low, high = torch.tensor([[-1.0, 1.0, -INF]]).double(), torch.tensor([[3.0, 2.0, INF]]).double()
    assert kink_or_middle(network, 0, low, high).tolist() == [[0.0, 1.5, 0.0]]
    assert kink_or_middle(network, 1, low, high).tolist() == [[1.0, 1.5, 0.0]]


def test_nothing_is_split_that_is_too_narrow_or_unbounded() -> None:
    engine, query, _, _ = setting(2, [0], True)
    domains, root = rooted(engine, query)
    chooser = choose_neuron(line_score, kink_or_middle)
    narrow: dict[int, Interval] = {i: (low, low) for i, (low, _) in domains.hidden.items()}
    wide: dict[int, Interval] = {i: (low - INF, high + INF) for i, (low, high) in domains.hidden.items()}
    for hidden in (narrow, wide):
        relaxation = Relaxation(
            engine.exact, cheap_intervals(engine, (query.lower, query.upper)), torch.float64
        )
        rows = Rows(engine.exact.output, query.matrix, query.on_input)
        known = answered(relaxation, rows, (query.lower, query.upper), WarmStart())
        splits = chooser(relaxation, known, replace(domains, hidden=hidden), torch.zeros(1, 1))
        assert splits.node.tolist() == [-1]


def test_rows_are_bounded_while_that_pays() -> None:
    gain, loss = torch.tensor([3.0, 3.0]), torch.tensor([1.0, 1.0])
    assert Balance().pays
    good, bad = Balance(), Balance()
    good.add((1.0, 2.0), gain, loss)
    bad.add((1.0, 20.0), loss, gain)
    assert good.pays and not bad.pays
    bad.add((1.0, 1.0), torch.tensor([torch.nan, INF]), torch.tensor([-INF, torch.nan]))
    assert bad.by_rows >= 0 and bad.by_split >= 0
