"""How long reading large specifications takes, on one core: `python benchmarks/read_specs.py [file ...]`.

Without files: two texts in the styles that occur, 300k assertions about 150k inputs (images) and 60k
disjuncts with a box each (nn4sys lindex), written to a temporary folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from genbab.specs import read_vnnlib


def flat_text(inputs: int, seed: int) -> str:
    """Two assertions for each of `inputs` inputs, and one disjunction of nine rows over ten outputs."""
    low = np.random.default_rng(seed).uniform(-3.0, 3.0, inputs).tolist()
    lines = [f"(declare-const X_{i} Real)" for i in range(inputs)]
    lines += [f"(declare-const Y_{j} Real)" for j in range(10)]
    for i, value in enumerate(low):
        lines += [f"(assert (<= X_{i} {value + 0.03}))", f"(assert (>= X_{i} {value}))"]
    lines += ["(assert (or", *(f"    (and (>= Y_{j} Y_9))" for j in range(9)), "))"]
    return "\n".join(lines)


def disjuncts_text(disjuncts: int, seed: int) -> str:
    """A disjunction of boxes of one input, two disjuncts each, with one row about one output."""
    values = np.random.default_rng(seed).uniform(0.0, 1.0, (disjuncts // 2, 2)).tolist()
    lines = ["(declare-const X_0 Real)", "(declare-const Y_0 Real)", "(assert (or"]
    for x, y in values:
        box = f"(>= X_0 {x:.16f}) (<= X_0 {x + 1e-5:.16f})"
        lines += [f"  (and {box} (<= Y_0 {y:.16f}))", f"  (and {box} (>= Y_0 {y + 0.01:.16f}))"]
    return "\n".join([*lines, "))"])


def measure(path: Path, repeats: int) -> str:
    """One line: the sizes of the file and of its spec, the best time in seconds."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        spec = read_vnnlib(path)
        best = min(best, time.perf_counter() - start)
    sizes = f"{len(spec.lower)} boxes of {spec.input_size} inputs, {len(spec.clauses)} clauses"
    return f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, {sizes}, {best:.2f} s\n"


def main() -> None:
    """Measure the files of the command line, or the two made up ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = {"flat.vnnlib": flat_text(150_000, 0), "disjuncts.vnnlib": disjuncts_text(60_000, 0)}
        if not arguments.files:
            for name, text in made.items():
                Path(folder, name).write_text(text)
        for path in arguments.files or [Path(folder, name) for name in made]:
            sys.stdout.write(measure(path, arguments.repeats))


if __name__ == "__main__":
    main()
