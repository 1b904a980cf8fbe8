"""What kill -9 does to a study: `python benchmarks/survive.py --instances 200 --kills 20 --workers 2`.

Writes a list of small robustness instances of the example networks, runs it undisturbed, then once more while
`genbab run` is killed (SIGKILL) at random moments and started again. Prints both tables' agreement, how many
instances were begun more than once, and whether any process outlived its parent. With --speed N it times the
first N instances with one worker and with several, one thread each. Needs scikit-learn for the images.

Exit code: 0; 1 when tables differ, more than one instance per worker and kill was begun again, or a process
stayed.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from crew_scaling import instances  # noqa: E402

RADII = dict.fromkeys(("digits_sigmoid", "digits_gelu", "digits_softplus"), (0.01, 0.02, 0.04))
TIMEOUT = 60


def write_list(folder: Path, count: int) -> Path:
    """The list of instances, with its specifications beside it."""
    return instances.write_list(folder, count, RADII, TIMEOUT)


def start(path: Path, workers: int, *words: str) -> subprocess.Popen[bytes]:
    """`genbab run` on a list, one thread per process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "genbab", "run", str(path), "--workers", str(workers), *words]
    none = subprocess.DEVNULL
    return subprocess.Popen([*command, "--threads", "1"], env=environment, stdout=none, stderr=none)


def verdicts(path: Path) -> list[tuple[str, str]]:
    """Specification and verdict of every row of the final table."""
    with path.with_name("list.results.csv").open(newline="") as file:
        return [(row[2], row[4]) for row in csv.reader(file)]


def attempts(path: Path) -> list[int]:
    """How often each instance was begun."""
    with closing(sqlite3.connect(path.with_name("list.study.db"))) as db:
        return [n for (n,) in db.execute("SELECT count(*) FROM attempt GROUP BY instance")]


def left_behind(folder: Path) -> list[str]:
    """Numbers of living processes whose command line names the folder."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in one.read_bytes() and int(one.parent.name) != os.getpid():
                found.append(one.parent.name)
        except OSError:
            continue
    return found


def disturbed(path: Path, options: argparse.Namespace, calm: float) -> tuple[int, list[str]]:
    """Run the list to its end, killing `genbab run` now and then: kills made, processes that outlived one."""
    dice, kills = random.Random(options.seed), 0
    stayed: list[str] = []
    while True:
        process = start(path, options.workers)
        pause = dice.uniform(0.1, 1.3) * calm / (options.kills + 1) if kills < options.kills else None
        try:
            process.wait(pause)
            return kills, stayed
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            time.sleep(0.2)
            stayed += left_behind(path.parent)


def timed(path: Path, workers: int) -> float:
    """Seconds that a fresh run takes."""
    began = time.monotonic()
    start(path, workers, "--fresh").wait()
    return time.monotonic() - began


def speed(folder: Path, options: argparse.Namespace) -> None:
    """One worker against several."""
    path = write_list(folder / "speed", options.speed)
    load = os.getloadavg()[0]
    times = [timed(path, workers) for workers in (1, options.workers)]
    share = times[1] / times[0]
    print(
        f"{options.speed} instances: 1 worker {times[0]:.1f} s, {options.workers} workers {times[1]:.1f} s: ",
        end="",
    )
    print(f"{share:.2f} of the time (load average before: {load:.1f}, {os.cpu_count()} cores)")


def main() -> int:
    """Print what was measured; 1 when something was lost, repeated too often or left behind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    for name, default in (("instances", 200), ("kills", 20), ("workers", 2), ("seed", 0), ("speed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="survive-") as name:
        folder = Path(name)
        if options.speed:
            speed(folder, options)
        if not options.instances:
            return 0
        calm, wild = (write_list(folder / word, options.instances) for word in ("calm", "wild"))
        began = time.monotonic()
        start(calm, options.workers).wait()
        seconds = time.monotonic() - began
        kills, stayed = disturbed(wild, options, seconds)
        same = verdicts(calm) == verdicts(wild) and len(verdicts(wild)) == options.instances
        repeated = sum(attempts(wild)) - options.instances
    print(f"undisturbed: {options.instances} instances in {seconds:.0f} s with {options.workers} workers")
    print(f"{kills} kills: tables {'agree' if same else 'DIFFER'}, {repeated} instances begun again ", end="")
    print(f"(allowed: {kills * options.workers}), processes left behind: {len(stayed)}")
    return 0 if same and repeated <= kills * options.workers and not stayed else 1


if __name__ == "__main__":
    sys.exit(main())
