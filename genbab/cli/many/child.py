"""One `genbab verify` in a process of its own: bounded time, measured from outside, whatever it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genbab.cli.verify.output import STANDARD
from genbab.proof import surroundings
from genbab.result import Result, Verdict
from genbab.studies.records.questions import StudyAnswer
from genbab.system.process import Ended

GRACE = 3.0  # seconds beyond its time limit after which a process is killed; it ends itself long before
TAIL = 2000  # characters of messages that are kept


@dataclass(frozen=True)
class Exit:
    """How a process ended: exit code (negative: by that signal), wall seconds, peak resident bytes, words."""

    code: int
    seconds: float
    peak_memory: int | None
    stdout: str
    stderr: str
    killed: bool


@dataclass(frozen=True)
class ChildOutcome:
    """What came of one instance: one of the four verdicts, or "error" with the message as `reason`."""

    verdict: str
    seconds: float
    bound: float | None
    reason: str
    peak_memory: int | None
    exit_code: int
    result: Result | None

    @property
    def answer(self) -> StudyAnswer:
        """The same as a study keeps it."""
        result = {} if self.result is None else self.result.to_dict()
        known = (self.verdict, self.seconds, self.bound, self.reason, self.peak_memory, self.exit_code)
        return StudyAnswer(*known, result)


class Children:
    """The processes that run now, so that another thread can end them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self.ended = False

    def start(self, words: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a process; raises `Ended` after `end` was called."""
        with self._lock:
            if self.ended:
                raise Ended
            process = subprocess.Popen(words, **options)
            self._running.add(process)
        return process

    def gone(self, process: subprocess.Popen[str]) -> None:
        """This process has ended and was waited for."""
        with self._lock:
            self._running.discard(process)

    def end(self) -> None:
        """Ask all processes to end, and kill a second later those that do not; who waits for them goes on."""
        with self._lock:
            self.ended = True
            left = list(self._running)
        for process in left:
            process.terminate()
        late = time.monotonic() + 1.0
        while self._running and time.monotonic() < late:
            time.sleep(0.02)
        for process in list(self._running):
            _kill(process.pid, threading.Event())


def run_child(
    words: Sequence[str],
    limit: float,
    env: Mapping[str, str] | None = None,
    children: Children | None = None,
) -> Exit:
    """Run a command until it ends or `limit` seconds have passed, then kill it with everything it started.

    Ctrl-C and SIGTERM here end it too: it is asked first, and killed a second later.
    """
    children = children or Children()
    with (
        tempfile.TemporaryFile("w+", errors="replace") as out,
        tempfile.TemporaryFile("w+", errors="replace") as err,
    ):
        began = time.monotonic()
        process = children.start(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, start_new_session=True
        )
        late = threading.Event()
        timer = threading.Timer(limit, _kill, (process.pid, late))
        timer.daemon = True
        timer.start()
        try:
            peak = _wait(process)
        except BaseException:
            _end(process)
            raise
        finally:
            timer.cancel()
            children.gone(process)
        seconds = time.monotonic() - began
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
    return Exit(process.returncode, seconds, peak, texts[0], texts[1][-TAIL:], late.is_set())


def verify_apart(
    words: Sequence[str],
    timeout: float | None,
    env: Mapping[str, str] | None = None,
    children: Children | None = None,
) -> ChildOutcome:
    """`genbab verify` with these words (and `timeout`, if any) in its own process, and what came of it.

    That process ends with this one, even when this one is killed.
    """
    with tempfile.TemporaryDirectory(prefix="genbab-") as folder:
        file = Path(folder) / "result.json"
        command = [sys.executable, "-P", "-m", "genbab.cli.many.attached", str(os.getpid())]
        command += ["verify", *words, "--json", str(file), "--quiet"]
        if timeout is not None:
            command += ["--timeout", f"{timeout:g}"]
        limit = threading.TIMEOUT_MAX if timeout is None else timeout + GRACE
        end = run_child(command, limit, surroundings() if env is None else env, children)
        return understood(end, file)


def understood(end: Exit, file: Path) -> ChildOutcome:
    """The outcome of a process that should have left its result in `file` and its verdict on stdout."""
    said = end.stdout.splitlines()[0].strip() if end.stdout.strip() else ""
    problem = ""
    try:
        result = Result.from_json(file.read_text())
    except (OSError, ValueError, KeyError, TypeError):
        result = None
    if end.killed:
        result, reason = None, "killed: it did not end on time"
        return ChildOutcome(Verdict.TIMEOUT.value, end.seconds, None, reason, end.peak_memory, end.code, None)
    if end.code < 0:
        problem = f"the process was ended by {_signal_name(-end.code)}; memory may have run out"
    elif result is None or end.code not in (0, 130, 143):
        problem = end.stderr.strip() or f"no result (exit code {end.code})"
    elif said not in (result.verdict.value, STANDARD[result.verdict]):
        problem = f"stdout says {said!r}, the result file {result.verdict.value!r}"
    if problem or result is None:
        return ChildOutcome("error", end.seconds, None, problem, end.peak_memory, end.code, None)
    return ChildOutcome(
        result.verdict.value, end.seconds, result.bound, result.reason, end.peak_memory, end.code, result
    )


def _wait(process: subprocess.Popen[str]) -> int | None:
    """Wait for the end; the peak resident memory in bytes where the system tells."""
    if not hasattr(os, "wait4"):
        process.wait()
        return None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return int(usage.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


def _kill(pid: int, late: threading.Event) -> None:
    late.set()
    try:
        os.killpg(pid, signal.SIGKILL)
    except (OSError, AttributeError):
        late.clear()


def _end(process: subprocess.Popen[str]) -> None:
    """Ask the process to end, then make it."""
    try:
        process.terminate()
        process.wait(1.0)
    except (subprocess.TimeoutExpired, OSError):
        _kill(process.pid, threading.Event())
        process.wait()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
