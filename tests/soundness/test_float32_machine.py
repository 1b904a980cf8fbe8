"""The emulator of float32 against exact arithmetic: roundings, fused products, sums, flushing, edges."""

from __future__ import annotations

import itertools
import json
import math
import pickle
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from .float32 import EDGES, GREEDY, ORDERS, Style, restored, styles, sums
from .float32.arithmetic import LEAST, Arithmetic, once
from .float32.elementary import FUNCTIONS, erf, function
from .float32.styles import BOUNDED, usual
from .float32.sums import dot, total
from .float32.tables import InTable, InUlps

Array = NDArray[Any]
ALL = ORDERS + GREEDY
FUSED = (False, True)


def rounded(exact: Fraction) -> np.float32:
    """The nearest float32 number, ties to even."""
    if exact == 0:
        return np.float32(0)
    exponent = math.floor(math.log2(abs(exact)))
    exponent += (abs(exact) >= Fraction(2) ** (exponent + 1)) - (abs(exact) < Fraction(2) ** exponent)
    unit = Fraction(2) ** (max(exponent, -126) - 23)
    return np.float32(float(round(exact / unit) * unit))


def fraction(number: Any) -> Fraction:
    return Fraction(float(number))


def f32(*values: float) -> Array:
    return np.array(values, dtype=np.float32)


def test_rounding_of_fractions_is_the_processors() -> None:
    random = np.random.default_rng(0)
    a, b = (
        random.normal(size=500).astype(np.float32) * 2.0 ** random.integers(-74, -60, 500) for _ in range(2)
    )
    a, b = a.astype(np.float32), b.astype(np.float32)
    for x, y, product, added in zip(a, b, a * b, a + b, strict=True):
        assert rounded(fraction(x) * fraction(y)) == product
        assert rounded(fraction(x) + fraction(y)) == added


def fused_cases() -> Iterator[tuple[Array, Array, Array]]:
    """a, b, c of any sizes; with a · b nearly half a unit of the last place of c; tiny ones; huge ones."""
    random = np.random.default_rng(1)

    def numbers(low: int, high: int) -> Array:
        return (random.normal(size=400) * 2.0 ** random.integers(low, high, 400)).astype(np.float32)

    yield numbers(-5, 5), numbers(-5, 5), numbers(-8, 8)
    c = numbers(-5, 5)
    off = f32(*(random.integers(-3, 4, 400) * 2.0**-23)), f32(*(random.integers(-3, 4, 400) * 2.0**-23))
    half = 0.5 * np.spacing(np.abs(c)) * random.choice([-1.0, 1.0], 400)
    yield (half * (1 + off[0])).astype(np.float32), (1 + off[1]).astype(np.float32), c
    yield numbers(-80, -60), numbers(-80, -60), numbers(-149, -126)
    yield f32(3e38, 3e38, np.inf, 2.0**127), f32(3.0, -3.0, 0.0, 1.0), f32(1.0, 0.0, 0.0, 2.0**127)


def test_a_fused_product_is_rounded_once() -> None:
    twice = 0
    for a, b, c in fused_cases():
        with np.errstate(all="ignore"):
            exact = a.astype(np.float64) * b
            found, plain = once(exact, c), (exact + c).astype(np.float32)
        for x, y, z, one, two in zip(a, b, c, found, plain, strict=True):
            if not np.isfinite(one):
                assert one == two or np.isnan(two)
                continue
            assert one == rounded(fraction(x) * fraction(y) + fraction(z)), (x, y, z)
            twice += one != two
    assert twice > 20  # where rounding to float64 first would have been wrong


