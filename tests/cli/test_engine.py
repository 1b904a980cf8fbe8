"""The command line with the real engine, on the shipped examples."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genbab.specs import write_vnnlib
from tests.soundness.graphs import to_onnx
from tests.test_driver import below, hard

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
    assert genbab("study", "list.study.db", "--jsonl", "list.jsonl").code == 0
    records = [json.loads(line) for line in (tmp_path / "list.jsonl").read_text().splitlines()]
    assert [r["verdict"] for r in records] == ["falsified", "error"] and records[0]["peak_memory"] > 5e7


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
def test_an_interrupted_search_is_unknown_and_the_next_one_as_if_it_had_never_been(
    genbab: Command, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "m.onnx").write_bytes(to_onnx(hard().network))
    write_vnnlib(below(-13.0, (-0.01,) * 8, (0.01,) * 8), tmp_path / "s.vnnlib")
    words = ["verify", "m.onnx", "s.vnnlib", "--batch", "1", "--attack-restarts", "0", "--trace", "t.jsonl"]
    command = [sys.executable, "-m", "genbab", *words, "--json", "r.json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=tmp_path, env=environment(), text=True
    ) as process:
        trace = tmp_path / "t.jsonl"
        late = time.monotonic() + 30
        while time.monotonic() < late and not (trace.exists() and trace.read_text().count('"round"') > 2):
            time.sleep(0.01)
        os.kill(process.pid, number)
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 128 + number and out.splitlines()[0] == "unknown"
    data = json.loads((tmp_path / "r.json").read_text())
    assert data["verdict"] == "unknown" and "interrupted" in data["reason"] and "branching" in data["reason"]
    assert data["bound"] <= 0 and data["statistics"]["domains"] > 0
    end = json.loads(trace.read_text().splitlines()[-1])
    assert (end["event"], end["verdict"], end["bound"]) == ("end", "unknown", data["bound"])
    assert genbab("plot-trace", "t.jsonl").code == 0 and (tmp_path / "t.svg").stat().st_size > 1000
    said = genbab(*words, "--json", "r.json")
    assert said.code == 0 and said.out.splitlines()[0] == "verified"
    end = json.loads(trace.read_text().splitlines()[-1])
    assert end["verdict"] == "verified" and end["bound"] > 0
    assert end["bound"] == json.loads((tmp_path / "r.json").read_text())["bound"]


def test_plot_trace_refuses_what_it_cannot_read_or_write(inside: Command, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("nothing\n")
    for words, named in (
        (("none.jsonl",), "none.jsonl"),
        (("t.jsonl",), "no trace"),
        (("t.jsonl", "--out", "t.gif"), ".svg, .png or .pdf"),
        (("t.jsonl", "--out", "t.jsonl"), "t.jsonl"),
    ):
        said = inside("plot-trace", *words)
        assert said.code == 2 and named in said.err and "Traceback" not in said.err and not said.out


def test_a_trace_goes_to_a_place_of_its_own(inside: Command, tmp_path: Path) -> None:
    said = inside("verify", MODEL, HOLDS, "--trace", "r.json", "--json", "r.json")
    assert said.code == 2 and "differ" in said.err
    said = inside("verify", MODEL, HOLDS, "--trace", "no/t.jsonl")
    assert said.code == 2 and "no/t.jsonl" in said.err and not said.out


def test_inspect(inside: Command) -> None:
    said = inside("inspect", MODEL)
    assert (said.code, said.err) == (0, "") and "function" in said.out and str(MODEL) in said.out
    facts = json.loads(inside("inspect", MODEL, "--json").out)
    assert facts["unsupported"] == []
    assert facts["input_size"] == sum(math.prod(end["shape"]) for end in facts["inputs"])
    assert sum(e["size"] for e in facts["functions"].values()) == sum(e["size"] for e in facts["layers"]) > 0
    assert facts["weights"] > 0


def test_inspect_says_what_verify_would_do(inside: Command) -> None:
    said = inside("inspect", MODEL, HOLDS, "--memory", "256MiB")
    assert (said.code, said.err) == (0, "") and "are split" in said.out and "256 MiB" in said.out
    plan = json.loads(inside("inspect", MODEL, HOLDS, "--json", "--batch", "5").out)["plan"]
    assert plan["batch"] == 5 and plan["splits"] in ("input", "neuron") and plan["reasons"]
    said = inside("inspect", MODEL, "--batch", "0")
    assert said.code == 2 and "--batch" in said.err


def test_every_unsupported_operator_is_listed(inside: Command, tmp_path: Path) -> None:
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
    said = inside("inspect", "m.onnx", "--json", "facts.json")
    assert said.code == 3 and "first" in said.err and "second" in said.err and "Traceback" not in said.err
    listed = json.loads((tmp_path / "facts.json").read_text())["unsupported"]
    assert {(e["node"], e["operator"]) for e in listed} == {
        ("first", "Det"),
        ("second", "NonZero"),
    }
