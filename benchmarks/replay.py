"""An independent look at a counterexample file: `python benchmarks/replay.py MODEL SPEC WITNESS [DISTANCE]`.

Shares no code with genbab. Reads the witness, runs its input through onnxruntime (default session, CPU), and
evaluates the text of the VNN-LIB file at (input, output) in rational arithmetic, without any tolerance. Exit
code 0 when every assertion holds there. DISTANCE: single inputs may be that far beyond their bounds.
"""

from __future__ import annotations

import gzip
import math
import operator
import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "=": operator.eq}


def content(path: Path) -> bytes:
    """The bytes of a file, unpacked when it is gzipped."""
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def read_witness(path: Path) -> tuple[list[float], list[float]]:
    """The inputs and outputs of a VNN-COMP 1.0 witness; raises `ValueError` when indices are missing."""
    found: dict[str, dict[int, float]] = {"X": {}, "Y": {}}
    for letter, index, value in re.findall(r"\(\s*([XY])_(\d+)\s+([^\s()]+)\s*\)", path.read_text()):
        found[letter][int(index)] = float(value)
    for letter, values in found.items():
        if not values or sorted(values) != list(range(len(values))):
            raise ValueError(f"the witness lacks some of {letter}_0 ...")
    return [found["X"][i] for i in range(len(found["X"]))], [found["Y"][i] for i in range(len(found["Y"]))]


def outputs_at(model: bytes, x: list[float]) -> list[float]:
    """The flat outputs of the model at the flat inputs (exact in the model's number type), by onnxruntime."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    feed: dict[str, Any] = {}
    start = 0
    for entry in session.get_inputs():
        shape = [d if isinstance(d, int) and d > 0 else 1 for d in entry.shape]
        size = math.prod(shape)
        values = np.array(x[start : start + size], dtype=TYPES[entry.type])
        if not np.array_equal(values.astype(np.float64), np.array(x[start : start + size])):
            raise ValueError(f"the witness is not exact in {entry.type}")
        feed[entry.name] = values.reshape(shape)
        start += size
    if start != len(x):
        raise ValueError(f"the witness has {len(x)} inputs, the model {start}")
    return [float(v) for y in session.run(None, feed) for v in np.asarray(y).reshape(-1).tolist()]


def expressions(text: str) -> Iterator[Any]:
    """The top-level s-expressions of a VNN-LIB 1.0 text, as nested lists of words."""
    stack: list[list[Any]] = [[]]
    for line in text.splitlines():
        for word in re.findall(r"[()]|[^\s()]+", line.partition(";")[0]):
            if word == "(":
                stack.append([])
            elif word == ")":
                done = stack.pop()
                stack[-1].append(done)
                if len(stack) == 1:
                    yield stack[0].pop()
            else:
                stack[-1].append(word)


Point = dict[str, Fraction]


def number(term: Any, point: Point) -> Fraction:
    """The value of an arithmetic term."""
    if isinstance(term, str):
        return point[term] if term in point else Fraction(term)
    head, *rest = term
    values = [number(t, point) for t in rest]
    if head == "+":
        return sum(values, Fraction(0))
    if head == "*":
        return math.prod(values)
    if head == "-":
        return -values[0] if len(values) == 1 else values[0] - sum(values[1:], Fraction(0))
    raise ValueError(f"unknown operation {head}")


def holds(formula: Any, point: Point, distance: Fraction = Fraction(0)) -> bool:
    """Whether a formula is true at the point, bounds of single inputs by `distance` wider."""
    head, *rest = formula
    if head == "and":
        return all(holds(f, point, distance) for f in rest)
    if head == "or":
        return any(holds(f, point, distance) for f in rest)
    return all(related(head, a, b, point, distance) for a, b in zip(rest, rest[1:], strict=False))


def related(head: str, left: Any, right: Any, point: Point, distance: Fraction) -> bool:
    """Whether left and right are in the relation at the point."""
    a, b = number(left, point), number(right, point)
    names = [side for side in (left, right) if isinstance(side, str) and side in point]
    if (
        distance
        and len(names) == 1
        and names[0][0] == "X"
        and isinstance(left, str)
        and isinstance(right, str)
    ):
        return abs(a - b) <= distance or COMPARE[head](a, b)
    return bool(COMPARE[head](a, b))


def broken(model: bytes, text: str, x: list[float], distance: float = 0.0, outputs: int = 0) -> str:
    """What is wrong with a counterexample at x; "" when it is one. outputs: at least so many are needed."""
    y = outputs_at(model, x)
    if len(y) < outputs:
        return f"the model has {len(y)} outputs, the witness {outputs}"
    if not all(map(math.isfinite, y)):
        return "an output is not finite"
    point = {f"X_{i}": Fraction(v) for i, v in enumerate(x)} | {
        f"Y_{i}": Fraction(v) for i, v in enumerate(y)
    }
    for expression in expressions(text):
        if expression[0] == "assert" and not holds(expression[1], point, Fraction(distance)):
            return f"does not hold at the witness: {str(expression)[:200]}"
    return ""


def problem(model: Path, spec: Path, witness: Path, distance: float = 0.0) -> str:
    """What is wrong with the counterexample; "" when it is one."""
    x, claimed = read_witness(witness)
    return broken(content(model), content(spec).decode(), x, distance, len(claimed))


def main(words: list[str]) -> int:
    """Say what is wrong, if anything; 0 when the counterexample is one."""
    model, spec, witness = map(Path, words[:3])
    try:
        wrong = problem(model, spec, witness, float(words[3]) if len(words) > 3 else 0.0)
    except (OSError, ValueError, KeyError) as error:
        wrong = f"{type(error).__name__}: {error}"
    print(wrong or "the counterexample holds")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
