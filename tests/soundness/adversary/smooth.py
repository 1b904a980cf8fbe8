"""Random graphs of nonlinear operators, whose truth is known in balls of real numbers (Arb)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from genbab.specs import Clause, Spec
from tests.soundness.truth import precision

from .affine import rounded_up
from .cases import Case, Known, ends
from .interpreter import run
from .numbers import REAL, Undecided
from .smooth_rules import pieces, reduced, windowed
from .writing import Graph

BITS = 240

PLAIN = (
    "Abs Asinh Atan Cos Erf Mish Relu Sigmoid Sin Softplus Softsign Tanh HardSwish Floor Ceil Round Sign "
    "Exp Sinh Cosh Sigmoid Tanh Sin"
).split()
"""Functions that are defined everywhere."""

TAMED = {
    **dict.fromkeys(("Log", "Sqrt", "Reciprocal"), (1.5, 1.25)),
    **dict.fromkeys(("Asin", "Acos", "Atanh", "Tan"), (0.125, 0.75)),
    "Acosh": (2.5, 1.25),
}
"""Functions that get an argument in centre ± radius."""

GIVEN: dict[str, dict[str, Any]] = {
    "LeakyRelu": {"alpha": 0.125},
    "ThresholdedRelu": {"alpha": 0.3},
    "Elu": {"alpha": 0.7},
    "Celu": {"alpha": 0.5},
    "Selu": {"alpha": 1.2, "gamma": 0.8},
    "HardSigmoid": {"alpha": 0.4, "beta": 0.3},
    "Gelu": {"approximate": "none"},
}
"""Functions with their parameters."""


class Net:
    """A graph that grows from the input; all tensors have shape (1, n)."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.graph = Graph(np.float32)
        self.size = int(self.random.integers(1, 4))
        self.tensors = {self.graph.input("x", 1, self.size): self.size}

    def draw(self, *choices: Any) -> Any:
        """One of these."""
        return choices[int(self.random.integers(len(choices)))]

    def numbers(self, *shape: int, scale: float = 1.0) -> str:
        """A constant of random numbers."""
        return self.graph.constant(self.random.normal(size=shape) * scale)

    def pick(self) -> tuple[str, int]:
        """A tensor, late ones preferred, and its size."""
        names = list(self.tensors)
        name = names[-1] if self.random.random() < 0.6 else self.draw(*names)
        return name, self.tensors[name]

    def add(self, name: str, size: int) -> str:
        """The tensor, noted."""
        self.tensors[name] = size
        return name

    def dense(self, name: str, size: int, made: int) -> str:
        """A fully connected layer."""
        scale = 1.2 / np.sqrt(size)
        return self.add(
            self.graph.op("Gemm", name, self.numbers(size, made, scale=scale), self.numbers(made, scale=0.5)),
            made,
        )

    def tame(self, name: str, centre: float, radius: float) -> str:
        """centre + radius · tanh."""
        scaled = self.graph.op("Mul", self.graph.op("Tanh", name), self.graph.constant(radius))
        return self.graph.op("Add", scaled, self.graph.constant(centre))


def _function(net: Net) -> None:
    name, size = net.pick()
    kind = net.draw(*PLAIN, *TAMED, *GIVEN)
    if kind in TAMED:
        name = net.tame(name, *TAMED[kind])
    net.add(net.graph.op(kind, name, **GIVEN.get(kind, {})), size)


def _layer(net: Net) -> None:
    name, size = net.pick()
    net.dense(name, size, int(net.random.integers(1, 5)))


def _two(net: Net) -> None:
    name, size = net.pick()
    others = [n for n, s in net.tensors.items() if s == size]
    other = net.draw(*others)
    kind = net.draw("Mul", "Mul", "Add", "Sub", "Max", "Min", "Div", "Sum", "Mean")
    if kind == "Div":
        other = net.tame(other, 1.5, 1.0)
    net.add(net.graph.op(kind, name, other), size)


def _group(net: Net) -> None:
    name, size = net.pick()
    if size == 1:
        return
    if net.random.random() < 0.5:
        net.add(net.graph.op("Softmax", name, axis=1), size)
    else:
        arguments = net.numbers(size), net.numbers(size)
        net.add(net.graph.op("LayerNormalization", name, *arguments, axis=-1, epsilon=0.01), size)


