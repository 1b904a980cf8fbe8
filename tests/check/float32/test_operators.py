"""Whatever an execution in float32 computes lies in the checker's intervals, operator by operator."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

from genbab.check.executed.operators import KNOWN, Charger
from genbab.check.failures import Unusable
from genbab.check.model.reading import read
from tests.check.files import model
from tests.check.float32.executions import executions, outside
from tests.check.passes import tight
from tests.check.test_operators import CASES, IMAGE, S, floats, node, one

COMPARED = {"And", "Or", "Xor", "Equal", "Greater", "Less"}  # of what varies
REFUSED = {"HardSigmoid", *COMPARED}
REFUSED |= {name for name, (nodes, _, _) in CASES.items() if {n.op_type for n in nodes} - KNOWN}
PAIRS: dict[str, tuple[list[Any], dict[str, Any], tuple[int, ...]]] = {
    "MatMulAdd": (
        [node("MatMul", "x", "w", out="t"), node("Add", "t", "b")],
        {"w": floats(3, 4), "b": floats(4)},
        S,
    ),
    "TwoSums": (
        [node("MatMul", "x", "w", out="t"), node("MatMul", "x", "v", out="s"), node("Sub", "s", "t")],
        {"w": floats(3, 4), "v": floats(3, 4, seed=1)},
        S,
    ),
    "MatMulFactor": (
        [node("MatMul", "x", "w", out="t"), node("Mul", "f", "t")],
        {"w": floats(3, 4), "f": floats(4, seed=2)},
        S,
    ),
    "MatMulQuotient": (
        [node("MatMul", "x", "w", out="t"), node("Div", "t", "f")],
        {"w": floats(3, 4), "f": floats(4, seed=2)},
        S,
    ),
    "MatMulGate": (
        [
            node("MatMul", "x", "w", out="t"),
            node("Sigmoid", "x", out="g"),
            node("MatMul", "g", "w", out="s"),
            node("Mul", "s", "t"),
        ],
        {"w": floats(3, 4)},
        S,
    ),
    "MatMulOver": (
        [node("MatMul", "x", "w", out="t"), node("Exp", "x", out="e"), node("Div", "t", "e")],
        {"w": floats(3, 3)},
        S,
    ),
    "ConvNorm": (
        [node("Conv", "x", "w", "c", out="t"), node("BatchNormalization", "t", "a", "b", "m", "v")],
        {
            **{"w": floats(3, 2, 3, 3), "c": floats(3), "a": floats(3, seed=1), "b": floats(3, seed=2)},
            **{"m": floats(3, seed=3), "v": np.abs(floats(3)) + np.float32(0.1)},
        },
        IMAGE,
    ),
    "PReluBias": (
        [node("Add", "x", "c", out="t"), node("PRelu", "t", "s")],
        {"c": one(0.1), "s": floats(3)},
        S,
    ),
    "Norm": (
        [
            node("ReduceMean", "x", out="m", axes=[-1]),
            node("Sub", "x", "m", out="d"),
            node("Pow", "d", "two", out="q"),
            node("ReduceMean", "q", out="v", axes=[-1]),
            node("Add", "v", "e", out="w"),
            node("Sqrt", "w", out="r"),
            node("Div", "d", "r"),
        ],
        {"two": one(2), "e": one(0.1)},
        S,
    ),
}
EVERY = {**{name: case for name, case in CASES.items() if name not in REFUSED}, **PAIRS}


def opset(name: str) -> int:
    """Where means have their axes as an attribute."""
    return 13 if name == "Norm" else 20


def about(middle: np.ndarray[Any, Any], width: float, count: int, seed: int) -> tuple[Any, Any, Any]:
    """A box of float32 numbers about a point, and points of it (count, ...), its ends among them."""
    low, high = (middle + np.float32(side * width) for side in (-1.0, 1.0))
    share = np.random.default_rng(seed).random((count, *middle.shape))
    share[0], share[1:3] = 0.0, 1.0
    some = np.clip((low + (high - low) * share).astype(np.float32), low, high)
    some[2] = middle
    return low, high, some


@pytest.mark.parametrize("table", ["onnxruntime", "torch", "4ulp"])
@pytest.mark.parametrize("name", sorted(EVERY))
def test_no_execution_leaves_the_intervals(name: str, table: str) -> None:
    nodes, constants, shape = EVERY[name]
    data = model(nodes, constants, shape, opset=opset(name))
    program = read(data, Charger(table))
    seed = zlib.crc32(name.encode())
    rng = np.random.default_rng(seed)
    for k, width in enumerate((0.0, 0.0, 1e-3, 0.5)):
        middle = (rng.normal(size=shape) * rng.choice([0.1, 1.0, 2.0])).astype(np.float32)
        low, high, x = about(middle, width, 12, seed)
        values = tight(program, (low.reshape(1, -1).astype(float), high.reshape(1, -1).astype(float)))
        if values.lost.any():
            continue
        for found in executions(data, x, table, seed + k):
            assert not outside(program, values, found)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_operators_without_a_rule_are_named(name: str) -> None:
    nodes, constants, shape = CASES[name]
    with pytest.raises(Unusable, match="no float32 rule") as refusal:
        read(model(nodes, constants, shape), Charger("onnxruntime"))
    assert any(proto.op_type in str(refusal.value) for proto in nodes)


UNKNOWN: dict[str, tuple[Any, dict[str, Any]]] = {
    "a power next to 2": (node("Pow", "x", "c"), {"c": one(np.nextafter(np.float32(2), np.float32(3)))}),
    "another alpha": (node("Celu", alpha=0.5), {}),
    "a tiny constant": (node("Max", "x", "c"), {"c": one(1e-40)}),
    "a tiny divisor": (node("Div", "x", "c"), {"c": one(1e-40)}),
    "a variance of 0": (
        node("BatchNormalization", "x", "a", "a", "a", "v", epsilon=1e-35),
        {"a": floats(2), "v": np.zeros(2, np.float32)},
    ),
    "no matrix": (node("Gemm", "x", "w", "b", alpha=0.0), {"w": floats(3, 3), "b": floats(3)}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_the_rules_do_not_hold_for_is_refused(name: str) -> None:
    proto, constants = UNKNOWN[name]
    with pytest.raises(Unusable, match="no float32 rule"):
        read(model([proto], constants, (2, 3) if proto.op_type == "Gemm" else S), Charger("onnxruntime"))


@pytest.mark.parametrize("table", ["onnxruntime", "4ulp"])
@pytest.mark.parametrize("op", ["Greater", "Less", "Equal"])
def test_comparisons_of_what_varies_are_refused(op: str, table: str) -> None:
    nodes = [node(op, "x", "c", out="p"), node("Cast", "p", to=1)]
    with pytest.raises(Unusable, match="no float32 rule"):
        read(model(nodes, {"c": one(0.5)}, S), Charger(table))


def test_few_intervals_are_lost() -> None:
    """Moderate numbers stay finite, in every operator but where a logarithm or a quotient may meet 0."""
    lost = set()
    for name, (nodes, constants, shape) in EVERY.items():
        program = read(model(nodes, constants, shape, opset=opset(name)), Charger("onnxruntime"))
        x = np.full((1, int(np.prod(shape))), 0.25)
        if tight(program, (x - 0.125, x + 0.125)).lost.any():
            lost.add(name)
    assert lost <= {"Log", "Reciprocal", "Sqrt", "Tan"}
