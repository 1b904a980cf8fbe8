"""The types of tensors under construction: integers stay in theirs, wrap around, or are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from onnx import defs, helper

from genbab.reader.lower import MOVES
from genbab.reader.tensors import elements
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.casts import wrapped
from genbab.reader.tensors.spans import span
from genbab.reader.tensors.values import Inexact, Op, Refused, Var, element

ROUNDING = frozenset({"Div", "Pow", "ReduceMean", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"})
"""Operators that round their results on integers."""

WRAPPING = frozenset("Abs Add Sub Mul Neg MatMul CumSum".split())
"""Sums and products of integers: what leaves the type comes back at its other end, at every step alike."""

SUMMING = frozenset(
    "Gemm MatMulInteger ConvInteger Einsum PRelu Mod ReduceSum ReduceProd ReduceL1 ReduceSumSquare "
    "ScatterND ScatterElements".split()
)
"""Others, of which runtimes keep intermediate results in wider types: what leaves the type is undefined."""

CHOOSING = frozenset(
    "Max Min Clip Relu Sign ReduceMax ReduceMin MaxPool GlobalMaxPool OneHot Scatter Where TopK Gather "
    "GatherElements GatherND".split()
)
"""Operators each of whose results is one of the integers that go in, or -1, 0 or 1."""

KEEPING = CHOOSING | frozenset(
    "ArgMax ArgMin QuantizeLinear DynamicQuantizeLinear QLinearMatMul QLinearConv Cast CastLike EyeLike "
    "Equal Greater GreaterOrEqual Less LessOrEqual DequantizeLinear".split()
)
"""Operators with a rule for integers whose results are in their type."""


def ready(op: Op, inputs: Sequence[Any]) -> None:
    """Raises `Refused` where an operator has no rule for the integers among its inputs."""
    whole = [v for v in inputs if isinstance(v, Var) and v.whole]
    if not whole or op.kind in MOVES:
        _representable(op, inputs)
        return
    kind = elements.named(whole[0].element)
    first = op.kind == "Pow" and not (isinstance(inputs[0], Var) and inputs[0].whole)
    if op.kind in ROUNDING and not first:
        raise Refused(
            f"{kind} integers that depend on the network's input, which this operator rounds (a Cast to "
            "float before it is accepted)"
        )
    if op.kind not in WRAPPING | SUMMING | KEEPING and not first:
        raise Refused(
            f"{kind} integers that depend on the network's input, which this operator has no rule for "
            "(a Cast to float before it is accepted)"
        )
    _representable(op, inputs)


def _representable(op: Op, inputs: Sequence[Any]) -> None:
    """Raises `Refused` where a constant integer that meets numbers of the network is no float64."""
    rule = MOVES.get(op.kind)
    places = range(len(inputs)) if rule is None or rule.data is None else rule.data
    values = [inputs[p] for p in places if p < len(inputs)]
    if not any(isinstance(v, Var) for v in values):
        return
    for value in values:
        if isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.size:
            low, high = int(value.min()), int(value.max())
            if max(-low, high) > elements.EXACT:
                raise Refused(f"a constant integer of {_size(low, high)}: at most 2^52 is accepted")


def _size(low: float, high: float) -> str:
    return f"{low if -low > high else high:g}"


def typed(b: Builder, op: Op, inputs: Sequence[Any], outputs: Sequence[Any]) -> list[Any]:
    """The outputs with the types that ONNX gives them; integers that leave theirs are wrapped."""
    made: list[Any] = []
    for i, value in enumerate(outputs):
        kind = _element(op, inputs, i)
        if not isinstance(value, Var):
            if kind is not None and elements.is_integer(kind) and isinstance(value, np.ndarray):
                value = value.astype(helper.tensor_dtype_to_np_dtype(kind))
            made.append(value)
            continue
        known = value if kind is None or kind == value.element else replace(value, element=kind, exact=0)
        made.append(_kept(b, op, inputs, known) if known.whole else known)
    return made


def _kept(b: Builder, op: Op, inputs: Sequence[Any], x: Var) -> Var:
    """The integers as their type holds them."""
    if op.kind in ("Cast", "CastLike") or any(
        isinstance(v, Var) and v.node == x.node and v.element == x.element for v in inputs
    ):
        return x
    ends = elements.limits(x.element)
    assert ends is not None
    b.integral.add(x.node)
    low, high = span(b, x)
    if op.kind in CHOOSING:
        least, most = _hull(b, inputs)
        if low < least or most < high:
            low, high = max(low, least), min(high, most)
            b.known[x.node] = low, high
            b.spans.pop(x.node, None)
    inside = ends[0] <= low and high <= ends[1]
    if max(-low, high) > elements.EXACT:
        raise Refused(
            f"its {elements.named(x.element)} integers may lie between {low:g} and {high:g}: genbab keeps "
            "integers up to 2^52 in size (a Clip or Cast to a narrower type of what goes in, or a Cast to "
            "float, bounds them)"
        )
    held = _held(op, inputs)
    if inside:
        return replace(x, exact=held)
    if op.kind in SUMMING:
        kind = elements.named(x.element)
        raise Refused(f"its {kind} integers may lie between {low:g} and {high:g}, beyond {kind}")
    return replace(wrapped(b, x), exact=held if held in elements.DIGITS else 0)  # -(-2^k) wraps to -2^k


def _held(op: Op, inputs: Sequence[Any]) -> int:
    """A type that holds all results as it holds all that goes in, 0 if none is known."""
    kinds = {v.exact for v in inputs if isinstance(v, Var) and v.whole}
    if len(kinds) != 1 or op.kind not in CHOOSING | {"Neg", "Abs"}:
        return 0
    (kind,) = kinds
    numbers = [v for v in inputs if isinstance(v, np.ndarray) and v.size and v.dtype.kind in "iu"]
    return kind if all(elements.holds_whole(kind, v.min(), v.max()) for v in numbers) else 0


def _hull(b: Builder, inputs: Sequence[Any]) -> tuple[float, float]:
    """(least, largest) of the integers that go in, and of -1, 0 and 1."""
    ends = [(-1.0, 1.0)]
    for value in inputs:
        if isinstance(value, Var) and value.whole:
            ends.append(span(b, value))
        elif isinstance(value, np.ndarray) and value.size and value.dtype.kind in "iu":
            ends.append((float(value.min()), float(value.max())))
    return min(low for low, _ in ends), max(high for _, high in ends)


def _element(op: Op, inputs: Sequence[Any], position: int) -> int | None:
    """The ONNX type of an output; None where the operator's schema does not say it."""
    if op.kind == "Cast":
        return op.integer("to", 1)
    if op.kind == "QuantizeLinear" and (len(inputs) < 3 or inputs[2] is None):
        return op.integer("output_dtype", 0) or elements.UINT8
    types = _types(op.kind, op.opset, op.node.domain)
    if types is None or not types[1]:
        return None
    takes, gives, allowed = types
    kind = gives[min(position, len(gives) - 1)]
    alike = [v for i, v in enumerate(inputs) if takes[min(i, len(takes) - 1)] == kind]
    known = [v for v in alike if isinstance(v, Var | np.ndarray | Inexact)]
    known.sort(key=lambda v: not isinstance(v, Var))  # what lowering makes of constants is of float64
    if known:
        return element(known[0])
    only = (kind,) if kind.startswith("tensor(") else allowed.get(kind, ())
    return NAMES.get(only[0]) if len(only) == 1 else None


NAMES = {f"tensor({elements.named(i)})": i for i in (*elements.SIGNED, *elements.UNSIGNED, *elements.DIGITS)}
NAMES["tensor(bool)"] = elements.BOOL
Types = tuple[tuple[str, ...], tuple[str, ...], dict[str, tuple[str, ...]]]


@cache
def _types(kind: str, opset: int, domain: str) -> Types | None:
    """The types of inputs and outputs by name, and what each name allows.

    (types of the inputs, types of the outputs) by the names that the operator's schema gives them, and what
    each of these names allows.
    """
    if not defs.has(kind, opset, domain):
        return None
    schema: Any = defs.get_schema(kind, opset, domain)
    allowed = {c.type_param_str: tuple(c.allowed_type_strs) for c in schema.type_constraints}
    return tuple(i.type_str for i in schema.inputs), tuple(o.type_str for o in schema.outputs), allowed
