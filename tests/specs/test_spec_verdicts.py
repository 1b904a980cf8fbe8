"""Specs with balls, runs and products on networks: bounds hold, verdicts and counterexamples are right."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

import genbab
from genbab import Config, Verdict
from genbab.bounds import Relaxation, Rows, propagate
from genbab.bounds.passes.certify import certify
from genbab.errors import SpecError
from genbab.network import Input as First
from genbab.network import Network as Graph
from genbab.network import evaluate, lifted
from genbab.reader import Model
from genbab.specs import (
    Ball,
    Input,
    Network,
    Spec,
    always,
    box,
    classified,
    l1,
    l2,
    monotone,
    never,
    parse_vnnlib,
    robustness,
)

QUICK = Config(timeout=20)


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(1)
    layers = [torch.nn.Linear(6, 20), torch.nn.Sigmoid(), torch.nn.Linear(20, 20), torch.nn.Tanh()]
    return genbab.load(torch.nn.Sequential(*layers, torch.nn.Linear(20, 3)), torch.zeros(1, 6))


def points_of(
    ball: Ball, count: int, generator: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Points of the ball (count, n), half of them on its surface."""
    away = generator.normal(size=(count, len(ball.centre)))
    if ball.norm == 1:
        away[::3] = (
            np.eye(len(ball.centre))[generator.integers(0, len(ball.centre), len(away[::3]))] * away[::3]
        )
    away /= np.linalg.norm(away, ball.norm, axis=1, keepdims=True)
    away[::2] *= generator.random((len(away[::2]), 1))
    return ball.centre + away * float(ball.radius) * (1 - 1e-12)


@pytest.mark.parametrize("norm", [1, 2])
def test_bounds_hold_in_the_ball_and_are_those_of_the_dual_norm(norm: int) -> None:
    rng = np.random.default_rng(norm)
    torch.manual_seed(norm)
    for trial in range(20):
        d = int(rng.integers(1, 7))
        centre = rng.normal(size=d) * 10.0 ** rng.integers(-3, 3)
        ball = (l2, l1)[norm == 1]
        x = Input(d)
        radius = Fraction(int(rng.integers(1, 50)), 10)
        spec = never(ball(x, centre, radius) & (Network(4)(x)[0] <= 0))
        network = lifted(_affine(d, rng), spec)
        low, high = (torch.from_numpy(a.copy()) for a in (spec.lower, spec.upper))
        intervals = propagate(network, (low, high))
        rows = Rows(network.output, torch.eye(4, dtype=torch.float64)[None])
        bound = certify(Relaxation(network, intervals, torch.float64), rows, (low, high), {}).bound
        values = evaluate(network, torch.from_numpy(points_of(spec.balls[0][0], 200, rng)))
        assert bool((values >= bound).all()), trial
        weight = network.nodes[network.output].terms[0][1].dense().numpy()  # type: ignore[union-attr]
        offset = network.nodes[network.output].bias.numpy()  # type: ignore[union-attr]
        dual = np.linalg.norm(weight, np.inf if norm == 1 else 2, axis=1) * float(radius)
        assert bound.numpy()[0] == pytest.approx(weight @ centre + offset - dual, rel=1e-9, abs=1e-9)


def _affine(d: int, rng: np.random.Generator) -> Graph:
    from genbab.network import Affine, Dense

    weight = torch.from_numpy(rng.normal(size=(4, d)))
    return Graph((First(d), Affine(((0, Dense(weight)),), torch.from_numpy(rng.normal(size=4)))), 1)


@pytest.mark.parametrize("norm", ["2", "1"])
def test_ball_verdicts(model: Model, norm: str) -> None:
    rng = np.random.default_rng(3)
    centre = np.full(6, 0.25)
    label = int(evaluate(model.network, torch.from_numpy(centre)).argmax())
    proved = refuted = 0
    for radius in ("0.3", "3", "8", "20"):
        spec = robustness(centre, label, 3, radius, norm=norm)
        result = genbab.verify(model, spec, QUICK)
        points = torch.from_numpy(points_of(spec.balls[0][0], 500, rng))
        wrong = bool((evaluate(model.network, points).argmax(-1) != label).any())
        if result.verdict is Verdict.VERIFIED:
            assert not wrong
            proved += 1
        if result.verdict is Verdict.FALSIFIED:
            found = result.counterexample
            assert found is not None
            assert spec.violation(found.x, found.y) is not None and spec.balls[0][0].holds(
                found.x.astype(float)
            )
            refuted += 1
    assert proved and (refuted or proved == 4)


