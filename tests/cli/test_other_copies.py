"""What a folder holds that a command is run in is never taken for this package."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from .conftest import BOX, run
from .networks import save


@pytest.mark.parametrize("workers", ["1", "2"])
def test_each_instance_is_asked_of_this_package(tmp_path: Path, workers: str) -> None:
    """Another copy of it there would answer whatever it likes."""
    other = tmp_path / "genbab"
    other.mkdir()
    (other / "__init__.py").write_text("raise SystemExit('another copy')")
    model = save(tmp_path / "m.onnx", 3)
    spec = tmp_path / "s.vnnlib"
    more = "(declare-const X_1 Real)(assert (>= X_1 0))(assert (<= X_1 1))"
    spec.write_text(BOX.replace("(assert (<= Y_0 0))", "(assert (<= Y_0 -99))") + more)
    with open(tmp_path / "list.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow([model.name, spec.name, 30])
    said = run([sys.executable, "-P", "-m", "genbab", "run", "list.csv", "--workers", workers], tmp_path)
    assert "another copy" not in said.out + said.err
    assert "error" not in said.out and "verified" in said.out
