"""Changed proofs: nothing false is accepted, and nothing fails otherwise than it should."""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from genbab.check.failures import Rejected
from genbab.check.question import Limits, load
from genbab.check.tree import Check, Task
from tests.check.damage import CHANGES
from tests.check.files import written
from tests.check.subjects import HIGH, LOW, Subject, subjects
from tests.check.trials import tried


@pytest.fixture(scope="module")
def some() -> list[Subject]:
    return subjects()


@pytest.mark.parametrize("part", range(2))
def test_changed_proofs_are_never_accepted_of_something_false(
    part: int, some: list[Subject], tmp_path: Path
) -> None:
    """`python benchmarks/mutations.py` does the same at length."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trials = [tried(10**6 + 2 * i + part, tmp_path, some) for i in range(150)]
    assert not [trial.finding for trial in trials if trial.finding]
    outcomes = Counter((trial.false, trial.outcome) for trial in trials)
    assert outcomes[True, "rejected"] > 20 and outcomes[True, "refused"] > 20
    assert outcomes[False, "accepted"] > 0 and outcomes[True, "accepted"] == 0
    assert {trial.change for trial in trials} == {change.__name__ for change in CHANGES}


def _lower_child_alone(self: Check, task: Task) -> None:
    DIVIDE(self, task)
    self.waiting.pop(-2)


def _apart(self: Check, task: Task, step: int, entry: int, point: float, upper: bool) -> Task:
    return CUT(self, task, step, entry, point + (0.2 if upper else -0.2), upper)


def _boxes_that_are_there(self: Check) -> list[Task]:
    with suppress(Rejected):
        return ROOTS(self)
    return []


DIVIDE, CUT, ROOTS = Check._divide, Check._cut, Check._roots
FAULTS = {"_divide": _lower_child_alone, "_cut": _apart, "_roots": _boxes_that_are_there}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_checker_would_be_found(
    name: str, some: list[Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that is left out, a gap between children, and disjuncts without a box."""
    monkeypatch.setattr(Check, name, FAULTS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert any("false statement" in tried(seed, tmp_path, some).finding for seed in range(400))


def test_a_changed_proof_ends_well_in_a_process_of_its_own(some: list[Subject], tmp_path: Path) -> None:
    trials = [tried(seed, tmp_path, some, apart=True) for seed in range(3)]
    assert not [trial.finding for trial in trials if trial.finding]


def test_every_subject_has_a_proof_that_is_accepted_of_the_true_statement(
    some: list[Subject], tmp_path: Path
) -> None:
    """Else rejections of the false one would say little."""
    for subject in some:
        (tmp_path / "m.onnx").write_bytes(subject.model)
        (tmp_path / "s.vnnlib").write_text(subject.true)
        proof = written(tmp_path, LOW, HIGH, [], {"functions": subject.joins})
        assert Check(load(tmp_path / "m.onnx", tmp_path / "s.vnnlib", proof, Limits(8))).run().boxes == 1
