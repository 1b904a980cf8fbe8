"""In place of a crew, where a process serves the crew of another one: its search becomes a member's."""

from __future__ import annotations

from collections.abc import Callable

from genbab.branch import DomainSearch, RegionSearch, SearchOutcome
from genbab.branch.kept.data import DomainData, SearchData
from genbab.branch.regions.search import RegionState
from genbab.branch.search import DomainState
from genbab.driver.crew.member import Post
from genbab.driver.crew.regions import SharedRegions
from genbab.driver.crew.sharing import SharedSearch
from genbab.driver.crew.team import TeamSize
from genbab.driver.turns import Turns


class Serving:
    """The member of a crew elsewhere, at this place of its team; takes up the search that it is given.

    It leaves by what `Member.run` raises, never with an outcome: that is the crew's.
    """

    def __init__(self, post: Post, place: int, team: TeamSize, turns: Turns) -> None:
        self.post, self.place, self.team, self.turns = post, place, team, turns

    def domains(
        self,
        search: DomainSearch,
        state: DomainState,
        wrap: Callable[[DomainData], SearchData] = lambda picture: picture,
    ) -> SearchOutcome:
        """Search domains that come by post."""
        return self._serve(SharedSearch(search, state, self.turns, self.team))

    def regions(self, search: RegionSearch, state: RegionState) -> SearchOutcome:
        """Search domains and divide regions that come by post."""
        return self._serve(SharedRegions(search, state, self.turns, self.team))

    def _serve(self, shared: SharedSearch) -> SearchOutcome:
        shared.member(self.place, self.post).run()
        raise EOFError("the crew is gone")
