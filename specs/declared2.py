"""What a VNN-LIB 2 text declares: networks, their tensors, and the columns of all entries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from genbab.errors import SpecError
from genbab.specs.declarations import NetworkName, TensorName, joint
from genbab.specs.spec import Ints, Run

FLOATS = {"Real": "real", "F16": "float16", "F32": "float32", "F64": "float64", "BF16": "bfloat16"}
"""Element types that are accepted, and VNN-LIB's words for them; all are read as real numbers."""

MAX_SIZE = 1 << 24
"""The largest number of entries of a tensor."""


class Declared:
    """The declarations of a query; raises SpecError for what is not supported.

    Entries are numbered in order, all inputs before all outputs; tensors: per name, the number of its first
    entry and the strides of its axes; columns: the column of every entry; sizes: distinct inputs, outputs.
    networks: their names. runs: the entries that go into each run of the model, which is one run of all
    networks together where these are several.
    """

    def __init__(self, query: Any, tree: Any, source: str) -> None:
        self.query, self.tree, self.source = query, tree, source
        self.tensors: dict[str, tuple[int, list[int]]] = {}
        self.count = 0
        self.types: set[str] = set()
        self.networks = tuple(
            NetworkName(n.name, n.equal_to or "", _named(n.inputs), _named(n.outputs)) for n in query.networks
        )
        self.joint = joint(self.networks)
        self.runs = self._numbered("inputs")
        inputs = self.count
        self._numbered("outputs")
        self.columns, self.kept = self._merged(inputs)
        self.sizes = len(self.kept), self.count - inputs

    def _numbered(self, kind: str) -> list[range]:
        """Number the entries of all input (or output) tensors; the entries of each network."""
        networks = self.query.networks
        base, begin, found = networks[0], self.count, []
        for network in networks:
            start = self.count
            if network.hidden:
                raise SpecError(
                    f"{network.hidden[0].name} is a hidden tensor, which is not supported", self.source
                )
            for tensor in getattr(network, kind):
                self._tensor(tensor)
            found.append(range(start, self.count))
        if self.joint:
            return [range(begin, self.count)]
        if len({len(entries) for entries in found}) > 1:
            raise SpecError(f"the runs of {base.name} have different numbers of {kind}", self.source)
        return found

    def _tensor(self, tensor: Any) -> None:
        kind, shape = tensor.dtype.name, list(tensor.shape)
        if tensor.name in self.tensors:
            raise SpecError(f"{tensor.name} is declared twice", self.source)
        if kind not in FLOATS:
            raise SpecError(f"{tensor.name} has the type {kind}, expected real or a float", self.source)
        size = math.prod(shape)
        if not 0 < size <= MAX_SIZE:
            raise SpecError(
                f"{tensor.name} has the shape {shape}, expected 1 to {MAX_SIZE} numbers", self.source
            )
        self.types.add(kind)
        self.tensors[tensor.name] = self.count, [math.prod(shape[k + 1 :]) for k in range(len(shape))]
        self.count += size

    def name(self, column: int) -> str:
        """What the text calls an input."""
        entry = self.kept[column]
        name, (start, strides) = max(
            (t for t in self.tensors.items() if t[1][0] <= entry), key=lambda tensor: tensor[1][0]
        )
        rest, places = entry - start, []
        for stride in strides:
            places.append(str(rest // stride))
            rest %= stride
        return f"{name}[{','.join(places)}]" if strides else name

    def _merged(self, inputs: int) -> tuple[Ints, Sequence[int]]:
        """(column of every entry, entries that have a column of their own): several runs may share inputs."""
        if len(self.networks) == 1:
            return np.arange(self.count), range(inputs)
        parent = list(range(inputs))

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        for assertion in self.query.assertions:
            one = assertion.expr
            if type(one) is self.tree.Equal and type(one.lhs) is type(one.rhs) is self.tree.Var:
                a, b = self._entry(one.lhs), self._entry(one.rhs)
                if a < inputs and b < inputs:
                    low, high = sorted((root(a), root(b)))
                    parent[high] = low
        roots = np.array([root(i) for i in range(inputs)], np.int64)
        kept, place = np.unique(roots, return_inverse=True)
        outputs = np.arange(self.count - inputs) + len(kept)
        return np.concatenate([place.reshape(-1), outputs]), kept.tolist()

    def spec_runs(self) -> tuple[Run, ...]:
        """The runs, () for a single one on its plain inputs."""
        if len(self.runs) == 1 and len(self.kept) == len(self.runs[0]):
            return ()
        made = []
        for entries in self.runs:
            n = len(entries)
            columns = self.columns[entries.start : entries.stop]
            made.append(Run(np.arange(n), columns, np.ones(n), np.zeros(n)))
        return tuple(made)

    def _entry(self, variable: Any) -> int:
        """The number of a variable's entry."""
        start, strides = self.tensors[variable.name]
        for place, stride in zip(variable.indices, strides, strict=True):
            start += place * stride
        return start

    def column(self, variable: Any) -> int:
        """The column of a variable."""
        return int(self.columns[self._entry(variable)])


def _named(tensors: Sequence[Any]) -> tuple[TensorName, ...]:
    return tuple(
        TensorName(t.name, FLOATS.get(t.dtype.name, t.dtype.name), tuple(t.shape), t.onnx_name or "")
        for t in tensors
    )
