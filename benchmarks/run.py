"""Run folders of instances and compare with what is known: `python benchmarks/run.py FOLDER... --timeout 60`.

A folder holds `instances.csv` (onnx,vnnlib,timeout) and perhaps `expected.csv`, or folders that do. Every
instance is one `genbab verify` process, measured from outside: wall seconds, peak resident memory. Every
`falsified` is replayed by benchmarks/replay.py, which shares no code with genbab. Writes results.json and
summary.md after every instance. The list's own timeouts are ignored: all instances get the same.

Exit code: 0; 1 when anything shouts (contradiction, unconfirmed counterexample, error, late end); 2 usage.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from report import markdown, troubles

from genbab import __version__
from genbab.cli.many.child import ChildOutcome, verify_apart
from genbab.cli.many.instances import ListedInstance, read_instances
from genbab.errors import UsageError
from genbab.result import plain
from genbab.system.files import write_atomically

REPLAY = Path(__file__).with_name("replay.py")
ENVIRONMENT = dict(os.environ)


@dataclass(frozen=True)
class Row:
    """One instance: what genbab said, at what cost, and what others say of it."""

    family: str
    model: str
    spec: str
    verdict: str
    seconds: float
    peak_memory: int | None
    bound: float | None
    reason: str
    replay: str  # of a counterexample: "confirmed", or what is wrong with it; "" where there is none
    expected: str
    reference: str
    reference_seconds: float | None
    statistics: dict[str, Any]


def folders(given: Sequence[Path]) -> Iterator[Path]:
    """The folders with a list of instances, among the given ones or directly inside them."""
    for folder in given:
        lists = (
            [folder]
            if (folder / "instances.csv").exists()
            else sorted(f.parent for f in folder.glob("*/instances.csv"))
        )
        if not lists:
            raise UsageError(f"{folder}: no instances.csv there, nor in the folders inside")
        yield from lists


def expectations(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The rows of expected.csv by model and specification; none where there is no such file."""
    path = folder / "expected.csv"
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {(row["onnx"], row["vnnlib"]): row for row in csv.DictReader(file)}


def measure(family: str, one: ListedInstance, known: dict[str, str], options: argparse.Namespace) -> Row:
    """Run one instance and replay its counterexample."""
    name = f"{family}__{Path(one.model).stem}__{Path(one.spec).stem}.counterexample"
    witness = Path(options.output) / "counterexamples" / name
    witness.unlink(missing_ok=True)
    words = [str(one.model_path), str(one.spec_path), "--counterexample", str(witness), *options.words]
    outcome = verify_apart(words, options.timeout, ENVIRONMENT)
    seconds = known.get("reference_wall_s", "")
    return Row(
        family,
        one.model,
        one.spec,
        outcome.verdict,
        round(outcome.seconds, 3),
        outcome.peak_memory,
        outcome.bound,
        outcome.reason,
        replayed(one, witness, outcome),
        known.get("verdict", ""),
        known.get("reference_60s", ""),
        float(seconds) if seconds else None,
        dict(outcome.result.statistics) if outcome.result else {},
    )


def replayed(one: ListedInstance, witness: Path, outcome: ChildOutcome) -> str:
    """What an independent replay says of a counterexample, in a process of its own."""
    if outcome.verdict != "falsified":
        return ""
    if not witness.exists():
        return "no counterexample file"
    found = outcome.result.counterexample if outcome.result else None
    away = [repr(found.distance)] if found else []
    command = [sys.executable, str(REPLAY), str(one.model_path), str(one.spec_path), str(witness), *away]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=ENVIRONMENT)
    return "confirmed" if done.returncode == 0 else (done.stdout.strip() or done.stderr.strip()[-300:])


def machine() -> dict[str, Any]:
    """Where and when this was measured."""
    return {
        "genbab": __version__,
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def run(options: argparse.Namespace) -> list[Row]:
    """Measure what was asked for, one instance after the other, and write the results so far after each."""
    output = Path(options.output)
    (output / "counterexamples").mkdir(parents=True, exist_ok=True)
    wanted = {f for f in (options.families or "").split(",") if f}
    chosen = [f for f in folders(options.folders) if not wanted or f.resolve().name in wanted]
    jobs = [
        (folder.resolve().name, one, expectations(folder).get((one.model, one.spec), {}))
        for folder in chosen
        for one in read_instances(folder / "instances.csv")
        if options.only is None or options.only in f"{one.model} {one.spec}"
    ]
    if not jobs:
        raise UsageError("no instance is left by --families and --only")
    rows: list[Row] = []
    for number, (family, one, known) in enumerate(jobs, 1):
        row = measure(family, one, known, options)
        rows.append(row)
        mega = f"{row.peak_memory / 1e6:.0f} MB" if row.peak_memory else ""
        save(output, rows, options)
        print(
            f"[{number}/{len(jobs)}] {family} {Path(one.model).stem} {Path(one.spec).stem}: {row.verdict} "
            f"{row.seconds:.1f} s {mega} (expected {row.expected or '?'}, reference {row.reference or '?'} "
            f"{row.reference_seconds or '?'} s)",
            flush=True,
        )
        save(output, rows, options)
    return rows


def save(output: Path, rows: Sequence[Row], options: argparse.Namespace) -> None:
    """Write both files."""
    table = [plain(asdict(row)) for row in rows]
    facts = {"schema": 1, "timeout": options.timeout, "options": options.words, "machine": machine()}
    write_atomically(
        output / "results.json", json.dumps({**facts, "rows": table}, indent=1, allow_nan=False) + "\n"
    )
    write_atomically(output / "summary.md", markdown(table, facts))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Run instance lists, compare with what is known.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for every instance (default 60)")
    parser.add_argument("--families", help="only these folders, by name: a,b")
    parser.add_argument("--only", help="only instances whose names contain this")
    parser.add_argument("--output", default="benchmark-results", help="folder for the results")
    parser.epilog = "further options are handed to genbab verify"
    options, options_words = parser.parse_known_args()
    options.words = options_words
    try:
        rows = run(options)
    except UsageError as error:
        parser.error(str(error))
    found = troubles([plain(asdict(row)) for row in rows], options.timeout)
    print((Path(options.output) / "summary.md").read_text())
    if found:
        line = "!" * 78
        print("\n".join([line, *(f"!! {f}" for f in found), line]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
