"""ONNX files and bytes to a self-contained `ModelProto` whose inputs have fixed shapes."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, defs
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_tensor, uses_external_data

from genbab.errors import ModelError

OLDEST_OPSET = 7
TYPES: dict[int, np.dtype[np.generic]] = {
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.DOUBLE: np.dtype(np.float64),
}
"""Element types that inputs may have."""


@dataclass(frozen=True, eq=False)
class Signature:
    """What goes into a model: names, fixed shapes and types of its inputs in the graph's order; its opset."""

    source: str
    input_names: tuple[str, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    input_dtypes: tuple[np.dtype[np.generic], ...]
    opset: int


def read_proto(source: str | os.PathLike[str] | bytes | ModelProto) -> tuple[ModelProto, Signature]:
    """A model with its external data read in and its symbolic batch axes set to 1; the argument is not
    changed.

    Raises `ModelError` when it is missing, damaged, no ONNX model, of an opset below 7 or unknown, or when an
    input has no fixed shape or does not hold floating-point numbers.
    """
    name, folder = "the model", None
    if isinstance(source, ModelProto):
        proto = ModelProto()
        proto.CopyFrom(source)
    elif isinstance(source, bytes):
        proto = _parsed(source, name)
    else:
        path = Path(source)
        name, folder = str(path), path.parent
        proto = _parsed(_file_bytes(path), name)
    _check(proto, name)
    _read_external(proto.graph, folder, name)
    return proto, _signature(proto, name)


def _file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error


def _parsed(data: bytes, name: str) -> ModelProto:
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ModelError(f"{name}: damaged gzip data ({error})") from error
    proto = ModelProto()
    try:
        proto.ParseFromString(data)
    except (DecodeError, ValueError) as error:
        raise ModelError(f"{name}: not an ONNX model, or cut short ({len(data)} bytes)") from error
    return proto


def _check(proto: ModelProto, name: str) -> None:
    if not proto.graph.output or not proto.opset_import:
        raise ModelError(f"{name}: not an ONNX model, or an empty one (no graph outputs)")
    opset = _opset(proto)
    newest = defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ModelError(f"{name}: opset {opset}; genbab reads {OLDEST_OPSET} to {newest}")


def _opset(proto: ModelProto) -> int:
    return max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=0)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """All tensors stored in a graph and its subgraphs."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _tensors(inner)


def external_files(data: bytes, folder: Path) -> list[Path]:
    """The files in which a model of these bytes, in this folder, keeps tensors; none where it is no model."""
    try:
        graph = _parsed(data, "").graph
    except ModelError:
        return []
    outside = (t for t in _tensors(graph) if uses_external_data(t))
    return [folder / place for place in sorted({ExternalDataInfo(t).location for t in outside})]


def _read_external(graph: GraphProto, folder: Path | None, name: str) -> None:
    """Reads in data kept outside the model file, which must lie in its folder."""
    for tensor in _tensors(graph):
        if not uses_external_data(tensor):
            continue
        location = ExternalDataInfo(tensor).location
        if folder is None:
            raise ModelError(
                f"{name}: tensor '{tensor.name}' lies in the file '{location}': give the model's path"
            )
        home = folder.resolve()
        place = (home / location).resolve()
        if not place.is_relative_to(home):
            raise ModelError(f"{name}: tensor '{tensor.name}' lies outside the model's folder ('{location}')")
        if not place.is_file():
            raise ModelError(
                f"{name}: the file '{location}' with the data of tensor '{tensor.name}' is missing"
            )
        try:
            load_external_data_for_tensor(tensor, str(home))
        except Exception as error:  # noqa: BLE001 - the library's checks raise what they like
            raise ModelError(
                f"{name}: the data of tensor '{tensor.name}' cannot be read ({error})"
            ) from error
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def _signature(proto: ModelProto, name: str) -> Signature:
    """The inputs that are no initialisers; unknown leading axes are set to 1 in the proto too."""
    stored = {t.name for t in proto.graph.initializer}
    inputs = [i for i in proto.graph.input if i.name not in stored]
    if not inputs:
        raise ModelError(f"{name}: the model has no inputs")
    batch = {_symbol(i) for i in inputs} - {""}
    shapes = tuple(_fixed(i, batch, name) for i in inputs)
    for value in inputs:
        kind = value.type.tensor_type.elem_type
        if kind not in TYPES:
            known = TensorProto.DataType.Name(kind) if kind in TensorProto.DataType.values() else str(kind)
            raise ModelError(
                f"{name}: input '{value.name}' holds {known}; genbab reads FLOAT and DOUBLE inputs"
            )
    kinds = tuple(TYPES[i.type.tensor_type.elem_type] for i in inputs)
    return Signature(name, tuple(i.name for i in inputs), shapes, kinds, _opset(proto))


def _symbol(value: ValueInfoProto) -> str:
    """The name of the input's leading axis, if it has one."""
    axes = value.type.tensor_type.shape.dim
    return str(axes[0].dim_param) if axes else ""


def _fixed(value: ValueInfoProto, batch: set[str], name: str) -> tuple[int, ...]:
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        raise ModelError(f"{name}: input '{value.name}' is no tensor of a known shape")
    axes = value.type.tensor_type.shape.dim
    for i, axis in enumerate(axes):
        if axis.dim_value <= 0:
            if i and axis.dim_param not in batch:
                called = f"'{axis.dim_param}'" if axis.dim_param else "unknown"
                raise ModelError(
                    f"{name}: axis {i} of input '{value.name}' is {called}; genbab needs fixed shapes"
                )
            axis.dim_value = 1
    return tuple(int(axis.dim_value) for axis in axes)
