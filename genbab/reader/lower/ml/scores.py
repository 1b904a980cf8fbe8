"""Scores of classes and what is made of them: probabilities, and the label of the largest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genbab.reader.lower.layers.softmax import softmax_of_rows
from genbab.reader.lower.moving.joining import concatenated
from genbab.reader.lower.numbers.argmax import winners
from genbab.reader.lower.numbers.reductions import reduce_sum
from genbab.reader.tensors import elements
from genbab.reader.tensors.arithmetic import apply, combine, scale, subtract
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.casts import cast
from genbab.reader.tensors.values import Array, Op, Refused, Unread, Value, Var, needed

TEXT = "labels that are text: the other output has the scores"


def rows_of(b: Builder, inputs: Sequence[Value | None], position: int = 0) -> Var:
    """The input (N, C) of a model of this domain, in float32; a vector is one row."""
    x = needed(inputs, position)
    if not isinstance(x, Var):
        raise Refused("a model of constants")
    if x.element == elements.DOUBLE:
        raise Refused("float64 inputs, which it rounds to float32")
    if x.element != elements.FLOAT:
        made = cast(b, x, elements.FLOAT)
        assert isinstance(made, Var)
        x = made
    if len(x.shape) not in (1, 2):
        raise Refused(f"inputs of {len(x.shape)} axes; one or two are accepted")
    return x.reshaped((1, x.size)) if len(x.shape) == 1 else x


def floats(op: Op, name: str) -> Array:
    """An attribute of float32 numbers, as float64; empty where it is left out."""
    return np.asarray(op.attributes.get(name, ()), dtype=np.float64).reshape(-1)


def transformed(b: Builder, op: Op, scores: Var) -> Value:
    """Scores (N, K) of several classes or targets after the node's `post_transform`, by rows."""
    how = op.text("post_transform", "NONE")
    if how == "NONE":
        return scores
    if how == "LOGISTIC":
        return apply(b, "sigmoid", scores)
    if how == "SOFTMAX":
        rows = np.arange(scores.size).reshape(scores.shape)
        made = softmax_of_rows(b, scores, rows, np.zeros(scores.shape, dtype=bool))
        if isinstance(made, Var):
            b.shares.add(made.node)
        assert isinstance(made, Var | np.ndarray)
        return made
    raise Refused(f"post_transform {how}: NONE, LOGISTIC and SOFTMAX are accepted")


def with_complement(b: Builder, score: Var, logistic: bool) -> Value:
    """(N, 2): 1 - s and s of scores (N, 1), or of their logistic function."""
    p = apply(b, "sigmoid", score) if logistic else score
    made = concatenated(b, [combine(b, [(np.ones(score.shape), 1.0), (p, -1.0)]), p], 1)
    if logistic and isinstance(made, Var):
        b.shares.add(made.node)
    return made


def opposite(b: Builder, score: Var) -> Value:
    """(N, 2): -s and s of scores (N, 1)."""
    return concatenated(b, [scale(b, score, -1.0), score], 1)


def labels_of(op: Op) -> list[int] | None:
    """The labels that a node names its classes by; None where they are text."""
    if op.attributes.get("classlabels_strings"):
        return None
    return op.integers("classlabels_ints") or op.integers("classlabels_int64s") or []


def label_of_largest(b: Builder, scores: Value, labels: list[int] | None) -> Value | Unread:
    """(N,): the label of each row's largest score, the first of equal ones."""
    if labels is None:
        return Unread(TEXT)
    if not isinstance(scores, Var):
        return Unread("the label of scores that are constant")
    won = winners(b, scores, np.arange(scores.size).reshape(scores.shape))
    return numbered(b, won, np.asarray(labels or range(scores.shape[1]), dtype=np.float64))


def numbered(b: Builder, won: Value, labels: Array) -> Value:
    """(N,): Σ_k won_k · label_k over the last axis, of which exactly one entry is 1."""
    if not isinstance(won, Var):
        return np.asarray(won @ labels).astype(np.int64)
    weighted = b.variable(scale(b, won, labels - labels[0]))
    total = reduce_sum(b, weighted, [1], keep=False)
    made = combine(b, [(total, 1.0), (np.array(labels[0]), 1.0)])
    if isinstance(made, Var):
        b.known[made.node] = float(labels.min()), float(labels.max())
        b.integral.add(made.node)
    return made


def label_of_sign(b: Builder, score: Var, labels: list[int] | None, strict: bool = True) -> Value | Unread:
    """(N,): the second label where a score (N, 1) is above 0 (from 0 on if not `strict`), else the first."""
    if labels is None:
        return Unread(TEXT)
    first, second = labels if len(labels) == 2 else (0, 1)
    step = apply(b, "step", scale(b, score, -1.0) if strict else score)
    above = subtract(b, np.ones(score.shape), step) if strict else step
    assert isinstance(above, Var)
    chosen = combine(
        b, [(above.reshaped((score.shape[0],)), float(second - first)), (np.array(float(first)), 1.0)]
    )
    if isinstance(chosen, Var):
        b.known[chosen.node] = float(min(first, second)), float(max(first, second))
        b.integral.add(chosen.node)
    return chosen


Made = list[Any]
"""Outputs of a node: tensors, and what says that there is no rule for one."""
