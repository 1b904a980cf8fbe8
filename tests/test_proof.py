"""Proof files: what is in them, when they are there, and what cannot be proved."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from genbab import Config, load, prove
from genbab.errors import UsageError
from genbab.proof import SPLIT, ProofFile, Subject
from genbab.specs import read_vnnlib

BOX = "".join(f"(declare-const X_{i} Real)(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in range(2))
"""Two inputs between -1 and 1."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A model that needs splits, a property that holds and one that does not."""
    folder = tmp_path_factory.mktemp("proof")
    torch.manual_seed(1)
    first, second = torch.nn.Linear(2, 16), torch.nn.Linear(16, 16)
    first.weight.data *= 3.0
    second.weight.data *= 3.0
    last = torch.nn.Linear(16, 1)
    module = torch.nn.Sequential(first, torch.nn.Tanh(), second, torch.nn.Tanh(), last)
    model = folder / "model.onnx"
    model.write_bytes(load(module, example=torch.zeros(1, 2)).proto)
    grid = torch.cartesian_prod(*[torch.linspace(-1, 1, 201)] * 2)
    top = float(module(grid).detach().max())
    specs = []
    for name, limit in (("holds", top + 0.05), ("fails", top - 0.05)):
        specs.append(folder / f"{name}.vnnlib")
        specs[-1].write_text(f"(declare-const Y_0 Real){BOX}(assert (>= Y_0 {limit}))")
    return model, specs[0], specs[1]


def doubled(path: Path) -> bytes:
    """The same network in float64."""
    graph = onnx.load(path).graph
    for tensor in graph.initializer:
        tensor.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name)
        )
    for end in (*graph.input, *graph.output):
        end.type.tensor_type.elem_type = TensorProto.DOUBLE
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


