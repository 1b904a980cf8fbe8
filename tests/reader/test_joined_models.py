"""Models put side by side: each computes what it computed alone, in the order of the declarations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from genbab.attack import Replayer
from genbab.errors import ModelError, SpecError
from genbab.network import evaluate
from genbab.reader import check_declared, check_shapes, joined, load_onnx, opset_versions
from genbab.specs import NetworkName, TensorName
from tests.cli.networks import outputs_of, save


def network(name: str, inputs: str, outputs: str, same_as: str = "", size: int = 2) -> NetworkName:
    """A declaration; "X:p" is X, the model's tensor p."""
    ends = [
        tuple(
            TensorName(part.partition(":")[0], "real", (1, n), part.partition(":")[2])
            for part in text.split()
        )
        for text, n in ((inputs, size), (outputs, 1))
    ]
    return NetworkName(name, same_as, *ends)


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    return {
        "f": save(tmp_path / "f.onnx", 0),
        "h": save(tmp_path / "h.onnx", 1, inputs=("p", "q"), outputs=("z", "v")),
    }


def test_everybody_gets_the_own_inputs_and_gives_the_own_outputs(models: dict[str, Path]) -> None:
    networks = [
        network("h", "Q:q P:p", "V:v Z:z"),
        network("f", "X", "Y"),
        network("again", "X2", "Y2", "f"),
        network("h2", "P2 Q2", "Z2 V2", "h"),
    ]
    whole = joined(networks, models)
    model = load_onnx(whole.proto)
    replayer = Replayer(replace(model, given=whole.given))
    points = np.random.default_rng(5).normal(size=(20, 12)).astype(np.float32)
    for x in points:
        q, p, x1, x2, p2, q2 = x.reshape(6, 2)
        z, v = outputs_of(models["h"], p, q)
        alone = [v, z, *outputs_of(models["f"], x1), *outputs_of(models["f"], x2)]
        alone += outputs_of(models["h"], p2, q2)
        found = evaluate(model.network, torch.from_numpy(x[None].astype(np.float64)))
        np.testing.assert_allclose(found.numpy().ravel(), np.ravel(alone), atol=1e-6)
        assert np.array_equal(replayer.replay(x), np.ravel(alone))
    assert [n.partition("/")[0] for n in model.output_names] == ["h", "h", "f", "again", "h2", "h2"]


def test_subgraphs_functions_and_initialisers_among_the_inputs(tmp_path: Path) -> None:
    """Names inside of branches and of the model's own functions stay apart, too."""
    branches = [
        helper.make_graph(
            [helper.make_node("Mul", ["x", "c"], ["inner"])],
            name,
            [],
            [helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1, 2])],
        )
        for name in ("yes", "no")
    ]
    nodes = [
        helper.make_node("If", ["go"], ["chosen"], then_branch=branches[0], else_branch=branches[1]),
        helper.make_node("Twice", ["chosen"], ["y"], domain="own"),
    ]
    opset = helper.make_opsetid("", 17)
    add = helper.make_node("Add", ["a", "a"], ["b"])
    twice = helper.make_function("own", "Twice", ["a"], ["b"], [add], [opset])
    paths = {}
    for name, factor in (("f", 1.0), ("g", -3.0)):
        tensors = [
            numpy_helper.from_array(np.array([factor], np.float32), "c"),
            numpy_helper.from_array(np.array(True), "go"),
        ]
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in ("x", "y")]
        stored = helper.make_tensor_value_info("c", TensorProto.FLOAT, [1])
        graph = helper.make_graph(nodes, name, [stored, ends[0]], ends[1:], tensors)
        opsets = [opset, helper.make_opsetid("own", 1)]
        model = helper.make_model(graph, opset_imports=opsets, functions=[twice], ir_version=8)
        paths[name] = tmp_path / f"{name}.onnx"
        onnx.save(model, paths[name])
    x, y = (TensorName(name, "real", (1, 2)) for name in "XY")
    networks = [NetworkName(name, "", (x,), (y,)) for name in "fg"]
    whole = joined(networks, paths).proto
    session = onnxruntime.InferenceSession(whole, providers=["CPUExecutionProvider"])
    point = np.array([[1.0, 2.0]], np.float32)
    found = session.run(None, {"f/x": point, "g/x": point})
    assert np.array_equal(found[0], 2 * point) and np.array_equal(found[1], -6 * point)
    network = load_onnx(whole).network
    assert evaluate(network, torch.tensor([[1.0, 2.0, 1.0, 2.0]], dtype=torch.float64)).tolist() == [
        [2.0, 4.0, -6.0, -12.0]
    ]


def test_what_cannot_be_joined(models: dict[str, Path], tmp_path: Path) -> None:
    f, g = network("f", "X", "Y"), network("g", "U", "W")
    other = save(tmp_path / "old.onnx", 0, opset=13)
    proto = onnx.load(other)
    opset = helper.make_opsetid("", 13)
    add = helper.make_node("Add", ["a", "a"], ["b"])
    proto.functions.append(helper.make_function("own", "Twice", ["a"], ["b"], [add], [opset]))
    onnx.save(proto, other)
    with pytest.raises(ModelError, match="from opset 13 to 17: it has functions of its own"):
        joined([f, g], {**models, "g": other})
    with pytest.raises(SpecError, match="every input of g is to be declared: p, q; found U"):
        joined([f, g], {**models, "g": models["h"]})
    with pytest.raises(SpecError, match="every output of h is to be named once: z, v; found z, z"):
        joined([f, network("h", "P Q", "Z V:z")], models)


def test_a_model_that_is_not_the_declared_one(models: dict[str, Path]) -> None:
    f, h = load_onnx(models["f"]), load_onnx(models["h"])
    check_declared(h, [network("h", "P:p Q:q", "Z V:v")])
    with pytest.raises(SpecError, match=r"P is 'q', the model's input number 1 is .*'p'"):
        check_declared(h, [network("h", "P:q Q:p", "Z V")])
    with pytest.raises(SpecError, match="f, g have a model each"):
        check_declared(f, [network("f", "X", "Y"), network("g", "U", "W")])
    check_declared(f, [network("f", "X", "Y"), network("g", "U", "W", "f")])
    check_shapes(f, [network("f", "X", "Y"), network("g", "U", "W", "f")])
    with pytest.raises(SpecError, match=r"1 input\(s\) are declared .* p \[1, 2\], q \[1, 2\]"):
        check_shapes(h, [network("h", "P", "Z V", size=4)])
    with pytest.raises(SpecError, match=r"X is declared \[1, 3\], the model's x is \[1, 2\]"):
        check_shapes(f, [network("f", "X", "Y", size=3)])


def test_the_newest_operator_set_is_one_that_can_be_run() -> None:
    oldest, newest = opset_versions()
    assert oldest == 7 and newest <= onnx.defs.onnx_opset_version()
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Tanh", ["x"], ["y"])], "g", ends[:1], ends[1:])
    for opset in (oldest, newest):
        load_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8))
