"""Fusion on networks in normal form: values stay, entries keep their own argument, and what is no function of
one number per entry stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.network import (
    Affine,
    Dense,
    Diagonal,
    Identity,
    Index,
    Input,
    LinearMap,
    Network,
    Node,
    Nonlinear,
    evaluate,
)
from genbab.nonlinear import Expression, Nonlinearity, Product, make
from genbab.reader.fuse import wrapped
from genbab.reader.fuse.fuse import fuse
from genbab.reader.fuse.wrapped import Ask

SIZE = 6
SMOOTH = ("sigmoid", "tanh", "erf", "sin", "softplus", "relu", "abs", "silu")


class Graph:
    """A network under construction; every method appends a node and returns its number."""

    def __init__(self, size: int = SIZE) -> None:
        self.nodes: list[Node] = [Input(size)]

    def fn(self, name: str, a: int) -> int:
        return self._add(Nonlinear(make(name), (a,), self.nodes[a].size))

    def times(self, a: int, b: int) -> int:
        return self._add(Nonlinear(Product(), (a, b), self.nodes[a].size))

    def move(self, a: int, index: list[int]) -> int:
        return self.sum((a, Index(torch.tensor(index), self.nodes[a].size)))

    def scale(self, a: int, *weights: float, bias: float = 0.0) -> int:
        size = self.nodes[a].size
        full = torch.tensor(weights, dtype=torch.float64).expand(size).clone()
        return self.sum((a, Diagonal(full)), bias=torch.full((size,), bias, dtype=torch.float64))

    def sum(self, *terms: tuple[int, LinearMap] | int, bias: Tensor | None = None) -> int:
        whole = [(t, Identity(self.nodes[t].size)) if isinstance(t, int) else t for t in terms]
        return self._add(
            Affine(tuple(whole), torch.zeros(whole[0][1].out_size).double() if bias is None else bias)
        )

    def network(self, output: int | None = None) -> Network:
        network = Network(tuple(self.nodes), len(self.nodes) - 1 if output is None else output)
        network.check()
        return network

    def _add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1


def functions(network: Network) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in network.nodes:
        if isinstance(node, Nonlinear):
            found[node.fn.name] = found.get(node.fn.name, 0) + node.size
    return found


def fused(network: Network, tolerance: float = 1e-12) -> Network:
    """The network after fusion, which computes the same."""
    after = fuse(network)
    after.check()
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(64, network.input_size)) * 2.0)
    expected = evaluate(network, x)
    torch.testing.assert_close(evaluate(after, x), expected, rtol=tolerance, atol=tolerance)
    return after


def nonlinear_nodes(network: Network) -> int:
    return sum(isinstance(node, Nonlinear) for node in network.nodes)


def _random(seed: int) -> Network:
    """A random graph of elementwise operations, with a dense layer, moved copies and several readers."""
    random = np.random.default_rng(seed)
    graph = Graph()
    made = [0]

    def pick() -> int:
        return made[int(random.integers(max(0, len(made) - 4), len(made)))]

    def copy() -> int:
        a = pick()
        index = random.permutation(SIZE) if random.random() < 0.5 else np.arange(SIZE)
        return graph.move(a, [int(n) for n in index])

    def total() -> int:
        weights = [
            (pick(), Diagonal(torch.from_numpy(random.choice([0.5, -1.0, 1.5], SIZE)))) for _ in range(2)
        ]
        return graph.sum(*weights, bias=torch.from_numpy(random.choice([0.0, 0.25], SIZE)))

    def dense() -> int:
        weight = torch.from_numpy(random.normal(size=(SIZE, SIZE)) / SIZE)
        return graph.sum((pick(), Dense(weight)))

    kinds: list[Callable[[], int]] = [
        lambda: graph.fn(str(random.choice(SMOOTH)), pick()),
        lambda: graph.fn(str(random.choice(SMOOTH)), pick()),
        lambda: graph.times(pick(), pick()),
        lambda: graph.scale(
            pick(), float(random.choice([0.5, -0.5, 1.25])), bias=float(random.choice([0.0, 0.5]))
        ),
        total,
        copy,
        dense,
    ]
    for _ in range(int(random.integers(3, 11))):
        made.append(kinds[int(random.integers(len(kinds)))]())
    return graph.network()


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_keep_their_values(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapped, "certified", _trusting)
    network = _random(seed)
    after = fused(network)
    assert nonlinear_nodes(after) <= 64


def _trusting(expression: Expression, ask: Ask) -> Nonlinearity:
    """A record without facts: what is tested here are values."""
    return Nonlinearity(expression.digest, expression.value, expression.derivative)


def test_a_function_that_cannot_be_certified_is_fused_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(expression: Expression, ask: Ask) -> Nonlinearity:
        if expression.functions > 2:
            raise UsageError("too much for this test")
        return _trusting(expression, ask)

    monkeypatch.setattr(wrapped, "certified", refuse)
    graph = Graph()
    first = graph.sum(graph.fn("sin", 0), graph.fn("tanh", 0))
    graph.sum(first, graph.fn("erf", graph.fn("exp", first)))
    assert nonlinear_nodes(fused(graph.network())) == 2


def test_permuted_copies_are_different_arguments() -> None:
    graph = Graph()
    turned = graph.move(0, [1, 0, 3, 2, 5, 4])
    graph.times(turned, graph.fn("sigmoid", 0))
    assert functions(fused(graph.network())) == {"product": SIZE, "sigmoid": SIZE}


def test_equally_permuted_copies_are_one_argument() -> None:
    graph = Graph()
    order = [1, 0, 3, 2, 5, 4]
    graph.times(graph.move(0, order), graph.move(graph.fn("sigmoid", 0), order))
    assert functions(fused(graph.network())) == {"silu": SIZE}


def test_a_transposed_gate_is_a_product() -> None:
    graph = Graph(4)
    graph.times(0, graph.fn("sigmoid", graph.move(0, [0, 2, 1, 3])))
    assert functions(fused(graph.network())) == {"product": 4, "sigmoid": 4}


def test_different_roots_are_a_product() -> None:
    graph = Graph()
    mixed = graph.sum((0, Dense(torch.eye(SIZE, dtype=torch.float64).flip(0))))
    graph.times(0, graph.fn("sigmoid", mixed))
    assert functions(fused(graph.network())) == {"product": SIZE, "sigmoid": SIZE}


def test_a_broadcast_argument_is_copied_before_the_function() -> None:
    graph = Graph(2)
    wide = graph.move(0, [0, 0, 0, 1, 1, 1])
    shifted = graph.sum(wide, bias=torch.tensor([0.0, 1.0, 2.0] * 2, dtype=torch.float64))
    graph.times(shifted, graph.fn("sigmoid", shifted))
    assert functions(fused(graph.network())) == {"silu": 6}


def test_a_constant_for_some_entries_is_no_argument() -> None:
    graph = Graph()
    graph.times(graph.move(0, [0, 1, 2, -1, -1, -1]), graph.fn("sigmoid", 0))
    fused(graph.network())


def test_a_concatenation_is_looked_through() -> None:
    graph = Graph(3)
    terms = []
    for n, name in enumerate(("tanh", "sin")):
        place = torch.full((6,), -1)
        place[3 * n : 3 * n + 3] = torch.arange(3)
        terms.append((graph.fn(name, 0), Index(place, 3)))
    both = graph.sum(*terms)
    graph.times(both, both)
    assert len(functions(fused(graph.network()))) == 2


def test_per_channel_constants_share_one_function() -> None:
    graph = Graph()
    betas = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    graph.times(0, graph.fn("sigmoid", graph.scale(0, *betas)))
    network = fused(graph.network())
    assert functions(network) == {"silu": SIZE}
    assert nonlinear_nodes(network) == 1


def test_per_channel_constants_inside_a_composed_function() -> None:
    graph = Graph()
    betas = torch.tensor([0.3, 0.7, 1.5, 2.1, 2.5, 3.3], dtype=torch.float64)
    wave = graph.fn("sin", graph.scale(0, *betas.tolist()))
    graph.sum(0, (graph.times(wave, wave), Diagonal(1.0 / betas)))
    assert nonlinear_nodes(fused(graph.network())) == 1


def test_different_functions_side_by_side() -> None:
    graph = Graph()
    shifts = torch.tensor([0.0, 1.0] * 3, dtype=torch.float64)
    graph.sum(graph.fn("relu", 0), graph.fn("relu", graph.sum(0, bias=shifts)))
    network = fused(graph.network())
    assert nonlinear_nodes(network) == 2
    assert sum(functions(network).values()) == SIZE


def test_too_many_different_functions_stay_in_parts() -> None:
    graph = Graph(200)
    shifts = torch.linspace(0.0, 1.0, 200, dtype=torch.float64)
    graph.sum(graph.fn("sin", 0), graph.fn("relu", graph.sum(0, bias=shifts)))
    assert functions(fused(graph.network())) == {"sin": 200, "relu": 200}


def test_one_nonlinear_step_stays_as_it_is() -> None:
    graph = Graph()
    slopes = torch.linspace(0.1, 0.9, SIZE, dtype=torch.float64)
    graph.sum((0, Diagonal(slopes)), (graph.fn("relu", graph.scale(0, 2.0)), Diagonal(1.0 - slopes)))
    network = graph.network()
    assert len(fused(network).nodes) == len(network.nodes)


def test_the_argument_of_the_first_step_is_the_root() -> None:
    graph = Graph()
    weights = torch.linspace(0.5, 2.0, SIZE, dtype=torch.float64)
    scaled = graph.sum((0, Diagonal(weights)), bias=weights)
    graph.times(scaled, graph.fn("sigmoid", scaled))
    network = fused(graph.network())
    assert [type(node) for node in network.nodes] == [Input, Affine, Nonlinear]


def test_parts_that_others_read_stay() -> None:
    graph = Graph()
    gate = graph.fn("sigmoid", 0)
    swish = graph.times(0, gate)
    weight = Dense(torch.ones(1, SIZE, dtype=torch.float64))
    graph.sum((swish, weight), (gate, weight), bias=torch.zeros(1, dtype=torch.float64))
    assert functions(fused(graph.network())) == {"silu": SIZE, "sigmoid": SIZE}


def test_the_output_may_be_an_intermediate() -> None:
    graph = Graph()
    gate = graph.fn("sigmoid", 0)
    graph.times(0, gate)
    network = fused(graph.network(output=gate))
    assert functions(network) == {"sigmoid": SIZE}
    assert len(network.nodes) == 2


def test_nodes_that_nobody_needs_do_not_hinder() -> None:
    graph = Graph()
    gate = graph.fn("sigmoid", 0)
    swish = graph.times(0, gate)
    graph.fn("exp", gate)
    assert functions(fused(graph.network(output=swish))) == {"silu": SIZE}


def test_poles_and_domains_are_kept() -> None:
    graph = Graph()
    graph.times(0, graph.fn("reciprocal", 0))
    network = fuse(graph.network())
    x = torch.tensor([0.0, 1.0, -2.0, 0.5, 3.0, -1.0], dtype=torch.float64)
    assert bool(torch.isnan(evaluate(network, x)[0]))
    graph = Graph()
    root = graph.fn("sqrt", 0)
    graph.times(root, root)
    assert bool(torch.isnan(evaluate(fuse(graph.network()), -torch.ones(SIZE, dtype=torch.float64))).all())
