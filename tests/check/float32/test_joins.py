"""Functions bounded as one: what several operators make of them in float32 is within their charge."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

from genbab.check.executed import joins
from genbab.check.executed.joins import JoinCharge, worth
from genbab.check.executed.operators import Charger
from genbab.check.failures import Unusable
from genbab.check.intervals import Array
from genbab.check.model.joins import joined, rebuilt
from genbab.check.model.program import ElementwiseStep, Program, Wire
from genbab.check.model.reading import read
from genbab.check.passes.backward import bounded
from tests.check.files import model
from tests.check.float32.executions import executions, outside
from tests.check.float32.test_operators import about
from tests.check.passes import tight
from tests.check.test_operators import S, floats, node, one
from tests.soundness.float32.networks import points, random_network

HALF = {"half": one(0.5), "one": one(1.0), "root": one(2**0.5), "c": floats(3)}
CHAINS: dict[str, tuple[list[Any], list[str]]] = {
    "gelu": (
        [
            node("Div", "z", "root", out="a"),
            node("Erf", "a", out="e"),
            node("Add", "e", "one", out="f"),
            node("Mul", "z", "f", out="g"),
            node("Mul", "g", "half"),
        ],
        ["z"],
    ),
    "swish": ([node("Sigmoid", "z", out="s"), node("Mul", "z", "s")], ["z"]),
    "square root": (
        [node("Mul", "z", "z", out="q"), node("Add", "q", "one", out="a"), node("Sqrt", "a")],
        ["z"],
    ),
    "jump": ([node("Add", "z", "c", out="a"), node("Floor", "a", out="f"), node("Mul", "f", "root")], ["z"]),
    "two arguments": (
        [node("Tanh", "v", out="t"), node("Mul", "z", "t", out="p"), node("Sub", "p", "z")],
        ["z", "v"],
    ),
    "a pole": ([node("Exp", "z", out="e"), node("Add", "e", "one", out="f"), node("Div", "one", "f")], ["z"]),
}


def with_joins(data: bytes, table: str, asked: list[tuple[str, list[str]]]) -> Program:
    """The program of a model with these functions joined, if they are any."""
    program = read(data, Charger(table))
    names = [name for name, t in program.tensors.items() if isinstance(t, Wire)]
    return rebuilt(program, worth(program, joined(program, asked)), names, JoinCharge)


def count(program: Program) -> int:
    return sum(isinstance(s, ElementwiseStep) and isinstance(s.charge, JoinCharge) for s in program.steps)


def made(name: str) -> bytes:
    nodes, _ = CHAINS[name]
    first = [node("MatMul", "x", "w", out="z"), node("MatMul", "x", "u", out="v")]
    return model([*first, *nodes], {**HALF, "w": floats(3, 3), "u": floats(3, 3, seed=1)}, S)


def violations(name: str) -> int:
    """Tensors that some execution takes out of their intervals, and rows below their bounds."""
    data, found = made(name), 0
    program = with_joins(data, "onnxruntime", [("y", CHAINS[name][1])])
    assert count(program) == 1
    rng = np.random.default_rng(1)
    for width in (0.0, 1e-4, 0.1):
        low, high, x = about(rng.normal(size=S).astype(np.float32), width, 12, 3)
        values = tight(program, (low.reshape(1, -1).astype(float), high.reshape(1, -1).astype(float)))
        assert not values.lost.any()
        out, rows = program.tensors["y"], np.concatenate([np.eye(6), -np.eye(6)])
        assert isinstance(out, Wire)
        bounds = bounded(program, values, out.step, rows)[0]
        for run in executions(data, x, "onnxruntime", 2):
            found += len(outside(program, values, run))
            found += int((run["y"].reshape(len(run["y"]), -1).astype(float) @ rows.T < bounds).sum())
    return found


@pytest.mark.parametrize("name", CHAINS)
def test_no_execution_leaves_what_a_join_allows(name: str) -> None:
    assert not violations(name)


@pytest.mark.parametrize("name", ["gelu", "square root"])
def test_a_join_without_a_charge_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JoinCharge, "__call__", lambda self, at: np.zeros((1, 1)))
    assert violations(name)


def test_slopes_of_what_comes_after_an_error_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def flat(step: ElementwiseStep, ranges: Any, place: int) -> Array:
        return np.zeros(ranges[0][0].shape)

    monkeypatch.setattr(joins, "_steepest", flat)
    assert violations("gelu")


def test_a_join_is_tighter_than_its_operators_and_hardly_wider_than_over_the_reals() -> None:
    data = made("gelu")
    asked = [("y", ["z"])]
    real = read(data)
    programs = [
        rebuilt(real, joined(real, asked), []),
        with_joins(data, "onnxruntime", asked),
        with_joins(data, "onnxruntime", []),
    ]
    middle, widths = np.linspace(-0.5, 0.5, 6)[None], []
    for program in programs:
        out = program.tensors["y"]
        assert isinstance(out, Wire)
        values = tight(program, (middle - 0.2, middle + 0.2))
        found = bounded(program, values, out.step, np.concatenate([np.eye(6), -np.eye(6)]))[0]
        widths.append(-found[:6] - found[6:])
    assert (widths[1] < widths[0] + 1e-5).all() and (widths[1] < widths[2]).all()


def test_what_is_one_step_or_a_part_of_another_sum_is_not_joined() -> None:
    nodes = [node("Sin", "x", out="s"), node("Sum", "s", "x", out="t"), node("Add", "t", "c")]
    data = model(nodes, {"c": floats(3)}, S)
    assert [count(with_joins(data, "4ulp", [(out, ["x"])])) for out in "sty"] == [0, 0, 1]


def test_products_inside_of_an_operator_are_not_joined() -> None:
    nodes = [node("Sin", "x", out="a"), node("Transpose", "a", out="b"), node("MatMul", "a", "b")]
    data = model(nodes, {}, (2, 2))
    assert count(with_joins(data, "4ulp", [("y#products", ["a"]), ("y#products", ["a", "b"])])) == 0


@pytest.mark.parametrize("seed", [1, 3, 6, 7, 9, 13, 16, 23, 30, 33, 50, 67])
def test_joins_of_random_networks(seed: int) -> None:
    """Every pair of tensors that can be joined."""
    case = random_network(seed)
    data = case.model.SerializeToString()
    try:
        names = [name for name, t in read(data, Charger("4ulp")).tensors.items() if isinstance(t, Wire)]
    except Unusable:
        return
    pairs = ((out, [a]) for i, out in enumerate(names) for a in names[max(0, i - 6) : i])
    program = with_joins(data, "4ulp", list(islice(pairs, 300)))
    box = tuple(end.reshape(1, -1).astype(float) for end in (case.low, case.high))
    values = tight(program, (box[0], box[1]))
    if not values.lost.any():
        for run in executions(data, points(case, 12, seed), "4ulp", seed, 13):
            assert not outside(program, values, run)
