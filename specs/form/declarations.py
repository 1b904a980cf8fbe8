"""What a VNN-LIB 2 text calls its networks and tensors: to find their models, and to name what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


def whole_type(word: str) -> bool:
    """Whether VNN-LIB's word for an element type says integers or truth values."""
    return word.rstrip("0123456789") in ("int", "uint", "bool")


class TensorName(NamedTuple):
    """An input or output as it is declared: its element type in VNN-LIB's word, its shape.

    onnx_name: the name of the model's tensor, "" where the order decides.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    onnx_name: str = ""

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def whole(self) -> bool:
        """Whether it is declared to hold integers or truth values."""
        return whole_type(self.type)


class NetworkName(NamedTuple):
    """A network as it is declared; same_as: the network whose model it shares, "" for one with its own."""

    name: str
    same_as: str
    inputs: tuple[TensorName, ...]
    outputs: tuple[TensorName, ...]

    @property
    def tensors(self) -> tuple[TensorName, ...]:
        """Inputs, then outputs, in their order."""
        return self.inputs + self.outputs


def own_models(networks: Sequence[NetworkName]) -> list[str]:
    """The networks that need a model each, in their order."""
    return [n.name for n in networks if not n.same_as]


def joint(networks: Sequence[NetworkName]) -> bool:
    """Whether these are several models side by side, not several runs of the first one."""
    return any(n.same_as != networks[0].name for n in networks[1:])
