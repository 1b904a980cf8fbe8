"""`genbab inspect MODEL SPEC` shows how wide the layers are, and draws them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genbab.cli import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WORDS = [
    "inspect",
    str(EXAMPLES / "onnx/digits_tanh.onnx"),
    str(EXAMPLES / "vnnlib/digits_tanh_holds.vnnlib"),
]


def test_a_line_per_layer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(WORDS) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if " widest " in line]
    assert main([*WORDS, "--json"]) == 0
    root = json.loads(capsys.readouterr().out)["root"]
    assert len(said) == len(root["layers"]) == 3
    lost = sum(layer["gap"] for layer in root["layers"])
    assert lost == pytest.approx(root["gap"]["value"] - root["gap"]["bound"])
    longest = max(range(3), key=lambda k: root["layers"][k]["mean"])
    marks = [line.count("█") + line.count("#") for line in said]
    assert marks[longest] == max(marks) == 24 and min(marks) > 0
    for line, layer in zip(said, root["layers"], strict=True):
        assert layer["name"] in line and f"{100 * layer['gap'] / lost:.0f} %" in line


def test_the_drawing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    assert main([*WORDS, "--plot", str(tmp_path / "a.svg")]) == 0
    assert "/3/Tanh" in (tmp_path / "a.svg").read_text() or (tmp_path / "a.svg").stat().st_size > 5000
    capsys.readouterr()
    for wrong, named in (
        ([*WORDS[:2], "--plot", "a.svg"], "give a SPEC"),
        ([*WORDS, "--plot", "a.gif"], ".svg, .png or .pdf"),
        ([*WORDS, "--plot", str(tmp_path / "no" / "a.svg")], "a.svg"),
    ):
        assert main(wrong) == 2
        said = capsys.readouterr().err
        assert named in said and "Traceback" not in said


def test_too_little_time_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "--timeout", "1e-9"]) == 0
    assert "not bounded in the time given" in capsys.readouterr().out
