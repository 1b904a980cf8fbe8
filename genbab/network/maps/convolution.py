"""Convolutions over one to three spatial axes; transposed ones are their adjoints."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from genbab.network.maps.base import LinearMap
from genbab.network.maps.weighted import signs


@dataclass(frozen=True, eq=False)
class Conv(LinearMap):
    """Convolution without bias over 1 to 3 spatial axes; x is a flat (channels, *spatial) image.

    weight (out_channels, in_channels / groups, *kernel); padding is the same on both sides of an axis.
    """

    weight: Tensor
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def in_size(self) -> int:  # type: ignore[override]
        return _product(self.in_shape)

    @property
    def out_size(self) -> int:  # type: ignore[override]
        return _product(self.out_shape)

    def apply(self, x: Tensor) -> Tensor:
        convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[len(self.stride) - 1]
        images = x.reshape(-1, *self.in_shape)
        y = convolve(images, self.weight, None, self.stride, self.padding, self.dilation, self.groups)
        return y.reshape(*x.shape[:-1], self.out_size)

    def pull(self, a: Tensor) -> Tensor:
        spread = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)[
            len(self.stride) - 1
        ]
        kernel, sizes = self.weight.shape[2:], (self.in_shape[1:], self.out_shape[1:])
        extra = tuple(
            n - ((m - 1) * s - 2 * p + d * (k - 1) + 1)
            for n, m, s, p, d, k in zip(*sizes, self.stride, self.padding, self.dilation, kernel, strict=True)
        )
        images = a.reshape(-1, *self.out_shape)
        x = spread(images, self.weight, None, self.stride, self.padding, extra, self.groups, self.dilation)
        return x.reshape(*a.shape[:-1], self.in_size)

    def absolute(self) -> LinearMap:
        return self._with(self.weight.abs())

    def by_sign(self) -> tuple[LinearMap, LinearMap | None]:
        return signs(self.weight, self._with)

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearMap:
        return self._with(self.weight.to(device, dtype))

    def _with(self, weight: Tensor) -> Conv:
        shapes = (self.in_shape, self.out_shape, self.stride, self.padding, self.dilation, self.groups)
        return Conv(weight, *shapes)

    @property
    def cost(self) -> int:
        return self.out_size * _product(tuple(self.weight.shape[1:]))

    @property
    def terms(self) -> int:
        outputs, *rest = self.weight.shape
        return _product(tuple(rest)) + outputs * _product(tuple(rest[1:]))

    def _weight(self) -> Tensor | None:
        return self.weight


def _product(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