def _powers(net: Net) -> None:
    name, size = net.pick()
    bounded = net.tame(name, 0.0, 1.5)
    net.add(net.graph.op("Pow", bounded, net.graph.constant(float(net.random.integers(2, 5)))), size)


def _compared(net: Net) -> None:
    """A choice between two tensors by a comparison."""
    name, size = net.pick()
    other = net.draw(*(n for n, s in net.tensors.items() if s == size))
    kind = net.draw("Greater", "Less", "GreaterOrEqual", "LessOrEqual")
    flag = net.graph.op(kind, name, net.numbers(size))
    net.add(net.graph.op("Where", flag, name, other), size)


def _written_gelu(net: Net) -> None:
    """GELU as exporters write it, by Erf or by Tanh."""
    name, size = net.pick()
    op, number = net.graph.op, net.graph.constant
    if net.random.random() < 0.5:
        inner = op("Add", op("Erf", op("Div", name, number(np.sqrt(2.0)))), number(1.0))
    else:
        cubic = op("Mul", op("Pow", name, number(3.0)), number(0.044715))
        inner = op("Mul", op("Add", name, cubic), number(np.sqrt(2 / np.pi)))
        inner = op("Add", op("Tanh", inner), number(1.0))
    net.add(op("Mul", op("Mul", name, inner), number(0.5)), size)


def _written_silu(net: Net) -> None:
    name, size = net.pick()
    scaled = net.graph.op("Mul", name, net.graph.constant(net.draw(1.0, 1.702, 0.5)))
    net.add(net.graph.op("Mul", name, net.graph.op("Sigmoid", scaled)), size)


RULES: tuple[Callable[[Net], None], ...] = (
    *(3 * (_function,)),
    *(2 * (_layer,)),
    _two,
    _group,
    _powers,
    _compared,
    _written_gelu,
    _written_silu,
    *(2 * (reduced,)),
    *(2 * (windowed,)),
    *(2 * (pieces,)),
)


def smooth(seed: int) -> Case:
    """A case whose unsafe set is met by one point of its box, barely."""
    for attempt in range(10):
        try:
            with precision(BITS):
                return _case(seed, seed + 1_000_003 * attempt)
        except Undecided:
            continue
    raise Undecided(f"no case for seed {seed}")


def _case(seed: int, drawn: int) -> Case:
    net = Net(drawn)
    random = net.random
    net.dense("x", net.size, int(random.integers(2, 5)))
    for _ in range(int(random.integers(1, 5))):
        net.draw(*RULES)(net)
    name, size = list(net.tensors.items())[-1]
    output = net.dense(name, size, int(random.integers(1, 3)))
    model = net.graph.model([output])
    radius = 10.0 ** -float(random.choice([0.0, 0.0, 1.0, 3.0, 6.0])) * random.random(net.size)
    radius[random.random(net.size) < 0.1] = 0.0
    low = random.normal(size=net.size).astype(np.float32).astype(np.float64)
    high = (low + radius).astype(np.float32).astype(np.float64)
    points = [np.where(np.array(c), high, low) for c in product((False, True), repeat=net.size)]
    points += [(low + s * (high - low)).astype(np.float32).astype(np.float64) for s in (0.25, 0.5, 0.75)]
    values = [run(model.graph, {"x": p[None]}, REAL)[output].reshape(-1) for p in points]
    if not all(v.is_finite() for y in values for v in y):
        raise Undecided("not finite")
    row = random.normal(size=values[0].size)
    reached = [
        sum((REAL.number(w) * v for w, v in zip(row, y, strict=True)), REAL.number(0.0)) for y in values
    ]
    best = min(range(len(points)), key=lambda k: float(reached[k].mid()))
    clause = Clause(0, row[None], None, np.array([rounded_up(ends(reached[best])[1])]))
    known = tuple(
        Known(tuple(p.tolist()), tuple(ends(v) for v in y)) for p, y in zip(points, values, strict=True)
    )
    return Case(
        "smooth",
        seed,
        model.SerializeToString(),
        Spec(low[None], high[None], (clause,), row.size),
        ("verified",),
        f"violated at {points[best].tolist()}, outputs {[float(v.mid()) for v in values[best]]}",
        known=known,
        seconds=0.3,
    )
