"""Planes of norms hold on samples, for any slopes and any knowledge of the sum of squares."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from genbab.check.functions.norm import planes, ranges
from genbab.check.intervals import Array, Pair
from genbab.check.model.program import NormedStep
from genbab.check.model.reading import read
from tests.check.files import model
from tests.check.passes import holds_for_rows

EVERYTHING = np.array([-np.inf]), np.array([np.inf])


def exactly(x: Array, floor: float) -> Array:
    return np.asarray(x / np.sqrt((x * x).sum(-1, keepdims=True) + floor))


def samples(rng: np.random.Generator, box: Pair) -> Array:
    shape = (200, *box[0].shape)
    share = np.where(rng.random(shape) < 0.4, rng.integers(0, 2, shape), rng.random(shape))
    return np.clip(box[0] + (box[1] - box[0]) * share, *box)


@pytest.mark.parametrize("floor", [0.0, 1e-5, 3.0])
@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_planes_and_intervals_hold_on_samples(count: int, floor: float) -> None:
    rng = np.random.default_rng(count)
    sharp = 0
    for trial in range(20):
        middle = rng.normal(size=(8, count)) * 10.0 ** rng.uniform(-3, 3, (8, 1))
        half = 10.0 ** rng.uniform(-6, 1, (8, 1)) * np.abs(middle) * rng.random((8, count))
        box = middle - half, middle + half
        x = samples(rng, box)
        total = (x * x).sum(-1, keepdims=True)
        least, most = (np.quantile(total, q, axis=0) for q in (0.2, 0.8))
        sums = (least, most) if trial % 2 else EVERYTHING
        inside = ((total >= sums[0]) & (total <= sums[1]))[..., 0]
        y = exactly(x, floor)
        low, high = ranges(box, sums, floor)
        assert ((low <= y + 1e-12) & (y <= high + 1e-12))[inside].all()
        a = rng.normal(size=(8, count)) * 10.0 ** rng.integers(-3, 4)
        for shift in (None, rng.normal(size=(8, count)) * 10.0 ** rng.integers(-6, 4)):
            k, c = planes(box, sums, floor, a, shift)
            value, line = (a * y).sum(-1), (k * x).sum(-1) + c
            size = np.abs(a).sum(-1) + (np.abs(k) * np.abs(x)).sum(-1)
            assert (line <= value + 1e-12 * size)[inside].all()
            sharp += shift is None and bool(k.any())
    assert sharp


def test_planes_touch_where_boxes_are_small() -> None:
    rng = np.random.default_rng(0)
    x, a = rng.normal(size=(5, 6)), rng.normal(size=(5, 6))
    k, c = planes((x - 1e-4, x + 1e-4), EVERYTHING, 1e-5, a)
    gap = (a * exactly(x, 1e-5)).sum(-1) - (k * x).sum(-1) - c
    assert (gap >= -1e-14).all() and gap.max() < 1e-6


def test_squares_that_underflow_are_no_less_than_they_are() -> None:
    """Each square of such a number is rounded to the least one that there is, or to 0."""
    x = np.array([[1.7e-162] * 4, [1.6e-162, 1.0e-170, 0.0, 0.0], [1.7e-162, 2.0e-162, 1e-163, 0.0]])
    low, high = ranges((x, x), EVERYTHING, 0.0)
    with np.errstate(under="ignore"):
        y = exactly(x * 1e162, 0.0)
    assert (low <= y).all() and (y <= high).all()
    k, c = planes((x, x), EVERYTHING, 0.0, np.ones(4))
    assert ((k * x).sum(-1) + c <= y.sum(-1)).all()


def test_small_coefficients_count() -> None:
    box = np.array([[-1.0, 2.0]]), np.array([[1.0, 3.0]])
    a = np.array([[-1e-180, -3e-180]])
    k, c = planes(box, EVERYTHING, 1e30, a)
    worst = (a * exactly(box[1], 1e30)).sum(-1)
    assert ((k * box[1]).sum(-1) + c <= worst).all()
    k, c = planes(box, EVERYTHING, 0.0, a)
    assert ((k * box[1]).sum(-1) + c <= (a * exactly(box[1], 0.0)).sum(-1)).all()


def test_a_root_that_may_vanish_bounds_nothing() -> None:
    box = -np.ones((1, 3)), np.ones((1, 3))
    assert np.isinf(ranges(box, EVERYTHING, 0.0)).all()
    k, c = planes(box, EVERYTHING, 0.0, np.ones((1, 3)))
    assert not k.any() and c[0] == -np.inf
    assert (np.abs(ranges(box, EVERYTHING, 1e-12)) <= 1).all()
    k, c = planes((-np.full((1, 3), np.inf), np.ones((1, 3))), EVERYTHING, 1.0, np.ones((1, 3)))
    assert not k.any() and not c[0] > -np.sqrt(3)


@pytest.mark.parametrize("op", ["LayerNormalization", "RMSNormalization", "InstanceNormalization"])
def test_networks_with_norms(op: str) -> None:
    rng = np.random.default_rng(1)
    shape, size = ((1, 2, 5), 5) if op == "InstanceNormalization" else ((2, 5), 5)
    inputs = ["z", "s", "c"] if op != "RMSNormalization" else ["z", "s"]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node(op, inputs, ["n"])]
    nodes += [helper.make_node("Sigmoid", ["n"], ["g"]), helper.make_node("MatMul", ["g", "w"], ["y"])]
    scale = rng.normal(size=2 if op == "InstanceNormalization" else 5).astype(np.float32)
    constants = {"w": rng.normal(size=(size, size)).astype(np.float32), "s": scale, "c": scale[::-1].copy()}
    program = read(model(nodes, constants, shape, opset=23))
    middle, half = rng.normal(size=(4, 10)), 10.0 ** rng.uniform(-3, 0, (4, 1)) * rng.random((4, 10))
    holds_for_rows(program, (middle - half, middle + half), NormedStep, rng)
