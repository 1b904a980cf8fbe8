"""Linear maps as operators of ONNX, on flat tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from genbab.network import (
    Adjoint,
    Compose,
    Conv,
    Dense,
    Diagonal,
    Identity,
    Index,
    LinearMap,
    TokenDense,
)

WRITTEN_OUT = 1_000_000
"""Convolutions, and sums of scattered numbers, of at most so many entries are written as matrices."""


class Target(Protocol):
    """What operators are added to."""

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        """The name of the output of a new operator."""

    def numbers(self, value: npt.NDArray[np.float64]) -> str:
        """The name of a constant in the graph's type."""

    def places(self, value: Sequence[int] | npt.NDArray[np.int64]) -> str:
        """The name of a constant of whole numbers."""


def mapped(to: Target, one: LinearMap, x: str) -> str:
    """The map of tensor x (in_size,), as a tensor (out_size,)."""
    for part in one.parts if isinstance(one, Compose) else (one,):
        turned = isinstance(part, Adjoint)
        core = part.map if isinstance(part, Adjoint) else part
        if isinstance(core, Compose):
            x = mapped(to, Compose(part.parts), x)
        elif not isinstance(core, Identity):
            x = _RULES[type(core)](to, core, x, turned)
    return x


def _matrix(to: Target, matrix: torch.Tensor, x: str) -> str:
    return to.node("MatMul", to.numbers(matrix.numpy()), x)


def _dense(to: Target, one: Dense, x: str, turned: bool) -> str:
    return _matrix(to, one.weight.mT if turned else one.weight, x)


def _diagonal(to: Target, one: Diagonal, x: str, turned: bool) -> str:
    same = bool((one.weight == one.weight[:1]).all())
    return to.node("Mul", x, to.numbers((one.weight[:1] if same else one.weight).numpy()))


def _index(to: Target, one: Index, x: str, turned: bool) -> str:
    if turned and one.inverse is None:
        return _summed(to, one, x)
    moved = one.inverse if turned else one
    assert moved is not None
    index = moved.index.numpy()
    if bool((index < 0).any()):
        x = to.node("Concat", x, to.numbers(np.zeros(1)), axis=0)
        index = np.where(index < 0, moved.in_size, index)
    return to.node("Gather", x, to.places(index), axis=0)


def _summed(to: Target, one: Index, x: str) -> str:
    if one.in_size * one.out_size <= WRITTEN_OUT:
        return _matrix(to, one.dense().mT, x)
    kept = torch.where(one.index >= 0, one.index, one.in_size).numpy()  # the last entry is thrown away
    zeros = to.numbers(np.zeros(one.in_size + 1))
    total = to.node("ScatterElements", zeros, to.places(kept), x, axis=0, reduction="add")
    return to.node("Slice", total, to.places([0]), to.places([one.in_size]))


def _tokens(to: Target, one: TokenDense, x: str, turned: bool) -> str:
    weight = one.weight.mT if turned else one.weight
    rows = to.node("Reshape", x, to.places([one.groups, one.tokens, weight.shape[1]]))
    return _flat(to, to.node("MatMul", rows, to.numbers(weight.contiguous().numpy())))


def _conv(to: Target, one: Conv, x: str, turned: bool) -> str:
    if one.in_size * one.out_size <= WRITTEN_OUT:
        return _matrix(to, one.dense().mT if turned else one.dense(), x)
    shape = one.out_shape if turned else one.in_shape
    image = to.node("Reshape", x, to.places([1, *shape]))
    facts: dict[str, object] = {
        "strides": list(one.stride),
        "pads": [*one.padding, *one.padding],
        "dilations": list(one.dilation),
        "group": one.groups,
        "kernel_shape": list(one.weight.shape[2:]),
    }
    if turned:
        facts["output_padding"] = [
            n - ((m - 1) * s - 2 * p + d * (k - 1) + 1)
            for n, m, s, p, d, k in zip(
                one.in_shape[1:],
                one.out_shape[1:],
                one.stride,
                one.padding,
                one.dilation,
                one.weight.shape[2:],
                strict=True,
            )
        ]
    weight = to.numbers(one.weight.numpy())
    return _flat(to, to.node("ConvTranspose" if turned else "Conv", image, weight, **facts))


def _flat(to: Target, x: str) -> str:
    return to.node("Reshape", x, to.places([-1]))


_RULES: dict[type[LinearMap], Callable[..., str]] = {
    Dense: _dense,
    Diagonal: _diagonal,
    Index: _index,
    TokenDense: _tokens,
    Conv: _conv,
}
"""How each kind of map is written."""
