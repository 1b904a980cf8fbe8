"""Members that are copies of this process: how they begin and end."""

from __future__ import annotations

import errno
import multiprocessing
import os

import pytest

from genbab.driver.crew.local import LocalMember, LocalTeam
from genbab.driver.crew.member import Post
from genbab.driver.crew.messages import Failed
from genbab.errors import ResourceError


def test_the_process_of_a_member_ends_with_an_error_that_speaks() -> None:
    def die(post: object) -> None:
        raise SystemExit(3)

    member = LocalMember(die)
    member.open()
    told = member.receive()
    assert isinstance(told, Failed) and told.memory and "memory may have run out" in told.text
    member.end()


def test_too_many_workers_are_said_to_be_so_and_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    fork, made = os.fork, list[int]()

    def limited() -> int:
        if len(made) == 2:
            raise BlockingIOError(errno.EAGAIN, "no more processes")
        made.append(fork())
        return made[-1]

    class Waiting:
        def work(self, place: int, post: Post) -> None:
            post.receive(wait=True)

    monkeypatch.setattr(os, "fork", limited)
    with pytest.raises(ResourceError, match="no more than 2 of 3 workers .* try fewer"):
        LocalTeam(3).start(Waiting())  # type: ignore[arg-type]
    assert not any(one.pid in made for one in multiprocessing.active_children())
