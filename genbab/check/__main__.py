"""`python -m genbab.check MODEL SPEC PROOF`, the same as `genbab-check`.

Prints `accepted` and exits with 0, or `rejected` with the first reason and 1. A file that cannot be used, or
a check that does not end, is a message on stderr and 2. With `--json` all of this is an object on stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genbab.check import VERSION
from genbab.check.failures import Rejected, Unfinished, Unusable

EVERY = 5.0  # seconds between two lines about the progress
CODES = {"accepted": 0, "rejected": 1, "refused": 2, "unfinished": 2, "interrupted": 130}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code, after the verdict is printed."""
    words = _parser().parse_args(argv)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS") if argv is None else ():
        os.environ.setdefault(name, "1")  # numpy, not yet loaded: threads lose more than they gain here
    start, found = time.monotonic(), dict[str, Any]()
    try:
        outcome, reason = "accepted", _checked(words, found)
    except Rejected as error:
        outcome, reason = "rejected", _line(error)
    except Unusable as error:
        outcome, reason = "refused", _line(error)
    except KeyboardInterrupt:
        outcome, reason = "interrupted", "interrupted: neither accepted nor rejected"
    except (Unfinished, MemoryError, RecursionError) as error:
        outcome, reason = "unfinished", _line(error) or type(error).__name__
    except Exception as error:  # a file that no rule above expects: never an acceptance
        outcome, reason = "unfinished", f"cannot be checked: {type(error).__name__}: {_line(error)}"
    if words.json:
        found |= {"seconds": time.monotonic() - start, "outcome": outcome, "reason": reason}
        sys.stdout.write(json.dumps({"checker": VERSION, **found}) + "\n")
    elif CODES[outcome] < 2:
        where = (
            f" in {found['arithmetic']}" if outcome == "accepted" and found["arithmetic"] != "real" else ""
        )
        sys.stdout.write(f"{outcome}{where}: {reason}\n")
    else:
        sys.stderr.write(f"genbab-check: {reason}\n")
    return CODES[outcome]


def _checked(words: argparse.Namespace, found: dict[str, Any]) -> str:
    """What an accepted proof has, in words; the numbers go to `found`."""
    from genbab.check.model.written import ReadParts
    from genbab.check.question import Limits, load
    from genbab.check.several.processes import visited

    limits = Limits(words.extra_splits, words.limit_seconds, words.memory << 20)
    reading = ReadParts.of(words.output, words.shape)
    case = load(words.model, words.specification, words.proof, limits, reading)
    table = case.proof.elementary
    found["arithmetic"] = "real" if table is None else f"float32 (elementary functions: {table})"
    talks, last = words.progress or sys.stderr.isatty(), 0.0

    def told(counts: object, waiting: int) -> None:
        nonlocal last
        found.update(vars(counts))
        if talks and case.clock.passed() > last + EVERY:
            last = case.clock.passed()
            sys.stderr.write(f"genbab-check: {found['nodes']:,} nodes, {waiting:,} open, {last:.0f} s\n")

    found |= vars(visited(case, words.processes, told)) | {"seconds": case.clock.passed()}
    form = "{boxes} boxes, {nodes} nodes, {leaves} leaves, {extra} further splits, {seconds:.2f} s"
    return form.format(**found)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:1000]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="genbab-check", description="Decides whether a proof holds.")
    parser.add_argument("model", type=Path, help="the model, ONNX (.gz too)")
    parser.add_argument("specification", type=Path, help="the specification, VNN-LIB 1 (.gz too)")
    parser.add_argument("proof", type=Path, help="the proof")
    about = "the model has this output only, and others that are named so (all)"
    parser.add_argument("--output", metavar="NAME", action="append", default=[], help=about)
    about = "the shape of an input, whose open axes are else 1"
    parser.add_argument("--shape", metavar="NAME=1,16,4", action="append", default=[], help=about)
    parser.add_argument("--extra-splits", type=int, default=12, help="splits of a leaf by the check (12)")
    parser.add_argument("--limit-seconds", type=float, default=3600.0, help="give up after so long (3600)")
    parser.add_argument("--memory", type=int, default=1024, help="MiB of one file that is read (1024)")
    parser.add_argument("--processes", type=int, default=1, help="for what takes more than a second (1)")
    parser.add_argument("--progress", action="store_true", help="say how far it is, as on a terminal")
    parser.add_argument("--json", action="store_true", help="print an object, whatever comes out")
    parser.add_argument("--version", action="version", version=f"genbab-check {VERSION}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
