"""The definition of the kernels: against the functions' own lines, finite differences and the engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from genbab.branch.cut.clipping import Means, search_weights
from genbab.branch.open.domains import HalfSpaces
from genbab.kernels import Backend, Function, implementation
from genbab.kernels.functions import HOT
from genbab.kernels.torch import reference
from genbab.nonlinear import Nonlinearity, default_slopes, functions, kernel_of, prepare, prepare2
from genbab.nonlinear import make as library
from genbab.nonlinear.lines.product import Product
from tests.kernels.cases import DTYPES, FUNCTIONS, Case, attained, make, numbers

ROOT = Path(__file__).resolve().parents[2]
RECORDS = [f for f in functions() if kernel_of(f)]


def test_every_hot_function_is_a_registered_one() -> None:
    known = {one.name for f in RECORDS if (one := kernel_of(f))}
    assert known == set(HOT) - {"product"}
    assert kernel_of(library("power", 3.0)) is None and kernel_of(library("mish")) is None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("record", RECORDS, ids=str)
def test_intercepts_are_the_best_ones(record: Nonlinearity, dtype: torch.dtype) -> None:
    fn = kernel_of(record)
    assert fn is not None
    for seed, default in ((0, False), (1, True)):
        case = make(fn, dtype, (2, 4, 60), seed)
        low, high = case.boxes[0]
        usual = tuple((k,) for k in default_slopes(record, low, high))
        lines = reference.relax(
            fn, case.a, case.boxes, None if default else case.slopes, (usual[0], usual[1])
        )
        attained(case, lines)
        assert lines.intercept is not None
        upper, k = (case.a < 0).double(), lines.slopes[0].double()
        certain, _ = prepare(record, low.double(), high.double()).intercept(k, upper)
        size = 1.0 + certain.abs() + (k * torch.maximum(-low, high)).abs()
        apart = (1.0 - 2.0 * upper) * (lines.intercept.double() - certain) / size
        near = 3e-6 if dtype == torch.float32 else 1e-11
        assert float(apart.min()) >= -near, "a rigorous intercept is never better than the best one"
        assert float(apart.max()) <= near, "and loses next to nothing"


def test_planes_of_products_are_the_best_ones() -> None:
    case = make(Function("product"), torch.float64, (2, 4, 60))
    lines = reference.relax(case.fn, case.a, case.boxes, case.slopes, case.defaults)
    (x, y), (kx, ky) = case.boxes, case.slopes
    certain = prepare2(Product(), x, y).intercept(kx, ky, (case.a < 0).double())[0]
    assert lines.intercept is not None
    torch.testing.assert_close(lines.intercept, certain, rtol=1e-12, atol=1e-9)


def moved_by(case: Case, weight: torch.Tensor, where: str, place: int, step: float) -> torch.Tensor:
    """The weighted results of the step with one argument moved, summed over each row's neurons."""
    a, slopes = case.a, list(case.slopes)
    if where == "a":
        a = a + step
    else:
        slopes[place] = slopes[place] + step
    lines = reference.relax(case.fn, a, case.boxes, tuple(slopes), case.defaults)
    assert lines.intercept is not None
    return sum(lines.forms) * weight + a * lines.intercept


@pytest.mark.parametrize("fn", FUNCTIONS, ids=lambda f: f.name)
def test_gradients_are_those_of_finite_differences(fn: Function) -> None:
    case = make(fn, torch.float64, (1, 2, 300), seed=5)
    case.a[case.a.abs() < 1e-2] = 0.3
    lines = reference.relax(case.fn, case.a, case.boxes, case.slopes, case.defaults)
    v = numbers(8, torch.float64, 1, 2, 300)
    assert lines.intercept is not None
    to_a, to_slopes = reference.gradient(fn, case.a, case.boxes, lines, tuple(v for _ in case.slopes))
    step = 1e-6
    for found, where, place in [(to_a, "a", 0)] + [(g, "slopes", i) for i, g in enumerate(to_slopes)]:
        ahead, back = (moved_by(case, v, where, place, s) for s in (step, -step))
        measured = (ahead - back) / (2.0 * step)
        size = 1.0 + measured.abs() + 1e-7 * lines.intercept.abs()  # of rounding, over the step
        apart = (found - measured).abs() / size
        # where two touching points are as good the function has a kink, and only there they may differ
        assert float((apart > 2e-3).double().mean()) <= 0.01
        assert float(apart.median()) <= 1e-6


def test_weights_of_half_spaces_are_the_engine_s() -> None:
    form, middle = numbers(1, torch.float64, 3, 6, 20), numbers(2, torch.float64, 3, 20)
    radius, normal = numbers(3, torch.float64, 3, 20).abs(), numbers(4, torch.float64, 3, 2, 20)
    level = numbers(5, torch.float64, 3, 2)
    box = middle - radius, middle + radius
    found = reference.weights(form, middle, radius, normal, level)
    engine = search_weights(form, box, HalfSpaces(normal, level), Means(torch.float64))
    torch.testing.assert_close(found, engine, rtol=1e-9, atol=1e-9)
    bare = reference.concretise(form, box).bound
    better, size = reference.dual(form, box, normal, level, found)
    assert bool((better >= bare - 1e-12 * size).all()) and bool((better > bare + 1e-6).any())
    inside = middle[:, None] + radius[:, None] * (2.0 * torch.rand(3, 4000, 20, dtype=torch.float64) - 1.0)
    meets = ((inside @ normal.mT) <= level[:, None]).all(-1)
    values = (form @ inside.mT).masked_fill(~meets[:, None], torch.inf)
    assert bool((better <= values.amin(-1) + 1e-12 * size).all()), "below the form on the half-spaces"
    sides = (found @ normal.abs()) @ inside.abs().mT + (found @ level.abs()[..., None])
    terms = form.abs() @ inside.abs().mT + sides
    assert bool((size >= terms.amax(-1) * (1.0 - 1e-12)).all()), "as large as what is added up anywhere"


def test_forms_reach_as_far_as_the_box_says() -> None:
    form, weight = numbers(1, torch.float64, 2, 3, 20), numbers(7, torch.float64, 2, 3, 2)
    below, above = numbers(4, torch.float64, 2, 20), numbers(5, torch.float64, 2, 20)
    found, unit = reference.reach(form, below, above, weight), torch.ones(1, 20, dtype=torch.float64)
    for p in range(2):
        for m in range(2):
            w = weight[p, :, m, None]
            moved = form[p] + torch.where(w > 0, w * below[p], w * above[p])
            least = reference.concretise(moved[None], (-unit, unit)).bound[0]
            torch.testing.assert_close(found[p, :, m], -least)


def test_default_paths_import_neither_numba_nor_triton() -> None:
    code = """
import sys, torch, genbab, genbab.api
from genbab.kernels import Backend, implementation
assert implementation(Backend.AUTO, torch.device("cpu")).__name__ == "genbab.kernels.torch.operations"
assert not {"numba", "triton"} & set(sys.modules), sorted(sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_wrong_backends_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="numba.*on the CPU"):
        monkeypatch.setattr("genbab.kernels.backend.available", lambda b: True)
        implementation(Backend.NUMBA, torch.device("cuda"))
    monkeypatch.setattr("genbab.kernels.backend.available", lambda b: b is Backend.TORCH)
    with pytest.raises(ValueError, match="not installed; accepted here: torch"):
        implementation(Backend.TRITON, torch.device("cpu"))
    with pytest.raises(ValueError, match="no hot function 'mish'; there are relu"):
        Function("mish")
