"""Try every function on random boxes against the truth: `python benchmarks/fuzz.py --boxes 1000000`.

Lines (default, zero, inside, optimised and wild slopes, both sides) and ranges of every function of the
library, of composed ones (tests/nonlinear/expressions.py and random programs), and planes of functions of two
arguments, in float32 and float64. What could be wrong by float64's own evaluation is decided with
arbitrary-precision balls, and so is all of a random sample. Functions are named as the table names them
(`gelu`, `power(3)`, `double well`, `drawn 7`); a name without its parameters means all of them.

Exit code: 0; 1 when anything is violated; 2 usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from genbab.errors import GenbabError
from genbab.nonlinear import Gate, Product, compose, functions, make
from tests.nonlinear.expressions import WRITTEN
from tests.soundness.composed import drawn
from tests.soundness.fuzzing import Case, Report, fuzz
from tests.soundness.planes import PlaneCase, fuzz_planes, plane_case
from tests.soundness.truth import program, truth

DTYPES = {"float32": torch.float32, "float64": torch.float64}
GATES = ("sigmoid", "tanh", "silu", "gelu", "relu", "sin", "exp", "step", "reciprocal", "sqrt", "softplus")
DRAWN = 20


def cases(names: list[str]) -> Iterator[Case | PlaneCase]:
    """The functions named, or all of them."""

    def wanted(name: str) -> bool:
        return not names or name in names or name.split("(")[0] in names

    for fn in functions():
        if wanted(str(fn)):
            yield Case(str(fn), fn, truth(fn))
    programs = {**WRITTEN, **{f"drawn {seed}": drawn(seed) for seed in range(DRAWN)}}
    for name, expression in programs.items():
        if wanted(name):
            try:
                yield Case(name, compose(expression), program(expression))
            except GenbabError as error:
                print(f"{name:26} refused: {error}")
    for bivariate in (Product(), *(Gate(make(name)) for name in GATES)):
        if wanted(bivariate.name):
            yield plane_case(bivariate)


def tried(case: Case | PlaneCase, dtype: torch.dtype, count: int, seed: int) -> Report:
    """The report of either kind of function."""
    if isinstance(case, PlaneCase):
        return fuzz_planes(case, dtype, count, seed)
    return fuzz(case, dtype, count, seed)


def row(report: Report) -> str:
    """One line of the table."""
    return (
        f"{report.case:26} {report.dtype:8} {report.boxes:>9} {report.checks:>14} {report.precise:>10}"
        f" {report.violations:>10} {report.worst:>9.2g} {report.seconds:>8.1f}"
    )


def main() -> int:
    """Run from the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="*", metavar="FUNCTION")
    parser.add_argument("--boxes", type=int, default=1_000_000, help="per function and dtype")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=[*DTYPES, "both"], default="both")
    parser.add_argument("--json", type=Path, help="write all numbers there")
    options = parser.parse_args()
    dtypes = list(DTYPES.values()) if options.dtype == "both" else [DTYPES[options.dtype]]
    print(f"seed {options.seed}, torch {torch.__version__}")
    print(
        f"{'function':26} {'dtype':8} {'boxes':>9} {'checks':>14} {'precise':>10} {'violations':>10}"
        f" {'worst':>9} {'seconds':>8}"
    )
    reports = []
    for case in cases(options.functions):
        for dtype in dtypes:
            reports.append(tried(case, dtype, options.boxes, options.seed))
            print(row(reports[-1]), *(f"    {found}" for found in reports[-1].examples), sep="\n", flush=True)
    if not reports:
        parser.error(f"no function is named {' or '.join(options.functions)}")
    violations = sum(report.violations for report in reports)
    seconds = sum(report.seconds for report in reports)
    print(f"{len(reports)} runs, {violations} violations, {seconds:.0f} s, seed {options.seed}")
    if options.json:
        data = {"seed": options.seed, "boxes": options.boxes, "reports": [asdict(r) for r in reports]}
        options.json.write_text(json.dumps(data, indent=1, default=str) + "\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
