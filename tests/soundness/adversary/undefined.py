"""Points where the graph has no number, hidden by what cancels them; outputs that are infinite or NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from genbab.specs import Clause, Spec

from .cases import Case
from .writing import Graph

Partial = tuple[str, float, float]

PARTIAL: tuple[Partial, ...] = (
    ("Sqrt", -1.0, 1.0),
    ("Log", -1.0, 1.0),
    ("Reciprocal", -1.0, 1.0),
    ("Asin", 0.0, 2.0),
    ("Acos", 0.0, 2.0),
    ("Atanh", 0.0, 2.0),
    ("Acosh", 0.0, 2.0),
    ("PowHalf", -1.0, 1.0),
    ("Over", -1.0, 1.0),
)
"""Functions, each with a box on a part of which (at a point of which, for 1/x) it is undefined."""

Cancelled = Callable[[Graph, str, str], str]


def _difference(g: Graph, u: str, x: str) -> str:
    return g.op("Sub", u, u)


def _difference_apart(g: Graph, u: str, x: str) -> str:
    twice = g.op("Mul", u, g.constant(2.0))
    return g.op("Sub", twice, g.op("Add", u, u))


def _times_zero(g: Graph, u: str, x: str) -> str:
    return g.op("Mul", u, g.constant(0.0))


def _matrix_of_zeros(g: Graph, u: str, x: str) -> str:
    return g.op("MatMul", u, g.constant(np.zeros((2, 2))))


def _power_zero(g: Graph, u: str, x: str) -> str:
    return g.op("Sub", g.op("Div", u, u), g.constant(1.0))


def _sign_squared(g: Graph, u: str, x: str) -> str:
    return g.op("Relu", g.op("Neg", g.op("Mul", u, u)))


def _clipped(g: Graph, u: str, x: str) -> str:
    return g.op("Clip", u, g.constant(-0.25), g.constant(0.25))


def _min_with_itself(g: Graph, u: str, x: str) -> str:
    return g.op("Sub", g.op("Max", u, u), g.op("Min", u, u))


def _left_out(g: Graph, u: str, x: str) -> str:
    both = g.op("Concat", x, u, axis=1)
    weight = np.concatenate([np.eye(2), np.zeros((2, 2))])
    return g.op("MatMul", both, g.constant(weight))


def _compared(g: Graph, u: str, x: str) -> str:
    return g.op("Cast", g.op("Greater", g.op("Sub", u, u), g.constant(0.5)), to=g.kind)


def _squared_root(g: Graph, u: str, x: str) -> str:
    return g.op("Sub", g.op("Mul", u, u), g.op("Mul", u, u))


CANCELLED: tuple[Cancelled, ...] = (
    _difference,
    _difference_apart,
    _times_zero,
    _matrix_of_zeros,
    _power_zero,
    _sign_squared,
    _clipped,
    _min_with_itself,
    _left_out,
    _squared_root,
)


POLES = ("Reciprocal", "Over")
"""Undefined at one point, where onnxruntime gives an infinity, which these make finite and harmless."""
HARMLESS = (_sign_squared, _clipped)


def undefined(seed: int) -> Case:
    """A case whose box has points where the graph gives no number: neither proved nor refuted."""
    random = np.random.default_rng(seed)
    if random.random() < 0.4:
        return _infinite(seed, random)
    graph = Graph(np.float32 if random.random() < 0.7 else np.float64)
    x = graph.input("x", 1, 2)
    function, low, high = PARTIAL[int(random.integers(len(PARTIAL)))]
    scale = float(random.choice([1.0, 0.5, 2.0]))
    u = _partial(graph, function, graph.op("Mul", x, graph.constant(scale)) if scale != 1.0 else x)
    rule = CANCELLED[int(random.integers(len(CANCELLED)))]
    rule = _difference if function in POLES and rule in HARMLESS else rule
    y = rule(graph, u, x)
    if random.random() < 0.5:
        y = graph.op("Add", y, x)
    box = np.sort(random.uniform(low, high, (2, 2)) / scale, axis=0)
    box[0] = np.minimum(box[0], (low + 0.1 * (high - low) * random.random()) / scale)
    box[1] = np.maximum(box[1], (high - 0.1 * (high - low) * random.random()) / scale)
    why = f"{function} is undefined on a part of the box, then {rule.__name__.strip('_')}"
    return _case(seed, graph, y, box.astype(np.float32).astype(np.float64), why)


def _partial(graph: Graph, function: str, x: str) -> str:
    if function == "PowHalf":
        return graph.op("Pow", x, graph.constant(0.5))
    if function == "Over":
        return graph.op("Div", graph.constant(1.0), x)
    return graph.op(function, x)


def _infinite(seed: int, random: Any) -> Case:
    """Numbers that overflow float32 on half of the box at least: onnxruntime gives infinities or NaN."""
    graph = Graph(np.float32)
    x = graph.input("x", 1, 2)
    how = ("exp", "product", "square", "difference", "layer")[int(random.integers(5))]
    large = graph.constant(float(random.choice([1e30, 3e38])))
    if how == "exp":
        u = graph.op("Exp", graph.op("Mul", x, graph.constant(100.0)))
    elif how == "layer":
        weight = graph.constant(np.full((2, 2), 1e30))
        u = graph.op("MatMul", graph.op("MatMul", x, weight), weight)
    else:
        u = graph.op("Mul", graph.op("Mul", x, large), graph.constant(1e20))
    if how == "square":
        u = graph.op("Mul", u, u)
    if how == "difference":
        u = graph.op("Sub", u, graph.op("Mul", u, graph.constant(0.5)))
    low = random.uniform(0.5, 1.0, 2)
    box = np.stack([low, low + random.uniform(0.5, 2.0, 2)]).astype(np.float32).astype(np.float64)
    return _case(seed, graph, u, box, f"onnxruntime's outputs are infinite or NaN on the box ({how})")


def _case(seed: int, graph: Graph, y: str, box: Any, why: str) -> Case:
    """Unsafe: far outside of what is reached where there are numbers; both outputs are asked about."""
    limit = 1e3 if "undefined" in why else -1e3
    clause = Clause(0, np.array([[-1.0, -1.0]] if limit > 0 else [[1.0, 0.0]]), None, np.array([-abs(limit)]))
    return Case(
        "undefined",
        seed,
        graph.model([y]).SerializeToString(),
        Spec(box[0][None], box[1][None], (clause,), 2),
        ("verified", "falsified"),
        why,
        seconds=0.2,
    )
