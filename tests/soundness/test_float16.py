"""Bounds in float16 and bfloat16 hold for graphs whose tensors are rounded to these types or kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from genbab import Config, Verdict, api, verify
from genbab.errors import UsageError
from genbab.network.rounding import elementary
from genbab.network.rounding.formats import Format
from genbab.network.rounding.steps import Rounding
from genbab.reader.convert.convert import _Conversion
from genbab.reader.rounding import kinds, rules
from genbab.specs import Clause, Spec

from .float16 import shortened
from .float16.shortened import ShortCase
from .float32.examine import by_runtime, outside
from .float32.networks import Case, points, random_network
from .float32.styles import BEYOND, SINGLE, Style
from .float32.tables import InTable

TABLE = InTable(Path(elementary.__file__).with_name("tables") / "onnxruntime.json")
LIKE = Style(allowed=TABLE, whole=SINGLE, beyond=frozenset(BEYOND))

SEEDS = ((0, False), (1, True), (3, False), (6, False), (8, False), (10, True), (28, True))
"""Cases, and whether float32 goes in and comes out."""

HALF = Config(arithmetic="float16", root_steps=1)

CHAIN = """<ir_version: 9, opset_import: ["" : 20]> g ({kind}[1,{size}] x) => ({kind}[1,{last}] y)
    <{kind}[{size},{last}] W> {{ {body} }}"""


def bounds(case: ShortCase, kind: str = "float16") -> tuple[np.ndarray, np.ndarray]:
    """The bounds (O,) of the outputs on the case's box."""
    low, high = (end.reshape(-1).astype(np.float64) for end in (case.case.low, case.case.high))
    config = HALF.with_(arithmetic=kind)
    lower, upper = api.bounds(case.case.model.SerializeToString(), low, high, "backward", config)
    return lower.numpy().reshape(-1), upper.numpy().reshape(-1)


def escapes(case: ShortCase, kind: str = "float16", effort: int = 12) -> int:
    """How many outputs of runs in the styles lie outside of the bounds."""
    low, high = bounds(case, kind)
    return sum(int(outside(y, low, high).sum()) for _, _, y in case.runs(40, effort, LIKE))


@pytest.mark.parametrize(("seed", "ends"), SEEDS)
def test_no_execution_leaves_the_bounds(seed: int, ends: bool) -> None:
    case = shortened(random_network(seed), "float16", ends)
    low, high = bounds(case)
    assert np.isfinite(low).all() and np.isfinite(high).all()
    assert not escapes(case)
    x = points(case.case, 10, seed).astype(np.float32 if ends else np.float16)
    assert not outside(by_runtime(case.case, x).astype(np.float64), low, high).any()


@pytest.mark.parametrize("seed", [1, 8])
def test_no_execution_in_bfloat16_leaves_the_bounds(seed: int) -> None:
    assert not escapes(shortened(random_network(seed), "bfloat16", True), "bfloat16")


def _text(kind: str, body: str, size: int = 1) -> str:
    """A graph without a weight."""
    return CHAIN.format(kind=kind, size=size, last=size, body=body).replace(f"<{kind}[{size},{size}] W>", "")


def _chain(body: str, weight: np.ndarray, x: np.ndarray) -> ShortCase:
    """A graph from x to y with a weight W, at one point."""
    text = CHAIN.format(kind="float", size=x.shape[1], last=weight.shape[1], body=body)
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight.astype(np.float32), "W"))
    x = x.astype(np.float16).astype(np.float32)
    return shortened(Case("chain", 0, model, x, x), "float16", ends=False)


def _sum() -> ShortCase:
    random = np.random.default_rng(3)
    return _chain("y = MatMul(x, W)", random.normal(size=(4, 400)), random.normal(size=(1, 4)))


def _read_twice() -> ShortCase:
    """relu(t) - |t| of a positive t that one of them takes rounded, and the other as it was computed."""
    random = np.random.default_rng(5)
    body = "t = MatMul(x, W) a = Relu(t) b = Abs(t) y = Sub(a, b)"
    return _chain(body, random.random((4, 40)), random.random((1, 4)))


