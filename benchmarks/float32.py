"""Try bounds of executions in float32: `python benchmarks/float32.py --count 1000`.

Random networks of many kinds (`tests/soundness/float32/networks`) are bounded on a box and at its middle. An
emulator that shares nothing with genbab runs them at points of the box (corners, middle, random ones, their
neighbours) in many styles: orders and groupings of sums, products fused or not, subnormal numbers kept or
flushed, functions at the edges of the errors that --elementary states, operators of several steps in various
ways; on a few points also in orders that go for large errors, and in onnxruntime without its optimisations.
Every output must lie within the bounds.

    checked      outputs compared with bounds, and how many of them were outside (violations)
    over box     width of the bounds over the width of what the runs reached on the box, median over outputs
    at point     the same at the middle of the box alone: median and largest

Failing cases are written to the folder that --keep names; --replay runs and bounds them again.
Exit code: 0; 1 when anything is outside or fails; 2 usage.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from genbab import Config, api
from genbab.errors import GenbabError
from tests.soundness.float32 import Style
from tests.soundness.float32.examine import (
    Bounds,
    Effort,
    Examined,
    by_runtime,
    examined,
    kept,
    outputs,
    replayed,
)
from tests.soundness.float32.networks import KINDS, Case, random_network
from tests.soundness.float32.styles import BEYOND, SINGLE, Allowed
from tests.soundness.float32.tables import InTable, InUlps

COLUMNS = "cases refused errors checked violations".split()
RATIOS = ("over box", "at point", "largest")
ARITHMETIC = ("float32", "real")
FLOAT32 = {"arithmetic": "float32", "elementary": "onnxruntime"}
TABLES = Path(__file__).resolve().parent.parent / "genbab" / "network" / "rounding" / "tables"


def bounds_of(case: Case, settings: Mapping[str, Any] = FLOAT32) -> Bounds | str:
    """The bounds of all outputs on the case's box, or why there are none."""
    low, high = (end.reshape(-1).astype(np.float64) for end in (case.low, case.high))
    config = Config(root_steps=1, **settings)
    try:
        lower, upper = api.bounds(case.model.SerializeToString(), low, high, "backward", config)
    except GenbabError as error:
        return f"{type(error).__name__}: {error}"
    return lower.numpy(), upper.numpy()


def tried(seed: int, settings: Mapping[str, Any], effort: Effort, folder: Path) -> Examined:
    """What became of one case, which is kept where it fails."""
    torch.set_num_threads(1)
    case = random_network(seed)
    try:
        outcome = examined(case, partial(bounds_of, settings=settings), effort)
    except Exception:
        outcome = Examined(case.kind, seed, error=traceback.format_exc(limit=-3))
    if outcome.violations or outcome.error:
        kept(case, outcome, folder)
    return outcome


def outcomes(seeds: Iterable[int], workers: int, one: Callable[[int], Examined]) -> Iterator[Examined]:
    """The outcomes, in order."""
    if workers == 1:
        yield from map(one, seeds)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(one, seeds, chunksize=4)


def row(kind: str, some: list[Examined]) -> str:
    """A line of the table."""
    counts = {
        "cases": len(some),
        "refused": sum(bool(o.refused) for o in some),
        "errors": sum(bool(o.error) for o in some),
        "checked": sum(o.checked for o in some),
        "violations": sum(o.violations for o in some),
    }
    box, point = [r for o in some for r in o.over_box], [r for o in some for r in o.at_point]
    ratios = (
        fn(values) if values else np.nan
        for fn, values in ((np.median, box), (np.median, point), (max, point))
    )
    cells = [f"{counts[name]:>12}" for name in COLUMNS] + [f"{ratio:>11.4g}" for ratio in ratios]
    return f"{kind:<14}" + "".join(cells)


