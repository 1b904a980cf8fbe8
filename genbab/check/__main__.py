"""`python -m genbab.check MODEL SPEC PROOF`, the same as `genbab-check`.

Prints `accepted` and exits with 0, or `rejected` with the first reason and 1. A file that cannot be used, or
a time that is up, is a message on stderr and 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from genbab.check.failures import Rejected, Unusable
from genbab.check.question import Limits, load
from genbab.check.tree import Check


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code, after the verdict is printed."""
    words = _parser().parse_args(argv)
    limits = Limits(words.extra_splits, words.limit_seconds, words.memory << 20)
    try:
        case = load(words.model, words.specification, words.proof, limits)
        counts = Check(case).run()
    except Rejected as reason:
        sys.stdout.write(f"rejected: {_line(reason)}\n")
        return 1
    except (Unusable, MemoryError, RecursionError) as reason:
        sys.stderr.write(f"genbab-check: {_line(reason) or type(reason).__name__}\n")
        return 2
    except Exception as error:  # a file that no rule above expects: never an acceptance
        sys.stderr.write(f"genbab-check: cannot be checked: {type(error).__name__}: {_line(error)}\n")
        return 2
    sys.stdout.write(
        f"accepted: {counts.boxes} boxes, {counts.nodes} nodes, {counts.leaves} leaves,"
        f" {counts.extra} further splits, {case.clock.passed():.2f} s\n"
    )
    return 0


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:1000]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="genbab-check", description="Decides whether a proof holds.")
    parser.add_argument("model", type=Path, help="the model, ONNX (.gz too)")
    parser.add_argument("specification", type=Path, help="the specification, VNN-LIB 1 (.gz too)")
    parser.add_argument("proof", type=Path, help="the proof")
    parser.add_argument("--extra-splits", type=int, default=12, help="splits of a leaf by the check (12)")
    parser.add_argument("--limit-seconds", type=float, default=3600.0, help="give up after so long (3600)")
    parser.add_argument("--memory", type=int, default=1024, help="MiB of one file that is read (1024)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
