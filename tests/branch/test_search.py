"""What every search promises: nothing open is ever lost, even by a step that is cut short; and statuses."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genbab.branch import (
    Domains,
    DomainSearch,
    RegionSearch,
    SearchOutcome,
    SearchProgress,
    SearchSetup,
    Status,
    root_domains,
)
from genbab.branch.open import pool as pool_module
from genbab.branch.open.spill import SpillFull
from genbab.branch.regions import search as search_module
from genbab.branch.regions.forecast import Forecast
from genbab.branch.regions.search import JointReport, RegionState
from genbab.branch.search import DomainState
from genbab.driver.endings import without_proof
from genbab.errors import DeadlineReached
from tests.branch.test_children import CLAUSES, unsafe
from tests.branch.test_domains import halved, line
from tests.branch.test_retighten import SETUP, branching, region_of

INF = float("inf")
POINTS = torch.linspace(0.0, 1.0, 1001, dtype=torch.float64)


class Interruptions:
    """Cuts steps short at random, with what searches expect: no time, or no room."""

    def __init__(self, seed: int, often: float) -> None:
        self.random, self.often = random.Random(seed), often

    def __call__(self, *_: object) -> bool:
        if self.random.random() < self.often:
            raise self.random.choice((DeadlineReached, SpillFull))
        return False

    def told(self, _: object) -> None:
        """The same for what returns nothing."""
        self()


class Recorded:
    """Bounds of boxes of a line, in which some points stay open; what was refuted or cannot be split."""

    def __init__(self, holes: list[float], least: float, interrupt: Interruptions) -> None:
        self.holes, self.least, self.interrupt = holes, least, interrupt
        self.closed: list[tuple[float, float]] = []
        self.given_up = False

    def __call__(self, children: Domains) -> Domains:
        self.interrupt()
        low, high = children.query.lower[:, 0], children.query.upper[:, 0]
        bound = 0.3 - (high - low)
        for hole in self.holes:
            bound = torch.where((low <= hole) & (hole <= high), -0.5, bound)
        found = halved(replace(children, bound=torch.maximum(bound, children.bound)), self.least)
        assert found.splits is not None
        done = (found.bound > 0) | (found.splits.node < 0)
        self.given_up |= bool((~(found.bound > 0) & (found.splits.node < 0)).any())
        self.closed += list(zip(low[done].tolist(), high[done].tolist(), strict=True))
        return found


def covered(state: DomainState, closed: list[tuple[float, float]]) -> Tensor:
    """Which points lie in a box that is open, refuted or given up."""
    boxes = list(closed)
    waiting = [] if state.taken is None else [state.taken]
    if len(state.pool):
        waiting.append(state.pool.pop(len(state.pool)))
        state.pool.push(waiting[-1])
    for domains in waiting:
        ends = domains.query.lower[:, 0].tolist(), domains.query.upper[:, 0].tolist()
        boxes += list(zip(*ends, strict=True))
    found = torch.zeros_like(POINTS, dtype=torch.bool)
    for low, high in boxes:
        found |= (low <= POINTS) & (high >= POINTS)
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.floats(0.0, 1.0), max_size=2), st.sampled_from((1, 4, 64)))
def test_a_search_over_domains_never_loses_an_open_box(seed: int, holes: list[float], batch: int) -> None:
    """However often it is cut short while bounding, attacking, or reporting, and taken up again."""
    interrupt = Interruptions(seed, 0.3)
    bound = Recorded(holes, 2.0**-6, interrupt)
    search = DomainSearch(bound, SearchSetup(interrupt, interrupt.told, 1 << 40, batch))
    state = search.begin(line())
    outcome = SearchOutcome(Status.PAUSED)
    while search.ended(state) is None:
        outcome = search.proceed(state, lambda: interrupt.random.random() < 0.2)
        assert bool(covered(state, bound.closed).all()), "an open box is lost"
        assert outcome.status is not Status.VERIFIED or not bound.given_up
    outcome = search.proceed(state)
    assert outcome.status is (Status.STUCK if holes else Status.VERIFIED)
    assert bound.given_up == bool(holes)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_a_full_disk_loses_no_open_box(seed: int) -> None:
    interrupt = Interruptions(seed, 0.5)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pool_module, "FULL", 1e-9)
        bound = Recorded([0.3], 2.0**-6, Interruptions(seed, 0.0))
        search = DomainSearch(bound, SearchSetup(lambda _: False, lambda _: None, 1 << 20, 2))
        state = search.begin(line())
        spill = state.pool._spill
        put, get = spill.put, spill.get

        def failing(call: Callable[..., object]) -> Callable[..., object]:
            return lambda block: interrupt() or call(block)

        patched.setattr(spill, "put", failing(put))
        patched.setattr(spill, "get", failing(get))
        while (ended := search.ended(state)) is None:
            assert search.proceed(state).status in (Status.MEMORY, Status.TIMEOUT, Status.STUCK)
    assert ended.status is Status.STUCK and ended.progress.bound == -0.5
    assert bool(covered(state, bound.closed).all()), "an open box is lost"


@pytest.mark.parametrize("seed", range(4))
def test_a_search_over_regions_never_loses_an_unsafe_point(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every unsafe sample lies in an open region, with its clause, whenever a step was cut short."""
    monkeypatch.setattr(search_module, "FIRST", 0.01)
    monkeypatch.setattr(search_module, "SHORTEST", 0.01)
    region, engine, x, known = region_of(seed + 120, CLAUSES, True)
    wanted = [
        (number, unsafe(root_domains(row, region.margins[:, mine]), x, known[-1])[0])
        for number in sorted(set(CLAUSES))
        for mine in [torch.tensor(CLAUSES) == number]
        for row in [
            replace(
                region.query,
                matrix=region.query.matrix[:, mine],
                on_input=None if region.query.on_input is None else region.query.on_input[:, mine],
                rhs=region.query.rhs[:, mine],
                clause=region.query.clause[:, mine],
            )
        ]
    ]
    interrupt = Interruptions(seed, 0.1)
    setup = replace(SETUP, falsify=interrupt, report=interrupt.told)
    search = RegionSearch(branching(engine), setup, 1 << 24, lambda: 1e6, 0.01, interrupt.told, (3, 6))
    state = search.begin(region)
    for _ in range(12):
        if search.ended(state) is not None:
            break
        asked = iter(range(10))
        search.proceed(state, lambda asked=asked: next(asked) > 0)  # type: ignore[misc]
        for number, points in wanted:
            assert bool(lying(state, number, x, known)[points].all()), "an unsafe point is lost"
    ended = search.ended(state)
    possible = not any(bool(points.any()) for _, points in wanted)
    assert ended is None or ended.status is not Status.VERIFIED or possible


