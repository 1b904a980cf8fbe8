"""Quantised numbers."""

from __future__ import annotations

from tests.reader.cases.case import written

STEP = "s = Constant<value=float {0.3}>() z = Constant<value=uint8 {3}>() "
PER_AXIS = (
    "s = Constant<value=float[2] {0.3, 0.2}>() z = Constant<value=int8[2] {3, -100}>() "
    "q = QuantizeLinear<axis=1>(x, s, z) y = DequantizeLinear<axis=1>(q, s, z)"
)
WEIGHT = "w = Constant<value=int8[2,3] {1, -2, 3, 4, 0, -6}>() v = Constant<value=int8 {1}>() "
KERNEL = "w = Constant<value=uint8[1,1,2] {1, 4}>() v = Constant<value=uint8 {2}>() "
OUT = "t = Constant<value=float {0.05}>() u = Constant<value=float {0.3}>() o = Constant<value=uint8 {3}>() "
QUANTISED = "q = QuantizeLinear(x, s, z) "

CASES = [
    written("QuantizeLinear", STEP + QUANTISED + "y = DequantizeLinear(q, s, z)"),
    written("QuantizeLinear", STEP + "q = QuantizeLinear(x, s) y = DequantizeLinear(q, s)", high=90.0),
    written("DequantizeLinear", PER_AXIS, "1,2,2"),
    written(
        "DequantizeLinear",
        "w = Constant<value=int8[4] {1, -2, 3, 4}>() s = Constant<value=float {0.3}>() "
        "d = DequantizeLinear(w, s) y = Mul(x, d)",
    ),
    written(
        "DynamicQuantizeLinear",
        "q, s, z = DynamicQuantizeLinear(x) y = DequantizeLinear(q, s, z)",
        "1,3",
        low=0.5,
    ),
    written(
        "MatMulInteger",
        STEP + WEIGHT + QUANTISED + "i = MatMulInteger(q, w, z, v) f = Cast<to=1>(i) y = Mul(f, s)",
        "1,2",
    ),
    written(
        "ConvInteger",
        STEP + KERNEL + QUANTISED + "i = ConvInteger<pads=[1,0]>(q, w, z, v) y = Cast<to=1>(i)",
        "1,1,3",
    ),
    written(
        "QLinearMatMul",
        STEP + WEIGHT + OUT + QUANTISED
        + "p = QLinearMatMul(q, s, z, w, t, v, u, o) y = DequantizeLinear(p, u, o)",
        "1,2",
    ),
    written(
        "QLinearConv",
        STEP + KERNEL + OUT
        + "b = Constant<value=int32[1] {50}>() " + QUANTISED
        + "p = QLinearConv<pads=[1,1]>(q, s, z, w, t, v, u, o, b) y = DequantizeLinear(p, u, o)",
        "1,1,3",
    ),
]  # fmt: skip
