"""Where the members of a crew are, and how messages come from them: what a crew needs to know of either."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from genbab.branch.kept.data import SearchData
from genbab.driver.crew.member import Post
from genbab.driver.crew.messages import Answer, Order
from genbab.errors import DeadlineReached


class SharedWork(Protocol):
    """What the members of a team do."""

    def begun(self) -> SearchData:
        """The search that they share, with nothing open: all that is, they are given."""

    def work(self, place: int, post: Post) -> None:
        """What the member at this place does, until its crew is gone."""


class Pictures(Protocol):
    """Who keeps pictures of a search that is shared: what was open everywhere at one moment."""

    @property
    def keeps(self) -> bool:
        """Whether anybody wants any."""

    def shared(self, data: SearchData) -> None:
        """The search is shared from here on; until there is another one, this is the picture."""

    def wanted(self) -> bool:
        """Whether it is time for another one."""

    def taken(self, data: SearchData) -> None:
        """Here it is."""


class Link(Protocol):
    """The crew's side of the way to one member."""

    def send(self, order: Order) -> None:
        """Send an order, without waiting for the member."""

    def end(self) -> None:
        """End the member and all that belongs to it."""


class TeamSize(Protocol):
    """So many workers for one search at a time.

    size: how many; together: how many of them share the memory of one machine; restores: whether the crew
    keeps copies of what they have, to go on where one is lost.
    """

    @property
    def size(self) -> int:
        """How many workers there are."""

    @property
    def together(self) -> int:
        """How many of them share the memory of one machine."""

    @property
    def restores(self) -> bool:
        """Whether copies of what they have are kept."""


@dataclass(frozen=True)
class PlaceInTeam:
    """What a member elsewhere knows of its team: its own number, and what `TeamSize` says."""

    number: int
    size: int
    together: int
    restores: bool


class Team(TeamSize, Protocol):
    """The workers of one search at a time: how they are started and heard."""

    def start(self, shared: SharedWork) -> list[Link]:
        """The ways to all members, who do this work."""

    def messages(self, links: Mapping[int, Link], seconds: float) -> list[tuple[int, Answer]]:
        """What has come from these, by number, after waiting so long for something."""


def told_all(messages: Sequence[tuple[int, Answer]], tell: Callable[[int, Answer], None]) -> None:
    """Tell all messages, and only then raise `DeadlineReached`, if some raised it: each may move a domain."""
    late: DeadlineReached | None = None
    for number, message in messages:
        try:
            tell(number, message)
        except DeadlineReached as error:
            late = error
    if late is not None:
        raise late
