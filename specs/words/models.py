"""The unknowns of a property of a model that is there: its inputs and outputs by their names."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from genbab.specs.words.networks import Input, Network
from genbab.specs.words.terms import Terms


class ShapedModel(Protocol):
    """What a model says of its tensors, in the order of its graph; `genbab.load` gives such models."""

    @property
    def input_names(self) -> tuple[str, ...]:
        """What its inputs are called."""

    @property
    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Their shapes."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """What its outputs are called."""

    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Their shapes."""


def variables(model: ShapedModel) -> tuple[dict[str, Terms], dict[str, Terms]]:
    """(inputs, outputs) of one run of the model: by name, in the model's order, in the shapes that they have.

    The outputs are those at these inputs. For several runs call a `Network` as often.
    """
    named = zip(model.input_names, model.input_shapes, strict=True)
    inputs = {name: Input(*shape, name=name) for name, shape in named}
    sizes = [int(np.prod(shape)) for shape in model.output_shapes]
    whole = Network(sum(sizes))(*inputs.values())
    ends = np.cumsum([0, *sizes]).tolist()
    parts = zip(model.output_names, model.output_shapes, ends, sizes, strict=False)
    return inputs, {name: whole[start : start + n].reshape(*shape) for name, shape, start, n in parts}
