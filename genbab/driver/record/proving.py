"""What a run writes into its proof: names for the network's nodes, the tree, and slopes of the root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genbab.bounds import Answer, Record, Start
from genbab.branch import INPUT, Domains
from genbab.config import Config
from genbab.errors import UsageError
from genbab.network import Network
from genbab.problem import Query
from genbab.proof import ProofFile
from genbab.proof.file import Ints, Slopes
from genbab.reader import Model
from genbab.specs import Spec

Numbers = npt.NDArray[Any]
Taken = Mapping[str, tuple[list[Numbers], Numbers]]


class NodeFile(Protocol):
    """Where nodes of a proof's tree are noted: `ProofFile`, or what stands in for it."""

    def tensor(self, name: str) -> int:
        """The number of a tensor in splits."""

    def split(self, nodes: Ints, tensors: Ints, entries: Ints, points: Numbers) -> Ints:
        """Note splits (B,); the nodes (2B,) of the lower children, then those of the upper ones."""

    def hints(self, nodes: Ints, rows: Numbers, slopes: Slopes) -> None:
        """Note backward passes of rows (B, S, O) of the outputs at nodes (B,)."""


class TreeNotes:
    """What a search notes of its tree. names: of the network's nodes that are tensors of the file.

    unnamed: nodes that were split and are none.
    """

    def __init__(self, file: NodeFile, network: Network, names: Mapping[int, str]) -> None:
        self.notes, self.network, self.names = file, network, names
        self.unnamed: set[str] = set()

    def split(self, parents: Domains) -> Tensor:
        """Note the splits of domains; the nodes of the lower children, then those of the upper ones."""
        splits, number = parents.splits, parents.number
        assert splits is not None and number is not None, "a search whose root has numbers"
        tensors = [self._tensor(node) for node in splits.node.tolist()]
        parts = (t.cpu().numpy() for t in (number, splits.neuron, splits.point.double()))
        nodes, entries, points = parts
        found = self.notes.split(nodes, np.asarray(tensors), entries, points)
        return torch.from_numpy(found).to(parents.bound.device)

    def closed(self, domains: Domains) -> None:
        """Note the slopes that refuted domains."""
        starts = domains.warm.starts
        if domains.number is None or not starts or not len(domains):
            return
        rows = domains.query.matrix.cpu().numpy()
        self.notes.hints(domains.number.cpu().numpy(), rows, self._slopes(starts))

    def _tensor(self, node: int) -> int:
        """The number of a node's tensor among those of the file, -1 for the inputs."""
        if node == INPUT:
            return -1
        if node not in self.names:
            self.unnamed.add(self.network.name(node))
        return self.notes.tensor(self.names.get(node, ""))

    def _slopes(self, starts: Mapping[int, Start]) -> Taken:
        """By the function's tensor, the slopes that passes took, and their sides."""
        named = self.names.keys() & self.network.functions.keys()
        return {self.names[i]: self._sides(start) for i, start in starts.items() if i in named}

    @staticmethod
    def _sides(start: Start) -> tuple[list[Numbers], Numbers]:
        """Slopes and sides of rows (B, S, N), one box after the other: (B S, N)."""
        upper = (start.upper > 0.5).flatten(0, 1)
        slopes = [k.expand_as(start.upper).flatten(0, 1).float().cpu().numpy() for k in start.slopes]
        return slopes, upper.cpu().numpy().astype(np.uint8)


class ProofRecord(TreeNotes):
    """The proof of one run on its way.

    Raises `UsageError` that names everything for which proofs have no rule.
    """

    def __init__(self, file: ProofFile, model: Model, spec: Spec, network: Network, config: Config) -> None:
        if problems := _without_rule(spec, config):
            raise UsageError(f"no proof can be written: proofs have no rule for {', '.join(problems)}")
        super().__init__(file, network, model.tensors)
        self.file = file
        self.early: dict[int, list[tuple[str, Numbers]]] = {}
        file.functions = [*_functions(network, model.tensors), *((out, (of,)) for out, of in model.joins)]
        if config.arithmetic != "real":
            file.arithmetic, file.elementary = config.arithmetic, config.elementary
        file.begin(spec.lower, spec.upper, [clause.box for clause in spec.clauses])

    def roots(self, domains: Domains) -> Tensor:
        """The nodes of the tree that a search begins with: boxes, or clauses where neurons are split."""
        query = domains.query
        if domains.hidden:
            clauses = query.clause[:, 0].tolist()
            found = [self.file.of_clause(c, query.matrix[b].cpu().numpy()) for b, c in enumerate(clauses)]
            return torch.tensor(found, device=query.lower.device)
        return self._boxes(query)

    def tightening(self, query: Query) -> Record | None:
        """Who keeps in mind which rows of hidden nodes were bounded with default slopes, on one box.

        That is written only if slopes are, which were found on these intervals; else the checker bounds what
        it needs.
        """
        if len(query) != 1:
            return None
        box = int(self._boxes(query)[0])

        def keep(node: int, neurons: Tensor, found: Answer) -> None:
            if node in self.names:
                self.early.setdefault(box, []).append((self.names[node], neurons.cpu().numpy()))

        return keep

    def hidden(self, query: Query, node: int, neurons: Tensor, found: Answer) -> None:
        """Note how rows of a hidden node of one box were bounded."""
        if node in self.names and len(query) == 1:
            where = self._begun(query)
            self.file.hint(
                where, self.names[node], neurons.cpu().numpy(), self._slopes(found.certificate.starts)
            )

    def rows(self, query: Query, found: Answer) -> None:
        """Note how the rows of one box were bounded."""
        if len(query) == 1:
            where = self._begun(query)
            self.file.hint(where, None, query.matrix[0].cpu().numpy(), self._slopes(found.certificate.starts))

    def _begun(self, query: Query) -> int:
        """The node of a box, after what was kept in mind of it is written."""
        box = int(self._boxes(query)[0])
        for name, neurons in self.early.pop(box, ()):
            self.file.hint(box, name, neurons, {})
        return box

    def _boxes(self, query: Query) -> Tensor:
        found = self.file.roots(query.lower.cpu().numpy(), query.upper.cpu().numpy())
        return torch.from_numpy(found).to(query.lower.device)

    def finished(self, exactly: int) -> str:
        """Complete the file; where it is, or why there is none. exactly: clauses refuted in rationals."""
        if exactly:
            self.file.discard()
            return (
                f"none: {exactly} clauses were refuted in rational arithmetic, for which proofs have no rule"
            )
        if self.unnamed:
            self.file.discard()
            return f"none: {', '.join(sorted(self.unnamed))} is split, and is no tensor of the file"
        return str(self.file.path) if self.file.finish() else f"none: {self.file.failed}"


def _without_rule(spec: Spec, config: Config) -> list[str]:
    """What proofs have no rule for, in words."""
    asked = {
        f"arithmetic {config.arithmetic}": config.arithmetic not in ("real", "float32"),
        "balls": bool(spec.balls),
        "several runs of a model": bool(spec.runs),
        "products in a property": bool(spec.products),
        "hidden tensors": bool(spec.hidden),
        "premises": spec.premises is not None,
        "VNN-LIB 2": bool(spec.declared),
    }
    return [what for what, there in asked.items() if there]


def _functions(network: Network, names: Mapping[int, str]) -> list[tuple[str, tuple[str, ...]]]:
    """The functions of the network whose output and arguments are tensors of the file."""
    found = []
    for i, node in network.nonlinear.items():
        if all(j in names for j in (i, *node.args)):
            found.append((names[i], tuple(names[j] for j in node.args)))
    return found
