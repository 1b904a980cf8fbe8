"""`genbab verify --workers 2` against one worker with one thread and with two: whole runs, in turn.

    python benchmarks/workers.py [NAME ...] [--turns 2]    half an hour, on two cores with nothing else to do

Prints seconds by the clock (the least of the turns), of which the search has how many, and the ratios; then
their medians. It ends with an error where a verdict is another one. The record has all runs, with the load of
the machine before each.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crew_scaling.instances import ERAN, SHARED, TLL, acasxu, lsnc  # noqa: E402
from crew_scaling.page import table  # noqa: E402
from crew_scaling.real import RealRun, at_once  # noqa: E402

RECORD = ROOT / "benchmarks" / "records" / "workers-2-cores.json"


INSTANCES = {
    "lsnc state 3": lsnc("state", 3),
    "lsnc state 11": lsnc("state", 11),
    "lsnc state 18": lsnc("state", 18),
    "lsnc output 19": lsnc("output", 19),
    "tllverifybench 1_0": TLL,
    "acasxu 1_1 prop_3": acasxu("1_1", 3),
    "acasxu 1_3 prop_1": acasxu("1_3", 1),
    "acasxu 1_7 prop_2": acasxu("1_7", 2),
    "acasxu 1_8 prop_2": acasxu("1_8", 2),
    "eran_sigmoid 9044": ERAN,
}
"""Those of the families there that one thread needs 10 to 60 s for, and whose search has most of it."""

WAYS = {"one worker": (1, 1), "two threads": (1, 2), "two workers": (2, 1)}
"""Workers, and threads of each."""


def measured(line: str, folder: Path, turns: int, limit: str) -> dict[str, list[RealRun]]:
    """The runs of an instance, which take turns, so that a machine that slows down slows all."""
    words = [*(str(folder / part) for part in line.split()), "--timeout", limit]
    runs: dict[str, list[RealRun]] = {way: [] for way in WAYS}
    for _ in range(turns):
        for way, (workers, threads) in WAYS.items():
            runs[way] += at_once(words, workers, threads=threads)
    return runs


def row(name: str, runs: dict[str, list[RealRun]]) -> tuple[list[str], list[float]]:
    """Cells of a row, and the ratios in it: against one worker, its search only, against two threads."""
    best = {way: min(some, key=lambda run: run.seconds) for way, some in runs.items()}
    one, threads, two = (best[way] for way in WAYS)
    found = [one.seconds / two.seconds, one.search / two.search, threads.seconds / two.seconds]
    seconds = [f"{run.seconds:.1f} ({run.search:.1f})" for run in (one, threads, two)]
    return [name, f"{one.domains}", *seconds, *(f"{ratio:.2f}" for ratio in found)], found


HEAD = ["instance", "domains", *WAYS, "speed-up", "of the search", "over two threads"]


def main() -> None:
    """Measure what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(INSTANCES), help="of instances; all by default")
    parser.add_argument("--turns", type=int, default=2, help="how often each way has its turn")
    parser.add_argument("--limit", default="300", help="seconds of one run")
    parser.add_argument("--record", type=Path, default=RECORD, help="the file of the record")
    parser.add_argument("--instances", type=Path, default=SHARED, help="the folder of the families")
    args = parser.parse_args()
    kept: list[dict[str, Any]] = []
    rows, ratios = [], []
    for name in args.names:
        load = round(os.getloadavg()[0], 2)
        runs = measured(INSTANCES[name], args.instances, args.turns, args.limit)
        verdicts = {run.verdict for some in runs.values() for run in some}
        if verdicts != {"verified"}:
            raise SystemExit(f"{name}: {sorted(verdicts)}")
        cells, found = row(name, runs)
        rows.append(cells)
        ratios.append(found)
        print(" | ".join(cells), flush=True)
        every = {way: [run.to_dict() for run in some] for way, some in runs.items()}
        kept.append({"name": name, "load": load, "runs": every})
        record = {"cores": os.cpu_count(), "instances": kept}
        args.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    middle = [f"{median(column):.2f}" for column in zip(*ratios, strict=True)]
    print(table(HEAD, [*rows, ["median", "", "", "", "", *middle]]))


if __name__ == "__main__":
    main()
