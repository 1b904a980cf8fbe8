"""Compare the checker with one in rational arithmetic: `python benchmarks/agreement.py --proofs 1000`.

Random statements about random networks (tests/check/agreement.py says which, and what agreement means).
Prints how often both accept, both reject, and one alone accepts, by maker of the proof.

Exit code: 0; 1 where they do not agree; 2 usage.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.check.agreement import counted


def main() -> int:
    """Run from the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--proofs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first proof; the others follow")
    options = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts, findings = counted(Path(folder), range(options.seed, options.seed + options.proofs))
    for (maker, truth, outcome), count in sorted(counts.items()):
        print(f"{maker:<8}{truth:<7}{count:>6}  {outcome}")
    print(*findings, sep="\n")
    print(f"{counts.total()} proofs, {len(findings)} findings, {time.monotonic() - begin:.0f} s")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
