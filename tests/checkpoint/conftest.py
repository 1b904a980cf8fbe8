"""A small question in files, and runs that are written after every round."""

from __future__ import annotations

from pathlib import Path

import pytest

from genbab.checkpoint import Checkpoint
from genbab.driver.saved import saver
from tests.checkpoint.questions import Files, small
from tests.soundness.graphs import to_onnx


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """The question, which takes some rounds and is `verified`."""
    found = Files(tmp_path / "model.onnx", tmp_path / "spec.vnnlib", tmp_path / "run.checkpoint")
    found.model.write_bytes(to_onnx(small()))
    found.ask(0.1)
    return found


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is kept is written after every round."""
    monkeypatch.setattr(saver, "REST", 0)
    monkeypatch.setattr(Checkpoint, "every", property(lambda _: 0.0, lambda _, seconds: None))
