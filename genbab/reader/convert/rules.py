"""Which rule makes the outputs of a node: moved numbers, folded constants, a lowering, a function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from genbab.nonlinear.facts.registry import OPERATORS
from genbab.reader.convert.computed import computed
from genbab.reader.convert.constants import folded, moved
from genbab.reader.convert.fold import shape_of
from genbab.reader.convert.forks import begins_anywhere, sliced
from genbab.reader.convert.integers import ready
from genbab.reader.convert.sequences import SEQUENCES
from genbab.reader.convert.weights import ARITHMETIC, BY_WEIGHTS, with_weights
from genbab.reader.lower import LOWERINGS, MOVES, Move, move
from genbab.reader.lower.layers.masked import lower_masked, makes_mask
from genbab.reader.lower.table import ML, ML_REFUSED, RANDOM, REFUSED
from genbab.reader.tensors.arithmetic import apply
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Inexact, Masked, Op, Refused, Value, Var, element

DOMAINS = ("", "ai.onnx")
ML_DOMAIN = "ai.onnx.ml"

Known = Any
"""A `Value`, a `Masked`, a tuple of them (a sequence of tensors), or what stands for an unsupported node."""


def outputs(b: Builder, op: Op, inputs: Sequence[Known]) -> Sequence[Known]:
    """The outputs of a node that is no literal; raises `Refused` where there is no rule."""
    if op.node.domain not in DOMAINS:
        if op.node.domain == ML_DOMAIN and (ML_DOMAIN, op.kind) not in OPERATORS:
            return _of_ml(b, op, as_nodes(b, inputs))
        return [_registered(b, op, as_nodes(b, inputs))]
    if op.kind in SEQUENCES:
        return [SEQUENCES[op.kind](b, op, as_nodes(b, inputs))]
    if any(isinstance(v, tuple) for v in inputs):
        if op.kind != "Identity":
            raise Refused("a sequence of tensors as its input")
        return [inputs[0]]
    if op.kind in ("Shape", "Size") and inputs[0] is not None:
        return [shape_of(op, inputs[0])]
    if begins_anywhere(op, inputs):
        return sliced(b, op, inputs)
    return _of_numbers(b, op, inputs)


def _of_numbers(b: Builder, op: Op, inputs: Sequence[Known]) -> Sequence[Known]:
    """The outputs of an operator on plain or masked tensors."""
    varies = any(isinstance(v, Var | Masked) for v in inputs)
    rule = MOVES.get(op.kind)
    if rule is not None and not _chosen(op, rule, inputs):
        if not varies and any(isinstance(v, Inexact) for v in inputs):
            return moved(inputs, lambda given: move(b, op, rule, given))
        ready(op, inputs)
        return move(b, op, rule, as_nodes(b, inputs))
    if varies or op.kind in RANDOM:
        return _computed(b, op, inputs)
    return computed(op, inputs) if b.computed else folded(op, inputs)


def _chosen(op: Op, rule: Move, inputs: Sequence[Known]) -> bool:
    """Whether the network's input says what is moved where, and there is a rule for that."""
    fixed = range(len(inputs)) if rule.data is not None else ()
    return op.kind in LOWERINGS and any(
        isinstance(inputs[i], Var) for i in fixed if i not in (rule.data or ())
    )


def _of_ml(b: Builder, op: Op, inputs: Sequence[Known]) -> Sequence[Known]:
    """The outputs of an operator of classical machine learning."""
    if op.kind not in ML:
        raise Refused(ML_REFUSED.get(op.kind, f"no rule for this operator of '{ML_DOMAIN}'"))
    if not any(isinstance(v, Var) for v in inputs):
        return folded(op, inputs)
    if any(isinstance(v, Masked | tuple) for v in inputs):
        raise Refused("an input that is no plain tensor")
    made = ML[op.kind](b, op, list(inputs))
    return made if isinstance(made, list) else [made]


def as_nodes(b: Builder, inputs: Sequence[Known]) -> list[Known]:
    """The inputs, constants that are not known exactly as nodes."""
    return [b.variable(v) if isinstance(v, Inexact) else v for v in inputs]


def _computed(b: Builder, op: Op, inputs: Sequence[Known]) -> Sequence[Known]:
    """The outputs of an operator that does more than move numbers."""
    if op.kind in BY_WEIGHTS and any(isinstance(v, Inexact) for v in inputs):
        return [with_weights(b, op, inputs)]
    if op.kind not in ARITHMETIC:
        inputs = as_nodes(b, inputs)
    if makes_mask(op, inputs):
        return lower_masked(b, op, inputs)
    ready(op, inputs)
    lower = LOWERINGS.get(op.kind)
    if lower is None:
        if ("", op.kind) in OPERATORS:
            return [_registered(b, op, inputs)]
        raise Refused(REFUSED.get(op.kind, "no rule for this operator"))
    made = lower(b, op, list(inputs))
    return made if isinstance(made, list) else [made]


def _registered(b: Builder, op: Op, inputs: Sequence[Known]) -> Value:
    """An operator that is one function of the library."""
    domain = "" if op.node.domain in DOMAINS else op.node.domain
    if (domain, op.kind) not in OPERATORS:
        raise Refused(f"no rule for operators of '{domain}'")
    name, operator = OPERATORS[domain, op.kind]
    if len(inputs) != 1 or not isinstance(inputs[0], Var | np.ndarray):
        raise Refused(f"the function '{name}' takes one tensor")
    made = apply(b, name, inputs[0], *(op.number(a, default) for a, default in operator.attributes))
    return replace(made, element=element(inputs[0])) if isinstance(made, Var) else made
