"""Support vector machines: sums of smooth functions of the features, one for every support vector."""

from __future__ import annotations

import numpy as np

from genbab.reader.lower.algebra.linear import matmul
from genbab.reader.lower.ml.scores import (
    Made,
    floats,
    label_of_largest,
    label_of_sign,
    labels_of,
    opposite,
    rows_of,
)
from genbab.reader.lower.numbers.reductions import reduce_sum
from genbab.reader.lower.table import ml_lowering
from genbab.reader.tensors.arithmetic import add, apply, combine, multiply, raised, scale, shift, subtract
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Array, Op, Refused, Value, Var, room


def _kernel(b: Builder, op: Op, x: Var, vectors: Array) -> Value:
    """(N, S): of every row x (N, C) with every support vector (S, C).

    LINEAR x·v; POLY (gamma x·v + r)^degree; SIGMOID tanh(gamma x·v + r); RBF exp(-gamma |x - v|²), with
    kernel_params = (gamma, r, degree).
    """
    kind = op.text("kernel_type", "LINEAR")
    gamma, offset, degree = np.append(floats(op, "kernel_params"), np.zeros(3))[:3].tolist()
    if kind == "RBF":
        rows, count, features = x.shape[0], *vectors.shape
        room((rows, count, features))
        apart = subtract(b, x.reshaped((rows, 1, features)), vectors)
        squares = multiply(b, apart, apart)
        assert isinstance(squares, Var)
        return apply(b, "exp", scale(b, reduce_sum(b, squares, [2], keep=False), -gamma))
    made = matmul(b, x, vectors.T)
    if kind == "LINEAR":
        return made
    inside = shift(b, scale(b, made, gamma), offset)
    if kind == "SIGMOID":
        return apply(b, "tanh", inside)
    if kind == "POLY":
        if degree != int(degree) or degree < 1:
            raise Refused(f"a kernel of degree {degree:g}")
        return raised(b, inside, degree)
    raise Refused(f"kernel {kind}: LINEAR, POLY, RBF and SIGMOID are accepted")


@ml_lowering("SVMRegressor", how="affine of exp, powers or tanh of affine functions, for each support vector")
def _svm_regressor(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """Σ_s coefficient_s · K(x, v_s) + rho; with one_class 1 where that is above 0, else -1."""
    x, weights = rows_of(b, inputs), floats(op, "coefficients")
    _plain(op)
    count, rho = op.integer("n_supports", 0), floats(op, "rho")
    if count:
        vectors = _vectors(op, count, x.shape[1])
        total = matmul(b, _kernel(b, op, x, vectors), weights.reshape(count, 1))
    else:
        total = matmul(b, x, weights.reshape(x.shape[1], 1))
    made = add(b, total, rho.reshape(1)) if rho.size else total
    if not op.integer("one_class", 0):
        return made
    below = apply(b, "step", scale(b, made, -1.0))
    return combine(b, [(np.ones(()), 1.0), (below, -2.0)])


@ml_lowering("SVMClassifier", how="affine of kernels for each pair of classes; the label by their votes")
def _svm_classifier(b: Builder, op: Op, inputs: list[Value | None]) -> Made:
    """One score for each pair of classes i < j, above 0 for i; of two classes -s and s.

    s = Σ over the support vectors of both of coefficient · K(x, v) + rho, as in LIBSVM: the coefficients of a
    vector of class k towards the other classes are in their order.
    """
    x, per_class, labels = rows_of(b, inputs), op.integers("vectors_per_class") or [], labels_of(op)
    _plain(op)
    if floats(op, "prob_a").size:
        raise Refused("probabilities, which it finds by iteration (probability=False gives scores)")
    count, classes = sum(per_class), len(per_class)
    if not count or classes < 2:
        raise Refused("no support vectors, or one class")
    weights = floats(op, "coefficients").reshape(classes - 1, count)
    if (weights >= 0).all():
        raise Refused("coefficients none of which is below 0")
    pairs = np.triu_indices(classes, 1)
    scores = matmul(
        b, _kernel(b, op, x, _vectors(op, count, x.shape[1])), _by_pair(weights, per_class, pairs)
    )
    scores = b.variable(add(b, scores, floats(op, "rho")))
    if classes == 2:
        return [label_of_sign(b, scores, None if labels is None else labels[::-1]), opposite(b, scores)]
    return [label_of_largest(b, _votes(b, scores, pairs, classes), labels), scores]


def _by_pair(weights: Array, per_class: list[int], pairs: tuple[Array, Array]) -> Array:
    """(S, P): the coefficients of the vectors for each pair of classes."""
    owner = np.repeat(np.arange(len(per_class)), per_class)
    made = np.zeros((len(owner), len(pairs[0])))
    for e, (i, j) in enumerate(zip(*pairs, strict=True)):
        made[owner == i, e] = weights[j - 1, owner == i]
        made[owner == j, e] = weights[i, owner == j]
    return made


def _votes(b: Builder, scores: Var, pairs: tuple[Array, Array], classes: int) -> Value:
    """(N, K): how many pairs each class wins, less so much that of equal ones the first is the largest."""
    lost = apply(b, "step", scale(b, scores, -1.0))  # not above 0: the second class wins
    first, second = (np.eye(classes)[part] for part in pairs)
    votes = matmul(b, lost, second - first)
    return add(b, votes, first.sum(axis=0) - np.arange(classes) / (2.0 * classes))


def _vectors(op: Op, count: int, features: int) -> Array:
    vectors = floats(op, "support_vectors")
    if vectors.size != count * features:
        raise ValueError(f"{vectors.size} numbers of {count} support vectors of {features} features")
    return vectors.reshape(count, features)


def _plain(op: Op) -> None:
    if (how := op.text("post_transform", "NONE")) != "NONE":
        raise Refused(f"post_transform {how}: NONE is accepted")
