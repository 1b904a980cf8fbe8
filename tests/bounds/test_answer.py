"""One act of bounding: an answer holds, its certificate is its proof, and its sides belong to its slopes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from genbab.bounds import (
    Answer,
    Certified,
    Engine,
    Interval,
    Multipliers,
    PremiseOutputs,
    Premises,
    Question,
    Start,
    Steps,
    Unsafe,
    answer,
    certify,
    descend,
    propagate,
)
from genbab.network import Affine, Index, Network, evaluate, values
from genbab.nonlinear import functions
from tests.soundness.graphs import random_network

from .samples import TAME, assert_below, boxes, parts, row_values, samples, some_rows

CPU = torch.device("cpu")
COUNT = 8
"""Random networks per test; multiply it for a long run."""


def engine_of(network: Network, dtype: torch.dtype = torch.float32) -> Engine:
    """The network in both dtypes."""
    return Engine(network, network.to(dtype, CPU), 1 << 28)


def asked(seed: int, engine: Engine, box: Interval, premises: Premises | None = None) -> Question:
    """Random rows on the boxes, on the intervals of interval arithmetic."""
    rows = some_rows(engine.exact, seed, len(box[0]))
    relaxations = engine.relaxed(propagate(engine.exact, box))
    return Question(rows, box, relaxations, None, premises)


def premised(seed: int) -> tuple[Engine, Interval, Tensor, Premises]:
    """(engine, box, points (P, D) at which the premises hold, premises): of a hidden layer, which the outputs
    show beside a later node, every second time of a row of the outputs, too.
    """
    made = random_network(seed, inputs=2, depth=4, only=[f for f in functions() if f.name in TAME])
    box, hidden, last = boxes(seed, 2, 1), min(made.relaxed), made.nodes[made.output].size
    size = made.nodes[hidden].size
    first, second = torch.full((2, last + size), -1)
    first[:last], second[last:] = torch.arange(last), torch.arange(size)
    terms = (made.output, Index(first, last)), (hidden, Index(second, size))
    shows = Affine(terms, torch.zeros(last + size, dtype=torch.float64))
    network = Network((*made.nodes, shows), len(made.nodes))
    x = samples(box, 4000, seed)
    seen = values(network, x)[hidden][0]
    generator = torch.Generator().manual_seed(seed)
    middle, spread = seen[int(torch.randint(len(seen), (1,), generator=generator))], seen.std(0)
    low, high = (middle + sign * (0.4 + torch.rand(size, generator=generator)) * spread for sign in (-1, 1))
    high[torch.rand(size, generator=generator) < 0.3] = torch.inf
    held = ((low <= seen) & (seen <= high)).all(-1)
    engine = engine_of(replace(network, premises={hidden: (low, high)}))
    outputs = engine.exact.once(PremiseOutputs.of)
    assert outputs is not None
    if seed % 2:
        return engine, box, x[0, held], Premises(outputs)
    y = evaluate(network, x)[0]
    matrix = torch.randn(1, 1, network.output_size, generator=generator, dtype=torch.float64)
    rhs = (y[held] @ matrix[0].T).median(0).values[None]
    held &= (y @ matrix[0].T <= rhs)[:, 0]
    reach = torch.full((1, 3, size + 1), 0.1)
    return engine, box, x[0, held], Premises(outputs, Unsafe(matrix, rhs), reach)


def below_at_points(known: Answer, question: Question, network: Network, x: Tensor) -> None:
    """The certified form and the bound lie below the question's rows at points (P, D) of the only box."""
    bound, form, constant = parts(known.certified)
    seen = row_values(question.rows, network, x[None])
    line = x @ form.mT + constant[:, None]
    slack = 1e-9 * (1 + seen.abs() + x.abs() @ form.abs().mT + constant.abs()[:, None])
    assert bool((line <= seen + slack).all()) and bool((bound[:, None] <= seen + slack).all())


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
@pytest.mark.parametrize("count", (0, 8))
@pytest.mark.parametrize("seed", range(COUNT))
def test_answers_lie_below_the_rows(seed: int, count: int, dtype: torch.dtype) -> None:
    network = random_network(seed + 80, inputs=1 + seed % 3, depth=1 + seed % 4)
    engine, box = engine_of(network, dtype), boxes(seed, network.input_size, 2)
    question = asked(seed, engine, box)
    known = answer(engine, question, Steps.of(count))
    assert_below(known.certified, question.rows, network, samples(box, 300), box)


