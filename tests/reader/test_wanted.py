"""Outputs that are chosen and open axes that are set: only what is needed is read, and replayed."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper

import genbab
from genbab.attack.replay import Replayer
from genbab.check.failures import Rejected
from genbab.check.model.written import ReadParts
from genbab.check.question import Limits, load
from genbab.cli.options.model import ReadingWords
from genbab.errors import GenbabError, SpecError, UnsupportedError, UsageError
from genbab.network import evaluate
from genbab.reader import Wanted, load_onnx
from genbab.specs import parse_vnnlib

F = np.float32
TEXT = """<ir_version: 8, opset_import: ["" : 17]> agraph
    (float[N,3] x) => (float[N,3] p, float[N,3] bad, float[N,1] q) {
    h = Tanh(x) p = Mul(h, x) bad = Bernoulli(h) q = ReduceSum<keepdims=1>(b, one) b = Sin(h)
    one = Constant<value=int64[1] {1}>() }"""


def several() -> ModelProto:
    return onnx.parser.parse_model(TEXT)


def convolution(batch: str | int = "T", width: str | int = 4) -> ModelProto:
    """Time comes first: x is (T, 3, 4)."""
    weight = numpy_helper.from_array(np.random.default_rng(0).normal(size=(2, 3, 2)).astype(F), "w")
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, width]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
    ]
    nodes = [helper.make_node("Conv", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_what_other_outputs_can_be_read_is_said() -> None:
    with pytest.raises(UnsupportedError, match=r"without them: output p, q \(--output p, or ") as caught:
        load_onnx(several())
    assert [kind for _, kind, _ in caught.value.problems] == ["Bernoulli"]


@pytest.mark.parametrize("names", [("p",), ("q",), ("q", "p")])
def test_chosen_outputs(names: tuple[str, ...]) -> None:
    model = genbab.load(several().SerializeToString(), outputs=names)
    assert model.output_names == names and "Bernoulli" not in model.operators
    x = np.random.default_rng(0).normal(size=3)
    means = {"p": np.tanh(x) * x, "q": np.sin(np.tanh(x)).sum(keepdims=True)}
    expected = np.concatenate([means[name] for name in names])
    assert np.allclose(evaluate(model.network, torch.from_numpy(x)).numpy(), expected)
    assert np.allclose(Replayer(model).replay(x), expected, atol=1e-5)
    again = genbab.load(model, outputs=names[0])
    assert again.output_names == names[:1]


@pytest.mark.parametrize("arithmetic", ["real", "float32"])
def test_verdicts_are_about_the_chosen_output(arithmetic: str) -> None:
    model = genbab.load(several().SerializeToString(), outputs="q")
    config = genbab.Config(timeout=60).with_(arithmetic=arithmetic)
    for above, verdict in ((2.6, "verified"), (1.0, "falsified")):
        result = genbab.verify(model, parse_vnnlib(below(above)), config)
        assert str(result.verdict.value) == verdict


def below(limit: float) -> str:
    """q < limit on [-1, 1]^3; its maximum is 3 sin(tanh 1) = 2.069."""
    lines = [f"(declare-const X_{i} Real)(assert (>= X_{i} -1.0))(assert (<= X_{i} 1.0))" for i in range(3)]
    return "\n".join([*lines, f"(declare-const Y_0 Real)(assert (>= Y_0 {limit}))"])


@pytest.mark.parametrize(
    ("outputs", "shapes", "message"),
    [
        (["qq"], None, r"no output 'qq' \(did you mean 'q'\?\); its outputs are p, bad, q"),
        (["p", "p"], None, "named twice: p"),
        ([1], None, "expected the names of outputs"),
        (["p"], {"y": (1, 3)}, "no input 'y'"),
        (["p"], {"x": (1, 4)}, "axis 1 of input 'x' is 3, not 4"),
        (["p"], {"x": (1, 3, 1)}, "input 'x' has 2 axes"),
        (["p"], {"x": (0, 3)}, "whole numbers from 1"),
        (["p"], {"x": (1.5, 3)}, "whole numbers from 1"),
        (["p"], {"x": "ab"}, "no row of whole numbers"),
    ],
)
def test_what_cannot_be_chosen(outputs: list[str], shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        genbab.load(several().SerializeToString(), outputs=outputs, shapes=shapes)


def test_open_axes() -> None:
    model = load_onnx(convolution(), wanted=Wanted.of(None, {"x": (5, 3, 4)}))
    assert model.input_shapes == ((5, 3, 4),) and model.output_shapes == ((5, 2, 3),) and not model.ones
    assert load_onnx(convolution()).ones == (("x", 0),)
    with pytest.raises(
        GenbabError, match="axis 2 of input 'x' is 'W'; genbab needs fixed shapes: --shape x=1,3,N"
    ):
        load_onnx(convolution(width="W"))
    assert load_onnx(convolution(width="W"), wanted=Wanted.of(None, {"x": (2, 3, 7)})).input_shapes == (
        (2, 3, 7),
    )


def test_axes_of_one_name_have_one_length() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> agraph (float[N,2] a, float[N,K] b) => (float c) {
        s = Constant<value=int64[1] {1}>() d = ReduceSum(b, s) c = Add(a, d) }"""
    data = onnx.parser.parse_model(text).SerializeToString()
    model = genbab.load(data, shapes={"b": (3, 4)})
    assert model.input_shapes == ((3, 2), (3, 4))
    with pytest.raises(
        UsageError, match="axis 0 of input 'b' is 'N' like axis 0 of input 'a', which is 2, not 3"
    ):
        genbab.load(data, shapes={"a": (2, 2), "b": (3, 4)})