def content(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the arrays."""
    with zipfile.ZipFile(path) as file:
        header = json.loads(file.read("header.json"))
        names = [n for n in file.namelist() if n.endswith(".npy")]
        arrays = {n: np.load(file.open(n), allow_pickle=False) for n in names}
    return header, arrays


def test_a_proof_has_the_boxes_and_a_tree_that_covers_them(
    files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    model, spec, _ = files
    out = tmp_path / "a.proof"
    result = prove(model, spec, out, Config(timeout=60.0))
    assert result.verdict == "verified" and result.statistics["proof"] == str(out)
    header, arrays = content(out)
    assert header["model"]["sha256"] == sha256(model.read_bytes()).hexdigest()
    assert header["specification"]["sha256"] == sha256(spec.read_bytes()).hexdigest()
    lower, upper = arrays["boxes/lower.npy"], arrays["boxes/upper.npy"]
    assert lower.tolist() == [[-1, -1]] * 2 and upper.tolist() == [[1, 1]] * 2  # the box, and the clause's
    splits = np.concatenate([arrays[n] for n in sorted(arrays) if n.startswith("splits/")])
    assert splits.dtype == SPLIT and 2 * len(splits) == result.statistics["domains"]
    leaves = {0: (lower[0], upper[0])}
    for j, one in enumerate(splits):
        low, high = leaves.pop(int(one["node"]))
        k, point = int(one["entry"]), float(one["point"])
        assert one["tensor"] == -1 and low[k] < point < high[k]
        below, above = high.copy(), low.copy()
        below[k] = above[k] = point
        leaves[2 + 2 * j], leaves[3 + 2 * j] = (low, below), (above, high)
    volume = sum(float(np.prod(high - low)) for low, high in leaves.values())
    assert volume == pytest.approx(4.0)


def test_functions_are_named_as_the_file_names_their_tensors(
    files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "a.proof"
    prove(files[0], files[1], out, Config(timeout=60.0))
    header, _ = content(out)
    graph = onnx.load(files[0]).graph
    tanh = {n.output[0]: list(n.input) for n in graph.node if n.op_type == "Tanh"}
    assert {f["out"]: f["args"] for f in header["functions"]} == tanh and len(tanh) == 2


def checked(model: Path, spec: Path, proof: Path, *options: str) -> tuple[int, str]:
    """What the checker says, in a process of its own."""
    words = [sys.executable, "-m", "genbab.check", str(model), str(spec), str(proof), *options]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_checker_accepts_what_was_proved_and_nothing_else(
    files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    model, spec, other = files
    out = tmp_path / "a.proof"
    assert prove(model, spec, out, Config(timeout=60.0)).verdict == "verified"
    code, said = checked(model, spec, out)
    assert code == 0 and said.startswith("accepted")
    code, said = checked(model, other, out)
    assert code == 1 and "another specification" in said


def test_splits_of_neurons_are_proved_with_the_slopes_of_leaves(tmp_path: Path) -> None:
    """Two clauses over 20 inputs, each refuted by a tree of its own."""
    torch.manual_seed(0)
    first, second = torch.nn.Linear(20, 12), torch.nn.Linear(12, 12)
    module = torch.nn.Sequential(first, torch.nn.Sigmoid(), second, torch.nn.ReLU(), torch.nn.Linear(12, 2))
    first.weight.data *= 2.0
    second.weight.data *= 3.0
    model, spec, out = (tmp_path / name for name in ("m.onnx", "s.vnnlib", "a.proof"))
    model.write_bytes(load(module, example=torch.zeros(1, 20)).proto)
    samples = module(torch.rand(20000, 20) * 2 - 1).detach()
    text = [f"(declare-const X_{i} Real)(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in range(20)]
    text += [f"(declare-const Y_{j} Real)" for j in range(2)]
    limits = [float(samples[:, j].max()) + 3.0 * float(samples[:, j].std()) for j in range(2)]
    text.append(f"(assert (or (and (>= Y_0 {limits[0]})) (and (>= Y_1 {limits[1]}))))")
    spec.write_text("\n".join(text))
    result = prove(model, spec, out, Config(timeout=60.0))
    assert result.verdict == "verified" and result.statistics["domains"] > 0
    header, arrays = content(out)
    assert header["about"] and header["tensors"]
    splits = np.concatenate([arrays[n] for n in sorted(arrays) if n.startswith("splits/")])
    assert (splits["tensor"] >= 0).all()
    code, said = checked(model, spec, out, "--extra-splits", "0")
    assert code == 0, said


def test_the_command_writes_a_proof_and_says_where(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "a.proof"
    words = [sys.executable, "-m", "genbab", "verify", str(files[0]), str(files[1])]
    words += ["--proof", str(out), "--timeout", "60"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert f"proof    {out}" in done.stdout
    assert checked(files[0], files[1], out)[0] == 0


def test_functions_of_several_operators_are_named_by_their_ends(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.GELU(), torch.nn.Linear(8, 1))
    proto = load(module, example=torch.zeros(1, 3)).proto
    if "Gelu" in {n.op_type for n in onnx.load_from_string(proto).graph.node}:
        pytest.skip("this version of torch exports one operator")
    model = load(proto)
    ((out, argument),) = model.joins
    graph = onnx.load_from_string(proto).graph
    gemm = [n.output[0] for n in graph.node if n.op_type == "Gemm"]
    assert argument == gemm[0] and {out} <= {n.output[0] for n in graph.node if n.op_type == "Mul"}


def test_without_a_proof_there_is_no_file(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "a.proof"
    result = prove(files[0], files[2], out, Config(timeout=60.0))
    assert result.verdict == "falsified" and "proof" not in result.statistics
    late = prove(files[0], files[1], out, Config(timeout=1e-3))
    assert late.verdict == "timeout" and list(tmp_path.iterdir()) == []


def test_what_cannot_be_proved_is_said(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, spec, _ = files
    out = tmp_path / "a.proof"
    with pytest.raises(UsageError, match="must be given as paths"):
        prove(model, read_vnnlib(spec), out)  # type: ignore[arg-type]
    double = tmp_path.parent / "double.onnx"
    double.write_bytes(doubled(model))
    with pytest.raises(UsageError, match="no rule for arithmetic float64"):
        prove(double, spec, out, Config(arithmetic="float64", elementary="4ulp"))
    with pytest.raises(UsageError, match="cannot write the proof"):
        prove(model, spec, tmp_path / "missing" / "a.proof")
    assert list(tmp_path.iterdir()) == []


def test_proofs_about_float32_are_accepted(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, spec, fails = files
    for table in ("onnxruntime", "4ulp"):
        out = tmp_path / table
        result = prove(model, spec, out, Config(arithmetic="float32", elementary=table, timeout=60.0))
        assert result.verdict == "verified" and result.arithmetic == "float32"
        header, _ = content(out)
        assert (header["arithmetic"], header["elementary"]) == ("float32", table)
        code, said = checked(model, spec, out)
        assert code == 0 and said.startswith(f"accepted in float32 (elementary functions: {table})")
    assert checked(model, fails, out)[0] == 1


def test_neurons_are_split_in_float32_as_tensors_of_the_file(tmp_path: Path) -> None:
    """Every tensor of a proof is one of the file."""
    torch.manual_seed(3)
    first, second, last = torch.nn.Linear(20, 12), torch.nn.Linear(12, 12), torch.nn.Linear(12, 1)
    first.weight.data *= 2.0
    module = torch.nn.Sequential(first, torch.nn.Sigmoid(), second, torch.nn.Tanh(), last)
    (tmp_path / "m.onnx").write_bytes(load(module, example=torch.zeros(1, 20)).proto)
    grid = module(torch.rand(4000, 20) * 2 - 1).detach()
    box = "".join(f"(declare-const X_{i} Real)(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in range(20))
    text = f"(declare-const Y_0 Real){box}(assert (>= Y_0 {float(grid.max()) + 0.1}))"
    (tmp_path / "s.vnnlib").write_text(text)
    model, spec, out = (tmp_path / name for name in ("m.onnx", "s.vnnlib", "proof"))
    config = Config(arithmetic="float32", branching="neuron", timeout=60.0, root_steps=0)
    result = prove(model, spec, out, config)
    assert result.verdict == "verified" and result.statistics["proof"] == str(out)
    header, arrays = content(out)
    names = {name for node in onnx.load(model).graph.node for name in node.output}
    assert set(header["tensors"]) <= names and {f["out"] for f in header["functions"]} <= names
    assert any(len(array) for name, array in arrays.items() if name.startswith("splits/"))
    assert checked(model, spec, out)[0] == 0


def test_rows_and_slopes_are_kept_for_the_checker(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"model")
    file = ProofFile(tmp_path / "a.proof", Subject.of(tmp_path / "m", b"spec"))
    file.begin(np.zeros((1, 2)), np.ones((1, 2)), [0, 0])
    slopes = np.full((4, 3), 0.25, np.float16)
    file.hint(0, "z", np.array([1, 2]), {"s": ([slopes], np.ones((4, 3)))})
    file.hint(0, None, np.eye(2), {})
    assert file.finish()
    header, arrays = content(tmp_path / "a.proof")
    first, last = header["hints"]
    assert first["target"] == "z" and arrays[first["entries"]].tolist() == [1, 2]
    assert arrays[first["slopes"][0]["slopes"][0]].dtype == np.float16
    assert last["target"] is None and (arrays[last["rows"]] == np.eye(2)).all()
