"""Files, bytes, opsets, inputs and outputs; and what bad input gets: one clear message."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from genbab.errors import ModelError, UnsupportedError
from genbab.network import evaluate
from genbab.reader import load_onnx

F = np.float32


def text_model(signature: str, body: str, opset: int = 17) -> onnx.ModelProto:
    head = f'<ir_version: 8, opset_import: ["" : {opset}]> agraph {signature}'
    return onnx.parser.parse_model(head + " {" + body + "}")


def simple() -> onnx.ModelProto:
    return text_model("(float[N,3] x) => (float[N,3] y)", "s = Sigmoid(x) y = Neg(s)")


def dense(inputs_too: bool = False) -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.arange(6, dtype=F).reshape(3, 2), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3))
    also = [helper.make_tensor_value_info("w", TensorProto.FLOAT, (3, 2))] if inputs_too else []
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 2))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")], "g", [x, *also], [y], [weight]
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=3 if inputs_too else 8
    )


def test_path_bytes_gzip_and_proto_give_the_same(tmp_path: Path) -> None:
    data = simple().SerializeToString()
    plain, packed = tmp_path / "m.onnx", tmp_path / "m.onnx.gz"
    plain.write_bytes(data)
    packed.write_bytes(gzip.compress(data))
    x = torch.tensor([0.1, -2.0, 3.0], dtype=torch.float64)
    for source in (plain, str(plain), packed, data, simple()):
        model = load_onnx(source)
        assert torch.allclose(evaluate(model.network, x), -torch.sigmoid(x))
        assert model.input_shapes == ((1, 3),) and model.output_shapes == ((1, 3),)
        assert model.input_names == ("x",) and model.output_names == ("y",) and model.opset == 17


def test_the_argument_is_not_changed() -> None:
    proto = simple()
    before = proto.SerializeToString()
    load_onnx(proto)
    assert proto.SerializeToString() == before


def test_initialisers_listed_as_inputs() -> None:
    assert load_onnx(dense(True)).input_names == ("x",)


def test_several_inputs_and_outputs_are_concatenated_in_order() -> None:
    proto = text_model(
        "(float[1,2] a, double[3] b) => (float[1,2] p, double[3] q, float[1,2] r)",
        "p = Sin(a) q = Mul(b, b) r = Neg(a)",
    )
    model = load_onnx(proto)
    x = torch.tensor([0.5, 1.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    expected = torch.tensor([np.sin(0.5), np.sin(1.0), 1.0, 4.0, 9.0, -0.5, -1.0], dtype=torch.float64)
    assert torch.allclose(evaluate(model.network, x), expected)
    assert model.input_dtypes == (np.dtype(np.float32), np.dtype(np.float64))
    assert [len(model.network.nodes), model.output_names] == [6, ("p", "q", "r")]


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21])
def test_opsets(opset: int) -> None:
    load_onnx(text_model("(float[1,3] x) => (float y)", "a = Relu(x) b = Tanh(a) y = Add(a, b)", opset))


def test_constant_and_passed_through_outputs() -> None:
    model = load_onnx(
        text_model(
            "(float[1,2] x) => (float y, float x2)", "y = Constant<value=float {3.0}>() x2 = Identity(x)"
        )
    )
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert evaluate(model.network, x).tolist() == [3.0, 1.0, 2.0]


def test_if_on_a_constant() -> None:
    yes = "then_branch = g1 () => (float[1,2] t) { t = Sin(x) }"
    no = "else_branch = g2 () => (float[1,2] e) { e = Foo(x) }"
    body = f"c = Constant<value=bool {{1}}>() y = If (c) <{yes}, {no}>"
    proto = text_model("(float[1,2] x) => (float[1,2] y)", body.replace("bool {1}", "int32 {1}"))
    proto.graph.node[0].attribute[0].t.CopyFrom(numpy_helper.from_array(np.array(True)))
    proto.graph.node[1].attribute[1].g.node[0].op_type = "Cos"
    assert load_onnx(proto).functions == {"sin": 2}


def test_local_functions_are_spelled_out() -> None:
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "local" : 1]> '
        "agraph (float[1,2] x) => (float[1,2] y) { y = local.twice(x) }"
        '<domain: "local", opset_import: ["" : 17]> twice (a) => (b) { b = Add(a, a) }'
    )
    assert load_onnx(proto).functions == {}


def test_external_data(tmp_path: Path) -> None:
    proto = dense()
    path = tmp_path / "m.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="m.data", size_threshold=0)
    model = load_onnx(path)
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert evaluate(model.network, x).tolist() == [16.0, 22.0]
    with pytest.raises(ModelError, match="give the model's path"):
        load_onnx(path.read_bytes())
    (tmp_path / "m.data").unlink()
    with pytest.raises(ModelError, match=r"m\.data.*missing"):
        load_onnx(path)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "a/../../secret"])
def test_external_data_outside_the_folder(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"0" * 24)
    proto = dense()
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    (folder / "m.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="outside the model's folder"):
        load_onnx(folder / "m.onnx")


@pytest.mark.parametrize("keep", [0, 1, 10, 0.3, 0.9, -1])
def test_truncated(tmp_path: Path, keep: float) -> None:
    data = dense().SerializeToString()
    cut = data[: int(len(data) * keep) if isinstance(keep, float) else keep]
    for content in (cut, gzip.compress(cut), gzip.compress(data)[:-9]):
        path = tmp_path / "m.onnx"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"m\.onnx"):
            load_onnx(path)


@pytest.mark.parametrize(
    "content", [b"", b"hello world, I am text\n" * 9, b"; (declare-const X_0 Real)\n", b"\x00" * 50]
)
def test_not_onnx(content: bytes) -> None:
    with pytest.raises(ModelError, match="not an ONNX model"):
        load_onnx(content)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        load_onnx(tmp_path / "nothing.onnx")
    with pytest.raises(ModelError, match="cannot be read"):
        load_onnx(tmp_path)


X = "(float[1,2] x) => (float y)"
THREE = "w = Constant<value=float[3] {1, 2, 3}>() "
MINUS_ONE = "w = Constant<value=float {-1}>() "


@pytest.mark.parametrize(
    ("signature", "body", "message"),
    [
        ("(float[1,K] x) => (float y)", "y = Relu(x)", "axis 1 of input 'x' is 'K'"),
        ("(string[1,2] x) => (string y)", "y = Identity(x)", "holds STRING"),
        ("(float8e5m2[1,2] x) => (float8e5m2 y)", "y = Relu(x)", "holds FLOAT8E5M2"),
        ("() => (float y)", "y = Constant<value=float {1}>()", "no inputs"),
        (X, "z = Relu(x) y = Add(z, nothing)", "'nothing', which nothing makes"),
        (X, "z = Relu(x)", "nothing makes the output 'y'"),
        (X, THREE + "y = Add(x, w)", "does not fit"),
        (X, THREE + "y = MatMul(x, w)", "does not fit"),
        (X, "s = Constant<value=int64[1] {3}>() y = Reshape(x, s)", "does not fit"),
        (X, MINUS_ONE + "r = Log(w) y = Add(x, r)", "not a finite number"),
    ],
)
def test_wrong_models(signature: str, body: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_onnx(text_model(signature, body))


@pytest.mark.parametrize("opset", [-1, 99])
def test_opsets_that_are_not_read(opset: int) -> None:
    with pytest.raises(ModelError, match=f"opset {opset}; genbab reads 1 to"):
        load_onnx(text_model("(float[1,2] x) => (float y)", "y = Relu(x)", opset))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers(bad: float) -> None:
    proto = dense()
    weight = np.arange(6, dtype=F).reshape(3, 2)
    weight[1, 1] = bad
    proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "w"))
    with pytest.raises(
        ModelError, match="'w' contains NaN" if np.isnan(bad) else "product.*not a finite number"
    ):
        load_onnx(proto)


def test_everything_unsupported_is_listed_at_once() -> None:
    proto = text_model(
        "(float[1,4] x) => (float y)",
        "a = Det(x) b = Relu(a) c = Cast<to=17>(x) d = Foo.Bar(x) e = Sin(x) "
        "f = Bernoulli(e) dead = Atan(x) y = Sum(b, c, d, f)",
    )
    for node, name in zip(proto.graph.node, ["the det", "", "the cast"], strict=False):
        node.name = name
    with pytest.raises(UnsupportedError) as caught:
        load_onnx(proto)
    assert [(n, o) for n, o, _ in caught.value.problems] == [
        ("the det", "Det"), ("the cast", "Cast"), ("d", "Bar"), ("f", "Bernoulli"),
    ]  # fmt: skip
    assert caught.value.exit_code == 3
    assert "the det" in str(caught.value) and "random" in str(caught.value)


def test_a_constant_cast_like_a_variable() -> None:
    """What the definitions of ONNX's functions do with integers."""
    body = "i = Constant<value=int64[1] {7}>() two = Constant<value=int64[1] {2}>() f = CastLike(i, x) "
    proto = text_model(X, body + "t = CastLike(two, x) h = Div(f, t) y = Mul(x, h)")
    model = load_onnx(proto)
    assert evaluate(model.network, torch.ones(2, dtype=torch.float64)).tolist() == [3.5, 3.5]


