"""The self-check names the first node that does not give what onnxruntime gives."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from genbab.errors import ModelError
from genbab.network import evaluate, noise
from genbab.reader import load_onnx
from genbab.reader.lower import LOWERINGS
from genbab.reader.onnx.runtime import session
from genbab.reader.tensors.arithmetic import apply
from genbab.reader.tensors.values import Value

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


@pytest.mark.parametrize("large", (1.0, 1e3, 1e6))
def test_a_large_output_does_not_hide_a_wrong_one(monkeypatch: pytest.MonkeyPatch, large: float) -> None:
    """Neither another output nor another entry of the same one."""
    for joined in (False, True):
        end = "y = Concat<axis=1>(a, b)" if joined else "y = Identity(a) z = Identity(b)"
        outputs = "float y" if joined else "float y, float z"
        text = (
            f'<ir_version: 8, opset_import: ["" : 17]> agraph (float[1,4] x) => ({outputs}) '
            f"{{ a = Softplus(x) c = Constant<value=float {{{large}}}>() b = Mul(x, c) {end} }}"
        )
        assert load_onnx(onnx.parser.parse_model(text)).functions == {"softplus": 4}
        with monkeypatch.context() as patched:
            patched.setitem(LOWERINGS, "Softplus", LOWERINGS["Neg"])
            with pytest.raises(ModelError, match=r"\(Softplus\) does not give what onnxruntime gives"):
                load_onnx(onnx.parser.parse_model(text))


@pytest.mark.parametrize(
    "body",
    [
        "a = Mul(x, k) y = Sin(a)",
        "a = Add(x, k) b = Sub(a, k) y = Sin(b)",
        "a = Add(x, k) b = Sin(x) c = Add(b, k) y = Sub(a, c)",
        "a = Mul(x, k) b = Sin(a) c = Exp(b) y = Floor(c)",
        "a = ReduceMean<axes=[1]>(x) b = Sub(x, a) c = Mul(b, k) d = Mul(c, k) e = Cos(d) y = Mul(e, b)",
    ],
)
@pytest.mark.parametrize("size", (1e1, 1e3, 1e5))
def test_what_float32_loses_refuses_no_model(body: str, size: float) -> None:
    text = HEAD + f"{{ k = Constant<value=float {{{size}}}>() {body} }}"
    assert load_onnx(onnx.parser.parse_model(text)).notes == ()


def test_the_noise_of_an_output_is_of_the_size_of_its_error() -> None:
    """Not below what float32 is really off by (a twentieth is allowed for), nor far above."""
    random = np.random.default_rng(3)
    for _ in range(20):
        width, scale = 30, 10.0 ** random.uniform(-3, 3, size=5)
        first, last = random.normal(size=(width, 4)), scale[:, None] * random.normal(size=(5, width))
        v, w = (", ".join(f"{e:.8g}" for e in m.T.reshape(-1)) for m in (first, last))
        graph = (
            '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,5] y) '
            f"<float[4,{width}] v = {{{v}}}, float[{width},5] w = {{{w}}}> "
            "{ a = MatMul(x, v) b = Tanh(a) y = MatMul(b, w) }"
        )
        model = load_onnx(onnx.parser.parse_model(graph))
        x = torch.from_numpy(random.normal(size=4).astype(np.float32)).double()
        exact = evaluate(model.network, x).numpy()
        theirs = (
            session(model.proto).run(["y"], {"x": x.float().numpy()[None]})[0].reshape(-1).astype(np.float64)
        )
        found = noise(model.network, x).numpy()
        assert bool((np.abs(theirs - exact) <= 20.0 * found).all())
        assert bool((found <= 1e-4 * scale * width).all()) and bool((found > 0).all())
