"""Counterexamples of random models and texts, judged in rational arithmetic by code that shares nothing."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_random_counterexamples_hold_in_the_text() -> None:
    words = [
        sys.executable,
        str(BENCHMARKS / "witnesses.py"),
        "--count",
        "120",
        "--seed",
        "7",
        "--limit",
        "0.2",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 wrong" in done.stdout and "nearest" in done.stdout and "inside" in done.stdout


@pytest.mark.parametrize(
    ("x", "distance", "wrong"),
    ((0.1, 0.0, True), (0.1, 1e-8, False), (0.1, 1e-10, True), (0.5, 0.0, True)),
)
def test_the_judge_knows_inside_from_near(x: float, distance: float, wrong: bool) -> None:
    import numpy as np
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    text = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 0.1))(assert (<= X_0 0.1))"
    judge = runpy.run_path(str(BENCHMARKS / "replay.py"))["broken"]
    said = judge(proto.SerializeToString(), f"{text}(assert (< Y_0 0.2))", [float(np.float32(x))], distance)
    assert bool(said) == wrong
