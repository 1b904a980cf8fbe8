"""Shared searches: whatever is sent when, every open box is somewhere, and only what is closed is a proof."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genbab.branch import (
    DomainSearch,
    Region,
    RegionSearch,
    SearchOutcome,
    SearchSetup,
    Status,
    root_domains,
)
from genbab.branch.kept.data import DomainData
from genbab.branch.open.packing import PackedDomains, Packing
from genbab.branch.regions import search as search_module
from genbab.branch.regions.search import RegionState
from genbab.driver.crew.member import Member
from genbab.driver.crew.messages import Answer, Failed, Order, Take
from genbab.driver.crew.regions import SharedRegions
from genbab.driver.crew.sharing import SharedSearch
from genbab.driver.crew.snapshot import Snapshot
from genbab.driver.crew.team import Link, SharedWork
from genbab.driver.turns import Turns, scouts
from genbab.errors import DeadlineReached, ResourceError
from genbab.problem import Query
from genbab.system.deadline import Deadline
from tests.branch.test_children import CLAUSES, unsafe
from tests.branch.test_domains import line
from tests.branch.test_retighten import SETUP, branching, region_of
from tests.branch.test_search import POINTS, Interruptions, Recorded, lying

INF = float("inf")


class Slow:
    """A member in this process whose orders and answers come as late as chance wills, but in their order."""

    def __init__(self, office: Office, member: Callable[[Slow], Member]) -> None:
        self.office = office
        self.orders, self.answers = deque[Order](), deque[Answer]()
        self.member, self.dead = member(self), False

    def open(self) -> None:
        """Orders can be sent."""

    def end(self) -> None:
        """Nothing is left to end."""

    def receive(self, wait: bool) -> Order | None:
        late = self.office.random.random() < 0.3
        return None if late or not self.orders else self.orders.popleft()

    def send(self, message: Order | Answer) -> None:
        """Both sides write here: a member says what a crew does not."""
        if isinstance(message, Order):
            self.orders.append(message)
        else:
            self.answers.append(message)

    def turn(self) -> None:
        """The member works for a while."""
        if not self.dead:
            self.member.turn()


class Office:
    """Runs the members of a crew in turn, at random, and looks whether something is lost after each."""

    def __init__(self, seed: int, size: int, deaths: float = 0.0, restores: bool = False) -> None:
        self.random, self.deaths, self.restores = random.Random(seed), deaths, restores
        self.size = self.together = size
        self.members: list[Slow] = []
        self.look: Callable[[], None] = lambda: None

    def start(self, shared: SharedWork) -> list[Link]:
        assert isinstance(shared, SharedSearch)
        self.members = [Slow(self, partial(shared.member, place)) for place in range(self.size)]
        return list(self.members)

    def messages(self, links: Mapping[int, Link], seconds: float) -> list[tuple[int, Answer]]:
        number = self.random.choice(sorted(links))
        one = self.members[number]
        one.turn()
        self.look()
        if self.random.random() < self.deaths:
            one.dead = True
            one.answers.clear()
            one.orders.clear()
            return [(number, Failed("a process of the search ended", memory=True, lost=True))]
        some = self.random.randint(0, 2)
        return [(number, one.answers.popleft()) for _ in range(min(some, len(one.answers)))]


class Nobody(Turns):
    """No attack at all."""

    def __init__(self) -> None:
        self.left = 0

    def apart(self, place: int, count: int) -> Nobody:
        mine = Nobody()
        mine.left = 20 if scouts(place, count) else 0
        return mine

    def falsify(self, domains: object) -> bool:
        return False

    def scouting(self, clauses: Sequence[int]) -> Callable[[], bool] | None:
        """The last one has something to do first, for a while."""

        def scout() -> bool:
            self.left -= 1
            return self.left > 0

        return scout if self.left else None


class Pictured(SharedSearch):
    """Looks at every picture of what is open."""

    bound: Recorded

    def picture_taken(self, snapshot: Snapshot) -> DomainData:
        data = super().picture_taken(snapshot)
        assert bool(points_in(self.packing, data.open, self.bound).all()), "a picture lacks an open box"
        unsafe = [covers(self.packing, data.open, hole) for hole in self.bound.holes]
        assert all(unsafe) or data.given_up < INF, "a picture knows nothing of a box that was given up"
        return data


def shared(office: Office, bound: Recorded, batch: int) -> SearchOutcome:
    """A search on a line by so many members; every point is looked for after every turn."""
    setup = SearchSetup(lambda _: False, lambda _: None, 1 << 40, batch)
    search = DomainSearch(bound, setup)
    state = search.begin(bound(line()))
    for _ in range(2):
        if search.ended(state) is None:
            search.step(state)
    if len(state.pool) and office.random.random() < 0.5:  # as a step does that finds no room
        state.taken = state.pool.pop(1)
    crew = Pictured(search, state, Nobody(), office)
    crew.bound = bound

    def look() -> None:
        assert bool(held(office, crew, bound).all()), "an open box is lost"

    office.look = look
    return crew.run(office, Deadline())


@pytest.mark.parametrize(("seed", "count"), [(0, 3), (1, 1), (2, 2)])
def test_no_unsafe_point_is_lost_between_regions(
    seed: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every unsafe sample lies in a region that is open, with its clause, also while that is divided."""
    monkeypatch.setattr(search_module, "FIRST", 0.01)
    monkeypatch.setattr(search_module, "SHORTEST", 0.01)
    region, engine, x, known = region_of(seed + 120, CLAUSES, True)
    regions = RegionSearch(branching(engine), SETUP, 1 << 24, lambda: 1e6, 0.01, lambda _: None, (3, 6))
    state = regions.begin(region)
    while state.whole.state is None and regions.ended(state) is None:
        regions.step(state)
    if regions.ended(state) is not None:
        return
    wanted = [(c, unsafe_of(region, c, x, known)) for c in sorted(set(CLAUSES))]
    office = Office(seed, count)
    crew = SharedRegions(regions, state, Nobody(), office)
    looks = iter(range(20))

    def look() -> None:
        for clause, points in wanted:
            mine = RegionState(crew._open(), state.whole, SETUP, state.joint, state.forecast, 0.0)
            assert bool(lying(mine, clause, x, known)[points].all()), "an unsafe point is lost"
        if next(looks, None) is None:
            raise DeadlineReached

    office.look = look
    outcome = crew.run(office, Deadline())
    assert outcome.status is not Status.VERIFIED or not any(bool(points.any()) for _, points in wanted)