def results(terms: list[Fraction], fused: bool) -> set[float]:
    """What any order and grouping of the sum of these terms gives, each rounded on its own or fused."""

    @cache
    def of(chosen: frozenset[int]) -> frozenset[np.float32]:
        if len(chosen) == 1:
            (one,) = chosen
            return frozenset([rounded(terms[one])])
        found = set()
        for size in range(1, len(chosen) // 2 + 1):
            for part in itertools.combinations(sorted(chosen), size):
                rest = chosen - set(part)
                for a, b in itertools.product(of(frozenset(part)), of(rest)):
                    found.add(rounded(fraction(a) + fraction(b)))
                if fused and size == 1:
                    found |= {rounded(terms[part[0]] + fraction(b)) for b in of(rest)}
        return frozenset(found)

    return {float(v) for v in of(frozenset(range(len(terms))))}


def cancelling(count: int, points: int, seed: int, size: int = 1) -> tuple[Array, Array]:
    """Factors (K, P, N) whose products nearly cancel."""
    random = np.random.default_rng(seed)
    left, right = (
        random.normal(size=(count, points, size)) * 2.0 ** random.integers(-6, 7, (count, 1, 1)) for _ in "ab"
    )
    left[count // 2 :] = -left[: count - count // 2] * (
        1 + 1e-6 * random.normal(size=left[count // 2 :].shape)
    )
    right[count // 2 :] = right[: count - count // 2]
    return left.astype(np.float32), right.astype(np.float32)


@pytest.mark.parametrize("order", ALL)
@pytest.mark.parametrize("fma", FUSED)
def test_an_order_gives_what_some_order_gives(order: str, fma: bool) -> None:
    left, right = cancelling(4, 12, 2)
    m = Arithmetic(Style(order, fma))
    found = dot(m, left, right)[:, 0]
    start = dot(m, left[:3], right[:3], left[3, :, :])[:, 0]
    for p, (y, z) in enumerate(zip(found, start, strict=True)):
        terms = [fraction(a) * fraction(b) for a, b in zip(left[:, p, 0], right[:, p, 0], strict=True)]
        some = terms[:3] + [fraction(left[3, p, 0])]
        if not fma:
            terms, some = ([fraction(rounded(t)) for t in each] for each in (terms, some))
        assert float(y) in results(terms, fma)
        assert float(z) in results(some, fma)


@pytest.mark.parametrize("fma", FUSED)
def test_orders_differ_on_cancelling_sums(fma: bool) -> None:
    left, right = cancelling(12, 80, 3, 4)
    found = {order: dot(Arithmetic(Style(order, fma)), left, right) for order in ALL}
    for one, other in itertools.combinations([order for order in ALL if order != "varied"], 2):
        assert (found[one] != found[other]).any(), (one, other)
    exact = (left.astype(np.float64) * right).sum(axis=0)
    if not fma:
        exact = (left * right).astype(np.float64).sum(axis=0)
    assert (found["greedy up"] > found["greedy down"]).mean() > 0.95
    for order in ORDERS:
        ahead = np.abs(found["greedy up"] - exact).mean() / np.abs(found[order] - exact).mean()
        assert ahead > 0.9, (order, ahead)


def test_sums_of_varied_orders_have_several() -> None:
    m, (left, right) = Arithmetic(Style("varied")), cancelling(12, 80, 3)
    assert len({dot(m, left, right).tobytes() for _ in range(20)}) > 5


def test_simple_orders_are_what_they_say() -> None:
    terms = f32(1e8, 1.0, -1e8, 3.5, 1e-3, -2.0)[:, None]
    a, b, c, d, e, f = terms[:, 0]
    sorted_ = sorted(terms[:, 0], key=abs)
    expected = {
        "forward": ((((a + b) + c) + d) + e) + f,
        "reversed": ((((f + e) + d) + c) + b) + a,
        "pairs": ((a + b) + (c + d)) + (e + f),
        "halves": ((a + d) + (c + f)) + (b + e),
        "ascending size": sum(sorted_[1:], sorted_[0]),
        "descending size": sum(sorted_[-2::-1], sorted_[-1]),
        "positive first": ((((a + d) + b) + e) + f) + c,
        "negative first": ((((c + f) + e) + b) + d) + a,
    }
    for order, value in expected.items():
        assert total(Arithmetic(Style(order)), terms)[0] == value, order
    for order in ALL:
        assert total(Arithmetic(Style(order)), terms[:1])[0] == a
        assert total(Arithmetic(Style(order)), terms[:0])[0] == 0


def test_sums_do_not_depend_on_how_many_points_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = cancelling(9, 40, 4)
    for order, fma in itertools.product(ALL, FUSED):
        style = Style(order, fma, seed=5)
        whole = dot(Arithmetic(style), left, right)
        alone = [dot(Arithmetic(style), left[:, [p]], right[:, [p]]) for p in range(40)]
        assert (whole == np.concatenate(alone)).all()
        with monkeypatch.context() as patch:
            patch.setattr(sums, "MOST", 60)
            assert (dot(Arithmetic(style), left, right) == whole).all()


def test_subnormal_numbers_are_kept_or_flushed() -> None:
    small, large = f32(1e-39, -1e-39, LEAST, -LEAST, 0.0, 1e-45), np.float32(2.0**20)
    kept, flushing = Arithmetic(Style()), Arithmetic(Style(flush=True))
    assert (kept.mul(small, f32(1.0)) == small).all()
    found = flushing.mul(small, f32(1.0))
    assert (found == f32(0, 0, LEAST, -LEAST, 0, 0)).all() and (np.signbit(found) == np.signbit(small)).all()
    assert (flushing.result(small) * large == f32(0, 0, LEAST, -LEAST, 0, 0) * large).all()
    a, b = f32(1.5 * LEAST), f32(LEAST)
    assert kept.sub(a, b)[0] == 0.5 * LEAST and flushing.sub(a, b)[0] == 0
    for fma in FUSED:
        tiny = f32(1e-20)[:, None, None], f32(1e-20)[:, None, None]
        assert (
            dot(Arithmetic(Style(fma=fma)), *tiny) > 0 == dot(Arithmetic(Style(fma=fma, flush=True)), *tiny)
        )
    # three terms whose partial sum is subnormal
    terms = f32(2 * LEAST, -1.5 * LEAST, 1.0)[:, None]
    assert total(Arithmetic(Style(flush=True)), terms) == 1
    assert total(Arithmetic(Style(flush=True)), terms[:2]) == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_stay_within_what_is_allowed(name: str) -> None:
    random = np.random.default_rng(6)
    x = np.concatenate(
        [random.normal(size=300) * 3, random.normal(size=100) * 1e-3, random.normal(size=100) * 30]
    )
    x = (np.abs(x) if name == "Log" else x).astype(np.float32)[:, None]
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name](x.astype(np.float64))
        nearest = exact.astype(np.float32)
        found = {e: function(Arithmetic(Style(edges=e, ranges=False)), name, x) for e in EDGES}
        absolute, relative = usual(name, x)
        ranged = function(Arithmetic(Style(edges="up")), name, x)
    for y in found.values():
        assert y.dtype == np.float32
        assert ((np.abs(y - exact) <= absolute + relative * np.abs(exact)) | (y == nearest)).all()
    assert (found["down"] <= nearest).all() and (nearest <= found["up"]).all()
    assert (found["down"] < found["up"]).mean() > 0.6
    assert ((found["random"] == found["up"]) | (found["random"] == found["down"])).all()
    if name in BOUNDED:
        assert (found["random"] == found["up"]).mean() < 0.7
    assert name not in ("Tanh", "Sin", "Sigmoid") or (ranged <= 1).all()


def test_stated_errors_are_read(tmp_path: Path) -> None:
    assert InUlps(4)("Exp", f32(1.0)) == (2.0**-147, 2.0**-21)
    numbers = {"low": -1.0, "high": 1.0, "absolute": 0.5, "relative": 0.0}
    pieces = [numbers, {**numbers, "low": 1.0, "high": 9.0, "absolute": 0.0, "relative": "0.25"}]
    functions = {name: {"pieces": pieces} for name in ("tanh", "power(2)", "gelu_tanh")}
    path = tmp_path / "some.json"
    path.write_text(json.dumps({"functions": functions}))
    for name in ("Tanh", "Pow(2)", "Gelu tanh"):
        absolute, relative = InTable(path)(name, f32(-2.0, 0.0, 3.0))
        assert absolute.tolist() == [0.0, 0.5, 0.0] and relative.tolist() == [0.0, 0.0, 0.25]
    assert not np.any(InTable(path)("Pow(3)", f32(0.0)))
    style = Style(edges="up", allowed=InTable(path), ranges=False)
    assert function(Arithmetic(style), "Tanh", f32(-2.0, 0.25))[1] > 0.7
    assert pickle.loads(pickle.dumps(style)) == style


def test_the_error_function_is_known_to_float64() -> None:
    x = np.concatenate([np.linspace(-7, 7, 3001), 10.0 ** np.linspace(-40, 0, 200)])
    assert np.abs(erf(x) / np.array([math.erf(v) for v in x]) - 1)[x != 0].max() < 1e-15


def test_styles_cover_everything() -> None:
    for seed in range(5):
        made = styles(seed, 14)
        assert made[0] == Style(seed=seed) and len(made) == 14
        assert {s.order for s in made} == set(ORDERS) and {s.edges for s in made} == set(EDGES)
        assert len({(s.fma, s.flush) for s in made}) == 4 and len({s.variant for s in made}) > 3
        assert all(restored(s.plain()) == s for s in made)
        assert made == styles(seed, 14) != styles(seed + 1, 14)
    beyond = styles(0, 24, Style(beyond=frozenset(["moments"])))
    assert {s.beyond for s in beyond} == {frozenset(), frozenset(["moments"])}


@pytest.mark.parametrize(
    "wrong", [{"order": "up"}, {"edges": "far"}, {"beyond": {"all"}}, {"whole": {"Relu"}}]
)
def test_styles_refuse_unknown_names(wrong: dict[str, Any]) -> None:
    given: Any = {k: frozenset(v) if isinstance(v, set) else v for k, v in wrong.items()}
    with pytest.raises(ValueError, match="is none of"):
        Style(**given)


def test_the_emulator_shares_nothing_with_genbab() -> None:
    for path in (Path(__file__).parent / "float32").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import genbab" not in text and "from genbab" not in text and "import torch" not in text, path
