"""A small question in files, and runs that are written after every round."""

from __future__ import annotations

from pathlib import Path

import pytest

from genbab.checkpoint import Checkpoint
from genbab.driver.saved import saver
from tests.checkpoint.questions import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """The question, which takes some rounds and is `verified`."""
    return Files.asking(tmp_path, 0.1)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is kept is written after every round."""
    monkeypatch.setattr(saver, "REST", 0)
    monkeypatch.setattr(Checkpoint, "every", property(lambda _: 0.0, lambda _, seconds: None))
