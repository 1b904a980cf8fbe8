"""Time limits that hold: a deadline to ask politely, and a guard that ends the process when nobody asks.

RunClock: `time.monotonic()` seconds, unless a `Deadline` is given another.
"""

from __future__ import annotations

import math
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from genbab.errors import DeadlineReached
from genbab.system.clock import WALL, RunClock

GRACE = 0.4  # seconds between the deadline and the guard's own end of the run
LONGEST_START = 10.0  # an older process did something else before it became this interpreter
_IMPORTED = time.monotonic()


def process_start() -> float:
    """When this process began, to about 10 ms; when this module was imported where the system does not tell.

    A process older than 10 s at that moment was another program that replaced itself by Python (a container's
    start script, say), and its past does not count.
    """
    try:
        after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        began = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - began
    except (OSError, ValueError, IndexError, AttributeError):
        return _IMPORTED
    start = time.monotonic() - age
    return start if 0.0 <= _IMPORTED - start <= LONGEST_START else _IMPORTED


class Deadline:
    """A moment `seconds` after `start` (default: now) by a clock; None never comes.

    It is there at the latest when the `outer` one is; what is left and elapsed is told by its own clock.
    reserve: so many seconds before it the work has to end, for what comes after it; stopped: who wants it to
    end now, if anybody does.
    """

    def __init__(
        self,
        seconds: float | None = None,
        start: float | None = None,
        clock: RunClock = WALL,
        outer: Deadline | None = None,
    ) -> None:
        self.seconds, self.clock, self.outer = seconds, clock, outer
        self.start = clock.now() if start is None else start
        self.end = math.inf if seconds is None else self.start + seconds
        self.reserve = 0.0
        self.stopped = ""

    def stop(self, who: str) -> None:
        """From now on it has passed, for the first who says so: for signal handlers, which may not raise."""
        self.stopped = self.stopped or who

    @property
    def expired(self) -> bool:
        """Whether the moment has passed."""
        if self.stopped or self.clock.now() >= self.end - self.reserve:
            return True
        return self.outer is not None and self.outer.expired

    def left(self) -> float:
        """Seconds that remain: inf without a limit, never negative."""
        return 0.0 if self.stopped else max(0.0, self.end - self.reserve - self.clock.now())

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock.now() - self.start

    def check(self) -> None:
        """Raise `DeadlineReached` when the moment has passed."""
        if self.expired:
            limit = "" if self.seconds is None else f" of {self.seconds:g} s"
            raise DeadlineReached(f"the time limit{limit} is reached")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM, raised in the main thread; its text is the name of the signal."""


class Guard:
    """Context in which a run ends on time and on request, even inside one long call into compiled code.

    `late(cause)` is called in a thread of its own when the deadline (cause "deadline") or a signal (cause
    "SIGINT", "SIGTERM") has gone unanswered by the main thread for `grace` seconds; it must write the result
    and end the process. A first signal raises `Interrupted` in the main thread unless `busy()` says that the
    result is being written; with `patience`, seconds in place of `grace` after a signal, it stops the
    deadline instead, so that the work ends where it can be kept. Works in the main thread only. Compiled code
    that never lets go of Python's lock cannot be ended from here.
    """

    def __init__(
        self,
        deadline: Deadline,
        late: Callable[[str], Any],
        busy: Callable[[], bool] = lambda: False,
        grace: float = GRACE,
        patience: float | None = None,
    ) -> None:
        self.deadline, self.late, self.busy, self.grace = deadline, late, busy, grace
        self.patience = patience
        self.signal: signal.Signals | None = None
        self._raised = False
        self._mine, self._theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._watch, name="genbab-guard", daemon=True)
        self._before: dict[signal.Signals, Any] = {}
        self._wakeup = -1

    @property
    def exit_code(self) -> int:
        """0, or 128 + the signal that ended the run, as shells have it."""
        return 0 if self.signal is None else 128 + int(self.signal)

    def __enter__(self) -> Guard:
        self._theirs.setblocking(False)
        self._thread.start()  # first: a signal that comes between its handler and our return is lost to us
        self._wakeup = signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._theirs.close()  # the thread reads the end of the stream and leaves
        self._thread.join()
        self._mine.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signal = self.signal or signal.Signals(number)
        if self.patience is not None:
            self.deadline.stop("Ctrl-C" if self.signal is signal.SIGINT else self.signal.name)
        elif not self._raised and not self.busy():
            self._raised = True
            raise Interrupted(self.signal.name)

    def _watch(self) -> None:
        end, cause = self.deadline.end + self.grace, "deadline"
        while time.monotonic() < end:
            ready, _, _ = select.select([self._mine], [], [], min(3600.0, max(0.0, end - time.monotonic())))
            if not ready:
                continue
            sent = self._mine.recv(1)
            if not sent:
                return
            if cause == "deadline" and sent[0] in self._before:
                self.signal = self.signal or signal.Signals(sent[0])
                grace = self.grace if self.patience is None else self.patience
                end, cause = min(end, time.monotonic() + grace), self.signal.name
        self.late(cause)


class Timer:
    """Adds the time spent in its block to a table."""

    def __init__(self, table: dict[str, float], name: str) -> None:
        self.table, self.name = table, name

    def __enter__(self) -> None:
        self.begun = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.table[self.name] = self.table.get(self.name, 0.0) + time.monotonic() - self.begun
