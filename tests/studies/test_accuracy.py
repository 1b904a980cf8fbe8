"""Studies of small classifiers against sampling, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import genbab
from genbab import GenbabError, UsageError
from genbab.reader import Model
from genbab.specs import robustness
from genbab.studies.radius import radius_of
from genbab.studies.work import jobs

SHAPE = (3, 2, 2)
PIXELS = {"mean": [0.4, 0.5, 0.6], "std": [0.25, 0.2, 0.3], "axis": -3}
EPS = 0.06
QUICK = genbab.Config(attack_restarts=64, attack_steps=10, root_steps=10)


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 10), nn.Tanh(), nn.Linear(10, 3)).eval()


def raw(net: nn.Module) -> Callable[[Tensor], Tensor]:
    """The module as seen from pixels."""
    mean, std = (torch.tensor(PIXELS[name]).reshape(3, 1, 1) for name in ("mean", "std"))
    return lambda x: net((x - mean) / std)


@pytest.fixture(scope="module")
def data() -> tuple[Tensor, Tensor]:
    """Images in [0, 1] with the classes that the module gives, two of them wrong."""
    x = torch.rand(8, *SHAPE, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        y = raw(module())(x).argmax(1)
    y[:2] = (y[:2] + 1) % 3
    return x, y


def around(x: Tensor, eps: float, count: int = 2000) -> Tensor:
    """Images within eps of x and within [0, 1], many of them corners."""
    noise = 2 * torch.rand(count, *x.shape, generator=torch.Generator().manual_seed(1)) - 1
    noise[count // 2 :] = noise[count // 2 :].sign()
    return (x + eps * noise).clamp(0, 1)


def accuracy(x: Any, y: Any = None, **more: Any) -> genbab.CertifiedAccuracy:
    options: dict[str, Any] = {"eps": EPS, "preprocessing": PIXELS, "timeout": 10, "config": QUICK, **more}
    return genbab.certified_accuracy(options.pop("model", module()), x, y, **options)


def test_every_sample_has_one_status_and_it_is_true(data: tuple[Tensor, Tensor]) -> None:
    x, y = data
    found = accuracy(x, y)
    net = raw(module())
    counted = found.certified.astype(int) + found.attacked + found.unknown + ~found.clean
    assert (counted == 1).all() and not found.clean[:2].any() and found.clean[2:].all()
    assert found.certified.any() and found.attacked.any(), "this net and eps show both"
    for s, image, label in zip(found.samples, x, y, strict=True):
        if s.status == "certified":
            assert (net(around(image, EPS)).argmax(1) == label).all()
        if s.status == "attacked":
            assert s.counterexample is not None
            other = torch.tensor(s.counterexample).reshape(SHAPE)
            assert float((other.double() - image.double()).abs().max()) <= EPS + 1e-12
            assert 0 <= float(other.min()) and float(other.max()) <= 1
            scores = net(other[None])[0]
            assert scores[label] <= scores.max()
            assert int(scores.argmax()) != int(label) or bool(
                (scores.topk(2).values.diff().abs() < 1e-5).all()
            )
    assert found.certified_accuracy <= found.attacked_accuracy <= found.clean_accuracy == 0.75


@pytest.mark.parametrize(("norm", "order", "eps"), [("L2", 2, 0.1), (1, 1, 0.2)])
def test_other_norms(data: tuple[Tensor, Tensor], norm: Any, order: int, eps: float) -> None:
    x, y = data
    net, noise = raw(module()), torch.randn(2000, *SHAPE, generator=torch.Generator().manual_seed(2))
    noise = noise / torch.linalg.vector_norm(noise.flatten(1), order, dim=1).reshape(-1, 1, 1, 1)
    found = accuracy(x, y, eps=eps, norm=norm, samples=4, timeout=3)
    for s, image, label in zip(found.samples, x, y, strict=False):
        if s.status == "certified":
            assert (net((image + eps * noise).clamp(0, 1)).argmax(1) == label).all()
        if s.counterexample is not None:
            far = s.counterexample.astype(np.float64) - image.double().numpy().reshape(-1)
            assert np.linalg.norm(far, order) <= eps * (1 + 1e-9)
    radii = genbab.certified_radius(
        module(), x[2:4], y[2:4], 1.0, norm, preprocessing=PIXELS, timeout=2, tolerance=0.2, config=QUICK
    )
    assert found.certified.any() and (radii.certified > 0).all() and (radii.certified <= radii.broken).all()


def test_results_are_rows_and_strict_json(data: tuple[Tensor, Tensor]) -> None:
    found = accuracy(*data, samples=4)
    rows = found.rows()
    assert len(rows) == 4 and all(
        v is None or isinstance(v, int | float | str) for r in rows for v in r.values()
    )
    assert json.loads(found.to_json())["samples"][0]["status"] == "misclassified"
    assert "certified" in str(found) and found.reason == "all 4 samples are decided"
    with pytest.raises(AttributeError):
        found.eps = 1.0  # type: ignore[misc]


def test_arrays_datasets_and_loaders_give_the_same(data: tuple[Tensor, Tensor]) -> None:
    x, y = data
    dataset = TensorDataset(x, y)
    before = torch.random.get_rng_state()
    sources: list[tuple[Any, Any]] = [
        (x.numpy(), y.numpy()),
        (x.reshape(8, 12).tolist(), y.tolist()),
        ((x, y), None),
        (dataset, None),
        (DataLoader(dataset, batch_size=3), None),
    ]
    net = genbab.load(module(), x[:1], PIXELS)
    found = [accuracy(*s, model=net, samples=5, preprocessing=None).rows() for s in sources]
    same = [[(r["status"], r["bound"]) for r in rows] for rows in found]
    assert all(one == same[0] for one in same) and len(same[0]) == 5
    assert torch.equal(torch.random.get_rng_state(), before)


def test_normalisation_inside_or_by_hand_is_the_same_model(data: tuple[Tensor, Tensor]) -> None:
    x, _ = data
    model = genbab.load(module(), x[:1], PIXELS)
    from genbab.network import evaluate

    assert torch.allclose(
        evaluate(model.network, x.reshape(8, 12).double()).float(), raw(module())(x), atol=1e-5
    )


def test_the_module_and_torch_stay_as_they_were(data: tuple[Tensor, Tensor]) -> None:
    net = module()
    weights = {k: v.clone() for k, v in net.state_dict().items()}
    before = (torch.get_default_dtype(), torch.get_num_threads(), torch.random.get_rng_state().tolist())
    accuracy(*data, model=net, samples=3)
    assert before == (
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.random.get_rng_state().tolist(),
    )
    assert all(torch.equal(v, weights[k]) for k, v in net.state_dict().items()) and not net.training


def test_a_study_is_not_worked_out_twice(
    data: tuple[Tensor, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a.db"
    first = accuracy(*data, study=place, samples=4)

    def never(*_: object) -> None:
        raise AssertionError("asked again")

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "perform", never)
        assert accuracy(*data, study=place, samples=4).rows() == first.rows()
        changed = accuracy(*data, study=place, samples=4, eps=0.03)
    assert changed.unknown.all() and "asked again" in changed.reason, "an error claims nothing"
    assert not accuracy(*data, study=place, samples=4, eps=0.03).unknown.any(), "errors are tried again"
    with genbab.Study(place) as study:
        records = study.records()
    assert [r["attempts"] for r in records] == [1] * 4 + [2] * 4
    assert all(r["provenance"]["torch"] and r["model_hash"] and r["spec_hash"] for r in records)


def test_an_interrupted_study_gives_its_instance_back(
    data: tuple[Tensor, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, told = tmp_path / "a.db", []

    def stop(done: int, count: int) -> None:
        told.append((done, count))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        accuracy(*data, study=place, follow=stop)
    assert told == [(1, 8), (2, 8)]
    assert accuracy(*data, study=place).rows() == accuracy(*data, study=place).rows()
    with genbab.Study(place) as study:
        assert [r["attempts"] for r in study.records()] == [1] * 8


def test_two_processes_find_the_same(data: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    one, two = accuracy(*data, samples=5), accuracy(*data, samples=5, study=tmp_path / "a.db", workers=2)
    assert [s.status for s in one.samples] == [s.status for s in two.samples]
    with genbab.Study(tmp_path / "a.db") as study:
        assert [r["attempts"] for r in study.records()] == [1] * 5


def test_radii_enclose_the_truth(data: tuple[Tensor, Tensor]) -> None:
    x, y = data
    found = genbab.certified_radius(
        module(), x[:5], y[:5], largest=0.3, preprocessing=PIXELS, timeout=10, tolerance=0.1
    )
    net = raw(module())
    assert (found.certified[:2] == 0).all() and (found.broken[:2] == 0).all()
    for s, image, label in zip(found.samples[2:], x[2:], y[2:], strict=False):
        assert 0 < s.certified <= 0.3
        assert (net(around(image, s.certified)).argmax(1) == label).all()
        if s.broken is None:
            assert s.certified == 0.3 or "try" in s.reason
        else:
            assert s.certified < s.broken <= s.certified / 0.9 + 1e-9 or "try" in s.reason
            other = torch.tensor(s.counterexample).reshape(SHAPE)
            assert abs(float((other.double() - image.double()).abs().max()) - s.broken) < 1e-12
    assert len(found.rows()) == 5 and json.loads(found.to_json())["largest"] == 0.3


def test_ranges_enclose_what_is_seen() -> None:
    net = genbab.load(module(), torch.zeros(1, *SHAPE))
    low, high = np.full(12, -0.2), np.full(12, 0.3)
    found = genbab.output_range(net, low, high, [0, 2], timeout=10, tolerance=0.02)
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 12).reshape(-1, *SHAPE)
    x = torch.cat([torch.rand(5000, *SHAPE, generator=torch.Generator().manual_seed(0)), corners]) * 0.5 - 0.2
    seen = module()(x).detach().double()
    for one in found.outputs:
        values = seen[:, one.index]
        assert one.lower - 1e-6 <= values.min() and values.max() <= one.upper + 1e-6
        assert one.lower <= one.least_seen + 1e-6 and one.greatest_seen <= one.upper + 1e-6
        for at, value in ((one.least_at, one.least_seen), (one.greatest_at, one.greatest_seen)):
            assert (low <= at).all() and (at <= high).all()
            mine = module()(torch.tensor(at, dtype=torch.float32).reshape(1, *SHAPE))[0, one.index].detach()
            assert abs(float(mine) - value) < 1e-4
    assert [r["index"] for r in found.rows()] == [0, 2] and len(str(found).split("\n")) == 3


def test_models_are_compared_on_the_same_samples(data: tuple[Tensor, Tensor]) -> None:
    found = genbab.compare({"a": module(), "b": module()}, *data, EPS, preprocessing=PIXELS, samples=3)
    assert [r["model"] for r in found.rows()] == ["a"] * 3 + ["b"] * 3
    assert len(str(found).split("\n")) == 3 and set(json.loads(found.to_json())["models"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "value"), [("8/255", 8 / 255), ("0.1", 0.1), (0.25, 0.25), (" 2 / 255", 2 / 255)]
)
def test_radii_are_rounded_up(text: Any, value: float) -> None:
    from fractions import Fraction

    found = radius_of(text)
    exact = Fraction(text.replace(" ", "")) if isinstance(text, str) else Fraction(text)
    assert found >= exact and found == pytest.approx(value, rel=1e-15)


LOADED = genbab.load(module(), torch.zeros(1, *SHAPE))
X, Y = np.full((2, *SHAPE), 0.5), np.array([0, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eps": -0.1}, "eps = -0.1"),
        ({"eps": float("nan")}, "eps = nan.*finite"),
        ({"eps": "8/0"}, "eps = '8/0'"),
        ({"eps": None}, "eps is missing"),
        ({"norm": 3}, "norm 3"),
        ({"x": X.astype(np.uint8)}, "x / 255"),
        ({"x": np.full((2, 2, 2, 3), 0.5)}, "move the axes"),
        ({"x": np.full((2, 5), 0.5)}, "takes"),
        ({"x": X * np.nan}, "not finite in sample"),
        ({"x": X + 7}, "valid range.*preprocessing="),
        ({"x": [["a"]]}, "real numbers"),
        ({"x": X[0]}, "first axes"),
        ({"y": np.array([0, 3])}, "label 3 of sample 1.*0 to 2"),
        ({"y": np.array([-1, 0])}, "label -1"),
        ({"y": np.array([0.0, 1.0])}, "whole numbers"),
        ({"y": np.eye(2, dtype=int)}, "argmax"),
        ({"y": np.array([0])}, "first axes"),
        ({"x": "digits.npy", "y": None}, "y is missing"),
        ({"samples": 0}, "samples = 0"),
        ({"bounds": (1, 0)}, "bounds"),
        ({"workers": 0}, "workers = 0"),
        ({"timeout": -1}, "timeout"),
        ({"study": "/nowhere/a.db"}, "cannot use the study"),
        ({"preprocessing": {"mean": 0}}, "preprocessing: expected"),
        ({"preprocessing": {"mean": [0, 0, 0], "std": 1}}, "name the axis"),
        ({"preprocessing": {"mean": 0, "std": 0}}, "above 0"),
        ({"preprocessing": {"mean": "a", "std": 1}}, "must be numbers"),
        ({"model": 3}, "a model is"),
        ({"model": "nowhere.onnx"}, "no such file"),
        (
            {"model": nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 3))},
            r"call model.eval\(\)",
        ),
        ({"model": nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(12, 3))}, "Dropout '1'"),
        ({"model": nn.Sequential(nn.Flatten(), nn.Linear(12, 1)).eval()}, "one output"),
    ],
)
def test_bad_input_is_said(change: dict[str, Any], message: str) -> None:
    given = {"model": LOADED, "x": X, "y": Y, "eps": 0.1, **change}
    with pytest.raises(GenbabError, match=message):
        genbab.certified_accuracy(given.pop("model"), given.pop("x"), given.pop("y"), **given)


def test_other_studies_refuse_too() -> None:
    with pytest.raises(UsageError, match="tolerance"):
        genbab.certified_radius(LOADED, X, Y, tolerance=2)
    with pytest.raises(UsageError, match="largest"):
        genbab.certified_radius(LOADED, X, Y, largest=0)
    with pytest.raises(UsageError, match="by name"):
        genbab.compare([LOADED], X, Y, 0.1)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="example input"):
        genbab.load(module())
    for low, high, more, message in (
        (np.ones(12), np.zeros(12), {}, "above upper"),
        (np.ones(5), np.ones(5), {}, "expected 12"),
        (np.zeros(12), np.ones(12), {"outputs": [7]}, "from 0 to 2"),
        (np.zeros(12), np.ones(12), {"tolerance": 0}, "tolerance"),
    ):
        with pytest.raises(UsageError, match=message):
            genbab.output_range(LOADED, low, high, **more)


def test_options_that_do_not_exist_are_refused_by_name() -> None:
    low, high = np.zeros(12), np.ones(12)
    for ask in (
        lambda **more: genbab.certified_accuracy(LOADED, X, Y, 0.1, **more),
        lambda **more: genbab.certified_radius(LOADED, X, Y, **more),
        lambda **more: genbab.compare({"a": LOADED}, X, Y, 0.1, **more),
        lambda **more: genbab.output_range(LOADED, low, high, **more),
    ):
        with pytest.raises(TypeError, match="unexpected keyword argument 'worker'"):
            ask(worker=2)


def test_the_attack_alone() -> None:
    spec = robustness(X[0], 0, 3, 0.5)
    found = genbab.find_counterexample(LOADED, spec)
    assert found is not None and spec.violation(found.x, found.y) is not None
    label = int(module()(torch.tensor(X[:1], dtype=torch.float32)).argmax())
    assert genbab.find_counterexample(LOADED, robustness(X[0], label, 3, 1e-6)) is None


def test_loaded_models_are_models() -> None:
    assert isinstance(LOADED, Model) and genbab.load(LOADED) is LOADED
