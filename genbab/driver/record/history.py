"""The history of a bound, as a run goes."""

from __future__ import annotations

import time
from collections.abc import Callable

from genbab.checkpoint import Checkpoint
from genbab.result import Progress

MOMENTS = 128
"""The most points that a bound's history keeps."""


class History:
    """Passes progress on and keeps the moments at which the bound changed."""

    def __init__(self, started: float, further: Callable[[Progress], None]) -> None:
        self.started, self.further = started, further
        self.moments: list[list[float]] = []

    def go_on(self, checkpoint: Checkpoint) -> None:
        """The run is kept: its history goes on from that of earlier runs, and is in what is kept."""
        before = checkpoint.before
        if before is not None:
            self.moments[:], self.started = before.history, self.started - before.seconds
        checkpoint.history = self.moments

    def __call__(self, progress: Progress) -> None:
        """Note a changed bound, then pass on; the history is thinned where it grows long."""
        bound, last = progress.bound, self.moments[-1][1] if self.moments else None
        if bound is not None and bound != last:
            seconds = round(time.monotonic() - self.started, 4)
            self.moments.append([seconds, bound, progress.open, progress.domains])
            if len(self.moments) > MOMENTS:
                self.moments[1:-1] = self.moments[1:-1:2]
        self.further(progress)
