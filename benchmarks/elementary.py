"""Errors of exp, tanh and others in onnxruntime or torch: `python benchmarks/elementary.py onnxruntime`.

Runs each function on all finite float32 numbers (a minute or two per function, one thread), or with
--stride N on one in N, and compares with values that are good to 2^-44 of their size. What was found is kept
in a folder, added to by later runs, and written as a table of bounds; `genbab/network/rounding/tables` ships
them. For torch, the environment variable ATEN_CPU_CAPABILITY (default, avx2, avx512) chooses the kernels; the
table holds for all that were run.
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from pathlib import Path

from elementary_functions import measure, recurrent, softmax, tables
from elementary_functions.runtimes import NAMES, capability, processor, variants, versions

ROOT = Path(__file__).resolve().parent.parent
TABLES = ROOT / "genbab" / "network" / "rounding" / "tables"
KEPT = ROOT / "build" / "elementary"
SHORT, OTHERS = 2_000_000, 256
"""Numbers tried in short arrays; one in so many is tried in other ways, and with flushes to 0."""


def measured(runtime: str, name: str, stride: int, kept: Path) -> None:
    """One more run of a function, added to what is kept."""
    path = kept / runtime / f"{name}.npz"
    start, errors, runs = time.monotonic(), measure.load(path), variants(runtime, name)
    known = errors.facts.setdefault("runs", [])
    finer = all(stride < run["stride"] for run in known)
    with measure.counted(errors, finer):
        measure.sweep(errors, name, runs[0], stride)
    with measure.counted(errors, False):
        measure.short(errors, name, runs[0], SHORT // stride)
        measure.other_ways(errors, name, runs, max(OTHERS, stride))
    ran = {"stride": stride, "seconds": round(time.monotonic() - start, 1), "kernels": capability(runtime)}
    known.append(ran)
    measure.save(errors, path)
    print(f"{name}: {json.dumps(ran)}", flush=True)


def written(runtime: str, kept: Path, folder: Path) -> None:
    """The table of all that is kept; prints its part of docs/elementary.md."""
    known = [name for name in NAMES[runtime] if (kept / runtime / f"{name}.npz").exists()]
    rows = {name: tables.row(name, measure.load(kept / runtime / f"{name}.npz")) for name in known}
    head = {"name": runtime, "versions": versions(runtime), "cpu": processor()}
    folder.mkdir(parents=True, exist_ok=True)
    inside = softmax.worst(softmax.softmax(runtime))
    head = {**head, "measured": datetime.date.today().isoformat(), "softmax": inside}
    table = {**head, "recurrent": recurrent.worst(runtime), "functions": rows}
    (folder / f"{runtime}.json").write_text(tables.text(table), encoding="utf-8")
    print(tables.page(table), end="")


def main() -> None:
    """Measure, then write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runtime", choices=sorted(NAMES))
    parser.add_argument("functions", nargs="*", help="names as in the table; all if none is given")
    parser.add_argument("--stride", type=int, default=1, help="try one number in so many")
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of what was found")
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder of the tables")
    parser.add_argument("--only", choices=["measure", "write"], help="leave out the other part")
    told = parser.parse_args()
    unknown = set(told.functions) - set(NAMES[told.runtime])
    if unknown:
        parser.error(f"unknown functions {sorted(unknown)}; known: {', '.join(NAMES[told.runtime])}")
    for name in () if told.only == "write" else told.functions or NAMES[told.runtime]:
        measured(told.runtime, name, told.stride, told.kept)
    if told.only != "measure":
        written(told.runtime, told.kept, told.tables)


if __name__ == "__main__":
    main()
