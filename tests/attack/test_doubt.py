"""What onnxruntime says against a proof: undefined or infinite outputs, another network, other sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import genbab
from genbab.attack import Replayer, doubt
from genbab.attack.doubt import BOXES, PER_BOX, Doubts, ProofCheck
from genbab.attack.targets import Floats
from genbab.config import Config
from genbab.network import evaluate
from genbab.reader import Model, load_onnx
from genbab.reader.onnx.runtime import session
from genbab.specs import Ball, Clause, Spec
from genbab.system.deadline import Deadline
from genbab.system.schedule import RunSchedule
from tests.soundness.graphs import random_network, to_onnx

OFF = Config(attack_restarts=0, timeout=60.0)


def model(body: str, inputs: int = 2, outputs: str = "float y") -> Model:
    """The model of a graph written out, of one input x."""
    head = f'<ir_version: 8, opset_import: ["" : 17]> agraph (float[1,{inputs}] x) => ({outputs}) '
    return load_onnx(onnx.parser.parse_model(f"{head}{{ {body} }}"))


def below(side: float, low: float, high: float, one: Model, boxes: int = 1, row: int = 0) -> Spec:
    """Unsafe: output `row` <= side, for inputs in [low, high], cut into boxes along all axes at once."""
    ends = np.linspace(low, high, boxes + 1)
    size, count = one.network.input_size, one.network.output_size
    clauses = tuple(Clause(k, np.eye(count)[[row]], None, np.array([side])) for k in range(boxes))
    lower, upper = (e[:, None] * np.ones((1, size)) for e in (ends[:-1], ends[1:]))
    return Spec(lower, upper, clauses, count)


def said(
    one: Model,
    spec: Spec,
    change: Any = lambda y: y,
    deadline: Deadline | None = None,
    replayer: Replayer | None = None,
) -> tuple[Doubts, list[Floats]]:
    """The doubts about the model's network, whose outputs are changed, and the points judged."""
    judged: list[Floats] = []

    def ours(x: Floats) -> Floats:
        return np.asarray(change(evaluate(one.network, torch.from_numpy(x)).numpy()))

    check = ProofCheck(replayer or Replayer(one), spec, ours, judged.append)
    return check.doubts(RunSchedule(deadline or Deadline()), 0), judged


HUGE = "k = Constant<value=float {1e30}>() "


@pytest.mark.parametrize(
    ("body", "high"),
    [
        ("e = Exp(x) y = Neg(e) ", 100.0),
        (HUGE + "a = Mul(x, k) y = Mul(a, k)", 10.0),
        (HUGE + "a = Mul(x, k) b = Mul(a, a) c = Sqrt(b) d = Div(c, k) y = Sub(d, x)", 10.0),
        (HUGE + "a = Mul(x, k) b = Mul(a, k) y = Atan(b) z = Sub(b, b)", 10.0),
    ],
    ids=["exp", "products", "inside", "hidden"],
)
def test_outputs_that_are_no_numbers_leave_a_proof_open(body: str, high: float) -> None:
    """On a part of the box; where float32 only passes by infinity, all is well."""
    one = model(body)
    found, judged = said(one, below(-1e300, -high, high, one))
    hidden = "Atan" in body
    assert not judged and ("output" in found.reason) == (not hidden)
    assert hidden or "inf" in found.reason or "nan" in found.reason


def test_infinite_outputs_end_as_unknown() -> None:
    one = model("y = Exp(x)")
    held, lost = below(-1.0, -1.0, 1.0, one), below(-1.0, -1.0, 120.0, one)
    assert genbab.verify(one, held, OFF).verdict == "verified"
    result = genbab.verify(one, lost, OFF)
    assert result.verdict == "unknown" and "inf" in result.reason and result.bound is not None


def test_an_output_that_no_row_reads_may_be_infinite() -> None:
    one = model("a = Exp(x) b = Tanh(x) y = Concat<axis=1>(a, b)", 1)
    for row, trusted in ((0, False), (1, True)):
        found, _ = said(one, below(-5.0, 0.0, 200.0, one, row=row))
        assert (found.reason == "") == trusted


@pytest.mark.parametrize("seed", range(12))
def test_another_network_is_found_out_by_any_output_and_an_honest_one_is_not(seed: int) -> None:
    """Outputs of sizes 1e-3 to 1e6; one of them is off by a percent of itself."""
    random = np.random.default_rng(seed)
    scale = torch.from_numpy(10.0 ** random.uniform(-3, 6, size=3))
    body = "a = Sin(x) b = Tanh(x) c = Cos(x) d = Concat<axis=1>(a, b, c) y = Mul(d, s)"
    values = ", ".join(f"{v:.8g}" for v in scale.repeat_interleave(2).tolist())
    head = '<ir_version: 8, opset_import: ["" : 17]> agraph (float[1,2] x) => (float[1,6] y) '
    one = load_onnx(onnx.parser.parse_model(f"{head}<float[1,6] s = {{{values}}}> {{ {body} }}"))
    spec = below(-1e9, 0.5, 1.5, one, boxes=1 + seed % 3)
    assert said(one, spec)[0].reason == ""
    for i in range(6):
        factor = np.ones(6)
        factor[i] = 1.01
        assert f"output {i}" in said(one, spec, lambda y, f=factor: y * f)[0].reason


