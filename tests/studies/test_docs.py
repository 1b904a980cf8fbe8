"""The Python of the pages about studies runs as it is printed, block after block."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import genbab

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHORT = 15  # lines of the first script of studies.md, at most


def blocks(page: str) -> list[str]:
    return BLOCK.findall((ROOT / "docs" / page).read_text())


@pytest.mark.parametrize("page", ["studies.md", "migration.md", "reports.md"])
def test_snippets_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in blocks(page):
        exec(compile(code, page, "exec"), names)
    if page == "studies.md":
        found = names["result"]
        assert isinstance(found, genbab.CertifiedAccuracy)
        assert len(found.samples) == 20 and not found.unknown.any() and found.certified_accuracy > 0.8
        assert os.path.exists("digits.study.db")


def test_the_first_script_is_short() -> None:
    assert len([line for line in blocks("studies.md")[0].splitlines() if line.strip()]) <= SHORT
