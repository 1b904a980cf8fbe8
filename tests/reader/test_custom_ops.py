"""Models with operators of users: read, checked and replayed, or said to be out of onnxruntime's reach."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from onnx import NodeProto, TensorProto, helper
from torch import Tensor

from genbab import Config, ModelError, Nonlinearity, Verdict, load, register, verify
from genbab.api import bounds
from genbab.network import evaluate
from genbab.nonlinear import make
from genbab.nonlinear.facts import registry
from genbab.specs import Clause, Spec
from tests.registered import forgotten  # noqa: F401

pytestmark = pytest.mark.usefixtures("forgotten")


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
    register("half_mish", lambda x: 0.5 * F.mish(x) + torch.erf(x), onnx="com.example::HalfMish")
    with pytest.raises(ModelError, match="'custom'.*opset 8.*Erf"):
        load(model("HalfMish", opset=8))
    assert load(model("HalfMish", opset=9)).replayable  # no Mish there: x*tanh(softplus(x))


@pytest.mark.parametrize(
    ("kind", "attributes", "words"),
    [
        ("Snake", {"alpa": 2.0}, ["'custom' (com.example::Snake)", "unknown attribute 'alpa'", "'alpha'?"]),
        ("Snake", {"beta": 2.0, "alpha": "two"}, ["attribute 'beta'", "attributes are alpha", "STRING"]),
        ("Snake", {"alpha": [1.0]}, ["FLOATS", "one number"]),
        ("Snake", {"alpha": float("nan")}, ["alpha", "finite"]),
        ("Snake", {"alpha": 0.0}, ["'custom'", "divides by zero"]),
        ("Plain", {"alpha": 1.0}, ["unknown attribute 'alpha'", "no attributes"]),
        ("Facts", {"alpha": 1.0}, ["unknown attribute 'alpha'", "no attributes"]),
    ],
)
def test_attributes_that_are_no_parameters_are_named(
    kind: str, attributes: dict[str, Any], words: list[str]
) -> None:
    family()
    register("plain", lambda x: x * torch.tanh(x), onnx="com.example::Plain")
    register("facts", dataclasses.replace(make("sigmoid"), name="facts"), onnx="com.example::Facts")
    with pytest.raises(ModelError) as refused:
        load(model(kind, **attributes))
    assert all(word in str(refused.value) for word in words), refused.value


def family() -> None:
    register(
        "snake",
        lambda x, alpha: x + torch.sin(alpha * x) ** 2 / alpha,
        parameters={"alpha": 1.0},
        onnx="com.example::Snake",
    )


def snake(inputs: list[str], output: str, **attributes: Any) -> NodeProto:
    return helper.make_node("Snake", inputs, [output], domain="com.example", **attributes)


def whole(
    nodes: list[NodeProto], kind: int = TensorProto.FLOAT, functions: Sequence[Any] = (), **more: Any
) -> bytes:
    """A model from x to y, of three entries each, with a constant that is true."""
    ends = [helper.make_tensor_value_info(name, kind, [3]) for name in "xy"]
    true = helper.make_tensor("true", TensorProto.BOOL, [], [True])
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [true], **more)
    opsets = [helper.make_opsetid(*one) for one in (("", 17), ("com.example", 1), ("local", 1))]
    made = helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)
    data: bytes = made.SerializeToString()
    return data


def compare(data: bytes, code: Callable[[Tensor], Tensor], dtype: torch.dtype = torch.float32) -> None:
    """What is spelled out, run by onnxruntime, gives what the code gives, and is valid ONNX."""
    loaded = load(data)
    assert loaded.replayable and not loaded.notes
    x = torch.tensor([0.3, -0.7, 2.1], dtype=dtype)
    session = onnxruntime.InferenceSession(loaded.proto, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"x": x.numpy()})
    tight = 1e-12 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(torch.from_numpy(theirs), code(x), rtol=tight, atol=tight)
    found = evaluate(loaded.network, x.double())
    torch.testing.assert_close(found, code(x.double()), rtol=tight, atol=tight)
    onnx.checker.check_model(onnx.load_from_string(loaded.proto), full_check=True)


def twice(x: Tensor, alpha: float = 2.0) -> Tensor:
    return 2 * (x + torch.sin(alpha * x) ** 2 / alpha)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_operators_inside_a_branch_are_spelled_out(dtype: torch.dtype) -> None:
    family()
    kind = TensorProto.DOUBLE if dtype == torch.float64 else TensorProto.FLOAT
    branches = {}
    for name, alpha in (("then_branch", 2.0), ("else_branch", 3.0)):
        out = helper.make_tensor_value_info(f"{name}_out", kind, [3])
        nodes = [snake(["m"], "t", alpha=alpha), helper.make_node("Add", ["t", "t"], [f"{name}_out"])]
        branches[name] = helper.make_graph(nodes, name, [], [out])
    nodes = [helper.make_node("Identity", ["x"], ["m"]), helper.make_node("If", ["true"], ["y"], **branches)]
    compare(whole(nodes, kind), twice, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_operators_inside_a_function_of_the_model_are_spelled_out(dtype: torch.dtype) -> None:
    family()
    kind = TensorProto.DOUBLE if dtype == torch.float64 else TensorProto.FLOAT
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    inner = snake(["a"], "t")
    inner.attribute.add(name="alpha", ref_attr_name="rate", type=onnx.AttributeProto.FLOAT)
    body = [inner, helper.make_node("Add", ["t", "t"], ["b"])]
    function = helper.make_function("local", "Twice", ["a"], ["b"], body, opsets, attributes=["rate"])
    call = helper.make_node("Twice", ["x"], ["y"], domain="local", rate=2.0)
    compare(whole([call], kind, [function]), twice, dtype)


def test_what_the_model_itself_defines_is_what_it_means() -> None:
    family()
    body = [helper.make_node("Neg", ["a"], ["b"])]
    own = helper.make_function("com.example", "Snake", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    compare(whole([snake(["x"], "y")], functions=[own]), lambda x: -x)


def test_generated_names_are_new() -> None:
    """Names of tensors, nodes and inner tensors of branches that look like generated ones."""
    family()
    out = helper.make_tensor_value_info("q", TensorProto.FLOAT, [3])
    branch = helper.make_graph([helper.make_node("Add", ["y/1", "y/2"], ["q"], "y/3/Mul")], "b", [], [out])
    nodes = [
        helper.make_node("Identity", ["x"], ["y/0"], "y/1/Sin"),
        helper.make_node("Identity", ["y/0"], ["y/1"], "y/0/Constant"),
        helper.make_node("Sub", ["y/1", "y/1"], ["y/2"], "y/0/Mul"),
        helper.make_node("If", ["true"], ["y/4"], then_branch=branch, else_branch=branch),
        snake(["y/4"], "s", alpha=2.0),
        snake(["y/4"], "s/0", alpha=2.0),
        helper.make_node("Add", ["s", "s/0"], ["y"]),
    ]
    compare(whole(nodes), twice)


def test_too_many_inputs_and_outputs_are_all_named() -> None:
    family()
    two = helper.make_node("Snake", ["x"], ["b", "c"], "second", domain="com.example")
    nodes = [snake(["x", "x"], "a"), two, helper.make_node("Add", ["a", "b"], ["y"])]
    with pytest.raises(ModelError) as refused:
        load(whole(nodes))
    first, second = str(refused.value).split("\n")[1:]
    assert "node 'a'" in first and "2 inputs" in first and "attributes are alpha" in first
    assert "node 'second'" in second and "2 outputs" in second


def test_whole_numbers_are_refused() -> None:
    family()
    cast = helper.make_node("Shape", ["x"], ["n"])
    nodes = [cast, snake(["n"], "m"), helper.make_node("Add", ["x", "x"], ["y"])]
    with pytest.raises(ModelError, match="INT64; floating-point"):
        load(whole(nodes))


@pytest.mark.parametrize("key", [key for key in registry.OPERATORS if key[0]], ids="::".join)
def test_operators_of_other_domains_give_what_onnxruntime_gives(key: tuple[str, str]) -> None:
    name, operator = registry.OPERATORS[key]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(key[0], 1)]
    for factor in (None, 1.5):
        given: dict[str, Any] = (
            {} if factor is None else {n: factor * default for n, default in operator.attributes}
        )
        node = helper.make_node(key[1], ["x"], ["y"], domain=key[0], **given)
        data = onnx.load_from_string(whole([node]))
        del data.opset_import[:]
        data.opset_import.extend(opsets)
        loaded = load(data.SerializeToString())
        assert not loaded.notes and [f.split("(")[0] for f in loaded.functions] == [name]


def test_functions_without_a_kernel_for_double_are_written_by_their_definitions() -> None:
    def code(x: Tensor) -> Tensor:
        return F.selu(x) + F.hardswish(x) + F.mish(x) + F.leaky_relu(x) + F.softsign(x) + F.celu(x, 0.5)

    register("many", code, onnx="com.example::Many")
    node = helper.make_node("Many", ["x"], ["y"], domain="com.example")
    compare(whole([node], TensorProto.DOUBLE), code, torch.float64)
    compare(whole([node]), code)


@pytest.mark.parametrize(
    "code",
    [
        lambda x: torch.where(x >= 0.1, x**3, torch.exp(x) - 1),
        lambda x: F.silu(x) * torch.rsqrt(x * x + 1.0),
        lambda x: F.leaky_relu(x, 0.3) + F.elu(x, 0.5) - 0.25,
        lambda x: (x - 0.5).abs() * torch.tanh(x),
    ],
)
def test_what_is_spelled_out_is_what_was_written(code: Any) -> None:
    register("written", code, onnx="com.example::Written")
    loaded = load(model("Written"))
    x = np.array([[0.3, -0.7]], dtype=np.float32)
    session = onnxruntime.InferenceSession(loaded.proto, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"x": x})
    weight = torch.tensor([[1.0, -0.5, 0.25], [0.5, 1.0, -1.0]])
    np.testing.assert_allclose(theirs, code(torch.from_numpy(x) @ weight).sum(1, keepdim=True), rtol=1e-5)
    onnx.checker.check_model(onnx.load_from_string(loaded.proto))
