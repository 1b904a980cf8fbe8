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

from sklearn.datasets import load_digits

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from genbab.specs import robustness, write_vnnlib  # noqa: E402

SHARED = ROOT.parent / "shared" / "benchmarks"
HARD = "acasxu/onnx/ACASXU_run2a_1_8_batch_2000.onnx acasxu/vnnlib/prop_2.vnnlib"
NETWORKS = {"digits_sigmoid": 0.07, "digits_gelu": 0.08, "digits_softplus": 0.05}
"""Example networks, and radii at which some images need a search."""


@dataclass(frozen=True)
class ClusterRun:
    """A command on a local Ray. seconds: of the whole; start: of these, Ray's; verdicts: sorted."""

    workers: int
    seconds: float
    start: float
    verdicts: list[str]


def write_list(folder: Path, count: int) -> Path:
    """A list of so many instances, with its specifications beside it."""
    images, labels = load_digits(return_X_y=True)
    names = sorted(NETWORKS)
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        for i in range(count):
            name = names[i % len(names)]
            spec = robustness(images[-1 - i] / 16, int(labels[-1 - i]), 10, NETWORKS[name], (0.0, 1.0))
            write_vnnlib(spec, folder / f"{i:04d}.vnnlib")
            rows.writerow([ROOT / "examples" / "onnx" / f"{name}.onnx", f"{i:04d}.vnnlib", 120])
    return folder / "list.csv"


def ran(words: Sequence[str], workers: int) -> tuple[float, float]:
    """Seconds of a command on a Ray of its own, and of Ray's start."""
    cluster = ["--cluster", "ray:local", "--workers", str(workers)]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "genbab", *words, *cluster],
        cwd=ROOT,
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
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
            path = write_list(folder, options.count)
            same &= compared(f"{options.count} instances", [of_list(path, n) for n in turns])
        words = [str(options.instances / word) for word in HARD.split()]
        if Path(words[0]).exists():
            same &= compared("one search", [of_search(words, folder, n) for n in turns])
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
