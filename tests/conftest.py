"""Tests keep what genbab remembers between runs in a folder of their own, and hear Ctrl-C."""

from __future__ import annotations

import os
import signal
import tempfile

RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID")  # the same in all workers, which share what they find out
if RUN is None:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="genbab-tests-")
else:
    os.environ["XDG_CACHE_HOME"] = os.path.join(tempfile.gettempdir(), f"genbab-tests-{RUN}")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in jobs that a shell starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
