"""Multipliers for what is given of hidden neurons, and hidden intervals at unsafe points."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
import pytest
import torch

import genbab
from genbab import nap
from genbab.bounds import (
    Answer,
    Engine,
    Multipliers,
    PremiseOutputs,
    Premises,
    Question,
    Rows,
    Steps,
    Tightening,
    Unsafe,
    answer,
    certify,
    output_premises,
)
from genbab.bounds.answer import _paid
from genbab.branch import neuron_root
from genbab.branch.bound.joint import narrowed
from genbab.config import Config
from genbab.driver.root import RootState, cheap, optimised
from genbab.network import evaluate, lifted, values, with_premises
from genbab.problem import Query, queries
from genbab.reader import Model, activated, shown
from genbab.result import Verdict
from genbab.specs import Spec, robustness

CPU = torch.device("cpu")
ACTIVATIONS = ("ReLU", "Tanh", "GELU", "Sigmoid")
SEEDS = range(8)
CLASSES = 3


@cache
def made(seed: int) -> Model:
    """A random network with two hidden layers."""
    torch.manual_seed(seed)
    activation = getattr(torch.nn, ACTIVATIONS[seed % len(ACTIVATIONS)])
    layers = [torch.nn.Linear(4, 6), activation(), torch.nn.Linear(6, 6), activation()]
    module = torch.nn.Sequential(*layers, torch.nn.Linear(6, CLASSES))
    for parameter in module.parameters():
        parameter.data *= 2.0
    return genbab.load(module.eval(), example=torch.zeros(1, 4))


def asked(seed: int, spare: float = 0.3) -> tuple[Model, Spec, nap.Pattern, np.ndarray]:
    """(model, ball within a pattern, the pattern, the ball's middle, which follows it): intervals around the
    middle's hidden values, some open on one side, one neuron free; spare: how much room there is.
    """
    model, random = made(seed), np.random.default_rng(seed)
    middle = random.uniform(0.3, 0.7, 4).astype(np.float32).astype(np.float64)
    names = [one.name for one in activated(model)]
    outputs, hidden = nap.hidden_values(model, names, middle[None])
    layers = []
    for name, value in zip(names, hidden, strict=True):
        low, high = (value[0] + side * random.uniform(0.2, 1, 6) * spare for side in (-1, 1))
        low[random.uniform(size=6) < 0.3], high[random.uniform(size=6) < 0.3] = -np.inf, np.inf
        low[0], high[0] = -np.inf, np.inf
        layers.append(nap.Layer(name, low, high))
    pattern = nap.Pattern(int(outputs[0].argmax()), 0.9, 1, tuple(layers))
    spec = pattern.within(robustness(middle, pattern.label, CLASSES, 0.5))
    return shown(model, spec.hidden), spec, pattern, middle


def rooted(seed: int) -> tuple[Engine, RootState, Query, torch.Tensor, torch.Tensor]:
    """(engine, root, query, points (P, 4) of the ball that follow the pattern, their outputs)."""
    model, spec, _, middle = asked(seed)
    network = with_premises(lifted(model.network, spec), spec)
    engine = Engine.of(network, Config(), CPU, lambda: None)
    query = queries(spec, engine.exact, CPU)
    state = cheap(engine, query, engine.exact.output)
    around = np.random.default_rng(seed + 100).uniform(-0.5, 0.5, (20000, 4))
    points = torch.from_numpy(middle + around)
    outputs = evaluate(engine.exact, points)
    assert spec.premises is not None
    clause = spec.premises.clauses[0]
    rows, rhs = torch.from_numpy(clause.outputs), torch.from_numpy(clause.rhs)
    follows = (outputs @ rows.T <= rhs).all(1)
    return engine, state, query, points[follows], outputs[follows]


def searched(engine: Engine, state: RootState, query: Query) -> Answer:
    """What a search finds of the query's rows, with what is known of the outputs."""
    rows, relaxations = Rows(engine.exact.output, query.matrix), engine.relaxed(state.intervals)
    premises = output_premises(engine.exact)
    return answer(engine, Question(rows, state.box, relaxations, None, premises), Steps.of(60))


@pytest.mark.parametrize("seed", SEEDS)
def test_bounds_with_multipliers_hold_for_all_that_follow(seed: int) -> None:
    """With weights that were searched for, and with any others."""
    engine, state, query, _, followers = rooted(seed)
    assert len(followers) > 20
    rows = Rows(engine.exact.output, query.matrix)
    relaxation = engine.relaxed(state.intervals).exact
    least = (followers @ query.matrix[0].T).amin(0)
    known = searched(engine, state, query)
    assert (known.bound[0] <= least).all() and known.certificate.multipliers is not None
    outputs = PremiseOutputs.of(engine.exact)
    assert outputs is not None
    unsafe = Unsafe(query.matrix[:, :1], query.rhs[:, :1])
    meeting = followers[followers @ query.matrix[0, 0] <= query.rhs[0, 0]]
    generator = torch.Generator().manual_seed(seed)
    for scale in (0.01, 0.1, 1.0):
        for given in (None, unsafe):
            size = (1, query.matrix.shape[1], len(outputs.output) + (given is not None))
            start = scale * torch.randn(size, generator=generator)
            some = Multipliers(Premises(outputs, given), state.intervals, rows.to(engine.dtype), start)
            below = certify(relaxation, some.added(rows), state.box, {})
            counted = followers if given is None else meeting
            true = (counted @ query.matrix[0].T).amin(0) if len(counted) else torch.inf
            assert (_paid(below, some.certain_price(rows)).bound[0] <= true).all()
            assert not ((some.weight > 0) & ~some.high.isfinite()).any()


def test_multipliers_tighten_what_slopes_cannot() -> None:
    """In the mean over the networks, and nowhere by much less."""
    gains = []
    for seed in SEEDS:
        engine, state, query, _, _ = rooted(seed)
        rows, relaxation = Rows(engine.exact.output, query.matrix), engine.relaxed(state.intervals).exact
        bounds = searched(engine, state, query).bound
        plain = certify(relaxation, rows, state.box, {}).bound
        gains.append(float((bounds - plain).min()))
    assert min(gains) > -1e-6 and float(np.mean(gains)) > 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_unsafe_points_keep_their_place_in_narrowed_domains(seed: int) -> None:
    engine, state, query, points, followers = rooted(seed)
    own = (query.matrix[..., :CLASSES] != 0).any(-1)
    often = (followers @ query.matrix[0].T).quantile(0.05, 0)[None]  # so that some followers are unsafe
    rhs = torch.where(own, often, query.rhs)
    query = Query(query.lower, query.upper, query.matrix, None, rhs, query.clause)
    state = RootState(query, torch.full_like(state.margins, -torch.inf), state.intervals)
    state, known = optimised(engine, state, engine.exact.output, Tightening(Steps.of(10), 99.0), 20)
    assert known is not None
    warm = known.certificate
    domains, root = neuron_root(engine, query, state.margins, state.intervals, warm, engine.exact.output)
    better = narrowed(engine, root, domains, 99.0)
    shrunk, found = 0.0, values(engine.exact, points)
    for k in range(len(domains)):
        beyond = (followers @ better.query.matrix[k].T - better.query.rhs[k]).amax(1)
        assert (beyond <= 0).any() and better.bound[k] <= beyond.min()
        inside = [value[beyond <= 0] for value in found]
        for node, (low, high) in better.hidden.items():
            assert (low[k] <= inside[node]).all() and (inside[node] <= high[k]).all()
            before = domains.hidden[node]
            assert (before[0][k] <= low[k]).all() and (high[k] <= before[1][k]).all()
            shrunk += float(((before[1] - before[0]) - (high - low))[k].sum())
    assert shrunk > 0


@pytest.mark.parametrize("seed", range(9))
@pytest.mark.parametrize("splits", ["input", "neuron"])
def test_a_planted_follower_that_is_unsafe_is_never_lost(
    seed: int, splits: Literal["input", "neuron"]
) -> None:
    """No attack finds it: the search alone must not call it verified."""
    model, _, pattern, middle = asked(seed, 0.05 if seed % 2 else 0.5)
    outputs, _ = nap.hidden_values(made(seed), [], middle[None])
    wrong = int((outputs[0] - np.eye(CLASSES)[outputs[0].argmax()] * 1e9).argmax())
    centre = middle + np.random.default_rng(seed).uniform(-0.2, 0.2, 4)
    spec = nap.Pattern(wrong, 0.9, 1, pattern.layers).within(robustness(centre, wrong, CLASSES, 0.2))
    config = Config(timeout=0.5, attack_restarts=0, branching=splits)
    assert genbab.verify(model, spec, config).verdict is not Verdict.VERIFIED
