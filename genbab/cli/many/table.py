"""Outcomes as a table on stdout."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from genbab.proof import CheckerVerdict
from genbab.reporting.names import visible

Record = Mapping[str, Any]


def print_table(records: Sequence[Record], kept: str) -> None:
    """One row per record (verdict None: not run), the counts of each verdict, and the errors in full."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("model", "specification", "verdict", box=None, pad_edge=False)
    for name in ("seconds", "bound", "peak MB"):
        table.add_column(name, justify="right")
    checks = [CheckerVerdict.of_record(r) for r in records]
    if any(checks):
        table.add_column("proof")
    for r, check in zip(records, checks, strict=True):
        proof = [check.outcome if check else ""] if any(checks) else []
        table.add_row(_name(r["model"]), _name(r["spec"]), r["verdict"] or "not run", *_numbers(r), *proof)
    counts = Counter(r["verdict"] or "not run" for r in records)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(table)
    said = ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items()))
    console.print(f"{said or 'nothing'}; kept in {escape(kept)}")
    for r in records:
        if r["verdict"] == "error":
            console.print(f"error: {_name(r['model'])} {_name(r['spec'])}: {_name(r['reason'])}")
    for r, check in zip(records, checks, strict=True):
        if check is not None and check.outcome == "rejected":
            console.print(f"proof rejected: {_name(r['model'])} {_name(r['spec'])}: {_name(check.reason)}")


def _name(text: str) -> str:
    from rich.markup import escape

    return escape(visible(text))


def _numbers(r: Record) -> tuple[str, str, str]:
    if r["verdict"] is None:
        return "", "", ""
    bound = "" if r["bound"] is None else f"{float(r['bound']):.4g}"
    memory = "" if r["peak_memory"] is None else f"{r['peak_memory'] / 1e6:.0f}"
    return f"{r['seconds']:.1f}", bound, memory