def test_a_ball_is_proved_where_its_box_is_not(model: Model) -> None:
    centre = np.full(6, 0.25)
    label = int(evaluate(model.network, torch.from_numpy(centre)).argmax())
    ball = robustness(centre, label, 3, 0.5, norm=2)
    hull = Spec(ball.lower, ball.upper, ball.clauses, 3)
    assert genbab.verify(model, hull, QUICK).verdict is Verdict.FALSIFIED
    assert genbab.verify(model, ball, QUICK).verdict is Verdict.VERIFIED


def test_lifted_networks_compute_runs_and_products(model: Model) -> None:
    x, t = Input(6), Input(1, name="t")
    f = Network(3)
    y, z = f(x), f(x.replaced([2], t) * 0.5 + np.arange(6.0))
    spec = never(box(x, 0, 1) & box(t, 0, 1) & (y[0] * z[1] * z[1] + x[0] ** 3 - t[0] * x[1] * y[2] >= z[0]))
    network = lifted(model.network, spec)
    network.check()
    assert (network.input_size, network.output_size) == (7, spec.width)
    points = np.random.default_rng(0).random((20, 7))
    outputs = evaluate(network, torch.from_numpy(points)).numpy()
    for point, out in zip(points, outputs, strict=True):
        inputs = [point[:6], np.concatenate([point[:2], point[6:], point[3:6]]) * 0.5 + np.arange(6.0)]
        own = np.concatenate([evaluate(model.network, torch.from_numpy(x)).numpy() for x in inputs])
        assert out[:6] == pytest.approx(own, abs=1e-12)
        both = np.concatenate([point, own])
        assert out[6:] == pytest.approx([np.prod(both[list(c)]) for c in spec.products], abs=1e-12)


def test_monotonicity_of_two_runs() -> None:
    weight = torch.tensor([[1.0, -0.5], [0.5, 1.0]])
    hidden = torch.nn.Linear(2, 2)
    last = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        hidden.weight.copy_(weight)
        last.weight.copy_(torch.tensor([[1.0, 1.0]]))
    net = torch.nn.Sequential(hidden, torch.nn.Tanh(), last)
    spec = monotone([-1, 0.2], [1, 0.3], 0, 1, tolerance="0.1")
    assert genbab.verify(net, spec, QUICK, example=torch.zeros(1, 2)).verdict is Verdict.VERIFIED
    falling = monotone([-1, -1], [1, 1], 0, 1, falling=True)
    result = genbab.verify(net, falling, QUICK, example=torch.zeros(1, 2))
    assert result.verdict is Verdict.FALSIFIED and result.counterexample is not None
    found = result.counterexample
    assert falling.violation(found.x, found.y) == 0
    first, second = (run.at(found.x.astype(float)) for run in falling.runs)
    assert first[1] == second[1] and first[0] <= second[0]
    with torch.no_grad():
        ends = [float(net(torch.tensor(p[None], dtype=torch.float32))) for p in (first, second)]
    assert ends == pytest.approx(found.y.tolist(), abs=1e-6)


def test_products_of_outputs_and_relations_of_inputs(model: Model) -> None:
    x = Input(6)
    y = Network(3)(x)
    points = torch.rand(2000, 6, dtype=torch.float64)
    reached = evaluate(model.network, points)
    highest = float((reached[:, 0] * reached[:, 1]).max())
    proved = genbab.verify(model, always(y[0] * y[1] <= highest + 1, on=box(x, 0, 1)), QUICK)
    assert proved.verdict is Verdict.VERIFIED
    refuted = genbab.verify(model, always(y[0] * y[1] <= highest - 1e-4, on=box(x, 0, 1)), QUICK)
    assert refuted.verdict is Verdict.FALSIFIED
    part = points[:, 0] + points[:, 1] >= 1.5
    limit = float((reached[part, 0] - points[part, 2]).max())
    region = box(x, 0, 1) & (x[0] + x[1] >= 1.5)
    spec = always(y[0] - x[2] <= limit - 1e-3, on=region)
    result = genbab.verify(model, spec, QUICK)
    assert result.verdict is Verdict.FALSIFIED and result.counterexample is not None
    assert float(result.counterexample.x[0]) + float(result.counterexample.x[1]) >= 1.5
    assert (
        genbab.verify(model, always(y[0] - x[2] <= limit + 1, on=region), QUICK).verdict is Verdict.VERIFIED
    )


