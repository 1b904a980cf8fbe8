"""Queries of VNN-LIB 2 about float16: answered for the arithmetic of the file, with numbers of its type."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from genbab.cli import main

QUERY = """(vnnlib-version <2.0>)
(declare-network f (declare-input X {kind} [1,2]) (declare-output Y {kind} [1,1]))
(assert (and (>= X[0,0] 0.1) (<= X[0,0] 0.3)))
(assert (and (>= X[0,1] 0.1) (<= X[0,1] 0.3)))
(assert (<= Y[0,0] {limit}))
"""

SHORT = """<ir_version: 9, opset_import: ["" : 20]> g (float16[1,2] x) => (float16[1,1] y) {
    s = Tanh(x) y = ReduceSum(s) }"""

INSIDE = """<ir_version: 9, opset_import: ["" : 20]> g (float[1,2] x) => (float[1,1] y) {
    h = Cast<to=10>(x) s = Tanh(h) t = ReduceSum(s) y = Cast<to=1>(t) }"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("short", SHORT), ("inside", INSIDE)):
        onnx.save(onnx.parser.parse_model(text), f"{name}.onnx")
    for kind in ("float16", "float32"):
        for name, limit in (("unsat", 0.19), ("sat", 0.3)):
            Path(f"{name}_{kind}.vnnlib").write_text(QUERY.format(kind=kind, limit=limit))
    return tmp_path


def asked(capfd: pytest.CaptureFixture[str], query: str, model: str, *more: str) -> tuple[str, str]:
    """(what was printed, the messages)."""
    words = ["verify", f"{query}.vnnlib", "--network", f"f={model}.onnx", "--quiet", "--json", "found.json"]
    main([*words, *more])
    out, err = capfd.readouterr()
    return out, err


@pytest.mark.parametrize(
    ("model", "kind", "more"), [("short", "float16", ()), ("inside", "float32", ("--arithmetic", "float16"))]
)
def test_a_query_is_answered_for_the_types_of_the_file(
    folder: Path, capfd: pytest.CaptureFixture[str], model: str, kind: str, more: tuple[str, ...]
) -> None:
    assert asked(capfd, f"unsat_{kind}", model, *more)[0] == "unsat\n"
    assert json.loads(Path("found.json").read_text())["arithmetic"] == "float16"
    assert asked(capfd, f"sat_{kind}", model, *more)[0].startswith("sat\n")
    x = np.array(json.loads(Path("found.json").read_text())["counterexample"]["x"])
    assert (x == x.astype(kind)).all() and (x >= 0.1).all() and (x <= 0.3).all()


def test_shorter_types_inside_are_named(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, err = asked(capfd, "unsat_float32", "inside")
    assert "computes in float16 and float32: ask for --arithmetic float16" in err
