"""ONNX models and torch modules to networks in normal form. The only importer of `onnx`."""

from __future__ import annotations

from genbab.reader.activations import Activated, activated
from genbab.reader.capabilities import operators, opset_versions
from genbab.reader.hidden import exposed, showing, tensors
from genbab.reader.joined import Joined, check_declared, check_shapes, element_types, joined, tensor_bytes
from genbab.reader.load import read_proto
from genbab.reader.model import Model, load_onnx
from genbab.reader.preprocessing import normalised
from genbab.reader.torch_export import is_program, load_program, load_torch
from genbab.reader.training import refuse_unready
from genbab.reader.written import as_written

__all__ = [
    "Activated",
    "Joined",
    "Model",
    "activated",
    "as_written",
    "check_declared",
    "check_shapes",
    "element_types",
    "exposed",
    "is_program",
    "joined",
    "load_onnx",
    "load_program",
    "load_torch",
    "normalised",
    "operators",
    "opset_versions",
    "read_proto",
    "refuse_unready",
    "showing",
    "tensor_bytes",
    "tensors",
]
