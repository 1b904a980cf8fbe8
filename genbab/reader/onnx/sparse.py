"""Sparse tensors of a file written out: every entry has its number, those that are not listed 0."""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import FunctionProto, GraphProto, ModelProto, SparseTensorProto, TensorProto, numpy_helper

from genbab.errors import ModelError
from genbab.reader.onnx.graphs import bodies
from genbab.reader.tensors.values import MAX_NUMBERS, Array

MOST = 8 * MAX_NUMBERS
"""So many numbers the sparse tensors of one model may have in all, written out."""


def write_out_sparse(proto: ModelProto, name: str) -> None:
    """Make sparse initialisers and sparse constants dense, in subgraphs and functions too.

    Raises `ModelError`, which names the tensor, for one that is damaged, and before more numbers are made
    than are accepted.
    """
    left = MOST
    for body in bodies(proto):
        if isinstance(body, GraphProto):
            left = _initialisers(body, left, name)
        left = _constants(body, left, name)


def _initialisers(graph: GraphProto, left: int, name: str) -> int:
    for sparse in graph.sparse_initializer:
        left = _within(sparse, sparse.values.name, left, name)
        graph.initializer.append(_dense(sparse, sparse.values.name, name))
    del graph.sparse_initializer[:]
    return left


def _constants(body: GraphProto | FunctionProto, left: int, name: str) -> int:
    for node in body.node:
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor") and node.op_type == "Constant":
                sparse, tensor = attribute.sparse_tensor, "".join(node.output)
                left = _within(sparse, tensor, left, name)
                made = _dense(sparse, tensor, name)
                attribute.Clear()
                attribute.name, attribute.type = "value", attribute.TENSOR
                attribute.t.CopyFrom(made)
    return left


def _within(sparse: SparseTensorProto, tensor: str, left: int, name: str) -> int:
    """How many more numbers are accepted after this tensor's."""
    if any(n < 0 for n in sparse.dims):
        raise _damaged(name, tensor, f"its shape is {list(sparse.dims)}")
    size: int = prod(sparse.dims)
    if size > MAX_NUMBERS:
        shape = list(sparse.dims)
        raise _damaged(name, tensor, f"its shape is {shape}; {MAX_NUMBERS:,} numbers are accepted", "large")
    if size > left:
        raise _damaged(name, tensor, f"those up to here have more than {MOST:,} numbers written out", "large")
    return left - size


def _dense(sparse: SparseTensorProto, tensor: str, name: str) -> TensorProto:
    try:
        values, indices = (numpy_helper.to_array(part) for part in (sparse.values, sparse.indices))
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise _damaged(name, tensor, str(error)) from error
    shape = tuple(sparse.dims)
    places = _places(indices, values, shape)
    if isinstance(places, str):
        raise _damaged(name, tensor, places)
    whole = np.zeros(prod(shape), values.dtype)
    whole[places] = values
    return numpy_helper.from_array(whole.reshape(shape), tensor)


def _places(indices: Array, values: Array, shape: tuple[int, ...]) -> Array | str:
    """Where the values are among all numbers; what is wrong, as text, if anything is."""
    if values.ndim != 1 or indices.dtype != np.int64:
        return f"{values.ndim} axes of values, indices of {indices.dtype}; one axis and int64 are needed"
    if indices.shape == values.shape:
        places, inside = indices, (indices >= 0) & (indices < prod(shape))
    elif indices.shape == (len(values), len(shape)):
        inside = np.asarray(((indices >= 0) & (indices < np.array(shape, np.int64))).all(axis=1))
        places = indices @ np.array([prod(shape[i + 1 :]) for i in range(len(shape))], np.int64)
    else:
        return f"{len(values)} values, indices of the shape {list(indices.shape)}"
    if not inside.all():
        return f"an index lies outside of its shape {list(shape)}"
    if len(np.unique(places)) < len(places):
        return "an index is there twice"
    return places


def _damaged(name: str, tensor: str, what: str, kind: str = "damaged") -> ModelError:
    how = "is damaged" if kind == "damaged" else "is too large"
    return ModelError(f"{name}: the sparse tensor '{tensor}' {how}: {what}")
