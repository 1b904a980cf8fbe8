"""Where the derivatives that a network computes are those of the function: where none of its parts jumps.

A kink of the function is a jump of the derivative. Where the network of derivatives is continuous, its values
are the limits of those at almost all inputs nearby, at which they are the function's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genbab.network import Affine, Grouped, Input, Meaning, Network, Nonlinear, values
from genbab.nonlinear import Gate, Nonlinearity
from genbab.nonlinear.composed.defined import keeps_domain

CLEAR = 1e-9
"""Arguments nearer to a jump than this, relative to 1 and the jump, are taken to be at it."""


def off_kinks(network: Network) -> Callable[[NDArray[np.float64]], bool]:
    """Whether all functions of a network of derivatives are continuous at a point.

    An argument that no input moves may be at a jump: it belongs to a slope that is multiplied by 0.
    """
    kinked = []
    moves = _moving(network)
    for node in network.nonlinear.values():
        fn, argument = node.fn.g if isinstance(node.fn, Gate) else node.fn, node.args[-1]
        steady = not isinstance(fn, Nonlinearity) or not fn.jumps or keeps_domain(fn)
        if isinstance(fn, Nonlinearity) and not steady and bool(moves[argument].any()):
            kinked.append((argument, fn))

    def clear(x: NDArray[np.float64]) -> bool:
        known = values(network, torch.from_numpy(np.array(x, np.float64))) if kinked else []
        return all(_away(known[argument][..., moves[argument]], fn) for argument, fn in kinked)

    return clear


class Moves(Meaning[Sequence[Tensor], Tensor]):
    """Which entries of a node are computed from the input, from those of all nodes before it."""

    def input(self, i: int, node: Input, x: Sequence[Tensor]) -> Tensor:
        """All of them."""
        return torch.ones(node.size, dtype=torch.bool)

    def affine(self, i: int, node: Affine, x: Sequence[Tensor]) -> Tensor:
        """Those that a weight reads which is, or may be, other than 0."""
        found = torch.zeros(node.size, dtype=torch.bool)
        for source, one in (*node.terms, *node.uncertainty.weights):
            found = found | one.reached(x[source])
        return found

    def nonlinear(self, i: int, node: Nonlinear, x: Sequence[Tensor]) -> Tensor:
        """Those of the arguments."""
        return torch.stack([x[source] for source in node.args]).any(0)

    def grouped(self, i: int, node: Grouped, x: Sequence[Tensor]) -> Tensor:
        """Whole rows."""
        rows = x[node.args[0]].reshape(-1, node.fn.length)
        return rows.any(-1, keepdim=True).expand_as(rows).reshape(-1)


def _moving(network: Network) -> list[Tensor]:
    found: list[Tensor] = []
    for i, node in enumerate(network.nodes):
        found.append(node.meet(Moves(), i, found))
    return found


def _away(x: Tensor, fn: Nonlinearity) -> bool:
    places = torch.tensor([jump[:2] for jump in fn.jumps], dtype=torch.float64)
    first, last = places[:, 0], places[:, 1]
    x = x[..., None]
    if fn.period:
        x = x - fn.period * torch.round((x - (first + last) / 2) / fn.period)
    room = CLEAR * (1 + places.abs().amax(-1))
    return bool(((x < first - room) | (x > last + room)).all())
