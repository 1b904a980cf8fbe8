"""How far `genbab verify --workers N` goes: measured for a few workers, simulated for up to 1024.

    python benchmarks/scaling.py measure [NAME ...]    some ten minutes, on a machine with nothing else to do
    python benchmarks/scaling.py tables                what the record says, and what follows from it
    python benchmarks/scaling.py bytes [NAME ...]      what an open domain takes: input splits, neuron splits

`measure` writes a record, or anew what a record says of these instances: the tree of a run with one worker
(build/scaling/NAME.npz), what its domains and messages take, what two runs at once cost each other, and real
runs with 1, 2 and 4 workers. It prints what a simulation over the tree predicts of them. A load of more than
0.5 before an instance says that the machine was busy: compare its work only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crew_scaling import page  # noqa: E402
from crew_scaling.instances import ERAN, SHARED, TLL, acasxu, lsnc  # noqa: E402
from crew_scaling.measures import TOLD_BYTES, domain_size, hub_cost  # noqa: E402
from crew_scaling.real import at_once  # noqa: E402
from crew_scaling.record import record  # noqa: E402
from crew_scaling.tree import RecordedTree  # noqa: E402

KEPT = ROOT / "build" / "scaling"
RECORD = ROOT / "benchmarks" / "records" / "scaling-2-cores.json"
INSTANCES = {
    "lsnc 18": lsnc("state", 18),
    "lsnc 3": lsnc("state", 3),
    "tllverifybench 1_0": TLL,
    "acasxu 1_1 prop_5": acasxu("1_1", 5),
}
SIZED = {
    "lsnc 18": INSTANCES["lsnc 18"],
    "acasxu 1_1 prop_5": INSTANCES["acasxu 1_1 prop_5"],
    "safenlp 3552": "safenlp/onnx/ruarobot/perturbations_0.onnx "
    "safenlp/vnnlib/ruarobot/hyperrectangle_3552.vnnlib --branching neuron --retighten clipped",
    "eran_sigmoid 9044": f"{ERAN} --retighten clipped",
}
LIMIT = "600"
COPIES = 100
"""How many times as hard a search is that is simulated besides."""


def words_of(line: str, folder: Path) -> list[str]:
    """The words of `genbab verify` for a line of the lists above."""
    model, spec, *settings = line.split()
    return [str(folder / model), str(folder / spec), *settings, "--timeout", LIMIT]


def here(*words: str) -> str:
    """What this program prints last, run with these words in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{words}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout.strip().splitlines()[-1]


def measured(name: str, folder: Path) -> dict[str, Any]:
    """All that is measured of an instance."""
    busy, words = os.getloadavg()[0], words_of(INSTANCES[name], folder)
    path = KEPT / f"{name.replace(' ', '-')}.npz"
    here("record", str(path), *words)
    size = json.loads(here("size", *words))
    alone, (left, right) = at_once(words, 1)[0], at_once(words, 1, times=2)
    runs = [
        alone,
        *(min((at_once(words, 2)[0] for _ in range(2)), key=lambda r: r.seconds), at_once(words, 4)[0]),
    ]
    wrong = {run.verdict for run in (*runs, left, right)} - {"verified"}
    if wrong:
        raise SystemExit(f"{name}: {wrong}")
    slower = max(1.0, mean((left.processor, right.processor)) / alone.processor)
    return {
        "name": name,
        "load": round(busy, 2),
        "tree": path.name,
        "report": TOLD_BYTES,
        "size": size,
        "slower": slower,
        "pair": [left.to_dict(), right.to_dict()],
        "real": [run.to_dict() for run in runs],
    }


def measure(names: list[str], path: Path, folder: Path) -> None:
    """Measure instances, write the record, and print how the simulation did."""
    KEPT.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    kept: dict[str, Any] = {"cores": os.cpu_count(), "hub": asdict(hub_cost())}
    old = json.loads(path.read_text(encoding="utf-8"))["instances"] if path.exists() else []
    kept["instances"] = [one for one in old if one["name"] not in names]
    for name in names:
        kept["instances"].append(measured(name, folder))
        kept["seconds"] = round(time.monotonic() - began, 1)
        path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        print(
            page.table(page.VALIDATED, validated({**kept, "instances": kept["instances"][-1:]})), flush=True
        )


def validated(kept: dict[str, Any]) -> list[list[str]]:
    """Rows of all instances of a record."""
    rows: list[list[str]] = []
    for instance in kept["instances"]:
        tree = RecordedTree.load(KEPT / instance["tree"])
        costs = page.costs_of(instance, kept["hub"], tree)
        rows += page.validation(instance, costs, tree, kept["cores"])
    return rows


def tables(path: Path, target: Path | None) -> None:
    """Print what a record says and what follows from it, and put it into a page."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    found: dict[str, str] = {}

    def show(name: str, head: list[str], rows: Iterable[list[str]]) -> None:
        found[name] = page.table(head, rows)
        print(f"\n{name}\n\n{found[name]}", flush=True)

    show("validation", page.VALIDATED, validated(kept))
    known = []
    for instance in kept["instances"]:
        tree = RecordedTree.load(KEPT / instance["tree"])
        known.append((instance, page.costs_of(instance, kept["hub"], tree), tree))
    show("recorded", page.RECORDED, (page.costs_row(*one) for one in known))
    show("hub", page.HUB, page.hub_rows(known[0][1].hub))
    show("speed-up", page.SPEED, (row for one in known for row in page.speed_ups(*one)))
    instance, costs, tree = min(known, key=lambda one: one[2].nodes)
    hard, (_, cluster) = tree.copies(COPIES), page.places(instance)
    show("hard", page.PREDICTED, page.predictions(hard, costs, cluster))
    show("limits", page.LIMITS, page.limits(hard, costs, cluster))
    if target is not None:
        target.write_text(page.with_tables(target.read_text(encoding="utf-8"), found), encoding="utf-8")


def sizes(names: list[str], folder: Path) -> None:
    """Print what an open domain takes."""
    rows = []
    for name in names:
        size = json.loads(here("size", *words_of(SIZED[name], folder)))
        amounts = [f"{size[key]:.0f}" for key in ("count", "whole", "memory", "file", "wire")]
        rows.append([name, *amounts, f"{1e6 * size['handling']:.1f}"])
    head = ["instance", "open", "bounded", "in memory", "in a checkpoint", "sent", "µs of sending"]
    print(page.table(head, rows))


def main() -> None:
    """Do what the first word says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("what", choices=("measure", "tables", "bytes", "record", "size"))
    parser.add_argument("names", nargs="*", help="of instances; all by default")
    parser.add_argument("--record", type=Path, default=RECORD, help="the file of the record")
    parser.add_argument("--page", type=Path, help="a page whose tables are written anew: docs/scaling.md")
    parser.add_argument("--instances", type=Path, default=SHARED, help="the folder of the families")
    args, settings = parser.parse_known_args()
    if args.what == "record":
        record([*args.names[1:], *settings], Path(args.names[0]))
    elif args.what == "size":
        print(json.dumps(domain_size([*args.names, *settings]).to_dict()))
    elif args.what == "measure":
        measure(args.names or list(INSTANCES), args.record, args.instances)
    elif args.what == "tables":
        tables(args.record, args.page)
    else:
        sizes(args.names or list(SIZED), args.instances)


if __name__ == "__main__":
    main()
