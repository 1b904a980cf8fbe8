"""Connecting to a Ray, or starting one, and ending that."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from genbab.cluster.address import ClusterAddress
from genbab.errors import UsageError

STORE = 200_000_000
"""Bytes of a local Ray's store of objects; more goes to the disk."""

REACH, MOST_TO_CONNECT, MOST_TO_START = 10.0, 60.0, 200.0
"""Seconds for a Ray to take a connection at all, to be connected to, to be started."""

LAST, SOON = 60.0, 3.0
"""Seconds that an interrupted start of Ray has to come to its end, and an interrupted connecting."""


class RayHolder:
    """A thread that connects, or starts a Ray, and lives as long as that.

    In a thread Ray leaves SIGTERM as it is; it has to live because a Ray that was started ends with it; and a
    start that is interrupted comes to its end before it is shut down, else some of its processes would stay.
    """

    def __init__(self, ray: Any, address: ClusterAddress) -> None:
        self._ray, self._address = ray, address
        self._begun, self._over, self._ended = (threading.Event() for _ in range(3))
        self._how = ""
        self._trouble: BaseException | None = None
        self._thread = threading.Thread(target=self._hold, name="genbab-ray", daemon=True)

    def begin(self) -> str:
        """Connect or start: which of both; raises `UsageError` where neither is possible."""
        starts = self._address.place in ("", "local")
        until = time.monotonic() + (MOST_TO_START if starts else MOST_TO_CONNECT)
        self._thread.start()
        while not self._begun.wait(0.1):
            if time.monotonic() > until:
                raise UsageError(
                    f"Ray does not answer ({self._address.place or 'ray'}); is it up, is it busy?"
                )
        if self._trouble is not None:
            raise self._trouble
        return self._how

    def end(self) -> None:
        """Let the connection end, with a Ray that was started."""
        self._over.set()
        starts = self._address.place in ("", "local")
        self._ended.wait(LAST if self._begun.is_set() or starts else SOON)

    def _hold(self) -> None:
        try:
            self._how = _begin(self._ray, self._address)
            self._begun.set()
            self._over.wait()
        except BaseException as error:
            self._trouble = error
        finally:
            self._ray.shutdown()
            self._begun.set()
            self._ended.set()


def _begin(ray: Any, address: ClusterAddress) -> str:
    """Connect, or start a Ray: which of both."""
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    usual = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    own = {"include_dashboard": False, "object_store_memory": STORE}
    place = address.place or "auto"
    try:
        if place != "local":
            _reach(os.environ.get("RAY_ADDRESS", place) if place == "auto" else place)
            ray.init(place, **usual)
            return "connected"
    except Exception as error:
        if address.place or os.environ.get("RAY_ADDRESS"):
            where = os.environ.get("RAY_ADDRESS", place) if place == "auto" else place
            token = "" if "RAY_AUTH_MODE" in os.environ else "; where it wants a token: RAY_AUTH_MODE=token"
            raise UsageError(f"no connection to the cluster {where}: {brief(error)}{token}") from error
        ray.shutdown()
    _started(ray, {**usual, **own})
    return "started"


def _reach(place: str) -> None:
    """Raise OSError where nobody listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = place.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), REACH).close()


def _started(ray: Any, options: Mapping[str, Any]) -> None:
    """Start a Ray; another time where it gives up, as on machines that have much to do."""
    for again in (True, False):
        try:
            ray.init("local", **options)
            return
        except Exception as error:
            ray.shutdown()
            if not again:
                raise UsageError(f"Ray cannot be started here: {brief(error)}") from error


def brief(error: BaseException) -> str:
    """The error in one line."""
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason is known'}"[:300]
