"""`genbab nap mine|show` and `genbab verify --nap`."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from genbab import load, nap
from genbab.specs import robustness, write_vnnlib
from tests.fuzz.files import claimed_array

from .conftest import Command
from .networks import outputs_of

HIDDEN = "z"


@pytest.fixture
def genbab(inside: Command) -> Command:
    return inside


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two inputs; z = (x0 - x1, x1 - x0, x0 + x1 - 1), y = W relu(z): class 0 where x0 is the larger."""
    weights = {
        "first": np.array([[1, -1, 1], [-1, 1, 1]], np.float32),
        "shift": np.array([0, 0, -1], np.float32),
        "last": np.array([[1, 0], [0, 1], [0.25, 0.125]], np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["m"]),
        helper.make_node("Add", ["m", "shift"], [HIDDEN]),
        helper.make_node("Relu", [HIDDEN], ["a"]),
        helper.make_node("MatMul", ["a", "last"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in ("x", "y")]
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Samples of both classes, in every form that is read."""
    random = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = np.stack([0.7 - 0.5 * y, 0.2 + 0.5 * y], 1) + random.uniform(-0.1, 0.1, (60, 2))
    x = x.astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    np.savez(tmp_path / "both.npz", x=x, y=y)
    np.savez(tmp_path / "x.npz", x)
    rows = [f"{label},{a!r},{b!r}" for label, (a, b) in zip(y.tolist(), x.tolist(), strict=True)]
    (tmp_path / "both.csv").write_text("\n".join(["label,a,b", *rows]))
    return x, y


def test_patterns_mined_in_every_form_are_those_of_python(
    genbab: Command, tmp_path: Path, model: Path, data: tuple[np.ndarray, np.ndarray]
) -> None:
    expected = nap.mine(str(model), *data, 0.9)
    for words in (("x.npy", "y.npy"), ("both.npz",), ("x.npz", "both.npz"), ("both.csv",)):
        said = genbab("nap", "mine", model, *words, "--delta", "0.9", "-o", "p.json")
        assert (said.code, said.err) == (0, "") and said.out.startswith("2 patterns in p.json")
        found = nap.load(tmp_path / "p.json")
        assert [p.to_dict() for p in found.values()] == [p.to_dict() for p in expected.values()]
    shown = genbab("nap", "show", "p.json", "--model", model, "--data", "both.npz", "--json")
    for facts in json.loads(shown.out)["classes"]:
        pattern = expected[facts["class"]]
        assert facts["samples"] == 30 and facts["constrained"] == pattern.constrained
        assert facts["layers"] == [{"name": HIDDEN, "constrained": pattern.constrained, "neurons": 3}]
        assert facts["recall"] == pattern.recall(load(model), *data)
    told = genbab("nap", "show", "p.json").out
    assert f"layer 1 is {HIDDEN}" in told and "recall" not in told


def test_classes_without_a_right_sample_are_named(
    genbab: Command, tmp_path: Path, model: Path, data: tuple[np.ndarray, np.ndarray]
) -> None:
    np.save(tmp_path / "wrong.npy", 1 - data[1])
    said = genbab("nap", "mine", model, "x.npy", "wrong.npy", "-o", "p.json")
    assert said.code == 0 and "no pattern for 0, 1: no sample of it is classified rightly" in said.out
    assert "no patterns" in genbab("nap", "show", "p.json").out


def test_verdicts_say_what_was_taken_for_granted(
    genbab: Command, tmp_path: Path, model: Path, data: tuple[np.ndarray, np.ndarray]
) -> None:
    """Verified, vacuous, falsified: the last follows the pattern in onnxruntime."""
    genbab("nap", "mine", model, "both.npz", "--delta", "1", "--kind", "interval", "-o", "p.json")
    write_vnnlib(robustness(np.array([0.6, 0.4]), 0, 2, 0.3), tmp_path / "s.vnnlib")
    assert genbab("verify", model, "s.vnnlib").out.startswith("falsified")
    said = genbab("verify", model, "s.vnnlib", "--nap", "p.json", "--nap-class", "0", "--json", "r.json")
    assert said.out.startswith("verified\n") and said.code == 0
    assert "asked only of inputs that follow the pattern of class 0 in p.json" in said.out
    facts = json.loads((tmp_path / "r.json").read_text())["statistics"]
    assert facts["pattern"] == {"file": "p.json", "class": 0} and facts["vacuous"] is False
    write_vnnlib(robustness(np.array([0.8, 0.2]), 0, 2, 0.1), tmp_path / "t.vnnlib")
    said = genbab("verify", model, "t.vnnlib", "--nap", "p.json", "--nap-class", "1")
    assert said.out.startswith("verified\n") and "(vacuously)" in said.out and "class 1 in p.json" in said.out
    files = ("--counterexample", "c.txt", "--json", "r.json")
    write_vnnlib(robustness(np.array([0.2, 0.8]), 0, 2, 0.1), tmp_path / "u.vnnlib")
    said = genbab("verify", model, "u.vnnlib", "--nap", "p.json", "--nap-class", "1", *files)
    assert said.out.startswith("falsified\n") and "follow the pattern of class 1" in said.out
    result = json.loads((tmp_path / "r.json").read_text())
    x = np.array(result["counterexample"]["x"], np.float32)
    assert result["counterexample"]["y"] == outputs_of(model, x)[0].ravel().tolist()
    witness = (tmp_path / "c.txt").read_text()
    assert "Y_1" in witness and "Y_2" not in witness
    layer = nap.load(tmp_path / "p.json")[1].layers[0]
    assert layer.holds(np.array([result["statistics"]["hidden"]])).all()


def test_what_makes_no_sense_is_said_in_one_line(
    genbab: Command, tmp_path: Path, model: Path, data: tuple[np.ndarray, np.ndarray]
) -> None:
    genbab("nap", "mine", model, "both.npz", "-o", "p.json")
    write_vnnlib(robustness(np.array([0.6, 0.4]), 0, 2, 0.3), tmp_path / "s.vnnlib")
    np.save(tmp_path / "high.npy", data[1] + 5)
    other = nap.load(tmp_path / "p.json")[0]
    for name, size in (("absent", 3), (HIDDEN, 7)):
        layer = nap.Layer(name, np.zeros(size), np.ones(size))
        nap.save({0: nap.Pattern(0, 0.9, other.samples, (layer,))}, tmp_path / f"{size}.json")
    asked, query = ("verify", model, "s.vnnlib"), ("verify", "s.vnnlib", "--network", f"f={model}")
    cases = [
        ((*asked, "--nap", "p.json"), "--nap-class N is missing"),
        ((*asked, "--nap-class", "0"), "--nap FILE is missing"),
        ((*asked, "--nap", "p.json", "--nap-class", "2"), "p.json has no pattern of class 2; there is 0, 1"),
        ((*asked, "--nap", "p.json", "--nap-class", "-1"), "must be a whole number from 0"),
        ((*asked, "--nap", "q.json", "--nap-class", "0"), "cannot read the pattern file q.json"),
        ((*asked, "--nap", "s.vnnlib", "--nap-class", "0"), "s.vnnlib: not JSON"),
        ((*asked, "--nap", "p.json", "--nap-class", "0", "--json", "p.json"), "must differ"),
        ((*asked, "--nap", "3.json", "--nap-class", "0"), "no tensor or node 'absent'"),
        ((*asked, "--nap", "7.json", "--nap-class", "0"), "'z' has 3 numbers, the specification says 7"),
        ((*query, "--nap", "p.json", "--nap-class", "0"), "is for MODEL SPEC"),
        (("nap", "mine", model, "x.npy", "-o", "o.json"), "has no labels"),
        (("nap", "mine", model, "both.npz", "-o", "both.npz"), "must differ"),
        (("nap", "mine", model, "both.npz", "-o", "no/o.json"), "cannot write"),
        (("nap", "mine", model, "both.npz", "-o", "o.json", "--delta", "nan"), "must be above 0.5"),
        (("nap", "mine", model, "both.npz", "-o", "o.json", "--delta", "0"), "must be above 0.5"),
        (("nap", "mine", model, "both.npz", "-o", "o.json", "--delta", "some"), "--delta some"),
        (("nap", "mine", model, "both.npz", "-o", "o.json", "--layer", "q"), "no tensor or node 'q'"),
        (("nap", "mine", model, "x.npy", "high.npy", "-o", "o.json"), "label 5 of sample 0"),
        (("nap", "mine", model, "model.onnx", "y.npy", "-o", "o.json"), "model.onnx"),
        (("nap", "show", "p.json", "--model", model), "give both --model and --data"),
        (("nap", "show", "x.npy"), "x.npy: not JSON"),
    ]
    wrong = []
    for words, about in cases:
        said = genbab(*words)
        if said.code != 2 or about not in said.err or said.err.count("\n") != 1 or said.out:
            wrong.append((words, said))
    assert not wrong
    assert not (tmp_path / "o.json").exists()


def test_arrays_that_claim_too_much_are_refused(
    genbab: Command,
    tmp_path: Path,
    model: Path,
    data: tuple[np.ndarray, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with zipfile.ZipFile(tmp_path / "claims.npz", "w") as archive:
        archive.writestr("x.npy", claimed_array("(1099511627776,)", "<f8"))
    said = genbab("nap", "mine", model, "claims.npz", "y.npy", "-o", "o.json")
    assert said.code == 2 and "x.npy claims 8,796,093,022,208 bytes" in said.err
    monkeypatch.setattr("genbab.cli.tools.samples.MAX_BYTES", 100)
    said = genbab("nap", "mine", model, "both.npz", "-o", "o.json")
    assert said.code == 2 and "at most 100 are read" in said.err
