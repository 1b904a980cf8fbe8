"""What a local Ray with two workers gains over one: a list of instances, and one hard search.

    python benchmarks/cluster.py [--count 60] [--turns 1]    on two cores with nothing else to do; needs Ray

Prints seconds of whole commands, of which Ray's start takes those that it says, and the ratios with and
without the start. Exit code 1 where verdicts differ.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crew_scaling.instances import SHARED, acasxu, write_list  # noqa: E402
from crew_scaling.real import ENVIRONMENT  # noqa: E402

HARD = acasxu("1_8", 2)
RADII = {"digits_gelu": [0.08], "digits_sigmoid": [0.07], "digits_softplus": [0.05]}
"""Example networks, and radii at which some images need a search."""


@dataclass(frozen=True)
class ClusterRun:
    """A command on a local Ray. seconds: of the whole; start: of these, Ray's; verdicts: sorted."""

    workers: int
    seconds: float
    start: float
    verdicts: list[str]


def ran(words: Sequence[str], workers: int) -> tuple[float, float]:
    """Seconds of a command on a Ray of its own, and of Ray's start."""
    cluster = ["--cluster", "ray:local", "--workers", str(workers)]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "genbab", *words, *cluster],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    told = re.search(r"started in ([0-9.]+) s", done.stderr + done.stdout)
    if done.returncode or told is None:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
    return seconds, float(told[1])


def of_list(path: Path, workers: int) -> ClusterRun:
    """A fresh run of a list."""
    seconds, start = ran(["run", str(path), "--fresh"], workers)
    with path.with_name("list.results.csv").open(newline="", encoding="utf-8") as file:
        verdicts = [f"{row[2]} {row[4]}" for row in csv.reader(file)]
    return ClusterRun(workers, seconds, start, sorted(verdicts))


def of_search(words: list[str], folder: Path, workers: int) -> ClusterRun:
    """One search."""
    path = folder / f"{workers}.json"
    seconds, start = ran(["verify", *words, "--timeout", "600", "--json", str(path)], workers)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return ClusterRun(workers, seconds, start, [found["verdict"]])


def compared(what: str, runs: Sequence[ClusterRun]) -> bool:
    """Print the best runs with one worker and with two; whether all verdicts are the same."""
    best = [min((r for r in runs if r.workers == n), key=lambda r: r.seconds) for n in (1, 2)]
    one, two = best
    whole = one.seconds / two.seconds
    without = (one.seconds - one.start) / (two.seconds - two.start)
    print(
        f"{what}: one worker {one.seconds:.1f} s (start {one.start:.1f}), two {two.seconds:.1f} s "
        f"(start {two.start:.1f}): {whole:.2f} times as fast, without the start {without:.2f}",
        flush=True,
    )
    return all(run.verdicts == one.verdicts for run in runs)


def main() -> int:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=60, help="instances of the list; 0: no list")
    parser.add_argument("--turns", type=int, default=1, help="how often each has its turn")
    parser.add_argument("--instances", type=Path, default=SHARED, help="the folder of the families")
    options = parser.parse_args()
    turns, same = [1, 2] * options.turns, True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.count:
            path = write_list(folder / "list", options.count, RADII, 120)
            same &= compared(f"{options.count} instances", [of_list(path, n) for n in turns])
        words = [str(options.instances / word) for word in HARD.split()]
        if Path(words[0]).exists():
            same &= compared("one search", [of_search(words, folder, n) for n in turns])
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
