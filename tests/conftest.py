"""Tests keep what genbab remembers between runs in a folder of their own, and hear Ctrl-C."""

from __future__ import annotations

import os
import signal
import tempfile

os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="genbab-tests-")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in jobs that a shell starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
