"""A few boxes of the fuzzer for every function, and faults planted to see that it finds them.

`python benchmarks/fuzz.py` does the same with millions of boxes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear import Bivariate, Gate, Nonlinearity, Product, compose, functions, make
from genbab.nonlinear.lines import certain
from tests.nonlinear.expressions import WRITTEN

from .composed import drawn
from .fuzzing import Case, Report, fuzz
from .planes import fuzz_planes, plane_case
from .truth import program, truth

COUNT = 200
"""Boxes per function and dtype."""

QUICK = (
    "silu",
    "tanh gelu",
    "softplus",
    "softsign",
    "polyrelu",
    "cats",
    "poles at 1",
    "entropy",
    "flat tail",
)
"""Of the functions written out, those whose facts are found in no time."""

SEED = 20
dtypes = pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=("f32", "f64"))


def sound(report: Report) -> None:
    assert report.violations == 0, "\n".join(map(str, report.examples))
    assert report.checks > 100 * report.boxes and report.precise > 0


@dtypes
@pytest.mark.parametrize("fn", functions(), ids=str)
def test_every_function(fn: Nonlinearity, dtype: torch.dtype) -> None:
    sound(fuzz(Case(str(fn), fn, truth(fn)), dtype, COUNT, SEED))


@pytest.mark.parametrize("name", QUICK)
def test_functions_written_out(name: str) -> None:
    expression = WRITTEN[name]
    sound(fuzz(Case(name, compose(expression), program(expression)), torch.float64, COUNT, SEED))


@pytest.mark.parametrize("seed", range(4))
def test_random_programs(seed: int) -> None:
    expression = drawn(seed)
    try:
        fn = compose(expression)
    except UsageError:
        return
    sound(fuzz(Case(str(expression), fn, program(expression)), torch.float64, COUNT, SEED))


@dtypes
@pytest.mark.parametrize(
    "fn",
    (Product(), *(Gate(make(name)) for name in ("sigmoid", "gelu", "relu", "sin", "step", "reciprocal"))),
    ids=lambda fn: fn.name,
)
def test_planes(fn: Bivariate, dtype: torch.dtype) -> None:
    sound(fuzz_planes(plane_case(fn), dtype, COUNT, SEED))


def found(good: Nonlinearity, dtype: torch.dtype = torch.float64, **wrong: Any) -> int:
    """How many violations the fuzzer finds when some facts of a record are exchanged for wrong ones."""
    bad = replace(good, name=f"wrong {good}", **wrong)
    return fuzz(Case(bad.name, bad, truth(good)), dtype, 1500, SEED).violations


@pytest.mark.parametrize("by", (1e-1, 1e-3))
def test_an_inflection_in_the_wrong_place_is_found(by: float) -> None:
    gelu = make("gelu")
    assert found(gelu, breaks=(gelu.breaks[0], gelu.breaks[1] + by))


@dtypes
def test_a_kink_in_the_wrong_place_is_found(dtype: torch.dtype) -> None:
    assert found(make("relu"), dtype, breaks=(1e-9,), kinks=(1e-9,))


def test_a_kink_that_is_left_out_is_found() -> None:
    assert found(make("abs"), kinks=())


def test_the_wrong_side_of_a_jump_is_found() -> None:
    assert found(make("step"), jumps=((0.0, 0.0, 0.0, 0.0),))
    assert found(make("step"), jumps=((0.0, 0.0, 1.0, 1.0),))


def test_a_pole_that_is_left_out_is_found() -> None:
    assert found(make("reciprocal"), jumps=(), kinks=())


def test_bounds_that_are_a_little_too_narrow_are_found() -> None:
    assert found(make("sigmoid"), bounds=(0.0, 1.0 - 1e-15))


def test_a_value_that_is_less_exact_than_it_says_is_found() -> None:
    def coarse(x: Tensor) -> Tensor:
        return torch.tanh(x.float()).to(x.dtype)

    assert found(make("tanh"), value=coarse)


def test_missing_slack_for_rounding_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(box: object, k: Tensor, best: Tensor) -> Tensor:
        return torch.zeros_like(best)

    case = Case("sigmoid", make("sigmoid"), truth(make("sigmoid")))
    sound(fuzz(case, torch.float64, 1000, SEED))
    monkeypatch.setattr(certain, "_slack", none)
    assert fuzz(case, torch.float64, 1000, SEED).violations
