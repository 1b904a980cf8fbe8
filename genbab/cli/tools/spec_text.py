"""Specifications as texts: in either version of VNN-LIB, with the shapes of the model that they must fit."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from genbab.cli.options.model import ReadingWords
from genbab.cli.verify.question import readable
from genbab.errors import ModelError, SpecError, UsageError

if TYPE_CHECKING:
    from genbab.specs import Spec

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Sizes:
    """The shapes of a model's inputs and outputs; `ones` says which axes were taken as 1, if any."""

    inputs: Shapes
    outputs: Shapes
    model: str
    ones: str = ""

    def fit(self, spec: Spec, name: str) -> None:
        """Raise SpecError unless the spec is about a model of these sizes."""
        count = len(spec.runs) or 1
        own = len(spec.runs[0].offset) if spec.runs else spec.input_size
        for what, found, shapes in (
            ("inputs", own, self.inputs),
            ("outputs", spec.output_size // count, self.outputs),
        ):
            if found != size(shapes):
                told = f"declares {found} {what}, but {self.model} has {size(shapes)}{self.ones}"
                raise SpecError(told, name)


def size(shapes: Shapes) -> int:
    """The numbers in tensors of these shapes together."""
    return sum(prod(shape) for shape in shapes)


def sizes_of(options: argparse.Namespace) -> Sizes | None:
    """The shapes of the tensors of the model that is named, None without one; raises `ModelError`."""
    model, words = options.model, ReadingWords.of(options)
    if model is None:
        if words:
            raise UsageError(f"{' '.join(words.words)}: there is no --model")
        return None
    readable(Path(model), "model", ModelError)
    from genbab.reader import load_onnx

    loaded = load_onnx(Path(model), check=False, wanted=words.wanted())
    return Sizes(loaded.input_shapes, loaded.output_shapes, model, loaded.taken_as_one)


def text_in(version: str, spec: Spec, sizes: Sizes | None) -> str:
    """The specification as a text of this version of VNN-LIB."""
    from genbab.specs import format_vnnlib, format_vnnlib2

    if version == "1.0":
        return format_vnnlib(spec)
    return format_vnnlib2(spec, sizes.inputs, sizes.outputs) if sizes else format_vnnlib2(spec)
