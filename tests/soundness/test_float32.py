"""Bounds of float32 executions against executions, and faults in the account that these must find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from genbab import Config, Verdict, api, verify
from genbab.errors import UnsupportedError, UsageError
from genbab.network.rounding import counts, elementary, formats
from genbab.network.rounding.elementary import Piece
from genbab.reader.rounding import kinds, rules
from genbab.specs import Clause, Spec

from .float32 import Style, run, styles
from .float32.differing import Differing, differing
from .float32.examine import Effort, examined
from .float32.networks import Case, random_network
from .float32.styles import BEYOND, SINGLE
from .float32.tables import InTable, InUlps

LIKE = Style(allowed=InUlps(4), whole=SINGLE)
QUICK = Effort(
    points=12, styles=8, greedy=0, runtime=0, steered=0, like=replace(LIKE, beyond=frozenset(BEYOND))
)
TABLE = Path(elementary.__file__).with_name("tables") / "onnxruntime.json"

SEEDS = (0, 1, 2, 5, 8, 10, 11, 13, 17, 18, 21, 22, 25, 27, 28, 30)
"""Cases whose functions the library knows: composing others takes a while where nobody has done so before."""

FLOAT32 = Config(arithmetic="float32", elementary="4ulp", root_steps=1)


def _bounds(case: Case) -> tuple[np.ndarray, np.ndarray] | str:
    low, high = (end.reshape(-1).astype(np.float64) for end in (case.low, case.high))
    try:
        lower, upper = api.bounds(case.model.SerializeToString(), low, high, "backward", FLOAT32)
    except UnsupportedError as error:
        return str(error)
    return lower.numpy(), upper.numpy()


def test_no_execution_leaves_the_bounds_and_these_are_not_much_wider() -> None:
    over_box: list[float] = []
    for seed in SEEDS:
        outcome = examined(random_network(seed), _bounds, QUICK)
        assert not outcome.violations, outcome.found
        assert outcome.checked or outcome.refused
        over_box += outcome.over_box
    assert np.median(over_box) < 10.0


def _case(nodes: Sequence[tuple[str, list[str]]], weights: dict[str, np.ndarray], x: np.ndarray) -> Case:
    """A chain of nodes from x to y at one point; each makes t0, t1, ... and the last y."""
    names = [*(f"t{k}" for k in range(len(nodes) - 1)), "y"]
    made = [helper.make_node(kind, read, [name]) for (kind, read), name in zip(nodes, names, strict=True)]
    tensors = [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    ends[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(x.shape))
    graph = helper.make_graph(made, "g", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return Case("chain", 0, model, x.astype(np.float32), x.astype(np.float32))


def _sum(bias: float = 0.0) -> Case:
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(24, 2))
    return _case([("Gemm", ["x", "w", "b"])], {"w": weight, "b": np.full(2, bias)}, rng.normal(size=(1, 24)))


def _gated() -> Case:
    """Σ w·x·sigmoid(c·x) + b, b much larger than the rest: the bias may be where the sum begins."""
    gate = [("Mul", ["x", "c"]), ("Sigmoid", ["t0"]), ("Mul", ["x", "t1"])]
    nodes = [*gate, ("Gemm", ["t2", "w", "b"])]
    weights = {"c": np.array(1.702), "w": np.full((24, 1), 0.013), "b": np.full(1, 1.2)}
    return _case(nodes, weights, np.linspace(0.001, 0.01, 24)[None])


def _alone(kind: str) -> Case:
    return _case([(kind, ["x"])], {}, np.linspace(-1.0, 2.0, 40)[None])


def _tiny() -> Case:
    weight = np.full((6, 1), 1e-20)
    return _case([("MatMul", ["x", "w"])], {"w": weight}, np.full((1, 6), 1.17e-18))


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Case]] = {
    "an operator is missing": (
        lambda patch: patch.setattr(rules, "EXACT", kinds.EXACT | {"Gemm"}),
        _sum(),
    ),
    "a bias is added last": (
        lambda patch: patch.setattr(rules, "literally", lambda node, form, *_: counts.literally(node, form)),
        _gated(),
    ),
    "a sum counts as one addition": (
        lambda patch: patch.setattr(counts, "terms_of", lambda node: torch.full_like(node.bias, 2.0)),
        _sum(),
    ),
    "products are taken to be fused": (
        lambda patch: patch.setattr(counts, "_only_signs", lambda one: True),
        _case([("MatMul", ["x", "w"])], {"w": np.array([[1.1, 0.3], [0.0, 0.0]])}, np.array([[1.7, 0.0]])),
    ),
    "functions are twice as exact": (
        lambda patch: patch.setattr(rules, "near", lambda pieces, *_: tuple(map(_halved, pieces))),
        _alone("Tanh"),
    ),
    "nothing is flushed": (
        lambda patch: patch.setattr(rules, "FORMS", {1: replace(formats.FLOAT32, tiny=2.0**-149)}),
        _tiny(),
    ),
}


def _halved(piece: Piece) -> Piece:
    return replace(piece, absolute=piece.absolute / 2, relative=piece.relative / 2)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_account_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault, case = FAULTS[name]
    effort = Effort(points=2, styles=40, greedy=2, runtime=0, like=LIKE)
    assert not examined(case, _bounds, effort).violations
    fault(monkeypatch)
    assert examined(case, _bounds, effort).violations


def _above(case: Case, sign: float, limit: float) -> Spec:
    """sign · y[0] is above the limit, on the case's box."""
    low, high = (end.reshape(1, -1).astype(np.float64) for end in (case.low, case.high))
    outputs = int(api.load(case.model.SerializeToString()).network.output_size)
    row = np.zeros((1, outputs))
    row[0, 0] = sign
    return Spec(low, high, (Clause(0, row, None, np.array([limit])),), outputs)


