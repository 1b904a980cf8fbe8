"""Normalisations and sums of functions of entries, as means, powers and products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from genbab.check.functions.formula import Formula, apply, argument, times
from genbab.check.model.operators.layers import added, exactly, inverse_of, multiplied
from genbab.check.model.operators.node import Node, Rule
from genbab.check.model.operators.pooling import axes_of, halved, mean, rows_along
from genbab.check.model.program import MOST_ENTRIES, Fixed, NormedStep, Tensor, Wire, moved

X = argument()
SQUARE = times(X, X)


def _power(node: Node, x: Wire, exponent: float) -> Wire:
    return node.program.elementwise(apply("power", X, np.asarray(exponent)), [x])


def _average(node: Node, x: Wire, axes: Sequence[int]) -> Wire:
    count = math.prod(x.shape[axis] for axis in axes)
    return mean(node, node.program.total(x, axes, keep=True), count)


def _scaled(node: Node, x: Wire, axes: Sequence[int], centre: bool) -> Wire:
    """The entries, less their mean along axes if asked for, over the root of their mean square."""
    program = node.program
    if centre:
        x = program.sum(x, _average(node, x, axes), -1.0)
    count = math.prod(x.shape[axis] for axis in axes)
    rest = [i for i in range(len(x.shape)) if i not in axes]
    back = np.argsort([*rest, *axes])
    turned = [x.shape[i] for i in (*rest, *axes)]
    rows = program.move(x, lambda v: v.transpose(*rest, *axes).reshape(-1, count))
    squares = program.total(program.elementwise(SQUARE, [rows]), [1], keep=False)
    floor = count * Fraction(node.real("epsilon", 1e-5))
    if not 0 <= floor == Fraction(float(floor)):
        raise node.fail(f"{count} entries with epsilon {float(floor / count)}")
    made = NormedStep(rows.step, squares.step, float(floor), count, math.prod(rows.shape))
    found = Wire(program.add(made), rows.shape)
    size = Fixed(np.asarray(float(count)), np.asarray(float(count)))
    low, high = (np.nextafter(np.sqrt(size.low), way) for way in (-np.inf, np.inf))
    scaled = program.scale(found, Fixed(low, high))
    return program.move(scaled, lambda v: v.reshape(turned).transpose(*back))


def _affine(node: Node, x: Wire, shape: Sequence[int] | None = None) -> Sequence[Tensor]:
    """The tensor times input 1 plus input 2, both in a shape."""
    for index in (1, 2):
        other = node.optional(index)
        if other is not None:
            other = moved(node.program, other, lambda v: v if shape is None else v.reshape(*shape))
            x = multiplied(node.program, x, other) if index == 1 else node.program.sum(x, other)
    return [x]


def _layer(node: Node) -> Sequence[Tensor]:
    x = node.wire()
    axes = range(node.axis(len(x.shape), -1), len(x.shape))
    if node.outputs > 1:
        raise node.fail("more than one output")
    return _affine(node, _scaled(node, x, axes, centre=node.op == "LayerNormalization"))


def _channels(node: Node) -> tuple[Wire, tuple[int, ...]]:
    x = node.wire()
    if len(x.shape) < 3:
        raise node.fail(f"a tensor of shape {list(x.shape)}")
    return x, (1, -1, *[1] * (len(x.shape) - 2))


def _instance(node: Node) -> Sequence[Tensor]:
    x, shape = _channels(node)
    return _affine(node, _scaled(node, x, range(2, len(x.shape)), centre=True), shape)


def _group(node: Node) -> Sequence[Tensor]:
    (x, shape), groups = _channels(node), int(node.get("num_groups", 0))
    if groups < 1 or x.shape[1] % groups:
        raise node.fail(f"{groups} groups of {x.shape[1]} channels")
    split = node.program.move(x, lambda v: v.reshape(v.shape[0], groups, -1))
    whole = _scaled(node, split, [2], centre=True)
    if node.opset < 21:  # a scale for each group
        return [node.program.move(_wire(_affine(node, whole, (1, -1, 1))), lambda v: v.reshape(x.shape))]
    return _affine(node, node.program.move(whole, lambda v: v.reshape(x.shape)), shape)


def _wire(found: Sequence[Tensor]) -> Wire:
    (x,) = found
    assert isinstance(x, Wire)
    return x


def _length(node: Node, x: Wire, axes: Sequence[int], order: int, keep: bool) -> Wire:
    """The sum of absolute values, or the root of the sum of squares."""
    if order not in (1, 2):
        raise node.fail(f"a norm of order {order}")
    parts = node.program.elementwise(apply("absolute", X) if order == 1 else SQUARE, [x])
    total = node.program.total(parts, axes, keep)
    return total if order == 1 else node.program.elementwise(apply("sqrt", X), [total])


def _unit(node: Node) -> Sequence[Tensor]:
    x = node.wire()
    size = _length(node, x, [node.axis(len(x.shape), -1)], int(node.get("p", 2)), keep=True)
    return [multiplied(node.program, x, inverse_of(node, size))]


def _near(node: Node) -> Sequence[Tensor]:
    """Local response normalisation: over a power of the mean square of neighbouring channels."""
    x, size = node.wire(), int(node.get("size", 0))
    place = np.arange(x.shape[1])
    offset = place[:, None] - place
    band = ((offset >= -((size - 1) // 2)) & (offset <= size // 2)).astype(np.float64)
    squares = node.program.elementwise(SQUARE, [x])
    total = node.program.matrix(squares, Fixed(band, band), 1)
    factor = multiplied(node.program, exactly(node.real("alpha", 1e-4)), mean(node, total, size))
    bent = _power(node, node.program.sum(factor, exactly(node.real("bias", 1.0))), -node.real("beta", 0.75))
    return [multiplied(node.program, x, bent)]


def _log(node: Node, x: Wire) -> Wire:
    return node.program.elementwise(apply("log", X), [x])


def _log_softmax(node: Node) -> Sequence[Tensor]:
    """-log(1 + the sum of e^(x_j - x_i) over j other than i)."""
    program = node.program
    rows, back = rows_along(node)
    n = rows.shape[-1]
    if n * math.prod(rows.shape) > MOST_ENTRIES:
        raise node.fail(f"rows of {n} numbers")
    other = np.array([[j for j in range(n) if j != i] for i in range(n)], dtype=np.int64).reshape(n, n - 1)
    ones = program.move(rows, lambda v: np.repeat(v[..., :, None], n - 1, -1))
    others = program.move(rows, lambda v: v[..., other])
    powers = program.elementwise(apply("exp", X), [program.sum(others, ones, -1.0)])
    total = program.total(powers, [len(powers.shape) - 1], keep=False)
    found = program.scale(_log(node, program.sum(total, exactly(1.0))), exactly(-1.0))
    return [program.move(found, back)]


SUMMED: dict[str, Formula | None] = {
    "ReduceL1": apply("absolute", X),
    "ReduceL2": SQUARE,
    "ReduceSumSquare": SQUARE,
    "ReduceLogSum": None,
    "ReduceLogSumExp": apply("exp", X),
}


def _summed(node: Node) -> Sequence[Tensor]:
    """Sums of a function along axes, and the root or logarithm of it."""
    x, formula = node.wire(), SUMMED[node.op]
    parts = x if formula is None else node.program.elementwise(formula, [x])
    total = node.program.total(parts, axes_of(node, len(x.shape)), bool(node.get("keepdims", 1)))
    if node.op == "ReduceL2":
        return [node.program.elementwise(apply("sqrt", X), [total])]
    return [_log(node, total) if "Log" in node.op else total]


def _product(node: Node) -> Sequence[Tensor]:
    x = node.wire()
    axes = axes_of(node, len(x.shape))
    return [halved(node, x, axes, bool(node.get("keepdims", 1)), lambda a, b: multiplied(node.program, a, b))]


def _mean(node: Node) -> Sequence[Tensor]:
    total = added(node)
    return [mean(node, total, len(node.inputs)) if isinstance(total, Wire) else total]


NORMS: dict[str, Rule] = {
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _layer),
    **{"InstanceNormalization": _instance, "GroupNormalization": _group, "LpNormalization": _unit},
    **{"LRN": _near, "LogSoftmax": _log_softmax, "ReduceProd": _product, "Mean": _mean},
    **dict.fromkeys(SUMMED, _summed),
}
