"""One VNN-COMP instance: `prepare ONNX VNNLIB`, or `run PARENT ONNX VNNLIB RESULTS TIMEOUT`.

ONNX is a path, or a list literal of (network, path) pairs as VNN-COMP 2026 has it for several networks. Where
a file is not there but with (or without) .gz, that one is taken.
"""

from __future__ import annotations

import ast
import gzip
import os
import re
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

EARLIER = 0.7
"""Seconds by which the limit given to genbab is shorter: its own last word takes up to 0.4."""

HEAD = 1 << 20
"""Bytes of a query in which its networks are looked for; they come first."""

COMMENT = re.compile(r";[^\n]*")
NETWORK = re.compile(r"\(\s*declare-network\s+([^\s()]+)\s*(\(\s*equal-to\b)?")


def networks(text: str) -> list[tuple[str, str]]:
    """The (network, path) pairs of VNN-COMP's ONNX field, with the network "" where it is only a path."""
    if not text.lstrip().startswith("["):
        return [("", text)]
    try:
        found = ast.literal_eval(text)
        pairs = [(str(name), str(path)) for name, path in found]
    except (ValueError, TypeError, SyntaxError):
        return [("", text)]
    return pairs or [("", text)]


def present(path: str) -> str:
    """The path, or the one with .gz added or taken away if only that is a file."""
    other = path[:-3] if path.endswith(".gz") else f"{path}.gz"
    return other if not Path(path).is_file() and Path(other).is_file() else path


def words(onnx: str, vnnlib: str, results: str, timeout: str) -> list[str]:
    """What `genbab` is to be told; raises ValueError for a time limit that is no number."""
    try:
        limit = float(timeout)
    except ValueError:
        raise ValueError(f"the time limit {timeout!r} is not a number of seconds") from None
    pairs, query = networks(onnx), present(vnnlib)
    found = declared(query)
    own = [name for name, shared in found.items() if not shared]
    if not pairs[0][0] and len(own) == 1:
        pairs = [(own[0], pairs[0][1])]
    if pairs[0][0]:
        asked = ["verify", query, "--over-reals"]
        for name, path in pairs:
            asked += [] if found.get(name) else ["--network", f"{name}={present(path)}"]
    else:
        asked = ["verify", present(pairs[0][1]), query]
    limit = max(limit - EARLIER, limit / 2)
    return [*asked, "--result", results, "--timeout", f"{limit:.3f}", "--device", "auto", "--quiet"]


def declared(query: str) -> dict[str, bool]:
    """The networks of a VNN-LIB 2 query, whether they share the model of another; none for 1.0."""
    try:
        with open(query, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(query) if packed else open(query, "rb") as file:
            head = file.read(HEAD).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error):
        return {}  # genbab says what is wrong with it
    return {name: bool(shared) for name, shared in NETWORK.findall(COMMENT.sub("", head))}


def prepare(onnx: str, vnnlib: str) -> None:
    """Read the files and import the engine once, so that both lie in the machine's memory."""
    for path in (*(path for _, path in networks(onnx)), vnnlib):
        try:
            Path(present(path)).read_bytes()
        except OSError as error:
            print(f"instance.py: {error}", file=sys.stderr)
    import genbab.api  # noqa: F401


def main(given: Sequence[str]) -> None:
    """Do what was asked; `run` ends the process."""
    if given[0] == "prepare":
        prepare(*given[1:])
        return
    from genbab.cli import main as genbab
    from genbab.process import end_with

    end_with(int(given[1]))
    sys.argv[1:] = words(*given[2:])
    genbab()


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        main(sys.argv[1:])
    except (ImportError, ValueError) as error:
        sys.exit(f"instance.py: {error}")
