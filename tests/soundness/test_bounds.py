"""Bounds of random networks contain everything that sampling and gradient walks reach."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genbab.network import Network, evaluate
from genbab.nonlinear import functions

from .graphs import extremes, grid, random_box, random_network

api = pytest.importorskip("genbab.api", reason="the bounds are not there yet")

METHODS = ("interval", "forward", "backward", "optimised")

COUNT = 25
"""Random networks per test; multiply it for a long run."""


def escape(network: Network, low: Tensor, high: Tensor, seen: Tensor, method: str) -> float:
    """How far the seen outputs (M, O) leave the bounds, beyond rounding; NaN bounds leave infinitely far."""
    lower, upper = bounds(network, low, high, method)
    assert not bool(lower.isnan().any() or upper.isnan().any())
    slack = 1e-9 * (1 + seen.abs())
    outside = torch.maximum(lower - seen - slack, seen - upper - slack)
    return float(torch.nan_to_num(outside, nan=-1.0).amax())


def bounds(network: Network, low: Tensor, high: Tensor, method: str) -> tuple[Tensor, Tensor]:
    """Bounds (O,), (O,) in float64."""
    lower, upper = api.bounds(network, low, high, method=method)
    return torch.as_tensor(lower).double().reshape(-1), torch.as_tensor(upper).double().reshape(-1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(COUNT))
def test_outputs_of_random_graphs_lie_inside(seed: int, method: str) -> None:
    network = random_network(seed, inputs=1 + seed % 4, depth=1 + seed % 5)
    low, high = random_box(seed, network.input_size)
    assert escape(network, low, high, extremes(network, low, high), method) <= 0


@pytest.mark.parametrize("method", ("interval", "backward"))
@pytest.mark.parametrize("seed", range(0, COUNT, 5))
def test_every_hidden_node_lies_inside(seed: int, method: str) -> None:
    whole = random_network(seed, depth=3)
    low, high = random_box(seed, whole.input_size)
    for node in range(1, len(whole.nodes)):
        network = Network(whole.nodes[: node + 1], node)
        assert escape(network, low, high, extremes(network, low, high, 6), method) <= 0, f"node {node}"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fn", functions(), ids=str)
def test_every_function_on_a_grid(fn: object, method: str) -> None:
    network = random_network(7, inputs=1, outputs=1, depth=2, only=[fn])  # type: ignore[list-item]
    low, high = torch.tensor([-1.1], dtype=torch.float64), torch.tensor([0.9], dtype=torch.float64)
    assert escape(network, low, high, evaluate(network, grid(low, high, 4001)), method) <= 0


@pytest.mark.parametrize("seed", range(COUNT // 3))
def test_two_inputs_against_a_grid(seed: int) -> None:
    network = random_network(seed + 500, inputs=2, depth=4)
    low, high = random_box(seed, 2, radius=1.5)
    seen = evaluate(network, grid(low, high, 81))
    for method in METHODS:
        assert escape(network, low, high, seen, method) <= 0, method


@pytest.mark.parametrize("width", (0.0, 1e-30, 1e-12, 1e3, 1e6))
@pytest.mark.parametrize("seed", range(3))
def test_boxes_of_extreme_width(seed: int, width: float) -> None:
    network = random_network(seed + 900, inputs=2, depth=3)
    centre = torch.tensor([0.25, -0.5], dtype=torch.float64)
    low, high = centre - width, centre + width
    seen = extremes(network, low, high, 4)
    for method in METHODS:
        assert escape(network, low, high, seen, method) <= 0, method


@pytest.mark.parametrize("method", ("interval", "backward"))
@pytest.mark.parametrize("seed", range(0, COUNT, 5))
def test_a_smaller_box_has_no_wider_bounds_after_intersection(seed: int, method: str) -> None:
    """Bounds of both halves, cut with the whole's and joined, enclose what was seen on the whole."""
    network = random_network(seed + 50, inputs=2, depth=3)
    low, high = random_box(seed, 2)
    whole = bounds(network, low, high, method)
    middle = torch.stack([(low[0] + high[0]) / 2, high[1]])
    left, right = (
        bounds(network, low, middle, method),
        bounds(network, torch.stack([middle[0], low[1]]), high, method),
    )
    lower = torch.minimum(torch.maximum(left[0], whole[0]), torch.maximum(right[0], whole[0]))
    upper = torch.maximum(torch.minimum(left[1], whole[1]), torch.minimum(right[1], whole[1]))
    seen = extremes(network, low, high)
    slack = 1e-9 * (1 + seen.abs())
    assert bool((torch.nan_to_num(lower - seen - slack, nan=-1.0) <= 0).all())
    assert bool((torch.nan_to_num(seen - upper - slack, nan=-1.0) <= 0).all())


@pytest.mark.parametrize("seed", range(0, COUNT, 5))
def test_intervals_shrink_with_the_box(seed: int) -> None:
    network = random_network(seed + 50, inputs=2, depth=3)
    low, high = random_box(seed, 2)
    whole = bounds(network, low, high, "interval")
    inner = bounds(network, 0.75 * low + 0.25 * high, 0.25 * low + 0.75 * high, "interval")
    slack = 1e-9 * (1 + whole[0].abs().clamp(max=1e300) + whole[1].abs().clamp(max=1e300))
    assert bool((inner[0] >= whole[0] - slack).all() and (inner[1] <= whole[1] + slack).all())


def test_better_methods_are_not_looser() -> None:
    for seed in range(COUNT // 3):
        network = random_network(seed, inputs=2, depth=3)
        low, high = random_box(seed, 2)
        lower, upper = zip(
            *(bounds(network, low, high, m) for m in ("interval", "backward", "optimised")), strict=True
        )
        for k in (0, 1):
            slack = 1e-6 * (1 + lower[k].abs().clamp(max=1e300) + upper[k].abs().clamp(max=1e300))
            assert bool(
                (lower[k + 1] >= lower[k] - slack).all() and (upper[k + 1] <= upper[k] + slack).all()
            ), seed
