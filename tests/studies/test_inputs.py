"""What people put into studies: read, or refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import genbab
from genbab import UsageError
from genbab.studies.data import samples
from genbab.studies.records.questions import StudyQuestion
from genbab.studies.results import CertifiedAccuracy, Sample
from genbab.studies.work import engine
from genbab.studies.work.jobs import Job

X = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
Y = [0, 1, 1, 0]


class Items(Dataset[Any]):
    """What a dataset gives, one after the other."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> Any:
        return self.items[number]


PAIRS = list(zip(X, Y, strict=True))
HOT = [(x, torch.eye(2)[y]) for x, y in PAIRS]


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).eval()


@pytest.mark.parametrize(
    "make",
    [
        lambda: DataLoader(Items(PAIRS), batch_size=3),
        lambda: DataLoader(Items(PAIRS), batch_size=None),
        lambda: DataLoader(
            Items([(X[:2], torch.tensor(Y[:2])), (X[2:], torch.tensor(Y[2:]))]), batch_size=None
        ),
        lambda: Items([(x.numpy(), np.int64(y)) for x, y in PAIRS]),
        lambda: Items([(x, torch.tensor([y])) for x, y in PAIRS]),
    ],
)
def test_sources_give_the_same_samples(make: Callable[[], Any]) -> None:
    found = samples(make())
    assert np.array_equal(found.x, X.double().numpy()) and found.y.tolist() == Y
    assert len(samples(make(), None, np.int64(2))) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Items(HOT), r"label of sample 0 has the shape \(2,\); for one-hot labels"),
        (DataLoader(Items(HOT), batch_size=2), "for one-hot labels"),
        (Items([PAIRS[0], (X[0], [0, 1])]), "label of sample 1"),
        (Items([PAIRS[0], (X[0], None)]), "the label of sample 1: expected"),
        (Items([(x, float(y)) for x, y in PAIRS]), "whole numbers"),
        (DataLoader(Items([(X, torch.tensor(Y[:2]))]), batch_size=None), "as many labels as inputs"),
        (DataLoader(Items([{"x": x} for x in X]), batch_size=2), "must give pairs"),
    ],
)
def test_sources_that_make_no_sense_are_refused(source: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        samples(source)


def test_bfloat16_is_read() -> None:
    assert np.array_equal(samples(X.bfloat16(), Y).x, X.bfloat16().double().numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": {"root_steps": 3}}, "config: must be a genbab.Config"),
        ({"study": 3}, "study: must be the path of a file"),
        ({"norm": True}, "norm True"),
        ({"samples": True}, "samples = True"),
    ],
)
def test_arguments_of_another_kind_are_refused(
    module: nn.Module, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        genbab.certified_accuracy(module, X, Y, 0.1, **change)


@pytest.mark.parametrize("patterns", [[1], {0: 3}, {"0": None}])
def test_patterns_are_given_by_label(module: nn.Module, patterns: Any) -> None:
    with pytest.raises(UsageError, match="patterns: give them by label"):
        genbab.certified_radius(module, X, Y, 0.1, patterns=patterns)


def test_an_error_is_no_reason_to_call_a_sample_wrong() -> None:
    """The robust accuracy of four samples, one of which ended in an error, may be 3/4."""
    status = ("certified", "attacked", "unknown", "unknown")
    known = (0, 0, 0, None)
    found = tuple(
        Sample(i, 0, p, s, 0.0, None, "error: x" if p is None else "")
        for i, (p, s) in enumerate(zip(known, status, strict=True))
    )
    result = CertifiedAccuracy("m", 0.1, "inf", found)
    assert (result.certified_accuracy, result.attacked_accuracy) == (0.25, 0.75)
    assert result.clean.tolist() == [True, True, True, False]


def test_facts_of_a_function_are_part_of_the_question(
    module: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that only genbab can evaluate is another model when what it was registered as is another."""
    import dataclasses

    from genbab.nonlinear import make
    from genbab.nonlinear.composed.custom import CUSTOM, Custom
    from genbab.nonlinear.facts import registry
    from genbab.studies.records.provenance import model_hash

    model = dataclasses.replace(genbab.load(module, X[:1]), replayable=False)
    first, second = make("tanh"), dataclasses.replace(make("tanh"), value=lambda x: 0.5 * x.tanh())
    hashes = []
    for record in (first, second, first):
        monkeypatch.setitem(registry.REGISTRY, "brought", lambda record=record: record)
        monkeypatch.setitem(CUSTOM, ("com.example", "Brought"), Custom("brought", (), None))
        hashes.append(model_hash(model))
    assert hashes[0] == hashes[2] != hashes[1]
    replayable = dataclasses.replace(model, replayable=True)
    assert model_hash(replayable) not in hashes
    job = Job(StudyQuestion("robustness", "m", "s"), model, np.zeros(3))
    with pytest.raises(UsageError, match="registered as facts: workers=1"):
        engine.answer_all([job, job], tmp_path / "s.db", workers=2)
