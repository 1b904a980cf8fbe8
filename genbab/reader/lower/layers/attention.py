"""Attention and rotary position embeddings (ONNX 23 and later).

Letters here: M sequences side by side (ONNX's batch), Q queries, K keys.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genbab.reader.lower.algebra.linear import matmul
from genbab.reader.lower.layers.softmax import softmax_of_rows
from genbab.reader.lower.moving.joining import concatenated
from genbab.reader.lower.table import lowering
from genbab.reader.tensors.arithmetic import add, apply, divide, scale
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.exact import Ball, ball, inexact, known, over, root
from genbab.reader.tensors.values import (
    Array,
    Inexact,
    Masked,
    Op,
    Refused,
    Value,
    Var,
    constant,
    given,
    needed,
)


@dataclass(frozen=True, eq=False)
class Mask:
    """What is added to the scores, and where they are minus infinity; both broadcast to (M, heads, Q, K)."""

    bias: Value | None
    hidden: Array


@lowering("Attention", how="scores, softmax and mixture of values as products and softmax have it")
def _attention(b: Builder, op: Op, inputs: list[Value | None]) -> list[Value]:
    """Y, the keys and values with the past ones, and the scores as far as `qk_matmul_output_mode` says."""
    flat = len(needed(inputs, 0).shape) == 3
    many, few = op.integer("q_num_heads", 0), op.integer("kv_num_heads", 0)
    q = _heads(b, needed(inputs, 0), many)
    k, v = (_heads(b, needed(inputs, i), few) for i in (1, 2))
    past = given(inputs, 4)
    before = 0 if past is None else past.shape[2]
    if past is not None:
        k, v = concatenated(b, [past, k], 2), concatenated(b, [needed(inputs, 5), v], 2)
    one, width = ball(np.ones(())), ball(np.array(q.shape[3]))
    factor = ball(np.array(op.number("scale", 0.0))) if "scale" in op.attributes else over(one, root(width))
    turned = _places(k).swapaxes(2, 3)
    products = scale(b, matmul(b, q, b.gather(k, _repeated(turned, q.shape[1]))), inexact(factor))
    cap = op.number("softcap", 0.0)
    scores = scale(b, apply(b, "tanh", divide(b, products, np.array(cap))), cap) if cap else products
    mask = _mask(op, inputs, scores.shape, before)
    biased = scores if mask.bias is None else add(b, scores, mask.bias)
    weights = _weights(b, b.variable(biased), mask.hidden)
    y = matmul(b, weights, b.gather(v, _repeated(_places(v), q.shape[1])))
    if flat:
        y = b.gather(y, _places(y).swapaxes(1, 2).reshape(q.shape[0], q.shape[2], -1))
    return [y, k, v, *_shown(op, [products, scores, biased, weights], mask)]


def _shown(op: Op, stages: list[Value], mask: Mask) -> list[Value]:
    """The fourth output, if the node has it."""
    if len(op.node.output) < 4:
        return []
    mode = op.integer("qk_matmul_output_mode", 0)
    if mode == 2 and mask.hidden.any():
        raise Refused("an output of scores with entries of minus infinity")
    return [stages[mode]]


def _weights(b: Builder, scores: Var, hidden: Array) -> Value:
    """The softmax over the keys; queries that see no key have weights of 0."""
    hidden = np.broadcast_to(hidden, scores.shape)
    rows = np.arange(scores.size).reshape(-1, scores.shape[-1])
    made = softmax_of_rows(b, scores, rows[~hidden.reshape(rows.shape).all(axis=1)], hidden)
    assert not isinstance(made, Masked)
    return made


def _mask(op: Op, inputs: list[Value | None], shape: tuple[int, ...], before: int) -> Mask:
    """The mask of one node, for scores of this shape."""
    many, _, queries, keys = shape
    if any(int(op.attributes.get(f"{side}_window_size", -1)) >= 0 for side in ("left", "right")):
        raise Refused("a sliding window")
    bias, hidden = _given_mask(given(inputs, 3), keys)
    lengths = constant(given(inputs, 6), "the number of its keys")
    offset = np.full((1, 1, 1, 1), before)
    if lengths is not None:
        lengths = lengths.astype(np.int64).reshape(-1, 1, 1, 1)
        hidden = hidden | (np.arange(keys) >= lengths)
        offset = lengths - queries
    if op.integer("is_causal", 0):
        hidden = hidden | (np.arange(keys) > np.arange(queries)[:, None] + offset)
    np.broadcast_shapes(hidden.shape, (many, 1, 1, 1))
    return Mask(bias, hidden)


def _given_mask(mask: Value | None, keys: int) -> tuple[Value | None, Array]:
    """(what is added, where it is minus infinity); a mask of fewer keys hides the others."""
    if mask is None:
        return None, np.zeros((1, 1, 1, keys), dtype=bool)
    if isinstance(mask, Var):
        if mask.boolean:
            raise Refused("a mask of truth values that depends on the network's input")
        if mask.shape[-1] != keys:
            raise Refused("a mask that depends on the network's input and is shorter than the keys")
        return mask, np.zeros((1, 1, 1, keys), dtype=bool)
    empty = (*mask.shape[:-1], keys - mask.shape[-1])
    if mask.dtype == np.bool_:
        return None, np.concatenate([~mask, np.ones(empty, dtype=bool)], axis=-1)
    full = np.concatenate([mask.astype(np.float64), np.full(empty, -np.inf)], axis=-1)
    hidden = np.isneginf(full)
    return np.where(hidden, 0.0, full), hidden


def _heads(b: Builder, x: Value, heads: int) -> Value:
    """x as (M, heads, length, width); of three axes the last one holds the heads side by side."""
    if len(x.shape) == 4:
        return x
    if len(x.shape) != 3 or heads < 1 or x.shape[2] % heads:
        raise ValueError(f"{heads} heads in a tensor of shape {x.shape}")
    return b.gather(x, _places(x).reshape(*x.shape[:2], heads, -1).swapaxes(1, 2))


def _repeated(places: Array, heads: int) -> Array:
    """Every head (axis 1) as often as several heads of queries share it."""
    if heads % places.shape[1]:
        raise ValueError(f"{heads} heads of queries share {places.shape[1]} heads of keys")
    return np.repeat(places, heads // places.shape[1], axis=1)


def _places(x: Value) -> Array:
    return np.arange(x.size).reshape(x.shape)


@lowering("RotaryEmbedding", how="affine: pairs of entries are rotated")
def _rotary(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """Per pair (u, w) of a head's entries u·cos - w·sin and u·sin + w·cos, at angles given per position."""
    x = b.variable(needed(inputs, 0))
    cos, sin = (known(needed(inputs, i), "the cosines and sines") for i in (1, 2))
    positions = constant(given(inputs, 3), "the positions")
    at = slice(None) if positions is None else positions
    places = _places(x)
    if len(x.shape) == 3:
        heads = op.integer("num_heads", 0)
        if heads < 1 or x.shape[2] % heads:
            raise ValueError(f"{heads} heads in a tensor of shape {x.shape}")
        places = places.reshape(*x.shape[:2], heads, -1)
    else:
        places = places.swapaxes(1, 2)
    width = op.integer("rotary_embedding_dim", 0) or places.shape[3]
    if op.integer("interleaved", 0):
        first, second = places[..., 0:width:2], places[..., 1:width:2]
    else:
        first, second = places[..., : width // 2], places[..., width // 2 : width]
    partner = np.arange(x.size)
    partner[first], partner[second] = second, first
    own, factor = (_turned(part, at, (first, second), x, turn) for part, turn in ((cos, False), (sin, True)))
    turned = b.gather(x, partner.reshape(x.shape))
    return add(b, scale(b, x, own), scale(b, turned, factor))


def _turned(part: Ball, at: Array | slice, places: tuple[Array, Array], x: Var, turn: bool) -> Inexact:
    """The cosines that the entries of x are multiplied with, 1 for those left alone; or the sines.

    With turn: the sines, those of the first of a pair negative, 0 for entries left alone.
    """
    value, error = np.full(x.size, 0.0 if turn else 1.0), np.zeros(x.size)
    for mine, sign in zip(places, (-1.0 if turn else 1.0, 1.0), strict=True):
        value[mine] = sign * np.broadcast_to(part[0][at][:, :, None], mine.shape)
        error[mine] = np.broadcast_to(part[1][at][:, :, None], mine.shape)
    return inexact((value.reshape(x.shape), error.reshape(x.shape)))
