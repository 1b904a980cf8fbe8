"""Compositions of two linear maps as one simple map, and what its weights are rounded by.

Only where these can be computed accurately and the one map is no dearer.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from genbab.network.maps.algebra import Adjoint, Compose, Identity
from genbab.network.maps.base import LinearMap
from genbab.network.maps.convolution import Conv
from genbab.network.maps.index import Index
from genbab.network.maps.roundings import grain, of_product, relative
from genbab.network.maps.weighted import Dense, Diagonal, TokenDense

DENSE_LIMIT = 4_000_000
"""Largest number of entries of a map that is multiplied out (32 MB in float64)."""

DENSE_WASTE = 8
"""A structured map is multiplied out when that costs at most this many times its own arithmetic: one GEMM
beats many small passes.
"""

DENSE_FREE = 65_536
"""Maps of at most this many entries are always multiplied out."""


Joined = tuple[LinearMap, int]
"""(map, roundings): its true weights are w·(1 + δ) with |δ| at most so many units of rounding."""


def compose(then: LinearMap, first: LinearMap) -> LinearMap:
    """then ∘ first as one simple map where that is accurate and no dearer, else a `Compose`."""
    return composed(then, first)[0]


def composed(then: LinearMap, first: LinearMap, roundings: int = 0) -> Joined:
    """`compose` of maps whose weights went through so many roundings together, and how many it is then."""
    chain: list[LinearMap] = []
    for whole in (first, then):
        for one in whole.parts:
            roundings = _push(chain, one, roundings)
    return chain[0] if len(chain) == 1 else Compose(tuple(chain)), roundings


def multiplied(one: LinearMap) -> tuple[Dense, Tensor, int] | None:
    """The map as a matrix with its roundings; None where products could leave float64's range.

    (matrix, the sum of the sizes of what each entry adds up, how many roundings, relative to that sum, an
    entry went through).
    """
    parts = one.parts
    weighted = sum(part.some_weight is not None for part in parts)
    if weighted <= 1 and all(part.terms <= 1 for part in parts if part.some_weight is None):
        matrix = one.dense()  # every entry is a weight, or 0
        return (Dense(matrix), matrix.abs(), 0) if bool(torch.isfinite(matrix).all()) else None
    floor = sum(grain(part.some_weight) for part in parts)
    matrix, mass = one.dense(), one.absolute().dense()
    if floor < -1000 or not bool(torch.isfinite(mass).all()):
        return None
    most = float(mass.max()) if mass.numel() else 0.0
    if most <= 2.0 ** min(53 + floor, 1023):
        return Dense(matrix), mass, 0
    return Dense(matrix), mass, sum(part.terms + 1 for part in parts)


def _push(chain: list[LinearMap], one: LinearMap, roundings: int) -> int:
    """Appends a map to a chain, joined with what stands there; index maps slip in before diagonal ones.
    Returns the roundings of the chain's weights, which were so many before.
    """
    if not chain:
        chain.append(one)
        return roundings
    last = chain[-1]
    joined = _join(one, last, roundings)
    if joined is not None:
        chain.pop()
        return _push(chain, *joined)
    if isinstance(one, Index) and isinstance(last, Diagonal) and one.out_size <= one.in_size:
        chain.pop()
        return _push(chain, Diagonal(one.apply(last.weight)), _push(chain, one, roundings))
    chain.append(one)
    return roundings


def _join(then: LinearMap, first: LinearMap, roundings: int) -> Joined | None:
    """then ∘ first as one map, or None where a composition is better."""
    made = _moved(then, first)
    if made is not None:
        return made, roundings
    found: Joined | None = None
    if isinstance(then, Diagonal):
        found = scaled(first, then.weight)
    elif isinstance(first, Diagonal):
        found = _scaled_inputs(then, first.weight)
    elif isinstance(then, Dense) or isinstance(first, Dense):
        return _join_dense(then, first, roundings)
    return None if found is None else (found[0], found[1] + roundings)


def _moved(then: LinearMap, first: LinearMap) -> LinearMap | None:
    """then ∘ first where nothing is computed."""
    if isinstance(first, Identity):
        return then
    if isinstance(then, Identity):
        return first
    if isinstance(first, Index) and isinstance(then, Index):
        return _join_index(then, first)
    return _join_sum(then.map, first) if isinstance(then, Adjoint) and isinstance(then.map, Index) else None


def _join_index(then: Index, first: Index) -> LinearMap:
    padded = torch.cat([first.index, first.index.new_full((1,), -1)])
    index = padded[then.index]
    if first.in_size == index.numel() and bool((index == torch.arange(index.numel())).all()):
        return Identity(first.in_size)
    return Index(index, first.in_size)


def _join_sum(groups: Index, first: LinearMap) -> LinearMap | None:
    """Adjoint(groups) ∘ first, when first is a sum too or only moves each number to one place."""
    before = first.map if isinstance(first, Adjoint) else None
    if isinstance(first, Index):
        before = first.inverse
    return Adjoint(_join_index(before, groups)) if isinstance(before, Index) else None


def gathered(one: LinearMap) -> LinearMap:
    """The map; sums of at most one number each as the index map that they are."""
    found = one.map.inverse if isinstance(one, Adjoint) and isinstance(one.map, Index) else None
    return one if found is None else found


def _join_dense(then: LinearMap, first: LinearMap, roundings: int) -> Joined | None:
    """The product as a matrix; None where it is dear, or where what cancels leaves it inaccurate."""
    entries = then.out_size * first.in_size
    if entries > DENSE_LIMIT or entries > max(DENSE_FREE, DENSE_WASTE * (then.cost + first.cost)):
        return None
    made = multiplied(Compose((first, then)))
    if made is None:
        return None
    matrix, mass, terms = made
    found = relative(matrix.weight, mass, terms + roundings)
    return None if found is None else (matrix, found)


def scaled(one: LinearMap, factors: Tensor) -> Joined | None:
    """Diagonal(factors) ∘ one, factors (out_size,), with the factors moved into the weights.

    How many roundings that takes is told with it; None if they do not fit.
    """
    if isinstance(one, Diagonal):
        return _weighed(one.weight, factors, Diagonal)
    if isinstance(one, Dense):
        return _weighed(one.weight, factors[:, None], Dense)
    if isinstance(one, TokenDense):
        shared = _per_token(factors, one, one.weight.shape[2])
        return None if shared is None else _weighed(one.weight, shared[:, None, :], one.with_weight)
    if isinstance(one, Conv):
        channels = _per_channel(factors, one.out_shape[0])
        return None if channels is None else _weighed(one.weight, _column(channels, one), one.with_weight)
    return _adjoint(_scaled_inputs(one.map, factors)) if isinstance(one, Adjoint) else None


def _scaled_inputs(one: LinearMap, factors: Tensor) -> Joined | None:
    """one ∘ Diagonal(factors), factors (in_size,), moved into the weights; None if they do not fit."""
    if isinstance(one, Dense):
        return _weighed(one.weight, factors, Dense)
    if isinstance(one, TokenDense):
        shared = _per_token(factors, one, one.weight.shape[1])
        return None if shared is None else _weighed(one.weight, shared[:, :, None], one.with_weight)
    if isinstance(one, Conv):
        channels = _per_channel(factors, one.in_shape[0])
        return None if channels is None else _weighed(one.weight, _rows(channels, one), one.with_weight)
    return _adjoint(scaled(one.map, factors)) if isinstance(one, Adjoint) else None


def _weighed(weight: Tensor, factors: Tensor, make: Callable[[Tensor], LinearMap]) -> Joined | None:
    """The map with these weights times the factors; None where a product leaves float64's range."""
    product = weight * factors
    roundings = of_product(weight, factors, product)
    return None if roundings is None else (make(product), roundings)


