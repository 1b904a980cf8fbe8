"""Errors of elementary functions: exact values, fitted bounds, and the tables that are shipped."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flint
import numpy as np
import pytest
from flint import arb

from genbab.nonlinear import make

ROOT = Path(__file__).resolve().parent.parent.parent
TABLES = ROOT / "genbab" / "network" / "rounding" / "tables"
sys.path.append(str(ROOT / "benchmarks"))
errors, exact, measure, pieces, runtimes, tables = (
    importlib.import_module(f"elementary_functions.{name}")
    for name in ("errors", "exact", "measure", "pieces", "runtimes", "tables")
)
sys.path.remove(str(ROOT / "benchmarks"))
NAMES = list(exact.EXACT)
LARGEST, LEAST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)


def _sigmoid(x: arb) -> arb:
    return 1 / (1 + (-x).exp())


def _normal(x: arb) -> arb:
    return (-x / arb(2).sqrt()).erfc() / 2


def _elu(x: arb, left: float = 1.0, right: float = 1.0) -> arb:
    return right * x if x > 0 else left * x.expm1()


def _clipped(x: arb) -> arb:
    return x.max(0).min(1)


WRITTEN: dict[str, Callable[[arb], arb]] = {
    "sigmoid": _sigmoid,
    "gelu": lambda x: x * _normal(x),
    "gelu_tanh": lambda x: x * _sigmoid(2 * (2 / arb.pi()).sqrt() * (x + arb(44715) / 10**6 * x**3)),
    "softplus": lambda x: x.exp().log1p(),
    "silu": lambda x: x * _sigmoid(x),
    "quick_gelu(1.702)": lambda x: x * _sigmoid(float(np.float32(1.702)) * x),
    "mish": lambda x: x * x.exp().log1p().tanh(),
    "elu(1)": _elu,
    "selu(1.67326, 1.0507)": lambda x: _elu(x, arb(exact.SELU[0]) * exact.SELU[1], exact.SELU[1]),
    "celu(1)": _elu,
    "hard_sigmoid(0.2, 0.5)": lambda x: _clipped(float(np.float32(0.2)) * x + 0.5),
    "hard_swish": lambda x: x * _clipped(x / 6 + 0.5),
    "softsign": lambda x: x / (1 + abs(x)),
    "reciprocal": lambda x: 1 / x,
    "power(2)": lambda x: x * x,
    "power(3)": lambda x: x * x * x,
    "power(0.5)": lambda x: x.sqrt(),
    "power(-0.5)": lambda x: 1 / x.sqrt(),
    "power(-1)": lambda x: 1 / x,
    "power(1.5)": lambda x: x * x.sqrt(),
}
"""Functions that arb does not have by name."""


def numbers(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """Patterns: any, common and special ones."""
    drawn: np.ndarray[Any, np.dtype[np.uint32]] = measure.drawn(count, np.random.default_rng(seed))
    return drawn


@pytest.mark.parametrize("name", NAMES)
def test_exact_values_are_exact_enough(name: str) -> None:
    x = numbers(300, 1).view(np.float32)
    found = exact.EXACT[name].at(x)
    normal = (np.abs(found) >= LEAST) & (np.abs(found) <= LARGEST)
    function = WRITTEN.get(name) or (lambda z: getattr(z, name)())
    with flint.ctx.workprec(1000):
        wrong = [
            float(at)
            for at, value in zip(x[normal], found[normal], strict=True)
            if not abs(function(arb(float(at))) - float(value)) < abs(float(value)) * exact.UNCERTAINTY / 2
        ]
    assert not wrong


def holds(rows: list[dict[str, float]], x: Any, y: Any, values: Any) -> Any:
    """Which results a table's intervals allow, where the exact value is in float32's range."""
    values = np.where(np.abs(values) <= LARGEST, values, np.nan)
    with np.errstate(invalid="ignore"):
        apart, x = np.abs(y.astype(np.float64) - values), x.astype(np.float64)
    allowed = np.full(len(x), True)
    for row in rows:
        inside = (row["low"] <= x) & (x <= row["high"]) & ~np.isnan(values)
        allowed &= ~inside | (apart <= row["absolute"] + row["relative"] * np.abs(values))
    return allowed


def covered(rows: list[dict[str, float]], x: Any) -> Any:
    """Which numbers lie in an interval."""
    return np.any([(row["low"] <= x) & (x <= row["high"]) for row in rows], axis=0)


@pytest.mark.parametrize("name", ["exp", "log", "sin"])
def test_fitted_bounds_hold_where_they_were_measured(name: str) -> None:
    bits = numbers(4000, 2)
    x = bits.view(np.float32)
    values = exact.EXACT[name].at(x)
    with np.errstate(all="ignore"):
        y = (values * (1 + 1e-5 * np.sin(np.arange(len(x))))).astype(np.float32)
    known = np.isfinite(y) & (np.abs(x) >= LEAST)
    found = errors.Errors()
    errors.add(found, bits[known], y[known], values[known], (0.0, 0.0))
    rows = [vars(piece) for piece in pieces.pieces(found, exact.EXACT[name])]
    assert 0 < len(rows) <= 8 and covered(rows, x[known]).all()
    assert holds(rows, x[known], y[known], values[known]).all()
    at = np.flatnonzero(known & (np.abs(values) > 0.5))[7]
    y[at] *= np.float32(1.001)
    assert not holds(rows, x[known], y[known], values[known]).all()


def test_a_lost_result_and_a_step_back_are_seen() -> None:
    bits = np.arange(0x3F800000, 0x3F8C0000, 128, dtype=np.uint32)  # three buckets
    x = bits.view(np.float32)
    values = exact.EXACT["exp"].at(x)
    y = values.astype(np.float32)
    y[3000], y[200] = np.inf, y[200] * np.float32(1.01)
    found = errors.Errors()
    errors.add(found, bits, y, values, (1.0, 0.0))
    errors.steps(found, bits, y, values, 1)
    assert found.steps.sum() == 1 and found.lost.sum() == 1
    ((low, high),) = pieces.barred(found, False)
    assert low <= x[3000] <= high
    before, after = pieces.spans(found, exact.EXACT["exp"])
    assert before.high == np.nextafter(np.float32(low), np.float32(0))
    assert after.low == np.nextafter(np.float32(high), np.float32(9))


def shipped(runtime: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((TABLES / f"{runtime}.json").read_text(encoding="utf-8"))
    return table


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_names_are_those_of_the_library(runtime: str) -> None:
    table = shipped(runtime)
    assert set(table["functions"]) == set(runtimes.NAMES[runtime]) <= set(NAMES)
    for name in table["functions"]:
        kind, _, params = name.rstrip(")").partition("(")
        assert str(make(kind, *map(float, re.findall(r"[-\d.]+", params)))) == name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_shipped_bounds_hold(runtime: str, name: str) -> None:
    table = shipped(runtime)
    if table["versions"][runtime] != runtimes.versions(runtime)[runtime]:
        pytest.skip("another version is installed")
    if table["cpu"] != runtimes.processor():
        pytest.skip("another processor: its kernels may be others")
    if name not in table["functions"]:
        pytest.skip("not measured")
    rows = table["functions"][name]["pieces"]
    x = numbers(20000, 3).view(np.float32)
    values = exact.EXACT[name].at(x)
    for run in runtimes.variants(runtime, name):
        y = run(x)
        assert holds(rows, x, y, values).all()
        inside = covered(rows, x) & (np.abs(values) <= LARGEST)
        assert np.isfinite(y[inside]).all()
        assert inside.sum() > 0.97 * (np.abs(values) <= LARGEST).sum()


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_the_page_shows_the_table(runtime: str) -> None:
    assert tables.page(shipped(runtime)) in (ROOT / "docs" / "elementary.md").read_text(encoding="utf-8")
