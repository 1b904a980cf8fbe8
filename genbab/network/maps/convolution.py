"""Convolutions over one to three spatial axes; transposed ones are their adjoints."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from genbab.network.maps.weighted import WeightedMap


@dataclass(frozen=True, eq=False)
class Conv(WeightedMap):
    """Convolution without bias over 1 to 3 spatial axes; x is a flat (channels, *spatial) image.

    weight (out_channels, in_channels / groups, *kernel); padding is the same on both sides of an axis.
    """

    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def in_size(self) -> int:  # type: ignore[override]
        """Numbers of an image that is read."""
        return math.prod(self.in_shape)

    @property
    def out_size(self) -> int:  # type: ignore[override]
        """Numbers of an image that is made."""
        return math.prod(self.out_shape)

    def apply(self, x: Tensor) -> Tensor:
        """The convolution of images x (..., in_size)."""
        convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[len(self.stride) - 1]
        images = x.reshape(-1, *self.in_shape)
        y = convolve(images, self.weight, None, self.stride, self.padding, self.dilation, self.groups)
        return y.reshape(*x.shape[:-1], self.out_size)

    def pull(self, a: Tensor) -> Tensor:
        """The transposed convolution of images a (..., out_size)."""
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

    @property
    def cost(self) -> int:
        """One product of a kernel an output."""
        return self.out_size * math.prod(self.weight.shape[1:])

    @property
    def terms(self) -> int:
        """The most products of an output, and of a pulled entry, together."""
        outputs, *rest = self.weight.shape
        return math.prod(rest) + outputs * math.prod(rest[1:])
