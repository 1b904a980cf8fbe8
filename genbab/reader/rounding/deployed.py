"""The network whose bounds hold for what a program computes, made of the one that says what it means.

Every node of the new network is computed to within its uncertainty: sums pay for their own rounding and for
that of the functions that they read, so that nodes stay as they are. Where a function is read by another one,
or is the output, a copy of it stands between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.network import Affine, Identity, LinearMap, Network, Node
from genbab.network.rounding.elementary import everywhere
from genbab.network.rounding.finite import AllFinite, NothingLost
from genbab.network.rounding.formats import Format
from genbab.network.rounding.steps import Rounding
from genbab.network.uncertainty import LocalError, Roundoff
from genbab.reader.rounding.closed import closed
from genbab.reader.rounding.norms import NormStep
from genbab.reader.rounding.regions import Part, Regions
from genbab.reader.tensors.values import Refused


@dataclass(frozen=True, eq=False)
class FunctionError:
    """What the program adds to a function: absolute + relative · |value|, or what an error bound says."""

    absolute: Tensor
    relative: Tensor | float
    local: LocalError | None = None


@dataclass(eq=False)
class Deployment:
    """The network under construction.

    number: where nodes of the simplified one are; copies: where their computed values are, if elsewhere.
    """

    regions: Regions
    norms: Mapping[int, tuple[NormStep, Format]] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    number: dict[int, int] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)
    errors: dict[int, FunctionError] = field(default_factory=dict)
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    covered: set[int] = field(default_factory=set)

    def network(self) -> Network:
        """The whole network."""
        old = self.regions.simplified
        for i, node in enumerate(old.nodes):
            self._add(i, node)
        output = self._ended(old.output)
        return Network(tuple(self.nodes), output, tuple(self.names), old.premises, tuple(self.origins))

    def _ended(self, i: int) -> int:
        """The outputs: node i with what is rounded after it; unknown where a number may be lost before."""
        regions, source = self.regions, self.computed(i)
        size, own = regions.simplified.nodes[i].size, None
        if regions.simplified.origin(i) != regions.lowered.output:
            try:
                part = regions.between({regions.simplified.origin(i): i}, regions.lowered.output)
            except Refused as reason:
                self.problems.append((regions.simplified.name(i), "a rewriting", str(reason)))
                return source
            self.covered.update(part.inner)
            own = self._local(part) if regions.rounded(part) else None
        dropped = self._dropped(size)
        copy = Affine(((source, Identity(size)),), torch.zeros(size, dtype=torch.float64))
        made = _with_errors(copy, own, [], regions.largest)
        every = LocalError(tuple(range(len(self.nodes))), AllFinite(size, regions.largest), Identity(size))
        roundoff = made.uncertainty.roundoff
        assert roundoff is not None
        whole = replace(roundoff, local=(*roundoff.local, every, *dropped))
        return self._append(replace(made, uncertainty=replace(made.uncertainty, roundoff=whole)), i)

    def _dropped(self, size: int) -> list[LocalError]:
        """What a rewriting leaves out of the file: the outputs are unknown where a number is lost in it."""
        regions, found = self.regions, list[LocalError]()
        old = regions.simplified
        known = {old.origin(i): i for i in range(len(old.nodes)) if old.origin(i) >= 0}
        left = regions.roundings.keys() - self.covered
        for node in sorted(left, reverse=True):
            if node in self.covered or node in known:
                continue
            try:
                part = regions.between(known, node)
            except Refused as reason:
                self.problems.append((regions.lowered.name(node), "unused", str(reason)))
                continue
            self.covered.update(part.inner)
            region, given = regions.region(part)
            sources = tuple(self.computed(source) for source in given)
            found.append(LocalError(sources, NothingLost(size, region), Identity(size)))
        return found

    def computed(self, i: int) -> int:
        """Where the value of the simplified network's node i is, as the program computes it."""
        error = self.errors.get(i)
        if error is None:
            return self.number[i]
        if i not in self.copies:
            size = self.regions.simplified.nodes[i].size
            copy = Affine(((self.number[i], Identity(size)),), torch.zeros(size, dtype=torch.float64))
            self.copies[i] = self._append(
                _with_errors(copy, None, [(error, Identity(size))], self.regions.largest), i
            )
        return self.copies[i]

    def _append(self, node: Node, named_after: int) -> int:
        self.nodes.append(node)
        self.names.append(self.regions.simplified.name(named_after))
        self.origins.append(self.regions.simplified.origin(named_after))
        return len(self.nodes) - 1

    def _add(self, i: int, node: Node) -> None:
        old = self.regions.simplified
        part = self._part(i)
        rounded = part is not None and self.regions.rounded(part)
        if i in old.affine:
            self.number[i] = self._append(self._affine(i, old.affine[i], part if rounded else None), i)
            return
        number = {source: self.computed(source) for source in node.sources}
        self.number[i] = self._append(node.renumbered(number), i)
        if rounded and part is not None:
            self.errors[i] = self._of_function(part)

    def _part(self, i: int) -> Part | None:
        """What node i stands for, if it is a tensor of the file; a problem where that is not known."""
        old = self.regions.simplified
        if not i or old.origin(i) < 0:
            return None
        try:
            part = self.regions.part(i)
        except Refused as reason:
            self.problems.append((old.name(i), "a rewriting", str(reason)))
            return None
        self.covered.update(part.inner)
        return part

    def _affine(self, i: int, node: Affine, part: Part | None) -> Affine:
        """The sum with what the program rounds in it, and in the functions that it reads."""
        error = None if part is None else self._of_sum(i, node, part)
        norm = self.norms.get(self.regions.simplified.origin(i))
        if norm is not None:
            error = self._of_norm(i, node, *norm)
        number = {source: self.number[source] for source in node.sources}
        read: list[tuple[FunctionError, LinearMap]] = []
        for source, one in node.terms:
            if source in self.errors:
                read.append((self.errors[source], one.absolute()))
        for source in node.uncertainty.sources:
            number[source] = self.computed(source)
        made = node.renumbered(number)
        return _with_errors(made, error, read, self.regions.largest)

    def _of_norm(self, i: int, node: Affine, norm: NormStep, form: Format) -> LocalError | None:
        """What the program adds to a norm: node i, which moves and scales what a grouped node has."""
        old = self.regions.simplified
        grouped = old.grouped.get(node.terms[0][0]) if len(node.terms) == 1 else None
        source = next((j for j in self.number if old.origin(j) == norm.source), None)
        if grouped is None or source is None or len(grouped.args) != 2:
            self.problems.append((old.name(i), "a norm", "it is not recognised as one"))
            return None
        sources = (source, *grouped.args)
        return LocalError(tuple(map(self.computed, sources)), norm.error(form), Identity(node.size))

    def _of_function(self, part: Part) -> FunctionError:
        """What the program adds to the function that it computes there."""
        last = part.inner[-1]
        none = torch.zeros(self.regions.lowered.nodes[last].size, dtype=torch.float64)
        here = self.regions.roundings[last] if len(part.inner) == 1 else None
        if here is not None and not here.function:
            return FunctionError(none + here.absolute, here.unit)
        alike = None if here is None else everywhere(here.function)
        if here is not None and alike is not None:
            relative = here.unit + alike.relative + here.unit * alike.relative
            return FunctionError(none + here.absolute + alike.absolute * (1 + here.unit), relative)
        return FunctionError(none, 0.0, self._local(part))

    def _local(self, part: Part) -> LocalError:
        region, given = self.regions.region(part)
        size = region.network.output_size
        return LocalError(tuple(self.computed(source) for source in given), region, Identity(size))

    def _of_sum(self, i: int, node: Affine, part: Part) -> Rounding | LocalError:
        """What the program adds to a sum: in closed form where it is one step, else by its steps."""
        read = [source for source, _ in node.terms]
        if len(set(read)) == len(read) and set(part.given.values()) == set(read):
            found = closed(self.regions.lowered, part, self.regions.roundings, self.regions.largest)
            if found is not None:
                return found
        return self._local(part)


def _with_errors(
    node: Affine,
    own: Rounding | LocalError | None,
    read: list[tuple[FunctionError, LinearMap]],
    largest: float,
) -> Affine:
    """The sum with its own rounding, and with the errors of functions that it reads through these maps."""
    doubt, local = node.uncertainty, [own] if isinstance(own, LocalError) else []
    here = own if isinstance(own, Rounding) else Rounding()
    before = max((float(torch.as_tensor(error.relative).max()) for error, _ in read), default=0.0)
    constant = torch.zeros_like(node.bias)
    for error, one in read:
        constant = constant + one.apply(error.absolute)
        if error.local is not None:
            local.append(LocalError(error.local.sources, error.local.error, one))
    sums = torch.zeros_like(node.bias) if here.sums is None else here.sums
    constant = (constant * (1 + sums) + here.absolute) * (1 + 2.0**-20)
    if doubt.constant is not None:
        constant = constant + doubt.constant
    limit = min(largest, here.largest)
    both = sums + here.unit
    roundoff = Roundoff(
        sums + before + both * before, torch.zeros_like(sums) + here.unit, tuple(local), limit
    )
    return replace(
        node,
        uncertainty=replace(doubt, constant=constant if bool(constant.any()) else None, roundoff=roundoff),
    )
