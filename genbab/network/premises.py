"""What a specification takes as given of hidden neurons: intervals that cut every bound from the start.

A row of a clause that speaks of one number of one node, in every clause of every box, holds at every unsafe
point. Bounds need to speak of no others, so the node's intervals are cut with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genbab.network.graph import Network
from genbab.network.maps.base import Identity
from genbab.network.maps.index import Index
from genbab.network.nodes import Affine
from genbab.network.uncertainty import UNIT
from genbab.specs import Clause, Spec
from genbab.specs.numbers.numbers import round_up

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Place(NamedTuple):
    """Where an output comes from: it is number `neuron` of node `node`, plus `shift`, and off by at most
    `relative` of the number and `error` beside.
    """

    node: int
    neuron: int
    shift: float
    relative: float = 0.0
    error: float = 0.0


class Fact(NamedTuple):
    """A number of a node that a row bounds, from above or from below; the bound is rounded outward."""

    node: int
    neuron: int
    upper: bool
    bound: float


def held(network: Network, spec: Spec) -> Network:
    """The network, knowing the intervals of nodes in which every unsafe point of the spec lies.

    The same network where the spec has no hidden tensors. Rows that speak of several numbers, or only in some
    clauses, are left to the search.
    """
    if not spec.hidden or not spec.clauses:
        return network
    known = places(network)
    common: dict[tuple[int, int, bool], float] | None = None
    for clause in spec.clauses:
        found: dict[tuple[int, int, bool], float] = {}
        for fact in facts(known, clause):
            if fact is not None:
                tighter = min if fact.upper else max
                before = found.get(fact[:3], fact.bound)
                found[fact[:3]] = tighter(before, fact.bound)
        if common is None:
            common = found
        else:
            common = {k: (max if k[2] else min)(v, found[k]) for k, v in common.items() if k in found}
    intervals: dict[int, tuple[Floats, Floats]] = {}
    for (node, neuron, upper), bound in (common or {}).items():
        size = network.nodes[node].size
        ends = intervals.setdefault(node, (np.full(size, -np.inf), np.full(size, np.inf)))
        ends[upper][neuron] = bound
    tensors = {i: (torch.from_numpy(low), torch.from_numpy(high)) for i, (low, high) in intervals.items()}
    return replace(network, held=tensors)


def implied(network: Network, clause: Clause) -> Bools:
    """Rows (R,) of the clause that say no more than what the network takes as given of relaxed nodes.

    No row where these would be all: something must be left that bounds can refute.
    """
    known = np.zeros(len(clause.rhs), bool)
    if network.held:
        for row, fact in enumerate(facts(places(network), clause)):
            if fact is not None and fact.node in network.held and fact.node in network.relaxed:
                end = float(network.held[fact.node][fact.upper][fact.neuron])
                known[row] = end <= fact.bound if fact.upper else end >= fact.bound
    return known & ~known.all()


def facts(known: Mapping[int, Place], clause: Clause) -> list[Fact | None]:
    """What each row (R,) says of a single number of a node; None where it says something else."""
    found: list[Fact | None] = []
    for row in range(len(clause.rhs)):
        used = np.flatnonzero(clause.outputs[row])
        plain = clause.inputs is None or not clause.inputs[row].any()
        place = known.get(int(used[0])) if len(used) == 1 and plain else None
        found.append(None if place is None else _fact(place, clause, row, int(used[0])))
    return found


def _fact(place: Place, clause: Clause, row: int, column: int) -> Fact | None:
    coefficient = Fraction(float(clause.outputs[row, column]))
    limit = Fraction(float(clause.rhs[row])) / coefficient - Fraction(place.shift)
    upper = coefficient > 0
    room = Fraction(place.error) + 2 * Fraction(place.relative) * abs(limit)
    limit = limit + room if upper else limit - room
    try:
        bound = round_up(limit) if upper else -round_up(-limit)
    except OverflowError:
        return None
    return Fact(place.node, place.neuron, upper, bound)


def places(network: Network) -> dict[int, Place]:
    """Outputs that are, up to a shift, one number of another node, by their number."""
    node = network.nodes[network.output]
    if not isinstance(node, Affine) or node.uncertainty.weights:
        return {}
    relative, constant = node.uncertainty.roundings * UNIT, node.uncertainty.constant
    many = torch.zeros(node.size)
    for _, one in node.terms:
        many += (one.absolute().apply(node.bias.new_ones(one.in_size)) > 0).cpu()
    found: dict[int, Place] = {}
    for source, one in node.terms:
        if isinstance(one, Identity | Index):
            neurons = torch.arange(node.size) if isinstance(one, Identity) else one.index
            for k in ((neurons >= 0).cpu() & (many == 1)).nonzero().flatten().tolist():
                shift = float(node.bias[k])
                error = relative * abs(shift) + (0.0 if constant is None else float(constant[k]))
                found[k] = Place(source, int(neurons[k]), shift, relative, error * (1 + 4 * UNIT))
    return found