def test_a_line_of_inputs(model: Model) -> None:
    t = Input(1, name="brightness")
    y = Network(3)(np.full(6, 0.25) + t)
    label = int(evaluate(model.network, torch.full((6,), 0.25, dtype=torch.float64)).argmax())
    spec = always(classified(y, label), on=box(t, "-0.05", "0.05"))
    assert genbab.verify(model, spec, QUICK).verdict is Verdict.VERIFIED
    worst = always(~classified(y, label), on=box(t, "-0.05", "0.05"))
    assert genbab.verify(model, worst, QUICK).verdict is Verdict.FALSIFIED


def test_sizes_that_do_not_fit(model: Model) -> None:
    with pytest.raises(SpecError, match="2 runs with 2 inputs"):
        genbab.verify(model, monotone([0, 0], [1, 1], 0, 3), QUICK)
    x = Input(6)
    with pytest.raises(SpecError, match="the model has 6 and 3"):
        genbab.verify(model, always(Network(4)(x)[0] * x[0] <= 9, on=box(x, 0, 1)), QUICK)


def test_overlapping_balls_and_several_boxes_stay_sound(model: Model) -> None:
    x = Input(6)
    y = Network(3)(x)
    centre = np.full(6, 0.25)
    both = l2(x, centre, 1) & l2(x, centre + 0.1, "0.9") & l1(x[:3], centre[:3], 2)
    first = lifted(model.network, never(both & (y[0] <= 0))).nodes[0]
    assert isinstance(first, First) and len(first.within) == 1
    either = l2(x, centre, 1) | l2(x, centre + 1, 1)
    spec = never(either & (y[0] <= 0))
    first = lifted(model.network, spec).nodes[0]
    assert isinstance(first, First) and not first.within and len(spec.lower) == 2


def test_a_quadratic_of_a_file_is_a_ball() -> None:
    pytest.importorskip("vnnlib")
    head = "(vnnlib-version <2.0>)(declare-network f (declare-input X real [2])(declare-output Y real [1]))"
    text = head + "".join(f"(assert (<= X[{i}] 2.0))(assert (>= X[{i}] -2.0))" for i in (0, 1))
    text += "(assert (<= Y[0] 0.0))"
    ball = "(assert (<= (+ (* 4.0 X[0] X[0]) (* 2.0 X[0]) (* 4.0 X[1] X[1])) 3.75))"
    spec = parse_vnnlib(text + ball)  # 4 (x0 + 1/4)² + 4 x1² <= 4
    assert [b.centre.tolist() for b in spec.balls[0]] == [[-0.25, 0.0]] and spec.balls[0][0].radius == 1
    assert spec.lower.tolist() == [[-1.25, -1.0]] and not spec.products
    others: dict[str, Callable[[Any], Any]] = {
        ball.replace("3.75", "3.5"): lambda x: 4 * x[0] ** 2 + 2 * x[0] + 4 * x[1] ** 2 <= 3.5,
        ball.replace("4.0 X[1]", "5.0 X[1]"): lambda x: 4 * x[0] ** 2 + 2 * x[0] + 5 * x[1] ** 2 <= 3.75,
        ball.replace("<=", ">="): lambda x: 4 * x[0] ** 2 + 2 * x[0] + 4 * x[1] ** 2 >= 3.75,
    }
    for other, inside in others.items():
        plain = parse_vnnlib(text + other)
        assert not plain.balls and len(plain.products) == 2
        for x in np.random.default_rng(0).uniform(-2, 2, (50, 2)):
            assert (plain.violation(x, [0]) is not None) == inside(x)


def test_an_attack_knows_runs_and_products(model: Model) -> None:
    t = Input(1)
    y = Network(3)(np.full(6, 0.25) + t)
    spec = never(box(t, -1, 1) & (y[0] * y[1] >= -100))
    found = genbab.find_counterexample(model, spec)
    assert found is not None and spec.violation(found.x, found.y) == 0
