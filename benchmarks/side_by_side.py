"""Two checkouts on the same instances, in turn: `python benchmarks/side_by_side.py OLD NEW FOLDER...`.

Every instance is two `genbab verify` processes, one of each checkout, one after the other; which goes first
alternates. `--new-options "--arithmetic float32"`, say, adds to the words of the new one's command. What
counts is the ratio of processor seconds (user and system) where both decide. It is worth something on an idle
machine only. Writes a file (`--json`) after every instance.

Exit code: 0; 1 when a verdict of OLD is lost or contradicted; 2 usage.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from run import folders

from genbab.cli.many.instances import ListedInstance, read_instances

DECIDED = ("verified", "falsified")


@dataclass(frozen=True)
class Run:
    """One process: what it said, the processor and wall seconds it took."""

    verdict: str
    processor: float
    wall: float


@dataclass(frozen=True)
class Pair:
    """One instance in both checkouts."""

    family: str
    model: str
    spec: str
    old: Run
    new: Run

    @property
    def ratio(self) -> float | None:
        """Processor seconds, new over old, where both decide."""
        decided = self.old.verdict in DECIDED and self.new.verdict in DECIDED
        return self.new.processor / self.old.processor if decided else None

    @property
    def lost(self) -> bool:
        """Whether the new checkout says less than the old one, or something else."""
        return self.old.verdict in DECIDED and self.new.verdict != self.old.verdict


@dataclass(frozen=True)
class Side:
    """A checkout and the options that it is run with."""

    checkout: Path
    options: tuple[str, ...] = ()


def verify(side: Side, instance: ListedInstance, timeout: float) -> Run:
    """One process of this checkout with one thread."""
    checkout = side.checkout
    environment = {
        **os.environ,
        "PYTHONPATH": str(checkout.resolve()),
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    command = [
        sys.executable,
        "-m",
        "genbab",
        "verify",
        str(instance.model_path.resolve()),
        str(instance.spec_path.resolve()),
    ]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [*command, "--quiet", "--threads", "1", "--timeout", str(timeout), *side.options],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout * 4 + 60,
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    words = done.stdout.split()
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(words[0] if words else (done.stderr.strip() or "no answer")[-200:], processor, wall)


def compared(
    sides: tuple[Side, Side], instance: ListedInstance, family: str, timeout: float, turn: int
) -> Pair:
    """Both processes, the old one first in even turns."""
    order = (0, 1) if turn % 2 == 0 else (1, 0)
    runs = {place: verify(sides[place], instance, timeout) for place in order}
    return Pair(family, instance.model, instance.spec, runs[0], runs[1])


def summary(pairs: Sequence[Pair]) -> str:
    """Medians per family and of all, what was lost and what was gained."""
    lines = []
    for family in [*dict.fromkeys(pair.family for pair in pairs), None]:
        ratios = [p.ratio for p in pairs if family in (None, p.family) and p.ratio is not None]
        if ratios:
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            lines.append(f"{family or 'all':20} {len(ratios):4} {statistics.median(ratios):.3f}  {spread}")
    lines += [f"LOST {p.family} {p.spec}: {p.old.verdict} -> {p.new.verdict}" for p in pairs if p.lost]
    gained = [p for p in pairs if p.old.verdict not in DECIDED and p.new.verdict in DECIDED]
    return "\n".join(lines + [f"gained {p.family} {p.spec}: {p.new.verdict}" for p in gained])


def main() -> int:
    """Run the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--timeout", type=float, default=30.0)
    parser.add_argument("--every", type=int, default=1, help="take every so-manieth instance of a folder")
    parser.add_argument("--json", type=Path)
    for name in ("old", "new"):
        parser.add_argument(f"--{name}-options", default="", help="more words of its command")
    options = parser.parse_args()
    sides = (
        Side(options.old, tuple(options.old_options.split())),
        Side(options.new, tuple(options.new_options.split())),
    )
    pairs: list[Pair] = []
    for folder in folders(options.folders):
        for instance in read_instances(folder / "instances.csv")[:: options.every]:
            pair = compared(sides, instance, folder.name, options.timeout, len(pairs))
            pairs.append(pair)
            said = f"{pair.old.verdict} {pair.old.processor:.2f}, {pair.new.verdict} {pair.new.processor:.2f}"
            print(f"{pair.family:16} {pair.spec[:40]:40} {said}", flush=True)
            if options.json is not None:
                options.json.write_text(json.dumps([asdict(p) for p in pairs], indent=1))
    print(summary(pairs))
    return int(any(pair.lost for pair in pairs))


if __name__ == "__main__":
    sys.exit(main())
