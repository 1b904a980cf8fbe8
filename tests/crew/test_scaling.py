"""What `benchmarks/scaling.py` simulates is a search: all of a tree, once, in no less time than it takes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "benchmarks"))
costs, crew, record, trees = (
    importlib.import_module(f"crew_scaling.{name}") for name in ("costs", "crew", "record", "tree")
)
sys.path.remove(str(ROOT / "benchmarks"))
Costs, HubCost, Linear, Place, Wire = (
    getattr(costs, name) for name in ("Costs", "HubCost", "Linear", "Place", "Wire")
)
HUB = HubCost(Linear(1e-4, 1e-5), Linear(1e-4, 1e-6))
SLOW = Place("far", 0.05, 1e6, 0.01, 0.5, 0.01, 1.2, 1e-3)
EXAMPLES = ROOT / "examples"
ASKED = [str(EXAMPLES / name) for name in ("onnx/controller.onnx", "vnnlib/controller_holds.vnnlib")]


def priced(fixed: float, each: float, attack: float = 0.0) -> Any:
    attacks = costs.AttackCost(attack, 0.0, 0.0, 0)
    return Costs(Linear(fixed, each), attacks, HUB, Wire(500, 200.0, 1e-6))


def grown(seed: int, batch: int) -> Any:
    """A tree as chance wills it, searched by one worker that takes the worst domains first."""
    random = np.random.default_rng(seed)
    roots, open_, rounds, nodes = 3, [(0.0, n) for n in range(3)], [], 3
    while open_:
        open_.sort()
        parents, open_ = open_[:batch], open_[batch:]
        rounds.append(parents)
        for number in range(2 * len(parents)):
            if nodes < 600 and (random.random() < 0.6 or nodes < 40):
                open_.append((parents[number % len(parents)][0] + random.random(), nodes + number))
        nodes += 2 * len(parents)
    every = [pair for some in rounds for pair in some]
    counts = np.array([len(some) for some in rounds])
    numbers, bounds = np.array([n for _, n in every]), np.array([b for b, _ in every])
    nothing = np.zeros(len(counts))
    return trees.RecordedTree(roots, numbers, bounds, counts, nothing, nothing, nothing, np.zeros(4), batch)


def full_tree(levels: int, batch: int) -> Any:
    """A tree in which everything is split so many times."""
    counts, parents, nothing = 2 ** np.arange(levels), np.arange(2**levels - 1), np.zeros(levels)
    bounds = np.zeros(len(parents))
    return trees.RecordedTree(1, parents, bounds, counts, nothing, nothing, nothing, np.zeros(4), batch)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 60), st.sampled_from([1, 2, 3, 5, 16, 40]), st.booleans())
def test_every_domain_is_split_once_and_time_is_no_less_than_it_takes(
    seed: int, batch: int, workers: int, far: bool
) -> None:
    tree, place = grown(seed, batch), SLOW if far else costs.IDEAL
    price = priced(0.1, 0.01, attack=0.2)
    found = crew.simulated(tree, price, place, workers)  # which asserts that all is split, and once
    work = 0.01 * len(tree.parents)
    assert found.search >= work / workers * (1 - 1e-9)
    assert found.search >= (tree.depths().max()) * price.round(1) * (1 - 1e-9)
    assert found.work >= work * (1 - 1e-9) and 0 <= found.idle < 1
    assert found.moved <= found.bytes


def test_one_worker_takes_what_its_rounds_took() -> None:
    tree = grown(3, 16)
    found = crew.simulated(tree, priced(0.1, 0.01), SLOW, 1)
    assert found.search == pytest.approx(0.1 * len(tree.counts) + 0.01 * len(tree.parents))
    assert found.messages == 0 and found.rounds == len(tree.counts)


@pytest.mark.parametrize("workers", [2, 8, 64])
def test_where_only_domains_cost_all_workers_count(workers: int) -> None:
    """Every round of one domain: without fixed costs and messages nothing is left to wait for."""
    tree = full_tree(14, batch=1)
    price = priced(0.0, 0.02).free()
    one, many = (crew.simulated(tree, price, costs.IDEAL, n) for n in (1, workers))
    assert 0.9 * workers < (one.search - many.alone) / (many.search - many.alone) <= workers + 1e-6


def test_what_costs_more_takes_longer() -> None:
    tree = full_tree(10, batch=64)
    price = priced(0.05, 0.001)
    near = crew.simulated(tree, price.free(), costs.IDEAL, 8).search
    assert near < crew.simulated(tree, price, SLOW, 8).search
    assert near < crew.simulated(tree, priced(0.1, 0.001).free(), costs.IDEAL, 8).search


def test_copies_are_searched_like_one_that_is_harder() -> None:
    tree = grown(5, 16)
    many = tree.copies(7)
    assert many.nodes == 7 * tree.nodes and many.depths().max() == tree.depths().max()
    assert np.bincount(many.depths()).tolist() == (7 * np.bincount(tree.depths())).tolist()
    crew.simulated(many, priced(0.1, 0.01), SLOW, 5)


def test_cost_of_rounds_is_found_again_and_keeps_the_sum() -> None:
    parents = np.array([1, 2, 4, 100, 2000])
    exact = Linear.fitted(parents, 0.1 + 0.002 * parents)
    assert (exact.fixed, exact.each) == pytest.approx((0.1, 0.002))
    seconds = np.array([0.1, 0.2, 0.1, 0.5, 3.0])
    fitted = Linear.fitted(parents, seconds)
    assert sum(map(fitted, parents)) == pytest.approx(seconds.sum())


def test_recorded_tree_is_the_one_that_was_searched(tmp_path: Path) -> None:
    words = [*ASKED, "--quiet", "--branching", "input", "--batch", "8"]
    record.record(words, tmp_path / "tree.npz")
    tree = trees.RecordedTree.load(tmp_path / "tree.npz")
    assert tree.batch == 8 and tree.counts.max() <= 8 and len(tree.parents) == tree.counts.sum()
    assert sorted(set(tree.parents.tolist())) == sorted(tree.parents.tolist())
    assert len(tree.seconds) == len(tree.processor) == len(tree.attacks) == len(tree.counts)
    first, second = tree.first_children(), tree.second_children()
    children = np.concatenate([first[first >= 0], second[second >= 0]])
    assert sorted(children.tolist()) == list(range(tree.roots, tree.nodes))
    split = tree.keys()[children] < np.inf
    parents = np.concatenate([np.flatnonzero(first >= 0)] * 2)
    assert (tree.keys()[children][split] >= tree.keys()[parents][split]).all(), "bounds only rise"
    found = crew.simulated(tree, priced(0.1, 0.01), SLOW, 1)
    assert found.rounds == len(tree.counts), "the same rounds again"
