"""Clauses whose rows meet the box together in one corner only: each row alone is far from refuted."""

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


def conjunctions(seed: int) -> Case:
    """A case whose unsafe set holds one corner of the box, and nothing else of it.

    The rows of the clause are d + e_k with Σ e_k = 0; d alone has its maximum over the box in the corner.
    """
    random = np.random.default_rng(seed)
    dtype: Any = np.float32 if random.random() < 0.5 else np.float64
    size, outputs = int(random.choice([2, 5, 20, 60, 300])), int(random.integers(2, 6))
    graph = Graph(dtype)
    matrix = random.normal(size=(size, outputs)).astype(dtype)
    weight, bias = graph.constant(matrix), graph.constant(random.normal(size=outputs))
    output = graph.op("Gemm", graph.input("x", 1, size), weight, bias)
    if random.random() < 0.3:
        matrix = np.asarray(3.0 * matrix[:, ::-1])
        output = graph.op(
            "Gather", graph.op("Sub", output, bias), graph.integers(*range(outputs)[::-1]), axis=1
        )
        output = graph.op("Mul", output, graph.constant(3.0))
    model = graph.model([output])
    low = (
        (random.normal(size=size) * 10.0 ** int(random.integers(0, 4))).astype(np.float32).astype(np.float64)
    )
    high = (
        (low + random.random(size) * 10.0 ** -int(random.integers(0, 4)))
        .astype(np.float32)
        .astype(np.float64)
    )

    def at(x: Any) -> Any:
        return run(model.graph, {"x": row(x[None])}, EXACT)[output].reshape(-1)

    count = int(random.integers(2, 5))
    middle = np.round(random.normal(size=outputs) * 256) / 256
    parts = np.round(random.normal(size=(count, outputs)) * 512) / 256
    parts[-1] = -parts[:-1].sum(0)
    corner = np.where(matrix.astype(np.float64) @ middle > 0, high, low)
    y = at(corner)
    rows = -(middle + parts)  # unsafe: (middle + part) · y >= its value in the corner
    rhs = np.array([rounded_up(v) for v in row(rows) @ y])
    return Case(
        "conjunctions",
        seed,
        model.SerializeToString(),
        Spec(low[None], high[None], (Clause(0, rows, None, rhs),), outputs),
        ("verified",),
        f"violated at the corner {corner.tolist() if size < 6 else '(given)'}",
        known=(Known(tuple(corner.tolist()), exactly(y)),),
        check=False,
        seconds=0.1,
    )
