"""The emulator's operators against onnxruntime, in many styles; and what it does not emulate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .float32 import RULES, NotEmulated, Style, run, styles
from .float32.styles import SINGLE

Array = NDArray[Any]

LISTED = """
Add Sub Mul Div Neg Abs Relu LeakyRelu PRelu Elu Sigmoid Tanh Exp Log Sqrt Reciprocal Pow Erf Gelu Softplus
Sin Cos Softmax LogSoftmax Max Min Clip Where Greater Less Floor Round Sign MatMul Gemm Conv AveragePool
MaxPool GlobalAveragePool ReduceSum ReduceMean ReduceMax ReduceL2 ReduceSumSquare LayerNormalization
BatchNormalization InstanceNormalization RNN LSTM GRU Reshape Transpose Concat Split Slice Gather Squeeze
Unsqueeze Flatten Identity Cast Expand Pad Mish
""".split()
"""Operators that networks of every kind are made of, besides Constant."""

_random = np.random.default_rng(0)


def some(*shape: int, positive: bool = False) -> Array:
    values = _random.normal(size=shape)
    return (np.abs(values) + 0.1 if positive else values).astype(np.float32)


def whole(*values: int) -> Array:
    return np.array(values, dtype=np.int64)


def one(value: float) -> Array:
    return np.array(value, dtype=np.float32)


X, Y, IMAGE, LINE = some(2, 5), some(2, 5), some(1, 4, 5, 6), some(1, 2, 7)
UP = some(2, 5, positive=True)
Use = tuple[str, Sequence[Array | None], dict[str, Any]]


def plain() -> list[Use]:
    """Operators of numbers, and those that move them."""
    single = "Neg Abs Relu Sigmoid Tanh Exp Erf Softplus Sin Cos Floor Ceil Round Sign Identity Mish".split()
    made: list[Use] = [(kind, [X], {}) for kind in single]
    made += [(kind, [UP], {}) for kind in ("Log", "Sqrt", "Reciprocal")]
    made += [
        (kind, [X, other], {}) for kind in "Add Sub Mul Div Max Min Sum".split() for other in (Y, some(5))
    ]
    made += [("Max", [X, Y, some(1, 5)], {}), ("Sum", [X, Y, some(5)], {}), ("PRelu", [X, some(5)], {})]
    made += [(kind, [X], {"alpha": 0.3}) for kind in ("LeakyRelu", "Elu")]
    made += [("Gelu", [X], {"approximate": kind}) for kind in ("none", "tanh")]
    made += [("Pow", [UP, one(p)], {}) for p in (1.0, 2.0, 3.0, 4.0, 0.5, -1.5)] + [("Pow", [X, one(3)], {})]
    made += [
        ("Clip", [X, one(-0.5), one(0.7)], {}),
        ("Clip", [X, None, one(0.7)], {}),
        ("Clip", [X, one(0)], {}),
    ]
    made += [(kind, [X], {"axis": axis}) for kind in ("Softmax", "LogSoftmax") for axis in (0, -1)]
    made += [("Cast", [X], {"to": to}) for to in (TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BOOL)]
    made += [(k, [X, Y], {}) for k in ("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal")]
    made += [("Reshape", [IMAGE, whole(0, -1, 10)], {}), ("Transpose", [IMAGE], {"perm": [0, 2, 3, 1]})]
    made += [("Transpose", [X], {}), ("Concat", [X, Y, some(2, 1)], {"axis": 1}), ("Shape", [X], {})]
    made += [("Split", [X, whole(2, 3)], {"axis": -1}), ("Split", [X], {"axis": 1, "num_outputs": 3})]
    made += [("Slice", [IMAGE, whole(1, -1), whole(4, -9), whole(1, 3), whole(2, -2)], {})]
    made += [("Slice", [X, whole(0), whole(1)], {}), ("Gather", [X, whole(4, 0, -1)], {"axis": 1})]
    made += [
        ("Squeeze", [IMAGE, whole(0)], {}),
        ("Squeeze", [IMAGE], {}),
        ("Unsqueeze", [X, whole(0, -1)], {}),
    ]
    made += [("Flatten", [IMAGE], {"axis": axis}) for axis in (0, 2, -1)]
    made += [("Expand", [X, whole(3, 1, 5)], {}), ("Pad", [X, whole(0, 1, 2, 0), one(0.5)], {})]
    made += [("Pad", [X, whole(1, 2), None, whole(1)], {"mode": mode}) for mode in ("edge", "reflect")]
    return made


def adding() -> list[Use]:
    """Operators that add up."""
    a, b, c = some(3, 4), some(4, 2), some(2)
    made: list[Use] = [
        ("MatMul", [a, b], {}),
        ("MatMul", [some(2, 3, 4), b], {}),
        ("MatMul", [some(4), b], {}),
    ]
    made += [
        ("MatMul", [some(2, 3, 4), some(2, 4, 5)], {}),
        ("MatMul", [a, some(4)], {}),
        ("Gemm", [a, b], {}),
    ]
    made += [("Gemm", [a, b, c], {}), ("Gemm", [a, b, some(3, 1)], {"alpha": 0.3, "beta": 1.7})]
    made += [("Gemm", [a.T, b.T, one(0.3)], {"transA": 1, "transB": 1}), ("Gemm", [a, b], {"alpha": 0.3})]
    made += [("Gemm", [a, b, c], {"beta": 0.3}), ("Gemm", [a, b, c], {"alpha": -2.5})]
    for groups, strides, pads, more in ((1, 1, 0, 1), (2, 2, 1, 1), (4, 1, 2, 2)):
        options = {"group": groups, "strides": [strides, 1], "pads": [pads] * 4, "dilations": [1, more]}
        made += [("Conv", [IMAGE, some(4, 4 // groups, 2, 3), some(4)], options)]
    made += [
        ("Conv", [IMAGE, some(3, 4, 2, 2)], {"auto_pad": auto})
        for auto in ("SAME_UPPER", "SAME_LOWER", "VALID")
    ]
    made += [("Conv", [LINE, some(3, 2, 3), some(3)], {"pads": [1, 0], "strides": [2]})]
    for kind in ("MaxPool", "AveragePool"):
        made += [(kind, [IMAGE], {"kernel_shape": [2, 3], "strides": [1, 2], "pads": [1, 1, 0, 1]})]
        made += [(kind, [LINE], {"kernel_shape": [3]})]
    made += [("AveragePool", [IMAGE], {"kernel_shape": [2, 2], "pads": [1] * 4, "count_include_pad": 1})]
    made += [("GlobalAveragePool", [IMAGE], {})]
    for kind in "Sum Mean Max Min L2 SumSquare LogSumExp".split():
        made += [(f"Reduce{kind}", [IMAGE, whole(1, -1)], {"keepdims": keep}) for keep in (0, 1)]
        made += [(f"Reduce{kind}", [X], {})]
    return made


def steps() -> list[Use]:
    """Operators of several steps."""
    five, four = [some(5), some(5)], [some(4), some(4)]
    spread = some(4, positive=True)
    made: list[Use] = [
        ("LayerNormalization", [X, *five], {}),
        ("LayerNormalization", [X, five[0]], {"epsilon": 0.1}),
    ]
    made += [("LayerNormalization", [IMAGE, some(5, 6), some(5, 6)], {"axis": 2})]
    made += [("BatchNormalization", [IMAGE, *four, some(4), spread], {"epsilon": 1e-3})]
    made += [("BatchNormalization", [some(1, 4), *four, some(4), spread], {})]
    made += [
        ("InstanceNormalization", [IMAGE, *four], {}),
        ("InstanceNormalization", [LINE, some(2), some(2)], {}),
    ]
    for kind, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
        for direction, count in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
            weights = [some(count, gates * 3, 2), some(count, gates * 3, 3), some(count, 2 * gates * 3)]
            states = [None, some(count, 2, 3)] + ([some(count, 2, 3)] if kind == "LSTM" else [])
            given = {"hidden_size": 3, "direction": direction}
            made += [
                (kind, [some(4, 2, 2), *weights, *states], given),
                (kind, [some(4, 2, 2), *weights[:2]], given),
            ]
    x, size = some(4, 2, 2), {"hidden_size": 3}
    resetting = {**size, "linear_before_reset": 1}
    made += [("GRU", [x, some(1, 9, 2), some(1, 9, 3), some(1, 18)], resetting)]
    made += [("RNN", [x, some(1, 3, 2), some(1, 3, 3)], {**size, "activations": ["Relu"]})]
    return made


def model_of(kind: str, args: Sequence[Array | None], attributes: dict[str, Any]) -> onnx.ModelProto:
    """A model of one node, whose first argument is the input x."""
    names = [f"a{k}" if a is not None else "" for k, a in enumerate(args)]
    count = {"Split": 2 + ("num_outputs" in attributes), "LSTM": 3, "RNN": 2, "GRU": 2}.get(kind, 1)
    outputs = [f"y{k}" for k in range(count)]
    node = helper.make_node(kind, names, outputs, **attributes)
    first = args[0]
    assert first is not None
    given = helper.make_tensor_value_info("a0", TensorProto.FLOAT, first.shape)
    constants = [
        numpy_helper.from_array(a, n) for a, n in zip(args[1:], names[1:], strict=True) if a is not None
    ]
    made = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph([node], "one", [given], made, constants)
    plain = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    found: onnx.ModelProto = onnx.shape_inference.infer_shapes(plain)
    return found


def by_runtime(model: onnx.ModelProto, points: Array) -> list[Array]:
    """The outputs (P, ...) of onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    every = [session.run(None, {"a0": x}) for x in points]
    return [np.stack(y) for y in zip(*every, strict=True)]


