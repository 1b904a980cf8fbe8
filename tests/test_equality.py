"""Clauses that equality attains and that exclude it: refuted in rational arithmetic, or given up soon."""

from __future__ import annotations

import itertools
import time
from fractions import Fraction

import numpy as np
import pytest
import torch

from genbab.api import verify
from genbab.attack.rational import RationalRefuter
from genbab.config import Config
from genbab.network import Affine, Dense, Input, Network, Node, Nonlinear
from genbab.nonlinear import make
from genbab.specs import Clause, Spec, parse_vnnlib
from tests.test_driver import dense, layered

HEAD = "(declare-const X_0 Real)(declare-const Y_0 Real)"


def box(low: str = "(>= X_0 -1)", high: str = "(<= X_0 1)") -> str:
    return f"{HEAD}(assert {low})(assert {high})"


@pytest.mark.parametrize(
    ("bounds", "row", "verdicts"),
    (
        (box(high="(< X_0 1)"), "(>= Y_0 1)", ("verified",)),
        (box(high="(<= X_0 0.99999999999999999999)"), "(>= Y_0 1)", ("verified",)),
        (box(high="(< X_0 1.00000000000000000001)"), "(>= Y_0 1)", ("falsified",)),
        (box(), "(> Y_0 1)", ("verified",)),
        (box(), "(>= Y_0 1)", ("falsified",)),
        (box(), "(> Y_0 0.99999999999999999999)", ("falsified",)),
        (box(high="(< X_0 1)"), "(>= Y_0 0.99999999999999999999)", ("unknown", "timeout")),
        (box("(> X_0 -1)"), "(<= Y_0 -1)", ("verified",)),
    ),
)
def test_the_identity_on_intervals_with_and_without_their_ends(
    bounds: str, row: str, verdicts: tuple[str, ...]
) -> None:
    """In the last but two a real point violates that no float64 is."""
    spec = parse_vnnlib(f"{bounds}(assert {row})")
    result = verify(layered(dense(0, (1.0,))), spec, Config(timeout=5.0))
    assert result.verdict in verdicts, result.reason
    if result.verdict == "verified":
        assert "rational" in result.reason and result.bound is None


@pytest.mark.parametrize("inputs", (1, 24))
@pytest.mark.parametrize("name", ("abs", "tanh", "relu"))
def test_what_equality_attains_ends_the_run_soon(name: str, inputs: int) -> None:
    """Unsafe: Σ|x_i| < 0, Σ tanh(x_i)² < 0, Σ relu(x_i) < 0, all of which are 0 at 0."""
    weight = tuple(tuple(float(i == j) for j in range(inputs)) for i in range(inputs))
    layers: list[Node] = [dense(0, *weight), Nonlinear(make(name), (1,), inputs)]
    layers += [Nonlinear(make("power", 2.0), (2,), inputs)] if name == "tanh" else []
    model = layered(*layers, dense(len(layers), (1.0,) * inputs), inputs=inputs)
    clause = Clause(0, np.ones((1, 1)), None, np.zeros(1), np.array([True]))
    started = time.monotonic()
    spec = Spec(-np.ones((1, inputs)), np.ones((1, inputs)), (clause,), 1)
    result = verify(model, spec, Config(timeout=240.0))
    assert time.monotonic() - started < 60
    if name == "relu":
        assert result.verdict == "verified"
    else:
        assert result.verdict == "unknown" and "attained with equality" in result.reason


def test_a_counterexample_elsewhere_is_still_found() -> None:
    """Clause 0 excludes what it attains; clause 1 is violated at a point of measure 1e-3."""
    model = layered(dense(0, (1.0,)), Nonlinear(make("power", 2.0), (1,), 1))
    clauses = "(assert (or (< Y_0 0) (and (> X_0 0.5) (< X_0 0.501) (> Y_0 0.2505) (< Y_0 0.251))))"
    result = verify(model, parse_vnnlib(box() + clauses), Config(timeout=30.0))
    assert result.verdict == "falsified"
    found = result.counterexample
    assert found is not None and found.clause == 1