def test_sizes_that_do_not_fit_name_the_axes_that_were_taken_as_one(tmp_path: Path) -> None:
    model = genbab.load(convolution().SerializeToString())
    match = r"axis 0 of 'x', which the file leaves open, was taken as 1; to set it: --shape x=1,3,4"
    with pytest.raises(UsageError, match=match):
        genbab.certified_accuracy(model, np.zeros((1, 5, 3, 4)), [0], 0.1)
    with pytest.raises(SpecError, match=match):
        genbab.verify(model, parse_vnnlib(below(1.0)))


def said_by(*words: object) -> tuple[int, str]:
    command = [sys.executable, "-P", "-m", "genbab", *map(str, words)]
    end = subprocess.run(command, capture_output=True, text=True, check=False)
    return end.returncode, end.stdout + end.stderr


def test_proofs_say_what_of_the_model_is_read(tmp_path: Path) -> None:
    """Those of chosen outputs and shapes are accepted for these, and for no others."""
    place, spec, proof = tmp_path / "m.onnx", tmp_path / "s.vnnlib", tmp_path / "p"
    onnx.save(onnx.parser.parse_model(TEXT.replace("float[N,3] x", "float[N,K] x")), place)
    spec.write_text(below(2.6))
    reading = ["--output", "q", "--shape", "x=1,3"]
    code, said = said_by("verify", place, spec, *reading, "--proof", proof, "--timeout", "60")
    assert code == 0 and said.startswith("verified") and "accepted" in said, said
    assert load(place, spec, proof, Limits(), ReadParts.of(["q"], ["x=1,3"])).program.outputs == ["q"]
    for outputs, shapes in (([], []), (["p"], ["x=1,3"]), (["q"], ["x=3,1"])):
        with pytest.raises(Rejected, match="about the model read --output=q --shape=x=1,3, the check about"):
            load(place, spec, proof, Limits(), ReadParts.of(outputs, shapes))


@pytest.mark.parametrize("words", [["x=1;3"], ["1,3"], ["x=0,3"], ["x=1,3", "x=1,4"]])
def test_words_that_are_no_shapes(words: list[str]) -> None:
    with pytest.raises(UsageError, match="--shape"):
        ReadingWords.of(argparse.Namespace(read_outputs=None, read_shapes=words))


def test_lists_of_instances(tmp_path: Path) -> None:
    onnx.save(several(), tmp_path / "m.onnx")
    (tmp_path / "s.vnnlib").write_text(below(2.6))
    (tmp_path / "list.csv").write_text("m.onnx,s.vnnlib,60\n")
    code, said = said_by("run", tmp_path / "list.csv", "--model-output", "q")
    assert code == 0 and ",holds," in (tmp_path / "list.results.csv").read_text(), said