USES = [*plain(), *adding(), *steps()]


@pytest.mark.parametrize("use", USES, ids=lambda use: use[0])
def test_an_operator_is_onnxruntimes(use: Use) -> None:
    kind, args, attributes = use
    model, first = model_of(*use), args[0]
    assert first is not None
    points = np.stack([first * np.float32(s) for s in (1.0, 0.5, 1.7)])
    expected = by_runtime(model, points)
    made = [*styles(1, 24), Style(whole=frozenset()), Style(whole=SINGLE)]
    for style in made:
        found = run(model, {"a0": points}, style)
        for y, right in zip(found, expected, strict=True):
            assert y.shape == right.shape and y.dtype == right.dtype
            size = np.abs(right[np.isfinite(right)], dtype=np.float64).max(initial=1e-3)
            close = np.abs(y.astype(np.float64) - right) <= 1e-5 * size
            assert (close | (y == right) | (np.isnan(y) & np.isnan(right))).all(), style


def test_every_listed_operator_is_emulated_and_tried() -> None:
    tried = {kind for kind, _, _ in USES}
    assert tried | {"Where"} >= set(LISTED) and set(LISTED) <= set(RULES)
    assert set(RULES) - tried <= {"Where", "And", "Or", "Not", "Dropout", "RMSNormalization"}


