"""ONNX graphs evaluated without rounding, by code that shares nothing with the reader.

Tensors are numpy arrays of objects: numbers of one kind (`numbers.py`), or truth values. Integers that say
shapes, axes and places stay integers. An operator that is not written here raises `KeyError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from .numbers import ATTRIBUTES, Field

Array = Any
"""An array of objects, or of integers."""


def mapped(fn: Callable[..., Any], *arrays: Array) -> Array:
    """fn of every entry, an array of objects (0-dimensional ones too)."""
    return np.asarray(np.frompyfunc(fn, len(arrays), 1)(*arrays), dtype=object)


def as_tensor(values: Array, field: Field) -> Array:
    """Floats as numbers of the field, truth values as bools; integers as they are."""
    if values.dtype.kind == "f":
        return mapped(field.number, values)
    return mapped(bool, values) if values.dtype.kind == "b" else values


def run(graph: GraphProto, inputs: Mapping[str, Array], field: Field) -> dict[str, Array]:
    """Every tensor of the graph by name; inputs are arrays of numbers of the field, or floats."""
    known = {t.name: as_tensor(numpy_helper.to_array(t), field) for t in graph.initializer}
    known |= {name: x if x.dtype == object else as_tensor(x, field) for name, x in inputs.items()}
    for node in graph.node:
        known |= zip(
            node.output, step(node, [known[n] if n else None for n in node.input], field), strict=False
        )
    return known


def step(node: NodeProto, args: Sequence[Any], field: Field) -> list[Array]:
    """The outputs of one node."""
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type in field.functions:
        params = [attributes[name] for name in ATTRIBUTES.get(node.op_type, ())]
        fn = field.functions[node.op_type]
        return [mapped(lambda *x: fn(*x, *params), *args)]
    found = RULES[node.op_type](Call(field, args, attributes))
    return [v if isinstance(v, np.ndarray) else np.array(v, object) for v in _listed(found)]


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


class Call:
    """What a rule gets: the kind of number, the arguments, and the attributes."""

    def __init__(self, field: Field, args: Sequence[Any], attributes: Mapping[str, Any]) -> None:
        self.field, self.args, self.attributes = field, args, attributes

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def number(self, value: Any) -> Any:
        """A number of the field."""
        return self.field.number(value)

    def axes(self, rank: int) -> tuple[int, ...]:
        """The axes that an argument or an attribute names; all, where none does."""
        given = self.args[1] if len(self.args) > 1 and self.args[1] is not None else self.get("axes")
        return tuple(int(a) % rank for a in given) if given is not None else tuple(range(rank))


def _gemm(c: Call) -> Array:
    a, b = (x.T if c.get(name) else x for x, name in zip(c.args, ("transA", "transB"), strict=False))
    product = a @ b * c.number(c.get("alpha", 1.0))
    return product + c.args[2] * c.number(c.get("beta", 1.0)) if len(c.args) > 2 else product


def _batch_norm(c: Call) -> Array:
    x, scale, bias, mean, var = c.args
    shape = (1, -1) + (1,) * (x.ndim - 2)
    epsilon = c.number(c.attributes["epsilon"])
    deviation = mapped(lambda v: c.field.functions["Sqrt"](v + epsilon), var)
    return (x - mean.reshape(shape)) * scale.reshape(shape) / deviation.reshape(shape) + bias.reshape(shape)


def _conv(c: Call) -> Array:
    """Kernels of size 1 in every direction, one group, no stride."""
    x, weight = c.args[0], c.args[1]
    assert all(s == 1 for s in weight.shape[2:]), "only kernels of size 1"
    flat = weight.reshape(weight.shape[:2]) @ x.reshape(x.shape[1], -1)
    if len(c.args) > 2:
        flat = flat + c.args[2].reshape(-1, 1)
    return flat.reshape(1, -1, *x.shape[2:])


def _slice(c: Call) -> Array:
    x, starts, ends = c.args[:3]
    axes = c.args[3] if len(c.args) > 3 else range(len(starts))
    steps = c.args[4] if len(c.args) > 4 else [1] * len(starts)
    where: list[slice] = [slice(None)] * x.ndim
    for axis, start, end, by in zip(axes, starts, ends, steps, strict=True):
        last = None if by < 0 and end < -x.shape[axis] else int(end)
        where[int(axis)] = slice(int(start), last, int(by))
    return x[tuple(where)]


def _reduced(c: Call, mean: bool) -> Array:
    x = c.args[0]
    axes = c.axes(x.ndim)
    total = np.asarray(x.sum(axis=axes, keepdims=bool(c.get("keepdims", 1))), dtype=object)
    count = int(np.prod([x.shape[a] for a in axes]))
    return total / c.number(count) if mean else total


def _split(c: Call) -> list[Array]:
    return list(np.split(c.args[0], np.cumsum(c.args[1])[:-1], axis=c.get("axis", 0)))


def _cast(c: Call) -> Array:
    assert c.get("to") in (TensorProto.FLOAT, TensorProto.DOUBLE), "only casts of truth values to numbers"
    assert all(isinstance(v, bool) for v in c.args[0].flat)
    return mapped(lambda v: c.number(int(v)), c.args[0])


def _most(c: Call, upper: bool) -> Array:
    def two(a: Any, b: Any) -> Any:
        return (b if upper else a) if c.field.less(a, b) else (a if upper else b)

    return reduce(lambda a, b: mapped(two, a, b), c.args)


def _clip(c: Call) -> Array:
    low = _most(Call(c.field, (c.args[0], c.args[1]), {}), True)
    return _most(Call(c.field, (low, c.args[2]), {}), False)


def _softmax(c: Call) -> Array:
    axis = c.get("axis", -1)
    powers = mapped(c.field.functions["Exp"], c.args[0])
    return powers / powers.sum(axis=axis, keepdims=True)


def _layer_norm(c: Call) -> Array:
    x, scale = c.args[:2]
    centred = x - x.sum(axis=-1, keepdims=True) / c.number(x.shape[-1])
    var = (centred * centred).sum(axis=-1, keepdims=True) / c.number(x.shape[-1])
    epsilon = c.number(c.attributes["epsilon"])
    found = centred / mapped(lambda v: c.field.functions["Sqrt"](v + epsilon), var) * scale
    return found + c.args[2] if len(c.args) > 2 else found


def _power(c: Call) -> Array:
    return mapped(lambda x, p: reduce(lambda a, b: a * b, [x] * int(float(p))), c.args[0], c.args[1])


RULES: dict[str, Callable[[Call], Any]] = {
    "Identity": lambda c: c.args[0],
    "Add": lambda c: c.args[0] + c.args[1],
    "Sub": lambda c: c.args[0] - c.args[1],
    "Mul": lambda c: c.args[0] * c.args[1],
    "Div": lambda c: c.args[0] / c.args[1],
    "Neg": lambda c: -c.args[0],
    "Sum": lambda c: reduce(lambda a, b: a + b, c.args),
    "Mean": lambda c: reduce(lambda a, b: a + b, c.args) / c.number(len(c.args)),
    "MatMul": lambda c: c.args[0] @ c.args[1],
    "Gemm": _gemm,
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Softmax": _softmax,
    "Pow": _power,
    "Reshape": lambda c: c.args[0].reshape([int(s) for s in c.args[1]]),
    "Flatten": lambda c: c.args[0].reshape(int(np.prod(c.args[0].shape[: c.get("axis", 1)])), -1),
    "Transpose": lambda c: c.args[0].transpose(c.get("perm")),
    "Squeeze": lambda c: np.squeeze(c.args[0], c.axes(c.args[0].ndim)),
    "Concat": lambda c: np.concatenate(c.args, axis=c.get("axis")),
    "Gather": lambda c: np.take(c.args[0], c.args[1], axis=c.get("axis", 0)),
    "Slice": _slice,
    "Split": _split,
    "ReduceSum": lambda c: _reduced(c, False),
    "ReduceMean": lambda c: _reduced(c, True),
    "Max": lambda c: _most(c, True),
    "Min": lambda c: _most(c, False),
    "Clip": _clip,
    "Cast": _cast,
    "Greater": lambda c: mapped(lambda a, b: c.field.less(b, a), *c.args),
    "GreaterOrEqual": lambda c: mapped(lambda a, b: c.field.less_equal(b, a), *c.args),
    "Less": lambda c: mapped(c.field.less, *c.args),
    "LessOrEqual": lambda c: mapped(c.field.less_equal, *c.args),
    "Equal": lambda c: mapped(lambda a, b: c.field.less_equal(a, b) and c.field.less_equal(b, a), *c.args),
    "Not": lambda c: mapped(lambda a: not a, c.args[0]),
    "And": lambda c: mapped(lambda a, b: a and b, *c.args),
    "Or": lambda c: mapped(lambda a, b: a or b, *c.args),
    "Xor": lambda c: mapped(lambda a, b: a != b, *c.args),
    "Where": lambda c: mapped(lambda t, a, b: a if t else b, *c.args),
}
"""Operator to rule; those of `Field.functions` come first."""
