"""Hidden neurons in properties: what the compiled Spec says, and what verdicts about it mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import genbab
from genbab.attack import Replayer
from genbab.errors import SpecError
from genbab.network import evaluate, lifted, with_premises
from genbab.problem import queries
from genbab.reader import Model, activated, shown
from genbab.result import Result, Verdict
from genbab.specs import (
    Input,
    Network,
    Spec,
    Statement,
    Terms,
    always,
    box,
    describe,
    format_vnnlib,
    never,
)

FAST = genbab.Config(timeout=20, attack_restarts=64, attack_steps=40)
ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "tanh": torch.nn.Tanh,
    "gelu": torch.nn.GELU,
}


def made(activation: str, seed: int = 0, inputs: int = 3, width: int = 6) -> Model:
    """Two hidden layers, two outputs; its hidden tensors are FIRST and SECOND."""
    torch.manual_seed(seed)
    act = ACTIVATIONS[activation]
    module = torch.nn.Sequential(
        torch.nn.Linear(inputs, width),
        act(),
        torch.nn.Linear(width, width),
        act(),
        torch.nn.Linear(width, 2),
    ).eval()
    return genbab.load(module, example=torch.zeros(1, inputs))


def linear_layers(model: Model) -> list[str]:
    """The names of the tensors that the fully connected layers compute, the last left out."""
    return [one.name for one in activated(model)]


def terms(model: Model) -> tuple[Terms, Terms, Terms, Terms]:
    """(input, outputs, first hidden tensor, second one)."""
    first, second = linear_layers(model)
    x = Input(model.network.input_size)
    y = Network(model.network.output_size)(x)
    return x, y, y.hidden(first, 6), y.hidden(second, 6)


def sampled(model: Model, spec: Spec, count: int = 1500, seed: int = 0) -> tuple[Any, Any]:
    """Inputs of the only box (count, D) and outputs with hidden values there (count, O), in float64."""
    generator = np.random.default_rng(seed)
    low, high = spec.lower[0], spec.upper[0]
    x = low + (high - low) * generator.random((count, len(low)))
    seen = shown(model, spec.hidden)
    return x, evaluate(seen.network, torch.from_numpy(x)).numpy()


def violations(model: Model, spec: Spec) -> int:
    x, y = sampled(model, spec)
    return sum(spec.violation(a, b) is not None for a, b in zip(x, y, strict=True))


def checked(model: Model, spec: Spec, config: genbab.Config = FAST) -> Result:
    """The verdict, which sampling must not contradict, with its counterexample judged once more."""
    result = genbab.verify(model, spec, config)
    if result.verdict is Verdict.VERIFIED:
        assert violations(model, spec) == 0
    if result.counterexample is not None:
        found = result.counterexample
        assert spec.violation(found.x.astype(np.float64), found.y) is not None
    return result


@pytest.mark.parametrize("seed", (0, 1, 3))
def test_the_spec_says_at_every_point_what_the_statement_says(seed: int) -> None:
    model = made("tanh", seed)
    x, y, first, second = terms(model)
    points, values = sampled(model, never(box(x, -1, 1) & (first[0] + second[0] <= y[0])), 500)
    outputs, one, two = values[:, :2], values[:, 2:8], values[:, 8:]
    sums, gaps = one[:, 0] + 2 * two[:, 1], two[:, 2] - points[:, 0] + outputs[:, 1]
    a, b = float(np.quantile(sums, 0.7)), float(np.quantile(gaps, 0.3))
    c, d = float(np.quantile(outputs[:, 0], 0.2)), float(np.quantile(one[:, 3], 0.8))
    region = box(x, -1, 1) & (first[0] + 2 * second[1] <= a) & (second[2] >= x[0] - y[1] + b)
    spec = always((y[0] <= c) | (first[3] > d), on=region)
    within = (sums <= a) & (gaps >= b)
    unsafe = within & ~((outputs[:, 0] <= c) | (one[:, 3] > d))
    clear = np.abs(np.stack([sums - a, gaps - b, outputs[:, 0] - c, one[:, 3] - d])).min(0) > 1e-9
    points, values, within, unsafe = points[clear], values[clear], within[clear], unsafe[clear]
    assert unsafe.any() and not unsafe.all()
    found = [spec.violation(a, b) is not None for a, b in zip(points, values, strict=True)]
    assert found == unsafe.tolist()
    assert spec.premises is not None and spec.premises.hidden == spec.hidden
    taken = [spec.premises.violation(a, b) is not None for a, b in zip(points, values, strict=True)]
    assert taken == within.tolist()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", range(2))
def test_verdicts_agree_with_samples(activation: str, seed: int) -> None:
    """Thresholds around the least output among samples of the region that satisfy the constraints."""
    model = made(activation, seed)
    x, y, first, second = terms(model)
    _, values = sampled(model, never(box(x, -1, 1) & (first[0] <= 100) & (second[0] <= 100)))
    one, two = values[:, 2:8], values[:, 8:]
    middle, other = np.median(one[:, 0]), np.median(two[:, 1])
    constraints = (first[0] >= float(middle)) & (second[1] <= float(other))
    inside = values[(one[:, 0] >= middle) & (two[:, 1] <= other), 0]
    assert len(inside) > 50
    spread = float(np.ptp(values[:, 0]))
    region = box(x, -1, 1) & constraints
    broken = checked(model, always(y[0] >= float(inside.min()) + 0.02 * spread, on=region))
    assert broken.verdict is Verdict.FALSIFIED
    wide = checked(model, always(y[0] >= float(values[:, 0].min()) - spread, on=region))
    assert wide.verdict is Verdict.VERIFIED and wide.statistics["vacuous"] is False
    checked(model, always(y[0] >= float(inside.min()) - 0.05 * spread, on=region))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_is_violated_is_not_verified_without_an_attack(activation: str) -> None:
    """The search alone, by inputs and by neurons, where one in a hundred samples violates."""
    model = made(activation, 10)
    x, y, first, second = terms(model)
    _, values = sampled(model, never(box(x, -1, 1) & (first[0] + second[0] <= 100)))
    low, high = float(np.median(values[:, 2])), float(np.quantile(values[:, 9], 0.7))
    inside = values[(values[:, 2] >= low) & (values[:, 9] <= high), 0]
    limit = float(np.quantile(inside, 0.01))
    spec = always(y[0] >= limit, on=box(x, -1, 1) & (first[0] >= low) & (second[1] <= high))
    for branching in ("input", "neuron"):
        blind = FAST.with_(attack_restarts=0, timeout=0.7, branching=branching)
        assert genbab.verify(model, spec, blind).verdict is not Verdict.VERIFIED


def test_a_constraint_proves_what_is_false_without_it() -> None:
    model = made("relu", 1)
    x, y, first, second = terms(model)
    everywhere = never(box(x, -1, 1) & (second[0] <= 100))
    _, values = sampled(model, everywhere)
    top = float(values[:, 0].max())
    second_values = values[:, 2:8]
    cut = float(np.quantile(second_values[:, 0], 0.2))
    limit = float(values[second_values[:, 0] <= cut, 0].max())
    threshold = (limit + top) / 2
    assert limit < top
    plain = always((y[0] <= threshold) | (second[0] > 1000), on=box(x, -1, 1))
    assert checked(model, plain).verdict is Verdict.FALSIFIED
    region = box(x, -1, 1) & (second[0] <= cut)
    result = checked(model, always(y[0] <= threshold, on=region))
    assert result.verdict is Verdict.VERIFIED and result.statistics["vacuous"] is False


def test_candidates_outside_the_constraints_are_no_counterexamples() -> None:
    """y[0] exceeds the limit only where a hidden neuron is large, which the region excludes."""
    model = made("tanh", 2)
    x, y, first, second = terms(model)
    _, values = sampled(model, never(box(x, -1, 1) & (first[0] <= 100)))
    z = values[:, 2]
    split = float(np.quantile(z, 0.9))
    spec = always(first[0] <= split, on=box(x, -1, 1) & (first[0] <= split - 0.01))
    assert checked(model, spec).verdict is Verdict.VERIFIED
    assert checked(model, always(first[0] <= split, on=box(x, -1, 1))).verdict is Verdict.FALSIFIED
    assert genbab.find_counterexample(model, spec, FAST) is None


def test_the_replay_checks_hidden_values_of_onnxruntime() -> None:
    """Every point violates the property; only those that meet the hidden constraints are confirmed."""
    model = made("tanh", 9)
    x, y, first, second = terms(model)
    points, values = sampled(model, never(box(x, -1, 1) & (first[0] + second[0] <= 100)), 200)
    low, high = float(np.median(values[:, 2])), float(np.median(values[:, 9]))
    spec = always(y[0] <= -1000, on=box(x, -1, 1) & (first[0] >= low) & (second[1] <= high))
    seen = shown(model, spec.hidden)
    replayer = Replayer(seen)
    confirmed = 0
    for point in points.astype(np.float32):
        replayed = replayer.replay(point)
        assert len(replayed) == 2 + 6 + 6
        follows = replayed[2] >= low and replayed[9] <= high
        found = replayer.confirm(spec, point)
        assert (found is not None) == follows
        confirmed += follows
    assert 0 < confirmed < len(points)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_conclusions_about_hidden_neurons(activation: str) -> None:
    model = made(activation, 3)
    x, y, first, second = terms(model)
    _, values = sampled(model, never(box(x, -1, 1) & (second <= 100)))
    top, bottom = float(values[:, 2].max()), float(values[:, 2].min())
    room = top - bottom
    held_up = checked(model, always(second[0] <= top + 0.2 * room, on=box(x, -1, 1)))
    assert held_up.verdict is Verdict.VERIFIED and "vacuous" not in held_up.statistics
    broken = checked(model, always(second[0] <= top - 0.1 * room, on=box(x, -1, 1)))
    assert broken.verdict is Verdict.FALSIFIED
    assert checked(model, always(first[1] - second[0] <= 50, on=box(x, -1, 1))).verdict is Verdict.VERIFIED


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_impossible_constraints_are_called_vacuous(activation: str) -> None:
    model = made(activation, 4)
    x, y, first, second = terms(model)
    for impossible in (
        first[0] >= 1000,
        second[1] <= -1000,
        (first[0] >= "0.1") & (first[0] <= "-0.1"),
        first[0] + first[1] >= 1000,
    ):
        result = genbab.verify(model, always(y[0] <= -1000, on=box(x, -1, 1) & impossible), FAST)
        assert result.verdict is Verdict.VERIFIED
        assert "vacuously" in result.reason and result.statistics["vacuous"] is True


def test_a_vacuous_pattern_that_only_several_neurons_show() -> None:
    """z and -z are both at least 0.1: no interval of one of them is empty by itself."""
    first = torch.nn.Linear(2, 2)
    module = torch.nn.Sequential(first, torch.nn.ReLU(), torch.nn.Linear(2, 1)).eval()
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 0.5], [-1.0, -0.5]]))
        first.bias.zero_()
    model = genbab.load(module, example=torch.zeros(1, 2))
    (name,) = linear_layers(model)
    x = Input(2)
    y = Network(1)(x)
    z = y.hidden(name, 2)
    result = genbab.verify(model, always(y[0] <= -1000, on=box(x, -1, 1) & (z >= "0.1")), FAST)
    assert result.verdict is Verdict.VERIFIED and result.statistics["vacuous"] is True


def test_an_undecided_assumption_is_said_to_be_one() -> None:
    model = made("relu", 5)
    x, y, first, _ = terms(model)
    spec = always(y[0] <= 1000, on=box(x, -1, 1) & (first[0] >= -1000))
    result = genbab.verify(model, spec, FAST.with_(attack_restarts=0, timeout=1.0))
    assert result.verdict is Verdict.VERIFIED
    assert "not decided" in result.reason and result.statistics["vacuous"] is None


def test_constraints_cut_intervals_from_the_start_and_leave_few_rows() -> None:
    model = made("relu", 6)
    x, y, first, second = terms(model)
    region = box(x, -1, 1) & (first[:3] >= 0) & (2 * second[4] <= -0.5)
    spec = always((y[0] <= 0) & (y[1] <= 0), on=region)
    seen = shown(model, spec.hidden)
    network = with_premises(lifted(seen.network, spec), spec)
    assert len(network.premises) == 2
    ends = {tuple(end.tolist()) for pair in network.premises.values() for end in pair}
    inf = float("inf")
    assert (0.0, 0.0, 0.0, -inf, -inf, -inf) in ends
    assert (inf, inf, inf, inf, -0.25, inf) in ends
    assert queries(spec, network, torch.device("cpu")).rhs.shape == (1, 2)
    only_once = never(box(x, -1, 1) & ((y[0] <= 0) | (first[0] >= 1)))
    seen = shown(model, only_once.hidden)
    assert not with_premises(lifted(seen.network, only_once), only_once).premises


def test_clauses_that_bound_a_neuron_differently_share_the_weaker_bound() -> None:
    """In a batch of boxes and clauses, only what every unsafe point satisfies may cut an interval."""
    model = made("tanh", 8)
    x, y, first, _ = terms(model)
    _, values = sampled(model, never(box(x, -1, 1) & (first[0] <= 100)))
    low, high = (float(v) for v in np.quantile(values[:, 2], [0.2, 0.8]))
    much = float(values[:, 0].max()) + 1
    inner, outer = first[0] <= low, first[0] <= high
    spec = never(box(x, -1, 1) & ((inner & (y[0] >= much)) | (outer & (y[0] >= -much))))
    seen = shown(model, spec.hidden)
    ((_, ends),) = with_premises(lifted(seen.network, spec), spec).premises.values()
    assert float(ends[0]) == high
    between = (values[:, 2] > low) & (values[:, 2] <= high)
    assert between.any() and checked(model, spec).verdict is Verdict.FALSIFIED
    left, right = box(x, -1, 0), box(x, 0, 1)
    boxes = never((left & inner & (y[0] >= much)) | (right & outer & (y[0] >= -much)))
    assert genbab.verify(model, boxes, FAST).verdict is Verdict.FALSIFIED


def test_two_runs_have_their_own_hidden_values() -> None:
    model = made("tanh", 7)
    name = linear_layers(model)[0]
    f, a, b = Network(2), Input(3), Input(3, name="b")
    one, two = f(a), f(b)
    region = box(a, -1, 1) & box(b, -1, 1) & (one.hidden(name, 6)[0] >= two.hidden(name, 6)[0] + "0.5")
    spec = always(one[0] <= two[0] + 100, on=region)
    assert spec.output_size == 2 * (2 + 6)
    result = genbab.verify(model, spec, FAST)
    assert result.verdict is Verdict.VERIFIED and result.statistics["vacuous"] is False
    broken = genbab.verify(model, always(one[0] <= two[0] - 100, on=region), FAST)
    assert broken.counterexample is not None
    assert broken.counterexample.y[2] >= broken.counterexample.y[10] + 0.5


def test_words_that_do_not_fit() -> None:
    model = made("relu")
    name = linear_layers(model)[0]
    x = Input(3)
    y = Network(2)(x)
    assert y.hidden(name, 2, 3).shape == (2, 3)
    with pytest.raises(SpecError, match="has the shapes"):
        y.hidden(name, 5)
    for wrong in (y[0], x, y.hidden(name, 6)):
        with pytest.raises(SpecError, match="belong to the outputs of a run"):
            wrong.hidden("other", 6)

    def asked(statement: Statement) -> Spec:
        return always(y[0] <= 1, on=box(x, 0, 1) & statement)

    with pytest.raises(SpecError, match="there is no tensor or node 'nowhere'; there are"):
        genbab.verify(model, asked(y.hidden("nowhere", 6)[0] >= 0))
    other = Network(2)(x)
    wrong_size = always(other[0] <= 1, on=box(x, 0, 1) & (other.hidden(name, 4) >= 0))
    with pytest.raises(SpecError, match="has 6 numbers, the specification says 4"):
        genbab.verify(model, wrong_size)
    spec = asked(y.hidden(name, 6)[0] >= 0)
    with pytest.raises(SpecError, match="cannot say .*hidden tensors"):
        format_vnnlib(spec)
    assert any(name in line for line in describe(spec))