def test_random_honest_networks_are_not_doubted() -> None:
    for seed in range(25):
        network = random_network(seed, inputs=1 + seed % 3, outputs=2, depth=1 + seed % 4)
        one = load_onnx(to_onnx(network))
        found, _ = said(one, below(-1e30, -0.5, 0.5, one, boxes=1 + seed % 5))
        assert "float32 rounding explains" not in found.reason, (seed, found.reason)


def test_points_that_violate_are_judged() -> None:
    one = model("y = Identity(x)")
    _, judged = said(one, below(0.0, -1.0, 1.0, one))
    assert judged and all(x[0] <= 0.0 for x in judged)


def test_what_is_tried_is_a_round_and_more_where_that_is_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    one = model("y = Tanh(x)")
    for boxes in (1, 5, 30):
        round_of = PER_BOX * min(BOXES, boxes)
        found, _ = said(one, below(-5.0, -1.0, 1.0, one, boxes))
        assert found.reason == "" and found.count >= round_of
        late, _ = said(one, below(-5.0, -1.0, 1.0, one, boxes), deadline=Deadline(0.0))
        assert late.count == 1
    monkeypatch.setattr(doubt, "PART", 1e9)
    monkeypatch.setattr(doubt, "MORE_SECONDS", 0.2)
    found, _ = said(one, below(-5.0, -1.0, 1.0, one, 3), deadline=Deadline(1000.0))
    assert found.count > 2 * PER_BOX * 3


def test_points_lie_in_boxes_and_balls_and_reach_corners() -> None:
    one = model("y = Tanh(x)", 3)
    spec = below(-5.0, -1.0, 1.0, one, boxes=20)
    ball = Ball(np.arange(2), np.zeros(2), Fraction(1, 2), 2)
    round_spec = Spec(spec.lower[:1] * 0 - 1, spec.upper[:1] * 0 + 1, spec.clauses[:1], 3, balls=((ball,),))
    for some, count in ((spec, 400), (round_spec, 100)):
        stream = doubt.points(some, 1)
        seen = np.array([next(stream) for _ in range(count)])
        low, high = (seen[:, None] - some.lower[None]), (some.upper[None] - seen[:, None])
        inside = ((low >= 0) & (high >= 0)).all(axis=-1)
        assert bool(inside.any(axis=1).all()) and bool(inside.any(axis=0).all())
        if some.balls:
            assert all(ball.holds(x) for x in seen)
        else:
            assert (low == 0).all(axis=-1).any() and (high == 0).all(axis=-1).any()


class Broken:
    """A session that fails whenever it is run."""

    def run(self, names: Sequence[str], feed: Mapping[str, Any]) -> Sequence[Any]:
        raise RuntimeError("[Fail] " + "long " * 100 + "the end")


@pytest.mark.parametrize(
    ("body", "words"), [("y = Relu(x)", ""), ("y = Neg(x)", "instead of"), ("", "cannot run")]
)
def test_a_default_session_that_is_another_is_remarked_on(
    monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    """Of a proof and of a counterexample; both stand."""
    one = model("y = Relu(x)")
    other = session(model(body).proto, optimised=True) if body else Broken()
    monkeypatch.setattr(Replayer, "_default", other)
    result = genbab.verify(one, below(-0.5, 0.25, 1.0, one), OFF)
    assert result.verdict == "verified" and words in result.runtime and bool(words) == bool(result.runtime)
    assert result.statistics["compared"] >= PER_BOX and len(result.runtime) < 400
    assert ("violates it there" in result.runtime) == (body == "y = Neg(x)")
    found = genbab.verify(one, below(0.5, 0.25, 1.0, one), Config(timeout=60.0))  # at points of both
    assert found.verdict == "falsified" and ("cannot run" in found.runtime) == (words == "cannot run")
    above = Spec(
        np.full((1, 2), 0.25), np.ones((1, 2)), (Clause(0, -np.eye(2)[:1], None, np.array([-0.5])),), 2
    )
    found = genbab.verify(one, above, Config(timeout=60.0))
    assert found.verdict == "falsified" and bool(found.runtime) == bool(words)
    assert ("does not agree" in found.runtime) == (body == "y = Neg(x)")


def test_a_plain_session_that_fails_leaves_a_proof_open(monkeypatch: pytest.MonkeyPatch) -> None:
    one = model("y = Relu(x)")
    monkeypatch.setattr(Replayer, "_plain", Broken())
    result = genbab.verify(one, below(-0.5, 0.25, 1.0, one), Config(timeout=60.0))
    assert result.verdict == "unknown" and "fails on an input" in result.reason


def test_a_model_that_the_optimiser_breaks_is_answered() -> None:
    """Padding before an average over padded windows: a graph that onnxruntime may fuse to an illegal one."""
    graph = (
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1,1,3,3] x) => (float[1,1,4,4] y) '
        "<int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}> "
        "{ a = Pad(x, p) y = AveragePool<kernel_shape=[2,2], pads=[1,0,0,1], count_include_pad=1>(a) }"
    )
    proto = onnx.parser.parse_model(graph.replace("[1,1,4,4] y", "[1,1,5,5] y"))
    one = load_onnx(proto)
    count = one.network.output_size
    rows = np.zeros((1, count))
    rows[0, count // 2] = -1.0
    for side, verdict in ((-0.5, "falsified"), (-1.5, "verified")):
        spec = Spec(np.zeros((1, 9)), np.ones((1, 9)), (Clause(0, rows, None, np.array([side])),), count)
        assert genbab.verify(one, spec, Config(timeout=60.0)).verdict == verdict
