"""The command line about integers: witnesses, empty boxes, types that are declared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

TEXT = (
    '<ir_version: 8, opset_import: ["" : 18]> g (int32[1,2] x, float[1,1] z) => (float[1,1] y) '
    "{ f = Cast<to=1>(x) w = Constant<value=float[2,1] {1.5,-0.5}>() g = MatMul(f, w) y = Add(g, z) }"
)
BOXES = ((0.5, 7.5), (-3.25, 4.0), (0.0, 0.5))
QUERY = """(vnnlib-version <2.0>)
(declare-network f (declare-input A KIND [1,2]) (declare-input B float32 [1,1])
 (declare-output Y float32 [1,1]))
(assert (and (>= A[0,0] 0) (<= A[0,0] 7) (>= A[0,1] -3) (<= A[0,1] 4) (>= B[0,0] 0.0) (<= B[0,0] 0.5)))
(assert (> Y[0,0] 12.25))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model of two integers and a number, and specifications."""
    (tmp_path / "m.onnx").write_bytes(onnx.parser.parse_model(TEXT).SerializeToString())
    for name, boxes in (("s", BOXES), ("empty", ((0.25, 0.75), *BOXES[1:]))):
        lines = [f"(declare-const X_{i} Real)" for i in range(3)] + ["(declare-const Y_0 Real)"]
        lines += [f"(assert (>= X_{i} {a}))\n(assert (<= X_{i} {b}))" for i, (a, b) in enumerate(boxes)]
        (tmp_path / f"{name}.vnnlib").write_text("\n".join([*lines, "(assert (>= Y_0 12.25))"]))
    for kind in ("int32", "int64"):
        (tmp_path / f"{kind}.vnnlib").write_text(QUERY.replace("KIND", kind))
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`genbab verify` with these words."""
    command = [sys.executable, "-m", "genbab", "verify", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_witnesses_have_integers(folder: Path) -> None:
    done = run(folder, "m.onnx", "s.vnnlib", "--counterexample", "w.txt", "--json", "r.json")
    assert done.returncode == 0 and "input    7 -3 0.5" in done.stdout
    assert (folder / "w.txt").read_text().startswith("((X_0 7)\n(X_1 -3)\n(X_2 0.5)")
    x = json.loads((folder / "r.json").read_text())["counterexample"]["x"]
    assert x == [7, -3, 0.5] and [type(v) for v in x] == [int, int, float]


def test_assignments_have_the_types_of_the_text(folder: Path) -> None:
    pytest.importorskip("vnnlib")
    done = run(folder, "int32.vnnlib", "--network", "f=m.onnx", "--serialise-assignments", "out")
    assert done.stdout.startswith("sat")
    tensor = onnx.load_tensor(str(folder / "out" / "A.pb"))
    found = onnx.numpy_helper.to_array(tensor)
    assert found.dtype == np.int32 and found.tolist() == [[7, -3]]
    text = run(folder, "int32.vnnlib", "--network", "f=m.onnx").stdout
    assert text.splitlines()[:4] == ["sat", "A int32 [1,2]", "7", "-3"]


def test_what_makes_no_sense_is_said(folder: Path) -> None:
    done = run(folder, "m.onnx", "empty.vnnlib")
    assert done.returncode == 2 and "1 of 1 boxes hold no integers" in done.stderr
    pytest.importorskip("vnnlib")
    done = run(folder, "int64.vnnlib", "--network", "f=m.onnx")
    assert done.returncode == 2 and "A is declared int64, the model's input is int32" in done.stderr
    text = QUERY.replace("KIND", "int32").replace("Y float32", "Y int32").replace("12.25", "12")
    (folder / "output.vnnlib").write_text(text)
    done = run(folder, "m.onnx", "output.vnnlib")
    assert done.returncode == 2 and "Y is declared int32, the model's output is float32" in done.stderr
