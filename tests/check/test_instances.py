"""Public instances with proofs that are one box: what is easy is accepted, what is false is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from genbab.check.__main__ import main
from genbab.check.model.reading import read
from genbab.check.spec import read_specification
from tests.check.files import written
from tests.house.source import ROOT

INSTANCES = ROOT.parent / "shared" / "benchmarks"
CASES = [
    ("nn4sys/onnx/lindex.onnx", "nn4sys/vnnlib/lindex_1.vnnlib", 0),
    ("dist_shift/onnx/mnist_concat.onnx", "dist_shift/vnnlib/index730_delta0.13.vnnlib", 0),
    ("lsnc/onnx/quadrotor2d_output.onnx", "lsnc/vnnlib/quadrotor2d_output_7.vnnlib", 0),
    ("acasxu/onnx/ACASXU_run2a_1_2_batch_2000.onnx", "acasxu/vnnlib/prop_3.vnnlib", 0),
    ("acasxu/onnx/ACASXU_run2a_1_4_batch_2000.onnx", "acasxu/vnnlib/prop_2.vnnlib", 1),
    ("safenlp/onnx/medical/perturbations_0.onnx", "safenlp/vnnlib/medical/hyperrectangle_2670.vnnlib", 1),
]


@pytest.mark.parametrize(("model", "text", "code"), CASES)
def test_instance(model: str, text: str, code: int, tmp_path: Path) -> None:
    if not (INSTANCES / model).exists() or not (INSTANCES / text).exists():
        pytest.skip("the public instances are not here")
    shutil.copy(INSTANCES / model, tmp_path / "m.onnx")
    shutil.copy(INSTANCES / text, tmp_path / "s.vnnlib")
    program = read((tmp_path / "m.onnx").read_bytes())
    outputs = sum(int(np.prod(program.tensors[name].shape)) for name in program.outputs)
    found = read_specification((tmp_path / "s.vnnlib").read_text(), program.inputs, outputs)
    low, high = (np.stack([getattr(d, end) for d in found.disjuncts]) for end in ("low", "high"))
    written(tmp_path, low.min(0), high.max(0))
    files = [str(tmp_path / name) for name in ("m.onnx", "s.vnnlib", "proof")]
    assert main([*files, "--extra-splits", "10" if code == 0 else "4"]) == code


ATTACKS = ROOT.parent / "shared" / "cases" / "adversary"
TRUE_OVER_THE_REALS = {"infinite_outputs"}


@pytest.mark.parametrize("arithmetic", ["real", "float32"])
@pytest.mark.parametrize("path", sorted(ATTACKS.glob("*.onnx")), ids=lambda path: path.stem)
def test_what_misled_a_search_is_not_accepted(path: Path, arithmetic: str, tmp_path: Path) -> None:
    """Questions whose right answer is not `verified`, with a proof that is one box."""
    shutil.copy(path, tmp_path / "m.onnx")
    shutil.copy(path.with_suffix(".vnnlib"), tmp_path / "s.vnnlib")
    graph = onnx.load(path).graph
    sizes = [
        sum(int(np.prod([d.dim_value for d in value.type.tensor_type.shape.dim])) for value in ends)
        for ends in (graph.input, graph.output)
    ]
    found = read_specification((tmp_path / "s.vnnlib").read_text(), sizes[0], max(sizes[1], 1))
    low, high = (np.stack([getattr(d, end) for d in found.disjuncts]) for end in ("low", "high"))
    written(tmp_path, low.min(0) - 1e-6, high.max(0) + 1e-6, (), {"arithmetic": arithmetic})
    files = [str(tmp_path / name) for name in ("m.onnx", "s.vnnlib", "proof")]
    code = main([*files, "--extra-splits", "3", "--limit-seconds", "60"])
    assert code in ((0, 1, 2) if arithmetic == "real" and path.stem in TRUE_OVER_THE_REALS else (1, 2))
