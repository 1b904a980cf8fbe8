"""Bounds of random networks contain everything that sampling and gradient walks reach."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genbab.network import Affine, Dense, Input, Network, Node, Nonlinear, evaluate
from genbab.nonlinear import Nonlinearity, functions

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


@pytest.mark.parametrize("method", METHODS)
def test_these_tests_say_something(method: str) -> None:
    """Bounds of tamed networks are finite, and within a factor of a thousand of what is reached."""
    for seed in range(COUNT):
        network = random_network(seed, inputs=2, depth=2)
        low, high = random_box(seed, 2, radius=0.1)
        seen = extremes(network, low, high, 2)
        lower, upper = bounds(network, low, high, method)
        assert bool(torch.isfinite(upper - lower).all()), seed
        assert bool((upper - lower <= 1e3 * (1 + seen.abs().amax(0))).all()), seed


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
def test_every_function_on_a_grid(fn: Nonlinearity, method: str) -> None:
    network = random_network(7, inputs=1, outputs=1, depth=2, only=[fn])
    low, high = torch.tensor([-1.1], dtype=torch.float64), torch.tensor([0.9], dtype=torch.float64)
    assert escape(network, low, high, evaluate(network, grid(low, high, 4001)), method) <= 0


@pytest.mark.parametrize("method", ("backward", "optimised"))
@pytest.mark.parametrize("fn", functions(), ids=str)
def test_every_function_tightly_around_its_breaks(fn: Nonlinearity, method: str) -> None:
    """fn(x) + s x for slopes s near those of fn: the bounds are (nearly) exact, so a wrong fact shows."""
    random = torch.Generator().manual_seed(0)
    boxes = 6 * COUNT
    places = torch.tensor([0.0, *fn.breaks], dtype=torch.float64).clamp(*fn.domain)
    centre = places[torch.randint(len(places), (boxes,), generator=random)]
    width = 10 ** (torch.rand(2, boxes, generator=random, dtype=torch.float64) * 3 - 2)
    low, high = ((centre + side * w).clamp(*fn.domain) for side, w in zip((-1, 1), width, strict=True))
    near = torch.tensor([-1.0, -0.25, -0.1, -0.03, 0.03, 0.1, 0.25, 1.0], dtype=torch.float64)
    slopes = fn.derivative(torch.cat([places[:2][-1] + near, places[-1] + near]).clamp(*fn.domain))
    slopes = torch.nan_to_num(slopes, nan=0.0, posinf=1.0, neginf=-1.0)
    both = torch.cat([slopes, -slopes]).unsqueeze(1)
    ones = torch.ones(len(both), 1, dtype=torch.float64)
    sign = Dense(torch.cat([ones[: len(slopes)], -ones[len(slopes) :]]))
    nodes: tuple[Node, ...] = (Input(1), Nonlinear(fn, (0,), 1))
    output = Affine(((1, sign), (0, Dense(-both))), torch.zeros(len(both), dtype=torch.float64))
    network = Network((*nodes, output), 2)
    lower, upper = api.bounds(network, low[:, None], high[:, None], method=method)
    weight = torch.linspace(0, 1, 401, dtype=torch.float64)[:, None, None]
    x = torch.lerp(low[None, :, None], high[None, :, None], weight)
    seen = evaluate(network, x)
    slack = 1e-12 * (1 + seen.abs())
    outside = torch.maximum(lower - seen - slack, seen - upper - slack)
    assert float(torch.nan_to_num(outside, nan=-1.0).amax()) <= 0


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
