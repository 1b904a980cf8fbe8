"""Random networks run in float32: what they are, and how bounds of them are examined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from .float32 import Program, Style, styles
from .float32.examine import (
    RUNTIME,
    Bounds,
    Effort,
    Examined,
    by_runtime,
    examined,
    greedy,
    kept,
    outputs,
    outside,
    replayed,
    runs,
    steered,
)
from .float32.networks import KINDS, Case, points, random_network

Array = NDArray[Any]
SEEDS = range(2 * len(KINDS))
QUICK = Effort(points=24, styles=12, greedy=6, runtime=4)


@pytest.mark.parametrize("seed", SEEDS)
def test_onnxruntime_is_one_of_many_styles(seed: int) -> None:
    """What it gives is not further from the plainest style than other styles are."""
    case = random_network(seed)
    assert case.kind == list(KINDS)[seed % len(KINDS)]
    x = points(case, 12)
    found = np.stack([outputs(case.model, x, style) for style in styles(seed, 24)])
    y = by_runtime(case, x)
    size = max(float(np.abs(y).max()), 1e-30)
    spread = np.abs(found - found[0]).max()
    assert np.abs(y - found[0]).max() <= 1.5 * spread + 1e-6 * size


def test_networks_are_the_same_again() -> None:
    for seed in (0, 6, 13):
        one, other = random_network(seed), random_network(seed)
        assert one.model.SerializeToString() == other.model.SerializeToString()
        assert (one.low == other.low).all() and (one.high == other.high).all()
        assert one.model != random_network(seed + len(KINDS)).model


def test_networks_are_of_all_sizes() -> None:
    cases = [random_network(seed) for seed in range(0, 40 * len(KINDS), len(KINDS))]
    assert {case.low.size for case in cases} == set(range(1, 7))
    widths = np.array([(case.high - case.low).max() for case in cases])
    assert (widths == 0).any() and widths.max() > 0.5 and (widths[widths > 0] < 1e-3).any()
    counts = [len(case.model.graph.node) for case in cases]
    assert min(counts) < 6 and max(counts) > 14


def test_points_lie_in_the_box_with_its_corners() -> None:
    for seed in range(40):
        case = random_network(seed)
        x = points(case, 300, seed)
        assert x.dtype == np.float32 and x.shape == (300, *case.low.shape)
        assert (x >= case.low).all() and (x <= case.high).all() and (x[0] == case.middle).all()
        assert (x == points(case, 300, seed)).all()
        flat = {p.tobytes() for p in x}
        assert case.low.size > 3 or (case.low.tobytes() in flat and case.high.tobytes() in flat)
    assert len(points(case, 1)) == 1


@pytest.mark.parametrize("seed", range(len(KINDS)))
def test_a_point_alone_gives_what_it_gives_among_others(seed: int) -> None:
    case = random_network(seed)
    program, x = Program.of(case.model), points(case, 5)
    for style in [*styles(seed, 12), *greedy(seed, Style())]:
        whole = outputs(program, x, style)
        alone = [outputs(program, x[[k]], style) for k in range(len(x))]
        assert whole.tobytes() == np.concatenate(alone).tobytes(), style


def test_steered_errors_are_larger_than_others() -> None:
    """For most networks they span a wider range than all other styles do at the point."""
    wider = []
    for seed in range(2, 60, 3):
        case = random_network(seed)
        program, x = Program.of(case.model), case.middle[None]
        plain = np.concatenate([outputs(program, x, s) for s in styles(seed, 26)])[:, 0].astype(np.float64)
        aimed = np.concatenate(
            [outputs(program, x, s) for s in steered(program, x, Effort(steered=1), seed)]
        )[:, 0].astype(np.float64)
        wider.append((aimed.max() - aimed.min() + 1e-30) / (plain.max() - plain.min() + 1e-30))
    assert np.median(wider) > 1.3, sorted(wider)


def reached(case: Case, effort: Effort) -> Bounds:
    """The range of all that is run."""
    y = np.concatenate([y for _, _, y in runs(case, effort)]).astype(np.float64)
    return y.min(axis=0), y.max(axis=0)


def giving(low: Array, high: Array) -> Callable[[Case], Bounds]:
    return lambda case: (low, high)


@pytest.mark.parametrize("seed", range(0, 2 * len(KINDS), 3))
def test_bounds_that_are_a_little_too_narrow_are_found(seed: int, tmp_path: Path) -> None:
    case = random_network(seed)
    low, high = reached(case, QUICK)
    outcome = examined(case, giving(low, high), QUICK)
    assert outcome.checked > 0 == outcome.violations and not outcome.found
    assert all(ratio <= 1 + 1e-6 for ratio in outcome.over_box)
    for narrow in ((np.nextafter(low, np.inf), high), (low, np.nextafter(high, -np.inf))):
        wrong = examined(case, giving(*narrow), QUICK)
        assert wrong.violations and wrong.found
        again, violations = replayed(kept(case, wrong, tmp_path))
        assert again.model == case.model and (again.low == case.low).all() and (again.high == case.high).all()
        assert (again.kind, again.seed) == (case.kind, case.seed)
        for style, x, found in violations:
            y = by_runtime(again, x) if isinstance(style, str) else outputs(again.model, x, style)
            assert float(y[0, found.output]) == found.value
            assert not found.lower <= found.value <= found.upper


def test_what_is_not_finite_is_outside_of_finite_bounds() -> None:
    y = np.array([[np.nan, np.inf, 1.0, -np.inf]], dtype=np.float32)
    finite, infinite = np.full(4, 10.0), np.full(4, np.inf)
    assert outside(y, -finite, finite).tolist() == [[True, True, False, True]]
    assert outside(y, -infinite, infinite).tolist() == [[False] * 4]
    assert outside(y, -finite, infinite).tolist() == [[True, False, False, True]]


def test_what_is_refused_is_not_run() -> None:
    case = random_network(2)
    outcome = examined(case, lambda asked: "no", QUICK)
    assert outcome == replace(Examined(case.kind, 2, refused="no; no"), seconds=outcome.seconds)
    low, high = reached(case, QUICK)
    part = examined(case, lambda asked: "box" if asked is case else (low, high), QUICK)
    assert part.refused == "box" and part.checked and not part.over_box and part.at_point
    assert RUNTIME not in (found.style for found in part.found)
