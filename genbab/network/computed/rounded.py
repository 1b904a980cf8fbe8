"""Linear maps whose products are made in a coarser dtype, for searches.

Slopes may come from anywhere, and what is kept is evaluated in float64 with the maps themselves, so that
coarse products cost tightness at most. Products of processors with hardware for them are several times
faster in bfloat16 than in float32 (docs/kernels.md says what was measured).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.network.graph import Network
from genbab.network.maps.base import LinearMap
from genbab.network.nodes import Affine


@dataclass(frozen=True, eq=False)
class Rounded(LinearMap):
    """`exact` with operands and results rounded to the dtype of `coarse`, the same map in that dtype.

    Takes and gives the dtype of its arguments; the sums inside are as long as torch makes them (float32 for
    bfloat16). All that is said of the map (sizes, cost, the dominating map) is said of `exact`.
    """

    exact: LinearMap
    coarse: LinearMap
    dtype: torch.dtype

    @property
    def in_size(self) -> int:  # type: ignore[override]
        """Inputs of the exact map."""
        return self.exact.in_size

    @property
    def out_size(self) -> int:  # type: ignore[override]
        """Outputs of the exact map."""
        return self.exact.out_size

    def apply(self, x: Tensor) -> Tensor:
        """The coarse map of x, rounded to its dtype."""
        return self.coarse.apply(x.to(self.dtype)).to(x.dtype)

    def pull(self, a: Tensor) -> Tensor:
        """The coarse map's adjoint of a, rounded to its dtype."""
        return self.coarse.pull(a.to(self.dtype)).to(a.dtype)

    def absolute(self) -> LinearMap:
        """The exact map's."""
        return self.exact.absolute()

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        """The exact map in another dtype; on another device both."""
        return Rounded(self.exact.to(dtype, device), self.coarse.to(self.dtype, device), self.dtype)

    @property
    def cost(self) -> int:
        """What the exact map costs."""
        return self.exact.cost

    @property
    def terms(self) -> int:
        """The exact map's."""
        return self.exact.terms

    def dense(self) -> Tensor:
        """The exact map's matrix."""
        return self.exact.dense()

    @property
    def some_weight(self) -> Tensor | None:
        """The exact map's."""
        return self.exact.some_weight


def rounded(network: Network, dtype: torch.dtype) -> Network:
    """The network with every map that sums products made in `dtype`; all else stays in its dtype."""
    return network.with_nodes({i: _coarse(node, dtype) for i, node in network.affine.items()})


def _coarse(node: Affine, dtype: torch.dtype) -> Affine:
    return replace(node, terms=tuple((source, _coarse_map(one, dtype)) for source, one in node.terms))


def _coarse_map(one: LinearMap, dtype: torch.dtype) -> LinearMap:
    """The map itself where it scales or moves entries only, which gains nothing."""
    weight = one.some_weight
    if weight is None or one.cost <= one.out_size:
        return one
    return Rounded(one, one.to(dtype, weight.device), dtype)
