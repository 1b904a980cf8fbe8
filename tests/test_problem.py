"""Queries: rows per box, and what their bounds say about clauses, against the definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genbab.errors import SpecError
from genbab.network import Affine, Dense, Input, Network
from genbab.problem import Query, queries
from genbab.specs import Clause, Spec

INF = float("inf")
NUMBERS = st.sampled_from([-INF, -1.0, -1e-300, -0.0, 0.0, 5e-324, 0.5, 2.0, INF, float("nan")])


def network(inputs: int = 2, outputs: int = 3) -> Network:
    """An affine network of these sizes."""
    weight = torch.ones(outputs, inputs, dtype=torch.float64)
    return Network((Input(inputs), Affine(((0, Dense(weight)),), torch.zeros(outputs).double())), 1)


def rows_query(clause: list[list[int]], rhs: Tensor) -> Query:
    """A query of boxes of one input with these clauses."""
    numbers = torch.tensor(clause)
    box = torch.zeros(len(clause), 1).double()
    return Query(box, box + 1, torch.zeros(*numbers.shape, 1).double(), None, rhs, numbers)


@st.composite
def clause_rows(draw: st.DrawFn) -> list[list[int]]:
    """Clause numbers per box: contiguous groups of any lengths, padding at the end."""
    width, number = draw(st.integers(1, 6)), 0
    boxes = []
    for _ in range(draw(st.integers(1, 4))):
        filled = draw(st.integers(1, width))
        row = []
        for _ in range(filled):
            number += draw(st.booleans())
            row.append(number)
        number += 1
        boxes.append(row + [-1] * (width - filled))
    return boxes


@settings(max_examples=150, deadline=None)
@given(st.data(), clause_rows())
def test_margins_against_the_definition(data: st.DataObject, clause: list[list[int]]) -> None:
    """A clause's margin is that of its best row, a box's that of its worst clause; NaN proves nothing."""
    shape = (len(clause), len(clause[0]))
    flat = data.draw(st.lists(NUMBERS, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    bounds = torch.tensor(flat, dtype=torch.float64).reshape(shape)
    query = rows_query(clause, torch.zeros(shape).double())
    margins = query.margins(bounds)
    by_clause, worst = query.clause_margins(margins), query.worst(margins)
    assert not bool(margins.isnan().any() or by_clause.isnan().any() or worst.isnan().any())
    for b, numbers in enumerate(clause):
        best: dict[int, float] = {}
        for s, n in enumerate(numbers):
            value = -INF if bounds[b, s].isnan() else float(bounds[b, s])
            assert float(margins[b, s]) == (INF if n < 0 else value)
            best[n] = max(best.get(n, -INF), value)
        for s, n in enumerate(numbers):
            assert float(by_clause[b, s]) == (INF if n < 0 else best[n])
        assert float(worst[b]) == min(v for n, v in best.items() if n >= 0)


def test_a_margin_is_positive_exactly_if_the_bound_is_above_the_right_hand_side() -> None:
    tiny = 5e-324
    bounds = torch.tensor([[1.0, 1.0 + 2**-52, tiny, 0.0, -1e308]], dtype=torch.float64)
    sides = torch.tensor([[1.0, 1.0, 0.0, tiny, 1e308]], dtype=torch.float64)
    query = rows_query([[0, 1, 2, 3, 4]], sides)
    assert (query.margins(bounds) > 0).tolist() == [[False, True, True, False, False]]


def spec(*clauses: Clause, boxes: int = 1, outputs: int = 3) -> Spec:
    """Clauses over unit boxes, box k shifted by k."""
    low = np.arange(boxes, dtype=np.float64)[:, None] * np.ones((1, 2))
    return Spec(low, low + 1, clauses, outputs)


def test_rows_are_stacked_per_box_and_padded() -> None:
    random = np.random.default_rng(0)
    shapes = [(0, 1), (2, 2), (0, 2), (2, 1), (2, 0)]
    clauses = []
    for number, (box, count) in enumerate(shapes):
        inputs = random.normal(size=(count, 2)) if number == 1 else None
        clauses.append(Clause(box, random.normal(size=(count, 3)), inputs, random.normal(size=count)))
    query = queries(spec(*clauses, boxes=3), network(), torch.device("cpu"))
    assert len(query) == 2 and query.lower.tolist() == [[0.0, 0.0], [2.0, 2.0]]
    assert query.clause.tolist() == [[0, 2, 2, -1], [1, 1, 3, 4]]
    assert query.on_input is not None
    for b, s in np.ndindex(2, 4):
        number = int(query.clause[b, s])
        if number < 0 or shapes[number][1] == 0:
            assert not query.matrix[b, s].any() and not query.on_input[b, s].any() and query.rhs[b, s] == 0
            continue
        row = query.clause[b, :s].tolist().count(number)
        clause = clauses[number]
        assert query.matrix[b, s].tolist() == clause.outputs[row].tolist()
        assert float(query.rhs[b, s]) == clause.rhs[row]
        wanted = np.zeros(2) if clause.inputs is None else clause.inputs[row]
        assert query.on_input[b, s].tolist() == wanted.tolist()


def test_a_clause_without_rows_is_refuted_by_nothing() -> None:
    query = queries(spec(Clause(0, np.zeros((0, 3)), None, np.zeros(0))), network(), torch.device("cpu"))
    assert query.matrix.shape == (1, 1, 3) and not float(query.worst(query.margins(torch.zeros(1, 1)))) > 0


@pytest.mark.parametrize("sizes", ((3, 3), (1, 3), (2, 2), (2, 4)))
def test_sizes_that_do_not_fit_are_refused(sizes: tuple[int, int]) -> None:
    clause = Clause(0, np.ones((1, 3)), None, np.zeros(1))
    with pytest.raises(SpecError, match=f"2 inputs and 3 outputs.*{sizes[0]} and {sizes[1]}"):
        queries(spec(clause), network(*sizes), torch.device("cpu"))


def test_taking_boxes() -> None:
    clauses = [Clause(k, np.full((1, 3), k), np.ones((1, 2)), np.array([k])) for k in range(3)]
    query = queries(spec(*clauses, boxes=3), network(), torch.device("cpu"))
    assert query.on_input is not None
    for which in (torch.tensor([2, 0]), torch.tensor([True, False, True])):
        part = query.take(which)
        assert sorted(part.clause.flatten().tolist()) == [0, 2] and part.on_input is not None
        assert torch.equal(part.rhs, query.rhs[which]) and torch.equal(part.on_input, query.on_input[which])
    assert replace(query, on_input=None).take(torch.tensor([1])).on_input is None
