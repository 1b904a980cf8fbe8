"""The two walks over a network: from the input onwards, and back to it with linear forms.

What a walk does at each kind of node is its `Meaning`; the order, and what is brought where, are here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from torch import Tensor

from genbab.network.graph import Network
from genbab.network.nodes import Meaning

T = TypeVar("T")

Forms = dict[int, Tensor]
"""Linear forms (B, S, N) of the values of nodes."""


def nothing() -> None:
    """An `ask` that never ends a walk."""


def forward(
    network: Network,
    meaning: Meaning[Sequence[T], T],
    order: Iterable[int] | None = None,
    known: dict[int, T] | None = None,
    ask: Callable[[], None] = nothing,
) -> dict[int, T]:
    """What each node means, given what its sources mean, in order of `Node.sources`; by number.

    order: the nodes to go through (default: all), each after its sources; known: what some mean, which are
    not met; ask: called before each node, what it raises ends the walk.
    """
    found = dict(known or {})
    for i in range(len(network.nodes)) if order is None else order:
        if i not in found:
            ask()
            node = network.nodes[i]
            found[i] = node.meet(meaning, i, [found[s] for s in node.sources if s in found])
    return found


def backward(
    network: Network,
    forms: Forms,
    meaning: Meaning[Tensor, Iterable[tuple[int, Tensor]]],
    ask: Callable[[], None] = nothing,
) -> Tensor | None:
    """The form of the input (B, S, D) that forms of nodes become, None for 0.

    Each node, from the last one, says of which sources its form becomes which forms; those of one node add
    up. ask: called before each node, what it raises ends the walk.
    """
    forms = dict(forms)
    for i in range(max(forms, default=0), 0, -1):
        form = forms.pop(i, None)
        if form is None:
            continue
        ask()
        for source, more in network.nodes[i].meet(meaning, i, form):
            forms[source] = forms[source] + more if source in forms else more
    return forms.get(0)
