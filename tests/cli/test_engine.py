"""The command line with the real engine, on the shipped examples."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, Command, environment

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("genbab.api") is None, reason="no engine in this tree"
)

MODEL = ROOT / "examples" / "onnx" / "controller.onnx"
HOLDS = ROOT / "examples" / "vnnlib" / "controller_holds.vnnlib"
VIOLATED = ROOT / "examples" / "vnnlib" / "controller_violated.vnnlib"


def test_a_property_that_holds(genbab: Command, tmp_path: Path) -> None:
    said = genbab("verify", MODEL, HOLDS, "--timeout", "40", "--json", "r.json")
    assert (said.code, said.err) == (0, "") and said.out.splitlines()[0] == "verified"
    data = json.loads((tmp_path / "r.json").read_text())
    assert data["verdict"] == "verified" and float(data["bound"]) > 0 and data["model"] == str(MODEL)


def test_a_property_that_does_not(genbab: Command, tmp_path: Path) -> None:
    said = genbab("verify", MODEL, VIOLATED, "--timeout", "40", "--counterexample", "w", "--json", "r.json")
    assert said.code == 0 and said.out.splitlines()[0] == "falsified"
    words = [sys.executable, str(ROOT / "benchmarks" / "replay.py"), str(MODEL), str(VIOLATED), "w"]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_list_of_both(genbab: Command, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        f"onnx,vnnlib,timeout\n{MODEL},{VIOLATED},40\n{MODEL},{tmp_path}/no.vnnlib,40\n"
    )
    said = genbab("run", "list.csv", "--counterexamples", "found")
    assert said.code == 0 and "1 error, 1 falsified" in said.out
    assert len(list((tmp_path / "found").iterdir())) == 1
    records = [json.loads(line) for line in (tmp_path / "list.results.jsonl").read_text().splitlines()]
    assert [r["verdict"] for r in records] == ["falsified", "error"] and records[0]["peak_memory"] > 5e7


def test_inspect(genbab: Command) -> None:
    said = genbab("inspect", MODEL)
    assert (said.code, said.err) == (0, "") and "function" in said.out and str(MODEL) in said.out
    facts = json.loads(genbab("inspect", MODEL, "--json").out)
    assert facts["unsupported"] == []
    assert facts["input_size"] == sum(math.prod(end["shape"]) for end in facts["inputs"])
    assert sum(e["size"] for e in facts["functions"].values()) == sum(e["size"] for e in facts["layers"]) > 0
    assert facts["weights"] > 0


def test_every_unsupported_operator_is_listed(genbab: Command, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 4]) for n in ("x", "y")]
    nodes = [
        onnx.helper.make_node("Det", ["x"], ["a"], name="first"),
        onnx.helper.make_node("NonZero", ["x"], ["b"], name="second"),
        onnx.helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:])
    opset = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "m.onnx")
    said = genbab("inspect", "m.onnx", "--json", "facts.json")
    assert said.code == 3 and "first" in said.err and "second" in said.err and "Traceback" not in said.err
    listed = json.loads((tmp_path / "facts.json").read_text())["unsupported"]
    assert {(e["node"], e["operator"]) for e in listed} == {
        ("first", "Det"),
        ("second", "NonZero"),
    }
