"""What float32 arithmetic, or a shorter one, may cost every number that a network computes, by trial.

Errors of single operations add up, cancel and are lost again in ways that no bound of a whole network
follows closely, and each number has its own. So the network is run in float32 several times, every operation
disturbed at random by about what another order of summing or another library's function would change; how far
the values move is the noise. It also tells on which side of a jump float32 may be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from genbab.network.computed.values import values
from genbab.network.graph import Network
from genbab.network.nodes import Affine, Grouped, Input, Meaning, Nonlinear
from genbab.network.rounding.formats import FLOAT32, Format
from genbab.network.walk import forward
from genbab.nonlinear import Gate, Nonlinearity

TRIALS = 6
"""Disturbed runs."""

UNITS = 4.0
"""The most that an operation is disturbed by, in the format's rounding unit of the sizes that it adds."""

TAIL = 8.0
"""Beyond this argument the tails of gelu and its kin are gone."""

SEED = 20240102


def noises(network: Network, x: Tensor, form: Format = FLOAT32) -> list[Tensor]:
    """How far the format moves every number of every node at x (D,): a tensor (N,) per node, never NaN.

    It is run in float32, disturbed as far as the format rounds. 0 where float32 has no finite value: there it
    says nothing.
    """
    exact = values(network, x.double())
    single = network.to(torch.float32, x.device)
    generator = torch.Generator().manual_seed(SEED)
    found = [torch.zeros_like(v) for v in exact]
    point = x.float()
    disturbed = forward(single, _Disturbed(point, generator, form)).values()
    for runs in (values(single, point[None]), disturbed):
        for i, (rough, value) in enumerate(zip(runs, exact, strict=True)):
            off = (rough.double() - value).abs().nan_to_num(0.0, 0.0, 0.0).amax(0)
            found[i] = torch.maximum(found[i], off)
    return found


def noise(network: Network, x: Tensor, form: Format = FLOAT32) -> Tensor:
    """How far the format moves every output (O,) at x (D,); as `noises`."""
    return noises(network, x, form)[network.output]


class _Disturbed(Meaning[Sequence[Tensor], Tensor]):
    """The value (TRIALS, N) of each node at x (D,) in float32, each operation disturbed."""

    def __init__(self, x: Tensor, generator: torch.Generator, form: Format) -> None:
        self.x, self.generator, self.form = x, generator, form

    def input(self, i: int, node: Input, x: Sequence[Tensor]) -> Tensor:
        return self.x.expand(TRIALS, -1)

    def affine(self, i: int, node: Affine, x: Sequence[Tensor]) -> Tensor:
        value, size = node.bias, node.bias.abs()
        for source, (_, one) in zip(x, node.terms, strict=False):  # then come uncertain weights
            value, size = value + one.apply(source), size + one.absolute().apply(source.abs())
        maps = [p for _, one in node.terms for p in one.parts]
        moves = node.uncertainty.exact and len(node.terms) == 1 and all(m.some_weight is None for m in maps)
        return value if moves and not bool(node.bias.any()) else self._off(value, size)

    def function(self, i: int, node: Nonlinear | Grouped, x: Sequence[Tensor]) -> Tensor:
        value = node.fn.value(*x)
        return self._off(value, value.abs() + _absolute(node, x))

    def _off(self, value: Tensor, size: Tensor | float) -> Tensor:
        """The value, disturbed in proportion to the size of what is rounded."""
        random = 2.0 * torch.rand(value.shape, generator=self.generator).to(value.device) - 1.0
        return value + UNITS * self.form.unit * random * (size + self.form.tiny)


def _absolute(node: Nonlinear | Grouped, args: Sequence[Tensor]) -> Tensor | float:
    """The size of what a library's function may be off by however small its value is.

    A sigmoid far out in its tail, say, is 1 less something, and as exact as that: a function comes near its
    bounds like this. One without bounds may be a product that is nearly 0, like gelu.
    """
    if isinstance(node.fn, Nonlinearity):
        near = _nearest(node.fn)
        return args[0].abs().clamp(max=TAIL) if near is None else near
    return args[0].abs() * (_nearest(node.fn.g) or 0.0) if isinstance(node.fn, Gate) else 0.0


def _nearest(fn: Nonlinearity) -> float | None:
    """The largest finite bound of the function's values."""
    return max((abs(b) for b in fn.bounds if math.isfinite(b)), default=None)
