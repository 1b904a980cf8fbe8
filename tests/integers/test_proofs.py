"""Proofs of properties of integers: what the checker accepts, and what it refuses by name."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import genbab
from genbab.check.__main__ import main
from genbab.specs import Input, Network, always, box, write_vnnlib
from tests.integers.graphs import IntegerModel

CONFIG = genbab.Config(timeout=20)


def hat(kind: str) -> onnx.ModelProto:
    """1/2 - |x - 1/2| of a number of this type: at most 0 at integers, 1/2 between 0 and 1."""
    m = IntegerModel(np.random.default_rng(0))
    f = m.node("Cast", ["x"], to=1) if kind != "float" else "x"
    half = m.constant(np.array([0.5], np.float32))
    return m.proto({"x": (kind, 1)}, m.node("Sub", [half, m.node("Abs", [m.node("Sub", [f, half])])]), 1)


def written(
    folder: Path, proto: onnx.ModelProto, most: float, ends: tuple[float, float]
) -> tuple[Path, Path]:
    """The files of a model and of the property that its output is at most so much on a box."""
    x = Input(1)
    (folder / "m.onnx").write_bytes(proto.SerializeToString())
    write_vnnlib(always(Network(1)(x)[0] <= most, on=box(x, *ends)), folder / "s.vnnlib")
    return folder / "m.onnx", folder / "s.vnnlib"


def checked(statistics: Any) -> tuple[str, str]:
    """What the checker said, and why."""
    found = statistics["proof_check"]
    return found["outcome"], found["reason"]


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int64"])
def test_what_holds_at_integers_only_is_accepted(tmp_path: Path, kind: str) -> None:
    files = written(tmp_path, hat(kind), 0.25, (-0.5, 40.5))
    result = genbab.prove(*files, tmp_path / "p", CONFIG)
    assert result.verdict == "verified" and checked(result.statistics)[0] == "accepted"


def test_the_same_proof_about_real_numbers_is_rejected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checker goes by the types in the model's file, not by what a proof splits."""
    model, spec = written(tmp_path, hat("int8"), 0.25, (-0.5, 40.5))
    assert genbab.prove(model, spec, tmp_path / "p", CONFIG, check=0).verdict == "verified"
    assert main([str(model), str(spec), str(tmp_path / "p")]) == 0
    model.write_bytes(hat("float").SerializeToString())
    with zipfile.ZipFile(tmp_path / "p") as old, zipfile.ZipFile(tmp_path / "q", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "header.json":
                header = json.loads(data)
                header["model"]["sha256"] = hashlib.sha256(model.read_bytes()).hexdigest()
                data = json.dumps(header).encode()
            new.writestr(name, data)
    capsys.readouterr()
    assert main([str(model), str(spec), str(tmp_path / "q")]) == 1
    assert capsys.readouterr().out.startswith("rejected")


def about(folder: Path, specification: bytes) -> None:
    """Write the proof p as if it were about this specification, as q."""
    with zipfile.ZipFile(folder / "p") as old, zipfile.ZipFile(folder / "q", "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "header.json":
                header = json.loads(part)
                header["specification"]["sha256"] = hashlib.sha256(specification).hexdigest()
                part = json.dumps(header).encode()
            new.writestr(name, part)


def test_false_statements_are_not_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The proof of a box, about a box with one integer more, at which the statement is false."""
    model, spec = written(tmp_path, hat("int8"), -0.5, (1.5, 9.0))
    assert genbab.prove(model, spec, tmp_path / "p", CONFIG, check=0).verdict == "verified"
    write_vnnlib(always(Network(1)(x := Input(1))[0] <= -0.5, on=box(x, 0.0, 9.0)), spec)
    about(tmp_path, spec.read_bytes())
    assert main([str(model), str(spec), str(tmp_path / "q")]) == 1
    assert "rejected" in capsys.readouterr().out


@pytest.mark.parametrize(
    "ends", ["(> X_0 1) (< X_0 5)", "(>= (* 3 X_0) 4) (<= X_0 4.9999999999999999999999)"]
)
def test_bounds_exclude_the_integers_that_they_exclude(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ends: str
) -> None:
    """The statement holds at 2, 3 and 4; at 1 it is false, and the proof of one is none of the other."""
    model, spec = tmp_path / "m.onnx", tmp_path / "s.vnnlib"
    model.write_bytes(hat("int8").SerializeToString())
    text = "(declare-const X_0 Real) (declare-const Y_0 Real) (assert (and {} (>= Y_0 -0.75)))"
    spec.write_text(text.format(ends))
    result = genbab.prove(model, spec, tmp_path / "p", CONFIG)
    assert result.verdict == "verified" and checked(result.statistics)[0] == "accepted"
    spec.write_text(text.format("(>= X_0 1) (< X_0 5)"))
    about(tmp_path, spec.read_bytes())
    assert main([str(model), str(spec), str(tmp_path / "q")]) == 1
    assert "rejected" in capsys.readouterr().out


def test_arithmetic_on_integers_has_no_rule(tmp_path: Path) -> None:
    m = IntegerModel(np.random.default_rng(0))
    y = m.node("Cast", [m.node("Neg", ["x"])], to=1)
    files = written(tmp_path, m.proto({"x": ("int8", 1)}, y, 1), 5.5, (-5.0, 5.0))
    result = genbab.prove(*files, tmp_path / "p", CONFIG)
    assert result.verdict == "verified"
    assert checked(result.statistics) == ("refused", "no rule for Neg at '': it reads integers 'x'")


def test_integers_that_casts_may_round_have_no_rule(tmp_path: Path) -> None:
    files = written(tmp_path, hat("int64"), 1e9, (0.0, 2.0**25))
    result = genbab.prove(*files, tmp_path / "p", CONFIG)
    assert result.verdict == "verified"
    outcome, reason = checked(result.statistics)
    assert outcome == "refused" and "beyond 2^24" in reason
