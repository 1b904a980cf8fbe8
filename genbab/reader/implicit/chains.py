"""Runs of nodes that repeat, turn after turn: what a loop became."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from genbab.network import Affine, Grouped, Input, Meaning, Network, Nonlinear

PERIODS = 24
"""Nodes of one turn at most."""


@dataclass(frozen=True)
class Chain:
    """Nodes start, start + 1, ... in `turns` turns of `period` nodes.

    Each turn's nodes are those of the turn before, and read what those read: the same nodes before `start`,
    or the nodes that come `period` later.
    """

    start: int
    period: int
    turns: int

    @property
    def end(self) -> int:
        """The node after the last turn."""
        return self.start + self.period * self.turns


def chains(network: Network, least: int) -> list[Chain]:
    """The chains of at least so many turns, in order, none of which begins inside another."""
    labels = _labels(network, least)
    found: list[Chain] = []
    at = 1
    while at < len(labels):
        chain = None if labels[at] is None else _chain_at(network, labels, at, least)
        if chain is not None:
            found.append(chain)
        at = at + 1 if chain is None else chain.end
    return found


def _chain_at(network: Network, labels: list[int | None], start: int, least: int) -> Chain | None:
    """The chain that starts here with the shortest turn."""
    for period in range(1, min(PERIODS, (len(labels) - start) // least) + 1):
        last = start + period * (least - 1)
        if labels[start] != labels[start + period] or labels[start] != labels[last]:
            continue
        i = start
        while i + period < len(labels) and _repeats(network, labels, (start, period), i):
            i += 1
        turns = (i - start) // period + 1
        if turns >= least:
            return Chain(start, period, turns)
    return None


def _repeats(network: Network, labels: list[int | None], chain: tuple[int, int], i: int) -> bool:
    """Whether the node a period after node i does the same with what comes after what i reads."""
    start, period = chain
    if labels[i] is None or labels[i] != labels[i + period]:
        return False
    pairs = zip(network.sources(i), network.sources(i + period), strict=True)
    return all(b == a + period or (a == b and a < start) for a, b in pairs)


def _labels(network: Network, least: int) -> list[int | None]:
    """Equal numbers for nodes that do the same with what they read; None where no chain may have them."""
    shapes = [node.meet(_Shape(), i, None) for i, node in enumerate(network.nodes)]
    often = Counter(shape for shape in shapes if shape is not None)
    known: dict[Hashable, int] = {}
    found: list[int | None] = []
    for i, (node, shape) in enumerate(zip(network.nodes, shapes, strict=True)):
        if shape is None or often[shape] < least:
            found.append(None)
        else:
            found.append(known.setdefault(node.meet(_Content(), i, None), len(known)))
    return found


class _Shape(Meaning[None, Hashable]):
    """What two nodes of a chain have in common at a glance; None for nodes that no chain has."""

    def input(self, i: int, node: Input, x: None) -> Hashable:
        return None

    def affine(self, i: int, node: Affine, x: None) -> Hashable:
        if node.uncertainty.roundoff is not None:
            return None
        return node.size, tuple(type(one).__name__ for _, one in node.terms)

    def nonlinear(self, i: int, node: Nonlinear, x: None) -> Hashable:
        return (node.size, node.fn) if len(node.args) == 1 else None

    def grouped(self, i: int, node: Grouped, x: None) -> Hashable:
        return None


class _Content(Meaning[None, Hashable]):
    """What a node does with what it reads."""

    def affine(self, i: int, node: Affine, x: None) -> Hashable:
        doubt = node.uncertainty
        maps = [one for _, one in (*node.terms, *doubt.weights)]
        return (*map(_content, maps), _content(node.bias), doubt.roundings, _content(doubt.constant))

    def nonlinear(self, i: int, node: Nonlinear, x: None) -> Hashable:
        return node.size, node.fn


def _content(value: Any) -> Hashable:
    """A map, a tensor, a number: equal where these are."""
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        return str(plain.dtype), tuple(plain.shape), plain.view(-1).view(torch.uint8).numpy().tobytes()
    if is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, *(_content(getattr(value, f.name)) for f in fields(value))
    return tuple(map(_content, value)) if isinstance(value, tuple | list) else value
