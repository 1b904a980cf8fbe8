"""From the input that minimises a form along the lines of its pass: values, and with them gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.bounds.passes.taken import Pass, TakenLine, TakenPlanes
from genbab.bounds.relax.lines import Slopes
from genbab.bounds.relax.relaxation import Relaxation
from genbab.network import Affine, Grouped, Input, Meaning, Network, Nonlinear, forward


@dataclass(eq=False)
class Sweep(Meaning[Sequence[Tensor], Tensor]):
    """A sweep of one pass; lines, planes: what the pass took, with the points where its bound is attained."""

    one: Pass
    lines: dict[int, TakenLine] = field(default_factory=dict)
    planes: dict[int, TakenPlanes] = field(default_factory=dict)

    def run(self, target: int | None = None) -> Tensor | None:
        """Go through the pass's nodes; the value (B, S, N) of node `target` along the lines, if named."""
        relaxed = (*self.one.lines, *self.one.planes)
        wanted = relaxed if target is None else (*relaxed, target)
        network = self.one.relaxation.network
        known = forward(network, self, network.once(reached, wanted), {0: self.one.corner})
        return None if target is None else known[target]

    def affine(self, i: int, node: Affine, x: Sequence[Tensor]) -> Tensor:
        """The node's value."""
        value = node.bias[None, None]  # a node without terms has the shape of the others, too
        for known, (_, one) in zip(x, node.terms, strict=False):
            value = one.apply(known) + value
        return value

    def nonlinear(self, i: int, node: Nonlinear, x: Sequence[Tensor]) -> Tensor:
        """Its value on the lines that the pass took."""
        value, self.lines[i] = along(self.one.relaxation, i, self.one.lines[i], tuple(x))
        return value

    def grouped(self, i: int, node: Grouped, x: Sequence[Tensor]) -> Tensor:
        """Its value on the entries' lines of the planes that the pass took."""
        taken = self.one.planes[i]
        self.planes[i] = replace(taken, point=x[0])
        return taken.planes.along(x[0])


def swept(one: Pass) -> Pass:
    """The pass with the arguments' values at its corner, along its own lines, filled in."""
    sweep = Sweep(one)
    sweep.run()
    return replace(one, lines=sweep.lines, planes=sweep.planes)


def along(relaxation: Relaxation, i: int, line: TakenLine, point: Slopes) -> tuple[Tensor, TakenLine]:
    """(value of nonlinear node i on its lines at the point, the lines with it)."""
    lines, kernels = relaxation.lines(i), relaxation.kernels
    if lines.hot is not None and line.step is not None:
        value, uphill = kernels.gradient(lines.hot, line.coefficients, lines.boxes, line.step, point)
        return value, replace(line, point=point, uphill=uphill)
    value = line.intercept
    for k, v in zip(line.slopes, point, strict=True):
        value = torch.addcmul(value, k, v)
    return value, replace(line, point=point)


def reached(network: Network, asked: tuple[int, ...]) -> list[int]:
    """The nodes after the input that the values of those asked for depend on, and these, in order."""
    found = set(asked)
    waiting = list(found)
    while waiting:
        i = waiting.pop()
        arguments: tuple[int, ...] = network.nodes[i].meet(_Arguments(), i, None)
        fresh = set(arguments) - found - {0}
        found |= fresh
        waiting += fresh
    return sorted(found)


class _Arguments(Meaning[None, tuple[int, ...]]):
    """The nodes that the value of a node is computed from."""

    def input(self, i: int, node: Input, x: None) -> tuple[int, ...]:
        return ()

    def affine(self, i: int, node: Affine, x: None) -> tuple[int, ...]:
        return tuple(source for source, _ in node.terms)

    def nonlinear(self, i: int, node: Nonlinear, x: None) -> tuple[int, ...]:
        return node.args

    def grouped(self, i: int, node: Grouped, x: None) -> tuple[int, ...]:
        return node.args[:1]
