"""Counterexamples next to their box: only where no number lies inside, and only where the box is violated."""

from __future__ import annotations

import math
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
import pytest

from genbab.api import attack, verify
from genbab.attack.targets import around, closest, representable
from genbab.config import Config
from genbab.reader import Model
from genbab.result import Result
from genbab.specs import Spec, parse_vnnlib
from tests.attack.test_replay import linear

TENTH = float(np.float32(0.1))
OPEN = ("unknown", "timeout")


def asked(bounds: list[tuple[str, str]], rows: list[str], outputs: int = 1) -> str:
    """A text with bounds (lower, upper) per input and these assertions."""
    text = [f"(declare-const X_{i} Real)" for i in range(len(bounds))]
    text += [f"(declare-const Y_{j} Real)" for j in range(outputs)]
    for i, (low, high) in enumerate(bounds):
        text.append(f"(assert (>= X_{i} {low}))(assert (<= X_{i} {high}))")
    return "".join([*text, *(f"(assert {row})" for row in rows)])


def answer(model: Model, text: str, **settings: object) -> Result:
    chosen = Config().with_(**{"timeout": 20.0, **settings})
    return verify(model, parse_vnnlib(text), chosen)


def test_the_nearest_float32_is_a_witness_where_none_lies_inside() -> None:
    text = asked([("0.1", "0.1"), ("-1", "1")], ["(>= Y_0 0)"])
    found = answer(linear([[1.0, 1.0]]), text).counterexample
    assert found is not None and found.x.dtype == np.float32
    assert float(found.x[0]) == TENTH and -1 <= float(found.x[1]) <= 1
    away = Fraction(TENTH) - Fraction(1, 10)
    assert away <= Fraction(found.distance) <= away * (1 + Fraction(1, 10**6))
    exact = answer(linear([[1.0, 1.0]]), text, witness="exact", timeout=2.0)
    assert exact.verdict in OPEN


def test_both_the_float32_and_a_point_of_the_box_must_violate() -> None:
    """y = x at 0.1: only the float32 is above 0.100000001, only the real number below 0.1000000005."""
    model, point = linear([[1.0]]), [("0.1", "0.1")]
    assert answer(model, asked(point, ["(>= Y_0 0.100000001)"])).verdict == "verified"
    assert answer(model, asked(point, ["(<= Y_0 0.1000000005)"]), timeout=2.0).verdict in OPEN
    assert answer(model, asked(point, ["(<= Y_0 0.100000002)"])).verdict == "falsified"


def test_a_double_model_is_replayed_in_double() -> None:
    from onnx import TensorProto

    model = linear([[2.0]], TensorProto.DOUBLE)
    found = answer(model, asked([("0.1", "0.1")], ["(>= Y_0 0.1)"])).counterexample
    assert found is not None and found.x.dtype == np.float64 and found.x.tolist() == [0.1]
    assert 0 < found.distance < 2e-17
    low, high = "0.30000000000000004", "0.30000000000000005"
    found = answer(model, asked([(low, high)], ["(>= Y_0 0.1)"])).counterexample
    assert found is not None and Fraction(low) <= Fraction(float(found.x[0])) <= Fraction(high)
    assert found.distance == 0


def test_a_double_model_is_searched_in_double() -> None:
    """A box below float32's resolution: half of it violates, and not the end next to the float32."""
    from onnx import TensorProto

    for sign in (1, -1):
        text = asked([("1", "1.000000000001")] * 2, ["(>= Y_0 2.000000000001)"])
        if sign < 0:
            text = asked([("0.999999999999", "1")] * 2, ["(<= Y_0 1.999999999999)"])
        result = answer(linear([[1.0, 1.0]], TensorProto.DOUBLE), text)
        assert result.verdict == "falsified"
        assert result.counterexample is not None and result.counterexample.distance == 0


def test_results_keep_the_distance_and_double_inputs() -> None:
    from onnx import TensorProto

    result = answer(linear([[2.0]], TensorProto.DOUBLE), asked([("0.1", "0.1")], ["(>= Y_0 0.1)"]))
    again = Result.from_json(result.to_json())
    assert result.counterexample is not None and again.counterexample is not None
    assert again.counterexample.x.tolist() == [0.1]
    assert again.counterexample.distance == result.counterexample.distance
    assert "distance of at most" in result.reason and "float64" in result.reason


