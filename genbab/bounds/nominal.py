"""What work is worth where it is counted instead of timed (`WorkClock`): about the seconds of one core.

Whatever these numbers are, two runs that do the same work count the same; where they are far from a machine's
own speed, work is shared out less well.
"""

from __future__ import annotations

from typing import NamedTuple

from genbab.network import Affine, Grouped, Input, Meaning, Network, Nonlinear


class NominalSpeed(NamedTuple):
    """Seconds of one kind of work: for each node on the way, and per row for its numbers and its products."""

    node: float
    number: float
    product: float


STEP = NominalSpeed(2e-4, 1.5e-8, 5e-11)
"""A slope step, per row of a box."""

PASS = NominalSpeed(1.5e-4, 6e-9, 1e-10)
"""A certified backward pass, per row of a box."""

LINES = NominalSpeed(8e-4, 2.5e-7, 0.0)
"""Lines and planes of all functions in both dtypes, per box."""

INTERVALS = NominalSpeed(6e-4, 1.5e-7, 2e-10)
"""Interval arithmetic, per box."""

FORWARD = NominalSpeed(2.5e-3, 3e-7, 0.0)
"""Forward linear bounds, per box, what every input that varies adds left aside."""

FORWARD_INPUT = NominalSpeed(0.0, 3e-8, 4e-10)
"""What every input that varies adds to forward linear bounds, per box."""

AROUND = 4
"""Slope steps that choosing the split of a domain and cutting its box take together."""


def seconds(network: Network, target: int, rows: int, at: NominalSpeed) -> float:
    """Work of one kind that visits node `target` and what it depends on, for so many rows."""
    nodes, numbers, products = network.once(sizes, target)
    return at.node * nodes + rows * (at.number * numbers + at.product * products)


def sizes(network: Network, target: int) -> tuple[int, int, int]:
    """Nodes that `target` depends on, itself among them, their numbers, and the products of their maps."""
    reached = network.ancestors[target] | {target}
    products = sum(network.nodes[i].meet(_Products(), i, None) for i in reached)
    return len(reached), sum(network.nodes[i].size for i in reached), products


class _Products(Meaning[None, int]):
    def input(self, i: int, node: Input, x: None) -> int:
        return 0

    def affine(self, i: int, node: Affine, x: None) -> int:
        return sum(one.cost for _, one in node.terms)

    def function(self, i: int, node: Nonlinear | Grouped, x: None) -> int:
        return 0
