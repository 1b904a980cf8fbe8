"""Functions that are not defined everywhere keep their domains, whatever becomes of their values."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from genbab import Config, output_bounds, verify
from genbab.driver.undefined import Undefined
from genbab.network import Network, Nonlinear, evaluate
from genbab.nonlinear.composed.defined import guarded_by, keeps_domain
from genbab.reader import Model, load_onnx
from genbab.result import Verdict
from genbab.specs import Clause, Spec

GONE = {
    "difference": ("Sqrt", "s = Sqrt(x) t = Sqrt(x) y = Sub(s, t)"),
    "times 0": ("Log", "z = Constant <value_float = 0.0> () s = Log(x) y = Mul(s, z)"),
    "zeros in a mask": (
        "Log",
        "z = Constant <value = float[1,2] {0.0, 1.0}> () s = Log(x) t = Mul(s, z) y = Tanh(t)",
    ),
    "x / x": ("Div", "y = Div(x, x)"),
    "x · 1/x": ("Reciprocal", "r = Reciprocal(x) y = Mul(x, r)"),
    "exp(log x)": ("Log", "s = Log(x) y = Exp(s)"),
    "sqrt(x)²": ("Sqrt", "s = Sqrt(x) y = Mul(s, s)"),
    "sqrt(x)⁴ by Pow": ("Sqrt", "p = Constant <value_float = 4.0> () s = Sqrt(x) y = Pow(s, p)"),
    "log(x²) - 2 log(x)": ("Log", "s = Log(x) t = Add(s, s) y = Sub(t, s)"),
    "a bounded function": ("Log", "s = Log(x) y = Sigmoid(s)"),
    "a bounded function with a bounded domain": ("Asin", "b = Add(x, x) y = Asin(b)"),
    "a limit": (
        "Log",
        "l = Constant <value_float = -1.0> () h = Constant <value_float = 1.0> () s = Log(x) y = Clip(s, l, "
        "h)",
    ),
    "a matrix of zeros": (
        "Sqrt",
        "w = Constant <value = float[2,2] {0.0, 0.0, 0.0, 0.0}> () s = Sqrt(x) y = MatMul(s, w)",
    ),
    "a column of zeros": (
        "Sqrt",
        "w = Constant <value = float[2,2] {0.0, 0.0, 1.0, 0.0}> () s = Sqrt(x) y = MatMul(s, w)",
    ),
    "a mean of one number": (
        "Sqrt",
        "k = Constant <value = int64[2] {2, 1}> () s = Sqrt(x) t = Reshape(s, k)"
        " m = ReduceMean <axes = [1]> (t) y = Sub(t, m)",
    ),
    "a softmax of one number": (
        "Sqrt",
        "k = Constant <value = int64[2] {2, 1}> () s = Sqrt(x) t = Reshape(s, k) y = Softmax(t)",
    ),
    "an end of the domain": (
        "Log",
        "z = Constant <value_float = 0.0> () r = Relu(x) s = Log(r) t = Mul(s, z) y = Add(x, t)",
    ),
    "a value that is 0 times": (
        "Acosh",
        "o = Constant <value_float = 0.5> () z = Constant <value_float = 0.0> () b = Add(x, o)"
        " s = Acosh(b) t = Mul(s, z) y = Add(x, t)",
    ),
    "a branch that is taken": (
        "Log",
        "o = Constant <value_float = -2.0> () c = Greater(x, o) s = Log(x) t = Sub(s, s) y = Where(c, t, x)",
    ),
}


NOWHERE = {"x / x": 0.0, "x · 1/x": 0.0, "a bounded function with a bounded domain": 0.75}
"""Points without a value, where that is not -0.5."""


def model(body: str) -> bytes:
    head = '<ir_version: 8, opset_import: ["" : 17]> agraph (float[1,2] x) => (float[1,2] y)'
    proto = onnx.parser.parse_model(head + " {" + body + "}")
    for number, node in enumerate(proto.graph.node):
        first = all(node.op_type != other.op_type for other in proto.graph.node[:number])
        node.name = f"the {node.op_type}" if first else f"number {number}"
    return bytes(proto.SerializeToString())


def below(limit: float, low: float, high: float) -> Spec:
    """The outputs stay below a limit on [low, high]²."""
    clauses = tuple(Clause(0, -row[None], None, np.array([-limit])) for row in np.eye(2))
    return Spec(np.full((1, 2), low), np.full((1, 2), high), clauses, 2)


@pytest.mark.parametrize("name", GONE)
def test_an_undefined_point_makes_it_unknown_with_the_reason(name: str) -> None:
    operator, body = GONE[name]
    result = verify(model(body), below(1e3, -0.5, 1.0), Config(timeout=20.0))
    assert result.verdict is Verdict.UNKNOWN
    assert f"node 'the {operator}'" in result.reason and "undefined" in result.reason


@pytest.mark.parametrize("name", GONE)
def test_inside_the_domain_it_is_proved(name: str) -> None:
    low, high = (0.6, 0.7) if "Acosh" in name or "times" in name else (0.2, 0.45)
    result = verify(model(GONE[name][1]), below(1e3, low, high), Config(timeout=60.0, attack_restarts=0))
    assert result.verdict is Verdict.VERIFIED


@pytest.mark.parametrize("name", GONE)
def test_values_and_bounds_have_no_number_where_the_graph_has_none(name: str) -> None:
    read = load_onnx(model(GONE[name][1]), check=False)
    x = NOWHERE.get(name, -0.5)
    assert evaluate(read.network, torch.tensor([[x, x]], dtype=torch.float64)).isnan().any()
    found = output_bounds(read, np.full((1, 2), -0.5), np.full((1, 2), 1.0))
    assert not np.isfinite(np.asarray(found)).any()


TOTAL = {
    "a norm": "e = Constant <value_float = 0.1> () q = Mul(x, x) m = ReduceMean <axes = [1]> (q) v = Add(m, "
    "e)"
    " r = Sqrt(v) y = Div(x, r)",
    "a sigmoid": "o = Constant <value_float = 1.0> () n = Neg(x) e = Exp(n) d = Add(e, o) y = Div(o, d)",
    "a softmax": "e = Exp(x) s = ReduceSum(e) y = Div(e, s)",
    "log of a sigmoid": "s = Sigmoid(x) y = Log(s)",
    "a root of a square": "q = Mul(x, x) y = Sqrt(q)",
    "an entry that is not read": "i = Constant <value = int64[2] {0, 0}> () e = Exp(x) z = Gather <axis = "
    "1> (e, i)"
    " y = Sqrt(z)",
    "a condition": "z = Constant <value_float = 0.0> () c = Greater(x, z) s = Log(x) y = Where(c, s, x)",
    "two conditions": "p = Constant <value_float = 1.0> () n = Constant <value_float = -1.0> () a = Less(x, "
    "p)"
    " b = Greater(x, n) c = And(a, b) s = Asin(x) y = Where(c, s, x)",
    "a size": "p = Constant <value_float = 1.0> () a = Abs(x) c = LessOrEqual(a, p) s = Acos(x) y = "
    "Where(c, s, x)",
    "not 0": "z = Constant <value_float = 0.0> () c = Equal(x, z) s = Reciprocal(x) y = Where(c, z, s)",
}


@pytest.mark.parametrize("name", TOTAL)
def test_what_is_defined_everywhere_pays_nothing(name: str) -> None:
    read = load_onnx(model(TOTAL[name]), check=False)
    assert not any(keeps_domain(getattr(node, "fn", None)) for node in read.network.nodes)


def kept(read: Model) -> Network:
    return read.network


def test_an_output_does_not_answer_for_another() -> None:
    body = "z = Constant <value = float[1,2] {0.0, 1.0}> () s = Log(x) t = Mul(s, z) y = Tanh(t)"
    spec = Spec(
        np.array([[0.5, -1.0]]),
        np.array([[1.0, 1.0]]),
        (Clause(0, np.array([[-1.0, 0.0]]), None, np.array([-2.0])),),
        2,
    )
    network = kept(load_onnx(model(body)))
    from genbab.bounds import Engine, cheap_intervals
    from genbab.system.device import resolve

    engine = Engine.of(network, Config(), resolve("cpu"), lambda: None)
    box = (torch.from_numpy(spec.lower), torch.from_numpy(spec.upper))
    low, high = cheap_intervals(engine, box)[network.output]
    assert torch.isfinite(low[0, 0]) and torch.isfinite(high[0, 0])
    assert not torch.isfinite(low[0, 1]) and not torch.isfinite(high[0, 1])


def test_rows_that_subtract_outputs_keep_what_both_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Undefined, "_sampled", lambda self: "")  # bounds alone
    body = (
        "w = Constant <value = float[2,2] {1.0, 1.0, 0.0, 0.0}> () v = Constant <value = float[1,2] {1.0, "
        "2.0}> ()"
        " s = Sqrt(x) t = MatMul(s, w) y = Add(t, v)"
    )
    apart = Clause(0, np.array([[1.0, -1.0]]), None, np.array([-5.0]))
    for low, proved in ((-0.5, False), (0.5, True)):
        spec = Spec(np.full((1, 2), low), np.full((1, 2), 1.0), (apart,), 2)
        result = verify(model(body), spec, Config(attack_restarts=0, timeout=20.0 if proved else 2.0))
        assert (result.verdict is Verdict.VERIFIED) == proved


def test_a_point_without_a_value_is_no_counterexample() -> None:
    result = verify(model(GONE["difference"][1]), below(-1.0, -1.0, -0.5), Config(timeout=10.0))
    assert result.verdict is Verdict.UNKNOWN


def test_hidden_minus_infinity_does_not_hide_what_is_undefined() -> None:
    body = "m = Constant <value = float[1,2] {0.0, -inf}> () s = Sqrt(x) t = Add(s, m) y = Softmax(t)"
    head = '<ir_version: 8, opset_import: ["" : 17]> agraph (float[1,2] x) => (float[1,2] y)'
    proto = onnx.parser.parse_model(head + " {" + body.replace("-inf", "-1.0") + "}")
    proto.graph.node[0].attribute[0].t.CopyFrom(
        onnx.numpy_helper.from_array(np.array([[0.0, -np.inf]], np.float32))
    )
    network = load_onnx(proto.SerializeToString(), check=False).network
    functions = [guarded_by(node.fn) for node in network.nodes if isinstance(node, Nonlinear)]
    assert "sqrt" in [fn.name for fn in functions if fn is not None]
    assert evaluate(network, torch.tensor([[0.5, -0.5]], dtype=torch.float64)).isnan().all()