@pytest.mark.parametrize("seed", range(40))
def test_random_witnesses(seed: int) -> None:
    """Decimals of many lengths: entries are inside wherever a float32 is, else the nearest one."""
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 6))
    bounds: list[tuple[str, str]] = []
    for _ in range(count):
        low = Fraction(int(random.integers(-(10**9), 10**9)), 10 ** int(random.integers(7, 12)))
        width = Fraction(int(random.integers(0, 50)), 10 ** int(random.integers(7, 12)))
        first, last = sorted(map(Fraction, (_written(low, random), _written(low + width, random))))
        bounds.append((_decimal(first), _decimal(last)))
    weight = random.normal(size=count).astype(np.float32).tolist()
    model = linear([weight])
    middle = sum(
        Fraction(w) * (Fraction(a) + Fraction(b)) / 2 for w, (a, b) in zip(weight, bounds, strict=True)
    )
    found = answer(model, asked(bounds, [f"(<= Y_0 {float(middle) + 1e-3!r})"])).counterexample
    assert found is not None
    largest = Fraction(0)
    for value, (lower, upper) in zip(found.x.tolist(), bounds, strict=True):
        ends = Fraction(lower), Fraction(upper)
        away = max(ends[0] - Fraction(value), Fraction(value) - ends[1], Fraction(0))
        largest = max(largest, away)
        if away:
            below, above = (np.nextafter(np.float32(value), np.float32(s)) for s in (-math.inf, math.inf))
            other = above if Fraction(value) < ends[0] else below
            assert not ends[0] <= Fraction(float(other)) <= ends[1]
            assert away <= max(ends[0] - Fraction(float(other)), Fraction(float(other)) - ends[1])
    assert largest <= Fraction(found.distance) and (found.distance == 0) == (largest == 0)


def _written(value: Fraction, random: np.random.Generator) -> str:
    """The number, or the float64 near it in full."""
    return f"{float(value):.40f}" if random.random() < 0.2 else _decimal(value)


def _decimal(value: Fraction) -> str:
    return format(Context(prec=60).divide(Decimal(value.numerator), Decimal(value.denominator)), "f")


def test_attack_only_follows_the_same_rule() -> None:
    model, spec = linear([[1.0]]), parse_vnnlib(asked([("0.1", "0.1")], ["(>= Y_0 0)"]))
    found = attack(model, spec)
    assert found is not None and found.distance > 0
    assert attack(model, spec, Config(witness="exact")) is None


def test_the_closest_number_to_an_interval() -> None:
    random = np.random.default_rng(0)
    low = random.normal(size=2000)
    high = low + random.random(2000) * 1e-8 * (random.random(2000) < 0.5)
    above, below = representable(low, high, np.dtype(np.float32))
    none = above > below
    assert 500 < none.sum() < 2000
    found = closest((low[none], high[none]), (above[none], below[none]))
    near = ((low[none] + high[none]) / 2).astype(np.float32).astype(np.float64)
    away = [np.maximum(low[none] - v, v - high[none]) for v in (found, near)]
    assert (away[0] <= away[1]).all() and (found.astype(np.float32) == found).all()
    assert (away[0] <= np.spacing(np.abs(low[none]).astype(np.float32)) / 2 * 1.0001).all()


def test_balls_take_no_point_outside() -> None:
    from genbab.specs import Input, Network, l2, never

    x = Input(1)
    spec = never(l2(x, [0.1], "1/1000000000000") & (Network(1)(x) >= 0))
    assert verify(linear([[1.0]]), spec, Config(timeout=2.0)).verdict in OPEN


def test_in_float32_a_decimal_is_what_a_program_reads_for_it() -> None:
    """Where the box holds no float32, the nearest one is its point; where it does, only those are witnesses.

    A proof is about the numbers on both sides of every bound.
    """
    model, float32 = linear([[1.0]]), {"arithmetic": "float32"}
    read = asked([("0.1", "0.1")], ["(>= Y_0 0.100000001)"])
    assert answer(model, read).verdict == "verified"
    found = answer(model, read, **float32)
    assert found.verdict == "falsified" and "over the real numbers" not in found.reason
    assert found.counterexample is not None and float(found.counterexample.x[0]) == TENTH
    wide = asked([("-1", "0.1")], ["(>= Y_0 0.100000001)"])
    assert answer(model, wide).verdict == "verified"
    assert answer(model, wide, timeout=2.0, **float32).verdict in OPEN
    assert answer(model, asked([("0.1", "0.1")], ["(>= Y_0 0.10000001)"]), **float32).verdict == "verified"
    assert answer(model, read, witness="exact", timeout=2.0, **float32).verdict in OPEN


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_boxes_reach_to_the_numbers_around_their_ends(kind: type) -> None:
    rng = np.random.default_rng(0)
    ends = rng.normal(size=(2, 1, 500)) * 10.0 ** rng.integers(-9, 5, (2, 1, 500))
    ends[:, 0, :50] = ends[:, 0, :50].astype(kind)
    ends.sort(0)
    spec = Spec(ends[0], ends[1], [], 1)
    wide = around(spec, [(slice(0, 400), np.dtype(kind))])
    assert np.array_equal(wide.lower[:, 400:], spec.lower[:, 400:])
    lower, upper = wide.lower[0, :400], wide.upper[0, :400]
    for new, old, out in ((lower, ends[0, 0, :400], -np.inf), (upper, ends[1, 0, :400], np.inf)):
        assert (new.astype(kind) == new).all() and ((new <= old) if out < 0 else (new >= old)).all()
        inward = np.nextafter(new.astype(kind), kind(-out)).astype(float)
        assert ((inward > old) if out < 0 else (inward < old))[new != old].all()
        assert (new == old)[:50].all()


def test_bounds_beyond_the_largest_number_stay() -> None:
    spec = Spec(np.full((1, 1), -1e39), np.full((1, 1), 1e39), [], 1)
    wide = around(spec, [(slice(None), np.dtype(np.float32))])
    assert (wide.lower == spec.lower).all() and (wide.upper == spec.upper).all()
