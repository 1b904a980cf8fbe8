"""The benchmark runner: what it shouts about, and the replay that shares no code with genbab."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .conftest import ROOT, environment

BENCHMARKS = ROOT / "benchmarks"


def loaded(name: str) -> ModuleType:
    place = importlib.util.spec_from_file_location(f"benchmarks_{name}", BENCHMARKS / f"{name}.py")
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


report = loaded("report")


def row(**changes: Any) -> dict[str, Any]:
    usual = {
        "family": "f",
        "model": "m.onnx",
        "spec": "s.vnnlib",
        "verdict": "verified",
        "seconds": 2.0,
        "peak_memory": 10**8,
        "bound": 0.5,
        "reason": "",
        "replay": "",
        "expected": "unsat",
        "reference": "unsat",
        "reference_seconds": 5.0,
        "statistics": {},
    }
    return {**usual, **changes}


@pytest.mark.parametrize(
    ("changes", "shout"),
    [
        ({}, None),
        ({"expected": "", "reference": "timeout"}, None),
        ({"verdict": "unknown", "expected": "sat"}, None),
        ({"verdict": "falsified", "replay": "confirmed", "expected": "sat", "reference": "memout"}, None),
        ({"expected": "sat"}, "CONTRADICTION"),
        ({"reference": "sat"}, "CONTRADICTION"),
        ({"verdict": "falsified", "replay": "confirmed"}, "CONTRADICTION"),
        ({"verdict": "falsified", "replay": "no counterexample file", "expected": "sat"}, "UNCONFIRMED"),
        ({"verdict": "error", "reason": "boom"}, "ERROR"),
        ({"verdict": "timeout", "seconds": 61.2}, "LATE"),
    ],
)
def test_what_is_shouted_about(changes: dict[str, Any], shout: str | None) -> None:
    found = report.troubles([row(**changes)], 60.0)
    assert bool(found) == (shout is not None)
    assert shout is None or any(f.startswith(shout) for f in found)


def test_the_page_counts_per_family() -> None:
    rows = [row(), row(verdict="timeout", seconds=60.2), row(family="g", bound="-inf", peak_memory=None)]
    facts = {"timeout": 60.0, "options": [], "machine": {"cores": 2}}
    page = report.markdown(rows, facts)
    assert "| f | 2 | **1** | 2 | 1 | 0 | 0 | 1 | 0 | 2.00 | 5.00 | 100 |" in page
    assert "| all | 3 | **2** |" in page


SPEC = """; a box, and y <= -x/2 - 0.4
(declare-const X_0 Real)
(declare-const Y_0 Real)
(assert (and (>= X_0 0) (<= X_0 1.0)))
(assert (or (<= (+ Y_0 (* 0.5 X_0)) -0.4) (>= Y_0 7)))
"""


@pytest.mark.parametrize(
    ("witness", "word"),
    [
        ("((X_0 1)\n(Y_0 -1))", "holds"),
        ("((X_0 1)\n(Y_0 99))", "holds"),  # claimed outputs do not count
        ("((X_0 0.5)\n(Y_0 -1))", "does not hold"),
        ("((X_0 1.00001)\n(Y_0 -1))", "not exact"),
        ("((X_0 1.5)\n(Y_0 -1.5))", "does not hold"),
        ("((X_0 1)\n(X_1 1)\n(Y_0 -1))", "2 inputs"),
        ("((X_1 1)\n(Y_0 -1))", "lacks"),
        ("((X_0 nan)\n(Y_0 -1))", "not exact"),
    ],
)
def test_the_independent_replay(tmp_path: Path, witness: str, word: str) -> None:
    onnx = pytest.importorskip("onnx")
    ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["N", 1]) for n in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "g", ends[:1], ends[1:])
    opset = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "m.onnx")
    (tmp_path / "s.vnnlib").write_text(SPEC)
    (tmp_path / "w").write_text(witness)
    words = [sys.executable, str(BENCHMARKS / "replay.py"), "m.onnx", "s.vnnlib", "w"]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=30)
    assert word in done.stdout
    assert done.returncode == (0 if word == "holds" else 1)


def test_the_runner_end_to_end_on_unreadable_instances(tmp_path: Path) -> None:
    family = tmp_path / "family"
    family.mkdir()
    (family / "instances.csv").write_text("none.onnx,none.vnnlib,20\n")
    words = [sys.executable, str(BENCHMARKS / "run.py"), str(tmp_path), "--output", str(tmp_path / "out")]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "!! ERROR" in done.stdout
    assert (tmp_path / "out" / "results.json").exists() and "no such file" in done.stdout
