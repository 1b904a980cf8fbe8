"""Verify every example property through the public API, check the proofs, exit with 1 on a surprise.

python examples/demo.py
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import genbab

HERE = Path(__file__).resolve().parent
EXPECTED = {"holds": "verified", "violated": "falsified"}  # by the last word of the property's file name


def statement(spec: Path) -> str:
    """What the property states: the comment in the first line of its file."""
    with spec.open() as file:
        return file.readline().lstrip("; ").strip()


def main() -> int:
    """Verify all rows of `instances.csv`; 0 if each verdict is the one its file name promises."""
    with (HERE / "instances.csv").open(newline="") as file:
        instances = [(HERE / model, HERE / spec, float(seconds)) for model, spec, seconds in csv.reader(file)]
    console = Console()
    table = Table("network", "property", "verdict", "seconds", "proof", title="genbab on its examples")
    start, wrong = time.perf_counter(), 0
    with console.status("starting") as status, tempfile.TemporaryDirectory() as folder:
        for model, spec, seconds in instances:
            status.update(f"{model.stem}: {statement(spec)}")
            proof = Path(folder) / f"{spec.stem}.proof"
            result = genbab.prove(model, spec, proof, genbab.Config(timeout=seconds))
            check = result.statistics.get("proof_check", {})  # by genbab-check
            said = " ".join((check.get("outcome", ""), check.get("reason", ""))).strip()
            proved = said == ("accepted" if result.verdict == "verified" else "")
            expected = proved and result.verdict == EXPECTED[spec.stem.rsplit("_", 1)[1]]
            wrong += not expected
            style = ("green" if result.verdict == "verified" else "cyan") if expected else "bold red"
            verdict = f"[{style}]{result.verdict.value}[/]"
            table.add_row(model.stem, statement(spec), verdict, f"{result.seconds:.2f}", said)
    console.print(table)
    seconds = time.perf_counter() - start
    console.print(f"{len(instances) - wrong} of {len(instances)} as expected in {seconds:.1f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
