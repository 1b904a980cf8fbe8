"""Search for wrong verdicts: `python benchmarks/adversary.py [KIND ...] --count 1000`.

Every case is a model and a specification whose right answer is known by exact arithmetic that shares nothing
with genbab (`tests/soundness/adversary`): affine chains with cancelling constants that meet thresholds
exactly (`affine`; `folded` with constants made of constants), numbers at both ends of the range
(`range_ends`), graphs of nonlinear operators in balls of real numbers (`smooth`), points where nothing is
defined or finite (`undefined`), integers that wrap and casts (`integers`), counterexamples that gradients do
not find (`needles`), odd specifications (`odd_specs`), clauses of several rows (`conjunctions`), polynomials
whose least value is attained (`quadratics`). The attack is switched off (but in some odd specifications), so
that bounds and branching stand alone; bounds are compared with exact values at points as well.

    decided     of the properties that hold by more than 1e-6 of what is added up, how many were verified
                (differs: verified, but not believed because onnxruntime's rounding exceeds what is allowed)
    wrong       false verdicts, and bounds that do not hold
    errors      exceptions that are no answer

Failing cases are written to a folder (model, specification, what is right); `--replay` asks them again.
`--hunt` switches the attack on and says how many needles it, plain projected gradient descent, and random
search find. Exit code: 0; 1 when anything is wrong; 2 usage.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from genbab import Config, verify
from genbab.reader import load_onnx
from tests.soundness.adversary import KINDS, Outcome, examined, kept, replayed
from tests.soundness.adversary.needles import architecture, needles, plain_descent, random_search

COLUMNS = (
    "cases",
    "refused",
    "verified",
    "falsified",
    "unknown",
    "timeout",
    "differs",
    "decided",
    "wrong",
    "errors",
)
BATCH = 4
"""Cases that a process takes at a time."""


def tried(kind: str, seed: int, folder: Path) -> Outcome:
    """The outcome of one case, which is kept where it fails."""
    torch.set_num_threads(1)
    case = KINDS[kind](seed)
    outcome = examined(case)
    if outcome.wrong:
        kept(case, outcome, folder)
    return outcome


def counted(kind: str, results: Iterable[Outcome], shown: int) -> Counter[str]:
    """What became of the cases; the first wrong ones are printed as they come."""
    seen: Counter[str] = Counter()
    for outcome in results:
        seen["cases"] += 1
        seen["errors" if outcome.status == "error" else outcome.status] += 1
        seen["decidable"] += outcome.decidable
        seen["decided"] += outcome.decidable and outcome.status == "verified"
        seen["wrong"] += bool(outcome.wrong) and outcome.status != "error"
        if outcome.wrong and shown > 0:
            shown -= 1
            print(f"!! {kind} {outcome.seed} ({outcome.status}): {outcome.wrong}", flush=True)
    return seen


def row(kind: str, seen: Counter[str], seconds: float) -> str:
    """A line of the table."""
    cells = {name: str(seen[name]) for name in COLUMNS}
    cells["decided"] = f"{seen['decided']}/{seen['decidable']}"
    return f"{kind:<11}" + "".join(f"{cells[name]:>12}" for name in COLUMNS) + f"{seconds:>9.0f} s"


def hunted(seed: int, seconds: float) -> tuple[str, bool, bool, bool, str]:
    """Architecture; whether the attack, gradient descent and random search find the needle; what is wrong."""
    torch.set_num_threads(1)
    case = needles(seed)
    model = load_onnx(case.model)
    assert not isinstance(case.spec, str)
    result = verify(model, case.spec, Config(timeout=seconds))
    wrong = f"{seed}: verified" if result.verdict == "verified" else ""
    others = plain_descent(case, model.network), random_search(case)
    return architecture(seed), result.verdict == "falsified", *others, wrong


def hunt(options: argparse.Namespace) -> int:
    """Print how many needles are found, by architecture."""
    found: dict[str, list[int]] = {}
    wrong = []
    with ProcessPoolExecutor(options.workers) as pool:
        seeds = range(options.seed, options.seed + options.count)
        for name, ours, descent, random, said in pool.map(partial(hunted, seconds=options.limit), seeds):
            line = found.setdefault(name, [0, 0, 0, 0])
            for k, one in enumerate((True, ours, descent, random)):
                line[k] += one
            wrong += [said] if said else []
    print(f"{'':<12}{'needles':>9}{'genbab':>9}{'descent':>9}{'random':>9}")
    for name, line in [*found.items(), ("all", [sum(c) for c in zip(*found.values(), strict=True)])]:
        print(f"{name:<12}" + "".join(f"{number:>9}" for number in line))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


def again(folders: list[Path]) -> int:
    """Ask kept cases again."""
    failed = 0
    for folder in folders:
        outcome = examined(replayed(folder))
        failed += bool(outcome.wrong)
        print(f"{folder}: {outcome.status} {outcome.wrong}")
    return 1 if failed else 0


def search(options: argparse.Namespace) -> int:
    """Try every kind and print the table."""
    lines, failed = [], False
    seeds = range(options.seed, options.seed + options.count)
    for kind in options.kinds or KINDS:
        begun = time.monotonic()
        with ProcessPoolExecutor(options.workers) as pool:
            one = partial(tried, kind, folder=options.folder)
            seen: Counter[str] = Counter()
            for start in range(0, len(seeds), step := BATCH * options.workers * 4):
                left = None if options.seconds is None else options.seconds - (time.monotonic() - begun)
                if left is not None and left <= 0:
                    break
                results = pool.map(one, islice(seeds, start, start + step), chunksize=BATCH)
                seen += counted(kind, results, options.show - seen["wrong"])
        lines.append(row(kind, seen, time.monotonic() - begun))
        failed = failed or bool(seen["wrong"] or seen["errors"])
    print(f"{'seed ' + str(options.seed):<11}" + "".join(f"{name:>12}" for name in COLUMNS) + f"{'time':>11}")
    print(*lines, sep="\n")
    return 1 if failed else 0


def parsed(words: list[str] | None = None) -> Any:
    """The options."""
    parser = argparse.ArgumentParser(
        description="Search for wrong verdicts on cases whose answers are known."
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)} (default all)")
    parser.add_argument("--count", type=int, default=200, help="cases of each kind (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="the first one's seed (default 0)")
    parser.add_argument("--seconds", type=float, help="no further cases of a kind after this time")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--folder", type=Path, default=Path("build/adversary"), help="where failing cases go")
    parser.add_argument("--show", type=int, default=5, help="wrong ones printed per kind (default 5)")
    parser.add_argument("--hunt", action="store_true", help="search for needles with the attack, and without")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds for each needle (default 10)")
    parser.add_argument("--replay", type=Path, nargs="+", help="folders of kept cases to ask again")
    options = parser.parse_args(words)
    if unknown := [k for k in options.kinds if k not in KINDS]:
        parser.error(f"no such kind: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    return options


def main() -> int:
    """The command."""
    options = parsed()
    if options.replay:
        return again(options.replay)
    return hunt(options) if options.hunt else search(options)


if __name__ == "__main__":
    sys.exit(main())
