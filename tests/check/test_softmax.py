"""Planes of softmax hold on samples, whatever the point, and carry whole networks with bands and hints."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from genbab.api import bounds, prove
from genbab.check.__main__ import main
from genbab.check.functions.softmax import planes, ranges
from genbab.check.intervals import Array, Pair
from genbab.check.model.program import SoftmaxStep
from genbab.check.model.reading import read
from tests.check.files import model, specification
from tests.check.passes import holds_for_rows


def exactly(x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def boxes(rng: np.random.Generator, count: int) -> Pair:
    middle = rng.normal(size=(8, count)) * 10.0 ** rng.uniform(-2, 3, (8, 1))
    half = 10.0 ** rng.uniform(-6, 3, (8, 1)) * rng.random((8, count))
    return middle - half, middle + half


def apart_of(rng: np.random.Generator, box: Pair) -> Pair:
    """What is known of differences: all of the box's, or less at both ends, around its middle."""
    low, high = box[0][:, :, None] - box[1][:, None], box[1][:, :, None] - box[0][:, None]
    middle, share = (low + high) / 2, 0.2 + 0.8 * rng.random(low.shape)
    share = np.minimum(share, share.swapaxes(1, 2))
    return middle + share * (low - middle), middle + share * (high - middle)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_planes_and_intervals_hold_on_samples(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(12):
        box = boxes(rng, count)
        for apart in (None, apart_of(rng, box)):
            at = box[0] + (box[1] - box[0]) * rng.uniform(-0.2, 1.2, box[0].shape)
            held = apart or (np.array(-np.inf), np.array(np.inf))
            low, high = ranges(box, apart)
            found = planes(box, apart, at)
            assert all(np.isfinite(part).all() for part in found)
            for i in range(60):
                share = rng.random(box[0].shape) if i % 2 else rng.integers(0, 2, box[0].shape).astype(float)
                x = np.clip(box[0] + (box[1] - box[0]) * share, *box)
                d = x[:, :, None] - x[:, None]
                inside = ((held[0] <= d) & (d <= held[1])).all((1, 2))
                x, keep = x[inside], np.flatnonzero(inside)
                p = exactly(x)
                room = 1e-12 * (1 + (np.abs(found.below[keep]) @ np.abs(x)[..., None])[..., 0])
                assert (low[keep] <= p * (1 + 1e-12)).all() and (p <= high[keep] * (1 + 1e-12) + 1e-300).all()
                assert ((found.below[keep] @ x[..., None])[..., 0] + found.low[keep] <= p + room).all()
                room = 1e-12 * (1 + (np.abs(found.above[keep]) @ np.abs(x)[..., None])[..., 0])
                assert ((found.above[keep] @ x[..., None])[..., 0] + found.high[keep] >= p - room).all()


def test_planes_touch_where_boxes_are_small() -> None:
    x = np.random.default_rng(0).normal(size=(5, 6))
    box = x - 1e-4, x + 1e-4
    found, p = planes(box, None, x), exactly(x)
    for matrix, icpt, sign in ((found.below, found.low, 1.0), (found.above, found.high, -1.0)):
        gap = sign * (p - (matrix @ x[..., None])[..., 0] - icpt)
        assert (gap >= -1e-15).all() and gap.max() < 1e-7


def test_unbounded_rows_have_their_intervals_alone() -> None:
    box = np.array([[0.0, -np.inf, 1.0], [-np.inf] * 3]), np.array([[1.0, 2.0, np.inf], [np.inf] * 3])
    found = planes(box, None, np.zeros((2, 3)))
    assert not found.below.any() and not found.above.any()
    assert (found.low >= 0).all() and (found.high <= 1).all() and not np.isnan(found.low + found.high).any()


def attention(tokens: int, width: int, seed: int, axis: int = -1) -> bytes:
    """softmax(x A x') x, then a layer."""
    rng = np.random.default_rng(seed)
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["q"]),
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["q", "t"], ["s"]),
        helper.make_node("Softmax", ["s"], ["p"], axis=axis),
        helper.make_node("MatMul", ["p", "x"], ["v"]),
        helper.make_node("MatMul", ["v", "b"], ["y"]),
    ]
    constants = {name: rng.normal(size=(width, width)).astype(np.float32) for name in ("a", "b")}
    return model(nodes, constants, (tokens, width))


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("tokens", [2, 4])
def test_networks_with_attention(tokens: int, axis: int) -> None:
    rng = np.random.default_rng(tokens)
    program = read(attention(tokens, 2, tokens, axis))
    size = 2 * tokens
    middle, half = rng.normal(size=(4, size)), 10.0 ** rng.uniform(-3, 0, (4, 1)) * rng.random((4, size))
    holds_for_rows(program, (middle - half, middle + half), SoftmaxStep, rng)


def test_proofs_name_products_and_the_points_of_planes(tmp_path: Path) -> None:
    """A property that only searched planes prove is accepted with those of the proof."""
    model_, spec, proof = (tmp_path / name for name in ("m.onnx", "s.vnnlib", "proof"))
    model_.write_bytes(attention(5, 4, 5))
    low, high = np.sin(np.arange(20.0)) - 0.05, np.sin(np.arange(20.0)) + 0.05
    plain, best = (float(bounds(model_, low, high, m)[1][0, 0]) for m in ("crown", "optimised"))
    assert best < plain
    limit = best + 0.05 * (plain - best)
    spec.write_text(specification(low.tolist(), high.tolist(), 20, f"(assert (>= Y_0 {limit!r}))"))
    assert prove(model_, spec, proof).verdict == "verified"
    with zipfile.ZipFile(proof) as file:
        header = json.loads(file.read("header.json"))
    assert {s["out"] for hint in header["hints"] for s in hint["slopes"]} == {"p", "s#products", "v#products"}
    assert main([str(model_), str(spec), str(proof)]) == 0
