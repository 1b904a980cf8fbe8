"""ONNX files and bytes to a self-contained `ModelProto` whose inputs have fixed shapes."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, defs, helper
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from genbab.errors import ModelError
from genbab.network import WholeInputs
from genbab.reader.onnx.foreign import foreign
from genbab.reader.onnx.graphs import bodies
from genbab.reader.onnx.wanted import HOW_SHAPES
from genbab.reader.onnx.whole import whole_inputs
from genbab.reader.tensors import elements
from genbab.reader.tensors.values import MAX_NUMBERS, count

OLDEST_OPSET = 7
UNSTATED = 17
"""The operator set of a model that states none and has no operator of it."""

MAX_BYTES = 1 << 31
"""A model has fewer bytes, after decompression: protobuf's own limit."""
TYPES: dict[int, np.dtype[np.generic]] = {
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.DOUBLE: np.dtype(np.float64),
    TensorProto.FLOAT16: np.dtype(np.float16),
    TensorProto.BFLOAT16: np.dtype(helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16)),
    TensorProto.BOOL: np.dtype(np.bool_),
    **{code: np.dtype(helper.tensor_dtype_to_np_dtype(code)) for code in elements.BYTES},
}
"""Element types that inputs may have."""


@dataclass(frozen=True, eq=False)
class Signature:
    """What goes into a model: names, fixed shapes and types of its inputs in the graph's order; its opset.

    notes: what was done to it before it was read, for people. whole: which of all numbers that go in are
    whole ones, and between which it is read. ones: axes that it leaves open and that were taken as 1, as
    (input, axis).
    """

    source: str
    input_names: tuple[str, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    input_dtypes: tuple[np.dtype[np.generic], ...]
    opset: int
    notes: tuple[str, ...] = ()
    whole: WholeInputs | None = None
    ones: tuple[tuple[str, int], ...] = ()


def whole_proto(source: str | os.PathLike[str] | bytes | ModelProto) -> tuple[ModelProto, str]:
    """(a model as it is written, its external data read in, what to call it).

    The argument is not changed. Raises `ModelError` when it is missing, damaged, no ONNX model, or of an
    unknown opset.
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
    _complete(proto)
    _check(proto, name)
    _check_names(proto, name)
    _read_external(proto, folder, name)
    return proto, name


def _file_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            kind = os.fstat(file.fileno()).st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
                raise ModelError(f"{path}: not a file")
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(data) > MAX_BYTES:
        raise ModelError(f"{path}: longer than {MAX_BYTES} bytes, more than an ONNX model can have")
    return data


def _unpacked(data: bytes, name: str) -> bytes:
    """What gzip holds, all parts of it; never more than `MAX_BYTES`."""
    parts: list[bytes] = []
    left = MAX_BYTES
    try:
        while data:
            part = zlib.decompressobj(wbits=31)
            parts.append(part.decompress(data, left + 1))
            left -= len(parts[-1])
            if left < 0:
                raise ModelError(f"{name}: more than {MAX_BYTES} bytes after decompression")
            if not part.eof:
                raise ModelError(f"{name}: damaged gzip data (cut short)")
            data = part.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise ModelError(f"{name}: damaged gzip data ({error})") from error
    return b"".join(parts)


def _parsed(data: bytes, name: str) -> ModelProto:
    if data[:2] == b"\x1f\x8b":
        data = _unpacked(data, name)
    proto = ModelProto()
    try:
        proto.ParseFromString(data)
    except (DecodeError, ValueError) as error:
        what = foreign(data) or f"or cut short ({len(data)} bytes)"
        raise ModelError(f"{name}: not an ONNX model, {what}") from error
    return proto


def _complete(proto: ModelProto) -> None:
    """State ONNX's operator set, which onnxruntime does not need where no operator is of it."""
    used = {node.domain for body in bodies(proto) for node in body.node}
    stated = {opset.domain for opset in proto.opset_import}
    if used and used <= stated and not {"", "ai.onnx"} & stated and not proto.functions:
        proto.opset_import.add().version = UNSTATED


def _check(proto: ModelProto, name: str) -> None:
    if not proto.graph.output or not proto.opset_import:
        raise ModelError(f"{name}: not an ONNX model, or an empty one (no graph outputs)")
    opset = _opset(proto)
    newest = defs.onnx_opset_version()
    if not 0 < opset <= newest:
        raise ModelError(f"{name}: opset {opset}; genbab reads 1 to {newest}")


def _check_names(proto: ModelProto, name: str) -> None:
    """Raise `ModelError` for names that are not UTF-8 text, which protobuf gives as bytes."""
    inside = [body for body in bodies(proto) if isinstance(body, GraphProto)]
    nodes = [node for body in bodies(proto) for node in body.node]
    found: list[object] = [text for n in nodes for text in (n.op_type, n.domain, n.name, *n.input, *n.output)]
    found += [one.name for n in nodes for one in n.attribute]
    found += [v.name for g in inside for v in (*g.input, *g.output, *g.initializer)]
    found += [t.values.name for g in inside for t in g.sparse_initializer]
    found += [text for f in proto.functions for text in (f.name, f.domain, *f.input, *f.output)]
    found += [o.domain for o in proto.opset_import]
    if bad := [text for text in found if not isinstance(text, str)]:
        raise ModelError(f"{name}: damaged: the name {bad[0]!r:.80} is not UTF-8 text")


def _opset(proto: ModelProto) -> int:
    return max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=0)


