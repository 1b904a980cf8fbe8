"""Queries about models of different operator sets: converted, checked, and replayed as they were given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper, version_converter

from genbab.attack import Replayer
from genbab.cli import main
from genbab.errors import ModelError
from genbab.reader import joined, load_onnx
from genbab.reader.onnx.opsets import raised
from genbab.reader.onnx.reading import read_proto
from genbab.specs import NetworkName, TensorName

from .networks import TWO, outputs_of, parsed, save

Capsys = pytest.CaptureFixture[str]
CONVERT = version_converter.convert_version


def softmax(path: Path, opset: int, domains: tuple[tuple[str, int], ...] = ()) -> Path:
    """Softmax of three by two numbers: of all six before opset 13, of each pair from there on."""
    shape = [1, 3, 2]
    node = helper.make_node("Softmax", ["x"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    graph = helper.make_graph([node], "softmax", ends[:1], ends[1:])
    opsets = [helper.make_opsetid(*one) for one in (("", opset), *domains)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.mark.parametrize("version", [13, 17, 20])
def test_a_converted_model_means_what_it_meant(tmp_path: Path, version: int) -> None:
    path = softmax(tmp_path / "m.onnx", 11)
    made = raised(*read_proto(path), version)
    assert {o.version for o in made.opset_import if not o.domain} == {version}
    (tmp_path / "n.onnx").write_bytes(made.SerializeToString())
    for x in np.random.default_rng(0).standard_normal((5, 1, 3, 2)):
        was, now = (outputs_of(p, x)[0] for p in (path, tmp_path / "n.onnx"))
        assert np.allclose(was, now) and abs(was.sum() - 1) < 1e-5


def _renumbered(proto: ModelProto, version: int) -> ModelProto:
    """The nodes as they are, under another number."""
    made = ModelProto()
    made.CopyFrom(proto)
    made.opset_import[0].version = version
    return made


def _shifted(proto: ModelProto, version: int) -> ModelProto:
    made: ModelProto = CONVERT(proto, version)
    made.graph.node[-1].output[0] = "before"
    one = numpy_helper.from_array(np.full((1,), 1e-4, np.float32), "one")
    made.graph.initializer.append(one)
    made.graph.node.append(helper.make_node("Add", ["before", "one"], ["y"]))
    return made


def _refuses(proto: ModelProto, version: int) -> ModelProto:
    raise RuntimeError("no adapter\nfor it")


def _renamed(proto: ModelProto, version: int) -> ModelProto:
    made: ModelProto = CONVERT(proto, version)
    made.graph.input[0].name = made.graph.node[0].input[0] = "other"
    return made


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (_renumbered, "the outputs then are others"),
        (_shifted, "the outputs then are others"),
        (_refuses, "no adapter"),
        (_renamed, "an input is lost"),
    ],
)
def test_a_conversion_that_changes_the_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[ModelProto, int], ModelProto], told: str
) -> None:
    monkeypatch.setattr(version_converter, "convert_version", wrong)
    with pytest.raises(ModelError, match="cannot be converted from opset 11 to 17") as error:
        raised(*read_proto(softmax(tmp_path / "m.onnx", 11)), 17)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_two_models_of_different_operator_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("genbab.cli.verify.verify.process_start", time.monotonic)
    f, g = save(tmp_path / "f.onnx", 0, opset=13), save(tmp_path / "g.onnx", 0, 0.5, opset=18)
    words = ["verify", "q.vnnlib", "--network", "f=f.onnx", "--network", "g=g.onnx", "--quiet"]
    for relation, answer in (("(>= Y[0,0] W[0,0])", "unsat"), ("(<= (+ Y[0,0] 0.25) W[0,0])", "sat")):
        (tmp_path / "q.vnnlib").write_text(f"{TWO}(assert {relation})\n")
        assert main([*words, "--timeout", "40"]) == 0
        first, *rest = capsys.readouterr().out.splitlines()
        assert first == answer
    found = {name: value for name, (_, value) in parsed(rest).items()}
    assert outputs_of(f, found["X"])[0] == found["Y"] and outputs_of(g, found["U"])[0] == found["W"]


def _networks() -> list[NetworkName]:
    def tensor(name: str) -> tuple[TensorName]:
        return (TensorName(name, "real", (1, 3, 2), ""),)

    return [NetworkName("f", "", tensor("X"), tensor("Y")), NetworkName("g", "", tensor("U"), tensor("W"))]


def test_inputs_are_replayed_in_the_models_that_were_given(tmp_path: Path) -> None:
    files = {"f": softmax(tmp_path / "f.onnx", 11), "g": softmax(tmp_path / "g.onnx", 17)}
    made = joined(_networks(), files)
    model = load_onnx(made.proto)
    x = np.random.default_rng(1).standard_normal(12).astype(np.float32)
    expected = [outputs_of(path, part)[0] for path, part in zip(files.values(), np.split(x, 2), strict=True)]
    given = replace(model, given=made.given)
    assert np.array_equal(Replayer(given).replay(x), np.concatenate(expected).reshape(-1))
    swapped = replace(model, given={"f": made.given["g"], "g": made.given["f"]})
    assert not np.allclose(Replayer(swapped).replay(x), Replayer(given).replay(x))


def test_other_operator_sets_are_not_converted(tmp_path: Path) -> None:
    files = {
        "f": softmax(tmp_path / "f.onnx", 17, (("ai.onnx.ml", 2),)),
        "g": softmax(tmp_path / "g.onnx", 17, (("ai.onnx.ml", 3),)),
    }
    with pytest.raises(ModelError, match=r"ai\.onnx\.ml: 2 \(f\), 3 \(g\)"):
        joined(_networks(), files)
