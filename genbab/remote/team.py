"""A team on a cluster: actors that each read the question once, and messages to and from them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from genbab.cluster import TaskShare, WorkerDied
from genbab.cluster.actors import RayActor
from genbab.cluster.connection import RayConnection
from genbab.driver import Verification
from genbab.driver.crew import SearchCrew
from genbab.driver.crew.messages import Answer, Failed, Order
from genbab.driver.crew.team import Link, PlaceInTeam, SharedWork
from genbab.errors import UsageError
from genbab.remote.node import Briefing, serve


@dataclass(frozen=True, eq=False)
class RemoteMember:
    """The crew's side of the way to a member on some node."""

    actor: RayActor

    def send(self, order: Order) -> None:
        """Send an order, without waiting for the member."""
        self.actor.put(pickle.dumps(order, protocol=5))

    def end(self) -> None:
        """End the member."""
        self.actor.end()


class RemoteTeam:
    """Members on the nodes of a cluster, for the searches of one run."""

    restores = True
    together = 1

    def __init__(self, connection: RayConnection, size: int, run: Verification) -> None:
        self.connection, self.size, self.run = connection, size, run

    def start(self, shared: SharedWork) -> list[Link]:
        """Actors that read the question and take up this search, each on a core of its own."""
        run, seconds = self.run, self.run.schedule.deadline.left()
        kept, limit = run.saver.kept(shared.begun()), None if seconds == float("inf") else seconds
        config = run.config.with_(workers=1, timeout=None, threads=None)
        found: list[Link] = []
        for number in range(self.size):
            place = PlaceInTeam(number, self.size, self.together, self.restores)
            briefing = Briefing(run.model.proto, run.spec, config, kept, place, limit)
            found.append(RemoteMember(self.connection.actor(serve, (briefing,), TaskShare())))
        return found

    def messages(self, links: Mapping[int, Link], seconds: float) -> list[tuple[int, Answer]]:
        """What has come from these, by number, after waiting so long for something."""
        actors = {n: link.actor for n, link in links.items() if isinstance(link, RemoteMember)}
        found: list[tuple[int, Answer]] = []
        for number in self.connection.ready(actors, seconds):
            try:
                found += [(number, pickle.loads(data)) for data in actors[number].said()]
            except WorkerDied as died:
                found.append((number, Failed(f"a worker of the cluster is lost: {died}", True, lost=True)))
        return found


def remote_crew(connection: RayConnection, workers: int | None) -> Callable[[Verification], SearchCrew]:
    """What makes the crew of a run: so many workers of the cluster, or as many as it has cores.

    Raises `UsageError` where it has none, or fewer than are wanted.
    """
    room = connection.room(TaskShare())
    if not room or (workers or 0) > room:
        raise UsageError(
            f"the cluster has {room} cores for workers" + (f", not {workers}" if workers else "")
        )

    def crew(run: Verification) -> SearchCrew:
        if not run.model.replayable:
            raise UsageError("a cluster does not know functions that were registered as facts")
        team = RemoteTeam(connection, workers or room, run)
        return SearchCrew(team, run.schedule.deadline, run.turns, run.saver)

    return crew
