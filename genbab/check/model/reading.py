"""Reads a file of ONNX as a program."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from genbab.check.failures import Unusable
from genbab.check.model.operators.activations import ELEMENTWISE
from genbab.check.model.operators.layers import LAYERS
from genbab.check.model.operators.logic import LOGIC
from genbab.check.model.operators.moving import INTEGERS, MOVES
from genbab.check.model.operators.node import Charging, Node
from genbab.check.model.operators.norms import NORMS
from genbab.check.model.operators.pooling import POOLS
from genbab.check.model.program import MOST_ENTRIES, Fixed, Numbers, Program, Tensor, Wire
from genbab.check.model.values import evaluate
from genbab.check.model.whole import LIMITS, check_readers, whole_inputs
from genbab.check.model.written import WHOLE, ReadParts, dense, in_order, left_of

RULES = {**MOVES, **ELEMENTWISE, **LAYERS, **POOLS, **NORMS, **LOGIC}
EXACT_ON_FLOATS = {"Where", *LOGIC}
KNOWN = {*RULES, *INTEGERS, "Constant"}
FLOATS = (1, 10, 11, 16)
INFINITE = ("min", "max", "value_float")  # attributes that may be infinite
OLDEST = 7


def unpacked(data: bytes, limit: int) -> bytes:
    """The bytes, of a gzip file what is in it."""
    if data[:2] != b"\x1f\x8b":
        return data
    packed = zlib.decompressobj(31)
    try:
        whole = packed.decompress(data, limit)
    except zlib.error as error:
        raise Unusable(f"a gzip file that cannot be read: {error}") from None
    if packed.unconsumed_tail or not packed.eof:
        raise Unusable(f"a gzip file that is cut off or holds more than {limit} bytes")
    if packed.unused_data:
        raise Unusable("a gzip file of several parts, or with something after it")
    return whole


def read(data: bytes, charging: Charging | None = None, reading: ReadParts = WHOLE) -> Program:
    """The model as a program over all its inputs, one after the other; charged where it is executed."""
    model = _plain(data, reading)
    graph, opset = model.graph, _opset(model)
    if charging is not None:
        charging.begin(graph)
    program = _with_inputs(graph, reading)
    for proto in graph.node:
        try:
            _step(program, proto, opset, charging)
        except Unusable:
            raise
        except (ValueError, TypeError, IndexError, AttributeError, ArithmeticError, MemoryError) as error:
            raise Unusable(f"no rule for {proto.op_type} at {proto.name!r}: {error}") from None
    program.outputs = list(reading.outputs) or [o.name for o in graph.output]
    for name in program.outputs:
        if not isinstance(program.tensors.get(name), Wire):
            raise Unusable(f"the output {name!r} does not depend on the inputs")
    for name, tensor in list(program.tensors.items()):
        if isinstance(tensor, Wire) and tensor.step in program.products:
            program.tensors.setdefault(f"{name}#products", program.products[tensor.step])
    return program


def _plain(data: bytes, reading: ReadParts) -> Any:
    """What is read of a model, its nodes in order, without sparse tensors."""
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # whatever the parser of protobuf says
        raise Unusable(f"the model is no ONNX file: {error}") from None
    _put_in_order(model.graph)
    _write_out_sparse(model.graph)
    if reading.outputs:
        _rearrange(model.graph, reading.kept(model.graph))
    return model


def _put_in_order(graph: Any) -> None:
    """Each node after those whose results it reads."""
    order = in_order(graph.node)
    if order != sorted(order):
        _rearrange(graph, order)


def _rearrange(graph: Any, order: Sequence[int]) -> None:
    kept = onnx.GraphProto()
    kept.node.extend(graph.node[i] for i in order)
    del graph.node[:]
    graph.node.extend(kept.node)


def _write_out_sparse(graph: Any) -> None:
    """Sparse tensors made dense: of as many numbers as one step may have, all together."""
    most = MOST_ENTRIES
    for sparse in graph.sparse_initializer:
        most = left_of(most, sparse.values.name, sparse.dims)
        graph.initializer.append(_dense(sparse))
    del graph.sparse_initializer[:]
    for attribute in (a for node in graph.node if node.op_type == "Constant" for a in node.attribute):
        if attribute.HasField("sparse_tensor"):
            most = left_of(most, attribute.sparse_tensor.values.name, attribute.sparse_tensor.dims)
            made = _dense(attribute.sparse_tensor)
            attribute.Clear()
            attribute.name, attribute.type = "value", onnx.AttributeProto.TENSOR
            attribute.t.CopyFrom(made)


def _dense(sparse: Any) -> Any:
    name, arrays = sparse.values.name, (array_of(sparse.values), array_of(sparse.indices))
    return numpy_helper.from_array(dense(name, *arrays, tuple(sparse.dims)), name)


def _opset(model: Any) -> int:
    """The opset of a model that can be read; `Unusable` for others."""
    graph = model.graph
    unknown = {n.op_type for n in graph.node if n.op_type not in KNOWN or n.domain not in ("", "ai.onnx")}
    if unknown:
        raise Unusable(f"no rule for the operators {', '.join(sorted(unknown))}")
    if model.functions:
        raise Unusable("functions of a model's own are not read")
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    if opset < OLDEST:
        raise Unusable(f"the model is of opset {opset}; rules begin with {OLDEST}")
    if _narrows(graph):
        raise Unusable("no rule for a model that casts numbers of float64 to shorter ones")
    return opset


def _narrows(graph: Any) -> bool:
    """Whether some tensor may be of float64, and some Cast makes float32 of what it gets."""
    kinds = {i.type.tensor_type.elem_type for i in graph.input} | {t.data_type for t in graph.initializer}
    targets = set()
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to":
                targets.add(attribute.i)
            if attribute.HasField("t"):
                kinds.add(attribute.t.data_type)
    double = onnx.TensorProto.DOUBLE
    return double in kinds | targets and onnx.TensorProto.FLOAT in targets


def _with_inputs(graph: Any, reading: ReadParts) -> Program:
    fixed = {proto.name: _constant(array_of(proto)) for proto in graph.initializer}
    inputs = [i for i in graph.input if i.name not in fixed]
    shapes = []
    for i in inputs:
        if i.type.tensor_type.elem_type not in (*FLOATS, *LIMITS):
            raise Unusable(f"the input {i.name!r} is not of floats or integers")
        shapes.append(reading.shape_of(i.name, [d.dim_value for d in i.type.tensor_type.shape.dim]))
    if unknown := [name for name in reading.shapes if name not in {i.name for i in inputs}]:
        raise Unusable(f"the model has no input {unknown[0]!r}")
    sizes = [int(np.prod(shape)) for shape in shapes]
    if not 0 < sum(sizes) <= 1 << 22 or min(sizes) < 1:
        raise Unusable(f"inputs of {sizes} numbers")
    check_readers(graph, inputs)
    program = Program(sum(sizes), tensors={**fixed}, whole=whole_inputs(inputs, sizes))
    start = 0
    for i, shape, size in zip(inputs, shapes, sizes, strict=True):
        index = np.arange(start, start + size).reshape(shape)
        program.tensors[i.name] = program.move(Wire(0, (program.inputs,)), lambda v, at=index: at)  # type: ignore[misc]
        start += size
    return program


def array_of(proto: Any) -> Numbers:
    """The array of a tensor of the file."""
    if proto.data_location == onnx.TensorProto.EXTERNAL:
        raise Unusable(f"{proto.name!r} lies in another file")
    try:
        return numpy_helper.to_array(proto)
    except (ValueError, TypeError, KeyError) as error:
        raise Unusable(f"{proto.name!r} cannot be read: {error}") from None


def _constant(array: Numbers) -> Fixed:
    if array.dtype.kind == "b":
        kept = array
    elif array.dtype.kind in "iu":
        if array.dtype.kind == "u" and array.size and int(array.max()) >= 2**62:
            raise Unusable("a constant of integers of more than 62 bits")
        kept = array.astype(np.int64)
    else:
        kept = array.astype(np.float64)
        if np.isnan(kept).any() or (not np.isfinite(kept).all() and kept.size > 1):
            raise Unusable("a constant that is not finite")
    return Fixed(kept, kept)


def _step(program: Program, proto: Any, opset: int, charging: Charging | None) -> None:
    for name in proto.input:
        if name and name not in program.tensors:
            raise Unusable(f"the tensor {name!r} is used, and nothing computes it")
    attributes = {a.name: _attribute(a) for a in proto.attribute}
    inputs = [program.tensors[name] if name else None for name in proto.input]
    if proto.op_type == "Constant":
        results: Sequence[Tensor] = [_value(attributes)]
    else:
        node = Node(program, proto.op_type, proto.name, attributes, inputs, len(proto.output), opset)
        first = len(program.steps)
        results = _results(node, charging)
        if charging is not None:
            charging(node, (proto.input, proto.output), first, results)
    program.tensors.update(zip(proto.output, results, strict=False))


def _attribute(attribute: Any) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, float) and not (
        math.isfinite(value) or (math.isinf(value) and attribute.name in INFINITE)
    ):
        raise Unusable(f"the attribute {attribute.name} is {value}")
    return array_of(value) if isinstance(value, onnx.TensorProto) else value


def _value(attributes: dict[str, Any]) -> Fixed:
    ((name, value),) = attributes.items()
    if name not in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        raise Unusable(f"a constant given as {name}")
    return _constant(np.asarray(value))


def _results(node: Node, charging: Charging | None) -> Sequence[Tensor]:
    fixed = [x for x in node.inputs if isinstance(x, Fixed)]
    if any(isinstance(x, Wire) for x in node.inputs) or node.op in MOVES:
        return RULES[node.op](node) if node.op in RULES else _fail(node)
    floats = [x.is_float for x in fixed]
    if node.op in INTEGERS and (not any(floats) or node.op in EXACT_ON_FLOATS):
        return INTEGERS[node.op](node)
    if node.op not in RULES or not any(floats):
        return _fail(node)
    return _folded(node, charging)


def _fail(node: Node) -> Sequence[Tensor]:
    raise node.fail("inputs of this kind")


def _folded(node: Node, charging: Charging | None) -> Sequence[Tensor]:
    """The operator on constants: its steps on one of them, evaluated in intervals."""
    place = next(i for i, x in enumerate(node.inputs) if isinstance(x, Fixed) and x.is_float)
    of = node.fixed(place)
    inner = Program(max(of.low.size, 1))
    inputs = list(node.inputs)
    inputs[place] = Wire(0, of.shape)
    made = Node(inner, node.op, node.name, node.attributes, inputs, node.outputs, node.opset)
    results = RULES[node.op](made)
    if charging is not None:
        charging(made, ((), ()), 1, results)
    values = evaluate(inner, (of.low.reshape(1, -1), of.high.reshape(1, -1)))
    if values.lost.any():
        raise node.fail("a constant that may not be finite")
    found: list[Tensor] = []
    for x in results:
        assert isinstance(x, Wire)
        low, high = values.ranges[x.step]
        found.append(Fixed(low[0].reshape(x.shape), high[0].reshape(x.shape)))
    return found
