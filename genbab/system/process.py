"""Who a process is, whether another one still lives, and ending together with one's parent."""

from __future__ import annotations

import gc
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import MutableMapping
from pathlib import Path

PARENT_TERM = 1  # PR_SET_PDEATHSIG of Linux's prctl
EVERY = 0.5  # seconds between two looks at the parent where the system does not tell of its end
COLLECT = (50_000, 20, 20)  # objects made, and collections of younger ones, before the next collection
SPINS = "1000"  # turns of an idle thread, some ten microseconds


class Ended(Exception):  # an event
    """No work is begun any more."""


def brief_waits(environment: MutableMapping[str, str]) -> None:
    """Let idle threads of GNU OpenMP, which torch is built with, spin briefly before they sleep.

    Not where the environment says how they wait, which is read when torch is loaded. Waking a sleeping thread
    takes longer than many of torch's operations; threads that spin for long take the core from a neighbour.
    """
    if "OMP_WAIT_POLICY" not in environment:
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        environment.setdefault("GOMP_SPINCOUNT", SPINS)


def collect_rarely() -> None:
    """Look for cyclic garbage less often, in a process that is all ours.

    A look at everything that torch brings along takes a tenth of a second, and loading it causes several.
    """
    gc.set_threshold(*COLLECT)


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def identity() -> str:
    """This process, unlike any other now or later: machine, number, moment of its start."""
    return f"{platform.node()}|{os.getpid()}|{_started(os.getpid())}"


def alive(name: str) -> bool | None:
    """Whether the process called so by `identity` runs; None for a process of another machine."""
    machine, _, rest = name.partition("|")
    number, _, started = rest.partition("|")
    if machine != platform.node():
        return None
    try:
        os.kill(int(number), 0)
    except PermissionError:
        pass
    except (OSError, ValueError, OverflowError):
        return False
    return _started(int(number)) == started


def _started(number: int) -> str:
    """The start of a process in ticks since boot, "" where the system does not tell or it is gone."""
    try:
        after_name = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        return "" if after_name[0] == "Z" else after_name[19]
    except (OSError, IndexError):
        return ""


def end_with(parent: int) -> None:
    """From now on this process is killed when its parent, process number `parent`, ends, however it ends.

    The parent's thread that started this process must live as long as the parent should.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PARENT_TERM, int(signal.SIGKILL))
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(137)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY)
    os._exit(137)
