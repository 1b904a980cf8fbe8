"""Specifications that speak of derivatives: VNN-LIB 1.0 with its names, VNN-LIB 2, and Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import genbab
from genbab.errors import SpecError
from genbab.specs import Input, Network, PartialDerivative, always, read_vnnlib, write_vnnlib2
from tests.calculus.networks import bends, jacobian, layers

ROOT = Path(__file__).resolve().parents[2]
TEXT = """; a slope, a value and a bend
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(declare-const DY_0_DX_1 Real)
(declare-const D2Y_1_DX_0 Real)
(assert (and (<= X_0 0.1) (>= X_0 -0.1) (<= X_1 0.1) (>= X_1 -0.1)))
(assert (>= (+ DY_0_DX_1 (* 2 Y_1) D2Y_1_DX_0) {limit}))
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "spec.vnnlib"
    path.write_text(text)
    return path


def top(module: nn.Module) -> tuple[float, float]:
    """(the largest value of the row that was seen, the value in the middle)."""
    found = []
    for x in (0.2 * torch.rand(100, 2).double() - 0.1).unbind():
        slope, bend = jacobian(module, x)[0, 1], bends(module, x)[1, 0]
        value = module.double()(x[None])[0, 1].detach()
        found.append(float(slope + 2 * value + bend))
    return max(found), found[0]


def test_names_of_derivatives_are_further_outputs(tmp_path: Path) -> None:
    spec = read_vnnlib(written(tmp_path, TEXT.format(limit=1)), 2, 2, derivatives=True)
    assert [h.name for h in spec.hidden] == ["d(y0, x1)", "d(y1, x0, x0)"]
    assert spec.output_size == 4 and np.array_equal(spec.clauses[0].outputs, [[0, -2, -1, -1]])
    with pytest.raises(SpecError):
        read_vnnlib(tmp_path / "spec.vnnlib")


def test_verdicts_with_derivatives(tmp_path: Path) -> None:
    module = layers(nn.Tanh, seed=5)
    model = genbab.load(module, example=torch.zeros(1, 2))
    most, middle = top(module)
    spec = read_vnnlib(written(tmp_path, TEXT.format(limit=f"{most + 0.2:.6f}")), 2, 2, derivatives=True)
    assert genbab.verify(model, spec).verdict == "verified"
    spec = read_vnnlib(written(tmp_path, TEXT.format(limit=f"{middle - 0.01:.6f}")), 2, 2, derivatives=True)
    result = genbab.verify(model, spec)
    assert result.verdict == "falsified" and result.counterexample is not None
    x = torch.from_numpy(result.counterexample.x.astype(np.float64))
    y = result.counterexample.y
    assert result.counterexample.x.dtype == np.float32  # a number that the model itself takes
    assert np.isclose(y[2], jacobian(module, x)[0, 1], atol=1e-5)
    assert np.isclose(y[3], bends(module, x)[1, 0], atol=1e-5)


def test_properties_in_python(tmp_path: Path) -> None:
    """Monotone in x0 as y moves: products, several derivatives, a round trip through VNN-LIB 2."""
    module = layers(nn.Sigmoid, seed=6)
    x, f = Input(2), Network(2)
    y = f(x)
    slope = y[0].derivative(x[1])
    box = (x >= -0.1) & (x <= 0.1)
    model = genbab.load(module, example=torch.zeros(1, 2))
    at = jacobian(module, torch.zeros(2).double())
    below = (slope * y[1] - y[1].derivative(x[0], x[0]) <= 5) & (slope <= float(at[0, 1]) + 0.1)
    assert genbab.verify(model, always(below, on=box)).verdict == "verified"
    spec = always(slope <= float(at[0, 1]) - 0.001, on=box)
    assert genbab.verify(model, spec).verdict == "falsified"
    write_vnnlib2(spec, tmp_path / "again.vnnlib")
    assert genbab.verify(model, tmp_path / "again.vnnlib").verdict == "falsified"


class Pair(nn.Module):
    """relu(x) - relu(-x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x) - torch.relu(-x)


def test_kinks_are_no_counterexamples() -> None:
    """The slope of x is 1, also where both halves count as 1; what is said of values is judged there."""
    model = genbab.load(Pair(), example=torch.zeros(1, 1))
    x, f = Input(1), Network(1)
    y = f(x)
    slope = y[0].derivative(x[0])
    for width in (0.0, 2.0):
        box = (x >= -width) & (x <= width)
        result = genbab.verify(model, always(slope <= 1.5, on=box), genbab.Config(timeout=1))
        assert result.verdict in ("unknown", "timeout")
        result = genbab.verify(model, always((slope <= 3.5) & (y[0] < 0), on=box))
        assert result.verdict == "falsified"
    assert genbab.verify(model, always(slope <= 0.5, on=box)).verdict == "falsified"


def test_names() -> None:
    one = PartialDerivative.of(3, [5, 2])
    assert one.name == "d(y3, x2, x5)" and PartialDerivative.named(one.name) == one
    assert PartialDerivative.named("relu_1") is None


@pytest.mark.parametrize("wrong", ["D2Y_0_DX_0_DX_1_DX_1", "D9Y_0_DX_0", "D0Y_0_DX_0"])
def test_wrong_names_are_refused(wrong: str, tmp_path: Path) -> None:
    text = TEXT.replace("DY_0_DX_1", wrong).format(limit=1)
    with pytest.raises(SpecError, match=f"found '{wrong}'; a derivative is"):
        read_vnnlib(written(tmp_path, text), derivatives=True)


def test_errors_speak_of_derivatives_and_their_place(tmp_path: Path) -> None:
    text = TEXT.format(limit=1).replace("(declare-const D2Y_1_DX_0 Real)\n", "")
    with pytest.raises(SpecError, match=r"spec.vnnlib:8:.*d\(y1, x0, x0\)"):
        read_vnnlib(written(tmp_path, text), derivatives=True)
    x, f = Input(2), Network(2)
    y = f(2 * x)
    with pytest.raises(SpecError, match="inputs that the network is run on as they are"):
        y[0].derivative(x[0])
    with pytest.raises(SpecError, match="a derivative is of one output by single inputs"):
        y.derivative(x)
    with pytest.raises(SpecError, match="the model has 2 inputs and 2 outputs"):
        wide = Input(3)
        g = Network(2)(wide)
        model = genbab.load(layers(nn.Tanh), example=torch.zeros(1, 2))
        genbab.verify(model, always(g[0].derivative(wide[2]) <= 1, on=(wide >= 0) & (wide <= 1)))


def test_command_line(tmp_path: Path) -> None:
    module = layers(nn.Tanh, seed=5)
    model = genbab.load(module, example=torch.zeros(1, 2))
    (tmp_path / "model.onnx").write_bytes(model.proto)
    written(tmp_path, TEXT.format(limit=9))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "genbab", "verify", "model.onnx", "spec.vnnlib", *words]
        told = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, env=told)

    assert run("--derivative").stdout.startswith("verified")
    assert run().returncode == 2
    refused = run("--derivative", "--proof", "p.proof")
    assert refused.returncode == 2 and "--proof: there are none of" in refused.stderr
