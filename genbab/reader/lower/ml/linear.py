"""Linear models, and what scikit-learn does to features before them."""

from __future__ import annotations

import math

import numpy as np

from genbab.reader.lower.algebra.linear import matmul
from genbab.reader.lower.layers.pooling import powers, root
from genbab.reader.lower.ml.scores import (
    Made,
    floats,
    label_of_largest,
    label_of_sign,
    labels_of,
    rows_of,
    transformed,
    with_complement,
)
from genbab.reader.lower.moving.joining import concatenated
from genbab.reader.lower.numbers.comparison import equal
from genbab.reader.lower.numbers.maxima import tree_max
from genbab.reader.lower.numbers.reductions import reduce_sum
from genbab.reader.lower.table import ml_lowering
from genbab.reader.tensors import elements
from genbab.reader.tensors.arithmetic import add, apply, combine, divide, multiply, scale, subtract
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Array, Op, Refused, Value, Var, needed


@ml_lowering("Scaler", how="affine: (x - offset) · scale")
def _scaler(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    x = rows_of(b, inputs)
    offset, factor = (_per_feature(op, name, x.shape[1]) for name in ("offset", "scale"))
    return scale(b, subtract(b, x, offset), factor)


def _per_feature(op: Op, name: str, count: int) -> Array:
    values = floats(op, name)
    if values.size not in (1, count):
        raise ValueError(f"{values.size} numbers of {name} for {count} features")
    return values


@ml_lowering("Normalizer", how="x over the sum of |x|, the root of the sum of squares, or the maximum")
def _normalizer(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """Where the divisor is 0, onnxruntime leaves x as it is; here it is undefined, and nothing is claimed."""
    x, how = rows_of(b, inputs), op.text("norm", "MAX")
    if how == "L1" and x.node in b.shares:  # they are not below 0 and add up to 1
        return x
    if how == "L1":
        return divide(b, x, reduce_sum(b, powers(b, x, 1), [1]))
    if how == "L2":
        return multiply(b, x, root(b, reduce_sum(b, powers(b, x, 2), [1]), 2, -1.0))
    if how == "MAX":
        rows = np.arange(x.size).reshape(x.shape)
        return divide(b, x, tree_max(b, x, rows, (x.shape[0], 1)))
    raise Refused(f"norm {how}: MAX, L1 and L2 are accepted")


@ml_lowering("Binarizer", how="a step of x - threshold")
def _binarizer(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """1 where x > threshold, else 0."""
    x = needed(inputs, 0)
    if not isinstance(x, Var) or x.whole:
        raise Refused("integers")
    below = apply(b, "step", combine(b, [(np.array(op.number("threshold", 0.0)), 1.0), (x, -1.0)]))
    return combine(b, [(np.ones(()), 1.0), (below, -1.0)])


@ml_lowering("Imputer", how="its input, but at the number that it replaces")
def _imputer(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """The other number where x is the one that is replaced; NaN and infinity are no real numbers."""
    x = needed(inputs, 0)
    if not isinstance(x, Var) or x.element not in elements.DIGITS:
        raise Refused("integers")
    replaced = float(op.attributes.get("replaced_value_float", 0.0))
    if not math.isfinite(replaced):
        return x
    wanted = _per_feature(op, "imputed_value_floats", x.shape[-1])
    if not np.isfinite(wanted).all():
        raise Refused("imputed values that are not finite")
    same = equal(b, x, np.array(replaced))
    assert isinstance(same, Var)
    return add(b, x, multiply(b, Var(same.node, same.shape), subtract(b, wanted, x)))


@ml_lowering("FeatureVectorizer", how="affine: numbers are moved")
def _feature_vectorizer(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    parts = [rows_of(b, inputs, i) for i in range(len(inputs))]
    if [part.shape[1] for part in parts] != op.integers("inputdimensions"):
        raise Refused("inputs of other numbers of features than inputdimensions says")
    return concatenated(b, parts, 1)


@ml_lowering("LinearRegressor", how="affine")
def _linear_regressor(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    if (how := op.text("post_transform", "NONE")) != "NONE":
        raise Refused(f"post_transform {how}: NONE is accepted")
    return _scores(b, op, rows_of(b, inputs), op.integer("targets", 1))


@ml_lowering("LinearClassifier", how="affine, then softmax or logistic; the label as of ArgMax")
def _linear_classifier(b: Builder, op: Op, inputs: list[Value | None]) -> Made:
    """One row of coefficients is a score of the second of two classes."""
    x, labels = rows_of(b, inputs), labels_of(op)
    count = max(floats(op, "intercepts").size, floats(op, "coefficients").size // max(x.shape[1], 1))
    scores = _scores(b, op, x, count)
    if count == 1:
        logistic = op.text("post_transform", "NONE") == "LOGISTIC"
        if not logistic and op.text("post_transform", "NONE") == "PROBIT":
            raise Refused("post_transform PROBIT: NONE, LOGISTIC and SOFTMAX are accepted")
        return [label_of_sign(b, scores, labels), with_complement(b, scores, logistic)]
    label = label_of_largest(b, scores, labels)
    if _two_of_opposite_sign(op, x.shape[1]):
        one = b.gather(scores, np.arange(scores.size).reshape(scores.shape)[:, 1:])
        assert isinstance(one, Var)
        return [label, with_complement(b, one, True)]
    return [label, transformed(b, op, scores)]


def _two_of_opposite_sign(op: Op, features: int) -> bool:
    """Whether there are the logistic functions of a score and of its negative, which add up to 1."""
    weights, intercepts = floats(op, "coefficients"), floats(op, "intercepts")
    if (
        op.text("post_transform", "NONE") != "LOGISTIC"
        or weights.size != 2 * features
        or intercepts.size != 2
    ):
        return False
    return bool((weights[:features] == -weights[features:]).all() and intercepts[0] == -intercepts[1])


def _scores(b: Builder, op: Op, x: Var, count: int) -> Var:
    """(N, count): x times the coefficients, whose rows are those of the results, and the intercepts."""
    weights, intercepts = floats(op, "coefficients"), floats(op, "intercepts")
    if weights.size != count * x.shape[1] or intercepts.size not in (0, count):
        raise ValueError(
            f"{weights.size} coefficients and {intercepts.size} intercepts for {count} results of "
            f"{x.shape[1]} features"
        )
    made = matmul(b, x, weights.reshape(count, x.shape[1]).T)
    made = add(b, made, intercepts) if intercepts.size else made
    assert isinstance(made, Var)
    return made
