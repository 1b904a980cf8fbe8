"""The self-check names the first node that does not give what onnxruntime gives."""

from __future__ import annotations

import onnx
import pytest
import torch

from genbab.errors import ModelError
from genbab.reader import load_onnx
from genbab.reader.arithmetic import apply
from genbab.reader.lower import LOWERINGS
from genbab.reader.values import Value

HEAD = '<ir_version: 8, opset_import: ["" : 17]> agraph (float[1,4] x) => (float y) '
CHAIN = HEAD + (  # means taken off in between keep the functions apart
    "{ a = Sin(x) k = ReduceMean<axes=[1]>(a) d = Sub(a, k) b = Softplus(d) l = ReduceMean<axes=[1]>(b) "
    "e = Sub(b, l) c = Exp(e) m = ReduceMean<axes=[1]>(c) f = Sub(c, m) y = Sin(f) }"
)


def test_a_wrong_lowering_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOWERINGS, "Softplus", LOWERINGS["Neg"])
    proto = onnx.parser.parse_model(CHAIN)
    proto.graph.node[3].name = "the culprit"
    with pytest.raises(
        ModelError, match=r"node 'the culprit' \(Softplus\) does not give what onnxruntime gives"
    ):
        load_onnx(proto)
    assert load_onnx(proto, check=False).functions == {"sin": 8, "exp": 4}


def test_a_lowering_that_drops_a_term_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(builder: object, op: object, inputs: list[Value | None]) -> Value:
        assert inputs[0] is not None
        return inputs[0]

    monkeypatch.setitem(LOWERINGS, "Add", first)
    with pytest.raises(ModelError, match=r"node 's' \(Add\)"):
        load_onnx(onnx.parser.parse_model(HEAD + "{ a = Sin(x) s = Add(a, x) y = Cos(s) }"))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("lowered", "words"),
    [("Sqrt", r"\d of 4 finite entries are not finite here, largest entry"), ("Neg", "largest difference")],
)
def test_nothing_but_nan_is_named_without_a_warning(
    monkeypatch: pytest.MonkeyPatch, lowered: str, words: str
) -> None:
    rule = (lambda b, op, inputs: apply(b, "sqrt", inputs[0])) if lowered == "Sqrt" else LOWERINGS["Neg"]
    monkeypatch.setitem(LOWERINGS, "Softplus", rule)
    body = "{ s = Abs(x) n = Neg(s) c = Constant<value=float {1.0}>() m = Sub(n, c) y = Softplus(m) }"
    with pytest.raises(ModelError, match=words):
        load_onnx(onnx.parser.parse_model(HEAD + body))


def test_outside_the_domain_of_a_function_other_points_serve() -> None:
    model = load_onnx(onnx.parser.parse_model(HEAD + "{ a = Log(x) y = Sqrt(a) }"))
    assert model.notes == ()


def test_a_function_that_is_nowhere_finite_is_remarked_on() -> None:
    body = "{ s = Mul(x, x) n = Neg(s) one = Constant<value=float {1.0}>() m = Sub(n, one) y = Sqrt(m) }"
    model = load_onnx(onnx.parser.parse_model(HEAD + body))
    assert "not checked" in model.notes[0] and "not checked" in model.summary()


def test_what_onnxruntime_refuses_is_said() -> None:
    proto = onnx.parser.parse_model(HEAD + "{ y = Sin(x) }")
    proto.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    with pytest.raises(ModelError, match="onnxruntime refuses the model"):
        load_onnx(proto)


def test_summary() -> None:
    text = load_onnx(onnx.parser.parse_model(CHAIN)).summary()
    assert "opset 17" in text and "Softplus 1" in text and "sin 8" in text and "input  x [1, 4]" in text


def test_weights_are_float64() -> None:
    model = load_onnx(onnx.parser.parse_model(HEAD + "{ w = Constant<value=float {0.1}>() y = Mul(x, w) }"))
    assert model.network.nodes[1].bias.dtype == torch.float64  # type: ignore[union-attr]
