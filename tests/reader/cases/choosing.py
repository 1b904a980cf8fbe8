"""Operators that choose entries by their size, or by places that depend on the input; what sums by tables."""

from __future__ import annotations

import numpy as np

from tests.reader.cases.case import case, ints, weights, written

PLACES = "k = Constant<value=float {1.9}>() s = Mul(x, k) i = Cast<to=7>(s) "  # -1, 0 or 1
TABLE = "c = Constant<value=float[4,2] {1, 2, -3, 4, 5, -6, 7, 1}>() "
DIVISORS = np.array([0.7, -0.3, 2.0], np.float32)

CASES = [
    written("TopK", "k = Constant<value=int64[1] {3}>() y, i = TopK(x, k)", "2,5"),
    written("TopK", "k = Constant<value=int64[1] {2}>() y, i = TopK<axis=0, largest=0>(x, k)", "4,2"),
    written(
        "TopK", "k = Constant<value=int64[1] {2}>() v, i = TopK<largest=0>(x, k) y = Cast<to=1>(i)", "2,4"
    ),
    written(
        "TopK",
        "k = Constant<value=int64[1] {2}>() v, i = TopK(x, k) z = Sub(x, x) "
        "y = ScatterElements<axis=1>(z, i, v)",
        "1,5",
    ),
    written("Gather", TABLE + "a = ArgMax<axis=1, keepdims=0>(x) y = Gather(c, a)"),
    written("Gather", TABLE + PLACES + "y = Gather(c, i)"),
    written("Gather", "a = ArgMin<axis=1>(x) y = Gather<axis=1>(x, a)", "1,3"),
    written("GatherElements", "a = ArgMax<axis=1>(x) y = GatherElements<axis=1>(x, a)", "2,3"),
    written("GatherElements", PLACES + "y = GatherElements<axis=0>(x, i)", "2,3"),
    written("GatherND", PLACES + "y = GatherND(x, i)", "2,2"),
    written("GatherND", TABLE + PLACES + "y = GatherND(c, i)", "2,1"),
    written(
        "ScatterElements", PLACES + 'y = ScatterElements<axis=1, reduction="add">(x, i, x)', "2,3", opset=18
    ),
    *(
        case(
            "ScatterElements", (2, 3), ints(0, 0, 2, 1).reshape(2, 2), (2, 2), axis=1, opset=18, reduction=how
        )
        for how in ("mul", "max", "min")
    ),
    *(
        case("ScatterND", (3, 2), ints(1, 1, 2).reshape(3, 1), (3, 2), opset=18, reduction=how)
        for how in ("mul", "max", "min")
    ),
    case("ScatterND", weights(4), ints(1, 1, 3).reshape(3, 1), (3,), opset=18, reduction="max"),
    case("TensorScatter", (2, 1, 4, 2), (2, 1, 2, 2), ints(1, 0), opset=24),
    case("TensorScatter", (2, 4, 2), (2, 2, 2), ints(3, 0), opset=24, mode="circular"),
    case("CumProd", (2, 3), np.array(1), opset=26),
    case("CumProd", (2, 3), np.array(0), opset=26, exclusive=1, reverse=1),
    case("Mod", (2, 3), DIVISORS, fmod=1),
    case("Mod", (2, 3), (2, 3), fmod=1, low=0.3),
    written(
        "Mod",
        "k = Constant<value=float {9}>() s = Mul(x, k) i = Cast<to=7>(s) "
        "m = Constant<value=int64[4] {3, -3, 5, 1}>() j = Mod(i, m) y = Cast<to=1>(j)",
    ),
    case("Det", (2, 2, 2)),
    case("Det", (3, 3)),
    case("DFT", (1, 5, 1)),
    case("DFT", (2, 4, 2), None, np.array(1), opset=20, inverse=1),
    case("DFT", (1, 4, 1), np.array(6), np.array(1), opset=20, onesided=1),
    case("DFT", (1, 4, 2), np.array(6), np.array(1), opset=20, onesided=1, inverse=1),
    case("STFT", (1, 8, 1), np.array(2), weights(4)),
    case("STFT", (1, 6, 1), np.array(1), None, np.array(3), onesided=0),
    case("AffineGrid", (1, 2, 3), ints(1, 1, 2, 3), opset=20),
    case("AffineGrid", (1, 3, 4), ints(1, 1, 2, 3, 2), opset=20, align_corners=1),
    case("NegativeLogLikelihoodLoss", (3, 4), ints(0, 3, 2), opset=13),
    case(
        "NegativeLogLikelihoodLoss",
        (2, 3, 2),
        ints(0, 2, 1, 1).reshape(2, 2),
        weights(3) ** 2,
        opset=13,
        ignore_index=1,
    ),
    case("NegativeLogLikelihoodLoss", (3, 4), ints(0, 3, 2), opset=13, reduction="none"),
    case("SoftmaxCrossEntropyLoss", (3, 4), ints(0, 3, 2), opset=13, reduction="sum"),
    case("SoftmaxCrossEntropyLoss", (2, 3, 2), ints(0, 2, 1, -1).reshape(2, 2), opset=13, ignore_index=-1),
    written(
        "MaxPool", "v, i = MaxPool<kernel_shape=[2, 2], pads=[0, 1, 0, 0]>(x) y = Cast<to=1>(i)", "1,1,2,3"
    ),
    case(
        "MaxUnpool", (1, 1, 2, 2), ints(0, 3, 8, 14).reshape(1, 1, 2, 2), kernel_shape=[2, 2], strides=[2, 2]
    ),
    written(
        "BatchNormalization",
        "g = Constant<value=float[2] {1.2, -0.7}>() c = Constant<value=float[2] {0.3, 0.1}>() "
        "m = Constant<value=float[2] {0.0, 0.5}>() v = Constant<value=float[2] {1.0, 2.0}>() "
        "y, a, d = BatchNormalization<training_mode=1>(x, g, c, m, v)",
        "3,2,2",
        opset=15,
    ),
    written("IsNaN", "a = IsNaN(x) f = Cast<to=1>(a) y = Add(x, f)"),
    written("IsInf", "a = IsInf<detect_negative=0>(x) f = Cast<to=1>(a) y = Add(x, f)"),
    written("Dropout", "w, m = Dropout(x) f = Cast<to=1>(m) y = Mul(w, f)"),
    written(
        "Optional",
        "o = Optional(x) h = OptionalHasElement(o) f = Cast<to=1>(h) e = OptionalGetElement(o) y = Mul(e, f)",
        opset=18,
    ),
    case("Pow", (2, 3), np.array([3.0, 0.5, -2.0], np.float32), low=0.2, high=2.0),
    case("Pow", (2, 3), np.array([[1.0], [2.0]], np.float32)),
]
