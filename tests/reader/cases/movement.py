"""Operators that move numbers."""

from __future__ import annotations

import numpy as np

from tests.reader.cases.case import case, ints, weights, written

MASK = np.array([[True, False, True]])
SEQUENCE = "one = Constant<value=int64 {1}>() "

CASES = [
    case("Identity", (1, 3)),
    case("Dropout", (1, 3)),
    case("Reshape", (1, 2, 6), ints(0, -1, 3)),
    case("Flatten", (2, 3, 2), axis=2),
    case("Squeeze", (1, 3, 1), ints(2)),
    case("Squeeze", (1, 3, 1), opset=11, axes=[2]),
    case("Unsqueeze", (1, 3), ints(0, -1)),
    case("Transpose", (1, 2, 3), perm=[2, 0, 1]),
    case("Expand", (1, 3, 1), ints(2, 1, 2)),
    case("Tile", (1, 2, 2), ints(1, 3, 2)),
    case("Slice", (1, 4, 3), ints(-1), ints(-9223372036854775807), ints(1), ints(-2)),
    case("Slice", (1, 4, 3), opset=9, starts=[1, -2], ends=[3, 100], axes=[1, 2]),
    case("Gather", (1, 4, 2), ints(3, 0, 3, -1), axis=1),
    case("Gather", (1, 4, 2), np.array(2), axis=1),
    case("GatherElements", (2, 3), ints(0, -1, 1, 1).reshape(2, 2), axis=1),
    case("GatherND", (2, 3, 2), ints(0, 1, 1, 2).reshape(2, 2)),
    case("GatherND", (2, 3, 2), ints(2, 0).reshape(2, 1), batch_dims=1),
    case("GatherND", (2, 3), ints(-1, -2).reshape(1, 2)),
    case("ScatterND", (1, 4), ints(0, 1, 0, 3).reshape(2, 2), (2,)),
    case("ScatterND", (1, 4), ints(0, 1, 0, 3).reshape(2, 2), weights(2)),
    case("ScatterND", weights(1, 4), ints(0, 1, 0, -1).reshape(2, 2), (2,)),
    case("ScatterND", (4, 2), ints(1, 1, 3).reshape(3, 1), (3, 2), opset=18, reduction="add"),
    case("ScatterND", weights(4), ints(1, 1, 3).reshape(3, 1), (3,), opset=18, reduction="add"),
    case("ScatterND", (4,), ints(1, 1, 3).reshape(3, 1), weights(3), opset=18, reduction="add"),
    case("ScatterElements", (2, 3), ints(0, -1, 1, 0).reshape(2, 2), (2, 2), axis=1),
    case(
        "ScatterElements", (2, 3), ints(0, 0, 1, 1).reshape(2, 2), (2, 2), axis=1, opset=18, reduction="add"
    ),
    case("Scatter", (3, 2), ints(2, 0).reshape(1, 2), (1, 2), opset=9),
    case("Compress", (1, 4), np.array([False, True, True, False]), axis=1),
    case("Compress", (2, 2), np.array([True, False, True])),
    case("ReverseSequence", (4, 2), ints(3, 1)),
    case("ReverseSequence", (2, 3, 2), ints(2, 3), batch_axis=0, time_axis=1),
    case("Concat", (1, 2, 2), weights(1, 1, 2), (1, 2, 2), axis=1),
    case("Concat", (1, 2), (1, 3), axis=-1),
    case("Split", (1, 5), ints(2, 3), axis=1, outputs=2),
    case("Split", (1, 5), axis=1, outputs=2, opset=18, num_outputs=2),
    case("Split", (1, 4), axis=-1, outputs=2, opset=11, split=[1, 3]),
    case("Pad", (1, 2, 3), ints(0, 1, 2, 0, 0, 1), np.array(1.5, np.float32)),
    case("Pad", (1, 2, 3), ints(0, 0, -1, 0, 1, 2)),
    case("Pad", (1, 1, 4), ints(0, 0, 2, 0, 0, 3), mode="reflect"),
    case("Pad", (1, 1, 4), ints(0, 0, 2, 0, 1, 3), mode="edge"),
    case("Pad", (1, 1, 3), ints(0, 0, 2, 0, 0, 5), mode="wrap", opset=19),
    case("Pad", (1, 1, 4), ints(2, 1), None, ints(2), opset=18),
    case("Pad", (1, 1, 3), opset=10, pads=[0, 1, 0, 0, 0, 1]),
    case("Where", MASK, (1, 3), (1, 3)),
    case("Where", MASK, (1, 3), np.array(0.25, np.float32)),
    case("Trilu", (1, 3, 3), upper=0),
    case("Trilu", (2, 3), np.array(1)),
    case("DepthToSpace", (1, 8, 1, 2), blocksize=2),
    case("DepthToSpace", (1, 8, 1, 2), blocksize=2, mode="CRD"),
    case("SpaceToDepth", (1, 1, 4, 2), blocksize=2),
    written("EyeLike", "e = EyeLike<k=1>(x) y = MatMul(x, e)", "3,3"),
    written("EyeLike", "e = EyeLike(x) y = Add(x, e)", "2,3"),
    written("Shape", "s = Shape(x) c = ConstantOfShape(s) y = Add(x, c)", "2,3"),
    written("SplitToSequence", SEQUENCE + "s = SplitToSequence<axis=1>(x, one) y = SequenceAt(s, one)"),
    written(
        "SplitToSequence", SEQUENCE + "s = SplitToSequence<axis=1, keepdims=0>(x) y = SequenceAt(s, one)"
    ),
    written("SequenceConstruct", "a = Relu(x) s = SequenceConstruct(x, a) y = ConcatFromSequence<axis=1>(s)"),
    written(
        "SequenceInsert",
        SEQUENCE + "a = Relu(x) e = SequenceEmpty() s = SequenceInsert(e, x) t = SequenceInsert(s, a) "
        "u = SequenceInsert(t, a, one) r = SequenceErase(u, one) n = SequenceLength(r) f = Cast<to=1>(n) "
        "c = ConcatFromSequence<axis=0, new_axis=1>(r) y = Mul(c, f)",
    ),
    written(
        "OneHot",
        "i = Constant<value=int64[2] {2, 0}>() d = Constant<value=int64 {4}>() "
        "v = Constant<value=float[2] {0.5, 2}>() o = OneHot(i, d, v) y = Mul(x, o)",
    ),
    written(
        "NonZero",
        "m = Constant<value=float[1,4] {1, 0, 2, 0}>() n = NonZero(m) t = Transpose(n) y = GatherND(x, t)",
    ),
]
