"""`Det`: products with minors, row by row (Laplace), each minor of the first rows made once."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import combine, multiply
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Op, Refused, Value, Var, needed

LARGEST = 6
"""Rows of the largest matrix: 2^n minors of it are made."""


@lowering("Det", how="sums of products with minors")
def _determinant(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = needed(inputs, 0)
    rows, columns = x.shape[-2:]
    if not isinstance(x, Var) or rows != columns or not 0 < rows <= LARGEST:
        raise Refused(f"matrices of more than {LARGEST} rows, or constant ones")
    place = np.arange(x.size).reshape(x.shape)
    minors: dict[tuple[int, ...], Value] = {(j,): b.gather(x, place[..., 0, j]) for j in range(columns)}
    for row in range(1, rows):
        longer: dict[tuple[int, ...], Value] = {}
        for chosen in combinations(range(columns), row + 1):
            parts = []
            for at, j in enumerate(chosen):
                rest = chosen[:at] + chosen[at + 1 :]
                product = multiply(b, b.gather(x, place[..., row, j]), minors[rest])
                parts.append((product, 1.0 if (row + at) % 2 == 0 else -1.0))
            longer[chosen] = combine(b, parts)
        minors = longer
    return minors[tuple(range(columns))]
