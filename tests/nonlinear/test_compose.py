"""Composed functions: their facts are true, checked against mpmath and dense samples."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest
import torch
from mpmath import mp, mpf
from torch import Tensor

from genbab.errors import UsageError
from genbab.nonlinear import Expression, Nonlinearity, compose, default_slopes, intercept, interval, make
from genbab.nonlinear.composed import cache as remembered
from genbab.nonlinear.composed.certified import Facts, certified
from genbab.nonlinear.composed.runs import MOST_SEGMENTS
from genbab.nonlinear.expressions.expression import X, apply, combine, multiply, substitute
from genbab.nonlinear.expressions.jets import jet

from .expressions import WRITTEN, affine, call, plus
from .precise import precise

mp.dps = 40
each = pytest.mark.parametrize("name", WRITTEN)
EPS = 2.0**-52


def places(fn: Nonlinearity, count: int, seed: int, reach: float = 30.0) -> Tensor:
    """Points of the domain: spread out, and close to every break."""
    low, high = max(fn.domain[0], -reach), min(fn.domain[1], reach)
    generator = torch.Generator().manual_seed(seed)
    found = [low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)]
    for place in fn.breaks:
        if low < place < high:
            found.append(place + torch.logspace(-12, -1, 6, dtype=torch.float64))
            found.append(place - torch.logspace(-12, -1, 6, dtype=torch.float64))
    return torch.cat(found).clamp(low, high)


def doubtful(fn: Nonlinearity, x: float) -> bool:
    """Whether x lies where a jump may be."""
    return any(low <= x <= high for low, high, _, _ in fn.jumps)


@each
def test_value_and_slope_err_by_no_more_than_is_said(name: str) -> None:
    expression, fn = WRITTEN[name], compose(WRITTEN[name])
    x = places(fn, 12, 1, reach=1e5)[:60]
    for at, value, slope in zip(x.tolist(), fn.value(x).tolist(), fn.derivative(x).tolist(), strict=True):
        if doubtful(fn, at):
            continue
        truth = precise(expression, mpf(at))
        assert abs(truth - value) <= EPS * (fn.noise * (1 + abs(value)) + fn.drift[0] * abs(at))
        if all(abs(at - place) > 1e-6 for place in fn.breaks):
            exact = mp.diff(lambda t: precise(expression, t), mpf(at), h=mpf(10) ** -15)
            assert abs(exact - slope) <= EPS * (
                fn.noise * (1 + abs(slope)) + fn.drift[1] * abs(at)
            ) + 1e-13 * (1 + abs(slope))


@each
def test_curvature_is_that_of_the_function(name: str) -> None:
    """Second differences in high precision have the sign of the segment, well inside it."""
    expression, fn = WRITTEN[name], compose(WRITTEN[name])
    chance = random.Random(2)
    for i, curvature in enumerate(fn.curvature):
        low, high = (min(max(end, -50.0), 50.0) for end in fn.segment(i))
        if high - low < 1e-6 or (fn.bulges and fn.bulges[i]):
            continue
        for _ in range(3):
            x, h = mpf(low + (high - low) * chance.uniform(0.01, 0.99)), mpf(high - low) / 1000
            bend = precise(expression, x + h) + precise(expression, x - h) - 2 * precise(expression, x)
            assert (
                curvature * bend >= -mpf(1e-25)
                if curvature
                else abs(bend) <= 1e-15 * h * (1 + abs(x)) + 1e-18
            )


@each
def test_intercepts_are_sound_and_touch(name: str) -> None:
    fn = compose(WRITTEN[name])
    generator = torch.Generator().manual_seed(3)
    width = 10 ** (4.5 * torch.rand(600, generator=generator, dtype=torch.float64) - 3.5)
    middle = 6.0 * torch.rand(600, generator=generator, dtype=torch.float64) - 3.0
    l, u = (middle - width / 2).clamp(*fn.domain), (middle + width / 2).clamp(*fn.domain)  # noqa: E741
    share = torch.linspace(0.0, 1.0, 1501, dtype=torch.float64)[:, None]
    near = [
        torch.tensor(p + d, dtype=torch.float64).clamp(l, u)[None]
        for p in fn.breaks
        for d in (-1e-9, 0.0, 1e-9)
    ]
    x = torch.cat([(l + (u - l) * share).clamp(l, u), *near])
    value = fn.value(x)
    usual = default_slopes(fn, l, u)
    slopes = [
        *usual,
        torch.randn(600, generator=generator, dtype=torch.float64),
        torch.zeros(600, dtype=torch.float64),
    ]
    for k in slopes:
        for upper in (False, True):
            c, _ = intercept(fn, k, l, u, upper)
            height = value - k * x
            best = height.amax(0) if upper else height.amin(0)
            room = (c - best) if upper else (best - c)
            scale = 1.0 + best.abs() + k.abs() * torch.maximum(l.abs(), u.abs())
            assert bool((room >= 0).all()), f"{name}: wrong by {float(room.min())}"
            coarse = 2e-3 + 1e-2 * (u - l)
            known = torch.isfinite(c)
            assert bool((room <= coarse * scale)[known & (value.amax(0) - value.amin(0) < 1e3)].all())


@each
def test_intervals_hold_inside_and_beyond_the_domain(name: str) -> None:
    expression, fn = WRITTEN[name], compose(WRITTEN[name])
    ends = torch.tensor(
        [[-3.0, 2.0], [-1e7, 1.0], [0.5, 1e8], [-40.0, 90.0], [1.0, 1.0]], dtype=torch.float64
    )
    low, high = interval(fn, ends[:, 0], ends[:, 1])
    assert not bool(torch.isnan(low).any() | torch.isnan(high).any())
    for (a, b), least, most in zip(ends.tolist(), low.tolist(), high.tolist(), strict=True):
        for t in (0.0, 1e-7, 0.1, 0.33, 0.5, 0.77, 0.999, 1.0):
            x = mpf(a) + (mpf(b) - mpf(a)) * mpf(t)
            try:
                truth = precise(expression, x)
            except (ValueError, ZeroDivisionError, OverflowError):
                continue
            if isinstance(truth, mpf) and mp.isfinite(truth):
                assert least <= truth <= most


@each
def test_jets_enclose_the_function_and_its_derivatives(name: str) -> None:
    expression = WRITTEN[name]
    chance = random.Random(4)
    low = torch.tensor([chance.uniform(-4.0, 4.0) for _ in range(15)], dtype=torch.float64)
    high = low + torch.tensor([10 ** chance.uniform(-6.0, 0.0) for _ in range(15)], dtype=torch.float64)
    found = jet(expression, low, high)
    for i in range(15):
        if not (found.defined[i] and found.smooth[i]):
            continue
        x = mpf(float(low[i])) + (mpf(float(high[i])) - mpf(float(low[i]))) * mpf(chance.uniform(0.01, 0.99))
        for order, ends in enumerate((found.value, found.first, found.second)):
            truth = (
                mp.diff(lambda t: precise(expression, t), x, order, h=mpf(10) ** -10)
                if order
                else precise(expression, x)
            )
            room = mpf(10) ** -8 * (1 + abs(truth)) if order else 0
            assert float(ends[0][i]) - room <= truth <= float(ends[1][i]) + room


def test_what_silu_written_out_gives_is_the_truth() -> None:
    fn = compose(multiply(X, call("sigmoid")))
    low, high = interval(fn, torch.tensor([-4.0]), torch.tensor([3.0]))
    assert float(low) == pytest.approx(-0.27846454, abs=1e-6) and float(high) == pytest.approx(
        2.857722, abs=1e-5
    )
    assert fn.curvature.count(1) == 1 and fn.curvature.count(-1) == 2


def test_random_expressions_are_sound() -> None:
    chance = random.Random(5)
    names = ["sigmoid", "tanh", "relu", "abs", "sin", "exp", "softplus", "erf", "gelu", "step", "softsign"]

    def made(depth: int) -> Expression:
        kind = chance.random()
        if depth == 0 or kind < 0.1:
            return affine(X, chance.uniform(-2.0, 2.0), chance.uniform(-1.0, 1.0))
        if kind < 0.6:
            inner = made(depth - 1)
            return call(chance.choice(names), inner) if inner.affine is None or inner.affine[0] else inner
        if kind < 0.8:
            return multiply(made(depth - 1), made(depth - 1))
        return combine([(made(depth - 1), chance.uniform(-1.0, 1.0)), (made(depth - 1), 1.0)])

    checked = 0
    for _ in range(30):
        expression = made(3)
        try:
            fn = compose(expression)
        except UsageError:
            continue
        checked += 1
        starts = torch.tensor([chance.uniform(-3.0, 3.0) for _ in range(60)], dtype=torch.float64)
        widths = torch.tensor([10 ** chance.uniform(-3.0, 0.8) for _ in range(60)], dtype=torch.float64)
        l, u = starts.clamp(*fn.domain), (starts + widths).clamp(*fn.domain)  # noqa: E741
        x = (l + (u - l) * torch.linspace(0.0, 1.0, 401, dtype=torch.float64)[:, None]).clamp(l, u)
        for k in (
            torch.zeros_like(l),
            torch.randn(60, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
        ):
            lower, upper = intercept(fn, k, l, u, False)[0], intercept(fn, k, l, u, True)[0]
            height = fn.value(x) - k * x
            assert bool((height >= lower).all()) and bool((height <= upper).all()), str(expression)
    assert checked > 12


def test_jumps_are_narrow_and_limits_right() -> None:
    fn = compose(WRITTEN["cats"])
    assert len(fn.jumps) == 3
    for low, high, left, right in fn.jumps:
        assert 0.0 <= high - low < 1e-11 and sorted((abs(left), abs(right))) == pytest.approx(
            [0.0, 0.2], abs=1e-9
        )
    _, high, _, _ = fn.jumps[-1]
    lower, _ = interval(
        fn, torch.tensor([high], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)
    )
    assert float(lower) > 0.199  # beyond the jump nothing is left of the other side


def test_too_many_bends_make_the_domain_smaller() -> None:
    fn = compose(call("sin", call("power", X, 2)))
    assert len(fn.curvature) <= 2 * MOST_SEGMENTS and -30.0 < fn.domain[0] < -5.0 < 5.0 < fn.domain[1] < 30.0


def test_domain_ends_where_a_part_is_undefined() -> None:
    low, high = compose(WRITTEN["entropy"]).domain
    assert 0.0 <= low < 1e-9 and high >= 1e5
    low, high = compose(WRITTEN["poles at 1"]).domain
    assert -1.0 < low < -0.9 and 0.9 < high < 1.0


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (affine(X, 2.0, 1.0), "affine"),
        (call("log", affine(call("power", X, 2), -1.0, -1.0)), "certain"),
    ],
)
def test_what_cannot_be_composed_says_why(expression: Expression, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        compose(expression)


def test_a_part_without_second_derivative_is_named() -> None:
    bare = Nonlinearity(
        "bare", torch.tanh, lambda x: 1.0 - torch.tanh(x) ** 2, breaks=(0.0,), curvature=(1, -1)
    )
    with pytest.raises(UsageError, match="bare.*second derivative"):
        compose(multiply(X, apply(bare)))


def test_the_order_of_writing_does_not_matter() -> None:
    a, b = call("sigmoid"), call("tanh")
    assert multiply(a, b) == multiply(b, a) and plus(a, b) == plus(b, a)
    assert multiply(multiply(a, a), a) == call("power", a, 3)
    assert substitute(multiply(X, a), affine(X, 2.0)) == affine(
        multiply(X, call("sigmoid", affine(X, 2.0))), 2.0
    )
    assert multiply(affine(a, 3.0), b) == affine(multiply(a, b), 3.0)
    assert math.isclose(
        float(multiply(X, a).value(torch.tensor(2.0, dtype=torch.float64))), 1.7615941559557649
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(remembered, "folder", lambda: tmp_path)
    return tmp_path


def test_facts_are_remembered_exactly(folder: Path) -> None:
    expression = WRITTEN["cats"]
    facts = certified(expression)
    remembered.remember(expression, facts)
    assert remembered.recall(expression, Facts) == facts
    assert remembered.recall(WRITTEN["silu"], Facts) is None


def test_a_damaged_memory_is_no_memory(folder: Path) -> None:
    expression = WRITTEN["bell"]
    remembered.remember(expression, certified(expression))
    (file,) = folder.iterdir()
    whole = file.read_text()
    stored = json.loads(whole)
    stored["facts"]["breaks"][0] += 0.1
    for text in (json.dumps(stored), whole[: len(whole) // 2], "[]", '{"hash": 1, "facts": 2}', ""):
        file.write_text(text)
        assert remembered.recall(expression, Facts) is None


def test_facts_of_parts_are_part_of_the_key() -> None:
    before = remembered.key(call("sigmoid", affine(X, 2.0)))
    other = Nonlinearity("sigmoid", torch.sigmoid, torch.sigmoid, breaks=(0.1,), curvature=(1, -1))
    assert remembered.key(apply(other, affine(X, 2.0))) != before


def test_values_of_parts_are_part_of_the_key() -> None:
    """Two records may share a name and all facts but the values."""

    def record(a: float) -> Nonlinearity:
        return Nonlinearity("mine", lambda x: a * x * x, lambda x: 2 * a * x, second=lambda x: 0 * x + 2 * a)

    keys = {remembered.key(plus(apply(record(a)), call("cos"))) for a in (2.0, 0.01)}
    assert len(keys) == 2


def test_an_unwritable_folder_does_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(remembered, "folder", lambda: tmp_path / "file" / "facts")
    remembered.remember(X, certified(WRITTEN["silu"]))
    assert remembered.recall(X, Facts) is None


def test_float32_boxes_work() -> None:
    fn = compose(multiply(X, call("sigmoid")))
    l, u = torch.tensor([-4.0, 1.0]), torch.tensor([3.0, 1.0])  # noqa: E741
    for rigorous in (True, False):
        c, x = intercept(fn, torch.tensor([0.1, 0.0]), l, u, False, rigorous=rigorous)
        assert c.dtype == torch.float32 and bool((x >= l).all() and (x <= u).all())
    assert make("relu") == compose(call("relu"))
