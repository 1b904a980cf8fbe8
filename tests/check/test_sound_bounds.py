"""Backward bounds, with any hints, lie below what networks do; joins change nothing but tightness."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from genbab.check.failures import Rejected
from genbab.check.intervals import Array
from genbab.check.model.joins import joined, rebuilt
from genbab.check.model.program import ElementwiseStep, Program, Wire
from genbab.check.model.reading import read
from genbab.check.model.values import evaluate
from genbab.check.passes.backward import Chosen, bounded, descend
from tests.check.files import model, network
from tests.check.passes import tight

OPS = ["Relu", "Sigmoid", "Tanh", "Sin", "Gelu", "Abs", "Elu", "Exp", "HardSwish", "Floor"]


def boxes(rng: np.random.Generator, inputs: int) -> tuple[Array, Array]:
    middle, half = rng.normal(size=(4, inputs)), 10.0 ** rng.uniform(-4, 0, (4, 1)) * rng.random((4, inputs))
    return middle - half, middle + half


def values_at(program: Program, x: Array) -> list[Array]:
    return [(low + high) / 2 for low, high in evaluate(program, (x, x)).ranges]


@pytest.mark.parametrize("op", OPS)
def test_bounds_hold_on_samples(op: str) -> None:
    rng = np.random.default_rng(OPS.index(op))
    program = read(network([3, 7, 6, 2], op, seed=OPS.index(op)))
    box = boxes(rng, 3)
    rows = rng.normal(size=(5, 2))
    out = program.tensors["y"]
    assert isinstance(out, Wire)
    plain = evaluate(program, box)
    known = tight(program, box)
    hints = {
        n: Chosen([rng.normal(size=(5, s.size)) * 10.0 ** rng.integers(-1, 7)], side, np.arange(5))
        for n, s in enumerate(program.steps)
        if isinstance(s, ElementwiseStep)
        for side in (None, rng.random((5, s.size)) < 0.5)
    }
    found = [bounded(program, v, out.step, rows, h) for v in (plain, known) for h in (None, hints)]
    forms = descend(program, known, out.step, rows)
    for i in range(60):
        share = rng.random((4, 3)) if i else np.zeros((4, 3))
        x = np.clip(box[0] + (box[1] - box[0]) * share, *box)
        at = values_at(program, x)
        y = at[out.step] @ rows.T
        room = 1e-12 * (1 + np.abs(at[out.step]).sum(-1, keepdims=True))
        for bound in found:
            assert (bound <= y + room).all()
        line = (forms.coefficients @ x[..., None])[..., 0] + forms.constant
        assert (line <= y + room).all()
        for ranges in (plain.ranges, known.ranges):
            for (low, high), z in zip(ranges, at, strict=True):
                assert (low <= z + 1e-12 * (1 + np.abs(z))).all() and (
                    z <= high + 1e-12 * (1 + np.abs(z))
                ).all()


def test_a_point_is_bounded_to_its_roundings() -> None:
    program = read(network([4, 30, 30, 1], "Relu", seed=3))
    x = np.random.default_rng(0).normal(size=(1, 4))
    out = program.tensors["y"]
    assert isinstance(out, Wire)
    values = evaluate(program, (x, x))
    low = bounded(program, values, out.step, np.ones((1, 1)))[0, 0]
    high = -bounded(program, values, out.step, -np.ones((1, 1)))[0, 0]
    assert 0 < high - low < 1e-11


def gelu_by_hand() -> bytes:
    nodes = [
        helper.make_node("Mul", ["x", "r"], ["s"]),
        helper.make_node("Erf", ["s"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["p"]),
        helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0]),
        helper.make_node("Transpose", ["p"], ["pt"], perm=[1, 0]),
        helper.make_node("Mul", ["xt", "pt"], ["q"]),
        helper.make_node("Mul", ["q", "half"], ["y"]),
    ]
    constants = {
        "r": np.array(2**-0.5, dtype=np.float32),
        "one": np.array(1, dtype=np.float32),
        "half": np.array([0.5], dtype=np.float32),
    }
    return model(nodes, constants, (2, 3))


def test_moved_entries_are_joined() -> None:
    program = read(gelu_by_hand())
    whole = rebuilt(program, joined(program, [("y", ["x"])]), [])
    assert sum(isinstance(s, ElementwiseStep) for s in whole.steps) == 1
    x = np.random.default_rng(0).normal(size=(4, 6))
    a, b = (values_at(p, x)[w.step] for p in (program, whole) if isinstance(w := p.tensors["y"], Wire))
    assert np.allclose(a, b, rtol=1e-12, atol=1e-12)


def layer_first() -> bytes:
    proto = [helper.make_node("Gemm", ["x", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["s"])]
    proto += [helper.make_node("Mul", ["z", "s"], ["t"]), helper.make_node("Reshape", ["t", "n"], ["y"])]
    rng = np.random.default_rng(1)
    constants = {"w": rng.normal(size=(3, 4)).astype(np.float32), "n": np.array([2, 2])}
    return model(proto, constants, (1, 3))


def test_a_join_bounds_the_whole_function_at_once() -> None:
    program = read(layer_first())
    whole = rebuilt(program, joined(program, [("y", ["z"])]), [])
    assert sum(isinstance(s, ElementwiseStep) for s in whole.steps) == 1
    rng = np.random.default_rng(5)
    box = boxes(rng, 3)
    x = box[0] + (box[1] - box[0]) * rng.random((4, 3))
    outs = []
    for p in (program, whole):
        wire = p.tensors["y"]
        assert isinstance(wire, Wire)
        rows = np.concatenate([np.eye(4), -np.eye(4)])
        outs.append((values_at(p, x)[wire.step], bounded(p, evaluate(p, box), wire.step, rows)))
    assert np.allclose(outs[0][0], outs[1][0], rtol=1e-12, atol=1e-12)
    assert (outs[1][1] >= outs[0][1] - 1e-7).all() and (outs[1][1] > outs[0][1] + 1e-4).any()


@pytest.mark.parametrize("arguments", [["s"], ["x"]])
def test_false_joins_are_left_out(arguments: list[str]) -> None:
    assert not joined(read(layer_first()), [("y", arguments)])


@pytest.mark.parametrize("arguments", [["nothing"], ["z", "nothing"]])
def test_joins_of_tensors_that_are_not_there_are_rejected(arguments: list[str]) -> None:
    with pytest.raises(Rejected, match="function"):
        joined(read(layer_first()), [("y", arguments)])
