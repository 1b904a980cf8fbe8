"""Every operator that is read means what onnxruntime computes, and its bounds hold."""

from __future__ import annotations

import zlib
from fractions import Fraction
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from genbab.check.failures import Unusable
from genbab.check.model.program import Fixed, Wire
from genbab.check.model.reading import KNOWN, read
from genbab.check.model.values import evaluate
from genbab.check.passes.backward import bounded
from tests.check.files import model

Arrays = dict[str, np.ndarray[Any, Any]]


def floats(*shape: int, seed: int = 0, shift: float = 0.0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32) + np.float32(shift)


def integers(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=np.int64)


def one(value: float) -> np.ndarray[Any, Any]:
    return np.array(value, dtype=np.float32)


def node(op: str, *inputs: str, out: str = "y", **attributes: Any) -> Any:
    return helper.make_node(op, inputs or ("x",), [out], **attributes)


UNARY = """
    Relu LeakyRelu Sigmoid Tanh Exp Sin Cos Atan Erf Softplus Elu Selu Celu Softsign HardSigmoid
    HardSwish Abs Gelu Mish Neg Identity Dropout Flatten Sign Floor Ceil Round Transpose Softmax
    ReduceSum ReduceMax ReduceMin ReduceMean Tan Sinh Cosh Asinh Shrink ThresholdedRelu LogSoftmax
    LpNormalization ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp ReduceProd Mean
""".split()
ABOVE_0 = ["Log", "Sqrt", "Reciprocal", "Acosh", "ReduceLogSum"]
WITHIN_1 = ["Asin", "Acos", "Atanh"]
S = (1, 2, 3)
IMAGE = (1, 2, 6, 6)
CASES: dict[str, tuple[list[Any], Arrays, tuple[int, ...]]] = {
    **{op: ([node(op)], {}, S) for op in UNARY},
    **{op: ([node("Add", "x", "c", out="t"), node(op, "t")], {"c": floats(1, shift=5)}, S) for op in ABOVE_0},
    **{op: ([node("Mul", "x", "c", out="t"), node(op, "t")], {"c": one(0.25)}, S) for op in WITHIN_1},
    "GeluTanh": ([node("Gelu", approximate="tanh")], {}, S),
    "PRelu": ([node("PRelu", "x", "c")], {"c": floats(3)}, S),
    "Clip": ([node("Clip", "x", "a", "b")], {"a": one(-0.3), "b": one(0.6)}, S),
    "ShrinkFar": ([node("Shrink", lambd=1.1, bias=0.3)], {}, S),
    "Pow3": ([node("Pow", "x", "c")], {"c": one(3)}, S),
    "Pow2": ([node("Pow", "x", "c")], {"c": one(2)}, S),
    "Add": ([node("Add", "x", "c")], {"c": floats(2, 1)}, S),
    "Sub": ([node("Sub", "c", "x")], {"c": floats(2, 1)}, S),
    "Mul": ([node("Mul", "x", "c")], {"c": floats(2, 1)}, S),
    "Div": ([node("Div", "x", "c")], {"c": floats(3)}, S),
    "Square": ([node("Mul", "x", "x")], {}, S),
    "Product": ([node("Sin", out="t"), node("Mul", "x", "t")], {}, S),
    "Quotient": ([node("Exp", out="t"), node("Div", "x", "t")], {}, S),
    "Sum": ([node("Sum", "x", "c", "x")], {"c": floats(3)}, S),
    "Max": ([node("Max", "x", "c")], {"c": floats(3)}, S),
    "Min": ([node("Sin", out="t"), node("Min", "x", "t")], {}, S),
    "Where": ([node("Where", "m", "x", "c")], {"m": np.array([True, False, True]), "c": floats(3)}, S),
    **{
        op: ([node(op, "x", "c", out="t"), node("Cast", "t", to=1)], {"c": floats(3)}, S)
        for op in ("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal")
    },
    **{
        op: (
            [
                node("Greater", "x", "c", out="p"),
                node("Less", "x", "d", out="q"),
                node(op, "p", "q", out="t"),
                node("Not", "t", out="n"),
                node("Where", "n", "x", "c"),
            ],
            {"c": floats(3), "d": floats(3, seed=1)},
            S,
        )
        for op in ("And", "Or", "Xor")
    },
    "MatMulRight": ([node("MatMul", "x", "c")], {"c": floats(3, 4)}, S),
    "MatMulLeft": ([node("MatMul", "c", "x")], {"c": floats(4, 2)}, S),
    "MatMulBatch": ([node("MatMul", "x", "c")], {"c": floats(5, 3, 2)}, S),
    "MatMulTwo": (
        [node("Transpose", out="t", perm=[0, 2, 1]), node("MatMul", "x", "t")],
        {},
        S,
    ),
    "MatMulVector": ([node("MatMul", "x", "c")], {"c": floats(3)}, S),
    "Gemm": (
        [node("Gemm", "x", "w", "b", transA=1, transB=1, alpha=0.3, beta=0.7)],
        {"w": floats(4, 2), "b": floats(4)},
        (2, 3),
    ),
    "Conv": (
        [node("Conv", "x", "w", "b", group=2, strides=[2, 1], pads=[1, 0, 0, 2], dilations=[1, 2])],
        {"w": floats(4, 1, 3, 2), "b": floats(4)},
        IMAGE,
    ),
    "ConvSame": (
        [node("Conv", "x", "w", auto_pad="SAME_UPPER", strides=[2, 2])],
        {"w": floats(3, 2, 3, 3)},
        IMAGE,
    ),
    "Conv1": ([node("Conv", "x", "w")], {"w": floats(3, 2, 2)}, (1, 2, 5)),
    "ConvTranspose": (
        [node("ConvTranspose", "x", "w", "b", strides=[2, 2], pads=[1, 0, 0, 1], output_padding=[1, 0])],
        {"w": floats(2, 3, 3, 2), "b": floats(3)},
        (1, 2, 3, 3),
    ),
    "BatchNormalization": (
        [node("BatchNormalization", "x", "a", "b", "m", "v")],
        {"a": floats(2), "b": floats(2), "m": floats(2), "v": np.abs(floats(2)) + np.float32(0.1)},
        IMAGE,
    ),
    "LayerNormalization": (
        [node("LayerNormalization", "x", "a", "b", axis=1)],
        {"a": floats(2, 3), "b": floats(2, 3)},
        S,
    ),
    "RMSNormalization": ([node("RMSNormalization", "x", "a", epsilon=0.01)], {"a": floats(3)}, S),
    "InstanceNormalization": (
        [node("InstanceNormalization", "x", "a", "b")],
        {"a": floats(2), "b": floats(2)},
        (1, 2, 3),
    ),
    "GroupNormalization": (
        [node("GroupNormalization", "x", "a", "b", num_groups=2)],
        {"a": floats(2), "b": floats(2)},
        (1, 4, 3),
    ),
    "GroupNormalization21": (
        [node("GroupNormalization", "x", "a", "b", num_groups=2)],
        {"a": floats(4), "b": floats(4)},
        (1, 4, 3),
    ),
    "LRN": ([node("LRN", size=3, alpha=0.5, bias=2.0)], {}, (1, 5, 1, 2)),
    "MeanOfTwo": ([node("Mean", "x", "c")], {"c": floats(3)}, S),
    "ReduceProdAxis": ([node("ReduceProd", "x", "a", keepdims=0)], {"a": integers(1)}, (1, 5, 2)),
    "LpNormalization1": ([node("LpNormalization", p=1, axis=1)], {}, S),
    "MaxPool": ([node("MaxPool", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0])], {}, IMAGE),
    "AveragePool": ([node("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])], {}, IMAGE),
    "AveragePoolWhole": (
        [node("AveragePool", kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)],
        {},
        IMAGE,
    ),
    "GlobalAveragePool": ([node("GlobalAveragePool")], {}, IMAGE),
    "GlobalMaxPool": ([node("GlobalMaxPool")], {}, (1, 2, 3, 3)),
    "Reshape": ([node("Reshape", "x", "s")], {"s": integers(3, -1)}, S),
    "Slice": (
        [node("Slice", "x", "a", "e", "i", "s")],
        {"a": integers(-1, 0), "e": integers(-100, 2**63 - 1), "i": integers(2, 1), "s": integers(-1, 1)},
        S,
    ),
    "Gather": ([node("Gather", "x", "i", axis=2)], {"i": np.array([[0, -1], [2, 2]])}, S),
    "Split": (
        [helper.make_node("Split", ["x", "s"], ["a", "b"], axis=2), node("Concat", "b", "c", "a", axis=2)],
        {"s": integers(1, 2), "c": floats(1, 2, 2)},
        S,
    ),
    "Squeeze": ([node("Squeeze", "x", "a")], {"a": integers(0)}, S),
    "Unsqueeze": ([node("Unsqueeze", "x", "a")], {"a": integers(0, -1)}, S),
    "Expand": ([node("Expand", "x", "s")], {"s": integers(2, 1, 3)}, S),
    "Tile": ([node("Tile", "x", "r")], {"r": integers(1, 2, 2)}, S),
    "Pad": ([node("Pad", "x", "p")], {"p": integers(0, 1, 0, 0, 0, 2)}, S),
    "Cast": ([node("Cast", to=1)], {}, S),
    "SoftmaxAxis": ([node("Softmax", axis=1)], {}, S),
    "ReduceAxes": ([node("ReduceMean", "x", "a", keepdims=0)], {"a": integers(-1)}, S),
    "Folded": (
        [
            node("Shape", out="s"),
            node("ConstantOfShape", "s", out="o"),
            node("Exp", "o", out="e"),
            node("Sqrt", "c", out="r"),
            node("Div", "e", "r", out="q"),
            node("Mul", "x", "q"),
        ],
        {"c": np.array([3, 5, 7], dtype=np.float32)},
        S,
    ),
}


OPSETS = {"RMSNormalization": 23, "GroupNormalization21": 21}  # others: 20


def exact_input(shape: tuple[int, ...], seed: int) -> np.ndarray[Any, Any]:
    """Inputs that float32 has exactly, none of them close to a jump."""
    return (np.random.default_rng(seed).integers(-60, 60, shape) / 32 + 1 / 128).astype(np.float32)


@pytest.mark.parametrize("name", sorted(CASES))
def test_values_and_bounds_contain_what_is_computed(name: str) -> None:
    nodes, constants, shape = CASES[name]
    data = model(nodes, constants, shape, opset=OPSETS.get(name, 20))
    program = read(data)
    out = program.tensors["y"]
    assert isinstance(out, Wire)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    middle = exact_input(shape, zlib.crc32(name.encode()))
    size = program.size(out.step)
    rows = np.concatenate([np.eye(size), -np.eye(size)])[:: max(1, size // 20)]
    for width in (0.0, 0.01, 0.5):
        low, high = (middle.ravel()[None] + side * width for side in (-1.0, 1.0))
        values = evaluate(program, (low.astype(np.float64), high.astype(np.float64)))
        below, above = (end[0] for end in values.ranges[out.step])
        bounds = bounded(program, values, out.step, rows)[0]
        for seed in range(5):
            share = np.random.default_rng(seed).random(shape)
            x = (low.reshape(shape) * share + high.reshape(shape) * (1 - share)).astype(np.float32)
            x = np.clip(x, low.reshape(shape), high.reshape(shape)).astype(np.float32)
            y = np.asarray(session.run(None, {"x": x})[0])
            assert y.shape == out.shape
            room = 3e-5 * (1 + np.abs(y).max())
            assert (below - room <= y.ravel()).all() and (y.ravel() <= above + room).all()
            assert (bounds <= rows @ y.ravel() + room).all()
        if not width:
            assert (above - below).max() <= 1e-9 * (1 + np.abs(y).max())


@pytest.mark.parametrize("op", ["Greater", "GreaterOrEqual", "Equal", "ThresholdedRelu", "Shrink"])
def test_jumps_are_taken_at_their_places(op: str) -> None:
    """At the number itself, and at the numbers next to it."""
    limit = np.float32(0.75)
    nodes = [node(op, "x", "c", out="t"), node("Cast", "t", to=1)]
    if op in ("ThresholdedRelu", "Shrink"):
        nodes = [node(op, alpha=0.75) if op == "ThresholdedRelu" else node(op, lambd=0.75)]
    data = model(nodes, {"c": np.array(limit)} if len(nodes) > 1 else {}, (1,))
    program = read(data)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    out = program.tensors["y"]
    assert isinstance(out, Wire)
    for x in (limit, np.nextafter(limit, np.float32(0)), np.nextafter(limit, np.float32(1)), -limit):
        y = np.asarray(session.run(None, {"x": np.array([x])})[0])
        box = np.array([[np.float64(x)]])
        low, high = evaluate(program, (box, box)).ranges[out.step]
        assert low[0, 0] - 1e-12 <= y[0] <= high[0, 0] + 1e-12
        assert abs(x) == limit or high[0, 0] - low[0, 0] < 1e-9


def test_every_operator_has_a_case() -> None:
    used = {proto.op_type for nodes, _, _ in CASES.values() for proto in nodes}
    by_numbers = {"Range", "Constant", "Swish", "Pow"}
    assert used - by_numbers == KNOWN - by_numbers


def test_unknown_operators_are_named_at_once() -> None:
    nodes = [node("Det", out="t"), node("TopK", "t", out="s"), node("Hardmax", "s")]
    with pytest.raises(Unusable, match="Det, Hardmax, TopK"):
        read(model(nodes, {}, (2, 2)))


def test_float16_constants_are_exact() -> None:
    half = np.array([0.1, 3.0], dtype=np.float16)
    data = model([node("Cast", "h", to=1, out="c"), node("Mul", "x", "c")], {"h": half}, (2,))
    program = read(data)
    out = program.tensors["y"]
    assert isinstance(out, Wire)
    ones = np.ones((1, 2))
    low, high = evaluate(program, (ones, ones)).ranges[out.step]
    assert (low <= half.astype(np.float64)).all() and (high - low < 1e-13).all()


def test_filled_constants_are_real_numbers() -> None:
    tenth = numpy_helper.from_array(np.array([0.1], dtype=np.float32))
    nodes = [
        node("Shape", out="s"),
        node("ConstantOfShape", "s", out="c", value=tenth),
        node("Mul", "c", "c", out="d"),
        node("Add", "x", "d"),
    ]
    program = read(model(nodes, {}, (2,)))
    product = program.tensors["d"]
    exact = Fraction(float(np.float32(0.1))) ** 2
    assert isinstance(product, Fixed) and Fraction(product.low[0]) < exact < Fraction(product.high[0])


@pytest.mark.parametrize("opset", [1, 6])
def test_old_versions_are_refused(opset: int) -> None:
    with pytest.raises(Unusable, match="rules begin with 7"):
        read(model([node("Relu")], {}, (2,), opset=opset))


def test_casts_that_round_numbers_of_float64_are_refused() -> None:
    data = model([node("Cast", to=11, out="t"), node("Cast", "t", to=1)], {}, (2,))
    with pytest.raises(Unusable, match="float64"):
        read(data)


WHOLE = np.int64
REFUSED: dict[str, tuple[list[Any], dict[str, Any], tuple[int, ...]]] = {
    "an exponent that adds an axis": ([node("Pow", "x", "c")], {"c": np.full((1, 1), 2.0, np.float32)}, (2,)),
    "a slice backwards from beyond the front": (
        [node("Slice", "x", "a", "b", "d", "e")],
        {k: np.array([v], WHOLE) for k, v in {"a": -4, "b": -(2**62), "d": 0, "e": -1}.items()},
        (3,),
    ),
    "squeezed axes that are none": ([node("Squeeze", "x", "c")], {"c": np.zeros(0, WHOLE)}, (2, 1)),
    "a window of pads": (
        [node("MaxPool", kernel_shape=[2], dilations=[3], pads=[1, 1])],
        {},
        (1, 1, 2),
    ),
    "a window beyond the image": ([node("AveragePool", kernel_shape=[4])], {}, (1, 1, 2)),
    "pads made for dilations": (
        [node("AveragePool", kernel_shape=[2], dilations=[2], auto_pad="SAME_UPPER")],
        {},
        (1, 1, 5),
    ),
    "axes that are not there": ([node("ReduceSum", "x", "c")], {"c": np.array([5], WHOLE)}, (2, 2)),
    "integers of more than 32 bits": (
        [node("Mul", "a", "a", out="b"), node("Cast", "b", to=1, out="f"), node("Mul", "x", "f")],
        {"a": np.array([2**17], np.int32)},
        (1,),
    ),
    "a constant beyond int64": (
        [node("Cast", "a", to=1, out="f"), node("Mul", "x", "f")],
        {"a": np.array([2**63], np.uint64)},
        (1,),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_runtimes_do_otherwise_is_refused(name: str) -> None:
    nodes, constants, shape = REFUSED[name]
    with pytest.raises(Unusable):
        read(model(nodes, constants, shape))


def test_constants_of_a_sum_and_of_a_maximum_all_count() -> None:
    constants = {"a": np.array([10.0], np.float32), "b": np.array([1.0], np.float32)}
    program = read(model([node("Sum", "a", "b", "x")], constants, (1,)))
    y = program.tensors["y"]
    assert isinstance(y, Wire)
    low, high = evaluate(program, (np.zeros((1, 1)), np.zeros((1, 1)))).ranges[y.step]
    assert low[0, 0] == pytest.approx(11.0) and high[0, 0] == pytest.approx(11.0)
    whole = {k: np.array([v], WHOLE) for k, v in {"a": 1, "b": 2, "c": 7}.items()}
    nodes = [node("Max", "a", "b", "c", out="m"), node("Cast", "m", to=1, out="f"), node("Mul", "x", "f")]
    program = read(model(nodes, whole, (1,)))
    fixed = program.tensors["f"], program.tensors["c"]
    assert [float(t.low[0]) for t in fixed if isinstance(t, Fixed)] == [7.0, 7.0]