def test_what_holds_over_the_reals_need_not_hold_in_float32() -> None:
    """(0.1 + 0.2 - 0.3)·x is below 0 over the reals, with float32's 0.1, 0.2 and 0.3, and 0 in float32."""
    weights = {"a": np.array([0.1]), "b": np.array([0.2]), "c": np.array([0.3])}
    products = [("Mul", ["x", "a"]), ("Mul", ["x", "b"]), ("Add", ["t0", "t1"]), ("Mul", ["x", "c"])]
    case = _case([*products, ("Sub", ["t2", "t3"])], weights, np.ones(1))
    a, b, c = (float(np.float32(v)) for v in (0.1, 0.2, 0.3))
    spec, quiet = _above(case, -1.0, -(a + b - c) / 2), Config(attack_restarts=0, timeout=20.0)
    real, single = (
        verify(case.model.SerializeToString(), spec, quiet.with_(arithmetic=arithmetic))
        for arithmetic in ("real", "float32")
    )
    assert real.bound is not None and real.bound > 0 and real.arithmetic == "real"
    assert single.verdict is not Verdict.VERIFIED and single.arithmetic == "float32"
    assert single.bound is None or single.bound < 0


@pytest.mark.parametrize("one", differing(), ids=lambda one: one.name)
def test_ten_networks_differ_in_float32(one: Differing) -> None:
    """All float32 inputs are tried; whatever is computed is within the float32 bounds."""
    model, x = one.model.SerializeToString(), one.inputs()[:, None]
    (real, _), (low, high) = (
        api.bounds(model, [one.low], [one.high], config=Config(arithmetic=arithmetic))
        for arithmetic in ("real", "float32")
    )
    like = Style(allowed=InTable(TABLE), whole=SINGLE, beyond=frozenset(["moments"]))
    y = np.stack([run(one.model, {"x": x}, style)[0].ravel() for style in styles(0, 14, like)])
    assert float(real.min()) > one.limit, "it holds over the reals"
    assert not (y > one.limit).all(), "it does not hold in float32"
    unbounded = not np.isfinite([float(low.min()), float(high.max())]).any()
    assert ((y >= float(low.min())) & (y <= float(high.max())) | (np.isnan(y) & unbounded)).all()


def test_the_result_says_which_arithmetic_it_is_about() -> None:
    case = _sum()
    bounds = _bounds(case)
    assert not isinstance(bounds, str)
    spec = _above(case, 1.0, float(bounds[0][0, 0]) - 1)
    result = verify(case.model.SerializeToString(), spec, FLOAT32.with_(timeout=20.0))
    assert result.verdict is Verdict.VERIFIED and result.arithmetic == "float32"
    assert "float32" in result.reason and "4ulp" in result.reason
    assert type(result).from_json(result.to_json()).arithmetic == "float32"


def test_another_arithmetic_than_the_file_has_is_refused() -> None:
    config = Config(arithmetic="float64", elementary="4ulp")
    with pytest.raises(UsageError, match="computes in float32"):
        api.bounds(_sum().model.SerializeToString(), [0.0] * 24, [1.0] * 24, config=config)


def test_an_operator_without_a_rule_is_named() -> None:
    case = _case([("ReduceLogSumExp", ["x"])], {}, np.ones((1, 4)))
    with pytest.raises(UnsupportedError, match="ReduceLogSumExp"):
        api.bounds(case.model.SerializeToString(), [0.0] * 4, [1.0] * 4, config=FLOAT32)


def test_a_table_must_have_the_function() -> None:
    case = _case([("Pow", ["x", "p"])], {"p": np.array(2.7)}, np.ones((1, 4)))
    with pytest.raises(UnsupportedError, match="4ulp"):
        api.bounds(case.model.SerializeToString(), [1.0] * 4, [2.0] * 4, config=Config(arithmetic="float32"))


def test_all_tables_can_be_read() -> None:
    for name in elementary.TABLES:
        found = elementary.table(name, formats.FLOAT32)
        assert found.about and all(pieces for pieces in found.functions.values())
    with pytest.raises(UsageError, match="float32"):
        elementary.table("onnxruntime", formats.FLOAT64)
