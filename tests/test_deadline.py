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
