"""Files that are no ONNX models are named for what they are; programs of torch become ONNX files."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

import genbab
from genbab.errors import ModelError, UsageError
from genbab.network import evaluate

pytest.importorskip("onnxscript")


def module() -> nn.Sequential:
    """A small network in evaluation mode."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh()).eval()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A file with an exported program."""
    path = tmp_path / "m.pt2"
    torch.export.save(torch.export.export(module(), (torch.ones(1, 2),)), path)
    return path


def said(path: Path) -> str:
    """What is wrong with the file as a model."""
    with pytest.raises(ModelError) as caught:
        genbab.load(path)
    return str(caught.value)


def test_each_kind_is_named(tmp_path: Path, program: Path) -> None:
    assert "a program that torch exported" in said(program)
    path = tmp_path / "m"
    torch.save(module().state_dict(), path)
    assert "torch.save writes them" in said(path)
    torch.save(module().state_dict(), path, _use_new_zipfile_serialization=False)
    assert "a pickle" in said(path)
    torch.jit.trace(module(), torch.ones(1, 2)).save(path)  # type: ignore[no-untyped-call]
    assert "a module of TorchScript" in said(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", "")
    assert "a model of Keras" in said(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "")
    assert "a zip archive; give" in said(path)
    path.write_bytes(path.read_bytes()[:-9])
    assert "a zip archive, damaged" in said(path)
    path.write_bytes(b'\x08\0\0\0\0\0\0\0{"a":{}}')
    assert "weights only" in said(path)
    path.write_bytes(gzip.compress(b"\x89HDF\r\n\x1a\n"))
    assert "an HDF5 file" in said(path)


def test_a_scripted_module_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.ts"
    torch.jit.trace(module(), torch.ones(1, 2)).save(path)  # type: ignore[no-untyped-call]
    scripted = torch.jit.load(path)  # type: ignore[no-untyped-call]
    model = genbab.load(scripted, example=torch.ones(1, 2))
    x = torch.tensor([0.3, -0.7])
    assert torch.allclose(evaluate(model.network, x.double()).float(), module()(x), atol=1e-6)


def converted(*words: Path | str) -> subprocess.CompletedProcess[str]:
    """What the command says."""
    command = [sys.executable, "-m", "genbab", "convert", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_program_becomes_a_file_that_says_the_same(tmp_path: Path, program: Path) -> None:
    out = tmp_path / "m.onnx"
    done = converted(program, out)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(program) in done.stdout
    x = torch.tensor([[0.3, -0.7]])
    found = evaluate(genbab.load(out).network, x.double())
    assert torch.allclose(found.float(), module()(x), atol=1e-6)


def test_what_cannot_be_converted(tmp_path: Path, program: Path) -> None:
    other = tmp_path / "weights.pt2"
    torch.save(module().state_dict(), other)
    done = converted(other, tmp_path / "m.onnx")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no program that this version of torch exported" in done.stderr
    assert "ends in .onnx" in converted(program, tmp_path / "m.txt").stderr
    assert not (tmp_path / "m.onnx").exists()


def test_a_loaded_model_is_saved_with_all_that_was_put_in_front(tmp_path: Path) -> None:
    model = genbab.load(
        module(), torch.ones(1, 2), preprocessing={"mean": [0.5, 0.1], "std": [2.0, 0.5], "axis": 1}
    )
    genbab.save(model, tmp_path / "m.onnx")
    again = genbab.load(tmp_path / "m.onnx")
    x = torch.tensor([0.3, -0.7], dtype=torch.float64)
    assert torch.equal(evaluate(again.network, x), evaluate(model.network, x))
    assert (again.input_names, again.output_names) == (model.input_names, model.output_names)


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    model = genbab.load(module(), torch.ones(1, 2))
    with pytest.raises(UsageError, match="expected a loaded model"):
        genbab.save(module(), tmp_path / "m.onnx")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="cannot write"):
        genbab.save(model, tmp_path / "nowhere" / "m.onnx")
