"""Results reach stdout and files exactly once, and files appear whole or not at all."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genbab.cli.verify.assignment import Assignment, made_folder
from genbab.cli.verify.kept import KeepWords
from genbab.errors import UsageError
from genbab.proof import CheckerVerdict
from genbab.result import Counterexample, Result, Verdict, plain
from genbab.system.files import replaceable, write_atomically

VNNCOMP = {
    Verdict.VERIFIED: "unsat",
    Verdict.FALSIFIED: "sat",
    Verdict.UNKNOWN: "unknown",
    Verdict.TIMEOUT: "timeout",
}
STANDARD = {**VNNCOMP, Verdict.TIMEOUT: "timed-out"}
"""The words of the VNN-LIB standard's solver interface."""

FEW = 8  # inputs and outputs up to this many are shown on the terminal


def write_json(facts: dict[str, Any], place: str) -> None:
    """The facts as strict JSON, to a file or ("-") to stdout."""
    text = json.dumps(plain(facts), indent=2, allow_nan=False) + "\n"
    if place == "-":
        sys.stdout.write(text)
    else:
        write_atomically(Path(place), text)


def apart(written: Sequence[str | Path], read: Sequence[str | Path]) -> None:
    """Raise `UsageError` where a file would be written twice, or over one that is read."""
    places = [Path(p).resolve() for p in written if replaceable(Path(p))]
    known = {Path(p).resolve() for p in read}
    if wrong := [str(p) for k, p in enumerate(places) if p in known or p in places[:k]]:
        raise UsageError(
            f"cannot write {', '.join(wrong)}: the files to write must differ from each other and from those "
            "that are read"
        )


@dataclass(frozen=True)
class Outputs:
    """Where the result of one run goes, besides stdout.

    standard: stdout is as the VNN-LIB standard says, the lines for people go to stderr; serialise: the folder
    for the assignment of a VNN-LIB 2 query, which is then not printed; keep: where the run itself is kept.
    """

    json: Path | None = None
    counterexample: Path | None = None
    result: Path | None = None
    quiet: bool = False
    trace: Path | None = None
    standard: bool = False
    serialise: Path | None = None
    proof: Path | None = None
    keep: KeepWords | None = None

    def prepare(self, inputs: Sequence[Path]) -> None:
        """Refuse places that cannot be written to; remove what an earlier run left (it would mislead).

        Raises `UsageError` that names them all.
        """
        every = (self.json, self.counterexample, self.result, self.trace, self.proof)
        chosen = [p for p in every if p is not None]
        kept = [] if self.keep is None else [self.keep.path]
        apart([*chosen, *kept], inputs)
        wrong = [str(p) for p in (*chosen, *kept) if not _writable(p)]
        if wrong:
            raise UsageError(f"cannot write {', '.join(wrong)}: no such folder, or not writable")
        for p in chosen:
            if p.is_file() and replaceable(p):
                p.unlink()
        if self.serialise is not None:
            made_folder(self.serialise)


def outputs_of(options: argparse.Namespace, keep: KeepWords | None) -> Outputs:
    """Where the result of a run goes that may be kept."""
    files = place(options.json), place(options.counterexample), place(options.result)
    return Outputs(*files, options.quiet, place(options.trace), keep=keep)


def place(text: str | None) -> Path | None:
    """The place to write to, if one is given; raises `UsageError` for what elsewhere means stdout."""
    if text == "-":
        raise UsageError("'-' is no file, and stdout has the verdict: name a file, or /dev/stdout")
    return None if text is None else Path(text)


def _writable(path: Path) -> bool:
    """Whether a file of this name can be made, or what is there be written to."""
    if not replaceable(path):
        return not path.is_dir() and os.access(path, os.W_OK)
    return os.access(path.parent, os.W_OK | os.X_OK)


class Emitter:
    """Writes one result, once: the first caller wins, whichever thread it is in."""

    def __init__(self, outputs: Outputs) -> None:
        self.outputs = outputs
        self.assignment: Assignment | None = None  # for queries that name their tensors
        self.speaker: int | None = None  # the thread that won
        self._token = [True]

    @property
    def begun(self) -> bool:
        """Whether somebody has claimed the right to speak."""
        return not self._token

    def begin(self) -> bool:
        """Claim the right to speak; False when somebody has it. No lock: a signal may come at any point."""
        try:
            self._token.pop()
        except IndexError:
            return False
        self.speaker = threading.get_ident()
        return True

    def emit(self, result: Result) -> bool:
        """Write files first, stdout last; False when a result was already written (or is being written)."""
        if not self.begin():
            return False
        files, witness = self.outputs, self._witness(result)
        if files.serialise and result.counterexample and self.assignment:
            self.assignment.write(result.counterexample, files.serialise)
        if files.counterexample and result.counterexample:
            write_atomically(files.counterexample, witness)
        if files.json:
            write_atomically(files.json, result.to_json() + "\n")
        if files.result:
            write_atomically(files.result, f"{VNNCOMP[result.verdict]}\n{witness}")
        about = [] if files.quiet else summary(result, files)
        if files.standard:
            _tell(about)
            text = f"{STANDARD[result.verdict]}\n" + ("" if files.serialise else witness)
        else:
            text = "\n".join([result.verdict.value, *about]) + "\n"
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader has seen enough; what Python still flushes goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True

    def _witness(self, result: Result) -> str:
        """The counterexample as text: an assignment of a VNN-LIB 2 query, else VNN-COMP's 1.0 witness."""
        if result.counterexample is None:
            return ""
        return (self.assignment.text if self.assignment else Counterexample.to_witness)(result.counterexample)


def _tell(lines: Sequence[str]) -> None:
    """Write lines to stderr, if anybody listens."""
    try:
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()
    except OSError:
        pass


def summary(result: Result, files: Outputs) -> list[str]:
    """The lines below the verdict, for people."""
    lines = []
    if result.bound is not None:
        lines.append(f"  bound    {result.bound:.6g}  (worst certified margin; above 0 is proved)")
    lines.append(f"  time     {result.seconds:.2f} s")
    if domains := result.statistics.get("domains"):
        lines.append(f"  domains  {domains}")
    if result.reason:
        lines.append(f"  reason   {result.reason}")
    lines += _told_of(result.statistics.get("checkpoint"))
    if result.runtime:
        lines.append(f"  note     {result.runtime}")
    if proof := result.statistics.get("proof"):
        check = CheckerVerdict.of(result.statistics)
        lines.append(f"  proof    {proof}" + ("" if check is None else f": {check}"))
    found = result.counterexample
    if found is not None:
        if found.x.size <= FEW and found.y.size <= FEW:
            lines.append("  input    " + " ".join(f"{v:.9g}" for v in found.x.tolist()))
            lines.append("  output   " + " ".join(f"{v:.9g}" for v in found.y.tolist()))
        if files.counterexample:
            lines.append(f"  counterexample in {files.counterexample}")
        elif found.x.size > FEW:
            lines.append("  to keep the counterexample, add --counterexample FILE")
    return lines


def _told_of(kept: str | None) -> list[str]:
    """The line about a checkpoint: its name, or why there is none."""
    if kept is None:
        return []
    return [f"  kept     {kept}" + ("" if kept.startswith("none: ") else f": genbab resume {kept} goes on")]
