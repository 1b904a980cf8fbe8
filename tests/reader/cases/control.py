"""Control flow with constant control, and entries of minus infinity."""

from __future__ import annotations

from tests.reader.cases.case import written

LOOP = (
    "n = Constant<value=int64 {3}>() c = Constant<value=bool {1}>() "
    "e, y = Loop<body = g (int64 i, bool go, float[1,2] s) => (bool on, float[1,2] t, float[1,2] u) "
    "{ w = Constant<value=float[2,2] {0.5, -1, 1, 0.3}>() on = Identity(go) "
    " f = Cast<to=1>(i) m = Mul(s, f) t = MatMul(m, w) u = Tanh(t) }>(n, c, x)"
)
STOPS = (
    "n = Constant<value=int64 {9}>() c = Constant<value=bool {1}>() "
    "y = Loop<body = g (int64 i, bool go, float[1,2] s) => (bool on, float[1,2] t) "
    "{ two = Constant<value=int64 {2}>() on = Less(i, two) "
    " w = Constant<value=float[2,2] {0.5, -1, 1, 0.3}>() r = Sin(s) t = MatMul(r, w) }>(n, c, x)"
)
SCAN = (
    "z = Constant<value=float[2] {0, 1}>() "
    "e, y = Scan<num_scan_inputs=1, scan_input_directions=[1], scan_output_axes=[1], "
    "body = g (float[2] s, float[2] v) => (float[2] t, float[2] u) "
    "{ a = Add(s, v) t = Relu(a) u = Mul(t, v) }>(z, x)"
)
BRANCH = (
    "c = Constant<value=bool {0}>() y = If<then_branch = g1 () => (float[1,4] a) { a = Relu(x) }, "
    "else_branch = g2 () => (float[1,4] d) { d = Sin(x) }>(c)"
)
CAUSAL = "o = Constant<value=float[3,3] {1, 0, 0, 1, 1, 0, 1, 1, 1}>() m = Log(o) a = Add(x, m) "
BY_HAND = "g = ReduceMax<axes=[1]>(a) d = Sub(a, g) e = Exp(d) s = ReduceSum<axes=[1]>(e) y = Div(e, s)"
WHERE = (
    "c = Constant<value=bool[1,4] {1, 0, 0, 1}>() o = Constant<value=float {0}>() m = Log(o) "
    "h = Constant<value=float {2}>() w = Where(c, x, m) a = Div(w, h) "
)
PADDED = (
    "p = Constant<value=int64[6] {0, 0, 1, 0, 0, 2}>() o = Constant<value=float {0}>() m = Log(o) "
    "w = Pad(x, p, m) y = MaxPool<kernel_shape=[3], strides=[2]>(w)"
)

CASES = [
    written("If", BRANCH),
    written("Loop", LOOP, "1,2"),
    written("Loop", STOPS, "1,2"),
    written("Scan", SCAN, "3,2"),
    written("Softmax", CAUSAL + "y = Softmax(a)", "3,3"),
    written("Softmax", CAUSAL + BY_HAND, "3,3", opset=11),
    written("Softmax", WHERE + "r = Transpose(a) y = Softmax<axis=0>(r)"),
    written("LogSoftmax", CAUSAL + "s = LogSoftmax(a) y = Exp(s)", "3,3"),
    written("MaxPool", PADDED, "1,1,4"),
]
