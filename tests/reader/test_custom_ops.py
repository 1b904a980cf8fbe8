"""Models with operators of users: read, checked and replayed, or said to be out of onnxruntime's reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from genbab import Config, ModelError, Nonlinearity, Verdict, load, register, verify
from genbab.api import bounds
from genbab.nonlinear import registry
from genbab.nonlinear.custom import CUSTOM
from genbab.specs import Clause, Spec


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test registers is gone afterwards."""
    tables: tuple[dict[Any, Any], ...] = (registry.REGISTRY, registry.OPERATORS, registry._EXAMPLES, CUSTOM)
    kept = [dict(table) for table in tables]
    yield
    for table, before in zip(tables, kept, strict=True):
        table.clear()
        table.update(before)


def model(kind: str, opset: int = 17, **attributes: Any) -> bytes:
    """Two inputs, a matrix, the operator, a sum."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 3], [1.0, -0.5, 0.25, 0.5, 1.0, -1.0])
    ones = helper.make_tensor("s", TensorProto.FLOAT, [3, 1], [1.0, 1.0, 1.0])
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node(kind, ["h"], ["a"], "custom", domain="com.example", **attributes),
        helper.make_node("MatMul", ["a", "s"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n]) for name, n in (("x", 2), ("y", 1))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight, ones])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.example", 1)]
    made: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return made


def below(limit: float) -> Spec:
    """Unsafe: y >= limit, on [-1, 1]²."""
    clause = Clause(0, np.array([[-1.0]]), None, np.array([-limit]))
    return Spec(lower=-np.ones((1, 2)), upper=np.ones((1, 2)), clauses=(clause,), output_size=1)


def highest(data: bytes, a: float) -> float:
    network = load(data).network
    grid = torch.linspace(-1.0, 1.0, 201, dtype=torch.float64)
    x = torch.cartesian_prod(grid, grid)
    from genbab.network import evaluate

    return float(evaluate(network, x).max())


def test_a_family_is_read_with_its_attributes_proved_and_refuted() -> None:
    register(
        "snake", lambda x, a: x + torch.sin(a * x) ** 2 / a, parameters={"a": 1.0}, onnx="com.example::Snake"
    )
    data = model("Snake", a=2.0)
    loaded = load(data)
    assert loaded.operators["Snake"] == 1 and loaded.replayable and not loaded.notes
    top = highest(data, 2.0)
    assert verify(loaded, below(top + 0.2), Config(timeout=30.0)).verdict is Verdict.VERIFIED
    found = verify(loaded, below(top - 0.2), Config(timeout=30.0))
    assert found.verdict is Verdict.FALSIFIED
    lower, upper = bounds(loaded, -np.ones(2), np.ones(2))
    assert float(upper) >= top and float(upper) - top < 1.5


def test_facts_alone_prove_but_never_refute() -> None:
    record = Nonlinearity(
        "algebraic",
        lambda x: x / torch.sqrt(1.0 + x * x),
        lambda x: (1.0 + x * x) ** -1.5,
        breaks=(0.0,),
        curvature=(1, -1),
        bounds=(-1.0, 1.0),
    )
    register("algebraic", record, onnx="com.example::Algebraic")
    loaded = load(model("Algebraic"))
    assert not loaded.replayable and "com.example::Algebraic" in loaded.notes[0]
    assert verify(loaded, below(3.1), Config(timeout=20.0)).verdict is Verdict.VERIFIED
    refuted = verify(loaded, below(0.1), Config(timeout=3.0))
    assert refuted.verdict in (Verdict.UNKNOWN, Verdict.TIMEOUT)


def test_an_unregistered_operator_stays_an_error() -> None:
    with pytest.raises(ModelError, match="com.example"):
        load(model("Nobody"))


def test_an_opset_too_old_for_a_part_says_so() -> None:
    register(
        "half mish", lambda x: 0.5 * torch.nn.functional.mish(x) + torch.sin(x), onnx="com.example::HalfMish"
    )
    with pytest.raises(ModelError, match="'custom'.*opset 17.*Mish"):
        load(model("HalfMish"))
    assert load(model("HalfMish", opset=18)).replayable


@pytest.mark.parametrize(
    "code",
    [
        lambda x: torch.where(x >= 0.1, x**3, torch.exp(x) - 1),
        lambda x: torch.nn.functional.silu(x) * torch.rsqrt(x * x + 1.0),
        lambda x: torch.nn.functional.leaky_relu(x, 0.3) + torch.nn.functional.elu(x, 0.5) - 0.25,
        lambda x: (x - 0.5).abs() * torch.tanh(x),
    ],
)
def test_what_is_spelled_out_is_what_was_written(code: Any) -> None:
    register("written", code, onnx="com.example::Written")
    loaded = load(model("Written"))
    x = np.array([[0.3, -0.7]], dtype=np.float32)
    import onnxruntime

    session = onnxruntime.InferenceSession(loaded.proto, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"x": x})
    weight = torch.tensor([[1.0, -0.5, 0.25], [0.5, 1.0, -1.0]])
    np.testing.assert_allclose(theirs, code(torch.from_numpy(x) @ weight).sum(1, keepdim=True), rtol=1e-5)
    onnx.checker.check_model(onnx.load_from_string(loaded.proto))
