"""The CPU time of reading large specifications: `python benchmarks/read_specs.py [file ...]`.

Without files: two texts in the styles that occur, 300k assertions about 150k inputs (images) and 60k
disjuncts with a box each (nn4sys lindex), in VNN-LIB 1.0 and 2.0, written to a temporary folder. Files of
version 2 are also read by the package `vnnlib` alone, which checks the types and makes the tree that genbab
reads: in turns in the same process, medians, with the release of the tree.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import vnnlib

from genbab.specs import format_vnnlib2, parse_vnnlib, read_vnnlib, version_of

T = TypeVar("T")


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


def seconds(action: Callable[[T], object], what: T) -> float:
    """The CPU time of the action, with the release of what it makes."""
    start = time.process_time()
    action(what)
    return time.process_time() - start


def measure(path: Path, repeats: int) -> str:
    """One line: the sizes of the file and of its spec, the median CPU times in seconds and their ratio."""
    spec = read_vnnlib(path)
    sizes = f"{len(spec.lower)} boxes of {spec.input_size} inputs, {len(spec.clauses)} clauses"
    del spec
    typed = path.read_text() if version_of(path) == "2.0" and path.suffix != ".gz" else ""
    read, alone = [], []
    for _ in range(repeats):
        alone += [seconds(vnnlib.parse_query_string, typed)] if typed else []
        read.append(seconds(read_vnnlib, path))
    line = f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, {sizes}, {median(read):.2f} s"
    if typed:
        line += f", {median(read) / median(alone):.2f} times the typed parser alone ({median(alone):.2f} s)"
    return line + "\n"


def main() -> None:
    """Measure the files of the command line, or those made up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = {"flat.vnnlib": flat_text(150_000, 0), "disjuncts.vnnlib": disjuncts_text(60_000, 0)}
        if not arguments.files:
            made |= {
                f"{Path(name).stem}-2.vnnlib": format_vnnlib2(parse_vnnlib(t)) for name, t in made.items()
            }
            for name, text in made.items():
                Path(folder, name).write_text(text)
        for path in arguments.files or [Path(folder, name) for name in made]:
            sys.stdout.write(measure(path, arguments.repeats))


if __name__ == "__main__":
    main()