def graph_of(
    nodes: list[Any], constants: dict[str, Array], size: int = 5, opset: int = 20
) -> onnx.ModelProto:
    """A model from x (1, size) to y."""
    graph = helper.make_graph(
        nodes,
        "some",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size])],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    found: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10
    )
    return found


def test_choices_and_truth_values() -> None:
    node, x = helper.make_node, some(6, 1, 5)
    nodes = [
        node("Constant", [], ["zero"], value_float=0.0),
        node("Greater", ["x", "zero"], ["above"]),
        node("Less", ["x", "one"], ["below"]),
        node("And", ["above", "below"], ["both"]),
        node("Not", ["both"], ["neither"]),
        node("Or", ["neither", "both"], ["always"]),
        node("Where", ["both", "x", "one"], ["chosen"]),
        node("Cast", ["always"], ["number"], to=TensorProto.FLOAT),
        node("Mul", ["chosen", "number"], ["z"]),
        node("Dropout", ["z"], ["y"]),
    ]
    (y,) = run(graph_of(nodes, {"one": one(1.0)}), {"x": x}, Style())
    assert (y == np.where((x > 0) & (x < 1), x, np.float32(1))).all()


@pytest.mark.parametrize(
    "kind", ["LayerNormalization", "BatchNormalization", "Gelu", "Softmax", "ReduceMean", "GRU"]
)
def test_operators_of_several_steps_are_computed_in_several_ways(kind: str) -> None:
    use = next(use for use in steps() + adding() + plain() if use[0] == kind)
    first = use[1][0]
    assert first is not None
    points = some(40, *first.shape)
    outputs = [run(model_of(*use), {"a0": points}, Style(variant=v, whole=frozenset()))[0] for v in range(12)]
    assert len({y.tobytes() for y in outputs}) >= 2


