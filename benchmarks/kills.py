"""kill -9 at random moments of a search, which `genbab resume` takes up: the same verdict? what is lost?

    python benchmarks/kills.py [NAME ...] [--moments 50] [--every 2] [--jobs 2]

Every search is run undisturbed first. Then it is killed (SIGKILL, all its processes) at moments that are
spread evenly over the time that it took, the moments being shared out over the searches, and taken up from
its checkpoint to the end; by turns with one and with two workers. Where nothing was written yet it is run
again from the start. Printed are, for each search, the verdicts, the most seconds between what was kept and
the kill, and the domains of both runs over those of the undisturbed one, with and without those that were
lost. Exit code 1: another verdict.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crew_scaling.instances import ERAN, SHARED, acasxu, example, lsnc, write_digit  # noqa: E402
from crew_scaling.page import table  # noqa: E402
from crew_scaling.real import ENVIRONMENT  # noqa: E402

INSTANCES = {
    "acasxu 1_3 prop_1": acasxu("1_3", 1),
    "lsnc state 18": lsnc("state", 18),
    "eran_sigmoid 9044": ERAN,
}
FASTER = 1.0, 0.6
"""Share of the undisturbed time in which kills of one and of two workers come: the latter end sooner."""

DIGITS = "digits_sigmoid 0.0815"
"""An image of scikit-learn's, around which the example network is robust by a hair."""


@dataclass(frozen=True)
class Ended:
    """A run that ended by itself: its verdict, domains (of the runs before it, too), seconds by the clock."""

    verdict: str
    domains: int
    seconds: float


@dataclass(frozen=True)
class Killed:
    """A run that was killed after so many `seconds` and taken up.

    done: domains until the kill; kept: of these in the checkpoint; age: seconds between both, None where
    there was no checkpoint; after: how it ended.
    """

    seconds: float
    done: int
    kept: int
    age: float | None
    after: Ended

    @property
    def domains(self) -> int:
        """All that were bounded, those twice that were lost."""
        return self.done + self.after.domains - self.kept


def started(words: Sequence[str]) -> subprocess.Popen[bytes]:
    """A run of `genbab` with these words, in a process group of its own."""
    command = [sys.executable, "-m", "genbab", *words, "--quiet"]
    environment = {**os.environ, **ENVIRONMENT}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )


def ended(words: Sequence[str], folder: Path) -> Ended:
    """How a run ends that nobody disturbs."""
    path, began = folder / "result.json", time.monotonic()
    process = started([*words, "--json", str(path)])
    if code := process.wait():
        raise SystemExit(f"{' '.join(words)}: exit code {code}")
    found = json.loads(path.read_text(encoding="utf-8"))
    domains = int(found["statistics"].get("domains", 0))
    return Ended(found["verdict"], domains, time.monotonic() - began)


def rounds(trace: Path) -> Iterator[dict[str, Any]]:
    """What a trace says of rounds, as far as it was written."""
    for line in trace.read_text(encoding="utf-8").splitlines() if trace.exists() else []:
        try:
            event = json.loads(line)
        except ValueError:  # cut off in the middle
            return
        if event["event"] == "round":
            yield event


def killed(asked: Sequence[str], every: float, moment: tuple[float, int]) -> Killed:
    """A run that is killed at a moment (seconds, workers), and taken up."""
    seconds, workers = moment
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept, trace = folder / "kept.gbc", folder / "before.jsonl"
        crew = ["--workers", str(workers), "--threads", "1"]
        save = ["--checkpoint", str(kept), "--checkpoint-every", str(every)]
        process = started(["verify", *asked, *crew, *save, "--trace", str(trace)])
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        now = time.time()
        if process.wait() != -signal.SIGKILL:  # it ended before
            return killed(asked, every, (0.7 * seconds, workers))
        done = max((event["visited"] for event in rounds(trace)), default=0)
        if not kept.exists():
            return Killed(seconds, done, 0, None, ended(["verify", *asked, *crew], folder))
        age, again = now - kept.stat().st_mtime, folder / "after.jsonl"
        after = ended(["resume", str(kept), "--timeout", "600", "--trace", str(again)], folder)
        first = next(rounds(again), None)
        known = after.domains if first is None else first["visited"] - first["batch"]
        return Killed(seconds, done, known, age, after)


def measured(name: str, asked: Sequence[str], count: int, options: argparse.Namespace) -> list[str]:
    """A row: what became of all runs of one search; raises `SystemExit` for another verdict."""
    with tempfile.TemporaryDirectory() as folder:
        calm = ended(["verify", *asked, "--threads", "1", "--workers", "1"], Path(folder))
    dice = random.Random(options.seed)
    share = [(n + dice.random()) / count for n in range(count)]
    moments = [(part * calm.seconds * FASTER[n % 2], 1 + n % 2) for n, part in enumerate(share)]
    with ThreadPoolExecutor(options.jobs) as pool:
        found = list(pool.map(partial(killed, asked, options.every), moments))
    wrong = [k for k in found if k.after.verdict != calm.verdict]
    if wrong or calm.verdict not in ("verified", "falsified"):
        raise SystemExit(f"{name}: {calm}, but {wrong}")
    ages = [k.age for k in found if k.age is not None]
    whole = [k.domains / calm.domains for k in found]
    without = [k.after.domains / calm.domains for k in found]
    ratios = (f"{median(some):.2f}, {max(some):.2f}" for some in (whole, without))
    cells = [name, f"{calm.seconds:.1f}", str(calm.domains), f"{len(found)} {calm.verdict}", str(len(ages))]
    return [*cells, f"{max(ages, default=0.0):.1f}", *ratios]


HEAD = [
    "search",
    "seconds",
    "domains",
    "kills: verdict",
    "taken up",
    "most seconds lost",
    "domains over undisturbed: median, most",
    "without those lost",
]


def digits(folder: Path) -> list[str]:
    """The model and the property of `DIGITS`."""
    write_digit(folder / "digits.vnnlib", 1, 0.0815)
    return [str(example("digits_sigmoid")), str(folder / "digits.vnnlib")]


def main() -> None:
    """Kill what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", default=[*INSTANCES, DIGITS], help="of searches; all by default")
    parser.add_argument("--moments", type=int, default=50, help="kills in all")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two checkpoints")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--instances", type=Path, default=SHARED, help="the folder of the families")
    options = parser.parse_args()
    rows, searches = [], len(options.names)
    with tempfile.TemporaryDirectory() as folder:
        for place, name in enumerate(options.names):
            words = [str(options.instances / word) for word in INSTANCES.get(name, "").split()]
            asked = [*(words or digits(Path(folder))), "--timeout", "600"]
            count = options.moments // searches + (place < options.moments % searches)
            rows.append(measured(name, asked, count, options))
            print(" | ".join(rows[-1]), flush=True)
    print(table(HEAD, rows))


if __name__ == "__main__":
    main()
