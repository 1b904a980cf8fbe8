"""Which derivatives are asked for, and how they are made: forward or in reverse, whichever is cheaper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbab.network import Affine, Compose, Diagonal, Identity, Index, LinearMap, Network
from genbab.reader.derive.adjoints import Adjoints
from genbab.reader.derive.rules import Directions
from genbab.reader.derive.sketch import Maybe, Sketch
from genbab.reader.derive.source import Differentiable
from genbab.reader.derive.tangents import Primal, Tangents
from genbab.reader.domains.domains import Selection

Quantity = tuple[int, Directions]
"""(an output, the inputs it is differentiated by): no inputs for the output itself."""

REVERSE = 4
"""With more than so many times as many inputs as outputs differentiation goes backwards."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A sketch with derivatives of a network's outputs, and where each of them stands: (node, entry)."""

    source: Differentiable
    sketch: Sketch
    place: Mapping[Quantity, tuple[Maybe, int]] = field(default_factory=dict)

    def network(
        self, rows: Sequence[tuple[Maybe, int]], needs: Sequence[Iterable[int]], more: Sequence[int] = ()
    ) -> tuple[Network, dict[int, Selection]]:
        """The network whose outputs are these entries, and its selections.

        needs: per row, the outputs of the model that it is made of: it has a value only where these have one.
        more: nodes of one entry that all rows are made of, whatever cancels. That is written as 0 times them,
        which domains are read from.
        """
        sketch, size = self.sketch, len(rows)
        stacked = sketch.stacked(rows)
        none = torch.zeros(size, dtype=torch.float64)
        every = Index(torch.zeros(size, dtype=torch.long), 1)
        terms: list[tuple[int, LinearMap]] = [(node, Compose((every, Diagonal(none)))) for node in more]
        selections: dict[int, Selection] = {}
        if self.source.written is not None:
            node, selections = self._written(self.source.written)
            terms += [(node, Compose((one, Diagonal(none)))) for one in _layers(needs, sketch.size(node))]
        if terms:
            stacked = sketch.append(Affine(((stacked, Identity(size)), *terms), none))
        return Network(tuple(sketch.nodes), stacked, tuple(sketch.names)), selections

    def _written(self, network: Network) -> tuple[int, dict[int, Selection]]:
        """The output of the network as it is written, appended to the sketch, and its selections."""
        number = {0: 0}
        for i, node in enumerate(network.nodes[1:], 1):
            self.sketch.label = network.name(i)
            number[i] = self.sketch.append(node.renumbered(number))
        moved = {
            number[i]: Selection(
                number[s.condition], *(None if n is None else number[n] for n in (s.yes, s.no))
            )
            for i, s in self.source.selections.items()
        }
        return number[network.output], moved


def _layers(needs: Sequence[Iterable[int]], size: int) -> list[Index]:
    """Maps of the outputs that together read, per row, those that it needs."""
    wanted = [sorted(set(one)) for one in needs]
    made = []
    for k in range(max(map(len, wanted), default=0)):
        made.append(Index(torch.tensor([one[k] if k < len(one) else -1 for one in wanted]), size))
    return made


def differentiated_by(source: Differentiable, wanted: Iterable[Quantity]) -> Asked:
    """Primal and derivatives of outputs by inputs, in a sketch that can be built on.

    Raises `UsageError` for a function that has no derivative, naming its node.
    """
    network, wanted = source.fused, list(wanted)
    sketch = Sketch(network.entry)
    values = Primal(network, sketch)
    place: dict[Quantity, tuple[Maybe, int]] = {
        (y, x): (values.number[network.output], y) for y, x in wanted if not x
    }
    inputs, outputs = {x for _, x in wanted if x}, {y for y, x in wanted if x}
    if all(len(x) == 1 for x in inputs) and len(inputs) > REVERSE * len(outputs):
        adjoints = Adjoints(values)
        for y in sorted(outputs):
            gradient = adjoints.of(unit(network.output_size, y))
            place |= {(one, x): (gradient, x[0]) for one, x in wanted if one == y and x}
    elif inputs:
        seeds = {i: unit(network.input_size, i) for x in inputs for i in x}
        found = Tangents(values, seeds).along(sorted(inputs))
        place |= {(y, x): (found[x], y) for y, x in wanted if x}
    return Asked(source, sketch, place)


def along(source: Differentiable, vector: Tensor, order: int) -> Asked:
    """The derivatives of all outputs along a vector (D,) of the input: (y, (0, ..., 0)) each."""
    network = source.fused
    sketch, direction = Sketch(network.entry), (0,) * order
    found = Tangents(Primal(network, sketch), {0: vector}).along([direction])[direction]
    return Asked(source, sketch, {(y, direction): (found, y) for y in range(network.output_size)})


def against(source: Differentiable, form: Tensor) -> Asked:
    """The gradient of a form (O,) of the outputs by all inputs: (0, (x,)) each."""
    sketch = Sketch(source.fused.entry)
    gradient = Adjoints(Primal(source.fused, sketch)).of(form)
    return Asked(source, sketch, {(0, (x,)): (gradient, x) for x in range(source.fused.input_size)})


def unit(size: int, i: int) -> Tensor:
    """The i-th unit vector."""
    made = torch.zeros(size, dtype=torch.float64)
    made[i] = 1.0
    return made
