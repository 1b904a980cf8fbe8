"""Operators that move numbers."""

from __future__ import annotations

import numpy as np

from .call import Call, NotEmulated, Rule, one_length, places
from .styles import Array


def _must(values: list[int] | None, c: Call) -> list[int]:
    if values is None:
        raise NotEmulated(f"{c.kind} without its sizes or axes")
    return values


def _reshape(c: Call) -> Array:
    x, wanted = c.arg(0), _must(c.integers(1, "shape"), c)
    if not c.get("allowzero", 0):
        wanted = [x.shape[k + 1] if size == 0 else size for k, size in enumerate(wanted)]
    if -1 in wanted:
        known = int(np.prod([size for size in wanted if size != -1]))
        wanted = [int(np.prod(x.shape[1:])) // known if size == -1 else size for size in wanted]
    return x.reshape(x.shape[0], *wanted)


def _flatten(c: Call) -> Array:
    x = c.arg(0)
    axis = c.get("axis", 1)
    axis = axis + x.ndim - 1 if axis < 0 else axis
    first = int(np.prod(x.shape[1 : axis + 1]))
    return x.reshape(x.shape[0], first, -1)


def _transpose(c: Call) -> Array:
    x = c.arg(0)
    order = c.get("perm") or list(range(x.ndim - 1))[::-1]
    return x.transpose(0, *(k + 1 for k in order))


def _concat(c: Call) -> Array:
    return np.concatenate(one_length(*(c.arg(k) for k in range(len(c.args)))), axis=c.axis(0))


def _split(c: Call) -> list[Array]:
    x, axis = c.arg(0), c.axis(0)
    sizes = c.integers(1, "split")
    if sizes is None:
        count = c.get("num_outputs", c.outputs)
        each = -(-x.shape[axis] // count)
        sizes = [each] * (count - 1) + [x.shape[axis] - each * (count - 1)]
    return np.split(x, np.cumsum(sizes)[:-1].tolist(), axis=axis)


def _slice(c: Call) -> Array:
    x = c.arg(0)
    starts, ends = _must(c.integers(1, "starts"), c), _must(c.integers(2, "ends"), c)
    axes = c.integers(3, "axes") or list(range(len(starts)))
    steps = c.integers(4) or [1] * len(starts)
    where: list[slice] = [slice(None)] * x.ndim
    for axis, start, end, by in zip(places(axes, x.ndim - 1), starts, ends, steps, strict=True):
        last = None if by < 0 and end < -x.shape[axis] else end
        where[axis] = slice(start, last, by)
    return x[tuple(where)]


def _gather(c: Call) -> Array:
    x, indices = c.arg(0), c.arg(1)
    if indices.shape[0] != 1:
        raise NotEmulated("Gather with indices that depend on the input")
    return np.asarray(np.take(x, indices[0], axis=c.axis(0)))


def _squeeze(c: Call) -> Array:
    x, axes = c.arg(0), c.integers(1, "axes")
    if axes is None:
        gone = [k for k in range(1, x.ndim) if x.shape[k] == 1]
    else:
        gone = places(axes, x.ndim - 1)
    return np.squeeze(x, axis=tuple(gone))


def _unsqueeze(c: Call) -> Array:
    x, axes = c.arg(0), _must(c.integers(1, "axes"), c)
    return np.expand_dims(x, tuple(places(axes, x.ndim - 1 + len(axes))))


def _expand(c: Call) -> Array:
    x, wanted = c.arg(0), _must(c.integers(1, "shape"), c)
    rank = max(x.ndim - 1, len(wanted))
    x = x.reshape(x.shape[0], *(1,) * (rank - x.ndim + 1), *x.shape[1:])
    return np.broadcast_to(x, (x.shape[0], *np.broadcast_shapes(x.shape[1:], tuple(wanted))))


def _pad(c: Call) -> Array:
    x, amounts = c.arg(0), _must(c.integers(1, "pads"), c)
    axes = c.integers(3) or list(range(x.ndim - 1))
    width = [(0, 0)] * x.ndim
    for k, axis in enumerate(places(axes, x.ndim - 1)):
        width[axis] = amounts[k], amounts[k + len(axes)]
    mode = c.get("mode", b"constant").decode()
    if mode == "constant":
        value = c.arg(2).reshape(-1)[0] if c.has(2) else c.get("value", 0.0)
        return np.pad(x, width, constant_values=value)
    if mode == "reflect":
        return np.pad(x, width, mode="reflect")
    if mode == "edge":
        return np.pad(x, width, mode="edge")
    raise NotEmulated(f"Pad with mode={mode}")


def _shape(c: Call) -> Array:
    return np.array([c.arg(0).shape[1:]], dtype=np.int64)


MOVING: dict[str, Rule] = {
    "Identity": lambda c: c.arg(0),
    "Dropout": lambda c: c.arg(0),
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Expand": _expand,
    "Pad": _pad,
    "Shape": _shape,
}
