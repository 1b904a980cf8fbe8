"""Which tensors of a file a network's nodes are, and which of them are one function of another."""

from __future__ import annotations

from collections.abc import Mapping

from genbab.network import Network
from genbab.nonlinear import Nonlinearity
from genbab.reader.convert.convert import Converted


def named(converted: Converted, network: Network) -> dict[int, str]:
    """The graph's names of nodes, where a node has the numbers of a tensor in their order."""
    known = {v.node: name for name, v in converted.tensors.items()}
    return {i: known[o] for i in range(len(network.nodes)) if (o := network.origin(i)) in known}


def joins(converted: Converted, fused: Network) -> tuple[tuple[str, str], ...]:
    """(output, argument) of functions that several operators became, of which a fused network has parts.

    Such a function is scaled and shifted to be a known one: its nodes are no tensors, but its two ends are.
    """
    names = named(converted, fused)
    found = []
    for i in names:
        roots = _roots(fused, i, names)
        if len(roots) == 1 and (root := roots.pop()) in names:
            found.append((names[i], names[root]))
    return tuple(found)


def _roots(network: Network, i: int, names: Mapping[int, str]) -> set[int]:
    """The nodes of which node i is made by functions that are no tensors; {} where there are none such."""
    if i in network.nonlinear:
        parts = [i] if network.nonlinear[i].args[0] not in names else []
    else:
        sources = network.sources(i)
        parts = [s for s in sources if s in network.nonlinear and s not in names]
        if not parts:
            return set()
        parts += [s for s in sources if s not in parts]
    roots: set[int] = set()
    for part in parts:
        node = network.nonlinear.get(part)
        if node is None or (part in names and part != i):
            roots.add(part)
        elif isinstance(node.fn, Nonlinearity):
            argument = node.args[0]
            roots |= {argument} if argument in names else set(network.sources(argument))
        else:
            return set()
    return roots
