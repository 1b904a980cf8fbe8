"""Small models to start from: of every operator, a few whole networks; and models that claim too much."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tests.reader.cases import every_case


@cache
def seeds() -> tuple[bytes, ...]:
    """Sound models: dense and convolutional networks of several operators, every operator by itself."""
    made = [network(kind) for kind in ("Relu", "Tanh", "Sigmoid", "Gelu", "Sin")] + [convolution(), joined()]
    made += [one.model() for one in every_case()]
    return tuple(one.SerializeToString() for one in made)


def network(kind: str) -> ModelProto:
    """Three inputs, five neurons of this kind twice, two outputs."""
    random = np.random.default_rng(1)
    weights = {
        name: random.normal(size=shape).astype(np.float32)
        for name, shape in (("w0", (3, 5)), ("b0", (5,)), ("w1", (5, 5)), ("w2", (5, 2)), ("b2", (2,)))
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["a"]),
        helper.make_node("Add", ["a", "b0"], ["b"]),
        helper.make_node(kind, ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "w1"], ["d"], alpha=0.5),
        helper.make_node(kind, ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "w2", "b2"], ["y"]),
    ]
    return model(nodes, {"x": [1, 3]}, weights)


def convolution() -> ModelProto:
    """An image of 1 x 4 x 4, a convolution, batch normalisation, a pool, two outputs."""
    random = np.random.default_rng(2)
    weights = {"k": random.normal(size=(2, 1, 3, 3)), "b": random.normal(size=2), "w": np.ones((8, 2))}
    weights |= {name: random.uniform(0.5, 1.5, 2) for name in ("s", "o", "m", "v")}
    nodes = [
        helper.make_node("Conv", ["x", "k", "b"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["a", "s", "o", "m", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    floats = {name: np.asarray(value, np.float32) for name, value in weights.items()}
    return model(nodes, {"x": [1, 1, 4, 4]}, floats)


def joined() -> ModelProto:
    """Two inputs, a shape computed in the graph, a product of variables."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Reshape", ["z", "s"], ["r"]),
        helper.make_node("Mul", ["x", "r"], ["m"]),
        helper.make_node("Concat", ["m", "x"], ["c"], axis=1),
        helper.make_node("Softmax", ["c"], ["y"], axis=1),
    ]
    return model(nodes, {"x": [1, 3], "z": [3, 1]}, {})


def model(
    nodes: list[onnx.NodeProto], inputs: dict[str, list[int]], weights: Mapping[str, npt.NDArray[Any]]
) -> ModelProto:
    """A model with one output `y` of unknown shape."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    made: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return made


VALUE = 1 << 40


def claims() -> dict[str, ModelProto]:
    """Models of a few bytes that ask for tensors of many gigabytes, or for endless work."""
    big = np.array([VALUE], np.int64)
    grown = {
        "expand": helper.make_node("Expand", ["x", "n"], ["y"]),
        "tile": helper.make_node("Tile", ["x", "n"], ["y"]),
        "reshape": helper.make_node("Reshape", ["x", "n"], ["y"]),
        "constant of shape": helper.make_node("ConstantOfShape", ["n"], ["y"]),
        "one hot": helper.make_node("OneHot", ["n", "n", "pair"], ["y"]),
        "pad": helper.make_node("Pad", ["x", "two"], ["y"]),
        "resize": helper.make_node("Resize", ["x", "", "", "n"], ["y"]),
        "range": helper.make_node("Range", ["zero", "many", "one"], ["y"]),
        "eye": helper.make_node("EyeLike", ["x"], ["y"], dtype=1),
        "split": helper.make_node("Split", ["x"], ["y"], num_outputs=VALUE),
        "upsample": helper.make_node("Upsample", ["x", "wide"], ["y"]),
        "window": helper.make_node("HannWindow", ["many"], ["y"]),
        "dft": helper.make_node("DFT", ["x", "many"], ["y"]),
        "top k": helper.make_node("TopK", ["x", "n"], ["y", "i"]),
        "average pool": helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[VALUE], pads=[VALUE] * 2),
        "convolution": helper.make_node(
            "ConvTranspose", ["x", "w"], ["y"], strides=[VALUE], dilations=[VALUE]
        ),
        "neighbours": helper.make_node("LRN", ["x"], ["y"], size=VALUE),
        "depth": helper.make_node("SpaceToDepth", ["x"], ["y"], blocksize=VALUE),
        "sums": helper.make_node("CumSum", ["x", "many"], ["y"]),
    }
    constants: dict[str, Any] = {
        "n": big,
        "two": np.array([0, VALUE], np.int64),
        "pair": np.array([0, 1], np.float32),
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
        "many": np.array(VALUE, np.int64),
        "wide": np.array([1e9], np.float32),
        "w": np.ones((1, 1, 2), np.float32),
    }
    found = {}
    for name, node in grown.items():
        shape = [1, 1, 1] if name in ("average pool", "convolution", "neighbours") else [1]
        used = {k: v for k, v in constants.items() if k in node.input}
        found[name] = model([node], {"x": shape}, used)
    found |= {"doubling": doubling(60), "square": square(), "loop": loop(), "nested": nested(9)}
    found["input"] = model([helper.make_node("Relu", ["x"], ["y"])], {"x": [1 << 20, 1 << 20]}, {})
    found["wide input"] = model([helper.make_node("Sin", ["x"], ["y"])], {"x": [1 << 31]}, {})
    return found


def doubling(times: int) -> ModelProto:
    """Each node joins the last tensor with itself: 2^times numbers."""
    nodes = [helper.make_node("Concat", [f"t{i}", f"t{i}"], [f"t{i + 1}"], axis=1) for i in range(times)]
    nodes += [helper.make_node("Identity", [f"t{times}"], ["y"]), helper.make_node("Identity", ["x"], ["t0"])]
    return model([nodes[-1], *nodes[:-1]], {"x": [1, 1]}, {})


def square() -> ModelProto:
    """A vector of 300 000 numbers times itself, as a column and a row: 90 000 000 000 products."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["t", "x"], ["y"]),
    ]
    return model(nodes, {"x": [1, 300_000]}, {})


def loop() -> ModelProto:
    """2^62 rounds."""
    body = helper.make_graph(
        [
            helper.make_node("Sin", ["s"], ["t"]),
            helper.make_node("Identity", ["go"], ["on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("t", TensorProto.FLOAT, [1]),
        ],
    )
    constants: dict[str, Any] = {"n": np.array(1 << 62, np.int64), "c": np.array(True)}
    return model([helper.make_node("Loop", ["n", "c", "x"], ["y"], body=body)], {"x": [1]}, constants)


def nested(depth: int) -> ModelProto:
    """Branches inside branches: 2^depth nodes."""
    inner = [helper.make_node("Sin", ["x"], ["y"])]
    for _ in range(depth):
        out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        graph = helper.make_graph(inner, "b", [], out)
        inner = [helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)]
    return model(inner, {"x": [1]}, {"c": np.array(True)})
