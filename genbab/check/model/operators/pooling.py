"""Operators over windows and axes: sums, means, maxima, softmax."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from genbab.check.model.maps import Convolution
from genbab.check.model.operators.activations import largest
from genbab.check.model.operators.layers import exactly, inverse_of, single, window
from genbab.check.model.operators.node import Node, Rule
from genbab.check.model.program import MOST_ENTRIES, Fixed, Move, Program, SoftmaxStep, Tensor, Term, Wire

MOST_DIFFERENCES = 2048  # of a softmax, to be bounded one by one


def axes_of(node: Node, rank: int) -> list[int]:
    """The axes of a reduction, as an attribute or as its second input."""
    axes = node.integers(1, "axes")
    if not axes:
        return [] if node.get("noop_with_empty_axes", 0) else list(range(rank))
    if not all(-rank <= axis < rank for axis in axes):
        raise node.fail(f"axes {axes} of a tensor with {rank}")
    return sorted({axis % rank for axis in axes})


def _reduce(node: Node) -> Sequence[Tensor]:
    x = node.wire()
    axes = axes_of(node, len(x.shape))
    total = node.program.total(x, axes, bool(node.get("keepdims", 1)))
    count = math.prod(x.shape[axis] for axis in axes)
    return [mean(node, total, count) if node.op == "ReduceMean" else total]


def mean(node: Node, total: Wire, count: int) -> Wire:
    """A sum over how many numbers it has."""
    inverse = inverse_of(node, exactly(float(count)))
    assert isinstance(inverse, Fixed)
    return node.program.scale(total, inverse)


def _global_pool(node: Node) -> Sequence[Tensor]:
    x = node.wire()
    axes = list(range(2, len(x.shape)))
    if node.op == "GlobalMaxPool":
        return [_greatest(node, x, axes, keep=True)]
    return [mean(node, node.program.total(x, axes, keep=True), math.prod(x.shape[2:]))]


def _greatest(node: Node, x: Wire, axes: Sequence[int], keep: bool) -> Wire:
    return halved(node, x, axes, keep, lambda a, b: largest(node, a, b))


def halved(node: Node, x: Wire, axes: Sequence[int], keep: bool, pick: Callable[[Wire, Wire], Wire]) -> Wire:
    """What a function of two makes of all entries along axes, by halves."""
    program = node.program
    rest = [i for i in range(len(x.shape)) if i not in axes]
    kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    flat = program.move(x, lambda a: a.transpose(*rest, *axes).reshape(*(x.shape[i] for i in rest), -1))
    while flat.shape[-1] > 1:
        half = flat.shape[-1] // 2
        a, b, last = (
            program.move(flat, lambda v, cut=cut: v[..., cut])  # type: ignore[misc]
            for cut in (slice(half), slice(half, 2 * half), slice(2 * half, None))
        )
        flat = _side_by_side(program, pick(a, b), last) if last.shape[-1] else pick(a, b)
    shape = kept if keep else tuple(x.shape[i] for i in rest)
    return program.move(flat, lambda a: a.reshape(shape))


def _side_by_side(program: Program, a: Wire, b: Wire) -> Wire:
    """Two tensors along the last axis."""
    shape = (*a.shape[:-1], a.shape[-1] + b.shape[-1])
    places = np.full((2, *shape), -1)
    places[0, ..., : a.shape[-1]] = np.arange(math.prod(a.shape)).reshape(a.shape)
    places[1, ..., a.shape[-1] :] = np.arange(math.prod(b.shape)).reshape(b.shape)
    return program.join([(a, places[0].ravel()), (b, places[1].ravel())], shape)


def _reduce_max(node: Node) -> Sequence[Tensor]:
    x = node.wire()
    sign = exactly(-1.0)
    turned = node.program.scale(x, sign) if node.op == "ReduceMin" else x
    found = _greatest(node, turned, axes_of(node, len(x.shape)), bool(node.get("keepdims", 1)))
    return [node.program.scale(found, sign) if node.op == "ReduceMin" else found]


def _pool(node: Node) -> Sequence[Tensor]:
    x = single(node)
    kernel = tuple(int(k) for k in node.get("kernel_shape", []))
    strides, dilations, before, after = window(node, x.shape[2:], kernel)
    if node.get("ceil_mode", 0) or node.outputs > 1:
        raise node.fail("ceil_mode or indices")
    pads = tuple(zip(before, after, strict=True))
    windows = Convolution((1, *x.shape[2:]), np.ones((1, 1, *kernel)), 1, strides, dilations, pads)
    automatic = node.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
    if min(windows.space) < 1 or (automatic and max(dilations) > 1):
        raise node.fail("a kernel larger than the image, or pads made for dilations")
    size = math.prod(x.shape[2:])
    numbers = np.pad(np.arange(size).reshape(x.shape[2:]), pads, constant_values=-1)
    taken = np.stack([numbers[cut].ravel() for _, cut in windows.windows()])
    if (taken < 0).all(0).any():
        raise node.fail("a window of pads alone")
    channel = np.arange(x.shape[1])[:, None] * size
    shape = (1, x.shape[1], *windows.space)
    if node.op == "AveragePool":
        summed = Convolution(
            x.shape[1:], np.ones((x.shape[1], 1, *kernel)), x.shape[1], strides, dilations, pads
        )
        counts = np.where(taken >= 0, 1.0, 0.0).sum(0).reshape(1, 1, *windows.space)
        whole = bool(node.get("count_include_pad", 0))
        share = inverse_of(node, Fixed(*2 * [np.full_like(counts, math.prod(kernel)) if whole else counts]))
        assert isinstance(share, Fixed)
        return [node.program.scale(node.program.affine([Term(x.step, summed)], shape), share)]
    first = np.where(taken >= 0, taken, taken.max(0))  # an entry of the window in the place of a pad
    parts = [node.program.move(x, lambda v, f=f: v.ravel()[channel + f].reshape(shape)) for f in first]  # type: ignore[misc]
    return [_balanced(node, parts)]


def _balanced(node: Node, parts: list[Wire]) -> Wire:
    while len(parts) > 1:
        pairs = [largest(node, a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + ([parts[-1]] if len(parts) % 2 else [])
    return parts[0]


def row_axis(node: Node) -> int:
    """The axis of an operator's rows; before version 13 it is the first of all that they go along."""
    return node.axis(len(node.wire().shape), -1 if node.opset >= 13 else 1)