def test_definitions_of_onnx_are_used() -> None:
    proto = text_model(X, "s = Constant<value=int64[2] {1, 4}>() y = CenterCropPad(x, s)", 18)
    assert load_onnx(proto).output_shapes == ((1, 4),)


def test_what_a_loop_lacks_is_listed() -> None:
    scalar = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ()) for n in ("s", "v", "t", "u")]
    steps = [
        helper.make_node("Bernoulli", ["s"], ["r"]),
        helper.make_node("Add", ["r", "v"], ["t"]),
        helper.make_node("Identity", ["t"], ["u"]),
    ]
    inner = helper.make_graph(steps, "body", scalar[:2], scalar[2:])
    proto = text_model("(float[3] x) => (float[3] y)", "z = Constant<value=float {0}>() y = Relu(x)")
    scan = helper.make_node("Scan", ["z", "x"], ["end", "y"], "loop", body=inner, num_scan_inputs=1)
    proto.graph.node[1].CopyFrom(scan)
    with pytest.raises(UnsupportedError, match=r"node 'r' \(Bernoulli\)(.|\n)*node 'loop' \(Scan\)"):
        load_onnx(proto)


def test_infinite_outputs_are_listed_as_unsupported() -> None:
    proto = text_model(
        X, "c = Constant<value=bool[2] {1, 0}>() a = Add(x, m) w = Where(c, x, m) y = Add(a, w)"
    )
    constant = helper.make_node(
        "Constant", [], ["m"], value=numpy_helper.from_array(np.array([0, -np.inf], F))
    )
    proto.graph.node.insert(0, constant)
    with pytest.raises(UnsupportedError) as caught:
        load_onnx(proto)
    assert [(n, o) for n, o, _ in caught.value.problems] == [("y", "output")]
