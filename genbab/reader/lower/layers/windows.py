"""Sliding windows: what convolutions and pooling share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genbab.reader.tensors.values import Array, Op, Refused, room


@dataclass(frozen=True)
class Windows:
    """Windows over spatial axes of `size`.

    Kernel, strides, dilations, padding before and after, number per axis.
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    number: tuple[int, ...]

    @property
    def symmetric(self) -> bool:
        """Whether the padding before and after is the same on every axis."""
        return self.before == self.after

    def positions(self) -> list[Array]:
        """Per axis, the input coordinate of each window's entries (number, kernel), outside too."""
        return [
            np.arange(m)[:, None] * s - p + np.arange(k)[None, :] * d
            for m, s, p, k, d in zip(
                self.number, self.strides, self.before, self.kernel, self.dilations, strict=True
            )
        ]

    def entries(self, channels: int) -> Array:
        """(channels · windows, entries per window): flat indices into (channels, *size), -1 for padding."""
        rank = len(self.size)
        room((channels, *self.number, *self.kernel), "the table of its windows")
        flat = np.zeros((1,) * (2 * rank), dtype=np.int64)
        inside = np.ones((1,) * (2 * rank), dtype=bool)
        for axis, at in enumerate(self.positions()):
            shape = [1] * (2 * rank)
            shape[axis], shape[rank + axis] = at.shape
            flat = flat * self.size[axis] + at.reshape(shape)
            inside = inside & ((at >= 0) & (at < self.size[axis])).reshape(shape)
        one = np.where(inside, flat, -1).reshape(int(np.prod(self.number)), int(np.prod(self.kernel)))
        offsets = (np.arange(channels) * int(np.prod(self.size)))[:, None, None]
        return np.where(one < 0, -1, one + offsets).reshape(-1, one.shape[1])


def windows(op: Op, size: tuple[int, ...], kernel: tuple[int, ...]) -> Windows:
    """The windows that a Conv or pooling node slides over an image of this size."""
    rank = len(size)
    strides, dilations = steps(op, "strides", rank), steps(op, "dilations", rank)
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True))
    before, after = pads(op, size, reach, strides)
    up = bool(op.integer("ceil_mode", 0))
    number = tuple(
        _number(n, r, s, (p, q), up)
        for n, r, s, p, q in zip(size, reach, strides, before, after, strict=True)
    )
    if min(number, default=1) < 1:
        raise ValueError(f"a window of {reach} does not fit an image of {size}")
    room(number)
    return Windows(size, kernel, strides, dilations, before, after, number)


def steps(op: Op, name: str, rank: int) -> tuple[int, ...]:
    """The strides or dilations of a node, one per axis; ValueError unless all are above 0."""
    found = tuple(op.integers(name) or [1] * rank)
    if len(found) != rank or min(found, default=1) < 1:
        raise ValueError(f"{name} {list(found)} for {rank} axes")
    return found


def _number(size: int, reach: int, stride: int, pad: tuple[int, int], up: bool) -> int:
    room = size + pad[0] + pad[1] - reach
    number = (-(-room // stride) if up else room // stride) + 1
    if up and (number - 1) * stride >= size + pad[0]:  # a window that starts in the padding after the image
        number -= 1
    return number


def pads(
    op: Op, size: tuple[int, ...], reach: tuple[int, ...], strides: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Padding before and after each axis, written out or by `auto_pad`."""
    rank = len(size)
    mode = op.text("auto_pad", "NOTSET")
    if mode == "NOTSET":
        both = op.integers("pads") or [0] * (2 * rank)
        return tuple(both[:rank]), tuple(both[rank:])
    if mode == "VALID":
        return (0,) * rank, (0,) * rank
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise Refused(f"padding '{mode}'")
    total = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(size, reach, strides, strict=True)]
    small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    return (small, large) if mode == "SAME_UPPER" else (large, small)
