"""Give the command line damaged and hostile files: `python benchmarks/fuzz_front.py --cases 20000 --seed 1`.

Models, specifications, lists, tables, arrays, images, studies, traces, formulas and options (tests/fuzz),
many cases in one process; a process that says nothing for too long, or dies, is charged to the case it was
at, which is then tried again by itself. Files of cases that break the law are kept.

Exit code: 0; 1 when the law is broken; 2 usage.
"""

from __future__ import annotations

import argparse
import collections
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

GUARD = 30.0  # seconds of silence that end a process; a case may take 10 s of the processor
START = 60.0  # seconds for a process to begin
ADDRESSES = 24 << 30  # bytes of address space of a process, so that a claim of terabytes harms nobody
EACH = 2500  # cases per process


def work(seed: int, first: int, last: int, keep: Path) -> None:
    """Run cases one after the other, and say so on stdout: `begin N`, then `end N ...`, by tabs."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    from tests.fuzz.front import make
    from tests.fuzz.judge import run

    channel = os.fdopen(os.dup(1), "w", buffering=1)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    for number in range(first, last):
        channel.write(f"begin\t{number}\n")
        folder = keep / str(number) / "case"
        folder.mkdir(parents=True)
        case = make(seed, number, folder)
        channel.write(f"made\t{case.kind}\n")
        found = run(case, folder)
        if found.wrong:
            (folder.parent / "why.txt").write_text(f"{case.words}\n{found.wrong}\n{found.detail}\n")
        else:
            shutil.rmtree(folder.parent)
        wrong = " ".join(found.wrong.split())
        words = ("end", number, case.kind, found.code, found.said, f"{found.seconds:.3f}", wrong)
        channel.write("\t".join(map(str, words)) + "\n")


@dataclass
class Tally:
    """What came of the cases."""

    ends: collections.Counter[tuple[str, str]] = field(default_factory=collections.Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, -1)
    faults: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, words: list[str]) -> None:
        """One line of a process, `end ...`."""
        number, kind, code, said, seconds, wrong = words[1:7]
        self.ends[kind, said or f"exit {code}"] += 1
        self.seconds[kind] = self.seconds.get(kind, 0.0) + float(seconds)
        self.slowest = max(self.slowest, (float(seconds), int(number)))
        if wrong:
            self.faults.append((int(number), kind, wrong))
            print(f"case {number} ({kind}): {wrong}", flush=True)


def watched(seed: int, first: int, last: int, keep: Path, tally: Tally) -> tuple[int, str, str]:
    """Run cases in a process; (next case, kind, how the one before it broke the process or nothing)."""
    words = [
        sys.executable,
        __file__,
        "--seed",
        str(seed),
        "--work",
        str(first),
        str(last),
        "--keep",
        str(keep),
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    at, kind, limit, buffer = first, "", START, ""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], limit)
        if not ready:
            process.kill()
            process.wait()
            return at + 1, kind, f"hangs: silent for {limit:g} s"
        text = os.read(process.stdout.fileno(), 1 << 16).decode()
        if not text:
            break
        *lines, buffer = (buffer + text).split("\n")
        for line in lines:
            said = line.split("\t")
            if said[0] == "end":
                tally.add(said)
                at, limit = int(said[1]) + 1, START
            elif said[0] == "made":
                kind, limit = said[1], GUARD
            else:
                at = int(said[1])
    code = process.wait()
    if at >= last:
        return last, "", ""
    if code == 0 and kind == "verify":  # the deadline's guard ends a process that does not answer in time
        tally.ends[kind, "timeout"] += 1
        return at + 1, kind, ""
    return at + 1, kind, f"the process ends with {code}"


def fuzz(seed: int, first: int, cases: int, keep: Path) -> Tally:
    """All cases; those that break a process are tried again alone, and count when they do it again."""
    tally, at, end = Tally(), first, first + cases
    while at < end:
        at, kind, broken = watched(seed, at, min(at + EACH, end), keep, tally)
        if not broken:
            continue
        shutil.rmtree(keep / str(at - 1), ignore_errors=True)
        _, _, again = watched(seed, at - 1, at, keep, tally)
        if again:
            tally.faults.append((at - 1, kind, again))
            print(f"case {at - 1} ({kind}): {again}", flush=True)
    return tally


def main() -> int:
    """Parse the options, run, report; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--keep", type=Path, help="folder for the files of cases that break the law")
    parser.add_argument("--work", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        first, last = options.work
        work(options.seed, first, last, options.keep)
        return 0
    keep = options.keep or Path(tempfile.mkdtemp(prefix="genbab-fuzz-"))
    keep.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    tally = fuzz(options.seed, options.first, options.cases, keep)
    for (kind, end), count in sorted(tally.ends.items()):
        print(f"{kind:10} {end:12} {count:6}")
    took = ", ".join(f"{kind} {seconds:.0f} s" for kind, seconds in sorted(tally.seconds.items()))
    print(f"time by kind: {took}; the slowest case: {tally.slowest[1]} with {tally.slowest[0]:.1f} s")
    print(
        f"seed {options.seed}, cases {options.first} to {options.first + options.cases - 1}: "
        f"{len(tally.faults)} break the law, {time.monotonic() - began:.0f} s; files in {keep}"
    )
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
