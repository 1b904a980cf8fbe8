"""Specifications as texts: in either version of VNN-LIB, with the shapes of the model that they must fit."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from genbab.cli.verify.question import readable
from genbab.errors import ModelError, SpecError

if TYPE_CHECKING:
    from genbab.specs import Spec

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Sizes:
    """The shapes of a model's inputs and outputs."""

    inputs: Shapes
    outputs: Shapes
    model: str

    def fit(self, spec: Spec, name: str) -> None:
        """Raise SpecError unless the spec is about a model of these sizes."""
        count = len(spec.runs) or 1
        own = len(spec.runs[0].offset) if spec.runs else spec.input_size
        for what, found, shapes in (
            ("inputs", own, self.inputs),
            ("outputs", spec.output_size // count, self.outputs),
        ):
            if found != size(shapes):
                raise SpecError(f"declares {found} {what}, but {self.model} has {size(shapes)}", name)


def size(shapes: Shapes) -> int:
    """The numbers in tensors of these shapes together."""
    return sum(prod(shape) for shape in shapes)


def sizes_of(model: str | None) -> Sizes | None:
    """The shapes of the tensors of the model at this path, None without one; raises `ModelError`."""
    if model is None:
        return None
    readable(Path(model), "model", ModelError)
    from genbab.reader import load_onnx

    loaded = load_onnx(Path(model), check=False)
    return Sizes(loaded.input_shapes, loaded.output_shapes, model)


def text_in(version: str, spec: Spec, sizes: Sizes | None) -> str:
    """The specification as a text of this version of VNN-LIB."""
    from genbab.specs import format_vnnlib, format_vnnlib2

    if version == "1.0":
        return format_vnnlib(spec)
    return format_vnnlib2(spec, sizes.inputs, sizes.outputs) if sizes else format_vnnlib2(spec)
