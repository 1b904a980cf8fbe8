"""Operators whose constants are not known exactly: as affine nodes with uncertain weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genbab.network import Identity, LinearMap, compose
from genbab.network.uncertainty import Uncertainty, padded
from genbab.reader.lower import LOWERINGS
from genbab.reader.tensors.builder import Builder, flat
from genbab.reader.tensors.exact import ROOM, ball
from genbab.reader.tensors.values import Inexact, Op, Refused, Var

ARITHMETIC = frozenset(
    "Add Sub Mul Div Sum Mean BatchNormalization GridSample GroupNormalization InstanceNormalization PRelu "
    "Resize RotaryEmbedding Upsample".split()
)
"""Operators whose rules take such constants as they are."""

BY_WEIGHTS = frozenset("MatMul Gemm Conv ConvTranspose".split())
"""Operators that are affine in their variable input, with weights that are the constants."""


def with_weights(b: Builder, op: Op, inputs: Sequence[Any]) -> Var:
    """The output of an operator of `BY_WEIGHTS` whose weights are not known exactly.

    It is uncertain by what the operator makes of |x| and the weights' errors.
    """
    varies = [isinstance(v, Var) for v in inputs]
    if sum(varies) != 1 or varies[-1] and len(inputs) > 2:
        inputs = [b.variable(v) if isinstance(v, Inexact) else v for v in inputs]
        return _lowered(b, op, inputs)
    made = _lowered(b, op, [ball(v)[0] if isinstance(v, Inexact) else v for v in inputs])
    start = len(b.nodes)
    error = _lowered(b, op, [_error(v, b.computed) for v in inputs])
    terms, bias = _flattened(b, error.node, start)
    constant = padded(flat(np.abs(bias), (made.size,)) * ROOM)
    uncertainty = Uncertainty(0, constant, tuple((source, one.absolute()) for source, one in terms))
    return b.affine(made.shape, [(made.node, Identity(made.size))], None, uncertainty)


def _lowered(b: Builder, op: Op, inputs: Sequence[Any]) -> Var:
    made = LOWERINGS[op.kind](b, op, list(inputs))
    assert isinstance(made, Var)
    return made


def _error(value: Any, computed: bool) -> Any:
    """What the constant may be off by; where it is `computed`, with what a program rounds of that."""
    if isinstance(value, Var) or value is None:
        return value
    rounded = 2.0**-5 + value.size * 2.0**-22 if computed else 2.0**-20
    return ball(value)[1] * (1 + rounded)


def _flattened(b: Builder, node: int, start: int) -> tuple[list[tuple[int, LinearMap]], Any]:
    """(terms over nodes before `start`, bias) of a node that is affine in them."""
    made = b.sums.get(node)
    if made is None or made.uncertainty.weights:
        raise Refused("constants that are not known exactly, in a place where they are no weights")
    terms: list[tuple[int, LinearMap]] = []
    bias = made.bias.numpy()
    for source, one in made.terms:
        if source < start:
            terms.append((source, one))
            continue
        inner, more = _flattened(b, source, start)
        terms += [(s, compose(one, m)) for s, m in inner]
        bias = bias + one.apply(flat(more, (one.in_size,))).numpy()
    return terms, bias
