"""`genbab lut`: tables of branching points are made where asked for and shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Command


@pytest.fixture
def genbab(inside: Command) -> Command:
    return inside


def test_a_table_is_built_and_shown(genbab: Command, tmp_path: Path) -> None:
    said = genbab("lut", "build", "sqrt", "relu", "--out", str(tmp_path))
    assert said.code == 0, said.err
    assert [file.name for file in tmp_path.iterdir()] == ["sqrt.npz"]
    assert "relu" in said.out and "1 tables" in said.out
    said = genbab("lut", "show", "sigmoid")
    assert said.code == 0, said.err
    assert "least area below" in said.out and "least area above" in said.out
    assert "no table" in genbab("lut", "show", "relu").out


def test_a_table_is_drawn(genbab: Command, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("gelu", "sin"):
        said = genbab("lut", "show", name, "--plot", str(tmp_path / f"{name}.png"))
        assert said.code == 0, said.err
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("words", [["lut"], ["lut", "build", "nope"], ["lut", "show", "nope"]])
def test_what_makes_no_sense_is_refused(genbab: Command, words: list[str]) -> None:
    said = genbab(*words)
    assert said.code == 2 and said.err.startswith("genbab: error:")
