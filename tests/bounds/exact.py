"""Ill-conditioned networks of affine maps and ReLU, and their values in rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genbab.bounds import Interval, Relaxation, Rows, propagate
from genbab.network import Affine, Dense, Input, Network, Node, Nonlinear
from genbab.nonlinear import make

Rationals = np.ndarray[Any, Any]
"""Fractions, as an array of objects."""


def double(*values: float) -> Tensor:
    """A float64 vector."""
    return torch.tensor(values, dtype=torch.float64)


def rational(values: Tensor) -> Rationals:
    """The very numbers, as fractions."""
    flat = [Fraction(v) for v in values.double().flatten().tolist()]
    out = np.empty(len(flat), dtype=object)
    out[:] = flat
    return out.reshape(tuple(values.shape))


def values(network: Network, x: Rationals) -> list[Rationals]:
    """The value of every node at x (D,), exactly; affine maps and ReLU only."""
    known: list[Rationals] = []
    for node in network.nodes:
        if isinstance(node, Input):
            known.append(x)
        elif isinstance(node, Nonlinear):
            zero = np.full(node.size, Fraction(0), dtype=object)
            known.append(np.maximum(known[node.args[0]], zero))
        else:
            assert isinstance(node, Affine)
            total = rational(node.bias)
            for source, one in node.terms:
                total = total + rational(one.dense()).dot(known[source])
            known.append(total)
    return known


def least(row: Rationals, low: Rationals, high: Rationals) -> Fraction:
    """min <row, x> over the box, exactly."""
    return sum((c * (a if c > 0 else b) for c, a, b in zip(row, low, high, strict=True)), Fraction(0))


def linear_form(network: Network) -> tuple[Rationals, Rationals]:
    """(matrix (O, D), constant (O,)) of a network without nonlinearities, exactly."""
    size = network.input_size
    zero = np.full(size, Fraction(0), dtype=object)
    constant = values(network, zero)[network.output]
    columns = []
    for d in range(size):
        unit = zero.copy()
        unit[d] = Fraction(1)
        columns.append(values(network, unit)[network.output] - constant)
    return np.stack(columns, 1), constant


def cancelling(seed: int, relu: bool) -> tuple[Network, Interval]:
    """Twin rows of large weights and biases, of which the output sees the differences; a small box (1, D)."""
    random = np.random.default_rng(seed)
    inputs, width = int(random.integers(1, 4)), int(random.integers(1, 4))
    nodes: list[Node] = [Input(inputs)]
    last, size = 0, inputs
    for _ in range(int(random.integers(1, 4))):
        big = 10.0 ** random.uniform(-2, 8)
        rows = big * random.normal(size=(width, size))
        other = rows * (1 + 1e-9 * random.normal(size=rows.shape))
        bias = big * random.normal(size=width)
        near = bias + 1e-6 * big * random.normal(size=width)
        weight = Dense(torch.from_numpy(np.concatenate([rows, other])))
        nodes.append(Affine(((last, weight),), torch.from_numpy(np.concatenate([bias, near]))))
        if relu:
            nodes.append(Nonlinear(make("relu"), (len(nodes) - 1,), 2 * width))
        gain = np.diag(random.uniform(0.3, 3.0, size=width))
        difference = Dense(torch.from_numpy(np.concatenate([gain, -gain], 1)))
        skip = Dense(torch.from_numpy(random.normal(size=(width, size))))
        terms = ((len(nodes) - 1, difference), (last, skip))
        nodes.append(Affine(terms, torch.from_numpy(random.normal(size=width))))
        last, size = len(nodes) - 1, width
    network = Network(tuple(nodes), last)
    network.check()
    centre, radius = random.normal(size=inputs), 10.0 ** random.uniform(-8, 0)
    half = radius * random.random(inputs)
    return network, (torch.from_numpy(centre - half)[None], torch.from_numpy(centre + half)[None])


def output_rows(network: Network) -> Rows:
    """Plus and minus every output: (1, 2 O, O)."""
    unit = torch.eye(network.output_size, dtype=torch.float64)
    return Rows(network.output, torch.cat([unit, -unit])[None])


def relaxed(network: Network, box: Interval) -> Relaxation:
    """The float64 relaxation on interval arithmetic's intervals."""
    return Relaxation(network, propagate(network, box), torch.float64)
