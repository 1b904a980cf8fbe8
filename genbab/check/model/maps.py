"""Linear maps of flat tensors: applied, transposed, and with absolute weights, batched over leading axes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Protocol

import numpy as np

from genbab.check.intervals import Array, Indices


class Map(Protocol):
    """A linear map from `inputs` numbers to `outputs`; each sum has at most `terms` products."""

    @property
    def inputs(self) -> int:
        """How many numbers it takes."""

    @property
    def outputs(self) -> int:
        """How many numbers it gives."""

    @property
    def terms(self) -> int:
        """The most products in one sum, forward and backward; 0 if nothing is ever rounded."""

    def apply(self, x: Array) -> Array:
        """W x, (..., inputs) to (..., outputs)."""

    def adjoint(self, y: Array) -> Array:
        """The transpose of W, times y, (..., outputs) to (..., inputs)."""

    def absolute(self) -> Map:
        """The map of the weights' absolute values."""


@dataclass(frozen=True)
class Matrix:
    """x of shape (before, K, after) times a matrix (K, M) along its middle axis."""

    before: int
    after: int
    weight: Array

    @property
    def inputs(self) -> int:
        """How many numbers it takes."""
        return self.before * int(self.weight.shape[0]) * self.after

    @property
    def outputs(self) -> int:
        """How many numbers it gives."""
        return self.before * int(self.weight.shape[1]) * self.after

    @property
    def terms(self) -> int:
        """The longer side of the matrix."""
        return int(max(self.weight.shape))

    def apply(self, x: Array) -> Array:
        """Each row of the middle axis times the matrix."""
        return self._along(x, self.weight)

    def adjoint(self, y: Array) -> Array:
        """Each row of the middle axis times the transpose."""
        return self._along(y, self.weight.T)

    def _along(self, x: Array, weight: Array) -> Array:
        lead = x.shape[:-1]
        if self.after == 1:
            wide = x.reshape(-1, weight.shape[0]) @ weight
        else:
            wide = weight.T @ x.reshape(-1, weight.shape[0], self.after)
        return wide.reshape(*lead, -1)

    def absolute(self) -> Matrix:
        """With the matrix of absolute values."""
        return Matrix(self.before, self.after, np.abs(self.weight))


@dataclass(frozen=True)
class EntryScale:
    """Each entry times a number."""

    weight: Array

    @property
    def inputs(self) -> int:
        """How many numbers it takes."""
        return len(self.weight)

    outputs = inputs
    terms = 1

    def apply(self, x: Array) -> Array:
        """The products."""
        return x * self.weight

    adjoint = apply

    def absolute(self) -> EntryScale:
        """With the absolute values."""
        return EntryScale(np.abs(self.weight))


@dataclass(frozen=True)
class Gather:
    """Entry j of the result is entry index[j]; 0 where the index is -1."""

    inputs: int
    index: Indices

    @property
    def outputs(self) -> int:
        """How many numbers it gives."""
        return len(self.index)

    @cached_property
    def _whole(self) -> bool:
        return self.inputs == len(self.index) and bool((self.index == np.arange(self.inputs)).all())

    @cached_property
    def _order(self) -> tuple[Indices, Indices, Indices]:
        """Which outputs take from an input, sorted by it; where each input starts; which inputs those are."""
        used = np.flatnonzero(self.index >= 0)
        order = used[np.argsort(self.index[used], kind="stable")]
        taken, start = np.unique(self.index[order], return_index=True)
        return order, start, taken

    @cached_property
    def terms(self) -> int:
        """The most outputs that take the same entry; 0 where none is taken twice."""
        order, start, _ = self._order
        most = int(np.diff(np.append(start, len(order))).max(initial=0))
        return most if most > 1 else 0

    def apply(self, x: Array) -> Array:
        """The entries at the indices."""
        if self._whole:
            return x
        taken = x[..., np.maximum(self.index, 0)]
        return taken if (self.index >= 0).all() else np.where(self.index >= 0, taken, 0.0)

    def adjoint(self, y: Array) -> Array:
        """For each entry the sum over the places that take it."""
        if self._whole:
            return y
        order, start, taken = self._order
        result = np.zeros((*y.shape[:-1], self.inputs))
        if len(order):
            moved = y[..., order]
            result[..., taken] = moved if not self.terms else np.add.reduceat(moved, start, axis=-1)
        return result

    def absolute(self) -> Gather:
        """The same: its weights are 0 and 1."""
        return self


