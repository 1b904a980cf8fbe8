"""What a VNN-LIB 2 text declares: networks, their tensors, and the columns of all entries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from genbab.errors import SpecError
from genbab.specs.form.declarations import NetworkName, TensorName, joint
from genbab.specs.form.elements import Hidden, Run
from genbab.specs.numbers.arrays import Ints

FLOATS = {"Real": "real", "F16": "float16", "F32": "float32", "F64": "float64", "BF16": "bfloat16"}
"""Element types of numbers, and VNN-LIB's words for them; all are read as real numbers."""

WHOLE = {
    **{f"I{n}": f"int{n}" for n in (8, 16, 32, 64)},
    **{f"U{n}": f"uint{n}" for n in (8, 16, 32, 64)},
    "Bool": "bool",
}
"""The same of integers, which inputs may be of: the model's own type says what they are."""

WORDS = {**FLOATS, **WHOLE}

MAX_SIZE = 1 << 24
"""The largest number of entries of a tensor."""


class NoEntry(Exception):  # becomes a SpecError with a place
    """An index below 0, which the package lets pass; the name of the tensor, the indices."""


class Declared:
    """The declarations of a query; raises SpecError for what is not supported.

    Entries are numbered in order, all inputs before all outputs; tensors: per name, the number of its first
    entry and the strides of its axes; columns: the column of every entry; sizes: distinct inputs, outputs;
    `tie` changes both. networks: their names. runs: the entries that go into each run of the model, which is
    one run of all networks together where these are several. hidden: the tensors inside of the model that any
    run declares; every run has entries for all of them, after its outputs.
    """

    def __init__(self, query: Any, source: str) -> None:
        self.query, self.source = query, source
        self.tensors: dict[str, tuple[int, list[int]]] = {}
        self.count = 0
        self.types: set[str] = set()
        self.networks = tuple(
            NetworkName(n.name, n.equal_to or "", _named(n.inputs), _named(n.outputs)) for n in query.networks
        )
        self.joint = joint(self.networks)
        self.hidden = self._hidden()
        self.runs = self._numbered("inputs")
        self.inputs = self.count
        self._numbered("outputs")
        self.tie(np.zeros((0, 2), np.int64))

    def _numbered(self, kind: str) -> list[range]:
        """Number the entries of all input (or output) tensors; the entries of each network."""
        networks = self.query.networks
        base, begin, found = networks[0], self.count, []
        for network in networks:
            start = self.count
            for tensor in getattr(network, kind):
                self.count += self._tensor(tensor)
            for one in self.hidden if kind == "outputs" else ():
                for tensor in network.hidden:
                    if _inside(tensor) == one.name:
                        self._tensor(tensor)
                self.count += one.size
            found.append(range(start, self.count))
        if self.joint:
            return [range(begin, self.count)]
        if len({len(entries) for entries in found}) > 1:
            raise SpecError(f"the runs of {base.name} have different numbers of {kind}", self.source)
        return found

    def _hidden(self) -> tuple[Hidden, ...]:
        """The tensors inside of the model that are declared; raises SpecError where they do not fit."""
        found: dict[str, Hidden] = {}
        for tensor in (t for network in self.query.networks for t in network.hidden):
            if self.joint:
                text = f"{tensor.name} is a hidden tensor, which is not supported for several models"
                raise SpecError(text, self.source)
            if tensor.dtype.name in WHOLE:
                text = (
                    f"{tensor.name} has the type {tensor.dtype.name}: hidden tensors are read as real numbers"
                )
                raise SpecError(text, self.source)
            one = Hidden(_inside(tensor), math.prod(tensor.shape))
            before = found.setdefault(one.name, one)
            if before.size != one.size:
                text = f"{tensor.name} has {one.size} numbers, '{one.name}' was declared with {before.size}"
                raise SpecError(text, self.source)
        return tuple(found.values())

    def _tensor(self, tensor: Any) -> int:
        """Let the next entries be those of a tensor; how many they are."""
        kind, shape = tensor.dtype.name, list(tensor.shape)
        if tensor.name in self.tensors:
            raise SpecError(f"{tensor.name} is declared twice", self.source)
        if kind not in WORDS:
            text = f"{tensor.name} has the type {kind}, expected real, a float, an integer or bool"
            raise SpecError(text, self.source)
        size: int = math.prod(shape)
        if not 0 < size <= MAX_SIZE:
            raise SpecError(
                f"{tensor.name} has the shape {shape}, expected 1 to {MAX_SIZE} numbers", self.source
            )
        self.types.update({kind} & FLOATS.keys())
        self.tensors[tensor.name] = self.count, [math.prod(shape[k + 1 :]) for k in range(len(shape))]
        return size

    def name(self, column: int) -> str:
        """What the text calls an input."""
        entry = int(self.kept[column])
        name, (start, strides) = max(
            (t for t in self.tensors.items() if t[1][0] <= entry), key=lambda tensor: tensor[1][0]
        )
        rest, places = entry - start, []
        for stride in strides:
            places.append(str(rest // stride))
            rest %= stride
        return f"{name}[{','.join(places)}]" if strides else name

    def tie(self, pairs: Ints) -> None:
        """Let inputs be one variable that are equal; pairs (n, 2) of entries, others are left alone."""
        mine = pairs[(pairs < self.inputs).all(axis=1)] if len(self.networks) > 1 else pairs[:0]
        roots = _roots(self.inputs, mine) if len(mine) else np.arange(self.inputs)
        self.kept, place = np.unique(roots, return_inverse=True)
        outputs = np.arange(self.count - self.inputs) + len(self.kept)
        self.columns: Ints = np.concatenate([place.reshape(-1), outputs])
        self.sizes = len(self.kept), self.count - self.inputs

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

    def entry(self, variable: Any) -> int:
        """The number of a variable's entry; raises NoEntry for an index below 0."""
        entry, strides = self.tensors[variable.name]
        places = variable.indices
        for place, stride in zip(places, strides, strict=True):
            entry += place * stride
        if places and min(places) < 0:
            raise NoEntry(variable.name, places)
        return entry

    def column(self, variable: Any) -> int:
        """The column of a variable."""
        return int(self.columns[self.entry(variable)])


def _roots(count: int, pairs: Ints) -> Ints:
    """For each of `count` numbers, the least one that the pairs (n, 2) of equal ones connect it with."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in pairs.tolist():
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return np.array([root(i) for i in range(count)], np.int64)


def _inside(tensor: Any) -> str:
    """The name of the model's tensor that a hidden tensor is."""
    name = str(tensor.onnx_name or tensor.name)
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] == '"' else name


def _named(tensors: Sequence[Any]) -> tuple[TensorName, ...]:
    return tuple(
        TensorName(t.name, WORDS.get(t.dtype.name, t.dtype.name), tuple(t.shape), t.onnx_name or "")
        for t in tensors
    )