def test_the_mean_square_norm_is_what_its_definition_gives() -> None:
    x, scale = some(3, 1, 5), some(5)
    node = helper.make_node("RMSNormalization", ["x", "scale"], ["y"], epsilon=1e-3)
    exact = x / np.sqrt((x.astype(np.float64) ** 2).mean(-1, keepdims=True) + 1e-3) * scale
    for style in styles(2, 12):
        (y,) = run(graph_of([node], {"scale": scale}, opset=23), {"x": x}, style)
        assert np.abs(y - exact).max() < 1e-5


def test_what_runtimes_do_besides() -> None:
    node, x = helper.make_node, some(50, 1, 5) + np.float32(300)
    layer = graph_of([node("LayerNormalization", ["x", "s"], ["y"])], {"s": np.ones(5, np.float32)})
    differences, moments = (run(layer, {"x": x}, Style(beyond=frozenset(b)))[0] for b in ((), ("moments",)))
    centred = x - x.astype(np.float64).mean(-1, keepdims=True)
    exact = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    assert np.abs(differences - exact).max() < 1e-4 < np.abs(moments - exact).max()
    (folded,) = run(layer, {"x": x}, Style(beyond=frozenset(["folded"])))
    assert (folded != differences).any() and np.abs(folded - exact).max() < 1e-3

    joined = Style(fma=True, beyond=frozenset(["contracted"]))
    a, b = some(5), some(5)
    affine = graph_of([node("Mul", ["x", "a"], ["t"]), node("Add", ["b", "t"], ["y"])], {"a": a, "b": b})
    (y,) = run(affine, {"x": x}, joined)
    (z,) = run(affine, {"x": x}, Style(fma=True))
    assert (y == (x.astype(np.float64) * a + b).astype(np.float32)).all() and (y != z).any()

    weights, large = some(5, 3), np.full(3, 1e5, np.float32)
    layer = graph_of(
        [node("MatMul", ["x", "w"], ["t"]), node("Add", ["t", "b"], ["y"])], {"w": weights, "b": large}
    )
    (y,) = run(layer, {"x": x}, joined)
    (z,) = run(layer, {"x": x}, Style(fma=True))
    assert (y != z).any() and np.abs(y - z).max() < 0.1


def test_what_is_not_emulated_is_named() -> None:
    node, x = helper.make_node, some(2, 1, 5)
    with pytest.raises(NotEmulated, match="Hardmax"):
        run(graph_of([node("Hardmax", ["x"], ["y"])], {}), {"x": x}, Style())
    with pytest.raises(NotEmulated, match=r"com\.microsoft\.Gelu"):
        run(graph_of([node("Gelu", ["x"], ["y"], domain="com.microsoft")], {}), {"x": x}, Style())
    with pytest.raises(NotEmulated, match="ceil_mode"):
        run(model_of("MaxPool", [LINE], {"kernel_shape": [2], "ceil_mode": 1}), {"a0": LINE[None]}, Style())
    cast = node("Cast", ["x"], ["d"], to=TensorProto.DOUBLE)
    with pytest.raises(TypeError, match="float64: only float32"):
        run(graph_of([cast, node("Add", ["d", "d"], ["y"])], {}), {"x": x}, Style())
