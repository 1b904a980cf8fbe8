"""Polynomials written as products of variable tensors, whose least value is attained at one point."""

from __future__ import annotations

from typing import Any

import numpy as np

from genbab.specs import Clause, Spec

from .affine import rounded_up
from .cases import Case, Known, exactly
from .chain import row
from .interpreter import run
from .numbers import EXACT
from .writing import Graph


def quadratics(seed: int) -> Case:
    """A case whose output is least at one point of the box, and unsafe there.

    The output is Σ u·u of layers u = (x - p) W, each square written as u·u, as a matrix product of variable
    tensors, or as (u + v)·(u - v) + v·v, with constants added before and taken off again behind.
    """
    random = np.random.default_rng(seed)
    dtype: Any = np.float32 if random.random() < 0.5 else np.float64
    size, made = int(random.integers(1, 6)), int(random.integers(1, 6))
    graph = Graph(dtype)
    x = graph.input("x", 1, size)
    point = random.integers(-64, 65, size) / 32
    weight = random.normal(size=(size, made)).astype(dtype).astype(np.float64)
    u = graph.op("MatMul", graph.op("Sub", x, graph.constant(point)), graph.constant(weight))
    far = graph.constant(float(random.integers(1, 2 ** int(random.integers(1, 20)))))
    if random.random() < 0.5:
        u = graph.op("Sub", graph.op("Add", u, far), far)
    output = _squares(graph, u, made, random)
    if random.random() < 0.3:
        output = graph.op("Mul", output, graph.constant(float(random.choice([0.3, 1e3, 1e-3]))))
    if random.random() < 0.3:
        output = graph.op("Add", output, far)
    model = graph.model([output])
    radius = 10.0 ** -float(random.integers(0, 7))
    low = (point - radius * random.random(size)).astype(np.float32).astype(np.float64)
    high = (point + radius * random.random(size)).astype(np.float32).astype(np.float64)
    points = [point, low, high]
    values = [run(model.graph, {"x": row(p[None])}, EXACT)[output].reshape(-1) for p in points]
    clause = Clause(0, np.ones((1, 1)), None, np.array([rounded_up(values[0][0])]))
    return Case(
        "quadratics",
        seed,
        model.SerializeToString(),
        Spec(low[None], high[None], (clause,), 1),
        ("verified",),
        f"violated at {point.tolist()}, where the output is exactly {values[0][0]}",
        known=tuple(Known(tuple(p.tolist()), exactly(y)) for p, y in zip(points, values, strict=True)),
        check=False,
        seconds=0.15,
    )


def _squares(graph: Graph, u: str, made: int, random: Any) -> str:
    """Σ u² (1, 1)."""
    how = int(random.integers(4))
    if how == 0:
        other = graph.op("Reshape", u, graph.integers(made, 1))
        return graph.op("MatMul", u, other)
    if how == 1:
        squares = graph.op("Pow", u, graph.constant(2.0))
    elif how == 2:
        v = graph.op("MatMul", u, graph.constant(random.normal(size=(made, made))))
        apart = graph.op("Mul", graph.op("Add", u, v), graph.op("Sub", u, v))
        squares = graph.op("Add", apart, graph.op("Mul", v, v))
    else:
        squares = graph.op("Mul", u, u)
    return graph.op("ReduceSum", squares, graph.integers(1), keepdims=1)
