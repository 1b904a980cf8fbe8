"""Sums of products are bounded as one quadratic form: never above what networks do, and sharply if convex."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from genbab.check.intervals import Array
from genbab.check.model.program import ElementwiseStep, Program, Wire
from genbab.check.model.reading import read
from genbab.check.model.values import Values, evaluate, extend
from genbab.check.passes.backward import Chosen, bounded
from genbab.check.passes.forward import Bands
from genbab.check.passes.quadratic import _least
from tests.check.files import model


def form(matrix: Array, bend: str | None = None) -> Program:
    """x' M x, or that of a function of x, as a product of x with a layer of x."""
    n = len(matrix)
    nodes = [helper.make_node(bend or "Identity", ["x"], ["b"]), helper.make_node("Gemm", ["b", "m"], ["z"])]
    nodes += [helper.make_node("Mul", ["b", "z"], ["t"]), helper.make_node("Gemm", ["t", "one"], ["y"])]
    constants = {"m": matrix.astype(np.float32), "one": np.ones((n, 1), dtype=np.float32)}
    return read(model(nodes, constants, (1, n), (1, 1)))


def output(program: Program) -> int:
    out = program.tensors["y"]
    assert isinstance(out, Wire)
    return out.step


def lower(program: Program, box: tuple[Array, Array], sign: float, hints: dict[int, Chosen] | None) -> Array:
    values = Values([box])
    bands = Bands(program, values)
    for _ in program.steps[1:]:
        extend(program, values, {})
        bands.meet(values)
    return bounded(program, values, output(program), np.full((1, 1), sign), hints)[:, 0]


def test_convex_forms_are_bounded_exactly() -> None:
    rng = np.random.default_rng(1)
    for n in (2, 3, 6):
        root = rng.normal(size=(n, n)).astype(np.float32).astype(np.float64)
        program = form(root @ root.T)
        box = -np.ones((1, n)), np.ones((1, n))
        assert -1e-5 < lower(program, box, 1.0, None)[0] <= 0.0


@pytest.mark.parametrize("bend", [None, "Sin", "Tanh", "Relu"])
def test_bounds_hold_on_samples(bend: str | None) -> None:
    rng = np.random.default_rng(7)
    gained = 0
    for trial in range(12):
        n = int(rng.integers(1, 5))
        matrix = rng.normal(size=(n, n)) * rng.choice([0.0, 1.0], (n, n), p=[0.3, 0.7])
        program = form(matrix + (trial % 3) * np.eye(n), bend)
        half = 10.0 ** rng.uniform(-6, 1, (3, 1)) * rng.random((3, n))
        middle = rng.normal(size=(3, n)) * 10.0 ** rng.integers(-2, 3)
        box = middle - half, middle + half
        for sign in (1.0, -1.0):
            hints = {
                i: Chosen(
                    [rng.normal(size=(1, s.size)) for _ in s.sources], None, np.zeros(1, dtype=np.int64)
                )
                for i, s in enumerate(program.steps)
                if isinstance(s, ElementwiseStep)
            }
            bounds = [lower(program, box, sign, h) for h in (None, hints)]
            planes = bounded(program, evaluate(program, box), output(program), np.full((1, 1), sign))[:, 0]
            gained += int((bounds[0] > planes + 1e-3 * np.abs(planes)).any())
            for share in (*rng.random((60, 3, n)), np.full((3, n), 0.5), *np.eye(n)[:, None].repeat(3, 1)):
                x = np.clip(box[0] + (box[1] - box[0]) * share, *box)
                y = sign * evaluate(program, (x, x)).ranges[output(program)][0][:, 0]
                assert all((bound <= y + 1e-11 * (1 + np.abs(y))).all() for bound in bounds)
    assert gained


@pytest.mark.parametrize("spoilt", [False, True])
def test_least_values_of_forms_whatever_the_eigenvectors(
    spoilt: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    if spoilt:
        right = np.linalg.eigh
        monkeypatch.setattr(np.linalg, "eigh", lambda s: [part + 0.1 * rng.normal() for part in right(s)])
    for n in (1, 2, 5):
        s = rng.normal(size=(40, n, n)) * 10.0 ** rng.integers(-8, 8, (40, 1, 1))
        s = (s + s.swapaxes(-1, -2)) / 2
        found, size = _least(s), np.abs(s).sum((-1, -2))
        corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * n)).reshape(n, -1).T
        points = np.concatenate([corners, rng.uniform(-1, 1, (300, n))])
        values = np.einsum("kn,bnm,km->bk", points, s, points)
        assert (found <= values.min(1) + 1e-12 * size).all()
        assert spoilt or (found >= -size * n * (1 + 1e-9)).all()
