"""Which part of a lowered network a node of the simplified one stands for, and what a program rounds there.

Both networks have nodes of the same value over the reals (`Network.origins`). What a node of the simplified
one reads is computed by the program, or defined exactly by what is; between those tensors and the node's own
lie the operators whose roundings the node has to account for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from genbab.network import Affine, Grouped, Index, Input, Network, Node
from genbab.network.rounding.counts import changed_by
from genbab.network.rounding.region import ErrorRegion, places
from genbab.network.rounding.steps import Rounding
from genbab.reader.domains.needs import Needs
from genbab.reader.tensors.values import Refused


@dataclass(frozen=True, eq=False)
class Part:
    """Nodes of the lowered network, `inner`, from the tensors that are given to the last of them.

    given: by the lowered network's number, the simplified one's that has it.
    """

    inner: tuple[int, ...]
    given: Mapping[int, int]


@dataclass(eq=False)
class Regions:
    """The parts of a lowered network that the nodes of a simplified one stand for."""

    lowered: Network
    simplified: Network
    roundings: Mapping[int, Rounding]
    largest: float
    _read: dict[int, dict[int, int]] = field(default_factory=dict)

    def read(self, i: int) -> dict[int, int]:
        """The tensors that node i is computed from: the lowered network's number and the simplified one's."""
        if i not in self._read:
            node, found = self.simplified.nodes[i], dict[int, int]()
            sources = node.args[:1] if i in self.simplified.grouped else node.sources  # type: ignore[union-attr]
            for source in sources:
                origin = self.simplified.origin(source)
                found |= {origin: source} if origin >= 0 else self.read(source)
            self._read[i] = found
        return self._read[i]

    def part(self, i: int) -> Part:
        """What node i stands for; raises `Refused` where its value is made of more than it reads."""
        self._check_forms(i)
        return self.between(self.read(i), self.simplified.origin(i))

    def _check_forms(self, i: int) -> None:
        """Raises `Refused` where node i reads a tensor beside a function that is made of what makes it."""
        sources = {s for s in self.simplified.sources(i) if self.simplified.origin(s) >= 0}
        direct = {self.simplified.origin(s) for s in sources}
        made = [self.read(s).keys() for s in self.simplified.sources(i) if s not in sources]
        if made and direct:
            expanded = frozenset().union(*made)
            if any((self.lowered.ancestors[t] - {t}) & expanded for t in direct):
                raise Refused("a rewriting makes it of a tensor and of what that is made of")

    def between(self, given: Mapping[int, int], last: int) -> Part:
        """The part from these tensors to a node of the lowered network; raises as `part`."""
        if not given and last:
            given = {0: 0}  # a constant that a rewriting found
        inner, asked = self._between(given, last, Needs())
        if asked:  # the input has no place here, unless it is multiplied by 0
            if self._between(given, last, Needs(through=changed_by))[1]:
                raise Refused("a rewriting makes it of values that the file computes it without")
            given = {**given, 0: 0}
        return Part(inner, given)

    def _between(self, given: Mapping[int, int], last: int, needs: Needs) -> tuple[tuple[int, ...], bool]:
        """(the nodes from what is given to the last one, whether the input is read beside)."""
        inner, size = list[int](), self.lowered.nodes[last].size
        wanted = {last: torch.ones(1, size, dtype=torch.bool)}
        for node in range(last, 0, -1):
            mask = wanted.pop(node, None)
            if mask is None or not bool(mask.any()) or (node in given and node != last):
                continue
            inner.append(node)
            reads = self.lowered.nodes[node].meet(needs, node, mask)
            if node in self.lowered.affine:
                uncertain = self.lowered.affine[node].uncertainty.weights
                reads = [*reads, *((source, needs.through(one, mask)) for source, one in uncertain)]
            for source, read in reads:
                wanted[source] = wanted[source] | read if source in wanted else read
        return tuple(reversed(inner)), 0 in wanted and 0 not in given and bool(wanted[0].any())

    def rounded(self, part: Part) -> bool:
        """Whether the program rounds anything there."""
        return any(i in self.roundings for i in part.inner)

    def region(self, part: Part) -> tuple[ErrorRegion, tuple[int, ...]]:
        """The part as an error bound, and the simplified network's nodes that it is a function of."""
        sizes = [self.lowered.nodes[i].size for i in part.given]
        nodes: list[Node] = [Input(sum(sizes))]
        number: dict[int, int] = {}
        start = 0
        for given, size in zip(part.given, sizes, strict=True):
            here = Index(torch.arange(start, start + size), sum(sizes))
            nodes.append(Affine(((0, here),), torch.zeros(size, dtype=torch.float64)))
            number[given], start = len(nodes) - 1, start + size
        roundings: dict[int, Rounding] = {}
        for i in part.inner:
            nodes.append(_with_known(self.lowered.nodes[i], number).renumbered(number))
            number[i] = len(nodes) - 1
            if i in self.roundings:
                roundings[number[i]] = self.roundings[i]
        network = Network(tuple(nodes), len(nodes) - 1)
        place = places(network)
        return ErrorRegion(network, roundings, self.largest, place), tuple(part.given.values())


def _with_known(node: Node, number: Mapping[int, int]) -> Node:
    """A sum without the terms of nodes outside of the part: the entries that read them are not wanted."""
    if isinstance(node, Grouped):
        return replace(node, args=node.args[:1])
    if not isinstance(node, Affine):
        return node
    doubt = node.uncertainty
    terms, weights = (
        tuple((source, one) for source, one in pairs if source in number)
        for pairs in (node.terms, doubt.weights)
    )
    return replace(node, terms=terms, uncertainty=replace(doubt, weights=weights))
