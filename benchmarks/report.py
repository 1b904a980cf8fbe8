"""What a table of measured instances says: sums per family, contradictions, a page of markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

Row = Mapping[str, Any]
MEANING = {"verified": "unsat", "falsified": "sat"}
LATE = 1.0  # seconds beyond the time limit within which a process must have ended


def solved(row: Row) -> bool:
    """Whether genbab decided the instance."""
    return row["verdict"] in MEANING


def reference_solved(row: Row) -> bool:
    """Whether the reference decided the instance."""
    return row["reference"] in MEANING.values()


def troubles(rows: Sequence[Row], timeout: float) -> list[str]:
    """Everything to shout about, one line each."""
    found = []
    for row in rows:
        name = f"{row['family']} {row['model']} {row['spec']}"
        said = MEANING.get(row["verdict"])
        for who, other in (("expected", row["expected"]), ("reference", row["reference"])):
            if said and other in MEANING.values() and other != said:
                found.append(f"CONTRADICTION {name}: {row['verdict']} ({said}), {who} {other}")
        if row["verdict"] == "falsified" and row["replay"] != "confirmed":
            found.append(f"UNCONFIRMED COUNTEREXAMPLE {name}: {row['replay']}")
        if row["verdict"] == "error":
            found.append(f"ERROR {name}: {row['reason']}")
        if row["seconds"] > timeout + LATE:
            found.append(f"LATE {name}: {row['seconds']:.2f} s of {timeout:g} s")
    return found


def per_family(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each family, in order of appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["family"], []).append(row)
    return groups


def family_line(name: str, rows: Sequence[Row]) -> str:
    """One row of the table of families."""
    counts = [
        sum(r["verdict"] == v for r in rows) for v in ("verified", "falsified", "unknown", "timeout", "error")
    ]
    ours = [r["seconds"] for r in rows if solved(r)]
    theirs = [
        r["reference_seconds"] for r in rows if reference_solved(r) and r["reference_seconds"] is not None
    ]
    peaks = [r["peak_memory"] for r in rows if r["peak_memory"]]
    known = any(r["reference"] for r in rows)
    cells = [
        name,
        len(rows),
        f"**{sum(map(solved, rows))}**",
        sum(map(reference_solved, rows)) if known else "",
        *counts,
        f"{median(ours):.2f}" if ours else "",
        f"{median(theirs):.2f}" if theirs else "",
        f"{max(peaks) / 1e6:.0f}" if peaks else "",
    ]
    return "| " + " | ".join(str(c) for c in cells) + " |"


def instance_line(row: Row) -> str:
    """One row of the table of instances."""
    bound = "" if row["bound"] is None else f"{float(row['bound']):.4g}"
    peak = f"{row['peak_memory'] / 1e6:.0f}" if row["peak_memory"] else ""
    theirs = "" if row["reference_seconds"] is None else f"{row['reference_seconds']:.2f}"
    cells = [row["family"], row["model"], row["spec"], row["verdict"], f"{row['seconds']:.2f}", peak, bound]
    cells += [row["expected"], row["reference"], theirs]
    return "| " + " | ".join(str(c) for c in cells) + " |"


def table(names: Sequence[str], lines: Sequence[str]) -> list[str]:
    """A markdown table."""
    return ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names), *lines, ""]


def markdown(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """The page: troubles first, then families, then instances."""
    machine = ", ".join(f"{k} {v}" for k, v in facts["machine"].items())
    options = " ".join(facts["options"])
    page = [f"# {facts['timeout']:g} s per instance{' ' + options if options else ''}", "", machine, ""]
    found = troubles(rows, facts["timeout"])
    page += [f"- **{f}**" for f in found] or [
        "No contradiction, every counterexample confirmed, no error, all on time."
    ]
    page.append("")
    names = [
        "family",
        "instances",
        "solved",
        "reference solved",
        "verified",
        "falsified",
        "unknown",
        "timeout",
        "error",
    ]
    names += ["median s (solved)", "reference median s", "peak MB"]
    groups = per_family(rows)
    lines = [family_line(name, group) for name, group in groups.items()]
    page += table(names, [*lines, family_line("all", rows)] if len(groups) > 1 else lines)
    names = [
        "family",
        "model",
        "specification",
        "verdict",
        "s",
        "peak MB",
        "bound",
        "expected",
        "reference",
        "reference s",
    ]
    return "\n".join(page + table(names, [instance_line(r) for r in rows]))
