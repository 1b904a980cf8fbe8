"""Networks of every kind of rule, each with a true statement and a false one, and a proof of the true one.

The false statement says that outputs stay above a number slightly more than the value at a known point, which
is computed exactly for piecewise linear networks, else in float64, where the margin is far above its error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.check.files import model, specification
from tests.check.statements import Layers

Arrays = dict[str, NDArray[Any]]
Floats = NDArray[np.float64]
LOW, HIGH = [-1.0, -0.75], [0.5, 1.0]
WIDTH, MARGIN = 4, 1e-4


@dataclass(frozen=True)
class Subject:
    """A model, the texts of a true and of a false statement, and what a proof may name.

    joins: functions for the header; tensors: names and sizes of what splits may refer to; bends: the outputs
    of functions, to which slopes belong.
    """

    name: str
    model: bytes
    true: str
    false: str
    joins: list[dict[str, Any]]
    tensors: dict[str, int]
    bends: dict[str, int]


def _erf(x: Floats) -> Floats:
    return np.array([math.erf(v) for v in x.ravel()]).reshape(x.shape)


def _softmax(x: Floats) -> Floats:
    grown = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(grown / grown.sum(-1, keepdims=True))


def _normed(x: Floats) -> Floats:
    x = x - x.mean(-1, keepdims=True)
    return np.asarray(x / np.sqrt((x * x).mean(-1, keepdims=True) + 0.5))


def _pooled(x: Floats) -> Floats:
    return np.asarray(np.stack([x[..., i : i + 2].max(-1) for i in range(0, WIDTH, 2)], -1))


FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Tanh": np.tanh,
    "Sin": np.sin,
    "Softplus": lambda x: np.logaddexp(0.0, x),
    "Gelu": lambda x: x * (1 + _erf(x / 2**0.5)) / 2,
    "Product": lambda x: x * x[..., ::-1],
    "Softmax": _softmax,
    "MaxPool": _pooled,
    "Norm": _normed,
}


def _nodes(name: str, i: int, constants: Arrays) -> list[onnx.NodeProto]:
    """The operators that apply a function to z0 or z1."""
    z, a, make = f"z{i}", f"a{i}", onnx.helper.make_node
    if name == "Product":
        constants[f"turn{i}"] = np.eye(WIDTH, dtype=np.float32)[::-1].copy()
        return [make("MatMul", [z, f"turn{i}"], [f"t{i}"]), make("Mul", [z, f"t{i}"], [a])]
    if name == "MaxPool":
        constants["narrow"], constants["wide"] = np.array([1, WIDTH // 2]), np.array([1, 1, WIDTH])
        shaped = [make("Reshape", [z, "wide"], [f"t{i}"]), make("Reshape", [f"p{i}", "narrow"], [a])]
        return [shaped[0], make("MaxPool", [f"t{i}"], [f"p{i}"], kernel_shape=[2], strides=[2]), shaped[1]]
    if name == "Norm":
        constants |= {"axis": np.array([-1]), "half": np.array(0.5, dtype=np.float32)}
        steps = [("ReduceMean", [z, "axis"]), ("Sub", [z, f"0_{i}"]), ("Mul", [f"1_{i}", f"1_{i}"])]
        steps += [("ReduceMean", [f"2_{i}", "axis"]), ("Add", [f"3_{i}", "half"]), ("Sqrt", [f"4_{i}"])]
        found = [make(op, of, [f"{n}_{i}"]) for n, (op, of) in enumerate(steps)]
        return [*found, make("Div", [f"1_{i}", f"5_{i}"], [a])]
    return [make(name, [z], [a])]


def smooth(name: str, seed: int) -> Subject:
    """A network of two hidden layers with one of the functions that are not piecewise linear."""
    rng = np.random.default_rng(seed)
    width = WIDTH // 2 if name == "MaxPool" else WIDTH
    sizes = [(2, WIDTH), (width, WIDTH), (width, 2)]
    weights = [(rng.normal(size=s) * 1.2 / s[0] ** 0.5).astype(np.float32) for s in sizes]
    shifts = [(rng.normal(size=m) * 0.3).astype(np.float32) for _, m in sizes]
    nodes: list[onnx.NodeProto] = []
    constants: Arrays = {}
    for i, (w, b) in enumerate(zip(weights, shifts, strict=True)):
        constants |= {f"w{i}": w, f"b{i}": b}
        inside = "x" if i == 0 else f"a{i - 1}"
        nodes.append(onnx.helper.make_node("Gemm", [inside, f"w{i}", f"b{i}"], ["y" if i == 2 else f"z{i}"]))
        nodes += _nodes(name, i, constants) if i < 2 else []

    def value(x: Floats) -> Floats:
        for i in range(2):
            x = FUNCTIONS[name](x @ weights[i].astype(float) + shifts[i].astype(float))
        return np.asarray(x @ weights[2].astype(float) + shifts[2].astype(float))

    points = np.random.default_rng(seed).uniform(LOW, HIGH, (20000, 2))
    values = value(points)
    data = model(nodes, constants, (1, 2), (1, 2))
    least = float(np.float32(values[:, 0].min()))
    joins = [{"out": f"a{i}", "args": [f"z{i}"]} for i in range(2)]
    return Subject(name, data, *_texts(values, least), joins, *_named(sizes))


def piecewise(kind: str, seed: int, hidden: int = 2) -> Subject:
    """A piecewise linear network; the false statement is false at a point by exact evaluation."""
    rng = np.random.default_rng(seed)
    sizes = [(2, WIDTH), (WIDTH, WIDTH), (WIDTH, 2)] if hidden == 2 else [(2, WIDTH), (WIDTH, 2)]
    weights = [(rng.normal(size=s) * 1.2 / s[0] ** 0.5, rng.normal(size=s[1]) * 0.3) for s in sizes]
    rounded = [(w.astype(np.float32).astype(float), b.astype(np.float32).astype(float)) for w, b in weights]
    net = Layers(rounded, [kind] * hidden)
    points = rng.uniform(LOW, HIGH, (20000, 2))
    values = net.roughly(points)
    best = points[int(values[:, 0].argmin())]
    exact = net.exactly([Fraction(v) for v in best.tolist()])[0]
    return Subject(
        f"{kind} {hidden}", net.file(), *_texts(values, float(exact), hidden > 1), [], *_named(sizes)
    )


def _named(sizes: list[tuple[int, int]]) -> tuple[dict[str, int], dict[str, int]]:
    hidden = {f"z{i}": m for i, (_, m) in enumerate(sizes[:-1])}
    bends = {f"a{i}": n for i, (n, _) in enumerate(sizes[1:])}
    return {**hidden, **bends, "y": 2}, bends


def _texts(values: Floats, least: float, more: bool = True) -> tuple[str, str]:
    """A true statement with room, and one that is false by a margin, with an easy second disjunct or not."""
    spread = float(values.std(0).max())
    second = float(values[:, 1].min()) - 4 * spread
    easy = f" (and (<= Y_1 {second!r}))" if more else ""
    both = (least - 0.7 * spread, least + MARGIN)
    unsafe = [f"(assert (or (and (<= Y_0 {limit!r})){easy}))" for limit in both]
    true, false = (specification(LOW, HIGH, 2, text) for text in unsafe)
    return true, false


def subjects() -> list[Subject]:
    """One of each kind, those first that are checked fastest."""
    linear = [piecewise(kind, seed) for seed, kind in enumerate(("Relu", "LeakyRelu", "Abs"))]
    smoothed = [smooth(name, seed) for seed, name in enumerate(FUNCTIONS)]
    return [piecewise("Relu", 5, hidden=1), *linear, *smoothed]
