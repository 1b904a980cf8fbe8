"""Walks bring to each node what its sources mean, and forms back to the input; exchanged nodes are seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
import torch
from torch import Tensor

from genbab.network import (
    Affine,
    Dense,
    Grouped,
    Identity,
    Input,
    Meaning,
    Network,
    Node,
    Nonlinear,
    backward,
    evaluate,
    forward,
)
from genbab.nonlinear import Product, make

F64 = torch.float64


def affine_network(seed: int, length: int = 8, size: int = 3) -> Network:
    """Sums of random maps of two earlier nodes each, the same one twice among them."""
    g = torch.Generator().manual_seed(seed)
    nodes: list[Node] = [Input(size)]
    for i in range(1, length):
        picks = [int(torch.randint(i, (), generator=g)) for _ in range(2)]
        maps = [Dense(torch.randn(size, size, dtype=F64, generator=g)) for _ in picks]
        nodes.append(Affine(tuple(zip(picks, maps, strict=True)), torch.randn(size, dtype=F64, generator=g)))
    return Network(tuple(nodes), length - 1)


class Pulled(Meaning[Tensor, Iterable[tuple[int, Tensor]]]):
    """What a form of a sum is of its sources."""

    def affine(self, i: int, node: Affine, x: Tensor) -> Iterable[tuple[int, Tensor]]:
        return [(source, one.pull(x)) for source, one in node.terms]


@pytest.mark.parametrize("seed", range(10))
def test_a_form_brought_back_is_that_form_of_the_output(seed: int) -> None:
    network = affine_network(seed)
    g = torch.Generator().manual_seed(seed)
    form, x = torch.randn(1, 2, 3, dtype=F64, generator=g), torch.randn(4, 3, dtype=F64, generator=g)
    back = backward(network, {network.output: form}, Pulled())
    assert back is not None
    moved = evaluate(network, x) - evaluate(network, torch.zeros(3, dtype=F64))
    assert torch.allclose(x @ back[0].mT, moved @ form[0].mT)


def test_forms_of_nothing_are_no_form_of_the_input() -> None:
    network = Network((Input(2), Affine((), torch.ones(2, dtype=F64))), 1)
    assert backward(network, {1: torch.ones(1, 1, 2, dtype=F64)}, Pulled()) is None


class Story(Meaning[Sequence[str], str]):
    """Each node's kind with what its sources are."""

    def input(self, i: int, node: Input, x: Sequence[str]) -> str:
        return "x"

    def affine(self, i: int, node: Affine, x: Sequence[str]) -> str:
        return f"sum({', '.join(x)})"

    def function(self, i: int, node: Nonlinear | Grouped, x: Sequence[str]) -> str:
        return f"{node.fn.name}({', '.join(x)})"


def mixed() -> Network:
    """A node of each kind but the grouped, one read twice."""
    total = Affine(((0, Identity(1)),), torch.zeros(1, dtype=F64))
    return Network((Input(1), total, Nonlinear(make("sin"), (1,), 1), Nonlinear(Product(), (2, 2), 1)), 3)


def test_each_node_meets_what_its_sources_mean() -> None:
    product = Product().name
    said = forward(mixed(), Story())
    assert said == {0: "x", 1: "sum(x)", 2: "sin(sum(x))", 3: f"{product}(sin(sum(x)), sin(sum(x)))"}
    assert forward(mixed(), Story(), order=(2,), known={1: "y"}) == {1: "y", 2: "sin(y)"}


def test_what_asks_is_asked_before_each_node_that_is_met_and_may_end_the_walk() -> None:
    asked: list[int] = []
    forward(mixed(), Story(), known={0: "x"}, ask=lambda: asked.append(1))
    assert len(asked) == 3

    def end() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        forward(mixed(), Story(), ask=end)


def test_exchanged_nodes_are_those_of_the_new_network_only() -> None:
    network = mixed()
    assert list(network.affine) == [1] and network.with_nodes({}) is network
    other = network.with_nodes({1: Nonlinear(make("relu"), (0,), 1)})
    assert list(other.affine) == [] and list(other.nonlinear) == [1, 2, 3] and list(network.affine) == [1]
    assert other.nodes[2] is network.nodes[2] and other.output == network.output
    x = torch.tensor([[-1.0], [2.0]], dtype=F64)
    assert torch.equal(evaluate(other, x), torch.sin(x.relu()) ** 2)
