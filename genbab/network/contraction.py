"""Matrix products of two variable tensors, found again among gathers, elementwise products and sums.

C[h, i, j] = Σ_k x[h, i, k]·y[h, j, k] is an elementwise product of two affine nodes that repeat their
numbers, and a sum over k. Where nothing distinguishes the copies of a number (default slopes do not), a pass
can go from C to x and y by two batched matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.network.graph import Network
from genbab.network.maps.algebra import Adjoint, Compose, Identity
from genbab.network.maps.base import LinearMap
from genbab.network.maps.index import Index
from genbab.network.nodes import Nonlinear
from genbab.nonlinear import Product


@dataclass(frozen=True, eq=False)
class Factor:
    """One operand of a matrix product.

    The distinct numbers (H, R, K) of node `node` stand at `places`; they are `map` of node `source`, plus
    `bias`.
    """

    node: int
    source: int
    map: LinearMap
    places: Tensor
    bias: Tensor


@dataclass(frozen=True, eq=False)
class Contraction:
    """A matrix product of two variable tensors.

    Product node `node`, (H, I, J, K) of them, its factors (H, I, K) and (H, J, K), and what node `reader`
    does with the sums over K, `after`, (H, I, J) numbers.
    """

    node: int
    reader: int
    shape: tuple[int, int, int, int]
    left: Factor
    right: Factor
    after: LinearMap

    def repeats(self, values: Tensor, left: bool) -> bool:
        """Whether numbers (B, N) of the left (right) operand's node are the same for all copies."""
        heads, rows, columns, inner = self.shape
        cube = values.reshape(-1, heads, rows, columns, inner)
        return bool((cube == (cube[:, :, :, :1] if left else cube[:, :, :1])).all())


def contractions(network: Network) -> dict[int, Contraction]:
    """Per product node that belongs to a matrix product: what the product is of."""
    found = {}
    for i, node in network.nonlinear.items():
        if isinstance(node.fn, Product) and i != network.output:
            made = _contraction(network, i, node)
            if made is not None:
                found[i] = made
    return found


def _contraction(network: Network, i: int, node: Nonlinear) -> Contraction | None:
    readers = network.consumers[i]
    reader = network.affine.get(readers[0]) if len(readers) == 1 else None
    if reader is None:
        return None
    terms = [one for source, one in reader.terms if source == i]
    if len(terms) != 1:
        return None
    maps = terms[0].parts
    if not isinstance(maps[0], Adjoint) or not isinstance(maps[0].map, Index):
        return None
    sums = maps[0].map
    operands = [_gathered(network, a) for a in node.args]
    if not sums.in_size or node.size % sums.in_size or operands[0] is None or operands[1] is None:
        return None
    inner = node.size // sums.in_size
    every = torch.arange(node.size, device=sums.index.device)
    if not torch.equal(sums.index, every // inner):
        return None
    (_, _, on_x), (_, _, on_y) = operands[0], operands[1]
    columns = _period(on_x.reshape(-1, inner))
    blocks = on_y.reshape(-1, columns * inner)
    rows = _period(blocks)
    shape = (blocks.shape[0] // rows, rows, columns, inner)
    places = every.reshape(shape)
    made = Contraction(
        i,
        readers[0],
        shape,
        _factor(network, node.args[0], operands[0], places[:, :, 0]),
        _factor(network, node.args[1], operands[1], places[:, 0]),
        _chain(maps[1:], sums.in_size),
    )
    alike = [(on_x, True), (on_y, False)]
    alike += [(network.affine[a].bias, left) for a, left in zip(node.args, (True, False), strict=True)]
    return made if all(made.repeats(t, left) for t, left in alike) and rows * columns > 1 else None


def _period(blocks: Tensor) -> int:
    """How many of the first rows are equal, where that divides their number; else 1."""
    different = (blocks != blocks[:1]).any(-1).nonzero()
    length = int(different[0]) if len(different) else len(blocks)
    return length if len(blocks) % length == 0 else 1


def _gathered(network: Network, a: int) -> tuple[int, tuple[LinearMap, ...], Tensor] | None:
    """(source, maps, index of what is gathered from their outputs) of an affine node of one term."""
    node = network.affine.get(a)
    if node is None or len(node.terms) != 1:
        return None
    source, one = node.terms[0]
    maps = one.parts
    last = maps[-1]
    if not isinstance(last, Index):
        return source, maps, torch.arange(node.size, device=node.bias.device)
    return None if bool((last.index < 0).any()) else (source, maps[:-1], last.index)


def _factor(
    network: Network, a: int, operand: tuple[int, tuple[LinearMap, ...], Tensor], places: Tensor
) -> Factor:
    source, maps, index = operand
    before = maps[-1].out_size if maps else network.nodes[source].size
    whole = _chain((*maps, Index(index[places.reshape(-1)], before)), before)
    return Factor(a, source, whole, places, network.affine[a].bias[places.reshape(-1)])


def _chain(maps: tuple[LinearMap, ...], size: int) -> LinearMap:
    return Identity(size) if not maps else maps[0] if len(maps) == 1 else Compose(maps)