def row_length(node: Node) -> int:
    """How many entries a row has."""
    shape, axis = node.wire().shape, row_axis(node)
    return shape[axis] if node.opset >= 13 else math.prod(shape[axis:])


def rows_along(node: Node) -> tuple[Wire, Move]:
    """The rows of an operator as the last axis, and the way back."""
    x, axis = node.wire(), row_axis(node)
    if node.opset < 13:
        rows = node.program.move(x, lambda v: v.reshape(*v.shape[:axis], -1))
        return rows, lambda v: v.reshape(x.shape)
    return node.program.move(x, lambda v: np.moveaxis(v, axis, -1)), lambda v: np.moveaxis(v, -1, axis)


def _softmax(node: Node) -> Sequence[Tensor]:
    program, (rows, back) = node.program, rows_along(node)
    n, size = rows.shape[-1], math.prod(rows.shape)
    if n * size > MOST_ENTRIES:
        raise node.fail(f"rows of {n} numbers")
    differences = None
    if 0 < size * (n - 1) // 2 <= MOST_DIFFERENCES:
        first, second = np.triu_indices(n, 1)
        one, other = (program.move(rows, lambda v, p=place: v[..., p]) for place in (first, second))  # type: ignore[misc]
        differences = program.sum(one, other, -1.0).step
    shares = Wire(program.add(SoftmaxStep(rows.step, differences, n, size)), rows.shape)
    return [program.move(shares, back)]


POOLS: dict[str, Rule] = {
    **dict.fromkeys(("ReduceSum", "ReduceMean"), _reduce),
    **dict.fromkeys(("ReduceMax", "ReduceMin"), _reduce_max),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    "Softmax": _softmax,
}
