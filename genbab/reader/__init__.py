"""ONNX models and torch modules to networks in normal form. The only importer of `onnx`."""

from __future__ import annotations

from genbab.reader.load import read_proto
from genbab.reader.model import Model, load_onnx
from genbab.reader.preprocessing import normalised
from genbab.reader.torch_export import is_program, load_program, load_torch
from genbab.reader.training import refuse_training

__all__ = [
    "Model",
    "is_program",
    "load_onnx",
    "load_program",
    "load_torch",
    "normalised",
    "read_proto",
    "refuse_training",
]
