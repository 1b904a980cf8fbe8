"""Random networks lie within the checker's bounds, and faults in its rules are found by executions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest

from genbab.check.executed import charges, operators, sums, table
from genbab.check.failures import Unusable
from genbab.check.intervals import Array, Pair
from tests.check.files import model
from tests.check.float32.executions import LIKE, output_bounds
from tests.check.test_operators import node, one
from tests.soundness.float32.examine import Effort, examined
from tests.soundness.float32.networks import Case, random_network
from tests.soundness.float32.styles import BEYOND

SEEDS = (0, 1, 2, 4, 5, 6, 7, 9, 11, 14, 15, 17, 18, 19, 21, 22, 24, 28, 31, 34)


def bounds_of(case: Case, name: str = "4ulp") -> Pair | str:
    """The checker's bounds of a case, or why there are none."""
    try:
        return output_bounds(case.model.SerializeToString(), case.low, case.high, name)
    except Unusable as reason:
        return str(reason)


def test_no_execution_of_random_networks_leaves_the_bounds() -> None:
    quick = Effort(points=12, styles=13, greedy=2, runtime=2, steered=0, like=LIKE["4ulp"])
    at_point, checked = list[float](), 0
    for seed in SEEDS:
        outcome = examined(random_network(seed), bounds_of, quick)
        assert not outcome.violations, outcome.found
        checked += outcome.checked
        at_point += outcome.at_point
    assert checked > 5000 and np.median(at_point) < 12.0


def chain(nodes: list[Any], constants: dict[str, Any], x: Any) -> Case:
    """One point of a graph from x to y."""
    point = np.asarray(x, dtype=np.float32)
    data = model(nodes, {k: np.asarray(v, dtype=np.float32) for k, v in constants.items()}, point.shape)
    return Case("chain", 0, onnx.load_model_from_string(data), point, point)


def _product() -> Case:
    rng = np.random.default_rng(3)
    constants = {"w": rng.normal(size=(24, 2)), "b": np.zeros(2)}
    return chain([node("Gemm", "x", "w", "b")], constants, rng.normal(size=(1, 24)))


def _bias() -> Case:
    """Σ w·x + b, b much larger than the rest: it may be where the sum begins."""
    nodes = [node("MatMul", "x", "w", out="t"), node("Add", "t", "b")]
    return chain(nodes, {"w": np.full((24, 1), 0.013), "b": [1.2]}, np.linspace(0.001, 0.01, 24)[None])


def _alone(op: str, **attributes: Any) -> Case:
    return chain([node(op, "x", **attributes)], {}, np.linspace(-1.0, 2.0, 40)[None])


def _norm() -> Case:
    constants = {"a": [0.7], "b": [0.0], "m": [0.0], "v": [0.31]}
    nodes = [node("BatchNormalization", "x", *"abmv")]
    return chain(nodes, constants, np.linspace(0.9, 1.1, 40)[None, None])


def _no_error(*_: Any) -> Array:
    return np.zeros((1, 1))


Patch = pytest.MonkeyPatch
added, error = sums.added, table.Known.error


def _not_divided(patch: Patch) -> None:
    patch.setattr(operators, "MEANS", ())
    patch.setitem(operators.ROUNDS, "AveragePool", 0)


FAULTS: dict[str, tuple[Callable[[Patch], None], Case]] = {
    "products are taken to be fused": (
        lambda patch: patch.setitem(operators.ROUNDS, "MatMul", 0),
        chain([node("MatMul", "x", "w")], {"w": [[1.1, 0.3], [0.0, 0.0]]}, [[1.7, 0.0]]),
    ),
    "a sum counts as one addition": (
        lambda patch: patch.setattr(
            sums, "added", lambda size, count, *rest: added(size, np.minimum(count, 2), *rest)
        ),
        _product(),
    ),
    "a bias is added last": (lambda patch: patch.setattr(operators, "JOINING", {}), _bias()),
    "functions are twice as exact": (
        lambda patch: patch.setattr(table.Known, "error", lambda *args: error(*args) / 2),
        _alone("Tanh"),
    ),
    "nothing is flushed": (
        lambda patch: patch.setattr(sums, "NORMAL", 2.0**-149),
        chain([node("MatMul", "x", "w")], {"w": np.full((6, 1), 1e-20)}, np.full((1, 6), 1.17e-18)),
    ),
    "an operator is missing": (
        lambda patch: patch.setattr(operators, "EXACT", operators.EXACT | {"Add"}),
        chain([node("Add", "x", "c")], {"c": [1.1e-3]}, np.linspace(0.1, 1.0, 9)[None]),
    ),
    "slopes are exact": (
        lambda patch: patch.setattr(charges.SlopeCharge, "__call__", _no_error),
        _alone("LeakyRelu", alpha=0.3),
    ),
    "products of tensors are exact": (
        lambda patch: patch.setattr(charges.ProductCharge, "__call__", _no_error),
        chain([node("Mul", "x", "x")], {}, np.linspace(0.1, 1.0, 9)[None]),
    ),
    "softmax is exact": (
        lambda patch: patch.setattr(charges.SoftmaxCharge, "__call__", _no_error),
        _alone("Softmax"),
    ),
    "a norm rounds once": (lambda patch: patch.setattr(operators, "OF_NORM", 0), _norm()),
    "a mean is not divided": (
        _not_divided,
        chain(
            [node("AveragePool", "x", kernel_shape=[3], pads=[2, 2], count_include_pad=1)], {}, [[[0.7, 0.1]]]
        ),
    ),
    "constants of an operator are exact": (
        lambda patch: patch.setitem(table.TABLE, "sqrt", table.Known(0.0, (table.Stretch(1e38, 0.0, 0.0),))),
        chain(
            [node("Sqrt", "c", out="r"), node("Sub", "r", "d", out="s"), node("Mul", "x", "s")],
            {"c": [3.0], "d": [np.sqrt(3.0)]},
            [1.0],
        ),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_rules_is_found(name: str, monkeypatch: Patch) -> None:
    fault, case = FAULTS[name]
    like = replace(LIKE["onnxruntime"], beyond=frozenset(BEYOND))
    effort = Effort(points=2, styles=40, greedy=2, runtime=1, steered=2, like=like)

    def asked(one_case: Case) -> Pair | str:
        return bounds_of(one_case, "onnxruntime")

    assert not examined(case, asked, effort).violations
    fault(monkeypatch)
    assert examined(case, asked, effort).violations


def test_an_input_below_the_normal_numbers_is_no_fault() -> None:
    outcome = examined(
        chain([node("Mul", "x", "c")], {"c": one(3e10)}, [1e-39]), bounds_of, Effort(2, 26, 0, 1)
    )
    assert outcome.checked and not outcome.violations