@dataclass(frozen=True)
class Convolution:
    """A convolution with groups, strides, dilations and pads of 0, in any number of dimensions."""

    shape: tuple[int, ...]  # of the input: channels and space
    weight: Array  # (outputs, inputs of a group, kernel...)
    groups: int
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @property
    def inputs(self) -> int:
        """How many numbers it takes."""
        return math.prod(self.shape)

    @cached_property
    def space(self) -> tuple[int, ...]:
        """The spatial shape of the result."""
        kernel = self.weight.shape[2:]
        return tuple(
            (n + sum(pad) - d * (k - 1) - 1) // s + 1
            for n, pad, d, k, s in zip(
                self.shape[1:], self.pads, self.dilations, kernel, self.strides, strict=True
            )
        )

    @property
    def outputs(self) -> int:
        """How many numbers it gives."""
        return int(self.weight.shape[0]) * math.prod(self.space)

    @property
    def terms(self) -> int:
        """Products of one sum in either direction."""
        return math.prod(map(int, self.weight.shape[2:])) * int(max(self.weight.shape[:2]))

    def windows(self) -> Iterator[tuple[int, tuple[slice, ...]]]:
        """Each place of the kernel, and the padded entries that it meets."""
        for number, place in enumerate(product(*map(range, self.weight.shape[2:]))):
            yield (
                number,
                tuple(
                    slice(k * d, k * d + s * (n - 1) + 1, s)
                    for k, d, s, n in zip(place, self.dilations, self.strides, self.space, strict=True)
                ),
            )

    def _padded(self, lead: int) -> tuple[int, ...]:
        sizes = (n + sum(pad) for n, pad in zip(self.shape[1:], self.pads, strict=True))
        return (lead, self.groups, self.shape[0] // self.groups, *sizes)

    def _core(self) -> tuple[slice, ...]:
        return tuple(slice(p[0], p[0] + n) for p, n in zip(self.pads, self.shape[1:], strict=True))

    def _weights(self, place: int) -> Array:
        w: Array = self.weight.reshape(*self.weight.shape[:2], -1)[:, :, place]
        return w.reshape(self.groups, -1, w.shape[1])

    def apply(self, x: Array) -> Array:
        """The convolution."""
        lead = math.prod(x.shape[:-1])
        wide = np.zeros(self._padded(lead))
        core = (slice(None),) * 3 + self._core()
        wide[core] = x.reshape(lead, self.groups, -1, *self.shape[1:])
        total = np.zeros((lead, self.groups, self.weight.shape[0] // self.groups, math.prod(self.space)))
        for place, window in self.windows():
            patch = wide[(slice(None), slice(None), slice(None), *window)]
            total += self._weights(place) @ patch.reshape(*patch.shape[:3], -1)
        return total.reshape(*x.shape[:-1], -1)

    def adjoint(self, y: Array) -> Array:
        """The transposed convolution."""
        lead = math.prod(y.shape[:-1])
        wide = np.zeros(self._padded(lead))
        grouped = y.reshape(lead, self.groups, -1, math.prod(self.space))
        for place, window in self.windows():
            part = self._weights(place).swapaxes(-1, -2) @ grouped
            wide[(slice(None), slice(None), slice(None), *window)] += part.reshape(
                *part.shape[:3], *self.space
            )
        core = (slice(None),) * 3 + self._core()
        return wide[core].reshape(*y.shape[:-1], -1)

    def absolute(self) -> Convolution:
        """With the absolute values of the weights."""
        return Convolution(
            self.shape, np.abs(self.weight), self.groups, self.strides, self.dilations, self.pads
        )


@dataclass(frozen=True)
class Transposed:
    """The transpose of another map: transposed convolutions, and sums as transposed copies."""

    of: Map

    @property
    def inputs(self) -> int:
        """How many numbers it takes."""
        return self.of.outputs

    @property
    def outputs(self) -> int:
        """How many numbers it gives."""
        return self.of.inputs

    @property
    def terms(self) -> int:
        """As of the other map."""
        return self.of.terms

    def apply(self, x: Array) -> Array:
        """What the other map does backward."""
        return self.of.adjoint(x)

    def adjoint(self, y: Array) -> Array:
        """What the other map does forward."""
        return self.of.apply(y)

    def absolute(self) -> Transposed:
        """The transpose of the absolute map."""
        return Transposed(self.of.absolute())


def same(size: int) -> Gather:
    """The identity."""
    return Gather(size, np.arange(size))
