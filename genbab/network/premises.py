"""Premises: what a specification takes for granted of hidden neurons, as intervals that cut every bound.

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
from genbab.network.maps.algebra import Identity
from genbab.network.maps.index import Index
from genbab.network.maps.roundings import UNIT
from genbab.specs import Clause, Spec
from genbab.specs.numbers.numbers import round_up

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class OutputNeuron(NamedTuple):
    """An output that is number `neuron` of node `node` plus `shift`.

    It is off by at most `relative` of the number and `error` beside.
    """

    node: int
    neuron: int
    shift: float
    relative: float = 0.0
    error: float = 0.0


class Premise(NamedTuple):
    """A number of a node that a row bounds, from above or from below; the bound is rounded outward."""

    node: int
    neuron: int
    upper: bool
    bound: float


def with_premises(network: Network, spec: Spec) -> Network:
    """The network with its premises: intervals of nodes in which every unsafe point of the spec lies.

    The same network where the spec has no hidden tensors. Rows that speak of several numbers, or only in some
    clauses, are left to the search.
    """
    if not spec.hidden or not spec.clauses:
        return network
    neurons = output_neurons(network)
    common, *others = [_bounds(neurons, clause) for clause in spec.clauses]
    for bounds in others:
        common = {k: (max if k[2] else min)(v, bounds[k]) for k, v in common.items() if k in bounds}
    intervals: dict[int, tuple[Floats, Floats]] = {}
    for (node, neuron, upper), bound in common.items():
        size = network.nodes[node].size
        ends = intervals.setdefault(node, (np.full(size, -np.inf), np.full(size, np.inf)))
        ends[upper][neuron] = bound
    tensors = {i: (torch.from_numpy(low), torch.from_numpy(high)) for i, (low, high) in intervals.items()}
    return replace(network, premises=tensors)


def _bounds(neurons: Mapping[int, OutputNeuron], clause: Clause) -> dict[tuple[int, int, bool], float]:
    """The tightest bound of the clause for each (node, neuron, whether from above)."""
    bounds: dict[tuple[int, int, bool], float] = {}
    for premise in row_premises(neurons, clause):
        if premise is not None:
            tighter = min if premise.upper else max
            before = bounds.get(premise[:3], premise.bound)
            bounds[premise[:3]] = tighter(before, premise.bound)
    return bounds


def implied(network: Network, clause: Clause) -> Bools:
    """Rows (R,) of the clause that say no more than the network's premises on relaxed nodes.

    No row where these would be all: something must be left that bounds can refute.
    """
    known = np.zeros(len(clause.rhs), bool)
    if network.premises:
        for row, premise in enumerate(row_premises(output_neurons(network), clause)):
            if premise is not None and premise.node in network.premises and premise.node in network.relaxed:
                end = float(network.premises[premise.node][premise.upper][premise.neuron])
                known[row] = end <= premise.bound if premise.upper else end >= premise.bound
    return known & ~known.all()


def row_premises(known: Mapping[int, OutputNeuron], clause: Clause) -> list[Premise | None]:
    """What each row (R,) says of a single number of a node; None where it says something else."""
    found: list[Premise | None] = []
    for row in range(len(clause.rhs)):
        used = np.flatnonzero(clause.outputs[row])
        plain = clause.inputs is None or not clause.inputs[row].any()
        place = known.get(int(used[0])) if len(used) == 1 and plain else None
        found.append(None if place is None else _premise(place, clause, row, int(used[0])))
    return found


def _premise(place: OutputNeuron, clause: Clause, row: int, column: int) -> Premise | None:
    coefficient = Fraction(float(clause.outputs[row, column]))
    limit = Fraction(float(clause.rhs[row])) / coefficient - Fraction(place.shift)
    upper = coefficient > 0
    room = Fraction(place.error) + 2 * Fraction(place.relative) * abs(limit)
    limit = limit + room if upper else limit - room
    try:
        bound = round_up(limit) if upper else -round_up(-limit)
    except OverflowError:
        return None
    return Premise(place.node, place.neuron, upper, bound)


def output_neurons(network: Network) -> dict[int, OutputNeuron]:
    """Outputs that are, up to a shift, one number of another node, by their number."""
    node = network.affine.get(network.output)
    if node is None or node.uncertainty.weights or node.uncertainty.roundoff:
        return {}
    relative, constant = node.uncertainty.roundings * UNIT, node.uncertainty.constant
    many = torch.zeros(node.size)
    for _, one in node.terms:
        many += one.reached(torch.ones(one.in_size, dtype=torch.bool, device=node.bias.device)).cpu()
    found: dict[int, OutputNeuron] = {}
    for source, one in node.terms:
        if isinstance(one, Identity | Index):
            neurons = torch.arange(node.size) if isinstance(one, Identity) else one.index
            for k in ((neurons >= 0).cpu() & (many == 1)).nonzero().flatten().tolist():
                shift = float(node.bias[k])
                error = relative * abs(shift) + (0.0 if constant is None else float(constant[k]))
                found[k] = OutputNeuron(source, int(neurons[k]), shift, relative, error * (1 + 4 * UNIT))
    return found