@pytest.mark.parametrize("count", (1, 20))
@pytest.mark.parametrize("seed", range(COUNT))
def test_answers_lie_below_the_rows_where_the_premises_hold(seed: int, count: int) -> None:
    """From no weights, and from any."""
    engine, box, points, premises = premised(seed)
    assert len(points) > 20
    question = asked(seed, engine, box, premises)
    first = answer(engine, question, Steps.of(count))
    assert first.certificate.multipliers is not None
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(first.certificate.multipliers.shape, generator=generator)
    other = replace(first.certificate, multipliers=first.certificate.multipliers + noise)
    second = answer(engine, question, Steps(1, rate=0.0), other)
    assert second.certificate.multipliers is not None and bool(second.certificate.multipliers.any())
    for known in (first, second):
        below_at_points(known, question, engine.exact, points)


def proved(known: Answer, question: Question, engine: Engine) -> Certified:
    """What the certificate alone proves of the question's rows."""
    warm = known.certificate
    found = certify(question.relaxations.exact, known.rows, question.box, warm.starts)
    if question.premises is None:
        assert warm.multipliers is None and known.rows is question.rows
        return found
    near, intervals = question.rows.to(engine.dtype), question.relaxations.intervals
    weights = Multipliers(question.premises, intervals, near, warm.multipliers)
    assert torch.equal(weights.added(question.rows).matrix, known.rows.matrix)
    price, down = weights.certain_price(question.rows), torch.tensor(-torch.inf, dtype=torch.float64)
    bound, constant = (torch.nextafter(end - price, down) for end in (found.bound, found.constant))
    return Certified(bound, found.form, constant)


@pytest.mark.parametrize("count", (0, 3))
@pytest.mark.parametrize("seed", range(COUNT))
def test_the_certificate_is_the_proof(seed: int, count: int) -> None:
    """Certified again without any search, it gives the very same numbers."""
    network = random_network(seed + 20, inputs=2, depth=3)
    engine = engine_of(network)
    question = asked(seed, engine, boxes(seed, 2, 2))
    known = answer(engine, question, Steps.of(count))
    for one, other in zip(parts(proved(known, question, engine)), parts(known.certified), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("seed", range(COUNT))
def test_the_certificate_with_its_weights_is_the_proof(seed: int) -> None:
    engine, box, _, premises = premised(seed)
    question = asked(seed, engine, box, premises)
    known = answer(engine, question, Steps.of(10))
    again = answer(engine, question, Steps.of(10), known.certificate)
    for found in (known, again):
        assert bool(found.bound.isfinite().all())
        for one, other in zip(parts(proved(found, question, engine)), parts(found.certified), strict=True):
            assert torch.equal(one, other)


def flipped(start: Start, seed: int, share: float) -> Start:
    """The slopes with about so many sides recorded wrongly."""
    flip = torch.rand(start.upper.shape, generator=torch.Generator().manual_seed(seed)) < share
    return Start(start.slopes, torch.where(flip, 1 - start.upper, start.upper))


@pytest.mark.parametrize("seed", range(COUNT))
def test_slopes_serve_the_sides_they_were_found_for(seed: int) -> None:
    """Where a side is another one, the default line is taken: always sound, in the mean no better than what
    the search found, and the default bound where every side is the opposite of the default pass's.
    """
    tame = [f for f in functions() if f.name in TAME]
    network = random_network(seed + 70, inputs=2, depth=3, only=tame)
    engine, box = engine_of(network), boxes(seed, 2, 2)
    question = asked(seed, engine, box)
    exact, rows, x = question.relaxations.exact, question.rows, samples(box, 300)
    known = answer(engine, question, Steps.of(40))
    starts = known.certificate.starts
    plain = certify(exact, rows, box, {}).bound
    gains = []
    for share in (0.1, 0.5, 1.0):
        found = certify(exact, rows, box, {i: flipped(one, seed, share) for i, one in starts.items()})
        assert_below(found, rows, network, x, box)
        gains.append((known.bound - found.bound)[plain.isfinite()])
    spread = (row_values(rows, network, x).amax(1) - plain)[plain.isfinite()]
    assert bool((torch.cat(gains).mean() >= -0.02 * spread.mean() - 1e-6).all())
    lines = descend(exact, rows, box, {}).lines
    wrong = {i: Start(starts[i].slopes, 1 - line.upper) for i, line in lines.items()}
    bound = certify(exact, rows, box, wrong).bound
    torch.testing.assert_close(bound, plain, rtol=1e-9, atol=1e-9)
