"""Where the members of a crew are, and how messages come from them: what a crew needs to know of either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from genbab.driver.crew.messages import Answer, Order
    from genbab.driver.crew.sharing import SharedSearch


class Link(Protocol):
    """The crew's side of the way to one member."""

    def send(self, order: Order) -> None:
        """Send an order, without waiting for the member."""

    def end(self) -> None:
        """End the member and all that belongs to it."""


class Team(Protocol):
    """So many workers for one search at a time.

    size: how many; restores: whether the crew keeps copies of what they have, to go on where one is lost.
    """

    size: int
    restores: bool

    def start(self, search: SharedSearch) -> list[Link]:
        """The ways to all members, who search what they are given of this search."""

    def messages(self, links: Mapping[int, Link], seconds: float) -> list[tuple[int, Answer]]:
        """What has come from these, by number, after waiting so long for something."""
