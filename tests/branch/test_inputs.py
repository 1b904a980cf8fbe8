"""Input splits: equal rows are bounded once, and curvature tells which input to split."""

from __future__ import annotations

import torch

from genbab.bounds import Engine
from genbab.branch import bound_by_inputs, root_domains
from genbab.branch.bound.inputs import _distinct, choose_input
from genbab.network import Affine, Dense, Input, Network, Nonlinear
from genbab.nonlinear import Product
from genbab.problem import Query


def query(matrix: torch.Tensor, size: int, on_input: torch.Tensor | None = None) -> Query:
    """Two boxes around 1, with these rows (S, O) on both and right-hand side 0."""
    lower = torch.tensor([[0.5] * size, [0.9] * size], dtype=torch.float64)
    rows = matrix[None].expand(2, -1, -1)
    inputs = None if on_input is None else on_input[None].expand(2, -1, -1)
    count = matrix.shape[0]
    clause = torch.arange(count)[None].expand(2, -1)
    return Query(lower, 2.0 - lower, rows, inputs, torch.zeros(2, count, dtype=torch.float64), clause)


def test_equal_rows_are_bounded_once_and_found_again() -> None:
    matrix = torch.tensor([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0], [1.0, 2.0]], dtype=torch.float64)
    inputs = torch.tensor([[0.0], [0.0], [0.0], [3.0]], dtype=torch.float64)
    for on_input, count in ((None, 2), (inputs, 3)):
        rows, place = _distinct(query(matrix, 1, on_input), 7)
        assert rows.target == 7 and rows.matrix.shape[1] == count
        assert torch.equal(rows.matrix[0, place], matrix)
        if on_input is not None:
            assert rows.on_input is not None and torch.equal(rows.on_input[0, place], on_input)


def test_rows_that_differ_between_boxes_stay_as_they_are() -> None:
    one = query(torch.ones(3, 2, dtype=torch.float64), 1)
    other = Query(one.lower, one.upper, one.matrix.clone(), None, one.rhs, one.clause)
    other.matrix[1, 0] = 5.0
    rows, place = _distinct(other, 1)
    assert torch.equal(rows.matrix[:, place], other.matrix)


def test_the_input_that_bends_an_open_row_is_split() -> None:
    """x0·x0' + 10 x1, x0' = x0: the second input has the larger coefficient, the first one makes the gap."""
    zero = torch.zeros(1, dtype=torch.float64)
    first = Dense(torch.tensor([[1.0, 0.0]], dtype=torch.float64))
    nodes = (
        Input(2),
        Affine(((0, first),), zero),
        Affine(((0, first),), zero + 1),
        Nonlinear(Product(), (1, 2), 1),
        Affine(
            (
                (3, Dense(torch.ones(1, 1, dtype=torch.float64))),
                (0, Dense(torch.tensor([[0.0, 10.0]], dtype=torch.float64))),
            ),
            zero - 12,
        ),
    )
    network = Network(nodes, 4)
    network.check()
    engine = Engine(network, network.to(torch.float32, torch.device("cpu")), 1 << 28)
    rows = query(torch.ones(1, 1, dtype=torch.float64), 2)
    domains = root_domains(rows, torch.full((2, 1), -torch.inf, dtype=torch.float64))
    found = bound_by_inputs(engine, 4, False)(domains)
    assert found.splits is not None and found.splits.neuron[0] == 0
    form = torch.tensor([[[3.0, 10.0]]], dtype=torch.float64).expand(2, -1, -1)
    plain = choose_input(domains, torch.full((2, 1), -1.0, dtype=torch.float64), form)
    assert plain.neuron.tolist() == [1, 1]
