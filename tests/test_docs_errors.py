"""The messages on docs/errors.md are those of the code, word for word."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| `([^`]+)` \| (.+) \|$", re.MULTILINE)
MESSAGES = [found[0] for found in ROW.findall((ROOT / "docs" / "errors.md").read_text())]


@cache
def texts() -> tuple[str, ...]:
    """Every text in the code, with … for what is filled in; adjoining literals are one text."""
    found: dict[str, None] = {}
    for folder in ("genbab", "lut", "specs", "kernels"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
                    found["".join(map(str, parts))] = None
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found[node.value] = None
    return tuple(found)


def known(message: str) -> bool:
    """Whether the parts between the … of a message stand in one text in this order."""
    pattern = re.compile(".*".join(re.escape(part) for part in message.split("…")), re.DOTALL)
    return any(pattern.search(text) for text in texts())


def test_page_has_messages() -> None:
    assert len(MESSAGES) > 40 and len(set(MESSAGES)) == len(MESSAGES)
    assert not known("no message says … like this")


@pytest.mark.parametrize("message", MESSAGES)
def test_message_is_one_of_the_code(message: str) -> None:
    assert known(message), f"no code says: {message}"
