"""Matrix products."""

from __future__ import annotations

import numpy as np
import torch

from genbab.network import Dense, Identity, LinearMap, TokenDense
from genbab.network.uncertainty import Uncertainty
from genbab.nonlinear import Product
from genbab.reader.lower.moving.joining import stacked
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import add, multiply, scale, sum_groups
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.exact import ROOM, Ball, ball, product
from genbab.reader.tensors.values import (
    Array,
    Op,
    Value,
    Var,
    constant,
    count,
    given,
    needed,
    positive_axis,
    room,
)


@lowering("MatMul", how="affine; of two variable tensors: multiply, sum")
def _matmul(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    return matmul(b, needed(inputs, 0), needed(inputs, 1))


@lowering("Gemm", how="affine; of two variable tensors: multiply, sum")
def _gemm(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, y, offset = needed(inputs, 0), needed(inputs, 1), given(inputs, 2)
    x = _swapped(b, x) if op.integer("transA", 0) else x
    y = _swapped(b, y) if op.integer("transB", 0) else y
    alpha, beta = op.number("alpha", 1.0), op.number("beta", 1.0)
    made = matmul(b, x, y)
    made = made if alpha == 1.0 else scale(b, made, alpha)
    return made if offset is None else add(b, made, offset if beta == 1.0 else scale(b, offset, beta))


@lowering("CumSum", how="affine")
def _cumulative_sum(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, at = needed(inputs, 0), constant(needed(inputs, 1), "its axis")
    assert at is not None
    axis = positive_axis(int(at.item()), len(x.shape))
    size = x.shape[axis]
    ones = np.triu(np.ones((size, size)), op.integer("exclusive", 0))
    places = np.moveaxis(np.arange(x.size).reshape(x.shape), axis, -1)
    made = matmul(b, b.gather(x, places), ones.T if op.integer("reverse", 0) else ones)
    return b.gather(made, np.moveaxis(np.arange(x.size).reshape(places.shape), -1, axis))


@lowering("CumProd", how="products, one after the other")
def _cumulative_product(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x, at = needed(inputs, 0), constant(needed(inputs, 1), "its axis")
    assert at is not None
    axis = positive_axis(int(at.item()), len(x.shape))
    places = np.moveaxis(np.arange(count(x.shape)).reshape(x.shape), axis, 0)
    places = places[::-1] if op.integer("reverse", 0) else places
    made: list[Value] = [np.ones(places.shape[1:])] if op.integer("exclusive", 0) else []
    for row in places[: len(places) - len(made)]:
        part = b.gather(x, row)
        made.append(multiply(b, made[-1], part) if made else part)
    whole = stacked(b, made[::-1] if op.integer("reverse", 0) else made)
    grid = np.arange(count(x.shape)).reshape(whole.shape)
    return b.gather(whole, np.moveaxis(grid, 0, axis))


def matmul_near(b: Builder, x: Var, weights: Ball) -> Var:
    """The product of a variable by constants (K, J) that are known to within something."""
    made = _by_constant(b, x, weights[0])
    if not weights[1].any():
        return made
    off = _by_constant(b, x, weights[1] * ROOM)
    uncertainty = Uncertainty(0, None, b.sums[off.node].terms)
    return b.affine(made.shape, [(made.node, Identity(made.size))], None, uncertainty)


def matmul(b: Builder, x: Value, y: Value) -> Value:
    """The product of tensors as numpy's matmul has it: (..., I, K) by (..., K, J)."""
    left = _reshaped(x, (1, *x.shape)) if len(x.shape) == 1 else x
    right = _reshaped(y, (*y.shape, 1)) if len(y.shape) == 1 else y
    if left.shape[-1] != right.shape[-2]:
        raise ValueError(f"a product of shapes {x.shape} and {y.shape}")
    made: Value
    if not isinstance(right, Var):
        made = (
            _by_constant(b, left, right)
            if isinstance(left, Var)
            else b.number(product(ball(left), ball(right)))
        )
    elif not isinstance(left, Var):
        made = _swapped(b, _by_constant(b, _swapped_var(b, right), np.swapaxes(left, -1, -2)))
    else:
        made = _of_variables(b, left, right)
    shape = list(made.shape)
    if len(x.shape) == 1:
        del shape[-2]
    if len(y.shape) == 1:
        del shape[-1]
    return _reshaped(made, tuple(shape))


def _by_constant(b: Builder, x: Var, w: Array) -> Var:
    """x (..., I, K) times constant w (..., K, J)."""
    inner, outer = w.shape[-2:]
    rows = x.shape[-2]
    batch = np.broadcast_shapes(x.shape[:-2], w.shape[:-2])
    shape = (*batch, rows, outer)
    room(shape)
    if count(w.shape[:-2]) == 1:
        tokens = count(x.shape[:-1])
        weight = torch.from_numpy(np.array(w.reshape(inner, outer), dtype=np.float64))
        made: LinearMap = (
            Dense(weight.mT.contiguous()) if tokens == 1 else TokenDense(weight[None], 1, tokens)
        )
        return b.affine(shape, [(x.node, made)])
    full = b.expand(x, (*batch, rows, inner))
    assert isinstance(full, Var)
    weights = np.array(np.broadcast_to(w, (*batch, inner, outer)), dtype=np.float64).reshape(-1, inner, outer)
    return b.affine(shape, [(full.node, TokenDense(torch.from_numpy(weights), count(batch), rows))])


def _of_variables(b: Builder, x: Var, y: Var) -> Var:
    """Both gathered to (..., I, J, K), multiplied elementwise, and summed over K."""
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    shape = (*batch, x.shape[-2], y.shape[-1])
    full = (*shape, x.shape[-1])
    room(full, "the products of its factors")
    on_x = np.arange(x.size).reshape(x.shape)[..., :, None, :]
    on_y = np.swapaxes(np.arange(y.size).reshape(y.shape), -1, -2)[..., None, :, :]
    left = b.gather(x, np.broadcast_to(on_x, full))
    right = b.gather(y, np.broadcast_to(on_y, full))
    assert isinstance(left, Var) and isinstance(right, Var)
    products = b.nonlinear(Product(), left, right)
    return sum_groups(b, products, np.repeat(np.arange(count(shape)), full[-1]), shape)


def _reshaped(x: Value, shape: tuple[int, ...]) -> Value:
    return x.reshaped(shape) if isinstance(x, Var) else x.reshape(shape)


def _swapped(b: Builder, x: Value) -> Value:
    """The last two axes exchanged."""
    if not isinstance(x, Var):
        return np.swapaxes(x, -1, -2)
    return b.gather(x, np.swapaxes(np.arange(x.size).reshape(x.shape), -1, -2))


def _swapped_var(b: Builder, x: Var) -> Var:
    swapped = _swapped(b, x)
    assert isinstance(swapped, Var)
    return swapped
