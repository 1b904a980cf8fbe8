"""Random piecewise linear networks, and statements about them near the border between false and true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.check.files import model, specification

Floats = NDArray[np.float64]
Rows = Sequence[tuple[Floats, Floats, float, bool]]
KINDS: dict[str, tuple[Callable[[Fraction], Fraction], Callable[[Floats], Floats]]] = {
    "Relu": (lambda v: max(v, Fraction(0)), lambda v: np.maximum(v, 0)),
    "LeakyRelu": (lambda v: v if v > 0 else v / 4, lambda v: np.where(v > 0, v, v / 4)),
    "Abs": (abs, np.abs),
}
"""Activations, in rational and in floating-point arithmetic."""


@dataclass(frozen=True)
class Layers:
    """A network as its weights and activations."""

    weights: Sequence[tuple[Floats, Floats]]
    kinds: Sequence[str]

    def exactly(self, x: Sequence[Fraction]) -> list[Fraction]:
        """The outputs at a point."""
        for i, (w, b) in enumerate(self.weights):
            columns = zip(w.T.tolist(), b.tolist(), strict=True)
            z = [
                sum((Fraction(c) * v for c, v in zip(row, x, strict=True)), Fraction(d)) for row, d in columns
            ]
            x = [KINDS[self.kinds[i]][0](v) for v in z] if i < len(self.kinds) else z
        return list(x)

    def roughly(self, x: Floats) -> Floats:
        """The outputs (B, O) at points (B, D)."""
        for i, (w, b) in enumerate(self.weights):
            x = x @ w + b
            x = KINDS[self.kinds[i]][1](x) if i < len(self.kinds) else x
        return x

    def file(self) -> bytes:
        """The model: tensors z0, a0, z1, ... from x to y."""
        nodes, name = [], "x"
        constants: dict[str, NDArray[Any]] = {}
        for i, (w, b) in enumerate(self.weights):
            constants |= {f"w{i}": w.astype(np.float32), f"b{i}": b.astype(np.float32)}
            last = i == len(self.kinds)
            nodes.append(onnx.helper.make_node("Gemm", [name, f"w{i}", f"b{i}"], ["y" if last else f"z{i}"]))
            if not last:
                said: dict[str, Any] = {"alpha": 0.25} if self.kinds[i] == "LeakyRelu" else {}
                nodes.append(onnx.helper.make_node(self.kinds[i], [f"z{i}"], [f"a{i}"], **said))
            name = f"a{i}"
        first, last_ = self.weights[0][0], self.weights[-1][1]
        return model(nodes, constants, (1, len(first)), (1, len(last_)))


def layers(rng: np.random.Generator) -> Layers:
    """A network of 2 to 4 inputs, 1 to 3 hidden layers of 3 to 8 neurons and 1 to 3 outputs."""
    sizes = [
        int(rng.integers(2, 5)),
        *rng.integers(3, 9, rng.integers(1, 4)).tolist(),
        int(rng.integers(1, 4)),
    ]
    weights = []
    for n, m in zip(sizes, sizes[1:], strict=False):
        w, b = rng.normal(size=(n, m)) * 1.5 / n**0.5, rng.normal(size=m) * 0.3
        if rng.random() < 0.3:
            w, b = np.round(w * 8) / 8, np.round(b * 8) / 8
        weights.append((w.astype(np.float32).astype(float), b.astype(np.float32).astype(float)))
    return Layers(weights, rng.choice([*KINDS], len(sizes) - 2, p=(0.6, 0.2, 0.2)).tolist())


@dataclass(frozen=True)
class Statement:
    """A box, those of disjuncts, their rows a·y + b·x <= t as (a, b, t, strict), and whether it is false.

    It is known to be false where a point that was found is unsafe in exact arithmetic.
    """

    boxes: Sequence[tuple[Sequence[float], Sequence[float]]]
    rows: Sequence[Rows]
    false: bool

    def text(self, eased: float = 0.0) -> str:
        """The specification, with all limits lower by so much."""
        parts = []
        for (low, high), rows in zip(self.boxes[1:], self.rows, strict=True):
            said = [
                f"(>= X_{j} {a!r})(<= X_{j} {b!r})" for j, (a, b) in enumerate(zip(low, high, strict=True))
            ]
            for a, b, t, strict in rows:
                terms = [f"(* {c!r} Y_{j})" for j, c in enumerate(a.tolist()) if c]
                terms += [f"(* {c!r} X_{j})" for j, c in enumerate(b.tolist()) if c]
                said.append(f"({'<' if strict else '<='} (+ {' '.join(terms)}) {t - eased!r})")
            parts.append(f"(and {''.join(said)})")
        low, high = self.boxes[0]
        return specification(low, high, len(self.rows[0][0][0]), f"(assert (or {' '.join(parts)}))")


def statement(rng: np.random.Generator, net: Layers) -> Statement:
    """A statement near the border between false and true."""
    inputs, outputs = len(net.weights[0][0]), len(net.weights[-1][1])
    boxes, some, false = [_box(rng, np.full(inputs, -1.5), np.full(inputs, 1.5))], [], False
    for _ in range(int(rng.choice([1, 2, 3], p=(0.7, 0.2, 0.1)))):
        own = _box(rng, *map(np.array, boxes[0])) if rng.random() < 0.4 else boxes[0]
        boxes.append(own)
        a = np.round(rng.normal(size=(int(rng.choice([1, 2, 3], p=(0.6, 0.35, 0.05))), outputs)), 2)
        b = np.round(rng.normal(size=(len(a), inputs)), 2) * (rng.random(len(a)) < 0.3)[:, None]
        a[:, 0] += 1.0
        a[a[:, 0] == 0, 0] = 1.0
        least, shift, x = _least(rng, net, own, (a, b))
        spread = 10.0 ** rng.uniform(-5, 0) * (-1 if rng.random() < 0.7 else 1)
        strict = rng.random(len(a)) < 0.1
        limits = np.round(least + shift + spread, 12)
        some.append(list(zip(a, b, limits.tolist(), strict.tolist(), strict=True)))
        false |= unsafe(net, x, own, some[-1])
    return Statement(boxes, some, false)


def unsafe(net: Layers, x: Floats, box: Any, rows: Rows) -> bool:
    """Whether a point is, exactly, in a disjunct."""
    point = [Fraction(v) for v in x.tolist()]
    y = net.exactly(point)
    if not all(
        Fraction(repr(p)) <= v <= Fraction(repr(q)) for p, v, q in zip(box[0], point, box[1], strict=True)
    ):
        return False
    for a, b, t, strict in rows:
        terms = [*zip(a.tolist(), y, strict=True), *zip(b.tolist(), point, strict=True)]
        value = sum((Fraction(repr(c)) * v for c, v in terms), Fraction(0)) - Fraction(repr(t))
        if value > 0 or (strict and value == 0):
            return False
    return True


def _box(rng: np.random.Generator, low: Floats, high: Floats) -> tuple[list[float], list[float]]:
    ends = np.sort(rng.uniform(low, high, (2, len(low))), axis=0)
    return np.round(ends[0], 3).tolist(), np.round(ends[1] + 0.01, 3).clip(max=high).tolist()


def _least(
    rng: np.random.Generator, net: Layers, box: Any, rows: tuple[Floats, Floats]
) -> tuple[float, Floats, Floats]:
    """The least of the greatest row, minus a shift for each, that was found, the shifts, and where."""
    low, high = map(np.array, box)
    x = rng.uniform(low, high, (2000, len(low)))
    x[: 2 ** len(low)] = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(len(low), -1).T
    value = net.roughly(x) @ rows[0].T + x @ rows[1].T
    shift = np.median(value, axis=0) if len(rows[0]) > 1 else np.zeros(1)
    for size in (0.1, 0.03, 0.01, 3e-3, 1e-3, 1e-4, 1e-5):
        best = x[np.argsort((value - shift).max(1))[:10]]
        moved = best[:, None] + rng.normal(size=(10, 50, len(low))) * size * (high - low)
        x = np.concatenate([best, moved.reshape(-1, len(low)).clip(low, high)])
        value = net.roughly(x) @ rows[0].T + x @ rows[1].T
    worst = (value - shift).max(1)
    return float(worst.min()), shift, x[int(worst.argmin())]
