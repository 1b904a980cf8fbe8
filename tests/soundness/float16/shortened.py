"""Tensors of a graph that is computed in float32, rounded to a shorter type or kept as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import ml_dtypes
import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

from tests.reader.retyped import retyped
from tests.soundness.float32.machine import Program, tensors
from tests.soundness.float32.networks import Case, points
from tests.soundness.float32.styles import Array, Style, styles

KINDS = {
    "float16": (TensorProto.FLOAT16, np.dtype(np.float16), 2.0**-14),
    "bfloat16": (TensorProto.BFLOAT16, np.dtype(ml_dtypes.bfloat16), 2.0**-126),
}
"""Name to ONNX's type, numpy's, and the least normal number."""

MODES = ("rounded", "kept", "by tensor", "by reader")
"""Which tensors are rounded: all, none, some for all that read them, or some whenever they are read."""


@dataclass
class Shortened:
    """What readers take for a tensor; random choices are those of the seed."""

    kind: str
    mode: str
    flush: bool
    seed: int
    exact: frozenset[str]
    reads: int = 0

    def __call__(self, name: str, array: Array) -> Array:
        """The tensor of this name, rounded or not; those of `exact` are numbers of the type."""
        if name in self.exact or array.dtype != np.float32:
            return array
        self.reads += 1
        key = f"{self.seed} {name}" + (f" {self.reads}" if self.mode == "by reader" else "")
        return self.rounded(array) if self.mode == "rounded" or self._chosen(key) else array

    def _chosen(self, key: str) -> bool:
        return self.mode != "kept" and Random(key).random() < 0.5

    def rounded(self, array: Array) -> Array:
        """The array rounded to the type, as float32."""
        _, dtype, tiny = KINDS[self.kind]
        short = array.astype(dtype).astype(np.float32)
        return np.where(np.abs(short) < np.float32(tiny), np.float32(0), short) if self.flush else short


@dataclass(frozen=True, eq=False)
class ShortCase:
    """A case in a short type: the model that is asked about, and the same graph in float32."""

    case: Case
    kind: str
    ends: bool
    plain: ModelProto
    """The graph in float32, its constants numbers of the type."""

    def runs(self, count: int, effort: int, like: Style) -> Iterator[tuple[str, Array, Array]]:
        """What was done, points (P, ...) of the box and outputs there (P, O)."""
        program = Program.of(self.plain)
        exact = frozenset(program.constants) | (frozenset() if self.ends else {"x"})
        x = points(self.case, count, self.case.seed)
        if not self.ends:
            x = x.astype(KINDS[self.kind][1]).astype(np.float32)
        for k, style in enumerate(styles(self.case.seed, effort, like)):
            taken = Shortened(self.kind, MODES[k % len(MODES)], k % 3 == 2, self.case.seed + k, exact)
            known = tensors(program, {"x": x}, style, taken=taken)
            made = [known[name] for name in program.outputs]
            made = [y if self.ends and k % 2 else taken.rounded(y) for y in made]
            y = np.concatenate(
                [np.broadcast_to(y, (len(x), *y.shape[1:])).reshape(len(x), -1) for y in made], 1
            )
            yield f"{taken} {style}", x, y


def shortened(case: Case, kind: str, ends: bool) -> ShortCase:
    """The case in this type, its box one of such numbers; `ends`: float32 goes in and comes out."""
    element, dtype, _ = KINDS[kind]
    model = retyped(case.model, element)
    low, high = ((end if ends else end.astype(dtype)).astype(np.float32) for end in (case.low, case.high))
    made = replace(case, model=_with_ends(model, element) if ends else model, low=low, high=high)
    return ShortCase(made, kind, ends, _plain(case.model))


def _plain(model: ModelProto) -> ModelProto:
    return retyped(model, TensorProto.FLOAT)


def _with_ends(model: ModelProto, element: int) -> ModelProto:
    """The model between a conversion of its input from float32 and one of its outputs to float32."""
    made = onnx.compose.add_prefix(model, "inner_")
    graph = made.graph
    first = helper.make_node("Cast", ["x"], [graph.input[0].name], to=element)
    outputs = [o.name for o in graph.output]
    last = [helper.make_node("Cast", [o], [f"{o}_end"], to=TensorProto.FLOAT) for o in outputs]
    nodes = [first, *graph.node, *last]
    graph.input[0].name = "x"
    graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    for output in graph.output:
        output.name += "_end"
        output.type.tensor_type.elem_type = TensorProto.FLOAT
    del graph.node[:]
    graph.node.extend(nodes)
    return made
