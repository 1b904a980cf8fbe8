"""What docs/glossary.md says, for the rules about words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.house.source import ROOT

PAGE = ROOT / "docs" / "glossary.md"


class Entry(NamedTuple):
    """A line of a table: its section, its first cell, the names of code in its last."""

    section: str
    words: str
    code: tuple[str, ...]


def entries() -> Iterator[Entry]:
    """Every line of every table, heads apart."""
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        for line in re.findall(r"^\| (.+) \|$", section, re.MULTILINE)[1:]:
            cells = line.split(" | ")
            yield Entry(section.partition("\n")[0], cells[0], tuple(re.findall(r"`(\w+)`", cells[-1])))


NOT_USED = "Words that are not used"
TERMS = [entry for entry in entries() if entry.section != NOT_USED]
RETIRED = {word for entry in entries() if entry.section == NOT_USED for word in entry.words.split(", ")}
