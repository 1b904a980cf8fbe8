"""The record of a run: one JSON object a line, written as the run goes, so that an early end loses nothing.

Every line has `t`, seconds since the run began, and `event`:

    run     the first line: `trace` (the version of this form, 1), `genbab`, `model`, `spec`, `settings`
    plan    what was decided before branching: the fields of `genbab.driver.Strategy`
    stage   a stage that ended: `stage`, `seconds`, `bound`
    round   a round of branching: `bound`, `open`, `visited`, `depth`, `batch` (domains bounded together),
            `stored` and `away` (bytes of open domains in memory; put away so far), `seconds` by part
            (`bounding`, `choosing`, `clipping`, `attack`, `pool`); of neuron splits `predicted` and
            `realised`: the means over the round of what a split was expected to gain and gained
    region  a bound raised by splitting regions: `bound`
    end     the last line of a run that ended: `verdict`, `bound`, `reason`, `domains`, `seconds`, `stages`

Numbers that JSON lacks are the strings "inf", "-inf" and "nan"; a bound that is not known is null.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genbab.config import Config
from genbab.errors import UsageError
from genbab.result import Result, plain
from genbab.version import __version__

VERSION = 1
NO_TRACE = "{} is no trace: its first line is not what `genbab verify --trace` begins with"


class TraceFile:
    """The file that a run's record goes to; raises `UsageError` when it cannot be written.

    Every line is one write, so lines are whole whatever ends the process. Where writing fails later (a full
    disk) the record stops and `failed` says why: a run does not end for its record's sake.
    """

    def __init__(self, path: str | Path, start: float | None = None) -> None:
        self.path = Path(path)
        self.start = time.monotonic() if start is None else start
        self.failed = ""
        self._ended = False
        try:
            self._file: int = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        except OSError as error:
            raise UsageError(f"cannot write the trace {path}: {error.strerror or error}") from error

    def begin(self, model: str, spec: str, settings: Mapping[str, Any]) -> None:
        """The first line."""
        about = {"genbab": __version__, "model": model, "spec": spec, "settings": dict(settings)}
        self.write("run", trace=VERSION, **about)

    def write(self, event: str, **facts: Any) -> None:
        """A line, unless the record has ended."""
        if self._ended:
            return
        line = {"t": round(time.monotonic() - self.start, 5), "event": event, **facts}
        try:
            os.write(self._file, (json.dumps(plain(line), allow_nan=False) + "\n").encode())
        except OSError as error:
            self.failed = f"the trace {self.path} is incomplete: {error.strerror or error}"
            self.close()

    def end(self, result: Result) -> None:
        """The last line: how the run ended."""
        facts = result.statistics
        stages = {k.removeprefix("seconds "): v for k, v in facts.items() if k.startswith("seconds ")}
        about = {"verdict": result.verdict.value, "bound": result.bound, "reason": result.reason}
        seconds = round(result.seconds, 5)
        self.write("end", **about, domains=facts.get("domains", 0), seconds=seconds, stages=stages)
        self.close()

    def close(self) -> None:
        """No further lines."""
        if not self._ended:
            self._ended = True
            os.close(self._file)


@contextmanager
def recorded(
    trace: str | Path | TraceFile | None, started: float, names: tuple[Any, Any], config: Config
) -> Iterator[TraceFile | None]:
    """The record to write to; one that is opened here is closed at the end."""
    if trace is not None and not isinstance(trace, str | Path | TraceFile):
        raise UsageError(f"trace: must be the path of a file to write, not {type(trace).__name__}")
    if not isinstance(trace, str | Path):
        yield trace
        return
    record = TraceFile(trace, started)
    model, spec = (str(n) if isinstance(n, str | Path) else type(n).__name__ for n in names)
    record.begin(model, spec, config.to_dict())
    try:
        yield record
    finally:
        record.close()


@dataclass(frozen=True)
class Record:
    """A trace that was read: its first line, the lines of each kind, and its last one, if the run ended."""

    run: Mapping[str, Any]
    rounds: tuple[Mapping[str, Any], ...]
    stages: tuple[Mapping[str, Any], ...]
    bounds: tuple[tuple[float, float], ...]
    end: Mapping[str, Any] | None


def read_trace(path: str | Path) -> Record:
    """The record in a file; raises `UsageError` for a file that is missing or no trace.

    A last line that was cut off (the disk was full, the machine went down) is left out.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"cannot read the trace {path}: {why}") from error
    lines = text.split("\n")
    whole = [_line(path, k + 1, line) for k, line in enumerate(lines[:-1]) if line.strip()]
    if not whole or whole[0]["event"] != "run":
        raise UsageError(NO_TRACE.format(path))
    if whole[0].get("trace") != VERSION:
        raise UsageError(f"{path} is a trace of version {whole[0].get('trace')!r}; this reads {VERSION}")
    kinds: dict[str, list[Mapping[str, Any]]] = {"round": [], "stage": [], "end": []}
    for line in whole[1:]:
        if line["event"] in kinds:
            kinds[line["event"]].append(line)
    known = [(line["t"], float(line["bound"])) for line in whole if line.get("bound") is not None]
    end = kinds["end"][-1] if kinds["end"] else None
    return Record(whole[0], tuple(kinds["round"]), tuple(kinds["stage"]), tuple(known), end)


NUMBERS = ("t", "bound", "open", "visited", "depth", "batch", "predicted", "realised", "stored", "away")
ROUND = ("bound", "open", "visited", "depth", "batch", "seconds")


def _line(path: str | Path, number: int, text: str) -> dict[str, Any]:
    """A line understood; raises `UsageError` that says what is wrong with it."""
    where = f"{path}, line {number}"
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        if number == 1:
            raise UsageError(NO_TRACE.format(path)) from error
        raise UsageError(f"{where}: not JSON ({error})") from error
    if not isinstance(line, dict) or not isinstance(line.get("event"), str):
        raise UsageError(f"{where}: expected an object with an event")
    wanted = ROUND if line["event"] == "round" else ("seconds", "stage") if line["event"] == "stage" else ()
    missing = [name for name in ("t", *wanted) if name not in line]
    if missing:
        raise UsageError(f"{where}: a {line['event']} without {', '.join(missing)}")
    wrong = [name for name in NUMBERS if name in line and not _number(line[name])]
    parts = line["seconds"] if line["event"] == "round" else {}
    if not isinstance(parts, dict) or not all(map(_number, parts.values())):
        wrong.append("seconds")
    if wrong:
        raise UsageError(f"{where}: {', '.join(wrong)} must be numbers")
    return line


def _number(value: Any) -> bool:
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one or value is None or value in ("inf", "-inf", "nan")
