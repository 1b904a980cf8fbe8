"""Results: what cannot be said together, and the JSON form."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from genbab.result import Counterexample, Result, Verdict, plain

FOUND = Counterexample(np.array([0.1, -3e-9], np.float32), np.array([1.5], np.float32), 2)


@pytest.mark.parametrize("bound", [math.nan, 0.0, -1.0, -math.inf])
def test_verified_needs_a_positive_bound(bound: float) -> None:
    with pytest.raises(ValueError, match="verified"):
        Result(Verdict.VERIFIED, 1.0, bound)


@pytest.mark.parametrize("bound", [None, 1e-300, math.inf])
def test_verified_with_what_is_positive_or_not_computed(bound: float | None) -> None:
    assert Result(Verdict.VERIFIED, 1.0, bound).bound == bound


def test_falsified_and_counterexample_come_together() -> None:
    with pytest.raises(ValueError, match="without"):
        Result(Verdict.FALSIFIED, 1.0)
    with pytest.raises(ValueError, match="with a"):
        Result(Verdict.UNKNOWN, 1.0, counterexample=FOUND)


def test_a_result_has_no_truth_value() -> None:
    for result in (Result(Verdict.VERIFIED, 1.0, 0.5), Result(Verdict.FALSIFIED, 1.0, counterexample=FOUND)):
        with pytest.raises(TypeError, match=f"'{result.verdict}' here.*verdict == 'verified'"):
            assert result


def test_a_nan_bound_is_no_bound() -> None:
    assert Result(Verdict.UNKNOWN, 1.0, math.nan).bound is None


def test_a_counterexample_is_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        Counterexample(np.array([np.nan], np.float32), np.array([0.0]))


@pytest.mark.parametrize("bound", [None, 0.5, -math.inf, math.inf])
def test_json_is_strict_and_comes_back(bound: float | None) -> None:
    statistics = {"n": np.int64(3), "loss": np.float32("nan"), "rows": np.array([1.0, np.inf]), "name": "x"}
    result = Result(Verdict.FALSIFIED, 1.25, bound, "why", FOUND, statistics, "m", "s", "a note")
    text = result.to_json()
    back = Result.from_json(text)
    assert json.loads(text, parse_constant=pytest.fail)["schema"] == 1
    assert back.to_json() == text and back.bound == bound and back.runtime == "a note"
    assert back.counterexample is not None and back.counterexample.x.dtype == np.float32
    assert (back.counterexample.x == FOUND.x).all()
    assert back.statistics == {"n": 3, "loss": "nan", "rows": [1.0, "inf"], "name": "x"}


def test_json_of_before_sessions_were_compared_is_read() -> None:
    data = Result(Verdict.UNKNOWN, 1.0).to_dict()
    assert data.pop("runtime") == ""
    assert Result.from_json(json.dumps(data)).runtime == ""


@pytest.mark.parametrize("text", ["[]", "{}", '{"schema": 99}', "verified"])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Result.from_json(text)


def test_witness_gives_the_very_float_back() -> None:
    rows = FOUND.to_witness().strip()[1:-1].split("\n")
    assert [r[1:4] for r in rows] == ["X_0", "X_1", "Y_0"]
    values = [float(r[5:-1]) for r in rows]
    assert values[:2] == FOUND.x.tolist() and values[2:] == [1.5]


def test_plain_keeps_plain_values() -> None:
    assert plain({"a": (1, None, True), 2: {"b": -math.inf}}) == {"a": [1, None, True], "2": {"b": "-inf"}}
