"""Replay: rounding inside the box, and nothing confirmed that onnxruntime does not confirm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from genbab.attack import Replayer
from genbab.attack.targets import representable
from genbab.network import evaluate
from genbab.reader import Model, load_onnx
from genbab.result import Counterexample
from genbab.specs import Clause, Spec

FLOAT32 = np.dtype(np.float32)


def linear(weight: list[list[float]], kind: int = TensorProto.FLOAT) -> Model:
    """y = W x as a model whose input and output have the given type."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    matrix = np.array(weight, dtype=dtype).T
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", kind, [1, matrix.shape[0]])],
        [helper.make_tensor_value_info("y", kind, [1, matrix.shape[1]])],
        [numpy_helper.from_array(matrix, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return load_onnx(model.SerializeToString())


def below(low: list[float], high: list[float], side: float, rows: int = 1) -> Spec:
    """Unsafe: y_0 <= side, for x in the box."""
    clause = Clause(0, np.eye(rows)[:1], None, np.array([side]))
    return Spec(np.array([low]), np.array([high]), (clause,), rows)


def confirm(model: Model, spec: Spec, x: np.ndarray) -> Counterexample | None:
    """The counterexample at x, if it is one."""
    return Replayer(model).confirm(spec, x)


@given(st.floats(-1e30, 1e30), st.floats(0, 1e3))
def test_representable_numbers_are_the_outermost_inside(low: float, width: float) -> None:
    lower, upper = np.array([low]), np.array([low + width])
    first, last = representable(lower, upper, FLOAT32)
    if first[0] > last[0]:
        between = np.float32(low)
        assert not low <= float(between) <= low + width
        return
    for end in (first, last):
        assert lower[0] <= end[0] <= upper[0] and np.float32(end[0]) == end[0]
    assert float(np.nextafter(np.float32(first[0]), np.float32(-math.inf))) < lower[0]
    assert float(np.nextafter(np.float32(last[0]), np.float32(math.inf))) > upper[0]


def test_integers_and_doubles() -> None:
    low, high = np.array([0.2, 1.0, 0.2]), np.array([2.9, 1.0, 0.8])
    first, last = representable(low, high, np.dtype(np.int64))
    assert first.tolist() == [1.0, 1.0, 1.0] and last.tolist() == [2.0, 1.0, 0.0]
    assert np.array_equal(representable(low, high, np.dtype(np.float64))[1], high)


def test_a_violation_is_confirmed_with_the_replayed_outputs() -> None:
    model, spec = linear([[1.0, 2.0]]), below([0.0, 0.0], [1.0, 1.0], 1.0)
    found = confirm(model, spec, np.array([0.25, 0.25]))
    assert found is not None
    assert found.x.tolist() == [0.25, 0.25] and found.y.tolist() == [0.75] and found.clause == 0
    assert confirm(model, spec, np.array([0.5, 0.5])) is None


def test_points_are_rounded_into_the_box() -> None:
    tenth = 0.1
    model = linear([[1.0]])
    spec = below([tenth], [0.2], 5.0)
    assert float(np.float32(tenth)) > tenth
    found = confirm(model, spec, np.array([0.0]))
    assert found is not None and tenth <= float(found.x[0]) <= 0.2
    found = confirm(model, below([-0.2], [-tenth], 5.0), np.array([7.0]))
    assert found is not None and -0.2 <= float(found.x[0]) <= -tenth


def test_a_box_without_a_float32_number_confirms_nothing() -> None:
    replayer = Replayer(linear([[1.0]]))
    spec = below([0.1], [0.1], 5.0)
    assert replayer.placed(spec, np.array([0.1])) is None
    assert replayer.confirm(spec, np.array([0.1])) is None


@pytest.mark.parametrize("value", (math.nan, math.inf, -math.inf))
def test_points_that_are_not_numbers_confirm_nothing(value: float) -> None:
    assert confirm(linear([[1.0]]), below([-1.0], [1.0], 5.0), np.array([value])) is None


def test_outputs_that_are_not_numbers_confirm_nothing() -> None:
    model, spec = linear([[3e38, 3e38]]), below([-1.0, -1.0], [1.0, 1.0], 0.0)
    assert confirm(model, spec, np.array([-1.0, -1.0])) is None
    assert confirm(model, spec, np.array([-0.5, -0.25])) is not None


def test_the_plain_session_decides_and_the_default_one_may_veto_by_rounding_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A default session that rewrites the model to another one, or cannot run it, has no say."""
    spec, x = below([-1.0], [1.0], -0.5), np.array([-0.5])
    for name, weight, confirmed in (
        ("_plain", 1.0, True),
        ("_plain", -1.0, False),
        ("_plain", 1.0 - 2.0**-20, False),
        ("_default", 1.0, True),
        ("_default", 1.0 - 2.0**-20, False),
        ("_default", -1.0, True),
        ("_default", 0.9, True),
    ):
        replayer = Replayer(linear([[1.0]]))
        monkeypatch.setitem(replayer.__dict__, name, getattr(Replayer(linear([[weight]])), name))
        assert (replayer.confirm(spec, x) is not None) == confirmed, (name, weight)


class Broken:
    """A session that fails whenever it is run."""

    def run(self, names: Sequence[str], feed: Mapping[str, Any]) -> Sequence[Any]:
        raise RuntimeError("it does not run\nat all")


@pytest.mark.parametrize(("name", "confirmed"), (("_plain", False), ("_default", True)))
def test_a_session_that_fails_is_no_internal_error(
    monkeypatch: pytest.MonkeyPatch, name: str, confirmed: bool
) -> None:
    replayer, spec = Replayer(linear([[1.0]])), below([-1.0], [1.0], 0.0)
    monkeypatch.setitem(replayer.__dict__, name, Broken())
    assert replayer.answer(spec, np.zeros(1), optimised=name == "_default") == (None, "it does not run")
    assert (replayer.confirm(spec, np.array([-0.5])) is not None) == confirmed


def test_every_output_is_allowed_its_own_rounding() -> None:
    """An error of a percent is seen in each output, whatever the size of the others; float32's own is not."""
    random = np.random.default_rng(0)
    for _ in range(40):
        scale = 10.0 ** random.uniform(-6, 6, size=4)
        weight = scale[:, None] * random.normal(size=(4, 3))
        model, x = linear(weight.tolist()), random.normal(size=3).astype(np.float32).astype(np.float64)
        replayer, spec = Replayer(model), below([-9.0] * 3, [9.0] * 3, 0.0, 4)
        y, exact = replayer.replay(x), weight.astype(np.float32).astype(np.float64) @ x
        assert replayer.apart(spec, x, y, exact) is None
        for i in range(4):
            wrong = exact.copy()
            wrong[i] += 0.01 * scale[i]
            assert replayer.apart(spec, x, y, wrong) == i
            wrong[i] = math.nan
            assert replayer.apart(spec, x, y, wrong) == i


def test_the_nearest_of_several_boxes_is_taken() -> None:
    clauses = tuple(Clause(k, np.ones((1, 1)), None, np.array([100.0])) for k in range(3))
    spec = Spec(np.array([[0.0], [2.0], [4.0]]), np.array([[1.0], [3.0], [5.0]]), clauses, 1)
    found = confirm(linear([[1.0]]), spec, np.array([3.2]))
    assert found is not None and found.x.tolist() == [3.0] and found.clause == 1


def test_double_inputs_are_replayed_as_doubles() -> None:
    found = confirm(linear([[1.0]], TensorProto.DOUBLE), below([0.1], [0.3], 5.0), np.array([0.2]))
    assert found is not None and float(found.x[0]) == 0.2 == found.y[0]


@pytest.mark.parametrize(
    "body",
    [
        "Sigmoid",
        "Tanh",
        "Erf",
        "Gelu",
        "Softplus",
        "Exp",
        "Mish",
        "HardSwish",
        "Sin",
        "Elu",
        "Selu",
        "Softsign",
    ]
    + ["Softmax", "LogSoftmax", "Round", "Floor"],
)
def test_no_function_of_onnxruntime_is_off_by_more_than_is_allowed(body: str) -> None:
    """Out in the tails, too, where onnxruntime's own approximations lose all relative accuracy."""
    head = '<ir_version: 9, opset_import: ["" : 20]> agraph (float[1,64] x) => (float[1,64] y) '
    model = load_onnx(onnx.parser.parse_model(f"{head}{{ y = {body}(x) }}"))
    replayer, random = Replayer(model), np.random.default_rng(5)
    spec = below([-50.0] * 64, [50.0] * 64, 0.0, 64)
    for scale in (0.1, 3.0, 10.0, 40.0):
        x = (scale * random.uniform(-1, 1, size=64)).astype(np.float32).astype(np.float64)
        exact = evaluate(model.network, torch.from_numpy(x)).numpy()
        assert replayer.apart(spec, x, replayer.replay(x), exact) is None
