"""Proofs of instances: written, checked and measured. `python benchmarks/proofs.py FOLDER ...`.

A folder has `instances.csv` with lines MODEL,SPECIFICATION,SECONDS. Each instance is verified with a proof
and, with --plain, without one; what is verified is checked by `genbab-check` in a process of its own. A line
for each: verdict, processor seconds of the search (with start-up), size of the proof, seconds of the checker
and what it said; then a table by folder:

    verified    verdicts; accepted: of these, how many proofs were
    size        of proofs, median and largest, in kilobytes
    check       seconds of the checker over those of the search, median and largest
    slower      processor time with a proof over that without (--plain), median

Exit code: 0; 1 if a proof was rejected; 2 usage.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

HEAD = f"{'folder':<16}{'verified':>9}{'accepted':>9}{'size kB':>16}{'check':>14}{'slower':>8}"


class Ran(NamedTuple):
    """What a command printed first, and its processor seconds."""

    said: str
    seconds: float


@dataclass(frozen=True)
class Proved:
    """One instance that was verified with a proof, or the reason why there is none."""

    said: str
    size: float
    search: float
    check: float
    slower: float


def ran(words: Sequence[str], limit: float) -> Ran:
    """One command of the package; its first line."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        lines = (done.stdout or done.stderr).strip().splitlines() or [""]
    except subprocess.TimeoutExpired:
        lines = ["too long"]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(lines[0], spent)


def instances(folder: Path, every: int) -> Iterator[tuple[str, str]]:
    """Models and specifications of a folder's list, one in so many."""
    with open(folder / "instances.csv", newline="", encoding="utf-8") as file:
        for model, spec, *_ in list(csv.reader(file))[::every]:
            yield str(folder / model), str(folder / spec)


def tried(model: str, spec: str, options: argparse.Namespace) -> Proved | None:
    """What became of one instance; None where it is not verified."""
    with tempfile.TemporaryDirectory() as place:
        proof = Path(place) / "proof"
        verify = ["genbab", "verify", model, spec, "--timeout", str(options.timeout), "--threads", "1"]
        verify += ["--arithmetic", options.arithmetic]
        found = ran([*verify, "--proof", str(proof), "--check-proof", "0"], options.timeout + 60)
        plain = ran(verify, options.timeout + 60) if options.plain else Ran("", float("nan"))
        name = f"{Path(model).parent.parent.name:<16}{Path(spec).stem[-36:]:<38}"
        if found.said != "verified":
            print(f"{name}{found.said} {found.seconds:.2f}; without a proof {plain.said or '?'}", flush=True)
            return None
        size = proof.stat().st_size / 1024 if proof.exists() else 0.0
        checked = Ran("no proof", 0.0)
        if size:
            words = ["genbab.check", model, spec, str(proof), "--processes", str(options.processes)]
            checked = ran(words, options.limit)
        said, slower = checked.said[:100], found.seconds / plain.seconds
        print(f"{name}{found.seconds:8.2f} s {size:8.1f} kB {checked.seconds:8.2f} s  {said}", flush=True)
        return Proved(said, size, found.seconds, checked.seconds, slower)


def row(name: str, some: Sequence[Proved]) -> str:
    """A line of the table."""
    good = [p for p in some if p.said.startswith("accepted")]
    sizes, ratios = [p.size for p in good] or [0.0], [p.check / p.search for p in good] or [0.0]
    slower = median([p.slower for p in some] or [float("nan")])
    size, check = f"{median(sizes):.1f}, {max(sizes):.0f}", f"{median(ratios):.2f}, {max(ratios):.1f}"
    return f"{name:<16}{len(some):>9}{len(good):>9}{size:>16}{check:>14}{slower:>8.2f}"


def main() -> int:
    """Run all, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1, help="one instance in so many")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds of a search (60)")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds of a check (600)")
    parser.add_argument("--processes", type=int, default=1, help="processes of a check (1)")
    parser.add_argument("--arithmetic", default="real", help="real (default) or float32")
    parser.add_argument("--plain", action="store_true", help="search without a proof, too")
    options = parser.parse_args()
    found: dict[str, list[Proved]] = {}
    for folder in options.folders:
        outcomes = [tried(model, spec, options) for model, spec in instances(folder, options.every)]
        found[folder.resolve().name] = [outcome for outcome in outcomes if outcome is not None]
    every = [outcome for some in found.values() for outcome in some]
    print(HEAD, *(row(name, some) for name, some in [*found.items(), ("all", every)]), sep="\n")
    return 1 if any(outcome.said.startswith("rejected") for outcome in every) else 0


if __name__ == "__main__":
    sys.exit(main())