def search(options: argparse.Namespace) -> int:
    """Try the cases and print the table."""
    beyond, whole = frozenset(options.beyond), frozenset(options.whole)
    like = Style(allowed=stated(options.elementary), beyond=beyond, whole=whole)
    effort = Effort(options.points, options.styles, options.greedy, options.runtime, options.steered, like)
    begun, every, shown = time.monotonic(), [], options.show
    one = partial(tried, settings=settings_of(options), effort=effort, folder=options.keep)
    chosen = [s for s in range(options.seed, options.seed + options.count) if kind_of(s) in options.kinds]
    for outcome in outcomes(chosen, options.workers, one):
        every.append(outcome)
        said = outcome.error or "".join(map(str, outcome.found[:1])) or (outcome.refused * options.refusals)
        if said and shown > 0:
            shown -= 1
            print(f"!! {outcome.kind} {outcome.seed}: {said}", flush=True)
    heads = [f"{name:>12}" for name in COLUMNS] + [f"{name:>11}" for name in RATIOS]
    print(f"{f'seed {options.seed}':<14}" + "".join(heads))
    lines = [(kind, [o for o in every if o.kind == kind]) for kind in KINDS]
    print(*(row(kind, some) for kind, some in [*lines, ("all", every)] if some), sep="\n")
    bounded, ran = (sum(o.seconds[k] for o in every) for k in (0, 1))
    print(f"bounds {bounded:.0f} s, runs {ran:.0f} s, {time.monotonic() - begun:.0f} s in all")
    return 1 if any(o.violations or o.error for o in every) else 0


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that the bounds are asked for with."""
    if options.arithmetic == "real":
        return {}
    return {"arithmetic": options.arithmetic, "elementary": options.elementary}


def stated(elementary: str) -> Allowed:
    """The errors of functions that this setting states."""
    if elementary.endswith("ulp"):
        return InUlps(int(elementary.removesuffix("ulp")))
    return InTable(TABLES / f"{elementary}.json")


def kind_of(seed: int) -> str:
    """The kind of the network of a seed."""
    return list(KINDS)[seed % len(KINDS)]


def again(options: argparse.Namespace) -> int:
    """Run kept cases again, with new bounds of the box and of the point alone."""
    failed = 0
    for folder in options.replay:
        case, violations = replayed(folder, stated(options.elementary))
        for style, x, found in violations:
            y = by_runtime(case, x) if isinstance(style, str) else outputs(case.model, x, style)
            value = float(y[0, found.output])
            for name, asked in (("box", case), ("point", replace(case, low=x[0], high=x[0]))):
                bounds = bounds_of(asked, settings_of(options))
                if isinstance(bounds, str):
                    print(f"{folder} {name}: {bounds}")
                    continue
                low, high = (float(end.reshape(-1)[found.output]) for end in bounds)
                failed += not low <= value <= high
                verb = "in" if low <= value <= high else "NOT in"
                print(f"{folder} {name}: {value!r} {verb} [{low!r}, {high!r}], {found.style}")
    return 1 if failed else 0


def parsed(words: list[str] | None = None) -> Any:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)} (default all)")
    parser.add_argument("--count", type=int, default=200, help="networks (default 200), kinds in turn")
    parser.add_argument("--seed", type=int, default=0, help="the first one's seed (default 0)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--points", type=int, default=1000, help="points of each box (default 1000)")
    parser.add_argument("--styles", type=int, default=26, help="styles at every point (default 26)")
    parser.add_argument("--greedy", type=int, default=40, help="points for greedy orders (default 40)")
    parser.add_argument("--runtime", type=int, help="points for onnxruntime (default 20, if errors are its)")
    parser.add_argument("--steered", type=int, default=2, help="outputs steered at the middle (default 2)")
    parser.add_argument("--arithmetic", choices=ARITHMETIC, default="float32", help="of the bounds")
    parser.add_argument(
        "--elementary",
        default="onnxruntime",
        help="onnxruntime, torch, or units as 4ulp: errors of functions",
    )
    parser.add_argument(
        "--beyond", nargs="*", default=[], choices=BEYOND, help="what runtimes may do besides"
    )
    parser.add_argument(
        "--whole",
        nargs="*",
        default=sorted(SINGLE),
        choices=sorted(SINGLE),
        help="operators that are one function with a stated error, not steps (default all)",
    )
    parser.add_argument("--keep", type=Path, default=Path("build/float32"), help="where failing cases go")
    parser.add_argument("--show", type=int, default=5, help="failures printed (default 5)")
    parser.add_argument("--refusals", action="store_true", help="print refusals, too")
    parser.add_argument("--replay", type=Path, nargs="+", help="folders of kept cases to run again")
    options = parser.parse_args(words)
    if unknown := [k for k in options.kinds if k not in KINDS]:
        parser.error(f"no such kind: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    options.kinds = options.kinds or list(KINDS)
    if options.runtime is None:
        options.runtime = 20 if options.elementary == "onnxruntime" else 0
    return options


def main() -> int:
    """The command."""
    options = parsed()
    return again(options) if options.replay else search(options)


if __name__ == "__main__":
    sys.exit(main())
