"""Nodes whose inputs are all constant: computed at load.

Most models fold nothing but shape arithmetic, so the operators met there are written with numpy;
`onnx.reference`, which takes 0.14 s to import, does whatever else comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from genbab.reader.tensors.values import MAX_NUMBERS, Array, Op, Refused, TensorTooLarge, Var, room

Fold = Callable[[Op, list[Any]], Array]


def _divide(op: Op, a: list[Array]) -> Array:
    if a[0].dtype.kind in "iu":
        below = a[0] // a[1]  # numpy rounds down, ONNX towards 0
        return np.asarray(below + ((below < 0) & (below * a[1] != a[0]))).astype(a[0].dtype)
    return np.asarray(a[0] / a[1])


def _power(op: Op, a: list[Array]) -> Array:
    return np.asarray(np.power(a[0], a[1])).astype(a[0].dtype)


def _cast(op: Op, a: list[Array]) -> Array:
    return a[0].astype(helper.tensor_dtype_to_np_dtype(op.integer("to", 1)))


def _constant_of_shape(op: Op, a: list[Array]) -> Array:
    value = op.attributes.get("value")
    fill = numpy_helper.to_array(value).ravel() if value is not None else np.zeros(1, np.float32)
    room(tuple(int(n) for n in a[0]))
    return np.full(tuple(int(n) for n in a[0]), fill[0], dtype=fill.dtype)


def _range(op: Op, a: list[Array]) -> Array:
    room((abs(int((a[1].item() - a[0].item()) / a[2].item())),))
    return np.arange(a[0].item(), a[1].item(), a[2].item(), dtype=a[0].dtype)


def _product(op: Op, a: list[Array]) -> Array:
    axes = op.integers("axes") or (a[1].ravel().tolist() if len(a) > 1 and a[1] is not None else None)
    if not axes and op.integer("noop_with_empty_axes", 0):
        return a[0]
    over = tuple(int(x) for x in axes) if axes else None
    return np.asarray(np.prod(a[0], axis=over, keepdims=bool(op.integer("keepdims", 1)))).astype(a[0].dtype)


def _affine_grid(op: Op, a: list[Array]) -> Array:
    """theta (N, rank, rank + 1) applied to the coordinates, -1 to 1, of an image of this size (N, C, ...)."""
    theta, size = a[0], [int(n) for n in a[1].ravel()[2:]]
    axes = []
    for n in size:
        step = np.arange(n, dtype=theta.dtype)
        corners = op.integer("align_corners", 0)
        axes.append(step * 2 / max(n - 1, 1) - 1 if corners else (step * 2 + 1) / n - 1)
    grid = np.stack([*np.meshgrid(*axes, indexing="ij")[::-1], np.ones(size)], axis=-1)
    return np.asarray(np.einsum("...k,njk->n...j", grid, theta)).astype(theta.dtype)


def spread(op: Op, parameter: Array | None, x: Array) -> Array:
    """A scale or zero point as it meets x: for all of x, per axis, or per block."""
    if parameter is None or parameter.size == 1:
        return np.zeros(()) if parameter is None else parameter.reshape(())
    axis, block = op.integer("axis", 1), op.integer("block_size", 0)
    if block:
        return np.repeat(parameter, block, axis=axis)[tuple(slice(n) for n in x.shape)]
    return parameter.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])


def _dequantize(op: Op, a: list[Any]) -> Array:
    zero = a[2] if len(a) > 2 else None
    whole = a[0].astype(np.float64) - spread(op, zero, a[0]).astype(np.float64)
    return np.asarray(whole * spread(op, a[1], a[0])).astype(a[1].dtype)


FOLDS: dict[str, Fold] = {
    "AffineGrid": _affine_grid,
    "DequantizeLinear": _dequantize,
    "Add": lambda op, a: np.asarray(a[0] + a[1]),
    "Sub": lambda op, a: np.asarray(a[0] - a[1]),
    "Mul": lambda op, a: np.asarray(a[0] * a[1]),
    "Div": _divide,
    "Pow": _power,
    "Neg": lambda op, a: np.asarray(-a[0]),
    "Abs": lambda op, a: np.asarray(np.abs(a[0])),
    "Sqrt": lambda op, a: np.asarray(np.sqrt(a[0])),
    "Exp": lambda op, a: np.asarray(np.exp(a[0])),
    "Relu": lambda op, a: np.asarray(np.maximum(a[0], a[0].dtype.type(0))),
    "Reciprocal": lambda op, a: np.asarray(a[0].dtype.type(1) / a[0]),
    "Floor": lambda op, a: np.asarray(np.floor(a[0])),
    "Ceil": lambda op, a: np.asarray(np.ceil(a[0])),
    "Min": lambda op, a: np.asarray(np.minimum.reduce(np.broadcast_arrays(*a))),
    "Max": lambda op, a: np.asarray(np.maximum.reduce(np.broadcast_arrays(*a))),
    "MatMul": lambda op, a: np.asarray(np.matmul(a[0], a[1])),
    "Equal": lambda op, a: np.asarray(a[0] == a[1]),
    "Greater": lambda op, a: np.asarray(a[0] > a[1]),
    "Less": lambda op, a: np.asarray(a[0] < a[1]),
    "Not": lambda op, a: np.asarray(np.logical_not(a[0])),
    "And": lambda op, a: np.asarray(np.logical_and(a[0], a[1])),
    "Or": lambda op, a: np.asarray(np.logical_or(a[0], a[1])),
    "Cast": _cast,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "ReduceProd": _product,
}


BROADCAST = frozenset(
    "Add Sub Mul Div Pow Min Max Mean Sum Equal Greater Less And Or Xor Mod Where PRelu".split()
)
SIZED = frozenset(
    "HannWindow HammingWindow BlackmanWindow DFT STFT MelWeightMatrix OneHot TopK CumSum".split()
)
"""Operators whose integer inputs are, or bound, sizes."""


def fold(op: Op, inputs: Sequence[Array | None]) -> list[Array]:
    """The outputs of a node with constant inputs (None: left out), in the types ONNX gives them."""
    known = FOLDS.get(op.kind) if op.node.domain in ("", "ai.onnx") else None
    _fits(op, [a for a in inputs if a is not None])
    with np.errstate(all="ignore"):
        return [known(op, list(inputs))] if known is not None else _by_reference(op, inputs)


def _fits(op: Op, inputs: Sequence[Array]) -> None:
    """Raises `TensorTooLarge` when the output is known to be too large.

    It is as large as its inputs broadcast together, as a product of matrices, or as a number among its inputs
    says.
    """
    if op.kind in SIZED and any(
        abs(v) > MAX_NUMBERS for a in inputs if a.dtype.kind in "iu" for v in a.ravel().tolist()
    ):
        raise TensorTooLarge(f"its output would have more than {MAX_NUMBERS:,} numbers")
    if op.kind == "MatMul" and len(inputs) == 2 and min(a.ndim for a in inputs) > 1:
        room(
            (
                *np.broadcast_shapes(inputs[0].shape[:-2], inputs[1].shape[:-2]),
                inputs[0].shape[-2],
                inputs[1].shape[-1],
            )
        )
    elif op.kind in BROADCAST:
        room(np.broadcast_shapes(*(a.shape for a in inputs)))


def literal(op: Op) -> Array:
    """The value of a `Constant` node."""
    names = {
        "value_float": np.float32,
        "value_floats": np.float32,
        "value_int": np.int64,
        "value_ints": np.int64,
    }
    for name, value in op.attributes.items():
        if name == "value" and isinstance(value, TensorProto):
            return numpy_helper.to_array(value)
        if name in names:
            return np.array(value, dtype=names[name])
    raise Refused("a constant that is neither a dense tensor nor numbers")


def shape_of(op: Op, value: Var | Array) -> Array:
    """What `Shape` and `Size` give: shapes are static here."""
    if op.kind == "Size":
        return np.array(value.size, dtype=np.int64)
    start, end = op.attributes.get("start"), op.attributes.get("end")
    return np.array(tuple(value.shape)[slice(start, end)], dtype=np.int64)


def _by_reference(op: Op, inputs: Sequence[Array | None]) -> list[Array]:
    from onnx.reference import ReferenceEvaluator

    graph = helper.make_graph(
        [op.node],
        "constant",
        [helper.make_empty_tensor_value_info(n) for n in op.node.input if n],
        [helper.make_empty_tensor_value_info(n) for n in op.node.output if n],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(op.node.domain, op.opset)])
    feeds = {n: a for n, a in zip(op.node.input, inputs, strict=True) if n}
    try:
        results = ReferenceEvaluator(model).run(None, feeds)
    except (NotImplementedError, RuntimeError, TypeError) as error:
        raise Refused(f"cannot be computed on constants ({error})") from error
    by_name = dict(zip([n for n in op.node.output if n], results, strict=True))
    return [np.asarray(by_name[n]) if n else np.zeros(0) for n in op.node.output]
