"""The examples of docs/specs.md run, and its list of commands is the real one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from genbab.cli.options.parser import parse
from genbab.specs import Spec

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "specs.md").read_text()


def test_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        exec(block, names)
    found = {name: value for name, value in names.items() if isinstance(value, Spec)}
    assert set(found) == {"robust", "bounded", "coupled", "alarm", "monotone_in_3", "steady", "small"}
    assert not any(spec.vacuous for spec in found.values())
    assert found["steady"].input_size == 2 and found["monotone_in_3"].input_size == 5
    assert found["alarm"].violation([0, 0, 0, 0], [0.5, 0.5, 0]) is not None
    assert found["coupled"].violation([1, 0, 0, 0], [1, 0.5, 0]) == 0
    assert found["coupled"].violation([0, 0, 0, 0], [1, 0.5, 0]) is None
    assert "(declare-input X real [1, 2, 2])" in capsys.readouterr().out


def test_commands_exist() -> None:
    lines = re.findall(r"^    genbab (spec .*?)(?:   .*)?$", TEXT, re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        words = re.sub(r"[\[\]]|\.\.\.", "", line).split()
        assert parse(words).action == words[1]
