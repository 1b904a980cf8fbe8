"""Names as people can read them: without the folder that all have in common, nothing in them invisible."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Control characters, marks that turn the direction of writing, and halves of characters."""


def visible(text: str) -> str:
    """The text on one line, with what no one sees spelled as \\x1b or \\u202e."""
    return HIDDEN.sub(lambda found: ascii(found[0])[1:-1], " ".join(re.split("[\t\n\r]+", text)))


def short(names: Iterable[str]) -> dict[str, str]:
    """Each name without the folders that all names begin with; the last part always stays."""
    known = list(dict.fromkeys(names))
    parts = [name.split("/") for name in known]
    common = 0
    while parts and all(len(p) > common + 1 and p[common] == parts[0][common] for p in parts):
        common += 1
    return {name: "/".join(part[common:]) or name for name, part in zip(known, parts, strict=True)}