def _adjoint(joined: Joined | None) -> Joined | None:
    return None if joined is None else (Adjoint(joined[0]), joined[1])


def _per_channel(factors: Tensor, channels: int) -> Tensor | None:
    """One factor per channel (channels,), when all pixels of a channel share theirs."""
    table = factors.reshape(channels, -1)
    return table[:, 0] if bool((table == table[:, :1]).all()) else None


def _per_token(factors: Tensor, one: TokenDense, width: int) -> Tensor | None:
    """Factors (groups of the weight, width), None unless all tokens that share a weight share theirs."""
    table = factors.reshape(one.weight.shape[0], -1, width)
    return table[:, 0] if bool((table == table[:, :1]).all()) else None


def _column(channels: Tensor, one: Conv) -> Tensor:
    return channels.reshape(-1, *[1] * (one.weight.ndim - 1))


def _rows(channels: Tensor, one: Conv) -> Tensor:
    """Factors of the input channels, as they meet the entries of the weight.

    These are (out_channels, in_channels / groups, …).
    """
    per_group = channels.reshape(one.groups, 1, -1)
    rows = per_group.expand(-1, one.weight.shape[0] // one.groups, -1).reshape(one.weight.shape[:2])
    return rows.reshape(*rows.shape, *[1] * (one.weight.ndim - 2))
