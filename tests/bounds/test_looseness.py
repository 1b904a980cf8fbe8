"""The account of a bound's gap: parts that are never negative and add up to exactly what was lost."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import genbab
from genbab.bounds import account, descend
from genbab.network import Network
from genbab.specs import robustness
from tests.soundness.graphs import random_network

from .exact import relaxed
from .samples import boxes, row_values, some_rows
from .test_attention import network as attention
from .test_slopes import wild


def check(network: Network, seed: int) -> None:
    """The account adds up, with default slopes and with wild ones."""
    box = boxes(seed, network.input_size, 3, 0.3)
    relaxation, rows = relaxed(network, box), some_rows(network, seed, 3)
    plain = descend(relaxation, rows, box, {})
    for slopes in ({}, wild(plain.starts, seed, 0.0) if not network.grouped else {}):
        one = descend(relaxation, rows, box, slopes)
        found = account(relaxation, rows, box, slopes)
        if not bool(one.bound.isfinite().all()):
            continue
        assert torch.equal(found.bound, one.bound)
        corners = one.corner  # (B, S, D): row s at its own corner
        own = row_values(rows, network, corners).diagonal(dim1=-2, dim2=-1)
        scale = 1e-9 * (1 + own.abs() + found.bound.abs() + sum(g.abs() for g in found.gaps.values()))
        assert bool(((found.value - own).abs() <= scale).all())
        total = torch.stack(list(found.gaps.values())).sum(0) if found.gaps else torch.zeros_like(own)
        assert bool(((found.value - found.bound - total).abs() <= scale).all())
        assert all(bool((gap >= -scale).all()) for gap in found.gaps.values())
        assert set(found.gaps) == set(one.starts)


@pytest.mark.parametrize("seed", range(12))
def test_parts_add_up_to_the_gap(seed: int) -> None:
    check(random_network(seed, inputs=1 + seed % 3, depth=1 + seed % 4), seed)


@pytest.mark.parametrize("seed", range(3))
def test_groups_take_part(seed: int) -> None:
    network = attention(seed)
    check(network, seed)
    box = boxes(seed, network.input_size, 1, 0.3)
    found = account(relaxed(network, box), some_rows(network, seed, 1), box, {})
    assert float(found.gaps[4].max()) > 0


def test_points_lose_nothing() -> None:
    network = random_network(5, inputs=2, depth=3)
    x = boxes(5, 2, 2)[0]
    rows = some_rows(network, 5, 2)
    found = account(relaxed(network, (x, x)), rows, (x, x), {})
    scale = 1e-7 * (1 + found.value.abs())
    assert all(bool((gap.abs() <= scale).all()) for gap in found.gaps.values())


def statistics(eps: float, **settings: Any) -> tuple[genbab.Result, dict[str, Any]]:
    """A verification of a small network around the origin, and its statistics."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.Tanh(), torch.nn.Linear(12, 12))
    net = torch.nn.Sequential(net, torch.nn.Tanh(), torch.nn.Linear(12, 3)).eval()
    x = torch.full((6,), 0.1)
    label = int(net(x).argmax())
    model = genbab.load(net, x[None])
    spec = robustness(x.double().numpy(), label, 3, eps, None, "inf")
    result = genbab.verify(model, spec, genbab.Config(timeout=20, **settings))
    return result, dict(result.statistics)


@pytest.mark.parametrize("branching", ["input", "neuron"])
@pytest.mark.parametrize("eps", [0.01, 0.15])
def test_runs_say_where_their_root_is_loose(eps: float, branching: str) -> None:
    result, told = statistics(eps, branching=branching)
    if result.verdict == "falsified":
        assert len(told["box"]["lower"]) == 6 and told["inputs"][0]["shape"]
        return
    gap, layers = told["gap"], told["layers"]
    lost = gap["value"] - gap["bound"]
    assert sum(layer["gap"] for layer in layers) == pytest.approx(lost, rel=1e-6, abs=1e-9)
    assert all(layer["gap"] >= 0 and 0 < layer["mean"] <= layer["widest"] for layer in layers)
    assert len(layers) == 2 and all(layer["name"] for layer in layers)
    assert result.verdict != "verified" or gap["value"] > 0
    again = genbab.Result.from_json(result.to_json())
    assert again.statistics["gap"] == gap
