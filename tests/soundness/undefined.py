"""Random graphs whose functions are undefined somewhere, in places where what they give cancels or is
multiplied by 0, with an evaluation of the graph that knows where it has no value over the real numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from genbab.specs import Clause, Spec

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WIDTH = 2
"""Numbers of a tensor."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor (1, WIDTH) of the graph at P points: numbers (P, WIDTH), and which of them have a value."""

    name: str
    value: Floats
    known: Bools


@dataclass
class Graph:
    """A graph under construction, evaluated at points x (P, WIDTH) while it is written."""

    x: Floats
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def input(self) -> Tensor:
        return Tensor("x", self.x, np.ones(self.x.shape, bool))

    def constant(self, value: object, dtype: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def node(self, kind: str, inputs: list[str], value: Floats, known: Bools, **options: Any) -> Tensor:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **options))
        with np.errstate(all="ignore"):
            return Tensor(name, np.where(known, value, np.nan), known)

    def model(self, output: Tensor) -> onnx.ModelProto:
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [info("x", TensorProto.FLOAT, [1, WIDTH])],
            [info(output.name, TensorProto.FLOAT, [1, WIDTH])],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


Random = np.random.Generator
Unary = Callable[[Floats], Floats]

PARTIAL: dict[str, tuple[Unary, Callable[[Floats], Bools]]] = {
    "Sqrt": (np.sqrt, lambda u: u >= 0),
    "Log": (np.log, lambda u: u > 0),
    "Reciprocal": (np.reciprocal, lambda u: u != 0),
    "Asin": (np.arcsin, lambda u: abs(u) <= 1),
    "Acos": (np.arccos, lambda u: abs(u) <= 1),
    "Acosh": (np.arccosh, lambda u: u >= 1),
    "Atanh": (np.arctanh, lambda u: abs(u) < 1),
}
POWERS: dict[float, Callable[[Floats], Bools]] = {
    0.5: lambda u: u >= 0,
    1.5: lambda u: u >= 0,
    -0.5: lambda u: u > 0,
    -1.0: lambda u: u != 0,
    -2.0: lambda u: u != 0,
}
TOTAL: dict[str, Unary] = {
    "Tanh": np.tanh,
    "Sin": np.sin,
    "Sigmoid": lambda u: 1 / (1 + np.exp(-u)),
    "Relu": lambda u: np.maximum(u, 0),
    "Abs": np.abs,
    "Neg": np.negative,
}


def affine(g: Graph, u: Tensor, slope: float, shift: float) -> Tensor:
    """slope·u + shift."""
    scaled = g.node("Mul", [u.name, g.constant(slope)], u.value * np.float32(slope), u.known)
    return g.node("Add", [scaled.name, g.constant(shift)], scaled.value + np.float32(shift), u.known)


def partial(g: Graph, kind: str, u: Tensor) -> Tensor:
    """A function of u that is not defined everywhere; powers are written "Pow 0.5"."""
    with np.errstate(all="ignore"):
        if kind.startswith("Pow"):
            p = float(kind.split()[1])
            return g.node("Pow", [u.name, g.constant(p)], np.power(u.value, p), u.known & POWERS[p](u.value))
        value, inside = PARTIAL[kind]
        return g.node(kind, [u.name], value(u.value), u.known & inside(u.value))


def total(g: Graph, kind: str, u: Tensor) -> Tensor:
    """A function of u that is defined everywhere."""
    return g.node(kind, [u.name], TOTAL[kind](u.value), u.known)


def two(g: Graph, kind: str, u: Tensor, v: Tensor) -> Tensor:
    """u + v, u - v, u · v or u / v."""
    known = u.known & v.known & ((v.value != 0) | (kind != "Div"))
    make = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}[kind]
    with np.errstate(all="ignore"):
        return g.node(kind, [u.name, v.name], make(u.value, v.value), known)


def masked(g: Graph, u: Tensor, mask: list[float]) -> Tensor:
    """u times a constant with zeros."""
    return g.node("Mul", [u.name, g.constant([mask])], u.value * np.array(mask), u.known)


def matrix(g: Graph, u: Tensor, weight: Floats) -> Tensor:
    """u times a matrix, with all its zeros."""
    weight = weight.astype(np.float32).astype(np.float64)
    known = np.repeat(u.known.all(1, keepdims=True), WIDTH, axis=1)
    return g.node("MatMul", [u.name, g.constant(weight)], np.where(u.known, u.value, 0.0) @ weight, known)


def normalised(g: Graph, u: Tensor, scale: list[float]) -> Tensor:
    """A batch normalisation with zeros among its scales."""
    names = [g.constant(v) for v in (scale, [0.5] * WIDTH, [0.0] * WIDTH, [1.0] * WIDTH)]
    value = u.value * np.array(scale) / np.sqrt(1 + np.float32(1e-5)) + 0.5
    return g.node("BatchNormalization", [u.name, *names], value, u.known)


def first(g: Graph, u: Tensor) -> Tensor:
    """The first number twice: nothing is computed from the other."""
    known = np.repeat(u.known[:, :1], WIDTH, axis=1)
    index = g.constant([0] * WIDTH, np.int64)
    return g.node("Gather", [u.name, index], np.repeat(u.value[:, :1], WIDTH, axis=1), known, axis=1)


def where(g: Graph, u: Tensor, least: float, yes: Tensor, no: Tensor) -> Tensor:
    """yes where u > least, else no."""
    bound = g.constant(least)
    truth = f"t{len(g.nodes)}"
    g.nodes.append(helper.make_node("Greater", [u.name, bound], [truth], name=truth))
    taken = u.value > np.float32(least)
    known = u.known & np.where(taken, yes.known, no.known)
    return g.node("Where", [truth, yes.name, no.name], np.where(taken, yes.value, no.value), known)


