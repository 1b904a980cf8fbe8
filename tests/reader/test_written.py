"""Models mean the same however their file is written: in any order of nodes, with sparse tensors."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, NodeProto, SparseTensorProto, TensorProto, helper, numpy_helper

from genbab.attack.replay import Replayer
from genbab.check.failures import Unusable
from genbab.check.model.reading import read
from genbab.errors import ModelError
from genbab.network import evaluate
from genbab.reader import load_onnx

PLAIN = """<ir_version: 8, opset_import: ["" : 17]> agraph (float[1,3] x) => (float[1,3] y) {
    w = Constant<value=float[3] {1, -2, 0.5}>() a = Mul(x, w) b = Tanh(a) c = Add(b, x) d = Relu(c)
    y = Sub(d, a) }"""
FUNCTION = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]> agraph (float[1,3] x) => (float[1,3] y) {
    a = own.twice(x) y = Tanh(a) }
    <domain: "own", opset_import: ["" : 17]> twice (u) => (v) { r = Sin(u) s = Add(r, u) v = Mul(s, r) }"""
SCAN = """<ir_version: 8, opset_import: ["" : 17]> agraph (float[4] x) => (float[4] y) {
    z = Constant<value=float {0}>() k = Sin(z)
    last, y = Scan<num_scan_inputs=1, body = b (float s, float v) => (float t, float u) {
        p = Tanh(v) q = Add(p, s) t = Mul(q, q) u = Add(q, k) }>(z, x) }"""
BRANCH = """<ir_version: 8, opset_import: ["" : 17]> agraph (float[1,3] x) => (float[1,3] y) {
    no = Constant<value=float {0}>() c = Cast<to=9>(no) h = Sin(x)
    y = If(c)<then_branch = g () => (float[1,3] o) { o = Relu(h) },
              else_branch = g () => (float[1,3] o) { i = Mul(h, h) j = Sub(i, h) o = Exp(j) }> }"""


def shuffled(text: str, seed: int) -> ModelProto:
    """The model with the nodes of every graph and function in a random order."""
    proto, rng = onnx.parser.parse_model(text), random.Random(seed)

    def shuffle(body: Any) -> None:
        kept = [NodeProto.FromString(node.SerializeToString()) for node in body.node]
        rng.shuffle(kept)
        del body.node[:]
        body.node.extend(kept)
        for attribute in (a for node in body.node for a in node.attribute if a.HasField("g")):
            shuffle(attribute.g)

    for body in (proto.graph, *proto.functions):
        shuffle(body)
    return proto


@pytest.mark.parametrize("text", [PLAIN, FUNCTION, SCAN, BRANCH])
def test_nodes_in_any_order(text: str) -> None:
    known = load_onnx(onnx.parser.parse_model(text))
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(20, known.network.input_size)))
    for seed in range(6):
        proto = shuffled(text, seed)
        model = load_onnx(proto)
        assert torch.equal(evaluate(model.network, points), evaluate(known.network, points))
        x = points[0].numpy()
        assert np.allclose(Replayer(model).replay(x), Replayer(known).replay(x))
        if text is PLAIN:
            assert read(proto.SerializeToString()).outputs == ["y"]


def circle(*edges: tuple[str, str]) -> ModelProto:
    nodes = [helper.make_node("Add", [a, "x"], [b], b) for a, b in edges]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 2)) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([("a", "a"), ("a", "y")], "made from themselves: 'a' from 'a'$"),
        ([("b", "a"), ("a", "b"), ("b", "y")], "'(.)' from '.' from '\\1'$"),
        ([("y", "a"), *itertools.pairwise("abcdefghi"), ("i", "y")], "'(.)' from .* from … from '\\1'$"),
        ([("x", "a"), ("x", "a"), ("a", "y")], "two nodes make the tensor 'a'"),
        ([("nothing", "a"), ("a", "y")], "reads 'nothing', which nothing makes"),
    ],
)
def test_what_has_no_order_is_refused_by_name(edges: Sequence[tuple[str, str]], message: str) -> None:
    for proto in (circle(*edges), circle(*edges[::-1])):
        with pytest.raises(ModelError, match=message):
            load_onnx(proto)
        with pytest.raises(Unusable):
            read(proto.SerializeToString())


def sparse(array: np.ndarray[Any, Any], name: str, flat: bool) -> SparseTensorProto:
    at = np.flatnonzero(array) if flat else np.argwhere(array)
    parts = numpy_helper.from_array(array[array != 0], name), numpy_helper.from_array(at.astype(np.int64))
    return helper.make_sparse_tensor(*parts, array.shape)


def with_sparse(flat: bool = False) -> ModelProto:
    """y = x·w + c, both sparse, one an initialiser and one the value of a node."""
    rng = np.random.default_rng(1)
    w = rng.normal(size=(3, 4)).astype(np.float32) * (rng.random((3, 4)) < 0.5)
    c = np.array([[0, 0, 1.5, 0]], np.float32)
    nodes = [
        helper.make_node("Constant", [], ["c"], sparse_value=sparse(c, "c", flat)),
        helper.make_node("Gemm", ["x", "w", "c"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, k)) for n, k in (("x", 3), ("y", 4))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    graph.sparse_initializer.append(sparse(w, "w", flat))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("flat", [False, True])
def test_sparse_tensors(flat: bool) -> None:
    import onnxruntime

    proto = with_sparse(flat)
    model = load_onnx(proto)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    x = np.random.default_rng(2).normal(size=(1, 3)).astype(np.float32)
    given = session.run(None, {"x": x})[0].ravel()
    found = evaluate(model.network, torch.from_numpy(x.astype(np.float64))).numpy().ravel()
    assert np.allclose(found, given, atol=1e-5) and np.abs(given).max() > 1
    assert len(read(proto.SerializeToString()).steps) > 1


Change = Callable[[SparseTensorProto], None]


def _set(part: str, array: np.ndarray[Any, Any]) -> Change:
    return lambda s: getattr(s, part).CopyFrom(
        numpy_helper.from_array(array, "w" if part == "values" else "")
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("indices", np.array([[0, 0], [3, 0]])), "an index lies outside"),
        (_set("indices", np.array([0, -1])), "an index lies outside"),
        (_set("indices", np.array([[1, 1], [1, 1]])), "an index is there twice"),
        (_set("indices", np.array([0, 1, 2])), "2 values, indices of the shape \\[3\\]"),
        (_set("indices", np.array([0, 1], np.int32)), "int64 are needed"),
        (_set("values", np.ones((2, 1), np.float32)), "one axis and int64 are needed"),
        (lambda s: s.dims.append(-1), "its shape is"),
        (lambda s: s.dims.extend([1 << 20, 1 << 20]), "too large"),
    ],
)
def test_damaged_sparse_tensors(change: Change, message: str) -> None:
    proto = with_sparse()
    one = proto.graph.sparse_initializer[0]
    for part in (_set("values", np.ones(2, np.float32)), _set("indices", np.array([[0, 0], [1, 2]]))):
        part(one)
    load_onnx(proto)
    change(one)
    with pytest.raises(ModelError, match=message) as caught:
        load_onnx(proto)
    assert "'w'" in str(caught.value)
    with pytest.raises(Unusable):
        read(proto.SerializeToString())


def test_many_sparse_tensors_are_refused_before_they_are_written_out(monkeypatch: Any) -> None:
    load_onnx(with_sparse())
    monkeypatch.setattr("genbab.reader.onnx.sparse.MOST", 15)
    with pytest.raises(ModelError, match="those up to here have more than 15 numbers"):
        load_onnx(with_sparse())
