"""Small networks with what a search knows at their root: for tests of scores."""

from __future__ import annotations

import torch
from torch import Tensor

from genbab.bounds import (
    Answer,
    Engine,
    Interval,
    Objective,
    Relaxation,
    Rows,
    Steps,
    WarmStart,
    certify,
    cheap_intervals,
    optimise,
)
from genbab.branch import HiddenForms, Root, kink_or_middle, neuron_root
from genbab.branch.choose.neuron import view_of
from genbab.branch.choose.score import Gains
from genbab.branch.choose.scores.bbps import exact_gains
from genbab.branch.choose.view import DomainView
from genbab.network import Affine, Dense, Input, Network, Nonlinear
from genbab.nonlinear import make
from genbab.problem import Query

F64 = torch.float64
ACTIVATIONS = ("tanh", "sin", "gelu", "relu", "sigmoid", "softplus")
SEEDS = range(6)


def layered(seed: int, rows: int = 1, inputs: int = 3, width: int = 5) -> tuple[Network, Query]:
    """Two hidden layers of one activation, the second read by a product with the first, too; random rows."""
    generator = torch.Generator().manual_seed(seed)

    def dense(n: int, m: int) -> Dense:
        return Dense(torch.randn(m, n, generator=generator, dtype=F64) / n**0.5 * 1.5)

    def bias(n: int) -> Tensor:
        return torch.randn(n, generator=generator, dtype=F64) / 2

    fn = make(ACTIVATIONS[seed % len(ACTIVATIONS)])
    nodes = (
        Input(inputs),
        Affine(((0, dense(inputs, width)),), bias(width)),
        Nonlinear(fn, (1,), width),
        Affine(((2, dense(width, width)),), bias(width)),
        Nonlinear(fn, (3,), width),
        Nonlinear(make("sin"), (3,), width),
        Affine(((4, dense(width, 2)), (5, dense(width, 2))), bias(2)),
    )
    network = Network(nodes, 6)
    low = torch.randn(1, inputs, generator=generator, dtype=F64)
    matrix = torch.randn(1, rows, 2, generator=generator, dtype=F64)
    rhs = torch.zeros(1, rows, dtype=F64)
    clause = torch.zeros(1, rows, dtype=torch.long)
    return network, Query(low, low + 1.0, matrix, None, rhs, clause)


def seen(seed: int, rows: int = 1, boxes: int = 1) -> tuple[DomainView, HiddenForms, Engine, Root]:
    """A root after some steps as scores see it, all its rows open, in float64, and forms of hidden rows."""
    network, query = layered(seed, rows)
    engine = Engine(network, network, 1 << 28)
    box = (query.lower, query.upper)
    intervals = cheap_intervals(engine, box)
    relaxations = engine.relaxed(intervals)
    relaxation = relaxations.exact
    every = Rows(network.output, query.matrix)
    warm = WarmStart(optimise(relaxation, Objective(every, box), Steps.of(10)).starts)
    margins = torch.full((1, rows), -3.0, dtype=F64)
    domains, root = neuron_root(engine, query, margins, intervals, warm, network.output)
    forms = HiddenForms(engine, 1 << 24, box)
    forms.complete(relaxations)
    domains = domains.take(torch.zeros(boxes, dtype=torch.long))
    margins = margins.expand(boxes, -1)
    known = answered(relaxation, every, box, warm.expanded().mapped(lambda t: t.repeat(boxes, 1, 1)))
    view = view_of(relaxation, known, domains, margins, torch.arange(boxes), kink_or_middle)
    return view, forms, engine, root


def answered(relaxation: Relaxation, rows: Rows, box: Interval, warm: WarmStart) -> Answer:
    """What these lines prove of the rows."""
    return Answer(certify(relaxation, rows, box, warm.starts), warm, rows)


def all_exact(forms: HiddenForms, view: DomainView, node: int, anchored: bool = False) -> Gains:
    """Exact BBPS of every neuron of the node of a single domain; (1, S, N) each."""
    count = view.points(node).shape[1]
    these = view.candidates(node, torch.zeros(count, dtype=torch.long), torch.arange(count))
    gains = exact_gains(forms, view, these, anchored)
    return gains[0].T[None], gains[1].T[None]