def centred(g: Graph, u: Tensor) -> Tensor:
    """Each number less its own mean."""
    columns = g.constant([WIDTH, 1], np.int64)
    tall = g.node("Reshape", [u.name, columns], u.value, u.known)
    mean = g.node("ReduceMean", [tall.name], u.value, u.known, axes=[1], keepdims=1)
    rest = g.node("Sub", [tall.name, mean.name], u.value - u.value, u.known)
    return g.node("Reshape", [rest.name, g.constant([1, WIDTH], np.int64)], rest.value, u.known)


def hidden(g: Graph, random: Random, u: Tensor) -> Tensor:
    """Something computed from u in which a function of u that is not defined everywhere leaves little or
    nothing.
    """
    kinds = [*PARTIAL, *(f"Pow {p}" for p in POWERS)]
    kind = kinds[random.integers(len(kinds))]
    way = int(random.integers(16))
    v = partial(g, kind, u)
    zeros = [float(z) for z in random.integers(0, 2, WIDTH)]
    if way < 8:
        return (
            lambda: two(g, "Sub", v, partial(g, kind, u)),
            lambda: masked(g, v, [0.0] * WIDTH),
            lambda: masked(g, v, zeros),
            lambda: two(g, "Div", v, v),
            lambda: two(g, "Div", u, u),
            lambda: g.node("Exp", [(w := partial(g, "Log", u)).name], np.exp(w.value), w.known),
            lambda: g.node("Pow", [(w := partial(g, "Sqrt", u)).name, g.constant(2.0)], w.value**2, w.known),
            lambda: two(g, "Mul", u, partial(g, "Reciprocal", u)),
        )[way]()
    if way < 11:
        total_kind = ("Sigmoid", "Tanh", "Sin")[way - 8]
        return total(g, total_kind, v)
    if way < 13:
        return matrix(g, v, (random.integers(-1, 2, (WIDTH, WIDTH)) * (way == 12)).astype(np.float64))
    return (
        lambda: normalised(g, v, [0.0, *zeros[1:]]),
        lambda: centred(g, v),
        lambda: first(g, v),
    )[way - 13]()


def draw(random: Random, points: Floats) -> tuple[onnx.ModelProto, Tensor]:
    """A random graph on these points, and its output."""
    g = Graph(points)
    x = g.input()
    slope, shift = (
        float(random.choice([1.0, 0.5, -1.0, 2.0])),
        float(random.choice([0.0, 0.5, 1.0, 1.5, 3.0])),
    )
    u = affine(g, x, slope, shift)
    if random.random() < 0.3:
        u = total(g, str(random.choice(list(TOTAL))), u)
    if random.random() < 0.2:
        u = two(g, "Mul", u, u)
    y = hidden(g, random, u)
    if random.random() < 0.2:
        y = where(g, x, float(random.choice([-0.5, 0.0, 0.5])), y, x)
    for _ in range(int(random.integers(0, 3))):
        way = int(random.integers(5))
        if way == 0:
            y = two(g, "Add", y, affine(g, x, float(random.normal()), 0.5))
        elif way == 1:
            y = total(g, str(random.choice(list(TOTAL))), y)
        elif way == 2:
            y = two(g, "Sub", y, hidden(g, random, u))
        elif way == 3:
            y = matrix(g, y, random.normal(size=(WIDTH, WIDTH)).round(1))
        else:
            y = masked(g, y, [1.0, 0.0])
    return g.model(y), y


@dataclass(frozen=True, eq=False)
class Question:
    """A graph and a spec that holds, with room to spare, at all points of its box at which the rows'
    outputs have a value. whole: all points have one; safe: those of a slightly larger box too.
    """

    model: onnx.ModelProto
    spec: Spec
    whole: bool
    safe: bool


def question(seed: int) -> Question:
    """A random graph on a random box, looked at on a grid, corners and lines on which functions end
    included.
    """
    random = np.random.default_rng(seed)
    middle, radius = random.choice([-1.0, 0.0, 0.5, 1.0, 2.0], WIDTH), random.choice([0.1, 0.5, 1.0], WIDTH)
    low, high = ((middle + side * radius).astype(np.float32).astype(np.float64) for side in (-1, 1))
    inner, outer = _grid(low, high), _grid(low - 0.01, high + 0.01)
    model, output = draw(random, np.concatenate([inner, outer]))
    row = np.array([[1.0, 0.0], [0.0, -1.0], [1.0, -1.0]][random.integers(3)])
    known = (output.known | (row == 0)).all(1)
    values = (np.where(row != 0, output.value, 0.0) @ row)[: len(inner)]
    values = values[known[: len(inner)]]
    limit = float(values.max(initial=0.0)) + 0.5 + 0.5 * float(np.abs(values).max(initial=0.0))
    clause = Clause(0, -row[None], None, np.array([-limit]))
    spec = Spec(low[None], high[None], (clause,), WIDTH)
    return Question(model, spec, bool(known[: len(inner)].all()), bool(known.all()))


def _grid(low: Floats, high: Floats) -> Floats:
    axes = [
        np.unique(np.clip([*np.linspace(a, b, 41), *np.arange(-3, 3.1, 0.25)], a, b))
        for a, b in zip(low, high, strict=True)
    ]
    return np.stack(np.meshgrid(*axes), -1).reshape(-1, WIDTH)
