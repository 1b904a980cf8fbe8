"""Actors of a cluster: processes on its nodes that work by themselves, and the way to and from them.

Messages are bytes. Both ways keep their order: each has a thread of its own in the actor, and orders are
numbered besides.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from genbab.cluster.holder import brief
from genbab.cluster.tasks import TaskShare, WorkerDied
from genbab.cluster.workplace import TaskSetup, set_up

LONGEST = 5.0
"""Seconds that an actor waits for something to say before it says that there is nothing."""


class Mailbox:
    """An actor's side of the way to whoever started it."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._early: dict[int, bytes] = {}
        self._next = 0

    def receive(self, wait: bool) -> bytes | None:
        """The next order; None where none has come and `wait` is False."""
        try:
            return self._orders.get(block=wait)
        except queue.Empty:
            return None

    def send(self, message: bytes) -> None:
        """Send a message."""
        self._answers.put(message)

    def put(self, number: int, order: bytes) -> None:
        """An order has come, which is read after all of lower numbers."""
        self._early[number] = order
        while (found := self._early.pop(self._next, None)) is not None:
            self._next += 1
            self._orders.put(found)

    def collect(self, seconds: float) -> list[bytes]:
        """All messages, after waiting so long for the first."""
        found = []
        try:
            found.append(self._answers.get(timeout=seconds))
            while True:
                found.append(self._answers.get_nowait())
        except queue.Empty:
            return found


class ActorProcess:
    """What runs on a node: a function at work in a thread, called with a mailbox and its arguments."""

    def __init__(self, function: Callable[..., None], arguments: tuple[Any, ...], setup: TaskSetup) -> None:
        set_up(setup)
        self.mail = Mailbox()
        self._thread = threading.Thread(target=function, args=(self.mail, *arguments), daemon=True)
        self._thread.start()

    def put(self, number: int, order: bytes) -> None:
        """Take an order."""
        self.mail.put(number, order)

    def collect(self, seconds: float) -> list[bytes]:
        """What it has to say."""
        return self.mail.collect(seconds)


class RayActor:
    """The other side: an actor that was started; it is killed by `end`."""

    def __init__(
        self, ray: Any, start: tuple[Callable[..., None], tuple[Any, ...]], setup: TaskSetup, share: TaskShare
    ) -> None:
        self._ray, self._sent = ray, 0
        where = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_restarts": 0}
        kind = ray.remote(concurrency_groups={"orders": 1, "answers": 1}, **where)(ActorProcess)
        self._actor = kind.remote(*start, setup)
        self._said = self._asked()

    def put(self, order: bytes) -> None:
        """Send an order, without waiting for the actor."""
        self._actor.put.options(concurrency_group="orders").remote(self._sent, order)
        self._sent += 1

    def end(self) -> None:
        """Kill it, with what it does."""
        self._ray.kill(self._actor, no_restart=True)

    def said(self) -> list[bytes]:
        """What it has said, for which it is waited; raises `WorkerDied`."""
        try:
            found: list[bytes] = self._ray.get(self._said)
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            raise WorkerDied(brief(error)) from error
        self._said = self._asked()
        return found

    def _asked(self) -> Any:
        return self._actor.collect.options(concurrency_group="answers").remote(LONGEST)


def ready(ray: Any, actors: Mapping[int, RayActor], seconds: float) -> list[int]:
    """The numbers of the actors that have said something, or died, after waiting so long for one."""
    waited = {actor._said: number for number, actor in actors.items()}
    done, _ = ray.wait(list(waited), num_returns=1, timeout=seconds)
    more, _ = ray.wait(list(waited), num_returns=len(waited), timeout=0)
    return sorted({waited[one] for one in (*done, *more)})