def unsafe_of(region: Region, clause: int, x: Tensor, known: list[Tensor]) -> Tensor:
    """Which samples (M,) make the clause true."""
    mine = region.query.clause[0] == clause
    query = region.query
    on_input = None if query.on_input is None else query.on_input[:, mine]
    parts = (query.matrix[:, mine], on_input, query.rhs[:, mine], query.clause[:, mine])
    row = Query(query.lower, query.upper, *parts)
    return unsafe(root_domains(row, region.margins[:, mine]), x, known[-1])[0]


def held(office: Office, crew: SharedSearch, bound: Recorded) -> torch.Tensor:
    """Which points lie in a box that is open somewhere, on its way, refuted or given up."""
    packing: Packing = crew.packing
    packed = [p.packed(torch.device("cpu")) for p in crew.waiting]
    lost = [part for part, one in zip(crew.parts, office.members, strict=True) if one.dead]
    packed += [p.packed(torch.device("cpu")) for part in lost for p in part.held]
    for one in [m for m in office.members if not m.dead]:
        packed += list(one.member.state.pool.packed())
        packed += [o.parcel.packed(torch.device("cpu")) for o in one.orders if isinstance(o, Take)]
        given_away = [getattr(a, "parcel", None) for a in one.answers]
        packed += [parcel.packed(torch.device("cpu")) for parcel in given_away if parcel is not None]
        if one.member.state.taken is not None:
            packed.append(packing.pack(one.member.state.taken))
    return points_in(packing, packed, bound)


def covers(packing: Packing, packed: list[PackedDomains], point: float) -> bool:
    """Whether a point lies in one of these domains."""
    queries = [packing.unpack(part).query for part in packed]
    return any(bool(((q.lower[:, 0] <= point) & (q.upper[:, 0] >= point)).any()) for q in queries)


def points_in(packing: Packing, packed: list[PackedDomains], bound: Recorded) -> torch.Tensor:
    """Which points lie in one of these domains, or in a box that was refuted or given up."""
    boxes = list(bound.closed)
    for part in packed:
        query = packing.unpack(part).query
        boxes += list(zip(query.lower[:, 0].tolist(), query.upper[:, 0].tolist(), strict=True))
    found = torch.zeros_like(POINTS, dtype=torch.bool)
    for low, high in boxes:
        found |= (low <= POINTS) & (high >= POINTS)
    return found


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.floats(0.0, 1.0), max_size=2),
    st.integers(1, 4),
    st.sampled_from((1, 4, 64)),
)
def test_no_box_is_lost_between_members(seed: int, holes: list[float], count: int, batch: int) -> None:
    office = Office(seed, count)
    bound = Recorded(holes, 2.0**-7, Interruptions(seed, 0.0))
    outcome = shared(office, bound, batch)
    assert bound.given_up == bool(holes)
    assert outcome.status is (Status.STUCK if holes else Status.VERIFIED)
    assert (outcome.progress.bound > 0) == (not holes)
    assert not any(len(one.member.state.pool) for one in office.members)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_a_member_that_is_out_of_time_or_room_proves_nothing(seed: int, count: int) -> None:
    """Unless it closed all that it had."""
    office = Office(seed, count)
    interrupt = Interruptions(seed, 0.0)
    bound = Recorded([], 2.0**-7, interrupt)
    interrupt.often, before = 0.05, interrupt.random.random()
    try:
        outcome = shared(office, bound, 2)
    except Exception as error:  # in the steps before it is shared
        assert type(error).__name__ in ("DeadlineReached", "SpillFull") and before >= 0
        return
    left = sum(one.member._busy or bool(one.member.stopped) for one in office.members)
    assert outcome.status is (Status.VERIFIED if not left else outcome.status)
    assert left == 0 or outcome.status in (Status.TIMEOUT, Status.MEMORY)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_a_member_that_is_lost_ends_all(seed: int, count: int) -> None:
    office = Office(seed, count, deaths=0.05)
    bound = Recorded([], 2.0**-7, Interruptions(seed, 0.0))
    try:
        outcome = shared(office, bound, 2)
    except ResourceError as lost:
        assert "try fewer" in str(lost)
    else:
        assert outcome.status is Status.VERIFIED and not any(one.dead for one in office.members)
