"""Legal networks, evaluation, and that simplification changes nothing but the form."""

from __future__ import annotations

import pytest
import torch

from genbab.errors import ModelError
from genbab.network import (
    Adjoint,
    Affine,
    Compose,
    Dense,
    Diagonal,
    Identity,
    Index,
    Input,
    LinearMap,
    Network,
    Node,
    Nonlinear,
    TokenDense,
    evaluate,
    simplify,
    values,
)
from genbab.nonlinear import Product
from genbab.reader.tensors.functions import function

F64 = torch.float64


def random_map(size: int, generator: torch.Generator) -> LinearMap:
    """A linear map R^size -> R^size (size even) of a random kind."""
    kind = int(torch.randint(8, (), generator=generator))
    weight = torch.randn(size, size, dtype=F64, generator=generator)
    index = torch.randint(-1, size, (size,), generator=generator)
    made: list[LinearMap] = [
        Identity(size),
        Dense(weight),
        Diagonal(weight[0]),
        Index(index, size),
        Adjoint(Index(index, size)),
        TokenDense(weight[None, :2, :2].contiguous(), 1, size // 2),
        Index(torch.randperm(size, generator=generator), size),
        Compose((Index(index, size), Diagonal(weight[1]))),
    ]
    return made[kind]


def random_network(seed: int, length: int = 14, size: int = 6) -> Network:
    """A random DAG with more affine than nonlinear nodes, some of them dead or mere copies."""
    g = torch.Generator().manual_seed(seed)
    nodes: list[Node] = [Input(size)]
    for i in range(1, length):
        picks = [int(torch.randint(i, (), generator=g)) for _ in range(3)]
        kind = int(torch.randint(6, (), generator=g))
        if kind == 0:
            nodes.append(Nonlinear(function("sin"), (picks[0],), size))
        elif kind == 1:
            nodes.append(Nonlinear(Product(), (picks[0], picks[1]), size))
        else:
            some = picks[: 1 + int(torch.randint(3, (), generator=g))]
            bias = torch.randn(size, dtype=F64, generator=g) * (kind > 3)
            nodes.append(Affine(tuple((s, random_map(size, g)) for s in some), bias))
    return Network(tuple(nodes), length - 1 - int(torch.randint(2, (), generator=g)))


@pytest.mark.parametrize("seed", range(60))
def test_simplification_preserves_values(seed: int) -> None:
    network = random_network(seed)
    network.check()
    small = simplify(network)
    small.check()
    x = torch.randn(5, network.input_size, dtype=F64)
    assert torch.allclose(evaluate(small, x), evaluate(network, x), atol=1e-9)
    assert len(small.nodes) <= len(network.nodes)
    assert len(simplify(small).nodes) <= len(small.nodes)


def test_dead_nodes_and_copies_go() -> None:
    zero = torch.zeros(2, dtype=F64)
    nodes: list[Node] = [
        Input(2),
        Affine(((0, Dense(torch.eye(2, dtype=F64))),), zero),
        Affine(((0, Identity(2)),), zero),
        Nonlinear(function("sin"), (2,), 2),
        Affine(((3, Identity(2)),), zero),
    ]
    small = simplify(Network(tuple(nodes), 4, ("input", "dead", "copy", "sin", "out")))
    assert [type(n).__name__ for n in small.nodes] == ["Input", "Nonlinear"]
    assert small.output == 1 and small.names == ("input", "sin")


def test_a_residual_stream_stays_a_stream() -> None:
    """Ten blocks x + W relu(x): one affine node each, with two terms."""
    nodes: list[Node] = [Input(4)]
    stream, weight = 0, Dense(torch.randn(4, 4, dtype=F64))
    for _ in range(10):
        nodes.append(Nonlinear(function("relu"), (stream,), 4))
        nodes.append(Affine(((len(nodes) - 1, weight), (stream, Identity(4))), torch.zeros(4, dtype=F64)))
        stream = len(nodes) - 1
    small = simplify(Network(tuple(nodes), stream))
    assert max(len(n.terms) for n in small.nodes if isinstance(n, Affine)) == 2


def test_concatenations_are_looked_through() -> None:
    parts = [(0, Index(torch.tensor([0, 1, -1, -1]), 2)), (1, Index(torch.tensor([-1, -1, 0, 1]), 2))]
    zero = torch.zeros(4, dtype=F64)
    nodes: list[Node] = [
        Input(2),
        Nonlinear(function("sin"), (0,), 2),
        Affine(tuple(parts), zero),
        Affine(((2, Index(torch.tensor([2, 3]), 4)),), zero[:2]),
        Nonlinear(function("exp"), (3,), 2),
        Affine(((2, Identity(4)), (4, Index(torch.tensor([0, 1, 0, 1]), 2))), zero),
    ]
    network = Network(tuple(nodes), 5)
    small = simplify(network)
    x = torch.randn(3, 2, dtype=F64)
    assert torch.allclose(evaluate(small, x), evaluate(network, x))
    exp = next(n for n in small.nodes if isinstance(n, Nonlinear) and n.fn.name == "exp")
    assert exp.args == (1,)


def test_ancestors_consumers_relaxed() -> None:
    zero = torch.zeros(2, dtype=F64)
    nodes = (Input(2), Affine(((0, Identity(2)),), zero), Nonlinear(Product(), (0, 1), 2))
    network = Network(nodes, 2)
    assert network.relaxed == (0, 1)
    assert network.consumers == ((1, 2), (2,), ())
    assert network.ancestors[2] == {0, 1, 2}
    assert [v.tolist() for v in values(network, torch.tensor([2.0, 3.0], dtype=F64))][2] == [4.0, 9.0]


BAD: dict[str, tuple[list[Node], int]] = {
    "must be the input": ([Affine((), torch.zeros(1, dtype=F64))], 0),
    "is not a node": ([Input(1)], 1),
    "second input": ([Input(1), Input(1)], 1),
    "does not come before": ([Input(1), Affine(((1, Identity(1)),), torch.zeros(1, dtype=F64))], 1),
    "maps 2 to 2 numbers": ([Input(1), Affine(((0, Identity(2)),), torch.zeros(2, dtype=F64))], 1),
    "arguments of the wrong": ([Input(1), Nonlinear(Product(), (0,), 1)], 1),
    "bias that is not finite": ([Input(1), Affine((), torch.tensor([torch.nan]))], 1),
    "weight that is not a finite": (
        [
            Input(1),
            Affine(
                ((0, Compose((Diagonal(torch.ones(1)), Diagonal(torch.tensor([torch.inf]))))),),
                torch.zeros(1, dtype=F64),
            ),
        ],
        1,
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_illegal_networks(message: str) -> None:
    nodes, output = BAD[message]
    with pytest.raises(
        ModelError, match=message.replace("bias that is not finite", "bias that is not a finite")
    ):
        Network(tuple(nodes), output).check()
