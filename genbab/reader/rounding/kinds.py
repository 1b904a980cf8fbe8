"""Kinds of operators, by what a program rounds in them."""

from __future__ import annotations

EXACT = frozenset(
    "Relu Neg Abs Max Min Clip Identity Greater GreaterOrEqual Less LessOrEqual Equal Not And Or Xor Where "
    "Floor Ceil Round Sign MaxPool GlobalMaxPool ReduceMax ReduceMin ArgMax ArgMin Hardmax OneHot "
    "ThresholdedRelu EyeLike Shape Size Constant Dropout Mod IsNaN IsInf TopK MaxUnpool".split()
)
"""Operators whose results are among the numbers that go in, or known functions of them without a rounding."""

CASTS = frozenset({"Cast", "CastLike"})
"""Operators that round where their type does not hold the numbers."""

ONCE = frozenset("Add Sub Mul Div LeakyRelu PRelu Shrink".split())
"""Operators that round once: the exact result, to the nearest number."""

MOVING = {
    "ScatterND": ("reduction", "none"),
    "ScatterElements": ("reduction", "none"),
    "Scatter": ("reduction", "none"),
    "Resize": ("mode", "nearest"),
    "Upsample": ("mode", "nearest"),
}
"""Operators that only move numbers where an attribute (its default) says so."""

SUMS = {
    "MatMul": 0,
    "Gemm": 0,
    "Conv": 0,
    "ConvTranspose": 0,
    "ReduceSum": 0,
    "ReduceMean": 2,
    "AveragePool": 2,
    "GlobalAveragePool": 2,
    "Einsum": 0,
    "Sum": 0,
    "Mean": 2,
    "CumSum": 0,
    "Col2Im": 0,
    "ReduceSumSquare": 0,
}
"""Sums of products in any order, with so many roundings more of each term: the division of a mean, say."""

STEPS = frozenset(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceProd Swish LpNormalization RotaryEmbedding LRN LpPool "
    "GlobalLpPool".split()
)
"""Operators that are computed step by step as they are written out here."""

RECURRENT = frozenset({"RNN", "LSTM", "GRU"})
"""Operators whose gates are sums of products of inputs and of states, with functions of their own."""

QUANTISED = frozenset(
    "QuantizeLinear DequantizeLinear QLinearMatMul QLinearConv MatMulInteger ConvInteger".split()
)
"""Operators between floats and integers; sums of integers are exact, and charged for as if they were not."""

KEEPING = frozenset("relu abs clip at_least at_most".split())
"""Functions that choose between numbers."""

COMPLEMENTS = frozenset({"GRU", "LSTM"})
"""Operators with gates 1 - sigmoid(z), here sigmoid(-z): its errors are those of sigmoid(z), not relative."""

POWER = 4
"""Units of roundoff that a power inside of an operator (a root, a reciprocal of it) is computed to within."""

CHARGED = frozenset(SUMS) | STEPS | RECURRENT | {"Add", "Sub", "Mul", "Div", "BatchNormalization"}
"""Operators that are charged for constants below the normal numbers."""
