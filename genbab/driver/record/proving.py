"""What a run writes into its proof: names for the network's nodes, the tree, and slopes of the root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genbab.bounds import Answer
from genbab.branch import Domains
from genbab.config import Config
from genbab.errors import UsageError
from genbab.network import Network, Nonlinear
from genbab.problem import Query
from genbab.proof import ProofFile
from genbab.reader import Model
from genbab.specs import Spec

Numbers = npt.NDArray[Any]


class ProofRecord:
    """The proof of one run on its way.

    Raises `UsageError` that names everything for which proofs have no rule.
    """

    def __init__(self, file: ProofFile, model: Model, spec: Spec, network: Network, config: Config) -> None:
        if problems := _without_rule(spec, config):
            raise UsageError(f"no proof can be written: proofs have no rule for {', '.join(problems)}")
        self.file, self.network, self.names = file, network, model.tensors
        file.functions = _functions(network, model.tensors)
        file.begin(spec.lower, spec.upper)

    def roots(self, query: Query) -> Tensor:
        """The nodes (B,) of the tree for boxes of the property."""
        found = self.file.roots(query.lower.cpu().numpy(), query.upper.cpu().numpy())
        return torch.from_numpy(found).to(query.lower.device)

    def split(self, parents: Domains) -> Tensor:
        """Note the splits of domains; the nodes of the lower children, then those of the upper ones."""
        splits, number = parents.splits, parents.number
        assert splits is not None and number is not None, "a search whose root has numbers"
        parts = (number, splits.neuron, splits.point.double())
        found = self.file.split(*(t.cpu().numpy() for t in parts))
        return torch.from_numpy(found).to(parents.bound.device)

    def hidden(self, query: Query, node: int, neurons: Tensor, found: Answer) -> None:
        """Note how rows of a hidden node of one box were bounded."""
        if node in self.names and len(query) == 1:
            where = int(self.roots(query)[0])
            self.file.hint(where, self.names[node], neurons.cpu().numpy(), self._slopes(found))

    def rows(self, query: Query, found: Answer) -> None:
        """Note how the rows of one box were bounded."""
        if len(query) == 1:
            where = int(self.roots(query)[0])
            self.file.hint(where, None, query.matrix[0].cpu().numpy(), self._slopes(found))

    def finished(self, exactly: int) -> str:
        """Complete the file; where it is, or why there is none. exactly: clauses refuted in rationals."""
        if exactly:
            self.file.discard()
            return (
                f"none: {exactly} clauses were refuted in rational arithmetic, for which proofs have no rule"
            )
        return str(self.file.path) if self.file.finish() else f"none: {self.file.failed}"

    def _slopes(self, found: Answer) -> Mapping[str, tuple[list[Numbers], Numbers]]:
        """By the function's tensor, the slopes of a pass on one box, and their sides."""
        known = {}
        for i, start in found.certificate.starts.items():
            if i in self.names and isinstance(self.network.nodes[i], Nonlinear):
                upper = start.upper[0] > 0.5
                slopes = [k.expand_as(start.upper)[0].float().cpu().numpy() for k in start.slopes]
                known[self.names[i]] = slopes, upper.cpu().numpy().astype(np.uint8)
        return known


def _without_rule(spec: Spec, config: Config) -> list[str]:
    """What proofs have no rule for, in words."""
    asked = {
        f"arithmetic {config.arithmetic}": config.arithmetic != "real",
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
