"""Members of a crew on this machine: processes that are copies of this one, and pipes to them.

A copy knows the model, the root and all that was learned at no cost. It computes with threads of its own
only: those of OpenMP do not survive the copying, and one thread needs none.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, wait

import torch

from genbab.driver.crew.member import Post
from genbab.driver.crew.messages import Answer, Failed, Order
from genbab.driver.crew.team import Link, SharedWork
from genbab.errors import ResourceError
from genbab.system.process import end_with

PATIENCE = 1.0
"""Seconds that a member has to end by itself."""


class Pipe:
    """A member's end of a pipe."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def receive(self, wait: bool) -> Order | None:
        """The next order; None where none has come and `wait` is False; raises `EOFError`."""
        if not wait and not self.connection.poll():
            return None
        order: Order = pickle.loads(self.connection.recv_bytes())
        return order

    def send(self, message: Answer) -> None:
        """Send a message; a crew that has ended is no error."""
        with suppress(OSError):
            self.connection.send_bytes(pickle.dumps(message, protocol=5))


class LocalMember:
    """The crew's side of one copy of this process, which does `work(post)` and ends."""

    def __init__(self, work: Callable[[Post], None], parent: bool = False) -> None:
        """parent: whether it may have copies of its own."""
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of copying a process that has threads
            self.process = context.Process(target=_begin, args=(work, theirs, self.connection, os.getpid()))
            self.process.daemon = not parent
            self.process.start()
        theirs.close()
        self._orders: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send, name="genbab-crew", daemon=True)

    def open(self) -> None:
        """Orders can be sent from now on: when all copies are made, since a thread would not be copied."""
        self._thread.start()

    def send(self, order: Order) -> None:
        """Send an order, in the background: who is not waiting for it may be sending himself."""
        self._orders.put(pickle.dumps(order, protocol=5))

    def receive(self) -> Answer:
        """The next message; that the process has ended is one, too."""
        try:
            message: Answer = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            self.process.join(PATIENCE)
            code = self.process.exitcode
            how = (
                f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
            )
            return Failed(f"a process of the search {how}; memory may have run out", True, lost=True)
        return message

    def end(self) -> None:
        """End the process and all that belongs to it."""
        self.process.kill()
        self.process.join()
        self._orders.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        self.connection.close()

    def _send(self) -> None:
        while (data := self._orders.get()) is not None:
            try:
                self.connection.send_bytes(data)
            except OSError:  # it has ended, which whoever receives is told
                return


def _begin(work: Callable[[Post], None], mine: Connection, theirs: Connection, parent: int) -> None:
    """The first thing that a copy does."""
    end_with(parent)
    theirs.close()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent decides
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    work(Pipe(mine))
    os._exit(0)


class LocalTeam:
    """Members on this machine."""

    restores = False

    def __init__(self, size: int) -> None:
        self.size = self.together = size

    def start(self, shared: SharedWork) -> list[Link]:
        """Copies of this process, all made before the first thread of this module is.

        Raises `ResourceError` where the system makes no more.
        """
        members: list[LocalMember] = []
        try:
            for place in range(self.size):
                members.append(LocalMember(partial(shared.work, place)))
        except OSError as error:
            for member in members:
                member.end()
            made = f"no more than {len(members)} of {self.size} workers can be started here"
            raise ResourceError(f"{made} ({error.strerror or error}); try fewer") from error
        for member in members:
            member.open()
        return list(members)

    def messages(self, links: Mapping[int, Link], seconds: float) -> list[tuple[int, Answer]]:
        """What has come from these, by number, after waiting so long for something."""
        return next_messages({n: one for n, one in links.items() if isinstance(one, LocalMember)}, seconds)


def next_messages(members: Mapping[int, LocalMember], seconds: float) -> list[tuple[int, Answer]]:
    """What has come from these, by number, after waiting so long for something."""
    ready = wait([one.connection for one in members.values()], timeout=max(0.0, seconds))
    return [(n, one.receive()) for n, one in members.items() if one.connection in ready]
