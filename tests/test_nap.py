"""Neural activation patterns: what is mined, what follows it, and what verdicts under a pattern mean."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genbab
from genbab import nap
from genbab.errors import SpecError, UsageError
from genbab.reader import Model, activated, shown
from genbab.result import Verdict
from genbab.specs import Input, Network, always, box, never
from genbab.studies.results import CertifiedRadius

FAST = genbab.Config(timeout=20, attack_restarts=64, attack_steps=40)
CLASSES = 3


@cache
def data() -> tuple[np.ndarray, np.ndarray]:
    """Three noisy blobs in four dimensions, and their classes."""
    generator = np.random.default_rng(0)
    centres = np.array([[0.8, 0.2, 0.2, 0.5], [0.2, 0.8, 0.3, 0.4], [0.3, 0.2, 0.8, 0.6]])
    labels = np.arange(300) % CLASSES
    return centres[labels] + 0.09 * generator.standard_normal((300, 4)), labels


@cache
def trained(name: str) -> Model:
    """A classifier of the blobs, right on nearly all of them."""
    torch.manual_seed(0)
    activation = getattr(torch.nn, name)
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 10),
        activation(),
        torch.nn.Linear(10, 10),
        activation(),
        torch.nn.Linear(10, CLASSES),
    )
    x, y = (torch.from_numpy(v) for v in data())
    optimiser = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(150):
        loss = torch.nn.functional.cross_entropy(module(x.float()), y)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    return genbab.load(module.eval(), example=torch.zeros(1, 4))


KINDS = ("ReLU", "Tanh", "GELU")


@pytest.mark.parametrize("activation", KINDS)
@pytest.mark.parametrize("delta", [0.8, 0.95, 1.0])
def test_a_mined_pattern_holds_for_the_share_it_was_mined_with(activation: str, delta: float) -> None:
    """Neuron by neuron."""
    model, (x, y) = trained(activation), data()
    names = [one.name for one in activated(model)]
    assert [one.size for one in activated(model)] == [10, 10]
    outputs, hidden = nap.hidden_values(model, names, x)
    for label, pattern in nap.mine(model, x, y, delta).items():
        own = (y == label) & (outputs.argmax(1) == y)
        assert pattern.samples == own.sum() and [one.name for one in pattern.layers] == names
        for layer, values in zip(pattern.layers, hidden, strict=True):
            inside = (layer.lower <= values[own]) & (values[own] <= layer.upper)
            assert (inside.mean(0) >= delta - 1.001 / own.sum()).all()
            assert (layer.lower <= layer.upper).all()
            if activation == "ReLU":
                on, off = (values[own] > 0).mean(0) >= delta, (values[own] <= 0).mean(0) >= delta
                assert (np.isfinite(layer.lower) == on).all() and (np.isfinite(layer.upper) == off).all()
                assert layer.constrained == (on | off).sum()
        assert delta < 1 or pattern.follows(model, x[own]).all()
        assert pattern.recall(model, x, y) == pytest.approx(pattern.follows(model, x[y == label]).mean())


@pytest.mark.parametrize("activation", KINDS)
def test_the_statement_is_what_follows_says(activation: str) -> None:
    model, (x, y) = trained(activation), data()
    pattern = nap.mine(model, x, y, 0.9)[1]
    variables = Input(4)
    outputs = Network(CLASSES)(variables)
    spec = always(outputs[0] <= 1e6, on=box(variables, -1, 2) & pattern.statement(outputs))
    assert spec.premises is not None
    seen = shown(model, spec.hidden)
    _, hidden = nap.hidden_values(model, [h.name for h in spec.hidden], x)
    values, _ = nap.hidden_values(model, [], x)
    assert [h.size for h in spec.hidden] == [10, 10] and seen.hidden == tuple(h.name for h in spec.hidden)
    found = [
        spec.premises.violation(a, np.concatenate(b)) is not None
        for a, *b in zip(x, values, *hidden, strict=True)
    ]
    follows = pattern.follows(model, x)
    assert found == follows.tolist() and follows.any() and not follows.all()


@pytest.mark.parametrize("activation", KINDS)
def test_verdicts_with_a_pattern_agree_with_samples(activation: str) -> None:
    """Around a follower, at growing radii; what is falsified follows the pattern in onnxruntime."""
    model, (x, y) = trained(activation), data()
    patterns = nap.mine(model, x, y, 0.9)
    generator = np.random.default_rng(1)
    verdicts = set()
    for label, pattern in patterns.items():
        centre = x[np.flatnonzero((y == label) & pattern.follows(model, x))[0]]
        for radius in (0.05, 0.3, 0.8):
            result = genbab.verify(model, pattern.robustness(centre, CLASSES, radius), FAST)
            verdicts.add(result.verdict)
            points = centre + radius * generator.uniform(-1, 1, (3000, 4))
            kept = points[pattern.follows(model, points)]
            outputs, _ = nap.hidden_values(model, [], kept)
            if result.verdict is Verdict.VERIFIED:
                assert (outputs.argmax(1) == label).all() and result.statistics["vacuous"] is False
            if result.counterexample is not None:
                shift = 1e-5  # float32 of onnxruntime against float64 here
                wide = nap.Pattern(label, 0.9, 1, tuple(_widened(one, shift) for one in pattern.layers))
                assert wide.follows(model, result.counterexample.x[None]).all()
    assert Verdict.VERIFIED in verdicts


@pytest.mark.parametrize("strict", [False, True])
def test_a_finished_spec_within_a_pattern_is_the_statement(strict: bool) -> None:
    """Products, relations to inputs, several boxes: decided at points as if written out."""
    model, (x, y) = trained("Tanh"), data()
    pattern = nap.mine(model, x, y, 0.9)[1]
    variables = Input(4)
    outputs = Network(CLASSES)(variables)
    near = (box(variables, 0, 1) & (variables[0] >= "0.1")) | box(variables, -1, "0.5")
    values, _ = nap.hidden_values(model, [], x)
    mixed, share = values[:, 0] * values[:, 1] - x[:, 1], pattern.follows(model, x)
    limit, total = float(np.median(mixed[share])), outputs[0] * outputs[1] - variables[1]
    much = total > limit if strict else total >= limit
    plain, whole = never(near & much), never(near & pattern.statement(outputs) & much)
    spec = pattern.within(plain)
    names = [h.name for h in spec.hidden]
    values, hidden = nap.hidden_values(model, names, x)
    rows = [np.concatenate(row) for row in zip(values, *hidden, strict=True)]
    found = [spec.violation(a, b) is not None for a, b in zip(x, rows, strict=True)]
    assert found == [whole.violation(a, b) is not None for a, b in zip(x, rows, strict=True)]
    without = [plain.violation(a, b) is not None for a, b in zip(x, values, strict=True)]
    assert any(found) and sum(found) < sum(without)
    assert spec.premises is not None and len(spec.premises.clauses) == len(plain.lower) == 2
    with pytest.raises(SpecError, match="without any of them"):
        pattern.within(spec)


def _widened(layer: nap.Layer, shift: float) -> nap.Layer:
    return nap.Layer(layer.name, layer.lower - shift, layer.upper + shift)


@pytest.mark.parametrize("activation", KINDS)
def test_planted_counterexamples(activation: str) -> None:
    """One that follows the pattern is found; where the pattern excludes all of them, it is verified."""
    model, (x, y) = trained(activation), data()
    stray = x[y == 1]
    inside = nap.mine(model, stray, np.ones(len(stray), int), 1.0, kind="interval")[1]
    planted = nap.Pattern(0, 1.0, 1, inside.layers)  # claims class 0 where the data of class 1 lies
    centre = stray[np.flatnonzero(inside.follows(model, stray))[0]]
    result = genbab.verify(model, planted.robustness(centre, CLASSES, 0.1), FAST)
    assert result.verdict is Verdict.FALSIFIED
    excluding = nap.mine(model, x, y, 1.0, kind="interval")[0]
    between = (x[y == 0].mean(0) + stray.mean(0)) / 2
    plain = genbab.specs.robustness(between, 0, CLASSES, 0.5)
    assert genbab.verify(model, plain, FAST).verdict is Verdict.FALSIFIED
    checked = genbab.verify(model, excluding.robustness(between, CLASSES, 0.02), FAST)
    assert checked.verdict is not Verdict.FALSIFIED


def test_a_pattern_of_another_class_is_vacuous_nearby() -> None:
    model, (x, y) = trained("Tanh"), data()
    pattern = nap.mine(model, x, y, 0.95)[0]
    result = genbab.verify(model, pattern.robustness(x[y == 2][0], CLASSES, 0.01), FAST)
    assert result.verdict is Verdict.VERIFIED
    assert "vacuously" in result.reason and result.statistics["vacuous"] is True


def test_patterns_survive_a_file(tmp_path: Path) -> None:
    model, (x, y) = trained("ReLU"), data()
    patterns = nap.mine(model, x, y, 0.9) | {7: nap.mine(model, x, y, 0.9, kind="interval")[1]}
    patterns[7] = nap.Pattern(7, 0.9, 3, patterns[7].layers)
    path = tmp_path / "patterns.json"
    nap.save(patterns, path)
    read = nap.load(path)
    assert list(read) == [0, 1, 2, 7]
    for label, pattern in patterns.items():
        assert read[label].to_dict() == pattern.to_dict()
        for one, other in zip(pattern.layers, read[label].layers, strict=True):
            assert (one.lower == other.lower).all() and (one.upper == other.upper).all()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": 2, "patterns": []}',
        '{"schema": 1, "patterns": [{"label": 1}]}',
        '{"schema": 1, "patterns": [3]}',
        '{"schema": 1, "patterns": [{"label": 1, "delta": 0.9, "samples": 2, "layers": '
        '[{"name": "a", "lower": [1, 2], "upper": [1]}]}]}',
        '{"schema": 1, "patterns": [{"label": 1, "delta": 0.9, "samples": 2, "layers": '
        '[{"name": "a", "lower": ["x"], "upper": [1]}]}]}',
        '{"schema": 1, "patterns": [{"label": 1, "delta": 0.9, "samples": 2, "layers": '
        '[{"name": "a", "lower": [NaN], "upper": [1]}]}]}',
        '{"schema": 1, "patterns": [{"label": 1, "delta": 0.9, "samples": 2, "layers": '
        '[{"name": "a", "lower": [1e999], "upper": [null]}]}]}',
        '{"schema": 1, "patterns": [{"label": 1, "delta": 0.9, "samples": 2, "layers": '
        '[{"name": "a", "lower": [2], "upper": [1]}]}]}',
        '{"schema": 1, "patterns": [{"label": 1, "delta": 0.9, "samples": 2, "layers": []}, '
        '{"label": 1, "delta": 0.9, "samples": 2, "layers": []}]}',
    ],
)
def test_files_that_are_no_patterns_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"wrong\.json"):
        nap.load(path)
    with pytest.raises(UsageError, match="cannot be read"):
        nap.load(tmp_path / "missing.json")


def test_data_that_does_not_fit_is_refused() -> None:
    model, (x, y) = trained("ReLU"), data()
    for change in ({"delta": 0.5}, {"delta": 1.5}, {"kind": "other"}):
        with pytest.raises(UsageError):
            nap.mine(model, x, y, **change)
    for points, labels in ((x[:, :3], y), (x, y[:5]), (x, y / 2), (x[0], y), (x * np.nan, y)):
        with pytest.raises(UsageError):
            nap.mine(model, points, labels)
    for delta in (0.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match=r"above 0\.5"):
            nap.mine(model, x, y, delta)
    with pytest.raises(UsageError, match="label 3 of sample 2: the model's 3 outputs have labels 0 to 2"):
        nap.mine(model, x, y + 1)
    with pytest.raises(SpecError, match="there is no tensor or node"):
        nap.mine(model, x, y, layers=["nowhere"])
    pattern = nap.mine(model, x, y)[0]
    short = nap.Pattern(0, 0.9, 1, (nap.Layer(pattern.layers[0].name, np.zeros(3), np.ones(3)),))
    with pytest.raises(UsageError, match="10 numbers in this model, 3 in the pattern"):
        short.follows(model, x)
    assert json.dumps(pattern.to_dict())


@pytest.mark.parametrize("layers", [(), None])
def test_a_pattern_that_says_nothing_changes_no_verdict(layers: tuple[nap.Layer, ...] | None) -> None:
    """No layer, or layers without a constraint."""
    model, (x, y) = trained("Tanh"), data()
    if layers is None:
        free = (np.full(10, -np.inf), np.full(10, np.inf))
        layers = tuple(nap.Layer(one.name, *free) for one in activated(model))
    centre = x[y == 0][0]
    for radius in (0.02, 0.8):
        result = genbab.verify(model, nap.Pattern(0, 1, 1, layers).robustness(centre, CLASSES, radius), FAST)
        plain = genbab.verify(model, genbab.specs.robustness(centre, 0, CLASSES, radius), FAST)
        assert result.verdict is plain.verdict
        assert result.verdict is not Verdict.VERIFIED or result.statistics["vacuous"] is False


def test_certified_radii_with_patterns_are_no_smaller() -> None:
    """On samples that follow their pattern."""
    model, (x, y) = trained("Tanh"), data()
    patterns = nap.mine(model, x, y, 0.95)
    follows = np.stack([patterns[k].follows(model, x) for k in range(CLASSES)])[y, np.arange(len(y))]
    some = np.flatnonzero(follows)[:3]
    samples, labels = x[some].astype(np.float32), y[some]

    def radii(given: dict[int, nap.Pattern] | None) -> CertifiedRadius:
        return genbab.certified_radius(
            model, samples, labels, 0.5, tolerance=0.2, patterns=given, bounds=None, config=FAST, timeout=3
        )

    plain, wide = radii(None), radii(patterns)
    assert (wide.certified >= 0.8 * plain.certified).all() and (plain.certified > 0).all()
    assert wide.certified.sum() > plain.certified.sum()


def test_the_page_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/nap.md, on digits."""
    pytest.importorskip("sklearn")
    root = Path(__file__).resolve().parents[1]
    (tmp_path / "examples").symlink_to(root / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", (root / "docs" / "nap.md").read_text(), re.DOTALL):
        exec(block, names)
    assert names["result"].verdict is Verdict.VERIFIED and names["result"].statistics["vacuous"] is False
    assert list(names["patterns"]) == list(range(10))
