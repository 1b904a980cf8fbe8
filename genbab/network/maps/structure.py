"""Which numbers a linear map reads: those that it multiplies by 0 too, as the file's arithmetic does."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.network.maps.algebra import Adjoint, Compose, Identity
from genbab.network.maps.base import LinearMap
from genbab.network.maps.convolution import Conv
from genbab.network.maps.index import Index
from genbab.network.maps.weighted import Diagonal, TokenDense


def read_by(one: LinearMap, wanted: Tensor) -> Tensor:
    """(R, in_size) booleans: which inputs the outputs `wanted` (R, out_size) are computed from."""
    return _through(one, wanted, forward=False)


def _through(one: LinearMap, mask: Tensor, forward: bool) -> Tensor:
    """The mask on one side of the map as it reaches the other."""
    if isinstance(one, Compose):
        for part in one.maps if forward else reversed(one.maps):
            mask = _through(part, mask, forward)
        return mask
    if isinstance(one, Adjoint):
        return _through(one.map, mask, not forward)
    if isinstance(one, Identity | Diagonal):
        return mask
    if isinstance(one, Index | Conv):
        plain = one if isinstance(one, Index) else one.with_weight(torch.ones_like(one.weight).double())
        numbers = mask.double()
        return (plain.apply(numbers) if forward else plain.pull(numbers)) > 0
    size = one.out_size if forward else one.in_size
    if isinstance(one, TokenDense):
        tokens = mask.reshape(*mask.shape[:-1], one.groups * one.tokens, -1).any(-1, keepdim=True)
        width = size // (one.groups * one.tokens)
        return tokens.expand(*tokens.shape[:-1], width).reshape(*mask.shape[:-1], size)
    return mask.any(-1, keepdim=True).expand(*mask.shape[:-1], size)
