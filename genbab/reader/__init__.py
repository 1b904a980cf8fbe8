"""ONNX models and torch modules to networks in normal form. The only importer of `onnx`."""

from __future__ import annotations

from genbab.reader.convert.capabilities import operators, opset_versions
from genbab.reader.models.activations import Activated, activated
from genbab.reader.models.executed import as_executed
from genbab.reader.models.hidden import exposed, showing
from genbab.reader.models.joined import (
    Joined,
    check_declared,
    check_shapes,
    element_types,
    joined,
    tensor_bytes,
)
from genbab.reader.models.model import Model, load_onnx
from genbab.reader.models.preprocessing import normalised
from genbab.reader.models.ranges import input_limits, read_within
from genbab.reader.models.save import save
from genbab.reader.models.unsimplified import unsimplified
from genbab.reader.modules.load import is_program, load_program, load_program_file, load_torch
from genbab.reader.modules.training import refuse_unready
from genbab.reader.onnx.reading import read_proto
from genbab.reader.rounding.execution import Execution

__all__ = [
    "Activated",
    "Execution",
    "Joined",
    "Model",
    "activated",
    "as_executed",
    "check_declared",
    "check_shapes",
    "element_types",
    "exposed",
    "input_limits",
    "is_program",
    "joined",
    "load_onnx",
    "load_program",
    "load_program_file",
    "load_torch",
    "normalised",
    "operators",
    "opset_versions",
    "read_proto",
    "read_within",
    "refuse_unready",
    "save",
    "showing",
    "tensor_bytes",
    "unsimplified",
]