def _cast() -> ShortCase:
    random = np.random.default_rng(7)
    text = CHAIN.format(kind="float", size=40, last=40, body="y = Identity(x)").replace(
        "<float[40,40] W>", ""
    )
    x = random.normal(size=(1, 40)).astype(np.float32)
    return shortened(Case("cast", 0, onnx.parser.parse_model(text), x, x), "float16", ends=True)


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], ShortCase]]] = {
    "half of the unit": (
        lambda patch: patch.setattr(rules, "rounded_to", _halved),
        _sum,
    ),
    "the tensors of short types are taken to be kept": (
        lambda patch: patch.setattr(rules.Roundings, "_shortened", lambda *_: None),
        _sum,
    ),
    "a cast is not charged": (
        lambda patch: patch.setattr(rules, "EXACT", kinds.EXACT | {"Cast"}),
        _cast,
    ),
    "all readers see the same": (
        lambda patch: patch.setattr(_Conversion, "read", lambda _, tensors, name: tensors[name]),
        _read_twice,
    ),
}


def _halved(form: Format) -> Rounding:
    return Rounding(unit=form.unit / 2, absolute=form.tiny)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_account_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault, made = FAULTS[name]
    case = made()
    assert not escapes(case, effort=40)
    fault(monkeypatch)
    assert escapes(case, effort=40)


@pytest.mark.parametrize(
    ("body", "x"),
    [("y = Mul(x, x)", 300.0), ("t = Mul(x, x) z = Sub(x, x) y = Mul(t, z)", 300.0), ("y = Exp(x)", 11.5)],
)
def test_what_may_overflow_is_unknown(body: str, x: float) -> None:
    model = onnx.parser.parse_model(_text("float16", body)).SerializeToString()
    lower, upper = api.bounds(model, [1.0], [x], config=HALF)
    assert not np.isfinite([float(lower), float(upper)]).any()
    lower, upper = api.bounds(model, [1.0], [2.0], config=HALF)
    assert np.isfinite([float(lower), float(upper)]).all()


def test_the_arithmetic_is_the_shortest_of_the_file() -> None:
    case = shortened(random_network(1), "float16", ends=True).case
    for arithmetic in ("float32", "bfloat16"):
        config = Config(arithmetic=arithmetic)
        with pytest.raises(UsageError, match="float16 and float32: ask for --arithmetic float16"):
            api.bounds(case.model.SerializeToString(), case.low.ravel(), case.high.ravel(), config=config)


def _spec(limit: float, low: float, high: float) -> Spec:
    """y is above the limit."""
    row = (Clause(0, np.array([[1.0]]), None, np.array([limit])),)
    return Spec(np.array([[low]]), np.array([[high]]), row, 1)


def test_a_counterexample_holds_numbers_of_the_type() -> None:
    model = onnx.parser.parse_model(_text("float16", "a = Add(x, x) y = Sigmoid(a)")).SerializeToString()
    result = verify(model, _spec(0.6, 0.1, 0.3), HALF.with_(timeout=20.0))
    assert result.verdict is Verdict.FALSIFIED and result.counterexample is not None
    x = result.counterexample.x
    assert (x.astype(np.float16) == x).all() and 0.1 <= float(x[0]) <= 0.3
    between = verify(model, _spec(0.6, 0.10001, 0.10002), HALF.with_(timeout=1.0))
    assert between.verdict is not Verdict.FALSIFIED, "no number of float16 is there"
    proved = verify(model, _spec(0.5, 0.1, 0.3), HALF.with_(timeout=20.0))
    assert proved.verdict is Verdict.VERIFIED and "float16" in proved.reason


def test_nothing_is_falsified_in_bfloat16() -> None:
    model = onnx.parser.parse_model(_text("bfloat16", "a = Add(x, x) y = Sigmoid(a)")).SerializeToString()
    config = Config(arithmetic="bfloat16", timeout=1.0)
    result = verify(model, _spec(0.6, 0.1, 0.3), config)
    assert result.verdict in (Verdict.UNKNOWN, Verdict.TIMEOUT)
    assert "bfloat16" in result.reason and "no counterexample can be replayed" in result.reason
    proved = verify(model, _spec(0.5, 0.1, 0.3), config.with_(timeout=20.0))
    assert proved.verdict is Verdict.VERIFIED