def lying(state: RegionState, clause: int, x: Tensor, known: list[Tensor]) -> Tensor:
    """Which samples (M,) lie in an open region in which the clause is open."""
    found = torch.zeros(len(x), dtype=torch.bool)
    for region in state.regions:
        if bool((region.query.clause == clause).any()):
            inside = ((region.query.lower <= x) & (x <= region.query.upper)).all(-1)
            for (low, high), value in zip(region.intervals, known, strict=True):
                slack = 1e-9 * (1 + value.abs())
                inside &= ((low <= value + slack) & (value - slack <= high)).all(-1)
            found |= inside
    return found


def test_statuses_speak_and_only_one_is_a_proof() -> None:
    for status in Status:
        outcome = SearchOutcome(status, why="the disk is full")
        assert outcome.message and "{" not in outcome.message and Status[status.name] == status.value
        assert (without_proof(outcome, True) == "") == (status is Status.VERIFIED)
    assert "the disk is full" in SearchOutcome(Status.MEMORY, why="the disk is full").message
    stuck = SearchOutcome(Status.STUCK)
    assert (
        without_proof(stuck, False).startswith(without_proof(stuck, True)) and "float32" not in stuck.message
    )


def test_searches_inside_regions_are_told_as_one() -> None:
    told: list[SearchProgress] = []
    joint = JointReport(told.append)
    joint.proved = -2.0
    for bound, splits in ((-3.0, 2), (-1.0, 5), (float("nan"), 1)):
        joint(SearchProgress(bound, visited=1, splits=splits))
    assert [p.visited for p in told] == [4, 14, 16]
    assert [p.bound for p in told[:2]] == [-3.0, -2.0] and not told[2].bound > -2.0


def test_regions_are_on_trial_and_then_must_pay() -> None:
    region, *_ = region_of(120, [0], True)
    worse = replace(region, margins=torch.full_like(region.margins, -8.0))
    forecast = Forecast(1.0)
    assert forecast.needed([worse]) == INF and forecast.pays([worse], 100.0)
    forecast.spent = 1000.0
    assert not forecast.pays([worse], 100.0)
    forecast.gains.append((4.0, 4.0))
    assert forecast.needed([worse]) == pytest.approx(4.0) and forecast.pays([worse], 100.0)
    assert forecast.needed([worse, worse]) == pytest.approx(8.0) and not forecast.pays([worse], 1.0)
