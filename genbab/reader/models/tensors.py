"""Which tensors of a file a network's nodes are, and which of them are one function of another."""

from __future__ import annotations

from collections.abc import Mapping

from genbab.network import Network, contractions
from genbab.nonlinear import Nonlinearity
from genbab.reader.convert.convert import Converted

PRODUCTS = "#products"
"""Follows the name of a matrix product for the numbers that it adds up, (..., rows, columns, inner)."""


def named(converted: Converted, network: Network) -> dict[int, str]:
    """The graph's names of nodes, where a node has the numbers of a tensor in their order."""
    known = {v.node: name for name, v in converted.tensors.items()}
    for i, product in contractions(converted.network).items():
        if product.reader in known:
            known[i] = known[product.reader] + PRODUCTS
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
        inner, roots = {i} if network.nonlinear[i].args[0] not in names else set[int](), set[int]()
    else:
        sources = set(network.sources(i))
        inner = {s for s in sources if s in network.nonlinear and s not in names}
        roots = sources - inner if inner else set()
    for part in inner:
        node = network.nonlinear[part]
        if not isinstance(node.fn, Nonlinearity):
            return set()
        argument = node.args[0]
        roots |= {argument} if argument in names else set(network.sources(argument))
    return roots
