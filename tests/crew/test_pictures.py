"""Pictures of shared searches: all that is open at one moment, whatever members do and whoever is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genbab.branch import DomainSearch, SearchSetup, Status
from genbab.branch.kept.data import SearchData
from genbab.branch.open.pool import SpillFull
from genbab.driver.crew import member as member_module
from genbab.driver.crew import sharing as sharing_module
from genbab.driver.crew.messages import Answer, Handed
from genbab.driver.crew.team import told_all
from genbab.errors import DeadlineReached, ResourceError
from genbab.system.deadline import Deadline
from tests.branch.test_domains import line
from tests.branch.test_search import Interruptions, Recorded
from tests.crew.test_sharing import INF, Nobody, Office, Pictured, shared


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.lists(st.floats(0.0, 1.0), max_size=4))
def test_others_go_on_with_what_a_lost_member_had(seed: int, count: int, holes: list[float]) -> None:
    """Where copies are kept: nothing is lost as long as one member is left, and the outcome is the same."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sharing_module, "EVERY", 0.0)
        patched.setattr(member_module, "EVERY", INF)
        office = Office(seed, count, deaths=0.02, restores=True)
        bound = Recorded(holes, 2.0**-7, Interruptions(seed, 0.0))
        try:
            outcome = shared(office, bound, 1)
        except ResourceError:
            assert all(one.dead for one in office.members)
        else:
            assert outcome.status is (Status.STUCK if holes else Status.VERIFIED)


class Album:
    """Keeps the last picture of a search."""

    keeps, last = True, None

    def shared(self, data: SearchData) -> None:
        self.last = None

    def wanted(self) -> bool:
        return self.last is None

    def taken(self, data: SearchData) -> None:
        self.last = data


@pytest.mark.parametrize("seed", range(8))
def test_the_last_picture_has_what_a_member_could_not_hand_over(seed: int) -> None:
    """It was sent to divide a region when a step was cut short, or when what was put away was lost."""
    office, interrupt, album = Office(seed, 2), Interruptions(seed, 0.0), Album()
    bound = Recorded([0.3, 0.7], 2.0**-7, interrupt)
    search = DomainSearch(bound, SearchSetup(lambda _: False, lambda _: None, 1 << 40, 2))
    state = search.begin(bound(line()))
    search.step(state)
    crew = Pictured(search, state, Nobody(), office)
    crew.bound, crew.pictures = bound, album

    def look() -> None:
        part, one = crew.parts[0], office.members[0]
        if part.region is None and one.member._busy:
            part.region = object()  # type: ignore[assignment]
            part.give_all()
            if seed % 2:
                one.member.state.pool.drained = lost  # type: ignore[method-assign]
            else:
                interrupt.often = 1.0
                one.member._step()

    def lost() -> None:
        raise SpillFull("gone")

    office.look = look
    outcome = crew.run(office, Deadline())
    assert outcome.status in (Status.TIMEOUT, Status.MEMORY) and album.last is not None


def test_no_message_is_lost_where_one_says_that_the_time_is_up() -> None:
    """Rounds are told while messages are taken in; behind such a report there may be domains."""
    heard: list[int] = []

    def tell(number: int, message: Answer) -> None:
        heard.append(number)
        raise DeadlineReached

    with pytest.raises(DeadlineReached):
        told_all([(n, Handed(None)) for n in range(3)], tell)
    assert heard == [0, 1, 2]
