"""No code is unused; what only tests use is. Names that others call stand in pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.house.source import ROOT

vulture = pytest.importorskip("vulture", reason="make test installs it")

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["vulture"]


def unused(paths: list[str]) -> dict[str, str]:
    """What nothing in these folders uses, by place: what it is."""
    names = {key: SETTINGS[f"ignore_{key}"] for key in ("names", "decorators")}
    search = vulture.Vulture(ignore_names=names["names"], ignore_decorators=names["decorators"])
    search.scavenge(paths, exclude=[f"*{part}*" for part in SETTINGS["exclude"]])
    found = search.get_unused_code(min_confidence=60)
    return {f"{Path(item.filename).relative_to(ROOT).as_posix()}:{item.name}": item.typ for item in found}


def test_nothing_is_unused() -> None:
    assert not unused([str(ROOT / path) for path in SETTINGS["paths"]])


def test_an_unused_function_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "seeded.py").write_text("def f(): ...\ndef g(): ...\nf()\n")
    assert unused([str(tmp_path)]) == {"seeded.py:g": "function"}
