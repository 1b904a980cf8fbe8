"""ONNX models and torch modules to networks in normal form. The only importer of `onnx`."""

from __future__ import annotations

from genbab.reader.convert.capabilities import operators, opset_versions
from genbab.reader.derive.beside import shown
from genbab.reader.models.activations import Activated, activated
from genbab.reader.models.executed import as_executed, turn_by_turn
from genbab.reader.models.hidden import showing
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
from genbab.reader.modules.load import load_program_file, load_torch
from genbab.reader.modules.sources import of_anything
from genbab.reader.onnx.reading import read_proto
from genbab.reader.onnx.wanted import ALL, Wanted
from genbab.reader.rounding.execution import Execution

__all__ = [
    "ALL",
    "Activated",
    "Execution",
    "Joined",
    "Model",
    "Wanted",
    "activated",
    "as_executed",
    "check_declared",
    "check_shapes",
    "element_types",
    "input_limits",
    "joined",
    "load_onnx",
    "load_program_file",
    "load_torch",
    "normalised",
    "operators",
    "of_anything",
    "opset_versions",
    "read_proto",
    "read_within",
    "save",
    "showing",
    "shown",
    "tensor_bytes",
    "turn_by_turn",
    "unsimplified",
]
