"""VNN-COMP's instances about several networks: `[('f', 'a.onnx'), ('g', 'b.onnx')]` in place of a model."""

from __future__ import annotations

import ast
import gzip
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

HEAD = 1 << 20
"""Bytes of a query in which its networks are looked for; they come first."""

COMMENT = re.compile(r";[^\n]*")
NETWORK = re.compile(r"\(\s*declare-network\s+([^\s()]+)\s*(\(\s*equal-to\b)?")


def networks(text: str) -> list[tuple[str, str]]:
    """The (network, path) pairs of a list literal; none where the text is a path."""
    if not text.lstrip().startswith("["):
        return []
    try:
        return [(str(name), str(path)) for name, path in ast.literal_eval(text.strip())]
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return []


def declared(query: Path) -> dict[str, bool]:
    """The networks of a VNN-LIB 2 query, whether they share the model of another; none for 1.0."""
    try:
        with query.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(query) if packed else query.open("rb") as file:
            head = file.read(HEAD).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error):
        return {}  # `genbab verify` says what is wrong with it
    return {name: bool(shared) for name, shared in NETWORK.findall(COMMENT.sub("", head))}


def plain(path: str | Path) -> str:
    """The path, not to be taken for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def query_words(pairs: Sequence[tuple[str, str | Path]], query: str | Path) -> list[str]:
    """What `genbab verify` is told about a query of these networks, floating-point types read as reals.

    Networks that are declared equal to another need no model; what is given for them is left out.
    """
    shared = declared(Path(query))
    words = [plain(query), "--over-reals"]
    for name, path in pairs:
        words += [] if shared.get(name) else ["--network", f"{name}={path}"]
    return words
