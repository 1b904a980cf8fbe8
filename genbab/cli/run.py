"""`genbab run INSTANCES.csv`: every instance in its own process, every outcome kept at once, resumable."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from genbab import __version__
from genbab.cli.child import Outcome, verify_apart
from genbab.cli.instances import Instance, read_instances
from genbab.cli.output import write_atomically
from genbab.cli.parser import settings_of
from genbab.config import Config
from genbab.errors import UsageError
from genbab.result import plain

SCHEMA = 1
VNNCOMP = {"verified": "holds", "falsified": "violated"}
Record = dict[str, Any]


def command(options: argparse.Namespace) -> int:
    """Verify every instance that has no outcome yet, print a table; returns 0, 130/143 when interrupted."""
    settings = settings_of(options)
    cap = Config.from_text(settings).timeout
    listed = Path(options.instances)
    instances = read_instances(listed)
    table = Path(options.output) if options.output else listed.with_name(listed.stem + ".results.csv")
    journal = Journal(table.with_suffix(".jsonl"))
    if table.resolve() == listed.resolve():
        raise UsageError(f"--output {table}: would overwrite the list itself")
    keep = Path(options.counterexamples) if options.counterexamples else None
    journal.open(fresh=options.fresh)
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
    jobs = [(one, key_of(one, _limit(one, cap), settings)) for one in instances]
    before = signal.signal(signal.SIGTERM, _terminated)
    code = 0
    try:
        for number, (one, key) in enumerate(jobs, 1):
            if journal.has(key):
                continue
            outcome = verify_apart(_words(one, number, settings, keep), key["timeout"])
            journal.add(record_of(key, outcome))
            _tell(f"[{number}/{len(jobs)}] {one.model} {one.spec}: {outcome.verdict} {outcome.seconds:.1f} s")
    except Terminated:
        code = 143
    except KeyboardInterrupt:
        code = 130
    finally:
        signal.signal(signal.SIGTERM, before)
    records = [(one, journal.get(key)) for one, key in jobs]
    write_atomically(table, results_csv(listed.resolve().parent.name, records))
    print_table(records, journal.path)
    return code


class Terminated(KeyboardInterrupt):
    """SIGTERM."""


def _terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated


class Journal:
    """Records in a file of JSON lines; each is on the disk before the next instance starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[str, Record] = {}

    def open(self, fresh: bool) -> None:
        """Read what is there but half-written lines; raises `UsageError` when the file cannot be written."""
        try:
            lines = [] if fresh or not self.path.exists() else self.path.read_bytes().split(b"\n")
            good = [(line, r) for line in lines if (r := _parsed(line)) is not None]
            write_atomically(self.path, "".join(line.decode() + "\n" for line, _ in good))
        except OSError as error:
            raise UsageError(
                f"cannot use {self.path}: {error.strerror}; choose another place with --output"
            ) from error
        self.records = {identity(r): r for _, r in good}

    def add(self, record: Record) -> None:
        """Append one record and push it to the disk."""
        self.records[identity(record)] = record
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def get(self, key: Mapping[str, Any]) -> Record | None:
        """The latest record of an instance with these settings."""
        return self.records.get(identity(key))

    def has(self, key: Mapping[str, Any]) -> bool:
        """Whether the instance need not run again: it has a verdict (errors are tried again)."""
        known = self.get(key)
        return known is not None and known["verdict"] != "error"


def key_of(one: Instance, timeout: float | None, settings: Mapping[str, str]) -> Record:
    """What makes two runs the same run."""
    chosen = {k: v for k, v in sorted(settings.items()) if k != "timeout"}
    return {
        "model": one.model,
        "spec": one.spec,
        "timeout": timeout,
        "settings": chosen,
        "genbab": __version__,
    }


def identity(record: Mapping[str, Any]) -> str:
    """The part of a record that `key_of` made, as text."""
    return json.dumps([record[k] for k in ("model", "spec", "timeout", "settings", "genbab")], sort_keys=True)


def record_of(key: Record, outcome: Outcome) -> Record:
    """One line of the journal."""
    return {
        "schema": SCHEMA,
        **key,
        "verdict": outcome.verdict,
        "seconds": round(outcome.seconds, 3),
        "bound": plain(outcome.bound),
        "reason": outcome.reason,
        "peak_memory": outcome.peak_memory,
        "exit_code": outcome.exit_code,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def results_csv(category: str, records: Sequence[tuple[Instance, Record | None]]) -> str:
    """VNN-COMP's results: category, onnx, vnnlib, seconds of preparation, result, seconds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for one, record in records:
        if record is not None:
            word = VNNCOMP.get(record["verdict"], record["verdict"])
            writer.writerow([category, one.model, one.spec, 0, word, record["seconds"]])
    return text.getvalue()


def print_table(records: Sequence[tuple[Instance, Record | None]], journal: Path) -> None:
    """The table at the end, on stdout."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("model", "specification", "verdict", box=None, pad_edge=False)
    for name in ("seconds", "bound", "peak MB"):
        table.add_column(name, justify="right")
    counts: dict[str, int] = {}
    for one, record in records:
        verdict = record["verdict"] if record else "not run"
        counts[verdict] = counts.get(verdict, 0) + 1
        numbers = (
            ("", "", "")
            if record is None
            else (f"{record['seconds']:.1f}", _short(record["bound"]), _mega(record))
        )
        table.add_row(escape(one.model), escape(one.spec), verdict, *numbers)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(table)
    console.print(
        ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items()))
        + f"; kept in {escape(str(journal))}"
    )
    for one, record in records:
        if record is not None and record["verdict"] == "error":
            console.print(f"error: {escape(one.model)} {escape(one.spec)}: {escape(record['reason'])}")


def _limit(one: Instance, cap: float | None) -> float | None:
    given = [t for t in (one.timeout, cap) if t is not None]
    return min(given) if given else None


def _words(one: Instance, number: int, settings: Mapping[str, str], keep: Path | None) -> list[str]:
    words = [str(one.model_path), str(one.spec_path)]
    for name, text in settings.items():
        if name != "timeout":
            words += ["--" + name.replace("_", "-"), text]
    if keep:
        words += [
            "--counterexample",
            str(keep / f"{number:04d}_{Path(one.model).stem}_{Path(one.spec).stem}.counterexample"),
        ]
    return words


def _parsed(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
        identity(record)
        record["verdict"]
    except (ValueError, KeyError, TypeError):
        return None
    return dict(record)


def _short(bound: Any) -> str:
    return "" if bound is None else f"{float(bound):.4g}"


def _mega(record: Record) -> str:
    return "" if record["peak_memory"] is None else f"{record['peak_memory'] / 1e6:.0f}"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