def _tensors(proto: ModelProto) -> Iterator[TensorProto]:
    """All tensors stored in a model, those of sparse ones included."""
    for body in bodies(proto):
        if isinstance(body, GraphProto):
            yield from body.initializer
            for sparse in body.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for attribute in (a for node in body.node for a in node.attribute):
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("sparse_tensor"):
                yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
            yield from attribute.tensors


def external_files(data: bytes, folder: Path) -> list[Path]:
    """The files in which a model of these bytes, in this folder, keeps tensors; none where it is no model."""
    try:
        proto = _parsed(data, "")
    except ModelError:
        return []
    outside = {_location(t) for t in _tensors(proto) if uses_external_data(t)}
    return [place for name in sorted(outside) if (place := _inside(folder, name)) is not None]


def _location(tensor: TensorProto) -> str:
    """The file that a tensor says its data are in."""
    return next((str(entry.value) for entry in tensor.external_data if entry.key == "location"), "")


def _inside(folder: Path, location: str) -> Path | None:
    """The file of this name in the folder; None where it would lie elsewhere, links followed."""
    try:
        home = folder.resolve()
        place = (home / location).resolve()
        return place if place.is_relative_to(home) else None
    except (OSError, ValueError, RuntimeError):
        return None


def _read_external(proto: ModelProto, folder: Path | None, name: str) -> None:
    """Reads in data kept outside the model file, which must lie in its folder."""
    for tensor in _tensors(proto):
        if not uses_external_data(tensor):
            continue
        location = _location(tensor)
        if folder is None:
            raise ModelError(
                f"{name}: tensor '{tensor.name}' lies in the file '{location}': give the model's path"
            )
        place = _inside(folder, location)
        if place is None:
            raise ModelError(f"{name}: tensor '{tensor.name}' lies outside the model's folder ('{location}')")
        if not place.is_file():
            raise ModelError(
                f"{name}: the file '{location}' with the data of tensor '{tensor.name}' is missing"
            )
        try:
            load_external_data_for_tensor(tensor, str(folder.resolve()))
        except Exception as error:  # the library's checks raise what they like
            raise ModelError(
                f"{name}: the data of tensor '{tensor.name}' cannot be read ({error})"
            ) from error
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def signature_of(proto: ModelProto, name: str) -> Signature:
    """The inputs that are no initialisers; unknown leading axes are set to 1 in the proto too."""
    stored = {t.name for t in proto.graph.initializer}
    inputs = [i for i in proto.graph.input if i.name not in stored]
    if not inputs:
        raise ModelError(f"{name}: the model has no inputs")
    batch = {_symbol(i) for i in inputs} - {""}
    ones = tuple((v.name, i) for v in inputs for i in _open(v))
    shapes = tuple(_fixed(i, batch, name) for i in inputs)
    for value in inputs:
        kind = value.type.tensor_type.elem_type
        if kind not in TYPES:
            known = TensorProto.DataType.Name(kind) if kind in TensorProto.DataType.values() else str(kind)
            raise ModelError(
                f"{name}: input '{value.name}' holds {known}; genbab reads FLOAT, DOUBLE, FLOAT16, BFLOAT16, "
                "BOOL and INT8 to UINT64 inputs"
            )
    kinds = tuple(TYPES[i.type.tensor_type.elem_type] for i in inputs)
    names = tuple(i.name for i in inputs)
    return Signature(name, names, shapes, kinds, _opset(proto), whole=whole_inputs(shapes, kinds), ones=ones)


def _symbol(value: ValueInfoProto) -> str:
    """The name of the input's leading axis, if it has one."""
    axes = value.type.tensor_type.shape.dim
    return str(axes[0].dim_param) if axes else ""


def _open(value: ValueInfoProto) -> list[int]:
    """The axes of an input that have no length."""
    return [i for i, axis in enumerate(value.type.tensor_type.shape.dim) if axis.dim_value <= 0]


def _fixed(value: ValueInfoProto, batch: set[str], name: str) -> tuple[int, ...]:
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        how = f" ({HOW_SHAPES.format(value.name, '1,3', '1, 3')} says which it is)"
        how = how if value.type.HasField("tensor_type") else ""
        raise ModelError(f"{name}: input '{value.name}' is no tensor of a known shape{how}")
    axes = value.type.tensor_type.shape.dim
    for i, axis in enumerate(axes):
        if axis.dim_value <= 0:
            if i and axis.dim_param not in batch:
                called = f"'{axis.dim_param}'" if axis.dim_param else "unknown"
                example = [
                    str(a.dim_value) if a.dim_value > 0 else "1" if k == 0 else "N"
                    for k, a in enumerate(axes)
                ]
                how = HOW_SHAPES.format(value.name, ",".join(example), ", ".join(example))
                raise ModelError(
                    f"{name}: axis {i} of input '{value.name}' is {called}; genbab needs fixed shapes: {how}"
                )
            axis.dim_value = 1
    if count([axis.dim_value for axis in axes]) > MAX_NUMBERS:
        raise ModelError(f"{name}: input '{value.name}' has more than {MAX_NUMBERS:,} numbers")
    return tuple(int(axis.dim_value) for axis in axes)
