"""The script for newcomers is short and does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "study.py"
LINES = 15


def test_from_nothing_to_a_table_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("jinja2")
    text = SCRIPT.read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= LINES
    assert text.count("1400:1450") == 2
    monkeypatch.chdir(tmp_path)
    few = text.replace("1400:1450", "1400:1404")
    exec(compile(few, str(SCRIPT), "exec"), {"__file__": str(SCRIPT), "__name__": "__main__"})
    said = capsys.readouterr().out
    assert "certified" in said and "digits.html" in said
    page = Path("digits.html").read_text(encoding="utf-8")
    assert "Certified accuracy" in page and page.count('class="page"') == 4
