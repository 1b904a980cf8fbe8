"""What `genbab-check` says of a proof: started as a program of its own, understood, and put into words."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genbab.amounts import parse_seconds
from genbab.errors import UsageError
from genbab.result import Result, Verdict

USUAL = 3600.0  # seconds of a check where nothing else limits it
MOST = 1e6  # seconds: timers take no more
GRACE = 2.0  # seconds beyond its limit after which the checker is ended; it ends itself before
TAIL = 300  # characters of a message that are kept
EXITS = {"accepted": 0, "rejected": 1, "refused": 2, "unfinished": 2}
OUTCOMES = ("accepted", "rejected", "refused")
NOT = "not checked"
KEY = "proof_check"  # in the statistics of a result
Files = tuple[str | Path | bytes, str | Path, str | Path]  # model, specification, proof
Ended = tuple[int, str, str]  # exit code (negative: by that signal), stdout, stderr
Starter = Callable[[Sequence[str], float], Ended]
REJECTED = "genbab-check rejects the proof: it is too loose for the checker's rules, or the verdict is wrong"


@dataclass(frozen=True)
class CheckerVerdict:
    """What the checker said of a proof.

    outcome: "accepted"; "rejected", it does not show what it claims; "refused", the checker has no rule for
    something; "not checked", it did not come to an end. reason: why, in words, "" where accepted. checker:
    its version, "" where it did not tell. seconds: of the checker with its start-up; size: the proof's bytes.
    """

    outcome: str
    reason: str = ""
    checker: str = ""
    seconds: float = 0.0
    size: int = 0

    def __str__(self) -> str:
        """In one line: "accepted (genbab-check 1.0, 0.8 s, 12.3 kB)"."""
        known = [f"genbab-check {self.checker}"] if self.checker else []
        known += [f"{self.seconds:.1f} s"] if self.seconds else []
        known += [_size(self.size)] if self.size else []
        told = f"{self.outcome} ({', '.join(known)})" if known else self.outcome
        return f"{told}: {self.reason}" if self.reason else told

    @property
    def facts(self) -> dict[str, Any]:
        """What a result keeps of it, as values of JSON."""
        told = {"outcome": self.outcome, "reason": self.reason, "checker": self.checker}
        return {**told, "seconds": round(self.seconds, 4), "bytes": self.size}

    @staticmethod
    def of_record(record: Mapping[str, Any]) -> CheckerVerdict | None:
        """What the record of a study holds of it; None where there is nothing, or nothing that fits."""
        result = record.get("result")
        statistics = result.get("statistics") if isinstance(result, Mapping) else None
        return CheckerVerdict.of(statistics) if isinstance(statistics, Mapping) else None

    @staticmethod
    def of(statistics: Mapping[str, Any]) -> CheckerVerdict | None:
        """What the statistics of a result hold of it; None where there is nothing, or nothing that fits."""
        known = statistics.get(KEY)
        if not isinstance(known, Mapping) or known.get("outcome") not in (*OUTCOMES, NOT):
            return None
        outcome, reason, checker = (str(known.get(name, "")) for name in ("outcome", "reason", "checker"))
        seconds, size = (known.get(name) for name in ("seconds", "bytes"))
        seconds = float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 1e9 else 0.0
        size = size if isinstance(size, int) and 0 <= size < 1 << 60 else 0
        return CheckerVerdict(outcome, reason, checker, seconds, size)


def seconds_of(given: str | float | None, timeout: float | None) -> float:
    """How long a check may take: so long, or as long as the search, or an hour; 0 for no check.

    Raises `UsageError` where this is no number of seconds.
    """
    if given is None:
        given = USUAL if timeout is None else timeout
    try:
        found = parse_seconds(given) if isinstance(given, str) else given
    except ValueError:
        found = None
    if found is None or not 0 <= found < math.inf:
        raise UsageError(
            f"check of proofs (--check-proof) {given}: must be seconds like 60 or 5m, or 0 for none"
        )
    return min(found, MOST)


def to_check(result: Result, proof: str | Path) -> bool:
    """Whether a result has this proof, so that the checker can be asked about it."""
    written = result.statistics.get("proof") == str(proof)
    return result.verdict is Verdict.VERIFIED and written and Path(proof).is_file()


def with_check(result: Result, check: CheckerVerdict) -> Result:
    """The result that says so; nothing else of it changes."""
    return replace(result, statistics={**result.statistics, KEY: check.facts})


def command(files: Sequence[str | Path], seconds: float, words: Sequence[str] = ()) -> list[str]:
    """The words that start the checker on a model, a specification and a proof, with others behind them."""
    places = [str(Path(path).absolute()) for path in files]
    limit = ["--limit-seconds", f"{seconds:g}"]
    return [sys.executable, "-P", "-m", "genbab.check", *places, "--json", *limit, *words]


def surroundings() -> dict[str, str]:
    """The environment in which the words find this package."""
    known = [str(Path(__file__).absolute().parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in known if path)}


def apart(words: Sequence[str], limit: float) -> Ended:
    """How a program ended that is killed after so long, and when this is interrupted."""
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(),
        text=True,
        errors="replace",
    ) as process:
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = "", ""
        except BaseException:
            process.kill()
            process.wait()
            raise
    return process.returncode, out, err


def checked(
    result: Result,
    files: Files,
    seconds: float,
    processes: int = 1,
    start: Starter = apart,
    words: Sequence[str] = (),
) -> Result:
    """The result with what the checker says of its proof, if it has one, within so many seconds; 0: nothing.

    files: model, specification and proof; start: how the checker is run to its end;
    words: what of the model is read, as the checker is told.
    """
    if not to_check(result, files[2]):
        return result
    more = ["--processes", str(processes), *words]
    try:
        found = _asked(files, seconds, more, start, result.arithmetic)
        return with_check(result, found)
    except OSError as error:  # no verdict is lost for it
        reason = f"the checker cannot be started: {error.strerror or error}"
        return with_check(result, CheckerVerdict(NOT, reason))


def _asked(
    files: Files, seconds: float, words: Sequence[str], start: Starter, arithmetic: str
) -> CheckerVerdict:
    model, specification, proof = files
    if isinstance(model, bytes):
        with tempfile.TemporaryDirectory(prefix="genbab-") as folder:
            place = Path(folder) / "model.onnx"
            place.write_bytes(model)
            return _asked((place, specification, proof), seconds, words, start, arithmetic)
    size, began = Path(proof).stat().st_size, time.monotonic()
    if not seconds:
        return CheckerVerdict(NOT, size=size)
    ended = start(command([model, specification, proof], seconds, words), seconds + GRACE)
    return replace(understood(ended, time.monotonic() - began, seconds, arithmetic), size=size)


def unchecked(result: Result, proof: Path | None, reason: str) -> Result:
    """The result with why its proof, if it has one, was not checked."""
    if proof is None or not to_check(result, proof):
        return result
    return with_check(result, CheckerVerdict(NOT, reason, size=proof.stat().st_size))


def understood(ended: Ended, seconds: float, limit: float, arithmetic: str = "real") -> CheckerVerdict:
    """What a checker said that has ended: only an exit code and an object that agree are an answer.

    arithmetic: what the verdict is about; a proof about another one is no proof of it.
    """
    code, out, err = ended
    try:
        said = json.loads(out)
        outcome, reason, checker = (str(said[name]) for name in ("outcome", "reason", "checker"))
        about = str(said.get("arithmetic", "real")).partition(" ")[0]
    except (ValueError, TypeError, KeyError):
        outcome, reason, checker, about = "", "", "", ""
    if outcome == "accepted" and code == 0 and about != arithmetic:
        return CheckerVerdict(NOT, f"the proof is about {about} arithmetic", checker, seconds)
    if outcome in OUTCOMES and EXITS[outcome] == code:
        return CheckerVerdict(outcome, "" if outcome == "accepted" else reason, checker, seconds)
    if seconds >= limit:
        reason = f"it takes more than {limit:g} s (--check-proof)"
    elif outcome != "unfinished" or code != EXITS[outcome]:
        by = f"by signal {-code}; memory may have run out" if code < 0 else f"with exit code {code}"
        reason = f"the checker ended {by}: {err.strip()[-TAIL:]}".strip(": ")
    return CheckerVerdict(NOT, reason, checker, seconds)


def _size(count: int) -> str:
    """Bytes for people."""
    for unit, most in (("bytes", 1e3), ("kB", 1e6), ("MB", 1e9)):
        if count < most:
            return f"{count} bytes" if unit == "bytes" else f"{count * 1e3 / most:.3g} {unit}"
    return f"{count / 1e9:.3g} GB"
