"""Rules by which graphs of nonlinear operators grow beyond functions and layers: reductions, windows."""

from __future__ import annotations

from typing import Any, Protocol

from . import more_rules  # noqa: F401 - the truth of what is used here
from .writing import Graph


class Growing(Protocol):
    """What the rules ask of the graph: its tensors of shape (1, n), and how one more is noted."""

    random: Any
    graph: Graph

    def draw(self, *choices: Any) -> Any:
        """One of these."""

    def numbers(self, *shape: int, scale: float = 1.0) -> str:
        """A constant of random numbers."""

    def pick(self) -> tuple[str, int]:
        """A tensor and its size."""

    def add(self, name: str, size: int) -> str:
        """The tensor, noted."""

    def tame(self, name: str, centre: float, radius: float) -> str:
        """centre + radius · tanh."""


def reduced(net: Growing) -> None:
    """A reduction over the entries, taken off all of them or kept alone."""
    name, size = net.pick()
    g = net.graph
    kind = net.draw(
        "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceProd"
    )
    bounded = net.tame(name, 0.5, 1.0)
    total = g.op(kind, bounded, g.integers(1), keepdims=1)
    if net.random.random() < 0.5:
        net.add(total, 1)
    else:
        net.add(g.op("Sub", bounded, total), size)


def windowed(net: Growing) -> None:
    """A convolution or a pool along the entries, with padding."""
    name, size = net.pick()
    g = net.graph
    row = g.op("Unsqueeze", name, g.integers(1))
    kind = net.draw("Conv", "MaxPool", "AveragePool", "InstanceNormalization")
    if kind == "InstanceNormalization":
        made = g.op(kind, row, net.numbers(1), net.numbers(1), epsilon=0.01)
    elif kind == "Conv":
        made = g.op(kind, row, net.numbers(1, 1, 3, scale=0.6), net.numbers(1), pads=[1, 1], kernel_shape=[3])
    else:
        padded = g.op("Pad", row, g.integers(0, 0, 1, 0, 0, 0), g.constant(0.25))
        made = g.op(kind, padded, kernel_shape=[2])
    net.add(g.op("Squeeze", made, g.integers(1)), size)


def pieces(net: Growing) -> None:
    """Functions with parameters per entry, and entries that are moved or added up."""
    name, size = net.pick()
    g = net.graph
    kind = net.draw("PRelu", "Clip", "LogSoftmax", "CumSum", "Tile", "Expand", "ScatterElements")
    if kind == "PRelu":
        made = g.op(kind, name, net.numbers(size, scale=0.5))
    elif kind == "Clip":
        made = g.op(kind, name, g.constant(-0.4), g.constant(0.7))
    elif kind == "LogSoftmax":
        made = g.op(kind, name, axis=1)
    elif kind == "CumSum":
        made = g.op(kind, name, g.constant(1, "int64"))
    elif kind == "Tile":
        made, size = g.op(kind, name, g.integers(1, 2)), 2 * size
    elif kind == "Expand":
        rows = g.op(kind, name, g.integers(2, size))
        made, size = g.op("Reshape", rows, g.integers(1, 2 * size)), 2 * size
    else:
        made = g.op(kind, name, g.constant([[0]], "int64"), net.numbers(1, 1), axis=1)
    net.add(made, size)