def truth(weight: list[list[int]], bias: list[int], spec: Spec) -> bool:
    """Whether y = weight x + bias meets the only clause, of one row, at a real point of the box."""
    clause = spec.clauses[0]
    factors = [
        sum(Fraction(float(o)) * w[i] for o, w in zip(clause.outputs[0], weight, strict=True))
        for i in range(2)
    ]
    total = sum(Fraction(float(o)) * b for o, b in zip(clause.outputs[0], bias, strict=True)) - Fraction(
        clause.rhs[0]
    )
    attained = True
    for i, factor in enumerate(factors):
        low, high = Fraction(spec.lower[0, i]), Fraction(spec.upper[0, i])
        opened = [flags is not None and bool(flags[0, i]) for flags in spec.open_ends]
        total += min(factor * low, factor * high)
        attained &= factor == 0 or not opened[factor < 0]
    strict = clause.strict is not None and bool(clause.strict[0])
    return total < 0 or (total == 0 and attained and not strict)


def test_affine_networks_are_decided_exactly() -> None:
    random = np.random.default_rng(0)
    count = {True: 0, False: 0}
    for _ in range(2000):
        weight = random.integers(-2, 3, (2, 2))
        bias = random.integers(-2, 3, 2)
        flags = [random.random((1, 2)) < 0.5 for _ in range(2)]
        row, strict = random.integers(-1, 2, (1, 2)).astype(float), random.random(1) < 0.5
        clause = Clause(0, row, None, random.integers(-6, 3, 1).astype(float), strict)
        ends = np.array([[-1.0, 0.0]]), np.array([[1.0, 1.0]])
        spec = Spec(*ends, (clause,), 2, lower_open=flags[0], upper_open=flags[1])
        first, second = (torch.tensor(m, dtype=torch.float64) for m in ([[1, 1], [0, 1]], [[1, -1], [0, 1]]))
        whole = torch.tensor(weight, dtype=torch.float64)
        terms = (Affine(((0, Dense(first)),), torch.zeros(2, dtype=torch.float64)),)
        last = Affine(((1, Dense(whole @ second)),), torch.tensor(bias, dtype=torch.float64))
        found = RationalRefuter(Network((Input(2), *terms, last), 2), spec).refuted([0])
        real = truth(weight.tolist(), bias.tolist(), spec)
        assert (0 in found) == (not real)
        count[real] += 1
    assert min(count.values()) > 300


def test_networks_with_relu_are_refuted_only_where_no_point_violates() -> None:
    """Against a fine grid of rational points, ends left out where they are excluded."""
    random = np.random.default_rng(1)
    refuted = 0
    for _ in range(300):
        first, last = random.integers(-2, 3, (3, 2)), random.integers(-2, 3, (1, 3))
        bias = random.integers(-1, 2, 3)
        flags = [random.random((1, 2)) < 0.5 for _ in range(2)]
        strict, rhs = random.random(1) < 0.5, random.integers(-5, 2, 1).astype(float)
        spec = Spec(
            np.array([[-1.0, 0.0]]),
            np.array([[1.0, 1.0]]),
            (Clause(0, np.ones((1, 1)), None, rhs, strict),),
            1,
            lower_open=flags[0],
            upper_open=flags[1],
        )
        layers = (dense(0, *first.astype(float).tolist(), bias=tuple(bias.astype(float).tolist())),)
        more = (Nonlinear(make("relu"), (1,), 3), dense(2, *last.astype(float).tolist()))
        if 0 not in RationalRefuter(Network((Input(2), *layers, *more), 3), spec).refuted([0]):
            continue
        refuted += 1
        for p, q in itertools.product(range(-8, 9), range(9)):
            x = np.array([p / 8, q / 8])
            y = last @ np.maximum(first @ x + bias, 0)
            assert spec.violation(x, y) is None
    assert refuted > 50


def test_what_is_not_understood_is_not_refuted() -> None:
    spec = Spec(np.zeros((1, 1)), np.ones((1, 1)), (Clause(0, np.ones((1, 1)), None, np.array([-9.0])),), 1)
    smooth = Network((Input(1), dense(0, (1.0,)), Nonlinear(make("tanh"), (1,), 1)), 2)
    assert RationalRefuter(smooth, spec).refuted([0]) == frozenset()
    wide = Network((Input(1), dense(0, *[(1.0,)] * 60_000), dense(1, (1.0,) * 60_000)), 2)
    assert RationalRefuter(wide, spec).refuted([0]) == frozenset()
