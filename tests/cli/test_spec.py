"""`genbab spec`: what is converted, checked, shown and made can be read again, and mistakes have a place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from genbab.cli import main
from genbab.specs import read_vnnlib, robustness, version_of, write_vnnlib


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "a.vnnlib"
    write_vnnlib(robustness([0.1, 0.2, 0.3, 0.4], 1, 3, "8/255", clip=(0, 1)), path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    value = helper.make_tensor("w", TensorProto.FLOAT, [4, 3], np.arange(12.0).tolist())
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(nodes, "g", [x], [y], [value])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_convert_there_and_back(
    spec: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("vnnlib")
    two, one = tmp_path / "two.vnnlib.gz", tmp_path / "one.vnnlib"
    assert main(["spec", "convert", str(spec), str(two), "--model", str(model)]) == 0
    assert "VNN-LIB 2.0, 4 inputs, 3 outputs, 1 box(es), 2 clause(s)" in capsys.readouterr().out
    assert version_of(two) == "2.0"
    assert main(["spec", "convert", str(two), str(one)]) == 0
    assert one.read_text() == spec.read_text()
    assert main(["spec", "convert", str(one), str(one)]) == 2
    assert "another file" in capsys.readouterr().err


def test_check_goes_on_after_a_mistake(
    spec: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.vnnlib"
    wrong.write_text(spec.read_text().replace("(<= Y_1 Y_2)", "(<= Y_1 Y_7)"))
    assert main(["spec", "check", str(wrong), str(spec), "--model", str(model)]) == 2
    lines = capsys.readouterr().out.splitlines()
    line = 1 + next(i for i, text in enumerate(wrong.read_text().splitlines()) if "Y_7" in text)
    assert lines[0].startswith(f"{wrong}:{line}:") and "'Y_7' is not declared" in lines[0]
    assert lines[1] == f"{spec}: readable, 4 inputs, 3 outputs, 1 box(es), 2 clause(s)"
    other = tmp_path / "other.vnnlib"
    write_vnnlib(robustness([0.0], 0, 3, 1), other)
    assert main(["spec", "check", str(other), "--model", str(model)]) == 2
    assert "declares 1 inputs" in capsys.readouterr().out


def test_show_says_what_is_asked(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "show", str(spec)]) == 0
    said = capsys.readouterr().out
    assert "4 of 4 inputs vary" in said and "another output reaches output 1" in said
    assert "Y_1 - Y_2 <= 0" in said and "widest    X_" in said and "width 0.0627451" in said


def test_specs_from_tables_and_arrays(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, labels = np.arange(8).reshape(2, 4), [2, 0]
    table = tmp_path / "d.csv"
    table.write_text(
        "label,a,b,c,d\n" + "".join(f"{y},{','.join(map(str, r))}\n" for y, r in zip(labels, x, strict=True))
    )
    np.save(tmp_path / "x.npy", x.astype(np.uint8).reshape(2, 1, 2, 2))
    (tmp_path / "y.txt").write_text("2\n0\n")
    flags = ["--epsilon", "8/255", "--scale", "1/255", "--clip", "0,1", "--model", str(model)]
    first = ["spec", "from-csv", str(table), "--out", str(tmp_path / "a"), "--timeout", "60", *flags]
    second = ["spec", "from-csv", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "y.txt"), *flags]
    assert main(first) == 0 and main([*second, "--out", str(tmp_path / "b")]) == 0
    capsys.readouterr()
    for i, (row, label) in enumerate(zip(x, labels, strict=True)):
        expected = robustness((row / 255).astype(np.float32), label, 3, "8/255", clip=(0, 1))
        for folder in "ab":
            found = read_vnnlib(tmp_path / folder / f"robust_{i}.vnnlib", 4, 3)
            assert np.array_equal(found.lower, expected.lower) and np.array_equal(found.upper, expected.upper)
            pairs = zip(found.clauses, expected.clauses, strict=True)
            assert all(np.array_equal(a.outputs, b.outputs) for a, b in pairs)
    rows = (tmp_path / "a" / "instances.csv").read_text().split()
    assert rows == [f"{model.resolve()},robust_{i}.vnnlib,60" for i in range(2)]


def test_specs_from_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3), np.uint8)
    folder = tmp_path / "images"
    folder.mkdir()
    for k, one in enumerate(pixels):
        image.fromarray(one).save(folder / f"{k}.png")
    (tmp_path / "y.csv").write_text("0\n1\n")
    words = ["spec", "from-csv", str(folder), "--labels", str(tmp_path / "y.csv"), "--classes", "2"]
    assert main([*words, "--epsilon", "1", "--norm", "inf", "--out", str(tmp_path / "o")]) == 0
    found = read_vnnlib(tmp_path / "o" / "robust_1.vnnlib")
    assert np.array_equal(found.lower[0] + 1, pixels[1].transpose(2, 0, 1).reshape(-1))
    assert main([*words, "--epsilon", "1", "--norm", "2", "--out", str(tmp_path / "p")]) == 2
    assert "cannot say balls" in capsys.readouterr().err and not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--epsilon", "x", "--classes", "3"], "'x' is not a finite decimal number"),
        (["--epsilon", "1", "--classes", "3", "--count", "0"], "whole number from 1"),
        (["--epsilon", "1"], "how many classes"),
        (["--epsilon", "1", "--classes", "2"], "the label of sample 0 is 2, of 2 classes"),
        (["--epsilon", "1", "--classes", "3", "--clip", "1"], "expected LOW,HIGH"),
        (["--epsilon", "1", "--classes", "3", "--timeout", "5"], "--timeout needs --model"),
        (["--epsilon", "1", "--classes", "3", "--clip", "9,10"], "sample 0: input 0 is 1.0: its ball"),
    ],
)
def test_mistakes_write_nothing(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.csv").write_text("2,1,1\n")
    out = tmp_path / "out"
    assert main(["spec", "from-csv", str(tmp_path / "d.csv"), "--out", str(out), *words]) == 2
    assert told in capsys.readouterr().err and not out.exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "has no numbers"), ("1,2\n1,2,3\n", "d.csv:2: 3 numbers"), ("1,2\n1,a\n", "d.csv:2: ")],
)
def test_damaged_tables(text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "d.csv").write_text(text)
    words = ["--epsilon", "1", "--classes", "3", "--out", str(tmp_path / "o")]
    assert main(["spec", "from-csv", str(tmp_path / "d.csv"), *words]) == 2
    assert told in capsys.readouterr().err
