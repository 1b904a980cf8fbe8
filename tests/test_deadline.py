"""Deadlines and the start of the process; the guard is tested through the command line."""

from __future__ import annotations

import math
import subprocess
import sys
import time

import pytest

from genbab.errors import DeadlineReached
from genbab.system.deadline import Deadline, process_start


def test_no_limit_never_comes() -> None:
    deadline = Deadline(None)
    deadline.check()
    assert not deadline.expired and deadline.left() == math.inf


def test_it_comes() -> None:
    deadline = Deadline(0.02)
    deadline.check()
    assert 0 < deadline.left() <= 0.02
    time.sleep(0.03)
    assert deadline.expired and deadline.left() == 0.0 and deadline.elapsed() >= 0.03
    with pytest.raises(DeadlineReached, match=r"0\.02"):
        deadline.check()


def test_time_before_the_start_counts() -> None:
    assert Deadline(5.0, start=time.monotonic() - 10.0).expired


def age_after(words: str) -> float:
    code = f"import time; {words}; from genbab.system.deadline import process_start as p"
    code += "; print(time.monotonic() - p())"
    return float(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began")
def test_the_process_began_before_the_import() -> None:
    assert 0.25 <= age_after("time.sleep(0.25)") < 1.5


def test_the_start_lies_in_the_past() -> None:
    assert process_start() <= time.monotonic()


def test_a_deadline_that_is_stopped_has_passed_and_so_have_its_parts() -> None:
    deadline = Deadline(None)
    part = Deadline(50.0, outer=deadline)
    assert part.left() == pytest.approx(50.0, abs=1.0) and not part.expired
    deadline.stop("SIGTERM")
    deadline.stop("Ctrl-C")
    assert (deadline.stopped, deadline.left(), part.expired) == ("SIGTERM", 0.0, True)
    for one in (deadline, part):
        with pytest.raises(DeadlineReached):
            one.check()


def test_a_reserve_comes_out_of_the_time_for_the_work() -> None:
    deadline = Deadline(10.0)
    deadline.reserve = 4.0
    assert 5.0 < deadline.left() <= 6.0 and not deadline.expired
    deadline.reserve = 10.0
    assert deadline.expired and deadline.end > time.monotonic() + 9.0
