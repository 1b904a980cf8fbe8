"""Scores: what they promise is never negative, and counts open rows only."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch

from genbab.bounds import Relaxation, Rows, WarmStart
from genbab.branch import kink_or_middle
from genbab.branch.choose.neuron import pick, view_of
from genbab.branch.choose.score import Scoring, weaker, worth
from genbab.branch.choose.scores import NAMES, named
from genbab.branch.choose.scores.babsr import plain_gains
from genbab.branch.choose.scores.bbps import bbps_score, matrix_score
from genbab.branch.choose.scores.free import free_gains
from genbab.branch.choose.scores.line import line_score
from genbab.branch.open.domains import Domains
from genbab.branch.tally import balanced
from genbab.config import Score
from genbab.network import Affine, Dense, Input, Network, Nonlinear
from genbab.nonlinear import make
from genbab.problem import Query
from tests.branch.rooted import F64, SEEDS, answered, seen


def test_every_score_has_a_file_and_can_be_asked_for() -> None:
    assert set(NAMES) == set(get_args(Score))


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_not_negative_and_zero_for_what_is_decided(name: str) -> None:
    for seed in SEEDS:
        view, forms, engine, root = seen(seed)
        score = named(name).make(Scoring(engine, root, forms))
        for value in score(view).values():
            assert bool((value >= 0).all()) and bool(value.isfinite().all())
        decided = replace(view, margins=torch.ones_like(view.margins))
        if name not in ("random", "widest"):
            assert all(not bool(value.any()) for value in score(decided).values())


def test_degenerate_intervals_gain_nothing_and_are_not_picked() -> None:
    for seed in SEEDS:
        view, forms, engine, root = seen(seed)
        for node in view.nodes:
            lower, _ = view.relaxation.intervals[node]
            intervals = list(view.relaxation.intervals)
            intervals[node] = (lower, lower)
            narrow = Relaxation(view.relaxation.network, intervals, F64)
            domains = replace(view.domains, hidden={**view.domains.hidden, node: (lower, lower)})
            rows = Rows(narrow.network.output, domains.query.matrix)
            known = answered(narrow, rows, view.box, WarmStart(view.last_pass.starts))
            here = view_of(narrow, known, domains, view.margins, torch.tensor([0]), kink_or_middle)
            assert all(float(gain.max()) <= 1e-6 for gain in free_gains(here, node))
            for name in NAMES:
                score = named(name).make(Scoring(engine, root, forms))
                picked = pick(here, score(here), 1e-7)
                assert picked.node.tolist() != [node]


def test_the_free_gain_is_certain() -> None:
    """At the parent's slopes a child gains at least that: one more pass in each child says so."""
    from genbab.bounds import descend

    for seed in SEEDS:
        view, *_ = seen(seed)
        for node in view.nodes:
            for gain, cut in zip(free_gains(view, node), view.cuts(node), strict=True):
                for j in range(gain.shape[-1]):
                    low, high = (end.clone() for end in view.domains.hidden[node])
                    low[:, j], high[:, j] = cut[0][:, j], cut[1][:, j]
                    intervals = list(view.relaxation.intervals)
                    intervals[node] = (low, high)
                    child = Relaxation(view.relaxation.network, intervals, F64)
                    rows = Rows(view.relaxation.network.output, view.domains.query.matrix)
                    after = descend(child, rows, view.box, view.last_pass.starts).bound
                    assert float(after[0, 0]) >= float(view.last_pass.bound[0, 0] + gain[0, 0, j]) - 1e-7


def test_domains_do_not_see_each_other() -> None:
    for seed in SEEDS:
        one, forms, engine, root = seen(seed)
        three, *_ = seen(seed, boxes=3)
        for score in (line_score, bbps_score(forms), matrix_score(forms)):
            alone, together = score(one), score(three)
            for node in alone:
                assert torch.allclose(together[node], alone[node].expand(3, -1), atol=1e-9)


def test_worth_counts_open_clauses_and_no_more_than_they_need() -> None:
    zero = torch.zeros(1, 0, dtype=F64)

    def value(margins: list[float], clause: list[int], gains: list[float]) -> float:
        query = Query(
            zero,
            zero,
            torch.zeros(1, len(clause), 1),
            None,
            torch.zeros(1, len(clause)),
            torch.tensor([clause]),
        )
        found = worth(query, torch.tensor([margins], dtype=F64), torch.tensor([gains], dtype=F64)[..., None])
        return float(found[0, 0])

    assert value([-1.0], [0], [0.25]) == 0.25 and value([-1.0], [0], [5.0]) == 1.0
    assert value([1.0], [0], [3.0]) == 0.0
    assert value([-1.0, 2.0], [0, 0], [3.0, 3.0]) == 0.0
    assert value([-1.0, 2.0], [0, 1], [0.5, 3.0]) == pytest.approx(0.5 + 0.05)
    assert value([-1.0, -5.0], [0, 0], [0.0, 1.0]) < value([-1.0, -5.0], [0, 0], [1.0, 0.0])
    assert value([-1.0, -5.0], [0, 0], [0.0, 1.0]) > 0
    assert value([-float("inf")], [0], [2.0]) == 2.0


def test_means_of_children_lie_between_the_weaker_and_the_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.rand(2, 50, generator=generator, dtype=F64)
    geometric, mean = (first * second).sqrt(), (first + second) / 2
    assert bool((weaker(first, second) <= geometric + 1e-12).all())
    assert bool((geometric <= balanced(first, second) + 1e-12).all())
    assert bool((balanced(first, second) <= mean + 1e-12).all())


def test_bisected_relus_gain_as_babsr_says() -> None:
    """One ReLU read with coefficient -1 on [-1, 1]: chord (z + 1)/2 becomes 0 and z."""
    one = Dense(torch.ones(1, 1, dtype=F64))
    nodes = (Input(1), Nonlinear(make("relu"), (0,), 1), Affine(((1, one),), torch.zeros(1, dtype=F64)))
    network = Network(nodes, 2)
    low, high = torch.tensor([[-1.0]], dtype=F64), torch.tensor([[1.0]], dtype=F64)
    query = Query(
        low,
        high,
        -torch.ones(1, 1, 1, dtype=F64),
        None,
        torch.zeros(1, 1, dtype=F64),
        torch.zeros(1, 1, dtype=torch.long),
    )
    hidden = {0: (low, high)}
    margins = torch.full((1, 1), -1.0, dtype=F64)
    domains = Domains(query, margins[:, 0], torch.zeros(1, dtype=torch.long), None, hidden)
    relaxation = Relaxation(network, [(low, high), (low.clamp(min=0), high), (low, high)], F64)
    known = answered(relaxation, Rows(network.output, query.matrix), (low, high), WarmStart())
    view = view_of(relaxation, known, domains, margins, torch.tensor([0]), kink_or_middle)
    lower, upper = plain_gains(view, 0)
    assert float(lower) == pytest.approx(0.5) and float(upper) == pytest.approx(0.5)
    assert [float(g) for g in free_gains(view, 0)] == pytest.approx([0.0, 0.0], abs=1e-6)
    splits = pick(view, line_score(view), 1e-7)
    assert splits.node.tolist() == [0] and splits.point.tolist() == [0.0]
