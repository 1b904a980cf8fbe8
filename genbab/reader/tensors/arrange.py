"""Numbers of tensors moved by a numpy function, constants and variables alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from genbab.network import Index, LinearMap
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Array, Masked, Refused, Value, Var


def arrange(
    b: Builder, parts: Sequence[Value | Masked], function: Callable[[list[Any]], list[Any]]
) -> list[Value | Masked]:
    """What a numpy function that only moves numbers makes of tensors.

    It is run on their values, or on numbers that name their entries.
    """
    if not any(isinstance(part, Var | Masked) for part in parts):
        return [np.asarray(out) for out in function(list(parts))]
    start = 1
    codes: list[Any] = []
    ranges: list[tuple[Value | Masked, int]] = []
    for part in parts:
        codes.append(np.arange(start, start + part.size, dtype=np.int64).reshape(part.shape))
        ranges.append((part, start))
        start += part.size
    return [_decoded(b, np.asarray(out), ranges) for out in function(codes)]


def _decoded(b: Builder, codes: Array, ranges: list[tuple[Value | Masked, int]]) -> Value | Masked:
    """The tensor whose entries these numbers name."""
    bias = np.zeros(codes.shape)
    picked: list[tuple[Var, Array]] = []
    arrays: list[Array] = []
    for value, start in ranges:
        inside = (codes >= start) & (codes < start + value.size)
        if not inside.any():
            continue
        local = np.where(inside, codes - start, -1)
        if isinstance(value, Masked):
            out = inside & value.hidden.reshape(-1)[local]
            bias[out] = value.fill
            picked.append((value.value, np.where(out, -1, local)))
        elif isinstance(value, Var):
            picked.append((value, local))
        else:
            arrays.append(value)
            bias[inside] = value.reshape(-1)[local[inside]]
    if not picked:
        kinds = {a.dtype for a in arrays}
        return bias.astype(kinds.pop()) if len(kinds) == 1 else bias
    fill = np.nan if np.isnan(bias).any() else -np.inf
    hidden = np.isneginf(bias) | np.isnan(bias)
    if hidden.any():
        made = _picked(b, codes.shape, picked, np.where(hidden, 0.0, bias))
        return Masked(made, hidden, fill)
    return _picked(b, codes.shape, picked, bias)


def _picked(b: Builder, shape: tuple[int, ...], picked: list[tuple[Var, Array]], bias: Array) -> Var:
    """bias plus the entries of tensors that are picked by index (-1: none)."""
    if len(picked) == 1 and not bias.any():
        gathered = b.gather(*picked[0])
        assert isinstance(gathered, Var)
        return gathered
    if not np.isfinite(bias).all():
        raise Refused("it puts in a constant that is not a finite number")
    terms: list[tuple[int, LinearMap]] = []
    for var, local in picked:
        index = torch.from_numpy(np.ascontiguousarray(local.reshape(-1), dtype=np.int64))
        terms.append((var.node, Index(index, var.size)))
    made = b.affine(shape, terms, bias)
    kinds = {var.element for var, _ in picked}
    return replace(made, element=kinds.pop()) if len(kinds) == 1 else made
