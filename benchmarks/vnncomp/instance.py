"""One VNN-COMP instance: `prepare ONNX VNNLIB`, or `run PARENT ONNX VNNLIB RESULTS TIMEOUT`.

ONNX is a path, or a list literal of (network, path) pairs as VNN-COMP 2026 has it for several networks. Where
a file is not there but with (or without) .gz, that one is taken.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

EARLIER = 0.7
"""Seconds by which the limit given to genbab is shorter: its own last word takes up to 0.4."""


def present(path: str) -> str:
    """The path, or the one with .gz added or taken away if only that is a file."""
    other = path[:-3] if path.endswith(".gz") else f"{path}.gz"
    return other if not Path(path).is_file() and Path(other).is_file() else path


def words(onnx: str, vnnlib: str, results: str, timeout: str) -> list[str]:
    """What `genbab` is to be told; raises ValueError for a time limit that is no number."""
    from genbab.cli.many.several import declared, networks, plain, query_words

    try:
        limit = float(timeout)
    except ValueError:
        raise ValueError(f"the time limit {timeout!r} is not a number of seconds") from None
    query, pairs = present(vnnlib), networks(onnx)
    own = [name for name, shared in declared(Path(query)).items() if not shared]
    if not pairs and len(own) == 1:
        pairs = [(own[0], onnx)]
    asked = query_words([(name, present(path)) for name, path in pairs], query)
    if not pairs:
        asked = [plain(present(onnx)), plain(query)]
    limit = max(limit - EARLIER, limit / 2)
    last = ["--timeout", f"{limit:.3f}", "--device", "auto", "--quiet"]
    return ["verify", *asked, "--result", plain(results), *last]


def prepare(onnx: str, vnnlib: str) -> None:
    """Read the files and import the engine once, so that both lie in the machine's memory."""
    from genbab.cli.many.several import networks

    for path in (*(path for _, path in networks(onnx) or [("", onnx)]), vnnlib):
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
    from genbab.system.process import end_with

    end_with(int(given[1]))
    sys.argv[1:] = words(*given[2:])
    genbab()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ImportError, ValueError) as error:
        sys.exit(f"instance.py: {error}")
