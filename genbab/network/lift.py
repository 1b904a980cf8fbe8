"""A network made to fit a specification: run several times, its input made of others, products as outputs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from genbab.errors import SpecError
from genbab.network.ball import within
from genbab.network.graph import Network
from genbab.network.maps.algebra import Identity
from genbab.network.maps.base import LinearMap
from genbab.network.maps.composition import compose
from genbab.network.maps.index import Index
from genbab.network.maps.weighted import Diagonal
from genbab.network.nodes import Affine, Input, Node, Nonlinear
from genbab.network.simplify import simplify
from genbab.network.whole import WholeInputs
from genbab.nonlinear import Product, make
from genbab.specs import Run, Spec


def lifted(network: Network, spec: Spec) -> Network:
    """The network from the spec's variables to what its rows speak of: outputs of all runs, then products.

    The same network where the spec asks for nothing of the kind. Balls that all boxes have in common are
    known to its input. Raises SpecError when the sizes do not fit.
    """
    runs = spec.runs
    wrong = [len(run.offset) for run in runs if len(run.offset) != network.input_size]
    count = len(runs) or 1
    if wrong or (runs and spec.output_size != count * network.output_size):
        raise SpecError(
            f"the specification speaks of {count} runs with {(wrong or [network.input_size])[0]} inputs and "
            f"{spec.output_size} outputs in all, the model has {network.input_size} and {network.output_size}"
        )
    if not runs and (spec.input_size, spec.output_size) != (network.input_size, network.output_size):
        return network  # the sizes are complained about where the rows are put together
    if runs or spec.products:
        network = _built(network, spec)
    balls = within(spec)
    if balls is None:
        return network
    return network.with_nodes({0: replace(network.entry, within=balls)})


def _built(network: Network, spec: Spec) -> Network:
    nodes: list[Node] = [Input(spec.input_size, whole=whole_variables(network, spec))]
    outputs = [_copied(network, nodes, run, spec.input_size) for run in spec.runs]
    if not spec.runs:
        nodes, outputs = list(network.nodes), [network.output]
    place = {column: (0, column) for column in range(spec.input_size)}
    for k, column in enumerate(range(spec.input_size, spec.input_size + spec.output_size)):
        place[column] = outputs[k // network.output_size], k % network.output_size
    pieces = [(node, network.output_size) for node in outputs]
    pieces += _products(nodes, spec.products, place)
    nodes.append(_stacked(pieces))
    names = network.names if not spec.runs else ()
    made = Network(tuple(nodes), len(nodes) - 1, names)
    made.check()
    plain = all((run.value == 1).all() and not run.offset.any() for run in spec.runs)
    return simplify(made) if plain else made  # weights times factors of sums would have to be rounded


def whole_variables(network: Network, spec: Spec) -> WholeInputs | None:
    """Those of the spec's variables that are integers: the network's own, or what runs put into these."""
    whole = network.entry.whole
    if whole is None or not spec.runs:
        return whole
    mine = [run.column[np.isin(run.row, whole.columns.cpu().numpy())] for run in spec.runs]
    columns = torch.from_numpy(np.unique(np.concatenate(mine)))
    end = torch.full((len(columns),), np.inf, dtype=torch.float64)
    return WholeInputs(columns, -end, end)


def _copied(network: Network, nodes: list[Node], run: Run, size: int) -> int:
    """Add one run of the network to the nodes; returns its output."""
    nodes.append(Affine(tuple((0, part) for part in _maps(run, size)), torch.from_numpy(run.offset.copy())))
    shift = len(nodes) - 1  # node i of the network becomes i + shift
    number = range(shift, shift + len(network.nodes))
    nodes += [node.renumbered(number) for node in network.nodes[1:]]
    return network.output + shift


def _maps(run: Run, size: int) -> list[LinearMap]:
    """Maps whose sum is the linear part of the run: the k-th takes the k-th entry of every row."""
    ranks: dict[int, int] = defaultdict(int)
    layers: list[list[int]] = []
    for entry, row in enumerate(run.row.tolist()):
        if ranks[row] == len(layers):
            layers.append([])
        layers[ranks[row]].append(entry)
        ranks[row] += 1
    maps = []
    for layer in layers:
        index, factors = np.full(len(run.offset), -1), np.ones(len(run.offset))
        index[run.row[layer]], factors[run.row[layer]] = run.column[layer], run.value[layer]
        part: LinearMap = Index(torch.from_numpy(index), size)
        if (factors != 1).any():
            part = compose(Diagonal(torch.from_numpy(factors)), part)
        maps.append(part)
    return maps


def _products(
    nodes: list[Node], products: tuple[tuple[int, ...], ...], place: dict[int, tuple[int, int]]
) -> list[tuple[int, int]]:
    """Add nodes for every product, powers where all factors are the same; returns (node, size) of each."""
    done: dict[tuple[int, ...], int] = {}

    def picked(column: int) -> int:
        if (column,) not in done:
            node, entry = place[column]
            one = Index(torch.tensor([entry]), nodes[node].size)
            nodes.append(Affine(((node, one),), torch.zeros(1, dtype=torch.float64)))
            done[(column,)] = len(nodes) - 1
        return done[(column,)]

    def made(columns: tuple[int, ...]) -> int:
        if len(columns) == 1:
            return picked(columns[0])
        if columns not in done:
            exponent = len(columns) if len(set(columns)) == 1 else 0
            if exponent:
                node = Nonlinear(make("power", exponent), (picked(columns[0]),), 1)
            else:
                cut = columns.count(columns[0])
                cut = cut if cut < len(columns) else 1
                node = Nonlinear(Product(), (made(columns[:cut]), made(columns[cut:])), 1)
            nodes.append(node)
            done[columns] = len(nodes) - 1
        return done[columns]

    return [(made(columns), 1) for columns in products]


def _stacked(pieces: list[tuple[int, int]]) -> Affine:
    """All pieces (node, size) below each other."""
    total = sum(size for _, size in pieces)
    terms: list[tuple[int, LinearMap]] = []
    start = 0
    for node, size in pieces:
        index = torch.full((total,), -1)
        index[start : start + size] = torch.arange(size)
        terms.append((node, Identity(size) if size == total else Index(index, size)))
        start += size
    return Affine(tuple(terms), _zeros(total))


def _zeros(size: int) -> Tensor:
    return torch.zeros(size, dtype=torch.float64)
