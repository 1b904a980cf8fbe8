"""What a pass is asked, what it took at every node, and what another one may start from.

Shapes: B domains, S rows, N neurons of a node, D inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.bounds.relax.lines import Slopes
from genbab.bounds.relax.relaxation import Relaxation
from genbab.kernels import Relaxed
from genbab.nonlinear.groups.kind import GroupPlanes


@dataclass(frozen=True, eq=False)
class Rows:
    """Linear forms to bound from below.

    matrix (B or 1, S, N): over the values of node `target`; on_input (B or 1, S, D): over the input, beside.
    """

    target: int
    matrix: Tensor
    on_input: Tensor | None = None

    def to(self, dtype: torch.dtype) -> Rows:
        """The same rows in another dtype."""
        on_input = None if self.on_input is None else self.on_input.to(dtype)
        return Rows(self.target, self.matrix.to(dtype), on_input)

    def take(self, which: Tensor, count: int) -> Rows:
        """The domains selected of so many."""

        def own(t: Tensor) -> Tensor:
            return t[which] if t.shape[0] == count else t

        return Rows(self.target, own(self.matrix), None if self.on_input is None else own(self.on_input))

    @staticmethod
    def of_neurons(target: int, neurons: Tensor, size: int) -> Rows:
        """Both sides of neurons (C,) of a node of so many: rows (1, 2C, N), first z, then -z, float64."""
        units = torch.zeros(len(neurons), size, dtype=torch.float64, device=neurons.device)
        units[torch.arange(len(neurons), device=neurons.device), neurons] = 1.0
        return Rows(target, torch.cat([units, -units])[None])


@dataclass(frozen=True, eq=False)
class Start:
    """What a pass may start from at one node, and what a proof needs of it.

    slopes: one tensor (B, S, N) per argument (the parameters of the planes of a function of rows); upper
    (B, S, N): the sides they belong to, 1 where the upper line was taken.
    """

    slopes: Slopes
    upper: Tensor

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Start:
        """With every tensor replaced by what `change` makes of it."""
        return Start(tuple(map(change, self.slopes)), change(self.upper))

    def take(self, which: Tensor) -> Start:
        """The domains selected."""
        return self.mapped(lambda t: t[which])


Starts = Mapping[int, Start]
"""What a pass may start from, per relaxed node; where a node is missing, from the default lines."""


@dataclass(frozen=True, eq=False)
class TakenLine:
    """The lines that one pass took at a node of an elementwise function, all (B, S, N).

    coefficients: the rows' at the node's output; upper: 1.0 where they took the upper line, 0.0 for the lower
    (float masks: selecting by a random boolean mask costs ten times an addition on CPUs); slopes, intercept
    and touching points. point: the arguments' values at the input that minimises the form, once a sweep has
    found them; uphill: the bound's gradient to the slopes, where kernels found it in the sweep; step: the
    kernels' own account of the step.
    """

    coefficients: Tensor
    upper: Tensor
    slopes: Slopes
    intercept: Tensor
    touch: Slopes = ()
    point: Slopes = ()
    uphill: Slopes = ()
    step: Relaxed | None = None

    @property
    def start(self) -> Start:
        """What another pass may start from."""
        return Start(self.slopes, self.upper)

    @property
    def gradient(self) -> Slopes:
        """∂bound/∂slope of a swept line, per argument.

        A·(v - x*), x* where the line touches (envelope theorem), v the argument's value.
        """
        if self.uphill:
            return self.uphill
        return tuple(self.coefficients * (v - t) for v, t in zip(self.point, self.touch, strict=True))


@dataclass(frozen=True, eq=False)
class TakenPlanes:
    """The planes that one pass took at a node of a function of rows.

    coefficients, upper: as those of `TakenLine`; at (B, S, N): the planes' parameters; point: as there, of
    the only argument.
    """

    coefficients: Tensor
    upper: Tensor
    at: Tensor
    planes: GroupPlanes
    point: Tensor | None = None

    @property
    def start(self) -> Start:
        """What another pass may start from."""
        return Start((self.at,), self.upper)


@dataclass(frozen=True, eq=False)
class Pass:
    """One backward pass on a relaxation.

    Below the rows lies <coefficients, x> + constant, coefficients (B, S, D), constant (B, S), least at
    `corner` (B, S, D), where it is `bound` (B, S); lines, planes: what it took, per node.
    """

    relaxation: Relaxation
    coefficients: Tensor
    constant: Tensor
    bound: Tensor
    corner: Tensor
    lines: dict[int, TakenLine] = field(default_factory=dict)
    planes: dict[int, TakenPlanes] = field(default_factory=dict)

    @property
    def starts(self) -> dict[int, Start]:
        """What another pass may start from."""
        return {i: taken.start for i, taken in self._taken.items()}

    @property
    def weights(self) -> dict[int, Tensor]:
        """The rows' coefficients (B, S, N) at the output of every relaxed node."""
        return {i: taken.coefficients for i, taken in self._taken.items()}

    @property
    def _taken(self) -> dict[int, TakenLine | TakenPlanes]:
        return {**self.lines, **self.planes}
