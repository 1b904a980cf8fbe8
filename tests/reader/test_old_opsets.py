"""Models of operator sets below 7 mean what their definitions say, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from genbab.attack.replay import Replayer
from genbab.check.model.reading import read
from genbab.check.model.values import evaluate as values
from genbab.errors import ModelError
from genbab.network import evaluate
from genbab.reader import load_onnx

Array = np.ndarray[Any, Any]
F = np.float32
RNG = np.random.default_rng(0)
W, C, S3, V3 = (RNG.normal(size=s).astype(F) for s in ((3, 4), (4,), (3,), (3,)))
V3 = np.abs(V3) + F(0.5)


def node(kind: str, *names: str, **attributes: Any) -> NodeProto:
    return helper.make_node(kind, ["x", *names], ["y"], "the_node", **attributes)


def model(
    nodes: Sequence[NodeProto], shape: Sequence[int], opset: int, constants: dict[str, Array]
) -> ModelProto:
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", shape), ("y", None))]
    known = [numpy_helper.from_array(a, n) for n, a in constants.items()]
    also = [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in constants.items()]
    graph = helper.make_graph(list(nodes), "g", [ends[0], *also], ends[1:], known)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3)


def normal(x: Array, mean: Array, variance: Array, scale: Array, shift: Array) -> Array:
    mean, variance, scale, shift = (
        a[:, None] if a.ndim < x.ndim - 1 else a for a in (mean, variance, scale, shift)
    )
    return np.asarray((x - mean) / np.sqrt(variance + 1e-5) * scale + shift)


CONSTANTS = {"w": W, "c": C, "s": S3, "v": V3, "m": W}
CASES: dict[str, tuple[NodeProto, tuple[int, ...], Callable[[Array], Array]]] = {
    "consumed": (node("Relu", consumed_inputs=[0]), (1, 3), lambda x: np.maximum(x, 0)),
    "gemm": (node("Gemm", "w", "c", broadcast=1, alpha=0.5), (2, 3), lambda x: 0.5 * x @ W + C),
    "suffix": (node("Add", "m", broadcast=1), (2, 3, 4), lambda x: x + W),
    "axis": (node("Mul", "s", broadcast=1, axis=1), (1, 3, 3), lambda x: x * S3[:, None]),
    "two axes": (node("Add", "w", broadcast=1, axis=1), (2, 3, 4, 1), lambda x: x + W[..., None]),
    "middle": (node("Add", "s", broadcast=1, axis=-3), (3, 3, 3, 3), lambda x: x + S3[:, None, None]),
    "last axis": (node("Add", "s", broadcast=1, axis=2), (3, 3, 3), lambda x: x + S3),
    "first axis": (node("Sub", "s", broadcast=1, axis=0), (3, 3), lambda x: x - S3[:, None]),
    "concat": (node("Concat", "x"), (3, 3, 2), lambda x: np.concatenate([x, x], axis=1)),
    "reshape": (node("Reshape", shape=[3, -1]), (2, 3), lambda x: x.reshape(3, 2)),
    "norm": (
        node("BatchNormalization", "s", "s", "s", "v", is_test=1),
        (2, 3, 4),
        lambda x: normal(x, S3, V3, S3, S3),
    ),
    "dropout": (node("Dropout", is_test=1), (1, 3), lambda x: x),
    "clip": (node("Clip", min=-0.5, max=0.25), (1, 3), lambda x: np.clip(x, -0.5, 0.25)),
    "selu": (node("Selu", alpha=1.5, gamma=2.0), (1, 3), lambda x: 2 * np.where(x > 0, x, 1.5 * np.expm1(x))),
    "softmax": (
        node("Softmax"),
        (2, 3, 2),
        lambda x: np.exp(x) / np.exp(x).sum(axis=(1, 2), keepdims=True),
    ),
}


@pytest.mark.parametrize("opset", [1, 5, 6])
@pytest.mark.parametrize("name", list(CASES))
def test_what_is_converted_means_what_it_meant(name: str, opset: int) -> None:
    made, shape, means = CASES[name]
    if opset > 4 and name in ("consumed", "concat", "reshape"):
        pytest.skip("its definition is another one there")
    used = {k: v for k, v in CONSTANTS.items() if k in made.input}
    if name == "norm" and opset < 6:
        made = helper.make_node(
            "BatchNormalization", list(made.input), ["y"], is_test=1, consumed_inputs=[0, 0, 0, 1, 1]
        )
    found = load_onnx(model([made], shape, opset, used))
    assert found.notes == (f"of opset {opset}, converted to 7 by onnx",)
    points = np.random.default_rng(1).normal(size=(5, *shape))
    expected = np.stack([means(x).ravel() for x in points])
    given = evaluate(found.network, torch.from_numpy(points.reshape(5, -1))).numpy()
    assert np.allclose(given, expected, atol=1e-6)
    assert np.allclose(Replayer(found).replay(points[0].ravel()), expected[0], atol=1e-4)


@pytest.mark.parametrize(
    ("made", "opset", "message"),
    [
        (node("PRelu", "s"), 6, r"node 'the_node' \(PRelu\), whose definition has changed"),
        (node("BatchNormalization", "s", "s", "s", "v"), 6, "training mode"),
        (node("Dropout"), 6, "training mode"),
        (node("Add", "w", broadcast=1, axis=2), 6, "with an axis"),
        (node("AveragePool", kernel_shape=[2], pads=[1, 1]), 6, "with padding"),
        (node("Selu"), 5, "without alpha and gamma"),
        (node("Upsample", width_scale=2.0, height_scale=2.0), 1, "Upsample"),
        (node("LSTM", "s", "s", hidden_size=1), 6, "LSTM"),
        (node("Atan"), 6, "which that opset has not"),
    ],
)
def test_what_may_mean_something_else_is_refused_by_name(made: NodeProto, opset: int, message: str) -> None:
    used = {k: v for k, v in CONSTANTS.items() if k in made.input}
    with pytest.raises(ModelError, match=message) as caught:
        load_onnx(model([made], (1, 3, 3), opset, used))
    assert "the oldest that genbab reads" in str(caught.value)


def test_all_offenders_are_named() -> None:
    nodes = [
        helper.make_node("PRelu", ["x", "s"], ["a"], "first"),
        helper.make_node("Dropout", ["a"], ["y"], "second"),
    ]
    with pytest.raises(ModelError, match=r"'first' \(PRelu\)(.|\n)*'second' \(Dropout\)"):
        load_onnx(model(nodes, (1, 3, 3), 6, {"s": S3}))


def test_a_damaged_old_model_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot be converted from opset 6 to 7: "):
        load_onnx(model([helper.make_node("Gemm", ["x"], ["y"])], (1, 3), 6, {}))


@pytest.mark.parametrize("opset", [7, 8])
def test_statistics_of_every_entry(opset: int) -> None:
    """spatial = 0: onnxruntime agrees, on loading, with one mean and variance per entry of an image."""
    rng = np.random.default_rng(3)
    scale, shift, mean = (rng.normal(size=(3, 4)).astype(F) for _ in range(3))
    variance = np.abs(rng.normal(size=(3, 4))).astype(F) + F(0.5)
    made = node("BatchNormalization", "scale", "shift", "mean", "variance", spatial=0)
    constants = {"scale": scale, "shift": shift, "mean": mean, "variance": variance}
    proto = model([made], (2, 3, 4), opset, constants)
    found = load_onnx(proto)
    assert not found.notes and not found.functions
    x = rng.normal(size=(2, 3, 4))
    expected = normal(x, mean, variance, scale, shift).ravel()
    assert np.allclose(evaluate(found.network, torch.from_numpy(x.ravel())).numpy(), expected)
    program = read(proto.SerializeToString())
    step = program.tensors["y"].step  # type: ignore[union-attr]
    low, high = values(program, (x.reshape(1, -1), x.reshape(1, -1))).ranges[step]
    assert np.allclose(low, expected, atol=1e-6) and np.allclose(high, expected, atol=1e-6)
