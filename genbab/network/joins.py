"""Compositions of two linear maps as one simple map, where that is exact over the reals and no dearer."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.network.convolution import Conv
from genbab.network.index import Index
from genbab.network.maps import Adjoint, Compose, Dense, Diagonal, Identity, LinearMap, TokenDense

DENSE_LIMIT = 4_000_000
"""Largest number of entries of a map that is multiplied out (32 MB in float64)."""

DENSE_WASTE = 8
"""A structured map is multiplied out when that costs at most this many times its own arithmetic: one GEMM
beats many small passes.
"""

DENSE_FREE = 65_536
"""Maps of at most this many entries are always multiplied out."""


def compose(then: LinearMap, first: LinearMap) -> LinearMap:
    """then ∘ first as one simple map where that is exact and no dearer, else a `Compose`."""
    chain: list[LinearMap] = []
    for whole in (first, then):
        for one in whole.maps if isinstance(whole, Compose) else (whole,):
            _push(chain, one)
    return chain[0] if len(chain) == 1 else Compose(tuple(chain))


def _push(chain: list[LinearMap], one: LinearMap) -> None:
    """Appends a map to a chain, joined with what stands there; index maps slip in before diagonal ones."""
    if not chain:
        chain.append(one)
        return
    last = chain[-1]
    joined = _join(one, last)
    if joined is not None:
        chain.pop()
        _push(chain, joined)
    elif isinstance(one, Index) and isinstance(last, Diagonal) and one.out_size <= one.in_size:
        chain.pop()
        _push(chain, one)
        _push(chain, Diagonal(one.apply(last.weight)))
    else:
        chain.append(one)


def _join(then: LinearMap, first: LinearMap) -> LinearMap | None:
    """then ∘ first as one map, or None where a composition is better."""
    if isinstance(first, Identity):
        return then
    if isinstance(then, Identity):
        return first
    if isinstance(first, Index) and isinstance(then, Index):
        return _join_index(then, first)
    if isinstance(then, Adjoint) and isinstance(then.map, Index):
        joined = _join_sum(then.map, first)
        if joined is not None:
            return joined
    if isinstance(then, Diagonal):
        return scaled(first, then.weight)
    if isinstance(first, Diagonal):
        return _scaled_inputs(then, first.weight)
    if isinstance(then, Dense) or isinstance(first, Dense):
        return _join_dense(then, first)
    return None


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
        before = first._inverse
    return Adjoint(_join_index(before, groups)) if isinstance(before, Index) else None


def _join_dense(then: LinearMap, first: LinearMap) -> LinearMap | None:
    entries = then.out_size * first.in_size
    if entries > DENSE_LIMIT or entries > max(DENSE_FREE, DENSE_WASTE * (then.cost + first.cost)):
        return None
    if isinstance(first, Dense):
        return Dense(then.apply(first.weight.mT).mT.contiguous())
    return Dense(first.pull(then.dense()).contiguous())


def scaled(one: LinearMap, factors: Tensor) -> LinearMap | None:
    """Diagonal(factors) ∘ one, factors (out_size,), with the factors moved into the weights; None if they do
    not fit.
    """
    if isinstance(one, Diagonal):
        return Diagonal(one.weight * factors)
    if isinstance(one, Dense):
        return Dense(one.weight * factors[:, None])
    if isinstance(one, TokenDense):
        shared = _per_token(factors, one, one.weight.shape[2])
        return None if shared is None else TokenDense(one.weight * shared[:, None, :], one.groups, one.tokens)
    if isinstance(one, Conv):
        channels = _per_channel(factors, one.out_shape[0])
        return None if channels is None else one._with(one.weight * _column(channels, one))
    if isinstance(one, Adjoint):
        inner = _scaled_inputs(one.map, factors)
        return None if inner is None else Adjoint(inner)
    return None


def _scaled_inputs(one: LinearMap, factors: Tensor) -> LinearMap | None:
    """one ∘ Diagonal(factors), factors (in_size,), with the factors moved into the weights; None if they do
    not fit.
    """
    if isinstance(one, Dense):
        return Dense(one.weight * factors)
    if isinstance(one, TokenDense):
        shared = _per_token(factors, one, one.weight.shape[1])
        return None if shared is None else TokenDense(one.weight * shared[:, :, None], one.groups, one.tokens)
    if isinstance(one, Conv):
        channels = _per_channel(factors, one.in_shape[0])
        return None if channels is None else one._with(one.weight * _rows(channels, one))
    if isinstance(one, Adjoint):
        inner = scaled(one.map, factors)
        return None if inner is None else Adjoint(inner)
    return None


def _per_channel(factors: Tensor, channels: int) -> Tensor | None:
    """One factor per channel (channels,), when all pixels of a channel share theirs."""
    table = factors.reshape(channels, -1)
    return table[:, 0] if bool((table == table[:, :1]).all()) else None


def _per_token(factors: Tensor, one: TokenDense, width: int) -> Tensor | None:
    """Factors (groups of the weight, width), when all tokens (and all groups, if they share weights) share
    theirs.
    """
    table = factors.reshape(one.weight.shape[0], -1, width)
    return table[:, 0] if bool((table == table[:, :1]).all()) else None


def _column(channels: Tensor, one: Conv) -> Tensor:
    return channels.reshape(-1, *[1] * (one.weight.ndim - 1))


def _rows(channels: Tensor, one: Conv) -> Tensor:
    """Factors of the input channels, as they meet the entries of the weight (out_channels, in_channels /
    groups, …).
    """
    per_group = channels.reshape(one.groups, 1, -1)
    rows = per_group.expand(-1, one.weight.shape[0] // one.groups, -1).reshape(one.weight.shape[:2])
    return rows.reshape(*rows.shape, *[1] * (one.weight.ndim - 2))
