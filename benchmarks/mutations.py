"""Attack the checker with changed proofs: `python benchmarks/mutations.py --runs 100000`.

Proofs of networks of every kind of rule, most of them of statements false by 0.0001 at a known point, are
changed in one to three ways (tests/check/mutations.py and damage.py). No false statement may be accepted,
nothing may fail otherwise than the checker means to, and nothing may take over 10 seconds. One in --apart
runs is a process of its own. A table says by the first change what was rejected, refused or accepted.

Exit code: 0; 1 with findings; 2 usage.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.check.damage import CHANGES
from tests.check.subjects import subjects
from tests.check.trials import Trial, tried

COLUMNS = [
    (truth, outcome) for truth in (True, False) for outcome in ("rejected", "refused", "accepted", "failed")
]


def table(trials: Counter[tuple[str, bool, str]]) -> str:
    """Counts by change."""
    head = "".join(f"{'false' if truth else 'true':>7} {outcome:<9}" for truth, outcome in COLUMNS)
    lines = [f"{'change':<12}{head}"]
    for change in [*(way.__name__ for way in CHANGES), "all"]:
        some = [one for one in trials if change in (one[0], "all")]
        counts = [sum(trials[one] for one in some if one[1:] == column) for column in COLUMNS]
        lines.append(f"{change:<12}" + "".join(f"{count:>16} " for count in counts))
    return "\n".join(lines)


def main() -> int:
    """Run from the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first run; the others follow")
    parser.add_argument("--apart", type=int, default=1000, help="one run in so many is a process of its own")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    some, begin = subjects(), time.monotonic()
    trials: Counter[tuple[str, bool, str]] = Counter()
    findings = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seed, options.seed + options.runs):
            trial: Trial = tried(seed, Path(folder), some, seed % options.apart == 0)
            trials[trial.change, trial.false, trial.outcome] += 1
            if trial.finding:
                findings += 1
                print(trial.finding, flush=True)
    print(table(trials))
    print(f"{options.runs} runs, {findings} findings, {time.monotonic() - begin:.0f} s")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
