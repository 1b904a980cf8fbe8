"""A question that is verified in an instant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.files import network, specification

LOW, HIGH = [0.0, 0.0], [1.0, 1.0]
UNSAFE = "(assert (<= Y_0 -1000.0))"


@pytest.fixture
def asked(tmp_path: Path) -> tuple[Path, Path]:
    """A model and a property that holds."""
    (tmp_path / "m.onnx").write_bytes(network((2, 4, 1), "Relu", seed=1))
    (tmp_path / "s.vnnlib").write_text(specification(LOW, HIGH, 1, UNSAFE))
    return tmp_path / "m.onnx", tmp_path / "s.vnnlib"
