"""A model as it is read: its file, prepared so that what follows need not know how it was written."""

from __future__ import annotations

import os
from dataclasses import replace

from onnx import ModelProto

from genbab.reader.onnx.dictionaries import without_dictionaries
from genbab.reader.onnx.files import OLDEST_OPSET, Signature, signature_of, whole_proto
from genbab.reader.onnx.old_opsets import modern
from genbab.reader.onnx.order import sort_nodes
from genbab.reader.onnx.sparse import write_out_sparse
from genbab.reader.onnx.wanted import ALL, Wanted, narrow


def read_proto(
    source: str | os.PathLike[str] | bytes | ModelProto, wanted: Wanted = ALL
) -> tuple[ModelProto, Signature]:
    """A self-contained model of dense tensors, its nodes in order, its symbolic batch axes set to 1.

    It has the outputs, and the shapes of inputs, that are wanted.

    It is of opset 7 or newer; the signature notes where it was converted. The argument is not changed. Raises
    `ModelError` when it is missing, damaged, no ONNX model, or of an opset that is unknown or cannot be
    converted, when tensors are made from themselves, or when an input has no fixed shape or does not hold
    floating-point numbers; `UsageError` where it has not what is wanted.
    """
    proto, name = whole_proto(source)
    write_out_sparse(proto, name)
    sort_nodes(proto, name)
    narrow(proto, wanted)
    notes = without_dictionaries(proto)
    signature = signature_of(proto, name)
    newer = modern(proto, signature)
    if newer is not proto:
        notes = (*notes, f"of opset {signature.opset}, converted to {OLDEST_OPSET} by onnx")
        signature = replace(signature_of(newer, name), ones=signature.ones)
    return newer, replace(signature, notes=notes)
