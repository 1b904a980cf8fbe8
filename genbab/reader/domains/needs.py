"""Which entries of which nodes the entries of a node are computed from."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from genbab.network import Affine, Grouped, LinearMap, Meaning, Nonlinear
from genbab.network.maps.structure import read_by


class Needs(Meaning[Tensor, list[tuple[int, Tensor]]]):
    """What the wanted entries (R, N) of each node are computed from, of the nodes in `depends` at least.

    depends: None for all nodes; through: which inputs (R, M) the wanted outputs (R, N) of a map read.
    """

    def __init__(
        self, depends: set[int] | None = None, through: Callable[[LinearMap, Tensor], Tensor] = read_by
    ) -> None:
        self.depends, self.through = depends, through

    def affine(self, i: int, node: Affine, x: Tensor) -> list[tuple[int, Tensor]]:
        """What its maps read, of each term."""
        return [(s, self.through(one, x)) for s, one in node.terms if self._wanted(s)]

    def nonlinear(self, i: int, node: Nonlinear, x: Tensor) -> list[tuple[int, Tensor]]:
        """The same entries of each argument."""
        return [(a, x) for a in node.args]

    def grouped(self, i: int, node: Grouped, x: Tensor) -> list[tuple[int, Tensor]]:
        """Whole rows."""
        rows = x.reshape(len(x), -1, node.fn.length).any(-1, keepdim=True)
        return [(node.args[0], rows.expand(-1, -1, node.fn.length).reshape(len(x), -1))]

    def _wanted(self, source: int) -> bool:
        return self.depends is None or source in self.depends
