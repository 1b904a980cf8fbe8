"""Counterexamples of random models and specifications, judged by code that shares nothing with genbab.

    python benchmarks/witnesses.py --count 10000 [--seed 0] [--seconds 600]

Models: affine maps, relu, tanh and sigmoid networks in float32 and float64. Specifications are VNN-LIB 1.0
texts: inputs fixed at decimals, narrow, strict or wide bounds, rows with decimals, strict ones, `or` of
`and`, thresholds at values that are attained, or nearly. Every counterexample that genbab gives is run by
onnxruntime's default session and the text is evaluated in rational arithmetic (`replay.py`): it must lie
inside, or within the stated distance, which must be at most an ulp and 0 wherever the model's type has a
number inside; and the outputs must violate. Prints counts; exit code 1 for any fault.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import genbab
from genbab.specs import parse_vnnlib

sys.path.insert(0, str(Path(__file__).parent))
import replay

FUNCTIONS = ("", "Relu", "Tanh", "Sigmoid")
Bound = tuple[str, str, str, str]
"""Relation and decimal of a lower and of an upper bound."""


@dataclass(frozen=True)
class Made:
    """A model: its bytes, inputs, outputs, and number type."""

    proto: bytes
    inputs: int
    outputs: int
    dtype: type[np.floating]


def model(random: np.random.Generator) -> Made:
    """A random network of one or two layers."""
    double = random.random() < 0.25
    dtype, kind = (np.float64, TensorProto.DOUBLE) if double else (np.float32, TensorProto.FLOAT)
    sizes = [int(v) for v in random.integers(1, 7, 3)]
    function = str(random.choice(FUNCTIONS))
    tensors = [
        numpy_helper.from_array((random.normal(size=(a, b)) * 2).astype(dtype), f"w{k}")
        for k, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False))
    ]
    tensors.append(numpy_helper.from_array(random.normal(size=(sizes[1],)).astype(dtype), "b"))
    nodes = [helper.make_node("MatMul", ["x", "w0"], ["a"]), helper.make_node("Add", ["a", "b"], ["h0"])]
    nodes += [helper.make_node(function or "Identity", ["h0"], ["h1"])]
    nodes += [helper.make_node("MatMul", ["h1", "w1"], ["y"])]
    ends = [helper.make_tensor_value_info(n, kind, [1, s]) for n, s in (("x", sizes[0]), ("y", sizes[2]))]
    graph = helper.make_graph(nodes, "random", ends[:1], ends[1:], tensors)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(proto)
    return Made(proto.SerializeToString(), sizes[0], sizes[2], dtype)


def decimal(value: float, random: np.random.Generator) -> str:
    """A decimal near the value: short, long, or the number itself in full."""
    style = random.integers(4)
    if style == 0:
        return f"{value:.{random.integers(1, 5)}f}"
    if style == 1:
        return repr(float(np.float32(value)))
    return f"{value:.{random.integers(8, 25)}f}" if style == 2 else repr(value)


def bound(random: np.random.Generator) -> Bound:
    """Two bounds of an input, in the right order, mostly with a number between them."""
    middle, style = float(random.normal()), random.integers(4)
    width = (0.0, 1e-9, 1e-6, 1.0)[style] * float(random.random())
    low, high = decimal(middle, random), decimal(middle + width, random)
    if style == 0:
        high = low
    if Fraction(low) > Fraction(high):
        low, high = high, low
    strict = style > 0 and random.random() < 0.3
    return (">" if strict else ">=", low, "<" if strict else "<=", high)


def text(made: Made, bounds: list[Bound], random: np.random.Generator) -> str:
    """A specification whose rows are met by about half of the box, or at a tie."""
    lines = [f"(declare-const X_{i} Real)" for i in range(made.inputs)]
    lines += [f"(declare-const Y_{j} Real)" for j in range(made.outputs)]
    for i, (more, low, less, high) in enumerate(bounds):
        lines.append(f"(assert ({more} X_{i} {low}))(assert ({less} X_{i} {high}))")
    x = [(float(b[1]) + float(b[3])) / 2 for b in bounds]
    y = replay.outputs_at(made.proto, np.array(x, made.dtype).astype(float).tolist())
    rows = [row(y, random) for _ in range(int(random.integers(1, 4)))]
    shapes = (f"(and {' '.join(rows)})", f"(or {' '.join(f'(and {r})' for r in rows)})")
    return "\n".join([*lines, f"(assert {shapes[int(random.integers(2))]})"])


def row(y: list[float], random: np.random.Generator) -> str:
    """A relation that the outputs y meet, fail by little, or meet with equality."""
    j = int(random.integers(len(y)))
    relation = str(random.choice(["<=", "<", ">=", ">"]))
    slack = float(random.choice([0.0, 1e-7, 1e-3, 0.1, -1e-3])) * (1 if relation[0] == "<" else -1)
    if len(y) > 1 and random.random() < 0.3:
        k = (j + 1) % len(y)
        factor = decimal(float(random.normal()) or 1.0, random)
        value = y[j] + float(factor) * y[k] + slack
        return f"({relation} (+ Y_{j} (* {factor} Y_{k})) {decimal(value, random)})"
    return f"({relation} Y_{j} {decimal(y[j] + slack, random)})"


def off(made: Made, bounds: list[Bound], x: list[float], distance: float) -> str:
    """What is wrong with the entries that lie outside, or with the distance that is stated."""
    largest = Fraction(0)
    for value, (more, low, less, high) in zip(x, bounds, strict=True):
        ends, here = (Fraction(low), Fraction(high)), Fraction(value)
        inside = (here > ends[0] or (here == ends[0] and more == ">=")) and (
            here < ends[1] or (here == ends[1] and less == "<=")
        )
        if inside:
            continue
        away = max(ends[0] - here, here - ends[1], Fraction(0))
        largest = max(largest, away)
        others = [float(np.nextafter(made.dtype(value), made.dtype(s))) for s in (-math.inf, math.inf)]
        if any(ends[0] < Fraction(v) < ends[1] for v in others):
            return f"{value} lies outside of [{low}, {high}], which holds a number"
        if away > Fraction(float(np.spacing(np.abs(made.dtype(value))))):
            return f"{value} is more than an ulp away from [{low}, {high}]"
        if distance == 0:
            return f"{value} lies outside of [{low}, {high}], but no distance is stated"
    return "" if largest <= Fraction(distance) else f"the distance {distance} is less than {float(largest)}"


def judged(made: Made, loaded: genbab.Model, random: np.random.Generator, limit: float) -> tuple[str, str]:
    """(what came of one specification, what is wrong with it)."""
    bounds = [bound(random) for _ in range(made.inputs)]
    asked = text(made, bounds, random)
    spec = parse_vnnlib(asked)
    if spec.vacuous:
        return "empty", ""
    result = genbab.verify(loaded, spec, genbab.Config(timeout=limit))
    found = result.counterexample
    if found is None:
        return str(result.verdict), ""
    x = found.x.astype(np.float64).tolist()
    wrong = replay.broken(made.proto, asked, x, found.distance) or off(made, bounds, x, found.distance)
    kind = "nearest" if found.distance else "inside"
    return f"falsified {np.dtype(made.dtype).name} {kind}", wrong and f"{wrong}\n{asked}\nx = {x}"


def main() -> int:
    """Judge counterexamples until there are enough of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="counterexamples to judge")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=40, help="specifications per model")
    parser.add_argument("--limit", type=float, default=0.5, help="seconds per specification")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so many")
    options = parser.parse_args()
    random, counts, faults = np.random.default_rng(options.seed), Counter[str](), 0
    began, seen = time.monotonic(), 0
    while seen < options.count and time.monotonic() - began < options.seconds:
        made = model(random)
        loaded = genbab.load(made.proto)
        for _ in range(options.each):
            what, wrong = judged(made, loaded, random, options.limit)
            counts[what] += 1
            seen += what.startswith("falsified")
            if wrong:
                faults += 1
                print(f"FAULT: {wrong}")
    for what, count in sorted(counts.items()):
        print(f"{count:7d}  {what}")
    print(f"{seen} counterexamples judged, {faults} wrong, {time.monotonic() - began:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
