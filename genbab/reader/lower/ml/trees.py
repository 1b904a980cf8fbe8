"""Ensembles of decision trees as steps and their conjunctions.

A test x <= t is the step of t - x, and every tree asks each test of the ensemble once. A leaf is reached
where all tests on its way have their outcomes: of d truth values c_1, ..., c_d (1 - c for the outcome "no")

    h = relu(c_1 + ... + c_d - (d - 1)),

which is 1 where all are 1 and 0 elsewhere, exactly. The result is the sum of the weights of leaves times h.
For a tree whose leaves weigh between a and b, (a + b) / 2 is added and taken from each leaf: exactly one of
them is reached, so nothing changes but for the bounds, which do not know that. Thresholds and weights are the
numbers of the file; what onnxruntime rounds is the sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genbab.error_free import sum_error
from genbab.reader.lower.algebra.linear import matmul
from genbab.reader.lower.ml.forest import Leaf, Test, leaves, new_style, numbers, old_style
from genbab.reader.lower.ml.scores import (
    Made,
    label_of_largest,
    label_of_sign,
    labels_of,
    opposite,
    rows_of,
    transformed,
    with_complement,
)
from genbab.reader.lower.table import ml_lowering
from genbab.reader.tensors.arithmetic import add, apply, combine, divide, scale, subtract
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.exact import Ball, ball, inexact, summed
from genbab.reader.tensors.values import Array, Op, Refused, Unread, Value, Var, room

PARTIAL = "the label among classes that leaves give no weight at all: these take no part in onnxruntime"

STEPS = "steps of the features, relu of the sums of those on the way to a leaf"


@ml_lowering("TreeEnsembleRegressor", how=STEPS)
def _regressor(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = rows_of(b, inputs)
    if (how := op.text("post_transform", "NONE")) != "NONE":
        raise Refused(f"post_transform {how}: NONE is accepted")
    return _whole(b, op, x, leaves(*old_style(op, "target")), op.integer("n_targets", 1))


@ml_lowering("TreeEnsemble", how=STEPS)
def _ensemble(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = rows_of(b, inputs)
    if op.integer("post_transform", 0):
        raise Refused("a post_transform; NONE (0) is accepted")
    average = op.integer("aggregate_function", 1)
    names = {0: "AVERAGE", 1: "SUM", 2: "MIN", 3: "MAX"}
    return _whole(b, op, x, leaves(*new_style(op)), op.integer("n_targets", 1), names.get(average, "?"))


@ml_lowering("TreeEnsembleClassifier", how=f"{STEPS}; then softmax or logistic; the label as of ArgMax")
def _classifier(b: Builder, op: Op, inputs: list[Value | None]) -> Made:
    """Two classes of which only one has weights are given by the score of the second."""
    x, labels = rows_of(b, inputs), labels_of(op)
    count = len(labels) if labels is not None else len(op.attributes["classlabels_strings"])
    if count < 2:
        raise Refused("one class, or none")
    trees = leaves(*old_style(op, "class"))
    used = {target for tree in trees for leaf in tree for target, _ in leaf.weights}
    if count == 2 and used == {1}:
        raise Refused("weights of the second of two classes only")
    if count == 2 and len(used) == 1:
        return _binary(b, op, x, [[_only(leaf) for leaf in tree] for tree in trees], labels)
    scores = b.variable(_whole(b, op, x, trees, count))
    if not all(_always(trees, target) for target in range(count)):
        if (how := op.text("post_transform", "NONE")) != "NONE":
            raise Refused(
                f"post_transform {how} of classes that leaves give no weight at all: NONE is accepted"
            )
        return [Unread(PARTIAL), scores]
    return [label_of_largest(b, scores, labels), transformed(b, op, scores)]


def _always(trees: Sequence[Sequence[Leaf]], target: int) -> bool:
    """Whether some tree gives this class a weight whatever the input is."""
    return any(all(target in dict(leaf.weights) for leaf in tree) for tree in trees)


def _only(leaf: Leaf) -> Leaf:
    return Leaf(leaf.tests, tuple((0, weight) for _, weight in leaf.weights))


def _binary(b: Builder, op: Op, x: Var, trees: list[list[Leaf]], labels: list[int] | None) -> Made:
    """As onnxruntime: 1 - s, s and a half decides where no weight is below 0; else -s, s and the sign."""
    how = op.text("post_transform", "NONE")
    score = b.variable(_whole(b, op, x, trees, 1))
    positive = all(weight >= 0 for tree in trees for leaf in tree for _, weight in leaf.weights)
    if how not in ("NONE", "LOGISTIC"):
        raise Refused(f"post_transform {how} of one score: NONE and LOGISTIC are accepted")
    if positive and how == "NONE":
        half = b.variable(combine(b, [(score, 1.0), (np.array(-0.5), 1.0)]))
        return [label_of_sign(b, half, labels), with_complement(b, score, False)]
    if positive:
        raise Refused("post_transform LOGISTIC of a score that is never below 0")
    label = label_of_sign(b, score, labels)
    return [label, with_complement(b, score, True) if how == "LOGISTIC" else opposite(b, score)]


def _whole(b: Builder, op: Op, x: Var, trees: Sequence[Sequence[Leaf]], targets: int, how: str = "") -> Value:
    """(N, targets): the sum (or average) of the trees and the base values."""
    how = how or op.text("aggregate_function", "SUM")
    if how not in ("SUM", "AVERAGE"):
        raise Refused(f"aggregate_function {how}: SUM and AVERAGE are accepted")
    base = numbers(op, "base_values")
    if base.size not in (0, targets):
        raise ValueError(f"{base.size} base values of {targets} targets")
    tests = list(dict.fromkeys(test for tree in trees for leaf in tree for test, _ in leaf.tests))
    found = [leaf for tree in trees for leaf in tree]
    room((x.shape[0], max(len(tests), len(found), targets)))
    room((len(tests), len(found)), "the table of its leaves")
    weights, middle = _weights(trees, targets)
    total: Value = np.zeros((x.shape[0], targets))
    if tests:
        total = matmul(b, _reached(b, _outcomes(b, x, tests), tests, found), weights)
    total = add(b, total, inexact(middle))
    if how == "AVERAGE":
        total = divide(b, total, np.array(float(len(trees))))
    return add(b, total, base) if base.size else total


def _outcomes(b: Builder, x: Var, tests: Sequence[Test]) -> Value:
    """(N, T): the truth values of the tests."""
    rows, features = x.shape
    if not all(0 <= feature < features for feature, _, _ in tests):
        raise ValueError(f"a test of a feature outside of 0 to {features - 1}")
    index = np.arange(rows)[:, None] * features + np.array([feature for feature, _, _ in tests])
    limits = np.array([limit for _, _, limit in tests])
    sign = np.array([1.0 if how == "GEQ" else -1.0 for _, how, _ in tests])
    asked = b.gather(x, index)
    found = apply(b, "step", add(b, scale(b, asked, sign), -sign * limits))
    same = np.array([how == "EQ" for _, how, _ in tests])
    if not same.any():
        return found
    other = apply(b, "step", subtract(b, b.gather(asked, _columns(rows, same)), limits[same]))
    back = np.where(same, np.cumsum(same) - 1, -1)
    places = np.where(back >= 0, np.arange(rows)[:, None] * int(same.sum()) + back, -1)
    return combine(b, [(found, 1.0), (b.gather(other, places), 1.0), (-same.astype(np.float64), 1.0)])


def _columns(rows: int, chosen: Array) -> Array:
    return np.arange(rows * chosen.size).reshape(rows, chosen.size)[:, chosen]


def _reached(b: Builder, outcomes: Value, tests: Sequence[Test], found: Sequence[Leaf]) -> Value:
    """(N, L): 1 for the leaves that are reached, 0 for the others."""
    number = {test: k for k, test in enumerate(tests)}
    signs, bias = np.zeros((len(tests), len(found))), np.ones(len(found))
    for k, leaf in enumerate(found):
        for test, outcome in leaf.tests:
            signs[number[test], k] = 1.0 if outcome else -1.0
            bias[k] -= 1.0 if outcome else 0.0
    return apply(b, "relu", add(b, matmul(b, outcomes, signs), bias))


def _weights(trees: Sequence[Sequence[Leaf]], targets: int) -> tuple[Array, Ball]:
    """(weights (L, targets) less the middles of their trees, the sum of the middles)."""
    parts, middles = [], []
    for tree in trees:
        weights = np.zeros((len(tree), targets))
        for k, leaf in enumerate(tree):
            for target, weight in leaf.weights:
                weights[k, target] = weight
            if len({target for target, _ in leaf.weights}) < len(leaf.weights):
                raise Refused("a leaf with two weights of one target")
        middle = ((weights.min(axis=0) + weights.max(axis=0)) / 2).astype(np.float32).astype(np.float64)
        less = weights - middle
        exact = (sum_error(weights, np.broadcast_to(-middle, weights.shape), less) == 0).all(axis=0)
        middles.append(np.where(exact, middle, 0.0))
        parts.append(np.where(exact, less, weights))
    return np.concatenate(parts), summed(ball(np.stack(middles)), (0,))
