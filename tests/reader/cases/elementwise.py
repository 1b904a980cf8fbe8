"""Elementwise operators of numbers and truth values."""

from __future__ import annotations

import numpy as np

from tests.reader.cases.case import Case, case, weights, written

SHAPE = (1, 3)
RANGES = {
    "Log": (0.3, 4.0),
    "Sqrt": (0.3, 4.0),
    "Reciprocal": (0.3, 4.0),
    "Acosh": (1.5, 4.0),
    "Acos": (-0.9, 0.9),
    "Asin": (-0.9, 0.9),
    "Atanh": (-0.9, 0.9),
    "Tan": (-1.2, 1.2),
}
"""Ranges within the domain; others go from -2 to 2."""
PLAIN = (
    "Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor HardSigmoid HardSwish "
    "LeakyRelu Log Neg Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt "
    "Tan Tanh ThresholdedRelu"
).split()
WITH_ATTRIBUTES = [
    case("Celu", SHAPE, alpha=0.5, low=-2.0, high=2.0),
    case("Elu", SHAPE, alpha=0.7, low=-2.0, high=2.0),
    case("HardSigmoid", SHAPE, alpha=0.4, beta=0.3, low=-2.0, high=2.0),
    case("LeakyRelu", SHAPE, alpha=0.3),
    case("Selu", SHAPE, alpha=1.2, gamma=0.8),
    case("Shrink", SHAPE, bias=0.1, lambd=0.2),
    case("ThresholdedRelu", SHAPE, alpha=0.3),
    case("Gelu", SHAPE, opset=20, low=-2.0, high=2.0),
    case("Gelu", SHAPE, opset=20, approximate="tanh", low=-2.0, high=2.0),
    case("Mish", SHAPE, opset=18, low=-2.0, high=2.0),
    case("Swish", SHAPE, opset=24, alpha=0.7, low=-2.0, high=2.0, reference=True),
    case("Clip", SHAPE, np.array(-0.3, np.float32), np.array(0.6, np.float32)),
    case("Clip", SHAPE, np.array(-0.3, np.float32)),
    case("Clip", SHAPE, opset=7, max=0.2),
    case("PRelu", SHAPE, np.array(0.2, np.float32)),
    case("PRelu", SHAPE, weights(3)),
    case("PRelu", SHAPE, SHAPE),
    case("Elu", SHAPE, alpha=-0.7, low=-2.0, high=2.0),
    case("Elu", SHAPE, alpha=0.0, low=-2.0, high=2.0),
    case("Celu", SHAPE, alpha=-1.5, low=-2.0, high=2.0),
    case("Selu", SHAPE, alpha=-0.7, gamma=-1.2, low=-2.0, high=2.0),
    case("Selu", SHAPE, alpha=0.5, gamma=-0.5, low=-2.0, high=2.0),
    case("HardSigmoid", SHAPE, alpha=0.0, beta=0.3),
    case("Shrink", SHAPE, lambd=-0.5, bias=0.75),
    case("Mod", SHAPE, np.array(0.7, np.float32), fmod=1),
    case("Pow", SHAPE, np.array(3, np.float32)),
    case("Pow", SHAPE, np.array(0.5, np.float32), low=0.2, high=3.0),
    case("Pow", SHAPE, np.array([2, 3, -1], np.float32), low=0.5, high=2.0),
    case("Pow", (2, 1), np.array([2, 0, 1], np.float32)),
    case("Pow", SHAPE, SHAPE, low=0.5, high=2.0),
    case("Pow", np.array([2, 0.5, 1], np.float32), SHAPE),
]
TWO = [
    *(case(kind, SHAPE, SHAPE) for kind in ("Add", "Sub", "Mul", "Max", "Min")),
    *(case(kind, (1, 2, 1), (1, 3)) for kind in ("Add", "Sub", "Mul", "Max", "Min")),
    *(case(kind, SHAPE, weights(3)) for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min")),
    case("Div", SHAPE, (1, 1), low=0.5, high=2.0),
    case("Div", weights(3), SHAPE, low=0.5, high=2.0),
    case("Sum", SHAPE, (1, 1), weights(3)),
    case("Mean", SHAPE, SHAPE, (1, 1)),
    case("Max", SHAPE, SHAPE, SHAPE),
]


def truths() -> list[Case]:
    """Comparisons and logic, made numbers in the end."""
    mixed = "w = Constant<value=float[2,2] {0.5, -1, 0.8, 0.3}>() m = MatMul(x, w) "
    pair = f"{mixed} h = Constant<value=float {{0.3}}>() a = Less(x, m) b = Greater(m, h) "
    found = [written("Where", f"{mixed} c = Less(m, x) y = Where(c, m, x)", "1,2")]
    for kind in ("Greater", "Less", "GreaterOrEqual", "LessOrEqual"):
        found.append(written(kind, f"{mixed} c = {kind}(x, m) y = Cast<to=1>(c)", "1,2"))
    for kind in ("And", "Or", "Xor", "Equal"):
        found.append(written(kind, f"{pair} c = {kind}(a, b) y = Cast<to=1>(c)", "1,2"))
    whole = "i = Cast<to=6>(c) f = Cast<to=1>(i) y = Mul(f, x)"
    found += [
        written("Equal", f"{mixed} c = Equal(x, m) y = Cast<to=1>(c)", "1,2"),
        written("Not", f"{pair} c = Not(a) y = Cast<to=1>(c)", "1,2"),
        written("Cast", f"{pair} c = Cast<to=7>(a) {whole}", "1,2"),
        written("Cast", "a = ArgMax<axis=1>(x) i = Cast<to=6>(a) f = Cast<to=11>(i) y = Cast<to=1>(f)"),
        written("CastLike", f"{pair} c = CastLike(a, x) y = Mul(c, x)", "1,2"),
    ]
    return found


def plain() -> list[Case]:
    """Operators of one argument without attributes."""
    found = []
    for kind in PLAIN:
        low, high = RANGES.get(kind, (-2.0, 2.0))
        found.append(case(kind, SHAPE, low=low, high=high))
    return found


CASES = [*plain(), *WITH_ATTRIBUTES, *TWO, *truths()]
