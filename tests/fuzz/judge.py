"""Runs a hostile case in this process and judges how it ended.

Law: the command ends on time with a message and one of the documented exit codes. A verdict is given only
where onnxruntime loads the model, and it is one that samples of the model do not contradict.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import genbab.cli.many.order as run_order
import genbab.cli.verify.verify as verify_command
from genbab import cli
from genbab.cli.many.child import ChildOutcome as Ended
from genbab.specs import read_vnnlib
from tests.fuzz.front import Case
from tests.fuzz.runtime import outputs, session_of

SLOW = 10.0  # seconds of the processor that no case may take
MEMORY = 3 << 30  # bytes by which no case may raise what the process has used
CODES = (0, 2, 3)
VERDICTS = ("verified", "falsified", "unknown", "timeout")


@dataclass(frozen=True)
class Outcome:
    """What came of a case: exit code, verdict, seconds, and what is wrong with it (empty: nothing)."""

    code: int | None
    said: str
    seconds: float
    wrong: str
    detail: str = ""


@dataclass
class Said:
    """What a command wrote."""

    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)


def run(case: Case, folder: Path) -> Outcome:
    """Run a case in this process and judge it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said, code, escaped = Said(), None, ""
    began = time.process_time()
    with _in_process(), contextlib.redirect_stdout(said.out), contextlib.redirect_stderr(said.err):
        try:
            code = cli.main(case.words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except BaseException:  # noqa: BLE001 - anything that escapes is what is looked for
            escaped = traceback.format_exc()
    seconds = time.process_time() - began  # the machine may have other things to do
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    out, err = said.out.getvalue(), said.err.getvalue()
    first = out.split("\n", 1)[0].strip()
    wrong = _wrong(case, code, out, err, escaped)
    if not wrong and seconds > SLOW:
        wrong = f"took {seconds:.1f} s"
    if not wrong and more > MEMORY:
        wrong = f"took {more / (1 << 30):.1f} GB"
    if not wrong and case.kind == "verify" and first in ("verified", "falsified"):
        wrong = contradiction(case, first, folder)
    word = first if first in VERDICTS else ""
    return Outcome(code, word, seconds, wrong, escaped or (_trace_of(case) if code == 4 else err[-2000:]))


def _wrong(case: Case, code: int | None, out: str, err: str, escaped: str) -> str:
    """What is wrong with the end of a command, apart from time and truth."""
    if escaped:
        return "a traceback: " + escaped.strip().splitlines()[-1][:200]
    if code not in CODES:
        return f"exit code {code}: " + err.strip()[:200]
    if "Traceback" in err or "Traceback" in out:
        return "a traceback on the way"
    if case.trap.exists():
        return "something was unpickled"
    if code and not err.strip() and case.words[:2] != ["spec", "check"]:
        return f"exit code {code} without a message"
    said = out.split("\n", 1)[0].strip()
    if said in VERDICTS and (code or case.words[0] != "verify"):
        return f"a verdict ({said}) and exit code {code}"
    return ""


def _trace_of(case: Case) -> str:
    """Where an internal error comes from: the same command again, with --debug."""
    quiet = Said()
    try:
        with _in_process(), contextlib.redirect_stdout(quiet.out), contextlib.redirect_stderr(quiet.err):
            cli.main([*case.words, "--debug"])
    except BaseException:  # noqa: BLE001
        return traceback.format_exc()
    return "not seen again"


@contextlib.contextmanager
def _in_process() -> Iterator[None]:
    """The commands as in a process of their own, but for children: their time begins now."""

    def apart(*_: Any, **__: Any) -> Ended:
        return Ended("error", 0.0, None, "not run", None, 2, None)

    with (
        mock.patch.object(verify_command, "process_start", time.monotonic),
        mock.patch.object(run_order, "verify_apart", apart),
    ):
        yield


def contradiction(case: Case, verdict: str, folder: Path) -> str:
    """Why a verdict is wrong, by onnxruntime alone; empty where nothing speaks against it."""
    spec = read_vnnlib(case.words[2])
    try:
        session = session_of(folder / "m.onnx")
    except Exception as error:  # noqa: BLE001 - onnxruntime has many classes
        return f"{verdict}, but onnxruntime does not load the model: {str(error)[:200]}"
    if spec.runs:
        return ""
    if verdict == "falsified":
        record = json.loads((folder / "r.json").read_text())["counterexample"]
        x = np.asarray(record["x"], np.float64)
        return "" if spec.violation(x, outputs(session, x)) is not None else "falsified, but replay disagrees"
    draw = np.random.default_rng(case.number)
    for box in range(min(len(spec.lower), 4)):
        low, high = spec.lower[box], spec.upper[box]
        for _ in range(40):
            x = (
                draw.uniform(low, high)
                if draw.random() < 0.7
                else np.where(draw.random(len(low)) < 0.5, low, high)
            )
            x = np.clip(x.astype(np.float32).astype(np.float64), low, high)
            y = outputs(session, x)
            if np.isfinite(y).all() and spec.violation(x, y) is not None:
                return f"verified, but violated at {x.tolist()} with {y.tolist()}"
    return ""
