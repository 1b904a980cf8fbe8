"""Goes through the tree of a proof, in several processes if need be, and says how far it is.

The processes are copies of the one that has read the files (fork), so all are about the same question. Each
is given some of the open nodes, and gives back a moment later what it went through and what is still open.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from multiprocessing.connection import Connection, wait

from genbab.check.container import Hint
from genbab.check.failures import Unfinished
from genbab.check.question import Case
from genbab.check.tree import Check, Counts

MOMENT = 1.0  # seconds
Told = Callable[[Counts, int], None]  # what was gone through, and how many nodes wait


def visited(case: Case, processes: int, told: Told) -> Counts:
    """What was gone through, all of it refuted; other processes are made for what takes long."""
    check = Check(case)
    check.run(MOMENT)
    if check.waiting and processes > 1:
        _shared(check, processes, told)
    while check.waiting:
        told(check.counts, len(check.waiting))
        check.run(MOMENT)
    return check.counts


def _shared(check: Check, processes: int, told: Told) -> None:
    """Leaves nothing that waits."""
    if "fork" not in multiprocessing.get_all_start_methods():
        raise Unfinished("--processes: this system has no copies of processes (fork)")
    context, pipes, workers = multiprocessing.get_context("fork"), list[Connection](), []
    try:
        for _ in range(processes):
            here, there = context.Pipe()
            pipes.append(here)
            worker = context.Process(target=_work, args=(check, there, pipes), daemon=True)
            worker.start()
            workers.append(worker)
            there.close()
        _given(check, pipes, told)
    except (EOFError, OSError):
        raise Unfinished("a process of the check has ended early; memory may have run out") from None
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def _given(check: Check, pipes: Sequence[Connection], told: Told) -> None:
    """Gives out what waits and takes back what is left of it, until nothing is."""
    free, busy = list(pipes), dict[object, int]()
    while check.waiting or busy:
        while check.waiting and free:
            some = check.waiting[:: len(pipes)]
            del check.waiting[:: len(pipes)]
            free[-1].send(some)
            busy[free.pop()] = len(some)
        for pipe in wait([pipe for pipe in pipes if pipe in busy], MOMENT):
            assert isinstance(pipe, Connection)
            answer = pipe.recv()
            if isinstance(answer, Exception):
                raise answer
            counts, left = answer
            check.counts = Counts(*map(sum, zip(astuple(check.counts), astuple(counts), strict=True)))
            check.waiting += left
            free.append(pipe)
            del busy[pipe]
        check.case.clock.look()
        told(check.counts, len(check.waiting) + sum(busy.values()))


def _work(check: Check, pipe: Connection, others: Sequence[Connection]) -> None:
    """Goes through nodes until the process that gives them has ended, or ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for other in others:
        other.close()
    with suppress(EOFError, OSError):
        while True:
            same: dict[Hint | None, Hint | None] = {}
            tasks = [replace(t, hint=same.setdefault(t.hint, t.hint)) for t in pipe.recv()]
            check.waiting, check.counts = tasks, Counts()
            try:
                answer: object = check.run(MOMENT), check.waiting
            except Exception as error:  # a rejection, or what cannot be checked
                answer = error
            pipe.send(answer)
